//! Threads that help with a product, and that nobody waits for.
//!
//! Work is cut into chunks, which the calling thread and its helpers take in turn. A helper that has no core takes none,
//! and a chunk that one took and does not finish (because it lost its core meanwhile) is simply done again by the
//! caller. So on busy cores a product takes what it takes on one thread, where a barrier would wait for the
//! scheduler: a few milliseconds, some hundred times for each token.
//!
//! Which thread computes a number does not change it, and neither does computing it twice.
//!
//! Helpers look for work for a moment, because the next product of a pass follows soon, and then sleep. They work for one
//! caller at a time; another one does its work alone.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Chunks of one work: one bit of a word for each.
const MOST_CHUNKS: usize = 64;
/// Chunks for each thread, so that the last ones end at about the same time.
const CHUNKS_PER_THREAD: usize = 8;
/// How long a helper looks for new work. Between two products of a pass lie some ten µs.
const LOOKING: Duration = Duration::from_micros(200);

/// Something that consists of independent parts.
pub(super) trait Work: Send + Sync + 'static {
    /// Does some of the parts. More than one thread may do the same ones.
    fn parts(&self, range: Range<usize>);
}

/// Work that is being done.
struct Task {
    parts: usize,
    chunks: usize,
    /// The next chunk that nobody took.
    next: AtomicUsize,
    /// The chunks that are done.
    done: AtomicU64,
    work: Arc<dyn Work>,
}

impl Task {
    fn chunk(&self, n: usize) {
        let size = self.parts.div_ceil(self.chunks);
        self.work.parts((n * size).min(self.parts)..((n + 1) * size).min(self.parts));
        self.done.fetch_or(1 << n, Ordering::Release);
    }

    /// Takes chunks until there are none. Gives how many those were.
    fn help(&self) -> u32 {
        for taken in 0.. {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            if n >= self.chunks {
                return taken;
            }
            self.chunk(n);
        }
        0
    }

    fn is_done(&self, n: usize) -> bool {
        self.done.load(Ordering::Acquire) & (1 << n) != 0
    }

    /// Does everything, with whatever help comes.
    fn complete(&self) {
        let begun = Instant::now();
        let taken = self.help();
        // As long as a chunk takes, whoever has the last one may still be at it.
        let patience = begun.elapsed() / taken.max(1);
        let waiting = Instant::now();
        for n in 0..self.chunks {
            while !self.is_done(n) {
                if waiting.elapsed() > patience {
                    self.chunk(n);
                    break;
                }
                std::hint::spin_loop();
            }
        }
    }
}

