//! Painting of lanes, and the table of what is where.

use super::boxes;
use super::lanes::{Lane, LaneOf};
use super::parts;
use super::stack::{Placed, Stacked};
use crate::analysis::activity::{Activity, BusyOf};
use crate::analysis::activity_parts::{ActivityParts, Part, Stacked as ActivityStack};
use crate::analysis::counters::{Figures, Lod};
use crate::analysis::events::{EventIndex, Heap, Listed};
use crate::analysis::flame_rows::FlameRows;
use crate::analysis::limits::limit;
use crate::analysis::phases::Phases;
use crate::analysis::requests::Packing;
use crate::format;
use crate::model::{CounterId, Outcome, Profile, RequestId, Severity, TrackId};
use crate::state::Item;
use crate::ui::text::{LabelStyle, TextKey, Texts};
use crate::ui::theme::{Palette, Tone, mix, small};
use crate::ui::timeaxis::TimeAxis;
use crate::views::ViewCx;
use crate::views::boxes::Colors;
use crate::views::time::{self, Chart, Scale};
use egui::{Align2, Color32, Mesh, Painter, Pos2, Rangef, Rect, Shape, Stroke, StrokeKind, Ui, pos2, vec2};
use std::borrow::Cow;
use std::sync::Arc;

/// Height of a lane that is a strip.
pub(super) const STRIP: f32 = 22.0;
/// Height of a row of requests.
pub(super) const REQUEST_ROW: f32 = 8.0;
/// Most rows of requests, unless all are asked for.
pub(super) const REQUEST_ROWS: u32 = 8;
/// Events nearer than this share a mark, points.
const MARK: f32 = 3.0;
/// Columns of the strip of a folded group.
const BUSY_COLUMNS: u32 = 800;

/// The figures of all counters of a run.
type OfCounters = Arc<Vec<Option<Figures>>>;

/// What lanes are painted from.
pub(super) struct Scene<'a> {
    pub profile: &'a Arc<Profile>,
    /// End of all that is timed, ns.
    pub end: i64,
    pub rows: Option<&'a Arc<FlameRows>>,
    pub colors: &'a Colors,
    pub phases: Option<&'a Phases>,
    pub lod: Option<Arc<Lod>>,
    pub figures: OfCounters,
    /// The run beside this one, whose counters have the scale of this one's, and what they reached.
    pub beside: Option<(Arc<Profile>, OfCounters)>,
    pub packing: Option<Arc<Packing>>,
    pub events: Option<Arc<EventIndex>>,
    /// True when transforms change the rows.
    pub transformed: bool,
    pub axis: &'a TimeAxis,
    pub palette: &'static Palette,
}

/// What is where on screen, beside the boxes.
#[derive(Default)]
pub(super) struct Hits {
    marks: Vec<(Rect, Heap)>,
    requests: Vec<(Rect, RequestId)>,
}

impl Hits {
    /// The event or request at a place, what to say about it, and what that must not cover.
    pub fn at(&self, profile: &Profile, p: Pos2) -> Option<(Item, String, Rect)> {
        let away = |rect: &Rect| (rect.center().x - p.x).abs();
        let marks = self.marks.iter().filter(|(rect, _)| rect.expand2(vec2(4.0, 0.0)).contains(p));
        if let Some((rect, heap)) = marks.min_by(|a, b| away(&a.0).total_cmp(&away(&b.0))) {
            let instant = profile.instants.get(heap.instant as usize)?;
            let text: String = profile.text(instant.name).chars().take(300).collect();
            let more = match heap.count {
                0 | 1 => String::new(),
                n => format!("\nand {} more here", format::count(i64::from(n) - 1)),
            };
            let text = format!("{text}\nat {}{more}", format::duration_exact(instant.time));
            return Some((Item::of_instant(heap.instant, profile)?, text, *rect));
        }
        let (rect, id) = self.requests.iter().rev().find(|(rect, _)| rect.contains(p))?;
        let r = profile.requests.get(*id)?;
        let known = |ns: Option<i64>| ns.map_or_else(|| format::UNKNOWN.to_owned(), format::duration);
        let text =
            format!("{}\nlatency {}, TTFT {}", profile.text(r.name), known(r.latency()), known(r.ttft()));
        Some((Item::of_request(*id, profile), text, *rect))
    }
}

