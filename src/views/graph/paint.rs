//! Painting a scene: edges below, nodes above, then the words on the edges and the bird's-eye view.

use std::borrow::Cow;

use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, pos2, vec2};

use super::camera::Lens;
use super::scene::{Hit, Scene};
use crate::analysis::call_graph::GraphNode;
use crate::analysis::drawn::EdgeKind;
use crate::analysis::folding::{Group, GroupKind};
use crate::analysis::graph_layout::frames::TITLE;
use crate::analysis::search::Pattern;
use crate::format;
use crate::model::{Profile, Unit};
use crate::ui::icons::Icon;
use crate::ui::text::{Elide, Face, LabelStyle, TextKey, Texts};
use crate::ui::theme::{Palette, mix, small, space};

/// Below this zoom nodes are boxes without words.
const WORDS: f32 = 0.4;
/// From this zoom on nodes say how many neighbours are left out.
const MORE_WORDS: f32 = 0.55;
/// From this zoom on edges have words.
const EDGE_WORDS: f32 = 0.62;
/// From this share of the drawing in view on it needs no bird's-eye view.
const MOSTLY_SEEN: f32 = 0.7;
/// Size of the bird's-eye view.
const BIRD: (f32, f32) = (190.0, 130.0);

/// What a frame paints with.
pub struct Paint<'a> {
    /// What is drawn.
    pub scene: &'a Scene,
    /// From the drawing to the screen.
    pub lens: Lens,
    /// The pane.
    pub area: Rect,
    /// The colours.
    pub palette: &'static Palette,
    /// Names.
    pub profile: &'a Profile,
    /// Unit of costs.
    pub unit: Unit,
    /// Show costs rather than shares.
    pub costs: bool,
    /// Colour of the group of each node, by place.
    pub groups: &'a [Color32],
    /// Nodes that the search leaves out, by place; empty without a search.
    pub dimmed: &'a [bool],
    /// What it looks for.
    pub pattern: Option<&'a Pattern>,
    /// Under the pointer.
    pub hovered: Option<Hit>,
    /// Selected.
    pub selected: Option<Hit>,
    /// Place of the function in the middle.
    pub middle: Option<u32>,
    /// Seconds.
    pub now: f64,
}

