//! A trace of one run beside that of the other: which step is which, and what each took, had and cost.
//!
//! Requests pair as everywhere ([`super::requests`]), and so do the traces that hold them; without requests traces pair by their
//! name and their number among those of it. Below paired steps the callees pair: requests by themselves, other steps by kind and
//! name in their order.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::requests::{Partners, pairs};
use super::{State, Two};
use crate::analysis::asked::Asked;
use crate::analysis::billing::{Bill, Billing};
use crate::analysis::trace::{Head, Kind, NO_STEP, Step, TraceList, TraceOf, Traces, Tree, Which};
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
    /// The same request in another trace of the run that lacks the step here.
    pub elsewhere: Option<RequestId>,
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
        let ids = same_requests(profiles[0], profiles[1]);
        let same = same(&lists, &ids);
        // What changed most, until somebody chooses.
        let first = || {
            let length = |which: &Option<Which>, list: &TraceList| list.find(which.as_ref()?)?.length();
            let change = |pair: &&Two<Which>| {
                let of = (length(&pair.base, &lists[0]), length(&pair.head, &lists[1]));
                (of.1.unwrap_or(0)).abs_diff(of.0.unwrap_or(0))
            };
            let most = same.iter().rev().max_by_key(change)?;
            let head = most.head.clone().map(|which| (false, which));
            head.or_else(|| most.base.clone().map(|which| (true, which)))
        };
        let Some((is_base, which)) = self.of.clone().or_else(first) else { return Ok(TwoTraces::default()) };
        let trace = |which: &Which| TraceOf { which: which.clone(), prices: self.asked.prices.clone() };
        let sides = |pair: &Two<Which>| match is_base {
            true => (pair.base.clone(), pair.head.clone()),
            false => (pair.head.clone(), pair.base.clone()),
        };
        let there = same.iter().map(sides).find(|(own, _)| own.as_ref() == Some(&which)).and_then(|p| p.1);
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

fn same_requests(base: &Profile, head: &Profile) -> Vec<Two<RequestId>> {
    pairs(base, head).into_iter().map(|Partners { ids, .. }| ids).collect()
}

/// Asks which trace of one run is which of the other: those of the baseline first, in the order of its list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SameTraces {
    /// Which requests of either run.
    pub asked: Asked,
}

impl Query<Pair> for SameTraces {
    type Output = Vec<Two<Head>>;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Self::Output, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let traces = Traces { asked: self.asked.clone() };
        let lists = [base.get(&traces)?, head.get(&traces)?];
        let same = same(&lists, &same_requests(base.profile(), head.profile()));
        let of = |which: &Option<Which>, list: &TraceList| list.find(which.as_ref()?).cloned();
        let heads = same.iter().map(|w| Two { base: of(&w.base, &lists[0]), head: of(&w.head, &lists[1]) });
        Ok(heads.filter(|both| both.state().is_some()).collect())
    }

    fn weight(heads: &Self::Output) -> usize {
        heads.len() * 2 * size_of::<Head>()
    }
}

/// Which trace is which: by the requests in them, conversations by their names, others by their name and number among what is
/// left of it.
fn same(lists: &[Arc<TraceList>; 2], ids: &[Two<RequestId>]) -> Vec<Two<Which>> {
    let mut partner: FxHashMap<&Which, &Which> = FxHashMap::default();
    let mut taken: FxHashSet<&Which> = FxHashSet::default();
    for (base, head) in ids.iter().filter_map(|ids| ids.base.zip(ids.head)) {
        let Some((base, head)) = lists[0].of_request(base).zip(lists[1].of_request(head)) else { continue };
        if !partner.contains_key(base) && taken.insert(head) {
            partner.insert(base, head);
        }
    }
    let is_named = |which: &Which| matches!(which, Which::Span(_));
    for which in lists[0].heads.iter().map(|h| &h.which).filter(|w| !is_named(w)) {
        let there = lists[1].find(which).map(|h| &h.which);
        if let Some(there) = there.filter(|_| !partner.contains_key(which))
            && taken.insert(there)
        {
            partner.insert(which, there);
        }
    }
    let mut left: FxHashMap<&str, Vec<&Which>> = FxHashMap::default();
    for head in lists[1].heads.iter().rev().filter(|h| is_named(&h.which) && !taken.contains(&h.which)) {
        left.entry(&head.name).or_default().push(&head.which);
    }
    for head in lists[0].heads.iter().filter(|h| is_named(&h.which)) {
        if !partner.contains_key(&head.which)
            && let Some(there) = left.get_mut(&*head.name).and_then(Vec::pop)
        {
            partner.insert(&head.which, there);
            taken.insert(there);
        }
    }
    // Traces that are not listed have partners, too.
    let listed: FxHashSet<&Which> = lists[0].heads.iter().map(|h| &h.which).collect();
    let mut others: Vec<_> = partner.iter().filter(|(base, _)| !listed.contains(**base)).collect();
    others.sort_by_key(|(_, head)| lists[1].heads.iter().position(|h| h.which == ***head));
    let of_base = lists[0].heads.iter().map(|h| Two {
        base: Some(h.which.clone()),
        head: partner.get(&h.which).map(|which| (*which).clone()),
    });
    let others = others.iter().map(|(base, head)| Two::both((**base).clone(), (**head).clone()));
    let of_head = lists[1].heads.iter().filter(|h| !taken.contains(&h.which));
    let of_head = of_head.map(|h| Two { base: None, head: Some(h.which.clone()) });
    of_base.chain(others).chain(of_head).collect()
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
    let back: FxHashMap<RequestId, RequestId> = partner.iter().map(|(base, head)| (*head, *base)).collect();
    let row = |steps: Two<u32>, depth| {
        let request = |side: usize, at: Option<u32>| trees[side].steps[at? as usize].request;
        let elsewhere = match steps.state() {
            Some(State::Gone) => request(0, steps.base).and_then(|id| partner.get(&id)),
            Some(State::New) => request(1, steps.head).and_then(|id| back.get(&id)),
            _ => None,
        };
        StepPair { steps, depth, elsewhere: elsewhere.copied() }
    };
    let found = |at: [Option<usize>; 2]| {
        let lists = [0, 1].map(|side| at[side].map_or(&[][..], |at| &below[side][at][..]));
        merge(lists, trees, profiles, (&partner, &back))
    };
    let roots = found([Some(nobody[0]), Some(nobody[1])]);
    // Two traces of which each is one step are the same one, whatever they are called.
    let roots = match roots[..] {
        [Two { base: Some(b), head: None }, Two { base: None, head: Some(h) }] => vec![Two::both(b, h)],
        _ => roots,
    };
    open.extend(roots.into_iter().rev().map(|steps| row(steps, 0)));
    while let Some(next) = open.pop() {
        rows.push(next);
        // What is below stands in the other trace.
        if next.elsewhere.is_some() {
            continue;
        }
        let under = found([next.steps.base.map(|i| i as usize), next.steps.head.map(|i| i as usize)]);
        open.extend(under.into_iter().rev().map(|steps| row(steps, next.depth + 1)));
    }
    rows
}

