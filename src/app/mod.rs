//! The application: state, background work, and the frame around the views.
//!
//! [`App`] knows egui, but no window: the same code draws the window ([`window`]), headless pictures
//! (`inferscope render`) and the flows of the tests. Per frame: [`App::logic`] takes events from the
//! background and applies them, [`App::ui`] draws and collects commands and actions, which are applied
//! at its end.

mod about;
mod action;
pub mod agents;
mod answer;
mod bar;
mod checklist;
mod compare;
#[cfg(windows)]
mod console;
mod datasets;
mod dialog;
pub mod display;
mod editor;
mod event;
mod export;
mod find;
#[cfg(test)]
mod goldens;
pub mod guide;
mod journals;
mod layouts;
mod looks;
mod members;
mod metrics;
mod open;
mod palette;
mod pane;
mod pane_tabs;
mod panes;
mod paths;
mod picture;
mod prices;
mod project;
mod query_memory;
mod record_dialog;
mod recorder;
mod runs;
mod samples;
mod settings;
mod source_texts;
mod sources;
mod start;
mod status;
mod tabs;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tips;
pub mod window;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use egui::{CentralPanel, Panel, Ui};

use crate::format;
use crate::import::Input;
use crate::jobs::Job;
use crate::model::Profile;
use crate::query::{Engine, Mode, Pair, RunId};
use crate::state::{Command, History, OpenRun, Origin, Project, RunState, Session};
use crate::ui::theme::Tone;
use crate::ui::widgets;
use crate::views::{Out, ViewKind};

pub use action::Action;
use event::{Event, Events};
use layouts::{LayoutKind, Layouts};
use panes::Panes;
pub use prices::price_file;
pub use project::read as read_project;
pub use settings::{Settings, ThemeChoice};
pub use source_texts::source_texts;

/// Files that are read at the same time.
const OPENED_AT_ONCE: usize = 4;

/// A line at the bottom of the window.
#[derive(Clone, Debug)]
struct Note {
    tone: Tone,
    text: String,
}

/// What is open on top of everything.
#[derive(Default)]
enum Overlay {
    #[default]
    None,
    /// The command palette with its text and the marked line.
    Palette(palette::Palette),
    /// Choosing what to record.
    Record(record_dialog::Chooser),
    /// A path to open.
    Path(paths::AskPath),
    /// Which files of an archive or a folder to open.
    Members(members::ChooseMembers),
    /// Which runs to compare.
    Compare(compare::Pairing),
    /// Metrics that the person defines.
    Metrics(metrics::Editor),
    /// The command of the person's editor.
    Editor(editor::ChooseEditor),
    /// Keys and gestures, those that hold the text.
    Keys(String),
    /// Name, version, licences.
    About,
}

/// The application.
pub struct App {
    session: Session,
    engine: Arc<Engine>,
    /// Layouts for profiles with a time axis and without.
    layouts: Layouts,
    settings: Settings,
    settings_path: Option<PathBuf>,
    events: Events,
    inbox: Receiver<Event>,
    opening: HashMap<RunId, Job>,
    /// Files that are opened when others are done.
    waiting: VecDeque<(RunId, Input)>,
    /// Revisions of growing runs that are not shown yet.
    newer: HashMap<RunId, Arc<Profile>>,
    /// The program itself, where what would run in this process is recorded in one of its own.
    program: Option<PathBuf>,
    recording: Option<recorder::Live>,
    /// What that is one run of.
    series: Option<recorder::Series>,
    /// Datasets of many runs.
    #[cfg(feature = "fleet")]
    datasets: datasets::Datasets,
    /// What was recorded in this window, to record it again.
    recorded_with: HashMap<RunId, recorder::What>,
    journals: journals::Journals,
    before: Out,
    note: Option<Note>,
    overlay: Overlay,
    /// Two runs that are offered to be compared.
    offer: Option<compare::Offer>,
    focus_search: bool,
    /// The window with the engine's answers is open.
    memory_shown: bool,
    /// The project that is open.
    project: project::Current,
    /// The run of which it was noted what dominates.
    noted: Option<RunId>,
    /// What is known of recent files.
    recent_facts: HashMap<PathBuf, start::FileFacts>,
    /// Pictures of the samples of the start page.
    samples: samples::Pictures,
    /// The run whose tab was last brought into view.
    tab_shown: Option<RunId>,
    /// By which requests are priced.
    prices: prices::Known,
    /// The window with the runs and notes is open.
    runs_shown: bool,
    /// The list of what one does to profile an application is open.
    checklist_shown: bool,
    /// A rule of matching that is being typed.
    matching: runs::Editing,
    /// The guide, while its window is open.
    guide: Option<guide::Reader>,
    /// The answer to a question of the palette.
    answer: Option<answer::Answer>,
    /// Coding agents that use the window.
    agents: agents::Agents,
    /// How the file that is opened next shall be looked at.
    link: Option<crate::state::Link>,
    /// A picture to take in the next frame.
    wanted: Option<picture::Wanted>,
    quit: bool,
}

