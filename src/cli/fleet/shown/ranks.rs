//! Answers about the ranks of a job.

use serde_json::{Value as Json, json};

use super::super::ask::Measure;
use super::{Answer, Shown, longest, number, time, time_or_unknown, value};
use crate::fleet::ask::stragglers::{self, Found, JobStragglers, Late, sentence};
use crate::fleet::ask::{clocks, collectives, steps};
use crate::format::{self, UNKNOWN};
use crate::model::Unit;
use crate::questions::{Part, Row, Sheet};

impl Shown {
    fn no_ranks(&self) -> Sheet {
        let mut sheet = self.sheet(format!("{}, none of them ranks of one job", self.all_runs()));
        sheet.notes.push(
            "a rank is what a file says (distributedInfo) or its name (rank12); --rank-pattern of `fleet add` reads other names"
                .to_owned(),
        );
        sheet
    }

    pub(super) fn stragglers(&self, jobs: &[JobStragglers]) -> Answer {
        let found = jobs.iter().flat_map(|j| &j.found).filter(|f| !matches!(f, Found::Hiccup(_)));
        let known = !jobs.is_empty() && jobs.iter().all(|j| j.steps.is_some());
        let worst = jobs.iter().flat_map(|j| &j.found).map(Found::cost).fold(0.0, f64::max);
        let values = vec![
            value("stragglers", known.then_some(found.count() as f64), Measure::Number),
            value("wait", known.then_some(worst), Measure::Share),
            number("missing", jobs.iter().map(|j| j.missing.len()).sum()),
            number("doubles", jobs.iter().map(|j| j.doubles.len()).sum()),
        ];
        if jobs.is_empty() {
            return Answer { sheet: self.no_ranks(), values };
        }
        let mut sheet = self.sheet(match jobs {
            [one] => straggler_head(one),
            many => format!("{} with ranks", format::counted(many.len() as i64, "job", "jobs")),
        });
        let mut rows = Vec::new();
        for job in jobs {
            let mut lines = if jobs.len() > 1 { vec![straggler_head(job)] } else { Vec::new() };
            lines.extend(job.gaps.iter().cloned());
            lines.extend(job.found.iter().map(|found| sentence(found, job)));
            if job.steps.is_none() {
                lines.push("no steps are marked, so there is nothing to compare ranks by".to_owned());
            } else if job.found.is_empty() {
                lines.push("no rank is late beyond chance".to_owned());
            }
            rows.extend(lines.into_iter().map(|line| Row::new(line.clone(), json!(line))));
        }
        sheet.value("jobs", jobs.iter().map(straggler_json).collect::<Vec<_>>());
        sheet.part(Part::new("says", "", rows).least(8));
        for job in jobs.iter().filter(|j| j.rests != stragglers::Rests::Waits && j.steps.is_some()) {
            let by = if job.rests == stragglers::Rests::Compute {
                "how long kernels compute"
            } else {
                "how long steps take"
            };
            sheet.notes.push(format!(
                "{}: no collective operation of two ranks matches, so ranks are compared by {by}",
                job.job
            ));
        }
        Answer { sheet, values }
    }

    pub(super) fn clocks(&self, jobs: &[clocks::Clocks]) -> Answer {
        let all = || jobs.iter().flat_map(|j| &j.ranks);
        let values = vec![
            longest("offset", all().filter_map(|c| c.offset).map(i64::abs)),
            longest("residual", jobs.iter().filter_map(|j| j.residual)),
        ];
        if jobs.is_empty() {
            return Answer { sheet: self.no_ranks(), values };
        }
        let mut sheet = self.sheet("clocks of ranks, by the ends of collective operations that they share");
        for job in jobs {
            let mut ranks: Vec<&clocks::Clock> = job.ranks.iter().collect();
            ranks.sort_by_key(|c| (std::cmp::Reverse(c.offset.map_or(0, i64::abs)), c.rank));
            let row = |clock: &&clocks::Clock| {
                let offset = clock.offset.map(|ns| format::signed_cost(Unit::Nanoseconds, ns));
                let text = format!(
                    "rank {} {} {} {}",
                    clock.rank,
                    offset.unwrap_or_else(|| UNKNOWN.to_owned()),
                    time_or_unknown(clock.residual),
                    format::count(clock.operations as i64)
                );
                let json = json!({
                    "job": job.job, "rank": clock.rank, "offset_ns": clock.offset, "residual_ns": clock.residual,
                    "operations": clock.operations,
                });
                Row::new(text, json)
            };
            let agree = match job.residual {
                Some(ns) => format!("once aligned they agree to {}", time(ns)),
                None => "they share no operation, so nothing tells".to_owned(),
            };
            let title = format!("{}, {agree}: rank, ahead by, left over, operations", job.job);
            sheet.part(Part::new("clocks", title, ranks.iter().map(row).collect()).least(8));
        }
        Answer { sheet, values }
    }

