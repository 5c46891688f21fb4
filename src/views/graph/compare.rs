//! The dependency graph of two runs: one picture in which everything keeps its place, whichever run it shows.

use std::cmp::Reverse;
use std::sync::Arc;

use egui::{
    Color32, Key, Modifiers, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::camera::{Camera, Lens, Place};
use super::paint::arrow_head;
use super::scene::{distance, flattened};
use super::within;
use crate::analysis::diff::functions::{FunctionDiff, Row};
use crate::analysis::diff::graph::{DiffGraph, GraphDiff};
use crate::analysis::diff::{Compared, State, Two};
use crate::analysis::drawn::{DrawnEdge, NodeSizes};
use crate::analysis::graph_layout::Direction;
use crate::analysis::prune::Limits;
use crate::analysis::search::Pattern;
use crate::format;
use crate::query::Pair;
use crate::state::{Command, Item};
use crate::ui::hatch;
use crate::ui::icons::Icon;
use crate::ui::keyboard;
use crate::ui::text::{Elide, Face, LabelStyle, TextCache, TextKey};
use crate::ui::theme::{Palette, mix};
use crate::ui::widgets::{EmptyState, combo, segmented};
use crate::views::shared;
use crate::views::shared::changed;
use crate::views::shared::menu::{About, ContextMenu};
use crate::views::shared::pair::{self, Asked, Told};
use crate::views::{View, ViewCx};

/// How large nodes are drawn.
const SIZES: NodeSizes = NodeSizes { height: 460, widths: (1440, 2400), character: 72, beside: 260 };
/// Below this zoom nodes are boxes without words.
const WORDS: f32 = 0.4;
/// A drawing that fits at this zoom or a larger one is shown as a whole at first: its small letters have 9 points then …
const READABLE: f32 = 0.82;
/// … any other one in part, not smaller than this.
const FIRST_ZOOM: f32 = 0.95;
/// Nodes that screen readers hear about, at most.
const MOST_NODES: usize = 2000;

/// Which run's numbers stand in the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shows {
    /// The change.
    #[default]
    Change,
    /// The baseline; what it lacks is faint.
    Base,
    /// The new run; what it lacks is faint.
    Head,
}

/// Edges as lines, with the rectangles around them.
type Lines = Vec<(Rect, Vec<Pos2>)>;

/// The view.
pub struct DiffGraphView {
    shows: Shows,
    /// Least share of nodes, in thousandths.
    least: u16,
    /// Which way calls lead; `None` for the way that the pane has more room for.
    direction: Option<Direction>,
    camera: Camera,
    /// The drawing that the camera was fitted to, in a pane of this size.
    fitted: Option<(Arc<GraphDiff>, egui::Vec2)>,
    /// True when all of it is to be shown next, however small.
    whole: bool,
    lines: Option<(Arc<GraphDiff>, Lines)>,
    texts: TextCache,
    menu_at: Option<u32>,
}

impl DiffGraphView {
    /// A fresh one.
    pub fn new() -> Self {
        Self {
            shows: Shows::default(),
            least: Limits::default().nodes,
            direction: None,
            camera: Camera::default(),
            fitted: None,
            whole: false,
            lines: None,
            texts: TextCache::default(),
            menu_at: None,
        }
    }
}

