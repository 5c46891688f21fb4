//! A conversation or a run of an agent: its steps as a tree with what each said, took and cost, or who called whom in one of them.
//!
//! All questions are asked in [`TraceView::frame`].

mod compare;
mod copy;
mod head;
mod list;
mod paint;
mod plan;
mod rows;
mod sequence;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::{ScrollArea, Ui};
use rustc_hash::FxHashMap;

use self::copy::Form;
use self::rows::{Folds, Listed};
use super::shared;
use super::{Comparing, View, ViewCx, ViewKind};
use crate::analysis::billing::{Bill, Billing};
use crate::analysis::requests::RequestTable;
use crate::analysis::trace::places::holds_work;
use crate::analysis::trace::sequence::{Sequence, SequenceOf};
use crate::analysis::trace::{Head, NO_STEP, Step, TraceList, TraceOf, Traces, Tree, Which, list as traces};
use crate::format;
use crate::model::{Profile, RequestId};
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::text::TextCache;
use crate::ui::theme::space;
use crate::ui::widgets::{combo, icon_button, link_button, segmented};
use crate::views::parts::weak;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "trace",
    title: "Trace",
    about: "Steps of a conversation or a run of an agent: calls, tools, messages, and who called whom",
    needs,
    make: || Box::new(TraceView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffTraces::default())),
};

fn needs(profile: &Profile) -> Result<(), &'static str> {
    let has_spans =
        || profile.track_ids().any(|id| holds_work(profile, id) && !profile.track(id).spans.rows.is_empty());
    if !profile.requests.rows.is_empty() || has_spans() {
        return Ok(());
    }
    Err(
        "This file has no calls of a language model and no spans; open a trace of OpenTelemetry, Langfuse or LangSmith, or \
         record a run.",
    )
}

/// Traces that the menu lists.
const LISTED: usize = 200;

/// How a trace is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Its steps as a tree.
    #[default]
    Steps,
    /// Who called whom.
    Sequence,
}

/// The view.
#[derive(Default)]
struct TraceView {
    mode: Mode,
    /// What the person chose, or what was selected last.
    chosen: Option<Which>,
    folds: Folds,
    /// The rows, and what they were made of.
    listed: Option<Made>,
    /// How much went into the steps that were seen and came out of them, by their keys.
    counts: FxHashMap<u64, (usize, usize)>,
    /// The row that the keyboard is on.
    cursor: Option<usize>,
    /// Bring the row of the selection into view.
    reveal: bool,
    /// The row to bring into view, and where.
    scroll_to: Option<(usize, Option<egui::Align>)>,
    /// The step whose sequence is shown, by its key; `None` for the whole trace.
    root: Option<u64>,
    /// The trace of the last frame.
    shown: Option<(Which, Arc<Tree>)>,
    texts: TextCache,
}

/// Rows, and what they were made of.
struct Made {
    tree: Arc<Tree>,
    changes: u64,
    width: i32,
    rows: Listed,
}

/// What a frame is drawn from.
struct Frame {
    list: Arc<TraceList>,
    which: Which,
    tree: Arc<Tree>,
    bill: Option<Arc<Billing>>,
    /// Requests that search, filter and range leave; `None` for all.
    asked: Option<Arc<crate::analysis::requests::RequestList>>,
    /// The step that is selected.
    selected: Option<u32>,
    /// The step whose sequence is shown.
    root: u32,
    sequence: Option<Arc<Sequence>>,
}

impl Frame {
    /// True for a request that search, filter or range leave out.
    fn is_left_out(&self, step: &Step) -> bool {
        let Some((asked, id)) = self.asked.as_ref().zip(step.request) else { return false };
        asked.by_arrival.binary_search(&id).is_err()
    }
}

/// What a click on a step selects.
fn item(profile: &Profile, step: &Step) -> Option<Item> {
    match (step.request, step.place) {
        (Some(id), _) => Some(Item::of_request(id, profile)),
        (None, Some((track, row))) => Item::of_span(track, row, profile),
        (None, None) => None,
    }
}

