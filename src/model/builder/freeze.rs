//! From rows in order of arrival to a profile that does not change any more.

use super::super::*;
use super::graph::GraphBuilder;

impl ProfileBuilder {
    /// Freezes the profile.
    #[must_use]
    pub fn finish(mut self) -> Profile {
        self.cut_to_begin();
        let Self { meta, rebase, mut profile, graph, mut names, resolutions, mut calls, begin: _ } = self;
        profile.meta = meta;
        let last = last_time(&profile);
        let time = profile.time_metric();
        let numbers = names.values().flat_map(lanes::Names::iter).map(|n| n.own).collect();
        let mut named = callers::Named::default();
        for (i, track) in profile.tracks.iter_mut().enumerate() {
            // Lanes come only from freezing.
            if track.spans.lanes.is_empty() {
                let spans = std::mem::take(&mut track.spans);
                let id = TrackId::from_index(i);
                let names = names.remove(&id).unwrap_or_default();
                let resolution = resolutions.get(&id).copied().unwrap_or(0);
                let known = lanes::Known { names: &names, numbers: &numbers, resolution, last, time };
                let frozen = lanes::freeze(spans.rows, spans.costs, &known);
                named.add(id, &frozen, &names);
                let beside = |&(callee, caller): &(u32, u32)| callers::Call {
                    callee: (id, callee),
                    caller: (id, caller),
                };
                calls.extend(frozen.callers.iter().map(beside));
                track.spans = frozen.table;
            }
            let rows = track.samples.len();
            for (_, column) in &mut track.samples.weights {
                column.resize(rows, 0);
            }
        }
        calls.extend(named.calls());
        callers::set(&mut profile, calls);
        inclusive::make(&mut profile);
        for counter in &mut profile.counters {
            sort_points(counter);
        }
        profile.instants.sort_by_key(|i| i.time);
        profile.links.sort_by_key(|l| l.from.1);
        mend_requests(&mut profile);
        sort_requests(&mut profile);
        profile.call_graph = graph.map(GraphBuilder::finish);
        if rebase {
            shift_to_zero(&mut profile);
        }
        look_up_requests(&mut profile);
        if profile.meta.duration.is_none() && profile.meta.no_clock.is_empty() {
            profile.meta.duration = profile.measure_bounds().map(|(a, b)| b.saturating_sub(a));
        }
        sort_tracks(&mut profile);
        profile
    }
}

/// A request that missed a cache of answers waits for its turn only once that was looked into.
fn look_up_requests(profile: &mut Profile) {
    let Some(name) = profile.strings.find(LOOKUP_TIME) else { return };
    for r in &mut profile.requests.rows {
        let Some(length) = r.stated_length(name, &profile.strings) else { continue };
        let end = r.arrived.saturating_add(length);
        r.looked_up = r.scheduled.filter(|_| !r.undated).map(|scheduled| end.min(scheduled).max(r.arrived));
    }
}

/// What no request can have is unknown: an end before its beginning, a cost below nothing.
fn mend_requests(profile: &mut Profile) {
    let (mut ends, mut costs) = (Vec::new(), Vec::new());
    for (i, r) in profile.requests.rows.iter_mut().enumerate() {
        if r.finished.is_some_and(|end| end < r.arrived) {
            r.finished = None;
            ends.push(i);
        }
        if r.cost.is_some_and(|cost| cost < Money::ZERO) {
            r.cost = None;
            costs.push(i);
        }
    }
    for (kind, found) in [
        ("request that ends before it begins (its latency is unknown)", ends),
        ("negative cost of a request (left out)", costs),
    ] {
        if let Some(&first) = found.first() {
            let first = profile.text(profile.requests.rows[first].name).to_owned();
            profile.warnings.push(Warning { kind: kind.into(), count: found.len() as u64, first });
        }
    }
}

/// By arrival; findings keep pointing at theirs.
fn sort_requests(profile: &mut Profile) {
    let rows = &mut profile.requests.rows;
    if !rows.is_sorted_by_key(|r| r.arrived) {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&i| rows[i].arrived);
        let mut new_id = vec![RequestId(0); rows.len()];
        for (new, &old) in order.iter().enumerate() {
            new_id[old] = RequestId::from_index(new);
        }
        rows.sort_by_key(|r| r.arrived);
        for finding in &mut profile.findings {
            finding.request = finding.request.and_then(|r| new_id.get(r.index()).copied());
        }
    }
    // What is true of the whole run comes last.
    profile.findings.sort_by_key(|f| f.time.unwrap_or(i64::MAX));
}