impl View for DiffGraphView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        let Some(functions) = cx.ask_pair(&asked.functions, 1).content(ui, "Comparing functions") else {
            return;
        };
        let limits = Limits { nodes: self.least, edges: self.least / 2, ..Limits::default() };
        let mut drawings: Vec<(Direction, Arc<GraphDiff>)> = Vec::new();
        for (place, direction) in [(0, Direction::Down), (3, Direction::Right)] {
            if self.direction.is_some_and(|chosen| chosen != direction) {
                continue;
            }
            let query = DiffGraph { functions: asked.functions.clone(), limits, direction, sizes: SIZES };
            let answer = cx.ask_pair(&query, place);
            let Some(graph) = answer.content(ui, "Drawing both graphs") else { return };
            drawings.push((direction, graph));
        }
        let area = ui.available_rect_before_wrap();
        let zoom =
            |graph: &GraphDiff| Camera::fitting(area, vec2(graph.drawn.width, graph.drawn.height)).zoom;
        // Of two that fit alike calls lead down.
        let best = drawings.into_iter().rev().max_by(|a, b| zoom(&a.1).total_cmp(&zoom(&b.1)));
        let Some((direction, graph)) = best else { return };
        let (related, why) = pair::related_paths(cx, &asked, true, 2);
        self.header(cx, ui, &asked, (&graph, direction));
        pair::notices(cx, ui, &asked, &related, why.as_deref());
        if graph.drawn.nodes.is_empty() {
            EmptyState::new(Icon::Graph, "Nothing is large enough", "Choose a smaller least share.").show(ui);
            return;
        }
        let told = Told { asked: &asked, related: &related, whole: functions.whole };
        let scene = Scene { pair: &pair, told, functions: &functions, graph: &graph, shows: self.shows };
        self.canvas(cx, ui, &scene);
    }

    fn save(&self) -> serde_json::Value {
        serde_json::json!({ "shows": self.shows, "least": self.least, "direction": self.direction })
    }

    fn load(&mut self, saved: &serde_json::Value) {
        self.shows = shared::kept(saved, "shows").unwrap_or_default();
        self.least = shared::kept(saved, "least").unwrap_or(Limits::default().nodes);
        self.direction = shared::kept(saved, "direction").unwrap_or_default();
    }
}

struct Scene<'a> {
    pair: &'a Pair,
    told: Told<'a>,
    functions: &'a FunctionDiff,
    graph: &'a Arc<GraphDiff>,
    shows: Shows,
}

impl Scene<'_> {
    fn row(&self, i: u32) -> &Row {
        &self.functions.rows[self.graph.drawn.nodes[i as usize].row as usize]
    }

    fn name(&self, i: u32) -> std::borrow::Cow<'_, str> {
        pair::row_name(self.pair, self.row(i))
    }

    fn item(&self, i: u32) -> Option<Item> {
        self.row(i).symbol().map(Item::Function)
    }

    fn rect(&self, i: u32) -> Rect {
        let node = &self.graph.drawn.nodes[i as usize];
        Rect::from_center_size(pos2(node.at.x, node.at.y), node.size.into())
    }

    /// False for what the shown run lacks.
    fn is_there(&self, state: State) -> bool {
        !matches!((self.shows, state), (Shows::Base, State::New) | (Shows::Head, State::Gone))
    }

    fn strength(&self, costs: Two<i64>) -> f32 {
        pair::strength(self.told.related.factors.apply(costs)) as f32
    }

    /// The second line of a node.
    fn figures(&self, row: &Row) -> String {
        let total = row.total();
        let shown = self.told.related.factors.apply(total);
        let change = self.told.change(total);
        match self.shows {
            Shows::Base => self.told.side(total, true),
            Shows::Head => self.told.side(total, false),
            Shows::Change => match row.state() {
                State::Both if shown.change() == Some(0.0) => match self.told.asked.shares_only() {
                    true => "= the same share".to_owned(),
                    false => format!("= {}", self.told.side(total, false)),
                },
                State::Both if self.told.asked.shares_only() => change,
                State::Both => {
                    format!("{change} ({})", pair::relative(shown.relative_change(), State::Both))
                }
                only => format!("{} ({})", self.told.change_of(total, only), only.key()),
            },
        }
    }

    fn line(&self, what: &str, costs: Two<i64>, state: State) -> String {
        format!("{what} {}", self.told.line(costs, state))
    }

    fn edge_text(&self, e: &DrawnEdge) -> String {
        let ends = format!("{} → {}", self.name(e.from), self.name(e.to));
        let Some(of) = self.graph.calls(e.kind) else {
            return format!("{ends}\nthrough functions that are left out");
        };
        let count = |n: Option<i64>| n.map_or_else(|| format::UNKNOWN.to_owned(), format::count);
        let calls = match of.calls.state() {
            Some(_) => format!("\nCalls {} → {}", count(of.calls.base), count(of.calls.head)),
            None => String::new(),
        };
        format!("{ends}\n{}{calls}", self.line("Total", of.total, of.state))
    }
}

