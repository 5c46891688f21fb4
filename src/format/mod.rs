//! Numbers as people read them: durations, sizes, counts, money, shares. No user interface, so reports
//! and views print the same text.
//!
//! - An unknown is [`UNKNOWN`], never 0; a value that is not 0 is never printed as 0 (`<0.1 %`).
//! - Rounding is to nearest on integers, and a number that rounds up to the next unit takes that unit
//!   (`999.9 µs` is `1.00 ms`).
//! - Groups of thousands are parted by a narrow no-break space, the sign is a real minus.

mod axis;
mod csv;
mod date;
mod names;
mod plain;
mod scale;
pub mod search;
mod table;
mod typed;

pub use axis::{TimeTicks, time_ticks, value_step};
pub use csv::csv_text;
pub use date::utc;
pub use names::{bare, beginning, capitalised, distance, fitting, sentence, shorter, within_a_line};
pub use plain::{LONGEST_NAME, Page, PlainJson, acts, escaped, escaped_lines, one_line, plain, short};
pub use scale::Scale;
pub use table::{Column, CopyAs, Form, Look, Order, SortBy, Value, aligned, by, calls, click, copied, mark};
pub use typed::{time_unit, typed_quantity, typed_time};

use std::borrow::Cow;

use crate::model::{FactValue, Money, Unit};

/// True for the largest and the smallest number: sums that would be beyond stop there, so the truth is more.
#[must_use]
pub fn is_saturated(value: i64) -> bool {
    value == i64::MAX || value == i64::MIN
}

/// What stands before a cost that calls without an end belong to: «≥ ».
#[must_use]
pub fn at_least(unfinished: u64) -> &'static str {
    if unfinished > 0 { "≥ " } else { "" }
}

/// A number that cannot be told from one beyond it says so.
fn bounded(value: i64, text: String) -> String {
    match value {
        i64::MAX => format!("≥ {text}"),
        i64::MIN => format!("≤ {text}"),
        _ => text,
    }
}

/// What stands for an unknown value.
pub const UNKNOWN: &str = "–";

/// Parts groups of thousands: narrow no-break space.
pub const GROUP: char = '\u{202f}';

const MINUS: char = '−';

