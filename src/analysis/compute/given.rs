//! What is known of a model and its device beside what was measured.

use super::devices::device_of;
use crate::model::{FactValue, Profile, Unit};

/// Sizes of a model and peaks of its device, as a run states them or a person gives them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Given {
    /// Parameters.
    pub parameters: Option<u64>,
    /// Bytes of its weights in memory.
    pub weight_bytes: Option<u64>,
    /// Layers.
    pub layers: Option<u64>,
    /// Width of a token between layers.
    pub width: Option<u64>,
    /// Heads that have keys and values of their own.
    pub kv_heads: Option<u64>,
    /// Width of a head.
    pub head_width: Option<u64>,
    /// Bytes of a number in the KV cache.
    pub kv_element: Option<u64>,
    /// Bytes per second that the device can read.
    pub peak_bytes: Option<u64>,
    /// Operations per second that it can do, with numbers as the weights have them.
    pub peak_flops: Option<u64>,
}

/// One of the quantities of [`Given`].
pub struct Quantity {
    /// What it is called, in controls and as a fact of a run.
    pub name: &'static str,
    /// Its unit in words; empty for a count.
    pub unit: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What may be typed.
    pub example: &'static str,
    /// Where it stands.
    pub of: fn(&mut Given) -> &mut Option<u64>,
}

impl Given {
    /// All quantities.
    pub const ALL: [Quantity; 9] = [
        Quantity {
            name: "Parameters",
            unit: "",
            about: "Numbers that the model consists of",
            example: "1.24G",
            of: |g| &mut g.parameters,
        },
        Quantity {
            name: "Bytes of weights",
            unit: "bytes",
            about: "What its weights take in the memory of the device",
            example: "2.4 GB",
            of: |g| &mut g.weight_bytes,
        },
        Quantity {
            name: "Layers",
            unit: "",
            about: "Layers of the model",
            example: "16",
            of: |g| &mut g.layers,
        },
        Quantity {
            name: "Width",
            unit: "",
            about: "Numbers of a token between layers (hidden size)",
            example: "2048",
            of: |g| &mut g.width,
        },
        Quantity {
            name: "KV heads",
            unit: "",
            about: "Heads with keys and values of their own (fewer than heads with grouped queries)",
            example: "8",
            of: |g| &mut g.kv_heads,
        },
        Quantity {
            name: "Head width",
            unit: "",
            about: "Numbers of a head (head dimension)",
            example: "64",
            of: |g| &mut g.head_width,
        },
        Quantity {
            name: "Bytes of a KV element",
            unit: "bytes",
            about: "Bytes of a number in the KV cache: 2 for fp16",
            example: "2",
            of: |g| &mut g.kv_element,
        },
        Quantity {
            name: "Peak bandwidth",
            unit: "bytes/s",
            about: "Bytes per second that the device can read, by its data sheet or measured",
            example: "320 GB/s",
            of: |g| &mut g.peak_bytes,
        },
        Quantity {
            name: "Peak operations",
            unit: "FLOP/s",
            about: "Operations per second that the device can do with numbers as the weights have them",
            example: "8.1 TFLOP/s",
            of: |g| &mut g.peak_flops,
        },
    ];

    /// What a run states about itself; peaks of a device that is known by its data sheet.
    #[must_use]
    pub fn of_run(profile: &Profile) -> Self {
        let mut given = Self::default();
        for quantity in &Self::ALL {
            if let Some(FactValue::Number(n, Unit::Count | Unit::Bytes)) = profile.meta.fact(quantity.name) {
                *(quantity.of)(&mut given) = u64::try_from(*n).ok().filter(|n| *n > 0);
            }
        }
        if let Some(device) = device_of(profile).filter(|_| runs_on_gpu(profile)) {
            given.peak_bytes = given.peak_bytes.or(Some(device.bytes));
            let narrow =
                given.weight_bytes.zip(given.parameters).is_some_and(|(b, n)| b < n.saturating_mul(3));
            given.peak_flops = given.peak_flops.or(Some(if narrow { device.fp16 } else { device.fp32 }));
        }
        given
    }

    /// With what another one knows besides.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let (mut all, mut other) = (self.clone(), other.clone());
        for quantity in &Self::ALL {
            let value = (quantity.of)(&mut all);
            *value = value.or(*(quantity.of)(&mut other));
        }
        all
    }

    /// Bytes that a token holds in the KV cache.
    #[must_use]
    pub fn kv_per_token(&self) -> Option<u64> {
        let factors = [self.layers?, self.kv_heads?, self.head_width?, self.kv_element?];
        factors.into_iter().try_fold(2u64, u64::checked_mul)
    }
}

/// True when work of a GPU was recorded, or the run says that it computed on one.
fn runs_on_gpu(profile: &Profile) -> bool {
    let works = profile.tracks.iter().any(|t| t.kind == crate::model::TrackKind::GpuStream);
    let says = match profile.meta.fact("Computed on") {
        Some(FactValue::Text(text)) => !text.to_lowercase().contains("cpu"),
        _ => false,
    };
    works || says
}
