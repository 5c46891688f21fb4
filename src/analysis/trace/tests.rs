use super::sequence::{Role, Says, Sequence, SequenceOf};
use super::*;
use crate::analysis::asked::Asked;
use crate::analysis::prices::Prices;
use crate::analysis::request_facets::{Facet, Filter};
use crate::analysis::testing::{ask, built};
use crate::model::messages::join;
use crate::model::{
    ArgsRef, CacheOutcome, FunctionSpec, Link, Outcome, ProfileBuilder, Request, Retry, SpanStatus,
    TokenCounts, TrackId, TrackKind, TrackSpec,
};
use crate::query::Run;

const MS: i64 = 1_000_000;

fn track(b: &mut ProfileBuilder, name: &str) -> TrackId {
    b.track(TrackSpec { name, process: "", kind: TrackKind::Async, sort: 0 })
}

fn span(b: &mut ProfileBuilder, track: TrackId, (name, category): (&str, &str), (start, end): (i64, i64)) {
    let f = b.function(FunctionSpec { category, ..FunctionSpec::named(name) });
    b.span(track, start * MS, end * MS, f, ArgsRef::NONE);
}

fn call(b: &mut ProfileBuilder, track: TrackId, name: &str, (start, end): (i64, i64)) -> Request {
    span(b, track, (name, "llm"), (start, end));
    let (name, model) = (b.string(name), b.string("m-1"));
    Request {
        name,
        model,
        track: Some(track),
        arrived: start * MS,
        finished: Some(end * MS),
        tokens: TokenCounts { input: Some(100), output: Some(10), ..TokenCounts::default() },
        ..Request::default()
    }
}

/// An agent: a model, a tool that calls another one, a tool that fails, and a model call that waits 20 ms and is tried twice.
fn agent() -> Run {
    built(|b| {
        let t = track(b, "trace");
        span(b, t, ("plan", "agent"), (0, 200));
        span(b, t, ("glue", ""), (0, 199));
        let first = call(b, t, "chat", (0, 50));
        let prompt = join([("system", "Be short."), ("user", "What is it?")]);
        let completion = b.string("Let me see.");
        let prompt = b.string(&prompt);
        b.request(Request { first_token: Some(30 * MS), prompt, completion, ..first });
        span(b, t, ("search", "tool"), (60, 90));
        span(b, t, ("read", "tool"), (70, 80));
        let f = b.function(FunctionSpec { category: "tool", ..FunctionSpec::named("write") });
        let handle = b.open_span(t, 90 * MS, f, ArgsRef::NONE);
        b.close_span(t, handle, 95 * MS, SpanStatus::Error);
        let second = call(b, t, "chat again", (100, 190));
        let turns = [
            ("system", "Be short."),
            ("user", "What is it?"),
            ("assistant", "Let me see."),
            ("tool", "A cat."),
        ];
        let prompt = b.string(&join(turns));
        let reason = b.string("HTTP 429");
        b.request(Request {
            scheduled: Some(120 * MS),
            retries: vec![Retry { began: 120 * MS, failed: 130 * MS, again: 150 * MS, reason }],
            first_token: Some(160 * MS),
            prompt,
            ..second
        });
    })
}

fn tree(run: &Run, which: Which) -> std::sync::Arc<Tree> {
    ask(run, &TraceOf { which, prices: Prices::default() })
}

fn first(run: &Run) -> Which {
    ask(run, &Traces::default()).first().expect("a trace").which.clone()
}

/// Steps with their levels among those that are shown, from start to end in ms.
fn shown(run: &Run, tree: &Tree) -> Vec<String> {
    let depth = |at: usize| {
        let up = |&i: &usize| Some(tree.steps[i].parent as usize).filter(|&p| p < tree.steps.len());
        std::iter::successors(up(&at), up).filter(|&i| tree.steps[i].shown).count()
    };
    let steps = tree.steps.iter().enumerate().filter(|(_, s)| s.shown);
    let text = |(at, s): (usize, &Step)| {
        let (name, kind) = (s.name(&run.profile), s.kind.name());
        format!("{}{kind} {name} {}..{}", ">".repeat(depth(at)), s.start / MS, s.end / MS)
    };
    steps.map(text).collect()
}

