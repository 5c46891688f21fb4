//! Calls of a language model: percentiles, a waterfall on the time axis, and a table.
//!
//! Rows of the waterfall are in order of arrival; the table sorts as one likes. Both show the same
//! requests: those that were in flight in the chosen range and that the search finds.

mod compare;
mod groups;
mod table;
mod waterfall;

use super::percentiles::{self, Figure, Statistic};
use super::time::Viewport;
use super::{Comparing, View, ViewCx, ViewKind, needs_requests};
use crate::analysis::columns::request_groups::GroupColumn;
use crate::analysis::definitions as say;
use crate::analysis::phases::{Phases, PhasesIn};
use crate::analysis::request_facets::Facet;
use crate::analysis::requests::{RequestColumn, RequestList, RequestPart, RequestTable};
use crate::format;
use crate::ui::text::TextCache;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::legend_item;
use crate::views::parts::figure;
use crate::views::shared;
use crate::views::shared::grid::GridState;
use egui::{CursorIcon, Rect, Sense, Stroke, Ui, UiBuilder, pos2, vec2};
use std::sync::Arc;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "requests",
    title: "Requests",
    about: "Calls of a language model: waiting, first token, tokens, cost",
    needs: needs_requests,
    make: || Box::new(Requests::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffRequestsView::new())),
};

struct Requests {
    sort: RequestColumn,
    descending: bool,
    /// Share of the height that the waterfall has.
    split: f32,
    viewport: Viewport,
    texts: TextCache,
    grid: GridState,
    /// What the table groups by; `None` for requests one by one.
    by: Option<Facet>,
    group_sort: GroupColumn,
    group_descending: bool,
    group_grid: GridState,
    ordered: groups::Ordered,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            sort: RequestColumn::Arrived,
            descending: false,
            split: 0.5,
            viewport: Viewport::default(),
            texts: TextCache::default(),
            grid: GridState::default(),
            by: None,
            group_sort: GroupColumn::default(),
            group_descending: true,
            group_grid: GridState::default(),
            ordered: groups::Ordered::default(),
        }
    }
}

/// What the parts of the view draw from.
struct Frame {
    list: Arc<RequestList>,
    phases: Option<Arc<Phases>>,
}

impl View for Requests {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.viewport.follow(cx);
        shared::header(ui, |ui| {
            shared::requests::group_by(cx, ui, &mut self.by, Some("One by one"));
            shared::requests::filters(cx, ui);
        });
        let query = RequestTable { asked: cx.asked(), sort: self.sort, descending: self.descending };
        let Some(list) = cx.ask(&query, 0).content(ui, "Adding up requests") else { return };
        let phases = cx.ask(&PhasesIn(None), 0).beside().filter(|p| !p.spans.is_empty());
        let frame = Frame { list, phases };
        let follow = cx.selected_elsewhere();
        let wide = ui.available_width() > 1080.0;
        if !wide {
            strip(ui, &frame.list);
            ui.add_space(space::SMALL);
        }
        if frame.list.rows.is_empty() {
            shared::requests::none(ui);
            return;
        }
        let area = ui.available_rect_before_wrap();
        let (above, below) = self.split(ui, area);
        let (chart, panel) = if wide {
            let split = above.right() - 350.0;
            (above.with_max_x(split - space::LARGE), Some(above.with_min_x(split)))
        } else {
            (above, None)
        };
        ui.scope_builder(UiBuilder::new().max_rect(chart).id_salt("waterfall"), |ui| {
            waterfall::show(cx, ui, &frame, &mut self.viewport, &mut self.texts, follow);
        });
        if let Some(panel) = panel {
            ui.scope_builder(UiBuilder::new().max_rect(panel).id_salt("figures"), |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                figures(ui, &frame.list);
            });
        }
        ui.scope_builder(UiBuilder::new().max_rect(below).id_salt("table"), |ui| match self.by {
            Some(by) => self.groups(cx, ui, by),
            None => self.table(cx, ui, &frame.list, follow),
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({
            "sort": self.sort,
            "descending": self.descending,
            "split": self.split,
            "columns": self.grid.shown,
            "by": self.by,
            "group_sort": self.group_sort,
            "group_descending": self.group_descending,
            "group_columns": self.group_grid.shown,
        })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.sort = shared::kept(saved, "sort").unwrap_or(self.sort);
        self.descending = shared::kept(saved, "descending").unwrap_or(self.descending);
        self.split = shared::kept(saved, "split").filter(|s| (0.0..=1.0).contains(s)).unwrap_or(self.split);
        self.grid.shown = shared::kept(saved, "columns").unwrap_or_default();
        self.by = shared::kept(saved, "by").unwrap_or_default();
        self.group_sort = shared::kept(saved, "group_sort").unwrap_or_default();
        self.group_descending = shared::kept(saved, "group_descending").unwrap_or(true);
        self.group_grid.shown = shared::kept(saved, "group_columns").unwrap_or_default();
    }

    fn viewport(&self) -> Option<&Viewport> {
        Some(&self.viewport)
    }

    fn viewport_mut(&mut self) -> Option<&mut Viewport> {
        Some(&mut self.viewport)
    }
}

