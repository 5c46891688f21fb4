//! Pointer, keys, the menu and the tooltip of the drawing.

use egui::{Key, Modifiers, Response, RichText, Ui};

use super::camera::{Camera, Lens};
use super::paint::Paint;
use super::scene::{Hit, Scene, Step};
use super::{GraphView, extent, folds};
use crate::analysis::drawn::EdgeKind;
use crate::analysis::graph_layout::Direction;
use crate::format;
use crate::state::Command;
use crate::ui::keyboard;
use crate::ui::theme::{Palette, strong};
use crate::views::{ViewCx, shared, shared::menu};

/// How much one key press zooms.
const KEY_ZOOM: f32 = 1.3;

impl GraphView {
    /// Reads all input; returns what the pointer is on.
    pub(super) fn input(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        response: &Response,
        scene: &Scene,
        selected: Option<Hit>,
    ) -> Option<Hit> {
        let (area, now) = (response.rect, ui.input(|i| i.time));
        self.camera.look_around(ui, response);
        let lens = Lens::new(self.camera.now(), area);
        let at = response.hover_pos();
        let hovered = at.filter(|_| !response.dragged()).and_then(|at| scene.hit(lens, at, now));
        if let Some(item) = hovered.and_then(|hit| scene.item(hit, cx.profile())) {
            cx.out.hover = Some(item);
        }
        if response.secondary_clicked() {
            self.menu_at = hovered;
        }
        if response.clicked() {
            response.request_focus();
            match hovered {
                Some(Hit::Frame(i)) => {
                    scene.frame(i).into_iter().for_each(|group| self.turn(cx, group));
                }
                _ => self.select(cx, scene, hovered),
            }
        }
        if response.double_clicked()
            && let Some(Hit::Node(i)) = hovered
        {
            self.enter(cx, scene, i);
        }
        self.menu(cx, response, scene);
        if response.has_focus() {
            self.keys(cx, ui, response, scene, selected);
        }
        hovered
    }

    fn keys(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        response: &Response,
        scene: &Scene,
        selected: Option<Hit>,
    ) {
        let area = response.rect;
        keyboard::hold(ui, response, false);
        let pressed = |modifiers, key| ui.input_mut(|i| i.consume_key(modifiers, key));
        if pressed(Modifiers::ALT, Key::ArrowLeft) || pressed(Modifiers::NONE, Key::Backspace) {
            self.walk(cx, false);
            return;
        }
        if pressed(Modifiers::ALT, Key::ArrowRight) {
            self.walk(cx, true);
            return;
        }
        for (key, factor) in [(Key::Plus, KEY_ZOOM), (Key::Equals, KEY_ZOOM), (Key::Minus, 1.0 / KEY_ZOOM)] {
            if pressed(Modifiers::NONE, key) {
                let place = Camera::zoomed(self.camera.goal(), area, area.center(), factor);
                self.camera.glide(place);
            }
        }
        if pressed(Modifiers::NONE, Key::Num0) || pressed(Modifiers::NONE, Key::Home) {
            self.camera.glide(Camera::fitting(area, extent(&scene.picture)));
        }
        if pressed(Modifiers::NONE, Key::Escape) {
            cx.send(Command::Select(None));
            return;
        }
        let node = match selected {
            Some(Hit::Node(i)) => Some(i),
            Some(Hit::Edge(e)) => Some(scene.picture.drawn.edges[e as usize].to),
            Some(Hit::Frame(_)) | None => None,
        };
        let steps = match self.direction {
            Direction::Down => [Step::Caller, Step::Callee, Step::Before, Step::After],
            Direction::Right => [Step::Before, Step::After, Step::Caller, Step::Callee],
        };
        for (key, step) in
            [Key::ArrowUp, Key::ArrowDown, Key::ArrowLeft, Key::ArrowRight].into_iter().zip(steps)
        {
            if pressed(Modifiers::NONE, key) {
                // The first step goes to the node that matters most.
                let next = node.map_or(Some(0), |n| scene.step(n, step, self.direction));
                if let Some(next) = next.filter(|&n| n < scene.len()) {
                    self.select(cx, scene, Some(Hit::Node(next)));
                    self.reveal(scene, next);
                }
                return;
            }
        }
        if let Some(node) = node {
            let function = scene.node(node).symbol.function();
            if pressed(Modifiers::SHIFT, Key::Enter) {
                if let Some(&group) = folds::around(scene, node, function).first() {
                    self.turn(cx, group);
                }
            } else if pressed(Modifiers::NONE, Key::Enter) {
                self.enter(cx, scene, node);
            }
            menu::keys(cx, menu::About { function, path: None }, ui);
        }
    }

