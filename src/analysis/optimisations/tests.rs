use super::*;
use crate::analysis::testing::built;
use crate::jobs::Job;
use crate::model::{
    ArgsRef, CacheOutcome, FactKind, FunctionSpec, ProfileBuilder, Request, TrackKind, TrackSpec,
};
use crate::query::{Engine, Pair, Run, RunId};

fn map(run: &Run) -> Vec<Entry> {
    (*crate::analysis::testing::ask(run, &Optimisations::default())).clone()
}

fn status(run: &Run, lever: Lever) -> (Status, String) {
    let entry = map(run).into_iter().find(|e| e.lever == lever).expect("each has a line");
    (entry.status, entry.why)
}

/// A service with a batch size that answers `hits` of ten requests from its cache.
fn service(b: &mut ProfileBuilder, batch: &str, hits: i64) {
    b.meta.setting("Batch size", batch);
    let provider = b.string("vllm");
    for i in 0..10i64 {
        let cache = if i < hits { CacheOutcome::Exact } else { CacheOutcome::Miss };
        b.request(Request {
            provider,
            arrived: i * 1000,
            first_token: Some(i * 1000 + 100),
            finished: Some(i * 1000 + 500),
            cache: (hits > 0).then_some(cache),
            ..Request::default()
        });
    }
}

#[test]
fn a_run_without_models_has_no_optimisations() {
    let run = crate::analysis::testing::subject("main 0 100");
    assert!(map(&run).is_empty());
}

#[test]
fn what_a_provider_decides_does_not_apply_and_what_nobody_says_is_unknown() {
    let run = built(|b| {
        let provider = b.string("openai");
        b.request(Request { provider, finished: Some(500), ..Request::default() });
    });
    for lever in [Lever::Quantization, Lever::Batching, Lever::Pruning, Lever::Hardware] {
        let (status, why) = status(&run, lever);
        assert_eq!(status, Status::NotApplicable);
        assert!(why.contains("providers"), "{why}");
    }
    assert_eq!(status(&run, Lever::Caching).0, Status::Unknown);
    assert_eq!(status(&run, Lever::Streaming).0, Status::Unknown);
    let local = built(|b| service(b, "1", 0));
    assert_eq!(status(&local, Lever::Pruning).0, Status::Unknown, "one's own server may prune");
    let gpu = built(|b| {
        let kind = TrackKind::GpuStream;
        let track = b.track(TrackSpec { name: "stream 7", process: "GPU 0", kind, sort: 0 });
        let kernel = b.function(FunctionSpec { category: "kernel", ..FunctionSpec::named("gemm") });
        b.span(track, 0, 100, kernel, ArgsRef::NONE);
    });
    assert_eq!(status(&gpu, Lever::Hardware).0, Status::Tried);
    assert_eq!(status(&gpu, Lever::Caching).0, Status::NotApplicable, "it holds no requests");
}

#[test]
fn what_is_in_use_is_tried_and_a_finding_suggests() {
    let run = built(|b| service(b, "32", 3));
    let (of_cache, why) = status(&run, Lever::Caching);
    assert_eq!((of_cache, why.as_str()), (Status::Tried, "30.0 % of the look-ups found an answer"));
    assert_eq!(status(&run, Lever::Batching), (Status::Tried, "Batch size: 32".into()));
    let (of_streams, why) = status(&run, Lever::Streaming);
    assert_eq!(of_streams, Status::Tried);
    assert!(why.starts_with("10 of 10 answers were streamed: first token after 100 ns"), "{why}");
    let again = built(|b| {
        let (prompt, model) = (b.string("What is a span?"), b.string("m"));
        for i in 0..10 {
            b.request(Request { prompt, model, arrived: i, finished: Some(i + 100), ..Request::default() });
        }
    });
    let entry = map(&again).into_iter().find(|e| e.lever == Lever::Caching).unwrap();
    assert_eq!(entry.status, Status::Suggested);
    assert_eq!(entry.findings[0].kind, "The same is asked again");
}

#[test]
fn two_runs_say_which_lever_was_turned_and_what_else_was() {
    let between = |base: Run, head: Run| {
        let pair = Pair::of(Run { id: RunId(1), ..base }, Run { id: RunId(2), ..head });
        Engine::inline().now(&pair, &Tried::default(), &Job::new()).unwrap()
    };
    let one = between(built(|b| service(b, "1", 0)), built(|b| service(b, "32", 0)));
    assert_eq!(one.steps.len(), 1, "{:?}", one.steps);
    let step = one.step(Lever::Batching).unwrap();
    assert_eq!(step.words(), "Batch size 1 → 32. Nothing else differs.");
    assert!(one.came_of_it().contains("Latency p50 500 ns → 500 ns"), "{}", one.came_of_it());
    let seeded = built(|b| {
        service(b, "32", 4);
        b.meta.facts.push(crate::model::Fact::new(FactKind::Setting, "Seed", "7"));
    });
    let two = between(built(|b| service(b, "1", 0)), seeded);
    let batching = two.step(Lever::Batching).unwrap();
    assert_eq!(batching.besides, ["Seed"]);
    assert_eq!(two.step(Lever::Caching).unwrap().changed, ["only the new run uses it"]);
    let same = between(built(|b| service(b, "32", 4)), built(|b| service(b, "32", 4)));
    assert!(same.steps.is_empty());
}
