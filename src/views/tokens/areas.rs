//! What prompts are made of, as areas: what requests have in common, its components, and of each what stays the same and what changes.

use egui::{Align, Color32, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2};

use super::prompts::{about, color};
use crate::analysis::component_groups::ComponentGroup;
use crate::analysis::components::{Component, ComponentSum, Components};
use crate::format;
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, mix, small, space};
use crate::ui::widgets::focus_ring;
use crate::views::ViewCx;
use crate::views::parts::{remark, text_in};
use crate::views::shared::requests::value_text;
use crate::views::shared::squarified::{Cell, HEADER, Nested, has_header, layout, without_own};

/// What a box stands for.
#[derive(Clone, Debug)]
enum What {
    /// Everything.
    All,
    /// Requests that have something in common.
    Group(String),
    /// A component of their prompts.
    Part(ComponentSum),
    /// What of it an earlier prompt has, too.
    Same(ComponentSum),
    /// What of it is new.
    New(ComponentSum),
}

impl What {
    fn sum(&self) -> Option<&ComponentSum> {
        match self {
            Self::All | Self::Group(_) => None,
            Self::Part(sum) | Self::Same(sum) | Self::New(sum) => Some(sum),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::All => "",
            Self::Group(name) => name,
            Self::Part(sum) => sum.component.name(),
            Self::Same(_) => "as before",
            Self::New(_) => "new",
        }
    }
}

/// A box.
struct Box {
    what: What,
    parent: u32,
    total: f64,
    children: Vec<u32>,
}

/// Boxes in boxes.
struct Boxes(Vec<Box>);

impl Boxes {
    fn of(groups: &[ComponentGroup]) -> Self {
        let mut out = Self(vec![Box { what: What::All, parent: 0, total: 0.0, children: Vec::new() }]);
        for group in groups {
            let parent = match groups {
                [_] => 0,
                _ => out.add(0, What::Group(value_text(&group.name, 60)), group.total()),
            };
            let mut sums: Vec<&ComponentSum> = group.sums.iter().collect();
            sums.sort_by(|a, b| b.tokens.total_cmp(&a.tokens));
            for sum in sums {
                let part = out.add(parent, What::Part(*sum), sum.tokens);
                // Nothing of an answer is sent again.
                if sum.component == Component::Output {
                    continue;
                }
                let new = (sum.tokens - sum.fixed).max(0.0);
                let mut halves = [(What::Same(*sum), sum.fixed), (What::New(*sum), new)];
                halves.sort_by(|a, b| b.1.total_cmp(&a.1));
                for (what, total) in halves {
                    out.add(part, what, total);
                }
            }
        }
        out.0[0].total = out.0[0].children.iter().map(|&c| out.0[c as usize].total).sum();
        out
    }

    fn add(&mut self, parent: u32, what: What, total: f64) -> u32 {
        let at = self.0.len() as u32;
        self.0.push(Box { what, parent, total, children: Vec::new() });
        self.0[parent as usize].children.push(at);
        at
    }

    /// Names from the outermost box to this one.
    fn path(&self, at: u32) -> String {
        let up = |&at: &u32| Some(self.0[at as usize].parent).filter(|&p| p != 0);
        let mut names: Vec<&str> =
            std::iter::successors(Some(at), up).map(|at| self.0[at as usize].what.name()).collect();
        names.reverse();
        names.join(" › ")
    }
}

impl Nested for Boxes {
    fn children(&self, at: u32) -> impl Iterator<Item = u32> {
        self.0[at as usize].children.iter().copied()
    }

    fn total(&self, at: u32) -> f64 {
        self.0[at as usize].total
    }

    fn own(&self, at: u32) -> f64 {
        let of = &self.0[at as usize];
        if of.children.is_empty() { of.total } else { 0.0 }
    }
}

