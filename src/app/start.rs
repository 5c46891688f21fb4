//! What is shown while no profile is: the start page, and a run that is being read or failed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use egui::Ui;

use super::App;
use super::action::Action;
use super::bar::shorten;
use super::event::{Event, Events};
use super::{recorder, samples};
use crate::analysis::diff::metrics::shown_of;
use crate::analysis::function_list::{FunctionKey, FunctionList};
use crate::analysis::waiting::Waiting;
use crate::analysis::{FunctionRow, Functions, Slice};
use crate::format;
use crate::jobs;
use crate::state::RunState;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, space};
use crate::ui::widgets::{self, EmptyState};

/// Widest that the page is, points.
const WIDEST: f32 = 1080.0;
/// Recent files and samples stand beside each other from this width on.
const BESIDE: f32 = 2.0 * samples::CARD + samples::GAP + RECENT + space::HUGE;
/// Least width of the recent files there.
const RECENT: f32 = 300.0;

/// Draws the start page.
pub(super) fn ui(app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) {
    egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        let width = (ui.available_width() - 2.0 * space::HUGE).min(WIDEST);
        let margin = ((ui.available_width() - width) / 2.0).max(0.0);
        ui.add_space((ui.available_height() * 0.05).max(space::LARGE));
        ui.horizontal(|ui| {
            ui.add_space(margin);
            ui.vertical(|ui| {
                ui.set_width(width);
                page(app, ui, actions);
            });
        });
    });
}

fn page(app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui);
    ui.label(
        egui::RichText::new("inferscope").font(crate::ui::theme::strong(30.0)).color(palette.text_strong),
    );
    ui.label(
        egui::RichText::new("See where an LLM application spends its time, memory and tokens.")
            .color(palette.text_weak),
    );
    ui.add_space(18.0);
    super::journals::offer(app, ui);
    ui.horizontal(|ui| {
        if widgets::primary_button(ui, "Open profiles…").clicked() {
            actions.push(Action::Open);
        }
        if ui
            .button("Record a run…")
            .on_hover_text("Runs a real pipeline and text generation here, and records it")
            .clicked()
        {
            actions.push(Action::Record);
        }
        if ui
            .button("Compare two files…")
            .on_hover_text(
                "Choose two files at once: every view then shows what changed from the first to the second",
            )
            .clicked()
        {
            actions.push(Action::Open);
        }
        ui.label(egui::RichText::new("or drop files here").color(palette.text_weak));
    });
    ui.add_space(22.0);
    let nothing_yet = app.settings.recent.is_empty();
    if !nothing_yet && ui.available_width() >= BESIDE {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            let left = ui.available_width() - BESIDE + RECENT;
            ui.vertical(|ui| {
                ui.set_width(left);
                ui.spacing_mut().item_spacing.x = space::MEDIUM;
                recent(app, ui);
            });
            ui.add_space(space::HUGE);
            ui.vertical(|ui| offered(app, ui));
        });
    } else {
        if !nothing_yet {
            recent(app, ui);
            ui.add_space(space::HUGE);
        }
        offered(app, ui);
    }
    ui.add_space(18.0);
    let (named, others) = crate::import::IMPORTERS.split_at(NAMED_FORMATS);
    let named: Vec<_> = named.iter().map(|i| i.title).collect();
    let text = format!(
        "Opens {} and {} more kinds of files; packed with gzip or zstd and in archives, too.",
        named.join(", "),
        others.len()
    );
    ui.label(egui::RichText::new(text).small().color(palette.text_weak));
}

/// The files that were open last.
fn recent(app: &mut App, ui: &mut Ui) {
    widgets::section_heading(ui, "Recent files");
    ui.add_space(space::SMALL);
    let mut open = None;
    for path in &app.settings.recent {
        let noted = app.settings.recent_about.iter().find(|(file, _)| file == path);
        if file_row(ui, path, app.recent_facts.get(path), noted.map(|(_, about)| about.as_str())) {
            open = Some(path.clone());
        }
    }
    if let Some(path) = open {
        app.open_path(&path);
    }
}

/// The profiles that come with the program.
fn offered(app: &mut App, ui: &mut Ui) {
    widgets::section_heading(ui, "Samples");
    ui.add_space(space::SMALL);
    samples::cards(app, ui);
}

/// Formats that the start screen names: as many as a person reads.
const NAMED_FORMATS: usize = 29;

/// What the system says of a recent file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileFacts {
    /// Nothing for folders, whose length says nothing.
    bytes: Option<u64>,
    changed: Option<SystemTime>,
}

/// Asks the system about files, on a thread: a folder of another computer may take its time. A file that is not there
/// has no entry.
pub(super) fn look_at(files: Vec<PathBuf>, events: Events) {
    jobs::spawn("recent files", move || {
        let of = |path: PathBuf| {
            let meta = std::fs::metadata(&path).ok()?;
            let bytes = meta.is_file().then_some(meta.len());
            Some((path, FileFacts { bytes, changed: meta.modified().ok() }))
        };
        events.send(Event::Recent { facts: files.into_iter().filter_map(of).collect() });
    });
}

