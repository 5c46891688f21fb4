//! Where events go: 16 bytes each, into chunks that belong to one thread.
//!
//! A writer stores an event with two plain stores and publishes it by storing the chunk's length with
//! `Release`; a reader loads the length with `Acquire` and may so read at any time without stopping
//! the writer. Nothing on that path is shared between threads, and no lock is taken but once per
//! chunk. What is rare (a new span with its fields, a log line, a counter value) goes through one
//! mutex.
//!
//! Order that readers rely on: the description of a span is queued before its first event is
//! published, so a reader that takes the chunk lengths first and the queue second finds the
//! description of every event that it sees.
//!
//! Memory is bounded by a budget of what waits to be read. What does not fit is dropped and counted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_core::Metadata;

use super::alloc;
use super::clock;
use super::device::DeviceWork;
use crate::model::{Severity, Unit};

/// Events per chunk: 256 KiB. A lock per chunk is then nothing, and an idle thread holds little.
const CHUNK: usize = 16 * 1024;
/// Empty chunks that are kept, already touched, because page faults would cost more than the events.
const SPARE: usize = 16;
/// What a queued description counts for in the budget, in events.
const COLD_WEIGHT: i64 = 8;

/// What happened to a span or an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Enter,
    Exit,
    /// An exit while the thread unwinds from a panic.
    ExitPanic,
    Close,
    /// Of an operation ([`super::site`]): it is called, and returns.
    Call,
    Return,
    ReturnPanic,
}

/// Bits of an event's word that are its kind.
const KIND_BITS: u32 = 3;

impl Kind {
    fn of(word: u64) -> Self {
        match word & ((1 << KIND_BITS) - 1) {
            0 => Self::Enter,
            1 => Self::Exit,
            2 => Self::ExitPanic,
            3 => Self::Close,
            4 => Self::Call,
            5 => Self::Return,
            _ => Self::ReturnPanic,
        }
    }
}

/// The part of a registry id that an event keeps. Ids are reused anyhow; time tells them apart.
pub(super) fn key(id: u64) -> u64 {
    id & (u64::MAX >> KIND_BITS)
}

#[derive(Default)]
struct Event {
    ticks: AtomicU64,
    word: AtomicU64,
}

struct Chunk {
    len: AtomicUsize,
    events: Box<[Event]>,
}

impl Chunk {
    fn new() -> Arc<Self> {
        Arc::new(Self { len: AtomicUsize::new(0), events: (0..CHUNK).map(|_| Event::default()).collect() })
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
}

/// Fields in the order in which they were recorded.
pub(super) type Fields = Vec<(&'static str, Field)>;

/// Where a log line comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) target: &'static str,
    /// What stands for a line without a message.
    pub(super) name: &'static str,
    pub(super) severity: Severity,
}

/// What is rare enough for a queue.
pub(super) enum Cold {
    New {
        id: u64,
        parent: Option<u64>,
        ticks: u64,
        metadata: &'static Metadata<'static>,
        fields: Fields,
    },
    Record {
        id: u64,
        fields: Fields,
    },
    Follows {
        id: u64,
        cause: u64,
        ticks: u64,
    },
    Log {
        span: Option<u64>,
        thread: u32,
        ticks: u64,
        origin: Origin,
        message: String,
        fields: Fields,
    },
    Finding {
        kind: String,
        severity: Severity,
        text: String,
        request: Option<u64>,
        span: Option<u64>,
        thread: u32,
        ticks: u64,
    },
    Count {
        name: String,
        unit: Unit,
        ticks: u64,
        value: f64,
    },
    Device(Box<DeviceWork>),
}

struct Thread {
    name: String,
    /// Chunks with the number of their events that were read, oldest first.
    chunks: Vec<(Arc<Chunk>, usize)>,
    ended: bool,
}

static ON: AtomicBool = AtomicBool::new(false);
static BUDGET: AtomicI64 = AtomicI64::new(0);
/// What the budget is when nothing waits.
static WHOLE: AtomicI64 = AtomicI64::new(0);
static LOST: AtomicU64 = AtomicU64::new(0);
static NEXT_THREAD: AtomicU32 = AtomicU32::new(1);
static THREADS: Mutex<BTreeMap<u32, Thread>> = Mutex::new(BTreeMap::new());
static POOL: Mutex<Vec<Arc<Chunk>>> = Mutex::new(Vec::new());
static QUEUE: Mutex<Vec<Cold>> = Mutex::new(Vec::new());

/// A panic of another thread never leaves these tables half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writing end of one thread.
struct Local {
    thread: u32,
    chunk: RefCell<Option<Arc<Chunk>>>,
}

thread_local! {
    static LOCAL: Local = Local::new();
}

impl Local {
    fn new() -> Self {
        let _own = alloc::uncounted();
        let thread = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
        let name = std::thread::current().name().map_or_else(|| format!("thread {thread}"), str::to_owned);
        lock(&THREADS).insert(thread, Thread { name, chunks: Vec::new(), ended: false });
        Self { thread, chunk: RefCell::new(None) }
    }