/// The step that an item is.
fn step_of(profile: &Profile, tree: &Tree, item: &Item) -> Option<u32> {
    let request = item.request(profile);
    let place = item.span(profile);
    let is = |s: &Step| request.is_some() && s.request == request || place.is_some() && s.place == place;
    tree.steps.iter().position(is).map(|at| at as u32)
}

impl View for TraceView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(frame) = self.frame(cx, ui) else { return };
        self.header(cx, ui, &frame);
        if frame.tree.steps.is_empty() {
            shared::requests::none(ui);
            return;
        }
        head::show(ui, &frame.tree.totals, frame.tree.dated);
        if frame.tree.cut {
            let text = "The trace has more spans than are looked at here: the first 200,000 are.";
            crate::views::parts::remark(ui, text);
        }
        ui.add_space(space::SMALL);
        match self.mode {
            Mode::Steps => self.list(cx, ui, &frame),
            Mode::Sequence => self.sequence(cx, ui, &frame),
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "mode": self.mode })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        let mode = saved.get("mode").cloned().unwrap_or_default();
        self.mode = serde_json::from_value(mode).unwrap_or_default();
    }
}

impl TraceView {
    /// Asks for all that is shown.
    fn frame(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) -> Option<Frame> {
        let list = cx.ask(&Traces { asked: cx.asked() }, 0).content(ui, "Finding traces")?;
        let news = cx.selected_elsewhere();
        if news {
            self.turn_to(cx, &list);
        }
        let Some(which) = self.chosen.clone().or_else(|| list.first().map(|h| h.which.clone())) else {
            shared::requests::none(ui);
            return None;
        };
        let question = TraceOf { which: which.clone(), prices: cx.prices.clone() };
        let tree = cx.ask(&question, 1).content(ui, "Putting the trace together")?;
        self.shown = Some((which.clone(), tree.clone()));
        let bill = cx.ask(&Bill { prices: cx.prices.clone() }, 2).beside();
        let now = cx.interaction;
        let narrowed = now.range.is_some() || !now.search.is_empty() || !now.requests.is_empty();
        let asked = || cx.ask(&RequestTable::of(cx.asked()), 3).beside();
        let asked = if narrowed { asked() } else { None };
        let selected = now.selection.as_ref().and_then(|item| step_of(cx.profile(), &tree, item));
        if news && let Some(step) = selected {
            self.root = Some(tree.steps[caller(&tree, step) as usize].key);
        }
        let root = tree.steps.iter().position(|s| Some(s.key) == self.root).unwrap_or(0) as u32;
        let sequence = match (self.mode, tree.steps.get(root as usize)) {
            (Mode::Sequence, Some(step)) => {
                let sequence = cx.ask(&SequenceOf { trace: question, key: step.key }, 4);
                Some(sequence.content(ui, "Finding who called whom")?)
            }
            _ => None,
        };
        Some(Frame { list, which, tree, bill, asked, selected, root, sequence })
    }

    /// Shows the trace of what was selected elsewhere, unless it is in what is shown.
    fn turn_to(&mut self, cx: &ViewCx<'_>, list: &TraceList) {
        self.reveal = true;
        let (profile, Some(item)) = (cx.profile(), cx.interaction.selection.as_ref()) else { return };
        let is_here = |(_, tree): &(Which, Arc<Tree>)| step_of(profile, tree, item).is_some();
        if self.shown.as_ref().is_some_and(is_here) {
            return;
        }
        let found = match (item.request(profile), item.span(profile)) {
            (Some(id), _) => list.of_request(id).cloned(),
            (None, Some(place)) => traces::of_span(profile, place),
            (None, None) => None,
        };
        self.chosen = found.or_else(|| self.chosen.take());
    }

