//! Which two runs are compared: choosing them, the offer to compare what was opened last, the chip in the bar.

use egui::Ui;

use super::App;
use super::action::Action;
use super::bar::shorten;
use crate::query::RunId;
use crate::state::{OpenRun, RunState, Session};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{chip, combo, icon_button, link_button, primary_button};
use crate::views::{OneOfBaselines, OtherRun};

/// Two runs that may belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub base: RunId,
    pub head: RunId,
}

/// The small window that asks which run is compared with which.
pub(super) struct Pairing {
    base: Option<RunId>,
    head: Option<RunId>,
}

impl Pairing {
    /// Preselects two runs.
    pub fn new(base: Option<RunId>, head: Option<RunId>) -> Self {
        Self { base, head }
    }

    /// Draws it; `None` once it is closed.
    pub fn ui(mut self, app: &mut App, ui: &mut Ui, actions: &mut Vec<Action>) -> Option<Self> {
        let mut done = false;
        let frame = egui::Frame::popup(ui.style()).inner_margin(space::LARGE);
        let modal = egui::Modal::new(egui::Id::unique("compare")).frame(frame).show(ui.ctx(), |ui| {
            ui.set_width((ui.ctx().content_rect().width() - 64.0).min(460.0));
            let weak = Palette::of(ui).text_weak;
            ui.heading("Compare two runs");
            ui.add_space(space::SMALL);
            ui.label(
                egui::RichText::new(
                    "Δ is head − base in every view: what the later run takes more is positive.",
                )
                .color(weak),
            );
            ui.add_space(space::MEDIUM);
            let names: Vec<(RunId, String)> =
                app.session.runs.iter().map(|r| (r.id, shorten(&r.label, 48))).collect();
            for (title, about, which) in
                [("Base", "before", &mut self.base), ("Head", "after", &mut self.head)]
            {
                ui.horizontal(|ui| {
                    ui.add_sized([110.0, space::CONTROL], egui::Label::new(format!("{title} ({about})")));
                    let shown = which.and_then(|id| names.iter().find(|n| n.0 == id));
                    let shown = shown.map_or("Choose a run", |n| n.1.as_str());
                    let field = combo(title).width(300.0).truncate().selected_text(shown).show_ui(ui, |ui| {
                        for (id, name) in &names {
                            ui.selectable_value(which, Some(*id), name);
                        }
                    });
                    field.response.accessible_name(title);
                });
            }
            ui.add_space(space::MEDIUM);
            ui.horizontal(|ui| {
                let two = self.base.zip(self.head).filter(|(b, h)| b != h);
                ui.add_enabled_ui(two.is_some(), |ui| {
                    let compare = primary_button(ui, "Compare").clicked();
                    let enter = ui.is_enabled() && ui.input(|i| i.key_pressed(egui::Key::Enter));
                    if let Some((base, head)) = two.filter(|_| compare || enter) {
                        app.compare(base, head);
                        done = true;
                    }
                });
                if ui.button("Swap").on_hover_text("Make the base the head").clicked() {
                    std::mem::swap(&mut self.base, &mut self.head);
                }
                if ui.button("Open a file…").clicked() {
                    actions.push(Action::Open);
                }
                let about = "Each in a tab of its own; Ctrl+D asks again";
                if ui.button("Only show them").on_hover_text(about).clicked() {
                    ui.close();
                }
            });
        });
        // A click beside the question is no answer to it.
        let escaped = modal.is_top_modal && ui.input(|i| i.key_pressed(egui::Key::Escape));
        (!done && !escaped && !modal.response.should_close()).then_some(self)
    }
}

impl App {
    /// Shows `head` compared with `base`.
    pub(super) fn compare(&mut self, base: RunId, head: RunId) {
        // Who chooses a pair does not ask for one more baseline.
        let marked: Vec<RunId> = self.session.baselines().map(|run| run.id).collect();
        if let [only] = marked[..] {
            self.session.drop_baseline(only);
        }
        self.compare_with(base);
        self.session.active = Some(head);
        self.offer = None;
    }

    /// The two runs that came last.
    pub(super) fn last_two(&self) -> Option<Offer> {
        let with = self.session.runs.iter().filter(|r| !matches!(r.state, RunState::Failed(_)));
        match with.rev().take(2).collect::<Vec<_>>()[..] {
            [head, base] => Some(Offer { base: base.id, head: head.id }),
            _ => None,
        }
    }

