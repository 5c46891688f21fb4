//! Functions, frames and stacks: who did the work.
//!
//! function ≠ frame ≠ stack. A function is what people compare between runs; a frame adds the line; a
//! stack is a frame on top of a parent stack. A parent always precedes its child in [`Stacks`], so
//! whole-table passes need no recursion, however deep the stack.

use std::hash::{BuildHasher, BuildHasherDefault};

use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::ids::{FrameId, FunctionId, StackId, StringId};

/// What makes a function the same function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// Name as the tool wrote it.
    pub name: StringId,
    /// Module, library, object or package; empty when unknown.
    pub module: StringId,
    /// Source file; empty when unknown.
    pub file: StringId,
    /// First line of the function, 1-based; 0 when unknown.
    pub line: u32,
    /// The format's own category («cpu_op», «kernel», «builtin»); empty when it has none.
    pub category: StringId,
}

/// A function at a source line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The function.
    pub function: FunctionId,
    /// The line being run, 1-based; 0 when unknown.
    pub line: u32,
}

/// A frame and its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    /// The caller's stack; `None` for a root.
    pub parent: Option<StackId>,
    /// The frame on top.
    pub frame: FrameId,
}

/// An append-only table whose rows are unique. The index holds only their numbers: a sampled program may have tens of
/// millions of stacks.
#[derive(Clone, Debug)]
pub struct Unique<T> {
    rows: Vec<T>,
    index: HashTable<u32>,
}

impl<T> Default for Unique<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), index: HashTable::new() }
    }
}

/// The hash of a row of numbers.
pub(crate) fn row_hash(row: &impl std::hash::Hash) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(row)
}

impl<T: Copy + Eq + std::hash::Hash> Unique<T> {
    fn add(&mut self, row: T) -> u32 {
        let Self { rows, index } = self;
        let hashed = row_hash(&row);
        if let Some(&id) = index.find(hashed, |&id| rows[id as usize] == row) {
            return id;
        }
        let id = rows.len() as u32;
        rows.push(row);
        index.insert_unique(hashed, id, |&id| row_hash(&rows[id as usize]));
        id
    }

    /// All rows in id order.
    #[must_use]
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn find(&self, row: &T) -> Option<u32> {
        self.index.find(row_hash(row), |&id| self.rows[id as usize] == *row).copied()
    }
}

/// All functions.
pub type Functions = Unique<Function>;
/// All frames.
pub type Frames = Unique<Frame>;

/// Finds children in a tree that is a list of rows with their parents' numbers, each child of a parent once.
///
/// Most calls have one callee that was met first, right after them: its row follows its parent's and is found there. Only the
/// other rows are in a table, which so has about as many entries as the tree has branches. Of tens of millions of stacks
/// that leaves most of memory alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChildIndex(HashTable<u32>);

impl ChildIndex {
    /// The row, of `rows` in all, that `is_it` of the children of `parent`. Where there is none, it is noted that the caller adds
    /// it as the next row.
    pub fn find_or_note(
        &mut self,
        parent: Option<u32>,
        rows: usize,
        is_it: impl Fn(u32) -> bool,
        hashed: u64,
        hash: impl Fn(u32) -> u64,
    ) -> Option<u32> {
        if let Some(after) = parent.map(|parent| parent.saturating_add(1)) {
            if after as usize == rows {
                return None;
            }
            if is_it(after) {
                return Some(after);
            }
        }
        if let Some(&row) = self.0.find(hashed, |&row| is_it(row)) {
            return Some(row);
        }
        self.0.insert_unique(hashed, rows as u32, |&row| hash(row));
        None
    }
}

/// All stacks, each once; a parent precedes its children.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    rows: Vec<Stack>,
    index: ChildIndex,
}

impl Functions {
    pub(crate) fn intern(&mut self, row: Function) -> FunctionId {
        FunctionId(self.add(row))
    }

    /// The function with id `id`.
    #[must_use]
    pub fn get(&self, id: FunctionId) -> Function {
        self.rows[id.index()]
    }

    /// The id of a function with exactly these parts.
    #[must_use]
    pub fn id_of(&self, row: &Function) -> Option<FunctionId> {
        self.find(row).map(FunctionId)
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = FunctionId> + use<> {
        (0..self.rows.len() as u32).map(FunctionId)
    }
}

impl Frames {
    pub(crate) fn intern(&mut self, row: Frame) -> FrameId {
        FrameId(self.add(row))
    }

    /// The frame with id `id`.
    #[must_use]
    pub fn get(&self, id: FrameId) -> Frame {
        self.rows[id.index()]
    }
}

impl Stacks {
    pub(crate) fn intern(&mut self, row: Stack) -> StackId {
        let Self { rows, index } = self;
        let is_it = |id: u32| rows.get(id as usize) == Some(&row);
        let hash = |id: u32| row_hash(&rows[id as usize]);
        let found = index.find_or_note(row.parent.map(|p| p.0), rows.len(), is_it, row_hash(&row), hash);
        StackId(found.unwrap_or_else(|| {
            rows.push(row);
            rows.len() as u32 - 1
        }))
    }

    /// All rows in id order.
    #[must_use]
    pub fn rows(&self) -> &[Stack] {
        &self.rows
    }

    /// Number of stacks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The stack with id `id`.
    #[must_use]
    pub fn get(&self, id: StackId) -> Stack {
        self.rows[id.index()]
    }

    /// The stacks from `id` down to its root, leaf first.
    pub fn walk(&self, id: StackId) -> impl Iterator<Item = StackId> + '_ {
        std::iter::successors(Some(id), |&id| self.get(id).parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_kept_once_wherever_its_parent_stands() {
        let mut stacks = Stacks::default();
        let mut known = rustc_hash::FxHashMap::default();
        let mut random = 7u32;
        for _ in 0..2000 {
            let mut stack = None;
            for _ in 0..random % 9 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let row = Stack { parent: stack, frame: FrameId(random >> 30) };
                let id = stacks.intern(row);
                assert_eq!(stacks.get(id), row);
                assert_eq!(*known.entry(row).or_insert(id), id, "one id for one stack");
                stack = Some(id);
            }
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        }
        assert_eq!(stacks.len(), known.len());
    }
}