    pub(super) fn collectives(&self, jobs: &[collectives::JobOperations]) -> Answer {
        let all = || jobs.iter().flat_map(|j| &j.rows);
        let values = vec![
            longest("transfer", all().map(|o| o.transfer)),
            longest("wait", all().map(|o| o.wait)),
            longest("apart", all().map(|o| o.apart)),
        ];
        if jobs.is_empty() {
            return Answer { sheet: self.no_ranks(), values };
        }
        let mut sheet = self.sheet(
            "collective operations that two or more ranks share: transfer is what the last rank to come takes, wait what others \
             take beyond it",
        );
        for job in jobs {
            let row = |o: &collectives::OperationSum| {
                let text = format!(
                    "{} {} {} {} {} {} {} {}",
                    time(o.transfer),
                    time(o.wait),
                    time(o.apart),
                    o.bytes.map_or_else(|| UNKNOWN.to_owned(), format::bytes),
                    format::count(o.count as i64),
                    format::count(o.ranks as i64),
                    o.kind,
                    o.group
                );
                let json = json!({
                    "job": job.job, "kind": o.kind, "group": o.group, "ranks": o.ranks, "count": o.count, "bytes": o.bytes,
                    "transfer_ns": o.transfer, "wait_ns": o.wait, "apart_p95_ns": o.apart, "total_ns": o.total,
                });
                Row::new(text, json)
            };
            let title = format!(
                "{}, clocks agree to {}: transfer, wait, arrival spread p95, size, count, ranks, kind, group",
                job.job,
                time_or_unknown(job.clock_residual)
            );
            sheet.part(Part::new("collectives", title, job.rows.iter().map(row).collect()).least(6));
            if job.alone + job.left_out > 0 {
                sheet.notes.push(format!(
                    "{}: {} kernels of one rank only, {} between two ranks or of no known kind are left out",
                    job.job,
                    format::count(job.alone as i64),
                    format::count(job.left_out as i64)
                ));
            }
        }
        Answer { sheet, values }
    }

    pub(super) fn steps(&self, jobs: &[steps::JobSteps]) -> Answer {
        let exposed = |row: &steps::StepRow| Some(row.gpu?.exposed as f64 / row.took.max(1) as f64);
        let shares = jobs.iter().flat_map(|j| &j.rows).filter_map(exposed).collect::<Vec<_>>();
        let values = vec![
            longest("step", jobs.iter().filter_map(|j| j.middle)),
            longest("p95", jobs.iter().filter_map(|j| j.p95)),
            value("exposed", shares.into_iter().reduce(f64::max), Measure::Share),
        ];
        if jobs.is_empty() {
            return Answer {
                sheet: self.sheet(format!("{}, none of them with steps", self.all_runs())),
                values,
            };
        }
        let mut sheet =
            self.sheet("steps, the middle rank in each; exposed is communication while nothing computes");
        for job in jobs {
            let mut rows: Vec<&steps::StepRow> = job.rows.iter().collect();
            rows.sort_by_key(|r| (std::cmp::Reverse(r.took), r.step));
            let row = |r: &&steps::StepRow| {
                let of = |value: fn(&steps::GpuTimes) -> i64| time_or_unknown(r.gpu.as_ref().map(value));
                let text = format!(
                    "{} {} {} {} {} {} rank {} {}",
                    r.step,
                    time(r.took),
                    of(|g| g.compute),
                    of(|g| g.exposed),
                    of(|g| g.copies),
                    of(|g| g.idle),
                    r.longest.1,
                    time(r.longest.0)
                );
                let gpu = |value: fn(&steps::GpuTimes) -> i64| r.gpu.as_ref().map(value);
                let json = json!({
                    "job": job.job, "step": r.step, "ranks": r.ranks, "dur_ns": r.took, "compute_ns": gpu(|g| g.compute),
                    "comm_ns": gpu(|g| g.comm), "exposed_comm_ns": gpu(|g| g.exposed), "memcpy_ns": gpu(|g| g.copies),
                    "gpu_idle_ns": gpu(|g| g.idle), "longest": { "rank": r.longest.1, "dur_ns": r.longest.0 },
                    "most_compute": r.most_compute.map(|(ns, rank)| json!({ "rank": rank, "compute_ns": ns })),
                });
                Row::new(text, json)
            };
            let title = format!(
                "{}, {} of {} (p95 {}), the longest first: step, time, compute, exposed, copies, idle, longest on",
                job.job,
                format::counted(job.rows.len() as i64, "step", "steps"),
                time_or_unknown(job.middle),
                time_or_unknown(job.p95)
            );
            sheet.part(Part::new("steps", title, rows.iter().map(row).collect()));
        }
        Answer { sheet, values }
    }
}

