//! The selected step of all rows on one clock: a lane for each row, in the order of the heatmap above.

use std::sync::Arc;

use egui::epaint::Mesh;
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Color32, ColorImage, Label, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextureHandle,
    TextureOptions, Ui, WidgetInfo, pos2,
};

use super::head::row_title;
use super::heatmap::{Places, enlarged};
use super::{FleetCx, FleetView, Shown, Spot, shown as read};
use crate::fleet::ask::lanes::{Doing, Lane, Lanes, Piece};
use crate::fleet::open::{LanesOf, Read, row_name};
use crate::format;
use crate::ui::theme::{Palette, SpanColor, regular, small, space, strong};
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
/// Height of a row that is drawn large.
const LARGE: f32 = 20.0;
/// Most names that are drawn of a row.
const MOST_NAMES: usize = 100;

/// What stays from frame to frame.
#[derive(Default)]
pub(super) struct LaneChart {
    texture: Option<TextureHandle>,
    made: Option<Made>,
}

/// What the texture was made of.
struct Made {
    lanes: Arc<Read<Lanes>>,
    key: Key,
    /// The row of each line: first those that are drawn large.
    rows: Vec<usize>,
}

#[derive(PartialEq)]
struct Key {
    /// Pixels from left to right, and lines.
    size: [usize; 2],
    rows: (usize, usize),
    /// The heatmap that says which row stands for a line.
    heat: usize,
    by_slowness: bool,
    spot: Spot,
    /// Lines of rows that are drawn large.
    large: usize,
    dark: bool,
}

fn color(palette: &Palette, doing: Doing) -> SpanColor {
    palette.span(match doing {
        Doing::Compute => 5,
        Doing::Memory => 2,
        Doing::Communication => 12,
    })
}

