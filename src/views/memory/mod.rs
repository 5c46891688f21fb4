//! Memory and load over time: counters as lines on one time axis, phases behind them, peaks named.
//!
//! Bytes have the large chart; other units follow in smaller ones below, on the same axis. A click
//! selects a moment, and the panel below says what ran then.

mod charts;
mod compare;
mod layout;
mod table;

use crate::views::shared::{self, counter_name};

use super::time::{Gesture, HELP, Viewport};
use super::{Comparing, View, ViewCx, ViewKind};
use crate::analysis::counters::{CounterFigures, CounterLod, Figures, Lod, MAX_COLUMNS};
use crate::analysis::phases::{Phases, PhasesIn};
use crate::model::CounterId;
use crate::state::{Command, Item};
use crate::ui::text::TextCache;
use crate::ui::theme::{Palette, space};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::focus_ring;
use crate::views::parts::remark;
use egui::{Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The entry in [`super::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "memory",
    title: "Memory",
    about: "Memory and load over time, with phases and peaks",
    needs: |profile| {
        if profile.counters.iter().any(|c| !c.times.is_empty()) {
            Ok(())
        } else {
            Err("This file has no counters over time; open a trace with memory counters, or record one.")
        }
    },
    make: || Box::new(Memory::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffMemory::default())),
};

#[derive(Default)]
struct Memory {
    viewport: Viewport,
    texts: TextCache,
    /// Names of counters that are switched off.
    hidden: BTreeSet<String>,
    /// The counter under the pointer in the table or legend in the last frame.
    lit: Option<CounterId>,
}

/// What is said while curves are prepared.
const READING: &str = "Reading counters";

/// What the parts of the view draw from.
struct Frame {
    groups: Vec<layout::Group>,
    shown: Vec<CounterId>,
    figures: Arc<Vec<Option<Figures>>>,
    whole: Arc<Vec<Option<Figures>>>,
    lod: Option<Arc<Lod>>,
    phases: Option<Arc<Phases>>,
    axis: TimeAxis,
    places: layout::Places,
    lit: Option<CounterId>,
}

impl View for Memory {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.viewport.follow(cx);
        let area = ui.available_rect_before_wrap();
        ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
            let mut lit = None;
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(space::LARGE, 2.0);
                table::legend(cx, ui, &mut self.hidden, &mut lit);
            });
            ui.add_space(space::SMALL);
            let frame = self.frame(cx, ui);
            let height = frame.places.charts.last().map_or(0.0, |c| c.bottom()) - frame.places.ruler.top();
            let canvas = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), height));
            let response = ui.interact(canvas, ui.scope_id().with("charts"), Sense::click_and_drag());
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Memory chart"));
            let gesture = self.viewport.gesture(ui, &response, &frame.axis);
            self.viewport.publish(&gesture, cx);
            if gesture.double_click.is_some() {
                self.viewport.fit();
            }
            charts::paint(cx, ui, &frame, &mut self.texts);
            focus_ring(ui, &response, canvas);
            let on_peak = charts::peaks(cx, ui, &frame);
            select(cx, &gesture, on_peak);
            if gesture.preview.is_none() && !response.dragged() {
                charts::readout(cx, &frame, &response, &gesture);
            }
            ui.allocate_rect(canvas, Sense::hover());
            ui.add_space(space::SMALL);
            self.below(cx, ui, &frame, &mut lit);
            self.lit = lit;
        });
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "hidden": self.hidden })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Some(hidden) = shared::kept(saved, "hidden") {
            self.hidden = hidden;
        }
    }

    fn viewport(&self) -> Option<&Viewport> {
        Some(&self.viewport)
    }

    fn viewport_mut(&mut self) -> Option<&mut Viewport> {
        Some(&mut self.viewport)
    }
}

fn select(cx: &mut ViewCx<'_>, gesture: &Gesture, on_peak: bool) {
    if let Some(t) = gesture.click.filter(|_| !on_peak) {
        cx.send(Command::Select(Some(Item::Time(t.round() as i64))));
    }
}

impl Memory {
    fn frame(&self, cx: &ViewCx<'_>, ui: &Ui) -> Frame {
        let profile = cx.profile();
        let groups = layout::groups(profile);
        let visible = |id: &CounterId| !self.hidden.contains(&counter_name(profile, *id));
        let shown: Vec<_> = groups.iter().flat_map(|g| &g.counters).copied().filter(visible).collect();
        let groups: Vec<_> =
            groups.into_iter().filter(|g| g.counters.iter().any(|c| shown.contains(c))).collect();
        let phases = cx.ask(&PhasesIn(None), 0).beside().filter(|p| !p.spans.is_empty());
        let room = ui.available_rect_before_wrap();
        let rows = profile.counters.len();
        let height = layout::chart_height(room.height(), rows, groups.len());
        let area = Rect::from_min_size(room.min, vec2(room.width(), height));
        let places = layout::places(area, groups.len().max(1), phases.is_some());
        let axis = TimeAxis::layout(self.viewport.t0, self.viewport.t1, places.ruler.x_range());
        let query = CounterLod {
            counters: shown.clone(),
            from: self.viewport.t0.floor() as i64,
            to: self.viewport.t1.ceil() as i64,
            columns: (places.ruler.width().max(1.0) as u32).min(MAX_COLUMNS),
        };
        let figures = |range, place| cx.ask(&CounterFigures(range), place).later(READING).unwrap_or_default();
        Frame {
            lod: cx.ask(&query, 0).later(READING),
            figures: figures(cx.interaction.range, 1),
            whole: figures(None, 2),
            groups,
            shown,
            phases,
            axis,
            places,
            lit: self.lit,
        }
    }

    /// The table of counters, and beside or below it what ran at the selected moment.
    fn below(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame, lit: &mut Option<CounterId>) {
        let room = ui.available_rect_before_wrap();
        let moment = match cx.interaction.selection {
            Some(Item::Time(t)) => Some(t),
            _ => None,
        };
        // Both must have room for what stands in them.
        let beside = room.width() > 880.0;
        let split = room.left() + if beside { room.width() * 0.56 } else { room.width() };
        let left = Rect::from_min_max(room.min, pos2(split, room.bottom()));
        ui.scope_builder(UiBuilder::new().max_rect(left).id_salt("counters"), |ui| {
            ScrollArea::both().id_salt("counters").auto_shrink(false).show(ui, |ui| {
                table::show(cx, ui, frame, lit);
                if let (Some(t), false) = (moment, beside) {
                    ui.add_space(space::MEDIUM);
                    moment_panel(cx, ui, t);
                }
            });
        });
        if beside {
            let right = Rect::from_min_max(pos2(split + space::LARGE, room.top()), room.max);
            ui.scope_builder(UiBuilder::new().max_rect(right).id_salt("moment"), |ui| {
                ScrollArea::vertical().id_salt("moment").auto_shrink(false).show(ui, |ui| match moment {
                    Some(t) => moment_panel(cx, ui, t),
                    None => {
                        crate::ui::widgets::section_heading(ui, "At a moment");
                        remark(ui, "Click in a chart, or on a peak, to see what ran then.");
                        remark(ui, HELP);
                    }
                });
            });
        }
    }
}

fn moment_panel(cx: &mut ViewCx<'_>, ui: &mut Ui, time: i64) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let palette = Palette::of(ui);
    let text = format!("At {}", crate::format::duration_exact(time));
    let font = crate::ui::theme::strong(13.0);
    ui.label(egui::RichText::new(text).font(font).color(palette.text_strong));
    ui.add_space(space::SMALL);
    super::moment::show(cx, ui, time, 3);
}

#[cfg(test)]
mod tests;
