//! Times that lie far from all others, such as 0 among times since 1970: they would set the scale of everything.

use rustc_hash::FxHashMap;

use super::*;

/// Length of the cells that times are counted in, ns (10 minutes).
const CELL: i64 = 600_000_000_000;
/// Times further apart than this belong to different groups, ns (1 hour).
const GAP: i64 = 6 * CELL;
/// How far a group must be from the largest one to be far: 0 as soon as it is another group, others a week, ns.
const FAR: i64 = 7 * 86_400_000_000_000;
/// … and so many times the length of the largest one.
const TIMES_LONGER: i64 = 100;
/// Far times are at most one of so many.
const ONE_OF: u64 = 4;

/// What [`ProfileBuilder::set_far_times_aside`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FarTimes {
    /// Spans, instants and points of counters that are set aside.
    pub count: u64,
    /// Details of the first span or instant of them.
    pub first: Option<ArgsRef>,
}

/// Times of a cell or a group.
#[derive(Clone, Copy)]
struct Group {
    first: i64,
    last: i64,
    count: u64,
}

impl Group {
    fn add(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count += other.count;
    }

    fn length(&self) -> i64 {
        self.last.saturating_sub(self.first)
    }

    fn distance(&self, other: &Self) -> i64 {
        self.first.saturating_sub(other.last).max(other.first.saturating_sub(self.last))
    }
}

impl ProfileBuilder {
    /// Sets spans aside whose times are far from nearly all others: they go to a track of their own, which holds no place
    /// in time, and keep their lengths. Instants and points of counters move to the closest time that is usual, spans that
    /// only end far away are unfinished, links are left out. Does nothing when no group of times is that small and far.
    pub fn set_far_times_aside(&mut self, spec: TrackSpec<'_>) -> FarTimes {
        let Some((usual, length)) = self.usual_times() else { return FarTimes::default() };
        let mut far = FarTimes::default();
        let is_far = |t: i64| t < usual.first || t > usual.last;
        let ends_far = |s: &Span| {
            let beyond = s.end.saturating_sub(usual.last);
            s.end != i64::MAX && beyond > FAR && beyond / TIMES_LONGER >= length
        };
        let mut aside: Vec<Span> = Vec::new();
        let mut last = usual.last;
        for track in &mut self.profile.tracks {
            let spans = &mut track.spans;
            if !spans.lanes.is_empty() || !spans.rows.iter().any(|s| is_far(s.start) || ends_far(s)) {
                spans.rows.iter().filter(|s| s.end != i64::MAX).for_each(|s| last = last.max(s.end));
                continue;
            }
            let kept: Vec<bool> = spans.rows.iter().map(|s| !is_far(s.start)).collect();
            for (_, column) in &mut spans.costs {
                column.resize(kept.len(), 0);
                let mut keep = kept.iter();
                column.retain(|_| keep.next().copied().unwrap_or(true));
            }
            aside.extend(spans.rows.iter().filter(|s| is_far(s.start)));
            spans.rows.retain(|s| !is_far(s.start));
            for (handle, span) in (0u32..).zip(&mut spans.rows) {
                span.parent = handle;
                if ends_far(span) {
                    far.note(span.args);
                    (span.end, span.status) = (i64::MAX, SpanStatus::Unfinished);
                } else if span.end != i64::MAX {
                    last = last.max(span.end);
                }
            }
        }
        let usual = Group { last, ..usual };
        aside.iter().for_each(|s| far.note(s.args));
        self.lay_aside(&aside, usual, spec);
        for instant in self.profile.instants.iter_mut().filter(|i| is_far(i.time)) {
            far.note(instant.args);
            instant.time = instant.time.clamp(usual.first, usual.last);
        }
        for time in self.profile.counters.iter_mut().flat_map(|c| &mut c.times).filter(|t| is_far(**t)) {
            far.count += 1;
            *time = (*time).clamp(usual.first, usual.last);
        }
        self.profile.links.retain(|l| !is_far(l.from.1) && !is_far(l.to.1));
        far
    }

    /// Spans one after the other on a track without a place in time.
    fn lay_aside(&mut self, spans: &[Span], usual: Group, spec: TrackSpec<'_>) {
        if spans.is_empty() {
            return;
        }
        let track = self.track(spec);
        let mut at = usual.first;
        for span in spans {
            let length = if span.end == i64::MAX { 0 } else { span.duration() };
            let end = at.saturating_add(length).min(usual.last).max(at);
            let handle = self.open_span(track, at, span.function, span.args);
            self.close_span(track, handle, end, span.status);
            at = end;
        }
    }

