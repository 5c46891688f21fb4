//! The drawing of a call graph: which nodes, and where they stand. Computed in the background.

use std::sync::Arc;

use super::call_graph::{Calling, Graph};
use super::folding::{Folded, Folding, Folds, NodeKey};
use super::graph_layout::{self, Direction, Drawing, Placed};
use super::path::SymbolName;
use super::prune::{EdgeKind, Limits, Pruned, prune};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile};
use crate::query::{Context, Query};

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

    /// Height of a node, in points.
    #[must_use]
    pub fn height(self) -> f32 {
        f32::from(self.height) / 10.0
    }

    /// Width of a node of this name.
    fn width(self, name: &str) -> f32 {
        let characters = name.chars().take(Self::LONGEST).count() as f32;
        let [least, most, character, beside] =
            [self.widths.0, self.widths.1, self.character, self.beside].map(|n| f32::from(n) / 10.0);
        (characters * character + beside).clamp(least, most)
    }

    /// Width of a frame's title, about: the name, up to a length, and a share.
    fn title(self, name: &str) -> f32 {
        (name.chars().count() as f32 + 15.0).min(44.0) * f32::from(self.character) / 10.0
    }
}

/// A finished drawing.
#[derive(Debug)]
pub struct Picture {
    /// The graph that is drawn.
    pub graph: Arc<Graph>,
    /// What its nodes stand for.
    pub folded: Arc<Folded>,
    /// What of it.
    pub drawn: Pruned,
    /// Width of each node.
    pub widths: Vec<f32>,
    /// Where it stands; nodes and edges as in `drawn`.
    pub placed: Placed,
}

/// Where a node was before: its key and its place across the direction of calls.
pub type Seed = (NodeKey, i32);

/// Draws a graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GraphPicture {
    /// Which graph.
    pub calling: Calling,
    /// What of it is folded.
    pub folding: Folding,
    /// What of it.
    pub limits: Limits,
    /// Which way calls lead.
    pub direction: Direction,
    /// How large nodes are.
    pub sizes: NodeSizes,
    /// Where nodes were in the picture before, by key: they keep their order.
    pub seed: Arc<Vec<Seed>>,
}

impl Query for GraphPicture {
    type Output = Picture;

    fn run(&self, cx: &Context<'_>) -> Result<Picture, Cancelled> {
        let folds = Folds { calling: self.calling.clone(), folding: self.folding.clone() };
        let folded = cx.get(&folds)?;
        let graph = folded.graph.clone();
        cx.job().checkpoint(0, 0)?;
        let middle = self.calling.middle(cx.profile()).and_then(|f| folded.find(f, cx.profile()));
        let drawn = prune(&graph, middle, self.limits);
        let widths: Vec<f32> =
            drawn.nodes.iter().map(|n| self.sizes.width(&folded.label(n.row, cx.profile()))).collect();
        let weight = |kind: EdgeKind| match kind {
            EdgeKind::Calls(e) => {
                let total = graph.edges[e as usize].total.unwrap_or(0);
                1 + (total.saturating_mul(4) / graph.sum.max(1)).clamp(0, 3) as u8
            }
            EdgeKind::Elided(_) => 1,
        };
        let drawing = Drawing {
            nodes: widths.iter().map(|&w| (w, self.sizes.height())).collect(),
            edges: drawn.edges.iter().map(|e| (e.from, e.to, weight(e.kind))).collect(),
            seed: (!self.seed.is_empty()).then(|| {
                drawn.nodes.iter().map(|n| self.place_before(&folded, n.row, cx.profile())).collect()
            }),
            direction: self.direction,
            inside: drawn.nodes.iter().map(|n| folded.inside[n.row as usize]).collect(),
            titles: folded.groups.iter().map(|g| self.sizes.title(&g.label())).collect(),
        };
        let placed = graph_layout::draw(&drawing, &|| cx.job().checkpoint(0, 0))?;
        Ok(Picture { graph, folded, drawn, widths, placed })
    }

    fn weight(picture: &Picture) -> usize {
        let points: usize = picture.placed.edges.iter().map(Vec::len).sum();
        picture.drawn.nodes.len() * 64 + picture.drawn.edges.len() * 64 + points * 8
    }
}

impl GraphPicture {
    /// Where a node was in the picture before; what was folded or opened since stands where its group, or its
    /// functions, stood.
    fn place_before(&self, folded: &Folded, row: u32, profile: &Profile) -> Option<f32> {
        let place =
            |key: NodeKey| self.seed.binary_search_by_key(&key, |s| s.0).ok().map(|i| self.seed[i].1 as f32);
        let mean =
            |places: Vec<f32>| (!places.is_empty()).then(|| places.iter().sum::<f32>() / places.len() as f32);
        let function =
            |f: &FunctionId| place(NodeKey::Symbol(SymbolName::Function(profile.keys().symbol(*f))));
        place(folded.key(row, profile)).or_else(|| match folded.group(row) {
            Some(group) => mean(group.members.iter().filter_map(function).collect()),
            None => place(folded.around(row)?.key(profile)?),
        })
    }
}

impl Picture {
    /// Where everything stands now, to begin the next picture with.
    #[must_use]
    pub fn seed(&self, direction: Direction, profile: &Profile) -> Arc<Vec<Seed>> {
        let across = |i: usize| match direction {
            Direction::Down => self.placed.nodes[i].x,
            Direction::Right => self.placed.nodes[i].y,
        };
        let mut seed: Vec<Seed> = self
            .drawn
            .nodes
            .iter()
            .enumerate()
            .map(|(i, n)| (self.folded.key(n.row, profile), across(i) as i32))
            .collect();
        seed.sort_unstable();
        Arc::new(seed)
    }
}
