//! Files of Python's sampling profiler (`profiling.sampling`, 3.15 on): entries are lines that ran, counts are samples.
//!
//! ```text
//! {(file, line, name): (samples that ran it, samples with it on the stack, the same in s, …, {caller: samples})}
//! ```
//! Lines of one function are one function with costs by line. How many samples have it on the stack is what enters its
//! lines from other functions; a function that calls itself through others is entered several times, so this is at most
//! all samples. (Early versions counted recursion once per frame; then this is what is left to believe.)

use crate::model::{
    CallSite, Metric, MetricId, NodeCosts, NodeId, ProfileBuilder, SAMPLES, SourceLine, StringId, Unit,
};

/// The key of the entry that marks such a file.
pub(in crate::import) const MARKER: &[u8] = b"__sampled__";

/// Most samples that a line is believed to have, so that sums stay far from the largest number.
const MOST: i64 = 1 << 32;

struct Line {
    node: NodeId,
    place: (StringId, u32),
    direct: i64,
    all: i64,
    own: i64,
    total: i64,
}

/// What was read of such a file.
#[derive(Default)]
pub(super) struct Lines {
    rows: Vec<Line>,
    /// Number of the caller's key, row of the line that is called, samples.
    calls: Vec<(u32, u32, i64)>,
}

impl Lines {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds a line and returns its row.
    pub(super) fn add(
        &mut self,
        node: NodeId,
        place: (StringId, u32),
        (direct, all): (i64, i64),
        (own, total): (i64, i64),
    ) -> u32 {
        let row = self.rows.len() as u32;
        self.rows.push(Line {
            node,
            place,
            direct: direct.clamp(0, MOST),
            all: all.clamp(0, MOST),
            own,
            total,
        });
        row
    }

    /// Adds the samples in which a line was called by another.
    pub(super) fn call(&mut self, caller: u32, row: u32, samples: i64) {
        self.calls.push((caller, row, samples.clamp(0, MOST)));
    }

    /// The keys of callers, one for each call.
    pub(super) fn callers(&self) -> impl Iterator<Item = u32> + '_ {
        self.calls.iter().map(|c| c.0)
    }

    /// Gives everything to the builder and returns the self time in all. `callers`: node and line of each call's caller.
    pub(super) fn fill(
        self,
        callers: &[Option<(NodeId, (StringId, u32))>],
        time: MetricId,
        b: &mut ProfileBuilder,
    ) -> i64 {
        let samples = b.metric(Metric::new(SAMPLES, "Samples", Unit::Count));
        let nodes = b.call_graph().map_or(0, |g| g.nodes.len());
        let whole: i64 = self.rows.iter().map(|l| l.direct).sum();
        // How long a sample is.
        let (counted, spent) =
            self.rows.iter().fold((0i64, 0i64), |(n, ns), l| (n + l.all, ns.saturating_add(l.total)));
        let interval = if counted > 0 { spent as f64 / counted as f64 } else { 0.0 };
        let lasting = |samples: i64| (samples as f64 * interval).round() as i64;
        // Samples that reach each function from another one, or begin with it.
        let mut entering = vec![0i64; nodes];
        let mut most = vec![0i64; nodes];
        let mut called = vec![0i64; self.rows.len()];
        for (&(_, row, n), caller) in self.calls.iter().zip(callers) {
            called[row as usize] += n;
            let node = self.rows[row as usize].node;
            if caller.is_some_and(|(caller, _)| caller != node) {
                entering[node.index()] += n;
            }
        }
        for (line, called) in self.rows.iter().zip(called) {
            entering[line.node.index()] += (line.all - called).max(0);
            most[line.node.index()] = most[line.node.index()].max(line.all);
            b.node_cost(line.node, time, NodeCosts { own: line.own, total: 0 });
            b.node_cost(line.node, samples, NodeCosts { own: line.direct, total: 0 });
            let (file, number) = line.place;
            if number > 0 && (line.own, line.direct) != (0, 0) {
                b.line_cost(SourceLine { node: line.node, file, line: number }, &[line.own, line.direct]);
            }
        }
        let above = self.rows.iter().filter(|l| l.all > whole).count();
        b.warn_many(
            "line in more samples than were taken (recursion counted for each frame; cut to all)",
            "",
            above as u64,
        );
        for (node, (&entering, &most)) in entering.iter().zip(&most).enumerate() {
            let node = NodeId::from_index(node);
            let total = entering.max(most).min(whole);
            b.node_cost(node, time, NodeCosts { own: 0, total: lasting(total) });
            b.node_cost(node, samples, NodeCosts { own: 0, total });
        }
        for (&(_, row, n), caller) in self.calls.iter().zip(callers) {
            let (callee, Some((caller, (file, line)))) = (self.rows[row as usize].node, *caller) else {
                continue;
            };
            let n = n.min(whole);
            let edge = b.edge(caller, callee);
            b.edge_cost(edge, time, lasting(n));
            b.edge_cost(edge, samples, n);
            if line > 0 {
                b.call_site(CallSite { caller, file, line, callee }, None, &[lasting(n), n]);
            }
        }
        b.meta.samples = u64::try_from(whole).ok();
        b.meta.result("Samples", (whole, Unit::Count));
        if counted > 0 {
            b.meta.setting("Sampling interval", (interval.round() as i64, Unit::Nanoseconds));
        }
        self.rows.iter().fold(0i64, |sum, l| sum.saturating_add(l.own))
    }
}
