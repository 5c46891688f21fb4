use serde_json::{Value, json};

use crate::import::testing::{damage, open_bytes};
use crate::model::{DecidedBy, InputCount, Origin, Outcome, Profile, Request, SpanStatus};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/", $name))
    };
}

fn attributes(pairs: &Value) -> Value {
    let kind = |v: &Value| match v {
        Value::String(_) => "stringValue",
        Value::Bool(_) => "boolValue",
        Value::Number(n) if n.is_f64() => "doubleValue",
        _ => "intValue",
    };
    let pairs = pairs.as_object().unwrap().iter();
    pairs.map(|(key, v)| json!({"key": key, "value": {kind(v): v}})).collect()
}

/// A span of trace 1; its parent is 0 for none.
fn span(id: u64, parent: u64, (start, end): (u64, u64), name: &str, pairs: &Value) -> Value {
    let mut span = json!({
        "traceId": format!("{:032x}", 1), "spanId": format!("{id:016x}"), "name": name,
        "startTimeUnixNano": (1_764_000_000_000_000_000u64 + start).to_string(),
        "endTimeUnixNano": (1_764_000_000_000_000_000u64 + end).to_string(),
        "attributes": attributes(pairs), "status": {},
    });
    if parent > 0 {
        span["parentSpanId"] = format!("{parent:016x}").into();
    }
    span
}

fn open(spans: &[Value]) -> Profile {
    let file = json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]});
    open_bytes(file.to_string().as_bytes()).unwrap()
}

fn chat(input: u64, output: u64) -> Value {
    json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": output})
}

fn agent(input: u64) -> Value {
    json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": input})
}

fn inputs(p: &Profile) -> Vec<Option<u64>> {
    p.requests.rows.iter().map(|r| r.tokens.input).collect()
}

pub(super) fn only(pairs: &Value) -> (Profile, Request) {
    let p = open(&[span(1, 0, (0, 1000), "chat", pairs)]);
    let r = p.requests.rows[0].clone();
    (p, r)
}

#[test]
fn samples_open_with_the_counts_of_the_server_that_answered() {
    for (bytes, spans, requests, prompt, output, cached) in [
        (&sample!("otlp/openai-v2.otlp.json")[..], 26, 14, 817, 354, 0),
        (&sample!("otlp/openai-v2.console.jsonl")[..], 26, 14, 817, 354, 0),
        (&sample!("otlp/traceloop.otlp.json")[..], 27, 15, 825, 354, 358),
        (&sample!("otlp/otel-proto-trace.json")[..], 1, 0, 0, 0, 0),
    ] {
        let p = open_bytes(bytes).unwrap();
        let sum = |of: &dyn Fn(&Request) -> Option<u64>| p.requests.rows.iter().filter_map(of).sum::<u64>();
        assert_eq!(
            (p.meta.format.as_str(), p.span_count(), p.requests.rows.len()),
            ("otlp", spans, requests)
        );
        assert_eq!(
            (sum(&|r| r.tokens.prompt()), sum(&|r| r.tokens.output), sum(&|r| r.tokens.cache_read)),
            (prompt, output, cached)
        );
        assert_eq!(
            p.requests.rows.iter().filter(|r| r.outcome == Outcome::Error).count(),
            usize::from(spans > 1)
        );
    }
}

#[test]
fn spans_around_others_are_no_requests_but_where_nothing_below_is_counted() {
    let turn = json!({"gen_ai.operation.name": "handle_conversation_turn"});
    let all = [
        span(4, 2, (60, 90), "chat", &chat(50, 5)),
        span(1, 0, (0, 100), "turn", &turn),
        span(3, 2, (20, 50), "chat", &chat(30, 3)),
        span(2, 1, (10, 95), "agent", &agent(80)),
    ];
    assert_eq!(inputs(&open(&all)), [Some(30), Some(50)]);
    // Its calls were sampled away, or lost their counts: the agent stands for them.
    assert_eq!(inputs(&open(&[all[1].clone(), all[3].clone()])), [Some(80)]);
    let bare = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"});
    assert_eq!(inputs(&open(&[all[3].clone(), span(3, 2, (20, 50), "chat", &bare)])), [Some(80)]);
    // A call around a call: two libraries tell of the same one.
    let outer = span(5, 0, (0, 100), "ChatOpenAI", &chat(30, 3));
    assert_eq!(inputs(&open(&[outer, span(6, 5, (1, 99), "openai.chat", &chat(30, 3))])), [Some(30)]);
    assert_eq!(inputs(&open(&[span(1, 0, (0, 9), "chat", &bare)])), [None], "a call that nobody counted");
    // Spans that are each other's parents.
    let circle = [span(1, 2, (0, 9), "a", &chat(1, 1)), span(2, 1, (0, 9), "b", &agent(1))];
    assert_eq!(open(&circle).requests.rows.len(), 1);
}