impl Paint<'_> {
    /// The share of a cost in the whole.
    fn share(&self, cost: i64) -> f64 {
        let sum = self.scene.picture.graph.whole.total;
        if sum > 0 { cost as f64 / sum as f64 } else { 0.0 }
    }

    /// A cost in words, as a share or in its unit; `≈` when it is estimated.
    #[must_use]
    pub fn amount(&self, cost: i64, estimated: bool) -> String {
        let text = if self.costs || self.scene.picture.graph.whole.total <= 0 {
            format::cost(self.unit, cost)
        } else {
            format::share_text(self.scene.picture.graph.whole.total_share(cost))
        };
        if estimated { format!("≈ {text}") } else { text }
    }

    /// The same of a node's self cost: its share is of all self costs.
    fn own_of(&self, node: &GraphNode) -> String {
        let whole = self.scene.picture.graph.whole;
        match self.costs || whole.total <= 0 {
            true => format::cost(self.unit, node.own),
            false => format::share_text(whole.own_share(node.own)),
        }
    }

    /// The same of a node's total, which the file may lack.
    pub fn total_of(&self, node: &GraphNode) -> String {
        if node.measured { self.amount(node.total, node.estimated) } else { format::UNKNOWN.into() }
    }

    /// Nodes that an edge or node is about: they and their edges stand out.
    fn stands_out(&self, from: u32, to: u32, i: u32) -> bool {
        [self.hovered, self.selected].into_iter().flatten().any(|hit| match hit {
            Hit::Node(n) => n == from || n == to,
            Hit::Edge(e) => e == i,
            Hit::Frame(_) => false,
        })
    }

    /// Paints all of it.
    pub fn paint(&self, painter: &Painter, texts: &mut Texts<'_>) {
        painter.rect_filled(self.area, 0.0, self.palette.canvas);
        let fresh = self.scene.progress(self.now);
        self.frames(painter, fresh);
        let edges = &self.scene.picture.drawn.edges;
        let out: Vec<bool> = (0u32..).zip(edges).map(|(i, e)| self.stands_out(e.from, e.to, i)).collect();
        for strong in [false, true] {
            for i in (0..edges.len()).filter(|&i| out[i] == strong) {
                self.edge(painter, i, strong, fresh);
            }
        }
        let mut taken: Vec<Rect> = Vec::new();
        for i in 0..self.scene.len() {
            let rect = self.lens.rect(self.scene.rect(i, self.now));
            if rect.intersects(self.area) {
                self.node(painter, texts, i, rect);
                taken.push(rect);
                if self.lens.zoom >= MORE_WORDS {
                    let kept = self.scene.picture.drawn.nodes[i as usize];
                    taken.extend(self.more(painter, rect, kept.more_callers, true));
                    taken.extend(self.more(painter, rect, kept.more_callees, false));
                }
            }
        }
        self.titles(painter, texts, fresh, &mut taken);
        if self.lens.zoom >= EDGE_WORDS && fresh >= 1.0 {
            self.edge_words(painter, &out, &mut taken);
        }
    }

    /// The ground of open groups.
    fn frames(&self, painter: &Painter, fresh: f32) {
        for (i, rect) in (0u32..).zip(self.scene.frames()) {
            let rect = self.lens.rect(rect);
            if !rect.intersects(self.area) {
                continue;
            }
            let color = self.frame_color(i);
            let fill = self.frame_fill(i, fresh);
            let line = mix(self.palette.canvas, mix(self.palette.line_strong, color, 0.6), fresh);
            painter.rect(
                rect,
                6.0 * self.lens.zoom.min(1.0),
                fill,
                Stroke::new(1.0, line),
                StrokeKind::Inside,
            );
        }
    }

    /// The colour behind nodes and edges at a point of the screen.
    fn ground(&self, at: Pos2) -> Color32 {
        let frame =
            (0u32..).zip(self.scene.frames()).filter(|(_, rect)| self.lens.rect(*rect).contains(at)).last();
        frame.map_or(self.palette.canvas, |(i, _)| self.frame_fill(i, 1.0))
    }

    fn frame_fill(&self, frame: u32, fresh: f32) -> Color32 {
        let share = if self.hovered == Some(Hit::Frame(frame)) { 0.16 } else { 0.09 };
        mix(self.palette.canvas, self.frame_color(frame), share * fresh)
    }

    /// The colour of the group of a frame's nodes.
    fn frame_color(&self, frame: u32) -> Color32 {
        let of = self.scene.picture.drawn.frames[frame as usize].of;
        let inside = |&i: &u32| self.scene.picture.folded.inside[self.scene.row(i) as usize] == Some(of);
        let node = (0..self.scene.len()).find(inside);
        node.map_or(self.palette.line_strong, |i| self.groups[i as usize])
    }

    /// Name and cost of open groups, at the top of their frames.
    fn titles(&self, painter: &Painter, texts: &mut Texts<'_>, fresh: f32, taken: &mut Vec<Rect>) {
        let size = ((12.5 * self.lens.zoom * 2.0).round() / 2.0).clamp(8.0, 20.0);
        for (i, rect) in (0u32..).zip(self.scene.frames()) {
            let rect = self.lens.rect(rect);
            let height = (TITLE * self.lens.zoom).max(size + 5.0);
            let line = Rect::from_min_size(rect.min, vec2(rect.width(), height)).shrink2(vec2(5.0, 0.0));
            let Some(group) = self.scene.frame(i) else { continue };
            if !line.intersects(self.area) || rect.width() < 24.0 {
                continue;
            }
            let text = format!("{}  {}", group.label(), self.amount(group.total, group.estimated));
            let (chevron, line) = line.split_left_right_at_x(line.left() + size);
            let style = LabelStyle { face: Face::Strong, size, elide: Elide::End };
            let color = mix(self.palette.canvas, self.palette.text, fresh);
            let shape = texts.label(line, TextKey::of(&text), style, color, || Cow::Borrowed(&text));
            let ground = self.frame_fill(i, fresh);
            if let Some(shape) = shape {
                let room = shape.visual_bounding_rect().union(chevron).expand2(vec2(3.0, 1.0));
                painter.rect_filled(room, 2.0, ground);
                painter.add(shape);
                let mark = Rect::from_center_size(chevron.center(), vec2(size, size) * 0.75);
                Icon::ChevronDown.paint(painter, mark, color);
                taken.push(room);
            }
        }
    }

    fn edge(&self, painter: &Painter, i: usize, strong: bool, fresh: f32) {
        let (bounds, line) = &self.scene.lines[i];
        if !self.lens.rect(*bounds).expand(8.0).intersects(self.area) {
            return;
        }
        let palette = self.palette;
        let edge = &self.scene.picture.drawn.edges[i];
        let (share, elided) = match edge.kind {
            EdgeKind::Calls(e) => {
                let total = self.scene.picture.graph.edges[e as usize].total;
                (total.map_or(0.0, |t| self.share(t)).clamp(0.0, 1.0) as f32, false)
            }
            EdgeKind::Elided(_) => (0.0, true),
        };
        let width = (1.0 + 5.0 * share.sqrt()) * self.lens.zoom.sqrt().clamp(0.35, 1.3);
        let calm = mix(palette.line, palette.text_weak, 0.3 + 0.6 * share.sqrt());
        let mut color = if strong { palette.accent } else { calm };
        if self.is_dimmed(edge.from) || self.is_dimmed(edge.to) {
            color = palette.dimmed(color);
        }
        let color = color.gamma_multiply(fresh);
        let mut points: Vec<Pos2> = line.iter().map(|&p| self.lens.point(p)).collect();
        if self.lens.zoom > 0.25 {
            let length = (4.0 + 1.4 * width) * self.lens.zoom.clamp(0.5, 1.2);
            painter.extend(arrow_head(&mut points, length, color));
        }
        let stroke = Stroke::new(width.max(0.6), color);
        if elided {
            painter.extend(Shape::dashed_line(&points, stroke, 2.0, 4.0));
        } else {
            painter.add(Shape::line(points, stroke));
        }
    }

    fn is_dimmed(&self, node: u32) -> bool {
        self.dimmed.get(node as usize).copied().unwrap_or(false)
    }

    fn node(&self, painter: &Painter, texts: &mut Texts<'_>, i: u32, rect: Rect) {
        let (palette, zoom) = (self.palette, self.lens.zoom);
        let node = self.scene.node(i);
        let fade = if self.scene.is_new(i) { self.scene.progress(self.now) } else { 1.0 };
        let dim = |c: Color32| {
            let c = if self.is_dimmed(i) { palette.dimmed(c) } else { c };
            if fade < 1.0 { mix(palette.canvas, c, fade) } else { c }
        };
        let (hovered, selected) = (self.hovered == Some(Hit::Node(i)), self.selected == Some(Hit::Node(i)));
        let middle = self.middle == Some(i);
        let fill = match (selected, hovered) {
            (true, _) => palette.selection,
            (_, true) => palette.hover,
            _ => palette.raised,
        };
        let radius = 5.0 * zoom.min(1.0);
        let border = match (selected, middle) {
            (true, _) => Stroke::new(2.0, palette.accent),
            (_, true) => Stroke::new(2.0, dim(palette.text_strong)),
            _ => Stroke::new(1.0, dim(palette.line_strong)),
        };
        if self.scene.group(i).is_some() {
            // A pile of cards: more than one function.
            let below = rect.translate(vec2(3.5, 3.5) * zoom);
            let line = Stroke::new(1.0, dim(palette.line_strong));
            painter.rect(below, radius, dim(palette.panel), line, StrokeKind::Inside);
        }
        painter.rect(rect, radius, dim(fill), border, StrokeKind::Inside);
        let inner = rect.shrink(border.width);
        let stripe = inner.with_max_x(inner.left() + 4.0 * zoom);
        painter.rect_filled(stripe, radius, dim(self.groups[i as usize]));
        let bar = Rect::from_min_max(
            pos2(stripe.right() + 5.0 * zoom, inner.bottom() - 7.0 * zoom),
            pos2(inner.right() - 6.0 * zoom, inner.bottom() - 3.5 * zoom),
        );
        self.cost_bar(painter, node.total, node.own, bar, &dim);
        if zoom >= WORDS {
            self.node_words(painter, texts, i, inner.with_min_x(stripe.right()), &dim);
        }
    }

    /// Total cost, and within it the own cost in a stronger colour.
    fn cost_bar(&self, painter: &Painter, total: i64, own: i64, bar: Rect, dim: &dyn Fn(Color32) -> Color32) {
        let palette = self.palette;
        painter.rect_filled(bar, 2.0, dim(palette.pressed));
        let part =
            |cost: i64| bar.with_max_x(bar.left() + bar.width() * self.share(cost).clamp(0.0, 1.0) as f32);
        let heat = palette.heat(self.share(total).clamp(0.0, 1.0).sqrt() as f32);
        painter.rect_filled(part(total), 2.0, dim(mix(palette.pressed, heat, 0.6)));
        if own > 0 {
            painter.rect_filled(part(own), 2.0, dim(mix(heat, palette.text_strong, 0.15)));
        }
    }

    fn node_words(
        &self,
        painter: &Painter,
        texts: &mut Texts<'_>,
        i: u32,
        area: Rect,
        dim: &dyn Fn(Color32) -> Color32,
    ) {
        let (palette, zoom) = (self.palette, self.lens.zoom);
        let node = self.scene.node(i);
        // Sizes in half points, so that zooming does not lay out every name in every frame.
        let size = |points: f32| ((points * zoom * 2.0).round() / 2.0).clamp(5.0, 26.0);
        let name = LabelStyle { face: Face::Strong, size: size(12.5), elide: Elide::Middle };
        let line = |from: f32, to: f32| {
            Rect::from_min_max(
                pos2(area.left() + 1.0, area.top() + from * zoom),
                pos2(area.right() + 1.0, area.top() + to * zoom),
            )
        };
        let label = || self.scene.label(i, self.profile);
        let group = self.scene.group(i);
        let key = TextKey::new((node.symbol.key(), group.map(Group::label)));
        let found = (name, self.pattern.filter(|_| !self.is_dimmed(i)));
        painter.extend(texts.found_label(line(2.0, 19.0), key, found, dim(palette.text_strong), label));
        let mut text = self.total_of(node);
        if node.own > 0 {
            text += &format!(" · self {}", self.own_of(node));
        }
        if let Some(Group { kind: GroupKind::Named(_), .. }) = group {
            text += &group.map_or(String::new(), |g| format!(" · {}", g.size()));
        }
        let style = LabelStyle::new(size(11.0));
        painter.extend(texts.label(
            line(18.0, 34.0),
            TextKey::of(&text),
            style,
            dim(palette.text_weak),
            || Cow::Borrowed(&text),
        ));
    }

    /// «12 more», with dots that lead there; the room that it takes.
    fn more(&self, painter: &Painter, rect: Rect, count: u32, above: bool) -> Option<Rect> {
        if count == 0 {
            return None;
        }
        let (palette, zoom) = (self.palette, self.lens.zoom);
        let font = egui::FontId { size: (10.0 * zoom).clamp(7.0, 13.0), ..small() };
        let text = format!("{} more", format::count(i64::from(count)));
        let galley = painter.layout_no_wrap(text, font, palette.text_weak);
        let size = galley.size() + vec2(10.0 * zoom, 0.0);
        let top = if above { rect.top() - size.y - 1.0 } else { rect.bottom() + 1.0 };
        let (left, right) = (rect.left() + 3.0 * zoom, rect.right() - 3.0 * zoom - size.x);
        let at = |x: f32| Rect::from_min_size(pos2(x, top), size);
        // To the right, unless an edge ends there and none does on the left.
        let beside = self.crossed(at(right), None) && !self.crossed(at(left), None);
        let room = at(if beside { left } else { right });
        painter.rect_filled(room.expand2(vec2(2.0, 0.0)), 2.0, self.ground(room.center()));
        painter.galley(room.min, galley, palette.text_weak);
        for k in 0..3 {
            let y = room.center().y + (k as f32 - 1.0) * 3.6 * zoom;
            let dot = pos2(room.right() - 3.0 * zoom, y);
            painter.circle_filled(dot, 1.1 * zoom.min(1.3), palette.text_weak);
        }
        Some(room)
    }

    /// True where an edge other than `but` goes through a rectangle of the screen.
    fn crossed(&self, rect: Rect, but: Option<usize>) -> bool {
        let rect = Rect::from_min_max(self.lens.back(rect.min), self.lens.back(rect.max));
        let lines = self.scene.lines.iter().enumerate().filter(|(i, _)| Some(*i) != but);
        let near = lines.filter(|(_, (bounds, _))| bounds.intersects(rect));
        let through = |pair: &[Pos2]| rect.intersects(Rect::from_two_pos(pair[0], pair[1]));
        near.flat_map(|(_, (_, line))| line.windows(2)).any(through)
    }

    /// Cost and calls of edges, the largest first, where there is room.
    fn edge_words(&self, painter: &Painter, out: &[bool], taken: &mut Vec<Rect>) {
        let picture = &self.scene.picture;
        let cost = |i: usize| match picture.drawn.edges[i].kind {
            EdgeKind::Calls(e) => picture.graph.edges[e as usize].total.unwrap_or(0),
            EdgeKind::Elided(_) => 0,
        };
        let mut order: Vec<usize> = (0..picture.drawn.edges.len())
            .filter(|&i| self.lens.rect(self.scene.lines[i].0).intersects(self.area))
            .collect();
        order.sort_by_key(|&i| (!out[i], std::cmp::Reverse(cost(i)), i));
        let font = egui::FontId { size: (10.5 * self.lens.zoom).clamp(8.0, 13.0), ..small() };
        for i in order.into_iter().take(300) {
            let color = if out[i] { self.palette.accent } else { self.palette.text_weak };
            let galley = painter.layout_no_wrap(self.edge_text(i), font.clone(), color);
            let line = &self.scene.lines[i].1;
            let mut free = [0.5, 0.65, 0.35, 0.78, 0.22].into_iter().filter_map(|t| {
                let at = self.lens.point(along(line, t));
                let rect = Rect::from_center_size(at, galley.size() + vec2(6.0, 2.0));
                let free = self.area.contains_rect(rect) && !taken.iter().any(|r| r.intersects(rect));
                free.then_some(rect)
            });
            // Where no other edge passes, if there is such a place.
            let Some(first) = free.next() else { continue };
            let alone = |rect: &Rect| !self.crossed(*rect, Some(i));
            let rect = [first].into_iter().chain(free).find(alone).unwrap_or(first);
            painter.rect_filled(rect, space::RADIUS_SMALL, self.ground(rect.center()));
            painter.galley(rect.center() - galley.size() / 2.0, galley, color);
            taken.push(rect);
        }
    }

    fn edge_text(&self, i: usize) -> String {
        match self.scene.picture.drawn.edges[i].kind {
            EdgeKind::Elided(n) => format!("{} left out", format::count(i64::from(n.max(1)))),
            EdgeKind::Calls(e) => {
                let edge = &self.scene.picture.graph.edges[e as usize];
                let calls = edge.calls.map(|c| format!("{} ×", format::count(c.all as i64)));
                let total = edge.total.map(|t| self.amount(t, edge.estimated));
                [total, calls].into_iter().flatten().collect::<Vec<_>>().join(" · ")
            }
        }
    }

    /// The whole drawing in a corner, with the part that is seen; where it is, if it is needed.
    #[must_use]
    pub fn bird(&self) -> Option<(Rect, Lens)> {
        let placed = &self.scene.picture.drawn;
        bird(vec2(placed.width, placed.height), self.area, self.lens)
    }

    /// Paints the bird's-eye view.
    pub fn paint_bird(&self, painter: &Painter, rect: Rect, bird: Lens) {
        let palette = self.palette;
        let around = rect.expand(4.0);
        painter.rect(
            around,
            space::RADIUS,
            palette.panel,
            Stroke::new(1.0, palette.line),
            StrokeKind::Outside,
        );
        for (i, frame) in (0u32..).zip(self.scene.frames()) {
            let fill = mix(palette.panel, self.frame_color(i), 0.2);
            painter.rect_filled(bird.rect(frame), 1.0, fill);
        }
        for i in 0..self.scene.len() {
            let node = bird.rect(self.scene.rect(i, self.now));
            let node = Rect::from_center_size(node.center(), node.size().max(vec2(1.5, 1.5)));
            let heat = self.share(self.scene.node(i).total).clamp(0.0, 1.0).sqrt() as f32;
            let marked = self.selected == Some(Hit::Node(i)) || self.middle == Some(i);
            let color =
                if marked { palette.accent } else { mix(palette.line_strong, palette.heat(1.0), heat * 0.7) };
            painter.rect_filled(node, 0.0, color);
        }
        let seen = Rect::from_min_max(self.lens.back(self.area.min), self.lens.back(self.area.max));
        let seen = bird.rect(seen).intersect(around);
        painter.rect_filled(seen, 2.0, palette.accent.gamma_multiply(0.12));
        painter.rect_stroke(seen, 2.0, Stroke::new(1.5, palette.accent), StrokeKind::Inside);
    }
}

