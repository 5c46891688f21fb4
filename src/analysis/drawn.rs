//! What is drawn of a graph, of one run or of two: one row for each node and each edge, from the choice
//! ([`super::prune`]) to the place on the screen ([`super::graph_layout`]).

use super::graph_layout::{Checkpoint, Drawing, Frame, Point, draw};
use crate::jobs::Cancelled;

/// A node that is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DrawnNode {
    /// Row in the graph's nodes.
    pub row: u32,
    /// Direct callers that are left out.
    pub more_callers: u32,
    /// Direct callees that are left out.
    pub more_callees: u32,
    /// Width and height.
    pub size: (f32, f32),
    /// Its centre.
    pub at: Point,
}

/// An edge that is drawn; ends are places in [`Drawn::nodes`].
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnEdge {
    /// Caller.
    pub from: u32,
    /// Callee.
    pub to: u32,
    /// What it is.
    pub kind: EdgeKind,
    /// Cubic curves end to end: 3 n + 1 points, from caller to callee.
    pub curve: Vec<Point>,
}

impl DrawnEdge {
    /// An edge that has no place yet.
    #[must_use]
    pub fn new(from: u32, to: u32, kind: EdgeKind) -> Self {
        Self { from, to, kind, curve: Vec::new() }
    }
}

/// What an edge stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// Calls: row in the graph's edges.
    Calls(u32),
    /// Paths through this many functions that are left out, at least.
    Elided(u32),
}

/// What is drawn of a graph. The upper left corner is at (0, 0).
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// The nodes; the function in the middle first, then by cost.
    pub nodes: Vec<DrawnNode>,
    /// The edges.
    pub edges: Vec<DrawnEdge>,
    /// True when there were more nodes than are drawn at most.
    pub cut: bool,
    /// Frames around groups of nodes.
    pub frames: Vec<Frame>,
    /// Extent.
    pub width: f32,
    /// Extent.
    pub height: f32,
}

impl Drawn {
    /// Gives everything its place. `wishes` says how; its nodes and edges are taken from here, each edge as straight as
    /// `weight` says.
    ///
    /// # Errors
    /// When `checkpoint` says so.
    pub fn lay(
        &mut self,
        wishes: Drawing,
        weight: impl Fn(EdgeKind) -> u8,
        checkpoint: Checkpoint<'_>,
    ) -> Result<(), Cancelled> {
        let nodes = self.nodes.iter().map(|n| n.size).collect();
        let edges = self.edges.iter().map(|e| (e.from, e.to, weight(e.kind))).collect();
        let placed = draw(&Drawing { nodes, edges, ..wishes }, checkpoint)?;
        self.nodes.iter_mut().zip(placed.nodes).for_each(|(node, at)| node.at = at);
        self.edges.iter_mut().zip(placed.edges).for_each(|(edge, curve)| edge.curve = curve);
        (self.frames, self.width, self.height) = (placed.frames, placed.width, placed.height);
        Ok(())
    }

    /// Bytes that it holds, roughly.
    #[must_use]
    pub fn weight(&self) -> usize {
        let points: usize = self.edges.iter().map(|e| e.curve.len()).sum();
        self.nodes.len() * size_of::<DrawnNode>()
            + self.edges.len() * size_of::<DrawnEdge>()
            + points * size_of::<Point>()
    }
}

/// How large nodes are drawn: said by who draws them, in tenths of points at zoom 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeSizes {
    /// Height.
    pub height: u16,
    /// Least and largest width.
    pub widths: (u16, u16),
    /// Width of a character of a name, about.
    pub character: u16,
    /// Width of what stands beside the name.
    pub beside: u16,
}

impl NodeSizes {
    /// Longest name that is shown, in characters.
    const LONGEST: usize = 64;

    /// Width and height of a node of this name, in points.
    pub(super) fn of(self, name: &str) -> (f32, f32) {
        let characters = name.chars().take(Self::LONGEST).count() as f32;
        let [least, most, character, beside] =
            [self.widths.0, self.widths.1, self.character, self.beside].map(|n| f32::from(n) / 10.0);
        ((characters * character + beside).clamp(least, most), f32::from(self.height) / 10.0)
    }

    /// Width of a frame's title, about: the name, up to a length, and a share.
    pub(super) fn title(self, name: &str) -> f32 {
        (name.chars().count() as f32 + 15.0).min(44.0) * f32::from(self.character) / 10.0
    }
}
