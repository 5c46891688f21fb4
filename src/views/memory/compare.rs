//! Counters of two runs: both curves on one clock, their difference below, and a table of all.
//!
//! Both clocks begin with their run, unless another moment of both is laid over each other. A curve ends where its run does, and there is no difference after the end of the shorter one.

use std::sync::Arc;

use egui::{Rect, Sense, Stroke, Ui, UiBuilder, pos2, vec2};

use super::layout::MARGIN;
use crate::analysis::counters::{Cell, CounterFigures, CounterLod, Figures, Lod, MAX_COLUMNS, Series};
use crate::analysis::diff::heap::{DiffHeap, HeapDiff};
use crate::analysis::diff::{Compared, State, Two};
use crate::format::{self, UNKNOWN};
use crate::model::{Better, CounterId, CounterKey, Profile, Unit};
use crate::query::Pair;
use crate::state::Command;
use crate::ui::theme::{Palette, small, space};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::{combo, focus_ring};
use crate::views::shared::counter_name;
use crate::views::shared::grid::GridState;
use crate::views::shared::two::{self, TwoRow, TwoSort, TwoTable};
use crate::views::shared::{align, pair};
use crate::views::time::{self, Chart, Scale, Viewport};
use crate::views::{View, ViewCx, shared};

/// The view.
#[derive(Default)]
pub struct DiffMemory {
    viewport: Viewport,
    /// Name of the counter that is drawn; the first one of bytes before somebody chose.
    chosen: Option<String>,
    sort: TwoSort,
    grid: GridState,
    /// Who held the heap at its peak is listed, rather than peaks of counters.
    held: bool,
    held_sort: TwoSort,
    held_grid: GridState,
    /// Empty time before base and head, ns.
    leads: [i64; 2],
}

/// A counter that either run has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counter {
    key: CounterKey,
    name: String,
    unit: Unit,
    ids: Two<CounterId>,
}

/// Counters by name and unit, those of bytes first.
fn counters(base: &Profile, head: &Profile) -> Vec<Counter> {
    let mut found: Vec<Counter> = Vec::new();
    for (profile, is_base) in [(base, true), (head, false)] {
        for (i, counter) in profile.counters.iter().enumerate().filter(|(_, c)| !c.times.is_empty()) {
            let id = CounterId::from_index(i);
            let (key, unit) = (profile.keys().counter_key(id), counter.unit);
            let at = found.iter().position(|c| c.key == key && c.unit == unit).unwrap_or_else(|| {
                found.push(Counter { key, name: String::new(), unit, ids: Two::default() });
                found.len() - 1
            });
            // The new run's name, where it has the counter.
            found[at].name = counter_name(profile, id);
            let side = if is_base { &mut found[at].ids.base } else { &mut found[at].ids.head };
            side.get_or_insert(id);
        }
    }
    found.sort_by_key(|c| (c.unit != Unit::Bytes, c.ids.state() != Some(State::Both)));
    found
}

/// When the common clock is 0 in a run, and what it shows at the run's end, ns. `lead` is the empty time before the run.
fn clock(profile: &Profile, lead: i64) -> (i64, i64) {
    let (from, to) = profile.time_bounds().unwrap_or((0, 1));
    let from = from.saturating_sub(lead);
    (from, to.saturating_sub(from))
}

/// The cells of a counter on the common clock: from the start of its run, and nothing after its end.
fn on_common_clock(lod: &Lod, length: i64, start: i64) -> Option<(Lod, Series)> {
    let mut series = lod.series.first()?.clone();
    let (from, to) = (lod.from.saturating_sub(start), lod.to.saturating_sub(start));
    let n = series.cells.len();
    let width = (to as f64 - from as f64) / n.max(1) as f64;
    for (i, cell) in series.cells.iter_mut().enumerate() {
        if from as f64 + width * i as f64 > length as f64 {
            *cell = None;
        }
    }
    Some((Lod { from, to, series: Vec::new() }, series))
}

