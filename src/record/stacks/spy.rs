//! Looks at one process until it ends.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use py_spy::config::{LineNo, LockingStrategy};
use py_spy::{Config, PythonSpy, StackTrace};

use super::Plan;
use super::find::began;
use super::rights::in_words;
use super::text::{Frame, Head, Seen, Text};
use crate::record::calls::counter;
use crate::record::sampler::thread_cpu_time;

/// How long a young process may be without an interpreter that can be found.
const YOUNG: Duration = Duration::from_secs(3);
const TRY_EVERY: Duration = Duration::from_millis(10);
/// Looks that fail one after the other, by which time the process is another program.
const MOST_FAILED: u32 = 50;
/// The system's number of a thread stands somewhere at the begin of what Python's number of it points to.
const DESCRIPTOR: usize = 1024;

/// How the sampling of a process ended.
#[derive(Debug, Default)]
pub(super) struct End {
    pub(super) looks: u64,
    /// Why there is none, or no more.
    pub(super) why: Option<String>,
    pub(super) cpu: Duration,
}

/// What comes after a file.
#[derive(PartialEq, Eq)]
enum Next {
    /// The process may have become another program.
    Again,
    Done,
}

/// Samples `pid` until it ends or `stop` says so.
pub(super) fn sample(pid: u32, plan: &Plan, stop: &AtomicBool) -> End {
    crate::record::leave_out_this_thread();
    let mut end = End::default();
    let Some(since) = began(pid) else { return end };
    let goes_on = || began(pid) == Some(since) && !stop.load(Ordering::Relaxed);
    while goes_on() {
        let spy = match attach(pid, plan, &goes_on) {
            Ok(Some(spy)) => spy,
            Ok(None) => break,
            Err(why) => {
                end.why = Some(in_words(&why)).filter(|_| end.looks == 0);
                break;
            }
        };
        match watch(pid, spy, plan, &goes_on) {
            Ok((looks, next)) => {
                end.looks += looks;
                if next == Next::Done {
                    break;
                }
            }
            Err(why) => {
                end.why = Some(why);
                break;
            }
        }
    }
    end.cpu = thread_cpu_time().unwrap_or_default();
    end
}

/// Finds the interpreter of a process. Nothing when the process ends meanwhile.
fn attach(pid: u32, plan: &Plan, goes_on: &impl Fn() -> bool) -> Result<Option<PythonSpy>, String> {
    let config = Config {
        blocking: LockingStrategy::NonBlocking,
        include_idle: true,
        collect_thread_names: true,
        full_filenames: true,
        native: false,
        sampling_rate: u64::from(plan.hz),
        ..Config::default()
    };
    let number = i32::try_from(pid).map_err(|e| e.to_string())?;
    let begun = Instant::now();
    loop {
        let failed = match PythonSpy::new(number, &config) {
            // What was found must be one.
            Ok(mut spy) => match traces(&mut spy) {
                Ok(_) => return Ok(Some(spy)),
                Err(why) => why,
            },
            Err(e) => format!("{e:#}"),
        };
        if !goes_on() {
            return Ok(None);
        }
        let never = failed.contains("ermission denied") || failed.contains("not permitted");
        if begun.elapsed() >= YOUNG || never {
            return Err(failed);
        }
        std::thread::sleep(TRY_EVERY);
    }
}

/// What a process runs: its script or module, not what of ours may run around it.
fn program(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<String> =
        line.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).collect();
    script_of(&words)
}

fn script_of(words: &[String]) -> String {
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut rest = words.iter().skip(1).filter(|w| !w.is_empty());
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-W" | "-X" | "--check-hash-based-pycs" => drop(rest.next()),
            "-m" => return rest.next().cloned().unwrap_or_default(),
            "-c" | "-" => break,
            option if option.starts_with('-') => {}
            around if around.ends_with("/profile_run.py") => drop((rest.next(), rest.next())),
            script => return base(script),
        }
    }
    words.first().map(|w| base(w)).unwrap_or_default()
}

/// Writes what is seen until the process ends, is another program or there is no more room. Gives the number of looks.
fn watch(
    pid: u32,
    mut spy: PythonSpy,
    plan: &Plan,
    goes_on: &impl Fn() -> bool,
) -> Result<(u64, Next), String> {
    let Some(clock) = counter() else { return Err("this system's clock cannot be read".into()) };
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    let interval = Duration::from_secs(1) / plan.hz.max(1);
    let head = Head {
        pid,
        clocks: (clock, i64::try_from(unix).unwrap_or(0)),
        interval: i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX),
        python: &spy.version.to_string(),
        program: &program(pid),
    };
    let mut text =
        Text::create(&plan.folder, &head).map_err(|e| format!("its stacks cannot be written: {e}"))?;
    let mut natives = Natives::new(pid);
    let (mut looks, mut failed) = (0, 0);
    let mut due = Instant::now();
    while goes_on() {
        let (began, before) = (Instant::now(), counter().unwrap_or(0));
        match traces(&mut spy) {
            // It stands for the middle of the time that it took.
            Ok(traces) if began.elapsed() <= interval => {
                failed = 0;
                let at = before + i64::try_from(began.elapsed().as_nanos() / 2).unwrap_or(0);
                let seen: Vec<Seen<'_>> = traces.iter().map(|trace| seen(pid, trace, &mut natives)).collect();
                if !text.look(at, &seen) {
                    return Ok((looks, Next::Done));
                }
                looks += 1;
                if text.wants_begins() {
                    learn(&mut spy, &mut text);
                }
            }
            Ok(_) => text.lose(),
            Err(_) => {
                failed += 1;
                text.lose();
                if failed >= MOST_FAILED {
                    return Ok((looks, Next::Again));
                }
            }
        }
        // After a look that came late not two at once.
        due = (due + interval).max(Instant::now() + interval / 2);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok((looks, Next::Done))
}

