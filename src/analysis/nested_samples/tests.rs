use std::sync::Arc;

use super::*;
use crate::analysis::scope::TimeRange;
use crate::analysis::testing::{DEVTOOLS, ask, dump, function, profile, subject, symbol};
use crate::analysis::{Costs, Functions, Slice, Transform};
use crate::model::TrackId;
use crate::query::Run;
use proptest::prelude::*;

fn text(profile: &Profile) -> String {
    let row = |row: u32| if row == NO_ROW { "-".to_owned() } else { row.to_string() };
    let piece = |p: Piece| format!("{}@{}..{} {}", p.sample, p.start, p.end, row(p.row));
    pieces(profile, TrackId(0)).map(piece).collect::<Vec<_>>().join(", ")
}

#[test]
fn samples_are_parted_by_spans() {
    assert_eq!(
        text(&profile("a 10 40 / b 20 30; f @0..15; g @15..50; > @50..60; f @60..60")),
        "0@0..10 -, 0@10..15 0, 1@15..20 0, 1@20..30 1, 1@30..40 0, 1@40..50 -, 3@60..60 -"
    );
    // c overlaps b without nesting: the deeper one has it, then what is left.
    assert_eq!(
        text(&profile("a 0 40 / b 10 30 / x 12 20; c 25 50; f @0..60")),
        "0@0..10 0, 0@10..12 1, 0@12..20 2, 0@20..30 1, 0@30..40 0, 0@40..50 3, 0@50..60 -"
    );
}

fn costs(s: &Run, range: TimeRange, transforms: Vec<Transform>) -> Arc<crate::analysis::TreeCosts> {
    let scope = Scope { transforms, ..Scope::default() };
    ask(s, &Costs(Slice { scope, range, ..Slice::default() }))
}

#[test]
fn the_time_of_a_thread_counts_once() {
    let s = subject(DEVTOOLS);
    let all = costs(&s, None, vec![]);
    assert_eq!(
        dump(&s.profile, &all),
        "(idle) 15/15 RunTask 40/0 >Layout 5/0 >>main 5/5 >main 35/10 >>handler 25/25 main 5/5"
    );
    assert_eq!(all.whole.total, 60, "as long as the thread was measured");
    let part = costs(&s, Some((10, 33)), vec![]);
    assert_eq!(
        dump(&s.profile, &part),
        "(idle) 0/0 RunTask 23/0 >Layout 3/0 >>main 3/3 >main 20/5 >>handler 15/15 main 0/0"
    );
    let table = ask(&s, &Functions(Slice::default()));
    let row = |name: &str| {
        let f = function(&s.profile, name);
        let row = table.rows.iter().find(|r| r.function == f).unwrap();
        (row.calls.map(|c| c.all), row.samples, row.samples_total, row.own, row.total)
    };
    assert_eq!(row("RunTask"), (Some(1), Some(0), Some(2), 0, 40));
    assert_eq!(row("handler"), (None, Some(1), Some(1), 25, 25));
    assert_eq!(row("main"), (None, Some(1), Some(2), 20, 45));
    assert_eq!((table.whole.total, table.calls.map(|c| c.all), table.samples), (60, Some(2), Some(3)));
}

#[test]
fn transforms_reach_through_spans_into_samples() {
    let s = subject(DEVTOOLS);
    let f = |name: &str| symbol(&s.profile, name);
    let after = |transform| dump(&s.profile, &costs(&s, None, vec![transform]));
    assert_eq!(after(Transform::FocusFunction(f("main"))), "main 45/20 >handler 25/25");
    assert_eq!(after(Transform::FocusFunction(f("Layout"))), "Layout 5/0 >main 5/5");
    assert_eq!(
        after(Transform::MergeFunction(f("Layout"))),
        "(idle) 15/15 RunTask 40/0 >main 40/15 >>handler 25/25 main 5/5"
    );
    assert_eq!(
        after(Transform::DropFunction(f("main"))),
        "(idle) 15/15 RunTask 0/0 >Layout 0/0",
        "all that was seen of them ran in main"
    );
}

#[test]
fn other_threads_and_samples_without_times_add_up() {
    let s = subject("a 0 10; [t2]; f @0..7; [t3]; f 5");
    let all = costs(&s, None, vec![]);
    assert_eq!((dump(&s.profile, &all).as_str(), all.whole.total), ("a 10/10 f 12/12", 22));
}

proptest! {
    #[test]
    fn no_thread_works_longer_than_it_was_measured(
        spans in proptest::collection::vec((0i64..60, 1i64..30), 1..12),
        samples in proptest::collection::vec((1i64..20, 0u8..3), 1..12),
        (from, to) in (0i64..60, 60i64..100),
    ) {
        let mut lines: Vec<String> = spans.iter().map(|(s, d)| format!("s {s} {}", s + d)).collect();
        let mut at = 0;
        for (length, stack) in &samples {
            lines.push(format!("{} @{at}..{}", ["f", "f>g", ">"][*stack as usize], at + length));
            at += length;
        }
        let s = subject(&lines.join(";"));
        let all = costs(&s, None, vec![]);
        prop_assert!(all.own.iter().all(|&o| o >= 0));
        prop_assert_eq!(all.own.iter().sum::<i64>(), all.whole.total);
        let sampled = samples.iter().filter(|s| s.1 < 2).count() as u64;
        prop_assert_eq!(all.samples.iter().sum::<u64>(), sampled);
        let parts = [Some((-1, from)), Some((from, to)), Some((to, 1000))].map(|range| costs(&s, range, vec![]));
        for i in 0..all.own.len() {
            prop_assert_eq!(all.own[i], parts.iter().map(|p| p.own[i]).sum::<i64>());
        }
    }
}

#[test]
fn a_sample_falls_on_the_deepest_span_whatever_its_lane() {
    let s = subject("s 41 67; s 41 47; s 46 55; f @0..41; f @41..60");
    let all = costs(&s, None, vec![]);
    assert_eq!(dump(&s.profile, &all), "f 41/41 s 26/7 >f 5/5 >s 15/1 >>f 14/14", "1 of it at the same time");
}
