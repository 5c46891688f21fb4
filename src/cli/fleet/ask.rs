//! `fleet ask`: a question about all runs of a dataset, as text or JSON, and its gate.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::Failure;
use super::super::gate::{Gate, Judged, Kind, Limit, Outcome, condition};
use super::super::out::{print, write_json};
use super::{failed, shown};
use crate::fleet::ask::Chosen;
use crate::fleet::ask::history::{Figure, LATEST};
use crate::fleet::dataset::Dataset;
use crate::fleet::labels;
use crate::format;
use crate::questions::BUDGET;

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Question {
    /// What is there: jobs, their ranks, which are missing or double.
    Jobs,
    /// Which rank the others wait for, since which step, and why.
    Stragglers,
    /// How far the clocks of ranks are off.
    Clocks,
    /// Collective operations: transfers, waits, how far apart ranks arrive.
    Collectives,
    /// Where the time of each step goes.
    Steps,
    /// GPU kernels over all runs, and in which run they are fastest and slowest.
    Kernels,
    /// The same of all functions.
    Functions,
    /// Runs by how long they took.
    Slowest,
    /// A figure of the runs in order of time, and where its level changed.
    Trend,
    /// Functions that cost more in the latest runs than before.
    Regressions,
    /// Requests to models, by group.
    Requests,
    /// What came of each setting: runs by the labels in which they differ.
    Settings,
    /// What was found in the runs, by kind.
    Findings,
}

/// Arguments of `fleet ask`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct AskArgs {
    /// The dataset.
    dataset: PathBuf,
    /// What is asked.
    #[arg(long, value_name = "WORD")]
    question: Question,
    /// Only this job: its whole name, or the last part of its folder.
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only runs with this label, such as branch=main; repeatable.
    #[arg(long = "where", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// trend: which figure: duration, step, self:FUNCTION or total:FUNCTION.
    #[arg(long, value_name = "FIGURE", default_value = "duration", value_parser = Figure::parse)]
    metric: Figure,
    /// regressions: how many runs are the latest ones.
    #[arg(long, value_name = "N", default_value_t = LATEST)]
    last: usize,
    /// requests: what they are grouped by: model, provider, outcome, hour, day, or a label; model when it is not said. settings:
    /// the labels that make a setting; those in which runs differ when it is not said.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    by: Vec<String>,
    /// Tokens that the text may have, about.
    #[arg(long, value_name = "N", default_value_t = BUDGET)]
    budget: usize,
    /// Print one JSON object, with all rows.
    #[arg(long)]
    json: bool,
    /// Exit with 1 when this holds, such as 'wait>5%'; repeatable. Which figures a question has stands below.
    #[arg(long, value_name = "CONDITION")]
    fail_if: Vec<String>,
}

const EXAMPLES: &str = "\
Figures of --fail-if:
  jobs         runs, missing, doubles
  stragglers   stragglers, wait (share of all steps), missing, doubles
  clocks       offset, residual
  collectives  transfer, wait, apart
  steps        step, p95, exposed (share of the step)
  kernels, functions  ratio (slowest run's median call to the fastest one's, of what takes 1 % or more)
  slowest      slowest, median
  trend        change (share, of the last change of level), changes
  regressions  slower, faster
  requests     ttft.p50, ttft.p95, ttft.p99, latency.p50, latency.p95, latency.p99, failed (share)
  settings     failed (share of requests, of the worst setting)
  findings     errors, warnings

Exit codes:
  0  no condition of --fail-if holds
  1  one holds
  2  the dataset cannot be read, or the command line is wrong
  4  a condition cannot be judged: its figure is not known

Examples:
  inferscope fleet ask job --question stragglers
  inferscope fleet ask job --question stragglers --fail-if 'wait>5%' --json
  inferscope fleet ask ci --question trend --metric self:decode --where branch=main
  inferscope fleet ask ci --question regressions --last 5 --fail-if 'slower>0'
  inferscope fleet ask day --question requests --by version,hour
  inferscope fleet ask evals --question settings --by model,temperature";

/// What a question's figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// ns.
    Time,
    /// A part of something, 1 for all.
    Share,
    /// A plain number.
    Number,
}

/// A figure that a condition may be about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    pub name: &'static str,
    pub value: Option<f64>,
    pub measure: Measure,
}

