//! The stage graph: tasks and stages over time or in their order, who waited for whom, the critical path, slack,
//! and what-ifs.
//!
//! Colours of stages are those of their functions, full on the critical path. A line after a stage is its slack,
//! a line in it the time in which it was polled. Changes of a what-if are shared state, so they can be undone.

mod compare;
mod layout;
mod paint;
mod panel;
mod strip;
#[cfg(test)]
pub(super) mod tests;

use std::sync::Arc;

use egui::{Rangef, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use self::layout::{Layout, Mode, Sizes, place, seen_tracks};
use self::paint::Scene;
use super::shared::{self, menu::ContextMenu};
use super::time::{self, Viewport};
use super::{Comparing, View, ViewCx, ViewKind};
use crate::analysis::stages::{
    Change, Estimate, Gains, NameGains, Outcome, Rows, StageGraph, StageId, StageKey, StageRows, Stages,
};
use crate::format;
use crate::model::{Profile, TrackId};
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::text::TextCache;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::{EmptyState, combo, pill, segmented};
use crate::views::parts::weak;

/// The line in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "stages",
    title: "Stages",
    about: "Which stage waited for which, the critical path with slack, and what a change would bring",
    needs,
    make: || Box::new(StagesView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffStages::new())),
};

fn needs(profile: &Profile) -> Result<(), &'static str> {
    if profile.span_count() > 0 {
        Ok(())
    } else {
        Err(
            "This file does not say when each call began and ended. Open a trace (Chrome, PyTorch, VizTracer) or \
             record a run to see stages and the critical path.",
        )
    }
}

/// Most bars that can be clicked and read out.
const MOST_CLICKABLE: usize = 600;
/// Stages of which the gain is computed, and names.
const MOST_GAINS: usize = 24;
const MOST_NAMES: usize = 8;
/// From this width on the panel stands beside the chart.
const WIDE: f32 = 720.0;

#[derive(Default)]
struct StagesView {
    mode: Mode,
    level: Option<u32>,
    viewport: Viewport,
    texts: TextCache,
    /// Show tracks without a stage that can be seen at this zoom, too.
    all_rows: bool,
    /// Tracks that were left out in the last frame.
    hidden: usize,
    /// The stage that was clicked here; a span can have several.
    picked: Option<StageKey>,
    listing: Option<panel::Listing>,
    /// Where stages are on screen, where another run is beside this one.
    places: Vec<(StageId, Rect)>,
    /// How many of them, the first ones, are on the critical path.
    on_path: usize,
}

/// What one frame is drawn from.
struct Frame {
    query: Stages,
    rows: Arc<StageRows>,
    outcome: Option<Arc<Outcome>>,
    selected: Option<u32>,
}

