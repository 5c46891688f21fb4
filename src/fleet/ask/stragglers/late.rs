//! Who is late, in which steps, and what that rank did more of.

use super::super::matched::Matched;
use super::super::robust::{heaviest, middle, spread};
use super::super::steps::{GpuTimes, Grid};
use super::{Found, Late, Rests, Why};
use crate::fleet::runs::Job;

/// Behind by less than this share of a step nobody is late.
const LEAST_SHARE: f64 = 0.01;
/// The same of two ranks, which have no spread that tells what is usual.
const LEAST_SHARE_OF_TWO: f64 = 0.03;
/// Behind by less than so many spreads of all ranks nobody is.
const LEAST_SPREADS: f64 = 6.0;
/// To be late once is worth a word from here on, as a share of the step and in spreads.
const HICCUP: (f64, f64) = (0.10, 10.0);
/// So many steps with a late rank are a habit, as a share of all steps.
const OFTEN: f64 = 0.4;
/// More bytes than the middle rank from this factor on are an imbalance.
const MORE_BYTES: f64 = 1.1;

/// How long each rank waited in each step, or what stands for that.
pub(super) struct Waits {
    pub rests: Rests,
    /// Step by step, how far behind the middle rank each rank is, ns: above 0 it is late.
    pub behind: Vec<Option<i64>>,
    /// What the middle rank waits in each step, ns.
    pub middles: Vec<i64>,
    /// What transfers take in each step, ns, for the middle rank.
    pub transfers: Vec<i64>,
    /// Transfers of each rank in each step, ns.
    own_transfers: Vec<i64>,
    /// Bytes that each rank exchanges with all others in each step.
    exchanged: Vec<i64>,
    ranks: usize,
}

impl Waits {
    pub fn of(grid: &Grid, matched: &Matched) -> Self {
        let (steps, ranks) = (grid.steps.len(), grid.ranks);
        let mut waits = vec![0i64; steps * ranks];
        let mut takes_part = vec![false; steps * ranks];
        let mut own_transfers = vec![0i64; steps * ranks];
        let mut exchanged = vec![0i64; steps * ranks];
        for operation in &matched.operations {
            let step = operation.step.and_then(|step| grid.steps.binary_search(&step).ok());
            let Some(step) = step else { continue };
            let transfer = operation.transfer();
            let to_all = matched.kinds[operation.kind as usize] == "all_to_all";
            for part in &operation.parts {
                let at = step * ranks + part.rank as usize;
                waits[at] = waits[at].saturating_add(part.took.saturating_sub(transfer));
                own_transfers[at] = own_transfers[at].saturating_add(transfer);
                takes_part[at] = true;
                if to_all {
                    exchanged[at] = exchanged[at].saturating_add(part.bytes.unwrap_or(0));
                }
            }
        }
        let gpus = grid.cells.iter().flatten().any(|c| c.gpu.is_some());
        let rests = match () {
            () if takes_part.iter().any(|&t| t) => Rests::Waits,
            () if gpus => Rests::Compute,
            () => Rests::Steps,
        };
        let mut all = Self {
            rests,
            behind: vec![None; steps * ranks],
            middles: Vec::with_capacity(steps),
            transfers: Vec::with_capacity(steps),
            own_transfers,
            exchanged,
            ranks,
        };
        for step in 0..steps {
            // How early each is: who waits is early, who takes long is not.
            let early = |rank: usize| -> Option<i64> {
                let at = step * ranks + rank;
                match rests {
                    Rests::Waits => takes_part[at].then_some(waits[at]),
                    Rests::Compute => grid.cell(step, rank)?.gpu.map(|g| -g.compute),
                    Rests::Steps => grid.cell(step, rank).map(|c| -c.took),
                }
            };
            let of: Vec<Option<i64>> = (0..ranks).map(early).collect();
            let mut known: Vec<i64> = of.iter().flatten().copied().collect();
            // Of two the earlier one: there is no middle that one of them is far from.
            let usual = if known.len() == 2 { known.iter().max().copied() } else { middle(&mut known) };
            let usual = usual.unwrap_or(0);
            for (rank, early) in of.iter().enumerate() {
                all.behind[step * ranks + rank] = early.map(|early| usual.saturating_sub(early));
            }
            all.middles.push(usual);
            let row = step * ranks..(step + 1) * ranks;
            let there =
                all.own_transfers[row.clone()].iter().zip(&takes_part[row]).filter(|(_, part)| **part);
            all.transfers.push(middle(&mut there.map(|(t, _)| *t).collect::<Vec<_>>()).unwrap_or(0));
        }
        all
    }

