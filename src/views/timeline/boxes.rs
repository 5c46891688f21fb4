//! Where boxes, marks and bars stand within a lane: pure, and bounded by pixels.

use crate::analysis::flame_rows::{BoxAt, FlameRows, Group, GroupOf, Who};
use crate::model::{Profile, RequestId, Severity, TrackId};
use crate::ui::timeaxis::TimeAxis;
use egui::{Rangef, Rect};
use std::ops::Range;

/// A box on screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quad {
    /// Where.
    pub rect: Rect,
    /// What it shows.
    pub who: Who,
    /// Which box; of several that share a pixel the longest.
    pub at: BoxAt,
    /// True when it stands for several.
    pub folded: bool,
}

/// Boxes of one row, left to right; those that share a pixel are one.
pub(super) fn row(rows: &FlameRows, row: u32, axis: &TimeAxis, y: Rangef, out: &mut Vec<Quad>) {
    let unit = (axis.t1 - axis.t0) / f64::from(axis.x.span().max(1.0));
    let level = rows.level(row, unit);
    let first = out.len();
    let mut longest = 0;
    for i in level.partition(0, |b| (b.end as f64) < axis.t0)..level.len() {
        let b = level.get(i);
        if b.start as f64 > axis.t1 {
            break;
        }
        let left = axis.x_of(b.start as f64).max(axis.x.min).round();
        let right = axis.x_of(b.end as f64).min(axis.x.max).round().max(left + 1.0);
        let next = if i + 1 < level.len() { level.get(i + 1).first } else { u32::MAX };
        let folded = next != u32::MAX && next > b.first + 1;
        if out.len() > first
            && let Some(last) = out.last_mut()
            && right <= last.rect.right() + 0.5
        {
            if b.length() > longest {
                longest = b.length();
                (last.who, last.at) = (b.who.with_error_of(last.who), BoxAt { row, index: b.first });
            }
            last.folded = true;
            continue;
        }
        // What is wider takes the pixel that it begins in.
        out.truncate(if out.len() > first && out.last().is_some_and(|q| q.rect.left() >= left) {
            out.len() - 1
        } else {
            out.len()
        });
        longest = b.length();
        let rect = Rect::from_x_y_ranges(left..=right, y);
        out.push(Quad { rect, who: b.who, at: BoxAt { row, index: b.first }, folded });
    }
}

/// The share of each pixel column in which something ran, and what ran longest there.
pub(super) fn density(rows: &FlameRows, outer: &[u32], axis: &TimeAxis) -> Vec<(f32, Option<Who>)> {
    let columns = axis.x.span().max(1.0).ceil() as usize;
    let mut out: Vec<(f32, Option<Who>)> = vec![(0.0, None); columns];
    let mut most = vec![0.0f32; columns];
    let unit = (axis.t1 - axis.t0) / columns as f64;
    for &row in outer {
        let level = rows.level(row, unit / 2.0);
        for i in level.partition(0, |b| (b.end as f64) < axis.t0)..level.len() {
            let b = level.get(i);
            if b.start as f64 > axis.t1 {
                break;
            }
            let place = |t: i64| ((t as f64 - axis.t0) / unit).clamp(0.0, columns as f64);
            let (from, to) = (place(b.start), place(b.end));
            let last = (to.ceil() as usize).min(columns);
            for column in (from as usize).min(columns)..last {
                let covered = (to.min(column as f64 + 1.0) - from.max(column as f64)) as f32;
                out[column].0 += covered;
                if covered > most[column] {
                    most[column] = covered;
                    out[column].1 = Some(b.who);
                }
            }
        }
    }
    for (share, _) in &mut out {
        *share = share.min(1.0);
    }
    out
}

/// The group of a track.
pub(super) fn group(rows: &FlameRows, track: TrackId) -> Option<&Group> {
    rows.groups.iter().find(|g| g.of == GroupOf::Track(track))
}

