//! Functions over all runs: where the time goes, and which runs differ most.

use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Chosen;
use crate::fleet::dataset::Snapshot;
use crate::fleet::frame::Frame;
use crate::fleet::runs::Runs;
use crate::fleet::schema::{FINDINGS, FUNCTIONS};

/// A function over all runs. Values are in its metric's unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSum {
    /// Its id, the same in all runs.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its module; empty when unknown.
    pub module: String,
    /// The format's own category; empty when it has none.
    pub category: String,
    /// The unit's key.
    pub unit: String,
    /// Runs that have it.
    pub runs: usize,
    /// Calls, where they were counted.
    pub calls: u64,
    /// Own cost in all runs.
    pub own: i64,
    /// Own cost and that of all it called, in all runs.
    pub total: i64,
    /// The shortest median call of a run, ns, with that run's place; `None` where no run knows single calls.
    pub fastest: Option<(i64, u32)>,
    /// The longest.
    pub slowest: Option<(i64, u32)>,
}

impl FunctionSum {
    /// How many times the slowest run's median call is the fastest one's.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let (fast, slow) = (self.fastest?.0, self.slowest?.0);
        (fast > 0).then(|| slow as f64 / fast as f64)
    }
}

/// Functions over all runs, the largest own cost first, with the runs.
#[derive(Clone, Debug, Default)]
pub struct FunctionSums {
    /// The rows.
    pub rows: Vec<FunctionSum>,
    /// The runs that rows name.
    pub runs: Arc<Runs>,
    /// How many runs the question is about.
    pub asked: usize,
}

#[derive(Clone, Default)]
struct Sum {
    runs: usize,
    calls: u64,
    own: i64,
    total: i64,
    fastest: Option<(i64, u32)>,
    slowest: Option<(i64, u32)>,
    texts: Option<[Arc<str>; 4]>,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.calls += other.calls;
        self.own = self.own.saturating_add(other.own);
        self.total = self.total.saturating_add(other.total);
        self.fastest = self.fastest.into_iter().chain(other.fastest).min();
        self.slowest =
            self.slowest.into_iter().chain(other.slowest).max_by_key(|s| (s.0, std::cmp::Reverse(s.1)));
        // Whichever piece came first: the texts of one id are alike.
        self.texts = self.texts.take().or(other.texts);
    }
}

const COLUMNS: [&str; 10] = [
    "run_id",
    "function_id",
    "name",
    "module",
    "category",
    "unit",
    "calls",
    "self_value",
    "total_value",
    "p50_ns",
];
const TEXTS: [&str; 4] = ["name", "module", "category", "unit"];

/// Sums of all functions, or of those of a category (`kernel`).
///
/// # Errors
/// When a file cannot be read.
pub fn functions(snapshot: &Snapshot, chosen: &Chosen, category: Option<&str>) -> io::Result<FunctionSums> {
    let runs = Runs::load(snapshot)?;
    let wanted = chosen.places(&runs);
    // Costs in different units do not add up, so each has a row of its own.
    type Sums = FxHashMap<(i64, Arc<str>), Sum>;
    let each = |sums: &mut Sums, frame: &Frame| {
        let run = runs.of(frame);
        let texts = TEXTS.map(|name| frame.texts(name));
        let [ids, calls, own, total, p50] =
            ["function_id", "calls", "self_value", "total_value", "p50_ns"].map(|name| frame.ints(name));
        let in_category: Vec<bool> =
            texts[2].1.iter().map(|text| category.is_none_or(|c| **text == *c)).collect();
        for row in 0..frame.rows {
            let Some(place) = run(row).filter(|&place| wanted[place as usize]) else { continue };
            if !in_category[texts[2].0[row] as usize] {
                continue;
            }
            let text = |of: usize| &texts[of].1[texts[of].0[row] as usize];
            let known = frame.int("p50_ns", row).map(|_| (p50[row], place));
            let sum = sums.entry((ids[row], text(3).clone())).or_default();
            sum.add(Sum {
                runs: 1,
                calls: calls[row].cast_unsigned(),
                own: own[row],
                total: total[row],
                fastest: known,
                slowest: known,
                texts: sum.texts.is_none().then(|| [0, 1, 2, 3].map(|of| text(of).clone())),
            });
        }
    };
    let mut sums = Sums::default();
    for part in snapshot.scan(&FUNCTIONS, &COLUMNS, Sums::default, each)? {
        for (key, sum) in part {
            sums.entry(key).or_default().add(sum);
        }
    }
    let row = |((id, _), sum): ((i64, Arc<str>), Sum)| {
        let [name, module, category, unit] = sum.texts.unwrap_or_default().map(|text| text.to_string());
        FunctionSum {
            id: id.cast_unsigned(),
            name,
            module,
            category,
            unit,
            runs: sum.runs,
            calls: sum.calls,
            own: sum.own,
            total: sum.total,
            fastest: sum.fastest,
            slowest: sum.slowest,
        }
    };
    let mut rows: Vec<FunctionSum> = sums.into_iter().map(row).collect();
    rows.sort_by(|a, b| {
        b.own.cmp(&a.own).then_with(|| (&a.name, a.id, &a.unit).cmp(&(&b.name, b.id, &b.unit)))
    });
    let asked = wanted.iter().filter(|&&w| w).count();
    Ok(FunctionSums { rows, runs: Arc::new(runs), asked })
}

/// Findings of one kind over all runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingSum {
    /// The kind.
    pub kind: String,
    /// How bad.
    pub severity: String,
    /// How many there are, and in how many runs.
    pub count: usize,
    /// See `count`.
    pub runs: usize,
    /// The text of one, and the file that it is about.
    pub example: (String, String),
}

/// Findings by kind, the worst and most frequent first.
///
/// # Errors
/// When a file cannot be read.
pub fn findings(snapshot: &Snapshot, chosen: &Chosen) -> io::Result<Vec<FindingSum>> {
    let runs = Runs::load(snapshot)?;
    let wanted = chosen.places(&runs);
    let columns = ["run_id", "severity", "kind", "text"];
    let each = |rows: &mut Vec<(String, String, u32, String)>, frame: &Frame| {
        let run = runs.of(frame);
        let there = (0..frame.rows).filter_map(|row| Some((row, run(row).filter(|&p| wanted[p as usize])?)));
        rows.extend(there.map(|(row, place)| {
            let text = |name| frame.text(name, row).to_owned();
            (text("severity"), text("kind"), place, text("text"))
        }));
    };
    let mut rows = snapshot.scan(&FINDINGS, &columns, Vec::new, each)?.concat();
    rows.sort();
    let sum = |part: &[(String, String, u32, String)]| {
        let (severity, kind, place, text) = &part[0];
        let mut of: Vec<u32> = part.iter().map(|r| r.2).collect();
        of.dedup();
        FindingSum {
            kind: kind.clone(),
            severity: severity.clone(),
            count: part.len(),
            runs: of.len(),
            example: (text.clone(), runs.rows[*place as usize].uri.clone()),
        }
    };
    let mut sums: Vec<FindingSum> = rows.chunk_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1)).map(sum).collect();
    let bad = |f: &FindingSum| ["error", "warning", "info", "debug"].iter().position(|s| *s == f.severity);
    sums.sort_by_key(|f| (bad(f), std::cmp::Reverse(f.runs), f.kind.clone()));
    Ok(sums)
}
