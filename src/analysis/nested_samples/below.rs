//! Where in the call tree samples are that fall on spans.

use rustc_hash::FxHashMap;

use super::pieces;
use crate::analysis::call_tree::{Growing, NO_NODE};
use crate::analysis::path::{PathMapper, PathState};
use crate::jobs::{Cancelled, Job};
use crate::model::{NO_ROW, Profile, StackId, TrackId};

/// Puts samples below the spans that they fall on.
pub(in crate::analysis) struct Below<'a> {
    profile: &'a Profile,
    mapper: &'a PathMapper<'a>,
    growing: &'a mut Growing,
    /// Where stacks are that were put below a node (without transforms) or a span.
    known: FxHashMap<(u32, StackId), (PathState, u32)>,
}

impl<'a> Below<'a> {
    pub fn new(profile: &'a Profile, mapper: &'a PathMapper<'a>, growing: &'a mut Growing) -> Self {
        Self { profile, mapper, growing, known: FxHashMap::default() }
    }

    /// The node of each piece of a track; `spans` are the nodes of its rows.
    pub fn map(
        &mut self,
        id: TrackId,
        spans: &[u32],
        reached: &FxHashMap<(TrackId, u32), (PathState, u32)>,
        job: &Job,
    ) -> Result<Vec<u32>, Cancelled> {
        let track = self.profile.track(id);
        let root = (self.mapper.root(), NO_NODE);
        let mut nodes = Vec::new();
        for piece in pieces(self.profile, id) {
            if nodes.len() % 65_536 == 0 {
                job.checkpoint(u64::from(piece.sample), track.samples.len() as u64)?;
            }
            let Some(stack) = track.samples.stacks[piece.sample as usize] else {
                nodes.push(NO_NODE);
                continue;
            };
            let (anchor, above) = match piece.row {
                NO_ROW => (NO_NODE, root.clone()),
                row if self.mapper.is_plain() => {
                    let node = spans.get(row as usize).copied().unwrap_or(NO_NODE);
                    (node, (root.0.clone(), node))
                }
                row => {
                    let above = reached.get(&(id, row)).cloned();
                    (row, above.unwrap_or_else(|| (self.mapper.dead(), NO_NODE)))
                }
            };
            nodes.push(self.node(anchor, above, stack));
        }
        Ok(nodes)
    }

    fn node(&mut self, anchor: u32, above: (PathState, u32), stack: StackId) -> u32 {
        let stacks = &self.profile.stacks;
        let mut new = Vec::new();
        let mut at = Some(stack);
        let mut found = None;
        while let (Some(stack), None) = (at, &found) {
            found = self.known.get(&(anchor, stack)).cloned();
            if found.is_none() {
                new.push(stack);
                at = stacks.get(stack).parent;
            }
        }
        let (mut state, mut node) = found.unwrap_or(above);
        for stack in new.into_iter().rev() {
            let function = self.profile.frames.get(stacks.get(stack).frame).function;
            let (next, symbol) = self.mapper.step(&state, function);
            node = symbol.map_or(node, |symbol| self.growing.child(node, symbol));
            self.growing.note(node, &next, function);
            state = next;
            self.known.insert((anchor, stack), (state.clone(), node));
        }
        if state.alive { node } else { NO_NODE }
    }
}
