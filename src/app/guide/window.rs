//! The window of the guide.

use egui::{ScrollArea, TextEdit, Ui};
use egui_commonmark::{CommonMarkCache, CommonMarkViewer};

use super::{TOPICS, Topic};
use crate::app::App;
use crate::ui::theme::{mono, space};

/// Width of the list of pages, points.
const LIST: f32 = 150.0;

/// What the window shows.
pub(in crate::app) struct Reader {
    shown: usize,
    search: String,
    pages: Pages,
}

/// Draws pieces of Markdown, and knows which other page a link was clicked to.
struct Pages {
    cache: CommonMarkCache,
    clicked: Option<usize>,
}

impl Pages {
    fn show(&mut self, ui: &mut Ui, text: &str) {
        CommonMarkViewer::new().show(ui, &mut self.cache, text);
        // The next piece forgets it.
        let clicked = |topic: &Topic| self.cache.get_link_hook(&file(topic)) == Some(true);
        self.clicked = TOPICS.iter().position(clicked).or(self.clicked);
    }
}

impl Default for Reader {
    fn default() -> Self {
        let mut cache = CommonMarkCache::default();
        TOPICS.iter().for_each(|topic| cache.add_link_hook(file(topic)));
        Self { shown: 0, search: String::new(), pages: Pages { cache, clicked: None } }
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
        let field = ui.add(field);
        field.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Search the guide"));
        let changed = field.changed();
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
            // The scroll bar has a place of its own.
            ui.set_max_width(ui.available_width() - space::LARGE);
            for (i, part) in parts(topic.text).into_iter().enumerate() {
                ui.push_id(i, |ui| match part {
                    Part::Text(text) => self.pages.show(ui, text),
                    Part::Code(text) => code(ui, text),
                    Part::Table(rows) => table(ui, &mut self.pages, &rows),
                });
            }
        });
        self.shown = self.pages.clicked.take().unwrap_or(self.shown);
    }
}

/// Parts of a page. The viewer's own tables do not wrap, and its code has a button that our fonts cannot draw.
#[derive(Debug, PartialEq)]
enum Part<'a> {
    Text(&'a str),
    Code(&'a str),
    /// Cells by row, the header first.
    Table(Vec<Vec<&'a str>>),
}

fn parts(page: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    // Where the part that goes on begins, and whether it is code.
    let (mut start, mut at, mut code) = (0, 0, false);
    for line in page.split_inclusive('\n') {
        let end = at + line.len();
        let cells = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|'));
        if line.starts_with("```") {
            let part = &page[start..at];
            parts.push(if code { Part::Code(part) } else { Part::Text(part) });
            (code, start) = (!code, end);
        } else if let Some(cells) = cells.filter(|_| !code) {
            parts.push(Part::Text(&page[start..at]));
            let row: Vec<&str> = cells.split('|').map(str::trim).collect();
            let rule = row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| c == '-'));
            match parts.iter_mut().rev().find(|part| !matches!(part, Part::Text(""))) {
                Some(Part::Table(_)) if rule => {}
                Some(Part::Table(rows)) => rows.push(row),
                _ => parts.push(Part::Table(vec![row])),
            }
            start = end;
        }
        at = end;
    }
    parts.push(Part::Text(&page[start..]));
    parts.retain(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()));
    parts
}

fn code(ui: &mut Ui, text: &str) {
    let fill = ui.visuals().code_bg_color;
    egui::Frame::new().fill(fill).corner_radius(4.0).inner_margin(space::MEDIUM).show(ui, |ui| {
        ui.add(egui::Label::new(egui::RichText::new(text.trim_end()).font(mono(12.0))).wrap());
    });
    ui.add_space(space::MEDIUM);
}

/// Characters of a cell that count when columns share the width.
const LONGEST: usize = 60;

fn table(ui: &mut Ui, pages: &mut Pages, rows: &[Vec<&str>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).clamp(6, LONGEST) as f32
    };
    let all: f32 = (0..columns).map(length).sum();
    let gaps = columns.saturating_sub(1) as f32 * space::MEDIUM;
    let width = (ui.available_width() - gaps).max(200.0);
    egui::Grid::new("table").spacing([space::MEDIUM, space::SMALL]).show(ui, |ui| {
        for (i, row) in rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let text =
                    if i == 0 && !cell.is_empty() { format!("**{cell}**") } else { (*cell).to_owned() };
                ui.vertical(|ui| {
                    ui.set_width(width * length(column) / all);
                    ui.push_id(column, |ui| pages.show(ui, &text));
                });
            }
            ui.end_row();
        }
    });
    ui.add_space(space::MEDIUM);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_apart_into_texts_code_and_tables() {
        let page = "# a\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\nend\n```sh\n| no table |\n```\n| z |\n";
        assert_eq!(
            parts(page),
            [
                Part::Text("# a\n\n"),
                Part::Table(vec![vec!["x", "y"], vec!["1", "2"]]),
                Part::Text("\nend\n"),
                Part::Code("| no table |\n"),
                Part::Table(vec![vec!["z"]]),
            ]
        );
    }
}
