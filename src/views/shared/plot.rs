//! Plots in the look of the charts.

use egui::{Color32, Ui};
use egui_plot::{
    GridInput, GridMark, HoverPosition, Line, Plot, PlotPoint, PlotPoints, PlotResponse, PlotUi,
};

use crate::format;
use crate::model::Unit;
use crate::ui::theme::{Palette, mix};
use crate::ui::widgets::focus_ring;

/// How near to a dot the pointer is on it, points.
const NEAR: f32 = 12.0;

/// A plot of values in these units, `height` points high. The wheel scrolls what it stands in; Ctrl and wheel zoom, a double click
/// shows all again.
pub fn plot<'a>(ui: &Ui, id: &str, height: f32, [x, y]: [Unit; 2]) -> Plot<'a> {
    let palette = Palette::of(ui);
    Plot::new(id.to_owned())
        .height(height)
        .allow_scroll(false)
        .grid_color(palette.line)
        .grid_fade(1.0)
        .cursor_color(palette.line_strong)
        .show_axes([true, true])
        .grid_spacing(LEAST..=300.0)
        .x_grid_spacer(move |input| marks(&input, x, 84.0))
        .y_grid_spacer(move |input| marks(&input, y, 32.0))
        .x_axis_formatter(move |mark, _| at_least_zero(x, mark.value))
        .y_axis_formatter(move |mark, _| at_least_zero(y, mark.value))
        .label_formatter(move |at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                let (x, y) = (at_least_zero(x, position.x), at_least_zero(y, position.y));
                Some(format!("{plot_name}: {x}, {y}"))
            }
            HoverPosition::Elsewhere { .. } => None,
        })
}

/// Closest lines of a grid, points.
const LEAST: f32 = 8.0;

/// Lines at round values, at least `apart` points from each other: far enough for each to have its label.
fn marks(input: &GridInput, unit: Unit, apart: f64) -> Vec<GridMark> {
    let least = input.base_step_size * apart / f64::from(LEAST);
    // There is no half of what is counted.
    let whole = if matches!(unit, Unit::Count | Unit::Tokens) { 1.0 } else { 0.0 };
    let step = format::value_step(least.max(whole));
    let first = (input.bounds.0 / step).ceil();
    let marks = (0..MOST_MARKS).map(|i| (first + f64::from(i)) * step);
    marks.take_while(|v| *v <= input.bounds.1).map(|value| GridMark { value, step_size: step }).collect()
}

/// Lines of a grid at most.
const MOST_MARKS: u32 = 200;

/// Lines of a grid whose values are powers of ten: at each whole power.
#[must_use]
pub fn decades(input: &GridInput) -> Vec<GridMark> {
    let first = input.bounds.0.ceil();
    let marks = (0..MOST_MARKS).map(|i| first + f64::from(i));
    marks.take_while(|v| *v <= input.bounds.1).map(|value| GridMark { value, step_size: 1.0 }).collect()
}

/// Ten to a power: «100 G».
#[must_use]
pub fn power(exponent: f64) -> String {
    const PREFIXES: [&str; 7] = ["", " k", " M", " G", " T", " P", " E"];
    let whole = exponent.round() as i32;
    match usize::try_from(whole.div_euclid(3)) {
        Ok(step) if step < PREFIXES.len() => {
            format!("{}{}", 10i32.pow(whole.rem_euclid(3) as u32), PREFIXES[step])
        }
        _ => format!("{}", 10f64.powi(whole)),
    }
}

fn at_least_zero(unit: Unit, value: f64) -> String {
    // An axis says its unit once, beside it.
    let unit = if unit == Unit::Tokens { Unit::Count } else { unit };
    format::value(unit, value.max(0.0))
}

/// Shows a plot under a name for screen readers.
pub fn show<'a, R>(
    ui: &mut Ui,
    plot: Plot<'a>,
    name: &str,
    add: impl FnOnce(&mut PlotUi<'a>) -> R + 'a,
) -> PlotResponse<R> {
    let shown = plot.show(ui, add);
    shown.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, name));
    focus_ring(ui, &shown.response, shown.response.rect);
    shown
}

/// A line through points. Points that are nearer to each other than pixels stay a line.
#[must_use]
pub fn line<'a>(name: impl Into<String>, points: Vec<[f64; 2]>, color: Color32) -> Line<'a> {
    Line::new(name, PlotPoints::from(points)).allow_band(false).color(color).width(1.5)
}

/// The line of a value that holds until the next one.
#[must_use]
pub fn steps(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let corners = points.windows(2).flat_map(|w| [w[0], [w[1][0], w[0][1]]]);
    corners.chain(points.last().copied()).collect()
}

/// Which of `dots` (a name and a place) the pointer is on, if it is on one.
#[must_use]
pub fn under_pointer<T>(shown: &PlotUi<'_>, dots: impl Iterator<Item = (T, [f64; 2])>) -> Option<T> {
    let place = |at: PlotPoint| shown.transform().position_from_point(&at);
    let pointer = place(shown.pointer_coordinate()?);
    let far = dots.map(|(name, [x, y])| (name, place(PlotPoint::new(x, y)).distance(pointer)));
    far.filter(|d| d.1 < NEAR).min_by(|a, b| a.1.total_cmp(&b.1)).map(|d| d.0)
}

/// The colour of a box as that of a dot or a line, which are thinner and so need more of it.
#[must_use]
pub fn thin(palette: &Palette, fill: Color32) -> Color32 {
    if palette.dark { mix(fill, palette.text_strong, 0.35) } else { fill }
}

/// A colour that lets others through.
#[must_use]
pub fn see_through(color: Color32) -> Color32 {
    color.gamma_multiply(0.75)
}

/// Height of the plots of a view that has `room` points.
#[must_use]
pub fn height(room: f32) -> f32 {
    (room * 0.34).clamp(150.0, 340.0)
}