#[test]
fn an_agent_run_is_its_steps_and_its_sums_are_those_of_the_parts() {
    let run = agent();
    let list = ask(&run, &Traces::default());
    let head = &list.heads[0];
    assert_eq!((list.heads.len(), head.name.as_str(), head.calls, head.steps), (1, "plan", 2, 4));
    let tree = tree(&run, first(&run));
    assert_eq!(
        shown(&run, &tree),
        [
            "agent plan 0..200",
            ">model chat 0..50",
            ">tool search 60..90",
            ">>tool read 70..80",
            ">tool write 90..95",
            ">model chat again 100..190",
        ]
    );
    assert_eq!(tree.steps.iter().filter(|s| !s.shown).count(), 1, "what lies between is counted");
    let t = &tree.totals;
    let f = t.requests.as_ref().unwrap();
    let tokens = (f.prompt_tokens, f.output_tokens);
    assert_eq!((f.count, t.failed, tokens, f.retries), (2, 1, (Some(200), Some(20)), 1));
    // Models 0..50, 120..130 and 150..190; tools 60..95; waiting 100..120 and 130..150.
    assert_eq!([t.wall, t.models, t.tools, t.waiting, t.rest].map(|ns| ns / MS), [200, 100, 35, 40, 25]);
    assert_eq!((f.cost, f.unpriced), (None, 2), "nobody knows a price of the model");
    let keys: std::collections::HashSet<u64> = tree.steps.iter().map(|s| s.key).collect();
    assert_eq!(keys.len(), tree.steps.len());
}

#[test]
fn what_an_earlier_prompt_said_is_counted() {
    let run = agent();
    let tree = tree(&run, first(&run));
    let at = |name: &str| tree.steps.iter().position(|s| s.name(&run.profile) == name).unwrap();
    let before = said::said(&run.profile, &tree, at("chat"));
    assert_eq!((before.as_before, before.parts.len()), (0, 3));
    let now = said::said(&run.profile, &tree, at("chat again"));
    let texts: Vec<_> = now.parts[now.as_before..].iter().map(|p| (p.who.name(), p.text.as_str())).collect();
    assert_eq!((now.as_before, texts), (3, vec![("tool", "A cat.")]), "the earlier answer was said, too");
    assert_eq!(said::counts(&run.profile, &tree.steps[at("chat again")]), (4, 0));
}

/// Each conversation has two calls without any span; a third one is nobody's.
fn conversations() -> Run {
    built(|b| {
        let session = b.string("session");
        for (n, of) in ["a", "b", "a", "", "b"].into_iter().enumerate() {
            let (name, value) = (b.string(&format!("r{n}")), b.string(of));
            let attributes = if of.is_empty() { Vec::new() } else { vec![(session, value)] };
            let arrived = n as i64 * 10 * MS;
            b.request(Request {
                name,
                arrived,
                finished: Some(arrived + 5 * MS),
                attributes,
                ..Request::default()
            });
        }
    })
}

