//! The functions of two runs as a list: sorted over all rows, filtered by a search and by what became of them.

use std::sync::Arc;

use super::functions::{DiffFunctions, FunctionDiff, Row};
use super::normalise::{DiffRelated, Normalise, Related};
use super::{Compared, State, Two};
use crate::analysis::search::Pattern;
use crate::format::SortBy;
use crate::jobs::Cancelled;
use crate::model::Profile;
use crate::query::{Context, Pair, Query, Step};

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffKey {
    /// Size of the change of the own cost, whichever way.
    #[default]
    Change,
    /// Own cost in the baseline.
    OwnBase,
    /// Own cost in the new run.
    OwnHead,
    /// Change of the own cost: what takes more first.
    OwnDelta,
    /// The same as a share of the baseline's.
    OwnRelative,
    /// Change of the share of the whole.
    OwnPoints,
    /// Total cost in the baseline.
    TotalBase,
    /// Total cost in the new run.
    TotalHead,
    /// Change of the total cost.
    TotalDelta,
    /// The same as a share of the baseline's.
    TotalRelative,
    /// Calls in the baseline.
    CallsBase,
    /// Calls in the new run.
    CallsHead,
    /// Change of the calls.
    CallsDelta,
    /// What of the change of the total comes of other numbers of calls.
    ByCalls,
    /// What of it comes of calls that take more or less.
    PerCall,
    /// New, gone, both.
    State,
    /// How the two were found to be the same.
    Step,
    /// Name.
    Name,
}

impl SortBy for DiffKey {
    fn ascends(self) -> bool {
        matches!(self, Self::State | Self::Step | Self::Name)
    }

    /// The size of the change is no column; the arrow stands at the change.
    fn shown(self) -> Self {
        if self == Self::Change { Self::OwnDelta } else { self }
    }
}

/// A key, and whether its natural direction is reversed.
pub type DiffSort = (DiffKey, bool);

/// Which rows are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All.
    #[default]
    All,
    /// What takes more itself.
    More,
    /// What takes less itself.
    Less,
    /// What only the new run has.
    New,
    /// What only the baseline has.
    Gone,
}

impl Which {
    /// All of them with their names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::All, "All"),
        (Self::More, "Takes more"),
        (Self::Less, "Takes less"),
        (Self::New, "New"),
        (Self::Gone, "Gone"),
    ];

    fn takes(self, row: &Row, change: f64) -> bool {
        match self {
            Self::All => true,
            Self::More => change > 0.0,
            Self::Less => change < 0.0,
            Self::New => row.state() == State::New,
            Self::Gone => row.state() == State::Gone,
        }
    }
}

/// Computes the [`DiffOrder`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffList {
    /// Which functions.
    pub functions: DiffFunctions,
    /// In relation to what.
    pub to: Normalise,
    /// Which rows.
    pub which: Which,
    /// What they are sorted by; ties keep the order by the size of the change.
    pub sort: DiffSort,
    /// Search text over name, file and module.
    pub search: String,
}

/// Which rows are listed, in which order.
#[derive(Clone, Debug)]
pub struct DiffOrder {
    /// All rows.
    pub diff: Arc<FunctionDiff>,
    /// How their costs are shown.
    pub related: Related,
    /// Why they are shown as recorded although something else was asked for, one line.
    pub not_related: Option<String>,
    /// The listed rows.
    pub order: Vec<u32>,
    /// Numbers of rows by [`Which::ALL`], of those that the search finds.
    pub counts: [usize; 5],
    /// Change of the own costs of the listed rows.
    pub change: f64,
    /// Largest own cost or total of any row on any side, as shown.
    pub most: f64,
    /// Largest size of a change of an own cost and of a total.
    pub most_changed: f64,
}

/// Points by which the share of the whole changed: 1.0 is from nothing to all.
#[must_use]
pub fn points(costs: Two<i64>, whole: Two<i64>) -> Option<f64> {
    let share =
        |part: Option<i64>, whole: Option<i64>| Some(part? as f64 / whole.filter(|&w| w != 0)? as f64);
    Two { base: share(costs.base, whole.base), head: share(costs.head, whole.head) }.change()
}

/// All calls of a row.
#[must_use]
pub fn calls(row: &Row) -> Two<i64> {
    let calls = row.halves.map(|h| h.calls.map(|c| c.all as i64));
    Two { base: calls.base.flatten(), head: calls.head.flatten() }
}

