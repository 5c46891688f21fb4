//! The Record button: choosing a workload, the run while it records, its end.

use std::time::{Duration, Instant};

use egui::{ScrollArea, Ui, vec2};

use super::compare::Offer;
use super::dialog;
use super::event::{Event, Events, Purpose};
use super::{App, Settings};
use crate::analysis::diff::evidence;
use crate::jobs;
use crate::query::RunId;
use crate::record::{self, Options, Param, ParamKind, Params, RecordError, WORKLOADS, Workload};
use crate::remote::{self, Anywhere, Order, Patience, Target};
use crate::state::{Origin, RunState};
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{combo, primary_button};

/// A recording that runs.
pub(super) struct Live {
    /// The run that shows it.
    pub run: RunId,
    recording: Option<Anywhere>,
}

impl Live {
    /// How it gets on.
    pub fn status(&self) -> Option<record::Status> {
        self.recording.as_ref().map(Anywhere::status)
    }
}

/// What is recorded, and where.
#[derive(Clone)]
pub(super) struct What {
    workload: String,
    params: Vec<(String, String)>,
    /// The machine; this one when there is none.
    on: Option<String>,
}

/// Runs of one thing that are recorded one after the other.
pub(super) struct Series {
    what: What,
    /// The runs that there are, the one that records included.
    runs: Vec<RunId>,
    /// How many there shall be.
    of: u32,
    /// The run that they repeat with a change, to be compared with.
    base: Option<RunId>,
}

/// Most runs of one thing.
const MOST_RUNS: u32 = 50;

/// How long the window waits for a recording when it closes: a command has five seconds after each signal.
const LAST_WAIT: Duration = Duration::from_secs(12);
/// Width of the list of workloads: room for the longest title.
const LIST: f32 = 272.0;
/// Room for the labels of fields.
const LABEL: f32 = 150.0;
/// Width of a number.
const NUMBER: f32 = 120.0;
/// Width of a button beside a field, with the space before it.
const BUTTON: f32 = 84.0;
/// Words that switch all others of a list off.
const ALONE: [&str; 2] = [NONE, "auto"];
const NONE: &str = "none";

/// What there is to record, by whose it is.
const GROUPS: [(&str, &[&str]); 3] = [
    ("Your program", &["command", "attach"]),
    ("A server", &["endpoint", "proxy", "listen"]),
    ("Demos", &["default", "asyncio", "generate", "rag", "service"]),
];

/// The small window that asks what to record.
pub(super) struct Chooser {
    workload: usize,
    /// Values of the chosen workload's parameters, in their order.
    values: Vec<String>,
    /// How often it is recorded.
    times: u32,
    /// The machine on which it is recorded; this one when it is empty.
    on: String,
}

impl Chooser {
    /// Preselects what was recorded last.
    pub fn new(settings: &Settings) -> Self {
        let last = settings.workload.as_ref();
        let workload = last.and_then(|(id, _)| WORKLOADS.iter().position(|w| w.id() == id)).unwrap_or(0);
        let on = settings.target.clone().unwrap_or_default();
        let mut chooser = Self { workload, values: defaults(WORKLOADS[workload]), times: 1, on };
        for (key, value) in last.map_or(&[][..], |(_, params)| params) {
            if let Some(i) = WORKLOADS[workload].params().iter().position(|p| p.key == key) {
                chooser.values[i].clone_from(value);
            }
        }
        chooser
    }

