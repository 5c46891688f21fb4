//! The most that a counter can reach, where the run states it: sizes of batches, places in a queue, workers, requests in flight.

use crate::format;
use crate::model::{Counter, FactValue, Profile, Unit};

/// A limit of a counter.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// In the counter's unit.
    pub value: f64,
    /// The fact that states it.
    pub stated_by: String,
}

/// Ends of names of counters of requests in flight, in lower case and without signs between words.
const IN_FLIGHT: &[&str] = &["in flight", "num requests running", "num running reqs"];

/// The facts that limit them.
const MOST_IN_FLIGHT: &[&str] = &[
    "limit of requests in flight",
    "max num seqs",
    "max ongoing requests",
    "max concurrent queries",
    "max running requests",
];

/// How many times what was reached a limit may be to be drawn: one that is far away says nothing, and would flatten what is there.
const FAR: f64 = 4.0;

/// Ends of names of counters, and the facts that limit them, all in lower case and without signs between words.
const LIMITS: [(&[&str], &[&str]); 5] = [
    (&["batch size"], &["batch size", "max num seqs", "max batch size"]),
    (&["queue length", "queue size", "requests waiting"], &["queue limit", "max queue size", "max queue"]),
    (IN_FLIGHT, MOST_IN_FLIGHT),
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
    stated_by(profile, stated)
}

/// True for a counter of requests in flight.
#[must_use]
pub fn counts_requests(profile: &Profile, counter: &Counter) -> bool {
    let name = plain(profile.text(counter.name));
    counter.unit == Unit::Count && IN_FLIGHT.iter().any(|known| name.ends_with(known))
}

/// The most requests that a run lets be in flight, where it states that.
#[must_use]
pub fn of_requests(profile: &Profile) -> Option<Limit> {
    stated_by(profile, MOST_IN_FLIGHT)
}

/// The first of some facts that is a limit.
fn stated_by(profile: &Profile, stated: &[&str]) -> Option<Limit> {
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
    /// True where it is near enough to what was reached to be drawn beside it.
    #[must_use]
    pub fn is_near(&self, reached: f64) -> bool {
        self.value <= reached.max(1.0) * FAR
    }

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
        assert_eq!(of_requests(&run.profile).map(|l| l.words()), Some("limit 8 (max_num_seqs)".into()));
        let requests: Vec<bool> =
            run.profile.counters.iter().map(|c| counts_requests(&run.profile, c)).collect();
        assert_eq!(requests, [false, false, true, false]);
        let of = |i: usize| limit(&run.profile, &run.profile.counters[i]).map(|l| (l.value, l.stated_by));
        assert_eq!(of(0), Some((32.0, "Batch size".into())));
        assert_eq!(of(1), None, "any number of entries");
        assert_eq!(of(2), Some((8.0, "max_num_seqs".into())));
        assert_eq!(of(3), None);
    }
}
