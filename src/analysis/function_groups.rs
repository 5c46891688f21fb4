//! The flat profile by file, module, package or class: each group as one function is counted, with its functions.
//!
//! A group's self cost is the sum of its functions', its total what is spent after entering it from outside, as in the
//! graph ([`super::folding`]): calls among its own functions count once.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::call_graph::Calling;
use super::folding::{Folding, Folds, GroupKind};
use super::function_list::{FunctionKey, FunctionList, FunctionOrder};
use super::functions::FunctionRow;
use super::groups::GroupBy;
use crate::jobs::Cancelled;
use crate::model::Calls;
use crate::query::{Context, Query};

/// Functions of a file, a module, a package or a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionGroup {
    /// Its name; empty for functions of which the profile does not say where they belong.
    pub name: String,
    /// Sum of own costs of the listed functions.
    pub own: i64,
    /// Cost of entering it from outside; `None` where some of its functions are not listed, or nothing joins them.
    pub total: Option<i64>,
    /// True when the total is shared out by an assumption.
    pub estimated: bool,
    /// Calls of its functions, where counted.
    pub calls: Option<u64>,
    /// Its listed functions: places in [`FunctionOrder::order`].
    pub rows: Vec<u32>,
}

/// A list of functions by groups.
#[derive(Clone, Debug)]
pub struct Grouped {
    /// The list, sorted.
    pub list: Arc<FunctionOrder>,
    /// The groups, sorted as the list is.
    pub groups: Vec<FunctionGroup>,
    /// Largest cost of a group or a function, for the unit of all.
    pub max: i64,
}

/// Computes the [`Grouped`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FunctionGroups {
    /// Which functions, how sorted.
    pub list: FunctionList,
    /// What they are grouped by.
    pub by: GroupBy,
}

impl Query for FunctionGroups {
    type Output = Grouped;

    fn run(&self, cx: &Context<'_>) -> Result<Grouped, Cancelled> {
        let list = cx.get(&self.list)?;
        let profile = cx.profile();
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<FunctionGroup> = Vec::new();
        for (place, &row) in (0u32..).zip(&list.order) {
            let row = &list.table.rows[row as usize];
            let name = self.by.group(profile, row.function);
            let at = match index.get(&*name) {
                Some(&at) => at,
                None => {
                    index.insert(name.to_string(), groups.len());
                    groups.push(FunctionGroup {
                        name: name.into_owned(),
                        own: 0,
                        total: None,
                        estimated: false,
                        calls: row.calls.map(|_| 0),
                        rows: Vec::new(),
                    });
                    groups.len() - 1
                }
            };
            let group = &mut groups[at];
            group.own = group.own.saturating_add(row.own);
            let calls = |c: Calls| c.all;
            group.calls = group.calls.zip(row.calls.map(calls)).map(|(sum, calls)| sum.saturating_add(calls));
            group.rows.push(place);
        }
        cx.job().checkpoint(0, 0)?;
        self.totals(&list, &mut groups, cx)?;
        self.sort(&mut groups);
        let all = groups.iter().flat_map(|g| [g.own, g.total.unwrap_or(0)]);
        let max = all.chain([list.max.own, list.max.total]).map(i64::saturating_abs).max().unwrap_or(0);
        Ok(Grouped { list, groups, max })
    }

    fn weight(grouped: &Grouped) -> usize {
        grouped.groups.iter().map(|g| g.name.len() + g.rows.len() * 4 + 96).sum()
    }
}

impl FunctionGroups {
    /// The totals of groups all of whose functions are listed.
    fn totals(
        &self,
        list: &FunctionOrder,
        groups: &mut [FunctionGroup],
        cx: &Context<'_>,
    ) -> Result<(), Cancelled> {
        let folding = Folding { by: Some(self.by), folded: true, ..Folding::default() };
        let calling = Calling { slice: self.list.functions.0.clone(), around: None };
        let folded = cx.get(&Folds { calling, folding })?;
        let known: FxHashMap<&str, _> = folded
            .groups
            .iter()
            .filter_map(|g| match &g.kind {
                GroupKind::Named(name) => Some((name.as_str(), g)),
                GroupKind::Cycle(_) | GroupKind::Chain(_) => None,
            })
            .collect();
        let row = |place: u32| -> &FunctionRow { &list.table.rows[list.order[place as usize] as usize] };
        for group in groups.iter_mut() {
            let Some(whole) = known.get(group.name.as_str()) else { continue };
            let mut listed: Vec<_> = group.rows.iter().map(|&place| row(place).function).collect();
            listed.sort_unstable();
            if whole.members.iter().all(|f| listed.binary_search(f).is_ok()) {
                (group.total, group.estimated) = (Some(whole.total), whole.estimated);
            }
        }
        Ok(())
    }

    fn sort(&self, groups: &mut [FunctionGroup]) {
        use std::cmp::Reverse;
        let (key, reverse) = self.list.sort.first().copied().unwrap_or((FunctionKey::Own, false));
        match key {
            FunctionKey::Name | FunctionKey::Place | FunctionKey::Module | FunctionKey::Category => {
                groups.sort_by(|a, b| a.name.cmp(&b.name));
            }
            FunctionKey::Calls => groups.sort_by_key(|g| Reverse((g.calls, g.own))),
            FunctionKey::Total | FunctionKey::TotalPerCall => {
                groups.sort_by_key(|g| Reverse((g.total.unwrap_or(g.own), g.own)));
            }
            _ => groups.sort_by_key(|g| Reverse((g.own, g.total))),
        }
        if reverse {
            groups.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Slice;
    use crate::analysis::functions::Functions;
    use crate::analysis::testing::{ask, subject};
    use crate::query::Run;

    fn told(s: &Run, by: GroupBy, sort: FunctionKey, search: &str) -> Vec<String> {
        let list = FunctionList::new(Functions(Slice::default()), vec![(sort, false)], search);
        let found = ask(s, &FunctionGroups { list, by });
        let name = |g: &FunctionGroup| {
            let total = g.total.map_or("-".to_owned(), |t| t.to_string());
            let rows =
                g.rows.iter().map(|&place| &found.list.table.rows[found.list.order[place as usize] as usize]);
            let names: Vec<_> = rows.map(|r| s.profile.function_name(r.function)).collect();
            format!("{} {}/{total}: {}", g.name, g.own, names.join(" "))
        };
        found.groups.iter().map(name).collect()
    }

    #[test]
    fn a_group_counts_as_one_function_and_a_filtered_one_has_no_total() {
        let s = subject("main>f@lib>g@lib>cb>h@lib 5; main>g@lib 2; main>cb 1; main 3");
        assert_eq!(
            told(&s, GroupBy::Module, FunctionKey::Own, ""),
            ["lib 7/7: h g f", " 4/-: main cb"],
            "what belongs nowhere has no total of its own"
        );
        assert_eq!(told(&s, GroupBy::Module, FunctionKey::Name, "h")[0], "lib 5/-: h");
    }

    #[test]
    fn methods_stand_under_their_class() {
        let s = subject("main>Session.get>Session.send 8; main>Cache.get 2");
        let groups = told(&s, GroupBy::Class, FunctionKey::Total, "");
        assert_eq!(groups[0], "Session 8/8: Session.send Session.get");
    }
}
