//! Which functions wait rather than work, as far as their names tell.
//!
//! A sampler with idle threads, and a deterministic profiler of an event loop, spend most of their time in a few functions
//! that do nothing: a lock, a poll, a sleep, a join. Own time of such a function is time that something else was waited
//! for, and no work. Names decide: calls of the operating system, of runtimes and of the Python library that block. A
//! Python function counts only by file and name together, and only its own cost does: what it calls may work.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::call_tree::Shape;
use super::formula::{self, Measure};
use super::functions::{FunctionRow, Functions, LARGEST};
use super::scope::Slice;
use super::tree_costs::OwnByTrack;
use crate::jobs::Cancelled;
use crate::model::keys::names;
use crate::model::{FunctionId, Profile, TrackId, Unit};
use crate::query::{Context, Query};

/// Asks [`of`] for the whole profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiting;

impl Query for Waiting {
    type Output = Vec<bool>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        Ok(of(cx.profile()))
    }

    fn weight(waiting: &Self::Output) -> usize {
        waiting.len()
    }
}

/// What a thread, a task or a stream did with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadWork {
    /// Which.
    pub track: TrackId,
    /// Own costs of functions that do not wait.
    pub works: i64,
    /// Own costs of functions that wait.
    pub waits: i64,
    /// The function with most of the waits.
    pub most: Option<(FunctionId, i64)>,
}

/// Metric of recordings that know when their tasks were polled.
const BUSY: &str = "busy";

/// Share of its time that an idle thread works at most.
const IDLE: f64 = 0.01;

impl ThreadWork {
    /// True for a thread that did nothing but wait.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.waits > 0 && self.works as f64 <= (self.works + self.waits) as f64 * IDLE
    }
}

/// Computes the [`ThreadWork`] of all tracks of a slice that have any costs, most work first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Works(pub Slice);

impl Query for Works {
    type Output = Vec<ThreadWork>;

    fn run(&self, cx: &Context<'_>) -> Result<Self::Output, Cancelled> {
        let (waiting, tree) = (cx.get(&Waiting)?, cx.get(&Shape(self.0.scope.clone()))?);
        let own = cx.get(&OwnByTrack(self.0.clone()))?;
        // What polls a span measured tells work from waiting better than names do.
        let profile = cx.profile();
        let is_time = Measure::of(self.0.metric, profile).is_some_and(|m| m.unit == Unit::Nanoseconds);
        let polled = profile.metric_by_key(BUSY).filter(|_| is_time).map(|m| profile.metric_key(m));
        let polled = polled.filter(|&metric| metric != formula::shown(self.0.metric, profile));
        let polled = match polled {
            Some(metric) => Some(cx.get(&OwnByTrack(Slice { metric, ..self.0.clone() }))?),
            None => None,
        };
        let busy = |track: TrackId| {
            let (_, nodes) = polled.as_ref()?.iter().find(|t| t.0 == track)?;
            (!nodes.is_empty()).then(|| nodes.iter().fold(0i64, |sum, n| sum.saturating_add(n.1)))
        };
        let one = |(track, nodes): &(TrackId, Vec<(u32, i64)>)| {
            let mut thread = ThreadWork { track: *track, works: 0, waits: 0, most: None };
            let mut by: FxHashMap<FunctionId, i64> = FxHashMap::default();
            for &(node, cost) in nodes {
                let function = tree.nodes[node as usize].symbol.function();
                if waiting[function.index()] {
                    thread.waits = thread.waits.saturating_add(cost);
                    *by.entry(function).or_default() += cost;
                } else {
                    thread.works = thread.works.saturating_add(cost);
                }
            }
            thread.most = by.into_iter().max_by_key(|&(f, cost)| (cost, Reverse(f)));
            if let Some(busy) = busy(*track) {
                let all = thread.works.saturating_add(thread.waits);
                thread.works = busy.clamp(0, all);
                thread.waits = all - thread.works;
            }
            thread
        };
        let mut threads: Vec<ThreadWork> = own.iter().map(one).collect();
        threads.retain(|t| t.works != 0 || t.waits != 0);
        threads.sort_by_key(|t| (Reverse(t.works), Reverse(t.waits), t.track));
        Ok(threads)
    }
}

