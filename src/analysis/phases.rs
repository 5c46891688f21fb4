//! Phases of a run (load, prefill, decode …): when they were, what share they have, and what of the
//! run no phase covers.

use super::scope::TimeRange;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, Profile, TrackId, TrackKind};
use crate::query::{Context, Query};

/// One outermost span of a phase track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseSpan {
    /// Its name.
    pub function: FunctionId,
    /// Its track.
    pub track: TrackId,
    /// Its row.
    pub row: u32,
    /// Start, ns.
    pub start: i64,
    /// End, ns.
    pub end: i64,
}

/// All spans of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseShare {
    /// The name.
    pub function: FunctionId,
    /// The first span of it, by place in [`Phases::spans`].
    pub first: usize,
    /// Summed length, ns.
    pub total: i64,
    /// How many.
    pub count: u64,
}

/// The phases of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// By start, cut to the range.
    pub spans: Vec<PhaseSpan>,
    /// Latest end of the spans up to each one: a bound for searching by time.
    pub latest_end: Vec<i64>,
    /// By first start.
    pub shares: Vec<PhaseShare>,
    /// Length of the run, or of the range, ns.
    pub elapsed: i64,
    /// What no phase covers, ns.
    pub unaccounted: i64,
    /// True when phases overlap, so that their sum is more than the time that passed.
    pub overlap: bool,
}

impl Phases {
    /// The spans that touch `from..to`, by start.
    pub fn between(&self, from: i64, to: i64) -> impl Iterator<Item = &PhaseSpan> {
        let start = self.latest_end.partition_point(|&end| end <= from);
        let end = self.spans.partition_point(|s| s.start < to);
        self.spans[start.min(end)..end].iter().filter(move |s| s.end > from)
    }
}

/// Computes the [`Phases`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PhasesIn(pub TimeRange);

impl Query for PhasesIn {
    type Output = Phases;

    fn run(&self, cx: &Context<'_>) -> Result<Phases, Cancelled> {
        cx.job().checkpoint(0, 0)?;
        Ok(phases(cx.profile(), self.0))
    }

    fn weight(phases: &Phases) -> usize {
        phases.spans.len() * (size_of::<PhaseSpan>() + 8)
    }
}

/// The outermost phases of all tracks with their rows. One that holds those of all other tracks, such as the time for
/// which a profiler was on, says nothing beside them and is left out.
fn outermost(profile: &Profile) -> Vec<PhaseSpan> {
    let tracks = profile.track_ids().filter(|&id| profile.track(id).kind == TrackKind::Phase);
    let mut spans: Vec<PhaseSpan> = tracks
        .flat_map(|track| {
            let rows = profile.track(track).spans.rows.iter().enumerate().filter(|(_, s)| s.depth == 0);
            rows.map(move |(row, s)| PhaseSpan {
                function: s.function,
                track,
                row: row as u32,
                start: s.start,
                end: s.end,
            })
        })
        .collect();
    spans.sort_by_key(|s| (s.start, std::cmp::Reverse(s.end)));
    let latest = spans.iter().map(|s| s.end).max();
    if let [first, rest @ ..] = &spans[..]
        && Some(first.end) == latest
        && rest.iter().any(|s| s.track != first.track)
    {
        spans.remove(0);
    }
    spans
}