    fn header(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
        shared::header(ui, |ui| {
            let modes = [(Mode::Steps, "Steps"), (Mode::Sequence, "Sequence")];
            segmented(ui, "Form of the trace", &mut self.mode, &modes);
            self.choice(ui, frame);
            if self.mode == Mode::Sequence && frame.root != 0 {
                let name = frame.tree.steps[frame.root as usize].name(cx.profile());
                weak(ui, &format!("Sequence of {}", format::short(name, 40)));
                if link_button(ui, "whole trace").clicked() {
                    self.root = None;
                }
            }
            if self.mode == Mode::Steps
                && let Some(made) = &self.listed
            {
                let bill = frame.bill.as_deref();
                let copied = |form| copy::text(cx.profile(), bill, &frame.tree, &made.rows, form);
                if icon_button(ui, Icon::Copy, "Copy the steps as Markdown").clicked() {
                    ui.ctx().copy_text(copied(Form::Markdown));
                }
            }
            shared::requests::filters(cx, ui);
        });
    }

    /// Which trace is shown.
    fn choice(&mut self, ui: &mut Ui, frame: &Frame) {
        let heads = &frame.list.heads;
        let at = heads.iter().position(|h| h.which == frame.which);
        let shown = at.map_or_else(|| "Selected".to_owned(), |at| short(&heads[at]));
        let mut next = None;
        let field = combo("trace").width(220.0).selected_text(shown).show_ui(ui, |ui| {
            ScrollArea::vertical().max_height(420.0).show(ui, |ui| {
                for (n, head) in heads.iter().enumerate().take(LISTED) {
                    if ui.selectable_label(at == Some(n), text(head)).clicked() {
                        next = Some(n);
                    }
                }
                let more = heads.len().saturating_sub(LISTED) + frame.list.left_out;
                if more > 0 {
                    let more = format::counted(more as i64, "trace", "traces");
                    weak(ui, &format!("{more} more: search or filter requests to find them"));
                }
            });
        });
        field.response.accessible_name("Trace or session");
        if heads.len() > 1 {
            let here = at.unwrap_or(0);
            let back = icon_button(ui, Icon::ChevronLeft, "Previous trace").clicked();
            let on = icon_button(ui, Icon::ChevronRight, "Next trace").clicked();
            if back || on {
                let step = if on { 1 } else { heads.len() - 1 };
                next = Some((here + step) % heads.len());
            }
        }
        if let Some(head) = next.and_then(|n| heads.get(n)) {
            self.chosen = Some(head.which.clone());
            (self.cursor, self.root) = (None, None);
        }
    }
}

/// The step whose sequence tells of a step: itself where it calls somebody, else its caller.
fn caller(tree: &Tree, step: u32) -> u32 {
    let at = &tree.steps[step as usize];
    let calls = at.request.is_some()
        || tree.steps[step as usize + 1..at.below as usize].iter().any(|s| s.kind.is_step());
    let above = |&i: &u32| Some(tree.steps[i as usize].parent).filter(|&p| p != NO_STEP);
    let mut callers = std::iter::successors(above(&step), above);
    if calls { step } else { callers.find(|&i| tree.steps[i as usize].shown).unwrap_or(step) }
}

/// A trace on the button.
fn short(head: &Head) -> String {
    let kind = if matches!(head.which, Which::Session(_)) { "Session " } else { "" };
    format!("{kind}{}", format::short(&head.name, 40))
}

/// A trace in the menu.
fn text(head: &Head) -> String {
    let mut words = vec![short(head)];
    if head.calls > 0 {
        words.push(format::counted(head.calls as i64, "call", "calls"));
    } else if head.steps > 0 {
        words.push(format::counted(head.steps as i64, "step", "steps"));
    }
    words.extend(head.length().map(format::duration));
    if head.failed > 0 {
        words.push(format!("{} failed", format::count(head.failed as i64)));
    }
    words.join(" · ")
}

/// The request that a step is.
fn request<'a>(profile: &'a Profile, step: &Step) -> Option<(RequestId, &'a crate::model::Request)> {
    let id = step.request?;
    Some((id, profile.requests.get(id)?))
}
