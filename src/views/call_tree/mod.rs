//! The call tree: callees under their callers, or callers under who spent the cost.
//!
//! Rows come from queries (`tree_rows`, `inverted`); what is open is a set of names, so it survives
//! another metric, another time range and the next revision of a live recording.

mod actions;
mod compare;
mod list;
#[cfg(test)]
mod tests;

use egui::{RichText, Ui};

use self::actions::Act;
use self::list::List;
use super::shared;
use super::shared::branch::{Branch, Triangle, function_cell};
use super::shared::grid::{self, Grid, GridState, Happened, Mark};
use super::shared::menu::{self, ContextMenu, Picked};
use crate::analysis::columns;
use crate::analysis::columns::call_tree::{TreeColumn, TreeKind, TreeLine, call_tree};
use crate::analysis::expansion::{Expansion, PathKey};
use crate::analysis::function_list::Known;
use crate::analysis::inverted::Inverted;
use crate::analysis::search::Pattern;
use crate::analysis::tree_rows::{self, MAX_ROWS, Order, Rows, Sort};
use crate::analysis::{CallTree, Costs, Scope};
use crate::format;
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::theme::Palette;
use crate::ui::widgets::{icon_button, segmented};
use crate::views::{Comparing, View, ViewCx, ViewKind};

/// Rows of the heaviest path that a tree opens with, at most.
const OPENED_FIRST: usize = 40;

/// The line in [`crate::views::VIEWS`].
pub const KIND: ViewKind = ViewKind {
    id: "calltree",
    title: "Call tree",
    about: "What called what and for how long: top-down from the roots, or bottom-up from who spent the time.",
    needs: shared::needs_calls,
    make: || Box::new(CallTreeView::default()),
    comparing: Comparing::Own(|| Box::new(compare::DiffTreeView::default())),
};

/// Direction of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Callees under their callers.
    #[default]
    TopDown,
    /// Callers under who spent the cost.
    BottomUp,
}

/// What is said while rows are prepared.
const DOING: &str = "Building the call tree";

/// The view.
#[derive(Default)]
pub struct CallTreeView {
    mode: Mode,
    sort: Sort,
    /// Open rows, top-down and bottom-up.
    down: Expansion,
    up: Expansion,
    /// Rows closed during a search, and the search they were closed in.
    closed: Expansion,
    search: String,
    grid: GridState,
    /// The scope whose heaviest path was opened.
    opened: Option<Scope>,
    /// The list shown last and what was found out about it.
    shown: Option<Listed>,
    /// The selected row.
    at: Option<PathKey>,
    /// A row to bring into view once it is listed, and whether the rows were asked for since.
    reveal: Option<(PathKey, bool)>,
}

struct Listed {
    list: List,
    at: Option<PathKey>,
    row: Option<usize>,
    /// Sum of own costs.
    own: i64,
    /// True when any function has a file.
    places: bool,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    mode: Mode,
    sort: Sort,
    columns: std::collections::BTreeMap<String, bool>,
}

impl View for CallTreeView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((list, newest)) = self.ask(cx, ui) else { return };
        self.open_first(cx, ui, &list);
        self.follow_selection(cx, ui, &list);
        self.remember(cx, &list, newest);
        self.toolbar(cx, ui, &list);
        let unit = shared::unit(cx.profile(), cx.interaction);
        let lost = list.costs().gaps.as_ref().map(|gaps| gaps.words(unit, list.costs().whole.total));
        shared::note_basis(cx, list.basis(), &shared::lost(&lost.unwrap_or_default()));
        if list.costs().tree.nodes.is_empty() {
            shared::nothing(cx, ui, Icon::Graph);
            return;
        }
        let footer = self.footer(cx, &list);
        shared::with_footer(ui, &footer, |ui| self.table(cx, ui, &list));
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved { mode: self.mode, sort: self.sort, columns: self.grid.shown.clone() };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.mode, self.sort, self.grid.shown) = (saved.mode, saved.sort, saved.columns);
        }
    }
}