/// The functions with most own cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Largest {
    /// Places of those that work in the rows of the [`FunctionTable`](super::functions::FunctionTable), largest first.
    pub work: Vec<u32>,
    /// Places of those that wait.
    pub waits: Vec<u32>,
    /// Own costs of all that wait.
    pub waited: i64,
}

/// Computes the [`Largest`]: of times and samples, what waits is apart from what works, by its name or because it was hardly ever
/// polled. Of other costs nothing is a wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LargestOwn(pub Slice);

impl Query for LargestOwn {
    type Output = Largest;

    fn run(&self, cx: &Context<'_>) -> Result<Largest, Cancelled> {
        let table = cx.get(&Functions(self.0.clone()))?;
        let profile = cx.profile();
        let unit = Measure::of(self.0.metric, profile).map(|m| m.unit);
        let known = match unit {
            Some(Unit::Nanoseconds) => Some(cx.get(&Waiting)?),
            Some(Unit::Count) if profile.sample_count() > 0 => Some(cx.get(&Waiting)?),
            _ => None,
        };
        let polled = profile.metric_by_key(BUSY).filter(|_| unit == Some(Unit::Nanoseconds));
        let polled = polled.map(|m| profile.metric_key(m));
        let mut busy: FxHashMap<FunctionId, i64> = FxHashMap::default();
        if let Some(metric) = polled.filter(|&metric| metric != formula::shown(self.0.metric, profile)) {
            let polls = cx.get(&Functions(Slice { metric, ..self.0.clone() }))?;
            busy.extend(polls.rows.iter().map(|r| (r.function, r.own)));
        }
        let waits = |row: &FunctionRow| {
            let hardly = |busy: i64| row.own > 0 && busy as f64 <= row.own as f64 * IDLE;
            row.module.is_none()
                && (known.as_ref().is_some_and(|waits| waits[row.function.index()])
                    || busy.get(&row.function).is_some_and(|&busy| hardly(busy)))
        };
        let mut largest = Largest::default();
        for (place, row) in (0u32..).zip(&table.rows).filter(|(_, row)| row.measured) {
            let waits = waits(row);
            let list = if waits { &mut largest.waits } else { &mut largest.work };
            if list.len() < LARGEST {
                list.push(place);
            }
            if waits {
                largest.waited = largest.waited.saturating_add(row.own);
            }
        }
        largest.waits.retain(|&place| table.rows[place as usize].own > 0);
        Ok(largest)
    }

    fn weight(_: &Largest) -> usize {
        2 * LARGEST * size_of::<u32>()
    }
}

/// For each function whether its own time is a wait.
#[must_use]
pub fn of(profile: &Profile) -> Vec<bool> {
    profile.functions.ids().map(|f| waits(profile, f)).collect()
}

fn waits(profile: &Profile, function: FunctionId) -> bool {
    let row = profile.functions.get(function);
    let name = profile.text(row.name);
    let file = profile.text(row.file);
    let script = [".py", ".js", ".mjs", ".ts", ".rb", ".php"].iter().any(|end| file.ends_with(end));
    doing(profile.text(row.category)).is_some()
        || (!script && is_wait(name))
        || (script && in_library(file, name))
}

/// What a function does while it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It waits for something.
    Idle,
    /// It waits for its turn.
    Ready,
}

fn doing(category: &str) -> Option<Doing> {
    [("idle", Doing::Idle), ("ready", Doing::Ready)]
        .into_iter()
        .find(|(known, _)| category.eq_ignore_ascii_case(known))
        .map(|(_, doing)| doing)
}

/// What a function does of which its maker says that it does nothing; `None` for all others.
#[must_use]
pub fn said(profile: &Profile, function: FunctionId) -> Option<Doing> {
    doing(profile.text(profile.functions.get(function).category))
}

