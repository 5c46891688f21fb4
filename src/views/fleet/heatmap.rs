//! Rows × steps as one picture. What it shows is computed in the background; a frame draws one texture and some labels, however
//! many rows there are.

use std::sync::Arc;

use egui::{
    Align2, ColorImage, Event, Key, Modifiers, Rect, Response, Role, Sense, Stroke, StrokeKind,
    TextureHandle, TextureOptions, Ui, WidgetInfo, pos2, vec2,
};

use super::head::row_title;
use super::{Below, FleetCx, FleetView, Shown, Spot, scale};
use crate::fleet::ask::heat::Picture;
use crate::fleet::ask::stragglers::Found;
use crate::fleet::open::{PictureOf, Read, row_name};
use crate::format;
use crate::ui::keyboard;
use crate::ui::text::elide_middle;
use crate::ui::theme::{Palette, Tone, regular, small, space};
use crate::ui::widgets::{chip, focus_ring};

/// Height of the axis of steps.
const AXIS: f32 = 20.0;
/// Room right of the picture, for marks of rows that were found late.
const MARKS: f32 = 12.0;
/// A row of this height has a label.
const LABELLED: f32 = 13.0;
/// Widest labels of rows.
const WIDEST: f32 = 170.0;
/// Cells from this size on have a gap between them.
const GAP: f32 = 7.0;
/// Fewest rows that fill the picture.
const CLOSEST: usize = 8;
/// Highest row.
const HIGHEST: f32 = 44.0;
/// A selected row is never lower than this.
const LOW: f32 = 4.0;

/// What stays from frame to frame.
#[derive(Default)]
pub(super) struct HeatChart {
    /// A row to bring into view.
    pub reveal: Option<usize>,
    /// First row that is seen and the one behind the last, as places in the order; all rows without.
    window: Option<(usize, usize)>,
    /// The last picture and what it is of.
    last: Option<(PictureOf, Arc<Read<Picture>>)>,
    texture: Option<TextureHandle>,
    /// What the texture was made of.
    made: Option<Made>,
    /// Rows that the wheel has moved and are no whole row yet.
    rest: f32,
}

struct Made {
    picture: Arc<Read<Picture>>,
    raw: bool,
    dark: bool,
}

/// Where rows and steps stand on screen.
pub(super) struct Places<'a> {
    pub area: Rect,
    /// First row and the one behind the last, as places in the order.
    pub rows: (usize, usize),
    pub steps: usize,
    /// Rows by their place in the order; none where that is the row itself.
    pub order: Option<&'a [u32]>,
}

impl Places<'_> {
    pub fn row_height(&self) -> f32 {
        self.area.height() / (self.rows.1 - self.rows.0).max(1) as f32
    }

    pub fn step_width(&self) -> f32 {
        self.area.width() / self.steps.max(1) as f32
    }

    pub fn row(&self, place: usize) -> usize {
        self.order.map_or(place, |order| order.get(place).map_or(0, |row| *row as usize))
    }

    pub fn place(&self, row: usize) -> usize {
        self.order.map_or(row, |order| order.iter().position(|r| *r as usize == row).unwrap_or(0))
    }

    /// Upper and lower edge of a row by its place in the order.
    pub fn band(&self, place: usize) -> egui::Rangef {
        let top = self.area.top() + (place as f32 - self.rows.0 as f32) * self.row_height();
        egui::Rangef::new(top, top + self.row_height())
    }

    pub fn column(&self, step: usize) -> egui::Rangef {
        let left = self.area.left() + step as f32 * self.step_width();
        egui::Rangef::new(left, left + self.step_width())
    }
}

impl HeatChart {
    /// Says which rows are seen, when these are not all.
    pub fn zoomed(&mut self, ui: &mut Ui, rows: usize, ranked: bool) {
        let Some((from, to)) = self.window else { return };
        let what = if ranked { "ranks" } else { "runs" };
        let text = format!("{} of {} {what}", format::count((to - from) as i64), format::count(rows as i64));
        if chip(ui, &text).on_hover_text("Ctrl+wheel zooms. Click for all of them.").clicked() {
            self.window = None;
        }
    }

