//! speedscope: spans as evented profiles, samples as sampled ones.
//!
//! Kept: every track, functions with file and first line, times to the nanosecond, the weights of every
//! metric (one profile each, because a speedscope profile has only one). Lost: running lines (speedscope
//! tells functions apart by them), details, counters, arrows, how a span ended. A track whose spans
//! overlap becomes one profile for each lane, because speedscope demands strict nesting.

use std::io::Write;

use rustc_hash::FxHashMap;

use super::{ExportError, WRITER, no_stacks};
use crate::model::{FunctionId, Lane, NO_ROW, Profile, SampleTable, SpanTable, StackId, TrackId, Unit};

/// Writes spans and samples.
///
/// # Errors
/// When `out` cannot be written, or the profile has no spans or samples.
pub fn write(profile: &Profile, out: &mut dyn Write) -> Result<(), ExportError> {
    if profile.span_count() == 0 && profile.sample_count() == 0 {
        return Err(no_stacks(profile, "speedscope"));
    }
    out.write_all(b"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":")?;
    text(out, WRITER)?;
    out.write_all(b",\"name\":")?;
    text(out, &profile.meta.title)?;
    out.write_all(b",\"activeProfileIndex\":0,\"shared\":{\"frames\":[")?;
    for (i, id) in profile.functions.ids().enumerate() {
        frame(out, profile, id, i == 0)?;
    }
    out.write_all(b"]},\"profiles\":[")?;
    let mut list = List { out, first: true };
    for id in profile.track_ids() {
        let (track, label) = (profile.track(id), track_name(profile, id));
        for (n, lane) in track.spans.lanes.iter().enumerate() {
            list.separate()?;
            let name = if n == 0 { label.clone() } else { format!("{label} (overlap {n})") };
            evented(list.out, &track.spans, lane, &name)?;
        }
        sampled(&mut list, profile, &track.samples, &label)?;
    }
    list.out.write_all(b"]}\n")?;
    Ok(())
}

struct List<'a> {
    out: &'a mut dyn Write,
    first: bool,
}

impl List<'_> {
    fn separate(&mut self) -> std::io::Result<()> {
        if std::mem::take(&mut self.first) { Ok(()) } else { self.out.write_all(b",\n") }
    }
}

fn text(out: &mut dyn Write, text: &str) -> Result<(), ExportError> {
    Ok(serde_json::to_writer(out, text)?)
}

fn track_name(profile: &Profile, id: TrackId) -> String {
    let label = profile.track_label(id);
    if label.is_empty() { format!("track {}", id.0 + 1) } else { label }
}

fn frame(out: &mut dyn Write, profile: &Profile, id: FunctionId, first: bool) -> Result<(), ExportError> {
    let function = profile.functions.get(id);
    let (name, module, file) =
        (profile.text(function.name), profile.text(function.module), profile.text(function.file));
    out.write_all(if first { b"{\"name\":" } else { b",{\"name\":" })?;
    text(out, name)?;
    let place = if file.is_empty() { module } else { file };
    if !place.is_empty() {
        out.write_all(b",\"file\":")?;
        text(out, place)?;
    }
    if function.line > 0 {
        write!(out, ",\"line\":{}", function.line)?;
    }
    out.write_all(b"}")?;
    Ok(())
}

/// Rows of a lane are in preorder, so what must close before a row opens is on top of a stack.
fn evented(out: &mut dyn Write, spans: &SpanTable, lane: &Lane, name: &str) -> Result<(), ExportError> {
    let rows = &spans.rows[lane.rows.start as usize..lane.rows.end as usize];
    let start = rows.first().map_or(0, |s| s.start.min(0));
    let end = rows.iter().map(|s| s.end).max().unwrap_or(start);
    out.write_all(b"{\"type\":\"evented\",\"name\":")?;
    text(out, name)?;
    write!(out, ",\"unit\":\"nanoseconds\",\"startValue\":{start},\"endValue\":{end},\"events\":[")?;
    let mut open: Vec<u32> = Vec::new();
    let mut comma = "";
    for row in lane.rows.clone().map(Some).chain([None]) {
        let parent = row.map_or(NO_ROW, |r| spans.rows[r as usize].parent);
        while let Some(top) = open.pop_if(|top| *top != parent) {
            let span = &spans.rows[top as usize];
            write!(out, "{comma}{{\"type\":\"C\",\"frame\":{},\"at\":{}}}", span.function.0, span.end)?;
            comma = ",";
        }
        if let Some(row) = row {
            let span = &spans.rows[row as usize];
            write!(out, "{comma}{{\"type\":\"O\",\"frame\":{},\"at\":{}}}", span.function.0, span.start)?;
            comma = ",";
            open.push(row);
        }
    }
    out.write_all(b"]}")?;
    Ok(())
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Nanoseconds => "nanoseconds",
        Unit::Bytes => "bytes",
        _ => "none",
    }
}

/// One profile for each metric that the samples weigh.
fn sampled(
    list: &mut List<'_>,
    profile: &Profile,
    samples: &SampleTable,
    label: &str,
) -> Result<(), ExportError> {
    if samples.is_empty() {
        return Ok(());
    }
    let paths = paths(profile, samples);
    if samples.weights.is_empty() {
        list.separate()?;
        return sampled_one(list.out, label, "none", samples, &paths, &|_| 1);
    }
    for (n, (metric, column)) in samples.weights.iter().enumerate() {
        list.separate()?;
        let metric = profile.metric(*metric);
        let name = if n == 0 { label.to_owned() } else { format!("{label} ({})", metric.label) };
        sampled_one(list.out, &name, unit(metric.unit), samples, &paths, &|i| column[i])?;
    }
    Ok(())
}

/// The written list of frames of each stack, outermost first.
fn paths(profile: &Profile, samples: &SampleTable) -> FxHashMap<StackId, String> {
    let mut paths = FxHashMap::default();
    for stack in samples.stacks.iter().flatten() {
        paths.entry(*stack).or_insert_with(|| {
            let path = profile.stack_functions(*stack);
            path.iter().map(|f| f.0.to_string()).collect::<Vec<_>>().join(",")
        });
    }
    paths
}

fn sampled_one(
    out: &mut dyn Write,
    name: &str,
    unit: &str,
    samples: &SampleTable,
    paths: &FxHashMap<StackId, String>,
    weight: &dyn Fn(usize) -> i64,
) -> Result<(), ExportError> {
    let time = unit == "nanoseconds";
    // speedscope refuses negative weights.
    let kept = || (0..samples.len()).filter(|&i| weight(i) >= 0);
    let start = samples.times.first().copied().filter(|_| time).unwrap_or(0);
    let end = kept().fold(start, |sum, i| sum.saturating_add(weight(i)));
    out.write_all(b"{\"type\":\"sampled\",\"name\":")?;
    text(out, name)?;
    write!(out, ",\"unit\":\"{unit}\",\"startValue\":{start},\"endValue\":{end},\"samples\":[")?;
    for (n, i) in kept().enumerate() {
        let path = samples.stacks[i].and_then(|s| paths.get(&s)).map_or("", String::as_str);
        write!(out, "{}[{path}]", if n == 0 { "" } else { "," })?;
    }
    out.write_all(b"],\"weights\":[")?;
    for (n, i) in kept().enumerate() {
        write!(out, "{}{}", if n == 0 { "" } else { "," }, weight(i))?;
    }
    out.write_all(b"]}")?;
    Ok(())
}