    fn row(&self, step: usize) -> &[Option<i64>] {
        &self.behind[step * self.ranks..(step + 1) * self.ranks]
    }
}

/// What a step is measured by.
struct Limits {
    /// Behind by more than this is late, ns.
    late: f64,
    /// Behind by more than this is worth a word even once, ns.
    hiccup: f64,
}

fn limits(grid: &Grid, waits: &Waits) -> Vec<Limits> {
    let steps = 0..grid.steps.len();
    let spread = |step: usize| {
        let behind: Vec<i64> = waits.row(step).iter().flatten().copied().collect();
        if behind.len() > 2 { spread(&behind, 0) } else { 0.0 }
    };
    let spreads: Vec<f64> = steps.clone().map(spread).collect();
    // A few ranks may lie close together by chance: then other steps say what is usual.
    let usual = middle(&mut spreads.iter().map(|s| *s as i64).collect::<Vec<_>>()).unwrap_or(0) as f64;
    let least = if waits.ranks > 2 { LEAST_SHARE } else { LEAST_SHARE_OF_TWO };
    let of = |step: usize| {
        let took = middle(&mut grid.of_step(step).map(|c| c.took).collect::<Vec<_>>()).unwrap_or(0) as f64;
        let spread = spreads[step].max(usual);
        Limits {
            late: (least * took).max(LEAST_SPREADS * spread),
            hiccup: (HICCUP.0 * took).max(HICCUP.1 * spread),
        }
    };
    steps.map(of).collect()
}

/// A rank with the steps in which it is late.
struct Suspect {
    rank: usize,
    steps: std::ops::Range<usize>,
    late: Vec<usize>,
}

