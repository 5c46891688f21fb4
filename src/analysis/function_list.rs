//! The flat profile as a list: sorted by several keys, filtered by a search.

use std::sync::Arc;

use super::columns::functions::functions;
use super::columns::{Relative, Shown};
use super::functions::{FunctionRow, FunctionTable, Functions};
use super::search::Pattern;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{Calls, Function, Profile, StringId, Strings};
use crate::query::{Context, Query};

/// What functions can be sorted by: the sort keys of pstats, and what else the table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FunctionKey {
    /// Calls («ncalls»).
    Calls,
    /// Samples with the function in any frame.
    Samples,
    /// Calls that had not ended.
    Unfinished,
    /// Own cost («tottime»).
    Own,
    /// Own cost per call.
    OwnPerCall,
    /// Total cost («cumtime»).
    Total,
    /// Total cost per primitive call.
    TotalPerCall,
    /// Name.
    Name,
    /// File, then line.
    Place,
    /// Module.
    Module,
    /// Category.
    Category,
}

/// A key, and whether its natural direction is reversed.
pub type SortKey = (FunctionKey, bool);

/// Computes the [`FunctionOrder`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionList {
    /// Which functions.
    pub functions: Functions,
    /// Keys, the most important one first. Ties keep the order by own cost.
    pub sort: Vec<SortKey>,
    /// Search text over name, file and module.
    pub search: String,
}

/// Which rows of a table are listed, in which order.
#[derive(Clone, Debug)]
pub struct FunctionOrder {
    /// The table.
    pub table: Arc<FunctionTable>,
    /// Its listed rows.
    pub order: Vec<u32>,
    /// Sum of own costs of the listed rows; `None` without a search.
    pub matched: Option<i64>,
    /// Largest magnitudes in the columns of the whole table.
    pub max: Largest,
    /// Which texts any function of the profile has.
    pub known: Known,
}

/// Which texts any function of a profile has: columns without any need not be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// A module.
    pub modules: bool,
    /// A file.
    pub files: bool,
    /// A category.
    pub categories: bool,
}

impl Known {
    /// Looks through the functions of a profile.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        let any = |text: fn(&Function) -> StringId| {
            profile.functions.rows().iter().any(|f| text(f) != Strings::EMPTY)
        };
        Self { modules: any(|f| f.module), files: any(|f| f.file), categories: any(|f| f.category) }
    }
}

/// Largest magnitudes in the columns of a table; they set the unit of each column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Largest {
    /// Own cost.
    pub own: i64,
    /// Own cost per call.
    pub own_per_call: i64,
    /// Total cost.
    pub total: i64,
    /// Total cost per primitive call.
    pub total_per_call: i64,
    /// The calls with most digits.
    pub calls: Option<Calls>,
}

impl FunctionRow {
    /// Own cost per call, rounded; `None` when calls were not counted or there were none.
    #[must_use]
    pub fn own_per_call(&self) -> Option<i64> {
        per(self.known_own()?, self.calls?.all)
    }

    /// Total cost per primitive call, rounded; `None` when calls were not counted or there were none.
    #[must_use]
    pub fn total_per_call(&self) -> Option<i64> {
        per(self.known_total()?, self.calls?.primitive)
    }
}

fn per(cost: i64, calls: u64) -> Option<i64> {
    let calls = i128::from(calls);
    let half = if cost < 0 { -calls / 2 } else { calls / 2 };
    (calls > 0).then(|| ((i128::from(cost) + half) / calls) as i64)
}

/// Digits of calls, and of primitive calls where these differ.
fn digits(calls: &Calls) -> u32 {
    let digits = |n: u64| n.max(1).ilog10() + 1;
    digits(calls.all) + if calls.all == calls.primitive { 0 } else { 1 + digits(calls.primitive) }
}

fn largest(table: &FunctionTable) -> Largest {
    let most = |value: &dyn Fn(&FunctionRow) -> Option<i64>| {
        table.rows.iter().filter_map(value).map(i64::saturating_abs).max().unwrap_or(0)
    };
    Largest {
        own: most(&|r| Some(r.own)),
        own_per_call: most(&FunctionRow::own_per_call),
        total: most(&|r| Some(r.total)),
        total_per_call: most(&FunctionRow::total_per_call),
        calls: table.rows.iter().filter_map(|r| r.calls).max_by_key(digits),
    }
}

impl Query for FunctionList {
    type Output = FunctionOrder;

