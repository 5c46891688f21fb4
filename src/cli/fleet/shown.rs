//! Answers about a dataset as texts and JSON.

use std::io;

use serde_json::{Value as Json, json};

use super::ask::{AskArgs, Measure, Question, Value};
use crate::fleet::ask::slowest::JobSum;
use crate::fleet::ask::stragglers::{Found, JobStragglers, Late, sentence};
use crate::fleet::ask::{clocks, collectives, functions, history, requests, short_job, slowest, steps, stragglers};
use crate::fleet::dataset::Snapshot;
use crate::fleet::runs::{Job, RunRow};
use crate::format::{self, UNKNOWN};
use crate::model::Unit;
use crate::questions::{Part, Row, Sheet};

/// An answer, and the figures that a gate may be about.
pub(super) struct Answer {
    pub sheet: Sheet,
    pub values: Vec<Value>,
}

pub(super) fn answer(question: Question, snapshot: &Snapshot, args: &AskArgs) -> io::Result<Answer> {
    let chosen = args.chosen();
    let shown = Shown { budget: args.budget(), runs: snapshot.len() };
    Ok(match question {
        Question::Jobs => shown.jobs(&slowest::jobs(snapshot, &chosen)?),
        Question::Stragglers => shown.stragglers(&stragglers::stragglers(snapshot, &chosen)?),
        Question::Clocks => shown.clocks(&clocks::clocks(snapshot, &chosen)?),
        Question::Collectives => shown.collectives(&collectives::collectives(snapshot, &chosen)?),
        Question::Steps => shown.steps(&steps::steps(snapshot, &chosen)?),
        Question::Kernels => shown.functions(&functions::functions(snapshot, &chosen, Some("kernel"))?, "kernels"),
        Question::Functions => shown.functions(&functions::functions(snapshot, &chosen, None)?, "functions"),
        Question::Slowest => shown.slowest(&slowest::slowest(snapshot, &chosen)?),
        Question::Trend => shown.trend(&history::trend(snapshot, &chosen, args.metric())?),
        Question::Regressions => shown.regressions(&history::regressions(snapshot, &chosen, args.last())?),
        Question::Requests => shown.requests(&requests::requests(snapshot, &chosen, args.by())?, args.by()),
        Question::Findings => shown.findings(&functions::findings(snapshot, &chosen)?),
    })
}

/// «job: 1 024 ranks on 128 hosts».
pub(super) fn job_line(sum: &JobSum) -> String {
    let ranks = match (sum.job.is_ranked(), sum.job.world_size) {
        (true, Some(all)) => format!("{} of {all} ranks", format::count(sum.job.ranks.len() as i64)),
        (true, None) => format::counted(sum.job.ranks.len() as i64, "rank", "ranks"),
        (false, _) => format::counted(sum.job.len() as i64, "run", "runs"),
    };
    let hosts = match sum.hosts {
        0 => String::new(),
        n => format!(" on {}", format::counted(n as i64, "host", "hosts")),
    };
    format!("{}: {ranks}{hosts}, {} ({})", sum.name, format::bytes(sum.bytes), sum.formats.join(", "))
}

/// What is to be known of a job's ranks, a line each: what is wrong with them, and how they are known.
pub(super) fn about_ranks(job: &Job) -> Vec<String> {
    let mut lines = job.gaps();
    if job.is_ranked() && job.from.iter().any(|from| from != "distributedInfo") {
        lines.push(format!("ranks by: {}", job.from.join(", ")));
    }
    lines
}

fn unit_of(key: &str) -> Unit {
    let all = [Unit::Nanoseconds, Unit::Bytes, Unit::Count, Unit::Tokens, Unit::NanoDollars, Unit::MilliPercent];
    all.into_iter().find(|unit| unit.key() == key).unwrap_or(Unit::None)
}

fn time(ns: i64) -> String {
    format::duration(ns)
}

fn time_or_unknown(ns: Option<i64>) -> String {
    ns.map_or_else(|| UNKNOWN.to_owned(), time)
}

fn value(name: &'static str, value: Option<f64>, measure: Measure) -> Value {
    Value { name, value, measure }
}

