//! Everything that has a time, on one axis: a lane per track, counter, and for requests and events.
//!
//! [`lanes`] says which lanes there are and how they are arranged, [`boxes`] where things stand in a lane,
//! [`paint`] paints them and remembers what is where. The minimap shows the whole run.

mod boxes;
mod labels;
mod lanes;
mod links;
mod minimap;
mod paint;

use super::flame::{Coloring, Colors};
use super::shared::Stale;
use super::time::{self, Gesture, PHASE_BAND, Viewport};
use super::{View, ViewCx, ViewKind};
use crate::analysis::Scope;
use crate::analysis::counters::{CounterFigures, CounterLod, MAX_COLUMNS};
use crate::analysis::flame_rows::{FlameRows, TimeOrder};
use crate::analysis::phases::{Phases, PhasesIn};
use crate::analysis::requests::{RequestRows, parts};
use crate::format;
use crate::model::{CounterId, Profile};
use crate::query::Answer;
use crate::state::{Command, Item};
use crate::ui::icons::Icon;
use crate::ui::text::TextCache;
use crate::ui::theme::{Palette, space};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::{EmptyState, SearchBox, segmented};
use egui::{Rangef, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};
use lanes::{Arrangement, Height, Lane, LaneOf};
use paint::{Hits, Scene};
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
};

#[derive(Default)]
struct Timeline {
    viewport: Viewport,
    arrangement: Arrangement,
    find: String,
    texts: TextCache,
    stale: Stale,
    /// Colours, and the profile, theme and search that they were made for.
    colors: Option<(usize, bool, String, Colors)>,
    mini: Option<minimap::Drag>,
    /// The selection that was seen last: a new one, made elsewhere, is brought into view.
    seen: Option<Item>,
    /// Points that lanes are scrolled down.
    scroll: f32,
}

/// A lane in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Placed {
    /// Index of the lane.
    lane: usize,
    /// Upper edge, from the first lane of its region on.
    top: f32,
    /// Height.
    height: f32,
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

impl View for Timeline {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.viewport.follow(cx.profile(), cx.live);
        let profile = cx.subject.profile.clone();
        let lanes = lanes::lanes(&profile);
        self.toolbar(ui, &lanes, profile.tracks.len());
        let (shown, pinned) = self.arrangement.shown(&lanes, &self.find);
        if shown.is_empty() {
            let text = "No lane has this name, or all are hidden.";
            EmptyState::new(Icon::Search, "No lane to show", text).show(ui);
            return;
        }
        let transforms = cx.interaction.scope.transforms.clone();
        let answer = cx.ask(&TimeOrder(Scope { tracks: Vec::new(), transforms }), 0);
        self.stale.dim(&answer, cx.live, ui);
        let rows = answer.value().cloned();
        let packed = cx.ask(&RequestRows, 0).value().map_or(1, |p| p.rows);
        let heights = |i: &usize| self.height(&profile, rows.as_deref(), packed, &lanes[*i]);
        let fixed = stack(&shown[..pinned], heights);
        let free = stack(&shown[pinned..], heights);
        let phases = cx.ask(&PhasesIn(None), 0).value().cloned().filter(|p| !p.spans.is_empty());
        let areas = areas(ui.available_rect_before_wrap(), &fixed, phases.is_some());
        let axis = TimeAxis::layout(self.viewport.t0, self.viewport.t1, areas.ruler.x_range());
        let all = Rect::from_min_max(areas.ruler.min, areas.lanes.max);
        let response = ui.interact(all, ui.scope_id().with("chart"), Sense::click_and_drag());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Timeline"));
        let gesture = self.viewport.gesture(ui, &response, &axis);
        self.viewport.publish(&gesture, cx);
        minimap::show(cx, ui, areas.minimap, &mut self.viewport, &mut self.mini);
        self.recolor(cx, ui, &profile);
        self.reveal(cx, rows.as_deref(), &lanes, (&free, &shown), areas.lanes.height());
        self.chart(
            cx,
            ui,
            &Parts { profile: &profile, lanes: &lanes, shown: &shown, rows, phases, answer: &answer },
            &areas,
            (fixed, free),
            (&axis, &response, &gesture),
        );
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(&self.arrangement).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(arrangement) = serde_json::from_value(saved.clone()) {
            self.arrangement = arrangement;
        }
    }
}

/// What is drawn in one frame.
struct Parts<'a> {
    profile: &'a Arc<Profile>,
    lanes: &'a [Lane],
    shown: &'a [usize],
    rows: Option<Arc<FlameRows>>,
    phases: Option<Arc<Phases>>,
    answer: &'a Answer<FlameRows>,
}

/// Lanes on top of each other.
fn stack(shown: &[usize], height: impl Fn(&usize) -> f32) -> Vec<Placed> {
    let mut top = 0.0;
    shown
        .iter()
        .map(|lane| {
            let placed = Placed { lane: *lane, top, height: height(lane) };
            top += placed.height;
            placed
        })
        .collect()
}

