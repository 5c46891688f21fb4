use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::analysis::testing::ask;
use crate::model::{ArgsRef, FunctionSpec, Link, Metric, ProfileBuilder, TrackKind, TrackSpec, Unit};
use crate::query::Run;

const S: i64 = 1_000_000_000;

struct Trace {
    b: ProfileBuilder,
    tracks: Vec<TrackId>,
    spans: u64,
}

impl Trace {
    fn new() -> Self {
        Self { b: ProfileBuilder::new("test"), tracks: Vec::new(), spans: 0 }
    }

    fn track(&mut self, name: &str, kind: TrackKind) -> TrackId {
        let sort = self.tracks.len() as i64;
        let id = self.b.track(TrackSpec { name, process: "", kind, sort });
        self.tracks.push(id);
        id
    }

    /// Returns the number by which it can be named as a parent. What is called «await …» is said to do nothing.
    fn span(&mut self, track: TrackId, name: &str, start: i64, end: i64, parent: Option<u64>) -> u64 {
        let category = if name.starts_with("await ") { "idle" } else { "" };
        let f = self.b.function(FunctionSpec { name, category, ..FunctionSpec::default() });
        let handle = self.b.span(track, start, end, f, ArgsRef::NONE);
        self.b.nest_span(track, handle, self.spans, parent);
        self.spans += 1;
        self.spans - 1
    }

    fn link(&mut self, from: (TrackId, i64), to: (TrackId, i64)) {
        let name = self.b.string("follows from");
        self.b.link(Link { from, to, name });
    }

    fn done(self) -> Run {
        Run::of(Arc::new(self.b.finish()))
    }
}

/// The pipeline of the well-known example: 12 seconds.
pub(crate) fn pipeline() -> Run {
    let mut t = Trace::new();
    let task = t.track("main", TrackKind::Task);
    let main = t.span(task, "main", 0, 12 * S, None);
    let user = t.span(task, "handle_user_request", 0, 12 * S, Some(main));
    let mut at = 0;
    let mut stage = |t: &mut Trace, name: &str, seconds: i64| {
        at += seconds * S;
        t.span(task, name, at - seconds * S, at, Some(user))
    };
    stage(&mut t, "fetch_user_data", 2);
    stage(&mut t, "preprocess_input", 1);
    let gather = stage(&mut t, "make_parallel_api_calls", 2);
    stage(&mut t, "process_request_with_llm", 3);
    let post = stage(&mut t, "postprocess_output", 2);
    stage(&mut t, "store_results", 2);
    t.span(task, "short_call", 3 * S, 4 * S, Some(gather));
    t.span(task, "long_call", 3 * S, 5 * S, Some(gather));
    t.span(task, "unnecesary_io_operation", 9 * S, 10 * S, Some(post));
    t.done()
}

#[test]
fn a_wait_is_its_callers_time_and_one_that_a_link_ended_is_nobodys() {
    let mut t = Trace::new();
    let (a, b) = (t.track("log", TrackKind::Task), t.track("user", TrackKind::Task));
    let log = t.span(a, "log", 0, 10 * S, None);
    t.span(a, "await queue", 0, 6 * S, Some(log));
    t.span(a, "await sleep", 7 * S, 9 * S, Some(log));
    let user = t.span(b, "user", 0, 8 * S, None);
    t.span(b, "fetch", 0, 2 * S, Some(user));
    t.span(b, "await sleep", 2 * S, 3 * S, Some(user));
    t.span(b, "generate", 3 * S, 6 * S, Some(user));
    t.link((b, 6 * S - 1), (a, 6 * S));
    let s = t.done();
    let graph = graph(&s);
    let mut stages: Vec<(&str, i64, i64)> =
        graph.stages.iter().map(|x| (s.profile.function_name(x.function), x.start / S, x.end / S)).collect();
    stages.sort_by_key(|x| (x.1, x.2));
    assert_eq!(stages, [("fetch", 0, 2), ("user", 2, 3), ("generate", 3, 6), ("user", 6, 8), ("log", 6, 10)]);
    let path: Vec<&str> = graph
        .path_stages()
        .map(|(i, _)| s.profile.function_name(graph.stages[i as usize].function))
        .collect();
    assert_eq!(
        path,
        ["fetch", "user", "generate", "log"],
        "the log waited for who put something into its queue"
    );
}

