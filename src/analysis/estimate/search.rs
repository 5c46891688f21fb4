//! The layout of a cycle that contradicts the file least, of several.

use super::cycle::{Cycle, OUTSIDE};
use super::lay::{Laying, Strategy};
use super::settle::Skeleton;
use crate::jobs::{Cancelled, Job};

/// Most layouts that are tried.
const RUNS: usize = 12;
/// Calls and nodes of all layouts after which no other one is tried.
const WORK: usize = 250_000;
/// A layout with less than this is good enough.
const GOOD: f64 = 0.01;
/// Functions with less than this share of the whole are not compared.
const COMPARED: f64 = 0.01;

const STRATEGIES: [Strategy; 5] = [
    Strategy { patience: 6, tight: 0.9, finish: true, far: true, spread: false },
    Strategy { patience: 0, tight: 0.9, finish: false, far: true, spread: false },
    Strategy { patience: 0, tight: 9.0, finish: true, far: true, spread: false },
    Strategy { patience: 3, tight: 0.9, finish: true, far: false, spread: false },
    Strategy { patience: 6, tight: 0.9, finish: false, far: false, spread: false },
];

/// For files that add up calls inside of one another: nothing tells outermost calls.
const SPREAD: Strategy = Strategy { patience: 0, tight: 9.0, finish: true, far: true, spread: true };

/// The best paths of a cycle. What found no place in one layout comes earlier in the next.
pub fn best(cycle: &Cycle, job: &Job) -> Result<Skeleton, Cancelled> {
    let mut boost = vec![1.0; cycle.links.len()];
    let mut best: Option<(f64, Skeleton)> = None;
    let mut work = 0;
    for run in 0..RUNS {
        job.checkpoint(run as u64, RUNS as u64)?;
        let strategy = if cycle.summed && run == 1 { SPREAD } else { STRATEGIES[run % STRATEGIES.len()] };
        let laying = Laying::run(cycle, strategy, &boost);
        let looked = laying.steps.get() / 100 + laying.events / 8;
        work += cycle.links.len() + laying.nodes.len() + looked as usize;
        let starved: Vec<(usize, f64)> = laying.starved().collect();
        let skeleton = Skeleton::of(laying);
        // Of two that are as good the simpler one.
        let error = error(cycle, &skeleton) + 1e-6 * skeleton.nodes.len() as f64;
        if best.as_ref().is_none_or(|b| error < b.0) {
            best = Some((error, skeleton));
        }
        if error < GOOD && !(cycle.summed && run == 0) || work > WORK {
            break;
        }
        for (link, share) in starved {
            if cycle.links[link].cost > 0.003 * cycle.whole {
                boost[link] = f64::min(boost[link] * (1.0 + 0.3 * share), 8.0);
            }
        }
    }
    Ok(best.map(|b| b.1).unwrap_or_default())
}

/// How far the paths are from the file: mean and 90th percentile of errors of totals, the same of what is spent, and
/// what has no place.
fn error(cycle: &Cycle, skeleton: &Skeleton) -> f64 {
    let nodes = &skeleton.nodes;
    let functions = cycle.own.len();
    let mut own = vec![0.0; functions];
    let mut leaving = vec![0.0; cycle.links.len()];
    for node in nodes {
        match node.function {
            OUTSIDE => leaving[node.link as usize] += node.total,
            function => own[function as usize] += node.own,
        }
    }
    let out: Vec<f64> = cycle.links.iter().map(|l| if l.is_inside() { 0.0 } else { l.cost }).collect();
    let total = skeleton.outermost(functions);
    let errors = |found: &[f64], recorded: &[f64]| -> Vec<f64> {
        let compared =
            found.iter().zip(recorded).filter(|(_, r)| **r > COMPARED * cycle.whole && r.is_finite());
        compared.map(|(f, r)| ((f - r).abs() / r).min(1.0)).collect()
    };
    let mean = |errors: &[f64]| errors.iter().sum::<f64>() / errors.len().max(1) as f64;
    let p90 = |errors: &mut Vec<f64>| {
        errors.sort_by(f64::total_cmp);
        errors.get(errors.len() * 9 / 10).copied().unwrap_or(0.0)
    };
    let (mut own, mut total) = (errors(&own, &cycle.own), errors(&total, &cycle.total));
    own.extend(errors(&leaving, &out));
    let lost = if cycle.spent > 0.0 { (1.0 - skeleton.placed() / cycle.spent).max(0.0) } else { 0.0 };
    mean(&total) + p90(&mut total) + mean(&own) + p90(&mut own) + lost
}
