use serde_json::{Value, json};

use crate::import::testing::{damage, open_bytes};
use crate::model::{Origin, Outcome, Profile, Request};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/", $name))
    };
}

fn open(text: &str) -> Profile {
    open_bytes(text.as_bytes()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn one(value: &Value) -> Request {
    let p = open(&value.to_string());
    assert_eq!((p.meta.format.as_str(), p.requests.rows.len()), ("answers", 1), "{value}");
    p.requests.rows[0].clone()
}

/// A stream of server-sent events.
fn stream(values: &[Value]) -> String {
    values.iter().map(|v| format!("data: {v}\n\n")).collect()
}

fn streamed(values: &[Value]) -> (Profile, Request) {
    let p = open(&stream(values));
    assert_eq!(p.requests.rows.len(), 1, "{values:?}");
    let r = p.requests.rows[0].clone();
    (p, r)
}

fn chunk(delta: &Value, finish: &Value, usage: &Value) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage})
}

#[test]
fn a_chat_stream_takes_the_last_usage_and_says_when_there_is_none() {
    let zeros = json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0});
    let usage = json!({"prompt_tokens": 90, "completion_tokens": 7, "total_tokens": 97, "prompt_tokens_details": {"cached_tokens": 64}});
    let said = [
        chunk(&json!({"role": "assistant", "content": ""}), &Value::Null, &zeros),
        chunk(&json!({"content": "a"}), &Value::Null, &zeros),
        chunk(&json!({}), &json!("stop"), &Value::Null),
    ];
    let last = json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [], "usage": usage, "service_tier": "priority"});
    let (p, r) = streamed(&[&said[..], &[last]].concat());
    assert_eq!((r.tokens.input, r.tokens.cache_read, r.tokens.output), (Some(26), Some(64), Some(7)));
    assert_eq!((p.text(r.tier), p.text(r.completion), r.outcome), ("priority", "a", Outcome::Ok));
    let (p, r) = streamed(&said);
    assert!(
        r.tokens.is_unknown() && p.text(r.tokens_why).contains("include_usage"),
        "{}",
        p.text(r.tokens_why)
    );
    let (p, r) = streamed(&said[..2]);
    assert_eq!((r.tokens.is_unknown(), r.outcome), (true, Outcome::Cancelled));
    assert!(p.text(r.tokens_why).contains("broke off"));
    let failed = json!({"error": {"message": "out of\nmemory", "code": 500}});
    let (p, r) = streamed(&[said[0].clone(), failed]);
    assert_eq!((r.outcome, p.text(r.error)), (Outcome::Error, "out of memory"));
}

#[test]
fn several_answers_of_one_stream_are_told_apart() {
    let of = |id: &str, text: &str| {
        let usage = json!({"prompt_tokens": 1, "completion_tokens": 1});
        let mut piece = chunk(&json!({"content": text}), &json!("stop"), &usage);
        piece["id"] = id.into();
        piece
    };
    let p = open(&(stream(&[of("a", "x"), of("b", "y")]) + "data: [DONE]\n\n" + &stream(&[of("b", "z")])));
    let texts: Vec<_> = p.requests.rows.iter().map(|r| p.text(r.completion)).collect();
    assert_eq!(texts, ["x", "y", "z"]);
}

