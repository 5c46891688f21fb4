use super::records::MAGIC;
use crate::import::testing::{damage, open_bytes};
use crate::model::*;

const START: u64 = 1;
const RETURN: u64 = 2;
const ON: u64 = 4;
const OFF: u64 = 5;
const NEW: u64 = 6;
const END: u64 = 7;
const READY: u64 = 8;
const CHAIN: u64 = 9;
const CODE: u64 = 17;
const TEXT: u64 = 18;
const THREAD: u64 = 19;
const PROCESS: u64 = 20;
const LATE: u64 = 21;

const MS: u64 = 1_000_000;

/// Writes segments as the recorder in the program does.
struct File(Vec<u8>);

impl File {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn words(mut self, words: &[u64]) -> Self {
        words.iter().for_each(|w| self.0.extend_from_slice(&w.to_le_bytes()));
        self
    }

    fn segment(self, pid: u64, series: u64, seq: u64) -> Self {
        self.words(&[MAGIC, pid, 1, series, seq, 0, 1_700_000_000_000_000_000, 0])
    }

    /// The process of the first segment stops recording.
    fn stopped(mut self, ms: u64, why: u64) -> Self {
        self.0[56..64].copy_from_slice(&((ms * MS) & !7 | why).to_le_bytes());
        self
    }

    fn put(self, ms: u64, kind: u64, argument: u64) -> Self {
        self.words(&[ms * MS + 1, kind | argument << 8])
    }

    fn text(mut self, ms: u64, kind: u64, number: u64, parts: &[&str]) -> Self {
        let text = parts.join("\0");
        self = self.words(&[ms * MS + 1, kind | number << 8 | (text.len() as u64) << 40]);
        self.0.extend_from_slice(text.as_bytes());
        self.0.resize(self.0.len().next_multiple_of(16), 0);
        self
    }

    fn code(self, number: u64, file: &str, name: &str) -> Self {
        self.text(0, CODE, number, &[&format!("/usr/lib/python3.13/{file}"), name, "7"])
    }

    /// The start of every process here: two coroutines, the library's `sleep`, and who may wake.
    fn begun(self, pid: u64) -> Self {
        self.segment(pid, 0, 0)
            .text(0, THREAD, 5, &["MainThread"])
            .text(0, PROCESS, 0, &["3.13.0", "app.py"])
            .text(0, CODE, 1, &["/app/app.py", "main", "1"])
            .text(0, CODE, 2, &["/app/app.py", "embed", "9"])
            .code(3, "asyncio/tasks.py", "sleep")
            .code(4, "asyncio/futures.py", "_set_result_unless_cancelled")
            .code(5, "asyncio/events.py", "Handle._run")
            .text(0, TEXT, 6, &["ValueError"])
    }

    fn open(&self) -> Profile {
        open_bytes(&self.0).unwrap()
    }
}

/// The argument of a call.
const fn symbol(n: u64) -> u64 {
    n
}

/// Two tasks: main makes embed, waits 10 ms for its 4 ms of work and a sleep.
fn two_tasks() -> File {
    File::new()
        .begun(7)
        .text(1, NEW, 1, &["Task-1", "main", ""])
        .put(1, ON, 1)
        .put(1, START, symbol(1))
        .text(1, NEW, 2, &["Task-2", "embed", "/app/app.py:3"])
        .put(2, OFF, 2 | 2 << 3)
        .put(2, ON, 2)
        .put(2, START, symbol(2))
        .put(6, START, symbol(3))
        .put(6, OFF, 1)
        // Due at 8, when nothing ran: the system was late.
        .put(9, READY, 2 | 4 << 32)
        .put(9, LATE, 2 | 1000 << 32)
        .put(9, ON, 2)
        .put(9, RETURN, symbol(3))
        .put(11, RETURN, symbol(2))
        .put(11, END, 2)
        .put(11, OFF, 4)
        .put(11, READY, 1 | 5 << 32)
        .put(12, ON, 1)
        .put(13, RETURN, symbol(1))
        .put(13, END, 1)
        .put(13, OFF, 4)
}

fn track<'a>(p: &'a Profile, label: &str) -> (TrackId, &'a SpanTable) {
    let id = p.track_ids().find(|t| p.track_label(*t) == label);
    let id = id.unwrap_or_else(|| {
        panic!("{label}: {:?}", p.track_ids().map(|t| p.track_label(t)).collect::<Vec<_>>())
    });
    (id, &p.track(id).spans)
}

/// Name, start and end in ms of the spans of a track.
fn spans(p: &Profile, label: &str) -> Vec<(String, i64, i64)> {
    let ms = |ns: i64| ns / MS as i64;
    let rows = track(p, label).1.rows.iter();
    rows.map(|s| (p.function_name(s.function).to_owned(), ms(s.start), ms(s.end))).collect()
}

