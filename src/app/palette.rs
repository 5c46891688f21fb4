//! The command palette: any action by typing a part of its name.

use egui::{Key, Ui};

use super::App;
use super::action::{self, Action};
use crate::ui::theme::Palette as Colors;

/// Most lines shown.
const LINES: usize = 14;

/// What is typed and which line is marked.
#[derive(Default)]
pub(super) struct Palette {
    text: String,
    marked: usize,
}

/// True when the letters of `typed` come in this order in `title`, without regard to case.
fn fits(title: &str, typed: &str) -> bool {
    let mut letters = title.chars().flat_map(char::to_lowercase);
    typed.chars().flat_map(char::to_lowercase).filter(|c| !c.is_whitespace()).all(|t| letters.any(|l| l == t))
}

impl Palette {
    /// The actions whose names fit what is typed; those that hold it as it stands come first.
    fn entries(&self, app: &App) -> Vec<action::Entry> {
        let typed = self.text.trim().to_lowercase();
        let fitting =
            |e: &action::Entry| e.action != Action::Palette && app.can(e.action) && fits(&e.title, &typed);
        let mut entries: Vec<_> = action::all().into_iter().filter(fitting).collect();
        entries.sort_by_key(|e| !e.title.to_lowercase().contains(&typed));
        entries.truncate(LINES);
        entries
    }

    /// Draws it; `None` once it is closed.
    pub fn ui(mut self, app: &App, ui: &mut Ui, actions: &mut Vec<Action>) -> Option<Self> {
        let (up, down, enter) = ui.input_mut(|i| {
            let mut key = |key| i.consume_key(egui::Modifiers::NONE, key);
            (key(Key::ArrowUp), key(Key::ArrowDown), key(Key::Enter))
        });
        let mut chosen = None;
        let modal = egui::Modal::new(egui::Id::unique("palette")).show(ui.ctx(), |ui| {
            ui.set_width(460.0);
            let label = ui.label(egui::RichText::new("Type a part of a command").weak());
            let field = ui.add(egui::TextEdit::singleline(&mut self.text).desired_width(f32::INFINITY));
            let field = field.labelled_by(label.id);
            field.request_focus();
            if field.changed() {
                self.marked = 0;
            }
            // Only now: what was typed in this frame counts, also for Enter.
            let entries = self.entries(app);
            let last = entries.len().saturating_sub(1);
            self.marked = (self.marked + usize::from(down)).saturating_sub(usize::from(up)).min(last);
            chosen = entries.get(self.marked).filter(|_| enter).map(|e| e.action);
            ui.add_space(4.0);
            for (i, entry) in entries.iter().enumerate() {
                let row = ui.horizontal(|ui| {
                    let name = ui.selectable_label(i == self.marked, &entry.title);
                    if let Some(key) = &entry.key {
                        let text = egui::RichText::new(action::key_text(ui.ctx(), key))
                            .color(Colors::of(ui).text_weak);
                        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| ui.label(text));
                    }
                    name
                });
                if row.inner.clicked() {
                    chosen = Some(entry.action);
                }
            }
            if entries.is_empty() {
                ui.label("no such command");
            }
        });
        if let Some(action) = chosen {
            actions.push(action);
            return None;
        }
        (!modal.should_close()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn letters_in_order_find_a_command() {
        assert!(fits("Open by path…", "obp") && fits("Flame chart", "fla ch") && fits("Redo", ""));
        assert!(!fits("Redo", "or"));
    }
}
