//! Keys on the chart beyond those that all time views share: the selection moves as one sees it, brackets
//! follow links, pages scroll.

use super::lanes::LaneOf;
use super::stack::{Placed, Stacked, bottom};
use super::{Timeline, links};
use crate::analysis::flame_rows::{BoxAt, FlameRows};
use crate::state::Command;
use crate::ui::keyboard;
use crate::views::ViewCx;
use egui::{Key, Modifiers, Response, Ui};
use std::sync::Arc;

impl Timeline {
    pub(super) fn keys(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, response: &Response, stacked: &Stacked) {
        keyboard::hold(ui, response, true);
        if !keyboard::listens(ui, response) {
            return;
        }
        let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        let page = response.rect.height() * 0.8;
        for (key, by) in [(Key::PageDown, page), (Key::PageUp, -page)] {
            if pressed(key) {
                self.scroll[1] = (self.scroll[1] + by).clamp(0.0, bottom(&stacked.free));
            }
        }
        for (key, outgoing) in [(Key::OpenBracket, false), (Key::CloseBracket, true)] {
            if pressed(key)
                && let Some(item) = links::next(cx, outgoing)
            {
                cx.send(Command::Select(Some(item)));
            }
        }
        let keys = [Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight];
        let key = keys.into_iter().find(|&key| pressed(key));
        let Some(rows) = self.known.as_ref().and_then(|k| k.1.clone()) else { return };
        if let Some(next) = key.and_then(|key| next_box(&rows, stacked, self.selected, key)) {
            self.select(cx, &rows, next);
        }
    }
}

/// The box that an arrow leads to: along the row, to the row above or below, and from the edge of a track to
/// the next one that is shown.
fn next_box(rows: &Arc<FlameRows>, stacked: &Stacked, from: Option<BoxAt>, key: Key) -> Option<BoxAt> {
    let tracks = || {
        let placed = stacked.fixed.iter().chain(&stacked.free);
        placed.filter_map(|p| track_rows(stacked, p))
    };
    let Some(at) = from else {
        return rows.first(tracks().next()?.start);
    };
    let down = match key {
        Key::ArrowLeft => return rows.neighbour(at, false),
        Key::ArrowRight => return rows.neighbour(at, true),
        key => key == Key::ArrowDown,
    };
    let shown: Vec<_> = tracks().collect();
    let here = shown.iter().position(|r| r.contains(&at.row));
    let inside = |next: &BoxAt| here.is_some_and(|h| shown[h].contains(&next.row));
    if let Some(next) = rows.neighbour_row(at, down).filter(inside) {
        return Some(next);
    }
    let other = if down { here? + 1 } else { here?.checked_sub(1)? };
    let target = shown.get(other)?;
    let start = rows.get(at)?.start;
    let covering = |row: u32| rows.at(row, start as f64).map(|index| BoxAt { row, index });
    // What runs when the box starts, nearest to where one comes from; or else the next that does.
    let found = if down { covering(target.start) } else { target.clone().rev().find_map(covering) };
    found.or_else(|| rows.next_after(target.start, start))
}

/// The rows of boxes of a lane that one can move through: one at least, for a strip.
fn track_rows(stacked: &Stacked, placed: &Placed) -> Option<std::ops::Range<u32>> {
    let LaneOf::Track(track) = stacked.lanes.all[placed.lane].of else { return None };
    let group = stacked.group(track)?;
    let end = (group.rows.start + placed.rows.max(1)).min(group.rows.end);
    (group.rows.start < end).then_some(group.rows.start..end)
}
