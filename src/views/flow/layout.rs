//! Where places and ways stand.

use egui::{Pos2, Rect, pos2, vec2};

use crate::analysis::flow::{Edge, Stage, Ways};
use crate::format;

/// A place.
pub(super) struct Node {
    pub stage: Stage,
    pub rect: Rect,
    /// «34», or «34 → 32» of two runs.
    pub count: String,
    /// «35.4 %», or «35.4 % → 33.0 %».
    pub share: String,
}

/// A way.
pub(super) struct Way {
    pub from: Stage,
    pub to: Stage,
    /// A curve from the right edge of one to the left edge of the other.
    pub curve: [Pos2; 4],
    /// Of all requests.
    pub share: f64,
    /// Where it is labelled and clicked.
    pub label: Rect,
    /// «34 · 35.4 %», and «12.0 ms» and «$0.01» where known.
    pub lines: Vec<String>,
    /// Of these there is room for so many.
    pub shown: usize,
}

impl Way {
    /// The way in words.
    pub fn spoken(&self) -> String {
        format!("{} to {}: {}", self.from.name(), self.to.name(), self.lines.join(", "))
    }
}

/// Everything that is drawn.
pub(super) struct Picture {
    pub nodes: Vec<Node>,
    pub edges: Vec<Way>,
}

/// Height of a place among those of its column, 0 to 1. Without a cache the queue and the model stand in the middle.
fn height(stage: Stage, has_cache: bool) -> f32 {
    match stage {
        Stage::Exact => 0.1,
        Stage::Similar => 0.38,
        Stage::Queue | Stage::Batch | Stage::Model | Stage::Store if has_cache => 0.78,
        Stage::Arrived | Stage::Check | Stage::Queue | Stage::Batch | Stage::Model | Stage::Store => 0.5,
        Stage::Answered => 0.28,
        Stage::Failed => 0.92,
    }
}

/// Places from left to right, by columns.
const COLUMNS: [&[Stage]; 7] = [
    &[Stage::Arrived],
    &[Stage::Check],
    &[Stage::Exact, Stage::Similar, Stage::Queue],
    &[Stage::Batch],
    &[Stage::Model],
    &[Stage::Store],
    &[Stage::Answered, Stage::Failed],
];

/// Room for what a way is labelled with, points.
const LABEL: f32 = 86.0;

/// The same of two runs.
const WIDE: f32 = 112.0;

/// Lays the ways out in `area`.
pub(super) fn layout(ways: &Ways, area: Rect) -> Picture {
    let has = |stage: &Stage| ways.at(*stage) > 0;
    let columns: Vec<&[Stage]> = COLUMNS.into_iter().filter(|column| column.iter().any(has)).collect();
    let count = columns.len().max(2) as f32;
    // Between two places a label has room; where there are many a smaller one.
    let room = (area.width() / count - 92.0).clamp(48.0, LABEL);
    let width = (area.width() / count - room - 6.0).clamp(58.0, 130.0);
    let size = vec2(width, (area.height() * 0.15).clamp(30.0, 52.0));
    let inner = area.shrink2(size / 2.0 + vec2(2.0, 2.0));
    let all = ways.requests.max(1) as f64;
    let has_cache = has(&Stage::Check);
    let center = |stage: Stage| {
        let column = columns.iter().position(|column| column.contains(&stage)).unwrap_or(0) as f32;
        let x = inner.left() + inner.width() * column / (count - 1.0);
        pos2(x, inner.top() + inner.height().max(0.0) * height(stage, has_cache))
    };
    let shown = Stage::ALL.into_iter().filter(has);
    let nodes = shown.map(|stage| {
        let requests = ways.at(stage);
        let rect = Rect::from_center_size(center(stage), size);
        let (count, share) = (format::count(requests as i64), format::percent(requests as f64 / all));
        Node { stage, rect, count, share }
    });
    let step = inner.width() / (count - 1.0);
    let edges =
        ways.edges.iter().map(|e| way(e, all, [center(e.from), center(e.to)], (size.x / 2.0, room, step)));
    let mut picture = Picture { nodes: nodes.collect(), edges: edges.collect() };
    picture.set_labels_apart(area);
    picture
}

impl Picture {
    /// Moves labels above or below places that they would cover, and down where they would cover each other, as far as there is
    /// room.
    fn set_labels_apart(&mut self, area: Rect) {
        for way in &mut self.edges {
            let nodes = || self.nodes.iter().map(|node| node.rect);
            let Some(node) = nodes().find(|node| node.intersects(way.label)) else { continue };
            let label = way.label;
            let [above, below] = [node.min.y - 1.0 - label.max.y, node.max.y + 1.0 - label.min.y];
            let free = [above, below].map(|by| label.translate(vec2(0.0, by)));
            let is_free =
                |moved: &Rect| area.contains_rect(*moved) && !nodes().any(|node| node.intersects(*moved));
            way.label = free.into_iter().find(is_free).unwrap_or(label);
        }
        let mut by_height: Vec<usize> = (0..self.edges.len()).collect();
        by_height.sort_by(|a, b| self.edges[*a].label.min.y.total_cmp(&self.edges[*b].label.min.y));
        for (nth, &lower) in by_height.iter().enumerate() {
            for &upper in &by_height[..nth] {
                let (above, label) = (self.edges[upper].label, self.edges[lower].label);
                let moved = label.translate(vec2(0.0, above.max.y + 1.0 - label.min.y));
                if above.intersects(label) && area.contains_rect(moved) {
                    self.edges[lower].label = moved;
                }
            }
        }
    }
}

