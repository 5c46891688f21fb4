//! The `events:` and `event:` lines: what a file counts, in which unit, and what can be derived.
//!
//! Event names carry units in many spellings (`Time_(10ns)`, `cpu(ms)`, yappi's `Ticks` of 1 µs);
//! costs are scaled to the metric's own unit, so that times of all tools are nanoseconds.

use rustc_hash::FxHashMap;

use super::super::ImportError;
use crate::model::{Better, Metric, MetricId, ProfileBuilder, Unit};

/// Most events of a file. The largest simulation of valgrind has 20.
pub(super) const MAX_EVENTS: usize = 32;

const KNOWN: &[(&str, &str)] = &[
    ("Ir", "Instructions"),
    ("Dr", "Data reads"),
    ("Dw", "Data writes"),
    ("I1mr", "L1 instruction misses"),
    ("D1mr", "L1 data read misses"),
    ("D1mw", "L1 data write misses"),
    ("I2mr", "L2 instruction misses"),
    ("D2mr", "L2 data read misses"),
    ("D2mw", "L2 data write misses"),
    ("ILmr", "Last-level instruction misses"),
    ("DLmr", "Last-level data read misses"),
    ("DLmw", "Last-level data write misses"),
    ("Bc", "Conditional branches"),
    ("Bcm", "Mispredicted conditional branches"),
    ("Bi", "Indirect branches"),
    ("Bim", "Mispredicted indirect branches"),
    ("Ge", "Global bus events"),
    ("sysCount", "System calls"),
    ("sysTime", "System call time"),
    ("sysCpuTime", "System call CPU time"),
    ("allocCount", "Allocations"),
    ("allocSize", "Allocated bytes"),
];

/// What KCachegrind derives from the events of valgrind; each row may use those before it.
const DERIVED: &[(&str, &str, &str)] = &[
    ("L1m", "L1 misses", "I1mr + D1mr + D1mw"),
    ("L2m", "L2 misses", "I2mr + D2mr + D2mw"),
    ("LLm", "Last-level misses", "ILmr + DLmr + DLmw"),
    ("Bm", "Mispredicted branches", "Bcm + Bim"),
    ("CEst", "Estimated cycles", "Ir + 10 Bm + 10 L1m + 20 Ge + 100 L2m + 100 LLm"),
];

/// Events of a file: metrics in the order in which they were first named.
#[derive(Default)]
pub(super) struct Events {
    /// Metric and the factor from the file's unit to the metric's.
    pub(super) metrics: Vec<(MetricId, i64)>,
    /// For each column of the current part its place in `metrics`.
    pub(super) columns: Vec<Option<usize>>,
    /// Names of the columns that were met, with their place in `metrics`.
    by_name: FxHashMap<String, usize>,
    long_names: FxHashMap<String, String>,
    formulas: Vec<(String, String)>,
}

impl Events {
    /// An `event:` line: `name [= formula] [: long name]`.
    pub(super) fn declare(&mut self, text: &str) {
        let (left, long) = text.split_once(" :").or_else(|| text.split_once(':')).unwrap_or((text, ""));
        let (name, formula) = left.split_once('=').unwrap_or((left, ""));
        let (name, formula, long) = (name.trim(), formula.trim(), long.trim());
        if self.long_names.len() >= MAX_EVENTS * 4 || name.is_empty() {
            return;
        }
        if !formula.is_empty() && !self.formulas.iter().any(|f| f.0 == name) {
            self.formulas.push((name.into(), formula.into()));
        }
        self.long_names.insert(name.into(), long.into());
    }