impl AskArgs {
    pub(super) fn chosen(&self) -> Chosen {
        Chosen { job: self.job.clone(), labels: self.labels.clone() }
    }

    pub(super) fn metric(&self) -> &Figure {
        &self.metric
    }

    pub(super) fn last(&self) -> usize {
        self.last
    }

    pub(super) fn by(&self) -> &[String] {
        &self.by
    }

    pub(super) fn budget(&self) -> usize {
        self.budget
    }
}

/// A label that runs must have.
fn label(text: &str) -> Result<(String, String), String> {
    labels::pair(text).ok_or_else(|| format!("«{text}» is no label: NAME=VALUE"))
}

pub(super) fn run(args: &AskArgs) -> Result<(), Failure> {
    let dataset = Dataset::new(&args.dataset);
    let answer = dataset.read(|snapshot| shown::answer(args.question, snapshot, args));
    let mut answer = answer.map_err(failed(&args.dataset))?;
    let judged = args.fail_if.iter().map(|text| judge(text, &answer.values)).collect::<Result<_, _>>();
    let gate = Gate(judged.map_err(|why| Failure::new(format!("--fail-if {why}")))?);
    if !gate.0.is_empty() {
        let rows = gate.0.iter().map(
            |j| serde_json::json!({ "condition": j.condition, "outcome": j.outcome.key(), "why": j.why }),
        );
        answer.sheet.value("gate", rows.collect::<Vec<_>>());
    }
    if args.json {
        write_json(|out| {
            serde_json::to_writer_pretty(&mut *out, &answer.sheet.json())?;
            out.write_all(b"\n")
        })?;
    } else {
        print(&answer.sheet.text())?;
    }
    match gate.code() {
        0 => Ok(()),
        code => Err(Failure { message: gate.summary(), code }),
    }
}

/// What becomes of a condition.
fn judge(text: &str, values: &[Value]) -> Result<Judged, String> {
    let (name, limit) = condition(text).map_err(|why| format!("«{text}»: {why}; expected FIGURE>AMOUNT"))?;
    let value = values.iter().find(|v| v.name == name).ok_or_else(|| {
        let known: Vec<&str> = values.iter().map(|v| v.name).collect();
        format!("«{text}»: this question has no figure «{name}»; it has {}", known.join(", "))
    })?;
    let (limit, fits) = match limit {
        Limit::Share(share) => (share, value.measure == Measure::Share),
        Limit::Amount(amount, Kind::Time) => (amount, value.measure == Measure::Time),
        Limit::Amount(amount, Kind::Plain) => (amount, value.measure == Measure::Number),
        Limit::Amount(amount, Kind::Bytes) => (amount, false),
    };
    if !fits {
        let unit = match value.measure {
            Measure::Time => "a time, such as 5ms",
            Measure::Share => "a share, such as 5%",
            Measure::Number => "a number, such as 0",
        };
        return Err(format!("«{text}»: {name} is {unit}"));
    }
    let (outcome, why) = match value.value {
        None => (Outcome::CannotTell, "unknown".to_owned()),
        Some(value_is) => {
            let why = match value.measure {
                Measure::Time => format::duration(value_is.round() as i64),
                Measure::Share => format::percent(value_is),
                Measure::Number => format::number(value_is),
            };
            (if value_is > limit { Outcome::Regression } else { Outcome::Passed }, why)
        }
    };
    Ok(Judged { condition: text.to_owned(), outcome, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_judged_by_their_figure() {
        let values = [
            Value { name: "wait", value: Some(0.14), measure: Measure::Share },
            Value { name: "step", value: None, measure: Measure::Time },
        ];
        let outcome = |text| judge(text, &values).map(|j| j.outcome);
        assert_eq!(outcome("wait>5%"), Ok(Outcome::Regression));
        assert_eq!(outcome("wait > 15 %"), Ok(Outcome::Passed));
        assert_eq!(outcome("step>5ms"), Ok(Outcome::CannotTell));
        assert!(outcome("wait>5ms").unwrap_err().contains("a share"));
        assert!(outcome("waits>5%").unwrap_err().contains("it has wait, step"));
        assert!(outcome("wait").unwrap_err().contains("FIGURE>AMOUNT"));
    }
}
