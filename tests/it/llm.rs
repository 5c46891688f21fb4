//! Calls of models out of traces and logs, with the exact tokens and costs of each (`tests/data/llm`).

use serde_json::Value;

use crate::support::{self, run, stdout};

fn path(name: &str) -> String {
    support::file("tests/data/llm").join(name).to_string_lossy().into_owned()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(args)).expect("JSON")
}

/// The report of a case by the made-up prices.
fn case(name: &str) -> Value {
    json(&["report", "--json", "--prices", &path("prices.litellm.json"), &path(name)])
}

fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(path("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap().clone()
}

/// Numbers that are lengths or rates may differ by rounding.
fn same(found: &Value, wanted: &Value) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
        _ => found == wanted,
    }
}

/// Classes of tokens that are known, zeros too.
fn classes(tokens: &Value) -> Value {
    match tokens {
        Value::Object(map) => Value::Object(
            map.iter().filter(|(_, n)| !n.is_null()).map(|(k, n)| (k.clone(), n.clone())).collect(),
        ),
        other => other.clone(),
    }
}

fn sum(rows: &[Value], of: impl Fn(&Value) -> Option<u64>) -> u64 {
    rows.iter().filter_map(of).sum()
}

#[test]
fn every_case_has_the_tokens_costs_and_times_that_it_should() {
    for (name, wanted) in expected() {
        let report = case(&name);
        let rows = report["requests"].as_array().unwrap();
        for (key, wanted) in wanted.as_object().unwrap() {
            let at = format!("{name}: {key}");
            match (key.as_str(), wanted) {
                ("requests", Value::Array(list)) => {
                    assert_eq!(rows.len(), list.len(), "{at}: {rows:?}");
                    for (row, wanted) in rows.iter().zip(list) {
                        for (key, wanted) in wanted.as_object().unwrap() {
                            let found = if key == "tokens" { classes(&row[key]) } else { row[key].clone() };
                            assert!(
                                row.get(key).is_some() && same(&found, wanted),
                                "{at}: {key}: {found}, not {wanted}"
                            );
                        }
                    }
                }
                ("requests", count) => assert_eq!(rows.len() as u64, count.as_u64().unwrap(), "{at}"),
                ("ok" | "running", count) => {
                    let found = rows.iter().filter(|r| r["outcome"] == key.as_str()).count();
                    assert_eq!(found as u64, count.as_u64().unwrap(), "{at}");
                }
                ("sum_input" | "total_prompt", n) => {
                    assert_eq!(Some(sum(rows, |r| r["prompt_total"].as_u64())), n.as_u64(), "{at}");
                    assert_eq!(&report["tokens"]["prompt_total"], n, "{at}");
                }
                ("sum_output" | "total_output", n) => assert_eq!(&report["tokens"]["output"], n, "{at}"),
                ("total", n) => assert_eq!(Some(sum(rows, |r| r["total"].as_u64())), n.as_u64(), "{at}"),
                ("total_cost_usd", cost) => assert_eq!(&report["cost"]["total_usd"], cost, "{at}"),
                ("warnings", Value::Array(list)) => {
                    let found = report["warnings"].as_array().unwrap().iter();
                    let found: Vec<_> = found
                        .map(|w| Value::from(format!("{} {}", w["count"], w["kind"].as_str().unwrap())))
                        .collect();
                    assert_eq!(&found, list, "{at}");
                }
                ("trap", _) => {}
                (key, _) => panic!("{name}: {key} is not compared"),
            }
        }
    }
}

#[test]
fn what_a_price_rests_on_is_said() {
    let row = |name: &str| case(name)["requests"][0].clone();
    let old = row("01-otlp-gen1.json");
    assert_eq!(
        (&old["response_model"], &old["price"]["step"]),
        (&"acme-mini-2024-07-18".into(), &"request".into())
    );
    let unknown_time = row("03-otlp-gen3.json");
    assert_eq!(unknown_time["cost_is_about"], true);
    assert!(unknown_time["cost_about_because"][0].as_str().unwrap().ends_with("priced at 5 minutes"));
    assert_eq!(row("12-anthropic-ttl.json")["cost_is_about"], false);
    let proven = row("05-otlp-openinference.json");
    assert_eq!(
        (&proven["input_count"], &proven["input_count_decided_by"], &proven["totals_agree"]),
        (&"exclusive".into(), &"identity".into(), &true.into())
    );
    let above = &case("19-tier-boundary.jsonl")["requests"];
    assert_eq!((&above[0]["price"]["above"], &above[1]["price"]["above"]), (&Value::Null, &272_000.into()));
    let local = case("08-otlp-vllm.json");
    assert_eq!((&local["cost"]["unpriced"], &local["cost"]["total_usd"]), (&1.into(), &Value::Null));
    assert!(local["requests"][0]["why"].as_str().unwrap().contains("local-7b"));
    let text =
        stdout(&["report", "--prices", &path("prices.litellm.json"), &path("04-otlp-gen4-agent.json")]);
    assert!(
        text.contains("2 requests (0 failed), 21 600 input and 400 output tokens")
            || text.contains("21\u{202f}600 input"),
        "{text}"
    );
    assert!(text.contains("cost $0.19"), "{text}");
    assert!(text.contains("had nothing been cached"), "{text}");
}

