//! The functions of two runs side by side.

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::evidence::{self, Evidence};
use super::metrics::Chosen;
use super::{Compared, Cost, State, Two};
use crate::analysis::formula::Measure;
use crate::analysis::functions::{FunctionTable, Functions};
use crate::analysis::matches::{MatchQuery, Matches};
use crate::analysis::path::Symbol;
use crate::analysis::scope::{Scope, Slice, TimeRange, Transform};
use crate::analysis::whole::Whole;
use crate::jobs::Cancelled;
use crate::model::{Basis, Calls, NameKey, Profile, SymbolKey};
use crate::query::{Context, Pair, Query, Step};

/// What a row is called in all runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// A function.
    Function(SymbolKey),
    /// The functions of a module, where a transform shows them as one.
    Module(NameKey),
    /// Frames that a transform hides.
    Hidden,
}

impl RowKey {
    /// The key of a symbol of this profile.
    #[must_use]
    pub fn of(symbol: Symbol, profile: &Profile) -> Self {
        match symbol {
            Symbol::Function(f) => Self::Function(profile.keys().symbol(f)),
            Symbol::Module(m, _) => Self::Module(NameKey::from(profile.text(m))),
            Symbol::Hidden { .. } => Self::Hidden,
        }
    }
}

/// One run of a side, with its costs.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The profile.
    pub profile: Arc<Profile>,
    /// Its functions, in the metric that is compared.
    pub table: Arc<FunctionTable>,
}

/// What a function costs on one side: of several runs the median of each figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half {
    /// The run of the side that has it, and what it is there.
    pub run: u32,
    /// The same.
    pub symbol: Symbol,
    /// What it costs.
    pub cost: Cost,
    /// Calls, where they were counted.
    pub calls: Option<Calls>,
}

/// A function on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is called on either side.
    pub keys: Two<RowKey>,
    /// Its costs; a side without it never called it.
    pub halves: Two<Half>,
    /// How the two were found to be the same.
    pub step: Option<Step>,
    /// What repeated runs say of the own cost, with p corrected for the number of rows; `None` for one run each.
    pub evidence: Option<Evidence>,
    /// The other run has the function, too, but its estimated call paths lead it elsewhere than into the part that is compared.
    pub unplaced: bool,
}

impl Compared for Row {
    fn costs(&self) -> Two<Cost> {
        self.halves.map(|h| h.cost)
    }

    fn unplaced(&self) -> bool {
        self.unplaced
    }
}

impl Row {
    /// The function, as the new run names it, else as the baseline does; `None` for rows that are none.
    #[must_use]
    pub fn symbol(&self) -> Option<SymbolKey> {
        match self.keys.head.or(self.keys.base)? {
            RowKey::Function(symbol) => Some(symbol),
            RowKey::Module(_) | RowKey::Hidden => None,
        }
    }

    /// Δ of the total in two parts: what comes of more or fewer calls, each at the mean of what one takes in either run, and what of each
    /// call taking more or less. With the runs exchanged both turn round. `None` unless calls were counted on both sides.
    #[must_use]
    pub fn split(&self) -> Option<(i64, i64)> {
        let (base, head) = (self.halves.base?, self.halves.head?);
        let (before, after) = (base.calls?.primitive, head.calls?.primitive);
        if before == 0 || after == 0 {
            return None;
        }
        let more = (i128::from(after) - i128::from(before)) as f64;
        let each = base.cost.total as f64 / before as f64 + head.cost.total as f64 / after as f64;
        let by_calls = (more * each / 2.0).round() as i64;
        Some((by_calls, head.cost.total.saturating_sub(base.cost.total).saturating_sub(by_calls)))
    }
}

/// What share of the costs has a partner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Matched {
    /// Pairs.
    pub rows: usize,
    /// Share of the own costs of the baseline, 0 to 1.
    pub share_base: f64,
    /// Share of the own costs of the new run.
    pub share_head: f64,
}

impl Matched {
    /// Share below which two runs are of different programs.
    pub const SAME_PROGRAM: f64 = 0.5;

    /// True when too little is in both runs for a comparison to mean much.
    #[must_use]
    pub fn is_other_program(&self) -> bool {
        self.share_base < Self::SAME_PROGRAM && self.share_head < Self::SAME_PROGRAM
    }

