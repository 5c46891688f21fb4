//! The callgrind format: valgrind's callgrind and cachegrind, xdebug, yappi, `pprof -callgrind` and
//! many converters.
//!
//! Specification: valgrind's `cl-format`; what KCachegrind's loader accepts counts more than its
//! letter. Functions have self costs per source line, and calls have a count and an inclusive cost;
//! there are no call paths and no times. Parts of one file, and the files that valgrind writes per
//! dump and per thread, are added up.
//!
//! Kept: all events with their long names and formulas, costs per line (inlined code under its own
//! file) and per instruction where the file has addresses, calls, jumps within an object file, objects. A function's total is the recorded cost of the calls on it, as in
//! KCachegrind; of a function that nothing calls it is its own cost and that of its calls. Calls of a
//! function by itself do not count twice; functions that call each other in a circle cost no more than what enters the
//! circle from outside.
//!
//! Lost: basic blocks, jumps of files without addresses, which part or thread a cost is of, and events that are rates.
//! Guessed: the file of a called function where an old writer leaves it out; the lines of Python functions (`python`).

mod address;
mod events;
mod graph;
mod names;
mod numbers;
mod parse;
mod python;
mod siblings;
#[cfg(test)]
mod tests;

use super::Gives::Graph;
use super::read::lines::for_each_line;
use super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, Fact, FactKind, MetricId, ProfileBuilder, Unit};
use parse::{Headers, Parser};

/// Longest line that is kept. Names of C++ templates come to some 100 kB.
const MAX_LINE: usize = 1 << 20;

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "callgrind",
    title: "callgrind",
    written_by: "valgrind (callgrind, cachegrind), xdebug, yappi, pprof -callgrind",
    extensions: &["callgrind", "cachegrind", "out"],
    gives: &[Graph],
    sniff,
    import,
    details: no_details,
};

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let wanted = source.input.part().map(str::to_owned);
    let mut others = siblings::others(source);
    let mut wants_own = true;
    if let Some(wanted) = &wanted
        && (others.iter().any(|o| o.file_name() == *wanted) || source.file_name() == *wanted)
    {
        // A file alone.
        wants_own = source.file_name() == *wanted;
        others.retain(|o| o.file_name() == *wanted);
    }
    let own_is_empty = source.head().iter().all(u8::is_ascii_whitespace);
    if own_is_empty && others.is_empty() {
        return Err(ImportError { kind: ErrorKind::Unrecognised, ..ImportError::malformed("is empty") });
    }
    let job = cx.job;
    let total = source.file_len + others.iter().map(|o| o.file_len).sum::<u64>();
    let mut parser = Parser::new(&mut cx.builder);
    parser.only = wanted.filter(|w| wants_own && source.file_name() != *w);
    let (mut done, mut names, mut left_out) = (0, Vec::new(), Vec::new());
    if !own_is_empty && wants_own {
        read(source, &mut parser, job, (done, total))?;
        names.push(source.file_name());
    }
    for other in &mut others {
        done += source.file_len;
        let before = parser.headers.has_events;
        match read(other, &mut parser, job, (done, total)) {
            Ok(()) => names.push(other.file_name()),
            Err(e) if e.kind == ErrorKind::Cancelled => return Err(e),
            Err(e) => {
                parser.headers.has_events = before;
                left_out.push(format!("{}: {e}", other.file_name()));
            }
        }
    }
    if !parser.headers.has_events {
        return Err(ImportError::malformed(
            "breaks off before it says what it counts: there is no «events:» line",
        )
        .remedy("record the profile again"));
    }
    if let Some(part) = parser.only.as_ref().filter(|p| !parser.headers.parts.contains(p)) {
        return Err(ImportError::malformed(format!("has no part {part}")));
    }
    let in_files = parser.headers.parts.clone();
    let alone = source.input.part().is_some();
    let Parser { graph, events, headers, .. } = parser;
    let builder = &mut cx.builder;
    for place in &left_out {
        builder.warn("file of the same run that cannot be read (left out)", place);
    }
    names.sort();
    if names.len() > 1 {
        builder.meta.input(format!("Added up from {} files", names.len()), names.join(", "));
        builder.meta.parts.extend(names);
    }
    if in_files.len() > 1 && !alone {
        builder.meta.parts.extend(in_files);
    }
    finish(graph, &events, &headers, builder);
    Ok(())
}

/// Reads one file into the parser; `progress` is what other files had, and what all have.
fn read(
    source: &mut Source,
    parser: &mut Parser<'_>,
    job: &crate::jobs::Job,
    (done, total): (u64, u64),
) -> Result<(), ImportError> {
    parser.start_part();
    parser.line_no = 0;
    let checkpoint =
        |_: &mut Parser<'_>, source: &Source| Ok(job.checkpoint(done + source.progress(), total)?);
    let cut = for_each_line(source, MAX_LINE, parser, checkpoint, |parser, line| parser.line(line))?;
    parser.start_part();
    parser.builder.warn_many("line longer than 1 MiB (cut)", "", cut);
    Ok(())
}

