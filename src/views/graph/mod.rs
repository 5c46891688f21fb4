//! The dependency graph: functions as nodes, calls as edges, of the whole profile or around one function.
//!
//! The graph, what of it is drawn and where it stands are a query ([`crate::analysis::graph_picture`]);
//! `scene` moves nodes from where they were, `camera` looks at them, `paint` paints. A click selects
//! everywhere, a double-click puts a function in the middle.

mod camera;
mod compare;
mod folds;
mod header;
mod input;
mod paint;
mod scene;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::Arc;

use egui::{Color32, Rect, Role, Sense, Ui, Vec2, WidgetInfo, vec2};

use self::camera::{Camera, Lens, Place};
use self::paint::Paint;
use self::scene::{Hit, Scene};
use self::walk::Spot;
use super::shared;
use crate::analysis::call_graph::Calling;
use crate::analysis::folding::Folding;
use crate::analysis::graph_layout::Direction;
use crate::analysis::graph_layout::frames::TITLE;
use crate::analysis::graph_picture::{GraphPicture, Picture};
use crate::analysis::groups::GroupBy;
use crate::analysis::prune::Limits;
use crate::analysis::search::Pattern;
use crate::model::{Profile, SymbolKey};
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::text::TextCache;
use crate::ui::theme::Palette;
use crate::ui::widgets::EmptyState;
use crate::views::{Comparing, View, ViewCx, ViewKind};

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "graph",
    title: "Dependency graph",
    about: "Functions and the calls between them as a graph: all of the profile, or around one function.",
    needs: shared::needs_calls,
    make: || Box::new(GraphView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffGraphView::new())),
};

/// A drawing that fits at this zoom or a larger one is shown as a whole at first …
const READABLE: f32 = 0.6;
/// … any other one in part, not smaller than this.
const FIRST_ZOOM: f32 = 0.75;
/// Nodes that a first view shows at least, where one can.
const FIRST_NODES: usize = 3;
/// Nodes that screen readers hear about, at most.
const MOST_NODES: u32 = 500;

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All of the scope.
    #[default]
    Whole,
    /// What runs while one function runs.
    Around,
}

/// The view.
#[derive(Default)]
pub struct GraphView {
    mode: Mode,
    limits: Limits,
    direction: Direction,
    /// Numbers in the metric's unit rather than as shares.
    costs: bool,
    /// What is folded.
    folding: Arc<Folding>,
    /// What is folded where nobody changed it: from the workspace, or as it was in the run before.
    usual: Arc<Folding>,
    /// The function in the middle.
    active: Option<SymbolKey>,
    back: Vec<Spot>,
    forth: Vec<Spot>,
    camera: Camera,
    /// Size of the drawing's part of the pane in the last frame.
    area_size: Vec2,
    /// Show the whole drawing as soon as its place is known.
    fit: bool,
    question: Option<GraphPicture>,
    scene: Option<Scene>,
    looks: Option<Looks>,
    texts: TextCache,
    /// What the menu is about.
    menu_at: Option<Hit>,
}

/// Colours of nodes, and which ones the search leaves out; kept until what they depend on changes.
struct Looks {
    of: Arc<Picture>,
    dark: bool,
    search: String,
    groups: Vec<Color32>,
    dimmed: Vec<bool>,
    pattern: Option<Pattern>,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    mode: Mode,
    limits: Limits,
    direction: Direction,
    costs: bool,
    #[serde(default)]
    folding: Folding,
}

impl View for GraphView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        self.folding = cx.interaction.folding.clone().unwrap_or_else(|| self.usual.clone());
        self.follow_selection(cx);
        self.header(cx, ui);
        if self.mode == Mode::Around && self.active.is_none() {
            self.active = shared::most_expensive(cx, ui).map(|f| cx.profile().keys().symbol(f));
            if self.active.is_none() {
                return;
            }
        }
        let question = self.ask(cx);
        let Some(picture) = cx.ask(&question, 0).content(ui, "Drawing the graph") else { return };
        self.caption(cx, ui, &picture);
        shared::note_basis(cx, &picture.graph.basis, "");
        if picture.drawn.nodes.is_empty() {
            match self.active.filter(|_| self.mode == Mode::Around) {
                Some(key) => {
                    let text =
                        "Not called in the current selection. Undo a transform or clear the time range.";
                    EmptyState::new(Icon::Graph, &key.name, text).show(ui);
                }
                None => shared::nothing(cx, ui, Icon::Graph),
            }
            return;
        }
        self.canvas(cx, ui, &picture);
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved {
            mode: self.mode,
            limits: self.limits,
            direction: self.direction,
            costs: self.costs,
            folding: (*self.folding).clone(),
        };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.mode, self.limits) = (saved.mode, saved.limits);
            (self.direction, self.costs) = (saved.direction, saved.costs);
            self.usual = Arc::new(saved.folding);
            self.folding = self.usual.clone();
        }
    }
}

