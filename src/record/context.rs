//! What the recorded work may say and ask while it runs.

use std::path::PathBuf;
#[cfg(feature = "workloads")]
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::clock;
use super::processes::Lives;
use super::sampler::thread_cpu_time;
#[cfg(feature = "workloads")]
use crate::import::otlp::Received;
use crate::jobs::{Cancelled, Job};
use crate::model::{Attachment, Fact, FactKind, FactValue, Profile, ResultTable};

/// Why work ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadError {
    /// Somebody stopped or cancelled it.
    Stopped,
    /// It failed; one line for the user.
    Failed(String),
    /// It could not begin, so that there is nothing to keep.
    NotStarted {
        /// One line for the user.
        why: String,
        /// The exit code with which a shell says so.
        code: u8,
    },
}

impl std::fmt::Display for WorkloadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Failed(why) | Self::NotStarted { why, .. } => f.write_str(why),
        }
    }
}

impl std::error::Error for WorkloadError {}

impl From<Cancelled> for WorkloadError {
    fn from(_: Cancelled) -> Self {
        Self::Stopped
    }
}

/// What asks work to end. A recorded program gets it as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, as Ctrl-C sends it.
    #[default]
    Interrupt,
    /// SIGTERM, as whoever runs services sends it.
    Terminate,
    /// SIGHUP, as a terminal sends it that goes away.
    HangUp,
}

/// The line between a recording and its work: stage, progress and facts one way, «stop» the other.
#[derive(Debug, Default)]
pub struct Context {
    job: Job,
    stage: Mutex<String>,
    facts: Mutex<Vec<Fact>>,
    warnings: Mutex<Vec<(String, String, u64)>>,
    tables: Mutex<Vec<ResultTable>>,
    discard: AtomicBool,
    stop_signal: Mutex<StopSignal>,
    /// A program that does the work may use our terminal.
    terminal: AtomicBool,
    /// The process that does the work, when another one does.
    watched: Mutex<Option<Watched>>,
    /// When that process had ended, in ticks of the recorder's clock.
    watched_until: Mutex<Option<(u64, Instant)>>,
    lives: Mutex<Option<Lives>>,
    attached: Mutex<Vec<Profile>>,
    /// Files of profilers; true for one whose content becomes part of the recording.
    files: Mutex<Vec<Attachment>>,
    exit_code: Mutex<Option<u8>>,
    /// CPU time in ns of the recorder's threads beside the one that reads.
    own_cpu: AtomicU64,
    /// What the profilers of a recorded program could see of it.
    sight: Mutex<Option<Sight>>,
    peaks: Mutex<Vec<PeakCell>>,
    /// Where another process may leave files that outlive this one.
    folder: Mutex<Option<PathBuf>>,
    #[cfg(feature = "workloads")]
    calls: Mutex<Option<super::calls::HttpCalls>>,
    /// What programs send by OpenTelemetry's protocol.
    #[cfg(feature = "workloads")]
    received: Mutex<Option<Arc<Received>>>,
    /// Bytes that the recording may hold.
    room: AtomicUsize,
}

/// What the profiler of a recorded program could see of it.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// The name of the one that is shown.
    pub(super) tool: String,
    /// All threads of its process, or only the main one.
    pub(super) all_threads: bool,
    /// What other threads do is counted as if the main one did it.
    pub(super) mixes: bool,
}

/// A cell of a table of results that gets the peak of the heap between two moments, once that is known.
#[derive(Clone, Debug)]
pub(super) struct PeakCell {
    /// The table's title, the name of its row, the heading of its column.
    pub(super) place: (String, String, String),
    /// In ticks of the recorder's clock.
    pub(super) between: (u64, u64),
}

/// A process, and when it was started, in ticks of the recorder's clock.
#[derive(Clone, Copy, Debug)]
struct Watched {
    pid: u32,
    since: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    /// Says what the work does now.
    pub fn stage(&self, text: &str) {
        text.clone_into(&mut lock(&self.stage));
    }