    pub fn rows(&mut self, all: usize) -> (usize, usize) {
        let window = self.window.map(|(from, to)| (from.min(all), to.min(all)));
        self.window = window.filter(|(from, to)| from < to && to - from < all);
        self.window.unwrap_or((0, all))
    }

    /// Shows `factor` times as many rows, with the one at `at` staying where it is.
    fn zoom(&mut self, all: usize, factor: f32, at: f32) {
        let (from, to) = self.rows(all);
        let count = ((to - from) as f32 * factor).round().clamp(CLOSEST.min(all) as f32, all as f32) as usize;
        let share = at.clamp(0.0, 1.0);
        let middle = from as f32 + (to - from) as f32 * share;
        let from = (middle - count as f32 * share).round().max(0.0) as usize;
        let from = from.min(all - count);
        self.window = (count < all).then_some((from, from + count));
    }

    /// Moves by so many rows.
    fn scroll(&mut self, all: usize, by: f32) {
        let Some((from, to)) = self.window else { return };
        self.rest += by;
        let whole = self.rest.trunc();
        self.rest -= whole;
        let from = (from as f32 + whole).clamp(0.0, (all - (to - from)) as f32) as usize;
        self.window = self.window.map(|(old, to)| (from, from + to - old));
    }

    /// Brings a row into view, by its place in the order.
    fn show_place(&mut self, all: usize, place: usize) {
        let Some((from, to)) = self.window else { return };
        let count = to - from;
        let first = from.min(place).max((place + 1).saturating_sub(count)).min(all - count);
        self.window = Some((first, first + count));
    }

    /// The picture for these pixels: the newest, or the last one of the same cells.
    fn picture(&mut self, cx: &FleetCx<'_>, query: PictureOf) -> Option<Arc<Read<Picture>>> {
        let reply = cx.ask(&query, 0);
        if reply.is_newest()
            && let Some(picture) = reply.beside()
        {
            self.last = Some((query, picture));
        } else {
            let same = |last: &PictureOf| {
                (last.heat, last.by_slowness, last.rows) == (query.heat, query.by_slowness, query.rows)
            };
            self.last.take_if(|(last, _)| !same(last));
        }
        self.last.as_ref().map(|(_, picture)| picture.clone())
    }

    fn texture(
        &mut self,
        ui: &Ui,
        shown: &Shown<'_>,
        picture: &Arc<Read<Picture>>,
        raw: bool,
    ) -> Option<&TextureHandle> {
        let Ok(cells) = &**picture else { return None };
        let palette = Palette::of(ui);
        let same = |m: &Made| Arc::ptr_eq(&m.picture, picture) && (m.raw, m.dark) == (raw, palette.dark);
        if !self.made.as_ref().is_some_and(same) {
            let none = palette.canvas;
            let pixels = cells
                .cells(shown.heat)
                .map(|cell| cell.map_or(none, |cell| scale::color(palette, shown.heat, raw, cell)));
            let image = ColorImage::new([cells.columns, cells.lines], pixels.collect());
            match &mut self.texture {
                Some(texture) => texture.set(image, TextureOptions::NEAREST),
                none => *none = Some(ui.ctx().load_texture("heatmap", image, TextureOptions::NEAREST)),
            }
            self.made = Some(Made { picture: picture.clone(), raw, dark: palette.dark });
        }
        self.texture.as_ref()
    }
}

