//! The table of runs: sorted, filtered, grouped by a label; the selection is that of the heatmap.

use std::sync::Arc;

use egui::Ui;

use super::head::row_title;
use super::{FleetCx, FleetView, Shown, Spot};
use crate::fleet::ask::heat::Heat;
use crate::fleet::ask::short_job;
use crate::fleet::open::{Content, Read, row_name};
use crate::fleet::runs::RunRow;
use crate::format::{self, Column, Form, SortBy, Value};
use crate::model::Unit;
use crate::ui::widgets::{SearchBox, chip, combo};
use crate::views::shared::grid::{Grid, GridState, Mark, Rows, walk};
use crate::views::shared::menu::{Picked, copies_of_table, entry};

/// What runs are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Row,
    Host,
    Value,
    Off,
    Duration,
    File,
    Bytes,
    Warnings,
    Label(usize),
    /// Runs of a group.
    Count,
}

impl SortBy for By {
    fn ascends(self) -> bool {
        matches!(self, Self::Row | Self::Host | Self::File | Self::Label(_))
    }
}

/// Labels that have a column.
const LABELS: [&str; 6] = ["label 1", "label 2", "label 3", "label 4", "label 5", "label 6"];

/// What stays from frame to frame.
pub(super) struct RunsTable {
    sort: (By, bool),
    filter: String,
    /// The label that rows are grouped by.
    group: Option<String>,
    /// Labels with the values that runs must have to be shown; an empty value is that of runs without the label.
    pub only: Vec<(String, String)>,
    grid: GridState,
    groups: GridState,
    listed: Option<Listed>,
    seen: Option<usize>,
    /// The filter shall get the keyboard.
    pub focus: bool,
}

impl Default for RunsTable {
    fn default() -> Self {
        Self {
            sort: (By::Off, false),
            filter: String::new(),
            group: None,
            only: Vec::new(),
            grid: GridState::default(),
            groups: GridState::default(),
            listed: None,
            seen: None,
            focus: false,
        }
    }
}

/// Rows as they are listed, and of what.
struct Listed {
    content: Arc<Read<Content>>,
    heat: Arc<Read<Heat>>,
    sort: (By, bool),
    filter: String,
    group: Option<String>,
    only: Vec<(String, String)>,
    rows: Vec<usize>,
    groups: Vec<Group>,
}

/// Runs with one value of a label.
#[derive(Clone, Debug)]
struct Group {
    name: String,
    rows: Vec<usize>,
    middle: Option<i64>,
    off: Option<i64>,
    worst: usize,
}

impl RunsTable {
    /// Search, grouping and what is left out.
    pub fn controls(&mut self, ui: &mut Ui, shown: &Shown<'_>) {
        let names = label_names(shown);
        let value = self.group.clone().unwrap_or_else(|| "no groups".to_owned());
        let field = combo("group").selected_text(value).show_ui(ui, |ui| {
            ui.selectable_value(&mut self.group, None, "no groups");
            for name in ["host"].into_iter().chain(names.iter().map(String::as_str)) {
                ui.selectable_value(&mut self.group, Some(name.to_owned()), name);
            }
        });
        field.response.accessible_name("Group by").on_hover_text("One row for each value of a label");
        self.only.retain(|(label, value)| {
            let value = if value.is_empty() { format::UNKNOWN } else { value };
            let about = "Only these runs. A click takes that back.";
            !chip(ui, &format!("{label} = {value}")).on_hover_text(about).clicked()
        });
        let width = ui.available_width().clamp(80.0, 240.0);
        let found = self.listed.as_ref().map_or(0, |l| l.rows.len());
        let mut field = SearchBox::new("Filter runs  (Ctrl-F)", &mut self.filter).width(width);
        if found < shown.heat.ranks {
            field = field.matches(None, found);
        }
        let out = field.show(ui);
        if std::mem::take(&mut self.focus) {
            out.response.request_focus();
        }
    }

