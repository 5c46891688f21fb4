//! Which function of one run is which function of another one.
//!
//! Steps ([`Step`]) are tried from exact to loose, each for what the steps before left alone. Functions that are named
//! alike (lambdas, closures) pair by their order in the source; where order would have to guess, because several files
//! come into question, nothing is paired. What differs by ids alone (`worker-4711`) pairs where its name without them is the
//! only one of its kind in both runs. What the person paired by hand comes first; the person's rules (regular
//! expressions) are tried on what is left after all steps, and then kernels and operations pair by their place
//! (`super::same_place`).

mod spellings;

use std::cell::OnceCell;
use std::hash::Hash;

use regex::Regex;
use rustc_hash::{FxHashMap, FxHashSet};

use super::same_place;
use crate::jobs::{Cancelled, Job};
use crate::model::keys::names::plain;
use crate::model::{FunctionId, NameKey, Profile, SymbolKey};
use crate::query::{Context, MatchRule, Pair, Query, Step};

/// Most folders of a path that are compared.
const FOLDERS: usize = 32;
/// So many operations of other names within each other pair by their place.
const MOST_NESTED: usize = 8;

/// The functions of two runs beside each other.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// For each function of the base the one of the head, and the step that found it.
    to_head: Vec<Option<(FunctionId, Step)>>,
    /// The same from the head.
    to_base: Vec<Option<(FunctionId, Step)>>,
}

impl Matches {
    /// The function of the head that a function of the base is, and how that was found.
    #[must_use]
    pub fn to_head(&self, base: FunctionId) -> Option<(FunctionId, Step)> {
        self.to_head.get(base.index()).copied().flatten()
    }

    /// The function of the base that a function of the head is, and how that was found.
    #[must_use]
    pub fn to_base(&self, head: FunctionId) -> Option<(FunctionId, Step)> {
        self.to_base.get(head.index()).copied().flatten()
    }

    /// Number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.to_head.iter().flatten().count()
    }

    /// True when the runs have no function in common.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Asks for the [`Matches`] of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatchQuery;

impl Query<Pair> for MatchQuery {
    type Output = Matches;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Matches, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let sides = [Side::new(base.profile()), Side::new(head.profile())];
        let mut found = Found::new(&sides);
        for (b, h) in &cx.alignment().by_hand {
            if let (Some(b), Some(h)) =
                (base.profile().keys().function(*b), head.profile().keys().function(*h))
            {
                found.take(b, h, Step::ByHand);
            }
        }
        for step in [Step::Exact, Step::File, Step::Module, Step::Name] {
            cx.job().checkpoint(0, 0)?;
            if step > cx.alignment().loosest || found.is_done() {
                break;
            }
            match step {
                Step::Exact => found.pair(step, &sides, true, |f| Some(f.without_twin())),
                Step::File => {
                    // Unknown roots: the longest common end of the paths decides.
                    let deepest = found.deepest(&sides);
                    for parts in (1..=deepest).rev() {
                        cx.job().checkpoint(0, 0)?;
                        found.pair(step, &sides, false, |f| Some((f.plain(), f.tail(parts)?)));
                    }
                    // What one tool calls `choice`, another one calls `Random.choice`.
                    let methods = found.has_methods(&sides);
                    for parts in (1..=deepest).rev().filter(|_| methods) {
                        cx.job().checkpoint(0, 0)?;
                        found.methods(step, &sides, parts);
                    }
                }
                Step::Module => found.pair(step, &sides, false, |f| {
                    Some((f.plain(), f.key.module)).filter(|_| !f.key.module.is_empty())
                }),
                Step::Name => found.pair(step, &sides, false, |f| Some(f.plain())),
                Step::Ids | Step::Rule | Step::Place | Step::ByHand => {}
            }
        }
        if cx.alignment().loosest >= Step::Name && !found.is_done() {
            cx.job().checkpoint(0, 0)?;
            found.by_name_without_ids(&sides);
        }
        let rules = Rules::new(&cx.alignment().rules);
        if !rules.is_empty() && !found.is_done() {
            cx.job().checkpoint(0, 0)?;
            let sides = sides.map(|side| side.changed(&rules));
            found.pair(Step::Rule, &sides, false, |f| Some((f.plain(), f.tail(1)?)));
            found.pair(Step::Rule, &sides, false, |f| Some(f.plain()));
        }
        if cx.alignment().loosest >= Step::Name && !found.is_done() {
            found.by_place(base.profile(), head.profile(), cx.job())?;
        }
        Ok(found.matches)
    }

    fn weight(matches: &Matches) -> usize {
        (matches.to_head.len() + matches.to_base.len()) * size_of::<Option<(FunctionId, Step)>>()
    }
}

