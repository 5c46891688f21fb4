//! What was added to a builder since the last time, as bytes; and the way back.
//!
//! A recording's journal consists of such increments. Rows that are in the builder never change any more
//! (the recorder adds a span when it has ended), so an increment is what lies behind a [`Cursor`]. What
//! still runs is added for a moment, encoded with a cursor of its own, and taken back by
//! [`ProfileBuilder::truncate`]; texts, functions and tracks that came with it stay, and stand in the next
//! increment once more.
//!
//! Covered is what the recorder adds while it records: texts, functions, metrics, tracks, spans with
//! their nesting and costs, counters, instants, links, requests, findings and details. Not covered are stacks,
//! samples and the call graph.

use super::lanes::Nesting;
use super::wire::{CACHE, Damaged, KINDS, Reader, SEVERITIES, STATUSES, UNITS, Writer};
use super::wire_rows::{
    Ids, optional_track, read_attributes, read_billing, read_finding, read_option, read_request,
    read_retries, read_token_times, write_attributes, write_billing, write_finding, write_option,
    write_request, write_retries, write_token_times,
};
use super::{
    ArgsPlace, ArgsRef, CounterId, Function, FunctionId, Instant, LeftOut, Link, Metric, MetricId,
    ProfileBuilder, Request, RequestId, StringId, Strings, TrackId, TrackSpec,
};

/// How much of a builder has been encoded.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    strings: usize,
    functions: usize,
    metrics: usize,
    attributes: usize,
    instants: usize,
    links: usize,
    requests: usize,
    /// Spans per track.
    spans: Vec<usize>,
    /// Points per counter.
    points: Vec<usize>,
}

impl Cursor {
    /// Follows a builder of which older rows were left out. Sets of details keep their numbers.
    pub(crate) fn follow(&mut self, left_out: &LeftOut) {
        (self.instants, self.links) = left_out.marks_of_first(self.instants, self.links);
        for (track, spans) in self.spans.iter_mut().enumerate() {
            *spans = left_out.spans_of_first(track, *spans);
        }
    }
}

impl Default for Cursor {
    fn default() -> Self {
        let spans = Vec::new();
        let points = Vec::new();
        // The empty text is always there.
        Self {
            strings: 1,
            functions: 0,
            metrics: 0,
            attributes: 0,
            instants: 0,
            links: 0,
            requests: 0,
            spans,
            points,
        }
    }
}

/// Encodes what was added since `cursor` and moves the cursor to the end.
pub(crate) fn encode(b: &ProfileBuilder, cursor: &mut Cursor) -> Vec<u8> {
    let p = b.so_far();
    let mut w = Writer::default();
    let texts = p.strings.iter().skip(cursor.strings);
    w.size(p.strings.len() - cursor.strings);
    texts.for_each(|text| {
        w.size(text.len());
        w.0.extend_from_slice(text.as_bytes());
    });
    cursor.strings = p.strings.len();
    let functions = &p.functions.rows()[cursor.functions..];
    w.size(functions.len());
    for f in functions {
        [f.name, f.module, f.file, f.category].iter().for_each(|id| w.unsigned(id.0.into()));
        w.unsigned(f.line.into());
    }
    cursor.functions = p.functions.len();
    // A metric that cannot be written would be one without a key: there is none.
    let metrics = serde_json::to_vec(&p.metrics[cursor.metrics..]).unwrap_or_default();
    w.size(metrics.len());
    w.0.extend_from_slice(&metrics);
    cursor.metrics = p.metrics.len();
    w.size(p.attributes.len() - cursor.attributes);
    for set in cursor.attributes..p.attributes.len() {
        w.attributes(p.attributes.get(set as u32));
    }
    cursor.attributes = p.attributes.len();
    let known = cursor.spans.len();
    w.size(p.tracks.len() - known);
    for track in &p.tracks[known..] {
        w.unsigned(track.name.0.into());
        w.unsigned(track.process.0.into());
        w.choice(&KINDS, &track.kind);
        w.signed(track.sort);
    }
    cursor.spans.resize(p.tracks.len(), 0);
    spans(b, cursor, &mut w);
    let known = cursor.points.len();
    w.size(p.counters.len() - known);
    for counter in &p.counters[known..] {
        w.unsigned(counter.name.0.into());
        w.unsigned(counter.process.0.into());
        w.choice(&UNITS, &counter.unit);
    }
    cursor.points.resize(p.counters.len(), 0);
    points(b, cursor, &mut w);
    rest(b, cursor, &mut w);
    w.0
}

