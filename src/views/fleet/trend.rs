//! The selected row over its steps, and where its level changed.

use egui::{Align, Layout, Ui};
use egui_plot::{HoverPosition, LineStyle, MarkerShape, Points, VLine};

use super::head::row_title;
use super::{FleetCx, Shown, Spot, shown as read};
use crate::fleet::ask::stragglers::Found;
use crate::fleet::open::{Row, RowOf, Slowed};
use crate::format;
use crate::model::Unit;
use crate::ui::theme::{Palette, space};
use crate::ui::widgets::{legend_item, section_heading};
use crate::views::shared::plot;

/// Draws the line into what is left of `ui`.
pub(super) fn ui(cx: &FleetCx<'_>, ui: &mut Ui, shown: &Shown<'_>, spot: Spot) {
    let palette = Palette::of(ui);
    let title = row_title(shown.content, shown.query.job, spot.row);
    let (own, usual) = (palette.series(0), palette.text_weak);
    let row = cx.ask(&RowOf { heat: shown.query, row: spot.row }, 0).content(ui, "Following the row");
    let Some(row) = read(ui, row.as_ref()) else { return };
    let since = since(shown.slowed, spot.row, row);
    ui.horizontal(|ui| {
        section_heading(ui, shown.query.measure.title());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::MEDIUM;
            legend_item(ui, usual, "median");
            legend_item(ui, own, &format::short(&title, 28));
        });
    });
    let height = ui.available_height().max(40.0);
    let y = |value: f64| format::duration(value.round() as i64);
    let plot = plot::plot(ui, "fleet trend", height, [Unit::Count, Unit::Nanoseconds])
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .x_axis_formatter(|mark, _| format!("{}", mark.value))
        .y_axis_formatter(move |mark, _| y(mark.value))
        .label_formatter(move |at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}, step {}: {}", position.x.round(), y(position.y)))
            }
            HoverPosition::Elsewhere { .. } => None,
        });
    let points =
        |values: &[(i64, i64)]| values.iter().map(|(step, v)| [*step as f64, *v as f64]).collect::<Vec<_>>();
    let (values, middles) = (points(&row.values), points(&row.usual));
    let step = shown.heat.steps.get(spot.step).copied().unwrap_or_default();
    let here = values.iter().copied().find(|p| p[0] == step as f64);
    let name = match &since {
        Some((step, words)) => format!("{title} over steps, changes at step {step}: {words}"),
        None => format!("{title} over steps"),
    };
    let (accent, strong) = (palette.accent, palette.text_strong);
    plot::show(ui, plot, &name, move |shown| {
        if let Some((step, words)) = since {
            let line = VLine::new(words, step as f64 - 0.5).color(accent).width(1.5);
            shown.vline(line.style(LineStyle::dashed_loose()));
        }
        shown.line(plot::line("median", middles, usual));
        shown.line(plot::line(title, values, own));
        if let Some(here) = here {
            let dot = Points::new("selected step", vec![here]).shape(MarkerShape::Circle).radius(4.0);
            shown.points(dot.color(strong));
        }
    });
}

/// The step from which on the row is late, as it was found; else where its level changed most.
fn since(slowed: Option<&Slowed>, row: usize, values: &Row) -> Option<(i64, String)> {
    let found = slowed.and_then(|slowed| {
        let rank = slowed.rows.get(row)?;
        slowed.job.found.iter().find_map(|found| match found {
            Found::Fixed(late) if late.since && late.ranks.contains(rank) => Some(late.steps.0),
            Found::SlowGroup { ranks, steps, .. } if ranks.contains(rank) => Some(steps.0),
            Found::SlowSince { step, .. } => Some(*step),
            _ => None,
        })
    });
    if let Some(step) = found {
        return Some((step, "late since here".to_owned()));
    }
    let size = |s: &&crate::fleet::ask::history::Shift| s.after.saturating_sub(s.before).saturating_abs();
    let shift = values.shifts.iter().max_by_key(size)?;
    let (step, _) = values.values.get(shift.at)?;
    Some((*step, format!("from {} to {}", format::duration(shift.before), format::duration(shift.after))))
}
