//! The controls above the chart.

use egui::{Checkbox, Rangef, Rect, RichText, Sense, Ui, vec2};

use super::{FlameView, Mode, shares_query};
use crate::analysis::flame_rows::{FlameRows, Matched, MatchedShare};
use crate::analysis::libraries::Libraries;
use crate::analysis::{Costs, Transform};
use crate::format;
use crate::model::{Basis, TrackKey, Unit};
use crate::query::Answer;
use crate::state::Command;
use crate::ui::theme::{Palette, Tone, small, space};
use crate::ui::widgets::{combo, pill, segmented};
use crate::views::boxes::{Coloring, most};
use crate::views::{ViewCx, shared};

/// Functions offered for the middle of a sandwich.
const OFFERED: usize = 60;

impl FlameView {
    /// One line of controls; wraps in a narrow pane.
    pub(super) fn header(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| {
            let mut mode = self.mode_of(cx.profile());
            if segmented(ui, "Order of the chart", &mut mode, &Mode::ALL).changed() {
                self.set_mode(mode);
            }
            match mode {
                Mode::Time => tracks(cx, ui),
                Mode::Sandwich => self.function_picker(cx, ui),
                Mode::LeftHeavy | Mode::Alphabetical => {
                    if cx.profile().tracks.len() > 1 {
                        let about = "Merge each thread, task or stream by itself, instead of all together";
                        ui.checkbox(&mut self.by_track, "By thread").on_hover_text(about);
                    }
                }
            }
            self.coloring_picker(cx, ui);
            toggle(cx, ui, Transform::CollapseRecursion, "Collapse recursion", RECURSION);
            only_my_code(cx, ui);
            self.matched(cx, ui);
        });
    }

    fn coloring_picker(&mut self, cx: &ViewCx<'_>, ui: &mut Ui) {
        let field = combo("flame colours")
            .selected_text(format!("Colour: {}", self.coloring.label().to_lowercase()))
            .show_ui(ui, |ui| {
                for (coloring, label) in Coloring::ALL {
                    ui.selectable_value(&mut self.coloring, coloring, label);
                }
            });
        field.response.accessible_name("Colour by");
        let unit = shared::unit(cx.profile(), cx.interaction);
        match self.coloring {
            Coloring::SelfShare => {
                legend(ui, ("0 %", "100 %"), "Own part of the total of the function, over all its calls");
            }
            Coloring::Metric => {
                let answer = cx.ask(&shares_query(cx), 0);
                let most = answer.value().map_or(0, |table| most(table));
                let text = format::cost(unit, most);
                legend(ui, ("0", &text), "Own cost of the function, over all its calls");
            }
            _ => {}
        }
    }

    fn function_picker(&mut self, cx: &ViewCx<'_>, ui: &mut Ui) {
        let profile = cx.profile();
        let middle = self.sandwich.and_then(|key| profile.keys().function(key));
        let shown = middle.map_or("Choose a function", |f| profile.function_name(f));
        let shown: String = shown.chars().take(48).collect();
        let field = combo("flame function").width(200.0).truncate().selected_text(shown);
        let field = field.show_ui(ui, |ui| {
            let Answer::Ready(table) = cx.ask(&shares_query(cx), 1) else {
                ui.spinner();
                return;
            };
            let unit = shared::unit(profile, cx.interaction);
            for row in table.rows.iter().take(OFFERED) {
                let text =
                    format!("{}   {}", profile.function_name(row.function), format::cost(unit, row.own));
                let symbol = profile.keys().symbol(row.function);
                let chosen = self.sandwich == Some(symbol);
                if ui.selectable_label(chosen, text).clicked() {
                    self.sandwich = Some(symbol);
                }
            }
        });
        field.response.accessible_name("Function in the middle");
    }

    /// How much the search finds, with the denominator.
    fn matched(&self, cx: &ViewCx<'_>, ui: &mut Ui) {
        let search = cx.interaction.search.trim();
        if search.is_empty() {
            return;
        }
        let query = Matched { costs: costs_query(cx), search: cx.interaction.search.clone() };
        let answer = cx.ask(&query, 0);
        let Some(Some(share)) = answer.value().map(|v| **v) else { return };
        let unit = shared::unit(cx.profile(), cx.interaction);
        let (tone, text) = matched_text(share, unit);
        pill(ui, tone, &text).on_hover_text(format!(
            "Everything at and below functions that match «{search}», each call path counted once"
        ));
    }

    /// Notes what the reader must know about the numbers.
    pub(super) fn notices(cx: &mut ViewCx<'_>, rows: &FlameRows) {
        shared::note_basis(cx, &rows.basis, &shared::lost(&rows.notices));
        if !matches!(rows.basis, Basis::Estimated(_)) && !rows.notices.is_empty() {
            cx.note(Tone::Neutral, "Note", rows.notices.join(" · "));
        }
    }
}