fn way(edge: &Edge, all: f64, [from, to]: [Pos2; 2], (half, room, step): (f32, f32, f32)) -> Way {
    let (start, end) = (pos2(from.x + half, from.y), pos2(to.x - half, to.y));
    let bend = ((end.x - start.x) * 0.5).max(20.0);
    let curve = [start, pos2(start.x + bend, start.y), pos2(end.x - bend, end.y), end];
    let share = edge.requests as f64 / all;
    // A way over several columns has room enough.
    let room = if end.x - start.x > LABEL + 8.0 { LABEL } else { room };
    let (count, percent) = (format::count(edge.requests as i64), format::percent(share));
    // What does not fit side by side stands on two lines.
    let mut lines = match room < LABEL - 8.0 {
        true => vec![count, percent],
        false => vec![format!("{count} · {percent}")],
    };
    lines.extend(edge.time.map(format::duration));
    lines.extend(edge.cost.map(|cost| format!("{}{}", edge.sign, format::money(cost))));
    // Long ways to one place come together at their ends.
    let middle = at(&curve, if to.x - from.x > 1.5 * step { 0.3 } else { 0.5 });
    let label = Rect::from_center_size(middle, vec2(room, 15.0 * lines.len() as f32 + 2.0));
    Way { from: edge.from, to: edge.to, curve, share, label, shown: lines.len(), lines }
}

/// Both runs as one picture: places and ways of either, as thick as the more of both, with the numbers of both.
pub(super) fn of_two([base, head]: [&Ways; 2], area: Rect) -> Picture {
    let mut all = Ways { requests: base.requests.max(head.requests), ..Ways::default() };
    for edge in base.edges.iter().chain(&head.edges) {
        match all.edges.iter_mut().find(|e| (e.from, e.to) == (edge.from, edge.to)) {
            Some(known) => known.requests = known.requests.max(edge.requests),
            None => all.edges.push(edge.clone()),
        }
    }
    let both = |base: String, head: String| if base == head { base } else { format!("{base} → {head}") };
    let share = |n: usize, ways: &Ways| format::percent(n as f64 / ways.requests.max(1) as f64);
    let mut picture = layout(&all, area);
    // Where places stand close there is room for the numbers of requests only; tables tell the rest.
    let close = picture.edges.iter().any(|way| way.label.width() < LABEL);
    for node in &mut picture.nodes {
        let (b, h) = (base.at(node.stage), head.at(node.stage));
        node.count = both(format::count(b as i64), format::count(h as i64));
        node.share = both(share(b, base), share(h, head));
    }
    for way in &mut picture.edges {
        let of = [base, head].map(|ways| ways.edge(way.from, way.to));
        let n = of.map(|edge| edge.map_or(0, |e| e.requests));
        let known = |text: Option<String>| text.unwrap_or_else(|| format::UNKNOWN.to_owned());
        let time = of.map(|edge| known(edge.and_then(|e| e.time).map(format::duration)));
        let [tb, th] = time;
        way.lines = vec![both(format::count(n[0] as i64), format::count(n[1] as i64))];
        way.lines.push(both(share(n[0], base), share(n[1], head)));
        way.lines.extend((tb != format::UNKNOWN || th != format::UNKNOWN).then(|| both(tb, th)));
        way.shown = if close { 1 } else { way.lines.len() };
        let size = vec2(if close { way.label.width() } else { WIDE }, 15.0 * way.shown as f32 + 2.0);
        way.label = Rect::from_center_size(way.label.center(), size);
    }
    picture.set_labels_apart(area);
    picture
}

/// A point of a curve.
pub(super) fn at(curve: &[Pos2; 4], t: f32) -> Pos2 {
    let s = 1.0 - t;
    let [a, b, c, d] = curve.map(Pos2::to_vec2);
    (a * (s * s * s) + b * (3.0 * s * s * t) + c * (3.0 * s * t * t) + d * (t * t * t)).to_pos2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_inside_and_apart() {
        let edge = |from, to| Edge { from, to, requests: 1, time: Some(5), cost: None, sign: "" };
        let pairs = [
            (Stage::Arrived, Stage::Check),
            (Stage::Check, Stage::Exact),
            (Stage::Check, Stage::Similar),
            (Stage::Check, Stage::Queue),
            (Stage::Queue, Stage::Batch),
            (Stage::Batch, Stage::Model),
            (Stage::Model, Stage::Store),
            (Stage::Store, Stage::Answered),
            (Stage::Model, Stage::Failed),
        ];
        let ways = Ways { requests: 7, edges: pairs.map(|(a, b)| edge(a, b)).into(), ..Ways::default() };
        for size in [vec2(1600.0, 1000.0), vec2(1024.0, 640.0), vec2(520.0, 300.0)] {
            let area = Rect::from_min_size(pos2(10.0, 20.0), size);
            let picture = layout(&ways, area);
            assert_eq!(picture.nodes.len(), 10);
            assert!(picture.nodes.iter().all(|n| area.contains_rect(n.rect)), "{size:?}");
            for (i, a) in picture.edges.iter().enumerate() {
                assert!(picture.edges[i + 1..].iter().all(|b| !a.label.intersects(b.label)), "{size:?}");
            }
            for (i, a) in picture.nodes.iter().enumerate() {
                assert!(picture.nodes[i + 1..].iter().all(|b| !a.rect.intersects(b.rect)), "{size:?}");
            }
            assert_eq!(at(&picture.edges[0].curve, 0.0), picture.edges[0].curve[0]);
        }
    }
}
