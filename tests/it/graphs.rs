//! Call graphs of pstats and callgrind files: numbers as Python's `pstats`, `callgrind_annotate` and
//! `cg_annotate` print them, and damaged copies of the same files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferscope::analysis::Slice;
use inferscope::analysis::call_graph::{Calling, Graph};
use inferscope::analysis::callers::{Callers, Reach};
use inferscope::import::{self, Input};
use inferscope::jobs::Job;
use inferscope::model::{CallGraph, Calls, NodeId, Profile};
use inferscope::query::{Engine, Run, RunId};

use crate::support;

fn open(path: &Path) -> Profile {
    import::open(&Input::Path(path.into()), &Job::new(), &mut |_| {})
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn sample(path: &str) -> Profile {
    open(&support::file("sample_profiles").join(path))
}

fn graph(profile: &Profile) -> &CallGraph {
    profile.call_graph.as_ref().expect("a call graph")
}

/// The only node of a name (and file, unless empty).
fn node(profile: &Profile, file: &str, name: &str) -> NodeId {
    let fits = |id: &usize| {
        let f = profile.functions.get(graph(profile).nodes[*id].function);
        profile.text(f.name) == name && profile.text(f.file).ends_with(file)
    };
    let found: Vec<_> = (0..graph(profile).nodes.len()).filter(fits).collect();
    assert_eq!(found.len(), 1, "{file} {name}");
    NodeId::from_index(found[0])
}

/// All and primitive calls, self and total of a function, first metric.
fn costs(profile: &Profile, file: &str, name: &str) -> (u64, u64, i64, i64) {
    let (graph, id) = (graph(profile), node(profile, file, name).index());
    let calls = graph.nodes[id].calls.unwrap_or_default();
    (calls.all, calls.primitive, graph.costs[0].node_self[id], graph.costs[0].node_total[id])
}

fn sums(profile: &Profile) -> (u64, u64, i64) {
    let graph = graph(profile);
    let calls = graph.nodes.iter().filter_map(|n| n.calls);
    let (all, primitive) = calls.fold((0, 0), |(a, p), c| (a + c.all, p + c.primitive));
    (all, primitive, graph.costs[0].node_self.iter().sum())
}

fn edge(profile: &Profile, caller: &str, callee: &str) -> (Calls, i64) {
    let (from, to) = (node(profile, "", caller), node(profile, "", callee));
    let graph = graph(profile);
    let at = graph.edges.iter().position(|e| (e.caller, e.callee) == (from, to)).expect("an edge");
    (graph.edges[at].calls.expect("calls"), graph.costs[0].edge_total[at])
}

/// Times to the microsecond, as pstats prints them.
fn micros(costs: (u64, u64, i64, i64)) -> (u64, u64, i64, i64) {
    (costs.0, costs.1, (costs.2 + 500) / 1000, (costs.3 + 500) / 1000)
}

#[test]
fn pstats_counts_and_times_of_all_pythons() {
    for (file, functions, want, micro) in [
        ("workload-py27.prof", 43, (57184, 48278), 34892),
        ("workload-py311.prof", 44, (55986, 47080), 22803),
        ("workload-py313.prof", 34, (15847, 10676), 14277),
        ("recursion-cycles-py311.prof", 67, (37096, 13632), 40045),
        ("asyncio-py311.prof", 726, (35093, 34409), 1_285_040),
        ("hotshot-py27.prof", 2, (1, 1), 126),
    ] {
        let p = sample(&format!("pstats/{file}"));
        let (all, primitive, own) = sums(&p);
        assert_eq!(
            (graph(&p).nodes.len(), (all, primitive), (own + 500) / 1000),
            (functions, want, micro),
            "{file}"
        );
        assert!(p.warnings.is_empty(), "{file}: {:?}", p.warnings);
    }
    let p = sample("pstats/workload-py27.prof");
    assert_eq!(micros(costs(&p, "encoder.py", "_iterencode_list")), (11673, 7938, 6368, 22437));
    assert_eq!(micros(costs(&p, "cprof_workload.py", "deep")), (3001, 1, 3863, 3863));
    assert_eq!(micros(costs(&p, "~", "{zlib.compress}")), (20, 20, 1093, 1093));
    let p = sample("pstats/workload-py313.prof");
    assert_eq!(micros(costs(&p, "cprof_workload.py", "main")), (1, 1, 114, 14252));
    for (name, calls) in [("fib", (1973, 1)), ("is_even", (101, 1)), ("is_odd", (100, 1)), ("area", (50, 50))]
    {
        let (all, primitive, ..) = costs(&p, "cprof_workload.py", name);
        assert_eq!((all, primitive), calls, "{name}");
    }
    assert_eq!(p.meta.tool, "cProfile (pstats)");
}

#[test]
fn recursion_keeps_its_counts_per_caller() {
    let p = sample("pstats/recursion-py311.prof");
    let calls = |caller, callee| {
        let calls = edge(&p, caller, callee).0;
        (calls.all, calls.primitive)
    };
    assert_eq!((calls("fib", "fib"), calls("main", "fib")), ((176, 2), (1, 1)));
    assert_eq!((calls("main", "a"), calls("b", "a"), calls("a", "b")), ((1, 1), (2, 1), (2, 1)));
    assert_eq!((calls("a", "leaf"), calls("b", "leaf"), calls("main", "leaf")), ((3, 3), (2, 2), (1, 1)));
    assert_eq!((edge(&p, "b", "a").1, edge(&p, "main", "a").1), (5_019_881, 10_377_523));
    // What the callee spent itself under each caller adds up to what it spent itself.
    let leaf = node(&p, "", "leaf");
    let graph = graph(&p);
    let under: i64 = graph
        .edges
        .iter()
        .zip(&graph.costs[0].edge_self)
        .filter(|(e, _)| e.callee == leaf)
        .map(|(_, c)| c)
        .sum();
    assert_eq!(under, graph.costs[0].node_self[leaf.index()]);
}

#[test]
fn pure_profile_has_calls_but_no_costs_along_edges() {
    let p = sample("pstats/recursion-pure-profile-py311.prof");
    assert_eq!(p.meta.tool, "profile (pstats)");
    assert_eq!(sums(&p), (199, 20, 860_967));
    assert!(!graph(&p).costs[0].edges_measured);
    assert_eq!(edge(&p, "fib", "fib").0.all, 176);
    let program = "<code object <module>, file \"recursion.py\", line 1>";
    assert_eq!(costs(&p, "profile", program), (1, 1, 60_280, 860_967));
}

#[test]
fn yappi_and_pyinstrument_write_pstats_in_their_own_way() {
    let p = sample("yappi/asyncio-wall-builtins.pstat");
    assert_eq!((p.meta.tool.as_str(), sums(&p)), ("yappi (pstats)", (1117, 1115, 2_740_717_000)));
    assert_eq!(micros(costs(&p, "builtins", "len")), (85, 83, 26, 28));
    let p = sample("yappi/asyncio-wall.pstat");
    assert_eq!((p.meta.tool.as_str(), sums(&p)), ("yappi (pstats)", (620, 620, 1_524_810_000)));
    let p = sample("pstats/asyncio-pyinstrument.pstats");
    assert_eq!((p.meta.tool.as_str(), sums(&p)), ("pyinstrument (pstats)", (0, 0, 1_208_179_035)));
    assert!(graph(&p).nodes.iter().all(|n| n.calls.is_none()));
}

#[test]
fn yappi_writes_the_same_run_as_callgrind() {
    let (stat, grind) = (sample("yappi/asyncio-wall.pstat"), sample("yappi/asyncio-wall.callgrind"));
    assert_eq!((grind.meta.tool.as_str(), sums(&grind).2), ("yappi (callgrind)", 1_524_797_000));
    let names = |p: &Profile| {
        let mut all: Vec<_> = graph(p)
            .nodes
            .iter()
            .map(|n| p.functions.get(n.function))
            .map(|f| [f.name, f.module, f.file].map(|t| p.text(t).to_owned()))
            .collect();
        all.sort();
        all
    };
    assert_eq!(names(&stat), names(&grind));
    assert_eq!(costs(&grind, "tasks.py", "sleep").2, 1_321_092_000);
    assert_eq!(costs(&grind, "runners.py", "Runner.run").3, 1_221_824_000);
}

#[test]
fn callgrind_totals_are_those_of_callgrind_annotate() {
    let p = sample("callgrind/gzip.callgrind.out");
    assert_eq!(sums(&p).2, 2_056_725);
    assert_eq!((p.meta.tool.as_str(), p.meta.title.as_str()), ("callgrind 3.19.0", "gzip -c /etc/services"));
    for (name, own, total) in [
        ("0x0000000000004290", Some(687_529), 687_529),
        ("0x0000000000004710", Some(482_766), 1_879_004),
        ("0x000000000001ab70", None, 2_056_725),
        ("(below main)", None, 1_926_453),
    ] {
        let found = costs(&p, "", name);
        assert_eq!((own.unwrap_or(found.2), found.3), (found.2, total), "{name}");
    }
    assert!(p.warnings.is_empty(), "{:?}", p.warnings);
}

#[test]
fn callgrind_events_and_what_is_derived_from_them() {
    let p = sample("callgrind/sort-caches.callgrind.out");
    let (graph, id) = (graph(&p), node(&p, "", "0x0000000000009a00").index());
    let own: Vec<i64> = graph.costs.iter().map(|c| c.node_self[id]).collect();
    assert_eq!(own, [99_116, 35_600, 17_826, 3, 13, 0, 3, 0, 0, 12_696, 269, 0, 0]);
    let total: Vec<i64> = graph.costs.iter().map(|c| c.node_total[id]).collect();
    assert_eq!(total, [421_309, 143_847, 85_455, 32, 49, 6, 23, 12, 0, 30_061, 1_189, 10_071, 361]);
    // callgrind_annotate counts the calls of this function by itself, too: 1,219,842.
    assert_eq!(costs(&p, "", "0x0000000000009ad0'2").3, 1_219_842 - 870_133);
    let cycles = p.metric(p.metric_by_key("CEst").expect("estimated cycles"));
    let cost =
        |&(factor, m): &(i64, _)| factor * graph.costs.iter().find(|c| c.metric == m).unwrap().node_self[id];
    assert_eq!(cycles.formula.iter().map(cost).sum::<i64>(), 99_116 + 10 * (269 + 3 + 13) + 100 * 3);
}

#[test]
fn inlined_code_counts_for_its_function_and_under_its_own_file() {
    let p = sample("callgrind/gzip.callgrind.out");
    let id = node(&p, "dl-lookup.c", "do_lookup_x");
    let lines = &graph(&p).lines;
    let (mut own, mut inlined) = (0, 0);
    for row in lines.of(id).iter() {
        let own_file = p.text(row.place.file).ends_with("dl-lookup.c");
        *if own_file { &mut own } else { &mut inlined } += row.costs[0];
    }
    assert_eq!((own, inlined), (26_008, 918));
    assert_eq!(costs(&p, "dl-lookup.c", "do_lookup_x").2, 26_926);
}

#[test]
fn cachegrind_xdebug_pprof_and_jruby() {
    let p = sample("callgrind/gzip.cachegrind.out");
    let totals: Vec<i64> = graph(&p).costs.iter().map(|c| c.node_self.iter().sum()).collect();
    assert_eq!(totals, [2_067_532, 1371, 1345, 455_044, 5274, 1404, 266_938, 2190, 2085]);
    assert_eq!(p.meta.tool, "cachegrind");
    assert_eq!(costs(&p, "memset-vec-unaligned-erms.S", "__memset_avx2_unaligned_erms").2, 66_332);
    let p = sample("callgrind/xdebug3-php82.cachegrind.out.gz");
    assert_eq!((p.meta.tool.as_str(), p.meta.duration), ("xdebug 3.2.0 (PHP 8.2.36)", Some(84_564_190)));
    assert_eq!(costs(&p, "", "App\\Svc\\fib"), (3193, 1, 1_717_810, 1_719_910));
    let p = sample("callgrind/pprof-call-tree.callgrind");
    assert_eq!(sums(&p), (0, 0, 1_120_000_000));
    let p = sample("callgrind/jruby-fibonacci.callgrind.out");
    assert_eq!(costs(&p, "example1.rb", "Object#fibonacci"), (57291, 21, 256_712, 114_585_076));
    let p = sample("callgrind/relative-costs.callgrind");
    assert_eq!(costs(&p, "", "func2"), (5, 5, 700, 700));
}

#[test]
fn the_files_of_one_run_are_added_up() {
    let folder = support::folder("threads");
    let base = folder.join("xz-threads.callgrind.out");
    for thread in ["-01", "-02", "-03"] {
        let name = format!("xz-threads.callgrind.out{thread}");
        std::fs::copy(support::file("tests/data/callgrind").join(&name), folder.join(&name)).unwrap();
    }
    std::fs::write(&base, "").unwrap();
    // Of another process: its name fits, its headers do not.
    std::fs::write(folder.join("xz-threads.callgrind.out-04"), "pid: 1\nevents: Ir\nfn=a\n1 5\n").unwrap();
    for opened in [base, folder.join("xz-threads.callgrind.out-02")] {
        let p = open(&opened);
        assert_eq!(sums(&p).2, 478_732 + 9_362_124 + 5_123_014, "{}", opened.display());
        assert!(
            p.meta
                .facts
                .iter()
                .any(|f| f.name.contains("3 files") && inferscope::format::fact(&f.value).ends_with("-03"))
        );
    }
    std::fs::write(folder.join("callgrind.out.9"), "").unwrap();
    let alone = import::open(&Input::Path(folder.join("callgrind.out.9")), &Job::new(), &mut |_| {});
    assert_eq!(alone.unwrap_err().to_string(), "is empty");
    std::fs::remove_dir_all(folder).unwrap();
}

fn graph_samples() -> Vec<PathBuf> {
    ["pstats", "yappi", "callgrind"]
        .into_iter()
        .flat_map(|folder| support::samples(&support::file("sample_profiles").join(folder)))
        .collect()
}

#[test]
fn the_content_decides_not_the_name() {
    for path in graph_samples() {
        let bytes = std::fs::read(&path).unwrap();
        let unknown = Input::Bytes("unknown".into(), bytes.into());
        let p = import::open(&unknown, &Job::new(), &mut |_| {}).unwrap();
        assert_eq!(inferscope::model::dump(&p), inferscope::model::dump(&open(&path)), "{}", path.display());
    }
}

/// Damaged copies end, without a panic: as an error or as a profile that holds together.
#[test]
fn damaged_files_end_well() {
    let mut seed = 1u64;
    let mut random = move |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % n
    };
    for path in graph_samples() {
        let whole = std::fs::read(&path).unwrap();
        let whole = &whole[..whole.len().min(12_000)];
        for round in 0..60 {
            let mut bytes = whole.to_vec();
            if round % 3 == 0 {
                bytes.truncate(random(whole.len()));
            }
            for _ in 0..(round % 7) {
                if !bytes.is_empty() {
                    let at = random(bytes.len());
                    bytes[at] = if random(2) == 0 { bytes[at] ^ (1 << random(8)) } else { random(256) as u8 };
                }
            }
            let input = Input::Bytes(path.file_name().unwrap().to_string_lossy().into(), bytes.into());
            let Ok(p) = import::open(&input, &Job::new(), &mut |_| {}) else { continue };
            let Some(graph) = &p.call_graph else { continue };
            let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
            assert!(graph.edges.iter().all(|e| e.caller.index() < nodes && e.callee.index() < nodes));
            for costs in &graph.costs {
                assert_eq!((costs.node_self.len(), costs.edge_total.len()), (nodes, edges));
            }
            let (mut lines, mut sites) = (Vec::new(), Vec::new());
            graph.lines.for_each(|row| {
                lines.push(row.place);
                assert!(row.costs.len() == graph.lines.metrics() && row.place.node.index() < nodes);
            });
            graph.sites.for_each(|row| sites.push(row.place));
            assert!(lines.is_sorted_by(|a, b| a < b), "in order, each once");
            assert!(sites.is_sorted_by(|a, b| a < b), "in order, each once");
        }
    }
}

