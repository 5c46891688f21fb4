//! Which span holds how much memory: entries of the allocator become costs of spans, and the heap a counter.
//!
//! An entry belongs to the innermost span of its thread at its time, so entries are settled between the events of
//! their thread ([`Memory::settle`]). Sums over all threads (the heap, its peak, who held what then) need one order in
//! time: they follow when nothing earlier can come any more ([`Memory::apply`]).
//!
//! What each span held at the peak is not copied at each new peak, of which there are as many as allocations while a heap
//! grows. Each holder remembers the level that it had when its own last change met a new peak: whatever did
//! not change since then held the same at the peak.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::format;
use crate::model::{
    CounterId, FunctionId, LeftOut, Metric, MetricId, ProfileBuilder, ResultTable, TrackId, Unit, heap,
};
use crate::record::alloc::Entry;
use crate::record::clock::Scale;

/// A holder's number; [`OUTSIDE`] for what no span allocated.
pub(super) type HolderId = u32;
pub(super) const OUTSIDE: HolderId = 0;

/// Length of the stretches of which the counter has the highest and the last level, ns.
const POINT_EVERY: i64 = 10_000_000;
/// Functions that the table names.
const MOST_ROWS: usize = 12;

/// A span that allocated.
#[derive(Default)]
struct Holder {
    function: Option<FunctionId>,
    /// Its row in the builder, once it has one.
    row: Option<(TrackId, u32)>,
    /// It had one, which was left out.
    left_out: bool,
    allocated: i64,
    allocations: i64,
    level: Level,
}

/// Bytes alive, now and at the peak of the heap.
#[derive(Clone, Copy, Default)]
struct Level {
    live: i64,
    at_peak: i64,
    /// The peak that `at_peak` is of.
    peak: u64,
    highest: i64,
}

impl Level {
    fn change(&mut self, by: i64, peak: u64) {
        self.at_peak = self.at_peak(peak);
        self.peak = peak;
        self.live += by;
        self.highest = self.highest.max(self.live);
    }

    /// What it was at the peak with this number, the latest one.
    fn at_peak(&self, peak: u64) -> i64 {
        if self.peak == peak { self.at_peak } else { self.live }
    }
}

#[derive(Default)]
struct Sums {
    allocated: i64,
    allocations: i64,
    level: Level,
}

/// A settled entry that waits for its turn.
struct Change {
    ticks: u64,
    owner: u64,
    /// Of an entry of the owner's own thread.
    holder: Option<HolderId>,
    by: i64,
}

/// A metric of which each span has its own part.
fn metric(builder: &mut ProfileBuilder, key: &str, label: &str, unit: Unit) -> MetricId {
    builder.metric(Metric { own: true, ..Metric::new(key, label, unit) })
}

/// The counter, thinned out.
struct Curve {
    counter: CounterId,
    until: i64,
    highest: Option<(i64, i64)>,
    last: Option<(i64, i64)>,
}

/// The heap as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::record) struct Figures {
    /// Most bytes alive at once.
    pub(in crate::record) highest: i64,
    /// Bytes alive.
    pub(in crate::record) live: i64,
    /// Number of allocations.
    pub(in crate::record) allocations: i64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = |v| format::cost(Unit::Bytes, v);
        let (most, live) = (bytes(self.highest), bytes(self.live));
        let count = format::count(self.allocations);
        write!(f, "at most {most} at once, {live} at the end, {count} allocations")
    }
}

pub(super) struct Memory {
    allocated: MetricId,
    allocations: MetricId,
    curve: Curve,
    /// Entries of each thread that are not settled, oldest first.
    waiting: FxHashMap<u32, VecDeque<Entry>>,
    changes: Vec<Change>,
    holders: FxHashMap<HolderId, Holder>,
    next: HolderId,
    /// Live bytes by owner, and who that is; a free may come before the allocation that it belongs to.
    owners: FxHashMap<u64, (Option<HolderId>, i64)>,
    functions: FxHashMap<Option<FunctionId>, Sums>,
    live: i64,
    highest: i64,
    /// Number of the latest peak.
    peak: u64,
    /// All allocations.
    counted: i64,
    /// Holders after the last clearing out.
    kept: usize,
    pub(super) lost: u64,
}

