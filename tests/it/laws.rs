//! Laws of comparing, for any input: what is the same does not differ, whatever it is written as; turned round, a
//! difference changes its sign; names and order do not matter. And functions and paths differ as `difffolded.pl` and
//! `pprof -diff_base` say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use inferscope::analysis::Scope;
use inferscope::analysis::diff::functions::{DiffFunctions, FunctionDiff};
use inferscope::analysis::diff::metrics::{Chosen, Metrics};
use inferscope::analysis::diff::paths::{DiffPaths, PathDiff};
use inferscope::analysis::diff::{Compared, State};
use inferscope::exchange::{self, Asked};
use inferscope::import::{self, Input};
use inferscope::jobs::Job;
use inferscope::model::Profile;
use inferscope::query::{Alignment, Engine, MatchRule, Pair, Run, RunId};
use proptest::prelude::*;

use crate::support::file;

/// Stacks with their weights, root first.
type Stacks = Vec<(Vec<u8>, i64)>;

fn stacks() -> impl Strategy<Value = Stacks> {
    proptest::collection::vec((proptest::collection::vec(0u8..6, 1..6), 1i64..50), 1..14)
}

fn folded(stacks: &Stacks, name: impl Fn(u8) -> String) -> String {
    let line = |(stack, weight): &(Vec<u8>, i64)| {
        format!("{} {weight}\n", stack.iter().map(|&f| name(f)).collect::<Vec<_>>().join(";"))
    };
    stacks.iter().map(line).collect()
}

/// The same as speedscope writes it, without a unit.
fn speedscope(stacks: &Stacks) -> String {
    let frames: Vec<_> = (0u8..6).map(|f| serde_json::json!({ "name": plain(f) })).collect();
    let samples: Vec<&[u8]> = stacks.iter().map(|(stack, _)| stack.as_slice()).collect();
    let weights: Vec<i64> = stacks.iter().map(|(_, weight)| *weight).collect();
    let end: i64 = weights.iter().sum();
    serde_json::json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": { "frames": frames },
        "profiles": [{
            "type": "sampled", "name": "one", "unit": "none", "startValue": 0, "endValue": end,
            "samples": samples, "weights": weights,
        }],
    })
    .to_string()
}

fn plain(f: u8) -> String {
    format!("f{f}")
}

fn opened(bytes: impl Into<Vec<u8>>) -> Arc<Profile> {
    let bytes: Vec<u8> = bytes.into();
    import::open_whole(&Input::Bytes("profile".into(), bytes.into()), &Job::new()).unwrap().into()
}

/// Two profiles compared in the first metric that both have, else by their shares.
struct Compare {
    pair: Pair,
    chosen: Chosen,
    functions: Arc<FunctionDiff>,
    paths: Arc<PathDiff>,
}

fn compare_as(base: &Arc<Profile>, head: &Arc<Profile>, alignment: Alignment) -> Compare {
    let run = |p: &Arc<Profile>, id| Run { id: RunId(id), ..Run::of(p.clone()) };
    let pair = Pair { alignment, ..Pair::of(run(base, 1), run(head, 2)) };
    let chosen = Metrics::of(base, head).choose(base, head, None).unwrap();
    let question = DiffFunctions { scope: Scope::default(), metric: chosen.clone(), range: None };
    let engine = Engine::inline();
    let functions = engine.now(&pair, &question, &Job::new()).unwrap();
    let paths = engine.now(&pair, &DiffPaths(question), &Job::new()).unwrap();
    Compare { pair, chosen, functions, paths }
}

fn compare(base: &Arc<Profile>, head: &Arc<Profile>) -> Compare {
    compare_as(base, head, Alignment::default())
}

impl Compare {
    /// Own costs of base and head by name.
    fn own(&self) -> BTreeMap<String, (i64, i64)> {
        let mut found: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for row in &self.functions.rows {
            let name = match (row.halves.head, row.halves.base) {
                (Some(half), _) => half.symbol.label(&self.pair.head.profile).into_owned(),
                (None, Some(half)) => half.symbol.label(&self.pair.base.profile).into_owned(),
                (None, None) => continue,
            };
            let sum = found.entry(name).or_default();
            sum.0 += row.own().base.unwrap_or(0);
            sum.1 += row.own().head.unwrap_or(0);
        }
        found
    }

