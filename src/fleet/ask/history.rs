//! Runs in order of time: when a figure changed, and which functions cost more in the latest runs.

use std::io;

use rustc_hash::FxHashMap;

use super::Chosen;
use super::robust::{change, middle};
use super::steps::grids;
use crate::analysis::diff::evidence::{PRACTICAL, corrected, mann_whitney, smallest_p};
use crate::fleet::dataset::Snapshot;
use crate::fleet::frame::Frame;
use crate::fleet::runs::{Job, RunRow, Runs};
use crate::fleet::schema::FUNCTIONS;

/// What one figure a run is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Figure {
    /// How long the run took, ns.
    Duration,
    /// How long a step took, ns, in the middle of its steps.
    Step,
    /// Own cost of all functions of a name, in their metric's unit.
    Own(String),
    /// The same with what they called.
    Total(String),
}

impl Figure {
    /// Reads `duration`, `step`, `self:NAME` or `total:NAME`.
    ///
    /// # Errors
    /// One line with what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "duration" => Ok(Self::Duration),
            None if text == "step" => Ok(Self::Step),
            Some(("self", name)) if !name.is_empty() => Ok(Self::Own(name.to_owned())),
            Some(("total", name)) if !name.is_empty() => Ok(Self::Total(name.to_owned())),
            _ => Err(format!(
                "«{text}» is no figure of a run: duration, step, self:FUNCTION or total:FUNCTION"
            )),
        }
    }
}

/// A run in a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The run.
    pub run: RunRow,
    /// Its figure.
    pub value: i64,
}

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The first point after it.
    pub at: usize,
    /// The level before, in the middle of its runs.
    pub before: i64,
    /// The level after.
    pub after: i64,
    /// How often chance alone would do that, corrected for all places that were looked at.
    pub p: f64,
}

impl Shift {
    /// As a share of what was before.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.before != 0).then(|| (self.after - self.before) as f64 / self.before as f64)
    }
}

/// A figure over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trend {
    /// By time.
    pub points: Vec<Point>,
    /// Where its level changed, by time.
    pub shifts: Vec<Shift>,
    /// The unit's key.
    pub unit: String,
    /// Runs without the figure, or without a time.
    pub without: usize,
}

/// So many runs are the latest ones, unless somebody says otherwise.
pub const LATEST: usize = 10;
/// So many runs a side show a change.
const LEAST_RUNS: usize = 5;
/// A change by chance less often than this is one.
const ALPHA: f64 = 0.01;
/// Levels that differ by less than this share are one.
const LEAST_SHIFT: f64 = 0.02;

/// A figure of the runs over time.
///
/// # Errors
/// When a file cannot be read.
pub fn trend(snapshot: &Snapshot, chosen: &Chosen, figure: &Figure) -> io::Result<Trend> {
    let runs = Runs::load(snapshot)?;
    let wanted = chosen.places(&runs);
    let (values, unit) = values(snapshot, &runs, &wanted, figure)?;
    let asked = wanted.iter().filter(|&&w| w).count();
    let mut points: Vec<Point> = values
        .into_iter()
        .map(|(place, value)| Point { run: runs.rows[place as usize].clone(), value })
        .filter(|point| point.run.when().is_some())
        .collect();
    points.sort_by(|a, b| (a.run.when(), &a.run.uri).cmp(&(b.run.when(), &b.run.uri)));
    let series: Vec<i64> = points.iter().map(|p| p.value).collect();
    let without = asked - points.len();
    Ok(Trend { shifts: shifts(&series), points, unit, without })
}

/// One figure for each run that has it.
pub(super) fn values(
    snapshot: &Snapshot,
    runs: &Runs,
    wanted: &[bool],
    figure: &Figure,
) -> io::Result<(Vec<(u32, i64)>, String)> {
    let places = || (0u32..).zip(&runs.rows).filter(|(place, _)| wanted[*place as usize]);
    let nanoseconds = crate::model::Unit::Nanoseconds.key().to_owned();
    let (name, column) = match figure {
        Figure::Duration => {
            return Ok((
                places().filter_map(|(place, run)| Some((place, run.duration?))).collect(),
                nanoseconds,
            ));
        }
        Figure::Step => {
            let all = Job {
                ranks: places().map(|(place, _)| (i64::from(place), place)).collect(),
                ..Job::default()
            };
            let grid = grids(snapshot, runs, std::slice::from_ref(&all))?;
            let Some(grid) = grid.first() else { return Ok((Vec::new(), nanoseconds)) };
            let of = |(at, (_, place)): (usize, &(i64, u32))| {
                let mut took: Vec<i64> =
                    (0..grid.steps.len()).filter_map(|step| Some(grid.cell(step, at)?.took)).collect();
                Some((*place, middle(&mut took)?))
            };
            return Ok((all.ranks.iter().enumerate().filter_map(of).collect(), nanoseconds));
        }
        Figure::Own(name) => (name, "self_value"),
        Figure::Total(name) => (name, "total_value"),
    };
    let each = |sums: &mut FxHashMap<u32, (i64, String)>, frame: &Frame| {
        let run = runs.of(frame);
        let (rows, texts) = frame.texts("name");
        let is: Vec<bool> = texts.iter().map(|text| **text == **name).collect();
        for row in (0..frame.rows).filter(|&row| is[rows[row] as usize]) {
            let Some(place) = run(row).filter(|&place| wanted[place as usize]) else { continue };
            let Some(value) = frame.int(column, row) else { continue };
            let sum = sums.entry(place).or_insert_with(|| (0, frame.text("unit", row).to_owned()));
            sum.0 = sum.0.saturating_add(value);
        }
    };
    let parts = snapshot.scan(&FUNCTIONS, &["run_id", "name", "unit", column], FxHashMap::default, each)?;
    let mut all: Vec<(u32, i64, String)> =
        parts.into_iter().flatten().map(|(place, (value, unit))| (place, value, unit)).collect();
    all.sort();
    let unit = all.first().map_or(nanoseconds, |first| first.2.clone());
    // Costs in another unit are another figure.
    let same = all.into_iter().filter(|(.., other)| *other == unit).map(|(place, value, _)| (place, value));
    Ok((same.collect(), unit))
}

