//! Which row each node stands in: all edges lead downwards, their lengths add up to as little as
//! possible (network simplex, after Gansner, Koutsofios, North and Vo, 1993).

use super::Checkpoint;
use crate::jobs::Cancelled;

/// An edge for ranking: it leads down by at least one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Down {
    pub from: u32,
    pub to: u32,
    pub weight: i32,
}

/// For each edge whether it closes a cycle and has to be turned round. Nodes that come first stay on
/// top.
pub(super) fn closing(nodes: usize, edges: &[(u32, u32)]) -> Vec<bool> {
    let mut out: Vec<Vec<u32>> = vec![vec![]; nodes];
    let mut incoming = vec![0u32; nodes];
    for (i, &(from, to)) in edges.iter().enumerate() {
        out[from as usize].push(i as u32);
        incoming[to as usize] += u32::from(from != to);
    }
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; nodes];
    let mut closing = vec![false; edges.len()];
    let mut open: Vec<(u32, usize)> = Vec::new();
    let roots = (0..nodes).filter(|&n| incoming[n] == 0).chain(0..nodes);
    for root in roots.collect::<Vec<_>>() {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        open.push((root as u32, 0));
        while let Some((node, done)) = open.last_mut() {
            let Some(&edge) = out[*node as usize].get(*done) else {
                marks[*node as usize] = Mark::Done;
                open.pop();
                continue;
            };
            *done += 1;
            let to = edges[edge as usize].1;
            match marks[to as usize] {
                Mark::New => {
                    marks[to as usize] = Mark::Open;
                    open.push((to, 0));
                }
                Mark::Open => closing[edge as usize] = true,
                Mark::Done => {}
            }
        }
    }
    closing
}

/// The row of each node, from 0. `edges` must be free of cycles and hold the nodes together.
pub(super) fn ranks(nodes: usize, edges: &[Down], checkpoint: Checkpoint<'_>) -> Result<Vec<i32>, Cancelled> {
    let mut simplex = Simplex::new(nodes, edges);
    simplex.longest_path();
    if nodes > 1 {
        simplex.span();
        // Each exchange of edges shortens the whole; the last ones of large graphs gain next to nothing.
        for round in 0..4 * nodes + 100 {
            if round % 64 == 0 {
                checkpoint()?;
            }
            simplex.measure();
            if !simplex.exchange() {
                break;
            }
        }
    }
    simplex.normalize();
    Ok(simplex.rank)
}

struct Simplex<'a> {
    edges: &'a [Down],
    rank: Vec<i32>,
    /// Edges at each node.
    at: Vec<Vec<u32>>,
    in_tree: Vec<bool>,
    /// Tree edge to the parent.
    parent: Vec<u32>,
    /// Postorder number, and the lowest one below.
    last: Vec<u32>,
    first: Vec<u32>,
    /// Nodes in postorder.
    order: Vec<u32>,
    /// Weight that leaves the subtree minus weight that comes in.
    net: Vec<i64>,
    /// Where the search for an edge to exchange goes on.
    next: usize,
}

const NONE: u32 = u32::MAX;

impl<'a> Simplex<'a> {
    fn new(nodes: usize, edges: &'a [Down]) -> Self {
        let mut at = vec![Vec::new(); nodes];
        for (i, e) in edges.iter().enumerate() {
            at[e.from as usize].push(i as u32);
            at[e.to as usize].push(i as u32);
        }
        Self {
            edges,
            rank: vec![0; nodes],
            at,
            in_tree: vec![false; edges.len()],
            parent: vec![NONE; nodes],
            last: vec![0; nodes],
            first: vec![0; nodes],
            order: Vec::with_capacity(nodes),
            net: vec![0; nodes],
            next: 0,
        }
    }

    fn longest_path(&mut self) {
        let n = self.rank.len();
        let mut waiting = vec![0u32; n];
        self.edges.iter().for_each(|e| waiting[e.to as usize] += 1);
        let mut ready: Vec<u32> = (0..n as u32).filter(|&v| waiting[v as usize] == 0).collect();
        while let Some(v) = ready.pop() {
            for &e in &self.at[v as usize] {
                let e = self.edges[e as usize];
                if e.from == v {
                    let to = e.to as usize;
                    self.rank[to] = self.rank[to].max(self.rank[v as usize] + 1);
                    waiting[to] -= 1;
                    if waiting[to] == 0 {
                        ready.push(e.to);
                    }
                }
            }
        }
    }

