//! Which collective operation of one rank is which of the others.
//!
//! By group and number where the details state one, else by the order in which a rank took part in operations of one kind in
//! one step. All that take part end together, so the shortest took the transfer alone (its rank came last), and what another one
//! takes beyond that it waited.

use std::io;

use rustc_hash::FxHashMap;

use super::steps::places;
use crate::fleet::dataset::Snapshot;
use crate::fleet::frame::Frame;
use crate::fleet::runs::{Job, Runs};
use crate::fleet::schema::COLLECTIVES;
use crate::fleet::stable::Stable;

/// One rank's part in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fleet) struct Part {
    /// The rank, by its place in [`Job::ranks`].
    pub rank: u32,
    /// Start on the rank's own clock, ns since 1970 where that is known.
    pub start: i64,
    /// How long, ns.
    pub took: i64,
    pub bytes: Option<i64>,
}

impl Part {
    pub fn end(&self) -> i64 {
        self.start.saturating_add(self.took)
    }
}

/// An operation with all ranks that took part.
#[derive(Clone, Debug)]
pub(in crate::fleet) struct Operation {
    pub step: Option<i64>,
    /// Which group of ranks.
    pub group: u32,
    /// Its kind, by place in [`Matched::kinds`].
    pub kind: u32,
    pub parts: Vec<Part>,
}

impl Operation {
    /// What the transfer takes, ns: as long as the last to come takes.
    pub fn transfer(&self) -> i64 {
        self.parts.iter().map(|p| p.took).min().unwrap_or(0)
    }
}

/// All operations of a job that at least two ranks took part in.
#[derive(Clone, Debug, Default)]
pub(in crate::fleet) struct Matched {
    /// By step and time.
    pub operations: Vec<Operation>,
    /// Names of groups.
    pub groups: Vec<String>,
    pub kinds: Vec<String>,
    /// Rows of one rank only.
    pub alone: usize,
    /// Rows whose kind nobody knows, or that two ranks do among themselves: they do not tell who waits.
    pub left_out: usize,
}

/// Kinds in which not all take part from start to end.
const BETWEEN_TWO: [&str; 2] = ["send_recv", "unknown"];

const COLUMNS: [&str; 10] =
    ["run_id", "step", "group_name", "group_ranks", "seq", "nth", "kind", "bytes", "start_ns", "dur_ns"];

/// A row with what it is matched by.
struct Row {
    key: u64,
    step: Option<i64>,
    group: u64,
    kind: u64,
    part: Part,
}

#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    groups: FxHashMap<u64, String>,
    kinds: FxHashMap<u64, String>,
    left_out: usize,
}

/// Names by hash as a list, and the place of each in it.
fn listed(names: Vec<(u64, String)>) -> (Vec<String>, FxHashMap<u64, u32>) {
    let mut names = names;
    names.sort();
    names.dedup();
    let places = (0u32..).zip(&names).map(|(i, (hash, _))| (*hash, i)).collect();
    (names.into_iter().map(|(_, name)| name).collect(), places)
}

impl Matched {
    /// Reads the operations of jobs.
    pub fn load(snapshot: &Snapshot, runs: &Runs, jobs: &[Job]) -> io::Result<Vec<Self>> {
        let places = places(runs, jobs);
        let new = || jobs.iter().map(|_| Rows::default()).collect::<Vec<_>>();
        let each = |found: &mut Vec<Rows>, frame: &Frame| collect(found, frame, runs, &places);
        let mut of_job: Vec<Vec<Rows>> = jobs.iter().map(|_| Vec::new()).collect();
        for found in snapshot.scan(&COLLECTIVES, &COLUMNS, new, each)? {
            of_job.iter_mut().zip(found).for_each(|(all, rows)| all.push(rows));
        }
        Ok(of_job.into_iter().map(Self::of).collect())
    }

