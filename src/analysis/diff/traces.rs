//! A trace of one run beside that of the other: which step is which, and what each took, had and cost.
//!
//! Requests pair as everywhere ([`super::requests`]), and so do the traces that hold them; without requests traces pair by their
//! name and their number among those of it. Below paired steps the callees pair: requests by themselves, other steps by kind and
//! name in their order.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Two;
use super::requests::{Partners, pairs};
use crate::analysis::asked::Asked;
use crate::analysis::billing::{Bill, Billing};
use crate::analysis::trace::{Kind, NO_STEP, Step, TraceList, TraceOf, Traces, Tree, Which};
use crate::jobs::Cancelled;
use crate::model::{Profile, RequestId};
use crate::query::{Context, Pair, Query};

/// A step of both traces, or of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepPair {
    /// Which it is in each tree.
    pub steps: Two<u32>,
    /// Steps above it.
    pub depth: u32,
}

/// A trace of each run.
#[derive(Clone, Debug, Default)]
pub struct TwoTraces {
    /// Which they are; `None` where a run has no partner.
    pub which: Two<Which>,
    /// Their steps.
    pub trees: Two<Arc<Tree>>,
    /// What requests cost.
    pub bills: Two<Arc<Billing>>,
    /// Steps in order, those that only one has where they stand among the others.
    pub rows: Vec<StepPair>,
}

impl TwoTraces {
    /// A figure of a row on each side.
    pub fn figure<T>(&self, row: StepPair, of: impl Fn(&Tree, &Billing, &Step) -> Option<T>) -> Two<T> {
        let side = |tree: &Option<Arc<Tree>>, bill: &Option<Arc<Billing>>, at: Option<u32>| {
            let tree = tree.as_ref()?;
            of(tree, bill.as_ref()?, tree.steps.get(at? as usize)?)
        };
        Two {
            base: side(&self.trees.base, &self.bills.base, row.steps.base),
            head: side(&self.trees.head, &self.bills.head, row.steps.head),
        }
    }
}

/// Computes the [`TwoTraces`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffTrace {
    /// The trace of a run, and whether that is the baseline; `None` for the first of the new run.
    pub of: Option<(bool, Which)>,
    /// Which requests and prices.
    pub asked: Asked,
}

impl Query<Pair> for DiffTrace {
    type Output = TwoTraces;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<TwoTraces, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let traces = Traces { asked: self.asked.clone() };
        let lists = [base.get(&traces)?, head.get(&traces)?];
        let profiles = [&**base.profile(), &**head.profile()];
        let ids: Vec<_> =
            pairs(profiles[0], profiles[1]).into_iter().map(|Partners { ids, .. }| ids).collect();
        let first = || {
            let of = |list: &TraceList| list.first().map(|h| h.which.clone());
            of(&lists[1]).map(|which| (false, which)).or_else(|| of(&lists[0]).map(|which| (true, which)))
        };
        let Some((is_base, which)) = self.of.clone().or_else(first) else { return Ok(TwoTraces::default()) };
        let trace = |which: &Which| TraceOf { which: which.clone(), prices: self.asked.prices.clone() };
        let here = if is_base { base.get(&trace(&which))? } else { head.get(&trace(&which))? };
        let there = partner(&here, is_base, &which, &lists, &ids);
        let which = match is_base {
            true => Two { base: Some(which), head: there },
            false => Two { base: there, head: Some(which) },
        };
        let mut out = TwoTraces { which: which.clone(), ..TwoTraces::default() };
        let bill = Bill { prices: self.asked.prices.clone() };
        out.bills = Two::both(base.get(&bill)?, head.get(&bill)?);
        if let Some(which) = &which.base {
            out.trees.base = Some(base.get(&trace(which))?);
        }
        if let Some(which) = &which.head {
            out.trees.head = Some(head.get(&trace(which))?);
        }
        let none = Arc::new(Tree::default());
        let trees = [&out.trees.base, &out.trees.head].map(|t| t.clone().unwrap_or_else(|| none.clone()));
        out.rows = align([&trees[0], &trees[1]], profiles, &ids);
        Ok(out)
    }

    fn weight(of: &TwoTraces) -> usize {
        of.rows.len() * size_of::<StepPair>()
    }
}

