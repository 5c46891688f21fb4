//! The only way to make a [`Profile`]: importers and the recorder push rows, `finish` freezes them.
//!
//! A builder never fails on odd input: sums saturate, an end before its start is set to the start and
//! counted, unclosed spans end with what encloses them, or with the profile. Importers report what they skip with
//! [`ProfileBuilder::warn`].

mod far;
mod freeze;
mod graph;
mod latest;

use rustc_hash::FxHashMap;

use super::*;
pub use far::FarTimes;
use graph::GraphBuilder;
pub use graph::NodeCosts;
pub(crate) use latest::LeftOut;

/// Parts of a function, as texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct FunctionSpec<'a> {
    /// Name.
    pub name: &'a str,
    /// Module, library or object; empty when unknown.
    pub module: &'a str,
    /// Source file; empty when unknown.
    pub file: &'a str,
    /// First line, 1-based; 0 when unknown.
    pub line: u32,
    /// The format's category; empty when it has none.
    pub category: &'a str,
}

impl<'a> FunctionSpec<'a> {
    /// A function of which only the name is known.
    #[must_use]
    pub fn named(name: &'a str) -> Self {
        Self { name, ..Self::default() }
    }
}

/// A new track.
#[derive(Clone, Copy, Debug)]
pub struct TrackSpec<'a> {
    /// Name within the process.
    pub name: &'a str,
    /// The process, device or group; empty when there is only one.
    pub process: &'a str,
    /// What it stands for.
    pub kind: TrackKind,
    /// Place among the tracks, ascending.
    pub sort: i64,
}

/// Collects the rows of a profile.
#[derive(Clone, Debug, Default)]
pub struct ProfileBuilder {
    /// Who, when, where. Filled in by the importer.
    pub meta: Meta,
    /// True to shift all times so that the earliest is 0 (a trace with an arbitrary clock).
    pub rebase: bool,
    profile: Profile,
    graph: Option<GraphBuilder>,
    names: FxHashMap<TrackId, lanes::Names>,
    /// How far ends of spans may be off, where that is known.
    resolutions: FxHashMap<TrackId, i64>,
    /// Callees and callers of frozen tracks.
    calls: Vec<callers::Call>,
    /// The time from which all is there, when older spans were left out.
    begin: Option<i64>,
}

impl ProfileBuilder {
    /// An empty builder for a file that the importer `format` reads.
    #[must_use]
    pub fn new(format: &str) -> Self {
        Self { meta: Meta { format: format.into(), ..Meta::default() }, ..Self::default() }
    }

    /// Interns a text.
    pub fn string(&mut self, text: &str) -> StringId {
        self.profile.strings.intern(text)
    }

    /// The text of an id.
    #[must_use]
    pub fn text(&self, id: StringId) -> &str {
        self.profile.strings.get(id)
    }

    /// Name of a function.
    #[must_use]
    pub fn function_name(&self, id: FunctionId) -> &str {
        self.profile.function_name(id)
    }

    /// Category of a function.
    #[must_use]
    pub fn category(&self, id: FunctionId) -> &str {
        self.text(self.profile.functions.get(id).category)
    }

    /// What a track is called so far, with its process.
    #[must_use]
    pub fn track_label(&self, id: TrackId) -> String {
        self.profile.track_label(id)
    }

    /// Declares a metric, or finds the one with the same key.
    pub fn metric(&mut self, metric: Metric) -> MetricId {
        self.profile.metric_by_key(&metric.key).unwrap_or_else(|| {
            self.profile.metrics.push(metric);
            MetricId::from_index(self.profile.metrics.len() - 1)
        })
    }

    /// Says that functions have parts of each other's costs, see [`Metric::overlaps`].
    pub fn set_overlaps(&mut self, metric: MetricId) {
        self.profile.metrics[metric.index()].overlaps = true;
    }

    /// A declared metric.
    #[must_use]
    pub fn metric_of(&self, id: MetricId) -> &Metric {
        self.profile.metric(id)
    }

    /// Interns a function.
    pub fn function(&mut self, spec: FunctionSpec<'_>) -> FunctionId {
        let strings = &mut self.profile.strings;
        let row = Function {
            name: strings.intern(spec.name),
            module: strings.intern(spec.module),
            file: strings.intern(spec.file),
            line: spec.line,
            category: strings.intern(spec.category),
        };
        self.profile.functions.intern(row)
    }

    /// Interns a function whose texts are interned already.
    pub fn function_row(&mut self, row: Function) -> FunctionId {
        self.profile.functions.intern(row)
    }

