//! A thing that can be pointed at, selected, shown in every view.

use crate::model::{
    FunctionId, InstantKey, Profile, RequestId, RequestKey, SpanKey, SymbolKey, TrackId, TrackKey,
};

/// Something selectable. It is named by keys: the same in all revisions of a run and, but for what has a place in time,
/// in other runs. Ids of one profile lead to it and back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A function, wherever it runs.
    Function(SymbolKey),
    /// A call path, root first.
    Path(Vec<SymbolKey>),
    /// One span.
    Span(SpanKey),
    /// Calls from one function to another.
    Edge(SymbolKey, SymbolKey),
    /// One of [`Profile::instants`].
    Instant(InstantKey),
    /// One of [`Profile::requests`].
    Request(RequestKey),
    /// A whole track.
    Track(TrackKey),
    /// A moment, ns.
    Time(i64),
}

/// From ids.
impl Item {
    /// A function.
    #[must_use]
    pub fn of_function(function: FunctionId, profile: &Profile) -> Self {
        Self::Function(profile.keys().symbol(function))
    }

    /// A call path, root first.
    #[must_use]
    pub fn of_path(path: &[FunctionId], profile: &Profile) -> Self {
        Self::Path(path.iter().map(|&f| profile.keys().symbol(f)).collect())
    }

    /// A span; `None` when there is no such row.
    #[must_use]
    pub fn of_span(track: TrackId, row: u32, profile: &Profile) -> Option<Self> {
        profile.span_key(track, row).map(Self::Span)
    }

    /// Calls from one function to another.
    #[must_use]
    pub fn of_edge(caller: FunctionId, callee: FunctionId, profile: &Profile) -> Self {
        Self::Edge(profile.keys().symbol(caller), profile.keys().symbol(callee))
    }

    /// A row of [`Profile::instants`]; `None` when there is none.
    #[must_use]
    pub fn of_instant(row: u32, profile: &Profile) -> Option<Self> {
        profile.instant_key(row).map(Self::Instant)
    }

    /// A request.
    #[must_use]
    pub fn of_request(request: RequestId, profile: &Profile) -> Self {
        Self::Request(profile.keys().request_key(request))
    }

    /// A track.
    #[must_use]
    pub fn of_track(track: TrackId, profile: &Profile) -> Self {
        Self::Track(profile.keys().track_key(track))
    }
}

/// To another run.
impl Item {
    /// The same thing under the names that another run has for its functions; `None` when a function has none there, or
    /// when the item is not known by functions alone.
    #[must_use]
    pub fn renamed(&self, name: impl Fn(SymbolKey) -> Option<SymbolKey>) -> Option<Self> {
        Some(match self {
            Self::Function(f) => Self::Function(name(*f)?),
            Self::Path(path) => Self::Path(path.iter().map(|&f| name(f)).collect::<Option<_>>()?),
            Self::Edge(a, b) => Self::Edge(name(*a)?, name(*b)?),
            Self::Span(_) | Self::Instant(_) | Self::Request(_) | Self::Track(_) | Self::Time(_) => {
                return None;
            }
        })
    }
}

/// To ids, where the profile has it.
impl Item {
    /// What function the item is about, if it is about one.
    #[must_use]
    pub fn symbol(&self) -> Option<SymbolKey> {
        match self {
            Self::Function(f) | Self::Edge(_, f) => Some(*f),
            Self::Path(path) => path.last().copied(),
            Self::Span(span) => Some(span.symbol),
            Self::Instant(_) | Self::Request(_) | Self::Track(_) | Self::Time(_) => None,
        }
    }

    /// The function that the item is about, if it is about one.
    #[must_use]
    pub fn function(&self, profile: &Profile) -> Option<FunctionId> {
        self.symbol().and_then(|key| profile.keys().function(key))
    }

    /// Track and row of a span.
    #[must_use]
    pub fn span(&self, profile: &Profile) -> Option<(TrackId, u32)> {
        match self {
            Self::Span(key) => profile.find_span(*key),
            _ => None,
        }
    }

    /// The request.
    #[must_use]
    pub fn request(&self, profile: &Profile) -> Option<RequestId> {
        match self {
            Self::Request(key) => profile.keys().request(*key),
            _ => None,
        }
    }

