//! Figures in rows, order statistics in columns: the same table in the summary and above requests.

use crate::analysis::overview::Distribution;
use crate::format::{self, UNKNOWN};
use crate::ui::theme::{Palette, regular, small, space, strong};
use crate::views::parts::{row, text_in};
use egui::{Align, Rect, Response, Sense, Ui, pos2, vec2};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 95th percentile.
    P95,
    /// 99th percentile.
    P99,
    /// Largest.
    Max,
    /// Number of values.
    N,
}

impl Statistic {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::N => "n",
        }
    }

    /// Its value in a distribution of ns, as text.
    #[must_use]
    pub fn text(self, distribution: Option<&Distribution>) -> String {
        let Some(d) = distribution else { return UNKNOWN.to_owned() };
        let ns = match self {
            Self::P50 => d.p50,
            Self::P90 => d.p90,
            Self::P95 => d.p95,
            Self::P99 => d.p99,
            Self::Max => d.max,
            Self::N => return format::count(d.n as i64),
        };
        format::duration(ns.round() as i64)
    }
}

/// Room for the names.
const NAMES: f32 = 68.0;
/// Room for «53.8 ms», with what keeps it from the next one.
const VALUE: f32 = 62.0;

/// A row: its name, its values in ns and what they mean.
pub type Figure<'a> = (&'a str, Option<Distribution>, &'a str);

/// The table over the width that is left. Where it is narrow, the last column gives way.
pub fn table(ui: &mut Ui, rows: &[Figure<'_>], columns: &[Statistic]) {
    let heads: Vec<String> = columns.iter().map(|c| c.name().to_owned()).collect();
    // Digits are equally wide; as many requests as there are stand whole.
    let counted = rows.iter().map(|row| Statistic::N.text(row.1.as_ref()).chars().count());
    let counts = (counted.max().unwrap_or(0) as f32 * 7.0 + 4.0).max(36.0);
    line(ui, "", &heads, (columns, counts), true);
    for (name, distribution, definition) in rows {
        let cells: Vec<String> = columns.iter().map(|c| c.text(distribution.as_ref())).collect();
        line(ui, name, &cells, (columns, counts), false).on_hover_text(*definition);
    }
}

fn line(
    ui: &mut Ui,
    name: &str,
    cells: &[String],
    (columns, counts): (&[Statistic], f32),
    head: bool,
) -> Response {
    let palette = Palette::of(ui);
    let (rect, response) = row(ui, if head { 18.0 } else { space::ROW }, Sense::hover());
    if response.hovered() && !head {
        ui.painter().rect_filled(rect, space::RADIUS_SMALL, palette.hover);
    }
    let label = format!("{name} {}", cells.join(" "));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    let rect = rect.shrink2(vec2(4.0, 0.0));
    let percentiles = columns.iter().filter(|c| **c != Statistic::N).count() as f32;
    let has_room = rect.width() >= NAMES + VALUE * percentiles + counts;
    let counts = if columns.len() as f32 > percentiles && has_room { counts } else { 0.0 };
    let each = ((rect.width() - NAMES - counts) / percentiles.max(1.0)).clamp(36.0, 90.0);
    let mut right = rect.right();
    for (cell, column) in cells.iter().zip(columns).rev() {
        let width = if *column == Statistic::N { counts } else { each };
        let area = Rect::from_x_y_ranges(right - width..=right, rect.y_range());
        let (font, color) = match (head, column) {
            (true, _) => (small(), palette.text_weak),
            (_, Statistic::N) => (regular(12.0), palette.text_weak),
            (_, Statistic::P50) => (strong(13.0), palette.text_strong),
            _ => (regular(13.0), palette.text),
        };
        text_in(ui.painter(), area, cell, font, color, Align::Max);
        right -= width;
    }
    let area = Rect::from_min_max(rect.min, pos2(right, rect.bottom()));
    text_in(ui.painter(), area, name, regular(13.0), palette.text_weak, Align::Min);
    response
}

/// One figure in a small place: median large, 95th percentile below.
pub fn compact(ui: &mut Ui, width: f32, (name, distribution, definition): &Figure<'_>) {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 44.0), Sense::hover());
    let d = distribution.as_ref();
    let median = Statistic::P50.text(d);
    let below = format!("p95 {}", Statistic::P95.text(d));
    let label = format!("{name} p50 {median} {below}");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    let strip = |top: f32, height: f32| Rect::from_min_size(rect.min + vec2(0.0, top), vec2(width, height));
    let title = match d {
        Some(d) => format!("{name} p50 · n {}", format::count(d.n as i64)),
        None => format!("{name} p50"),
    };
    text_in(ui.painter(), strip(0.0, 13.0), &title, small(), palette.text_weak, Align::Min);
    text_in(ui.painter(), strip(13.0, 18.0), &median, strong(15.0), palette.text_strong, Align::Min);
    text_in(ui.painter(), strip(30.0, 13.0), &below, small(), palette.text_weak, Align::Min);
    let all = [Statistic::P50, Statistic::P90, Statistic::P95, Statistic::P99, Statistic::N];
    let all: Vec<_> = all.iter().map(|s| format!("{} {}", s.name(), s.text(d))).collect();
    response.on_hover_text(format!("{}\n\n{definition}", all.join("  ·  ")));
}
