//! Two runs as flame charts: one picture of the difference, or both above each other on one scale.
//!
//! In the difference each call path is a box, also one that only the baseline took. Its width is what it costs in both runs
//! together, in the new one or in the baseline: sums, so that children stay inside their parents. The colour says how much of the
//! larger side changed, by total or by self cost; what only one run has is hatched too.

use std::sync::Arc;

use egui::{
    Color32, Id, Key, Mesh, Modifiers, PointerButton, Rangef, Rect, Response, Role, Sense, Shape, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2,
};

use super::camera::{Camera, Limits, Place};
use crate::analysis::diff::functions::FunctionDiff;
use crate::analysis::diff::normalise::Factors;
use crate::analysis::diff::paths::{DiffPaths, PathDiff, PathNode};
use crate::analysis::diff::tree::name;
use crate::analysis::diff::{Compared, State, Two};
use crate::analysis::search::Pattern;
use crate::format;
use crate::model::{Better, SymbolKey};
use crate::query::Pair;
use crate::state::{Command, Item};
use crate::ui::hatch;
use crate::ui::icons::Icon;
use crate::ui::keyboard;
use crate::ui::text::{LabelStyle, TextCache, TextKey};
use crate::ui::theme::{Palette, small, space};
use crate::ui::widgets::{combo, segmented};
use crate::views::bands::Bands;
use crate::views::boxes::layout::Port;
use crate::views::boxes::paint::paint_share_ruler;
use crate::views::shared::changed;
use crate::views::shared::menu::{self, ContextMenu};
use crate::views::shared::pair::{self, Asked, Told};
use crate::views::{Seen, View, ViewCx, shared};

const ROW: f32 = space::SPAN;
/// Boxes narrower than this are part of a grey strip.
const NARROW: f64 = 1.0;
/// Boxes that screen readers hear about, at most.
const MOST_NODES: usize = 2000;
/// Share of the width that a key moves by.
const KEY_PAN: f64 = 0.2;
/// How much closer a key goes.
const KEY_ZOOM: f64 = 1.5;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    /// One picture of the difference.
    #[default]
    Difference,
    /// Both charts.
    Both,
}

/// What the width of a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Width {
    /// What it costs in both together.
    #[default]
    Sum,
    /// What it costs in the new run.
    Head,
    /// What it costs in the baseline.
    Base,
}

impl Width {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Sum, "Width: base + head"), (Self::Head, "Width: head"), (Self::Base, "Width: base")];

    fn of(self, total: Two<f64>) -> f64 {
        let (base, head) = (total.base.unwrap_or(0.0).max(0.0), total.head.unwrap_or(0.0).max(0.0));
        match self {
            Self::Sum => base + head,
            Self::Head => head,
            Self::Base => base,
        }
    }
}

/// What the colour of a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Colour {
    /// Change of the path and all below.
    #[default]
    Total,
    /// Change of the function itself on this path.
    Own,
}

/// The view.
pub struct DiffFlame {
    form: Form,
    width: Width,
    colour: Colour,
    bands: Bands,
    camera: Camera,
    texts: TextCache,
    /// Where boxes stand, and what that was made for.
    placed: Option<(PlacedFor, Arc<Placed>)>,
    /// The box that was clicked here.
    at: Option<u32>,
    menu_at: Option<u32>,
}

impl DiffFlame {
    /// A fresh one.
    pub fn new() -> Self {
        Self {
            form: Form::default(),
            width: Width::default(),
            colour: Colour::default(),
            bands: Bands::new(&super::KIND, true),
            camera: Camera::default(),
            texts: TextCache::default(),
            placed: None,
            at: None,
            menu_at: None,
        }
    }
}

/// What boxes were placed for.
struct PlacedFor {
    paths: Arc<PathDiff>,
    width: Width,
    factors: Factors,
}

/// Left edge and width of each node's box, in units of cost from the left.
#[derive(Debug, Default)]
struct Placed {
    left: Vec<f64>,
    width: Vec<f64>,
    whole: f64,
    depth: u32,
}

