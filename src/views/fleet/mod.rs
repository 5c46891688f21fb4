//! A dataset of many runs: what slows a job down in words, all ranks and steps as a heatmap, and what is selected in it.
//!
//! It is no [`super::View`]: those show a profile, and many runs are none. It has a tab of its own, one area, and its own context. Its
//! questions are those of [`crate::fleet::open`], asked like all others.

mod head;
mod heatmap;
mod history;
mod lanes;
mod runs;
mod scale;
mod settings;
mod trend;

use std::path::PathBuf;
use std::sync::Arc;

use egui::{Label, Rect, RichText, Ui, UiBuilder, pos2};

use self::heatmap::HeatChart;
use self::lanes::LaneChart;
use self::runs::RunsTable;
use self::settings::SettingsTable;
use super::host::Host;
use super::shared::header;
use super::{Asking, Reply};
use crate::fleet::ask::heat::{Heat, Measure};
use crate::fleet::ask::history::Figure;
use crate::fleet::ask::steps::Grid;
use crate::fleet::ask::stragglers::Found;
use crate::fleet::open::{Content, Contents, HeatOf, Open, Read, Slowed, StepsOf, StragglersOf};
use crate::query::{Engine, Query};
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{EmptyState, Notice, combo, link_button, segmented};

/// What only the application can do for a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetWish {
    /// Read the dataset again.
    Again,
    /// Open a run's file.
    Open {
        /// The file.
        file: PathBuf,
        /// The part of its time to look at, ns since its origin.
        range: Option<(i64, i64)>,
    },
    /// Open two runs and compare them.
    Compare {
        /// The run before.
        base: PathBuf,
        /// The run after.
        head: PathBuf,
    },
}

/// What the view works with during one frame.
pub struct FleetCx<'a> {
    /// Answers questions.
    pub engine: &'a Engine,
    /// The dataset.
    pub open: &'a Open,
    /// The job that is shown: what stands there meanwhile is about no other one.
    job: usize,
    /// What only the application can do.
    pub wishes: &'a mut Vec<FleetWish>,
    /// What became of its questions.
    asking: &'a Asking,
}

/// Places of questions about datasets, beside those of panes.
const SLOTS: u64 = 1 << 41;

impl FleetCx<'_> {
    /// Asks a question. `place` tells apart several of one type.
    fn ask<Q: Query<Open>>(&self, query: &Q, place: u64) -> Reply<'_, Q::Output> {
        let job = (self.job % 256) as u64;
        let slot = SLOTS | u64::from(self.open.id().0) << 16 | job << 8 | place;
        Reply::of((self.engine, self.open), query, slot, self.asking)
    }
}

/// What was read; why not stands in its place.
fn shown<'a, T>(ui: &mut Ui, read: Option<&'a Arc<Read<T>>>) -> Option<&'a T> {
    match &**read? {
        Ok(value) => Some(value),
        Err(why) => {
            Notice::new(Tone::Bad, why).show(ui);
            None
        }
    }
}

/// A cell of the heatmap, by places of its row and its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The row.
    pub row: usize,
    /// The step.
    pub step: usize,
}

/// How the heatmap is coloured and ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    measure: Measure,
    /// By values; else by distance from the usual one of the step.
    raw: bool,
    /// The slowest row first; else by number.
    by_slowness: bool,
}

/// A dataset as it is looked at.
pub struct FleetView {
    /// The job, by its place.
    job: usize,
    choice: Choice,
    selected: Option<Spot>,
    /// A second cell, to compare with.
    other: Option<Spot>,
    /// True once the person selected something, or nothing was found to select.
    chosen: bool,
    all_findings: bool,
    below: Below,
    /// What is followed over runs that are no ranks; at first what changed most.
    figure: Option<Figure>,
    chart: HeatChart,
    lanes: LaneChart,
    runs: RunsTable,
    settings: SettingsTable,
    host: Host,
}

/// What stands below the heatmap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Below {
    /// The selected row over its steps, and the selected step of all rows.
    Selected,
    /// The table of runs.
    Runs,
    /// What came of each setting.
    Settings,
    /// A figure of all runs over time.
    Trend,
}