impl CallTreeView {
    /// The rows, and whether they are up to date.
    fn ask(&mut self, cx: &ViewCx<'_>, ui: &mut Ui) -> Option<(List, bool)> {
        let now = cx.interaction;
        if self.search != now.search {
            self.search.clone_from(&now.search);
            self.closed.clear();
        }
        if let Some((_, asked)) = &mut self.reveal {
            *asked = true;
        }
        let costs = Costs(cx.slice());
        let search = now.search.clone();
        match self.mode {
            Mode::TopDown => {
                let (expanded, closed) = (self.down.clone(), self.closed.clone());
                let query = Rows { costs, sort: self.sort, expanded, closed, search };
                let rows = cx.ask(&query, 0);
                let newest = rows.is_newest();
                Some((List::Down(rows.content(ui, DOING)?), newest))
            }
            Mode::BottomUp => {
                let query =
                    Inverted { costs: costs.clone(), sort: self.sort, expanded: self.up.clone(), search };
                let (rows, costs) = (cx.ask(&query, 0), cx.ask(&costs, 1));
                let newest = rows.is_newest();
                Some((List::Up(rows.content(ui, DOING)?, costs.content(ui, DOING)?), newest))
            }
        }
    }

    /// Opens or closes a row, also while a search holds it open.
    fn set_open(&mut self, key: PathKey, open: bool) {
        match self.mode {
            Mode::TopDown => {
                self.down.set(key, open);
                self.closed.set(key, !open);
            }
            Mode::BottomUp => self.up.set(key, open),
        }
    }

    /// Opens the heaviest path of a tree that was not seen before.
    fn open_first(&mut self, cx: &ViewCx<'_>, ui: &Ui, list: &List) {
        let List::Down(_) = list else { return };
        if self.opened.as_ref() != Some(&cx.interaction.scope) && !list.costs().tree.nodes.is_empty() {
            self.opened = Some(cx.interaction.scope.clone());
            let costs = list.costs();
            let path = tree_rows::opening_path(costs);
            for &node in path.iter().take(path.len().saturating_sub(1).min(OPENED_FIRST)) {
                self.set_open(costs.tree.keys[node as usize], true);
            }
            ui.ctx().request_repaint();
        }
    }

    /// Brings a path into view that was selected elsewhere.
    fn follow_selection(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, list: &List) {
        if !cx.selected_elsewhere() {
            return;
        }
        self.at = None;
        let tree = &list.costs().tree;
        if self.mode == Mode::TopDown
            && let Some(node) = cx.interaction.selection.as_ref().and_then(|item| node_of(item, tree, cx))
        {
            self.at = Some(tree.keys[node as usize]);
            self.reveal_node(tree, node);
            ui.ctx().request_repaint();
        }
    }

    fn reveal_node(&mut self, tree: &CallTree, node: u32) {
        let above: Vec<PathKey> = tree.ancestors(node).skip(1).map(|n| tree.keys[n as usize]).collect();
        for key in above {
            self.set_open(key, true);
        }
        self.reveal = Some((tree.keys[node as usize], false));
    }

    /// Finds the selected row in a new list, and scrolls to what is to be seen.
    fn remember(&mut self, cx: &ViewCx<'_>, list: &List, ready: bool) {
        if let Some((key, asked)) = self.reveal {
            let row = list.find(key);
            self.grid.scroll_to = row.or(self.grid.scroll_to);
            // A row that is still not there now will not come: a search leaves it out.
            if row.is_some() || asked && ready {
                self.reveal = None;
            }
        }
        let known = self.shown.as_ref().is_some_and(|s| s.list.same(list) && s.at == self.at);
        if !known {
            let row = self.at.and_then(|key| list.find(key));
            let own = list.costs().own.iter().fold(0i64, |a, &b| a.saturating_add(b));
            let places = Known::of(cx.profile()).files;
            self.shown = Some(Listed { list: list.clone(), at: self.at, row, own, places });
        }
    }

