//! Every view works without a pointer and without a picture: what can be clicked has a name and is reached by
//! the Tab key (rows and boxes by arrows), and one sees where the keyboard is.

use super::VIEWS;
use super::fixture::session;
use super::testing::Stage;
use crate::model::Profile;
use crate::state::{Command, Item};
use egui::accesskit::{Action, Node, NodeId, Role};
use egui::{Context, Event, Key, Modifiers, RawInput, Rect, Theme, vec2};
use std::collections::{BTreeMap, BTreeSet};

/// A view on a screen, with what a screen reader hears of it.
struct Screen {
    ctx: Context,
    stage: Stage,
    time: f64,
    nodes: BTreeMap<NodeId, Node>,
    focus: NodeId,
    shapes: Vec<egui::epaint::ClippedShape>,
}

impl Screen {
    fn new(view: &str, profile: Profile) -> Self {
        let ctx = Context::default();
        ctx.enable_accesskit();
        crate::ui::theme::install(&ctx);
        ctx.set_theme(Theme::Dark);
        let (nodes, shapes) = (BTreeMap::new(), Vec::new());
        let stage = Stage::new(view, profile);
        let mut screen = Self { ctx, stage, time: 0.0, nodes, focus: NodeId(0), shapes };
        screen.pass(Vec::new());
        // What is selected has details, and is marked.
        let profile = screen.stage.subject.profile().clone();
        let track = profile.track_ids().filter(|&t| !profile.track(t).spans.rows.is_empty()).last();
        let span = track.and_then(|track| Item::of_span(track, 0, &profile));
        let item = span.unwrap_or_else(|| Item::of_function(crate::model::FunctionId(0), &profile));
        screen.stage.send(Command::Select(Some(item)));
        (0..4).for_each(|_| screen.pass(Vec::new()));
        screen
    }

    fn pass(&mut self, events: Vec<Event>) {
        self.time += 1.0;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, vec2(1100.0, 800.0))),
            time: Some(self.time),
            predicted_dt: 1.0,
            focused: true,
            events,
            ..Default::default()
        };
        let stage = &mut self.stage;
        let mut output = self.ctx.run_ui(input, |ui| {
            egui::CentralPanel::no_frame().show(ui, |ui| stage.ui(ui));
        });
        output.textures_delta.clear();
        if let Some(update) = output.platform_output.accesskit_update.take() {
            self.nodes = update.nodes.into_iter().collect();
            self.focus = update.focus;
        }
        self.shapes = output.shapes;
    }

    fn tab(&mut self) {
        let press = |pressed| Event::Key {
            key: Key::Tab,
            physical_key: None,
            pressed,
            repeat: false,
            modifiers: Modifiers::NONE,
        };
        self.pass(vec![press(true), press(false)]);
        // The focus moves at the end of a pass, and what opens for it opens in the next.
        (0..2).for_each(|_| self.pass(Vec::new()));
    }

    fn name(&self, id: NodeId) -> String {
        let Some(node) = self.nodes.get(&id) else { return String::new() };
        let by =
            node.labelled_by().iter().filter_map(|l| self.nodes.get(l)?.value().or(self.nodes[l].label()));
        let label = node.label().or(node.value()).map(str::to_owned).into_iter();
        label.chain(by.map(str::to_owned)).next().unwrap_or_default()
    }
}

fn profiles() -> Vec<(&'static str, Profile)> {
    let bytes = include_bytes!("../../sample_profiles/pstats/recursion-cycles-py311.prof");
    let graph = crate::import::testing::open_bytes(bytes).expect("a sample that opens");
    vec![("session", session()), ("graph", graph)]
}

/// What a view has wrong.
fn problems(view: &str, of: &str, profile: Profile) -> Vec<String> {
    let mut screen = Screen::new(view, profile);
    let mut wrong = BTreeSet::new();
    let mut say = |text: String| wrong.insert(format!("{view} of {of}: {text}"));
    // Scroll bars are for the pointer: keys scroll to what they reach.
    let bar = |n: &Node| n.role() == Role::ScrollBar;
    for (id, node) in screen.nodes.iter().filter(|(_, n)| !bar(n)) {
        let used = node.supports_action(Action::Click) || node.supports_action(Action::Focus);
        if used && screen.name(*id).trim().is_empty() {
            say(format!("a {:?} at {:?} has no name", node.role(), node.bounds()));
        }
    }
    // Arrows reach these; a label is text that can be marked, not a control.
    let arrows = [Role::Row, Role::Cell, Role::DisclosureTriangle, Role::Label];
    let wanted: BTreeMap<NodeId, String> = screen
        .nodes
        .iter()
        .filter(|(_, n)| n.supports_action(Action::Click) && !n.is_disabled())
        .filter(|(_, n)| !bar(n) && !arrows.contains(&n.role()))
        .map(|(id, n)| (*id, format!("{:?} {}", n.role(), screen.name(*id))))
        .collect();
    let mut reached = BTreeSet::new();
    let mut blind = screen.shapes.clone();
    for _ in 0..wanted.len() + 60 {
        screen.tab();
        let name = screen.name(screen.focus);
        let role = screen.nodes.get(&screen.focus).map(Node::role);
        if role.is_some_and(|r| r != Role::Window) {
            if name.trim().is_empty() {
                say(format!("Tab stops at a {role:?} without a name"));
            }
            if screen.shapes == blind {
                say(format!("one does not see that the keyboard is on {role:?} «{name}»"));
            }
            if !reached.insert(screen.focus) && reached.len() > wanted.len() {
                break;
            }
        }
        blind.clone_from(&screen.shapes);
    }
    for (_, name) in wanted.iter().filter(|(id, _)| !reached.contains(*id)) {
        say(format!("Tab does not reach {name}"));
    }
    if reached.is_empty() {
        say("nothing takes the keyboard".to_owned());
    }
    wrong.into_iter().collect()
}

#[test]
fn all_that_can_be_clicked_has_a_name_and_is_reached_by_keys() {
    let mut wrong = Vec::new();
    for (of, profile) in profiles() {
        for view in VIEWS.iter().filter(|v| (v.needs)(&profile).is_ok()) {
            wrong.extend(problems(view.id, of, profile.clone()));
        }
    }
    assert!(wrong.is_empty(), "{} problems\n{}", wrong.len(), wrong.join("\n"));
}
