//! Where stages, rows of tracks and arrows stand. Pure: a graph and an axis in, rectangles out.

use egui::{Pos2, Rangef, Rect, pos2};
use rustc_hash::FxHashSet;

use crate::analysis::stages::{Row, StageRows, StageTrack};
use crate::model::TrackId;
use crate::ui::timeaxis::TimeAxis;

/// How stages stand from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// By time: width is duration.
    #[default]
    Time,
    /// By what they waited for: all have the same width.
    Order,
}

/// Sizes of one layout, points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sizes {
    /// Height of a stage.
    pub bar: f32,
    /// Distance of two rows.
    pub gap: f32,
    /// Height of a track's name; 0 for none.
    pub name: f32,
}

impl Sizes {
    /// Tall stages with two lines of text when all rows fit, otherwise low ones.
    pub fn for_height(tracks: &(impl Iterator<Item = StageTrack> + Clone), height: f32) -> Self {
        let name = if tracks.clone().nth(1).is_some() { 20.0 } else { 6.0 };
        let sizes = [(54.0, 26.0), (38.0, 14.0)].map(|(bar, gap)| Self { bar, gap, name });
        let fitting = sizes.into_iter().find(|s| s.content(tracks.clone()) <= height);
        fitting.unwrap_or(Self { bar: 20.0, gap: 7.0, name })
    }

    /// Height of all rows.
    pub fn content(&self, tracks: impl Iterator<Item = StageTrack>) -> f32 {
        let (tracks, rows) = tracks.fold((0, 0), |(tracks, rows), t| (tracks + 1, rows + t.lanes));
        rows as f32 * (self.bar + self.gap) + tracks as f32 * self.name + 8.0
    }
}

/// A stage on screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bar {
    pub stage: u32,
    pub rect: Rect,
}

/// An arrow on screen, from the end of one stage to the start of another one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrow {
    pub edge: u32,
    pub points: Vec<Pos2>,
}

/// Everything on screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    pub bars: Vec<Bar>,
    pub arrows: Vec<Arrow>,
    /// Tracks and their places from top to bottom.
    pub tracks: Vec<(TrackId, Rangef)>,
}

/// More arrows than this say nothing one by one: they cover what they join.
const CROWD: usize = 150;
/// Most arrows of one stage that are drawn.
const MOST_ARROWS: usize = 3000;
/// Stages that are both narrower are not joined by an arrow, points.
const LEAST_JOINED: f32 = 6.0;
/// Narrower than this no stage is drawn, points.
const LEAST: f32 = 2.0;
/// From this width on a stage is more than a line, points.
const TOLD: f32 = 3.0;

/// Where stages stand on an axis, and which of a row are in sight.
#[derive(Clone, Copy)]
struct Across<'a> {
    rows: &'a StageRows,
    axis: &'a TimeAxis,
    /// Width of a column where stages stand by order, points.
    column: Option<f32>,
}

impl<'a> Across<'a> {
    fn new(rows: &'a StageRows, axis: &'a TimeAxis) -> Self {
        Self { rows, axis, column: rows.columns().map(|columns| axis.x.span() / columns.max(1) as f32) }
    }

    fn x_of(&self, stage: u32) -> Rangef {
        match (self.column, self.rows.column(stage)) {
            (Some(width), Some(column)) => {
                let left = self.axis.x.min + column as f32 * width;
                let edge = (width * 0.08).min(12.0);
                Rangef::new(left + edge, left + width - edge)
            }
            _ => {
                let stage = &self.rows.graph.stages[stage as usize];
                let [left, right] = [stage.start, stage.end].map(|t| self.axis.x_of(t as f64));
                Rangef::new(left, right.max(left + LEAST))
            }
        }
    }

    /// Stages of a row between two places.
    fn within(&self, track: usize, lane: u32, x: Rangef) -> Row<'a> {
        let row = self.rows.row(track, lane).until(|stage| self.x_of(stage).min <= x.max);
        row.after(|stage| self.x_of(stage).max < x.min)
    }

    /// So long lasts what is so many points wide, ns: a little less, as points are rounded. Everything where stages stand by order.
    fn lasting(&self, points: f32) -> i64 {
        match self.column {
            Some(_) => 0,
            None => ((self.axis.time_at(points) - self.axis.time_at(0.0)) * 0.99) as i64,
        }
    }
}

