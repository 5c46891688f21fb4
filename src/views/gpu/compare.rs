//! What GPUs did in two runs.

use std::cmp::Reverse;

use egui::Ui;

use crate::analysis::diff::Two;
use crate::analysis::gpu::GpuBusy;
use crate::analysis::kernels::{GpuWorkTable, WorkClass, WorkTable};
use crate::analysis::launches::{Launches, LaunchesIn};
use crate::analysis::matches::{MatchQuery, Matches};
use crate::analysis::overview::Distribution;
use crate::model::Unit;
use crate::query::Pair;
use crate::views::parts::{card, remark};
use crate::views::shared::board::{Board, GAP, scrolled};
use crate::views::shared::figures::{TwoFigure, two_costs, two_figures};
use crate::views::shared::pair;
use crate::views::{View, ViewCx};

/// The view.
#[derive(Default)]
pub struct DiffGpu {
    board: Board,
}

/// Kernels that are listed.
const LISTED: usize = 16;

impl View for DiffGpu {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        let asked = GpuWorkTable(cx.interaction.range);
        let Some([in_base, in_head]) = cx.both(ui, &asked, 0, "Adding up kernels") else { return };
        let Some(matches) = cx.ask_pair(&MatchQuery, 1).content(ui, "Pairing kernels") else { return };
        let [of_base, of_head] = cx.both_beside(&LaunchesIn(cx.interaction.range), 2);
        let launches = [of_base.as_deref(), of_head.as_deref()];
        let told = launches.iter().flatten().any(|l| l.latency.is_some());
        let tables = [&*in_base, &*in_head];
        scrolled(ui, |ui| {
            self.board.show(ui, if told { 3 } else { 2 }, |i, ui| match i {
                0 => card(ui, "Busy and idle", |ui| {
                    let sum = |of: fn(&GpuBusy) -> i64| {
                        let [base, head] = tables
                            .map(|t| t.gpus.iter().map(|g| of(&g.busy)).fold(0i64, i64::saturating_add));
                        Two::both(base, head)
                    };
                    let rows = [("Busy", sum(|g| g.busy)), ("Idle", sum(|g| g.idle))];
                    two_figures(ui, rows.map(|(name, values)| time(name, values)));
                    remark(ui, "Sums over all GPUs.");
                }),
                1 => card(ui, "Classes of work", |ui| classes(ui, tables)),
                _ => card(ui, "From launch to start", |ui| launched(ui, launches)),
            });
            // Names of kernels are long, and their ends tell them apart.
            ui.add_space(GAP);
            card(ui, "Kernels and copies", |ui| kernels(ui, &pair, &matches, tables));
        });
    }
}

fn time(name: &str, values: Two<i64>) -> TwoFigure<'_> {
    TwoFigure { name, unit: Unit::Nanoseconds, values, about: "" }
}

/// From a launch to its work, and idle time by what it waited for.
fn launched(ui: &mut Ui, both: [Option<&Launches>; 2]) {
    type Statistic = (&'static str, fn(&Distribution) -> f64);
    let two = |of: &dyn Fn(&Launches) -> Option<i64>| {
        let [base, head] = both.map(|l| l.filter(|l| l.latency.is_some()).and_then(of));
        Two { base, head }
    };
    let statistics: [Statistic; 3] = [("median", |d| d.p50), ("p95", |d| d.p95), ("longest", |d| d.max)];
    let mut rows: Vec<(String, Two<i64>)> = Vec::new();
    for (name, value) in statistics {
        let of = |d: Option<Distribution>| d.map(|d| value(&d).round() as i64);
        rows.push((name.to_owned(), two(&|l| of(l.latency))));
    }
    rows.push(("free stream".into(), two(&|l| l.free.map(|d| d.p50.round() as i64))));
    rows.push(("idle, no launch".into(), two(&|l| Some(l.gaps.not_launched))));
    rows.push(("idle, starting".into(), two(&|l| Some(l.gaps.starting))));
    rows.push(("idle, queued".into(), two(&|l| Some(l.gaps.queued))));
    rows.push(("idle, unknown".into(), two(&|l| Some(l.gaps.unknown))));
    let told = rows.iter().filter(|r| r.1.base.unwrap_or(0) != 0 || r.1.head.unwrap_or(0) != 0);
    two_figures(ui, told.map(|(name, values)| time(name, *values)));
    remark(
        ui,
        "Free stream: the median where the stream had nothing to do. Idle time between the first and the last work: nothing launched yet, launched and \
         starting, launched before the gap began.",
    );
}

fn classes(ui: &mut Ui, tables: [&WorkTable; 2]) {
    let of = |class| {
        let [base, head] = tables.map(|t| t.of(class).0);
        Two::both(base, head)
    };
    let rows = WorkClass::ALL.into_iter().map(|class| (class.name(), of(class)));
    let told = rows.filter(|r| r.1 != Two::both(0, 0));
    two_figures(ui, told.map(|(name, values)| time(name, values)));
}

/// Work by function, largest change first; kernels pair as functions do everywhere.
fn kernels(ui: &mut Ui, pair: &Pair, matches: &Matches, tables: [&WorkTable; 2]) {
    let of = |table: &WorkTable| table.rows.iter().map(|row| (row.function, ())).collect::<Vec<_>>();
    let mut rows: Vec<(String, Two<i64>)> = pair::paired(matches, [&of(tables[0]), &of(tables[1])])
        .into_iter()
        .map(|at| {
            let row =
                Two { base: at.base.map(|i| &tables[0].rows[i]), head: at.head.map(|i| &tables[1].rows[i]) };
            (pair::function_name(pair, row.map(|r| r.function)), row.map(|r| r.total))
        })
        .collect();
    let change = |v: &Two<i64>| (v.head.unwrap_or(0) - v.base.unwrap_or(0)).unsigned_abs();
    rows.sort_by_key(|r| Reverse(change(&r.1)));
    two_costs(ui, rows.iter().take(LISTED).map(|(name, values)| time(name, *values)));
    if rows.len() > LISTED {
        remark(ui, &format!("{} more whose time changed less.", rows.len() - LISTED));
    }
}