    fn toolbar(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, list: &List) {
        shared::header(ui, |ui| {
            let modes = [(Mode::TopDown, "Top-down"), (Mode::BottomUp, "Bottom-up")];
            if segmented(ui, "Direction of the tree", &mut self.mode, &modes).changed() {
                (self.at, self.grid.scroll_to) = (None, Some(0));
                cx.look_again();
            }
            let about = "Open the path that the largest part of the cost takes (h)";
            if ui.button("Heaviest path").on_hover_text(about).clicked() {
                self.heaviest(cx, list);
            }
            if let Some((count, cost)) = list.matched() {
                let at = self.shown.as_ref().and_then(|s| s.row).filter(|&row| list.line(row).matches);
                let mut text = matched(count, self.mode);
                let whole = list.costs().whole;
                let sum = if self.mode == Mode::BottomUp { whole.own } else { whole.total };
                if count > 0 && sum != 0 {
                    let share = format::percent(cost as f64 / sum as f64);
                    text += &format!(
                        " with {share} of the {}",
                        shared::metric_name(cx.profile(), cx.interaction)
                    );
                }
                let weak = Palette::of(ui).text_weak;
                ui.label(RichText::new(text).color(weak));
                if count > 0 {
                    ui.spacing_mut().item_spacing.x = 0.0;
                    let from = at.or(self.shown.as_ref().and_then(|s| s.row));
                    if icon_button(ui, Icon::SortUp, "Previous match (p)").clicked() {
                        self.next_match(cx, list, from, false);
                    }
                    if icon_button(ui, Icon::SortDown, "Next match (n)").clicked() {
                        self.next_match(cx, list, from, true);
                    }
                }
            }
        });
    }

    /// What the rows add up to.
    fn footer(&self, cx: &ViewCx<'_>, list: &List) -> String {
        let unit = shared::unit(cx.profile(), cx.interaction);
        let costs = list.costs();
        let paths = format::counted(costs.tree.nodes.len() as i64, "call path", "call paths");
        let own = self.shown.as_ref().map_or(0, |s| s.own);
        let mut sum = format!("self costs add up to {}", format::cost(unit, own));
        if own != costs.whole.own {
            sum += &format!(" of {}", format::cost(unit, costs.whole.own));
        }
        if costs.at_once > 0 {
            sum += &format!(", {} of it at the same time as other calls", format::cost(unit, costs.at_once));
        }
        let open = costs.unfinished.iter().sum::<u64>();
        if open > 0 {
            sum += &format!(" · {} had not ended (≥)", format::counted(open as i64, "call", "calls"));
        }
        let cut = if list.is_cut() {
            format!(" · only the first {} rows are listed", format::count(MAX_ROWS as i64))
        } else {
            String::new()
        };
        let range = if cx.interaction.range.is_some() { " in the selected time range" } else { "" };
        format!("{paths} · {sum}{range}{cut}")
    }

    fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, list: &List) {
        let profile = cx.subject.profile();
        let metric = cx.shown();
        let costs = list.costs();
        let kind = TreeKind {
            bottom_up: self.mode == Mode::BottomUp,
            whole: costs.whole,
            counted: (!costs.calls.is_empty(), !costs.samples.is_empty()),
            places: self.shown.as_ref().is_some_and(|s| s.places),
            scale: columns::scale(metric.unit, costs.whole.total),
        };
        let mut columns = call_tree(profile, kind, &metric);
        format::mark(&mut columns, &[(self.sort.by, self.sort.reverse)]);
        let rows = list.len();
        let grid = Grid { salt: "call tree", name: "Call tree", columns: &columns, rows };
        let mut state = std::mem::take(&mut self.grid);
        let tree = &list.costs().tree;
        let pattern = Pattern::new(&cx.interaction.search);
        let mut source = Table {
            hovered: cx.hover.and_then(|item| node_of(item, tree, cx)),
            row: self.shown.as_ref().and_then(|s| s.row),
            cx,
            list,
            columns: &columns,
            acts: Vec::new(),
            pattern,
        };
        let happened = grid.show(ui, &mut state, &mut source);
        let acts = source.acts;
        self.grid = state;
        for act in acts {
            self.act(cx, list, act);
        }
        self.events(cx, ui, list, &happened);
    }

    fn events(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, list: &List, happened: &Happened<Order>) {
        if let Some((by, _)) = happened.header {
            let reverse = by == self.sort.by && !self.sort.reverse;
            self.sort = Sort { by, reverse };
        }
        if let Some(row) = happened.hovered {
            cx.out.hover = Some(list.item(row, cx.profile()));
        }
        if let Some(row) = happened.clicked {
            self.select(cx, list, row);
        }
        if let Some(row) = happened.double_clicked {
            self.enter(cx, list, row);
        }
        if happened.focused {
            self.keys(cx, ui, list, happened.page);
        }
    }
}

