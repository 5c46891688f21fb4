//! Runs queries on worker threads; the newest question of a slot wins.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::store::{Key, Store};
use super::{Query, Subject};
use crate::jobs::{self, Cancelled, Job};

type Value = Arc<dyn Any + Send + Sync>;
type Work = Box<dyn FnOnce() + Send>;

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

/// Where queries run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On worker threads (the window).
    Background,
    /// In the caller's thread, at once (reports, headless pictures, tests).
    Inline,
}

struct Running {
    job: Job,
    /// Slots that wait for it.
    slots: Vec<u64>,
}

#[derive(Default)]
struct SlotState {
    /// The run that it is about, and the answer.
    last: Option<(u32, Value)>,
    waits_for: Option<Key>,
}

struct State {
    store: Store,
    running: HashMap<Key, Running>,
    failed: HashMap<Key, String>,
    slots: HashMap<(u64, std::any::TypeId), SlotState>,
    queue: Vec<Work>,
    stop: bool,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    mode: Mode,
    notify: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a running query works with.
pub struct Context<'a> {
    subject: &'a Subject,
    job: &'a Job,
    shared: &'a Shared,
}

impl Context<'_> {
    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Arc<crate::model::Profile> {
        &self.subject.profile
    }

    /// Progress and cancel.
    #[must_use]
    pub fn job(&self) -> &Job {
        self.job
    }

    /// The answer to another query about the same profile, computed here when it is not kept.
    ///
    /// # Errors
    /// When cancelled.
    pub fn get<Q: Query>(&self, query: &Q) -> Result<Arc<Q::Output>, Cancelled> {
        compute(self.shared, self.subject, query, self.job)
    }
}

fn downcast<T: Send + Sync + 'static>(value: Value) -> Option<Arc<T>> {
    value.downcast().ok()
}

fn compute<Q: Query>(
    shared: &Shared,
    subject: &Subject,
    query: &Q,
    job: &Job,
) -> Result<Arc<Q::Output>, Cancelled> {
    let key = Key::new(subject.run, subject.revision, query);
    if let Some(kept) = shared.lock().store.get(&key).and_then(downcast) {
        return Ok(kept);
    }
    let output = Arc::new(query.run(&Context { subject, job, shared })?);
    let weight = Q::weight(&output) + 256;
    shared.lock().store.put(key, output.clone(), weight);
    Ok(output)
}

/// Computes and keeps answers.
pub struct Engine {
    shared: Arc<Shared>,
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
        let state = State {
            store: Store::new(BUDGET),
            running: HashMap::new(),
            failed: HashMap::new(),
            slots: HashMap::new(),
            queue: Vec::new(),
            stop: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            wake: Condvar::new(),
            mode,
            notify: Box::new(notify),
        });
        let count = match mode {
            Mode::Inline => 0,
            Mode::Background => std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4)),
        };
        let workers = (0..count)
            .map(|i| {
                let shared = shared.clone();
                jobs::spawn(&format!("query {i}"), move || {
                    first();
                    work(&shared);
                })
            })
            .collect();
        Self { shared, workers }
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
    pub fn now<Q: Query>(
        &self,
        subject: &Subject,
        query: &Q,
        job: &Job,
    ) -> Result<Arc<Q::Output>, Cancelled> {
        compute(&self.shared, subject, query, job)
    }

    /// Asks on behalf of `slot`: a place on screen that shows one answer of this type. A newer question
    /// of the slot cancels the older one when no other slot waits for it.
    pub fn ask<Q: Query>(&self, subject: &Subject, query: &Q, slot: u64) -> Answer<Q::Output> {
        if self.shared.mode == Mode::Inline {
            return match self.now(subject, query, &Job::new()) {
                Ok(value) => Answer::Ready(value),
                Err(Cancelled) => Answer::Failed(Cancelled.to_string()),
            };
        }
        let key = Key::new(subject.run, subject.revision, query);
        let mut state = self.shared.lock();
        let state = &mut *state;
        let slot_key = (slot, key.kind());
        if let Some(value) = state.store.get(&key) {
            let entry = state.slots.entry(slot_key).or_default();
            entry.last = Some((subject.run, value.clone()));
            let old = entry.waits_for.take();
            leave(state, slot, old);
            if let Some(value) = downcast(value) {
                return Answer::Ready(value);
            }
        }
        if let Some(why) = state.failed.get(&key) {
            return Answer::Failed(why.clone());
        }
        let entry = state.slots.entry(slot_key).or_default();
        let stale = entry.last.clone().filter(|(run, _)| *run == subject.run).and_then(|(_, v)| downcast(v));
        if entry.waits_for.as_ref() != Some(&key) {
            let old = entry.waits_for.replace(key.clone());
            leave(state, slot, old);
            self.join(state, subject, query, &key, slot);
        }
        let progress = state.running.get(&key).and_then(|r| r.job.progress());
        Answer::Working { progress, stale }
    }

    fn join<Q: Query>(&self, state: &mut State, subject: &Subject, query: &Q, key: &Key, slot: u64) {
        if let Some(running) = state.running.get_mut(key) {
            running.slots.push(slot);
            return;
        }
        let job = Job::new();
        state.running.insert(key.clone(), Running { job: job.clone(), slots: vec![slot] });
        let (shared, subject, query, key) =
            (self.shared.clone(), subject.clone(), query.clone(), key.clone());
        state.queue.push(Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(|| compute(&shared, &subject, &query, &job)));
            let mut state = shared.lock();
            // A cancelled question may have been asked again meanwhile: only the own entry is removed.
            if state.running.get(&key).is_some_and(|r| r.job.is_cancelled() == job.is_cancelled()) {
                state.running.remove(&key);
            }
            if result.is_err() {
                state.failed.insert(key, "this view met an internal error; please report it".into());
            }
            drop(state);
            (shared.notify)();
        }));
        self.shared.wake.notify_one();
    }

    /// Number of questions being computed.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.shared.lock().running.len()
    }

    /// Drops what is known about revisions of `run` before `revision`.
    pub fn forget_before(&self, run: u32, revision: u64) {
        let mut state = self.shared.lock();
        state.store.forget_before(run, revision);
        state.failed.retain(|key, _| key.run != run || key.revision >= revision);
    }
}

