//! Two runs as one treemap: areas are what call paths cost in both together, colours how much of that changed.

use std::sync::Arc;

use egui::{Mesh, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use crate::analysis::diff::normalise::Factors;
use crate::analysis::diff::paths::{DiffPaths, PathDiff};
use crate::analysis::diff::tree::name;
use crate::analysis::diff::{Compared, State, Two};
use crate::analysis::search::Pattern;
use crate::model::lists::Lists;
use crate::model::{Better, SymbolKey};
use crate::query::Pair;
use crate::state::Item;
use crate::ui::hatch;
use crate::ui::icons::Icon;
use crate::ui::text::{Face, LabelStyle, TextCache, TextKey};
use crate::ui::theme::{Palette, mix};
use crate::ui::widgets::link_button;
use crate::views::shared;
use crate::views::shared::changed;
use crate::views::shared::menu::{About, ContextMenu};
use crate::views::shared::pair::{self, Asked, Told};
use crate::views::shared::squarified::{Cell, HEADER, Nested, has_header, hit, layout};
use crate::views::{View, ViewCx};

/// A name needs this much room.
const LABEL: (f32, f32) = (34.0, 14.0);

/// The view.
#[derive(Default)]
pub struct DiffTreemap {
    laid: Option<Laid>,
    texts: TextCache,
    /// What it is zoomed to: a box of the paths that it was chosen in.
    zoom: Option<(Arc<PathDiff>, u32)>,
    menu_at: Option<u32>,
}

/// The last layout and what it was made of.
struct Laid {
    of: Arc<PathDiff>,
    factors: Factors,
    root: u32,
    area: Rect,
    boxes: Arc<DiffBoxes>,
    cells: Vec<Cell>,
    /// Cells with room for a name.
    named: Vec<u32>,
    /// The ground of all cells, and what it was coloured for: tens of thousands of them cost more than a frame has.
    ground: Option<(Shade, Arc<Mesh>)>,
}

/// What colours of cells depend on.
#[derive(Clone, PartialEq)]
struct Shade {
    dark: bool,
    search: String,
    better: Better,
}

/// Call paths of both runs as boxes: 0 is everything, the others are nodes by their number + 1.
struct DiffBoxes {
    own: Vec<f64>,
    total: Vec<f64>,
    children: Lists<u32>,
}

impl Nested for DiffBoxes {
    fn children(&self, at: u32) -> impl Iterator<Item = u32> {
        self.children.of(at as usize).iter().copied()
    }

    fn total(&self, at: u32) -> f64 {
        self.total[at as usize]
    }

    fn own(&self, at: u32) -> f64 {
        self.own[at as usize]
    }
}

impl DiffBoxes {
    fn of(paths: &PathDiff, factors: &Factors) -> Self {
        let n = paths.len();
        let size = |two: Two<i64>| {
            let two = factors.apply(two);
            two.base.unwrap_or(0.0).max(0.0) + two.head.unwrap_or(0.0).max(0.0)
        };
        let mut own: Vec<f64> = vec![0.0; n + 1];
        let parent = |i: usize| paths.parent(i as u32).map_or(0, |parent| parent + 1);
        for (own, node) in own[1..].iter_mut().zip(paths.nodes()) {
            *own = size(node.own());
        }
        let mut total = own.clone();
        for i in (0..n).rev() {
            total[parent(i) as usize] += total[i + 1];
        }
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_by(|&a, &b| total[b as usize + 1].total_cmp(&total[a as usize + 1]).then(a.cmp(&b)));
        let children = Lists::new(n + 1, order.iter().map(|&i| (parent(i as usize), i + 1)));
        Self { own, total, children }
    }
}

impl View for DiffTreemap {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        let Some(paths) =
            cx.ask_pair(&DiffPaths(asked.functions.clone()), 0).content(ui, "Comparing call paths")
        else {
            return;
        };
        let (related, not_related) = pair::related_paths(cx, &asked, true, 1);
        let root = self.zoom.as_ref().filter(|(of, _)| Arc::ptr_eq(of, &paths)).map_or(0, |z| z.1);
        let told = Told { asked: &asked, related: &related, whole: paths.whole };
        let shown = Shown { pair: &pair, told, paths: &paths, factors: &related.factors };
        self.header(cx, ui, &shown, root);
        pair::notices(cx, ui, &asked, &related, not_related.as_deref());
        pair::estimated(cx, &asked, &paths);
        self.map(cx, ui, &shown, root);
    }
}