impl Scene<'_> {
    /// What is behind all lanes.
    pub fn background(&self, painter: &Painter, area: Rect) {
        painter.rect_filled(area, 0.0, self.palette.canvas);
        let clip = painter.with_clip_rect(area.intersect(painter.clip_rect()));
        if let Some(phases) = self.phases {
            time::phase_shades(&clip, area, self.axis, phases, self.profile, self.palette);
        }
        self.axis.paint_grid(&clip, area, self.palette);
    }

    /// All of a lane but its boxes.
    pub fn lane(
        &self,
        cx: &ViewCx<'_>,
        ui: &Ui,
        texts: &mut Texts<'_>,
        (stacked, placed, area): (&Stacked, &Placed, Rect),
        hits: &mut Hits,
    ) {
        let lane = &stacked.lanes.all[placed.lane];
        let painter = ui.painter().with_clip_rect(area.intersect(ui.clip_rect()));
        let line = painter.round_to_pixel_center(area.bottom() - 1.0);
        painter.hline(area.x_range(), line, Stroke::new(1.0, self.palette.line_faint));
        match lane.of {
            LaneOf::Events => self.events(cx, &painter, texts, area, hits),
            LaneOf::Requests => self.requests(cx, &painter, area, hits),
            LaneOf::Counter(id) => self.counter(cx, &painter, id, area),
            LaneOf::Group(of) => self.group(cx, &painter, (stacked, placed.lane, of), area),
            LaneOf::Track(id) => {
                if placed.rows == 0 {
                    self.strip(cx, &painter, id, stacked, area);
                }
                self.marks(cx, &painter, id, area, hits);
            }
        }
    }

    /// How busy a folded group is, over the number of its tracks.
    fn group(
        &self,
        cx: &ViewCx<'_>,
        painter: &Painter,
        (stacked, lane, of): (&Stacked, usize, Option<BusyOf>),
        area: Rect,
    ) {
        let folded = stacked.arranged.folded.contains(&stacked.lanes.all[lane].key);
        let Some(of) = of.filter(|_| folded) else {
            painter.rect_filled(area, 0.0, self.palette.panel.gamma_multiply(0.5));
            return;
        };
        let range = Some((self.axis.t0.floor() as i64, self.axis.t1.ceil() as i64));
        let place = 16 + lane as u64 % 200;
        let Some(busy) = cx.ask(&Activity { of, range, columns: BUSY_COLUMNS }, place).beside() else {
            return;
        };
        let tracks = stacked.lanes.members(lane);
        let tracks = tracks.filter(|&i| matches!(stacked.lanes.all[i].of, LaneOf::Track(_))).count();
        let area = area.shrink2(vec2(0.0, 2.0));
        busy_bars(painter, &busy, area, tracks.max(1) as f32, self.axis, self.palette);
    }

    /// How busy the track was: kinds of work stacked, or, where the shown calls are other ones, in the colour of what ran longest.
    fn strip(&self, cx: &ViewCx<'_>, painter: &Painter, track: TrackId, stacked: &Stacked, area: Rect) {
        if !self.transformed {
            let columns = self.axis.x.span().max(1.0).ceil() as u32;
            let range = (self.axis.t0.floor() as i64, self.axis.t1.ceil() as i64);
            // Beside the questions of folded groups.
            let place = 16 + u64::from(track.0) % 200;
            if let Some(parts) = cx.ask(&ActivityParts { track, range, columns }, place).beside() {
                return activity_parts(
                    painter,
                    &parts,
                    area.shrink2(vec2(0.0, 2.0)),
                    self.axis,
                    self.palette,
                );
            }
        }
        let (Some(rows), Some(group)) = (self.rows, stacked.group(track)) else { return };
        let outer = match group.of {
            crate::analysis::flame_rows::GroupOf::Track(id) if !self.transformed => {
                boxes::outermost(rows.profile(), id, group)
            }
            _ => vec![group.rows.start],
        };
        let area = area.shrink2(vec2(0.0, 2.0));
        let mut mesh = Mesh::default();
        // Columns that look the same are one rectangle.
        let mut run: Option<(f32, f32, Color32)> = None;
        let mut flush = |run: Option<(f32, f32, Color32)>, right: f32| {
            if let Some((left, height, color)) = run {
                let min = pos2(left, area.bottom() - height);
                mesh.add_colored_rect(Rect::from_min_max(min, pos2(right, area.bottom())), color);
            }
        };
        let columns = boxes::density(rows, &outer, self.axis);
        for (i, (share, who)) in columns.iter().enumerate() {
            let x = self.axis.x.min + i as f32;
            let now = who.filter(|_| *share > 0.0).map(|who| {
                let color = self.colors.of_texel(who, rows.profile()).fill;
                ((share * area.height()).max(1.5).round(), color)
            });
            if now != run.map(|r| (r.1, r.2)) {
                flush(run, x);
                run = now.map(|(height, color)| (x, height, color));
            }
        }
        flush(run, self.axis.x.max);
        painter.add(Shape::mesh(mesh));
    }

    fn severity(&self, severity: Severity) -> Color32 {
        match severity {
            Severity::Debug => self.palette.text_weak,
            Severity::Info => self.palette.tone(Tone::Info),
            Severity::Warning => self.palette.tone(Tone::Warning),
            Severity::Error => self.palette.tone(Tone::Bad),
        }
    }

    fn heaps(&self, list: &Listed) -> Vec<(f32, Heap)> {
        let cells = (self.axis.x.span() / MARK).ceil().max(1.0) as usize;
        let heaps = list.heaps(self.profile, self.axis.t0, self.axis.t1, cells);
        let x = |h: &Heap| {
            let time = self.profile.instants.get(h.instant as usize).map_or(0, |i| i.time);
            self.axis.x_of(time as f64).round()
        };
        heaps.into_iter().map(|h| (x(&h), h)).collect()
    }

    /// Events of a track, as ticks that hang from the upper edge of its lane.
    fn marks(&self, cx: &ViewCx<'_>, painter: &Painter, track: TrackId, area: Rect, hits: &mut Hits) {
        let Some(list) = self.events.as_ref().and_then(|e| e.of(Some(track))) else { return };
        let height = area.height().min(STRIP);
        for (x, heap) in self.heaps(list) {
            self.mark(cx, painter, (x, heap), area.top() + 1.0, height);
            let rect = Rect::from_x_y_ranges(x..=x, area.top()..=area.top() + 9.0);
            hits.marks.push((rect.intersect(painter.clip_rect().expand(1.0)), heap));
        }
    }

    fn mark(&self, cx: &ViewCx<'_>, painter: &Painter, (x, heap): (f32, Heap), top: f32, height: f32) {
        let Some(item) = Item::of_instant(heap.instant, self.profile) else { return };
        let (selected, color) = (cx.is_selected(&item), self.severity(heap.severity));
        let size = if selected || cx.is_hovered(&item) { 5.5 } else { 4.0 };
        let stroke = Stroke::new(if selected { 2.0 } else { 1.0 }, color);
        painter.vline(painter.round_to_pixel_center(x), top..=top + height - 3.0, stroke);
        let head = vec![pos2(x - size, top), pos2(x + size, top), pos2(x, top + size * 1.5)];
        painter.add(Shape::convex_polygon(head, color, Stroke::new(1.0, self.palette.canvas)));
    }

    /// All events, with their texts where there is room.
    fn events(&self, cx: &ViewCx<'_>, painter: &Painter, texts: &mut Texts<'_>, area: Rect, hits: &mut Hits) {
        let Some(list) = self.events.as_ref().and_then(|e| e.of(None)) else { return };
        let heaps = self.heaps(list);
        for (i, &(x, heap)) in heaps.iter().enumerate() {
            let next = heaps.get(i + 1).map_or(area.right(), |h| h.0 - 6.0);
            let room = Rect::from_min_max(pos2(x + 4.0, area.top()), pos2(next, area.bottom() - 1.0));
            if room.width() > 46.0
                && let Some(instant) = self.profile.instants.get(heap.instant as usize)
            {
                let name = || Cow::Borrowed(self.profile.text(instant.name));
                let key = TextKey::new(("event", instant.name));
                let serious = heap.severity >= Severity::Warning;
                let color = if serious { self.severity(heap.severity) } else { self.palette.text_weak };
                painter.extend(texts.label(room, key, LabelStyle::new(11.0), color, name));
            }
            self.mark(cx, painter, (x, heap), area.top() + 1.0, area.height());
            let rect = Rect::from_x_y_ranges(x..=x, area.y_range());
            hits.marks.push((rect.intersect(painter.clip_rect().expand(1.0)), heap));
        }
    }

    fn requests(&self, cx: &ViewCx<'_>, painter: &Painter, area: Rect, hits: &mut Hits) {
        let Some(packing) = &self.packing else { return };
        let rows = packing.rows.len() as u32;
        let shown = (((area.height() - 5.0) / REQUEST_ROW).floor().max(1.0) as u32).min(rows.max(1));
        let mut mesh = Mesh::default();
        let mut above = Vec::new();
        for (row, id) in boxes::requests(self.profile, (packing, shown), self.end, self.axis) {
            let Some(r) = self.profile.requests.get(id) else { continue };
            let top = area.top() + 2.0 + row as f32 * REQUEST_ROW;
            let y = Rangef::new(top, top + REQUEST_ROW - 1.0);
            let mut whole = Rect::NOTHING;
            for (from, to, part) in parts(r, self.end) {
                let x = |t: i64| self.axis.x_of(t as f64).clamp(self.axis.x.min, self.axis.x.max);
                let rect = Rect::from_x_y_ranges(x(from)..=x(to).max(x(from) + 0.7), y);
                let thin = if part.is_waiting() { rect.shrink2(vec2(0.0, 2.0)) } else { rect };
                mesh.add_colored_rect(thin, self.palette.phase(part.name()).fill);
                whole = whole.union(rect);
            }
            if !whole.is_positive() {
                continue;
            }
            if matches!(r.outcome, Outcome::Error) {
                let last = whole.with_min_x(whole.right() - 2.5);
                mesh.add_colored_rect(last, self.palette.tone(Tone::Bad));
            }
            let item = Item::of_request(id, self.profile);
            if cx.is_selected(&item) || cx.is_hovered(&item) {
                let stroke = Stroke::new(1.5, self.palette.text_strong);
                above.push(Shape::rect_stroke(whole, 1.0, stroke, StrokeKind::Outside));
            }
            hits.requests.push((whole.intersect(painter.clip_rect()), id));
        }
        painter.add(Shape::mesh(mesh));
        painter.extend(above);
        if rows > shown {
            let text = format::counted(i64::from(rows - shown), "row more", "rows more");
            let at = area.right_bottom() - vec2(4.0, 3.0);
            painter.text(at, Align2::RIGHT_BOTTOM, text, small(), self.palette.text_weak);
        }
    }

    /// What the same counter reached in the run beside this one.
    fn of_other(&self, id: CounterId) -> Option<Figures> {
        let (other, figures) = self.beside.as_ref()?;
        let there = other.keys().counter(self.profile.keys().counter_key(id))?;
        figures.get(there.index()).copied().flatten()
    }

    fn counter(&self, cx: &ViewCx<'_>, painter: &Painter, id: CounterId, area: Rect) {
        let Some(counter) = self.profile.counters.get(id.index()) else { return };
        let figures = self.figures.get(id.index()).copied().flatten();
        let (mut min, mut max) = figures.map_or((0.0, 1.0), |f| (f.min, f.max));
        if let Some(other) = self.of_other(id) {
            (min, max) = (min.min(other.min), max.max(other.max));
        }
        let limit = limit(self.profile, counter).filter(|l| l.is_near(max));
        max = limit.as_ref().map_or(max, |l| max.max(l.value));
        let scale = Scale::new(min, max, counter.unit, area.height());
        let chart = Chart { area: area.shrink2(vec2(0.0, 1.0)), axis: self.axis, scale: &scale };
        let color = self.palette.series(id.index());
        // A value is known until the run ends, and not beyond.
        let known = area.with_max_x(self.axis.x_of(self.end as f64).clamp(area.left(), area.right()));
        let painter = &painter.with_clip_rect(known.intersect(painter.clip_rect()));
        let series = self.lod.as_ref().and_then(|l| Some((l, l.series.iter().find(|s| s.counter == id)?)));
        if let Some((lod, series)) = series {
            time::area(painter, &chart, lod, series, mix(self.palette.canvas, color, 0.34));
            time::line(painter, &chart, lod, series, color, 1.2);
        }
        if let Some(limit) = limit {
            let y = scale.y_of(limit.value, chart.area);
            let stroke = Stroke::new(1.0, self.palette.tone(Tone::Warning));
            let ends = [pos2(known.left(), y), pos2(known.right(), y)];
            painter.extend(Shape::dashed_line(&ends, stroke, 5.0, 4.0));
            let at = pos2(known.right() - 4.0, y + 1.0);
            painter.text(at, Align2::RIGHT_TOP, limit.words(), small(), self.palette.text);
        }
        let cursor = cx.cursor.filter(|t| *t <= self.end);
        if let Some((t, value)) = cursor.and_then(|t| Some((t, counter.at(t)?))) {
            let at = pos2(self.axis.x_of(t as f64), scale.y_of(value, chart.area));
            painter.circle(at, 3.0, color, Stroke::new(1.5, self.palette.canvas));
        }
    }

    /// Name of a lane for those who do not see it.
    pub fn spoken(&self, lane: &Lane) -> String {
        match lane.of {
            LaneOf::Group(_) => format!("group {}", lane.label),
            _ => format!("lane {}", lane.label),
        }
    }
}

