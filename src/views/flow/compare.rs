//! The ways of requests in two runs.

use egui::{Ui, UiBuilder};

use super::{layout, paint, question};
use crate::analysis::diff::Two;
use crate::analysis::flow::{Edge, Stage, Ways};
use crate::model::{Money, Unit};
use crate::views::parts::{card, remark};
use crate::views::shared::board::{Board, GAP, scrolled};
use crate::views::shared::figures::{TwoFigure, signed_figures};
use crate::views::{View, ViewCx, shared};

/// The view.
#[derive(Default)]
pub struct DiffFlow {
    board: Board,
}

impl View for DiffFlow {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        shared::header(ui, |ui| shared::requests::filters(cx, ui));
        let asked = question(cx);
        let Some([in_base, in_head]) = cx.both(ui, &asked, 0, "Following requests") else { return };
        let both = [&*in_base, &*in_head];
        if both.iter().all(|ways| ways.requests == 0) {
            shared::requests::none(ui);
            return;
        }
        let whole = both.map(|w| w.requests.max(1) as f64);
        let paid = both.iter().any(|ways| ways.edges.iter().any(|e| e.cost.is_some()));
        // Above the picture of both, below its numbers with what changed.
        let area = ui.available_rect_before_wrap();
        let chart = area.with_max_y(area.top() + (area.height() * 0.52).max(120.0));
        let picture = layout::of_two(both, chart);
        super::show(cx, ui, &picture, |stage| {
            format!("Base: {}\nHead: {}", paint::about(both[0], stage), paint::about(both[1], stage))
        });
        let below = area.with_min_y(chart.bottom() + GAP);
        let mut ui = ui.new_child(UiBuilder::new().max_rect(below).id_salt("numbers"));
        scrolled(&mut ui, |ui| {
            self.board.show(ui, 3 + usize::from(paid), |i, ui| match i {
                0 => card(ui, "Requests on each way", |ui| {
                    edges(ui, both, Unit::Count, |e| (Some(e.requests as i64), ""));
                }),
                1 => card(ui, "Share of all requests", |ui| {
                    let rows = ways(both).into_iter().map(|(name, [b, h])| {
                        let share = |e: Option<&Edge>, whole: f64| {
                            Some((e.map_or(0.0, |e| e.requests as f64) / whole * 100_000.0).round() as i64)
                        };
                        (name, Two { base: share(b, whole[0]), head: share(h, whole[1]) }, ["", ""])
                    });
                    figures(ui, &rows.collect::<Vec<_>>(), Unit::MilliPercent);
                }),
                2 => card(ui, "Mean time", |ui| edges(ui, both, Unit::Nanoseconds, |e| (e.time, ""))),
                _ => card(ui, "Cost", |ui| {
                    edges(ui, both, Unit::NanoDollars, |e| (e.cost.map(Money::nano), e.sign));
                    remark(ui, "Of requests that end this way.");
                }),
            });
        });
    }
}

type Pair<'a> = (String, [Option<&'a Edge>; 2]);

/// Ways that requests of a run went.
fn ways<'a>(both: [&'a Ways; 2]) -> Vec<Pair<'a>> {
    let mut rows = Vec::new();
    for from in Stage::ALL {
        for to in Stage::ALL {
            let edges = both.map(|w| w.edge(from, to));
            if edges.iter().any(Option::is_some) {
                rows.push((format!("{} → {}", from.name(), to.name()), edges));
            }
        }
    }
    rows
}

fn edges(ui: &mut Ui, both: [&Ways; 2], unit: Unit, value: fn(&Edge) -> (Option<i64>, &'static str)) {
    let rows = ways(both).into_iter().map(|(name, [base, head])| {
        let missing = if unit == Unit::Count { Some(0) } else { None };
        let of = |edge: Option<&Edge>| edge.map_or((missing, ""), value);
        let [(base, before_base), (head, before_head)] = [of(base), of(head)];
        (name, Two { base, head }, [before_base, before_head])
    });
    figures(ui, &rows.collect::<Vec<_>>(), unit);
}

fn figures(ui: &mut Ui, rows: &[(String, Two<i64>, [&'static str; 2])], unit: Unit) {
    let told = rows.iter().filter(|r| r.1.base.is_some() || r.1.head.is_some());
    signed_figures(
        ui,
        told.map(|(name, values, signs)| (TwoFigure { name, unit, values: *values, about: "" }, *signs)),
    );
}
