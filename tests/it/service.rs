//! The recorded service through the program: the printed form against the one without its mistakes.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{folder, program, report, stdout};

fn record(name: &str, settings: &[&str]) -> Value {
    let folder = folder(name);
    let session = folder.join("run.inferscope").to_string_lossy().into_owned();
    let mut args = vec!["record", "service", "--quiet", "--sample-hz", "0", "-o", &session];
    for setting in settings.iter().chain(&["max_new_tokens=6"]) {
        args.extend(["--set", setting]);
    }
    stdout(&args);
    let json = report(Path::new(&session));
    std::fs::remove_dir_all(folder).unwrap();
    json
}

fn fact<'a>(json: &'a Value, key: &str) -> &'a str {
    json["facts"][key].as_str().unwrap_or_else(|| panic!("no fact {key} in {}", json["facts"]))
}

fn findings<'a>(json: &'a Value, kind: &str) -> Vec<&'a Value> {
    json["findings"].as_array().unwrap().iter().filter(|f| f["kind"] == kind).collect()
}

fn rows(json: &Value) -> &Vec<Value> {
    json["requests"].as_array().unwrap()
}

fn spans(json: &Value, name: &str) -> u64 {
    let all = json["functions"].as_array().unwrap();
    all.iter().find(|f| f["name"] == name).map_or(0, |f| f["calls"].as_u64().unwrap())
}

