//! `tree`: the call tree, pruned best-first to the budget.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;
use serde_json::json;

use super::arguments::{Argument, BUDGET_OF, Kind, METRIC, RANGE, THREAD};
use super::names::Names;
use super::sheet::{self, LEAST_TOKENS, Part, Row};
use super::tokens::estimate;
use super::{Asked, Question, Refusal, Sheet, notes, words};
use crate::analysis::call_tree::NO_NODE;
use crate::analysis::expansion::Expansion;
use crate::analysis::formula::Measure;
use crate::analysis::inverted::{Inverted, InvertedRows};
use crate::analysis::tree_rows::Sort;
use crate::analysis::waiting::Waiting;
use crate::analysis::{Costs, Functions, Slice, Transform, TreeCosts, nothing};
use crate::format;
use crate::model::{Basis, FunctionId, Unit};

pub(super) const QUESTION: Question = Question {
    name: "tree",
    about: "The call tree, its largest parts first",
    files: &["file"],
    arguments: &[
        Argument::new("root", Kind::Text, "only what runs below this function"),
        Argument::new("inverted", Kind::Flag, "from functions with self cost up to their callers"),
        THREAD,
        RANGE,
        METRIC,
        BUDGET_OF,
    ],
    bare: "root",
    example: "inferscope tree run.speedscope.json --root handle_request",
    answer,
};

/// A row that takes so much of its caller's total, alone, stands on the caller's line.
const ALL_OF_IT: f64 = 0.99;
/// Own costs below this share of the whole are not written.
const LEAST_OWN: f64 = 0.001;
/// Share of a tree that is placed below which it tells little.
const TELLS_LITTLE: f64 = 0.9;
/// Levels that are shown by how far a line is to the right.
const MOST_INDENT: u32 = 24;

/// The nodes of a tree of calls, or of callers.
enum Nodes<'a> {
    /// There may be millions of them; few are looked at.
    Calls(&'a TreeCosts),
    Callers(Vec<Node>),
}

impl Nodes<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Calls(costs) => costs.tree.nodes.len(),
            Self::Callers(nodes) => nodes.len(),
        }
    }

    fn get(&self, n: u32) -> Node {
        match self {
            Self::Calls(costs) => of_calls(costs, n),
            Self::Callers(nodes) => nodes[n as usize],
        }
    }

    /// Those below a node, or those that nothing is above.
    fn below(&self, n: u32) -> Vec<u32> {
        match self {
            Self::Calls(costs) => costs.tree.children((n != NO_NODE).then_some(n)).collect(),
            Self::Callers(nodes) => {
                (0u32..).zip(nodes).filter(|(_, node)| node.parent == n).map(|(i, _)| i).collect()
            }
        }
    }

    /// What shows a node before others.
    fn rank(&self, n: u32) -> i64 {
        match self {
            Self::Calls(costs) => costs.total[n as usize].saturating_abs(),
            Self::Callers(nodes) => nodes[n as usize].rank,
        }
    }

    /// Sum of all self costs.
    fn own(&self) -> i64 {
        let sum = |sum: i64, own: i64| sum.saturating_add(own);
        match self {
            Self::Calls(costs) => costs.own.iter().copied().fold(0, sum),
            Self::Callers(nodes) => nodes.iter().map(|n| n.own).fold(0, sum),
        }
    }
}

/// A tree as this question shows one.
struct Shown<'a> {
    nodes: Nodes<'a>,
    /// Cost of everything.
    whole: i64,
    unit: Unit,
    names: &'a Names<'a>,
}

#[derive(Clone, Copy)]
struct Node {
    symbol: crate::analysis::path::Symbol,
    parent: u32,
    own: i64,
    total: i64,
    count: Option<u64>,
    unfinished: u64,
    /// What decides which nodes are shown, and which stand first; who waits comes last.
    rank: i64,
}

