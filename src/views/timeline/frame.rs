//! One frame of the chart: pinned lanes, the others in their scroll area, marks over all, and what the
//! pointer does there.

use super::labels::{Label, Wish};
use super::paint::{Hits, Scene};
use super::region::{METRICS, Marked};
use super::stack::{drop_place, visible};
use super::*;
use crate::analysis::counters::{CounterFigures, CounterLod, MAX_COLUMNS};
use crate::analysis::events::Events;
use crate::model::CounterId;
use crate::views::boxes::item;
use crate::views::boxes::layout::{Port, Strip};
use crate::views::time;
use egui::{Id, Pos2, Stroke, UiBuilder};

/// What came out of drawing: what lies where, and what is wanted of which lane.
#[derive(Default)]
struct Drawn {
    hits: Hits,
    wishes: Vec<(usize, Wish)>,
}

impl Timeline {
    pub(super) fn chart(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame<'_>) {
        let palette = Palette::of(ui);
        let Some(colors) = self.colors.take() else { return };
        let scene = Scene {
            profile: frame.profile,
            end: frame.profile.time_bounds().map_or(0, |b| b.1),
            rows: frame.rows.as_ref(),
            colors: &colors.1,
            phases: frame.phases.as_deref(),
            lod: self.counters(cx, frame),
            figures: cx.ask(&CounterFigures(None), 0).beside().unwrap_or_default(),
            beside: cx.beside.and_then(|run| {
                let figures = cx.ask_beside(&CounterFigures(None), 1).beside()?;
                Some((run.profile.clone(), figures))
            }),
            packing: frame.packing.clone(),
            events: cx.ask(&Events, 0).beside(),
            transformed: !cx.interaction.scope.transforms.is_empty(),
            axis: &frame.axis,
            palette,
        };
        let mut drawn = Drawn::default();
        if let Some(phases) = &scene.phases {
            let painter = ui.painter().clone();
            let mut texts = self.texts.begin(&painter);
            let band = frame.areas.band;
            time::phase_names(&mut texts, &painter, band, &frame.axis, phases, frame.profile, palette);
        }
        let id = ui.scope_id().with("timeline");
        self.region(cx, ui, frame, &scene, (0, id), &mut drawn);
        if !frame.stacked.fixed.is_empty() {
            let y = frame.areas.pinned.bottom() + 1.0;
            let x = frame.areas.labels.min..=frame.areas.ruler.right();
            ui.painter().hline(x, y, Stroke::new(2.0, palette.line));
        }
        self.region(cx, ui, frame, &scene, (1, id), &mut drawn);
        self.arrows(cx, ui, &scene, frame.stacked, &frame.areas);
        overlay(cx, ui, frame);
        self.pointed(cx, ui, frame, &drawn.hits);
        self.colors = Some(colors);
        for (lane, wish) in drawn.wishes {
            self.grant(cx, ui, frame, lane, wish);
        }
        if frame.response.has_focus() && !self.clicked {
            let area = frame.response.rect.shrink(1.0);
            let ring = Stroke::new(1.5, palette.accent);
            ui.painter().rect_stroke(area, 0.0, ring, egui::StrokeKind::Inside);
        }
        self.clicked &= frame.response.has_focus();
    }

    /// The counters that are seen.
    fn counters(&self, cx: &ViewCx<'_>, frame: &Frame<'_>) -> Option<Arc<crate::analysis::counters::Lod>> {
        let (stacked, areas) = (frame.stacked, &frame.areas);
        let pinned = visible(&stacked.fixed, self.scroll[0], areas.pinned.height());
        let free = visible(&stacked.free, self.scroll[1], areas.lanes.height());
        let counters: Vec<CounterId> = pinned
            .iter()
            .chain(free)
            .filter_map(|p| match stacked.lanes.all[p.lane].of {
                LaneOf::Counter(id) => Some(id),
                _ => None,
            })
            .collect();
        if counters.is_empty() {
            return None;
        }
        let lod = CounterLod {
            counters,
            from: frame.axis.t0.floor() as i64,
            to: frame.axis.t1.ceil() as i64,
            columns: (frame.axis.x.span().max(1.0) as u32).min(MAX_COLUMNS),
        };
        cx.ask(&lod, 0).later("Reading counters")
    }

