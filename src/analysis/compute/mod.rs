//! What limits a model on a device: bytes per parameter, passes, what a pass reads and computes against what the device can.
//!
//! Definitions. KV cache of a token = 2 · layers · KV heads · head width · bytes of an element. Operations of a token ≈ 2 · parameters +
//! 4 · layers · width · context. Decoding reads the weights and the live KV cache once a pass. MFU = operations per second ÷ peak,
//! MBU = bytes per second ÷ peak (Databricks). What nobody states or measured is unknown, with the reason.

mod devices;
mod doubt;
mod given;
mod measured;
#[cfg(test)]
mod tests;

pub use devices::{DEVICES, DataSheet, device_of};
pub use doubt::Peak;
pub use given::{Given, Quantity};

use super::asked::Asked;
use super::gpu::gpu_busy;
use super::ops::{OpTable, Ops, has_ops};
use crate::jobs::Cancelled;
use crate::model::Profile;
use crate::query::{Context, Query};

/// A figure, or why there is none.
pub type Known<T> = Result<T, &'static str>;

/// Work of one kind and the time that it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// What it is: «prefill», «decode», «all passes».
    pub name: &'static str,
    /// Of what, in words.
    pub of: String,
    /// Tokens of a pass, or of all.
    pub tokens: f64,
    /// Time, ns.
    pub time: f64,
    /// Operations.
    pub flops: Known<f64>,
    /// Bytes that are read at least.
    pub bytes: Known<f64>,
}

impl Work {
    /// Operations per second.
    pub fn flops_rate(&self) -> Known<f64> {
        Ok(self.flops? * 1e9 / self.time)
    }

    /// Bytes per second.
    pub fn bytes_rate(&self) -> Known<f64> {
        Ok(self.bytes? * 1e9 / self.time)
    }

    /// Operations per byte.
    pub fn intensity(&self) -> Known<f64> {
        Ok(self.flops? / self.bytes?)
    }

    /// Share of the operations that the device could do.
    pub fn mfu(&self, given: &Given) -> Known<f64> {
        let peak = given.peak_flops.filter(|p| *p > 0).ok_or(NO_FLOPS)?;
        Ok(self.flops_rate()? / peak as f64)
    }

    /// Share of the bytes that the device could read.
    pub fn mbu(&self, given: &Given) -> Known<f64> {
        let peak = given.peak_bytes.filter(|p| *p > 0).ok_or(NO_BANDWIDTH)?;
        Ok(self.bytes_rate()? / peak as f64)
    }

    /// The least time that the bytes need, ns.
    pub fn floor(&self, given: &Given) -> Known<f64> {
        let peak = given.peak_bytes.filter(|p| *p > 0).ok_or(NO_BANDWIDTH)?;
        Ok(self.bytes? * 1e9 / peak as f64)
    }

    /// True when reading limits it, false when computing does: on which side of the ridge it is.
    pub fn is_memory_bound(&self, given: &Given) -> Known<bool> {
        let flops = given.peak_flops.filter(|p| *p > 0).ok_or(NO_FLOPS)?;
        let bytes = given.peak_bytes.filter(|p| *p > 0).ok_or(NO_BANDWIDTH)?;
        Ok(self.intensity()? < flops as f64 / bytes as f64)
    }
}

const NO_PARAMETERS: &str = "the number of parameters is not known";
const NO_WEIGHTS: &str = "the bytes of the weights are not known";
const NO_LAYERS: &str = "the number of layers is not known";
const NO_KV: &str = "layers, KV heads, head width and the bytes of an element are not all known";
const NO_FLOPS: &str = "the device's peak of operations is not known";
const NO_BANDWIDTH: &str = "the device's peak bandwidth is not known";

/// Copies from the host to the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upload {
    /// Time of all, ns.
    pub time: i64,
    /// How many.
    pub copies: u64,
    /// They come from pageable memory.
    pub pageable: bool,
    /// Bytes per second, if they are the weights.
    pub rate: Known<f64>,
}

