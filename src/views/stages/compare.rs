//! The stages of two runs: both charts with their critical paths beside each other, and what the paths consist of.

use egui::{Ui, UiBuilder};

use super::layout::Mode;
use super::panel::{self, Worth};
use super::{Frame, MOST_GAINS, MOST_NAMES, WIDE};
use crate::analysis::diff::{State, Two};
use crate::analysis::matches::{MatchQuery, Matches};
use crate::analysis::stages::{Estimate, Gains, NameGains, PathShare, Rows, StageGraph, Stages};
use crate::format;
use crate::model::Unit;
use crate::query::Pair;
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, space};
use crate::views::bands::Bands;
use crate::views::parts::{card, weak};
use crate::views::shared::figures::{Line, TwoFigure, show_lines};
use crate::views::shared::{self, pair};
use crate::views::{TimeWindow, View, ViewCx};

/// Rows of the path that are listed.
const MOST_ROWS: usize = 40;

/// The view.
pub(super) struct DiffStages {
    bands: Bands,
}

impl DiffStages {
    pub(super) fn new() -> Self {
        Self { bands: Bands::new(&super::KIND, true) }
    }
}

impl View for DiffStages {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        let area = ui.available_rect_before_wrap();
        let (charts, side) = if area.width() >= WIDE {
            let split = area.right() - (area.width() * 0.28).clamp(270.0, 380.0);
            (area.with_max_x(split - space::LARGE), area.with_min_x(split))
        } else {
            let split = area.top() + area.height() * 0.68;
            (area.with_max_y(split - space::SMALL), area.with_min_y(split))
        };
        ui.scope_builder(UiBuilder::new().max_rect(charts).id_salt("charts"), |ui| self.bands.ui(cx, ui));
        ui.scope_builder(UiBuilder::new().max_rect(side).id_salt("panel"), |ui| self.panel(cx, ui, &pair));
    }

    fn save(&self) -> serde_json::Value {
        self.bands.save()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.bands.load(saved);
    }

    fn window(&self) -> Option<TimeWindow> {
        self.bands.window()
    }

    fn show_window(&mut self, window: TimeWindow) {
        self.bands.show_window(window);
    }
}

impl DiffStages {
    fn panel(&self, cx: &mut ViewCx<'_>, ui: &mut Ui, pair: &Pair) {
        let scope = crate::analysis::Scope { transforms: Vec::new(), ..cx.interaction.scope.clone() };
        let settings = self.bands.save();
        let level = shared::kept(&settings, "level").unwrap_or_default();
        let query = Stages { scope, range: cx.interaction.range, level };
        let by_order = shared::kept(&settings, "mode") == Some(Mode::Order);
        let rows = |cx: &mut ViewCx<'_>, base: bool| {
            let subject = pair.one(base);
            let rows = Rows { graph: query.clone(), by_order };
            cx.side(&subject, base).ask(&rows, 0).beside().filter(|rows| !rows.graph.stages.is_empty())
        };
        let rows = Two { base: rows(cx, true), head: rows(cx, false) };
        let matches = cx.ask_pair(&MatchQuery, 90).beside();
        let (Some(head), Some(matches)) = (rows.head.clone(), matches) else {
            return;
        };
        let subject = pair.one(false);
        let mut side = cx.side(&subject, false);
        let what_if = side.interaction.what_if.clone();
        let outcome = if what_if.is_empty() {
            None
        } else {
            let estimate = Estimate { graph: query.clone(), what_if };
            side.ask(&estimate, 0).beside().filter(|o| o.stages.len() == head.graph.stages.len())
        };
        let selected = side.interaction.selection.as_ref().and_then(|item| {
            let (track, row) = item.span(&pair.head.profile)?;
            head.of_span(track, row)
        });
        let gains = side.ask(&Gains { graph: query.clone(), most: MOST_GAINS }, 0).beside();
        let names = side.ask(&NameGains { graph: query.clone(), most: MOST_NAMES }, 0).beside();
        let frame = Frame { query, rows: head, outcome, selected };
        let worth = Worth { stages: gains, names };
        panel::show(&mut side, ui, &frame, &worth, |cx, ui| {
            let graphs = Two { base: rows.base.as_deref(), head: rows.head.as_deref() };
            paths(cx, ui, pair, graphs.map(|rows| &*rows.graph), &matches);
            None
        });
    }
}