#[test]
fn a_caller_of_one_thing_that_takes_all_of_its_time_is_no_stage() {
    let mut t = Trace::new();
    let a = t.track("service", TrackKind::Task);
    let handle = t.span(a, "handle", 0, 1000, None);
    let traced = t.span(a, "traced", 1, 999, Some(handle));
    let answer = t.span(a, "answer", 1, 998, Some(traced));
    t.span(a, "decode", 100, 990, Some(answer));
    let other = t.span(a, "other", 1000, 1200, None);
    t.span(a, "work", 1020, 1200, Some(other));
    let s = t.done();
    let at = |level| {
        let graph = ask(&s, &Stages { level: Some(level), ..Stages::default() });
        graph.stages.iter().map(|x| name(&s, x)).collect::<Vec<_>>()
    };
    assert_eq!(at(0), ["answer", "other"], "wrappers give way to what they call; who works itself stays");
    assert_eq!(at(1), ["answer", "decode", "answer", "other", "work"]);
}

#[test]
fn slack_ends_with_the_phase() {
    let build = |phases: &[(&str, i64, i64)]| {
        let mut t = Trace::new();
        let (a, b) = (t.track("one", TrackKind::Task), t.track("other", TrackKind::Task));
        t.span(a, "short", 0, 20, None);
        t.span(b, "long", 0, 100, None);
        let phase = t.track("phases", TrackKind::Phase);
        phases.iter().for_each(|&(name, start, end)| _ = t.span(phase, name, start, end, None));
        let s = t.done();
        stage(&s, &graph(&s), "short").slack
    };
    assert_eq!(build(&[]), 80);
    assert_eq!(build(&[("load", 0, 30), ("run", 30, 100)]), 10);
    assert_eq!(build(&[("load", 0, 60), ("run", 30, 100)]), 80, "phases that overlap are no order");
}

#[test]
fn what_begins_with_a_phase_waited_for_what_ended_before_it() {
    let build = |phases: &[(&str, i64, i64)], start: i64| {
        let mut t = Trace::new();
        let [a, b, c] = ["one", "two", "three"].map(|name| t.track(name, TrackKind::Task));
        t.span(a, "fill", 0, 400, None);
        t.span(b, "warm", 0, 300, None);
        t.span(c, "serve", start, 1000, None);
        let phase = t.track("phases", TrackKind::Phase);
        phases.iter().for_each(|&(name, start, end)| _ = t.span(phase, name, start, end, None));
        t.done()
    };
    let two = [("fill", 0, 410), ("serve", 410, 1000)];
    let s = build(&two, 412);
    let g = graph(&s);
    assert_eq!(path(&s, &g), ["fill 400", "gap 12", "serve 588"]);
    assert_eq!(
        total(&s, &[(stage(&s, &g, "fill").id, Change::Drop)]),
        900,
        "then it waits for the other one"
    );
    let unknown = ["unknown 500", "serve 500"];
    let s = build(&two, 500);
    assert_eq!(path(&s, &graph(&s)), unknown, "it began later than its phase, and nobody knows why");
    let s = build(&[("fill", 0, 520), ("serve", 490, 1000)], 500);
    assert_eq!(path(&s, &graph(&s)), unknown, "phases that overlap are no order");
}

fn graph(s: &Run) -> Arc<StageGraph> {
    ask(s, &Stages::default())
}

fn name(s: &Run, stage: &Stage) -> String {
    s.profile.function_name(stage.function).to_owned()
}

fn stage(s: &Run, graph: &StageGraph, wanted: &str) -> Stage {
    *graph.stages.iter().find(|x| name(s, x) == wanted).unwrap_or_else(|| panic!("no stage {wanted}"))
}

fn path(s: &Run, graph: &StageGraph) -> Vec<String> {
    let text = |step: &Step| match *step {
        Step::Stage { stage, length } => format!("{} {length}", name(s, &graph.stages[stage as usize])),
        Step::Gap { from, to, explained } => {
            format!("{} {}", if explained { "gap" } else { "unknown" }, to - from)
        }
    };
    graph.path.iter().map(text).collect()
}

