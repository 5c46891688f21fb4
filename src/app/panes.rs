//! The docked panes: which views are open, where, and their state per run.

use std::collections::{BTreeSet, HashMap};

use egui_tiles::{
    Behavior as _, Container, SimplificationOptions, TabState, TileId, Tiles, Tree, UiResponse,
};

use super::pane::{Held, Window};
use super::pane_tabs::{Colors, Tabs, Wanted, buttons, tab};
use super::samples;
use crate::analysis::prices::Prices;
use crate::analysis::source_file::SourceRule;
use crate::format;
use crate::import::Input;
use crate::model::MetricKey;
use crate::query::{Engine, RunId, Subject, SubjectId};
use crate::state::Interaction;
use crate::ui::icons::Icon;
use crate::ui::theme::Palette;
use crate::ui::widgets::EmptyState;
use crate::views::shared::badge;
use crate::views::shared::menu::ContextMenu;
use crate::views::{self, OneOfBaselines, OtherRun, Out, ViewCx, ViewKind, Wish};
use egui::{Popup, PopupAnchor, PopupKind, SetOpenCommand};

/// An open pane. What it shows is named by the view's id, so that a saved layout survives new versions.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Pane {
    view: String,
    number: u64,
}

impl Pane {
    /// One that shows a view; its number is unique among open panes.
    pub(super) fn new(kind: &ViewKind, number: u64) -> Self {
        Self { view: kind.id.into(), number }
    }
}

/// A layout and the views in it.
pub struct Panes {
    tree: Tree<Pane>,
    next: u64,
    /// One view per subject and pane, so that each keeps its own zoom and scroll.
    views: HashMap<(SubjectId, u64), Held>,
    /// The time that linked panes show, for each subject.
    windows: HashMap<SubjectId, Window>,
    /// Panes that keep the time they show to themselves.
    unlinked: BTreeSet<u64>,
    /// The pane that was clicked last.
    current: Option<u64>,
    /// True for views that were chosen for a picture, which stay beside each other.
    fixed: bool,
    /// The pane that takes all of the room.
    maximised: Option<u64>,
    /// The subject whose views were brought to the front.
    fitted: Option<SubjectId>,
    /// What the wanted pane painted.
    pub(super) captured: Option<Captured>,
}

/// What panes share during one frame.
pub struct Frame<'a> {
    /// Answers queries.
    pub engine: &'a Engine,
    /// What is shown.
    pub subject: &'a Subject,
    /// The shown run's file.
    pub input: Option<&'a Input>,
    /// The baseline's file.
    pub base_input: Option<&'a Input>,
    /// What baseline and shown run are called.
    pub names: [&'a str; 2],
    /// All baselines that are not hidden, where there are several.
    pub baselines: &'a [OneOfBaselines],
    /// The latest of the other open runs.
    pub others: &'a [OtherRun],
    /// The shared view state.
    pub interaction: &'a Interaction,
    /// Metrics that the person defined and the shown profile can have.
    pub defined: &'a [MetricKey],
    /// Where source files are that profiles name otherwise.
    pub sources: &'a [SourceRule],
    /// By which requests are priced.
    pub prices: &'a Prices,
    /// What views asked for in the last frame.
    pub before: &'a Out,
    /// True while the run is being recorded.
    pub live: bool,
    /// Number of a pane whose painting is wanted.
    pub capture: Option<u64>,
}

/// What a pane painted in a frame.
pub(super) struct Captured {
    pub(super) shapes: Vec<egui::epaint::ClippedShape>,
    pub(super) area: egui::Rect,
}

/// In less room than this the panes are one with tabs.
const SMALL: (f32, f32) = (640.0, 380.0);
/// Most levels and tiles of a layout.
const MOST_LEVELS: usize = 32;
const MOST_TILES: usize = 500;