impl GraphView {
    /// A function that was selected elsewhere is shown: in the drawing, or else as a new middle.
    fn follow_selection(&mut self, cx: &mut ViewCx<'_>) {
        if !cx.selected_elsewhere() {
            return;
        }
        let Some(item) = &cx.interaction.selection else { return };
        let Some(function) = item.symbol() else { return };
        let hit = self.scene.as_ref().and_then(|s| Some((s, s.find(item, cx.profile())?)));
        if let Some((_, Hit::Node(i))) = hit {
            if let Some(scene) = self.scene.take() {
                self.reveal(&scene, i);
                self.scene = Some(scene);
            }
        } else if hit.is_none() && self.mode == Mode::Around {
            self.make_active(function);
        } else if hit.is_none() && self.active.is_none() {
            self.active = Some(function);
        }
    }

    /// Brings a node into view, beside the bird's-eye view.
    fn reveal(&mut self, scene: &Scene, node: u32) {
        let (area, rect) =
            (Rect::from_min_size(egui::Pos2::ZERO, self.area_size), scene.rect(node, f64::MAX));
        let mut place = Camera::revealing(self.camera.goal(), area, rect);
        let lens = Lens::new(place, area);
        if paint::bird(extent(&scene.picture), area, lens)
            .is_some_and(|(bird, _)| bird.expand(8.0).intersects(lens.rect(rect)))
        {
            place.centre = rect.center();
        }
        self.camera.glide(place);
    }

    fn set_mode(&mut self, cx: &ViewCx<'_>, mode: Mode) {
        self.leave();
        self.mode = mode;
        let selected = cx.interaction.selection.as_ref().and_then(Item::symbol);
        if mode == Mode::Around && selected.is_some() {
            self.active = selected;
        }
    }

    /// Puts a function in the middle and remembers the one before.
    fn make_active(&mut self, function: SymbolKey) {
        if self.active == Some(function) && self.mode == Mode::Around {
            return;
        }
        self.leave();
        (self.mode, self.active) = (Mode::Around, Some(function));
    }

    /// The question of this frame. When only limits, metric or range differ from the last one, it starts
    /// from where nodes stand, so that those that stay do not jump.
    fn ask(&mut self, cx: &ViewCx<'_>) -> GraphPicture {
        let around = self.active.filter(|_| self.mode == Mode::Around);
        let calling = Calling { slice: cx.slice(), around };
        let limits = match around {
            Some(_) => self.limits,
            None => Limits { callers: None, callees: None, ..self.limits },
        };
        let direction = self.direction;
        if let Some(last) = &self.question
            && (&last.calling, &last.folding, last.limits, last.direction)
                == (&calling, &*self.folding, limits, direction)
        {
            return last.clone();
        }
        let same_middle = |last: &GraphPicture| last.calling.around == around && last.direction == direction;
        let seed = match (&self.question, &self.scene) {
            (Some(last), Some(scene)) if same_middle(last) => scene.picture.seed(direction, cx.profile()),
            _ => Arc::default(),
        };
        let folding = (*self.folding).clone();
        let question = GraphPicture { calling, folding, limits, direction, sizes: scene::SIZES, seed };
        self.question = Some(question.clone());
        question
    }

