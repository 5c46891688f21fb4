//! Where the ticks of an axis stand and what they say.
//!
//! Steps are 1, 2 or 5 times a power of ten ns up to seconds, then the steps of a clock. All ticks of an
//! axis share one unit and one number of decimals. Deep in a long profile a label would be mostly the
//! digits that all ticks share; these go to an anchor at the left, and ticks count from there.

use super::{MINUS, TIME, decimal};

/// Ticks of a time axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeTicks {
    /// Distance of two ticks, ns.
    pub step: i64,
    /// Distance of two unlabelled marks between ticks, ns; divides `step`.
    pub minor_step: i64,
    /// The time from which labels count when it is not 0, and its text (`5.1234 s`).
    pub anchor: Option<(i64, String)>,
    /// Time and label of each tick, ascending, within the range.
    pub ticks: Vec<(i64, String)>,
}

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Ticks for `t0..t1` (ns since the profile's origin), at most `max_ticks + 1` of them. Empty when the range
/// is empty or not finite.
#[must_use]
pub fn time_ticks(t0: f64, t1: f64, max_ticks: usize) -> TimeTicks {
    const FAR: f64 = 9e18;
    if !(t0.is_finite() && t1.is_finite() && t1 > t0) || max_ticks == 0 {
        return TimeTicks::default();
    }
    let (t0, t1) = (t0.clamp(-FAR, FAR), t1.clamp(-FAR, FAR));
    let (step, minor_step) = time_step((t1 - t0) / max_ticks as f64);
    let first = (t0 / step as f64).ceil() as i64;
    let last = (t1 / step as f64).floor() as i64;
    let far = t0.abs().max(t1.abs());
    let anchor = (far / step as f64 >= 100_000.0).then(|| anchor(t0, step));
    let from = anchor.unwrap_or(0);
    let reach = if anchor.is_some() { t1 - from as f64 } else { far };
    let label = Label::for_step(step, reach);
    let ticks = (first..=last)
        .take(max_ticks + 1)
        .map(|i| {
            let time = i.saturating_mul(step);
            let text = label.text(time.saturating_sub(from));
            (time, if anchor.is_some() { format!("+{text}") } else { text })
        })
        .collect();
    TimeTicks { step, minor_step, anchor: anchor.map(|t| (t, super::duration_exact(t))), ticks }
}

/// The step of an axis of plain numbers: 1, 2 or 5 times a power of ten, at least `least`.
#[must_use]
pub fn value_step(least: f64) -> f64 {
    if !least.is_finite() || least <= 0.0 {
        return 1.0;
    }
    let decade = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|m| m * decade)
        .find(|s| *s >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade)
}

/// The smallest nice step of at least `least` ns, and its minor step.
fn time_step(least: f64) -> (i64, i64) {
    const CLOCK: [(i64, i64); 10] = [
        (SECOND, SECOND / 5),
        (2 * SECOND, SECOND),
        (5 * SECOND, SECOND),
        (10 * SECOND, 2 * SECOND),
        (30 * SECOND, 10 * SECOND),
        (MINUTE, 10 * SECOND),
        (2 * MINUTE, MINUTE),
        (5 * MINUTE, MINUTE),
        (10 * MINUTE, 2 * MINUTE),
        (30 * MINUTE, 10 * MINUTE),
    ];
    let decades = |unit: i64, count: u32| {
        (0..count).flat_map(move |k| {
            let decade = unit * 10i64.pow(k);
            [(decade, decade / 5), (2 * decade, decade), (5 * decade, decade)]
        })
    };
    decades(1, 9)
        .chain(CLOCK)
        .chain(decades(HOUR, 6))
        .find(|(step, _)| *step as f64 >= least)
        .map_or((HOUR * 1_000_000, HOUR * 200_000), |(step, minor)| {
            (step, if minor == 0 { step } else { minor })
        })
}

/// A round time before `t0`, such that labels from it on have three or four digits.
fn anchor(t0: f64, step: i64) -> i64 {
    let reach = 10i64.saturating_pow(step.saturating_mul(100).max(1).ilog10());
    (t0 as i64).div_euclid(reach).saturating_mul(reach)
}

struct Label {
    size: i64,
    places: u32,
    name: &'static str,
}

impl Label {
    fn for_step(step: i64, reach: f64) -> Self {
        if step % HOUR == 0 {
            return Self { size: HOUR, places: 0, name: "h" };
        }
        if step % MINUTE == 0 {
            return Self { size: MINUTE, places: 0, name: "min" };
        }
        let (size, name) = TIME.iter().rev().find(|(size, _)| reach >= *size as f64).unwrap_or(&TIME[0]);
        let size = *size as i64;
        let places = (0..9).find(|&p| step.saturating_mul(10i64.pow(p)) % size == 0).unwrap_or(9);
        Self { size, places, name }
    }

    fn text(&self, time: i64) -> String {
        let scaled = u128::from(time.unsigned_abs()) * 10u128.pow(self.places) / self.size as u128;
        let sign = if time < 0 { String::from(MINUS) } else { String::new() };
        format!("{sign}{} {}", decimal(scaled, self.places), self.name)
    }
}