    /// Draws it; `None` once it is closed.
    pub fn ui(mut self, app: &mut App, ui: &mut Ui) -> Option<Self> {
        let mut start = false;
        let frame = egui::Frame::popup(ui.style()).inner_margin(space::LARGE);
        let modal = egui::Modal::new(egui::Id::unique("record")).frame(frame).show(ui.ctx(), |ui| {
            let screen = ui.ctx().content_rect().size();
            ui.set_width((screen.x - 64.0).min(820.0));
            ui.heading("Record a run");
            ui.add_space(space::MEDIUM);
            let height = (screen.y - 180.0).clamp(120.0, 600.0);
            let mut problem = None;
            ui.horizontal_top(|ui| {
                ui.allocate_ui(vec2(LIST, height), |ui| {
                    ui.set_min_size(vec2(LIST, height));
                    ScrollArea::vertical().id_salt("workloads").show(ui, |ui| self.list(ui));
                });
                ui.add_space(space::MEDIUM);
                ui.vertical(|ui| {
                    ui.set_min_height(height);
                    ScrollArea::vertical().id_salt("fields").max_height(height).show(ui, |ui| {
                        let workload = WORKLOADS[self.workload];
                        // The scroll bar has a place of its own.
                        ui.set_width(ui.available_width() - space::LARGE);
                        ui.label(egui::RichText::new(workload.about()).color(Palette::of(ui).text_weak));
                        ui.add_space(space::MEDIUM);
                        let place = self.place(&app.settings.targets, ui);
                        let fields = self.fields(workload, &app.events, ui);
                        // What goes with this machine is not what goes with another one.
                        let together = if self.on.trim().is_empty() { self.problem(workload) } else { None };
                        problem = place.or(fields).or(together);
                        ui.separator();
                        ui.checkbox(&mut app.settings.no_texts, "Leave out prompts and answers").on_hover_text(
                            "Keeps tokens and times, but neither texts nor lines of output. Keys and passwords \
                             are always hidden.",
                        );
                        recorder_fields(&mut app.settings, !workload.other_process(), ui);
                        if !workload.other_process() {
                            let mut count = !app.settings.no_allocations;
                            ui.checkbox(&mut count, "Count memory by span").on_hover_text(
                                "Says which operation allocated and holds the heap. The run says what that cost.",
                            );
                            app.settings.no_allocations = !count;
                        }
                    });
                });
            });
            ui.add_space(space::MEDIUM);
            ui.horizontal(|ui| {
                let valid = problem.is_none();
                ui.add_enabled_ui(valid, |ui| start = primary_button(ui, "Start recording").clicked());
                start |= valid && ui.input(|i| i.key_pressed(egui::Key::Enter));
                let about = "Several runs of one thing are one side of a comparison: medians count, and with at least four \
                             runs a side a test tells a change from noise.";
                let unit = if self.times == 1 { " run" } else { " runs" };
                let field = egui::DragValue::new(&mut self.times).range(1..=MOST_RUNS).suffix(unit);
                ui.add(field).on_hover_text(about).accessible_name("Runs");
                if ui.button("Cancel").clicked() {
                    ui.close();
                }
                if let Some(why) = problem {
                    ui.add_space(space::MEDIUM);
                    let why = egui::RichText::new(why).color(Palette::of(ui).tone(Tone::Bad));
                    ui.add(egui::Label::new(why).wrap());
                }
            });
        });
        if start {
            let workload = WORKLOADS[self.workload];
            let on = Some(self.on.trim()).filter(|on| !on.is_empty()).map(str::to_owned);
            app.settings.remember_target(on.as_deref());
            let what = What { workload: workload.id().into(), params: self.pairs(workload), on };
            app.start_series(what, self.times, None);
            return None;
        }
        (!modal.should_close()).then_some(self)
    }

    /// Where it is recorded. Gives what is wrong with that.
    fn place(&mut self, before: &[String], ui: &mut Ui) -> Option<String> {
        let help = "Another machine: a name of ssh's config, ssh://[user@]host[:port], docker://NAME, \
                    kubectl://[CONTEXT/]NAMESPACE/POD[/CONTAINER] or cmd:COMMAND. The program runs and is recorded \
                    there; it goes on when the link breaks.";
        let on = self.on.trim();
        let problem = if on.is_empty() { None } else { Target::parse(on).err() };
        ui.horizontal(|ui| {
            let label = ui.label("Where").on_hover_text(help);
            let mut edit = egui::TextEdit::singleline(&mut self.on)
                .hint_text("this machine")
                .desired_width(NUMBER * 2.0);
            if problem.is_some() {
                edit = edit.text_color(Palette::of(ui).tone(Tone::Bad));
            }
            ui.add(edit).labelled_by(label.id).on_hover_text(help);
            if !before.is_empty() {
                let shown = combo("where before").selected_text("Before").show_ui(ui, |ui| {
                    ui.selectable_value(&mut self.on, String::new(), "this machine");
                    for target in before {
                        ui.selectable_value(&mut self.on, target.clone(), target);
                    }
                });
                shown.response.on_hover_text("Where you recorded before");
            }
        });
        ui.add_space(space::SMALL);
        problem
    }

