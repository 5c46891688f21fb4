//! The call trees of two runs laid over each other: each path with base, head and Δ.

use egui::{Key, Modifiers, Ui};

use super::super::shared;
use super::super::shared::branch::{Branch, Triangle, function_cell};
use super::super::shared::grid::{self, Grid, GridState, Happened, Mark, walk};
use super::super::shared::menu::{self, ContextMenu, Picked};
use super::super::shared::pair::{self, Asked, Told, Written};
use crate::analysis::Scope;
use crate::analysis::diff::normalise::{Factors, Normalise};
use crate::analysis::diff::paths::{DiffPaths, PathNode};
use crate::analysis::diff::tree::{self, DiffTree, PathRows, TreeKey, TreeSort};
use crate::analysis::diff::{Compared, State, list};
use crate::analysis::expansion::{Expansion, PathKey};
use crate::analysis::search::Pattern;
use crate::analysis::tree_rows::MAX_ROWS;
use crate::format::{self, Column, Form, Look, Value};
use crate::model::SymbolKey;
use crate::query::Pair;
use crate::state::Item;
use crate::ui::theme::Palette;
use crate::views::{View, ViewCx};

/// Most rows that are opened at once.
const MOST_OPENED: usize = 20_000;

/// The view.
#[derive(Default)]
pub struct DiffTreeView {
    sort: TreeSort,
    open: Expansion,
    closed: Expansion,
    search: String,
    grid: GridState,
    /// The scope whose most changed path was opened.
    opened: Option<Scope>,
    /// The selected row.
    at: Option<PathKey>,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    sort: TreeSort,
    columns: std::collections::BTreeMap<String, bool>,
}

impl View for DiffTreeView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        if self.search != cx.interaction.search {
            self.search.clone_from(&cx.interaction.search);
            self.closed.clear();
        }
        let query = DiffTree {
            paths: DiffPaths(asked.functions.clone()),
            sort: self.sort,
            expanded: self.open.clone(),
            closed: self.closed.clone(),
            search: self.search.clone(),
        };
        let Some(rows) = cx.ask_pair(&query, 0).content(ui, "Comparing call trees") else { return };
        let (related, not_related) = pair::related_paths(cx, &asked, false, 1);
        if self.opened.as_ref() != Some(&cx.interaction.scope) && !rows.paths.is_empty() {
            self.opened = Some(cx.interaction.scope.clone());
            self.most_changed(&rows);
            ui.ctx().request_repaint();
        }
        if cx.selected_elsewhere() {
            self.at = None;
        }
        self.toolbar(cx, ui, &asked, &rows);
        pair::notices(cx, ui, &asked, &related, not_related.as_deref());
        pair::estimated(cx, &asked, &rows.paths);
        let told = Told { asked: &asked, related: &related, whole: rows.paths.whole };
        let footer = footer(&told, &rows);
        let numbers = Numbers { pair: &pair, asked: &asked, told, rows: &rows, factors: &related.factors };
        shared::with_footer(ui, &footer, |ui| self.table(cx, ui, &numbers));
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved { sort: self.sort, columns: self.grid.shown.clone() };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.sort, self.grid.shown) = (saved.sort, saved.columns);
        }
    }
}

/// «Δ = head − base · 1 203 call paths: 12 new, 3 gone».
fn footer(told: &Told<'_>, rows: &PathRows) -> String {
    let alone = rows.paths.alone.map(|n| format::count(n as i64));
    let paths = format::counted(rows.paths.len() as i64, "call path", "call paths");
    let mut text = format!(
        "Δ = head − base · {paths}: {} new, {} gone",
        alone.head.unwrap_or_default(),
        alone.base.unwrap_or_default()
    );
    let unplaced = rows.paths.unplaced();
    if unplaced > 0 {
        text += &format!(", {} not placed in the other estimate", format::count(unplaced as i64));
    }
    if !told.asked.shares_only() {
        text += &format!(" · together {}", told.change(rows.paths.sum));
    }
    if rows.cut {
        text += &format!(" · only the first {} rows are listed", format::count(MAX_ROWS as i64));
    }
    text
}

impl DiffTreeView {
    fn set_open(&mut self, key: PathKey, open: bool) {
        self.open.set(key, open);
        self.closed.set(key, !open);
    }

