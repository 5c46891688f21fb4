//! The treemap: areas are self costs, nested by calls or by module and file.
//!
//! A click selects, a double-click looks into a box, Backspace and the breadcrumbs lead out again. What it is
//! zoomed to is kept as a path of keys, so it survives another metric or time range, and a run that grows.

mod compare;
mod paint;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use egui::{Key, Modifiers, Rect, Response, Role, Sense, Ui, WidgetInfo};

use self::paint::Picture;
use super::shared::{self, menu};
use crate::analysis::treemap::{BoxName, BoxTree, Boxes, Nesting, What};
use crate::format;
use crate::model::{FunctionId, Profile, SymbolKey};
use crate::state::{Item, Relative};
use crate::ui::icons::Icon;
use crate::ui::keyboard;
use crate::ui::text::TextCache;
use crate::ui::theme::Palette;
use crate::ui::widgets::{link_button, segmented};
use crate::views::shared::squarified::{Cell, hit, layout, without_own};
use crate::views::{Comparing, View, ViewCx, ViewKind};

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "treemap",
    title: "Treemap",
    about: "Boxes whose areas are self costs, nested by calls or by module and file: what is large at a glance.",
    needs: shared::needs_calls,
    make: || Box::new(TreemapView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffTreemap::default())),
};

/// The view.
#[derive(Default)]
pub struct TreemapView {
    nesting: Nesting,
    /// What it is zoomed to.
    zoom: Vec<BoxName>,
    /// The function of a map of callees or callers.
    around: Option<SymbolKey>,
    laid: Option<Laid>,
    /// Texts of the tree that is laid out.
    texts: TextCache,
}

/// The last layout and what it was made of.
struct Laid {
    of: Arc<BoxTree>,
    root: u32,
    area: Rect,
    cells: Vec<Cell>,
    picture: Option<Picture>,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    nesting: Nesting,
}

impl View for TreemapView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        if let Some(symbol) = cx.symbol_elsewhere()
            && self.around != Some(symbol)
        {
            self.around = Some(symbol);
            if self.nesting.is_around_a_function() {
                self.zoom.clear();
            }
        }
        let there = |f: &SymbolKey| cx.profile().keys().function(*f).is_some();
        if self.nesting.is_around_a_function() && self.around.filter(there).is_none() {
            let Some(function) = shared::most_expensive(cx, ui) else { return };
            self.around = Some(cx.profile().keys().symbol(function));
        }
        let around = self.around.filter(|_| self.nesting.is_around_a_function());
        let Some(tree) = cx
            .ask(&Boxes { slice: cx.slice(), nesting: self.nesting, around }, 0)
            .content(ui, "Adding up boxes")
        else {
            return;
        };
        let root = tree.find(&self.zoom, cx.profile());
        self.header(cx, ui, &tree, root);
        shared::note_basis(cx, &tree.basis, &shared::lost(&tree.lost));
        if tree.boxes[0].total <= 0 {
            shared::nothing(cx, ui, Icon::Info);
            return;
        }
        self.map(cx, ui, &tree, root);
    }

    fn save(&self) -> serde_json::Value {
        serde_json::to_value(Saved { nesting: self.nesting }).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            self.nesting = saved.nesting;
        }
    }
}