    fn list(&mut self, shown: &Shown<'_>, columns: &[Column<'_, usize, By>], job: usize) {
        let super::Reads { content, heat } = shown.reads;
        let same = |l: &Listed| {
            Arc::ptr_eq(&l.content, content)
                && Arc::ptr_eq(&l.heat, heat)
                && (l.sort, &l.filter, &l.group, &l.only)
                    == (self.sort, &self.filter, &self.group, &self.only)
        };
        if self.listed.as_ref().is_some_and(same) {
            return;
        }
        let wanted = self.filter.trim().to_lowercase();
        let has = |row: &usize| {
            let Some(run) = run_of(shown, *row) else { return false };
            let of_group =
                self.only.iter().all(|(label, value)| run.label(label).unwrap_or_default() == value);
            of_group && (wanted.is_empty() || is_about(shown.content, job, *row, run, &wanted))
        };
        let mut rows: Vec<usize> = (0..shown.heat.ranks).filter(has).collect();
        // Numbers begin with the largest; those of ranks with the first.
        let (by, reverse) = self.sort;
        let order = format::by(columns, &[(by, reverse != (by == By::Row))]);
        rows.sort_by(|a, b| order(*a, *b));
        let groups = self.group.as_ref().map(|label| grouped(shown, &rows, label)).unwrap_or_default();
        self.listed = Some(Listed {
            content: content.clone(),
            heat: heat.clone(),
            sort: self.sort,
            filter: self.filter.clone(),
            group: self.group.clone(),
            only: self.only.clone(),
            rows,
            groups,
        });
    }
}

pub(super) fn run_of<'a>(shown: &Shown<'a>, row: usize) -> Option<&'a RunRow> {
    let (_, place) = shown.content.jobs.get(shown.query.job)?.rows.ranks.get(row)?;
    shown.content.runs.rows.get(*place as usize)
}

/// True when a text stands in anything that a run is called by.
fn is_about(content: &Content, job: usize, row: usize, run: &RunRow, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    has(&row_name(content, job, row))
        || has(short_job(&run.uri))
        || run.host.as_deref().is_some_and(has)
        || run.labels.iter().any(|(name, value)| has(&format!("{name}={value}")))
}

/// Labels of the runs, those of most use first.
pub(super) fn label_names(shown: &Shown<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    // Runs of one job have the same labels; a look at some is enough to know their names.
    for row in 0..shown.heat.ranks.min(256) {
        for (name, _) in run_of(shown, row).map_or(&[][..], |run| &run.labels) {
            if name != "job" && !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names.truncate(LABELS.len());
    names
}

/// Runs by the value of a label, those that lie furthest above the usual first.
fn grouped(shown: &Shown<'_>, rows: &[usize], label: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for &row in rows {
        let name = run_of(shown, row).and_then(|run| run.label(label)).unwrap_or(format::UNKNOWN);
        let place = *places.entry(name.to_owned()).or_insert_with(|| {
            groups.push(Group {
                name: name.to_owned(),
                rows: Vec::new(),
                middle: None,
                off: None,
                worst: row,
            });
            groups.len() - 1
        });
        groups[place].rows.push(row);
    }
    let middle = |mut all: Vec<i64>| {
        all.sort_unstable();
        all.get(all.len().saturating_sub(1) / 2).copied()
    };
    for group in &mut groups {
        let of = |value: &dyn Fn(usize) -> Option<i64>| {
            middle(group.rows.iter().filter_map(|row| value(*row)).collect())
        };
        let sum = |row: usize| shown.heat.sums.get(row);
        (group.middle, group.off) = (of(&|row| sum(row)?.middle), of(&|row| sum(row)?.off));
        group.worst =
            group.rows.iter().copied().max_by_key(|row| sum(*row).and_then(|s| s.off)).unwrap_or(group.worst);
    }
    groups.sort_by_key(|g| std::cmp::Reverse(g.off));
    groups
}

const TIME: (Form, Unit) = (Form::Each(Unit::Nanoseconds), Unit::Nanoseconds);

fn columns<'a>(shown: &'a Shown<'a>, job: usize) -> Vec<Column<'a, usize, By>> {
    let ranked = shown.content.jobs[job].is_ranked();
    let measure = shown.query.measure.title();
    let run = move |row: usize| run_of(shown, row);
    let text = |text: Option<&'a str>| text.map_or(Value::Unknown, |text| Value::Text(text.into()));
    let sum = move |row: usize| shown.heat.sums.get(row).copied().unwrap_or_default();
    let mut columns: Vec<Column<'a, usize, By>> = Vec::new();
    if ranked {
        let rank = move |row: usize| shown.content.jobs[job].rows.ranks.get(row).map(|r| r.0 as u64);
        columns
            .push(Column::count("rank", "Rank", move |row| Value::count(rank(row))).sorts(By::Row).room(5.0));
    }
    // What nothing is known of has no column; a look at some runs tells.
    let known = |of: &dyn Fn(&RunRow) -> bool| (0..shown.heat.ranks.min(256)).filter_map(run).any(of);
    let has_host = known(&|run| run.host.is_some());
    let has_length = known(&|run| run.duration.is_some());
    columns.extend(
        [Column::text("host", "Host", move |row| text(run(row).and_then(|r| r.host.as_deref())))
            .sorts(By::Host)
            .rank(3)
            .room(12.0)]
        .into_iter()
        .filter(|_| has_host),
    );
    // Without steps nothing was measured in them.
    let measured = [
        Column::cost("value", measure, TIME, move |row| Value::cost(sum(row).middle))
            .hint(format!("{measure} in the middle of its steps"))
            .sorts(By::Value),
        Column::cost(
            "off",
            "To the median",
            (Form::SignedEach(Unit::Nanoseconds), Unit::Nanoseconds),
            move |row| Value::cost(sum(row).off),
        )
        .hint("Distance from the median of all runs, in the middle of its steps")
        .sorts(By::Off),
    ];
    columns.extend(measured.into_iter().filter(|_| !shown.heat.is_empty()));
    let length =
        [Column::cost("duration", "Length", TIME, move |row| Value::cost(run(row).and_then(|r| r.duration)))
            .hint("Length of the whole run")
            .sorts(By::Duration)
            .rank(2)];
    columns.extend(length.into_iter().filter(|_| has_length));
    for (i, name) in label_names(shown).into_iter().enumerate() {
        let label = name.clone();
        let of = move |row: usize| {
            run(row).and_then(|r| r.labels.iter().find(|l| l.0 == label)).map(|l| l.1.as_str())
        };
        columns.push(Column::text(LABELS[i], name, move |row| text(of(row))).sorts(By::Label(i)).rank(4));
    }
    columns.extend([
        Column::path("file", "File", move |row| text(run(row).map(|r| short_job(&r.uri))))
            .hint("File of the run")
            .sorts(By::File)
            .growing(1.0)
            .rank(u8::from(ranked) * 5),
        Column::cost("bytes", "Size", (Form::Each(Unit::Bytes), Unit::Bytes), move |row| {
            Value::cost(run(row).map(|r| r.bytes))
        })
        .sorts(By::Bytes)
        .rank(7),
        Column::count("warnings", "Warnings", move |row| Value::count(run(row).map(|r| r.warnings as u64)))
            .hint("What was odd about the file")
            .sorts(By::Warnings)
            .rank(6),
    ]);
    columns
}

struct Listing<'a> {
    shown: &'a Shown<'a>,
    rows: &'a [usize],
    job: usize,
    selected: Option<usize>,
    other: Option<usize>,
}

