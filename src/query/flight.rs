//! What runs, and who waits for it. However many places on screen and questions inside questions need an answer, one
//! thread computes it: the others wait, and each computation goes on while anybody wants it.
//!
//! Questions inside questions form no circle, and whoever waits for a question that no thread has taken yet takes it
//! himself; so nobody waits for ever.

use std::any::TypeId;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::store::{Key, Made, Store, Value};
use super::{Alignment, Pair, Query, Run, Topic};
use crate::jobs::{Cancelled, Job};

/// A question that waits for a thread.
pub(super) type Work = Box<dyn FnOnce(&Shared) + Send>;

/// A slot and the type of its answers.
pub(super) type SlotKey = (u64, TypeId);

/// How often somebody who waits looks whether he was cancelled: a caller's own job tells nobody.
const LOOK: Duration = Duration::from_millis(20);

/// What is shown for a question that panicked.
const BUG: &str = "this view met an internal error; please report it";

/// A question that runs or waits for a thread.
pub(super) struct Running {
    /// Tells apart two runs of the same question: one may be stopping while the next one starts.
    pub ticket: u64,
    pub job: Job,
    /// What the slots need; cancelled when the last of them leaves.
    pub interest: Option<Job>,
    pub slots: Vec<u64>,
    /// Not taken by a thread yet.
    pub work: Option<Work>,
}

/// What a slot shows and waits for.
#[derive(Default)]
pub(super) struct Slot {
    /// The answer that it shows, which the store keeps for it.
    pub shown: Option<Key>,
    pub waits_for: Option<Key>,
}

pub(super) struct State {
    pub store: Store,
    pub running: HashMap<Key, Running>,
    pub failed: HashMap<Key, String>,
    pub slots: HashMap<SlotKey, Slot>,
    pub queue: VecDeque<(Key, u64)>,
    /// Number of finished computations.
    pub computed: u64,
    /// Workers that compute; those that wait for another question do not count.
    pub active: usize,
    pub stop: bool,
    tickets: u64,
}

impl State {
    pub fn new(budget: usize) -> Self {
        Self {
            store: Store::new(budget),
            running: HashMap::new(),
            failed: HashMap::new(),
            slots: HashMap::new(),
            queue: VecDeque::new(),
            computed: 0,
            active: 0,
            stop: false,
            tickets: 0,
        }
    }

    pub fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// The next question that is still wanted.
    pub fn next(&mut self) -> Option<Work> {
        while let Some((key, ticket)) = self.queue.pop_front() {
            let running = self.running.get_mut(&key).filter(|r| r.ticket == ticket);
            if let Some(work) = running.and_then(|r| r.work.take()) {
                return Some(work);
            }
        }
        None
    }

    /// Makes `slot` show a kept answer. Returns the one before when it is of no use any more.
    pub fn show(&mut self, slot: SlotKey, key: &Key) -> Option<Value> {
        let entry = self.slots.entry(slot).or_default();
        entry.waits_for = None;
        if entry.shown.as_ref() == Some(key) {
            return None;
        }
        let old = entry.shown.replace(key.clone());
        self.store.pin(key);
        old.and_then(|old| self.store.unpin(&old))
    }

    /// Takes `slot` off a question, which is cancelled when nobody else wants it.
    pub fn leave(&mut self, slot: u64, key: &Key) {
        let Some(running) = self.running.get_mut(key) else { return };
        running.slots.retain(|&s| s != slot);
        if running.slots.is_empty()
            && let Some(interest) = running.interest.take()
        {
            interest.cancel();
        }
        if running.job.is_cancelled() {
            self.running.remove(key);
        }
    }

    /// Notes what `slot` waits for. What it shows of another run is of no use meanwhile and may go: returned when
    /// nobody else needs it.
    pub fn wait_for(&mut self, slot: SlotKey, key: Option<Key>) -> Option<Value> {
        let slot = self.slots.entry(slot).or_default();
        let other = |shown: &mut Key| key.as_ref().is_none_or(|key| !key.same_runs(shown));
        let old = slot.shown.take_if(other);
        slot.waits_for = key;
        old.and_then(|old| self.store.unpin(&old))
    }

