//! Bounding what a builder holds: the latest spans stay, with what lies beside them in time.

use super::super::*;
use super::{ProfileBuilder, lanes};

/// Which rows stayed when older ones were left out, so that whoever knows rows by number can follow.
#[derive(Debug, Default)]
pub(crate) struct LeftOut {
    /// By track, the old numbers of the spans that stayed, ascending; `None`: all did.
    spans: Vec<Option<Vec<u32>>>,
    instants: Vec<u32>,
    links: Vec<u32>,
    /// How many spans were left out.
    pub(crate) count: u64,
}

impl LeftOut {
    /// The new number of a span; `None` when it was left out.
    pub(crate) fn row(&self, track: TrackId, old: u32) -> Option<u32> {
        match self.spans.get(track.index()) {
            Some(Some(stayed)) => stayed.binary_search(&old).ok().map(|new| new as u32),
            _ => Some(old),
        }
    }

    /// How many of the first `before` spans of a track stayed.
    pub(in crate::model) fn spans_of_first(&self, track: usize, before: usize) -> usize {
        self.spans.get(track).and_then(Option::as_ref).map_or(before, |stayed| of_first(stayed, before))
    }

    /// The same of instants and of links.
    pub(in crate::model) fn marks_of_first(&self, instants: usize, links: usize) -> (usize, usize) {
        (of_first(&self.instants, instants), of_first(&self.links, links))
    }
}

fn of_first(stayed: &[u32], before: usize) -> usize {
    stayed.partition_point(|&old| (old as usize) < before)
}

/// The rows of `all` that stay, with their old numbers.
fn staying<T: Copy>(all: &[T], stays: impl Fn(&T) -> bool) -> (Vec<T>, Vec<u32>) {
    all.iter().zip(0u32..).filter(|(row, _)| stays(row)).map(|(row, old)| (*row, old)).unzip()
}

/// The spans of a table that end at `time` or later. The table is not frozen.
fn since(table: &SpanTable, time: i64) -> (SpanTable, Vec<u32>) {
    let (mut rows, stayed) = staying(&table.rows, |span| span.end >= time);
    rows.iter_mut().zip(0u32..).for_each(|(row, new)| row.parent = new);
    let of =
        |column: &Vec<i64>| stayed.iter().map(|&r| column.get(r as usize).copied().unwrap_or(0)).collect();
    let costs = table.costs.iter().map(|(metric, column)| (*metric, of(column))).collect();
    (SpanTable { rows, costs, ..SpanTable::default() }, stayed)
}

impl ProfileBuilder {
    /// The moment since which about `most` spans have ended, those of phases apart; `None` when there are no more.
    pub(crate) fn time_of_latest(&self, most: usize) -> Option<i64> {
        let tracks = || self.profile.tracks.iter().filter(|t| t.kind != TrackKind::Phase);
        // Rows come in the order of their ends, but for what is found to have ended later.
        let ended_since = |time: i64| -> usize {
            tracks().map(|t| t.spans.rows.len() - t.spans.rows.partition_point(|s| s.end < time)).sum()
        };
        let mut low = tracks().filter_map(|t| t.spans.rows.first()).map(|s| s.end).min()?;
        let mut high = tracks().filter_map(|t| t.spans.rows.last()).map(|s| s.end).max()?.saturating_add(1);
        if ended_since(low) <= most {
            return None;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if ended_since(middle) > most { low = middle } else { high = middle }
        }
        Some(high)
    }

