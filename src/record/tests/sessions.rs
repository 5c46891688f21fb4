//! How a recording begins, shows itself while it runs, and ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::import::{Input, open_whole};
use crate::jobs::Job;
use crate::model::{Profile, SpanStatus};
use crate::record::testing::*;
use crate::record::*;

#[test]
fn revisions_grow_show_what_runs_and_the_last_has_all() {
    let options = Options { revision_every: Duration::from_millis(20), ..quiet() };
    let revisions: Arc<Mutex<Vec<Arc<Profile>>>> = Arc::default();
    let running = Arc::new(AtomicUsize::new(0));
    let (seen, while_open) = (revisions.clone(), running.clone());
    // The work goes on until four revisions have shown it, however slow the machine is that makes them.
    let work = Work::new("live", move |_| {
        let _outer = sp!("outer").entered();
        while while_open.load(Ordering::Relaxed) < 4 {
            let _inner = sp!("inner").entered();
            std::thread::sleep(Duration::from_millis(5));
            let seen = seen.lock().unwrap();
            let counts: Vec<_> = seen.iter().map(|p| p.span_count()).filter(|&n| n > 1).collect();
            // On a busy machine one sleep may outlast several revisions.
            let grew = counts.first() < counts.last();
            while_open.store(if grew { counts.len() } else { 0 }, Ordering::Relaxed);
        }
        Ok(())
    });
    let sink = revisions.clone();
    let on_revision = Box::new(move |p| sink.lock().unwrap().push(p));
    let last = record(work, options, on_revision).unwrap().join().unwrap();
    let revisions = revisions.lock().unwrap();
    let shown: Vec<_> =
        revisions.iter().filter(|p| p.span_count() > 1).take(running.load(Ordering::Relaxed)).collect();
    let counts: Vec<_> = shown.iter().map(|p| p.span_count()).collect();
    assert!(counts.is_sorted() && counts.first() < counts.last(), "{counts:?}");
    for p in shown {
        let outer = one(p, "outer");
        assert_eq!(outer.status, SpanStatus::Unfinished);
        assert!(all(p, "inner").iter().all(|s| s.parent == "outer"));
        assert_eq!(outer.end, p.meta.duration.unwrap());
    }
    assert!(all(&last, "inner").len() + 1 >= *counts.last().unwrap());
    assert_eq!(one(&last, "outer").status, SpanStatus::Ok);
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
    let samples = Arc::new(AtomicUsize::new(0));
    let taken = samples.clone();
    let work = Work::new("sampled", move |_| {
        count("Queue", crate::model::Unit::Count, 3.0);
        while taken.load(Ordering::Relaxed) < 4 {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    });
    let rss = |p: &Profile| {
        let rss = p.counters.iter().find(|c| p.text(c.name) == "RSS")?;
        assert!(rss.values.iter().all(|&v| v > 1e6));
        Some(rss.times.len())
    };
    let on_revision = Box::new(move |p: Arc<Profile>| samples.store(rss(&p).unwrap_or(0), Ordering::Relaxed));
    let options = Options { sample_hz: 50, revision_every: Duration::from_millis(20), ..Options::default() };
    let p = record(work, options, on_revision).unwrap().join().unwrap();
    let names: Vec<_> = p.counters.iter().map(|c| p.text(c.name)).collect();
    for name in ["RSS", "CPU", "Queue"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(rss(&p) >= Some(4));
    assert!(p.meta.machine.iter().any(|fact| fact.name == "CPU"), "{:?}", p.meta.machine);
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
    let size = {
        let folder = folder.clone();
        move || -> u64 {
            let files = std::fs::read_dir(&folder).into_iter().flatten();
            files.map(|f| f.and_then(|f| f.metadata()).map_or(0, |m| m.len())).sum()
        }
    };
    let (open, frozen) = std::sync::mpsc::channel();
    let work = Work::new("slow", move |_| {
        while frozen.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let _span = sp!("span").entered();
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    });
    // Holds the first revision until the journal has been written four times beside it; the later ones go on.
    let (first, begun) = (AtomicUsize::new(0), Instant::now());
    let slow = Box::new(move |_| {
        if first.fetch_add(1, Ordering::Relaxed) > 0 {
            return;
        }
        let (mut grown, mut last) = (0, size());
        while grown < 4 && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(10));
            grown += usize::from(size() > last);
            last = size();
        }
        open.send(grown).unwrap();
    });
    let options = Options { journal: Some(folder.clone()), ..quiet() };
    let p = record(work, options, slow).unwrap().join().unwrap();
    let writes: u32 = fact(&p, "Journal").split(' ').next().unwrap().parse().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(60) && writes >= 4, "{writes} writes");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_recording_that_is_full_keeps_what_came_last_and_its_journal_has_all() {
    const STEPS: usize = 60;
    const LEAVES: usize = 1000;
    let folder = std::env::temp_dir().join(format!("inferscope-full-{}", std::process::id()));
    let every = Duration::from_millis(10);
    let options =
        Options { max_bytes: 1 << 20, revision_every: every, journal: Some(folder.clone()), ..quiet() };
    let work = Work::new("long", |_| {
        let _outer = sp!("outer").entered();
        for step in 0..STEPS {
            let _step = sp!("step", step).entered();
            for _ in 0..LEAVES {
                sp!("leaf").in_scope(|| ());
            }
            std::thread::sleep(Duration::from_millis(15));
        }
        Ok(())
    });
    let recording = record(work, options, Box::new(|_| ())).unwrap();
    while recording.journal().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let journal = recording.journal().unwrap();
    let p = recording.join().unwrap();
    let kept = all(&p, "leaf").len();
    assert!((1000..STEPS * LEAVES / 2).contains(&kept), "{kept}");
    let missing = p.warnings.iter().find(|w| w.kind.contains("memory limit")).map(|w| w.count);
    assert_eq!(missing, Some((STEPS * LEAVES + STEPS + 1 - p.span_count()) as u64));
    assert!(
        fact(&p, "Memory limit").contains("left out, all are there from"),
        "{}",
        fact(&p, "Memory limit")
    );
    let steps = all(&p, "step");
    assert_eq!(steps.last().map(|s| s.arg("step")), Some((STEPS - 1).to_string().as_str()));
    assert!(all(&p, "leaf").iter().all(|s| s.parent == "step") && steps.iter().all(|s| s.parent == "outer"));
    // What was not there is no time of the span around it.
    let outer = one(&p, "outer");
    assert_eq!(outer.start, steps[0].start);
    let whole = open_whole(&Input::Path(journal.path().to_owned()), &Job::new()).unwrap();
    assert_eq!(all(&whole, "leaf").len(), STEPS * LEAVES);
    assert_eq!(whole.span_count(), STEPS * LEAVES + STEPS + 1);
    assert!(one(&whole, "outer").start < outer.start && one(&whole, "outer").end == outer.end);
    let numbers: Vec<String> = all(&whole, "step").iter().map(|s| s.arg("step").to_owned()).collect();
    assert_eq!(numbers, (0..STEPS).map(|n| n.to_string()).collect::<Vec<_>>());
    std::fs::remove_dir_all(folder).unwrap();
}

/// Starts a workload that would go on for long, waits until it has recorded something, and ends it.
fn ended_by(end: fn(&Recording), id: &str, params: &[&str]) -> Result<Arc<Profile>, RecordError> {
    let params: Vec<String> = params.iter().map(ToString::to_string).collect();
    let recording = start(id, &params, quiet(), Box::new(|_| ())).unwrap();
    while recording.status().elapsed < Duration::from_millis(150) {
        std::thread::sleep(Duration::from_millis(2));
    }
    end(&recording);
    recording.join()
}

#[test]
fn cancel_ends_at_once_and_keeps_nothing_while_stop_keeps_all() {
    for (id, params) in [
        ("asyncio", ["scale=10", "users=5"]),
        ("generate", ["questions=10000", "workers=2"]),
        ("rag", ["questions=10000", "others=3"]),
    ] {
        // How soon: `cargo bench --bench record`.
        assert_eq!(ended_by(Recording::cancel, id, &params).unwrap_err(), RecordError::Cancelled);
        let p = ended_by(Recording::stop, id, &params).unwrap();
        assert!(p.span_count() > 0);
        assert_eq!(fact(&p, "Ended"), "stopped by the user");
    }
}
