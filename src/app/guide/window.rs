//! The window of the guide.

use egui::{ScrollArea, TextEdit, Ui};
use egui_commonmark::{CommonMarkCache, CommonMarkViewer};

use super::{TOPICS, Topic};
use crate::app::App;
use crate::ui::theme::space;

/// Width of the list of pages, points.
const LIST: f32 = 150.0;

/// What the window shows.
pub(in crate::app) struct Reader {
    shown: usize,
    search: String,
    pages: CommonMarkCache,
}

impl Default for Reader {
    fn default() -> Self {
        let mut pages = CommonMarkCache::default();
        TOPICS.iter().for_each(|topic| pages.add_link_hook(file(topic)));
        Self { shown: 0, search: String::new(), pages }
    }
}

/// How other pages link to it.
fn file(topic: &Topic) -> String {
    format!("{}.md", topic.name)
}

/// Shows the window while it is open.
pub(in crate::app) fn ui(app: &mut App, ui: &Ui) {
    let Some(reader) = &mut app.guide else { return };
    let mut open = true;
    egui::Window::new("Guide")
        .id(egui::Id::unique("guide"))
        .open(&mut open)
        .default_size([860.0, 560.0])
        .min_size([480.0, 240.0])
        .show(ui.ctx(), |ui| {
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(LIST);
                    reader.list(ui);
                });
                ui.separator();
                ui.vertical(|ui| reader.page(ui));
            });
        });
    if !open {
        app.guide = None;
    }
}

impl Reader {
    /// The pages, with a search only those that hold the text.
    fn list(&mut self, ui: &mut Ui) {
        let field = TextEdit::singleline(&mut self.search).hint_text("Search the guide").desired_width(LIST);
        let changed = ui.add(field).changed();
        ui.add_space(space::SMALL);
        let wanted = self.search.trim();
        let found: Vec<(usize, usize)> =
            TOPICS.iter().enumerate().map(|(i, t)| (i, t.count(wanted))).filter(|(_, n)| *n > 0).collect();
        if found.is_empty() {
            ui.weak("Not in the guide");
        }
        if changed && !found.iter().any(|(i, _)| *i == self.shown) {
            self.shown = found.first().map_or(self.shown, |(i, _)| *i);
        }
        for (i, count) in found {
            let title = TOPICS[i].title();
            let text = if wanted.is_empty() { title.to_owned() } else { format!("{title} ({count})") };
            if ui.selectable_label(self.shown == i, text).clicked() {
                self.shown = i;
            }
        }
    }

    /// The page itself. A link to another page turns to it.
    fn page(&mut self, ui: &mut Ui) {
        let topic = &TOPICS[self.shown];
        ScrollArea::vertical().id_salt(topic.name).auto_shrink(false).show(ui, |ui| {
            CommonMarkViewer::new().show(ui, &mut self.pages, topic.text);
        });
        if let Some(other) = TOPICS.iter().position(|t| self.pages.get_link_hook(&file(t)) == Some(true)) {
            self.shown = other;
        }
    }
}
