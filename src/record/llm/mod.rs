//! Text generation by a model of the Llama family, in this process, with a span for every operation.
//!
//! The forward pass is our own (on candle's tensors), because a library's has no spans for the
//! operations, no layer numbers and no say over the KV cache. The bundled model has 2.6 million
//! parameters, answers questions about profiling and nothing else, and needs no download.
//!
//! A model is a GGUF file or a folder with config.json, tokenizer.json and safetensors files.
//!
//! Model files are hostile until proven otherwise: sizes and offsets are checked against the file
//! before anything is read or allocated by them.

mod config;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "cuda")]
mod cupti;
mod device;
mod engine;
mod file;
mod folder;
mod forward;
mod gguf;
mod op;
mod packed;
mod reading;
mod sampling;
#[cfg(target_arch = "x86_64")]
mod share;
mod tokens;
mod variants;

pub use device::DeviceChoice;
pub use engine::{Answer, Asked, Generator, LoadOptions, Model, Sampling, Step};
pub use op::Detail;
pub use reading::{Difference, Reading};
pub use sampling::Pcg32;
pub use variants::{VariantFile, WeightFormat};

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::WorkloadError;

/// The bundled model.
pub static BUNDLED: &[u8] = include_bytes!("../../../assets/model/tiny.q8_0.gguf");

/// Why a model cannot be loaded or run.
#[derive(Debug)]
pub enum LlmError {
    /// The file cannot be read or is not what it should be; one line with what and what to do.
    File(String),
    /// candle refused an operation.
    Compute(String),
    /// The recording was stopped.
    Stopped,
}

impl std::fmt::Display for LlmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(why) => f.write_str(why),
            Self::Compute(why) => write!(f, "the model cannot be computed: {why}"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for LlmError {}

impl From<candle_core::Error> for LlmError {
    fn from(error: candle_core::Error) -> Self {
        // Only the first line: the rest is candle's backtrace.
        Self::Compute(error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}

impl From<LlmError> for WorkloadError {
    fn from(error: LlmError) -> Self {
        match error {
            LlmError::Stopped => Self::Stopped,
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<WorkloadError> for LlmError {
    fn from(error: WorkloadError) -> Self {
        match error {
            WorkloadError::Stopped => Self::Stopped,
            WorkloadError::Failed(why) | WorkloadError::NotStarted { why, .. } => Self::Compute(why),
        }
    }
}

/// One thread for each matrix product, unless the environment says otherwise. candle's threads meet at
/// a barrier after each product and all generations share them, so two generations on two threads each
/// run several times slower than on one; workers are the better way to use more cores. An operation's
/// time is then also its own.
///
/// candle takes the numbers from the environment. Programs that are started get it as it was ([`forget_matmul_threads`]). Without RAYON_NUM_THREADS it reads /proc/cpuinfo
/// before every product of attention, which takes ten times as long as the product. Setting the
/// environment is only sound while nothing else reads it, so a process that has more than one thread
/// keeps candle's choice.
pub(super) fn set_matmul_threads() {
    for (name, is_ours) in &MATMUL_THREADS {
        if std::env::var_os(name).is_some() || !is_single_threaded() {
            continue;
        }
        is_ours.store(true, Ordering::Relaxed);
        #[expect(
            unsafe_code,
            reason = "the only way to tell candle; checked above that no other thread runs"
        )]
        // SAFETY: there is one thread, so nothing reads the environment at the same time.
        unsafe {
            std::env::set_var(name, "1");
        }
    }
}

/// Takes out of a program's environment what only this process has set.
pub(super) fn forget_matmul_threads(command: &mut Command) {
    for (name, is_ours) in &MATMUL_THREADS {
        if is_ours.load(Ordering::Relaxed) {
            command.env_remove(name);
        }
    }
}

/// Variables, and whether this process has set them.
static MATMUL_THREADS: [(&str, AtomicBool); 2] =
    [("CANDLE_NUM_THREADS", AtomicBool::new(false)), ("RAYON_NUM_THREADS", AtomicBool::new(false))];

fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// Threads that share a matrix product.
pub(super) fn matmul_threads() -> String {
    std::env::var("CANDLE_NUM_THREADS").unwrap_or_else(|_| candle_core::utils::get_num_threads().to_string())
}