fn found(name: &str, from: i64, to: i64) -> (String, i64, i64) {
    (name.to_owned(), from, to)
}

#[test]
fn tasks_have_their_calls_waits_and_callers() {
    let p = two_tasks().open();
    // The first record is at 0.
    assert_eq!(
        spans(&p, "main (Task-1)"),
        [found("main", 1, 13), found("await of a task", 2, 12), found("ready, the loop was busy", 11, 12)]
    );
    assert_eq!(
        spans(&p, "embed (Task-2)"),
        [found("ready, the loop was busy", 1, 2), found("embed", 2, 11), found("sleep", 6, 9)]
    );
    let (embed, table) = track(&p, "embed (Task-2)");
    let (main, _) = track(&p, "main (Task-1)");
    assert_eq!(table.caller(1), Some((main, 0)), "main made it");
    let busy = p.metric_by_key("busy").unwrap();
    let costs = &table.costs.iter().find(|(m, _)| *m == busy).unwrap().1;
    assert_eq!(costs[1], 6 * MS as i64, "4 before the sleep, 2 after it");
    let wakes: Vec<_> = p.links.iter().map(|l| (l.from.0, l.to.0, l.to.1 / MS as i64)).collect();
    assert_eq!(wakes, [(embed, main, 12)]);
    assert_eq!(p.meta.fact("Tasks"), Some(&FactValue::Text("2: 2 returned".into())));
    assert_eq!(p.meta.origin_unix_ns, Some(1_700_000_000_000_000_001));
}

#[test]
fn who_holds_the_loop_while_a_timer_is_due_is_named() {
    let p = File::new()
        .begun(7)
        .text(1, NEW, 1, &["Task-1", "main", ""])
        .put(1, ON, 1)
        .put(1, START, symbol(3))
        .put(1, OFF, 1)
        .text(2, NEW, 2, &["Task-2", "embed", ""])
        .put(2, ON, 2)
        .put(2, START, symbol(2))
        .put(52, RETURN, symbol(2))
        .put(52, END, 2)
        .put(52, OFF, 4)
        // Due at 12.
        .put(53, READY, 1 | 4 << 32)
        .put(53, LATE, 1 | 41_000 << 32)
        .put(53, ON, 1)
        .put(53, RETURN, symbol(3))
        .open();
    assert_eq!(spans(&p, "main (Task-1)")[1], found("ready, the loop was busy", 12, 53));
    let texts: Vec<&str> = p.findings.iter().map(|f| p.text(f.text)).collect();
    assert_eq!(
        texts,
        [
            "embed held the event loop of MainThread for 50.0 ms; 1 task was ready meanwhile, and the longest wait for it was 40.0 ms."
        ]
    );
    assert_eq!(p.findings[0].track, Some(track(&p, "embed (Task-2)").0));
}

/// An identity is an address, which the next coroutine gets.
#[test]
fn chains_of_awaits_tell_calls_to_a_step() {
    let file = File::new()
        .begun(7)
        .text(1, NEW, 1, &["Task-1", "main", ""])
        .put(1, ON, 1)
        .put(1, START, symbol(1))
        .put(4, CHAIN, 2)
        .words(&[1, 100, 3, 200])
        .put(4, OFF, 1)
        .put(8, ON, 1)
        .put(10, CHAIN, 2)
        .words(&[1, 100, 3, 200])
        .put(10, OFF, 1)
        .put(12, ON, 1)
        .put(13, RETURN, symbol(1))
        .put(13, END, 1 | 1 << 32 | 6 << 34)
        .put(13, OFF, 4);
    let p = file.open();
    assert_eq!(
        spans(&p, "main (Task-1)"),
        [found("main", 1, 13), found("sleep", 4, 8), found("sleep", 10, 12)]
    );
    assert_eq!(track(&p, "main (Task-1)").1.rows[0].status, SpanStatus::Error);
}

/// `main` awaits `embed`, which makes a task and is over; the task goes on until 31. Main ends then, or `main_ends` before.
fn made_by_what_is_over(main_ends: u64) -> Profile {
    let begun = File::new()
        .begun(7)
        .text(1, NEW, 1, &["Task-1", "main", ""])
        .put(1, ON, 1)
        .put(1, START, symbol(1))
        .put(2, START, symbol(2))
        .text(2, NEW, 2, &["Task-2", "sleep", "/app/app.py:9"])
        .put(3, RETURN, symbol(2))
        .put(3, OFF, 1)
        .put(3, ON, 2)
        .put(3, START, symbol(3))
        .put(4, OFF, 1);
    let end = |file: File, at: u64, task: u64, code: u64| {
        file.put(at, ON, task).put(at, RETURN, symbol(code)).put(at, END, task).put(at, OFF, 4)
    };
    match main_ends < 31 {
        true => end(end(begun, main_ends, 1, 1), 31, 2, 3).open(),
        false => end(end(begun, 31, 2, 3), main_ends, 1, 1).open(),
    }
}

