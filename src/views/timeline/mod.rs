//! Everything that has a time, on one axis: a lane per track, counter, and for requests and events.
//!
//! [`lanes`] says which lanes there are and in which order, [`stack`] where they stand, [`region`] lays out
//! the boxes of those that are seen, [`paint`] paints the rest. How lanes are arranged is shared state, so it
//! can be undone; where this pane looks is its own.

mod boxes;
mod frame;
mod keys;
mod labels;
mod lanes;
mod links;
mod minimap;
mod paint;
mod region;
mod stack;
#[cfg(test)]
mod tests;

use super::boxes::{Coloring, Colors, Facts};
use super::shared::{self, note_clock};
use super::time::{Gesture, PHASE_BAND, Viewport};
use super::{Comparing, View, ViewCx, ViewKind};
use crate::analysis::Scope;
use crate::analysis::flame_rows::{BoxAt, FlameRows, TimeOrder};
use crate::analysis::phases::{Phases, PhasesIn};
use crate::analysis::requests::{Packing, RequestRows, parts};
use crate::format;
use crate::model::Profile;
use crate::model::{SpanKey, TrackId};
use crate::state::{Arrangement, Command, Item, LaneHeight};
use crate::ui::icons::Icon;
use crate::ui::text::TextCache;
use crate::ui::theme::{Palette, space};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::{EmptyState, SearchBox, link_button, segmented};
use egui::{Rangef, Rect, ScrollArea, Sense, Ui, pos2, vec2};
use lanes::{LaneOf, Lanes};
use region::Region;
use stack::{Placed, Stacked, bottom};
use std::sync::Arc;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "timeline",
    title: "Timeline",
    about: "All tracks, counters, requests and events on one time axis",
    needs: |profile| {
        let counters = profile.counters.iter().any(|c| !c.times.is_empty());
        let any = profile.is_timed() || counters;
        if any || !profile.instants.is_empty() || !profile.requests.rows.is_empty() {
            Ok(())
        } else {
            Err("This file has no order in time; open a trace or record one.")
        }
    },
    make: || Box::new(Timeline::default()),
    comparing: Comparing::Stacked,
};

#[derive(Default)]
struct Timeline {
    viewport: Viewport,
    /// How lanes were arranged in an earlier run of the program; counts until this run is arranged anew.
    saved: Arc<Arrangement>,
    find: String,
    texts: TextCache,
    lanes: Option<(Arc<Profile>, Arc<Lanes>)>,
    stacked: Option<Arc<Stacked>>,
    /// Height for lanes in the last frame, rows of boxes.
    room: u32,
    colors: Option<(ColorsFor, Colors)>,
    /// Counts up with each change of colours.
    recolored: u64,
    /// Boxes of the pinned lanes, and of the others.
    regions: [Region; 2],
    /// The axis of the last frame.
    axis: Option<TimeAxis>,
    /// Points that these are scrolled down.
    scroll: [f32; 2],
    mini: Option<minimap::Drag>,
    /// True when a selection that was made elsewhere is to be brought into view.
    reveals: bool,
    /// The selected box, and the selection and rows that it was looked up for.
    selected: Option<BoxAt>,
    known: Option<(Option<Item>, Option<Arc<FlameRows>>)>,
    facts: Option<Facts>,
    /// True when the keyboard came by a click, which needs no ring to be seen.
    clicked: bool,
}

/// What colours were made for.
#[derive(PartialEq)]
struct ColorsFor {
    profile: *const Profile,
    dark: bool,
    search: String,
}

/// Where the parts of the view are.
struct Areas {
    /// Left of the charts.
    labels: Rangef,
    minimap: Rect,
    ruler: Rect,
    band: Rect,
    pinned: Rect,
    lanes: Rect,
}

/// What is drawn in one frame.
struct Frame<'a> {
    profile: &'a Arc<Profile>,
    stacked: &'a Stacked,
    rows: Option<Arc<FlameRows>>,
    packing: Option<Arc<Packing>>,
    phases: Option<Arc<Phases>>,
    areas: Areas,
    axis: TimeAxis,
    response: egui::Response,
    gesture: Gesture,
}

