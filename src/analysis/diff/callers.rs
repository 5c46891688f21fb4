//! Who calls a function in two runs, and whom it calls there.

use rustc_hash::FxHashMap;

use super::functions::{DiffFunctions, FunctionDiff, RowKey};
use super::{Compared, Cost, Two};
use crate::analysis::callers::{Callers, Neighbour, Neighbours, Reach};
use crate::analysis::path::Symbol;
use crate::jobs::Cancelled;
use crate::model::{Basis, Profile, SymbolKey};
use crate::query::{Context, Pair, Query};

/// Asks for the [`CallersDiff`] of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffCallers {
    /// Which part of both.
    pub functions: DiffFunctions,
    /// The function, as either run calls it.
    pub function: SymbolKey,
    /// How far to look.
    pub reach: Reach,
}

/// A caller or a callee in both runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourDiff {
    /// The function in each run; inside, `None` stands for calls that nothing recorded made.
    pub symbols: Two<Option<Symbol>>,
    /// What the calls between cost; unknown costs are none.
    pub costs: Two<Cost>,
    /// Calls, or samples where calls were not counted.
    pub counts: Two<i64>,
    /// True when the tool says what the calls cost, in each run that has them.
    pub known: bool,
    /// The other run makes these calls, too, but its estimated call paths do not lead them into the part that is compared.
    pub unplaced: bool,
}

impl Compared for NeighbourDiff {
    fn costs(&self) -> Two<Cost> {
        self.costs
    }

    fn unplaced(&self) -> bool {
        self.unplaced
    }
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct CallersDiff {
    /// Row of the function among those of the pair; `None` when it runs nowhere in the scope.
    pub row: Option<u32>,
    /// Callers, the largest change first.
    pub callers: Vec<NeighbourDiff>,
    /// Callees, the largest change first.
    pub callees: Vec<NeighbourDiff>,
}

impl Query<Pair> for DiffCallers {
    type Output = CallersDiff;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<CallersDiff, Cancelled> {
        let all = cx.get(&self.functions)?;
        let (base, head) = (cx.base(), cx.head());
        let key = RowKey::Function(self.function);
        let row = all.row_of(key, false).or_else(|| all.row_of(key, true));
        let symbol = |key: Option<RowKey>| match key {
            Some(RowKey::Function(symbol)) => Some(symbol),
            _ => None,
        };
        let keys = row.map(|row| all.rows[row as usize].keys).unwrap_or_default();
        let ask = |side: &Context<'_>, function: Option<SymbolKey>, is_base: bool| match function {
            Some(function) => {
                let slice = self.functions.of(is_base, cx)?;
                side.get(&Callers { slice, function, reach: self.reach }).map(|n| (*n).clone())
            }
            None => Ok(Neighbours::default()),
        };
        let in_base = ask(&base, symbol(keys.base), true)?;
        let in_head = ask(&head, symbol(keys.head), false)?;
        let side = |of: fn(&Neighbours) -> &Vec<Neighbour>| {
            joined(of(&in_base), of(&in_head), &all, base.profile(), head.profile())
        };
        let mut found = CallersDiff { row, callers: side(|n| &n.callers), callees: side(|n| &n.callees) };
        let estimated = [&in_base, &in_head].iter().any(|n| matches!(n.basis, Basis::Estimated(_)));
        if estimated
            && !self.functions.scope.transforms.is_empty()
            && let Some(row) = row
        {
            self.tell_unplaced(&mut found, row, &all, cx)?;
        }
        Ok(found)
    }

    fn weight(answer: &CallersDiff) -> usize {
        (answer.callers.len() + answer.callees.len()) * size_of::<NeighbourDiff>()
    }
}

impl DiffCallers {
    /// Of a part of estimated trees it is chance which calls are in it: what both runs are known to call is neither new nor gone.
    fn tell_unplaced(
        &self,
        found: &mut CallersDiff,
        row: u32,
        all: &FunctionDiff,
        cx: &Context<'_, Pair>,
    ) -> Result<(), Cancelled> {
        let [in_base, in_head] = self.functions.known_calls(all, cx)?;
        let (base, head) = (cx.base().profile().clone(), cx.head().profile().clone());
        for (neighbours, are_callers) in [(&mut found.callers, true), (&mut found.callees, false)] {
            for n in neighbours {
                let other = match (n.symbols.base, n.symbols.head) {
                    (Some(Some(symbol)), None) => all.row_of(RowKey::of(symbol, &base), true),
                    (None, Some(Some(symbol))) => all.row_of(RowKey::of(symbol, &head), false),
                    _ => None,
                };
                let Some(other) = other else { continue };
                let (from, to) = if are_callers { (other, row) } else { (row, other) };
                let there = if n.symbols.base.is_some() { &in_head } else { &in_base };
                n.unplaced = there.has(from, to);
            }
        }
        Ok(())
    }
}

