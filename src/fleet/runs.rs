//! The runs of a dataset, and what belongs together.

use std::io;

use rustc_hash::FxHashMap;

use super::dataset::Snapshot;
use super::frame::{Frame, Labels, known};
use super::schema::RUNS;
use crate::format;

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// What it belongs to.
    pub job: String,
    /// Where its file is.
    pub uri: String,
    /// The file's length.
    pub bytes: i64,
    /// When the file was changed last, ns since 1970.
    pub modified: Option<i64>,
    /// Id of its importer.
    pub format: String,
    /// What measured it.
    pub tool: Option<String>,
    /// What was measured.
    pub title: Option<String>,
    /// Its time 0, ns since 1970.
    pub origin: Option<i64>,
    /// How long it took, ns.
    pub duration: Option<i64>,
    /// Where it ran.
    pub host: Option<String>,
    /// Its rank.
    pub rank: Option<i64>,
    /// Where the rank is known from.
    pub rank_from: Option<String>,
    /// How many ranks its job has, as it says.
    pub world_size: Option<i64>,
    /// What was odd about its file.
    pub warnings: i64,
    /// Which spans have rows.
    pub spans_kept: String,
    /// What a person calls it.
    pub labels: Labels,
}

impl RunRow {
    /// A label, or one of the run's own properties by the same name.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let own = match name {
            "job" => Some(self.job.as_str()),
            "host" => self.host.as_deref(),
            "tool" => self.tool.as_deref(),
            "format" => Some(self.format.as_str()),
            _ => None,
        };
        own.or_else(|| self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()))
    }

    /// When it began: its own time, else that of its file.
    #[must_use]
    pub fn when(&self) -> Option<i64> {
        self.origin.filter(|&t| t > 0).or(self.modified)
    }

    fn of(frame: &Frame, row: usize) -> Self {
        let text = |name| known(frame.text(name, row)).map(str::to_owned);
        Self {
            id: frame.text("run_id", row).to_owned(),
            job: frame.text("job", row).to_owned(),
            uri: frame.text("uri", row).to_owned(),
            bytes: frame.int("bytes", row).unwrap_or(0),
            modified: frame.int("modified_unix_ns", row),
            format: frame.text("format", row).to_owned(),
            tool: text("tool"),
            title: text("title"),
            origin: frame.int("origin_unix_ns", row),
            duration: frame.int("duration_ns", row),
            host: text("host"),
            rank: frame.int("rank", row),
            rank_from: text("rank_from"),
            world_size: frame.int("world_size", row),
            warnings: frame.int("warnings", row).unwrap_or(0),
            spans_kept: frame.text("spans_kept", row).to_owned(),
            labels: frame.labels("labels", row).to_vec(),
        }
    }
}

/// All runs, in order of job, rank and file.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The rows.
    pub rows: Vec<RunRow>,
    /// Runs of files that changed later: those are other runs, and these do not count.
    pub superseded: usize,
    places: FxHashMap<String, u32>,
}

const COLUMNS: [&str; 17] = [
    "run_id",
    "job",
    "uri",
    "bytes",
    "modified_unix_ns",
    "format",
    "tool",
    "title",
    "origin_unix_ns",
    "duration_ns",
    "host",
    "rank",
    "rank_from",
    "world_size",
    "warnings",
    "spans_kept",
    "labels",
];

impl Runs {
    /// Reads them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn load(snapshot: &Snapshot) -> io::Result<Self> {
        let each = |rows: &mut Vec<RunRow>, frame: &Frame| {
            let new = (0..frame.rows).map(|row| RunRow::of(frame, row)).filter(|run| snapshot.has(&run.id));
            rows.extend(new);
        };
        let mut rows: Vec<RunRow> = snapshot.scan(&RUNS, &COLUMNS, Vec::new, each)?.concat();
        // Of one file the latest state counts.
        rows.sort_by(|a, b| {
            a.uri.cmp(&b.uri).then(b.modified.cmp(&a.modified)).then_with(|| a.id.cmp(&b.id))
        });
        let all = rows.len();
        rows.dedup_by(|next, first| next.uri == first.uri);
        let superseded = all - rows.len();
        rows.sort_by(|a, b| (&a.job, a.rank, &a.uri).cmp(&(&b.job, b.rank, &b.uri)));
        let places = (0u32..).zip(&rows).map(|(place, run)| (run.id.clone(), place)).collect();
        Ok(Self { rows, superseded, places })
    }

    /// Ids in order.
    #[must_use]
    pub fn order(&self) -> Vec<String> {
        self.rows.iter().map(|run| run.id.clone()).collect()
    }

    /// The run of each row of a frame with the column `run_id`; none for runs that do not count.
    pub fn of<'a>(&self, frame: &'a Frame) -> impl Fn(usize) -> Option<u32> + use<'a> {
        let (rows, texts) = frame.texts("run_id");
        let places: Vec<Option<u32>> = texts.iter().map(|id| self.places.get(&**id).copied()).collect();
        move |row| places.get(*rows.get(row)? as usize).copied().flatten()
    }

    /// What belongs together, in order.
    #[must_use]
    pub fn jobs(&self) -> Vec<Job> {
        let mut from = 0;
        self.rows
            .chunk_by(|a, b| a.job == b.job)
            .map(|part| {
                let job = Job::of(part, from);
                from += part.len() as u32;
                job
            })
            .collect()
    }
}