impl Memory {
    pub(super) fn new(builder: &mut ProfileBuilder) -> Self {
        let allocated = metric(builder, heap::ALLOCATED, "Allocated", Unit::Bytes);
        let count = metric(builder, heap::ALLOCATIONS, "Allocations", Unit::Count);
        let counter = builder.counter(heap::COUNTER, "", Unit::Bytes);
        builder.point(counter, 0, 0.0);
        Self {
            allocated,
            allocations: count,
            curve: Curve { counter, until: 0, highest: None, last: None },
            waiting: FxHashMap::default(),
            changes: Vec::new(),
            holders: FxHashMap::from_iter([(OUTSIDE, Holder::default())]),
            next: OUTSIDE + 1,
            owners: FxHashMap::default(),
            functions: FxHashMap::default(),
            live: 0,
            highest: 0,
            peak: 0,
            counted: 0,
            kept: 0,
            lost: 0,
        }
    }

    pub(super) fn figures(&self) -> Figures {
        Figures { highest: self.highest, live: self.live, allocations: self.counted }
    }

    /// A span that allocates for the first time.
    pub(super) fn holder(&mut self, function: FunctionId) -> HolderId {
        let id = self.next;
        self.next += 1;
        self.holders.insert(id, Holder { function: Some(function), ..Holder::default() });
        id
    }

    pub(super) fn add(&mut self, thread: u32, entry: Entry) {
        self.waiting.entry(thread).or_default().push_back(entry);
    }

    /// Takes the entry of a thread that comes next, when that is not after `until`.
    pub(super) fn next(&mut self, thread: u32, until: u64) -> Option<Entry> {
        self.waiting.get_mut(&thread)?.pop_front_if(|e| e.ticks <= until)
    }

    /// Threads with entries.
    pub(super) fn threads(&self) -> Vec<u32> {
        self.waiting.iter().filter(|(_, list)| !list.is_empty()).map(|(&thread, _)| thread).collect()
    }

    /// Says whose an entry is: `holder` is what its thread was in, and counts for what it allocated itself.
    pub(super) fn settle(&mut self, entry: Entry, holder: HolderId) {
        let (allocated, freed) = (signed(entry.allocated), signed(entry.freed));
        let allocations = i64::from(entry.allocations);
        let own = allocations > 0;
        if own {
            self.counted += allocations;
            let Some(h) = self.holders.get_mut(&holder) else { return };
            h.allocated += allocated;
            h.allocations += allocations;
            let sums = self.functions.entry(h.function).or_default();
            sums.allocated += allocated;
            sums.allocations += allocations;
        }
        let holder = own.then_some(holder);
        self.changes.push(Change { ticks: entry.ticks, owner: entry.owner, holder, by: allocated - freed });
    }

    /// Follows the heap up to `until`: nothing that is earlier will come.
    pub(super) fn apply(&mut self, until: u64, scale: &Scale, builder: &mut ProfileBuilder) {
        self.changes.sort_by_key(|c| c.ticks);
        let due = self.changes.partition_point(|c| c.ticks <= until);
        let rest = self.changes.split_off(due);
        for change in std::mem::replace(&mut self.changes, rest) {
            self.live += change.by;
            let entry = self.owners.entry(change.owner).or_insert((None, 0));
            let early = if entry.0.is_none() { entry.1 } else { 0 };
            entry.0 = entry.0.or(change.holder);
            entry.1 += change.by;
            let (holder, empty) = (entry.0, entry.1 == 0);
            if empty {
                self.owners.remove(&change.owner);
            }
            if let Some(h) = holder.and_then(|h| self.holders.get_mut(&h)) {
                h.level.change(change.by + early, self.peak);
                self.functions.entry(h.function).or_default().level.change(change.by + early, self.peak);
            }
            if self.live > self.highest {
                self.highest = self.live;
                self.peak += 1;
            }
            self.curve.add(scale.ns(change.ticks), self.live, builder);
        }
        if self.holders.len() > 2 * self.kept + 4096 {
            let peak = self.peak;
            self.holders.retain(|&id, h| {
                let runs = h.row.is_none() && !h.left_out;
                id == OUTSIDE || runs || h.level.live != 0 || h.level.at_peak(peak) != 0
            });
            self.kept = self.holders.len();
        }
    }

    /// Sets what a span allocated that was drawn in `builder`.
    pub(super) fn charge(
        &self,
        builder: &mut ProfileBuilder,
        holder: HolderId,
        (track, row): (TrackId, u32),
    ) {
        if let Some(h) = self.holders.get(&holder) {
            builder.span_cost(track, row, self.allocated, h.allocated);
            builder.span_cost(track, row, self.allocations, h.allocations);
        }
    }