    /// Interns a frame; `line` 0 when unknown.
    pub fn frame(&mut self, function: FunctionId, line: u32) -> FrameId {
        self.profile.frames.intern(Frame { function, line })
    }

    /// Interns a stack.
    pub fn stack(&mut self, parent: Option<StackId>, frame: FrameId) -> StackId {
        self.profile.stacks.intern(Stack { parent, frame })
    }

    /// Adds a track.
    pub fn track(&mut self, spec: TrackSpec<'_>) -> TrackId {
        let track = Track {
            name: self.string(spec.name),
            process: self.string(spec.process),
            kind: spec.kind,
            sort: spec.sort,
            spans: SpanTable::default(),
            samples: SampleTable::default(),
        };
        self.profile.tracks.push(track);
        TrackId::from_index(self.profile.tracks.len() - 1)
    }

    /// Renames a track or moves it among the tracks, as trace metadata does after the fact.
    pub fn set_track(&mut self, id: TrackId, spec: TrackSpec<'_>) {
        let (name, process) = (self.string(spec.name), self.string(spec.process));
        let track = &mut self.profile.tracks[id.index()];
        (track.name, track.process, track.kind, track.sort) = (name, process, spec.kind, spec.sort);
    }

    /// Adds a whole span and returns its handle on the track. Declares the time metric.
    pub fn span(&mut self, track: TrackId, start: i64, end: i64, function: FunctionId, args: ArgsRef) -> u32 {
        let handle = self.open_span(track, start, function, args);
        self.close_span(track, handle, end, SpanStatus::Ok);
        handle
    }

    /// Adds a span whose end is not known yet. Spans opened at the same time nest in the order of
    /// opening.
    pub fn open_span(&mut self, track: TrackId, start: i64, function: FunctionId, args: ArgsRef) -> u32 {
        if self.profile.metrics.is_empty() {
            self.metric(Metric::time());
        }
        let rows = &mut self.profile.tracks[track.index()].spans.rows;
        let handle = rows.len() as u32;
        // Until the profile is frozen `parent` holds the order of arrival.
        rows.push(Span {
            start,
            end: i64::MAX,
            args,
            function,
            parent: handle,
            depth: 0,
            status: SpanStatus::Unfinished,
        });
        handle
    }

    /// Ends an open span.
    pub fn close_span(&mut self, track: TrackId, handle: u32, end: i64, status: SpanStatus) {
        let span = &mut self.profile.tracks[track.index()].spans.rows[handle as usize];
        let reversed = end < span.start;
        span.end = end.max(span.start);
        span.status = status;
        if reversed {
            self.warn("span that ends before it starts (shown with length 0)", "");
        }
    }

    /// Sets the spans of a track as they were frozen before (a saved session), lanes and parents included,
    /// because both may rest on more than times. The caller has checked that they are in order; nothing
    /// else may be added to the spans of this track.
    pub fn frozen_spans(&mut self, track: TrackId, spans: SpanTable) {
        if self.profile.metrics.is_empty() {
            self.metric(Metric::time());
        }
        self.profile.tracks[track.index()].spans = spans;
    }

    /// Puts a span into a chain: an async operation whose spans nest in one another, but not in those of
    /// other operations on the same track that happen to last longer. Chain 0 is the ordinary one.
    pub fn chain_span(&mut self, track: TrackId, handle: u32, chain: u32) {
        // Until the profile is frozen `depth` holds the chain.
        self.profile.tracks[track.index()].spans.rows[handle as usize].depth = chain;
    }

    /// Says that a span is work of a queue, such as a kernel on a GPU stream: it begins when its turn comes, so it is
    /// never called by other work there and calls none, whatever their times.
    pub fn queue_span(&mut self, track: TrackId, handle: u32) {
        self.chain_span(track, handle, lanes::QUEUED);
    }

    /// Says how far ends of spans of a track may be off, ns: as much as times are rounded. What sticks out of another
    /// span by no more lies inside, and what overlaps by no more comes behind it.
    pub fn set_resolution(&mut self, track: TrackId, ns: i64) {
        self.resolutions.insert(track, ns);
    }

    /// The spans added so far to a track, in order of arrival; `parent` and `depth` mean nothing yet.
    #[must_use]
    pub fn spans(&self, track: TrackId) -> &[Span] {
        &self.profile.tracks[track.index()].spans.rows
    }

    /// Changes the details of a span.
    pub fn set_span_args(&mut self, track: TrackId, handle: u32, args: ArgsRef) {
        self.profile.tracks[track.index()].spans.rows[handle as usize].args = args;
    }