#[test]
fn events_of_responses_and_messages_make_one_answer_each() {
    let response = |status: &str, usage: Value| json!({"id": "r", "object": "response", "created_at": 1_763_000_000, "model": "m", "status": status, "output": [], "usage": usage});
    let usage = json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5},
        "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 13});
    let (p, r) = streamed(&[
        json!({"type": "response.created", "response": response("in_progress", Value::Null)}),
        json!({"type": "response.reasoning_summary_text.delta", "delta": "hm"}),
        json!({"type": "response.output_text.delta", "delta": "ho"}),
        json!({"type": "response.completed", "response": response("completed", usage)}),
    ]);
    let t = r.tokens;
    assert_eq!(
        (t.input, t.cache_read, t.cache_write_5m, t.output, t.reasoning),
        (Some(1), Some(4), Some(5), Some(3), Some(2))
    );
    let chunks = r.chunks.unwrap();
    assert_eq!((chunks.with_output, chunks.first_token, chunks.first_output), (2, Some(2), Some(3)));
    assert_eq!((p.text(r.completion), r.outcome), ("ho", Outcome::Ok));

    let start = json!({"type": "message_start", "message": {"id": "m", "model": "c", "usage": {"input_tokens": 27,
        "cache_creation_input_tokens": 100, "cache_read_input_tokens": 7, "output_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 60}}}});
    let thought = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}});
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 47}});
    let (_, r) = streamed(&[start.clone(), thought.clone(), delta, json!({"type": "message_stop"})]);
    let t = r.tokens;
    assert_eq!(
        (t.input, t.cache_write_5m, t.cache_write_1h, t.output),
        (Some(27), Some(40), Some(60), Some(47))
    );
    assert_eq!(r.chunks.unwrap().first_output, None, "it only thought");
    // Less in the cache than beside it: numbers alone do not tell whether one is a part of the other.
    let start_of_much = json!({"type": "message_start", "message": {"id": "m", "model": "c", "usage": {"input_tokens": 5000,
        "cache_creation_input_tokens": 400, "cache_read_input_tokens": 600, "output_tokens": 1}}});
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 47}});
    let (_, r) = streamed(&[start_of_much, delta, json!({"type": "message_stop"})]);
    let t = r.tokens;
    assert_eq!(
        (t.input, t.cache_read, t.cache_write_5m, t.output),
        (Some(5000), Some(600), Some(400), Some(47))
    );
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let (_, failed) = streamed(&[start.clone(), thought.clone(), error]);
    assert_eq!(failed.outcome, Outcome::Error);
    let (_, broken) = streamed(&[start, thought]);
    for r in [failed, broken] {
        assert_eq!(
            (r.tokens.output, r.accounting.output, r.accounting.input),
            (Some(1), Origin::LowerBound, Origin::Reported)
        );
    }
}

#[test]
fn gemini_counts_four_parts_and_streams_cumulative_ones() {
    let piece = |text: &str, finish: Value, out: u64| {
        json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": finish}], "modelVersion": "g", "responseId": "x",
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": out, "toolUsePromptTokenCount": 5,
                "thoughtsTokenCount": 30, "totalTokenCount": 135 + out}})
    };
    let expected = (Some(105), Some(50), Some(30), Some(5));
    let counts = |r: &Request| (r.tokens.input, r.tokens.output, r.tokens.reasoning, r.tokens.tool_input);
    assert_eq!(counts(&one(&piece("ho", json!("STOP"), 20))), expected);
    let pieces = [piece("h", Value::Null, 5), piece("o", json!("STOP"), 20)];
    let (p, r) = streamed(&pieces);
    assert_eq!((counts(&r), p.text(r.completion)), (expected, "ho"));
    // The same as the list that servers send without `alt=sse`.
    let p = open(&json!(pieces).to_string());
    assert_eq!((p.requests.rows.len(), counts(&p.requests.rows[0])), (1, expected));
}

#[test]
fn bedrock_counts_the_cache_apart_and_knows_how_long() {
    let usage = json!({"inputTokens": 10, "outputTokens": 3, "cacheReadInputTokens": 20, "cacheWriteInputTokens": 40, "totalTokens": 73,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 15}, {"ttl": "1h", "inputTokens": 25}]});
    let whole = one(
        &json!({"output": {"message": {"content": [{"text": "ho"}]}}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 812}}),
    );
    let (_, pieces) = streamed(&[
        json!({"messageStart": {"role": "assistant"}}),
        json!({"contentBlockDelta": {"delta": {"text": "ho"}, "contentBlockIndex": 0}}),
        json!({"messageStop": {"stopReason": "end_turn"}}),
        json!({"metadata": {"usage": usage, "metrics": {"latencyMs": 812}}}),
    ]);
    for r in [whole, pieces] {
        let t = r.tokens;
        assert_eq!(
            (t.input, t.cache_write_5m, t.cache_write_1h, t.prompt()),
            (Some(10), Some(15), Some(25), Some(70))
        );
        assert_eq!(
            (r.latency(), r.accounting.agrees(&t), r.outcome),
            (Some(812_000_000), Some(true), Outcome::Ok)
        );
    }
}

