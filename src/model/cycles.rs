//! Cycles of calls: strongly connected components by Tarjan's algorithm, without recursion.

use super::lists::Lists;

/// The component of each of `nodes` nodes; components are numbered so that every edge between two of
/// them leads from the higher to the lower number. `edges` are pairs of nodes, in any order.
#[must_use]
pub fn components(nodes: usize, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Components {
    const UNSEEN: u32 = u32::MAX;
    let next = Lists::new(nodes, edges);
    let mut order = vec![UNSEEN; nodes];
    let mut low = vec![0u32; nodes];
    let mut of = vec![UNSEEN; nodes];
    let mut stack: Vec<u32> = Vec::new();
    // Nodes that are being visited, with how many of their edges are done.
    let mut open: Vec<(u32, usize)> = Vec::new();
    let (mut seen, mut count) = (0, 0);
    for root in 0..nodes {
        if order[root] != UNSEEN {
            continue;
        }
        open.push((root as u32, 0));
        while let Some((node, done)) = open.last_mut() {
            let at = *node as usize;
            if *done == 0 && order[at] == UNSEEN {
                (order[at], low[at]) = (seen, seen);
                seen += 1;
                stack.push(*node);
            }
            if let Some(&to) = next.of(at).get(*done) {
                *done += 1;
                let to_at = to as usize;
                if order[to_at] == UNSEEN {
                    open.push((to, 0));
                } else if of[to_at] == UNSEEN {
                    low[at] = low[at].min(order[to_at]);
                }
                continue;
            }
            open.pop();
            if let Some((above, _)) = open.last() {
                low[*above as usize] = low[*above as usize].min(low[at]);
            }
            if low[at] == order[at] {
                while let Some(member) = stack.pop() {
                    of[member as usize] = count;
                    if member as usize == at {
                        break;
                    }
                }
                count += 1;
            }
        }
    }
    Components { of, count: count as usize }
}

/// Which component each node belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    /// Number of the component, by node.
    pub of: Vec<u32>,
    /// How many there are.
    pub count: usize,
}

impl Components {
    /// Nodes of each component, ascending.
    #[must_use]
    pub fn members(&self) -> Lists<u32> {
        Lists::by(self.count, self.of.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(nodes: usize, edges: &[(u32, u32)]) -> Components {
        components(nodes, edges.iter().copied())
    }

    #[test]
    fn cycles_are_found_and_come_callees_first() {
        let found = of(6, &[(0, 1), (1, 2), (2, 1), (2, 3), (3, 4), (4, 3), (0, 5), (5, 5)]);
        assert_eq!(found.of[1], found.of[2]);
        assert_eq!(found.of[3], found.of[4]);
        assert_eq!(found.count, 4);
        assert!(found.of[0] > found.of[1] && found.of[1] > found.of[3]);
        assert_eq!(of(0, &[]).count, 0);
    }

    #[test]
    fn a_chain_of_a_million_calls_is_no_recursion_here() {
        let n = 1_000_000u32;
        let mut edges: Vec<(u32, u32)> = (1..n).map(|i| (i - 1, i)).collect();
        assert_eq!(of(n as usize, &edges).count, n as usize);
        edges.push((n - 1, 0));
        assert_eq!(of(n as usize, &edges).count, 1);
    }

    proptest! {
        #[test]
        fn two_nodes_share_a_component_when_each_reaches_the_other(
            edges in proptest::collection::vec((0u32..8, 0u32..8), 0..24),
        ) {
            let found = of(8, &edges);
            let mut reach: std::collections::HashSet<(usize, usize)> = (0..8).map(|i| (i, i)).collect();
            for _ in 0..8 {
                for &(a, b) in &edges {
                    let more: Vec<_> =
                        (0..8).filter(|&from| reach.contains(&(from, a as usize))).collect();
                    reach.extend(more.into_iter().map(|from| (from, b as usize)));
                }
            }
            for (a, b) in (0..64).map(|i| (i / 8, i % 8)) {
                let (there, back) = (reach.contains(&(a, b)), reach.contains(&(b, a)));
                prop_assert_eq!(found.of[a] == found.of[b], there && back);
                prop_assert!(!there || found.of[a] >= found.of[b]);
            }
        }
    }
}