/// What the map shows.
struct Shown<'a> {
    pair: &'a Pair,
    told: Told<'a>,
    paths: &'a Arc<PathDiff>,
    factors: &'a Factors,
}

impl Shown<'_> {
    fn name(&self, at: u32) -> String {
        match at.checked_sub(1) {
            None => "Everything".to_owned(),
            Some(node) => {
                let node = self.paths.node(node);
                name(&node, &self.pair.base.profile, &self.pair.head.profile).into_owned()
            }
        }
    }

    /// «main › run › loop» for a chain of calls; «run itself» for what it costs beside what it calls.
    fn names(&self, cell: &Cell) -> String {
        if cell.own {
            return format!("{} itself", self.name(cell.last));
        }
        let mut names = vec![self.name(cell.last)];
        let mut at = cell.last;
        while at != cell.first && names.len() < 6 {
            at = self.parent(at);
            names.push(self.name(at));
        }
        names.reverse();
        names.join(" › ")
    }

    fn parent(&self, at: u32) -> u32 {
        at.checked_sub(1).and_then(|node| self.paths.parent(node)).map_or(0, |parent| parent + 1)
    }

    /// Own and total costs as they were recorded.
    fn costs(&self, at: u32) -> (Two<i64>, Two<i64>) {
        match at.checked_sub(1) {
            None => (Two::default(), self.paths.sum),
            Some(node) => {
                let node = self.paths.node(node);
                (node.own(), node.total())
            }
        }
    }

    fn state(&self, at: u32) -> State {
        at.checked_sub(1).map_or(State::Both, |node| self.paths.node(node).state())
    }

    /// The node of a box; everything is none.
    fn node(&self, at: u32) -> Option<u32> {
        at.checked_sub(1)
    }

    fn item(&self, at: u32) -> Option<Item> {
        pair::path_item(self.pair, self.paths, self.node(at)?)
    }

    fn symbol(&self, at: u32) -> Option<SymbolKey> {
        pair::path_symbol(self.pair, &self.paths.node(self.node(at)?))
    }

    fn line(&self, what: &str, costs: Two<i64>, state: State) -> String {
        format!("{what} {}", self.told.line(costs, state))
    }
}

impl DiffTreemap {
    fn header(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, shown: &Shown<'_>, root: u32) {
        let mut to = None;
        shared::header(ui, |ui| {
            if root != 0 {
                if link_button(ui, "Everything").on_hover_text("Zoom out to everything").clicked() {
                    to = Some(0);
                }
                let mut way: Vec<u32> = std::iter::successors(Some(root), |&at| Some(shown.parent(at)))
                    .take_while(|&at| at != 0)
                    .collect();
                way.truncate(4);
                way.reverse();
                for at in way {
                    ui.colored_label(Palette::of(ui).text_weak, "›");
                    if link_button(ui, &shown.name(at)).clicked() {
                        to = Some(at);
                    }
                }
            }
            pair::normalise(cx, ui, shown.told.asked);
            changed::legend(ui);
            pair::weak(ui, "Area: self cost of base and head together. Colour: how much of it changed");
        });
        if let Some(at) = to {
            self.zoom = (at != 0).then(|| (shown.paths.clone(), at));
        }
    }