    /// The side of which less than [`Self::SAME_PROGRAM`] has a partner, with that share, though most of the other has: true
    /// for the baseline. A function that dominated is gone or new, or another program was recorded.
    #[must_use]
    pub fn lacking_side(&self) -> Option<(bool, f64)> {
        match (self.share_base < Self::SAME_PROGRAM, self.share_head < Self::SAME_PROGRAM) {
            (true, false) => Some((true, self.share_base)),
            (false, true) => Some((false, self.share_head)),
            _ => None,
        }
    }
}

/// What shares of costs of two sides are of: the median of their runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wholes {
    /// Of self costs.
    pub own: Two<i64>,
    /// Of total costs.
    pub total: Two<i64>,
}

fn sides_of(sides: &[Side; 2], of: impl Fn(&Whole) -> i64) -> Two<i64> {
    let [base, head] = sides.each_ref().map(|side| median(side.wholes.iter().map(&of).collect()));
    Two::both(base, head)
}

/// The functions of two runs.
#[derive(Clone, Debug)]
pub struct FunctionDiff {
    /// All rows, by |Δ own|, largest first.
    pub rows: Vec<Row>,
    /// Sum of the own costs of each side: Δ of the rows add up to its Δ.
    pub sum: Two<i64>,
    /// What shares are of.
    pub whole: Wholes,
    /// All calls, where they were counted.
    pub calls: Two<u64>,
    /// What has a partner.
    pub matched: Matched,
    /// What repeated runs say of the sum.
    pub evidence: Option<Evidence>,
    /// Place in `rows` by key, for base and head.
    places: [FxHashMap<RowKey, u32>; 2],
}

impl FunctionDiff {
    /// Compares two sides, each one run or several of the same.
    ///
    /// `matches` says which functions of the first run of each are the same; functions that only later runs have pair
    /// by their whole key.
    #[must_use]
    pub fn of(base: &[Measured], head: &[Measured], matches: &Matches) -> Self {
        let sides = [Side::of(base), Side::of(head)];
        let pairs = Pairs::of(&sides, base, head, matches);
        let several = base.len() + head.len() > 2;
        let made = |b: Option<usize>, h: Option<usize>, step| Made {
            row: Row {
                keys: Two { base: b.map(|b| sides[0].keys[b]), head: h.map(|h| sides[1].keys[h]) },
                halves: Two { base: b.map(|b| sides[0].half(b)), head: h.map(|h| sides[1].half(h)) },
                step,
                evidence: several.then(|| evidence_of(&sides, b, h)).flatten(),
                unplaced: false,
            },
            at: [b, h],
        };
        let mut rows: Vec<Made> =
            pairs.pairs.iter().map(|&(b, h, step)| made(Some(b), Some(h), Some(step))).collect();
        rows.extend(pairs.only_base.iter().map(|&b| made(Some(b), None, None)));
        rows.extend(pairs.only_head.iter().map(|&h| made(None, Some(h), None)));
        rows.sort_by_cached_key(|m| {
            let delta = |two: Two<i64>| Reverse(two.delta().unwrap_or(0).unsigned_abs());
            (delta(m.row.own()), delta(m.row.total()), m.at)
        });
        let mut places: [FxHashMap<RowKey, u32>; 2] = Default::default();
        for (i, m) in rows.iter().enumerate() {
            for side in 0..2 {
                if let Some(at) = m.at[side] {
                    places[side].insert(sides[side].keys[at], i as u32);
                }
            }
        }
        let mut rows: Vec<Row> = rows.into_iter().map(|m| m.row).collect();
        correct(&mut rows);
        let sum = Two::both(sides[0].sum(), sides[1].sum());
        let whole = Wholes { own: sides_of(&sides, |w| w.own), total: sides_of(&sides, |w| w.total) };
        let matched = matched(&rows);
        let sums = |side: &Side| side.sums.iter().map(|&s| s as f64).collect::<Vec<_>>();
        let evidence = Evidence::of(&sums(&sides[0]), &sums(&sides[1]), evidence::PRACTICAL);
        let calls = Two { base: sides[0].calls(), head: sides[1].calls() };
        Self { rows, sum, whole, calls, matched, evidence, places }
    }

