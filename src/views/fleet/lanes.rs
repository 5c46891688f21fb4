//! The selected step of all rows on one clock: a lane for each row, in the order of the heatmap above.

use std::sync::Arc;

use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Color32, ColorImage, Label, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextureHandle, TextureOptions, Ui,
    WidgetInfo, pos2,
};

use super::head::row_title;
use super::heatmap::Places;
use super::{FleetCx, FleetView, Shown, Spot, shown as read};
use crate::fleet::ask::lanes::{Doing, Lane, Lanes, Piece};
use crate::fleet::open::{LanesOf, Read};
use crate::format;
use crate::ui::theme::{Palette, regular, small, space, strong};
use crate::ui::timeaxis::TimeAxis;
use crate::ui::widgets::{focus_ring, legend_item};

/// Right of the lanes.
const RIGHT: f32 = 4.0;
/// Highest lane.
const HIGHEST: f32 = 26.0;
/// A lane of this height has names in it.
const NAMED: f32 = 13.0;
/// A piece of this width has its name.
const WIDE: f32 = 44.0;
/// Most names that are drawn.
const MOST_NAMES: usize = 600;

/// What stays from frame to frame.
#[derive(Default)]
pub(super) struct LaneChart {
    texture: Option<TextureHandle>,
    made: Option<Made>,
}

/// What the texture was made of.
struct Made {
    lanes: Arc<Read<Lanes>>,
    size: [usize; 2],
    rows: (usize, usize),
    /// The heatmap that says which row stands for a line.
    heat: usize,
    by_slowness: bool,
    dark: bool,
}

fn color(palette: &Palette, doing: Doing) -> Color32 {
    match doing {
        Doing::Compute => palette.span(5).fill,
        Doing::Memory => palette.span(2).fill,
        Doing::Communication => palette.span(12).fill,
    }
}

impl FleetView {
    /// Draws the step and reads its input.
    pub(super) fn step(&mut self, cx: &mut FleetCx<'_>, ui: &mut Ui, shown: &Shown<'_>, spot: Spot) {
        let Some(&step) = shown.heat.steps.get(spot.step) else { return };
        let answer = cx.ask(&LanesOf { job: self.job, step }, 0).content(ui, "Reading the step of all ranks");
        let Some(answer) = answer else { return };
        let Some(lanes) = read(ui, Some(&answer)) else { return };
        caption(ui, shown, lanes);
        if lanes.pieces.is_empty() {
            let weak = Palette::of(ui).text_weak;
            let text = "No spans of this step were kept: `inferscope fleet add --spans gpu` keeps those of GPUs.";
            ui.add(Label::new(RichText::new(text).color(weak)).wrap());
            return;
        }
        let area = ui.available_rect_before_wrap();
        let ruler = Rect::from_min_max(
            pos2(area.left() + self.label_width(ui, shown), area.top()),
            pos2(area.right() - RIGHT, area.top() + space::RULER),
        );
        let mut chart = Rect::from_min_max(pos2(ruler.left(), ruler.bottom()), pos2(ruler.right(), area.bottom()));
        let order = self.choice.by_slowness.then_some(shown.heat.slowest.as_slice());
        let rows = self.chart.rows(shown.heat.ranks);
        chart.max.y = chart.max.y.min(chart.top() + (rows.1 - rows.0) as f32 * HIGHEST);
        if !chart.is_positive() {
            return;
        }
        let places = Places { area: chart, rows, steps: 1, order };
        let palette = Palette::of(ui);
        let axis = TimeAxis::layout(0.0, lanes.length.max(1) as f64, chart.x_range());
        let response = ui.interact(chart, ui.scope_id().with("lanes"), Sense::click());
        let name = format!("Step {step} of {} on one clock", format::counted(lanes.lanes.len() as i64, "rank", "ranks"));
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
        ui.painter().rect_filled(chart, 0.0, palette.canvas);
        axis.paint_grid(ui.painter(), chart, palette);
        self.paint_lanes(ui, &answer, lanes, shown, &places, spot.step);
        names(ui, lanes, &places, &axis);
        let cursor = response.hover_pos().map(|p| axis.time_at(p.x));
        axis.paint_ruler(ui.painter(), ruler, cursor, palette);
        if let Some(time) = cursor {
            axis.paint_cursor(ui.painter(), chart, time, palette);
        }
        self.row_labels(ui, shown, &places);
        outline(ui, &places, spot.row);
        focus_ring(ui, &response, chart.expand(1.0));
        let row = response.hover_pos().map(|p| {
            let share = ((p.y - chart.top()) / chart.height()).clamp(0.0, 0.999_99);
            let line = self.line_rows(&places, shown, spot.step, (share * self.lines(&places, ui) as f32) as usize, ui);
            line
        });
        if let Some(row) = row
            && response.clicked()
        {
            self.selected = Some(Spot { row, step: spot.step });
            self.chosen = true;
        }
        if response.double_clicked() {
            self.open_selected(cx, shown);
        }
        if let Some((row, time)) = row.zip(cursor) {
            response.on_hover_ui_at_pointer(|ui| tooltip(ui, shown, lanes, row, time));
        }
    }

