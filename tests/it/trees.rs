//! Trees made from call graphs: nothing is lost in any file, metric or view, and files that people reported to viewers show
//! what is right for each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferscope::analysis::call_tree::NO_NODE;
use inferscope::analysis::estimate::{Check, Errors};
use inferscope::analysis::flame_rows::{BoxAt, Merged, MergedOrder};
use inferscope::analysis::functions::graph_of;
use inferscope::analysis::gaps::{Gap, Gaps};
use inferscope::analysis::scope::Slice;
use inferscope::analysis::treemap::{Boxes, Nesting};
use inferscope::analysis::{Costs, TreeCosts};
use inferscope::import::{self, Input};
use inferscope::jobs::Job;
use inferscope::model::{MetricId, MetricKey, Profile};
use inferscope::query::{Engine, Query, Run};
use serde_json::Value;

use crate::support::{file, samples, stdout};

/// An open file.
struct Graph {
    run: Run,
    engine: Engine,
}

impl Graph {
    /// `None` for a file that is no call graph.
    fn open(path: &Path) -> Option<Self> {
        let profile = import::open_whole(&Input::Path(path.into()), &Job::new()).ok()?;
        graph_of(&profile)?;
        Some(Self { run: Run::of(Arc::new(profile)), engine: Engine::inline() })
    }

    fn report(path: &str) -> Self {
        Self::open(&file("tests/data/reports").join(path)).unwrap_or_else(|| panic!("{path} opens"))
    }

    fn profile(&self) -> &Profile {
        &self.run.profile
    }

    fn ask<Q: Query>(&self, query: &Q) -> Arc<Q::Output> {
        self.engine.now(&self.run, query, &Job::new()).expect("nobody cancels")
    }

    fn query(&self, metric: MetricId) -> Costs {
        Costs(Slice::whole(self.profile().metric_key(metric)))
    }

    fn costs(&self, metric: &str) -> Arc<TreeCosts> {
        self.ask(&Costs(Slice::whole(MetricKey::declared(metric))))
    }

    fn errors(&self, metric: &str) -> Arc<Errors> {
        self.ask(&Check(Costs(Slice::whole(MetricKey::declared(metric)))))
    }

    /// Self and total of the first node with this path, in thousandths.
    fn node(&self, costs: &TreeCosts, path: &str) -> (i64, i64) {
        let mut at = None;
        for name in path.split(" > ") {
            let is = |&n: &u32| costs.tree.nodes[n as usize].symbol.label(self.profile()).contains(name);
            let found: Vec<u32> = costs.tree.children(at).filter(is).collect();
            let largest = found.into_iter().max_by_key(|&n| costs.total[n as usize]);
            at = Some(largest.unwrap_or_else(|| panic!("no {name} of {path}")));
        }
        let node = at.expect("a path") as usize;
        let round = |cost: i64| (cost + 500).div_euclid(1000);
        (round(costs.own[node]), round(costs.total[node]))
    }
}

fn graphs() -> Vec<(PathBuf, Graph)> {
    let mut found: Vec<(PathBuf, Graph)> = Vec::new();
    for folder in
        ["sample_profiles/pstats", "sample_profiles/yappi", "sample_profiles/callgrind", "tests/data/reports"]
    {
        found.extend(samples(&file(folder)).into_iter().filter_map(|p| Graph::open(&p).map(|g| (p, g))));
    }
    assert!(found.len() > 30, "{}", found.len());
    found
}

/// Each node is what it spends, its children and its gaps; the roots and what is beside them are the whole.
fn assert_adds_up(costs: &TreeCosts, gaps: &Gaps, at: &str) {
    let mut below = vec![0i64; costs.tree.nodes.len()];
    let mut roots = gaps.above;
    for (node, &total) in costs.tree.nodes.iter().zip(&costs.total) {
        if node.parent == NO_NODE { roots += total } else { below[node.parent as usize] += total }
    }
    for (i, below) in below.iter().enumerate() {
        assert_eq!(
            costs.own[i] + gaps.not_placed[i] + gaps.unaccounted[i] + below,
            costs.total[i],
            "{at} node {i}"
        );
    }
    assert_eq!(roots, costs.whole.total, "{at}");
    let own: i64 = costs.own.iter().sum();
    assert_eq!(own + Gap::ALL.map(|gap| gaps.sum(gap)).iter().sum::<i64>(), costs.whole.total, "{at}");
}