/// Change of the calls; unknown unless they were counted on each side that has the row.
#[must_use]
pub fn calls_delta(row: &Row) -> Option<i64> {
    let (calls, halves) = (calls(row), row.halves);
    let counted =
        halves.base.is_none_or(|_| calls.base.is_some()) && halves.head.is_none_or(|_| calls.head.is_some());
    calls.delta().filter(|_| counted)
}

/// The name of a row: in the new run, else in the baseline.
#[must_use]
pub fn name<'a>(row: &Row, base: &'a Profile, head: &'a Profile) -> std::borrow::Cow<'a, str> {
    match (row.halves.head, row.halves.base) {
        (Some(half), _) => half.symbol.label(head),
        (None, Some(half)) => half.symbol.label(base),
        (None, None) => "".into(),
    }
}

/// What a column of numbers is sorted by: the larger the sooner; unknown ones last, whichever way.
fn number(key: DiffKey, row: &Row, related: &Related, diff: &FunctionDiff) -> Option<f64> {
    let int = |value: Option<i64>| value.map(|v| v as f64);
    match key {
        DiffKey::Change => related.own(row).change().map(f64::abs),
        DiffKey::OwnBase => related.own(row).base,
        DiffKey::OwnHead => related.own(row).head,
        DiffKey::OwnDelta => related.own(row).change(),
        DiffKey::OwnRelative => related.own(row).relative_change(),
        DiffKey::OwnPoints => points(row.own(), diff.whole.own),
        DiffKey::TotalBase => related.total(row).base,
        DiffKey::TotalHead => related.total(row).head,
        DiffKey::TotalDelta => related.total(row).change(),
        DiffKey::TotalRelative => related.total(row).relative_change(),
        DiffKey::CallsBase => int(calls(row).base),
        DiffKey::CallsHead => int(calls(row).head),
        DiffKey::CallsDelta => int(calls_delta(row)),
        DiffKey::ByCalls => int(row.split().map(|s| s.0)),
        DiffKey::PerCall => int(row.split().map(|s| s.1)),
        DiffKey::State | DiffKey::Step | DiffKey::Name => None,
    }
}

impl Query<Pair> for DiffList {
    type Output = DiffOrder;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<DiffOrder, Cancelled> {
        let diff = cx.get(&self.functions)?;
        let related = cx.get(&DiffRelated { functions: self.functions.clone(), to: self.to })?;
        let (related, not_related) = match &*related {
            Ok(related) => (related.clone(), None),
            Err(why) => (Related::default(), Some(why.clone())),
        };
        let (base, head) = (cx.base(), cx.head());
        let (base, head) = (&**base.profile(), &**head.profile());
        let found = Pattern::new(&self.search).map(|p| (p.functions(base), p.functions(head)));
        let finds = |row: &Row| {
            found.as_ref().is_none_or(|(in_base, in_head)| {
                let is = |half: Option<super::functions::Half>, found: &[bool]| {
                    half.is_some_and(|h| found[h.symbol.function().index()])
                };
                is(row.halves.base, in_base) || is(row.halves.head, in_head)
            })
        };
        // Only shares compare where the two are no numbers of one measure.
        let shares = self.functions.metric.why_not.is_some();
        let change = |row: &Row| match shares {
            true => points(row.own(), diff.whole.own).unwrap_or(0.0),
            false => related.own(row).change().unwrap_or(0.0),
        };
        let mut out = DiffOrder {
            related: related.clone(),
            not_related,
            order: Vec::new(),
            counts: [0; 5],
            change: 0.0,
            most: 0.0,
            most_changed: 0.0,
            diff: diff.clone(),
        };
        for (i, row) in (0u32..).zip(&diff.rows) {
            let (own, total) = (related.own(row), related.total(row));
            let most = |two: Two<f64>| two.base.unwrap_or(0.0).abs().max(two.head.unwrap_or(0.0).abs());
            out.most = out.most.max(most(own)).max(most(total));
            out.most_changed = out.most_changed.max(own.change().unwrap_or(0.0).abs());
            if !finds(row) {
                continue;
            }
            let by = change(row);
            for (count, (which, _)) in out.counts.iter_mut().zip(Which::ALL) {
                *count += usize::from(which.takes(row, by));
            }
            if self.which.takes(row, by) {
                out.order.push(i);
                out.change += own.change().unwrap_or(0.0);
            }
        }
        cx.job().checkpoint(0, 0)?;
        let (key, reverse) = self.sort;
        let key = if shares && key == DiffKey::Change { DiffKey::OwnPoints } else { key };
        let by_size = shares && self.sort.0 == DiffKey::Change;
        let rows = &diff.rows;
        match key {
            DiffKey::State => out.order.sort_by_key(|&i| rows[i as usize].state()),
            DiffKey::Step => out.order.sort_by_key(|&i| rows[i as usize].step.map(Step::key)),
            DiffKey::Name => {
                out.order.sort_by_cached_key(|&i| name(&rows[i as usize], base, head).into_owned())
            }
            key => {
                let value = |&i: &u32| {
                    let value = number(key, &rows[i as usize], &related, &diff);
                    if by_size { value.map(f64::abs) } else { value }
                };
                let mut with: Vec<(Option<f64>, u32)> = out.order.iter().map(|i| (value(i), *i)).collect();
                with.sort_by(|(a, _), (b, _)| match (a, b) {
                    (Some(a), Some(b)) => {
                        if reverse {
                            a.total_cmp(b)
                        } else {
                            b.total_cmp(a)
                        }
                    }
                    (a, b) => a.is_none().cmp(&b.is_none()),
                });
                out.order = with.into_iter().map(|(_, i)| i).collect();
            }
        }
        if reverse && key.ascends() {
            out.order.reverse();
        }
        Ok(out)
    }

