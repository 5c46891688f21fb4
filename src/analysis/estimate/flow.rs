//! A recorded call graph as a flow of cost: what enters each function along its calls, and where paths begin.
//!
//! Outside of cycles the recorded numbers are consistent to the last digit, and stay as they are. What files lack is
//! filled in: costs of calls that the tool only counted (by fitting them to the totals on both sides), and
//! calls that were recorded with 0 although the caller's total lacks what the callee spent. What callers do not
//! explain after that enters from outside: a root.

use crate::analysis::functions::graph_column;
use crate::analysis::whole::Whole;
use crate::model::cycles::components;
use crate::model::lists::Lists;
use crate::model::{CallGraph, Calls, MetricId};

/// Rounds of fitting counted calls to totals.
const ROUNDS: usize = 60;
/// What is less than this share of the whole is rounding.
const NOISE: f64 = 1e-9;
/// Totals that are this much larger than what flows are no rounding.
const CLEARLY: f64 = 1.001;

/// Calls along an edge, with their cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    /// Node of the caller.
    pub from: u32,
    /// Node of the callee.
    pub to: u32,
    /// What goes along it.
    pub cost: f64,
    /// All calls; 0 when not counted.
    pub all: f64,
    /// Calls while no other call along the same edge was open.
    pub primitive: f64,
}

/// The flow of one metric.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Own cost per node.
    pub own: Vec<f64>,
    /// Total per node, as recorded.
    pub total: Vec<f64>,
    /// Calls per node.
    pub counts: Vec<Option<Calls>>,
    /// Calls between nodes, in the order of the graph's edges.
    pub calls: Vec<Call>,
    /// Calls that leave each node.
    pub out: Lists<u32>,
    /// Calls that reach each node.
    pub into: Lists<u32>,
    /// The cycle of each node; callees have the lower numbers.
    pub component: Vec<u32>,
    /// Nodes by cycle.
    pub members: Lists<u32>,
    /// Number of cycles.
    pub components: usize,
    /// Nodes where paths begin, and what enters there, largest first.
    pub roots: Vec<(u32, f64)>,
    /// What enters each node, of which its paths are shares.
    pub inflow: Vec<f64>,
    /// Sum of own costs.
    pub own_sum: f64,
    /// What shares are of: own costs, or what enters at the roots, if that is more.
    pub whole: f64,
    /// False when the tool measured no costs of calls.
    pub measured: bool,
}

impl Flow {
    /// The flow of a sum of metrics.
    pub fn of(graph: &CallGraph, terms: &[(i64, MetricId)]) -> Self {
        let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
        let column = |c: fn(&crate::model::GraphCosts) -> &Vec<i64>, n| -> Vec<f64> {
            graph_column(graph, terms, c, n).into_iter().map(|v| v as f64).collect()
        };
        let own = column(|c| &c.node_self, nodes);
        let cost = column(|c| &c.edge_total, edges);
        let measured = graph.costs.iter().any(|c| c.edges_measured) || cost.iter().any(|&c| c != 0.0);
        let count = |calls: Option<Calls>| calls.map_or((0.0, 0.0), |c| (c.all as f64, c.primitive as f64));
        let call = |(edge, &cost): (&crate::model::CallEdge, &f64)| {
            let (all, primitive) = count(edge.calls);
            Call { from: edge.caller.0, to: edge.callee.0, cost, all, primitive }
        };
        let calls: Vec<Call> = graph.edges.iter().zip(&cost).map(call).collect();
        let (out, into) =
            (Lists::by(nodes, calls.iter().map(|c| c.from)), Lists::by(nodes, calls.iter().map(|c| c.to)));
        let found = components(nodes, calls.iter().map(|c| (c.from, c.to)));
        let members = found.members();
        let own_sum = own.iter().sum();
        let mut flow = Self {
            own,
            total: column(|c| &c.node_total, nodes),
            counts: graph.nodes.iter().map(|n| n.calls).collect(),
            calls,
            out,
            into,
            component: found.of,
            members,
            components: found.count,
            roots: Vec::new(),
            inflow: Vec::new(),
            own_sum,
            whole: 0.0,
            measured,
        };
        if !measured {
            flow.fit_counted_calls();
        }
        flow.close_gaps();
        flow.whole = flow.own_sum.max(flow.roots.iter().map(|r| r.1).sum());
        flow
    }

    /// What shares are of, in whole units.
    pub fn whole(&self) -> Whole {
        Whole { own: self.own_sum.round() as i64, total: self.whole.round() as i64 }
    }

    /// True when the node calls itself, or others that call it.
    pub fn in_cycle(&self, node: usize) -> bool {
        self.members.of(self.component[node] as usize).len() > 1 || self.own_call(node).is_some()
    }

    /// The calls of a node by itself.
    pub fn own_call(&self, node: usize) -> Option<u32> {
        self.out.of(node).iter().copied().find(|&c| self.calls[c as usize].to as usize == node)
    }