    /// The row of a symbol of one of the runs of the baseline (`base`) or of the new run.
    #[must_use]
    pub fn row_of(&self, key: RowKey, base: bool) -> Option<u32> {
        self.places[usize::from(!base)].get(&key).copied()
    }

    /// The row of another comparison of the same runs, as of another metric, that is about the same function.
    #[must_use]
    pub fn same_row(&self, row: &Row) -> Option<u32> {
        let of = |key: Option<RowKey>, base| key.and_then(|key| self.row_of(key, base));
        of(row.keys.base, true).or_else(|| of(row.keys.head, false))
    }

    /// Bytes held.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.rows.len() * (size_of::<Row>() + 2 * size_of::<(RowKey, u32)>())
    }
}

struct Made {
    row: Row,
    at: [Option<usize>; 2],
}

/// All functions of the runs of a side.
struct Side {
    keys: Vec<RowKey>,
    /// The first run that has it, and what it is there.
    first: Vec<(u32, Symbol)>,
    /// Per key and run, in one run after the other; `None` where the run does not have it.
    values: Vec<Vec<Option<Half>>>,
    /// Sum of own costs per run.
    sums: Vec<i64>,
    /// What shares are of, per run.
    wholes: Vec<Whole>,
    all_calls: Vec<Option<u64>>,
}

impl Side {
    fn of(runs: &[Measured]) -> Self {
        let (mut keys, mut first) = (Vec::new(), Vec::new());
        let mut places: FxHashMap<RowKey, usize> = FxHashMap::default();
        let mut values: Vec<Vec<Option<Half>>> = Vec::with_capacity(runs.len());
        for (number, run) in runs.iter().enumerate() {
            let mut column = vec![None; keys.len()];
            for row in &run.table.rows {
                let symbol = row.symbol();
                let key = RowKey::of(symbol, &run.profile);
                let at = *places.entry(key).or_insert_with(|| {
                    keys.push(key);
                    first.push((number as u32, symbol));
                    keys.len() - 1
                });
                column.resize(keys.len().max(column.len()), None);
                let cost = Cost { own: row.own, total: row.total };
                let half = Half { run: number as u32, symbol, cost, calls: row.calls };
                column[at] = Some(half);
            }
            values.push(column);
        }
        values.iter_mut().for_each(|column| column.resize(keys.len(), None));
        let sums = runs.iter().map(|r| r.table.own_sum).collect();
        let wholes = runs.iter().map(|r| r.table.whole).collect();
        let all_calls = runs.iter().map(|r| r.table.calls.map(|c| c.all)).collect();
        Self { keys, first, values, sums, wholes, all_calls }
    }

    /// Figures of a function in all runs; a run that did not call it spent nothing on it.
    fn own(&self, at: usize) -> Vec<f64> {
        self.values.iter().map(|column| column[at].map_or(0.0, |h| h.cost.own as f64)).collect()
    }

    fn half(&self, at: usize) -> Half {
        let of_runs = || self.values.iter().map(|column| column[at]);
        let middle = |value: &dyn Fn(&Half) -> i64| {
            median(of_runs().map(|half| half.as_ref().map_or(0, value)).collect())
        };
        let counted = of_runs().flatten().all(|h| h.calls.is_some());
        let count =
            |value: &dyn Fn(Calls) -> u64| middle(&|h| h.calls.map_or(0, |c| value(c) as i64)).max(0) as u64;
        let (run, symbol) = self.first[at];
        Half {
            run,
            symbol,
            cost: Cost { own: middle(&|h| h.cost.own), total: middle(&|h| h.cost.total) },
            calls: counted.then(|| Calls { all: count(&|c| c.all), primitive: count(&|c| c.primitive) }),
        }
    }

    fn sum(&self) -> i64 {
        median(self.sums.clone())
    }

    fn calls(&self) -> Option<u64> {
        let all: Option<Vec<i64>> = self.all_calls.iter().map(|c| c.map(|c| c as i64)).collect();
        all.filter(|all| !all.is_empty()).map(|all| median(all).max(0) as u64)
    }
}