fn key(s: &Run, id: StageId) -> StageKey {
    id.key(&s.profile).expect("a stage of this run")
}

fn total(s: &Run, changes: &[(StageId, Change<StageId>)]) -> i64 {
    let change = |change| match change {
        Change::Drop => Change::Drop,
        Change::Scale(permille) => Change::Scale(permille),
        Change::Beside(other) => Change::Beside(key(s, other)),
    };
    let what_if = WhatIf { changes: changes.iter().map(|&(id, c)| (key(s, id), change(c))).collect() };
    let outcome = ask(s, &Estimate { graph: Stages::default(), what_if });
    assert_eq!(outcome.elsewhere, 0);
    outcome.total
}

#[test]
fn the_pipeline_without_its_unnecessary_step_takes_eleven_seconds() {
    let s = pipeline();
    let g = graph(&s);
    assert_eq!(g.total(), 12 * S);
    let seconds = |step: &String| step.replace("000000000", "");
    assert_eq!(
        path(&s, &g).iter().map(seconds).collect::<Vec<_>>(),
        [
            "fetch_user_data 2",
            "preprocess_input 1",
            "long_call 2",
            "process_request_with_llm 3",
            "postprocess_output 1",
            "unnecesary_io_operation 1",
            "store_results 2",
        ]
    );
    assert_eq!(g.share(), Some(1.0));
    let useless = stage(&s, &g, "unnecesary_io_operation");
    assert_eq!(total(&s, &[]), 12 * S);
    assert_eq!(total(&s, &[(useless.id, Change::Drop)]), 11 * S);
    assert_eq!(total(&s, &[(useless.id, Change::Scale(500))]), 11 * S + S / 2);
    let post = stage(&s, &g, "postprocess_output");
    assert_eq!((post.start, post.end, post.id.part), (8 * S, 9 * S, 1), "its own stretch");
    assert_eq!(total(&s, &[(useless.id, Change::Beside(post.id))]), 11 * S);
    let model = stage(&s, &g, "process_request_with_llm");
    let hidden = [(post.id, Change::Beside(model.id))];
    assert_eq!(total(&s, &hidden), 11 * S, "what comes after both still waits for both");
    let both = [(useless.id, Change::Beside(model.id)), (model.id, Change::Scale(0))];
    assert_eq!(total(&s, &both), 8 * S);
    let gains = ask(&s, &Gains { graph: Stages::default(), most: 20 });
    assert_eq!(gains[0].dropped, 3 * S);
    let of = |wanted: &str| gains.iter().find(|x| name(&s, &g.stages[x.stage as usize]) == wanted).unwrap();
    assert_eq!(of("unnecesary_io_operation").dropped, S);
    assert_eq!(of("unnecesary_io_operation").beside.map(|b| b.1), Some(S));
    assert_eq!(of("long_call").dropped, S, "then the other branch decides");
}

#[test]
fn of_two_branches_the_longer_one_decides() {
    let s = pipeline();
    let g = graph(&s);
    let (short, long) = (stage(&s, &g, "short_call"), stage(&s, &g, "long_call"));
    assert_eq!((short.slack, short.critical, short.on_path), (S, false, 0));
    assert_eq!((long.slack, long.critical, long.on_path), (0, true, 2 * S));
    assert_ne!(short.lane, long.lane);
    assert_eq!(total(&s, &[(short.id, Change::Drop)]), 12 * S);
    assert_eq!(total(&s, &[(short.id, Change::Drop), (long.id, Change::Drop)]), 10 * S);
    let index = |id| g.find(id).unwrap();
    let model = index(stage(&s, &g, "process_request_with_llm").id);
    let mut waits: Vec<_> = g.edges.iter().filter(|e| e.to == model).map(|e| (e.from, e.critical)).collect();
    waits.sort_unstable();
    let mut expected = vec![(index(short.id), false), (index(long.id), true)];
    expected.sort_unstable();
    assert_eq!(waits, expected);
}

