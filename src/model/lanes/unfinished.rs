//! Ends of spans that have none in the file.

use rustc_hash::FxHashMap;

use super::{Known, QUEUED, Span, SpanStatus};

/// Ends unfinished spans with the innermost span around them that has an end: on a stack none outlives its caller. What
/// lies in nothing lasts until the end of the trace, and so does what is known to be called otherwise than its time
/// tells.
pub(super) fn end(rows: &mut [Span], known: &Known<'_>) {
    let open = |s: &Span| s.end == i64::MAX;
    if !rows.iter().any(open) {
        return;
    }
    // What never ended comes behind what began at the same moment and was there before.
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    order.sort_unstable_by_key(|&i| (rows[i as usize].start, rows[i as usize].parent));
    // Ends of the spans around, per chain.
    let mut around: FxHashMap<u32, Vec<i64>> = FxHashMap::default();
    for i in order {
        let span = &mut rows[i as usize];
        if span.depth == QUEUED {
            if open(span) {
                span.end = known.last.max(span.start);
            }
            continue;
        }
        let around = around.entry(span.depth).or_default();
        while around.pop_if(|end| *end <= span.start).is_some() {}
        if open(span) {
            let named = known.names.get(span.parent).is_some();
            let end = around.last().copied().filter(|_| !named).unwrap_or(known.last);
            span.end = end.max(span.start);
            span.status = SpanStatus::Unfinished;
        }
        around.push(span.end);
    }
}
