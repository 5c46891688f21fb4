//! The flame chart: boxes in time order, merged by call path (largest first or by name), or as a sandwich
//! around one function.
//!
//! Rows come from queries ([`crate::analysis::flame_rows`]); `layout` places what is seen, `paint`
//! paints it, `input` reads pointer and keys. While nothing moves, meshes are kept from frame to frame.

mod camera;
mod colors;
mod header;
mod input;
pub mod layout;
pub mod paint;
#[cfg(test)]
mod tests;
mod tooltip;

pub use colors::{Coloring, Colors};
pub use tooltip::item;

use std::collections::HashSet;
use std::sync::Arc;

use egui::{Color32, Id, Rangef, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use self::camera::{Camera, Limits, Place};
use self::header::{costs_query, metric_unit};
use self::input::{Chart, Drag, Wish};
use self::layout::{Layout, Metrics, Port, Stacking, Strip, layout};
use self::paint::Painted;
use self::tooltip::{Choice, Facts};
use crate::analysis::Functions;
use crate::analysis::flame_rows::{
    Axis, BoxAt, FlameRows, GroupOf, Merged, MergedOrder, Sandwich, TimeOrder,
};
use crate::format;
use crate::model::{FunctionId, Profile};
use crate::query::Answer;
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::text::TextCache;
use crate::ui::theme::{Palette, space};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::EmptyState;
use crate::views::{View, ViewCx, ViewKind};

/// Sizes of rows and headers.
pub const METRICS: Metrics = Metrics { row: space::SPAN, header: 22.0, gap: 6.0 };
/// Boxes that screen readers hear about, at most.
const MOST_NODES: usize = 2000;

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "flame",
    title: "Flame chart",
    about: "Every call as a box: in time order, merged by call path, or around one function.",
    needs,
    make: || Box::new(FlameView::default()),
};

fn needs(profile: &Profile) -> Result<(), &'static str> {
    let any = profile.span_count() > 0 || profile.sample_count() > 0 || profile.call_graph.is_some();
    if any {
        Ok(())
    } else {
        Err("This file holds no calls: no spans, samples or call graph. Open a profile or record one.")
    }
}

/// How boxes are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As they happened.
    Time,
    /// Merged by call path, the largest first.
    LeftHeavy,
    /// Merged by call path, by name.
    Alphabetical,
    /// Callers and callees of one function.
    Sandwich,
}

impl Mode {
    /// All modes with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Time, "Time order"),
        (Self::LeftHeavy, "Left heavy"),
        (Self::Alphabetical, "Alphabetical"),
        (Self::Sandwich, "Sandwich"),
    ];
}

/// The view.
#[derive(Default)]
pub struct FlameView {
    mode: Option<Mode>,
    coloring: Coloring,
    /// The function in the middle of the sandwich.
    sandwich: Option<FunctionId>,
    folded: HashSet<GroupOf>,
    cameras: [Camera; 4],
    drag: Option<Drag>,
    selected: Option<BoxAt>,
    /// The selection that `selected` was found for.
    known: Option<Known>,
    menu_at: Option<BoxAt>,
    facts: Option<Facts>,
    stale: shared::Stale,
    texts: TextCache,
    painted: Painted,
    layout: Layout,
    /// What `layout` and `painted` were made for.
    made_for: Option<MadeFor>,
    stacking: (Option<Arc<FlameRows>>, Stacking),
    colors: Option<(ColorsFor, Colors)>,
    /// The profile that ids in this state belong to.
    profile: Option<Arc<Profile>>,
    /// True when the focus came by a click, which needs no ring to be seen.
    clicked: bool,
}

/// The selection and rows for which the selected box was looked up.
struct Known {
    item: Option<Item>,
    rows: Arc<FlameRows>,
}

struct MadeFor {
    rows: Arc<FlameRows>,
    port: Port,
    chart: Rect,
    folded: HashSet<GroupOf>,
    dark: bool,
}

