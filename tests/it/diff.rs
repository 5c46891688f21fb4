//! `inferscope diff` on pairs with known differences: `tests/data/compare` holds figures that are made by arithmetic.
//!
//! What a comparison must hold is numbered; a test that begins with `r` and the number proves it. Some are beside the code:
//! r07 (names of another build, rules) in `model/keys/names` and `analysis/matches`, r09 in `analysis/matches`, r12 as
//! laws for any input in `analysis/diff`, r13 (two bands on one clock) in `views/bands`, r14 in `views/memory/compare`, r15 (the test itself) in
//! `analysis/diff/evidence`, r20 (the window's baselines) in `state/session` and `app/project`.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::run;

/// What a run of the program printed, and its exit code.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn inferscope(args: &[&str]) -> Ran {
    let out = run(args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: out.status.code(), stdout: text(out.stdout), stderr: text(out.stderr) }
}

fn case(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/compare").join(name)
}

fn ran(base: &str, head: &str, more: &[&str]) -> Ran {
    let (base, head) = (case(base), case(head));
    let mut args = vec!["diff", base.to_str().unwrap(), head.to_str().unwrap()];
    args.extend(more);
    inferscope(&args)
}

fn json(base: &str, head: &str, more: &[&str]) -> Value {
    let ran = ran(base, head, &[&["--json"], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Paths of two files with these texts.
fn written(name: &str, base: &str, head: &str) -> [String; 2] {
    let folder = crate::support::folder(name);
    [("base", base), ("head", head)].map(|(side, text)| {
        let path = folder.join(side);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    })
}

fn row<'a>(diff: &'a Value, name: &str) -> &'a Value {
    diff["rows"].as_array().unwrap().iter().find(|r| r["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

fn paths(diff: &Value, state: &str) -> Vec<String> {
    let of = diff["paths"].as_array().unwrap().iter().filter(|p| p["state"] == state);
    let text = |p: &Value| {
        p["path"].as_array().unwrap().iter().map(|f| f.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut found: Vec<String> = of.map(|p| text(p).join(";")).collect();
    found.sort();
    found
}

#[test]
fn r01_what_only_one_run_has_is_new_or_gone_and_what_moved_is_neither() {
    let d = json("01-new-gone/base.folded", "01-new-gone/head.folded", &[]);
    let metric = d["metric"].as_str().unwrap();
    assert_eq!((&d["total"][metric]["base"], &d["total"][metric]["head"]), (&660.into(), &561.into()));
    let of = |name: &str, side: &str, which: &str| row(&d, name)[side][metric][which].clone();
    for (name, own, total, state) in [
        ("app", 0, -99, "both"),
        ("backoff", -60, -60, "gone"),
        ("encode", -120, -75, "both"),
        ("lookup", 36, 111, "new"),
        ("read", 0, -75, "both"),
        ("score", 45, 45, "both"),
        ("split", 0, 0, "both"),
    ] {
        assert_eq!(
            (of(name, "delta", "self"), of(name, "delta", "total")),
            (own.into(), total.into()),
            "{name}"
        );
        assert_eq!(row(&d, name)["state"], state, "{name}");
    }
    assert_eq!((of("lookup", "base", "self"), of("lookup", "relative", "self")), (Value::Null, Value::Null));
    let printed = ran("01-new-gone/base.folded", "01-new-gone/head.folded", &[]).stdout;
    let of = |name: &str| printed.lines().find(|l| l.contains(&format!(" {name}"))).unwrap().to_owned();
    let table = printed.split_once("BASE").unwrap().1;
    let line = |name: &str| table.lines().find(|l| l.contains(&format!("  {name} "))).unwrap().to_owned();
    assert!(line("lookup").contains("–") && line("lookup").contains(" new "), "{}", of("lookup"));
    assert!(
        line("backoff").contains(" gone ") && !printed.contains("inf") && !printed.contains("−100"),
        "{printed}"
    );
    assert_eq!(row(&d, "split")["moved"], true);
    assert_eq!(paths(&d, "new"), ["app;lookup", "app;lookup;split"]);
    assert_eq!(paths(&d, "gone"), ["app;backoff", "app;read;split"]);
    assert_eq!(paths(&d, "both"), ["app;emit", "app;encode", "app;encode;score", "app;read;decode"]);
}

#[test]
fn r01_paths_of_estimated_trees_are_not_placed_rather_than_new_or_gone() {
    let sample = |name: &str| format!("{}/sample_profiles/pstats/{name}", env!("CARGO_MANIFEST_DIR"));
    let (base, head) = (sample("workload-py27.prof"), sample("workload-py311.prof"));
    let out = inferscope(&["diff", &base, &head, "--json"]);
    let d: Value = serde_json::from_str(&out.stdout).unwrap();
    assert!(d["paths_estimated"].is_string());
    let unplaced: Vec<&Value> =
        d["paths"].as_array().unwrap().iter().filter(|p| p["state"] == "not placed").collect();
    assert!(!unplaced.is_empty());
    for path in unplaced {
        let lacks = [&path["base"], &path["head"]].iter().filter(|side| side.is_null()).count();
        assert_eq!((lacks, &path["delta"]), (1, &Value::Null), "{path}");
        let both = |f: &Value| row(&d, f.as_str().unwrap())["state"] == "both";
        assert!(path["path"].as_array().unwrap().iter().all(both), "{path}");
    }
}

#[test]
fn r04_one_function_that_grew_is_named_and_shares_mislead_only_when_asked() {
    let (base, head) = ("02-one-grew/base.folded", "02-one-grew/head.folded");
    let d = json(base, head, &[]);
    let metric = d["metric"].as_str().unwrap().to_owned();
    let changed = |d: &Value| {
        let is = |r: &&Value| r["delta"][&metric]["self"].as_f64() != Some(0.0);
        d["rows"].as_array().unwrap().iter().filter(is).count()
    };
    assert_eq!((changed(&d), &row(&d, "hot")["delta"][&metric]["self"]), (1, &700.into()));
    let by_total = json(base, head, &["--normalise", "total"]);
    assert_eq!((&by_total["factor_base"], &by_total["factor_head"]), (&2.0.into(), &1.0.into()));
    assert_eq!(row(&by_total, "f0")["relative"][&metric]["self"], -0.5);
    assert_eq!(row(&by_total, "f0")["base"][&metric]["self"], 70, "the recorded pair stays");
    let text = ran(base, head, &["--normalise", "total"]).stdout;
    assert!(text.contains("hot explains it") && text.contains("2.0000"), "{text}");
    let f0 = text.lines().find(|l| l.contains(" f0 ")).unwrap();
    assert!(f0.contains("recorded 70 = 70") && f0.contains("140") && f0.contains("−50.0 %"), "{f0}");
}

#[test]
fn r07_functions_that_an_edit_moved_are_the_same_and_twins_are_not_crossed() {
    let d = json("03-moved-lines/base.prof", "03-moved-lines/head.prof", &[]);
    assert_eq!(d["matched"]["rows"], 7);
    assert_eq!(d["rows"].as_array().unwrap().len(), 7);
    let lambdas: Vec<_> = d["rows"].as_array().unwrap().iter().filter(|r| r["name"] == "<lambda>").collect();
    let mut found: Vec<_> = lambdas
        .iter()
        .map(|r| {
            (r["line"].as_u64(), r["base"]["time"]["self"].as_u64(), r["delta"]["time"]["self"].as_i64())
        })
        .collect();
    found.sort();
    assert_eq!(found, [(Some(16), Some(6_000_000), Some(0)), (Some(36), Some(10_000_000), Some(0))]);
    let fib = row(&d, "fib");
    assert_eq!((&fib["calls"]["base"], &fib["primitive_calls"]["head"]), (&276.into(), &4.into()));
    assert_eq!(row(&d, "<listcomp>")["delta"]["time"]["self"], 16_000_000);
}

#[test]
fn r05_another_sampling_rate_is_no_change() {
    let d = json("04-other-rate/base.speedscope.json", "04-other-rate/head.speedscope.json", &[]);
    assert!(d["rows"].as_array().unwrap().iter().all(|r| r["delta"]["time"]["self"] == 0));
    assert!(d["settings"].as_array().unwrap().iter().any(|s| s["base"] == "1 ms" && s["head"] == "10 ms"));
    let unknown = ran("02-one-grew/base.folded", "02-one-grew/head.folded", &[]).stdout;
    assert!(unknown.contains("do not say how often"), "{unknown}");
}

#[test]
fn r06_a_metric_of_one_side_is_not_zero_and_names_of_another_build_match() {
    let d = json("05-callgrind-names/callgrind.out.base", "05-callgrind-names/callgrind.out.head", &[]);
    assert_eq!((&d["matched"]["rows"], d["rows"].as_array().unwrap().len()), (&5.into(), 5));
    assert_eq!((&d["metrics"]["common"], &d["metrics"]["only_head"]), (&["Ir"].into(), &["Dr"].into()));
    let mut own: Vec<_> = d["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["base"]["Ir"]["self"].as_i64().unwrap(), r["head"]["Ir"]["self"].as_i64().unwrap()))
        .collect();
    own.sort();
    assert_eq!(own, [(220, 220), (880, 880), (2200, 2200), (5500, 7700), (11000, 9900)]);
}

#[test]
fn r13_the_same_work_in_another_order_is_told_and_what_moved_to_another_thread() {
    let d = json("06-serial-overlap/base.trace.json", "06-serial-overlap/head.trace.json", &[]);
    assert_eq!(d["elapsed_ns"]["delta"], -800_000_000);
    assert!(d["rows"].as_array().unwrap().iter().all(|r| r["delta"]["time"]["self"] == 0));
    let headline = d["headline"].as_str().unwrap();
    assert!(
        headline.contains("work is the same") && headline.contains("800 ms earlier (−25.0 %)"),
        "{headline}"
    );
    assert!(headline.contains("call_b moved from thread «worker» to «worker-2»"), "{headline}");
    assert!(
        d["rows"].as_array().unwrap().iter().all(|r| r["state"] == "both"),
        "origins and ids of threads differ"
    );
}

#[test]
fn r15_r16_repeated_runs_are_tested_and_single_ones_never_judged() {
    let several = |set: &str, n: usize| {
        let files = |side: &str| {
            let file = |i| case(&format!("07-repeats/{set}/{side}{i}.folded")).to_str().unwrap().to_owned();
            (1..=n).map(file).collect::<Vec<_>>().join(",")
        };
        let ran = inferscope(&["diff", "--json", "--base", &files("base"), "--head", &files("head")]);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    for (set, n, medians, p, verdict) in [
        ("five-separated", 5, (3451, 2364), 0.00794, "faster"),
        ("five-constant-head", 5, (3452, 2364), 0.00794, "faster"),
        ("three-separated", 3, (3450, 2364), 0.1, "too few runs"),
        ("five-overlap", 5, (3033, 3045), 1.0, "no evidence"),
        ("outlier", 5, (3001, 3003), 0.7381, "no evidence"),
    ] {
        let d = several(set, n);
        let work = row(&d, "work");
        let metric = d["metric"].as_str().unwrap();
        let own = (&work["base"][metric]["self"], &work["head"][metric]["self"]);
        assert_eq!(own, (&medians.0.into(), &medians.1.into()), "{set}");
        let e = &d["evidence"];
        assert!((e["p"].as_f64().unwrap() - p).abs() < 1e-4, "{set}: {e}");
        assert_eq!(e["verdict"], verdict, "{set}");
    }
    let one = json("02-one-grew/base.folded", "02-one-grew/head.folded", &[]);
    assert_eq!((&one["evidence"]["verdict"], &one["evidence"]["p"]), (&"too few runs".into(), &Value::Null));
}

#[test]
fn r06_seconds_and_samples_are_never_subtracted() {
    let d = json("09-other-tool/base.prof", "09-other-tool/head.folded", &[]);
    assert_eq!((&d["comparable"], &d["matched"]["rows"]), (&false.into(), &3.into()));
    assert!(d["why_not_comparable"].as_str().unwrap().contains("cannot be subtracted"));
    for (name, base, head) in [("main", 0.1, 0.1), ("alpha", 0.6, 0.55), ("beta", 0.3, 0.35)] {
        let r = row(&d, name);
        let near = |v: &Value, want: f64| (v.as_f64().unwrap() - want).abs() < 1e-9;
        assert!(near(&r["share_base"], base) && near(&r["share_head"], head), "{name}");
        assert!(near(&r["points"], (head - base) * 100.0), "{name}");
        assert!(r["delta"].as_object().unwrap().values().all(|d| d["self"].is_null()), "{name}");
    }
}

#[test]
fn r06_no_short_answer_subtracts_seconds_and_samples() {
    for by in ["function", "path"] {
        let args = ["--budget", "2000", "--by", by];
        let text = ran("09-other-tool/base.prof", "09-other-tool/head.folded", &args).stdout;
        let alpha = text.lines().find(|l| l.contains("alpha") && l.contains("points")).unwrap_or_default();
        assert!(alpha.starts_with("−5.0 points"), "{by}: {text}");
        assert!(!text.contains("1.20 G"), "{by}: {text}");
    }
}

#[test]
fn r19_a_gate_has_an_answer_of_its_own_for_what_it_cannot_tell() {
    let (base, head) = ("03-moved-lines/base.prof", "03-moved-lines/head.prof");
    let code = |conditions: &[&str]| {
        let args: Vec<&str> = conditions
            .iter()
            .flat_map(|c| if c.starts_with("--") { vec![*c] } else { vec!["--fail-if", c] })
            .collect();
        let ran = ran(base, head, &args);
        (ran.code, ran.stderr)
    };
    assert_eq!(code(&["total.time>+20%"]).0, Some(0));
    let (failed, why) = code(&["total.time>+5%", "fn:fib.self>+1ms"]);
    assert_eq!(failed, Some(1));
    assert!(why.contains("total.time>+5%") && why.contains("+12.2 %") && !why.contains("fib"), "{why}");
    assert_eq!(code(&["fn:<listcomp>.self>+10ms"]).0, Some(1));
    assert_eq!(code(&["total.time>+5%", "--evidence"]).0, Some(4), "one run each");
    assert_eq!(code(&["fn:nothing.self>+1ms"]).0, Some(4));
    assert_eq!(code(&["total.time>+5 parsecs"]).0, Some(2));
}

#[test]
fn a_run_compared_with_itself_does_not_differ() {
    for file in [
        "03-moved-lines/base.prof",
        "05-callgrind-names/callgrind.out.base",
        "06-serial-overlap/base.trace.json",
    ] {
        let d = json(file, file, &[]);
        let zero = |v: &Value| v.as_object().unwrap().values().all(|m| m["self"] == 0 && m["total"] == 0);
        assert!(
            d["rows"].as_array().unwrap().iter().all(|r| zero(&r["delta"]) && r["state"] == "both"),
            "{file}"
        );
        assert!(d["settings"].as_array().unwrap().is_empty(), "{file}: {}", d["settings"]);
        assert!(ran(file, file, &[]).stdout.contains("the same"), "{file}");
    }
}

#[test]
fn pages_and_comments_show_names_as_text() {
    let page = ran("03-moved-lines/base.prof", "03-moved-lines/head.prof", &["--html"]).stdout;
    assert!(page.contains("&lt;listcomp&gt;") && !page.contains("<listcomp>"));
    let comment = ran("03-moved-lines/base.prof", "03-moved-lines/head.prof", &["--markdown"]).stdout;
    assert!(comment.contains("`<listcomp>`") && comment.contains("#### Takes more"), "{comment}");
}

#[test]
fn r02_a_change_is_head_minus_base_and_a_percentage_is_of_the_base_of_its_row() {
    let [base, head] = written(
        "r02",
        "main;grows 40\nmain;zero;below 60\n",
        "main;grows 50\nmain;zero 7\nmain;zero;below 60\n",
    );
    let printed = ran(&base, &head, &[]).stdout;
    assert_eq!(printed.matches("Δ = head − base").count(), 1, "{printed}");
    let d = json(&base, &head, &[]);
    let metric = d["metric"].as_str().unwrap();
    let grows = row(&d, "grows");
    assert_eq!(
        (&grows["delta"][metric]["self"], &grows["relative"][metric]["self"]),
        (&10.into(), &0.25.into())
    );
    let points = grows["points"].as_f64().unwrap();
    assert!((points - (50.0 / 117.0 - 0.4) * 100.0).abs() < 1e-9, "{points}");
    assert_eq!(row(&d, "zero")["relative"][metric]["self"], Value::Null, "of nothing there is no percentage");
    let back = json(&head, &base, &[]);
    assert_eq!(row(&back, "grows")["delta"][metric]["self"], -10);
    for form in ["--markdown", "--html"] {
        assert!(ran(&base, &head, &[form]).stdout.contains("Δ = head − base"), "{form}");
    }
}

#[test]
fn r03_nothing_is_normalised_unasked_and_every_form_shows_the_same_numbers() {
    let (base, head) = ("03-moved-lines/base.prof", "03-moved-lines/head.prof");
    let d = json(base, head, &[]);
    assert_eq!(
        (&d["normalise"], &d["factor_base"], &d["legend"]),
        (&"nothing".into(), &1.0.into(), &"".into())
    );
    let by_total = ["--normalise", "total"];
    let d = json(base, head, &by_total);
    let factor = d["factor_base"].as_f64().unwrap();
    assert!(
        (factor - 92.0 / 82.0).abs() < 1e-9 && d["legend"].as_str().unwrap().contains("1.1220"),
        "{}",
        d["legend"]
    );
    let fib = &row(&d, "fib");
    assert_eq!(
        (&fib["base"]["time"]["self"], &fib["head"]["time"]["self"]),
        (&12_000_000.into(), &6_000_000.into())
    );
    let delta = fib["delta"]["time"]["self"].as_f64().unwrap();
    assert!((delta - (6e6 - 12e6 * factor)).abs() < 1.0);
    for form in [None, Some("--markdown"), Some("--html")] {
        let args: Vec<&str> = by_total.into_iter().chain(form).collect();
        let text = ran(base, head, &args).stdout;
        assert!(
            text.contains("1.1220") && text.contains("13.5 ms") && text.contains("−7.46 ms"),
            "{form:?}: {text}"
        );
        assert!(text.contains("12.0 ms → 6.00 ms"), "the recorded pair stays: {form:?}: {text}");
    }
}

#[test]
fn r08_what_has_no_partner_is_named_and_other_programs_are_not_compared() {
    let [base, head] = written("r08", "main;a 90\nmain;old 10\n", "main;a 80\nmain;fresh 20\n");
    let d = json(&base, &head, &[]);
    let shares = (d["matched"]["share_base"].as_f64().unwrap(), d["matched"]["share_head"].as_f64().unwrap());
    assert!((shares.0 - 0.9).abs() < 1e-9 && (shares.1 - 0.8).abs() < 1e-9, "{shares:?}");
    let printed = ran(&base, &head, &[]).stdout;
    assert!(printed.contains("90.0 % of the baseline's cost, 80.0 % of the new run's"), "{printed}");
    assert!(printed.contains("fresh (new)") && printed.contains("old (gone)"), "{printed}");
    let [base, head] = written("r08-other", "main;a 40\nmain;b 60\n", "main;c 40\nmain;d 60\n");
    let d = json(&base, &head, &[]);
    assert_eq!(d["comparable"], false);
    assert!(d["headline"].as_str().unwrap().contains("different programs"), "{}", d["headline"]);
    let gate = ran(&base, &head, &["--fail-if", "total>+5%"]);
    assert_eq!(gate.code, Some(4), "no claim about other programs");
}

#[test]
fn r10_a_change_is_told_in_calls_and_in_time_per_call() {
    let callgrind = |calls: u64, cost: u64| {
        format!(
            "events: Ir\nfl=app.c\nfn=main\n1 10\ncfn=decode\ncalls={calls} 5\n1 {cost}\nfn=decode\n5 {cost}\n"
        )
    };
    let [base, head] = written("r10", &callgrind(10, 1000), &callgrind(15, 1800));
    let d = json(&base, &head, &[]);
    let decode = row(&d, "decode");
    assert_eq!((&decode["delta_by_calls"], &decode["delta_by_time_per_call"]), (&550.into(), &250.into()));
    assert_eq!(decode["delta"]["Ir"]["total"], 800, "both parts together");
    assert!(d["headline"].as_str().unwrap().contains("5 more calls"), "{}", d["headline"]);
    let per_call = json(&base, &head, &["--normalise", "call"]);
    assert_eq!(row(&per_call, "decode")["delta"]["Ir"]["self"], 20.0);
    assert_eq!(row(&per_call, "decode")["relative"]["Ir"]["self"], 0.2);
}

#[test]
fn r11_what_takes_more_and_what_takes_less_are_lists_over_all_rows() {
    let stacks =
        |cost: &dyn Fn(i64) -> i64| (0..40).map(|i| format!("main;f{i} {}\n", cost(i))).collect::<String>();
    let change = |i: i64| if i % 2 == 0 { i + 1 } else { -(i + 1) };
    let [base, head] = written("r11", &stacks(&|_| 1000), &stacks(&|i| 1000 + change(i)));
    let printed = ran(&base, &head, &["--top", "5"]).stdout;
    let (more, less) = printed.split_once("Takes more").unwrap().1.split_once("Takes less").unwrap();
    let names = |list: &str| -> Vec<String> {
        list.lines()
            .filter_map(|l| {
                l.split_whitespace().find(|w| w.starts_with('f') && w[1..].parse::<u32>().is_ok())
            })
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(names(more), ["f38", "f36", "f34", "f32", "f30"]);
    assert_eq!(names(less), ["f39", "f37", "f35", "f33", "f31"]);
    let rest: i64 = (0..30).step_by(2).map(|i| i + 1).sum();
    assert!(more.contains(&format!("+15 more, together +{rest}")), "{more}");
}

#[test]
fn r12_self_and_total_add_up_in_every_metric_and_by_every_factor_of_a_side() {
    for (base, head) in [
        ("01-new-gone/base.folded", "01-new-gone/head.folded"),
        ("02-one-grew/base.folded", "02-one-grew/head.folded"),
        ("03-moved-lines/base.prof", "03-moved-lines/head.prof"),
        ("04-other-rate/base.speedscope.json", "04-other-rate/head.speedscope.json"),
        ("05-callgrind-names/callgrind.out.base", "05-callgrind-names/callgrind.out.head"),
        ("06-serial-overlap/base.trace.json", "06-serial-overlap/head.trace.json"),
    ] {
        for more in [&[][..], &["--normalise", "total"], &["--normalise", "second"]] {
            let printed = ran(base, head, &[&["--json"], more].concat());
            // Not every file has a time to be related to.
            let Ok(d) = serde_json::from_str::<Value>(&printed.stdout) else { continue };
            let number = |v: &Value| v.as_f64().unwrap_or(0.0);
            for (metric, total) in d["total"].as_object().unwrap() {
                let sum: f64 =
                    d["rows"].as_array().unwrap().iter().map(|r| number(&r["delta"][metric]["self"])).sum();
                let whole = number(&total["delta"]);
                assert!(
                    (sum - whole).abs() <= 1e-6 * whole.abs().max(1.0),
                    "{base} {metric} {more:?}: {sum} {whole}"
                );
            }
            let paths = d["paths"].as_array().unwrap();
            let metric = d["metric"].as_str().unwrap();
            // Two lambdas of one caller have one name here.
            let named: std::collections::HashSet<String> =
                paths.iter().map(|p| p["path"].to_string()).collect();
            for node in paths.iter().filter(|_| named.len() == paths.len()) {
                let names = node["path"].as_array().unwrap();
                let below = paths.iter().filter(|p| p["path"].as_array().unwrap().starts_with(names));
                let sum: f64 = below.map(|p| number(&p["delta"][metric]["self"])).sum();
                let total = number(&node["delta"][metric]["total"]);
                assert!(
                    (sum - total).abs() <= 1e-6 * total.abs().max(1.0),
                    "{base} {names:?}: {sum} {total}"
                );
            }
        }
    }
}

/// The base has four requests, the head five; q4 failed there and q5 is new.
#[test]
fn r17_r18_only_pairs_that_ended_well_are_better_or_worse_and_costs_are_like_for_like() {
    let prices = case("08-requests/prices.litellm.json");
    let d = json(
        "08-requests/base.otlp.json",
        "08-requests/head.otlp.json",
        &["--prices", prices.to_str().unwrap()],
    );
    let r = &d["requests"];
    for (figure, base, head) in [("count", 4, 5), ("ok", 4, 4), ("priced", 4, 4)] {
        assert_eq!((&r[figure]["base"], &r[figure]["head"]), (&base.into(), &head.into()), "{figure}");
    }
    let dollars = |v: &Value| v.as_str().unwrap().trim_start_matches('$').parse::<f64>().unwrap();
    let near = |v: &Value, want: f64| assert!((dollars(v) - want).abs() < 1e-12, "{v} {want}");
    near(&r["cost_usd"]["base"], 0.00635);
    near(&r["cost_usd"]["head"], 0.00387);
    let like = &r["like_for_like"];
    assert_eq!(like["pairs"], 3);
    near(&like["cost_usd"]["base"], 0.00315);
    near(&like["cost_usd"]["head"], 0.00315);
    let counts = ["improved", "regressed", "equal", "not_comparable", "only_base", "only_head"];
    let found = counts.map(|k| r["ttft"][k].as_u64().unwrap());
    assert_eq!(found, [2, 0, 1, 1, 0, 1]);
    assert_eq!(found.iter().sum::<u64>(), 5, "all that there are");
    let of = |name: &str| r["rows"].as_array().unwrap().iter().find(|r| r["name"] == name).unwrap();
    for (name, base, head) in
        [("q1", 200_000_000, 100_000_000), ("q2", 300_000_000, 250_000_000), ("q3", 200_000_000, 200_000_000)]
    {
        assert_eq!(
            (&of(name)["ttft_ns"]["base"], &of(name)["ttft_ns"]["head"]),
            (&base.into(), &head.into()),
            "{name}"
        );
    }
    let failed = of("q4");
    assert_eq!(
        (&failed["ttft_ns"]["head"], &failed["cost_usd"]["head"]),
        (&Value::Null, &Value::Null),
        "{failed}"
    );
    assert_eq!(of("q5")["outcome"]["base"], Value::Null);
}

/// OTLP spans of requests: name, milliseconds to the first token (`None` for one that failed) and in all.
fn chats(list: &[(&str, Option<u64>, u64)]) -> String {
    let span = |(i, &(name, ttft, ms)): (usize, &(&str, Option<u64>, u64))| {
        let start = 1_000_000_000_000_000_000 + i as u64 * 1_000_000_000;
        let attribute = |key: &str, value: Value| serde_json::json!({ "key": key, "value": value });
        let mut attributes = vec![
            attribute("gen_ai.operation.name", serde_json::json!({ "stringValue": "chat" })),
            attribute("gen_ai.request.model", serde_json::json!({ "stringValue": "acme-mini" })),
        ];
        if let Some(ttft) = ttft {
            let seconds = serde_json::json!({ "doubleValue": ttft as f64 / 1e3 });
            attributes.push(attribute("gen_ai.server.time_to_first_token", seconds));
            attributes.push(attribute("gen_ai.usage.output_tokens", serde_json::json!({ "intValue": "50" })));
        }
        serde_json::json!({
            "traceId": format!("{:032x}", i + 1), "spanId": format!("{:016x}", i + 1), "name": name, "kind": 3,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + ms * 1_000_000).to_string(),
            "attributes": attributes, "status": { "code": if ttft.is_some() { 0 } else { 2 } },
        })
    };
    let spans: Vec<Value> = list.iter().enumerate().map(span).collect();
    serde_json::json!({ "resourceSpans": [{ "resource": {}, "scopeSpans": [{ "scope": {}, "spans": spans }] }] })
        .to_string()
}

#[test]
fn r17_a_run_that_fails_more_is_not_told_to_be_better_and_no_gate_passes_on_it() {
    let ok = |name| (name, Some(200), 900);
    let base = chats(&[ok("chat a"), ok("chat b"), ok("chat c"), ok("chat d")]);
    let head = chats(&[ok("chat a"), ok("chat b"), ("chat c", None, 50), ("chat d", None, 50)]);
    let [base, head] = written("fails_more", &base, &head);
    let failures = "2 of 4 requests did not end well in the new run, none of 4 in the baseline";
    let plain = inferscope(&["diff", &base, &head]);
    assert!(plain.stdout.contains(failures), "{}", plain.stdout);
    assert!(plain.stdout.contains("finished → failed"), "{}", plain.stdout);
    assert!(inferscope(&["diff", &base, &head, "--markdown"]).stdout.starts_with(&format!("**{failures}")));
    let gate = |condition| inferscope(&["diff", &base, &head, "--fail-if", condition]).code;
    assert_eq!(gate("total.time>+5%"), Some(4), "less was done");
    assert_eq!((gate("elapsed>+5%"), gate("requests.failed>+0")), (Some(4), Some(1)));
    assert_eq!(
        (gate("requests.ttft>+5%"), gate("requests.latency.p95>+5%")),
        (Some(0), Some(0)),
        "like for like"
    );
    assert_eq!(inferscope(&["diff", &head, &base, "--fail-if", "requests.failed>+0"]).code, Some(0));
    let d: Value = serde_json::from_str(&inferscope(&["diff", &base, &head, "--json"]).stdout).unwrap();
    let of = |name: &str| {
        d["requests"]["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["name"].as_str().unwrap().contains(name))
            .unwrap()
    };
    for figure in ["ttft_ns", "latency_ns", "output_tokens", "cost_usd"] {
        assert_eq!(of("chat c")[figure]["delta"], Value::Null, "{figure}");
    }
    assert_eq!(
        (&of("chat a")["latency_ns"]["delta"], &of("chat a")["paired_by"]),
        (&0.into(), &"name".into())
    );
    assert_eq!(d["requests"]["failed"]["head"], 2);
}

#[test]
fn what_is_odd_about_a_file_is_told_and_no_gate_passes_on_a_part_of_one() {
    let event =
        |i: u32| format!(r#"{{"name":"call_{i}","ph":"X","ts":{},"dur":900,"pid":1,"tid":1}}"#, i * 1000);
    let whole = format!("[{}]", (0..4).map(event).collect::<Vec<_>>().join(","));
    let part = &whole[..whole.len() - 60];
    let [base, head] = written("part_of_a_file", &whole, part);
    let ran = inferscope(&["diff", &base, &head, "--fail-if", "total.time>+5%"]);
    assert!(ran.stdout.contains("Warning about the new run: "), "{}", ran.stdout);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let d: Value = serde_json::from_str(&inferscope(&["diff", &base, &head, "--json"]).stdout).unwrap();
    assert_eq!(d["base"][0]["warnings"].as_array().unwrap().len(), 0);
    assert!(!d["head"][0]["warnings"].as_array().unwrap().is_empty());
}

#[test]
fn r15_a_copy_under_another_name_is_no_second_measurement() {
    let folder = crate::support::folder("copies");
    let copy = |of: &str| {
        let to = folder.join(of.replace('/', "-"));
        std::fs::copy(case(of), &to).unwrap();
        to.to_str().unwrap().to_owned()
    };
    let of = |name: &str| case(name).to_str().unwrap().to_owned();
    let (one, other) = ("04-other-rate/base.speedscope.json", "04-other-rate/head.speedscope.json");
    let (base, head) = (format!("{},{},{}", of(one), copy(one), of(other)), of(other));
    let out = inferscope(&["diff", "--base", &base, "--head", &head, "--json"]);
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    let d: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!((&d["evidence"]["n_base"], &d["evidence"]["n_head"]), (&2.into(), &1.into()));
    assert_eq!(d["base"].as_array().unwrap().len(), 2);
    let same = &d["same_bytes"][0];
    assert!(same["same_as"].as_str().unwrap().ends_with("base.speedscope.json"), "{same}");
    assert_eq!(same["counted_once"], true);
    let printed = inferscope(&["diff", "--base", &base, "--head", &head]).stdout;
    assert!(printed.contains("holds the same bytes as") && printed.contains("counted once"), "{printed}");
    // Counts may be the same in each run: that is a result, and said.
    let folded = "07-repeats/five-separated/base1.folded";
    let base = format!("{},{}", of(folded), copy(folded));
    let printed = inferscope(&["diff", "--base", &base, "--head", &of(folded)]).stdout;
    assert!(printed.contains("a copy, or counts that never vary"), "{printed}");
    assert!(printed.contains("2 + 1 runs") || printed.contains("Medians of 2 runs"), "{printed}");
}

#[test]
fn r15_a_measurement_counts_once_however_often_it_is_named() {
    let [base, head] = written("named_twice", "main;a 5\n", "main;a 6\n");
    let twice = format!("{base},{base}");
    let ran = inferscope(&["diff", "--base", &twice, "--head", &head]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("is named twice on its side"), "{}", ran.stderr);
}

#[test]
fn runs_of_requests_alone_compare_by_what_they_have() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample_profiles/bench");
    let file = samples.join("vllm-serve-detailed.json");
    let file = file.to_str().unwrap();
    let ran = inferscope(&["diff", file, file, "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let d: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(d["why_not_comparable"].as_str().unwrap().contains("costs of functions"));
    assert!(d["requests"]["count"]["base"].as_u64().unwrap() > 0);
    assert_eq!(d["requests"]["latency"]["regressed"], 0);
    assert_eq!(inferscope(&["diff", file, file]).code, Some(0));
    assert_eq!(inferscope(&["diff", file, file, "--fail-if", "requests.latency>+5%"]).code, Some(0));
    assert_eq!(inferscope(&["diff", file, file, "--fail-if", "total.time>+5%"]).code, Some(4));
    assert_eq!(inferscope(&["diff", file, file, "--budget", "400", "--by", "request"]).code, Some(0));
}

#[test]
fn what_cannot_be_related_is_refused_and_related_costs_have_their_unit() {
    let [base, head] = written("per_call", "main;a 5\n", "main;a 6\n");
    let refused = inferscope(&["diff", &base, &head, "--normalise", "call"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("has no counted call"), "{}", refused.stderr);
    let (base, head) = ("06-serial-overlap/base.trace.json", "06-serial-overlap/head.trace.json");
    let text = ran(base, head, &["--normalise", "second"]).stdout;
    assert!(text.contains("/s "), "{text}");
}

#[test]
fn a_condition_on_a_name_of_several_functions_asks_which() {
    let text = |cost: u32| {
        format!("events: Ir\n\nfl=app.py\nfn=decode\n1 10\n\nfl=lib/json/decoder.py\nfn=decode\n1 {cost}\n")
    };
    let [base, head] = written("several_of_a_name", &text(20), &text(30));
    let gate = |condition| inferscope(&["diff", &base, &head, "--fail-if", condition]);
    let asked = gate("fn:decode.self>+5");
    assert_eq!(asked.code, Some(4), "{}", asked.stderr);
    assert!(
        asked.stderr.contains("write fn:lib/json/decoder.py:decode, fn:app.py:decode"),
        "{}",
        asked.stderr
    );
    assert_eq!(gate("fn:json/decoder.py:decode.self>+5").code, Some(1));
    assert_eq!(gate("fn:app.py:decode.self>+5").code, Some(0));
}
