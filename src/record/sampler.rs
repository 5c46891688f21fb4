//! Samples what the recorded process uses while a recording runs: memory, CPU, GPU.
//!
//! One thread, 20 to 50 times a second. Reading resident memory costs 5 µs and CPU time under 1 µs, so
//! 25 Hz are far below a thousandth of one core; another process and its children cost some 50 µs each. The
//! thread measures its own CPU time and says so in the facts. A GPU's counters are asked at most ten times a
//! second, because the driver itself averages over longer. No NVIDIA driver: no GPU counters, no error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::context::Context;
use super::gpu::Gpus;
use super::processes::Tree;
use super::{alloc, sink};
use crate::model::{FactKind, Unit, heap};

/// Shortest time between two readings of a GPU.
const GPU_EVERY: Duration = Duration::from_millis(100);

/// The sampling thread; ends when dropped.
pub(super) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sampler {
    /// Starts sampling `hz` times a second; 0 samples nothing. `other`: not this process but the one that
    /// `context` will be told of, and all that it starts.
    pub(super) fn start(hz: u32, other: bool, context: Arc<Context>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = (hz > 0).then(|| {
            let stop = stop.clone();
            let every = Duration::from_secs(1) / hz.min(1000);
            let what = if other { Subject::Other(None) } else { Subject::Own(Process::default()) };
            crate::jobs::spawn("sampler", move || run(&stop, every, what, &context))
        });
        Self { stop, thread }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A sampler that panicked has no result that anybody misses.
            let _ = thread.join();
        }
    }
}

/// Whose memory and CPU use are sampled.
enum Subject {
    Own(Process),
    /// A tree of processes, once its root is known.
    Other(Option<Tree>),
}

impl Subject {
    fn sample(&mut self, context: &Context) {
        match self {
            Self::Own(process) => process.sample(),
            Self::Other(Some(tree)) => tree.sample(),
            Self::Other(none) => {
                *none = context.watched().map(Tree::new);
                if let Some(tree) = none {
                    tree.sample();
                }
            }
        }
    }

    fn pids(&self) -> Vec<u32> {
        match self {
            Self::Own(_) => vec![std::process::id()],
            Self::Other(tree) => tree.iter().flat_map(Tree::pids).collect(),
        }
    }
}

fn run(stop: &AtomicBool, every: Duration, mut subject: Subject, context: &Context) {
    super::leave_out_this_thread();
    let mut gpus = Gpus::find();
    let begun = Instant::now();
    let (mut next, mut next_gpu, mut samples) = (begun, begun, 0u64);
    while !stop.load(Ordering::Relaxed) {
        subject.sample(context);
        samples += 1;
        if let Some(gpus) = &mut gpus
            && Instant::now() >= next_gpu
        {
            gpus.sample(&subject.pids());
            next_gpu = Instant::now() + GPU_EVERY;
        }
        next += every;
        if let Some(wait) = next.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(wait);
        } else {
            next = Instant::now();
        }
    }
    subject.sample(context);
    let seconds = begun.elapsed().as_secs_f64();
    if let Some(gpus) = &gpus {
        gpus.finish(seconds, context);
    }
    context.add_own_cpu(thread_cpu_time().map(|_| Duration::ZERO));
    // Of the time of a look the start of this thread would be most.
    let cost = thread_cpu_time().filter(|_| samples > 1).map(|t| t.as_secs_f64() / seconds * 100.0);
    let cost = cost.map_or(String::new(), |share| format!(", {share:.2} % of one core"));
    let rate = samples as f64 / seconds.max(1e-3);
    context.fact(FactKind::Result, "Sampling", format!("{samples} samples, {rate:.0} a second{cost}"));
    if let Subject::Other(Some(tree)) = subject {
        context.set_lives(tree.finish());
    }
}

/// Resident memory and CPU use of this process.
#[derive(Default)]
struct Process {
    last: Option<(Instant, Duration)>,
}

impl Process {
    fn sample(&mut self) {
        if let Some(bytes) = resident_bytes() {
            sink::queue_sample(heap::RSS, Unit::Bytes, bytes as f64);
        }
        if let Some(own) = alloc::recorder_bytes() {
            sink::queue_sample(heap::RECORDER, Unit::Bytes, own as f64);
        }
        let Some(used) = cpu_time() else { return };
        let now = Instant::now();
        if let Some((then, before)) = self.last {
            let wall = now.duration_since(then).as_secs_f64();
            let busy = used.saturating_sub(before).as_secs_f64();
            if wall > 0.0 {
                // 100 % = 100 000 = one core.
                sink::queue_sample("CPU", Unit::MilliPercent, (busy / wall * 1e5).round());
            }
        }
        self.last = Some((now, used));
    }
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_size())
}

/// As the kernel told this process: entry 6 of its auxiliary vector. 4 KiB where that cannot be read.
#[cfg(target_os = "linux")]
pub(super) fn page_size() -> u64 {
    static SIZE: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    const AT_PAGESZ: usize = 6;
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok();
    let read = || {
        let auxv = std::fs::read("/proc/self/auxv").ok()?;
        let pair = auxv.chunks_exact(2 * WORD).find(|p| word(&p[..WORD]) == Some(AT_PAGESZ))?;
        word(&pair[WORD..]).map(|v| v as u64)
    };
    *SIZE.get_or_init(|| read().unwrap_or(4096))
}

#[cfg(not(target_os = "linux"))]
fn resident_bytes() -> Option<u64> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let pid = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    let what = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
    system.process(pid).map(sysinfo::Process::memory)
}

/// CPU time that the process has used, user and system.
#[cfg(unix)]
pub(super) fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(unix))]
pub(super) fn cpu_time() -> Option<Duration> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let pid = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    let what = ProcessRefreshKind::nothing().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
    system.process(pid).map(|p| Duration::from_millis(p.accumulated_cpu_time()))
}

/// CPU time of the calling thread so far.
#[cfg(unix)]
pub(super) fn thread_cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(unix))]
pub(super) fn thread_cpu_time() -> Option<Duration> {
    None
}