impl View for Timeline {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.viewport.follow(cx);
        self.reveals |= cx.selected_elsewhere();
        let profile = cx.subject.profile().clone();
        let transforms = cx.interaction.scope.transforms.clone();
        let rows = cx.ask(&TimeOrder(Scope { tracks: Vec::new(), transforms }), 0).later("Laying out spans");
        let packing = cx.ask(&RequestRows, 0).beside();
        let stacked = self.restack(cx, &profile, rows.as_ref(), packing.as_deref());
        if !cx.follower {
            self.toolbar(cx, ui, &stacked);
        }
        note_clock(cx);
        if stacked.fixed.is_empty() && stacked.free.is_empty() {
            let text = "No lane has this name, or all are hidden.";
            EmptyState::new(Icon::Search, "No lane to show", text).show(ui);
            return;
        }
        let phases = cx.ask(&PhasesIn(None), 0).beside().filter(|p| !p.spans.is_empty());
        let areas = areas(ui.available_rect_before_wrap(), &stacked.fixed, phases.is_some());
        let visible = areas.lanes.height().min(ui.clip_rect().bottom() - areas.lanes.top());
        let room = (visible / region::METRICS.row).max(0.0) as u32;
        if room != self.room {
            self.room = room;
            ui.ctx().request_repaint();
        }
        let axis = TimeAxis::layout(self.viewport.t0, self.viewport.t1, areas.ruler.x_range());
        let all = Rect::from_min_max(areas.ruler.min, areas.lanes.max);
        let response = ui.interact(all, ui.scope_id().with("chart"), Sense::click_and_drag());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Timeline"));
        self.axis = Some(axis.clone());
        self.look_up(cx, rows.as_ref());
        self.keys(cx, ui, &response, &stacked);
        let gesture = self.viewport.gesture(ui, &response, &axis);
        self.viewport.publish(&gesture, cx);
        minimap::show(cx, ui, areas.minimap, &mut self.viewport, &mut self.mini);
        self.recolor(cx, ui, rows.as_ref().map_or(&profile, |r| r.profile()));
        self.reveal(cx, &stacked, rows.as_deref(), areas.lanes.height());
        let stacked = &*stacked;
        let profile = &profile;
        let frame = Frame { profile, stacked, rows, packing, phases, areas, axis, response, gesture };
        self.chart(cx, ui, &frame);
    }

    fn save(&self) -> serde_json::Value {
        let arranged = self.stacked.as_ref().map_or(&self.saved, |s| &s.arranged);
        serde_json::to_value(&**arranged).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(arranged) = serde_json::from_value(saved.clone()) {
            self.saved = Arc::new(arranged);
        }
    }

    fn viewport(&self) -> Option<&Viewport> {
        Some(&self.viewport)
    }

    fn viewport_mut(&mut self) -> Option<&mut Viewport> {
        Some(&mut self.viewport)
    }

    fn place_of(&self, profile: &Profile, track: TrackId, row: u32) -> Option<Rect> {
        let (axis, span) = (self.axis.as_ref()?, profile.track(track).spans.rows.get(row as usize)?);
        let at = self.known.as_ref()?.1.as_ref()?.find_span(track, row)?;
        let middle = self.regions.iter().find_map(|region| region.middle_of(at.row))?;
        let half = region::METRICS.row / 2.0;
        let x = Rangef::new(axis.x_of(span.start as f64), axis.x_of(span.end as f64));
        Some(Rect::from_x_y_ranges(x, middle - half..=middle + half))
    }
}

