//! Jobs in which nothing is wrong, by the hundred, and one in which something small is.

use super::super::matched::{Matched, Operation, Part};
use super::super::steps::{GpuTimes, Grid, StepCell};
use super::{Found, late, links};
use crate::fleet::runs::Job;
use crate::fleet::tests::job::Chance;

impl Chance {
    /// A bell curve around 0 with a spread of 1, and now and then a value far out, as kernels have.
    fn noise(&mut self) -> f64 {
        let bell = (0..12).map(|_| self.next()).sum::<f64>() - 6.0;
        if self.next() < 0.01 { bell * 3.0 } else { bell }
    }
}

/// A job of so many ranks and steps whose kernels vary by a share, each rank slower by `more` than it should be.
fn found(
    seed: u64,
    ranks: usize,
    steps: usize,
    noise: f64,
    more: impl Fn(usize, usize) -> f64,
) -> Vec<Found> {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    (0..16).for_each(|_| _ = chance.next());
    let job = Job { ranks: (0..ranks as i64).map(|r| (r, r as u32)).collect(), ..Job::default() };
    let mut grid = Grid { steps: (0..steps as i64).collect(), ranks, cells: Vec::new() };
    let mut matched =
        Matched { groups: vec!["all".into()], kinds: vec!["all_reduce".into()], ..Matched::default() };
    for step in 0..steps {
        let compute: Vec<i64> =
            (0..ranks).map(|rank| (8e6 * (1.0 + noise * chance.noise() + more(rank, step))) as i64).collect();
        let transfer = (1e6 * (1.0 + 0.05 * chance.noise())) as i64;
        let end = compute.iter().max().unwrap() + transfer;
        let part = |rank: usize| Part {
            rank: rank as u32,
            start: compute[rank],
            took: end - compute[rank],
            bytes: None,
        };
        let parts = (0..ranks).map(part).collect();
        matched.operations.push(Operation { step: Some(step as i64), group: 0, kind: 0, parts });
        grid.cells.extend(compute.iter().map(|&compute| {
            let gpu =
                GpuTimes { compute, comm: end - compute, exposed: end - compute, ..GpuTimes::default() };
            Some(StepCell { start: 0, took: end, gpu: Some(gpu) })
        }));
    }
    let waits = late::Waits::of(&grid, &matched);
    let hosts = vec![None; ranks];
    links::slow(&job, &grid, &matched).into_iter().chain(late::find(&job, &hosts, &grid, &waits)).collect()
}

#[test]
fn of_a_hundred_healthy_jobs_at_most_five_alarm() {
    for (ranks, steps, noise) in
        [(8, 20, 0.01), (64, 40, 0.01), (16, 10, 0.03), (2, 30, 0.01), (4, 3, 0.005), (4, 40, 0.005)]
    {
        let alarms =
            (0..100).filter(|&seed| !found(seed + 1, ranks, steps, noise, |_, _| 0.0).is_empty()).count();
        assert!(alarms <= 5, "{alarms} of 100 with {ranks} ranks, {steps} steps, noise {noise}");
    }
}

#[test]
fn a_rank_that_is_a_tenth_slower_is_found_in_noise() {
    for seed in 1..=50 {
        let found = found(seed, 32, 20, 0.01, |rank, step| if rank == 7 && step >= 5 { 0.10 } else { 0.0 });
        match &found[..] {
            [Found::Fixed(late)] => {
                assert_eq!((&late.ranks[..], late.since, late.steps.1 > 15), (&[7][..], true, true))
            }
            other => panic!("seed {seed}: {other:?}"),
        }
    }
}
