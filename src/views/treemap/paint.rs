//! Painting the boxes: one mesh for their grounds, then names, then what is pointed at and selected.

use egui::epaint::Mesh;
use egui::{Align, Color32, Rect, Shape, Stroke, StrokeKind, Ui, pos2, vec2};

use super::super::parts::text_in;
use super::super::shared;
use super::layout::{Cell, HEADER, has_header};
use crate::analysis::search::Pattern;
use crate::analysis::treemap::{BoxTree, What};
use crate::format;
use crate::model::Profile;
use crate::state::{Item, Relative};
use crate::ui::theme::{Palette, SpanColor, mix, regular, strong};
use crate::views::ViewCx;

/// A name needs this much room.
const LABEL: (f32, f32) = (34.0, 14.0);
/// Size of the letters.
const SIZE: f32 = 12.0;

fn color(palette: &Palette, profile: &Profile, what: What) -> SpanColor {
    match what {
        What::Symbol(symbol) => palette.span_named(&symbol.label(profile)),
        What::Module(id) | What::File(id) if !profile.text(id).is_empty() => {
            palette.span_named(profile.text(id))
        }
        _ => palette.idle(),
    }
}

/// «main › run › loop» for a chain of calls.
fn name(tree: &BoxTree, profile: &Profile, cell: &Cell) -> String {
    let mut names = vec![tree.boxes[cell.last as usize].what.label(profile)];
    let mut at = cell.last;
    while at != cell.first && names.len() < 6 {
        at = tree.boxes[at as usize].parent;
        names.push(tree.boxes[at as usize].what.label(profile));
    }
    if at != cell.first {
        names.push("…".into());
    }
    names.reverse();
    names.join(" › ")
}

/// Paints all boxes.
pub(super) fn paint(
    cx: &ViewCx<'_>,
    ui: &Ui,
    tree: &BoxTree,
    cells: &[Cell],
    area: Rect,
    (pointed, selected): (Option<usize>, Option<usize>),
) {
    let (palette, profile) = (Palette::of(ui), cx.profile());
    let painter = ui.painter().with_clip_rect(area);
    painter.rect_filled(area, 0.0, palette.canvas);
    let found = Pattern::new(&cx.interaction.search).map(|p| p.functions(profile));
    let ground = |cell: &Cell| -> SpanColor {
        let what = tree.boxes[cell.last as usize].what;
        let full = color(palette, profile, what);
        let lost = found.as_ref().is_some_and(|f| what.function().is_none_or(|id| !f[id.index()]));
        // What holds others is the ground they stand on.
        let fill = match (cell.holds, lost) {
            (true, _) => mix(palette.canvas, full.fill, if palette.dark { 0.30 } else { 0.25 }),
            (false, true) => palette.dimmed(full.fill),
            (false, false) => full.fill,
        };
        SpanColor { fill, text: if lost && !cell.holds { palette.text_weak } else { palette.text_on(fill) } }
    };
    let mut mesh = Mesh::default();
    let grounds: Vec<SpanColor> = cells.iter().map(ground).collect();
    for (cell, color) in cells.iter().zip(&grounds) {
        let gap = if cell.rect.width().min(cell.rect.height()) >= 6.0 { 0.5 } else { 0.25 };
        let rect = cell.rect.shrink(gap);
        if cell.holds {
            mesh.add_colored_rect(cell.rect, palette.canvas);
        }
        mesh.add_colored_rect(rect, color.fill);
    }
    painter.add(Shape::mesh(mesh));
    for (cell, color) in cells.iter().zip(&grounds) {
        label(cx, &painter, tree, cell, color.text);
    }
    for (i, cell) in cells.iter().enumerate() {
        let function = tree.boxes[cell.last as usize].what.function();
        let lit = function.is_some_and(|f| cx.hover.is_some() && cx.is_hovered(&Item::Function(f)));
        if Some(i) == selected {
            painter.rect_stroke(cell.rect, 1.0, Stroke::new(2.0, palette.text_strong), StrokeKind::Inside);
        } else if Some(i) == pointed || lit {
            painter.rect_stroke(cell.rect, 1.0, Stroke::new(1.0, palette.text_strong), StrokeKind::Inside);
        }
    }
}