/// Threads that help, and what they work on.
pub(super) struct Helpers {
    threads: usize,
    /// Somebody has them.
    taken: AtomicBool,
    /// Changes with each new work.
    number: AtomicU64,
    task: Mutex<Option<Arc<Task>>>,
    came: Condvar,
    asleep: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Helpers {
    /// Does the work of others, for ever.
    fn serve(&self) {
        let mut seen = 0;
        loop {
            let begun = Instant::now();
            while self.number.load(Ordering::Acquire) == seen && begun.elapsed() < LOOKING {
                (0..32).for_each(|_| std::hint::spin_loop());
                // Whoever else wants this core shall have it.
                std::thread::yield_now();
            }
            let mut slot = lock(&self.task);
            self.asleep.fetch_add(1, Ordering::Relaxed);
            while self.number.load(Ordering::Relaxed) == seen {
                slot = self.came.wait(slot).unwrap_or_else(PoisonError::into_inner);
            }
            self.asleep.fetch_sub(1, Ordering::Relaxed);
            seen = self.number.load(Ordering::Relaxed);
            let task = slot.clone();
            drop(slot);
            task.into_iter().for_each(|task| {
                task.help();
            });
        }
    }

    /// Shows `task` to the helpers, or takes the last one away.
    fn show(&self, task: Option<Arc<Task>>) {
        let new = task.is_some();
        let mut slot = lock(&self.task);
        let old = std::mem::replace(&mut *slot, task);
        self.number.fetch_add(u64::from(new), Ordering::Release);
        let wake = new && self.asleep.load(Ordering::Relaxed) > 0;
        drop(slot);
        drop(old);
        if wake {
            self.came.notify_all();
        }
    }

    /// So many threads, for ever.
    fn new(threads: usize) -> &'static Self {
        let helpers: &'static Self = Box::leak(Box::new(Self {
            threads,
            taken: AtomicBool::new(false),
            number: AtomicU64::new(0),
            task: Mutex::new(None),
            came: Condvar::new(),
            asleep: AtomicUsize::new(0),
        }));
        for n in 1..=threads {
            // Without one there is less help, and nothing else.
            let _ = std::thread::Builder::new().name(format!("products {n}")).spawn(|| helpers.serve());
        }
        helpers
    }

    /// Those of this process: as many as candle's own products would use, less the caller.
    pub(super) fn of_process() -> &'static Self {
        static HELPERS: LazyLock<&Helpers> =
            LazyLock::new(|| Helpers::new(candle_core::utils::get_num_threads().clamp(1, 1024) - 1));
        &HELPERS
    }

    /// Does all `parts` of `work`, together with the helpers if there are any that are free. One of them may still hold
    /// `work` afterwards, and even write into it what is there already.
    pub(super) fn share(&self, work: &Arc<impl Work>, parts: usize) {
        if self.threads == 0 || self.taken.swap(true, Ordering::Acquire) {
            return work.parts(0..parts);
        }
        let chunks = MOST_CHUNKS.min(CHUNKS_PER_THREAD * (self.threads + 1)).min(parts.max(1));
        let task = Arc::new(Task {
            parts,
            chunks,
            next: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            work: work.clone(),
        });
        self.show(Some(task.clone()));
        task.complete();
        self.show(None);
        self.taken.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often each part was done.
    struct Counts(Vec<AtomicUsize>);

    impl Work for Counts {
        fn parts(&self, range: Range<usize>) {
            self.0[range].iter().for_each(|n| {
                n.fetch_add(1, Ordering::Relaxed);
            });
        }
    }

    #[test]
    fn everything_is_done_however_many_help_and_whoever_asks() {
        for threads in [0, 1, 3, 20] {
            let helpers = Helpers::new(threads);
            let ask = || {
                for parts in [0, 1, 7, 64, 1000] {
                    let work = Arc::new(Counts((0..parts).map(|_| AtomicUsize::new(0)).collect()));
                    helpers.share(&work, parts);
                    assert!(work.0.iter().all(|n| n.load(Ordering::Relaxed) >= 1), "{threads} {parts}");
                }
            };
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| (0..100).for_each(|_| ask()));
                }
            });
        }
    }

    /// Parts that take a moment on the thread that asked, and for ever on all others.
    struct Stuck {
        asked: std::thread::ThreadId,
        began: AtomicBool,
        go_on: AtomicBool,
        done: AtomicUsize,
    }

    impl Work for Stuck {
        fn parts(&self, range: Range<usize>) {
            let own = std::thread::current().id() == self.asked;
            if !own {
                self.began.store(true, Ordering::Relaxed);
            }
            // The helper gets its chunk, however busy the machine is.
            while own && !self.began.load(Ordering::Relaxed) || !own && !self.go_on.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            self.done.fetch_add(range.len(), Ordering::Relaxed);
        }
    }

    #[test]
    fn a_helper_that_does_not_get_on_is_not_waited_for() {
        let helpers = Helpers::new(1);
        let stuck = Stuck {
            asked: std::thread::current().id(),
            began: AtomicBool::new(false),
            go_on: AtomicBool::new(false),
            done: AtomicUsize::new(0),
        };
        let work = Arc::new(stuck);
        helpers.share(&work, 160);
        assert_eq!(work.done.load(Ordering::Relaxed), 160, "the caller did it all");
        // The helper still sits in its chunk; the next work is done all the same.
        let counts = Arc::new(Counts((0..100).map(|_| AtomicUsize::new(0)).collect()));
        helpers.share(&counts, 100);
        assert!(counts.0.iter().all(|n| n.load(Ordering::Relaxed) == 1));
        work.go_on.store(true, Ordering::Relaxed);
    }
}
