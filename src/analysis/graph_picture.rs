//! The drawing of a call graph: which nodes, and where they stand. Computed in the background.

use std::sync::Arc;

use super::call_graph::{Calling, Graph};
use super::drawn::{Drawn, DrawnNode, EdgeKind, NodeSizes};
use super::folding::{Folded, Folding, Folds, NodeKey};
use super::graph_layout::{Direction, Drawing, Point};
use super::path::SymbolName;
use super::prune::{Limits, prune};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile};
use crate::query::{Context, Query};

/// A finished drawing.
#[derive(Debug)]
pub struct Picture {
    /// The graph that is drawn.
    pub graph: Arc<Graph>,
    /// What its nodes stand for.
    pub folded: Arc<Folded>,
    /// What of it, and where it stands.
    pub drawn: Drawn,
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
        let mut drawn = prune(&graph, middle, self.limits);
        for node in &mut drawn.nodes {
            node.size = self.sizes.of(&folded.label(node.row, cx.profile()));
        }
        let weight = |kind: EdgeKind| match kind {
            EdgeKind::Calls(e) => {
                let total = graph.edges[e as usize].total.unwrap_or(0);
                1 + (total.saturating_mul(4) / graph.whole.total.max(1)).clamp(0, 3) as u8
            }
            EdgeKind::Elided(_) => 1,
        };
        let wishes = Drawing {
            seed: (!self.seed.is_empty()).then(|| {
                drawn.nodes.iter().map(|n| self.place_before(&folded, n.row, cx.profile())).collect()
            }),
            direction: self.direction,
            inside: drawn.nodes.iter().map(|n| folded.inside[n.row as usize]).collect(),
            titles: folded.groups.iter().map(|g| self.sizes.title(&g.label())).collect(),
            ..Drawing::default()
        };
        drawn.lay(wishes, weight, &|| cx.job().checkpoint(0, 0))?;
        Ok(Picture { graph, folded, drawn })
    }

    fn weight(picture: &Picture) -> usize {
        picture.drawn.weight()
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
        let across = |at: Point| match direction {
            Direction::Down => at.x,
            Direction::Right => at.y,
        };
        let place = |n: &DrawnNode| (self.folded.key(n.row, profile), across(n.at) as i32);
        let mut seed: Vec<Seed> = self.drawn.nodes.iter().map(place).collect();
        seed.sort_unstable();
        Arc::new(seed)
    }
}
