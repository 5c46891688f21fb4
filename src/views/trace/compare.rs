//! A trace of two runs: their steps beside each other, with what each takes more.

use std::cmp::Reverse;

use egui::Ui;

use super::{item, short};
use crate::analysis::billing::Billing;
use crate::analysis::diff::traces::{DiffTrace, SameTraces, StepPair, TwoTraces};
use crate::analysis::diff::{State, Two};
use crate::analysis::trace::{Head, Step, Traces, Tree, Which, list as traces};
use crate::format::{self, Column, Look, UNKNOWN, Value};
use crate::model::{Better, Request, RequestId, Unit};
use crate::query::Pair;
use crate::state::Item;
use crate::ui::theme::Palette;
use crate::ui::widgets::combo;
use crate::views::shared;
use crate::views::shared::branch::{Branch, function_cell};
use crate::views::shared::grid::{self, Grid, GridState, Mark, walk};
use crate::views::shared::menu::{ContextMenu, Picked};
use crate::views::shared::pair::{self, Written};
use crate::views::{View, ViewCx};

/// The view.
#[derive(Default)]
pub(super) struct DiffTraces {
    /// The trace of a run, and whether that is the baseline.
    of: Option<(bool, Which)>,
    grid: GridState,
    reveal: bool,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    columns: std::collections::BTreeMap<String, bool>,
}

impl View for DiffTraces {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        let list = cx.ask(&Traces { asked: cx.asked() }, 0).content(ui, "Finding traces");
        let Some(list) = list else { return };
        if cx.selected_elsewhere() {
            self.reveal = true;
            let item = cx.interaction.selection.clone();
            let of = |base: bool| {
                let (profile, item) = (&pair.run(base).profile, item.as_ref()?);
                let by_span = item.span(profile).and_then(|place| traces::of_span(profile, place));
                let by_request = || {
                    let id = item.request(profile)?;
                    if base { None } else { list.of_request(id).cloned() }
                };
                by_span.or_else(by_request).map(|which| (base, which))
            };
            self.of = of(false).or_else(|| of(true)).or_else(|| self.of.take());
        }
        let Some(same) = cx.ask_pair(&SameTraces { asked: cx.asked() }, 2).content(ui, "Pairing traces")
        else {
            return;
        };
        let query = DiffTrace { of: self.of.clone(), asked: cx.asked() };
        let Some(found) = cx.ask_pair(&query, 1).content(ui, "Comparing traces") else { return };
        shared::header(ui, |ui| {
            self.choice(ui, &same, &found.which);
            shared::requests::filters(cx, ui);
        });
        if found.rows.is_empty() {
            shared::requests::none(ui);
            return;
        }
        let footer = footer(&found);
        let rows = Rows::new(cx, &pair, &found);
        let mut happened = None;
        shared::with_footer(ui, &footer, |ui| happened = Some(self.table(ui, rows)));
        let Some((row, hovered)) = happened else { return };
        cx.out.hover =
            hovered.and_then(|row| item_of(&pair, &found, found.rows[row])).or(cx.out.hover.take());
        if let Some(item) = row.and_then(|row| item_of(&pair, &found, found.rows[row])) {
            cx.select(Some(item));
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(Saved { columns: self.grid.shown.clone() }).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            self.grid.shown = saved.columns;
        }
    }
}

/// What a row selects: of a step of both runs that of the new one.
fn item_of(pair: &Pair, found: &TwoTraces, row: StepPair) -> Option<Item> {
    let side = |base: bool| {
        let (tree, at) = match base {
            true => (found.trees.base.as_ref()?, row.steps.base?),
            false => (found.trees.head.as_ref()?, row.steps.head?),
        };
        item(&pair.run(base).profile, &tree.steps[at as usize])
    };
    side(false).or_else(|| side(true))
}

/// «Δ = head − base · 12 steps: 2 new, 1 gone».
fn footer(found: &TwoTraces) -> String {
    let only = |state| found.rows.iter().filter(|r| r.steps.state() == Some(state)).count() as i64;
    let count = format::count;
    let steps = format::counted(found.rows.len() as i64, "step", "steps");
    format!("Δ = head − base · {steps}: {} new, {} gone", count(only(State::New)), count(only(State::Gone)))
}