impl Requests {
    /// Waterfall above, table below, and between them a line that can be dragged.
    fn split(&mut self, ui: &mut Ui, area: Rect) -> (Rect, Rect) {
        let gap = 8.0;
        let least = 90.0f32.min(area.height() * 0.4);
        let at = |split: f32| (area.height() * split).clamp(least, (area.height() - least).max(least));
        let y = area.top() + at(self.split);
        let handle = Rect::from_x_y_ranges(area.x_range(), y - gap / 2.0..=y + gap / 2.0);
        let response = ui.interact(handle, ui.scope_id().with("split"), Sense::drag());
        response
            .widget_info(|| egui::WidgetInfo::labeled(egui::Role::Splitter, true, "Height of the waterfall"));
        if response.dragged() && area.height() > 1.0 {
            let moved = at(self.split) + response.drag_delta().y;
            self.split = (moved / area.height()).clamp(0.1, 0.9);
        }
        if response.has_focus() && area.height() > 1.0 {
            let filter = egui::EventFilter { vertical_arrows: true, ..egui::EventFilter::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(response.id, filter));
            for (key, step) in [(egui::Key::ArrowUp, -20.0), (egui::Key::ArrowDown, 20.0)] {
                if ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, key)) {
                    self.split = ((at(self.split) + step) / area.height()).clamp(0.1, 0.9);
                }
            }
        }
        let palette = Palette::of(ui);
        let active = response.hovered() || response.dragged() || response.has_focus();
        let color = if active { palette.accent } else { palette.line };
        let grip = handle.center().x - 18.0..=handle.center().x + 18.0;
        ui.painter().hline(grip, y, Stroke::new(2.0, color));
        response.on_hover_cursor(CursorIcon::ResizeVertical);
        let above = Rect::from_min_max(area.min, pos2(area.right(), y - gap / 2.0));
        (above, Rect::from_min_max(pos2(area.left(), y + gap / 2.0), area.max))
    }
}

/// The figures with their definitions.
fn rows(list: &RequestList) -> Vec<Figure<'static>> {
    let f = list.figures.as_ref();
    let gap = if list.single_tokens { ("Token gap", say::TOKEN_GAP) } else { ("Chunk gap", say::CHUNK_GAP) };
    let mut rows = vec![
        ("TTFT", f.and_then(|f| f.ttft), say::TTFT),
        ("TPOT", f.and_then(|f| f.tpot), say::TPOT),
        ("Latency", f.and_then(|f| f.latency), say::LATENCY),
        ("Queued", f.and_then(|f| f.queued), say::QUEUED),
        (gap.0, list.gaps, gap.1),
    ];
    if let Some(f) = f.filter(|f| f.retries > 0) {
        rows.insert(1, ("Waited", f.waited, say::WAITED));
    }
    if f.is_some_and(|f| f.estimated) {
        rows.iter_mut().filter(|r| r.0 == "TPOT").for_each(|r| r.0 = "≈ TPOT");
    }
    rows
}

/// The panel beside the waterfall.
fn figures(ui: &mut Ui, list: &RequestList) {
    use Statistic::{N, P50, P90, P95, P99};
    percentiles::table(ui, &rows(list), &[P50, P90, P95, P99, N]);
    crate::views::parts::remark(ui, say::FINISHED);
    ui.add_space(space::SMALL);
    ui.horizontal(|ui| {
        let palette = Palette::of(ui);
        for part in RequestPart::ALL.into_iter().filter(|part| list.parts.contains(part)) {
            legend_item(ui, palette.phase(part.name()).fill, part.name());
        }
    });
    let Some(f) = &list.figures else { return };
    ui.add_space(space::MEDIUM);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::SMALL, space::SMALL);
        for (name, value, tone, hint) in totals(f) {
            figure(ui, 104.0, name, &value, tone).on_hover_text(hint);
        }
    });
}

type Total = (&'static str, String, Option<Tone>, &'static str);

fn totals(f: &crate::analysis::overview::RequestFigures) -> Vec<Total> {
    let count = |n: u64| format::count(n as i64);
    let mut all = vec![("Requests", count(f.count as u64), None, "In the chosen range")];
    let unanswered = [("Failed", f.failed, Tone::Bad), ("Cancelled", f.cancelled, Tone::Warning)];
    for (name, n, tone) in unanswered.into_iter().filter(|(_, n, _)| *n > 0) {
        all.push((name, count(n as u64), Some(tone), say::FINISHED));
    }
    if f.peak_concurrency.is_some() {
        all.push(("Peak in flight", f.peak(), None, say::CONCURRENCY));
    }
    let about = if f.estimated { "≈ " } else { "" };
    if let Some(rate) = f.system_tokens_per_second {
        all.push(("System rate", format!("{about}{}", format::rate(rate, "tok")), None, say::SYSTEM_RATE));
    }
    if let Some(tokens) = f.output_tokens {
        all.push(("Output tokens", format!("{}{}", f.signs[1], count(tokens)), None, say::OUTPUT));
    }
    if f.retries > 0 {
        all.push(("Retries", count(f.retries as u64), Some(Tone::Warning), say::RETRIES));
        all.push(("Lost", format::duration(f.lost), Some(Tone::Warning), say::LOST));
    }
    if let Some(cost) = f.cost_text() {
        all.push(("Cost", cost, None, say::COST));
    }
    all
}

/// The figures in one line, for a narrow pane.
fn strip(ui: &mut Ui, list: &RequestList) {
    let rows = rows(list);
    let room = ui.available_width();
    let fit = ((room / 92.0).floor() as usize).clamp(1, rows.len());
    let each = (room / fit as f32 - space::SMALL).min(150.0);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::SMALL;
        for row in rows.iter().take(fit) {
            percentiles::compact(ui, each, row);
        }
    });
}

#[cfg(test)]
mod tests;