/// The rules of an alignment that are regular expressions. Who takes one from a person says which are not
/// ([`parse_rule`]).
struct Rules<'a>(Vec<(Regex, &'a str)>);

impl<'a> Rules<'a> {
    fn new(rules: &'a [MatchRule]) -> Self {
        let rule = |r: &'a MatchRule| Some((Regex::new(&r.pattern).ok()?, r.with.as_str()));
        Self(rules.iter().filter_map(rule).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn apply(&self, text: &str) -> NameKey {
        let mut text = text.to_owned();
        for (pattern, with) in &self.0 {
            text = pattern.replace_all(&text, *with).into_owned();
        }
        NameKey::from(&*text)
    }
}

/// The rule of a text «PATTERN=REPLACEMENT».
///
/// # Errors
/// One line: there is no `=`, or the pattern is no regular expression.
pub fn parse_rule(text: &str) -> Result<MatchRule, String> {
    let Some((pattern, with)) = text.rsplit_once('=') else {
        return Err(format!("a rule is PATTERN=REPLACEMENT, «{text}» has no «=»"));
    };
    rule(pattern, with)
}

/// The rule that puts `with` in the place of what `pattern` finds.
///
/// # Errors
/// One line, when the pattern is no regular expression.
pub fn rule(pattern: &str, with: &str) -> Result<MatchRule, String> {
    Regex::new(pattern).map_err(|e| {
        let why = e.to_string();
        format!("«{pattern}» is no regular expression: {}", why.lines().last().unwrap_or_default())
    })?;
    Ok(MatchRule { pattern: pattern.into(), with: with.into() })
}

/// A function, as it is looked for.
struct Function {
    key: SymbolKey,
    /// Its file.
    file: NameKey,
    /// Its name without marks of the compiler. Most functions have a partner before anybody asks.
    plain: OnceCell<NameKey>,
    line: u32,
    /// Where each of the last parts of its path begins, the last one first.
    starts: OnceCell<Vec<u16>>,
}

impl Function {
    fn plain(&self) -> NameKey {
        *self.plain.get_or_init(|| NameKey::from(&*plain(&self.key.name)))
    }

    fn without_twin(&self) -> (NameKey, NameKey, NameKey, NameKey) {
        (self.key.name, self.key.module, self.key.file, self.key.category)
    }

    /// The last `parts` parts of the path, when it has so many.
    fn tail(&self, parts: usize) -> Option<&'static str> {
        let file: &'static str = self.file.value();
        file.get(usize::from(*self.starts().get(parts - 1)?)..)
    }

    fn starts(&self) -> &[u16] {
        self.starts.get_or_init(|| starts(&self.file))
    }
}

struct Side {
    functions: Vec<Function>,
}

impl Side {
    fn new(profile: &Profile) -> Self {
        let rows = profile.functions.rows().iter();
        let functions = profile.keys().symbols().iter().zip(rows).map(|(&key, row)| Function {
            key,
            file: key.file,
            plain: OnceCell::new(),
            line: row.line,
            starts: OnceCell::new(),
        });
        Self { functions: functions.collect() }
    }

    /// With names and files as the rules make them.
    fn changed(self, rules: &Rules<'_>) -> Self {
        let change = |f: Function| {
            let (file, plain) = (rules.apply(&f.file), OnceCell::from(rules.apply(&f.plain())));
            Function { plain, file, starts: OnceCell::new(), ..f }
        };
        Self { functions: self.functions.into_iter().map(change).collect() }
    }
}

/// Where each of the last parts of a path begins, the last one first.
fn starts(file: &str) -> Vec<u16> {
    let cuts = file.bytes().enumerate().rev().filter(|(_, b)| *b == b'/').map(|(at, _)| at + 1);
    let first = (!file.is_empty() && !file.starts_with('/')).then_some(0);
    cuts.chain(first).filter_map(|at| u16::try_from(at).ok()).take(FOLDERS).collect()
}

struct Found {
    matches: Matches,
}

impl Found {
    fn new([base, head]: &[Side; 2]) -> Self {
        let none = |side: &Side| vec![None; side.functions.len()];
        Self { matches: Matches { to_head: none(base), to_base: none(head) } }
    }

