//! The native session: every table of a profile, compressed. The layout is in `crate::model::wire`.

use std::io::Write;

use super::{ExportError, WRITER};
use crate::model::wire::{
    self, BLOCK_HEADER, CACHE, COMPRESSED, FREE_RAW, Header, KINDS, MAGIC, MAJOR, MAX_RATIO, MINOR,
    SEVERITIES, STATUSES, UNITS, Writer, checksum, tag,
};
use crate::model::wire_places::write_instructions;
use crate::model::wire_rows::{
    write_attributes, write_billing, write_finding, write_option, write_request, write_retries,
    write_token_times,
};
use crate::model::{
    ArgsPlace, ArgsRef, CallGraph, CallSites, Calls, MetricId, NO_ROW, Profile, SampleTable, Sources,
    SpanTable, Track,
};

/// Fast, and within a few percent of the smallest.
const LEVEL: i32 = 3;

/// Writes a whole profile. Opening it again gives an equal one.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(profile: &Profile, out: &mut dyn Write) -> Result<(), ExportError> {
    write_with(profile, &profile.sources, out)
}

/// The same with other source texts than the profile carries. Files are named by ids of the profile's strings.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_with(profile: &Profile, texts: &Sources, out: &mut dyn Write) -> Result<(), ExportError> {
    out.write_all(&MAGIC)?;
    out.write_all(&MAJOR.to_le_bytes())?;
    out.write_all(&MINOR.to_le_bytes())?;
    let header = Header { writer: WRITER.into(), meta: profile.meta.clone() };
    block(out, tag::HEAD, &serde_json::to_vec(&header)?)?;
    block(out, tag::METRICS, &serde_json::to_vec(&profile.metrics)?)?;
    let mut columns = |tag, fill: &dyn Fn(&mut Writer)| {
        let mut w = Writer::default();
        fill(&mut w);
        block(out, tag, &w.0)
    };
    columns(tag::STRINGS, &|w| strings(profile, w))?;
    columns(tag::FUNCTIONS, &|w| functions(profile, w))?;
    columns(tag::FRAMES, &|w| frames(profile, w))?;
    columns(tag::STACKS, &|w| stacks(profile, w))?;
    columns(tag::ATTRIBUTES, &|w| attributes(profile, w))?;
    for track in &profile.tracks {
        columns(tag::TRACK, &|w| self::track(track, w))?;
    }
    if profile.tracks.iter().any(|t| !t.spans.callers.is_empty()) {
        columns(tag::CALLERS, &|w| callers(profile, w))?;
    }
    for counter in &profile.counters {
        columns(tag::COUNTER, &|w| {
            w.unsigned(counter.name.0.into());
            w.unsigned(counter.process.0.into());
            w.choice(&UNITS, &counter.unit);
            w.size(counter.times.len());
            w.differences(counter.times.iter().copied());
            counter.values.iter().for_each(|&v| w.bits(v));
        })?;
    }
    columns(tag::INSTANTS, &|w| instants(profile, w))?;
    columns(tag::LINKS, &|w| links(profile, w))?;
    if let Some(graph) = &profile.call_graph {
        columns(tag::GRAPH, &|w| call_graph(graph, w))?;
        if !graph.sites.is_empty() {
            columns(tag::SITES, &|w| sites(&graph.sites, w))?;
        }
        if let Some(instructions) = &graph.instructions {
            columns(tag::INSTRUCTIONS, &|w| write_instructions(instructions, graph.nodes.len(), w))?;
        }
    }
    columns(tag::REQUESTS, &|w| {
        w.size(profile.requests.rows.len());
        for request in &profile.requests.rows {
            write_request(request, w);
            write_token_times(request, w);
        }
        // Since minor version 1.
        for request in &profile.requests.rows {
            w.choice(&CACHE, &request.cache);
            w.optional(request.batch.map(|b| b as i64));
        }
        // Since minor version 2.
        for request in &profile.requests.rows {
            w.optional(request.first_byte);
            w.unsigned(request.error.0.into());
        }
        // Since minor version 4.
        profile.requests.rows.iter().for_each(|request| write_retries(request, w));
        // Since minor version 6.
        profile.requests.rows.iter().for_each(|request| write_billing(request, w));
        // Since minor version 7.
        profile.requests.rows.iter().for_each(|request| write_attributes(request, w));
        // Since minor version 9.
        profile.requests.rows.iter().for_each(|request| w.unsigned(request.sequences.into()));
    })?;
    if !profile.findings.is_empty() {
        columns(tag::FINDINGS, &|w| findings(profile, w))?;
    }
    if !texts.is_empty() {
        columns(tag::SOURCES, &|w| sources(texts, w))?;
    }
    for file in &profile.attached {
        block(out, tag::ATTACHED, &wire::attachment(file))?;
    }
    block(out, tag::WARNINGS, &serde_json::to_vec(&profile.warnings)?)?;
    block(out, tag::END, &[])
}

