//! What the columns of the tree are, and how its cells are painted.

use std::borrow::Cow;

use egui::{Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::super::shared::copy::Value;
use super::super::shared::grid::Column;
use super::super::shared::{self, path_cell, weak_cell};
use super::Mode;
use super::list::{Line, List};
use crate::analysis::gaps::Gap;
use crate::analysis::path::Symbol;
use crate::analysis::tree_rows::{Order, Sort};
use crate::format::{self, UNKNOWN};
use crate::model::{Profile, Unit};
use crate::state::Relative;
use crate::ui::hatch;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, regular, small};
use crate::ui::widgets::{Cell, SortOrder, cell_text, share_bar};
use crate::views::ViewCx;

/// Width of one level.
const STEP: f32 = 14.0;

/// Number formats and what shares are a share of.
pub struct Formats {
    /// Costs.
    pub cost: format::Column,
    sum: i64,
    relative: Relative,
    pub(super) unit: Unit,
    /// Calls and samples were counted.
    counted: (bool, bool),
    /// True when any function has a file.
    places: bool,
}

impl Formats {
    /// Formats for a list.
    pub fn new(cx: &ViewCx<'_>, list: &List, places: bool) -> Self {
        let unit = shared::unit(cx.profile(), cx.interaction);
        let costs = list.costs();
        Self {
            cost: shared::cost_column(unit, costs.sum),
            sum: costs.sum,
            relative: cx.interaction.relative,
            unit,
            counted: (!costs.calls.is_empty(), !costs.samples.is_empty()),
            places,
        }
    }

    fn share(&self, cost: i64, line: &Line) -> Option<f64> {
        match self.relative {
            Relative::Parent => format::share_of_parent(cost, line.above),
            _ => format::share(cost, self.sum),
        }
    }

    fn share_text(&self, cost: i64, line: &Line) -> String {
        format::share_text(self.share(cost, line))
    }

    /// A cell as text.
    pub fn value(&self, profile: &Profile, line: &Line, column: &str) -> Value {
        let cost = |cost: Option<i64>| {
            let text = cost.map_or_else(String::new, |_| {
                format!("{}{}", format::at_least(line.unfinished), self.cost.text(cost))
            });
            Value::number(text, cost)
        };
        let share = |cost: Option<i64>| {
            let text = cost.map_or_else(String::new, |c| self.share_text(c, line));
            Value::number(text, cost.and_then(|c| self.share(c, line)).map(|s| s * 100.0))
        };
        match column {
            "total" => cost(Some(line.total)),
            "total share" => share(Some(line.total)),
            "self" => cost(line.own),
            "self share" => share(line.own),
            "count" => Value::number(
                line.count.map_or_else(|| UNKNOWN.into(), |n| format::count(n as i64)),
                line.count,
            ),
            "function" => {
                let indent = "  ".repeat((line.depth as usize).min(200));
                let name = label(profile, line);
                Value { text: format!("{indent}{name}"), exact: name.into_owned() }
            }
            _ => Value::text(place(profile, line)),
        }
    }

    /// Paints a cell other than the function's.
    pub fn paint(&self, ui: &mut Ui, profile: &Profile, line: &Line, column: &str, palette: &Palette) {
        let number = Cell::number(palette);
        let cost = |ui: &mut Ui, cost: Option<i64>| {
            let color = if cost.unwrap_or(0) == 0 { palette.text_weak } else { palette.text };
            let text = cost.map_or_else(String::new, |_| {
                format!("{}{}", format::at_least(line.unfinished), self.cost.number(cost))
            });
            cell_text(ui, &text, &Cell { color, ..number.clone() });
        };
        match column {
            "total" => cost(ui, Some(line.total)),
            "self" => cost(ui, line.own),
            "total share" => {
                share_bar(ui, self.share(line.total, line), &self.share_text(line.total, line), &number);
            }
            "self share" => {
                let text = line.own.map_or_else(String::new, |own| self.share_text(own, line));
                share_bar(ui, line.own.and_then(|own| self.share(own, line)), &text, &number);
            }
            "count" => {
                cell_text(ui, &self.value(profile, line, column).text, &number);
            }
            _ => {
                path_cell(ui, &place(profile, line), &weak_cell(palette));
            }
        }
    }
}

/// What stands in the row.
pub fn label<'a>(profile: &'a Profile, line: &Line) -> Cow<'a, str> {
    line.gap.map_or_else(|| line.symbol.label(profile), |gap| gap.label().into())
}