#[test]
fn conversations_are_all_their_requests_in_order_even_without_spans() {
    let run = conversations();
    let list = ask(&run, &Traces::default());
    let heads: Vec<_> = list.heads.iter().map(|h| (h.name.as_str(), h.calls)).collect();
    assert_eq!(heads, [("a", 2), ("b", 2), ("Other requests", 1)]);
    let tree = tree(&run, Which::Session("b".into()));
    assert_eq!(shown(&run, &tree), ["agent  10..45", ">model r1 10..15", ">model r4 40..45"]);
    assert_eq!(list.of_request(crate::model::RequestId(2)), Some(&Which::Session("a".into())));
    assert_eq!(list.of_request(crate::model::RequestId(3)), Some(&Which::Loose));
    let session = Facet::Attribute("session".into());
    let asked = Asked { filter: Filter::default().only(session, "b"), ..Asked::default() };
    let list = ask(&run, &Traces { asked });
    assert_eq!(list.heads.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_conversation_over_several_traces_has_each_whole_but_nothing_of_others() {
    let run = built(|b| {
        let session = b.string("session");
        let t = track(b, "t");
        for (n, of) in ["a", "a", "b"].into_iter().enumerate() {
            let at = n as i64 * 100;
            span(b, t, ("turn", "agent"), (at, at + 60));
            let value = b.string(of);
            let r = call(b, t, "chat", (at, at + 50));
            b.request(Request { attributes: vec![(session, value)], ..r });
            span(b, t, ("look", "tool"), (at + 50, at + 55));
        }
    });
    let tree = tree(&run, Which::Session("a".into()));
    assert_eq!(
        shown(&run, &tree),
        [
            "agent  0..160",
            ">agent turn 0..60",
            ">>model chat 0..50",
            ">>tool look 50..55",
            ">agent turn 100..160",
            ">>model chat 100..150",
            ">>tool look 150..155",
        ]
    );
}

#[test]
fn a_trace_without_steps_is_shown_as_it_is() {
    let run = crate::analysis::testing::subject("main 0 100 / f 10 40 / g 20 30; other 200 210");
    let list = ask(&run, &Traces::default());
    assert_eq!(list.heads.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), ["main", "other"]);
    let tree = tree(&run, first(&run));
    assert_eq!(tree.steps.iter().map(|s| s.shown).collect::<Vec<_>>(), [true; 3]);
    let deep = ask(&run, &TraceOf { which: Which::Session("none".into()), prices: Prices::default() });
    assert!(deep.steps.is_empty());
}

/// Who called whom, in ms.
fn told(sequence: &Sequence) -> Vec<String> {
    let line = |at: u32| sequence.lines[at as usize].name.as_str();
    let text = |a: &sequence::Arrow| {
        let took = a.took.map_or_else(String::new, |t| format!(" {}", t / MS));
        let sign = match a.says {
            Says::Call => "->",
            Says::Answer => "-->",
            Says::FirstToken => "-1>",
            Says::Failed => "-x>",
        };
        format!("{} {}{sign}{} {}{took}", a.time / MS, line(a.from), line(a.to), a.label)
    };
    sequence.arrows.iter().map(text).collect()
}

fn sequence_of(run: &Run, which: Which, name: &str) -> std::sync::Arc<Sequence> {
    let trace = TraceOf { which, prices: Prices::default() };
    let tree = ask(run, &trace);
    let key = tree.steps.iter().find(|s| s.name(&run.profile) == name).unwrap().key;
    ask(run, &SequenceOf { trace, key })
}

#[test]
fn stamps_alone_tell_of_queue_retries_and_first_token() {
    let run = agent();
    let found = sequence_of(&run, first(&run), "chat again");
    let lines: Vec<_> = found.lines.iter().map(|l| (l.role, l.name.as_str())).collect();
    assert_eq!(lines, [(Role::Caller, "client"), (Role::Queue, "queue"), (Role::Model, "m-1")]);
    assert_eq!(
        told(&found),
        [
            "100 client->queue enqueue",
            "120 queue-->client turn 20",
            "120 client->m-1 attempt 1",
            "130 m-1-x>client HTTP 429 10",
            "130 client->client back-off 20",
            "150 client->m-1 chat again",
            "160 m-1-1>client first token 30",
            "190 m-1-->client last token 90",
        ]
    );
    assert!(found.busy.iter().any(|b| b.waits && (b.from, b.to) == (130 * MS, 150 * MS)));
}

#[test]
fn an_agent_calls_models_and_tools_and_overlapping_calls_are_framed() {
    let run = built(|b| {
        let t = track(b, "trace");
        span(b, t, ("plan", "agent"), (0, 100));
        span(b, t, ("a", "tool"), (10, 60));
        span(b, t, ("b", "tool"), (20, 40));
        span(b, t, ("c", "tool"), (70, 80));
    });
    let found = sequence_of(&run, first(&run), "plan");
    assert_eq!(
        told(&found),
        ["10 plan->a a", "20 a->b b", "40 b-->a  20", "60 a-->plan  50", "70 plan->c c", "80 c-->plan  10"]
    );
    assert!(found.blocks.is_empty(), "a callee runs while its caller waits");
    let run = built(|b| {
        let t = track(b, "trace");
        let functions = [("plan", "agent"), ("a", "tool"), ("b", "tool")]
            .map(|(name, category)| b.function(FunctionSpec { category, ..FunctionSpec::named(name) }));
        for (n, (start, end)) in [(0, 100), (10, 60), (20, 70)].into_iter().enumerate() {
            let handle = b.open_span(t, start * MS, functions[n], ArgsRef::NONE);
            b.close_span(t, handle, end * MS, SpanStatus::Ok);
            b.nest_span(t, handle, n as u64, (n > 0).then_some(0));
        }
    });
    let found = sequence_of(&run, first(&run), "plan");
    let blocks: Vec<_> = found.blocks.iter().map(|b| (b.parallel, b.from / MS, b.to / MS)).collect();
    assert_eq!(blocks, [(true, 10, 70)]);
    assert_eq!(told(&found), ["10 plan->a a", "20 plan->b b", "60 a-->plan  50", "70 b-->plan  50"]);
}

#[test]
fn a_service_has_cache_queue_worker_and_model_and_says_which_way_it_went() {
    let run = built(|b| {
        let client = b.track(TrackSpec { name: "client #1", process: "", kind: TrackKind::Task, sort: 0 });
        let worker = b.track(TrackSpec { name: "worker 2", process: "", kind: TrackKind::Thread, sort: 1 });
        let service = |b: &mut ProfileBuilder, track, name: &str, (start, end): (i64, i64)| {
            let f = b.function(FunctionSpec { module: "inferscope::service", ..FunctionSpec::named(name) });
            b.span(track, start * MS, end * MS, f, ArgsRef::NONE);
        };
        service(b, client, "client", (0, 300));
        service(b, client, "request", (0, 100));
        service(b, client, "cache_get", (1, 3));
        service(b, client, "wait_in_queue", (3, 40));
        service(b, client, "wait_for_first_token", (40, 60));
        service(b, client, "receive_tokens", (60, 98));
        service(b, worker, "batch", (40, 99));
        let name = b.string("follows from");
        b.link(Link { from: (client, 40 * MS), to: (worker, 40 * MS), name });
        let (name, model) = (b.string("#1 Why?"), b.string("tiny"));
        let r = Request {
            name,
            model,
            cache: Some(CacheOutcome::Miss),
            track: Some(worker),
            arrived: MS / 2,
            scheduled: Some(40 * MS + 1),
            first_token: Some(60 * MS),
            token_times: vec![60 * MS, 80 * MS, 97 * MS],
            finished: Some(99 * MS),
            batch: Some(1),
            outcome: Outcome::Ok,
            ..Request::default()
        };
        b.request(r);
        // A hit, which nobody works on.
        service(b, client, "request", (200, 203));
        service(b, client, "cache_get", (201, 202));
        b.request(Request {
            name,
            model,
            cache: Some(CacheOutcome::Exact),
            arrived: 200 * MS + 1,
            finished: Some(203 * MS - 1),
            ..Request::default()
        });
    });
    let which = first(&run);
    let tree = tree(&run, which.clone());
    assert_eq!(
        shown(&run, &tree),
        [
            "stage client 0..300",
            ">model #1 Why? 0..99",
            ">>cache cache_get 1..3",
            ">>wait wait_in_queue 3..40",
            ">>worker batch 40..99",
            ">>receive wait_for_first_token 40..60",
            ">>receive receive_tokens 60..98",
            ">model #1 Why? 200..202",
            ">>cache cache_get 201..202",
        ]
    );
    let trace = TraceOf { which, prices: Prices::default() };
    let miss = ask(&run, &SequenceOf { trace: trace.clone(), key: tree.steps[1].key });
    let names: Vec<_> = miss.lines.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["client", "cache", "queue", "worker 2", "tiny"]);
    assert_eq!(
        told(&miss),
        [
            "1 client->cache cache_get",
            "3 cache-->client  2",
            "3 client->queue wait_in_queue",
            "40 queue-->worker 2 turn 37",
            "40 worker 2->tiny #1 Why?",
            "60 tiny-1>client first token 59",
            "99 tiny-->client last token 98",
        ]
    );
    let ways: Vec<_> = miss.blocks.iter().map(|b| (b.label.as_str(), b.from / MS, b.to / MS)).collect();
    assert_eq!(ways, [("miss", 3, 99)]);
    let hit_at = tree.steps.iter().position(|s| s.start == 200 * MS + 1).unwrap();
    let hit = ask(&run, &SequenceOf { trace, key: tree.steps[hit_at].key });
    assert_eq!(told(&hit), ["201 client->cache cache_get", "202 cache-->client  1"]);
    assert_eq!(hit.blocks[0].label, "hit: the same request");
}

#[test]
fn a_deep_and_wide_trace_is_walked_without_recursion() {
    let run = built(|b| {
        let t = track(b, "trace");
        let f = b.function(FunctionSpec { category: "tool", ..FunctionSpec::named("step") });
        for depth in 0..20_000i64 {
            b.span(t, depth, 100_000 - depth, f, ArgsRef::NONE);
        }
    });
    let tree = tree(&run, first(&run));
    assert_eq!((tree.steps.len(), tree.steps[19_999].depth, tree.steps[0].below), (20_000, 19_999, 20_000));
}

#[test]
fn an_answer_of_which_nobody_wrote_the_end_has_no_length() {
    let run = built(|b| {
        let name = b.string("chat");
        for (arrived, finished) in [(0, None), (100 * MS, None), (200 * MS, Some(250 * MS))] {
            b.request(Request { name, arrived, finished, outcome: Outcome::Ok, ..Request::default() });
        }
    });
    let tree = tree(&run, first(&run));
    let lengths: Vec<_> = tree.steps.iter().filter(|s| s.request.is_some()).map(Step::duration).collect();
    assert_eq!(lengths, [None, None, Some(50 * MS)]);
}
