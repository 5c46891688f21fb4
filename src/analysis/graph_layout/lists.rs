//! Short lists of many nodes, stored end to end.

/// For each of `n` nodes a list.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists<T> {
    start: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy + Default> Lists<T> {
    /// The lists of `n` nodes, from (node, item) in any order; items of a node keep theirs.
    pub(super) fn new(n: usize, pairs: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        let mut start = vec![0u32; n + 1];
        pairs.clone().for_each(|(v, _)| start[v as usize + 1] += 1);
        for v in 0..n {
            start[v + 1] += start[v];
        }
        let mut next = start.clone();
        let mut items = vec![T::default(); start[n] as usize];
        for (v, item) in pairs {
            let at = &mut next[v as usize];
            items[*at as usize] = item;
            *at += 1;
        }
        Self { start, items }
    }

    /// The list of a node.
    pub(super) fn of(&self, v: u32) -> &[T] {
        &self.items[self.start[v as usize] as usize..self.start[v as usize + 1] as usize]
    }
}
