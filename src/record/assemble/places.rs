//! Links and log lines. They name spans, and a span's track is known only when its nature is.

use rustc_hash::FxHashMap;

use super::{Assembler, args};
use crate::model::{ArgsRef, Finding, Instant, Link, ProfileBuilder, RequestId, Severity, StringId, TrackId};
use crate::record::sink::{Field, Fields, Origin};

/// The track of a span.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(pub(super) TrackId);

/// A finding; its request and its span may not have ended yet.
pub(super) struct Found {
    kind: StringId,
    severity: Severity,
    text: StringId,
    request: Option<u64>,
    /// The span, and the track of the thread for when that has none.
    place: (Option<u32>, Option<TrackId>),
    /// `None`: of the run as a whole.
    time: Option<i64>,
}

impl Found {
    pub(super) fn span(&self) -> Option<u32> {
        self.place.0
    }
}

/// Findings that are kept: nobody reads more.
const MOST_FINDINGS: usize = 1000;

/// Waits for the tracks of the spans that it names.
pub(super) enum Pending {
    Link { from: (u32, i64), to: (u32, i64), name: StringId },
    Log { span: u32, fallback: TrackId, time: i64, name: StringId, args: ArgsRef, severity: Severity },
}

impl Pending {
    /// The spans that it names.
    pub(super) fn spans(&self) -> [Option<u32>; 2] {
        match *self {
            Self::Link { from, to, .. } => [Some(from.0), Some(to.0)],
            Self::Log { span, .. } => [Some(span), None],
        }
    }

    pub(super) fn args(&self) -> Option<ArgsRef> {
        match *self {
            Self::Link { .. } => None,
            Self::Log { args, .. } => Some(args),
        }
    }

    pub(super) fn link(from: u32, to: u32, time: i64, name: &str, builder: &mut ProfileBuilder) -> Self {
        Self::Link { from: (from, time), to: (to, time), name: builder.string(name) }
    }
}

impl Assembler {
    pub(super) fn follows(&mut self, id: u64, cause: u64, time: i64) {
        let (Some(&to), Some(&from)) =
            (self.ids.get(&id).map(|i| &i.latest), self.ids.get(&cause).map(|i| &i.latest))
        else {
            return;
        };
        self.mark_pointed_at(from);
        self.mark_pointed_at(to);
        let link = Pending::link(from, to, time, "follows from", &mut self.builder);
        self.pending.push(link);
    }

    pub(super) fn log(
        &mut self,
        (span, thread): (Option<u64>, u32),
        time: i64,
        Origin { target, name, severity }: Origin,
        message: &str,
        mut fields: Fields,
    ) {
        let uid = span.and_then(|id| self.latest(id)).map(|(uid, _)| uid);
        let error = fields.iter().find(|(k, _)| *k == "error").map(|(_, v)| v.clone());
        // What `#[instrument(err)]` writes when a function returns an error.
        if let (Some(uid), Severity::Error, Some(error)) = (uid, severity, &error) {
            self.fail(uid, error);
        }
        let shown = match (&error, message) {
            (Some(Field::Text(error)), "") => error.clone(),
            (_, "") => name.to_owned(),
            (_, message) => message.to_owned(),
        };
        fields.push(("target", Field::Text(target.to_owned())));
        let name = self.builder.string(&shown);
        let args = args(&mut self.builder, &fields);
        let fallback = self.thread(thread).track;
        match uid {
            Some(span) => {
                self.mark_pointed_at(span);
                self.pending.push(Pending::Log { span, fallback, time, name, args, severity });
            }
            None => self.builder.instant(Instant { time, track: Some(fallback), name, args, severity }),
        }
    }

    pub(super) fn found(
        &mut self,
        (span, thread): (Option<u64>, u32),
        time: i64,
        (kind, severity, text): (&str, Severity, &str),
        request: Option<u64>,
    ) {
        if self.findings.len() >= MOST_FINDINGS {
            self.builder.warn("further findings (not kept)", kind);
            return;
        }
        let uid = span.and_then(|id| self.latest(id)).map(|(uid, _)| uid);
        uid.into_iter().for_each(|uid| self.mark_pointed_at(uid));
        let place = (uid, Some(self.thread(thread).track));
        let (kind, text) = (self.builder.string(kind), self.builder.string(text));
        self.findings.push(Found { kind, severity, text, request, place, time: Some(time) });
    }

    /// A finding about the run as a whole.
    pub(super) fn found_in_run(&mut self, kind: &str, severity: Severity, text: &str) {
        let (kind, text) = (self.builder.string(kind), self.builder.string(text));
        self.findings.push(Found { kind, severity, text, request: None, place: (None, None), time: None });
    }

    /// A finding about a request that others report.
    #[cfg(feature = "workloads")]
    pub(super) fn found_of_request(
        &mut self,
        (kind, severity, text): (&str, Severity, &str),
        request: Option<u64>,
        time: i64,
    ) {
        let (kind, text) = (self.builder.string(kind), self.builder.string(text));
        self.findings.push(Found { kind, severity, text, request, place: (None, None), time: Some(time) });
    }

    pub(super) fn add_findings(
        &self,
        builder: &mut ProfileBuilder,
        requests: &FxHashMap<u64, RequestId>,
        running: &FxHashMap<u32, Place>,
    ) {
        for found in &self.findings {
            let (uid, fallback) = found.place;
            let place = uid.and_then(|uid| self.places.get(&uid).or_else(|| running.get(&uid)));
            let request = found.request.and_then(|n| self.request_ids.get(&n).or_else(|| requests.get(&n)));
            builder.finding(Finding {
                kind: found.kind,
                severity: found.severity,
                text: found.text,
                request: request.copied(),
                track: place.map(|p| p.0).or(fallback),
                time: found.time,
            });
        }
    }

    /// Adds an instant of the whole recording.
    pub(in crate::record) fn mark(&mut self, time: i64, text: &str, severity: Severity) {
        let name = self.builder.string(text);
        self.builder.instant(Instant { time, track: None, name, args: ArgsRef::NONE, severity });
    }

    /// Moves links and log lines whose spans have all ended to the builder.
    pub(super) fn settle(&mut self) {
        let ended = |uid: &u32| self.places.contains_key(uid);
        let (settled, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|p| match p {
                Pending::Link { from, to, .. } => ended(&from.0) && ended(&to.0),
                Pending::Log { span, .. } => ended(span),
            });
        self.pending = open;
        let mut builder = std::mem::take(&mut self.builder);
        for pending in &settled {
            self.point(&mut builder, pending, &FxHashMap::default());
        }
        self.builder = builder;
    }

    /// Adds a link or log line to `builder`. `running` holds the places of spans that still run.
    pub(super) fn point(
        &self,
        builder: &mut ProfileBuilder,
        pending: &Pending,
        running: &FxHashMap<u32, Place>,
    ) {
        let place = |uid: u32| self.places.get(&uid).or_else(|| running.get(&uid)).map(|p| p.0);
        match *pending {
            Pending::Link { from, to, name } => {
                if let (Some(a), Some(b)) = (place(from.0), place(to.0)) {
                    builder.link(Link { from: (a, from.1), to: (b, to.1), name });
                }
            }
            Pending::Log { span, fallback, time, name, args, severity } => {
                let track = Some(place(span).unwrap_or(fallback));
                builder.instant(Instant { time, track, name, args, severity });
            }
        }
    }
}
