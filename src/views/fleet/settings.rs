//! The table of settings: a row for each set of labels, with what came of its runs.

use egui::Ui;

use super::runs::label_names;
use super::{Below, FleetCx, FleetView, Shown, shown as shown_of};
use crate::fleet::ask::requests::Group;
use crate::fleet::ask::settings::{Setting, Settings, Spread};
use crate::fleet::open::SettingsOf;
use crate::format::{self, Column, Form, SortBy, UNKNOWN, Value};
use crate::model::Unit;
use crate::ui::icons::Icon;
use crate::ui::widgets::{EmptyState, combo};
use crate::views::shared::grid::{Grid, GridState, Mark, Rows, walk};
use crate::views::shared::menu::{Picked, copies_of_table};

/// What settings are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// As the labels are.
    Label(usize),
    Runs,
    Duration,
    Step,
    Requests,
    Failed,
    Ttft,
    Latency,
    Output,
    Quality,
}

impl SortBy for By {
    fn ascends(self) -> bool {
        matches!(self, Self::Label(_))
    }
}

/// What stays from frame to frame.
#[derive(Default)]
pub(super) struct SettingsTable {
    /// Labels that make a setting; those in which runs differ when there are none.
    by: Vec<String>,
    /// By the labels at first.
    sort: Option<(By, bool)>,
    selected: Option<usize>,
    grid: GridState,
}

/// Columns of labels.
const LABELS: [&str; 6] = ["label 1", "label 2", "label 3", "label 4", "label 5", "label 6"];
const TIME: (Form, Unit) = (Form::Each(Unit::Nanoseconds), Unit::Nanoseconds);

impl SettingsTable {
    /// Which labels make a setting.
    pub fn controls(&mut self, ui: &mut Ui, shown: &Shown<'_>) {
        let names = label_names(shown);
        let text = if self.by.is_empty() { "by what differs".to_owned() } else { self.by.join(" · ") };
        let field = combo("settings by").selected_text(text).truncate().show_ui(ui, |ui| {
            if ui.selectable_label(self.by.is_empty(), "what differs").clicked() {
                self.by.clear();
            }
            for name in ["host", "tool"].into_iter().chain(names.iter().map(String::as_str)) {
                let known = self.by.iter().position(|by| by == name);
                if ui.selectable_label(known.is_some(), name).clicked() {
                    match known {
                        Some(at) => drop(self.by.remove(at)),
                        None if self.by.len() < LABELS.len() => self.by.push(name.to_owned()),
                        None => {}
                    }
                }
            }
        });
        let about = "The labels that make a setting: runs with the same values are one row";
        field.response.accessible_name("Settings by").on_hover_text(about);
    }
}

fn columns(found: &Settings) -> Vec<Column<'_, usize, By>> {
    let row = |at: usize| &found.rows[at];
    let mut columns: Vec<Column<'_, usize, By>> = Vec::new();
    for (i, name) in found.labels.iter().enumerate().take(LABELS.len()) {
        let text = move |at: usize| Value::Text(row(at).values[i].as_str().into());
        columns.push(Column::text(LABELS[i], name.as_str(), text).sorts(By::Label(i)).room(12.0));
    }
    columns.push(
        Column::count("runs", "Runs", move |at| Value::count(Some(row(at).runs.len() as u64)))
            .sorts(By::Runs)
            .room(5.0),
    );
    let spread = |key, title, hint: &str, by, of: fn(&Setting) -> Option<Spread>| {
        let known = found.rows.iter().any(|row| of(row).is_some());
        let value = move |at: usize| Value::cost(of(row(at)).map(|s| s.middle));
        known.then(|| Column::cost(key, title, TIME, value).hint(hint).sorts(by))
    };
    columns.extend(spread("duration", "Duration", "Length of the run in the middle", By::Duration, |s| {
        s.duration
    }));
    columns.extend(spread("step", "Step", "A step in the middle of the run in the middle", By::Step, |s| {
        s.step
    }));
    if found.rows.iter().all(|row| row.requests.requests == 0) {
        return columns;
    }
    columns.extend([
        Column::count("requests", "Requests", move |at| Value::count(Some(row(at).requests.requests as u64)))
            .hint("Of all its runs")
            .sorts(By::Requests)
            .rank(3),
        Column::number("failed", "Failed", Form::Percent, move |at| {
            Value::number(row(at).requests.failed_share())
        })
        .hint("Share of the requests that failed")
        .sorts(By::Failed),
    ]);
    let middle = |key, title, by, of: fn(&Group) -> Option<[i64; 3]>| {
        let known = found.rows.iter().any(|row| of(&row.requests).is_some());
        let value = move |at: usize| Value::cost(of(&row(at).requests).map(|three| three[0]));
        known.then(|| {
            Column::cost(key, title, TIME, value).hint("Median of the requests of all its runs").sorts(by)
        })
    };
    columns.extend(middle("ttft", "TTFT p50", By::Ttft, |g| g.ttft));
    columns.extend(middle("latency", "Latency p50", By::Latency, |g| g.latency));
    columns.push(
        Column::count("output", "Output tokens", move |at| {
            Value::count(row(at).requests.output.and_then(|n| u64::try_from(n).ok()))
        })
        .sorts(By::Output)
        .rank(4),
    );
    if !found.score.is_empty() {
        let value = move |at: usize| Value::number(row(at).quality.map(|q| q.0));
        columns.push(
            Column::number("quality", found.score.as_str(), Form::Decimals(3), value)
                .hint("Mean over the requests that have it")
                .sorts(By::Quality),
        );
    }
    columns
}