/// Caller, callee, total of the calls between.
fn drawn(profile: &Profile, graph: &Graph) -> Vec<(String, String, Option<i64>)> {
    let name = |row: u32| graph.nodes[row as usize].symbol.label(profile).into_owned();
    let mut edges: Vec<_> = graph.edges.iter().map(|e| (name(e.from), name(e.to), e.total)).collect();
    edges.sort();
    edges
}

/// The graph's edges are what `print_callers` and `print_callees` print, around a function, too.
#[test]
fn the_dependency_graph_shows_the_recorded_calls() {
    let profile = Arc::new(sample("pstats/recursion-py311.prof"));
    let subject = Run::of(profile.clone());
    let engine = Engine::inline();
    let a = profile.functions.ids().find(|&f| profile.function_name(f) == "a").expect("a");
    let a = profile.keys().symbol(a);
    for around in [None, Some(a)] {
        let query = Calling { slice: Slice::default(), around };
        let graph = engine.now(&subject, &query, &Job::new()).expect("not cancelled");
        let edges = drawn(&profile, &graph);
        for (caller, callee, total) in [("main", "a", 10_377_523), ("b", "a", 5_019_881)] {
            assert!(edges.contains(&(caller.into(), callee.into(), Some(total))), "{caller} {edges:?}");
        }
        let query = Callers { slice: Slice::default(), function: a, reach: Reach::Direct };
        let list = engine.now(&subject, &query, &Job::new()).expect("not cancelled");
        for side in [&list.callers, &list.callees] {
            assert!(side.iter().all(|n| edges.iter().any(|e| e.2 == n.total)), "{side:?}");
        }
    }
    let profile = Arc::new(sample("callgrind/gzip.callgrind.out"));
    let subject = Run { id: RunId(2), ..Run::of(profile.clone()) };
    let query = Calling { slice: Slice::default(), around: None };
    let graph = engine.now(&subject, &query, &Job::new()).expect("not cancelled");
    for (name, total) in [("0x0000000000004290", 687_529), ("0x0000000000004710", 1_879_004)] {
        let node = graph.nodes.iter().find(|n| n.symbol.label(&profile) == name).expect("the function");
        assert_eq!(node.total, total, "{name}");
    }
    assert_eq!(graph.whole.total, 2_056_725);
}
