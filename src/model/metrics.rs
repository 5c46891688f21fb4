//! What a profile counts: declared cost dimensions with unit and meaning.

use super::ids::MetricId;

/// Unit of an integer cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Time, 1e-9 s.
    Nanoseconds,
    /// Memory or transfer size.
    Bytes,
    /// Events, calls, instructions, samples.
    Count,
    /// Tokens of a language model.
    Tokens,
    /// Money, 1e-9 US dollar.
    NanoDollars,
    /// Share in 1/1000 of a percent.
    MilliPercent,
    /// A number without a known unit.
    None,
}

impl Unit {
    /// The name used in reports and session files.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Nanoseconds => "nanoseconds",
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Tokens => "tokens",
            Self::NanoDollars => "nano_dollars",
            Self::MilliPercent => "milli_percent",
            Self::None => "none",
        }
    }
}

/// Which direction is an improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Less is better: time, memory, cost.
    Lower,
    /// More is better: throughput, hits.
    Higher,
    /// Neither.
    Neutral,
}

/// One cost dimension. Costs of it are `i64` in `unit`, and additive: a parent's total is the sum of
/// its own cost and its children's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Metric {
    /// Stable name, as in the file («time», «Ir», «alloc_space»).
    pub key: String,
    /// What a person reads.
    pub label: String,
    /// Unit of every cost.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Linear formula over other metrics, as callgrind's derived events: the cost is
    /// `sum(factor * cost)`. Empty for a measured metric.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formula: Vec<(i64, MetricId)>,
    /// While a profile is built: costs of spans are given without those of their callees. Freezing adds these up and
    /// clears this, so that costs of a frozen profile are always inclusive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// What one function has is in what others have, too (totals of a flat table): a sum over functions means nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overlaps: bool,
}

impl Metric {
    /// A measured metric where less is better.
    #[must_use]
    pub fn new(key: &str, label: &str, unit: Unit) -> Self {
        let (key, label) = (key.into(), label.into());
        Self { key, label, unit, better: Better::Lower, formula: Vec::new(), own: false, overlaps: false }
    }

    /// Bytes that a GPU copied or set.
    #[must_use]
    pub fn copied() -> Self {
        Self { better: Better::Neutral, ..Self::new(COPIED, "Bytes copied", Unit::Bytes) }
    }

    /// Wall-clock time.
    #[must_use]
    pub fn time() -> Self {
        Self::new("time", "Time", Unit::Nanoseconds)
    }
}

/// Metric of copies on a GPU: bytes that they moved.
pub const COPIED: &str = "copied";

/// Metric of graphs that were made of samples: how many samples.
pub const SAMPLES: &str = "samples";

/// How a recording with memory by cause names what it counted, for those that look for it.
pub mod heap {
    /// Counter: bytes that were allocated since the recording began and live.
    pub const COUNTER: &str = "Heap";
    /// The counter of the memory that the system gives a process.
    pub const RSS: &str = "RSS";
    /// The counter of what a recorder holds for itself, which is no memory of the work.
    pub const RECORDER: &str = "Recorder";
    /// Metric: bytes allocated.
    pub const ALLOCATED: &str = "allocated";
    /// Metric: number of allocations.
    pub const ALLOCATIONS: &str = "allocations";
    /// Metric: bytes alive when the counter was highest.
    pub const AT_PEAK: &str = "live_at_peak";
    /// Metric: bytes alive at the end of the recording.
    pub const AT_END: &str = "live_at_end";
}