    /// Own costs of base and head by call path, those of nothing left out.
    fn by_path(&self) -> BTreeMap<String, (i64, i64)> {
        let of = |node: u32| {
            let halves = self.paths.node(node).halves;
            match (halves.head, halves.base) {
                (Some(half), _) => half.symbol.label(&self.pair.head.profile).into_owned(),
                (None, Some(half)) => half.symbol.label(&self.pair.base.profile).into_owned(),
                (None, None) => String::new(),
            }
        };
        let nodes = (0u32..).zip(self.paths.nodes());
        let costs = |n: &inferscope::analysis::diff::paths::PathNode| {
            (n.own().base.unwrap_or(0), n.own().head.unwrap_or(0))
        };
        nodes
            .filter(|(_, n)| costs(n) != (0, 0))
            .map(|(i, n)| {
                let mut names: Vec<String> = self.paths.ancestors(i).map(of).collect();
                names.reverse();
                (names.join(";"), costs(&n))
            })
            .collect()
    }

    /// Whether base and head are the same: as numbers, or as shares where only these compare.
    fn same(&self, b: Option<i64>, h: Option<i64>) -> bool {
        let shares_only = self.chosen.why_not.is_some();
        let (base, head) = (self.functions.whole.own.base.unwrap(), self.functions.whole.own.head.unwrap());
        match shares_only {
            false => b.unwrap_or(0) == h.unwrap_or(0),
            true => {
                let share = |v: Option<i64>, whole: i64| v.unwrap_or(0) as f64 / whole.max(1) as f64;
                (share(b, base) - share(h, head)).abs() < 1e-6
            }
        }
    }

    /// That no function differs in its own costs; `why` says in what case.
    fn functions_are_zero(&self, why: &str) {
        for row in &self.functions.rows {
            let costs_something = row.own().base.unwrap_or(0) != 0 || row.own().head.unwrap_or(0) != 0;
            assert!(self.same(row.own().base, row.own().head), "{why}: {row:?}");
            assert!(!costs_something || row.state() == State::Both, "{why}: {row:?}");
        }
    }

    /// That no function and no call path differs.
    fn is_zero(&self, why: &str) {
        self.functions_are_zero(why);
        for node in self.paths.nodes() {
            assert!(self.same(node.own().base, node.own().head), "{why}: {node:?}");
            assert!(self.same(node.total().base, node.total().head), "{why}: {node:?}");
        }
    }
}

/// What `difffolded.pl` prints, by its definition: for each stack what its lines add up to in either file.
fn difffolded(base: &str, head: &str) -> BTreeMap<String, (i64, i64)> {
    let mut found: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (text, is_base) in [(base, true), (head, false)] {
        for line in text.lines() {
            let (stack, count) = line.rsplit_once(' ').unwrap();
            let count: i64 = count.parse().unwrap();
            let sum = found.entry(stack.to_owned()).or_default();
            *(if is_base { &mut sum.0 } else { &mut sum.1 }) += count;
        }
    }
    found
}