impl View for StagesView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.viewport.follow(cx);
        let scope = crate::analysis::Scope { transforms: Vec::new(), ..cx.interaction.scope.clone() };
        let query = Stages { scope, range: cx.interaction.range, level: self.level };
        let rows = Rows { graph: query.clone(), by_order: self.mode == Mode::Order };
        let Some(rows) = cx.ask(&rows, 0).content(ui, "Finding stages") else { return };
        let what_if = &cx.interaction.what_if;
        let outcome = if what_if.is_empty() {
            None
        } else {
            let estimate = Estimate { graph: query.clone(), what_if: what_if.clone() };
            cx.ask(&estimate, 0).beside().filter(|o| o.stages.len() == rows.graph.stages.len())
        };
        let selected = self.selected(cx, &rows);
        let frame = Frame { query, rows, outcome, selected };
        // Of two runs the upper one has the controls of both, and one panel tells of both.
        if cx.beside.is_none() || cx.of_base {
            self.header(cx, ui, &frame);
        }
        if frame.rows.graph.stages.is_empty() {
            let text = "No span lies in the chosen tracks and range.";
            EmptyState::new(Icon::Graph, "No stage to show", text).show(ui);
            return;
        }
        ui.add_space(space::SMALL);
        if cx.beside.is_some() {
            self.chart(cx, ui, &frame);
            return;
        }
        let area = ui.available_rect_before_wrap();
        let wide = area.width() >= WIDE;
        let (chart, side) = if wide {
            let width = (area.width() * 0.26).clamp(250.0, 340.0);
            let split = area.right() - width;
            (area.with_max_x(split - space::LARGE), area.with_min_x(split))
        } else {
            let split = area.top() + area.height() * 0.55;
            (area.with_max_y(split - space::SMALL), area.with_min_y(split))
        };
        ui.scope_builder(UiBuilder::new().max_rect(chart).id_salt("chart"), |ui| {
            self.chart(cx, ui, &frame);
        });
        ui.scope_builder(UiBuilder::new().max_rect(side).id_salt("panel"), |ui| {
            let gains = cx.ask(&Gains { graph: frame.query.clone(), most: MOST_GAINS }, 0);
            let names = cx.ask(&NameGains { graph: frame.query.clone(), most: MOST_NAMES }, 0);
            let gains = panel::Worth { stages: gains.beside(), names: names.beside() };
            let picked = panel::show(cx, ui, &frame, &gains, |cx, ui| {
                panel::path(cx, ui, &frame, gains.stages.as_deref(), &mut self.listing)
            });
            if let Some(stage) = picked {
                self.pick(cx, &frame.rows.graph, stage);
            }
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({
            "mode": self.mode,
            "level": self.level,
            "path": self.listing,
            "all_rows": self.all_rows,
        })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.mode = shared::kept(saved, "mode").unwrap_or_default();
        self.level = shared::kept(saved, "level").unwrap_or_default();
        self.listing = shared::kept(saved, "path").unwrap_or_default();
        self.all_rows = shared::kept(saved, "all_rows").unwrap_or_default();
    }

    fn viewport(&self) -> Option<&Viewport> {
        Some(&self.viewport)
    }

    fn viewport_mut(&mut self) -> Option<&mut Viewport> {
        Some(&mut self.viewport)
    }

    /// Arrows join what is on the critical path of either run.
    fn matters(&self, track: TrackId, row: u32) -> bool {
        let on_path = &self.places[..self.on_path.min(self.places.len())];
        on_path.is_empty() || on_path.iter().any(|(id, _)| (id.track, id.row) == (track, row))
    }

    fn place_of(&self, _profile: &Profile, track: TrackId, row: u32) -> Option<Rect> {
        self.places.iter().find(|(id, _)| (id.track, id.row) == (track, row)).map(|&(_, rect)| rect)
    }
}

impl StagesView {
    /// The stage that is selected, wherever that was.
    fn selected(&self, cx: &ViewCx<'_>, rows: &StageRows) -> Option<u32> {
        let (track, row) = cx.interaction.selection.as_ref()?.span(cx.profile())?;
        let is = |id: &StageId| (id.track, id.row) == (track, row);
        let picked = self.picked.and_then(|key| key.id(cx.profile())).filter(is).and_then(|id| rows.find(id));
        picked.or_else(|| rows.of_span(track, row))
    }

    fn pick(&mut self, cx: &mut ViewCx<'_>, graph: &StageGraph, stage: u32) {
        let id = graph.stages[stage as usize].id;
        self.picked = id.key(cx.profile());
        cx.send(Command::Select(Item::of_span(id.track, id.row, cx.profile())));
    }

    fn header(&mut self, cx: &ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
        let graph = &frame.rows.graph;
        shared::header(ui, |ui| {
            segmented(ui, "Order of stages", &mut self.mode, &[(Mode::Time, "Time"), (Mode::Order, "Order")]);
            self.levels(ui, graph);
            if cx.beside.is_some() {
                if self.mode == Mode::Time {
                    self.all_rows(ui);
                }
                return;
            }
            if graph.stages.is_empty() {
                return;
            }
            let stages = format::counted(graph.stages.len() as i64, "stage", "stages");
            weak(ui, &format!("{stages} in {}", format::duration(graph.total())));
            if let Some(share) = graph.share() {
                let text = format!("critical path {}", format::percent(share));
                let tone = if share < panel::EXPLAINS { Tone::Bad } else { Tone::Warning };
                pill(ui, tone, &text).on_hover_text(
                    "Share of the total in which a stage of the critical path ran. The rest are gaps between stages.",
                );
            }
            if let Some(outcome) = &frame.outcome {
                let text = format!("estimated {} ({})", format::duration(outcome.total), change(outcome));
                pill(ui, Tone::Info, &text).on_hover_text(panel::ESTIMATE);
            }
            if graph.left_out > 0 {
                let text = format!("{} spans left out", format::count(graph.left_out as i64));
                pill(ui, Tone::Warning, &text).on_hover_text(
                    "There are too many stages. Choose a time range, fewer tracks or a lower level.",
                );
            }
            if cx.live {
                pill(ui, Tone::Neutral, "live");
            }
            if self.mode == Mode::Time && (self.hidden > 0 || self.all_rows) {
                self.all_rows(ui);
                if self.hidden > 0 {
                    weak(ui, &format!("{} hidden", format::count(self.hidden as i64)));
                }
            }
        });
    }

