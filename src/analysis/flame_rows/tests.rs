//! Known answers and laws of flame rows.

use super::*;
use crate::analysis::scope::{Scope, Slice, Transform};
use crate::analysis::testing::{function, profile, symbol};
use crate::analysis::tree_costs::Costs;
use crate::model::{FunctionSpec, Metric, ProfileBuilder, TrackKind, TrackSpec};
use crate::query::{Engine, Query, Run};
use proptest::prelude::*;

/// Samples as `weight path`, parted by `;`, one after the other when they are timed.
fn samples(text: &str, timed: bool) -> Arc<Profile> {
    let mut now = 0;
    let line = |line: &str| {
        let (weight, path) = line.trim().split_once(' ').unwrap();
        if !timed {
            return format!("{path} {weight}");
        }
        let start = now;
        now += weight.parse::<i64>().unwrap();
        format!("{path} @{start}..{now}")
    };
    profile(&text.split(';').map(line).collect::<Vec<_>>().join(";"))
}

fn ask<Q: Query<Output = FlameRows>>(profile: &Arc<Profile>, query: &Q) -> Arc<FlameRows> {
    let subject = Run::of(profile.clone());
    Engine::inline().now(&subject, query, &crate::jobs::Job::new()).unwrap()
}

/// The rows of all tracks in time order.
pub(crate) fn time(profile: &Arc<Profile>) -> Arc<FlameRows> {
    ask(profile, &TimeOrder(Scope::default()))
}

fn costs(scope: Scope) -> Costs {
    Costs(Slice { scope, ..Slice::default() })
}

fn merged(profile: &Arc<Profile>, order: MergedOrder) -> Arc<FlameRows> {
    ask(profile, &Merged { costs: costs(Scope::default()), order, by_track: false })
}

fn sandwich(profile: &Arc<Profile>, name: &str) -> Arc<FlameRows> {
    let function = symbol(profile, name);
    ask(profile, &Sandwich { costs: costs(Scope::default()), function })
}

/// All boxes of a row.
fn boxes(rows: &FlameRows, row: u32) -> Vec<(BoxAt, FlameBox)> {
    rows.touching(row, f64::MIN, f64::MAX).collect()
}

/// Rows as `name start-end | …`.
fn show(rows: &FlameRows) -> Vec<String> {
    (0..rows.len() as u32)
        .map(|row| {
            let boxes = boxes(rows, row).into_iter().map(|(_, b)| {
                let marks = [(b.who.is_error(), "!"), (b.who.is_unfinished(), "~")];
                let marks: String = marks.iter().filter(|m| m.0).map(|m| m.1).collect();
                format!("{}{marks} {}-{}", b.who.label(rows.profile()), b.start, b.end)
            });
            boxes.collect::<Vec<_>>().join(" | ")
        })
        .collect()
}

#[test]
fn time_order_keeps_lanes_depths_and_marks() {
    let p = profile("a 0 10; b 1 4; c! 5 9; a 12 20; b~ 13 13; [gpu]; k 2 6; k 4 8");
    let rows = time(&p);
    assert_eq!(
        show(&rows),
        ["a 0-10 | a 12-20", "b 1-4 | c! 5-9 | b~ 13-20", "k 2-6", "k 4-8"],
        "overlapping spans take a lane of their own"
    );
    assert_eq!(rows.groups.iter().map(|g| g.rows.clone()).collect::<Vec<_>>(), [0..2, 2..4]);
    assert_eq!((rows.start, rows.end, rows.whole.total), (0, 20, 20));
    assert_eq!(rows.box_count(), 7);
    let at = BoxAt { row: 1, index: 1 };
    assert_eq!(rows.origin(at), Some(Origin::Span(TrackId(0), 2)));
    assert_eq!(rows.find_span(TrackId(0), 2), Some(at));
    assert_eq!(rows.find_span(TrackId(1), 1), Some(BoxAt { row: 3, index: 0 }));
    assert_eq!(rows.path(at).unwrap(), [function(&p, "a"), function(&p, "c")]);
}