/// The median of what all runs know; `None` where one does not know it.
pub fn median_of(values: impl IntoIterator<Item = Option<i64>>) -> Option<i64> {
    let values: Option<Vec<i64>> = values.into_iter().collect();
    values.filter(|v| !v.is_empty()).map(median)
}

/// The middle one; of an even number the mean of the two in the middle, rounded.
fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    match values.len() {
        0 => 0,
        n if n % 2 == 1 => values[middle],
        _ => ((i128::from(values[middle - 1]) + i128::from(values[middle])) / 2) as i64,
    }
}

/// Which rows of two sides belong together.
#[derive(Default)]
struct Pairs {
    pairs: Vec<(usize, usize, Step)>,
    only_base: Vec<usize>,
    only_head: Vec<usize>,
}

impl Pairs {
    fn of(sides: &[Side; 2], base: &[Measured], head: &[Measured], matches: &Matches) -> Self {
        let place: FxHashMap<RowKey, usize> =
            sides[1].keys.iter().enumerate().map(|(i, &key)| (key, i)).collect();
        let first = base.first().zip(head.first());
        // The partner of a key of the base.
        let partner = |key: RowKey| match (key, first) {
            (RowKey::Function(symbol), Some((base, head))) => match base.profile.keys().function(symbol) {
                Some(function) => matches
                    .to_head(function)
                    .map(|(there, step)| (RowKey::Function(head.profile.keys().symbol(there)), step)),
                None => Some((key, Step::Exact)),
            },
            _ => Some((key, Step::Exact)),
        };
        let mut taken = vec![false; sides[1].keys.len()];
        let mut found = Self::default();
        for (b, &key) in sides[0].keys.iter().enumerate() {
            let at = partner(key).and_then(|(key, step)| Some((*place.get(&key)?, step)));
            match at.filter(|&(h, _)| !taken[h]) {
                Some((h, step)) => {
                    taken[h] = true;
                    found.pairs.push((b, h, step));
                }
                None => found.only_base.push(b),
            }
        }
        found.only_head = (0..taken.len()).filter(|&h| !taken[h]).collect();
        found
    }
}

/// Asks for the [`FunctionDiff`] of a pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffFunctions {
    /// Which part of both.
    pub scope: Scope,
    /// Which metric, on either side.
    pub metric: Chosen,
    /// Which time of both.
    pub range: TimeRange,
}

impl DiffFunctions {
    /// The part of the baseline (`base`) or of the new run, in its metric. What is focused on, merged or left out is in
    /// either run what it is called there.
    pub(super) fn of(&self, base: bool, cx: &Context<'_, Pair>) -> Result<Slice, Cancelled> {
        let (here, there) = if base { (cx.base(), cx.head()) } else { (cx.head(), cx.base()) };
        let metric = if base { self.metric.base } else { self.metric.head };
        let mut scope = self.scope.clone();
        let lacks = |t: &Transform| !t.fits(here.profile());
        if scope.transforms.iter().any(lacks) {
            let matches = cx.get(&MatchQuery)?;
            let name = |key: SymbolKey| {
                let Some(function) = there.profile().keys().function(key) else { return key };
                if here.profile().keys().function(key).is_some() {
                    return key;
                }
                let partner = if base { matches.to_base(function) } else { matches.to_head(function) };
                partner.map_or(key, |(found, _)| here.profile().keys().symbol(found))
            };
            scope.transforms = scope.transforms.iter().map(|t| t.renamed(name)).collect();
        }
        Ok(Slice { scope, metric, range: self.range })
    }
}

impl DiffFunctions {
    /// All runs of a side with their functions, the first one first. Of repetitions those are left out that lack the metric.
    pub(super) fn measured(&self, base: bool, cx: &Context<'_, Pair>) -> Result<Vec<Measured>, Cancelled> {
        let slice = self.of(base, cx)?;
        let mut found = Vec::new();
        for (number, run) in cx.runs(base).enumerate() {
            if number == 0 || Measure::of(slice.metric, run.profile()).is_some() {
                let table = run.get(&Functions(slice.clone()))?;
                found.push(Measured { profile: run.profile().clone(), table });
            }
        }
        Ok(found)
    }
}