/// Waits of a task for others of the same recording, as recordings of asyncio call them.
const FOR_OTHERS: [&str; 3] = ["await of a task", "await of several", "await of a thread's job"];

/// True for a wait for what the recording has as work or waits of its own: the same time is there twice.
#[must_use]
pub fn is_for_others(profile: &Profile, function: FunctionId) -> bool {
    said(profile, function) == Some(Doing::Idle) && FOR_OTHERS.contains(&profile.function_name(function))
}

/// Calls of operating systems and runtimes that block, and where a kernel lets a processor idle; without underscores in front.
const CALLS: &[&str] = &[
    "(idle)",
    "DoIdleWork",
    "GetQueuedCompletionStatus",
    "LockSupport.park",
    "LockSupport.parkNanos",
    "NtDelayExecution",
    "NtRemoveIoCompletion",
    "NtWaitForMultipleObjects",
    "NtWaitForSingleObject",
    "Object.wait",
    "Object.wait0",
    "SleepEx",
    "Thread.sleep",
    "ThreadEventQueue::GetEvent::Wait",
    "Unsafe.park",
    "WaitForMultipleObjects",
    "WaitForMultipleObjectsEx",
    "WaitForSingleObject",
    "WaitForSingleObjectEx",
    // The root of Firefox's child processes: what it has itself, its event loop waits.
    "XRE_InitChildProcess",
    "[await]",
    "accept",
    "accept4",
    "acpi_idle_do_entry",
    "acpi_idle_enter",
    "clock_nanosleep",
    "cpu_idle",
    "cpuidle_enter_state",
    "cuCtxSynchronize",
    "cuEventSynchronize",
    "cuStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cudaStreamSynchronize",
    "default_idle",
    "do_epoll_wait",
    "do_idle",
    "epoll_pwait",
    "epoll_wait",
    "futex",
    "futex_abstimed_wait_common",
    "futex_wait",
    "futex_wait_queue",
    "hipDeviceSynchronize",
    "hipEventSynchronize",
    "hipStreamSynchronize",
    "intel_idle",
    "io_schedule",
    "kevent",
    "kevent64",
    "lll_lock_wait",
    "mach_msg",
    "mach_msg2_trap",
    "mach_msg_overwrite",
    "mach_msg_trap",
    "mwait_idle",
    "mwait_idle_with_hints",
    "nanosleep",
    "native_halt",
    "native_safe_halt",
    "poll",
    "poll_idle",
    "ppoll",
    "pselect",
    "psynch_cvwait",
    "psynch_mutexwait",
    "pthread_cond_timedwait",
    "pthread_cond_wait",
    "pthread_join",
    "pv_native_safe_halt",
    "recv",
    "recvfrom",
    "recvmsg",
    "runtime.epollwait",
    "runtime.futex",
    "runtime.futexsleep",
    "runtime.gopark",
    "runtime.netpoll",
    "runtime.notesleep",
    "runtime.semasleep",
    "runtime.usleep",
    "schedule_timeout",
    "select",
    "sem_timedwait",
    "sem_wait",
    "semaphore_wait_trap",
    "sigtimedwait",
    "sigwait",
    "std::thread::park",
    "std::thread::sleep",
    "swapper",
    "sync.(*Cond).Wait",
    "sync.(*WaitGroup).Wait",
    "time.Sleep",
    "ulock_wait",
    "usleep",
    "wait4",
    "waitid",
    "waitpid",
    "workq_kernreturn",
    "xen_hypercall_sched_op",
];