/// The areas. A click selects the request with most of what it is on.
pub(super) fn show(
    cx: &mut ViewCx<'_>,
    ui: &mut Ui,
    found: &Components,
    groups: &[ComponentGroup],
    height: f32,
) {
    let palette = Palette::of(ui);
    let boxes = Boxes::of(groups);
    let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let whole = boxes.total(0).max(1.0);
    for (n, cell) in without_own(layout(&boxes, 0, area)).iter().enumerate() {
        let of = &boxes.0[cell.last as usize];
        ui.painter().rect(
            cell.rect.shrink(0.5),
            space::RADIUS_SMALL,
            fill(palette, &boxes, cell),
            Stroke::new(1.0, palette.canvas),
            StrokeKind::Inside,
        );
        label(ui, palette, &boxes, cell);
        if cell.holds {
            continue;
        }
        let sum = of.what.sum();
        let component = sum.map_or(Component::Undivided, |s| s.component);
        let share = format::percent(of.total / whole);
        let tokens = about(found, component, of.total);
        let text = format!("{}: {tokens} tokens, {share}", boxes.path(cell.last));
        let response = ui.interact(cell.rect, ui.scope_id().with(("area", n)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, &text));
        if response.hovered() {
            let line = Stroke::new(1.5, palette.text_strong);
            ui.painter().rect_stroke(cell.rect.shrink(1.0), space::RADIUS_SMALL, line, StrokeKind::Inside);
        }
        focus_ring(ui, &response, cell.rect);
        let item = sum.map(|sum| Item::of_request(sum.largest, cx.profile()));
        if response.hovered() {
            cx.out.hover.clone_from(&item);
        }
        if response.clicked() && item.is_some() {
            cx.send(Command::Select(item));
        }
        response.on_hover_text(text);
    }
    remark(
        ui,
        "Full colours stand for what an earlier prompt to the same model begins with, too, pale ones for what is new. A click selects \
         the request with most of it.",
    );
}

fn fill(palette: &Palette, boxes: &Boxes, cell: &Cell) -> Color32 {
    let what = &boxes.0[cell.last as usize].what;
    match (what, cell.holds) {
        (What::All | What::Group(_), _) => palette.raised,
        (What::Part(sum), true) => mix(palette.canvas, color(palette, sum.component), 0.25),
        (What::New(sum), _) => mix(palette.canvas, color(palette, sum.component), 0.5),
        (What::Part(sum) | What::Same(sum), _) => color(palette, sum.component),
    }
}

fn label(ui: &Ui, palette: &Palette, boxes: &Boxes, cell: &Cell) {
    let room = cell.rect.shrink2(vec2(5.0, 2.0));
    if cell.holds && !has_header(cell.rect) || room.width() < 34.0 || room.height() < 12.0 {
        return;
    }
    let line = if cell.holds { room.with_max_y(room.top() + HEADER - 3.0) } else { room };
    let ink = palette.text_on(fill(palette, boxes, cell));
    // A chain of boxes of one size has the names of all.
    let above = boxes.0[cell.first as usize].parent;
    let path = boxes.path(cell.last);
    let before = if above == 0 { String::new() } else { format!("{} › ", boxes.path(above)) };
    let text = path.strip_prefix(&before).unwrap_or(&path);
    text_in(ui.painter(), Rect::from_min_max(line.min, line.max), text, small(), ink, Align::Min);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RequestId;

    #[test]
    fn areas_add_up_to_the_tokens_and_a_single_group_is_no_box() {
        let sum = |component, tokens, fixed| ComponentSum {
            component,
            tokens,
            fixed,
            cost: None,
            requests: 2,
            largest: RequestId(0),
        };
        let group = |name: &str| ComponentGroup {
            name: name.into(),
            sums: vec![
                sum(Component::System, 60.0, 45.0),
                sum(Component::Query, 40.0, 0.0),
                sum(Component::Output, 20.0, 0.0),
            ],
        };
        let one = Boxes::of(&[group("m")]);
        assert_eq!(one.total(0), 120.0);
        let names: Vec<String> = (1..one.0.len() as u32).map(|at| one.path(at)).collect();
        assert_eq!(
            names,
            [
                "system prompt",
                "system prompt › as before",
                "system prompt › new",
                "user query",
                "user query › new",
                "user query › as before",
                "output",
            ]
        );
        let two = Boxes::of(&[group("a"), group("b")]);
        assert_eq!(
            (two.total(0), two.children(0).count(), two.path(2)),
            (240.0, 2, "a › system prompt".to_owned())
        );
    }
}
