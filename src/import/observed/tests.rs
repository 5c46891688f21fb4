use crate::import::testing::{damage, open_bytes};
use crate::model::{Money, Outcome, Profile};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/sample_profiles/observed/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Names of spans with those of their callers.
fn tree(p: &Profile) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    for track in p.track_ids() {
        let rows = &p.track(track).spans.rows;
        for row in 0..rows.len() as u32 {
            let name = |at: (crate::model::TrackId, u32)| {
                p.function_name(p.track(at.0).spans.rows[at.1 as usize].function).to_owned()
            };
            let up = p.span_ancestors(track, row).nth(1).map(name);
            all.push((name((track, row)), up));
        }
    }
    all.sort();
    all
}

fn pairs(of: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    of.iter().map(|(name, up)| ((*name).to_owned(), up.map(str::to_owned))).collect()
}

#[test]
fn a_langfuse_trace_has_its_observations_and_requests() {
    let bytes = sample("langfuse.json");
    let p = open_bytes(&bytes).unwrap();
    assert_eq!((p.meta.format.as_str(), p.meta.tool.as_str()), ("langfuse", "Langfuse"));
    assert_eq!(
        tree(&p),
        pairs(&[
            ("answer", None),
            ("chat", Some("answer")),
            ("embed-query", Some("search")),
            ("retry-chat", Some("answer")),
            ("search", Some("answer")),
        ])
    );
    let requests = &p.requests.rows;
    let named = |name: &str| requests.iter().find(|r| p.text(r.name) == name).unwrap();
    let chat = named("chat");
    // 1200 of input hold 800 that were cached: the total proves it.
    assert_eq!(
        (chat.tokens.input, chat.tokens.cache_read, chat.tokens.output),
        (Some(400), Some(800), Some(90))
    );
    assert_eq!((chat.ttft(), chat.latency()), (Some(350_000_000), Some(1_400_000_000)));
    assert_eq!(chat.cost, Money::parse("0.000474"));
    assert_eq!(p.text(chat.model), "gpt-4o-mini-2024-07-18");
    let failed = named("retry-chat");
    assert_eq!((failed.outcome, p.text(failed.error)), (Outcome::Error, "Rate limit reached"));
    assert_eq!(failed.tokens.input, None, "nobody counted");
    damage(&bytes, drop);
}

#[test]
fn langsmith_runs_are_put_together_from_post_and_patch() {
    let bytes = sample("langsmith-batch.json");
    let p = open_bytes(&bytes).unwrap();
    assert_eq!(p.meta.format, "langsmith");
    assert_eq!(tree(&p), pairs(&[("ChatOpenAI", Some("chain")), ("chain", None), ("lookup", Some("chain"))]));
    let r = &p.requests.rows[0];
    assert_eq!(p.requests.rows.len(), 1);
    assert_eq!((r.tokens.input, r.tokens.cache_read, r.tokens.output), (Some(40), Some(100), Some(30)));
    assert_eq!((p.text(r.provider), p.text(r.completion)), ("openai", "Paris."));
    assert_eq!((r.ttft(), r.latency()), (Some(250_000_000), Some(1_000_000_000)));
    damage(&bytes, drop);
}

#[test]
fn langsmith_knows_for_how_long_a_cache_keeps_what_was_written() {
    // As langchain-anthropic 1.7 writes it: the sum is 0 where its parts are told.
    let text = r#"{"id":"a","run_type":"llm","name":"ChatAnthropic","session_name":"s","start_time":"2026-01-01T00:00:00","end_time":"2026-01-01T00:00:01",
        "extra":{"metadata":{"ls_provider":"anthropic"}},
        "outputs":{"usage_metadata":{"input_tokens":5000,"output_tokens":150,"total_tokens":5150,
            "input_token_details":{"cache_creation":0,"cache_read":0,"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":4000}}}}"#;
    let p = open_bytes(text.replace('\n', " ").as_bytes()).unwrap();
    let t = p.requests.rows[0].tokens;
    assert_eq!(
        (t.input, t.cache_write_1h, t.prompt(), t.output),
        (Some(1000), Some(4000), Some(5000), Some(150))
    );
}