/// The outermost row of each lane of a track.
pub(super) fn outermost(profile: &Profile, track: TrackId, group: &Group) -> Vec<u32> {
    let mut next = group.rows.start;
    let mut out: Vec<u32> = Vec::new();
    for lane in &profile.track(track).spans.lanes {
        if group.rows.contains(&next) {
            out.push(next);
        }
        next += lane.depth;
    }
    // Samples have one row more per depth behind those of spans; transforms make one lane of all.
    if group.rows.contains(&next) {
        out.push(next);
    }
    if out.is_empty() { vec![group.rows.start] } else { out }
}

/// An event on screen; those that share a pixel are one, the most serious.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    /// Where.
    pub x: f32,
    /// Row of the first event, or of the most serious.
    pub instant: u32,
    /// How serious.
    pub severity: Severity,
    /// How many.
    pub count: u32,
}

/// Events that are seen, of one track or of all.
pub(super) fn marks(profile: &Profile, track: Option<TrackId>, axis: &TimeAxis) -> Vec<Mark> {
    let all = &profile.instants;
    let first = all.partition_point(|i| (i.time as f64) < axis.t0);
    let mut marks: Vec<Mark> = Vec::new();
    for (i, instant) in all.iter().enumerate().skip(first) {
        if instant.time as f64 > axis.t1 {
            break;
        }
        if track.is_some() && instant.track != track {
            continue;
        }
        let x = axis.x_of(instant.time as f64).round();
        match marks.last_mut() {
            Some(last) if x - last.x < 2.0 => {
                last.count += 1;
                if instant.severity > last.severity {
                    (last.severity, last.instant) = (instant.severity, i as u32);
                }
            }
            _ => marks.push(Mark { x, instant: i as u32, severity: instant.severity, count: 1 }),
        }
    }
    marks
}

/// Requests that are seen; none where it would cover the one before on its row within a pixel.
pub(super) fn requests(profile: &Profile, row_of: &[u32], shown: u32, axis: &TimeAxis) -> Vec<RequestId> {
    let rows = &profile.requests.rows;
    let arrived = rows.partition_point(|r| r.arrived as f64 <= axis.t1);
    let end = profile.time_bounds().map_or(0, |b| b.1);
    let mut last_x = vec![f32::MIN; shown as usize];
    let mut out = Vec::new();
    for (i, request) in rows[..arrived].iter().enumerate() {
        let Some(row) = row_of.get(i).copied().filter(|r| *r < shown) else { continue };
        if (request.finished.unwrap_or(end) as f64) < axis.t0 {
            continue;
        }
        let right = axis.x_of(request.finished.unwrap_or(end) as f64);
        if right < last_x[row as usize] + 0.7 {
            continue;
        }
        last_x[row as usize] = right;
        out.push(RequestId::from_index(i));
    }
    out
}