impl Placed {
    /// Siblings stand in their order; a box is as wide as all that it costs, or, where costs cancel out, as its children.
    fn of(paths: &PathDiff, width: Width, factors: &Factors) -> Self {
        let n = paths.len();
        let own = |node: PathNode| width.of(factors.apply(node.own()));
        let mut widths: Vec<f64> = paths.nodes().map(own).collect();
        let mut whole = 0.0;
        for i in (0..n).rev() {
            match paths.parent(i as u32) {
                Some(parent) => widths[parent as usize] += widths[i],
                None => whole += widths[i],
            }
        }
        let mut left = vec![0.0; n];
        // Where the next child of each node, and the next root, begins.
        let mut next: Vec<f64> = vec![0.0; n];
        let mut next_root = 0.0;
        let mut depth = 0;
        for i in 0..n {
            depth = depth.max(paths.depth(i as u32));
            let at = match paths.parent(i as u32) {
                Some(parent) => &mut next[parent as usize],
                None => &mut next_root,
            };
            left[i] = *at;
            *at += widths[i];
            next[i] = left[i];
        }
        Self { left, width: widths, whole, depth }
    }
}

impl View for DiffFlame {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        if self.form == Form::Both {
            self.header(cx, ui, None);
            self.bands.ui(cx, ui);
            return;
        }
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        self.header(cx, ui, Some(&asked));
        let Some(paths) =
            cx.ask_pair(&DiffPaths(asked.functions.clone()), 0).content(ui, "Comparing call paths")
        else {
            return;
        };
        let Some(functions) = cx.ask_pair(&asked.functions, 1).content(ui, "Comparing functions") else {
            return;
        };
        let (related, not_related) = pair::related_paths(cx, &asked, true, 2);
        pair::notices(cx, ui, &asked, &related, not_related.as_deref());
        pair::estimated(cx, &asked, &paths);
        let same = |(of, _): &&(PlacedFor, Arc<Placed>)| {
            Arc::ptr_eq(&of.paths, &paths) && of.width == self.width && of.factors == related.factors
        };
        let placed = match self.placed.as_ref().filter(same) {
            Some((_, placed)) => placed.clone(),
            None => {
                let placed = Arc::new(Placed::of(&paths, self.width, &related.factors));
                let of =
                    PlacedFor { paths: paths.clone(), width: self.width, factors: related.factors.clone() };
                self.placed = Some((of, placed.clone()));
                placed
            }
        };
        if placed.whole <= 0.0 {
            shared::nothing(cx, ui, Icon::Flame);
            return;
        }
        let search = Pattern::new(&cx.interaction.search);
        let found = search.map(|p| [p.functions(&pair.base.profile), p.functions(&pair.head.profile)]);
        let better = asked.better(&pair);
        let scene = Scene {
            pair: &pair,
            told: Told { asked: &asked, related: &related, whole: paths.whole },
            paths: &paths,
            functions: &functions,
            placed: &placed,
            factors: &related.factors,
            found,
            colour: self.colour,
            better,
        };
        self.chart(cx, ui, &scene);
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({
            "form": self.form, "width": self.width, "colour": self.colour, "both": self.bands.save(),
        })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.form = shared::kept(saved, "form").unwrap_or_default();
        self.width = shared::kept(saved, "width").unwrap_or_default();
        self.colour = shared::kept(saved, "colour").unwrap_or_default();
        self.bands.load(&saved["both"]);
    }

    fn seen(&self) -> Option<Seen> {
        None
    }
}