#[test]
fn each_name_of_a_count_is_known_and_counted_once() {
    let with = |more: Value| {
        let mut pairs = chat(1000, 50);
        pairs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        only(&pairs).1
    };
    for name in [
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_cached_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
    ] {
        let t = with(json!({name: 400})).tokens;
        assert_eq!((t.input, t.cache_read), (Some(600), Some(400)), "{name}");
    }
    let both = with(
        json!({"gen_ai.usage.cache_write.input_tokens": 300, "gen_ai.usage.cache_creation.input_tokens": 300}),
    );
    assert_eq!((both.tokens.input, both.tokens.cache_write_5m), (Some(700), Some(300)));
    let apart = with(
        json!({"ai.usage.inputTokenDetails.noCacheTokens": 600, "ai.usage.inputTokenDetails.cacheReadTokens": 400,
        "ai.response.providerMetadata": "{\"anthropic\":{\"usage\":{\"cache_creation\":{\"ephemeral_1h_input_tokens\":7}}}}"}),
    );
    assert_eq!(
        (apart.tokens.input, apart.tokens.cache_write_1h, apart.tokens.prompt()),
        (Some(600), Some(7), Some(1007))
    );
    let reasoning = with(json!({"gen_ai.usage.reasoning.output_tokens": 20}));
    assert_eq!((reasoning.tokens.output, reasoning.tokens.reasoning), (Some(50), Some(20)));
    // An old name, where providers count in their own way.
    let native = with(json!({"gen_ai.system": "anthropic", "gen_ai.usage.cache_read_input_tokens": 400}));
    assert_eq!((native.tokens.input, native.accounting.input_count), (Some(1000), InputCount::Exclusive));
    assert_eq!(native.accounting.decided_by, DecidedBy::Provider);
}

#[test]
fn unknown_is_never_nothing() {
    let (p, r) = only(
        &json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}),
    );
    assert!(r.tokens.is_unknown() && r.accounting.origin() == Origin::Unknown);
    assert!(p.text(r.tokens_why).contains("unknown, not 0"));
    let (p, r) = only(&json!({"gen_ai.operation.name": "chat", "ai.usage.promptTokens": "NaN"}));
    assert!(r.tokens.is_unknown() && p.text(r.tokens_why).contains("no number"));
    let mut late = chat(5, 5);
    late["gen_ai.response.time_to_first_chunk"] = json!(0.000_001);
    assert_eq!(only(&late).1.ttft(), None, "the first chunk came with the end");
    late["gen_ai.response.time_to_first_chunk"] = json!(0.000_000_4);
    assert_eq!(only(&late).1.ttft(), Some(400));
}

