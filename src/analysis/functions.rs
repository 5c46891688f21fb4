//! The flat profile: one row per function.
//!
//! For a call graph the numbers are the tool's own. For spans and samples self is summed over all
//! nodes of the tree, and total counts the outermost occurrence on each path only, so recursion never
//! counts twice.

use std::cmp::Reverse;

use super::call_graph::Labels;
use super::call_tree::NO_NODE;
use super::formula::terms;
use super::path::Symbol;
use super::scope::Slice;
use super::tree_costs::{Costs, TreeCosts};
use super::whole::Whole;
use crate::jobs::{Cancelled, Job};
use crate::model::{Basis, CallGraph, Calls, FunctionId, MetricId, Profile, SAMPLES, StringId};
use crate::query::{Context, Query};

/// One function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    /// The function; for a collapsed module one of its functions.
    pub function: FunctionId,
    /// The module, when a transform shows its functions as one.
    pub module: Option<StringId>,
    /// True for all frames that a transform hides.
    pub hidden: bool,
    /// False when the file has no costs of the function itself; they are 0 then, and mean nothing.
    pub measured: bool,
    /// Calls, where calls were counted or recorded as spans.
    pub calls: Option<Calls>,
    /// Samples in which it was the innermost frame; `None` when there are no samples.
    pub samples: Option<u64>,
    /// Samples in which it was any frame; `None` when there are no samples.
    pub samples_total: Option<u64>,
    /// Calls that had not ended when the recording did: self and total are at least what they say.
    pub unfinished: u64,
    /// Own cost.
    pub own: i64,
    /// Own cost and that of all it called.
    pub total: i64,
}

impl FunctionRow {
    /// Own cost, where it is known.
    #[must_use]
    pub fn known_own(&self) -> Option<i64> {
        self.measured.then_some(self.own)
    }

    /// Total cost, where it is known.
    #[must_use]
    pub fn known_total(&self) -> Option<i64> {
        self.measured.then_some(self.total)
    }

    /// What the row stands for.
    #[must_use]
    pub fn symbol(&self) -> Symbol {
        match self.module {
            _ if self.hidden => Symbol::Hidden { first: self.function, frames: 0 },
            Some(module) => Symbol::Module(module, self.function),
            None => Symbol::Function(self.function),
        }
    }
}

/// All functions, by own cost, largest first; ties by id.
#[derive(Clone, Debug, Default)]
pub struct FunctionTable {
    /// The rows.
    pub rows: Vec<FunctionRow>,
    /// Places in `rows` of the few with most total that were measured, largest first.
    pub by_total: Vec<u32>,
    /// What shares are of.
    pub whole: Whole,
    /// Sum of the own costs of the rows. What it lacks of the whole no function has as its own.
    pub own_sum: i64,
    /// All calls, where counted.
    pub calls: Option<Calls>,
    /// All samples, where there are any.
    pub samples: Option<u64>,
    /// What the numbers rest on.
    pub basis: Basis,
}

/// Computes the [`FunctionTable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Functions(pub Slice);

impl Query for Functions {
    type Output = FunctionTable;

    fn run(&self, cx: &Context<'_>) -> Result<FunctionTable, Cancelled> {
        let profile = cx.profile();
        let mut table = match graph_of(profile) {
            Some(graph) if self.0.scope.transforms.is_empty() => {
                let mut table = from_graph(profile, graph, &terms(self.0.metric, profile));
                table.whole = super::estimate::whole(self.0.metric, cx)?.unwrap_or(table.whole);
                table
            }
            _ => from_tree(self, cx)?,
        };
        table.rows.sort_by_key(|r| (Reverse(r.own), Reverse(r.total), r.function));
        table.by_total = by_total(&table.rows);
        table.calls = table.rows.iter().filter_map(|r| r.calls).reduce(|a, b| Calls {
            all: a.all.saturating_add(b.all),
            primitive: a.primitive.saturating_add(b.primitive),
        });
        table.samples = table.rows.iter().filter_map(|r| r.samples).reduce(u64::saturating_add);
        Ok(table)
    }

    fn weight(table: &FunctionTable) -> usize {
        table.rows.len() * size_of::<FunctionRow>()
    }
}

