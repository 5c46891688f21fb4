//! The comparison as one HTML page that needs no server and loads nothing.

use super::super::gate::{Gate, Outcome};
use super::super::render;
use super::text::{HEADINGS, line, lists, more, sentences, written};
use super::{Comparison, Opened, names, requests};
use crate::format::{self, markup};
use crate::views::{self, ViewKind};

const PAGE: &str = include_str!("page.html");

/// Views that are drawn, those of which the runs have what they need, and their height in points.
const PICTURES: [(&str, f32); 4] =
    [("flame", 420.0), ("stages", 420.0), ("timeline", 420.0), ("memory", 420.0)];
/// Width of pictures, points.
const WIDTH: f32 = 1180.0;

/// The first runs of both sides in the views that compare best by eye.
fn pictures(c: &Comparison) -> String {
    let (base, head) = (&c.base[0], &c.head[0]);
    let fits =
        |kind: &ViewKind| (kind.needs)(&base.run.profile).is_ok() && (kind.needs)(&head.run.profile).is_ok();
    let mut out = String::new();
    for (id, height) in PICTURES {
        let Some(kind) = views::view(id).filter(|kind| fits(kind)) else { continue };
        let name = |o: &Opened| o.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let runs = [base, head].map(|o| (name(o), o.run.profile.clone()));
        let [(b, bp), (h, hp)] = &runs;
        let size = egui::vec2(WIDTH, height);
        let (shown, form) = ((c.chosen.head, &c.align), (kind, size));
        let Ok(svg) = render::compared((b, bp.clone()), (h, hp.clone()), shown, form) else { continue };
        out += &format!(
            "<h2>{}</h2>\n<img alt=\"{} of both runs\" width=\"{WIDTH}\" src=\"data:image/svg+xml,{}\">\n",
            markup(kind.title),
            markup(kind.title),
            in_address(&svg)
        );
    }
    out
}

/// A text as a part of an address within an attribute.
fn in_address(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 5 / 4);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b' '
            | b'-'
            | b'_'
            | b'.'
            | b'/'
            | b':'
            | b','
            | b'='
            | b'('
            | b')'
            | b';'
            | b'\'' => out.push(byte as char),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

pub(super) fn render(c: &Comparison, gate: &Gate) -> String {
    let (headline, others) = sentences(c);
    let mut body = format!("<h1>{}</h1>\n", markup(&headline));
    body += &format!(
        "<p>Baseline: <code>{}</code><br>New run: <code>{}</code><br>Δ = head − base, {}</p>\n",
        markup(&names(&c.base)),
        markup(&names(&c.head)),
        markup(&c.metric(true).label)
    );
    for sentence in &others {
        body += &format!("<p>{}</p>\n", markup(sentence));
    }
    for judged in &gate.0 {
        let class = if judged.outcome == Outcome::Passed { "" } else { " class=\"bad\"" };
        body += &format!(
            "<p{class}><code>{}</code>: {} ({})</p>\n",
            markup(&judged.condition),
            judged.outcome.key(),
            markup(&judged.why)
        );
    }
    if !c.settings.is_empty() {
        body += "<h2>Differs besides costs</h2>\n<table><thead><tr><th>Base</th><th>Head</th><th>Note</th><th>What</th></tr></thead><tbody>\n";
        for s in &c.settings {
            let value = |v: &Option<String>| markup(v.as_deref().unwrap_or(format::UNKNOWN));
            body += &format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                value(&s.values.base),
                value(&s.values.head),
                markup(&s.note),
                markup(&s.what)
            );
        }
        body += "</tbody></table>\n";
    }
    for (heading, lines) in more(c) {
        let lines: Vec<String> = lines.iter().map(|line| markup(line)).collect();
        body += &format!("<h2>{}</h2>\n<p>{}</p>\n", markup(&heading), lines.join("<br>\n"));
    }
    for note in &c.notes {
        let (heading, text) = written(note);
        let lines: Vec<String> = text.lines().map(markup).collect();
        body += &format!("<h2>{}</h2>\n<p>{}</p>\n", markup(&heading), lines.join("<br>\n"));
    }
    body += &pictures(c);
    for list in lists(c).iter().filter(|l| !l.rows.is_empty()) {
        let heads: String = HEADINGS.iter().map(|h| format!("<th>{h}</th>")).collect();
        body += &format!("<h2>{}</h2>\n<table><thead><tr>{heads}</tr></thead><tbody>\n", list.title);
        for row in &list.rows {
            let shown = c.related.own(row);
            let number = |v: Option<f64>, text: &str, class: &str| {
                let value = v.map_or(f64::MIN, |v| if v.is_finite() { v } else { f64::MIN });
                format!("<td data-v=\"{value}\"{class}>{}</td>", markup(text))
            };
            let delta = shown.change();
            let class = match delta {
                Some(d) if d > 0.0 => " class=\"more\"",
                Some(d) if d < 0.0 => " class=\"less\"",
                _ => "",
            };
            let l = line(c, row);
            let calls = row.halves.head.or(row.halves.base).and_then(|h| h.calls).map(|c| c.all as f64);
            body += &format!(
                "<tr>{}{}{}{}{}{}<td>{}</td><td>{} <span class=\"place\">{}</span></td></tr>\n",
                number(shown.base, &l.base, ""),
                number(shown.head, &l.head, ""),
                number(delta, &l.delta, class),
                number(shown.relative_change(), &l.relative, class),
                number(delta, &l.points, ""),
                number(calls, &l.calls, ""),
                markup(&l.state),
                markup(&l.name),
                markup(&l.place)
            );
        }
        body += "</tbody></table>\n";
        if !list.rest.is_empty() {
            body += &format!("<p>{}</p>\n", markup(&list.rest));
        }
    }
    if let Some(listed) = requests::list(c) {
        let heads: String = requests::HEADINGS.iter().map(|h| format!("<th>{h}</th>")).collect();
        body += &format!("<h2>Requests</h2>\n<table><thead><tr>{heads}</tr></thead><tbody>\n");
        for row in &listed.rows {
            let cells: String = row.iter().map(|cell| format!("<td>{}</td>", markup(cell))).collect();
            body += &format!("<tr>{cells}</tr>\n");
        }
        body += "</tbody></table>\n";
        if !listed.rest.is_empty() {
            body += &format!("<p>{}</p>\n", markup(&listed.rest));
        }
    }
    let title = format!("{} → {}", names(&c.base), names(&c.head));
    // The last part first: what stands in a title is no place for the body.
    PAGE.replacen("{{body}}", &body, 1).replacen("{{title}}", &markup(&title), 1)
}
