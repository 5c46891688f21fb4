//! Where stages, rows of tracks and arrows stand. Pure: a graph and an axis in, rectangles out.

use egui::{Pos2, Rangef, Rect, pos2};

use crate::analysis::stages::{StageGraph, StageTrack};
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
    pub fn for_height(tracks: &[StageTrack], height: f32) -> Self {
        let name = if tracks.len() > 1 { 20.0 } else { 6.0 };
        let sizes = [(54.0, 26.0), (38.0, 14.0)].map(|(bar, gap)| Self { bar, gap, name });
        let fitting = sizes.into_iter().find(|s| s.content(tracks) <= height);
        fitting.unwrap_or(Self { bar: 20.0, gap: 7.0, name })
    }

    /// Height of all rows.
    pub fn content(&self, tracks: &[StageTrack]) -> f32 {
        let rows: u32 = tracks.iter().map(|t| t.lanes).sum();
        rows as f32 * (self.bar + self.gap) + tracks.len() as f32 * self.name + 8.0
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
/// Most arrows that are drawn.
const MOST_ARROWS: usize = 3000;
/// Stages that are both narrower are not joined by an arrow, points.
const LEAST_JOINED: f32 = 6.0;
/// Narrower than this no stage is drawn, points.
const LEAST: f32 = 2.0;
/// From this width on a stage is more than a line, points.
const TOLD: f32 = 3.0;

/// The column of each stage when they stand by order, and the number of columns.
pub(super) fn ranks(graph: &StageGraph) -> (Vec<u32>, u32) {
    let mut rank = vec![0u32; graph.stages.len()];
    for edge in &graph.edges {
        // Edges stand by the waiting stage, and stages by start: what is waited for has its column already.
        let after = rank[edge.from as usize] + 1;
        let to = &mut rank[edge.to as usize];
        *to = (*to).max(after);
    }
    let columns = rank.iter().max().map_or(0, |r| r + 1);
    (rank, columns)
}

/// The tracks with something to see at this zoom: a stage that can be told from a line, one of the critical path,
/// or the one that is to be kept. All of them if there is none.
pub(super) fn seen_tracks(graph: &StageGraph, axis: &TimeAxis, keep: Option<TrackId>) -> Vec<StageTrack> {
    let mut seen: rustc_hash::FxHashSet<TrackId> = keep.into_iter().collect();
    for stage in &graph.stages {
        let (left, right) = (axis.x_of(stage.start as f64), axis.x_of(stage.end as f64));
        if right >= axis.x.min && left <= axis.x.max && (stage.critical || right - left >= TOLD) {
            seen.insert(stage.id.track);
        }
    }
    let kept: Vec<StageTrack> = graph.tracks.iter().copied().filter(|t| seen.contains(&t.track)).collect();
    if kept.is_empty() { graph.tracks.clone() } else { kept }
}

/// Places everything of `tracks` that is seen within `area`, the first row at its top.
pub(super) fn place(
    graph: &StageGraph,
    tracks: &[StageTrack],
    columns: Option<&(Vec<u32>, u32)>,
    axis: &TimeAxis,
    sizes: Sizes,
    (area, seen): (Rect, Rangef),
) -> Layout {
    let mut layout = Layout::default();
    let mut y = area.top();
    for track in tracks {
        let height = sizes.name + track.lanes as f32 * (sizes.bar + sizes.gap);
        layout.tracks.push((track.track, Rangef::new(y, y + height)));
        y += height;
    }
    let x_of = |i: usize| match columns {
        None => {
            let stage = &graph.stages[i];
            (axis.x_of(stage.start as f64), axis.x_of(stage.end as f64))
        }
        Some((rank, count)) => {
            let width = axis.x.span() / (*count).max(1) as f32;
            let left = axis.x.min + rank[i] as f32 * width;
            (left + (width * 0.08).min(12.0), left + width - (width * 0.08).min(12.0))
        }
    };
    // By track, as there may be hundreds of thousands of stages and edges: where its first row is, and how many rows are above.
    let last = tracks.iter().map(|t| t.track.index()).max().map_or(0, |last| last + 1);
    let mut place_of: Vec<Option<(f32, usize)>> = vec![None; last];
    let mut rows = 0;
    for (track, (_, y)) in tracks.iter().zip(&layout.tracks) {
        place_of[track.track.index()] = Some((y.min + sizes.name, rows));
        rows += track.lanes as usize;
    }
    let rect_of = |i: usize| {
        let stage = &graph.stages[i];
        let (top, _) = (*place_of.get(stage.id.track.index())?)?;
        let y = top + stage.lane as f32 * (sizes.bar + sizes.gap);
        let (left, right) = x_of(i);
        Some(Rect::from_min_max(pos2(left, y), pos2(right.max(left + LEAST), y + sizes.bar)))
    };
    // The right edge of the last box of each row: what lies within a point of it is seen already.
    let mut filled = vec![f32::MIN; rows];
    for (i, stage) in graph.stages.iter().enumerate() {
        let above = place_of.get(stage.id.track.index()).copied().flatten().map(|place| place.1);
        let (Some(rect), Some(above)) = (rect_of(i), above) else { continue };
        let Some(row) = filled.get_mut(above + stage.lane as usize) else { continue };
        let hidden = rect.right() < axis.x.min || rect.left() > axis.x.max || rect.right() <= *row + 0.5;
        if !hidden && seen.max >= rect.top() && seen.min <= rect.bottom() {
            *row = rect.right();
            layout.bars.push(Bar { stage: i as u32, rect });
        }
    }
    for (edge, e) in (0u32..).zip(&graph.edges) {
        if layout.arrows.len() >= MOST_ARROWS {
            break;
        }
        let (Some(from), Some(to)) = (rect_of(e.from as usize), rect_of(e.to as usize)) else { continue };
        // Between stages that are hardly seen arrows would cover them.
        let tiny = !e.critical && from.width() < LEAST_JOINED && to.width() < LEAST_JOINED;
        let outside = tiny
            || to.left() < axis.x.min
            || from.right() > axis.x.max
            || from.top().min(to.top()) > seen.max
            || from.bottom().max(to.bottom()) < seen.min;
        if !outside {
            layout.arrows.push(Arrow { edge, points: elbow(from, to) });
        }
    }
    layout
}

impl Layout {
    /// Of a crowd of arrows leaves those of the critical path that join what can be seen, and those of the selected stage.
    pub fn thin(&mut self, graph: &StageGraph, selected: Option<u32>) {
        if self.arrows.len() <= CROWD {
            return;
        }
        let wide: rustc_hash::FxHashSet<u32> =
            self.bars.iter().filter(|b| b.rect.width() >= LEAST_JOINED).map(|b| b.stage).collect();
        self.arrows.retain(|arrow| {
            let e = &graph.edges[arrow.edge as usize];
            let chosen = selected == Some(e.from) || selected == Some(e.to);
            chosen || e.critical && wide.contains(&e.from) && wide.contains(&e.to)
        });
        if self.arrows.len() > CROWD {
            let of_selected = |e: u32| {
                let e = &graph.edges[e as usize];
                selected == Some(e.from) || selected == Some(e.to)
            };
            self.arrows.retain(|arrow| of_selected(arrow.edge));
        }
    }
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
    use crate::analysis::stages::{StageTrack, Stages};
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
        let graph = ask(&subject, &Stages::default());
        let axis = |end: f64| TimeAxis::layout(0.0, end, Rangef::new(0.0, 1000.0));
        let names = |tracks: Vec<StageTrack>| tracks.iter().map(|t| t.track.0).collect::<Vec<_>>();
        assert_eq!(names(seen_tracks(&graph, &axis(1e6), None)), [0]);
        assert_eq!(
            names(seen_tracks(&graph, &axis(1e6), Some(TrackId(1)))),
            [0, 1],
            "the selected one stays"
        );
        assert_eq!(names(seen_tracks(&graph, &axis(100.0), None)), [0, 1]);
        let layout = place(
            &graph,
            &seen_tracks(&graph, &axis(1e6), None),
            None,
            &axis(1e6),
            Sizes::for_height(&graph.tracks, 300.0),
            (Rect::from_min_size(pos2(0.0, 0.0), egui::vec2(1000.0, 300.0)), Rangef::new(0.0, 300.0)),
        );
        assert_eq!((layout.bars.len(), layout.tracks.len()), (1, 1));
    }

    #[test]
    fn stages_stand_by_time_or_by_order_and_branches_below_each_other() {
        let subject = pipeline();
        let graph = ask(&subject, &Stages::default());
        assert_eq!(graph.tracks, [StageTrack { track: TrackId(0), lanes: 2 }]);
        let axis = TimeAxis::layout(0.0, 12e9, Rangef::new(0.0, 1200.0));
        let area = Rect::from_min_size(pos2(0.0, 10.0), egui::vec2(1200.0, 300.0));
        let sizes = Sizes::for_height(&graph.tracks, 300.0);
        let timed = place(&graph, &graph.tracks, None, &axis, sizes, (area, area.y_range()));
        assert_eq!(timed.bars.len(), graph.stages.len());
        assert!((timed.bars[0].rect.width() - 200.0).abs() < 0.01);
        let rows: std::collections::BTreeSet<i32> =
            timed.bars.iter().map(|b| b.rect.top().round() as i32).collect();
        assert_eq!(rows.len(), 2);
        let columns = ranks(&graph);
        assert_eq!(columns.1, 7);
        let ordered = place(&graph, &graph.tracks, Some(&columns), &axis, sizes, (area, area.y_range()));
        let width = ordered.bars[0].rect.width();
        assert!(ordered.bars.iter().all(|b| (b.rect.width() - width).abs() < 0.01));
        assert_eq!(ordered.arrows.len(), graph.edges.len());
        let thin = TimeAxis::layout(0.0, 1e15, Rangef::new(0.0, 1200.0));
        assert_eq!(seen_tracks(&graph, &thin, None), graph.tracks, "nothing to see: all of them");
        let far = TimeAxis::layout(20e9, 30e9, Rangef::new(0.0, 1200.0));
        assert!(place(&graph, &graph.tracks, None, &far, sizes, (area, area.y_range())).bars.is_empty());
    }
}