pub(super) fn find(job: &Job, hosts: &[Option<&str>], grid: &Grid, waits: &Waits) -> Vec<Found> {
    let steps = grid.steps.len();
    let limits = limits(grid, waits);
    let above = |step: usize, rank: usize, limit: f64| {
        waits.behind[step * waits.ranks + rank].is_some_and(|behind| behind as f64 > limit)
    };
    // Who is late step after step: in at least three, and in a good part of all.
    let enough = (steps * 15 / 100).max(3).min(steps);
    let mut fixed: Vec<Suspect> = Vec::new();
    for rank in 0..waits.ranks {
        let is_late = |step: usize| above(step, rank, limits[step].late);
        let Some((range, score)) = heaviest((0..steps).map(|step| if is_late(step) { 1 } else { -1 })) else {
            continue;
        };
        let late: Vec<usize> = range.clone().filter(|&step| is_late(step)).collect();
        if late.len() >= enough && score >= enough.min(3) as i64 {
            fixed.push(Suspect { rank, steps: range, late });
        }
    }
    let apart = |a: &Suspect, b: &Suspect| a.steps.end <= b.steps.start || b.steps.end <= a.steps.start;
    let take_turns =
        fixed.len() >= 3 && fixed.iter().enumerate().all(|(i, a)| fixed[..i].iter().all(|b| apart(a, b)));
    if take_turns {
        fixed.clear();
    }
    let is_fixed = |rank: usize| fixed.iter().any(|s| s.rank == rank);
    // Who is late now and then.
    let mut now_and_then: Vec<(usize, usize)> = Vec::new();
    for (step, limits) in limits.iter().enumerate() {
        let late = (0..waits.ranks).filter(|&rank| !is_fixed(rank) && above(step, rank, limits.late));
        now_and_then.extend(late.map(|rank| (step, rank)));
    }
    let mut in_steps: Vec<usize> = now_and_then.iter().map(|(step, _)| *step).collect();
    in_steps.dedup();
    let mut who: Vec<usize> = now_and_then.iter().map(|(_, rank)| *rank).collect();
    who.sort_unstable();
    who.dedup();
    let habit = ((steps as f64 * OFTEN).ceil() as usize).max(4);
    let mut found = Vec::new();
    if in_steps.len() >= habit && who.len() >= 3.min(waits.ranks) {
        let behind = |(step, rank): &(usize, usize)| waits.behind[step * waits.ranks + rank].unwrap_or(0);
        let mut all: Vec<i64> = now_and_then.iter().map(behind).collect();
        found.push(Found::Rotating {
            steps: in_steps.len(),
            ranks: who.len(),
            behind: middle(&mut all).unwrap_or(0),
            cost: cost(grid, waits, &in_steps),
        });
    } else {
        let once = now_and_then.iter().filter(|(step, rank)| above(*step, *rank, limits[*step].hiccup));
        found.extend(once.map(|&(step, rank)| {
            let suspect = Suspect { rank, steps: step..step + 1, late: vec![step] };
            Found::Hiccup(late(job, hosts, grid, waits, &suspect))
        }));
    }
    let all = fixed.iter().map(|suspect| late(job, hosts, grid, waits, suspect)).collect();
    found.extend(together(all, job, hosts).into_iter().map(Found::Fixed));
    found
}

/// What is late of one suspect.
fn late(job: &Job, hosts: &[Option<&str>], grid: &Grid, waits: &Waits, suspect: &Suspect) -> Late {
    let behind = suspect.late.iter().filter_map(|step| waits.behind[step * waits.ranks + suspect.rank]);
    let behind = middle(&mut behind.collect::<Vec<_>>()).unwrap_or(0);
    let (why, excess) = why(grid, waits, suspect, behind);
    let (first, last) =
        (suspect.late.first().copied().unwrap_or(0), suspect.late.last().copied().unwrap_or(0));
    Late {
        ranks: vec![job.ranks[suspect.rank].0],
        hosts: hosts[suspect.rank].map(str::to_owned).into_iter().collect(),
        whole_host: false,
        steps: (grid.steps[first], grid.steps[last]),
        in_steps: suspect.late.len(),
        since: first > 0,
        // One step of many that chance made a good one is no end.
        to_end: last + 1 + grid.steps.len() / 20 >= grid.steps.len(),
        why,
        behind,
        excess,
        kernels: Vec::new(),
        cost: cost(grid, waits, &suspect.late),
    }
}

