//! Where strips and bars stand within a lane: pure, and bounded by pixels.

use crate::analysis::flame_rows::{FlameRows, Group, Who, Window};
use crate::analysis::requests::Packing;
use crate::model::{Profile, RequestId, TrackId};
use crate::ui::timeaxis::TimeAxis;

/// Lanes of overlapping spans that are looked at for a strip. The first lanes are the fullest.
const LANES: usize = 64;

/// The share of each point in which something ran, and what ran longest there.
pub(super) fn density(rows: &FlameRows, outer: &[u32], axis: &TimeAxis) -> Vec<(f32, Option<Who>)> {
    let columns = axis.x.span().max(1.0).ceil() as usize;
    let mut out: Vec<(f32, Option<Who>)> = vec![(0.0, None); columns];
    let mut most = vec![0.0f32; columns];
    let unit = (axis.t1 - axis.t0) / columns as f64;
    let mut window = Window::new(rows, (axis.t0.floor() as i64, axis.t1.ceil() as i64), unit / 2.0);
    for &row in outer.iter().take(LANES) {
        let level = rows.seen(row, &mut window);
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

/// Requests that are seen, row by row; none where it would cover the one before within a pixel.
pub(super) fn requests(
    profile: &Profile,
    (packing, shown): (&Packing, u32),
    end: i64,
    axis: &TimeAxis,
) -> Vec<(u32, RequestId)> {
    let all = &profile.requests.rows;
    let finish = |i: &u32| all.get(*i as usize).map_or(i64::MAX, |r| r.finished.unwrap_or(end)) as f64;
    let arrived = |i: u32| all.get(i as usize).map_or(f64::MAX, |r| r.arrived as f64);
    let mut out = Vec::new();
    for (row, list) in (0..shown).zip(&packing.rows) {
        // In a row nothing overlaps, so ends ascend as starts do.
        let mut at = list.partition_point(|i| finish(i) < axis.t0);
        while let Some(&i) = list.get(at).filter(|i| arrived(**i) <= axis.t1) {
            out.push((row, RequestId::from_index(i as usize)));
            let covered = axis.time_at(axis.x_of(finish(&i)) + 0.7);
            at += 1 + list[at + 1..].partition_point(|i| finish(i) < covered);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Scope;
    use crate::analysis::flame_rows::{GroupOf, TimeOrder};
    use crate::analysis::requests::RequestRows;
    use crate::jobs::Job;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, Request, TrackKind, TrackSpec};
    use crate::query::{Engine, Run};
    use egui::Rangef;
    use std::sync::Arc;

    #[test]
    fn density_is_the_covered_share() {
        let mut b = ProfileBuilder::new("test");
        let track = b.track(TrackSpec { name: "t", process: "", kind: TrackKind::Thread, sort: 0 });
        let f = b.function(FunctionSpec::named("f"));
        b.span(track, 0, 50, f, ArgsRef::NONE);
        b.span(track, 40, 60, f, ArgsRef::NONE);
        b.span(track, 75, 100, f, ArgsRef::NONE);
        let subject = Run::of(Arc::new(b.finish()));
        let rows = Engine::inline().now(&subject, &TimeOrder(Scope::default()), &Job::new()).unwrap();
        let group = rows.groups.iter().find(|g| g.of == GroupOf::Track(track)).unwrap();
        let outer = outermost(&subject.profile, track, group);
        assert_eq!(outer.len(), 2, "an overlap makes a second lane");
        let axis = TimeAxis::layout(0.0, 100.0, Rangef::new(0.0, 4.0));
        let shares: Vec<_> = density(&rows, &outer, &axis).iter().map(|d| d.0).collect();
        assert_eq!(shares, [1.0, 1.0, 0.4, 1.0]);
    }

    #[test]
    fn requests_of_one_pixel_are_one() {
        let mut b = ProfileBuilder::new("test");
        for i in 0..10_000 {
            b.request(Request { arrived: i * 10, finished: Some(i * 10 + 9), ..Request::default() });
            b.request(Request { arrived: i * 10, finished: Some(i * 10 + 5), ..Request::default() });
        }
        let subject = Run::of(Arc::new(b.finish()));
        let packing = Engine::inline().now(&subject, &RequestRows, &Job::new()).unwrap();
        let axis = TimeAxis::layout(0.0, 100_000.0, Rangef::new(0.0, 200.0));
        let seen = requests(&subject.profile, (&packing, 1), 0, &axis);
        assert!((150..400).contains(&seen.len()), "{}", seen.len());
        let near = TimeAxis::layout(51.0, 98.0, Rangef::new(0.0, 800.0));
        let seen = requests(&subject.profile, (&packing, 9), 0, &near);
        assert_eq!(seen.len(), 10, "two rows of five: {seen:?}");
    }
}
