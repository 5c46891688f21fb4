//! The list of functions under their files, modules, packages or classes.

use std::collections::BTreeSet;

use egui::{Key, Modifiers, Ui};

use super::FunctionsView;
use crate::analysis::FunctionRow;
use crate::analysis::columns::groups::{GroupColumn, GroupLine, groups};
use crate::analysis::function_groups::{FunctionGroups, Grouped};
use crate::analysis::function_list;
use crate::analysis::groups::GroupBy;
use crate::analysis::search::Pattern;
use crate::format;
use crate::state::Item;
use crate::ui::theme::Palette;
use crate::views::shared::branch::{Branch, function_cell};
use crate::views::shared::grid::{Grid, GridState, Mark, Rows, walk};
use crate::views::shared::menu::{self, Picked};
use crate::views::{ViewCx, Wish, shared};

/// What stays from frame to frame.
#[derive(Default)]
pub(super) struct Groups {
    grid: GridState,
    /// Names of the groups whose functions are listed.
    open: BTreeSet<String>,
    /// The group on which the keyboard is, where that is no function.
    at: Option<String>,
}

/// A row: which group, and which of its functions.
type Place = (usize, Option<u32>);

impl FunctionsView {
    /// Shows the functions under their groups.
    pub(super) fn by_groups(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, query: &FunctionGroups) {
        let Some(grouped) = cx.ask(query, 0).content(ui, "Adding up groups") else { return };
        if cx.selected_elsewhere() {
            self.show_selected(cx, &grouped);
        }
        shared::note_basis(cx, &grouped.list.table.basis, "");
        let places = self.places(&grouped);
        let footer = footer(cx, &grouped, query.by);
        shared::with_footer(ui, &footer, |ui| self.group_table(cx, ui, (&grouped, query.by), &places));
    }

    /// Opens the group of the function that was selected elsewhere, and goes there.
    fn show_selected(&mut self, cx: &ViewCx<'_>, grouped: &Grouped) {
        self.grouped.at = None;
        let selected = cx.interaction.selection.as_ref().and_then(|item| item.function(cx.profile()));
        let Some(function) = selected else { return };
        let has = |at: usize, row: u32| {
            function_of(grouped, (at, Some(row))).is_some_and(|r| r.function == function)
        };
        let mut groups = grouped.groups.iter().enumerate();
        if let Some((_, group)) = groups.find(|(at, group)| group.rows.iter().any(|&row| has(*at, row))) {
            self.grouped.open.insert(group.name.clone());
            let places = self.places(grouped);
            self.grouped.grid.scroll_to =
                places.iter().position(|&(at, row)| row.is_some_and(|row| has(at, row)));
        }
    }

    fn places(&self, grouped: &Grouped) -> Vec<Place> {
        let mut places = Vec::new();
        for (at, group) in grouped.groups.iter().enumerate() {
            places.push((at, None));
            if self.grouped.open.contains(&group.name) {
                places.extend(group.rows.iter().map(|&row| (at, Some(row))));
            }
        }
        places
    }

    fn group_table(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        (grouped, by): (&Grouped, GroupBy),
        places: &[Place],
    ) {
        let profile = cx.subject.profile();
        let shown = cx.shown();
        let mut columns = groups(profile, grouped, by, &shown);
        format::mark(&mut columns, &self.sort);
        let grid = Grid { salt: "function groups", name: "Functions", columns: &columns, rows: places.len() };
        let mut state = std::mem::take(&mut self.grouped.grid);
        let pattern = Pattern::new(&cx.interaction.search);
        let mut toggled = None;
        let mut rows = Table {
            cx,
            grouped,
            by,
            places,
            columns: &columns,
            groups: &self.grouped,
            pattern,
            toggled: &mut toggled,
        };
        let happened = grid.show(ui, &mut state, &mut rows);
        self.grouped.grid = state;
        if let Some((key, more)) = happened.header {
            function_list::click(&mut self.sort, key, more);
        }
        let function =
            |row: usize| places.get(row).and_then(|p| function_of(grouped, *p)).map(|r| r.function);
        if let Some(f) = happened.hovered.and_then(function) {
            cx.out.hover = Some(Item::of_function(f, cx.profile()));
        }
        if let Some(row) = happened.double_clicked {
            match function(row) {
                Some(_) => cx.out.wishes.push(Wish::Show("callers")),
                None => toggled = Some(row),
            }
        }
        let mut current = places.iter().position(|place| self.is_at(cx, grouped, *place));
        if let Some(row) = happened.clicked {
            current = Some(row);
            self.stand_at(cx, grouped, places[row]);
        }
        if happened.focused {
            if let Some(row) = walk(ui, current, places.len(), happened.page) {
                self.stand_at(cx, grouped, places[row]);
                self.grouped.grid.scroll_to = Some(row);
            }
            let pressed =
                |key| ui.input_mut(|i| i.modifiers.is_none() && i.consume_key(Modifiers::NONE, key));
            if let Some(row) = current.filter(|&row| function(row).is_none())
                && (pressed(Key::Enter) || pressed(Key::Space))
            {
                toggled = Some(row);
            }
            if let Some(f) = current.and_then(function) {
                menu::keys(cx, menu::About { function: f, path: None }, ui);
            }
        }
        if let Some(&(at, _)) = toggled.and_then(|row| places.get(row)) {
            let name = &grouped.groups[at].name;
            if !self.grouped.open.remove(name) {
                self.grouped.open.insert(name.clone());
            }
        }
    }