/// The latest time mentioned anywhere, for spans that never ended.
fn last_time(profile: &Profile) -> i64 {
    let spans = profile
        .tracks
        .iter()
        .flat_map(|t| &t.spans.rows)
        .map(|s| if s.end == i64::MAX { s.start } else { s.end });
    let counters = profile.counters.iter().flat_map(|c| c.times.iter().copied());
    spans
        .chain(counters)
        .chain(profile.instants.iter().map(|i| i.time))
        .chain(profile.tracks.iter().filter(|t| t.samples.is_timed()).map(|t| t.samples.end))
        .max()
        .unwrap_or(0)
}

fn sort_points(counter: &mut Counter) {
    if counter.times.is_sorted() {
        return;
    }
    let mut points: Vec<_> = counter.times.iter().copied().zip(counter.values.iter().copied()).collect();
    points.sort_by_key(|p| p.0);
    (counter.times, counter.values) = points.into_iter().unzip();
}

fn shift_to_zero(profile: &mut Profile) {
    let Some((first, _)) = profile.measure_bounds().filter(|&(first, _)| first != 0) else { return };
    let shift = |t: &mut i64| *t = t.saturating_sub(first);
    for track in &mut profile.tracks {
        for span in &mut track.spans.rows {
            shift(&mut span.start);
            shift(&mut span.end);
        }
        if track.samples.is_timed() {
            track.samples.times.iter_mut().for_each(shift);
            shift(&mut track.samples.end);
        }
    }
    profile.counters.iter_mut().flat_map(|c| &mut c.times).for_each(shift);
    profile.instants.iter_mut().for_each(|i| shift(&mut i.time));
    for link in &mut profile.links {
        shift(&mut link.from.1);
        shift(&mut link.to.1);
    }
    for request in &mut profile.requests.rows {
        shift(&mut request.arrived);
        request.scheduled.iter_mut().for_each(shift);
        request.first_byte.iter_mut().for_each(shift);
        request.first_token.iter_mut().for_each(shift);
        request.finished.iter_mut().for_each(shift);
        request.token_times.iter_mut().for_each(shift);
    }
    profile.findings.iter_mut().filter_map(|f| f.time.as_mut()).for_each(shift);
    if let Some(origin) = &mut profile.meta.origin_unix_ns {
        *origin = origin.saturating_add(first);
    }
}

/// Puts tracks in display order and drops empty ones that nothing refers to.
fn sort_tracks(profile: &mut Profile) {
    let tracks = std::mem::take(&mut profile.tracks);
    let mut used = vec![false; tracks.len()];
    for (i, track) in tracks.iter().enumerate() {
        used[i] = !track.spans.rows.is_empty() || !track.samples.is_empty();
    }
    let mut mark = |id: TrackId| used[id.index()] = true;
    profile.instants.iter().filter_map(|i| i.track).for_each(&mut mark);
    profile.links.iter().flat_map(|l| [l.from.0, l.to.0]).for_each(&mut mark);
    profile.requests.rows.iter().filter_map(|r| r.track).for_each(&mut mark);
    profile.findings.iter().filter_map(|f| f.track).for_each(&mut mark);
    let mut order: Vec<usize> = (0..tracks.len()).filter(|&i| used[i]).collect();
    order.sort_by_key(|&i| tracks[i].sort);
    let mut new_id = vec![TrackId(0); tracks.len()];
    for (new, &old) in order.iter().enumerate() {
        new_id[old] = TrackId::from_index(new);
    }
    let mut tracks: Vec<Option<Track>> = tracks.into_iter().map(Some).collect();
    profile.tracks = order.iter().filter_map(|&i| tracks[i].take()).collect();
    for instant in &mut profile.instants {
        instant.track = instant.track.map(|t| new_id[t.index()]);
    }
    for link in &mut profile.links {
        link.from.0 = new_id[link.from.0.index()];
        link.to.0 = new_id[link.to.0.index()];
    }
    for finding in &mut profile.findings {
        finding.track = finding.track.map(|t| new_id[t.index()]);
    }
    for request in &mut profile.requests.rows {
        request.track = request.track.map(|t| new_id[t.index()]);
    }
    for caller in profile.tracks.iter_mut().flat_map(|t| &mut t.spans.callers) {
        caller.track = new_id[caller.track.index()];
    }
}
