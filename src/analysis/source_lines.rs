//! What each source line of a function costs, or of the whole file that it is in.
//!
//! Callgrind counts per line, inlined code under its own file. Samples count where their frames say a line:
//! self for the innermost frame, total for any, a line once per stack. Where a line calls others and the profile
//! says so, the calls stand below it ([`LineCall`]). What has no lines (cProfile, spans)
//! has its costs at the line where the function is defined, and says so ([`Grain::Definition`]).

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::functions::{Functions, graph_of};
use super::scope::{Scope, TimeRange};
use super::tree_costs::{cut, is_measured, touches};
use super::{CallTree, Shape};
use crate::jobs::Cancelled;
use crate::model::{
    CallGraph, FunctionId, MetricId, NodeId, Place, PlaceRow, PlaceTable, Profile, StringId, Strings,
};
use crate::query::{Context, Query};

/// How finely the profile knows where cost was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Grain {
    /// Per line.
    Lines,
    /// Per function: its cost stands at the line where it is defined.
    #[default]
    Definition,
}

/// A line and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Its number, from 1.
    pub line: u32,
    /// Own cost.
    pub own: i64,
    /// Own cost and that of what the line called; `None` when the tool does not say. Calls of the line's own
    /// function are in the outer call already and count once.
    pub total: Option<i64>,
    /// Samples with the line on the stack, calls made from it, or calls of a function defined there; `None`
    /// when not counted.
    pub count: Option<u64>,
}

/// Calls of one function from one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCall {
    /// The line, from 1.
    pub line: u32,
    /// Who is called.
    pub callee: FunctionId,
    /// Calls, or samples of them; `None` when not counted.
    pub count: Option<u64>,
    /// Total cost of these calls.
    pub cost: i64,
    /// True for a function that calls itself.
    pub recursive: bool,
}

/// The lines of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLines {
    /// The file as the profile names it.
    pub file: StringId,
    /// Its lines with costs, ascending.
    pub rows: Vec<LineRow>,
    /// What these lines call: ascending lines, each with the most expensive callee first.
    pub calls: Vec<LineCall>,
    /// Sum of their own costs.
    pub own: i64,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineTable {
    /// How finely the costs are known.
    pub grain: Grain,
    /// True when the profile says which lines call.
    pub has_calls: bool,
    /// True when counts are samples, false when they are calls.
    pub sampled: bool,
    /// The file of the function first, then files of inlined code, most expensive first.
    pub files: Vec<FileLines>,
    /// Own cost of the function.
    pub own: i64,
    /// Total cost of the function.
    pub total: i64,
    /// Own cost without a known line.
    pub unplaced: i64,
    /// Sum of own costs of all functions.
    pub sum: i64,
}

/// Computes the [`LineTable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lines {
    /// Which part.
    pub scope: Scope,
    /// Which metric.
    pub metric: MetricId,
    /// Which time.
    pub range: TimeRange,
    /// Whose lines.
    pub function: FunctionId,
    /// `None` for lines of the function alone, a file for all functions in it.
    pub whole_file: Option<StringId>,
}

/// Costs of lines while they are added up.
#[derive(Default)]
struct Adding {
    rows: FxHashMap<(StringId, u32), LineRow>,
    calls: FxHashMap<(StringId, u32, FunctionId), LineCall>,
}

impl Adding {
    fn at(&mut self, file: StringId, line: u32) -> &mut LineRow {
        self.rows.entry((file, line)).or_insert(LineRow { line, own: 0, total: None, count: None })
    }

    /// Adds calls; `count` is `None` when they are not counted.
    fn call(&mut self, file: StringId, call: LineCall) {
        let sum = self.calls.entry((file, call.line, call.callee)).or_insert(LineCall {
            count: None,
            cost: 0,
            ..call
        });
        sum.cost = sum.cost.saturating_add(call.cost);
        sum.count = add_counts(sum.count, call.count);
    }