    /// An `events:` line: the columns of the part that starts.
    ///
    /// # Errors
    /// When it names more than [`MAX_EVENTS`] events.
    pub(super) fn columns(
        &mut self,
        text: &str,
        creator: &str,
        builder: &mut ProfileBuilder,
    ) -> Result<(), ImportError> {
        self.columns.clear();
        if self.metrics.is_empty()
            && let Some(time) = self.better_default(text, creator)
        {
            self.add(time, creator, builder);
        }
        for name in text.split_whitespace() {
            if let Some(&place) = self.by_name.get(name) {
                let twice = self.columns.contains(&Some(place));
                if twice {
                    builder.warn("event named twice (the first column counts)", name);
                }
                self.columns.push((!twice).then_some(place));
                continue;
            }
            if self.metrics.len() >= MAX_EVENTS || self.columns.len() >= MAX_EVENTS {
                return Err(ImportError::malformed(format!("names more than {MAX_EVENTS} events")));
            }
            if self.is_rate(name) {
                builder.warn("event that is a rate and cannot be added up (left out)", name);
                self.columns.push(None);
                continue;
            }
            let place = self.add(name, creator, builder);
            self.columns.push(Some(place));
        }
        Ok(())
    }

    /// Makes an event a metric and returns its place.
    fn add(&mut self, name: &str, creator: &str, builder: &mut ProfileBuilder) -> usize {
        let long = self.long_names.get(name).map_or("", String::as_str);
        let (metric, factor) = metric_of(name, long, creator);
        let place = self.metrics.len();
        let mut id = builder.metric(metric.clone());
        if self.metrics.iter().any(|m| m.0 == id) {
            id = builder.metric(Metric { key: name.into(), label: name.into(), ..metric });
        }
        self.metrics.push((id, factor));
        self.by_name.insert(name.into(), place);
        place
    }

    /// The time to open with, where the first event says only how often something ran.
    fn better_default<'t>(&self, text: &'t str, creator: &str) -> Option<&'t str> {
        let first = text.split_whitespace().next()?.to_ascii_lowercase();
        if !matches!(first.as_str(), "hits" | "hit" | "calls" | "count" | "counts" | "executions" | "ncalls")
        {
            return None;
        }
        let long = |name: &str| self.long_names.get(name).map_or("", String::as_str);
        text.split_whitespace().find(|name| {
            !self.is_rate(name) && metric_of(name, long(name), creator).0.unit == Unit::Nanoseconds
        })
    }

    /// «microseconds/hit»: a cost for each of something.
    fn is_rate(&self, name: &str) -> bool {
        let long = self.long_names.get(name).map_or("", String::as_str);
        [name, long].iter().any(|text| {
            let per = text.split_once('/').or_else(|| text.split_once(" per "));
            per.is_some_and(|(cost, of)| !of.trim().is_empty() && unit(cost.trim()).is_some())
        })
    }

    /// Declares the derived metrics of the file and those of KCachegrind whose events are there.
    pub(super) fn declare_derived(&self, builder: &mut ProfileBuilder) {
        let mut known: FxHashMap<&str, Vec<(i64, MetricId)>> =
            self.by_name.iter().map(|(name, &i)| (name.as_str(), vec![(1, self.metrics[i].0)])).collect();
        let own = self.formulas.iter().map(|(n, f)| (n.as_str(), "", f.as_str()));
        let standard = DERIVED.iter().copied().filter(|(n, ..)| !self.formulas.iter().any(|f| f.0 == *n));
        for (name, label, formula) in own.chain(standard) {
            if known.contains_key(name) {
                continue;
            }
            let Some(terms) = parse_formula(formula) else {
                builder.warn("derived event whose formula is not a sum (left out)", name);
                continue;
            };
            let mut sum: Vec<(i64, MetricId)> = Vec::new();
            for (factor, part) in terms {
                for &(inner, metric) in known.get(part).map_or(&[][..], Vec::as_slice) {
                    let value = factor.saturating_mul(inner);
                    match sum.iter_mut().find(|t| t.1 == metric) {
                        Some(term) => term.0 = term.0.saturating_add(value),
                        None => sum.push((value, metric)),
                    }
                }
            }
            // One term says nothing new: «estimated cycles» without any miss are instructions.
            if sum.len() < 2 {
                continue;
            }
            let long = self.long_names.get(name).filter(|l| !l.is_empty()).map_or(label, String::as_str);
            let label = if long.is_empty() { name.to_owned() } else { format!("{long} ({name})") };
            builder.metric(Metric { formula: sum.clone(), ..Metric::new(name, &label, Unit::Count) });
            known.insert(name, sum);
        }
    }
}

