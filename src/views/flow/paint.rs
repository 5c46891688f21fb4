//! Places and ways, drawn.

use egui::epaint::CubicBezierShape;
use egui::{Align, Color32, Stroke, StrokeKind, Ui};

use super::layout::{Node, Way};
use crate::analysis::flow::{Stage, Ways};
use crate::analysis::request_facets::Facet;
use crate::format;
use crate::ui::theme::{Palette, Tone, mix, regular, small, space, strong};
use crate::views::ViewCx;
use crate::views::parts::text_in;

/// The colour of a place.
fn color(palette: &Palette, stage: Stage) -> Color32 {
    match stage {
        Stage::Exact => palette.series(0),
        Stage::Similar => palette.series(1),
        Stage::Queue | Stage::Batch => palette.phase("queued").fill,
        Stage::Model => palette.phase("decode").fill,
        Stage::Answered => palette.tone(Tone::Good),
        Stage::Failed => palette.tone(Tone::Bad),
        Stage::Arrived | Stage::Check | Stage::Store => palette.line_strong,
    }
}

/// A place: its name and how many come there.
pub(super) fn node(cx: &ViewCx<'_>, ui: &Ui, node: &Node, lit: bool) {
    let palette = Palette::of(ui);
    let chosen = cx.interaction.requests.of(Facet::Way).iter().any(|way| way == node.stage.name());
    let color = color(palette, node.stage);
    let fill = mix(palette.canvas, color, if chosen || lit { 0.34 } else { 0.16 });
    let border = Stroke::new(if chosen { 2.0 } else { 1.0 }, if chosen { palette.accent } else { color });
    let painter = ui.painter();
    painter.rect(node.rect, space::RADIUS, fill, border, StrokeKind::Inside);
    let inner = node.rect.shrink2(egui::vec2(2.0, 3.0));
    let (top, bottom) = inner.split_top_bottom_at_fraction(0.5);
    text_in(painter, top, node.stage.name(), strong(12.0), palette.text_strong, Align::Center);
    let text = format!("{} · {}", node.count, node.share);
    // Of two runs there is more to say than fits a small place.
    let text = if text.chars().count() > 18 { &node.count } else { &text };
    text_in(painter, bottom, text, small(), palette.text, Align::Center);
}

/// A way: as thick as many go it, with its numbers in the middle.
pub(super) fn edge(ui: &Ui, way: &Way, lit: bool, chosen: bool) {
    let palette = Palette::of(ui);
    let target = color(palette, way.to);
    let strength = if lit || chosen { 0.8 } else { 0.45 };
    let width = 1.5 + 11.0 * way.share.clamp(0.0, 1.0) as f32;
    let stroke = Stroke::new(width, mix(palette.canvas, target, strength));
    let painter = ui.painter();
    painter.add(CubicBezierShape::from_points_stroke(way.curve, false, Color32::TRANSPARENT, stroke));
    let ground = mix(palette.panel, palette.canvas, 0.5).gamma_multiply(0.88);
    painter.rect_filled(way.label, space::RADIUS_SMALL, if lit { palette.hover } else { ground });
    let height = way.label.height() / way.lines.len().max(1) as f32;
    for (i, line) in way.lines.iter().enumerate() {
        let top = way.label.top() + height * i as f32;
        let row = way.label.with_min_y(top).with_max_y(top + height);
        let (font, color) =
            if i == 0 { (regular(12.0), palette.text_strong) } else { (small(), palette.text) };
        text_in(painter, row, line, font, color, Align::Center);
    }
}

/// What a place is, with what comes there.
pub(super) fn about(ways: &Ways, stage: Stage) -> String {
    let n = format::counted(ways.at(stage) as i64, "request", "requests");
    let what = match stage {
        Stage::Arrived => "All requests that are looked at.",
        Stage::Check => "Looked up in a cache of answers.",
        Stage::Exact => "The cache had the answer to the same request. A click looks at these only.",
        Stage::Similar => "The cache took the answer to a similar request. A click looks at these only.",
        Stage::Queue => "Waited for a turn before the model began.",
        Stage::Batch => "Put together with others and computed at the same time.",
        Stage::Model => "Computed by the model.",
        Stage::Store => "The answer was put into the cache before it was given.",
        Stage::Answered => "Ended well. A click looks at these only.",
        Stage::Failed => "Failed or cancelled. A click looks at those that failed only.",
    };
    format!("{n}\n{what}")
}