struct Listing<'a> {
    found: &'a Settings,
    order: &'a [usize],
    selected: Option<usize>,
}

impl Rows for Listing<'_> {
    type Row = usize;

    fn row(&self, at: usize) -> usize {
        self.order[at]
    }

    fn mark(&self, at: usize) -> Mark {
        Mark { selected: Some(self.order[at]) == self.selected, lit: false }
    }

    fn label(&self, at: usize) -> String {
        let row = &self.found.rows[self.order[at]];
        format!("{}: {}", row.values.join(", "), format::counted(row.runs.len() as i64, "run", "runs"))
    }

    fn about(&self, at: usize) -> Option<String> {
        let row = &self.found.rows[self.order[at]];
        let of = |name: &str, spread: Option<Spread>| {
            let s = spread.filter(|s| s.runs > 1)?;
            let [least, most] = [s.least, s.most].map(format::duration);
            Some(format!("{name} from {least} to {most} in {} runs", format::count(s.runs as i64)))
        };
        let lines = [
            of("Duration", row.duration),
            of("Step", row.step),
            Some("Double click or Enter: these runs".to_owned()),
        ];
        Some(lines.into_iter().flatten().collect::<Vec<_>>().join("\n"))
    }

    fn menu(&mut self, ui: &mut Ui, _at: usize) -> Option<Picked> {
        copies_of_table(ui, true, true)
    }
}

impl FleetView {
    /// The table in what is left of `ui`.
    pub(super) fn settings(&mut self, cx: &mut FleetCx<'_>, ui: &mut Ui) {
        let query = SettingsOf { job: self.job, by: self.settings.by.clone() };
        let read = cx.ask(&query, 0).content(ui, "Reading the settings");
        let Some(found) = shown_of(ui, read.as_ref()) else { return };
        if found.labels.is_empty() {
            let text = "`inferscope fleet add SOURCE --to DATASET --label model=small` gives runs a label.";
            EmptyState::new(Icon::Graph, "These runs differ in no label", text).show(ui);
            return;
        }
        let mut columns = columns(found);
        let mut order: Vec<usize> = (0..found.rows.len()).collect();
        if let Some(sort) = self.settings.sort {
            // Rows are in the order of their labels as they come.
            match sort {
                (By::Label(0), false) => {}
                sort => order.sort_by(|a, b| format::by(&columns, &[sort])(*a, *b)),
            }
            format::mark(&mut columns, &[sort]);
        }
        let at = self.settings.selected.and_then(|row| order.iter().position(|r| *r == row));
        let mut rows = Listing { found, order: &order, selected: self.settings.selected };
        let grid = Grid { salt: "fleet settings", name: "Settings", columns: &columns, rows: order.len() };
        let happened = grid.show(ui, &mut self.settings.grid, &mut rows);
        if let Some((by, _)) = happened.header {
            let mut sort = self.settings.sort.unwrap_or((By::Label(0), false));
            format::click(&mut sort, by);
            self.settings.sort = Some(sort);
        }
        let walked = happened.focused.then(|| walk(ui, at, order.len(), happened.page)).flatten();
        if walked.is_some() {
            self.settings.grid.scroll_to = walked;
        }
        if let Some(at) = walked.or(happened.clicked) {
            self.settings.selected = order.get(at).copied();
        }
        let enter =
            happened.focused && ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Enter));
        let entered = happened.double_clicked.or(at.filter(|_| enter));
        if let Some(row) = entered.and_then(|at| found.rows.get(*order.get(at)?)) {
            let value = |text: &String| if text == UNKNOWN { String::new() } else { text.clone() };
            self.runs.only = found.labels.iter().cloned().zip(row.values.iter().map(value)).collect();
            self.below = Below::Runs;
        }
    }
}
