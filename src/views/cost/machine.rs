//! What a run costs on a machine of one's own: by the hour, and by the energy that its devices used.

use egui::{RichText, TextEdit, Ui};

use super::Cost;
use crate::analysis::definitions as say;
use crate::analysis::diff::Two;
use crate::analysis::energy::{Energy, Used};
use crate::analysis::spending::Spent;
use crate::format::{self, UNKNOWN};
use crate::model::Unit;
use crate::ui::theme::{Palette, mono};
use crate::ui::widgets::{KeyValues, segmented};
use crate::views::ViewCx;
use crate::views::parts::remark;
use crate::views::shared::figures::{Line, TwoFigure};

/// Prices of a machine as a person types them, in a currency of their own.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Machine {
    /// Of an hour.
    pub hour: String,
    /// Of a kWh.
    pub kwh: String,
    pub euros: bool,
}

impl Machine {
    /// An amount in the chosen currency.
    fn amount(&self, money: f64) -> String {
        let text = super::amount(Some(money));
        if self.euros { text.replace('$', "€") } else { text }
    }
}

/// What is typed as a number that is not below 0.
fn rate(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|r| r.is_finite() && *r >= 0.0)
}

/// What a run costs on such a machine, in its currency; `None` for what is not known.
pub(super) struct Paid {
    /// By the hour: the run, an answer, and a million output tokens.
    pub hour: [Option<f64>; 3],
    /// By energy: the run, and an answer.
    pub energy: [Option<f64>; 2],
    /// Joules that an output token took.
    pub of_token: Option<f64>,
}

impl Machine {
    /// What a run costs that took so long, ns.
    pub(super) fn paid(&self, elapsed: Option<i64>, used: Option<&Used>, spent: &Spent) -> Paid {
        let each = |of: Option<f64>, n: f64| of.filter(|_| n > 0.0).map(|of| of / n);
        let answers = spent.all.answered as f64;
        let output = spent.all.sums.output as f64;
        let hour = rate(&self.hour).zip(elapsed).map(|(rate, elapsed)| rate * elapsed as f64 / 3.6e12);
        let energy = rate(&self.kwh).zip(used).map(|(rate, used)| rate * used.joules / 3.6e6);
        Paid {
            hour: [hour, each(hour, answers), each(hour, output / 1e6)],
            energy: [energy, each(energy, answers)],
            of_token: each(used.map(|used| used.joules), output),
        }
    }

    /// An amount of both runs.
    pub(super) fn line<'a>(&self, name: &'a str, values: Two<f64>, palette: &Palette) -> Line<'a> {
        let nanos = values.map(|money| (money * 1e9).round() as i64);
        let figure = TwoFigure { name, unit: Unit::NanoDollars, values: nanos, about: say::MACHINE };
        let line = Line::of(&figure, ["", ""], false, palette);
        if self.euros { line.in_currency("€") } else { line }
    }

    /// Fields for the prices of an hour and of a kWh.
    pub(super) fn fields(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            let palette = Palette::of(ui);
            let label = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).color(palette.text_weak));
            let field = |ui: &mut Ui, text: &mut String, hint: &str, name: &str| {
                let edit = TextEdit::singleline(text).font(mono(12.0)).desired_width(54.0);
                ui.add(edit.hint_text(hint.to_owned()).char_limit(20)).accessible_name(name.to_owned());
            };
            segmented(ui, "Currency", &mut self.euros, &[(false, "$"), (true, "€")]);
            field(ui, &mut self.hour, "2.50", "Price of an hour of the machine");
            label(ui, "an hour");
            field(ui, &mut self.kwh, "0.30", "Price of a kWh");
            label(ui, "a kWh");
        });
    }
}

impl Cost {
    /// Fields for the prices of an hour and of a kWh, and what the run costs by them.
    pub(super) fn machine(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, spent: &Spent) {
        let range = cx.interaction.range;
        let elapsed = range.map(|(a, b)| b - a).or_else(|| cx.profile().elapsed());
        let used = cx.ask(&Energy(range), 7).beside();
        let used = used.as_deref().and_then(|used| used.as_ref());
        let m = &mut self.machine;
        m.fields(ui);
        let paid = m.paid(elapsed, used, spent);
        let shown = |cost: Option<f64>| cost.map_or_else(|| UNKNOWN.to_owned(), |cost| m.amount(cost));
        let mut grid = KeyValues::new(ui, 150.0);
        if let Some((cost, elapsed)) = paid.hour[0].zip(elapsed) {
            grid.row("The run", &format!("{} for {}", m.amount(cost), format::duration(elapsed)));
            grid.row("An answer", &shown(paid.hour[1]));
            grid.row("1 M output tokens", &shown(paid.hour[2]));
        }
        match used {
            Some(used) => {
                let text = format!("{} by {}", used.amount(), used.devices());
                grid.row("Energy", &text);
                grid.row("Electricity", &shown(paid.energy[0]));
                grid.row("… of an answer", &shown(paid.energy[1]));
                if let Some(joules) = paid.of_token {
                    grid.row("Energy of a token", &format!("{} J", format::number(joules)));
                }
            }
            None => {
                grid.row("Energy", "– no power was measured");
            }
        }
        remark(ui, say::MACHINE);
    }
}