/// The trace of the other run that is the same.
fn partner(
    tree: &Tree,
    is_base: bool,
    which: &Which,
    lists: &[Arc<TraceList>; 2],
    ids: &[Two<RequestId>],
) -> Option<Which> {
    let (own, other) = if is_base { (&lists[0], &lists[1]) } else { (&lists[1], &lists[0]) };
    let sides = |pair: &Two<RequestId>| if is_base { (pair.base, pair.head) } else { (pair.head, pair.base) };
    let of: FxHashMap<RequestId, RequestId> = ids.iter().filter_map(|p| sides(p).0.zip(sides(p).1)).collect();
    let paired = tree.steps.iter().filter_map(|s| of.get(&s.request?)).next();
    if let Some(request) = paired {
        return other.of_request(*request).cloned();
    }
    let is_session = |w: &Which| matches!(w, Which::Session(_));
    if is_session(which) || *which == Which::Loose {
        return other.find(which).map(|h| h.which.clone());
    }
    let at = own.heads.iter().position(|h| h.which == *which)?;
    let name = &own.heads[at].name;
    let named = |list: &TraceList| {
        let heads = list.heads.iter().filter(|h| h.name == *name && !is_session(&h.which));
        heads.map(|h| h.which.clone()).collect::<Vec<_>>()
    };
    let nth = named(own).iter().position(|w| w == which)?;
    named(other).get(nth).cloned()
}

/// The callees of each step that is shown, those of ordinary spans between included; the outermost at the end.
fn callees(tree: &Tree) -> Vec<Vec<u32>> {
    let mut out: Vec<Vec<u32>> = vec![Vec::new(); tree.steps.len() + 1];
    let mut nearest: Vec<usize> = vec![tree.steps.len(); tree.steps.len()];
    for (at, step) in tree.steps.iter().enumerate() {
        let above = if step.parent == NO_STEP { tree.steps.len() } else { nearest[step.parent as usize] };
        nearest[at] = above;
        if step.shown {
            out[above].push(at as u32);
            nearest[at] = at;
        }
    }
    out
}

/// Pairs the steps of two trees.
fn align(trees: [&Tree; 2], profiles: [&Profile; 2], ids: &[Two<RequestId>]) -> Vec<StepPair> {
    let below = trees.map(callees);
    let partner: FxHashMap<RequestId, RequestId> = ids.iter().filter_map(|p| p.base.zip(p.head)).collect();
    let nobody = trees.map(|t| t.steps.len());
    let mut rows = Vec::new();
    // Steps that are still to come, the next one last; callers without a pair have their callees on one side.
    let mut open: Vec<StepPair> = Vec::new();
    let both = |base, head| StepPair { steps: Two { base, head }, depth: 0 };
    let found = |at: [Option<usize>; 2]| {
        let lists = [0, 1].map(|side| at[side].map_or(&[][..], |at| &below[side][at][..]));
        merge(lists, trees, profiles, &partner)
    };
    let roots = found([Some(nobody[0]), Some(nobody[1])]);
    // Two traces of which each is one step are the same one, whatever they are called.
    let roots = match roots[..] {
        [Two { base: Some(b), head: None }, Two { base: None, head: Some(h) }] => vec![Two::both(b, h)],
        _ => roots,
    };
    open.extend(roots.into_iter().rev().map(|steps| both(steps.base, steps.head)));
    while let Some(row) = open.pop() {
        rows.push(row);
        let under = found([row.steps.base.map(|i| i as usize), row.steps.head.map(|i| i as usize)]);
        open.extend(under.into_iter().rev().map(|steps| StepPair { steps, depth: row.depth + 1 }));
    }
    rows
}