#[test]
fn transforms_change_time_order_too() {
    let p = profile("a 0 10; a 1 9; b 2 5; c 3 4");
    let order = |t| show(&ask(&p, &TimeOrder(Scope { tracks: vec![], transforms: vec![t] })));
    assert_eq!(order(Transform::CollapseRecursion), ["a 0-10", "b 2-5", "c 3-4"]);
    assert_eq!(order(Transform::MergeFunction(symbol(&p, "b"))), ["a 0-10", "a 1-9", "c 3-4"]);
    assert_eq!(order(Transform::FocusFunction(symbol(&p, "b"))), ["b 2-5", "c 3-4"]);
    assert_eq!(order(Transform::DropFunction(symbol(&p, "b"))), ["a 0-10", "a 1-9"]);
    let focused = Scope { tracks: vec![], transforms: vec![Transform::FocusFunction(symbol(&p, "b"))] };
    let rows = ask(&p, &TimeOrder(focused));
    assert_eq!(rows.find_span(TrackId(0), 3), Some(BoxAt { row: 1, index: 0 }));
    assert_eq!((rows.start, rows.end), (0, 10), "the axis stays");
}

#[test]
fn samples_merge_over_equal_beginnings() {
    let p = samples("2 a>b; 1 a>b>c; 3 a>d; 1 >; 1 a>b", true);
    assert_eq!(show(&time(&p)), ["a 0-6 | a 7-8", "b 0-3 | d 3-6 | b 7-8", "c 2-3"]);
    let lines = samples("2 a:1>b:5; 2 a:2>b:6; 2 a:2>c:1", true);
    assert_eq!(show(&time(&lines)), ["a 0-6", "b 0-4 | c 4-6"], "lines do not part a function");
    assert!(time(&samples("1 a", false)).is_empty(), "samples without time have no order");
}

#[test]
fn left_heavy_and_alphabetical() {
    let p = samples("1 m>a>x; 5 m>b; 2 m>a>y; 4 k", false);
    let left = merged(&p, MergedOrder::Heaviest);
    assert_eq!(show(&left), ["m 0-8 | k 8-12", "b 0-5 | a 5-8", "y 5-7 | x 7-8"]);
    assert_eq!(show(&merged(&p, MergedOrder::Name)), ["k 0-4 | m 4-12", "a 4-7 | b 7-12", "x 4-5 | y 5-7"]);
    let a = BoxAt { row: 1, index: 1 };
    assert_eq!(
        left.costs(a),
        Some(BoxCosts { own: 0, total: 3, calls: None, samples: Some(2), unfinished: 0 })
    );
    assert_eq!(left.find_path(&[function(&p, "m"), function(&p, "a")]), Some(a));
    assert_eq!(left.find_function(function(&p, "y")), Some(BoxAt { row: 2, index: 0 }));
    assert_eq!(left.whole.total, 12);
}

#[test]
fn sandwich_counts_the_outermost_occurrence() {
    let p = samples("1 m>f>x; 2 m>g>f; 3 m>f>f>y; 4 m>z", false);
    let rows = sandwich(&p, "f");
    let groups: Vec<_> = rows
        .groups
        .iter()
        .map(|g| (g.of, show(&rows)[g.rows.start as usize..g.rows.end as usize].to_vec()))
        .collect();
    assert_eq!(groups[0].0, GroupOf::Callers);
    assert_eq!(groups[0].1, ["m 4-6", "m 0-4 | g 4-6", "f 0-6"]);
    assert_eq!(groups[1].1, ["f 0-6", "f 0-3 | x 3-4", "y 0-3"]);
    let top = rows.groups[1].rows.start;
    assert_eq!(
        rows.costs(BoxAt { row: top, index: 0 }),
        Some(BoxCosts { own: 2, total: 6, calls: None, samples: Some(3), unfinished: 0 })
    );
    assert_eq!(rows.whole.total, 10, "shares are of everything");
}

#[test]
fn hits_and_neighbours() {
    let p = profile("a 0 10; b 1 4; c 5 9; d 5 6");
    let rows = time(&p);
    assert_eq!(rows.at(1, 4.5), None);
    assert_eq!(rows.at(1, 5.0), Some(1));
    assert_eq!(rows.at(1, 9.0), None, "ends are open");
    let touching: Vec<u32> = rows.touching(1, 3.0, 5.5).map(|(at, _)| at.index).collect();
    assert_eq!((touching, rows.count_touching(1, 3.0, 5.5)), (vec![0, 1], 2));
    let a = BoxAt { row: 0, index: 0 };
    let c = rows.neighbour_row(a, true).unwrap();
    assert_eq!(c, BoxAt { row: 1, index: 1 }, "the longest child");
    assert_eq!(rows.neighbour(c, false), Some(BoxAt { row: 1, index: 0 }));
    assert_eq!(rows.neighbour(c, true), None);
    assert_eq!(rows.neighbour_row(c, false), Some(a));
    assert_eq!(rows.neighbour_row(a, false), None);
}