fn areas(area: Rect, fixed: &[Placed], has_phases: bool) -> Areas {
    let left = area.left() + (area.width() * 0.17).clamp(120.0, 200.0).min(area.width() * 0.3);
    let across = |top: f32, height: f32| {
        let bottom = (top + height).min(area.bottom()).max(top);
        Rect::from_min_max(pos2(left, top), pos2(area.right(), bottom))
    };
    // In a low pane the minimap gives way.
    let minimap = across(area.top(), if area.height() > 220.0 { 30.0 } else { 0.0 });
    let ruler = across(minimap.bottom() + 2.0, space::RULER);
    let band = across(ruler.bottom(), if has_phases { PHASE_BAND } else { 0.0 });
    // Pinned lanes leave room for others.
    let most = ((area.bottom() - band.bottom()) * 0.6).max(0.0);
    let pinned = across(band.bottom(), bottom(fixed).min(most));
    let lanes = across(pinned.bottom() + if fixed.is_empty() { 0.0 } else { 2.0 }, f32::MAX / 4.0);
    Areas { labels: Rangef::new(area.left(), left), minimap, ruler, band, pinned, lanes }
}

/// Arranges lanes anew, as a step that can be undone.
fn arrange<R>(cx: &mut ViewCx<'_>, stacked: &Stacked, change: impl FnOnce(&mut Arrangement) -> R) {
    let mut arranged = (*stacked.arranged).clone();
    change(&mut arranged);
    if arranged != *stacked.arranged {
        cx.send(Command::Arrange(Arc::new(arranged)));
    }
}

impl Timeline {
    /// The lanes in their places, made anew when something has changed.
    fn restack(
        &mut self,
        cx: &ViewCx<'_>,
        profile: &Arc<Profile>,
        rows: Option<&Arc<FlameRows>>,
        packing: Option<&Packing>,
    ) -> Arc<Stacked> {
        let lanes = match &self.lanes {
            Some((of, lanes)) if Arc::ptr_eq(of, profile) => lanes.clone(),
            _ => {
                let lanes = Arc::new(Lanes::new(profile));
                self.lanes = Some((profile.clone(), lanes.clone()));
                lanes
            }
        };
        let arranged = cx.interaction.arrangement.clone().unwrap_or_else(|| self.saved.clone());
        let packed = packing.map_or(1, |p| p.rows.len() as u32);
        let same = |s: &&Arc<Stacked>| s.is_for(&lanes, &arranged, &self.find, rows, packed, self.room);
        if let Some(stacked) = self.stacked.as_ref().filter(same) {
            return stacked.clone();
        }
        let stacked =
            Arc::new(Stacked::new(profile, (lanes, arranged), &self.find, rows.cloned(), packed, self.room));
        self.stacked = Some(stacked.clone());
        stacked
    }

    fn toolbar(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, stacked: &Stacked) {
        shared::header(ui, |ui| {
            let width = (ui.available_width() * 0.3).clamp(110.0, 200.0);
            SearchBox::new("Find a lane", &mut self.find).width(width).show(ui);
            let mut usual = stacked.lanes.usual(&stacked.arranged);
            let choices =
                [(LaneHeight::Strip, "Strips"), (LaneHeight::Few, "Rows"), (LaneHeight::All, "All rows")];
            if segmented(ui, "Height of tracks", &mut usual, &choices).changed() {
                arrange(cx, stacked, |a| {
                    a.usual = Some(usual);
                    a.heights.clear();
                });
            }
            fold_all(cx, ui, stacked);
            hidden(cx, ui, stacked);
        });
        ui.add_space(space::SMALL);
    }

    fn recolor(&mut self, cx: &ViewCx<'_>, ui: &Ui, profile: &Arc<Profile>) {
        let palette = Palette::of(ui);
        let search = cx.interaction.search.clone();
        let wanted = ColorsFor { profile: Arc::as_ptr(profile), dark: palette.dark, search };
        if self.colors.as_ref().is_none_or(|(made_for, _)| *made_for != wanted) {
            let colors = Colors::new(profile, palette, Coloring::Name, None, &wanted.search);
            self.colors = Some((wanted, colors));
            self.recolored += 1;
        }
    }

    /// Looks up the selected box when the selection or the rows are others.
    fn look_up(&mut self, cx: &ViewCx<'_>, rows: Option<&Arc<FlameRows>>) {
        let item = &cx.interaction.selection;
        let same = self.known.as_ref().is_some_and(|(known, of)| {
            known == item && of.as_ref().map(Arc::as_ptr) == rows.map(Arc::as_ptr)
        });
        if !same {
            let span = item.as_ref().and_then(|item| item.span(cx.profile()));
            self.selected = span.zip(rows).and_then(|((track, row), rows)| rows.find_span(track, row));
            self.known = Some((item.clone(), rows.cloned()));
        }
    }

