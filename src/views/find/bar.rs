//! The line above the table: what is looked through, the filter, what can be asked for, and what becomes of it.

use egui::{Button, Grid, RichText, Ui};

use super::FindView;
use crate::analysis::Transform;
use crate::analysis::filter::{FIELDS, FieldAbout, Filter, Found, Kind};
use crate::analysis::request_facets::Facet;
use crate::model::NameKey;
use crate::state::Command;
use crate::ui::theme::{Palette, mono};
use crate::ui::widgets::{SearchBox, segmented};
use crate::views::{ViewCx, shared};

/// What stands in the empty field.
const HINT: &str = "name:decode dur>10ms";

impl FindView {
    pub(super) fn bar(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        kind: Kind,
        found: Option<&Result<Found, String>>,
    ) {
        let kinds: Vec<(Kind, &str)> =
            Kind::ALL.into_iter().filter(|(kind, _)| kind.is_in(cx.profile())).collect();
        shared::header(ui, |ui| {
            let mut chosen = kind;
            if kinds.len() > 1 && segmented(ui, "What is looked through", &mut chosen, &kinds).changed() {
                self.kind = Some(chosen);
            }
            let width = (ui.available_width() - 330.0).clamp(160.0, 520.0);
            SearchBox::new(HINT, &mut self.text).width(width).show(ui);
            ui.menu_button("Fields", |ui| self.fields(ui, kind))
                .response
                .on_hover_text("What a filter can ask for; a click puts an example into it");
            let filter = Filter::read(&self.text).ok().flatten();
            let of_requests = kind == Kind::Requests;
            let can = filter.is_some_and(|f| of_requests || !f.is_about_requests());
            let about = match of_requests {
                true => "Every pane about requests looks at these only; a step that can be undone",
                false => {
                    "Every pane about calls shows only what runs under what the filter picks; a step that can be undone"
                }
            };
            let button = ui.add_enabled(can, Button::new("Filter all panes")).on_hover_text(about);
            let button = button.on_disabled_hover_text(match of_requests {
                true => "Type a filter first",
                false => "Type a filter of spans or samples first",
            });
            if button.clicked() {
                let text = self.text.trim();
                cx.send(match of_requests {
                    true => Command::FilterRequests(cx.interaction.requests.only(Facet::Found, text)),
                    false => Command::Push(Transform::FocusMatches(NameKey::from(text))),
                });
            }
            let time = found.and_then(|f| f.as_ref().ok()).and_then(|f| f.time);
            let about = "Every pane shows the time from the first of them to the last";
            let button = ui.add_enabled(time.is_some(), Button::new("Their time")).on_hover_text(about);
            if button.clicked() {
                cx.send(Command::SetRange(time));
            }
        });
    }

    fn fields(&mut self, ui: &mut Ui, kind: Kind) {
        let weak = Palette::of(ui).text_weak;
        let of_kind = |field: &&FieldAbout| match Filter::read(field.example) {
            Ok(Some(filter)) => kind == Kind::Requests || !filter.is_about_requests(),
            _ => false,
        };
        Grid::new("fields of a filter").num_columns(2).spacing([14.0, 2.0]).show(ui, |ui| {
            for field in FIELDS.iter().filter(of_kind) {
                if ui.button(RichText::new(field.example).font(mono(12.0))).clicked() {
                    if !self.text.trim().is_empty() {
                        self.text = format!("{} ", self.text.trim_end());
                    }
                    self.text += field.example;
                    ui.close();
                }
                ui.label(RichText::new(field.about).color(weak));
                ui.end_row();
            }
        });
        ui.separator();
        for text in [
            "Side by side: all must hold.  |  parts alternatives.  -  turns a term round.",
            "\"two words\" keeps a space.  : contains,  = is,  != is not,  < <= > >= compare.",
        ] {
            ui.label(RichText::new(text).color(weak));
        }
    }
}