#[test]
fn spans_keep_what_they_say() {
    let mut failed = span(2, 1, (10, 40), "call", &json!({"k": "v", "n": 7}));
    failed["status"] = json!({"code": "STATUS_CODE_ERROR", "message": "no"});
    failed["events"] =
        json!([{"timeUnixNano": "1764000000000000030", "name": "exception", "attributes": []}]);
    failed["links"] = json!([{"traceId": format!("{:032x}", 1), "spanId": format!("{:016x}", 1)}]);
    let mut running = span(3, 1, (20, 0), "runs", &json!({}));
    running["endTimeUnixNano"] = "0".into();
    let p = open(&[failed, running, span(1, 0, (0, 100), "root", &json!({}))]);
    let spans: Vec<_> = p.tracks.iter().flat_map(|t| &t.spans.rows).collect();
    let status = |name: &str| spans.iter().find(|s| p.function_name(s.function) == name).unwrap().status;
    assert_eq!(
        (status("call"), status("runs"), status("root")),
        (SpanStatus::Error, SpanStatus::Unfinished, SpanStatus::Ok)
    );
    assert_eq!((p.instants.len(), p.instants[0].time, p.links.len()), (1, 30, 1));
    let details: Vec<_> =
        (0..p.attributes.len()).flat_map(|n| p.attributes.get(n as u32)).map(|(k, _)| p.text(*k)).collect();
    assert_eq!(details, ["k", "n"]);
    assert_eq!(p.meta.origin_unix_ns, Some(1_764_000_000_000_000_000));
}

/// The JSON and the protobuf of one export are the same trace.
/// A start that was never set is 0 or 1 ns: it does not make the run fifty years long.
#[test]
fn a_time_that_is_far_from_all_others_does_not_set_the_scale() {
    let mut odd = span(3, 0, (0, 0), "odd", &json!({}));
    odd["startTimeUnixNano"] = "1".into();
    let p = open(&[span(1, 0, (0, 1000), "a", &json!({})), span(2, 1, (100, 900), "b", &json!({})), odd]);
    assert_eq!(p.time_bounds(), Some((0, 1000)));
    assert_eq!(p.meta.origin_unix_ns, Some(1_764_000_000_000_000_000));
    let aside = p.tracks.iter().find(|t| t.kind == crate::model::TrackKind::Untimed).unwrap();
    assert_eq!(p.function_name(aside.spans.rows[0].function), "odd");
    assert!(p.warnings.iter().any(|w| w.kind.contains("far from all others") && w.first == "odd"));
}

#[test]
fn protobuf_and_json_of_one_export_are_alike() {
    let open = |name: &str| {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sample_profiles/otlp").join(name);
        crate::import::open(&crate::import::Input::Path(file), &crate::jobs::Job::new(), &mut |_| ()).unwrap()
    };
    let (json, packed) = (open("openai-v2.otlp.json"), open("openai-v2.otlp.pb"));
    let of = |p: &Profile| {
        let row = |r: &Request| {
            let texts =
                [r.name, r.model, r.provider, r.prompt, r.completion, r.error].map(|t| p.text(t).to_owned());
            (texts, r.arrived, r.finished, r.tokens, r.outcome)
        };
        (p.requests.rows.iter().map(row).collect::<Vec<_>>(), p.span_count(), p.meta.origin_unix_ns)
    };
    assert_eq!(of(&json), of(&packed));
    assert!(json.requests.rows.len() > 5);
}

#[test]
fn what_runs_at_the_same_time_is_no_caller() {
    // More traces than have tracks of their own, each within the one before.
    let spans: Vec<Value> = (0..100u64)
        .map(|i| {
            let mut span = span(i + 1, 0, (i * 10, 10_000 - i * 10), "chat", &chat(1, 1));
            span["traceId"] = format!("{:032x}", i + 1).into();
            span
        })
        .collect();
    let p = open(&spans);
    let rows = p.tracks.iter().flat_map(|t| &t.spans.rows);
    assert_eq!(rows.clone().count(), 100);
    assert!(rows.clone().all(|s| s.depth == 0), "roots of other traces are no children");
    // In one trace, too: a second root is called by nothing.
    let two = [
        span(1, 0, (0, 100), "job", &chat(1, 1)),
        span(2, 0, (10, 20), "other job", &chat(1, 1)),
        span(3, 1, (12, 18), "step", &chat(1, 1)),
    ];
    let p = open(&two);
    let depths: Vec<_> =
        p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| (p.function_name(s.function), s.depth)).collect();
    let depth = |name: &str| depths.iter().find(|d| d.0 == name).map(|d| d.1);
    assert_eq!((depth("job"), depth("other job"), depth("step")), (Some(0), Some(0), Some(1)));
}