#[test]
fn nothing_is_lost_in_any_metric_of_any_file_and_view() {
    for (path, graph) in graphs() {
        for metric in graph.profile().metric_ids() {
            let at = format!("{} metric {metric:?}", path.display());
            let query = graph.query(metric);
            let costs = graph.ask(&query);
            let gaps = costs.gaps.as_ref().expect("gaps");
            assert_adds_up(&costs, gaps, &at);
            if costs.tree.nodes.is_empty() || costs.own.iter().any(|&own| own < 0) {
                continue;
            }
            let flame =
                graph.ask(&Merged { costs: query.clone(), order: MergedOrder::Heaviest, by_track: false });
            let roots = (0..).map_while(|index| flame.get(BoxAt { row: 0, index })).map(|b| b.length());
            assert_eq!(roots.sum::<i64>(), costs.whole.total, "flame of {at}");
            let boxes = graph.ask(&Boxes { slice: query.0.clone(), nesting: Nesting::Calls, around: None });
            assert_eq!(boxes.boxes[0].total, costs.whole.total, "treemap of {at}");
        }
    }
}

#[test]
fn trees_agree_with_the_files() {
    let (mut files, mut placed, mut medians, mut p90, mut own) = (0, 0, 0, 0, 0);
    for (path, graph) in graphs() {
        let metric = graph.profile().metric_ids().next().expect("a metric");
        let costs = graph.ask(&graph.query(metric));
        if costs.tree.nodes.is_empty() || costs.whole.total <= 0 {
            continue;
        }
        let errors = graph.ask(&Check(graph.query(metric)));
        let lost = costs.gaps.as_ref().map_or(0, |gaps| gaps.sum(Gap::NotPlaced));
        files += 1;
        placed += usize::from(lost * 10 <= costs.whole.total);
        let of = |e: Option<(f64, f64)>| e.unwrap_or_default();
        medians += usize::from(of(errors.total).0 <= 0.02);
        p90 += usize::from(of(errors.total).1 <= 0.15);
        own += usize::from(of(errors.own).1 <= 0.02);
        println!("{} {lost} of {} {:?} {:?}", path.display(), costs.whole.total, errors.total, errors.own);
    }
    // What is missing to all of them are files whose records contradict each other.
    assert_eq!(placed, files);
    assert!(medians + 2 >= files && p90 + 2 >= files && own + 1 >= files, "{medians} {p90} {own} of {files}");
}

#[test]
fn imports_through_a_recursive_hub() {
    let g = Graph::report("python/big-import.prof");
    let costs = g.costs("time");
    let script = "exec > <module>";
    assert_eq!(g.node(&costs, "exec").1, 460_366);
    assert_eq!(g.node(&costs, script).1, 460_352);
    assert_eq!(g.node(&costs, &format!("{script} > b")).1, 460_341);
    assert_eq!(g.node(&costs, &format!("{script} > b > time.sleep")).1, 101_620);
    assert_eq!(g.node(&costs, &format!("{script} > b > _find_and_load")).1, 358_681);
    let own: i64 = costs.own.iter().sum();
    assert!(own * 100 >= costs.whole.total * 99, "{own} of {}", costs.whole.total);
    let errors = g.errors("time");
    assert!(errors.total.unwrap().1 < 0.02 && errors.own.unwrap().1 < 0.02, "{:?}", errors.total);

    let g = Graph::report("python/zero-primitive-calls.prof");
    let costs = g.costs("time");
    let exec = "<module> > _find_and_load > exec";
    assert_eq!((g.node(&costs, "<module>").1, g.node(&costs, "<module> > _find_and_load").1), (1000, 900));
    assert_eq!(g.node(&costs, &format!("{exec} > <module>")).1, 600);
    assert_eq!(g.node(&costs, &format!("{exec} > <module> > __build_class__")).1, 500);
    assert!(g.profile().warnings.is_empty(), "a call that had not ended is no damage");
}

