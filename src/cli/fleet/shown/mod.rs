//! Answers about a dataset as texts and JSON.

mod history;
mod ranks;

use std::io;

use serde_json::{Value as Json, json};

use super::ask::{AskArgs, Measure, Question, Value};
use crate::fleet::ask::slowest::JobSum;
use crate::fleet::ask::{
    clocks, collectives, functions, history as runs_in_time, requests, settings, short_job, slowest, steps,
    stragglers, unit_of,
};
use crate::fleet::dataset::Snapshot;
use crate::fleet::runs::{Job, RunRow};
use crate::format::{self, UNKNOWN};
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
        Question::Kernels => {
            shown.functions(&functions::functions(snapshot, &chosen, Some("kernel"))?, "kernels")
        }
        Question::Functions => shown.functions(&functions::functions(snapshot, &chosen, None)?, "functions"),
        Question::Slowest => shown.slowest(&slowest::slowest(snapshot, &chosen)?),
        Question::Trend => shown.trend(&runs_in_time::trend(snapshot, &chosen, args.metric())?),
        Question::Regressions => {
            shown.regressions(&runs_in_time::regressions(snapshot, &chosen, args.last())?)
        }
        Question::Requests => {
            let model = ["model".to_owned()];
            let by = if args.by().is_empty() { &model } else { args.by() };
            shown.requests(&requests::requests(snapshot, &chosen, by)?, by)
        }
        Question::Settings => shown.settings(&settings::settings(snapshot, &chosen, args.by())?),
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
            let text =
                std::iter::once(job_line(sum)).chain(gaps.iter().cloned()).collect::<Vec<_>>().join("; ");
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
            sheet.notes.push(format!(
                "{} are not packed; `inferscope fleet pack` makes questions faster",
                jobs.loose
            ));
        }
        let sum = |of: fn(&Job) -> usize| jobs.rows.iter().map(|j| of(&j.job)).sum();
        let values = vec![
            number("runs", self.runs),
            number("missing", sum(|j| j.missing.len())),
            number("doubles", sum(|j| j.doubles.len())),
        ];
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
            let ratio =
                run.duration.zip(runs.middle).filter(|(_, m)| *m > 0).map(|(d, m)| d as f64 / m as f64);
            let ratio = ratio.map_or_else(|| UNKNOWN.to_owned(), format::factor);
            Row::new(format!("{} {ratio} {}", time_or_unknown(run.duration), run_name(run)), run_json(run))
        };
        sheet.part(Part::new(
            "slowest",
            "length, of the middle one, run",
            runs.rows.iter().map(row).collect(),
        ));
        if runs.unknown > 0 {
            let n = format::counted(runs.unknown as i64, "run does", "runs do");
            sheet.notes.push(format!("{n} not say how long it took"));
        }
        Answer { sheet, values }
    }

    fn requests(&self, groups: &requests::Groups, by: &[String]) -> Answer {
        let of = |three: Option<[i64; 3]>, i: usize| three.map(|t| t[i] as f64);
        let all = &groups.all;
        let named = |name, three, i| value(name, of(three, i), Measure::Time);
        let values = vec![
            named("ttft.p50", all.ttft, 0),
            named("ttft.p95", all.ttft, 1),
            named("ttft.p99", all.ttft, 2),
            named("latency.p50", all.latency, 0),
            named("latency.p95", all.latency, 1),
            named("latency.p99", all.latency, 2),
            value("failed", all.failed_share(), Measure::Share),
        ];
        let mut sheet = self.sheet(format!(
            "{} in {}",
            format::counted(all.requests as i64, "request", "requests"),
            self.all_runs()
        ));
        let three =
            |three: Option<[i64; 3]>| three.map_or_else(|| UNKNOWN.to_owned(), |t| t.map(time).join(" / "));
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
        let title = format!(
            "requests, failed, {}; time to first token p50 / p95 / p99; latency p50 / p95 / p99",
            by.join(" · ")
        );
        sheet.part(Part::new("groups", title, groups.rows.iter().map(row).collect()));
        if all.requests == 0 {
            sheet.notes.push("no run has requests to language models".to_owned());
        }
        Answer { sheet, values }
    }

    fn settings(&self, found: &settings::Settings) -> Answer {
        let worst = found.rows.iter().filter_map(|row| row.requests.failed_share()).reduce(f64::max);
        let mut sheet = self.sheet(format!(
            "{} in {}, by {}",
            format::counted(found.rows.len() as i64, "setting", "settings"),
            self.all_runs(),
            if found.labels.is_empty() { "no label".to_owned() } else { found.labels.join(", ") },
        ));
        let spread = |spread: Option<settings::Spread>| match spread {
            Some(s) if s.least < s.most => {
                format!("{} ({} to {})", time(s.middle), time(s.least), time(s.most))
            }
            Some(s) => time(s.middle),
            None => UNKNOWN.to_owned(),
        };
        let middle = |three: Option<[i64; 3]>| time_or_unknown(three.map(|t| t[0]));
        let row = |row: &settings::Setting| {
            let g = &row.requests;
            let quality = row.quality.map_or_else(|| UNKNOWN.to_owned(), |q| format::number(q.0));
            let text = format!(
                "{} {}; {}; {}; {} {}; {}; {}; {quality}",
                format::count(row.runs.len() as i64),
                row.values.join(" · "),
                spread(row.duration),
                spread(row.step),
                format::count(g.requests as i64),
                format::count(g.failed as i64),
                middle(g.ttft),
                middle(g.latency),
            );
            let of = |s: Option<settings::Spread>| {
                s.map(|s| json!({ "median": s.middle, "min": s.least, "max": s.most, "runs": s.runs }))
            };
            let labels: serde_json::Map<String, Json> =
                found.labels.iter().cloned().zip(row.values.iter().map(|v| json!(v))).collect();
            let json = json!({
                "labels": labels, "runs": row.runs, "duration_ns": of(row.duration), "step_ns": of(row.step),
                "requests": g.requests, "failed": g.failed, "ttft_ns": g.ttft, "latency_ns": g.latency,
                "output_tokens": g.output,
                "quality": row.quality.map(|(mean, n)| json!({ "score": found.score, "mean": mean, "n": n })),
            });
            Row::new(text, json)
        };
        let score = if found.score.is_empty() { "score" } else { &found.score };
        let title = format!(
            "runs, {}; duration in the middle (least to most); step; requests, failed; time to first token p50; latency p50; {score}",
            found.labels.join(" · ")
        );
        sheet.part(Part::new("settings", title, found.rows.iter().map(row).collect()));
        if found.labels.is_empty() {
            sheet
                .notes
                .push("runs differ in no label: `fleet add --label NAME=VALUE` gives them some".to_owned());
        }
        Answer { sheet, values: vec![value("failed", worst, Measure::Share)] }
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
