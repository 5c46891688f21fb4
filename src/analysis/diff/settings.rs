//! What differs between two runs besides their costs: settings, machine, input, tool. When more than one thing was
//! changed, a difference of costs has no single cause.

use std::path::Path;

use super::metrics::Metrics;
use super::{State, Two};
use crate::format;
use crate::model::{Basis, Fact, FactKind, FactValue, Profile, Unit};

/// Something that two runs state differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Whether it is a setting, the input or the machine.
    pub kind: FactKind,
    /// What: the name of a fact.
    pub what: String,
    /// Its value in each run; `None` where the run does not say.
    pub values: Two<String>,
    /// More kind it, one line; empty when there is nothing to say.
    pub note: String,
}

/// All that differs, the tool first. What only one run states is listed only where the same tool made both.
#[must_use]
pub fn differing(base: &Profile, head: &Profile, metrics: &Metrics) -> Vec<Setting> {
    let mut found = Vec::new();
    let mut add = |kind: FactKind, what: &str, values: Two<String>, note: String| {
        if values.base != values.head {
            found.push(Setting { kind, what: what.into(), values, note });
        }
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (b, h) = (&base.meta, &head.meta);
    add(FactKind::Setting, "Tool", Two { base: text(&b.tool), head: text(&h.tool) }, String::new());
    add(
        FactKind::Setting,
        "Format",
        Two::both(b.format.as_str(), h.format.as_str()).map(str::to_owned),
        String::new(),
    );
    let basis = |p: &Profile| p.meta.basis.key().to_owned();
    let note =
        if b.basis.key() == h.basis.key() { "" } else { "measured and sampled costs differ by their method" };
    add(FactKind::Setting, "Basis", Two::both(basis(base), basis(head)), note.into());
    let intervals = [interval(base), interval(head)];
    let rates_differ = match intervals {
        [Some(base), Some(head)] => !same_interval(base, head),
        [base, head] => base != head,
    };
    let [of_base, of_head] = intervals.map(|ns| ns.filter(|_| rates_differ).map(format::duration_exact));
    let note = "other sampling intervals: times compare, counts of samples do not";
    add(FactKind::Setting, INTERVAL, Two { base: of_base, head: of_head }, note.into());
    add(
        FactKind::Input,
        "Title",
        Two { base: text(&b.title), head: text(&h.title) },
        path_only(&b.title, &h.title),
    );
    add(
        FactKind::Setting,
        "Models of requests",
        Two { base: models(base), head: models(head) },
        String::new(),
    );
    let same_tool = b.format == h.format && b.tool == h.tool;
    for (base_facts, head_facts) in [(&b.facts, &h.facts), (&b.machine, &h.machine)] {
        // A period is the same rate once more.
        let mut seen: Vec<&str> = vec![INTERVAL];
        seen.extend(intervals.iter().any(Option::is_some).then_some(PERIOD));
        for Fact { kind, name, .. } in base_facts.iter().chain(head_facts) {
            if *kind == FactKind::Result || seen.contains(&name.as_str()) {
                continue;
            }
            seen.push(name);
            let value = |facts: &[Fact]| facts.iter().find(|f| f.name == *name).map(|f| f.value.clone());
            let values = Two { base: value(base_facts), head: value(head_facts) };
            if same_tool || values.state() == Some(State::Both) {
                let texts = values.map(|v| without_output(&format::fact(&v)));
                let note = texts.base.as_deref().zip(texts.head.as_deref()).map(|(b, h)| path_only(b, h));
                add(*kind, name, texts, note.unwrap_or_default());
            }
        }
    }
    let missing = metrics.missing();
    let keys = |keys: Option<Vec<String>>| keys.filter(|k| !k.is_empty()).map(|k| k.join(", "));
    let missing = Two { base: keys(missing.base), head: keys(missing.head) };
    if missing.state().is_some() {
        let note = "measured in one run only; not compared".to_owned();
        found.push(Setting {
            kind: FactKind::Setting,
            what: "Metrics of one run".into(),
            values: missing,
            note,
        });
    }
    // The same change under two names is one: a title that repeats the command.
    let mut seen: Vec<Two<String>> = Vec::new();
    found.retain(|s| {
        let again = s.values.state() == Some(State::Both) && seen.contains(&s.values);
        seen.push(s.values.clone());
        !again
    });
    found.sort_by_key(|s| s.kind);
    found
}

/// The models that requests were answered by, each once.
fn models(profile: &Profile) -> Option<String> {
    let mut names: Vec<&str> = profile
        .requests
        .rows
        .iter()
        .map(|r| profile.text(if profile.text(r.model).is_empty() { r.requested_model } else { r.model }))
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| format::short(&names.join(", "), 200).into_owned())
}