    /// The largest group of times with those that are not far from it, and the length of the largest one alone; `None` when
    /// too many are far.
    fn usual_times(&self) -> Option<(Group, i64)> {
        let groups = self.groups();
        let usual = *groups.iter().max_by_key(|g| g.count)?;
        let far = |g: &&Group| {
            let distance = g.distance(&usual);
            let least = if (g.first, g.last) == (0, 0) { GAP } else { FAR };
            distance >= least && distance / TIMES_LONGER >= usual.length()
        };
        // What is a bit early or late says nothing about what is impossible.
        let mut near = usual;
        groups.iter().filter(|g| g.first != usual.first && !far(g)).for_each(|g| near.add(*g));
        let all: u64 = groups.iter().map(|g| g.count).sum();
        (all - near.count <= all / ONE_OF).then_some((near, usual.length()))
    }

    /// Times with more than [`GAP`] between them.
    fn groups(&self) -> Vec<Group> {
        let p = &self.profile;
        let spans = p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.start);
        let points = p.counters.iter().flat_map(|c| c.times.iter().copied());
        let mut cells: FxHashMap<i64, Group> = FxHashMap::default();
        for time in spans.chain(p.instants.iter().map(|i| i.time)).chain(points) {
            let one = Group { first: time, last: time, count: 1 };
            cells.entry(time.div_euclid(CELL)).and_modify(|g| g.add(one)).or_insert(one);
        }
        let mut cells: Vec<Group> = cells.into_values().collect();
        cells.sort_unstable_by_key(|g| g.first);
        let mut groups: Vec<Group> = Vec::new();
        for cell in cells {
            match groups.last_mut() {
                Some(group) if cell.first.saturating_sub(group.last) < GAP => group.add(cell),
                _ => groups.push(cell),
            }
        }
        groups
    }
}

impl FarTimes {
    fn note(&mut self, args: ArgsRef) {
        self.count += 1;
        if args != ArgsRef::NONE {
            self.first.get_or_insert(args);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn spec() -> TrackSpec<'static> {
        TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 }
    }

    /// What is set aside of spans with these starts and lengths, the length of the rest, and whether all were kept.
    fn aside(spans: &[(i64, i64)]) -> (u64, Option<i64>) {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(spec());
        let f = b.function(FunctionSpec::named("f"));
        for &(start, length) in spans {
            b.span(track, start, start + length, f, ArgsRef::NONE);
        }
        let untimed = TrackSpec { kind: TrackKind::Untimed, sort: 1, ..spec() };
        let far = b.set_far_times_aside(untimed).count;
        let p = b.finish();
        assert_eq!(p.span_count(), spans.len());
        (far, p.meta.duration)
    }

    #[test]
    fn single_times_far_from_all_others_do_not_set_the_scale() {
        let epoch = 450_000 * HOUR;
        let usual: Vec<_> = (0..8).map(|i| (epoch + i * 10, 10)).collect();
        let with = |other: (i64, i64)| [&usual[..], &[other]].concat();
        assert_eq!(aside(&with((0, 0))), (1, Some(80)));
        assert_eq!(aside(&with((0, 50))), (1, Some(80)), "the length of what was set aside does not matter");
        assert_eq!(aside(&with((epoch + 50_000 * HOUR, 5))), (1, Some(80)));
        assert_eq!(aside(&with((epoch + 5, 50_000 * HOUR))), (1, Some(80)), "only its end is far");
        // Since the machine started: 0 is far, an hour later is not.
        let usual: Vec<_> = (0..8).map(|i| (2 * HOUR + i * 10, 10)).collect();
        assert_eq!(aside(&[&usual[..], &[(0, 0)]].concat()), (1, Some(80)));
        assert_eq!(aside(&[&usual[..], &[(1, 0)]].concat()).0, 0);
        // Two runs in one file, and a run over weeks.
        assert_eq!(aside(&[&usual[..], &[(0, 0); 5]].concat()).0, 0);
        // What is not far does not change what is.
        let early = [&usual[..], &[(-HOUR / 2, 10), (-50_000 * HOUR, 10)]].concat();
        assert_eq!(aside(&early), (1, Some(2 * HOUR + HOUR / 2 + 80)));
        let long = [&usual[..], &[(-HOUR / 2, 10), (2 * HOUR + 5, 50_000 * HOUR)]].concat();
        assert_eq!(aside(&long), (1, Some(2 * HOUR + HOUR / 2 + 80)));
        let weeks: Vec<_> = (0..100).map(|i| (i * 8 * HOUR, HOUR)).collect();
        assert_eq!(aside(&weeks).0, 0);
    }
}
