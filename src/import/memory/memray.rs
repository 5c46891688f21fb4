//! What memray's `transform csv`, `transform gprof2dot` and `stats --json` write.
//!
//! Reference: `memray/reporters/transform.py` and `stats.py`. Kept: of the CSV and the graph file every stack with its
//! bytes and allocations, per thread; of the statistics the totals, the histogram and the largest places (as tables).
//! Lost: which allocator was called (a fact says how often each was). Not read: memray's own `.bin`, which has no
//! specification; its error says how to convert it.

use rustc_hash::FxHashMap;

use super::super::Gives::{Memory, Tree};
use super::super::python::module_of;
use super::super::read::Oddities;
use super::super::read::json::{Json, top_keys};
use super::super::read::lines::{Line, for_each_text_line};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use super::{allocated, allocations, held};
use crate::model::{
    Basis, FactValue, FrameId, FunctionSpec, ProfileBuilder, ResultTable, TrackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "memray",
    title: "memray",
    written_by: "memray transform csv, transform gprof2dot, stats --json",
    extensions: &["csv", "json"],
    gives: &[Tree, Memory],
    sniff,
    import,
    details: no_details,
};

const CSV_HEAD: &[u8] = b"allocator,num_allocations,size,tid,thread_name,stack_trace";

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.starts_with(CSV_HEAD) {
        return Confidence::Certain;
    }
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    if has("total_bytes_allocated") && has("allocation_size_histogram")
        || has("costs") && has("events") && has("version")
    {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    cx.builder.meta.tool = "memray".into();
    cx.builder.meta.basis = Basis::Aggregated;
    if source.head().starts_with(CSV_HEAD) {
        return csv(source, cx);
    }
    let stats = top_keys(source.head()).iter().any(|k| k == "total_bytes_allocated");
    let mut json = Json::new(source, cx.job)?;
    if stats { statistics(&mut json, &mut cx.builder) } else { graph(&mut json, &mut cx.builder) }
}

/// A frame `function;file;line`.
fn frame(function: &str, file: &str, line: &str, builder: &mut ProfileBuilder) -> FrameId {
    let module = module_of(file);
    let spec = FunctionSpec { name: function, module: &module, file, ..FunctionSpec::default() };
    let function = builder.function(spec);
    builder.frame(function, line.trim().parse().unwrap_or(0))
}

#[derive(Default)]
struct Csv {
    frames: FxHashMap<Box<str>, FrameId>,
    tracks: FxHashMap<Box<str>, TrackId>,
    allocators: Vec<(String, i64)>,
    odd: Oddities,
}

fn csv(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Csv::default();
    for_each_text_line(source, cx, |cx, line| {
        if line.number > 1 && !line.text.is_empty() && reader.row(line, &mut cx.builder).is_none() {
            reader.odd.add("row that cannot be read (skipped)", || line.place());
        }
        Ok(())
    })?;
    for (name, count) in &reader.allocators {
        cx.builder.meta.result(format!("Calls of {name}"), count.to_string());
    }
    reader.odd.report(&mut cx.builder);
    Ok(())
}

impl Csv {
    fn row(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) -> Option<()> {
        let mut parts = line.text.splitn(6, ',');
        let (allocator, count, size, tid, thread) = (
            parts.next()?,
            parts.next()?.parse().ok()?,
            parts.next()?.parse().ok()?,
            parts.next()?,
            parts.next()?,
        );
        let trace = parts.next()?;
        match self.allocators.iter_mut().find(|a| a.0 == allocator) {
            Some(known) => known.1 += count,
            None => self.allocators.push((allocator.into(), count)),
        }
        let track = *self.tracks.entry(tid.into()).or_insert_with_key(|_| {
            let name = format!("Thread {tid} ({thread})");
            builder.track(TrackSpec { name: &name, process: "", kind: TrackKind::Thread, sort: 0 })
        });
        let mut stack = None;
        for text in trace.rsplit('|').filter(|t| !t.is_empty()) {
            let id = match self.frames.get(text) {
                Some(&id) => id,
                None => {
                    let mut parts = text.split(';');
                    let (name, file) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
                    let id = frame(name, file, parts.next().unwrap_or(""), builder);
                    self.frames.insert(text.into(), id);
                    id
                }
            };
            stack = Some(builder.stack(stack, id));
        }
        let metrics = (builder.metric(held()), builder.metric(allocations()));
        builder.sample(track, stack, &[(metrics.0, size), (metrics.1, count)]);
        Some(())
    }
}

/// `transform gprof2dot`: `functions`, and `events` with the call chain, innermost first, and its bytes.
fn graph(json: &mut Json<'_>, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
    let mut events: Vec<(Vec<u32>, i64)> = Vec::new();
    let mut functions: Vec<[String; 3]> = Vec::new();
    if json.enter_object()? {
        while json.next_key()? {
            match json.key() {
                b"events" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            events.push(event(json)?);
                        }
                    }
                }
                b"functions" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            functions.push(function(json)?);
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
    }
    let mut odd = Oddities::default();
    let metric = builder.metric(held());
    let track =
        builder.track(TrackSpec { name: "Allocations", process: "", kind: TrackKind::Profile, sort: 0 });
    let frames: Vec<_> =
        functions.iter().map(|[name, file, line]| frame(name, file, line, builder)).collect();
    for (n, (chain, bytes)) in events.iter().enumerate() {
        let mut stack = None;
        for &row in chain.iter().rev() {
            match frames.get(row as usize) {
                Some(&id) => stack = Some(builder.stack(stack, id)),
                None => odd.add("frame that the file does not hold (left out)", || format!("event {n}")),
            }
        }
        builder.sample(track, stack, &[(metric, *bytes)]);
    }
    odd.report(builder);
    if events.is_empty() { Err(ImportError::malformed("holds no events")) } else { Ok(()) }
}