fn number(name: &'static str, count: usize) -> Value {
    value(name, Some(count as f64), Measure::Number)
}

fn longest(name: &'static str, all: impl Iterator<Item = i64>) -> Value {
    value(name, all.max().map(|ns| ns as f64), Measure::Time)
}

/// What a run is called: its labels, else the end of its path.
fn run_name(run: &RunRow) -> String {
    let labels: Vec<String> = run.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let file = short_job(&run.uri);
    if labels.is_empty() { file.to_owned() } else { format!("{file} ({})", labels.join(", ")) }
}

fn run_json(run: &RunRow) -> Json {
    let labels: serde_json::Map<String, Json> =
        run.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "run_id": run.id, "uri": run.uri, "job": run.job, "rank": run.rank, "host": run.host, "labels": labels,
        "time_unix_ns": run.when(), "duration_ns": run.duration,
    })
}

/// How answers are shown.
struct Shown {
    budget: usize,
    /// Runs in the dataset.
    runs: usize,
}

impl Shown {
    fn sheet(&self, head: impl Into<String>) -> Sheet {
        let mut sheet = Sheet::new(head, self.budget);
        sheet.value("runs", self.runs);
        sheet
    }

    fn no_ranks(&self) -> Sheet {
        let mut sheet = self.sheet(format!("{}, none of them ranks of one job", self.all_runs()));
        sheet.notes.push(
            "a rank is what a file says (distributedInfo) or its name (rank12); --rank-pattern of `fleet add` reads other names"
                .to_owned(),
        );
        sheet
    }

    fn all_runs(&self) -> String {
        format::counted(self.runs as i64, "run", "runs")
    }

    fn jobs(&self, jobs: &slowest::Jobs) -> Answer {
        let mut sheet = self.sheet(format!(
            "{} in {}",
            self.all_runs(),
            format::counted(jobs.rows.len() as i64, "job", "jobs")
        ));
        let row = |sum: &JobSum| {
            let gaps = about_ranks(&sum.job);
            let text = std::iter::once(job_line(sum)).chain(gaps.iter().cloned()).collect::<Vec<_>>().join("; ");
            let doubles: Vec<i64> = sum.job.doubles.iter().map(|d| d.0).collect();
            let json = json!({
                "job": sum.job.name, "runs": sum.job.len(), "ranks": sum.job.ranks.len(), "world_size": sum.job.world_size,
                "missing": sum.job.missing, "doubles": doubles, "unranked": sum.job.unranked.len(),
                "rank_from": sum.job.from, "hosts": sum.hosts, "bytes": sum.bytes, "formats": sum.formats,
            });
            Row::new(text, json)
        };
        sheet.part(Part::new("jobs", "", jobs.rows.iter().map(row).collect()));
        if jobs.superseded > 0 {
            let n = format::counted(jobs.superseded as i64, "run is", "runs are");
            sheet.notes.push(format!("{n} of files that changed since: they do not count"));
        }
        if jobs.loose > 64 {
            sheet.notes.push(format!("{} are not packed; `inferscope fleet pack` makes questions faster", jobs.loose));
        }
        let sum = |of: fn(&Job) -> usize| jobs.rows.iter().map(|j| of(&j.job)).sum();
        let values = vec![
            number("runs", self.runs),
            number("missing", sum(|j| j.missing.len())),
            number("doubles", sum(|j| j.doubles.len())),
        ];
        Answer { sheet, values }
    }