    fn all_rows(&mut self, ui: &mut Ui) {
        let about = "Threads and tasks whose stages are all too short to be seen at this zoom are left out";
        ui.checkbox(&mut self.all_rows, "All rows").on_hover_text(about);
    }

    /// How deep callers are opened into what they called.
    fn levels(&mut self, ui: &mut Ui, graph: &StageGraph) {
        if graph.deepest == 0 {
            return;
        }
        let shown = match self.level {
            None => "Level: auto".to_owned(),
            Some(_) => format!("Level {}", graph.level),
        };
        let field = combo("level").selected_text(shown).show_ui(ui, |ui| {
            ui.selectable_value(&mut self.level, None, "Auto: all that can be overlooked");
            for level in 0..=graph.deepest {
                let text = match level {
                    0 => "Level 0: outermost spans".to_owned(),
                    n => format!("Level {n}"),
                };
                ui.selectable_value(&mut self.level, Some(level), text);
            }
        });
        field.response.on_hover_text("Spans with so many callers are stages as a whole");
    }

    fn chart(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
        let palette = Palette::of(ui);
        let area = ui.available_rect_before_wrap();
        let timed = self.mode == Mode::Time;
        let columns = frame.rows.columns();
        let axis = if timed {
            TimeAxis::layout(self.viewport.t0, self.viewport.t1, area.x_range())
        } else {
            TimeAxis::layout(0.0, 0.0, area.x_range())
        };
        let response = ui.interact(area, ui.scope_id().with("stages"), Sense::click_and_drag());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Stage graph"));
        let ruler = if timed { space::RULER } else { 0.0 };
        let (ruler, body) = area.split_top_bottom_at_y(area.top() + ruler);
        if timed {
            let gesture = self.viewport.gesture(ui, &response, &axis);
            self.viewport.publish(&gesture, cx);
        }
        if response.clicked() {
            cx.send(Command::Select(None));
        }
        // Both critical paths stand where the charts meet.
        let (body, path) = match timed && cx.beside.is_some() {
            true if cx.of_base => body.split_top_bottom_at_y(body.bottom() - strip::HEIGHT),
            true => {
                let (path, body) = body.split_top_bottom_at_y(body.top() + strip::HEIGHT);
                (body, path)
            }
            false => (body, Rect::NOTHING),
        };
        ui.painter().rect_filled(body, 0.0, palette.canvas);
        let keep = frame.selected.map(|s| frame.rows.graph.stages[s as usize].id.track);
        let tracks = match timed && !self.all_rows {
            true => seen_tracks(&frame.rows, &axis, keep),
            false => (0..frame.rows.graph.tracks.len()).collect(),
        };
        self.hidden = frame.rows.graph.tracks.len() - tracks.len();
        let of_tracks = || tracks.iter().map(|&at| frame.rows.graph.tracks[at]);
        let sizes = Sizes::for_height(&of_tracks(), body.height());
        if timed {
            axis.paint_grid(ui.painter(), body, palette);
        }
        ui.scope_builder(UiBuilder::new().max_rect(body).id_salt("rows"), |ui| {
            let width =
                columns.map_or(0.0, |columns| columns as f32 * least_column(columns)).max(body.width());
            let area = if timed { ScrollArea::vertical() } else { ScrollArea::both() };
            area.id_salt("rows").auto_shrink(false).show_viewport(ui, |ui, view| {
                ui.set_height(sizes.content(of_tracks()));
                ui.set_width(if timed { body.width() } else { width });
                let origin = ui.min_rect().min;
                let axis = if timed {
                    axis.clone()
                } else {
                    TimeAxis::layout(0.0, 0.0, Rangef::new(origin.x, origin.x + width))
                };
                let inner = Rect::from_min_size(pos2(axis.x.min, origin.y + 4.0), vec2(axis.x.span(), 1.0));
                let seen = view.translate(origin.to_vec2());
                let layout = place(&frame.rows, &tracks, &axis, sizes, (inner, seen), frame.selected);
                self.places.clear();
                self.on_path = 0;
                if timed && (cx.of_base || cx.follower) {
                    for part in strip::place(&frame.rows.graph, &axis, path) {
                        let stage = part.stage.map(|stage| frame.rows.graph.stages[stage as usize].id);
                        self.places.extend(stage.map(|id| (id, part.rect)));
                    }
                    self.on_path = self.places.len();
                    let seen = |bar: &layout::Bar| bar.rect.intersects(ui.clip_rect());
                    let place =
                        |bar: &layout::Bar| (frame.rows.graph.stages[bar.stage as usize].id, bar.rect);
                    self.places.extend(layout.bars.iter().filter(|bar| seen(bar)).map(place));
                }
                self.stages(cx, ui, frame, &layout, (&axis, sizes, timed));
            });
        });
        if path.is_positive() {
            self.path(cx, ui, frame, (&axis, path));
        }
        if timed {
            let painter = ui.painter();
            time::range_marks(painter, body, &axis, cx.interaction.range, cx.preview, palette);
            let cursor = cx.cursor.map(|t| t as f64);
            axis.paint_ruler(painter, ruler, cursor, palette);
            cursor.into_iter().for_each(|t| axis.paint_cursor(painter, body, t, palette));
        }
    }

