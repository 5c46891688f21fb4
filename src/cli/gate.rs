//! Conditions of `--fail-if`: an amount, and what became of a condition that has one.

use crate::format;

/// Exit code when a gate found a regression.
pub(super) const REGRESSION: u8 = 1;
/// Exit code of a gate that cannot tell: what it asks for is not known, or there is no evidence.
pub(super) const CANNOT_TELL: u8 = 4;

/// How much is too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Limit {
    /// More than this share of the base is added.
    Share(f64),
    /// More than this is added, in the unit's own measure (ns, bytes, …).
    Amount(f64, Kind),
}

/// What kind of unit an amount has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Time,
    Bytes,
    Plain,
}

const UNITS: &[(&str, f64, Kind)] = &[
    ("B", 1.0, Kind::Bytes),
    ("kB", 1e3, Kind::Bytes),
    ("KiB", 1024.0, Kind::Bytes),
    ("MB", 1e6, Kind::Bytes),
    ("MiB", 1_048_576.0, Kind::Bytes),
    ("GB", 1e9, Kind::Bytes),
    ("GiB", 1_073_741_824.0, Kind::Bytes),
    ("", 1.0, Kind::Plain),
];

/// What a condition is about, and its limit: `WHAT>+AMOUNT`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn condition(text: &str) -> Result<(&str, Limit), String> {
    let (what, limit) = text.rsplit_once('>').ok_or("there is no «>»")?;
    let (what, limit) = (what.trim(), limit.trim());
    let limit = limit.strip_prefix('+').unwrap_or(limit);
    if let Some(share) = limit.strip_suffix('%') {
        return Ok((what, Limit::Share(number(share).ok_or("the percentage is no number")? / 100.0)));
    }
    let digits = limit.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(limit.len());
    let (value, unit) = limit.split_at(digits);
    let value = number(value).ok_or("the amount is no number")?;
    let unit = unit.trim();
    let other = || UNITS.iter().find(|(name, ..)| *name == unit).map(|(_, size, kind)| (*size, *kind));
    let known = format::time_unit(unit).map(|size| (size, Kind::Time)).or_else(other);
    let (factor, kind) = known.ok_or_else(|| format!("«{unit}» is no unit"))?;
    Ok((what, Limit::Amount(value * factor, kind)))
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|v: &f64| v.is_finite() && *v >= 0.0)
}

/// What became of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It does not hold.
    Passed,
    /// It holds: a regression.
    Regression,
    /// It cannot be told.
    CannotTell,
}

impl Outcome {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Regression => "regression",
            Self::CannotTell => "cannot tell",
        }
    }
}

/// A condition, judged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Judged {
    /// As it was written.
    pub(super) condition: String,
    pub(super) outcome: Outcome,
    /// The figures, or why it cannot be told.
    pub(super) why: String,
}

/// All conditions, judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gate(pub(super) Vec<Judged>);

impl Gate {
    /// The exit code: a regression counts before what cannot be told.
    pub(super) fn code(&self) -> u8 {
        let any = |outcome| self.0.iter().any(|j| j.outcome == outcome);
        match () {
            () if any(Outcome::Regression) => REGRESSION,
            () if any(Outcome::CannotTell) => CANNOT_TELL,
            () => 0,
        }
    }

    /// What did not pass, in one line.
    pub(super) fn summary(&self) -> String {
        let failed = self.0.iter().filter(|j| j.outcome != Outcome::Passed);
        failed
            .map(|j| format!("{}: {} ({})", j.condition, j.outcome.key(), j.why))
            .collect::<Vec<_>>()
            .join("; ")
    }
}