#[test]
fn ollama_streams_have_a_time_per_chunk() {
    let at = |s: &str| format!("2026-11-01T10:00:0{s}Z");
    let piece = |s: &str, text: &str| json!({"model": "l", "created_at": at(s), "message": {"role": "assistant", "content": text}, "done": false});
    let last = json!({"model": "l", "created_at": at("3"), "message": {"content": ""}, "done": true, "total_duration": 3_000_000_000u64,
        "load_duration": 500_000_000, "prompt_eval_count": 9, "prompt_eval_duration": 400_000_000, "eval_count": 3, "eval_duration": 2_000_000_000});
    let lines = [piece("1", "a"), piece("2", "b"), last].map(|v| v.to_string()).join("\n");
    let p = open(&lines);
    let r = &p.requests.rows[0];
    assert_eq!((p.requests.rows.len(), r.latency(), r.ttft()), (1, Some(3_000_000_000), Some(1_000_000_000)));
    assert_eq!((r.tpot(), r.phases.load, r.unaccounted()), (Some(5e8), Some(500_000_000), Some(100_000_000)));
    assert_eq!((r.decode_rate(), r.tokens.cache_read), (Some(1.5), None));
}

#[test]
fn answers_are_found_inside_of_what_logs_put_around_them() {
    let answer = json!({"id": "x", "object": "chat.completion", "model": "m", "choices": [{"message": {"content": "ho"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}});
    for around in [
        json!({"id": "batch_1", "custom_id": "a", "response": {"status_code": 200, "body": answer}, "error": null}),
        json!({"request": {"model": "m"}, "response": answer}),
        json!({"body": answer}),
    ] {
        assert_eq!(one(&around).tokens.total(), Some(7));
    }
    let lines = format!("{answer}\n{{\"note\": 1}}\nnot json\n{answer}\n");
    let p = open(&lines);
    assert_eq!(
        (p.requests.rows.len(), p.warnings.iter().map(|w| w.count).sum::<u64>()),
        (2, 4),
        "{:?}",
        p.warnings
    );
}

#[test]
fn other_json_is_not_claimed() {
    for other in [
        r#"{"error": {"message": "x"}}"#,
        r#"{"metadata": {"a": 1}, "metrics": {}, "error": null}"#,
        r#"{"name": "x", "content": "y"}"#,
        "data: {\"a\": 1}\n\n",
        "event: x\n",
        "[]",
        "[1, 2]",
    ] {
        assert!(open_bytes(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn damage_never_panics() {
    damage(sample!("answers/anthropic-stream.sse"), drop);
    damage(sample!("answers/openai-responses.jsonl"), drop);
    damage(sample!("answers/ollama.json"), drop);
}

#[test]
fn a_provider_that_counts_nothing_is_shown_as_it_says_unless_there_is_an_answer() {
    let answer = |content: &str| {
        json!({"id": "c", "object": "chat.completion", "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}})
    };
    let r = one(&answer(""));
    assert_eq!((r.tokens.input, r.tokens.output, r.tokens.total()), (Some(0), Some(0), Some(0)));
    assert_eq!((r.accounting.origin(), r.accounting.agrees(&r.tokens)), (Origin::Reported, Some(true)));
    let p = open(&answer("An answer").to_string());
    let r = &p.requests.rows[0];
    assert!(r.tokens.is_unknown(), "an answer has tokens");
    assert!(p.text(r.tokens_why).contains("reports 0 tokens"), "{}", p.text(r.tokens_why));
}

#[test]
fn a_cost_in_another_currency_is_no_cost_in_dollars() {
    let with = |usage: Value| {
        let mut answer = json!({"id": "c", "object": "chat.completion", "model": "m", "choices": []});
        answer["usage"] = usage;
        open(&answer.to_string())
    };
    let dollars = with(json!({"prompt_tokens": 9, "completion_tokens": 1, "cost": 0.25}));
    assert_eq!(dollars.requests.rows[0].cost, crate::model::Money::parse("0.25"));
    let euros =
        with(json!({"prompt_tokens": 9, "completion_tokens": 1, "cost": 0.25, "cost_currency": "EUR"}));
    let r = &euros.requests.rows[0];
    let label = euros.strings.find("cost in EUR").and_then(|name| r.attribute(name));
    assert_eq!((r.cost, label.map(|v| euros.text(v))), (None, Some("0.25")));
}

#[test]
fn a_log_with_ids_of_requests_tells_attempts_from_requests() {
    let answer = json!({"id": "c1", "object": "chat.completion", "model": "m", "created": 1_764_000_030,
        "choices": [{"message": {"content": "Yes"}}], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}});
    let log = |first: &str, second: &str| {
        let failed = json!({"request_id": first, "error": {"message": "Rate limit reached", "code": 429}});
        open(&format!("{failed}\n{}\n", json!({"request_id": second, "response": answer})))
    };
    let p = log("a", "b");
    assert_eq!(p.requests.rows.len(), 2, "two requests");
    let p = log("a", "a");
    let [r] = &p.requests.rows[..] else { panic!("{:?}", p.requests.rows) };
    assert_eq!((r.outcome, r.retries.len(), r.lost()), (Outcome::Ok, 1, 0), "how long it took is not known");
    assert_eq!(p.text(r.retries[0].reason), "Rate limit reached");
}

#[test]
fn what_a_batch_did_not_come_to_is_a_request_that_failed() {
    let batch = [
        json!({"custom_id": "a", "result": {"type": "succeeded", "message": {"id": "m1", "type": "message", "model": "m", "content": [],
            "stop_reason": "end_turn", "usage": {"input_tokens": 100, "output_tokens": 50}}}}),
        json!({"custom_id": "b", "result": {"type": "errored", "error": {"type": "error", "error": {"type": "invalid_request_error", "message": "too long"}}}}),
        json!({"custom_id": "c", "result": {"type": "canceled"}}),
        json!({"custom_id": "d", "result": {"type": "expired"}}),
    ];
    let p = open(&batch.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    let ends: Vec<_> = p.requests.rows.iter().map(|r| (r.outcome, p.text(r.error))).collect();
    use Outcome::{Cancelled, Error, Ok};
    assert_eq!(ends, [(Ok, ""), (Error, "too long"), (Cancelled, "canceled"), (Error, "expired")]);
    let of_openai = json!({"id": "batch_req_0", "custom_id": "r", "response": {"status_code": 200, "body": {"object": "chat.completion", "model": "m",
        "service_tier": "default", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}}, "error": null});
    let p = open(&of_openai.to_string());
    assert_eq!(p.text(p.requests.rows[0].tier), "batch", "batches have prices of their own");
}

#[test]
fn the_body_of_an_error_is_a_request_that_failed() {
    for body in [
        json!({"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Rate limit reached"}, "request_id": "r"}),
    ] {
        let p = open(&body.to_string());
        let r = &p.requests.rows[0];
        assert_eq!((r.outcome, p.text(r.error)), (Outcome::Error, "Rate limit reached"));
    }
    assert!(open_bytes(b"{\"error\": {\"message\": \"no\"}}").is_err(), "anything may say so");
}

#[test]
fn sound_that_was_cached_is_not_counted_among_what_was_not() {
    let details = |audio: u64, text: u64| json!([{"modality": "TEXT", "tokenCount": text}, {"modality": "AUDIO", "tokenCount": audio}]);
    let r = one(
        &json!({"candidates": [{"content": {"parts": [{"text": "ho"}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 400,
        "cachedContentTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 420, "promptTokensDetails": details(250, 150),
        "cacheTokensDetails": details(60, 40)}}),
    );
    assert_eq!(
        (r.tokens.input, r.tokens.cache_read, r.tokens.audio_input),
        (Some(300), Some(100), Some(190))
    );
}

#[test]
fn zeros_at_the_end_of_a_stream_take_nothing_back() {
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-sonnet-4-5", "role": "assistant",
        "type": "message", "content": [], "usage": {"input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 1}}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 50}});
    let (_, r) = streamed(&[start, end, json!({"type": "message_stop"})]);
    assert_eq!((r.tokens.input, r.tokens.cache_read, r.tokens.output), (Some(10), Some(100), Some(50)));
}

#[test]
fn a_stream_that_ends_with_its_usage_is_whole() {
    let piece = chunk(&json!({"content": "Hi"}), &Value::Null, &Value::Null);
    let mut usage = piece.clone();
    usage["choices"] = json!([]);
    usage["usage"] = json!({"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11});
    let (_, r) = streamed(&[piece.clone(), piece, usage]);
    assert_eq!((r.outcome, r.tokens.input, r.tokens.output), (Outcome::Ok, Some(9), Some(2)));
}