fn place(profile: &Profile, line: &Line) -> String {
    match line.symbol {
        _ if line.gap.is_some() => String::new(),
        Symbol::Function(f) => shared::place(profile, f),
        Symbol::Module(..) | Symbol::Hidden { .. } => String::new(),
    }
}

/// What a click on a column's header sorts siblings by.
pub fn order_of(column: &str) -> Option<Order> {
    Some(match column {
        "total" | "total share" => Order::Total,
        "self" | "self share" => Order::Own,
        "count" => Order::Count,
        "function" => Order::Name,
        _ => return None,
    })
}

/// The columns, in order.
pub fn columns(cx: &ViewCx<'_>, mode: Mode, formats: &Formats, sort: Sort) -> Vec<Column> {
    let what = shared::metric_name(cx.profile(), cx.interaction);
    let whole = match formats.relative {
        Relative::Parent => format!(
            "the total {what} of the row above it in the tree; of a root as a share of the whole {what}"
        ),
        _ => format!("the whole {what}, {}", format::cost(formats.unit, formats.sum)),
    };
    let (total_share, own_share) = match formats.relative {
        Relative::Parent => ("Total % of parent", "Self % of parent"),
        _ => ("Total %", "Self %"),
    };
    let wide = if formats.relative == Relative::Parent { 132.0 } else { 82.0 };
    let titled = |title: &str| match formats.cost.suffix() {
        "" => title.to_owned(),
        suffix => format!("{title} ({suffix})"),
    };
    let mut columns = match mode {
        Mode::TopDown => vec![
            Column::number("total", titled("Total"), 92.0)
                .tip(format!("Total {what}: of this call path and all paths below it")),
            Column::number("total share", total_share, wide)
                .rank(2)
                .tip(format!("Total {what} as a share of {whole}")),
            Column::number("self", titled("Self"), 86.0)
                .rank(3)
                .tip(format!("Self {what}: spent in the function itself on exactly this path")),
            Column::number("self share", own_share, wide)
                .rank(5)
                .tip(format!("Self {what} as a share of {whole}")),
        ],
        Mode::BottomUp => vec![
            Column::number("total", titled("Self"), 92.0).tip(format!(
                "Self {what} of the outermost row's function, as far as it was called by this path"
            )),
            Column::number("total share", own_share, wide)
                .rank(2)
                .tip(format!("This self {what} as a share of {whole}")),
        ],
    };
    if formats.relative == Relative::Numbers {
        columns.retain(|c| !c.key.ends_with("share"));
    }
    let (count, tip, width) = match (formats.counted, mode) {
        ((true, true), _) => {
            ("Calls or samples", "Calls on this path, or samples of what was seen by samples only", 124.0)
        }
        ((_, true), Mode::TopDown) => ("Samples", "Samples at this path and below it", 78.0),
        ((_, true), Mode::BottomUp) => {
            ("Samples", "Samples that ended in the outermost row's function on this path", 78.0)
        }
        _ => ("Calls", "Calls on this path", 78.0),
    };
    columns.push(Column::number("count", count, width).rank(4).tip(tip));
    columns.push(Column::text("function", "Function", 190.0).grow(1.0));
    if formats.places {
        let tip = "Where the function is defined, as the file says";
        columns.push(Column::text("place", "File:line", 150.0).grow(0.35).rank(6).tip(tip));
    }
    for column in &mut columns {
        let sorted = order_of(column.key).filter(|o| *o == sort.by && !column.key.ends_with("share"));
        if sorted.is_some() {
            let up = (sort.by == Order::Name) != sort.reverse;
            column.sort = Some(if up { SortOrder::Ascending } else { SortOrder::Descending });
        }
    }
    columns
}

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
    /// True when the search finds it.
    pub matches: bool,
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
    if line.matches {
        let width = ui.painter().layout_no_wrap(label.to_string(), regular(13.0), palette.text).size().x;
        let behind = Rect::from_min_size(name.min + vec2(-3.0, 3.0), vec2(width + 6.0, name.height() - 6.0));
        ui.painter().rect_filled(behind.intersect(name.expand(3.0)), 3.0, palette.highlight);
    }
    let color = if line.gap.is_some() { palette.text_weak } else { palette.text_strong };
    let cell = Cell { color, ..Cell::text(palette) };
    // The cell pads its text itself.
    let place = Rect::from_min_max(name.min - vec2(8.0, 0.0), name.max);
    ui.scope_builder(egui::UiBuilder::new().max_rect(place), |ui| cell_text(ui, label, &cell));
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