impl DiffFlame {
    /// `asked` is what the difference is of; both charts have no such controls.
    fn header(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, asked: Option<&Asked>) {
        shared::header(ui, |ui| {
            let forms = [(Form::Difference, "Difference"), (Form::Both, "Both runs")];
            segmented(ui, "Form of the comparison", &mut self.form, &forms);
            let Some(asked) = asked else { return };
            let text = Width::ALL.iter().find(|w| w.0 == self.width).map_or("", |w| w.1);
            let field = combo("diff width").selected_text(text).show_ui(ui, |ui| {
                for (width, label) in Width::ALL {
                    ui.selectable_value(&mut self.width, width, label);
                }
            });
            field.response.accessible_name("Width of boxes");
            let colours = [(Colour::Total, "Colour: Δ total"), (Colour::Own, "Colour: Δ self")];
            let text = colours.iter().find(|c| c.0 == self.colour).map_or("", |c| c.1);
            let field = combo("diff colour").selected_text(text).show_ui(ui, |ui| {
                for (colour, label) in colours {
                    ui.selectable_value(&mut self.colour, colour, label);
                }
            });
            field.response.accessible_name("Colour of boxes");
            pair::normalise(cx, ui, asked);
            changed::legend(ui);
        });
        ui.add_space(space::SMALL);
    }