    /// The row of an instant.
    #[must_use]
    pub fn instant(&self, profile: &Profile) -> Option<u32> {
        match self {
            Self::Instant(key) => profile.find_instant(*key),
            _ => None,
        }
    }

    /// The call path of the item, root first, if it has one: that of a span is made of the spans around
    /// it.
    #[must_use]
    pub fn path(&self, profile: &Profile) -> Option<Vec<FunctionId>> {
        match self {
            Self::Path(path) => path.iter().map(|&f| profile.keys().function(f)).collect(),
            Self::Span(key) => {
                let (track, row) = profile.find_span(*key)?;
                let above = profile.span_ancestors(track, row);
                let function = |(t, r): (TrackId, u32)| profile.track(t).spans.rows[r as usize].function;
                let mut path: Vec<_> = above.map(function).collect();
                path.reverse();
                Some(path)
            }
            _ => None,
        }
    }

    /// The time that the item covers, ns.
    #[must_use]
    pub fn interval(&self, profile: &Profile) -> Option<(i64, i64)> {
        match self {
            Self::Span(key) => {
                let (track, row) = profile.find_span(*key)?;
                let span = profile.track(track).spans.rows.get(row as usize)?;
                Some((span.start, span.end))
            }
            Self::Instant(key) => Some((key.time, key.time)),
            Self::Request(_) => {
                let request = profile.requests.get(self.request(profile)?)?;
                Some((request.arrived, request.finished.unwrap_or(request.arrived)))
            }
            Self::Time(t) => Some((*t, *t)),
            Self::Function(_) | Self::Path(_) | Self::Edge(..) | Self::Track(_) => None,
        }
    }
}

/// True when `other` should light up while `item` is pointed at: the same thing, or a place where the
/// same function runs.
#[must_use]
pub fn related(item: &Item, other: &Item, profile: &Profile) -> bool {
    if item == other {
        return true;
    }
    if item.symbol().is_none() || item.symbol() != other.symbol() {
        return false;
    }
    match (item, other) {
        (Item::Function(_), _) | (_, Item::Function(_)) => true,
        (Item::Path(path), Item::Span(span)) | (Item::Span(span), Item::Path(path)) => {
            let Some((track, row)) = profile.find_span(*span) else { return false };
            let symbol = |(t, r): (TrackId, u32)| {
                profile.keys().symbol(profile.track(t).spans.rows[r as usize].function)
            };
            profile.span_ancestors(track, row).map(symbol).eq(path.iter().rev().copied())
        }
        // A path or a span is one place; two different ones are not the same thing.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{path, profile, symbol, symbols};

    #[test]
    fn a_span_lies_on_its_path() {
        let p = profile("main 0 100 / f 10 40 / g 20 30; g 60 70");
        let span = |row| Item::of_span(TrackId(0), row, &p).unwrap();
        assert_eq!(span(2).path(&p), Some(path(&p, "main>f>g")));
        assert_eq!((Item::of_span(TrackId(0), 9, &p), Item::Time(3).path(&p)), (None, None));
        let on = Item::Path(symbols(&p, "main>f>g"));
        let g = Item::Function(symbol(&p, "g"));
        assert!(related(&on, &span(2), &p) && related(&span(2), &on, &p) && related(&g, &span(3), &p));
        assert!(!related(&on, &span(3), &p) && !related(&on, &Item::Path(symbols(&p, "main>g")), &p));
        assert!(!related(&span(2), &span(3), &p) && related(&g, &on, &p));
    }

    #[test]
    fn what_is_selected_stays_selected_while_a_run_grows_and_in_another_run() {
        let before = profile("main 0 100 / f 10 40 / g 20 30");
        let grown = profile("k 0 5; main 0 200; f 10 40; g 20 30; g 60 70 / [later]; g 0 10");
        let span = Item::of_span(TrackId(0), 2, &before).unwrap();
        assert_eq!(span.interval(&grown), Some((20, 30)));
        let other = profile("main 0 90 / h 0 4 / g 50 60");
        for item in [span, Item::of_function(before.track(TrackId(0)).spans.rows[2].function, &before)] {
            let function = item.function(&other).unwrap();
            assert_eq!(other.function_name(function), "g");
        }
        assert_eq!(Item::Function(symbol(&before, "f")).function(&other), None);
    }
}
