//! AIPerf and GenAI-Perf: one record a request (`profile_export.jsonl`), and the summary as CSV.
//!
//! Reference: AIPerf's `docs/tutorials/working-with-profile-exports.md`. Kept of records: times, tokens as the server counts them (as the client does,
//! where the server sends none), arrival of each chunk, errors; of summaries the table. Lost: phases of the connection, rates, which
//! follow from the rest. Times of records are Unix time.

use serde_json::Value;

use super::super::Gives::Requests;
use super::super::llm::{Call, Clock, Said, Usage};
use super::super::read::Oddities;
use super::super::read::csv;
use super::super::read::json::{Json, top_keys};
use super::super::read::lines::for_each_text_line;
use super::super::read::value::{at, count, items, milliseconds, text, value};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, Outcome, ResultTable};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "aiperf",
    title: "AIPerf results",
    written_by: "AIPerf (profile_export.jsonl, profile_export_aiperf.csv), GenAI-Perf's CSV",
    extensions: &["jsonl", "csv"],
    gives: &[Requests],
    sniff,
    import,
    details: no_details,
};

fn is_summary(head: &[u8]) -> bool {
    ["Metric,avg,min,max", "\"Metric\",\"avg\",\"min\",\"max\""]
        .iter()
        .any(|start| head.starts_with(start.as_bytes()))
}

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let records = keys.iter().any(|k| k == "metadata") && keys.iter().any(|k| k == "metrics");
    if is_summary(head.bytes) || records && head.says("\"request_start_ns\"") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    cx.builder.meta.tool = "AIPerf".into();
    if is_summary(source.head()) { summary(source, cx) } else { records(source, cx) }
}

fn records(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let (mut calls, mut odd) = (Vec::new(), Oddities::default());
    for_each_text_line(source, cx, |_, line| {
        if line.text.trim().is_empty() {
            return Ok(());
        }
        match value(&mut Json::of_bytes(line.text.as_bytes())) {
            // What warms a server up is no part of what is measured.
            Ok(record) if text(&record, &["metadata", "benchmark_phase"]).eq_ignore_ascii_case("warmup") => {
                odd.add("request of the warm-up (left out)", || line.place());
            }
            Ok(record) => match call(&record) {
                Some(call) => calls.push(call),
                None => odd.add("record without a start (left out)", || line.place()),
            },
            Err(_) => odd.add("line that is no JSON (left out)", || line.place()),
        }
        Ok(())
    })?;
    let b = &mut cx.builder;
    let Some(origin) = calls.iter().map(|c: &Call| c.start).min() else {
        return Err(ImportError::malformed(odd.first().unwrap_or_else(|| "holds no records".into())));
    };
    (b.meta.basis, b.meta.origin_unix_ns) = (Basis::Timed, Some(origin));
    for call in calls {
        let request = call.request(b, origin, None);
        b.request(request);
    }
    odd.report(b);
    Ok(())
}

