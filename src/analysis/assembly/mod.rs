//! The machine instructions of a function: what each cost, what it called and where it jumped, in the order of their addresses.
//!
//! Only files with addresses know them (callgrind's `--dump-instr=yes`). They are sums of the whole run: no part of time and no
//! transform of call paths changes them, so the question has neither. The instructions' text is a question of its own
//! ([`code::MachineCode`]), because it needs the object file; [`listing`] puts both together.

#[cfg(feature = "window")]
pub mod code;
#[cfg(feature = "window")]
mod decode;
pub mod listing;
#[cfg(test)]
mod tests;
pub mod text;

use std::cmp::Reverse;

use super::Slice;
use super::formula::terms;
use super::functions::{Functions, graph_of};
use super::source_lines::{columns, sum};
use super::whole::Whole;
use crate::jobs::Cancelled;
use crate::model::{
    CallGraph, FunctionId, Instructions, MetricKey, NodeId, Profile, StringId, Strings, SymbolKey,
};
use crate::query::{Context, Query};

/// An instruction and what it cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstructionRow {
    /// Where it stands in the object file.
    pub address: u64,
    /// The file of its source line.
    pub file: StringId,
    /// Its source line; 0 when unknown.
    pub line: u32,
    /// Own cost.
    pub own: i64,
    /// Own cost and that of what it called; `None` when the file has no calls. Calls of its own function are in the outer
    /// call already.
    pub total: Option<i64>,
    /// Calls that it made; `None` when not counted.
    pub count: Option<u64>,
}

/// Calls of one function from one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstructionCallRow {
    /// The instruction.
    pub address: u64,
    /// Who is called.
    pub callee: FunctionId,
    /// How often; `None` when not counted.
    pub count: Option<u64>,
    /// Total cost of these calls.
    pub cost: i64,
    /// True for a function that calls itself.
    pub recursive: bool,
}

/// A jump, and how often it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JumpRow {
    /// The instruction that jumps.
    pub from: u64,
    /// The instruction that it jumps to.
    pub to: u64,
    /// True when it depends on what is computed before.
    pub conditional: bool,
    /// How often the instruction ran.
    pub executed: u64,
    /// How often it jumped there.
    pub followed: u64,
    /// False when it leads out of the function, or to an instruction of it that never ran.
    pub inside: bool,
}

impl JumpRow {
    /// What part of the times it ran it jumped there.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.executed > 0).then(|| self.followed as f64 / self.executed as f64)
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssemblyTable {
    /// False when the file has no addresses.
    pub recorded: bool,
    /// False when it has no jumps either.
    pub has_jumps: bool,
    /// The object file that the addresses are in; empty when unknown.
    pub object: StringId,
    /// Instructions that ran, by address.
    pub rows: Vec<InstructionRow>,
    /// What they call: by address, each with the most expensive callee first.
    pub calls: Vec<InstructionCallRow>,
    /// Jumps of the function, by their instruction.
    pub jumps: Vec<JumpRow>,
    /// Own cost of the function.
    pub own: i64,
    /// Total cost of the function.
    pub total: i64,
    /// Own cost of the function that has no address.
    pub unplaced: i64,
    /// What shares are of, beside costs of the function.
    pub whole: Whole,
}

impl Default for AssemblyTable {
    fn default() -> Self {
        Self {
            recorded: false,
            has_jumps: false,
            object: Strings::EMPTY,
            rows: Vec::new(),
            calls: Vec::new(),
            jumps: Vec::new(),
            own: 0,
            total: 0,
            unplaced: 0,
            whole: Whole::default(),
        }
    }
}

impl AssemblyTable {
    /// The place of an instruction among the rows.
    #[must_use]
    pub fn place(&self, address: u64) -> Option<usize> {
        self.rows.binary_search_by_key(&address, |r| r.address).ok()
    }

    /// Calls from an instruction.
    #[must_use]
    pub fn calls_of(&self, address: u64) -> &[InstructionCallRow] {
        let start = self.calls.partition_point(|c| c.address < address);
        let end = self.calls.partition_point(|c| c.address <= address);
        &self.calls[start..end]
    }

    /// Jumps of an instruction: several where it is a jump by a table.
    #[must_use]
    pub fn jumps_of(&self, address: u64) -> &[JumpRow] {
        let start = self.jumps.partition_point(|j| j.from < address);
        let end = self.jumps.partition_point(|j| j.from <= address);
        &self.jumps[start..end]
    }
}

/// True when a profile has instructions to show.
#[must_use]
pub fn has_instructions(profile: &Profile) -> bool {
    graph_of(profile).is_some_and(|g| g.instructions.is_some())
}

/// Computes the [`AssemblyTable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assembly {
    /// The metric.
    pub metric: MetricKey,
    /// Whose instructions.
    pub function: SymbolKey,
}

