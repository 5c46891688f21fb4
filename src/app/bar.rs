//! The bar at the top: menus, open runs, what is looked at, search, recording.

use egui::{MenuBar, Ui};

use super::action::{self, Action, Entry, Menu};
use super::{App, recorder, tabs};
use crate::analysis::diff::metrics::shown_of;
use crate::analysis::formula::{self, Measure};
use crate::format;
use crate::model::{MetricKey, Profile, TrackKey};
use crate::state::{Command, Relative};
use crate::ui::icons::Icon;
use crate::ui::theme::Tone;
use crate::ui::widgets::{self, MetricChoice, SearchBox};
use crate::views::shared::crumbs::describe;
use crate::views::shared::requests::value_text;
use crate::views::{self, Picture};

/// Draws the bar.
pub(super) fn ui(app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.add_space(2.0);
    MenuBar::new().ui(ui, |ui| {
        menus(app, ui, actions);
        ui.separator();
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            record_button(app, ui, actions);
            agents(app, ui, actions);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                tabs::ui(app, ui, actions);
            });
        });
    });
    if app.active().is_some_and(|r| r.profile.is_some()) {
        ui.add_space(2.0);
        looked_at(app, ui, actions);
    }
    ui.add_space(3.0);
}

fn menus(app: &App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let entries = action::all();
    for (menu, title) in [
        (Menu::File, "File"),
        (Menu::Edit, "Edit"),
        (Menu::Compare, "Compare"),
        (Menu::View, "View"),
        (Menu::Help, "Help"),
    ] {
        ui.menu_button(title, |ui| {
            for entry in entries.iter().filter(|e| e.menu == menu) {
                match entry.action {
                    Action::SavePicture(Picture::Svg) => pictures(app, ui, actions),
                    Action::SavePicture(Picture::Png) => {}
                    _ => item(app, entry, ui, actions),
                }
            }
        });
    }
}

/// The forms of a picture, one level down: they are one thing to do.
fn pictures(app: &App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let can = app.can(Action::SavePicture(Picture::Svg));
    ui.add_enabled_ui(can, |ui| {
        ui.menu_button(views::PICTURES, |ui| {
            for picture in Picture::ALL {
                if ui.button(picture.title()).clicked() {
                    actions.push(Action::SavePicture(picture));
                    ui.close();
                }
            }
        });
    });
}

fn item(app: &App, entry: &Entry, ui: &mut Ui, actions: &mut Vec<Action>) {
    let mut button = egui::Button::new(entry.title.as_str());
    if let Action::Theme(theme) = entry.action {
        button = button.selected(app.settings.theme == theme);
    }
    if let Some(key) = &entry.key {
        button = button.shortcut_text(action::key_text(ui.ctx(), key));
    }
    let response = ui.add_enabled(app.can(entry.action), button);
    let response = match entry.action {
        Action::Show(place) => response.on_hover_text(action::view(place).map_or("", |v| v.about)),
        Action::Export(place) => response.on_hover_text(crate::exchange::FORMATS[place].about),
        Action::RecordAgain => response.on_disabled_hover_text(
            "Repeats what this window recorded. What a file says it recorded is not run by itself: choose Record…",
        ),
        _ => response,
    };
    if response.clicked() {
        actions.push(entry.action);
        ui.close();
    }
}

/// The text with its middle left out, so that it has at most `max` characters.
pub(super) fn shorten(text: &str, max: usize) -> String {
    let n = text.chars().count();
    if n <= max {
        return text.to_owned();
    }
    let half = (max - 1) / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(n - half).collect();
    format!("{head}…{tail}")
}

/// A mark while coding agents may use the window, another one while one is connected.
fn agents(app: &App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let (tone, text, hint) = match app.agents.clients() {
        None => return,
        Some(0) => (
            Tone::Neutral,
            "agents",
            "Coding agents of yours may see and steer this window; none is connected.",
        ),
        Some(_) => (
            Tone::Info,
            "agent connected",
            "A coding agent sees what you look at and can show you something.",
        ),
    };
    let mark = widgets::pill(ui, tone, text).on_hover_text(format!("{hint} Click to end that."));
    if mark.interact(egui::Sense::click()).clicked() {
        actions.push(Action::Agents(false));
    }
}

fn record_button(app: &App, ui: &mut Ui, actions: &mut Vec<Action>) {
    match app.recording.as_ref().and_then(recorder::Live::status) {
        Some(status) => {
            if widgets::icon_button(ui, Icon::Stop, "Stop recording (Ctrl-E)").clicked() {
                actions.push(Action::StopRecording);
            }
            let time = format::duration(status.elapsed.as_nanos().min(i64::MAX as u128) as i64);
            widgets::pill(ui, Tone::Bad, &format!("recording {time}")).on_hover_text(format!(
                "{}\n{}, {} dropped",
                status.stage,
                format::counted(status.spans as i64, "span", "spans"),
                status.dropped
            ));
        }
        None => {
            let button = widgets::primary_button(ui, "Record");
            if button.on_hover_text("Record a run of an LLM pipeline (Ctrl-R)").clicked() {
                actions.push(Action::Record);
            }
        }
    }
}

