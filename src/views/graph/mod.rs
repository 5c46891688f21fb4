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
use super::shared::{self, Follow};
use crate::analysis::call_graph::Calling;
use crate::analysis::folding::Folding;
use crate::analysis::graph_layout::Direction;
use crate::analysis::graph_layout::frames::TITLE;
use crate::analysis::graph_picture::{GraphPicture, Picture};
use crate::analysis::groups::GroupBy;
use crate::analysis::prune::Limits;
use crate::analysis::search::Pattern;
use crate::model::{Profile, SymbolKey};
use crate::state::{Command, Item};
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

/// At first a drawing is not shown smaller than this, even if it does not fit.
const FIRST_ZOOM: f32 = 0.75;
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
    follow: Follow,
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
        let answer = cx.ask(&question, 0);
        let Some(picture) = cx.value(ui, &answer, "Drawing the graph") else { return };
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
    fn follow_selection(&mut self, cx: &ViewCx<'_>) {
        if !self.follow.news(cx) {
            return;
        }
        let Some(item) = self.follow.item() else { return };
        let Some(function) = item.symbol() else { return };
        let hit = self.scene.as_ref().and_then(|s| Some((s, s.find(item, cx.profile())?)));
        if let Some((scene, Hit::Node(i))) = hit {
            let rect = scene.rect(i, f64::MAX);
            self.camera.glide(Camera::revealing(self.camera.goal(), self.last_area(), rect));
        } else if hit.is_none() && self.mode == Mode::Around {
            self.make_active(function);
        } else if hit.is_none() && self.active.is_none() {
            self.active = Some(function);
        }
    }

    /// The pane's size in the last frame, for what is decided before it is known again.
    fn last_area(&self) -> Rect {
        Rect::from_min_size(egui::Pos2::ZERO, self.area_size)
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
        self.area_size = area.size();
        let response = ui.interact(area, id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Dependency graph"));
        let now = ui.input(|i| i.time);
        self.take(picture, cx.profile(), area, now);
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

    /// Takes a new picture: what stays moves, and the camera goes with it.
    fn take(&mut self, picture: &Arc<Picture>, profile: &Profile, area: Rect, now: f64) {
        let old = self.scene.take();
        if let Some(old) = old {
            if Arc::ptr_eq(&old.picture, picture) {
                self.scene = Some(old);
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
            }
        } else {
            let scene = Scene::new(picture.clone(), None, profile, now);
            self.first_look(&scene, area, false);
            self.scene = Some(scene);
        }
        if std::mem::take(&mut self.fit) {
            self.camera.glide(Camera::fitting(area, extent(picture)));
        }
    }

    /// All of the drawing, or as much as can be read around the node that matters most.
    fn first_look(&mut self, scene: &Scene, area: Rect, glide: bool) {
        let mut place = Camera::fitting(area, extent(&scene.picture));
        if place.zoom < FIRST_ZOOM && scene.len() > 0 {
            place.zoom = FIRST_ZOOM;
            let (half, all) = (area.size() / place.zoom / 2.0, extent(&scene.picture));
            let first = scene.goal(0);
            let within = |at: f32, half: f32, all: f32| {
                if all < 2.0 * half { all / 2.0 } else { at.clamp(half - 24.0, all - half + 24.0) }
            };
            place.centre = egui::pos2(within(first.x, half.x, all.x), within(first.y, half.y, all.y));
            // A whole profile is read from where it begins.
            match self.direction {
                _ if self.mode == Mode::Around => {}
                Direction::Down => place.centre.y = within(0.0, half.y, all.y),
                Direction::Right => place.centre.x = within(0.0, half.x, all.x),
            }
        }
        if glide {
            self.camera.glide(place);
        } else {
            self.camera.jump(place);
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
        let found = Pattern::new(search).map(|p| p.functions(profile));
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
        });
    }

    fn select(&mut self, cx: &mut ViewCx<'_>, scene: &Scene, hit: Option<Hit>) {
        match hit.and_then(|hit| scene.item(hit, cx.profile())) {
            Some(item) => self.follow.select(cx, item),
            None => cx.send(Command::Select(None)),
        }
    }
}

fn extent(picture: &Picture) -> Vec2 {
    vec2(picture.placed.width, picture.placed.height)
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