    /// Says which span called this one, where time alone cannot tell (concurrent branches of one task,
    /// spawned tasks): both are named by numbers of the caller's choice, unique in the profile. A span
    /// whose named parent is in the profile is never put under another one; where it does not fit into it, or
    /// the parent is on another track, the parent is kept as its [`Caller`].
    pub fn nest_span(&mut self, track: TrackId, handle: u32, own: u64, parent: Option<u64>) {
        let name = lanes::Nesting { handle, own, parent, strict: true };
        self.names.entry(track).or_default().push(name);
    }

    /// The same for a span that nests by time on its track, such as a call on a thread: the parent counts only
    /// when nothing encloses it there.
    pub fn name_span(&mut self, track: TrackId, handle: u32, own: u64, parent: Option<u64>) {
        let name = lanes::Nesting { handle, own, parent, strict: false };
        self.names.entry(track).or_default().push(name);
    }

    /// Says which span called an outermost span of a lane; both are rows of frozen tracks
    /// ([`Self::frozen_spans`]).
    pub fn frozen_caller(&mut self, callee: (TrackId, u32), caller: (TrackId, u32)) {
        self.calls.push(callers::Call { callee, caller });
    }

    /// Number of spans added so far to a track.
    #[must_use]
    pub fn span_count(&self, track: TrackId) -> usize {
        self.profile.tracks[track.index()].spans.rows.len()
    }

    /// Sets a further cost of a span: an inclusive one, unless the metric says that costs are the span's own.
    pub fn span_cost(&mut self, track: TrackId, handle: u32, metric: MetricId, value: i64) {
        let spans = &mut self.profile.tracks[track.index()].spans;
        let column = match spans.costs.iter().position(|(m, _)| *m == metric) {
            Some(i) => i,
            None => {
                spans.costs.push((metric, Vec::new()));
                spans.costs.len() - 1
            }
        };
        *grown(&mut spans.costs[column].1, handle as usize) = value;
    }

    /// Adds a sample without a place in time.
    pub fn sample(&mut self, track: TrackId, stack: Option<StackId>, weights: &[(MetricId, i64)]) {
        let samples = &mut self.profile.tracks[track.index()].samples;
        let row = samples.stacks.len();
        samples.stacks.push(stack);
        for &(metric, weight) in weights {
            let column = match samples.weights.iter().position(|(m, _)| *m == metric) {
                Some(i) => i,
                None => {
                    samples.weights.push((metric, Vec::new()));
                    samples.weights.len() - 1
                }
            };
            *grown(&mut samples.weights[column].1, row) = weight;
        }
    }

    /// Adds a sample that starts at `start` and lasts until the next one of the track, or until `end`.
    /// All samples of a track are timed, or none.
    pub fn timed_sample(
        &mut self,
        track: TrackId,
        (start, end): (i64, i64),
        stack: Option<StackId>,
        weights: &[(MetricId, i64)],
    ) {
        self.sample(track, stack, weights);
        let samples = &mut self.profile.tracks[track.index()].samples;
        let start = samples.times.last().map_or(start, |&last| start.max(last));
        samples.times.push(start);
        samples.end = samples.end.max(end).max(start);
    }

    /// Adds a counter.
    pub fn counter(&mut self, name: &str, process: &str, unit: Unit) -> CounterId {
        let counter = Counter {
            name: self.string(name),
            process: self.string(process),
            unit,
            times: Vec::new(),
            values: Vec::new(),
        };
        self.profile.counters.push(counter);
        CounterId::from_index(self.profile.counters.len() - 1)
    }

    /// Number of tracks so far.
    #[must_use]
    pub fn track_count(&self) -> usize {
        self.profile.tracks.len()
    }

    /// Number of counters so far.
    #[must_use]
    pub fn counter_count(&self) -> usize {
        self.profile.counters.len()
    }

    /// Renames a counter, as trace metadata does after the fact.
    pub fn set_counter(&mut self, id: CounterId, name: &str, process: &str, unit: Unit) {
        let (name, process) = (self.string(name), self.string(process));
        let counter = &mut self.profile.counters[id.index()];
        (counter.name, counter.process, counter.unit) = (name, process, unit);
    }

    /// Adds a point of a counter. A value that is not finite is skipped and counted.
    pub fn point(&mut self, counter: CounterId, time: i64, value: f64) {
        if !value.is_finite() {
            self.warn("counter value that is not a number (skipped)", "");
            return;
        }
        let counter = &mut self.profile.counters[counter.index()];
        counter.times.push(time);
        counter.values.push(value);
    }

