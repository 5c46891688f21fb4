//! What stands above the lines when their file was not found: where it was looked for, and how to help.

use std::path::PathBuf;

use egui::{Grid, RichText, TextEdit, Ui};

use super::set_rules;
use crate::analysis::source_file::SourceRule;
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{Notice, NoticeAction};
use crate::views::{ViewCx, Wish};

/// What was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The text of source lines.
    Source,
    /// The code of instructions.
    Object,
}

impl What {
    /// What is not shown without it.
    fn text(self) -> &'static str {
        match self {
            Self::Source => "The source",
            Self::Object => "The text of instructions",
        }
    }

    fn button(self) -> &'static str {
        match self {
            Self::Source => "Source folders…",
            Self::Object => "Choose folder…",
        }
    }
}

/// What is typed to say where source files are.
#[derive(Default)]
pub(super) struct Finder {
    open: bool,
    from: String,
    to: String,
}

impl Finder {
    /// Shows why there is no text. True when the file shall be looked for again.
    pub(super) fn show(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        what: What,
        file: &str,
        why: Option<&str>,
        tried: &[(String, String)],
    ) -> bool {
        if let Some(why) = why {
            Notice::new(Tone::Info, why).show(ui);
            return false;
        }
        let text = match tried {
            [] => format!("{file} is a relative path, and this profile is not in a folder to look in."),
            [(path, why)] => format!("{} is not shown: {path} {why}.", what.text()),
            [(path, why), ..] => {
                format!(
                    "{} is not shown: {path} {why}, and neither do {} other places serve.",
                    what.text(),
                    tried.len() - 1
                )
            }
        };
        if Notice::new(Tone::Warning, &text).action("Locate file…").show(ui) == Some(NoticeAction::Acted) {
            cx.out.wishes.push(Wish::LocateSource(file.to_owned()));
        }
        let mut again = false;
        ui.horizontal(|ui| {
            if ui.selectable_label(self.open, what.button()).clicked() {
                self.open = !self.open;
                if self.open && self.from.is_empty() {
                    self.from = folder_of(file);
                }
            }
            again = ui.button("Look again").clicked();
            ui.label(
                RichText::new("Recorded on another machine? Say where the files are.")
                    .color(Palette::of(ui).text_weak),
            );
        });
        if self.open {
            self.rules(cx, ui);
            for (path, why) in tried {
                ui.label(RichText::new(format!("{path} {why}")).small().color(Palette::of(ui).text_weak));
            }
        }
        again
    }

    /// The rules, and fields for one more.
    fn rules(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let mut rules = cx.sources.to_vec();
        let mut gone = None;
        Grid::new("source rules").num_columns(4).show(ui, |ui| {
            for (i, rule) in rules.iter().enumerate() {
                ui.label(&rule.from);
                ui.label("is here:");
                ui.label(rule.to.display().to_string());
                if ui.button("Remove").clicked() {
                    gone = Some(i);
                }
                ui.end_row();
            }
            let field = |ui: &mut Ui, text: &mut String, hint: &str, name: &str| {
                let field =
                    ui.add(TextEdit::singleline(text).hint_text(hint.to_owned()).desired_width(240.0));
                field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, name));
            };
            field(ui, &mut self.from, "/build/project", "Folder in the profile");
            ui.label("is here:");
            field(ui, &mut self.to, "/home/me/project", "Folder on this computer");
            let ready = !self.from.trim().is_empty() && !self.to.trim().is_empty();
            if ui.add_enabled(ready, egui::Button::new("Add")).clicked() {
                let rule =
                    SourceRule { from: self.from.trim().to_owned(), to: PathBuf::from(self.to.trim()) };
                rules.retain(|r| r.from != rule.from);
                rules.push(rule);
                (self.from, self.to) = Default::default();
            }
            ui.end_row();
        });
        if let Some(gone) = gone {
            rules.remove(gone);
        }
        set_rules(cx, rules);
    }
}

fn folder_of(file: &str) -> String {
    file.rfind(['/', '\\']).map_or_else(String::new, |at| file[..at].to_owned())
}
