//! What the fields of a file mean where its exporter means something else than the format says, and guards for those
//! that nobody knows yet.

use super::super::read::Oddities;
use super::super::read::json::Decimal;
use super::{RawProfile, power_of};

/// Who wrote a file, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exporter {
    /// py-spy, and whether it is one (up to 0.3.8) that writes a weight of 1 for each sample whatever the unit says.
    PySpy {
        counts: bool,
    },
    Austin,
    Pyinstrument,
    Rbspy,
    Other,
}

/// Samples of each thread that a tool lays end to end.
const PACKED: &str = "samples are laid end to end: idle ones are left out, and each thread starts at 0";
/// The last py-spy whose weights are counts.
const LAST_COUNTING: [u32; 3] = [0, 3, 8];

impl Exporter {
    /// Of the text that stands in the file, such as «py-spy@0.3.14».
    pub(super) fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        match lower.split(['@', ' ']).next().unwrap_or("") {
            "py-spy" => {
                let numbers = lower.split(['@', ' ']).nth(1).unwrap_or("").split('.').map(str::parse);
                let version: Vec<u32> = numbers.map_while(Result::ok).collect();
                Self::PySpy { counts: !version.is_empty() && version[..] <= LAST_COUNTING[..] }
            }
            "pyinstrument" => Self::Pyinstrument,
            "rbspy" => Self::Rbspy,
            tool if tool.starts_with("austin") => Self::Austin,
            _ => Self::Other,
        }
    }

    /// True when `line` is the line that runs, not the first line of the function.
    pub(super) fn writes_running_lines(self) -> bool {
        matches!(self, Self::PySpy { .. } | Self::Austin | Self::Rbspy)
    }

    /// True when spans are drawn from samples, so that their ends were not measured and they are no calls.
    pub(super) fn samples_spans(self) -> bool {
        self == Self::Pyinstrument
    }

    /// True when profiles are threads, whatever they are called.
    pub(super) fn has_threads(self) -> bool {
        matches!(self, Self::PySpy { .. } | Self::Austin)
    }

    /// Turns counts of samples into the time that they stand for.
    pub(super) fn mend(self, profiles: &mut [RawProfile], odd: &mut Oddities) {
        let Self::PySpy { counts: true } = self else { return };
        // The end is that of one sample of each thread.
        let threads = profiles.len() as f64;
        for profile in profiles.iter_mut().filter(|p| !p.evented) {
            let one = |w: &Option<Decimal>| w.is_none_or(|w| w.scaled(6) == Some(1_000_000));
            let Some(power) = power_of(&profile.unit).filter(|_| profile.weights.iter().all(one)) else {
                continue;
            };
            let end = profile.end.and_then(|end| end.scaled(power)).unwrap_or(0);
            let interval = (end as f64 / threads).round() as i64;
            if (10_000..=60_000_000_000).contains(&interval) {
                odd.add("weights that are counts of samples, not times (py-spy up to 0.3.8; taken as its interval)", || {
                    format!("{:?}, {} ms each", profile.name, interval as f64 / 1e6)
                });
                let interval = Decimal { mantissa: interval, exponent: -power };
                profile.weights.iter_mut().flatten().for_each(|w| *w = interval);
            } else {
                odd.add("weights that are counts of samples, not times (py-spy up to 0.3.8)", || {
                    format!("{:?}", profile.name)
                });
                profile.unit = "none".into();
            }
            profile.end = None;
        }
    }

    /// Why times of the file are no clock; `None` when they are one.
    pub(super) fn no_clock(self, profiles: &[RawProfile]) -> Option<&'static str> {
        let in_time = |p: &&RawProfile| !p.evented && !p.samples.is_empty() && power_of(&p.unit).is_some();
        let sampled = || profiles.iter().filter(in_time);
        match self {
            Self::PySpy { .. } | Self::Austin => sampled().next().map(|_| PACKED),
            // Threads that all begin at the same moment and each end at another.
            Self::Rbspy | Self::Pyinstrument | Self::Other => {
                let starts = sampled().map(|p| p.start.map_or(0.0, float));
                let lengths: Vec<f64> = sampled().map(total).collect();
                let longest = lengths.iter().copied().fold(0.0, f64::max);
                let apart = lengths.iter().any(|&l| l < longest * 0.99);
                let at_once =
                    starts.reduce(|a, b| if a == b { a } else { f64::NAN }).is_some_and(f64::is_finite);
                (lengths.len() > 1 && apart && at_once).then_some(PACKED)
            }
        }
    }

    /// Looks for times that cannot mean what they say.
    pub(super) fn check(self, profile: &RawProfile, odd: &mut Oddities) {
        let (Some(start), Some(end)) = (profile.start, profile.end) else { return };
        let length = float(end) - float(start);
        let in_time = power_of(&profile.unit).is_some();
        // These write the number of threads as the end of counts.
        let counts = matches!(self, Self::PySpy { .. } | Self::Rbspy) && !in_time;
        if length <= 0.0 || counts {
            return;
        }
        let usable = |w: &Option<Decimal>| w.is_some_and(|w| w.mantissa >= 0 && w.scaled(9).is_some());
        let whole = profile.weights.len() == profile.samples.len() && profile.weights.iter().all(usable);
        if !profile.evented && whole && !profile.samples.is_empty() {
            let sum = total(profile);
            if (sum - length).abs() > 0.01 * sum.max(length) {
                odd.add("weights that do not add up to the length of their profile", || {
                    format!("{:?}: {sum} of {length} {}", profile.name, profile.unit)
                });
            }
        }
        let last = profile.events.iter().map(|e| float(e.at())).reduce(f64::max);
        if let Some(last) = last.filter(|last| last - float(start) > 1.01 * length) {
            let what = "calls that last longer than the file says that it was recorded (pyinstrument 4.5 and 4.6 count \
                        time of functions that call themselves twice)";
            odd.add(what, || format!("{} of {length} {}", last - float(start), profile.unit));
        }
        if self == Self::Pyinstrument
            && let Some(last) = profile.events.last()
            && float(last.at()) - float(start) < 0.9 * length
        {
            odd.add("calls that cover only a part of the time that the file states", || {
                format!("{} of {length} {}", float(last.at()) - float(start), profile.unit)
            });
        }
    }
}

fn total(profile: &RawProfile) -> f64 {
    profile.weights.iter().take(profile.samples.len()).flatten().map(|&w| float(w)).sum()
}

fn float(d: Decimal) -> f64 {
    d.mantissa as f64 * 10f64.powi(d.exponent.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporters_are_known_by_name_and_version() {
        for (text, want) in [
            ("py-spy@0.3.8", Exporter::PySpy { counts: true }),
            ("py-spy@0.2.1", Exporter::PySpy { counts: true }),
            ("py-spy@0.3.9", Exporter::PySpy { counts: false }),
            ("py-spy@0.3.14", Exporter::PySpy { counts: false }),
            ("py-spy@0.4.3", Exporter::PySpy { counts: false }),
            ("py-spy", Exporter::PySpy { counts: false }),
            ("Austin2Speedscope Converter 0.3.1", Exporter::Austin),
            ("pyinstrument", Exporter::Pyinstrument),
            ("rbspy@0.12.1", Exporter::Rbspy),
            ("speedscope@1.13.0", Exporter::Other),
            ("", Exporter::Other),
        ] {
            assert_eq!(Exporter::of(text), want, "{text}");
        }
    }
}