    /// Leaves out the spans that ended before `time`, and instants and links of their tracks before it. Phases stay,
    /// and so do counters and requests. What began before and ended later is drawn from `time` on when the
    /// profile is frozen, so that sums are those of the time since then. `held`: details that somebody will still add.
    pub(crate) fn leave_out_before(&mut self, time: i64, held: impl Iterator<Item = ArgsRef>) -> LeftOut {
        let mut left_out = LeftOut::default();
        self.begin = Some(self.begin.map_or(time, |begin| begin.max(time)));
        for (i, track) in self.profile.tracks.iter_mut().enumerate() {
            if track.kind == TrackKind::Phase || track.spans.rows.iter().all(|span| span.end >= time) {
                left_out.spans.push(None);
                continue;
            }
            let (table, stayed) = since(&track.spans, time);
            left_out.count += (track.spans.rows.len() - table.rows.len()) as u64;
            track.spans = table;
            if let Some(names) = self.names.get_mut(&TrackId::from_index(i)) {
                names.keep(&stayed);
            }
            left_out.spans.push(Some(stayed));
        }
        let p = &mut self.profile;
        (p.instants, left_out.instants) = staying(&p.instants, |i| i.track.is_none() || i.time >= time);
        (p.links, left_out.links) = staying(&p.links, |l| l.from.1 >= time && l.to.1 >= time);
        let spans = p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.args);
        let used = spans.chain(p.instants.iter().map(|i| i.args)).chain(held);
        let sets = used.filter_map(|args| match args.place() {
            ArgsPlace::Inline(set) => Some(set),
            ArgsPlace::None | ArgsPlace::Offset(_) => None,
        });
        let first = sets.min();
        p.attributes.leave_out_before(first);
        left_out
    }

    /// A copy with only the spans that ended at `time` or later, made without copying the others.
    pub(crate) fn copy_since(&mut self, time: i64) -> (Self, LeftOut) {
        let tracks = std::mem::take(&mut self.profile.tracks);
        let mut copy = self.clone();
        let mut left_out = LeftOut::default();
        for (i, track) in tracks.iter().enumerate() {
            let whole = track.kind == TrackKind::Phase;
            let (spans, stayed) = since(&track.spans, if whole { i64::MIN } else { time });
            left_out.count += (track.spans.rows.len() - spans.rows.len()) as u64;
            if let Some(names) = copy.names.get_mut(&TrackId::from_index(i)) {
                names.keep(&stayed);
            }
            let Track { name, process, kind, sort, .. } = *track;
            let samples = track.samples.clone();
            copy.profile.tracks.push(Track { name, process, kind, sort, spans, samples });
            left_out.spans.push(Some(stayed));
        }
        copy.begin = Some(copy.begin.map_or(time, |begin| begin.max(time)));
        self.profile.tracks = tracks;
        (copy, left_out)
    }

    /// Ends what [`Self::leave_out_before`] began: nothing is before the time from which all is there.
    pub(super) fn cut_to_begin(&mut self) {
        let Some(begin) = self.begin else { return };
        self.leave_out_before(begin, std::iter::empty());
        let p = &mut self.profile;
        let lasts =
            |m: &MetricId| p.metrics[m.index()].unit == Unit::Nanoseconds && !p.metrics[m.index()].own;
        for track in p.tracks.iter_mut().filter(|t| t.kind != TrackKind::Phase) {
            let SpanTable { rows, costs, .. } = &mut track.spans;
            for (at, span) in rows.iter_mut().enumerate().filter(|(_, span)| span.start < begin) {
                span.start = begin;
                // Of the time that is left, no more can have been busy.
                for (_, column) in costs.iter_mut().filter(|(metric, _)| lasts(metric)) {
                    column.get_mut(at).into_iter().for_each(|v| *v = (*v).min(span.end - begin));
                }
            }
        }
        let first = p.attributes.first();
        let spans = p.tracks.iter_mut().flat_map(|t| &mut t.spans.rows).map(|s| &mut s.args);
        for args in spans.chain(p.instants.iter_mut().map(|i| &mut i.args)) {
            if let ArgsPlace::Inline(set) = args.place() {
                *args = ArgsRef::inline(set - first);
            }
        }
        p.attributes.number_from_zero();
    }

    /// Bytes of the spans so far, and of all else, without room that is reserved.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let p = &self.profile;
        let table =
            |t: &SpanTable| size_of_val(&*t.rows) + t.costs.iter().map(|(_, c)| c.len() * 8).sum::<usize>();
        let spans = p.tracks.iter().map(|t| table(&t.spans)).sum::<usize>()
            + self.names.values().map(lanes::Names::bytes).sum::<usize>();
        let requests = p.requests.rows.iter().map(Request::bytes).sum::<usize>();
        let points = p.counters.iter().map(|c| c.times.len() * 16).sum::<usize>();
        let marks = size_of_val(&*p.instants) + size_of_val(&*p.links) + p.attributes.bytes();
        (spans, p.strings.heap_bytes() + requests + points + marks)
    }

    /// Number of spans so far.
    pub(crate) fn all_spans(&self) -> usize {
        self.profile.span_count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FunctionSpec, TrackSpec};
    use super::*;

    /// A thread of calls of 10 ns one after another, a span over all of them that ended last, and a task per call.
    fn recorded(calls: i64) -> ProfileBuilder {
        let mut b = ProfileBuilder::new("x");
        b.metric(Metric::time());
        let busy = b.metric(Metric::new("busy", "Busy", Unit::Nanoseconds));
        let mut track = |name: &str, kind| b.track(TrackSpec { name, process: "", kind, sort: 0 });
        let (thread, tasks) = (track("thread", TrackKind::Thread), track("tasks", TrackKind::Task));
        let phases = track("Phases", TrackKind::Phase);
        let f = b.function(FunctionSpec::named("f"));
        b.span(phases, 0, 1, f, ArgsRef::NONE);
        let key = b.string("n");
        for n in 0..calls {
            let args = b.args([(key, Value::Int(n))]);
            let row = b.span(thread, n * 10, n * 10 + 10, f, args);
            b.span_cost(thread, row, busy, 7);
            let row = b.span(tasks, n * 10, n * 10 + 15, f, ArgsRef::NONE);
            b.nest_span(tasks, row, n as u64, (n > 0).then(|| n as u64 - 1));
            b.instant(Instant {
                time: n * 10,
                track: Some(thread),
                name: key,
                args,
                severity: Severity::Info,
            });
        }
        let row = b.span(thread, 0, calls * 10, f, ArgsRef::NONE);
        b.span_cost(thread, row, busy, calls * 9);
        b
    }

    fn numbers(p: &Profile) -> Vec<String> {
        p.tracks
            .iter()
            .flat_map(|t| &t.spans.rows)
            .flat_map(|s| p.inline_args(s.args))
            .map(|(_, v)| v)
            .collect()
    }

    #[test]
    fn the_latest_spans_stay_whole_and_longer_ones_begin_with_them() {
        let mut b = recorded(100);
        assert_eq!(b.time_of_latest(1000), None);
        let time = b.time_of_latest(40).unwrap();
        let held = b.profile.tracks[0].spans.rows[95].args;
        let left_out = b.leave_out_before(time, std::iter::once(held));
        assert_eq!(left_out.count as usize + b.all_spans(), 202);
        let (row, gone) = (left_out.row(TrackId(0), 95).unwrap(), left_out.row(TrackId(0), 3));
        assert_eq!((b.profile.tracks[0].spans.rows[row as usize].end, gone), (960, None));
        assert_eq!(b.names[&TrackId(1)].get(left_out.row(TrackId(1), 99).unwrap()).map(|n| n.own), Some(99));
        let p = b.finish();
        let of = |name: &str| p.tracks.iter().find(|t| p.text(t.name) == name).unwrap();
        let outer = of("thread").spans.rows[0];
        assert_eq!((outer.start, outer.end, outer.depth), (time, 1000, 0));
        let busy = &of("thread").spans.costs[0].1;
        assert_eq!((busy[0], busy[2]), (1000 - time, 7), "no busier than it is long");
        assert_eq!(of("Phases").spans.rows.len(), 1, "phases stay");
        let kept: Vec<String> = (81..100).map(|n| n.to_string()).collect();
        assert_eq!((time, numbers(&p)), (811, kept), "details are those of their spans");
        assert!(p.instants.len() <= 21 && p.instants.iter().all(|i| i.time >= time));
        assert_eq!(p.attributes.len(), numbers(&p).len());
    }

    #[test]
    fn a_copy_of_the_latest_leaves_the_whole_as_it_was() {
        let (mut b, whole) = (recorded(50), dump(&recorded(50).finish()));
        let time = b.time_of_latest(20).unwrap();
        let (copy, left_out) = b.copy_since(time);
        assert_eq!(left_out.count as usize + copy.all_spans(), 102);
        assert!(numbers(&copy.finish()).len() <= 11);
        assert_eq!(dump(&b.finish()), whole);
    }
}
