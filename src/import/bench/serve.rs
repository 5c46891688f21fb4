//! Results of `vllm bench serve` (and of its older `benchmark_serving.py`) and of `sglang.bench_serving`.
//!
//! Reference: `vllm/benchmarks/serve.py` and `sglang/bench_serving.py`. Kept: settings, throughputs and latencies as they are stated; with
//! `--save-detailed` (SGLang: `--output-details`) each request with its tokens and the time of each. Lost: what the server says of itself. Guessed: nothing;
//! requests without `start_times` have no place in time, only lengths. SGLang appends a line for each run: each is a row of the table.

use serde_json::Value;

use super::super::Gives::Requests;
use super::super::llm::{Call, Clock, Usage};
use super::super::read::Oddities;
use super::super::read::json::{Json, top_keys};
use super::super::read::value::{count, items, real, text, value};
use super::super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use super::{cell, fact, ns, number};
use crate::model::{Basis, Outcome, ProfileBuilder, ResultTable, Unit};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "bench-serve",
    title: "vLLM and SGLang serving benchmark",
    written_by: "vllm bench serve, benchmark_serving.py, sglang.bench_serving",
    extensions: &["json", "jsonl"],
    gives: &[Requests],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let count = |signs: &[&str]| signs.iter().filter(|sign| keys.iter().any(|k| k == *sign)).count();
    let own = count(&[
        "request_throughput",
        "mean_ttft_ms",
        "mean_tpot_ms",
        "total_output_tokens",
        "max_concurrency",
        "request_rate",
        "ttfts",
        "itls",
    ]);
    // Texts of all requests may stand before these.
    let others =
        count(&["backend", "burstiness", "completed", "duration", "endpoint_type", "generated_texts"]);
    match (own, others) {
        (3.., _) => Confidence::Certain,
        (_, 4..) => Confidence::Likely,
        _ => Confidence::No,
    }
}

/// Settings, in the order in which they are shown.
const SETTINGS: [(&str, &str); 13] = [
    ("backend", "Backend"),
    ("endpoint_type", "Endpoint"),
    ("model_id", "Model"),
    ("tokenizer_id", "Tokenizer"),
    ("num_prompts", "Prompts"),
    ("dataset_name", "Data set"),
    ("request_rate", "Request rate"),
    ("burstiness", "Burstiness"),
    ("max_concurrency", "Most at once"),
    ("random_input_len", "Random input length"),
    ("random_output_len", "Random output length"),
    ("random_range_ratio", "Random range"),
    ("label", "Label"),
];

/// Latencies and what they are called; their keys are `<statistic>_<name>_ms`.
const LATENCIES: [(&str, &str); 4] = [
    ("ttft", "Time to first token"),
    ("tpot", "Time per output token"),
    ("itl", "Between tokens"),
    ("e2el", "Whole request"),
];
const STATISTICS: [&str; 6] = ["mean", "median", "p90", "p95", "p99", "std"];

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut odd = Oddities::default();
    let mut runs = Vec::new();
    let mut json = Json::new(source, cx.job)?;
    loop {
        let run = json.at_end().and_then(|end| if end { Ok(None) } else { value(&mut json).map(Some) });
        match run {
            Ok(Some(Value::Object(run))) => runs.push(Value::Object(run)),
            Ok(Some(_)) => odd.add("value that is no result (left out)", String::new),
            Ok(None) => break,
            Err(e) if e.kind == ErrorKind::Malformed && !runs.is_empty() => {
                odd.add("file is broken off; what came before is shown", || e.to_string());
                break;
            }
            Err(e) => return Err(e),
        }
    }
    let b = &mut cx.builder;
    let Some(last) = runs.last() else { return Err(ImportError::malformed("holds no result")) };
    b.meta.basis = Basis::Timed;
    b.meta.tool = match text(last, &["backend"]) {
        backend if backend.starts_with("sglang") => "sglang.bench_serving".into(),
        _ => "vllm bench serve".into(),
    };
    for (key, name) in SETTINGS {
        match last.get(key) {
            // A rate without a limit is no number of JSON.
            Some(Value::Null) if key == "request_rate" => b.meta.setting(name, "no limit"),
            Some(Value::String(rate)) if key == "request_rate" && rate == "inf" => {
                b.meta.setting(name, "no limit")
            }
            Some(value) => fact(value).into_iter().for_each(|fact| b.meta.setting(name, fact)),
            None => {}
        }
    }
    results(last, b);
    latencies(last, b);
    if runs.len() > 1 {
        all_runs(&runs, b);
    }
    for run in &runs {
        requests(run, &mut odd, b);
    }
    odd.report(b);
    Ok(())
}

fn results(run: &Value, b: &mut ProfileBuilder) {
    b.meta.duration = number(run, "duration").and_then(ns);
    let counts = [
        ("completed", "Requests completed"),
        ("failed", "Requests failed"),
        ("max_concurrent_requests", "Most requests at once"),
    ];
    for (key, name) in counts {
        if let Some(n) = run.get(key).and_then(count) {
            b.meta.result(name, n);
        }
    }
    for (key, name) in [("total_input_tokens", "Input tokens"), ("total_output_tokens", "Output tokens")] {
        if let Some(n) = run.get(key).and_then(count).and_then(|n| i64::try_from(n).ok()) {
            b.meta.result(name, (n, Unit::Tokens));
        }
    }
    // Counted again with the tokenizer, where a server counts otherwise.
    if let Some(n) = run.get("total_output_tokens_retokenized").and_then(count)
        && let Ok(n) = i64::try_from(n)
    {
        b.meta.result("Output tokens, counted by the client", (n, Unit::Tokens));
    }
    let rates = [
        ("request_throughput", "Requests per second"),
        ("input_throughput", "Input tokens per second"),
        ("output_throughput", "Output tokens per second"),
        ("total_throughput", "Tokens per second"),
        ("total_token_throughput", "Tokens per second"),
        ("request_goodput", "Requests per second within goals"),
        ("request_goodput:", "Requests per second within goals"),
        ("concurrency", "Requests at once, on average"),
        ("accept_length", "Accepted length"),
    ];
    for (key, name) in rates {
        if let Some(rate) = number(run, key) {
            b.meta.result(name, format!("{rate:.2}"));
        }
    }
}