/// What two neighbours are known by: a row of the pair, else their own name.
#[derive(PartialEq, Eq, Hash)]
enum Name {
    Nobody,
    Row(u32),
    Key(RowKey),
}

fn joined(
    base: &[Neighbour],
    head: &[Neighbour],
    all: &FunctionDiff,
    in_base: &Profile,
    in_head: &Profile,
) -> Vec<NeighbourDiff> {
    let mut rows: Vec<NeighbourDiff> = Vec::new();
    let mut places: FxHashMap<Name, usize> = FxHashMap::default();
    for (neighbours, profile, is_base) in [(base, in_base, true), (head, in_head, false)] {
        for n in neighbours {
            let name = n.symbol.map_or(Name::Nobody, |symbol| {
                let key = RowKey::of(symbol, profile);
                all.row_of(key, is_base).map_or(Name::Key(key), Name::Row)
            });
            let at = *places.entry(name).or_insert_with(|| {
                rows.push(NeighbourDiff {
                    symbols: Two::default(),
                    costs: Two::default(),
                    counts: Two::default(),
                    known: true,
                    unplaced: false,
                });
                rows.len() - 1
            });
            let cost = Cost { own: n.own.unwrap_or(0), total: n.total.unwrap_or(0) };
            let count = n.calls.map(|c| c.all as i64).or(n.samples.map(|s| s as i64));
            let row = &mut rows[at];
            row.known &= n.total.is_some();
            let (symbol, costs, counts) = match is_base {
                true => (&mut row.symbols.base, &mut row.costs.base, &mut row.counts.base),
                false => (&mut row.symbols.head, &mut row.costs.head, &mut row.counts.head),
            };
            (*symbol, *costs, *counts) = (Some(n.symbol), Some(cost), count);
        }
    }
    rows.sort_by_key(|r| {
        let size = |two: Two<i64>| two.delta().unwrap_or(0).unsigned_abs();
        let largest = r.total().base.unwrap_or(0).max(r.total().head.unwrap_or(0));
        std::cmp::Reverse((size(r.total()), largest))
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::analysis::testing::{all_functions, pair, symbol};
    use crate::jobs::Job;
    use crate::query::Engine;

    #[test]
    fn callers_and_callees_of_both_runs_are_rows() {
        let pair = pair("a>work 10; a>work>io 30; b>work>parse 5", "a>work 40; a>work>io 30; c>work>fetch 9");
        let function = symbol(&pair.base.profile, "work");
        let functions = all_functions();
        let query = DiffCallers { functions, function, reach: Reach::Direct };
        let answer = Engine::inline().now(&pair, &query, &Job::new()).unwrap();
        let line = |n: &NeighbourDiff| {
            let name = match (n.symbols.head.flatten(), n.symbols.base.flatten()) {
                (Some(s), _) => s.label(&pair.head.profile).into_owned(),
                (None, Some(s)) => s.label(&pair.base.profile).into_owned(),
                _ => "nobody".into(),
            };
            format!("{name} {:?} {}", n.total().delta().unwrap(), n.state().key())
        };
        let of = |side: &[NeighbourDiff]| side.iter().map(line).collect::<Vec<_>>();
        assert_eq!(of(&answer.callers), ["a 30 both", "c 9 new", "b -5 gone"]);
        assert_eq!(of(&answer.callees), ["fetch 9 new", "parse -5 gone", "io 0 both"]);
        assert_eq!(answer.callees[2].state(), State::Both);
        let sum: i64 = answer.callers.iter().filter_map(|n| n.total().delta()).sum();
        let row = answer.row.unwrap() as usize;
        let all = Engine::inline().now(&pair, &query.functions, &Job::new()).unwrap();
        assert_eq!(Some(sum), all.rows[row].total().delta(), "all of it comes from callers");
    }
}