/// True when every tile has one place and no more: a file that somebody else made may name a tile twice, or as a part
/// of itself, and what draws the tiles would not end.
fn is_tree(tree: &Tree<Pane>) -> bool {
    let mut seen = std::collections::HashSet::new();
    let mut open: Vec<(TileId, usize)> = tree.root().map(|root| (root, 0)).into_iter().collect();
    while let Some((id, level)) = open.pop() {
        if level > MOST_LEVELS || seen.len() > MOST_TILES || !seen.insert(id) {
            return false;
        }
        if let Some(egui_tiles::Tile::Container(container)) = tree.tiles.get(id) {
            open.extend(container.children().map(|&child| (child, level + 1)));
        }
    }
    true
}

impl Panes {
    /// Panes whose views are made when they are first shown; `next` is the largest number of a pane.
    pub(super) fn new(tree: Tree<Pane>, next: u64) -> Self {
        Self {
            tree,
            next,
            views: HashMap::new(),
            windows: HashMap::new(),
            unlinked: BTreeSet::new(),
            current: None,
            fixed: false,
            maximised: None,
            fitted: None,
            captured: None,
        }
    }

    /// The same for a picture of just these views.
    #[must_use]
    pub(super) fn fixed(self) -> Self {
        Self { fixed: true, ..self }
    }

    /// The layout as saved text.
    #[must_use]
    pub fn save(&self) -> Option<serde_json::Value> {
        serde_json::to_value((&self.tree, self.next, &self.unlinked)).ok()
    }