#[test]
fn the_printed_service_generates_63_times_for_32_requests_and_the_fixed_one_32_times() {
    let printed = record("faithful", &["mode=faithful", "requests=0"]);
    assert_eq!(fact(&printed, "Generations, different requests"), "63 for 32 requests");
    assert_eq!(fact(&printed, "Wrong receivers"), "1");
    let wrong = findings(&printed, "Answer of another user");
    assert_eq!(wrong.len(), 1);
    // The caller that fills the batch is the last one; it gets the first one's answer.
    let receiver = wrong[0]["request"].as_str().unwrap();
    let row = rows(&printed).iter().find(|r| r["name"] == receiver).unwrap();
    assert_eq!((&wrong[0]["severity"], row["batch"].as_u64()), (&"error".into(), Some(32)));
    assert_eq!(wrong[0]["span"]["name"], "__call__");
    for kind in [
        "Work that is done twice",
        "Event loop blocked",
        "Limit below the batch size",
        "Cache key that changes",
        "Nothing is streamed",
    ] {
        assert_eq!(findings(&printed, kind).len(), 1, "{kind}");
    }

    let fixed = record("fixed", &["mode=fixed", "requests=0"]);
    assert_eq!(fact(&fixed, "Generations, different requests"), "32 for 32 requests");
    assert_eq!(fact(&fixed, "Wrong receivers"), "0");
    assert!(
        // What the service states; that requests wait for a worker is concluded, and true of both.
        fixed["findings"]
            .as_array()
            .unwrap()
            .iter()
            .all(|f| f["severity"] == "info" || f["concluded"] == true),
        "{}",
        fixed["findings"]
    );

    // Each prompt has the same answer in both, except where the printed one gives somebody else's.
    assert_eq!((rows(&printed).len(), rows(&fixed).len()), (32, 32));
    let answer = |json: &Value, prompt: &Value| {
        rows(json).iter().find(|r| r["prompt"] == *prompt).unwrap()["completion"].clone()
    };
    let differ = rows(&fixed).iter().filter(|r| answer(&printed, &r["prompt"]) != r["completion"]).count();
    assert_eq!(differ, 1);
    for row in rows(&fixed) {
        assert_eq!((row["outcome"].as_str(), row["cache"].as_str()), (Some("ok"), Some("miss")));
        let stamps = ["arrived_ns", "scheduled_ns", "first_token_ns", "finished_ns"];
        let stamps: Vec<i64> = stamps.iter().map(|s| row[s].as_i64().unwrap()).collect();
        assert!(stamps.is_sorted(), "{row}");
        assert!(row["batch"].as_u64().is_some() && row["tokens"]["output"].as_u64().unwrap() <= 6);
    }
    for name in ["wait_in_queue", "wait_for_first_token", "receive_tokens", "cache_get", "cache_set", "embed"]
    {
        assert_eq!(spans(&fixed, name), 32, "{name}");
    }
    let batches = spans(&fixed, "batch");
    assert!((1..=32).contains(&batches) && spans(&fixed, "form_batch") >= batches);
    let counters: Vec<_> =
        fixed["counter_series"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    for name in ["Queue length", "Batch size", "Cache hit rate", "Generations", "Requests in flight"] {
        assert!(counters.contains(&name), "{name} in {counters:?}");
    }
}

#[test]
fn popular_requests_hit_the_caches() {
    let json = record(
        "popular",
        &[
            "mode=fixed",
            "batch=4",
            "clients=2",
            "requests=24",
            "skew=1.5",
            "similarity=jaccard",
            "threshold=0.7",
        ],
    );
    let of = |said: &str| rows(&json).iter().filter(|r| r["cache"] == said).count();
    let (exact, semantic, miss) = (of("exact"), of("semantic"), of("miss"));
    assert_eq!(exact + semantic + miss, 28);
    assert!(exact >= 4 && miss >= 4, "{exact} exact, {semantic} semantic, {miss} missed");
    assert_eq!(fact(&json, "Cache"), format!("{exact} exact, {semantic} semantic, {miss} missed"));
    for row in rows(&json).iter().filter(|r| r["cache"] == "exact") {
        let same = |r: &&Value| r["prompt"] == row["prompt"] && r["completion"] == row["completion"];
        assert!(rows(&json).iter().filter(same).count() > 1, "{row}");
        assert!(row["batch"].is_null() && row["scheduled_ns"].is_null());
    }
    // Shared words are no meaning: whoever asked something else is named.
    for hit in findings(&json, "False hit of the semantic cache") {
        assert!(hit["text"].as_str().unwrap().contains("different questions") && hit["request"].is_string());
    }
}

#[test]
fn an_error_poisons_the_printed_queue_and_stays_alone_in_the_fixed_one() {
    let settings = ["batch=8", "requests=10", "fault=true", "similarity=off"];
    let printed = record("poisoned", &[&["mode=faithful"], &settings[..]].concat());
    let failed = |json: &Value| rows(json).iter().filter(|r| r["outcome"] == "error").count();
    assert!(failed(&printed) > 5, "{}", failed(&printed));
    assert!(findings(&printed, "Poisoned queue").len() > 3);
    let fixed = record("alone", &[&["mode=fixed"], &settings[..]].concat());
    assert_eq!((failed(&fixed), rows(&fixed).len()), (1, 18), "one request fails, the run goes on");
    assert_eq!(fact(&fixed, "Failed requests"), "1");
    assert!(findings(&fixed, "Poisoned queue").is_empty());
}

#[test]
fn a_load_sweep_measures_each_load() {
    let json = record(
        "sweep",
        &["batch=2", "requests=0", "sweep=1,3", "sweep_requests=2", "slo_ttft=100000", "slo_tpot=100000"],
    );
    assert_eq!(rows(&json).len(), 2 + 2 + 6);
    for load in ["Load of 1", "Load of 3"] {
        let text = fact(&json, load);
        for part in ["requests/s", "tokens/s", "TTFT p50", "TPOT p50", "goodput", "(100 %)"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    let phases: Vec<_> = json["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["name"].as_str().unwrap(), p["count"].as_u64().unwrap()))
        .collect();
    assert!(phases.contains(&("load", 1)) && phases.contains(&("load level", 2)), "{phases:?}");
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis server of this test alone; `None` where none is installed.
fn redis() -> Option<(Server, u16)> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = folder("redis");
    let child = Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
        ])
        .arg(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let server = Server(child);
    let up = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert!(up, "redis-server does not answer");
    Some((server, port))
}

#[test]
fn a_redis_server_keeps_the_answers() {
    let Some((_server, port)) = redis() else {
        println!("skipped: redis-server is not installed");
        return;
    };
    let url = format!("redis=redis://127.0.0.1:{port}/");
    for mode in ["mode=fixed", "mode=faithful"] {
        let json = record(
            "with-redis",
            &[mode, &url, "batch=4", "clients=2", "requests=12", "skew=2", "similarity=off"],
        );
        assert_eq!(fact(&json, "Answer cache"), "Redis");
        assert!(rows(&json).iter().any(|r| r["cache"] == "exact"), "{mode}");
        assert!(rows(&json).iter().all(|r| r["outcome"] == "ok"), "{mode}");
    }
    let out = program(&["record", "service", "--set", "redis=redis://127.0.0.1:1/"]).output().unwrap();
    assert_ne!(out.status.code(), Some(101));
    assert!(String::from_utf8_lossy(&out.stdout).contains("Redis server cannot be used"));
}
