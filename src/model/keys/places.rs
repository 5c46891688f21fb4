//! Keys of single things on the time axis: spans and instants.
//!
//! Such a thing is known by what it is and when it began. That holds in all revisions of a run; in another run, whose
//! clock is another one, its counterpart is a question of matching.

use super::super::{Instant, Profile, Span, Track, TrackId};
use super::interned::hash_of;
use super::{SymbolKey, TrackKey};

/// A span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanKey {
    /// Its track.
    pub track: TrackKey,
    /// What ran.
    pub symbol: SymbolKey,
    /// Start, ns.
    pub start: i64,
    /// Counts the spans of the track that began at this time and are of this function, outermost first.
    pub nth: u32,
}

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstantKey {
    /// When, ns.
    pub time: i64,
    /// Hash of its text, which may be a line of a log.
    pub text: u64,
    /// Counts the instants of this time and text.
    pub nth: u32,
}

/// Rows of spans that begin at `start`, in order.
fn rows_at(track: &Track, start: i64) -> impl Iterator<Item = (u32, &Span)> {
    track.spans.lanes.iter().flat_map(move |lane| {
        let rows = &track.spans.rows[lane.rows.start as usize..lane.rows.end as usize];
        let first = rows.partition_point(|span| span.start < start);
        let places = lane.rows.start + first as u32..;
        places.zip(&rows[first..]).take_while(move |(_, span)| span.start == start)
    })
}

/// Rows of instants at `time`, in order.
fn instants_at(profile: &Profile, time: i64) -> impl Iterator<Item = (u32, &Instant)> {
    let first = profile.instants.partition_point(|i| i.time < time);
    (first as u32..).zip(&profile.instants[first..]).take_while(move |(_, i)| i.time == time)
}

impl Profile {
    /// The key of a span; `None` when there is no such row.
    #[must_use]
    pub fn span_key(&self, id: TrackId, row: u32) -> Option<SpanKey> {
        let track = self.tracks.get(id.index())?;
        let span = track.spans.rows.get(row as usize)?;
        let before = rows_at(track, span.start).take_while(|(at, _)| *at != row);
        let nth = before.filter(|(_, other)| other.function == span.function).count() as u32;
        let keys = self.keys();
        Some(SpanKey {
            track: keys.track_key(id),
            symbol: keys.symbol(span.function),
            start: span.start,
            nth,
        })
    }

    /// Track and row of a span.
    #[must_use]
    pub fn find_span(&self, key: SpanKey) -> Option<(TrackId, u32)> {
        let track = self.keys().track(key.track)?;
        let function = self.keys().function(key.symbol)?;
        let alike = rows_at(self.track(track), key.start).filter(|(_, span)| span.function == function);
        alike.map(|(row, _)| (track, row)).nth(key.nth as usize)
    }

    /// The key of a row of [`Profile::instants`].
    #[must_use]
    pub fn instant_key(&self, row: u32) -> Option<InstantKey> {
        let instant = self.instants.get(row as usize)?;
        let before = instants_at(self, instant.time).take_while(|(at, _)| *at != row);
        let nth = before.filter(|(_, other)| other.name == instant.name).count() as u32;
        Some(InstantKey { time: instant.time, text: hash_of(self.text(instant.name)), nth })
    }

    /// The row of an instant.
    #[must_use]
    pub fn find_instant(&self, key: InstantKey) -> Option<u32> {
        let alike = instants_at(self, key.time).filter(|(_, i)| hash_of(self.text(i.name)) == key.text);
        alike.map(|(row, _)| row).nth(key.nth as usize)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{ArgsRef, FunctionSpec, Instant, ProfileBuilder, Severity, TrackKind, TrackSpec};

    #[test]
    fn each_of_several_alike_is_found_again_while_the_run_grows() {
        let make = |early: bool| {
            let mut b = ProfileBuilder::new("inferscope");
            let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Task, sort: 0 });
            let [f, g] = ["f", "g"].map(|name| b.function(FunctionSpec::named(name)));
            if early {
                b.span(track, 0, 5, g, ArgsRef::NONE);
                b.span(track, 10, 90, g, ArgsRef::NONE);
            }
            // Two branches that began together, and a call of itself at once.
            for end in [50, 40, 60] {
                b.span(track, 10, end, f, ArgsRef::NONE);
            }
            b.span(track, 20, 30, f, ArgsRef::NONE);
            for _ in 0..3 {
                let name = b.string("mark");
                let args = ArgsRef::NONE;
                b.instant(Instant { time: 7, track: None, name, args, severity: Severity::Info });
            }
            b.finish()
        };
        let (before, after) = (make(false), make(true));
        for (id, track) in before.track_ids().zip(&before.tracks) {
            for (row, span) in (0..).zip(&track.spans.rows) {
                let key = before.span_key(id, row).unwrap();
                assert_eq!(before.find_span(key), Some((id, row)));
                let (there, at) = after.find_span(key).unwrap();
                let other = &after.track(there).spans.rows[at as usize];
                assert_eq!((other.start, other.end), (span.start, span.end));
            }
        }
        for row in 0..3 {
            assert_eq!(before.find_instant(before.instant_key(row).unwrap()), Some(row));
        }
        assert_eq!((before.span_key(crate::model::TrackId(9), 0), before.instant_key(3)), (None, None));
    }
}
