//! The functions of two runs beside each other: base, head, Δ. What takes more and what takes less are lists of their own,
//! each sorted over all rows.

use std::sync::Arc;

use egui::Ui;

use super::super::shared;
use super::super::shared::grid::{self, Grid, GridState, Happened, Mark, walk};
use super::super::shared::menu::{self, Picked};
use super::super::shared::pair::{self, Asked, Told, Written};
use crate::analysis::columns;
use crate::analysis::diff::evidence::Verdict;
use crate::analysis::diff::functions::{Row, RowKey};
use crate::analysis::diff::list::{self, DiffKey, DiffList, DiffOrder, DiffSort, Which};
use crate::analysis::diff::normalise::Normalise;
use crate::analysis::diff::paths::{DiffMoved, DiffPaths};
use crate::analysis::diff::{Compared, State};
use crate::analysis::search::Pattern;
use crate::format::{self, Column, Form, Look, Value};
use crate::model::{SymbolKey, Unit};
use crate::query::{Pair, Step};
use crate::state::Item;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone};
use crate::ui::widgets::{Cell, EmptyState, cell_text, segmented};
use crate::views::{View, ViewCx, Wish};

/// The view.
#[derive(Default)]
pub struct DiffFunctionsView {
    sort: DiffSort,
    which: Which,
    grid: GridState,
    /// The list that was shown last.
    listed: Option<Arc<DiffOrder>>,
}

/// What is kept of the view in a workspace.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    sort: DiffSort,
    which: Which,
    columns: std::collections::BTreeMap<String, bool>,
}

impl View for DiffFunctionsView {
    fn ui(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui) {
        let Some((pair, asked)) = Asked::begin(cx, ui) else { return };
        let query = DiffList {
            functions: asked.functions.clone(),
            to: asked.normalise(cx),
            which: self.which,
            sort: self.sort,
            search: cx.interaction.search.clone(),
        };
        let Some(list) = cx.ask_pair(&query, 0).content(ui, "Comparing functions") else { return };
        let moved = cx.ask_pair(&DiffMoved(DiffPaths(asked.functions.clone())), 1);
        let moved = moved.beside();
        let known = self.listed.as_ref().is_some_and(|old| Arc::ptr_eq(old, &list));
        self.listed = Some(list.clone());
        if cx.selected_elsewhere()
            || !known && self.grid.scroll_to.is_none() && cx.interaction.selection.is_some()
        {
            self.grid.scroll_to = selected_row(cx, &list, &pair);
        }
        shared::header(ui, |ui| {
            let names = Which::ALL.map(|(which, name)| (which, name));
            segmented(ui, "Which functions", &mut self.which, &names);
            pair::normalise(cx, ui, &asked);
        });
        pair::notices(cx, ui, &asked, &list.related, list.not_related.as_deref());
        let footer = footer(&asked, &list, self.which);
        shared::with_footer(ui, &footer, |ui| {
            if list.order.is_empty() {
                return nothing(cx, ui, self.which);
            }
            let written = Written::of(&asked, list.related.to, list.most);
            let told = Told { asked: &asked, related: &list.related, whole: list.diff.whole };
            let moved = moved.as_deref();
            let table = Numbers { pair: &pair, asked: &asked, told, list: &list, written, moved };
            self.table(cx, ui, &table);
        });
    }

    fn save(&self) -> serde_json::Value {
        let saved = Saved { sort: self.sort, which: self.which, columns: self.grid.shown.clone() };
        serde_json::to_value(saved).unwrap_or_default()
    }

    fn load(&mut self, saved: &serde_json::Value) {
        if let Ok(saved) = serde_json::from_value::<Saved>(saved.clone()) {
            (self.sort, self.which, self.grid.shown) = (saved.sort, saved.which, saved.columns);
        }
    }
}