/// The tracks, by their place in the graph, with something to see at this zoom: a stage that can be told from a line, one of the
/// critical path, or the one that is to be kept. All of them if there is none.
pub(super) fn seen_tracks(rows: &StageRows, axis: &TimeAxis, keep: Option<TrackId>) -> Vec<usize> {
    let across = Across::new(rows, axis);
    let least = across.lasting(TOLD);
    let tells = |stage: u32| {
        let of = &rows.graph.stages[stage as usize];
        of.critical || axis.x_of(of.end as f64) - axis.x_of(of.start as f64) >= TOLD
    };
    let is_seen = |&at: &usize| {
        let track = rows.graph.tracks[at];
        let mut lanes = (0..track.lanes).map(|lane| across.within(at, lane, axis.x));
        keep == Some(track.track) || lanes.any(|row| row.telling(least, true).any(tells))
    };
    let all = 0..rows.graph.tracks.len();
    let seen: Vec<usize> = all.clone().filter(is_seen).collect();
    if seen.is_empty() { all.collect() } else { seen }
}

/// Places everything of `tracks` that is seen within `area`, the first row at its top. Looks at what is in sight only.
pub(super) fn place(
    rows: &StageRows,
    tracks: &[usize],
    axis: &TimeAxis,
    sizes: Sizes,
    (area, seen): (Rect, Rect),
    selected: Option<u32>,
) -> Layout {
    let graph = &*rows.graph;
    let across = Across::new(rows, axis);
    let mut layout = Layout::default();
    let mut y = area.top();
    // Where the first row of a track is.
    let last = tracks.iter().map(|&at| graph.tracks[at].track.index() + 1).max().unwrap_or(0);
    let mut top_of: Vec<Option<f32>> = vec![None; last];
    for &at in tracks {
        let track = graph.tracks[at];
        let height = sizes.name + track.lanes as f32 * (sizes.bar + sizes.gap);
        layout.tracks.push((track.track, Rangef::new(y, y + height)));
        top_of[track.track.index()] = Some(y + sizes.name);
        y += height;
    }
    let rect_of = |stage: u32| {
        let of = &graph.stages[stage as usize];
        let top = (*top_of.get(of.id.track.index())?)? + of.lane as f32 * (sizes.bar + sizes.gap);
        Some(Rect::from_x_y_ranges(across.x_of(stage), top..=top + sizes.bar))
    };
    // Stages that are wide enough to be joined.
    let least = across.lasting(LEAST_JOINED);
    let wide = tracks.iter().flat_map(|&at| {
        (0..graph.tracks[at].lanes)
            .flat_map(move |lane| across.within(at, lane, axis.x).telling(least, false))
            .filter(move |&stage| across.x_of(stage).span() >= LEAST_JOINED)
    });
    let in_sight = Rangef::new(seen.left().max(axis.x.min), seen.right().min(axis.x.max));
    for (&at, &(_, y)) in tracks.iter().zip(&layout.tracks) {
        for lane in 0..graph.tracks[at].lanes {
            let top = y.min + sizes.name + lane as f32 * (sizes.bar + sizes.gap);
            if seen.bottom() < top || seen.top() > top + sizes.bar {
                continue;
            }
            let mut row = across.within(at, lane, in_sight);
            // What lies within a point of the last box is seen already.
            while let [stage, ..] = *row.stages() {
                let x = across.x_of(stage);
                layout.bars.push(Bar { stage, rect: Rect::from_x_y_ranges(x, top..=top + sizes.bar) });
                row = row.after(|stage| across.x_of(stage).max <= x.max + 0.5);
            }
        }
    }
    layout.arrows = arrows(rows, wide, &layout.bars, rect_of, axis, seen.y_range(), selected);
    layout
}