    /// True when calls of the function were open inside one another.
    pub fn is_recursive(&self, node: usize) -> bool {
        self.counts[node].is_some_and(|c| c.all != c.primitive)
    }

    /// True when calls of the function were open inside one another, by way of other functions.
    pub fn is_recursive_by_others(&self, node: usize) -> bool {
        let own = self.own_call(node).map_or(0.0, |c| self.calls[c as usize].all);
        self.counts[node].is_some_and(|c| c.all.saturating_sub(c.primitive) as f64 > own)
    }

    /// False for a file that names no callers although totals hold the costs of callees.
    pub fn has_paths(&self) -> bool {
        !self.calls.is_empty() || self.own.iter().zip(&self.total).all(|(own, total)| total <= own)
    }

    /// Costs of calls that were only counted: by calls at first, then fitted to what callers spent in calls and to the
    /// totals of callees. A total of a recursive function is that of its outermost calls, all those from outside of its
    /// cycle among them, and says nothing about single calls within; there what enters a cycle is fitted to what it spends.
    fn fit_counted_calls(&mut self) {
        let nodes = self.own.len();
        let once: Vec<bool> = (0..nodes).map(|n| !self.is_recursive(n)).collect();
        let called = self.share_counted_calls(&once);
        let is_entry = |flow: &Self, call: &Call| {
            flow.component[call.from as usize] != flow.component[call.to as usize]
                && flow.members.of(flow.component[call.to as usize] as usize).len() > 1
        };
        let entry: Vec<bool> = self.calls.iter().map(|call| is_entry(self, call)).collect();
        let mut sums = vec![0.0; nodes];
        let (mut entered, mut spent) = (vec![0.0; self.components], vec![0.0; self.components]);
        for _ in 0..ROUNDS {
            sums.fill(0.0);
            self.calls.iter().for_each(|c| sums[c.from as usize] += c.cost);
            for call in &mut self.calls {
                let from = call.from as usize;
                if once[from] && sums[from] > 0.0 && self.total[from] > 0.0 {
                    call.cost *= (self.total[from] - self.own[from]).max(0.0) / sums[from];
                }
            }
            sums.fill(0.0);
            self.calls.iter().for_each(|c| sums[c.to as usize] += c.cost);
            for call in &mut self.calls {
                let to = call.to as usize;
                if once[to] && sums[to] > 0.0 {
                    call.cost *= called[to] / sums[to];
                }
            }
            entered.fill(0.0);
            spent.fill(0.0);
            self.component.iter().zip(&self.own).for_each(|(&c, own)| spent[c as usize] += own);
            for call in &self.calls {
                let (from, to) = (self.component[call.from as usize], self.component[call.to as usize]);
                if from != to {
                    spent[from as usize] += call.cost;
                    entered[to as usize] += call.cost;
                }
            }
            for (call, _) in self.calls.iter_mut().zip(&entry).filter(|(_, entry)| **entry) {
                let to = self.component[call.to as usize] as usize;
                if entered[to] > 0.0 {
                    call.cost *= (spent[to] / entered[to]).max(0.0);
                }
            }
        }
    }

    /// Shares totals out by calls; the part of each function's total that recorded callers made.
    fn share_counted_calls(&mut self, once: &[bool]) -> Vec<f64> {
        let nodes = self.own.len();
        let (mut counted, mut outside) = (vec![0.0; nodes], vec![0.0; nodes]);
        for call in self.calls.iter().filter(|c| c.from != c.to) {
            counted[call.to as usize] += call.all;
            if self.component[call.from as usize] != self.component[call.to as usize] {
                outside[call.to as usize] += call.all;
            }
        }
        let recorded = |n: usize, of: fn(Calls) -> u64| self.counts[n].map_or(0.0, |c| of(c) as f64).max(1.0);
        for call in &mut self.calls {
            let to = call.to as usize;
            let enters = self.component[call.from as usize] != self.component[to];
            let calls = match enters && !once[to] {
                true => recorded(to, |c| c.primitive).max(outside[to]),
                false => counted[to],
            };
            call.cost = if call.from == call.to || calls == 0.0 {
                0.0
            } else {
                self.total[to].max(1.0) * call.all / calls
            };
        }
        (0..nodes).map(|n| self.total[n] * (counted[n] / recorded(n, |c| c.all)).min(1.0)).collect()
    }

