//! Requests of two runs: which are better and worse in a figure, how that figure is distributed, and both waterfalls.

use std::sync::Arc;

use egui::{RichText, Ui, UiBuilder, vec2};
use egui_plot::HoverPosition;

use crate::analysis::diff::requests::{By, Change, DiffRequests, FigureDiff, RequestRow, called, meaning};
use crate::analysis::diff::{State, Two};
use crate::analysis::requests::RequestColumn;
use crate::format::{self, UNKNOWN};
use crate::model::{Outcome, RequestId, Unit};
use crate::query::Pair;
use crate::state::Item;
use crate::ui::theme::{Palette, Tone, small, space};
use crate::ui::widgets::{pill, segmented};
use crate::views::bands::Bands;
use crate::views::shared::grid::{GridState, walk};
use crate::views::shared::two::{self, TwoRow, TwoSort, TwoTable};
use crate::views::shared::{pair, plot};
use crate::views::{View, ViewCx, shared};

/// Points of a curve, at most.
const POINTS: usize = 400;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// Request by request.
    #[default]
    Pairs,
    /// Both waterfalls.
    Both,
}

/// The figures that can be compared.
const FIGURES: [(RequestColumn, &str); 7] = [
    (RequestColumn::Ttft, "TTFT"),
    (RequestColumn::Tpot, "TPOT"),
    (RequestColumn::Latency, "Latency"),
    (RequestColumn::Queued, "Queued"),
    (RequestColumn::Rate, "tok/s"),
    (RequestColumn::Output, "Output"),
    (RequestColumn::Cost, "Cost"),
];

/// The view.
pub struct DiffRequestsView {
    form: Form,
    /// The figure that is compared.
    figure: RequestColumn,
    /// The one that the person chose.
    chosen: Option<RequestColumn>,
    sort: TwoSort,
    grid: GridState,
    bands: Bands,
    /// Rows of the last answer as they are sorted.
    rows: Option<Rows>,
}

struct Rows {
    of: Arc<FigureDiff>,
    sort: TwoSort,
    rows: Arc<Vec<TwoRow>>,
}

impl DiffRequestsView {
    /// A fresh one.
    pub fn new() -> Self {
        Self {
            form: Form::default(),
            figure: RequestColumn::Ttft,
            chosen: None,
            sort: TwoSort::default(),
            grid: GridState::default(),
            bands: Bands::new(&super::KIND, true),
            rows: None,
        }
    }
}

/// What is compared until somebody chooses: the time to the first token, or, where a run does not know any, the latency.
fn usual(pair: &Pair) -> RequestColumn {
    let knows = |base: bool| pair.run(base).profile.requests.rows.iter().any(|r| r.ttft().is_some());
    if knows(true) && knows(false) { RequestColumn::Ttft } else { RequestColumn::Latency }
}

impl View for DiffRequestsView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some(pair) = cx.subject.pair().cloned() else { return };
        self.figure = self.chosen.unwrap_or_else(|| usual(&pair));
        shared::header(ui, |ui| {
            let forms = [(Form::Pairs, "Request by request"), (Form::Both, "Both runs")];
            segmented(ui, "Form of the comparison", &mut self.form, &forms);
            if self.form == Form::Pairs {
                let before = self.figure;
                segmented(ui, "Figure", &mut self.figure, &FIGURES);
                if self.figure != before {
                    self.chosen = Some(self.figure);
                }
                shared::requests::filters(cx, ui);
            }
        });
        if self.form == Form::Both {
            self.bands.ui(cx, ui);
            return;
        }
        let query = DiffRequests { figure: self.figure, asked: cx.asked() };
        let Some(found) = cx.ask_pair(&query, 0).content(ui, "Comparing requests") else { return };
        let guessed = found.rows.iter().filter(|row| row.by == Some(By::Order)).count();
        if guessed > 0 {
            let n = format::counted(guessed as i64, "request", "requests");
            let text = format!(
                "{n} paired by their number among those of one name: they have no prompt or key of their own, so a pair may \
                 be of two different ones.",
            );
            cx.note(Tone::Warning, "Guessed pairs", text);
        }
        counts(ui, &found);
        let area = ui.available_rect_before_wrap();
        let split = area.top() + (area.height() * 0.38).clamp(70.0, 260.0);
        let (above, below) = (area.with_max_y(split - space::SMALL), area.with_min_y(split + space::SMALL));
        let unit = meaning(self.figure).0;
        ui.scope_builder(UiBuilder::new().max_rect(above).id_salt("curves"), |ui| curves(ui, &found, unit));
        ui.scope_builder(UiBuilder::new().max_rect(below).id_salt("pairs"), |ui| {
            self.table(cx, ui, &pair, &found);
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({
            "form": self.form, "figure": self.chosen, "sort": self.sort, "both": self.bands.save(),
        })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.form = shared::kept(saved, "form").unwrap_or_default();
        let figure: Option<RequestColumn> = shared::kept(saved, "figure");
        self.chosen = figure.filter(|f| FIGURES.iter().any(|(known, _)| known == f));
        self.sort = shared::kept(saved, "sort").unwrap_or_default();
        self.bands.load(&saved["both"]);
    }
}