impl DiffTraces {
    /// The traces of both, those that changed most first.
    fn choice(&mut self, ui: &mut Ui, same: &[Two<Head>], which: &Two<Which>) {
        let is = |both: &Two<Head>| {
            let of = |head: &Option<Head>| head.as_ref().map(|h| h.which.clone());
            (of(&both.base), of(&both.head)) == (which.base.clone(), which.head.clone())
        };
        let at = same.iter().position(is);
        let shown = at.and_then(|at| same[at].head.as_ref().or(same[at].base.as_ref()));
        let shown = shown.map_or_else(|| "Trace".to_owned(), short);
        let field = combo("trace").width(220.0).selected_text(shown).show_ui(ui, |ui| {
            let mut order: Vec<usize> = (0..same.len()).collect();
            let size = |&n: &usize| {
                let length = |head: &Option<Head>| head.as_ref().and_then(Head::length).unwrap_or(0);
                Reverse(length(&same[n].head).abs_diff(length(&same[n].base)))
            };
            order.sort_by_key(size);
            egui::ScrollArea::vertical().max_height(420.0).show(ui, |ui| {
                for n in order.into_iter().take(super::LISTED) {
                    if ui.selectable_label(at == Some(n), both_words(&same[n])).clicked() {
                        let head = same[n].head.as_ref().map(|h| (false, h.which.clone()));
                        self.of = head.or_else(|| same[n].base.as_ref().map(|h| (true, h.which.clone())));
                    }
                }
            });
        });
        field.response.accessible_name("Trace or session");
        if which.base.is_none() || which.head.is_none() {
            let side = if which.base.is_none() { "base" } else { "head" };
            pair::weak(ui, &format!("{side} has no such trace"));
        }
    }

    /// Shows the rows; which one was chosen, and which one the pointer is on.
    fn table(&mut self, ui: &mut Ui, mut rows: Rows<'_, '_>) -> (Option<usize>, Option<usize>) {
        let columns = rows.columns();
        let selected = (0..rows.found.rows.len()).find(|&at| grid::Rows::mark(&rows, at).selected);
        if std::mem::take(&mut self.reveal) {
            self.grid.scroll_to = selected;
        }
        let count = rows.found.rows.len();
        let grid = Grid { salt: "steps of two", name: "Steps of both runs", columns: &columns, rows: count };
        let happened = grid.show(ui, &mut self.grid, &mut rows);
        let next = if happened.focused { walk(ui, selected, count, happened.page) } else { None };
        self.grid.scroll_to = next.or(self.grid.scroll_to);
        (happened.clicked.or(next), happened.hovered)
    }
}

/// A trace of both runs in the menu: «agent · 1.20 s → 1.50 s (+25.0 %) · 1 failed in head».
fn both_words(both: &Two<Head>) -> String {
    let Some(head) = both.head.as_ref().or(both.base.as_ref()) else { return String::new() };
    let mut words = vec![short(head)];
    let length = Two {
        base: both.base.as_ref().and_then(Head::length),
        head: both.head.as_ref().and_then(Head::length),
    };
    let time = |ns: Option<i64>| ns.map_or_else(|| UNKNOWN.to_owned(), format::duration);
    words.push(match both.state() {
        Some(State::Both) => {
            let of = |head: &Option<Head>| head.as_ref().map(|h| h.failed);
            // Of one that failed in one run alone the times say nothing.
            let fair = of(&both.base) == of(&both.head);
            let change = length.relative().filter(|_| fair);
            let change = change.map(|r| format!(" ({})", format::percent_change(r)));
            format!("{} → {}{}", time(length.base), time(length.head), change.unwrap_or_default())
        }
        Some(State::New) => format!("new, {}", time(length.head)),
        _ => format!("gone, {}", time(length.base)),
    });
    for (head, side) in [(&both.base, "base"), (&both.head, "head")] {
        if let Some(n) = head.as_ref().map(|h| h.failed).filter(|&n| n > 0) {
            words.push(format!("{} failed in {side}", format::count(n as i64)));
        }
    }
    words.join(" · ")
}

/// The rows of the table.
struct Rows<'a, 'b> {
    cx: &'a mut ViewCx<'b>,
    pair: &'a Pair,
    found: &'a TwoTraces,
}

