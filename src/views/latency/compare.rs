//! Where the time of requests goes in two runs.

use egui::Ui;

use super::{cards::readable, question};
use crate::analysis::definitions as say;
use crate::analysis::diff::Two;
use crate::analysis::latency::{Latency, PhaseSums};
use crate::analysis::overview::Distribution;
use crate::model::Unit;
use crate::views::parts::{card, remark};
use crate::views::shared::board::{Board, scrolled};
use crate::views::shared::figures::{TwoFigure, two_figures};
use crate::views::{View, ViewCx, shared};

/// The view.
#[derive(Default)]
pub struct DiffLatency {
    board: Board,
}

type Both<'a> = Two<&'a Latency>;
/// A statistic with its name.
type Statistic = (&'static str, fn(&Distribution) -> f64);

impl View for DiffLatency {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| shared::requests::filters(cx, ui));
        let asked = question(cx);
        let Some([in_base, in_head]) = cx.both(ui, &asked, 0, "Adding up phases") else { return };
        let both = Two { base: Some(&*in_base), head: Some(&*in_head) };
        scrolled(ui, |ui| {
            let named = in_base.of_run.is_some() || in_head.of_run.is_some();
            self.board.show(ui, if named { 5 } else { 4 }, |i, ui| match i {
                3 => card(ui, "Queued, busy, awaited", |ui| {
                    activity(ui, both);
                    remark(ui, say::ACTIVITY);
                }),
                4 => card(ui, "Phases of the run", |ui| {
                    phases(ui, both, |l| l.of_run.as_ref());
                    remark(ui, say::RUN_PHASES);
                }),
                0 => card(ui, "Where the time goes", |ui| {
                    phases(ui, both, |l| Some(&l.of_requests));
                    remark(ui, "Sums over requests that ended well.");
                }),
                1 => card(ui, "Percentiles", |ui| percentiles(ui, both)),
                _ => card(ui, "What the first token waits for, on average", |ui| first_token(ui, both)),
            });
        });
    }
}

/// A figure of both.
fn of(both: Both<'_>, value: impl Fn(&Latency) -> Option<i64>) -> Two<i64> {
    Two { base: both.base.and_then(&value), head: both.head.and_then(&value) }
}

fn phases(ui: &mut Ui, both: Both<'_>, sums: fn(&Latency) -> Option<&PhaseSums>) {
    let mut names: Vec<&str> = Vec::new();
    let all = [both.head, both.base].into_iter().flatten().filter_map(sums);
    for phase in all.flat_map(|sums| &sums.phases) {
        if phase.time != 0 && !names.contains(&phase.name.as_str()) {
            names.push(&phase.name);
        }
    }
    let words: Vec<String> = names.iter().map(|name| readable(name)).collect();
    let time = |name: &str| of(both, |l| sums(l)?.phases.iter().find(|p| p.name == name).map(|p| p.time));
    let figure = |name, values| TwoFigure { name, unit: Unit::Nanoseconds, values, about: "" };
    let rows = names.iter().zip(&words).map(|(name, words)| figure(words.as_str(), time(name)));
    two_figures(ui, rows.chain([figure("in all", of(both, |l| Some(sums(l)?.total)))]));
}

/// What requests did with their time.
fn activity(ui: &mut Ui, both: Both<'_>) {
    let rows = (0..3).map(|i| {
        let values = of(both, |l| Some(l.activity.parts()[i].1));
        let name = crate::analysis::latency::Activity::default().parts()[i].0;
        TwoFigure { name, unit: Unit::Nanoseconds, values, about: say::ACTIVITY }
    });
    let told = rows.filter(|r| r.values.base.unwrap_or(0) != 0 || r.values.head.unwrap_or(0) != 0);
    two_figures(ui, told);
}

fn percentiles(ui: &mut Ui, both: Both<'_>) {
    let figures = [
        ("TTFT", "ttft", say::TTFT),
        ("TPOT", "tpot", say::TPOT),
        ("Latency", "latency", say::LATENCY),
        ("Queued", "queue", say::QUEUED),
        ("Chunk gap", "chunk_gap", say::CHUNK_GAP),
    ];
    let statistics: [Statistic; 3] = [("p50", |d| d.p50), ("p95", |d| d.p95), ("p99", |d| d.p99)];
    let mut rows = Vec::new();
    for (title, key, about) in figures {
        for (name, value) in statistics {
            let values = of(both, |l| {
                let spread = l.spreads.iter().find(|s| s.name == key)?;
                spread.values.as_ref().map(|d| value(d).round() as i64)
            });
            if values.base.is_some() || values.head.is_some() {
                rows.push((format!("{title} {name}"), values, about));
            }
        }
    }
    let figure = |(name, values, about)| TwoFigure { name, unit: Unit::Nanoseconds, values, about };
    two_figures(ui, rows.iter().map(|r| figure((r.0.as_str(), r.1, r.2))));
}

fn first_token(ui: &mut Ui, both: Both<'_>) {
    let mean = |value: fn(&crate::analysis::latency::FirstToken) -> i64| {
        of(both, |l| {
            let first = &l.first_token;
            (first.requests > 0).then(|| (value(first) as f64 / first.requests as f64).round() as i64)
        })
    };
    let rows = [
        ("queued", mean(|f| f.queue)),
        ("loading the model", mean(|f| f.load)),
        ("prefill", mean(|f| f.prefill)),
        ("the rest", mean(|f| f.rest)),
        ("in all", mean(|f| f.total)),
    ];
    let told = rows.into_iter().filter(|r| r.1.base.unwrap_or(0) != 0 || r.1.head.unwrap_or(0) != 0);
    two_figures(
        ui,
        told.map(|(name, values)| TwoFigure { name, unit: Unit::Nanoseconds, values, about: "" }),
    );
}