    /// Opens the path that changed most, and tells its end.
    fn most_changed(&mut self, rows: &PathRows) -> Option<u32> {
        let path = rows.paths.changed_most();
        let (last, above) = path.split_last()?;
        above.iter().for_each(|&n| self.set_open(rows.keys[n as usize], true));
        Some(*last)
    }

    fn toolbar(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, asked: &Asked, rows: &PathRows) {
        shared::header(ui, |ui| {
            let about = "Open the path whose total changed most (h)";
            if ui.button("Most changed path").on_hover_text(about).clicked() {
                self.go_to_most_changed(rows);
            }
            pair::normalise(cx, ui, asked);
            if let Some(n) = rows.matched {
                pair::weak(
                    ui,
                    &match n {
                        0 => "nothing matches".to_owned(),
                        n => format::counted(n as i64, "path matches", "paths match"),
                    },
                );
            }
        });
    }

    fn go_to_most_changed(&mut self, rows: &PathRows) {
        if let Some(last) = self.most_changed(rows) {
            self.at = Some(rows.keys[last as usize]);
            self.grid.scroll_to = rows.rows.iter().position(|r| r.node == last);
        }
    }

    fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, numbers: &Numbers<'_>) {
        let columns = numbers.columns(self.sort);
        let n = numbers.rows.rows.len();
        let grid = Grid { salt: "paths of two", name: "Call tree of both runs", columns: &columns, rows: n };
        let mut state = std::mem::take(&mut self.grid);
        let selected = cx.interaction.selection.as_ref().and_then(Item::symbol);
        let pattern = Pattern::new(&cx.interaction.search);
        let mut table =
            Table { cx, numbers, columns: &columns, selected, at: self.at, acts: Vec::new(), pattern };
        let happened = grid.show(ui, &mut state, &mut table);
        let acts = table.acts;
        self.grid = state;
        for act in acts {
            self.act(numbers.rows, act);
        }
        self.events(cx, ui, numbers, &happened);
    }

    fn act(&mut self, rows: &PathRows, act: Act) {
        match act {
            Act::Toggle(row) => {
                let r = rows.rows[row];
                if r.has_children {
                    self.set_open(rows.keys[r.node as usize], !r.expanded);
                }
            }
            Act::All(row, open) => {
                let node = rows.rows[row].node;
                let (node, end) = (node as usize, rows.paths.end(node) as usize);
                let end = end.min(node + MOST_OPENED);
                for n in node..end {
                    self.set_open(rows.keys[n], open);
                }
            }
            Act::CloseAll => {
                self.open.clear();
                let open: Vec<u32> = rows.rows.iter().filter(|r| r.expanded).map(|r| r.node).collect();
                open.into_iter().for_each(|n| self.set_open(rows.keys[n as usize], false));
            }
        }
    }

    fn select(&mut self, cx: &mut ViewCx<'_>, numbers: &Numbers<'_>, row: usize) {
        self.at = Some(numbers.key(row));
        if let Some(item) = numbers.item(row) {
            cx.select(Some(item));
        }
    }

    fn events(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, numbers: &Numbers<'_>, happened: &Happened<TreeKey>) {
        if let Some((by, _)) = happened.header {
            format::click(&mut self.sort, by);
        }
        if let Some(row) = happened.hovered {
            cx.out.hover = numbers.item(row);
        }
        if let Some(row) = happened.clicked {
            self.select(cx, numbers, row);
        }
        if let Some(row) = happened.double_clicked {
            self.act(numbers.rows, Act::Toggle(row));
        }
        if happened.focused {
            self.keys(cx, ui, numbers, happened.page);
        }
    }

    fn keys(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, numbers: &Numbers<'_>, page: usize) {
        let rows = numbers.rows;
        let current = self.at.and_then(|key| (0..rows.rows.len()).find(|&row| numbers.key(row) == key));
        if let Some(row) = walk(ui, current, rows.rows.len(), page) {
            self.select(cx, numbers, row);
            self.grid.scroll_to = Some(row);
            return;
        }
        let pressed = |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
        if pressed(Key::H) {
            self.go_to_most_changed(rows);
        }
        let Some(row) = current else { return };
        let r = rows.rows[row];
        if pressed(Key::ArrowRight) && r.has_children {
            if r.expanded {
                self.select(cx, numbers, row + 1);
                self.grid.scroll_to = Some(row + 1);
            } else {
                self.act(rows, Act::Toggle(row));
            }
        }
        if pressed(Key::ArrowLeft) {
            let parent = rows.paths.parent(r.node);
            if r.expanded {
                self.act(rows, Act::Toggle(row));
            } else if let Some(above) = rows.rows[..row].iter().rposition(|a| Some(a.node) == parent) {
                self.select(cx, numbers, above);
                self.grid.scroll_to = Some(above);
            }
        }
        if pressed(Key::Enter) || pressed(Key::Space) {
            self.act(rows, Act::Toggle(row));
        }
    }
}