impl Rows for Listing<'_> {
    type Row = usize;

    fn row(&self, at: usize) -> usize {
        self.rows[at]
    }

    fn mark(&self, at: usize) -> Mark {
        let row = Some(self.rows[at]);
        Mark { selected: row == self.selected, lit: row == self.other }
    }

    fn label(&self, at: usize) -> String {
        let row = self.rows[at];
        let title = row_title(self.shown.content, self.job, row);
        let sum = self.shown.heat.sums.get(row).copied().unwrap_or_default();
        match sum.middle {
            Some(value) => {
                format!("{title}: {} {}", self.shown.query.measure.title(), format::duration(value))
            }
            None => title,
        }
    }

    fn menu(&mut self, ui: &mut Ui, at: usize) -> Option<Picked> {
        let path = run_of(self.shown, self.rows[at]).map(|run| run.uri.clone()).unwrap_or_default();
        if entry(ui, "Copy path", "", "") {
            ui.ctx().copy_text(path);
        }
        copies_of_table(ui, true, true)
    }

    fn about(&self, at: usize) -> Option<String> {
        run_of(self.shown, self.rows[at]).map(|run| run.uri.clone())
    }
}

struct GroupListing<'a> {
    groups: &'a [Group],
    selected: Option<usize>,
}

impl Rows for GroupListing<'_> {
    type Row = usize;

    fn row(&self, at: usize) -> usize {
        at
    }

    fn mark(&self, at: usize) -> Mark {
        let selected = self.selected.is_some_and(|row| self.groups[at].rows.contains(&row));
        Mark { selected, lit: false }
    }

    fn label(&self, at: usize) -> String {
        let group = &self.groups[at];
        format!("{}: {}", group.name, format::counted(group.rows.len() as i64, "run", "runs"))
    }

    fn menu(&mut self, ui: &mut Ui, _at: usize) -> Option<Picked> {
        copies_of_table(ui, true, true)
    }
}