/// A sum of terms `[factor] [*] name`; `None` for anything else.
fn parse_formula(text: &str) -> Option<Vec<(i64, &str)>> {
    let mut terms = Vec::new();
    let mut rest = text.trim();
    let mut sign = 1;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let factor: i64 = if digits == 0 { 1 } else { rest[..digits].parse().ok()? };
        rest = rest[digits..].trim_start();
        rest = rest.strip_prefix('*').unwrap_or(rest).trim_start();
        let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if len == 0 {
            return None;
        }
        terms.push((sign * factor, &rest[..len]));
        rest = rest[len..].trim_start();
        match rest.chars().next() {
            None => return Some(terms),
            Some('+') => sign = 1,
            Some('-') => sign = -1,
            Some(_) => return None,
        }
        rest = rest[1..].trim_start();
    }
}

/// Unit and factor of a unit's name.
fn unit(name: &str) -> Option<(Unit, i64)> {
    Some(match name.to_ascii_lowercase().as_str() {
        "ns" | "nsec" | "nanoseconds" => (Unit::Nanoseconds, 1),
        "us" | "µs" | "usec" | "microseconds" => (Unit::Nanoseconds, 1_000),
        "ms" | "msec" | "milliseconds" => (Unit::Nanoseconds, 1_000_000),
        "s" | "sec" | "seconds" => (Unit::Nanoseconds, 1_000_000_000),
        "b" | "byte" | "bytes" => (Unit::Bytes, 1),
        "kb" | "kib" => (Unit::Bytes, 1 << 10),
        "mb" | "mib" => (Unit::Bytes, 1 << 20),
        "gb" | "gib" => (Unit::Bytes, 1 << 30),
        "count" => (Unit::Count, 1),
        _ => return None,
    })
}

