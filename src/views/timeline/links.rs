//! Arrows from the causes of the selected span to it, and from it to its effects.

use super::paint::Scene;
use super::stack::{Placed, Stacked};
use super::{Areas, Timeline, lanes::LaneOf};
use crate::analysis::span_facts::{LinkEnd, SpanFacts};
use crate::model::TrackId;
use crate::state::Item;
use crate::ui::theme::Palette;
use crate::views::ViewCx;
use egui::epaint::CubicBezierShape;
use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Ui, pos2, vec2};
use std::sync::Arc;

/// The links of the selected span.
pub(super) fn of_selection(cx: &ViewCx<'_>) -> Option<Arc<crate::analysis::span_facts::Facts>> {
    let (track, row) = cx.interaction.selection.as_ref()?.span(cx.profile())?;
    cx.ask(&SpanFacts { track, row }, 0).exact().beside()
}

/// The span at the other end of the first link in one direction.
pub(super) fn next(cx: &ViewCx<'_>, outgoing: bool) -> Option<Item> {
    of_selection(cx)?
        .links
        .iter()
        .filter(|l| l.outgoing == outgoing)
        .find_map(|l| Item::of_span(l.track, l.row?, cx.profile()))
}

impl Timeline {
    pub(super) fn arrows(
        &self,
        cx: &ViewCx<'_>,
        ui: &Ui,
        scene: &Scene<'_>,
        stacked: &Stacked,
        areas: &Areas,
    ) {
        let selected = cx.interaction.selection.as_ref().and_then(|item| item.span(cx.profile()));
        let Some((track, row)) = selected else { return };
        let Some(facts) = of_selection(cx).filter(|f| !f.links.is_empty()) else { return };
        let clip = Rect::from_min_max(pos2(areas.ruler.left(), areas.pinned.top()), areas.lanes.max);
        let painter = ui.painter().with_clip_rect(clip.intersect(ui.clip_rect()));
        let y = |track, row| self.y_of(scene, stacked, areas, track, row);
        let Some(here) = y(track, Some(row)) else { return };
        for link in &facts.links {
            let Some(there) = y(link.track, link.row) else { continue };
            let (a, b) = ends(link, here, there);
            let at = |(t, y): (i64, f32)| pos2(scene.axis.x_of(t as f64), y);
            arrow(&painter, at(a), at(b), scene.palette);
        }
    }

    /// The middle of a span's box on screen; that of its lane when the box is not drawn, of the group's head
    /// when that is folded. `None` for a lane that is not shown.
    fn y_of(
        &self,
        scene: &Scene<'_>,
        stacked: &Stacked,
        areas: &Areas,
        track: TrackId,
        row: Option<u32>,
    ) -> Option<f32> {
        let rows = scene.rows?;
        let at = row.and_then(|row| rows.find_span(track, row)).map(|at| at.row);
        if let Some(y) = at.and_then(|at| self.regions.iter().find_map(|r| r.middle_of(at))) {
            return Some(y);
        }
        let lanes = &stacked.lanes.all;
        let lane = lanes.iter().position(|l| l.of == LaneOf::Track(track))?;
        let find = |placed: &[Placed], lane: usize| placed.iter().copied().find(|p| p.lane == lane);
        if let Some(placed) = find(&stacked.fixed, lane) {
            return Some(areas.pinned.top() - self.scroll[0] + placed.top + placed.height / 2.0);
        }
        let placed = find(&stacked.free, lane).or_else(|| find(&stacked.free, lanes[lane].head?))?;
        Some(areas.lanes.top() - self.scroll[1] + placed.top + placed.height / 2.0)
    }
}

/// Cause and effect of a link.
fn ends(link: &LinkEnd, here: f32, there: f32) -> ((i64, f32), (i64, f32)) {
    let (here, there) = ((link.here, here), (link.time, there));
    if link.outgoing { (here, there) } else { (there, here) }
}

fn arrow(painter: &Painter, from: Pos2, to: Pos2, palette: &Palette) {
    let color = palette.accent;
    let bend = ((to.x - from.x).abs() * 0.4).clamp(18.0, 90.0);
    let points = [from, from + vec2(bend, 0.0), to - vec2(bend, 0.0), to];
    let halo = Stroke::new(3.5, palette.canvas.gamma_multiply(0.7));
    for stroke in [halo, Stroke::new(1.5, color)] {
        painter.add(CubicBezierShape::from_points_stroke(points, false, Color32::TRANSPARENT, stroke));
    }
    painter.circle_filled(from, 2.5, color);
    let head = vec![to, to + vec2(-7.0, -4.0), to + vec2(-7.0, 4.0)];
    painter.add(Shape::convex_polygon(head, color, Stroke::NONE));
}