/// Where a series changes its level: the clearest place first, then those in either part.
pub(in crate::fleet) fn shifts(series: &[i64]) -> Vec<Shift> {
    let mut found = Vec::new();
    let mut todo = vec![(0, series.len())];
    while let Some((from, to)) = todo.pop() {
        let part = &series[from..to];
        let Some(at) = change(part, LEAST_RUNS) else { continue };
        let values = |part: &[i64]| part.iter().map(|v| *v as f64).collect::<Vec<_>>();
        let p = (mann_whitney(&values(&part[..at]), &values(&part[at..])) * part.len() as f64).min(1.0);
        let (Some(before), Some(after)) =
            (middle(&mut part[..at].to_vec()), middle(&mut part[at..].to_vec()))
        else {
            continue;
        };
        let shift = Shift { at: from + at, before, after, p };
        if p < ALPHA && shift.share().is_none_or(|share| share.abs() > LEAST_SHIFT) {
            found.push(shift);
            todo.push((from, from + at));
            todo.push((from + at, to));
        }
    }
    found.sort_by_key(|s| s.at);
    // Levels between neighbours, as they are once all places are known.
    let ends: Vec<usize> = found.iter().map(|s| s.at).chain([series.len()]).collect();
    for i in 0..found.len() {
        let from = if i == 0 { 0 } else { ends[i - 1] };
        found[i].before = middle(&mut series[from..ends[i]].to_vec()).unwrap_or(found[i].before);
        found[i].after = middle(&mut series[ends[i]..ends[i + 1]].to_vec()).unwrap_or(found[i].after);
    }
    found
}

/// A function whose own cost differs between the latest runs and those before.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// Its module; empty when unknown.
    pub module: String,
    /// The unit's key.
    pub unit: String,
    /// Own cost in the middle run before.
    pub before: f64,
    /// Own cost in the middle one of the latest runs.
    pub after: f64,
    /// How often chance alone would do that, corrected for all functions that were looked at.
    pub p: f64,
}

/// What changed in the latest runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regressions {
    /// Functions that cost more, the largest increase first.
    pub slower: Vec<Changed>,
    /// Functions that cost less, the largest decrease first.
    pub faster: Vec<Changed>,
    /// Latest runs, and runs before.
    pub latest: usize,
    /// See `latest`.
    pub before: usize,
    /// Functions that were compared.
    pub compared: usize,
    /// True when so few runs can show nothing of so many functions.
    pub too_few: bool,
    /// The first of the latest runs.
    pub first: Option<RunRow>,
}

/// Runs and own cost of a function in them.
type Costs = FxHashMap<i64, Vec<(u32, i64)>>;

