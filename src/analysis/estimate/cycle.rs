//! Functions that call each other in a circle, as far as their paths have to be found: numbers of the cycle's own.

use super::flow::Flow;
use crate::model::lists::Lists;

/// Rounds of finding how much goes along recursive calls.
const ROUNDS: usize = 60;
/// The callee is outside.
pub const OUTSIDE: u32 = u32::MAX;

/// Calls of a function of the cycle.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Number in [`Flow::calls`].
    pub call: u32,
    /// Caller.
    pub from: u32,
    /// Callee, or [`OUTSIDE`].
    pub to: u32,
    /// Recorded cost: of the outermost calls, where calls were open inside one another.
    pub cost: f64,
    /// Cost of all calls, those inside of others counted again.
    pub flow: f64,
    /// Outermost calls, so many places at most.
    pub places: f64,
    /// True when all of the outermost cost is one call.
    pub once: bool,
    /// True when a call can be open inside another one.
    pub again: bool,
}

impl Link {
    /// True when the callee is in the cycle.
    pub fn is_inside(&self) -> bool {
        self.to != OUTSIDE
    }
}

/// Where the cycle is entered.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The function that is called.
    pub function: u32,
    /// The call; `None` for a root.
    pub call: Option<u32>,
    /// What enters.
    pub cost: f64,
}

/// The cycle.
pub struct Cycle {
    /// Own cost per function.
    pub own: Vec<f64>,
    /// Most that the outermost calls of a function can cost; infinite when the file does not say.
    pub total: Vec<f64>,
    /// Cost of all calls of a function, those inside of others counted again.
    pub activity: Vec<f64>,
    /// Own cost of a function and that of its calls out of the cycle that have no place of their own.
    pub spread: Vec<f64>,
    /// What a call spends itself and outside of the cycle, on average.
    pub per_call: Vec<f64>,
    /// True when calls of the function can be open inside one another.
    pub recursive: Vec<bool>,
    /// Calls that start in the cycle.
    pub links: Vec<Link>,
    /// Links by caller.
    pub out: Lists<u32>,
    /// Where it is entered.
    pub entries: Vec<Entry>,
    /// True when recorded costs of calls count those inside of one another again.
    pub summed: bool,
    /// What it spends in all.
    pub spent: f64,
    /// What is compared: the whole run.
    pub whole: f64,
}

impl Cycle {
    /// Component number `cycle` of a flow.
    pub fn of(flow: &Flow, cycle: usize, local: &mut [u32]) -> Self {
        let nodes = flow.members.of(cycle);
        (0u32..).zip(nodes).for_each(|(i, &n)| local[n as usize] = i);
        let inside = |n: u32| flow.component[n as usize] as usize == cycle;
        let mut entries: Vec<Entry> = flow
            .entries(cycle)
            .map(|c| (c, flow.calls[c as usize]))
            .filter(|(_, call)| call.cost > 0.0)
            .map(|(c, call)| Entry { function: local[call.to as usize], call: Some(c), cost: call.cost })
            .collect();
        let roots = flow.roots.iter().filter(|r| inside(r.0) && r.1 > 0.0);
        entries.extend(roots.map(|r| Entry { function: local[r.0 as usize], call: None, cost: r.1 }));
        let entered: f64 = entries.iter().map(|e| e.cost).sum();
        // Tools that add up calls inside of one another record more of a function's calls than enters its cycle, and count no
        // recursion but that of a function by itself.
        let counted = nodes.iter().any(|&n| flow.is_recursive_by_others(n as usize));
        let called = |n: u32| {
            let calls = flow.into.of(n as usize).iter().map(|&c| &flow.calls[c as usize]);
            calls.filter(|c| c.from != n).map(|c| c.cost).sum::<f64>()
        };
        let summed = !counted && nodes.iter().any(|&n| called(n) > 1.02 * entered);
        // Who calls itself by way of others is known, on which way is not.
        let recursive = |n: u32| flow.is_recursive(n as usize);
        let single = |n: u32| flow.counts[n as usize].is_some_and(|c| c.all == 1);
        let nested = |call: &super::flow::Call| match (summed, flow.measured) {
            (true, _) => call.all != 1.0,
            (_, false) => recursive(call.from) && recursive(call.to),
            _ => call.all != call.primitive,
        };
        let mut links = Vec::new();
        for &c in nodes.iter().flat_map(|&n| flow.out.of(n as usize)) {
            let call = flow.calls[c as usize];
            let places = if summed { call.all } else { call.primitive };
            links.push(Link {
                call: c,
                from: local[call.from as usize],
                to: if inside(call.to) { local[call.to as usize] } else { OUTSIDE },
                cost: call.cost.max(0.0),
                flow: call.cost.max(0.0),
                places: if call.all > 0.0 { places.max(1.0) } else { f64::INFINITY },
                once: places == 1.0 && call.from != call.to,
                again: inside(call.to) && nested(&call),
            });
        }
        let value = |column: &[f64]| nodes.iter().map(|&n| column[n as usize].max(0.0)).collect::<Vec<_>>();
        let mut this = Self {
            own: value(&flow.own),
            total: nodes
                .iter()
                .map(|&n| if summed && !single(n) { f64::INFINITY } else { flow.total[n as usize].max(0.0) })
                .collect(),
            activity: Vec::new(),
            spread: Vec::new(),
            per_call: Vec::new(),
            recursive: nodes.iter().map(|&n| summed && !single(n) || recursive(n)).collect(),
            out: Lists::by(nodes.len(), links.iter().map(|l| l.from)),
            links,
            entries,
            summed,
            spent: 0.0,
            whole: flow.whole,
        };
        let calls = |i: usize| flow.counts[nodes[i] as usize].map_or(1.0, |c| c.all.max(1) as f64);
        let spent: Vec<f64> = (0..nodes.len()).map(|i| this.spends(i)).collect();
        this.spent = spent.iter().sum();
        this.spread = (0..nodes.len()).map(|i| this.spreads(i)).collect();
        this.per_call = spent.iter().enumerate().map(|(i, s)| s / calls(i)).collect();
        this.find_flows(flow, &spent);
        if !flow.measured {
            // What outermost ones of counted calls cost is not known: as much as can be.
            for link in this.links.iter_mut().filter(|l| l.again) {
                link.cost = link.flow.min(this.total[link.from as usize]).min(this.total[link.to as usize]);
            }
        }
        this
    }

