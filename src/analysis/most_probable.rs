//! The most probable stack of a function: the one whole call path, root to innermost function, that is
//! running most often while the function is on it.
//!
//! It is the path through the function with the largest own cost, so «x % of its total» says how probable
//! it is. Spans and samples have paths, so theirs is measured. A call graph has none; its answer comes from
//! the estimated tree and says so.

use super::call_tree::NO_NODE;
use super::path::Symbol;
use super::scope::Slice;
use super::tree_costs::Costs;
use crate::jobs::Cancelled;
use crate::model::{Basis, FunctionId, SymbolKey};
use crate::query::{Context, Query};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Functions, root first.
    pub path: Vec<FunctionId>,
    /// Place of the function in the path: its outermost occurrence.
    pub at: usize,
    /// Own cost of exactly this path.
    pub own: i64,
    /// Total cost of the function on all paths: the denominator.
    pub total: i64,
    /// What the numbers rest on.
    pub basis: Basis,
}

/// Finds the [`Stack`]; `None` when the function is on no path with a cost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProbableStack {
    /// Which part, in which metric.
    pub slice: Slice,
    /// Whose stack.
    pub function: SymbolKey,
}

impl Query for ProbableStack {
    type Output = Option<Stack>;

    fn run(&self, cx: &Context<'_>) -> Result<Option<Stack>, Cancelled> {
        let Some(function) = cx.profile().keys().function(self.function) else { return Ok(None) };
        let costs = cx.get(&Costs(self.slice.clone()))?;
        let tree = &costs.tree;
        let is = |n: u32| tree.nodes[n as usize].symbol == Symbol::Function(function);
        // For each node the outermost occurrence of the function at or above it.
        let mut under = vec![NO_NODE; tree.nodes.len()];
        let (mut best, mut total) = (None, 0i64);
        for (i, node) in tree.nodes.iter().enumerate() {
            if i % 65_536 == 0 {
                cx.job().checkpoint(i as u64, tree.nodes.len() as u64)?;
            }
            let above = if node.parent == NO_NODE { NO_NODE } else { under[node.parent as usize] };
            under[i] = above;
            if above == NO_NODE && is(i as u32) {
                under[i] = i as u32;
                total = total.saturating_add(costs.total[i]);
            }
            let own = costs.own[i];
            if under[i] != NO_NODE && own > 0 && best.is_none_or(|(most, _)| own > most) {
                best = Some((own, i as u32));
            }
        }
        Ok(best.map(|(own, leaf)| Stack {
            path: tree.path(leaf),
            at: tree.nodes[under[leaf as usize] as usize].depth as usize,
            own,
            total,
            basis: tree.basis.clone(),
        }))
    }

    fn weight(stack: &Option<Stack>) -> usize {
        stack.as_ref().map_or(0, |s| s.path.len() * 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject, symbol};
    use crate::query::Run;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn stack(subject: &Run, name: &str) -> Arc<Option<Stack>> {
        let function = symbol(&subject.profile, name);
        ask(subject, &ProbableStack { slice: Slice::default(), function })
    }

    fn text(subject: &Run, stack: &Option<Stack>) -> String {
        let Some(s) = stack else { return "-".into() };
        let names: Vec<_> = s.path.iter().map(|&f| subject.profile.function_name(f)).collect();
        format!("{} @{} {}/{}", names.join(">"), s.at, s.own, s.total)
    }

    #[test]
    fn the_path_with_most_own_cost_wins() {
        let s = subject("main>a>x 10; main>b>x 30; main>b>x>y 25; main>b 20; x 1");
        assert_eq!(text(&s, &stack(&s, "x")), "main>b>x @2 30/66");
        assert_eq!(text(&s, &stack(&s, "a")), "main>a>x @1 10/10");
        assert_eq!(text(&s, &stack(&s, "main")), "main>b>x @0 30/85");
        let s = subject("f>g>f 5; f 4; z 0");
        assert_eq!(text(&s, &stack(&s, "f")), "f>g>f @0 5/9");
        assert_eq!(text(&s, &stack(&s, "z")), "-");
    }

    #[test]
    fn spans_are_measured_and_call_graphs_estimated() {
        let s = subject("main 0 100 / f 10 60 / g 20 50; f 200 205");
        assert_eq!(text(&s, &stack(&s, "f")), "main>f>g @1 30/55");
        assert_eq!(stack(&s, "f").as_ref().as_ref().unwrap().basis, Basis::Timed);
        let s = subject("fn main 1 10 100; fn leaf 6 90 90; main -> leaf 2 90 90");
        let found = stack(&s, "leaf");
        assert_eq!(text(&s, &found), "main>leaf @1 90/90");
        assert!(matches!(found.as_ref().as_ref().unwrap().basis, Basis::Estimated(_)));
    }

    proptest! {
        #[test]
        fn no_stack_through_the_function_is_more_probable(
            stacks in proptest::collection::vec((proptest::collection::vec(0u8..4, 1..6), 1i64..50), 1..15),
        ) {
            let name = |stack: &[u8]| stack.iter().map(|f| format!("f{f}")).collect::<Vec<_>>().join(">");
            let line = |(stack, w): &(Vec<u8>, i64)| format!("{} {w}", name(stack));
            let s = subject(&stacks.iter().map(line).collect::<Vec<_>>().join(";"));
            let target = stacks[0].0[0];
            let mut sums: std::collections::BTreeMap<&[u8], i64> = Default::default();
            for (stack, w) in stacks.iter().filter(|(stack, _)| stack.contains(&target)) {
                *sums.entry(stack).or_default() += w;
            }
            let found = stack(&s, &format!("f{target}"));
            let found = found.as_ref().as_ref().unwrap();
            prop_assert_eq!(found.own, *sums.values().max().unwrap());
            prop_assert_eq!(found.total, sums.values().sum::<i64>());
            let names: Vec<_> = found.path.iter().map(|&f| s.profile.function_name(f)).collect();
            prop_assert!(sums.iter().any(|(st, w)| name(st) == names.join(">") && *w == found.own));
        }
    }
}
