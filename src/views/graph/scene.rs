//! What is on the screen: nodes and edges of a picture, moving from where they were to where they
//! belong, and what the pointer is on.

use std::borrow::Cow;
use std::sync::Arc;

use egui::{Pos2, Rect, pos2, vec2};
use rustc_hash::FxHashMap;

use super::camera::Lens;
use crate::analysis::call_graph::GraphNode;
use crate::analysis::drawn::{EdgeKind, NodeSizes};
use crate::analysis::folding::{Group, NodeKey};
use crate::analysis::graph_layout::frames::TITLE;
use crate::analysis::graph_layout::{Direction, Point};
use crate::analysis::graph_picture::Picture;
use crate::model::Profile;
use crate::state::Item;

/// How large nodes are drawn.
pub(super) const SIZES: NodeSizes =
    NodeSizes { height: 440, widths: (1380, 2280), character: 71, beside: 260 };

/// How long nodes take to their new places, seconds.
const MOVE: f64 = 0.22;
/// How near to an edge the pointer has to be, in points of the screen.
const NEAR: f32 = 6.0;
/// Length of the pieces that a curve is drawn with, in points of the drawing, and how many there are at most.
const PIECE: f32 = 5.0;
const PIECES: f32 = 40.0;

/// A drawing with its motion.
pub struct Scene {
    /// What is drawn.
    pub picture: Arc<Picture>,
    /// Edges as lines, with the rectangles around them.
    pub lines: Vec<(Rect, Vec<Pos2>)>,
    /// Where nodes were, and since when they move; `None` for nodes that are new.
    from: Vec<Option<Pos2>>,
    since: Option<f64>,
}

/// A node or an edge of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// Place in the picture's nodes.
    Node(u32),
    /// Place in the picture's edges.
    Edge(u32),
    /// The title of a frame, by place in the picture's frames.
    Frame(u32),
}

/// Which way to go along the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the caller that costs most.
    Caller,
    /// To the callee that costs most.
    Callee,
    /// To the node before, in the same row.
    Before,
    /// To the node after, in the same row.
    After,
}

impl Scene {
    /// A picture; what `old` shows as well moves from there.
    #[must_use]
    pub fn new(picture: Arc<Picture>, old: Option<&Self>, profile: &Profile, now: f64) -> Self {
        let lines = picture.drawn.edges.iter().map(|e| flattened(&e.curve)).collect();
        let mut scene = Self { picture, lines, from: Vec::new(), since: None };
        if let Some(old) = old {
            let was: FxHashMap<_, _> =
                (0..old.len()).map(|i| (old.key(i, profile), old.centre(i, now))).collect();
            scene.from = (0..scene.len())
                .map(|i| {
                    let before = || Some(old.centre(old.before(&scene, i)?, now));
                    was.get(&scene.key(i, profile)).copied().or_else(before)
                })
                .collect();
            scene.since = scene.from.iter().any(Option::is_some).then_some(now);
        }
        scene
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.picture.drawn.nodes.len() as u32
    }

    /// Row of a node in the graph.
    #[must_use]
    pub fn row(&self, node: u32) -> u32 {
        self.picture.drawn.nodes[node as usize].row
    }

    fn key(&self, node: u32, profile: &Profile) -> NodeKey {
        self.picture.folded.key(self.row(node), profile)
    }

    /// The place of a row of the graph, if it is drawn.
    fn place(&self, row: u32) -> Option<u32> {
        (0..self.len()).find(|&i| self.row(i) == row)
    }

    /// The place here of what a node of `new` was part of, when only one of them is folded.
    fn before(&self, new: &Self, node: u32) -> Option<u32> {
        let (old, folded) = (&self.picture.folded, &new.picture.folded);
        if Arc::ptr_eq(old, folded) {
            return None;
        }
        let is = |n: &&GraphNode| n.symbol.key() == new.node(node).symbol.key();
        let at = old.functions.nodes.iter().position(|n| is(&n))?;
        self.place(old.row_of[at])
            .filter(|&i| old.group(self.row(i)).is_some() || folded.group(new.row(node)).is_some())
    }

    /// The folded group that a node is.
    #[must_use]
    pub fn group(&self, node: u32) -> Option<&Group> {
        self.picture.folded.group(self.row(node))
    }