#[test]
fn a_task_that_outlives_the_coroutine_that_made_it_is_none_of_its_calls() {
    let callers = |p: &Profile| -> Vec<String> {
        let (_, table) = track(p, "sleep (Task-2)");
        let callers = (0..table.rows.len() as u32).filter_map(|row| table.caller(row));
        let name = |(track, row): (TrackId, u32)| p.track(track).spans.rows[row as usize].function;
        callers.map(|caller| p.function_name(name(caller)).to_owned()).collect()
    };
    assert_eq!(callers(&made_by_what_is_over(33)), ["main"], "which waited for embed, and lasted as long");
    let p = made_by_what_is_over(9);
    assert_eq!(callers(&p), [""; 0]);
    let starts = p.links.iter().filter(|l| p.text(l.name) == "starts");
    let starts: Vec<_> = starts.map(|l| (l.from.0, l.from.1 / MS as i64, l.to.0)).collect();
    assert_eq!(starts, [(track(&p, "main (Task-1)").0, 2, track(&p, "sleep (Task-2)").0)]);
}

/// A chain of awaits said that `main` was in the library's `wait_for`. In the next step that is over, which nothing tells yet.
#[test]
fn a_coroutine_that_may_be_over_has_made_no_task() {
    let p = File::new()
        .begun(7)
        .code(8, "asyncio/tasks.py", "wait_for")
        .text(1, NEW, 1, &["Task-1", "main", ""])
        .put(1, ON, 1)
        .put(1, START, symbol(1))
        .put(2, CHAIN, 2)
        .words(&[1, 100, 8, 200])
        .put(2, OFF, 1)
        .put(10, ON, 1)
        .text(11, NEW, 2, &["Task-2", "embed", "/app/app.py:9"])
        .put(12, CHAIN, 1)
        .words(&[1, 100])
        .put(12, OFF, 2 | 2 << 3)
        .put(12, ON, 2)
        .put(12, START, symbol(2))
        .put(20, RETURN, symbol(2))
        .put(20, END, 2)
        .put(20, OFF, 4)
        .put(20, READY, 1 | 5 << 32)
        .put(21, ON, 1)
        .put(22, RETURN, symbol(1))
        .put(22, END, 1)
        .put(22, OFF, 4)
        .open();
    let (main, rows) = track(&p, "main (Task-1)");
    let name = |row: u32| p.function_name(rows.rows[row as usize].function).to_owned();
    let (_, table) = track(&p, "embed (Task-2)");
    let row = table.rows.iter().position(|s| p.function_name(s.function) == "embed").unwrap() as u32;
    let (by, at) = table.caller(row).unwrap();
    assert_eq!((by, name(at)), (main, "main".to_owned()));
}

#[test]
fn what_was_open_at_the_last_record_is_unfinished() {
    let p = File::new()
        .begun(7)
        .text(1, NEW, 1, &["Task-1", "main", ""])
        .put(1, ON, 1)
        .put(1, START, symbol(1))
        .put(5, START, symbol(2))
        .put(9, READY, 1)
        .stopped(9, 2)
        .open();
    let rows = &track(&p, "main (Task-1)").1.rows;
    assert!(rows.iter().all(|s| s.status == SpanStatus::Unfinished && s.end == 9 * MS as i64), "{rows:?}");
    assert_eq!(p.warnings.len(), 1, "{:?}", p.warnings);
    assert!(p.warnings[0].kind.contains("no room on the disk"), "{:?}", p.warnings);
    assert!(p.warnings[0].first.contains("process 7, from 9.00 ms"), "{:?}", p.warnings);
}

#[test]
fn many_tasks_of_a_coroutine_share_a_track() {
    let mut file = File::new().begun(7);
    for n in 1..=100 {
        file = file
            .text(n, NEW, n, &[&format!("Task-{n}"), "embed", ""])
            .put(n, ON, n)
            .put(n, START, symbol(2))
            .put(n, OFF, 1);
    }
    for n in 1..=100 {
        file = file.put(200, ON, n).put(201, RETURN, symbol(2)).put(201, END, n).put(201, OFF, 4);
    }
    let p = file.open();
    let table = track(&p, "embed (100 tasks)").1;
    let calls = table.rows.iter().filter(|s| p.function_name(s.function) == "embed").count();
    assert_eq!((calls, table.lanes.len()), (100, 100), "one lies beside the other");
}