    fn menu(&mut self, cx: &mut ViewCx<'_>, response: &Response, scene: &Scene) {
        let Some(hit) = self.menu_at else { return };
        let node = match hit {
            Hit::Frame(i) => {
                response.context_menu(|ui| {
                    let Some(group) = scene.frame(i) else { return };
                    if ui.button(format!("Fold {}", group.label())).clicked() {
                        self.turn(cx, group);
                        ui.close();
                    }
                });
                return;
            }
            Hit::Node(i) if i < scene.len() => i,
            Hit::Edge(e) if (e as usize) < scene.picture.drawn.edges.len() => {
                scene.picture.drawn.edges[e as usize].to
            }
            _ => return,
        };
        let function = scene.node(node).symbol.function();
        response.context_menu(|ui| {
            let about = menu::About { function, path: None };
            menu::ContextMenu::about(about).show(cx, ui, |cx, ui| {
                match scene.group(node) {
                    Some(group) => {
                        if menu::entry(ui, &format!("Open {}", group.label()), "Enter", "") {
                            self.turn(cx, group);
                        }
                    }
                    None => {
                        if menu::entry(ui, "Draw around this function", "Enter", "") {
                            self.make_active(cx.profile().keys().symbol(function));
                        }
                    }
                }
                for (i, group) in folds::around(scene, node, function).into_iter().enumerate() {
                    let key = if i == 0 { "Shift+Enter" } else { "" };
                    if menu::entry(ui, &format!("Fold {}", group.label()), key, "") {
                        self.turn(cx, group);
                    }
                }
            });
        });
    }
}

/// What a node or an edge is, with all its numbers.
pub(super) fn tooltip(ui: &mut Ui, paint: &Paint<'_>, hit: Hit) {
    let palette = Palette::of(ui);
    let picture = &paint.scene.picture;
    let title = |ui: &mut Ui, text: String| {
        ui.label(RichText::new(text).font(strong(13.0)).color(palette.text_strong));
    };
    let line = |ui: &mut Ui, text: String| {
        ui.label(RichText::new(text).color(palette.text_weak));
    };
    let cost = |cost: i64, estimated: bool| {
        let share =
            if picture.graph.whole.total > 0 { cost as f64 / picture.graph.whole.total as f64 } else { 0.0 };
        let about = if estimated { "≈ " } else { "" };
        format!("{about}{} ({})", format::cost(paint.unit, cost), format::percent(share))
    };
    let calls = |calls: crate::model::Calls| {
        let mut text = format::counted(calls.all as i64, "call", "calls");
        if calls.primitive != calls.all {
            text += &format!(", {} of them not by recursion", format::count(calls.primitive as i64));
        }
        text
    };
    match hit {
        Hit::Node(i) => {
            let node = paint.scene.node(i);
            let group = paint.scene.group(i);
            title(ui, paint.scene.label(i, paint.profile).chars().take(200).collect());
            match group {
                Some(group) => {
                    folds::about(paint.profile, group).into_iter().for_each(|text| line(ui, text));
                }
                None => {
                    let place = shared::place(paint.profile, node.symbol.function());
                    if !place.is_empty() {
                        line(ui, place);
                    }
                }
            }
            let known =
                |value| if node.measured { cost(value, node.estimated) } else { format::UNKNOWN.to_owned() };
            line(ui, format!("total {}", known(node.total)));
            line(ui, format!("self {}", known(node.own)));
            let from = if group.is_some() { " from outside" } else { "" };
            node.calls.into_iter().for_each(|c| line(ui, calls(c) + from));
            if let Some(samples) = node.samples {
                line(ui, format::counted(samples as i64, "sample", "samples"));
            }
            let by_itself = picture.drawn.edges.iter().find(|e| (e.from, e.to) == (i, i)).map(|e| e.kind);
            if let Some(EdgeKind::Calls(e)) = by_itself {
                let count = picture.graph.edges[e as usize]
                    .calls
                    .map(|c| format!("{} × ", format::count(c.all as i64)));
                line(
                    ui,
                    format!("calls itself: {}within its total, not added to it", count.unwrap_or_default()),
                );
            }
            let kept = picture.drawn.nodes[i as usize];
            for (n, what) in [(kept.more_callers, "caller"), (kept.more_callees, "callee")] {
                if n > 0 {
                    let many = format!("{what}s");
                    line(ui, format!("{} not drawn", format::counted(i64::from(n), what, &many)));
                }
            }
            let double = if group.is_some() { "opens it" } else { "draws the graph around it" };
            line(ui, format!("Double-click {double}."));
        }
        Hit::Frame(i) => {
            let Some(group) = paint.scene.frame(i) else { return };
            title(ui, group.label().chars().take(200).collect());
            folds::about(paint.profile, group).into_iter().for_each(|text| line(ui, text));
            line(ui, format!("total {}", cost(group.total, group.estimated)));
            line(ui, format!("self {}", cost(group.own, false)));
            line(ui, "A click folds it into one node.".to_owned());
        }
        Hit::Edge(i) => {
            let edge = &picture.drawn.edges[i as usize];
            let name = |i: u32| paint.scene.label(i, paint.profile).chars().take(80).collect::<String>();
            title(ui, format!("{} → {}", name(edge.from), name(edge.to)));
            match edge.kind {
                EdgeKind::Calls(e) => {
                    let e = &picture.graph.edges[e as usize];
                    let total = e.total.map_or_else(
                        || "cost along this edge: –".to_owned(),
                        |t| format!("total {}", cost(t, e.estimated)),
                    );
                    line(ui, total);
                    e.own
                        .into_iter()
                        .for_each(|own| line(ui, format!("self of the callee {}", cost(own, false))));
                    e.calls.into_iter().for_each(|c| line(ui, calls(c)));
                    if let Some(samples) = e.samples {
                        line(ui, format::counted(samples as i64, "sample", "samples"));
                    }
                }
                EdgeKind::Elided(n) => {
                    let text = format::counted(i64::from(n.max(1)), "function that is", "functions that are");
                    line(ui, format!("not a direct call: the way leads through {text} not drawn"));
                }
            }
        }
    }
}
