//! Lanes, parents and callers of small tables, against what follows from the times.

use rustc_hash::FxHashSet;

use super::super::{ArgsPlace, ArgsRef, FunctionId, MetricId, NO_ROW, SpanStatus};
use super::*;

fn known<'a>(names: &'a Names, numbers: &'a FxHashSet<u64>, resolution: i64) -> Known<'a> {
    Known { names, numbers, resolution, last: 1_000_000, time: Some(MetricId(9)) }
}

/// Spans as start, end (`i64::MAX` for none) and chain; each is a function of its own.
fn frozen(spans: &[(i64, i64, u32)], resolution: i64) -> Frozen {
    calling(spans, resolution, |i| i)
}

/// The same with functions by the places in the input.
fn calling(spans: &[(i64, i64, u32)], resolution: i64, function: impl Fn(u32) -> u32) -> Frozen {
    let rows = spans.iter().zip(0..).map(|(&(start, end, chain), i)| Span {
        start,
        end,
        args: ArgsRef::inline(i),
        function: FunctionId(function(i)),
        parent: i,
        depth: chain,
        status: SpanStatus::Ok,
    });
    freeze(rows.collect(), Vec::new(), &known(&Names::default(), &FxHashSet::default(), resolution))
}

/// What each span lies in or is called from, by their places in the input.
fn above(frozen: &Frozen) -> Vec<Option<u32>> {
    let rows = &frozen.table.rows;
    let place = |row: u32| match rows[row as usize].args.place() {
        ArgsPlace::Inline(place) => place,
        other => panic!("{other:?}"),
    };
    let mut above = vec![None; rows.len()];
    for (row, span) in (0u32..).zip(rows) {
        let beside = frozen.callers.iter().find(|c| c.0 == row).map(|c| c.1);
        let parent = (span.parent != NO_ROW).then_some(span.parent).or(beside);
        above[place(row) as usize] = parent.map(place);
    }
    above
}

fn table(spans: &[(i64, i64)]) -> SpanTable {
    let rows = spans
        .iter()
        .enumerate()
        .map(|(i, &(start, end))| Span {
            start,
            end,
            args: ArgsRef::NONE,
            function: FunctionId(i as u32),
            parent: i as u32,
            depth: 0,
            status: SpanStatus::Ok,
        })
        .collect();
    let costs = vec![(MetricId(0), (0..spans.len() as i64).collect())];
    freeze(rows, costs, &known(&Names::default(), &FxHashSet::default(), 0)).table
}

#[test]
fn nested_spans_stay_in_one_lane_in_preorder() {
    let t = table(&[(5, 6), (0, 10), (1, 4), (2, 3), (7, 10), (10, 10)]);
    assert_eq!(t.lanes.len(), 1);
    let shape: Vec<_> = t.rows.iter().map(|s| (s.function.0, s.depth, s.parent)).collect();
    assert_eq!(shape, [(1, 0, NO_ROW), (2, 1, 0), (3, 2, 1), (0, 1, 0), (4, 1, 0), (5, 0, NO_ROW)]);
    assert_eq!(t.subtree_end(0), 5);
    assert_eq!(t.subtree_end(1), 3);
    assert_eq!(t.costs[0].1, [1, 2, 3, 0, 4, 5]);
    assert_eq!(t.innermost_at(2), Some(2));
    assert_eq!(t.innermost_at(4), Some(0));
    assert_eq!(t.innermost_at(11), None);
}

#[test]
fn overlap_goes_to_another_lane_and_nothing_is_lost() {
    let t = table(&[(0, 10), (5, 15), (6, 8), (12, 14), (16, 20)]);
    assert_eq!(t.rows.len(), 5);
    assert_eq!(t.lanes.len(), 2);
    for lane in &t.lanes {
        let rows = &t.rows[lane.rows.start as usize..lane.rows.end as usize];
        for s in rows {
            if s.parent != NO_ROW {
                let p = &t.rows[s.parent as usize];
                assert!(p.start <= s.start && s.end <= p.end);
            }
        }
    }
    let mut costs = t.costs[0].1.clone();
    costs.sort_unstable();
    assert_eq!(costs, [0, 1, 2, 3, 4]);
    assert!(t.rows.iter().zip(&t.costs[0].1).all(|(s, &c)| i64::from(s.function.0) == c));
}