/// The place of the bird's-eye view of a drawing of `size`: none while most of that is seen, or where it would take too much
/// of the room.
pub(super) fn bird(size: Vec2, area: Rect, lens: Lens) -> Option<(Rect, Lens)> {
    let all = lens.rect(Rect::from_min_size(Pos2::ZERO, size));
    let seen = all.intersect(area);
    let share = if seen.is_positive() { seen.area() / all.area().max(1.0) } else { 0.0 };
    if share >= MOSTLY_SEEN || area.width() < 420.0 || area.height() < 280.0 {
        return None;
    }
    let zoom = (vec2(BIRD.0, BIRD.1) / size.max(vec2(1.0, 1.0))).min_elem();
    let rect = Rect::from_min_size(area.right_bottom() - size * zoom - vec2(14.0, 14.0), size * zoom);
    Some((rect, Lens { origin: rect.min, zoom }))
}

/// The head of an arrow at the end of a line, which then ends where the head begins.
pub(super) fn arrow_head(points: &mut Vec<Pos2>, length: f32, color: Color32) -> Option<Shape> {
    let end = points.pop()?;
    let mut left = length;
    let mut after = end;
    while let Some(before) = points.pop() {
        let piece = (after - before).length();
        if piece > left || points.is_empty() {
            let base = if piece > 0.0 { after + (before - after) * (left / piece).min(1.0) } else { before };
            let along = (end - base).normalized();
            let side = vec2(-along.y, along.x) * length * 0.42;
            // The line reaches a little into the head, so that no gap shows between them.
            points.extend([before, base + along * (length * 0.3)]);
            return Some(Shape::convex_polygon(vec![end, base + side, base - side], color, Stroke::NONE));
        }
        left -= piece;
        after = before;
    }
    None
}

/// The point at share `t` of a line's length.
fn along(line: &[Pos2], t: f32) -> Pos2 {
    let length: f32 = line.windows(2).map(|p| (p[1] - p[0]).length()).sum();
    let mut left = length * t;
    for pair in line.windows(2) {
        let piece = (pair[1] - pair[0]).length();
        if piece >= left && piece > 0.0 {
            return pair[0] + (pair[1] - pair[0]) * (left / piece);
        }
        left -= piece;
    }
    line.last().copied().unwrap_or_default()
}