#[test]
fn processes_stand_apart() {
    let mut both = two_tasks();
    both.0.extend_from_slice(&[0; 64]);
    let second = two_tasks().0;
    both.0.extend(second);
    let start = both.0.len() - two_tasks().0.len();
    both.0[start + 8] = 9;
    let p = both.open();
    assert!(p.track_ids().any(|t| p.track_label(t).contains("app.py (9)")));
    assert_eq!(p.meta.fact("Tasks"), Some(&FactValue::Text("4: 4 returned".into())));
}

#[test]
fn damage_is_told_or_counted() {
    let file = two_tasks();
    damage(&file.0, |_| ());
    // Nothing but numbers that are too large.
    let wild = File::new().segment(1, 0, 0).words(&[
        5,
        CHAIN | u64::MAX << 8,
        6,
        TEXT | u64::MAX << 8,
        u64::MAX,
        START,
    ]);
    assert!(open_bytes(&wild.0).is_err());
    let mut cut = two_tasks();
    let at = cut.0.len() - 16 * 3;
    cut.0[at + 8] = 0xEE;
    let p = cut.open();
    assert!(p.warnings.iter().any(|w| w.kind.contains("damaged")), "{:?}", p.warnings);
}

/// What a sampler saw of the process of [`two_tasks`], a look every ms from 1.5 ms on: as [`crate::import::stacks`] has it.
fn stacks_of(looks: &[&str]) -> Vec<u8> {
    let mut text =
        "inferscope-stacks\t1\t7\t500001\t1700000000000500000\t1000000\ta sampler\t3.13.0\tapp.py\n\
                    n\t0\t5\t0\tMainThread\n\
                    f\t<module>\t/app/app.py\t1\n\
                    f\tHandle._run\t/usr/lib/python3.13/asyncio/events.py\t80\n\
                    f\tmain\tapp.py\t1\n\
                    f\tembed\tapp.py\t9\n\
                    f\tnorm\tapp.py\t30\n\
                    f\tselect\t/usr/lib/python3.13/selectors.py\t300\n\
                    s\t-\t0\t40\ns\t0\t1\t88\ns\t1\t2\t3\ns\t1\t3\t11\ns\t3\t4\t31\ns\t0\t5\t310\n"
            .to_owned();
    looks.iter().for_each(|look| text.push_str(&format!("t\t1000{look}\n")));
    let mut bytes = super::pack::STACKS.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    bytes
}

/// Names of a sample's stack, outermost first, with its time in µs.
fn sampled<'a>(p: &'a Profile, track: &str) -> Vec<(i64, i64, Vec<&'a str>)> {
    let track = p.tracks.iter().find(|t| p.text(t.name).starts_with(track)).unwrap();
    let samples = &track.samples;
    let name = |i: usize| {
        let path = samples.stacks[i].map(|s| p.stack_functions(s))?;
        let (start, end) = samples.interval(i)?;
        Some((start / 1000, end / 1000, path.into_iter().map(|f| p.function_name(f)).collect()))
    };
    (0..samples.len()).filter_map(name).collect()
}

#[test]
fn samples_of_a_loop_lie_below_the_coroutine_that_ran() {
    // 1.5 main; 2.5, 3.5 embed; 4.5 norm in it; 5.5 embed; 6.5 the loop waits.
    let looks = ["\t0:g:2", "\t0:g:3", "", "\t0:g:4", "\t0:g:3", "\t0:i:5"];
    let bytes = [stacks_of(&looks), two_tasks().0].concat();
    let p = open_bytes(&bytes).unwrap();
    let begin = two_tasks().open().meta.origin_unix_ns;
    assert_eq!(p.meta.origin_unix_ns, begin, "one clock");
    // The step from 1 to 2 ms is main's; nothing is on top of its coroutine.
    assert_eq!(sampled(&p, "main"), []);
    // Of embed's step, from 2 to 6 ms, the look at 4.5 saw what embed had called.
    assert_eq!(sampled(&p, "embed"), [(4500, 5500, vec!["norm"])]);
    let outside = sampled(&p, "MainThread, outside of tasks");
    assert_eq!(outside, [(6000, 7500, vec!["<module>", "select", "(waits)"])]);
    assert_eq!(p.meta.basis, Basis::Timed);
    // A function that both know is one.
    let embeds = p.functions.rows().iter().filter(|f| p.text(f.name) == "embed").count();
    assert_eq!(embeds, 1);
}

#[test]
fn stacks_alone_are_a_profile_too_and_damage_is_survived() {
    let bytes = stacks_of(&["\t0:g:2", "\t0:i:5"]);
    let p = open_bytes(&bytes).unwrap();
    assert_eq!((p.meta.basis.key(), sampled(&p, "MainThread").len()), ("sampled", 2));
    damage(&[bytes, two_tasks().0].concat(), |_| ());
}