    /// A saved layout; `None` when it cannot be read or shows no view that exists.
    #[must_use]
    pub fn load(saved: &serde_json::Value) -> Option<Self> {
        // Layouts of the first versions have two parts.
        let (mut tree, next, unlinked): (Tree<Pane>, u64, BTreeSet<u64>) =
            serde_json::from_value(saved.clone()).ok().or_else(|| {
                let (tree, next) = serde_json::from_value(saved.clone()).ok()?;
                Some((tree, next, BTreeSet::new()))
            })?;
        if !is_tree(&tree) {
            return None;
        }
        let gone: Vec<TileId> = tree
            .tiles
            .iter()
            .filter(|(_, tile)| matches!(tile, egui_tiles::Tile::Pane(p) if views::view(&p.view).is_none()))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            tree.tiles.remove(id);
        }
        let any = tree.tiles.iter().any(|(_, tile)| tile.is_pane());
        any.then(|| Self { unlinked, ..Self::new(tree, next) })
    }

    /// True when the view is open and in front of its tabs.
    #[must_use]
    pub fn is_open(&self, kind: &ViewKind) -> bool {
        self.number_of(kind).is_some()
    }

    /// Brings the view to the front, opening it when it is not there.
    pub fn show(&mut self, kind: &ViewKind) {
        if !self.is_open(kind) {
            self.next += 1;
            let pane = self.tree.tiles.insert_pane(Pane::new(kind, self.next));
            match self.largest_tabs() {
                Some(tabs) => {
                    if let Some(egui_tiles::Tile::Container(Container::Tabs(tabs))) =
                        self.tree.tiles.get_mut(tabs)
                    {
                        tabs.add_child(pane);
                        tabs.set_active(pane);
                    }
                }
                None => {
                    let tabs = self.tree.tiles.insert_tab_tile(vec![pane]);
                    self.tree.root = Some(tabs);
                }
            }
        }
        self.tree.make_active(|_, tile| matches!(tile, egui_tiles::Tile::Pane(p) if p.view == kind.id));
        self.current = self.number_of(kind);
        if self.maximised.is_some() {
            self.maximised = self.current;
        }
    }

    /// Makes a pane the current one, as a click on it does.
    pub fn make_current(&mut self, number: Option<u64>) {
        self.current = number;
    }

    /// The view in front of the tabs where the view is, or would be opened.
    #[must_use]
    pub fn front_beside(&self, kind: &ViewKind) -> Option<String> {
        let is_it =
            |tile: &egui_tiles::Tile<Pane>| matches!(tile, egui_tiles::Tile::Pane(p) if p.view == kind.id);
        let pane = self.tree.tiles.iter().find(|(_, tile)| is_it(tile)).map(|(id, _)| *id);
        let tabs = match pane {
            Some(pane) => self.tree.tiles.parent_of(pane),
            None => self.largest_tabs(),
        };
        match self.tree.tiles.get(tabs?)? {
            egui_tiles::Tile::Container(Container::Tabs(tabs)) => match self.tree.tiles.get(tabs.active?)? {
                egui_tiles::Tile::Pane(pane) => Some(pane.view.clone()),
                egui_tiles::Tile::Container(_) => None,
            },
            _ => None,
        }
    }

    /// Takes a view out of the panes, unless it is the only one.
    pub fn close(&mut self, kind: &ViewKind) {
        let is_it =
            |tile: &egui_tiles::Tile<Pane>| matches!(tile, egui_tiles::Tile::Pane(p) if p.view == kind.id);
        let panes = self.tree.tiles.iter().filter(|(_, tile)| tile.is_pane()).count();
        let pane = self.tree.tiles.iter().find(|(_, tile)| is_it(tile)).map(|(id, _)| *id);
        if let Some(pane) = pane.filter(|_| panes > 1) {
            self.tree.remove_recursively(pane);
        }
    }

    /// Ids of the views in front, the current one first.
    #[must_use]
    pub fn in_front(&self) -> Vec<String> {
        let current = self.maximised.or_else(|| self.current());
        let mut numbers: Vec<u64> = current.into_iter().collect();
        if self.maximised.is_none() {
            let active = self.tree.active_tiles();
            let panes = self.in_order().into_iter().filter(|(id, _)| active.contains(id));
            numbers.extend(panes.map(|(_, pane)| pane.number).filter(|n| Some(*n) != current));
        }
        numbers.into_iter().filter_map(|n| self.view_in(n).map(str::to_owned)).collect()
    }

    /// Number of the pane with a view of this kind.
    fn number_of(&self, kind: &ViewKind) -> Option<u64> {
        self.tree.tiles.iter().find_map(|(_, tile)| match tile {
            egui_tiles::Tile::Pane(pane) if pane.view == kind.id => Some(pane.number),
            _ => None,
        })
    }

    /// Gives the current pane all of the room, or puts it back.
    pub fn maximise(&mut self) {
        self.maximised = if self.maximised.is_some() { None } else { self.current() };
    }

    /// Puts the pane that has all of the room back.
    pub fn restore(&mut self) {
        self.maximised = None;
    }

    /// True while one pane has all of the room.
    #[must_use]
    pub fn is_maximised(&self) -> bool {
        self.maximised.is_some()
    }

    /// All panes in the order of their places, with the tiles they are in.
    fn in_order(&self) -> Vec<(TileId, Pane)> {
        let mut found = Vec::new();
        let mut open: Vec<TileId> = self.tree.root().into_iter().collect();
        while let Some(id) = open.pop() {
            match self.tree.tiles.get(id) {
                Some(egui_tiles::Tile::Pane(pane)) => found.push((id, pane.clone())),
                Some(egui_tiles::Tile::Container(container)) => {
                    open.extend(container.children_vec().into_iter().rev());
                }
                None => {}
            }
        }
        found
    }

    /// The tabs with most panes: where a new view is expected.
    fn largest_tabs(&self) -> Option<TileId> {
        let size = |tile: &egui_tiles::Tile<Pane>| match tile {
            egui_tiles::Tile::Container(Container::Tabs(tabs)) => tabs.children.len(),
            _ => 0,
        };
        let best = self.tree.tiles.iter().max_by_key(|(id, tile)| (size(tile), std::cmp::Reverse(id.0)))?;
        (size(best.1) > 0).then_some(*best.0)
    }

    /// Forgets the views of a closed run.
    pub fn forget(&mut self, run: RunId) {
        self.views.retain(|(subject, _), _| !subject.names(run));
        self.windows.retain(|subject, _| !subject.names(run));
    }

    /// Brings a view that has something to show to the front of tabs whose front one has nothing. Once for each
    /// run, and not while it grows; what the person chooses then stays.
    fn fit(&mut self, frame: &Frame<'_>) {
        if frame.live || self.fitted == Some(frame.subject.id()) {
            return;
        }
        self.fitted = Some(frame.subject.id());
        let shows = |tiles: &Tiles<Pane>, id: TileId| match tiles.get(id) {
            Some(egui_tiles::Tile::Pane(pane)) => {
                views::view(&pane.view).is_none_or(|kind| kind.can_show(frame.subject).is_ok())
            }
            _ => true,
        };
        let tiles = &self.tree.tiles;
        let better = tiles.iter().filter_map(|(&id, tile)| match tile {
            egui_tiles::Tile::Container(Container::Tabs(tabs)) => {
                let empty = tabs.active.is_some_and(|active| !shows(tiles, active));
                let other = tabs.children.iter().copied().find(|child| shows(tiles, *child));
                Some((id, other.filter(|_| empty)?))
            }
            _ => None,
        });
        for (id, pane) in better.collect::<Vec<_>>() {
            if let Some(egui_tiles::Tile::Container(Container::Tabs(tabs))) = self.tree.tiles.get_mut(id) {
                tabs.set_active(pane);
            }
        }
    }

    /// Draws all panes and returns what they asked for.
    pub fn ui(&mut self, frame: &Frame<'_>, ui: &mut egui::Ui) -> Out {
        self.fit(frame);
        let room = ui.available_size();
        let small = !self.fixed && (room.x < SMALL.0 || room.y < SMALL.1);
        let all = if small || self.maximised.is_some() { self.in_order() } else { Vec::new() };
        let wanted = self.maximised.or_else(|| self.current());
        let single = all.iter().find(|(_, pane)| Some(pane.number) == wanted).or(all.first()).cloned();
        let (mut maximise, mut restore, mut shown) = (None, false, None);
        let mut behavior = Behavior {
            frame,
            views: &mut self.views,
            window: self.windows.entry(frame.subject.id()).or_default(),
            unlinked: &mut self.unlinked,
            out: Out::default(),
            current: &mut self.current,
            captured: None,
            unseen: BTreeSet::new(),
            maximise: &mut maximise,
        };
        match single.filter(|_| all.len() > 1) {
            Some((tile, mut pane)) => {
                let here = pane.number;
                ui.spacing_mut().item_spacing.y = 0.0;
                let held = behavior.views.get(&(frame.subject.id(), here));
                let notes = held.map_or(&[][..], |held| &held.host.notes);
                let named = |(_, pane): &(TileId, Pane)| Some((views::view(&pane.view)?, pane.number));
                let tabs = Tabs { all: all.iter().filter_map(named).collect(), front: here };
                (shown, restore) = tabs.strip(self.maximised.is_some(), notes, ui);
                let area = ui.available_rect_before_wrap();
                ui.scope_builder(egui::UiBuilder::new().max_rect(area), |ui| {
                    let _ = behavior.pane_ui(ui, tile, &mut pane);
                });
            }
            None => self.tree.ui(&mut behavior, ui),
        }
        let Behavior { out, captured, .. } = behavior;
        self.captured = captured;
        if let Some(number) = shown {
            self.tree.make_active(|_, tile| matches!(tile, egui_tiles::Tile::Pane(p) if p.number == number));
            self.current = Some(number);
            self.maximised = self.maximised.map(|_| number);
        }
        if restore {
            self.maximised = None;
        } else if maximise.is_some() {
            self.maximised = maximise;
        }
        out
    }

    /// Number of the pane that was clicked last, or of the first one in front.
    #[must_use]
    pub fn current(&self) -> Option<u64> {
        let in_front = self.tree.active_tiles().into_iter().filter_map(|id| match self.tree.tiles.get(id) {
            Some(egui_tiles::Tile::Pane(pane)) => Some(pane.number),
            _ => None,
        });
        let in_front: Vec<u64> = in_front.collect();
        self.current.filter(|n| in_front.contains(n)).or_else(|| in_front.first().copied())
    }

    /// Id of the view in a pane.
    #[must_use]
    pub fn view_in(&self, number: u64) -> Option<&str> {
        self.tree.tiles.iter().find_map(|(_, tile)| match tile {
            egui_tiles::Tile::Pane(pane) if pane.number == number => Some(pane.view.as_str()),
            _ => None,
        })
    }
}