/// False where the clocks of two runs count different things (instructions, bytes): their times cannot be subtracted.
#[must_use]
pub fn one_clock(base: &Profile, head: &Profile) -> bool {
    const COUNTED: &str = "Time is counted in";
    base.meta.fact(COUNTED) == head.meta.fact(COUNTED)
}

/// How a run ended that did not go to its end: «stopped by the user», «failed: …»; `None` for one that did, as far as it says.
#[must_use]
pub fn ended_early(profile: &Profile) -> Option<String> {
    if let Some(ended) = profile.meta.fact("Ended") {
        return Some(format::fact(ended).into_owned());
    }
    profile.meta.failed.as_ref().map(|why| format!("failed: {why}"))
}

/// Which run did not go to its end where the other did, in words.
#[must_use]
pub fn ends_differ<'a>(
    base: impl Iterator<Item = &'a Profile>,
    head: impl Iterator<Item = &'a Profile>,
) -> Option<String> {
    let [base, head] = [base.collect::<Vec<_>>(), head.collect::<Vec<_>>()];
    let early = |runs: &[&Profile]| runs.iter().find_map(|p| ended_early(p));
    let all_early = |runs: &[&Profile]| !runs.is_empty() && runs.iter().all(|p| ended_early(p).is_some());
    match (early(&base), early(&head)) {
        (Some(why), _) if !all_early(&head) => Some(format!("the baseline did not go to its end ({why})")),
        (_, Some(why)) if !all_early(&base) => Some(format!("the new run did not go to its end ({why})")),
        _ => None,
    }
}

/// Two rates that are one: recorders measure theirs, and a timer is never quite on time.
pub(super) fn same_interval(base: i64, head: i64) -> bool {
    base.abs_diff(head) as f64 <= 0.02 * base.max(head) as f64
}

/// Options without those that say where the result goes.
fn without_output(text: &str) -> String {
    let is_output = |word: &str| {
        word.starts_with("--") && word.split('=').next().is_some_and(|o| o.ends_with("-out-file"))
    };
    match text.split(' ').any(is_output) {
        false => text.to_owned(),
        true => text.split(' ').filter(|word| !is_output(word)).collect::<Vec<_>>().join(" "),
    }
}

/// True when a run says something of its settings, input or machine.
#[must_use]
pub fn states_any(profile: &Profile) -> bool {
    let meta = &profile.meta;
    meta.facts.iter().chain(&meta.machine).any(|f| f.kind != FactKind::Result)
}

/// The fact that states the time between two samples.
const INTERVAL: &str = "Sampling interval";
/// What formats call the same.
const PERIOD: &str = "Sampling period";

/// Time between two samples: as stated, or where all are alike cost by samples.
pub(super) fn interval(profile: &Profile) -> Option<i64> {
    if let Some(&FactValue::Number(ns, Unit::Nanoseconds)) = profile.meta.fact(INTERVAL) {
        return Some(ns);
    }
    if profile.meta.basis != Basis::Sampled {
        return None;
    }
    let time = profile.metric_ids().find(|&m| profile.metric(m).unit == Unit::Nanoseconds)?;
    let weights = || {
        let of_tracks = profile.tracks.iter().flat_map(|t| &t.samples.weights);
        of_tracks.filter(|(m, _)| *m == time).flat_map(|(_, values)| values).copied()
    };
    // Rows of several samples each have no interval of their own.
    let ends = weights().filter(|w| *w > 0).fold(None, |ends: Option<(i64, i64)>, w| {
        Some(ends.map_or((w, w), |(least, most)| (least.min(w), most.max(w))))
    });
    let rows: usize = profile.tracks.iter().map(|t| t.samples.stacks.len()).sum();
    let taken = profile.samples_taken().and_then(|n| usize::try_from(n).ok());
    if taken == Some(rows) && ends.is_some_and(|(least, most)| most > least.saturating_mul(2)) {
        return None;
    }
    let samples = profile.samples_taken().and_then(|n| i64::try_from(n).ok()).unwrap_or(0);
    let sum = weights().fold(0i64, i64::saturating_add);
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