#[test]
fn callers_that_were_only_counted() {
    let g = Graph::report("python/py27-profile.prof");
    let costs = g.costs("time");
    let main = "profiler > code object > <module> > main";
    let total = |path: &str| g.node(&costs, path).1;
    assert_eq!((total("profiler > code object"), total(main)), (58_988, 58_726));
    assert_eq!(total("profiler > code object > <module>"), 58_814);
    for (name, right) in [("fib", 25_858i64), ("foo", 21_156), ("helper", 7_034), ("even", 1_682)] {
        let found = total(&format!("{main} > {name}"));
        assert!((found - right).abs() * 50 <= right, "{name}: {found}, not {right}");
    }
    assert_eq!(costs.tree.children(None).count(), 1);
}

#[test]
fn callers_without_an_entry_show_what_they_call() {
    let g = Graph::report("python/filtered-callers.prof");
    let costs = g.costs("time");
    assert_eq!((g.node(&costs, "main > work").0, g.node(&costs, "main > io").0), (500_000, 200_000));
}

#[test]
fn threads_mixed_up_and_time_left_out() {
    let g = Graph::report("python/threads-py3.12.1.prof");
    let costs = g.costs("time");
    assert_eq!((costs.whole.total + 500) / 1000, 297_653);
    let sum: i64 = (0..costs.tree.nodes.len())
        .filter(|&i| costs.tree.nodes[i].symbol.label(g.profile()).contains("builtins.sum"))
        .map(|i| costs.own[i])
        .sum();
    assert!(sum > 290_000_000, "{sum}");
    assert!(costs.total.iter().all(|&total| total <= costs.whole.total));

    let g = Graph::report("python/yappi-threads-cpu.pstat");
    let costs = g.costs("time");
    assert_eq!((costs.whole.total + 500) / 1000, 118_946);
    let table = g.ask(&inferscope::analysis::Functions(Slice::whole(MetricKey::declared("time"))));
    let spin =
        table.rows.iter().find(|r| g.profile().text(g.profile().functions.get(r.function).name) == "spin");
    let spin = spin.expect("spin");
    let share = |cost: i64| (cost as f64 / table.whole.total as f64 * 1000.0).round() / 10.0;
    assert_eq!(share(spin.own), 42.2);
    assert!((share(spin.total) - 96.6).abs() < 0.15, "{}", share(spin.total));
    let gaps = costs.gaps.as_ref().expect("gaps");
    assert_eq!((gaps.sum(Gap::Unaccounted) + 50_000) / 100_000, 674);

    let g = Graph::report("python/no-subcalls.prof");
    assert!(g.costs("time").tree.nodes.is_empty());
    let text = stdout(&["report", &file("tests/data/reports/python/no-subcalls.prof").to_string_lossy()]);
    assert!(text.contains("not who called it"), "{text}");
}

#[test]
fn work_below_a_recursive_dispatcher() {
    let g = Graph::report("output/recursive-dispatch.prof");
    let costs = g.costs("time");
    assert_eq!((costs.own.iter().sum::<i64>(), costs.whole.total), (1_000_000_000, 1_000_000_000));
    let own = |name: &str| -> i64 {
        let is = |i: &usize| costs.tree.nodes[*i].symbol.label(g.profile()).contains(name);
        (0..costs.tree.nodes.len()).filter(is).map(|i| costs.own[i]).sum()
    };
    assert_eq!((own("work"), own("setup"), own("fixture")), (900_000_000, 50_000_000, 50_000_000));
}

#[test]
fn each_metric_has_its_own_tree() {
    let g = Graph::report("traces/pprofile-hits-first.callgrind");
    let costs = g.costs("time");
    let micros = |path: &str| g.node(&costs, path);
    assert_eq!(micros("<module>"), (45, 10_000));
    assert_eq!(micros("<module> > main"), (155, 9_955));
    assert_eq!(micros("<module> > main > work"), (9_800, 9_800));

    let g = Graph::report("traces/xdebug-negative-memory.cachegrind.out");
    let costs = g.costs("memory");
    let node = |path: &str| {
        let found = |n: &u32| costs.tree.nodes[*n as usize].symbol.label(g.profile()).contains(path);
        costs.own[(0..costs.tree.nodes.len() as u32).find(found).expect("a function") as usize]
    };
    assert_eq!(
        (costs.whole.total, node("main"), node("fill"), node("unset_like")),
        (5_000, 1_000, 9_000, -5_000)
    );
}