#[test]
fn other_signals_and_damage_are_no_panic() {
    let e = open_bytes(br#"{"resourceLogs": [{"scopeLogs": []}]}"#).unwrap_err().to_string();
    assert!(e.contains("nothing in them"), "{e}");
    let e = open_bytes(br#"{"resourceSpans": []}"#).unwrap_err().to_string();
    assert!(e.contains("holds no spans"), "{e}");
    let bad = span(0, 0, (0, 1), "x", &json!({}));
    let p = open(&[bad, span(1, 0, (0, 1), "y", &json!({}))]);
    assert_eq!((p.span_count(), p.warnings[0].kind.as_str()), (1, super::row::BAD_ID));
    damage(sample!("otlp/otel-proto-trace.json"), drop);
    damage(&sample!("otlp/openai-v2.console.jsonl")[..3000], drop);
}

#[test]
fn a_span_of_which_only_parts_came_is_there_unless_it_is_elsewhere() {
    let part = |flags: u64| {
        let mut part = span(2, 1, (10, 40), "part", &json!({}));
        part["flags"] = flags.into();
        part
    };
    let p = open(&[part(0x100), span(3, 1, (45, 60), "other part", &json!({}))]);
    let row = |name: &str| {
        let mut rows = p.tracks.iter().flat_map(|t| &t.spans.rows);
        *rows.find(|s| p.function_name(s.function) == name).unwrap()
    };
    let whole = row("span not received");
    assert_eq!((whole.start, whole.end, whole.status), (0, 50, SpanStatus::Unfinished));
    assert_eq!((row("part").depth, row("other part").depth), (1, 1));
    assert!(p.warnings.iter().any(|w| w.kind.contains("cut off") && w.first == "part"));
    for elsewhere in [0x300, 0] {
        let p = open(&[part(elsewhere)]);
        assert_eq!((p.span_count(), p.warnings[0].kind.as_str()), (1, "parent missing"));
    }
}

#[test]
fn logs_and_metrics_of_json_come_beside_spans() {
    let file = json!({
        "resourceLogs": [{"scopeLogs": [{"logRecords": [
            {"timeUnixNano": "1764000000000000050", "body": {"stringValue": "line"}}]}]}],
        "resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "unit": "ms", "gauge": {"dataPoints": [
            {"timeUnixNano": "1764000000000000060", "asDouble": 1.5}]}}]}]}],
        "resourceSpans": [{"scopeSpans": [{"spans": [span(1, 0, (0, 100), "work", &json!({}))]}]}]});
    let p = open_bytes(file.to_string().as_bytes()).unwrap();
    assert_eq!((p.instants[0].time, p.text(p.instants[0].name)), (50, "line"));
    assert_eq!((&p.counters[0].times[..], &p.counters[0].values[..]), (&[60][..], &[1.5e6][..]));
}

#[cfg(feature = "workloads")]
mod received {
    use super::super::{Encoding, Received, Refusal, Signal};
    use super::*;
    use crate::model::{FunctionSpec, ProfileBuilder};

    const ORIGIN: i64 = 1_764_000_000_000_000_000;

