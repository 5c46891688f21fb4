//! What was found, in words.

use super::{Found, JobStragglers, Late, Why};
use crate::fleet::runs::ranges;
use crate::format;

fn step_of(job: &JobStragglers, steps: (i64, i64), since: bool, to_end: bool) -> String {
    let all = job.steps.map_or(0, |s| s.2);
    match (since, to_end) {
        _ if steps.0 == steps.1 && all > 1 => format!("in step {}", steps.0),
        (true, true) => format!("since step {}", steps.0),
        (false, true) => "in all steps".to_owned(),
        _ => format!("in steps {} to {}", steps.0, steps.1),
    }
}

fn who(late: &Late) -> String {
    let ranks = match late.ranks.as_slice() {
        [one] => format!("rank {one}"),
        many => format!("ranks {}", ranges(many)),
    };
    match late.hosts.as_slice() {
        [host] if late.whole_host => format!("host {host}, all its {ranks}"),
        [host] => format!("{ranks} ({host})"),
        _ => ranks,
    }
}

/// «+30 % in 8 kernels (gemm …)».
fn why(late: &Late) -> String {
    let more = late.excess.map(format::percent_change);
    match late.why {
        Why::Compute => {
            let more = more.unwrap_or_else(|| "more".to_owned());
            match late.kernels.as_slice() {
                [] => format!("kernels take {more}"),
                kernels => {
                    let mut longer: Vec<f64> = kernels.iter().map(super::KernelChange::longer).collect();
                    longer.sort_by(f64::total_cmp);
                    let middle = format::percent_change(longer[(longer.len() - 1) / 2]);
                    let count = format::counted(kernels.len() as i64, "kernel", "kernels");
                    format!("{middle} in {count}, first {}", format::short(&kernels[0].name, 60))
                }
            }
        }
        Why::Host => "its GPU waits for the host, which launches late".to_owned(),
        Why::Copies => format!("copies take {}", more.unwrap_or_else(|| "longer".to_owned())),
        Why::Link => format!("transfers of its group take {}", more.unwrap_or_else(|| "longer".to_owned())),
        Why::Imbalance => format!("has {} to exchange", more.unwrap_or_else(|| "more".to_owned())),
        Why::Unclear => "nothing recorded explains why".to_owned(),
    }
}

/// One line: who, since when, why, and what it costs.
#[must_use]
pub fn sentence(found: &Found, job: &JobStragglers) -> String {
    let cost = |share: f64| format!("{} of all steps", format::percent(share));
    match found {
        Found::Fixed(late) => {
            let when = step_of(job, late.steps, late.since, late.to_end);
            let others = job.ranks.saturating_sub(late.ranks.len());
            let wait = match job.rests {
                super::Rests::Waits => {
                    let waiting = format::counted(others as i64, "rank", "ranks");
                    let verb = if others == 1 { "waits" } else { "wait" };
                    format!("{waiting} {verb} {} a step", format::duration(late.behind))
                }
                _ => format!("{} longer than the middle rank a step", format::duration(late.behind)),
            };
            format!("{}: {when} {}; {wait}, {}", who(late), why(late), cost(late.cost))
        }
        Found::Hiccup(late) => format!(
            "{}: late once, in step {}, by {}; {}",
            who(late),
            late.steps.0,
            format::duration(late.behind),
            why(late)
        ),
        Found::Rotating { steps, ranks, behind, cost: share } => format!(
            "in {steps} of {} steps one rank is late by {}, {ranks} different ones in turn: no single rank is slow; {}",
            job.steps.map_or(0, |s| s.2),
            format::duration(*behind),
            cost(*share)
        ),
        Found::SlowGroup { group, ranks, steps, transfer, usual, cost: share } => format!(
            "{group} ({}): transfers take {} a step instead of {} as in other groups, steps {} to {}; {}",
            if ranks.len() == 1 { format!("rank {}", ranks[0]) } else { format!("ranks {}", ranges(ranks)) },
            format::duration(*transfer),
            format::duration(*usual),
            steps.0,
            steps.1,
            cost(*share)
        ),
        Found::SlowSince { step, before, after, cost: share } => format!(
            "since step {step} transfers of all ranks take {} a step instead of {}; {}",
            format::duration(*after),
            format::duration(*before),
            cost(*share)
        ),
    }
}
