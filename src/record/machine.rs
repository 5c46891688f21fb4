//! What machine a recording was made on. A number without its machine compares with nothing.
//!
//! `sysinfo` and NVML tell the same everywhere; caches, microcode, mitigations and limits of a container come from
//! the files in which Linux keeps them. What cannot be found out is left out.

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::Clock;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine card, in order.
pub(super) fn card() -> Vec<(String, String)> {
    let what = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what);
    let mut card = Vec::new();
    let mut add = |key: &str, value: Option<String>| {
        card.extend(value.filter(|v| !v.trim().is_empty()).map(|v| (key.to_owned(), v.trim().to_owned())));
    };
    let mut threads = 0;
    let mut ram = None;
    if let Ok(system) = system {
        add("CPU", system.cpus().first().map(|c| c.brand().to_owned()));
        threads = system.cpus().len();
        ram = Some(system.total_memory()).filter(|&bytes| bytes > 0).map(gib);
    }
    let cores = System::physical_core_count().ok();
    add("Cores", cores.map(|n| n.to_string()));
    let smt = match cores {
        Some(cores) if threads > cores => " (SMT is on)",
        _ => "",
    };
    add("Threads", (threads > 0).then(|| format!("{threads}{smt}")));
    add("Vector instructions", vector_instructions());
    for (key, value) in files::cpu() {
        add(key, value);
    }
    add("RAM", ram);
    for (key, value) in files::limits() {
        add(key, value);
    }
    add("OS", System::long_os_version().ok());
    add("Kernel", System::kernel_version().ok());
    for (key, value) in gpus().unwrap_or_default() {
        add(&key, Some(value));
    }
    card
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(target_arch = "x86_64")]
fn vector_instructions() -> Option<String> {
    let found = [
        (std::is_x86_feature_detected!("sse4.2"), "SSE4.2"),
        (std::is_x86_feature_detected!("avx"), "AVX"),
        (std::is_x86_feature_detected!("f16c"), "F16C"),
        (std::is_x86_feature_detected!("fma"), "FMA"),
        (std::is_x86_feature_detected!("avx2"), "AVX2"),
        (std::is_x86_feature_detected!("avxvnni"), "AVX-VNNI"),
        (std::is_x86_feature_detected!("avx512f"), "AVX-512"),
        (std::is_x86_feature_detected!("avx512vnni"), "AVX-512 VNNI"),
        (std::is_x86_feature_detected!("avx512bf16"), "AVX-512 BF16"),
    ];
    let mut names: Vec<_> = found.iter().filter(|f| f.0).map(|f| f.1).collect();
    // The compiler cannot ask for AMX yet.
    names.extend(["amx_tile", "amx_int8", "amx_bf16"].into_iter().filter(|f| files::has_flag(f)).map(|f| {
        match f {
            "amx_int8" => "AMX INT8",
            "amx_bf16" => "AMX BF16",
            _ => "AMX",
        }
    }));
    Some(if names.is_empty() { "none of SSE4.2, AVX and AVX-512".into() } else { names.join(", ") })
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_instructions() -> Option<String> {
    let more = ["asimddp", "i8mm", "bf16", "sve", "sve2"].into_iter().filter(|f| files::has_flag(f));
    cfg!(target_arch = "aarch64").then(|| std::iter::once("NEON").chain(more).collect::<Vec<_>>().join(", "))
}

/// What Linux tells in files. Elsewhere these files do not exist and nothing is told.
mod files {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    type Rows = Vec<(&'static str, Option<String>)>;

    fn text(path: impl AsRef<Path>) -> Option<String> {
        Some(fs::read_to_string(path).ok()?.trim().to_owned())
    }

    /// The value of a key in `/proc/cpuinfo`, of the first processor.
    fn cpuinfo(key: &str) -> Option<String> {
        let all = text("/proc/cpuinfo")?;
        let mut pairs = all.lines().filter_map(|line| line.split_once(':'));
        pairs.find(|(k, _)| k.trim() == key).map(|(_, v)| v.trim().to_owned())
    }

    pub(super) fn has_flag(flag: &str) -> bool {
        let flags = cpuinfo("flags").or_else(|| cpuinfo("Features")).unwrap_or_default();
        flags.split_ascii_whitespace().any(|f| f == flag)
    }

    pub(super) fn cpu() -> Rows {
        let cpu = "/sys/devices/system/cpu/cpu0";
        let mhz = text(format!("{cpu}/cpufreq/cpuinfo_max_freq")).and_then(|khz| khz.parse::<f64>().ok());
        let now = || cpuinfo("cpu MHz").and_then(|mhz| mhz.parse::<f64>().ok());
        vec![
            ("Caches", caches(&format!("{cpu}/cache"))),
            ("Largest clock", mhz.map(|khz| format!("{:.2} GHz", khz / 1e6))),
            (
                "Clock at the start",
                if mhz.is_none() { now().map(|mhz| format!("{:.2} GHz", mhz / 1e3)) } else { None },
            ),
            ("Clock governor", text(format!("{cpu}/cpufreq/scaling_governor"))),
            ("Microcode", cpuinfo("microcode")),
            ("Virtual machine", has_flag("hypervisor").then(|| "yes".into())),
            ("Mitigations", mitigations("/sys/devices/system/cpu/vulnerabilities")),
        ]
    }

    /// «L1d 32K, L1i 32K, L2 1M, L3 32M», as the first processor sees them.
    fn caches(folder: &str) -> Option<String> {
        let cache = |i: u32| {
            let of = |name: &str| text(format!("{folder}/index{i}/{name}"));
            let kind = match of("type")?.as_str() {
                "Data" => "d",
                "Instruction" => "i",
                _ => "",
            };
            let size = of("size")?;
            let size = match size.strip_suffix('K').and_then(|k| k.parse::<u64>().ok()) {
                Some(k) if k >= 1024 && k % 1024 == 0 => format!("{} MiB", k / 1024),
                Some(k) => format!("{k} KiB"),
                None => size,
            };
            Some(format!("L{}{kind} {size}", of("level")?))
        };
        let found: Vec<String> = (0..8).map_while(cache).collect();
        (!found.is_empty()).then(|| found.join(", "))
    }

    /// Which of the processor's weaknesses the kernel works around, and which it does not.
    fn mitigations(folder: &str) -> Option<String> {
        let (mut on, mut open) = (BTreeSet::new(), BTreeSet::new());
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let state = text(entry.path()).unwrap_or_default();
            if state.starts_with("Mitigation") {
                on.insert(name);
            } else if state.starts_with("Vulnerable") {
                open.insert(name);
            }
        }
        let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
        Some(match (on.is_empty(), open.is_empty()) {
            (true, true) => "none needed".into(),
            (false, true) => format!("on: {}", list(on)),
            (true, false) => format!("off: {}", list(open)),
            (false, false) => format!("on: {}; off: {}", list(on), list(open)),
        })
    }

    /// What a container allows of the machine.
    pub(super) fn limits() -> Rows {
        let cpu = text("/sys/fs/cgroup/cpu.max").and_then(|max| {
            let (quota, period) = max.split_once(' ')?;
            let cores = quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?;
            Some(format!("{cores:.1} cores"))
        });
        let memory = text("/sys/fs/cgroup/memory.max").and_then(|max| max.parse().ok()).map(super::gib);
        vec![("CPU limit of the container", cpu), ("Memory limit of the container", memory)]
    }
}

fn gpus() -> Option<Vec<(String, String)>> {
    let nvml = Nvml::init().ok()?;
    let mut card = Vec::new();
    for i in 0..nvml.device_count().ok()? {
        let Ok(gpu) = nvml.device_by_index(i) else { continue };
        let mut parts = vec![gpu.name().unwrap_or_else(|_| "unknown model".into())];
        parts.extend(gpu.memory_info().ok().map(|m| gib(m.total)));
        parts.extend(gpu.cuda_compute_capability().ok().map(|c| format!("compute {}.{}", c.major, c.minor)));
        if let (Ok(generation), Ok(width)) = (gpu.max_pcie_link_gen(), gpu.max_pcie_link_width()) {
            parts.push(format!("PCIe {generation} × {width}"));
        }
        parts.extend(gpu.enforced_power_limit().ok().map(|mw| format!("limit {} W", mw / 1000)));
        parts.extend(gpu.max_clock_info(Clock::SM).ok().map(|mhz| format!("SM up to {mhz} MHz")));
        parts.extend(gpu.max_clock_info(Clock::Memory).ok().map(|mhz| format!("memory {mhz} MHz")));
        card.push((format!("GPU {i}"), parts.join(", ")));
    }
    if !card.is_empty() {
        let cuda = nvml.sys_cuda_driver_version().ok();
        let cuda = cuda.map_or(String::new(), |v| format!(", CUDA up to {}.{}", v / 1000, v % 1000 / 10));
        card.extend(
            nvml.sys_driver_version().ok().map(|v| ("GPU driver".into(), format!("NVIDIA {v}{cuda}"))),
        );
    }
    Some(card)
}
