//! The flat profile as a list: sorted by several keys, filtered by a search.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::columns::functions::functions;
use super::columns::{Relative, Shown};
use super::facets::{Facet, Facets};
use super::formula::Measure;
use super::functions::{FunctionRow, FunctionTable, Functions};
use super::scope::Slice;
use super::search::Pattern;
use crate::format;
use crate::jobs::Cancelled;
use crate::model::{Calls, Function, MetricKey, Profile, StringId, Strings};
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
    /// Own cost in another metric that is shown beside, by its place there.
    OwnBeside(u8),
    /// Total cost in another metric that is shown beside, by its place there.
    TotalBeside(u8),
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
    /// Only functions of this category or package.
    pub only: Option<(Facet, String)>,
    /// Metrics whose costs stand beside those of the table.
    pub beside: Vec<MetricKey>,
}

impl FunctionList {
    /// All functions, sorted and searched, in one metric.
    #[must_use]
    pub fn new(functions: Functions, sort: Vec<SortKey>, search: impl Into<String>) -> Self {
        Self { functions, sort, search: search.into(), only: None, beside: Vec::new() }
    }
}

/// Costs in another metric.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Which.
    pub measure: Measure,
    /// Largest magnitude of an own or total cost.
    pub max: i64,
    /// Own and total costs, where they are known, by [`super::path::Symbol::key`].
    costs: FxHashMap<(bool, u32), Option<(i64, i64)>>,
}

impl Beside {
    /// Own and total cost of a row; `None` where they are not known.
    #[must_use]
    pub fn of(&self, row: &FunctionRow) -> Option<(i64, i64)> {
        // A row that is not there has costs in the first metric alone.
        self.costs.get(&row.symbol().key()).copied().unwrap_or_else(|| row.measured.then_some((0, 0)))
    }
}

/// Which rows of a table are listed, in which order.
#[derive(Clone, Debug)]
pub struct FunctionOrder {
    /// The table.
    pub table: Arc<FunctionTable>,
    /// Its listed rows.
    pub order: Vec<u32>,
    /// Sum of own costs of the listed rows; `None` where all are listed.
    pub matched: Option<i64>,
    /// Largest magnitudes in the columns of the whole table.
    pub max: Largest,
    /// Which texts tell its rows apart.
    pub known: Known,
    /// Costs in other metrics.
    pub beside: Vec<Arc<Beside>>,
}

/// Which texts functions have: columns without any, or with the same in each row, need not be shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// A module.
    pub modules: bool,
    /// A file.
    pub files: bool,
    /// A category.
    pub categories: bool,
    /// Most have no file: its column is the first to give way.
    pub few_files: bool,
}

impl Known {
    /// Looks through the rows of a table.
    #[must_use]
    pub fn of_rows(profile: &Profile, rows: &[FunctionRow]) -> Self {
        let texts = |text: fn(&Function) -> StringId| {
            let mut texts = rows.iter().map(|r| text(&profile.functions.get(r.function)));
            let first = texts.next();
            rows.len() < 2 && first.is_some_and(|f| f != Strings::EMPTY) || texts.any(|t| Some(t) != first)
        };
        let with_file =
            rows.iter().filter(|r| profile.functions.get(r.function).file != Strings::EMPTY).count();
        Self {
            modules: texts(|f| f.module),
            files: with_file > 0,
            categories: texts(|f| f.category),
            few_files: with_file * 4 < rows.len(),
        }
    }

    /// Looks through the functions of a profile.
    #[must_use]
    pub fn of(profile: &Profile) -> Self {
        let any = |text: fn(&Function) -> StringId| {
            profile.functions.rows().iter().any(|f| text(f) != Strings::EMPTY)
        };
        Self {
            modules: any(|f| f.module),
            files: any(|f| f.file),
            categories: any(|f| f.category),
            few_files: false,
        }
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
        let faceted = self.only.as_ref().map(|_| cx.get(&Facets(self.functions.clone()))).transpose()?;
        let only = self
            .only
            .as_ref()
            .zip(faceted.as_ref())
            .and_then(|((facet, name), all)| all.by(*facet).rows(name));
        let listed = |i: &u32| {
            let found = found.as_ref().is_none_or(|f| f[rows[*i as usize].function.index()]);
            found && only.as_ref().is_none_or(|only| only(*i))
        };
        let mut order: Vec<u32> = (0..rows.len() as u32).filter(listed).collect();
        cx.job().checkpoint(0, 0)?;
        let beside = self.beside.iter().filter_map(|&metric| self.beside(metric, cx).transpose());
        let beside = beside.collect::<Result<Vec<_>, Cancelled>>()?;
        let (max, known) = (largest(&table), Known::of_rows(profile, rows));
        self.sort(&mut order, profile, &table, (&max, known, &beside));
        let matched = (found.is_some() || only.is_some())
            .then(|| order.iter().fold(0i64, |sum, &i| sum.saturating_add(rows[i as usize].own)));
        Ok(FunctionOrder { table, order, matched, max, known, beside })
    }

    fn weight(list: &FunctionOrder) -> usize {
        list.order.len() * 4 + list.beside.iter().map(|b| b.costs.len() * 24).sum::<usize>()
    }
}

impl FunctionList {
    /// The costs of functions in another metric; `None` where the profile has none of it.
    fn beside(&self, metric: MetricKey, cx: &Context<'_>) -> Result<Option<Arc<Beside>>, Cancelled> {
        let Some(measure) = Measure::of(metric, cx.profile()) else { return Ok(None) };
        let table = cx.get(&Functions(Slice { metric, ..self.functions.0.clone() }))?;
        let cost = |r: &FunctionRow| (r.symbol().key(), r.known_own().zip(r.known_total()));
        let costs: FxHashMap<_, _> = table.rows.iter().map(cost).collect();
        let most = |(own, total): &(i64, i64)| own.saturating_abs().max(total.saturating_abs());
        let max = costs.values().flatten().map(most).max().unwrap_or(0);
        Ok(Some(Arc::new(Beside { measure, max, costs })))
    }

    fn sort(
        &self,
        order: &mut [u32],
        profile: &Profile,
        table: &FunctionTable,
        (max, known, beside): (&Largest, Known, &[Arc<Beside>]),
    ) {
        let shown = Shown::of(self.functions.0.metric, Relative::default(), profile);
        let columns = functions(profile, table, (max, known), beside, &shown);
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
        let list = ask(subject, &FunctionList::new(functions, sort.to_vec(), search));
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
        assert_eq!((names.as_str(), found.matched, found.table.whole.own), ("b main", Some(35), 65));
        let calls = Some(Calls { all: 200, primitive: 10 });
        assert_eq!(found.max, Largest { own: 30, own_per_call: 5, total: 100, total_per_call: 100, calls });
    }

    #[test]
    fn a_part_alone_is_listed_and_adds_up() {
        let s = subject(GRAPH);
        let only = |facet, name: &str, search: &str| {
            let list = FunctionList::new(Functions(Slice::default()), Vec::new(), search);
            let list = ask(&s, &FunctionList { only: Some((facet, name.to_owned())), ..list });
            let name = |&i: &u32| s.profile.function_name(list.table.rows[i as usize].function);
            (list.order.iter().map(name).collect::<Vec<_>>().join(" "), list.matched)
        };
        assert_eq!(only(Facet::Package, "app", ""), ("b main".into(), Some(35)));
        assert_eq!(only(Facet::Package, "app", "ma"), ("main".into(), Some(5)));
        assert_eq!(
            only(Facet::Package, "of another run", ""),
            ("read b main c".into(), None),
            "no such part: all"
        );
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
