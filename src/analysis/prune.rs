//! Which nodes and edges of a graph are drawn: those with a share that matters, near enough to the
//! function in the middle. What is left out is counted, and shown as dotted edges where a path runs
//! through it.

use super::call_graph::{Adjacency, Graph, NOBODY};
use super::drawn::{Drawn, DrawnEdge, DrawnNode, EdgeKind};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Least share of nodes, in thousandths; 0 draws all.
    pub nodes: u16,
    /// Least share of edges, in thousandths; 0 draws all.
    pub edges: u16,
    /// How many calls above the function in the middle; `None` for all.
    pub callers: Option<u8>,
    /// How many calls below the function in the middle; `None` for all.
    pub callees: Option<u8>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 20, edges: 10, callers: Some(3), callees: None }
    }
}

/// Nodes that are drawn at most, whatever the limits say.
pub const MOST_NODES: usize = 2000;
/// Edges that are drawn at most for each node.
const MOST_EDGES: usize = 3;
/// Callees of the function in the middle that are drawn whatever their share.
const TOP_CALLEES: usize = 3;

/// Chooses what is drawn. `middle` is the row around which the graph is.
#[must_use]
pub fn prune(graph: &Graph, middle: Option<u32>, limits: Limits) -> Drawn {
    let adjacency = graph.adjacency();
    let near = middle.map(|m| reach(graph, &adjacency, m, limits));
    let share = |cost: i64, thousandths: u16| {
        i128::from(cost) * 1000 >= i128::from(graph.whole.total) * i128::from(thousandths)
    };
    let top = middle.map_or_else(Vec::new, |m| top_callees(graph, &adjacency, m));
    let mut rows: Vec<u32> = (0..graph.nodes.len() as u32)
        .filter(|&r| {
            let near = near.as_ref().is_none_or(|near| near[r as usize]);
            let large = || share(graph.nodes[r as usize].total, limits.nodes);
            near && (Some(r) == middle || top.contains(&r) || large())
        })
        .collect();
    rows.sort_by_key(|&r| {
        let node = &graph.nodes[r as usize];
        (Some(r) != middle, std::cmp::Reverse((node.total, node.own)), node.symbol.key())
    });
    let cut = rows.len() > MOST_NODES;
    rows.truncate(MOST_NODES);
    let mut place = vec![NOBODY; graph.nodes.len()];
    (0..).zip(&rows).for_each(|(i, &r)| place[r as usize] = i);
    let mut edges = kept_edges(graph, &adjacency, &rows, &place, |cost| share(cost, limits.edges));
    edges.extend(elided(graph, &adjacency, &rows, &place, &edges));
    let outside = |edges: &[u32], end: &dyn Fn(u32) -> u32| {
        edges.iter().filter(|&&e| place[end(e) as usize] == NOBODY).count() as u32
    };
    let nodes = rows
        .iter()
        .map(|&row| DrawnNode {
            row,
            more_callers: outside(&adjacency.callers[row as usize], &|e| graph.edges[e as usize].from),
            more_callees: outside(&adjacency.callees[row as usize], &|e| graph.edges[e as usize].to),
            ..DrawnNode::default()
        })
        .collect();
    Drawn { nodes, edges, cut, ..Drawn::default() }
}

/// The callees of the middle that cost most.
fn top_callees(graph: &Graph, adjacency: &Adjacency, middle: u32) -> Vec<u32> {
    let mut calls: Vec<(i64, u32)> = adjacency.callees[middle as usize]
        .iter()
        .map(|&e| &graph.edges[e as usize])
        .map(|e| (e.total.unwrap_or(0), e.to))
        .collect();
    calls.sort_by_key(|&(total, to)| (std::cmp::Reverse(total), to));
    calls.into_iter().take(TOP_CALLEES).map(|c| c.1).collect()
}

