//! Points of calendar time in the forms that files have.

/// `2025/04/24 15:58:57.879`, `2026-11-01T10:00:05.5Z`, `2026-11-01T12:00:05+02:00` or a date alone as ns since 1970; without a zone it is
/// UTC. `None` for anything else and for what does not fit.
#[must_use]
pub(crate) fn unix_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, clock) = text.split_once([' ', 'T', 't']).unwrap_or((text, "00:00:00"));
    let mut date = date.split(['/', '-']).map(|p| p.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, zone) = zone(clock)?;
    let mut parts = clock.split(':');
    let (hour, minute) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i64>().ok()?);
    let seconds = parts.next().unwrap_or("0").replace(',', ".");
    let (second, fraction) = seconds.split_once('.').unwrap_or((&seconds, ""));
    let second = second.parse::<i64>().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let ns: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second)
        && (0..100_000).contains(&year);
    if !in_range {
        return None;
    }
    // Days since 1970 by the civil calendar: years begin in March, so that the leap day is their last.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
        - 1
        - 719_468;
    let whole = days * 86_400 + hour * 3600 + minute * 60 + second - zone * 60;
    whole.checked_mul(1_000_000_000)?.checked_add(ns)
}

/// A clock without its zone, and the zone in minutes before UTC.
fn zone(clock: &str) -> Option<(&str, i64)> {
    let clock = clock.trim_end_matches("UTC").trim_end();
    if let Some(rest) = clock.strip_suffix(['Z', 'z']) {
        return Some((rest, 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else { return Some((clock, 0)) };
    let (rest, offset) = (clock[..at].trim_end(), &clock[at + 1..]);
    let digits: String = offset.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = (digits.get(..2)?.parse::<i64>().ok()?, digits.get(2..).unwrap_or(""));
    let minutes = if minutes.is_empty() { 0 } else { minutes.parse::<i64>().ok()? };
    let offset = hours * 60 + minutes;
    (offset <= 24 * 60).then_some((rest, if clock[at..].starts_with('-') { -offset } else { offset }))
}

#[cfg(test)]
mod tests {
    use super::unix_time;

    #[test]
    fn times_are_dates() {
        assert_eq!(unix_time("1970/01/02 00:00:01.500"), Some(86_401_500_000_000));
        assert_eq!(unix_time("2025/04/24 15:58:57.879"), Some(1_745_510_337_879_000_000));
        assert_eq!(unix_time("2024/02/29 00:00:00"), Some(1_709_164_800_000_000_000));
        let same = [
            "2026-11-01T10:00:05.5Z",
            "2026-11-01 10:00:05.5",
            "2026-11-01T12:00:05.500+02:00",
            "2026-11-01T04:30:05.5-0530",
            "2026/11/01 10:00:05,5 UTC",
        ];
        assert!(
            same.iter().all(|t| unix_time(t) == Some(1_793_527_205_500_000_000)),
            "{:?}",
            same.map(unix_time)
        );
        assert_eq!(unix_time("2000-02-29"), Some(951_782_400_000_000_000));
        assert_eq!(
            unix_time("2026-11-01T10:00:05.123456789123Z").map(|t| t % 1_000_000_000),
            Some(123_456_789)
        );
        let none = [
            "",
            "x",
            "2026",
            "2026-13-01",
            "2026-01-01T25:00:00",
            "2026-01-01T1:xx",
            "2026-01-01 00:00:0é",
            "99999-01-01",
        ];
        assert!(none.iter().all(|t| unix_time(t).is_none()), "{:?}", none.map(unix_time));
    }
}