pub(super) fn block(out: &mut dyn Write, tag: tag::Tag, raw: &[u8]) -> Result<(), ExportError> {
    let packed = zstd::bulk::compress(raw, LEVEL)?;
    let (raw_len, packed_len) = (raw.len() as u64, packed.len() as u64);
    let packs = packed_len < raw_len && (raw_len <= FREE_RAW || raw_len <= packed_len * MAX_RATIO);
    let (flags, stored) = if packs { (COMPRESSED, &packed[..]) } else { (0, raw) };
    let mut header = Vec::with_capacity(BLOCK_HEADER);
    header.extend_from_slice(&tag);
    header.push(flags);
    header.extend_from_slice(&raw_len.to_le_bytes());
    header.extend_from_slice(&(stored.len() as u64).to_le_bytes());
    let sum = checksum(&header, stored);
    header.extend_from_slice(&sum.to_le_bytes());
    out.write_all(&header)?;
    out.write_all(stored)?;
    Ok(())
}

/// All texts, then their lengths: the empty one, which is always there, is left out.
fn strings(profile: &Profile, w: &mut Writer) {
    w.size(profile.strings.len() - 1);
    profile.strings.iter().skip(1).for_each(|s| w.size(s.len()));
    profile.strings.iter().skip(1).for_each(|s| w.0.extend_from_slice(s.as_bytes()));
}

fn functions(profile: &Profile, w: &mut Writer) {
    let rows = profile.functions.rows();
    w.size(rows.len());
    rows.iter().for_each(|f| w.unsigned(f.name.0.into()));
    rows.iter().for_each(|f| w.unsigned(f.module.0.into()));
    rows.iter().for_each(|f| w.unsigned(f.file.0.into()));
    rows.iter().for_each(|f| w.unsigned(f.line.into()));
    rows.iter().for_each(|f| w.unsigned(f.category.0.into()));
}

fn frames(profile: &Profile, w: &mut Writer) {
    let rows = profile.frames.rows();
    w.size(rows.len());
    rows.iter().for_each(|f| w.unsigned(f.function.0.into()));
    rows.iter().for_each(|f| w.unsigned(f.line.into()));
}

/// A caller as distance back (0: none), which is small because stacks are met from the root up.
fn stacks(profile: &Profile, w: &mut Writer) {
    let rows = profile.stacks.rows();
    w.size(rows.len());
    for (i, stack) in rows.iter().enumerate() {
        w.unsigned(stack.parent.map_or(0, |p| i as u64 - u64::from(p.0)));
    }
    rows.iter().for_each(|s| w.unsigned(s.frame.0.into()));
}

fn attributes(profile: &Profile, w: &mut Writer) {
    w.size(profile.attributes.len());
    for set in 0..profile.attributes.len() as u32 {
        w.attributes(profile.attributes.get(set));
    }
}

fn track(track: &Track, w: &mut Writer) {
    w.unsigned(track.name.0.into());
    w.unsigned(track.process.0.into());
    w.choice(&KINDS, &track.kind);
    w.signed(track.sort);
    spans(&track.spans, w);
    samples(&track.samples, w);
}

fn spans(spans: &SpanTable, w: &mut Writer) {
    let rows = &spans.rows;
    w.size(rows.len());
    w.size(spans.lanes.len());
    spans.lanes.iter().for_each(|l| w.size(l.rows.len()));
    // A parent as distance back, 0 for none.
    for (row, span) in rows.iter().enumerate() {
        w.size(if span.parent == NO_ROW { 0 } else { row - span.parent as usize });
    }
    w.differences(rows.iter().map(|s| s.start));
    rows.iter().for_each(|s| w.unsigned(s.end.wrapping_sub(s.start) as u64));
    rows.iter().for_each(|s| w.unsigned(s.function.0.into()));
    rows.iter().for_each(|s| w.choice(&STATUSES, &s.status));
    args(rows.iter().map(|s| s.args), w);
    costs(&spans.costs, w);
}

fn callers(profile: &Profile, w: &mut Writer) {
    let rows = || {
        profile
            .track_ids()
            .zip(&profile.tracks)
            .flat_map(|(id, t)| t.spans.callers.iter().map(move |c| (id, c)))
    };
    w.size(rows().count());
    rows().for_each(|(id, _)| w.unsigned(id.0.into()));
    w.differences(rows().map(|(_, c)| c.row.into()));
    rows().for_each(|(_, c)| w.unsigned(c.track.0.into()));
    w.differences(rows().map(|(_, c)| c.parent.into()));
}

/// Kinds of places in one column, the places themselves in another.
fn args(rows: impl Iterator<Item = ArgsRef> + Clone, w: &mut Writer) {
    for args in rows.clone() {
        w.byte(match args.place() {
            ArgsPlace::None => 0,
            ArgsPlace::Inline(_) => 1,
            ArgsPlace::Offset(_) => 2,
        });
    }
    w.differences(rows.filter_map(|args| match args.place() {
        ArgsPlace::None => None,
        ArgsPlace::Inline(set) => Some(i64::from(set)),
        ArgsPlace::Offset(offset) => Some(offset as i64),
    }));
}

