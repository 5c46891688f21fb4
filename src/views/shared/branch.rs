//! The cell of a function in a tree: its name under its callers, with the triangle that opens it.

use egui::{Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::analysis::gaps::Gap;
use crate::analysis::search::Pattern;
use crate::format;
use crate::ui::hatch;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, small};
use crate::ui::widgets::{Cell, name_cell};

/// Width of one level.
const STEP: f32 = 14.0;

/// What was done to a row's triangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triangle {
    /// Open or close the row.
    Toggled,
    /// Open or close it with all below.
    ToggledAll,
}

/// What a cell shows of a row of a tree.
pub struct Branch<'a> {
    /// 0 for a root.
    pub depth: u32,
    /// What stands there.
    pub label: &'a str,
    /// True when it can be opened.
    pub has_children: bool,
    /// True when it is open.
    pub expanded: bool,
    /// What the search looks for, where it finds the row.
    pub found: Option<&'a Pattern>,
    /// Why a part of the row above is in no other row, when the row stands for that.
    pub gap: Option<Gap>,
}

/// The function's name under its callers. Beyond the indentation that the column has room for, rows stay at
/// the same place and say their depth.
pub fn function_cell(ui: &mut Ui, line: &Branch<'_>, palette: &Palette) -> Option<Triangle> {
    let rect = ui.available_rect_before_wrap();
    let levels = ((rect.width() * 0.45 / STEP) as u32).max(2);
    let left = rect.left() + 4.0 + line.depth.min(levels) as f32 * STEP;
    let guide = Stroke::new(1.0, palette.line_faint);
    for level in 0..line.depth.min(levels) {
        let x = ui.painter().round_to_pixel_center(rect.left() + 4.0 + STEP / 2.0 + level as f32 * STEP);
        ui.painter().vline(x, rect.y_range(), guide);
    }
    let mut x = left;
    if line.depth > levels {
        let text = format::count(i64::from(line.depth));
        let galley = ui.painter().layout_no_wrap(text, small(), palette.text_weak);
        let at = pos2(x, rect.center().y - galley.size().y / 2.0);
        x += galley.size().x + 4.0;
        ui.painter().galley(at, galley, palette.text_weak);
    }
    let mut done = None;
    if line.has_children {
        let area = Rect::from_min_size(pos2(x, rect.top()), vec2(STEP + 2.0, rect.height()));
        done = triangle(ui, area, line.expanded, palette);
    }
    if line.gap.is_some() {
        let swatch = Rect::from_center_size(pos2(x + STEP / 2.0, rect.center().y), vec2(11.0, 11.0));
        let mut mesh = egui::Mesh::default();
        mesh.add_colored_rect(swatch, palette.gap().fill);
        hatch::add(&mut mesh, swatch, palette.stripes());
        ui.painter().add(egui::Shape::mesh(mesh));
        let about = line.gap.map_or("", Gap::about);
        ui.interact(rect, ui.scope_id().with("gap"), Sense::hover()).on_hover_text(about);
    }
    x += STEP + 2.0;
    let label = line.label;
    let name = Rect::from_min_max(pos2(x, rect.top()), rect.max);
    let color = if line.gap.is_some() { palette.text_weak } else { palette.text_strong };
    let cell = Cell { color, ..Cell::text(palette) };
    // The cell pads its text itself.
    let place = Rect::from_min_max(name.min - vec2(8.0, 0.0), name.max);
    ui.scope_builder(egui::UiBuilder::new().max_rect(place), |ui| name_cell(ui, label, &cell, line.found));
    done
}

fn triangle(ui: &Ui, area: Rect, open: bool, palette: &Palette) -> Option<Triangle> {
    let response = ui.interact(area, ui.scope_id().with("open"), Sense::CLICK);
    let name = if open { "Close" } else { "Open" };
    response.widget_info(|| WidgetInfo::labeled(Role::DisclosureTriangle, true, name));
    let color = if response.hovered() { palette.text_strong } else { palette.text_weak };
    let icon = if open { Icon::ChevronDown } else { Icon::ChevronRight };
    icon.paint(ui.painter(), Rect::from_center_size(area.center(), vec2(11.0, 11.0)), color);
    let all = ui.input(|i| i.modifiers.alt);
    response.clicked().then_some(if all { Triangle::ToggledAll } else { Triangle::Toggled })
}