fn answer(asked: &Asked<'_>) -> Result<Sheet, Refusal> {
    let p = asked.profile();
    let (mut slice, left_out) = asked.working_slice()?;
    let Some(metric) = Measure::of(slice.metric, p) else { return Err(notes::no_costs(p).into()) };
    let whole_slice = slice.clone();
    let root = asked.values.text("root").map(|text| asked.function(text)).transpose()?;
    if let Some(root) = root {
        slice.scope.transforms.push(Transform::FocusFunction(p.keys().symbol(root)));
    }
    let costs = asked.get(&Costs(slice.clone()))?;
    let whole = match root {
        Some(_) => asked.get(&Functions(whole_slice.clone()))?.whole,
        None => costs.whole,
    };
    let inverted = asked.values.flag("inverted");
    // Callers divide self costs.
    let whole = if inverted { whole.own } else { whole.total };
    let names = Names::of(asked)?;
    let head = head(asked, &costs, &metric, whole, root.map(|f| names.full(f)))?;
    let mut sheet = Sheet::new(head, asked.budget());
    sheet.function = root;
    sheet.value("sum", whole);
    sheet.value("unit", metric.unit.key());
    sheet.value("estimated", costs.gaps.is_some());
    if costs.tree.nodes.is_empty() || whole == 0 {
        sheet.notes.push(nothing::why(p, &slice).text(p, slice.metric));
        return Ok(sheet);
    }
    sheet.notes.extend(left_out);
    sheet.notes.extend(loss(asked, &costs, &whole_slice, &metric, root)?);
    let nodes = if inverted { Nodes::Callers(callers(asked, slice)?) } else { Nodes::Calls(&costs) };
    let tree = Shown { nodes, whole, unit: metric.unit, names: &names };
    let fixed = sheet.head.iter().chain(&sheet.notes).map(|l| estimate(l) + 1).sum::<usize>()
        + estimate(&rest(asked, 1000, 1, 1))
        + 2;
    let (order, rows) = if asked.whole { tree.all() } else { tree.fit(fixed, asked.budget()) };
    let left = tree.nodes.len() - order.len();
    let shown: i64 = order.iter().map(|&n| tree.nodes.get(n).own).fold(0, i64::saturating_add);
    let all = tree.nodes.own();
    if left > 0 {
        sheet.notes.push(rest(asked, left, all.saturating_sub(shown), all));
    }
    // What fits was measured, so all of it is shown.
    sheet.budget = usize::MAX;
    sheet.part(Part::new("paths", "", rows));
    Ok(sheet)
}

fn head(
    asked: &Asked<'_>,
    costs: &TreeCosts,
    metric: &Measure,
    whole: i64,
    root: Option<String>,
) -> Result<String, Refusal> {
    let basis = match &costs.tree.basis {
        Basis::Estimated(_) => "estimated from calls between pairs of functions".to_owned(),
        other => words::basis(asked.profile(), other),
    };
    let below = root.map_or_else(String::new, |name| format!(" below {name}"));
    let any = |counts: &[u64]| counts.iter().any(|n| *n > 0);
    let count = match (any(&costs.calls), any(&costs.samples)) {
        (true, _) => ", calls",
        (false, true) => ", samples",
        (false, false) => "",
    };
    let columns = match asked.values.flag("inverted") {
        true => format!("self of the first name, %, callers{count}"),
        false => format!("total, %, functions, self{count}"),
    };
    let of = words::cost(metric.unit, whole);
    Ok(format!("{columns}{below}; % of {of} {}{}; {basis}", metric.label, asked.part()?))
}

/// What an estimated tree lacks.
fn loss(
    asked: &Asked<'_>,
    costs: &TreeCosts,
    whole: &Slice,
    metric: &Measure,
    root: Option<FunctionId>,
) -> Result<Vec<String>, Refusal> {
    let Some(gaps) = &costs.gaps else { return Ok(Vec::new()) };
    let mut said = Vec::new();
    // Of a tree below a function the whole is what that one costs.
    let table = asked.get(&Functions(whole.clone()))?;
    let all = match root {
        Some(f) => table.rows.iter().find(|r| r.function == f).map_or(0, |r| r.total),
        None => costs.whole.total,
    };
    let placed = costs.own.iter().fold(0i64, |sum, &own| sum.saturating_add(own));
    if let Some(share) = format::share(placed, all).filter(|s| *s < TELLS_LITTLE) {
        said.push(format!(
            "the estimate holds {} of the cost: the file records pairs of functions, no paths; callers has exact numbers",
            format::percent(share)
        ));
    } else {
        said.extend(
            gaps.words(metric.unit, costs.whole.total)
                .into_iter()
                .map(|w| format!("… {}", w.replace(format::GROUP, ""))),
        );
    }
    Ok(said)
}