/// Sizes of units, ascending, with their names.
type Ladder = [(u128, &'static str)];

const TIME: &Ladder = &[(1, "ns"), (1_000, "µs"), (1_000_000, "ms"), (1_000_000_000, "s")];
const SIZE: &Ladder =
    &[(1, "B"), (1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB"), (1 << 40, "TiB"), (1 << 50, "PiB")];
const LARGE: &Ladder =
    &[(1_000_000, "M"), (1_000_000_000, "G"), (1_000_000_000_000, "T"), (1_000_000_000_000_000, "P")];

const SECOND: u64 = 1_000_000_000;

/// A duration in ns with three significant digits: `845 ns`, `12.3 µs`, `1.23 s`, `2 min 05 s`.
#[must_use]
pub fn duration(ns: i64) -> String {
    let abs = ns.unsigned_abs();
    let text = if abs == 0 {
        "0 s".to_owned()
    } else if abs < 59_950_000_000 {
        laddered(abs, TIME, 3, 1000)
    } else {
        long_duration(abs)
    };
    bounded(ns, with_sign(ns < 0, text))
}

/// A duration in ns without loss: `1.234567 ms`, `83.5 s`.
#[must_use]
pub fn duration_exact(ns: i64) -> String {
    let abs = u128::from(ns.unsigned_abs());
    if abs == 0 {
        return "0 s".to_owned();
    }
    let (size, name) = *TIME.iter().rev().find(|(size, _)| abs >= *size).unwrap_or(&TIME[0]);
    let decimals = size.ilog10();
    let text = decimal(abs, decimals);
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    with_sign(ns < 0, format!("{text} {name}"))
}

/// A size in bytes with three significant digits and binary units: `512 B`, `1.50 MiB`.
#[must_use]
pub fn bytes(n: i64) -> String {
    bounded(n, with_sign(n < 0, laddered(n.unsigned_abs(), SIZE, 3, 1024)))
}

/// A count: `1 234 567`, from ten million on `12.3 M`.
#[must_use]
pub fn count(n: i64) -> String {
    let abs = n.unsigned_abs();
    let text = if abs < 10_000_000 { grouped(u128::from(abs)) } else { laddered(abs, LARGE, 3, 1000) };
    bounded(n, with_sign(n < 0, text))
}

/// A count with its noun: `1 token`, `1 234 tokens`.
#[must_use]
pub fn counted(n: i64, singular: &str, plural: &str) -> String {
    format!("{} {}", count(n), if n == 1 { singular } else { plural })
}

/// A number of tokens: `1 234 tokens`.
#[must_use]
pub fn tokens(n: i64) -> String {
    counted(n, "token", "tokens")
}

/// A rate: `rate(23.44, "tokens")` is `23.4 tokens/s`.
#[must_use]
pub fn rate(per_second: f64, what: &str) -> String {
    if !per_second.is_finite() {
        return UNKNOWN.to_owned();
    }
    format!("{} {what}/s", number(per_second))
}

/// A transfer rate in bytes: `1.50 GiB/s`.
#[must_use]
pub fn bytes_rate(per_second: f64) -> String {
    if !per_second.is_finite() {
        return UNKNOWN.to_owned();
    }
    format!("{}/s", bytes(per_second.round() as i64))
}

/// A rate in powers of ten, as data sheets have them: `per_second(3.2e11, "B")` is `320 GB/s`.
#[must_use]
pub fn per_second(value: f64, what: &str) -> String {
    let (value, prefix) = match value {
        v if v >= 1e12 => (v / 1e12, "T"),
        v if v >= 1e9 => (v / 1e9, "G"),
        v if v >= 1e6 => (v / 1e6, "M"),
        v => (v / 1e3, "k"),
    };
    format!("{} {prefix}{what}/s", number(value))
}

/// Money in 1e-9 US dollar: `$12.34`, `$0.0123`, `$0.000000012`.
#[must_use]
pub fn dollars(nano: i64) -> String {
    let abs = u128::from(nano.unsigned_abs());
    let text = if abs == 0 {
        "0".to_owned()
    } else if abs >= 995_000_000 {
        decimal(round_div(abs, 10_000_000), 2)
    } else {
        // Three significant digits of a fraction, but cents at least.
        let places = (9 - abs.ilog10() + 2).clamp(2, 9);
        let text = decimal(round_div(abs, 10u128.pow(9 - places)), places);
        let cents = text.find('.').map_or(text.len(), |dot| dot + 3);
        text[..cents].to_owned() + text[cents..].trim_end_matches('0')
    };
    bounded(nano, with_sign(nano < 0, format!("${text}")))
}

/// Money for reading; what is less than can be shown says so.
#[must_use]
pub fn money(amount: Money) -> String {
    match amount.nano() {
        0 if amount > Money::ZERO => "< $0.000000001".to_owned(),
        nano => dollars(nano),
    }
}

/// Money that may be unknown.
#[must_use]
pub fn money_or_unknown(amount: Option<Money>) -> String {
    amount.map_or_else(|| UNKNOWN.to_owned(), money)
}

/// The share of a cost in the whole. Where costs below 0 cancel others out, there is none: no part is less than nothing,
/// or more than the whole.
#[must_use]
pub fn share(cost: i64, whole: i64) -> Option<f64> {
    (whole > 0 && (0..=whole).contains(&cost)).then(|| cost as f64 / whole as f64)
}

/// The same of what is one level up, which costs less than its parts where these ran at the same time.
#[must_use]
pub fn share_of_parent(cost: i64, whole: i64) -> Option<f64> {
    (whole > 0 && cost >= 0).then(|| cost as f64 / whole as f64)
}

/// A share in words; «–» where there is none.
#[must_use]
pub fn share_text(share: Option<f64>) -> String {
    share.map_or_else(|| UNKNOWN.to_owned(), percent)
}

/// A share (1.0 is all): `12.3 %`, `<0.1 %`, `100 %`. Nearly all is `>99.9 %`, so that only all is 100 %.
#[must_use]
pub fn percent(share: f64) -> String {
    let abs = share.abs() * 100.0;
    let text = if !abs.is_finite() {
        return UNKNOWN.to_owned();
    } else if abs == 0.0 {
        return "0 %".to_owned();
    } else if abs < 0.05 {
        return "<0.1 %".to_owned();
    } else if share > 0.0 && (99.95..100.0).contains(&abs) {
        return ">99.9 %".to_owned();
    } else if abs < 99.95 {
        format!("{abs:.1} %")
    } else {
        format!("{} %", grouped(abs.round() as u128))
    };
    with_sign(share < 0.0, text)
}

/// A change as a share with its sign: `+12.3 %`, `−3.0 %`, `0 %`, `+<0.1 %`. From a hundred times as much on it
/// is told how many times: `×250`.
#[must_use]
pub fn percent_change(share: f64) -> String {
    if share >= 99.0 && share.is_finite() {
        return format!("×{}", count((share + 1.0).round().min(1e15) as i64));
    }
    // Nearly twice is no «nearly all».
    let share = if (0.9995..1.0).contains(&share) { 1.0 } else { share };
    // A share that is too small has no sign, a change has.
    let is_small = share < 0.0 && percent(share) == percent(-share);
    plus(share > 0.0, with_sign(is_small, percent(share)))
}

/// A change of a share in percentage points, with its sign: `+1.2`, `−30.0`, `0`; what is too small is `+<0.1`.
#[must_use]
pub fn points(points: f64) -> String {
    let abs = points.abs();
    let text = match abs {
        _ if !abs.is_finite() => return UNKNOWN.to_owned(),
        0.0 => return "0".to_owned(),
        _ if abs < 0.05 => "<0.1".to_owned(),
        _ => format!("{abs:.1}"),
    };
    plus(points > 0.0, with_sign(points < 0.0, text))
}

/// Text that is no markup in HTML and XML.
#[must_use]
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // What XML cannot hold.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A ratio: `2.50×`.
#[must_use]
pub fn factor(ratio: f64) -> String {
    if !ratio.is_finite() {
        return UNKNOWN.to_owned();
    }
    format!("{}×", number(ratio))
}

/// A number without unit: whole ones in full, others with three significant digits.
#[must_use]
pub fn number(value: f64) -> String {
    let abs = value.abs();
    let text = if !abs.is_finite() {
        return UNKNOWN.to_owned();
    } else if abs.fract() == 0.0 && abs < 1e7 || (999.5..1e7).contains(&abs) {
        grouped(abs.round() as u128)
    } else if !(1e-4..1e18).contains(&abs) {
        format!("{abs:.2e}")
    } else if abs >= 1e7 {
        laddered(abs as u64, LARGE, 3, 1000)
    } else {
        // Rounding to one digit more than fits can carry (9.996), so count digits after it.
        let places = |v: f64| (2 - v.log10().floor() as i32).max(0);
        let scale = 10f64.powi(places(abs));
        let rounded = (abs * scale).round() / scale;
        format!("{rounded:.*}", places(rounded).clamp(0, 9) as usize)
    };
    with_sign(value < 0.0, text)
}

/// A cost in its unit.
#[must_use]
pub fn cost(unit: Unit, value: i64) -> String {
    match unit {
        Unit::Nanoseconds => duration(value),
        Unit::Bytes => bytes(value),
        Unit::Count | Unit::None => count(value),
        Unit::Tokens => tokens(value),
        Unit::NanoDollars => dollars(value),
        Unit::MilliPercent => percent(value as f64 / 100_000.0),
    }
}

/// The value of a fact: numbers in full, counts as digits alone.
#[must_use]
pub fn fact(value: &FactValue) -> Cow<'_, str> {
    match value {
        FactValue::Text(text) => Cow::Borrowed(text),
        FactValue::Number(count, Unit::Count | Unit::None) => Cow::Owned(count.to_string()),
        FactValue::Number(ns, Unit::Nanoseconds) => Cow::Owned(duration_exact(*ns)),
        FactValue::Number(value, unit) => Cow::Owned(cost(*unit, *value)),
    }
}

/// A cost that may be unknown.
#[must_use]
pub fn cost_or_unknown(unit: Unit, value: Option<i64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| cost(unit, value))
}

/// A difference of costs, always with its sign: `+1.23 ms`, `−5 tokens`.
#[must_use]
pub fn signed_cost(unit: Unit, value: i64) -> String {
    plus(value > 0, cost(unit, value))
}

/// [`number`] with the sign of a change.
#[must_use]
pub fn signed_number(value: f64) -> String {
    plus(value > 0.0, number(value))
}

/// The value of a counter, which may be fractional.
#[must_use]
pub fn value(unit: Unit, value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    match unit {
        Unit::Count | Unit::None => number(value),
        Unit::Tokens => format!("{} tokens", number(value)),
        Unit::MilliPercent => percent(value / 100_000.0),
        Unit::Nanoseconds | Unit::Bytes | Unit::NanoDollars => cost(unit, value.round() as i64),
    }
}

fn with_sign(negative: bool, text: String) -> String {
    if negative { format!("{MINUS}{text}") } else { text }
}

fn plus(positive: bool, text: String) -> String {
    if positive && text != UNKNOWN { format!("+{text}") } else { text }
}

fn round_div(n: u128, by: u128) -> u128 {
    (n + by / 2) / by
}

/// Digits in groups of three; four digits too, so that columns line up.
fn grouped(n: u128) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * GROUP.len_utf8());
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(GROUP);
        }
        out.push(digit);
    }
    out
}