/// Set number + 1; 0 for none. The recorder leaves nothing in files.
fn args(args: ArgsRef, w: &mut Writer) {
    w.unsigned(match args.place() {
        ArgsPlace::Inline(set) => u64::from(set) + 1,
        ArgsPlace::None | ArgsPlace::Offset(_) => 0,
    });
}

/// 0 for nothing; otherwise 1, and 2 when it is strict, and 4 when a parent is known, and the numbers.
fn nesting(name: Option<&Nesting>, w: &mut Writer) {
    let Some(name) = name else { return w.byte(0) };
    w.byte(1 | u8::from(name.strict) << 1 | u8::from(name.parent.is_some()) << 2);
    w.unsigned(name.own);
    name.parent.into_iter().for_each(|parent| w.unsigned(parent));
}

/// Tracks with new spans: number, count, rows.
fn spans(b: &ProfileBuilder, cursor: &mut Cursor, w: &mut Writer) {
    let tracks = &b.so_far().tracks;
    let grown = |i: &usize| tracks[*i].spans.rows.len() > cursor.spans[*i];
    let grown: Vec<usize> = (0..tracks.len()).filter(grown).collect();
    w.size(grown.len());
    for i in grown {
        let table = &tracks[i].spans;
        let from = cursor.spans[i];
        w.size(i);
        w.size(table.costs.len());
        table.costs.iter().for_each(|(metric, _)| w.unsigned(metric.0.into()));
        w.size(table.rows.len() - from);
        let mut last = 0i64;
        for (row, span) in table.rows.iter().enumerate().skip(from) {
            w.signed(span.start.wrapping_sub(last));
            last = span.start;
            w.signed(span.end.wrapping_sub(span.start));
            w.unsigned(span.function.0.into());
            w.choice(&STATUSES, &span.status);
            args(span.args, w);
            nesting(b.nesting_of(TrackId::from_index(i), row), w);
            for (_, column) in &table.costs {
                w.signed(column.get(row).copied().unwrap_or(0));
            }
        }
        cursor.spans[i] = table.rows.len();
    }
}

/// Counters with new points: number, count, rows.
fn points(b: &ProfileBuilder, cursor: &mut Cursor, w: &mut Writer) {
    let counters = &b.so_far().counters;
    let grown = |i: &usize| counters[*i].times.len() > cursor.points[*i];
    let grown: Vec<usize> = (0..counters.len()).filter(grown).collect();
    w.size(grown.len());
    for i in grown {
        let (counter, from) = (&counters[i], cursor.points[i]);
        w.size(i);
        w.size(counter.times.len() - from);
        for (time, value) in counter.times.iter().zip(&counter.values).skip(from) {
            w.signed(*time);
            w.bits(*value);
        }
        cursor.points[i] = counter.times.len();
    }
}

fn rest(b: &ProfileBuilder, cursor: &mut Cursor, w: &mut Writer) {
    let p = b.so_far();
    w.size(p.instants.len() - cursor.instants);
    for i in &p.instants[cursor.instants..] {
        w.signed(i.time);
        write_option(i.track.map(|t| t.0), w);
        w.unsigned(i.name.0.into());
        w.choice(&SEVERITIES, &i.severity);
        args(i.args, w);
    }
    cursor.instants = p.instants.len();
    w.size(p.links.len() - cursor.links);
    for link in &p.links[cursor.links..] {
        for (track, time) in [link.from, link.to] {
            w.unsigned(track.0.into());
            w.signed(time);
        }
        w.unsigned(link.name.0.into());
    }
    cursor.links = p.links.len();
    w.size(p.requests.rows.len() - cursor.requests);
    p.requests.rows[cursor.requests..].iter().for_each(|r| request(r, w));
    cursor.requests = p.requests.rows.len();
    // Findings are few and only added for a moment, with what still runs: all of them each time.
    w.size(p.findings.len());
    p.findings.iter().for_each(|finding| write_finding(finding, w));
}

