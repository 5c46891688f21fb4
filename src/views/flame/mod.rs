//! The flame chart: boxes in time order, merged by call path (largest first or by name), or as a sandwich
//! around one function.
//!
//! Rows come from queries ([`crate::analysis::flame_rows`]); `layout` places what is seen, `paint`
//! paints it, `input` reads pointer and keys. While nothing moves, meshes are kept from frame to frame.

mod camera;
mod chart;
mod compare;
mod header;
mod input;
mod scene;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use egui::{Rect, Ui, vec2};

use self::camera::{Camera, Place};
use self::header::costs_query;
use self::input::Drag;
use super::boxes::layout::{Layout, Port, Stacking};
use super::boxes::paint::Painted;
use super::boxes::{Coloring, Colors, Facts, GroupName};
use crate::analysis::flame_rows::{BoxAt, FlameRows, Merged, MergedOrder, Sandwich, TimeOrder};
use crate::analysis::{FunctionTable, Functions};
use crate::model::{FunctionId, Profile, SymbolKey};
use crate::query::SubjectId;
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::text::TextCache;
use crate::ui::theme::space;
use crate::ui::widgets::EmptyState;
use crate::views::{Comparing, Seen, TimeWindow, View, ViewCx, ViewKind, shared};

/// Boxes that screen readers hear about, at most.
const MOST_NODES: usize = 2000;

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "flame",
    title: "Flame chart",
    about: "Every call as a box: in time order, merged by call path, or around one function.",
    needs: shared::needs_calls,
    make: || Box::new(FlameView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffFlame::new())),
};

/// How boxes are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As they happened.
    Time,
    /// Merged by call path, the largest first.
    LeftHeavy,
    /// Merged by call path, by name.
    Alphabetical,
    /// Callers and callees of one function.
    Sandwich,
}

impl Mode {
    /// All modes with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Time, "Time order"),
        (Self::LeftHeavy, "Left heavy"),
        (Self::Alphabetical, "Alphabetical"),
        (Self::Sandwich, "Sandwich"),
    ];
}

/// What is said while rows are prepared.
const DOING: &str = "Building the flame chart";

/// The view.
#[derive(Default)]
pub struct FlameView {
    mode: Option<Mode>,
    coloring: Coloring,
    /// Merged charts show a tree for each thread.
    by_track: bool,
    /// The function in the middle of the sandwich.
    sandwich: Option<SymbolKey>,
    /// The function that stood in the middle in the last frame, and the points above it.
    held: Option<(SymbolKey, f64)>,
    /// Empty time before the start of the run, ns, so that a moment of it stands below that of a run beside it.
    lead: f64,
    /// True when what is selected is to be put into the middle of the sandwich.
    centres: bool,
    /// True when a selection that was made elsewhere is to be brought into view.
    reveals: bool,
    /// Groups of which only the header is shown.
    folded: HashSet<GroupName>,
    cameras: [Camera; 4],
    drag: Option<Drag>,
    selected: Option<BoxAt>,
    /// The selection that `selected` was found for.
    known: Option<Known>,
    menu_at: Option<BoxAt>,
    facts: Option<Facts>,
    texts: TextCache,
    painted: Painted,
    layout: Layout,
    /// What `layout` and `painted` were made for.
    made_for: Option<MadeFor>,
    stacking: (Option<Arc<FlameRows>>, Stacking),
    colors: Option<(ColorsFor, Colors)>,
    /// What boxes were looked up in.
    of: Option<(SubjectId, Arc<Profile>)>,
    /// The mode of the last frame, and where its axis begins and what it spans by itself.
    last: Option<(Mode, i64, f64)>,
    /// True when the focus came by a click, which needs no ring to be seen.
    clicked: bool,
}

/// The selection and rows for which the selected box was looked up.
struct Known {
    item: Option<Item>,
    rows: Arc<FlameRows>,
}

struct MadeFor {
    rows: Arc<FlameRows>,
    port: Port,
    chart: Rect,
    folded: HashSet<GroupName>,
    dark: bool,
}

struct ColorsFor {
    profile: Arc<Profile>,
    coloring: Coloring,
    dark: bool,
    search: String,
    shares: Option<Arc<FunctionTable>>,
}

impl ColorsFor {
    fn same(&self, other: &Self) -> bool {
        let shares = |of: &Self| of.shares.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.profile, &other.profile)
            && (self.coloring, self.dark, &self.search) == (other.coloring, other.dark, &other.search)
            && shares(self) == shares(other)
    }
}