    fn stragglers(&self, jobs: &[JobStragglers]) -> Answer {
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
            let by = if job.rests == stragglers::Rests::Compute { "how long kernels compute" } else { "how long steps take" };
            sheet.notes.push(format!("{}: no collective operation of two ranks matches, so ranks are compared by {by}", job.job));
        }
        Answer { sheet, values }
    }

    fn clocks(&self, jobs: &[clocks::Clocks]) -> Answer {
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

    fn collectives(&self, jobs: &[collectives::JobOperations]) -> Answer {
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

    fn steps(&self, jobs: &[steps::JobSteps]) -> Answer {
        let exposed = |row: &steps::StepRow| Some(row.gpu?.exposed as f64 / row.took.max(1) as f64);
        let shares = jobs.iter().flat_map(|j| &j.rows).filter_map(exposed).collect::<Vec<_>>();
        let values = vec![
            longest("step", jobs.iter().filter_map(|j| j.middle)),
            longest("p95", jobs.iter().filter_map(|j| j.p95)),
            value("exposed", shares.into_iter().reduce(f64::max), Measure::Share),
        ];
        if jobs.is_empty() {
            return Answer { sheet: self.sheet(format!("{}, none of them with steps", self.all_runs())), values };
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

    fn functions(&self, sums: &functions::FunctionSums, what: &'static str) -> Answer {
        let whole: i64 = sums.rows.iter().filter(|r| r.unit == "nanoseconds").map(|r| r.own).sum();
        let large = |r: &&functions::FunctionSum| r.own.saturating_mul(100) >= whole;
        let ratio = sums.rows.iter().filter(large).filter_map(functions::FunctionSum::ratio).reduce(f64::max);
        let values = vec![value("ratio", ratio, Measure::Number)];
        let mut sheet = self.sheet(format!(
            "{} of {}; % of {} of their own time in all runs",
            what,
            format::counted(sums.asked as i64, "run", "runs"),
            time(whole)
        ));
        let name = |place: u32| {
            let run = &sums.runs.rows[place as usize];
            run.rank.map_or_else(|| short_job(&run.uri).to_owned(), |rank| format!("rank {rank}"))
        };
        let row = |r: &functions::FunctionSum| {
            let unit = unit_of(&r.unit);
            let share = (unit == Unit::Nanoseconds).then(|| format::share(r.own, whole)).flatten();
            let spread = match (r.fastest, r.slowest, r.ratio()) {
                (Some(fast), Some(slow), Some(ratio)) if r.runs > 1 => format!(
                    "{} {} ({}) to {} ({})",
                    format::factor(ratio),
                    time(fast.0),
                    name(fast.1),
                    time(slow.0),
                    name(slow.1)
                ),
                (Some(fast), ..) => time(fast.0),
                _ => UNKNOWN.to_owned(),
            };
            let text = format!(
                "{} {} {} {} {}; median call {spread}",
                format::cost(unit, r.own),
                format::share_text(share),
                format::count(r.calls.cast_signed()),
                format::count(r.runs as i64),
                format::short(&format::bare(&r.name), 80),
            );
            let of = |run: Option<(i64, u32)>| run.map(|(ns, place)| json!({ "p50_ns": ns, "run": run_json(&sums.runs.rows[place as usize]) }));
            let json = json!({
                "function_id": format!("{:016x}", r.id), "name": r.name, "module": r.module, "category": r.category,
                "unit": r.unit, "runs": r.runs, "calls": r.calls, "own": r.own, "total": r.total,
                "fastest": of(r.fastest), "slowest": of(r.slowest), "ratio": r.ratio(),
            });
            Row::new(text, json)
        };
        let title = format!("own, own %, calls, runs, {}", what.trim_end_matches('s'));
        sheet.part(Part::new(what, title, sums.rows.iter().map(row).collect()));
        if sums.rows.is_empty() {
            sheet.notes.push(format!("no run has {what}"));
        }
        Answer { sheet, values }
    }

    fn slowest(&self, runs: &slowest::Slowest) -> Answer {
        let values = vec![
            longest("slowest", runs.rows.iter().filter_map(|r| r.duration)),
            longest("median", runs.middle.into_iter()),
        ];
        let mut sheet = self.sheet(format!(
            "{} by length, {} in the middle",
            format::counted(runs.rows.len() as i64, "run", "runs"),
            time_or_unknown(runs.middle)
        ));
        let row = |run: &RunRow| {
            let ratio = run.duration.zip(runs.middle).filter(|(_, m)| *m > 0).map(|(d, m)| d as f64 / m as f64);
            let ratio = ratio.map_or_else(|| UNKNOWN.to_owned(), format::factor);
            Row::new(format!("{} {ratio} {}", time_or_unknown(run.duration), run_name(run)), run_json(run))
        };
        sheet.part(Part::new("slowest", "length, of the middle one, run", runs.rows.iter().map(row).collect()));
        if runs.unknown > 0 {
            let n = format::counted(runs.unknown as i64, "run does", "runs do");
            sheet.notes.push(format!("{n} not say how long it took"));
        }
        Answer { sheet, values }
    }

    fn trend(&self, trend: &history::Trend) -> Answer {
        let unit = unit_of(&trend.unit);
        let last = trend.shifts.last().and_then(history::Shift::share);
        let enough = trend.points.len() >= 10;
        let values = vec![
            value("change", last.or(enough.then_some(0.0)), Measure::Share),
            value("changes", enough.then_some(trend.shifts.len() as f64), Measure::Number),
        ];
        let cost = |value: i64| format::cost(unit, value);
        let n = format::counted(trend.points.len() as i64, "run", "runs");
        let head = match (trend.points.first(), trend.points.last()) {
            (Some(first), Some(last)) => {
                let when = |p: &history::Point| p.run.when().map_or_else(|| UNKNOWN.to_owned(), format::utc);
                format!("{n} from {} to {}", when(first), when(last))
            }
            _ => "no run has this figure and a time".to_owned(),
        };
        let mut sheet = self.sheet(head);
        let row = |shift: &history::Shift| {
            let point = &trend.points[shift.at];
            let share = shift.share().map_or_else(String::new, |s| format!(", {}", format::percent_change(s)));
            let text = format!(
                "since {} ({}): {} instead of {}{share} (p {})",
                run_name(&point.run),
                point.run.when().map_or_else(|| UNKNOWN.to_owned(), format::utc),
                cost(shift.after),
                cost(shift.before),
                crate::analysis::diff::evidence::p_text(shift.p),
            );
            let json = json!({
                "run": run_json(&point.run), "before": shift.before, "after": shift.after, "p": shift.p, "share": shift.share(),
            });
            Row::new(text, json)
        };
        sheet.value("unit", trend.unit.clone());
        sheet.part(Part::new("changes", "", trend.shifts.iter().map(row).collect()).least(6));
        let points = trend.points.iter().map(|p| json!({ "run": run_json(&p.run), "value": p.value }));
        sheet.value("points", points.collect::<Vec<_>>());
        if trend.shifts.is_empty() && enough {
            sheet.notes.push("its level did not change beyond chance".to_owned());
        } else if !enough {
            sheet.notes.push("fewer than ten runs cannot show a change".to_owned());
        }
        if trend.without > 0 {
            let n = format::counted(trend.without as i64, "run is", "runs are");
            sheet.notes.push(format!("{n} left out, without the figure or a time"));
        }
        Answer { sheet, values }
    }

    fn regressions(&self, found: &history::Regressions) -> Answer {
        let known = |n: usize| (!found.too_few).then_some(n as f64);
        let values = vec![
            value("slower", known(found.slower.len()), Measure::Number),
            value("faster", known(found.faster.len()), Measure::Number),
        ];
        let since = found.first.as_ref().map_or_else(String::new, |run| format!(" (since {})", run_name(run)));
        let mut sheet = self.sheet(format!(
            "own cost of {} in the latest {}{since} and in {} before, medians",
            format::counted(found.compared as i64, "function", "functions"),
            format::counted(found.latest as i64, "run", "runs"),
            format::count(found.before as i64),
        ));
        let row = |c: &history::Changed| {
            let unit = unit_of(&c.unit);
            let cost = |value: f64| format::cost(unit, value.round() as i64);
            let share = (c.before > 0.0).then(|| format::percent_change((c.after - c.before) / c.before));
            let text = format!(
                "{} {} {} {} {}",
                cost(c.before),
                cost(c.after),
                share.unwrap_or_else(|| "new".to_owned()),
                crate::analysis::diff::evidence::p_text(c.p),
                format::short(&c.name, 80)
            );
            let json = json!({
                "name": c.name, "module": c.module, "unit": c.unit, "before": c.before, "after": c.after, "p": c.p,
            });
            Row::new(text, json)
        };
        let columns = "before, after, change, p, function";
        let part = |key, what, rows: &[history::Changed]| Part::new(key, format!("{what}: {columns}"), rows.iter().map(row).collect());
        sheet.part(part("slower", "costs more", &found.slower));
        sheet.part(part("faster", "costs less", &found.faster));
        sheet.value("too_few_runs", found.too_few);
        if found.before == 0 {
            sheet.notes.push("no run is before the latest ones; --last says how many these are".to_owned());
        } else if found.too_few {
            sheet.notes.push("too few runs to tell a change of so many functions from chance".to_owned());
        } else if found.slower.is_empty() && found.faster.is_empty() {
            sheet.notes.push("no function differs beyond chance".to_owned());
        } else {
            sheet.notes.push("p is corrected for the number of functions; at most 1 of 100 that are named is chance".to_owned());
        }
        Answer { sheet, values }
    }

    fn requests(&self, groups: &requests::Groups, by: &[String]) -> Answer {
        let of = |three: Option<[i64; 3]>, i: usize| three.map(|t| t[i] as f64);
        let all = &groups.all;
        let failed = (all.requests > 0).then(|| all.failed as f64 / all.requests as f64);
        let named = |name, three, i| value(name, of(three, i), Measure::Time);
        let values = vec![
            named("ttft.p50", all.ttft, 0),
            named("ttft.p95", all.ttft, 1),
            named("ttft.p99", all.ttft, 2),
            named("latency.p50", all.latency, 0),
            named("latency.p95", all.latency, 1),
            named("latency.p99", all.latency, 2),
            value("failed", failed, Measure::Share),
        ];
        let mut sheet = self.sheet(format!(
            "{} in {}",
            format::counted(all.requests as i64, "request", "requests"),
            self.all_runs()
        ));
        let three = |three: Option<[i64; 3]>| {
            three.map_or_else(|| UNKNOWN.to_owned(), |t| t.map(time).join(" / "))
        };
        let row = |g: &requests::Group| {
            let text = format!(
                "{} {} {}; {}; {}",
                format::count(g.requests as i64),
                format::count(g.failed as i64),
                g.name,
                three(g.ttft),
                three(g.latency)
            );
            let json = json!({
                "group": g.name, "requests": g.requests, "failed": g.failed, "ttft_ns": g.ttft, "latency_ns": g.latency,
                "output_tokens": g.output,
            });
            Row::new(text, json)
        };
        let title = format!("requests, failed, {}; time to first token p50 / p95 / p99; latency p50 / p95 / p99", by.join(" · "));
        sheet.part(Part::new("groups", title, groups.rows.iter().map(row).collect()));
        if all.requests == 0 {
            sheet.notes.push("no run has requests to language models".to_owned());
        }
        Answer { sheet, values }
    }

    fn findings(&self, found: &[functions::FindingSum]) -> Answer {
        let of = |word: &str| found.iter().filter(|f| f.severity == word).map(|f| f.count).sum();
        let values = vec![number("errors", of("error")), number("warnings", of("warning"))];
        let mut sheet = self.sheet(format!("what was found in {}, by kind", self.all_runs()));
        let row = |f: &functions::FindingSum| {
            let text = format!(
                "{} {} {} {}, such as: {} ({})",
                f.severity,
                format::count(f.count as i64),
                format::count(f.runs as i64),
                f.kind,
                f.example.0,
                short_job(&f.example.1)
            );
            let json = json!({
                "severity": f.severity, "kind": f.kind, "count": f.count, "runs": f.runs,
                "example": { "text": f.example.0, "uri": f.example.1 },
            });
            Row::new(text, json)
        };
        sheet.part(Part::new("findings", "how bad, count, runs, kind", found.iter().map(row).collect()));
        if found.is_empty() {
            sheet.notes.push("nothing".to_owned());
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
    let clocks = job.clock_residual.map_or_else(String::new, |ns| format!("; clocks agree to {} once aligned", time(ns)));
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
        Found::Rotating { steps, ranks, behind, .. } => json!({ "in_steps": steps, "ranks": ranks, "behind_ns": behind }),
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