    /// Pairs what is started at the same places. What paired so makes more places the same: what it starts itself.
    fn by_place(&mut self, base: &Profile, head: &Profile, job: &Job) -> Result<(), Cancelled> {
        for _ in 0..MOST_NESTED {
            let of_base = same_place::Side::of(base, |f| self.matches.to_head(f).map(|_| f.0));
            let of_head = same_place::Side::of(head, |f| self.matches.to_base(f).map(|(b, _)| b.0));
            if of_base.is_done() || of_head.is_done() {
                break;
            }
            let pairs = same_place::pairs(&of_base, &of_head, job)?;
            if pairs.is_empty() {
                break;
            }
            pairs.into_iter().for_each(|(b, h)| self.take(b, h, Step::Place));
        }
        Ok(())
    }

    /// Parts that paths of both sides have, of functions without a partner.
    fn deepest(&self, [base, head]: &[Side; 2]) -> usize {
        let of = |side: &Side, done: &[Option<(FunctionId, Step)>]| {
            let open = side.functions.iter().zip(done).filter(|(_, done)| done.is_none());
            open.map(|(function, _)| function.starts().len()).max().unwrap_or(0)
        };
        of(base, &self.matches.to_head).min(of(head, &self.matches.to_base))
    }

    /// True when a side has no function left without a partner.
    fn is_done(&self) -> bool {
        let all = |side: &[Option<(FunctionId, Step)>]| side.iter().all(Option::is_some);
        all(&self.matches.to_head) || all(&self.matches.to_base)
    }

    fn take(&mut self, base: FunctionId, head: FunctionId, step: Step) {
        self.matches.to_head[base.index()] = Some((head, step));
        self.matches.to_base[head.index()] = Some((base, step));
    }