    fn take(received: &Received, spans: &[Value]) {
        let message = json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]});
        let mut written = false;
        let told =
            received.take(message.to_string().as_bytes(), Encoding::Json, Signal::Traces, || written = true);
        assert_eq!((told.unwrap().rejected, written), (0, true));
    }

    fn profile(received: &Received, runs: bool) -> Profile {
        let mut b = ProfileBuilder::new("x");
        received.add_to(&mut b, ORIGIN, runs, false);
        b.finish()
    }

    fn names(p: &Profile) -> Vec<&str> {
        p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| p.function_name(s.function)).collect()
    }

    #[test]
    fn what_still_runs_is_provisional_and_what_comes_later_takes_its_place() {
        let received = Received::new(1 << 20, |_, text| text);
        take(&received, &[span(2, 1, (10, 40), "part", &json!({}))]);
        assert_eq!(names(&profile(&received, true)), ["span not received", "part"]);
        take(&received, &[span(1, 0, (0, 100), "whole", &json!({}))]);
        assert_eq!(names(&profile(&received, true)), ["whole", "part"]);
        let p = profile(&received, false);
        assert_eq!((p.warnings.len(), p.span_count()), (0, 2), "{:?}", p.warnings);
    }

    #[test]
    fn the_oldest_traces_go_first_and_are_counted() {
        let received = Received::new(40_000, |_, text| text);
        for trace in 1..=200u64 {
            let spans = [1, 2].map(|id| {
                let mut span =
                    span(id, id - 1, (trace * 10, trace * 10 + 5), "work", &json!({"k": "v".repeat(100)}));
                span["traceId"] = format!("{trace:032x}").into();
                span
            });
            take(&received, &spans);
        }
        let p = profile(&received, false);
        let kept = p.span_count();
        assert!((20..120).contains(&kept) && kept.is_multiple_of(2), "{kept}");
        let last = p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.start).max();
        assert_eq!(last, Some(2000), "the newest are there");
        let gone = p.warnings.iter().find(|w| w.kind.contains("oldest traces")).unwrap();
        assert_eq!(gone.count as usize + kept, 400);
        // One trace that is too much alone keeps what began last.
        let one = Received::new(40_000, |_, text| text);
        for id in 1..=400u64 {
            take(&one, &[span(id, 0, (id * 10, id * 10 + 5), "work", &json!({"k": "v".repeat(100)}))]);
        }
        let p = profile(&one, false);
        let starts: Vec<i64> = p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.start).collect();
        assert!(starts.len() > 20 && starts.len() < 100 && starts.contains(&4000), "{}", starts.len());
    }

    #[test]
    fn a_call_that_the_wire_saw_too_is_one_request() {
        let wire = |b: &mut ProfileBuilder, from: i64, to: i64, model: &str| {
            let (name, model) = (b.string("#1 chat completions"), b.string(model));
            let track = None;
            b.request(Request {
                name,
                requested_model: model,
                track,
                arrived: from,
                first_byte: Some(from + 50),
                finished: Some(to),
                ..Request::default()
            })
        };
        let received = Received::new(1 << 20, |_, text| text);
        take(
            &received,
            &[
                span(1, 0, (0, 1000), "ChatCompletion", &chat(30, 3)),
                span(2, 0, (100_000_000, 100_001_000), "ChatCompletion", &chat(40, 4)),
            ],
        );
        let mut b = ProfileBuilder::new("x");
        let f = b.function(FunctionSpec::named("unused"));
        assert_eq!(f.index(), 0);
        wire(&mut b, 20, 900, "m");
        wire(&mut b, 100_000_020, 100_000_900, "another model");
        received.add_to(&mut b, ORIGIN, false, false);
        let p = b.finish();
        let rows: Vec<_> = p
            .requests
            .rows
            .iter()
            .map(|r| (p.text(r.name), r.first_byte.is_some(), r.tokens.prompt()))
            .collect();
        assert_eq!(
            rows,
            [
                ("#1 chat completions", true, Some(30)),
                ("ChatCompletion", false, Some(40)),
                ("#1 chat completions", true, None)
            ]
        );
    }

    #[test]
    fn broken_messages_are_refused_whole() {
        let received = Received::new(1 << 20, |_, text| text);
        for (bytes, encoding) in [
            (&b"{\"resourceSpans\": ["[..], Encoding::Json),
            (b"[]", Encoding::Json),
            (b"\x0a\xff\xff", Encoding::Protobuf),
        ] {
            let taken = received.take(bytes, encoding, Signal::Traces, || panic!("nothing is written"));
            assert!(matches!(taken, Err(Refusal::Broken(_))), "{taken:?}");
        }
        assert_eq!(received.figures().spans, 0);
    }

    #[test]
    fn spans_of_another_time_count_from_their_own_begin() {
        let received = Received::new(1 << 20, |_, text| text);
        take(&received, &[span(1, 0, (0, 100), "old", &json!({}))]);
        let mut b = ProfileBuilder::new("x");
        received.add_to(&mut b, ORIGIN + 100 * 3_600_000_000_000, false, false);
        let p = b.finish();
        assert_eq!((p.tracks[0].spans.rows[0].start, p.warnings.len()), (0, 1));
    }
}

