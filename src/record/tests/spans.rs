//! Spans, tasks, events and scopes as the layer records them.

use std::time::Duration;

use tracing::{Instrument, Span, trace_span, warn};

use crate::model::{Severity, SpanStatus, TrackKind};
use crate::record::testing::*;
use crate::record::*;

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
    assert!(ms(child.busy) >= 10.0 && parent.busy >= child.busy);
    // Timers are never early, and nothing polls during a nap.
    assert!(ms(child.waiting()) >= 40.0, "the child was polled for {} ms", ms(child.busy));
    assert!(ms(parent.waiting()) >= 60.0, "the parent was polled for {} ms", ms(parent.busy));
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
fn a_task_that_is_polled_inside_a_span_of_its_thread_hangs_on_that_span() {
    let p = run(|_| {
        let _outer = sp!("outer").entered();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(
            async {
                nap(5).await;
                nap(5).await;
            }
            .instrument(sp!("task")),
        );
        Ok(())
    });
    let (outer, task) = (one(&p, "outer"), one(&p, "task"));
    assert_eq!((outer.kind, task.kind), (TrackKind::Thread, TrackKind::Task));
    let track = p.track(task.track);
    let row = track.spans.rows.iter().position(|s| p.function_name(s.function) == "task").unwrap();
    let names = p.span_ancestors(task.track, row as u32);
    let names: Vec<&str> =
        names.map(|(t, row)| p.function_name(p.track(t).spans.rows[row as usize].function)).collect();
    assert_eq!(names, ["task", "outer"]);
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
        for _ in 0..200_000 {
            let _e = op.enter();
        }
        Ok(())
    });
    let p = record(work, options, Box::new(|_| ())).unwrap().join().unwrap();
    let kept = all(&p, "op").len();
    // Threads of other tests may take some of the chunks.
    assert!((8_000..60_000).contains(&kept), "{kept}");
    let lost: u64 = fact(&p, "Lost events").parse().unwrap();
    assert!(lost > 270_000, "{lost}");
    assert!(p.warnings.iter().any(|w| w.kind.contains("lost") && w.count == lost), "{:?}", p.warnings);
    assert_eq!(one(&p, "outer").status, SpanStatus::Unfinished);
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
    assert_eq!((p.meta.title.as_str(), &*fact(&p, "Ended")), ("mine", ""));
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
    assert!(p.text(row.module).ends_with("record::tests::spans"), "the module of the code");
}

#[test]
fn what_a_device_did_lies_on_a_lane_of_its_own_at_its_time() {
    let p = run(|_| {
        sp!("host").in_scope(|| std::thread::sleep(Duration::from_millis(30)));
        let ms = Duration::from_millis;
        device_span("GPU 0", "matmul", ms(25), ms(15));
        device_span("GPU 0", "softmax", ms(15), ms(10));
        device_span("GPU 0", "before the recording", Duration::from_secs(3600), Duration::from_secs(3600));
        Ok(())
    });
    let host = one(&p, "host");
    let lane = p.track_ids().find(|&id| p.track(id).kind == TrackKind::GpuStream).unwrap();
    assert_eq!(p.track_label(lane), "GPU 0");
    let rows = &p.track(lane).spans.rows;
    let names: Vec<_> = rows.iter().map(|s| p.function_name(s.function)).collect();
    assert_eq!(names, ["before the recording", "matmul", "softmax"]);
    assert_eq!(rows[0].start, 0);
    assert!(rows[1].start > host.start && rows[2].end < host.end, "{host:?} {rows:?}");
    let length = rows[1].end - rows[1].start - 10_000_000;
    assert!(length.abs() < 100_000, "{rows:?}");
}

#[test]
fn one_of_n_roots_is_recorded_with_all_below_it_and_the_run_says_so() {
    let options = Options { one_root_of: 4, ..quiet() };
    let work = Work::new("test", |_| {
        let _phase = crate::phase!("serving");
        // An operation that is made once and entered by all, as those of a model.
        let op = trace_span!(target: "inferscope::test", parent: None, "op");
        block_on(async {
            let tasks: Vec<_> = (0..40u64)
                .map(|n| {
                    let op = op.clone();
                    let work = async move {
                        let request = request("r", "m", "");
                        nap(1).await;
                        async {
                            let _op = op.enter();
                            warn!(target: "inferscope::test", n, "inside");
                        }
                        .instrument(sp!("child"))
                        .await;
                        request.answered("", None);
                    };
                    let root = sp!(parent: None, "root", n, answer = tracing::field::Empty);
                    root.record("answer", n);
                    tokio::spawn(work.instrument(root))
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        Ok(())
    });
    let p = record(work, options, Box::new(|_| ())).unwrap().join().unwrap();
    for name in ["root", "child", "op"] {
        assert_eq!(all(&p, name).len(), 10, "{name}");
    }
    assert_eq!(all(&p, "serving").len(), 1, "phases are always there");
    assert!(all(&p, "root").iter().all(|r| r.arg("n") == r.arg("answer") && r.status == SpanStatus::Ok));
    assert_eq!((p.requests.rows.len(), p.instants.len()), (10, 10));
    assert!(fact(&p, "Root spans").starts_with("10 of 40 recorded"), "{:?}", p.meta.facts);
    assert!(p.warnings.is_empty(), "{:?}", p.warnings);

    let everything = run(|_| {
        drop(sp!("root").entered());
        Ok(())
    });
    assert_eq!((all(&everything, "root").len(), &*fact(&everything, "Root spans")), (1, ""));
}
