//! How functions are sorted: by the keys of pstats, with its abbreviations and numbers, several after one another.

use std::cmp::Reverse;

use crate::analysis::every_metric::MetricRow;
use crate::model::Profile;

/// What functions are sorted by. Each sorts as pstats does; ties keep the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Own cost, largest first.
    Own,
    /// Own cost and that of all called, largest first.
    Total,
    /// Calls, most first.
    Calls,
    /// Calls without recursive ones, most first.
    Primitive,
    /// Function name.
    Name,
    /// File name.
    File,
    /// Line number.
    Line,
    /// Name, file, line.
    Nfl,
    /// File, line, name as one text.
    Standard,
}

/// Keys, the most important one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys(Vec<Key>);

impl Default for Keys {
    fn default() -> Self {
        Self(vec![Key::Own, Key::Total])
    }
}

/// The words of pstats. They may be cut short as long as it is clear what they mean.
const PSTATS: [(&str, Key); 13] = [
    ("calls", Key::Calls),
    ("ncalls", Key::Calls),
    ("cumtime", Key::Total),
    ("cumulative", Key::Total),
    ("filename", Key::File),
    ("line", Key::Line),
    ("module", Key::File),
    ("name", Key::Name),
    ("nfl", Key::Nfl),
    ("pcalls", Key::Primitive),
    ("stdname", Key::Standard),
    ("time", Key::Own),
    ("tottime", Key::Own),
];

/// Ours beside them.
const OURS: [(&str, Key); 3] = [("self", Key::Own), ("total", Key::Total), ("file", Key::File)];

/// The numbers that pstats took before it had words.
const NUMBERS: [(&str, Key); 4] =
    [("-1", Key::Standard), ("0", Key::Calls), ("1", Key::Own), ("2", Key::Total)];

/// Keys as they are given: with commas between them.
///
/// # Errors
/// A word that is no key, or several.
pub(super) fn parse(text: &str) -> Result<Keys, String> {
    text.split(',').map(|word| key(word.trim())).collect::<Result<_, _>>().map(Keys)
}

fn key(word: &str) -> Result<Key, String> {
    let exact = |words: &[(&str, Key)]| words.iter().find(|w| w.0 == word).map(|w| w.1);
    if let Some(key) = exact(&PSTATS).or_else(|| exact(&OURS)).or_else(|| exact(&NUMBERS)) {
        return Ok(key);
    }
    for words in [&PSTATS[..], &OURS] {
        let meant: Vec<_> = words.iter().filter(|w| !word.is_empty() && w.0.starts_with(word)).collect();
        match meant[..] {
            [] => {}
            [first, ref others @ ..] if others.iter().all(|w| w.1 == first.1) => return Ok(first.1),
            _ => {
                let meant: Vec<_> = meant.iter().map(|w| w.0).collect();
                return Err(format!("«{word}» may be {}", meant.join(" or ")));
            }
        }
    }
    let known: Vec<_> = OURS.iter().chain(&PSTATS).map(|w| w.0).collect();
    Err(format!("«{word}» is no key; there are {}", known.join(", ")))
}

impl Keys {
    /// Several such in a row.
    pub(super) fn joined(all: &[Self]) -> Self {
        if all.is_empty() {
            Self::default()
        } else {
            Self(all.iter().flat_map(|k| k.0.iter().copied()).collect())
        }
    }

    pub(super) fn sort(&self, rows: &mut [MetricRow], profile: &Profile, metric: usize) {
        // Functions have their numbers in the order of the file.
        rows.sort_by_key(|r| r.symbol.function());
        let cost = |r: &MetricRow| r.known(metric);
        let function = |r: &MetricRow| profile.functions.get(r.symbol.function());
        let file = |r: &MetricRow| profile.text(function(r).file).to_owned();
        let name = |r: &MetricRow| raw_name(profile.text(function(r).name));
        for key in self.0.iter().rev() {
            match key {
                Key::Own => rows.sort_by_key(|r| Reverse(cost(r).map(|c| c.0))),
                Key::Total => rows.sort_by_key(|r| Reverse(cost(r).map(|c| c.1))),
                Key::Calls => rows.sort_by_key(|r| Reverse(r.calls.map(|c| c.all))),
                Key::Primitive => rows.sort_by_key(|r| Reverse(r.calls.map(|c| c.primitive))),
                Key::Name => rows.sort_by_cached_key(name),
                Key::File => rows.sort_by_cached_key(file),
                Key::Line => rows.sort_by_key(|r| function(r).line),
                Key::Nfl => rows.sort_by_cached_key(|r| (name(r), file(r), function(r).line)),
                Key::Standard => rows.sort_by_cached_key(|r| standard_name(profile, r)),
            }
        }
    }
}

/// The name as it stands in the file: built-ins are shown as pstats prints them, in braces, and sorted as it sorts them.
fn raw_name(name: &str) -> String {
    match name.strip_prefix('{').and_then(|n| n.strip_suffix('}')) {
        Some(inner) => format!("<{inner}>"),
        None => name.to_owned(),
    }
}

/// «file:line(function)», of a built-in its name alone.
fn standard_name(profile: &Profile, row: &MetricRow) -> String {
    let f = profile.functions.get(row.symbol.function());
    let (name, file) = (profile.text(f.name), profile.text(f.file));
    match (file, f.line) {
        ("~", 0) => name.to_owned(),
        (file, line) => format!("{file}:{line}({name})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_their_beginnings_are_those_of_pstats() {
        for (text, keys) in [
            ("cumulative", &[Key::Total][..]),
            ("cumul", &[Key::Total]),
            ("cum", &[Key::Total]),
            ("tot", &[Key::Own]),
            ("total", &[Key::Total]),
            ("self", &[Key::Own]),
            ("se", &[Key::Own]),
            ("ti", &[Key::Own]),
            ("nc", &[Key::Calls]),
            ("mod", &[Key::File]),
            ("std", &[Key::Standard]),
            ("-1", &[Key::Standard]),
            ("0", &[Key::Calls]),
            ("1", &[Key::Own]),
            ("2", &[Key::Total]),
            ("calls,time", &[Key::Calls, Key::Own]),
            ("pcalls, cumtime, nfl", &[Key::Primitive, Key::Total, Key::Nfl]),
        ] {
            assert_eq!(parse(text), Ok(Keys(keys.to_vec())), "{text}");
        }
        assert_eq!(parse("c").unwrap_err(), "«c» may be calls or cumtime or cumulative");
        for wrong in ["colour", "", "3", "calls,", "n"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