    /// Selects a box, which the next frame brings into view.
    fn select(&mut self, cx: &mut ViewCx<'_>, rows: &Arc<FlameRows>, at: BoxAt) {
        let item = super::boxes::item(rows, at);
        self.selected = Some(at);
        self.known = Some((item.clone(), Some(rows.clone())));
        cx.send(Command::Select(item));
    }

    /// Scrolls to the lane of something that was selected elsewhere, and brings its time into view.
    fn reveal(&mut self, cx: &ViewCx<'_>, stacked: &Stacked, rows: Option<&FlameRows>, height: f32) {
        let Some(rows) = rows.filter(|_| std::mem::take(&mut self.reveals)) else { return };
        let selected = cx.interaction.selection.as_ref();
        let of = match selected.cloned() {
            Some(Item::Span(SpanKey { track, .. }) | Item::Track(track)) => {
                let Some(track) = cx.profile().keys().track(track) else { return };
                LaneOf::Track(track)
            }
            Some(Item::Request(_)) => LaneOf::Requests,
            Some(Item::Instant(_)) => LaneOf::Events,
            _ => return,
        };
        let lanes = &stacked.lanes.all;
        if let Some(placed) = stacked.free.iter().find(|p| lanes[p.lane].of == of) {
            let (mut top, mut tall) = (placed.top, placed.height);
            // In a tall lane the row of the box is what must be seen.
            if let (LaneOf::Track(track), Some(at)) = (of, self.selected)
                && let Some(group) = stacked.group(track)
                && placed.rows > 0
            {
                let row = (at.row.saturating_sub(group.rows.start)).min(placed.rows - 1);
                (top, tall) = (top + row as f32 * region::METRICS.row, region::METRICS.row + 4.0);
            }
            if top < self.scroll[1] || top + tall.min(height) > self.scroll[1] + height {
                self.scroll[1] = (top + tall / 2.0 - height / 2.0).max(0.0);
            }
        }
        let known = self.selected.and_then(|at| rows.get(at)).map(|b| (b.start, b.end));
        let interval = known.or_else(|| selected.and_then(|s| s.interval(cx.profile())));
        if let Some((from, to)) = interval.map(|(a, b)| (a as f64, b as f64)) {
            let length = self.viewport.length();
            if to < self.viewport.t0 || from > self.viewport.t1 {
                let half = (length / 2.0).max((to - from) * 0.6);
                let middle = f64::midpoint(from, to);
                self.viewport.set(middle - half, middle + half);
            }
        }
    }
}

/// Folds all groups, or opens them.
fn fold_all(cx: &mut ViewCx<'_>, ui: &mut Ui, stacked: &Stacked) {
    let heads = || stacked.lanes.all.iter().filter(|l| matches!(l.of, LaneOf::Group(_)));
    if heads().next().is_none() {
        return;
    }
    let open = heads().any(|l| !stacked.arranged.folded.contains(&l.key));
    let text = if open { "Collapse groups" } else { "Expand groups" };
    if link_button(ui, text).clicked() {
        arrange(cx, stacked, |a| {
            a.folded = if open { heads().map(|l| l.key).collect() } else { Default::default() };
        });
    }
}

/// How many lanes are hidden, and the ways back.
fn hidden(cx: &mut ViewCx<'_>, ui: &mut Ui, stacked: &Stacked) {
    let count = stacked.lanes.hidden(&stacked.arranged).count();
    if count == 0 {
        return;
    }
    let text = format!("{} hidden", format::counted(count as i64, "lane", "lanes"));
    ui.menu_button(text, |ui| {
        ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            for lane in stacked.lanes.hidden(&stacked.arranged) {
                if ui.button(&lane.label).clicked() {
                    arrange(cx, stacked, |a| a.hidden.remove(&lane.key));
                }
            }
        });
    });
    if link_button(ui, "Show all").clicked() {
        arrange(cx, stacked, |a| a.hidden.clear());
    }
}
