//! Samples what the process uses while a recording runs: memory, CPU, GPU.
//!
//! One thread, 20 to 50 times a second. Reading resident memory costs 5 µs and CPU time under 1 µs, so
//! 25 Hz are far below a thousandth of one core. A GPU's counters are asked at most ten times a second,
//! because the driver itself averages over longer. No NVIDIA driver: no GPU counters, no error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nvml_wrapper::Nvml;

use super::sink;
use crate::model::Unit;

/// Shortest time between two readings of a GPU.
const GPU_EVERY: Duration = Duration::from_millis(100);

/// The sampling thread; ends when dropped.
pub(super) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sampler {
    /// Starts sampling `hz` times a second; 0 samples nothing.
    pub(super) fn start(hz: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = (hz > 0).then(|| {
            let stop = stop.clone();
            let every = Duration::from_secs(1) / hz.min(1000);
            crate::jobs::spawn("sampler", move || run(&stop, every))
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

fn run(stop: &AtomicBool, every: Duration) {
    let nvml = Nvml::init().ok();
    let mut process = Process::default();
    let mut next_gpu = Instant::now();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        process.sample();
        if let Some(nvml) = &nvml
            && Instant::now() >= next_gpu
        {
            sample_gpus(nvml);
            next_gpu += GPU_EVERY;
        }
        next += every;
        if let Some(wait) = next.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(wait);
        } else {
            next = Instant::now();
        }
    }
    process.sample();
}

/// Resident memory and CPU use of this process.
#[derive(Default)]
struct Process {
    last: Option<(Instant, Duration)>,
}

impl Process {
    fn sample(&mut self) {
        if let Some(bytes) = resident_bytes() {
            sink::queue_sample("RSS", Unit::Bytes, bytes as f64);
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
fn page_size() -> u64 {
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

#[cfg(unix)]
fn cpu_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(unix))]
fn cpu_time() -> Option<Duration> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let pid = sysinfo::get_current_pid().ok()?;
    let mut system = System::new().ok()?;
    let what = ProcessRefreshKind::nothing().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
    system.process(pid).map(|p| Duration::from_millis(p.accumulated_cpu_time()))
}

fn sample_gpus(nvml: &Nvml) {
    for i in 0..nvml.device_count().unwrap_or(0) {
        let Ok(gpu) = nvml.device_by_index(i) else { continue };
        if let Ok(memory) = gpu.memory_info() {
            sink::queue_sample(&format!("GPU {i} memory"), Unit::Bytes, memory.used as f64);
        }
        if let Ok(use_) = gpu.utilization_rates() {
            sink::queue_sample(&format!("GPU {i} busy"), Unit::MilliPercent, f64::from(use_.gpu) * 1000.0);
        }
        if let Ok(milliwatts) = gpu.power_usage() {
            sink::queue_sample(&format!("GPU {i} power (W)"), Unit::None, f64::from(milliwatts) / 1000.0);
        }
    }
}