/// A change of what is open.
#[derive(Clone, Copy, Debug)]
enum Act {
    Toggle(usize),
    /// A row and all below.
    All(usize, bool),
    CloseAll,
}

struct Numbers<'a> {
    pair: &'a Pair,
    asked: &'a Asked,
    told: Told<'a>,
    rows: &'a PathRows,
    factors: &'a Factors,
}

impl<'a> Numbers<'a> {
    fn node(&self, row: usize) -> PathNode {
        self.rows.paths.node(self.rows.rows[row].node)
    }

    fn depth(&self, row: usize) -> u32 {
        self.rows.paths.depth(self.rows.rows[row].node)
    }

    fn key(&self, row: usize) -> PathKey {
        self.rows.keys[self.rows.rows[row].node as usize]
    }

    fn item(&self, row: usize) -> Option<Item> {
        pair::path_item(self.pair, &self.rows.paths, self.rows.rows[row].node)
    }

    fn symbol(&self, row: usize) -> Option<SymbolKey> {
        pair::path_symbol(self.pair, &self.node(row))
    }

    fn name(&self, row: usize) -> std::borrow::Cow<'a, str> {
        tree::name(&self.node(row), &self.pair.base.profile, &self.pair.head.profile)
    }

    fn state(&self, row: usize) -> &'static str {
        let node = self.node(row);
        let same = |costs| self.factors.apply(costs).change() == Some(0.0);
        match node.state() {
            State::Both if same(node.total()) && same(node.own()) => "=",
            State::Both => "",
            other => other.key(),
        }
    }

    /// Largest total of both.
    fn most(&self) -> f64 {
        let sum = self.factors.apply(self.rows.paths.sum);
        sum.base.unwrap_or(0.0).abs().max(sum.head.unwrap_or(0.0).abs())
    }

    fn written(&self) -> Written {
        Written::of(self.asked, self.told.related.to, self.most())
    }

    fn columns<'s>(&'s self, sort: TreeSort) -> Vec<Column<'s, (usize, PathNode), TreeKey>> {
        type C = (usize, PathNode);
        let what = &self.asked.measure.label;
        let (written, factors) = (self.written(), self.factors);
        let total = move |(_, node): C| factors.apply(node.total());
        let bar = |most| Look::Change(most, self.asked.better(self.pair));
        let mut columns = vec![
            pair::state(
                "new: only head took this path. gone: only base did. not placed: the other run makes each of its calls, \
                 but its paths are estimated and do not tell. =: not changed.",
                |(row, _): C| self.state(row),
            )
            .rank(4)
            .room(if self.rows.paths.unplaced() > 0 { 10.0 } else { 6.0 }),
            Column::cost("base", written.title("Total base"), written.cost(true), move |row: C| {
                Value::number(total(row).base)
            })
            .sorts(TreeKey::Base)
            .rank(2)
            .room(14.0)
            .hint(format!("Total {what} of this path in the baseline")),
            Column::cost("head", written.title("Total head"), written.cost(false), move |row: C| {
                Value::number(total(row).head)
            })
            .sorts(TreeKey::Head)
            .rank(1)
            .room(14.0)
            .hint(format!("Total {what} of this path in the new run")),
        ];
        if self.asked.shares_only() {
            let points = |(_, node): C| {
                let points = list::points(node.total(), self.rows.paths.sum);
                Value::number(points.filter(|_| node.state().has_change()))
            };
            columns.push(
                Column::number("points", "Δ share, points", Form::Points, points)
                    .look(bar(1.0))
                    .hint(format!("By how many percentage points the share of the whole {what} changed")),
            );
        } else {
            // The longest bar is the largest change of any path.
            let most = self.most_changed();
            columns.extend([
                Column::cost("delta", written.title("Δ total"), written.change(), move |row: C| {
                    Value::number(total(row).change().filter(|_| row.1.state().has_change()))
                })
                .look(bar(most))
                .quiet(move |row: C| pair::is_noise(total(row)))
                .sorts(TreeKey::Delta)
                .room(19.0)
                .hint(format!("Change of the total {what} of this path and all below it: head − base")),
                Column::number("relative", "Δ %", Form::Growth, move |row: C| {
                    pair::growth(total(row).relative_change(), row.1.state())
                })
                .rank(3)
                .room(10.0)
                .hint("The change as a share of the baseline of the same path"),
                Column::cost("own delta", written.title("Δ self"), written.change(), move |(_, node): C| {
                    let change = factors.apply(node.own()).change();
                    Value::number(change.filter(|_| node.state().has_change()))
                })
                .sorts(TreeKey::OwnDelta)
                .rank(6)
                .room(12.0)
                .hint(format!("Change of the {what} that the function spent itself on exactly this path")),
            ]);
        }
        if self.rows.counted {
            columns.push(
                Column::count("count", "Calls", |(_, node): C| {
                    let count = node.halves.map(|h| h.count);
                    Value::Both(count.base.flatten(), count.head.flatten())
                })
                .rank(7)
                .room(13.0)
                .hint("Calls or samples on this path: base → head"),
            );
        }
        columns.push(
            Column::name("function", "Function", |(row, _): C| {
                Value::Nested(self.depth(row), self.name(row))
            })
            .sorts(TreeKey::Name)
            .room(24.0),
        );
        format::mark(&mut columns, &[sort]);
        columns
    }

    /// The largest change of any path, as it is shown.
    fn most_changed(&self) -> f64 {
        (self.rows.most as f64 * self.factors.base.abs().max(self.factors.head.abs())).max(f64::MIN_POSITIVE)
    }
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    numbers: &'l Numbers<'l>,
    columns: &'a [Column<'l, (usize, PathNode), TreeKey>],
    selected: Option<SymbolKey>,
    at: Option<PathKey>,
    acts: Vec<Act>,
    pattern: Option<Pattern>,
}