/// Callees of one caller in both runs, in order.
fn merge(
    lists: [&[u32]; 2],
    trees: [&Tree; 2],
    profiles: [&Profile; 2],
    (partner, back): (&FxHashMap<RequestId, RequestId>, &FxHashMap<RequestId, RequestId>),
) -> Vec<Two<u32>> {
    let step = |side: usize, at: u32| &trees[side].steps[at as usize];
    let mut by_request: FxHashMap<RequestId, usize> = FxHashMap::default();
    let mut by_name: FxHashMap<(Kind, &str), Vec<usize>> = FxHashMap::default();
    for (n, &at) in lists[1].iter().enumerate() {
        if let Some(id) = step(1, at).request {
            by_request.insert(id, n);
        }
        // A request that is another one in the other run is not taken for one of its name here.
        if step(1, at).request.is_none_or(|id| !back.contains_key(&id)) {
            by_name.entry((step(1, at).kind, step(1, at).name(profiles[1]))).or_default().push(n);
        }
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
    let alone = |(n, at): &(usize, &u32)| {
        found[*n].is_none() && step(0, **at).request.is_none_or(|id| !partner.contains_key(&id))
    };
    for (n, &at) in lists[0].iter().enumerate().filter(alone).collect::<Vec<_>>() {
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

    /// Two workers that take questions from one queue: which asks which is chance.
    fn workers(id: u32, of: [&[u64]; 2]) -> Run {
        let run = built(|b| {
            for (worker, questions) in of.into_iter().enumerate() {
                let name = format!("worker {worker}");
                let t = b.track(TrackSpec { name: &name, process: "", kind: TrackKind::Async, sort: 0 });
                let client = b.function(FunctionSpec::named("client"));
                let chat = b.function(FunctionSpec { category: "llm", ..FunctionSpec::named("chat") });
                b.span(t, 0, 100, client, ArgsRef::NONE);
                for (n, question) in questions.iter().enumerate() {
                    let start = 10 * n as i64 + 1;
                    b.span(t, start, start + 8, chat, ArgsRef::NONE);
                    let (name, prompt) = (b.string("chat"), b.string(&format!("question {question}")));
                    b.request(Request {
                        name,
                        prompt,
                        track: Some(t),
                        arrived: start,
                        finished: Some(start + 8),
                        ..Request::default()
                    });
                }
            }
        });
        Run { id: RunId(id), ..run }
    }

    #[test]
    fn a_request_that_another_worker_made_is_neither_new_nor_gone_nor_paired_by_its_name() {
        let pair = Pair::of(workers(1, [&[1, 2], &[3, 4]]), workers(2, [&[1, 3], &[2, 4]]));
        let found = Engine::inline()
            .now(&pair, &DiffTrace { of: None, asked: Asked::default() }, &Job::new())
            .unwrap();
        let rows: Vec<_> = found.rows.iter().map(|r| (r.steps.state(), r.elsewhere.is_some())).collect();
        let both = (Some(State::Both), false);
        assert_eq!(rows, [both, both, (Some(State::Gone), true), (Some(State::New), true)]);
        let same = Engine::inline().now(&pair, &SameTraces { asked: Asked::default() }, &Job::new()).unwrap();
        assert!(same.len() == 2 && same.iter().all(|both| both.state() == Some(State::Both)));
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
        let length = found.figure(found.rows[0], |_, _, step| step.duration());
        assert_eq!(length, Two::both(50, 50));
    }
}