#[test]
fn marks_of_a_profiler_are_no_stages() {
    let mut t = Trace::new();
    let task = t.track("main", TrackKind::Thread);
    for step in 0..2 {
        let at = step * 10;
        let mark = t.span(task, &format!("ProfilerStep#{}", step + 5), at, at + 10, None);
        let op = t.span(task, "aten::conv2d", at + 1, at + 6, Some(mark));
        t.span(task, "aten::convolution", at + 2, at + 5, Some(op));
    }
    let s = t.done();
    let at_level = |level| {
        let g = ask(&s, &Stages { level, ..Stages::default() });
        g.stages.iter().map(|stage| name(&s, stage)).collect::<Vec<_>>()
    };
    assert_eq!(at_level(Some(0)), ["aten::conv2d", "aten::conv2d"]);
    assert!(at_level(None).iter().all(|name| !name.starts_with("ProfilerStep")));
}

#[test]
fn all_stages_of_a_name_are_one_idea() {
    let mut t = Trace::new();
    let task = t.track("main", TrackKind::Task);
    let main = t.span(task, "main", 0, 60 * S, None);
    for round in 0..3 {
        let at = round * 20 * S;
        t.span(task, "decode", at, at + 15 * S, Some(main));
        t.span(task, "check", at + 15 * S, at + 20 * S, Some(main));
    }
    let s = t.done();
    let gains = ask(&s, &NameGains { graph: Stages::default(), most: 8 });
    let told: Vec<_> = gains
        .iter()
        .map(|g| (s.profile.function_name(g.function), g.stages, g.dropped / S, g.halved * 2 / S))
        .collect();
    assert_eq!(told, [("decode", 3, 45, 45), ("check", 3, 15, 15)]);
    let g = graph(&s);
    let all = WhatIf::of_name(&g, gains[0].function, Change::Drop, &s.profile);
    let estimate = ask(&s, &Estimate { graph: Stages::default(), what_if: all });
    assert_eq!(estimate.difference(), -45 * S, "what is tried is what was promised");
}

#[test]
fn levels_fold_what_is_below() {
    let s = pipeline();
    let at = |level| ask(&s, &Stages { level: Some(level), ..Stages::default() });
    assert_eq!((at(0).stages.len(), at(1).stages.len(), at(2).stages.len(), at(9).level), (1, 6, 8, 2));
    assert_eq!(at(2).total(), 12 * S);
    assert_eq!(graph(&s).deepest, 2);
}

#[test]
fn each_track_has_a_level_that_can_be_overlooked() {
    let mut t = Trace::new();
    let (cpu, gpu) = (t.track("cpu", TrackKind::Thread), t.track("gpu", TrackKind::GpuStream));
    let main = t.span(cpu, "main", 0, 1000, None);
    for i in 0..3 {
        t.span(cpu, "step", i * 300, i * 300 + 200, Some(main));
    }
    for i in 0..500 {
        t.span(gpu, "kernel", i * 2, i * 2 + 1, None);
    }
    let s = t.done();
    let g = graph(&s);
    assert_eq!(g.stages.iter().filter(|x| name(&s, x) == "step").count(), 3);
    assert_eq!(g.stages.iter().filter(|x| name(&s, x) == "kernel").count(), 500);
}

/// a, then b and c at the same time in other tasks, then d.
#[test]
fn slack_in_a_diamond_of_links() {
    let mut t = Trace::new();
    let tracks = ["a", "b", "c", "d"].map(|n| t.track(n, TrackKind::Task));
    for (track, name, start, end) in [(0, "a", 0, 10), (1, "b", 12, 20), (2, "c", 12, 50), (3, "d", 52, 60)] {
        t.span(tracks[track], name, start, end, None);
    }
    for (from, at, to, then) in [(0, 10, 1, 12), (0, 10, 2, 12), (1, 20, 3, 52), (2, 50, 3, 52)] {
        t.link((tracks[from], at), (tracks[to], then));
    }
    let s = t.done();
    let g = graph(&s);
    assert_eq!(path(&s, &g), ["a 10", "gap 2", "c 38", "gap 2", "d 8"]);
    assert_eq!((stage(&s, &g, "b").slack, stage(&s, &g, "c").slack), (30, 0));
    assert_eq!(total(&s, &[(stage(&s, &g, "c").id, Change::Drop)]), 30, "b decides, gaps stay");
    assert_eq!(total(&s, &[(stage(&s, &g, "a").id, Change::Scale(500))]), 55);
}