#[test]
fn a_cycle_that_nobody_enters_is_one_root() {
    let g = Graph::report("traces/cyclic-instr-line.callgrind");
    let costs = g.costs("Ir");
    let roots: Vec<i64> = costs.tree.children(None).map(|n| costs.total[n as usize]).collect();
    assert_eq!(roots, [400]);
    assert_eq!(costs.own.iter().sum::<i64>(), 400);
    assert!(costs.tree.nodes.iter().any(|n| n.depth > 0));
}

#[test]
fn anybody_can_check_the_tree() {
    let json = |path: &str, more: &[&str]| -> Value {
        let path = file(path).to_string_lossy().into_owned();
        let args: Vec<&str> = [&["report", "--json", "--tree", &path], more].concat();
        serde_json::from_str(&stdout(&args)).expect("JSON")
    };
    let int = |v: &Value| v.as_i64().expect("a whole number");
    for more in [&[][..], &["--min-share", "0.05"]] {
        let report = json("tests/data/reports/python/big-import.prof", more);
        let (tree, estimate) = (report["tree"].as_array().unwrap(), &report["estimate"]);
        let own: i64 = tree.iter().map(|n| int(&n["self"])).sum();
        assert_eq!(own, int(&estimate["placed"]));
        assert_eq!(own + int(&estimate["not_placed"]), int(&estimate["total"]));
        assert_eq!(int(&estimate["total"]), int(&report["totals"]["time"]["value"]));
        assert!(
            estimate["median_error"].as_f64().unwrap() < 0.02
                && estimate["p90_error"].as_f64().unwrap() < 0.15
        );
        assert!(more.is_empty() || tree.len() < 200, "{}", tree.len());
        for node in tree {
            assert!(node["path"].as_array().is_some_and(|path| !path.is_empty()));
            if let Some(parent) = node["parent"].as_u64() {
                assert!(int(&node["total"]) <= int(&tree[parent as usize]["total"]));
            }
        }
    }
    // Measured trees have one, too: it is no estimate, and exact.
    for path in ["sample_profiles/folded", "sample_profiles/chrome-trace"] {
        for sample in samples(&file(path)).into_iter().take(2) {
            let report = json(&sample.to_string_lossy(), &[]);
            assert_eq!(report["estimate"]["estimated"], Value::Bool(false), "{}", sample.display());
            assert!(report["tree"].as_array().is_some_and(|tree| !tree.is_empty()), "{}", sample.display());
        }
    }
}

#[test]
fn costs_below_0_have_no_share_in_tree_and_table() {
    let folder = crate::support::folder("below-0");
    let path = folder.join("neg.cg").to_string_lossy().into_owned();
    let report_of = |last: i64| {
        let text = "events: Ir Memory\nfn=main\n1 3 1000\ncfn=mid\ncalls=1 0\n2 22 MID\nfn=mid\n9 2 100\ncfn=grow\n\
                    calls=1 0\n10 10 5000\ncfn=shrink\ncalls=1 0\n11 10 LAST\nfn=grow\n5 10 5000\nfn=shrink\n7 10 LAST\n";
        std::fs::write(
            &path,
            text.replace("LAST", &last.to_string()).replace("MID", &(last + 5100).to_string()),
        )
        .unwrap();
        stdout(&["report", &path, "--metric", "Memory", "--tree"])
    };
    for last in [-8000, -5500] {
        let text = report_of(last);
        assert_eq!(text.matches("(costs below 0 cancel out others)").count(), 2, "{text}");
        for word in text.split_whitespace().collect::<Vec<_>>().windows(2).filter(|w| w[1] == "%") {
            let share: Option<f64> = word[0].replace('−', "-").parse().ok();
            assert!(share.is_none_or(|s| (0.0..=100.0).contains(&s)), "{word:?} in\n{text}");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
