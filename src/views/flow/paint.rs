//! Places and ways, drawn.

use egui::epaint::CubicBezierShape;
use egui::{Align, Color32, FontId, Stroke, StrokeKind, Ui};

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

/// Least height of a line in a place, points.
const ROW: f32 = 11.0;

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
    let width = |text: &str, font: FontId| painter.layout_no_wrap(text.to_owned(), font, color).size().x;
    let fits = |text: &str, font: FontId| width(text, font) <= inner.width() - 2.0;
    let name = node.stage.name();
    // A name is never cut: smaller, then in two lines.
    let font = if fits(name, strong(12.0)) { strong(12.0) } else { strong(10.5) };
    let lines: Vec<&str> = if fits(name, font.clone()) { vec![name] } else { name.split(' ').collect() };
    // In a low place the name comes first: ways tell the numbers, too.
    let counts = inner.height() >= ROW * (lines.len() + 1) as f32;
    let rows = (lines.len() + usize::from(counts)) as f32;
    let row = |i: usize| {
        let height = inner.height() / rows;
        let top = inner.top() + height * i as f32;
        inner.with_min_y(top).with_max_y(top + height)
    };
    for (i, line) in lines.iter().enumerate() {
        text_in(painter, row(i), line, font.clone(), palette.text_strong, Align::Center);
    }
    if !counts {
        return;
    }
    let text = format!("{} · {}", node.count, node.share);
    let text = if fits(&text, small()) { &text } else { &node.count };
    text_in(painter, row(lines.len()), text, small(), palette.text, Align::Center);
}

/// A way: as thick as many go it.
pub(super) fn curve(ui: &Ui, way: &Way, strong: bool) {
    let palette = Palette::of(ui);
    let target = color(palette, way.to);
    let width = 1.5 + 11.0 * way.share.clamp(0.0, 1.0) as f32;
    let stroke = Stroke::new(width, mix(palette.canvas, target, if strong { 0.8 } else { 0.45 }));
    let shape = CubicBezierShape::from_points_stroke(way.curve, false, Color32::TRANSPARENT, stroke);
    ui.painter().add(shape);
}

/// The numbers of a way, in its middle.
pub(super) fn label(ui: &Ui, way: &Way, lit: bool) {
    let (palette, painter) = (Palette::of(ui), ui.painter());
    let ground = mix(palette.panel, palette.canvas, 0.5).gamma_multiply(0.88);
    painter.rect_filled(way.label, space::RADIUS_SMALL, if lit { palette.hover } else { ground });
    let height = way.label.height() / way.shown.max(1) as f32;
    for (i, line) in way.lines.iter().take(way.shown).enumerate() {
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