    /// Drops the slots whose question is `left` and the questions that are `over`, queued ones with all that they
    /// hold. Returns what is to be dropped without the lock.
    pub fn forget(
        &mut self,
        left: impl Fn(&Key) -> bool,
        over: impl Fn(&Key) -> bool,
    ) -> (Vec<Value>, Vec<Running>) {
        let asked = |slot: &Slot| slot.waits_for.as_ref().or(slot.shown.as_ref()).is_some_and(&left);
        let slots: Vec<Slot> = self.slots.extract_if(|_, slot| asked(slot)).map(|(_, slot)| slot).collect();
        let shown = slots.iter().filter_map(|slot| slot.shown.as_ref());
        let answers: Vec<Value> = shown.filter_map(|key| self.store.unpin(key)).collect();
        self.failed.retain(|key, _| !over(key));
        (answers, self.cancel(over))
    }

    /// Cancels the questions that are `over`, queued ones with all that they hold.
    pub fn cancel(&mut self, over: impl Fn(&Key) -> bool) -> Vec<Running> {
        let gone: Vec<Running> = self.running.extract_if(|key, _| over(key)).map(|(_, r)| r).collect();
        for running in &gone {
            running.job.cancel();
        }
        gone
    }
}

pub(super) struct Shared {
    pub state: Mutex<State>,
    /// There is work, or a worker became free.
    pub wake: Condvar,
    /// A question ended.
    ended: Condvar,
    pub notify: Box<dyn Fn() + Send + Sync>,
}

enum Entry {
    Kept(Value),
    Mine(Flight, Job),
    Theirs(u64),
}

/// A question that the current thread computes.
pub(super) struct Flight {
    pub key: Key,
    pub ticket: u64,
}

impl Shared {
    pub fn new(budget: usize, notify: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { state: Mutex::new(State::new(budget)), wake: Condvar::new(), ended: Condvar::new(), notify }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to `query`: the kept one, that of the thread which computes it, or computed here.
    pub fn get<T: Topic, Q: Query<T>>(
        &self,
        topic: &T,
        query: &Q,
        asker: &Job,
        on_worker: bool,
    ) -> Result<Arc<Q::Output>, Cancelled> {
        let key = Key::new(topic, query);
        while !asker.is_cancelled() {
            match self.enter(&key, asker) {
                Entry::Kept(value) => return value.downcast().map_err(|_| Cancelled),
                Entry::Theirs(ticket) => self.wait(&key, ticket, asker, on_worker),
                Entry::Mine(flight, job) => match self.compute(topic, query, flight, &job, on_worker) {
                    // Given up in favour of another thread's answer: the kept one is taken in the next round.
                    Err(Cancelled) if job.is_cancelled() => {}
                    result => return result,
                },
            }
        }
        Err(Cancelled)
    }

    #[inline(never)]
    fn enter(&self, key: &Key, asker: &Job) -> Entry {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(value) = state.store.get(key) {
            state.store.hit(key);
            return Entry::Kept(value);
        }
        if let Some(running) = state.running.get_mut(key)
            && running.job.also_wanted_by(asker)
        {
            let ticket = running.ticket;
            return match running.work.take() {
                Some(_) => Entry::Mine(Flight { key: key.clone(), ticket }, running.job.clone()),
                None => Entry::Theirs(ticket),
            };
        }
        let (ticket, job) = (state.ticket(), Job::wanted_by(asker));
        let running = Running { ticket, job: job.clone(), interest: None, slots: Vec::new(), work: None };
        state.running.insert(key.clone(), running);
        Entry::Mine(Flight { key: key.clone(), ticket }, job)
    }

    /// Waits until a run of a question ended or `asker` is cancelled. Meanwhile another worker may compute.
    #[inline(never)]
    fn wait(&self, key: &Key, ticket: u64, asker: &Job, on_worker: bool) {
        let mut state = self.lock();
        if on_worker {
            state.active -= 1;
            self.wake.notify_one();
        }
        while state.running.get(key).is_some_and(|r| r.ticket == ticket) && !asker.is_cancelled() {
            (state, _) = self.ended.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
        if on_worker {
            state.active += 1;
        }
    }

    pub fn compute<T: Topic, Q: Query<T>>(
        &self,
        topic: &T,
        query: &Q,
        flight: Flight,
        job: &Job,
        on_worker: bool,
    ) -> Result<Arc<Q::Output>, Cancelled> {
        let landing = Landing { shared: self, flight };
        let start = Instant::now();
        let asked = AtomicU64::new(0);
        let output = Arc::new(query.run(&Context { topic, job, shared: self, on_worker, asked: &asked })?);
        let asked = Duration::from_nanos(asked.load(Ordering::Relaxed));
        let made = Made {
            value: output.clone(),
            weight: Q::weight(&output) + 256,
            time: start.elapsed().saturating_sub(asked),
            profiles: if Q::KEEPS_PROFILE { topic.profile_bytes() } else { Vec::new() },
        };
        self.finish(&landing.flight.key, made);
        Ok(output)
    }

    /// Keeps an answer and hands it to the slots that wait for it, under one lock: whatever its size, they get it.
    #[inline(never)]
    fn finish(&self, key: &Key, made: Made) {
        let mut state = self.lock();
        state.computed += 1;
        let running = state.running.remove(key);
        let (mut gone, mut waited) = (Vec::new(), false);
        if !state.store.is_over(key) {
            state.store.put(key.clone(), made);
            if let Some(running) = running {
                running.job.cancel(); // another run of the same question, when this one was given up before
                waited = !running.slots.is_empty();
                gone.extend(running.slots.iter().filter_map(|&slot| state.show((slot, key.kind()), key)));
            }
            gone.extend(state.store.evict());
        }
        drop(state);
        self.ended.notify_all();
        if waited {
            (self.notify)();
        }
        drop(gone);
    }
}

/// Ends a computation, also one that was cancelled or panicked.
struct Landing<'a> {
    shared: &'a Shared,
    flight: Flight,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let Flight { key, ticket } = &self.flight;
        let mut state = self.shared.lock();
        if state.running.get(key).is_none_or(|r| r.ticket != *ticket) {
            return; // it was answered, or nobody waits for it any more
        }
        // The slots ask again; what failed without being cancelled would fail again.
        let running = state.running.remove(key);
        if let Some(running) = running.filter(|r| !r.job.is_cancelled()) {
            for slot in running.slots {
                if let Some(slot) = state.slots.get_mut(&(slot, key.kind())) {
                    slot.waits_for = None;
                }
            }
            state.failed.insert(key.clone(), BUG.into());
        }
        drop(state);
        self.shared.ended.notify_all();
        (self.shared.notify)();
    }
}