    fn finish(self, first: StringId, table: &mut LineTable) {
        let mut files: FxHashMap<StringId, FileLines> = FxHashMap::default();
        for ((file, line), row) in self.rows {
            if line == 0 {
                table.unplaced = table.unplaced.saturating_add(row.own);
                continue;
            }
            let lines =
                files.entry(file).or_insert(FileLines { file, rows: Vec::new(), calls: Vec::new(), own: 0 });
            lines.own = lines.own.saturating_add(row.own);
            lines.rows.push(row);
        }
        table.has_calls |= !self.calls.is_empty();
        for ((file, ..), call) in self.calls {
            if let Some(lines) = files.get_mut(&file).filter(|_| call.line > 0) {
                lines.calls.push(call);
            }
        }
        table.files = files.into_values().collect();
        for file in &mut table.files {
            file.calls.sort_unstable_by_key(|c| (c.line, Reverse(c.cost), c.callee));
        }
        table.files.iter_mut().for_each(|f| f.rows.sort_unstable_by_key(|r| r.line));
        table.files.sort_by_key(|f| (f.file != first, Reverse(f.own), f.file));
    }
}

fn add_counts(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (known, None) | (None, known) => known,
    }
}

impl Query for Lines {
    type Output = LineTable;

    fn run(&self, cx: &Context<'_>) -> Result<LineTable, Cancelled> {
        let profile = cx.profile();
        let functions =
            cx.get(&Functions { scope: self.scope.clone(), metric: self.metric, range: self.range })?;
        let row = functions.rows.iter().find(|r| r.function == self.function);
        let mut table = LineTable {
            own: row.map_or(0, |r| r.own),
            total: row.map_or(0, |r| r.total),
            sum: functions.sum,
            ..LineTable::default()
        };
        let mut adding = Adding::default();
        let file = profile.functions.get(self.function).file;
        match graph_of(profile).filter(|g| g.lines.metrics() > 0) {
            Some(graph) => {
                table.grain = Grain::Lines;
                self.of_graph(profile, graph, &mut adding);
                self.calls_of_graph(profile, graph, &mut adding);
                table.has_calls = !graph.sites.is_empty();
            }
            None if has_lines(profile, self.function) => {
                (table.grain, table.sampled) = (Grain::Lines, true);
                let tree = cx.get(&Shape(self.scope.clone()))?;
                self.of_samples(profile, &tree, cx, &mut adding)?;
            }
            None => {
                for r in functions.rows.iter().filter(|r| r.module.is_none()) {
                    let f = profile.functions.get(r.function);
                    let wanted = match self.whole_file {
                        None => r.function == self.function,
                        Some(file) => f.file == file,
                    };
                    if wanted {
                        let line = adding.at(f.file, f.line);
                        line.own = line.own.saturating_add(r.own);
                        line.total = Some(line.total.unwrap_or(0).saturating_add(r.total));
                        line.count = r.calls.map(|c| c.all).or(r.samples_total).or(line.count);
                        table.sampled = r.calls.is_none() && r.samples_total.is_some();
                    }
                }
            }
        }
        adding.finish(self.whole_file.unwrap_or(file), &mut table);
        Ok(table)
    }

    fn weight(table: &LineTable) -> usize {
        let size =
            |f: &FileLines| f.rows.len() * size_of::<LineRow>() + f.calls.len() * size_of::<LineCall>();
        table.files.iter().map(size).sum()
    }
}

/// True when a frame of the function says its line.
fn has_lines(profile: &Profile, function: FunctionId) -> bool {
    profile.sample_count() > 0 && profile.frames.rows().iter().any(|f| f.function == function && f.line > 0)
}

/// Factors and places of the columns that a metric is the sum of.
fn terms(profile: &Profile, metric: MetricId) -> Vec<(i64, MetricId)> {
    match profile.metrics.get(metric.index()) {
        Some(m) if !m.formula.is_empty() => {
            m.formula.iter().copied().filter(|(_, m)| is_measured(profile, *m)).collect()
        }
        _ => vec![(1, metric)],
    }
}

/// Factors and columns of a graph's line costs that a metric is the sum of.
fn columns(profile: &Profile, graph: &CallGraph, metric: MetricId, known: usize) -> Vec<(i64, usize)> {
    let column = |m: MetricId| graph.costs.iter().position(|c| c.metric == m).filter(|&i| i < known);
    terms(profile, metric).into_iter().filter_map(|(factor, m)| Some((factor, column(m)?))).collect()
}