/// What a click on a row selects: the longest stage of a name, in the new run if it has the name.
fn item(pair: &Pair, graph: &StageGraph, share: &PathShare, base: bool) -> Option<Item> {
    let id = graph.stages[share.longest as usize].id;
    Item::of_span(id.track, id.row, &pair.run(base).profile)
}

/// The critical paths of both, by the names of their stages, the largest change first.
fn paths(cx: &mut ViewCx<'_>, ui: &mut Ui, pair: &Pair, graphs: Two<&StageGraph>, matches: &Matches) {
    let names = |graph: Option<&StageGraph>| -> Vec<PathShare> {
        graph.map(|graph| graph.path_names.clone()).unwrap_or_default()
    };
    let (base, head) = (names(graphs.base), names(graphs.head));
    let functions = |shares: &[PathShare]| shares.iter().map(|s| (s.function, ())).collect::<Vec<_>>();
    let mut rows = pair::paired(matches, [&functions(&base), &functions(&head)]);
    let length = |two: &Two<usize>| Two {
        base: two.base.map(|at| base[at].length),
        head: two.head.map(|at| head[at].length),
    };
    rows.sort_by_key(|two| {
        let length = length(two);
        let most = length.base.unwrap_or(0).max(length.head.unwrap_or(0));
        std::cmp::Reverse((length.delta().unwrap_or(0).unsigned_abs(), most))
    });
    let palette = Palette::of(ui);
    let name = |two: &Two<usize>| {
        let functions =
            Two { base: two.base.map(|at| base[at].function), head: two.head.map(|at| head[at].function) };
        let name = pair::function_name(pair, functions);
        match (two.base.map(|at| base[at].stages), two.head.map(|at| head[at].stages)) {
            (Some(before), Some(after)) if before != after => format!("{before} → {after} × {name}"),
            (Some(n), _) | (None, Some(n)) if n > 1 => format!("{n} × {name}"),
            _ => name,
        }
    };
    // What is not on the path of a run may still run there.
    let word = |values: &Two<i64>| match values.state() {
        Some(State::New) => Some("joins"),
        Some(State::Gone) => Some("leaves"),
        _ => None,
    };
    let shown: Vec<(String, Two<i64>, Option<Item>)> = rows
        .iter()
        .take(MOST_ROWS)
        .map(|two| {
            let of_head = two.head.zip(graphs.head);
            let of_base = two.base.zip(graphs.base);
            let item = of_head
                .and_then(|(at, graph)| item(pair, graph, &head[at], false))
                .or_else(|| of_base.and_then(|(at, graph)| item(pair, graph, &base[at], true)));
            (name(two), length(two), item)
        })
        .collect();
    let whole =
        |of: &dyn Fn(&StageGraph) -> i64| Two { base: graphs.base.map(of), head: graphs.head.map(of) };
    let gaps = [
        ("between stages", whole(&|graph| graph.path_gaps.0)),
        ("on no known path", whole(&|graph| graph.path_gaps.1)),
    ];
    let gaps = gaps.into_iter().filter(|(_, two)| two.base.unwrap_or(0).max(two.head.unwrap_or(0)) > 0);
    card(ui, "Critical path", |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let figure = |name, values| TwoFigure { name, unit: Unit::Nanoseconds, values, about: "" };
        let mut lines = vec![Line::heading(palette)];
        lines.push(Line::of(&figure("Whole", whole(&StageGraph::total)), ["", ""], true, palette));
        for (name, values, item) in &shown {
            let line = Line::of(&figure(name, *values), ["", ""], true, palette);
            let line = match word(values) {
                Some(word) => line.with_word(word),
                None => line,
            };
            lines.push(if item.is_some() { line.leading() } else { line });
        }
        lines.extend(gaps.map(|(name, values)| Line::of(&figure(name, values), ["", ""], true, palette)));
        let clicked = show_lines(ui, &lines).and_then(|at| shown.get(at.checked_sub(2)?));
        if let Some(item) = clicked.and_then(|row| row.2.clone()) {
            cx.send(Command::Select(Some(item)));
        }
        if rows.len() > MOST_ROWS {
            weak(ui, &format!("{} more", format::count((rows.len() - MOST_ROWS) as i64)));
        }
        for (graph, base) in [(graphs.base, true), (graphs.head, false)] {
            let left_out = graph.map_or(0, |graph| graph.left_out);
            if left_out > 0 {
                let spans = format::count(left_out as i64);
                weak(ui, &format!("{}: {spans} spans are left out; choose a time range.", pair::title(base)));
            }
        }
    });
}
