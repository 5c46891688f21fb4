//! The way from a node of the call tree to its ancestors, in few steps however deep the tree is.

use std::sync::Arc;

use crate::analysis::call_tree::{CallTree, NO_NODE};

/// The call tree with a way up that skips most ancestors.
#[derive(Clone, Debug)]
pub(super) struct Lift {
    pub tree: Arc<CallTree>,
    /// For each node an ancestor, so that any is reached in logarithmically many steps.
    jump: Vec<u32>,
}

impl Lift {
    pub fn new(tree: Arc<CallTree>) -> Self {
        let mut jump: Vec<u32> = Vec::with_capacity(tree.nodes.len());
        let depth = |node: u32| tree.nodes[node as usize].depth;
        for (node, of) in (0u32..).zip(&tree.nodes) {
            jump.push(if of.parent == NO_NODE {
                node
            } else {
                let first = jump[of.parent as usize];
                let second = jump[first as usize];
                // As long a jump as the one below it: then both are taken at once.
                let same = depth(of.parent) - depth(first) == depth(first) - depth(second);
                if same { second } else { of.parent }
            });
        }
        Self { tree, jump }
    }

    /// Frames of a path; 0 for no node.
    pub fn frames(&self, node: u32) -> u32 {
        self.tree.nodes.get(node as usize).map_or(0, |n| n.depth + 1)
    }

    /// The node of depth `depth` at or above `node`, which is as deep.
    pub fn ancestor(&self, mut node: u32, depth: u32) -> u32 {
        let nodes = &self.tree.nodes;
        while nodes[node as usize].depth > depth {
            let jump = self.jump[node as usize];
            node = if nodes[jump as usize].depth >= depth { jump } else { nodes[node as usize].parent };
        }
        node
    }

    /// How many frames at the root two paths share.
    pub fn shared(&self, a: u32, b: u32) -> u32 {
        let least = self.frames(a).min(self.frames(b));
        let Some(depth) = least.checked_sub(1) else { return 0 };
        let (mut a, mut b) = (self.ancestor(a, depth), self.ancestor(b, depth));
        while a != b {
            let nodes = &self.tree.nodes;
            if nodes[a as usize].depth == 0 {
                return 0;
            }
            let (x, y) = (self.jump[a as usize], self.jump[b as usize]);
            (a, b) = if x == y { (nodes[a as usize].parent, nodes[b as usize].parent) } else { (x, y) };
        }
        self.frames(a)
    }

    pub fn bytes(&self) -> usize {
        self.jump.len() * 4
    }
}
