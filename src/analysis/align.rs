//! On which moment two runs are laid over each other in time, and when that is in each of them.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::diff::Two;
use super::matches::MatchQuery;
use super::phases::PhasesIn;
use crate::jobs::Cancelled;
use crate::model::{Profile, SymbolKey};
use crate::query::{Context, Pair, Query};

/// A moment that both runs have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum AlignAt {
    /// Their starts.
    #[default]
    Start,
    /// The first token of any request.
    FirstToken,
    /// The first start of a phase of this name.
    Phase(Arc<str>),
    /// The first event (log line, mark) of this name.
    Marker(Arc<str>),
    /// The first span of this function.
    Function(SymbolKey),
    /// The new run is moved by so many ns: to the right when positive.
    By(i64),
}

impl AlignAt {
    /// What a person reads.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Start => "start".into(),
            Self::FirstToken => "first token".into(),
            Self::Phase(name) => format!("phase {name}"),
            Self::Marker(name) => name.to_string(),
            Self::Function(symbol) => symbol.name.to_string(),
            Self::By(ns) => {
                format!("moved by {}", crate::format::signed_cost(crate::model::Unit::Nanoseconds, *ns))
            }
        }
    }
}

/// When the moment is in each run, ns since its start; `None` in a run that lacks it.
pub type Moments = Two<i64>;

/// Empty time before each run, ns, that brings the moments above each other: before one of them it is 0. Without the
/// moment in both there is none.
#[must_use]
pub fn leads(moments: Moments) -> [i64; 2] {
    let later = moments.base.zip(moments.head).map_or(0, |(b, h)| h.saturating_sub(b));
    [later.max(0), later.saturating_neg().max(0)]
}

/// Asks when an [`AlignAt`] is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MomentsOf(pub AlignAt);

fn start(profile: &Profile) -> i64 {
    profile.time_bounds().map_or(0, |(from, _)| from)
}

fn first_token(profile: &Profile) -> Option<i64> {
    profile.requests.rows.iter().filter_map(|r| r.first_token).min()
}

fn first_marker(profile: &Profile, name: &str) -> Option<i64> {
    profile.instants.iter().filter(|i| profile.text(i.name) == name).map(|i| i.time).min()
}

fn first_span(profile: &Profile, function: crate::model::FunctionId) -> Option<i64> {
    let rows = profile.tracks.iter().flat_map(|t| &t.spans.rows);
    rows.filter(|s| s.function == function).map(|s| s.start).min()
}

fn first_phase(cx: &Context<'_>, name: &str) -> Result<Option<i64>, Cancelled> {
    let phases = cx.get(&PhasesIn(None))?;
    let of_name = phases.spans.iter().filter(|s| cx.profile().function_name(s.function) == name);
    Ok(of_name.map(|s| s.start).min())
}

impl Query<Pair> for MomentsOf {
    type Output = Moments;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Moments, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let found = match &self.0 {
            AlignAt::Start => return Ok(Two::both(0, 0)),
            AlignAt::By(ns) => {
                return Ok(Two::both((*ns).max(0), ns.saturating_neg().max(0)));
            }
            AlignAt::FirstToken => [first_token(base.profile()), first_token(head.profile())],
            AlignAt::Marker(name) => [first_marker(base.profile(), name), first_marker(head.profile(), name)],
            AlignAt::Phase(name) => [first_phase(&base, name)?, first_phase(&head, name)?],
            AlignAt::Function(symbol) => {
                let matches = cx.get(&MatchQuery)?;
                let own = head.profile().keys().function(*symbol);
                let other = base.profile().keys().function(*symbol);
                let in_base = own.and_then(|f| matches.to_base(f)).map(|(f, _)| f).or(other);
                let in_head = own.or_else(|| Some(matches.to_head(other?)?.0));
                [
                    in_base.and_then(|f| first_span(base.profile(), f)),
                    in_head.and_then(|f| first_span(head.profile(), f)),
                ]
            }
        };
        let [b, h] = found;
        Ok(Two { base: b.map(|t| t - start(base.profile())), head: h.map(|t| t - start(head.profile())) })
    }
}

/// Most marks that are offered: a log may have thousands.
const MARKS: usize = 24;

/// Asks on which moments two runs can be laid over each other: phases and marks that both have, by their time in the
/// new run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlignChoices;

impl Query<Pair> for AlignChoices {
    type Output = Vec<AlignAt>;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<Vec<AlignAt>, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let mut found = vec![AlignAt::Start];
        if first_token(base.profile()).and(first_token(head.profile())).is_some() {
            found.push(AlignAt::FirstToken);
        }
        let (of_base, of_head) = (base.get(&PhasesIn(None))?, head.get(&PhasesIn(None))?);
        let names: FxHashSet<&str> =
            of_base.shares.iter().map(|s| base.profile().function_name(s.function)).collect();
        let shared = of_head.shares.iter().map(|s| head.profile().function_name(s.function));
        found.extend(shared.filter(|name| names.contains(name)).map(|name| AlignAt::Phase(name.into())));
        let names: FxHashSet<&str> =
            base.profile().instants.iter().map(|i| base.profile().text(i.name)).collect();
        let mut first: FxHashMap<&str, i64> = FxHashMap::default();
        for instant in &head.profile().instants {
            let name = head.profile().text(instant.name);
            if names.contains(name) {
                let at = first.entry(name).or_insert(instant.time);
                *at = instant.time.min(*at);
            }
        }
        let mut marks: Vec<(i64, &str)> = first.into_iter().map(|(name, at)| (at, name)).collect();
        marks.sort_unstable();
        found.extend(marks.into_iter().take(MARKS).map(|(_, name)| AlignAt::Marker(name.into())));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::pair;
    use crate::jobs::Job;
    use crate::query::Engine;

    #[test]
    fn a_moment_is_found_in_both_runs_and_says_how_much_room_is_needed() {
        let pair = pair(
            "main 0 100 / load 10 20 / decode 40 90",
            "main 1000 1200 / load 1010 1020 / decode 1090 1180",
        );
        let ask = |at| *Engine::inline().now(&pair, &MomentsOf(at), &Job::new()).unwrap();
        let head = &pair.head.profile;
        let decode = head.functions.ids().find(|&f| head.function_name(f) == "decode").unwrap();
        assert_eq!(leads(ask(AlignAt::Start)), [0, 0]);
        let found = ask(AlignAt::Function(head.keys().symbol(decode)));
        assert_eq!((found.base, found.head), (Some(40), Some(90)));
        assert_eq!(leads(found), [50, 0], "the base begins later, so that both decode at once");
        assert_eq!(leads(ask(AlignAt::By(30))), [0, 30]);
        assert_eq!(leads(ask(AlignAt::By(-30))), [30, 0]);
        let none = ask(AlignAt::FirstToken);
        assert_eq!((none.base, leads(none)), (None, [0, 0]));
    }
}