    fn weight(list: &DiffOrder) -> usize {
        list.order.len() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{all_functions, pair};
    use crate::jobs::Job;
    use crate::query::Engine;

    fn listed(change: impl Fn(&mut DiffList)) -> (Vec<String>, Arc<DiffOrder>) {
        let pair = pair(
            "fn a 10 100 100; fn b 5 50 50; fn gone 1 7 7; fn same 1 3 3",
            "fn a 20 90 90; fn b 5 80 80; fn new 2 9 9; fn same 1 3 3",
        );
        let functions = all_functions();
        let mut list = DiffList {
            functions,
            to: Normalise::Nothing,
            which: Which::All,
            sort: DiffSort::default(),
            search: String::new(),
        };
        change(&mut list);
        let order = Engine::inline().now(&pair, &list, &Job::new()).unwrap();
        let name = |&i: &u32| {
            name(&order.diff.rows[i as usize], &pair.base.profile, &pair.head.profile).into_owned()
        };
        (order.order.iter().map(name).collect(), order)
    }

    #[test]
    fn what_takes_more_and_what_takes_less_are_lists_of_their_own() {
        let (all, order) = listed(|_| ());
        assert_eq!(all, ["b", "a", "new", "gone", "same"]);
        assert_eq!((order.counts, order.change), ([5, 2, 2, 1, 1], 22.0));
        assert_eq!(listed(|l| l.which = Which::More).0, ["b", "new"]);
        let (less, order) = listed(|l| l.which = Which::Less);
        assert_eq!((less, order.change), (vec!["a".to_owned(), "gone".to_owned()], -17.0));
        assert_eq!(listed(|l| l.which = Which::New).0, ["new"]);
        assert_eq!(listed(|l| l.which = Which::Gone).0, ["gone"]);
    }

    #[test]
    fn rows_sort_by_any_column_and_what_is_unknown_comes_last() {
        let by = |key, reverse| listed(|l| l.sort = (key, reverse)).0;
        assert_eq!(by(DiffKey::OwnDelta, false), ["b", "new", "same", "gone", "a"]);
        assert_eq!(by(DiffKey::OwnDelta, true), ["a", "gone", "same", "new", "b"]);
        assert_eq!(by(DiffKey::OwnBase, false), ["a", "b", "gone", "same", "new"]);
        assert_eq!(by(DiffKey::OwnBase, true), ["same", "gone", "b", "a", "new"]);
        assert_eq!(by(DiffKey::Name, false), ["a", "b", "gone", "new", "same"]);
        assert_eq!(by(DiffKey::CallsDelta, false)[0], "a");
        assert_eq!(by(DiffKey::State, false).last().unwrap(), "gone");
        assert_eq!(listed(|l| l.search = "e".into()).0, ["new", "gone", "same"]);
    }

    #[test]
    fn per_call_a_function_that_is_called_more_often_is_cheaper() {
        let (_, order) = listed(|l| l.to = Normalise::Call);
        let a = order.diff.rows.iter().find(|r| calls(r).head == Some(20)).unwrap();
        assert_eq!(order.related.own(a), Two { base: Some(10.0), head: Some(4.5) });
        assert_eq!(calls_delta(a), Some(10));
        let (_, order) = listed(|l| l.to = Normalise::Request);
        assert!(order.not_related.as_deref().unwrap().contains("no request"));
        assert_eq!(order.related, Related::default());
    }
}