/// The metric of an event, and the factor from the file's unit to the metric's.
fn metric_of(name: &str, long: &str, creator: &str) -> (Metric, i64) {
    if let Some(&(_, label)) = KNOWN.iter().find(|k| k.0 == name) {
        return (Metric::new(name, &format!("{label} ({name})"), Unit::Count), 1);
    }
    // «Time_(10ns)», «cpu(ms)».
    if let Some((base, suffix)) = name.strip_suffix(')').and_then(|n| n.split_once('(')) {
        let digits = suffix.len() - suffix.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let times: i64 = suffix[..digits].parse().unwrap_or(1);
        if let Some((unit, factor)) = unit(&suffix[digits..]) {
            let base = base.trim_end_matches('_');
            return (Metric::new(&base.to_lowercase(), base, unit), times.saturating_mul(factor));
        }
    }
    let (unit, factor) = match name {
        "Ticks" if creator.starts_with("yappi") => (Unit::Nanoseconds, 1_000),
        "Time" if creator.starts_with("xdebug") => (Unit::Nanoseconds, 1_000),
        "Memory" if creator.starts_with("xdebug") => (Unit::Bytes, 1),
        "wall_time" | "process_time" | "gc_time" if creator.starts_with("ruby-prof") => {
            (Unit::Nanoseconds, 1_000)
        }
        _ => match unit(name).or_else(|| unit(long)) {
            Some(unit) => unit,
            None if name.to_ascii_lowercase().contains("time") => (Unit::None, 1),
            None => (Unit::Count, 1),
        },
    };
    if unit == Unit::Nanoseconds && (name == "Ticks" || name == "Time" || self::unit(name).is_some()) {
        return (Metric::time(), factor);
    }
    let label = if long.is_empty() { name.to_owned() } else { format!("{long} ({name})") };
    let better = if unit == Unit::None { Better::Neutral } else { Better::Lower };
    (Metric { better, ..Metric::new(name, &label, unit) }, factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_the_tools() {
        let of = |name: &str, creator: &str| {
            let (m, factor) = metric_of(name, "", creator);
            (m.key, m.unit, factor)
        };
        assert_eq!(of("Ir", "callgrind-3.19.0"), ("Ir".into(), Unit::Count, 1));
        assert_eq!(of("Time_(10ns)", "xdebug 3.2.0"), ("time".into(), Unit::Nanoseconds, 10));
        assert_eq!(of("Memory_(bytes)", "xdebug 3.2.0"), ("memory".into(), Unit::Bytes, 1));
        assert_eq!(of("Time", "xdebug 2.2.1"), ("time".into(), Unit::Nanoseconds, 1000));
        assert_eq!(of("Ticks", "yappi"), ("time".into(), Unit::Nanoseconds, 1000));
        assert_eq!(of("Ticks", "hotshot2cachegrind"), ("Ticks".into(), Unit::Count, 1));
        assert_eq!(of("cpu(ms)", ""), ("cpu".into(), Unit::Nanoseconds, 1_000_000));
        assert_eq!(of("inuse_space(MB)", ""), ("inuse_space".into(), Unit::Bytes, 1 << 20));
        assert_eq!(of("process_time", ""), ("process_time".into(), Unit::None, 1));
        assert_eq!(of("ns", "pyprof2calltree"), ("time".into(), Unit::Nanoseconds, 1));
    }

    #[test]
    fn formulas_that_are_sums() {
        assert_eq!(parse_formula("Ir + 10 Bm - 2*L1m").unwrap(), [(1, "Ir"), (10, "Bm"), (-2, "L1m")]);
        assert_eq!(parse_formula("10 Ir").unwrap(), [(10, "Ir")]);
        for odd in ["", "Ir * Dr", "1.5 Ir", "Ir +", "Ir / 2", "99999999999999999999 Ir"] {
            assert!(parse_formula(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn derived_events_are_written_in_measured_ones() {
        let mut builder = ProfileBuilder::new("callgrind");
        let mut events = Events::default();
        events.declare("Mem = Dr + Dw : Data accesses");
        events.columns("Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw", "", &mut builder).unwrap();
        events.declare_derived(&mut builder);
        let profile = builder.finish();
        let terms = |key: &str| {
            let id = profile.metric_by_key(key)?;
            Some(profile.metric(id).formula.iter().map(|&(f, m)| (f, m.0)).collect::<Vec<_>>())
        };
        assert_eq!(terms("Mem").unwrap(), [(1, 1), (1, 2)]);
        assert_eq!(terms("L1m").unwrap(), [(1, 3), (1, 4), (1, 5)]);
        let cycles = [(1, 0), (10, 3), (10, 4), (10, 5), (100, 6), (100, 7), (100, 8)];
        assert_eq!(terms("CEst").unwrap(), cycles);
        assert_eq!(terms("Bm"), None);
        let id = profile.metric_by_key("Mem").unwrap();
        assert_eq!(profile.metric(id).label, "Data accesses (Mem)");
    }

    #[test]
    fn hits_are_not_what_a_file_opens_with_and_rates_are_left_out() {
        let mut builder = ProfileBuilder::new("callgrind");
        let mut events = Events::default();
        events.declare("usphit :microseconds/hit");
        events.columns("hits microseconds usphit", "pprofile", &mut builder).unwrap();
        assert_eq!(events.columns, [Some(1), Some(0), None]);
        let profile = builder.finish();
        assert_eq!(profile.metrics.iter().map(|m| m.key.as_str()).collect::<Vec<_>>(), ["time", "hits"]);
        assert_eq!(profile.warnings[0].first, "usphit");
    }
}