    /// The workloads; choosing one fills in its defaults.
    fn list(&mut self, ui: &mut Ui) {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.with_layout(egui::Layout::top_down_justified(egui::Align::Min), |ui| {
            for (n, (group, ids)) in GROUPS.iter().enumerate() {
                if n > 0 {
                    ui.add_space(space::MEDIUM);
                }
                ui.label(egui::RichText::new(*group).small().color(Palette::of(ui).text_weak));
                for (i, workload) in WORKLOADS.iter().enumerate().filter(|(_, w)| ids.contains(&w.id())) {
                    let choice = egui::Button::selectable(self.workload == i, workload.title()).truncate();
                    let choice = ui.add(choice.min_size(vec2(0.0, space::CONTROL)));
                    if choice.on_hover_text(workload.about()).clicked() && self.workload != i {
                        self.workload = i;
                        self.values = defaults(*workload);
                    }
                }
            }
        });
    }

    /// Fills in a field, if its workload is still the chosen one.
    pub fn fill(&mut self, workload: &str, key: &str, text: String) {
        let chosen = WORKLOADS[self.workload];
        if chosen.id() == workload
            && let Some(i) = chosen.params().iter().position(|p| p.key == key)
        {
            self.values[i] = text;
        }
    }

    /// Why the workload cannot be started with the values that are valid each by itself.
    fn problem(&self, workload: &dyn Workload) -> Option<String> {
        let texts: Vec<String> = self.pairs(workload).iter().map(|(k, v)| format!("{k}={v}")).collect();
        workload.problem(&Params::parse(workload.params(), &texts).ok()?)
    }

    /// The parameters that differ from their defaults.
    fn pairs(&self, workload: &dyn Workload) -> Vec<(String, String)> {
        let params = workload.params().iter().zip(&self.values);
        params.filter(|(p, v)| p.default != v.as_str()).map(|(p, v)| (p.key.to_owned(), v.clone())).collect()
    }

    /// One field per parameter. Gives what is wrong with the first value that is not valid.
    fn fields(&mut self, workload: &dyn Workload, events: &Events, ui: &mut Ui) -> Option<String> {
        let mut problem = None;
        let width = (ui.available_width() - LABEL).max(160.0);
        egui::Grid::new("params").num_columns(2).spacing([12.0, 6.0]).show(ui, |ui| {
            for (param, value) in workload.params().iter().zip(&mut self.values) {
                let label = ui.label(param.label).on_hover_text(param.help);
                match param.kind {
                    ParamKind::Bool => {
                        let mut on = value == "true";
                        ui.checkbox(&mut on, "").labelled_by(label.id).on_hover_text(param.help);
                        *value = on.to_string();
                    }
                    ParamKind::Choice(words) => {
                        let field = combo(param.key).selected_text(value.as_str());
                        let shown = field.show_ui(ui, |ui| {
                            for word in words {
                                ui.selectable_value(value, (*word).to_owned(), *word);
                            }
                        });
                        shown.response.labelled_by(label.id).on_hover_text(param.help);
                    }
                    ParamKind::Choices(words) => choices(words, value, (width, param.help), ui),
                    _ => {
                        let wrong = text_field(param, value, (width, label.id), workload.id(), events, ui);
                        problem = problem.take().or(wrong);
                    }
                }
                ui.end_row();
            }
        });
        problem
    }
}

/// Words of which several may be on; the first one that was switched on stands first.
fn choices(words: &[&str], value: &mut String, (width, help): (f32, &str), ui: &mut Ui) {
    const PADDING: f32 = 5.0;
    const GAP: f32 = 4.0;
    let font = egui::TextStyle::Button.resolve(ui.style());
    let measured = |word: &str| {
        let text = ui.painter().layout_no_wrap(word.to_owned(), font.clone(), egui::Color32::WHITE);
        text.size().x + 2.0 * PADDING + GAP
    };
    // Lines of our own: a grid gives a row no room for one that wraps.
    let (mut lines, mut used): (Vec<Vec<&str>>, f32) = (vec![Vec::new()], 0.0);
    for &word in words {
        let long = measured(word);
        if used + long > width && used > 0.0 {
            lines.push(Vec::new());
            used = 0.0;
        }
        used += long;
        if let Some(line) = lines.last_mut() {
            line.push(word);
        }
    }
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing = vec2(GAP, GAP);
        ui.spacing_mut().button_padding.x = PADDING;
        for line in lines {
            ui.horizontal(|ui| {
                for word in line {
                    let on = value.split(',').any(|w| w.trim() == word);
                    if ui.add(egui::Button::new(word).selected(on)).on_hover_text(help).clicked() {
                        *value = toggled(words, value, word);
                    }
                }
            });
        }
    });
}