/// Built-in methods of Python that block: type and method.
const METHODS: &[(&str, &[&str])] = &[
    ("epoll", &["poll"]),
    ("poll", &["poll"]),
    ("devpoll", &["poll"]),
    ("kqueue", &["control"]),
    ("lock", &["acquire", "__enter__"]),
    ("RLock", &["acquire", "__enter__"]),
    ("SimpleQueue", &["get"]),
    ("SemLock", &["acquire", "__enter__"]),
    ("socket", &["accept", "connect", "connect_ex", "recv", "recv_into", "recvfrom", "recvmsg"]),
    ("_SSLSocket", &["read", "do_handshake"]),
    ("time", &["sleep"]),
    ("select", &["select"]),
    ("posix", &["waitpid", "wait4", "waitid", "wait"]),
    ("signal", &["sigwait", "sigtimedwait"]),
    ("_winapi", &["WaitForSingleObject", "WaitForMultipleObjects"]),
    ("_overlapped", &["GetQueuedCompletionStatus"]),
];

/// Functions of the Python library that block where nothing below them was seen.
const LIBRARY: &[(&str, &[&str])] = &[
    ("threading.py", &["wait", "acquire", "join", "_wait_for_tstate_lock", "__enter__"]),
    ("queue.py", &["get", "put", "join"]),
    ("selectors.py", &["select"]),
    ("socket.py", &["accept", "readinto", "recv", "recv_into"]),
    ("ssl.py", &["read", "recv", "recv_into", "do_handshake"]),
    ("subprocess.py", &["wait", "_wait", "_try_wait", "communicate", "_communicate"]),
    (
        "multiprocessing/connection.py",
        &["_recv", "_recv_bytes", "recv", "recv_bytes", "wait", "_poll", "poll"],
    ),
    (
        "multiprocessing/pool.py",
        &["_handle_tasks", "_handle_results", "_handle_workers", "_wait_for_updates", "wait", "get", "join"],
    ),
    ("multiprocessing/popen_fork.py", &["poll", "wait"]),
    ("multiprocessing/process.py", &["join"]),
    ("multiprocessing/queues.py", &["get"]),
    ("multiprocessing/synchronize.py", &["acquire", "wait", "__enter__"]),
    ("concurrent/futures/_base.py", &["wait", "result", "as_completed"]),
    ("concurrent/futures/thread.py", &["_worker"]),
    ("asyncio/locks.py", &["acquire", "wait"]),
    ("asyncio/queues.py", &["get", "put", "join"]),
    ("asyncio/streams.py", &["_wait_for_data", "drain", "read", "readexactly", "readline", "readuntil"]),
    ("asyncio/tasks.py", &["_wait", "sleep", "wait", "wait_for"]),
    ("asyncio/windows_events.py", &["_poll"]),
    ("zmq/sugar/poll.py", &["poll"]),
];

/// True for a function of the list. The name decides about most of a million functions, and costs less than the file's place.
fn in_library(file: &str, name: &str) -> bool {
    let name = name.rsplit('.').next().unwrap_or(name);
    let mut named = LIBRARY.iter().filter(|(_, names)| names.contains(&name)).peekable();
    named.peek().is_some() && {
        let file = names::file(file);
        named.any(|(known, _)| *known == file)
    }
}

/// True when a name alone tells.
fn is_wait(name: &str) -> bool {
    if let Some((method, of)) = python_builtin(name) {
        let of = of.rsplit('.').next().unwrap_or(of);
        return METHODS.iter().any(|(known, methods)| *known == of && methods.contains(&method));
    }
    // What a linker and the C library add: «__GI___poll», «poll@plt», «futex@@GLIBC_2.2», «__read_nocancel».
    let bare = name.split('@').next().unwrap_or(name);
    let bare = bare.trim_start_matches('_');
    let bare = bare.strip_prefix("GI_").unwrap_or(bare).trim_start_matches('_');
    let bare = bare.strip_suffix("_nocancel").unwrap_or(bare);
    let bare = bare.strip_suffix("64").filter(|b| b.starts_with("futex_")).unwrap_or(bare);
    // Java names its classes in full.
    let java = || {
        let mut parts = bare.rsplitn(3, ['.', '/']);
        let (method, class) = (parts.next()?, parts.next()?);
        Some(format!("{class}.{method}"))
    };
    // perf writes the processor or the process behind it: «swapper 0», «swapper/3».
    let swapper = || bare.split([' ', '/', '-']).next() == Some("swapper");
    // Chrome names classes in front.
    let idle_work = || bare.rsplit("::").next() == Some("DoIdleWork");
    CALLS.binary_search(&bare).is_ok()
        || swapper()
        || idle_work()
        || java().is_some_and(|java| CALLS.binary_search(&&*java).is_ok())
}