impl Query<Pair> for DiffFunctions {
    type Output = FunctionDiff;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<FunctionDiff, Cancelled> {
        let (base, head) = (self.measured(true, cx)?, self.measured(false, cx)?);
        let matches = cx.get(&MatchQuery)?;
        cx.job().checkpoint(0, 0)?;
        let mut diff = FunctionDiff::of(&base, &head, &matches);
        let estimated =
            |side: &[Measured]| side.iter().any(|run| matches!(run.table.basis, Basis::Estimated(_)));
        // Of a part of estimated trees it is chance which functions are in it. What both runs have is neither new nor gone.
        if !self.scope.transforms.is_empty() && (estimated(&base) || estimated(&head)) {
            let scope = Scope { transforms: Vec::new(), ..self.scope.clone() };
            let whole = cx.get(&Self { scope, ..self.clone() })?;
            for row in &mut diff.rows {
                let in_whole = whole.same_row(row).map(|at| whole.rows[at as usize].state());
                row.unplaced = row.state() != State::Both && in_whole == Some(State::Both);
            }
        }
        Ok(diff)
    }

    fn weight(diff: &FunctionDiff) -> usize {
        diff.heap_bytes()
    }
}

fn evidence_of(sides: &[Side; 2], base: Option<usize>, head: Option<usize>) -> Option<Evidence> {
    let of = |side: usize, at: Option<usize>| match at {
        Some(at) => sides[side].own(at),
        None => vec![0.0; sides[side].values.len()],
    };
    Evidence::of(&of(0, base), &of(1, head), evidence::PRACTICAL)
}

/// With many rows some look changed by chance: their p is corrected, and the verdict follows.
fn correct(rows: &mut [Row]) {
    let with: Vec<usize> =
        (0..rows.len()).filter(|&i| rows[i].evidence.is_some_and(|e| e.p.is_some())).collect();
    let p: Vec<f64> = with.iter().filter_map(|&i| rows[i].evidence?.p).collect();
    for (&i, corrected) in with.iter().zip(evidence::corrected(&p)) {
        rows[i].evidence = rows[i].evidence.map(|e| e.among(with.len(), corrected));
    }
}