/// A latency by its statistic, ms.
fn stated(run: &Value, statistic: &str, name: &str) -> Option<f64> {
    let key = |name: &str| format!("{statistic}_{name}_ms");
    number(run, &key(name)).or_else(|| number(run, &key(if name == "e2el" { "e2e_latency" } else { name })))
}

fn latencies(run: &Value, b: &mut ProfileBuilder) {
    let has = |statistic: &&str| LATENCIES.iter().any(|(name, _)| stated(run, statistic, name).is_some());
    let statistics: Vec<&str> = STATISTICS.into_iter().filter(has).collect();
    let rows = LATENCIES.iter().filter(|(name, _)| statistics.iter().any(|s| stated(run, s, name).is_some()));
    let rows: Vec<Vec<String>> = rows
        .map(|(name, label)| {
            let values = statistics.iter().map(|s| cell(stated(run, s, name), 2));
            [(*label).to_owned()].into_iter().chain(values).collect()
        })
        .collect();
    if !rows.is_empty() {
        let columns = ["Latency"].into_iter().map(str::to_owned);
        b.meta.tables.push(ResultTable {
            title: "Latencies as the benchmark states them".into(),
            columns: columns.chain(statistics.iter().map(|s| format!("{s}, ms"))).collect(),
            rows,
            note: "Statistics over all requests of the run, by the benchmark's client.".into(),
            minor: false,
        });
    }
}

fn all_runs(runs: &[Value], b: &mut ProfileBuilder) {
    let columns = [
        "Run",
        "Rate",
        "At once",
        "Requests/s",
        "Output tokens/s",
        "TTFT p50, ms",
        "TTFT p99, ms",
        "TPOT p50, ms",
    ];
    let rows = runs.iter().zip(1..).map(|(run, n): (_, usize)| {
        let name = match text(run, &["tag"]) {
            "" => n.to_string(),
            tag => tag.to_owned(),
        };
        vec![
            name,
            number(run, "request_rate").map_or_else(|| "no limit".to_owned(), |rate| format!("{rate}")),
            cell(number(run, "max_concurrency"), 0),
            cell(number(run, "request_throughput"), 2),
            cell(number(run, "output_throughput"), 1),
            cell(stated(run, "median", "ttft"), 2),
            cell(stated(run, "p99", "ttft"), 2),
            cell(stated(run, "median", "tpot"), 2),
        ]
    });
    b.meta.tables.push(ResultTable {
        title: format!("{} runs of the benchmark", runs.len()),
        columns: columns.map(str::to_owned).to_vec(),
        rows: rows.collect(),
        note: "The facts above and the table of latencies are those of the last run.".into(),
        minor: false,
    });
}

/// Each request of a detailed result.
fn requests(run: &Value, odd: &mut Oddities, b: &mut ProfileBuilder) {
    let list = |key: &str| run.get(key).and_then(Value::as_array);
    let Some(ttfts) = list("ttfts") else { return };
    let of = |key: &str, n: usize| list(key).and_then(|l| l.get(n));
    let model = text(run, &["model_id"]);
    let starts = list("start_times").filter(|starts| starts.len() == ttfts.len());
    let first = starts.into_iter().flatten().filter_map(real).fold(f64::INFINITY, f64::min);
    for (n, ttft) in ttfts.iter().enumerate() {
        let error = of("errors", n).and_then(Value::as_str).unwrap_or("");
        let start = starts.and_then(|starts| ns(real(&starts[n])? - first));
        let mut call = Call {
            name: format!("request {n}"),
            model: model.to_owned(),
            clock: if start.is_some() { Clock::Unix } else { Clock::Own },
            start: start.unwrap_or(0),
            // Of one that failed nothing was counted: the lists have what was to be sent, and 0.
            usage: Usage {
                input: of("input_lens", n).and_then(count).filter(|_| error.is_empty()),
                output: of("output_lens", n).and_then(count).filter(|n| error.is_empty() || *n > 0),
                ..Usage::default()
            },
            outcome: if error.is_empty() { Outcome::Ok } else { Outcome::Error },
            error: error.lines().last().unwrap_or("").to_owned(),
            completion: of("generated_texts", n).and_then(Value::as_str).unwrap_or("").to_owned(),
            ..Call::default()
        };
        let mut at = real(ttft).filter(|t| *t > 0.0).and_then(ns).map(|t| call.start.saturating_add(t));
        if at.is_none() && error.is_empty() {
            odd.add("request without a time to its first token", || format!("request {n}"));
        }
        call.first_token = at;
        if let Some(first) = at {
            call.token_times.push(first);
            for gap in items(of("itls", n)).filter_map(|gap| ns(real(gap)?)) {
                at = at.map(|t| t.saturating_add(gap));
                call.token_times.extend(at);
            }
            // Without the gaps nobody says when more tokens than the first one came.
            if call.token_times.len() == 1 && call.usage.output.is_some_and(|n| n > 1) {
                (at, call.token_times) = (None, Vec::new());
            }
            call.last_token = at;
        }
        let latency = of("latencies", n).or_else(|| of("e2els", n)).and_then(|l| ns(real(l)?));
        call.end = latency.map(|l| call.start.saturating_add(l)).or(at);
        let request = call.request(b, 0, None);
        b.request(request);
    }
}
