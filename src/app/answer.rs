//! Questions at the palette: a line, and the window beside the panes that shows the answer, the same text as at the terminal.
//!
//! The line has what the person looks at (selection, time, threads, metric) written out, so that it can be read, changed and
//! asked again. The answer is computed in the background by the queries of the panes.

use egui::{RichText, ScrollArea, TextEdit, Ui};

use super::App;
use super::event::Event;
use crate::jobs::{self, Job};
use crate::model::{FunctionId, TrackKind};
use crate::query::{Run, RunId};
use crate::questions::{
    Asked, Door, Opened, QUESTIONS, Question, Refusal, SourcesFrom, Values, argument, quoted, typed,
};
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone, mono, space};
use crate::ui::widgets::primary_button;
use crate::views;

/// An answer, or one that is on its way.
pub(super) struct Answer {
    /// What is asked, as the person may change it.
    line: String,
    /// What is shown below it.
    state: State,
    /// Later than all before it.
    number: u64,
    job: Job,
    /// The run that it is about, and its name.
    run: Option<(RunId, String)>,
    /// Id of the view that shows the same.
    view: &'static str,
}

enum State {
    Computing,
    Said(Said),
    /// Why there is none, with candidates.
    Refused(String),
}

/// An answer's text and the function that it is about.
#[derive(Debug)]
pub struct Said {
    /// Lines.
    pub text: String,
    /// If it is about one.
    pub function: Option<FunctionId>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.job.cancel();
    }
}

#[cfg(test)]
impl Answer {
    /// True once it has come.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self.state, State::Computing)
    }
}

/// The view that shows what a question is about.
fn view_of(question: &Question, values: &Values, run: &Run) -> &'static str {
    match question.name {
        "hot" | "diff" => "functions",
        "tree" => "calltree",
        "callers" => "callers",
        "gaps" if values.flag("path") => "stages",
        "gaps" if run.profile.tracks.iter().any(|t| t.kind == TrackKind::GpuStream) => "gpu",
        "gaps" => "timeline",
        "requests" => "requests",
        "lines" => "source",
        _ => "summary",
    }
}

impl App {
    /// Runs that a question is asked of now: the shown one, or the two that are compared.
    fn asked_of(&self, question: &Question) -> Result<Vec<Opened>, String> {
        let subject = self.session.subject().ok_or("open a profile first")?;
        let runs = match (question.files.len(), subject.pair()) {
            (2, Some(pair)) => vec![pair.base.clone(), pair.head.clone()],
            (2, None) => return Err(format!("{} is about two runs: compare two first", question.name)),
            _ => vec![subject.head().clone()],
        };
        let opened = |run: Run| {
            let open = self.session.get(run.id);
            let folder = open.and_then(|r| r.input()).and_then(|i| i.path()).and_then(|p| p.parent());
            let label = open.map_or_else(String::new, |r| r.label.clone());
            Opened { label, folder: folder.map(std::path::Path::to_owned), run }
        };
        Ok(runs.into_iter().map(opened).collect())
    }

    /// True when a question can be asked now.
    pub(super) fn can_ask(&self, question: &Question) -> bool {
        self.asked_of(question).is_ok()
    }

    /// The line of a question with what the person looks at; `rest` is what was typed behind its name.
    pub(super) fn line_of(&self, question: &Question, rest: &str) -> String {
        let mut line = question.name.to_owned();
        let mut add = |text: &str| {
            line.push(' ');
            line += text;
        };
        if !rest.is_empty() {
            add(rest);
        }
        let subject = self.session.subject();
        let Some((profile, now)) = subject.as_ref().map(|s| s.profile()).zip(self.session.now()) else {
            return line;
        };
        let given = |name: &str| {
            let flag = format!("--{name}");
            rest.split([' ', '=']).any(|word| word == flag)
        };
        let has = |name: &str| question.arguments.iter().any(|a| a.name == name) && !given(name);
        let track = |key| profile.keys().track(key).map(|id| format!("t{}", id.0));
        // What is selected is what the question is mostly asked about.
        let bare = rest.is_empty() || rest.starts_with("--");
        let selected = now.selection.as_ref().filter(|_| bare && has(question.bare));
        let about = selected.and_then(|item| match (question.bare, item) {
            ("function" | "root", item) => item.function(profile).map(|f| {
                let name = profile.function_name(f);
                let alone =
                    profile.functions.ids().filter(|&g| profile.function_name(g) == name).count() == 1;
                if alone && !name.contains('"') { quoted(name) } else { format!("f{}", f.0) }
            }),
            ("track" | "thread", Item::Track(key)) => track(*key),
            _ => None,
        });
        about.into_iter().for_each(|text| add(&text));
        if let [one] = now.scope.tracks[..]
            && has("thread")
            && question.bare != "thread"
        {
            track(one).into_iter().for_each(|t| add(&argument("thread", &t)));
        }
        if let Some((from, to)) = now.range.filter(|_| has("range")) {
            let time = |ns: i64| format!("{}ms", ns as f64 / 1e6);
            add(&argument("range", &format!("{}..{}", time(from), time(to))));
        }
        if !now.metric.is_first() && has("metric") {
            let formula = now.metric.formula.to_string();
            let name = now.metric.key.to_string();
            add(&argument("metric", &if formula.is_empty() { name } else { format!("{name} = {formula}") }));
        }
        line
    }

