//! Painting of lanes, and the table of what is where.

use super::boxes::{self, Mark, Quad};
use super::lanes::{FEW, Height, Lane, LaneOf};
use super::parts;
use crate::analysis::counters::{Figures, Lod};
use crate::analysis::flame_rows::FlameRows;
use crate::analysis::phases::Phases;
use crate::analysis::requests::{Packing, RequestPart};
use crate::format;
use crate::model::{CounterId, Profile, RequestId, Severity, TrackId};
use crate::state::Item;
use crate::ui::text::{LabelStyle, TextKey, Texts};
use crate::ui::theme::{Palette, Tone, mix};
use crate::ui::timeaxis::TimeAxis;
use crate::views::ViewCx;
use crate::views::flame::{Colors, item};
use crate::views::time::{self, Chart, Scale};
use egui::{Color32, Mesh, Painter, Pos2, Rangef, Rect, Shape, Stroke, StrokeKind, Ui, pos2, vec2};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Height of a row of boxes.
pub(super) const ROW: f32 = 14.0;
/// Height of a lane that is a strip.
pub(super) const STRIP: f32 = 20.0;
/// Height of a row of requests.
pub(super) const REQUEST_ROW: f32 = 8.0;
/// Most rows of requests.
pub(super) const REQUEST_ROWS: u32 = 8;
/// Boxes that screen readers hear about, at most.
const MOST_NODES: usize = 600;

/// What lanes are painted from.
pub(super) struct Scene<'a> {
    pub profile: &'a Arc<Profile>,
    pub rows: Option<&'a FlameRows>,
    pub colors: &'a Colors,
    pub phases: Option<&'a Phases>,
    pub lod: Option<Arc<Lod>>,
    pub figures: Arc<Vec<Option<Figures>>>,
    pub packing: Option<Arc<Packing>>,
    /// True when transforms change the rows.
    pub transformed: bool,
    pub axis: &'a TimeAxis,
    pub palette: &'static Palette,
}

/// What is where on screen.
#[derive(Default)]
pub(super) struct Hits {
    quads: Vec<Quad>,
    /// Heights on screen and quads of each row.
    rows: Vec<(Rangef, Range<usize>)>,
    marks: Vec<(Rangef, Mark)>,
    requests: Vec<(Rect, RequestId)>,
    strips: Vec<TrackId>,
    nodes: usize,
}

impl Hits {
    /// True when a track is drawn as a strip.
    pub fn is_strip(&self, track: TrackId) -> bool {
        self.strips.contains(&track)
    }

