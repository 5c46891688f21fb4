//! Lanes on top of each other: how tall each is and where it stands. Made anew only when something that
//! matters has changed, so that thousands of lanes cost nothing while nobody touches them.

use super::lanes::{FEW, Lane, LaneOf, Lanes, Shown};
use super::paint::{self, REQUEST_ROW, REQUEST_ROWS};
use super::region::METRICS;
use crate::analysis::flame_rows::{FlameRows, Group, GroupOf};
use crate::model::{Profile, TrackId};
use crate::state::{Arrangement, LaneHeight};
use std::collections::HashMap;
use std::sync::Arc;

/// Height of a counter where there is little room, and where there is much.
const COUNTER: f32 = 38.0;
const TALL_COUNTER: f32 = 96.0;

/// A lane in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placed {
    /// Index of the lane.
    pub lane: usize,
    /// Upper edge, from the first lane of its region on.
    pub top: f32,
    /// Height.
    pub height: f32,
    /// Rows of boxes; 0 for a strip and for all that has none.
    pub rows: u32,
}

/// All lanes in their places, and what that was worked out from.
#[derive(Clone, Debug)]
pub(super) struct Stacked {
    /// The lanes.
    pub lanes: Arc<Lanes>,
    /// How they are arranged.
    pub arranged: Arc<Arrangement>,
    find: String,
    rows: Option<Arc<FlameRows>>,
    packed: u32,
    /// Height that there is for the free lanes, rows of boxes.
    room: u32,
    /// Rows that tracks have beyond [`FEW`], because there is room for them.
    more: HashMap<TrackId, u32>,
    /// Height of a counter: more than the least where there is room.
    counter: f32,
    /// Which are shown.
    pub shown: Shown,
    /// Those that stay at the top.
    pub fixed: Vec<Placed>,
    /// The others.
    pub free: Vec<Placed>,
    /// Group of rows of each track.
    groups: Vec<Option<u32>>,
}

impl Stacked {
    /// Stacks what an arrangement and a search leave. `packed` is the number of rows of requests.
    pub fn new(
        profile: &Arc<Profile>,
        (lanes, arranged): (Arc<Lanes>, Arc<Arrangement>),
        find: &str,
        rows: Option<Arc<FlameRows>>,
        packed: u32,
        room: u32,
    ) -> Self {
        let shown = Shown::new(&lanes, &arranged, find);
        let groups = rows.as_deref().map(|rows| groups(rows, profile)).unwrap_or_default();
        let (fixed, free) = (Vec::new(), Vec::new());
        let find = find.to_owned();
        let (more, counter) = (HashMap::new(), COUNTER);
        let mut out =
            Self { lanes, arranged, find, rows, packed, room, more, counter, shown, fixed, free, groups };
        out.fixed = out.stack(&out.shown.pinned);
        out.free = out.stack(&out.shown.free);
        out.fill();
        out
    }

    /// Where the lanes leave room, tracks show more of their rows, in turns, so that each gets its share; then counters are taller.
    fn fill(&mut self) {
        let room = self.room as f32 * METRICS.row;
        let mut spare = ((room - bottom(&self.free)) / METRICS.row).floor();
        let grows = |lane: &usize| match self.lanes.all[*lane].of {
            LaneOf::Track(id)
                if self.lanes.height(&self.lanes.all[*lane], &self.arranged) == LaneHeight::Few =>
            {
                Some((id, self.row_count(id).saturating_sub(FEW)))
            }
            _ => None,
        };
        let mut hungry: Vec<(TrackId, u32)> =
            self.shown.free.iter().filter_map(grows).filter(|t| t.1 > 0).collect();
        while spare >= 1.0 && !hungry.is_empty() {
            for (id, left) in &mut hungry {
                if spare >= 1.0 {
                    *self.more.entry(*id).or_default() += 1;
                    *left -= 1;
                    spare -= 1.0;
                }
            }
            hungry.retain(|t| t.1 > 0);
        }
        let counts = |lane: &&usize| matches!(self.lanes.all[**lane].of, LaneOf::Counter(_));
        let counters = self.shown.free.iter().filter(counts).count();
        if counters > 0 && spare >= 1.0 {
            let each = (spare * METRICS.row / counters as f32).floor();
            self.counter = (COUNTER + each).min(TALL_COUNTER);
        }
        self.free = self.stack(&self.shown.free);
    }

    /// Rows of a track that is shown with its outermost ones.
    pub fn few(&self, track: TrackId) -> u32 {
        FEW + self.more.get(&track).copied().unwrap_or(0)
    }