fn sum(terms: &[(i64, usize)], costs: &[i64]) -> i64 {
    terms.iter().fold(0, |sum, &(factor, c)| sum.saturating_add(costs[c].saturating_mul(factor)))
}

impl Lines {
    fn of_graph(&self, profile: &Profile, graph: &CallGraph, adding: &mut Adding) {
        let terms = columns(profile, graph, self.metric, graph.lines.metrics());
        self.places(graph, &graph.lines, |row| {
            if self.whole_file.is_some_and(|file| file != row.place.file) {
                return;
            }
            let cost = sum(&terms, row.costs);
            let line = adding.at(row.place.file, row.place.line);
            line.own = line.own.saturating_add(cost);
        });
    }

    /// What of a table is wanted: all of it, or what is of the function.
    fn places<'a, P: Place>(
        &self,
        graph: &CallGraph,
        table: &'a PlaceTable<P>,
        mut take: impl FnMut(PlaceRow<'a, P>),
    ) {
        if self.whole_file.is_some() {
            return table.iter().for_each(take);
        }
        if let Some(node) = graph.nodes.iter().position(|n| n.function == self.function) {
            table.of(NodeId::from_index(node)).for_each(&mut take);
        }
    }

    /// Calls by their lines; the total of a line is its own cost and that of its calls.
    fn calls_of_graph(&self, profile: &Profile, graph: &CallGraph, adding: &mut Adding) {
        let sites = &graph.sites;
        let terms = columns(profile, graph, self.metric, sites.metrics());
        self.places(graph, sites, |row| {
            let site = row.place;
            if self.whole_file.is_some_and(|file| file != site.file) {
                return;
            }
            let (cost, count) = (sum(&terms, row.costs), row.calls);
            let recursive = site.caller == site.callee;
            let callee = graph.nodes[site.callee.index()].function;
            adding.call(site.file, LineCall { line: site.line, callee, count, cost, recursive });
            let line = adding.at(site.file, site.line);
            line.count = add_counts(line.count, count);
            if !recursive {
                line.total = Some(line.total.unwrap_or(0).saturating_add(cost));
            }
        });
        if sites.is_empty() {
            return;
        }
        for row in adding.rows.values_mut() {
            row.total = Some(row.total.unwrap_or(0).saturating_add(row.own));
            if sites.is_counted() {
                row.count.get_or_insert(0);
            }
        }
    }

    /// Weight and number of samples that ended in each stack.
    fn leaves(&self, profile: &Profile, tree: &CallTree) -> Vec<(i64, u64)> {
        let mut leaves = vec![(0i64, 0u64); profile.stacks.len()];
        let terms = terms(profile, self.metric);
        for id in self.scope.work_tracks(profile) {
            let samples = &profile.track(id).samples;
            let weights: Vec<(i64, &Vec<i64>)> = samples
                .weights
                .iter()
                .filter_map(|(m, w)| Some((terms.iter().find(|t| t.1 == *m)?.0, w)))
                .collect();
            let range = if samples.is_timed() { self.range } else { None };
            for (i, stack) in samples.stacks.iter().enumerate() {
                let Some(stack) = stack.map(|s| s.index()) else { continue };
                let alive = tree.stacks.get(stack).is_some_and(|&n| n != super::call_tree::NO_NODE);
                let (start, end) = samples.interval(i).unwrap_or_default();
                if !alive || !touches(start, end, range) {
                    continue;
                }
                leaves[stack].1 += 1;
                for (factor, weights) in &weights {
                    let weight = weights.get(i).copied().unwrap_or(0).saturating_mul(*factor);
                    leaves[stack].0 = leaves[stack].0.saturating_add(cut(weight, start, end, range));
                }
            }
        }
        leaves
    }

