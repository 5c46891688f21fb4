//! The command palette: any action by typing a part of its name, and any question by typing it.

use egui::{Key, Ui};

use super::App;
use super::action::{self, Action};
use super::bar::shorten;
use crate::questions::{QUESTIONS, Question, question};
use crate::ui::theme::{Palette as Colors, mono};

/// Most lines shown.
const LINES: usize = 14;
/// Its width, points.
const WIDTH: f32 = 560.0;

/// What is typed and which line is marked.
#[derive(Default)]
pub(super) struct Palette {
    text: String,
    marked: usize,
}

/// In front of what is typed: questions only.
const ASK: char = '?';

/// A line of the palette.
enum Entry {
    /// An action.
    Act(action::Entry),
    /// A question as it would be asked, and what it answers.
    Ask(String, &'static str),
}

/// True when the letters of `typed` come in this order in `title`, without regard to case.
fn fits(title: &str, typed: &str) -> bool {
    let mut letters = title.chars().flat_map(char::to_lowercase);
    typed.chars().flat_map(char::to_lowercase).filter(|c| !c.is_whitespace()).all(|t| letters.any(|l| l == t))
}

/// The questions that a line may mean, each with what of the line are its arguments.
fn questions(typed: &str) -> Vec<(&'static Question, &str)> {
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    if let Some(question) = question(name) {
        return vec![(question, rest.trim())];
    }
    let low = typed.to_lowercase();
    let is_about = |q: &&Question| fits(q.name, typed) || q.about.to_lowercase().contains(&low);
    QUESTIONS.iter().filter(is_about).map(|q| (q, "")).collect()
}

impl Palette {
    /// One that lists the questions.
    pub fn of_questions() -> Self {
        Self { text: ASK.to_string(), marked: 0 }
    }

    /// What fits what is typed; names that hold it as it stands come first.
    fn entries(&self, app: &App) -> Vec<Entry> {
        let typed = self.text.trim();
        let (typed, only_questions) = typed.strip_prefix(ASK).map_or((typed, false), |t| (t.trim(), true));
        let asked = questions(typed).into_iter().filter(|(q, _)| app.can_ask(q));
        let asked = asked.map(|(q, rest)| Entry::Ask(app.line_of(q, rest), q.about));
        if only_questions {
            return asked.take(LINES).collect();
        }
        let low = typed.to_lowercase();
        let fitting =
            |e: &action::Entry| e.action != Action::Palette && app.can(e.action) && fits(&e.title, &low);
        let mut actions: Vec<_> = action::all().into_iter().filter(fitting).collect();
        actions.sort_by_key(|e| (e.title.to_lowercase() != low, !e.title.to_lowercase().contains(&low)));
        // «callers» is a view, too; what has arguments is a question.
        let is_action = actions.first().is_some_and(|e| e.title.to_lowercase() == low);
        let is_question = question(typed.split_whitespace().next().unwrap_or_default()).is_some();
        let actions = actions.into_iter().map(Entry::Act);
        let mut entries: Vec<Entry> = if is_question && !is_action {
            asked.chain(actions).collect()
        } else {
            actions.chain(asked).collect()
        };
        entries.truncate(LINES);
        entries
    }

    /// Draws it; `None` once it is closed.
    pub fn ui(mut self, app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) -> Option<Self> {
        let (up, down, enter) = ui.input_mut(|i| {
            let mut key = |key| i.consume_key(egui::Modifiers::NONE, key);
            (key(Key::ArrowUp), key(Key::ArrowDown), key(Key::Enter))
        });
        let mut chosen = None;
        let modal = egui::Modal::new(egui::Id::unique("palette")).show(ui.ctx(), |ui| {
            ui.set_width((ui.ctx().content_rect().width() - 64.0).min(WIDTH));
            let hint = "Type a part of a command, or a question: hot, callers NAME, ? for all";
            let label = ui.label(egui::RichText::new(hint).weak());
            let field = ui.add(egui::TextEdit::singleline(&mut self.text).desired_width(f32::INFINITY));
            let field = field.labelled_by(label.id);
            field.request_focus();
            if field.changed() {
                self.marked = 0;
            }
            // Only now: what was typed in this frame counts, also for Enter.
            let mut entries = self.entries(app);
            let last = entries.len().saturating_sub(1);
            self.marked = (self.marked + usize::from(down)).saturating_sub(usize::from(up)).min(last);
            let mut place = Some(self.marked).filter(|_| enter && !entries.is_empty());
            ui.add_space(4.0);
            for (i, entry) in entries.iter().enumerate() {
                if line(ui, entry, i == self.marked) {
                    place = Some(i);
                }
            }
            if entries.is_empty() {
                ui.label("no such command or question");
            }
            chosen = place.map(|i| entries.swap_remove(i));
        });
        match chosen {
            Some(Entry::Act(entry)) => actions.push(entry.action),
            Some(Entry::Ask(line, _)) => app.ask_line(line),
            None => return (!modal.should_close()).then_some(self),
        }
        None
    }
}

/// One line; true when it was clicked.
fn line(ui: &mut Ui, entry: &Entry, marked: bool) -> bool {
    let weak = |text: String, ui: &Ui| egui::RichText::new(text).color(Colors::of(ui).text_weak);
    let row = ui.horizontal(|ui| match entry {
        Entry::Act(entry) => {
            let name = ui.selectable_label(marked, &entry.title);
            if let Some(key) = &entry.key {
                let text = weak(action::key_text(ui.ctx(), key), ui);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| ui.label(text));
            }
            name
        }
        Entry::Ask(line, about) => {
            let shown = egui::RichText::new(shorten(line, 60)).font(mono(13.0));
            let name = ui.selectable_label(marked, shown);
            let about = weak((*about).to_owned(), ui);
            ui.add(egui::Label::new(about).truncate());
            name
        }
    });
    row.inner.clicked()
}

#[cfg(test)]
mod tests {
    use super::{fits, questions};

    #[test]
    fn letters_in_order_find_a_command() {
        assert!(fits("Open by path…", "obp") && fits("Flame chart", "fla ch") && fits("Redo", ""));
        assert!(!fits("Redo", "or"));
    }

    #[test]
    fn what_begins_with_a_question_is_that_question_and_its_arguments() {
        let found = |typed| questions(typed).into_iter().map(|(q, rest)| (q.name, rest)).collect::<Vec<_>>();
        assert_eq!(found("callers  decode --top 5"), [("callers", "decode --top 5")]);
        assert!(found("call").iter().any(|q| q.0 == "callers") && found("").len() == 9);
        assert_eq!(found("theme dark"), []);
    }
}