    fn chart(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, scene: &Scene<'_>) {
        let palette = Palette::of(ui);
        let whole = ui.available_rect_before_wrap();
        let (rect, _) = ui.allocate_exact_size(whole.size(), Sense::hover());
        let (ruler, chart) = rect.split_top_bottom_at_y(rect.top() + space::RULER);
        if chart.height() < ROW || chart.width() < 20.0 {
            return;
        }
        let id = ui.scope_id().with("difference");
        let response = ui.interact(chart, id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Flame chart of the difference"));
        let limits = Limits {
            extent: scene.placed.whole,
            content: f64::from((scene.placed.depth + 1) as f32 * ROW + 8.0),
            window: f64::from(chart.height()),
        };
        self.camera.fit(limits, false);
        self.follow(cx, scene, limits);
        pointer(ui, &response, &mut self.camera, chart, limits);
        self.keys(cx, ui, &response, scene, chart, limits);
        if self.camera.step(f64::from(ui.input(|i| i.stable_dt)), limits) {
            ui.request_repaint();
        }
        let Place { t0, t1, scroll } = self.camera.now();
        let port =
            Port { t0, t1, scroll, width: chart.width(), height: chart.height(), ppp: ui.pixels_per_point() };
        let boxes = scene.boxes(&port);
        let at = ui.input(|i| i.pointer.latest_pos()).filter(|_| response.contains_pointer());
        let hit = at.and_then(|p| boxes.iter().rev().find(|b| b.rect(chart).contains(p)));
        if response.clicked() {
            response.request_focus();
            self.at = hit.map(|b| b.node);
            let item = hit.and_then(|b| scene.item(b.node));
            cx.select(item);
        }
        if response.double_clicked()
            && let Some(b) = hit
        {
            self.zoom_to(scene, b.node, limits);
        }
        if let Some(b) = hit {
            cx.out.hover = scene.item(b.node);
        }
        ui.painter().rect_filled(chart, 0.0, palette.canvas);
        paint_share_ruler(ui.painter(), ruler, &port, scene.placed.whole, palette);
        scene.paint(cx, ui, chart, &boxes, self.at, &mut self.texts);
        scene.accessible(ui, id, chart, &boxes, self.at);
        if response.secondary_clicked() {
            self.menu_at = hit.map(|b| b.node);
        }
        let over = hit.filter(|_| !response.dragged() && !response.context_menu_opened()).map(|b| b.node);
        if let Some(node) = self.menu_at {
            response.context_menu(|ui| scene.menu(cx, ui, node));
        }
        if response.has_focus() {
            ui.painter().rect_stroke(
                chart.shrink(1.0),
                0.0,
                Stroke::new(1.5, palette.accent),
                StrokeKind::Inside,
            );
        }
        if let Some(node) = over {
            let palette = Palette::of(ui);
            response.on_hover_ui_at_pointer(|ui| scene.tooltip(ui, node, palette));
        }
    }

    /// Goes to a path that was selected elsewhere.
    fn follow(&mut self, cx: &mut ViewCx<'_>, scene: &Scene<'_>, limits: Limits) {
        if !cx.selected_elsewhere() {
            return;
        }
        self.at = None;
        let Some(Item::Path(keys)) = &cx.interaction.selection else { return };
        let Some(node) = scene.paths.find(keys, scene.pair) else { return };
        self.at = Some(node);
        let i = node as usize;
        let span = (scene.placed.left[i], scene.placed.left[i] + scene.placed.width[i]);
        let y = f64::from(scene.paths.depth(node) as f32 * ROW);
        let place = Camera::revealing(self.camera.goal(), span, (y, f64::from(ROW)), limits);
        if place != self.camera.goal() {
            self.camera.glide(place, limits);
        }
    }

    fn zoom_to(&mut self, scene: &Scene<'_>, node: u32, limits: Limits) {
        let i = node as usize;
        let (left, width) = (scene.placed.left[i], scene.placed.width[i]);
        let y = f64::from(scene.paths.depth(node) as f32 * ROW);
        let scroll = self.camera.goal().scroll;
        let scroll =
            if y < scroll || y > scroll + limits.window * 0.6 { y - f64::from(ROW) * 2.0 } else { scroll };
        self.camera.glide(Place { t0: left, t1: left + width, scroll }, limits);
    }

    fn keys(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        response: &Response,
        scene: &Scene<'_>,
        chart: Rect,
        limits: Limits,
    ) {
        keyboard::hold(ui, response, true);
        if !keyboard::listens(ui, response) {
            return;
        }
        let pressed = |key: Key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        let share = ui
            .input(|i| i.pointer.hover_pos())
            .filter(|p| chart.contains(*p))
            .map_or(0.5, |p| f64::from((p.x - chart.left()) / chart.width()));
        let goal = self.camera.goal();
        for (key, place) in [
            (Key::W, Camera::zoomed_at(goal, share, KEY_ZOOM, limits)),
            (Key::S, Camera::zoomed_at(goal, share, 1.0 / KEY_ZOOM, limits)),
            (Key::A, Camera::panned(goal, -KEY_PAN)),
            (Key::D, Camera::panned(goal, KEY_PAN)),
        ] {
            if pressed(key) {
                self.camera.glide(place, limits);
            }
        }
        if pressed(Key::Num0) || pressed(Key::Home) {
            self.camera.glide(Place { t0: 0.0, t1: limits.extent, scroll: goal.scroll }, limits);
        }
        if pressed(Key::Escape) {
            self.at = None;
            cx.send(Command::Select(None));
        }
        if pressed(Key::Enter)
            && let Some(node) = self.at
        {
            self.zoom_to(scene, node, limits);
        }
        let arrows = [Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight];
        let Some(key) = arrows.into_iter().find(|&key| pressed(key)) else { return };
        if let Some(node) = scene.neighbour(self.at, key) {
            self.at = Some(node);
            let item = scene.item(node);
            cx.select(item);
            let i = node as usize;
            let span = (scene.placed.left[i], scene.placed.left[i] + scene.placed.width[i]);
            let y = f64::from(scene.paths.depth(node) as f32 * ROW);
            let place = Camera::revealing(self.camera.goal(), span, (y, f64::from(ROW)), limits);
            self.camera.glide(place, limits);
        }
    }
}

/// Wheel and drag move the camera, as in the chart of one run.
fn pointer(ui: &Ui, response: &Response, camera: &mut Camera, chart: Rect, limits: Limits) {
    if response.contains_pointer() {
        let (zoom, scroll, at) =
            ui.input(|i| (i.zoom_delta(), i.smooth_scroll_delta(), i.pointer.hover_pos()));
        let mut place = camera.now();
        if zoom != 1.0 {
            let x = at.map_or(chart.center().x, |p| p.x);
            let share = f64::from((x - chart.left()) / chart.width()).clamp(0.0, 1.0);
            place = Camera::zoomed_at(place, share, f64::from(zoom), limits);
        } else if scroll != egui::Vec2::ZERO {
            place = Camera::panned(place, -f64::from(scroll.x / chart.width()));
            place.scroll -= f64::from(scroll.y);
        }
        if place != camera.now() {
            camera.jump(place, limits);
        }
    }
    if response.dragged_by(PointerButton::Primary) || response.dragged_by(PointerButton::Middle) {
        let by = response.drag_delta();
        let mut place = Camera::panned(camera.now(), -f64::from(by.x / chart.width()));
        place.scroll -= f64::from(by.y);
        camera.jump(place, limits);
    }
}

/// A box on screen, in points from the chart's upper left corner.
#[derive(Clone, Copy, Debug)]
struct Placing {
    node: u32,
    x0: f32,
    x1: f32,
    y: f32,
    /// True for several that are too narrow to be told apart.
    many: bool,
}

impl Placing {
    fn rect(&self, chart: Rect) -> Rect {
        let x = Rangef::new(chart.left() + self.x0, chart.left() + (self.x1 - 0.5).max(self.x0 + 0.5));
        let y = Rangef::new(chart.top() + self.y, chart.top() + self.y + ROW - 1.0);
        Rect::from_x_y_ranges(x, y).intersect(chart)
    }
}

struct Scene<'a> {
    pair: &'a Pair,
    told: Told<'a>,
    paths: &'a PathDiff,
    functions: &'a FunctionDiff,
    placed: &'a Placed,
    factors: &'a Factors,
    /// What the search finds on each side.
    found: Option<[Vec<bool>; 2]>,
    colour: Colour,
    better: Better,
}