    fn of_samples(
        &self,
        profile: &Profile,
        tree: &CallTree,
        cx: &Context<'_>,
        adding: &mut Adding,
    ) -> Result<(), Cancelled> {
        let rows = profile.stacks.rows();
        let own = self.leaves(profile, tree);
        let mut below = own.clone();
        for i in (0..rows.len()).rev() {
            if let Some(parent) = rows[i].parent {
                let (weight, count) = below[i];
                let sums = &mut below[parent.index()];
                *sums = (sums.0.saturating_add(weight), sums.1 + count);
            }
        }
        cx.job().checkpoint(0, 0)?;
        // Which line each frame of interest stands for.
        let places: Vec<Option<(StringId, u32)>> = profile
            .frames
            .rows()
            .iter()
            .map(|frame| {
                let file = profile.functions.get(frame.function).file;
                let wanted = self.whole_file.map_or(frame.function == self.function, |f| f == file);
                (wanted && (file != Strings::EMPTY || self.whole_file.is_none()))
                    .then_some((file, frame.line))
            })
            .collect();
        let mut open: FxHashMap<(StringId, u32), u32> = FxHashMap::default();
        let mut open_calls: FxHashMap<(StringId, u32, FunctionId), u32> = FxHashMap::default();
        for visit in preorder(profile) {
            let (Visit::Enter(i) | Visit::Leave(i)) = visit;
            if let Some((caller, place)) =
                rows[i].parent.map(|p| rows[p.index()].frame.index()).and_then(|f| Some((f, places[f]?)))
            {
                let callee = profile.frames.get(rows[i].frame).function;
                let on_path = open_calls.entry((place.0, place.1, callee)).or_default();
                match visit {
                    Visit::Leave(_) => *on_path -= 1,
                    Visit::Enter(_) => {
                        *on_path += 1;
                        if *on_path == 1 && below[i].1 > 0 {
                            let recursive = profile.frames.rows()[caller].function == callee;
                            let (cost, count) = (below[i].0, Some(below[i].1));
                            adding.call(place.0, LineCall { line: place.1, callee, count, cost, recursive });
                        }
                    }
                }
            }
            let Some((file, line)) = places[rows[i].frame.index()] else { continue };
            let on_path = open.entry((file, line)).or_default();
            if matches!(visit, Visit::Leave(_)) {
                *on_path -= 1;
                continue;
            }
            *on_path += 1;
            if below[i].1 == 0 {
                continue;
            }
            let outermost = *on_path == 1;
            let row = adding.at(file, line);
            row.own = row.own.saturating_add(own[i].0);
            let (total, count) = (row.total.unwrap_or(0), row.count.unwrap_or(0));
            let (weight, samples) = if outermost { below[i] } else { (0, 0) };
            (row.total, row.count) = (Some(total.saturating_add(weight)), Some(count + samples));
        }
        Ok(())
    }
}

enum Visit {
    Enter(usize),
    Leave(usize),
}