/// «12 improved», «3 regressed» …
fn counts(ui: &mut Ui, found: &FigureDiff) {
    let c = found.counts;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(6.0, 2.0);
        for (n, what, tone, about) in [
            (c.improved, "improved", Tone::Good, "Better by more than 1 %"),
            (c.regressed, "regressed", Tone::Warning, "Worse by more than 1 %"),
            (c.changed, "changed", Tone::Info, "Another number; neither is better"),
            (c.equal, "equal", Tone::Neutral, "The difference is at most 1 %"),
            (c.not_comparable, "not comparable", Tone::Neutral, "Failed, cut off or unknown on a side"),
            (c.only_base, "only in base", Tone::Neutral, "Without a partner in head"),
            (c.only_head, "only in head", Tone::Neutral, "Without a partner in base"),
        ] {
            if n > 0 {
                pill(ui, tone, &format!("{} {what}", format::count(n as i64))).on_hover_text(about);
            }
        }
    });
}

/// A percentile of ascending values, with linear interpolation.
fn at(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = q * last as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(last);
    Some(sorted[low] + (sorted[high] - sorted[low]) * share)
}

/// The share of values that are at most x, in percent, as steps. Of many values some stand for all.
fn steps(sorted: &[f64]) -> Vec<[f64; 2]> {
    let n = sorted.len();
    let every = n.div_ceil(POINTS).max(1);
    let mut points = Vec::with_capacity(2 * POINTS + 2);
    let mut share = 0.0;
    for i in (0..n).filter(|i| (i + 1) % every == 0 || i + 1 == n) {
        points.push([sorted[i], share]);
        share = (i + 1) as f64 / n as f64 * 100.0;
        points.push([sorted[i], share]);
    }
    points
}

/// Which share of the requests is below a value, for both runs.
fn curves(ui: &mut Ui, found: &FigureDiff, unit: Unit) {
    let palette = Palette::of(ui);
    let sides = [(true, &found.sorted.base), (false, &found.sorted.head)];
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::MEDIUM;
        for (base, sorted) in sides {
            let Some(sorted) = sorted.as_ref().filter(|s| !s.is_empty()) else { continue };
            let figure = |q| at(sorted, q).map_or_else(|| UNKNOWN.to_owned(), |v| format::value(unit, v));
            let text = format!(
                "{} p50 {} · p90 {} · p99 {} · n {}",
                pair::title(base),
                figure(0.5),
                figure(0.9),
                figure(0.99),
                format::count(sorted.len() as i64)
            );
            ui.label(RichText::new(text).font(small()).color(pair::color(palette, base)));
        }
    });
    let distribution = plot::plot(ui, "distribution", ui.available_height(), [unit, Unit::Count])
        .y_axis_formatter(|mark, _| format!("{:.0} %", mark.value))
        .include_y(0.0)
        .include_y(100.0)
        .include_x(0.0)
        .label_formatter(move |at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } => Some(format!(
                "{plot_name}: {:.1} % are at most {}",
                position.y,
                format::value(unit, position.x.max(0.0))
            )),
            HoverPosition::Elsewhere { .. } => None,
        });
    plot::show(ui, distribution, "Distribution of both runs", |shown| {
        for (base, sorted) in sides {
            let Some(sorted) = sorted.as_ref().filter(|s| !s.is_empty()) else { continue };
            let line = plot::line(pair::title(base), steps(sorted), pair::color(palette, base));
            shown.line(line.width(if base { 1.5 } else { 2.0 }));
        }
    });
}