fn rest(asked: &Asked<'_>, paths: usize, own: i64, all: i64) -> String {
    let more = asked.more_budget();
    let root = asked.door.argument("root", "NAME");
    format!("… {paths} more paths with {} of self cost; {more} or {root}", words::share(own, all))
}

fn of_calls(costs: &TreeCosts, n: u32) -> Node {
    let (i, node) = (n as usize, &costs.tree.nodes[n as usize]);
    Node {
        symbol: node.symbol,
        parent: node.parent,
        own: costs.own[i],
        total: costs.total[i],
        count: costs.count(n),
        unfinished: costs.unfinished.get(i).copied().unwrap_or(0),
        rank: costs.total[i].saturating_abs(),
    }
}

/// Rows of callers that are opened at most.
const MOST_ROWS: usize = 2000;

/// The bottom-up tree: opened where it costs most, level by level.
fn callers(asked: &Asked<'_>, slice: Slice) -> Result<Vec<Node>, Refusal> {
    let mut open = Expansion::default();
    let mut query = Inverted {
        costs: Costs(slice),
        sort: Sort::default(),
        expanded: open.clone(),
        search: String::new(),
    };
    let mut rows = asked.get(&query)?;
    loop {
        let mut closed: Vec<_> = rows.rows.iter().filter(|r| r.has_children && !r.expanded).collect();
        closed.sort_by_key(|r| Reverse(r.cost));
        let most = if asked.whole { MOST_ROWS } else { MOST_ROWS.min(asked.budget() / LEAST_TOKENS) };
        if closed.is_empty() || rows.rows.len() >= most {
            return Ok(of_callers(&rows, &asked.get(&Waiting)?));
        }
        closed.iter().take(32).for_each(|r| open.set(r.key, true));
        query.expanded = open.clone();
        rows = asked.get(&query)?;
    }
}

fn of_callers(rows: &InvertedRows, waits: &[bool]) -> Vec<Node> {
    // Who waits does not lead.
    let mut root_waits = false;
    let mut node = |r: &crate::analysis::inverted::InvertedRow| {
        root_waits = if r.depth == 0 { waits[r.symbol.function().index()] } else { root_waits };
        let rank = if root_waits { 0 } else { r.cost.saturating_abs() };
        Node {
            symbol: r.symbol,
            parent: r.parent,
            own: if r.depth == 0 { r.cost } else { 0 },
            total: r.cost,
            count: r.count,
            unfinished: r.unfinished,
            rank,
        }
    };
    rows.rows.iter().map(&mut node).collect()
}