    fn map(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, shown: &Shown<'_>, root: u32) {
        let area = ui.available_rect_before_wrap();
        let response = ui.allocate_rect(area, Sense::click());
        let known = |l: &&Laid| {
            Arc::ptr_eq(&l.of, shown.paths) && l.root == root && l.area == area && l.factors == *shown.factors
        };
        if self.laid.as_ref().filter(known).is_none() {
            self.texts = TextCache::default();
            let boxes = Arc::new(DiffBoxes::of(shown.paths, shown.factors));
            let cells = layout(&*boxes, root, area);
            let named = (0u32..).zip(&cells).filter(|(_, cell)| has_name(cell)).map(|(i, _)| i).collect();
            let (of, factors) = (shown.paths.clone(), shown.factors.clone());
            self.laid = Some(Laid { of, factors, root, area, boxes, cells, named, ground: None });
        }
        let Some(laid) = &mut self.laid else { return };
        if laid.boxes.total(0) <= 0.0 {
            shared::nothing(cx, ui, Icon::Info);
            return;
        }
        response.widget_info(|| {
            WidgetInfo::labeled(
                Role::Image,
                true,
                format!("Treemap of both runs, {} boxes", laid.cells.len()),
            )
        });
        let pointed = response.hover_pos().and_then(|at| hit(&laid.cells, at)).map(|i| laid.cells[i]);
        let laid = paint(cx, ui, shown, laid, &mut self.texts, (area, pointed));
        if let Some(cell) = pointed {
            cx.out.hover = shown.item(cell.last);
            let (own, total) = shown.costs(cell.last);
            let state = shown.state(cell.last);
            let text = format!(
                "{}\n{}\nSelf {}",
                shown.names(&cell),
                shown.line("Total", total, state),
                shown.told.of_self().line(own, state)
            );
            response.clone().on_hover_text_at_pointer(text);
        }
        if response.clicked() {
            response.request_focus();
            if let Some(item) = pointed.and_then(|cell| shown.item(cell.last)) {
                cx.select(Some(item));
            }
        }
        let holds = |at: u32| laid.boxes.children(at).next().is_some();
        let mut zoom = None;
        if response.double_clicked()
            && let Some(cell) = pointed
        {
            zoom = Some(if holds(cell.last) { cell.last } else { shown.parent(cell.first) });
        }
        if response.has_focus() {
            crate::ui::keyboard::hold(ui, &response, false);
            if ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Backspace)) {
                zoom = Some(shown.parent(root));
            }
            ui.painter().rect_stroke(area, 0.0, Stroke::new(1.5, Palette::of(ui).accent), StrokeKind::Inside);
        }
        if let Some(at) = zoom {
            self.zoom = (at != 0).then(|| (shown.paths.clone(), at));
        }
        if response.secondary_clicked() {
            self.menu_at = pointed.map(|cell| cell.last);
        }
        if let Some((path, base)) = self.menu_at.and_then(|at| Some(shown.paths.functions(shown.node(at)?)))
            && let Some(&function) = path.last()
        {
            let subject = shown.pair.one(base);
            response.context_menu(|ui| {
                let mut side = cx.side(&subject, base);
                ContextMenu::about(About { function, path: Some(&path) }).without_keys().show(
                    &mut side,
                    ui,
                    |_, _| (),
                );
            });
        }
    }
}

fn has_name(cell: &Cell) -> bool {
    let rect = cell.rect;
    if cell.holds { has_header(rect) } else { rect.width() >= LABEL.0 && rect.height() >= LABEL.1 }
}

