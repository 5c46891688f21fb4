//! Operations of two runs by name, and what limits the model in each.

use egui::Ui;

use super::{chips, question};
use crate::analysis::compute::{Explained, Given, Known, Peak, Work};
use crate::analysis::diff::{State, Two};
use crate::analysis::matches::{MatchQuery, Matches};
use crate::analysis::ops::{Op, OpKind, OpTable, Ops};
use crate::analysis::step_memory::{MemoryOfSteps, StepMemory};
use crate::model::{Better, Unit};
use crate::query::Pair;
use crate::state::Command;
use crate::ui::widgets::segmented;
use crate::views::parts::remark;
use crate::views::shared::board::above;
use crate::views::shared::figures::{TwoFigure, two_figures};
use crate::views::shared::grid::GridState;
use crate::views::shared::pair;
use crate::views::shared::two::{self, TwoRow, TwoSort, TwoTable};
use crate::views::{View, ViewCx, shared};

/// What is compared of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Figure {
    #[default]
    SelfCpu,
    CpuTotal,
    SelfDevice,
    DeviceTotal,
}

impl Figure {
    const ALL: [(Self, &'static str); 4] = [
        (Self::SelfCpu, "Self CPU"),
        (Self::CpuTotal, "CPU total"),
        (Self::SelfDevice, "Self CUDA"),
        (Self::DeviceTotal, "CUDA total"),
    ];

    fn of(self, op: &Op) -> Option<i64> {
        match self {
            Self::SelfCpu => op.self_cpu,
            Self::CpuTotal => op.cpu_total,
            Self::SelfDevice => op.self_device,
            Self::DeviceTotal => op.device_total,
        }
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(f, _)| *f == self).map_or("", |(_, name)| name)
    }
}

/// The view.
pub struct DiffCompute {
    kind: Option<OpKind>,
    figure: Figure,
    sort: TwoSort,
    grid: GridState,
}

impl Default for DiffCompute {
    fn default() -> Self {
        Self {
            kind: Some(OpKind::Operator),
            figure: Figure::default(),
            sort: TwoSort::default(),
            grid: GridState::default(),
        }
    }
}

impl View for DiffCompute {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        let asked = Ops(cx.interaction.range);
        let limits = question(cx, &Given::default());
        let Some([in_base, in_head]) = cx.both(ui, &asked, 0, "Adding up operations") else { return };
        let tables = [&*in_base, &*in_head];
        let known = |f: &Figure| tables.iter().any(|t| t.rows.iter().any(|op| f.of(op).is_some()));
        let figures: Vec<_> = Figure::ALL.into_iter().filter(|(f, _)| known(f)).collect();
        shared::header(ui, |ui| {
            chips(ui, &mut self.kind, &tables);
            segmented(ui, "Figure", &mut self.figure, &figures);
        });
        if !known(&self.figure) {
            self.figure = figures.first().map_or(self.figure, |f| f.0);
        }
        let Some(matches) = cx.ask_pair(&MatchQuery, 2).content(ui, "Pairing operations") else { return };
        let memory = cx.both_beside(&MemoryOfSteps(cx.interaction.range), 3);
        if let Some([base, head]) = cx.both(ui, &limits, 1, "Adding up passes") {
            let memory = [0, 1].map(|i| memory[i].as_deref().and_then(|all| all.first()));
            above(ui, "limits", |ui| figures_of(ui, tables, [&base, &head], memory));
        }
        ui.scope(|ui| {
            let mut rows = rows(&pair, &matches, tables, self.kind, self.figure);
            two::sort(&mut rows, self.sort, true);
            let table = TwoTable {
                salt: "operations of two",
                name: "Operations of both runs",
                cost: self.figure.name(),
                count: "# of Calls",
                what: "Name",
                units: [Unit::Nanoseconds; 2],
                better: Better::Lower,
                subtracts: true,
                // Operators nest, and hold the time of kernels again: only rows of one kind with their own time add up.
                adds_up: true,
                per: "",
                rows: &rows,
                sort: self.sort,
                pair: &pair,
            };
            let happened = table.show(cx, ui, &mut self.grid, &mut self.sort);
            if let Some(item) = happened.clicked.and_then(|row| rows[row].item.clone()) {
                cx.send(Command::Select(Some(item)));
            }
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "kind": self.kind, "figure": self.figure, "sort": self.sort })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.kind = shared::kept(saved, "kind").unwrap_or(self.kind);
        self.figure = shared::kept(saved, "figure").unwrap_or_default();
        self.sort = shared::kept(saved, "sort").unwrap_or_default();
    }
}

