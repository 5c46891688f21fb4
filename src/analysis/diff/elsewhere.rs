//! Functions that run on another thread than before: what a change of the order of work is made of.

use rustc_hash::FxHashMap;

use super::functions::{FunctionDiff, Half};
use super::{Compared, Two};
use crate::model::{FunctionId, Profile, TrackId, TrackKey, TrackKind};

/// A function whose work is on another track now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Its row.
    pub row: u32,
    /// What the tracks are called.
    pub tracks: Two<String>,
    /// What the new one is.
    pub kind: TrackKind,
}

/// How long a function ran on each track, ns.
type Tracks = FxHashMap<FunctionId, Vec<(TrackKey, i64)>>;

fn tracks(profile: &Profile) -> Tracks {
    let mut found: Tracks = FxHashMap::default();
    for id in profile.track_ids().filter(|&id| !profile.track(id).kind.is_view()) {
        let mut here: FxHashMap<FunctionId, i64> = FxHashMap::default();
        for span in &profile.track(id).spans.rows {
            let sum = here.entry(span.function).or_default();
            *sum = sum.saturating_add(span.duration());
        }
        let key = profile.keys().track_key(id);
        for (function, sum) in here {
            found.entry(function).or_default().push((key, sum));
        }
    }
    found
}

/// The only track that a function runs on.
fn only(tracks: &Tracks, half: Option<Half>) -> Option<TrackKey> {
    match tracks.get(&half?.symbol.function())?.as_slice() {
        [(track, _)] => Some(*track),
        _ => None,
    }
}

/// Functions that run on one thread, and in the other run on one of another name; the largest first. Where
/// the names of the threads of both runs have nothing in common there are none: all is elsewhere then.
#[must_use]
pub fn elsewhere(diff: &FunctionDiff, base: &Profile, head: &Profile) -> Vec<Elsewhere> {
    let keys =
        |p: &Profile| -> Vec<TrackKey> { p.track_ids().map(|id: TrackId| p.keys().track_key(id)).collect() };
    let (in_base, in_head) = (keys(base), keys(head));
    if !in_base.iter().any(|key| in_head.contains(key)) {
        return Vec::new();
    }
    let (of_base, of_head) = (tracks(base), tracks(head));
    let mut found: Vec<(i64, Elsewhere)> = Vec::new();
    for (at, row) in (0u32..).zip(&diff.rows) {
        let (Some(before), Some(after)) = (only(&of_base, row.halves.base), only(&of_head, row.halves.head))
        else {
            continue;
        };
        if before != after {
            let tracks = Two::both(before.name.to_string(), after.name.to_string());
            found.push((row.total().head.unwrap_or(0), Elsewhere { row: at, tracks, kind: after.kind }));
        }
    }
    found.sort_by_key(|(size, e)| (std::cmp::Reverse(*size), e.row));
    found.into_iter().map(|(_, e)| e).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{all_functions, pair};
    use crate::jobs::Job;
    use crate::query::Engine;

    fn moved(base: &str, head: &str) -> Vec<String> {
        let pair = pair(base, head);
        let diff = Engine::inline().now(&pair, &all_functions(), &Job::new()).unwrap();
        let (b, h) = (&pair.base.profile, &pair.head.profile);
        let name =
            |e: &Elsewhere| diff.rows[e.row as usize].halves.head.unwrap().symbol.label(h).into_owned();
        let text = |e: Elsewhere| {
            format!(
                "{} {}→{}",
                name(&e),
                e.tracks.base.as_deref().unwrap(),
                e.tracks.head.as_deref().unwrap()
            )
        };
        elsewhere(&diff, b, h).into_iter().map(text).collect()
    }

    #[test]
    fn what_runs_on_another_thread_is_known_the_largest_first() {
        let base = "a 0 100 / b 10 90 / c 20 30";
        assert_eq!(moved(base, "a 0 100; [pool]; b 10 90 / c 20 30"), ["b main→pool", "c main→pool"]);
        assert_eq!(moved(base, base), [""; 0]);
        let other = "[other]; a 0 100 / b 10 90 / c 20 30";
        assert_eq!(moved(base, other), [""; 0], "no thread has a name that both know");
    }

    #[test]
    fn what_runs_on_several_threads_is_nowhere_else() {
        assert_eq!(moved("a 0 100; b 110 120", "a 0 100; [pool]; b 110 115; [two]; b 110 115"), [""; 0]);
    }
}