    fn run(&self, cx: &Context<'_>) -> Result<FunctionOrder, Cancelled> {
        let table = cx.get(&self.functions)?;
        let profile = cx.profile();
        let found = Pattern::new(&self.search).map(|p| p.functions(profile));
        let rows = &table.rows;
        let listed = |i: &u32| found.as_ref().is_none_or(|f| f[rows[*i as usize].function.index()]);
        let mut order: Vec<u32> = (0..rows.len() as u32).filter(listed).collect();
        cx.job().checkpoint(0, 0)?;
        let (max, known) = (largest(&table), Known::of(profile));
        self.sort(&mut order, profile, &table, (&max, known));
        let matched = found
            .as_ref()
            .map(|_| order.iter().fold(0i64, |sum, &i| sum.saturating_add(rows[i as usize].own)));
        Ok(FunctionOrder { table, order, matched, max, known })
    }

    fn weight(list: &FunctionOrder) -> usize {
        list.order.len() * 4
    }
}

impl FunctionList {
    fn sort(
        &self,
        order: &mut [u32],
        profile: &Profile,
        table: &FunctionTable,
        (max, known): (&Largest, Known),
    ) {
        let shown = Shown::of(self.functions.0.metric, Relative::default(), profile);
        let columns = functions(profile, table, max, known, &shown);
        let compare = format::by(&columns, &self.sort);
        order.sort_by(|&a, &b| compare(&table.rows[a as usize], &table.rows[b as usize]));
    }
}

/// The keys after a click on a header: alone, or with `more` (Shift) as the last key. A key that is
/// there changes its direction.
pub fn click(sort: &mut Vec<SortKey>, key: FunctionKey, more: bool) {
    let place = sort.iter().position(|(k, _)| *k == key);
    match place {
        Some(i) if more => sort[i].1 = !sort[i].1,
        None if more => sort.push((key, false)),
        Some(0) if sort.len() == 1 => sort[0].1 = !sort[0].1,
        _ => *sort = vec![(key, false)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Slice;
    use crate::analysis::testing::{ask, subject};
    use crate::query::Run;

    fn list(subject: &Run, sort: &[SortKey], search: &str) -> (Arc<FunctionOrder>, String) {
        let functions = Functions(Slice::default());
        let list = ask(subject, &FunctionList { functions, sort: sort.to_vec(), search: search.into() });
        let name = |&i: &u32| subject.profile.function_name(list.table.rows[i as usize].function);
        let names = list.order.iter().map(name).collect::<Vec<_>>().join(" ");
        (list, names)
    }

    const GRAPH: &str = "fn main@app 1 5 100; fn read@io 200/10 30 40; fn b@app 10 30 30; fn c@lib - 0 3";

    #[test]
    fn sorts_by_each_key_and_by_several() {
        use FunctionKey as K;
        let s = subject(GRAPH);
        let by = |sort: &[SortKey]| list(&s, sort, "").1;
        assert_eq!(by(&[]), "read b main c");
        assert_eq!(by(&[(K::Total, false)]), "main read b c");
        assert_eq!(by(&[(K::Total, true)]), "c b read main");
        assert_eq!(by(&[(K::Calls, false)]), "read b main c");
        assert_eq!(by(&[(K::OwnPerCall, false)]), "main b read c");
        assert_eq!(by(&[(K::TotalPerCall, false)]), "main read b c");
        assert_eq!(by(&[(K::Name, false)]), "b c main read");
        assert_eq!(by(&[(K::Module, false), (K::Name, true)]), "main b read c");
        assert_eq!(by(&[(K::Own, false), (K::Total, true)]), "b read main c");
    }

    #[test]
    fn a_search_says_what_share_it_holds() {
        let s = subject(GRAPH);
        let (found, names) = list(&s, &[], "app");
        assert_eq!((names.as_str(), found.matched, found.table.sum), ("b main", Some(35), 65));
        let calls = Some(Calls { all: 200, primitive: 10 });
        assert_eq!(found.max, Largest { own: 30, own_per_call: 5, total: 100, total_per_call: 100, calls });
    }

    #[test]
    fn clicks_on_headers_choose_the_keys() {
        use FunctionKey as K;
        let mut sort = vec![(K::Own, false)];
        let mut clicked = |key, more| {
            click(&mut sort, key, more);
            sort.clone()
        };
        assert_eq!(clicked(K::Own, false), [(K::Own, true)]);
        assert_eq!(clicked(K::Total, false), [(K::Total, false)]);
        assert_eq!(clicked(K::Name, true), [(K::Total, false), (K::Name, false)]);
        assert_eq!(clicked(K::Total, true), [(K::Total, true), (K::Name, false)]);
        assert_eq!(clicked(K::Total, false), [(K::Total, false)]);
    }

    #[test]
    fn costs_per_call_are_rounded_and_need_calls() {
        assert_eq!(
            (per(10, 4), per(-10, 4), per(1, 0), per(i64::MAX, 1)),
            (Some(3), Some(-3), None, Some(i64::MAX))
        );
    }
}