impl Default for FleetView {
    fn default() -> Self {
        Self {
            job: 0,
            choice: Choice { measure: Measure::Late, raw: false, by_slowness: false },
            selected: None,
            other: None,
            chosen: false,
            all_findings: false,
            below: Below::Selected,
            figure: None,
            chart: HeatChart::default(),
            lanes: LaneChart::default(),
            runs: RunsTable::default(),
            settings: SettingsTable::default(),
            host: Host::default(),
        }
    }
}

impl FleetView {
    /// Draws it and reads its input.
    pub fn show(&mut self, engine: &Engine, open: &Open, wishes: &mut Vec<FleetWish>, ui: &mut Ui) {
        let asking = Asking::default();
        let area = ui.available_rect_before_wrap();
        let (mut host, job) = (std::mem::take(&mut self.host), self.job);
        host.scope(ui, |ui| self.ui(&mut FleetCx { engine, open, job, wishes, asking: &asking }, ui));
        host.waits(&asking, false, area, ui);
        self.host = host;
    }

    /// Puts the cursor into the field that filters runs.
    pub fn search(&mut self) {
        self.below = Below::Runs;
        self.runs.focus = true;
    }

    fn ui(&mut self, cx: &mut FleetCx<'_>, ui: &mut Ui) {
        let read = cx.ask(&Contents, 0).content(ui, "Reading the runs");
        let Some(read) = &read else { return };
        let Some(content) = shown(ui, Some(read)) else { return };
        if content.jobs.is_empty() {
            let text =
                "Nothing was read into this dataset yet: `inferscope fleet add SOURCE --to DATASET` does.";
            EmptyState::new(Icon::Graph, "No runs", text).show(ui);
            return;
        }
        self.job = self.job.min(content.jobs.len() - 1);
        let ranked = content.jobs[self.job].is_ranked();
        if !ranked && !self.chosen {
            (self.chosen, self.below) = (true, Below::Trend);
        }
        let slowed = ranked.then(|| cx.ask(&StragglersOf { job: self.job }, 0));
        let slowed = slowed.and_then(|reply| reply.later("Looking who is late"));
        let slowed = slowed.as_ref().and_then(|read| shown(ui, Some(read)));
        self.select_first(slowed);
        self.head(cx, ui, content, slowed);
        ui.add_space(space::SMALL);
        let query = HeatOf { job: self.job, measure: self.measure(content) };
        let heat = cx.ask(&query, 0).content(ui, "Reading the steps");
        let Some(heat_read) = &heat else { return };
        let Some(heat) = shown(ui, Some(heat_read)) else { return };
        let steps = cx.ask(&StepsOf { job: self.job }, 0).beside();
        let steps = steps.as_ref().and_then(|read| (**read).as_ref().ok());
        let reads = Reads { content: read, heat: heat_read };
        let frame = Shown { content, heat, steps, reads, slowed, query };
        if heat.steps.is_empty() {
            return self.without_steps(cx, ui, &frame);
        }
        self.controls(ui, content, heat, slowed);
        let area = ui.available_rect_before_wrap();
        let [above, below] = split(area, self.chart.share(area.height(), heat.ranks));
        self.heatmap(cx, ui, above, &frame);
        part(ui, "below", below, |ui| self.below(cx, ui, &frame));
    }

    /// Runs alone: a figure over time, and the table.
    fn without_steps(&mut self, cx: &mut FleetCx<'_>, ui: &mut Ui, frame: &Shown<'_>) {
        let area = ui.available_rect_before_wrap();
        let ranked = frame.content.jobs[self.job].is_ranked();
        let [above, below] = split(area, if ranked { 0.0 } else { 0.5 });
        if !ranked {
            part(ui, "trend", above, |ui| self.trend(cx, ui, frame));
        }
        part(ui, "runs", below, |ui| {
            ui.horizontal(|ui| {
                if !ranked {
                    let settings = self.below == Below::Settings;
                    let mut below = if settings { Below::Settings } else { Below::Runs };
                    let choices = [(Below::Runs, "Runs"), (Below::Settings, "Settings")];
                    segmented(ui, "Below the line", &mut below, &choices);
                    self.below = below;
                }
                self.open_button(cx, ui, frame);
                match self.below == Below::Settings {
                    true => self.settings.controls(ui, frame),
                    false => self.runs.controls(ui, frame),
                }
            });
            ui.add_space(space::SMALL);
            match self.below == Below::Settings {
                true => self.settings(cx, ui),
                false => self.table(cx, ui, frame),
            }
        });
    }

