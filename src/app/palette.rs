//! The command palette: any action by typing a part of its name, any question by typing it, functions after `@`, runs and
//! recent files by their names. What was chosen last stands first.

use egui::{Key, Ui};

use std::path::PathBuf;

use super::App;
use super::action::{self, Action};
use super::bar::shorten;
use crate::analysis::columns::Shown;
use crate::analysis::diff::metrics::shown_of;
use crate::analysis::function_list::{FunctionKey, FunctionList};
use crate::analysis::{FunctionRow, Functions, Slice};
use crate::format;
use crate::model::FunctionId;
use crate::query::RunId;
use crate::questions::{QUESTIONS, Question, question};
use crate::state::{Command, Item};
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
/// In front of what is typed: functions only.
const FUNCTION: char = '@';
/// The place of the question for functions, beside those of the panes.
const SLOT: u64 = u64::MAX - 2;
/// Commands that are remembered.
const REMEMBERED: usize = 12;
/// Distance of its upper edge from that of the window, points: it stays there, whatever is found.
const TOP: f32 = 90.0;

/// A line of the palette.
enum Entry {
    /// An action.
    Act(action::Entry),
    /// A question as it would be asked, and what it answers.
    Ask(String, &'static str),
    /// A function to go to, with what it costs.
    Go(FunctionId, String, String),
    /// An open run to show.
    Run(RunId, String),
    /// A file that was open before.
    File(PathBuf),
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
        if let Some(name) = typed.strip_prefix(FUNCTION) {
            return app.functions_named(name.trim());
        }
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
        let recency =
            |title: &str| app.settings.commands.iter().position(|t| t == title).unwrap_or(REMEMBERED);
        actions.sort_by_key(|e| {
            let title = e.title.to_lowercase();
            (title != low, !title.contains(&low), recency(&e.title))
        });
        // «callers» is a view, too; what has arguments is a question.
        let is_action = actions.first().is_some_and(|e| e.title.to_lowercase() == low);
        let is_question = question(typed.split_whitespace().next().unwrap_or_default()).is_some();
        let named = if low.is_empty() { Vec::new() } else { app.runs_and_files(&low) };
        let actions = actions.into_iter().map(Entry::Act);
        let mut entries: Vec<Entry> = if is_question && !is_action {
            asked.chain(actions).collect()
        } else {
            actions.chain(asked).collect()
        };
        // A file whose name is typed is meant, however many commands have these letters somewhere.
        let at = entries
            .iter()
            .take_while(|e| matches!(e, Entry::Act(a) if a.title.to_lowercase().contains(&low)));
        let at = at.count().min(LINES.saturating_sub(named.len()));
        entries.splice(at..at, named);
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
        let id = egui::Id::unique("palette");
        let area = egui::Modal::default_area(id).anchor(egui::Align2::CENTER_TOP, egui::vec2(0.0, TOP));
        let modal = egui::Modal::new(id).area(area).show(ui.ctx(), |ui| {
            ui.set_width((ui.ctx().content_rect().width() - 64.0).min(WIDTH));
            let hint = "Type a part of a command or of a file's name, @ and a function, or a question: callers NAME, ? for all";
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
            Some(Entry::Act(entry)) => {
                app.remember_command(entry.title);
                actions.push(entry.action);
            }
            Some(Entry::Go(function, ..)) => app.go_to(function, actions),
            Some(Entry::Run(run, _)) => app.session.active = Some(run),
            Some(Entry::File(path)) => {
                app.open_path(&path);
            }
            Some(Entry::Ask(line, _)) => app.ask_line(line),
            None => return (!modal.should_close()).then_some(self),
        }
        None
    }
}

impl App {
    /// Functions whose name, file or module has a text in it, those with the largest total first.
    fn functions_named(&self, text: &str) -> Vec<Entry> {
        let Some((subject, now)) = self.session.subject().zip(self.session.now()) else { return Vec::new() };
        let metric = shown_of(&subject, now.metric);
        let slice = Slice { scope: now.scope.clone(), metric, range: now.range };
        let query = FunctionList::new(Functions(slice), vec![(FunctionKey::Total, false)], text);
        let answer = self.engine.ask(subject.head(), &query, SLOT);
        let Some(list) = answer.value() else { return Vec::new() };
        let profile = subject.profile();
        let unit = Shown::of(metric, now.relative, profile).unit;
        let rows =
            list.order.iter().map(|&row| &list.table.rows[row as usize]).filter(|r| r.module.is_none());
        let entry = |row: &FunctionRow| {
            let name = format::bare(profile.function_name(row.function)).into_owned();
            Entry::Go(row.function, name, format::cost_or_unknown(unit, row.known_total()))
        };
        rows.take(LINES).map(entry).collect()
    }

    /// Open runs and recent files that have a text in their name.
    fn runs_and_files(&self, low: &str) -> Vec<Entry> {
        const MOST: usize = 4;
        let runs = self.session.runs.iter().filter(|run| run.label.to_lowercase().contains(low));
        let runs = runs.map(|run| Entry::Run(run.id, run.label.clone()));
        let has = |path: &&PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains(low))
        };
        let files = self.settings.recent.iter().filter(has).cloned().map(Entry::File);
        runs.chain(files).take(MOST).collect()
    }

    /// Selects a function and brings its callers to the front.
    fn go_to(&mut self, function: FunctionId, actions: &mut Vec<Action>) {
        let Some(subject) = self.session.subject() else { return };
        self.command(Command::Select(Some(Item::of_function(function, subject.profile()))));
        let callers = crate::views::VIEWS.iter().position(|view| view.id == "callers");
        actions.extend(callers.map(Action::Show));
    }

    /// Remembers what was chosen, for the next time.
    fn remember_command(&mut self, title: String) {
        let commands = &mut self.settings.commands;
        commands.retain(|t| *t != title);
        commands.insert(0, title);
        commands.truncate(REMEMBERED);
    }
}

/// One line; true when it was clicked.
fn line(ui: &mut Ui, entry: &Entry, marked: bool) -> bool {
    let (name, beside) = match entry {
        Entry::Act(entry) => {
            let key = entry.key.as_ref().map(|key| action::key_text(ui.ctx(), key));
            (egui::RichText::new(&entry.title), key.unwrap_or_default())
        }
        Entry::Ask(line, about) => {
            (egui::RichText::new(shorten(line, 60)).font(mono(13.0)), shorten(about, 60))
        }
        Entry::Go(_, name, cost) => (egui::RichText::new(shorten(name, 70)), cost.clone()),
        Entry::Run(_, label) => (egui::RichText::new(shorten(label, 70)), "open run".into()),
        Entry::File(path) => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let folder = path.parent().map(|folder| folder.display().to_string());
            (
                egui::RichText::new(shorten(&name.unwrap_or_default(), 60)),
                shorten(&folder.unwrap_or_default(), 44),
            )
        }
    };
    let beside = egui::RichText::new(beside).color(Colors::of(ui).text_weak);
    let title = name.text().to_owned();
    let button = egui::Button::selectable(marked, name).right_text(beside);
    let size = egui::vec2(ui.available_width(), crate::ui::theme::space::CONTROL);
    ui.add(button.min_size(size)).accessible_name(title).clicked()
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
