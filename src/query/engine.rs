//! Runs queries on worker threads; the newest question of a slot wins.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use super::flight::{Flight, Running, Shared, State, Work};
use super::store::{KeptAnswer, Key, Value};
use super::{Query, Revision, RunId, Topic};
use crate::jobs::{self, Cancelled, Job};

/// What a view gets for its question.
#[derive(Debug)]
pub enum Answer<T> {
    /// The answer.
    Ready(Arc<T>),
    /// It is being computed. `stale` is the slot's last answer about the same run, to be painted dimmed meanwhile.
    Working {
        /// Finished share, when known.
        progress: Option<f32>,
        /// The slot's last answer about this run. It may be of an older revision: what ids of functions, frames and
        /// stacks mean stays the same while a run grows.
        stale: Option<Arc<T>>,
    },
    /// It cannot be computed (a bug, caught): one line.
    Failed(String),
}

impl<T> Answer<T> {
    /// The answer or the stale one.
    #[must_use]
    pub fn value(&self) -> Option<&Arc<T>> {
        match self {
            Self::Ready(value) => Some(value),
            Self::Working { stale, .. } => stale.as_ref(),
            Self::Failed(_) => None,
        }
    }

    /// True when the value belongs to the question asked.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

/// An [`Answer`] of any type.
enum Found {
    Kept(Value),
    Coming { progress: Option<f32>, stale: Option<Value> },
    Failed(String),
}

/// Where queries run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On worker threads (the window).
    Background,
    /// In the caller's thread, at once (reports, headless pictures, tests).
    Inline,
}

/// What the engine keeps and does, for people who look into it.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Kept answers, the largest first.
    pub answers: Vec<KeptAnswer>,
    /// Profiles that answers keep alive, each counted once: run, revision, bytes.
    pub profiles: Vec<(RunId, Revision, usize)>,
    /// Bytes that answers may take before those go that nobody holds.
    pub budget: usize,
    /// Questions being computed.
    pub running: Vec<String>,
    /// Number of computations so far.
    pub computed: u64,
}

/// Computes and keeps answers.
pub struct Engine {
    shared: Arc<Shared>,
    mode: Mode,
    workers: Vec<std::thread::JoinHandle<()>>,
}

/// Bytes of answers that are kept.
const BUDGET: usize = 768 << 20;

impl Engine {
    /// An engine; `notify` is called from a worker whenever an answer became ready.
    #[must_use]
    pub fn new(mode: Mode, notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self::with_threads(mode, || (), notify)
    }

    /// The same; each worker calls `first` before anything else.
    #[must_use]
    pub fn with_threads(mode: Mode, first: fn(), notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self::within(BUDGET, mode, first, notify)
    }

