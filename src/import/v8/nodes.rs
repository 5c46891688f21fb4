//! The tree of calls: a list of nodes that name each other, or nodes inside nodes.

use rustc_hash::FxHashMap;

use super::super::ImportError;
use super::super::read::json::Json;
use crate::model::{FrameId, FunctionSpec, ProfileBuilder, StackId};

/// One node.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    id: Option<i64>,
    /// Row of the node around it, or what `parent` says.
    parent: Option<Parent>,
    name: String,
    file: String,
    /// From 0; negative when unknown.
    line: i64,
    /// Samples that ended here.
    pub hits: i64,
    /// Live bytes that were allocated here.
    pub size: i64,
}

#[derive(Clone, Copy, Debug)]
enum Parent {
    Row(usize),
    Id(i64),
}

/// All nodes.
#[derive(Default)]
pub(super) struct Nodes {
    pub rows: Vec<Node>,
    /// Children by number, with the row of their parent.
    children: Vec<(i64, usize)>,
}

impl Nodes {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// `nodes: […]`.
    pub fn read_list(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if json.enter_array()? {
            while json.next_item()? {
                self.read_tree(json)?;
            }
        }
        Ok(())
    }

    /// A node, and the nodes in it. No recursion: they may be nested as deep as the file is long.
    pub fn read_tree(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        self.rows.push(Node { line: -1, ..Node::default() });
        // Rows of the open nodes; true while their list of children is open.
        let mut open = vec![(self.rows.len() - 1, false)];
        while let Some((row, in_list)) = open.last_mut() {
            let row = *row;
            if *in_list {
                if !json.next_item()? {
                    *in_list = false;
                } else if json.peek()? != b'{' {
                    self.children.extend(json.integer()?.map(|id| (id, row)));
                } else if json.enter_object()? {
                    self.rows.push(Node { line: -1, parent: Some(Parent::Row(row)), ..Node::default() });
                    open.push((self.rows.len() - 1, false));
                }
            } else if !json.next_key()? {
                open.pop();
            } else if json.key() == b"children" {
                *in_list = json.enter_array()?;
            } else {
                self.rows[row].field(json)?;
            }
        }
        Ok(())
    }
}

impl Node {
    fn field(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        match json.key() {
            b"callFrame" => {
                if json.enter_object()? {
                    while json.next_key()? {
                        self.frame_field(json)?;
                    }
                }
            }
            b"id" => self.id = json.integer()?,
            b"parent" => self.parent = json.integer()?.map(Parent::Id).or(self.parent),
            b"hitCount" => self.hits = json.integer()?.unwrap_or(0),
            b"selfSize" => self.size = json.integer()?.unwrap_or(0),
            _ => self.frame_field(json)?,
        }
        Ok(())
    }

    /// Fields of the call frame, which stand in the node itself in old files.
    fn frame_field(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        match json.key() {
            b"functionName" => json.string_into(&mut self.name),
            b"url" => json.string_into(&mut self.file),
            b"lineNumber" => {
                self.line = json.integer()?.unwrap_or(-1);
                Ok(())
            }
            _ => json.skip(),
        }
    }

    fn is_root(&self) -> bool {
        self.name == "(root)" && self.parent.is_none()
    }
}

/// Stacks of nodes, made when they are asked for.
pub(super) struct Stacks {
    by_id: FxHashMap<i64, usize>,
    parents: Vec<Option<usize>>,
    frames: Vec<Option<FrameId>>,
    stacks: Vec<Option<Option<StackId>>>,
}

impl Stacks {
    /// Joins the nodes.
    ///
    /// # Errors
    /// When a node is below itself.
    pub fn new(nodes: &Nodes, with_root: bool, builder: &mut ProfileBuilder) -> Result<Self, ImportError> {
        let rows = &nodes.rows;
        let by_id: FxHashMap<i64, usize> =
            rows.iter().enumerate().rev().filter_map(|(row, n)| Some((n.id?, row))).collect();
        let mut parents: Vec<Option<usize>> = rows
            .iter()
            .map(|n| match n.parent? {
                Parent::Row(row) => Some(row),
                Parent::Id(id) => by_id.get(&id).copied(),
            })
            .collect();
        for (id, parent) in &nodes.children {
            match by_id.get(id) {
                Some(&row) => parents[row] = Some(*parent),
                None => builder.warn("child that is no node (left out)", &format!("node {id}")),
            }
        }
        check(&parents)?;
        let mut frames = Vec::with_capacity(rows.len());
        for (row, node) in rows.iter().enumerate() {
            if !with_root && parents[row].is_none() && node.is_root() {
                frames.push(None);
                continue;
            }
            let name = if node.name.is_empty() { "(anonymous)" } else { &node.name };
            let line = u32::try_from(node.line.saturating_add(1)).unwrap_or(0);
            let function =
                builder.function(FunctionSpec { name, file: &node.file, line, ..FunctionSpec::default() });
            frames.push(Some(builder.frame(function, 0)));
        }
        let stacks = vec![None; rows.len()];
        Ok(Self { by_id, parents, frames, stacks })
    }

    /// The stack that ends in a node; `Err` when there is no such node.
    pub fn of_id(&mut self, id: i64, builder: &mut ProfileBuilder) -> Result<Option<StackId>, ()> {
        let row = *self.by_id.get(&id).ok_or(())?;
        Ok(self.of_row(row, builder))
    }

    /// The stack that ends in a row.
    pub fn of_row(&mut self, row: usize, builder: &mut ProfileBuilder) -> Option<StackId> {
        let mut path = Vec::new();
        let mut at = Some(row);
        let mut stack = None;
        while let Some(row) = at {
            if let Some(known) = self.stacks[row] {
                stack = known;
                break;
            }
            path.push(row);
            at = self.parents[row];
        }
        for row in path.into_iter().rev() {
            if let Some(frame) = self.frames[row] {
                stack = Some(builder.stack(stack, frame));
            }
            self.stacks[row] = Some(stack);
        }
        stack
    }
}

/// No node may be below itself.
fn check(parents: &[Option<usize>]) -> Result<(), ImportError> {
    let mut seen = vec![0u32; parents.len()];
    for start in 0..parents.len() {
        let mut at = Some(start);
        while let Some(row) = at {
            if seen[row] != 0 {
                if seen[row] == start as u32 + 1 {
                    return Err(ImportError::malformed(format!(
                        "holds a node that is below itself (node {row})"
                    )));
                }
                break;
            }
            seen[row] = start as u32 + 1;
            at = parents[row];
        }
    }
    Ok(())
}