impl TreemapView {
    /// The nesting, and where the map is zoomed to.
    fn header(&mut self, cx: &ViewCx<'_>, ui: &mut Ui, tree: &BoxTree, root: u32) {
        let palette = Palette::of(ui);
        let unit = shared::unit(cx.profile(), cx.interaction);
        let mut keep = None;
        shared::header(ui, |ui| {
            let choices = [
                (Nesting::Calls, "By calls"),
                (Nesting::Files, "By module and file"),
                (Nesting::Callees, "Callees"),
                (Nesting::Callers, "Callers"),
            ];
            if segmented(ui, "How boxes nest", &mut self.nesting, &choices).changed() {
                keep = Some(0);
            }
            let path = tree.path(root);
            if !path.is_empty()
                && link_button(ui, "Everything").on_hover_text("Zoom out to everything").clicked()
            {
                keep = Some(0);
            }
            for (i, &at) in path.iter().enumerate() {
                // A long way is told by its ends.
                if path.len() > 5 && (1..path.len() - 3).contains(&i) {
                    if i == 1 {
                        ui.colored_label(palette.text_weak, "› …");
                    }
                    continue;
                }
                ui.colored_label(palette.text_weak, "›");
                let name = format::beginning(&tree.boxes[at as usize].what.label(cx.profile()), 32);
                if i + 1 == path.len() {
                    ui.colored_label(palette.text_strong, name);
                } else if link_button(ui, &name).on_hover_text("Zoom out to here").clicked() {
                    keep = Some(i + 1);
                }
            }
            let shown = tree.boxes[root as usize].total;
            let what = shared::metric_name(cx.profile(), cx.interaction);
            let mut text = match tree.cost_of {
                Some(f) => {
                    let name = format::beginning(cx.profile().function_name(f), 32);
                    format!("Area: {what} of {name} under each caller, {} shown", format::cost(unit, shown))
                }
                // With what no function has as its own, which is hatched.
                None if !tree.whole.is_one() => format!("Area: {what}, {} shown", format::cost(unit, shown)),
                None => format!("Area: self {what}, {} shown", format::cost(unit, shown)),
            };
            if let Some(share) = tree.whole.total_share(shown).filter(|_| root != 0) {
                let share = format::percent(share);
                text += &format!(" ({share} of {})", format::cost(unit, tree.whole.total));
            }
            if tree.below_zero < 0 {
                text += &format!("; costs below 0 ({}) have no area", format::cost(unit, tree.below_zero));
            }
            text += match cx.interaction.relative {
                Relative::Numbers => "",
                Relative::Total => "; shares are of the sum of all",
                Relative::Parent => "; shares are of the box around",
            };
            let label = egui::Label::new(egui::RichText::new(&text).color(palette.text_weak));
            ui.add(label.truncate()).on_hover_text(text);
        });
        if let Some(keep) = keep {
            self.zoom.truncate(keep);
        }
    }

    fn map(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, tree: &Arc<BoxTree>, root: u32) {
        let area = ui.available_rect_before_wrap();
        let response = ui.allocate_rect(area, Sense::click());
        let known = |l: &Laid| Arc::ptr_eq(&l.of, tree) && l.root == root && l.area == area;
        if !self.laid.as_ref().is_some_and(known) {
            if !self.laid.as_ref().is_some_and(|l| Arc::ptr_eq(&l.of, tree)) {
                self.texts = TextCache::default();
            }
            let cells = without_own(layout(&**tree, root, area));
            self.laid = Some(Laid { of: tree.clone(), root, area, cells, picture: None });
        }
        let Some(laid) = &mut self.laid else { return };
        let palette = Palette::of(ui);
        let picture = match laid.picture.take().filter(|p| p.fits(palette, cx)) {
            Some(picture) => picture,
            None => Picture::new(palette, cx, tree, &laid.cells),
        };
        laid.picture = Some(picture);
        let Some(Laid { cells, picture: Some(picture), .. }) = &self.laid else { return };
        let largest =
            cells.iter().filter(|c| !c.holds).max_by(|a, b| a.rect.area().total_cmp(&b.rect.area()));
        let name = largest.map_or("nothing".into(), |c| tree.boxes[c.last as usize].what.label(cx.profile()));
        response.widget_info(|| {
            WidgetInfo::labeled(
                Role::Image,
                true,
                format!("Treemap of {} boxes, the largest is {name}", cells.len()),
            )
        });
        let pointed = response.hover_pos().and_then(|at| hit(cells, at));
        let selected = self.selected_cell(cx, tree, cells);
        let painter = ui.painter().with_clip_rect(area);
        picture.paint(cx, &painter, &mut self.texts, tree, cells, (pointed, selected));
        if let Some(cell) = pointed {
            let cell = cells[cell];
            if let Some(item) = self.item(tree, cell.last, cx.profile()) {
                cx.out.hover = Some(item);
            }
            let text = paint::tooltip(cx, tree, root, &cell);
            response.clone().on_hover_ui_at_pointer(|ui| {
                ui.label(text);
            });
        }
        self.input(cx, ui, &response, tree, root, (pointed, selected));
    }