impl FleetView {
    /// The table in what is left of `ui`.
    pub(super) fn table(&mut self, cx: &mut FleetCx<'_>, ui: &mut Ui, shown: &Shown<'_>) {
        let mut columns = columns(shown, self.job);
        self.runs.list(shown, &columns, self.job);
        format::mark(&mut columns, &[self.runs.sort]);
        let Some(listed) = self.runs.listed.take() else { return };
        match listed.group.is_some() {
            true => self.groups(ui, shown, &listed),
            false => self.rows(cx, ui, shown, (&columns, &listed)),
        }
        // What was changed meanwhile is seen when it is listed next.
        self.runs.listed = Some(listed);
    }

    fn rows(
        &mut self,
        cx: &mut FleetCx<'_>,
        ui: &mut Ui,
        shown: &Shown<'_>,
        (columns, listed): (&[Column<'_, usize, By>], &Listed),
    ) {
        let selected = self.selected.map(|spot| spot.row);
        let at = selected.and_then(|row| listed.rows.iter().position(|r| *r == row));
        if self.runs.seen != selected {
            self.runs.seen = selected;
            self.runs.grid.scroll_to = at;
        }
        let other = self.other.map(|spot| spot.row);
        let mut rows = Listing { shown, rows: &listed.rows, job: self.job, selected, other };
        let grid = Grid { salt: "fleet runs", name: "Runs", columns, rows: listed.rows.len() };
        let happened = grid.show(ui, &mut self.runs.grid, &mut rows);
        if let Some((by, _)) = happened.header {
            format::click(&mut self.runs.sort, by);
        }
        let walked = happened.focused.then(|| walk(ui, at, listed.rows.len(), happened.page)).flatten();
        if walked.is_some() {
            self.runs.grid.scroll_to = walked;
        }
        let command = ui.input(|i| i.modifiers.command);
        let step = self.selected.map_or(shown.heat.steps.len() / 2, |spot| spot.step);
        if let Some(row) = walked.or(happened.clicked).map(|at| listed.rows[at]) {
            let spot = Spot { row, step };
            match command && walked.is_none() {
                true => self.other = self.selected.filter(|s| s.row != row).map(|_| spot),
                false => self.pick(spot),
            }
            self.runs.seen = self.selected.map(|spot| spot.row);
        }
        let enter =
            happened.focused && ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Enter));
        if happened.double_clicked.is_some() || enter {
            self.open_selected(cx, shown);
        }
    }

    fn groups(&mut self, ui: &mut Ui, shown: &Shown<'_>, listed: &Listed) {
        let (groups, label) = (&listed.groups, listed.group.clone().unwrap_or_default());
        let measure = shown.query.measure.title();
        let columns: Vec<Column<'_, usize, By>> = vec![
            Column::name("group", label.as_str(), |at: usize| Value::Text(groups[at].name.as_str().into()))
                .room(16.0),
            Column::count("runs", "Runs", |at: usize| Value::count(Some(groups[at].rows.len() as u64)))
                .sorts(By::Count),
            Column::cost("value", measure, TIME, |at: usize| Value::cost(groups[at].middle))
                .hint(format!("{measure} of the middle run")),
            Column::cost(
                "off",
                "To the median",
                (Form::SignedEach(Unit::Nanoseconds), Unit::Nanoseconds),
                |at: usize| Value::cost(groups[at].off),
            )
            .hint("Distance of the middle run from the median of all"),
            Column::text("worst", "Furthest above", |at: usize| {
                Value::Text(row_title(shown.content, self.job, groups[at].worst).into())
            })
            .room(20.0)
            .rank(2),
        ];
        let mut rows = GroupListing { groups, selected: self.selected.map(|spot| spot.row) };
        let grid =
            Grid { salt: "fleet groups", name: "Groups of runs", columns: &columns, rows: groups.len() };
        let happened = grid.show(ui, &mut self.runs.groups, &mut rows);
        drop(columns);
        if let Some(at) = happened.clicked {
            let step = self.selected.map_or(shown.heat.steps.len() / 2, |spot| spot.step);
            self.pick(Spot { row: groups[at].worst, step });
        }
        if let Some(at) = happened.double_clicked {
            let name = &groups[at].name;
            let value = if name == format::UNKNOWN { String::new() } else { name.clone() };
            self.runs.only.retain(|(other, _)| *other != label);
            self.runs.only.push((label, value));
            self.runs.group = None;
        }
    }

    /// Selects a cell, which comes into view.
    pub(super) fn pick(&mut self, spot: Spot) {
        (self.selected, self.other, self.chosen) = (Some(spot), None, true);
        self.chart.reveal = Some(spot.row);
    }
}