#[derive(PartialEq)]
struct ColorsFor {
    profile: *const Profile,
    coloring: Coloring,
    dark: bool,
    search: String,
    /// Number of functions whose shares were known.
    shares: usize,
}

impl View for FlameView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.rekey(cx);
        ui.spacing_mut().item_spacing = vec2(space::MEDIUM, 0.0);
        let palette = Palette::of(ui);
        egui::Frame::new().fill(palette.panel).inner_margin(egui::Margin::symmetric(8, 6)).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = space::SMALL;
            self.header(cx, ui);
        });
        let mode = self.mode_of(cx.profile());
        if mode == Mode::Time && !cx.profile().is_timed() {
            let why = why_no_time(cx.profile());
            let empty = EmptyState::new(Icon::Clock, "No time order", why).action("Show left heavy");
            if empty.show(ui) {
                self.set_mode(Mode::LeftHeavy, cx);
            }
            return;
        }
        let Some(answer) = self.ask(mode, cx) else {
            EmptyState::new(Icon::Flame, "No function", "There is no function to put in the middle.")
                .show(ui);
            return;
        };
        let late = self.stale.is_late(&answer, cx.live, ui);
        match answer {
            Answer::Ready(rows) => self.chart(cx, ui, mode, &rows, None),
            Answer::Working { progress, stale: Some(rows) } => {
                self.chart(cx, ui, mode, &rows, late.then_some(progress));
            }
            Answer::Working { progress, stale: None } => working(ui, progress),
            Answer::Failed(why) => {
                EmptyState::new(Icon::Error, "The chart could not be made", &why).show(ui);
            }
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "mode": self.mode, "coloring": self.coloring })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        let read = |key: &str| saved.get(key).cloned().unwrap_or_default();
        self.mode = serde_json::from_value(read("mode")).unwrap_or_default();
        self.coloring = serde_json::from_value(read("coloring")).unwrap_or_default();
    }
}

/// Why a profile has no time order, and what would have one.
fn why_no_time(profile: &Profile) -> &'static str {
    if profile.call_graph.is_some() {
        "This profiler summed up who called whom, not when. Open a trace (Chrome, PyTorch, VizTracer, speedscope) \
         or record a run to see time."
    } else {
        "These stacks were merged when they were saved, so when each ran is lost. Open a trace, or a profile whose \
         samples carry times, to see time."
    }
}

fn working(ui: &Ui, progress: Option<f32>) {
    let palette = Palette::of(ui);
    let rect = ui.available_rect_before_wrap();
    let text = match progress {
        Some(share) => format!("Preparing the chart … {}", format::percent(f64::from(share))),
        None => "Preparing the chart …".to_owned(),
    };
    let font = crate::ui::theme::regular(13.0);
    ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, text, font, palette.text_weak);
    ui.request_repaint_after(std::time::Duration::from_millis(100));
}

impl FlameView {
    /// The chosen mode, or what suits the profile.
    fn mode_of(&self, profile: &Profile) -> Mode {
        self.mode.unwrap_or(if profile.is_timed() { Mode::Time } else { Mode::LeftHeavy })
    }

    fn set_mode(&mut self, mode: Mode, cx: &ViewCx<'_>) {
        self.mode = Some(mode);
        self.drag = None;
        if mode == Mode::Sandwich
            && let Some(function) = cx.interaction.selection.as_ref().and_then(|s| s.function(cx.profile()))
        {
            self.sandwich = Some(function);
        }
    }

    /// Carries ids over to a new revision of the profile.
    fn rekey(&mut self, cx: &ViewCx<'_>) {
        let now = &cx.subject.profile;
        let Some(old) = self.profile.replace(now.clone()).filter(|old| !Arc::ptr_eq(old, now)) else {
            return;
        };
        self.sandwich = self.sandwich.and_then(|f| Item::Function(f).rekey(&old, now)?.function(now));
        let folded = std::mem::take(&mut self.folded).into_iter().filter_map(|of| match of {
            GroupOf::Track(id) => match Item::Track(id).rekey(&old, now)? {
                Item::Track(id) => Some(GroupOf::Track(id)),
                _ => None,
            },
            of => Some(of),
        });
        self.folded = folded.collect();
        (self.selected, self.known, self.facts, self.menu_at) = (None, None, None, None);
    }