    fn of(found: Vec<Rows>) -> Self {
        let mut matched = Self::default();
        let (mut groups, mut kinds, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for part in found {
            matched.left_out += part.left_out;
            groups.extend(part.groups);
            kinds.extend(part.kinds);
            rows.extend(part.rows);
        }
        let (groups, group_of) = listed(groups);
        let (kinds, kind_of) = listed(kinds);
        (matched.groups, matched.kinds) = (groups, kinds);
        rows.sort_unstable_by_key(|row: &Row| (row.key, row.part.rank, row.part.start));
        for operation in rows.chunk_by(|a, b| a.key == b.key) {
            let mut parts: Vec<Part> = operation.iter().map(|row| row.part).collect();
            parts.dedup_by_key(|p| p.rank);
            if parts.len() < 2 {
                matched.alone += operation.len();
                continue;
            }
            let first = &operation[0];
            let place = |of: &FxHashMap<u64, u32>, hash| of.get(&hash).copied().unwrap_or(0);
            matched.operations.push(Operation {
                step: operation.iter().filter_map(|row| row.step).min(),
                group: place(&group_of, first.group),
                kind: place(&kind_of, first.kind),
                parts,
            });
        }
        matched.operations.sort_by_key(|o| (o.step, o.parts[0].start, o.group, o.kind));
        matched
    }
}

fn collect(found: &mut [Rows], frame: &Frame, runs: &Runs, places: &[Option<(usize, usize)>]) {
    let run = runs.of(frame);
    // Hashes of the texts of this piece, which few rows share out among them.
    let (names, ranks) = (frame.texts("group_name"), frame.texts("group_ranks"));
    let kinds = frame.texts("kind");
    let mut repeated: FxHashMap<(u32, u64, i64), u64> = FxHashMap::default();
    let mut hashes: FxHashMap<(usize, u32, u32), u64> = FxHashMap::default();
    let mut kind_hashes: FxHashMap<(usize, u32), u64> = FxHashMap::default();
    let nth = frame.ints("nth");
    let (starts, lengths) = (frame.ints("start_ns"), frame.ints("dur_ns"));
    for row in 0..frame.rows {
        let Some(place) = run(row) else { continue };
        let Some((job, rank)) = places[place as usize] else { continue };
        let found = &mut found[job];
        let kind = &*kinds.1[kinds.0[row] as usize];
        if BETWEEN_TWO.contains(&kind) {
            found.left_out += 1;
            continue;
        }
        let text = |of: (&[u32], &[std::sync::Arc<str>])| of.1[of.0[row] as usize].clone();
        let group = *hashes.entry((job, names.0[row], ranks.0[row])).or_insert_with(|| {
            let (name, ranks) = (text(names), text(ranks));
            let hash = Stable::default().text(&name).text(&ranks).value();
            found.groups.entry(hash).or_insert_with(|| group_name(&name, &ranks));
            hash
        });
        let step = frame.int("step", row);
        let kind = *kind_hashes.entry((job, kinds.0[row])).or_insert_with(|| {
            let hash = Stable::default().text(kind).value();
            found.kinds.entry(hash).or_insert_with(|| kind.to_owned());
            hash
        });
        let by = Stable::default().number(group).number(kind);
        // A number may come back: parts of one operation that was cut into several.
        let key = match frame.int("seq", row) {
            Some(seq) => {
                let again = repeated.entry((place, by.value(), seq)).or_default();
                *again += 1;
                by.number(1).number(seq.cast_unsigned()).number(*again)
            }
            None => {
                let step = step.map_or(0, |s| s.cast_unsigned().wrapping_add(1));
                by.number(0).number(step).number(nth[row].cast_unsigned())
            }
        };
        let origin = runs.rows[place as usize].origin.unwrap_or(0);
        found.rows.push(Row {
            key: key.value(),
            step,
            group,
            kind,
            part: Part {
                rank: rank as u32,
                start: origin.saturating_add(starts[row]),
                took: lengths[row].max(0),
                bytes: frame.int("bytes", row),
            },
        });
    }
}

/// What a person calls a group: its name and its ranks, if these are few.
fn group_name(name: &str, ranks: &str) -> String {
    match (name, ranks) {
        ("", "") => "all ranks".to_owned(),
        (name, "") => format!("group {name}"),
        ("", ranks) => format!("ranks {ranks}"),
        (name, ranks) if ranks.len() <= 40 => format!("group {name}, ranks {ranks}"),
        (name, _) => format!("group {name}"),
    }
}