impl FleetView {
    /// Draws the step and reads its input.
    pub(super) fn step(&mut self, cx: &mut FleetCx<'_>, ui: &mut Ui, shown: &Shown<'_>, spot: Spot) {
        let Some(&step) = shown.heat.steps.get(spot.step) else { return };
        let answer = cx.ask(&LanesOf { job: self.job, step }, 0).content(ui, "Reading the step of all ranks");
        let Some(answer) = answer else { return };
        let Some(lanes) = read(ui, Some(&answer)) else { return };
        caption(ui, lanes);
        if lanes.pieces.is_empty() {
            let weak = Palette::of(ui).text_weak;
            let text =
                "No spans of this step were kept: `inferscope fleet add --spans gpu` keeps those of GPUs.";
            ui.add(Label::new(RichText::new(text).color(weak)).wrap());
            return;
        }
        let area = ui.available_rect_before_wrap();
        let ruler = Rect::from_min_max(
            pos2(area.left() + self.label_width(ui, shown), area.top()),
            pos2(area.right() - RIGHT, area.top() + space::RULER),
        );
        let mut chart =
            Rect::from_min_max(pos2(ruler.left(), ruler.bottom()), pos2(ruler.right(), area.bottom()));
        let order = self.choice.by_slowness.then_some(shown.heat.slowest.as_slice());
        let rows = self.chart.rows(shown.heat.ranks);
        let count = rows.1 - rows.0;
        // Where rows are low, the selected one and the most usual one stand above all of them.
        let large = if chart.height() / (count as f32) < NAMED { 2 } else { 0 };
        let strips: Vec<Rect> = (0..large)
            .map(|i| chart.with_min_y(chart.top() + i as f32 * (LARGE + 2.0)))
            .map(|strip| strip.with_max_y(strip.top() + LARGE))
            .collect();
        let whole = chart;
        if let Some(last) = strips.last() {
            chart.min.y = last.bottom() + space::MEDIUM;
        }
        chart.max.y = chart.max.y.min(chart.top() + count as f32 * HIGHEST);
        if !chart.is_positive() || count == 0 {
            return;
        }
        let whole = whole.with_max_y(chart.bottom());
        let places = Places { area: chart, rows, steps: 1, order };
        let palette = Palette::of(ui);
        let axis = TimeAxis::layout(0.0, lanes.length.max(1) as f64, chart.x_range());
        let response = ui.interact(whole, ui.scope_id().with("lanes"), Sense::click());
        let name = format!(
            "Step {step} of {} on one clock",
            format::counted(lanes.lanes.len() as i64, "rank", "ranks")
        );
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
        for area in strips.iter().chain([&chart]) {
            ui.painter().rect_filled(*area, 0.0, palette.canvas);
        }
        axis.paint_grid(ui.painter(), whole, palette);
        let of_line = self.paint_lanes(ui, (&answer, lanes), shown, (&places, &strips), spot);
        for (strip, &row) in strips.iter().zip(&of_line) {
            names(ui, lanes, row, *strip, &axis);
            self.label(ui, shown, (row, *strip), row == spot.row);
        }
        if places.row_height() >= NAMED {
            for place in rows.0..rows.1 {
                let strip = Rect::from_x_y_ranges(chart.x_range(), places.band(place));
                names(ui, lanes, places.row(place), strip, &axis);
            }
        }
        let cursor = response.hover_pos().map(|p| axis.time_at(p.x));
        axis.paint_ruler(ui.painter(), ruler, cursor, palette);
        if let Some(time) = cursor {
            axis.paint_cursor(ui.painter(), whole, time, palette);
        }
        self.row_labels(ui, shown, &places);
        outline(ui, &places, spot.row);
        focus_ring(ui, &response, whole.expand(1.0));
        let row = response.hover_pos().and_then(|p| {
            let line = strips.iter().position(|strip| strip.contains(p)).unwrap_or_else(|| {
                let share = ((p.y - chart.top()) / chart.height()).clamp(0.0, 0.999_99);
                large + (share * (of_line.len() - large) as f32) as usize
            });
            of_line.get(line).copied()
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

    /// The name of a row that is drawn large.
    fn label(&self, ui: &Ui, shown: &Shown<'_>, (row, strip): (usize, Rect), selected: bool) {
        let palette = Palette::of(ui);
        let (name, color) = match selected {
            true => (row_name(shown.content, self.job, row), palette.text_strong),
            false => ("median".to_owned(), palette.text_weak),
        };
        let at = pos2(strip.left() - space::MEDIUM, strip.center().y);
        let painter = ui.painter().with_clip_rect(ui.max_rect().intersect(ui.clip_rect()));
        painter.text(at, egui::Align2::RIGHT_CENTER, format::escaped(&name), regular(12.0), color);
    }

    /// Paints all lanes; the row of each line.
    fn paint_lanes(
        &mut self,
        ui: &Ui,
        (answer, lanes): (&Arc<Read<Lanes>>, &Lanes),
        shown: &Shown<'_>,
        (places, strips): (&Places<'_>, &[Rect]),
        spot: Spot,
    ) -> Vec<usize> {
        let palette = Palette::of(ui);
        let ppp = ui.pixels_per_point();
        let pixels = |side: f32| (side * ppp).round().max(1.0) as usize;
        let columns = pixels(places.area.width()).min(ui.input(|i| i.max_texture_side));
        let count = places.rows.1 - places.rows.0;
        let lines = count.min(pixels(places.area.height()));
        let key = Key {
            size: [columns, strips.len() + lines],
            rows: places.rows,
            heat: Arc::as_ptr(shown.reads.heat).addr(),
            by_slowness: self.choice.by_slowness,
            spot,
            large: strips.len(),
            dark: palette.dark,
        };
        let same = |m: &Made| Arc::ptr_eq(&m.lanes, answer) && m.key == key;
        if !self.lanes.made.as_ref().is_some_and(same) {
            let usual = shown.heat.most_usual(spot.step).unwrap_or(spot.row);
            let mut rows: Vec<usize> = [spot.row, usual].into_iter().take(strips.len()).collect();
            rows.extend((0..lines).map(|line| row_of_line(places, shown, spot, (line, lines))));
            let mut image = ColorImage::filled(key.size, Color32::TRANSPARENT);
            for (pixels, row) in image.pixels.chunks_mut(columns).zip(&rows) {
                if let Some(lane) = lanes.lanes.get(*row) {
                    draw(pixels, &lanes.pieces[lane.pieces.clone()], lanes.length, |doing| {
                        color(palette, doing).fill
                    });
                }
            }
            match &mut self.lanes.texture {
                Some(texture) => texture.set(image, TextureOptions::NEAREST),
                none => *none = Some(ui.ctx().load_texture("lanes", image, TextureOptions::NEAREST)),
            }
            self.lanes.made = Some(Made { lanes: answer.clone(), key, rows });
        }
        let (Some(texture), Some(made)) = (&self.lanes.texture, &self.lanes.made) else { return Vec::new() };
        let all = made.rows.len() as f32;
        let v = |line: usize| line as f32 / all;
        let mut mesh = Mesh::with_texture(texture.id());
        for (i, strip) in strips.iter().enumerate() {
            mesh.add_rect_with_uv(*strip, uv(v(i), v(i + 1)), Color32::WHITE);
        }
        mesh.add_rect_with_uv(places.area, uv(v(strips.len()), 1.0), Color32::WHITE);
        ui.painter().add(egui::Shape::mesh(mesh));
        if places.row_height() >= 5.0 {
            for place in places.rows.0 + 1..places.rows.1 {
                let y = ui.painter().round_to_pixel_center(places.band(place).min);
                ui.painter().hline(places.area.x_range(), y, Stroke::new(1.0, palette.canvas));
            }
        }
        made.rows.clone()
    }
}

fn uv(top: f32, bottom: f32) -> Rect {
    Rect::from_min_max(pos2(0.0, top), pos2(1.0, bottom))
}

/// The row that stands for a line of several: the selected one, else the one that lies furthest from the usual.
fn row_of_line(places: &Places<'_>, shown: &Shown<'_>, spot: Spot, (line, lines): (usize, usize)) -> usize {
    let count = places.rows.1 - places.rows.0;
    let first = (line * count).div_ceil(lines);
    let behind = ((line + 1) * count).div_ceil(lines).max(first + 1);
    let far = |row: &usize| match *row == spot.row {
        true => i64::MAX,
        false => shown.heat.distance(spot.step, *row).map_or(-1, i64::saturating_abs),
    };
    let all = (first..behind).map(|place| places.row(places.rows.0 + place));
    all.rev().max_by_key(far).unwrap_or(0)
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
fn caption(ui: &mut Ui, lanes: &Lanes) {
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
                    legend_item(ui, color(palette, doing).fill, name);
                }
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let text = RichText::new(clocks(lanes)).font(small()).color(palette.text_weak);
                ui.add(Label::new(text).truncate()).on_hover_text(about_clocks(lanes));
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

fn about_clocks(lanes: &Lanes) -> String {
    let Some(residual) = lanes.residual else {
        return "No collective operation tells how far the clocks of these runs are off, so their times are as recorded."
            .to_owned();
    };
    let all = lanes.lanes.len();
    let known = lanes.lanes.iter().filter(|lane| lane.offset.is_some()).count();
    let unknown = match all - known {
        0 => String::new(),
        n => format!(
            " {} in no such operation: their times are as recorded.",
            format::counted(n as i64, "rank is", "ranks are")
        ),
    };
    let off = lanes.lanes.iter().filter_map(|lane| lane.offset).map(i64::saturating_abs).max().unwrap_or(0);
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
    let band = enlarged(places.band(place));
    let rect = Rect::from_x_y_ranges(places.area.x_range(), band);
    let stroke = Stroke::new(1.0, Palette::of(ui).text_strong);
    ui.painter().rect_stroke(rect, 0.0, stroke, StrokeKind::Outside);
}

/// Names of a row's pieces in the strip that it is drawn in.
fn names(ui: &Ui, lanes: &Lanes, row: usize, strip: Rect, axis: &TimeAxis) {
    let Some(lane) = lanes.lanes.get(row) else { return };
    let palette = Palette::of(ui);
    let painter = ui.painter().with_clip_rect(strip.intersect(ui.clip_rect()));
    let place = |piece: &Piece| (axis.x_of(piece.start as f64), axis.x_of(piece.end as f64));
    let wide =
        lanes.pieces[lane.pieces.clone()].iter().filter(|piece| place(piece).1 - place(piece).0 >= WIDE);
    for piece in wide.take(MOST_NAMES) {
        let (from, to) = place(piece);
        let color = color(palette, piece.doing).text;
        let name = format::bare(&lanes.names[piece.function as usize]).into_owned();
        let mut job = LayoutJob::simple_singleline(format::escaped(&name).into_owned(), regular(11.0), color);
        job.wrap = TextWrapping::truncate_at_width(to - from - 6.0);
        let galley = painter.layout_job(job);
        painter.galley(pos2(from + 3.0, strip.center().y - galley.size().y / 2.0), galley, color);
        // Where one ends and the next begins.
        let edge = painter.round_to_pixel_center(to);
        painter.vline(edge, strip.y_range(), Stroke::new(1.0, palette.canvas));
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
        let text = format!(
            "its clock was moved by {}",
            format::signed_cost(crate::model::Unit::Nanoseconds, offset.saturating_neg())
        );
        ui.label(RichText::new(text).font(small()).color(weak));
    }
}