impl Shown<'_> {
    /// The largest nodes, none without its caller, in the order in which they are taken.
    fn largest(&self, most: usize) -> Vec<u32> {
        let size = |n: u32| (self.nodes.rank(n), Reverse(n));
        let mut next: BinaryHeap<(i64, Reverse<u32>)> =
            self.nodes.below(NO_NODE).into_iter().map(size).collect();
        let mut taken = Vec::new();
        while let Some((_, Reverse(n))) = next.pop().filter(|_| taken.len() < most) {
            taken.push(n);
            next.extend(self.nodes.below(n).into_iter().map(size));
        }
        taken
    }

    /// All nodes and their lines.
    fn all(&self) -> (Vec<u32>, Vec<Row>) {
        let order = self.largest(self.nodes.len());
        let lines = self.lines(&order);
        (order, lines)
    }

    /// As many of the largest nodes as there is room for beside `fixed` tokens, and their lines.
    fn fit(&self, fixed: usize, budget: usize) -> (Vec<u32>, Vec<Row>) {
        let room = budget.saturating_sub(fixed);
        let mut order = self.largest(self.nodes.len().min(room));
        let tokens = |rows: &[Row]| rows.iter().map(|r| estimate(&r.text) + 1).sum::<usize>();
        let (mut fits, mut over) = (0, order.len() + 1);
        while fits + 1 < over {
            let middle = fits + (over - fits) / 2;
            if tokens(&self.lines(&order[..middle])) <= room { fits = middle } else { over = middle }
        }
        // One more may lead as far above as the answer is below.
        let with = |n: usize| fixed + tokens(&self.lines(&order[..n]));
        if fits < order.len() && sheet::fits(with(fits), with(fits + 1), budget) {
            fits += 1;
        }
        order.truncate(fits);
        let lines = self.lines(&order);
        (order, lines)
    }

    /// The lines of some nodes: one that its caller calls alone stands on the caller's line.
    fn lines(&self, nodes: &[u32]) -> Vec<Row> {
        let nodes = self.in_order(nodes);
        let places: FxHashMap<u32, usize> = nodes.iter().enumerate().map(|(i, &n)| (n, i)).collect();
        let place = |n: u32| places.get(&n).copied();
        let mut children = vec![0u32; nodes.len()];
        for &n in &nodes {
            if let Some(parent) = place(self.nodes.get(n).parent) {
                children[parent] += 1;
            }
        }
        // For each line the nodes on it, and its level.
        let mut lines: Vec<(Vec<u32>, u32)> = Vec::new();
        let mut line_of = vec![0usize; nodes.len()];
        for (i, &n) in nodes.iter().enumerate() {
            let node = self.nodes.get(n);
            let above = place(node.parent);
            let joins = above.is_some_and(|a| {
                let parent = self.nodes.get(nodes[a]);
                children[a] == 1
                    && node.total as f64 >= parent.total as f64 * ALL_OF_IT
                    && node.total <= parent.total
            });
            match above {
                Some(a) if joins => {
                    line_of[i] = line_of[a];
                    lines[line_of[a]].0.push(n);
                }
                _ => {
                    line_of[i] = lines.len();
                    let level = above.map_or(0, |a| lines[line_of[a]].1 + 1);
                    lines.push((vec![n], level));
                }
            }
        }
        lines.iter().map(|(run, level)| self.line(run, *level)).collect()
    }

    /// Callers before what they call, the largest of these first.
    fn in_order(&self, nodes: &[u32]) -> Vec<u32> {
        let mut below: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for &n in nodes {
            below.entry(self.nodes.get(n).parent).or_default().push(n);
        }
        below.values_mut().for_each(|nodes| nodes.sort_by_key(|&n| (self.nodes.rank(n), Reverse(n))));
        let mut open = below.remove(&NO_NODE).unwrap_or_default();
        let mut ordered = Vec::with_capacity(nodes.len());
        while let Some(n) = open.pop() {
            ordered.push(n);
            open.extend(below.remove(&n).unwrap_or_default());
        }
        ordered
    }

    fn line(&self, run: &[u32], level: u32) -> Row {
        let of = |n: &u32| self.nodes.get(*n);
        let (first, last) = (of(&run[0]), run.last().map_or(of(&run[0]), of));
        let names: Vec<String> = run.iter().map(|n| self.names.symbol(of(n).symbol)).collect();
        // What calls itself again and again is named once.
        let shown: Vec<String> = names
            .chunk_by(|a, b| a == b)
            .map(|same| match same.len() {
                1 => same[0].clone(),
                n => format!("{} ({n} deep)", same[0]),
            })
            .collect();
        let indent = " ".repeat(level.min(MOST_INDENT) as usize);
        let deep = if level > MOST_INDENT { format!("[{level}] ") } else { String::new() };
        let least = format::at_least(first.unfinished);
        let mut text = format!(
            "{indent}{deep}{least}{} {} {}",
            words::cost(self.unit, first.total),
            words::share(first.total, self.whole),
            shown.join(" → "),
        );
        let own: i64 = run.iter().map(|n| of(n).own).fold(0, i64::saturating_add);
        if own != first.total && own as f64 >= self.whole as f64 * LEAST_OWN {
            text += &format!(" self {}", words::cost(self.unit, own));
        }
        if let Some(count) = last.count.filter(|&c| c > 1) {
            text += &format!(" ×{count}");
        }
        let json = json!({
            "path": names, "level": level, "total": first.total, "own": own, "count": last.count,
        });
        Row::new(text, json)
    }
}