    /// The open group that a frame is around.
    #[must_use]
    pub fn frame(&self, frame: u32) -> Option<&Group> {
        let frame = self.picture.drawn.frames.get(frame as usize)?;
        self.picture.folded.groups.get(frame.of as usize)
    }

    /// The rectangle of each frame.
    pub fn frames(&self) -> impl Iterator<Item = Rect> + '_ {
        let corner = |p: Point| pos2(p.x, p.y);
        self.picture.drawn.frames.iter().map(move |f| Rect::from_min_max(corner(f.min), corner(f.max)))
    }

    /// Name of a node.
    #[must_use]
    pub fn label<'a>(&'a self, node: u32, profile: &'a Profile) -> Cow<'a, str> {
        self.picture.folded.label(self.row(node), profile)
    }

    /// The node of the graph.
    #[must_use]
    pub fn node(&self, node: u32) -> &GraphNode {
        &self.picture.graph.nodes[self.row(node) as usize]
    }

    /// How far the motion is, 0 to 1.
    #[must_use]
    pub fn progress(&self, now: f64) -> f32 {
        let Some(since) = self.since else { return 1.0 };
        let t = ((now - since) / MOVE).clamp(0.0, 1.0) as f32;
        t * t * (3.0 - 2.0 * t)
    }

    /// Where the node's centre belongs.
    #[must_use]
    pub fn goal(&self, node: u32) -> Pos2 {
        let p = self.picture.drawn.nodes[node as usize].at;
        pos2(p.x, p.y)
    }

    fn centre(&self, node: u32, now: f64) -> Pos2 {
        let goal = self.goal(node);
        match self.from.get(node as usize).copied().flatten() {
            Some(from) => from + (goal - from) * self.progress(now),
            None => goal,
        }
    }

    /// True for a node that was not there before, while others still move.
    #[must_use]
    pub fn is_new(&self, node: u32) -> bool {
        self.since.is_some() && self.from.get(node as usize).is_some_and(Option::is_none)
    }

    /// The node's rectangle now.
    #[must_use]
    pub fn rect(&self, node: u32, now: f64) -> Rect {
        let (width, height) = self.picture.drawn.nodes[node as usize].size;
        Rect::from_center_size(self.centre(node, now), vec2(width, height))
    }

    /// Moves the past by an offset, after the camera moved by it.
    pub fn shift_past(&mut self, by: egui::Vec2) {
        self.from.iter_mut().flatten().for_each(|p| *p += by);
    }

    /// How far what stays has moved: the offset of the node that costs most, or of `preferred`.
    #[must_use]
    pub fn anchor(&self, preferred: Option<u32>) -> Option<egui::Vec2> {
        let offset = |i: u32| Some(self.goal(i) - self.from.get(i as usize).copied().flatten()?);
        preferred.and_then(offset).or_else(|| (0..self.len()).find_map(offset))
    }

    /// What is selected, as a place in the picture.
    #[must_use]
    pub fn find(&self, item: &Item, profile: &Profile) -> Option<Hit> {
        let node = |f| self.place(self.picture.folded.find(f, profile)?);
        if let Item::Edge(a, b) = *item {
            let node = |key| node(profile.keys().function(key)?);
            let (a, b) = (node(a)?, node(b)?);
            let edges = &self.picture.drawn.edges;
            let at =
                edges.iter().position(|e| (e.from, e.to) == (a, b) && matches!(e.kind, EdgeKind::Calls(_)));
            return at.map(|i| Hit::Edge(i as u32));
        }
        item.function(profile).and_then(node).map(Hit::Node)
    }

    /// What a hit stands for in other views: for a folded group its function with most self cost.
    #[must_use]
    pub fn item(&self, hit: Hit, profile: &Profile) -> Option<Item> {
        match hit {
            Hit::Node(i) => Some(Item::of_function(self.node(i).symbol.function(), profile)),
            Hit::Frame(_) => None,
            Hit::Edge(i) => {
                let edge = &self.picture.drawn.edges[i as usize];
                match edge.kind {
                    EdgeKind::Calls(_) => {
                        let (from, to) = (self.row(edge.from), self.row(edge.to));
                        let heaviest = self.picture.folded.heaviest(from, to);
                        heaviest.map(|(a, b)| Item::of_edge(a, b, profile))
                    }
                    EdgeKind::Elided(_) => None,
                }
            }
        }
    }

    /// What is at a point of the screen: nodes first, then titles of frames, then the nearest edge.
    #[must_use]
    pub fn hit(&self, lens: Lens, at: Pos2, now: f64) -> Option<Hit> {
        let p = lens.back(at);
        if let Some(i) = (0..self.len()).find(|&i| self.rect(i, now).contains(p)) {
            return Some(Hit::Node(i));
        }
        let title = |r: Rect| r.with_max_y(r.top() + TITLE).contains(p);
        if let Some(i) = self.frames().position(title) {
            return Some(Hit::Frame(i as u32));
        }
        let near = NEAR / lens.zoom;
        let mut best = (near, None);
        for (i, (bounds, line)) in self.lines.iter().enumerate() {
            if !bounds.expand(near).contains(p) {
                continue;
            }
            for pair in line.windows(2) {
                let away = distance(p, pair[0], pair[1]);
                if away < best.0 {
                    best = (away, Some(Hit::Edge(i as u32)));
                }
            }
        }
        best.1
    }

    /// The node that a step along the edges leads to.
    #[must_use]
    pub fn step(&self, node: u32, step: Step, direction: Direction) -> Option<u32> {
        let edges = self.picture.drawn.edges.iter().filter(|e| e.from != e.to);
        let cost = |kind: EdgeKind| match kind {
            EdgeKind::Calls(e) => self.picture.graph.edges[e as usize].total.unwrap_or(0),
            EdgeKind::Elided(_) => -1,
        };
        let (across, along) = match direction {
            Direction::Down => ((|p: Pos2| p.x) as fn(Pos2) -> f32, (|p: Pos2| p.y) as fn(Pos2) -> f32),
            Direction::Right => ((|p: Pos2| p.y) as fn(Pos2) -> f32, (|p: Pos2| p.x) as fn(Pos2) -> f32),
        };
        let here = self.goal(node);
        let beside = |after: bool| {
            let same = (0..self.len()).filter(|&i| (along(self.goal(i)) - along(here)).abs() < 1.0);
            let away = |i: u32| across(self.goal(i)) - across(here);
            same.filter(|&i| if after { away(i) > 0.0 } else { away(i) < 0.0 })
                .min_by(|&a, &b| away(a).abs().total_cmp(&away(b).abs()))
        };
        match step {
            Step::Caller => edges.filter(|e| e.to == node).max_by_key(|e| cost(e.kind)).map(|e| e.from),
            Step::Callee => edges.filter(|e| e.from == node).max_by_key(|e| cost(e.kind)).map(|e| e.to),
            Step::Before => beside(false),
            Step::After => beside(true),
        }
    }
}

