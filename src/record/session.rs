//! A recording from start to end.
//!
//! Four threads: the work's own, the sampler's, one that freezes revisions, and one that reads events, keeps the
//! journal and in the end assembles the profile. The recorder is one per process, so
//! recordings never run at the same time: a second one waits for the first.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing_core::callsite::rebuild_interest_cache;

use super::alloc;
use super::assemble::Assembler;
use super::clock::{self, Scale};
use super::context::{Context, StopSignal, WorkloadError};
use super::cost::{Cost, Used};
use super::freezer::Freezer;
use super::journal::{Journal, JournalFile};
use super::sampler::Sampler;
use super::{machine, request, roots, secrets, sink};
use crate::format;
use crate::model::{Fact, FactKind, FactValue, Meta, Profile, Severity, Unit};

/// How to record.
#[derive(Clone, Debug)]
pub struct Options {
    /// Samples of memory, CPU and GPU per second; 0 takes none.
    pub sample_hz: u32,
    /// Shortest time between two revisions. They also never take more than a twentieth of the time.
    pub revision_every: Duration,
    /// Events that may wait to be read, 16 bytes each, before some are lost.
    pub max_events: u64,
    /// Bytes of rows and texts that a recording holds; when there are more it leaves out its oldest spans. What it takes
    /// to show and to save them comes on top.
    pub max_bytes: usize,
    /// The folder for a journal, from which the recording can be recovered when this process is killed;
    /// `None` keeps none. See [`super::journal`].
    pub journal: Option<PathBuf>,
    /// Keep the texts of prompts and answers, and lines that a command writes.
    pub texts: bool,
    /// Record one of so many root spans, with all below it; 1 records all. For loads of which everything would be too
    /// much.
    pub one_root_of: u32,
    /// Count allocations by span, where the program's allocator is [`super::CountingAllocator`].
    pub allocations: bool,
    /// A recorded program may read from our terminal, where standard input is one.
    pub terminal: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sample_hz: 25,
            revision_every: Duration::from_millis(250),
            max_events: 8_000_000,
            max_bytes: 128 << 20,
            journal: None,
            texts: true,
            one_root_of: 1,
            allocations: true,
            terminal: false,
        }
    }
}

/// Why a recording gave no profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// No workload has the asked name; the text says so and which there are.
    UnknownWorkload(String),
    /// A parameter is unknown or has a value that it cannot have; the text says which and why.
    Parameter(String),
    /// The program installed a `tracing` subscriber without [`super::layer`].
    ForeignSubscriber,
    /// It was to be recorded on another machine; the text says what is wrong with that.
    Elsewhere(String),
    /// It was cancelled, and what it had recorded was thrown away.
    Cancelled,
    /// What was to be recorded could not begin.
    NotStarted {
        /// Why.
        why: String,
        /// The exit code with which a shell says so.
        code: u8,
    },
    /// The recorder itself failed.
    Internal(String),
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownWorkload(why)
            | Self::Parameter(why)
            | Self::Elsewhere(why)
            | Self::NotStarted { why, .. } => f.write_str(why),
            Self::ForeignSubscriber => f.write_str(
                "another tracing subscriber is installed; add inferscope::record::layer() to it at program start",
            ),
            Self::Cancelled => f.write_str("the recording was cancelled"),
            Self::Internal(why) => write!(f, "the recorder failed: {why}"),
        }
    }
}

impl std::error::Error for RecordError {}

/// How a recording gets on.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Time since the start, until the end.
    pub elapsed: Duration,
    /// What it is doing, in words.
    pub stage: String,
    /// Finished share from 0 to 1; `None` while nobody knows.
    pub progress: Option<f32>,
    /// Spans entered so far.
    pub spans: u64,
    /// Events that did not fit.
    pub dropped: u64,
    /// The exit code of the recorded command, once it has ended.
    pub exit_code: Option<u8>,
}

#[derive(Debug, Default)]
struct Shared {
    started: Option<Instant>,
    ended: Option<Instant>,
    spans: u64,
    dropped: u64,
    journal: Option<Arc<JournalFile>>,
}

/// A recording that runs. Dropping it stops the work and keeps nothing.
#[derive(Debug)]
pub struct Recording {
    context: Arc<Context>,
    shared: Arc<Mutex<Shared>>,
    thread: Option<std::thread::JoinHandle<Result<Arc<Profile>, RecordError>>>,
}