#[test]
fn what_no_link_tells_of_is_unknown_and_stays() {
    let mut t = Trace::new();
    let (a, b) = (t.track("a", TrackKind::Task), t.track("b", TrackKind::Task));
    t.span(a, "early", 0, 40, None);
    t.span(b, "late", 50, 100, None);
    let s = t.done();
    let g = graph(&s);
    assert_eq!(path(&s, &g), ["unknown 50", "late 50"]);
    assert_eq!(g.share(), Some(0.5));
    assert_eq!(stage(&s, &g, "early").slack, 60);
    assert_eq!(total(&s, &[(stage(&s, &g, "early").id, Change::Drop)]), 100);
}

#[test]
fn a_launch_inside_of_a_stage_moves_what_it_launched() {
    let mut t = Trace::new();
    let (cpu, gpu) = (t.track("cpu", TrackKind::Thread), t.track("gpu", TrackKind::GpuStream));
    t.span(cpu, "op", 0, 10, None);
    t.span(gpu, "kernel", 6, 20, None);
    t.span(gpu, "next", 21, 30, None);
    t.link((cpu, 4), (gpu, 6));
    t.link((cpu, 8), (gpu, 21));
    let s = t.done();
    let g = graph(&s);
    assert_eq!(path(&s, &g), ["op 4", "gap 2", "kernel 14", "gap 1", "next 9"]);
    assert_eq!(total(&s, &[(stage(&s, &g, "op").id, Change::Scale(500))]), 28);
    assert_eq!(total(&s, &[(stage(&s, &g, "kernel").id, Change::Drop)]), 18, "its second launch decides");
}

#[test]
fn spawned_tasks_start_when_their_caller_does_and_waiting_is_told_apart() {
    let mut t = Trace::new();
    t.b.metric(Metric::time());
    let busy = t.b.metric(Metric::new("busy", "Busy", Unit::Nanoseconds));
    let main = t.track("main", TrackKind::Task);
    let workers = [1, 2].map(|_| t.track("work", TrackKind::Task));
    let root = t.span(main, "main", 0, 100, None);
    t.span(main, "prepare", 0, 30, Some(root));
    for (track, end) in workers.into_iter().zip([60, 90]) {
        t.span(track, "work", 30, end, Some(root));
        t.b.span_cost(track, 0, busy, 5);
    }
    let s = t.done();
    let g = graph(&s);
    assert_eq!(path(&s, &g), ["prepare 30", "work 60", "main 10"]);
    let works: Vec<_> =
        g.stages.iter().filter(|x| name(&s, x) == "work").map(|x| (x.slack, x.busy)).collect();
    assert_eq!(works, [(0, Some(5)), (30, Some(5))]);
    assert_eq!(g.tracks.len(), 3);
    assert_eq!(total(&s, &[(stage(&s, &g, "prepare").id, Change::Drop)]), 70);
}

#[test]
fn what_a_lock_held_up_began_when_somebody_let_go_of_it() {
    // Called and waited for at once, or made as a task that is waited for.
    for called in [true, false] {
        let mut t = Trace::new();
        let main = t.track("main", TrackKind::Task);
        let root = t.span(main, "main", 0, 700, None);
        let answers = [1, 2].map(|_| t.track("answer", TrackKind::Task));
        for (n, from) in [(0, 0), (1, 350)] {
            let (own, load) = (answers[n], t.track("load", TrackKind::Task));
            let answer = t.span(own, "answer", 0, from + 350, Some(root));
            if from > 0 {
                t.span(own, "await acquire", 0, from, Some(answer));
                t.link((answers[0], from), (own, from));
            }
            t.span(load, "load", from, from + 50, called.then_some(answer));
            if !called {
                t.link((own, from), (load, from));
                t.span(own, "await load", from, from + 50, Some(answer));
                t.link((load, from + 50), (own, from + 50));
            }
            t.span(own, "generate", from + 50, from + 350, Some(answer));
        }
        let s = t.done();
        assert_eq!(path(&s, &graph(&s)), ["load 50", "generate 300", "load 50", "generate 300"], "{called}");
    }
}