/// A curve as a line, and the rectangle around it.
pub(super) fn flattened(curve: &[Point]) -> (Rect, Vec<Pos2>) {
    let mut line: Vec<Pos2> = curve.first().map(|p| pos2(p.x, p.y)).into_iter().collect();
    for piece in curve.windows(4).step_by(3) {
        let [a, b, c, d] = [piece[0], piece[1], piece[2], piece[3]].map(|p| pos2(p.x, p.y));
        let straight = [b, c, d].iter().all(|p| (p.x - a.x).abs() < 0.5);
        let length = (b - a).length() + (c - b).length() + (d - c).length();
        let pieces = if straight { 1 } else { (length / PIECE).ceil().clamp(6.0, PIECES) as usize };
        line.extend((1..=pieces).map(|i| {
            let t = i as f32 / pieces as f32;
            let u = 1.0 - t;
            let v = a.to_vec2() * (u * u * u)
                + b.to_vec2() * (3.0 * u * u * t)
                + c.to_vec2() * (3.0 * u * t * t)
                + d.to_vec2() * (t * t * t);
            v.to_pos2()
        }));
    }
    (Rect::from_points(&line), line)
}

/// Distance of a point from a piece of a line.
pub(super) fn distance(p: Pos2, a: Pos2, b: Pos2) -> f32 {
    let along = b - a;
    let length = along.length_sq();
    let t = if length > 0.0 { ((p - a).dot(along) / length).clamp(0.0, 1.0) } else { 0.0 };
    (a + along * t - p).length()
}
