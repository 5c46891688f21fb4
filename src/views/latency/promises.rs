//! What is promised and kept, and why the slowest requests were slow.

use egui::{RichText, Ui};

use super::Latency;
use super::cards::share_row;
use crate::analysis::definitions as say;
use crate::analysis::slo::{LISTED, SloCheck, SlowRequests};
use crate::format;
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, space};
use crate::ui::widgets::{KeyValues, link_button};
use crate::views::ViewCx;
use crate::views::parts::{BarRow, remark, typed, weak};

impl Latency {
    /// Fields for what is promised, and what came of it.
    pub(super) fn promises(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            limit(ui, "TTFT ≤", &mut self.slo.ttft);
            limit(ui, "TPOT ≤", &mut self.slo.tpot);
            limit(ui, "Latency ≤", &mut self.slo.latency);
        });
        ui.add_space(space::SMALL);
        if !self.slo.is_set() {
            remark(ui, "What you promise your users, in ms. Then: how many requests keep it, and goodput.");
            return;
        }
        let Some(kept) = cx
            .ask(&SloCheck { slo: self.slo, asked: cx.asked() }, 2)
            .content(ui, "Holding requests against it")
        else {
            return;
        };
        share_row(ui, "Kept", [kept.kept, kept.broken, kept.unknown], "Requests that keep all of it.");
        let rate = |rate: Option<f64>| {
            rate.map_or_else(|| format::UNKNOWN.to_owned(), |r| format::rate(r, "requests"))
        };
        let mut grid = KeyValues::new(ui, 100.0);
        grid.row("Goodput", &rate(kept.goodput));
        grid.row("Throughput", &rate(kept.throughput));
        let names = ["first token too late", "tokens too slow", "too long"];
        let mut why: Vec<String> = kept
            .by
            .iter()
            .zip(names)
            .filter(|(n, _)| **n > 0)
            .map(|(n, name)| format!("{} {name}", format::count(*n as i64)))
            .collect();
        if kept.failed > 0 {
            why.push(format!("{} failed", format::count(kept.failed as i64)));
        }
        if !why.is_empty() {
            ui.horizontal_wrapped(|ui| {
                weak(ui, &format!("Broken: {}.", why.join(", ")));
                if let Some(first) = kept.first_broken
                    && link_button(ui, "show the first").clicked()
                {
                    cx.send(Command::Select(Some(Item::of_request(first, cx.profile()))));
                }
            });
        }
        remark(ui, say::GOODPUT);
    }
}

/// A field for a limit in ms; empty for none.
fn limit(ui: &mut Ui, name: &str, value: &mut Option<i64>) {
    ui.label(RichText::new(name).color(Palette::of(ui).text_weak));
    let shown = value.map_or_else(String::new, |ns| format::number(ns as f64 / 1e6));
    let read = |text: &str| text.trim().parse::<f64>().ok().filter(|ms| ms.is_finite() && *ms >= 0.0);
    let wanted =
        |text: &str| read(text).is_none().then_some("A number of milliseconds is wanted, such as 500");
    let text = typed(ui, &format!("{name} ms"), &shown, wanted, |field| {
        field.desired_width(52.0).char_limit(12).hint_text("ms")
    });
    if let Some(text) = text {
        *value = read(&text).map(|ms| (ms * 1e6) as i64);
    }
}

/// The slowest requests with what made them slow; a click selects one.
pub(super) fn slowest(cx: &mut ViewCx<'_>, ui: &mut Ui) {
    let asked = SlowRequests { asked: cx.asked() };
    let Some(found) = cx.ask(&asked, 4).content(ui, "Looking for the slowest") else { return };
    let median = match found.medians[..] {
        [(_, median)] => format!("the median, {}", format::duration(median.round() as i64)),
        _ => "the median of its model".to_owned(),
    };
    if found.rows.is_empty() {
        weak(ui, &format!("None took more than 1.5 times {median}."));
        return;
    }
    let most = found.rows.iter().map(|r| r.latency).max().unwrap_or(1).max(1) as f64;
    let profile = cx.subject.profile().clone();
    for row in found.rows.iter().take(LISTED) {
        let Some(request) = profile.requests.get(row.request) else { continue };
        let value = format::duration(row.latency);
        let explained = format::duration(row.explained.round() as i64);
        let why = match row.explained > 0.0 {
            true => format!("{} {explained}", row.cause.words()),
            false => row.cause.words().to_owned(),
        };
        let item = Item::of_request(row.request, &profile);
        let bar = BarRow {
            note: &why,
            share: Some(row.latency as f64 / most),
            selected: cx.is_selected(&item),
            lit: cx.is_hovered(&item),
            ..BarRow::new(profile.text(request.name), &value)
        };
        let response = bar.show(ui);
        cx.interact(&response, &item);
    }
    remark(ui, &format!("Held against {median}: what explains most of what they took more."));
}