/// The quad at a place, of those of one row that lie in `of`.
pub(super) fn hit(quads: &[Quad], of: Range<usize>, x: f32) -> Option<&Quad> {
    let quads = &quads[of];
    let after = quads.partition_point(|q| q.rect.left() <= x + 0.5);
    let last = quads.get(after.checked_sub(1)?)?;
    (last.rect.right() >= x - 0.5).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Scope;
    use crate::analysis::flame_rows::TimeOrder;
    use crate::model::{
        ArgsRef, FunctionSpec, Instant, ProfileBuilder, Request, Strings, TrackKind, TrackSpec,
    };
    use crate::query::{Engine, Subject};
    use std::sync::Arc;

    fn rows(b: ProfileBuilder) -> Arc<FlameRows> {
        let subject = Subject { run: 1, revision: 0, profile: Arc::new(b.finish()) };
        Engine::inline().now(&subject, &TimeOrder(Scope::default()), &crate::jobs::Job::new()).unwrap()
    }

    fn builder() -> (ProfileBuilder, TrackId, crate::model::FunctionId) {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 });
        let f = b.function(FunctionSpec::named("f"));
        (b, track, f)
    }

    #[test]
    fn boxes_are_bounded_by_pixels_and_found_again() {
        let (mut b, track, f) = builder();
        for i in 0..100_000 {
            b.span(track, i * 10, i * 10 + 7, f, ArgsRef::NONE);
        }
        b.span(track, 1_000_000, 1_500_000, f, ArgsRef::NONE);
        let rows = rows(b);
        let axis = TimeAxis::layout(0.0, 2_000_000.0, Rangef::new(100.0, 900.0));
        let mut quads = Vec::new();
        row(&rows, 0, &axis, Rangef::new(0.0, 10.0), &mut quads);
        assert!(quads.len() < 1000, "{}", quads.len());
        assert!(quads.windows(2).all(|w| w[0].rect.left() < w[1].rect.left()));
        let wide = hit(&quads, 0..quads.len(), 600.0).unwrap();
        assert_eq!((wide.rect.left(), wide.rect.right(), wide.folded), (500.0, 700.0, false));
        assert_eq!(rows.get(wide.at).unwrap().length(), 500_000);
        assert!(hit(&quads, 0..quads.len(), 800.0).is_none());
        let near = TimeAxis::layout(0.0, 100.0, Rangef::new(0.0, 1000.0));
        let mut quads = Vec::new();
        row(&rows, 0, &near, Rangef::new(0.0, 10.0), &mut quads);
        assert_eq!(quads.len(), 11);
        assert_eq!(quads[1].rect.x_range(), Rangef::new(100.0, 170.0));
        assert_eq!(quads[1].at.index, 1);
    }

    #[test]
    fn density_is_the_covered_share() {
        let (mut b, track, f) = builder();
        b.span(track, 0, 50, f, ArgsRef::NONE);
        b.span(track, 40, 60, f, ArgsRef::NONE);
        b.span(track, 75, 100, f, ArgsRef::NONE);
        let rows = rows(b);
        let profile = rows.profile().clone();
        let group = group(&rows, track).unwrap();
        let outer = outermost(&profile, track, group);
        assert_eq!(outer.len(), 2, "an overlap makes a second lane");
        let axis = TimeAxis::layout(0.0, 100.0, Rangef::new(0.0, 4.0));
        let shares: Vec<_> = density(&rows, &outer, &axis).iter().map(|d| d.0).collect();
        assert_eq!(shares, [1.0, 1.0, 0.4, 1.0]);
    }

    #[test]
    fn the_most_serious_event_of_a_pixel_shows() {
        let mut b = ProfileBuilder::new("test");
        for (time, severity) in
            [(10, Severity::Info), (11, Severity::Error), (12, Severity::Info), (500, Severity::Debug)]
        {
            b.instant(Instant { time, track: None, name: Strings::EMPTY, args: ArgsRef::NONE, severity });
        }
        let p = b.finish();
        let axis = TimeAxis::layout(0.0, 1000.0, Rangef::new(0.0, 500.0));
        let found = marks(&p, None, &axis);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].instant, found[0].severity, found[0].count), (1, Severity::Error, 3));
        assert!(marks(&p, Some(TrackId(0)), &axis).is_empty());
    }

    #[test]
    fn requests_of_one_pixel_are_one() {
        let mut b = ProfileBuilder::new("test");
        for i in 0..10_000 {
            b.request(Request { arrived: i * 10, finished: Some(i * 10 + 9), ..Request::default() });
        }
        let p = b.finish();
        let axis = TimeAxis::layout(0.0, 100_000.0, Rangef::new(0.0, 200.0));
        let seen = requests(&p, &vec![0; 10_000], 1, &axis);
        assert!((150..400).contains(&seen.len()), "{}", seen.len());
        assert!(requests(&p, &vec![3; 10_000], 2, &axis).is_empty(), "rows below the lane's edge");
    }
}