    /// What opens the selected runs.
    fn open_button(&self, cx: &mut FleetCx<'_>, ui: &mut Ui, frame: &Shown<'_>) {
        let title = |spot: Spot| head::row_title(frame.content, self.job, spot.row);
        if let Some((other, spot)) = self.other.zip(self.selected) {
            let text = format!("Compare {} with {}", title(spot), title(other));
            let button = ui.add_enabled_ui(spot.row != other.row, |ui| link_button(ui, &text)).inner;
            let about = "Opens both files: the first is the baseline, the second the new run";
            if button.on_hover_text(about).clicked() {
                self.compare(cx, frame, spot.row, other.row);
            }
        } else if let Some(spot) = self.selected {
            let about = "Opens the file of this run at the selected step (double click, Enter)";
            if link_button(ui, &format!("Open {}", title(spot))).on_hover_text(about).clicked() {
                self.open_selected(cx, frame);
            }
        }
    }

    fn below(&mut self, cx: &mut FleetCx<'_>, ui: &mut Ui, frame: &Shown<'_>) {
        ui.horizontal(|ui| {
            let choices = [
                (Below::Selected, "Selected"),
                (Below::Runs, "Runs"),
                (Below::Settings, "Settings"),
                (Below::Trend, "Over time"),
            ];
            let ranked = frame.content.jobs[self.job].is_ranked();
            // Ranks of one job have one setting and one time.
            segmented(ui, "Below the heatmap", &mut self.below, &choices[..if ranked { 2 } else { 4 }]);
            self.open_button(cx, ui, frame);
            if self.below == Below::Runs {
                self.runs.controls(ui, frame);
            } else if self.below == Below::Settings {
                self.settings.controls(ui, frame);
            } else if self.below == Below::Selected && self.selected.is_none() {
                let weak = Palette::of(ui).text_weak;
                ui.add(
                    Label::new(RichText::new("Click a cell to see its step in all rows").color(weak))
                        .truncate(),
                );
            }
        });
        ui.add_space(space::SMALL);
        let area = ui.available_rect_before_wrap();
        match (self.below, self.selected) {
            (Below::Runs, _) => self.table(cx, ui, frame),
            (Below::Settings, _) => self.settings(cx, ui),
            (Below::Trend, _) => self.trend(cx, ui, frame),
            (Below::Selected, None) => {}
            (Below::Selected, Some(spot)) => {
                let x = (area.left() + area.width() * 0.36).round();
                let left = area.with_max_x(x - space::MEDIUM);
                part(ui, "trend", left, |ui| trend::ui(cx, ui, frame, spot));
                part(ui, "lanes", area.with_min_x(x), |ui| self.step(cx, ui, frame, spot));
            }
        }
    }

    fn file_of(frame: &Shown<'_>, row: usize) -> Option<PathBuf> {
        runs::run_of(frame, row).map(|run| PathBuf::from(&run.uri))
    }

    fn compare(&self, cx: &mut FleetCx<'_>, frame: &Shown<'_>, base: usize, head: usize) {
        if let Some((base, head)) = Self::file_of(frame, base).zip(Self::file_of(frame, head)) {
            cx.wishes.push(FleetWish::Compare { base, head });
        }
    }

    fn measure(&self, content: &Content) -> Measure {
        let ranked = content.jobs.get(self.job).is_some_and(crate::fleet::open::OneJob::is_ranked);
        match self.choice.measure {
            // Nobody waits for runs that are no ranks of one job.
            Measure::Late if !ranked => Measure::Took,
            measure => measure,
        }
    }

