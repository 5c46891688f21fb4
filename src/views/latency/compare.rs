//! Where the time of requests goes in two runs.

use egui::Ui;

use super::{cards::readable, question};
use crate::analysis::definitions as say;
use crate::analysis::diff::Two;
use crate::analysis::latency::{FirstToken, Latency, PhaseSums, UNACCOUNTED};
use crate::analysis::load::{Little, Load, RequestLoad};
use crate::analysis::overview::Distribution;
use crate::model::Unit;
use crate::ui::theme::Palette;
use crate::views::parts::{card, remark};
use crate::views::shared::board::{Board, scrolled};
use crate::views::shared::figures::{Line, TwoFigure, show_lines, two_figures};
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
        // A run without requests spent no time on them: nothing is known of any.
        let has = |base: bool| {
            cx.subject.pair().is_some_and(|pair| !pair.run(base).profile.requests.rows.is_empty())
        };
        let both =
            Two { base: Some(&*in_base).filter(|_| has(true)), head: Some(&*in_head).filter(|_| has(false)) };
        let load = cx.both_beside(&RequestLoad { asked: cx.asked() }, 1);
        let load = Two {
            base: load[0].as_deref().filter(|_| both.base.is_some()),
            head: load[1].as_deref().filter(|_| both.head.is_some()),
        };
        scrolled(ui, |ui| {
            let named = in_base.of_run.is_some() || in_head.of_run.is_some();
            self.board.show(ui, if named { 6 } else { 5 }, |i, ui| match i {
                3 => card(ui, "Queued, busy, awaited", |ui| {
                    activity(ui, both);
                    remark(ui, say::ACTIVITY);
                }),
                4 => card(ui, "In flight", |ui| in_flight(ui, load)),
                5 => card(ui, "Phases of the run", |ui| {
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
    // The rest stands last, also where only one run has a phase.
    names.sort_by_key(|name| *name == UNACCOUNTED);
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

/// How many were in flight, and Little's law.
fn in_flight(ui: &mut Ui, load: Two<&Load>) {
    let palette = Palette::of(ui);
    let number = |name, about, value: &dyn Fn(&Load) -> Option<f64>| {
        let values = load.and_then(value);
        let known = values.base.is_some() || values.head.is_some();
        known.then(|| Line::number(name, values, about, palette))
    };
    let little = |value: fn(&Little) -> f64| move |l: &Load| l.little.as_ref().map(value);
    let waited = |l: &Load| l.knows_queue.then(|| f64::from(l.peak_waiting));
    let latency = load.map(|l| l.little.as_ref().map(|l| l.latency.round() as i64)).and_then(|ns| ns);
    let latency =
        TwoFigure { name: "Mean latency, W", unit: Unit::Nanoseconds, values: latency, about: say::LITTLE };
    let lines = [
        number("On average", "Requests in flight over time.", &|l| l.average),
        number("At most", "Requests in flight at a time.", &|l| Some(f64::from(l.peak))),
        number("At most waiting", say::QUEUED, &waited),
        number("Requests/s, λ", say::LITTLE, &little(|l| l.rate)),
        Some(Line::of(&latency, ["", ""], false, palette)),
        number("λ · W", say::LITTLE, &little(|l| l.expected)),
        number("Measured, L", say::LITTLE, &little(|l| l.measured)),
    ];
    let lines: Vec<Line<'_>> =
        [Line::heading(palette)].into_iter().chain(lines.into_iter().flatten()).collect();
    show_lines(ui, &lines);
    remark(ui, say::LITTLE);
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
    let mean = |value: fn(&FirstToken) -> Option<i64>| {
        of(both, |l| {
            let first = &l.first_token;
            let sum = value(first).filter(|_| first.requests > 0)?;
            Some((sum as f64 / first.requests as f64).round() as i64)
        })
    };
    let rows = [
        ("cache lookup", mean(|f| f.lookup)),
        ("queued", mean(|f| f.queue)),
        ("loading the model", mean(|f| f.load)),
        ("prefill", mean(|f| f.prefill)),
        ("the rest", mean(|f| Some(f.rest))),
        ("in all", mean(|f| Some(f.total))),
    ];
    let told = rows.into_iter().filter(|r| r.1.base.unwrap_or(0) != 0 || r.1.head.unwrap_or(0) != 0);
    two_figures(
        ui,
        told.map(|(name, values)| TwoFigure { name, unit: Unit::Nanoseconds, values, about: "" }),
    );
}