    /// Finds what enters each cycle from outside, callees first, so that what a callee lacks can raise the calls of its
    /// callers.
    fn close_gaps(&mut self) {
        let noise = self.own.iter().map(|c| c.abs()).sum::<f64>() * NOISE;
        let mut spent: Vec<f64> = (0..self.components).map(|cycle| self.spent(cycle)).collect();
        for cycle in 0..self.components {
            let entries: Vec<u32> = self.entries(cycle).collect();
            let entered: f64 = entries.iter().map(|&c| self.calls[c as usize].cost).sum();
            let mut lacking = spent[cycle] - entered;
            if !self.measured && entered > 0.0 && spent[cycle] > 0.0 && self.is_explained(cycle) {
                for c in entries {
                    let more = self.calls[c as usize].cost * (spent[cycle] / entered - 1.0);
                    self.calls[c as usize].cost += more;
                    spent[self.component[self.calls[c as usize].from as usize] as usize] += more;
                }
                continue;
            }
            if lacking > noise {
                lacking -= self.raise(&entries, lacking, noise, &mut spent);
            }
            if lacking.abs() <= noise || lacking < 0.0 && !entries.is_empty() {
                continue;
            }
            let Some(root) = self.root_of(cycle) else { continue };
            // The total of the outermost call is more than all that is known to run inside: time that no function has
            // as its own. A total that adds up calls inside of one another says nothing about it.
            let outermost = self.members.of(cycle).len() == 1 || self.is_recursive(root);
            let known = outermost && entries.is_empty() && !self.calls.is_empty();
            let more = known && self.total[root] > CLEARLY * lacking && lacking > 0.0;
            self.roots.push((root as u32, if more { self.total[root] } else { lacking }));
        }
        self.roots.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        self.inflow = vec![0.0; self.own.len()];
        self.roots.iter().for_each(|&(node, cost)| self.inflow[node as usize] += cost);
        self.calls.iter().for_each(|c| self.inflow[c.to as usize] += c.cost);
    }

    /// Calls that enter a cycle.
    pub fn entries(&self, cycle: usize) -> impl Iterator<Item = u32> + '_ {
        let into = self.members.of(cycle).iter().flat_map(|&n| self.into.of(n as usize));
        into.copied().filter(move |&c| self.component[self.calls[c as usize].from as usize] as usize != cycle)
    }

    /// What a cycle spends itself and in calls that leave it.
    pub fn spent(&self, cycle: usize) -> f64 {
        let of = |&n: &u32| {
            let leaving = self.out.of(n as usize).iter().map(|&c| &self.calls[c as usize]);
            let leaving = leaving.filter(|c| self.component[c.to as usize] as usize != cycle).map(|c| c.cost);
            self.own[n as usize] + leaving.sum::<f64>()
        };
        self.members.of(cycle).iter().map(of).sum()
    }

    /// Raises calls whose callers lack as much in their totals; what was raised.
    fn raise(&mut self, entries: &[u32], lacking: f64, noise: f64, spent: &mut [f64]) -> f64 {
        let caller = |flow: &Self, c: u32| flow.component[flow.calls[c as usize].from as usize] as usize;
        let largest =
            |cycle: usize| self.members.of(cycle).iter().map(|&n| self.total[n as usize]).fold(0.0, f64::max);
        // Large cycles are not measured again for each of their calls.
        let mut known: Option<(usize, f64)> = None;
        let mut lacks = Vec::new();
        for &call in entries {
            let cycle = caller(self, call);
            let total = match known {
                Some((of, total)) if of == cycle => total,
                _ => largest(cycle),
            };
            known = Some((cycle, total));
            if total - spent[cycle] > noise {
                lacks.push((call, total - spent[cycle]));
            }
        }
        let all: f64 = lacks.iter().map(|l| l.1).sum();
        let given = lacking.min(all);
        if given <= 1e-3 * lacking {
            return 0.0;
        }
        for (call, lack) in lacks {
            let cost = given * lack / all;
            self.calls[call as usize].cost += cost;
            spent[caller(self, call)] += cost;
        }
        given
    }

    /// True when recorded callers made all calls.
    fn is_explained(&self, cycle: usize) -> bool {
        let made = |n: usize| self.into.of(n).iter().map(|&c| self.calls[c as usize].all).sum::<f64>();
        let all = |n: usize| self.counts[n].map_or(0.0, |c| c.all as f64);
        self.members.of(cycle).iter().all(|&n| made(n as usize) >= all(n as usize))
    }

    /// Where a cycle is entered that callers do not explain: by the function with calls that nobody made, of those
    /// the one with the largest total.
    fn root_of(&self, cycle: usize) -> Option<usize> {
        let made = |n: usize| self.into.of(n).iter().map(|&c| self.calls[c as usize].all).sum::<f64>();
        let key = |n: usize| {
            let calls = self.counts[n].map_or(0.0, |c| c.all as f64);
            (self.into.of(n).is_empty() || calls > made(n), self.total[n])
        };
        let members = self.members.of(cycle).iter().map(|&n| n as usize);
        members.max_by(|&a, &b| {
            let (a_key, b_key) = (key(a), key(b));
            a_key.0.cmp(&b_key.0).then(a_key.1.total_cmp(&b_key.1)).then(b.cmp(&a))
        })
    }
}