/// Metric, time range, tracks, transforms and search of the shown run.
fn looked_at(app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let Some(run) = app.session.active() else { return };
    let Some(profile) = run.profile.clone() else { return };
    let Some(history) = app.session.history() else { return };
    let now = history.now().clone();
    let (can_undo, can_redo) = (app.can(Action::Undo), app.can(Action::Redo));
    let undo = if app.last_is_agents() { "Undo what an agent showed (Ctrl-Z)" } else { "Undo (Ctrl-Z)" };
    let mut commands = Vec::new();
    ui.horizontal(|ui| {
        for (icon, name, enabled, action) in [
            (Icon::Undo, undo, can_undo, Action::Undo),
            (Icon::Redo, "Redo (Ctrl-Shift-Z)", can_redo, Action::Redo),
        ] {
            let button = ui.add_enabled_ui(enabled, |ui| widgets::icon_button(ui, icon, name)).inner;
            if button.clicked() {
                actions.push(action);
            }
        }
        super::compare::compared(app, ui, actions);
        if !profile.metrics.is_empty() {
            // Of two runs those that both have.
            let subject = app.session.subject();
            let shown = |wanted| {
                subject.as_ref().map_or_else(|| formula::shown(wanted, &profile), |s| shown_of(s, wanted))
            };
            let mut metric = shown(now.metric);
            let mut known = metrics(app, &profile, metric);
            known.retain(|m| shown(m.key) == m.key);
            if widgets::metric_picker(ui, "metric", &known, &mut metric) {
                commands.push(Command::SetMetric(metric));
            }
            if widgets::icon_button(ui, Icon::Settings, "Define metrics by formulas").clicked() {
                actions.push(Action::Metrics);
            }
            let shares = widgets::combo("shares").selected_text(now.relative.label()).show_ui(ui, |ui| {
                for (relative, label) in Relative::ALL {
                    if ui.selectable_label(relative == now.relative, label).clicked() {
                        commands.push(Command::SetRelative(relative));
                    }
                }
            });
            shares.response.on_hover_text(
                "What percentages are a share of: the whole run, or what is one level up \
                 (the caller, the function that is looked at, the box around)",
            );
        }
        crumbs(&profile, &now, ui, &mut commands);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let mut text = now.search.clone();
            let width = ui.available_width().clamp(80.0, 260.0);
            let found = app.found();
            let mut field = SearchBox::new("Search functions  (Ctrl-F)", &mut text).width(width);
            if let Some(found) = &found {
                field = field.matches(found.at, found.len());
            }
            let out = field.show(ui);
            if let Some(found) = &found {
                out.response.clone().on_hover_text(format!("{}\nF3 or Enter: the next one", found.words()));
            }
            if out.next || out.previous {
                app.find(out.next);
            }
            if std::mem::take(&mut app.focus_search) {
                out.response.request_focus();
            }
            if out.changed {
                commands.push(Command::Search(text));
            }
        });
    });
    for command in commands {
        app.command(command);
    }
}

/// The metrics that can be shown: the profile's, those of the settings, and the one that is shown.
fn metrics(app: &App, profile: &Profile, shown: MetricKey) -> Vec<MetricChoice> {
    let mut keys: Vec<MetricKey> = profile.metric_ids().map(|id| profile.metric_key(id)).collect();
    keys.extend(app.defined());
    if !keys.contains(&shown) {
        keys.push(shown);
    }
    let choice = |key| {
        let Measure { label, unit, .. } = Measure::of(key, profile)?;
        Some(MetricChoice { key, label, unit })
    };
    keys.into_iter().filter_map(choice).collect()
}

fn track_name(profile: &Profile, key: TrackKey) -> String {
    match profile.keys().track(key) {
        Some(id) => profile.track_label(id),
        None => key.name.to_string(),
    }
}

/// What is left out: range, tracks and transforms, each removable.
fn crumbs(profile: &Profile, now: &crate::state::Interaction, ui: &mut Ui, commands: &mut Vec<Command>) {
    if let Some((from, to)) = now.range {
        let text = format!("{} – {}", format::duration(from), format::duration(to));
        if widgets::chip(ui, &text)
            .on_hover_text("All views show this part of the time. Click for all of it.")
            .clicked()
        {
            commands.push(Command::SetRange(None));
        }
    }
    for (facet, values) in now.requests.iter() {
        let values: Vec<_> = values.iter().map(|v| value_text(v, 30)).collect();
        let text = format!("{}: {}", facet.name(), shorten(&values.join(", "), 40));
        let about = "Views about requests show these only. Click for all of them.";
        if widgets::chip(ui, &text).on_hover_text(about).clicked() {
            commands.push(Command::FilterRequests(now.requests.without(facet)));
        }
    }
    if !now.scope.tracks.is_empty() {
        let names: Vec<_> = now.scope.tracks.iter().map(|&key| track_name(profile, key)).collect();
        let text = shorten(&names.join(", "), 40);
        if widgets::chip(ui, &text).on_hover_text("Only these tracks. Click for all of them.").clicked() {
            commands.push(Command::SetTracks(Vec::new()));
        }
    }
    if !now.scope.transforms.is_empty() {
        if ui.button("all").on_hover_text("Click to undo all of these").clicked() {
            commands.push(Command::KeepTransforms(0));
        }
        for (i, transform) in now.scope.transforms.iter().enumerate() {
            Icon::ChevronRight.show(ui, 11.0, Tone::Neutral);
            let text = describe(transform, profile);
            if ui.button(text).on_hover_text("Click to go back to here").clicked() {
                commands.push(Command::KeepTransforms(i + 1));
            }
        }
    }
}