/// The list `value` with `word` switched on or off. «none» and «auto» go with no other, and an empty list is «none».
fn toggled(words: &[&str], value: &str, word: &str) -> String {
    let mut chosen: Vec<&str> = value.split(',').map(str::trim).collect();
    if chosen.contains(&word) {
        chosen.retain(|w| *w != word);
    } else {
        chosen.retain(|w| !ALONE.contains(&word) && !ALONE.contains(w));
        chosen.push(word);
    }
    if chosen.is_empty() {
        chosen.push(if words.contains(&NONE) { NONE } else { word });
    }
    chosen.join(",")
}

/// A field to type into, with buttons that ask for a file or folder where it names one. Gives what is wrong with it.
fn text_field(
    param: &Param,
    value: &mut String,
    (width, label): (f32, egui::Id),
    workload: &'static str,
    events: &Events,
    ui: &mut Ui,
) -> Option<String> {
    let buttons: &[Ask] = match param.kind {
        ParamKind::Model => &[Ask::File, Ask::Folder],
        ParamKind::Path => &[Ask::File],
        ParamKind::Folder => &[Ask::Folder],
        ParamKind::Output => &[Ask::Save],
        _ => &[],
    };
    let number = matches!(param.kind, ParamKind::Int { .. } | ParamKind::Float { .. } | ParamKind::Device);
    let width = if number { NUMBER } else { width - BUTTON * buttons.len() as f32 };
    let problem = param.why_not(value);
    ui.horizontal(|ui| {
        let mut edit = egui::TextEdit::singleline(value).desired_width(width);
        if problem.is_some() {
            edit = edit.text_color(Palette::of(ui).tone(Tone::Bad));
        }
        let field = ui.add(edit).labelled_by(label);
        field.on_hover_text(problem.clone().unwrap_or_else(|| param.help.to_owned()));
        for ask in buttons {
            let (text, title) = (ask.text(), param.label.to_owned());
            let button = egui::Button::new(text).min_size(vec2(BUTTON - ui.spacing().item_spacing.x, 0.0));
            if ui.add(button).clicked() {
                let purpose = Purpose::Field { workload, key: param.key };
                match ask {
                    Ask::Save => dialog::save(purpose, "profile.prof", None, events.clone()),
                    _ => dialog::field(title, *ask == Ask::Folder, purpose, events.clone()),
                }
            }
        }
    });
    problem
}

/// What a button beside a field asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    File,
    Folder,
    Save,
}

impl Ask {
    fn text(self) -> &'static str {
        match self {
            Self::File => "File…",
            Self::Folder => "Folder…",
            Self::Save => "Save as…",
        }
    }
}

/// How to record, whatever it is.
fn recorder_fields(settings: &mut Settings, spans: bool, ui: &mut Ui) {
    let usual = Options::default();
    let mut number = |text: &str, help: &str, value: &mut Option<u32>, usual: u32, range| {
        ui.horizontal(|ui| {
            let label = ui.label(text).on_hover_text(help);
            let mut now = value.unwrap_or(usual);
            ui.add(egui::DragValue::new(&mut now).range(range)).labelled_by(label.id).on_hover_text(help);
            *value = (now != usual).then_some(now);
        });
    };
    let hz = "How often memory, CPU and GPU are looked at; 0 for never.";
    number("Samples per second", hz, &mut settings.sample_hz, usual.sample_hz, 0..=1000);
    if spans {
        let memory = "Memory for what is recorded, in MiB. When it is full the oldest spans are left out.";
        let most = (usual.max_bytes >> 20) as u32;
        number("Memory limit, MiB", memory, &mut settings.memory_limit, most, 1..=1_000_000);
        let roots = "Records this share of requests and other outermost spans, each with all below it. For high loads.";
        number("Record one root span of", roots, &mut settings.one_root_of, usual.one_root_of, 1..=1_000_000);
    }
}

fn defaults(workload: &dyn Workload) -> Vec<String> {
    workload.params().iter().map(|p| p.default.to_owned()).collect()
}