/// All stacks on the way down and on the way up again.
fn preorder(profile: &Profile) -> impl Iterator<Item = Visit> {
    const NONE: u32 = u32::MAX;
    let rows = profile.stacks.rows();
    let (mut first, mut next, mut roots) = (vec![NONE; rows.len()], vec![NONE; rows.len()], NONE);
    for (i, stack) in rows.iter().enumerate().rev() {
        let head = stack.parent.map_or(&mut roots, |p| &mut first[p.index()]);
        next[i] = std::mem::replace(head, i as u32);
    }
    let mut open: Vec<u32> = Vec::new();
    let mut coming = roots;
    std::iter::from_fn(move || {
        if coming != NONE {
            open.push(coming);
            let at = coming as usize;
            coming = first[at];
            return Some(Visit::Enter(at));
        }
        let done = open.pop()? as usize;
        coming = next[done];
        Some(Visit::Leave(done))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, function, subject};
    use crate::model::{FunctionSpec, Metric, NodeCosts, ProfileBuilder, SourceLine, Unit};
    use crate::query::Subject;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn lines(subject: &Subject, name: &str, range: TimeRange) -> Arc<LineTable> {
        let function = function(&subject.profile, name);
        let (scope, metric) = (Scope::default(), MetricId(0));
        ask(subject, &Lines { scope, metric, range, function, whole_file: None })
    }

    fn text(table: &LineTable) -> String {
        let row = |r: &LineRow| {
            let total = r.total.map_or("-".into(), |t| t.to_string());
            format!("{}:{}/{total}/{}", r.line, r.own, r.count.map_or("-".into(), |c| c.to_string()))
        };
        let file = |f: &FileLines| f.rows.iter().map(row).collect::<Vec<_>>().join(" ");
        table.files.iter().map(file).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn samples_count_for_each_line_once() {
        let s = subject(
            "main:7>load:3 10; main:8>load:3>load:3>load:4 5; main:8 1; main>load:9 2; main:7>load 4",
        );
        assert_eq!(text(&lines(&s, "main", None)), "7:0/14/2 8:1/6/2");
        let load = lines(&s, "load", None);
        assert_eq!(text(&load), "3:10/15/2 4:5/5/1 9:2/2/1");
        assert_eq!((load.unplaced, load.own, load.total, load.sum), (4, 21, 21, 22));
        assert_eq!((load.grain, load.sampled), (Grain::Lines, true));
        let s = subject("f:1 @0..10; f:2 @10..20");
        assert_eq!(text(&lines(&s, "f", Some((5, 12)))), "1:5/5/1 2:2/2/1");
    }

    #[test]
    fn what_has_no_lines_stands_at_the_definition() {
        let mut b = ProfileBuilder::new("test");
        let time = b.metric(Metric::time());
        let spec = |name, line| FunctionSpec { name, file: "a.py", line, ..FunctionSpec::default() };
        for (name, line, own) in [("f", 3, 10), ("g", 9, 20)] {
            let f = b.function(spec(name, line));
            let node = b.node(f);
            b.node_cost(node, time, NodeCosts { own, total: own + 5 });
        }
        let s = Subject { run: 1, revision: 0, profile: Arc::new(b.finish()) };
        let f = lines(&s, "f", None);
        assert_eq!((text(&f).as_str(), f.grain), ("3:10/15/-", Grain::Definition));
        let function = function(&s.profile, "f");
        let whole_file = s.profile.strings.find("a.py");
        let query = Lines { scope: Scope::default(), metric: time, range: None, function, whole_file };
        assert_eq!(text(&ask(&s, &query)), "3:10/15/- 9:20/25/-");
    }

    #[test]
    fn lines_of_a_call_graph_follow_formulas_and_files() {
        let mut b = ProfileBuilder::new("test");
        let (ir, bm) =
            (b.metric(Metric::new("Ir", "", Unit::Count)), b.metric(Metric::new("Bm", "", Unit::Count)));
        let sum = Metric { formula: vec![(1, ir), (10, bm)], ..Metric::new("CEst", "", Unit::Count) };
        let sum = b.metric(sum);
        let (c, h) = (b.string("a.c"), b.string("b.h"));
        for name in ["main", "other"] {
            let f = b.function(FunctionSpec { name, file: "a.c", ..FunctionSpec::default() });
            let node = b.node(f);
            b.node_cost(node, ir, NodeCosts { own: 9, total: 9 });
            b.node_cost(node, bm, NodeCosts { own: 3, total: 3 });
            b.line_cost(SourceLine { node, file: c, line: 4 }, &[5, 1]);
            b.line_cost(SourceLine { node, file: h, line: 2 }, &[3, 2]);
            b.line_cost(SourceLine { node, file: c, line: 0 }, &[1, 0]);
        }
        let s = Subject { run: 1, revision: 0, profile: Arc::new(b.finish()) };
        let function = function(&s.profile, "main");
        let query = Lines { scope: Scope::default(), metric: sum, range: None, function, whole_file: None };
        let main = ask(&s, &query);
        assert_eq!((text(&main).as_str(), main.unplaced), ("4:15/-/- | 2:23/-/-", 1));
        assert_eq!(main.files[0].file, c);
        assert_eq!(text(&ask(&s, &Lines { whole_file: Some(h), ..query })), "2:46/-/-");
    }

    /// «line:callee cost/count» of all files.
    fn calls(subject: &Subject, table: &LineTable) -> String {
        let call = |c: &LineCall| {
            let own = if c.recursive { "!" } else { "" };
            let count = c.count.map_or("-".into(), |n| n.to_string());
            format!("{}:{}{own} {}/{count}", c.line, subject.profile.function_name(c.callee), c.cost)
        };
        table.files.iter().flat_map(|f| &f.calls).map(call).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn calls_of_a_line_are_told_by_samples() {
        let s = subject("main:7>load:3>load:3>read:1 10; main:7>save 4; main:8>load:4 5; other:7>load 1");
        assert_eq!(calls(&s, &lines(&s, "main", None)), "7:load 10/1 7:save 4/1 8:load 5/1");
        let load = lines(&s, "load", None);
        assert_eq!(calls(&s, &load), "3:load! 10/1 3:read 10/1");
        assert!(load.has_calls);
    }

    #[test]
    fn calls_of_a_line_are_those_of_the_graph() {
        let mut b = ProfileBuilder::new("test");
        let time = b.metric(Metric::time());
        let file = b.string("a.c");
        let nodes = ["main", "work"].map(|name| {
            let f = b.function(FunctionSpec { name, file: "a.c", ..FunctionSpec::default() });
            let node = b.node(f);
            b.node_cost(node, time, NodeCosts { own: 6, total: 60 });
            node
        });
        b.line_cost(SourceLine { node: nodes[0], file, line: 3 }, &[6]);
        let mut call = |caller: usize, callee: usize, line, calls, cost| {
            let site = crate::model::CallSite { caller: nodes[caller], file, line, callee: nodes[callee] };
            b.call_site(site, Some(calls), &[cost]);
        };
        call(0, 1, 3, 2, 40);
        call(0, 0, 3, 1, 30);
        call(0, 1, 4, 5, 20);
        call(1, 1, 9, 8, 10);
        let s = Subject { run: 1, revision: 0, profile: Arc::new(b.finish()) };
        let main = lines(&s, "main", None);
        assert_eq!(text(&main), "3:6/46/3 4:0/20/5", "a call of itself is in the outer call already");
        assert_eq!(calls(&s, &main), "3:work 40/2 3:main! 30/1 4:work 20/5");
        let function = function(&s.profile, "main");
        let query =
            Lines { scope: Scope::default(), metric: time, range: None, function, whole_file: Some(file) };
        assert!(calls(&s, &ask(&s, &query)).ends_with("9:work! 10/8"));
    }

    #[test]
    fn a_deep_recursion_is_no_trouble() {
        let s = subject(&format!("{} 1", vec!["f:5"; 100_000].join(">")));
        assert_eq!(text(&lines(&s, "f", None)), "5:1/1/1");
    }

    proptest! {
        #[test]
        fn lines_add_up_to_the_function(
            stacks in proptest::collection::vec((proptest::collection::vec((0u8..3, 0u8..3), 1..6), 0i64..50), 1..20),
        ) {
            let line = |(stack, w): &(Vec<(u8, u8)>, i64)| {
                let names: Vec<String> = stack.iter().map(|(f, l)| format!("f{f}:{l}")).collect();
                format!("{} {w}", names.join(">"))
            };
            let s = subject(&stacks.iter().map(line).collect::<Vec<_>>().join(";"));
            for f in 0..3u8 {
                if s.profile.functions.ids().all(|i| s.profile.function_name(i) != format!("f{f}")) {
                    continue;
                }
                let table = lines(&s, &format!("f{f}"), None);
                if table.grain != Grain::Lines {
                    continue;
                }
                let own: i64 = table.files.iter().flat_map(|x| &x.rows).map(|r| r.own).sum();
                prop_assert_eq!(own + table.unplaced, table.own);
                for row in table.files.iter().flat_map(|x| &x.rows) {
                    let has = |st: &[(u8, u8)]| st.contains(&(f, row.line as u8));
                    let total: i64 = stacks.iter().filter(|(st, _)| has(st)).map(|(_, w)| w).sum();
                    prop_assert_eq!(row.total, Some(total));
                }
            }
        }
    }
}
