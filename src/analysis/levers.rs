//! The nine usual ways to make an LLM application faster or cheaper, in three groups: of the model, of what it runs on, of the
//! application.

use crate::model::{BATCHES_ARE_EMPTY, FALSE_HIT};

/// A group of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// The model itself.
    Model,
    /// What it runs on.
    Infrastructure,
    /// What asks it.
    Application,
}

impl Group {
    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Infrastructure => "Infrastructure",
            Self::Application => "Application",
        }
    }
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lever {
    /// Fewer bits for each weight.
    Quantization,
    /// Several requests in one pass.
    Batching,
    /// Fewer weights.
    Pruning,
    /// A GPU or another accelerator.
    Hardware,
    /// Several devices or machines.
    Distribution,
    /// Where weights, caches and copies lie.
    Memory,
    /// What is asked, how much of it and how many at a time.
    Requests,
    /// Answers and prompts that are not computed again.
    Caching,
    /// Answers that are shown while they are written.
    Streaming,
}

/// Parts of the names of settings, in small letters, and what they set: of several that fit the first.
const SETTINGS: [(&str, Lever); 48] = [
    ("prun", Lever::Pruning),
    ("sparsity", Lever::Pruning),
    ("memory_utilization", Lever::Memory),
    ("memory utilization", Lever::Memory),
    ("mem_fraction", Lever::Memory),
    ("kv cache", Lever::Memory),
    ("kv_cache", Lever::Memory),
    ("kv element", Lever::Memory),
    ("type_k", Lever::Memory),
    ("type_v", Lever::Memory),
    ("pin_memory", Lever::Memory),
    ("swap_space", Lever::Memory),
    ("block_size", Lever::Memory),
    ("offload", Lever::Memory),
    ("cache", Lever::Caching),
    ("caching", Lever::Caching),
    ("ttl", Lever::Caching),
    ("time to live", Lever::Caching),
    ("similarity", Lever::Caching),
    ("redis", Lever::Caching),
    ("threshold", Lever::Caching),
    ("weight", Lever::Quantization),
    ("quantiz", Lever::Quantization),
    ("quantis", Lever::Quantization),
    ("dtype", Lever::Quantization),
    ("precision", Lever::Quantization),
    ("bytes of weights", Lever::Quantization),
    ("batch", Lever::Batching),
    ("longest wait", Lever::Batching),
    ("max_num_seqs", Lever::Batching),
    ("tensor_parallel", Lever::Distribution),
    ("pipeline_parallel", Lever::Distribution),
    ("data_parallel", Lever::Distribution),
    ("replica", Lever::Distribution),
    ("world_size", Lever::Distribution),
    ("workers", Lever::Distribution),
    ("computed on", Lever::Hardware),
    ("device", Lever::Hardware),
    ("gpu", Lever::Hardware),
    ("stream", Lever::Streaming),
    ("clients", Lever::Requests),
    ("at once", Lever::Requests),
    ("concurrency", Lever::Requests),
    ("request_rate", Lever::Requests),
    ("request rate", Lever::Requests),
    ("max new tokens", Lever::Requests),
    ("max_tokens", Lever::Requests),
    ("prompt", Lever::Requests),
];

impl Lever {
    /// All of them, group by group.
    pub const ALL: [Self; 9] = [
        Self::Quantization,
        Self::Batching,
        Self::Pruning,
        Self::Hardware,
        Self::Distribution,
        Self::Memory,
        Self::Requests,
        Self::Caching,
        Self::Streaming,
    ];

    /// The name in reports.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Quantization => "quantization",
            Self::Batching => "batching",
            Self::Pruning => "pruning",
            Self::Hardware => "hardware",
            Self::Distribution => "distribution",
            Self::Memory => "memory",
            Self::Requests => "requests",
            Self::Caching => "caching",
            Self::Streaming => "streaming",
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quantization => "Quantization",
            Self::Batching => "Batching",
            Self::Pruning => "Pruning",
            Self::Hardware => "Hardware acceleration",
            Self::Distribution => "Distributed computing",
            Self::Memory => "Memory management",
            Self::Requests => "Request optimisation",
            Self::Caching => "Caching",
            Self::Streaming => "Streaming",
        }
    }

    /// What it is, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Quantization => "Fewer bits for each weight: less to read for each token.",
            Self::Batching => {
                "Several requests in one pass of the model: the weights are read once for all of them."
            }
            Self::Pruning => "Weights that matter little are left out.",
            Self::Hardware => "A GPU or another accelerator.",
            Self::Distribution => "Several devices, workers or machines.",
            Self::Memory => "Where weights, the KV cache and copies are held.",
            Self::Requests => "What is asked, how long it is, how many at a time.",
            Self::Caching => "Answers, and beginnings of prompts, that are not computed again.",
            Self::Streaming => "Answers that are shown while they are being written.",
        }
    }

    /// Its group.
    #[must_use]
    pub fn group(self) -> Group {
        match self {
            Self::Quantization | Self::Batching | Self::Pruning => Group::Model,
            Self::Hardware | Self::Distribution | Self::Memory => Group::Infrastructure,
            Self::Requests | Self::Caching | Self::Streaming => Group::Application,
        }
    }

    /// What a finding that a recording states suggests, by its kind; `None` for one that suggests no lever.
    #[must_use]
    pub fn of_finding(kind: &str) -> Option<Self> {
        match kind {
            BATCHES_ARE_EMPTY | "Limit below the batch size" => Some(Self::Batching),
            FALSE_HIT | "Cache key that changes" | "Cache unavailable" => Some(Self::Caching),
            "Nothing is streamed" => Some(Self::Streaming),
            "Time lost to retries" | "Throughput stops growing" => Some(Self::Requests),
            _ => None,
        }
    }

    /// What a setting of a run sets, by its name; `None` for one that is no lever.
    #[must_use]
    pub fn of_setting(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        SETTINGS.iter().find(|(part, _)| name.contains(part)).map(|(_, lever)| *lever)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_belong_to_what_they_set() {
        for (name, lever) in [
            ("Batch size", Some(Lever::Batching)),
            ("Bytes of weights", Some(Lever::Quantization)),
            ("Bytes of a KV element", Some(Lever::Memory)),
            ("gpu_memory_utilization", Some(Lever::Memory)),
            ("Cache entries", Some(Lever::Caching)),
            ("Answer cache", Some(Lever::Caching)),
            ("Computed on", Some(Lever::Hardware)),
            ("Workers", Some(Lever::Distribution)),
            ("Questions at once", Some(Lever::Requests)),
            ("Seed", None),
        ] {
            assert_eq!(Lever::of_setting(name), lever, "{name}");
        }
    }
}