/// What a running query works with: a run, or two ([`Pair`]).
pub struct Context<'a, T: Topic = Run> {
    topic: &'a T,
    job: &'a Job,
    shared: &'a Shared,
    on_worker: bool,
    /// Nanoseconds spent in the questions that it asked.
    asked: &'a AtomicU64,
}

impl<'a> Context<'a> {
    /// The run.
    #[must_use]
    pub fn this(&self) -> &'a Run {
        self.topic
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &'a Arc<crate::model::Profile> {
        &self.topic.profile
    }
}

impl<'a> Context<'a, Pair> {
    /// To ask questions about the run before.
    #[must_use]
    pub fn base(&self) -> Context<'a> {
        self.side(&self.topic.base)
    }

    /// To ask questions about the run after.
    #[must_use]
    pub fn head(&self) -> Context<'a> {
        self.side(&self.topic.head)
    }

    /// To ask questions about all runs of a side, the first one first.
    pub fn runs(&self, base: bool) -> impl Iterator<Item = Context<'a>> {
        let first = if base { self.base() } else { self.head() };
        let more = &self.topic.repeats[usize::from(!base)];
        let Self { job, shared, on_worker, asked, .. } = *self;
        let of = move |topic: &'a Run| Context { topic, job, shared, on_worker, asked };
        std::iter::once(first).chain(more.iter().map(of))
    }

    /// How the two are laid beside each other.
    #[must_use]
    pub fn alignment(&self) -> &'a Alignment {
        &self.topic.alignment
    }

    fn side(&self, topic: &'a Run) -> Context<'a> {
        let Self { job, shared, on_worker, asked, .. } = *self;
        Context { topic, job, shared, on_worker, asked }
    }
}

impl<T: Topic> Context<'_, T> {
    /// What is asked about.
    #[must_use]
    pub fn topic(&self) -> &T {
        self.topic
    }

    /// Progress and cancel.
    #[must_use]
    pub fn job(&self) -> &Job {
        self.job
    }

    /// The answer to another query about the same run or pair. Whoever asks for the same at the same time shares one
    /// computation.
    ///
    /// # Errors
    /// When cancelled.
    pub fn get<Q: Query<T>>(&self, query: &Q) -> Result<Arc<Q::Output>, Cancelled> {
        let start = Instant::now();
        let result = self.shared.get(self.topic, query, self.job, self.on_worker);
        self.asked.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        result
    }
}
