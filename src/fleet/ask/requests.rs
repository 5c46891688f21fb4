//! Requests to models over all runs, by group.

use std::collections::BTreeMap;
use std::io;

use super::Chosen;
use super::robust::quantile;
use crate::fleet::dataset::Snapshot;
use crate::fleet::frame::Frame;
use crate::fleet::runs::Runs;
use crate::fleet::schema::REQUESTS;
use crate::format;
use crate::model::Outcome;

/// Requests of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// How many.
    pub requests: usize,
    /// How many failed.
    pub failed: usize,
    /// Times to first token of those that ended well, ns: median, 95th and 99th percentile; `None` where none is known.
    pub ttft: Option<[i64; 3]>,
    /// Times of the whole answer, ns.
    pub latency: Option<[i64; 3]>,
    /// Output tokens, where known.
    pub output: Option<i64>,
}

/// Requests by group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// In order of their names.
    pub rows: Vec<Group>,
    /// All requests.
    pub all: Group,
}

impl Group {
    /// Share of the requests that failed; `None` without any.
    #[must_use]
    pub fn failed_share(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.failed as f64 / self.requests as f64)
    }
}

/// Requests, added up.
#[derive(Default)]
pub(super) struct Sum {
    requests: usize,
    failed: usize,
    ttft: Vec<i64>,
    latency: Vec<i64>,
    output: Option<i64>,
}

impl Sum {
    /// Adds a row of the table.
    pub(super) fn take(&mut self, frame: &Frame, row: usize) {
        self.requests += 1;
        self.failed += usize::from(frame.text("outcome", row) == "failed");
        // What failed took no time to answer.
        let ended_well = frame.text("outcome", row) == Outcome::Ok.name();
        self.ttft.extend(frame.int("ttft_ns", row).filter(|_| ended_well));
        self.latency.extend(frame.int("latency_ns", row).filter(|_| ended_well));
        let output = frame.int("output_tokens", row);
        self.output = self.output.into_iter().chain(output).reduce(i64::saturating_add);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.ttft.extend(&other.ttft);
        self.latency.extend(&other.latency);
        self.output = self.output.into_iter().chain(other.output).reduce(i64::saturating_add);
    }

    pub(super) fn group(mut self, name: String) -> Group {
        let three =
            |all: &mut Vec<i64>| Some([quantile(all, 0.5)?, quantile(all, 0.95)?, quantile(all, 0.99)?]);
        Group {
            name,
            requests: self.requests,
            failed: self.failed,
            ttft: three(&mut self.ttft),
            latency: three(&mut self.latency),
            output: self.output,
        }
    }
}

const COLUMNS: [&str; 9] = [
    "run_id",
    "model",
    "provider",
    "arrived_unix_ns",
    "ttft_ns",
    "latency_ns",
    "output_tokens",
    "outcome",
    "labels",
];

const HOUR: i64 = 3_600_000_000_000;

/// What a request is grouped by: a column, the hour or day of its arrival (UTC), a label of its own or of its run.
fn group_of(by: &str, frame: &Frame, row: usize, runs: &Runs, place: u32) -> String {
    let text = |name| frame.text(name, row);
    let date = || frame.int("arrived_unix_ns", row).map(|t| format::utc(t.div_euclid(HOUR) * HOUR));
    let found = match by {
        "model" | "provider" | "outcome" => Some(text(by).to_owned()),
        "hour" => date().map(|d| d.chars().take(13).collect()),
        "day" => date().map(|d| d.chars().take(10).collect()),
        name => {
            let own = frame.labels("labels", row).iter().find(|(key, _)| key == name).map(|(_, v)| v.clone());
            own.or_else(|| runs.rows[place as usize].label(name).map(str::to_owned))
        }
    };
    found.filter(|name| !name.is_empty()).unwrap_or_else(|| format::UNKNOWN.to_owned())
}

/// Requests by group.
///
/// # Errors
/// When a file cannot be read.
pub fn requests(snapshot: &Snapshot, chosen: &Chosen, by: &[String]) -> io::Result<Groups> {
    let runs = Runs::load(snapshot)?;
    let wanted = chosen.places(&runs);
    type Sums = BTreeMap<String, Sum>;
    let each = |sums: &mut Sums, frame: &Frame| {
        let run = runs.of(frame);
        for row in 0..frame.rows {
            let Some(place) = run(row).filter(|&place| wanted[place as usize]) else { continue };
            let names: Vec<String> = by.iter().map(|by| group_of(by, frame, row, &runs, place)).collect();
            sums.entry(names.join(" · ")).or_default().take(frame, row);
        }
    };
    let mut sums = Sums::new();
    for part in snapshot.scan(&REQUESTS, &COLUMNS, Sums::new, each)? {
        for (name, sum) in part {
            sums.entry(name).or_default().add(&sum);
        }
    }
    let mut all = Sum::default();
    sums.values().for_each(|sum| all.add(sum));
    let rows = sums.into_iter().map(|(name, sum)| sum.group(name)).collect();
    Ok(Groups { rows, all: all.group("all".to_owned()) })
}