/// Method and type of a built-in of Python: «{method 'poll' of 'select.epoll' objects}», «<built-in method time.sleep>»,
/// «epoll.poll».
fn python_builtin(name: &str) -> Option<(&str, &str)> {
    let inner = name.strip_prefix(['<', '{']).and_then(|n| n.strip_suffix(['>', '}']));
    let inner = inner.unwrap_or(name);
    if let Some(rest) = inner.strip_prefix("method '") {
        let (method, rest) = rest.split_once('\'')?;
        return Some((method, rest.strip_prefix(" of '")?.split_once('\'')?.0));
    }
    let dotted = inner.strip_prefix("built-in method ").unwrap_or(inner);
    let (of, method) = dotted.rsplit_once('.')?;
    let known = |of: &str| METHODS.iter().any(|(known, _)| *known == of.rsplit('.').next().unwrap_or(of));
    known(of).then_some((method, of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, subject};
    use crate::model::{FunctionSpec, ProfileBuilder};

    #[test]
    fn the_list_is_sorted() {
        assert!(CALLS.is_sorted());
    }

    #[test]
    fn what_blocks_waits_and_what_is_named_alike_does_not() {
        for name in [
            "{method 'poll' of 'select.epoll' objects}",
            "<method 'acquire' of '_thread.lock' objects>",
            "<built-in method time.sleep>",
            "epoll.poll",
            "__GI___poll",
            "pthread_cond_wait@@GLIBC_2.3.2",
            "__futex_abstimed_wait_common64",
            "java.lang.Object.wait",
            "jdk.internal.misc.Unsafe.park",
            "runtime.futex",
            "cudaStreamSynchronize",
            "[await]",
            "(idle)",
            "swapper 0",
            "swapper/3",
            "sync.(*WaitGroup).Wait",
            "ThreadEventQueue::GetEvent::Wait",
            "base::MessagePump::DoIdleWork",
        ] {
            assert!(is_wait(name), "{name}");
        }
        for name in [
            "wait_for_tokens",
            "{method 'read' of '_io.BufferedReader' objects}",
            "<module>",
            "join",
            "Pool.poll_all",
            "app.wait",
            "select_best",
            "cudaLaunchKernel",
            "str.join",
        ] {
            assert!(!is_wait(name), "{name}");
        }
    }

    #[test]
    fn a_python_function_waits_by_its_file() {
        let mut b = ProfileBuilder::new("test");
        let mut add = |name, file| b.function(FunctionSpec { name, file, ..FunctionSpec::default() });
        add("join", "/usr/lib/python3.12/threading.py");
        add("join", "/home/me/app/threading.py");
        add("Connection._recv", "C:\\Python311\\Lib\\multiprocessing\\connection.py");
        add("join", "/home/me/app/strings.py");
        assert_eq!(of(&b.finish()), [true, false, true, false]);
    }

    #[test]
    fn what_waits_does_not_lead_the_largest_self_costs() {
        let s = subject("main>epoll.poll 60; main>work 30; main 10");
        let slice = Slice::default();
        let (largest, table) = (ask(&s, &LargestOwn(slice.clone())), ask(&s, &Functions(slice)));
        let names = |places: &[u32]| -> Vec<&str> {
            places.iter().map(|&at| s.profile.function_name(table.rows[at as usize].function)).collect()
        };
        assert_eq!(names(&largest.work), ["work", "main"]);
        assert_eq!((names(&largest.waits), largest.waited), (vec!["epoll.poll"], 60));
    }
}