/// The call graph, when it is all that the profile has of calls.
#[must_use]
pub fn graph_of(profile: &Profile) -> Option<&CallGraph> {
    profile.call_graph.as_ref().filter(|_| profile.span_count() + profile.sample_count() == 0)
}

/// Sum of self costs of a graph in a sum of metrics.
pub(super) fn graph_sum(graph: &CallGraph, terms: &[(i64, MetricId)]) -> i64 {
    let own = graph_column(graph, terms, |c| &c.node_self, graph.nodes.len());
    own.iter().fold(0i64, |a, &b| a.saturating_add(b))
}

/// A column of a graph for a sum of measured metrics, `len` values.
#[must_use]
pub fn graph_column(
    graph: &CallGraph,
    terms: &[(i64, MetricId)],
    column: impl Fn(&crate::model::GraphCosts) -> &Vec<i64>,
    len: usize,
) -> Vec<i64> {
    let find = |m: MetricId| graph.costs.iter().find(|c| c.metric == m).map(&column);
    let mut sum = vec![0i64; len];
    for &(factor, m) in terms {
        if let Some(values) = find(m) {
            sum.iter_mut().zip(values).for_each(|(s, v)| *s = s.saturating_add(v.saturating_mul(factor)));
        }
    }
    sum
}

/// How many functions with most total are picked out.
pub const LARGEST: usize = 10;

fn by_total(rows: &[FunctionRow]) -> Vec<u32> {
    let key = |&at: &u32| {
        let r = &rows[at as usize];
        (Reverse((r.total, r.own)), r.function)
    };
    let mut places: Vec<u32> = (0..rows.len() as u32).filter(|&at| rows[at as usize].measured).collect();
    if places.len() > LARGEST {
        places.select_nth_unstable_by_key(LARGEST, key);
        places.truncate(LARGEST);
    }
    places.sort_by_key(key);
    places
}

fn from_graph(profile: &Profile, graph: &CallGraph, terms: &[(i64, MetricId)]) -> FunctionTable {
    let own = graph_column(graph, terms, |c| &c.node_self, graph.nodes.len());
    let total = graph_column(graph, terms, |c| &c.node_total, graph.nodes.len());
    // Put in order before they are made: a row is five times as large as what decides.
    let mut order: Vec<_> = (0..graph.nodes.len())
        .map(|i| (Reverse(own[i]), Reverse(total[i]), graph.nodes[i].function, i as u32))
        .collect();
    order.sort_unstable();
    let samples = samples_of(profile, graph);
    let of = |column: &[i64], node: u32| column.get(node as usize).and_then(|&n| u64::try_from(n).ok());
    let row = |&(Reverse(own), Reverse(total), function, node): &(_, _, _, u32)| FunctionRow {
        function,
        module: None,
        hidden: false,
        measured: graph.nodes[node as usize].measured,
        calls: graph.nodes[node as usize].calls,
        samples: samples.as_ref().and_then(|s| of(s.0, node)),
        samples_total: samples.as_ref().and_then(|s| of(s.1, node)),
        unfinished: 0,
        own,
        total,
    };
    let rows = order.iter().map(row).collect();
    let sum = own.iter().fold(0, |a: i64, &b| a.saturating_add(b));
    FunctionTable {
        rows,
        whole: Whole::both(sum),
        own_sum: sum,
        basis: profile.meta.basis.clone(),
        ..FunctionTable::default()
    }
}

/// How many samples ran each function, and had it on the stack, where the graph was made of samples.
fn samples_of<'g>(profile: &Profile, graph: &'g CallGraph) -> Option<(&'g [i64], &'g [i64])> {
    let metric = profile.metric_by_key(SAMPLES)?;
    let costs = graph.costs.iter().find(|c| c.metric == metric)?;
    (profile.meta.basis == Basis::Sampled).then_some((&costs.node_self[..], &costs.node_total[..]))
}

fn from_tree(query: &Functions, cx: &Context<'_>) -> Result<FunctionTable, Cancelled> {
    let costs = cx.get(&Costs(query.0.clone()))?;
    let mut rows = tree_rows(&costs, &Labels::of(&costs), cx.job())?;
    let counts = |r: &FunctionRow| r.calls.map_or(0, |c| c.all) + r.samples_total.unwrap_or(0);
    rows.retain(|r| r.own != 0 || r.total != 0 || counts(r) != 0);
    let basis = costs.tree.basis.clone();
    let own_sum = costs.own.iter().fold(0i64, |a, &b| a.saturating_add(b));
    Ok(FunctionTable { rows, whole: costs.whole, own_sum, basis, ..FunctionTable::default() })
}