impl App {
    /// Starts recording; the run is shown at once and grows while it records.
    pub(super) fn start_recording(&mut self, what: What) {
        if self.recording.is_some() {
            self.say(Tone::Warning, "A recording is running already; stop it first.");
            return;
        }
        let What { workload, params, on } = &what;
        let origin = Origin::Recording { workload: workload.clone(), saved: None };
        let texts: Vec<String> = params.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let title = record::run_title(workload, &texts);
        let title = on.as_ref().map_or_else(|| title.clone(), |on| format!("{title} on {on}"));
        let run = self.session.add(&title, origin, RunState::Live);
        let events = self.events.clone();
        let on_revision = Box::new(move |profile| events.send(Event::Revision { run, profile }));
        let usual = Options::default();
        let options = Options {
            journal: super::journals::folder(&self.settings),
            texts: !self.settings.no_texts,
            allocations: !self.settings.no_allocations,
            one_root_of: self.settings.one_root_of.unwrap_or(usual.one_root_of),
            sample_hz: self.settings.sample_hz.unwrap_or(usual.sample_hz),
            max_bytes: self.settings.memory_limit.map_or(usual.max_bytes, |mib| (mib as usize) << 20),
            ..usual
        };
        let started = match on {
            None => record::start(workload, &texts, options, on_revision)
                .map(Anywhere::Here)
                .map_err(|e| e.to_string()),
            Some(on) => Target::parse(on).map(|target| {
                let patience = Patience::default();
                let order = Order { target, workload: workload.clone(), params: texts, options, patience };
                // What the program writes is among its log lines.
                Anywhere::There(remote::record(order, Some(on_revision), Box::new(|_, _| ())))
            }),
        };
        match started {
            Ok(recording) => {
                // Settings hold no secrets.
                let kept = params.iter().filter(|(_, v)| *record::secrets::mask(v) == **v);
                self.settings.workload = Some((workload.clone(), kept.cloned().collect()));
                self.recorded_with.insert(run, what);
                self.recording = Some(Live { run, recording: Some(recording) });
                self.note = None;
            }
            Err(why) => {
                self.session.close(run);
                self.say(Tone::Bad, format!("Recording could not start: {why}"));
            }
        }
    }

    /// Records one thing so many times, one run after the other. At the end a comparison with `base` is offered.
    pub(super) fn start_series(&mut self, what: What, times: u32, base: Option<RunId>) {
        let free = self.recording.is_none();
        self.start_recording(what.clone());
        if let Some(first) = self.session.active.filter(|_| free && self.recording.is_some()) {
            self.series = Some(Series { what, runs: vec![first], of: times.max(1), base });
        }
    }

    /// A run of a series ended well: the next one begins, or the series is complete.
    fn go_on(&mut self, run: RunId) {
        let Some(mut series) = self.series.take_if(|s| s.runs.last() == Some(&run)) else { return };
        if let [first, _, ..] = series.runs[..] {
            self.session.repeat(run, Some(first));
        }
        if (series.runs.len() as u32) < series.of {
            self.start_recording(series.what.clone());
            if let Some(next) = self.session.active.filter(|_| self.recording.is_some()) {
                series.runs.push(next);
                self.series = Some(series);
            }
            return;
        }
        if series.runs.len() > 1 {
            let elapsed = |id: &RunId| Some(self.session.get(*id)?.profile.as_ref()?.meta.duration? as f64);
            let elapsed: Vec<f64> = series.runs.iter().filter_map(elapsed).collect();
            self.say(Tone::Good, format!("Recorded {}.", evidence::elapsed_of(series.runs.len(), &elapsed)));
        }
        if let (Some(base), None) = (series.base, self.session.baseline()) {
            self.offer = Some(Offer { base, head: run });
        }
    }

    /// Records the shown recording again, as often as it was. When that ends, a comparison of both is offered.
    pub(super) fn record_again(&mut self) {
        let Some(shown) = self.session.active else { return };
        if let Some(what) = self.recorded_with.get(&shown).cloned() {
            let times = self.session.series(shown).count() as u32;
            self.start_series(what, times, Some(shown));
        }
    }

    pub(super) fn stop_recording(&mut self) {
        // What was cut short is no run like the others, and no other one follows.
        if let Some(series) = &mut self.series {
            series.of = series.runs.len() as u32;
            if series.of > 1 {
                series.runs.pop();
                self.series = None;
            }
        }
        if let Some(recording) = self.recording.as_ref().and_then(|live| live.recording.as_ref()) {
            recording.stop();
        }
    }