    /// Opens files; two at once are most likely to be compared.
    pub fn open_paths(&mut self, paths: &[std::path::PathBuf]) {
        let before = self.session.active().map(|run| run.id).filter(|_| self.session.runs.len() == 1);
        let ids: Vec<RunId> = paths.iter().filter_map(|path| self.open_path(path)).collect();
        match (&ids[..], before) {
            ([base, head], _) => {
                self.overlay = super::Overlay::Compare(Pairing::new(Some(*base), Some(*head)));
            }
            ([_, _, ..], _) => {
                self.say(
                    Tone::Info,
                    "To compare two of them: Ctrl+D, or «Set as baseline» (B) on one.".to_owned(),
                );
            }
            ([head], Some(base)) if self.session.baseline().is_none() => {
                self.offer = Some(Offer { base, head: *head });
            }
            _ => {}
        }
    }

    /// Asks which runs are compared, with the likeliest ones chosen.
    pub(super) fn ask_compare(&mut self) {
        let last = self.last_two();
        let base = self.session.baseline().or(last.map(|l| l.base));
        let shown = self.session.active().map(|run| run.id);
        let head = shown.filter(|id| Some(*id) != base).or(last.map(|l| l.head));
        self.overlay = super::Overlay::Compare(Pairing::new(base, head));
    }

    /// Base and head change places.
    pub(super) fn swap_runs(&mut self) {
        if let (Some(base), Some(head)) = (self.session.baseline(), self.session.active) {
            self.compare(head, base);
        }
    }
}

/// The baselines that are not hidden, where there are several.
pub(super) fn several(session: &Session) -> Vec<OneOfBaselines> {
    let of = |open: &OpenRun| {
        let color = open.as_baseline.filter(|mark| !mark.hidden)?.color;
        Some(OneOfBaselines { run: open.run()?, name: open.label.clone(), color })
    };
    let shown: Vec<OneOfBaselines> =
        session.baselines().filter(|open| Some(open.id) != session.active).filter_map(of).collect();
    if shown.len() > 1 { shown } else { Vec::new() }
}

/// Most runs that are looked at beside the shown one.
const MOST_OTHERS: usize = 8;

/// The latest of the other runs that are complete.
pub(super) fn others(session: &Session) -> Vec<OtherRun> {
    let other = |open: &&OpenRun| Some(open.id) != session.active && open.state == RunState::Ready;
    let of = |open: &OpenRun| Some(OtherRun { run: open.run()?, name: open.label.clone() });
    session.runs.iter().rev().filter(other).filter_map(of).take(MOST_OTHERS).collect()
}

/// Offers to compare what was opened or recorded last with what was there before.
pub(super) fn offer(app: &mut App, ui: &mut Ui) {
    let Some(Offer { base, head }) = app.offer else { return };
    let label = |id| app.session.get(id).map(|r| shorten(&r.label, 36));
    let (Some(before), Some(after)) = (label(base), label(head)) else {
        app.offer = None;
        return;
    };
    if app.session.active != Some(head) || app.session.get(head).is_none_or(|r| r.profile.is_none()) {
        return;
    }
    let text = format!("Is {after} the run after {before}, or the one before it?");
    ui.horizontal(|ui| {
        let mut answered = false;
        if primary_button(ui, "Compare as new run").clicked() {
            app.compare(base, head);
            answered = true;
        }
        if ui.button("Compare as baseline").clicked() {
            app.compare(head, base);
            answered = true;
        }
        if ui.button("Not now").clicked() {
            answered = true;
        }
        ui.label(egui::RichText::new(text).color(Palette::of(ui).text_weak));
        if answered {
            app.offer = None;
        }
    });
    ui.add_space(space::SMALL);
}

/// With what the shown run is compared, and the ways to turn it round and to end it.
pub(super) fn compared(app: &App, ui: &mut Ui, actions: &mut Vec<Action>) {
    let Some(base) = app.session.baseline() else { return };
    let Some(run) = app.session.get(base) else { return };
    if app.session.active == Some(base) {
        ui.label(egui::RichText::new("the baseline, shown alone").color(Palette::of(ui).text_weak));
        return;
    }
    let more = several(&app.session);
    if let Some(mark) = run.as_baseline.filter(|_| !more.is_empty()) {
        let (rect, _) = ui.allocate_exact_size(egui::vec2(10.0, space::CONTROL), egui::Sense::hover());
        let color = Palette::of(ui).series(mark.color.into());
        ui.painter().circle_filled(rect.center(), 4.0, color);
    }
    let text = format!("vs {}", shorten(&run.label, 24));
    if chip(ui, &text)
        .on_hover_text("Compared with this run, the baseline. Click to stop comparing (Shift+B).")
        .clicked()
    {
        actions.push(Action::StopComparing);
    }
    if icon_button(ui, Icon::Swap, "Swap base and head (X)").clicked() {
        actions.push(Action::SwapRuns);
    }
    if !more.is_empty()
        && link_button(ui, "Next").on_hover_text("Compare with the next baseline (Shift+X)").clicked()
    {
        actions.push(Action::NextBaseline);
    }
}
