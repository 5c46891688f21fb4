//! What spans say that was asked and what it cost, under the names of several conventions.

use serde_json::{Value, json};

use super::tests::only;

fn call(more: &Value) -> Value {
    let mut all = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

fn prompt(more: &Value) -> String {
    let (p, r) = only(&call(more));
    p.text(r.prompt).to_owned()
}

#[test]
fn rounds_of_an_agent_are_different_prompts() {
    let round = |n: usize| {
        let mut said = vec![json!({"role": "user", "parts": [{"type": "text", "content": "Book a flight"}]})];
        for at in 0..n {
            said.push(json!({"role": "assistant", "parts": [{"type": "tool_call", "id": at, "name": "search", "arguments": {"page": at}}]}));
            said.push(json!({"role": "tool", "parts": [{"type": "tool_call_response", "id": at, "response": "nothing"}]}));
        }
        prompt(&json!({"gen_ai.input.messages": Value::from(said).to_string()}))
    };
    assert_eq!(round(0), "Book a flight");
    assert_eq!(round(1), "user: Book a flight\n\nassistant: tool call search {\"page\":0}\n\ntool: nothing");
    assert!(round(2).starts_with(&round(1)) && round(2) != round(1));
}

#[test]
fn contents_of_numbered_attributes_are_read() {
    let with = |url: &str| {
        prompt(&json!({"llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "What is it?",
            "llm.input_messages.0.message.contents.1.message_content.type": "image",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url": url}))
    };
    assert_eq!(with("http://x/3.png"), "What is it?\n[image http://x/3.png]");
    assert_ne!(with("data:image/png;base64,AAAA"), with("data:image/png;base64,AAAB"));
    let calls = json!({"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hi",
        "gen_ai.prompt.1.role": "assistant", "gen_ai.prompt.1.tool_calls.0.name": "f",
        "gen_ai.prompt.1.tool_calls.0.arguments": "{}"});
    assert_eq!(prompt(&calls), "user: Hi\n\nassistant: tool call f {}");
    // Ten and more in their order.
    let many: serde_json::Map<String, Value> =
        (0..12).map(|n| (format!("gen_ai.prompt.{n}.content"), json!(n.to_string()))).collect();
    assert!(prompt(&Value::Object(many)).ends_with("9\n\n10\n\n11"));
}

#[test]
fn what_is_empty_is_no_prompt() {
    for empty in ["{}", "[]", "{\"messages\":[]}", "null"] {
        assert_eq!(prompt(&json!({"input.value": empty})), "", "{empty}");
    }
    assert_eq!(
        prompt(&json!({"input.value": "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"})),
        "hi"
    );
    assert_eq!(prompt(&json!({"input.value": "{\"question\":\"why\"}"})), "{\"question\":\"why\"}");
}

#[test]
fn parts_of_a_cost_add_up_to_it() {
    let cost = |more: Value| only(&call(&more)).1.cost.map(|c| c.to_string());
    let stated = |dollars: &str| crate::model::Money::parse(dollars).map(|c| c.to_string());
    assert_eq!(cost(json!({"llm.cost.prompt": 0.003, "llm.cost.completion": 0.0015})), stated("0.0045"));
    assert_eq!(cost(json!({"llm.cost.prompt": 0.003, "llm.cost.total": 0.01})), stated("0.01"));
    assert_eq!(cost(json!({"llm.cost.prompt": 0.003})), None, "the rest is unknown");
    assert_eq!(cost(json!({"langfuse.observation.cost_details": "{\"total\":0.0123}"})), stated("0.0123"));
    assert_eq!(
        cost(json!({"langfuse.observation.cost_details": "{\"input\":0.001,\"output\":0.002}"})),
        stated("0.003")
    );
}

#[test]
fn zero_until_the_first_chunk_is_unknown_and_sequences_share_their_tokens() {
    assert_eq!(only(&call(&json!({"gen_ai.response.time_to_first_chunk": 0.0}))).1.ttft(), None);
    let two = json!({"gen_ai.usage.num_sequences": 2, "gen_ai.latency.time_in_model_decode": 4.9});
    assert_eq!(only(&call(&two)).1.tpot(), Some(1e8), "49 each after the first");
}

#[test]
fn an_answer_of_a_cache_of_the_program_is_one() {
    for more in [
        json!({"metadata": "{\"cache_hit\": true}"}),
        json!({"langfuse.observation.metadata": {"hidden_params": {"cache_hit": true}}}),
        json!({"metadata.cache_hit": "True"}),
    ] {
        assert!(only(&call(&more)).1.answered_by_cache(), "{more}");
    }
    assert!(!only(&call(&json!({"metadata.cache_hit": false}))).1.answered_by_cache());
}

#[test]
fn kinds_of_tokens_that_langfuse_counts_apart_are_parts_of_the_whole() {
    let counts = |details: Value| {
        let mut a =
            json!({"langfuse.observation.type": "generation", "langfuse.observation.model.name": "m"});
        a["langfuse.observation.usage_details"] = details.to_string().into();
        let t = only(&a).1.tokens;
        (
            t.prompt(),
            t.input,
            t.audio_input,
            t.cache_read,
            t.cache_write_5m,
            t.cache_write_1h,
            t.output,
            t.audio_output,
        )
    };
    let apart =
        json!({"input": 10, "input_audio_tokens": 7, "output": 5, "output_audio_tokens": 2, "total": 24});
    assert_eq!(counts(apart), (Some(17), Some(17), Some(7), None, None, None, Some(7), Some(2)));
    let cached =
        json!({"input": 10, "input_cached_tokens": 3, "input_audio_tokens": 7, "output": 5, "total": 25});
    assert_eq!(counts(cached), (Some(20), Some(17), Some(7), Some(3), None, None, Some(5), None));
    let within = json!({"input": 17, "input_audio_tokens": 7, "output": 5, "total": 22});
    assert_eq!(counts(within), (Some(17), Some(17), Some(7), None, None, None, Some(5), None));
    let written =
        json!({"input": 10, "input_cache_creation_5m": 20, "input_cache_creation_1h": 30, "output": 5});
    assert_eq!(counts(written), (Some(60), Some(10), None, None, Some(20), Some(30), Some(5), None));
}

#[test]
fn tools_and_a_seed_make_the_same_prompt_another_question() {
    let asked = |more: &Value| {
        let (p, r) = only(&call(more));
        let name = p.strings.find(crate::model::ASKED_WITH)?;
        r.attribute(name).map(|value| p.text(value).to_owned())
    };
    assert_eq!(asked(&json!({"gen_ai.request.temperature": 1.0})), None);
    let tools =
        |name: &str| asked(&json!({"gen_ai.tool.definitions": format!("[{{\"name\": \"{name}\"}}]")}));
    assert!(tools("a").is_some() && tools("a") == tools("a") && tools("a") != tools("b"));
    assert_ne!(asked(&json!({"gen_ai.request.seed": 1})), asked(&json!({"gen_ai.request.seed": 2})));
}