/// Runs that belong together, mostly the ranks of one training job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// What it is called.
    pub name: String,
    /// Its runs, by place in [`Runs::rows`]; of several with one rank the first only.
    pub ranks: Vec<(i64, u32)>,
    /// Runs without a rank.
    pub unranked: Vec<u32>,
    /// Ranks that several files say they are, with their places.
    pub doubles: Vec<(i64, Vec<u32>)>,
    /// Ranks that are not there.
    pub missing: Vec<i64>,
    /// How many ranks there should be; none where no file says so.
    pub world_size: Option<i64>,
    /// How the ranks are known: «distributedInfo», or a pattern of names.
    pub from: Vec<String>,
}

/// So many missing ranks are listed.
const MOST_MISSING: i64 = 1 << 20;

impl Job {
    fn of(runs: &[RunRow], from: u32) -> Self {
        let mut job =
            Self { name: runs.first().map(|r| r.job.clone()).unwrap_or_default(), ..Self::default() };
        for (place, run) in (from..).zip(runs) {
            let Some(rank) = run.rank else {
                job.unranked.push(place);
                continue;
            };
            match job.ranks.last() {
                Some(&(last, first)) if last == rank => match job.doubles.last_mut() {
                    Some((double, places)) if *double == rank => places.push(place),
                    _ => job.doubles.push((rank, vec![first, place])),
                },
                _ => job.ranks.push((rank, place)),
            }
        }
        job.world_size = runs.iter().filter_map(|r| r.world_size).max();
        let last = job.ranks.last().map_or(0, |(rank, _)| rank + 1);
        let expected = job.world_size.unwrap_or(last).max(last).min(MOST_MISSING);
        if job.is_ranked() {
            let there = |rank: &i64| job.ranks.binary_search_by_key(rank, |r| r.0).is_ok();
            job.missing = (0..expected).filter(|rank| !there(rank)).collect();
        }
        job.from = runs.iter().filter_map(|r| r.rank_from.clone()).collect();
        job.from.sort();
        job.from.dedup();
        job
    }

    /// True when its runs are ranks that can be compared.
    #[must_use]
    pub fn is_ranked(&self) -> bool {
        self.ranks.len() > 1
    }

    /// What is wrong with the set of its ranks, a line each.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.is_ranked() {
            return lines;
        }
        let named = |ranks: &[i64]| match ranks {
            [one] => format!("rank {one}"),
            many => format!("ranks {}", ranges(many)),
        };
        if !self.missing.is_empty() {
            let of = self.world_size.map_or_else(String::new, |n| format!(" of {n}"));
            lines.push(format!("missing: {}{of}", named(&self.missing)));
        }
        if !self.doubles.is_empty() {
            let ranks: Vec<i64> = self.doubles.iter().map(|d| d.0).collect();
            lines.push(format!("more than once: {} (the first file counts)", named(&ranks)));
        }
        if !self.unranked.is_empty() {
            let n = format::counted(self.unranked.len() as i64, "run", "runs");
            lines.push(format!("{n} without a rank, in the file or in its name"));
        }
        lines
    }

    /// All runs of it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranks.len() + self.unranked.len() + self.doubles.iter().map(|(_, p)| p.len() - 1).sum::<usize>()
    }

    /// True when it has no run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// «0–3, 7, 9–12».
#[must_use]
pub fn ranges(sorted: &[i64]) -> String {
    let parts = sorted.chunk_by(|a, b| a + 1 == *b).map(|part| match part {
        [first, .., last] => format!("{first}–{last}"),
        [only] => only.to_string(),
        [] => String::new(),
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_double_ranks_are_found() {
        let run = |rank: Option<i64>| RunRow { rank, world_size: Some(8), ..RunRow::default() };
        let rows: Vec<RunRow> =
            [None, Some(0), Some(1), Some(1), Some(1), Some(5)].map(run).into_iter().collect();
        let job = Job::of(&rows, 10);
        assert_eq!(job.ranks, [(0, 11), (1, 12), (5, 15)]);
        assert_eq!((job.doubles, job.unranked), (vec![(1, vec![12, 13, 14])], vec![10]));
        assert_eq!(ranges(&job.missing), "2–4, 6–7");
    }
}
