//! What devices can do at most, as their makers' data sheets say: without sparsity.

use crate::model::Profile;

/// Peaks of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSheet {
    /// What it is called.
    pub name: &'static str,
    /// Words that its name as a driver gives it holds, all of them.
    words: &'static [&'static str],
    /// Bytes per second of its memory.
    pub bytes: u64,
    /// Operations per second with 32-bit numbers.
    pub fp32: u64,
    /// With 16-bit numbers on its matrix units.
    pub fp16: u64,
}

const fn sheet(
    name: &'static str,
    words: &'static [&'static str],
    gb: u64,
    fp32: u64,
    fp16: u64,
) -> DataSheet {
    DataSheet {
        name,
        words,
        bytes: gb * 1_000_000_000,
        fp32: fp32 * 100_000_000_000,
        fp16: fp16 * 100_000_000_000,
    }
}

/// Known devices; a device of one's own is typed. Operations are in tenths of a TFLOP/s.
pub const DEVICES: [DataSheet; 10] = [
    sheet("NVIDIA T4", &["T4"], 320, 81, 650),
    sheet("NVIDIA L4", &["L4"], 300, 303, 1210),
    sheet("NVIDIA L40S", &["L40S"], 864, 916, 3620),
    sheet("NVIDIA A100 40 GB", &["A100", "40GB"], 1555, 195, 3120),
    sheet("NVIDIA A100 80 GB", &["A100", "80GB"], 2039, 195, 3120),
    sheet("NVIDIA H100 PCIe", &["H100", "PCIe"], 2000, 510, 7560),
    sheet("NVIDIA H100 SXM", &["H100"], 3350, 670, 9890),
    sheet("NVIDIA H200 SXM", &["H200"], 4800, 670, 9890),
    sheet("NVIDIA GeForce RTX 4090", &["4090"], 1008, 826, 1652),
    sheet("NVIDIA V100", &["V100"], 900, 157, 1250),
];

/// The data sheet of the GPU that a profile names; `None` where it names none that is known.
#[must_use]
pub fn device_of(profile: &Profile) -> Option<&'static DataSheet> {
    let gpus = profile.meta.machine.iter().filter(|fact| fact.name.starts_with("GPU"));
    let texts: Vec<String> = gpus.map(|fact| crate::format::fact(&fact.value).into_owned()).collect();
    let words: Vec<&str> = texts.iter().flat_map(|t| t.split([' ', ',', '-', '_'])).collect();
    DEVICES.iter().find(|d| d.words.iter().all(|w| words.iter().any(|word| word.eq_ignore_ascii_case(w))))
}