impl FleetView {
    /// Draws the heatmap into `area` and reads its input.
    pub(super) fn heatmap(&mut self, cx: &mut FleetCx<'_>, ui: &mut Ui, area: Rect, shown: &Shown<'_>) {
        let palette = Palette::of(ui);
        let (heat, all) = (shown.heat, shown.heat.ranks);
        let labels = self.label_width(ui, shown);
        let mut chart = Rect::from_min_max(
            pos2(area.left() + labels, area.top() + space::MEDIUM),
            pos2(area.right() - MARKS, area.bottom() - AXIS),
        );
        let order = self.choice.by_slowness.then_some(heat.slowest.as_slice());
        if let Some(row) = self.chart.reveal.take() {
            let place = Places { area, rows: (0, all), steps: 1, order }.place(row);
            self.chart.show_place(all, place);
        }
        let rows = self.chart.rows(all);
        // A few rows need not fill it.
        chart.max.y = chart.max.y.min(chart.top() + (rows.1 - rows.0) as f32 * HIGHEST);
        if !chart.is_positive() {
            return;
        }
        let places = Places { area: chart, rows, steps: heat.steps.len(), order };
        let response = ui.interact(chart, ui.scope_id().with("heatmap"), Sense::click());
        let name = format!(
            "{} of {} by step",
            shown.query.measure.title(),
            format::counted(all as i64, "row", "rows")
        );
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, self.words(shown, &name)));
        ui.painter().rect_filled(chart, 0.0, palette.canvas);
        let ppp = ui.pixels_per_point();
        let query = PictureOf {
            heat: shown.query,
            by_slowness: self.choice.by_slowness,
            rows: (rows.0 as u32, rows.1 as u32),
            size: [chart.width(), chart.height()].map(|side| (side * ppp).round().max(1.0) as usize),
        };
        let picture = self.chart.picture(cx, query);
        if let Some(picture) = &picture
            && let Some(texture) = self.chart.texture(ui, shown, picture, self.choice.raw)
        {
            let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            ui.painter().image(texture.id(), chart, uv, egui::Color32::WHITE);
        }
        gaps(ui, &places);
        self.row_labels(ui, shown, &places);
        step_labels(ui, shown, &places);
        marks(ui, shown, &places);
        self.outlines(ui, shown, &places);
        let at = response.hover_pos().and_then(|at| spot_at(at, &places, picture.as_ref(), shown));
        self.input(cx, ui, &response, (shown, &places), (all, at));
        focus_ring(ui, &response, chart.expand(1.0));
        if let Some((spot, sharing)) = at {
            response.on_hover_ui_at_pointer(|ui| tooltip(ui, shown, spot, sharing));
        }
    }

    /// What is selected, for screen readers.
    fn words(&self, shown: &Shown<'_>, name: &str) -> String {
        let Some(spot) = self.selected else { return name.to_owned() };
        let value = shown
            .heat
            .value(spot.step, spot.row)
            .map_or_else(|| format::UNKNOWN.to_owned(), format::duration);
        let step = shown.heat.steps.get(spot.step).copied().unwrap_or_default();
        format!("{name}; {}, step {step}: {value}", row_title(shown.content, self.job, spot.row))
    }

    pub(super) fn label_width(&self, ui: &Ui, shown: &Shown<'_>) -> f32 {
        let job = &shown.content.jobs[self.job];
        let longest = match job.is_ranked() {
            true => row_name(shown.content, self.job, shown.heat.ranks.saturating_sub(1)),
            // All of them would take long to lay out; names of runs are of one kind.
            false => {
                let names = (0..shown.heat.ranks.min(64)).map(|row| row_name(shown.content, self.job, row));
                names.max_by_key(String::len).unwrap_or_default()
            }
        };
        let galley = ui.painter().layout_no_wrap(longest, regular(12.0), Palette::of(ui).text);
        galley.size().x.min(WIDEST) + 2.0 * space::MEDIUM
    }

    pub(super) fn row_labels(&self, ui: &Ui, shown: &Shown<'_>, places: &Places<'_>) {
        let palette = Palette::of(ui);
        let height = places.row_height();
        let every = steps_of((LABELLED + 1.0) / height);
        let painter = ui.painter();
        let selected = self.selected.map(|spot| places.place(spot.row));
        let middle = |place: usize| places.band(place).center();
        let label = |place: usize, strong: bool| {
            let text = row_name(shown.content, self.job, places.row(place));
            let color = if strong { palette.text_strong } else { palette.text_weak };
            let room = WIDEST.min(places.area.left() - ui.max_rect().left() - space::MEDIUM);
            let font = regular(12.0);
            let text = painter.fonts_mut(|fonts| {
                elide_middle(&format::escaped(&text), room, |c| fonts.glyph_width(&font, c)).into_owned()
            });
            let at = pos2(places.area.left() - space::MEDIUM, middle(place));
            painter.text(at, Align2::RIGHT_CENTER, text, font, color);
        };
        let near = |place: usize| {
            selected.is_some_and(|s| s != place && (middle(s) - middle(place)).abs() < LABELLED)
        };
        // By number at round ones; in another order from the top on.
        let ranks = &shown.content.jobs[self.job].rows.ranks;
        let number = |place: usize| ranks.get(place).map_or(0, |r| r.0) as usize;
        let round = |place: &usize| match places.order {
            None => number(*place).is_multiple_of(every),
            Some(_) => (place - places.rows.0).is_multiple_of(every),
        };
        for place in (places.rows.0..places.rows.1).filter(round).filter(|place| !near(*place)) {
            label(place, selected == Some(place));
        }
        if let Some(place) = selected.filter(|p| (places.rows.0..places.rows.1).contains(p)) {
            label(place, true);
        }
    }

    fn outlines(&self, ui: &Ui, shown: &Shown<'_>, places: &Places<'_>) {
        let palette = Palette::of(ui);
        if places.row_height() < LOW {
            for spot in [self.other, self.selected].into_iter().flatten() {
                self.enlarged(ui, shown, places, spot.row);
            }
        }
        let painter = ui.painter().with_clip_rect(places.area.expand(3.0));
        let cell = |spot: Spot| {
            let place = places.place(spot.row);
            let seen = (places.rows.0..places.rows.1).contains(&place);
            seen.then(|| (places.band(place), places.column(spot.step)))
        };
        for (spot, color) in [(self.other, palette.series(1)), (self.selected, palette.text_strong)] {
            let Some((band, column)) = spot.and_then(cell) else { continue };
            let band = enlarged(band);
            let row = Rect::from_x_y_ranges(places.area.x_range(), band);
            painter.rect_stroke(row, 0.0, Stroke::new(1.0, color), StrokeKind::Outside);
            let cell = Rect::from_x_y_ranges(column, band).expand(1.0);
            painter.rect_stroke(cell, 1.0, Stroke::new(2.0, color), StrokeKind::Outside);
        }
    }

    /// The cells of a row that is too low to be seen, as high as needed.
    fn enlarged(&self, ui: &Ui, shown: &Shown<'_>, places: &Places<'_>, row: usize) {
        let place = places.place(row);
        if !(places.rows.0..places.rows.1).contains(&place) {
            return;
        }
        let (palette, band) = (Palette::of(ui), enlarged(places.band(place)));
        // Of steps that share a pixel the last one shows.
        let every = (1.0 / places.step_width().max(0.001)).floor().max(1.0) as usize;
        let mut mesh = egui::epaint::Mesh::default();
        for step in (0..places.steps).step_by(every) {
            let column = egui::Rangef::new(places.column(step).min, places.column(step + every - 1).max);
            let color = scale::color(palette, shown.heat, self.choice.raw, (step, row));
            mesh.add_colored_rect(Rect::from_x_y_ranges(column, band), color);
        }
        ui.painter().with_clip_rect(places.area).add(egui::Shape::mesh(mesh));
    }

    fn input(
        &mut self,
        cx: &mut FleetCx<'_>,
        ui: &Ui,
        response: &Response,
        (shown, places): (&Shown<'_>, &Places<'_>),
        (all, at): (usize, Option<(Spot, usize)>),
    ) {
        if response.contains_pointer() {
            let (zoom, scroll) = ui.input(|i| (i.zoom_delta(), i.smooth_scroll_delta().y));
            let share =
                response.hover_pos().map_or(0.5, |p| (p.y - places.area.top()) / places.area.height());
            if zoom != 1.0 {
                self.chart.zoom(all, 1.0 / zoom, share);
            } else if scroll != 0.0 {
                self.chart.scroll(all, -scroll / places.row_height());
            }
        }
        let command = ui.input(|i| i.modifiers.command);
        if response.clicked()
            && let Some((spot, _)) = at
        {
            response.request_focus();
            self.chosen = true;
            match command {
                true => self.other = (self.selected != Some(spot)).then_some(spot),
                false => {
                    (self.selected, self.other) = (Some(spot), None);
                    if self.below == Below::Trend {
                        self.below = Below::Selected;
                    }
                }
            }
        }
        if response.double_clicked() {
            self.open_selected(cx, shown);
        }
        keyboard::hold(ui, response, self.other.is_some() || self.chart.has_window());
        if keyboard::listens(ui, response) {
            self.keys(cx, ui, (shown, places), all);
        }
    }

    fn keys(
        &mut self,
        cx: &mut FleetCx<'_>,
        ui: &Ui,
        (shown, places): (&Shown<'_>, &Places<'_>),
        all: usize,
    ) {
        let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        let letter = |text: &str| {
            ui.input(|i| {
                i.modifiers.is_none() && i.events.iter().any(|e| matches!(e, Event::Text(t) if t == text))
            })
        };
        let now = self.selected.map(|spot| (places.place(spot.row), spot.step));
        let (place, step) = now.unwrap_or((places.rows.0, 0));
        let page = (places.rows.1 - places.rows.0).div_ceil(10).max(1);
        let last = (all.saturating_sub(1), places.steps.saturating_sub(1));
        let moves = [
            (Key::ArrowUp, (place.saturating_sub(1), step)),
            (Key::ArrowDown, ((place + 1).min(last.0), step)),
            (Key::ArrowLeft, (place, step.saturating_sub(1))),
            (Key::ArrowRight, (place, (step + 1).min(last.1))),
            (Key::PageUp, (place.saturating_sub(page), step)),
            (Key::PageDown, ((place + page).min(last.0), step)),
            (Key::Home, (0, step)),
            (Key::End, (last.0, step)),
        ];
        for (key, to) in moves {
            if pressed(key) && places.steps > 0 && all > 0 {
                // The first key only shows where one is.
                let (place, step) = if now.is_some() { to } else { (place, step) };
                self.selected = Some(Spot { row: places.row(place), step });
                self.chosen = true;
                self.chart.show_place(all, place);
            }
        }
        let share =
            (place as f32 - places.rows.0 as f32 + 0.5) / (places.rows.1 - places.rows.0).max(1) as f32;
        let share = if (0.0..=1.0).contains(&share) { share } else { 0.5 };
        for (letters, factor) in [(["w", "+"], 0.5), (["s", "-"], 2.0)] {
            if letters.into_iter().any(letter) {
                self.chart.zoom(all, factor, share);
            }
        }
        if pressed(Key::Enter) {
            self.open_selected(cx, shown);
        }
        if (self.other.is_some() || self.chart.has_window())
            && pressed(Key::Escape)
            && self.other.take().is_none()
        {
            self.chart.window = None;
        }
    }
}