impl App {
    /// An application whose work is done in the background; `ctx` is repainted when something is ready.
    #[must_use]
    pub fn new(ctx: &egui::Context, settings: Settings, settings_path: Option<PathBuf>) -> Self {
        let repaint = ctx.clone();
        // What the window needs is no part of what it records.
        let apart = crate::record::leave_out_this_thread;
        apart();
        let engine = Engine::with_threads(Mode::Background, apart, move || repaint.request_repaint());
        let journals = journals::Journals::find(&settings);
        let app = Self::with(engine, Some(ctx.clone()), settings, settings_path);
        let mut app = Self { journals, samples: samples::Pictures::of_a_window(), ..app };
        start::look_at(app.settings.recent.clone(), app.events.clone());
        let table = app.settings.price_table.clone();
        app.set_price_table(table);
        if app.settings.agents {
            app.set_agents(true);
        }
        app
    }

    /// Built-in runs are recorded by a process of this program from now on.
    pub fn record_apart(&mut self, program: Option<PathBuf>) {
        self.program = program;
    }

    /// An application that answers every query at once, for pictures and tests.
    #[must_use]
    pub fn headless() -> Self {
        Self::with(Engine::inline(), None, Settings::default(), None)
    }

    fn with(
        engine: Engine,
        ctx: Option<egui::Context>,
        settings: Settings,
        settings_path: Option<PathBuf>,
    ) -> Self {
        let (sender, inbox) = mpsc::channel();
        let layouts = settings.layout.as_ref().and_then(Layouts::load).unwrap_or_default();
        Self {
            session: Session::default(),
            engine: Arc::new(engine),
            layouts,
            settings,
            settings_path,
            events: Events::new(sender, ctx),
            inbox,
            opening: HashMap::new(),
            waiting: VecDeque::new(),
            newer: HashMap::new(),
            program: None,
            recording: None,
            series: None,
            #[cfg(feature = "fleet")]
            datasets: datasets::Datasets::default(),
            recorded_with: HashMap::new(),
            journals: journals::Journals::default(),
            before: Out::default(),
            note: None,
            overlay: Overlay::None,
            offer: None,
            focus_search: false,
            memory_shown: false,
            project: project::Current::default(),
            recent_facts: HashMap::new(),
            samples: samples::Pictures::default(),
            tab_shown: None,
            prices: prices::Known::default(),
            runs_shown: false,
            checklist_shown: false,
            matching: runs::Editing::default(),
            guide: None,
            answer: None,
            agents: agents::Agents::default(),
            link: None,
            noted: None,
            wanted: None,
            quit: false,
        }
    }

    /// Shows a profile that is there already.
    pub fn add_profile(&mut self, label: &str, input: Option<Input>, profile: Arc<Profile>) -> RunId {
        let origin = match input {
            Some(input) => Origin::File(input),
            None => Origin::Recording { workload: String::new(), saved: None },
        };
        let run = self.session.add(label, origin, RunState::Ready);
        if let Some(run) = self.session.get_mut(run) {
            run.replace(profile);
        }
        run
    }

    /// Compares the shown run, and each that is shown later, with `base`.
    pub fn compare_with(&mut self, base: RunId) {
        self.session.set_baseline(Some(base));
    }