    /// The critical path as a row of its own.
    fn path(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, frame: &Frame, (axis, area): (&TimeAxis, Rect)) {
        let profile = cx.subject.profile().clone();
        let parts = strip::place(&frame.rows.graph, axis, area);
        let (clicked, hovered) = strip::interact(cx, ui, &frame.rows.graph, &parts, frame.selected);
        if let Some(stage) = clicked {
            self.pick(cx, &frame.rows.graph, stage);
        }
        let painter = ui.painter().clone();
        let of = (&*profile, &*frame.rows.graph, Palette::of(ui));
        strip::paint(&painter, of, area, &parts, (frame.selected, hovered), &mut self.texts.begin(&painter));
    }

    fn stages(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        frame: &Frame,
        layout: &Layout,
        (axis, sizes, timed): (&TimeAxis, Sizes, bool),
    ) {
        let graph = &frame.rows.graph;
        let profile = cx.subject.profile().clone();
        let what_if = cx.interaction.what_if.clone();
        let mut hovered = None;
        for bar in layout.bars.iter().filter(|b| b.rect.width() > 3.0).take(MOST_CLICKABLE) {
            let stage = &graph.stages[bar.stage as usize];
            let rect = bar.rect.intersect(ui.clip_rect());
            if !rect.is_positive() {
                continue;
            }
            let id = ui.scope_id().with(("stage", stage.id));
            let response = ui.interact(rect, id, Sense::click());
            let name = profile.function_name(stage.function);
            let selected = frame.selected == Some(bar.stage);
            let label = format!("stage {name}");
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, selected, &label));
            crate::ui::widgets::focus_ring(ui, &response, rect.expand(1.5));
            if response.hovered() {
                hovered = Some(bar.stage);
                cx.out.hover = Item::of_span(stage.id.track, stage.id.row, &profile);
            }
            if response.clicked() || response.secondary_clicked() {
                self.pick(cx, graph, bar.stage);
            }
            response.context_menu(|ui| {
                let function = profile.function_name(stage.function);
                let context = ContextMenu::new().title(function).copies("Copy name", function);
                context.show(cx, ui, |cx, ui| {
                    if let Some(next) = panel::choices(ui, &profile, &frame.rows, bar.stage, &what_if) {
                        cx.send(Command::WhatIf(next));
                        ui.close();
                    }
                });
            });
            if response.hovered() {
                response.on_hover_text_at_pointer(panel::tooltip(&profile, graph, bar.stage));
            }
        }
        let elsewhere = match cx.hover.and_then(|item| item.span(&profile)) {
            Some((track, row)) if hovered.is_none() => layout.bars.iter().map(|b| b.stage).find(|&s| {
                (graph.stages[s as usize].id.track, graph.stages[s as usize].id.row) == (track, row)
            }),
            _ => None,
        };
        let scene = Scene {
            profile: &profile,
            graph,
            what_if: &what_if,
            outcome: frame.outcome.as_deref(),
            axis,
            sizes,
            palette: Palette::of(ui),
            timed,
            selected: frame.selected,
            hovered: hovered.or(elsewhere),
        };
        let painter = ui.painter().clone();
        let mut texts = self.texts.begin(&painter);
        scene.paint(&painter, layout, &mut texts);
        scene.new_end(&painter, ui.clip_rect());
    }
}

/// Narrowest column of the order: names must be readable as long as there are few.
fn least_column(columns: u32) -> f32 {
    if columns <= 40 { 112.0 } else { 48.0 }
}

/// «−1.00 s, −8.3 %».
fn change(outcome: &Outcome) -> String {
    let difference = outcome.difference();
    let share = difference as f64 / outcome.before.max(1) as f64;
    let signed = format::signed_cost(crate::model::Unit::Nanoseconds, difference);
    format!("{signed}, {}", format::percent_change(share))
}

/// Half the time.
const HALF: Change = Change::Scale(500);