type Steps<'a> = Column<'a, StepPair, ()>;

fn took(_: &Tree, _: &Billing, step: &Step) -> Option<f64> {
    step.duration().map(|ns| ns as f64)
}

/// How long a step took in each run.
fn took_of(pair: &Pair, found: &TwoTraces, row: StepPair) -> Two<f64> {
    with_elsewhere(pair, row, found.figure(row, took), |r, _, _| r.latency().map(|ns| ns as f64))
}

fn cost(_: &Tree, bill: &Billing, step: &Step) -> Option<f64> {
    Some(bill.cost(step.request?)?.nano() as f64)
}

/// A figure of a row, with that of the same request in another trace where the step is not in this one.
fn with_elsewhere(
    pair: &Pair,
    row: StepPair,
    of: Two<f64>,
    elsewhere: impl Fn(&Request, RequestId, bool) -> Option<f64>,
) -> Two<f64> {
    let Some(id) = row.elsewhere else { return of };
    let side = |base: bool| {
        let request = pair.run(base).profile.requests.get(id)?;
        elsewhere(request, id, base)
    };
    match row.steps.state() {
        Some(State::Gone) => Two { head: side(false), ..of },
        Some(State::New) => Two { base: side(true), ..of },
        _ => of,
    }
}

/// Whether a step failed, in each run that has it.
fn failed(found: &TwoTraces, row: StepPair) -> Two<bool> {
    found.figure(row, |_, _, step| Some(step.failed))
}

/// head − base. What a run lacks took nothing there and cost nothing; what one does not say is unknown, and so is what a step
/// that failed in one of both would have taken.
fn change(found: &TwoTraces, row: StepPair, of: Two<f64>) -> Option<f64> {
    let alone = row.elsewhere.is_none() && row.steps.state() != Some(State::Both);
    let failed = failed(found, row);
    let fair = failed.state() != Some(State::Both) || failed.base == failed.head;
    of.change().filter(|_| fair && (alone || of.state() == Some(State::Both)))
}

impl<'a, 'b> Rows<'a, 'b> {
    fn new(cx: &'a mut ViewCx<'b>, pair: &'a Pair, found: &'a TwoTraces) -> Self {
        Self { cx, pair, found }
    }

    fn step(&self, row: StepPair) -> Option<(&'a Step, bool)> {
        let of = |base: bool| {
            let (tree, at) = match base {
                true => (self.found.trees.base.as_ref()?, row.steps.base?),
                false => (self.found.trees.head.as_ref()?, row.steps.head?),
            };
            Some((tree.steps.get(at as usize)?, base))
        };
        of(false).or_else(|| of(true))
    }

    fn name(&self, row: StepPair) -> String {
        let Some((step, base)) = self.step(row) else { return String::new() };
        let name = match step.name(&self.pair.run(base).profile) {
            "" => "conversation",
            name => name,
        };
        format!("{} {name}", step.kind.name())
    }