fn call(record: &Value) -> Option<Call> {
    let stamp = |name: &str| count(at(record, &["metadata", name])?).and_then(|n| i64::try_from(n).ok());
    let metric = |name: &str| at(record, &["metrics", name, "value"]);
    let tokens = |names: &[&str]| names.iter().find_map(|name| count(metric(name)?));
    let length = |name: &str| metric(name).and_then(milliseconds);
    let start = stamp("request_start_ns")?;
    let after = |length: i64| start.saturating_add(length);
    let error = at(record, &["error"]).map(|e| match text(e, &["message"]) {
        "" => e.as_str().map_or_else(|| e.to_string(), str::to_owned),
        message => message.to_owned(),
    });
    let cancelled = at(record, &["metadata", "was_cancelled"]) == Some(&Value::Bool(true));
    let first = length("time_to_first_token").map(after);
    // The server's usage, and what the client's tokeniser made of the text: its means between tokens are by the latter.
    let (stated, counted) = (tokens(&["usage_completion_tokens"]), tokens(&["output_sequence_length"]));
    let output = stated.or(counted);
    let gaps = metric("inter_chunk_latency").filter(|gaps| gaps.is_array());
    // Without a list of chunks only the first one has a time.
    let mut token_times: Vec<i64> =
        first.into_iter().filter(|_| gaps.is_some() || output.is_none_or(|n| n <= 1)).collect();
    for gap in items(gaps).filter_map(milliseconds) {
        if let Some(last) = token_times.last() {
            token_times.push(last.saturating_add(gap));
        }
    }
    // A mean over all gaps between tokens: the last one came so long after the first.
    let decode = || {
        let gaps = i64::try_from(counted.or(output)?.checked_sub(1)?).ok()?;
        Some(first?.saturating_add(length("inter_token_latency")?.checked_mul(gaps)?))
    };
    let mut said = Said::default();
    for (name, key) in [("session", "conversation_id"), ("turn", "turn_index"), ("worker", "worker_id")] {
        said.add_value(name, at(record, &["metadata", key]).unwrap_or(&Value::Null));
    }
    let asked = [tokens(&["usage_prompt_tokens"]), tokens(&["input_sequence_length"])];
    for (name, [stated, counted]) in
        [("output tokens by the client", [stated, counted]), ("input tokens by the client", asked)]
    {
        if let (Some(_), Some(counted)) = (stated, counted.filter(|n| Some(*n) != stated)) {
            said.add(name, &counted.to_string());
        }
    }
    let end = length("request_latency").map(after).or_else(|| stamp("request_end_ns"));
    Some(Call {
        clock: Clock::Unix,
        name: match text(record, &["metadata", "x_request_id"]) {
            "" => "request".to_owned(),
            id => format!("request {}", id.chars().take(8).collect::<String>()),
        },
        usage: Usage {
            input: tokens(&["usage_prompt_tokens", "input_sequence_length"]),
            output,
            total: tokens(&["usage_total_tokens"]),
            cache_read: tokens(&["usage_prompt_cache_read_tokens"]),
            reasoning: tokens(&["usage_reasoning_tokens", "reasoning_token_count"]),
            ..Usage::default()
        },
        said,
        start,
        first_token: first,
        first_output: length("time_to_first_output_token").map(after),
        // Nothing comes after the end.
        last_token: token_times
            .last()
            .copied()
            .or_else(decode)
            .map(|last| end.map_or(last, |end| last.min(end))),
        end,
        token_times,
        outcome: match (&error, cancelled) {
            (_, true) => Outcome::Cancelled,
            (Some(_), false) => Outcome::Error,
            (None, false) => Outcome::Ok,
        },
        error: error.unwrap_or_default(),
        ..Call::default()
    })
}

fn summary(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut tables: Vec<ResultTable> = Vec::new();
    let mut open = false;
    for_each_text_line(source, cx, |_, line| {
        let fields: Vec<String> = csv::fields(line.text, ',').iter().map(|f| f.trim().to_owned()).collect();
        // A blank line ends a table; the next one has headings of its own.
        if fields.iter().all(String::is_empty) {
            open = false;
        } else if let (true, Some(table)) = (open, tables.last_mut()) {
            let row = fields.into_iter().map(|f| if f.is_empty() { "–".into() } else { f }).collect();
            table.rows.push(row);
        } else {
            let title = if tables.is_empty() { "Results as AIPerf states them" } else { "More results" };
            let note = "Statistics over all requests of the run, by the benchmark's client.".to_owned();
            tables.push(ResultTable {
                title: title.into(),
                columns: fields,
                rows: Vec::new(),
                note,
                minor: false,
            });
            open = true;
        }
        Ok(())
    })?;
    tables.retain(|table| !table.rows.is_empty());
    if tables.is_empty() {
        return Err(ImportError::malformed("holds headings and no rows"));
    }
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.tables) = (Basis::Aggregated, tables);
    Ok(())
}
