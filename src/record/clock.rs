//! The recorder's clock: ticks that are cheap to read, and their conversion to nanoseconds.
//!
//! Ticks never go back. On x86-64, where the kernel itself keeps time with the time-stamp counter, a
//! tick is one count of it (10 ns to read, half the price of `Instant::now`); everywhere else a tick
//! is a nanosecond of `Instant`. The rate is measured against `Instant` over the whole life of the
//! process and fixed when a recording starts, so that all revisions of it agree.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static COUNTER: AtomicBool = AtomicBool::new(false);
static START: OnceLock<Start> = OnceLock::new();

struct Start {
    instant: Instant,
    ticks: u64,
}

/// Shortest stretch over which the rate is measured; reading both clocks is uncertain by some 50 ns,
/// so the rate is right to a few parts per million.
const BASELINE: Duration = Duration::from_millis(20);

fn start() -> &'static Start {
    START.get_or_init(|| {
        COUNTER.store(counter_is_reliable(), Ordering::Relaxed);
        let instant = Instant::now();
        Start { instant, ticks: if COUNTER.load(Ordering::Relaxed) { counter() } else { 0 } }
    })
}

/// Chooses the clock and takes the first of the two readings that give its rate.
pub(super) fn init() {
    start();
}

/// The present time in ticks.
#[inline]
pub(super) fn ticks() -> u64 {
    if COUNTER.load(Ordering::Relaxed) { counter() } else { start().instant.elapsed().as_nanos() as u64 }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn counter() -> u64 {
    #[expect(unsafe_code, reason = "reads a register; saves 13 ns twice for every span")]
    // SAFETY: RDTSC exists on every x86-64 processor and touches no memory.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    0
}

/// The kernel watches the counter and gives it up when it stops or differs between cores.
fn counter_is_reliable() -> bool {
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(target_arch = "x86_64") && std::fs::read_to_string(source).is_ok_and(|s| s.trim() == "tsc")
}

/// Converts ticks to ns since the origin of a recording.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Time 0 of the recording.
    pub(super) origin: u64,
    pub(super) ns_per_tick: f64,
}

impl Scale {
    /// Measures the rate; waits up to 20 ms right after the start of the process.
    pub(super) fn measure() -> Self {
        let start = start();
        if !COUNTER.load(Ordering::Relaxed) {
            return Self { origin: ticks(), ns_per_tick: 1.0 };
        }
        if let Some(missing) = BASELINE.checked_sub(start.instant.elapsed()) {
            std::thread::sleep(missing);
        }
        let (elapsed, now) = (start.instant.elapsed().as_nanos() as f64, counter());
        let passed = now.saturating_sub(start.ticks).max(1) as f64;
        Self { origin: now, ns_per_tick: elapsed / passed }
    }

    /// Starts the recording's time at the present moment.
    pub(super) fn restart(&mut self) {
        self.origin = ticks();
    }

    /// ns since the origin; 0 for anything before it.
    pub(super) fn ns(&self, ticks: u64) -> i64 {
        (ticks.saturating_sub(self.origin) as f64 * self.ns_per_tick) as i64
    }

    /// ns since the origin, now.
    pub(super) fn now(&self) -> i64 {
        self.ns(ticks())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_has_its_length_and_time_never_goes_back() {
        init();
        let scale = Scale::measure();
        let before = scale.now();
        let wall = Instant::now();
        std::thread::sleep(Duration::from_millis(15));
        let measured = scale.now() - before;
        let wall = wall.elapsed().as_nanos() as i64;
        assert!((measured - wall).abs() < 1_000_000, "{measured} ns, Instant says {wall}");
        let mut last = 0;
        for _ in 0..100_000 {
            let now = ticks();
            assert!(now >= last);
            last = now;
        }
        assert_eq!(scale.ns(0), 0, "a time before the recording is its start");
    }
}