    /// Selects at first what is most to be seen.
    fn select_first(&mut self, slowed: Option<&Slowed>) {
        let Some(slowed) = slowed.filter(|_| !self.chosen) else { return };
        self.chosen = true;
        if let Some(found) = slowed.job.found.first() {
            self.select_found(found, slowed);
        }
    }

    /// Opens the run of the selected row at the selected step.
    fn open_selected(&self, cx: &mut FleetCx<'_>, frame: &Shown<'_>) {
        let Some(spot) = self.selected else { return };
        if let Some(file) = Self::file_of(frame, spot.row) {
            let cell = frame.steps.and_then(|grid| grid.cell(spot.step, spot.row));
            let range = cell.map(|cell| (cell.start, cell.start.saturating_add(cell.took)));
            cx.wishes.push(FleetWish::Open { file, range });
        }
    }

    fn select_found(&mut self, found: &Found, slowed: &Slowed) {
        self.selected = spot_of(found, slowed);
        self.chart.reveal = self.selected.map(|spot| spot.row);
    }

    fn controls(&mut self, ui: &mut Ui, content: &Content, heat: &Heat, slowed: Option<&Slowed>) {
        let ranked = content.jobs[self.job].is_ranked();
        let measure = self.measure(content);
        header(ui, |ui| {
            let field = combo("measure").selected_text(measure.title()).show_ui(ui, |ui| {
                for each in Measure::ALL.into_iter().filter(|m| ranked || *m != Measure::Late) {
                    let entry = ui.selectable_label(each == measure, each.title());
                    if entry.on_hover_text(scale::about(each, slowed)).clicked() {
                        self.choice.measure = each;
                    }
                }
            });
            field.response.accessible_name("Measure").on_hover_text(scale::about(measure, slowed));
            let order = if ranked { "by rank" } else { "by time" };
            segmented(
                ui,
                "Order of rows",
                &mut self.choice.by_slowness,
                &[(false, order), (true, "slowest first")],
            );
            segmented(
                ui,
                "Colours",
                &mut self.choice.raw,
                &[(false, "against the median"), (true, "values")],
            );
            scale::legend(ui, heat, self.choice.raw);
            self.chart.zoomed(ui, content.jobs[self.job].rows.ranks.len(), ranked);
        });
    }
}

/// Answers that a frame shows.
#[derive(Clone, Copy)]
struct Reads<'a> {
    content: &'a Arc<Read<Content>>,
    heat: &'a Arc<Read<Heat>>,
}

/// What one frame shows.
struct Shown<'a> {
    content: &'a Content,
    heat: &'a Heat,
    steps: Option<&'a Grid>,
    /// The answers themselves, to know when they are others.
    reads: Reads<'a>,
    slowed: Option<&'a Slowed>,
    query: HeatOf,
}

/// The cell that shows what was found best: the first of its ranks, in the middle of the steps that it is late in.
fn spot_of(found: &Found, slowed: &Slowed) -> Option<Spot> {
    let (ranks, steps) = match found {
        Found::Fixed(late) | Found::Hiccup(late) => (&late.ranks, late.steps),
        Found::SlowGroup { ranks, steps, .. } => (ranks, *steps),
        Found::Rotating { .. } | Found::SlowSince { .. } => return None,
    };
    let row = slowed.rows.binary_search(ranks.first()?).ok()?;
    let (from, to) =
        (slowed.steps.partition_point(|s| *s < steps.0), slowed.steps.partition_point(|s| *s <= steps.1));
    Some(Spot { row, step: (from + to.saturating_sub(1)) / 2 })
}

/// A part of `ui` of its own.
fn part(ui: &mut Ui, name: &str, area: Rect, draw: impl FnOnce(&mut Ui)) {
    ui.scope_builder(UiBuilder::new().max_rect(area).id_salt(name), draw);
}

/// Above and below, `share` of the height above.
fn split(area: Rect, share: f32) -> [Rect; 2] {
    let y = (area.top() + area.height() * share).round();
    let above = Rect::from_min_max(area.min, pos2(area.right(), y));
    [above, Rect::from_min_max(pos2(area.left(), y + space::MEDIUM), area.max)]
}
