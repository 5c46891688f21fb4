//! `inferscope diff` on pairs with known differences (`tests/data/compare`, its README has the arithmetic).

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
fn what_only_one_run_has_is_new_or_gone_and_what_moved_is_neither() {
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
    assert_eq!(row(&d, "split")["moved"], true);
    assert_eq!(paths(&d, "new"), ["app;lookup", "app;lookup;split"]);
    assert_eq!(paths(&d, "gone"), ["app;backoff", "app;read;split"]);
    assert_eq!(paths(&d, "both"), ["app;emit", "app;encode", "app;encode;score", "app;read;decode"]);
}

#[test]
fn one_function_that_grew_is_named_and_shares_mislead_only_when_asked() {
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
}

#[test]
fn functions_that_an_edit_moved_are_the_same() {
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
fn another_sampling_rate_is_no_change() {
    let d = json("04-other-rate/base.speedscope.json", "04-other-rate/head.speedscope.json", &[]);
    assert!(d["rows"].as_array().unwrap().iter().all(|r| r["delta"]["time"]["self"] == 0));
    assert!(d["settings"].as_array().unwrap().iter().any(|s| s["base"] == "1 ms" && s["head"] == "10 ms"));
}

#[test]
fn names_of_another_build_match_and_a_metric_of_one_side_is_not_zero() {
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
fn the_same_work_in_another_order_is_told() {
    let d = json("06-serial-overlap/base.trace.json", "06-serial-overlap/head.trace.json", &[]);
    assert_eq!(d["elapsed_ns"]["delta"], -800_000_000);
    assert!(d["rows"].as_array().unwrap().iter().all(|r| r["delta"]["time"]["self"] == 0));
    let headline = d["headline"].as_str().unwrap();
    assert!(headline.contains("work is the same") && headline.contains("800 ms earlier"), "{headline}");
}

#[test]
fn repeated_runs_are_tested_and_single_ones_never_judged() {
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
fn seconds_and_samples_are_never_subtracted() {
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
fn a_gate_has_an_answer_of_its_own_for_what_it_cannot_tell() {
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