    pub(crate) fn within(
        budget: usize,
        mode: Mode,
        first: fn(),
        notify: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::new(budget, Box::new(notify)));
        let active = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4));
        // Twice as many, because those that wait for another one's answer give their turn to others.
        let threads = if mode == Mode::Inline { 0 } else { active * 2 };
        let workers = (0..threads)
            .map(|i| {
                let shared = shared.clone();
                jobs::spawn(&format!("query {i}"), move || {
                    first();
                    work(&shared, active);
                })
            })
            .collect();
        Self { shared, mode, workers }
    }

    /// Number of questions that it computes at the same time.
    #[cfg(test)]
    pub(crate) fn threads(&self) -> usize {
        self.workers.len() / 2
    }

    /// An engine that answers in the caller's thread.
    #[must_use]
    pub fn inline() -> Self {
        Self::new(Mode::Inline, || ())
    }

    /// The answer now, computed in the caller's thread when it is not kept.
    ///
    /// # Errors
    /// When `job` is cancelled.
    pub fn now<T: Topic, Q: Query<T>>(
        &self,
        topic: &T,
        query: &Q,
        job: &Job,
    ) -> Result<Arc<Q::Output>, Cancelled> {
        self.shared.get(topic, query, job, false)
    }

    /// Asks on behalf of `slot`: a place on screen that shows one answer of this type. A newer question
    /// of the slot cancels the older one when no other slot waits for it. What a slot shows is kept while it shows it.
    pub fn ask<T: Topic, Q: Query<T>>(&self, topic: &T, query: &Q, slot: u64) -> Answer<Q::Output> {
        if self.mode == Mode::Inline {
            return match self.now(topic, query, &Job::new()) {
                Ok(value) => Answer::Ready(value),
                Err(Cancelled) => Answer::Failed(Cancelled.to_string()),
            };
        }
        let work = |flight: Flight, job: Job| -> Work {
            let (topic, query) = (topic.clone(), query.clone());
            Box::new(move |shared: &Shared| {
                // A cancelled question says nothing, and a panic is told by `failed`.
                let _ = shared.compute(&topic, &query, flight, &job, true);
            })
        };
        let key = Key::new(topic, query);
        let mut state = self.shared.lock();
        let (found, gone) = self.find(&mut state, &key, slot, &work);
        drop(state);
        drop(gone);
        // The key tells the type of the answer.
        match found {
            Found::Kept(value) => match value.downcast() {
                Ok(value) => Answer::Ready(value),
                Err(_) => Answer::Failed(Cancelled.to_string()),
            },
            Found::Coming { progress, stale } => {
                Answer::Working { progress, stale: stale.and_then(|value| value.downcast().ok()) }
            }
            Found::Failed(why) => Answer::Failed(why),
        }
    }

    /// The answer for a slot, and an older one that is of no use any more, to be dropped without the lock. The same code for all
    /// types of questions, of which there are many.
    #[inline(never)]
    fn find(
        &self,
        state: &mut State,
        key: &Key,
        slot: u64,
        work: &dyn Fn(Flight, Job) -> Work,
    ) -> (Found, Option<Value>) {
        let slot_key = (slot, key.kind());
        if state.store.is_over(key) {
            return (Found::Failed("this run is closed".into()), None);
        }
        let entry = state.slots.entry(slot_key).or_default();
        let (waited_for, shown) = (entry.waits_for.clone(), entry.shown.clone());
        if let Some(old) = waited_for.filter(|old| old != key) {
            state.leave(slot, &old);
        }
        if let Some(value) = state.store.get(key) {
            if shown.as_ref() != Some(key) {
                state.store.hit(key);
            }
            return (Found::Kept(value), state.show(slot_key, key));
        }
        if let Some(why) = state.failed.get(key).cloned() {
            return (Found::Failed(why), state.wait_for(slot_key, None));
        }
        // Also when it waits already: its question may have been given up since.
        self.join(state, key, slot, work);
        let stale = shown.filter(|shown| shown.same_runs(key)).and_then(|shown| state.store.get(&shown));
        let progress = state.running.get(key).and_then(|r| r.job.progress());
        (Found::Coming { progress, stale }, state.wait_for(slot_key, Some(key.clone())))
    }

    /// Lets `slot` wait for a question, which is queued when nobody computes it.
    fn join(&self, state: &mut State, key: &Key, slot: u64, work: &dyn Fn(Flight, Job) -> Work) {
        if let Some(running) = state.running.get_mut(key) {
            if running.slots.contains(&slot) && !running.job.is_cancelled() {
                return;
            }
            let interest = running.interest.get_or_insert_default().clone();
            if running.job.also_wanted_by(&interest) {
                running.slots.push(slot);
                return;
            }
        }
        let (ticket, interest) = (state.ticket(), Job::new());
        let job = Job::wanted_by(&interest);
        let work = work(Flight { key: key.clone(), ticket }, job.clone());
        let running = Running { ticket, job, interest: Some(interest), slots: vec![slot], work: Some(work) };
        state.running.insert(key.clone(), running);
        state.queue.push_back((key.clone(), ticket));
        self.shared.wake.notify_one();
    }

    /// Number of questions being computed.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.shared.lock().running.values().filter(|r| !r.job.is_cancelled()).count()
    }

    /// Drops what is known about revisions of `run` before `revision`, but for what slots show that asked about the
    /// last one: they show it dimmed until the new answer is there.
    pub fn forget_before(&self, run: RunId, revision: Revision) {
        let mut state = self.shared.lock();
        let last = state.store.first(run);
        let gone = state.forget(|key| key.is_before(run, last), |key| key.is_before(run, revision));
        let answers = state.store.forget_before(run, revision);
        drop(state);
        drop((gone, answers));
    }

    /// Drops all that is known about a closed run. What still runs about it is stopped, and its answers are dropped.
    pub fn close(&self, run: RunId) {
        let mut state = self.shared.lock();
        let gone = state.forget(|key| key.is_about(run), |key| key.is_about(run));
        let answers = state.store.forget_before(run, Revision::NEVER);
        drop(state);
        drop((gone, answers));
    }

    /// Forgets all slots, when other places on screen take theirs. Questions that only they asked are stopped.
    pub fn forget_slots(&self) {
        let mut state = self.shared.lock();
        let waiting: Vec<_> =
            state.slots.iter().filter_map(|(s, slot)| Some((s.0, slot.waits_for.clone()?))).collect();
        for (slot, key) in waiting {
            state.leave(slot, &key);
        }
        let gone = state.forget(|_| true, |_| false);
        drop(state);
        drop(gone);
    }

    /// What is kept and computed now.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let state = self.shared.lock();
        let (mut answers, profiles) = state.store.list();
        let mut running: Vec<String> = state.running.keys().map(Key::describe).collect();
        let (budget, computed) = (state.store.budget(), state.computed);
        drop(state);
        answers.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.question.cmp(&b.question)));
        running.sort();
        Memory { answers, profiles, budget, running, computed }
    }
}

fn work(shared: &Shared, most: usize) {
    let mut state = shared.lock();
    while !state.stop {
        let work = if state.active < most { state.next() } else { None };
        let Some(work) = work else {
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        state.active += 1;
        drop(state);
        // What it is about is dropped with the work, before anybody counts it as done.
        let _ = catch_unwind(AssertUnwindSafe(|| work(shared)));
        state = shared.lock();
        state.active -= 1;
        // A worker may have found all of them busy.
        shared.wake.notify_one();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stop = true;
        drop(state.cancel(|_| true));
        drop(state);
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has nothing left to say.
            let _ = worker.join();
        }
    }
}
