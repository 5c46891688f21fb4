//! Several profiles of a file that are measures of the same samples: austin writes CPU time, wall time, memory allocated
//! and memory freed of a thread as four profiles. Each is a metric; as threads they would be added up.

use rustc_hash::FxHashMap;

use super::exporters::Exporter;
use super::{RawProfile, plain_metric, power_of};
use crate::model::{Metric, Unit};

/// What a profile measures. Metrics come in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    /// Time, or wall time where the file has CPU time, too.
    Time,
    Cpu,
    Allocated,
    Freed,
    /// Bytes or a count that the name says nothing of.
    Plain,
}

impl Measure {
    /// The metric of a profile.
    pub(super) fn metric(self, profile: &RawProfile) -> Metric {
        let unit = &*profile.unit;
        match self {
            _ if profile.names_metric() => {
                let [key, label] = &profile.metric;
                let unit = if power_of(unit).is_some() { Unit::Nanoseconds } else { plain_metric(unit).unit };
                Metric::new(key, label, unit)
            }
            Self::Time => Metric::time(),
            Self::Cpu => Metric::new("cpu", "CPU time", Unit::Nanoseconds),
            Self::Allocated => {
                Metric { key: "allocated".into(), label: "Allocated".into(), ..plain_metric(unit) }
            }
            Self::Freed => Metric { key: "freed".into(), label: "Freed".into(), ..plain_metric(unit) },
            Self::Plain => plain_metric(unit),
        }
    }
}

/// Profiles that become one track.
pub(super) struct Group<'a> {
    pub(super) process: String,
    pub(super) name: String,
    /// True for a thread by its name.
    pub(super) is_thread: bool,
    pub(super) is_main: bool,
    /// The measures in their order, and the profiles that hold them.
    pub(super) members: Vec<(Measure, &'a RawProfile)>,
    /// What the samples cost, in the first measure.
    pub(super) cost: f64,
}

/// The tracks of a file. Where times are no clock, the main thread comes first, the others by what they cost.
pub(super) fn groups<'a>(profiles: &'a [RawProfile], exporter: Exporter, by_cost: bool) -> Vec<Group<'a>> {
    let mut groups: Vec<(String, Group<'a>)> = Vec::new();
    let mut by_place: FxHashMap<String, usize> = FxHashMap::default();
    for profile in profiles {
        let (measure, place) = said(profile);
        let joins = |p: &RawProfile| !p.evented && !p.names_metric();
        let known = by_place.get(&place).copied().filter(|_| joins(profile));
        if let Some(at) = known
            && groups[at].1.members.iter().all(|(m, p)| *m != measure && joins(p))
        {
            groups[at].1.members.push((measure, profile));
            continue;
        }
        by_place.entry(place.clone()).or_insert(groups.len());
        groups.push((place, Group::new(measure, profile)));
    }
    let mut groups: Vec<Group<'a>> = groups
        .into_iter()
        .map(|(place, mut group)| {
            let whole = group.members.len() > 1 || exporter == Exporter::Austin;
            group.set_name(if whole { &place } else { &group.members[0].1.name }, exporter);
            if !whole {
                // Alone, a profile in time is the time.
                let profile = group.members[0].1;
                group.members[0].0 =
                    if power_of(&profile.unit).is_some() { Measure::Time } else { Measure::Plain };
            }
            group.members.sort_by_key(|m| m.0);
            let weights = &group.members[0].1.weights;
            group.cost =
                weights.iter().flatten().map(|w| w.mantissa as f64 * 10f64.powi(w.exponent.into())).sum();
            group
        })
        .collect();
    if by_cost {
        groups.sort_by(|a, b| b.is_main.cmp(&a.is_main).then(b.cost.total_cmp(&a.cost)));
    }
    groups
}

impl<'a> Group<'a> {
    fn new(measure: Measure, profile: &'a RawProfile) -> Self {
        Self {
            process: String::new(),
            name: String::new(),
            is_thread: false,
            is_main: false,
            members: vec![(measure, profile)],
            cost: 0.0,
        }
    }

    fn set_name(&mut self, name: &str, exporter: Exporter) {
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> = name.split(':').collect();
        // py-spy's «Process 12 Thread 34 "name"», austin's «process:interpreter:thread» or «process:thread».
        let (process, name, main) = match (name.split_once(" Thread "), &parts[..]) {
            (Some((process, thread)), _) if process.starts_with("Process ") => {
                (process.to_owned(), format!("Thread {thread}"), false)
            }
            (_, [pid, .., tid]) if exporter == Exporter::Austin && digits(pid) => {
                let interpreter = parts[1..parts.len() - 1].iter().find(|i| **i != "0");
                let within = interpreter.map_or(String::new(), |i| format!(" (interpreter {i})"));
                (format!("Process {pid}"), format!("Thread {tid}{within}"), pid == tid)
            }
            _ => (String::new(), name.to_owned(), false),
        };
        self.is_main = main || is_main(&name);
        self.is_thread = name.starts_with("Thread") || exporter.has_threads();
        (self.process, self.name) = (process, name);
    }
}

/// True for the name of a main thread, as Python and others call it.
fn is_main(name: &str) -> bool {
    let lower = name.to_lowercase();
    let last = lower.rsplit('"').find(|part| !part.trim().is_empty()).unwrap_or("").trim();
    matches!(last, "mainthread" | "main thread" | "main")
}