fn bottom(placed: &[Placed]) -> f32 {
    placed.last().map_or(0.0, |p| p.top + p.height)
}

fn areas(area: Rect, fixed: &[Placed], has_phases: bool) -> Areas {
    let left = area.left() + (area.width() * 0.17).clamp(76.0, 190.0).min(area.width() * 0.4);
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

impl Timeline {
    fn toolbar(&mut self, ui: &mut Ui, lanes: &[Lane], tracks: usize) {
        ui.horizontal_wrapped(|ui| {
            let width = (ui.available_width() * 0.3).clamp(110.0, 200.0);
            SearchBox::new("Find a lane", &mut self.find).width(width).show(ui);
            let mut usual = self.arrangement.usual(tracks);
            let choices = [(Height::Strip, "Strips"), (Height::Few, "Rows"), (Height::All, "All rows")];
            if segmented(ui, "Height of tracks", &mut usual, &choices).changed() {
                self.arrangement.usual = Some(usual);
                self.arrangement.heights.clear();
            }
            let hidden: Vec<_> = lanes.iter().filter(|l| self.arrangement.hidden.contains(&l.key)).collect();
            if !hidden.is_empty() {
                let text = format!("{} hidden", format::counted(hidden.len() as i64, "lane", "lanes"));
                ui.menu_button(text, |ui| {
                    if ui.button("Show all").clicked() {
                        self.arrangement.hidden.clear();
                        ui.close();
                    }
                    ui.separator();
                    ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
                        for lane in hidden {
                            if ui.button(&lane.label).clicked() {
                                self.arrangement.hidden.remove(&lane.key);
                            }
                        }
                    });
                });
            }
        });
        ui.add_space(space::SMALL);
    }

    fn height(&self, profile: &Profile, rows: Option<&FlameRows>, packed: u32, lane: &Lane) -> f32 {
        let height = self.arrangement.height(lane, profile.tracks.len());
        match lane.of {
            LaneOf::Events => 22.0,
            LaneOf::Counter(_) => 38.0,
            LaneOf::Requests => {
                let most = if height == Height::All { 64 } else { paint::REQUEST_ROWS };
                let rows = packed.clamp(1, most);
                rows as f32 * paint::REQUEST_ROW + 6.0
            }
            LaneOf::Track(id) => {
                let group = rows.and_then(|rows| boxes::group(rows, id));
                let count = group.map_or(0, |g| g.rows.len() as u32);
                match height {
                    _ if count == 0 => paint::STRIP,
                    Height::Strip => paint::STRIP,
                    Height::Few => count.min(lanes::FEW) as f32 * paint::ROW + 5.0,
                    Height::All => count as f32 * paint::ROW + 5.0,
                }
            }
        }
    }

    fn recolor(&mut self, cx: &ViewCx<'_>, ui: &Ui, profile: &Arc<Profile>) {
        let palette = Palette::of(ui);
        let at = Arc::as_ptr(profile) as usize;
        let search = &cx.interaction.search;
        let same = |c: &(usize, bool, String, Colors)| c.0 == at && c.1 == palette.dark && c.2 == *search;
        if !self.colors.as_ref().is_some_and(same) {
            let colors = Colors::new(profile, palette, Coloring::Name, None, search);
            self.colors = Some((at, palette.dark, search.clone(), colors));
        }
    }

    /// Scrolls to the lane of something that was selected elsewhere.
    fn reveal(
        &mut self,
        cx: &ViewCx<'_>,
        rows: Option<&FlameRows>,
        lanes: &[Lane],
        (free, _): (&[Placed], &[usize]),
        height: f32,
    ) {
        if self.seen == cx.interaction.selection || rows.is_none() {
            return;
        }
        self.seen.clone_from(&cx.interaction.selection);
        let of = match self.seen {
            Some(Item::Span { track, .. } | Item::Track(track)) => LaneOf::Track(track),
            Some(Item::Request(_)) => LaneOf::Requests,
            Some(Item::Instant(_)) => LaneOf::Events,
            _ => return,
        };
        let Some(placed) = free.iter().find(|p| lanes[p.lane].of == of) else { return };
        if placed.top < self.scroll || placed.top + placed.height.min(height) > self.scroll + height {
            self.scroll = (placed.top + placed.height / 2.0 - height / 2.0).max(0.0);
        }
        // A span that is out of sight in time comes into view too.
        let interval = self.seen.as_ref().and_then(|s| s.interval(cx.profile()));
        if let Some((from, to)) = interval.map(|(a, b)| (a as f64, b as f64))
            && (to < self.viewport.t0 || from > self.viewport.t1)
        {
            let half = (self.viewport.length() / 2.0).max((to - from) * 0.6);
            let middle = f64::midpoint(from, to);
            self.viewport.set(middle - half, middle + half);
        }
    }
}

mod frame;

#[cfg(test)]
mod tests;
