//! A whole profile: frozen, shared between threads as `Arc<Profile>`.

use std::sync::OnceLock;

use super::{
    ArgsPlace, ArgsRef, Attributes, CallGraph, Counter, Fact, Finding, Frames, FunctionId, Functions,
    Instant, Keys, Link, Metric, MetricId, MetricKey, NO_ROW, Request, Requests, RowSamples, SAMPLES,
    Sources, StackId, Stacks, StringId, Strings, Track, TrackId, Unit, Value,
};

/// What the numbers of a profile rest on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "why")]
pub enum Basis {
    /// Measured start and end of each span.
    #[default]
    Timed,
    /// Samples: a count times an interval.
    Sampled,
    /// Sums per function or path that the tool made itself.
    Aggregated,
    /// Derived by an assumption, which the text states.
    Estimated(String),
}

impl Basis {
    /// One word for reports.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Timed => "timed",
            Self::Sampled => "sampled",
            Self::Aggregated => "aggregated",
            Self::Estimated(_) => "estimated",
        }
    }

    /// The basis of that word; `why` is the assumption of an estimate.
    #[must_use]
    pub fn of_key(key: &str, why: &str) -> Option<Self> {
        let plain = [Self::Timed, Self::Sampled, Self::Aggregated].into_iter().find(|b| b.key() == key);
        plain.or_else(|| (key == "estimated").then(|| Self::Estimated(why.into())))
    }

    /// The assumption of an estimate.
    #[must_use]
    pub fn why(&self) -> &str {
        if let Self::Estimated(why) = self { why } else { "" }
    }
}

/// Who made the profile, when and on what.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Meta {
    /// Id of the importer («pstats»), or «inferscope» for own sessions.
    pub format: String,
    /// The tool that measured, with its version where the file says; empty when unknown.
    pub tool: String,
    /// What was profiled: a command, a script, a trace name; empty when unknown.
    pub title: String,
    /// Unix time of the profile's time 0, ns.
    pub origin_unix_ns: Option<i64>,
    /// Length of the whole measurement, ns, where the file says or the times tell.
    pub duration: Option<i64>,
    /// What the numbers rest on.
    pub basis: Basis,
    /// Samples that the tool took, where only sums are left of them.
    pub samples: Option<u64>,
    /// Why times are no clock, such as samples that were laid end to end; empty when they are one.
    pub no_clock: String,
    /// What the run states about itself, in order («CPU time», «Samples», «Command»).
    pub facts: Vec<Fact>,
    /// Why the recorded work failed, in one line; `None` when it did not, or nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The machine, in order («CPU», «RAM», «GPU»).
    #[serde(deserialize_with = "super::facts::of_machine")]
    pub machine: Vec<Fact>,
    /// Results that a recording compared.
    pub tables: Vec<ResultTable>,
    /// Names of the parts that it was added up from, each of which can be opened alone; empty for one.
    pub parts: Vec<String>,
    /// Tells the bytes of the file from those of other files; `None` where they were not read to their end.
    #[serde(skip)]
    pub content: Option<u64>,
    /// The file that holds the details of spans whose [`ArgsPlace`] is an offset, when there are any.
    pub source: Option<SourceFile>,
}

impl Meta {
    /// True for recordings of our own: each revision has the functions of the one before, under the same ids, and a
    /// saved one is the last revision.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.format == "inferscope"
    }
}

/// The title of a table that compares one model in several weight formats.
pub const WEIGHT_FORMATS: &str = "Weight formats";

/// A small table of results, as they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ResultTable {
    /// What it compares.
    pub title: String,
    /// Headings; the first column names the row, the others hold numbers with their units.
    pub columns: Vec<String>,
    /// Rows; a cell that is missing is unknown.
    pub rows: Vec<Vec<String>>,
    /// How the numbers came about.
    pub note: String,
    /// A detail of the run rather than its result.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub minor: bool,
}

/// A file of another tool that belongs to a run, such as the profile that a second profiler took of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What it is called, with the ending that its tool gives it.
    pub name: String,
    /// What the tool wrote. Any importer may read it.
    pub bytes: std::sync::Arc<[u8]>,
}