    #[inline]
    fn push(&self, ticks: u64, word: u64) {
        let mut slot = self.chunk.borrow_mut();
        if let Some(chunk) = slot.as_deref() {
            let n = chunk.len.load(Ordering::Relaxed);
            if let Some(event) = chunk.events.get(n) {
                event.ticks.store(ticks, Ordering::Relaxed);
                event.word.store(word, Ordering::Relaxed);
                chunk.len.store(n + 1, Ordering::Release);
                return;
            }
        }
        *slot = self.next_chunk();
        match slot.as_deref() {
            Some(chunk) => {
                chunk.events[0].ticks.store(ticks, Ordering::Relaxed);
                chunk.events[0].word.store(word, Ordering::Relaxed);
                chunk.len.store(1, Ordering::Release);
            }
            None => {
                LOST.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn next_chunk(&self) -> Option<Arc<Chunk>> {
        if !spend(CHUNK as i64) {
            return None;
        }
        let _own = alloc::uncounted();
        let chunk = lock(&POOL).pop().unwrap_or_else(Chunk::new);
        lock(&THREADS).get_mut(&self.thread)?.chunks.push((chunk.clone(), 0));
        Some(chunk)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        alloc::thread_ends();
        if let Some(thread) = lock(&THREADS).get_mut(&self.thread) {
            thread.ended = true;
        }
    }
}

fn spend(events: i64) -> bool {
    let left = BUDGET.fetch_sub(events, Ordering::Relaxed);
    if left < events {
        BUDGET.fetch_add(events, Ordering::Relaxed);
    }
    left >= events
}

/// Events were read: there is room for as many again.
fn give_back(events: i64) {
    let whole = WHOLE.load(Ordering::Relaxed);
    // Threads may hold chunks from before this recording, which it did not pay for.
    let _ =
        BUDGET.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some((left + events).min(whole)));
}

/// From now on nothing fits any more, and all that comes is counted as lost.
pub(super) fn fill() {
    WHOLE.store(0, Ordering::Relaxed);
    BUDGET.store(0, Ordering::Relaxed);
}

/// True while a recording runs.
#[inline]
pub(super) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Switches writing on or off. Callsites have to be asked again afterwards.
pub(super) fn set_on(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

/// Writes an event of the calling thread.
#[inline]
pub(super) fn push(id: u64, kind: Kind) {
    let ticks = clock::ticks();
    // A thread that is being torn down has no place to write to any more.
    let _ = LOCAL.try_with(|local| {
        alloc::boundary(local.thread, ticks);
        local.push(ticks, id << KIND_BITS | kind as u64);
    });
}

/// Queues a description.
pub(super) fn queue(cold: Cold) {
    if spend(COLD_WEIGHT) {
        let _own = alloc::uncounted();
        lock(&QUEUE).push(cold);
    } else {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Queues what must not be lost to the budget: samples of the process, of which there are few.
pub(super) fn queue_sample(name: &str, unit: Unit, value: f64) {
    let _own = alloc::uncounted();
    BUDGET.fetch_sub(COLD_WEIGHT, Ordering::Relaxed);
    lock(&QUEUE).push(Cold::Count { name: name.into(), unit, ticks: clock::ticks(), value });
}

/// Number of the calling thread.
pub(super) fn this_thread() -> u32 {
    LOCAL.try_with(|local| local.thread).unwrap_or(0)
}

/// Name of a thread.
pub(super) fn thread_name(thread: u32) -> String {
    lock(&THREADS).get(&thread).map_or_else(|| format!("thread {thread}"), |t| t.name.clone())
}

/// Events and descriptions that did not fit.
pub(super) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Forgets everything written so far and lets `events` wait.
pub(super) fn reset(events: u64) {
    lock(&QUEUE).clear();
    let mut threads = lock(&THREADS);
    threads.retain(|_, t| !t.ended);
    for thread in threads.values_mut() {
        thread.chunks.drain(..thread.chunks.len().saturating_sub(1));
        for (chunk, read) in &mut thread.chunks {
            *read = chunk.len.load(Ordering::Acquire);
        }
    }
    drop(threads);
    let mut pool = lock(&POOL);
    while pool.len() < SPARE {
        pool.push(Chunk::new());
    }
    LOST.store(0, Ordering::Relaxed);
    let events = i64::try_from(events).unwrap_or(i64::MAX);
    WHOLE.store(events, Ordering::Relaxed);
    BUDGET.store(events, Ordering::Relaxed);
}

/// A stretch of one chunk that nobody has read yet.
struct Unread {
    thread: u32,
    chunk: Arc<Chunk>,
    from: usize,
    to: usize,
}

/// Everything new since the last call, with the descriptions that belong to it.
pub(super) struct Batch {
    unread: Vec<Unread>,
    pub(super) cold: Vec<Cold>,
}

/// Takes what was written since the last call. Only one reader at a time: the running recording.
pub(super) fn take() -> Batch {
    let mut unread = Vec::new();
    let mut read_up = 0;
    for (&thread, t) in lock(&THREADS).iter_mut() {
        for (chunk, read) in &mut t.chunks {
            let to = chunk.len.load(Ordering::Acquire);
            if to > *read {
                unread.push(Unread { thread, chunk: chunk.clone(), from: *read, to });
                *read = to;
            }
        }
        let ended = t.ended;
        let before = t.chunks.len();
        t.chunks
            .retain(|(chunk, read)| *read < if ended { chunk.len.load(Ordering::Acquire) } else { CHUNK });
        read_up += before - t.chunks.len();
    }
    // Room for as much again, so that the queue need not grow while others wait for it.
    let room = Vec::with_capacity(lock(&QUEUE).len());
    let cold = std::mem::replace(&mut *lock(&QUEUE), room);
    give_back((read_up * CHUNK) as i64 + COLD_WEIGHT * cold.len() as i64);
    Batch { unread, cold }
}

impl Batch {
    /// Calls `f(thread, ticks, key, kind)` for each event, each thread's in its own order, and gives
    /// the chunks back.
    pub(super) fn for_each(self, mut f: impl FnMut(u32, u64, u64, Kind)) {
        for Unread { thread, mut chunk, from, to } in self.unread {
            for event in &chunk.events[from..to] {
                let word = event.word.load(Ordering::Relaxed);
                f(thread, event.ticks.load(Ordering::Relaxed), word >> KIND_BITS, Kind::of(word));
            }
            if to == CHUNK
                && let Some(full) = Arc::get_mut(&mut chunk)
            {
                *full.len.get_mut() = 0;
                let mut pool = lock(&POOL);
                if pool.len() < SPARE {
                    pool.push(chunk);
                }
            }
        }
    }
}