    fn shares_query(&self, cx: &ViewCx<'_>) -> Functions {
        let costs = costs_query(cx);
        Functions { scope: costs.scope, metric: costs.metric, range: costs.range }
    }

    /// The rows of a mode; `None` when a sandwich has no function.
    fn ask(&mut self, mode: Mode, cx: &ViewCx<'_>) -> Option<Answer<FlameRows>> {
        let costs = costs_query(cx);
        Some(match mode {
            Mode::Time => cx.ask(&TimeOrder(costs.scope), 0),
            Mode::LeftHeavy => cx.ask(&Merged { costs, order: MergedOrder::Heaviest }, 0),
            Mode::Alphabetical => cx.ask(&Merged { costs, order: MergedOrder::Name }, 0),
            Mode::Sandwich => {
                if self.sandwich.is_none() {
                    match cx.ask(&self.shares_query(cx), 0) {
                        Answer::Ready(table) => {
                            self.sandwich = table.rows.first().map(|row| row.function);
                        }
                        Answer::Working { progress, .. } => {
                            return Some(Answer::Working { progress, stale: None });
                        }
                        Answer::Failed(why) => return Some(Answer::Failed(why)),
                    }
                }
                cx.ask(&Sandwich { costs, function: self.sandwich? }, 0)
            }
        })
    }

