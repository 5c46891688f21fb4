//! What a profile has that a format has no place for.

use crate::format::counted;
use crate::model::{ArgsPlace, Profile, SpanStatus, Strings, TrackKind, Unit};

/// A part of a profile that not every format has a place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// When things happened.
    Times,
    /// Files and lines of functions.
    Places,
    /// Modules of functions.
    Modules,
    /// Categories of functions.
    Categories,
    /// Costs in metrics other than the first.
    Metrics,
    /// Lines that ran, which samples know.
    RunningLines,
    /// That spans failed or never ended.
    Ends,
    /// Phases.
    Phases,
    /// Details of spans and events.
    Details,
    /// Counters.
    Counters,
    /// Units of counters.
    CounterUnits,
    /// Instants.
    Events,
    /// Links.
    Links,
    /// Requests to language models.
    Requests,
    /// Findings.
    Findings,
    /// Recorded calls without paths.
    CallGraph,
    /// Costs by machine instructions.
    Instructions,
    /// What is known about the run and the machine.
    Facts,
    /// Texts of source files.
    Texts,
    /// Attached files.
    Attached,
}

impl Kept {
    /// Everything.
    pub const ALL: &'static [Self] = &[
        Self::Times,
        Self::Places,
        Self::Modules,
        Self::Categories,
        Self::Metrics,
        Self::RunningLines,
        Self::Ends,
        Self::Phases,
        Self::Details,
        Self::Counters,
        Self::CounterUnits,
        Self::Events,
        Self::Links,
        Self::Requests,
        Self::Findings,
        Self::CallGraph,
        Self::Instructions,
        Self::Facts,
        Self::Texts,
        Self::Attached,
    ];

    /// What of it a profile has, in words; `None` for nothing.
    fn of(self, p: &Profile) -> Option<String> {
        let (n, one, many) = match self {
            Self::Times => return p.is_timed().then(|| "times".into()),
            Self::Places => {
                let placed = p.functions.rows().iter().filter(|f| f.file != Strings::EMPTY || f.line > 0);
                (placed.count(), "file and line", "files and lines")
            }
            Self::Modules => (
                p.functions.rows().iter().filter(|f| f.module != Strings::EMPTY).count(),
                "module",
                "modules",
            ),
            Self::Categories => {
                let named = p.functions.rows().iter().filter(|f| f.category != Strings::EMPTY);
                (named.count(), "category", "categories")
            }
            Self::Metrics => {
                let more = p.metrics.iter().skip(1).filter(|m| m.formula.is_empty());
                (more.count(), "further metric", "further metrics")
            }
            Self::RunningLines => {
                let lines = p.frames.rows().iter().filter(|f| f.line > 0);
                (lines.count(), "line that ran", "lines that ran")
            }
            Self::Ends => {
                let odd = p.tracks.iter().flat_map(|t| &t.spans.rows).filter(|s| s.status != SpanStatus::Ok);
                (odd.count(), "mark of a failed or unfinished call", "marks of failed or unfinished calls")
            }
            Self::Phases => {
                let all = p.tracks.iter().all(|t| t.kind == TrackKind::Phase);
                let phases = p.tracks.iter().filter(|t| t.kind == TrackKind::Phase && !all);
                (phases.map(|t| t.spans.rows.len()).sum(), "phase", "phases")
            }
            Self::Details => (
                details(p, |place| matches!(place, ArgsPlace::Inline(_))),
                "set of details",
                "sets of details",
            ),
            Self::Counters => (p.counters.len(), "counter", "counters"),
            Self::CounterUnits => {
                let measured = p.counters.iter().filter(|c| !matches!(c.unit, Unit::None | Unit::Count));
                (measured.count(), "unit of a counter", "units of counters")
            }
            Self::Events => (p.instants.len(), "event", "events"),
            Self::Links => (p.links.len(), "arrow", "arrows"),
            Self::Requests => (p.requests.rows.len(), "request", "requests"),
            Self::Findings => (p.findings.len(), "finding", "findings"),
            Self::CallGraph => {
                (p.call_graph.as_ref().map_or(0, |g| g.edges.len()), "recorded call", "recorded calls")
            }
            Self::Instructions => {
                let all = p.call_graph.as_ref().and_then(|g| g.instructions.as_ref());
                (all.map_or(0, |i| i.costs.len()), "machine instruction", "machine instructions")
            }
            Self::Facts => {
                let n = p.meta.facts.len() + p.meta.machine.len() + p.meta.tables.len();
                (n, "fact about the run", "facts about the run")
            }
            Self::Texts => (p.sources.len(), "source text", "source texts"),
            Self::Attached => (p.attached.len(), "attached file", "attached files"),
        };
        (n > 0).then(|| counted(n as i64, one, many))
    }
}

fn details(p: &Profile, is: impl Fn(ArgsPlace) -> bool) -> usize {
    let spans = p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.args);
    spans.chain(p.instants.iter().map(|i| i.args)).filter(|args| is(args.place())).count()
}

/// What `p` has beyond `kept`, as a sentence; and details that stay in the file which was opened.
pub(super) fn left_out(p: &Profile, kept: &[Kept]) -> Vec<String> {
    let mut said = Vec::new();
    let parts: Vec<_> = Kept::ALL.iter().filter(|k| !kept.contains(k)).filter_map(|k| k.of(p)).collect();
    if !parts.is_empty() {
        said.push(format!("it has no place for {}", parts.join(", ")));
    }
    let in_file = details(p, |place| matches!(place, ArgsPlace::Offset(_)));
    if in_file > 0 {
        let what = counted(in_file as i64, "event", "events");
        said.push(match &p.meta.source {
            Some(source) => format!("the arguments of {what} stay in {}", source.path),
            None => format!("the arguments of {what} are not in it"),
        });
    }
    said
}