fn finish(graph: graph::Graph, events: &events::Events, headers: &Headers, builder: &mut ProfileBuilder) {
    let metrics: Vec<MetricId> = events.metrics.iter().map(|m| m.0).collect();
    let no_summary = headers.summary_is_bad || headers.summary.iter().all(|c| *c == 0);
    let stated = if no_summary { &headers.totals } else { &headers.summary };
    let creator = headers.creator.as_str();
    if graph.len() == 0 {
        builder.warn("file without any function", "");
    }
    let sums = graph.finish(&metrics, stated, builder);
    events.declare_derived(builder);
    if headers.totals.iter().zip(&sums).any(|(stated, sum)| stated != sum) {
        builder.warn("costs of all functions differ from the totals that the file states", "");
    }
    if creator.starts_with("callgrind") && headers.totals.is_empty() {
        builder.warn("no totals at the end: the file may be cut off", "");
    }
    let whole = if stated.is_empty() { &sums } else { stated };
    let meta = &mut builder.meta;
    meta.basis = Basis::Aggregated;
    meta.tool = tool(headers);
    meta.title = headers.cmd.clone();
    for (kind, name, value) in [
        (FactKind::Input, "Command", headers.cmd.clone()),
        (FactKind::Result, "Process", headers.pid.clone()),
        (FactKind::Result, "Parts", in_order(&headers.parts)),
        (FactKind::Result, "Threads", in_order(&headers.threads)),
    ] {
        if !value.is_empty() {
            meta.facts.push(Fact::new(kind, name, value));
        }
    }
    for (name, value) in &headers.desc {
        if value.is_empty() || meta.fact(name).is_some() {
            continue;
        }
        // What part of the run it is comes of the run.
        match name.as_str() {
            "Timerange" | "Trigger" => meta.result(name, value.as_str()),
            _ => meta.setting(name, value.as_str()),
        }
    }
    let totals: Vec<_> = metrics.iter().copied().zip(whole.iter().copied()).collect();
    let mut lines = Vec::new();
    for &(metric, cost) in &totals {
        let metric = builder.metric_of(metric);
        lines.push(Fact::new(FactKind::Result, format!("Total {}", metric.key), (cost, metric.unit)));
        if lines.len() == 1 && metric.unit == Unit::Nanoseconds && !stated.is_empty() {
            builder.meta.duration = Some(cost);
        }
    }
    builder.meta.facts.extend(lines);
}

/// Numbers in a row; nothing for a lone «1».
fn in_order(numbers: &[String]) -> String {
    let mut sorted: Vec<_> = numbers.iter().map(String::as_str).collect();
    sorted.sort_by_key(|n| (n.len(), *n));
    if sorted == ["1"] { String::new() } else { sorted.join(", ") }
}

/// «callgrind 3.19.0», «xdebug 3.2.0 (PHP 8.2.36)», «yappi (callgrind)». Cachegrind does not name
/// itself, but only it describes caches without a version.
fn tool(headers: &Headers) -> String {
    let creator = headers.creator.as_str();
    if creator == "yappi" {
        return "yappi (callgrind)".into();
    }
    if creator.is_empty() {
        let caches = headers.version.is_none() && headers.desc.iter().any(|d| d.0.ends_with("cache"));
        return if caches { "cachegrind".into() } else { String::new() };
    }
    match creator.split_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{name} {version}")
        }
        _ => creator.into(),
    }
}

const HEADER_KEYS: [&[u8]; 13] = [
    b"version:",
    b"creator:",
    b"pid:",
    b"thread:",
    b"part:",
    b"cmd:",
    b"desc:",
    b"positions:",
    b"events:",
    b"event:",
    b"summary:",
    b"totals:",
    b"#",
];
const BODY_KEYS: [&[u8]; 5] = [b"fl=", b"fn=", b"ob=", b"fi=", b"fe="];

/// Every line before the first record must be a known header, and `events:` must be among them.
fn sniff(head: &Head<'_>) -> Confidence {
    let bytes = head.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head.bytes);
    if bytes.starts_with(b"# callgrind format") {
        return Confidence::Certain;
    }
    let grind = head.name.contains("grind");
    if bytes.iter().all(u8::is_ascii_whitespace) {
        // The file of a whole run is empty when its threads have files of their own.
        return if grind { Confidence::Possible } else { Confidence::No };
    }
    let (mut headers, mut events) = (0, false);
    let mut lines = bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).enumerate().peekable();
    while let Some((_, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if HEADER_KEYS.iter().any(|k| line.starts_with(k)) {
            headers += usize::from(!line.starts_with(b"#"));
            events |= line.starts_with(b"events:");
            continue;
        }
        let body =
            BODY_KEYS.iter().any(|k| line.starts_with(k)) || line.first().is_some_and(u8::is_ascii_digit);
        return match (events, body) {
            (true, true) => Confidence::Certain,
            // The last line may be cut off.
            _ if lines.peek().is_none() && headers > 0 && (grind || headers > 1) => Confidence::Possible,
            _ => Confidence::No,
        };
    }
    match (events, headers) {
        (true, 2..) => Confidence::Likely,
        (false, 2..) => Confidence::Possible,
        _ if headers > 0 && grind => Confidence::Possible,
        _ => Confidence::No,
    }
}
