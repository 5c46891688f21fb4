//! One frame of the chart: camera, layout, selection, hover, clicks.

use std::sync::Arc;

use egui::{Color32, Rect, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::camera::{Camera, Limits, Place};
use super::input::{Chart, Wish};
use super::scene::Frame;
use super::{ColorsFor, FlameView, Known, MadeFor, Mode, shares_query};
use crate::analysis::flame_rows::{Axis, BoxAt, FlameRows, GroupOf};
use crate::model::Profile;
use crate::state::Command;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, space};
use crate::views::boxes::layout::{Port, Stacking, Strip, layout};
use crate::views::boxes::{Colors, Facts, GroupName, METRICS, item, locate};
use crate::views::{ViewCx, shared};

/// Where the function of a sandwich stands at first, as a share of the chart's height.
const MIDDLE: f64 = 0.45;

impl FlameView {
    /// Shows the rows in the space left.
    pub(super) fn chart(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, mode: Mode, rows: &Arc<FlameRows>) {
        Self::notices(cx, rows);
        if rows.is_empty() {
            shared::nothing(cx, ui, Icon::Flame);
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
        // Other axes than time have no moment to be laid over that of another run.
        self.lead = if rows.axis == Axis::Time { cx.lead as f64 } else { 0.0 };
        // While a new revision is being prepared, ids of the old one mean nothing to others.
        let foreign = !Arc::ptr_eq(rows.profile(), cx.subject.profile());
        let limits = Limits {
            extent: (rows.extent() as f64 + self.lead).max(cx.extent),
            content: self.stacking.1.height + 8.0,
            window: f64::from(chart.height()),
        };
        self.last = Some((mode, rows.start, rows.extent() as f64 + self.lead));
        let mut camera = self.cameras[mode as usize];
        camera.fit(limits, cx.live);
        if mode == Mode::Sandwich {
            self.hold_middle(rows, &mut camera, limits);
        }
        let lead = self.lead;
        let port = |camera: &Camera| {
            let Place { t0, t1, scroll } = camera.now();
            let (t0, t1) = (t0 - lead, t1 - lead);
            Port { t0, t1, scroll, width: chart.width(), height: chart.height(), ppp: ui.pixels_per_point() }
        };
        let scene = Chart { rows, rect: chart, response: &response, limits, port: port(&camera) };
        if !foreign {
            self.find_selected(cx, rows, &mut camera, limits);
            let wish = scene.pointer(ui, &mut camera, &mut self.drag);
            let wish = wish.or_else(|| scene.keys(ui, &mut camera, self.selected));
            self.grant(wish, cx, rows, &mut camera, limits);
        }
        let bar = Self::scroll_bar(ui, chart, &mut camera, limits);
        if camera.step(f64::from(ui.input(|i| i.stable_dt)), limits) {
            ui.request_repaint();
        }
        let port = port(&camera);
        self.make(cx, ui, rows, chart, port);
        if foreign {
            (self.selected, self.facts) = (None, None);
        } else {
            self.pointed(cx, ui, (rows, &scene), port, &mut camera);
        }
        self.cameras[mode as usize] = camera;
        self.paint_all(cx, ui, &Frame { rows, chart, ruler, port, palette, bar });
        self.accessible(ui, id, rows, chart);
        if response.has_focus() && !self.clicked {
            let ring = egui::Stroke::new(1.5, palette.accent);
            ui.painter().rect_stroke(chart.shrink(1.0), 0.0, ring, egui::StrokeKind::Inside);
        }
        self.clicked &= response.has_focus();
    }

    /// Begins a sandwich at its function, with callers from there upward, and keeps that where it is while rows come and go.
    fn hold_middle(&mut self, rows: &FlameRows, camera: &mut Camera, limits: Limits) {
        let Some(middle) = rows.groups.iter().find(|g| g.of == GroupOf::Callees) else { return };
        let row = middle.rows.start;
        let Some(function) = rows.get(BoxAt { row, index: 0 }).map(|b| b.who.function()) else { return };
        let Some(y) = self.stacking.1.y_of(row) else { return };
        let function = rows.profile().keys().symbol(function);
        let place = camera.goal();
        let scroll = match self.held.replace((function, y)) {
            Some((before, was)) if before == function => place.scroll + y - was,
            _ => y - limits.window * MIDDLE,
        };
        if scroll != place.scroll {
            camera.jump(Place { scroll, ..place }, limits);
        }
    }

    fn restack(&mut self, rows: &Arc<FlameRows>, mode: Mode) {
        let same = self.stacking.0.as_ref().is_some_and(|old| Arc::ptr_eq(old, rows));
        if !same {
            let headers = rows.groups.len() > 1 || mode == Mode::Sandwich;
            self.stacking = (Some(rows.clone()), Stacking::new(rows, METRICS, headers, &self.folded));
        }
    }

    /// Stacks the same rows again after a group was folded or opened.
    fn refold(&mut self, rows: &FlameRows) {
        let headers = self.stacking.1.has_headers();
        self.stacking.1 = Stacking::new(rows, METRICS, headers, &self.folded);
    }

    /// Looks up the selected box when the selection or the rows are others, and goes there when somebody
    /// else selected it.
    fn find_selected(&mut self, cx: &ViewCx<'_>, rows: &Arc<FlameRows>, camera: &mut Camera, limits: Limits) {
        let item = &cx.interaction.selection;
        if !self.known.as_ref().is_some_and(|k| Arc::ptr_eq(&k.rows, rows) && k.item == *item) {
            self.selected = item.as_ref().and_then(|item| locate(rows, item));
            self.known = Some(Known { item: item.clone(), rows: rows.clone() });
        }
        if std::mem::take(&mut self.reveals)
            && let Some(at) = self.selected
        {
            self.reveal(rows, at, camera, limits);
        }
    }

    fn reveal(&mut self, rows: &Arc<FlameRows>, at: BoxAt, camera: &mut Camera, limits: Limits) {
        let Some(b) = rows.get(at) else { return };
        if self.folded.remove(&GroupName::of(rows.group_of(at.row).of, rows.profile())) {
            self.refold(rows);
        }
        let y = self.stacking.1.y_of(at.row).unwrap_or(0.0);
        let t = (rows.since_start(b.start) + self.lead, rows.since_start(b.end) + self.lead);
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
        cx.select(item);
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
            Some(Wish::Clear) if cx.interaction.range.is_some() => cx.send(Command::SetRange(None)),
            Some(Wish::Clear) => {}
            Some(Wish::Range(drag)) => {
                let (from, to) = drag.range();
                if rows.axis == Axis::Time {
                    cx.send(Command::SetRange(Some((from, to))));
                } else {
                    let (t0, t1) = (rows.since_start(from), rows.since_start(to));
                    camera.glide(Place { t0, t1, scroll: camera.goal().scroll }, limits);
                }
            }
        }
    }