impl Query for Assembly {
    type Output = AssemblyTable;

    fn run(&self, cx: &Context<'_>) -> Result<AssemblyTable, Cancelled> {
        let profile = cx.profile();
        let functions = cx.get(&Functions(Slice::whole(self.metric)))?;
        let mut table = AssemblyTable {
            recorded: has_instructions(profile),
            whole: functions.whole,
            ..AssemblyTable::default()
        };
        let Some(function) = profile.keys().function(self.function) else { return Ok(table) };
        if let Some(row) = functions.rows.iter().find(|r| r.function == function) {
            (table.own, table.total) = (row.own, row.total);
        }
        table.object = profile.functions.get(function).module;
        if let Some((graph, all, node)) = recorded(profile, function) {
            table.has_jumps = !all.jumps.is_empty();
            let terms = terms(self.metric, profile);
            let of = |known| columns(&terms, graph, known);
            costs(all, node, &of(all.costs.metrics()), &mut table);
            cx.job().checkpoint(0, 0)?;
            calls(graph, all, node, &of(all.calls.metrics()), &mut table);
            jumps(all, node, &mut table);
        }
        let placed = table.rows.iter().map(|r| r.own).fold(0, i64::saturating_add);
        table.unplaced = table.own.saturating_sub(placed);
        Ok(table)
    }

    fn weight(table: &AssemblyTable) -> usize {
        table.rows.len() * size_of::<InstructionRow>()
            + table.calls.len() * size_of::<InstructionCallRow>()
            + table.jumps.len() * size_of::<JumpRow>()
    }
}

/// The graph with its instructions, and the function's node.
fn recorded(profile: &Profile, function: FunctionId) -> Option<(&CallGraph, &Instructions, NodeId)> {
    let graph = graph_of(profile)?;
    let all = graph.instructions.as_deref()?;
    let node = graph.nodes.iter().position(|n| n.function == function)?;
    Some((graph, all, NodeId::from_index(node)))
}

/// Terms of a metric: factors, and columns of costs.
type Terms = [(i64, usize)];

fn costs(all: &Instructions, node: NodeId, terms: &Terms, table: &mut AssemblyTable) {
    let rows = &mut table.rows;
    // Of several lines of one instruction that with most cost counts.
    let mut most = 0;
    for row in all.costs.of(node).iter() {
        let (at, own) = (row.place, sum(terms, row.costs));
        match rows.last_mut().filter(|last: &&mut InstructionRow| last.address == at.address) {
            Some(last) => {
                last.own = last.own.saturating_add(own);
                if own > most {
                    (most, last.file, last.line) = (own, at.file, at.line);
                }
            }
            None => {
                most = own;
                let (file, line) = (at.file, at.line);
                rows.push(InstructionRow { address: at.address, file, line, own, total: None, count: None });
            }
        }
    }
}

fn calls(graph: &CallGraph, all: &Instructions, node: NodeId, terms: &Terms, table: &mut AssemblyTable) {
    for row in all.calls.of(node).iter() {
        let (at, cost) = (row.place, sum(terms, row.costs));
        let recursive = at.callee == node;
        let callee = graph.nodes[at.callee.index()].function;
        table.calls.push(InstructionCallRow {
            address: at.address,
            callee,
            count: row.calls,
            cost,
            recursive,
        });
        // What calls and costs nothing itself is an instruction all the same.
        let place = table.rows.partition_point(|r| r.address < at.address);
        if table.rows.get(place).is_none_or(|r| r.address != at.address) {
            let (file, line) = (Strings::EMPTY, 0);
            let blank = InstructionRow { address: at.address, file, line, own: 0, total: None, count: None };
            table.rows.insert(place, blank);
        }
        let of = &mut table.rows[place];
        of.count = of.count.map_or(row.calls, |n| Some(n.saturating_add(row.calls.unwrap_or(0))));
        if !recursive {
            of.total = Some(of.total.unwrap_or(0).saturating_add(cost));
        }
    }
    if all.calls.is_empty() {
        return;
    }
    for row in &mut table.rows {
        row.total = Some(row.total.unwrap_or(0).saturating_add(row.own));
        if all.calls.is_counted() {
            row.count.get_or_insert(0);
        }
    }
    table.calls.sort_by_key(|c| (c.address, Reverse(c.cost), c.callee));
}

fn jumps(all: &Instructions, node: NodeId, table: &mut AssemblyTable) {
    for row in all.jumps.of(node).iter() {
        let [executed, followed] = row.costs else { continue };
        let at = row.place;
        table.jumps.push(JumpRow {
            from: at.from,
            to: at.to,
            conditional: at.conditional,
            executed: executed.unsigned_abs(),
            followed: followed.unsigned_abs(),
            inside: table.place(at.to).is_some(),
        });
    }
}
