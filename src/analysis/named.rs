//! Functions by what a person calls them: a name, `file:line`, or both as reports print them.

use std::cmp::Reverse;

use super::functions::Functions;
use super::scope::Slice;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, MetricKey, Profile};
use crate::query::{Context, Query};

/// Computes the functions that a text may mean with their total costs, the largest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// `name`, `file:line` or `file:line(name)`; of the file only the last parts need be said.
    pub text: String,
    /// The metric of the totals.
    pub metric: MetricKey,
}

impl Query for Named {
    type Output = Vec<(FunctionId, i64)>;

    fn run(&self, cx: &Context<'_>) -> Result<Vec<(FunctionId, i64)>, Cancelled> {
        let profile = cx.profile();
        let of = |is: &dyn Fn(FunctionId) -> bool| profile.functions.ids().filter(|&f| is(f)).collect();
        let mut found: Vec<FunctionId> = of(&|f| profile.function_name(f) == self.text);
        if found.is_empty() {
            let (place, name) = match self.text.strip_suffix(')').and_then(|text| text.split_once('(')) {
                Some((place, name)) => (place, Some(name)),
                None => (self.text.as_str(), None),
            };
            let named = |f: FunctionId| name.is_none_or(|name| profile.function_name(f) == name);
            found = of(&|f| is_at(profile, f, place) && named(f));
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let table = cx.get(&Functions(Slice::whole(self.metric)))?;
        let total = |f: FunctionId| table.rows.iter().find(|r| r.function == f).map_or(0, |r| r.total);
        let mut found: Vec<_> = found.into_iter().map(|f| (f, total(f))).collect();
        found.sort_by_key(|&(f, total)| (Reverse(total), f));
        Ok(found)
    }
}

/// True when a function begins at `place`, which is `file:line` with as much of the path as was said.
fn is_at(profile: &Profile, function: FunctionId, place: &str) -> bool {
    let Some((file, line)) = place.rsplit_once(':') else { return false };
    let function = profile.functions.get(function);
    if line.parse() != Ok(function.line) || function.line == 0 || file.is_empty() {
        return false;
    }
    let plain = |path: &str| path.replace('\\', "/");
    let (whole, part) = (plain(profile.text(function.file)), plain(file));
    whole.strip_suffix(&part).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// `file:line` of a function; empty when its file is unknown.
#[must_use]
pub fn place_of(profile: &Profile, function: FunctionId) -> String {
    let function = profile.functions.get(function);
    match (profile.text(function.file), function.line) {
        ("", _) => String::new(),
        (file, 0) => file.to_owned(),
        (file, line) => format!("{file}:{line}"),
    }
}

/// True for a function that a program without symbols has: its name is an address.
#[must_use]
pub fn is_address(name: &str) -> bool {
    let name = name.trim_start_matches('[').split('\'').next().unwrap_or(name).trim_end_matches(']');
    let digits = name.strip_prefix("0x").unwrap_or_default();
    digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::ask;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};
    use crate::query::Run;
    use std::sync::Arc;

    #[test]
    fn the_largest_of_equal_names_and_places_are_found() {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 });
        let mut at = 0;
        for (name, file, line, length) in [
            ("inner", "/app/a.py", 5, 10),
            ("inner", "/app/b.py", 7, 30),
            ("inner", "C:\\app\\sub\\a.py", 5, 20),
            ("b.py:7", "", 0, 1),
            ("outer", "/app/b.py", 7, 2),
        ] {
            let f = b.function(FunctionSpec { name, file, line, ..FunctionSpec::default() });
            b.span(track, at, at + length, f, ArgsRef::NONE);
            at += length;
        }
        let s = Run::of(Arc::new(b.finish()));
        let find = |text: &str| -> Vec<i64> {
            let found = ask(&s, &Named { text: text.into(), metric: MetricKey::default() });
            found.iter().map(|f| f.1).collect()
        };
        assert_eq!(find("inner"), [30, 20, 10]);
        assert_eq!(find("a.py:5"), [20, 10]);
        assert_eq!(find("/app/a.py:5"), [10]);
        assert_eq!(find("sub/a.py:5"), [20]);
        assert_eq!(find("b.py:7"), [1], "a name comes first");
        assert_eq!(find("app/b.py:7(inner)"), [30]);
        assert_eq!(find("app/b.py:7"), [30, 2]);
        for nothing in ["", "b.py", "b.py:8", "pp/b.py:7", "b.py:7(main)", ":7"] {
            assert_eq!(find(nothing), [0; 0], "{nothing}");
        }
    }
}