fn request(r: &Request, w: &mut Writer) {
    write_request(r, w);
    w.choice(&CACHE, &r.cache);
    w.optional(r.batch.map(|b| b as i64));
    write_token_times(r, w);
    w.optional(r.first_byte);
    w.unsigned(r.error.0.into());
    write_retries(r, w);
    write_billing(r, w);
    write_attributes(r, w);
    w.unsigned(r.sequences.into());
}

impl ProfileBuilder {
    /// Takes back rows that were added since `cursor`. Texts, functions, tracks and counters stay.
    pub(crate) fn truncate(&mut self, cursor: &Cursor) {
        let rows = |track: usize| cursor.spans.get(track).copied().unwrap_or(0);
        let points = |counter: usize| cursor.points.get(counter).copied().unwrap_or(0);
        self.take_back([cursor.instants, cursor.links, cursor.requests, cursor.attributes], &rows, &points);
    }
}

/// Adds increments to a builder. Nothing in them is trusted: numbers of rows are bounded by the bytes there, and
/// ids must have come before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    strings: Vec<StringId>,
    functions: Vec<FunctionId>,
    metrics: Vec<MetricId>,
    attributes: Vec<ArgsRef>,
    tracks: Vec<TrackId>,
    counters: Vec<CounterId>,
}

fn row<T: Copy>(table: &[T], number: u64) -> Result<T, Damaged> {
    usize::try_from(number).ok().and_then(|n| table.get(n)).copied().ok_or(Damaged)
}

impl Replay {
    /// Adds one increment. Rows before damage stay added.
    pub(crate) fn add(&mut self, raw: &[u8], b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let r = &mut Reader(raw);
        self.tables(r, b)?;
        for _ in 0..r.rows()? {
            self.spans(r, b)?;
        }
        for _ in 0..r.rows()? {
            let (name, process) = (self.string(r)?, self.string(r)?);
            let (name, process) = (b.text(name).to_owned(), b.text(process).to_owned());
            self.counters.push(b.counter(&name, &process, r.choice(&UNITS)?));
        }
        for _ in 0..r.rows()? {
            let counter = row(&self.counters, r.unsigned()?)?;
            for _ in 0..r.rows()? {
                let (time, value) = (r.signed()?, r.bits()?);
                b.point(counter, time, value);
            }
        }
        self.rest(r, b)
    }

    fn args(&self, r: &mut Reader<'_>) -> Result<ArgsRef, Damaged> {
        read_option(r)?.map_or(Ok(ArgsRef::NONE), |set| row(&self.attributes, set))
    }

    fn tables(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        for _ in 0..r.rows()? {
            let len = r.rows()?;
            let text = std::str::from_utf8(r.bytes(len)?).map_err(|_| Damaged)?;
            self.strings.push(b.string(text));
        }
        for _ in 0..r.rows()? {
            let [name, module, file, category] =
                [self.string(r)?, self.string(r)?, self.string(r)?, self.string(r)?];
            let line = r.narrow()?;
            self.functions.push(b.function_row(Function { name, module, file, line, category }));
        }
        let len = r.rows()?;
        let metrics: Vec<Metric> = serde_json::from_slice(r.bytes(len)?).map_err(|_| Damaged)?;
        for metric in metrics {
            // The recorder declares no derived metrics; a formula could name one that is not there.
            self.metrics.push(b.metric(Metric { formula: Vec::new(), ..metric }));
        }
        for _ in 0..r.rows()? {
            let pairs = r.rows()?;
            let pairs = r.column(pairs, |r| Ok((self.string(r)?, r.value(|r| self.string(r))?)))?;
            self.attributes.push(b.args(pairs));
        }
        for _ in 0..r.rows()? {
            let (name, process) = (self.string(r)?, self.string(r)?);
            let (name, process) = (b.text(name).to_owned(), b.text(process).to_owned());
            let (kind, sort) = (r.choice(&KINDS)?, r.signed()?);
            self.tracks.push(b.track(TrackSpec { name: &name, process: &process, kind, sort }));
        }
        Ok(())
    }