impl DiffGraphView {
    fn header(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        asked: &Asked,
        (graph, mut direction): (&GraphDiff, Direction),
    ) {
        shared::header(ui, |ui| {
            let shows = [(Shows::Change, "Change"), (Shows::Base, "Base"), (Shows::Head, "Head")];
            segmented(ui, "Which run the graph shows", &mut self.shows, &shows);
            let text = |n: u16| {
                if n == 0 {
                    "Functions: all".to_owned()
                } else {
                    format!("Functions: ≥ {} %", f32::from(n) / 10.0)
                }
            };
            let field = combo("diff graph least").selected_text(text(self.least)).show_ui(ui, |ui| {
                for n in [0, 1, 5, 10, 20, 50, 100] {
                    ui.selectable_value(&mut self.least, n, text(n));
                }
            });
            field.response.accessible_name("Least share in either run");
            let ways = [(Direction::Down, "↓"), (Direction::Right, "→")];
            if segmented(ui, "Direction of calls", &mut direction, &ways).changed() {
                self.direction = Some(direction);
            }
            if ui.button("Fit").clicked() {
                (self.fitted, self.whole) = (None, true);
            }
            pair::normalise(cx, ui, asked);
            changed::legend(ui);
            if graph.left_out > 0 {
                let n = format::counted(graph.left_out as i64, "function", "functions");
                pair::weak(ui, &format!("{n} too small in both runs"));
            }
        });
    }

    fn canvas(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, scene: &Scene<'_>) {
        let area = ui.available_rect_before_wrap();
        let response = ui.allocate_rect(area, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Dependency graph of both runs"));
        let size = vec2(scene.graph.drawn.width, scene.graph.drawn.height);
        let known =
            self.fitted.as_ref().is_some_and(|(of, at)| Arc::ptr_eq(of, scene.graph) && *at == area.size());
        if !known {
            self.camera.jump(match std::mem::take(&mut self.whole) {
                true => Camera::fitting(area, size),
                false => first_look(scene, area, size),
            });
            self.fitted = Some((scene.graph.clone(), area.size()));
        }
        if !self.lines.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, scene.graph)) {
            let lines = scene.graph.drawn.edges.iter().map(|e| flattened(&e.curve)).collect();
            self.lines = Some((scene.graph.clone(), lines));
        }
        self.camera.look_around(ui, &response);
        self.keys(ui, &response, size);
        if self.camera.step(ui.input(|i| i.stable_dt)) {
            ui.request_repaint();
        }
        let lens = Lens::new(self.camera.now(), area);
        let Some((_, lines)) = &self.lines else { return };
        let pointer = response.hover_pos().map(|p| lens.back(p));
        let node = pointer
            .and_then(|p| (0..scene.graph.drawn.nodes.len() as u32).find(|&i| scene.rect(i).contains(p)));
        let near = 5.0 / lens.zoom;
        let edge = pointer.filter(|_| node.is_none()).and_then(|p| {
            lines.iter().position(|(bounds, line)| {
                bounds.expand(near).contains(p) && line.windows(2).any(|s| distance(p, s[0], s[1]) < near)
            })
        });
        if let Some(item) = node.and_then(|i| scene.item(i)) {
            cx.out.hover = Some(item);
        }
        if response.clicked() {
            response.request_focus();
            cx.send(Command::Select(node.and_then(|i| scene.item(i))));
        }
        paint(cx, ui, scene, lines, &mut self.texts, (area, lens, node, edge));
        accessible(cx, ui, scene, (area, lens), &response);
        if response.secondary_clicked() {
            self.menu_at = node;
        }
        if let Some(i) = self.menu_at {
            let halves = scene.row(i).halves;
            let base = halves.head.is_none();
            if let Some(half) = halves.head.or(halves.base) {
                let subject = scene.pair.one(base);
                response.context_menu(|ui| {
                    let about = About { function: half.symbol.function(), path: None };
                    let mut side = cx.side(&subject, base);
                    ContextMenu::about(about).without_keys().show(&mut side, ui, |_, _| ());
                });
            }
        }
        let said = match (node, edge) {
            (Some(i), _) => {
                let row = scene.row(i);
                Some(format!(
                    "{}\n{}\nSelf {}",
                    scene.name(i),
                    scene.line("Total", row.total(), row.state()),
                    scene.told.of_self().line(row.own(), row.state())
                ))
            }
            (None, Some(e)) => Some(scene.edge_text(&scene.graph.drawn.edges[e])),
            _ => None,
        };
        if let Some(text) = said.filter(|_| !response.dragged()) {
            response.on_hover_text_at_pointer(text);
        }
    }

    /// Keys that move and zoom.
    fn keys(&mut self, ui: &Ui, response: &egui::Response, size: egui::Vec2) {
        let area = response.rect;
        keyboard::hold(ui, response, false);
        if !keyboard::listens(ui, response) {
            return;
        }
        let pressed = |key: Key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        for (key, factor) in [(Key::W, 1.4), (Key::S, 1.0 / 1.4)] {
            if pressed(key) {
                self.camera.glide(Camera::zoomed(self.camera.goal(), area, area.center(), factor));
            }
        }
        let step = 0.2 * area.width();
        for (key, by) in [
            (Key::A, vec2(-step, 0.0)),
            (Key::D, vec2(step, 0.0)),
            (Key::ArrowLeft, vec2(-step, 0.0)),
            (Key::ArrowRight, vec2(step, 0.0)),
            (Key::ArrowUp, vec2(0.0, -step)),
            (Key::ArrowDown, vec2(0.0, step)),
        ] {
            if pressed(key) {
                let mut place = self.camera.goal();
                place.centre += by / place.zoom;
                self.camera.glide(place);
            }
        }
        if pressed(Key::Num0) || pressed(Key::Home) {
            self.camera.glide(Camera::fitting(area, size));
        }
    }
}