#[test]
fn langsmith_runs_come_one_a_line_too() {
    let line = |id: &str, extra: &str| {
        format!(
            r#"{{"id":"{id}","run_type":"llm","name":"c","session_name":"s","start_time":"2026-01-01T00:00:00","end_time":"2026-01-01T00:00:01"{extra}}}"#
        )
    };
    let text = [
        line("a", r#","prompt_tokens":5,"completion_tokens":7,"total_tokens":12"#),
        "{broken".into(),
        line("b", r#","error":"no","outputs":null"#),
    ]
    .join("\n");
    let p = open_bytes(text.as_bytes()).unwrap();
    let tokens: Vec<_> =
        p.requests.rows.iter().map(|r| (r.tokens.input, r.tokens.output, r.outcome)).collect();
    assert_eq!(tokens, [(Some(5), Some(7), Outcome::Ok), (None, None, Outcome::Error)]);
    assert!(p.warnings.iter().any(|w| w.kind.contains("no JSON") && w.count == 1));
}

#[test]
fn phoenix_spans_are_read_from_its_api_and_from_dataframes() {
    for name in ["phoenix-api.json", "phoenix-dataframe.json"] {
        let bytes = sample(name);
        let p = open_bytes(&bytes).unwrap();
        assert_eq!(p.meta.format, "phoenix", "{name}");
        assert_eq!(tree(&p), pairs(&[("ChatCompletion", Some("query")), ("query", None)]), "{name}");
        let r = &p.requests.rows[0];
        assert_eq!((r.tokens.input, r.tokens.output), (Some(120), Some(45)), "{name}");
        assert_eq!(p.text(r.model), "llama3.1:8b");
        assert_eq!(r.latency(), Some(1_500_000_000));
        damage(&bytes, drop);
    }
}

#[test]
fn a_langsmith_run_states_its_details_and_parts_of_its_cost() {
    let line = |id: &str, extra: &str| {
        format!(
            r#"{{"id":"{id}","run_type":"llm","name":"c","session_name":"s","start_time":"2026-01-01T00:00:00","end_time":"2026-01-01T00:00:01","inputs":{{}}{extra}}}"#
        )
    };
    let text = [
        line("a", r#","prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"prompt_token_details":{"cache_read":600},"completion_token_details":{"reasoning":20},"prompt_cost":0.002,"completion_cost":0.001"#),
        line("b", r#","outputs":{"usage_metadata":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100,"input_token_details":{"audio":300},"output_token_details":{"audio":50}}}"#),
    ]
    .join("\n");
    let p = open_bytes(text.as_bytes()).unwrap();
    let [a, b] = &p.requests.rows[..] else { panic!() };
    assert_eq!((a.tokens.input, a.tokens.cache_read, a.tokens.reasoning), (Some(400), Some(600), Some(20)));
    assert_eq!(a.cost, Money::parse("0.003"));
    assert_eq!((b.tokens.audio_input, b.tokens.audio_output), (Some(300), Some(50)));
    assert!(p.requests.rows.iter().all(|r| p.text(r.prompt).is_empty()), "nothing was asked that is known");
}

#[test]
fn langfuse_traces_come_as_a_list_with_parts_of_costs_and_messages() {
    let text = r#"[{"id":"t1","timestamp":"2026-01-01T00:00:00Z","name":"answer","sessionId":"s7","observations":[
        {"id":"o1","traceId":"t1","type":"GENERATION","name":"g","startTime":"2026-01-01T00:00:00Z","endTime":"2026-01-01T00:00:02Z","completionStartTime":null,
        "parentObservationId":null,"model":"m","usageDetails":{"input":500,"output":180,"total":680},"costDetails":{"input":0.001,"output":0.002},
        "input":{"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":[{"type":"text","text":"hi"}]}]},
        "output":{"role":"assistant","content":"A"}}]}]"#;
    let p = open_bytes(text.as_bytes()).unwrap();
    let r = &p.requests.rows[0];
    assert_eq!((p.meta.format.as_str(), r.cost), ("langfuse", Money::parse("0.003")));
    assert_eq!((p.text(r.prompt), p.text(r.completion)), ("system: Be kind.\n\nuser: hi", "A"));
    let said = p.strings.find("session").and_then(|name| r.attribute(name)).map(|v| p.text(v));
    assert_eq!(said, Some("s7"));
}