impl View for FlameView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.renew(cx);
        if cx.selected_elsewhere() {
            (self.centres, self.reveals) = (true, true);
        }
        ui.spacing_mut().item_spacing = vec2(space::MEDIUM, 0.0);
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing.y = space::SMALL;
            if !cx.follower {
                self.header(cx, ui);
            }
            ui.add_space(space::SMALL);
        });
        let mode = self.mode_of(cx.profile());
        if mode == Mode::Time && !cx.profile().is_timed() {
            let why = why_no_time(cx.profile());
            let empty = EmptyState::new(Icon::Clock, "No time order", why).action("Show left heavy");
            if empty.show(ui) {
                self.set_mode(Mode::LeftHeavy);
            }
            return;
        }
        if let Some(rows) = self.rows(mode, cx, ui) {
            self.chart(cx, ui, mode, &rows);
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "mode": self.mode, "coloring": self.coloring, "by_track": self.by_track })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.mode = shared::kept(saved, "mode").unwrap_or_default();
        self.coloring = shared::kept(saved, "coloring").unwrap_or_default();
        self.by_track = shared::kept(saved, "by_track").unwrap_or_default();
    }

    fn seen(&self) -> Option<Seen> {
        let (mode, _, extent) = self.last?;
        let Place { t0: from, t1: to, .. } = self.cameras[mode as usize].now();
        Some(Seen { from, to, extent })
    }

    fn see(&mut self, Seen { from, to, .. }: Seen) {
        if let Some((mode, ..)) = self.last {
            self.cameras[mode as usize].see(from, to);
        }
    }

    fn window(&self) -> Option<TimeWindow> {
        let (mode, start, _) = self.last.filter(|last| last.0 == Mode::Time)?;
        let camera = &self.cameras[mode as usize];
        let Place { t0, t1, .. } = camera.now();
        let start = start as f64 - self.lead;
        Some(if camera.shows_all() { TimeWindow::All } else { TimeWindow::Part(start + t0, start + t1) })
    }

    fn show_window(&mut self, window: TimeWindow) {
        let Some((mode, start, extent)) = self.last.filter(|last| last.0 == Mode::Time) else { return };
        let camera = &mut self.cameras[mode as usize];
        match window {
            TimeWindow::All => camera.see(0.0, extent),
            TimeWindow::Part(from, to) => {
                let start = start as f64 - self.lead;
                camera.see(from - start, to - start);
            }
        }
    }
}

/// Own and total costs of all functions.
fn shares_query(cx: &ViewCx<'_>) -> Functions {
    Functions(cx.slice())
}

/// Why a profile has no time order, and what would have one.
fn why_no_time(profile: &Profile) -> &'static str {
    if profile.call_graph.is_some() {
        "This profiler summed up who called whom, not when. Open a trace (Chrome, PyTorch, VizTracer, speedscope) \
         or record a run to see time."
    } else {
        "These stacks were merged when they were saved, so when each ran is lost. Open a trace, or a profile whose \
         samples carry times, to see time."
    }
}

impl FlameView {
    /// The chosen mode, or what suits the profile.
    fn mode_of(&self, profile: &Profile) -> Mode {
        self.mode.unwrap_or(if profile.is_timed() { Mode::Time } else { Mode::LeftHeavy })
    }

    fn set_mode(&mut self, mode: Mode) {
        self.mode = Some(mode);
        self.drag = None;
        self.centres = true;
    }

    /// Shows the callers and callees of `function`, whatever is selected.
    fn show_sandwich(&mut self, function: FunctionId, cx: &ViewCx<'_>) {
        self.set_mode(Mode::Sandwich);
        self.centres = false;
        self.sandwich = Some(cx.profile().keys().symbol(function));
    }

    /// Forgets boxes of another revision, and of another run where it was looked at.
    fn renew(&mut self, cx: &ViewCx<'_>) {
        let now = (cx.subject.id(), cx.subject.profile().clone());
        let Some((subject, profile)) = self.of.replace(now) else { return };
        if Arc::ptr_eq(&profile, cx.subject.profile()) {
            return;
        }
        if subject != cx.subject.id() {
            self.cameras = <[Camera; 4]>::default();
            (self.known, self.drag, self.held) = (None, None, None);
            (self.centres, self.reveals) = (true, true);
        }
        (self.selected, self.facts, self.menu_at) = (None, None, None);
    }

    /// The rows of a mode.
    fn rows(&mut self, mode: Mode, cx: &ViewCx<'_>, ui: &mut Ui) -> Option<Arc<FlameRows>> {
        let costs = costs_query(cx);
        match mode {
            Mode::Time => cx.ask(&TimeOrder(costs.0.scope), 0).content(ui, DOING),
            Mode::LeftHeavy | Mode::Alphabetical => {
                let order = if mode == Mode::LeftHeavy { MergedOrder::Heaviest } else { MergedOrder::Name };
                cx.ask(&Merged { costs, order, by_track: self.by_track }, 0).content(ui, DOING)
            }
            Mode::Sandwich => {
                let function = self.middle(cx, ui)?;
                cx.ask(&Sandwich { costs, function }, 0).content(ui, DOING)
            }
        }
    }

    /// The function in the middle of the sandwich: what was selected elsewhere, or that with most self cost. What is selected in
    /// the sandwich itself stays where it is.
    fn middle(&mut self, cx: &ViewCx<'_>, ui: &mut Ui) -> Option<SymbolKey> {
        if std::mem::take(&mut self.centres) {
            let selected = cx.interaction.selection.as_ref().and_then(Item::symbol);
            self.sandwich = selected.or(self.sandwich);
        }
        let there = |key: &SymbolKey| cx.profile().keys().function(*key).is_some();
        if self.sandwich.filter(there).is_none() {
            let table = cx.ask(&shares_query(cx), 0).exact().content(ui, DOING)?;
            self.sandwich = table.rows.first().map(|row| cx.profile().keys().symbol(row.function));
        }
        if self.sandwich.is_none() {
            let text = "There is no function to put in the middle.";
            EmptyState::new(Icon::Flame, "No function", text).show(ui);
        }
        self.sandwich
    }
}