    fn input(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        response: &Response,
        tree: &BoxTree,
        root: u32,
        (pointed, selected): (Option<usize>, Option<usize>),
    ) {
        let cell = |laid: &Option<Laid>, i: usize| laid.as_ref().and_then(|l| l.cells.get(i)).copied();
        if response.clicked() || response.secondary_clicked() {
            response.request_focus();
            if let Some(item) = pointed.and_then(|i| self.item(tree, cell(&self.laid, i)?.last, cx.profile()))
            {
                cx.select(Some(item));
            }
        }
        if response.double_clicked()
            && let Some(cell) = pointed.and_then(|i| cell(&self.laid, i))
        {
            let gap = match tree.boxes[cell.last as usize].what {
                What::Gap(gap) => Some(gap),
                _ => None,
            };
            if !gap.is_some_and(|gap| shared::go_to_gap(cx, gap, &path_of(tree, cell.last))) {
                self.zoom_to(tree, into(tree, cell), cx.profile());
            }
        }
        let about = selected.and_then(|i| cell(&self.laid, i)).map(|c| c.last);
        let function = about.and_then(|at| tree.boxes[at as usize].what.function());
        let path = about.map(|at| path_of(tree, at)).unwrap_or_default();
        let with_path = (self.nesting == Nesting::Calls).then_some(&path[..]);
        response.context_menu(|ui| {
            let context = match function {
                Some(function) => menu::ContextMenu::about(menu::About { function, path: with_path }),
                None => menu::ContextMenu::new(),
            };
            context.show(cx, ui, |_, _| ());
        });
        if !response.has_focus() {
            return;
        }
        keyboard::hold(ui, response, false);
        let pressed = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
        if pressed(Key::Backspace) {
            let out = tree.boxes[root as usize].parent;
            self.zoom_to(tree, out, cx.profile());
        }
        let at = about.unwrap_or(root);
        if pressed(Key::Enter)
            && let Some(cell) = selected.and_then(|i| cell(&self.laid, i))
        {
            self.zoom_to(tree, into(tree, cell), cx.profile());
        }
        if let Some(to) = step(tree, root, at, &pressed)
            && let Some(item) = self.item(tree, to, cx.profile())
        {
            cx.select(Some(item));
        }
        if let Some(function) = function {
            menu::keys(cx, menu::About { function, path: with_path }, ui);
        }
    }

    fn zoom_to(&mut self, tree: &BoxTree, at: u32, profile: &Profile) {
        self.zoom = tree.path(at).iter().map(|&n| tree.boxes[n as usize].what.name(profile)).collect();
    }

    /// What a click on a box selects.
    fn item(&self, tree: &BoxTree, at: u32, profile: &Profile) -> Option<Item> {
        let function = tree.boxes[at as usize].what.function()?;
        Some(match self.nesting {
            Nesting::Calls => Item::of_path(&path_of(tree, at), profile),
            // Their paths begin at the function, or lead up from it.
            Nesting::Files | Nesting::Callees | Nesting::Callers => Item::of_function(function, profile),
        })
    }

    /// The box of what is selected: of a function the largest one.
    fn selected_cell(&self, cx: &ViewCx<'_>, tree: &BoxTree, cells: &[Cell]) -> Option<usize> {
        let selection = cx.interaction.selection.as_ref()?;
        let function = selection.function(cx.profile())?;
        let path = selection.path(cx.profile()).filter(|_| self.nesting == Nesting::Calls);
        let fits = |c: &&(usize, &Cell)| {
            let on_chain = |at: u32| tree.boxes[at as usize].what.function() == Some(function);
            let mut at = c.1.last;
            loop {
                if on_chain(at) && path.as_ref().is_none_or(|p| *p == path_of(tree, at)) {
                    return true;
                }
                if at == c.1.first {
                    return false;
                }
                at = tree.boxes[at as usize].parent;
            }
        };
        let cells: Vec<(usize, &Cell)> = cells.iter().enumerate().collect();
        let found = cells.iter().filter(fits);
        found.max_by(|a, b| a.1.rect.area().total_cmp(&b.1.rect.area())).map(|c| c.0)
    }
}

/// What a double-click on a box zooms to: itself, or what is around it when it holds nothing.
fn into(tree: &BoxTree, cell: Cell) -> u32 {
    let holds = tree.children(cell.last).next().is_some();
    if holds { cell.last } else { tree.boxes[cell.first as usize].parent }
}

/// Functions from the root to a box.
fn path_of(tree: &BoxTree, at: u32) -> Vec<FunctionId> {
    tree.path(at).iter().filter_map(|&n| tree.boxes[n as usize].what.function()).collect()
}

/// Where an arrow key leads: down to the largest box inside, up to the one around, to larger and smaller
/// neighbours.
fn step(tree: &BoxTree, root: u32, at: u32, pressed: &dyn Fn(Key) -> bool) -> Option<u32> {
    let parent = tree.boxes[at as usize].parent;
    if pressed(Key::ArrowDown) {
        return tree.children(at).next();
    }
    if pressed(Key::ArrowUp) {
        return (at != root && parent != root).then_some(parent);
    }
    if at == root {
        return None;
    }
    if pressed(Key::ArrowRight) {
        let next = tree.boxes[at as usize].end;
        return (next < tree.boxes[parent as usize].end).then_some(next);
    }
    if pressed(Key::ArrowLeft) {
        return tree.children(parent).take_while(|&n| n < at).last();
    }
    None
}
