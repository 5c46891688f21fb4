//! The native session («.inferscope»), written by [`crate::export::native`]; the layout is described in
//! `model/wire.rs`.
//!
//! Nothing is trusted: checksums, lengths, every id and the nesting of spans are checked, and rows go through
//! the builder like those of any other format. Damage in a track or
//! another independent part leaves out that part, and a file that was cut shows what came before the cut;
//! both are counted warnings.

use std::io::Read;
use std::ops::Range;

use super::Gives::{Graph, Memory, Requests, Time, Tree};
use super::{Confidence, Context, DAMAGE, Head, ImportError, Importer, Input, Source, no_details};
use crate::model::wire::{
    self, BLOCK_HEADER, CACHE, COMPRESSED, Damaged, FREE_RAW, Header, KINDS, MAGIC, MAJOR, MAX_RATIO, Reader,
    SEVERITIES, STATUSES, UNITS, checksum, tag,
};
use crate::model::wire_places::read_instructions;
use crate::model::wire_rows::{
    Ids, optional_track, read_attributes, read_billing, read_finding, read_request, read_retries,
    read_token_times,
};
use crate::model::{
    ArgsRef, CallSite, Calls, FrameId, Function, FunctionId, Instant, Lane, Link, Metric, MetricId, NO_ROW,
    NodeCosts, NodeId, Profile, ProfileBuilder, Request, RequestId, SourceLine, Span, SpanTable, StackId,
    StringId, Strings, TrackId, TrackKind, TrackSpec, Warning,
};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "native",
    title: "inferscope session",
    written_by: "inferscope",
    extensions: &["inferscope"],
    gives: &[Tree, Time, Graph, Memory, Requests],
    sniff,
    import,
    details: no_details,
};

const CUT: &str = "session is cut or damaged; what came before is shown";
const UNKNOWN_PART: &str = "part that this version of inferscope does not know (skipped)";
const DAMAGED_PART: &str = "damaged part of the session (left out)";

/// True when `input` is a session and `profile` is all of what was read from it, so that writing it there loses nothing.
#[must_use]
pub fn holds_all_of(profile: &Profile, input: &Input) -> bool {
    let lost = |kind: &str| [CUT, UNKNOWN_PART, DAMAGED_PART].contains(&kind) || kind.starts_with(DAMAGE);
    let is_session = || Source::open(input).is_ok_and(|source| source.head().starts_with(&MAGIC));
    !profile.warnings.iter().any(|w| lost(&w.kind)) && is_session()
}