/// A request as a row of the table.
fn row(r: &RequestRow, pair: &Pair) -> TwoRow {
    let (base, head) = (&pair.base.profile, &pair.head.profile);
    let of = |profile: &crate::model::Profile, id: Option<RequestId>| {
        let r = profile.requests.get(id?)?;
        Some((called(profile, r), r.outcome))
    };
    let (b, h) = (of(base, r.ids.base), of(head, r.ids.head));
    let outcomes = [&b, &h].map(|side| side.as_ref().map(|s| s.1));
    let name = h.or(b).map_or_else(String::new, |s| s.0);
    let failed: Vec<&str> = outcomes
        .iter()
        .zip(["base", "head"])
        .filter(|(o, _)| o.is_some_and(|o| o != Outcome::Ok))
        .map(|(_, side)| side)
        .collect();
    let note = match failed[..] {
        [] => String::new(),
        [side] => format!(
            " ({} in {side})",
            outcomes.iter().flatten().find(|o| **o != Outcome::Ok).map_or("", |o| o.name())
        ),
        _ => " (failed in both)".to_owned(),
    };
    let item = match (r.ids.head, r.ids.base) {
        (Some(id), _) => Some(Item::of_request(id, head)),
        (None, Some(id)) => Some(Item::of_request(id, base)),
        (None, None) => None,
    };
    // What failed on a side is no figure to compare.
    let values = if r.change == Change::NotComparable { known(r.values) } else { r.values };
    TwoRow {
        name: format!("{name}{note}"),
        costs: values,
        counts: Two::default(),
        state: r.ids.state().unwrap_or(State::Both),
        function: None,
        item,
        about: match r.by {
            Some(By::Prompt) => "Paired by its prompt".to_owned(),
            Some(By::Alike) => "Paired by its prompt, which is nearly the same".to_owned(),
            Some(By::Name) => "Paired by its name".to_owned(),
            Some(By::Order) => "Paired by its number among those of its name: a guess".to_owned(),
            None => String::new(),
        },
    }
}

/// Figures of which one is not comparable have no difference.
fn known(values: Two<f64>) -> Two<f64> {
    if values.state() == Some(State::Both) { Two::default() } else { values }
}

impl DiffRequestsView {
    fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, pair: &Pair, found: &Arc<FigureDiff>) {
        let fresh = self.rows.as_ref().is_some_and(|r| Arc::ptr_eq(&r.of, found) && r.sort == self.sort);
        if !fresh {
            let mut rows: Vec<TwoRow> = found.rows.iter().map(|r| row(r, pair)).collect();
            two::sort(&mut rows, self.sort, false);
            self.rows = Some(Rows { of: found.clone(), sort: self.sort, rows: Arc::new(rows) });
        }
        let Some(rows) = self.rows.as_ref().map(|r| r.rows.clone()) else { return };
        let (unit, better) = meaning(self.figure);
        let cost = FIGURES.iter().find(|f| f.0 == self.figure).map_or("", |f| f.1);
        let (mut state, mut sort) = (std::mem::take(&mut self.grid), self.sort);
        let selected = cx.interaction.selection.clone();
        let at = |item: &Option<Item>| {
            item.as_ref().and_then(|i| rows.iter().position(|r| r.item.as_ref() == Some(i)))
        };
        if cx.selected_elsewhere() {
            state.scroll_to = at(&selected);
        }
        let table = TwoTable {
            salt: "requests of two",
            name: "Requests of both runs",
            cost,
            count: "",
            what: "Request",
            units: [unit; 2],
            better,
            subtracts: true,
            adds_up: false,
            per: "",
            rows: &rows,
            sort,
            pair,
        };
        let happened = table.show(cx, ui, &mut state, &mut sort);
        (self.grid, self.sort) = (state, sort);
        let next = if happened.focused { walk(ui, at(&selected), rows.len(), happened.page) } else { None };
        self.grid.scroll_to = next.or(self.grid.scroll_to);
        if let Some(item) = happened.clicked.or(next).and_then(|row| rows[row].item.clone()) {
            cx.select(Some(item));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_interpolate_as_everywhere() {
        let d = crate::analysis::overview::Distribution::of(vec![4.0, 1.0, 2.0]).unwrap();
        let sorted = [1.0, 2.0, 4.0];
        assert_eq!((at(&sorted, 0.5), at(&sorted, 0.9)), (Some(d.p50), Some(d.p90)));
        assert_eq!((at(&[7.0], 0.3), at(&[], 0.5)), (Some(7.0), None));
        assert_eq!(steps(&[1.0, 3.0]), [[1.0, 0.0], [1.0, 50.0], [3.0, 50.0], [3.0, 100.0]]);
        let many: Vec<f64> = (0..10_000).map(f64::from).collect();
        let some = steps(&many);
        assert!(some.len() <= 2 * POINTS + 2 && some.last() == Some(&[9999.0, 100.0]));
    }
}
