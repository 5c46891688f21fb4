//! NVIDIA GPUs while a recording runs: memory, use, power, clocks, what slows them down, energy.
//!
//! Asked at most ten times a second, because the driver itself averages over longer. No driver: no counters,
//! no error. What a device does not tell is left out.

use nvml_wrapper::Device;
use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::UsedGpuMemory;

use super::context::Context;
use super::sink;
use crate::model::{FactKind, Unit};

/// What slows a GPU down, in words. That it idles, or runs at clocks that somebody set, is not among them.
const REASONS: &[(ThrottleReasons, &str)] = &[
    (ThrottleReasons::SW_POWER_CAP, "power limit"),
    (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "power brake"),
    (ThrottleReasons::SW_THERMAL_SLOWDOWN, "temperature"),
    (ThrottleReasons::HW_THERMAL_SLOWDOWN, "temperature (hardware)"),
    (ThrottleReasons::HW_SLOWDOWN, "hardware slowdown"),
    (ThrottleReasons::SYNC_BOOST, "sync boost group"),
];

struct Watched {
    /// Energy counter at the start, mJ.
    energy: Option<u64>,
    /// What slowed it down at the last look.
    slowed: ThrottleReasons,
    /// Looks, and for each reason those at which it held.
    looks: u64,
    times: Vec<u64>,
}

/// All GPUs of the machine.
pub(super) struct Gpus {
    nvml: Nvml,
    devices: Vec<Watched>,
}

impl Gpus {
    /// `None` without a driver.
    pub(super) fn find() -> Option<Self> {
        let nvml = Nvml::init().ok()?;
        let count = nvml.device_count().ok()?;
        let watched = |i| Watched {
            energy: nvml.device_by_index(i).ok().and_then(|gpu| gpu.total_energy_consumption().ok()),
            slowed: ThrottleReasons::empty(),
            looks: 0,
            times: vec![0; REASONS.len()],
        };
        let devices = (0..count).map(watched).collect();
        Some(Self { nvml, devices })
    }

    /// Reads all counters. `pids`: the processes whose memory is told apart.
    pub(super) fn sample(&mut self, pids: &[u32]) {
        for (i, watched) in self.devices.iter_mut().enumerate() {
            let Ok(gpu) = self.nvml.device_by_index(i as u32) else { continue };
            let count =
                |name: &str, unit, value: f64| sink::queue_sample(&format!("GPU {i} {name}"), unit, value);
            if let Ok(memory) = gpu.memory_info() {
                count("memory", Unit::Bytes, memory.used as f64);
            }
            if let Some(bytes) = memory_of(&gpu, pids) {
                count("memory of the recorded process", Unit::Bytes, bytes as f64);
            }
            if let Ok(share) = gpu.utilization_rates() {
                count("busy", Unit::MilliPercent, f64::from(share.gpu) * 1000.0);
                count("memory busy", Unit::MilliPercent, f64::from(share.memory) * 1000.0);
            }
            if let Ok(milliwatts) = gpu.power_usage() {
                count("power (W)", Unit::None, f64::from(milliwatts) / 1000.0);
            }
            if let Ok(mhz) = gpu.clock_info(Clock::SM) {
                count("SM clock (MHz)", Unit::None, f64::from(mhz));
            }
            if let Ok(mhz) = gpu.clock_info(Clock::Memory) {
                count("memory clock (MHz)", Unit::None, f64::from(mhz));
            }
            if let Ok(degrees) = gpu.temperature(TemperatureSensor::Gpu) {
                count("temperature (°C)", Unit::None, f64::from(degrees));
            }
            if let Ok(reasons) = gpu.current_throttle_reasons() {
                watched.slow(i, reasons);
            }
        }
    }

    /// What can only be said in the end.
    pub(super) fn finish(&self, seconds: f64, context: &Context) {
        for (i, watched) in self.devices.iter().enumerate() {
            let now =
                self.nvml.device_by_index(i as u32).ok().and_then(|gpu| gpu.total_energy_consumption().ok());
            if let (Some(start), Some(now)) = (watched.energy, now) {
                let joules = now.saturating_sub(start) as f64 / 1000.0;
                let mean = if seconds > 0.0 {
                    format!(", {:.0} W on average", joules / seconds)
                } else {
                    String::new()
                };
                context.fact(FactKind::Result, &format!("GPU {i} energy"), format!("{joules:.1} J{mean}"));
            }
            let share = |n: u64| n as f64 / watched.looks.max(1) as f64 * 100.0;
            let slowed = REASONS.iter().zip(&watched.times).filter(|(_, n)| **n > 0);
            let slowed: Vec<String> =
                slowed.map(|((_, why), &n)| format!("{why} {:.0} % of the time", share(n))).collect();
            if watched.looks > 0 {
                let text = if slowed.is_empty() { "by nothing".to_owned() } else { slowed.join(", ") };
                context.fact(FactKind::Result, &format!("GPU {i} slowed down"), text);
            }
        }
    }
}

impl Watched {
    fn slow(&mut self, gpu: usize, reasons: ThrottleReasons) {
        self.looks += 1;
        for ((reason, _), n) in REASONS.iter().zip(&mut self.times) {
            *n += u64::from(reasons.contains(*reason));
        }
        let known = REASONS.iter().fold(ThrottleReasons::empty(), |all, (reason, _)| all | *reason);
        let reasons = reasons & known;
        if reasons == self.slowed {
            return;
        }
        self.slowed = reasons;
        let names: Vec<_> =
            REASONS.iter().filter(|(r, _)| reasons.contains(*r)).map(|(_, name)| *name).collect();
        if names.is_empty() {
            tracing::info!(target: "inferscope::gpu", "GPU {gpu} is no longer slowed down");
        } else {
            tracing::warn!(target: "inferscope::gpu", "GPU {gpu} is slowed down: {}", names.join(", "));
        }
    }
}

/// Memory that these processes hold; `None` when the driver does not know them (in a container it often knows
/// other numbers for them).
fn memory_of(gpu: &Device<'_>, pids: &[u32]) -> Option<u64> {
    let processes = gpu.running_compute_processes().ok()?;
    let bytes = processes.iter().filter(|p| pids.contains(&p.pid)).map(|p| match p.used_gpu_memory {
        UsedGpuMemory::Used(bytes) => Some(bytes),
        UsedGpuMemory::Unavailable => None,
    });
    bytes.flatten().reduce(u64::saturating_add)
}