    /// Starts opening a file in the background: a run, whose number is given, or a project or a dataset.
    pub fn open_path(&mut self, path: &Path) -> Option<RunId> {
        if Project::is_one(path) {
            self.open_project(path);
            return None;
        }
        if crate::import::is_dataset(path) {
            self.open_dataset(path);
            return None;
        }
        let input = match crate::remote::input(path) {
            None => Input::named(path),
            Some(Ok(there)) => there,
            Some(Err(why)) => {
                self.say(Tone::Bad, why);
                return None;
            }
        };
        self.settings.remember(path);
        Some(self.open_input(input))
    }

    fn open_input(&mut self, input: Input) -> RunId {
        let run = self.session.add(&input.file_name(), Origin::File(input.clone()), RunState::Loading);
        self.waiting.push_back((run, input));
        self.open_waiting();
        run
    }

    /// Starts opening files that wait for their turn: a folder of a thousand of them must not be read at once. Recordings
    /// that are followed take no place.
    fn open_waiting(&mut self) {
        loop {
            let loading = |id: &&RunId| self.session.get(**id).is_some_and(|r| r.state == RunState::Loading);
            if self.opening.keys().filter(loading).count() >= OPENED_AT_ONCE {
                return;
            }
            let Some((run, input)) = self.waiting.pop_front() else { return };
            if self.session.get(run).is_some() {
                self.opening.insert(run, open::start(run, input, self.events.clone()));
            }
        }
    }

    /// Opens the files that other tools wrote of a run, beside it.
    pub(super) fn open_attached(&mut self, label: &str, files: Vec<crate::model::Attachment>) {
        let shown = self.session.active;
        for file in files {
            self.open_input(Input::Bytes(format!("{label} › {}", file.name), file.bytes));
        }
        self.session.active = shown;
    }

    /// Shows only these views of the active run.
    pub fn show_only(&mut self, kinds: &[&ViewKind]) {
        self.lay_out(Layouts::of(kinds));
    }

    /// Puts other panes in the place of all.
    fn lay_out(&mut self, layouts: Layouts) {
        self.layouts = layouts;
        self.engine.forget_slots();
    }

    /// Applies a command to the shown run, as a view would.
    pub fn command(&mut self, command: Command) {
        self.agents.steps.forget_undone();
        if let Some(history) = self.session.history_mut() {
            history.apply(command);
        }
    }

    /// The shown run.
    #[must_use]
    pub fn active(&self) -> Option<&OpenRun> {
        self.session.active()
    }

    /// True once the person asked to quit.
    #[must_use]
    pub fn wants_quit(&self) -> bool {
        self.quit
    }

    fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.note = Some(Note { tone, text: text.into() });
    }

    /// Takes what happened in the background. Call it before [`App::ui`] of each frame.
    pub fn logic(&mut self, ctx: &egui::Context) {
        while let Ok(event) = self.inbox.try_recv() {
            self.on_event(event);
        }
        self.show_newer();
        self.poll_agents();
        self.poll_recording();
        let dropped = ctx.input(|i| i.raw.dropped_files.clone());
        if !dropped.is_empty() {
            let paths: Vec<PathBuf> = dropped.iter().map(|file| file.path().to_owned()).collect();
            self.open_paths(&paths);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Revision { run, profile } => {
                if self.session.get(run).is_some() {
                    self.newer.insert(run, profile);
                }
            }
            Event::Following { run } => {
                if let Some(run) = self.session.get_mut(run) {
                    run.state = RunState::Live;
                }
                self.open_waiting();
            }
            Event::Opened { run, result } => self.opened(run, result),
            Event::Several { run, members } => self.ask_members(run, members),
            Event::Recorded { run, result } => self.recorded(run, result),
            Event::Picked { purpose, paths } => self.picked(purpose, &paths),
            Event::NoDialog { purpose, suggested } => self.no_dialog(purpose, suggested),
            Event::Wrote { run, result } => self.wrote(run, result),
            Event::Recent { facts } => self.recent_facts.extend(facts),
            Event::SamplePicture(picture) => self.samples.take(*picture),
            Event::Edited { result } => self.edited(result),
            Event::Agent(request) => self.heard(request),
            Event::Resolved { number, result } => self.resolved(number, result),
            Event::Answered { number, result } => self.answered(number, result),
            Event::PriceTable { path, result } => self.price_table_read(path, result),
            Event::Project { path, result } => self.project_read(path, result),
            Event::ProjectSaved { path, left_out, result } => self.project_saved(&path, left_out, result),
        }
    }

    /// Takes over newer revisions of runs that grow: of the shown run once all questions about the last one are
    /// answered, because a slow machine would otherwise drop every question for a newer one and show nothing.
    fn show_newer(&mut self) {
        let shown = self.session.active.filter(|_| self.engine.busy() > 0);
        let ready: Vec<RunId> = self.newer.keys().copied().filter(|run| Some(*run) != shown).collect();
        for id in ready {
            let (Some(profile), Some(run)) = (self.newer.remove(&id), self.session.get_mut(id)) else {
                continue;
            };
            if matches!(run.state, RunState::Loading | RunState::Live) {
                run.replace(profile);
                let revision = run.revision;
                self.engine.forget_before(id, revision);
            }
        }
    }

    fn opened(&mut self, id: RunId, result: Result<Arc<Profile>, crate::import::ImportError>) {
        self.opening.remove(&id);
        self.open_waiting();
        let Some(run) = self.session.get_mut(id) else { return };
        match result {
            Ok(profile) => {
                let attached = profile.attached.clone();
                let warnings: u64 = profile.warnings.iter().map(|w| w.count).sum();
                let label = run.label.clone();
                run.replace(profile);
                run.state = RunState::Ready;
                let revision = run.revision;
                self.engine.forget_before(id, revision);
                let as_before = self.take_up_look(id);
                self.look_at_step(id);
                self.show_sample(id);
                if warnings > 0 {
                    self.say(
                        Tone::Warning,
                        format!("{label} was opened with {warnings} warnings, see the summary."),
                    );
                } else if as_before {
                    self.say(
                        Tone::Good,
                        format!("Opened {label}, shown as you left it. Undo shows all of it."),
                    );
                } else {
                    self.say(Tone::Good, format!("Opened {label}."));
                }
                self.open_attached(&label, attached);
            }
            Err(e) if e.kind == crate::import::ErrorKind::Cancelled => {
                let label = run.label.clone();
                self.forget_run(id);
                self.say(Tone::Info, format!("Opening {label} was cancelled."));
            }
            Err(e) => {
                run.state = RunState::Failed(e.to_string());
                let text = format!("{}: {e}", run.label);
                self.say(Tone::Bad, text);
            }
        }
    }

    /// Does an action, as a menu, a key or the palette asks for it.
    pub fn act(&mut self, action: Action, ctx: &egui::Context) {
        match action {
            Action::Open => dialog::open(self.events.clone()),
            Action::OpenDataset => dialog::dataset(self.events.clone()),
            Action::OpenPath => self.overlay = Overlay::Path(paths::AskPath::to_open()),
            Action::Record => self.overlay = Overlay::Record(record_dialog::Chooser::new(&self.settings)),
            Action::StopRecording => self.stop_recording(),
            Action::CancelRecording => self.cancel_recording(),
            Action::Export(format) => self.ask_export(format, false),
            Action::SaveWithSources => self.ask_export(0, true),
            Action::SavePicture(picture) => {
                if let Some(pane) = self.panes_mut().current() {
                    self.ask_picture(pane, picture);
                }
            }
            Action::CloseRun => self.close_run(),
            Action::CloseRunOf(run) => self.close_run_of(run),
            Action::NextRun => self.step_tab(1),
            Action::PreviousRun => self.step_tab(-1),
            Action::Start => {
                self.session.active = None;
                start::look_at(self.settings.recent.clone(), self.events.clone());
            }
            Action::RecordAgain => self.record_again(),
            Action::Compare => self.ask_compare(),
            Action::CompareLastTwo => {
                if let Some(last) = self.last_two() {
                    self.compare(last.base, last.head);
                }
            }
            Action::SwapRuns => self.swap_runs(),
            Action::SetBaseline => {
                if let Some(run) = self.session.active {
                    self.compare_with(run);
                }
            }
            Action::NextBaseline => {
                let next = self.session.next_baseline();
                self.session.set_baseline(next);
            }
            Action::StopComparing => self.session.set_baseline(None),
            Action::Runs => self.runs_shown = !self.runs_shown,
            Action::Checklist => self.checklist_shown = !self.checklist_shown,
            Action::SaveProject => self.save_project(false),
            Action::SaveProjectAs => self.save_project(true),
            Action::CopyLink => {
                if let Some(link) = self.link_command() {
                    ctx.copy_text(link);
                    self.say(Tone::Good, "Copied the command that opens this view.");
                }
            }
            Action::Undo => self.undo(),
            Action::Redo => self.redo(),
            Action::ClearRange => self.command(Command::SetRange(None)),
            Action::Search if self.shows_dataset() => self.search_in_dataset(),
            Action::Search => self.focus_search = true,
            Action::FindNext => self.find(true),
            Action::FindPrevious => self.find(false),
            Action::Show(place) => {
                if let Some(kind) = action::view(place) {
                    self.panes_mut().show(kind);
                }
            }
            Action::Maximise => self.panes_mut().maximise(),
            Action::ResetLayout => self.lay_out(Layouts::default()),
            Action::Theme(theme) => {
                self.settings.theme = theme;
                ctx.set_theme(window::theme_preference(theme));
            }
            Action::Metrics => self.overlay = Overlay::Metrics(metrics::Editor::default()),
            Action::Prices => self.prices.shown = !self.prices.shown,
            Action::Agents(on) => self.set_agents(on),
            Action::Editor => self.overlay = Overlay::Editor(editor::ChooseEditor::new(self, None)),
            Action::Palette => self.overlay = Overlay::Palette(palette::Palette::default()),
            Action::Ask => self.overlay = Overlay::Palette(palette::Palette::of_questions()),
            Action::QueryMemory => self.memory_shown = !self.memory_shown,
            Action::Guide => self.guide = Some(guide::Reader::default()),
            Action::Keys => self.overlay = Overlay::Keys(String::new()),
            Action::About => self.overlay = Overlay::About,
            Action::Quit => self.quit = true,
        }
    }

    /// True when the action makes sense now; menus grey out the others.
    fn can(&self, action: Action) -> bool {
        let run = self.active();
        let has_profile = run.is_some_and(|r| r.profile.is_some());
        match action {
            Action::StopRecording | Action::CancelRecording => self.recording.is_some(),
            Action::Record => self.recording.is_none(),
            Action::Export(_) | Action::SaveWithSources => {
                has_profile && run.is_some_and(|r| r.state == RunState::Ready)
            }
            Action::CloseRun => run.is_some() || self.shows_dataset(),
            Action::NextRun | Action::PreviousRun => !self.tabs().is_empty(),
            Action::Ask => has_profile,
            Action::Metrics => has_profile && run.is_some_and(|r| r.state == RunState::Ready),
            Action::SavePicture(_) => has_profile,
            Action::CopyLink => has_profile && run.is_some_and(|r| project::file_of(r).is_some()),
            Action::Search => has_profile || self.shows_dataset(),
            Action::Show(_) | Action::Maximise | Action::ResetLayout => has_profile,
            Action::Undo => self.last_is_agents() || self.session.history().is_some_and(History::can_undo),
            Action::Redo => self.next_is_agents() || self.session.history().is_some_and(History::can_redo),
            Action::Agents(on) => self.settings.agents != on,
            Action::FindNext | Action::FindPrevious => {
                self.session.now().is_some_and(|now| !now.search.is_empty())
            }
            Action::ClearRange => self.session.now().is_some_and(|now| now.range.is_some()),
            Action::SetBaseline => has_profile && run.map(|r| r.id) != self.session.baseline(),
            Action::NextBaseline => {
                self.session.next_baseline().is_some_and(|next| Some(next) != self.session.baseline())
            }
            Action::StopComparing => self.session.baseline().is_some(),
            Action::SwapRuns => self.session.subject().is_some_and(|s| s.pair().is_some()),
            Action::CompareLastTwo => self.last_two().is_some(),
            Action::SaveProject | Action::SaveProjectAs => {
                !self.session.runs.is_empty() || self.project.path.is_some()
            }
            Action::RecordAgain => {
                self.recording.is_none() && run.is_some_and(|r| self.recorded_with.contains_key(&r.id))
            }
            _ => true,
        }
    }

    fn close_run(&mut self) {
        let Some(id) = self.session.active else { return };
        if self.close_dataset(id) {
            return;
        }
        if let Some(job) = self.opening.remove(&id) {
            job.cancel();
        }
        // Nothing that was recorded is lost with its tab.
        if self.recording.as_ref().is_some_and(|live| live.run == id) {
            self.stop_recording();
        }
        if let Err(why) = self.rescue(id) {
            self.say(Tone::Bad, format!("This recording could not be kept, so it stays open: {why}"));
            return;
        }
        self.keep_look_of(id);
        self.keep_in_project(id);
        self.forget_run(id);
    }

    /// Takes a run out of the session with all that is known about it: nothing may hold its profile after that.
    fn forget_run(&mut self, id: RunId) {
        let beside = self.beside(id).filter(|_| self.session.active == Some(id));
        self.session.close(id);
        self.session.active = beside.or(self.session.active);
        self.newer.remove(&id);
        self.recorded_with.remove(&id);
        self.layouts.forget(id);
        self.engine.close(id);
        self.waiting.retain(|(run, _)| *run != id);
        self.open_waiting();
        self.release_journal(id);
    }

    fn panes_mut(&mut self) -> &mut Panes {
        let shown = self.active().and_then(|r| r.profile.as_deref());
        let kind = shown.map_or(LayoutKind::Timed, LayoutKind::of);
        self.layouts.panes(kind)
    }

    /// Draws one frame.
    pub fn ui(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        if let Some(action) = action::pressed(&ctx).map(|action| self.meant(action))
            && self.can(action)
        {
            self.act(action, &ctx);
        }
        // Escape takes back what was typed first, then what was chosen, then the pane.
        if matches!(self.overlay, Overlay::None)
            && !ctx.text_edit_focused()
            && !egui::Popup::is_any_open(&ctx)
            && self.session.now().is_some_and(|now| !now.search.is_empty())
            && ctx.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Escape))
        {
            self.command(Command::Search(String::new()));
        }
        if self.runs_shown
            && matches!(self.overlay, Overlay::None)
            && !ctx.text_edit_focused()
            && !egui::Popup::is_any_open(&ctx)
            && ctx.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Escape))
        {
            self.runs_shown = false;
        }
        let idle = self.session.now().is_some_and(|now| now.selection.is_none() && now.search.is_empty());
        if idle
            && matches!(self.overlay, Overlay::None)
            && self.panes_mut().is_maximised()
            && ctx.input(|i| i.key_pressed(egui::Key::Escape))
        {
            self.panes_mut().restore();
        }
        start::note_about(self);
        let mut actions = Vec::new();
        Panel::top("bar").show(ui, |ui| bar::ui(self, ui, &mut actions));
        Panel::bottom("status").show(ui, |ui| status::ui(self, ui, &mut actions));
        CentralPanel::no_frame().show(ui, |ui| self.central(ui, &mut actions));
        self.overlays(ui, &mut actions);
        query_memory::ui(self, ui);
        prices::ui(self, ui);
        runs::ui(self, ui, &mut actions);
        checklist::ui(self, ui, &mut actions);
        guide::ui(self, ui);
        answer::ui(self, ui);
        drop_hint(ui);
        for action in actions {
            if self.can(action) {
                self.act(action, &ctx);
            }
        }
    }

    /// Draws only the panes of one frame, for pictures without the bars around them.
    pub fn ui_of_panes(&mut self, ui: &mut Ui) {
        CentralPanel::no_frame().show(ui, |ui| self.central(ui, &mut Vec::new()));
    }

    fn central(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        compare::offer(self, ui);
        if self.dataset_ui(ui) {
            return;
        }
        let Some(run) = self.session.active() else { return start::ui(self, ui, actions) };
        self.samples.stop();
        let (live, input) = (run.state == RunState::Live, run.input().cloned());
        let base = self.session.baseline().and_then(|id| self.session.get(id));
        let base_input = base.and_then(OpenRun::input).cloned();
        let Some((subject, interaction)) = self.session.subject().zip(self.session.now().cloned()) else {
            return start::waiting(self, ui, actions);
        };
        let counts = subject.pair().map_or([1, 1], Pair::counts);
        let name = |run: Option<&OpenRun>, count: usize| {
            let more = match count {
                1 => String::new(),
                n => format!(" and {}", format::counted(n as i64 - 1, "more run", "more runs")),
            };
            run.map_or_else(String::new, |r| format!("{}{more}", r.label))
        };
        let names = [name(base, counts[0]), name(Some(run), counts[1])];
        if let Some(why) = run.failure() {
            widgets::Notice::new(Tone::Bad, &format!("The recorded program failed: {why}")).show(ui);
        }
        let baselines = compare::several(&self.session);
        let others = compare::others(&self.session);
        let (before, defined) = (std::mem::take(&mut self.before), self.defined());
        let panes = self.layouts.panes(LayoutKind::of(subject.profile()));
        let frame = panes::Frame {
            engine: &self.engine,
            subject: &subject,
            input: input.as_ref(),
            base_input: base_input.as_ref(),
            names: [&names[0], &names[1]],
            baselines: &baselines,
            others: &others,
            interaction: &interaction,
            defined: &defined,
            sources: &self.settings.sources,
            prices: &self.prices.all,
            before: &before,
            capture: self.wanted.as_ref().map(|w| w.pane),
            live,
        };
        let mut out = panes.ui(&frame, ui);
        let captured = panes.captured.take();
        for command in std::mem::take(&mut out.commands) {
            self.command(command);
        }
        for wish in std::mem::take(&mut out.wishes) {
            self.grant(wish);
        }
        if let Some(captured) = captured {
            self.take_picture(captured, ui);
        }
        let pointed = |o: &Out| (o.hover.clone(), o.cursor, o.preview);
        if pointed(&out) != pointed(&before) {
            ui.ctx().request_repaint();
        }
        self.before = out;
    }

    fn overlays(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let overlay = match std::mem::take(&mut self.overlay) {
            Overlay::None => return,
            Overlay::Palette(palette) => palette.ui(self, ui, actions).map(Overlay::Palette),
            Overlay::Record(chooser) => chooser.ui(self, ui).map(Overlay::Record),
            Overlay::Metrics(editor) => editor.ui(self, ui).map(Overlay::Metrics),
            Overlay::Editor(chooser) => chooser.ui(self, ui).map(Overlay::Editor),
            Overlay::Compare(pairing) => pairing.ui(self, ui, actions).map(Overlay::Compare),
            Overlay::Path(ask) => ask.ui(self, ui).map(Overlay::Path),
            Overlay::Members(choose) => choose.ui(self, ui).map(Overlay::Members),
            Overlay::Keys(mut typed) => about::keys(ui, &mut typed).then_some(Overlay::Keys(typed)),
            Overlay::About => about::about(ui).then_some(Overlay::About),
        };
        // What the overlay opened itself stays; otherwise it stays while it is not closed.
        if let (Overlay::None, Some(overlay)) = (&self.overlay, overlay) {
            self.overlay = overlay;
        }
    }

    /// The program ends in order. Recordings that were not saved stay, and the next start offers them.
    pub fn end(&mut self) {
        self.end_recording();
        let runs: Vec<RunId> = self.session.runs.iter().map(|r| r.id).collect();
        for run in runs {
            if let Err(why) = self.rescue(run) {
                eprintln!("inferscope: a recording could not be kept: {}", format::plain(&why));
            }
        }
        if let Err(why) = self.save_project_now() {
            eprintln!("inferscope: the project could not be saved: {}", format::plain(&why));
        }
        self.release_journals();
        self.save_settings();
    }

    /// The panes, as they are saved.
    fn layout(&self) -> Option<serde_json::Value> {
        self.layouts.save()
    }

    /// Writes the settings; a failure is told once in the status line.
    pub fn save_settings(&mut self) {
        let Some(path) = self.settings_path.clone() else { return };
        self.keep_looks();
        self.settings.layout = self.layout();
        if let Err(e) = self.settings.save(&path) {
            self.say(Tone::Warning, format!("Settings could not be saved to {}: {e}", path.display()));
        }
    }
}

fn drop_hint(ui: &Ui) {
    if ui.input(|i| i.raw.hovered_files.is_empty()) {
        return;
    }
    let layer = egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop"));
    let painter = ui.ctx().layer_painter(layer);
    let palette = crate::ui::theme::Palette::of(ui);
    let area = ui.ctx().content_rect();
    painter.rect_filled(area, 0.0, palette.canvas.gamma_multiply(0.85));
    painter.text(
        area.center(),
        egui::Align2::CENTER_CENTER,
        "Drop profiles to open them; two at once to compare them",
        egui::TextStyle::Heading.resolve(ui.style()),
        palette.text_strong,
    );
}