    /// Pinned lanes (0) or the others (1).
    fn region(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        frame: &Frame<'_>,
        scene: &Scene<'_>,
        (which, id): (usize, Id),
        drawn: &mut Drawn,
    ) {
        let areas = &frame.areas;
        let (chart, placed) = match which {
            0 => (areas.pinned, &frame.stacked.fixed),
            _ => (areas.lanes, &frame.stacked.free),
        };
        if placed.is_empty() || chart.height() < 2.0 {
            self.regions[which].clear();
            return;
        }
        let whole = chart.with_min_x(areas.labels.min);
        scene.background(ui.painter(), chart);
        let most = (bottom(placed) - chart.height()).max(0.0);
        let drag = if frame.response.dragged() && self.drags(frame, chart) {
            frame.response.drag_delta().y
        } else {
            0.0
        };
        let offset = (self.scroll[which] - drag).clamp(0.0, most);
        ui.scope_builder(UiBuilder::new().max_rect(whole).id_salt(("region", which)), |ui| {
            ui.set_clip_rect(whole.intersect(ui.clip_rect()));
            let scroll = ScrollArea::vertical().id_salt("lanes").auto_shrink(false);
            let out = scroll.vertical_scroll_offset(offset).show_viewport(ui, |ui, view| {
                ui.set_height(bottom(placed));
                let seen = visible(placed, view.top(), chart.height());
                let place = (chart, view.top());
                self.boxes(cx, ui, frame, scene, (which, id), (seen, place));
                for placed in seen {
                    let top = chart.top() + placed.top - view.top();
                    let y = Rangef::new(top, top + placed.height);
                    let painter = ui.painter().clone();
                    let mut texts = self.texts.begin(&painter);
                    let area = Rect::from_x_y_ranges(chart.x_range(), y);
                    scene.lane(cx, ui, &mut texts, (frame.stacked, placed, area), &mut drawn.hits);
                    let area = Rect::from_x_y_ranges(areas.labels, y);
                    let (stacked, placed) = (frame.stacked, *placed);
                    let label = Label { scene, stacked, placed, area, id, pinned: which == 0 };
                    drawn.wishes.extend(label.show(cx, ui).map(|w| (placed.lane, w)));
                }
            });
            self.scroll[which] = out.state.clamped_offset().y;
        });
    }

    /// True when the drag on the chart began in this region, and moves it.
    fn drags(&self, frame: &Frame<'_>, chart: Rect) -> bool {
        let from = frame.response.ctx.input(|i| i.pointer.press_origin());
        frame.gesture.preview.is_none() && from.is_some_and(|p| chart.contains(p))
    }

    /// The boxes of the tracks that are seen.
    fn boxes(
        &mut self,
        cx: &ViewCx<'_>,
        ui: &Ui,
        frame: &Frame<'_>,
        scene: &Scene<'_>,
        (which, id): (usize, Id),
        (seen, (chart, scroll)): (&[Placed], (Rect, f32)),
    ) {
        let Some(rows) = &frame.rows else { return };
        let mut strips = Vec::new();
        for placed in seen.iter().filter(|p| p.rows > 0) {
            let LaneOf::Track(track) = frame.stacked.lanes.all[placed.lane].of else { continue };
            let Some(group) = frame.stacked.group(track) else { continue };
            let top = placed.top - scroll + 2.0;
            let first = ((-top / METRICS.row).floor().max(0.0) as u32).min(placed.rows);
            let last = (((chart.height() - top) / METRICS.row).ceil().max(0.0) as u32).min(placed.rows);
            let rows = group.rows.start + first..(group.rows.start + last).min(group.rows.end);
            let y = |row: u32| top + (row - group.rows.start) as f32 * METRICS.row;
            strips.extend(rows.map(|row| (Strip::Row(row), y(row))));
        }
        let port = Port {
            t0: frame.axis.t0 - rows.start as f64,
            t1: frame.axis.t1 - rows.start as f64,
            scroll: 0.0,
            width: chart.width(),
            height: chart.height(),
            ppp: ui.pixels_per_point(),
        };
        let painter = ui.painter().with_clip_rect(chart.intersect(ui.clip_rect()));
        let (colors, palette) = (scene.colors, scene.palette);
        let region = &mut self.regions[which];
        region.make(&painter, (rows, strips), (port, chart), (colors, self.recolored), palette);
        let function = |item: Option<&Item>| match item {
            Some(Item::Function(f)) => frame.profile.keys().function(*f),
            _ => None,
        };
        let hovered = cx.hover.and_then(|item| item.span(frame.profile));
        let hovered = hovered.and_then(|(track, row)| rows.find_span(track, row));
        let marked = Marked {
            function: function(cx.interaction.selection.as_ref()),
            selected: self.selected,
            lit: function(cx.hover),
            hovered,
        };
        let mut texts = self.texts.begin(&painter);
        region.paint(&painter, &mut texts, (colors, palette), marked);
        region.accessible(ui, id, self.selected);
    }