    /// How many lines of pixels the lanes have: one for each row, if there is room for all.
    fn lines(&self, places: &Places<'_>, ui: &Ui) -> usize {
        let pixels = (places.area.height() * ui.pixels_per_point()).round().max(1.0) as usize;
        (places.rows.1 - places.rows.0).clamp(1, pixels)
    }

    /// The row that stands for a line: of several the one that lies furthest from the usual.
    fn line_rows(&self, places: &Places<'_>, shown: &Shown<'_>, step: usize, line: usize, ui: &Ui) -> usize {
        let (lines, rows) = (self.lines(places, ui), places.rows.1 - places.rows.0);
        let first = (line * rows).div_ceil(lines);
        let behind = ((line + 1) * rows).div_ceil(lines).max(first + 1);
        let far = |row: &usize| shown.heat.distance(step, *row).map_or(-1, i64::saturating_abs);
        let all = (first..behind).map(|place| places.row(places.rows.0 + place));
        all.rev().max_by_key(far).unwrap_or(0)
    }

    fn paint_lanes(
        &mut self,
        ui: &Ui,
        answer: &Arc<Read<Lanes>>,
        lanes: &Lanes,
        shown: &Shown<'_>,
        places: &Places<'_>,
        step: usize,
    ) {
        let palette = Palette::of(ui);
        let columns = (places.area.width() * ui.pixels_per_point()).round().max(1.0) as usize;
        let size = [columns.min(ui.input(|i| i.max_texture_side)), self.lines(places, ui)];
        let heat = shown.reads.map_or(0, |(_, heat)| Arc::as_ptr(heat).addr());
        let by_slowness = self.choice.by_slowness;
        let same = |m: &Made| {
            Arc::ptr_eq(&m.lanes, answer)
                && (m.size, m.rows, m.heat) == (size, places.rows, heat)
                && (m.by_slowness, m.dark) == (by_slowness, palette.dark)
        };
        if !self.lanes.made.as_ref().is_some_and(same) {
            let mut image = ColorImage::filled(size, Color32::TRANSPARENT);
            for line in 0..size[1] {
                let row = self.line_rows(places, shown, step, line, ui);
                if let Some(lane) = lanes.lanes.get(row) {
                    let pixels = &mut image.pixels[line * size[0]..(line + 1) * size[0]];
                    draw(pixels, &lanes.pieces[lane.pieces.clone()], lanes.length, |doing| color(palette, doing));
                }
            }
            match &mut self.lanes.texture {
                Some(texture) => texture.set(image, TextureOptions::NEAREST),
                none => *none = Some(ui.ctx().load_texture("lanes", image, TextureOptions::NEAREST)),
            }
            let made = Made { lanes: answer.clone(), size, rows: places.rows, heat, by_slowness, dark: palette.dark };
            self.lanes.made = Some(made);
        }
        if let Some(texture) = &self.lanes.texture {
            let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            ui.painter().image(texture.id(), places.area, uv, Color32::WHITE);
        }
        if places.row_height() >= 5.0 {
            for place in places.rows.0 + 1..places.rows.1 {
                let y = ui.painter().round_to_pixel_center(places.band(place).min);
                ui.painter().hline(places.area.x_range(), y, Stroke::new(1.0, palette.canvas));
            }
        }
    }
}

/// Draws pieces into a line of pixels; each is seen, however short.
fn draw(pixels: &mut [Color32], pieces: &[Piece], length: i64, color: impl Fn(Doing) -> Color32) {
    let scale = pixels.len() as f64 / length.max(1) as f64;
    for piece in pieces {
        let from = ((piece.start as f64 * scale) as usize).min(pixels.len().saturating_sub(1));
        let to = ((piece.end as f64 * scale).ceil() as usize).clamp(from + 1, pixels.len().max(from + 1));
        if let Some(pixels) = pixels.get_mut(from..to) {
            pixels.fill(color(piece.doing));
        }
    }
}

/// What the lanes are, how well their clocks agree, and what colours mean.
fn caption(ui: &mut Ui, shown: &Shown<'_>, lanes: &Lanes) {
    let palette = Palette::of(ui);
    ui.horizontal(|ui| {
        let title = RichText::new(format!("Step {} on one clock", lanes.step));
        ui.label(title.font(strong(13.0)).color(palette.text_strong));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::MEDIUM;
            let short = ui.available_width() < 460.0;
            if lanes.gpu {
                for doing in Doing::ALL.into_iter().rev() {
                    let name = match doing {
                        Doing::Communication if short => "communication",
                        _ => doing.title(),
                    };
                    legend_item(ui, color(palette, doing), name);
                }
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let text = RichText::new(clocks(lanes)).font(small()).color(palette.text_weak);
                ui.add(Label::new(text).truncate()).on_hover_text(about_clocks(lanes, shown));
            });
        });
    });
}