fn event(json: &mut Json<'_>) -> Result<(Vec<u32>, i64), ImportError> {
    let (mut chain, mut cost) = (Vec::new(), 0);
    if json.enter_object()? {
        while json.next_key()? {
            match json.key() {
                b"callchain" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            chain.push(json.index()?.unwrap_or(u32::MAX));
                        }
                    }
                }
                b"cost" => {
                    let mut first = true;
                    if json.enter_array()? {
                        while json.next_item()? {
                            let value = json.integer()?.unwrap_or(0);
                            cost = if std::mem::take(&mut first) { value } else { cost };
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
    }
    Ok((chain, cost))
}

fn function(json: &mut Json<'_>) -> Result<[String; 3], ImportError> {
    let [mut name, mut file, mut line] = [String::new(), String::new(), String::new()];
    if json.enter_object()? {
        while json.next_key()? {
            match json.key() {
                b"name" => name = json.text_or_number()?,
                b"module" => file = json.text_or_number()?,
                b"line" => line = json.text_or_number()?,
                _ => json.skip()?,
            }
        }
    }
    // The name ends with the line: `main:12`.
    if let (Some((short, number)), true) = (name.rsplit_once(':'), line.is_empty())
        && number.parse::<u32>().is_ok()
    {
        (line, name) = (number.into(), short.into());
    }
    Ok([name, file, line])
}

/// `stats --json`: totals and tables. The places of the largest allocations are rows without callers.
fn statistics(json: &mut Json<'_>, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
    let (mut sizes, mut counts) = (Vec::new(), Vec::new());
    if !json.enter_object()? {
        return Err(ImportError::malformed("is no object"));
    }
    while json.next_key()? {
        match json.key() {
            b"total_num_allocations" => total("Allocations", Unit::Count, json, builder)?,
            b"total_bytes_allocated" => total("Bytes allocated", Unit::Bytes, json, builder)?,
            b"allocation_size_histogram" => histogram(json, builder)?,
            b"top_allocations_by_size" => sizes = places(json)?,
            b"top_allocations_by_count" => counts = places(json)?,
            b"metadata" => {
                if json.enter_object()? {
                    while json.next_key()? {
                        let key = String::from_utf8_lossy(json.key()).into_owned();
                        let value = json.text_or_number()?;
                        match key.as_str() {
                            "command_line" => builder.meta.title = value,
                            _ if value.is_empty() => {}
                            _ => builder.meta.result(key.replace('_', " "), value),
                        }
                    }
                }
            }
            _ => json.skip()?,
        }
    }
    let metrics = (builder.metric(allocated()), builder.metric(allocations()));
    let track =
        builder.track(TrackSpec { name: "Largest places", process: "", kind: TrackKind::Profile, sort: 0 });
    for (place, size) in sizes {
        let count = counts.iter().find(|c| c.0 == place).map(|c| (metrics.1, c.1));
        let weights: Vec<_> = std::iter::once((metrics.0, size)).chain(count).collect();
        let mut parts = place.rsplitn(2, ':');
        let (line, rest) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let (name, file) = rest.split_once(':').unwrap_or((rest, ""));
        let id = frame(name, file, line, builder);
        let stack = builder.stack(None, id);
        builder.sample(track, Some(stack), &weights);
    }
    builder.meta.result("Shown are", "the largest places only, without their callers");
    Ok(())
}

fn total(
    name: &str,
    unit: Unit,
    json: &mut Json<'_>,
    builder: &mut ProfileBuilder,
) -> Result<(), ImportError> {
    let text = json.text_or_number()?;
    let value = text.parse().map_or(FactValue::Text(text), |n| FactValue::Number(n, unit));
    builder.meta.result(name, value);
    Ok(())
}

/// Places with their number.
fn places(json: &mut Json<'_>) -> Result<Vec<(String, i64)>, ImportError> {
    let mut places = Vec::new();
    if json.enter_array()? {
        while json.next_item()? {
            let (mut place, mut value) = (String::new(), 0);
            if json.enter_object()? {
                while json.next_key()? {
                    match json.key() {
                        b"location" => json.string_into(&mut place)?,
                        b"size" | b"count" => value = json.integer()?.unwrap_or(0),
                        _ => json.skip()?,
                    }
                }
            }
            places.push((place, value));
        }
    }
    Ok(places)
}

fn histogram(json: &mut Json<'_>, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
    let mut table = ResultTable {
        title: "Sizes of allocations".into(),
        columns: vec!["From, bytes".into(), "To, bytes".into(), "Allocations".into()],
        ..ResultTable::default()
    };
    if json.enter_array()? {
        while json.next_item()? {
            let mut row = vec![String::new(); 3];
            if json.enter_object()? {
                while json.next_key()? {
                    match json.key() {
                        b"min_bytes" => row[0] = json.text_or_number()?,
                        b"max_bytes" => row[1] = json.text_or_number()?,
                        b"count" => row[2] = json.text_or_number()?,
                        _ => json.skip()?,
                    }
                }
            }
            table.rows.push(row);
        }
    }
    builder.meta.tables.push(table);
    Ok(())
}
