//! Arrows from the causes of the selected span to it, and from it to its effects.

use super::paint::{self, Hits, Scene};
use super::{Areas, Lane, LaneOf, Placed};
use crate::analysis::flame_rows::FlameRows;
use crate::analysis::span_facts::{LinkEnd, SpanFacts};
use crate::model::TrackId;
use crate::state::Item;
use crate::ui::theme::Palette;
use crate::views::ViewCx;
use egui::epaint::CubicBezierShape;
use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Ui, pos2, vec2};

/// Places of lanes: the pinned ones, the others, and how far those are scrolled.
type Places<'a> = (&'a [Placed], &'a [Placed], f32);

pub(super) fn show(
    cx: &ViewCx<'_>,
    ui: &Ui,
    scene: &Scene<'_>,
    hits: &Hits,
    lanes: &[Lane],
    areas: &Areas,
    places: Places<'_>,
) {
    let Some(Item::Span { track, row }) = cx.interaction.selection else { return };
    let Some(rows) = scene.rows else { return };
    let answer = cx.ask(&SpanFacts { track, row }, 0);
    let Some(facts) = answer.value() else { return };
    let clip = Rect::from_min_max(pos2(areas.ruler.left(), areas.pinned.top()), areas.lanes.max);
    let painter = ui.painter().with_clip_rect(clip.intersect(ui.clip_rect()));
    let y = |track: TrackId, row: Option<u32>| y_of(rows, hits, lanes, areas, places, track, row);
    let Some(here) = y(track, Some(row)) else { return };
    for link in &facts.links {
        let Some(there) = y(link.track, link.row) else { continue };
        let (a, b) = ends(link, here, there);
        let at = |(t, y): (i64, f32)| pos2(scene.axis.x_of(t as f64), y);
        arrow(&painter, at(a), at(b), scene.palette);
    }
}

/// Cause and effect of a link.
fn ends(link: &LinkEnd, here: f32, there: f32) -> ((i64, f32), (i64, f32)) {
    let (here, there) = ((link.here, here), (link.time, there));
    if link.outgoing { (here, there) } else { (there, here) }
}

/// The middle of a span's box on screen; that of its lane when the box is not drawn. `None` for a lane that
/// is not shown.
fn y_of(
    rows: &FlameRows,
    hits: &Hits,
    lanes: &[Lane],
    areas: &Areas,
    (fixed, free, scroll): Places<'_>,
    track: TrackId,
    row: Option<u32>,
) -> Option<f32> {
    let find = |placed: &[Placed]| placed.iter().copied().find(|p| lanes[p.lane].of == LaneOf::Track(track));
    let (top, placed) = match find(fixed) {
        Some(placed) => (areas.pinned.top() + placed.top, placed),
        None => {
            let placed = find(free)?;
            (areas.lanes.top() - scroll + placed.top, placed)
        }
    };
    let group = super::boxes::group(rows, track);
    let depth = row
        .and_then(|row| rows.find_span(track, row))
        .and_then(|at| Some(at.row - group?.rows.start))
        .filter(|_| !hits.is_strip(track));
    Some(match depth {
        Some(depth) => (top + 2.5 + (depth as f32 + 0.5) * paint::ROW).min(top + placed.height - 3.0),
        None => top + placed.height / 2.0,
    })
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