/// What a thread that looks is called.
pub(super) const THREAD: &str = "stacks of a process";

/// What fails in a look is no message of the recorder: it is counted as missed.
fn quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() != Some(THREAD) {
                usual(info);
            }
        }));
    });
}

/// A look at all threads. The program changes what is read meanwhile, and may be read as nonsense: such a look fails, whatever
/// becomes of it.
fn traces(spy: &mut PythonSpy) -> Result<Vec<StackTrace>, String> {
    quietly();
    match catch_unwind(AssertUnwindSafe(|| spy.get_stack_traces())) {
        Ok(found) => found.map_err(|e| format!("{e:#}")),
        Err(_) => Err("what was read makes no sense".to_owned()),
    }
}

fn seen<'a>(pid: u32, trace: &'a StackTrace, natives: &mut Natives) -> Seen<'a> {
    let native = trace.os_thread_id.or_else(|| natives.of(trace.thread_id)).unwrap_or(0);
    let state = match is_on(pid, native) {
        Some(true) if trace.owns_gil => 'g',
        Some(true) => 'r',
        Some(false) => 'i',
        None => {
            // Python's number may be another thread's by now.
            natives.known.remove(&trace.thread_id);
            'u'
        }
    };
    Seen {
        ident: trace.thread_id,
        native,
        name: trace.thread_name.as_deref().unwrap_or_default(),
        state,
        frames: trace.frames.iter().map(frame).collect(),
    }
}

/// Looks once more, at where the functions begin that run now.
fn learn(spy: &mut PythonSpy, text: &mut Text) {
    let usual = std::mem::replace(&mut spy.config.lineno, LineNo::First);
    let found = traces(spy);
    spy.config.lineno = usual;
    // What fails is tried again with the next function that is new.
    let found = found.unwrap_or_default();
    text.learn(found.iter().flat_map(|trace| &trace.frames).map(frame));
}

fn frame(f: &py_spy::Frame) -> Frame<'_> {
    Frame { name: &f.name, file: &f.filename, line: u32::try_from(f.line).unwrap_or(0) }
}

/// Whether a thread is on a processor, or could be.
fn is_on(pid: u32, thread: u64) -> Option<bool> {
    if thread == 0 {
        return None;
    }
    let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat")).ok()?;
    let (_, after) = text.rsplit_once(')')?;
    Some(after.trim_start().starts_with('R'))
}

/// The system's numbers of threads where the interpreter does not keep them, which is before Python 3.11.
struct Natives {
    pid: u32,
    /// Where in its descriptor a thread has its number.
    place: Option<usize>,
    known: BTreeMap<u64, Option<u64>>,
}

impl Natives {
    fn new(pid: u32) -> Self {
        Self { pid, place: None, known: BTreeMap::new() }
    }

    /// Python's number of a thread is the address of its descriptor.
    fn of(&mut self, ident: u64) -> Option<u64> {
        if let Some(known) = self.known.get(&ident) {
            return *known;
        }
        let found = self.look(ident);
        self.known.insert(ident, found);
        found
    }

    fn look(&mut self, ident: u64) -> Option<u64> {
        let mut bytes = [0; DESCRIPTOR];
        let memory = fs::File::open(format!("/proc/{}/mem", self.pid)).ok()?;
        memory.read_exact_at(&mut bytes, ident).ok()?;
        let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(i32::from_ne_bytes);
        let is_thread =
            |n: &i32| *n > 0 && fs::exists(format!("/proc/{}/task/{n}", self.pid)).unwrap_or(false);
        if let Some(place) = self.place {
            return number(place).filter(is_thread).map(|n| n.unsigned_abs().into());
        }
        // The first one whose descriptor has one such number says where that is.
        let mut places = (0..DESCRIPTOR).step_by(4).filter(|&at| number(at).as_ref().is_some_and(is_thread));
        let place = places.next()?;
        let found = number(place).map(|n| n.unsigned_abs().into());
        self.place = places.next().is_none().then_some(place);
        found.filter(|_| self.place.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_called_by_what_it_runs() {
        let of = |line: &str| script_of(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("python -W error -u /srv/app.py --n 3"), "app.py");
        assert_eq!(of("python3.12 /tmp/x/profile_run.py /tmp/x none /srv/app.py"), "app.py");
        assert_eq!(of("python /tmp/x/profile_run.py /tmp/x cprofile -m pkg.tool a"), "pkg.tool");
        assert_eq!(of("/usr/bin/python3 -X dev -c print(1)"), "python3");
    }

    #[test]
    fn what_is_not_known_of_a_thread_is_not_made_up() {
        let mut natives = Natives::new(std::process::id());
        assert_eq!(natives.of(8), None, "no memory is there");
        assert!(is_on(std::process::id(), u64::from(std::process::id())).is_some());
        assert_eq!(is_on(std::process::id(), 0), None);
    }
}