/// head − base in each column that both know.
fn difference(base: &Series, head: &Series) -> Series {
    let cells: Vec<Option<Cell>> = base
        .cells
        .iter()
        .zip(&head.cells)
        .map(|(b, h)| {
            let delta = h.as_ref()?.last - b.as_ref()?.last;
            Some(Cell { min: delta, max: delta, last: delta })
        })
        .collect();
    let known = || cells.iter().flatten();
    let max = known().map(|c| c.max).fold(f64::NEG_INFINITY, f64::max);
    let min = known().map(|c| c.min).fold(f64::INFINITY, f64::min);
    Series { counter: head.counter, cells, max, min }
}

impl View for DiffMemory {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        let (base, head) = (&*pair.base.profile, &*pair.head.profile);
        let all = counters(base, head);
        let wanted = self.chosen.as_ref().and_then(|name| all.iter().find(|c| c.name == *name));
        let Some(counter) = wanted.or(all.first()).cloned() else { return };
        self.leads = align::leads_of(cx);
        let [base_lead, head_lead] = self.leads;
        let longest = clock(base, base_lead).1.max(clock(head, head_lead).1);
        self.viewport.follow_run(head, cx.live, longest as f64, head_lead);
        let figures = Two {
            base: cx.ask_base(&CounterFigures(None), 1).beside(),
            head: cx.ask(&CounterFigures(None), 1).beside(),
        };
        let heap = cx.ask_pair(&DiffHeap, 2).beside();
        let heap = heap.as_deref().and_then(Option::as_ref);
        shared::header(ui, |ui| {
            // Both choices fit one line of a narrow pane.
            let width = (ui.available_width() * 0.5 - space::MEDIUM).clamp(90.0, 240.0);
            let field = combo("counter of two").width(width).truncate().selected_text(&counter.name);
            let field = field.show_ui(ui, |ui| {
                for c in &all {
                    if ui.selectable_label(c.name == counter.name, &c.name).clicked() {
                        self.chosen = Some(c.name.clone());
                    }
                }
            });
            field.response.accessible_name("Counter");
            align::picker(cx, ui);
            let peaks = of(&figures, counter.ids).map(|f| f.max);
            for (is_base, peak) in [(true, peaks.base), (false, peaks.head)] {
                legend(ui, is_base, peak.map(|peak| format::value(counter.unit, peak)));
            }
            if heap.is_some() {
                ui.checkbox(&mut self.held, "Who held it").on_hover_text(
                    "List the call paths that held the heap at its peak, of either run, instead of peaks of counters",
                );
            }
        });
        ui.add_space(space::SMALL);
        let area = ui.available_rect_before_wrap();
        let heap = heap.filter(|_| self.held);
        let rows = heap.map_or(all.len(), |heap| heap.holders.len() + 2) as f32;
        let table = (space::HEADER + rows * space::ROW + space::MEDIUM).min(area.height() * 0.45);
        let charts = area.with_max_y(area.bottom() - table - space::MEDIUM);
        self.charts(cx, ui, (&pair, &counter, &figures), charts);
        let below = area.with_min_y(area.bottom() - table);
        ui.scope_builder(UiBuilder::new().max_rect(below).id_salt("figures"), |ui| match heap {
            Some(heap) => self.holders(cx, ui, &pair, heap),
            None => self.table(cx, ui, &pair, &all, &figures),
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({
            "counter": self.chosen, "sort": self.sort, "held": self.held, "held_sort": self.held_sort,
        })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.chosen = shared::kept(saved, "counter").unwrap_or_default();
        self.sort = shared::kept(saved, "sort").unwrap_or_default();
        self.held = shared::kept(saved, "held").unwrap_or_default();
        self.held_sort = shared::kept(saved, "held_sort").unwrap_or_default();
    }
}

/// Height in which curves and their difference are worth drawing, points.
const LOW: f32 = 64.0;

/// Which line is which run.
fn legend(ui: &mut Ui, base: bool, peak: Option<String>) {
    const LINE: f32 = 16.0;
    let palette = Palette::of(ui);
    let peak = peak.map_or_else(String::new, |peak| format!(", peak {peak}"));
    let text = format!("{}{peak}", pair::title(base));
    let galley = ui.painter().layout_no_wrap(text.clone(), small(), palette.text);
    // One thing, so that a line never ends between the colour and its name.
    let size = vec2(LINE + space::SMALL + galley.size().x, space::CONTROL);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &text));
    let line = rect.left()..=rect.left() + LINE;
    ui.painter().hline(line, rect.center().y, Stroke::new(2.5, pair::color(palette, base)));
    let at = pos2(rect.right() - galley.size().x, rect.center().y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, palette.text);
}