    /// Remembers where a span that has ended was drawn, for what is known later.
    pub(super) fn place(&mut self, holder: HolderId, row: (TrackId, u32)) {
        if let Some(h) = self.holders.get_mut(&holder) {
            h.row = Some(row);
        }
    }

    /// Follows a builder of which older rows were left out.
    pub(super) fn follow(&mut self, left_out: &LeftOut) {
        for holder in self.holders.values_mut() {
            if let Some((track, row)) = holder.row.take() {
                holder.row = left_out.row(track, row).map(|row| (track, row));
                holder.left_out = holder.row.is_none();
            }
        }
    }

    /// Sets what spans hold and held at the peak, as far as is known now: those that have ended, and `running` ones.
    /// `left_out`: of which rows of those that have ended `builder` is made.
    pub(super) fn charge_levels(
        &self,
        builder: &mut ProfileBuilder,
        running: &[(HolderId, (TrackId, u32))],
        left_out: &LeftOut,
    ) {
        let at_peak = metric(builder, heap::AT_PEAK, "Live at heap peak", Unit::Bytes);
        let at_end = metric(builder, heap::AT_END, "Live at end", Unit::Bytes);
        let now = |(track, row)| Some((track, left_out.row(track, row)?));
        let ended = self.holders.values().filter_map(|h| Some((h, now(h.row?)?)));
        let running = running.iter().filter_map(|&(id, row)| Some((self.holders.get(&id)?, row)));
        for (holder, (track, row)) in ended.chain(running) {
            builder.span_cost(track, row, at_peak, holder.level.at_peak(self.peak));
            builder.span_cost(track, row, at_end, holder.level.live);
        }
    }

    /// Most bytes alive between two moments (ns), above those alive at the first.
    pub(super) fn peak_between(&self, builder: &ProfileBuilder, (from, to): (i64, i64)) -> Option<i64> {
        let (times, values) = builder.points(self.curve.counter);
        let before = times.partition_point(|&t| t <= from);
        let base = before.checked_sub(1).map_or(0.0, |i| values[i]);
        let inside = before..times.partition_point(|&t| t <= to);
        let highest = values[inside].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        highest.is_finite().then_some((highest - base).max(0.0) as i64)
    }

    /// Ends the counter.
    pub(super) fn end(&mut self, builder: &mut ProfileBuilder) {
        self.curve.close(builder);
    }