#[test]
fn a_named_parent_beats_a_better_fit() {
    // Two branches at the same time; the last span fits into both and belongs to the second.
    let span = |start, end, arrival| Span {
        start,
        end,
        args: ArgsRef::NONE,
        function: FunctionId(arrival),
        parent: arrival,
        depth: 0,
        status: SpanStatus::Ok,
    };
    let rows = vec![span(0, 100, 0), span(0, 90, 1), span(5, 95, 2), span(20, 30, 3)];
    let mut names = Names::default();
    for (handle, own, parent) in [(3, 10, 9), (2, 9, 7), (1, 8, 7), (0, 7, 99)] {
        names.push(Nesting { handle, own, parent: Some(parent), strict: true });
    }
    let t = freeze(rows, vec![], &known(&names, &FxHashSet::from_iter([7, 8, 9, 10]), 0)).table;
    let last = t.rows.iter().find(|s| s.function.0 == 3).unwrap();
    assert_eq!(t.rows[last.parent as usize].function.0, 2);
    let first = t.rows.iter().find(|s| s.function.0 == 1).unwrap();
    assert_eq!(t.rows[first.parent as usize].function.0, 0);
    assert_eq!(t.rows[t.lanes[0].rows.start as usize].parent, NO_ROW, "an unknown parent is no parent");
}

#[test]
fn spans_of_other_chains_are_no_parents() {
    let spans =
        [(0, 100, 1), (10, 50, 2), (20, 30, 2), (20, 40, 1), (60, 70, 2), (200, 300, 3), (210, 220, 2)];
    let rows = spans.iter().zip(0..).map(|(&(start, end, chain), i)| Span {
        start,
        end,
        args: ArgsRef::NONE,
        function: FunctionId(chain),
        parent: i,
        depth: chain,
        status: SpanStatus::Ok,
    });
    let t = freeze(rows.collect(), Vec::new(), &known(&Names::default(), &FxHashSet::default(), 0)).table;
    let parents = t.rows.iter().filter(|s| s.parent != NO_ROW).map(|s| (s, &t.rows[s.parent as usize]));
    let nested: Vec<_> = parents.map(|(s, p)| (s.start, s.end, p.start, s.function == p.function)).collect();
    assert_eq!(nested, [(20, 40, 0, true), (20, 30, 10, true)]);
}

#[test]
fn a_hundred_thousand_overlapping_spans_end_in_time() {
    let spans: Vec<_> = (0..100_000).map(|i| (i, i + 100_000)).collect();
    let t = table(&spans);
    assert_eq!(t.rows.len(), 100_000);
}

#[test]
fn what_crosses_a_sibling_keeps_what_encloses_it() {
    let t = frozen(&[(0, 50, 0), (0, 30, 0), (10, 40, 0), (20, 25, 0), (35, 38, 0), (45, 60, 0)], 0);
    // The second crosses the first one, and the last one its parent.
    assert_eq!(above(&t), [None, Some(0), Some(0), Some(2), Some(2), None]);
    assert_eq!(t.table.lanes.len(), 2);
    // A chain of its own does not matter, whatever encloses it.
    let t = frozen(&[(0, 100, 7), (0, 30, 7), (10, 40, 7), (12, 14, 8), (50, 60, 7), (55, 70, 7)], 0);
    assert_eq!(above(&t), [None, Some(0), Some(0), None, Some(0), Some(0)]);
}

#[test]
fn a_free_lane_is_no_better_than_one_with_a_caller() {
    let t = frozen(&[(0, 10, 0), (5, 100, 0), (20, 30, 0), (22, 23, 0)], 0);
    assert_eq!(above(&t), [None, None, Some(1), Some(2)]);
}

