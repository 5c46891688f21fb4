//! Operations of two runs by name, and what limits the model in each.

use egui::{Ui, UiBuilder};

use super::{chips, question};
use crate::analysis::compute::{Explained, Given, Known, Peak, Work};
use crate::analysis::diff::{State, Two};
use crate::analysis::ops::{Op, OpKind, OpTable, Ops};
use crate::model::{Better, Profile, Unit};
use crate::state::{Command, Item};
use crate::ui::theme::space;
use crate::ui::widgets::segmented;
use crate::views::parts::remark;
use crate::views::shared::board::scrolled;
use crate::views::shared::figures::{TwoFigure, two_figures};
use crate::views::shared::grid::GridState;
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
        let area = ui.available_rect_before_wrap();
        let split = area.top() + (area.height() * 0.36).clamp(80.0, 230.0);
        let (above, below) = (area.with_max_y(split - space::SMALL), area.with_min_y(split + space::SMALL));
        ui.scope_builder(UiBuilder::new().max_rect(above).id_salt("limits"), |ui| {
            let Some([base, head]) = cx.both(ui, &limits, 1, "Adding up passes") else { return };
            scrolled(ui, |ui| figures_of(ui, tables, [&base, &head]));
        });
        ui.scope_builder(UiBuilder::new().max_rect(below).id_salt("operations"), |ui| {
            let mut rows = rows([&pair.base.profile, &pair.head.profile], tables, self.kind, self.figure);
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
fn figures_of(ui: &mut Ui, tables: [&OpTable; 2], found: [&Explained; 2]) {
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
        let share = |of: fn(&Work, &Given) -> Known<f64>, peak| {
            work(name, &|w, g| match w.doubt(peak, g) {
                Some(_) => Err("it cannot be above 100 %"),
                None => of(w, g).map(|s| s * 100_000.0),
            })
        };
        rows.push((format!("MBU, {name}"), Unit::MilliPercent, share(Work::mbu, Peak::Bytes)));
        rows.push((format!("MFU, {name}"), Unit::MilliPercent, share(Work::mfu, Peak::Operations)));
    }
    let told = rows.iter().filter(|r| r.2.base.is_some() || r.2.head.is_some());
    two_figures(
        ui,
        told.map(|(name, unit, values)| TwoFigure { name, unit: *unit, values: *values, about: "" }),
    );
    let doubts = found.iter().flat_map(|f| {
        let peaks = [("MBU", Peak::Bytes), ("MFU", Peak::Operations)];
        let of = move |w: &Work| {
            peaks.map(|(name, peak)| Some(format!("{name}, {}: {}", w.name, w.doubt(peak, &f.given)?)))
        };
        f.work.iter().flat_map(of).flatten()
    });
    let mut doubts: Vec<String> = doubts.collect();
    doubts.dedup();
    doubts.iter().for_each(|doubt| remark(ui, doubt));
}

/// Operations by name.
fn rows(profiles: [&Profile; 2], tables: [&OpTable; 2], kind: Option<OpKind>, figure: Figure) -> Vec<TwoRow> {
    let mut rows: Vec<TwoRow> = Vec::new();
    let mut places = rustc_hash::FxHashMap::default();
    for (side, (profile, table)) in profiles.into_iter().zip(tables).enumerate() {
        for op in table.of(kind) {
            let name = profile.function_name(op.function);
            let at = *places.entry((name, op.kind)).or_insert_with(|| {
                rows.push(TwoRow {
                    name: name.to_owned(),
                    costs: Two::default(),
                    counts: Two::default(),
                    state: State::Both,
                    function: None,
                    item: None,
                });
                rows.len() - 1
            });
            let row = &mut rows[at];
            let (cost, count) = match side {
                0 => (&mut row.costs.base, &mut row.counts.base),
                _ => (&mut row.costs.head, &mut row.counts.head),
            };
            *cost = figure.of(op).map(|v| v as f64);
            *count = Some(op.calls as i64);
            row.item = Some(Item::of_function(op.function, profile));
        }
    }
    for row in &mut rows {
        row.state = row.counts.state().unwrap_or(State::Both);
    }
    rows
}