impl<'l> grid::Rows for Table<'_, 'l, '_> {
    type Row = (usize, PathNode);

    fn row(&self, at: usize) -> (usize, PathNode) {
        (at, self.numbers.node(at))
    }

    fn mark(&self, at: usize) -> Mark {
        let symbol = self.numbers.symbol(at);
        let is = |other: Option<SymbolKey>| symbol.is_some() && other == symbol;
        Mark {
            selected: self.at == Some(self.numbers.key(at)),
            lit: is(self.cx.hover.and_then(Item::symbol)) || is(self.selected),
        }
    }

    fn found(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.row(at));
        let change = cell(if self.numbers.asked.shares_only() { "points" } else { "delta" });
        let (name, depth) = (self.numbers.name(at), self.numbers.depth(at));
        format!("{name}, base {}, head {}, change {change}, level {depth}", cell("base"), cell("head"))
    }

    fn about(&self, at: usize) -> Option<String> {
        let (node, told) = (self.numbers.node(at), &self.numbers.told);
        (told.related.to != Normalise::Nothing).then(|| {
            format!("Recorded: total {}, self {}", told.recorded(node.total()), told.recorded(node.own()))
        })
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        if column != "function" {
            return false;
        }
        let r = self.numbers.rows.rows[at];
        let branch = Branch {
            depth: self.numbers.depth(at),
            label: &self.numbers.name(at),
            has_children: r.has_children,
            expanded: r.expanded,
            found: self.pattern.as_ref().filter(|_| r.matches),
            gap: None,
        };
        match function_cell(ui, &branch, Palette::of(ui)) {
            Some(Triangle::Toggled) => self.acts.push(Act::Toggle(at)),
            Some(Triangle::ToggledAll) => self.acts.push(Act::All(at, !r.expanded)),
            None => {}
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let rows = self.numbers.rows;
        let (path, base) = rows.paths.functions(rows.rows[at].node);
        let &function = path.last()?;
        let subject = self.numbers.pair.one(base);
        let names: Vec<_> = path.iter().map(|&f| subject.profile().function_name(f)).collect();
        let context = ContextMenu::about(menu::About { function, path: Some(&path) });
        let context = context.copies("Copy call path", names.join(";")).row().table();
        let acts = &mut self.acts;
        let mut side = self.cx.side(&subject, base);
        context.show(&mut side, ui, |_, ui| {
            if menu::entry(ui, "Open all below", "", "") {
                acts.push(Act::All(at, true));
            }
            if menu::entry(ui, "Close all", "", "") {
                acts.push(Act::CloseAll);
            }
        })
    }
}
