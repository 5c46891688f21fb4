//! What another threshold of a semantic cache would have done with the similarities that were recorded.

use egui::{DragValue, Slider, Ui};
use egui_plot::{Bar, BarChart, VLine};

use super::Caches;
use crate::analysis::cached_answers::cached_answer;
use crate::analysis::similarities::Alike;
use crate::format::{self, UNKNOWN};
use crate::model::Unit;
use crate::state::Item;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::KeyValues;
use crate::views::ViewCx;
use crate::views::parts::{BarRow, remark};
use crate::views::shared::caches::colors;
use crate::views::shared::{bars, plot};

/// Bars of the histogram.
const BARS: usize = 40;
/// Requests next to the threshold that are listed.
const NEAREST: usize = 4;
/// Height of the plot.
const PLOT: f32 = 130.0;

impl Caches {
    pub(super) fn threshold(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, alike: &Alike) {
        let palette = Palette::of(ui);
        let of_run = alike.threshold();
        let mut threshold = self.threshold.or(of_run).unwrap_or(0.95);
        ui.horizontal(|ui| {
            ui.spacing_mut().slider_width = (ui.available_width() - 130.0).clamp(80.0, 400.0);
            // Without steps: they would move a threshold that nobody touched.
            let slider = Slider::new(&mut threshold, 0.0..=1.0).show_value(false);
            let slid = ui.add(slider).accessible_name("Threshold").changed();
            let number = DragValue::new(&mut threshold).range(0.0..=1.0).speed(0.001).fixed_decimals(3);
            let typed = ui.add(number).accessible_name("Threshold as a number").changed();
            if slid || typed {
                threshold = (threshold * 1000.0).round() / 1000.0;
                self.threshold = Some(threshold);
            }
            if self.threshold.is_some() && ui.button("Reset").on_hover_text("As in the run").clicked() {
                self.threshold = None;
            }
        });
        let [_, taken, missed] = colors(palette);
        let colors = [taken, palette.tone(Tone::Bad), missed];
        histogram(ui, alike, threshold, colors);
        bars::legend(ui, colors.into_iter().zip(["taken", "taken, wrong", "missed"]));
        let at = alike.at(threshold);
        let now = of_run.map(|t| alike.at(t));
        ui.add_space(space::SMALL);
        let rate = |rate: Option<f64>| rate.map_or_else(|| UNKNOWN.to_owned(), format::percent);
        let was = |now: Option<String>| now.map_or_else(String::new, |now| format!(" (in the run {now})"));
        let count = |n: usize| format::count(n as i64);
        let mut grid = KeyValues::new(ui, 128.0);
        grid.row("Hit rate", &format!("{}{}", rate(at.rate), was(now.map(|n| rate(n.rate)))));
        grid.row("Semantic hits", &format!("{}{}", count(at.semantic), was(now.map(|n| count(n.semantic)))));
        if alike.judged {
            let wrong = format!("{}{}", count(at.wrong), was(now.map(|n| count(n.wrong))));
            grid.toned("Known to be wrong", &wrong, (at.wrong > 0).then_some(Tone::Bad));
        }
        grid.row("Not judged", &count(if alike.judged { at.not_judged } else { at.semantic }));
        remark(ui, if alike.judged { JUDGED } else { NOT_JUDGED });
        nearest(cx, ui, alike, threshold);
    }
}

fn histogram(ui: &mut Ui, alike: &Alike, threshold: f64, colors: [egui::Color32; 3]) {
    let mut counts = [[0usize; BARS]; 3];
    for r in &alike.rows {
        let bar = ((r.similarity.clamp(0.0, 1.0) * BARS as f64) as usize).min(BARS - 1);
        counts[if r.wrong { 1 } else { usize::from(!r.taken) * 2 }][bar] += 1;
    }
    let width = 1.0 / BARS as f64;
    let chart = |name: &str, which: usize| {
        let bar = |(i, n): (usize, &usize)| {
            Bar::new((i as f64 + 0.5) * width, *n as f64).width(width * 0.9).fill(colors[which])
        };
        BarChart::new(name, counts[which].iter().enumerate().map(bar).collect()).color(colors[which])
    };
    let (taken, wrong, missed) = (chart("taken", 0), chart("taken, wrong", 1), chart("missed", 2));
    let (wrong, missed) = (wrong.stack_on(&[&taken]), missed);
    let missed = missed.stack_on(&[&taken, &wrong]);
    let accent = Palette::of(ui).accent;
    let shown = plot::plot(ui, "similarities", PLOT, [Unit::None, Unit::Count]);
    let shown = shown.include_x(0.0).include_x(1.0).include_y(0.0);
    plot::show(ui, shown, "Similarities", |plot| {
        plot.bar_chart(taken);
        plot.bar_chart(wrong);
        plot.bar_chart(missed);
        let line = VLine::new("threshold", threshold).color(accent).width(1.5);
        plot.vline(line);
    });
}

/// The requests next to the threshold on both sides: a click selects one.
fn nearest(cx: &mut ViewCx<'_>, ui: &mut Ui, alike: &Alike, threshold: f64) {
    let place = alike.rows.partition_point(|r| r.similarity >= threshold);
    let from = place.saturating_sub(NEAREST / 2);
    let profile = cx.subject.profile().clone();
    for row in alike.rows.iter().skip(from).take(NEAREST) {
        let Some(request) = profile.requests.get(row.request) else { continue };
        let prompt = profile.text(request.prompt);
        let name = if prompt.is_empty() { profile.text(request.name) } else { prompt };
        let value = format!("{:.3}", row.similarity);
        let item = Item::of_request(row.request, &profile);
        let note = match (row.taken, row.wrong) {
            (_, true) => "wrong",
            (true, _) => "taken",
            _ => "missed",
        };
        let bar = BarRow {
            note,
            selected: cx.is_selected(&item),
            lit: cx.is_hovered(&item),
            ..BarRow::new(name, &value)
        };
        let response = bar.show(ui);
        cx.interact(&response, &item);
        let matched = profile.text(cached_answer(&profile, request).prompt);
        if !matched.is_empty() {
            response.on_hover_text(format!("Closest: «{}»", format::short(matched, 200)));
        }
    }
}

const JUDGED: &str = "With the similarities that were recorded. What misses would have got is not judged, and answers that a hit kept \
    out of the cache are not taken into account.";
const NOT_JUDGED: &str = "With the similarities that were recorded. Nobody judged whether answers were right, so rates of false hits \
    are not known.";