/// What a revision is given to.
pub type OnRevision = Box<dyn Fn(Arc<Profile>) + Send>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recording {
    /// Ends the work now and keeps what was recorded.
    pub fn stop(&self) {
        self.stop_by(StopSignal::default());
    }

    /// The same, where a signal asked for it: a recorded program gets that.
    pub fn stop_by(&self, signal: StopSignal) {
        self.context.stop(signal);
    }

    /// Ends the work now and throws away what was recorded.
    pub fn cancel(&self) {
        self.context.cancel();
    }

    /// How it gets on. Cheap enough for every frame.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = lock(&self.shared);
        let work_ended = || self.context.watched_until().map(|(_, at)| at);
        let end = shared.ended.or_else(work_ended).unwrap_or_else(Instant::now);
        Status {
            elapsed: shared.started.map_or(Duration::ZERO, |s| end.duration_since(s)),
            stage: self.context.stage_text(),
            progress: self.context.progress(),
            spans: shared.spans,
            dropped: shared.dropped,
            exit_code: self.context.exited(),
        }
    }

    /// Its journal, once it has begun. Whoever saves the profile, or does not want it, discards it.
    #[must_use]
    pub fn journal(&self) -> Option<Arc<JournalFile>> {
        lock(&self.shared).journal.clone()
    }

    /// True once [`Self::join`] will not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(std::thread::JoinHandle::is_finished)
    }

    /// Lets go of it: it goes on as long as this process does, and its journal is what is left.
    pub fn leave(mut self) {
        self.thread = None;
    }

    /// Waits for the end and gives the profile.
    ///
    /// # Errors
    /// [`RecordError::Cancelled`] after [`Self::cancel`], and what else kept the recording from
    /// starting. Work that fails still gives a profile: of what it did before.
    pub fn join(mut self) -> Result<Arc<Profile>, RecordError> {
        let Some(thread) = self.thread.take() else { return Err(RecordError::Cancelled) };
        thread.join().unwrap_or_else(|panic| Err(RecordError::Internal(panic_text(&*panic))))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.context.cancel();
        }
    }
}

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap_or_else(|| "panicked".to_owned())
}

/// What is recorded: a title, facts for the header, and the work itself.
pub struct Work {
    /// Title of the profile.
    pub title: String,
    /// Facts that are known before it runs.
    pub facts: Vec<Fact>,
    /// The work. It should call [`Context::check`] often enough to be stopped within 100 ms.
    #[expect(clippy::type_complexity, reason = "one closure, used once")]
    pub run: Box<dyn FnOnce(&Context) -> Result<(), WorkloadError> + Send>,
    /// Another process does the work: its memory and CPU use are sampled, not ours.
    pub other_process: bool,
    /// It marks its requests ([`super::request_span`]): where one of N roots is recorded, they are the roots.
    pub marks_requests: bool,
}

impl Work {
    /// Work called `title`.
    pub fn new(
        title: &str,
        run: impl FnOnce(&Context) -> Result<(), WorkloadError> + Send + 'static,
    ) -> Self {
        Self {
            title: title.into(),
            facts: Vec::new(),
            run: Box::new(run),
            other_process: false,
            marks_requests: false,
        }
    }
}

/// Records `work`: any Rust code that emits `tracing` spans.
///
/// # Errors
/// [`RecordError::ForeignSubscriber`] when the program has a subscriber without [`super::layer`].
pub fn record(work: Work, options: Options, on_revision: OnRevision) -> Result<Recording, RecordError> {
    if !super::ensure_subscriber() {
        return Err(RecordError::ForeignSubscriber);
    }
    let context = Arc::new(Context::default());
    let shared = Arc::new(Mutex::new(Shared::default()));
    let session = Session { context: context.clone(), shared: shared.clone(), options, on_revision };
    let thread = crate::jobs::spawn("recorder", move || session.run(work));
    Ok(Recording { context, shared, thread: Some(thread) })
}

/// One recording at a time.
static EXCLUSIVE: Mutex<()> = Mutex::new(());

struct Session {
    context: Arc<Context>,
    shared: Arc<Mutex<Shared>>,
    options: Options,
    on_revision: OnRevision,
}

