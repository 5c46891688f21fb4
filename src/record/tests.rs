//! What the recorder promises, seen from outside: spans in, profile out.
//!
//! Recordings take turns by themselves, so these tests may run in parallel. Times are compared only
//! where a sleep makes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tracing::{Instrument, Span, info_span, trace_span, warn};

use super::*;
use crate::model::{Outcome, Profile, Severity, SpanStatus, TrackId, TrackKind};

pub(super) fn quiet() -> Options {
    Options { sample_hz: 0, ..Options::default() }
}

fn run(work: impl FnOnce(&Context) -> Result<(), WorkloadError> + Send + 'static) -> Arc<Profile> {
    record(Work::new("test", work), quiet(), Box::new(|_| ())).unwrap().join().unwrap()
}

fn workload(id: &str, params: &[&str]) -> Arc<Profile> {
    let params: Vec<String> = params.iter().map(ToString::to_string).collect();
    start(id, &params, quiet(), Box::new(|_| ())).unwrap().join().unwrap()
}

/// A span as a test wants to see it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) track: TrackId,
    pub(super) kind: TrackKind,
    pub(super) lane: usize,
    pub(super) parent: String,
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) busy: i64,
    pub(super) status: SpanStatus,
    pub(super) args: Vec<(String, String)>,
}

impl Seen {
    pub(super) fn duration(&self) -> i64 {
        self.end - self.start
    }

    pub(super) fn arg(&self, key: &str) -> &str {
        self.args.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)
    }
}

pub(super) fn all(p: &Profile, name: &str) -> Vec<Seen> {
    let busy = p.metric_by_key("busy").unwrap();
    let mut seen = Vec::new();
    for id in p.track_ids() {
        let track = p.track(id);
        for (row, s) in track.spans.rows.iter().enumerate() {
            if p.function_name(s.function) != name {
                continue;
            }
            let name_of = |row: u32| p.function_name(track.spans.rows[row as usize].function).to_owned();
            seen.push(Seen {
                track: id,
                kind: track.kind,
                lane: track.spans.lanes.iter().position(|l| l.rows.contains(&(row as u32))).unwrap(),
                parent: track.spans.rows.get(s.parent as usize).map_or(String::new(), |_| name_of(s.parent)),
                start: s.start,
                end: s.end,
                busy: track.spans.costs.iter().find(|(m, _)| *m == busy).unwrap().1[row],
                status: s.status,
                args: p.inline_args(s.args),
            });
        }
    }
    seen.sort_by_key(|s| s.start);
    seen
}

pub(super) fn one(p: &Profile, name: &str) -> Seen {
    let seen = all(p, name);
    assert_eq!(seen.len(), 1, "{name}: {seen:?}");
    seen[0].clone()
}

fn links(p: &Profile) -> Vec<(String, String, String)> {
    let label = |t| p.track_label(t);
    let text = |l: &crate::model::Link| p.text(l.name).to_owned();
    p.links.iter().map(|l| (text(l), label(l.from.0), label(l.to.0))).collect()
}

pub(super) fn fact<'a>(p: &'a Profile, key: &str) -> &'a str {
    p.meta.facts.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)
}