/// Says why no function is listed.
fn nothing(cx: &ViewCx<'_>, ui: &mut Ui, which: Which) {
    let search = &cx.interaction.search;
    let title = match which {
        _ if !search.is_empty() => format!("Nothing matches «{search}»"),
        Which::All => "No function costs anything".to_owned(),
        Which::More => "No function takes more".to_owned(),
        Which::Less => "No function takes less".to_owned(),
        Which::New => "No function is new".to_owned(),
        Which::Gone => "No function is gone".to_owned(),
    };
    let mut text = "Costs of functions are those of the shown metric in both runs".to_owned();
    let narrowed = cx.interaction.range.is_some() || !cx.interaction.scope.transforms.is_empty();
    text += if narrowed { ", in what is shown: clear the time range or undo a transform." } else { "." };
    EmptyState::new(Icon::Info, &title, &text).show(ui);
}

/// The listed row of the selected function.
fn selected_row(cx: &ViewCx<'_>, list: &DiffOrder, pair: &Pair) -> Option<usize> {
    let symbol = cx.interaction.selection.as_ref()?.symbol()?;
    let key = RowKey::Function(symbol);
    let here = |base: bool| list.diff.row_of(key, base);
    let there = pair.head.profile.keys().function(symbol).and_then(|_| here(false)).or_else(|| here(true))?;
    list.order.iter().position(|&row| row == there)
}

/// «Δ = head − base. 12 of 44 functions, together −17 ms; matched 97.0 % of base and 94.1 % of head».
fn footer(asked: &Asked, list: &DiffOrder, which: Which) -> String {
    let unit = asked.unit(false);
    let n = list.order.len() as i64;
    let shown = format::counted(n, "function", "functions");
    let change = match asked.shares_only() || list.related.to == Normalise::Call {
        true => String::new(),
        false => format!(", together {}{}", pair::signed(unit, Some(list.change)), list.related.to.per()),
    };
    let matched = list.diff.matched;
    // What takes more and what only head has are no parts of one whole: a function is often both.
    let words = |of: [(Which, &str, &str); 2]| {
        let n =
            |which: Which| Which::ALL.iter().zip(list.counts).find(|(w, _)| w.0 == which).map_or(0, |w| w.1);
        let told = of.into_iter().filter(|(w, ..)| *w != which && n(*w) > 0);
        let told = told.map(|(w, one, many)| {
            format!("{} {}", format::count(n(w) as i64), if n(w) == 1 { one } else { many })
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() { String::new() } else { format!(" · {}", told.join(", ")) }
    };
    let others = words([(Which::More, "takes more", "take more"), (Which::Less, "takes less", "take less")])
        + &words([
            (Which::New, "only in head", "only in head"),
            (Which::Gone, "only in base", "only in base"),
        ]);
    let evidence = match list.diff.evidence {
        Some(e) if e.n_base + e.n_head > 2 => format!(" · sum of self, {}", e.words()),
        _ => String::new(),
    };
    let program = match matched.is_other_program() {
        true => " · these are different programs",
        false => "",
    };
    format!(
        "Δ = head − base · {shown}{change}{others} · matched {} of base, {} of head{program}{evidence}",
        format::percent(matched.share_base),
        format::percent(matched.share_head)
    )
}

impl DiffFunctionsView {
    fn table(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, numbers: &Numbers<'_>) {
        let columns = numbers.columns(self.sort);
        let order = &numbers.list.order;
        let grid = Grid {
            salt: "functions of two",
            name: "Functions of both runs",
            columns: &columns,
            rows: order.len(),
        };
        let mut state = std::mem::take(&mut self.grid);
        let selected = cx.interaction.selection.as_ref().and_then(Item::symbol);
        let pattern = Pattern::new(&cx.interaction.search);
        let mut rows = Table { cx, numbers, columns: &columns, selected, pattern };
        let happened = grid.show(ui, &mut state, &mut rows);
        self.grid = state;
        self.events(cx, ui, numbers, &happened);
    }

    fn events(&mut self, cx: &mut ViewCx<'_>, ui: &Ui, numbers: &Numbers<'_>, happened: &Happened<DiffKey>) {
        if let Some((by, _)) = happened.header {
            format::click(&mut self.sort, by);
        }
        if let Some(item) = happened.hovered.and_then(|row| numbers.item(row)) {
            cx.out.hover = Some(item);
        }
        if let Some(item) = happened.clicked.and_then(|row| numbers.item(row)) {
            cx.select(Some(item));
        }
        if happened.focused {
            let current = selected_row(cx, numbers.list, numbers.pair);
            if let Some(row) = walk(ui, current, numbers.list.order.len(), happened.page) {
                if let Some(item) = numbers.item(row) {
                    cx.select(Some(item));
                }
                self.grid.scroll_to = Some(row);
            }
        }
    }
}

/// What the runs of both sides say of a function that both have.
fn verdict(row: &Row) -> Option<Verdict> {
    row.evidence.filter(|_| row.state() == State::Both).map(|e| e.verdict)
}

/// What cells are made of.
struct Numbers<'a> {
    pair: &'a Pair,
    asked: &'a Asked,
    told: Told<'a>,
    list: &'a DiffOrder,
    /// How costs are written: self and total stand side by side, so they have one unit.
    written: Written,
    /// By row, whether it is called from elsewhere now; `None` while that is not known.
    moved: Option<&'a Vec<bool>>,
}

/// A row of the list, by its place there, and the row itself.
type Cells<'a> = (usize, &'a Row);

