//! `llama-bench`: results as JSON, JSON lines, CSV or the table that it prints.
//!
//! Reference: `tools/llama-bench` of llama.cpp. Kept: a row for each test with its speed and the spread over its repetitions; build, machine, model
//! and settings as facts. Lost: settings in which the tests do not differ from llama.cpp's defaults.

use serde_json::{Map, Value};

use super::super::Gives::Requests;
use super::super::read::Oddities;
use super::super::read::csv;
use super::super::read::json::Json;
use super::super::read::lines::for_each_text_line;
use super::super::read::value::{real, value};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{cell, fact};
use crate::model::{Basis, ProfileBuilder, ResultTable, Unit};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "llama-bench",
    title: "llama-bench results",
    written_by: "llama-bench of llama.cpp (JSON, JSON lines, CSV, printed table)",
    extensions: &["json", "jsonl", "csv", "md", "txt"],
    gives: &[Requests],
    sniff,
    import,
    details: no_details,
};

/// How the results are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Json,
    Csv,
    Printed,
}

fn layout(head: &[u8]) -> Option<Layout> {
    let start = head.trim_ascii_start();
    let says = |text: &str| memchr::memmem::find(start, text.as_bytes()).is_some();
    match start.first()? {
        b'{' | b'[' if says("\"build_commit\"") && says("\"avg_ts\"") => Some(Layout::Json),
        b'b' | b'"' if start.starts_with(b"build_commit,") || start.starts_with(b"\"build_commit\",") => {
            Some(Layout::Csv)
        }
        _ => {
            if !says("t/s") {
                return None;
            }
            let text = String::from_utf8_lossy(start);
            text.lines().any(is_heading).then_some(Layout::Printed)
        }
    }
}

/// `| model | size | params | backend | threads | test | t/s |`
fn is_heading(line: &str) -> bool {
    let cells = printed(line);
    cells.first() == Some(&"model") && cells.contains(&"test") && cells.contains(&"t/s")
}

fn printed(line: &str) -> Vec<&str> {
    match line.trim().strip_prefix('|').and_then(|l| l.strip_suffix('|')) {
        Some(inner) => inner.split('|').map(str::trim).collect(),
        None => Vec::new(),
    }
}