#[test]
fn folded_levels_add_up_and_keep_the_longest_and_errors() {
    let mut text = String::from("root 0 100000\n");
    for i in 0..2000 {
        let name = if i == 777 {
            "bad!"
        } else if i % 10 == 0 {
            "long"
        } else {
            "short"
        };
        let length = if i % 10 == 0 { 30 } else { 5 };
        text += &format!("{name} {} {}\n", i * 50, i * 50 + length);
    }
    let rows = time(&profile(&text));
    let mut window = Window::new(&rows, (rows.start, rows.end), 400.0);
    let level = rows.seen(1, &mut window);
    let finest = rows.finest(1);
    assert!(matches!(level, Level::Folded(b) if b.len() <= 1000), "{}", level.len());
    let folded: Vec<_> = (0..level.len()).map(|i| level.get(i)).collect();
    assert_eq!(folded[0].first, 0);
    for (i, run) in folded.iter().enumerate() {
        let next = folded.get(i + 1).map_or(finest.len(), |b| b.first as usize);
        let parts: Vec<_> = (run.first as usize..next).map(|j| finest.get(j)).collect();
        assert_eq!(run.start, parts[0].start);
        assert_eq!(run.end, parts[parts.len() - 1].end);
        let longest = parts.iter().map(FlameBox::length).max().unwrap();
        assert!(parts.iter().any(|p| p.length() == longest && p.who.function() == run.who.function()));
        assert_eq!(run.who.is_error(), parts.iter().any(|p| p.who.is_error()));
        assert!(parts.len() == 1 || run.length() < 800);
    }
    let mut window = Window::new(&rows, (rows.start, rows.end), 0.5);
    assert!(matches!(rows.seen(1, &mut window), Level::Spans(..)), "less than a unit is never folded");
}

#[test]
fn a_million_deep_stack_and_one_that_alternates_are_no_problem() {
    let mut b = ProfileBuilder::new("test");
    let metric = b.metric(Metric::time());
    let id = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
    let f = b.function(FunctionSpec::named("f"));
    let mut stack = None;
    for line in 0..300_000 {
        let frame = b.frame(f, line);
        stack = Some(b.stack(stack, frame));
    }
    for i in 0..3 {
        b.timed_sample(id, (i, i + 1), stack, &[(metric, 1)]);
    }
    let p = Arc::new(b.finish());
    assert_eq!(time(&p).len(), 300_000);
    assert_eq!(merged(&p, MergedOrder::Heaviest).len(), 300_000);
    let rows = sandwich(&p, "f");
    assert_eq!(rows.groups[0].rows.len(), 1, "the outermost f has no caller");
}

#[test]
fn each_track_can_have_a_tree_of_its_own() {
    let p = profile("[one];a 0 10; b 2 8;[worker];b 0 20; c 5 15;[idle]");
    let query = |order| Merged { costs: costs(Scope::default()), order, by_track: true };
    let rows = ask(&p, &query(MergedOrder::Heaviest));
    assert_eq!(show(&rows), ["a 0-10", "b 0-6", "b 0-20", "c 0-10"]);
    let tracks: Vec<_> = p.track_ids().filter(|&t| !p.track(t).spans.rows.is_empty()).collect();
    let groups: Vec<_> = rows.groups.iter().map(|g| (g.of, g.rows.clone())).collect();
    assert_eq!(groups, [(GroupOf::Track(tracks[0]), 0..2), (GroupOf::Track(tracks[1]), 2..4)]);
    assert_eq!((rows.whole.total, rows.extent(), rows.tracks), (30, 20, 2), "shares are of all tracks");
    let c = BoxAt { row: 3, index: 0 };
    assert_eq!(rows.find_span(tracks[1], 1), Some(c));
    assert_eq!(rows.path(c).unwrap(), [function(&p, "b"), function(&p, "c")]);
    assert_eq!(rows.find_path(&[function(&p, "b")]), Some(BoxAt { row: 2, index: 0 }));
    assert_eq!(rows.costs(c).unwrap().total, 10);
    let one = profile("a 0 10; b 2 8");
    assert_eq!(ask(&one, &query(MergedOrder::Name)).groups[0].of, GroupOf::Tree, "one track needs no header");
}

