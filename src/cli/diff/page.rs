//! The comparison as one HTML page that needs no server and loads nothing.

use super::gate::{Gate, Outcome};
use super::text::{HEADINGS, line, lists, sentences};
use super::{Comparison, names};
use crate::format::{self, markup};

const PAGE: &str = include_str!("page.html");

pub(super) fn render(c: &Comparison, gate: &Gate) -> String {
    let mut body = format!("<h1>{}</h1>\n", markup(&c.words().headline));
    body += &format!(
        "<p>Baseline: <code>{}</code><br>New run: <code>{}</code><br>Δ = head − base, {}</p>\n",
        markup(&names(&c.base)),
        markup(&names(&c.head)),
        markup(&c.metric(true).label)
    );
    for sentence in sentences(c).iter().skip(1) {
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
    let title = format!("{} → {}", names(&c.base), names(&c.head));
    // The last part first: what stands in a title is no place for the body.
    PAGE.replacen("{{body}}", &body, 1).replacen("{{title}}", &markup(&title), 1)
}