fn sniff(head: &Head<'_>) -> Confidence {
    if layout(head.bytes).is_some() { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut odd = Oddities::default();
    let mut tests: Vec<Map<String, Value>> = Vec::new();
    match layout(source.head()) {
        Some(Layout::Printed) => return table(source, cx),
        Some(Layout::Csv) => {
            let mut names: Vec<String> = Vec::new();
            for_each_text_line(source, cx, |_, line| {
                let fields = csv::fields(line.text, ',');
                if names.is_empty() {
                    names = fields.iter().map(|f| f.trim().to_owned()).collect();
                } else if fields.len() == names.len() {
                    let values = fields.iter().map(|f| Value::String(f.to_string()));
                    tests.push(names.iter().cloned().zip(values).collect());
                } else if !line.text.trim().is_empty() {
                    odd.add("row with too many or too few fields (left out)", || line.place());
                }
                Ok(())
            })?;
        }
        _ => {
            let mut json = Json::new(source, cx.job)?;
            let mut take = |value: Value, odd: &mut Oddities| match value {
                Value::Object(test) if test.contains_key("avg_ts") => tests.push(test),
                _ => odd.add("value that is no test (left out)", String::new),
            };
            let mut read = |odd: &mut Oddities| -> Result<(), ImportError> {
                while !json.at_end()? {
                    if json.peek()? == b'[' {
                        json.enter_array()?;
                        while json.next_item()? {
                            take(value(&mut json)?, odd);
                        }
                    } else {
                        take(value(&mut json)?, odd);
                    }
                }
                Ok(())
            };
            if let Err(e) = read(&mut odd) {
                if tests.is_empty() {
                    return Err(e);
                }
                odd.add("file is broken off; what came before is shown", || e.to_string());
            }
        }
    }
    if tests.is_empty() {
        return Err(ImportError::malformed("holds no test"));
    }
    build(&tests, &mut cx.builder);
    odd.report(&mut cx.builder);
    Ok(())
}

fn number(test: &Map<String, Value>, key: &str) -> Option<f64> {
    real(test.get(key)?)
}

fn text(test: &Map<String, Value>, key: &str) -> String {
    test.get(key).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn build(tests: &[Map<String, Value>], b: &mut ProfileBuilder) {
    let first = &tests[0];
    (b.meta.basis, b.meta.title) = (Basis::Aggregated, text(first, "model_filename"));
    b.meta.tool = format!(
        "llama-bench, build {} ({})",
        cell(number(first, "build_number"), 0),
        text(first, "build_commit")
    );
    for (key, name) in [("cpu_info", "CPU"), ("gpu_info", "GPU"), ("backends", "Backends")] {
        let value = text(first, key);
        if !value.is_empty() {
            b.meta.ran_on(name, value);
        }
    }
    b.meta.input("Model", text(first, "model_type"));
    if let Some(bytes) = number(first, "model_size") {
        b.meta.input("Model size", (bytes as i64, Unit::Bytes));
    }
    if let Some(n) = number(first, "model_n_params") {
        b.meta.input("Parameters", n as u64);
    }
    let settings =
        ["n_threads", "n_gpu_layers", "n_batch", "n_ubatch", "type_k", "type_v", "flash_attn", "split_mode"];
    // What is the same in all tests is said once, the rest is a column.
    let differs = |key: &&str| tests.iter().any(|t| t.get(*key) != first.get(*key));
    for key in settings.iter().filter(|key| !differs(key)) {
        if let Some(value) = first.get(*key).and_then(fact) {
            b.meta.setting(*key, value);
        }
    }
    let varied: Vec<&str> = settings.into_iter().filter(differs).collect();
    let several = tests.iter().any(|t| t.get("model_filename") != first.get("model_filename"));
    let mut columns = vec!["Test".to_owned()];
    columns.extend(several.then(|| "Model".to_owned()));
    columns.extend(varied.iter().map(|key| (*key).to_owned()));
    columns.extend(["Tokens/s", "Spread (standard deviation)", "Time, ms", "Repetitions"].map(str::to_owned));
    let rows = tests.iter().map(|test| {
        let mut row = vec![name(test)];
        row.extend(several.then(|| text(test, "model_type")));
        row.extend(varied.iter().map(|key| match test.get(*key) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "–".to_owned(),
        }));
        row.push(cell(number(test, "avg_ts"), 2));
        row.push(cell(number(test, "stddev_ts"), 2));
        row.push(cell(number(test, "avg_ns").map(|ns| ns / 1e6), 2));
        let samples = test.get("samples_ns").and_then(Value::as_array);
        row.push(samples.map_or_else(|| "–".to_owned(), |s| s.len().to_string()));
        row
    });
    b.meta.tables.push(ResultTable {
        title: "Speed".into(),
        columns,
        rows: rows.collect(),
        note: "pp512 reads a prompt of 512 tokens, tg128 generates 128 tokens one after the other.".into(),
        minor: false,
    });
}

/// The name that llama-bench prints: `pp512`, `tg128`, `pp512+tg128`, `tg128 @ d4096`.
fn name(test: &Map<String, Value>) -> String {
    let count = |key: &str| number(test, key).unwrap_or(0.0) as u64;
    let (prompt, generated, depth) = (count("n_prompt"), count("n_gen"), count("n_depth"));
    let name = match (prompt, generated) {
        (p, 0) => format!("pp{p}"),
        (0, g) => format!("tg{g}"),
        (p, g) => format!("pp{p}+tg{g}"),
    };
    if depth > 0 { format!("{name} @ d{depth}") } else { name }
}

fn table(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut odd = Oddities::default();
    let mut table: Option<ResultTable> = None;
    for_each_text_line(source, cx, |cx, line| {
        let cells = printed(line.text);
        let is_rule = cells.iter().all(|c| c.bytes().all(|b| matches!(b, b'-' | b':')));
        match &mut table {
            None if is_heading(line.text) => {
                table = Some(ResultTable {
                    title: "Speed".into(),
                    columns: cells.iter().map(|c| (*c).to_owned()).collect(),
                    rows: Vec::new(),
                    note:
                        "As llama-bench printed it; t/s are tokens per second, with the standard deviation."
                            .into(),
                    minor: false,
                });
            }
            Some(_) if cells.is_empty() || is_rule || is_heading(line.text) => {}
            Some(table) if cells.len() == table.columns.len() => {
                table.rows.push(cells.iter().map(|c| (*c).to_owned()).collect());
            }
            Some(_) => odd.add("row with too many or too few cells (left out)", || line.place()),
            None => {}
        }
        if let Some(build) = line.text.strip_prefix("build: ") {
            cx.builder.meta.tool = format!("llama-bench, build {}", build.trim());
        }
        Ok(())
    })?;
    let Some(table) = table.filter(|t| !t.rows.is_empty()) else {
        return Err(ImportError::malformed("holds headings of llama-bench and no rows"));
    };
    let b = &mut cx.builder;
    if b.meta.tool.is_empty() {
        b.meta.tool = "llama-bench".into();
    }
    (b.meta.basis, b.meta.tables) = (Basis::Aggregated, vec![table]);
    odd.report(b);
    Ok(())
}