    /// Pairs what `name` names alike on both sides. With several of a name on a side, `ordered` says that they are
    /// twins; otherwise they must be of one file.
    fn pair<N: Hash + Eq>(
        &mut self,
        step: Step,
        [base, head]: &[Side; 2],
        ordered: bool,
        name: impl Fn(&Function) -> Option<N>,
    ) {
        let group = |side: &Side, done: &[Option<(FunctionId, Step)>]| {
            let mut groups: FxHashMap<N, Vec<u32>> = FxHashMap::default();
            for (at, function) in (0u32..).zip(&side.functions).filter(|(at, _)| done[*at as usize].is_none())
            {
                if let Some(name) = name(function) {
                    groups.entry(name).or_default().push(at);
                }
            }
            groups
        };
        let mut heads = group(head, &self.matches.to_base);
        for (name, mut bases) in group(base, &self.matches.to_head) {
            let Some(mut heads) = heads.remove(&name) else { continue };
            let of_one_file = |side: &Side, rows: &[u32]| {
                rows.iter().map(|&at| side.functions[at as usize].key.file).collect::<FxHashSet<_>>().len()
                    == 1
            };
            let together = of_one_file(base, &bases) && of_one_file(head, &heads);
            if !(ordered || together) {
                continue;
            }
            // By line, where both know lines: twins of a recording are in order of their first run.
            let sort = |side: &Side, rows: &mut Vec<u32>| {
                rows.sort_by_key(|&at| {
                    (side.functions[at as usize].line, side.functions[at as usize].key.twin)
                });
            };
            sort(base, &mut bases);
            sort(head, &mut heads);
            for (&b, &h) in bases.iter().zip(&heads) {
                self.take(FunctionId(b), FunctionId(h), step);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        ArgsRef, FunctionSpec, Link, Metric, ProfileBuilder, SpanStatus, TrackKind, TrackSpec,
    };
    use crate::query::{Alignment, Engine, Run, RunId};
    use std::sync::Arc;

    type Row = (&'static str, &'static str, &'static str, u32);

    fn run(id: u32, rows: &[Row]) -> Run {
        let mut b = ProfileBuilder::new("test");
        for &(name, module, file, line) in rows {
            b.function(FunctionSpec { name, module, file, line, ..FunctionSpec::default() });
        }
        Run { id: RunId(id), ..Run::of(Arc::new(b.finish())) }
    }

    /// «base line→head line step» of each pair.
    fn found(base: &[Row], head: &[Row], loosest: Step) -> Vec<String> {
        aligned(base, head, Alignment { loosest, ..Alignment::default() })
    }

    fn aligned(base: &[Row], head: &[Row], alignment: Alignment) -> Vec<String> {
        let pair = Pair { alignment, ..Pair::of(run(1, base), run(2, head)) };
        let matches = Engine::inline().now(&pair, &MatchQuery, &Job::new()).unwrap();
        let mut found: Vec<String> = Vec::new();
        for (b, row) in base.iter().enumerate() {
            if let Some((h, step)) = matches.to_head(FunctionId(b as u32)) {
                assert_eq!(matches.to_base(h), Some((FunctionId(b as u32), step)));
                found.push(format!("{} {}→{} {step:?}", row.0, row.3, head[h.index()].3));
            }
        }
        assert_eq!(matches.len(), found.len());
        found
    }

    #[test]
    fn r07_moved_lines_and_other_roots_match() {
        let base = [
            ("main", "pipe", "/ci/17/app/pipe.py", 3),
            ("<lambda>", "pipe", "/ci/17/app/pipe.py", 24),
            ("<lambda>", "pipe", "/ci/17/app/pipe.py", 10),
            ("fib", "lz.core", "/ci/17/venv/lib/python3.11/site-packages/lz/core.py", 7),
            ("sleep", "", "~", 0),
        ];
        let head = [
            ("<lambda>", "pipe", "/ci/18/app/pipe.py", 16),
            ("<lambda>", "pipe", "/ci/18/app/pipe.py", 36),
            ("fib", "lz.core", "/ci/18/venv/lib/python3.12/site-packages/lz/core.py", 13),
            ("main", "pipe", "/ci/18/app/pipe.py", 9),
            ("sleep", "", "~", 0),
        ];
        let want = [
            "main 3→9 File",
            "<lambda> 24→36 File",
            "<lambda> 10→16 File",
            "fib 7→13 Exact",
            "sleep 0→0 Exact",
        ];
        assert_eq!(found(&base, &head, Step::Name), want);
        assert_eq!(found(&base, &head, Step::Exact), ["fib 7→13 Exact", "sleep 0→0 Exact"]);
    }

    #[test]
    fn the_longer_common_end_of_a_path_wins_and_nothing_is_guessed() {
        let base =
            [("new", "", "/x/a/util.py", 1), ("new", "", "/x/b/util.py", 2), ("new", "", "/x/c/util.py", 3)];
        let head = [
            ("new", "", "/y/b/util.py", 20),
            ("new", "", "/y/a/util.py", 10),
            ("new", "", "/y/d/util.py", 40),
        ];
        assert_eq!(found(&base, &head, Step::Name), ["new 1→10 File", "new 2→20 File", "new 3→40 File"]);
        let two = [("new", "", "/y/d/util.py", 40), ("new", "", "/y/e/util.py", 50)];
        assert_eq!(found(&base[2..], &two, Step::Name), [""; 0], "either could be meant");
    }

    #[test]
    fn clones_of_a_compiler_and_other_tools_match_by_name() {
        let base = [
            ("cmp.constprop.0", "", "/old/src/sort.c", 40),
            ("serde-1.0.190/src/de.rs:visit.llvm.111", "", "", 8),
        ];
        let head = [
            ("cmp.isra.0.constprop.1", "", "/new/src/sort.c", 44),
            ("serde-1.0.200/src/de.rs:visit.llvm.999", "", "", 9),
        ];
        let want = ["cmp.constprop.0 40→44 File", "serde-1.0.190/src/de.rs:visit.llvm.111 8→9 Exact"];
        assert_eq!(found(&base, &head, Step::Name), want);
        let (a, b) = ([("alpha", "app", "/a/app.py", 1)], [("alpha", "", "", 0)]);
        assert_eq!(found(&a, &b, Step::Name), ["alpha 1→0 Name"]);
        let moved = [("alpha", "app", "/b/other.py", 5)];
        assert_eq!(found(&a, &moved, Step::Module), ["alpha 1→5 Module"]);
    }

    #[test]
    fn r07_methods_match_whether_a_tool_names_their_class() {
        let base = [
            ("choice", "", "/a/lib/random.py", 367),
            ("run", "", "/a/app.py", 3),
            ("run", "", "/a/app.py", 9),
            ("A.stop", "", "/a/app.py", 20),
        ];
        let head = [
            ("Random.choice", "", "/b/lib/random.py", 370),
            ("Second.run", "", "/b/app.py", 12),
            ("First.run", "", "/b/app.py", 5),
            ("B.stop", "", "/b/app.py", 20),
        ];
        let want = ["choice 367→370 File", "run 3→5 File", "run 9→12 File"];
        assert_eq!(found(&base, &head, Step::Name), want, "another class is another function");
        assert_eq!(found(&base[..2], &head[..3], Step::Name), want[..1], "either could be meant");
    }

    #[test]
    fn r07_names_that_differ_by_ids_pair_where_one_is_meant() {
        let base = [
            ("worker-12345", "", "", 1),
            ("Thread-7 (pid 4711)", "", "", 2),
            ("load /tmp/tmpab12/index.bin", "", "", 3),
            ("GET 127.0.0.1:40312", "", "", 4),
            ("job-10001", "", "", 5),
            ("job-10002", "", "", 6),
            ("gemm_128", "", "", 7),
        ];
        let head = [
            ("GET 127.0.0.1:55001", "", "", 1),
            ("worker-999", "", "", 2),
            ("worker-22222", "", "", 3),
            ("Thread-7 (pid 9)", "", "", 4),
            ("load /tmp/tmpzz9_/index.bin", "", "", 5),
            ("job-20001", "", "", 6),
            ("gemm_256", "", "", 7),
        ];
        let want = [
            "worker-12345 1→3 Ids",
            "Thread-7 (pid 4711) 2→4 Ids",
            "load /tmp/tmpab12/index.bin 3→5 Ids",
            "GET 127.0.0.1:40312 4→1 Ids",
        ];
        assert_eq!(found(&base, &head, Step::Name), want, "of two jobs either could be meant");
        assert_eq!(found(&base, &head, Step::Module), [""; 0]);
    }

    #[test]
    fn a_run_matches_itself_exactly() {
        let rows =
            [("f", "m", "/a/x.py", 1), ("f", "m", "/a/x.py", 9), ("f", "m", "/b/x.py", 1), ("g", "", "", 0)];
        let found = found(&rows, &rows, Step::Name);
        assert_eq!(found, ["f 1→1 Exact", "f 9→9 Exact", "f 1→1 Exact", "g 0→0 Exact"]);
    }

    #[test]
    fn r07_rules_and_pairs_by_hand_find_what_was_renamed() {
        let base = [("old_step", "", "/a/x.py", 1), ("gone", "", "/a/x.py", 9)];
        let head = [("new_step", "", "/a/x.py", 1), ("came", "", "/a/y.py", 9)];
        assert_eq!(found(&base, &head, Step::Name), [""; 0]);
        let rules = vec![parse_rule("^(old|new)_=").unwrap()];
        let with_rules = Alignment { rules, ..Alignment::default() };
        assert_eq!(aligned(&base, &head, with_rules.clone()), ["old_step 1→1 Rule"]);
        let key = |rows: &[Row], at| run(0, rows).profile.keys().symbol(FunctionId(at));
        let by_hand = vec![(key(&base, 1), key(&head, 1))];
        let both = aligned(&base, &head, Alignment { by_hand, ..with_rules });
        assert_eq!(both, ["old_step 1→1 Rule", "gone 9→9 ByHand"]);
        assert!(parse_rule("abc").unwrap_err().contains("PATTERN=REPLACEMENT"));
        assert_eq!(parse_rule("([=x").unwrap_err().lines().count(), 1);
    }

    /// A trace of a framework: operations with their lengths (`>` within the one above), below each the kernels that it
    /// starts.
    fn trace(id: u32, operations: &[(&str, &[&str])]) -> Run {
        let mut b = ProfileBuilder::new("test");
        b.metric(Metric::time());
        let thread = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
        let gpu =
            b.track(TrackSpec { name: "stream 7", process: "GPU 0", kind: TrackKind::GpuStream, sort: 1 });
        let category = |category| FunctionSpec { category, ..FunctionSpec::default() };
        let model = b.function(FunctionSpec { name: "model", ..category("python_function") });
        let whole = b.open_span(thread, 0, model, ArgsRef::NONE);
        let link = b.string("launch");
        let mut time = 10;
        for (name, kernels) in operations {
            let (start, end) = (time, time + 90);
            let function = b.function(FunctionSpec { name, ..category("cpu_op") });
            let span = b.open_span(thread, start, function, ArgsRef::NONE);
            for (at, kernel) in (0i64..).zip(*kernels) {
                let from = start + 10 + at * 10;
                let launch = b.function(FunctionSpec { name: "launch", ..category("cuda_runtime") });
                let call = b.open_span(thread, from, launch, ArgsRef::NONE);
                b.close_span(thread, call, from + 5, SpanStatus::Ok);
                let function = b.function(FunctionSpec { name: kernel, ..category("kernel") });
                let to = from + 1000;
                let work = b.open_span(gpu, to, function, ArgsRef::NONE);
                b.close_span(gpu, work, to + 8, SpanStatus::Ok);
                b.link(Link { from: (thread, from), to: (gpu, to), name: link });
            }
            b.close_span(thread, span, end, SpanStatus::Ok);
            time += 100;
        }
        b.close_span(thread, whole, time, SpanStatus::Ok);
        Run { id: RunId(id), ..Run::of(Arc::new(b.finish())) }
    }

    fn paired_by_place(base: Run, head: Run) -> Vec<String> {
        let pair = Pair::of(base, head);
        let matches = Engine::inline().now(&pair, &MatchQuery, &Job::new()).unwrap();
        let (base, head) = (&pair.base.profile, &pair.head.profile);
        let of = |f| Some((base.function_name(f), matches.to_head(f).filter(|m| m.1 == Step::Place)?.0));
        let found = base.functions.ids().filter_map(of);
        found.map(|(name, there)| format!("{name}→{}", head.function_name(there))).collect()
    }

    #[test]
    fn r09_kernels_of_other_names_pair_where_the_same_call_path_starts_them() {
        let base = trace(
            1,
            &[
                ("aten::mm", &["ampere_sgemm_128"]),
                ("aten::softmax", &["softmax_warp"]),
                ("aten::mm", &["ampere_sgemm_128"]),
                ("aten::add", &["vectorized_add", "vectorized_copy"]),
            ],
        );
        let head = trace(
            2,
            &[
                ("aten::mm", &["Cijk_Alik_MT64"]),
                ("aten::softmax", &["softmax_warp"]),
                ("aten::mm", &["Cijk_Alik_MT64"]),
                ("aten::add", &["elementwise_fused"]),
            ],
        );
        let found = paired_by_place(base, head);
        assert_eq!(found, ["ampere_sgemm_128→Cijk_Alik_MT64"], "of two against one nothing is guessed");
    }

    #[test]
    fn r09_operations_of_other_names_pair_and_then_what_they_start() {
        let of = |id, op, kernel| trace(id, &[("aten::linear", &["gemm"]), (op, &[kernel])]);
        let base = of(1, "aten::_flash_attention", "flash_fwd");
        let head = of(2, "aten::_efficient_attention", "fmha_cutlass");
        let found = paired_by_place(base, head);
        assert_eq!(found, ["aten::_flash_attention→aten::_efficient_attention", "flash_fwd→fmha_cutlass"]);
    }

    #[test]
    fn r09_functions_that_are_no_operations_never_pair_by_place() {
        let (base, head) =
            ([("main", "", "", 1), ("backoff", "", "", 2)], [("main", "", "", 1), ("lookup", "", "", 2)]);
        assert_eq!(found(&base, &head, Step::Name), ["main 1→1 Exact"]);
    }
}