impl HeatChart {
    /// The part of `height` that so many rows get, the rest being for what stands below.
    pub fn share(&self, height: f32, rows: usize) -> f32 {
        ((rows as f32 * HIGHEST + AXIS + 2.0) / height.max(1.0)).min(0.55)
    }

    fn has_window(&self) -> bool {
        self.window.is_some()
    }
}

/// What a row takes at least when it is selected.
pub(super) fn enlarged(band: egui::Rangef) -> egui::Rangef {
    if band.span() < LOW { egui::Rangef::point(band.center()).expand(LOW / 2.0) } else { band }
}

/// The next of 1, 2, 4, 8 … that is not less.
fn steps_of(least: f32) -> usize {
    (least.ceil().max(1.0) as usize).next_power_of_two()
}

/// The cell at a point, and how many rows share its line.
fn spot_at(
    at: egui::Pos2,
    places: &Places<'_>,
    picture: Option<&Arc<Read<Picture>>>,
    shown: &Shown<'_>,
) -> Option<(Spot, usize)> {
    let picture = picture?.as_ref().as_ref().ok()?;
    let share = |x: f32, range: egui::Rangef| ((x - range.min) / range.span().max(1.0)).clamp(0.0, 0.999_99);
    let column = (share(at.x, places.area.x_range()) * picture.columns as f32) as usize;
    let line = (share(at.y, places.area.y_range()) * picture.lines as f32) as usize;
    let rows = places.rows.1 - places.rows.0;
    if rows <= picture.lines && shown.heat.steps.len() <= picture.columns {
        // Also where nothing is known.
        let spot = Spot { row: places.row(places.rows.0 + line), step: column };
        return Some((spot, 1));
    }
    let (step, row) = picture.at(column, line, shown.heat)?;
    let first = (line * rows).div_ceil(picture.lines);
    let behind = ((line + 1) * rows).div_ceil(picture.lines);
    Some((Spot { row, step }, behind - first))
}