type AllFigures = Two<Arc<Vec<Option<Figures>>>>;

fn of(figures: &AllFigures, ids: Two<CounterId>) -> Two<Figures> {
    let side = |figures: &Option<Arc<Vec<Option<Figures>>>>, id: Option<CounterId>| {
        figures.as_ref()?.get(id?.index()).copied().flatten()
    };
    Two { base: side(&figures.base, ids.base), head: side(&figures.head, ids.head) }
}

impl DiffMemory {
    fn charts(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        (pair, counter, figures): (&Pair, &Counter, &AllFigures),
        area: Rect,
    ) {
        let palette = Palette::of(ui);
        let left = (area.left() + MARGIN).min(area.right() - 1.0);
        let ruler = Rect::from_min_max(pos2(left, area.top()), pos2(area.right(), area.top() + space::RULER));
        let room = area.bottom() - ruler.bottom();
        // In a low pane the curves come first.
        let low = room < LOW;
        let middle = if low { area.bottom() + 3.0 } else { ruler.bottom() + room * 0.64 };
        let both = Rect::from_min_max(pos2(left, ruler.bottom()), pos2(area.right(), middle - 3.0));
        let delta = Rect::from_min_max(pos2(left, middle + 3.0), pos2(area.right(), area.bottom()));
        if both.height() < 20.0 || both.width() < 40.0 {
            return;
        }
        let start = clock(&pair.head.profile, self.leads[1]).0;
        let (t0, t1) = (self.viewport.t0 - start as f64, self.viewport.t1 - start as f64);
        let axis = TimeAxis::layout(t0, t1, ruler.x_range());
        let all = Rect::from_min_max(ruler.min, area.max);
        let response = ui.interact(all, ui.scope_id().with("charts"), Sense::click_and_drag());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Counters of both runs"));
        // The viewport is that of the new run; what is shown is counted from its start.
        let own = TimeAxis::layout(self.viewport.t0, self.viewport.t1, ruler.x_range());
        let gesture = self.viewport.gesture(ui, &response, &own);
        self.viewport.publish(&gesture, cx);
        if gesture.double_click.is_some() {
            self.viewport.fit();
        }
        let lines = self.lines(cx, pair, counter, ruler.width());
        let of = of(figures, counter.ids);
        let extremes = [of.base, of.head].into_iter().flatten();
        let (min, max) =
            extremes.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), f| (a.min(f.min), b.max(f.max)));
        let scale = Scale::new(min, max, counter.unit, both.height());
        let painter = ui.painter();
        painter.rect_filled(both, 0.0, palette.canvas);
        axis.paint_grid(painter, both, palette);
        let chart = Chart { area: both, axis: &axis, scale: &scale };
        chart.paint_values(painter, palette);
        let clip = painter.with_clip_rect(both.intersect(painter.clip_rect()));
        for (line, is_base) in [(&lines.base, true), (&lines.head, false)] {
            if let Some((lod, series)) = line {
                let color = pair::color(palette, is_base);
                time::area(&clip, &chart, lod, series, color.gamma_multiply(0.08));
                time::line(&clip, &chart, lod, series, color, if is_base { 1.5 } else { 2.0 });
            }
        }
        let [base_lead, head_lead] = self.leads;
        for (figures, profile, lead, is_base) in
            [(of.base, &pair.base.profile, base_lead, true), (of.head, &pair.head.profile, head_lead, false)]
        {
            if let Some(f) = figures {
                let at =
                    pos2(axis.x_of((f.max_time - clock(profile, lead).0) as f64), scale.y_of(f.max, both));
                clip.circle(at, 3.5, palette.canvas, Stroke::new(2.0, pair::color(palette, is_base)));
            }
        }
        if !low {
            painter.rect_filled(delta, 0.0, palette.canvas);
            axis.paint_grid(painter, delta, palette);
            if let (Some((lod, b)), Some((_, h))) = (&lines.base, &lines.head) {
                self.delta(ui, (&axis, delta), lod, &difference(b, h), counter.unit);
            } else {
                let text = "Only one run has this counter: there is no difference.";
                painter.text(delta.center(), egui::Align2::CENTER_CENTER, text, small(), palette.text_weak);
            }
            let at = delta.left_top() + vec2(space::MEDIUM, space::SMALL + 6.0);
            painter.text(at, egui::Align2::LEFT_CENTER, "head − base", small(), palette.text_weak);
        }
        let cursor = gesture.pointer.map(|t| t - start as f64);
        axis.paint_ruler(painter, ruler, cursor, palette);
        if let Some(t) = cursor {
            axis.paint_cursor(painter, Rect::from_min_max(both.min, area.max), t, palette);
            self.readout(&response, (pair, counter), t);
        }
        focus_ring(ui, &response, all);
    }

    fn lines(&self, cx: &ViewCx<'_>, pair: &Pair, counter: &Counter, width: f32) -> Two<(Lod, Series)> {
        let (start, head_length) = clock(&pair.head.profile, self.leads[1]);
        let columns = (width.max(1.0) as u32).min(MAX_COLUMNS);
        let query = |id: CounterId, shift: i64| CounterLod {
            counters: vec![id],
            from: (self.viewport.t0.floor() as i64).saturating_add(shift),
            to: (self.viewport.t1.ceil() as i64).saturating_add(shift),
            columns,
        };
        let (base_start, base_length) = clock(&pair.base.profile, self.leads[0]);
        let base = counter.ids.base.and_then(|id| {
            let lod = cx.ask_base(&query(id, base_start.saturating_sub(start)), 0).later(super::READING)?;
            on_common_clock(&lod, base_length, base_start)
        });
        let head = counter.ids.head.and_then(|id| {
            let lod = cx.ask(&query(id, 0), 0).later(super::READING)?;
            on_common_clock(&lod, head_length, start)
        });
        Two { base, head }
    }

    fn delta(&self, ui: &Ui, (axis, area): (&TimeAxis, Rect), lod: &Lod, series: &Series, unit: Unit) {
        let palette = Palette::of(ui);
        let scale = Scale::new(series.min, series.max, unit, area.height());
        let chart = Chart { area, axis, scale: &scale };
        chart.paint_values(ui.painter(), palette);
        let clip = ui.painter().with_clip_rect(area.intersect(ui.painter().clip_rect()));
        let part = |keep: fn(f64) -> bool| Series {
            cells: series.cells.iter().map(|c| c.filter(|c| keep(c.last))).collect(),
            ..series.clone()
        };
        time::area(
            &clip,
            &chart,
            lod,
            &part(|v| v > 0.0),
            palette.diff(1.0, Better::Lower).gamma_multiply(0.55),
        );
        time::area(
            &clip,
            &chart,
            lod,
            &part(|v| v < 0.0),
            palette.diff(-1.0, Better::Lower).gamma_multiply(0.55),
        );
        time::line(&clip, &chart, lod, series, palette.text, 1.2);
    }

    fn readout(&self, response: &egui::Response, (pair, counter): (&Pair, &Counter), t: f64) {
        let at = |profile: &Profile, lead: i64, id: Option<CounterId>| {
            let (start, length) = clock(profile, lead);
            let time = t.round() as i64;
            id.filter(|_| (0..=length).contains(&time))
                .and_then(|id| profile.counters[id.index()].at(start.saturating_add(time)))
        };
        let values = Two {
            base: at(&pair.base.profile, self.leads[0], counter.ids.base),
            head: at(&pair.head.profile, self.leads[1], counter.ids.head),
        };
        let text = |v: Option<f64>| v.map_or_else(|| UNKNOWN.to_owned(), |v| format::value(counter.unit, v));
        let delta = values.base.zip(values.head).map(|(b, h)| h - b);
        let sign = if delta.is_some_and(|d| d > 0.0) { "+" } else { "" };
        let said = format!(
            "Base {}\nHead {}\nΔ {sign}{}\n{} on the common clock",
            text(values.base),
            text(values.head),
            text(delta),
            format::duration_exact(t.round() as i64)
        );
        if response.hovered() {
            response.clone().on_hover_text_at_pointer(said);
        }
    }

    /// Who held the heap at its peak.
    fn holders(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, pair: &Pair, heap: &HeapDiff) {
        let costs = |two: Two<i64>| two.map(|bytes| bytes as f64);
        let path = |&node: &u32| {
            let (path, base) = heap.paths.functions(node);
            TwoRow {
                name: format::escaped(&heap.name(node, &pair.base.profile, &pair.head.profile)).into_owned(),
                costs: costs(heap.held(node)),
                counts: Two::default(),
                state: heap.paths.node(node).state(),
                function: path.last().map(|&function| (function, base)),
                item: pair::path_item(pair, &heap.paths, node),
                about: String::new(),
            }
        };
        let mut rows: Vec<TwoRow> = heap.holders.iter().map(path).collect();
        for (name, held) in [("(other call paths)", heap.others), ("(outside of spans)", heap.outside)] {
            if held.base.unwrap_or(0) != 0 || held.head.unwrap_or(0) != 0 {
                let (costs, state) = (costs(held), State::Both);
                let name = name.to_owned();
                rows.push(TwoRow {
                    name,
                    costs,
                    counts: Two::default(),
                    state,
                    function: None,
                    item: None,
                    about: String::new(),
                });
            }
        }
        two::sort(&mut rows, self.held_sort, true);
        let (mut state, mut sort) = (std::mem::take(&mut self.held_grid), self.held_sort);
        let table = TwoTable {
            salt: "held",
            name: "Who held the heap at its peak",
            cost: "Held",
            count: "",
            what: "Call path",
            units: [Unit::Bytes; 2],
            better: Better::Lower,
            subtracts: true,
            adds_up: true,
            per: "",
            rows: &rows,
            sort,
            pair,
        };
        let happened = table.show(cx, ui, &mut state, &mut sort);
        (self.held_grid, self.held_sort) = (state, sort);
        if let Some(item) = happened.clicked.and_then(|row| rows[row].item.clone()) {
            cx.send(Command::Select(Some(item)));
        }
    }

    fn table(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        pair: &Pair,
        all: &[Counter],
        figures: &AllFigures,
    ) {
        // One table has one unit: that of the first counter, which is bytes where there are any.
        let Some(unit) = all.first().map(|c| c.unit) else { return };
        let mut rows: Vec<TwoRow> = all
            .iter()
            .filter(|c| c.unit == unit)
            .map(|c| TwoRow {
                name: c.name.clone(),
                costs: of(figures, c.ids).map(|f| f.max),
                counts: Two::default(),
                state: c.ids.state().unwrap_or(State::Both),
                function: None,
                item: None,
                about: String::new(),
            })
            .collect();
        two::sort(&mut rows, self.sort, false);
        let (mut state, mut sort) = (std::mem::take(&mut self.grid), self.sort);
        let table = TwoTable {
            salt: "counters",
            name: "Peaks of counters",
            cost: "Peak",
            count: "",
            what: "Counter",
            units: [unit; 2],
            better: Better::Lower,
            subtracts: true,
            adds_up: false,
            per: "",
            rows: &rows,
            sort,
            pair,
        };
        let happened = table.show(cx, ui, &mut state, &mut sort);
        (self.grid, self.sort) = (state, sort);
        if let Some(row) = happened.clicked {
            self.chosen = Some(rows[row].name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[Option<f64>]) -> Series {
        let cell = |v: &Option<f64>| v.map(|v| Cell { min: v, max: v, last: v });
        Series { counter: CounterId(0), cells: values.iter().map(cell).collect(), max: 0.0, min: 0.0 }
    }

    #[test]
    fn r14_both_curves_lie_on_one_clock_and_there_is_a_difference_only_where_both_runs_are() {
        let lod =
            Lod { from: 1000, to: 1400, series: vec![series(&[Some(1.0), Some(2.0), Some(3.0), Some(3.0)])] };
        let (on, base) = on_common_clock(&lod, 250, 1000).unwrap();
        assert_eq!((on.from, on.to), (0, 400));
        let known: Vec<bool> = base.cells.iter().map(Option::is_some).collect();
        assert_eq!(known, [true, true, true, false], "the run ends after 250 of 400");
        let d = difference(&base, &series(&[None, Some(5.0), Some(1.0), Some(9.0)]));
        let values: Vec<_> = d.cells.iter().map(|c| c.map(|c| c.last)).collect();
        assert_eq!(values, [None, Some(3.0), Some(-2.0), None]);
        assert_eq!((d.min, d.max), (-2.0, 3.0));
    }
}
