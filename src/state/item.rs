//! A thing in a profile that can be pointed at, selected, shown in every view.

use super::look::{rekey_function, rekey_track};
use crate::model::{FunctionId, Profile, RequestId, TrackId};

/// Something selectable. Ids belong to one revision of one profile; [`Item::rekey`] carries an item
/// over to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A function, wherever it runs.
    Function(FunctionId),
    /// A call path, root first.
    Path(Vec<FunctionId>),
    /// One span.
    Span {
        /// Its track.
        track: TrackId,
        /// Its row on the track.
        row: u32,
    },
    /// Calls from one function to another.
    Edge(FunctionId, FunctionId),
    /// Row of [`Profile::instants`].
    Instant(u32),
    /// Row of [`Profile::requests`].
    Request(RequestId),
    /// A whole track.
    Track(TrackId),
    /// A moment, ns.
    Time(i64),
}

impl Item {
    /// The function that the item is about, if it is about one.
    #[must_use]
    pub fn function(&self, profile: &Profile) -> Option<FunctionId> {
        match self {
            Self::Function(f) | Self::Edge(_, f) => Some(*f),
            Self::Path(path) => path.last().copied(),
            Self::Span { track, row } => {
                profile.tracks.get(track.index())?.spans.rows.get(*row as usize).map(|s| s.function)
            }
            Self::Instant(_) | Self::Request(_) | Self::Track(_) | Self::Time(_) => None,
        }
    }

    /// The call path of the item, root first, if it has one: that of a span is made of the spans around
    /// it.
    #[must_use]
    pub fn path(&self, profile: &Profile) -> Option<Vec<FunctionId>> {
        match self {
            Self::Path(path) => Some(path.clone()),
            Self::Span { track, row } => {
                let above = profile.span_ancestors(*track, *row);
                let function = |(t, r): (TrackId, u32)| profile.track(t).spans.rows[r as usize].function;
                let mut path: Vec<_> = above.map(function).collect();
                path.reverse();
                (!path.is_empty()).then_some(path)
            }
            _ => None,
        }
    }

    /// The time that the item covers, ns.
    #[must_use]
    pub fn interval(&self, profile: &Profile) -> Option<(i64, i64)> {
        match self {
            Self::Span { track, row } => {
                let span = profile.tracks.get(track.index())?.spans.rows.get(*row as usize)?;
                Some((span.start, span.end))
            }
            Self::Instant(i) => profile.instants.get(*i as usize).map(|x| (x.time, x.time)),
            Self::Request(id) => {
                profile.requests.get(*id).map(|r| (r.arrived, r.finished.unwrap_or(r.arrived)))
            }
            Self::Time(t) => Some((*t, *t)),
            Self::Function(_) | Self::Path(_) | Self::Edge(..) | Self::Track(_) => None,
        }
    }

    /// The same thing in another revision (or another run) of the profile, found by its names and
    /// times; `None` when it is not there.
    #[must_use]
    pub fn rekey(&self, from: &Profile, to: &Profile) -> Option<Self> {
        let function = |f: FunctionId| rekey_function(f, from, to);
        let track = |t: TrackId| rekey_track(t, from, to);
        Some(match self {
            Self::Function(f) => Self::Function(function(*f)?),
            Self::Edge(a, b) => Self::Edge(function(*a)?, function(*b)?),
            Self::Path(path) => Self::Path(path.iter().map(|&f| function(f)).collect::<Option<_>>()?),
            Self::Span { track: t, row } => {
                let old = from.tracks.get(t.index())?.spans.rows.get(*row as usize)?;
                let (t, f) = (track(*t)?, function(old.function)?);
                let rows = &to.track(t).spans.rows;
                let row = rows
                    .iter()
                    .position(|s| s.start == old.start && s.function == f && s.depth == old.depth)?;
                Self::Span { track: t, row: row as u32 }
            }
            Self::Instant(i) => {
                let old = from.instants.get(*i as usize)?;
                let name = from.text(old.name);
                let found = to.instants.iter().position(|x| x.time == old.time && to.text(x.name) == name)?;
                Self::Instant(found as u32)
            }
            Self::Request(id) => {
                let old = from.requests.get(*id)?;
                let name = from.text(old.name);
                let found = to
                    .requests
                    .rows
                    .iter()
                    .position(|r| r.arrived == old.arrived && to.text(r.name) == name)?;
                Self::Request(RequestId::from_index(found))
            }
            Self::Track(t) => Self::Track(track(*t)?),
            Self::Time(t) => Self::Time(*t),
        })
    }
}

/// True when `other` should light up while `item` is pointed at: the same thing, or a place where the
/// same function runs.
#[must_use]
pub fn related(item: &Item, other: &Item, profile: &Profile) -> bool {
    if item == other {
        return true;
    }
    match (item.function(profile), other.function(profile)) {
        (Some(a), Some(b)) if a == b => match (item, other) {
            (Item::Function(_), _) | (_, Item::Function(_)) => true,
            (Item::Path(path), Item::Span { track, row }) | (Item::Span { track, row }, Item::Path(path)) => {
                let function = |(t, r): (TrackId, u32)| profile.track(t).spans.rows[r as usize].function;
                profile.span_ancestors(*track, *row).map(function).eq(path.iter().rev().copied())
            }
            // A path or a span is one place; two different ones are not the same thing.
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{function, path, profile};

    #[test]
    fn a_span_lies_on_its_path() {
        let p = profile("main 0 100 / f 10 40 / g 20 30; g 60 70");
        let span = |row| Item::Span { track: TrackId(0), row };
        assert_eq!(span(2).path(&p), Some(path(&p, "main>f>g")));
        assert_eq!((span(9).path(&p), Item::Time(3).path(&p)), (None, None));
        let on = Item::Path(path(&p, "main>f>g"));
        let g = Item::Function(function(&p, "g"));
        assert!(related(&on, &span(2), &p) && related(&span(2), &on, &p) && related(&g, &span(3), &p));
        assert!(!related(&on, &span(3), &p) && !related(&on, &Item::Path(path(&p, "main>g")), &p));
        assert!(!related(&span(2), &span(3), &p) && related(&g, &on, &p));
    }
}