    /// The points of a counter so far, as they were added.
    #[must_use]
    pub fn points(&self, counter: CounterId) -> (&[i64], &[f64]) {
        let counter = &self.profile.counters[counter.index()];
        (&counter.times, &counter.values)
    }

    /// Adds an instant.
    pub fn instant(&mut self, instant: Instant) {
        self.profile.instants.push(instant);
    }

    /// Adds a link from a cause to its effect.
    pub fn link(&mut self, link: Link) {
        self.profile.links.push(link);
    }

    /// Stores details inline.
    pub fn args(&mut self, pairs: impl IntoIterator<Item = (StringId, Value)>) -> ArgsRef {
        self.profile.attributes.add(pairs)
    }

    /// Adds a request; changes to it go through [`Self::request_mut`].
    pub fn request(&mut self, request: Request) -> RequestId {
        self.profile.requests.rows.push(request);
        RequestId::from_index(self.profile.requests.rows.len() - 1)
    }

    /// A request added before.
    pub fn request_mut(&mut self, id: RequestId) -> &mut Request {
        &mut self.profile.requests.rows[id.index()]
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.profile.requests.rows
    }

    /// Adds a file of another tool; one with the same name is there already is replaced.
    pub fn attach(&mut self, file: Attachment) {
        self.profile.attached.retain(|a| a.name != file.name);
        self.profile.attached.push(file);
    }

    /// Adds a finding; its request is one that was added before.
    pub fn finding(&mut self, finding: Finding) {
        self.profile.findings.push(finding);
    }

    /// Keeps the text of a source file; what is longer than [`Sources`] keeps is left out and counted.
    pub fn source(&mut self, file: StringId, text: &str) {
        if self.profile.sources.get(file).is_none() && !self.profile.sources.insert(file, text) {
            let name = self.text(file).to_owned();
            self.warn("source text too long to keep (left out)", &name);
        }
    }

    /// Counts an oddity. `place` is kept for the first of each kind.
    pub fn warn(&mut self, kind: &str, place: &str) {
        self.warn_many(kind, place, 1);
    }

    /// Counts `count` oddities of one kind.
    pub fn warn_many(&mut self, kind: &str, place: &str, count: u64) {
        if count == 0 {
            return;
        }
        match self.profile.warnings.iter_mut().find(|w| w.kind == kind) {
            Some(warning) => warning.count = warning.count.saturating_add(count),
            None => self.profile.warnings.push(Warning { kind: kind.into(), count, first: place.into() }),
        }
    }

    /// The oddities counted so far.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.profile.warnings
    }

    /// True when nothing that a view could show was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let p = &self.profile;
        p.span_count() == 0
            && p.sample_count() == 0
            && self.graph.is_none()
            && p.instants.is_empty()
            && p.counters.iter().all(|c| c.times.is_empty())
            && p.requests.rows.is_empty()
    }

    /// The rows so far, in order of arrival and not yet put in place.
    pub(super) fn so_far(&self) -> &Profile {
        &self.profile
    }

    /// What is known about the place of a span.
    pub(super) fn nesting_of(&self, track: TrackId, handle: usize) -> Option<&lanes::Nesting> {
        self.names.get(&track)?.get(handle as u32)
    }

    /// Forgets all but the first so many instants, links, requests and sets of details, spans per track
    /// and points per counter.
    pub(super) fn take_back(
        &mut self,
        [instants, links, requests, details]: [usize; 4],
        spans: &dyn Fn(usize) -> usize,
        points: &dyn Fn(usize) -> usize,
    ) {
        let p = &mut self.profile;
        p.instants.truncate(instants);
        p.links.truncate(links);
        p.requests.rows.truncate(requests);
        // They only ever come with what still runs.
        p.findings.clear();
        p.attributes.truncate(details);
        for (i, track) in p.tracks.iter_mut().enumerate() {
            let rows = spans(i);
            track.spans.rows.truncate(rows);
            track.spans.costs.iter_mut().for_each(|(_, column)| column.truncate(rows));
            if let Some(names) = self.names.get_mut(&TrackId::from_index(i)) {
                names.truncate(rows);
            }
        }
        for (i, counter) in p.counters.iter_mut().enumerate() {
            counter.times.truncate(points(i));
            counter.values.truncate(points(i));
        }
    }
}

fn grown(column: &mut Vec<i64>, index: usize) -> &mut i64 {
    if column.len() <= index {
        column.resize(index + 1, 0);
    }
    &mut column[index]
}