#[test]
fn metrics_and_logs_open_without_spans() {
    let time = |s: i64| (1_700_000_000_000_000_000 + s * 1_000_000_000).to_string();
    let point = |s: i64, value: f64| serde_json::json!({"timeUnixNano": time(s), "asDouble": value});
    let metrics = serde_json::json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "queue", "unit": "1", "gauge": {"dataPoints": [point(0, 3.0), point(2, 5.0)]}}
    ]}]}]});
    let p = open_bytes(metrics.to_string().as_bytes()).unwrap();
    assert_eq!((p.counters.len(), &*p.counters[0].times), (1, &[0, 2_000_000_000][..]));
    let logs = serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"timeUnixNano": time(1), "body": {"stringValue": "late"}},
        {"timeUnixNano": time(0), "body": {"stringValue": "early"}}
    ]}]}]});
    let p = open_bytes(logs.to_string().as_bytes()).unwrap();
    let marks: Vec<_> = p.instants.iter().map(|i| (i.time, p.text(i.name))).collect();
    assert_eq!(marks, [(0, "early"), (1_000_000_000, "late")]);
    let empty = open_bytes(b"{\"resourceLogs\": []}").unwrap_err().to_string();
    assert!(empty.contains("nothing in them"), "{empty}");
}

fn failed(mut span: Value, why: &str) -> Value {
    span["status"] = json!({"code": 2, "message": why});
    span
}

/// What a request's program says of it under a name.
fn said<'a>(p: &'a Profile, r: &Request, name: &str) -> &'a str {
    p.strings.find(name).and_then(|name| r.attribute(name)).map_or("", |value| p.text(value))
}

#[test]
fn attempts_of_one_call_are_one_request_with_its_retries() {
    let asked = |prompt: &str| {
        json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": prompt})
    };
    let answered = |prompt: &str| {
        let mut all = asked(prompt);
        all.as_object_mut().unwrap().extend(chat(30, 3).as_object().unwrap().clone());
        all
    };
    let first = failed(span(2, 1, (100, 200), "chat", &asked("Why?")), "429 Too Many Requests");
    let around = span(1, 0, (0, 2000), "answer", &json!({}));
    let p = open(&[around.clone(), first.clone(), span(3, 1, (700, 1500), "chat", &answered("Why?"))]);
    let [r] = &p.requests.rows[..] else { panic!("{:?}", p.requests.rows) };
    assert_eq!((r.arrived, r.lost(), r.outcome), (100, 600, Outcome::Ok));
    assert_eq!(p.text(r.retries[0].reason), "429 Too Many Requests");
    assert_eq!(said(&p, r, "attempts linked by"), "same trace, model and prompt");
    let p = open(&[around.clone(), first, span(3, 1, (700, 1500), "chat", &answered("Another?"))]);
    assert_eq!(p.requests.rows.len(), 2, "another question");
    // The SDK sent it again over HTTP: the call knows nothing of it, its requests do.
    let http = |status: u64, resent: u64| {
        let mut of = json!({"http.request.method": "POST", "url.full": "https://api/v1/chat", "http.response.status_code": status});
        if resent > 0 {
            of["http.request.resend_count"] = resent.into();
        }
        of
    };
    let call = span(4, 1, (100, 1500), "chat", &answered("Why?"));
    let sent = [(503, 0, (110, 200)), (429, 1, (400, 500)), (200, 2, (900, 1400))];
    let sent = sent
        .iter()
        .enumerate()
        .map(|(n, (status, resent, times))| span(5 + n as u64, 4, *times, "POST", &http(*status, *resent)));
    let p = open(&[around, call].into_iter().chain(sent).collect::<Vec<_>>());
    let r = &p.requests.rows[0];
    let times: Vec<_> = r.retries.iter().map(|t| (t.began, t.failed, t.again, p.text(t.reason))).collect();
    assert_eq!(times, [(110, 200, 400, "HTTP 503"), (400, 500, 900, "HTTP 429")]);
    assert_eq!(said(&p, r, "attempts linked by"), "http.request.resend_count");
}