/// All of the drawing where names can be read, otherwise the part around what changed most.
fn first_look(scene: &Scene<'_>, area: Rect, size: egui::Vec2) -> Place {
    let all = Camera::fitting(area, size);
    // What changed itself: callers change by as much, and tell less.
    let change = |&i: &u32| {
        let size = |costs: Two<i64>| {
            let change = scene.told.related.factors.apply(costs).change();
            change.unwrap_or(0.0).abs().min(1e18) as i64
        };
        (size(scene.row(i).own()), size(scene.row(i).total()), Reverse(i))
    };
    let most = (0..scene.graph.drawn.nodes.len() as u32).max_by_key(change);
    let Some(node) = most.filter(|_| all.zoom < READABLE) else { return all };
    let (half, at) = (area.size() / FIRST_ZOOM / 2.0, scene.rect(node).center());
    // Of the places that show it the one with most around it.
    let centre = |(x, y): (f32, f32)| {
        let to = at + vec2(x * half.x, y * half.y);
        pos2(within(to.x, half.x, size.x), within(to.y, half.y, size.y))
    };
    let seen = |centre: Pos2| {
        let seen = Rect::from_center_size(centre, half * 2.0);
        (0..scene.graph.drawn.nodes.len() as u32).filter(|&i| seen.contains_rect(scene.rect(i))).count()
    };
    let steps = [0.0, -0.3, 0.3, -0.6, 0.6];
    let places = steps.iter().flat_map(|&y| steps.map(|x| centre((x, y))));
    let fits = |place: &Pos2| Rect::from_center_size(*place, half * 2.0).contains_rect(scene.rect(node));
    let best = places.filter(fits).rev().max_by_key(|&place| seen(place));
    Place { zoom: FIRST_ZOOM, centre: best.unwrap_or_else(|| centre((0.0, 0.0))) }
}

