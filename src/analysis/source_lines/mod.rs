//! What each source line of a function costs, or of the whole file that it is in.
//!
//! Callgrind counts per line, inlined code under its own file. Samples count where their frames say a line:
//! self for the innermost frame, total for any, a line once per stack. Where a line calls others and the profile
//! says so, the calls stand below it ([`LineCall`]). What has no lines (cProfile, spans)
//! has its costs at the line where the function is defined, and says so ([`Grain::Definition`]).

mod adding;
mod graph;
mod samples;
#[cfg(test)]
mod tests;

use super::Shape;
use super::formula::terms;
use super::functions::{Functions, graph_of};
use super::scope::Slice;
use super::whole::Whole;
use crate::jobs::Cancelled;
use crate::model::{FunctionId, MetricId, NameKey, Profile, StringId, SymbolKey};
use crate::query::{Context, Query};
use adding::Adding;
pub(super) use graph::{columns, sum};
use samples::has_lines;

/// How finely the profile knows where cost was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Grain {
    /// Per line.
    Lines,
    /// Per function: its cost stands at the line where it is defined.
    #[default]
    Definition,
}

/// A line and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Its number, from 1.
    pub line: u32,
    /// Own cost.
    pub own: i64,
    /// Own cost and that of what the line called; `None` when the tool does not say. Calls of the line's own
    /// function are in the outer call already and count once.
    pub total: Option<i64>,
    /// Samples with the line on the stack, calls made from it, or calls of a function defined there; `None`
    /// when not counted.
    pub count: Option<u64>,
}

/// Calls of one function from one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCall {
    /// The line, from 1.
    pub line: u32,
    /// Who is called.
    pub callee: FunctionId,
    /// Calls, or samples of them; `None` when not counted.
    pub count: Option<u64>,
    /// Total cost of these calls.
    pub cost: i64,
    /// True for a function that calls itself.
    pub recursive: bool,
}

/// The lines of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLines {
    /// The file as the profile names it.
    pub file: StringId,
    /// Its lines with costs, ascending.
    pub rows: Vec<LineRow>,
    /// What these lines call: ascending lines, each with the most expensive callee first.
    pub calls: Vec<LineCall>,
    /// Sum of their own costs.
    pub own: i64,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineTable {
    /// How finely the costs are known.
    pub grain: Grain,
    /// True when the profile says which lines call.
    pub has_calls: bool,
    /// True when counts are samples, false when they are calls.
    pub sampled: bool,
    /// The file of the function first, then files of inlined code, most expensive first.
    pub files: Vec<FileLines>,
    /// Own cost of the function.
    pub own: i64,
    /// Total cost of the function.
    pub total: i64,
    /// Own cost without a known line.
    pub unplaced: i64,
    /// What shares are of, beside costs of the function.
    pub whole: Whole,
}

/// Computes the [`LineTable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lines {
    /// Which part, in which metric.
    pub slice: Slice,
    /// Whose lines.
    pub function: SymbolKey,
    /// `None` for lines of the function alone, a file for all functions in it.
    pub whole_file: Option<NameKey>,
}

impl Query for Lines {
    type Output = LineTable;

    fn run(&self, cx: &Context<'_>) -> Result<LineTable, Cancelled> {
        let profile = cx.profile();
        let functions = cx.get(&Functions(self.slice.clone()))?;
        let Some(asked) = Asked::of(self, profile) else {
            return Ok(LineTable { whole: functions.whole, ..LineTable::default() });
        };
        let row = functions.rows.iter().find(|r| r.function == asked.function);
        let mut table = LineTable {
            own: row.map_or(0, |r| r.own),
            total: row.map_or(0, |r| r.total),
            whole: functions.whole,
            ..LineTable::default()
        };
        let mut adding = Adding::default();
        let file = profile.functions.get(asked.function).file;
        match graph_of(profile).filter(|g| g.lines.metrics() > 0) {
            Some(graph) => {
                table.grain = Grain::Lines;
                asked.of_graph(graph, &mut adding);
                asked.calls_of_graph(graph, &mut adding);
                table.has_calls = !graph.sites.is_empty();
            }
            None if has_lines(profile, asked.function) => {
                (table.grain, table.sampled) = (Grain::Lines, true);
                let tree = cx.get(&Shape(self.slice.scope.clone()))?;
                asked.of_samples(profile, &tree, cx, &mut adding)?;
            }
            None => {
                for r in functions.rows.iter().filter(|r| r.module.is_none()) {
                    let f = profile.functions.get(r.function);
                    let wanted = match asked.whole_file {
                        None => r.function == asked.function,
                        Some(file) => f.file == file,
                    };
                    if wanted {
                        let line = adding.at(f.file, f.line);
                        line.own = line.own.saturating_add(r.own);
                        line.total = Some(line.total.unwrap_or(0).saturating_add(r.total));
                        line.count = r.calls.map(|c| c.all).or(r.samples_total).or(line.count);
                        table.sampled = r.calls.is_none() && r.samples_total.is_some();
                    }
                }
            }
        }
        adding.finish(asked.whole_file.unwrap_or(file), &mut table);
        Ok(table)
    }

    fn weight(table: &LineTable) -> usize {
        let size =
            |f: &FileLines| f.rows.len() * size_of::<LineRow>() + f.calls.len() * size_of::<LineCall>();
        table.files.iter().map(size).sum()
    }
}

/// The question in the ids of one profile.
struct Asked<'a> {
    slice: &'a Slice,
    function: FunctionId,
    whole_file: Option<StringId>,
    /// Measured metrics that the metric is the sum of.
    terms: Vec<(i64, MetricId)>,
}

impl<'a> Asked<'a> {
    /// `None` where the profile lacks the function or the file.
    fn of(query: &'a Lines, profile: &Profile) -> Option<Self> {
        let whole_file = match query.whole_file {
            Some(file) => Some(profile.strings.find(&file)?),
            None => None,
        };
        Some(Self {
            slice: &query.slice,
            function: profile.keys().function(query.function)?,
            whole_file,
            terms: terms(query.slice.metric, profile),
        })
    }
}