#[test]
fn any_number_of_callers_at_the_same_time_is_told_apart() {
    // Requests that overlap by hundreds, each with a short and a long part.
    let n = 500;
    let spans: Vec<_> = (0..n)
        .flat_map(|i| {
            let at = i * 10;
            [(at, at + 5000, 0), (at + 1, at + 101, 0), (at + 200, at + 4900, 0)]
        })
        .collect();
    let t = calling(&spans, 0, |i| i % 3);
    let is_request = |part: u32| part.is_multiple_of(3);
    for (i, above) in (0u32..).zip(above(&t)) {
        assert_eq!(above, (!is_request(i)).then_some(i / 3 * 3), "{i}");
    }
    assert!(t.callers.is_empty(), "no request has two parts at the same time");
}

#[test]
fn requests_that_overlap_in_a_server_keep_what_they_call() {
    // Parts of a request one after the other, each far longer than the time to the next request.
    for n in [2u32, 3, 10, 63, 64, 65, 200, 700] {
        let request = |i: u32| {
            let (at, i) = (10 + i64::from(i) * 100, i64::from(i));
            [(at, at + 5000 + i, 0), (at, at + 50, 0), (at + 60, at + 4060, 0), (at + 4100, at + 4900, 0)]
        };
        let spans: Vec<_> = std::iter::once((0, 100_000, 0)).chain((0..n).flat_map(request)).collect();
        let t = calling(&spans, 0, |i| if i == 0 { 9 } else { (i - 1) % 4 });
        for (i, above) in (0u32..).zip(above(&t)).skip(1) {
            let of_it = (i - 1) / 4 * 4 + 1;
            assert_eq!(above, Some(if i == of_it { 0 } else { of_it }), "{i} of {n} requests");
        }
    }
}

#[test]
fn the_innermost_of_many_that_enclose_a_span_is_its_caller() {
    let t = frozen(&[(0, 1000, 0), (100, 300, 0), (200, 600, 0), (220, 720, 0), (350, 500, 0)], 0);
    assert_eq!(above(&t), [None, Some(0), Some(0), Some(0), Some(2)]);
    let server =
        [(0, 100_000, 0), (8170, 12_170, 0), (9000, 13_000, 0), (9310, 14_403, 0), (12_210, 13_010, 0)];
    assert_eq!(above(&frozen(&server, 0)), [None, Some(0), Some(0), Some(0), Some(3)]);
}

#[test]
fn a_caller_with_something_else_on_top_is_still_the_caller() {
    // Function 1 has called 2 before; this time what crosses lies on top of both of its calls.
    let spans = [
        (0, 1000, 0),
        (10, 100, 0),
        (20, 90, 0),
        (50, 110, 0),
        (200, 400, 0),
        (210, 300, 0),
        (220, 310, 0),
        (290, 350, 0),
    ];
    let t = calling(&spans, 0, |i| [0, 1, 2, 3, 1, 4, 5, 2][i as usize]);
    assert_eq!(above(&t)[7], Some(4));
}

#[test]
fn work_of_a_queue_calls_nothing() {
    let q = QUEUED;
    let t = frozen(
        &[(0, 100, 0), (10, 50, q), (20, 30, q), (40, 60, q), (70, 80, 0), (72, 75, q), (200, 300, q)],
        0,
    );
    assert_eq!(above(&t), [None, Some(0), Some(0), Some(0), Some(0), Some(4), None]);
    let t = frozen(&[(0, 100, q), (20, 80, 0)], 0);
    assert_eq!(above(&t), [None, None]);
    // A mark around work holds it, whatever comes first in the file, also when it is just as long.
    assert_eq!(above(&frozen(&[(0, 100, q), (0, 100, 0)], 0)), [Some(1), None]);
}

