//! Stacks of Python processes, looked at from outside while they run: the crate `py-spy` as a library, without stopping them.
//!
//! One thread follows the tree of processes and starts a thread for each that is Python; nobody waits for the slowest. A look takes
//! the stamps of our own clock. What is seen goes to a file of the process (`import/stacks` says what it holds), so that a recorder that is
//! killed has left it.
//!
//! Processes are never stopped for a look (`LockingStrategy::NonBlocking`): as their parent we would take their exit status from
//! whoever waits for them. So a look may meet a stack that changes meanwhile; one that fails or takes long is left out and counted.

#[cfg(target_os = "linux")]
mod find;
#[cfg(target_os = "linux")]
mod rights;
#[cfg(target_os = "linux")]
mod spy;
#[cfg(target_os = "linux")]
mod text;

use std::path::PathBuf;
use std::time::Duration;

/// What is sampled.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The first process.
    pub(super) root: u32,
    /// All that it starts, too.
    pub(super) children: bool,
    /// Where files of stacks are written.
    pub(super) folder: PathBuf,
    /// Looks a second.
    pub(super) hz: u32,
}

/// How it went.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Python processes of which there are stacks.
    pub(super) sampled: usize,
    /// Those of which there are none, and why, in one line each.
    pub(super) failed: Vec<(u32, String)>,
    /// CPU time of the recorder's threads for it.
    pub(super) cpu: Duration,
}

/// What is said where stacks cannot be read from outside.
#[cfg(not(target_os = "linux"))]
const ELSEWHERE: &str = "stacks of other processes are read on Linux alone";

#[cfg(target_os = "linux")]
pub(super) use linux::Stacks;
#[cfg(target_os = "linux")]
pub(super) use rights::{of_children, of_process};

/// Why stacks of processes that we start cannot be read from outside; `None` when they can.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_children() -> Option<String> {
    Some(ELSEWHERE.into())
}

/// Why stacks of a running process cannot be read; `None` when they can.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_process(_: u32) -> Option<String> {
    Some(ELSEWHERE.into())
}

/// Sampling that nobody does here.
#[cfg(not(target_os = "linux"))]
pub(super) struct Stacks;

#[cfg(not(target_os = "linux"))]
impl Stacks {
    pub(super) fn start(_: Plan) -> Self {
        Self
    }

    pub(super) fn end(self) -> Outcome {
        Outcome::default()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::Duration;

    use super::find::Finder;
    use super::{Outcome, Plan, spy};
    use crate::jobs;
    use crate::record::sampler::thread_cpu_time;

    /// Between two looks for new processes: one that lives for less is hardly seen.
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    /// Processes that are sampled at once.
    const MOST: usize = 64;
    /// Failed processes that are told.
    const MOST_FAILED: usize = 100;

    /// Sampling that goes on.
    pub(in crate::record) struct Stacks {
        stop: Arc<AtomicBool>,
        thread: JoinHandle<Outcome>,
    }

    impl Stacks {
        /// Begins with the first process, whether it is Python already or becomes that.
        pub(in crate::record) fn start(plan: Plan) -> Self {
            let stop = Arc::new(AtomicBool::new(false));
            let thread = jobs::spawn("stacks", {
                let stop = stop.clone();
                move || follow(&plan, &stop)
            });
            Self { stop, thread }
        }

        /// Ends it.
        pub(in crate::record) fn end(self) -> Outcome {
            self.stop.store(true, Ordering::Relaxed);
            self.thread.thread().unpark();
            self.thread.join().unwrap_or_default()
        }
    }

    fn follow(plan: &Plan, stop: &Arc<AtomicBool>) -> Outcome {
        crate::record::leave_out_this_thread();
        let mut finder = Finder::new(plan.root, plan.children);
        let mut running: BTreeMap<u32, JoinHandle<spy::End>> = BTreeMap::new();
        let mut outcome = Outcome::default();
        while !stop.load(Ordering::Relaxed) {
            settle(&mut running, &mut outcome, false);
            for pid in finder.look() {
                if running.len() >= MOST {
                    failed(&mut outcome, pid, format!("{MOST} processes are sampled at once"));
                    continue;
                }
                let (plan, stop) = (plan.clone(), stop.clone());
                let thread = jobs::spawn(spy::THREAD, move || spy::sample(pid, &plan, &stop));
                running.insert(pid, thread);
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
        settle(&mut running, &mut outcome, true);
        outcome.cpu += thread_cpu_time().unwrap_or_default();
        outcome
    }

    /// Takes what threads have to say that have ended, or all.
    fn settle(running: &mut BTreeMap<u32, JoinHandle<spy::End>>, outcome: &mut Outcome, all: bool) {
        let ended: Vec<u32> =
            running.iter().filter(|(_, t)| all || t.is_finished()).map(|(pid, _)| *pid).collect();
        for pid in ended {
            let Some(end) = running.remove(&pid).map(JoinHandle::join) else { continue };
            let end = end.unwrap_or_else(|_| spy::End {
                why: Some("reading it failed".into()),
                ..spy::End::default()
            });
            outcome.sampled += usize::from(end.looks > 0);
            outcome.cpu += end.cpu;
            if let Some(why) = end.why {
                failed(outcome, pid, why);
            }
        }
    }

    fn failed(outcome: &mut Outcome, pid: u32, why: String) {
        if outcome.failed.len() < MOST_FAILED {
            outcome.failed.push((pid, why));
        }
    }
}
