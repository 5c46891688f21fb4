//! The line at the bottom: the last message, running work with progress and cancel, memory.

use egui::Ui;

use super::App;
use super::action::Action;
use super::recorder;
use crate::format;
use crate::state::RunState;
use crate::ui::icons::Icon;
use crate::ui::theme::Palette;
use crate::ui::widgets;

/// Draws the line.
pub(super) fn ui(app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let palette = Palette::of(ui);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if let Some(profile) = app.active().and_then(|r| r.profile.as_ref()) {
                let size = format::bytes(profile.heap_bytes() as i64);
                let text = egui::RichText::new(format!("memory {size}")).small().color(palette.text_weak);
                ui.label(text).on_hover_text("Memory that this profile takes");
            }
            let busy = app.engine.busy();
            if busy > 0 {
                ui.spinner();
                ui.label(egui::RichText::new("computing").small().color(palette.text_weak));
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| work(app, ui, actions));
        });
    });
}

fn work(app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let palette = Palette::of(ui);
    for run in &app.session.runs {
        let (doing, end) = match run.state {
            RunState::Live => ("Following", "Stop"),
            _ => ("Opening", "Cancel"),
        };
        if let Some(job) = app.opening.get(&run.id)
            && widgets::progress_row(ui, &format!("{doing} {}", run.label), job.progress(), end)
        {
            job.cancel();
        }
    }
    if let Some(status) = app.recording.as_ref().and_then(recorder::Live::status)
        && widgets::progress_row(ui, &status.stage, status.progress, "Stop")
    {
        actions.push(Action::StopRecording);
    }
    let tip = if app.note.is_none() { app.tip() } else { None };
    if let Some(tip) = tip {
        ui.add(egui::Label::new(egui::RichText::new(tip).small().color(palette.text)).truncate());
        if widgets::icon_button(ui, Icon::Close, "Close this tip").clicked() {
            app.close_tip(tip);
        }
        return;
    }
    match &app.note {
        Some(note) => {
            let text = egui::RichText::new(&note.text).small().color(palette.tone(note.tone));
            ui.add(egui::Label::new(text).truncate());
        }
        None => {
            let hint = "Ctrl-Shift-P finds every command, ? lists the keys";
            ui.label(egui::RichText::new(hint).small().color(palette.text_weak));
        }
    }
}