/// The arrows in sight: all, or of a crowd those of the critical path that join what can be seen, and those of the selected stage.
fn arrows(
    rows: &StageRows,
    wide: impl Iterator<Item = u32>,
    bars: &[Bar],
    rect_of: impl Fn(u32) -> Option<Rect>,
    axis: &TimeAxis,
    seen: Rangef,
    selected: Option<u32>,
) -> Vec<Arrow> {
    let ends = |edge: u32| Some((rect_of(rows.edge(edge).from)?, rect_of(rows.edge(edge).to)?));
    let in_sight = |&edge: &u32| {
        let Some((from, to)) = ends(edge) else { return false };
        let outside = to.left() < axis.x.min
            || from.right() > axis.x.max
            || from.top().min(to.top()) > seen.max
            || from.bottom().max(to.bottom()) < seen.min;
        !outside
    };
    let of_selected: Vec<u32> = selected
        .into_iter()
        .flat_map(|stage| rows.edges_to(stage).chain(rows.edges_from(stage)))
        .filter(in_sight)
        .take(MOST_ARROWS)
        .collect();
    // Between stages that are hardly seen arrows would cover them.
    let joined = wide.flat_map(|stage| rows.edges_to(stage).chain(rows.edges_from(stage)));
    let mut all: FxHashSet<u32> = of_selected.iter().copied().collect();
    for edge in joined.chain(critical(rows, axis)).filter(in_sight) {
        all.insert(edge);
        if all.len() > CROWD {
            break;
        }
    }
    if all.len() > CROWD {
        let is_wide = |bar: &&Bar| bar.rect.width() >= LEAST_JOINED;
        let shown: FxHashSet<u32> = bars.iter().filter(is_wide).map(|bar| bar.stage).collect();
        let path = shown.iter().flat_map(|&stage| rows.edges_to(stage));
        let path = path.filter(|&edge| rows.edge(edge).critical && shown.contains(&rows.edge(edge).from));
        all = of_selected.iter().copied().chain(path.filter(in_sight).take(CROWD + 1)).collect();
    }
    if all.len() > CROWD {
        all = of_selected.into_iter().collect();
    }
    let mut all: Vec<u32> = all.into_iter().collect();
    all.sort_unstable();
    let arrow = |edge| ends(edge).map(|(from, to)| Arrow { edge, points: elbow(from, to) });
    all.into_iter().filter_map(arrow).collect()
}

/// Edges of the critical path that touch what is in sight. It goes on in time, so those by time are a stretch of it.
fn critical(rows: &StageRows, axis: &TimeAxis) -> impl Iterator<Item = u32> {
    let graph = &*rows.graph;
    let edges = rows.critical();
    let timed = rows.columns().is_none();
    let starts = |edge: u32| axis.x_of(graph.stages[rows.edge(edge).to as usize].start as f64);
    let ends = move |edge: u32| axis.x_of(graph.stages[rows.edge(edge).from as usize].end as f64);
    let first = if timed { edges.partition_point(|&edge| starts(edge) < axis.x.min) } else { 0 };
    let passed = move |edge: u32| timed && starts(edge) > axis.x.max && ends(edge) > axis.x.max;
    edges[first..].iter().copied().take_while(move |&edge| !passed(edge))
}

