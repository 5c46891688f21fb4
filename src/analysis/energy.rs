//! Energy that devices used: their power over time, where a recording or a log has it.

use super::scope::TimeRange;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{Counter, Profile};
use crate::query::{Context, Query};

/// Energy of all devices whose power is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Used {
    /// ∫ W dt, joules.
    pub joules: f64,
    /// Names of the counters of power.
    pub counters: Vec<String>,
    /// How long power is known, ns: of the counter that covers most.
    pub known: i64,
}

impl Used {
    /// «12.3 Wh».
    #[must_use]
    pub fn amount(&self) -> String {
        format!("{} Wh", format::number(self.joules / 3600.0))
    }

    /// «1 device in 12.3 s».
    #[must_use]
    pub fn devices(&self) -> String {
        let n = format::counted(self.counters.len() as i64, "device", "devices");
        format!("{n} in {}", format::duration(self.known))
    }
}

/// Computes the energy that was [`Used`]; `None` where no power is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Energy(pub TimeRange);

impl Query for Energy {
    type Output = Option<Used>;

    fn run(&self, cx: &Context<'_>) -> Result<Option<Used>, Cancelled> {
        let profile = cx.profile();
        let mut used = Used { joules: 0.0, counters: Vec::new(), known: 0 };
        // A tool may list the power of a device in several ways: the first one of each counts.
        let mut devices: Vec<&str> = Vec::new();
        for counter in profile.counters.iter().filter(|c| is_power(profile, c)) {
            cx.job().checkpoint(0, 0)?;
            let (name, process) = (profile.text(counter.name), profile.text(counter.process));
            if !process.is_empty() && devices.contains(&process) {
                continue;
            }
            let (joules, known) = integral(counter, self.0);
            if known > 0 {
                devices.push(process);
                used.joules += joules;
                used.known = used.known.max(known);
                used.counters.push(name.to_owned());
            }
        }
        Ok(Some(used).filter(|used| !used.counters.is_empty()))
    }

    fn weight(used: &Option<Used>) -> usize {
        used.as_ref().map_or(0, |used| used.counters.iter().map(String::len).sum())
    }
}

/// A counter of the power that a device draws, in watts.
fn is_power(profile: &Profile, counter: &Counter) -> bool {
    let name = profile.text(counter.name).to_lowercase();
    let drawn = ["limit", "cap", "max", "min"].iter().all(|word| !name.contains(word));
    (name.contains("power") || name.starts_with("pwr"))
        && (name.ends_with("(w)") || name.ends_with("[w]") || name.ends_with("watts"))
        && drawn
}

/// Joules, and the time that they are of, ns. Between two points power goes in a line.
fn integral(counter: &Counter, range: TimeRange) -> (f64, i64) {
    let (from, to) = range.unwrap_or((i64::MIN, i64::MAX));
    let (mut joules, mut known) = (0.0, 0i64);
    for (times, values) in counter.times.windows(2).zip(counter.values.windows(2)) {
        let (start, end) = (times[0].max(from), times[1].min(to));
        let length = times[1].saturating_sub(times[0]) as f64;
        if end <= start || length <= 0.0 || !(values[0] + values[1]).is_finite() {
            continue;
        }
        let at = |t: i64| values[0] + (values[1] - values[0]) * t.saturating_sub(times[0]) as f64 / length;
        joules += (at(start) + at(end)) / 2.0 * end.saturating_sub(start) as f64 / 1e9;
        known = known.saturating_add(end.saturating_sub(start));
    }
    (joules, known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{ask, built};
    use crate::model::Unit;

    #[test]
    fn energy_is_the_area_below_power_once_for_each_device() {
        const S: i64 = 1_000_000_000;
        let run = built(|b| {
            for (name, process) in
                [("power.draw (W)", "GPU 0"), ("power.draw.average (W)", "GPU 0"), ("pwr (W)", "GPU 1")]
            {
                let counter = b.counter(name, process, Unit::None);
                for (time, watts) in [(0, 100.0), (10 * S, 100.0), (20 * S, 200.0)] {
                    b.point(counter, time, watts);
                }
            }
            let limit = b.counter("power limit (W)", "GPU 0", Unit::None);
            b.point(limit, 0, 700.0);
            b.point(limit, 20 * S, 700.0);
        });
        let used = (*ask(&run, &Energy(None))).clone().unwrap();
        assert_eq!((used.joules, used.counters.len(), used.known), (5000.0, 2, 20 * S));
        let half = (*ask(&run, &Energy(Some((5 * S, 15 * S))))).clone().unwrap();
        assert_eq!(half.joules, 2.0 * (500.0 + 625.0));
        assert_eq!(*ask(&built(|_| ()), &Energy(None)), None);
    }
}
