//! What machine a recording was made on. A number without its machine compares with nothing.

use nvml_wrapper::Nvml;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine card, in order. What cannot be found out is left out.
pub(super) fn card() -> Vec<(String, String)> {
    let what = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what);
    let mut card = Vec::new();
    let mut add = |key: &str, value: Option<String>| {
        card.extend(value.filter(|v| !v.trim().is_empty()).map(|v| (key.to_owned(), v.trim().to_owned())));
    };
    if let Ok(system) = system {
        add("CPU", system.cpus().first().map(|c| c.brand().to_owned()));
        add("Threads", Some(system.cpus().len()).filter(|&n| n > 0).map(|n| n.to_string()));
        let gib = system.total_memory() as f64 / f64::from(1 << 30);
        add("RAM", (gib > 0.0).then(|| format!("{gib:.1} GiB")));
    }
    add("Cores", System::physical_core_count().ok().map(|n| n.to_string()));
    add("Vector instructions", vector_instructions());
    add("OS", System::long_os_version().ok());
    add("Kernel", System::kernel_version().ok());
    for (key, value) in gpus().unwrap_or_default() {
        add(&key, Some(value));
    }
    card
}

#[cfg(target_arch = "x86_64")]
fn vector_instructions() -> Option<String> {
    let found = [
        (std::is_x86_feature_detected!("avx2"), "AVX2"),
        (std::is_x86_feature_detected!("avx512f"), "AVX-512"),
        (std::is_x86_feature_detected!("avx512vnni"), "AVX-512 VNNI"),
        (std::is_x86_feature_detected!("avxvnni"), "AVX-VNNI"),
        (std::is_x86_feature_detected!("avx512bf16"), "AVX-512 BF16"),
    ];
    let names: Vec<_> = found.iter().filter(|f| f.0).map(|f| f.1).collect();
    Some(if names.is_empty() { "none of AVX2 and AVX-512".into() } else { names.join(", ") })
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_instructions() -> Option<String> {
    cfg!(target_arch = "aarch64").then(|| "NEON".into())
}

fn gpus() -> Option<Vec<(String, String)>> {
    let nvml = Nvml::init().ok()?;
    let mut card = Vec::new();
    for i in 0..nvml.device_count().ok()? {
        let Ok(gpu) = nvml.device_by_index(i) else { continue };
        let name = gpu.name().unwrap_or_else(|_| "unknown model".into());
        let memory = gpu
            .memory_info()
            .map_or_else(|_| String::new(), |m| format!(", {:.1} GiB", m.total as f64 / f64::from(1 << 30)));
        card.push((format!("GPU {i}"), format!("{name}{memory}")));
    }
    if !card.is_empty() {
        card.extend(nvml.sys_driver_version().ok().map(|v| ("GPU driver".into(), format!("NVIDIA {v}"))));
    }
    Some(card)
}