fn label(cx: &ViewCx<'_>, painter: &egui::Painter, tree: &BoxTree, cell: &Cell, color: Color32) {
    let (rect, profile) = (cell.rect, cx.profile());
    if cell.holds {
        if has_header(rect) {
            let line = Rect::from_min_size(rect.min + vec2(4.0, 0.0), vec2(rect.width() - 8.0, HEADER));
            text_in(painter, line, &name(tree, profile, cell), strong(SIZE), color, Align::Min);
        }
        return;
    }
    if rect.width() < LABEL.0 || rect.height() < LABEL.1 {
        return;
    }
    let line = |top: f32| Rect::from_min_size(pos2(rect.left() + 4.0, top), vec2(rect.width() - 6.0, 15.0));
    let first = if rect.height() < 19.0 { rect.center().y - 7.5 } else { rect.top() + 2.0 };
    text_in(painter, line(first), &name(tree, profile, cell), regular(SIZE), color, Align::Min);
    if rect.height() >= 36.0 && rect.width() >= 44.0 && tree.sum > 0 {
        let unit = shared::unit(profile, cx.interaction);
        let total = tree.boxes[cell.first as usize].total;
        let share = match cx.interaction.relative {
            Relative::Numbers => None,
            Relative::Total => Some(tree.sum),
            Relative::Parent => Some(tree.boxes[tree.boxes[cell.first as usize].parent as usize].total),
        };
        let share = share.filter(|whole| *whole > 0).map(|whole| total as f64 / whole as f64);
        let cost = format::cost(unit, total);
        let both = share.map(|s| format!("{cost}  {}", format::percent(s)));
        // A cut number is no number: both when there is room, else the cost, else nothing.
        let width = |text: &str| {
            painter.layout_no_wrap(text.to_owned(), regular(SIZE), color).size().x <= line(first).width()
        };
        if let Some(text) = both.into_iter().chain([cost]).find(|text| width(text)) {
            text_in(painter, line(first + 15.0), &text, regular(SIZE), color, Align::Min);
        }
    }
}

/// What a box says under the pointer: every share with its whole.
pub(super) fn tooltip(cx: &ViewCx<'_>, tree: &BoxTree, root: u32, cell: &Cell) -> String {
    let profile = cx.profile();
    let (unit, what) = (shared::unit(profile, cx.interaction), shared::metric_name(profile, cx.interaction));
    let b = tree.boxes[cell.last as usize];
    let share = |cost: i64, whole: i64, of: &str| match whole {
        0 => String::new(),
        whole => format!("{} of {of}", format::percent(cost as f64 / whole as f64)),
    };
    let whole = format!("all, {}", format::cost(unit, tree.sum));
    let mut lines = vec![name(tree, profile, cell)];
    if let Some(place) = b.what.function().map(|f| shared::place(profile, f)).filter(|p| !p.is_empty()) {
        lines.push(place);
    }
    if cell.holds || b.total != b.own {
        lines.push(format!(
            "Total {what}: {} ({})",
            format::cost(unit, b.total),
            share(b.total, tree.sum, &whole)
        ));
    }
    if b.what.function().is_some() {
        lines.push(format!(
            "Self {what}: {} ({})",
            format::cost(unit, b.own),
            share(b.own, tree.sum, &whole)
        ));
    }
    let parent = tree.boxes[cell.first as usize].parent;
    if parent != 0 {
        let around = tree.boxes[parent as usize];
        let of = format!("{}, which is around it", around.what.label(profile));
        lines.push(share(tree.boxes[cell.first as usize].total, around.total, &of));
    }
    if root != 0 && root != parent {
        let shown = tree.boxes[root as usize];
        lines.push(share(b.total, shown.total, "what is shown"));
    }
    if tree.children(cell.last).next().is_some() {
        lines.push("Double-click to look inside".to_owned());
    }
    lines.join("\n")
}
