//! Painting the boxes: one mesh for their grounds, then names, then what is pointed at and selected.

use std::sync::Arc;

use egui::epaint::Mesh;
use egui::{Color32, Painter, Rect, Shape, Stroke, StrokeKind, pos2, vec2};

use super::super::shared;
use crate::analysis::search::Pattern;
use crate::analysis::treemap::{BoxTree, What};
use crate::format;
use crate::model::Profile;
use crate::state::{Item, Relative};
use crate::ui::hatch;
use crate::ui::text::{Face, LabelStyle, TextCache, TextKey, Texts};
use crate::ui::theme::{Palette, SpanColor, mix};
use crate::views::ViewCx;
use crate::views::shared::squarified::{Cell, HEADER, has_header};

/// A name needs this much room.
const LABEL: (f32, f32) = (34.0, 14.0);
/// Size of the letters.
const SIZE: f32 = 12.0;

fn color(palette: &Palette, profile: &Profile, what: What) -> SpanColor {
    match what {
        What::Symbol(symbol) => palette.span_named(&symbol.label(profile)),
        What::Gap(_) => palette.gap(),
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

/// What stays the same from frame to frame: with thousands of boxes the grounds cost more than all the rest.
pub(super) struct Picture {
    palette: &'static Palette,
    search: String,
    pattern: Option<Pattern>,
    grounds: Vec<SpanColor>,
    mesh: Arc<Mesh>,
    /// Boxes with room for a name.
    labelled: Vec<usize>,
}

impl Picture {
    pub(super) fn new(palette: &'static Palette, cx: &ViewCx<'_>, tree: &BoxTree, cells: &[Cell]) -> Self {
        let profile = cx.profile();
        let search = cx.interaction.search.clone();
        let pattern = Pattern::new(&search);
        let found = pattern.as_ref().map(|p| p.functions(profile));
        let ground = |cell: &Cell| -> SpanColor {
            let what = tree.boxes[cell.last as usize].what;
            let full = color(palette, profile, what);
            let lost = found.as_ref().is_some_and(|f| what.function().is_none_or(|id| !f[id.index()]));
            // What holds others is the ground they stand on, the stronger the more of it is its own.
            let fill = match (cell.holds, lost) {
                (true, _) => {
                    let b = &tree.boxes[cell.last as usize];
                    let own = if b.total > 0 && !lost {
                        (b.own as f32 / b.total as f32).clamp(0.0, 1.0)
                    } else {
                        0.0
                    };
                    let least = if palette.dark { 0.30 } else { 0.25 };
                    mix(palette.canvas, full.fill, least + (0.9 - least) * own * own)
                }
                (false, true) => palette.dimmed(full.fill),
                (false, false) => full.fill,
            };
            SpanColor {
                fill,
                text: if lost && !cell.holds { palette.text_weak } else { palette.text_on(fill) },
            }
        };
        let grounds: Vec<SpanColor> = cells.iter().map(ground).collect();
        let mut mesh = Mesh::default();
        for (cell, color) in cells.iter().zip(&grounds) {
            let gap = if cell.rect.width().min(cell.rect.height()) >= 6.0 { 0.5 } else { 0.25 };
            if cell.holds {
                mesh.add_colored_rect(cell.rect, palette.canvas);
            }
            mesh.add_colored_rect(cell.rect.shrink(gap), color.fill);
            if matches!(tree.boxes[cell.last as usize].what, What::Gap(_)) {
                hatch::add(&mut mesh, cell.rect.shrink(gap), palette.stripes());
            }
        }
        let room = |cell: &Cell| match cell.holds {
            true => has_header(cell.rect),
            false => cell.rect.width() >= LABEL.0 && cell.rect.height() >= LABEL.1,
        };
        let labelled = (0..cells.len()).filter(|&i| room(&cells[i])).collect();
        Self { palette, search, pattern, grounds, mesh: Arc::new(mesh), labelled }
    }

    /// False when another theme or search wants another picture.
    pub(super) fn fits(&self, palette: &Palette, cx: &ViewCx<'_>) -> bool {
        std::ptr::eq(self.palette, palette) && self.search == cx.interaction.search
    }

    /// Paints all boxes.
    pub(super) fn paint(
        &self,
        cx: &ViewCx<'_>,
        painter: &Painter,
        texts: &mut TextCache,
        tree: &BoxTree,
        cells: &[Cell],
        (pointed, selected): (Option<usize>, Option<usize>),
    ) {
        painter.rect_filled(painter.clip_rect(), 0.0, self.palette.canvas);
        painter.add(Shape::Mesh(self.mesh.clone()));
        let mut texts = texts.begin(painter);
        for &i in &self.labelled {
            let look = (self.grounds[i].text, self.pattern.as_ref());
            label(cx, painter, &mut texts, tree, &cells[i], look);
        }
        for (i, cell) in cells.iter().enumerate() {
            let lit = || {
                let function = tree.boxes[cell.last as usize].what.function();
                function.is_some_and(|f| cx.is_hovered(&Item::of_function(f, cx.profile())))
            };
            let ink = self.palette.text_strong;
            if Some(i) == selected {
                painter.rect_stroke(cell.rect, 1.0, Stroke::new(2.0, ink), StrokeKind::Inside);
            } else if Some(i) == pointed || (cx.hover.is_some() && lit()) {
                painter.rect_stroke(cell.rect, 1.0, Stroke::new(1.0, ink), StrokeKind::Inside);
            }
        }
    }
}

/// Name and cost of a box that has room for them.
fn label(
    cx: &ViewCx<'_>,
    painter: &Painter,
    texts: &mut Texts<'_>,
    tree: &BoxTree,
    cell: &Cell,
    (color, found): (Color32, Option<&Pattern>),
) {
    let (rect, profile) = (cell.rect, cx.profile());
    let line =
        |top: f32, height: f32| Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), height));
    let first = if rect.height() < 19.0 { rect.center().y - 7.5 } else { rect.top() + 2.0 };
    let (face, area) = match cell.holds {
        true => (Face::Strong, line(rect.top(), HEADER)),
        false => (Face::Regular, line(first, 15.0)),
    };
    let style = LabelStyle { face, ..LabelStyle::new(SIZE) };
    let key = TextKey::new(("name", cell.first, cell.last));
    let name = || name(tree, profile, cell).into();
    painter.extend(texts.found_label(area, key, (style, found), color, name));
    if cell.holds || rect.height() < 36.0 || rect.width() < 44.0 || tree.whole.total <= 0 {
        return;
    }
    let relative = cx.interaction.relative;
    let whole = match relative {
        Relative::Numbers => 0,
        Relative::Total => tree.whole.total,
        Relative::Parent => tree.boxes[tree.boxes[cell.first as usize].parent as usize].total,
    };
    let total = tree.boxes[cell.first as usize].total;
    let cost = || format::cost(shared::unit(profile, cx.interaction), total);
    // Areas hold no costs below 0, so they may be more than the whole.
    let share = format::share(total, whole);
    let both = || format!("{}  {}", cost(), format::share_text(share));
    // A cut number is no number: both when there is room, else the cost, else nothing.
    let mut fitting = |key: TextKey, text: &dyn Fn() -> String| {
        let galley = texts.get(key, style, rect.width() - 8.0, || text().into())?;
        (!galley.elided).then_some(galley)
    };
    let with_share = share.and_then(|_| fitting(TextKey::new(("both", cell.first, whole)), &both));
    if let Some(galley) = with_share.or_else(|| fitting(TextKey::new(("cost", cell.first)), &cost)) {
        let at = pos2(rect.left() + 4.0, first + 22.5 - galley.size().y / 2.0);
        painter.galley(at, galley, color);
    }
}

