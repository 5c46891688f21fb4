//! Which events lie on which track, by severity: so that drawing them costs by the pixel, however many
//! there are.

use crate::jobs::Cancelled;
use crate::model::{Profile, Severity, TrackId};
use crate::query::{Context, Query};
use std::collections::HashMap;

/// Severities from the most to the least serious.
pub const SEVERITIES: [Severity; 4] = [Severity::Error, Severity::Warning, Severity::Info, Severity::Debug];

/// Rows of events by time, one list per severity, in the order of [`SEVERITIES`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed([Vec<u32>; 4]);

/// The events of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventIndex {
    all: Listed,
    tracks: HashMap<TrackId, Listed>,
}

/// Computes the [`EventIndex`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Events;

impl Query for Events {
    type Output = EventIndex;

    fn run(&self, cx: &Context<'_>) -> Result<EventIndex, Cancelled> {
        let instants = &cx.profile().instants;
        let mut out = EventIndex::default();
        for (i, instant) in instants.iter().enumerate() {
            if i % 65_536 == 0 {
                cx.job().checkpoint(i as u64, instants.len() as u64)?;
            }
            let list = SEVERITIES.iter().position(|s| *s == instant.severity).unwrap_or(2);
            out.all.0[list].push(i as u32);
            if let Some(track) = instant.track {
                out.tracks.entry(track).or_default().0[list].push(i as u32);
            }
        }
        Ok(out)
    }

    fn weight(index: &EventIndex) -> usize {
        let of = |l: &Listed| l.0.iter().map(|list| list.len() * 4 + 24).sum::<usize>();
        of(&index.all) + index.tracks.values().map(of).sum::<usize>()
    }
}

/// Events within one cell of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    /// The first of the most serious ones.
    pub instant: u32,
    /// How serious.
    pub severity: Severity,
    /// How many of any severity.
    pub count: u32,
}

impl EventIndex {
    /// The events of a track, or all of them.
    #[must_use]
    pub fn of(&self, track: Option<TrackId>) -> Option<&Listed> {
        match track {
            Some(track) => self.tracks.get(&track),
            None => Some(&self.all),
        }
    }
}

impl Listed {
    /// What lies in `t0..=t1`, cut into `cells` equal parts; parts without events are left out. The cost is
    /// that of the cells, not of the events.
    #[must_use]
    pub fn heaps(&self, profile: &Profile, t0: f64, t1: f64, cells: usize) -> Vec<Heap> {
        let each = (t1 - t0) / cells.max(1) as f64;
        if !(each.is_finite() && each > 0.0) {
            return Vec::new();
        }
        let mut heaps: Vec<Option<Heap>> = vec![None; cells + 1];
        let time = |row: u32| profile.instants.get(row as usize).map_or(f64::MAX, |i| i.time as f64);
        for (list, severity) in self.0.iter().zip(SEVERITIES) {
            let mut at = list.partition_point(|&row| time(row) < t0);
            while let Some(&row) = list.get(at).filter(|&&row| time(row) <= t1) {
                let cell = (((time(row) - t0) / each) as usize).min(cells);
                let end = t0 + (cell + 1) as f64 * each;
                let next = at + list[at..].partition_point(|&row| time(row) < end).max(1);
                let count = (next - at) as u32;
                heaps[cell].get_or_insert(Heap { instant: row, severity, count: 0 }).count += count;
                at = next;
            }
        }
        heaps.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, Instant, ProfileBuilder, Strings, TrackKind, TrackSpec};
    use crate::query::{Engine, Run};
    use std::sync::Arc;

    #[test]
    fn the_most_serious_event_of_a_cell_stands_for_it() {
        let mut b = ProfileBuilder::new("test");
        let spec = TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 };
        let main = b.track(spec);
        for (time, track, severity) in [
            (0, None, Severity::Debug),
            (10, None, Severity::Info),
            (11, Some(main), Severity::Error),
            (12, None, Severity::Info),
            (500, None, Severity::Debug),
            (1000, None, Severity::Warning),
        ] {
            b.instant(Instant { time, track, name: Strings::EMPTY, args: ArgsRef::NONE, severity });
        }
        let profile = Arc::new(b.finish());
        let subject = Run::of(profile.clone());
        let index = Engine::inline().now(&subject, &Events, &crate::jobs::Job::new()).unwrap();
        let heaps = index.of(None).unwrap().heaps(&profile, 1.0, 1000.0, 100);
        let heap = |instant, severity, count| Heap { instant, severity, count };
        let (info, error) = (heap(1, Severity::Info, 1), heap(2, Severity::Error, 2));
        let (debug, warning) = (heap(4, Severity::Debug, 1), heap(5, Severity::Warning, 1));
        assert_eq!(heaps, [info, error, debug, warning]);
        assert_eq!(index.of(Some(main)).unwrap().heaps(&profile, 0.0, 1000.0, 10).len(), 1);
        assert!(index.of(Some(TrackId(4))).is_none());
        assert!(index.of(None).unwrap().heaps(&profile, 5.0, 5.0, 10).is_empty());
    }
}