/// The phases within `range`.
#[must_use]
pub fn phases(profile: &Profile, range: TimeRange) -> Phases {
    let bounds = range.or_else(|| profile.time_bounds());
    let (from, to) = bounds.unwrap_or((0, 0));
    let mut spans = outermost(profile);
    spans.retain_mut(|span| {
        let empty = span.start == span.end;
        (span.start, span.end) = (span.start.max(from), span.end.min(to));
        span.start < span.end || empty && span.start == span.end
    });
    // A run ends with its program; what was counted after it is no part of it.
    let elapsed = match range {
        Some(_) => None,
        None => profile.elapsed(),
    };
    let elapsed = elapsed.unwrap_or(to.saturating_sub(from));
    let mut out = Phases { elapsed, spans, ..Phases::default() };
    let (mut covered, mut reached) = (0i64, from);
    for (i, span) in out.spans.iter().enumerate() {
        out.overlap |= span.start < reached;
        covered = covered.saturating_add((span.end - span.start.max(reached)).max(0));
        reached = reached.max(span.end);
        out.latest_end.push(reached);
        let length = span.end - span.start;
        match out.shares.iter_mut().find(|s| s.function == span.function) {
            Some(share) => {
                share.total = share.total.saturating_add(length);
                share.count += 1;
            }
            None => {
                out.shares.push(PhaseShare { function: span.function, first: i, total: length, count: 1 })
            }
        }
    }
    out.elapsed = out.elapsed.max(covered);
    out.unaccounted = out.elapsed - covered;
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackSpec};

    fn profile(spans: &[(&str, i64, i64)]) -> Profile {
        let mut b = ProfileBuilder::new("test");
        let phase = b.track(TrackSpec { name: "phases", process: "", kind: TrackKind::Phase, sort: 0 });
        let other = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 1 });
        for &(name, from, to) in spans {
            let f = b.function(FunctionSpec::named(name));
            b.span(phase, from, to, f, ArgsRef::NONE);
        }
        let f = b.function(FunctionSpec::named("work"));
        b.span(other, 0, 100, f, ArgsRef::NONE);
        b.finish()
    }

    #[test]
    fn shares_repeats_and_the_rest() {
        let p = profile(&[("load", 10, 30), ("decode", 40, 60), ("decode", 60, 80)]);
        let all = phases(&p, None);
        let totals: Vec<_> = all.shares.iter().map(|s| (s.total, s.count)).collect();
        assert_eq!(totals, [(20, 1), (40, 2)]);
        assert_eq!((all.elapsed, all.unaccounted, all.overlap), (100, 40, false));
        let cut = phases(&p, Some((20, 50)));
        assert_eq!(cut.shares.iter().map(|s| s.total).collect::<Vec<_>>(), [10, 10]);
        assert_eq!((cut.elapsed, cut.unaccounted), (30, 10));
        let found: Vec<_> = all.between(30, 61).map(|s| s.start).collect();
        assert_eq!(found, [40, 60]);
    }

    #[test]
    fn the_time_of_the_profiler_gives_way_to_the_phases_of_the_program() {
        let build = |marked: &[(&str, i64, i64)]| {
            let mut b = ProfileBuilder::new("test");
            let mut add = |track, spans: &[(&str, i64, i64)]| {
                let kind = TrackKind::Phase;
                let track = b.track(TrackSpec { name: track, process: "", kind, sort: 0 });
                for &(name, from, to) in spans {
                    let f = b.function(FunctionSpec::named(name));
                    b.span(track, from, to, f, ArgsRef::NONE);
                }
            };
            add("profiler", &[("on", 0, 100)]);
            add("annotations", marked);
            phases(&b.finish(), None)
        };
        assert_eq!(build(&[]).shares.len(), 1, "alone it is all there is");
        let all = build(&[("step", 10, 40), ("step", 50, 90), ("part", 12, 20)]);
        assert_eq!(all.spans.iter().map(|s| (s.start, s.end)).collect::<Vec<_>>(), [(10, 40), (50, 90)]);
        assert_eq!((all.shares[0].total, all.unaccounted, all.overlap), (70, 30, false));
    }

    #[test]
    fn phases_repeat_and_keep_to_the_range() {
        let p = profile(&[("load", 0, 10), ("decode", 10, 30), ("sub", 12, 15), ("decode", 40, 50)]);
        let found = |range| {
            let shares = phases(&p, range).shares;
            shares
                .iter()
                .map(|s| (p.function_name(s.function).to_owned(), s.total, s.count))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(None), [("load".into(), 10, 1), ("decode".into(), 30, 2)]);
        assert_eq!(found(Some((10, 45))), [("decode".into(), 25, 2)]);
    }

    #[test]
    fn overlapping_phases_are_not_counted_twice_in_the_rest() {
        let p = profile(&[("a", 0, 60), ("b", 40, 90), ("c", 50, 55)]);
        let all = phases(&p, None);
        assert!(all.overlap);
        assert_eq!(all.unaccounted, 10);
        assert_eq!(all.between(57, 58).map(|s| s.start).collect::<Vec<_>>(), [0, 40]);
        assert_eq!(phases(&ProfileBuilder::new("x").finish(), None), Phases::default());
    }
}