    /// Says that `done` of `total` steps are done.
    ///
    /// # Errors
    /// [`WorkloadError::Stopped`] when the work must end.
    pub fn advance(&self, done: u64, total: u64) -> Result<(), WorkloadError> {
        Ok(self.job.checkpoint(done, total)?)
    }

    /// Asks whether to go on.
    ///
    /// # Errors
    /// [`WorkloadError::Stopped`] when the work must end.
    pub fn check(&self) -> Result<(), WorkloadError> {
        if self.job.is_cancelled() { Err(WorkloadError::Stopped) } else { Ok(()) }
    }

    /// Adds a fact to the profile's header, or changes it.
    pub fn fact(&self, kind: FactKind, name: &str, value: impl Into<FactValue>) {
        let mut facts = lock(&self.facts);
        let fact = Fact::new(kind, name, value);
        match facts.iter_mut().find(|old| old.name == name) {
            Some(old) => *old = fact,
            None => facts.push(fact),
        }
    }

    /// Adds a counted warning to the profile.
    pub fn warn(&self, kind: &str, place: &str) {
        self.warn_many(kind, place, 1);
    }

    /// The same of several at once.
    pub(super) fn warn_many(&self, kind: &str, place: &str, count: u64) {
        lock(&self.warnings).push((kind.into(), place.into(), count));
    }

    /// The work is done by this process, which starts now: it is sampled from here on.
    pub(super) fn watch(&self, pid: u32) {
        *lock(&self.watched) = Some(Watched { pid, since: clock::ticks() });
    }

    pub(super) fn watched(&self) -> Option<u32> {
        lock(&self.watched).map(|w| w.pid)
    }

    /// When that process was started.
    pub(super) fn watched_since(&self) -> Option<u64> {
        lock(&self.watched).map(|w| w.since)
    }

    /// That process has ended: what comes now is the recorder's own work.
    #[cfg(feature = "workloads")]
    pub(super) fn watched_ended(&self) {
        *lock(&self.watched_until) = Some((clock::ticks(), Instant::now()));
    }

    pub(super) fn watched_until(&self) -> Option<(u64, Instant)> {
        *lock(&self.watched_until)
    }

    /// What became of that process and those that it started.
    pub(super) fn set_lives(&self, lives: Lives) {
        *lock(&self.lives) = Some(lives);
    }

    pub(super) fn lives(&self) -> Option<Lives> {
        lock(&self.lives).clone()
    }

    pub(super) fn take_lives(&self) -> Option<Lives> {
        lock(&self.lives).take()
    }

    /// Adds what another profiler measured of the work to the recording.
    pub(super) fn attach(&self, profile: Profile) {
        lock(&self.attached).push(profile);
    }

    pub(super) fn take_attached(&self) -> Vec<Profile> {
        std::mem::take(&mut *lock(&self.attached))
    }

    /// Keeps a file that a profiler wrote of the work beside the recording.
    pub(super) fn keep_file(&self, file: Attachment) {
        lock(&self.files).push(file);
    }

    pub(super) fn take_files(&self) -> Vec<Attachment> {
        std::mem::take(&mut *lock(&self.files))
    }

    /// The folder beside the journal, not made yet, in which another process may leave files that outlive this one.
    pub(super) fn set_folder(&self, folder: PathBuf) {
        *lock(&self.folder) = Some(folder);
    }