/// The node that an item stands for.
fn node_of(item: &Item, tree: &CallTree, cx: &ViewCx<'_>) -> Option<u32> {
    match item {
        Item::Span(_) => item.span(cx.profile()).and_then(|(track, row)| tree.node_of_span(track, row)),
        Item::Path(_) => tree.find(&item.path(cx.profile())?, &cx.profile().functions),
        _ => None,
    }
}

fn matched(count: usize, mode: Mode) -> String {
    let n = count as i64;
    match (mode, count) {
        (_, 0) => "nothing matches".to_owned(),
        (Mode::TopDown, _) => format::counted(n, "path matches", "paths match"),
        (Mode::BottomUp, _) => format::counted(n, "function matches", "functions match"),
    }
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    list: &'a List,
    columns: &'a [TreeColumn<'l>],
    /// The selected row.
    row: Option<usize>,
    /// The node that the pointer is on, in any view.
    hovered: Option<u32>,
    acts: Vec<Act>,
    pattern: Option<Pattern>,
}

impl grid::Rows for Table<'_, '_, '_> {
    type Row = TreeLine;

    fn row(&self, at: usize) -> TreeLine {
        self.list.line(at).says
    }

    fn mark(&self, at: usize) -> Mark {
        let line = self.list.line(at);
        let says = line.says;
        let symbol = says.gap.is_none().then(|| self.cx.profile().keys().symbol(says.symbol.function()));
        let is = |item: Option<&Item>| matches!(item, Some(Item::Function(f) | Item::Edge(_, f)) if Some(*f) == symbol);
        let lit = is(self.cx.hover)
            || is(self.cx.interaction.selection.as_ref())
            || line.node.is_some() && line.node == self.hovered;
        Mark { selected: self.row == Some(at), lit }
    }

    fn label(&self, at: usize) -> String {
        let line = self.row(at);
        let cost = shared::cell_with_unit(self.columns, "total", line);
        format!("{}, {cost}, level {}", line.label(self.cx.profile()), line.depth)
    }

    fn found(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        if column != "function" {
            return false;
        }
        let line = self.list.line(at);
        let branch = Branch {
            depth: line.says.depth,
            label: &line.says.label(self.cx.profile()),
            has_children: line.has_children,
            expanded: line.expanded,
            found: self.pattern.as_ref().filter(|_| line.matches),
            gap: line.says.gap,
        };
        match function_cell(ui, &branch, Palette::of(ui)) {
            Some(Triangle::Toggled) => self.acts.push(Act::Toggle(at)),
            Some(Triangle::ToggledAll) => self.acts.push(Act::ToggleAll(at)),
            None => {}
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let path = self.list.path(at);
        let function = self.row(at).symbol.function();
        // Bottom-up, a row's path is only the lower part of whole paths.
        let whole = matches!(self.list, List::Down(_)).then_some(path.as_slice());
        let names: Vec<_> = path.iter().map(|&f| self.cx.profile().function_name(f)).collect();
        let context = ContextMenu::about(menu::About { function, path: whole });
        let context = context.copies("Copy call path", names.join(";")).row().table();
        let acts = &mut self.acts;
        context.show(self.cx, ui, |_, ui| {
            if menu::entry(ui, "Open all below", "*", "") {
                acts.push(Act::OpenAll(at));
            }
            if menu::entry(ui, "Close all", "", "") {
                acts.push(Act::CloseAll);
            }
        })
    }
}