#[test]
fn ends_that_are_off_by_less_than_the_resolution_do_not_matter() {
    // Inside of the first one, behind it, and inside of what is behind.
    let spans =
        [(0, 1000, 0), (500, 1200, 0), (900, 1100, 0), (1000, 2000, 0), (1500, 2250, 0), (1800, 1900, 0)];
    let t = frozen(&spans, 250);
    assert_eq!(above(&t), [None, Some(0), Some(1), None, Some(3), Some(4)]);
    let rows = &t.table.rows;
    assert!(rows.iter().all(|s| s.parent == NO_ROW || s.end <= rows[s.parent as usize].end), "they are cut");
    let (metric, lengths) = &t.table.costs[0];
    assert_eq!((metric.0, &lengths[..]), (9, &[1000, 700, 200, 1000, 750, 100][..]), "lengths are not");
    assert_eq!(t.table.lanes.len(), 1);
    let t = frozen(&spans, 100);
    assert_eq!(above(&t)[..2], [None, None]);
    // Own lengths never fall below 0.
    let t = frozen(&[(0, 1000, 0), (0, 500, 0), (400, 1000, 0)], 250);
    assert_eq!(t.table.costs[0].1, [1000, 500, 500]);
    // The same where lanes are many.
    let crossing =
        [(0, 5000, 0), (100, 4000, 0), (3500, 9000, 0), (4100, 4500, 0), (4400, 4600, 0), (4590, 5200, 0)];
    let t = frozen(&crossing, 250);
    assert_eq!(above(&t), [None, Some(0), None, Some(2), Some(0), Some(2)]);
    let crossing = [(0, 5000, 0), (3500, 9000, 0), (4000, 8900, 0), (4700, 5200, 0)];
    assert_eq!(above(&frozen(&crossing, 250)), [None, None, Some(1), Some(2)]);
    let crossing = [(0, 5000, 0), (100, 9000, 0), (200, 4000, 0), (3900, 5200, 0)];
    assert_eq!(above(&frozen(&crossing, 250)), [None, None, Some(1), Some(1)]);
}

#[test]
fn unfinished_spans_end_with_what_is_around_them() {
    let open = i64::MAX;
    let ends = |spans: &[(i64, i64, u32)]| {
        let t = frozen(spans, 0);
        let mut ends = vec![0; spans.len()];
        t.table.rows.iter().for_each(|s| ends[s.function.index()] = s.end);
        ends
    };
    let t = [(0, 300, 0), (100, 200, 0), (150, open, 0), (160, 170, 0), (165, open, 0), (400, open, 0)];
    assert_eq!(ends(&t), [300, 200, 200, 170, 170, 1_000_000]);
    assert_eq!(ends(&[(0, open, 0), (0, 10, 0), (5, open, 0)]), [1_000_000, 10, 10]);
    assert_eq!(
        ends(&[(0, 10, 1), (5, open, 2), (6, open, 1), (5, open, QUEUED)]),
        [10, 1_000_000, 10, 1_000_000]
    );
}

#[test]
fn a_hundred_thousand_chains_end_in_time() {
    let spans: Vec<_> = (0..100_000).map(|i| (i, i + 50_000, 1 + (i % 1000) as u32)).collect();
    assert_eq!(frozen(&spans, 0).table.rows.len(), 100_000);
    let nested: Vec<_> = (0..100_000).map(|i| (i, 300_000 - i, 0)).chain([(100, 400_000, 0)]).collect();
    assert_eq!(frozen(&nested, 0).table.lanes.len(), 2);
}

#[test]
fn what_its_maker_says_of_callers_counts_more_than_clocks() {
    // A caller whose clock is 1 late, one with the very times of its callee, which came first, and each with another callee.
    let spans = [
        (9, 60, 2, Some(1)),
        (10, 50, 1, None),
        (20, 30, 3, Some(1)),
        (70, 90, 5, Some(4)),
        (70, 90, 4, None),
    ];
    let mut names = Names::default();
    for (handle, (_, _, own, parent)) in (0u32..).zip(spans) {
        names.push(Nesting { handle, own, parent, strict: true });
    }
    let numbers: FxHashSet<u64> = (1..=5).collect();
    let rows = (0u32..).zip(spans).map(|(i, (start, end, ..))| Span {
        start,
        end,
        args: ArgsRef::inline(i),
        function: FunctionId(i),
        parent: i,
        depth: 0,
        status: SpanStatus::Ok,
    });
    let frozen = freeze(rows.collect(), Vec::new(), &known(&names, &numbers, 0));
    // Callers on other lanes are found by their numbers afterwards.
    assert_eq!(above(&frozen), [None, None, Some(1), None, None]);
    assert_eq!(frozen.table.lanes.len(), 2);
}