    fn spans(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        let track = self.track_of(r.unsigned()?)?;
        let metrics = r.rows()?;
        if metrics > self.metrics.len() {
            return Err(Damaged);
        }
        let metrics = r.column(metrics, |r| row(&self.metrics, r.unsigned()?))?;
        let mut start = 0i64;
        for _ in 0..r.rows()? {
            start = start.wrapping_add(r.signed()?);
            let end = start.wrapping_add(r.signed()?);
            let function = row(&self.functions, r.unsigned()?)?;
            let status = r.choice(&STATUSES)?;
            let args = self.args(r)?;
            let kind = r.byte()?;
            let own = if kind == 0 { 0 } else { r.unsigned()? };
            let parent = if kind & 4 == 0 { None } else { Some(r.unsigned()?) };
            let handle = b.open_span(track, start, function, args);
            b.close_span(track, handle, end, status);
            match kind {
                0 => {}
                _ if kind & 2 == 0 => b.name_span(track, handle, own, parent),
                _ => b.nest_span(track, handle, own, parent),
            }
            for &metric in &metrics {
                b.span_cost(track, handle, metric, r.signed()?);
            }
        }
        Ok(())
    }

    fn rest(&mut self, r: &mut Reader<'_>, b: &mut ProfileBuilder) -> Result<(), Damaged> {
        for _ in 0..r.rows()? {
            let time = r.signed()?;
            let (track, name) = (optional_track(r, self)?, self.string(r)?);
            let severity = r.choice(&SEVERITIES)?;
            b.instant(Instant { time, track, name, severity, args: self.args(r)? });
        }
        for _ in 0..r.rows()? {
            let from = (self.track_of(r.unsigned()?)?, r.signed()?);
            let to = (self.track_of(r.unsigned()?)?, r.signed()?);
            b.link(Link { from, to, name: self.string(r)? });
        }
        for _ in 0..r.rows()? {
            let request = self.request(r)?;
            b.request(request);
        }
        for _ in 0..r.rows()? {
            let finding = read_finding(r, self, |n| {
                let id = RequestId(u32::try_from(n).map_err(|_| Damaged)?);
                b.so_far().requests.get(id).map(|_| id).ok_or(Damaged)
            })?;
            b.finding(finding);
        }
        if r.0.is_empty() { Ok(()) } else { Err(Damaged) }
    }

    fn request(&self, r: &mut Reader<'_>) -> Result<Request, Damaged> {
        let request = read_request(r, self)?;
        let (cache, batch) = (r.choice(&CACHE)?, r.optional()?.map(|b| b as u64));
        let token_times = read_token_times(r)?;
        let mut request = Request {
            cache,
            batch,
            token_times,
            first_byte: r.optional()?,
            error: self.string(r)?,
            ..request
        };
        read_retries(&mut request, r, self)?;
        read_billing(&mut request, r, self)?;
        read_attributes(&mut request, r, self)?;
        request.sequences = r.narrow()?;
        Ok(request)
    }
}

impl Ids for Replay {
    fn string(&self, r: &mut Reader<'_>) -> Result<StringId, Damaged> {
        match r.unsigned()? {
            0 => Ok(Strings::EMPTY),
            n => row(&self.strings, n - 1),
        }
    }