    /// Hover, clicks and double clicks on what the lanes show.
    fn pointed(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, frame: &Frame<'_>, hits: &Hits) {
        let (response, gesture) = (&frame.response, &frame.gesture);
        let at = response.interact_pointer_pos().or_else(|| ui.input(|i| i.pointer.latest_pos()));
        let other = at.and_then(|p| hits.at(frame.profile, p));
        let of_box = at.filter(|_| other.is_none()).and_then(|p| self.box_at(frame, p));
        let item = other
            .as_ref()
            .map(|o| o.0.clone())
            .or_else(|| of_box.and_then(|(rows, (hit, _))| item(rows, hit.at)));
        let over = response.hovered() && !response.dragged() && gesture.preview.is_none();
        if over && let Some(item) = &item {
            cx.out.hover = Some(item.clone());
            ui.set_cursor_icon(egui::CursorIcon::PointingHand);
        }
        self.facts = match of_box.filter(|_| over) {
            Some((rows, (hit, _))) => Facts::of(cx, rows, hit, self.facts.take()),
            None => None,
        };
        if let (Some(facts), Some((_, (_, anchor)))) = (&self.facts, of_box) {
            facts.show(ui, anchor);
        }
        if let Some((_, text, anchor)) = other.filter(|_| over) {
            let id = ui.scope_id().with("timeline tooltip");
            let anchor = anchor.expand2(vec2(6.0, 2.0));
            let tip = egui::Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), id, anchor);
            tip.gap(6.0).width(420.0).show(|ui| ui.label(text));
        }
        if response.clicked() || response.drag_started() {
            response.request_focus();
            self.clicked = true;
        }
        if let Some(t) = gesture.click {
            let item = item.clone().unwrap_or(Item::Time(t.round() as i64));
            // What was clicked is in view already.
            cx.select(Some(item));
        }
        if gesture.double_click.is_some() {
            let of_box = of_box.and_then(|(rows, (hit, _))| rows.get(hit.at)).map(|b| (b.start, b.end));
            let interval = of_box.or_else(|| item.and_then(|i| i.interval(frame.profile)));
            match interval.filter(|(a, b)| a < b) {
                Some((from, to)) => self.viewport.show(from as f64, to as f64),
                None => self.viewport.fit(),
            }
        }
    }

    fn box_at<'a>(
        &self,
        frame: &'a Frame<'_>,
        p: Pos2,
    ) -> Option<(&'a Arc<FlameRows>, (crate::views::boxes::layout::Hit, Rect))> {
        let rows = frame.rows.as_ref()?;
        Some((rows, self.regions.iter().find_map(|r| r.hit(p))?))
    }

    /// Does what is wanted of a lane.
    fn grant(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, frame: &Frame<'_>, lane: usize, wish: Wish) {
        let stacked = frame.stacked;
        let key = stacked.lanes.all[lane].key;
        match wish {
            Wish::Height(height) => arrange(cx, stacked, |a| a.heights.insert(key, height)),
            Wish::Fold => arrange(cx, stacked, |a| a.turn_folded(key)),
            Wish::Pin => arrange(cx, stacked, |a| a.turn_pinned(key)),
            Wish::Hide => arrange(cx, stacked, |a| a.hidden.insert(key)),
            Wish::HideOthers => {
                let all = &stacked.lanes.all;
                let kept = |i: usize| i == lane || all[i].head == Some(lane) || all[lane].head == Some(i);
                let others = || (0..all.len()).filter(|&i| !kept(i)).map(|i| all[i].key);
                arrange(cx, stacked, |a| a.hidden = others().collect());
            }
            Wish::ShowAll => arrange(cx, stacked, |a| a.hidden.clear()),
            Wish::Scope(tracks) => cx.send(Command::SetTracks(tracks)),
            Wish::Select(item) => cx.select(Some(item)),
            Wish::Move { down } => {
                arrange(cx, stacked, |a| lanes::step(a, &stacked.lanes, &stacked.shown, lane, down));
                self.keep_in_view(frame, lane);
            }
            Wish::Drag(y, dropped) => self.drag(cx, ui, frame, lane, (y, dropped)),
            Wish::Focused => self.keep_in_view(frame, lane),
        }
    }

    /// Scrolls so that a lane and a bit of its neighbours are seen: the next one can be reached by keys.
    fn keep_in_view(&mut self, frame: &Frame<'_>, lane: usize) {
        const BEYOND: f32 = 14.0;
        let stacked = frame.stacked;
        let regions = [(&stacked.fixed, frame.areas.pinned), (&stacked.free, frame.areas.lanes)];
        for (which, (placed, area)) in regions.into_iter().enumerate() {
            let Some(p) = placed.iter().find(|p| p.lane == lane) else { continue };
            let (top, end) = (p.top - BEYOND, p.top + p.height.min(area.height() - BEYOND) + BEYOND);
            let scroll = &mut self.scroll[which];
            *scroll = scroll.min(top).max(end - area.height()).max(0.0);
        }
    }

    fn drag(&self, cx: &mut ViewCx<'_>, ui: &Ui, frame: &Frame<'_>, lane: usize, (y, dropped): (f32, bool)) {
        let (stacked, areas) = (frame.stacked, &frame.areas);
        let (placed, top) = if stacked.shown.pinned.contains(&lane) {
            (&stacked.fixed, areas.pinned.top() - self.scroll[0])
        } else {
            (&stacked.free, areas.lanes.top() - self.scroll[1])
        };
        let (before, line) = drop_place(placed, y - top);
        if dropped {
            arrange(cx, stacked, |a| lanes::move_before(a, &stacked.lanes, lane, before));
        } else {
            let stroke = Stroke::new(2.0, Palette::of(ui).accent);
            ui.painter().hline(areas.labels.min..=areas.ruler.right(), top + line, stroke);
        }
    }
}

/// Range, cursor and ruler, over all lanes.
fn overlay(cx: &ViewCx<'_>, ui: &Ui, frame: &Frame<'_>) {
    let (palette, painter) = (Palette::of(ui), ui.painter());
    let (areas, axis) = (&frame.areas, &frame.axis);
    let below = Rect::from_min_max(areas.band.min, areas.lanes.max);
    if let Some(Item::Time(t)) = cx.interaction.selection {
        let clip = painter.with_clip_rect(below.intersect(painter.clip_rect()));
        let x = clip.round_to_pixel_center(axis.x_of(t as f64));
        let line = [pos2(x, below.top()), pos2(x, below.bottom())];
        clip.add(egui::Shape::dashed_line(&line, Stroke::new(1.0, palette.text_strong), 3.0, 3.0));
    }
    time::range_marks(painter, below, axis, cx.interaction.range, cx.preview, palette);
    let cursor = cx.cursor.map(|t| t as f64);
    axis.paint_ruler(painter, areas.ruler, cursor, palette);
    if let Some(t) = cursor {
        axis.paint_cursor(painter, below, t, palette);
    }
}