/// What a box says under the pointer: every share with its whole.
pub(super) fn tooltip(cx: &ViewCx<'_>, tree: &BoxTree, root: u32, cell: &Cell) -> String {
    let profile = cx.profile();
    let (unit, what) = (shared::unit(profile, cx.interaction), shared::metric_name(profile, cx.interaction));
    let b = tree.boxes[cell.last as usize];
    let share = |cost: i64, whole: i64, of: &str| match format::share(cost, whole) {
        None => String::new(),
        Some(share) => format!("{} of {of}", format::percent(share)),
    };
    let whole = tree.whole;
    let all = format!("all, {}", format::cost(unit, whole.total));
    let mut lines = vec![name(tree, profile, cell)];
    if let What::Gap(gap) = b.what {
        lines.push(gap.about().to_owned());
    }
    if let Some(place) = b.what.function().map(|f| shared::place(profile, f)).filter(|p| !p.is_empty()) {
        lines.push(place);
    }
    if (cell.holds || b.total != b.own) && tree.cost_of.is_none() {
        lines.push(format!(
            "Total {what}: {} ({})",
            format::cost(unit, b.total),
            share(b.total, whole.total, &all)
        ));
    }
    if matches!(b.what, What::Gap(_)) {
        lines.push(format!("{} ({})", format::cost(unit, b.total), share(b.total, whole.total, &all)));
    }
    if let Some(of) = tree.cost_of.filter(|_| b.what.function().is_some()) {
        let name = profile.function_name(of).chars().take(80).collect::<String>();
        lines.push(format!("{what} of {name} under it: {}", format::cost(unit, b.total)));
    } else if b.what.function().is_some() {
        let own = format!("all self costs, {}", format::cost(unit, whole.own));
        let share = share(b.own, whole.own, if whole.is_one() { &all } else { &own });
        lines.push(format!("Self {what}: {} ({share})", format::cost(unit, b.own)));
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