/// Callees of one caller in both runs, in order.
fn merge(
    lists: [&[u32]; 2],
    trees: [&Tree; 2],
    profiles: [&Profile; 2],
    partner: &FxHashMap<RequestId, RequestId>,
) -> Vec<Two<u32>> {
    let step = |side: usize, at: u32| &trees[side].steps[at as usize];
    let mut by_request: FxHashMap<RequestId, usize> = FxHashMap::default();
    let mut by_name: FxHashMap<(Kind, &str), Vec<usize>> = FxHashMap::default();
    for (n, &at) in lists[1].iter().enumerate() {
        if let Some(id) = step(1, at).request {
            by_request.insert(id, n);
        }
        by_name.entry((step(1, at).kind, step(1, at).name(profiles[1]))).or_default().push(n);
    }
    by_name.values_mut().for_each(|of| of.reverse());
    let mut taken = vec![false; lists[1].len()];
    let mut found: Vec<Option<usize>> = vec![None; lists[0].len()];
    for (n, &at) in lists[0].iter().enumerate() {
        let same = step(0, at).request.and_then(|id| by_request.get(partner.get(&id)?));
        if let Some(&to) = same {
            (found[n], taken[to]) = (Some(to), true);
        }
    }
    for (n, &at) in lists[0].iter().enumerate().filter(|(n, _)| found[*n].is_none()).collect::<Vec<_>>() {
        let Some(of) = by_name.get_mut(&(step(0, at).kind, step(0, at).name(profiles[0]))) else { continue };
        while let Some(to) = of.pop() {
            if !std::mem::replace(&mut taken[to], true) {
                found[n] = Some(to);
                break;
            }
        }
    }
    let mut out = Vec::new();
    let mut next = 0;
    let only = |to: usize| Two { base: None, head: Some(lists[1][to]) };
    for (&at, found) in lists[0].iter().zip(found) {
        let Some(to) = found else {
            out.push(Two { base: Some(at), head: None });
            continue;
        };
        out.extend((next..to).filter(|&n| !taken[n]).map(only));
        next = next.max(to + 1);
        out.push(Two::both(at, lists[1][to]));
    }
    out.extend((next..lists[1].len()).filter(|&n| !taken[n]).map(only));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::built;
    use crate::jobs::Job;
    use crate::model::{ArgsRef, FunctionSpec, Request, TokenCounts, TrackKind, TrackSpec};
    use crate::query::{Engine, Run, RunId};

    /// An agent that does these steps, 10 ns each; `chat` is a request with this many tokens of output.
    fn agent(id: u32, steps: &[(&str, u64)]) -> Run {
        let run = built(|b| {
            let t = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Async, sort: 0 });
            let mut function = |name: &str| {
                let category = match name {
                    "plan" => "agent",
                    "chat" => "llm",
                    _ => "tool",
                };
                b.function(FunctionSpec { category, ..FunctionSpec::named(name) })
            };
            let agent = function("plan");
            let functions: Vec<_> = steps.iter().map(|s| function(s.0)).collect();
            b.span(t, 0, 10 * steps.len() as i64 + 10, agent, ArgsRef::NONE);
            for (n, (&(name, output), f)) in steps.iter().zip(functions).enumerate() {
                let (start, end) = (10 * n as i64, 10 * n as i64 + 9);
                b.span(t, start, end, f, ArgsRef::NONE);
                if name == "chat" {
                    let (name, prompt) = (b.string("chat"), b.string(&format!("question {output}")));
                    b.request(Request {
                        name,
                        prompt,
                        track: Some(t),
                        arrived: start,
                        finished: Some(end),
                        tokens: TokenCounts { output: Some(output), ..TokenCounts::default() },
                        ..Request::default()
                    });
                }
            }
        });
        Run { id: RunId(id), ..run }
    }

    #[test]
    fn steps_pair_by_request_and_name_and_the_others_stand_where_they_were() {
        let base = agent(1, &[("search", 0), ("chat", 1), ("read", 0), ("chat", 2)]);
        let head = agent(2, &[("search", 0), ("chat", 2), ("write", 0), ("search", 0)]);
        let pair = Pair::of(base, head);
        let found = Engine::inline()
            .now(&pair, &DiffTrace { of: None, asked: Asked::default() }, &Job::new())
            .unwrap();
        let name = |base: bool, at: u32| {
            let tree = if base { &found.trees.base } else { &found.trees.head };
            tree.as_ref().unwrap().steps[at as usize].name(&pair.run(base).profile).to_owned()
        };
        let rows: Vec<_> = found
            .rows
            .iter()
            .map(|r| (r.depth, r.steps.base.map(|at| name(true, at)), r.steps.head.map(|at| name(false, at))))
            .collect();
        let both = |name: &str| (1, Some(name.to_owned()), Some(name.to_owned()));
        assert_eq!(
            rows,
            [
                (0, Some("plan".into()), Some("plan".into())),
                both("search"),
                (1, Some("chat".into()), None),
                (1, Some("read".into()), None),
                both("chat"),
                (1, None, Some("write".into())),
                (1, None, Some("search".into())),
            ]
        );
        let length = found.figure(found.rows[0], |_, _, step| Some(step.duration()));
        assert_eq!(length, Two::both(50, 50));
    }
}