/// Functions that cost more in the latest `last` runs than in those before.
///
/// # Errors
/// When a file cannot be read.
pub fn regressions(snapshot: &Snapshot, chosen: &Chosen, last: usize) -> io::Result<Regressions> {
    let runs = Runs::load(snapshot)?;
    let mut order: Vec<u32> = (0u32..)
        .zip(&runs.rows)
        .filter(|(_, run)| chosen.has(run) && run.when().is_some())
        .map(|(place, _)| place)
        .collect();
    order.sort_by_key(|&place| (runs.rows[place as usize].when(), place));
    let from = order.len().saturating_sub(last);
    // 0 for other runs, 1 before, 2 latest.
    let mut side = vec![0u8; runs.rows.len()];
    order.iter().enumerate().for_each(|(at, &place)| side[place as usize] = if at < from { 1 } else { 2 });
    let (before, latest) = (from, order.len() - from);
    let mut answer = Regressions {
        latest,
        before,
        first: order.get(from).map(|&place| runs.rows[place as usize].clone()),
        too_few: true,
        ..Regressions::default()
    };
    if before == 0 || latest == 0 {
        return Ok(answer);
    }
    let each = |costs: &mut Costs, frame: &Frame| {
        let run = runs.of(frame);
        let (ids, own) = (frame.ints("function_id"), frame.ints("self_value"));
        for row in 0..frame.rows {
            let Some(place) = run(row).filter(|&place| side[place as usize] > 0) else { continue };
            costs.entry(ids[row]).or_default().push((place, own[row]));
        }
    };
    let mut costs = Costs::default();
    for part in snapshot.scan(&FUNCTIONS, &["run_id", "function_id", "self_value"], Costs::default, each)? {
        for (id, values) in part {
            costs.entry(id).or_default().extend(values);
        }
    }
    // A function that a run lacks cost nothing there.
    let sides = |values: &[(u32, i64)]| {
        let mut both = [vec![0.0; before], vec![0.0; latest]];
        let mut at = [0, 0];
        for (place, value) in values {
            let side = usize::from(side[*place as usize]) - 1;
            if let Some(cell) = both[side].get_mut(at[side]) {
                *cell = *value as f64;
                at[side] += 1;
            }
        }
        both
    };
    let mut ids: Vec<i64> = costs.keys().copied().collect();
    ids.sort_unstable();
    let p = chances(ids.iter().map(|id| sides(&costs[id])));
    answer.compared = ids.len();
    answer.too_few = smallest_p(before, latest) * ids.len() as f64 > ALPHA;
    let mut changed: FxHashMap<i64, Changed> = FxHashMap::default();
    for (&id, &p) in ids.iter().zip(&p).filter(|(_, p)| **p < ALPHA) {
        let middles =
            sides(&costs[&id]).map(|side| crate::analysis::diff::evidence::median(&side).unwrap_or(0.0));
        let [before, after] = middles;
        if (after - before).abs() > PRACTICAL * before.abs() {
            let blank = String::new;
            changed.insert(id, Changed { name: blank(), module: blank(), unit: blank(), before, after, p });
        }
    }
    name(snapshot, &mut changed)?;
    let (mut slower, mut faster): (Vec<Changed>, Vec<Changed>) =
        changed.into_values().partition(|c| c.after > c.before);
    let size = |c: &Changed| (c.after - c.before).abs();
    for side in [&mut slower, &mut faster] {
        side.sort_by(|a, b| size(b).total_cmp(&size(a)).then_with(|| a.name.cmp(&b.name)));
    }
    (answer.slower, answer.faster) = (slower, faster);
    Ok(answer)
}

/// How often chance alone would part the values of two sides as they are, corrected for how many there are.
fn chances(sides: impl Iterator<Item = [Vec<f64>; 2]>) -> Vec<f64> {
    corrected(&sides.map(|[before, latest]| mann_whitney(&before, &latest)).collect::<Vec<_>>())
}

/// Gives functions their names.
fn name(snapshot: &Snapshot, changed: &mut FxHashMap<i64, Changed>) -> io::Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    type Names = FxHashMap<i64, [String; 3]>;
    let each = |names: &mut Names, frame: &Frame| {
        for (row, id) in frame.ints("function_id").iter().enumerate() {
            if changed.contains_key(id) && !names.contains_key(id) {
                names
                    .insert(*id, ["name", "module", "unit"].map(|column| frame.text(column, row).to_owned()));
            }
        }
    };
    let parts =
        snapshot.scan(&FUNCTIONS, &["function_id", "name", "module", "unit"], Names::default, each)?;
    for (id, [name, module, unit]) in parts.into_iter().flatten() {
        if let Some(changed) = changed.get_mut(&id) {
            (changed.name, changed.module, changed.unit) = (name, module, unit);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Chance(u64);

    impl Chance {
        /// Around 1,000, by some percent.
        fn cost(&mut self) -> i64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1000 + ((self.0 >> 40) % 61) as i64 - 30
        }
    }

    #[test]
    fn of_a_hundred_histories_without_a_change_at_most_five_alarm() {
        let mut chance = Chance(1);
        let mut cost = move || chance.cost();
        let mut side = |n: usize| (0..n).map(|_| cost() as f64).collect::<Vec<_>>();
        let mut alarm = || chances((0..150).map(|_| [side(60), side(20)])).iter().any(|p| *p < ALPHA);
        let alarms = (0..100).filter(|_| alarm()).count();
        assert!(alarms <= 5, "{alarms} of 100 by functions");
        let mut chance = Chance(2);
        let mut series = || (0..30).map(|_| chance.cost()).collect::<Vec<_>>();
        let alarms = (0..100).filter(|_| !shifts(&series()).is_empty()).count();
        assert!(alarms <= 5, "{alarms} of 100 by level");
    }

    #[test]
    fn figures_are_read() {
        assert_eq!(Figure::parse("self:a::b"), Ok(Figure::Own("a::b".into())));
        assert_eq!(Figure::parse("duration"), Ok(Figure::Duration));
        assert!(Figure::parse("speed").is_err() && Figure::parse("self:").is_err());
    }
}