/// The context menu of a pane where the view has none of its own at the pointer.
fn menu_elsewhere(cx: &mut ViewCx<'_>, ui: &egui::Ui, area: egui::Rect, kind: &ViewKind) {
    let clicked = ui.input(|i| i.pointer.secondary_clicked().then(|| i.pointer.interact_pos()).flatten());
    let here = clicked.is_some_and(|at| area.contains(at) && ui.ctx().layer_id_at(at) == Some(ui.layer_id()));
    let open = here && !Popup::is_any_open(ui.ctx());
    let id = ui.scope_id().with("pane menu");
    Popup::new(id, ui.ctx().clone(), PopupAnchor::Pointer, ui.layer_id())
        .kind(PopupKind::Menu)
        .layout(egui::Layout::top_down_justified(egui::Align::Min))
        .style(egui::containers::menu::menu_style)
        .gap(0.0)
        .open_memory(open.then_some(SetOpenCommand::Bool(true)))
        .at_pointer_fixed()
        .show(|ui| ContextMenu::new().title(kind.title).show(cx, ui, |_, _| ()));
}

struct Behavior<'a> {
    frame: &'a Frame<'a>,
    views: &'a mut HashMap<(SubjectId, u64), Held>,
    window: &'a mut Window,
    unlinked: &'a mut BTreeSet<u64>,
    out: Out,
    current: &'a mut Option<u64>,
    captured: Option<Captured>,
    /// Panes whose tabs have no room.
    unseen: BTreeSet<u64>,
    /// A pane whose tab was double-clicked.
    maximise: &'a mut Option<u64>,
}