/// The way of an arrow: out of the right end of one box, down or up in front of the other one, into its left
/// end.
fn elbow(from: Rect, to: Rect) -> Vec<Pos2> {
    let (a, b) = (from.right_center(), to.left_center());
    let room = b.x - a.x;
    if (a.y - b.y).abs() < 1.0 {
        return vec![a, b];
    }
    if room >= 12.0 {
        let x = b.x - (room / 2.0).min(9.0);
        return vec![a, pos2(x, a.y), pos2(x, b.y), b];
    }
    // No room between them: out of the edge that faces the other row.
    let x = (b.x - 8.0).min(a.x - 4.0).max(from.left());
    let out = if b.y > a.y { from.bottom() } else { from.top() };
    vec![pos2(x, out), pos2(x, b.y), b]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::stages::{Rows, StageTrack, Stages};
    use crate::analysis::testing::ask;
    use crate::views::stages::tests::pipeline;

    #[test]
    fn tracks_without_anything_to_see_are_left_out_until_one_zooms_in() {
        use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};
        let mut b = ProfileBuilder::new("test");
        for (name, end) in [("long", 1_000_000), ("short", 10)] {
            let track = b.track(TrackSpec { name, process: "", kind: TrackKind::Thread, sort: 0 });
            let f = b.function(FunctionSpec::named(name));
            b.span(track, 0, end, f, ArgsRef::NONE);
        }
        let subject = crate::query::Run::of(std::sync::Arc::new(b.finish()));
        let rows = ask(&subject, &Rows { graph: Stages::default(), by_order: false });
        let axis = |end: f64| TimeAxis::layout(0.0, end, Rangef::new(0.0, 1000.0));
        let names =
            |tracks: Vec<usize>| tracks.iter().map(|&t| rows.graph.tracks[t].track.0).collect::<Vec<_>>();
        assert_eq!(names(seen_tracks(&rows, &axis(1e6), None)), [0]);
        assert_eq!(names(seen_tracks(&rows, &axis(1e6), Some(TrackId(1)))), [0, 1], "the selected one stays");
        assert_eq!(names(seen_tracks(&rows, &axis(100.0), None)), [0, 1]);
        let screen = Rect::from_min_size(pos2(0.0, 0.0), egui::vec2(1000.0, 300.0));
        let layout = place(
            &rows,
            &seen_tracks(&rows, &axis(1e6), None),
            &axis(1e6),
            Sizes::for_height(&rows.graph.tracks.iter().copied(), 300.0),
            (screen, screen),
            None,
        );
        assert_eq!((layout.bars.len(), layout.tracks.len()), (1, 1));
    }

    #[test]
    fn stages_stand_by_time_or_by_order_and_branches_below_each_other() {
        let subject = pipeline();
        let rows = ask(&subject, &Rows { graph: Stages::default(), by_order: false });
        let graph = rows.graph.clone();
        assert_eq!(graph.tracks, [StageTrack { track: TrackId(0), lanes: 2 }]);
        let axis = TimeAxis::layout(0.0, 12e9, Rangef::new(0.0, 1200.0));
        let area = Rect::from_min_size(pos2(0.0, 10.0), egui::vec2(1200.0, 300.0));
        let sizes = Sizes::for_height(&graph.tracks.iter().copied(), 300.0);
        let timed = place(&rows, &[0], &axis, sizes, (area, area), None);
        assert_eq!(timed.bars.len(), graph.stages.len());
        assert!((timed.bars[0].rect.width() - 200.0).abs() < 0.01);
        let tops: std::collections::BTreeSet<i32> =
            timed.bars.iter().map(|b| b.rect.top().round() as i32).collect();
        assert_eq!(tops.len(), 2);
        let by_order = ask(&subject, &Rows { graph: Stages::default(), by_order: true });
        assert_eq!(by_order.columns(), Some(7));
        let ordered = place(&by_order, &[0], &axis, sizes, (area, area), None);
        let width = ordered.bars[0].rect.width();
        assert!(ordered.bars.iter().all(|b| (b.rect.width() - width).abs() < 0.01));
        assert_eq!(ordered.arrows.len(), graph.edges.len());
        // Of columns beside the view only the arrows may cross it.
        let half = Rect::from_min_size(area.min, egui::vec2(600.0, 300.0));
        let left = place(&by_order, &[0], &axis, sizes, (area, half), None);
        let in_half = ordered.bars.iter().filter(|b| b.rect.left() <= half.right());
        assert_eq!(left.bars.iter().collect::<Vec<_>>(), in_half.collect::<Vec<_>>());
        assert_eq!(left.arrows, ordered.arrows);
        let thin = TimeAxis::layout(0.0, 1e15, Rangef::new(0.0, 1200.0));
        assert_eq!(seen_tracks(&rows, &thin, None), [0], "nothing to see: all of them");
        let far = TimeAxis::layout(20e9, 30e9, Rangef::new(0.0, 1200.0));
        assert!(place(&rows, &[0], &far, sizes, (area, area), None).bars.is_empty());
    }

    /// What is drawn, found by looking at everything.
    fn looked_at_all(rows: &StageRows, axis: &TimeAxis, sizes: Sizes, seen: Rangef) -> (Vec<u32>, Vec<u32>) {
        let graph = &rows.graph;
        let mut top = vec![0.0; 64];
        let mut y = 0.0;
        for track in &graph.tracks {
            top[track.track.index()] = y + sizes.name;
            y += sizes.name + track.lanes as f32 * (sizes.bar + sizes.gap);
        }
        let rect = |stage: u32| {
            let s = &graph.stages[stage as usize];
            let y = top[s.id.track.index()] + s.lane as f32 * (sizes.bar + sizes.gap);
            let (left, right) = (axis.x_of(s.start as f64), axis.x_of(s.end as f64));
            Rect::from_x_y_ranges(left..=right.max(left + LEAST), y..=y + sizes.bar)
        };
        let mut filled: std::collections::HashMap<(u32, u32), f32> = std::collections::HashMap::new();
        let mut bars = Vec::new();
        for stage in 0..graph.stages.len() as u32 {
            let (s, r) = (&graph.stages[stage as usize], rect(stage));
            let row = filled.entry((s.id.track.0, s.lane)).or_insert(f32::MIN);
            let hidden = r.right() < axis.x.min || r.left() > axis.x.max || r.right() <= *row + 0.5;
            if !hidden && seen.max >= r.top() && seen.min <= r.bottom() {
                *row = r.right();
                bars.push(stage);
            }
        }
        let arrow = |e: &u32| {
            let edge = rows.edge(*e);
            let (from, to) = (rect(edge.from), rect(edge.to));
            let tiny = !edge.critical && from.width() < LEAST_JOINED && to.width() < LEAST_JOINED;
            let sides = to.left() < axis.x.min || from.right() > axis.x.max;
            !(tiny
                || sides
                || from.top().min(to.top()) > seen.max
                || from.bottom().max(to.bottom()) < seen.min)
        };
        (bars, (0..graph.edges.len() as u32).filter(arrow).collect())
    }

    #[test]
    fn at_any_zoom_the_same_is_drawn_as_by_looking_at_every_stage() {
        use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};
        let mut random = 7u64;
        let mut next = |below: i64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as i64 % below
        };
        let mut b = ProfileBuilder::new("test");
        let f = b.function(FunctionSpec::named("f"));
        for name in ["a", "b", "c", "d", "e"] {
            let track = b.track(TrackSpec { name, process: "", kind: TrackKind::Task, sort: 0 });
            let mut t = next(1000);
            for _ in 0..400 {
                let length = if next(9) == 0 { next(20_000) } else { next(60) };
                b.span(track, t, t + length, f, ArgsRef::NONE);
                t += length + if next(5) == 0 { next(3000) } else { 0 };
            }
        }
        let run = crate::query::Run::of(std::sync::Arc::new(b.finish()));
        let rows = ask(&run, &Rows { graph: Stages::default(), by_order: false });
        let all: Vec<usize> = (0..rows.graph.tracks.len()).collect();
        let sizes = Sizes::for_height(&rows.graph.tracks.iter().copied(), 100.0);
        let end = rows.graph.end as f64;
        let (mut few, mut crowds) = (0, 0);
        for (from, to) in [(0.0, 1.0), (0.3, 0.6), (0.5, 0.502), (0.8, 0.8001), (0.999, 1.2), (-3.0, 4.0)] {
            let axis = TimeAxis::layout(from * end, to * end, Rangef::new(0.0, 900.0));
            for seen in [Rangef::new(0.0, 400.0), Rangef::new(60.0, 90.0)] {
                let area = Rect::from_min_size(pos2(0.0, 0.0), egui::vec2(900.0, 400.0));
                let sight = Rect::from_x_y_ranges(area.x_range(), seen);
                let layout = place(&rows, &all, &axis, sizes, (area, sight), None);
                let (bars, arrows) = looked_at_all(&rows, &axis, sizes, seen);
                let mut drawn: Vec<u32> = layout.bars.iter().map(|bar| bar.stage).collect();
                drawn.sort_unstable();
                assert_eq!(drawn, bars, "{from} {to} {seen:?}");
                if arrows.len() > CROWD {
                    crowds += 1;
                    assert!(layout.arrows.len() <= CROWD);
                    assert!(layout.arrows.iter().all(|a| arrows.contains(&a.edge)));
                } else {
                    few += 1;
                    let drawn: Vec<u32> = layout.arrows.iter().map(|arrow| arrow.edge).collect();
                    assert_eq!(drawn, arrows, "{from} {to} {seen:?}");
                }
            }
        }
        assert!(few > 2 && crowds > 0, "{few} {crowds}");
    }
}