/// Nodes within the depths above and below the middle.
fn reach(graph: &Graph, adjacency: &Adjacency, middle: u32, limits: Limits) -> Vec<bool> {
    let mut near = vec![false; graph.nodes.len()];
    for (up, depth) in [(true, limits.callers), (false, limits.callees)] {
        let mut seen = vec![false; graph.nodes.len()];
        seen[middle as usize] = true;
        let mut level = vec![middle];
        let mut steps = 0u32;
        while !level.is_empty() {
            level.iter().for_each(|&v| near[v as usize] = true);
            if depth.is_some_and(|d| steps >= u32::from(d)) {
                break;
            }
            steps += 1;
            let mut next = Vec::new();
            for v in level {
                let edges = if up { &adjacency.callers } else { &adjacency.callees };
                for &e in &edges[v as usize] {
                    let edge = &graph.edges[e as usize];
                    let to = if up { edge.from } else { edge.to };
                    if !std::mem::replace(&mut seen[to as usize], true) {
                        next.push(to);
                    }
                }
            }
            level = next;
        }
    }
    near
}

/// Edges between kept nodes that matter, and for each node at least its largest one from above.
fn kept_edges(
    graph: &Graph,
    adjacency: &Adjacency,
    rows: &[u32],
    place: &[u32],
    matters: impl Fn(i64) -> bool,
) -> Vec<DrawnEdge> {
    let cost = |e: u32| graph.edges[e as usize].total.unwrap_or(i64::MAX);
    let inner = |e: u32| place[graph.edges[e as usize].from as usize] != NOBODY;
    let mut kept: Vec<u32> = Vec::new();
    for &row in rows {
        let callers = adjacency.callers[row as usize].iter().copied().filter(|&e| inner(e));
        let largest = callers.clone().max_by_key(|&e| (cost(e), std::cmp::Reverse(e)));
        kept.extend(callers.filter(|&e| Some(e) == largest || matters(cost(e))));
    }
    let own_calls =
        (0u32..).zip(&graph.edges).filter(|(_, e)| e.from == e.to && place[e.to as usize] != NOBODY);
    let most = MOST_EDGES * rows.len().max(100);
    if kept.len() > most {
        kept.sort_by_key(|&e| (std::cmp::Reverse(cost(e)), e));
        kept.truncate(most);
    }
    kept.extend(own_calls.map(|(i, _)| i));
    kept.sort_unstable();
    kept.iter()
        .map(|&e| {
            let edge = &graph.edges[e as usize];
            let (from, to) = (place[edge.from as usize], place[edge.to as usize]);
            DrawnEdge::new(from, to, EdgeKind::Calls(e))
        })
        .collect()
}