    fn zoom_to(&mut self, rows: &Arc<FlameRows>, at: BoxAt, camera: &mut Camera, limits: Limits) {
        let Some(b) = rows.get(at) else { return };
        let (t0, t1) = (rows.since_start(b.start) + self.lead, rows.since_start(b.end) + self.lead);
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
        let response = ui.interact(strip, ui.scope_id().with("flame scroll"), Sense::DRAG);
        response.widget_info(|| WidgetInfo::labeled(Role::ScrollBar, true, "Rows"));
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
        let known = Arc::ptr_eq(profile, cx.subject.profile());
        let shares =
            (known && self.coloring.is_heat()).then(|| cx.ask(&shares_query(cx), 0).beside()).flatten();
        let wanted = ColorsFor {
            profile: profile.clone(),
            coloring: self.coloring,
            dark: palette.dark,
            search: cx.interaction.search.clone(),
            shares,
        };
        if self.colors.as_ref().is_some_and(|(made_for, _)| made_for.same(&wanted)) {
            return false;
        }
        let shares = wanted.shares.as_deref();
        let colors = Colors::new(profile, palette, self.coloring, shares, &wanted.search);
        self.colors = Some((wanted, colors));
        true
    }

    /// What the pointer is on: hover, clicks, the menu.
    fn pointed(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        (rows, scene): (&Arc<FlameRows>, &Chart<'_>),
        port: Port,
        camera: &mut Camera,
    ) {
        let (chart, response) = (scene.rect, scene.response);
        let at = ui.input(|i| i.pointer.latest_pos()).map(|p| p - chart.min);
        let hit = at.and_then(|p| self.layout.hit(rows, &port, METRICS, p.x, p.y));
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
                    self.toggle(rows, group);
                }
                _ => self.select(cx, rows, hit.map(|h| h.at)),
            }
        }
        if response.double_clicked()
            && let Some(hit) = hit
        {
            let gap = rows.gap(hit.at).zip(rows.path(hit.at));
            if !gap.is_some_and(|((gap, _), path)| shared::go_to_gap(cx, gap, &path)) {
                self.zoom_to(rows, hit.at, camera, scene.limits);
            }
        }
        let over = response.hovered() && !response.dragged() && self.drag.is_none();
        self.facts = match hit.filter(|_| over && !response.context_menu_opened()) {
            Some(hit) => Facts::of(cx, rows, hit, self.facts.take()),
            None => None,
        };
        if let Some(hit) = hit.filter(|_| over) {
            cx.out.hover = item(rows, hit.at);
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
            response.context_menu(|ui| self.menu(cx, ui, (rows, at), camera, scene.limits));
        }
    }

    /// The menu of a box.
    fn menu(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        (rows, at): (&Arc<FlameRows>, BoxAt),
        camera: &mut Camera,
        limits: Limits,
    ) {
        let Some(b) = rows.get(at) else { return };
        let function = b.who.function();
        let path = rows.path(at);
        let about = shared::menu::About { function, path: path.as_deref() };
        shared::menu::ContextMenu::about(about).without_keys().show(cx, ui, |cx, ui| {
            if shared::menu::entry(ui, "Zoom to this box", "", "") {
                self.zoom_to(rows, at, camera, limits);
            }
            if shared::menu::entry(ui, "Show its callers and callees", "", "") {
                self.show_sandwich(function, cx);
            }
        });
    }

    fn toggle(&mut self, rows: &FlameRows, group: u32) {
        let of = GroupName::of(rows.groups[group as usize].of, rows.profile());
        if !self.folded.remove(&of) {
            self.folded.insert(of);
        }
        self.refold(rows);
    }
}