fn paint<'a>(
    cx: &ViewCx<'_>,
    ui: &Ui,
    shown: &Shown<'_>,
    laid: &'a mut Laid,
    texts: &mut TextCache,
    (area, pointed): (Rect, Option<Cell>),
) -> &'a Laid {
    let palette = Palette::of(ui);
    let painter = ui.painter().with_clip_rect(area);
    painter.rect_filled(area, 0.0, palette.canvas);
    let better = shown.told.asked.better(shown.pair);
    let found = Pattern::new(&cx.interaction.search)
        .map(|p| [p.functions(&shown.pair.base.profile), p.functions(&shown.pair.head.profile)]);
    let is_found = |at: u32| {
        let Some([base, head]) = &found else { return true };
        let Some(node) = at.checked_sub(1) else { return false };
        let halves = shown.paths.node(node).halves;
        halves.base.is_some_and(|h| base[h.symbol.function().index()])
            || halves.head.is_some_and(|h| head[h.symbol.function().index()])
    };
    let fill = |cell: &Cell| {
        let (own, total) = shown.costs(cell.last);
        let costs = shown.factors.apply(if cell.holds { total } else { own });
        let full = changed::fill(palette, costs, shown.state(cell.last), better);
        match (cell.holds, is_found(cell.last)) {
            (true, _) => mix(palette.canvas, full, 0.35),
            (false, true) => full,
            (false, false) => palette.dimmed(full),
        }
    };
    let shade = Shade { dark: palette.dark, search: cx.interaction.search.clone(), better };
    let ground = match laid.ground.take().filter(|(made_for, _)| *made_for == shade) {
        Some((_, ground)) => ground,
        None => {
            let mut mesh = Mesh::default();
            for cell in &laid.cells {
                let gap = if cell.rect.width().min(cell.rect.height()) >= 6.0 { 0.5 } else { 0.25 };
                if cell.holds {
                    mesh.add_colored_rect(cell.rect, palette.canvas);
                }
                mesh.add_colored_rect(cell.rect.shrink(gap), fill(cell));
            }
            // What is called by a path of one run only is of that run only, too: stripes go once over all of it. A box
            // each would be more triangles than a frame has time for.
            for cell in laid.cells.iter().filter(|cell| !cell.own) {
                let around = shown.parent(cell.first);
                let state = shown.state(cell.last);
                let begins = around == laid.root || shown.state(around) != state;
                if let Some(stripes) = changed::stripes(palette, state).filter(|_| begins) {
                    hatch::add(&mut mesh, cell.rect.shrink(0.5), stripes);
                }
            }
            Arc::new(mesh)
        }
    };
    painter.add(Shape::Mesh(ground.clone()));
    laid.ground = Some((shade, ground));
    let laid = &*laid;
    let mut texts = texts.begin(&painter);
    let selected = cx.interaction.selection.as_ref().and_then(Item::symbol);
    let hovered = cx.hover.and_then(Item::symbol);
    for cell in laid.named.iter().map(|&i| &laid.cells[i as usize]) {
        let rect = cell.rect;
        let (ground, state) = (fill(cell), shown.state(cell.last));
        let color = palette.text_on(ground);
        let (face, height) = if cell.holds { (Face::Strong, HEADER) } else { (Face::Regular, 15.0) };
        let top =
            if cell.holds { rect.top() } else { rect.top() + (rect.height() / 2.0 - 7.5).clamp(0.0, 2.0) };
        let line = Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), height));
        let style = LabelStyle { face, ..LabelStyle::new(12.0) };
        let key = TextKey::new(("name", cell.first, cell.last, cell.own));
        let text = texts.label(line, key, style, color, || shown.names(cell).into());
        painter.extend(changed::on_box(text, ground, state));
        if !cell.holds && rect.height() >= 36.0 {
            let key = TextKey::new(("change", cell.last));
            let change = || shown.told.change_of(shown.costs(cell.last).0, state).into();
            if let Some(galley) = texts.get(key, style, rect.width() - 8.0, change)
                && !galley.elided
            {
                let text = Shape::galley(pos2(rect.left() + 4.0, top + 15.0), galley, color);
                painter.extend(changed::on_box(Some(text), ground, state));
            }
        }
    }
    if selected.is_some() || hovered.is_some() || pointed.is_some() {
        for cell in laid.cells.iter().filter(|cell| !cell.own) {
            let symbol = || shown.symbol(cell.last);
            let width = match () {
                () if selected.is_some() && symbol() == selected => 2.0,
                () if Some(*cell) == pointed || hovered.is_some() && symbol() == hovered => 1.0,
                () => continue,
            };
            let stroke = Stroke::new(width, palette.text_strong);
            painter.rect_stroke(cell.rect, 1.0, stroke, StrokeKind::Inside);
        }
    }
    laid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::diff::normalise::Related;
    use crate::analysis::testing::{all_functions, pair};
    use crate::jobs::Job;
    use crate::query::Engine;

    #[test]
    fn r08_what_a_caller_costs_itself_has_a_box_of_its_own() {
        let pair = pair("app>encode 180; app>encode>pad 60", "app>encode 60; app>encode>pad 60");
        let question = DiffPaths(all_functions());
        let paths = Engine::inline().now(&pair, &question, &Job::new()).unwrap();
        let boxes = DiffBoxes::of(&paths, &Related::default().factors);
        let area = Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 300.0));
        let cells = layout(&boxes, 0, area);
        let own: Vec<&Cell> = cells.iter().filter(|cell| cell.own).collect();
        assert_eq!(own.len(), 1, "app itself costs nothing");
        assert!(own[0].rect.area() > 0.5 * area.area(), "240 of 360: {:?}", own[0].rect);
        let node = paths.node(own[0].last - 1);
        assert_eq!(node.own().delta(), Some(-120));
    }

    #[test]
    fn boxes_of_both_runs_add_up() {
        let pair = pair("app>a 10; app>b>c 2; app 3", "app>a 1; app>b>c 10; app 5; new 4");
        let question = DiffPaths(all_functions());
        let paths = Engine::inline().now(&pair, &question, &Job::new()).unwrap();
        let boxes = DiffBoxes::of(&paths, &Related::default().factors);
        assert_eq!(boxes.total(0), 35.0);
        for at in 0..boxes.total.len() as u32 {
            let inside: f64 = boxes.children(at).map(|child| boxes.total(child)).sum();
            assert!((boxes.own(at) + inside - boxes.total(at)).abs() < 1e-9);
            let sizes: Vec<f64> = boxes.children(at).map(|child| boxes.total(child)).collect();
            assert!(sizes.windows(2).all(|w| w[0] >= w[1]), "largest first");
        }
    }
}