fn paint(
    cx: &ViewCx<'_>,
    ui: &Ui,
    scene: &Scene<'_>,
    lines: &[(Rect, Vec<Pos2>)],
    texts: &mut TextCache,
    (area, lens, node, edge): (Rect, Lens, Option<u32>, Option<usize>),
) {
    let palette = Palette::of(ui);
    let painter = ui.painter().with_clip_rect(area);
    let better = scene.told.asked.better(scene.pair);
    painter.rect_filled(area, 0.0, palette.canvas);
    let more = |two: Two<i64>| two.base.unwrap_or(0).max(two.head.unwrap_or(0)) as f32;
    let whole = more(scene.functions.whole.total).max(1.0);
    let faint = |there: bool, color: Color32| if there { color } else { mix(palette.canvas, color, 0.25) };
    for (i, (e, (bounds, line))) in scene.graph.drawn.edges.iter().zip(lines).enumerate() {
        if !lens.rect(*bounds).expand(8.0).intersects(area) {
            continue;
        }
        let of = scene.graph.calls(e.kind);
        let (total, state) = of.map_or((Two::default(), State::Both), |of| (of.total, of.state));
        let share = (more(total) / whole).clamp(0.0, 1.0).sqrt();
        let width = (1.0 + 5.0 * share) * lens.zoom.sqrt().clamp(0.35, 1.3);
        let stands_out = edge == Some(i) || node.is_some_and(|n| n == e.from || n == e.to);
        let color = match (scene.shows, stands_out) {
            (_, true) => palette.accent,
            (Shows::Change, _) if of.is_some() && state.has_change() => {
                palette.diff(scene.strength(total), better)
            }
            _ => mix(palette.line, palette.text_weak, 0.3 + 0.6 * share),
        };
        let color = faint(scene.is_there(state), color);
        let mut points: Vec<Pos2> = line.iter().map(|&p| lens.point(p)).collect();
        if lens.zoom > 0.25 {
            painter.extend(arrow_head(&mut points, (4.0 + 1.4 * width) * lens.zoom.clamp(0.5, 1.2), color));
        }
        let stroke = Stroke::new(width.max(0.6), color);
        if of.is_none() || state != State::Both {
            painter.extend(Shape::dashed_line(&points, stroke, if of.is_none() { 2.0 } else { 6.0 }, 4.0));
        } else {
            painter.add(Shape::line(points, stroke));
        }
    }
    let found = Pattern::new(&cx.interaction.search)
        .map(|p| [p.functions(&scene.pair.base.profile), p.functions(&scene.pair.head.profile)]);
    let selected = cx.interaction.selection.as_ref().and_then(Item::symbol);
    let hovered = cx.hover.and_then(Item::symbol);
    let mut texts = texts.begin(&painter);
    for i in 0..scene.graph.drawn.nodes.len() as u32 {
        let rect = lens.rect(scene.rect(i));
        if !rect.intersects(area) {
            continue;
        }
        let row = scene.row(i);
        let is_found = found.as_ref().is_none_or(|[base, head]| {
            row.halves.base.is_some_and(|h| base[h.symbol.function().index()])
                || row.halves.head.is_some_and(|h| head[h.symbol.function().index()])
        });
        let full = match scene.shows {
            Shows::Change => {
                changed::fill(palette, scene.told.related.factors.apply(row.total()), row.state(), better)
            }
            Shows::Base | Shows::Head => palette.raised,
        };
        let fill = if is_found { full } else { palette.dimmed(full) };
        let stands_out = is_found && scene.is_there(row.state());
        let fill = faint(scene.is_there(row.state()), fill);
        let symbol = scene.item(i).and_then(|item| item.symbol());
        let border = if symbol.is_some() && symbol == selected {
            Stroke::new(2.0, palette.accent)
        } else if node == Some(i) || symbol.is_some() && symbol == hovered {
            Stroke::new(2.0, palette.text_strong)
        } else {
            Stroke::new(1.0, palette.line_strong)
        };
        let radius = 5.0 * lens.zoom.min(1.0);
        painter.rect(rect, radius, fill, border, StrokeKind::Inside);
        if let Some(stripes) = changed::stripes(palette, row.state()) {
            let mut mesh = egui::Mesh::default();
            hatch::add(&mut mesh, rect.shrink(2.0), stripes);
            painter.add(Shape::mesh(mesh));
        }
        if lens.zoom < WORDS {
            continue;
        }
        let ink = if stands_out { palette.text_on(fill) } else { palette.quiet_on(fill) };
        let size = |points: f32| ((points * lens.zoom * 2.0).round() / 2.0).clamp(5.0, 26.0);
        let line = |from: f32, to: f32| {
            Rect::from_min_max(
                pos2(rect.left() + 4.0, rect.top() + from * lens.zoom),
                pos2(rect.right() - 4.0, rect.top() + to * lens.zoom),
            )
        };
        let label = scene.name(i);
        let style = LabelStyle { face: Face::Strong, size: size(12.5), elide: Elide::Middle };
        let text = texts.label(line(4.0, 23.0), TextKey::of(&label), style, ink, || label.clone());
        painter.extend(changed::on_box(text, fill, row.state()));
        let figures = scene.figures(row);
        let style = LabelStyle::new(size(11.0));
        let text =
            texts.label(line(23.0, 42.0), TextKey::of(&figures), style, ink, || figures.clone().into());
        painter.extend(changed::on_box(text, fill, row.state()));
    }
}