    fn track_of(&self, number: u64) -> Result<TrackId, Damaged> {
        row(&self.tracks, number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Chunks, FunctionSpec, Money, Retry, ServerTimes, Severity, SpanStatus, TrackKind, Unit, Value, dump,
    };
    use super::*;

    /// A step of a recording: adds rows of every kind.
    fn step(b: &mut ProfileBuilder, n: i64) {
        b.metric(Metric::time());
        let busy = b.metric(Metric::new("busy", "Busy", Unit::Nanoseconds));
        let f = b.function(FunctionSpec::named(&format!("f{}", n % 3)));
        let (key, text) = (b.string("key"), b.string(&format!("text {n}")));
        let args = b.args([(key, Value::Text(text)), (key, Value::Float(0.5)), (key, Value::Int(-n))]);
        let spec = TrackSpec { name: &format!("t{}", n % 2), process: "", kind: TrackKind::Task, sort: n };
        let track = if n < 2 { b.track(spec) } else { TrackId((n % 2) as u32) };
        let outer = b.span(track, n * 10, n * 10 + 8, f, args);
        let inner = b.open_span(track, n * 10 + 2, f, ArgsRef::NONE);
        b.close_span(track, inner, n * 10 + 4, SpanStatus::Error);
        b.nest_span(track, outer, n as u64 * 2, None);
        b.nest_span(track, inner, n as u64 * 2 + 1, Some(n as u64 * 2));
        b.span_cost(track, inner, busy, n);
        let counter = if n == 0 { b.counter("RSS", "", Unit::Bytes) } else { CounterId(0) };
        b.point(counter, n, n as f64);
        b.instant(Instant { time: n, track: Some(track), name: text, args, severity: Severity::Warning });
        b.link(Link { from: (track, n), to: (track, n + 1), name: key });
        b.request(Request {
            name: key,
            arrived: n,
            first_byte: Some(n + 1),
            token_times: vec![n, n + 3],
            batch: Some(n as u64),
            retries: vec![Retry { began: n, failed: n + 1, again: n + 5, reason: text }],
            similarity: (n > 2).then_some(0.25),
            error: text,
            tier: key,
            last_token: Some(n + 4),
            phases: ServerTimes { decode: Some(n), decode_holds_first: true, ..ServerTimes::default() },
            chunks: Some(Chunks { with_output: 3, first_token: Some(2), first_output: None }),
            cost: Money::parse("0.000000000000000000000001"),
            attributes: vec![(key, text)],
            ..Request::default()
        });
    }

    fn journal() -> (Vec<Vec<u8>>, ProfileBuilder) {
        let (mut b, mut cursor) = (ProfileBuilder::new("x"), Cursor::default());
        let parts = (0..6).map(|n| {
            step(&mut b, n);
            let part = encode(&b, &mut cursor);
            // What still runs, for a moment.
            step(&mut b, 100 + n);
            encode(&b, &mut cursor.clone());
            b.truncate(&cursor);
            part
        });
        (parts.collect(), b)
    }

    #[test]
    fn increments_put_together_are_the_whole() {
        let (parts, b) = journal();
        let (mut again, mut replay) = (ProfileBuilder::new("x"), Replay::default());
        for part in &parts {
            assert_eq!(replay.add(part, &mut again), Ok(()));
        }
        let mut plain = ProfileBuilder::new("x");
        (0..6).for_each(|n| step(&mut plain, n));
        let plain = dump(&plain.finish());
        assert_eq!(dump(&b.finish()), plain, "what was taken back left no trace");
        assert_eq!(dump(&again.finish()), plain);
    }

    #[test]
    fn what_runs_comes_with_the_last_increment() {
        let (mut b, mut cursor) = (ProfileBuilder::new("x"), Cursor::default());
        step(&mut b, 0);
        step(&mut b, 1);
        let done = encode(&b, &mut cursor);
        step(&mut b, 7);
        let open = encode(&b, &mut cursor.clone());
        let (mut again, mut replay) = (ProfileBuilder::new("x"), Replay::default());
        replay.add(&done, &mut again).unwrap();
        replay.add(&open, &mut again).unwrap();
        assert_eq!(dump(&again.finish()), dump(&b.finish()));
    }

    #[test]
    fn cut_and_flipped_increments_are_damage_and_never_a_panic() {
        let (parts, _) = journal();
        let whole: usize = parts[1].len();
        for cut in 0..whole {
            let (mut b, mut replay) = (ProfileBuilder::new("x"), Replay::default());
            replay.add(&parts[0], &mut b).unwrap();
            assert_eq!(replay.add(&parts[1][..cut], &mut b), Err(Damaged));
            let _ = b.finish();
        }
        for at in 0..whole {
            for bit in 0..8 {
                let mut part = parts[1].clone();
                part[at] ^= 1 << bit;
                let (mut b, mut replay) = (ProfileBuilder::new("x"), Replay::default());
                replay.add(&parts[0], &mut b).unwrap();
                let _ = replay.add(&part, &mut b);
                let _ = b.finish();
            }
        }
    }
}