fn tooltip(ui: &mut Ui, shown: &Shown<'_>, spot: Spot, sharing: usize) {
    let heat = shown.heat;
    let step = heat.steps.get(spot.step).copied().unwrap_or_default();
    let time = |ns: Option<i64>| ns.map_or_else(|| format::UNKNOWN.to_owned(), format::duration);
    ui.label(
        egui::RichText::new(format!("{}, step {step}", row_title(shown.content, shown.query.job, spot.row)))
            .font(crate::ui::theme::strong(13.0)),
    );
    ui.label(format!("{} {}", shown.query.measure.title(), time(heat.value(spot.step, spot.row))));
    let off = heat.distance(spot.step, spot.row);
    let off = off.map(|d| format!(", this is {}", format::signed_cost(crate::model::Unit::Nanoseconds, d)));
    ui.label(format!("median of the step {}{}", time(heat.usual(spot.step)), off.unwrap_or_default()));
    let weak = Palette::of(ui).text_weak;
    if sharing > 1 {
        let text = format!(
            "the furthest from it of {} in this line",
            format::counted(sharing as i64, "row", "rows")
        );
        ui.label(egui::RichText::new(text).color(weak));
    }
    let keys =
        "Click: this step of all rows. Double click or Enter: this run. Ctrl+click: a second one to compare.";
    ui.label(egui::RichText::new(keys).font(small()).color(weak));
}