macro_rules! sp {
    ($($t:tt)*) => { info_span!(target: "inferscope::test", $($t)*) };
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("pool")
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

fn nap(ms: u64) -> tokio::time::Sleep {
    tokio::time::sleep(Duration::from_millis(ms))
}

#[test]
fn nested_calls_are_nested_spans_of_their_thread_with_their_fields() {
    let p = run(|_| {
        let outer =
            sp!("outer", answer = 42, share = 0.5, who = "me", late = tracing::field::Empty).entered();
        for i in 0..3 {
            let inner = sp!("inner", i).entered();
            sp!("leaf").in_scope(|| ());
            drop(inner);
        }
        outer.record("late", true);
        Ok(())
    });
    let outer = one(&p, "outer");
    assert_eq!((outer.kind, outer.status, outer.parent.as_str()), (TrackKind::Thread, SpanStatus::Ok, ""));
    assert_eq!(p.track_label(outer.track), "workload");
    let pairs = [("answer", "42"), ("share", "0.5"), ("who", "me"), ("late", "true")];
    assert_eq!(outer.args, pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
    let inner = all(&p, "inner");
    assert_eq!(inner.iter().map(|s| s.arg("i")).collect::<Vec<_>>(), ["0", "1", "2"]);
    assert!(inner.iter().all(|s| s.parent == "outer" && s.start > outer.start && s.end < outer.end));
    assert!(inner.iter().all(|s| s.busy == s.duration()), "a call is never waiting");
    assert!(all(&p, "leaf").iter().all(|s| s.parent == "inner"));
    assert_eq!(p.span_count(), 7);
    assert_eq!(p.meta.title, "test");
    assert_eq!(p.warnings, []);
}

#[test]
fn a_span_that_is_made_once_and_entered_often_is_a_call_each_time() {
    let p = run(|_| {
        let op = trace_span!(target: "inferscope::test", parent: None, "op", layer = 3);
        for _ in 0..4 {
            let _step = sp!("step").entered();
            let _a = op.enter();
        }
        Ok(())
    });
    let ops = all(&p, "op");
    assert_eq!(ops.len(), 4);
    assert!(ops.iter().all(|s| s.parent == "step" && s.kind == TrackKind::Thread && s.arg("layer") == "3"));
}

#[test]
fn async_spans_have_their_wall_time_and_apart_from_it_the_time_they_were_polled() {
    let p = run(|_| {
        block_on(
            async {
                nap(20).await;
                async {
                    nap(20).await;
                    std::thread::sleep(Duration::from_millis(10));
                    nap(20).await;
                }
                .instrument(sp!("child"))
                .await;
            }
            .instrument(sp!("parent")),
        );
        Ok(())
    });
    let (parent, child) = (one(&p, "parent"), one(&p, "child"));
    assert_eq!((parent.kind, child.kind), (TrackKind::Task, TrackKind::Task));
    assert_eq!((parent.track, child.parent.as_str()), (child.track, "parent"));
    assert_eq!(p.track_label(parent.track), "parent");
    let ms = |ns: i64| ns as f64 / 1e6;
    assert!(ms(child.duration()) >= 50.0 && ms(parent.duration()) >= 70.0);
    assert!((10.0..40.0).contains(&ms(child.busy)), "{}", ms(child.busy));
    assert!(parent.busy >= child.busy && parent.busy < parent.duration() / 2);
}

#[test]
fn branches_that_run_together_keep_their_own_children() {
    let p = run(|_| {
        let branch = |name: &'static str, ms: u64| {
            async move {
                nap(5).await;
                async {
                    nap(ms).await;
                    nap(1).await;
                }
                .instrument(sp!("work", of = name))
                .await;
                nap(5).await;
            }
            .instrument(sp!("branch", name))
        };
        block_on(
            async {
                tokio::join!(branch("long", 60), branch("short", 30));
            }
            .instrument(sp!("join")),
        );
        Ok(())
    });
    let join = one(&p, "join");
    for (branch, work) in [("long", "long"), ("short", "short")] {
        let b = all(&p, "branch").into_iter().find(|s| s.arg("name") == branch).unwrap();
        let w = all(&p, "work").into_iter().find(|s| s.arg("of") == work).unwrap();
        assert_eq!((b.lane, b.track), (w.lane, join.track), "{branch}");
        assert_eq!(w.parent, "branch");
    }
    assert_eq!(p.track(join.track).spans.lanes.len(), 2);
}

#[test]
fn spawned_work_is_a_task_or_thread_of_its_own_with_an_arrow_from_its_parent() {
    let p = run(|_| {
        block_on(
            async {
                let here = Span::current();
                let task = tokio::spawn(
                    async {
                        nap(10).await;
                    }
                    .instrument(sp!(parent: &here, "task")),
                );
                let parent = here.clone();
                let blocking = tokio::task::spawn_blocking(move || {
                    let _s = sp!(parent: &parent, "blocking").entered();
                    std::thread::sleep(Duration::from_millis(5));
                });
                task.await.unwrap();
                blocking.await.unwrap();
                nap(1).await;
            }
            .instrument(sp!("root")),
        );
        Ok(())
    });
    let (root, task, blocking) = (one(&p, "root"), one(&p, "task"), one(&p, "blocking"));
    assert_eq!((root.kind, task.kind, blocking.kind), (TrackKind::Task, TrackKind::Task, TrackKind::Thread));
    assert_ne!(root.track, task.track);
    let spawn = |to: &str| ("spawn".to_owned(), "root".to_owned(), to.to_owned());
    let links = links(&p);
    assert!(links.contains(&spawn("task")), "{links:?}");
    assert!(links.contains(&spawn("pool")), "{links:?}");
    assert!(root.start <= task.start && root.end >= task.end);
}

#[test]
fn follows_from_is_an_arrow() {
    let p = run(|_| {
        let cause = sp!("request");
        let handle = cause.clone();
        std::thread::spawn(move || {
            let batch = sp!("batch");
            batch.follows_from(&handle);
            batch.in_scope(|| ());
        })
        .join()
        .unwrap();
        cause.in_scope(|| ());
        Ok(())
    });
    let links = links(&p);
    assert_eq!(links.len(), 1, "{links:?}");
    assert_eq!((links[0].0.as_str(), links[0].1.as_str()), ("follows from", "workload"));
    assert_eq!(p.links[0].to.0, one(&p, "batch").track);
}

#[test]
fn a_panic_ends_its_spans_and_marks_them() {
    let p = run(|_| {
        let _fine = sp!("fine").entered();
        let caught = std::thread::Builder::new().spawn(|| {
            let _outer = sp!("outer").entered();
            let _inner = sp!("inner").entered();
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(caught.unwrap().join().is_err());
        Ok(())
    });
    for name in ["outer", "inner"] {
        let span = one(&p, name);
        assert_eq!((span.status, span.arg("error")), (SpanStatus::Error, "panicked"), "{name}");
    }
    assert_eq!(one(&p, "fine").status, SpanStatus::Ok);
}

#[test]
fn work_that_panics_or_fails_leaves_what_it_did_before() {
    let p = run(|_| {
        sp!("before").in_scope(|| ());
        std::panic::resume_unwind(Box::new("boom".to_owned()));
    });
    one(&p, "before");
    assert_eq!(fact(&p, "Ended"), "failed: boom");
    assert_eq!((p.warnings.len(), p.warnings[0].first.as_str()), (1, "boom"));
    let last = p.instants.last().unwrap();
    assert_eq!((p.text(last.name), last.severity), ("Recording failed: boom", Severity::Error));
}

#[test]
fn log_lines_are_instants_on_the_track_of_their_span_and_errors_mark_it() {
    #[tracing::instrument(target = "inferscope::test", err)]
    fn fallible() -> Result<(), std::io::Error> {
        Err(std::io::Error::other("no disk"))
    }
    let p = run(|_| {
        block_on(
            async {
                nap(2).await;
                warn!(target: "inferscope::test", attempt = 2, "slow");
            }
            .instrument(sp!("task")),
        );
        tracing::debug!(target: "inferscope::test", "outside");
        let _ = fallible();
        tracing::info!(target: "winit", "not ours");
        Ok(())
    });
    let texts: Vec<_> = p.instants.iter().map(|i| (p.text(i.name), i.severity)).collect();
    let expected = [("slow", Severity::Warning), ("outside", Severity::Debug), ("no disk", Severity::Error)];
    assert_eq!(texts, expected);
    assert_eq!(p.instants[0].track, Some(one(&p, "task").track));
    assert_eq!(p.inline_args(p.instants[0].args)[0], ("attempt".to_owned(), "2".to_owned()));
    let failed = one(&p, "fallible");
    assert_eq!((failed.status, failed.arg("error")), (SpanStatus::Error, "no disk"));
}

#[test]
fn a_full_recording_says_what_it_lost() {
    let options = Options { max_events: 40_000, ..quiet() };
    let work = Work::new("much", |_| {
        let _outer = sp!("outer").entered();
        let op = trace_span!(target: "inferscope::test", parent: None, "op");
        for _ in 0..100_000 {
            let _e = op.enter();
        }
        Ok(())
    });
    let p = record(work, options, Box::new(|_| ())).unwrap().join().unwrap();
    let kept = all(&p, "op").len();
    assert!((15_000..20_000).contains(&kept), "{kept}");
    let lost: u64 = fact(&p, "Lost events").parse().unwrap();
    assert!(lost > 150_000, "{lost}");
    assert!(p.warnings.iter().any(|w| w.kind.contains("lost") && w.count == lost), "{:?}", p.warnings);
    assert_eq!(one(&p, "outer").status, SpanStatus::Unfinished);
}

#[test]
fn revisions_grow_show_what_runs_and_the_last_has_all() {
    let options = Options { revision_every: Duration::from_millis(20), ..quiet() };
    let revisions: Arc<Mutex<Vec<Arc<Profile>>>> = Arc::default();
    let work = Work::new("live", |_| {
        let _outer = sp!("outer").entered();
        for _ in 0..40 {
            let _inner = sp!("inner").entered();
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    });
    let sink = revisions.clone();
    let on_revision = Box::new(move |p| sink.lock().unwrap().push(p));
    let last = record(work, options, on_revision).unwrap().join().unwrap();
    let revisions = revisions.lock().unwrap();
    assert!(revisions.len() >= 3, "{}", revisions.len());
    let counts: Vec<_> = revisions.iter().map(|p| p.span_count()).collect();
    assert!(counts.is_sorted() && counts.first() < counts.last(), "{counts:?}");
    for p in revisions.iter() {
        let outer = one(p, "outer");
        assert_eq!(outer.status, SpanStatus::Unfinished);
        assert!(all(p, "inner").iter().all(|s| s.parent == "outer"));
        assert_eq!(outer.end, p.meta.duration.unwrap());
    }
    assert_eq!((all(&last, "inner").len(), one(&last, "outer").status), (40, SpanStatus::Ok));
}

#[test]
fn recordings_take_turns_and_can_be_cancelled_while_they_wait() {
    let first = record(
        Work::new("first", |cx| {
            while cx.check().is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(WorkloadError::Stopped)
        }),
        quiet(),
        Box::new(|_| ()),
    )
    .unwrap();
    while first.status().elapsed == Duration::ZERO {
        std::thread::sleep(Duration::from_millis(1));
    }
    let second = record(Work::new("second", |_| Ok(())), quiet(), Box::new(|_| ())).unwrap();
    std::thread::sleep(Duration::from_millis(30));
    assert!(!second.is_finished());
    assert_eq!(second.status().stage, "Waiting for another recording to end");
    second.cancel();
    assert_eq!(second.join().unwrap_err(), RecordError::Cancelled);
    first.stop();
    let p = first.join().unwrap();
    assert_eq!(fact(&p, "Ended"), "stopped by the user");
}

#[test]
fn samples_of_the_process_are_counters() {
    let work = Work::new("sampled", |_| {
        std::thread::sleep(Duration::from_millis(120));
        count("Queue", crate::model::Unit::Count, 3.0);
        Ok(())
    });
    let p = record(work, Options { sample_hz: 50, ..quiet() }, Box::new(|_| ())).unwrap().join().unwrap();
    let names: Vec<_> = p.counters.iter().map(|c| p.text(c.name)).collect();
    for name in ["RSS", "CPU", "Queue"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let rss = p.counters.iter().find(|c| p.text(c.name) == "RSS").unwrap();
    assert!(rss.times.len() >= 4 && rss.values.iter().all(|&v| v > 1e6));
    assert!(p.meta.machine.iter().any(|(k, _)| k == "CPU"), "{:?}", p.meta.machine);
}

const STAGES: [(&str, f64); 7] = [
    ("fetch_user_data", 2.0),
    ("preprocess_input", 1.0),
    ("make_parallel_api_calls", 2.0),
    ("process_request_with_llm", 3.0),
    ("postprocess_output", 2.0),
    ("unnecesary_io_operation", 1.0),
    ("store_results", 2.0),
];

#[test]
fn the_pipeline_has_its_seven_stages_with_their_times() {
    const SCALE: f64 = 0.03;
    let p = workload("asyncio", &["scale=0.03"]);
    let handle = one(&p, "handle_user_request");
    assert_eq!((handle.parent.as_str(), handle.arg("user_id")), ("main", "user123"));
    let mut sum = 0;
    for (name, seconds) in STAGES {
        let span = one(&p, name);
        let ideal = seconds * SCALE * 1e9;
        let over = span.duration() as f64 - ideal;
        // A timer fires late by a millisecond or two, and by more on a busy machine; never early.
        assert!((-1e5..ideal * 0.5 + 3e7).contains(&over), "{name}: {over} ns over");
        let nested = name == "unnecesary_io_operation";
        assert_eq!(span.parent, if nested { "postprocess_output" } else { "handle_user_request" });
        assert!(span.busy < span.duration() / 2, "{name} waits");
        sum += if nested { 0 } else { span.duration() };
    }
    let gap = handle.duration() - sum;
    assert!(gap >= 0 && gap < handle.duration() / 50, "stages add up to their parent: {gap} ns missing");
    let calls = all(&p, "api_call");
    assert_eq!(calls.len(), 2);
    assert_ne!(calls[0].lane, calls[1].lane);
    assert!(calls[0].start < calls[1].end && calls[1].start < calls[0].end);
    let said: Vec<_> = p.instants.iter().map(|i| p.text(i.name)).collect();
    let expected = [
        "Fetched data for user user123",
        "Preprocessed input data",
        "Made parallel API calls",
        "Processed request with LLM",
        "Postprocessed output data",
        "Unnecessary I/O operation",
        "Stored results",
    ];
    assert_eq!(said, expected);
    assert_eq!(one(&p, "fetch_user_data").arg("returned"), "{'user_id': 'user123', 'data': 'Sample data'}");
    assert_eq!(p.warnings, []);
}

#[test]
fn users_of_the_pipeline_run_side_by_side() {
    let p = workload("asyncio", &["scale=0.01", "users=3"]);
    let users = all(&p, "handle_user_request");
    let mut ids: Vec<_> = users.iter().map(|u| u.arg("user_id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["user123", "user124", "user125"]);
    let latest_start = users.iter().map(|u| u.start).max().unwrap();
    assert!(users.iter().all(|u| u.end > latest_start), "they overlap");
    let tasks: Vec<_> =
        p.tracks.iter().filter(|t| t.kind == TrackKind::Task).map(|t| p.text(t.name)).collect();
    assert_eq!(tasks.len(), 4, "main and three users: {tasks:?}");
    assert_eq!(links(&p).iter().filter(|l| l.0 == "spawn" && l.1 == "main").count(), 3);
}

#[test]
fn a_fault_fails_its_stage_and_all_above_it() {
    let p = workload("asyncio", &["scale=0.01", "fault=true"]);
    for name in ["postprocess_output", "handle_user_request", "main"] {
        let span = one(&p, name);
        assert_eq!(span.status, SpanStatus::Error, "{name}");
        assert_eq!(span.arg("error"), "NameError: name 'processed' is not defined");
    }
    assert_eq!(one(&p, "unnecesary_io_operation").status, SpanStatus::Ok);
    assert!(all(&p, "store_results").is_empty());
    assert!(fact(&p, "Ended").starts_with("failed: NameError"));
    assert!(p.instants.iter().any(|i| i.severity == Severity::Error));
}

/// Starts a workload, waits until it has recorded something, and says how long `end` takes to end it.
fn ended_after(
    id: &str,
    params: &[&str],
    end: fn(&Recording),
) -> (Duration, Result<Arc<Profile>, RecordError>) {
    let params: Vec<String> = params.iter().map(ToString::to_string).collect();
    let recording = start(id, &params, quiet(), Box::new(|_| ())).unwrap();
    while recording.status().elapsed < Duration::from_millis(150) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let begin = Instant::now();
    end(&recording);
    let result = recording.join();
    (begin.elapsed(), result)
}

#[test]
fn cancel_ends_at_once_and_keeps_nothing_while_stop_keeps_all() {
    for (id, params) in [
        ("asyncio", ["scale=10", "users=5"]),
        ("generate", ["questions=10000", "workers=2"]),
        ("rag", ["questions=10000", "others=3"]),
    ] {
        let (took, result) = ended_after(id, &params, Recording::cancel);
        assert_eq!(result.unwrap_err(), RecordError::Cancelled);
        assert!(took < Duration::from_millis(100), "{id}: {took:?}");
        let (took, result) = ended_after(id, &params, Recording::stop);
        let p = result.unwrap();
        assert!(p.span_count() > 0);
        assert_eq!(fact(&p, "Ended"), "stopped by the user");
        assert!(took < Duration::from_millis(500), "{id}: {took:?}");
    }
}

#[test]
fn generation_is_recorded_down_to_the_operations_of_each_layer() {
    let params = ["questions=2", "concurrency=3", "max_new_tokens=12", "temperature=0"];
    let p = workload("generate", &params);
    let rows = &p.requests.rows;
    assert_eq!(rows.len(), 5);
    for row in rows {
        assert_eq!(row.outcome, Outcome::Ok);
        let n = row.tokens.output.unwrap();
        assert!(n > 3 && n <= 12 && row.token_times.len() as u64 == n);
        assert!(row.token_times.is_sorted());
        let stamps = [row.arrived, row.scheduled.unwrap(), row.first_token.unwrap(), row.finished.unwrap()];
        assert!(stamps.is_sorted(), "{stamps:?}");
        let held = row.kv_cache_bytes.unwrap();
        // 4 layers × 2 heads × 64 numbers × keys and values × 4 bytes for each token; the last token
        // of a cut answer is never fed back.
        assert!(held % 4096 == 0 && held >= (row.tokens.prompt().unwrap() + n - 1) * 4096);
        assert!(p.track(row.track.unwrap()).kind == TrackKind::Thread);
        assert!(!p.text(row.completion).is_empty() && !p.text(row.prompt).is_empty());
    }
    // One after another: nobody waits. At once with two workers: the third does.
    assert!(rows[1].arrived >= rows[0].finished.unwrap());
    assert!(rows[4].scheduled.unwrap() >= rows[2].finished.unwrap().min(rows[3].finished.unwrap()));
    let tokens = all(&p, "token");
    let steps: u64 = rows.iter().map(|r| r.tokens.output.unwrap()).sum();
    assert!(tokens.len() as u64 >= steps - 5 && tokens.len() as u64 <= steps);
    assert!(tokens.iter().all(|t| t.parent == "decode"));
    assert!(tokens.iter().all(|t| (0.0..=1.0).contains(&t.arg("probability").parse().unwrap())));
    let forwards = tokens.len() + 5;
    assert_eq!(all(&p, "forward").len(), forwards);
    for (op, per_forward, parent) in
        [("layer", 4, "forward"), ("q_proj", 4, "attn"), ("down_proj", 4, "mlp"), ("rms_norm", 9, "")]
    {
        let seen = all(&p, op);
        assert_eq!(seen.len(), forwards * per_forward, "{op}");
        assert!(parent.is_empty() || seen.iter().all(|s| s.parent == parent), "{op}");
    }
    assert!(all(&p, "layer").iter().all(|s| s.arg("layer").parse::<u8>().unwrap() < 4));
    let phases: Vec<_> = ["load", "one after another", "all at once"].map(|n| one(&p, n).kind).into();
    assert_eq!(phases, [TrackKind::Phase; 3]);
    assert_eq!(p.tracks[0].kind, TrackKind::Phase);
    assert!(fact(&p, "Weights").starts_with("Q8_0, 2.8 MB"), "{}", fact(&p, "Weights"));
    let kv = p.counters.iter().find(|c| p.text(c.name) == "KV cache").unwrap();
    assert_eq!(kv.values.last(), Some(&0.0), "all caches are given back");
}

#[test]
fn a_request_lies_on_the_track_of_the_task_that_serves_it_and_keeps_what_came_before_it_failed() {
    let p = run(|_| {
        block_on(async {
            let serve = |name: &'static str, fails: bool| {
                async move {
                    let request = request(name, "m", "why?");
                    nap(2).await;
                    request.scheduled_on(&Span::current());
                    request.reported(crate::model::TokenCounts::default());
                    nap(2).await;
                    request.first_byte();
                    request.push_text("be");
                    request.token();
                    request.push_text("cause");
                    if fails { request.fail("gone: api_key=hunter2") } else { request.done() }
                }
                .instrument(sp!("client", name))
            };
            tokio::join!(tokio::spawn(serve("good", false)), tokio::spawn(serve("bad", true)))
        })
        .0
        .unwrap();
        Ok(())
    });
    for row in &p.requests.rows {
        let name = p.text(row.name);
        let span = all(&p, "client").into_iter().find(|s| s.arg("name") == name).unwrap();
        assert_eq!(row.track, Some(span.track));
        assert!(row.arrived < row.scheduled.unwrap() && row.scheduled < row.first_byte);
        assert_eq!((p.text(row.completion), row.token_times.len(), row.tokens.output), ("because", 1, None));
        let (outcome, error) =
            if name == "bad" { (Outcome::Error, "gone: api_key=[hidden]") } else { (Outcome::Ok, "") };
        assert_eq!((row.outcome, p.text(row.error)), (outcome, error));
    }
    assert_eq!(p.requests.rows.len(), 2);
}

#[test]
fn the_same_seed_gives_the_same_text() {
    let texts = |seed: &str| {
        let seed = format!("seed={seed}");
        let p = workload("generate", &["questions=3", "concurrency=3", "temperature=1.0", &seed]);
        let mut texts: Vec<_> = p
            .requests
            .rows
            .iter()
            .map(|r| (p.text(r.name).to_owned(), p.text(r.completion).to_owned()))
            .collect();
        texts.sort();
        texts
    };
    let first = texts("7");
    assert_eq!(first, texts("7"));
    assert_ne!(first, texts("8"));
}

#[test]
fn the_small_model_knows_what_it_was_made_for() {
    let p = workload("generate", &["questions=1", "concurrency=0", "temperature=0"]);
    let answer = p.text(p.requests.rows[0].completion);
    assert!(answer.contains("slow") && answer.ends_with('.'), "{answer}");
}

#[test]
fn a_bad_model_file_is_an_error_in_one_line() {
    let dir = std::env::temp_dir().join(format!("inferscope-model-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("cut.gguf");
    std::fs::write(&path, &llm::BUNDLED[..1_000_000]).unwrap();
    let model = format!("model={}", path.display());
    let p = workload("generate", &[&model]);
    let ended = fact(&p, "Ended");
    assert!(ended.contains("cut.gguf") && ended.contains("cut off"), "{ended}");
    let p = workload("generate", &["model=/no/such/file.gguf"]);
    assert!(fact(&p, "Ended").contains("cannot be opened"));
    std::fs::remove_dir_all(&dir).unwrap();
}

crate::profiled! {
    fn halve(n: u32) -> Result<u32, String> {
        let _scope = crate::scope!("check", n);
        if !n.is_multiple_of(2) {
            Err(format!("{n} is odd"))?;
        }
        Ok(n / 2)
    }

    fn explode(text: &str) -> usize {
        let _inner = crate::scope!("fuse");
        std::panic::resume_unwind(Box::new(text.to_owned()))
    }

    async fn later(n: u32, unit: &str) -> Result<String, String> {
        nap(10).await;
        let half = halve(n)?;
        nap(10).await;
        Ok(format!("{half} {unit}"))
    }
}

#[test]
fn a_program_records_itself_with_scopes_that_keep_values_and_end_on_panic() {
    let recording = begin("mine", quiet()).unwrap();
    assert_eq!((halve(8), halve(3)), (Ok(4), Err("3 is odd".to_owned())));
    let joined = block_on(async { tokio::join!(later(10, "ms"), later(7, "ms")) });
    assert_eq!(joined, (Ok("5 ms".to_owned()), Err("7 is odd".to_owned())));
    assert!(std::thread::spawn(|| explode("boom")).join().is_err());
    let p = recording.finish().unwrap();
    assert_eq!((p.meta.title.as_str(), fact(&p, "Ended")), ("mine", ""));
    assert_eq!((all(&p, "halve").len(), all(&p, "later").len()), (4, 2));
    let checks = all(&p, "check");
    assert!(checks.iter().all(|c| c.parent == "halve"));
    assert_eq!(checks[..2].iter().map(|c| c.arg("n")).collect::<Vec<_>>(), ["8", "3"]);
    assert!(all(&p, "later").iter().all(|s| s.kind == TrackKind::Task && s.busy < s.duration()));
    let (outer, inner) = (one(&p, "explode"), one(&p, "fuse"));
    assert_eq!(
        (outer.status, inner.status, inner.parent.as_str()),
        (SpanStatus::Error, SpanStatus::Error, "explode")
    );
    let row = p.functions.rows().iter().find(|f| p.text(f.name) == "check").unwrap();
    assert!(p.text(row.module).ends_with("record::tests"), "the module of the code");
}

#[test]
fn variants_of_a_model_are_compared_in_a_table() {
    let params = ["variants=f32,q8_0,q4_0", "questions=2", "max_new_tokens=10", "prompt=What is a span?"];
    let p = workload("generate", &params);
    assert_eq!(fact(&p, "Ended"), "");
    let table = &p.meta.tables[0];
    assert_eq!((table.title.as_str(), table.rows.len()), ("Weight formats", 3));
    let column = |name: &str| {
        let i = table.columns.iter().position(|c| c == name).unwrap();
        table.rows.iter().map(|r| r[i].as_str()).collect::<Vec<_>>()
    };
    let number = |cell: &str| cell.split(' ').next().unwrap().parse::<f64>().unwrap();
    assert_eq!(column("Format"), ["f32", "q8_0", "q4_0"]);
    let perplexity: Vec<f64> = column("Perplexity").into_iter().map(number).collect();
    assert!(perplexity.iter().all(|&p| (1.0..20.0).contains(&p)), "{perplexity:?}");
    assert!(
        (perplexity[0] - perplexity[1]).abs() < 0.05 * perplexity[0],
        "eight bits change little: {perplexity:?}"
    );
    let far: Vec<f64> = column("KL divergence")[1..].iter().map(|c| number(c)).collect();
    assert!(far[0] < 0.01 && far[0] < far[1] && far[1] < 1.0, "{far:?}");
    assert_eq!((column("Same best token")[0], column("KL divergence")[0]), ("–", "–"));
    assert!(number(column("Same best token")[1]) > 95.0);
    assert!(column("Decode").iter().all(|c| c.ends_with("tok/s")), "{:?}", column("Decode"));
    assert!(fact(&p, "Variant q4_0").contains("Perplexity"), "{}", fact(&p, "Variant q4_0"));
    assert_eq!(p.requests.rows.len(), 6);
    assert!(
        p.requests.rows.iter().all(|r| p.text(r.prompt) == "What is a span?" && r.outcome == Outcome::Ok)
    );
    assert_eq!(
        all(&p, "convert").iter().map(|s| s.arg("variant")).collect::<Vec<_>>(),
        ["f32", "q8_0", "q4_0"]
    );
    let p = workload("generate", &["variants=f32,int3"]);
    assert!(fact(&p, "Ended").contains("«int3» is no weight format"));
}

/// Sum of the phases of a name.
fn phase_sum(p: &Profile, name: &str) -> i64 {
    all(p, name).iter().filter(|s| s.kind == TrackKind::Phase).map(Seen::duration).sum()
}

const RAG_PHASES: [&str; 6] = [
    "preprocessing",
    "embedding_lookup",
    "llm_queue_wait",
    "time_to_first_token",
    "token_generation",
    "postprocessing",
];

#[test]
fn the_mock_of_the_rag_pipeline_sleeps_the_times_of_the_example() {
    let p = workload("rag", &["mode=mock", "questions=2", "scale=0.25"]);
    for (name, ms) in RAG_PHASES.into_iter().zip([10.0, 50.0, 20.0, 150.0, 200.0, 10.0]) {
        let (got, ideal) = (phase_sum(&p, name) as f64 / 1e6, ms * 0.25 * 2.0);
        // Timers fire late, never early; 21 naps may each be late.
        assert!((ideal..ideal * 1.5 + 60.0).contains(&got), "{name}: {got} ms for {ideal} ms");
        let spans: Vec<_> = all(&p, name).into_iter().filter(|s| s.kind == TrackKind::Task).collect();
        assert_eq!(spans.len(), 2, "{name}");
        assert!(spans.iter().all(|s| s.parent == "profile_request" && s.busy < s.duration() / 2));
    }
    let profile: serde_json::Value = serde_json::from_str(fact(&p, "Latency profile (mean, s)")).unwrap();
    assert!(profile["total"].as_f64().unwrap() >= 0.110);
    assert!(profile["unaccounted"].as_f64().unwrap() < 0.03);
    let sum: f64 = profile
        .as_object()
        .unwrap()
        .iter()
        .filter(|(k, _)| *k != "total")
        .map(|(_, v)| v.as_f64().unwrap())
        .sum();
    assert!((sum - profile["total"].as_f64().unwrap()).abs() < 1e-4, "{profile}");
    assert!(fact(&p, "Bottleneck").starts_with("token_generation 0."));
    assert!(p.requests.rows.iter().all(|r| r.token_times.len() == 20 && r.ttft().unwrap() >= 42_000_000));
}

#[test]
fn the_rag_pipeline_has_real_parts_and_the_same_text_each_time() {
    let run = || workload("rag", &["questions=2", "others=1", "max_new_tokens=10", "temperature=1"]);
    let p = run();
    for name in RAG_PHASES.into_iter().chain(["store"]) {
        let phases = all(&p, name).iter().filter(|s| s.kind == TrackKind::Phase).count();
        assert_eq!(phases, 2, "{name}");
        assert!(all(&p, name).iter().any(|s| s.parent == "profile_request"), "{name}");
    }
    assert!(
        all(&p, "sql")
            .iter()
            .any(|s| s.parent == "embedding_lookup" && s.arg("statement").contains("SELECT"))
    );
    assert!(all(&p, "sql").iter().any(|s| s.parent == "store" && s.arg("statement").contains("INSERT")));
    assert!(all(&p, "embed_text").iter().any(|s| s.parent == "embedding_lookup"));
    let own = |p: &Profile| -> Vec<(String, String)> {
        let rows = p.requests.rows.iter().filter(|r| p.text(r.name).starts_with('#'));
        rows.map(|r| (p.text(r.prompt).to_owned(), p.text(r.completion).to_owned())).collect()
    };
    assert!(p.requests.rows.iter().all(|r| r.outcome == Outcome::Ok), "{:?}", p.requests.rows);
    assert_eq!(own(&p).len(), 2);
    assert!(p.requests.rows.len() > 2, "another client keeps the model busy");
    assert_eq!(own(&p), own(&run()));
    assert_eq!(p.warnings, []);
}

#[test]
fn unknown_workloads_and_parameters_are_refused_before_anything_starts() {
    let refused = |id: &str, param: &str| {
        start(id, &[param.to_owned()], quiet(), Box::new(|_| ())).err().unwrap().to_string()
    };
    let why = refused("nothing", "a=1");
    assert!(why.starts_with("there is no workload «nothing»; known: default, asyncio, generate"), "{why}");
    assert!(refused("asyncio", "users=many").contains("whole number"));
}

#[test]
fn a_callback_that_is_never_called_does_no_harm_and_status_counts() {
    let calls = Arc::new(AtomicUsize::new(0));
    let on_revision = Box::new(move |_| {
        calls.fetch_add(1, Ordering::Relaxed);
    });
    let params = ["scale=0.001".to_owned(), "questions=4".to_owned(), "concurrency=4".to_owned()];
    let recording = start("default", &params, quiet(), on_revision).unwrap();
    while !recording.is_finished() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let status = recording.status();
    assert_eq!((status.stage.as_str(), status.progress, status.dropped), ("Done", Some(1.0), 0));
    assert!(status.spans > 1000 && status.elapsed > Duration::from_millis(10));
    let p = recording.join().unwrap();
    assert_eq!(p.requests.rows.len(), 8);
    assert!(fact(&p, "Recorder cost").contains("ns per span"), "{}", fact(&p, "Recorder cost"));
    let phases: Vec<_> = p.tracks[0].spans.rows.iter().map(|s| p.function_name(s.function)).collect();
    assert_eq!(phases, ["async pipeline", "load", "one after another", "all at once"]);
}

#[test]
fn a_slow_revision_does_not_hold_up_the_journal() {
    let folder = std::env::temp_dir().join(format!("inferscope-slow-{}", std::process::id()));
    let work = Work::new("slow", |_| {
        std::thread::sleep(Duration::from_millis(1600));
        Ok(())
    });
    let slow = Box::new(|_| std::thread::sleep(Duration::from_millis(1300)));
    let options = Options { journal: Some(folder.clone()), ..quiet() };
    let p = record(work, options, slow).unwrap().join().unwrap();
    let writes: u32 = fact(&p, "Journal").split(' ').next().unwrap().parse().unwrap();
    assert!(writes >= 4, "{writes} writes while one revision was frozen");
    std::fs::remove_dir_all(folder).unwrap();
}