/// Ways to nodes that no drawn edge leads to, through functions that are left out.
fn elided(
    graph: &Graph,
    adjacency: &Adjacency,
    rows: &[u32],
    place: &[u32],
    edges: &[DrawnEdge],
) -> Vec<DrawnEdge> {
    let mut called = vec![false; rows.len()];
    edges.iter().filter(|e| e.from != e.to).for_each(|e| called[e.to as usize] = true);
    let mut found = Vec::new();
    let mut seen = vec![NOBODY; graph.nodes.len()];
    for (to, &row) in (0u32..).zip(rows).filter(|(i, _)| !called[*i as usize]) {
        // The nearest drawn caller; ties go to the one that costs most, which has the lowest place.
        let mut level = vec![row];
        let mut hidden = 0u32;
        seen[row as usize] = to;
        while !level.is_empty() {
            let mut next = Vec::new();
            let mut best = NOBODY;
            for &v in &level {
                for &e in &adjacency.callers[v as usize] {
                    let from = graph.edges[e as usize].from;
                    if std::mem::replace(&mut seen[from as usize], to) == to {
                        continue;
                    }
                    match place[from as usize] {
                        NOBODY => next.push(from),
                        drawn => best = best.min(drawn),
                    }
                }
            }
            if best != NOBODY {
                found.push(DrawnEdge::new(best, to, EdgeKind::Elided(hidden)));
                break;
            }
            hidden += u32::from(!next.is_empty());
            level = next;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::call_graph::Calling;
    use crate::analysis::scope::Slice;
    use crate::analysis::testing::{ask, subject, symbol};

    /// Nodes as `name +callers/+callees`, edges as `a -> b` or `a ..n..> b`.
    fn text(profile: &str, around: Option<&str>, limits: Limits) -> Vec<String> {
        let s = subject(profile);
        let around = around.map(|name| symbol(&s.profile, name));
        let graph = ask(&s, &Calling { slice: Slice::default(), around });
        let pruned =
            prune(&graph, around.and_then(|key| graph.find(s.profile.keys().function(key)?)), limits);
        let name = |i: u32| {
            let row = pruned.nodes[i as usize].row as usize;
            graph.nodes[row].symbol.label(&s.profile).into_owned()
        };
        let more = |n: u32| if n > 0 { format!("{n}") } else { String::new() };
        let nodes = (0..)
            .zip(&pruned.nodes)
            .map(|(i, n)| format!("{} {}/{}", name(i), more(n.more_callers), more(n.more_callees)));
        let edges = pruned.edges.iter().map(|e| match e.kind {
            EdgeKind::Calls(_) => format!("{} -> {}", name(e.from), name(e.to)),
            EdgeKind::Elided(n) => format!("{} ..{n}..> {}", name(e.from), name(e.to)),
        });
        nodes.chain(edges).collect()
    }

    const STACKS: &str = "main>a>x>hot 30; main>a>y>hot 30; main>b>z>z 4; main>c 36";

    #[test]
    fn small_nodes_go_and_paths_through_them_are_dotted() {
        let limits = Limits { nodes: 350, edges: 0, ..Limits::default() };
        assert_eq!(
            text(STACKS, None, limits),
            ["main /1", "hot 2/", "a /2", "c /", "main -> a", "main -> c", "a ..1..> hot"]
        );
        let all = text(STACKS, None, Limits { nodes: 0, ..limits });
        assert!(all.contains(&"z -> z".to_owned()) && all.len() == 8 + 9, "{all:?}");
    }

    #[test]
    fn edges_below_the_share_go_but_each_node_keeps_one() {
        let limits = Limits { nodes: 0, edges: 500, ..Limits::default() };
        let found = text(STACKS, None, limits);
        let edges: Vec<_> = found.iter().filter(|l| l.contains("->")).collect();
        assert_eq!(edges.len(), 8, "one into each of 7, and the loop: {edges:?}");
    }

    #[test]
    fn depths_count_calls_from_the_middle() {
        let limits = Limits { nodes: 0, edges: 0, callers: Some(1), callees: Some(0) };
        assert_eq!(text(STACKS, Some("x"), limits), ["x /1", "a 1/", "a -> x"]);
        let limits = Limits { callers: None, callees: None, ..limits };
        assert_eq!(
            text(STACKS, Some("x"), limits),
            ["x /", "hot /", "main /", "a /", "main -> a", "a -> x", "x -> hot"]
        );
    }

    #[test]
    fn the_middle_shows_its_top_callees_however_small() {
        let stacks = "main>hub 90; main>hub>a 4; main>hub>b 3; main>hub>c 2; main>hub>d 1";
        let limits = Limits { nodes: 500, edges: 500, ..Limits::default() };
        let found = text(stacks, Some("hub"), limits);
        for edge in ["hub -> a", "hub -> b", "hub -> c"] {
            assert!(found.contains(&edge.to_owned()), "{edge}: {found:?}");
        }
        assert!(found.contains(&"hub /1".to_owned()), "d is counted: {found:?}");
    }

    #[test]
    fn a_graph_of_a_hundred_thousand_functions_is_cut() {
        let stacks: Vec<String> = (0..5000).map(|i| format!("main>f{i} 1")).collect();
        let s = subject(&stacks.join(";"));
        let graph = ask(&s, &Calling { slice: Slice::default(), around: None });
        let pruned = prune(&graph, None, Limits { nodes: 0, edges: 0, ..Limits::default() });
        assert!(pruned.cut && pruned.nodes.len() == MOST_NODES && pruned.nodes[0].more_callees == 3001);
    }
}