/// «job: 1 024 ranks, 40 steps of 8.02 ms; transfer 1.05 ms and wait 0.02 ms a step …».
fn straggler_head(job: &JobStragglers) -> String {
    let ranks = match job.world_size {
        Some(all) => format!("{} of {all} ranks", format::count(job.ranks as i64)),
        None => format::counted(job.ranks as i64, "rank", "ranks"),
    };
    let steps = job.steps.map_or_else(String::new, |(first, last, n)| {
        let steps = format::counted(n as i64, "step", "steps");
        format!(", {steps} ({first}–{last}) of {}", time_or_unknown(job.step_time))
    });
    let transfer = job.transfer.zip(job.wait).map_or_else(String::new, |(transfer, wait)| {
        format!("; transfers take {} and the middle rank waits {} a step", time(transfer), time(wait))
    });
    let clocks = job
        .clock_residual
        .map_or_else(String::new, |ns| format!("; clocks agree to {} once aligned", time(ns)));
    let from = job.rank_from.iter().any(|from| from != "distributedInfo");
    let from = if from { format!("; ranks by {}", job.rank_from.join(", ")) } else { String::new() };
    format!("{}: {ranks}{steps}{transfer}{clocks}{from}", job.job)
}

fn late_json(late: &Late) -> Json {
    let kernels: Vec<Json> = late
        .kernels
        .iter()
        .map(|k| json!({ "name": k.name, "call_ns": k.own, "usual_ns": k.usual, "calls": k.calls, "longer": k.longer() }))
        .collect();
    json!({
        "ranks": late.ranks, "hosts": late.hosts, "whole_host": late.whole_host, "first_step": late.steps.0,
        "last_step": late.steps.1, "in_steps": late.in_steps, "why": late.why.key(), "behind_ns": late.behind,
        "excess": late.excess, "kernels": kernels,
    })
}

fn found_json(found: &Found, job: &JobStragglers) -> Json {
    let mut json = match found {
        Found::Fixed(late) | Found::Hiccup(late) => late_json(late),
        Found::Rotating { steps, ranks, behind, .. } => {
            json!({ "in_steps": steps, "ranks": ranks, "behind_ns": behind })
        }
        Found::SlowGroup { group, ranks, steps, transfer, usual, .. } => json!({
            "group": group, "ranks": ranks, "first_step": steps.0, "last_step": steps.1, "transfer_ns": transfer,
            "usual_ns": usual,
        }),
        Found::SlowSince { step, before, after, .. } => {
            json!({ "first_step": step, "transfer_ns": after, "usual_ns": before })
        }
    };
    json["class"] = json!(found.class());
    json["cost"] = json!(found.cost());
    json["says"] = json!(sentence(found, job));
    json
}

fn straggler_json(job: &JobStragglers) -> Json {
    let doubles: Vec<Json> =
        job.doubles.iter().map(|(rank, files)| json!({ "rank": rank, "files": files })).collect();
    json!({
        "job": job.job, "ranks": job.ranks, "world_size": job.world_size, "missing": job.missing, "doubles": doubles,
        "unranked": job.unranked, "rank_from": job.rank_from, "first_step": job.steps.map(|s| s.0),
        "last_step": job.steps.map(|s| s.1), "steps": job.steps.map(|s| s.2), "step_ns": job.step_time,
        "rests_on": job.rests.key(), "operations": job.operations, "transfer_ns": job.transfer, "wait_ns": job.wait,
        "clock_residual_ns": job.clock_residual,
        "found": job.found.iter().map(|f| found_json(f, job)).collect::<Vec<_>>(),
    })
}