/// Sums, and what limits the model.
fn figures_of(ui: &mut Ui, tables: [&OpTable; 2], found: [&Explained; 2], memory: [Option<&StepMemory>; 2]) {
    let two = |values: [Option<i64>; 2]| Two { base: values[0], head: values[1] };
    let whole = |v: Option<f64>| v.filter(|v| v.is_finite()).map(|v| v.round() as i64);
    let work = |name: &str, of: &dyn Fn(&Work, &Given) -> Known<f64>| {
        two(found.map(|f| whole(f.work.iter().find(|w| w.name == name).and_then(|w| of(w, &f.given).ok()))))
    };
    let mut rows: Vec<(String, Unit, Two<i64>)> = vec![
        ("Self CPU time total".into(), Unit::Nanoseconds, two(tables.map(|t| t.self_cpu_total))),
        ("Self CUDA time total".into(), Unit::Nanoseconds, two(tables.map(|t| t.self_device_total))),
        ("Device busy".into(), Unit::Nanoseconds, two(found.map(|f| f.busy.ok().map(|b| b.0)))),
        (
            "KV cache of a token".into(),
            Unit::Bytes,
            two(found.map(|f| f.kv_per_token.ok().and_then(|n| i64::try_from(n).ok()))),
        ),
        ("Passes".into(), Unit::Count, two(found.map(|f| f.passes.ok().map(|n| n as i64)))),
    ];
    for name in ["prefill", "decode", "all passes"] {
        let each = work(name, &|w, _| Ok(w.time / w.tokens.max(1.0)));
        rows.push((format!("A token, {name}"), Unit::Nanoseconds, each));
        for peak in Peak::ALL {
            let share = work(name, &|w, g| match w.doubt(peak, g) {
                Some(_) => Err("it cannot be above 100 %"),
                None => w.share(peak, g).map(|s| s * 100_000.0),
            });
            rows.push((format!("{}, {name}", peak.share_name()), Unit::MilliPercent, share));
        }
    }
    for (i, which) in ["Least", "Median", "Most"].into_iter().enumerate() {
        let peak = two(memory.map(|of| whole(of.map(|of| of.spread()[i]))));
        rows.push((format!("{which} memory of a step"), Unit::Bytes, peak));
    }
    let told = rows.iter().filter(|r| r.2.base.is_some() || r.2.head.is_some());
    two_figures(
        ui,
        told.map(|(name, unit, values)| TwoFigure { name, unit: *unit, values: *values, about: "" }),
    );
    let doubts = found.iter().flat_map(|f| {
        let of = move |w: &Work| {
            Peak::ALL
                .map(|peak| Some(format!("{}, {}: {}", peak.share_name(), w.name, w.doubt(peak, &f.given)?)))
        };
        f.work.iter().flat_map(of).flatten()
    });
    let mut doubts: Vec<String> = doubts.collect();
    doubts.dedup();
    doubts.iter().for_each(|doubt| remark(ui, doubt));
}

/// Operations, paired as functions are everywhere.
fn rows(
    pair: &Pair,
    matches: &Matches,
    tables: [&OpTable; 2],
    kind: Option<OpKind>,
    figure: Figure,
) -> Vec<TwoRow> {
    let ops = tables.map(|table| table.of(kind).collect::<Vec<_>>());
    let of = |ops: &[&Op]| ops.iter().map(|op| (op.function, op.kind)).collect::<Vec<_>>();
    let paired = pair::paired(matches, [&of(&ops[0]), &of(&ops[1])]);
    paired
        .into_iter()
        .map(|at| {
            let sides = Two { base: at.base.map(|i| ops[0][i]), head: at.head.map(|i| ops[1][i]) };
            let functions = sides.map(|op| op.function);
            TwoRow {
                name: pair::function_name(pair, functions),
                costs: sides.and_then(|op| figure.of(op)).map(|v| v as f64),
                counts: sides.map(|op| op.calls as i64),
                state: sides.state().unwrap_or(State::Both),
                function: None,
                item: pair::function_item(pair, functions),
                about: String::new(),
            }
        })
        .collect()
}