#[test]
fn hidden_frames_are_counted_in_every_order() {
    let mut b = ProfileBuilder::new("test");
    let id = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
    let spans = [
        ("run", 0, 100),
        ("get~", 10, 90),
        ("send~", 20, 80),
        ("write~", 30, 40),
        ("read~", 50, 75),
        ("cb", 62, 70),
    ];
    for (name, start, end) in spans {
        let file = if name.ends_with('~') { "/x/site-packages/httpx/client.py" } else { "app.py" };
        let name = name.trim_end_matches('~');
        let f = b.function(FunctionSpec { name, file, ..FunctionSpec::default() });
        b.span(id, start, end, f, crate::model::ArgsRef::NONE);
    }
    let p = Arc::new(b.finish());
    let scope = Scope { tracks: vec![], transforms: vec![Transform::HideLibraries] };
    let labels = |rows: &FlameRows| {
        let all = (0..rows.len() as u32).map(|row| {
            let at = BoxAt { row, index: 0 };
            rows.label(at, rows.get(at).unwrap().who).into_owned()
        });
        all.collect::<Vec<_>>()
    };
    let expected = ["run", "get", "[3 frames hidden]", "cb"];
    assert_eq!(labels(&ask(&p, &TimeOrder(scope.clone()))), expected);
    let by_track = false;
    let merged = Merged { costs: costs(scope.clone()), order: MergedOrder::Heaviest, by_track };
    assert_eq!(labels(&ask(&p, &merged)), expected);
    let middle = Sandwich { costs: costs(scope), function: symbol(&p, "get") };
    assert_eq!(labels(&ask(&p, &middle)), ["run", "get", "get", "[frames hidden]", "cb"]);
}

#[test]
fn phases_lie_over_the_work_and_count_for_nothing_in_shares() {
    let mut b = ProfileBuilder::new("test");
    let mut track = |name, kind| b.track(TrackSpec { name, process: "", kind, sort: 0 });
    let [phases, work] = [track("phases", TrackKind::Phase), track("main", TrackKind::Thread)];
    let [setup, load, step] = ["setup", "load", "step"].map(|n| b.function(FunctionSpec::named(n)));
    b.span(phases, 0, 100, setup, crate::model::ArgsRef::NONE);
    b.span(work, 0, 60, load, crate::model::ArgsRef::NONE);
    b.span(work, 60, 100, step, crate::model::ArgsRef::NONE);
    let p = Arc::new(b.finish());
    let subject = Run::of(p.clone());
    let found = |search: &str| {
        let query = Matched { costs: costs(Scope::default()), search: search.into() };
        (*Engine::inline().now(&subject, &query, &crate::jobs::Job::new()).unwrap()).unwrap()
    };
    let share = |matched, functions| MatchedShare { matched, sum: 100, functions, tracks: 1 };
    assert_eq!(found("load"), share(60, 1));
    assert_eq!(found("e"), share(40, 1), "setup is a phase and is not counted");
    assert_eq!(
        (merged(&p, MergedOrder::Heaviest).tracks, merged(&p, MergedOrder::Heaviest).whole.total),
        (1, 100)
    );
}

fn any_samples() -> impl Strategy<Value = String> {
    let path = proptest::collection::vec(0..5u8, 1..7);
    proptest::collection::vec((1..50u32, path), 1..40).prop_map(|rows| {
        let line = |(w, path): (u32, Vec<u8>)| {
            let names: Vec<_> = path.iter().map(|n| format!("f{n}")).collect();
            format!("{w} {}", names.join(">"))
        };
        rows.into_iter().map(line).collect::<Vec<_>>().join(";")
    })
}