fn matched(rows: &[Row]) -> Matched {
    let paired: Vec<&Row> = rows.iter().filter(|r| r.state() == State::Both).collect();
    // Of several runs the sum of medians is another one than the median of sums.
    let share = |own: &dyn Fn(&Row) -> Option<i64>| {
        let part: i64 = paired.iter().filter_map(|r| own(r)).fold(0, i64::saturating_add);
        match rows.iter().filter_map(own).fold(0, i64::saturating_add) {
            // Of nothing nothing is missing.
            0 => 1.0,
            whole => part as f64 / whole as f64,
        }
    };
    Matched { rows: paired.len(), share_base: share(&|r| r.own().base), share_head: share(&|r| r.own().head) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};
    use crate::jobs::Job;
    use crate::query::{Engine, Run, RunId};
    use proptest::prelude::*;

    #[test]
    fn r01_a_part_of_estimated_trees_calls_nothing_new_that_both_runs_have() {
        let open = |name: &str, id| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles").join(name);
            let profile = crate::import::open_whole(&crate::import::Input::Path(path), &Job::new()).unwrap();
            Run { id: RunId(id), ..Run::of(Arc::new(profile)) }
        };
        let pair = Pair::of(open("pstats/workload-py27.prof", 1), open("pstats/workload-py311.prof", 2));
        let engine = Engine::inline();
        let all = crate::analysis::testing::all_functions();
        let whole = engine.now(&pair, &all, &Job::new()).unwrap();
        let mut unplaced = 0;
        for focus in whole.rows.iter().filter(|row| row.state() == State::Both).filter_map(Row::symbol) {
            let scope = Scope { transforms: vec![Transform::FocusFunction(focus)], ..Scope::default() };
            let part = engine.now(&pair, &DiffFunctions { scope, ..all.clone() }, &Job::new()).unwrap();
            for row in &part.rows {
                let in_whole = whole.rows[whole.same_row(row).unwrap() as usize].state();
                assert!(row.state() == in_whole || row.unplaced && in_whole == State::Both, "{row:?}");
                assert!(!row.unplaced || row.own_change().is_none() && row.total_change().is_none());
                unplaced += usize::from(row.unplaced);
            }
        }
        assert!(unplaced > 0);
    }

    fn run(text: &str) -> Measured {
        let s = subject(text);
        let table = ask(&s, &Functions(Slice::default()));
        Measured { profile: s.profile, table }
    }

    fn compared(base: &[Measured], head: &[Measured]) -> FunctionDiff {
        let run = |m: &Measured, id| Run { id: RunId(id), ..Run::of(m.profile.clone()) };
        let pair = Pair::of(run(&base[0], 0), run(&head[0], 1));
        let matches = Engine::inline().now(&pair, &MatchQuery, &Job::new()).unwrap();
        FunctionDiff::of(base, head, &matches)
    }

    fn diff(base: &[&str], head: &[&str]) -> (Vec<Measured>, Vec<Measured>, FunctionDiff) {
        let runs = |texts: &[&str]| texts.iter().map(|t| run(t)).collect::<Vec<_>>();
        let (base, head) = (runs(base), runs(head));
        let diff = compared(&base, &head);
        (base, head, diff)
    }

    /// `name base>head state`, by the order of the rows.
    fn text(base: &str, head: &str) -> String {
        let (base, head, diff) = diff(&[base], &[head]);
        let line = |r: &Row| {
            let name = match (r.halves.head, r.halves.base) {
                (Some(h), _) => h.symbol.label(&head[0].profile).into_owned(),
                (None, Some(b)) => b.symbol.label(&base[0].profile).into_owned(),
                _ => String::new(),
            };
            let own = |side: Option<i64>| side.map_or("–".into(), |v| v.to_string());
            format!("{name} {}>{} {}", own(r.own().base), own(r.own().head), r.state().key())
        };
        diff.rows.iter().map(line).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn rows_are_both_new_or_gone_and_by_the_size_of_the_change() {
        let base = "app>encode 300; app>encode>score 90; app>backoff 60; app>read>split 75";
        let head = "app>encode 180; app>encode>score 135; app>lookup 36; app>lookup>split 75";
        assert_eq!(
            text(base, head),
            "encode 300>180 both, backoff 60>– gone, score 90>135 both, lookup –>36 new, app 0>0 both, read 0>– gone, \
             split 75>75 both"
        );
        let (_, _, d) = diff(&[base], &[head]);
        let sum: i64 = d.rows.iter().filter_map(|r| r.own().delta()).sum();
        assert_eq!((Some(sum), d.sum.delta()), (Some(426 - 525), Some(426 - 525)));
    }

    #[test]
    fn a_change_of_the_total_is_calls_and_time_per_call() {
        let (_, _, d) = diff(&["fn f 10 100 100"], &["fn f 15 180 180"]);
        assert_eq!(
            d.rows[0].split(),
            Some((55, 25)),
            "five calls more of 11 each, and 2 more for each of 12.5"
        );
        let (_, _, turned) = diff(&["fn f 15 180 180"], &["fn f 10 100 100"]);
        assert_eq!(turned.rows[0].split(), Some((-55, -25)));
    }

    #[test]
    fn of_several_runs_the_median_counts_and_one_outlier_does_not() {
        let (_, _, d) = diff(&["f 10", "f 11", "f 12"], &["f 11", "f 9000", "f 10"]);
        assert_eq!(d.rows[0].own(), Two::both(11, 11));
        assert_eq!(d.sum, Two::both(11, 11));
        assert_eq!(d.evidence.unwrap().verdict, evidence::Verdict::TooFewRuns);
    }

    #[test]
    fn several_runs_of_one_program_have_all_in_common() {
        // In each run another function takes most: medians add up to less than any run.
        let runs = ["a 90; b 5; c 5", "a 5; b 90; c 5", "a 5; b 5; c 90"];
        let (_, _, d) = diff(&runs, &runs);
        assert_eq!((d.matched.share_base, d.matched.share_head), (1.0, 1.0));
        assert!(!d.matched.is_other_program());
    }

    #[test]
    fn what_one_function_alone_shows_and_all_together_do_not_is_said() {
        let run = |cost: i64, noise: i64| {
            (0..6)
                .map(|f| format!("f{f} {}", if f == 0 { cost } else { 100 + (noise * (f + 3)) % 7 }))
                .collect::<Vec<_>>()
                .join("; ")
        };
        let base: Vec<String> = (0..4).map(|i| run(100 + i, i)).collect();
        let head: Vec<String> = (0..4).map(|i| run(200 + i, 3 - i)).collect();
        let texts = |runs: &'static [String]| runs.iter().map(String::as_str).collect::<Vec<_>>();
        let (base, head): (&'static [String], &'static [String]) = (base.leak(), head.leak());
        let (_, _, d) = diff(&texts(base), &texts(head));
        let found = d.rows.iter().find(|r| r.own().delta() == Some(100)).unwrap().evidence.unwrap();
        assert_eq!(found.verdict, evidence::Verdict::NoEvidence, "{found:?}");
        assert_eq!((found.rows, found.alone().verdict), (6, evidence::Verdict::Slower));
        assert!(found.words().contains("corrected for 6 functions"), "{}", found.words());
    }

    #[test]
    fn a_focus_holds_for_the_function_of_either_run_whatever_its_file_is_called() {
        let run = |text: &str, id| Run { id: RunId(id), ..subject(text) };
        let base = run("fn main@old 1 5 100; fn work@old 2 60 95; main@old -> work@old 2 60 95", 1);
        let head = run("fn main@new 1 5 50; fn work@new 2 30 45; main@new -> work@new 2 30 45", 2);
        for (of, other) in [(&head, &base), (&base, &head)] {
            let focus = of.profile.functions.ids().find(|&f| of.profile.function_name(f) == "work").unwrap();
            let key = of.profile.keys().symbol(focus);
            assert_eq!(other.profile.keys().function(key), None, "it has another name there");
            let scope = Scope { transforms: vec![Transform::FocusFunction(key)], ..Scope::default() };
            let metric = Chosen::common(crate::model::MetricKey::default());
            let pair = Pair::of(base.clone(), head.clone());
            let question = DiffFunctions { scope, metric, range: None };
            let diff = Engine::inline().now(&pair, &question, &Job::new()).unwrap();
            assert_eq!(diff.sum, Two::both(60, 30), "main is left out on both sides");
        }
    }

    proptest! {
        #[test]
        fn r12_changes_add_up_and_turn_round(
            base in proptest::collection::vec((proptest::collection::vec(0u8..5, 1..5), 0i64..50), 1..12),
            head in proptest::collection::vec((proptest::collection::vec(0u8..5, 1..5), 0i64..50), 1..12),
        ) {
            let write = |stacks: &[(Vec<u8>, i64)]| {
                let line = |(stack, w): &(Vec<u8>, i64)| {
                    let names: Vec<String> = stack.iter().map(|f| format!("f{f}")).collect();
                    format!("{} {w}", names.join(">"))
                };
                stacks.iter().map(line).collect::<Vec<_>>().join(";")
            };
            let (b, h) = (write(&base), write(&head));
            let (_, _, there) = diff(&[&b], &[&h]);
            let (_, _, back) = diff(&[&h], &[&b]);
            let sum = |d: &FunctionDiff| d.rows.iter().filter_map(|r| r.own().delta()).sum::<i64>();
            prop_assert_eq!(Some(sum(&there)), there.sum.delta());
            prop_assert_eq!(sum(&there), -sum(&back));
            let deltas = |d: &FunctionDiff, sign: i64| {
                let mut all: Vec<_> = d.rows.iter().map(|r| (r.own().delta().map(|v| v * sign), r.total().delta().map(|v| v * sign))).collect();
                all.sort_unstable();
                all
            };
            prop_assert_eq!(deltas(&there, 1), deltas(&back, -1));
            let (_, _, same) = diff(&[&b], &[&b]);
            prop_assert!(same.rows.iter().all(|r| r.own().delta() == Some(0) && r.total().delta() == Some(0)));
            prop_assert!(same.rows.iter().all(|r| r.step == Some(Step::Exact)));
        }
    }
}