    /// Asks what a line says; the answer comes into its window.
    pub(super) fn ask_line(&mut self, line: String) {
        let number = self.answer.as_ref().map_or(1, |a| a.number + 1);
        let job = Job::new();
        let mut answer =
            Answer { line, state: State::Computing, number, job: job.clone(), run: None, view: "summary" };
        match typed(&answer.line).map_err(|r| r.0).and_then(|(q, v)| Ok((q, v, self.asked_of(q)?))) {
            Err(why) => answer.state = State::Refused(why),
            Ok((question, values, files)) => {
                if let Some(last) = files.last() {
                    let names: Vec<&str> = files.iter().map(|f| f.label.as_str()).collect();
                    answer.run = Some((last.run.id, names.join(" → ")));
                    answer.view = view_of(question, &values, &last.run);
                }
                let (engine, events) = (self.engine.clone(), self.events.clone());
                let prices = self.prices.all.clone();
                jobs::spawn("question", move || {
                    crate::record::leave_out_this_thread();
                    let asked = Asked {
                        files: &files,
                        values: &values,
                        engine: &engine,
                        job: &job,
                        door: Door::Cli,
                        whole: false,
                        texts: true,
                        prices: &prices,
                        sources: SourcesFrom::Anywhere,
                    };
                    let said = question.ask(&asked).map(|sheet| Said {
                        text: sheet.text().text().trim_end().to_owned(),
                        function: sheet.function(),
                    });
                    events.send(Event::Answered { number, result: said.map_err(|Refusal(why)| why) });
                });
            }
        }
        self.answer = Some(answer);
    }

    /// Takes an answer that came.
    pub(super) fn answered(&mut self, number: u64, result: Result<Said, String>) {
        if let Some(answer) = self.answer.as_mut().filter(|a| a.number == number) {
            answer.state = match result {
                Ok(said) => State::Said(said),
                Err(why) => State::Refused(why),
            };
        }
    }

    /// Shows the view that an answer is about, with what it is about selected.
    fn show_answer(&mut self, view: &str, function: Option<FunctionId>, run: Option<RunId>) {
        if let Some(run) = run.filter(|run| self.session.get(*run).is_some()) {
            self.session.active = Some(run);
        }
        let profile = self.active().and_then(|r| r.profile.clone());
        if let Some((function, profile)) = function.zip(profile)
            && function.index() < profile.functions.len()
        {
            self.command(Command::Select(Some(Item::of_function(function, &profile))));
        }
        if let Some(kind) = views::view(view) {
            self.panes_mut().show(kind);
        }
    }
}

/// Shows the window while there is an answer.
pub(super) fn ui(app: &mut App, ui: &Ui) {
    let Some(mut answer) = app.answer.take() else { return };
    let mut open = true;
    let (mut again, mut show) = (false, false);
    let title = answer.run.as_ref().map_or_else(|| "Answer".to_owned(), |r| format!("Answer – {}", r.1));
    egui::Window::new(title)
        .id(egui::Id::unique("answer"))
        .open(&mut open)
        .default_size([720.0, 420.0])
        .min_size([360.0, 160.0])
        .show(ui.ctx(), |ui| {
            ui.horizontal(|ui| {
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    again |= primary_button(ui, "Ask").clicked();
                    let field = TextEdit::singleline(&mut answer.line).font(mono(13.0));
                    let field = ui.add(field.desired_width(f32::INFINITY));
                    field.clone().accessible_name("Question");
                    let names: Vec<&str> = QUESTIONS.iter().map(|q| q.name).collect();
                    let field = field.on_hover_text(format!(
                        "A question with its arguments, as at the terminal: {}",
                        names.join(", ")
                    ));
                    again |= field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
                });
            });
            ui.add_space(space::SMALL);
            match &answer.state {
                State::Computing => drop(ui.horizontal(|ui| {
                    ui.spinner();
                    ui.label("computing");
                })),
                State::Said(said) => text(ui, &said.text, None),
                State::Refused(why) => text(ui, why, Some(Tone::Warning)),
            }
            ui.add_space(space::SMALL);
            ui.horizontal(|ui| {
                if let State::Said(said) = &answer.state {
                    if ui.button("Copy answer").on_hover_text("As text").clicked() {
                        ui.ctx().copy_text(said.text.clone());
                    }
                    let kind = views::view(answer.view).map_or("", |v| v.title);
                    show |= ui.button(format!("Show in {kind}")).clicked();
                }
            });
        });
    let function = if let State::Said(said) = &answer.state { said.function } else { None };
    let (view, run) = (answer.view, answer.run.as_ref().map(|r| r.0));
    if again {
        app.ask_line(std::mem::take(&mut answer.line));
    } else if open {
        app.answer = Some(answer);
    }
    if show {
        app.show_answer(view, function, run);
    }
}

/// A text to be read, marked and copied, with room below it for buttons.
fn text(ui: &mut Ui, text: &str, tone: Option<Tone>) {
    let palette = Palette::of(ui);
    let color = tone.map_or(palette.text, |tone| palette.tone(tone));
    let height = (ui.available_height() - space::CONTROL - 2.0 * space::MEDIUM).max(60.0);
    ScrollArea::both().max_height(height).auto_shrink([false, false]).show(ui, |ui| {
        let mut shown = text;
        let field = TextEdit::multiline(&mut shown).font(mono(12.0)).text_color(color);
        let field = ui.add(field.frame(egui::Frame::NONE).desired_width(f32::INFINITY).desired_rows(1));
        field.accessible_name(RichText::new("Answer").text());
    });
}