proptest! {
    #[test]
    fn roots_add_up_and_children_stand_within_parents(text in any_samples()) {
        let p = samples(&text, false);
        let whole: i64 = text.split(';').map(|l| l.split(' ').next().unwrap().parse::<i64>().unwrap()).sum();
        for order in [MergedOrder::Heaviest, MergedOrder::Name] {
            let rows = merged(&p, order);
            prop_assert_eq!(rows.whole.total, whole);
            let level = rows.finest(0);
            let roots: i64 = (0..level.len()).map(|i| level.get(i).length()).sum();
            prop_assert_eq!(roots, whole);
            check_nesting(&rows, 0..rows.len() as u32, false)?;
            for row in 0..rows.len() as u32 {
                for index in 0..rows.finest(row).len() as u32 {
                    let at = BoxAt { row, index };
                    prop_assert_eq!(rows.costs(at).unwrap().total, rows.get(at).unwrap().length());
                }
            }
        }
    }

    #[test]
    fn both_halves_of_a_sandwich_are_the_functions_total(text in any_samples(), f in 0..5u8) {
        let p = samples(&text, false);
        let name = format!("f{f}");
        let total: i64 = text.split(';').filter(|l| l.contains(&name))
            .map(|l| l.split(' ').next().unwrap().parse::<i64>().unwrap()).sum();
        prop_assume!(total > 0);
        let rows = sandwich(&p, &name);
        let [callers, callees] = [rows.groups[0].rows.clone(), rows.groups[1].rows.clone()];
        for row in [callers.end - 1, callees.start] {
            prop_assert_eq!(rows.finest(row).len(), 1);
            prop_assert_eq!(rows.finest(row).get(0).length(), total);
        }
        check_nesting(&rows, callees, false)?;
        check_nesting(&rows, callers, true)?;
    }

    #[test]
    fn time_order_of_samples_covers_each_sample_exactly(text in any_samples()) {
        let p = samples(&text, true);
        let rows = time(&p);
        let mut now = 0;
        for line in text.split(';') {
            let (weight, path) = line.split_once(' ').unwrap();
            let weight: i64 = weight.parse().unwrap();
            for t in [now, now + weight - 1] {
                let names: Vec<_> = (0..rows.len() as u32)
                    .map_while(|row| rows.at(row, t as f64 + 0.5).map(|index| BoxAt { row, index }))
                    .map(|at| rows.get(at).unwrap().who.label(&p).to_owned())
                    .collect();
                prop_assert_eq!(names.join(">"), path);
            }
            now += weight;
        }
        check_nesting(&rows, 0..rows.len() as u32, false)?;
    }
}