#[test]
fn what_client_and_server_count_is_compared_and_counted_once() {
    let with = |input: u64, output: u64, more: Value| {
        let mut all = chat(input, output);
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let told = |p: &Profile| p.warnings.iter().map(|w| w.kind.clone()).collect::<Vec<_>>();
    let server = json!({"gen_ai.latency.e2e": 0.5});
    let pair = |client: (u64, u64)| {
        open(&[
            span(1, 0, (0, 100), "chat", &chat(client.0, client.1)),
            span(2, 1, (10, 90), "llm_request", &with(512, 476, server.clone())),
        ])
    };
    let (same, other) = (pair((512, 476)), pair((512, 500)));
    assert_eq!((same.requests.rows.len(), told(&same).len()), (1, 0));
    let r = &other.requests.rows[0];
    assert_eq!(
        (r.tokens.output, r.accounting.stated_total, r.accounting.agrees(&r.tokens)),
        (Some(476), Some(1012), Some(false))
    );
    assert_eq!(said(&other, r, "counted by another span"), "512 in, 500 out");
    assert!(told(&other)[0].contains("count differently"), "{:?}", told(&other));
    // Two programs that know of each other by the id of the answer alone.
    let id = json!({"gen_ai.response.id": "chatcmpl-123"});
    let apart = |start: u64| {
        open(&[
            span(1, 0, (0, 100), "chat", &with(512, 476, id.clone())),
            span(2, 0, (start, start + 80), "llm_request", &with(512, 476, id.clone())),
        ])
    };
    assert_eq!((apart(10).requests.rows.len(), told(&apart(10)).len()), (1, 1));
    assert_eq!(apart(5_000_000_000).requests.rows.len(), 2, "an answer that a cache gave again");
    // A span around several calls that counts the last of them only.
    let around = |input: u64| {
        let agent = json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": 8});
        open(&[
            span(1, 0, (0, 100), "agent", &agent),
            span(2, 1, (10, 40), "chat", &chat(30, 3)),
            span(3, 1, (50, 90), "chat", &chat(50, 5)),
        ])
    };
    assert!(told(&around(80)).is_empty());
    assert!(told(&around(50))[0].starts_with("span that counts other tokens"), "{:?}", told(&around(50)));
    assert_eq!(inputs(&around(50)), [Some(30), Some(50)]);
}

#[test]
fn a_call_of_another_model_by_a_tool_is_a_call_of_its_own() {
    let of = |model: &str, input: u64| {
        json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": 10})
    };
    let tool = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "ask"});
    let nested = |inner: &str| {
        open(&[
            span(1, 0, (0, 9000), "chat", &of("gpt-4o", 5000)),
            span(2, 1, (1000, 8000), "execute_tool", &tool),
            span(3, 2, (2000, 7000), "chat", &of(inner, 1000)),
        ])
    };
    assert_eq!(inputs(&nested("claude-sonnet-4-5")), [Some(5000), Some(1000)]);
    assert!(nested("claude-sonnet-4-5").warnings.is_empty());
    assert_eq!(inputs(&nested("gpt-4o-2024-11-20")), [Some(1000)], "the same model under its dated name");
}

#[test]
fn a_server_worked_for_less_than_its_client_waited() {
    let mut client = chat(100, 50);
    client["gen_ai.response.time_to_first_chunk"] = json!(2.0);
    let server = json!({"gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 50,
        "gen_ai.latency.time_in_queue": 0.5, "gen_ai.latency.time_in_model_prefill": 0.6,
        "gen_ai.latency.time_in_model_decode": 3.0, "gen_ai.latency.time_to_first_token": 1.2,
        "gen_ai.latency.e2e": 4.5});
    const S: u64 = 1_000_000_000;
    let p = open(&[
        span(1, 0, (0, 5 * S), "chat m", &client),
        span(2, 1, (300_000_000, 4_800_000_000), "llm_request", &server),
    ]);
    let [r] = &p.requests.rows[..] else { panic!("{}", p.requests.rows.len()) };
    assert_eq!((r.latency(), r.ttft()), (Some(5_000_000_000), Some(2_000_000_000)));
    assert_eq!((r.phases.queue, r.phases.decode), (Some(500_000_000), Some(3_000_000_000)));
}