    fn chart(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        mode: Mode,
        rows: &Arc<FlameRows>,
        working: Option<Option<f32>>,
    ) {
        Self::notices(rows, ui);
        if rows.is_empty() {
            EmptyState::new(
                Icon::Flame,
                "Nothing to draw",
                "The tracks, range and focus chosen leave no calls.",
            )
            .show(ui);
            return;
        }
        let palette = Palette::of(ui);
        let whole = ui.available_rect_before_wrap();
        let (rect, _) = ui.allocate_exact_size(whole.size(), Sense::hover());
        let (ruler, chart) = rect.split_top_bottom_at_y(rect.top() + space::RULER);
        if chart.height() < METRICS.row || chart.width() < 20.0 {
            return;
        }
        let id = ui.scope_id().with("flame chart");
        let response = ui.interact(chart, id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Flame chart"));
        self.restack(rows, mode);
        let limits = Limits {
            extent: rows.extent() as f64,
            content: self.stacking.1.height + 8.0,
            window: f64::from(chart.height()),
        };
        let mut camera = self.cameras[mode as usize];
        camera.fit(limits, cx.live);
        let port = |camera: &Camera| {
            let Place { t0, t1, scroll } = camera.now();
            Port { t0, t1, scroll, width: chart.width(), height: chart.height(), ppp: ui.pixels_per_point() }
        };
        let scene = Chart { rows, rect: chart, response: &response, limits, port: port(&camera) };
        self.find_selected(cx, rows, &mut camera, limits);
        let wish = scene.pointer(ui, &mut camera, &mut self.drag);
        let wish = wish.or_else(|| scene.keys(ui, &mut camera, self.selected));
        self.grant(wish, cx, rows, &mut camera, limits);
        let bar = Self::scroll_bar(ui, chart, &mut camera, limits);
        if camera.step(f64::from(ui.input(|i| i.stable_dt)), limits) {
            ui.request_repaint();
        }
        let port = port(&camera);
        self.make(cx, ui, rows, chart, port);
        self.pointed(cx, ui, &scene, port, &mut camera);
        self.cameras[mode as usize] = camera;
        self.paint_all(cx, ui, &Frame { rows, chart, ruler, port, palette, working, bar });
        self.accessible(ui, id, rows, chart);
        if response.has_focus() && !self.clicked {
            let ring = egui::Stroke::new(1.5, palette.accent);
            ui.painter().rect_stroke(chart.shrink(1.0), 0.0, ring, egui::StrokeKind::Inside);
        }
        self.clicked &= response.has_focus();
    }

    fn restack(&mut self, rows: &Arc<FlameRows>, mode: Mode) {
        let same = self.stacking.0.as_ref().is_some_and(|old| Arc::ptr_eq(old, rows));
        if !same {
            let headers = rows.groups.len() > 1 || mode == Mode::Sandwich;
            self.stacking = (Some(rows.clone()), Stacking::new(rows, METRICS, headers, &self.folded));
        }
    }

    /// Looks up the selected box when the selection or the rows are others, and goes there when somebody
    /// else selected it.
    fn find_selected(&mut self, cx: &ViewCx<'_>, rows: &Arc<FlameRows>, camera: &mut Camera, limits: Limits) {
        let item = &cx.interaction.selection;
        let same_rows = self.known.as_ref().is_some_and(|k| Arc::ptr_eq(&k.rows, rows));
        let same_item = self.known.as_ref().is_some_and(|k| k.item == *item);
        if same_rows && same_item {
            return;
        }
        self.selected = item.as_ref().and_then(|item| tooltip::locate(rows, item));
        self.known = Some(Known { item: item.clone(), rows: rows.clone() });
        if let Some(at) = self.selected.filter(|_| !same_item) {
            self.reveal(rows, at, camera, limits);
        }
    }

    fn reveal(&mut self, rows: &Arc<FlameRows>, at: BoxAt, camera: &mut Camera, limits: Limits) {
        let Some(b) = rows.get(at) else { return };
        if self.folded.remove(&rows.group_of(at.row).of) {
            self.stacking.1 = Stacking::new(rows, METRICS, true, &self.folded);
        }
        let y = self.stacking.1.y_of(at.row).unwrap_or(0.0);
        let t = ((b.start - rows.start) as f64, (b.end - rows.start) as f64);
        let place = Camera::revealing(camera.goal(), t, (y, f64::from(METRICS.row)), limits);
        if place != camera.goal() {
            camera.glide(place, limits);
        }
    }

    /// Selects a box in the shared state and here.
    fn select(&mut self, cx: &mut ViewCx<'_>, rows: &Arc<FlameRows>, at: Option<BoxAt>) {
        let item = at.and_then(|at| item(rows, at));
        self.selected = at;
        self.known = Some(Known { item: item.clone(), rows: rows.clone() });
        cx.send(Command::Select(item));
    }

    fn grant(
        &mut self,
        wish: Option<Wish>,
        cx: &mut ViewCx<'_>,
        rows: &Arc<FlameRows>,
        camera: &mut Camera,
        limits: Limits,
    ) {
        match wish {
            None => {}
            Some(Wish::Select(at)) => {
                self.select(cx, rows, Some(at));
                self.reveal(rows, at, camera, limits);
            }
            Some(Wish::Whole) => {
                camera.glide(Place { t0: 0.0, t1: limits.extent, scroll: camera.goal().scroll }, limits);
            }
            Some(Wish::ZoomToSelection) => {
                if let Some(at) = self.selected {
                    self.zoom_to(rows, at, camera, limits);
                }
            }
            Some(Wish::Clear) if self.drag.take().is_some() => {}
            Some(Wish::Clear) if cx.interaction.selection.is_some() => self.select(cx, rows, None),
            Some(Wish::Clear) => cx.send(Command::SetRange(None)),
            Some(Wish::Range(drag)) => {
                let (from, to) = drag.range();
                if rows.axis == Axis::Time {
                    cx.send(Command::SetRange(Some((from, to))));
                } else {
                    let (t0, t1) = ((from - rows.start) as f64, (to - rows.start) as f64);
                    camera.glide(Place { t0, t1, scroll: camera.goal().scroll }, limits);
                }
            }
        }
    }

    fn zoom_to(&mut self, rows: &Arc<FlameRows>, at: BoxAt, camera: &mut Camera, limits: Limits) {
        let Some(b) = rows.get(at) else { return };
        let (t0, t1) = ((b.start - rows.start) as f64, (b.end - rows.start) as f64);
        let margin = (t1 - t0) * 0.01;
        camera.glide(Place { t0: t0 - margin, t1: t1 + margin, scroll: camera.goal().scroll }, limits);
        let mut goal = camera.goal();
        // The row comes near the top, where its children have room.
        let y = self.stacking.1.y_of(at.row).unwrap_or(0.0);
        if y < goal.scroll || y > goal.scroll + limits.window * 0.6 {
            goal.scroll = y - f64::from(METRICS.row) * 2.0;
            camera.glide(goal, limits);
        }
    }

    /// A thin bar at the right when rows go on below: where it is and its colour.
    fn scroll_bar(ui: &Ui, chart: Rect, camera: &mut Camera, limits: Limits) -> Option<(Rect, Color32)> {
        if limits.content <= limits.window {
            return None;
        }
        let strip = chart.with_min_x(chart.right() - 10.0);
        let response = ui.interact(strip, ui.scope_id().with("flame scroll"), Sense::drag());
        if response.dragged() {
            let by = f64::from(response.drag_delta().y) * limits.content / limits.window;
            let now = camera.now();
            camera.jump(Place { scroll: now.scroll + by, ..now }, limits);
        }
        let share = |points: f64| (points / limits.content) as f32 * chart.height();
        let height = share(limits.window).max(24.0);
        let room = chart.height() - height;
        let way = (limits.content - limits.window).max(1.0);
        let top = chart.top() + (camera.now().scroll / way) as f32 * room;
        let active = response.hovered() || response.dragged();
        let width = if active { 7.0 } else { 4.0 };
        let bar = Rect::from_min_size(pos2(chart.right() - width - 2.0, top), vec2(width, height));
        let palette = Palette::of(ui);
        Some((bar, if active { palette.text_weak } else { palette.line_strong }))
    }

    /// Lays out and makes meshes, unless nothing has changed.
    fn make(&mut self, cx: &ViewCx<'_>, ui: &Ui, rows: &Arc<FlameRows>, chart: Rect, port: Port) {
        let palette = Palette::of(ui);
        let recolored = self.recolor(cx, rows.profile(), palette);
        let same = !recolored
            && self.made_for.as_ref().is_some_and(|old| {
                Arc::ptr_eq(&old.rows, rows)
                    && old.port == port
                    && old.chart == chart
                    && old.folded == self.folded
                    && old.dark == palette.dark
            });
        if same {
            return;
        }
        self.layout = layout(rows, &self.stacking.1, &port);
        if let Some((_, colors)) = &self.colors {
            self.painted.update(ui.painter(), chart, &self.layout, colors, rows.profile(), palette);
        }
        let folded = self.folded.clone();
        self.made_for = Some(MadeFor { rows: rows.clone(), port, chart, folded, dark: palette.dark });
    }

    /// Works out colours when what they depend on has changed.
    fn recolor(&mut self, cx: &ViewCx<'_>, profile: &Arc<Profile>, palette: &Palette) -> bool {
        let shares = (self.coloring == Coloring::SelfShare).then(|| cx.ask(&self.shares_query(cx), 0));
        let shares = shares.as_ref().and_then(Answer::value);
        let wanted = ColorsFor {
            profile: Arc::as_ptr(profile),
            coloring: self.coloring,
            dark: palette.dark,
            search: cx.interaction.search.clone(),
            shares: shares.map_or(0, |table| Arc::as_ptr(table) as usize),
        };
        if self.colors.as_ref().is_some_and(|(made_for, _)| *made_for == wanted) {
            return false;
        }
        let table = shares.map(|table| &**table);
        let colors = Colors::new(profile, palette, self.coloring, table, &wanted.search);
        self.colors = Some((wanted, colors));
        true
    }

    /// What the pointer is on: hover, clicks, the menu.
    fn pointed(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, scene: &Chart<'_>, port: Port, camera: &mut Camera) {
        let (chart, response) = (scene.rect, scene.response);
        let rows = match &self.stacking.0 {
            Some(rows) => rows.clone(),
            None => return,
        };
        let at = ui.input(|i| i.pointer.latest_pos()).map(|p| p - chart.min);
        let hit = at.and_then(|p| self.layout.hit(&rows, &port, METRICS, p.x, p.y));
        if response.secondary_clicked() {
            self.menu_at = hit.map(|h| h.at);
        }
        let pressed = response.clicked() && response.interact_pointer_pos().is_some();
        if pressed || response.drag_started() {
            response.request_focus();
            self.clicked = true;
        }
        if pressed {
            match at.and_then(|p| self.layout.strip_at(p.y)) {
                Some((Strip::Header(group), top)) if at.is_some_and(|p| p.y < top + METRICS.header) => {
                    self.toggle(&rows, group);
                }
                _ => self.select(cx, &rows, hit.map(|h| h.at)),
            }
        }
        if response.double_clicked()
            && let Some(hit) = hit
        {
            self.zoom_to(&rows, hit.at, camera, scene.limits);
        }
        let over = response.hovered() && !response.dragged() && self.drag.is_none();
        self.facts = match hit.filter(|_| over && !response.context_menu_opened()) {
            Some(hit) if self.facts.as_ref().is_some_and(|f| f.hit == hit) => self.facts.take(),
            Some(hit) => Facts::new(&rows, hit),
            None => None,
        };
        if let Some(hit) = hit.filter(|_| over) {
            cx.out.hover = item(&rows, hit.at);
        }
        if rows.axis == Axis::Time {
            if let Some(p) = at.filter(|_| response.contains_pointer()) {
                cx.out.cursor = Some((rows.start as f64 + port.t_at(p.x)) as i64);
            }
            if let Some(drag) = self.drag {
                cx.out.preview = Some(drag.range());
            }
        }
        if let Some(at) = self.menu_at {
            let mut choice = None;
            response.context_menu(|ui| choice = tooltip::menu(ui, &rows, at));
            self.chosen(choice, at, cx, ui, (&rows, camera, scene.limits));
        }
    }

    fn toggle(&mut self, rows: &FlameRows, group: u32) {
        let of = rows.groups[group as usize].of;
        if !self.folded.remove(&of) {
            self.folded.insert(of);
        }
        self.stacking.1 = Stacking::new(rows, METRICS, true, &self.folded);
    }

    fn chosen(
        &mut self,
        choice: Option<Choice>,
        at: BoxAt,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        (rows, camera, limits): (&Arc<FlameRows>, &mut Camera, Limits),
    ) {
        match choice {
            None => {}
            Some(Choice::Zoom) => self.zoom_to(rows, at, camera, limits),
            Some(Choice::Sandwich(function)) => {
                self.sandwich = Some(function);
                self.mode = Some(Mode::Sandwich);
            }
            Some(Choice::Send(command)) => cx.send(command),
            Some(Choice::Copy(text)) => ui.copy_text(text),
        }
    }

    fn paint_all(&mut self, cx: &ViewCx<'_>, ui: &Ui, frame: &Frame<'_>) {
        let Frame { rows, chart, ruler, port, palette, working, bar } = *frame;
        let painter = ui.painter().with_clip_rect(chart);
        let Some((_, colors)) = &self.colors else { return };
        painter.rect_filled(chart, 0.0, palette.canvas);
        let axis =
            TimeAxis::layout(rows.start as f64 + port.t0, rows.start as f64 + port.t1, chart.x_range());
        let timed = rows.axis == Axis::Time;
        if timed {
            let cursor = cx.cursor.filter(|_| self.drag.is_none() && cx.preview.is_none());
            axis.paint_ruler(ui.painter(), ruler, cursor.map(|t| t as f64), palette);
            axis.paint_grid(&painter, chart, palette);
        } else {
            let ticks = paint::paint_share_ruler(ui.painter(), ruler, &port, rows.sum as f64, palette);
            for x in ticks {
                let x = painter.round_to_pixel_center(x);
                painter.vline(x, chart.y_range(), egui::Stroke::new(1.0, palette.line_faint));
            }
        }
        self.painted.paint(&painter);
        let unit = match rows.axis {
            Axis::Time => crate::model::Unit::Nanoseconds,
            Axis::Cost(metric) => metric_unit(rows.profile(), metric),
        };
        let amount = |length| format::cost(unit, length);
        let texts = &mut self.texts.begin(&painter);
        paint::paint_labels(&painter, texts, chart, &self.layout, (rows, colors), amount);
        self.paint_marks(cx, frame, &painter);
        if timed {
            self.paint_times(cx, ui, frame, &axis);
        }
        self.paint_headers(ui, frame, &painter);
        self.paint_position(ui.painter(), ruler, rows, &port, palette);
        if let Some((bar, color)) = bar {
            painter.rect_filled(bar, 4.0, color);
        }
        if let Some(progress) = working {
            painter.rect_filled(chart, 0.0, palette.canvas.gamma_multiply(0.55));
            let text = progress.map_or_else(
                || "Working …".to_owned(),
                |p| format!("Working … {}", format::percent(f64::from(p))),
            );
            let font = crate::ui::theme::regular(13.0);
            painter.text(chart.center(), egui::Align2::CENTER_CENTER, text, font, palette.text);
            ui.request_repaint_after(std::time::Duration::from_millis(100));
        }
        if let Some(facts) = &self.facts
            && let Some(pointer) = ui.input(|i| i.pointer.latest_pos())
            && let Some(y) = self.layout.y_of(facts.hit.at.row)
        {
            let y = Rangef::new(chart.top() + y, chart.top() + y + METRICS.row);
            facts.show(ui, Rect::from_x_y_ranges(Rangef::new(pointer.x - 2.0, pointer.x + 12.0), y));
        }
    }

    fn paint_headers(&self, ui: &Ui, frame: &Frame<'_>, painter: &egui::Painter) {
        let Frame { rows, chart, palette, .. } = *frame;
        let pointer = ui.input(|i| i.pointer.hover_pos());
        for (strip, y) in &self.layout.strips {
            let Strip::Header(group) = *strip else { continue };
            let rect =
                Rect::from_min_size(pos2(chart.left(), chart.top() + y), vec2(chart.width(), METRICS.header));
            let open = !self.folded.contains(&rows.groups[group as usize].of);
            let hovered = pointer.is_some_and(|p| rect.contains(p) && chart.contains(p));
            paint::paint_header(painter, (rect, palette), rows, group, (open, hovered));
        }
    }

    /// The selection, and the box under the pointer.
    fn paint_marks(&self, cx: &ViewCx<'_>, frame: &Frame<'_>, painter: &egui::Painter) {
        let Frame { chart, palette, .. } = *frame;
        let profile = cx.profile();
        let hovered = match (&self.facts, cx.hover) {
            (Some(facts), _) => self.layout.quad(facts.hit.at),
            _ => None,
        };
        let lit = cx.hover.filter(|_| self.facts.is_none()).and_then(|h| h.function(profile));
        for quad in &self.layout.quads {
            if lit == Some(quad.who.function()) {
                let rect = paint::quad_rect(quad, chart, painter.pixels_per_point());
                painter.rect_filled(rect, 0.0, palette.text_strong.gamma_multiply(0.22));
            }
        }
        if let Some(quad) = hovered {
            let rect = paint::quad_rect(quad, chart, painter.pixels_per_point());
            painter.rect_filled(rect, 0.0, palette.text_strong.gamma_multiply(0.16));
        }
        let function = cx.interaction.selection.as_ref().and_then(|s| s.function(profile));
        paint::paint_selection(painter, (chart, palette), &self.layout, function, self.selected);
    }

    /// Time range, the range being dragged, and the moment under the pointer.
    fn paint_times(&self, cx: &ViewCx<'_>, ui: &Ui, frame: &Frame<'_>, axis: &TimeAxis) {
        let Frame { chart, ruler, palette, .. } = *frame;
        let painter = ui.painter().with_clip_rect(chart);
        let x = |(from, to): (i64, i64)| (axis.x_of(from as f64), axis.x_of(to as f64));
        if let Some(range) = cx.interaction.range {
            paint::paint_range(&painter, (chart, palette), x(range), true);
            let (x0, x1) = x(range);
            let band = ruler.with_min_y(ruler.bottom() - 3.0);
            let band = band.with_min_x(x0.max(ruler.left())).with_max_x(x1.min(ruler.right()));
            if band.is_positive() {
                ui.painter().rect_filled(band, 0.0, palette.accent);
            }
        }
        let dragged = self.drag.map(Drag::range).or(cx.preview);
        if let Some(range) = dragged {
            paint::paint_range(&painter, (chart, palette), x(range), false);
            let (x0, x1) = x(range);
            let text = format::duration(range.1 - range.0);
            let galley = ui.painter().layout_no_wrap(text, crate::ui::theme::strong(12.0), palette.on_accent);
            let center = pos2((x0 + x1) / 2.0, chart.top() + 16.0);
            let behind = Rect::from_center_size(center, galley.size() + vec2(14.0, 6.0));
            painter.rect_filled(behind, space::RADIUS, palette.accent_fill);
            painter.galley(behind.center() - galley.size() / 2.0, galley, palette.on_accent);
        }
        if let Some(cursor) = cx.cursor.filter(|_| dragged.is_none()) {
            axis.paint_cursor(&painter, chart, cursor as f64, palette);
        }
    }

    /// A thin bar on the ruler: which part of the whole is seen.
    fn paint_position(
        &self,
        painter: &egui::Painter,
        ruler: Rect,
        rows: &FlameRows,
        port: &Port,
        palette: &Palette,
    ) {
        let extent = rows.extent() as f64;
        if port.t1 - port.t0 >= extent * 0.9999 {
            return;
        }
        let x = |t: f64| ruler.left() + (t / extent) as f32 * ruler.width();
        let track = ruler.with_max_y(ruler.top() + 2.0);
        painter.rect_filled(track, 0.0, palette.line);
        let left = x(port.t0).min(ruler.right() - 3.0);
        let seen = track.with_min_x(left).with_max_x(x(port.t1).max(left + 3.0));
        painter.rect_filled(seen, 0.0, palette.accent);
    }

    /// Names the wide boxes for screen readers and tests.
    fn accessible(&self, ui: &Ui, id: Id, rows: &FlameRows, chart: Rect) {
        if ui.ctx().accesskit_node_builder(id, |_| ()).is_none() {
            return;
        }
        let unit = match rows.axis {
            Axis::Time => crate::model::Unit::Nanoseconds,
            Axis::Cost(metric) => metric_unit(rows.profile(), metric),
        };
        for (quad, x0, x1) in self.layout.labelled(chart.width()).take(MOST_NODES) {
            let Some(b) = rows.get(quad.at) else { continue };
            let x = Rangef::new(chart.left() + x0, chart.left() + x1);
            let y = Rangef::new(chart.top() + quad.y, chart.top() + quad.y + METRICS.row - 1.0);
            let rect = Rect::from_x_y_ranges(x, y).intersect(chart);
            let node = ui.interact(rect, id.with(quad.at), Sense::hover());
            let selected = self.selected == Some(quad.at);
            let name = format!("{} {}", b.who.label(rows.profile()), format::cost(unit, b.length()));
            node.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, name.as_str()));
        }
    }
}

/// What one frame paints.
#[derive(Clone, Copy)]
struct Frame<'a> {
    rows: &'a FlameRows,
    chart: Rect,
    ruler: Rect,
    port: Port,
    palette: &'a Palette,
    /// Set while the rows are those of an older question.
    working: Option<Option<f32>>,
    /// The scroll bar and its colour.
    bar: Option<(Rect, Color32)>,
}