    /// The functions that held most, as a table; `None` when nothing was allocated.
    pub(super) fn table(&self, builder: &ProfileBuilder) -> Option<ResultTable> {
        let mut all: Vec<_> = self.functions.iter().collect();
        all.sort_by_key(|(f, s)| (std::cmp::Reverse(s.level.highest), std::cmp::Reverse(s.allocated), **f));
        let bytes = |v: i64| format::cost(Unit::Bytes, v);
        let row = |(function, s): &(&Option<FunctionId>, &Sums)| {
            let name = function.map_or("(outside of spans)", |f| builder.function_name(f));
            vec![
                name.to_owned(),
                bytes(s.allocated),
                format::cost(Unit::Count, s.allocations),
                bytes(s.level.highest),
                bytes(s.level.at_peak(self.peak)),
                bytes(s.level.live),
            ]
        };
        let rows: Vec<_> = all.iter().take(MOST_ROWS).map(row).collect();
        let left_out = all.len().saturating_sub(MOST_ROWS);
        let more = match left_out {
            0 => String::new(),
            n => format!(" {} not shown.", format::counted(n as i64, "further span is", "further spans are")),
        };
        let columns = ["Span", "Allocated", "Allocations", "Highest live", "At heap peak", "At end"];
        (!rows.is_empty()).then(|| ResultTable {
            title: "Memory by span".into(),
            columns: columns.map(str::to_owned).into(),
            rows,
            minor: true,
            note: format!(
                "Own memory of all spans of a name, without what they called, since the recording began; credited to \
                 the span that allocated, wherever it was freed.{more}"
            ),
        })
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Curve {
    fn add(&mut self, time: i64, live: i64, builder: &mut ProfileBuilder) {
        if time >= self.until {
            self.close(builder);
            self.until = time.saturating_add(POINT_EVERY);
        }
        if self.highest.is_none_or(|(_, most)| live > most) {
            self.highest = Some((time, live));
        }
        self.last = Some((time, live));
    }

    fn close(&mut self, builder: &mut ProfileBuilder) {
        let (highest, last) = (self.highest.take(), self.last.take());
        for (time, live) in highest.into_iter().chain(last.filter(|_| last != highest)) {
            builder.point(self.counter, time, live as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, Profile, TrackKind, TrackSpec};

    /// Allocates with a positive number of bytes, frees with a negative one: owner, bytes, and the thread that says so.
    type Step = (u64, i64);

    fn entry(ticks: u64, (owner, bytes): Step) -> Entry {
        let (allocated, freed) = (bytes.max(0).unsigned_abs(), (-bytes).max(0).unsigned_abs());
        Entry { owner, ticks, allocated, freed, allocations: u32::from(bytes > 0) }
    }

    /// A profile with a span for each owner, of what happened in turn; parts of `read` steps are read together.
    fn followed(steps: &[Step], owners: u64, read: usize) -> (Profile, Figures) {
        let mut b = ProfileBuilder::new("x");
        b.metric(Metric::time());
        let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 });
        let (scale, mut memory) = (Scale { ns_per_tick: 1.0, origin: 0 }, Memory::new(&mut b));
        let holders: Vec<HolderId> = (0..owners)
            .map(|n| {
                let f = b.function(FunctionSpec::named(&format!("f{n}")));
                let holder = memory.holder(f);
                let row = b.span(track, n as i64 * 10, n as i64 * 10 + 5, f, ArgsRef::NONE);
                memory.place(holder, (track, row));
                holder
            })
            .collect();
        for (i, part) in steps.chunks(read).enumerate() {
            // Another thread's entries may be read first.
            for (j, &step) in part.iter().enumerate().rev() {
                let ticks = (i * read + j) as u64 * 20_000_000;
                memory.settle(entry(ticks, step), holders[step.0 as usize]);
            }
            memory.apply(((i + 1) * read) as u64 * 20_000_000 - 1, &scale, &mut b);
        }
        memory.end(&mut b);
        memory.charge_levels(&mut b, &[], &LeftOut::default());
        (b.finish(), memory.figures())
    }

    fn column(p: &Profile, key: &str) -> Vec<i64> {
        let metric = p.metric_by_key(key).unwrap();
        p.tracks[0].spans.costs.iter().find(|(m, _)| *m == metric).map(|(_, c)| c.clone()).unwrap_or_default()
    }

    #[test]
    fn the_peak_knows_who_held_what_then() {
        // 0 allocates 10, 1 allocates 5 and 20, 0 is freed, 2 allocates 12.
        let steps = [(0, 10), (1, 5), (1, 20), (0, -10), (2, 3), (2, 6)];
        let (p, figures) = followed(&steps, 3, 2);
        assert_eq!((figures.highest, figures.live, figures.allocations), (35, 34, 5));
        assert_eq!(column(&p, heap::AT_PEAK), [10, 25, 0]);
        assert_eq!(column(&p, heap::AT_END), [0, 25, 9]);
        assert_eq!(p.counters[0].peak(), Some((40_000_000, 35.0)));
    }

    proptest! {
        #[test]
        fn what_spans_hold_adds_up_to_the_counter(
            steps in proptest::collection::vec((0u64..6, 1i64..1000, 0u8..3), 1..80),
            read in 1usize..9,
        ) {
            // Frees only what is there.
            let mut held = [0i64; 6];
            let mut done: Vec<Step> = Vec::new();
            let (mut most, mut then) = (0, held);
            for (owner, bytes, kind) in steps {
                let have = &mut held[owner as usize];
                let bytes = if kind == 0 { -bytes.min(*have) } else { bytes };
                if bytes != 0 {
                    *have += bytes;
                    done.push((owner, bytes));
                }
                if held.iter().sum::<i64>() > most {
                    (most, then) = (held.iter().sum(), held);
                }
            }
            let (p, figures) = followed(&done, 6, read);
            prop_assert_eq!(figures.highest, most);
            prop_assert_eq!(column(&p, heap::AT_PEAK), then);
            prop_assert_eq!(column(&p, heap::AT_END), held);
            let last = p.counters[0].values.last().copied();
            prop_assert_eq!(last, Some(held.iter().sum::<i64>() as f64));
            prop_assert_eq!(p.counters[0].peak().map(|p| p.1), Some(most as f64));
        }
    }
}