/// What limits a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// What the run states itself.
    pub stated: Given,
    /// With what a person gave.
    pub given: Given,
    /// Bytes of the weights ÷ parameters.
    pub bytes_per_parameter: Known<f64>,
    /// Passes through the model.
    pub passes: Known<u64>,
    /// Products with a weight matrix in each pass.
    pub products_per_pass: Known<u64>,
    /// Bytes that a token holds in the KV cache.
    pub kv_per_token: Known<u64>,
    /// Most bytes that the KV cache of one request held at its end.
    pub kv_most: Known<u64>,
    /// Prefill and decode, or all passes.
    pub work: Vec<Work>,
    /// Why there is none of it.
    pub no_work: &'static str,
    /// Time in which the device worked, and all time, ns.
    pub busy: Known<(i64, i64)>,
    /// Copies from the host.
    pub upload: Option<Upload>,
}

impl Explained {
    /// How the weights are stored, as their bytes tell.
    pub fn stored_as(&self) -> Known<&'static str> {
        self.bytes_per_parameter.map(stored_as)
    }
}

/// How numbers of so many bytes are stored.
#[must_use]
pub fn stored_as(bytes: f64) -> &'static str {
    match bytes {
        b if (3.9..4.2).contains(&b) => "fp32",
        b if (1.95..2.1).contains(&b) => "fp16 or bf16",
        b if (0.98..1.1).contains(&b) => "8 bits",
        b if (0.75..0.86).contains(&b) => "6 bits",
        b if (0.62..0.75).contains(&b) => "5 bits",
        b if (0.5..0.62).contains(&b) => "4 bits",
        b if b < 0.5 => "fewer than 4 bits",
        _ => "several formats",
    }
}

/// Computes what limits the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Explain {
    /// Which requests and which time.
    pub asked: Asked,
    /// What a person gave.
    pub given: Given,
}

impl Query for Explain {
    type Output = Explained;

    fn run(&self, cx: &Context<'_>) -> Result<Explained, Cancelled> {
        let profile = cx.profile();
        let stated = Given::of_run(profile);
        let given = self.given.or(&stated);
        let ops = match has_ops(profile) {
            true => cx.get(&Ops(self.asked.range))?,
            false => std::sync::Arc::default(),
        };
        let passes = measured::passes(profile, &ops, &given);
        let products = measured::products(profile, &ops);
        let ids = self.asked.ids(cx)?;
        let (mut work, mut no_work) = measured::of_requests(profile, &ids, &given);
        if work.is_empty() {
            match measured::of_ops(profile, &ops, &given, passes) {
                Ok(all) => work.push(all),
                Err(why) if profile.requests.rows.is_empty() => no_work = why,
                Err(_) => {}
            }
        }
        let kv_most = ids.iter().filter_map(|id| profile.requests.get(*id)?.kv_cache_bytes).max();
        Ok(Explained {
            bytes_per_parameter: match (given.weight_bytes, given.parameters.filter(|p| *p > 0)) {
                (_, None) => Err(NO_PARAMETERS),
                (None, _) => Err(NO_WEIGHTS),
                (Some(bytes), Some(n)) => Ok(bytes as f64 / n as f64),
            },
            passes,
            products_per_pass: match (products, passes) {
                (Ok(n), Ok(passes)) if passes > 0 && n % passes == 0 => Ok(n / passes),
                (Ok(_), Ok(_)) => Err("products are no multiple of the passes"),
                (Err(why), _) | (_, Err(why)) => Err(why),
            },
            kv_per_token: given.kv_per_token().ok_or(NO_KV),
            kv_most: kv_most.ok_or("no request says how large its KV cache was"),
            work,
            no_work,
            busy: busy(profile, &ops, self.asked.range),
            upload: measured::upload(profile, &ops, &given),
            stated,
            given,
        })
    }
}

fn busy(profile: &Profile, ops: &OpTable, range: super::TimeRange) -> Known<(i64, i64)> {
    if ops.is_printed {
        let Some(cpu) = ops.self_cpu_total else {
            return Err("the table's last line with the sum of Self CPU is missing");
        };
        let device = ops.self_device_total.ok_or("the table has no sum of a device's time")?;
        // The table holds no elapsed time: what the CPU did stands for it, which it cannot where the device did more.
        return match device <= cpu {
            true => Ok((device, cpu)),
            false => Err("the device worked for longer than the CPU, and a table holds no elapsed time"),
        };
    }
    let gpus = gpu_busy(profile, range);
    let most = gpus.iter().max_by_key(|g| g.busy).ok_or("no device's work was recorded")?;
    Ok((most.busy, most.busy.saturating_add(most.idle)))
}
