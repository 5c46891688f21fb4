//! What differs between two runs besides their costs: settings, machine, input, tool. When more than one thing was
//! changed, a difference of costs has no single cause.

use std::path::Path;

use super::Two;
use super::metrics::Metrics;
use crate::format;
use crate::model::{Basis, Profile, Unit};

/// Something that two runs state differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What: the name of a fact.
    pub what: String,
    /// Its value in each run; `None` where the run does not say.
    pub values: Two<String>,
    /// More about it, one line; empty when there is nothing to say.
    pub note: String,
}

/// Facts that a run states as results: they differ from run to run and are no settings.
const RESULTS: &[&str] = &[
    "CPU time",
    "CPU/wall",
    "Duration",
    "Recorded",
    "Samples",
    "Calls",
    "Functions",
    "Self time of all functions",
    "Ended",
    "Ended by",
    "Journal",
    "Lost events",
    "Processes",
    "Recorder cost",
    "Recorder thread",
    "Revisions while recording",
    "Allocations",
    "Heap",
    "Call profile",
    "Exit status",
    "Output lines",
    "Chunks",
    "Malformed chunks",
    "Requests ended",
    "Retries",
    "Tokens, as the server counts",
    "GPU work",
    "Bottleneck",
    "Latency profile (mean, s)",
    "Questions answered",
    "Batches",
    "Cache hit rate",
    "Cost of generations",
    "Cost saved by hits",
    "Failed requests",
    "False semantic hits",
    "Latency of a hit",
    "Latency of a miss",
    "Latency saved by a hit",
    "SLO",
    "Wrong receivers",
    "Process",
    "Hidden",
    "Root spans",
    "Memory",
];

fn is_result(name: &str) -> bool {
    RESULTS.contains(&name) || name.starts_with("Total ")
}

/// All that differs, the tool first. What only one run states is listed only where the same tool made both.
#[must_use]
pub fn differing(base: &Profile, head: &Profile, metrics: &Metrics) -> Vec<Setting> {
    let mut found = Vec::new();
    let mut add = |what: &str, values: Two<String>, note: String| {
        if values.base != values.head {
            found.push(Setting { what: what.into(), values, note });
        }
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (b, h) = (&base.meta, &head.meta);
    add("Tool", Two { base: text(&b.tool), head: text(&h.tool) }, String::new());
    add("Format", Two::both(b.format.as_str(), h.format.as_str()).map(str::to_owned), String::new());
    let basis = |p: &Profile| p.meta.basis.key().to_owned();
    let note =
        if b.basis.key() == h.basis.key() { "" } else { "measured and sampled costs differ by their method" };
    add("Basis", Two::both(basis(base), basis(head)), note.into());
    let interval = |p: &Profile| interval(p).map(format::duration_exact);
    let note = "other sampling intervals: times compare, counts of samples do not";
    add("Sampling interval", Two { base: interval(base), head: interval(head) }, note.into());
    add("Title", Two { base: text(&b.title), head: text(&h.title) }, path_only(&b.title, &h.title));
    let same_tool = b.format == h.format && b.tool == h.tool;
    for (base_facts, head_facts) in [(&b.facts, &h.facts), (&b.machine, &h.machine)] {
        let value = |facts: &[(String, String)], name: &str| {
            facts.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
        };
        let names = base_facts.iter().chain(head_facts).map(|(n, _)| n.as_str());
        let mut seen: Vec<&str> = Vec::new();
        for name in names.filter(|n| !is_result(n)) {
            if !seen.contains(&name) {
                seen.push(name);
                let values = Two { base: value(base_facts, name), head: value(head_facts, name) };
                if same_tool || values.state() == Some(super::State::Both) {
                    let note =
                        values.base.as_deref().zip(values.head.as_deref()).map(|(b, h)| path_only(b, h));
                    add(name, values, note.unwrap_or_default());
                }
            }
        }
    }
    let missing = metrics.missing();
    let keys = |keys: Option<Vec<String>>| keys.filter(|k| !k.is_empty()).map(|k| k.join(", "));
    let missing = Two { base: keys(missing.base), head: keys(missing.head) };
    if missing.state().is_some() {
        let note = "measured in one run only; not compared".to_owned();
        found.push(Setting { what: "Metrics of one run".into(), values: missing, note });
    }
    found
}

/// Time between two samples, where all are alike: cost by samples.
fn interval(profile: &Profile) -> Option<i64> {
    if profile.meta.basis != Basis::Sampled {
        return None;
    }
    let samples = profile.sample_count() as i64;
    let time = profile.metric_ids().find(|&m| profile.metric(m).unit == Unit::Nanoseconds)?;
    let sum = profile
        .tracks
        .iter()
        .flat_map(|t| &t.samples.weights)
        .filter(|(m, _)| *m == time)
        .flat_map(|(_, values)| values)
        .fold(0i64, |sum, &v| sum.saturating_add(v));
    (samples > 0 && sum > 0).then(|| (sum as f64 / samples as f64).round() as i64)
}

/// Says so when two texts are paths of files that have one name: the same thing at another place, most likely.
fn path_only(base: &str, head: &str) -> String {
    let name = |text: &str| Path::new(text).file_name().map(|n| n.to_string_lossy().into_owned());
    let is_path = base.contains('/') || head.contains('/');
    if is_path && base != head && name(base).is_some() && name(base) == name(head) {
        "differs only in the folder".into()
    } else {
        String::new()
    }
}