fn costs(costs: &[(MetricId, Vec<i64>)], w: &mut Writer) {
    w.size(costs.len());
    for (metric, column) in costs {
        w.unsigned(metric.0.into());
        column.iter().for_each(|&v| w.signed(v));
    }
}

fn samples(samples: &SampleTable, w: &mut Writer) {
    w.size(samples.len());
    w.differences(samples.stacks.iter().map(|s| s.map_or(0, |s| i64::from(s.0) + 1)));
    w.byte(u8::from(samples.is_timed()));
    w.differences(samples.times.iter().copied());
    w.signed(samples.end);
    costs(&samples.weights, w);
}

fn instants(profile: &Profile, w: &mut Writer) {
    let rows = &profile.instants;
    w.size(rows.len());
    w.differences(rows.iter().map(|i| i.time));
    rows.iter().for_each(|i| write_option(i.track.map(|t| t.0), w));
    rows.iter().for_each(|i| w.unsigned(i.name.0.into()));
    rows.iter().for_each(|i| w.choice(&SEVERITIES, &i.severity));
    args(rows.iter().map(|i| i.args), w);
}

fn findings(profile: &Profile, w: &mut Writer) {
    w.size(profile.findings.len());
    profile.findings.iter().for_each(|finding| write_finding(finding, w));
}

fn links(profile: &Profile, w: &mut Writer) {
    let rows = &profile.links;
    w.size(rows.len());
    w.differences(rows.iter().map(|l| l.from.1));
    rows.iter().for_each(|l| w.signed(l.to.1.wrapping_sub(l.from.1)));
    rows.iter().for_each(|l| w.unsigned(l.from.0.0.into()));
    rows.iter().for_each(|l| w.unsigned(l.to.0.0.into()));
    rows.iter().for_each(|l| w.unsigned(l.name.0.into()));
}

fn calls(calls: Option<Calls>, w: &mut Writer) {
    w.byte(u8::from(calls.is_some()));
    if let Some(calls) = calls {
        w.unsigned(calls.all);
        w.unsigned(calls.primitive);
    }
}

fn call_graph(graph: &CallGraph, w: &mut Writer) {
    w.size(graph.nodes.len());
    for node in &graph.nodes {
        w.unsigned(node.function.0.into());
        calls(node.calls, w);
    }
    w.size(graph.edges.len());
    for edge in &graph.edges {
        w.unsigned(edge.caller.0.into());
        w.unsigned(edge.callee.0.into());
        calls(edge.calls, w);
    }
    w.size(graph.costs.len());
    for costs in &graph.costs {
        w.unsigned(costs.metric.0.into());
        costs.node_self.iter().for_each(|&v| w.signed(v));
        costs.node_total.iter().for_each(|&v| w.signed(v));
        w.byte(u8::from(costs.edges_measured));
        if costs.edges_measured {
            costs.edge_total.iter().for_each(|&v| w.signed(v));
        }
        w.byte(u8::from(!costs.edge_self.is_empty()));
        costs.edge_self.iter().for_each(|&v| w.signed(v));
    }
    w.size(graph.lines.len());
    graph.lines.for_each(|row| {
        w.unsigned(row.place.node.0.into());
        w.unsigned(row.place.file.0.into());
        w.unsigned(row.place.line.into());
        w.size(row.costs.len());
        row.costs.iter().for_each(|&v| w.signed(v));
    });
    // Since minor version 5.
    let unmeasured: Vec<_> = (0..graph.nodes.len()).filter(|&i| !graph.nodes[i].measured).collect();
    w.size(unmeasured.len());
    unmeasured.into_iter().for_each(|i| w.size(i));
}

fn sources(sources: &Sources, w: &mut Writer) {
    w.size(sources.len());
    for (file, text) in sources.iter() {
        w.unsigned(file.0.into());
        w.size(text.len());
        w.0.extend_from_slice(text.as_bytes());
    }
}

fn sites(sites: &CallSites, w: &mut Writer) {
    w.size(sites.len());
    w.size(sites.metrics());
    w.byte(u8::from(sites.is_counted()));
    let difference = |w: &mut Writer, last: &mut i64, value: u32| {
        w.signed(i64::from(value) - *last);
        *last = value.into();
    };
    let mut last = 0;
    sites.for_each(|s| difference(w, &mut last, s.place.caller.0));
    sites.for_each(|s| w.unsigned(s.place.file.0.into()));
    let mut last = 0;
    sites.for_each(|s| difference(w, &mut last, s.place.line));
    sites.for_each(|s| w.unsigned(s.place.callee.0.into()));
    sites.for_each(|s| s.calls.into_iter().for_each(|c| w.unsigned(c)));
    sites.for_each(|s| s.costs.iter().for_each(|&c| w.signed(c)));
}