    fn columns(&self) -> Vec<Steps<'a>> {
        let (found, pair) = (self.found, self.pair);
        let tokens = move |row: StepPair| {
            let side = |base: bool| {
                let (tree, at) = match base {
                    true => (found.trees.base.as_ref()?, row.steps.base?),
                    false => (found.trees.head.as_ref()?, row.steps.head?),
                };
                let r = pair.run(base).profile.requests.get(tree.steps[at as usize].request?)?;
                Some(r.tokens.prompt().unwrap_or(0).saturating_add(r.tokens.output?) as f64)
            };
            let all =
                |r: &Request| Some(r.tokens.prompt().unwrap_or(0).saturating_add(r.tokens.output?) as f64);
            let of = Two { base: side(true), head: side(false) };
            with_elsewhere(pair, row, of, |r, _, _| all(r))
        };
        let of = move |row: StepPair| took_of(pair, found, row);
        let paid = move |row: StepPair| {
            with_elsewhere(pair, row, found.figure(row, cost), |_, id, base| {
                let bills = if base { &found.bills.base } else { &found.bills.head };
                Some(bills.as_ref()?.cost(id)?.nano() as f64)
            })
        };
        let most = |of: &dyn Fn(StepPair) -> Two<f64>| {
            let rows = found.rows.iter().map(|r| of(*r));
            rows.flat_map(|t| [t.base, t.head]).flatten().fold(0.0, f64::max)
        };
        let moved = |of: &dyn Fn(StepPair) -> Two<f64>| {
            found.rows.iter().filter_map(|r| change(found, *r, of(*r))).map(f64::abs).fold(0.0, f64::max)
        };
        let written = |unit: Unit, of: &dyn Fn(StepPair) -> Two<f64>| Written::new([unit; 2], true, most(of));
        let (time, count, money) = (
            written(Unit::Nanoseconds, &of),
            written(Unit::Count, &tokens),
            written(Unit::NanoDollars, &paid),
        );
        let state = move |row: StepPair| {
            let failed = failed(found, row);
            match (row.steps.state(), row.elsewhere) {
                (_, Some(_)) => "moved",
                _ if failed.head == Some(true) => "failed",
                (Some(State::Both), _) if failed.base == Some(true) => "failed before",
                (Some(State::Both) | None, _) => "",
                (Some(only), _) => only.key(),
            }
        };
        let mut columns = vec![
            Column::name("name", "Step", move |_: StepPair| Value::Empty).room(26.0),
            pair::state(
                "new: only head has it. gone: only base has it. moved: the other run has the same request in another \
                 trace. failed: in head.",
                state,
            )
            .room(8.0),
            Column::cost("base", "Took base", time.cost(true), move |row| Value::number(of(row).base))
                .room(15.0)
                .rank(2),
            Column::cost("head", "Took head", time.cost(false), move |row| Value::number(of(row).head))
                .room(15.0)
                .rank(1),
            Column::cost("delta", "Δ", time.change(), move |row| Value::number(change(found, row, of(row))))
                .look(Look::Change(moved(&of), Better::Lower))
                .quiet(move |row| pair::is_noise(of(row)))
                .room(14.0)
                .hint("head − base"),
        ];
        if most(&tokens) > 0.0 {
            columns.push(
                Column::cost("tokens", "Δ tokens", count.change(), move |row| {
                    Value::number(change(found, row, tokens(row)))
                })
                .look(Look::Change(moved(&tokens), Better::Neutral))
                .room(13.0)
                .rank(3)
                .hint("Input and output tokens: head − base"),
            );
        }
        if most(&paid) > 0.0 {
            columns.push(
                Column::cost("cost", "Δ cost", money.change(), move |row| {
                    Value::number(change(found, row, paid(row)))
                })
                .look(Look::Change(moved(&paid), Better::Lower))
                .room(13.0)
                .rank(4)
                .hint("What the request cost: head − base"),
            );
        }
        columns
    }
}

impl grid::Rows for Rows<'_, '_> {
    type Row = StepPair;

    fn row(&self, at: usize) -> StepPair {
        self.found.rows[at]
    }

    fn mark(&self, at: usize) -> Mark {
        let Some(item) = item_of(self.pair, self.found, self.row(at)) else { return Mark::default() };
        let selected = self.cx.interaction.selection.as_ref() == Some(&item);
        Mark { selected, lit: self.cx.hover == Some(&item) }
    }

    fn label(&self, at: usize) -> String {
        let row = self.row(at);
        let of = took_of(self.pair, self.found, row);
        let side =
            |value: Option<f64>| value.map_or_else(|| UNKNOWN.to_owned(), |v| format::duration(v as i64));
        let change = change(self.found, row, of).map_or_else(String::new, |change| {
            format!(", change {}", pair::signed(Unit::Nanoseconds, Some(change)))
        });
        format!("{}, base {}, head {}{change}", self.name(row), side(of.base), side(of.head))
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        if column != "name" {
            return false;
        }
        let row = self.row(at);
        let label = self.name(row);
        let line = Branch {
            depth: row.depth,
            label: &label,
            has_children: false,
            expanded: false,
            found: None,
            gap: None,
        };
        function_cell(ui, &line, Palette::of(ui));
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let name = self.name(self.row(at));
        ContextMenu::new().title(name.clone()).copies("Copy name", name).row().table().show(
            self.cx,
            ui,
            |_, _| (),
        )
    }
}