/// `scaled / 10^places` with all `places` decimals.
fn decimal(scaled: u128, places: u32) -> String {
    let unit = 10u128.pow(places);
    let whole = grouped(scaled / unit);
    if places == 0 {
        return whole;
    }
    format!("{whole}.{:0width$}", scaled % unit, width = places as usize)
}

/// The value in the largest fitting unit, with `digits` significant digits. A unit ends at `limit`.
fn laddered(value: u64, ladder: &Ladder, digits: u32, limit: u128) -> String {
    let value = u128::from(value);
    let mut at = ladder.iter().rposition(|(size, _)| value >= *size).unwrap_or(0);
    loop {
        let (size, name) = ladder[at];
        let (scaled, places) = significant(value, size, digits);
        if scaled / 10u128.pow(places) >= limit && at + 1 < ladder.len() {
            at += 1;
            continue;
        }
        return format!("{} {name}", decimal(scaled, places));
    }
}

/// `value / size` rounded to `digits` significant digits: the scaled number and its decimals. Whole units
/// have no fractions, and digits before the point are never cut.
fn significant(value: u128, size: u128, digits: u32) -> (u128, u32) {
    let most = if size == 1 { 0 } else { digits - 1 };
    (0..=most)
        .rev()
        .map(|places| (round_div(value * 10u128.pow(places), size), places))
        .find(|(scaled, _)| *scaled < 10u128.pow(digits))
        .unwrap_or_else(|| (round_div(value, size), 0))
}

fn long_duration(ns: u64) -> String {
    let seconds = ns.saturating_add(SECOND / 2) / SECOND;
    if seconds < 3600 {
        return format!("{} min {:02} s", seconds / 60, seconds % 60);
    }
    let minutes = (seconds + 30) / 60;
    if minutes < 24 * 60 {
        return format!("{} h {:02} min", minutes / 60, minutes % 60);
    }
    let hours = (minutes + 30) / 60;
    format!("{} d {:02} h", grouped(u128::from(hours / 24)), hours % 24)
}

#[cfg(test)]
mod tests;