    /// True when it was made from the same things.
    pub fn is_for(
        &self,
        lanes: &Arc<Lanes>,
        arranged: &Arc<Arrangement>,
        find: &str,
        rows: Option<&Arc<FlameRows>>,
        packed: u32,
        room: u32,
    ) -> bool {
        Arc::ptr_eq(&self.lanes, lanes)
            && Arc::ptr_eq(&self.arranged, arranged)
            && self.find == find
            && self.rows.as_ref().map(Arc::as_ptr) == rows.map(Arc::as_ptr)
            && self.packed == packed
            && self.room == room
    }

    fn stack(&self, shown: &[usize]) -> Vec<Placed> {
        let mut top = 0.0;
        let place = |&lane: &usize| {
            let (rows, height) = self.size(&self.lanes.all[lane]);
            let placed = Placed { lane, top, height, rows };
            top += height;
            placed
        };
        shown.iter().map(place).collect()
    }

    /// Rows of boxes and height of a lane.
    fn size(&self, lane: &Lane) -> (u32, f32) {
        let height = self.lanes.height(lane, &self.arranged);
        match lane.of {
            LaneOf::Events => (0, 22.0),
            LaneOf::Group(_) => (0, 22.0),
            LaneOf::Counter(_) => (0, self.counter),
            LaneOf::Requests => {
                let most = if height == LaneHeight::All { 64 } else { REQUEST_ROWS };
                (0, self.packed.clamp(1, most) as f32 * REQUEST_ROW + 6.0)
            }
            LaneOf::Track(id) => {
                let rows = match height {
                    LaneHeight::Strip => 0,
                    LaneHeight::Few => self.row_count(id).min(self.few(id)),
                    LaneHeight::All => self.row_count(id),
                };
                // A name needs room, also beside one row.
                let height = (rows as f32 * METRICS.row + 5.0).max(paint::STRIP);
                (rows, height)
            }
        }
    }

    /// The rows of a track.
    pub fn group(&self, track: TrackId) -> Option<&Group> {
        let group = self.groups.get(track.index()).copied().flatten()?;
        self.rows.as_ref()?.groups.get(group as usize)
    }

    /// Number of rows of a track.
    pub fn row_count(&self, track: TrackId) -> u32 {
        self.group(track).map_or(0, |g| g.rows.len() as u32)
    }
}

/// The group of rows of each track. Rows of an older revision are found by the names of their tracks.
fn groups(rows: &FlameRows, profile: &Arc<Profile>) -> Vec<Option<u32>> {
    let mut groups: Vec<Option<u32>> = vec![None; profile.tracks.len()];
    let old = rows.profile();
    let same = Arc::ptr_eq(old, profile);
    let name = |p: &Profile, id: TrackId| (p.track_label(id), p.track(id).kind);
    let now: HashMap<_, TrackId> =
        if same { HashMap::new() } else { profile.track_ids().map(|id| (name(profile, id), id)).collect() };
    for (i, group) in rows.groups.iter().enumerate() {
        let GroupOf::Track(track) = group.of else { continue };
        let id = if same { Some(track) } else { now.get(&name(old, track)).copied() };
        if let Some(place) = id.and_then(|id| groups.get_mut(id.index())) {
            *place = Some(i as u32);
        }
    }
    groups
}

/// Lower edge of the last lane.
pub(super) fn bottom(placed: &[Placed]) -> f32 {
    placed.last().map_or(0.0, |p| p.top + p.height)
}

/// Lanes that touch a window of `height` from `from` on.
pub(super) fn visible(placed: &[Placed], from: f32, height: f32) -> &[Placed] {
    let first = placed.partition_point(|p| p.top + p.height <= from);
    let last = placed.partition_point(|p| p.top < from + height).max(first);
    &placed[first..last]
}

/// Before which of these lanes something dropped at `y` from the first lane's upper edge goes (`None`: last),
/// and where the line that says so stands.
pub(super) fn drop_place(placed: &[Placed], y: f32) -> (Option<usize>, f32) {
    let at = placed.iter().find(|p| y < p.top + p.height / 2.0);
    (at.map(|p| p.lane), at.map_or(bottom(placed), |p| p.top))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_dropped_where_the_line_is_and_only_seen_ones_are_visited() {
        let place = |lane, top, height| Placed { lane, top, height, rows: 0 };
        let all = [place(7, 0.0, 20.0), place(8, 20.0, 40.0), place(9, 60.0, 20.0)];
        assert_eq!(drop_place(&all, 5.0), (Some(7), 0.0));
        assert_eq!(drop_place(&all, 25.0), (Some(8), 20.0));
        assert_eq!(drop_place(&all, 45.0), (Some(9), 60.0));
        assert_eq!(drop_place(&all, 500.0), (None, 80.0));
        let lanes = |from, height| visible(&all, from, height).iter().map(|p| p.lane).collect::<Vec<_>>();
        assert_eq!(lanes(20.0, 41.0), [8, 9]);
        assert_eq!(lanes(0.0, 20.0), [7]);
        assert!(lanes(90.0, 20.0).is_empty());
    }
}
