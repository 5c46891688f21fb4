//! Folding groups, cycles and chains into one node and opening them: controls, and what a group is in words.

use crate::analysis::folding::group_key;
use std::sync::Arc;

use egui::Ui;

use super::GraphView;
use super::scene::Scene;
use crate::analysis::folding::{Folding, Group, GroupKind};
use crate::analysis::groups::GroupBy;
use crate::model::{FunctionId, Profile};
use crate::state::Command;
use crate::ui::widgets::combo;
use crate::views::ViewCx;

impl GraphView {
    /// What is grouped, and whether cycles are one node.
    pub(super) fn fold_controls(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let by = self.folding.by;
        let name = by.map_or("none", GroupBy::label);
        let mut chosen = by;
        let field = combo("graph groups").selected_text(format!("Groups: {name}")).show_ui(ui, |ui| {
            ui.selectable_value(&mut chosen, None, "none");
            for (group, name) in GroupBy::ALL {
                ui.selectable_value(&mut chosen, Some(group), name);
            }
        });
        field.response.accessible_name("what functions are grouped by");
        if chosen != by {
            self.change(cx, |f| {
                f.by = chosen;
                f.folded = false;
                f.turned.clear();
            });
        }
        if by.is_some() {
            for (folded, text, about) in [
                (true, "Fold all", "Show each group as one node"),
                (false, "Open all", "Show the functions of all groups"),
            ] {
                let done = self.folding.folded == folded && self.folding.turned.is_empty();
                if ui.add_enabled(!done, egui::Button::new(text)).on_hover_text(about).clicked() {
                    self.change(cx, |f| f.fold_all(folded));
                }
            }
        }
        let mut cycles = self.folding.cycles;
        let about = "Show functions that call each other in a circle as one node";
        if ui.checkbox(&mut cycles, "Fold cycles").on_hover_text(about).changed() {
            self.change(cx, |f| {
                f.cycles = cycles;
                f.open_cycles.clear();
            });
        }
        if by.is_none() {
            let mut chains = !self.folding.chains_open;
            let about =
                "Show functions that do little but call the next one as one node; a double-click opens it";
            if ui.checkbox(&mut chains, "Fold chains").on_hover_text(about).changed() {
                self.change(cx, |f| {
                    f.chains_open = !chains;
                    f.turned_chains.clear();
                });
            }
        }
    }

    fn change(&mut self, cx: &mut ViewCx<'_>, change: impl FnOnce(&mut Folding)) {
        let mut folding = (*self.folding).clone();
        change(&mut folding);
        self.leave();
        cx.send(Command::Fold(Arc::new(folding)));
    }

    /// Folds an open group or opens a folded one.
    pub(super) fn turn(&mut self, cx: &mut ViewCx<'_>, group: &Group) {
        let profile = cx.subject.profile().clone();
        self.change(cx, |f| match &group.kind {
            GroupKind::Named(name) => f.turn_group(group_key(name)),
            GroupKind::Cycle(_) => f.turn_cycle(&profile, &group.members),
            GroupKind::Chain(_) => f.turn_chain(&profile, &group.members),
        });
    }

    /// Opens a folded group, or puts a function in the middle.
    pub(super) fn enter(&mut self, cx: &mut ViewCx<'_>, scene: &Scene, node: u32) {
        match scene.group(node) {
            Some(group) => self.turn(cx, group),
            None => self.make_active(cx.profile().keys().symbol(scene.node(node).symbol.function())),
        }
    }
}

/// The open groups that a node belongs to: its cycle or chain, its file, module or package.
pub(super) fn around(scene: &Scene, node: u32, function: FunctionId) -> Vec<&Group> {
    let folded = &scene.picture.folded;
    let calls = folded.open_calls(function).filter(|_| scene.group(node).is_none());
    let named = folded.around(scene.row(node)).filter(|g| matches!(g.kind, GroupKind::Named(_)));
    calls.into_iter().chain(named).collect()
}

/// What a group is made of.
pub(super) fn about(profile: &Profile, group: &Group) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut lines = Vec::new();
    if let GroupKind::Named(name) = &group.kind {
        if *name != group.label() {
            lines.push(name.chars().take(160).collect());
        }
        lines.push(group.size());
    }
    let names = group.members.iter().take(SHOWN).map(|&f| profile.function_name(f));
    let between = if matches!(group.kind, GroupKind::Chain(_)) { " → " } else { ", " };
    let mut text: String =
        names.map(|n| n.chars().take(40).collect::<String>()).collect::<Vec<_>>().join(between);
    if group.members.len() > SHOWN {
        text += &format!(" and {} more", crate::format::count((group.members.len() - SHOWN) as i64));
    }
    lines.push(text);
    lines
}