    fn canvas(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, picture: &Arc<Picture>) {
        let size = ui.available_size_before_wrap();
        if size.x < 40.0 || size.y < 30.0 {
            return;
        }
        let id = ui.scope_id().with("graph");
        let (area, _) = ui.allocate_exact_size(size, Sense::hover());
        let response = ui.interact(area, id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Dependency graph"));
        let now = ui.input(|i| i.time);
        let before = Rect::from_min_size(area.min, std::mem::replace(&mut self.area_size, area.size()));
        let fitted = self.scene.as_ref().is_some_and(|s| self.camera.fits(before, extent(&s.picture)));
        if fitted
            && before != area
            && let Some(scene) = &self.scene
        {
            self.camera.jump(Camera::fitting(area, extent(&scene.picture)));
        }
        // What was shown as a whole is shown so after folding or another limit, unless nobody could read it then.
        let readable = Camera::fitting(area, extent(picture)).zoom >= READABLE.min(self.camera.goal().zoom);
        self.fit |= self.take(picture, cx.profile(), area, now) && fitted && readable;
        if std::mem::take(&mut self.fit) {
            self.camera.glide(Camera::fitting(area, extent(picture)));
        }
        self.look(cx, Palette::of(ui));
        if self.camera.step(ui.input(|i| i.stable_dt)) {
            ui.request_repaint();
        }
        let Some(scene) = self.scene.take() else { return };
        let looks = self.looks.take();
        let selected = cx.interaction.selection.as_ref().and_then(|s| scene.find(s, cx.profile()));
        let hovered = self.input(cx, ui, &response, &scene, selected);
        if scene.progress(now) < 1.0 {
            ui.request_repaint();
        }
        if let Some(looks) = &looks {
            let elsewhere = cx.hover.and_then(|h| scene.find(h, cx.profile()));
            let middle = self.question.as_ref().and_then(|q| q.calling.around);
            let paint = Paint {
                scene: &scene,
                lens: Lens::new(self.camera.now(), area),
                area,
                palette: Palette::of(ui),
                profile: cx.profile(),
                unit: shared::unit(cx.profile(), cx.interaction),
                costs: self.costs,
                groups: &looks.groups,
                dimmed: &looks.dimmed,
                pattern: looks.pattern.as_ref(),
                hovered: hovered.or(elsewhere),
                selected,
                middle: middle.and_then(|f| match scene.find(&Item::Function(f), cx.profile()) {
                    Some(Hit::Node(i)) => Some(i),
                    _ => None,
                }),
                now,
            };
            let painter = ui.painter().with_clip_rect(area);
            paint.paint(&painter, &mut self.texts.begin(&painter));
            if let Some((rect, bird)) = paint.bird() {
                paint.paint_bird(&painter, rect, bird);
                let part = ui.interact(rect, id.with("bird"), Sense::click_and_drag());
                part.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Bird's-eye view"));
                if let Some(at) = part.interact_pointer_pos().filter(|_| part.dragged() || part.clicked()) {
                    let centre = bird.back(at);
                    self.camera.jump(Place { centre, ..self.camera.goal() });
                    ui.request_repaint();
                }
            }
            if let Some(hit) = hovered.filter(|_| !response.dragged()) {
                response.clone().on_hover_ui_at_pointer(|ui| input::tooltip(ui, &paint, hit));
            }
            accessible(ui, id, &paint);
        }
        if response.has_focus() {
            let ring = egui::Stroke::new(1.5, Palette::of(ui).accent);
            ui.painter().rect_stroke(area.shrink(1.0), 0.0, ring, egui::StrokeKind::Inside);
        }
        (self.scene, self.looks) = (Some(scene), looks);
    }

    /// Takes a new picture: what stays moves, and the camera goes with it. True when it is one of what was seen before, in
    /// other limits or folds.
    fn take(&mut self, picture: &Arc<Picture>, profile: &Profile, area: Rect, now: f64) -> bool {
        let old = self.scene.take();
        if let Some(old) = old {
            if Arc::ptr_eq(&old.picture, picture) {
                self.scene = Some(old);
                false
            } else {
                let same = self.question.as_ref().is_some_and(|q| !q.seed.is_empty());
                let mut scene = Scene::new(picture.clone(), Some(&old), profile, now);
                let by = scene.anchor(None).filter(|_| same);
                if let Some(by) = by {
                    self.camera.shift(by);
                    scene.shift_past(by);
                } else {
                    self.first_look(&scene, area, true);
                }
                self.scene = Some(scene);
                by.is_some()
            }
        } else {
            let scene = Scene::new(picture.clone(), None, profile, now);
            self.first_look(&scene, area, false);
            self.scene = Some(scene);
            false
        }
    }

    /// All of the drawing where that can be read, otherwise the part around what matters most; never an empty spot.
    fn first_look(&mut self, scene: &Scene, area: Rect, glide: bool) {
        let all = extent(&scene.picture);
        let mut place = Camera::fitting(area, all);
        if place.zoom < READABLE && scene.len() > 0 {
            let costliest = (0..scene.len()).max_by_key(|&i| (scene.node(i).own, std::cmp::Reverse(i)));
            // From where a profile begins, at the function in the middle or the root, at the most self cost.
            let mut places = Vec::new();
            let first = self.around_node(scene, area, 0);
            if self.mode != Mode::Around {
                let half = area.size() / FIRST_ZOOM / 2.0;
                let mut top = first;
                match self.direction {
                    Direction::Down => top.centre.y = within(0.0, half.y, all.y),
                    Direction::Right => top.centre.x = within(0.0, half.x, all.x),
                }
                places.push(top);
            }
            places.push(first);
            places.extend(costliest.map(|i| self.around_node(scene, area, i)));
            let seen = |place: &Place| {
                let lens = Lens::new(*place, area);
                let rect = |i: u32| lens.rect(scene.rect(i, f64::MAX));
                (0..scene.len()).filter(|&i| area.contains_rect(rect(i))).count()
            };
            let enough = FIRST_NODES.min(scene.len() as usize);
            let telling = places.iter().copied().find(|place| seen(place) >= enough);
            place = telling.or_else(|| places.into_iter().max_by_key(seen)).unwrap_or(place);
        }
        if glide {
            self.camera.glide(place);
        } else {
            self.camera.jump(place);
        }
    }

    /// The readable place around a node, within the drawing.
    fn around_node(&self, scene: &Scene, area: Rect, node: u32) -> Place {
        let (half, all, at) = (area.size() / FIRST_ZOOM / 2.0, extent(&scene.picture), scene.goal(node));
        Place {
            zoom: FIRST_ZOOM,
            centre: egui::pos2(within(at.x, half.x, all.x), within(at.y, half.y, all.y)),
        }
    }

    /// Works out colours when what they depend on has changed.
    fn look(&mut self, cx: &ViewCx<'_>, palette: &Palette) {
        let Some(scene) = &self.scene else { return };
        let (search, profile) = (&cx.interaction.search, cx.profile());
        let same =
            |l: &Looks| Arc::ptr_eq(&l.of, &scene.picture) && l.dark == palette.dark && l.search == *search;
        if self.looks.as_ref().is_some_and(same) {
            return;
        }
        let by = self.folding.by.unwrap_or(GroupBy::Module);
        let color = |i: u32| match &*by.group(profile, scene.node(i).symbol.function()) {
            "" => palette.idle().fill,
            name => palette.span_named(name).fill,
        };
        let pattern = Pattern::new(search);
        let found = pattern.as_ref().map(|p| p.functions(profile));
        let dimmed = found.map(|found| {
            let is_found = |i: u32| match scene.group(i) {
                Some(group) => group.members.iter().any(|f| found[f.index()]),
                None => found[scene.node(i).symbol.function().index()],
            };
            (0..scene.len()).map(|i| !is_found(i)).collect()
        });
        self.looks = Some(Looks {
            of: scene.picture.clone(),
            dark: palette.dark,
            search: search.clone(),
            groups: (0..scene.len()).map(color).collect(),
            dimmed: dimmed.unwrap_or_default(),
            pattern,
        });
    }

    fn select(&mut self, cx: &mut ViewCx<'_>, scene: &Scene, hit: Option<Hit>) {
        cx.select(hit.and_then(|hit| scene.item(hit, cx.profile())));
    }
}

/// A centre as near to `at` as shows no more than a margin beside the drawing; its middle where it fits.
fn within(at: f32, half: f32, all: f32) -> f32 {
    if all < 2.0 * half { all / 2.0 } else { at.clamp(half - 24.0, all - half + 24.0) }
}

fn extent(picture: &Picture) -> Vec2 {
    vec2(picture.drawn.width, picture.drawn.height)
}

/// Names the nodes in view for screen readers and tests.
fn accessible(ui: &Ui, id: egui::Id, paint: &Paint<'_>) {
    if ui.ctx().accesskit_node_builder(id, |_| ()).is_none() {
        return;
    }
    for (i, frame) in (0u32..).zip(paint.scene.frames()).take(MOST_NODES as usize) {
        let title = frame.with_max_y(frame.top() + TITLE);
        let rect = paint.lens.rect(title).intersect(paint.area);
        let Some(group) = paint.scene.frame(i).filter(|_| rect.is_positive()) else { continue };
        let part = ui.interact(rect, id.with(("frame", i)), Sense::hover());
        let name = format!("{} {}, open", group.label(), paint.amount(group.total, group.estimated));
        part.widget_info(|| WidgetInfo::labeled(Role::Group, true, name.as_str()));
    }
    for i in 0..paint.scene.len().min(MOST_NODES) {
        let rect = paint.lens.rect(paint.scene.rect(i, paint.now)).intersect(paint.area);
        if !rect.is_positive() {
            continue;
        }
        let part = ui.interact(rect, id.with(i), Sense::hover());
        let node = paint.scene.node(i);
        let name = format!("{} {}", paint.scene.label(i, paint.profile), paint.total_of(node));
        let selected = paint.selected == Some(Hit::Node(i));
        part.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, name.as_str()));
    }
}