#[test]
fn latency_and_caches_have_the_numbers_of_the_examples() {
    let local = &case("08-otlp-vllm.json")["latency"];
    assert_eq!(
        (&local["bottleneck"]["phase"], &local["bottleneck"]["share"]),
        (&"token_generation".into(), &0.625.into())
    );
    assert!(
        same(&local["phases_s"]["unaccounted"], &0.05.into())
            && same(&local["phases_s"]["total"], &4.0.into())
    );
    assert!(same(&local["ttft_s"]["rest"], &0.05.into()), "{local}");
    let percentiles = &local["percentiles"]["latency_ns"];
    assert_eq!((&percentiles["n"], &percentiles["p99.9"]), (&1.into(), &Value::Null));
    let cached = &case("04-otlp-gen4-agent.json")["caches"]["prompt"];
    assert_eq!(
        (&cached["hits"], &cached["misses"], &cached["saved_tokens"]),
        (&1.into(), &1.into(), &8700.into())
    );
    assert_eq!(cached["cost_saved"], "0.0483");
    let kv = &case("17-llamacpp.json")["caches"]["kv_prefix"];
    assert!(same(&kv["hit_rate"], &(708.0 / 759.0).into()), "{kv}");
}

#[test]
fn what_if_reprices_the_same_classes() {
    let cost = &case("04-otlp-gen4-agent.json")["cost"];
    let if_ = &cost["what_if"];
    // 21,600 at 10 and 400 at 60; then the second write read instead: 3,300 × (12.5 − 1) less.
    assert_eq!(if_["as_billed_usd"], "0.1917");
    assert_eq!(if_["no_cache_usd"], "0.24");
    assert_eq!(if_["best_cache_usd"], "0.15375");
    assert_eq!(
        (&cost["models"][0]["model"], &cost["models"][0]["cost_usd"]),
        (&"acme-write".into(), &"0.1917".into())
    );
}

#[test]
fn a_stream_reads_the_same_however_it_is_cut_into_lines_and_wherever_it_ends() {
    let stream = std::fs::read_to_string(path("13-anthropic-stream.sse")).unwrap();
    let folder = support::folder("sse");
    let read = |text: &str| {
        let file = folder.join("s.sse");
        std::fs::write(&file, text).unwrap();
        let args = ["report", "--json", "--prices", &path("prices.litellm.json"), &file.to_string_lossy()];
        run(&args)
    };
    let tokens = |text: &str| {
        let out = read(text);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        (report["requests"][0]["tokens"].clone(), report["requests"][0]["outcome"].clone())
    };
    let whole = tokens(&stream);
    assert_eq!(whole.1, "ok");
    let commented = stream.replace("event: ping", ": a comment\nevent: ping");
    let several = stream.replace(r#"{"type": "ping"}"#, "{\"type\":\ndata: \"ping\"}");
    for other in [stream.replace('\n', "\r\n"), stream.replace('\n', "\r"), commented, several] {
        assert_eq!(tokens(&other), whole);
    }
    // Broken off after the first event: what came is a lower bound, and no price is claimed.
    let cut = stream.find("event: content_block_start").unwrap();
    let out = read(&stream[..cut]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    let row = &report["requests"][0];
    assert_eq!((&row["outcome"], &row["origin"]["output"]), (&"cancelled".into(), &"lower_bound".into()));
    assert_eq!((&row["tokens"]["input"], &row["cost_usd"]), (&27.into(), &Value::Null));
    assert_eq!(row["cost_at_least_usd"], "0.009192");
}

#[test]
fn a_table_that_cannot_be_read_says_what_is_wrong() {
    let folder = support::folder("prices");
    let fails = |text: &str| {
        let file = folder.join("prices.json");
        std::fs::write(&file, text).unwrap();
        let out = run(&["report", "--prices", &file.to_string_lossy(), &path("10-openai-chat.json")]);
        assert_eq!(out.status.code(), Some(2));
        String::from_utf8(out.stderr).unwrap()
    };
    for (text, part) in [
        ("{", "is not valid JSON"),
        ("{}", "is no table of prices"),
        (r#"{"models": []}"#, "holds no models"),
        (r#"{"models": [{"prices": []}]}"#, "models[0] has no name"),
        (
            r#"{"models": [{"name": "m", "prices": [{"input": "dear"}]}]}"#,
            "models[0].prices[0].input is no price",
        ),
        (
            r#"{"models": [{"name": "m", "prices": [{"from": "soon"}]}]}"#,
            "models[0].prices[0].from is no date",
        ),
        (r#"{"currency": "euros", "models": []}"#, "write its three letters"),
        (
            r#"{"models": [{"name": "m", "prices": [{"inptu": "1", "output": "2"}]}]}"#,
            "models[0].prices[0].inptu is no field here: write «input»",
        ),
        (r#"{"m": {"input_cost_per_token": -1}}"#, "input_cost_per_token is no price"),
    ] {
        let said = fails(text);
        assert!(
            said.contains(part) && said.contains("prices.json") && said.lines().count() == 1,
            "{text}: {said}"
        );
    }
}