/// Lines between cells that are large enough.
fn gaps(ui: &Ui, places: &Places<'_>) {
    let stroke = Stroke::new(1.0, Palette::of(ui).canvas);
    let painter = ui.painter();
    if places.step_width() >= GAP {
        for step in 1..places.steps {
            let x = painter.round_to_pixel_center(places.column(step).min);
            painter.vline(x, places.area.y_range(), stroke);
        }
    }
    if places.row_height() >= GAP {
        for place in places.rows.0 + 1..places.rows.1 {
            let y = painter.round_to_pixel_center(places.band(place).min);
            painter.hline(places.area.x_range(), y, stroke);
        }
    }
}

fn step_labels(ui: &Ui, shown: &Shown<'_>, places: &Places<'_>) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    let y = places.area.bottom() + AXIS / 2.0;
    let text = |text: String| painter.layout_no_wrap(text, small(), palette.text_weak);
    let name = text("step".to_owned());
    let at = pos2(places.area.left() - space::MEDIUM - name.size().x, y - name.size().y / 2.0);
    painter.galley(at, name, palette.text_weak);
    let widest = shown.heat.steps.last().map_or(0.0, |last| text(last.to_string()).size().x);
    let every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]
        .into_iter()
        .find(|every| *every as f32 * places.step_width() >= widest + 10.0)
        .unwrap_or(usize::MAX);
    let first = shown.heat.steps.first().copied().unwrap_or(0);
    for (at, step) in shown.heat.steps.iter().enumerate() {
        // At round numbers, where steps follow each other.
        let labelled = if every < 5 { at % every == 0 } else { *step % every as i64 == 0 || *step == first };
        let x = places.column(at).center();
        if labelled && !(every >= 5 && *step == first && first % every as i64 != 0) {
            painter.text(pos2(x, y), Align2::CENTER_CENTER, step.to_string(), small(), palette.text_weak);
        }
    }
}

/// Marks beside rows that were found late.
fn marks(ui: &Ui, shown: &Shown<'_>, places: &Places<'_>) {
    let Some(slowed) = shown.slowed else { return };
    let palette = Palette::of(ui);
    for found in &slowed.job.found {
        let (ranks, tone) = match found {
            Found::Fixed(late) => (&late.ranks, Tone::Warning),
            Found::SlowGroup { ranks, .. } => (ranks, Tone::Warning),
            Found::Hiccup(late) => (&late.ranks, Tone::Info),
            _ => continue,
        };
        for rank in ranks {
            let Ok(row) = slowed.rows.binary_search(rank) else { continue };
            let place = places.place(row);
            if !(places.rows.0..places.rows.1).contains(&place) {
                continue;
            }
            let middle = places.band(place).center();
            let half = (places.row_height() / 2.0).clamp(4.0, 6.0);
            let left = places.area.right() + 3.0;
            let corners = [vec2(0.0, 0.0), vec2(7.0, -half), vec2(7.0, half)];
            let corners = corners.map(|corner| pos2(left, middle) + corner).to_vec();
            ui.painter().add(egui::Shape::convex_polygon(corners, palette.tone(tone), Stroke::NONE));
        }
    }
}