/// The file that a profile was read from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SourceFile {
    /// Where it was.
    pub path: String,
    /// Id of the importer that read it.
    pub format: String,
    /// Its length then, bytes: another length means another file.
    pub bytes: u64,
}

/// A repaired or skipped oddity of the input, counted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Warning {
    /// What kind, in a few words that a person understands.
    pub kind: String,
    /// How often.
    pub count: u64,
    /// The first place it was seen, such as «byte 120» or «line 7»; empty when there is none.
    pub first: String,
}

impl Warning {
    /// Words with which importers say that a file is not whole.
    const NOT_WHOLE: [&str; 4] = ["broken off", "ends in the middle", "cut off", "interrupted"];

    /// True when it says that the end of the file is missing, and so may be costs.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        Self::NOT_WHOLE.iter().any(|words| self.kind.contains(words))
    }

    /// «3 × kind (first at line 7)».
    #[must_use]
    pub fn words(&self) -> String {
        let Self { kind, count, first } = self;
        let first = if first.is_empty() { String::new() } else { format!(" (first at {first})") };
        format!("{count} × {kind}{first}")
    }
}

/// A frozen profile. Build one with [`super::ProfileBuilder`].
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Who, when, where.
    pub meta: Meta,
    /// All texts.
    pub strings: Strings,
    /// All functions.
    pub functions: Functions,
    /// All frames.
    pub frames: Frames,
    /// All stacks.
    pub stacks: Stacks,
    /// Declared metrics. The first one is the default.
    pub metrics: Vec<Metric>,
    /// Tracks in display order.
    pub tracks: Vec<Track>,
    /// Counters in file order.
    pub counters: Vec<Counter>,
    /// Instants by time.
    pub instants: Vec<Instant>,
    /// Links by time of their cause.
    pub links: Vec<Link>,
    /// Recorded calls.
    pub call_graph: Option<CallGraph>,
    /// Calls of a language model, by arrival.
    pub requests: Requests,
    /// What whoever made the profile found, in order of time.
    pub findings: Vec<Finding>,
    /// Inline details of spans and instants.
    pub attributes: Attributes,
    /// Texts of source files, where the profile carries them.
    pub sources: Sources,
    /// What was odd about the input.
    pub warnings: Vec<Warning>,
    /// Files of other tools that belong to it.
    pub attached: Vec<Attachment>,
    /// Kept answer of [`Self::time_bounds`].
    pub(super) bounds: OnceLock<Option<(i64, i64)>>,
    /// Kept answer of [`Self::samples_on`], by track.
    pub(super) samples: OnceLock<Vec<u64>>,
    /// What is known of [`Self::keys`].
    pub(super) keys: super::keys::Made,
}

impl std::fmt::Debug for Strings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Strings({})", self.len())
    }
}

impl Profile {
    /// The text of a string id.
    #[must_use]
    pub fn text(&self, id: StringId) -> &str {
        self.strings.get(id)
    }

    /// Name of a function.
    #[must_use]
    pub fn function_name(&self, id: FunctionId) -> &str {
        self.text(self.functions.get(id).name)
    }

    /// The track with id `id`.
    #[must_use]
    pub fn track(&self, id: TrackId) -> &Track {
        &self.tracks[id.index()]
    }

    /// All track ids in display order.
    pub fn track_ids(&self) -> impl Iterator<Item = TrackId> + use<> {
        (0..self.tracks.len() as u32).map(TrackId)
    }