    /// The same; `None` without a journal.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        lock(&self.folder).clone()
    }

    /// Requests over HTTP that were seen of the work.
    #[cfg(feature = "workloads")]
    pub(super) fn keep_calls(&self, calls: super::calls::HttpCalls) {
        *lock(&self.calls) = Some(calls);
    }

    #[cfg(feature = "workloads")]
    pub(super) fn take_calls(&self) -> Option<super::calls::HttpCalls> {
        lock(&self.calls).take()
    }

    /// Programs send what they measure of themselves: it is part of the recording from now on.
    #[cfg(feature = "workloads")]
    pub(super) fn receive(&self, received: Arc<Received>) {
        *lock(&self.received) = Some(received);
    }

    #[cfg(feature = "workloads")]
    pub(super) fn received(&self) -> Option<Arc<Received>> {
        lock(&self.received).clone()
    }

    /// True when spans were measured in the process that did the work.
    #[cfg(feature = "workloads")]
    pub(super) fn has_attached_spans(&self) -> bool {
        lock(&self.attached).iter().any(|profile| profile.span_count() > 0)
    }

    pub(super) fn set_room(&self, bytes: usize) {
        self.room.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that the recording may hold.
    #[cfg(feature = "workloads")]
    pub(super) fn room(&self) -> usize {
        self.room.load(Ordering::Relaxed)
    }

    /// The exit code of the process that did the work.
    pub(super) fn exit_code(&self, code: u8) {
        *lock(&self.exit_code) = Some(code);
    }

    pub(super) fn exited(&self) -> Option<u8> {
        *lock(&self.exit_code)
    }

    /// Adds the CPU time that the calling thread of the recorder has used since `before`.
    pub(super) fn add_own_cpu(&self, before: Option<Duration>) {
        if let (Some(before), Some(now)) = (before, thread_cpu_time()) {
            let ns = u64::try_from(now.saturating_sub(before).as_nanos()).unwrap_or(u64::MAX);
            self.own_cpu.fetch_add(ns, Ordering::Relaxed);
        }
    }

    /// Adds CPU time of threads of the recorder that have ended.
    #[cfg(feature = "workloads")]
    pub(super) fn add_cpu(&self, used: Duration) {
        self.own_cpu.fetch_add(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn own_cpu(&self) -> Duration {
        Duration::from_nanos(self.own_cpu.load(Ordering::Relaxed))
    }

    /// Says what the profilers of the recorded program could see.
    pub(super) fn set_sight(&self, sight: Sight) {
        *lock(&self.sight) = Some(sight);
    }

    pub(super) fn take_sight(&self) -> Option<Sight> {
        lock(&self.sight).take()
    }

    /// The cell of a table will hold the peak of the heap between two moments.
    pub(super) fn peak_cell(&self, cell: PeakCell) {
        let mut cells = lock(&self.peaks);
        cells.retain(|known| known.place != cell.place);
        cells.push(cell);
    }

    pub(super) fn take_peaks(&self) -> Vec<PeakCell> {
        std::mem::take(&mut *lock(&self.peaks))
    }

    pub(super) fn take_warnings(&self) -> Vec<(String, String, u64)> {
        std::mem::take(&mut *lock(&self.warnings))
    }

    /// Adds a table of results to the profile, or replaces the one with its title.
    pub fn table(&self, table: ResultTable) {
        let mut tables = lock(&self.tables);
        match tables.iter_mut().find(|t| t.title == table.title) {
            Some(old) => *old = table,
            None => tables.push(table),
        }
    }

    pub(super) fn take_tables(&self) -> Vec<ResultTable> {
        std::mem::take(&mut *lock(&self.tables))
    }

    pub(super) fn take_facts(&self) -> Vec<Fact> {
        std::mem::take(&mut *lock(&self.facts))
    }

    pub(super) fn stage_text(&self) -> String {
        lock(&self.stage).clone()
    }

    pub(super) fn progress(&self) -> Option<f32> {
        self.job.progress()
    }

    pub(super) fn stop(&self, signal: StopSignal) {
        if self.check().is_ok() {
            *lock(&self.stop_signal) = signal;
        }
        self.job.cancel();
    }

    /// What asked the work to end.
    #[cfg(feature = "workloads")]
    pub(super) fn stop_signal(&self) -> StopSignal {
        *lock(&self.stop_signal)
    }

    pub(super) fn set_terminal(&self, may_use: bool) {
        self.terminal.store(may_use, Ordering::Relaxed);
    }

    /// Whether a program that does the work may use our terminal.
    #[cfg(feature = "workloads")]
    pub(super) fn terminal(&self) -> bool {
        self.terminal.load(Ordering::Relaxed)
    }

    pub(super) fn cancel(&self) {
        self.discard.store(true, Ordering::Relaxed);
        self.job.cancel();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.discard.load(Ordering::Relaxed)
    }
}