impl Session {
    fn run(mut self, work: Work) -> Result<Arc<Profile>, RecordError> {
        let exclusive = self.wait_for_turn()?;
        secrets::set_texts(self.options.texts);
        self.context.set_room(self.options.max_bytes);
        self.context.set_terminal(self.options.terminal);
        let mut scale = Scale::measure();
        let machine = machine::card();
        switch(true);
        sink::reset(self.options.max_events);
        let cost = Cost::measure(self.options.allocations && !work.other_process);
        sink::reset(self.options.max_events);
        request::reset();
        roots::begin(self.options.one_root_of, work.marks_requests);
        scale.restart();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let meta = Meta {
            format: "inferscope".into(),
            tool: concat!("inferscope ", env!("CARGO_PKG_VERSION")).into(),
            title: secrets::mask(&work.title).into_owned(),
            origin_unix_ns: i64::try_from(unix).ok(),
            facts: work.facts.into_iter().map(masked).collect(),
            machine: machine
                .into_iter()
                .map(|(name, text)| Fact::new(FactKind::Machine, name, text))
                .collect(),
            ..Meta::default()
        };
        lock(&self.shared).started = Some(Instant::now());
        let on_revision = std::mem::replace(&mut self.on_revision, Box::new(|_| ()));
        let freezer = Freezer::new(on_revision, self.context.clone());
        let mut assembler = Assembler::new(scale, !work.other_process);
        if cost.allocation.is_some() && alloc::begin() {
            assembler.count_memory();
        } else if self.options.allocations && !work.other_process {
            let why = "not counted: this program does not use inferscope's allocator";
            self.context.fact(FactKind::Result, "Allocations", why);
        }
        alloc::leave_out_this_thread();
        let mut journal = self.journal(&mut assembler, &meta);
        let (outcome, used) =
            self.watch((work.run, work.other_process), &mut assembler, &meta, &mut journal, freezer);
        let until = self.context.watched_until();
        let duration = until.map_or_else(|| scale.now(), |(ticks, _)| scale.ns(ticks));
        switch(false);
        lock(&self.shared).ended = Some(until.map_or_else(Instant::now, |(_, at)| at));
        let nothing = match &outcome {
            _ if self.context.is_cancelled() => Some(RecordError::Cancelled),
            Err(WorkloadError::NotStarted { why, code }) => {
                Some(RecordError::NotStarted { why: secrets::mask(why).into_owned(), code: *code })
            }
            _ => None,
        };
        if let Some(nothing) = nothing {
            if let Some(journal) = lock(&self.shared).journal.take() {
                journal.discard();
            }
            return Err(nothing);
        }
        self.context.stage("Assembling the profile");
        let profile = self.conclude(assembler, meta, &outcome, (duration, cost, used), journal);
        self.context.stage(if outcome.is_ok() { "Done" } else { "Ended early" });
        drop(exclusive);
        Ok(Arc::new(profile))
    }