/// Takes `slot` off the question it waited for, and cancels that when nobody else waits.
fn leave(state: &mut State, slot: u64, old: Option<Key>) {
    let Some(old) = old else { return };
    if let Some(running) = state.running.get_mut(&old) {
        running.slots.retain(|&s| s != slot);
        if running.slots.is_empty() {
            running.job.cancel();
            state.running.remove(&old);
        }
    }
}

fn work(shared: &Shared) {
    loop {
        let mut state = shared.lock();
        let job = loop {
            if state.stop {
                return;
            }
            if !state.queue.is_empty() {
                break state.queue.remove(0);
            }
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        job();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stop = true;
        for running in state.running.values() {
            running.job.cancel();
        }
        drop(state);
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has nothing left to say.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProfileBuilder;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    static RUNS: AtomicU32 = AtomicU32::new(0);

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Slow(u32);

    impl Query for Slow {
        type Output = u32;
        fn run(&self, cx: &Context<'_>) -> Result<u32, Cancelled> {
            // Tests run side by side: only this one asks for 1.
            RUNS.fetch_add(u32::from(self.0 == 1), Ordering::SeqCst);
            for i in 0..20 {
                cx.job().checkpoint(i, 20)?;
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(self.0 * 2)
        }
    }

    fn subject() -> Subject {
        Subject { run: 1, revision: 0, profile: Arc::new(ProfileBuilder::new("test").finish()) }
    }

    fn wait<T>(mut ask: impl FnMut() -> Answer<T>) -> Arc<T> {
        loop {
            if let Answer::Ready(v) = ask() {
                return v;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn one_question_is_computed_once_and_the_newest_wins() {
        let engine = Engine::new(Mode::Background, || ());
        let subject = subject();
        assert!(matches!(engine.ask(&subject, &Slow(1), 7), Answer::Working { stale: None, .. }));
        assert!(matches!(engine.ask(&subject, &Slow(1), 8), Answer::Working { .. }));
        assert_eq!(*wait(|| engine.ask(&subject, &Slow(1), 7)), 2);
        assert_eq!(*wait(|| engine.ask(&subject, &Slow(1), 8)), 2);
        assert_eq!(RUNS.load(Ordering::SeqCst), 1);
        match engine.ask(&subject, &Slow(2), 7) {
            Answer::Working { stale, .. } => assert_eq!(stale.as_deref(), Some(&2)),
            other => panic!("{other:?}"),
        }
        assert!(matches!(engine.ask(&subject, &Slow(3), 7), Answer::Working { .. }));
        assert_eq!(engine.busy(), 1, "the older question of the slot was cancelled");
        assert_eq!(*wait(|| engine.ask(&subject, &Slow(3), 7)), 6);
    }

    #[test]
    fn an_answer_about_another_run_is_not_shown_meanwhile() {
        let engine = Engine::new(Mode::Background, || ());
        let (one, other) = (subject(), Subject { run: 2, ..subject() });
        wait(|| engine.ask(&one, &Slow(5), 3));
        assert!(matches!(engine.ask(&other, &Slow(5), 3), Answer::Working { stale: None, .. }));
        let grown = Subject { revision: 1, ..one };
        assert!(matches!(engine.ask(&grown, &Slow(5), 3), Answer::Working { stale: Some(_), .. }));
    }

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Broken;
    impl Query for Broken {
        type Output = u32;
        fn run(&self, _: &Context<'_>) -> Result<u32, Cancelled> {
            panic!("a bug in a query")
        }
    }

    #[test]
    fn a_panic_in_a_query_is_an_answer_and_the_engine_lives_on() {
        let engine = Engine::new(Mode::Background, || ());
        let subject = subject();
        loop {
            if let Answer::Failed(why) = engine.ask(&subject, &Broken, 1) {
                assert!(why.contains("internal error"));
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(*wait(|| engine.ask(&subject, &Slow(4), 1)), 8);
    }
}