/// What the suspect did longer than the middle rank in the steps in which it was late, if that explains half of it.
fn why(grid: &Grid, waits: &Waits, suspect: &Suspect, behind: i64) -> (Why, Option<f64>) {
    // How much more of something it has, and what the middle rank has of it.
    let more = |of: &dyn Fn(usize, usize) -> Option<i64>| -> Option<(i64, i64)> {
        let (mut excess, mut usual) = (Vec::new(), Vec::new());
        for &step in &suspect.late {
            let Some(own) = of(step, suspect.rank) else { continue };
            let all = (0..waits.ranks).filter(|&rank| rank != suspect.rank).filter_map(|rank| of(step, rank));
            let Some(middle) = middle(&mut all.collect::<Vec<_>>()) else { continue };
            excess.push(own.saturating_sub(middle));
            usual.push(middle);
        }
        Some((middle(&mut excess)?, middle(&mut usual)?))
    };
    let gpu =
        |value: fn(&GpuTimes) -> i64| more(&move |step, rank| grid.cell(step, rank)?.gpu.as_ref().map(value));
    let at = |column: &[i64], step: usize, rank: usize| Some(column[step * waits.ranks + rank]);
    let bytes = more(&|step, rank| at(&waits.exchanged, step, rank));
    if let Some((excess, usual)) = bytes
        && usual > 0
        && excess as f64 > (MORE_BYTES - 1.0) * usual as f64
    {
        return (Why::Imbalance, Some(excess as f64 / usual as f64));
    }
    let links =
        (waits.rests == Rests::Waits).then(|| more(&|step, rank| at(&waits.own_transfers, step, rank)));
    let candidates = [
        (Why::Compute, gpu(|g| g.compute)),
        (Why::Copies, gpu(|g| g.copies)),
        (Why::Link, links.flatten()),
        (Why::Host, gpu(|g| g.idle)),
    ];
    let best = candidates
        .iter()
        .filter_map(|(why, more)| more.map(|(e, usual)| (e, usual, *why)))
        .max_by_key(|c| c.0);
    match best {
        Some((excess, usual, why)) if excess.saturating_mul(2) >= behind => {
            let share = (usual > 0 && why != Why::Host).then(|| excess as f64 / usual as f64);
            (why, share)
        }
        _ => (Why::Unclear, None),
    }
}

/// What the middle rank waits in these steps at most, as a share of all steps: waiting that other work hides costs nothing.
fn cost(grid: &Grid, waits: &Waits, steps: &[usize]) -> f64 {
    let of = |step: usize, value: &dyn Fn(usize) -> Option<i64>| {
        middle(&mut (0..waits.ranks).filter_map(value).collect::<Vec<_>>())
            .filter(|_| step < grid.steps.len())
    };
    let took = |step: usize| of(step, &|rank| grid.cell(step, rank).map(|c| c.took)).unwrap_or(0);
    let whole: i64 = (0..grid.steps.len()).map(took).sum();
    let lost = |&step: &usize| {
        let exposed = of(step, &|rank| grid.cell(step, rank)?.gpu.map(|g| g.exposed));
        // Without waits it is how far behind the last one is.
        let wait = match waits.rests {
            Rests::Waits => waits.middles[step],
            _ => waits.row(step).iter().flatten().copied().max().unwrap_or(0),
        };
        if waits.rests == Rests::Waits { exposed.map_or(wait, |exposed| wait.min(exposed)) } else { wait }
    };
    let lost: i64 = steps.iter().map(lost).sum();
    if whole > 0 { lost as f64 / whole as f64 } else { 0.0 }
}

/// Ranks that are late for the same reason in nearly the same steps, when they are all ranks of their host.
fn together(all: Vec<Late>, job: &Job, hosts: &[Option<&str>]) -> Vec<Late> {
    let mut merged: Vec<Late> = Vec::new();
    for one in all {
        let host = one.hosts.first().cloned();
        let same = |other: &&mut Late| {
            host.is_some() && other.hosts.first() == host.as_ref() && other.why == one.why
        };
        match merged.iter_mut().find(same) {
            Some(other) => {
                other.ranks.extend(&one.ranks);
                other.steps = (other.steps.0.min(one.steps.0), other.steps.1.max(one.steps.1));
                other.since &= one.since;
                other.to_end |= one.to_end;
                other.in_steps = other.in_steps.max(one.in_steps);
                other.behind = other.behind.max(one.behind);
                other.cost = other.cost.max(one.cost);
            }
            None => merged.push(one),
        }
    }
    for late in &mut merged {
        let on_host =
            job.ranks.iter().zip(hosts).filter(|(_, host)| **host == late.hosts.first().map(String::as_str));
        late.whole_host = late.ranks.len() > 1 && on_host.count() == late.ranks.len();
    }
    merged
}