/// True for the bytes of a session.
pub(super) fn is_session(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

fn sniff(head: &Head<'_>) -> Confidence {
    if is_session(head.bytes) { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut start = [0; MAGIC.len() + 4];
    source.read_exact(&mut start).map_err(|_| ImportError::malformed("is cut short"))?;
    match u16::from_le_bytes([start[12], start[13]]) {
        1 => read_v1(source, cx),
        0 => Err(ImportError::malformed("names session format 0, which does not exist")),
        newer => Err(ImportError::malformed(format!(
            "is written in session format {newer}, and this version reads up to {MAJOR}"
        ))
        .remedy("open it with a newer inferscope")),
    }
}

/// Most metrics of a session. Tools have some dozens; many more would make every row slow.
const MAX_METRICS: usize = 1000;

struct Block {
    tag: tag::Tag,
    raw: Vec<u8>,
}

/// The next block; `None` when the file ends or the bytes are not a block that can be trusted.
fn next_block(source: &mut Source) -> Result<Option<Block>, ImportError> {
    let mut header = Vec::with_capacity(BLOCK_HEADER);
    source.by_ref().take(BLOCK_HEADER as u64).read_to_end(&mut header)?;
    let Ok([t0, t1, t2, t3, flags, lengths @ ..]) = <[u8; BLOCK_HEADER]>::try_from(header) else {
        return Ok(None);
    };
    let tag = [t0, t1, t2, t3];
    let long = |at: usize| lengths[at..at + 8].iter().rev().fold(0u64, |n, &b| n << 8 | u64::from(b));
    let (raw_len, stored_len) = (long(0), long(8));
    let sum = lengths[16..].iter().rev().fold(0u32, |n, &b| n << 8 | u32::from(b));
    let mut stored = Vec::new();
    source.by_ref().take(stored_len).read_to_end(&mut stored)?;
    let mut summed = [t0, t1, t2, t3, flags].to_vec();
    summed.extend_from_slice(&lengths[..16]);
    if stored.len() as u64 != stored_len || checksum(&summed, &stored) != sum {
        return Ok(None);
    }
    let raw = if flags & COMPRESSED == 0 {
        stored
    } else if raw_len > FREE_RAW && raw_len > stored_len.saturating_mul(MAX_RATIO) {
        return Ok(None);
    } else {
        let mut raw = Vec::new();
        let read = zstd::Decoder::new(&stored[..]).and_then(|d| d.take(raw_len + 1).read_to_end(&mut raw));
        if read.is_err() {
            return Ok(None);
        }
        raw
    };
    Ok((raw.len() as u64 == raw_len).then_some(Block { tag, raw }))
}

fn read_v1(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut tables = Tables::default();
    loop {
        cx.checkpoint(source)?;
        let Some(Block { tag, raw }) = next_block(source)? else {
            if cx.builder.is_empty() {
                return Err(ImportError::malformed(
                    "is a damaged or cut inferscope session of which nothing can be shown",
                )
                .remedy("copy it again"));
            }
            cx.builder.warn(CUT, "");
            return Ok(());
        };
        let mut r = Reader(&raw);
        let b = &mut cx.builder;
        let done = match tag {
            tag::END => return Ok(()),
            tag::HEAD => read_header(&raw, b),
            tag::METRICS => tables.metrics(&raw, b),
            tag::STRINGS => tables.strings(&mut r, b),
            tag::FUNCTIONS => tables.functions(&mut r, b),
            tag::FRAMES => tables.frames(&mut r, b),
            tag::STACKS => tables.stacks(&mut r, b),
            tag::ATTRIBUTES => tables.attributes(&mut r, b),
            tag::TRACK => tables.track(&mut r, b),
            tag::CALLERS => tables.callers(&mut r, b),
            tag::COUNTER => tables.counter(&mut r, b),
            tag::INSTANTS => tables.instants(&mut r, b),
            tag::LINKS => tables.links(&mut r, b),
            tag::GRAPH => tables.graph(&mut r, b),
            tag::SITES => tables.sites(&mut r, b),
            tag::INSTRUCTIONS => tables.instructions(&mut r, b),
            tag::REQUESTS => tables.requests(&mut r, b),
            tag::SOURCES => tables.sources(&mut r, b),
            tag::FINDINGS => tables.findings(&mut r, b),
            tag::ATTACHED => wire::attached(&raw).map(|file| b.attach(file)),
            tag::WARNINGS => serde_json::from_slice::<Vec<Warning>>(&raw)
                .map(|rows| rows.iter().for_each(|w| b.warn_many(&w.kind, &w.first, w.count)))
                .map_err(|_| Damaged),
            _ => {
                b.warn(UNKNOWN_PART, &name(tag));
                Ok(())
            }
        };
        if done.is_err() {
            let needed =
                [tag::METRICS, tag::STRINGS, tag::FUNCTIONS, tag::FRAMES, tag::STACKS, tag::ATTRIBUTES];
            if needed.contains(&tag) {
                return Err(ImportError::malformed(format!(
                    "is a damaged inferscope session (part {})",
                    name(tag)
                ))
                .remedy("copy it again"));
            }
            b.warn(DAMAGED_PART, &name(tag));
            if tag == tag::TRACK {
                let (kind, sort) = (TrackKind::Thread, 0);
                tables.tracks.push(b.track(TrackSpec { name: "", process: "", kind, sort }));
            }
        }
    }
}

fn name(tag: tag::Tag) -> String {
    String::from_utf8_lossy(&tag).trim().to_owned()
}

fn read_header(raw: &[u8], b: &mut ProfileBuilder) -> Result<(), Damaged> {
    b.meta = serde_json::from_slice::<Header>(raw).map_err(|_| Damaged)?.meta;
    Ok(())
}

/// Ids in the profile of each row of the file's tables.
#[derive(Default)]
struct Tables {
    strings: Vec<StringId>,
    functions: Vec<FunctionId>,
    frames: Vec<FrameId>,
    stacks: Vec<StackId>,
    metrics: Vec<MetricId>,
    attributes: Vec<ArgsRef>,
    tracks: Vec<TrackId>,
    requests: Vec<RequestId>,
    nodes: Vec<NodeId>,
}

fn row<T: Copy>(table: &[T], number: u64) -> Result<T, Damaged> {
    usize::try_from(number).ok().and_then(|n| table.get(n)).copied().ok_or(Damaged)
}

impl Tables {
    fn metrics(&mut self, raw: &[u8], b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let metrics: Vec<Metric> = serde_json::from_slice(raw).map_err(|_| Damaged)?;
        let count = metrics.len();
        if count > MAX_METRICS {
            return Err(Damaged);
        }
        for (i, metric) in metrics.into_iter().enumerate() {
            let in_range = metric.formula.iter().all(|(_, id)| id.index() < count);
            let id = b.metric(Metric { own: false, ..metric });
            if !in_range || id.index() != i {
                return Err(Damaged);
            }
            self.metrics.push(id);
        }
        Ok(())
    }

    fn strings(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let rows = r.rows()?;
        let lengths = r.column(rows, Reader::unsigned)?;
        self.strings.push(Strings::EMPTY);
        for length in lengths {
            let text = r.bytes(usize::try_from(length).map_err(|_| Damaged)?)?;
            self.strings.push(b.string(std::str::from_utf8(text).map_err(|_| Damaged)?));
        }
        Ok(())
    }

    fn functions(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let rows = r.rows()?;
        let names = r.column(rows, |r| self.string(r))?;
        let modules = r.column(rows, |r| self.string(r))?;
        let files = r.column(rows, |r| self.string(r))?;
        let lines = r.column(rows, Reader::narrow)?;
        let categories = r.column(rows, |r| self.string(r))?;
        self.functions = (0..rows)
            .map(|i| {
                let (name, module, file) = (names[i], modules[i], files[i]);
                b.function_row(Function { name, module, file, line: lines[i], category: categories[i] })
            })
            .collect();
        Ok(())
    }

    fn frames(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let rows = r.rows()?;
        let functions = r.column(rows, |r| row(&self.functions, r.unsigned()?))?;
        let lines = r.column(rows, Reader::narrow)?;
        self.frames = functions.into_iter().zip(lines).map(|(f, line)| b.frame(f, line)).collect();
        Ok(())
    }

    fn stacks(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let rows = r.rows()?;
        let parents = r.column(rows, Reader::unsigned)?;
        let frames = r.column(rows, |r| row(&self.frames, r.unsigned()?))?;
        for (i, (back, frame)) in parents.into_iter().zip(frames).enumerate() {
            let parent = match back {
                0 => None,
                back => Some(row(&self.stacks, (i as u64).checked_sub(back).ok_or(Damaged)?)?),
            };
            self.stacks.push(b.stack(parent, frame));
        }
        Ok(())
    }

    fn attributes(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        for _ in 0..r.rows()? {
            let pairs = r.rows()?;
            let pairs = r.column(pairs, |r| {
                let key = self.string(r)?;
                Ok((key, r.value(|r| self.string(r))?))
            })?;
            self.attributes.push(b.args(pairs));
        }
        Ok(())
    }

    fn args(&self, r: &mut Reader<'_>, rows: usize) -> Result<Vec<ArgsRef>, Damaged> {
        let kinds = r.bytes(rows)?.to_vec();
        let places = r.differences(kinds.iter().filter(|&&k| k != 0).count())?;
        let mut places = places.into_iter();
        let mut place = || places.next().ok_or(Damaged);
        kinds
            .into_iter()
            .map(|kind| match kind {
                0 => Ok(ArgsRef::NONE),
                1 => row(&self.attributes, place()? as u64),
                2 => Ok(ArgsRef::offset(u64::try_from(place()?).map_err(|_| Damaged)?)),
                _ => Err(Damaged),
            })
            .collect()
    }

    fn costs(&self, r: &mut Reader<'_>, rows: usize) -> Result<Vec<(MetricId, Vec<i64>)>, Damaged> {
        let columns = r.rows()?;
        r.column(columns, |r| Ok((row(&self.metrics, r.unsigned()?)?, r.column(rows, Reader::signed)?)))
    }

    fn track(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let (name, process) = (self.string(r)?, self.string(r)?);
        let (name, process) = (b.text(name).to_owned(), b.text(process).to_owned());
        let (kind, sort) = (r.choice(&KINDS)?, r.signed()?);
        let spans = self.read_spans(r)?;
        let samples = self.read_samples(r)?;
        let track = b.track(TrackSpec { name: &name, process: &process, kind, sort });
        self.tracks.push(track);
        if !spans.rows.is_empty() {
            b.frozen_spans(track, spans);
        }
        samples.push(track, b);
        Ok(())
    }

    fn read_spans(&self, r: &mut Reader<'_>) -> Result<SpanTable, Damaged> {
        let rows = r.rows()?;
        let lanes = r.rows()?;
        let lanes = r.column(lanes, Reader::unsigned)?;
        let parents = r.column(rows, Reader::unsigned)?;
        let starts = r.differences(rows)?;
        let lengths = r.column(rows, Reader::unsigned)?;
        let functions = r.column(rows, |r| row(&self.functions, r.unsigned()?))?;
        let statuses = r.column(rows, |r| r.choice(&STATUSES))?;
        let args = self.args(r, rows)?;
        let spans = (0..rows).map(|i| Span {
            start: starts[i],
            end: starts[i].wrapping_add(lengths[i] as i64),
            args: args[i],
            function: functions[i],
            parent: NO_ROW,
            depth: 0,
            status: statuses[i],
        });
        let mut table = SpanTable {
            rows: spans.collect(),
            lanes: Vec::new(),
            costs: self.costs(r, rows)?,
            callers: Vec::new(),
        };
        let mut start = 0u32;
        for len in lanes {
            let end = u32::try_from(len).ok().and_then(|len| start.checked_add(len)).ok_or(Damaged)?;
            if end as usize > rows || end == start {
                return Err(Damaged);
            }
            nest(&mut table, start..end, &parents)?;
            start = end;
        }
        if start as usize == rows { Ok(table) } else { Err(Damaged) }
    }

    /// The builder checks rows and leads that would never end.
    fn callers(&self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let rows = r.rows()?;
        let tracks = r.column(rows, |r| row(&self.tracks, r.unsigned()?))?;
        let callees = r.differences(rows)?;
        let callers = r.column(rows, |r| row(&self.tracks, r.unsigned()?))?;
        let parents = r.differences(rows)?;
        let number = |n: i64| u32::try_from(n).map_err(|_| Damaged);
        for i in 0..rows {
            b.frozen_caller((tracks[i], number(callees[i])?), (callers[i], number(parents[i])?));
        }
        Ok(())
    }

    fn read_samples(&self, r: &mut Reader<'_>) -> Result<SampleColumns, Damaged> {
        let rows = r.rows()?;
        let stacks = r.differences(rows)?;
        let stack = |n: i64| match n {
            0 => Ok(None),
            n => row(&self.stacks, (n as u64).wrapping_sub(1)).map(Some),
        };
        let stacks = stacks.into_iter().map(stack).collect::<Result<_, _>>()?;
        let times = if r.byte()? == 0 { Vec::new() } else { r.differences(rows)? };
        Ok(SampleColumns { stacks, times, end: r.signed()?, weights: self.costs(r, rows)? })
    }

    fn counter(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let (name, process) = (self.string(r)?, self.string(r)?);
        let unit = r.choice(&UNITS)?;
        let rows = r.rows()?;
        let times = r.differences(rows)?;
        let values = r.column(rows, Reader::bits)?;
        let (name, process) = (b.text(name).to_owned(), b.text(process).to_owned());
        let counter = b.counter(&name, &process, unit);
        times.into_iter().zip(values).for_each(|(time, value)| b.point(counter, time, value));
        Ok(())
    }

    fn instants(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let rows = r.rows()?;
        let times = r.differences(rows)?;
        let tracks = r.column(rows, |r| optional_track(r, self))?;
        let names = r.column(rows, |r| self.string(r))?;
        let severities = r.column(rows, |r| r.choice(&SEVERITIES))?;
        let args = self.args(r, rows)?;
        for i in 0..rows {
            let (time, track, name) = (times[i], tracks[i], names[i]);
            b.instant(Instant { time, track, name, args: args[i], severity: severities[i] });
        }
        Ok(())
    }

    fn links(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let rows = r.rows()?;
        let from = r.differences(rows)?;
        let after = r.column(rows, Reader::signed)?;
        let from_track = r.column(rows, |r| row(&self.tracks, r.unsigned()?))?;
        let to_track = r.column(rows, |r| row(&self.tracks, r.unsigned()?))?;
        let names = r.column(rows, |r| self.string(r))?;
        for i in 0..rows {
            let to = (to_track[i], from[i].wrapping_add(after[i]));
            b.link(Link { from: (from_track[i], from[i]), to, name: names[i] });
        }
        Ok(())
    }

    fn graph(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let calls = |r: &mut Reader<'_>| {
            Ok(match r.byte()? {
                0 => None,
                _ => Some(Calls { all: r.unsigned()?, primitive: r.unsigned()? }),
            })
        };
        let node_rows = r.rows()?;
        let nodes = r.column(node_rows, |r| Ok((row(&self.functions, r.unsigned()?)?, calls(r)?)))?;
        let edge_rows = r.rows()?;
        let edges = r.column(edge_rows, |r| Ok((r.unsigned()?, r.unsigned()?, calls(r)?)))?;
        let metrics = r.rows()?;
        let costs = r.column(metrics, |r| {
            let metric = row(&self.metrics, r.unsigned()?)?;
            let own = r.column(node_rows, Reader::signed)?;
            let total = r.column(node_rows, Reader::signed)?;
            let along = if r.byte()? == 0 { Vec::new() } else { r.column(edge_rows, Reader::signed)? };
            let callee = if r.byte()? == 0 { Vec::new() } else { r.column(edge_rows, Reader::signed)? };
            Ok((metric, own, total, along, callee))
        })?;
        let lines = r.rows()?;
        let lines = r.column(lines, |r| {
            let (node, file, line) = (r.unsigned()?, self.string(r)?, r.narrow()?);
            let costs = r.rows()?;
            Ok((node, file, line, r.column(costs, Reader::signed)?))
        })?;
        // Rows of different lengths would be filled up to the longest.
        let widths = || lines.iter().map(|(.., costs)| costs.len());
        if widths().any(|w| w > metrics || Some(w) != widths().next()) {
            return Err(Damaged);
        }
        // Sessions before minor version 5 end here.
        let unmeasured = if r.0.is_empty() { 0 } else { r.rows()? };
        let unmeasured = r.column(unmeasured, Reader::unsigned)?;
        let mut node_ids = Vec::with_capacity(node_rows);
        for (function, calls) in nodes {
            let node = b.node(function);
            calls.into_iter().for_each(|c| b.node_calls(node, c));
            node_ids.push(node);
        }
        let mut edge_ids = Vec::with_capacity(edge_rows);
        for (caller, callee, calls) in edges {
            let edge = b.edge(row(&node_ids, caller)?, row(&node_ids, callee)?);
            calls.into_iter().for_each(|c| b.edge_calls(edge, c));
            edge_ids.push(edge);
        }
        for (metric, own, total, along, callee) in costs {
            for (i, &node) in node_ids.iter().enumerate() {
                b.node_cost(node, metric, NodeCosts { own: own[i], total: total[i] });
            }
            edge_ids.iter().zip(along).for_each(|(&edge, cost)| b.edge_cost(edge, metric, cost));
            edge_ids.iter().zip(callee).for_each(|(&edge, cost)| b.edge_self_cost(edge, metric, cost));
        }
        for node in unmeasured {
            b.unmeasured(row(&node_ids, node)?);
        }
        for (node, file, line, costs) in lines {
            b.line_cost(SourceLine { node: row(&node_ids, node)?, file, line }, &costs);
        }
        self.nodes = node_ids;
        Ok(())
    }

    fn sources(&self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        for _ in 0..r.rows()? {
            let file = self.string(r)?;
            let length = usize::try_from(r.unsigned()?).map_err(|_| Damaged)?;
            let text = std::str::from_utf8(r.bytes(length)?).map_err(|_| Damaged)?;
            b.source(file, text);
        }
        Ok(())
    }

    fn sites(&self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let (rows, metrics, counted) = (r.rows()?, r.rows()?, r.byte()? != 0);
        let node = |n: i64| u64::try_from(n).map_err(|_| Damaged).and_then(|n| row(&self.nodes, n));
        let callers = r.differences(rows)?.into_iter().map(node).collect::<Result<Vec<_>, _>>()?;
        let files = r.column(rows, |r| self.string(r))?;
        let lines = r.differences(rows)?;
        let callees = r.column(rows, |r| row(&self.nodes, r.unsigned()?))?;
        let calls = if counted { r.column(rows, Reader::unsigned)? } else { Vec::new() };
        if metrics > self.metrics.len() {
            return Err(Damaged);
        }
        let costs = r.column(rows.checked_mul(metrics).ok_or(Damaged)?, Reader::signed)?;
        for i in 0..rows {
            let line = u32::try_from(lines[i]).map_err(|_| Damaged)?;
            let site = CallSite { caller: callers[i], file: files[i], line, callee: callees[i] };
            b.call_site(site, calls.get(i).copied(), &costs[i * metrics..][..metrics]);
        }
        Ok(())
    }

    fn instructions(&self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        *b.instructions() = read_instructions(r, (&self.strings, &self.nodes, self.metrics.len()))?;
        Ok(())
    }

    fn requests(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let count = r.rows()?;
        let mut rows = r.column(count, |r| {
            let request = read_request(r, self)?;
            Ok(Request { token_times: read_token_times(r)?, ..request })
        })?;
        // Sessions of minor version 0 end here.
        if !r.0.is_empty() {
            for row in &mut rows {
                row.cache = r.choice(&CACHE)?;
                row.batch = r.optional()?.map(|n| n as u64);
            }
        }
        // Those of minor version 1 here.
        if !r.0.is_empty() {
            for row in &mut rows {
                (row.first_byte, row.error) = (r.optional()?, self.string(r)?);
            }
        }
        // Those up to minor version 3 here.
        if !r.0.is_empty() {
            for row in &mut rows {
                read_retries(row, r, self)?;
            }
        }
        // Those up to minor version 5 here.
        if !r.0.is_empty() {
            for row in &mut rows {
                read_billing(row, r, self)?;
            }
        }
        // Those of minor version 6 here.
        if !r.0.is_empty() {
            for row in &mut rows {
                read_attributes(row, r, self)?;
            }
        }
        // Those up to minor version 8 here.
        if !r.0.is_empty() {
            for row in &mut rows {
                row.sequences = r.narrow()?;
            }
        }
        self.requests = rows.into_iter().map(|row| b.request(row)).collect();
        Ok(())
    }

    fn findings(&self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let count = r.rows()?;
        let rows = r.column(count, |r| read_finding(r, self, |n| row(&self.requests, n)))?;
        rows.into_iter().for_each(|finding| b.finding(finding));
        Ok(())
    }
}

impl Ids for Tables {
    fn string(&self, r: &mut Reader<'_>) -> Result<StringId, Damaged> {
        row(&self.strings, r.unsigned()?)
    }

    fn track_of(&self, number: u64) -> Result<TrackId, Damaged> {
        row(&self.tracks, number)
    }
}

/// Sets parents and depths of a lane and adds it, after checking that its spans are in preorder, lie within
/// their parents and do not overlap otherwise: what every view relies on.
fn nest(table: &mut SpanTable, lane: Range<u32>, back: &[u64]) -> Result<(), Damaged> {
    let mut open: Vec<u32> = Vec::new();
    let (mut last, mut deepest) = (i64::MIN, 0);
    for i in lane.clone() {
        let parent = match back[i as usize] {
            0 => NO_ROW,
            back => u32::try_from(back).ok().and_then(|b| i.checked_sub(b)).ok_or(Damaged)?,
        };
        let span = table.rows[i as usize];
        while let Some(ended) = open.pop_if(|top| *top != parent) {
            if table.rows[ended as usize].end > span.start {
                return Err(Damaged);
            }
        }
        let outside = match open.last() {
            Some(&outer) => table.rows[outer as usize].end < span.end,
            None => parent != NO_ROW,
        };
        if outside || span.end < span.start || span.start < last {
            return Err(Damaged);
        }
        last = span.start;
        let depth = (open.len() as u32).min((1 << 24) - 1);
        deepest = deepest.max(depth);
        (table.rows[i as usize].parent, table.rows[i as usize].depth) = (parent, depth);
        open.push(i);
    }
    table.lanes.push(Lane { rows: lane, depth: deepest + 1 });
    Ok(())
}

struct SampleColumns {
    stacks: Vec<Option<StackId>>,
    times: Vec<i64>,
    end: i64,
    weights: Vec<(MetricId, Vec<i64>)>,
}

impl SampleColumns {
    fn push(self, track: TrackId, b: &mut ProfileBuilder) {
        let mut weights: Vec<(MetricId, i64)> = Vec::with_capacity(self.weights.len());
        for (i, &stack) in self.stacks.iter().enumerate() {
            weights.clear();
            weights.extend(self.weights.iter().map(|(metric, column)| (*metric, column[i])));
            match self.times.get(i) {
                Some(&time) => b.timed_sample(track, (time, self.end), stack, &weights),
                None => b.sample(track, stack, &weights),
            }
        }
    }
}