    pub(super) fn cancel_recording(&mut self) {
        if let Some(recording) = self.recording.as_ref().and_then(|live| live.recording.as_ref()) {
            recording.cancel();
        }
    }

    /// The window closes: the recording is stopped and kept. One that does not end in time is left to its journal.
    pub(super) fn end_recording(&mut self) {
        let Some(recording) = self.recording.as_mut().and_then(|live| live.recording.take()) else { return };
        if let Anywhere::There(recording) = recording {
            // It goes on there, and `recover --on` brings it.
            return recording.leave();
        }
        recording.stop();
        let until = Instant::now() + LAST_WAIT;
        while !recording.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        recording.leave();
    }

    /// Fetches the profile of a recording that ended, on a thread: joining may take a moment.
    pub(super) fn poll_recording(&mut self) {
        let Some(live) = &mut self.recording else { return };
        if !live.recording.as_ref().is_some_and(Anywhere::is_finished) {
            self.events.wake_later();
            return;
        }
        let Some(recording) = live.recording.take() else { return };
        let (run, events) = (live.run, self.events.clone());
        if let Some(journal) = recording.journal() {
            self.journals.keep(run, journal);
        }
        jobs::spawn("end recording", move || {
            let result = match recording.join() {
                Ok(profile) => Ok(Some(profile)),
                Err(RecordError::Cancelled) => Ok(None),
                Err(e) => Err(e.to_string()),
            };
            events.send(Event::Recorded { run, result });
        });
    }

    pub(super) fn recorded(
        &mut self,
        id: RunId,
        result: Result<Option<std::sync::Arc<crate::model::Profile>>, String>,
    ) {
        self.recording = None;
        let Some(run) = self.session.get_mut(id) else {
            // Its tab was closed meanwhile.
            self.series = None;
            self.release_journal(id);
            self.say(
                Tone::Info,
                "The recording was stopped; it is among the unsaved ones on the start page.",
            );
            return;
        };
        match result {
            Ok(Some(profile)) => {
                let (label, attached) = (run.label.clone(), profile.attached.clone());
                let failed = profile.meta.failed.clone();
                run.replace(profile);
                run.state = RunState::Ready;
                let revision = run.revision;
                self.engine.forget_before(id, revision);
                self.open_attached(&label, attached);
                match failed {
                    None => {
                        self.say(Tone::Good, "Recorded. Ctrl-S saves the session.");
                        self.go_on(id);
                    }
                    Some(why) => {
                        self.series = None;
                        self.say(Tone::Bad, format!("The recorded program failed: {why}"));
                    }
                }
            }
            Ok(None) => {
                self.series = None;
                self.forget_run(id);
                self.say(Tone::Info, "The recording was cancelled.");
            }
            Err(why) => {
                run.state = RunState::Failed(why.clone());
                self.series = None;
                self.release_journal(id);
                self.say(Tone::Bad, format!("The recording failed: {why}"));
            }
        }
    }
}

#[cfg(test)]
impl What {
    /// A workload on this machine.
    pub(super) fn here(workload: &str, params: Vec<(String, String)>) -> Self {
        Self { workload: workload.into(), params, on: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_workload_is_in_one_group() {
        for workload in WORKLOADS {
            let groups = GROUPS.iter().filter(|(_, ids)| ids.contains(&workload.id()));
            assert_eq!(groups.count(), 1, "{}", workload.id());
        }
    }

    #[test]
    fn words_are_switched_on_and_off() {
        let words = ["auto", "cprofile", "pyinstrument", "yappi-wall", "none"];
        let mut value = "cprofile".to_owned();
        for (word, then) in [
            ("pyinstrument", "cprofile,pyinstrument"),
            ("cprofile", "pyinstrument"),
            ("cprofile", "pyinstrument,cprofile"),
            ("none", "none"),
            ("yappi-wall", "yappi-wall"),
            ("yappi-wall", "none"),
            ("none", "none"),
            ("cprofile", "cprofile"),
            ("auto", "auto"),
            ("yappi-wall", "yappi-wall"),
        ] {
            value = toggled(&words, &value, word);
            assert_eq!(value, then, "{word}");
        }
        assert_eq!(toggled(&["a", "b"], "a", "a"), "a", "one of them is always on");
        assert_eq!(toggled(&words, " cprofile , none", "cprofile"), "none");
    }
}