impl Scene<'_> {
    /// What is seen: subtrees that are narrower than a pixel are one strip, so the work is bounded by pixels and depth.
    fn boxes(&self, port: &Port) -> Vec<Placing> {
        let mut boxes: Vec<Placing> = Vec::new();
        let nodes = self.paths;
        let pixel = port.units_per_point() / f64::from(port.ppp);
        let mut i = 0;
        while i < nodes.len() {
            let (left, width) = (self.placed.left[i], self.placed.width[i]);
            let end = nodes.end(i as u32) as usize;
            if left + width <= port.t0 || left >= port.t1 || width <= 0.0 {
                i = end;
                continue;
            }
            let y = nodes.depth(i as u32) as f32 * ROW - port.scroll as f32;
            let (x0, x1) = (port.x_of(left) as f32, port.x_of(left + width) as f32);
            let narrow = width < NARROW * pixel;
            if y + ROW > 0.0 && y < port.height {
                let strip =
                    boxes.last_mut().filter(|b| narrow && b.many && b.y == y && x0 - b.x1 < 1.5 / port.ppp);
                match strip {
                    Some(strip) => strip.x1 = x1.max(strip.x1),
                    None => boxes.push(Placing {
                        node: i as u32,
                        x0: x0.max(-4.0),
                        x1: x1.min(port.width + 4.0),
                        y,
                        many: narrow,
                    }),
                }
            }
            i = if narrow || y >= port.height { end } else { i + 1 };
        }
        boxes
    }

    fn name(&self, node: u32) -> std::borrow::Cow<'_, str> {
        name(&self.paths.node(node), &self.pair.base.profile, &self.pair.head.profile)
    }

    /// Own and total costs as they were recorded.
    fn costs(&self, node: u32) -> (Two<i64>, Two<i64>) {
        let node = self.paths.node(node);
        (node.own(), node.total())
    }

    /// The costs that colours and figures are of, as they were recorded.
    fn shown(&self, node: u32) -> Two<i64> {
        let (own, total) = self.costs(node);
        if self.colour == Colour::Own { own } else { total }
    }

    fn item(&self, node: u32) -> Option<Item> {
        pair::path_item(self.pair, self.paths, node)
    }

    fn symbol(&self, node: u32) -> Option<SymbolKey> {
        pair::path_symbol(self.pair, &self.paths.node(node))
    }

    /// The box beside another one: up and down are caller and widest callee, left and right are siblings.
    fn neighbour(&self, at: Option<u32>, key: Key) -> Option<u32> {
        let Some(at) = at else { return self.paths.children(None).next() };
        let parent = self.paths.parent(at);
        let width = |n: &u32| self.placed.width[*n as usize];
        match key {
            Key::ArrowUp => parent,
            Key::ArrowDown => self.paths.children(Some(at)).max_by(|a, b| width(a).total_cmp(&width(b))),
            Key::ArrowLeft => {
                self.paths.children(parent).take_while(|&n| n != at).filter(|n| width(n) > 0.0).last()
            }
            _ => self.paths.children(parent).skip_while(|&n| n != at).skip(1).find(|n| width(n) > 0.0),
        }
    }

    fn is_found(&self, node: u32) -> bool {
        let Some([base, head]) = &self.found else { return true };
        let halves = self.paths.node(node).halves;
        halves.base.is_some_and(|h| base[h.symbol.function().index()])
            || halves.head.is_some_and(|h| head[h.symbol.function().index()])
    }

    /// The fill, and the ink on it.
    fn color(&self, node: u32, palette: &Palette) -> (Color32, Color32) {
        let costs = self.factors.apply(self.shown(node));
        let fill = changed::fill(palette, costs, self.paths.node(node).state(), self.better);
        if self.is_found(node) {
            return (fill, palette.text_on(fill));
        }
        let fill = palette.dimmed(fill);
        (fill, palette.quiet_on(fill))
    }

    fn paint(
        &self,
        cx: &ViewCx<'_>,
        ui: &Ui,
        chart: Rect,
        boxes: &[Placing],
        at: Option<u32>,
        texts: &mut TextCache,
    ) {
        let palette = Palette::of(ui);
        let painter = ui.painter().with_clip_rect(chart);
        let mut mesh = Mesh::default();
        let hovered = cx.hover.and_then(Item::symbol);
        let selected = cx.interaction.selection.as_ref().and_then(Item::symbol);
        let mut outlines = Vec::new();
        for b in boxes {
            let rect = b.rect(chart);
            if b.many {
                mesh.add_colored_rect(rect, palette.gap().fill);
                continue;
            }
            let fill = self.color(b.node, palette).0;
            mesh.add_colored_rect(rect, fill);
            if let Some(stripes) = changed::stripes(palette, self.paths.node(b.node).state()) {
                hatch::add(&mut mesh, rect, stripes);
            }
            let symbol = self.symbol(b.node);
            if hovered.is_some() && symbol == hovered {
                outlines.push((rect, 1.0));
            }
            if at == Some(b.node) {
                outlines.push((rect, 2.0));
            } else if selected.is_some() && symbol == selected {
                outlines.push((rect, 1.0));
            }
        }
        painter.add(Shape::mesh(mesh));
        let texts = &mut texts.begin(&painter);
        let mut shapes = Vec::new();
        for b in boxes.iter().filter(|b| !b.many) {
            let rect = b.rect(chart);
            if rect.width() < crate::views::boxes::layout::LABEL {
                continue;
            }
            let (fill, color) = self.color(b.node, palette);
            let style = LabelStyle::new(11.5);
            let label = self.name(b.node);
            let whole = texts.get(TextKey::of(&label), style, f32::MAX, || label.clone());
            let state = self.paths.node(b.node).state();
            let delta = match state {
                State::NotPlaced => state.key().to_owned(),
                _ if self.colour == Colour::Own => self.told.of_self().change(self.shown(b.node)),
                _ => self.told.change(self.shown(b.node)),
            };
            if rect.width() > 120.0
                && let Some(galley) =
                    texts.get(TextKey::of(&delta), style, rect.width(), || delta.clone().into())
                && whole.is_some_and(|w| w.size().x + galley.size().x + 24.0 < rect.width())
            {
                let at = pos2(rect.right() - galley.size().x - 6.0, rect.center().y - galley.size().y / 2.0);
                let text = Shape::galley(at, galley, palette.quiet_on(fill));
                shapes.extend(changed::on_box(Some(text), fill, state));
            }
            let text = texts.label(rect, TextKey::of(&label), style, color, || label.clone());
            shapes.extend(changed::on_box(text, fill, state));
        }
        painter.extend(shapes);
        for (rect, width) in outlines {
            painter.rect_stroke(rect, 1.0, Stroke::new(width, palette.text_strong), StrokeKind::Inside);
        }
    }

    fn accessible(&self, ui: &Ui, id: Id, chart: Rect, boxes: &[Placing], at: Option<u32>) {
        if ui.ctx().accesskit_node_builder(id, |_| ()).is_none() {
            return;
        }
        let wide = boxes
            .iter()
            .filter(|b| !b.many && b.x1 - b.x0 > crate::views::boxes::layout::LABEL)
            .take(MOST_NODES);
        for b in wide {
            let node = ui.interact(b.rect(chart), id.with(b.node), Sense::hover());
            let text = format!("{} {}", self.name(b.node), self.summary(b.node));
            node.widget_info(|| {
                WidgetInfo::selected(Role::ListItem, true, at == Some(b.node), text.as_str())
            });
        }
    }

    /// «1.20 s → 1.50 s, +300 ms (+25.0 %)».
    fn summary(&self, node: u32) -> String {
        let (_, total) = self.costs(node);
        self.told.line(total, self.paths.node(node).state())
    }

    fn tooltip(&self, ui: &mut Ui, node: u32, palette: &Palette) {
        ui.set_max_width(460.0);
        let n = self.paths.node(node);
        ui.label(
            egui::RichText::new(self.name(node))
                .font(crate::ui::theme::strong(13.0))
                .color(palette.text_strong),
        );
        let (own, total) = self.costs(node);
        ui.label(format!("Total  {}", self.told.line(total, n.state())));
        ui.label(format!("Self  {}", self.told.of_self().line(own, n.state())));
        let counts = n.halves.map(|h| h.count);
        if let (Some(b), Some(h)) = (counts.base.flatten(), counts.head.flatten()) {
            ui.label(format!("Calls or samples  {} → {}", format::count(b as i64), format::count(h as i64)));
        }
        let row = n.row.and_then(|row| self.functions.rows.get(row as usize));
        let step = row.and_then(|r| r.step);
        let text = match (n.state(), step) {
            (State::NotPlaced, _) => {
                let other = pair::title(n.halves.base.is_none());
                format!(
                    "{other} makes each of these calls, but its estimated call tree does not tell for this path."
                )
            }
            (State::New, Some(_)) => "Only head takes this path; the function is in both.".to_owned(),
            (State::Gone, Some(_)) => "Only base takes this path; the function is in both.".to_owned(),
            (State::New, None) => "Only head has this function.".to_owned(),
            (State::Gone, None) => "Only base has this function.".to_owned(),
            (State::Both, Some(step)) => step.words().to_owned(),
            (State::Both, None) => String::new(),
        };
        if !text.is_empty() {
            ui.label(egui::RichText::new(text).font(small()).color(palette.text_weak));
        }
    }

    fn menu(&self, cx: &mut ViewCx<'_>, ui: &mut Ui, node: u32) {
        let (path, base) = self.paths.functions(node);
        let Some(&function) = path.last() else { return };
        let subject = self.pair.one(base);
        let mut side = cx.side(&subject, base);
        ContextMenu::about(menu::About { function, path: Some(&path) }).without_keys().show(
            &mut side,
            ui,
            |_, _| (),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::diff::normalise::Related;
    use crate::analysis::testing::{all_functions, pair};
    use crate::jobs::Job;
    use crate::query::Engine;

    #[test]
    fn children_stay_inside_their_parents_whatever_the_width_is() {
        let pair = pair("app>a 10; app>b>c 0; app 3", "app>a 0; app>b>c 10; app 5; new 4");
        let question = DiffPaths(all_functions());
        let paths = Engine::inline().now(&pair, &question, &Job::new()).unwrap();
        for (width, _) in Width::ALL {
            let placed = Placed::of(&paths, width, &Related::default().factors);
            for (i, node) in paths.nodes().enumerate() {
                let span = |i: usize| (placed.left[i], placed.left[i] + placed.width[i]);
                let (from, to) = span(i);
                let around = paths.parent(i as u32).map_or((0.0, placed.whole), |p| span(p as usize));
                assert!(around.0 <= from && to <= around.1 + 1e-9, "{width:?} {i}");
                assert!(
                    (placed.width[i] - width.of(Related::default().factors.apply(node.total()))).abs() < 1e-9
                );
            }
        }
        let sum = Placed::of(&paths, Width::Sum, &Related::default().factors);
        assert_eq!(sum.whole, 13.0 + 19.0);
    }
}