/// Kinds of work, one on top of the other.
fn activity_parts(painter: &Painter, parts: &ActivityStack, area: Rect, axis: &TimeAxis, palette: &Palette) {
    let colors: Vec<Color32> = parts
        .parts
        .iter()
        .map(|part| match part {
            Part::Named(name) => palette.span_named(name).fill,
            Part::Other => palette.other().fill,
            Part::Waiting => palette.idle().fill,
        })
        .collect();
    let each = (parts.to as f64 - parts.from as f64) / parts.columns.len().max(1) as f64;
    let mut mesh = Mesh::default();
    for (i, column) in parts.columns.iter().enumerate() {
        let left = axis.x_of(parts.from as f64 + each * i as f64);
        let right = axis.x_of(parts.from as f64 + each * (i + 1) as f64);
        let mut bottom = area.bottom();
        for (share, color) in column.iter().zip(&colors).filter(|(share, _)| **share > 0.0) {
            let top = bottom - share * area.height();
            mesh.add_colored_rect(Rect::from_min_max(pos2(left, top), pos2(right, bottom)), *color);
            bottom = top;
        }
    }
    painter.add(Shape::mesh(mesh));
}

/// Bars of how busy something was; `full` is the value that fills the height.
pub(super) fn busy_bars(
    painter: &Painter,
    busy: &crate::analysis::activity::Busy,
    area: Rect,
    full: f32,
    axis: &TimeAxis,
    palette: &Palette,
) {
    let color = mix(palette.canvas, palette.accent, 0.55);
    let mut mesh = Mesh::default();
    let each = (busy.to as f64 - busy.from as f64) / busy.columns.len().max(1) as f64;
    for (i, &value) in busy.columns.iter().enumerate().filter(|(_, v)| **v > 0.0) {
        let left = axis.x_of(busy.from as f64 + each * i as f64);
        let right = axis.x_of(busy.from as f64 + each * (i + 1) as f64);
        let height = ((value / full).min(1.0) * area.height()).max(1.0);
        let bar = Rect::from_min_max(pos2(left, area.bottom() - height), pos2(right, area.bottom()));
        mesh.add_colored_rect(bar, color);
    }
    painter.add(Shape::mesh(mesh));
}
