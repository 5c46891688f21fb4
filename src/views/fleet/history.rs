//! Runs that are no ranks, in order of time: what costs more in the latest ones, and a figure over all of them.

use egui::{Label, RichText, Ui};
use egui_plot::{GridMark, LineStyle, MarkerShape, Points, VLine};

use super::head::line;
use super::{FleetCx, FleetView, Shown, Spot, shown as read};
use crate::fleet::ask::history::{Changed, Figure, LATEST, Point, Regressions, Trend};
use crate::fleet::ask::{short_job, unit_of};
use crate::fleet::open::{Content, RegressionsOf, TrendOf};
use crate::fleet::runs::RunRow;
use crate::format;
use crate::model::Unit;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{chip, section_heading, segmented};
use crate::views::shared::plot;

/// So many functions stand above the rest.
const FEW: usize = 3;

/// What a run is called on an axis: its commit, else when it began.
fn run_name(run: &RunRow) -> String {
    match (run.label("commit"), run.when()) {
        (Some(commit), _) => commit.chars().take(8).collect(),
        // The year is that of all runs, mostly.
        (None, Some(when)) => format::utc(when).chars().skip(5).take(11).collect(),
        (None, None) => short_job(&run.uri).to_owned(),
    }
}

impl FleetView {
    /// What costs more in the latest runs, in words; a click shows it over time.
    pub(super) fn regressions(&mut self, cx: &FleetCx<'_>, ui: &mut Ui, content: &Content) {
        ui.spacing_mut().item_spacing.y = 2.0;
        let query = RegressionsOf { job: self.job };
        let Some(found) = cx.ask(&query, 0).later("Comparing the latest runs") else { return };
        let Some(found) = read(ui, Some(&found)) else { return };
        if self.figure.is_none() {
            let most = found.slower.first().or(found.faster.first());
            self.figure = most.map(|changed| Figure::Own(changed.name.clone()));
        }
        let changed = found
            .slower
            .iter()
            .map(|c| (Tone::Warning, c))
            .chain(found.faster.iter().map(|c| (Tone::Good, c)));
        for (tone, one) in changed.take(FEW) {
            if line(ui, tone, &words(one, found), "click to see it over all runs") {
                self.figure = Some(Figure::Own(one.name.clone()));
                self.below = super::Below::Trend;
            }
        }
        let more = (found.slower.len() + found.faster.len()).saturating_sub(FEW);
        let weak = Palette::of(ui).text_weak;
        let text = match () {
            () if found.before == 0 => {
                let runs = format::counted(found.latest as i64, "run", "runs");
                format!("{runs}: none before the latest {LATEST} to compare with")
            }
            () if found.too_few => {
                let runs =
                    format::counted(content.jobs[self.job].rows.ranks.len() as i64, "run is", "runs are");
                format!(
                    "{runs} too few to tell a change of {} functions from chance",
                    format::count(found.compared as i64)
                )
            }
            () if found.slower.is_empty() && found.faster.is_empty() => {
                let latest = format::counted(found.latest as i64, "run", "runs");
                format!("no function costs more or less in the latest {latest}, beyond chance")
            }
            () if more > 0 => format!(
                "and {} more: `inferscope fleet ask --question regressions`",
                format::count(more as i64)
            ),
            () => return,
        };
        ui.horizontal(|ui| {
            Icon::of_tone(Tone::Info).show(ui, 16.0, Tone::Info);
            ui.add(Label::new(RichText::new(text).color(weak)).truncate());
        });
    }

    /// A figure over all runs.
    pub(super) fn trend(&mut self, cx: &FleetCx<'_>, ui: &mut Ui, shown: &Shown<'_>) {
        let query = TrendOf { job: self.job, figure: self.figure.clone().unwrap_or(Figure::Duration) };
        let answer = cx.ask(&query, 0);
        let line = ui.horizontal(|ui| {
            self.figures(ui, !shown.heat.steps.is_empty());
            let trend = answer.content(ui, "Following the figure");
            let text = match trend.as_deref() {
                Some(Ok(trend)) => about(trend, unit_of(&trend.unit)),
                _ => String::new(),
            };
            let text = RichText::new(text).color(Palette::of(ui).text_weak);
            ui.add(Label::new(text).truncate());
            trend
        });
        let Some(trend) = read(ui, line.inner.as_ref()) else { return };
        let unit = unit_of(&trend.unit);
        if trend.points.is_empty() {
            return;
        }
        let selected = self.selected.and_then(|spot| super::runs::run_of(shown, spot.row)).map(|run| &run.id);
        if let Some(at) = draw(ui, trend, unit, selected) {
            let id = &trend.points[at].run.id;
            let row = (0..shown.heat.ranks)
                .find(|row| super::runs::run_of(shown, *row).is_some_and(|run| run.id == *id));
            if let Some(row) = row {
                let step = self.selected.map_or(0, |spot| spot.step);
                self.pick(Spot { row, step });
            }
        }
    }

    /// Which figure the line shows.
    fn figures(&mut self, ui: &mut Ui, steps: bool) {
        if let Some(Figure::Own(name) | Figure::Total(name)) = &self.figure {
            let text = format!("own cost of {}", format::short(&format::bare(name), 40));
            if chip(ui, &text).on_hover_text("Click for the length of runs").clicked() {
                self.figure = Some(Figure::Duration);
            }
        } else if steps {
            let mut step = self.figure == Some(Figure::Step);
            let changed =
                segmented(ui, "Figure", &mut step, &[(false, "length of runs"), (true, "length of a step")]);
            if changed.changed() {
                self.figure = Some(if step { Figure::Step } else { Figure::Duration });
            }
        } else {
            section_heading(ui, "Length of runs");
        }
    }
}