#[test]
fn nothing_and_only_a_part_are_graphs_too() {
    assert_eq!(graph(&Trace::new().done()).total(), 0);
    let s = pipeline();
    let part = ask(&s, &Stages { range: Some((3 * S, 8 * S)), ..Stages::default() });
    assert_eq!(part.stages.len(), 3);
    let first = key(&s, part.stages[0].id);
    let toggled = WhatIf::default().toggled(first, Change::Drop);
    assert!(toggled.toggled(first, Change::Drop).is_empty());
    let other = toggled.toggled(first, Change::Scale(500));
    assert_eq!(other.changes, [(first, Change::Scale(500))]);
    let gone = StageKey { span: SpanKey { start: -7, ..first.span }, part: 0 };
    let elsewhere = WhatIf { changes: vec![(gone, Change::Drop), (first, Change::Beside(gone))] };
    assert_eq!(ask(&s, &Estimate { graph: Stages::default(), what_if: elsewhere }).elsewhere, 2);
}

proptest! {
    #[test]
    fn paths_add_up_and_no_stage_less_makes_it_longer(
        spans in proptest::collection::vec((0usize..3, 0i64..60, 0i64..30, 0u64..12), 1..16),
        links in proptest::collection::vec((0usize..3, 0i64..90, 0usize..3, 0i64..90), 0..8),
        change in 0usize..100,
        level in 0u32..4,
    ) {
        // A launch moves with the middle of a stage, so slack of its end says less there.
        let unlinked = links.is_empty();
        let mut t = Trace::new();
        let tracks = [TrackKind::Task, TrackKind::Async, TrackKind::GpuStream].map(|kind| t.track("t", kind));
        for (track, start, length, parent) in spans {
            t.span(tracks[track], "f", start, start + length, Some(parent));
        }
        for (from, at, to, then) in links {
            t.link((tracks[from], at), (tracks[to], then));
        }
        let s = t.done();
        let query = Stages { level: Some(level), ..Stages::default() };
        let g = ask(&s, &query);
        let lengths = g.path.iter().map(|step| match *step {
            Step::Stage { length, .. } => length,
            Step::Gap { from, to, .. } => to - from,
        });
        prop_assert_eq!(lengths.sum::<i64>(), g.total());
        prop_assert!(g.stages.iter().all(|x| x.slack >= 0 && x.on_path <= x.duration()));
        let estimate = |what_if| ask(&s, &Estimate { graph: query.clone(), what_if });
        let same = estimate(WhatIf::default());
        prop_assert_eq!(same.total, g.total());
        prop_assert!(same.stages.iter().zip(&g.stages).all(|(now, x)| *now == (x.start, x.end)));
        let id = key(&s, g.stages[change % g.stages.len()].id);
        for what in [Change::Drop, Change::Scale(500), Change::Beside(key(&s, g.stages[0].id))] {
            let outcome = estimate(WhatIf::default().toggled(id, what));
            prop_assert!(outcome.total <= g.total());
        }
        for gain in ask(&s, &Gains { graph: query.clone(), most: 99 }).iter() {
            let id = |stage: u32| key(&s, g.stages[stage as usize].id);
            let saved = |what| -estimate(WhatIf::default().toggled(id(gain.stage), what)).difference();
            prop_assert_eq!(gain.dropped, saved(Change::Drop));
            if let Some((other, together)) = gain.beside {
                prop_assert_eq!(together, saved(Change::Beside(id(other))));
            }
        }
        for x in g.stages.iter().filter(|x| unlinked && x.slack > 0) {
            let longer = Change::Scale(2000);
            let outcome = estimate(WhatIf::default().toggled(key(&s, x.id), longer));
            prop_assert!(outcome.total <= g.total() + (x.duration() - x.slack).max(0));
        }
    }
}