    /// The thing at a place and what to say about it.
    pub fn at(&self, scene: &Scene<'_>, p: Pos2) -> Option<(Item, String)> {
        let profile = scene.profile;
        let near = |(y, mark): &&(Rangef, Mark)| y.contains(p.y) && (mark.x - p.x).abs() <= 4.0;
        let mark =
            self.marks.iter().filter(near).min_by(|a, b| (a.1.x - p.x).abs().total_cmp(&(b.1.x - p.x).abs()));
        if let Some((_, mark)) = mark {
            let instant = profile.instants.get(mark.instant as usize)?;
            let more =
                if mark.count > 1 { format!("\nand {} more here", mark.count - 1) } else { String::new() };
            let text: String = profile.text(instant.name).chars().take(300).collect();
            return Some((
                Item::Instant(mark.instant),
                format!("{text}\nat {}{more}", format::duration_exact(instant.time)),
            ));
        }
        if let Some((_, id)) = self.requests.iter().rev().find(|(rect, _)| rect.contains(p)) {
            let r = profile.requests.get(*id)?;
            let latency = r.latency().map_or_else(|| format::UNKNOWN.to_owned(), format::duration);
            let ttft = r.ttft().map_or_else(|| format::UNKNOWN.to_owned(), format::duration);
            return Some((
                Item::Request(*id),
                format!("{}\nlatency {latency}, TTFT {ttft}", profile.text(r.name)),
            ));
        }
        let (_, range) = self.rows.iter().find(|(y, _)| y.contains(p.y))?;
        let quad = boxes::hit(&self.quads, range.clone(), p.x)?;
        let rows = scene.rows?;
        let b = rows.get(quad.at)?;
        let folded = if quad.folded { "\nthe longest of several here" } else { "" };
        let text = format!(
            "{}\n{}, from {}{folded}",
            b.who.label(profile),
            format::duration(b.length()),
            format::duration_exact(b.start)
        );
        Some((item(rows, quad.at)?, text))
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

    pub fn lane(
        &self,
        cx: &ViewCx<'_>,
        ui: &Ui,
        texts: &mut Texts<'_>,
        (lane, height, area): (&Lane, Height, Rect),
        hits: &mut Hits,
    ) {
        let painter = ui.painter().with_clip_rect(area.intersect(ui.clip_rect()));
        let line = painter.round_to_pixel_center(area.bottom() - 1.0);
        painter.hline(area.x_range(), line, Stroke::new(1.0, self.palette.line_faint));
        match lane.of {
            LaneOf::Events => self.events(cx, &painter, texts, area, hits),
            LaneOf::Requests => self.requests(cx, ui, &painter, area, hits),
            LaneOf::Counter(id) => self.counter(cx, &painter, id, area),
            LaneOf::Track(id) => {
                if height == Height::Strip {
                    hits.strips.push(id);
                    self.strip(&painter, id, area);
                } else {
                    self.boxes(cx, ui, &painter, texts, (id, height, area), hits);
                }
                self.marks(cx, &painter, Some(id), area, hits);
            }
        }
    }

    fn boxes(
        &self,
        cx: &ViewCx<'_>,
        ui: &Ui,
        painter: &Painter,
        texts: &mut Texts<'_>,
        (track, height, area): (TrackId, Height, Rect),
        hits: &mut Hits,
    ) {
        let Some(rows) = self.rows else { return };
        let Some(group) = boxes::group(rows, track) else { return };
        let count = group.rows.len() as u32;
        let shown = if height == Height::All { count } else { count.min(FEW) };
        let top = area.top() + 2.0;
        let clip = painter.clip_rect();
        // Only the rows that are seen, however many there are.
        let first = (((clip.top() - top) / ROW).floor().max(0.0) as u32).min(shown);
        let last = (((clip.bottom() - top) / ROW).ceil().max(0.0) as u32).min(shown);
        let start = hits.quads.len();
        for i in first..last {
            let y = Rangef::new(top + i as f32 * ROW, top + (i + 1) as f32 * ROW - 1.0);
            let from = hits.quads.len();
            boxes::row(rows, group.rows.start + i, self.axis, y, &mut hits.quads);
            let seen = Rangef::new(y.min.max(clip.top()), y.max.min(clip.bottom()));
            hits.rows.push((seen, from..hits.quads.len()));
        }
        let quads = &hits.quads[start..];
        let selected = self.selected(cx, rows);
        let function = |item: Option<&Item>| match item {
            Some(Item::Function(f)) => Some(*f),
            _ => None,
        };
        let wanted = function(cx.interaction.selection.as_ref());
        let pointed = match cx.hover {
            Some(Item::Function(f)) => (Some(*f), None),
            Some(Item::Span { track: t, row }) if *t == track => (None, rows.find_span(*t, *row)),
            _ => (None, None),
        };
        let mut mesh = Mesh::default();
        let mut above = Vec::new();
        for quad in quads {
            let narrow = quad.rect.width() < 3.0;
            let color = if narrow {
                self.colors.of_texel(quad.who, self.profile)
            } else {
                self.colors.of(quad.who, self.profile)
            };
            let lit = pointed.0 == Some(quad.who.function()) || pointed.1 == Some(quad.at);
            let fill = if lit { self.palette.hovered(color.fill) } else { color.fill };
            // A gap between neighbours where there is room for one.
            let rect = if narrow { quad.rect } else { quad.rect.with_max_x(quad.rect.right() - 1.0) };
            mesh.add_colored_rect(rect, fill);
            if quad.who.is_error() && !narrow {
                let edge = Rect::from_min_size(rect.min, vec2(3.0, rect.height()));
                mesh.add_colored_rect(edge, self.palette.tone(Tone::Bad));
            }
            if quad.rect.width() > 26.0 {
                let key = TextKey::new((quad.who.function(), quad.who.is_module()));
                let name = || Cow::Borrowed(quad.who.label(self.profile));
                above.extend(texts.label(rect, key, LabelStyle::new(10.5), color.text, name));
            }
            let exact = selected == Some(quad.at);
            if exact || wanted == Some(quad.who.function()) {
                let width = if exact { 2.0 } else { 1.0 };
                above.push(Shape::rect_stroke(
                    rect,
                    1.0,
                    Stroke::new(width, self.palette.text_strong),
                    StrokeKind::Inside,
                ));
            }
        }
        painter.add(Shape::mesh(mesh));
        painter.extend(above);
        self.accessible(ui, rows, quads, clip, &mut hits.nodes);
    }

    fn selected(&self, cx: &ViewCx<'_>, rows: &FlameRows) -> Option<crate::analysis::flame_rows::BoxAt> {
        match cx.interaction.selection {
            Some(Item::Span { track, row }) => rows.find_span(track, row),
            _ => None,
        }
    }

    /// Tells screen readers and tests about boxes that can be read.
    fn accessible(&self, ui: &Ui, rows: &FlameRows, quads: &[Quad], clip: Rect, nodes: &mut usize) {
        if ui.ctx().accesskit_node_builder(ui.scope_id(), |_| ()).is_none() {
            return;
        }
        for quad in quads.iter().filter(|q| q.rect.width() > 26.0) {
            if *nodes >= MOST_NODES {
                return;
            }
            *nodes += 1;
            let Some(b) = rows.get(quad.at) else { continue };
            let node = ui.interact(
                quad.rect.intersect(clip),
                ui.scope_id().with(("box", quad.at)),
                egui::Sense::hover(),
            );
            let name = format!("{} {}", b.who.label(self.profile), format::duration(b.length()));
            node.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ListItem, true, &name));
        }
    }

    /// How busy the track was, in the colour of what ran longest.
    fn strip(&self, painter: &Painter, track: TrackId, area: Rect) {
        let Some(rows) = self.rows else { return };
        let Some(group) = boxes::group(rows, track) else { return };
        let outer = if self.transformed {
            vec![group.rows.start]
        } else {
            boxes::outermost(self.profile, track, group)
        };
        let area = area.shrink2(vec2(0.0, 2.0));
        let mut mesh = Mesh::default();
        // Columns that look the same are one rectangle.
        let mut run: Option<(f32, f32, Color32)> = None;
        let columns = boxes::density(rows, &outer, self.axis);
        for (i, (share, who)) in columns.iter().enumerate() {
            let x = self.axis.x.min + i as f32;
            let now = who.filter(|_| *share > 0.0).map(|who| {
                let color = self.colors.of_texel(who, self.profile).fill;
                ((share * area.height()).max(1.5).round(), color)
            });
            if let (Some((start, height, color)), true) = (run, now != run.map(|r| (r.1, r.2))) {
                let rect = Rect::from_min_max(pos2(start, area.bottom() - height), pos2(x, area.bottom()));
                mesh.add_colored_rect(rect, color);
                run = None;
            }
            if let (None, Some((height, color))) = (run, now) {
                run = Some((x, height, color));
            }
        }
        if let Some((start, height, color)) = run {
            let rect =
                Rect::from_min_max(pos2(start, area.bottom() - height), pos2(self.axis.x.max, area.bottom()));
            mesh.add_colored_rect(rect, color);
        }
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

    /// Events as ticks that hang from the upper edge of a lane.
    fn marks(&self, cx: &ViewCx<'_>, painter: &Painter, track: Option<TrackId>, area: Rect, hits: &mut Hits) {
        let y = Rangef::new(area.top(), area.top() + 9.0);
        for mark in boxes::marks(self.profile, track, self.axis) {
            self.mark(cx, painter, mark, area.top() + 1.0, area.height().min(STRIP));
            hits.marks.push((y, mark));
        }
    }

    fn mark(&self, cx: &ViewCx<'_>, painter: &Painter, mark: Mark, top: f32, height: f32) {
        let item = Item::Instant(mark.instant);
        let (selected, color) = (cx.is_selected(&item), self.severity(mark.severity));
        let size = if selected || cx.is_hovered(&item) { 5.5 } else { 4.0 };
        let stroke = Stroke::new(if selected { 2.0 } else { 1.0 }, color);
        painter.vline(painter.round_to_pixel_center(mark.x), top..=top + height - 3.0, stroke);
        let head = vec![pos2(mark.x - size, top), pos2(mark.x + size, top), pos2(mark.x, top + size * 1.5)];
        painter.add(Shape::convex_polygon(head, color, Stroke::new(1.0, self.palette.canvas)));
    }

    /// All events, with their texts where there is room.
    fn events(&self, cx: &ViewCx<'_>, painter: &Painter, texts: &mut Texts<'_>, area: Rect, hits: &mut Hits) {
        let marks = boxes::marks(self.profile, None, self.axis);
        for (i, mark) in marks.iter().enumerate() {
            let next = marks.get(i + 1).map_or(area.right(), |m| m.x - 6.0);
            let room = Rect::from_min_max(pos2(mark.x + 4.0, area.top()), pos2(next, area.bottom() - 1.0));
            if room.width() > 46.0
                && let Some(instant) = self.profile.instants.get(mark.instant as usize)
            {
                let name = || Cow::Borrowed(self.profile.text(instant.name));
                let key = TextKey::new(("event", instant.name));
                let color = if mark.severity >= Severity::Warning {
                    self.severity(mark.severity)
                } else {
                    self.palette.text_weak
                };
                painter.extend(texts.label(room, key, LabelStyle::new(11.0), color, name));
            }
            self.mark(cx, painter, *mark, area.top() + 1.0, area.height());
            hits.marks.push((area.y_range(), *mark));
        }
    }

    fn requests(&self, cx: &ViewCx<'_>, ui: &Ui, painter: &Painter, area: Rect, hits: &mut Hits) {
        let Some(packing) = &self.packing else { return };
        let shown = (((area.height() - 5.0) / REQUEST_ROW).floor().max(1.0) as u32).min(packing.rows.max(1));
        let end = self.profile.time_bounds().map_or(0, |b| b.1);
        let mut mesh = Mesh::default();
        let mut above = Vec::new();
        for id in boxes::requests(self.profile, &packing.row, shown, self.axis) {
            let Some(r) = self.profile.requests.get(id) else { continue };
            let top = area.top() + 2.0 + packing.row[id.index()] as f32 * REQUEST_ROW;
            let y = Rangef::new(top, top + REQUEST_ROW - 1.0);
            let mut whole = Rect::NOTHING;
            for (from, to, part) in parts(r, end) {
                let x = |t: i64| self.axis.x_of(t as f64).clamp(self.axis.x.min, self.axis.x.max);
                let rect = Rect::from_x_y_ranges(x(from)..=x(to).max(x(from) + 0.7), y);
                let thin = if part == RequestPart::Queued { rect.shrink2(vec2(0.0, 2.0)) } else { rect };
                mesh.add_colored_rect(thin, self.palette.phase(part.name()).fill);
                whole = whole.union(rect);
            }
            if !whole.is_positive() {
                continue;
            }
            if matches!(r.outcome, crate::model::Outcome::Error) {
                let last = whole.with_min_x(whole.right() - 2.5);
                mesh.add_colored_rect(last, self.palette.tone(Tone::Bad));
            }
            let item = Item::Request(id);
            if cx.is_selected(&item) || cx.is_hovered(&item) {
                above.push(Shape::rect_stroke(
                    whole,
                    1.0,
                    Stroke::new(1.5, self.palette.text_strong),
                    StrokeKind::Outside,
                ));
            }
            hits.requests.push((whole.intersect(ui.clip_rect()), id));
        }
        painter.add(Shape::mesh(mesh));
        painter.extend(above);
        if packing.rows > shown {
            let text = format!("{} rows more", packing.rows - shown);
            let at = area.right_bottom() - vec2(4.0, 3.0);
            painter.text(
                at,
                egui::Align2::RIGHT_BOTTOM,
                text,
                crate::ui::theme::small(),
                self.palette.text_weak,
            );
        }
    }

    fn counter(&self, cx: &ViewCx<'_>, painter: &Painter, id: CounterId, area: Rect) {
        let counter = &self.profile.counters[id.index()];
        let figures = self.figures.get(id.index()).copied().flatten();
        let (min, max) = figures.map_or((0.0, 1.0), |f| (f.min, f.max));
        let scale = Scale::new(min, max, counter.unit, area.height());
        let chart = Chart { area: area.shrink2(vec2(0.0, 1.0)), axis: self.axis, scale: &scale };
        let color = self.palette.series(id.index());
        let series = self.lod.as_ref().and_then(|l| Some((l, l.series.iter().find(|s| s.counter == id)?)));
        if let Some((lod, series)) = series {
            time::area(painter, &chart, lod, series, mix(self.palette.canvas, color, 0.34));
            time::line(painter, &chart, lod, series, color, 1.2);
        }
        if let Some((t, value)) = cx.cursor.and_then(|t| Some((t, counter.at(t)?))) {
            let at = pos2(self.axis.x_of(t as f64), scale.y_of(value, chart.area));
            painter.circle(at, 3.0, color, Stroke::new(1.5, self.palette.canvas));
        }
    }
}