/// Names nodes for screen readers and tests.
fn accessible(
    cx: &ViewCx<'_>,
    ui: &Ui,
    scene: &Scene<'_>,
    (area, lens): (Rect, Lens),
    response: &egui::Response,
) {
    if ui.ctx().accesskit_node_builder(response.id, |_| ()).is_none() {
        return;
    }
    for i in (0..scene.graph.drawn.nodes.len() as u32).take(MOST_NODES) {
        let rect = lens.rect(scene.rect(i)).intersect(area);
        if !rect.is_positive() {
            continue;
        }
        let node = ui.interact(rect, response.id.with(("node", i)), Sense::hover());
        let text = format!("{} {}", scene.name(i), scene.figures(scene.row(i)));
        let selected = cx.interaction.selection.is_some() && scene.item(i) == cx.interaction.selection;
        node.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, text.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::profile;
    use crate::query::Subject;
    use crate::ui::software::Headless;
    use crate::views::testing::Stage;

    fn drawn(base: &str, head: &str, size: egui::Vec2) -> Stage<DiffGraphView> {
        let Stage { subject, kind, .. } = Stage::pair("graph", profile(base), profile(head));
        let Subject::Pair(pair) = subject else { unreachable!("it is a pair") };
        let mut stage = Stage::of(kind, Box::new(DiffGraphView::new()), Subject::Pair(pair));
        let mut screen = Headless::new(size, 1.0, egui::Theme::Light).unwrap();
        for _ in 0..3 {
            screen.pass(Vec::new(), |ui| stage.ui(ui));
        }
        stage
    }

    #[test]
    fn ten_functions_beside_each_other_can_be_read_at_once() {
        let fan = |last: i64| {
            let leaf = |i: i64| format!("main>function_number_{i} {}", if i == 9 { last } else { 50 });
            (0..10).map(leaf).collect::<Vec<_>>().join("; ")
        };
        for size in [vec2(1024.0, 520.0), vec2(1600.0, 880.0), vec2(640.0, 400.0)] {
            let stage = drawn(&fan(50), &fan(400), size);
            let zoom = stage.view.camera.now().zoom;
            assert!(zoom >= READABLE, "{size}: letters at {zoom}");
            let (graph, _) = stage.view.fitted.as_ref().unwrap();
            let pair = stage.subject.pair().unwrap();
            let functions =
                stage.engine.now(pair, &crate::analysis::testing::all_functions(), &crate::jobs::Job::new());
            let functions = functions.unwrap();
            let grew =
                graph.drawn.nodes.iter().position(|n| functions.rows[n.row as usize].own().delta() > Some(0));
            let at = graph.drawn.nodes[grew.unwrap()].at;
            let centre = stage.view.camera.now().centre;
            let seen = (at.x - centre.x).abs() * zoom < size.x / 2.0
                && (at.y - centre.y).abs() * zoom < size.y / 2.0;
            assert!(seen, "{size}: what changed most is seen");
        }
    }
}