    fn stand_at(&mut self, cx: &mut ViewCx<'_>, grouped: &Grouped, place: Place) {
        match function_of(grouped, place) {
            Some(row) => {
                self.grouped.at = None;
                cx.select(Some(Item::of_function(row.function, cx.profile())));
            }
            None => self.grouped.at = Some(grouped.groups[place.0].name.clone()),
        }
    }

    fn is_at(&self, cx: &ViewCx<'_>, grouped: &Grouped, place: Place) -> bool {
        self.grouped.is_at(cx, grouped, place)
    }
}

impl Groups {
    fn is_at(&self, cx: &ViewCx<'_>, grouped: &Grouped, place: Place) -> bool {
        match (&self.at, function_of(grouped, place)) {
            (Some(name), None) => *name == grouped.groups[place.0].name,
            (None, Some(row)) => cx.is_selected(&Item::of_function(row.function, cx.profile())),
            _ => false,
        }
    }
}

fn function_of(grouped: &Grouped, (_, row): Place) -> Option<&FunctionRow> {
    let row = *grouped.list.order.get(row? as usize)?;
    grouped.list.table.rows.get(row as usize)
}

/// «12 modules with 5 708 functions».
fn footer(cx: &ViewCx<'_>, grouped: &Grouped, by: GroupBy) -> String {
    let named = grouped.groups.iter().filter(|g| !g.name.is_empty()).count() as i64;
    let many = match by {
        GroupBy::File => "files",
        GroupBy::Module => "modules",
        GroupBy::Package => "packages",
        GroupBy::Class => "classes",
    };
    let functions = format::counted(grouped.list.order.len() as i64, "function", "functions");
    let mut text = format!("{} with {functions}", format::counted(named, by.label(), many));
    if let Some(own) = grouped.list.matched {
        let unit = shared::unit(cx.profile(), cx.interaction);
        let share = format::share_text(grouped.list.table.whole.own_share(own));
        text += &format!(": self {} ({share})", format::cost(unit, own));
    }
    text
}

struct Table<'a, 'l, 'b> {
    cx: &'a mut ViewCx<'b>,
    grouped: &'l Grouped,
    by: GroupBy,
    places: &'a [Place],
    columns: &'a [GroupColumn<'l>],
    groups: &'a Groups,
    pattern: Option<Pattern>,
    toggled: &'a mut Option<usize>,
}

impl<'l> Rows for Table<'_, 'l, '_> {
    type Row = GroupLine<'l>;

    fn row(&self, at: usize) -> GroupLine<'l> {
        let place = self.places[at];
        GroupLine { group: &self.grouped.groups[place.0], row: function_of(self.grouped, place) }
    }

    fn mark(&self, at: usize) -> Mark {
        let lit = self
            .row(at)
            .row
            .is_some_and(|r| self.cx.is_hovered(&Item::of_function(r.function, self.cx.profile())));
        Mark { selected: self.groups.is_at(self.cx, self.grouped, self.places[at]), lit }
    }

    fn found(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    fn label(&self, at: usize) -> String {
        let row = self.row(at);
        let cost = |key| shared::cell_with_unit(self.columns, key, row);
        format!("{}, self {}, total {}", row.label(self.by, self.cx.profile()), cost("self"), cost("total"))
    }

    fn paint(&mut self, ui: &mut Ui, at: usize, column: &'static str) -> bool {
        if column != "function" {
            return false;
        }
        let line = self.row(at);
        let branch = Branch {
            depth: u32::from(line.row.is_some()),
            label: &line.label(self.by, self.cx.subject.profile()),
            has_children: line.row.is_none(),
            expanded: self.groups.open.contains(&line.group.name),
            found: self.pattern.as_ref(),
            gap: None,
        };
        if function_cell(ui, &branch, Palette::of(ui)).is_some() {
            *self.toggled = Some(at);
        }
        true
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let line = self.row(at);
        let context = match line.row {
            Some(row) => menu::ContextMenu::about(menu::About { function: row.function, path: None }),
            None => menu::ContextMenu::new().title(line.label(self.by, self.cx.profile()).into_owned()),
        };
        let toggled = &mut self.toggled;
        let open = self.groups.open.contains(&line.group.name);
        context.row().table().show(self.cx, ui, |_, ui| {
            if line.row.is_none() && menu::entry(ui, if open { "Close" } else { "Open" }, "Enter", "") {
                **toggled = Some(at);
            }
        })
    }
}