    fn wait_for_turn(&self) -> Result<MutexGuard<'static, ()>, RecordError> {
        self.context.stage("Starting");
        loop {
            match EXCLUSIVE.try_lock() {
                Ok(guard) => return Ok(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => self.context.stage("Waiting for another recording to end"),
            }
            if self.context.check().is_err() {
                return Err(RecordError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Begins the journal, if one is wanted. A recording without one goes on, and says so.
    fn journal(&self, assembler: &mut Assembler, meta: &Meta) -> Option<Journal> {
        match Journal::create(self.options.journal.as_deref()?, meta) {
            Ok((mut journal, file)) => {
                self.context.set_folder(file.files());
                lock(&self.shared).journal = Some(file);
                journal.write(assembler, meta, false);
                Some(journal)
            }
            Err(why) => {
                assembler.warn("there is no journal; a crash would lose this recording", &why);
                None
            }
        }
    }

    /// Lets the work run, and meanwhile reads its events and freezes revisions.
    fn watch(
        &self,
        (run, other): (impl FnOnce(&Context) -> Result<(), WorkloadError> + Send + 'static, bool),
        assembler: &mut Assembler,
        meta: &Meta,
        journal: &mut Option<Journal>,
        mut freezer: Freezer,
    ) -> (Result<(), WorkloadError>, Used) {
        let before = Used::now();
        let sampler = Sampler::start(self.options.sample_hz, other, self.context.clone());
        let (done, finished) = mpsc::channel::<()>();
        let context = self.context.clone();
        let worker = crate::jobs::spawn("workload", move || {
            // Dropped at the end, also by a panic: that wakes the recorder.
            let _done = done;
            run(&context)
        });
        let mut revisions = 0;
        let read_every = self.options.revision_every.min(Duration::from_millis(250));
        let mut next_revision = Instant::now() + self.options.revision_every;
        while finished.recv_timeout(read_every) == Err(RecvTimeoutError::Timeout) {
            assembler.feed();
            let mut shared = lock(&self.shared);
            let (spans, operations) = assembler.entered();
            (shared.spans, shared.dropped) = (spans + operations + self.received(), sink::lost());
            drop(shared);
            if let Some(journal) = journal {
                journal.keep(assembler, meta);
            }
            self.bound(assembler, meta, journal);
            let begin = Instant::now();
            if let Some(cost) = freezer.finished() {
                revisions += 1;
                let ms = cost.as_secs_f64() * 1e3;
                self.context.fact(
                    FactKind::Result,
                    "Revisions while recording",
                    format!("{revisions}, the last took {ms:.1} ms"),
                );
                next_revision = begin + self.options.revision_every.max(cost * 20);
            }
            if begin >= next_revision && !self.context.is_cancelled() && freezer.is_idle() {
                freezer.start(assembler.snapshot(meta.clone()), begin);
            }
        }
        // What is sampled ends with the work: what comes now is the recorder's.
        drop(sampler);
        let outcome = worker.join();
        // No revision may come after the end.
        drop(freezer);
        let used = before.until_now(self.context.own_cpu());
        (outcome.unwrap_or_else(|panic| Err(WorkloadError::Failed(panic_text(&*panic)))), used)
    }

    /// How many spans programs sent.
    #[cfg(feature = "workloads")]
    fn received(&self) -> u64 {
        self.context.received().map_or(0, |received| received.figures().spans)
    }

    #[cfg(not(feature = "workloads"))]
    fn received(&self) -> u64 {
        0
    }

    /// Leaves out the oldest spans when there is no more room. The journal has them.
    fn bound(&self, assembler: &mut Assembler, meta: &Meta, journal: &mut Option<Journal>) {
        if !assembler.is_over(self.options.max_bytes) {
            return;
        }
        if let Some(journal) = journal {
            journal.write(assembler, meta, false);
        }
        let left_out = assembler.leave_out(self.options.max_bytes);
        if let Some(journal) = journal {
            journal.follow(&left_out);
        }
    }

    /// Adds what is known of another process that did the work: what was measured in it, and the lives of it and all that
    /// it started. Not both where that are calls, because spans would stand in the way of a call graph. Gives what was measured in
    /// it and at which time that lies; it is merged when the journal is written, because it is no part of increments.
    fn add_process(&self, assembler: &mut Assembler, meta: &mut Meta) -> Vec<(i64, Profile)> {
        let attached = self.context.take_attached();
        if let Some(lives) = self.context.take_lives()
            && attached.iter().all(|profile| profile.call_graph.is_none())
        {
            assembler.processes(&lives.lives, !attached.is_empty() || self.received() > 0);
        }
        let mut parts = Vec::with_capacity(attached.len());
        for profile in attached {
            let shift =
                profile.meta.origin_unix_ns.zip(meta.origin_unix_ns).map(|(a, b)| a.saturating_sub(b));
            meta.take_in(&profile.meta);
            parts.push((assembler.place_of(shift, self.context.watched_since()), profile));
        }
        parts
    }

    fn conclude(
        &self,
        mut assembler: Assembler,
        mut meta: Meta,
        outcome: &Result<(), WorkloadError>,
        (duration, cost, used): (i64, Cost, Used),
        mut journal: Option<Journal>,
    ) -> Profile {
        assembler.feed();
        self.bound(&mut assembler, &meta, &mut journal);
        for fact in self.context.take_facts().into_iter().map(masked) {
            match meta.facts.iter_mut().find(|old| old.name == fact.name) {
                Some(old) => *old = fact,
                None => meta.facts.push(fact),
            }
        }
        for (kind, place, count) in self.context.take_warnings() {
            assembler.warn_many(&kind, &secrets::mask(&place), count);
        }
        if !self.options.texts {
            meta.setting("Texts", "prompts and answers were left out");
        }
        if let Some(text) = roots::fact() {
            meta.result("Root spans", text);
        }
        meta.tables = self.context.take_tables();
        let mut allocations = 0;
        if let Some((heap, table)) = assembler.end_memory() {
            assembler.fill_peaks(&self.context.take_peaks(), &mut meta.tables);
            allocations = heap.allocations;
            meta.result("Heap", heap.to_string());
            meta.tables.extend(table);
        }
        let end = match outcome {
            Ok(()) => None,
            Err(WorkloadError::Stopped) => Some(("stopped by the user".to_owned(), Severity::Warning)),
            Err(WorkloadError::Failed(why) | WorkloadError::NotStarted { why, .. }) => {
                let why = secrets::mask(why);
                assembler.warn("the recorded work failed (what it did before is kept)", &why);
                meta.failed = Some(why.clone().into_owned());
                Some((format!("failed: {why}"), Severity::Error))
            }
        };
        if let Some((text, severity)) = end {
            assembler.mark(duration, &format!("Recording {text}"), severity);
            meta.result("Ended", text);
        }
        let entered = assembler.entered();
        let texts =
            [("Recorder cost", cost.fact(entered, allocations, &used)), ("Recorder threads", used.fact())];
        for (name, text) in texts {
            if let Some(text) = text {
                meta.result(name, text);
            }
        }
        let lost = sink::lost();
        meta.result("Lost events", lost);
        meta.result("Memory limit", assembler.size_fact(self.options.max_bytes));
        if let Some(lives) = self.context.lives() {
            let text = match lives.count {
                0 => format!("{} (it ended before it was looked at)", format::UNKNOWN),
                count => format!("{count}, at most {} at once", lives.most),
            };
            meta.result("Processes", text);
            if let (Some(sight), Some(root)) = (self.context.take_sight(), self.context.watched()) {
                assembler.blind_spots(&lives.lives, root, &sight);
            }
        }
        #[cfg(feature = "workloads")]
        if let Some(calls) = self.context.take_calls() {
            let (name, text) = assembler.calls(calls, meta.origin_unix_ns);
            meta.result(name, text);
        }
        #[cfg(feature = "workloads")]
        if let Some(received) = self.context.received() {
            let is_summary = self.context.has_attached_spans();
            let (name, text) = assembler.received(&received, meta.origin_unix_ns, is_summary);
            meta.result(name, text);
        }
        for file in self.context.take_files() {
            if let Some(journal) = &mut journal {
                journal.attach(&file);
            }
            assembler.attach(file);
        }
        let parts = self.add_process(&mut assembler, &mut meta);
        if let Some(journal) = &mut journal {
            parts.iter().for_each(|(shift, profile)| journal.add_part(*shift, profile));
            meta.duration = Some(duration);
            journal.write(&mut assembler, &meta, true);
            meta.result("Journal", journal.fact());
        }
        let added: u64 = parts.iter().map(|(_, profile)| profile.span_count() as u64).sum();
        parts.iter().for_each(|(shift, profile)| assembler.merge(profile, *shift));
        let mut shared = lock(&self.shared);
        (shared.spans, shared.dropped) = (entered.0 + entered.1 + added + self.received(), lost);
        drop(shared);
        assembler.finish(meta, duration)
    }
}

/// A fact without secrets.
fn masked(mut fact: Fact) -> Fact {
    if let FactValue::Text(text) = &mut fact.value {
        *text = secrets::mask(text).into_owned();
    }
    fact
}

fn switch(on: bool) {
    if !on {
        alloc::end();
    }
    sink::set_on(on);
    rebuild_interest_cache();
}

/// Reports something that a person should know about the run: the same `kind` each time, and a text
/// with the figures of this case. It is linked to the request, where there is one, and to the current
/// span.
pub fn finding(kind: &str, severity: Severity, text: &str, request: Option<&super::RequestHandle>) {
    if sink::is_on() {
        sink::queue(sink::Cold::Finding {
            kind: kind.into(),
            severity,
            text: secrets::mask(text).into_owned(),
            request: request.map(super::RequestHandle::number),
            span: tracing::Span::current().id().map(|id| sink::key(id.into_u64())),
            thread: sink::this_thread(),
            ticks: clock::ticks(),
        });
    }
}

/// Reports the level of something over time, such as bytes in a cache, as a counter of the recording.
pub fn count(name: &str, unit: Unit, value: f64) {
    if sink::is_on() {
        sink::queue(sink::Cold::Count { name: name.into(), unit, ticks: clock::ticks(), value });
    }
}