    /// Links of a function.
    pub fn links_of(&self, function: usize) -> impl Iterator<Item = usize> + '_ {
        self.out.of(function).iter().map(|&l| l as usize)
    }

    fn spends(&self, function: usize) -> f64 {
        let leaving = self.links_of(function).map(|l| &self.links[l]).filter(|l| !l.is_inside());
        self.own[function] + leaving.map(|l| l.cost).sum::<f64>()
    }

    fn spreads(&self, function: usize) -> f64 {
        let leaving = self.links_of(function).map(|l| &self.links[l]).filter(|l| !l.is_inside() && !l.once);
        self.own[function] + leaving.map(|l| l.cost).sum::<f64>()
    }

    /// What enters a function's calls in all must be what it spends and passes on; that of recursive calls, of which only the
    /// outermost are recorded, is raised until it is.
    fn find_flows(&mut self, flow: &Flow, spent: &[f64]) {
        let n = self.own.len();
        let mut entered = vec![0.0; n];
        self.entries.iter().for_each(|e| entered[e.function as usize] += e.cost);
        let count = |link: &Link| flow.calls[link.call as usize].all;
        let into: Vec<Vec<usize>> = {
            let mut into = vec![Vec::new(); n];
            for (i, link) in self.links.iter().enumerate().filter(|(_, l)| l.is_inside()) {
                into[link.to as usize].push(i);
            }
            into
        };
        let mut passed = vec![0.0; n];
        for _ in 0..ROUNDS {
            passed.copy_from_slice(spent);
            self.links.iter().filter(|l| l.is_inside()).for_each(|l| passed[l.from as usize] += l.flow);
            let mut raised = 0.0f64;
            for f in 0..n {
                let open =
                    |&&i: &&usize| !self.summed && self.links[i].again && self.links[i].from as usize != f;
                let calls: f64 = into[f].iter().filter(open).map(|&i| count(&self.links[i])).sum();
                let known = entered[f] + into[f].iter().map(|&i| self.links[i].flow).sum::<f64>();
                let lacking = passed[f] - known;
                if calls == 0.0 || lacking <= 1e-9 * self.whole {
                    continue;
                }
                for i in into[f].iter().copied().filter(|i| open(&i)).collect::<Vec<_>>() {
                    let more = lacking * count(&self.links[i]) / calls;
                    self.links[i].flow += more;
                    passed[self.links[i].from as usize] += more;
                    raised = raised.max(more);
                }
            }
            if raised < 1e-6 * self.whole {
                break;
            }
        }
        passed.copy_from_slice(spent);
        self.links.iter().filter(|l| l.is_inside()).for_each(|l| passed[l.from as usize] += l.flow);
        self.activity = passed.iter().map(|&a| a.max(1e-9)).collect();
    }
}