/// What `pprof -top -diff_base` lists, by its definition: samples of the base are subtracted, flat is what the innermost
/// function has, cum what any stack with the function has, once.
fn diff_base(base: &Stacks, head: &Stacks) -> BTreeMap<String, (i64, i64)> {
    let mut found: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (stacks, sign) in [(base, -1), (head, 1)] {
        for (stack, weight) in stacks {
            found.entry(plain(*stack.last().unwrap())).or_default().0 += sign * weight;
            for &f in stack.iter().collect::<BTreeSet<_>>() {
                found.entry(plain(f)).or_default().1 += sign * weight;
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn paths_differ_as_difffolded_says_and_functions_as_pprof_does(base in stacks(), head in stacks()) {
        let (b, h) = (folded(&base, plain), folded(&head, plain));
        let both = compare(&opened(b.as_str()), &opened(h.as_str()));
        prop_assert_eq!(both.by_path(), difffolded(&b, &h));
        let found: BTreeMap<String, (i64, i64)> = both
            .functions
            .rows
            .iter()
            .map(|row| {
                let half = row.halves.head.map(|h| (h, &both.pair.head)).or(row.halves.base.map(|b| (b, &both.pair.base)));
                let (half, run) = half.unwrap();
                let name = half.symbol.label(&run.profile).into_owned();
                (name, (row.own().delta().unwrap(), row.total().delta().unwrap()))
            })
            .collect();
        prop_assert_eq!(found, diff_base(&base, &head));
    }

    #[test]
    fn the_same_stacks_in_another_order_or_another_tools_format_do_not_differ(stacks in stacks(), turn in 0usize..14) {
        let mut other = stacks.clone();
        other.rotate_left(turn % stacks.len());
        let (here, there) = (opened(folded(&stacks, plain)), opened(folded(&other, plain)));
        compare(&here, &there).is_zero("another order");
        compare(&here, &opened(speedscope(&stacks))).is_zero("speedscope");
    }

    #[test]
    fn renaming_by_a_rule_leaves_all_costs(base in stacks(), head in stacks()) {
        let (b, h) = (opened(folded(&base, plain)), opened(folded(&head, plain)));
        let renamed = opened(folded(&head, |f| format!("new_f{f}")));
        let rules = vec![MatchRule { pattern: "^new_".into(), with: String::new() }];
        let (plain, by_rule) = (compare(&b, &h), compare_as(&b, &renamed, Alignment { rules, ..Alignment::default() }));
        let without = |costs: BTreeMap<String, (i64, i64)>| -> BTreeMap<String, (i64, i64)> {
            costs.into_iter().map(|(name, costs)| (name.replace("new_", ""), costs)).collect()
        };
        prop_assert_eq!(without(by_rule.own()), plain.own());
        prop_assert_eq!(without(by_rule.by_path()), plain.by_path());
        prop_assert_eq!(by_rule.functions.sum, plain.functions.sum);
    }

    #[test]
    fn turned_round_every_path_changes_by_as_much_the_other_way(base in stacks(), head in stacks()) {
        let (b, h) = (opened(folded(&base, plain)), opened(folded(&head, plain)));
        let turned = compare(&h, &b).by_path().into_iter().map(|(path, (b, h))| (path, (h, b)));
        prop_assert_eq!(turned.collect::<BTreeMap<_, _>>(), compare(&b, &h).by_path());
    }
}

/// Real files, written in every format that can hold their costs and opened again.
#[test]
fn a_file_in_another_tools_format_compares_to_zero() {
    for (name, formats) in [
        ("speedscope/py-spy-threads.speedscope.json", &["speedscope", "folded"][..]),
        ("speedscope/0.0.1-simple.speedscope.json", &["speedscope", "folded"]),
        ("speedscope/evented-threads.speedscope.json.gz", &["speedscope", "chrome"]),
        // Folded stacks have no lines, which tell its comprehensions apart.
        ("pyinstrument/cpu-v4.6.1.pyisession", &["speedscope"]),
    ] {
        let path = file("sample_profiles").join(name);
        let profile: Arc<Profile> = import::open_whole(&Input::Path(path), &Job::new()).unwrap().into();
        compare(&profile, &profile).is_zero(name);
        for id in formats {
            let mut bytes = Vec::new();
            exchange::write(exchange::format(id).unwrap(), &Asked::all(profile.clone()), &mut bytes).unwrap();
            let both = compare(&profile, &opened(bytes));
            // Folded stacks of several threads begin with the thread.
            let paths = *id != "folded" || profile.tracks.len() == 1;
            both.functions_are_zero(&format!("{name} as {id}"));
            if paths {
                both.is_zero(&format!("{name} as {id}"));
            }
        }
    }
}
