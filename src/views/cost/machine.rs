//! What a run costs on a machine of one's own: by the hour, and by the energy that its devices used.

use egui::{RichText, TextEdit, Ui};

use super::Cost;
use crate::analysis::definitions as say;
use crate::analysis::energy::Energy;
use crate::analysis::spending::Spent;
use crate::format::{self, UNKNOWN};
use crate::ui::theme::{Palette, mono};
use crate::ui::widgets::{KeyValues, segmented};
use crate::views::ViewCx;
use crate::views::parts::remark;

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

impl Cost {
    /// Fields for the prices of an hour and of a kWh, and what the run costs by them.
    pub(super) fn machine(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, spent: &Spent) {
        let range = cx.interaction.range;
        let elapsed = range.map(|(a, b)| b - a).or_else(|| cx.profile().elapsed());
        let energy = cx.ask(&Energy(range), 7).beside();
        let energy = energy.as_deref().and_then(|used| used.as_ref());
        let m = &mut self.machine;
        ui.horizontal_wrapped(|ui| {
            let palette = Palette::of(ui);
            let label = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).color(palette.text_weak));
            let field = |ui: &mut Ui, text: &mut String, hint: &str, name: &str| {
                let edit = TextEdit::singleline(text).font(mono(12.0)).desired_width(54.0);
                ui.add(edit.hint_text(hint.to_owned()).char_limit(20)).accessible_name(name.to_owned());
            };
            segmented(ui, "Currency", &mut m.euros, &[(false, "$"), (true, "€")]);
            field(ui, &mut m.hour, "2.50", "Price of an hour of the machine");
            label(ui, "an hour");
            field(ui, &mut m.kwh, "0.30", "Price of a kWh");
            label(ui, "a kWh");
        });
        let by_hour = rate(&m.hour).zip(elapsed).map(|(rate, elapsed)| rate * elapsed as f64 / 3.6e12);
        let by_energy = rate(&m.kwh).zip(energy).map(|(rate, used)| rate * used.joules / 3.6e6);
        let answers = spent.all.answered as f64;
        let output = spent.all.sums.output as f64;
        let shown = |cost: Option<f64>| cost.map_or_else(|| UNKNOWN.to_owned(), |cost| m.amount(cost));
        let each = |cost: Option<f64>, n: f64| shown(cost.filter(|_| n > 0.0).map(|cost| cost / n));
        let mut grid = KeyValues::new(ui, 150.0);
        if let Some((cost, elapsed)) = by_hour.zip(elapsed) {
            grid.row("The run", &format!("{} for {}", m.amount(cost), format::duration(elapsed)));
            grid.row("An answer", &each(by_hour, answers));
            grid.row("1 M output tokens", &each(by_hour, output / 1e6));
        }
        match energy {
            Some(used) => {
                let text = format!("{} Wh by {}", format::number(used.joules / 3600.0), used.devices());
                grid.row("Energy", &text);
                grid.row("Electricity", &shown(by_energy));
                grid.row("… of an answer", &each(by_energy, answers));
                if output > 0.0 {
                    grid.row("Energy of a token", &format!("{} J", format::number(used.joules / output)));
                }
            }
            None => {
                grid.row("Energy", "– no power was measured");
            }
        }
        remark(ui, say::MACHINE);
    }
}