impl<'a> Numbers<'a> {
    fn at(&self, row: usize) -> (u32, &'a Row) {
        let i = self.list.order[row];
        (i, &self.list.diff.rows[i as usize])
    }

    fn name(&self, row: usize) -> std::borrow::Cow<'a, str> {
        pair::row_name(self.pair, self.at(row).1)
    }

    /// What a click selects: the function, as the new run names it, else as the baseline does.
    fn item(&self, row: usize) -> Option<Item> {
        self.symbol(row).map(Item::Function)
    }

    fn symbol(&self, row: usize) -> Option<SymbolKey> {
        self.at(row).1.symbol()
    }

    fn place(&self, row: usize) -> Value<'a> {
        let halves = self.at(row).1.halves;
        let (half, base) = match (halves.head, halves.base) {
            (Some(half), _) => (half, false),
            (None, Some(half)) => (half, true),
            (None, None) => return Value::Empty,
        };
        columns::place(&self.pair.run(base).profile, half.symbol.function())
    }

    fn state(&self, row: usize) -> &'static str {
        let (i, row) = self.at(row);
        match row.state() {
            State::Both if row.step.is_some_and(Step::pairs_other_names) => match row.step {
                Some(Step::Rule) => "by rule",
                Some(Step::ByHand) => "by hand",
                Some(Step::Ids) => "other ids",
                _ => "by place",
            },
            State::Both if self.moved.is_some_and(|moved| moved[i as usize]) => "moved",
            State::Both if self.same(row) => "=",
            State::Both => "",
            other => other.key(),
        }
    }

    /// True when nothing of a function changed, as its costs are shown.
    fn same(&self, row: &Row) -> bool {
        let related = self.told.related;
        related.own(row).change() == Some(0.0) && related.total(row).change() == Some(0.0)
    }

    /// True when the profiles say where functions are defined, to judge by the first ones.
    fn has_places(&self) -> bool {
        (0..self.list.order.len().min(64))
            .any(|row| matches!(self.place(row), Value::Place(file, _) if !file.is_empty()))
    }

    /// True when a side has several runs.
    fn several(&self) -> bool {
        self.list.diff.evidence.is_some_and(|e| e.n_base + e.n_head > 2)
    }

    fn counted(&self) -> bool {
        self.list.diff.calls.state().is_some()
    }

    fn columns<'s>(&'s self, sort: DiffSort) -> Vec<Column<'s, Cells<'s>, DiffKey>> {
        type C<'s> = Cells<'s>;
        let what = &self.asked.measure.label;
        let (written, related) = (self.written, &self.list.related);
        let shares_only = self.asked.shares_only();
        let own = move |(_, r): C<'s>| related.own(r);
        let total = move |(_, r): C<'s>| related.total(r);
        let points = move |(_, r): C<'s>| Value::number(list::points(r.own(), self.list.diff.whole.own));
        // The longest bar is the largest change of all rows.
        let bar = |most| Look::Change(most, self.asked.better(self.pair));
        let side = |base: bool| if base { "the baseline" } else { "the new run" };
        let cost = |key, title: &str, of: &'static str, base: bool| {
            let costs = move |row: C<'s>| if of == "Self" { own(row) } else { total(row) };
            Column::cost(key, written.title(title), written.cost(base), move |row: C<'s>| {
                let costs = costs(row);
                Value::number(if base { costs.base } else { costs.head })
            })
            .room(13.0)
            .hint(format!("{of} {what} in {}", side(base)))
        };
        let mut columns = vec![
            pair::state(
                "new: only head has it. gone: only base has it. moved: both have it, but on no common call path. \
                 by place, by rule, by hand: base calls it otherwise. =: not changed.",
                |(row, _): C<'s>| self.state(row),
            )
            .sorts(DiffKey::State)
            .room(8.0),
        ];
        if self.several() {
            columns.push(
                Column::text("verdict", "Evidence", |(_, r): C<'s>| {
                    Value::Word(verdict(r).map_or("", Verdict::key))
                })
                .rank(3)
                .room(11.0)
                .hint(
                    "What the runs of both sides say of the self cost, corrected for the number of functions: slower or \
                     faster beyond chance and by at least 1 %, no evidence, or too few runs to tell.",
                ),
            );
        }
        columns.extend([
            cost("own base", "Self base", "Self", true).sorts(DiffKey::OwnBase).rank(2),
            cost("own head", "Self head", "Self", false).sorts(DiffKey::OwnHead).rank(1),
        ]);
        if shares_only {
            columns.push(
                Column::number("points", "Δ share, points", Form::Points, points)
                    .look(bar(1.0))
                    .sorts(DiffKey::OwnPoints)
                    .hint(format!(
                        "By how many percentage points the share of the whole self {what} changed"
                    )),
            );
        } else {
            columns.extend([
                Column::cost("own delta", written.title("Δ self"), written.change(), move |row: C<'s>| {
                    Value::number(own(row).change())
                })
                .look(bar(self.list.most_changed.max(f64::MIN_POSITIVE)))
                .quiet(move |row: C<'s>| pair::is_noise(own(row)))
                .sorts(DiffKey::OwnDelta)
                .room(19.0)
                .hint(format!("Change of the self {what}: head − base")),
                Column::number("own relative", "Δ %", Form::Growth, move |row: C<'s>| {
                    pair::growth(own(row).relative_change(), row.1.state())
                })
                .sorts(DiffKey::OwnRelative)
                .rank(3)
                .room(10.0)
                .hint("The change as a share of the baseline of the same function"),
                Column::number("points", "Points", Form::Points, points)
                    .sorts(DiffKey::OwnPoints)
                    .rank(8)
                    .hint(format!(
                        "By how many percentage points the share of the whole self {what} changed"
                    )),
            ]);
        }
        columns.extend([
            cost("total base", "Total base", "Total", true).sorts(DiffKey::TotalBase).rank(11),
            cost("total head", "Total head", "Total", false).sorts(DiffKey::TotalHead).rank(12),
        ]);
        if !shares_only {
            columns.extend([
                Column::cost(
                    "total delta",
                    written.title("Δ total"),
                    written.change(),
                    move |row: C<'s>| Value::number(total(row).change()),
                )
                .sorts(DiffKey::TotalDelta)
                .rank(6)
                .room(13.0)
                .hint(format!("Change of the total {what}: of the function and all that it called")),
                Column::number("total relative", "Δ total %", Form::Growth, move |row: C<'s>| {
                    pair::growth(total(row).relative_change(), row.1.state())
                })
                .sorts(DiffKey::TotalRelative)
                .rank(13)
                .room(10.0)
                .hint("The change of the total as a share of the baseline of the same function"),
            ]);
        }
        if self.counted() {
            let count = |n: Option<i64>| Value::count(n.map(|n| n.max(0) as u64));
            columns.extend([
                Column::count("calls base", "Calls base", move |(_, r): C<'s>| count(list::calls(r).base))
                    .sorts(DiffKey::CallsBase)
                    .rank(14)
                    .room(11.0)
                    .hint("Calls in the baseline"),
                Column::count("calls head", "Calls head", move |(_, r): C<'s>| count(list::calls(r).head))
                    .sorts(DiffKey::CallsHead)
                    .rank(15)
                    .room(11.0)
                    .hint("Calls in the new run"),
                Column::number("calls delta", "Δ calls", Form::SignedEach(Unit::Count), |(_, r): C<'s>| {
                    Value::cost(list::calls_delta(r))
                })
                .sorts(DiffKey::CallsDelta)
                .rank(7)
                .room(10.0)
                .hint("Change of the number of calls"),
            ]);
            if !shares_only {
                let unit = self.asked.unit(false);
                let each = (Form::SignedEach(unit), unit);
                columns.extend([
                    Column::cost("by calls", "By calls", each, |(_, r): C<'s>| Value::cost(r.split().map(|s| s.0)))
                        .sorts(DiffKey::ByCalls)
                        .rank(9)
                        .room(11.0)
                        .hint("What of the change of the total comes of more or fewer calls, at the price of the baseline"),
                    Column::cost("per call", "Per call", each, |(_, r): C<'s>| Value::cost(r.split().map(|s| s.1)))
                        .sorts(DiffKey::PerCall)
                        .rank(10)
                        .room(11.0)
                        .hint("What of the change of the total comes of calls that each take more or less"),
                ]);
            }
        }
        columns.extend([
            Column::name("function", "Function", |(row, _): C<'s>| Value::Text(self.name(row)))
                .sorts(DiffKey::Name),
            Column::weak("step", "Matched by", |(_, r): C<'s>| Value::Word(r.step.map_or("", Step::key)))
                .sorts(DiffKey::Step)
                .rank(17)
                .room(14.0)
                .hint("By which of the steps of matching the two were found to be the same"),
        ]);
        if self.has_places() {
            columns.push(
                Column::path("place", "File:line", |(row, _): C<'s>| self.place(row))
                    .rank(5)
                    .room(20.0)
                    .hint("Where the function is defined, in head if it has it"),
            );
        }
        format::mark(&mut columns, &[sort]);
        columns
    }
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    numbers: &'l Numbers<'l>,
    columns: &'a [Column<'l, Cells<'l>, DiffKey>],
    selected: Option<SymbolKey>,
    pattern: Option<Pattern>,
}

impl<'l> grid::Rows for Table<'_, 'l, '_> {
    type Row = Cells<'l>;

    fn row(&self, at: usize) -> Cells<'l> {
        (at, self.numbers.at(at).1)
    }

    fn mark(&self, at: usize) -> Mark {
        let symbol = self.numbers.symbol(at);
        let lit = symbol.is_some() && self.cx.hover.and_then(Item::symbol) == symbol;
        Mark { selected: symbol.is_some() && self.selected == symbol, lit }
    }

    fn found(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    fn label(&self, at: usize) -> String {
        let cell = |key| shared::cell_with_unit(self.columns, key, self.row(at));
        let state = self.numbers.state(at);
        let state = if state.is_empty() { String::new() } else { format!(", {state}") };
        let change = if self.numbers.asked.shares_only() { "points" } else { "own delta" };
        let (name, base, head) = (cell("function"), cell("own base"), cell("own head"));
        format!("{name}, base {base}, head {head}, change {}{state}", cell(change))
    }

    fn about(&self, at: usize) -> Option<String> {
        let (told, (_, row)) = (&self.numbers.told, self.numbers.at(at));
        let is_related = told.related.to != Normalise::Nothing && !self.numbers.asked.shares_only();
        let recorded = is_related.then(|| {
            format!("Recorded: self {}, total {}", told.recorded(row.own()), told.recorded(row.total()))
        });
        let otherwise = row.step.filter(|step| step.pairs_other_names());
        let otherwise = otherwise.map(|step| format!("{}\n{}", self.numbers.name(at), step.words()));
        let said: Vec<String> = otherwise.into_iter().chain(recorded).collect();
        (!said.is_empty()).then(|| said.join("\n"))
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        if column == "verdict" {
            let palette = Palette::of(ui);
            let verdict = verdict(self.numbers.at(at).1);
            let color = match verdict {
                Some(Verdict::Slower) => palette.tone(Tone::Bad),
                Some(Verdict::Faster) => palette.tone(Tone::Good),
                _ => palette.text_weak,
            };
            cell_text(ui, verdict.map_or("", Verdict::key), &Cell { color, ..Cell::text(palette) });
        }
        column == "verdict"
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let halves = self.numbers.at(at).1.halves;
        // A function that is gone is one of the baseline.
        let base = halves.head.is_none();
        let half = halves.head.or(halves.base)?;
        let subject = self.numbers.pair.one(base);
        let about = menu::About { function: half.symbol.function(), path: None };
        let mut side = self.cx.side(&subject, base);
        menu::ContextMenu::about(about).row().table().show(&mut side, ui, |cx, ui| {
            pairing(cx, ui, self.numbers, at);
        })
    }
}

/// Most functions that a function without a partner can be paired with.
const CANDIDATES: usize = 12;

/// Entries that pair a function by hand with one of the other run, or end that.
fn pairing(cx: &mut ViewCx<'_>, ui: &mut Ui, numbers: &Numbers<'_>, row: usize) {
    let (_, row) = numbers.at(row);
    if let (Some(Step::ByHand), Some(RowKey::Function(base)), Some(RowKey::Function(head))) =
        (row.step, row.keys.base, row.keys.head)
        && menu::entry(ui, "Pair by hand no more", "", "Match it by its name again")
    {
        cx.out.wishes.push(Wish::Pair { base, head, same: false });
    }
    let Some(own) = row.symbol().filter(|_| matches!(row.state(), State::New | State::Gone)) else { return };
    let gone = row.state() == State::Gone;
    let other = if gone { State::New } else { State::Gone };
    let mut others: Vec<&Row> = numbers.list.diff.rows.iter().filter(|r| r.state() == other).collect();
    if others.is_empty() {
        return;
    }
    // The likeliest first: those that cost about as much.
    let cost = |r: &Row| r.total().base.or(r.total().head).unwrap_or(0);
    let here = cost(row);
    others.sort_by_key(|r| cost(r).abs_diff(here));
    let title = if gone { "Same function as in head" } else { "Same function as in base" };
    ui.menu_button(title, |ui| {
        let unit = numbers.asked.unit(!gone);
        for candidate in others.iter().take(CANDIDATES) {
            let name = list::name(candidate, &numbers.pair.base.profile, &numbers.pair.head.profile);
            let cost = format::cost(unit, cost(candidate));
            if menu::entry(ui, &name, &cost, "Take both for the same function, in every view")
                && let Some(symbol) = candidate.symbol()
            {
                let (base, head) = if gone { (own, symbol) } else { (symbol, own) };
                cx.out.wishes.push(Wish::Pair { base, head, same: true });
            }
        }
    });
}
