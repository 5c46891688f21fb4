//! Work of a GPU stream that lasts beyond the start of what comes after it.
//!
//! A stream is a queue. Launches that overlap on purpose do so by microseconds; more is mostly a clock that ran over:
//! in one public report one kernel of ten thousand made 62 % of the time of a GPU.

use rustc_hash::FxHashMap;

use super::tracks::{Side, Tracks};
use crate::format;
use crate::model::{Finding, FunctionId, ProfileBuilder, Severity, Span, TrackId};

/// Overlaps up to this are not worth a word, ns.
const USUAL: i64 = 5_000;
/// Most findings of a file.
const MOST: usize = 16;

/// Calls of a function on a stream that are too long.
#[derive(Default)]
struct Long {
    calls: u64,
    /// What they last, and what they would when cut at the next start.
    recorded: i64,
    cut: i64,
    /// The longest time after the next start.
    beyond: i64,
    /// When the one with that starts.
    time: i64,
    /// True when one lasts beyond the start of the work after the next, too.
    outlasts: bool,
}

/// Adds a finding for each function and stream with such work.
pub(super) fn long_work(b: &mut ProfileBuilder, tracks: &Tracks) {
    let streams: Vec<TrackId> =
        tracks.lanes.iter().filter(|l| l.side == Some(Side::Gpu)).filter_map(|l| l.track).collect();
    let mut found: Vec<(TrackId, FunctionId, Long, String)> = Vec::new();
    for track in streams {
        let work = in_order(b, track);
        let mut long: FxHashMap<FunctionId, Long> = FxHashMap::default();
        for (i, span) in work.iter().enumerate() {
            let Some(next) = work.get(i + 1) else { break };
            let beyond = span.end.saturating_sub(next.start);
            if beyond <= USUAL {
                continue;
            }
            let sum = long.entry(span.function).or_default();
            sum.calls += 1;
            sum.recorded = sum.recorded.saturating_add(span.duration());
            sum.cut = sum.cut.saturating_add(next.start.saturating_sub(span.start));
            sum.outlasts |= work.get(i + 2).is_some_and(|s| span.end.saturating_sub(s.start) > USUAL);
            if beyond > sum.beyond {
                (sum.beyond, sum.time) = (beyond, span.start);
            }
        }
        if long.is_empty() {
            continue;
        }
        let busy = busy_when_cut(&work);
        found.extend(long.into_iter().map(|(function, long)| (track, function, long, busy.clone())));
    }
    found.sort_by_key(|(track, function, long, _)| {
        (std::cmp::Reverse(long.recorded - long.cut), *track, *function)
    });
    for (track, function, long, busy) in found.into_iter().take(MOST) {
        let (name, stream) = (b.function_name(function), b.track_label(track));
        let text = format!(
            "{} of {name} on {stream} {} up to {} after the start of the next work there; {} as recorded, {} when cut \
             at that start. With all such work cut the stream is busy {busy}",
            format::counted(long.calls as i64, "call", "calls"),
            if long.calls == 1 { "ends" } else { "end" },
            format::duration(long.beyond),
            format::duration(long.recorded),
            format::duration(long.cut),
        );
        let finding = Finding {
            kind: b.string("GPU work beyond the start of the next"),
            severity: if long.outlasts { Severity::Warning } else { Severity::Info },
            text: b.string(&text),
            request: None,
            track: Some(track),
            time: Some(long.time),
        };
        b.finding(finding);
    }
}

/// Work of a stream by start.
fn in_order(b: &ProfileBuilder, track: TrackId) -> Vec<Span> {
    let work = |span: &&Span| super::names::is_gpu_work(b.category(span.function)) && span.end != i64::MAX;
    let mut spans: Vec<Span> = b.spans(track).iter().filter(work).copied().collect();
    if !spans.is_sorted_by_key(|s| s.start) {
        spans.sort_by_key(|s| (s.start, s.end));
    }
    spans
}

/// «650 us of 840 us».
fn busy_when_cut(work: &[Span]) -> String {
    let (mut busy, mut end) = (0i64, i64::MIN);
    for (i, span) in work.iter().enumerate() {
        let next = work.get(i + 1).map_or(i64::MAX, |n| n.start);
        let stop = if span.end.saturating_sub(next) > USUAL { next } else { span.end };
        busy = busy.saturating_add(stop.saturating_sub(span.start.max(end)).max(0));
        end = end.max(stop);
    }
    let all = work.first().map_or(0, |first| end.saturating_sub(first.start));
    format!("{} of {}", format::duration(busy), format::duration(all))
}