/// «3 min ago».
fn ago(then: SystemTime) -> String {
    let seconds = SystemTime::now().duration_since(then).map_or(0, |d| d.as_secs());
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format::counted((seconds / 86_400) as i64, "day", "days") + " ago",
    }
}

/// The place of its question, beside those of the panes.
const SLOT: u64 = u64::MAX - 4;

/// Notes of the shown file what it is and what dominates, for the start page of another day.
pub(super) fn note_about(app: &mut App) {
    let Some(run) = app.session.active().filter(|run| run.state == RunState::Ready) else { return };
    let Some((path, None)) = super::project::file_of(run) else { return };
    if app.noted == Some(run.id) || !app.settings.recent.contains(&path) {
        return;
    }
    let (id, Some(profile)) = (run.id, run.profile.clone()) else { return };
    let Some(subject) = app.session.subject() else { return };
    let metric = shown_of(&subject, crate::model::MetricKey::default());
    let query = FunctionList::new(Functions(Slice::whole(metric)), vec![(FunctionKey::Own, false)], "");
    let list = app.engine.ask(subject.head(), &query, SLOT);
    let waiting = app.engine.ask(subject.head(), &Waiting, SLOT);
    let (Some(list), Some(waiting)) = (list.value(), waiting.value()) else { return };
    let works = |r: &&FunctionRow| !waiting.get(r.function.index()).copied().unwrap_or(false);
    let first = list.table.rows.iter().find(works).filter(|row| row.own > 0);
    let mut parts =
        vec![if profile.meta.tool.is_empty() { &profile.meta.format } else { &profile.meta.tool }.clone()];
    if let Some(first) = first {
        let name = format::bare(profile.function_name(first.function)).into_owned();
        let share = format::share_text(list.table.whole.own_share(first.own));
        parts.push(format!("{} {share}", shorten(&name, 28)));
    }
    app.noted = Some(id);
    let recent = app.settings.recent.clone();
    let about = &mut app.settings.recent_about;
    about.retain(|(file, _)| *file != path && recent.contains(file));
    about.push((path, parts.join("  ·  ")));
}

/// Most letters of a name.
const LETTERS: usize = 38;

/// A recent file: its name, and below what dominates in it, when it changed, its size, its folder.
fn file_row(ui: &mut Ui, path: &Path, facts: Option<&FileFacts>, noted: Option<&str>) -> bool {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let folder = path.parent().map(|p| p.display().to_string()).unwrap_or_default();
    let mut about: Vec<String> = noted.map(str::to_owned).into_iter().collect();
    if let Some(facts) = facts {
        about.extend(facts.changed.map(ago));
        about.extend(facts.bytes.map(|n| format::bytes(i64::try_from(n).unwrap_or(i64::MAX))));
    }
    if noted.is_none() {
        about.push(folder);
    }
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let link = widgets::link_button(ui, &shorten(&name, LETTERS));
        // Below the link's text.
        let inset = egui::Margin { left: space::SMALL as i8, bottom: 8, ..egui::Margin::ZERO };
        egui::Frame::new().inner_margin(inset).show(ui, |ui| {
            let text = egui::RichText::new(about.join("  ·  ")).small().color(Palette::of(ui).text_weak);
            ui.add(egui::Label::new(text).truncate());
        });
        link.on_hover_text(path.display().to_string()).clicked()
    })
    .inner
}

/// A run without a profile yet: progress, or why there will be none.
pub(super) fn waiting(app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let Some(run) = app.session.active() else { return };
    let (id, label) = (run.id, run.label.clone());
    match run.state.clone() {
        RunState::Failed(why) => {
            let text = format!("{label}: {why}");
            if EmptyState::new(Icon::Error, "This could not be opened", &text).action("Close").show(ui) {
                actions.push(Action::CloseRun);
            }
        }
        RunState::Live => {
            let own = app.recording.as_ref().filter(|live| live.run == id);
            let stage = own.and_then(recorder::Live::status).map(|s| s.stage).unwrap_or_default();
            EmptyState::new(Icon::Record, "Recording has started", &stage).show(ui);
        }
        RunState::Loading | RunState::Ready => {
            let progress = app.opening.get(&id).and_then(jobs::Job::progress);
            ui.add_space(ui.available_height() * 0.4);
            ui.vertical_centered(|ui| {
                ui.set_max_width(460.0);
                if widgets::progress_row(ui, &format!("Opening {label}"), progress, "Cancel")
                    && let Some(job) = app.opening.get(&id)
                {
                    job.cancel();
                }
            });
            ui.ctx().request_repaint_after(std::time::Duration::from_millis(100));
        }
    }
}