#[test]
fn phoenix_spans_with_attributes_within_each_other_come_one_a_line() {
    let line = |n: u32| {
        format!(
            r#"{{"id":"S{n}","name":"ChatCompletion","span_kind":"LLM","parent_id":null,"start_time":"2026-01-01T00:00:0{n}+00:00","end_time":"2026-01-01T00:00:0{n}.5+00:00","status_code":"OK","status_message":"","attributes":{{"llm":{{"model_name":"m","token_count":{{"prompt":1200,"completion":80,"prompt_details":{{"cache_read":1024}}}},"input_messages":[{{"message":{{"role":"user","content":"hi"}}}}]}}}},"events":[],"context":{{"trace_id":"abababababababababababababababab","span_id":"000000000000000{n}"}}}}"#
        )
    };
    let p = open_bytes([line(1), line(2)].join("\n").as_bytes()).unwrap();
    assert_eq!((p.meta.format.as_str(), p.requests.rows.len()), ("phoenix", 2));
    let r = &p.requests.rows[0];
    assert_eq!((r.tokens.input, r.tokens.cache_read, r.tokens.output), (Some(176), Some(1024), Some(80)));
    assert_eq!((p.text(r.model), p.text(r.prompt)), ("m", "hi"));
}

/// Labels of the requests of a file that tell of scores or traces.
fn scores(text: &str) -> Vec<(String, String, String)> {
    let p = open_bytes(text.as_bytes()).unwrap();
    let mut all = Vec::new();
    for r in &p.requests.rows {
        for (label, value) in &r.attributes {
            let (name, label, value) = (p.text(r.name), p.text(*label), p.text(*value));
            if label.contains("score") || label == "trace" {
                all.push((name.to_owned(), label.to_owned(), value.to_owned()));
            }
        }
    }
    all.sort();
    all
}

fn labels(of: &[[&str; 3]]) -> Vec<(String, String, String)> {
    of.iter().map(|[a, b, c]| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[test]
fn scores_of_langfuse_belong_to_what_they_judge() {
    let call = |id: &str| {
        format!(
            r#"{{"id": "{id}", "traceId": "t1", "type": "GENERATION", "name": "{id}", "model": "gpt-4o",
            "startTime": "2025-01-01T00:00:00Z", "endTime": "2025-01-01T00:00:01Z", "parentObservationId": null,
            "usageDetails": {{"input": 10, "output": 5}}, "completionStartTime": null}}"#
        )
    };
    let said = r#"[
        {"name": "helpful", "value": 0.9, "observationId": null, "dataType": "NUMERIC"},
        {"name": "faithful", "value": 0.8, "observationId": "first", "dataType": "NUMERIC"},
        {"name": "tone", "value": 2, "stringValue": "kind", "observationId": "second", "dataType": "CATEGORICAL"},
        {"name": "empty", "value": null, "observationId": "second"}, "id-of-a-score"]"#;
    let calls = [call("first"), call("second")].join(",");
    let text = format!(
        r#"{{"id": "t1", "name": "answer", "projectId": "p", "timestamp": "2025-01-01T00:00:00Z",
        "scores": {said}, "observations": [{calls}]}}"#
    );
    assert_eq!(
        scores(&text),
        labels(&[
            ["first", "score faithful", "0.8"],
            ["first", "trace", "t1"],
            ["first", "trace score helpful", "0.9"],
            ["second", "score tone", "kind"],
            ["second", "trace", "t1"],
            ["second", "trace score helpful", "0.9"],
        ])
    );
}

#[test]
fn feedback_of_langsmith_belongs_to_the_run_or_its_trace() {
    let run = |id: &str, kind: &str, parent: &str, key: &str, mean: f64| {
        format!(
            r#"{{"id": "{id}", "trace_id": "root", "run_type": "{kind}", "name": "{id}", "parent_run_id": {parent},
            "session_name": "s", "start_time": "2025-01-01T00:00:00Z", "end_time": "2025-01-01T00:00:01Z",
            "outputs": {{"usage_metadata": {{"input_tokens": 10, "output_tokens": 5}}}},
            "feedback_stats": {{"{key}": {{"n": 2, "avg": {mean}}}, "words": {{"n": 1, "avg": null}}}}}}"#
        )
    };
    let root = run("root", "chain", "null", "correct", 0.25);
    let text = format!("[{root}, {}]", run("call", "llm", "\"root\"", "short", 1.5));
    assert_eq!(
        scores(&text),
        labels(&[
            ["call", "score short", "1.5"],
            ["call", "trace", "root"],
            ["call", "trace score correct", "0.25"]
        ])
    );
}