/// A row for each label, in their order.
pub(super) fn tree_rows(
    costs: &TreeCosts,
    labels: &Labels,
    job: &Job,
) -> Result<Vec<FunctionRow>, Cancelled> {
    let (has_calls, has_samples) = (!costs.calls.is_empty(), !costs.samples.is_empty());
    let blank = |symbol: &Symbol| FunctionRow {
        function: symbol.function(),
        module: match symbol {
            Symbol::Module(m, _) => Some(*m),
            _ => None,
        },
        hidden: matches!(symbol, Symbol::Hidden { .. }),
        measured: true,
        calls: has_calls.then(Calls::default),
        samples: has_samples.then_some(0),
        samples_total: has_samples.then_some(0),
        unfinished: 0,
        own: 0,
        total: 0,
    };
    let mut rows: Vec<FunctionRow> = labels.symbols.iter().map(blank).collect();
    // How often each row is open on the path, and the open nodes with their rows.
    let mut on_path = vec![0u32; rows.len()];
    let mut open: Vec<(u32, u32)> = Vec::new();
    for (i, node) in costs.tree.nodes.iter().enumerate() {
        if i % 65_536 == 0 {
            job.checkpoint(i as u64, costs.tree.nodes.len() as u64)?;
        }
        while open.last().map_or(NO_NODE, |o| o.0) != node.parent {
            let Some((_, row)) = open.pop() else { break };
            on_path[row as usize] -= 1;
        }
        let at = labels.of[i];
        let row = &mut rows[at as usize];
        let outermost = on_path[at as usize] == 0;
        row.own = row.own.saturating_add(costs.own[i]);
        if outermost {
            row.total = row.total.saturating_add(costs.total[i]);
        }
        row.unfinished += costs.unfinished.get(i).copied().unwrap_or(0);
        if let Some(calls) = &mut row.calls {
            calls.all += costs.calls[i];
            calls.primitive += if outermost { costs.calls[i] } else { 0 };
        }
        if let (Some(own), Some(total)) = (&mut row.samples, &mut row.samples_total) {
            *own += costs.samples[i];
            *total += if outermost { costs.samples_total[i] } else { 0 };
        }
        on_path[at as usize] += 1;
        open.push((i as u32, at));
    }
    for row in &mut rows {
        let (calls, samples) = counted(row.calls, row.samples_total);
        (row.calls, row.samples_total) = (calls, samples);
        row.samples = row.samples.filter(|_| samples.is_some());
    }
    Ok(rows)
}

