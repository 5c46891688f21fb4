//! How long single calls of a function took.
//!
//! Only spans know single calls. Samples and sums of a tool do not; then the answer is the reason, in
//! words for the person who asks.

use super::scope::{Scope, TimeRange};
use crate::jobs::Cancelled;
use crate::model::{Profile, SpanStatus, SymbolKey, TrackId, TrackKey};
use crate::query::{Context, Query};

/// One bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// Shortest duration of the bin, ns.
    pub from: i64,
    /// End of the bin, ns; the last bin includes it.
    pub to: i64,
    /// Calls in it.
    pub count: u64,
}

/// Order statistics of call durations in ns. Percentiles are durations that occurred (nearest rank).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallDurations {
    /// Number of calls that ended.
    pub n: u64,
    /// Number of calls that had not ended when the recording did; nobody knows how long they are.
    pub unfinished: u64,
    /// Shortest.
    pub min: i64,
    /// Mean.
    pub mean: i64,
    /// Median.
    pub p50: i64,
    /// 75th percentile.
    pub p75: i64,
    /// 90th percentile.
    pub p90: i64,
    /// 99th percentile.
    pub p99: i64,
    /// 99.9th percentile.
    pub p999: i64,
    /// Longest.
    pub max: i64,
    /// Where the longest call is.
    pub longest: (TrackId, u32),
    /// Calls by duration; bins grow by a constant factor when durations differ much.
    pub bins: Vec<Bin>,
    /// True when the bins grow by a factor.
    pub log: bool,
}

/// The durations, or why there are none.
pub type Durations = Result<CallDurations, &'static str>;

/// Computes [`Durations`] of one function over the spans that start in the range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DurationsOf {
    /// The function.
    pub function: SymbolKey,
    /// The tracks; empty for all.
    pub tracks: Vec<TrackKey>,
    /// Which time.
    pub range: TimeRange,
}

impl Query for DurationsOf {
    type Output = Durations;

    fn run(&self, cx: &Context<'_>) -> Result<Durations, Cancelled> {
        let profile = cx.profile();
        let mut calls: Vec<i64> = Vec::new();
        let mut longest: Option<(i64, TrackId, u32)> = None;
        let mut unfinished = 0;
        let function = profile.keys().function(self.function);
        let scope = Scope { tracks: self.tracks.clone(), ..Scope::default() };
        for id in scope.tracks_of(profile) {
            for (row, span) in profile.track(id).spans.rows.iter().enumerate() {
                if row % 65_536 == 0 {
                    cx.job().checkpoint(0, 0)?;
                }
                let inside = self.range.is_none_or(|(from, to)| (from..to).contains(&span.start));
                let counts = Some(span.function) == function && inside;
                if counts && span.status == SpanStatus::Unfinished {
                    unfinished += 1;
                } else if counts {
                    let duration = span.duration();
                    calls.push(duration);
                    if longest.is_none_or(|l| duration > l.0) {
                        longest = Some((duration, id, row as u32));
                    }
                }
            }
        }
        Ok(match longest {
            Some((_, track, row)) => Ok(CallDurations { unfinished, ..statistics(calls, (track, row)) }),
            None if unfinished > 0 => Err("no call of it had ended when the recording did"),
            None => Err(why_none(profile)),
        })
    }
}

/// Why a profile without spans of a function has no durations of single calls.
fn why_none(profile: &Profile) -> &'static str {
    if profile.span_count() > 0 {
        "it did not start in the part that is shown"
    } else if profile.sample_count() > 0 {
        "a sampling profiler sees which functions run, not when a call starts and ends"
    } else {
        "the tool added up all calls of a function; single calls are not in the file"
    }
}

/// Number of bars of the histogram.
const BINS: usize = 28;
/// Durations that differ by more than this factor get bins that grow by a factor.
const LOG_FROM: i64 = 8;

fn statistics(mut calls: Vec<i64>, longest: (TrackId, u32)) -> CallDurations {
    calls.sort_unstable();
    let n = calls.len();
    let rank = |q: f64| calls[((q * n as f64).ceil() as usize).clamp(1, n) - 1];
    let (min, max) = (calls[0], calls[n - 1]);
    let sum: i128 = calls.iter().map(|&c| i128::from(c)).sum();
    let log = max / min.max(1) >= LOG_FROM;
    CallDurations {
        n: n as u64,
        unfinished: 0,
        min,
        mean: (sum / n as i128) as i64,
        p50: rank(0.5),
        p75: rank(0.75),
        p90: rank(0.9),
        p99: rank(0.99),
        p999: rank(0.999),
        max,
        longest,
        bins: bins(&calls, min, max, log),
        log,
    }
}

fn bins(sorted: &[i64], min: i64, max: i64, log: bool) -> Vec<Bin> {
    if min == max {
        return vec![Bin { from: min, to: max, count: sorted.len() as u64 }];
    }
    let (low, high) = (min.max(1) as f64, max as f64);
    let edge = |i: usize| {
        let share = i as f64 / BINS as f64;
        match i {
            0 => min,
            BINS => max,
            _ if log => (low * (high / low).powf(share)).round() as i64,
            _ => (min as f64 + (high - min as f64) * share).round() as i64,
        }
    };
    let mut start = 0;
    (0..BINS)
        .map(|i| {
            let (from, to) = (edge(i), edge(i + 1));
            let end = if i + 1 == BINS { sorted.len() } else { sorted.partition_point(|&c| c < to) };
            let count = end.saturating_sub(start) as u64;
            start = start.max(end);
            Bin { from, to, count }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};
    use crate::query::{Engine, Run};
    use std::sync::Arc;

    fn ask(lengths: &[i64], range: TimeRange) -> Durations {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
        let f = b.function(FunctionSpec::named("f"));
        let mut at = 0;
        for length in lengths {
            b.span(track, at, at + length, f, ArgsRef::NONE);
            at += length + 1;
        }
        let subject = Run::of(Arc::new(b.finish()));
        let function = subject.profile.keys().symbol(f);
        let query = DurationsOf { function, tracks: Vec::new(), range };
        (*Engine::inline().now(&subject, &query, &crate::jobs::Job::new()).unwrap()).clone()
    }

    #[test]
    fn percentiles_are_durations_that_occurred() {
        let lengths: Vec<_> = (1..=1000).rev().collect();
        let d = ask(&lengths, None).unwrap();
        assert_eq!(
            (d.n, d.min, d.p50, d.p75, d.p90, d.p99, d.p999, d.max),
            (1000, 1, 500, 750, 900, 990, 999, 1000)
        );
        assert_eq!(d.mean, 500);
        assert_eq!(d.longest.1, 0);
        assert!(d.log);
        assert_eq!(d.bins.iter().map(|b| b.count).sum::<u64>(), 1000, "every call is in one bin");
        assert!(d.bins.windows(2).all(|w| w[0].to == w[1].from));
    }

    #[test]
    fn equal_and_single_calls_have_one_bin() {
        let d = ask(&[5, 5, 5], None).unwrap();
        assert_eq!(d.bins, [Bin { from: 5, to: 5, count: 3 }]);
        let d = ask(&[100, 101, 104], Some((0, 150))).unwrap();
        assert_eq!((d.n, d.log), (2, false), "the third starts after the range");
        assert_eq!(d.bins.iter().map(|b| b.count).sum::<u64>(), 2);
    }

    #[test]
    fn no_calls_has_a_reason() {
        assert!(ask(&[], None).unwrap_err().contains("added up"));
        assert!(ask(&[3], Some((50, 60))).unwrap_err().contains("part that is shown"));
    }
}