/// «decode: 12.0 ms of own time became 15.0 ms (+25 %) in the latest 10 runs, since 4f1c2aa».
fn words(changed: &Changed, found: &Regressions) -> String {
    let unit = unit_of(&changed.unit);
    let cost = |value: f64| format::cost(unit, value.round() as i64);
    let share = (changed.before > 0.0).then(|| (changed.after - changed.before) / changed.before);
    let share = share.map_or_else(|| "new".to_owned(), format::percent_change);
    let since = found.first.as_ref().map_or_else(String::new, |run| format!(", since {}", run_name(run)));
    format!(
        "{}: own cost {} instead of {} ({share}) in the latest {}{since}",
        format::short(&format::bare(&changed.name), 60),
        cost(changed.after),
        cost(changed.before),
        format::counted(found.latest as i64, "run", "runs"),
    )
}

/// Where the level changed, in words.
fn about(trend: &Trend, unit: Unit) -> String {
    let cost = |value: i64| format::cost(unit, value);
    if trend.points.is_empty() {
        return "no run has this figure and a time".to_owned();
    }
    let Some(last) = trend.shifts.last() else {
        let runs = format::counted(trend.points.len() as i64, "run", "runs");
        return match trend.points.len() {
            0..10 => format!("{runs}: fewer than ten cannot show a change"),
            _ => format!("{runs}: the level did not change beyond chance"),
        };
    };
    let share = last.share().map_or_else(String::new, |s| format!(" ({})", format::percent_change(s)));
    format!(
        "since {}: {} instead of {}{share}",
        run_name(&trend.points[last.at].run),
        cost(last.after),
        cost(last.before)
    )
}

/// Draws the line; a run that was clicked.
fn draw(ui: &mut Ui, trend: &Trend, unit: Unit, selected: Option<&String>) -> Option<usize> {
    let palette = Palette::of(ui);
    let height = (ui.available_height() - space::SMALL).max(60.0);
    let names: Vec<String> = trend.points.iter().map(|p| run_name(&p.run)).collect();
    let plot = plot::plot(ui, "fleet history", height, [Unit::Count, unit])
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .include_y(0.0)
        .include_x(-0.5)
        .include_x(trend.points.len() as f64 - 0.5)
        .label_formatter(|_| None)
        .x_axis_formatter(move |mark: GridMark, _| {
            let whole = mark.value >= 0.0 && mark.value.fract() == 0.0;
            whole.then(|| names.get(mark.value as usize).cloned()).flatten().unwrap_or_default()
        });
    let points: Vec<[f64; 2]> =
        trend.points.iter().enumerate().map(|(i, p)| [i as f64, p.value as f64]).collect();
    let here = selected.and_then(|id| trend.points.iter().position(|p| p.run.id == *id));
    let shifts: Vec<f64> = trend.shifts.iter().map(|s| s.at as f64 - 0.5).collect();
    let levels: Vec<Vec<[f64; 2]>> = levels(trend);
    let name = format!("{} over time", format::counted(trend.points.len() as i64, "run", "runs"));
    let (own, accent, strong, level) =
        (palette.series(0), palette.accent, palette.text_strong, palette.text_weak);
    let dots = points;
    let drawn = plot::show(ui, plot, &name, move |shown| {
        for at in shifts {
            shown.vline(VLine::new("change", at).color(accent).width(1.5).style(LineStyle::dashed_loose()));
        }
        for level_points in levels {
            shown.line(plot::line("level", level_points, level));
        }
        shown.line(plot::line("runs", dots.clone(), own).width(1.0));
        shown.points(Points::new("runs", dots.clone()).shape(MarkerShape::Circle).radius(2.5).color(own));
        if let Some(here) = here {
            let dot = Points::new("selected", vec![dots[here]]).shape(MarkerShape::Circle).radius(5.0);
            shown.points(dot.color(strong));
        }
        plot::under_pointer(shown, dots.iter().copied().enumerate())
    });
    let at = drawn.inner?;
    let clicked = drawn.response.clicked();
    drawn.response.on_hover_ui_at_pointer(|ui| tooltip(ui, &trend.points[at], unit));
    clicked.then_some(at)
}

/// The level between changes.
fn levels(trend: &Trend) -> Vec<Vec<[f64; 2]>> {
    let ends = trend.shifts.iter().map(|s| (s.at, s.after));
    let Some(first) = trend.shifts.first() else { return Vec::new() };
    let starts: Vec<(usize, i64)> = std::iter::once((0, first.before)).chain(ends).collect();
    let ends = starts.iter().skip(1).map(|s| s.0).chain([trend.points.len()]);
    let line = |((from, level), to): (&(usize, i64), usize)| {
        vec![[*from as f64 - 0.5, *level as f64], [to as f64 - 0.5, *level as f64]]
    };
    starts.iter().zip(ends).map(line).collect()
}

fn tooltip(ui: &mut Ui, point: &Point, unit: Unit) {
    ui.label(
        RichText::new(format!("{}: {}", run_name(&point.run), format::cost(unit, point.value))).strong(),
    );
    let weak = Palette::of(ui).text_weak;
    let labels: Vec<String> =
        point.run.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let when = point.run.when().map(format::utc);
    for text in
        when.into_iter().chain((!labels.is_empty()).then(|| labels.join(", "))).chain([point.run.uri.clone()])
    {
        ui.label(RichText::new(text).color(weak));
    }
}