fn clocks(lanes: &Lanes) -> String {
    match lanes.residual {
        Some(residual) => format!("clocks aligned to ±{}", format::duration(residual)),
        None => "clocks as recorded".to_owned(),
    }
}

fn about_clocks(lanes: &Lanes, shown: &Shown<'_>) -> String {
    let Some(residual) = lanes.residual else {
        return "No collective operation tells how far the clocks of these runs are off, so their times are as recorded."
            .to_owned();
    };
    let all = lanes.lanes.len();
    let known = lanes.lanes.iter().filter(|lane| lane.offset.is_some()).count();
    let unknown = match all - known {
        0 => String::new(),
        n => format!(" {} in no such operation: their times are as recorded.", format::counted(n as i64, "rank is", "ranks are")),
    };
    let off = lanes.lanes.iter().filter_map(|lane| lane.offset).map(i64::saturating_abs).max().unwrap_or(0);
    let _ = shown;
    format!(
        "All ranks of a collective operation end together: by that clocks were moved, by {} at most. What is left over is {} or less \
         for nine of ten ranks.{unknown}",
        format::duration(off),
        format::duration(residual),
    )
}

fn outline(ui: &Ui, places: &Places<'_>, row: usize) {
    let place = places.place(row);
    if !(places.rows.0..places.rows.1).contains(&place) {
        return;
    }
    let band = places.band(place);
    let band = if band.span() < 3.0 { egui::Rangef::point(band.center()).expand(1.5) } else { band };
    let rect = Rect::from_x_y_ranges(places.area.x_range(), band);
    let stroke = Stroke::new(1.0, Palette::of(ui).text_strong);
    ui.painter().rect_stroke(rect, 0.0, stroke, StrokeKind::Outside);
}

/// Names of pieces where lanes are high enough.
fn names(ui: &Ui, lanes: &Lanes, places: &Places<'_>, axis: &TimeAxis) {
    if places.row_height() < NAMED {
        return;
    }
    let palette = Palette::of(ui);
    let painter = ui.painter().with_clip_rect(places.area.intersect(ui.clip_rect()));
    let mut left = MOST_NAMES;
    for place in places.rows.0..places.rows.1 {
        let Some(lane) = lanes.lanes.get(places.row(place)) else { continue };
        let band = places.band(place);
        for piece in &lanes.pieces[lane.pieces.clone()] {
            let (from, to) = (axis.x_of(piece.start as f64), axis.x_of(piece.end as f64));
            if to - from < WIDE || left == 0 {
                continue;
            }
            left -= 1;
            let color = match piece.doing {
                Doing::Compute => palette.span(5).text,
                Doing::Memory => palette.span(2).text,
                Doing::Communication => palette.span(12).text,
            };
            let name = format::bare(&lanes.names[piece.function as usize]).into_owned();
            let mut job = LayoutJob::simple_singleline(format::escaped(&name).into_owned(), regular(11.0), color);
            job.wrap = TextWrapping::truncate_at_width(to - from - 6.0);
            let galley = painter.layout_job(job);
            painter.galley(pos2(from + 3.0, band.center() - galley.size().y / 2.0), galley, color);
        }
    }
}

/// What a row does at a time.
fn at<'a>(lanes: &'a Lanes, lane: &Lane, time: f64) -> Option<&'a Piece> {
    let time = time.round() as i64;
    let pieces = &lanes.pieces[lane.pieces.clone()];
    // What is drawn last lies above.
    pieces.iter().rev().find(|piece| piece.start <= time && time <= piece.end)
}

fn tooltip(ui: &mut Ui, shown: &Shown<'_>, lanes: &Lanes, row: usize, time: f64) {
    let weak = Palette::of(ui).text_weak;
    ui.label(RichText::new(row_title(shown.content, shown.query.job, row)).font(strong(13.0)));
    let Some(lane) = lanes.lanes.get(row) else { return };
    match at(lanes, lane, time) {
        Some(piece) => {
            ui.label(format::escaped(&format::short(&lanes.names[piece.function as usize], 90)).into_owned());
            let from = format::duration(piece.start);
            let took = format::duration(piece.end.saturating_sub(piece.start));
            ui.label(format!("{took}, from {from} on"));
        }
        None => drop(ui.label(RichText::new("nothing").color(weak))),
    }
    if let Some(offset) = lane.offset {
        let text = format!("its clock was moved by {}", format::signed_cost(crate::model::Unit::Nanoseconds, offset.saturating_neg()));
        ui.label(RichText::new(text).font(small()).color(weak));
    }
}
