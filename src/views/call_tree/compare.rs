//! The call trees of two runs laid over each other: each path with base, head and Δ.

use egui::{Key, Modifiers, Ui};

use super::super::shared::copy::{self, Form, Value};
use super::super::shared::grid::{self, Column, Grid, GridState, Happened, Mark, walk};
use super::super::shared::menu::{self, ContextMenu, Picked};
use super::super::shared::pair::{self, Asked, Written};
use super::super::shared::{self, Follow, Stale};
use super::columns::{Branch, Triangle, function_cell};
use crate::analysis::Scope;
use crate::analysis::diff::normalise::Factors;
use crate::analysis::diff::paths::{DiffPaths, PathNode};
use crate::analysis::diff::tree::{self, DiffTree, PathRows, TreeKey, TreeSort};
use crate::analysis::diff::{Compared, State, Two};
use crate::analysis::expansion::{Expansion, PathKey};
use crate::analysis::tree_rows::MAX_ROWS;
use crate::format::{self, UNKNOWN};
use crate::model::SymbolKey;
use crate::query::Pair;
use crate::state::Item;
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{Cell, SortOrder, cell_text, delta_bar};
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
    stale: Stale,
    follow: Follow,
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
        let Some(answer) = cx.ask_pair(&query, 0) else { return };
        let Some(rows) = shared::value(ui, &answer, "Comparing call trees") else { return };
        let (related, not_related) = pair::related_paths(cx, &asked, false, 1);
        if self.opened.as_ref() != Some(&cx.interaction.scope) && !rows.paths.nodes.is_empty() {
            self.opened = Some(cx.interaction.scope.clone());
            self.most_changed(&rows);
            ui.ctx().request_repaint();
        }
        if self.follow.news(cx) {
            self.at = None;
        }
        self.toolbar(cx, ui, &rows);
        shared::crumbs::show(cx, ui);
        pair::notices(cx, ui, &asked, &related.factors.legend, not_related.as_deref());
        pair::estimated(ui, &asked, &rows.paths);
        let footer = footer(&asked, &rows);
        let numbers = Numbers { pair: &pair, asked: &asked, rows: &rows, factors: &related.factors };
        shared::with_footer(
            ui,
            |ui| {
                self.stale.dim(&answer, cx.live, ui);
                self.table(cx, ui, &numbers);
            },
            |ui| pair::weak(ui, &footer),
        );
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
fn footer(asked: &Asked, rows: &PathRows) -> String {
    let nodes = &rows.paths.nodes;
    let alone = rows.paths.alone.map(|n| format::count(n as i64));
    let paths = format::counted(nodes.len() as i64, "call path", "call paths");
    let mut text = format!(
        "Δ = head − base · {paths}: {} new, {} gone",
        alone.head.unwrap_or_default(),
        alone.base.unwrap_or_default()
    );
    if !asked.shares_only() {
        text += &format!(
            " · together {}",
            pair::signed(asked.unit(false), rows.paths.sum.delta().map(|d| d as f64))
        );
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

    fn toolbar(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, rows: &PathRows) {
        shared::header(ui, |ui| {
            let about = "Open the path whose total changed most (h)";
            if ui.button("Most changed path").on_hover_text(about).clicked() {
                self.go_to_most_changed(rows);
            }
            pair::normalise(cx, ui);
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
        let palette = Palette::of(ui);
        let mut table =
            Table { cx, numbers, palette, columns: &columns, selected, at: self.at, acts: Vec::new() };
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
                let node = rows.rows[row].node as usize;
                let end = (rows.paths.nodes[node].end as usize).min(node + MOST_OPENED);
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
            self.follow.select(cx, item);
        }
    }

    fn events(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, numbers: &Numbers<'_>, happened: &Happened) {
        if let Some(key) = happened.header.and_then(|(key, _)| sort_key(key)) {
            self.sort = if self.sort.0 == key { (key, !self.sort.1) } else { (key, false) };
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
            let parent = rows.paths.nodes[r.node as usize].parent;
            if r.expanded {
                self.act(rows, Act::Toggle(row));
            } else if let Some(above) = rows.rows[..row].iter().rposition(|a| a.node == parent) {
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
    rows: &'a PathRows,
    factors: &'a Factors,
}

fn sort_key(column: &str) -> Option<TreeKey> {
    Some(match column {
        "delta" => TreeKey::Delta,
        "own delta" => TreeKey::OwnDelta,
        "base" => TreeKey::Base,
        "head" => TreeKey::Head,
        "function" => TreeKey::Name,
        _ => return None,
    })
}

impl Numbers<'_> {
    fn node(&self, row: usize) -> &PathNode {
        &self.rows.paths.nodes[self.rows.rows[row].node as usize]
    }

    fn key(&self, row: usize) -> PathKey {
        self.rows.keys[self.rows.rows[row].node as usize]
    }

    fn item(&self, row: usize) -> Option<Item> {
        pair::path_item(self.pair, &self.rows.paths, self.rows.rows[row].node)
    }

    fn symbol(&self, row: usize) -> Option<SymbolKey> {
        pair::path_symbol(self.pair, self.node(row))
    }

    fn name(&self, row: usize) -> std::borrow::Cow<'_, str> {
        tree::name(self.node(row), &self.pair.base.profile, &self.pair.head.profile)
    }

    fn state(&self, row: usize) -> &'static str {
        let node = self.node(row);
        match node.state() {
            State::Both if node.total().delta() == Some(0) && node.own().delta() == Some(0) => "=",
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
        Written::of(self.asked, self.most())
    }

    fn columns(&self, sort: TreeSort) -> Vec<Column> {
        let what = &self.asked.measure.label;
        let suffix = self.written().suffix();
        let shares = self.asked.shares_only();
        let mut columns = vec![
            Column::text("state", "", 58.0)
                .rank(4)
                .tip("new: only head took this path. gone: only base did. =: not changed."),
            Column::number("base", format!("Total base{suffix}"), 112.0)
                .rank(2)
                .tip(format!("Total {what} of this path in the baseline")),
            Column::number("head", format!("Total head{suffix}"), 112.0)
                .rank(1)
                .tip(format!("Total {what} of this path in the new run")),
        ];
        if shares {
            columns.push(
                Column::number("points", "Δ share, points", 150.0)
                    .tip(format!("By how many percentage points the share of the whole {what} changed")),
            );
        } else {
            columns.extend([
                Column::number("delta", format!("Δ total{suffix}"), 150.0)
                    .tip(format!("Change of the total {what} of this path and all below it: head − base")),
                Column::number("relative", "Δ %", 84.0)
                    .rank(3)
                    .tip("The change as a share of the baseline of the same path"),
                Column::number("own delta", format!("Δ self{suffix}"), 100.0)
                    .rank(6)
                    .tip(format!("Change of the {what} that the function spent itself on exactly this path")),
            ]);
        }
        if self.rows.counted {
            columns.push(
                Column::number("count", "Calls", 110.0)
                    .rank(7)
                    .tip("Calls or samples on this path: base → head"),
            );
        }
        columns.push(Column::text("function", "Function", 190.0).grow(1.0));
        let (key, reverse) = sort;
        for column in &mut columns {
            let here = sort_key(column.key);
            if here == Some(key) || key == TreeKey::Change && here == Some(TreeKey::Delta) {
                let up = (key == TreeKey::Name) != reverse;
                column.sort = Some(if up { SortOrder::Ascending } else { SortOrder::Descending });
            }
        }
        columns
    }

    fn points(&self, row: usize) -> Option<f64> {
        crate::analysis::diff::list::points(self.node(row).total(), self.rows.paths.sum)
    }

    fn value(&self, row: usize, column: &str) -> Value {
        let node = self.node(row);
        let (total, own) = (self.factors.apply(node.total()), self.factors.apply(node.own()));
        let written = self.written();
        let cost = |v: Option<f64>, base| Value::number(written.cost(v, base), v);
        let change = |two: Two<f64>| Value::number(written.change(two.change()), two.change());
        match column {
            "base" => cost(total.base, true),
            "head" => cost(total.head, false),
            "delta" => change(total),
            "own delta" => change(own),
            "relative" => {
                let relative = total.relative_change();
                Value::number(pair::relative(relative, node.state()), relative.map(|r| r * 100.0))
            }
            "points" => {
                let points = self.points(row).map(|p| p * 100.0);
                Value::number(points.map_or_else(|| UNKNOWN.to_owned(), format::points), points)
            }
            "count" => {
                let count = node.halves.map(|h| h.count);
                let text = |n: Option<u64>| n.map_or_else(|| UNKNOWN.to_owned(), |n| format::count(n as i64));
                match (count.base.flatten(), count.head.flatten()) {
                    (b, h) if b == h => Value::text(text(b)),
                    (b, h) => Value::text(format!("{} → {}", text(b), text(h))),
                }
            }
            "state" => Value::text(self.state(row)),
            _ => {
                let indent = "  ".repeat((node.depth as usize).min(200));
                let name = self.name(row);
                Value { text: format!("{indent}{name}"), exact: name.into_owned() }
            }
        }
    }
}

struct Table<'a, 'b> {
    cx: &'a mut ViewCx<'b>,
    numbers: &'a Numbers<'a>,
    palette: &'static Palette,
    columns: &'a [Column],
    selected: Option<SymbolKey>,
    at: Option<PathKey>,
    acts: Vec<Act>,
}

impl Table<'_, '_> {
    fn copied(&self, form: Form, rows: &mut dyn Iterator<Item = usize>) -> String {
        let asked = self.numbers.asked;
        let headings = copy::headings_of(self.columns, |key| match key {
            "base" => Some(asked.unit(true)),
            "head" | "delta" | "own delta" => Some(asked.unit(false)),
            _ => None,
        });
        let values = rows.map(|row| self.columns.iter().map(|c| self.numbers.value(row, c.key)).collect());
        copy::table(form, &headings, &values.collect::<Vec<_>>())
    }
}

impl grid::Rows for Table<'_, '_> {
    fn mark(&self, row: usize) -> Mark {
        let symbol = self.numbers.symbol(row);
        let is = |other: Option<SymbolKey>| symbol.is_some() && other == symbol;
        Mark {
            selected: self.at == Some(self.numbers.key(row)),
            lit: is(self.cx.hover.and_then(Item::symbol)) || is(self.selected),
        }
    }

    fn label(&self, row: usize) -> String {
        let value = |key| self.numbers.value(row, key).text;
        let change = value(if self.numbers.asked.shares_only() { "points" } else { "delta" });
        let (name, depth) = (self.numbers.name(row), self.numbers.node(row).depth);
        format!("{name}, base {}, head {}, change {change}, level {depth}", value("base"), value("head"))
    }

    fn cell(&mut self, ui: &mut Ui, row: usize, column: &'static str) {
        let (palette, numbers) = (self.palette, self.numbers);
        let node = numbers.node(row);
        let number = Cell::number(palette);
        if column == "function" {
            let r = numbers.rows.rows[row];
            let branch = Branch {
                depth: node.depth,
                label: &numbers.name(row),
                has_children: r.has_children,
                expanded: r.expanded,
                matches: r.matches,
                gap: None,
            };
            match function_cell(ui, &branch, palette) {
                Some(Triangle::Toggled) => self.acts.push(Act::Toggle(row)),
                Some(Triangle::ToggledAll) => self.acts.push(Act::All(row, !r.expanded)),
                None => {}
            }
            return;
        }
        let text = numbers.value(row, column).text;
        match column {
            "delta" | "points" => {
                let share = match column {
                    "points" => numbers.points(row),
                    // The longest bar is the largest change of any path.
                    _ => node.total().delta().map(|d| d as f64 / numbers.rows.most.max(1) as f64),
                };
                delta_bar(ui, share, numbers.asked.better(numbers.pair), &text, &number);
            }
            "state" => {
                let color = if matches!(text.as_str(), "new" | "gone") {
                    palette.tone(Tone::Info)
                } else {
                    palette.text_weak
                };
                cell_text(ui, &text, &Cell { color, ..Cell::text(palette) });
            }
            _ => {
                let weak = matches!(text.as_str(), "0" | "0 %" | "–");
                let color = if weak { palette.text_weak } else { palette.text };
                cell_text(ui, &text, &Cell { color, ..number });
            }
        }
    }

    fn menu(&mut self, ui: &mut Ui, row: usize) {
        let rows = self.numbers.rows;
        let (path, base) = rows.paths.functions(rows.rows[row].node);
        let Some(&function) = path.last() else { return };
        let pair = self.numbers.pair;
        let subject = pair.one(base);
        let names: Vec<_> = path.iter().map(|&f| subject.profile().function_name(f)).collect();
        let context = ContextMenu::about(menu::About { function, path: Some(&path) });
        let context = context.copies("Copy call path", names.join(";")).row().table();
        let acts = &mut self.acts;
        let mut side = self.cx.side(&subject, base);
        let picked = context.show(&mut side, ui, |_, ui| {
            if menu::entry(ui, "Open all below", "", "") {
                acts.push(Act::All(row, true));
            }
            if menu::entry(ui, "Close all", "", "") {
                acts.push(Act::CloseAll);
            }
        });
        match picked {
            Some(Picked::Row) => ui.ctx().copy_text(self.copied(Form::Text, &mut std::iter::once(row))),
            Some(Picked::Table(form)) => {
                let n = self.numbers.rows.rows.len();
                ui.ctx().copy_text(self.copied(form, &mut (0..n)));
            }
            None => {}
        }
    }
}