/// Says why there is nothing to show; true when there is not.
fn explain(kind: &ViewKind, frame: &Frame<'_>, wishes: &mut Vec<Wish>, ui: &mut egui::Ui) -> bool {
    let Err(why) = kind.can_show(frame.subject) else { return false };
    // Of two compared runs one would be enough.
    let why = match frame.subject.pair() {
        Some(_) => format!("Neither run: {why}"),
        None => why.to_owned(),
    };
    if frame.live {
        let title = format!("No {} yet", format::within_a_line(kind.title));
        let why = "The recording goes on. What this view shows comes with it, or when the program ends.";
        EmptyState::new(Icon::Record, &title, why).show(ui);
        return true;
    }
    let title = views::lacks(kind.title);
    let mut empty = EmptyState::new(Icon::Info, &title, &why);
    if samples::sample_for(kind.id).is_some() {
        empty = empty.action("Open a sample");
    }
    if empty.show(ui) {
        wishes.push(Wish::Sample(kind.id));
    }
    true
}

impl egui_tiles::Behavior<Pane> for Behavior<'_> {
    fn pane_ui(&mut self, ui: &mut egui::Ui, _tile: TileId, pane: &mut Pane) -> UiResponse {
        let Some(kind) = views::view(&pane.view) else { return UiResponse::None };
        let frame = self.frame;
        let fill = Palette::of(ui).panel;
        let (area, layer) = (ui.max_rect(), ui.layer_id());
        let pressed = ui.input(|i| i.pointer.any_pressed().then(|| i.pointer.interact_pos()).flatten());
        if pressed.is_some_and(|at| area.contains(at)) {
            *self.current = Some(pane.number);
        }
        let before = ui.ctx().graphics_mut(|g| g.entry(layer).next_idx().0);
        egui::Frame::new().fill(fill).inner_margin(egui::Margin::same(6)).show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            if explain(kind, frame, &mut self.out.wishes, ui) {
                return;
            }
            let key = (frame.subject.id(), pane.number);
            let held = self.views.entry(key).or_insert_with(|| Held::new(kind.make_for(frame.subject)));
            let mut cx = ViewCx {
                input: frame.input,
                base_input: frame.base_input,
                names: frame.names,
                baselines: frame.baselines,
                others: frame.others,
                defined: frame.defined,
                sources: frame.sources,
                prices: frame.prices,
                hover: frame.before.hover.as_ref(),
                cursor: frame.before.cursor,
                preview: frame.before.preview,
                live: frame.live,
                pane: pane.number,
                ..ViewCx::new(frame.engine, frame.subject, frame.interaction, &mut self.out)
            };
            ui.push_id(key, |ui| held.ui(kind, &mut cx, ui));
            held.link(self.window, !self.unlinked.contains(&pane.number), ui);
            menu_elsewhere(&mut cx, ui, area, kind);
        });
        if frame.capture == Some(pane.number) {
            let painted = |g: &mut egui::layers::GraphicLayers| {
                g.entry(layer).all_entries().skip(before).cloned().collect::<Vec<_>>()
            };
            let shapes = ui.ctx().graphics_mut(painted);
            self.captured = Some(Captured { shapes, area });
        }
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> egui::WidgetText {
        views::view(&pane.view).map_or(pane.view.as_str(), |kind| kind.title).into()
    }

    fn is_tab_closable(&self, _tiles: &Tiles<Pane>, _tile: TileId) -> bool {
        false
    }

    fn top_bar_right_ui(
        &mut self,
        tiles: &Tiles<Pane>,
        ui: &mut egui::Ui,
        _tile: TileId,
        tabs: &egui_tiles::Tabs,
        _scroll: &mut f32,
    ) {
        let Some(egui_tiles::Tile::Pane(pane)) = tabs.active.and_then(|id| tiles.get(id)) else { return };
        let key = (self.frame.subject.id(), pane.number);
        let has_time = self.views.get(&key).is_some_and(Held::has_time);
        let linked = has_time.then(|| !self.unlinked.contains(&pane.number));
        match buttons(linked, ui) {
            Some(Wanted::Link(true)) => _ = self.unlinked.remove(&pane.number),
            Some(Wanted::Link(false)) => _ = self.unlinked.insert(pane.number),
            Some(Wanted::Maximise) => *self.maximise = Some(pane.number),
            Some(Wanted::Picture(picture)) => {
                self.out.wishes.push(Wish::SavePicture(pane.number, picture));
            }
            None => {}
        }
        if let Some(held) = self.views.get(&key) {
            badge(ui, &held.host.notes);
        }
        let named = |id: &TileId| match tiles.get(*id) {
            Some(egui_tiles::Tile::Pane(pane)) => Some((views::view(&pane.view)?, pane.number)),
            _ => None,
        };
        let named = Tabs { all: tabs.children.iter().filter_map(named).collect(), front: pane.number };
        let (seen, chosen) = named.fitting(ui);
        if let Some((kind, _)) = named.all.iter().find(|(_, number)| Some(*number) == chosen) {
            self.out.wishes.push(Wish::Show(kind.id));
        }
        let unseen = named.all.iter().map(|(_, number)| *number).filter(|number| !seen.contains(number));
        self.unseen.extend(unseen);
    }

    fn tab_ui(
        &mut self,
        tiles: &mut Tiles<Pane>,
        ui: &mut egui::Ui,
        id: egui::Id,
        tile: TileId,
        state: &TabState,
    ) -> egui::Response {
        if matches!(tiles.get(tile), Some(egui_tiles::Tile::Pane(p)) if self.unseen.contains(&p.number)) {
            return ui.allocate_response(egui::Vec2::ZERO, egui::Sense::hover());
        }
        let colors = Colors {
            fill: self.tab_bg_color(ui.visuals(), tiles, tile, state),
            line: self.tab_outline_stroke(ui.visuals(), tiles, tile, state),
            text: self.tab_text_color(ui.visuals(), tiles, tile, state),
        };
        let title = self.tab_title_for_tile(tiles, tile);
        let response = tab(title.text(), state, &colors, id, ui);
        self.on_tab_button(tiles, tile, response)
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }

    fn gap_width(&self, _style: &egui::Style) -> f32 {
        4.0
    }

    fn min_size(&self) -> f32 {
        120.0
    }

    fn on_tab_button(
        &mut self,
        tiles: &mut Tiles<Pane>,
        tile: TileId,
        response: egui::Response,
    ) -> egui::Response {
        let pane = match tiles.get(tile) {
            Some(egui_tiles::Tile::Pane(pane)) => Some(pane),
            _ => None,
        };
        if let Some(pane) = pane.filter(|_| response.double_clicked()) {
            *self.maximise = Some(pane.number);
        }
        let about = pane.and_then(|pane| views::view(&pane.view)).map(|kind| kind.about);
        match about {
            Some(about) => response.on_hover_text(about),
            None => response,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pane::Shown;
    use super::super::testing::{harness, picture};
    use super::super::{Action, App};
    use super::*;
    use crate::model::ProfileBuilder;
    use crate::query::Run;
    use crate::views::host::Host;
    use crate::views::{TimeWindow, View};
    use egui_kittest::kittest::Queryable;

    struct Breaks;
    impl View for Breaks {
        fn ui(&mut self, _: &mut ViewCx<'_>, ui: &mut egui::Ui) {
            ui.label("before");
            panic!("a bug in a view")
        }
    }

    #[test]
    fn a_view_that_breaks_says_so_and_the_window_lives_on() {
        let kind = ViewKind {
            id: "breaks",
            title: "Breaks",
            about: "",
            needs: |_| Ok(()),
            make: || Box::new(Breaks),
            comparing: views::Comparing::Stacked,
        };
        let engine = Engine::inline();
        let profile = std::sync::Arc::new(ProfileBuilder::new("test").finish());
        let subject = Subject::One(Run::of(profile));
        let interaction = Interaction::default();
        let (mut shown, mut host) = (Shown::View((kind.make)()), Host::default());
        let mut out = Out::default();
        let mut installed = false;
        let mut harness = egui_kittest::Harness::new_ui(|ui| {
            if !std::mem::replace(&mut installed, true) {
                crate::ui::theme::install(ui.ctx());
                return; // fonts are there from the next pass on
            }
            let mut cx = ViewCx::new(&engine, &subject, &interaction, &mut out);
            ui.push_id("pane", |ui| shown.ui(&mut host, &kind, &mut cx, ui));
            ui.label("the other panes");
        });
        harness.run();
        assert!(harness.query_by_label_contains("met an internal error").is_some());
        assert!(harness.query_by_label("the other panes").is_some());
        harness.get_by_label("Try again").click();
        harness.run();
        assert!(
            harness.query_by_label_contains("met an internal error").is_some(),
            "it breaks again, as quietly"
        );
    }

    #[test]
    fn one_pane_takes_all_of_the_room_and_gives_it_back() {
        let mut app = App::headless();
        app.add_profile("a.prof", None, crate::analysis::testing::profile("main 0 100 / f 10 60"));
        let mut h = harness(app, egui::vec2(1024.0, 640.0));
        assert!(h.query_by_label("Top-down").is_some());
        let place = crate::app::action::all().iter().find_map(|e| match e.action {
            Action::Show(i) if e.title == "Functions" => Some(i),
            _ => None,
        });
        h.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::M);
        h.run_ok();
        h.state_mut().act(Action::Show(place.unwrap()), &egui::Context::default());
        h.run_ok();
        picture(&mut h, "maximised");
        assert!(h.query_by_label("Top-down").is_none() && h.query_by_label_contains("main, self").is_some());
        h.get_by_label("Call tree").click();
        h.run_ok();
        assert!(h.query_by_label("Top-down").is_some() && h.query_by_label_contains("main, self").is_none());
        h.key_press(egui::Key::Escape);
        h.run_ok();
        assert!(!h.state_mut().panes_mut().is_maximised());
    }

    #[test]
    fn in_little_room_the_panes_are_one_with_tabs() {
        let mut app = App::headless();
        app.add_profile("a.prof", None, crate::analysis::testing::profile("main 0 100 / f 10 60"));
        let mut h = harness(app, egui::vec2(512.0, 320.0));
        picture(&mut h, "little-room");
        h.get_by_label("Summary").click();
        h.run_ok();
        picture(&mut h, "little-room-summary");
        assert!(h.query_by_label("Top functions by self time").is_some());
    }

    #[test]
    fn charts_over_time_show_the_same_time_until_one_is_unlinked() {
        let mut app = App::headless();
        app.add_profile(
            "a.json",
            None,
            crate::analysis::testing::profile("main 0 1000000 / f 100000 600000"),
        );
        let mut h = harness(app, egui::vec2(1400.0, 900.0));
        type H<'a> = egui_kittest::Harness<'a, App>;
        fn seen(h: &mut H<'_>, id: &str, to: Option<TimeWindow>) -> Option<TimeWindow> {
            let kind = views::view(id).unwrap();
            h.state_mut().panes_mut().show(kind);
            h.run_ok();
            let panes = h.state_mut().panes_mut();
            let number = panes.number_of(kind).unwrap();
            let (_, held) = panes.views.iter_mut().find(|((_, pane), _)| *pane == number).unwrap();
            let Shown::View(view) = &mut held.shown else { panic!("{id} is broken") };
            to.into_iter().for_each(|to| view.show_window(to));
            let window = view.window();
            h.run_ok();
            window
        }
        fn near(window: Option<TimeWindow>, to: TimeWindow) -> bool {
            window.is_some_and(|window| window.is_near(to))
        }
        let all = ["flame", "timeline", "stages"];
        let some = TimeWindow::Part(200_000.0, 300_000.0);
        all.into_iter().for_each(|id| assert!(near(seen(&mut h, id, None), TimeWindow::All), "{id}"));
        seen(&mut h, "flame", Some(some));
        for id in ["timeline", "stages", "flame"] {
            assert!(near(seen(&mut h, id, None), some), "{id}");
        }
        seen(&mut h, "timeline", Some(TimeWindow::All));
        for id in ["flame", "stages"] {
            assert!(near(seen(&mut h, id, None), TimeWindow::All), "{id}");
        }
        let number = h.state_mut().panes_mut().number_of(views::view("stages").unwrap()).unwrap();
        h.state_mut().panes_mut().unlinked.insert(number);
        seen(&mut h, "timeline", Some(some));
        assert!(near(seen(&mut h, "stages", None), TimeWindow::All), "it keeps its own");
        seen(&mut h, "stages", Some(TimeWindow::Part(0.0, 50_000.0)));
        assert!(near(seen(&mut h, "timeline", None), some), "and to itself");
        let saved = h.state_mut().panes_mut().save().unwrap();
        assert!(Panes::load(&saved).unwrap().unlinked.contains(&number), "a layout remembers it");
    }
}
