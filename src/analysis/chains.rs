//! Chains of single calls in a graph: functions of which each does little but call the next one («pytest … 8 frames»).
//!
//! What a chain tells is that something runs; what runs is below it. The graph folds one into a node. The function at its
//! lower end, where the cost goes different ways or is spent, is none of it.

use super::call_graph::{Graph, NOBODY};
use super::groups::{GroupBy, group_label};
use super::path::Symbol;
use crate::format;
use crate::model::Profile;

/// Least share of the whole that a function of a chain has, in thousandths: smaller ones are not drawn anyway.
const LEAST: i128 = 5;
/// What part of a function's total is spent in the next one, and what part of the next one's total is spent for this one,
/// in thousandths.
const NEARLY_ALL: i128 = 950;
/// Least number of functions: fewer take no room.
const SHORTEST: usize = 4;

/// The chains among the rows that `free` allows, longest cost first, each from its caller on.
#[must_use]
pub fn chains(graph: &Graph, free: impl Fn(u32) -> bool) -> Vec<Vec<u32>> {
    let nearly = |part: i64, whole: i64| i128::from(part) * 1000 >= i128::from(whole) * NEARLY_ALL;
    let counts = |row: u32| {
        let node = &graph.nodes[row as usize];
        let large = i128::from(node.total) * 1000 >= i128::from(graph.whole.total) * LEAST && node.total > 0;
        large && node.measured && matches!(node.symbol, Symbol::Function(_)) && free(row)
    };
    let (mut next, mut before) = (vec![NOBODY; graph.nodes.len()], vec![NOBODY; graph.nodes.len()]);
    for e in graph.edges.iter().filter(|e| e.from != NOBODY && e.from != e.to) {
        let (Some(total), Some(from), Some(to)) =
            (e.total, graph.nodes.get(e.from as usize), graph.nodes.get(e.to as usize))
        else {
            continue;
        };
        let single = nearly(total, from.total) && nearly(total, to.total) && counts(e.from) && counts(e.to);
        if single && next[e.from as usize] == NOBODY && before[e.to as usize] == NOBODY {
            next[e.from as usize] = e.to;
            before[e.to as usize] = e.from;
        }
    }
    let mut found: Vec<Vec<u32>> = Vec::new();
    for first in (0..graph.nodes.len() as u32).filter(|&row| before[row as usize] == NOBODY) {
        // The last one has no next: it stays by itself.
        let step = |row: &u32| Some(next[*row as usize]).filter(|&to| to != NOBODY);
        let mut rows: Vec<u32> = std::iter::successors(Some(first), step).collect();
        rows.pop();
        if rows.len() >= SHORTEST {
            found.push(rows);
        }
    }
    found.sort_by_key(|rows| (std::cmp::Reverse(graph.nodes[rows[0] as usize].total), rows[0]));
    found
}

/// «pytest … 8 frames»: the package that most of them belong to, or else the first one's name.
#[must_use]
pub fn chain_name(profile: &Profile, graph: &Graph, rows: &[u32]) -> String {
    let function = |row: u32| graph.nodes[row as usize].symbol.function();
    let mut packages: Vec<(String, usize)> = Vec::new();
    for &row in rows {
        let package = GroupBy::Package.group(profile, function(row));
        match packages.iter_mut().find(|p| p.0 == package) {
            Some(known) => known.1 += 1,
            None => packages.push((package.into_owned(), 1)),
        }
    }
    let most = packages.iter().max_by_key(|p| p.1).filter(|p| p.1 * 2 >= rows.len() && !p.0.is_empty());
    let name = match (most, rows.first()) {
        (Some((package, _)), _) => group_label(package).into_owned(),
        (None, Some(&first)) => profile.function_name(function(first)).chars().take(40).collect(),
        (None, None) => String::new(),
    };
    format!("{name} … {}", format::counted(rows.len() as i64, "frame", "frames"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::call_graph::Calling;
    use crate::analysis::scope::Slice;
    use crate::analysis::testing::{ask, subject};

    fn found(text: &str) -> Vec<(String, Vec<String>)> {
        let s = subject(text);
        let graph = ask(&s, &Calling { slice: Slice::default(), around: None });
        let name = |r: &u32| graph.nodes[*r as usize].symbol.label(&s.profile).into_owned();
        let chain = |rows: &Vec<u32>| (chain_name(&s.profile, &graph, rows), rows.iter().map(name).collect());
        chains(&graph, |_| true).iter().map(chain).collect()
    }

    #[test]
    fn calls_that_only_lead_on_are_a_chain_up_to_where_ways_part() {
        let text = "main>a@pt>b@pt>c@pt>d>x 60; main>a@pt>b@pt>c@pt>d>y 38; main>a@pt>log 2";
        let [(name, rows)] = &found(text)[..] else { panic!("{:?}", found(text)) };
        assert_eq!((name.as_str(), rows.join(">")), ("pt … 4 frames", "main>a>b>c".into()));
    }

    #[test]
    fn short_chains_busy_functions_and_second_callers_are_none() {
        assert!(found("main>a>b>x 60; main>a>b>y 40").is_empty(), "three take no room");
        assert!(found("m>a>b>c>d 60; m>a>b 10; m>a>b>c>d>e 30").is_empty(), "b spends 10 % itself");
        assert!(found("m>a>b>c>d>x 50; m>a>b>c>d>y 30; k>c 20").is_empty(), "c has another caller");
        assert!(found("a>b>c>d>a>b>c>d 10").len() <= 1, "a circle ends");
    }
}
