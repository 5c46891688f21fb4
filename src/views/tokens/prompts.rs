//! What prompts are made of, and how full context windows are.

use egui::{Color32, RichText, Ui};

use super::Tokens;
use crate::analysis::components::{Component, ComponentSum, Components, NEARLY_FULL};
use crate::analysis::definitions as say;
use crate::format;
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{KeyValues, link_button};
use crate::views::ViewCx;
use crate::views::parts::{remark, typed, weak};
use crate::views::shared::bars::{self, Segment, StackedRow};

/// Share of all tokens from which on a part is named, unless the person says otherwise.
pub(super) const LIMIT: f64 = 0.3;

pub(super) fn color(palette: &Palette, component: Component) -> Color32 {
    palette.series(Component::ALL.iter().position(|c| *c == component).unwrap_or(0))
}

/// What stands before a count, which is shared out unless the prompt has no parts.
pub(super) fn sign(found: &Components, component: Component) -> &'static str {
    let is_exact = match component {
        Component::Output => true,
        Component::Undivided => found.guessed == 0,
        _ => false,
    };
    if is_exact { "" } else { "≈ " }
}

/// A count with its sign.
pub(super) fn about(found: &Components, component: Component, tokens: f64) -> String {
    format!("{}{}", sign(found, component), format::count(tokens.round() as i64))
}

impl Tokens {
    /// Components: the part that stays the same is full, the part that changes is paler.
    pub(super) fn components(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, found: &Components) {
        let palette = Palette::of(ui);
        let total = found.total().max(1.0);
        let strip: Vec<Segment<'_>> = found
            .sums
            .iter()
            .map(|s| {
                let color = color(palette, s.component);
                Segment { name: s.component.name(), size: s.tokens, color, hatched: false }
            })
            .collect();
        bars::strip(ui, &strip, total, 18.0);
        ui.add_space(space::SMALL);
        for sum in &found.sums {
            row(cx, ui, found, sum);
        }
        ui.add_space(space::SMALL);
        self.above(ui, found);
        let guessed = match found.guessed {
            0 => String::new(),
            n => format!(
                " {} without a count: four characters stand for a token.",
                format::counted(n as i64, "prompt", "prompts")
            ),
        };
        let kept = format!(
            "Of {} of {}",
            format::count(found.kept as i64),
            format::counted(found.all as i64, "request", "requests")
        );
        remark(ui, &format!("{kept} whose prompt was kept. {}{guessed}", say::COMPONENTS));
    }

    /// What has more than the limit.
    fn above(&mut self, ui: &mut Ui, found: &Components) {
        let palette = Palette::of(ui);
        ui.horizontal(|ui| {
            ui.label(RichText::new("Name parts above").color(palette.text_weak));
            let (name, shown) = ("Share from which parts are named", format::number(self.limit * 100.0));
            let read = |text: &str| text.trim().parse::<f64>().ok().filter(|n| (0.0..=100.0).contains(n));
            let wrong = |text: &str| read(text).is_none().then_some("A share from 0 to 100 is wanted");
            let text = typed(ui, name, &shown, wrong, |field| field.desired_width(40.0).char_limit(6));
            if let Some(share) = text.and_then(|text| read(&text)) {
                self.limit = share / 100.0;
            }
            ui.label(RichText::new("% of all tokens").color(palette.text_weak));
        });
        for (sum, is_news) in found.above(self.limit) {
            let share = format::percent(found.share(&sum));
            let mut text = format!("{}: {share} of all tokens", sum.component.name());
            text += &match sum.repeats() {
                None => "; whether it repeats, one prompt does not tell".to_owned(),
                Some(f) if f > 0.5 => format!(
                    "; {} of it repeats at the beginning: a prompt cache can hold it",
                    format::percent(f)
                ),
                Some(_) => "; it changes, so no prompt cache can hold it".to_owned(),
            };
            let tone = if is_news { palette.tone(Tone::Warning) } else { palette.text_weak };
            let response = ui.add(egui::Label::new(RichText::new(text).color(tone)).wrap());
            if !is_news {
                response.on_hover_text("No news: with up to three parts one of them always has so much, and nobody asks without a query.");
            }
        }
    }
}

/// One component.
fn row(cx: &mut ViewCx<'_>, ui: &mut Ui, found: &Components, sum: &ComponentSum) {
    let palette = Palette::of(ui);
    let color = color(palette, sum.component);
    let changing = (sum.tokens - sum.fixed).max(0.0);
    let pale = color.gamma_multiply(if sum.component == Component::Output { 1.0 } else { 0.45 });
    let segments = [
        Segment { name: "the same as before", size: sum.fixed, color, hatched: false },
        Segment { name: "new", size: changing, color: pale, hatched: false },
    ];
    let most = found.sums.iter().map(|s| s.tokens).fold(1.0, f64::max);
    let value =
        format!("{} · {}", about(found, sum.component, sum.tokens), format::percent(found.share(sum)));
    let mut tip = vec![format::counted(sum.requests as i64, "request has it", "requests have it")];
    if sum.component != Component::Output {
        let count = |tokens: f64| format::count(tokens.round() as i64);
        tip.push(format!("≈ {} the same as in an earlier prompt", count(sum.fixed)));
        tip.push(format!("≈ {} new", count(changing)));
    }
    if let Some(cost) = sum.cost {
        tip.push(format!("≈ {}", format::dollars((cost * 1e9).round() as i64)));
    }
    tip.push("A click selects the request with most of it".to_owned());
    let tip = tip.join("\n");
    let name = sum.component.name();
    let bar = StackedRow {
        tip: &tip,
        value_width: 124.0,
        swatch: Some(color),
        ..StackedRow::new(name, &value, &segments, most)
    };
    if bar.show(ui).clicked() {
        cx.send(Command::Select(Some(Item::of_request(sum.largest, cx.profile()))));
    }
}

/// How full context windows are.
pub(super) fn windows(cx: &mut ViewCx<'_>, ui: &mut Ui, found: &Components) {
    let Some(w) = &found.windows else { return };
    let palette = Palette::of(ui);
    let full = w.share.max;
    let tone = if full > NEARLY_FULL { palette.tone(Tone::Warning) } else { palette.series(0) };
    let parts = [
        Segment { name: "fullest", size: full.min(1.0), color: tone, hatched: false },
        Segment { name: "free", size: (1.0 - full).max(0.0), color: palette.idle().fill, hatched: false },
    ];
    bars::strip(ui, &parts, 1.0, 18.0);
    ui.add_space(space::SMALL);
    let count = |n: u64| format::count(n as i64);
    let mut grid = KeyValues::new(ui, 110.0);
    grid.row(
        "Fullest",
        &format!("{}: {} of {} tokens", format::percent(full), count(w.tokens), count(w.window)),
    );
    grid.row("Median", &format::percent(w.share.p50));
    grid.row(
        "Above 80 %",
        &format!(
            "{} of {}",
            format::count(w.nearly_full as i64),
            format::counted(w.share.n as i64, "request", "requests")
        ),
    );
    if link_button(ui, "show the fullest").clicked() {
        cx.send(Command::Select(Some(Item::of_request(w.fullest, cx.profile()))));
    }
    if found.no_window > 0 {
        let n = format::counted(found.no_window as i64, "request", "requests");
        weak(ui, &format!("{n} without a known window or count."));
    }
    remark(ui, "Input and output tokens ÷ what the model takes, as the tables of prices say.");
}