    fn slack(&self, e: u32) -> i32 {
        let e = self.edges[e as usize];
        self.rank[e.to as usize] - self.rank[e.from as usize] - 1
    }

    fn other(&self, e: u32, v: u32) -> u32 {
        let e = self.edges[e as usize];
        if e.from == v { e.to } else { e.from }
    }

    /// Grows a tree of edges of length one over all nodes.
    fn span(&mut self) {
        let mut inside = vec![false; self.rank.len()];
        let mut tree = vec![0u32];
        inside[0] = true;
        let mut next = 0;
        loop {
            while next < tree.len() {
                let v = tree[next];
                next += 1;
                for i in 0..self.at[v as usize].len() {
                    let e = self.at[v as usize][i];
                    let w = self.other(e, v);
                    if !inside[w as usize] && self.slack(e) == 0 {
                        inside[w as usize] = true;
                        self.in_tree[e as usize] = true;
                        tree.push(w);
                    }
                }
            }
            // The edge that leaves the tree with the least slack; the tree moves to make it tight.
            let leaving = (0..self.edges.len() as u32).filter(|&e| {
                let e = self.edges[e as usize];
                inside[e.from as usize] != inside[e.to as usize]
            });
            let Some(e) = leaving.min_by_key(|&e| self.slack(e)) else { break };
            let by =
                if inside[self.edges[e as usize].from as usize] { self.slack(e) } else { -self.slack(e) };
            tree.iter().for_each(|&v| self.rank[v as usize] += by);
            next = 0;
        }
    }

    /// Numbers the tree in postorder and sums up what crosses each of its edges.
    fn measure(&mut self) {
        self.order.clear();
        self.net.fill(0);
        for e in self.edges {
            self.net[e.from as usize] += i64::from(e.weight);
            self.net[e.to as usize] -= i64::from(e.weight);
        }
        self.parent[0] = NONE;
        let mut open: Vec<(u32, usize)> = vec![(0, 0)];
        self.first[0] = 0;
        while let Some((v, done)) = open.last_mut() {
            let v = *v;
            if let Some(&e) = self.at[v as usize].get(*done) {
                *done += 1;
                if self.in_tree[e as usize] && self.parent[v as usize] != e {
                    let w = self.other(e, v);
                    self.parent[w as usize] = e;
                    self.first[w as usize] = self.order.len() as u32;
                    open.push((w, 0));
                }
                continue;
            }
            open.pop();
            self.last[v as usize] = self.order.len() as u32;
            self.order.push(v);
            if let Some(&(above, _)) = open.last() {
                self.net[above as usize] += self.net[v as usize];
            }
        }
    }

    fn inside(&self, root: u32, v: u32) -> bool {
        let v = self.last[v as usize];
        self.first[root as usize] <= v && v <= self.last[root as usize]
    }

    /// Replaces a tree edge that would better be longer; false when there is none.
    fn exchange(&mut self) -> bool {
        let n = self.rank.len();
        let bad = (0..n).map(|i| (self.next + i) % n).find(|&v| {
            let e = self.parent[v];
            e != NONE && {
                let down = self.edges[e as usize].from as usize == v;
                (if down { self.net[v] } else { -self.net[v] }) < 0
            }
        });
        let Some(v) = bad else { return false };
        self.next = v + 1;
        let root = v as u32;
        let leaving = self.parent[v];
        let down = self.edges[leaving as usize].from == root;
        let entering = (0..self.edges.len() as u32)
            .filter(|&f| {
                let f = self.edges[f as usize];
                let (from, to) = (self.inside(root, f.from), self.inside(root, f.to));
                if down { !from && to } else { from && !to }
            })
            .min_by_key(|&f| self.slack(f));
        let Some(entering) = entering else { return false };
        let by = if down { -self.slack(entering) } else { self.slack(entering) };
        for i in self.first[v]..=self.last[v] {
            let w = self.order[i as usize];
            self.rank[w as usize] += by;
        }
        self.in_tree[leaving as usize] = false;
        self.in_tree[entering as usize] = true;
        true
    }

    fn normalize(&mut self) {
        let least = self.rank.iter().copied().min().unwrap_or(0);
        self.rank.iter_mut().for_each(|r| *r -= least);
    }
}