/// What a profile's name says that it measures, and the rest of the name, which says where.
fn said(profile: &RawProfile) -> (Measure, String) {
    let in_time = power_of(&profile.unit).is_some();
    let (mut measure, mut place) = (None, Vec::new());
    for word in profile.name.split_whitespace() {
        let plain = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        match (&*plain, in_time) {
            ("wall" | "wall-clock" | "wallclock", true) if measure.is_none() => measure = Some(Measure::Time),
            ("cpu", true) if measure.is_none() => measure = Some(Measure::Cpu),
            ("allocation" | "allocations" | "allocated" | "alloc", false) if measure.is_none() => {
                measure = Some(Measure::Allocated);
            }
            ("deallocation" | "deallocations" | "deallocated" | "dealloc" | "freed" | "free", false)
                if measure.is_none() =>
            {
                measure = Some(Measure::Freed);
            }
            ("time" | "memory" | "profile" | "for" | "of" | "bytes", _) => {}
            _ => place.push(word),
        }
    }
    let plain = if in_time { Measure::Time } else { Measure::Plain };
    (measure.unwrap_or(plain), place.join(" "))
}

/// The samples of several measures as one list. Each measure leaves out samples in which it found nothing, so its
/// list is a part of the first one's, in the same order; what is not there comes where it would have been.
pub(super) struct Joined {
    /// Per measure the places of its samples in the list.
    pub(super) places: Vec<Vec<u32>>,
    /// The stack of each row.
    pub(super) stacks: Vec<u32>,
}

/// Joins the samples of the members of a group.
pub(super) fn join(members: &[(Measure, &RawProfile)]) -> Joined {
    let base = &members[0].1.samples;
    let mut where_is: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
    for (i, &stack) in base.iter().enumerate() {
        where_is.entry(stack).or_default().push(i as u32);
    }
    // Samples that the first measure lacks, by the row before which they come.
    let mut extra: Vec<(u32, u32)> = Vec::new();
    let mut found: Vec<Vec<Result<u32, usize>>> = Vec::new();
    for (_, profile) in members {
        let mut at = 0;
        let places = profile.samples.iter().map(|stack| {
            let rows = where_is.get(stack).map_or(&[][..], Vec::as_slice);
            match rows.get(rows.partition_point(|&row| row < at)) {
                Some(&row) => {
                    at = row + 1;
                    Ok(row)
                }
                None => {
                    extra.push((at, *stack));
                    Err(extra.len() - 1)
                }
            }
        });
        found.push(places.collect());
    }
    let mut order: Vec<usize> = (0..extra.len()).collect();
    order.sort_by_key(|&i| extra[i].0);
    let (mut stacks, mut row_of, mut extra_of) = (Vec::new(), Vec::new(), vec![0; extra.len()]);
    let mut next = order.iter().peekable();
    for row in 0..=base.len() {
        while let Some(&&i) = next.peek().filter(|&&&i| extra[i].0 as usize <= row) {
            extra_of[i] = stacks.len() as u32;
            stacks.push(extra[i].1);
            next.next();
        }
        if let Some(&stack) = base.get(row) {
            row_of.push(stacks.len() as u32);
            stacks.push(stack);
        }
    }
    let place = |p: Result<u32, usize>| p.map_or_else(|i| extra_of[i], |row| row_of[row as usize]);
    let places = found.into_iter().map(|list| list.into_iter().map(place).collect()).collect();
    Joined { places, stacks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str, unit: &str, samples: &[u32]) -> RawProfile {
        RawProfile {
            name: name.into(),
            unit: unit.into(),
            samples: samples.to_vec(),
            ..RawProfile::default()
        }
    }

    #[test]
    fn names_say_what_is_measured_and_where() {
        for (name, unit, want) in [
            ("CPU time profile for 1:0:2", "microseconds", (Measure::Cpu, "1:0:2")),
            ("Wall time profile for 1:0:2", "microseconds", (Measure::Time, "1:0:2")),
            ("Memory allocation profile for 1:0:2", "bytes", (Measure::Allocated, "1:0:2")),
            ("Memory deallocation profile for 1:0:2", "bytes", (Measure::Freed, "1:0:2")),
            ("main (wall)", "seconds", (Measure::Time, "main")),
            ("main (cpu)", "seconds", (Measure::Cpu, "main")),
            ("Thread 7 \"worker\"", "seconds", (Measure::Time, "Thread 7 \"worker\"")),
            ("cpu", "none", (Measure::Plain, "cpu")),
        ] {
            let (measure, place) = said(&profile(name, unit, &[]));
            assert_eq!((measure, place.as_str()), want, "{name}");
        }
    }

    #[test]
    fn main_threads_are_known() {
        for name in ["MainThread", "Thread 0x7f \"MainThread\"", "main", "Main thread"] {
            assert!(is_main(name), "{name}");
        }
        for name in ["Thread 12 \"worker\"", "maintenance", "Thread 12 \"\"", "", "Thread 1 \"main loop\""] {
            assert!(!is_main(name), "{name}");
        }
    }

    #[test]
    fn samples_of_measures_are_joined_in_order() {
        let [wall, cpu, memory] = [&[1, 2, 1, 3][..], &[1, 1, 3], &[2, 9, 3, 1]].map(|s| profile("", "", s));
        let joined = join(&[(Measure::Time, &wall), (Measure::Cpu, &cpu), (Measure::Allocated, &memory)]);
        assert_eq!(joined.stacks, [1, 2, 9, 1, 3, 1]);
        assert_eq!(joined.places, [vec![0, 1, 3, 4], vec![0, 3, 4], vec![1, 2, 4, 5]]);
    }
}