/// A generator of numbers that look random and are the same in every run.
fn numbers() -> impl FnMut(u64) -> u64 {
    let mut state = 7u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Samples of stacks that share beginnings, some without a stack.
fn many_samples(count: i64, deepest: u64) -> Arc<Profile> {
    let mut b = ProfileBuilder::new("test");
    let metric = b.metric(Metric::time());
    let id = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
    let functions: Vec<_> =
        (0..5).map(|i| b.function(FunctionSpec::named(["a", "b", "c", "d", "e"][i]))).collect();
    let mut random = numbers();
    let mut path: Vec<usize> = Vec::new();
    let mut now = 0;
    for _ in 0..count {
        path.truncate(random(path.len() as u64 + 1) as usize);
        for _ in 0..random(3) {
            path.push(random(5) as usize);
        }
        path.truncate(deepest as usize);
        let mut stack = None;
        for &f in &path {
            let frame = b.frame(functions[f], 1);
            stack = Some(b.stack(stack, frame));
        }
        let length = if random(40) == 0 { 900 } else { 1 + random(9) as i64 };
        b.timed_sample(id, (now, now + length), stack, &[(metric, length)]);
        now += length;
    }
    Arc::new(b.finish())
}

/// Boxes of one depth, one sample after the other.
fn by_hand(profile: &Profile, depth: usize) -> Vec<(i64, i64, FunctionId)> {
    let samples = &profile.track(TrackId(0)).samples;
    let mut out: Vec<(i64, i64, FunctionId)> = Vec::new();
    let mut before: Vec<FunctionId> = Vec::new();
    for (i, stack) in samples.stacks.iter().enumerate() {
        let (start, end) = samples.interval(i).unwrap();
        let path = stack.map(|s| profile.stack_functions(s)).unwrap_or_default();
        if let Some(&function) = path.get(depth) {
            match out.last_mut() {
                Some(last) if last.1 == start && before.get(..=depth) == path.get(..=depth) => last.1 = end,
                _ => out.push((start, end, function)),
            }
        }
        before = path;
    }
    out
}

#[test]
fn boxes_of_samples_are_found_without_being_kept() {
    for (count, deepest) in [(1, 3), (40, 4), (5000, 12), (70_000, 5)] {
        let p = many_samples(count, deepest);
        let rows = time(&p);
        let samples = p.track(TrackId(0)).samples.len();
        assert!(rows.heap_bytes() < samples * 20 + 100_000, "{} for {samples}", rows.heap_bytes());
        let mut random = numbers();
        for row in 0..rows.len() as u32 {
            let expected = by_hand(&p, row as usize);
            let found: Vec<_> =
                boxes(&rows, row).iter().map(|(_, b)| (b.start, b.end, b.who.function())).collect();
            assert_eq!(found, expected, "row {row} of {count}");
            assert_eq!(rows.count_touching(row, f64::MIN, f64::MAX), expected.len());
            let mut at = rows.next_after(row, i64::MAX);
            let mut back = Vec::new();
            while let Some(b) = at {
                back.push(rows.get(b).unwrap().start);
                at = rows.neighbour(b, false);
            }
            assert!(back.iter().rev().eq(expected.iter().map(|b| &b.0)), "backwards");
            for _ in 0..20 {
                let a = random(rows.end as u64) as i64;
                let b = a + 1 + random((rows.end - a) as u64) as i64;
                let touch = |x: &&(i64, i64, FunctionId)| x.1 > a && x.0 < b;
                assert_eq!(
                    rows.count_touching(row, a as f64, b as f64),
                    expected.iter().filter(touch).count()
                );
                let here = expected.iter().find(|x| x.0 <= a && x.1 > a);
                let at = rows.at(row, a as f64).and_then(|index| rows.get(BoxAt { row, index }));
                assert_eq!(at.map(|b| (b.start, b.end)), here.map(|x| (x.0, x.1)));
            }
        }
        assert_eq!(rows.box_count(), (0..rows.len()).map(|r| by_hand(&p, r).len() as u64).sum::<u64>());
    }
}

#[test]
fn a_window_of_samples_shows_what_is_long_and_costs_by_the_cell() {
    let p = many_samples(20_000, 8);
    let rows = time(&p);
    for (from, to, least) in
        [(0, rows.end, 100.0), (20_001, 70_003, 37.0), (rows.end - 900, rows.end, 10.0), (50, 900, 0.4)]
    {
        for row in 0..rows.len() as u32 {
            let mut window = Window::new(&rows, (from, to), least);
            let level = rows.seen(row, &mut window);
            let seen: Vec<FlameBox> = (0..level.len()).map(|i| level.get(i)).collect();
            let cells = ((to - from) as f64 / least) as usize;
            assert!(seen.len() <= 2 * cells + 4, "{} boxes in {cells} cells", seen.len());
            assert!(seen.is_sorted_by(|a, b| a.end <= b.start), "they do not overlap");
            let all: Vec<FlameBox> = rows.touching(row, from as f64, to as f64).map(|(_, b)| b).collect();
            for b in all.iter().filter(|b| b.length() as f64 >= least.max(1.0) * 2.0) {
                assert!(seen.contains(b), "a long box is itself");
            }
            for b in &all {
                assert!(
                    seen.iter().any(|s| s.start <= b.start && s.end >= b.end),
                    "{b:?} is in one that is shown"
                );
            }
            for s in &seen {
                let b = rows.get(BoxAt { row, index: s.first }).unwrap();
                assert!(
                    b.who == s.who && b.start >= s.start && b.end <= s.end,
                    "one of its boxes gives the name"
                );
            }
        }
    }
    // The grid stands still while the window moves.
    let shown = |from: i64| {
        let mut window = Window::new(&rows, (from, from + 20_000), 100.0);
        let level = rows.seen(3, &mut window);
        let all: Vec<_> = (0..level.len()).map(|i| level.get(i)).collect();
        all.into_iter().filter(|b| b.start > 30_000 && b.end < 40_000).collect::<Vec<_>>()
    };
    assert_eq!(shown(24_000), shown(24_777));
}

fn check_nesting(rows: &FlameRows, range: Range<u32>, upwards: bool) -> Result<(), TestCaseError> {
    for row in range.clone() {
        let mut reached = i64::MIN;
        for (_, b) in boxes(rows, row) {
            prop_assert!(b.length() > 0 && reached <= b.start);
            reached = b.end;
            let above = if upwards { row + 1 } else { row.wrapping_sub(1) };
            if range.contains(&above) {
                let parent = rows.at(above, b.start as f64);
                let parent = parent.and_then(|index| rows.get(BoxAt { row: above, index }));
                prop_assert!(parent.is_some_and(|p| p.start <= b.start && p.end >= b.end));
            }
        }
    }
    Ok(())
}