/// Where calls and samples were both counted: what was seen by one of them only is unknown to the other, not 0.
pub(super) fn counted(calls: Option<Calls>, samples: Option<u64>) -> (Option<Calls>, Option<u64>) {
    match (calls, samples) {
        (Some(Calls { all: 0, .. }), Some(1..)) => (None, samples),
        (Some(Calls { all: 1.., .. }), Some(0)) => (calls, None),
        both => both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};
    use crate::analysis::{Scope, Transform};
    use crate::query::Run;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn table(subject: &Run, transforms: Vec<Transform>) -> Arc<FunctionTable> {
        let scope = Scope { tracks: Vec::new(), transforms };
        ask(subject, &Functions(Slice { scope, ..Slice::default() }))
    }

    /// `name own/total calls/primitive samples/samples_total`, in the table's order.
    fn text(subject: &Run, table: &FunctionTable) -> Vec<String> {
        let line = |r: &FunctionRow| {
            let mut line = format!("{} {}/{}", r.symbol().label(&subject.profile), r.own, r.total);
            if let Some(c) = r.calls {
                line += &format!(" {}/{}", c.all, c.primitive);
            }
            if let (Some(own), Some(total)) = (r.samples, r.samples_total) {
                line += &format!(" {own}/{total}");
            }
            line
        };
        table.rows.iter().map(line).collect()
    }

    #[test]
    fn recursion_counts_once() {
        let s = subject("main 0 100 / fib 10 90 / fib 20 60 / fib 30 40 / g 50 55; main 100 101");
        let t = table(&s, vec![]);
        assert_eq!(text(&s, &t), ["fib 75/80 3/1", "main 21/101 2/2", "g 5/5 1/1"]);
        assert_eq!((t.whole.total, t.calls), (101, Some(Calls { all: 6, primitive: 4 })));
        let s = subject("a>b>a>b 4; a>b 2; b 1");
        assert_eq!(text(&s, &table(&s, vec![])), ["b 7/7 3/3", "a 0/6 0/2"]);
    }

    #[test]
    fn a_call_graph_shows_the_tools_own_numbers() {
        let s = subject("fn fib 177/1 3 10; fn main - 1 20; fn idle 1 0 0");
        assert_eq!(text(&s, &table(&s, vec![])), ["fib 3/10 177/1", "main 1/20", "idle 0/0 1/1"]);
    }

    #[test]
    fn a_collapsed_module_is_one_row() {
        let s = subject("main>f@lib>g@lib>cb>g@lib 5; main>g@lib>f@lib 2; main 1");
        assert_eq!(
            text(&s, &table(&s, vec![Transform::CollapseModule("lib".into())])),
            ["lib 7/7 2/2", "main 1/8 1/3", "cb 0/5 0/1"]
        );
    }

    proptest! {
        #[test]
        fn self_adds_up_and_no_total_is_more_than_all(
            stacks in proptest::collection::vec((proptest::collection::vec(0u8..4, 1..7), 0i64..50), 1..20),
        ) {
            let line = |(stack, w): &(Vec<u8>, i64)| {
                let names: Vec<String> = stack.iter().map(|f| format!("f{f}")).collect();
                format!("{} {w}", names.join(">"))
            };
            let s = subject(&stacks.iter().map(line).collect::<Vec<_>>().join(";"));
            let t = table(&s, vec![]);
            prop_assert_eq!(t.rows.iter().map(|r| r.own).sum::<i64>(), t.whole.total);
            for row in &t.rows {
                let name: u8 = s.profile.function_name(row.function)[1..].parse().unwrap();
                let total: i64 = stacks.iter().filter(|(s, _)| s.contains(&name)).map(|(_, w)| w).sum();
                let own: i64 = stacks.iter().filter(|(s, _)| s.last() == Some(&name)).map(|(_, w)| w).sum();
                prop_assert_eq!((row.total, row.own), (total, own));
            }
        }
    }

    #[test]
    fn a_row_of_samples_counts_as_many_as_it_stands_for() {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles/pprof/go-cpu.pb.gz");
        let profile = crate::import::open_whole(&crate::import::Input::Path(path), &Job::new()).unwrap();
        let s = Run::of(Arc::new(profile));
        let cpu = s.profile.metric_key(s.profile.metric_by_key("cpu").unwrap());
        let table = ask(&s, &Functions(Slice::whole(cpu)));
        let counted = |name: &str| {
            let row = table.rows.iter().find(|r| s.profile.function_name(r.function) == name).unwrap();
            (row.samples.unwrap(), row.own / 10_000_000, row.samples_total.unwrap(), row.total / 10_000_000)
        };
        // One sample is 10 ms; `go tool pprof -top` says how many ms they are.
        assert_eq!(counted("runtime.asyncPreempt"), (51, 51, 51, 51));
        assert_eq!(counted("main.fib"), (41, 41, 63, 63));
    }

    #[test]
    fn the_largest_are_right_and_ties_are_stable() {
        let row = |i: u32, own, total| FunctionRow {
            measured: i != 12,
            function: FunctionId(i),
            module: None,
            hidden: false,
            calls: None,
            samples: None,
            samples_total: None,
            unfinished: 0,
            own,
            total,
        };
        let mut rows: Vec<_> = (0..13).map(|i| row(i, i64::from(i % 3), i64::from(i))).collect();
        rows.sort_by_key(|r| (Reverse(r.own), Reverse(r.total), r.function));
        let table = FunctionTable { by_total: by_total(&rows), rows, ..FunctionTable::default() };
        let ids: Vec<u32> = table.by_total.iter().map(|&at| table.rows[at as usize].function.0).collect();
        assert_eq!(ids, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    }
}
