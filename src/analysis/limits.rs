//! The most that a counter can reach, where the run states it: sizes of batches, places in a queue, workers, requests in flight.

use crate::format;
use crate::model::{Counter, FactValue, Profile};

/// A limit of a counter.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// In the counter's unit.
    pub value: f64,
    /// The fact that states it.
    pub stated_by: String,
}

/// Ends of names of counters, and the facts that limit them, all in lower case and without signs between words.
const LIMITS: [(&[&str], &[&str]); 5] = [
    (&["batch size"], &["batch size", "max num seqs", "max batch size"]),
    (&["queue length", "queue size", "requests waiting"], &["queue limit", "max queue size", "max queue"]),
    (
        &["requests in flight", "num requests running", "num running reqs"],
        &[
            "limit of requests in flight",
            "max num seqs",
            "max ongoing requests",
            "max concurrent queries",
            "max running requests",
        ],
    ),
    (&["busy workers", "workers busy"], &["workers"]),
    (&["cache entries"], &["cache entries"]),
];

/// A name in words, in lower case.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The limit that a run states for one of its counters.
#[must_use]
pub fn limit(profile: &Profile, counter: &Counter) -> Option<Limit> {
    let name = plain(profile.text(counter.name));
    let (_, stated) = LIMITS.iter().find(|(names, _)| names.iter().any(|known| name.ends_with(known)))?;
    let facts = || profile.meta.facts.iter();
    let found = stated.iter().find_map(|wanted| facts().find(|fact| plain(&fact.name) == *wanted))?;
    let value = match &found.value {
        FactValue::Number(n, _) => *n as f64,
        FactValue::Text(text) => text.trim().parse().ok()?,
    };
    // 0 stands for no limit.
    (value > 0.0).then(|| Limit { value, stated_by: found.name.clone() })
}

impl Limit {
    /// «limit 32 (Batch size)».
    #[must_use]
    pub fn words(&self) -> String {
        format!("limit {} ({})", format::number(self.value), self.stated_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::built;
    use crate::model::Unit;

    #[test]
    fn a_setting_limits_the_counter_that_it_is_of() {
        let run = built(|b| {
            for (name, value) in [("Batch size", "32"), ("Cache entries", "0"), ("max_num_seqs", "8")] {
                b.meta.setting(name, value);
            }
            for name in ["Batch size", "Exact cache entries", "vllm:num_requests_running", "RSS"] {
                let counter = b.counter(name, "", Unit::Count);
                b.point(counter, 0, 1.0);
            }
        });
        let of = |i: usize| limit(&run.profile, &run.profile.counters[i]).map(|l| (l.value, l.stated_by));
        assert_eq!(of(0), Some((32.0, "Batch size".into())));
        assert_eq!(of(1), None, "any number of entries");
        assert_eq!(of(2), Some((8.0, "max_num_seqs".into())));
        assert_eq!(of(3), None);
    }
}