    /// Keys of functions, tracks and others, worked out once per revision. Whoever hands a profile over to the window
    /// has them made first ([`Keys::make`]), so that no frame waits for it.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys::of(self, &self.keys)
    }

    /// «process › name», or just the name.
    #[must_use]
    pub fn track_label(&self, id: TrackId) -> String {
        let track = self.track(id);
        let (process, name) = (self.text(track.process), self.text(track.name));
        match (process, name) {
            ("", name) => name.to_owned(),
            (process, "") => process.to_owned(),
            (process, name) => format!("{process} › {name}"),
        }
    }

    /// The metric with id `id`.
    #[must_use]
    pub fn metric(&self, id: MetricId) -> &Metric {
        &self.metrics[id.index()]
    }

    /// The id of the metric with key `key`.
    #[must_use]
    pub fn metric_by_key(&self, key: &str) -> Option<MetricId> {
        self.metrics.iter().position(|m| m.key == key).map(MetricId::from_index)
    }

    /// The key of a metric.
    #[must_use]
    pub fn metric_key(&self, id: MetricId) -> MetricKey {
        MetricKey::declared(&self.metric(id).key)
    }

    /// The metric of a key; none for one that a person defined.
    #[must_use]
    pub fn find_metric(&self, key: MetricKey) -> Option<MetricId> {
        match key.is_first() {
            true => (!self.metrics.is_empty()).then(MetricId::default),
            false if key.formula.is_empty() => self.metric_by_key(&key.key),
            false => None,
        }
    }

    /// All metric ids.
    pub fn metric_ids(&self) -> impl Iterator<Item = MetricId> + use<> {
        (0..self.metrics.len() as u32).map(MetricId)
    }

    /// The metric that span durations are costs of, if this profile has spans.
    #[must_use]
    pub fn time_metric(&self) -> Option<MetricId> {
        self.metrics
            .iter()
            .position(|m| m.unit == Unit::Nanoseconds && m.formula.is_empty())
            .map(MetricId::from_index)
    }

    /// Functions of a stack, root first.
    #[must_use]
    pub fn stack_functions(&self, id: StackId) -> Vec<FunctionId> {
        let mut path: Vec<_> =
            self.stacks.walk(id).map(|s| self.frames.get(self.stacks.get(s).frame).function).collect();
        path.reverse();
        path
    }

    /// A span and what called it, innermost first, over lanes and tracks. Empty when there is no such span.
    pub fn span_ancestors(&self, track: TrackId, row: u32) -> impl Iterator<Item = (TrackId, u32)> + '_ {
        let spans = |track: TrackId| self.tracks.get(track.index()).map(|t| &t.spans);
        let first = spans(track).filter(|s| (row as usize) < s.rows.len()).map(|_| (track, row));
        std::iter::successors(first, move |&(track, row)| {
            let spans = spans(track)?;
            let parent = spans.rows.get(row as usize)?.parent;
            if parent == NO_ROW { spans.caller(row) } else { Some((track, parent)) }
        })
    }

    /// Earliest and latest time of anything timed; `None` when nothing has a time. Worked out once: views ask
    /// for it in every frame.
    #[must_use]
    pub fn time_bounds(&self) -> Option<(i64, i64)> {
        *self.bounds.get_or_init(|| self.measure_bounds())
    }

    /// How long the run took, ns; `None` when the file does not say and its times are no clock.
    #[must_use]
    pub fn elapsed(&self) -> Option<i64> {
        let bounds = self.time_bounds().filter(|_| self.meta.no_clock.is_empty());
        self.meta.duration.or_else(|| bounds.map(|(a, b)| b.saturating_sub(a)))
    }

    /// The same as [`Profile::time_bounds`], of a profile that is not frozen yet.
    pub(super) fn measure_bounds(&self) -> Option<(i64, i64)> {
        let mut bounds: Option<(i64, i64)> = None;
        let mut grow = |a: i64, b: i64| {
            bounds = Some(bounds.map_or((a, b), |(lo, hi)| (lo.min(a), hi.max(b))));
        };
        for track in &self.tracks {
            for lane in &track.spans.lanes {
                let rows = &track.spans.rows[lane.rows.start as usize..lane.rows.end as usize];
                let end = rows.iter().filter(|s| s.depth == 0).map(|s| s.end).max();
                if let (Some(first), Some(end)) = (rows.first(), end) {
                    grow(first.start, end);
                }
            }
            if let Some(&first) = track.samples.times.first() {
                grow(first, track.samples.end);
            }
        }
        for counter in &self.counters {
            if let (Some(&a), Some(&b)) = (counter.times.first(), counter.times.last()) {
                grow(a, b);
            }
        }
        for instant in &self.instants {
            grow(instant.time, instant.time);
        }
        for request in &self.requests.rows {
            grow(request.arrived, request.finished.unwrap_or(request.arrived));
        }
        bounds
    }

    /// Number of spans on all tracks.
    #[must_use]
    pub fn span_count(&self) -> usize {
        self.tracks.iter().map(|t| t.spans.rows.len()).sum()
    }

    /// Number of samples on all tracks.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.tracks.iter().map(|t| t.samples.len()).sum()
    }

    /// Samples that the tool took: as the file says, else added up from the rows. `None` when nothing tells.
    #[must_use]
    pub fn samples_taken(&self) -> Option<u64> {
        let sum = || self.track_ids().fold(0u64, |sum, id| sum.saturating_add(self.samples_on(id)));
        self.meta.samples.or_else(|| self.counts_samples().then(sum))
    }

    /// Samples of a track, as far as its rows tell; without [`counts_samples`](Self::counts_samples) the number of rows.
    #[must_use]
    pub fn samples_on(&self, track: TrackId) -> u64 {
        let count = |track: &Track| {
            let (samples, each) = (&track.samples, self.samples_of(track));
            // A row without stack and weight only says that nothing was sampled from then on.
            let is_one = |&i: &usize| {
                samples.stacks[i].is_some()
                    || samples.weights.iter().any(|w| w.1.get(i).is_some_and(|w| *w != 0))
            };
            (0..samples.len()).filter(is_one).fold(0u64, |sum, i| sum.saturating_add(each.row(i)))
        };
        let of_tracks = self.samples.get_or_init(|| self.tracks.iter().map(count).collect());
        of_tracks.get(track.index()).copied().unwrap_or(0)
    }

    /// How many samples the rows of a track stand for.
    #[must_use]
    pub fn samples_of<'a>(&self, track: &'a Track) -> RowSamples<'a> {
        let column = |metric| track.samples.weights.iter().find(|w| w.0 == metric).map(|w| w.1.as_slice());
        RowSamples(self.sample_metric().and_then(column))
    }

    /// True when it is known how many samples the rows stand for: one each, or as many as a metric says. False when the rows are
    /// sums that the tool made: rows of a sampler without times are one for each stack.
    #[must_use]
    pub fn counts_samples(&self) -> bool {
        let summed = |t: &Track| !t.samples.is_empty() && !t.samples.is_timed();
        let are_sums = match self.meta.basis {
            Basis::Aggregated => true,
            Basis::Sampled => self.tracks.iter().any(summed),
            _ => false,
        };
        !are_sums || self.sample_metric().is_some()
    }

    /// The metric that says how many samples a row stands for.
    fn sample_metric(&self) -> Option<MetricId> {
        self.metric_by_key(SAMPLES).filter(|&m| self.metric(m).unit == Unit::Count)
    }

    /// True when something has a place in time.
    #[must_use]
    pub fn is_timed(&self) -> bool {
        self.tracks.iter().any(|t| !t.spans.rows.is_empty() || t.samples.is_timed())
    }

    /// Inline details of a span or instant as texts; empty when they stand in the file.
    #[must_use]
    pub fn inline_args(&self, args: ArgsRef) -> Vec<(String, String)> {
        let ArgsPlace::Inline(set) = args.place() else { return Vec::new() };
        self.attributes
            .get(set)
            .iter()
            .map(|&(key, value)| {
                let value = match value {
                    Value::Text(id) => self.text(id).to_owned(),
                    Value::Int(v) => v.to_string(),
                    Value::Float(v) => v.to_string(),
                    Value::Bool(v) => v.to_string(),
                };
                (self.text(key).to_owned(), value)
            })
            .collect()
    }

    /// Bytes held on the heap, roughly: for the cache's budget and the status bar.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.strings.heap_bytes()
            + self.sources.bytes()
            + self.stacks.len() * 24
            + self.tracks.iter().map(|t| t.spans.heap_bytes() + t.samples.len() * 24).sum::<usize>()
            + self.counters.iter().map(|c| c.times.len() * 16).sum::<usize>()
            + self.requests.rows.iter().map(Request::bytes).sum::<usize>()
            + size_of_val(&*self.instants)
            + size_of_val(&*self.links)
            + self.attributes.bytes()
            + self.call_graph.as_ref().map_or(0, CallGraph::heap_bytes)
    }
}
