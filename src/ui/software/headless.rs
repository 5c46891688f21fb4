//! A user interface without a window, and the picture of it.

use super::{MAX_SIDE, RenderError, Software};
use crate::ui::svg;
use crate::ui::theme::{self, Palette};
use egui::{Context, FullOutput, Pos2, RawInput, Rect, Theme, Ui, Vec2, ViewportId};
use std::time::Duration;

/// An egui context with the program's look, and a renderer.
pub struct Headless {
    ctx: Context,
    pub(super) software: Software,
    /// In points.
    size: Vec2,
    scale: f32,
    output: FullOutput,
    time: f64,
}

impl Headless {
    /// A context for a surface of `size` points, each `scale` pixels wide.
    pub fn new(size: Vec2, scale: f32, theme: Theme) -> Result<Self, RenderError> {
        let pixels = pixels(size, scale);
        if !(size * scale).is_finite() || pixels.iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return Err(RenderError::Size(pixels));
        }
        let ctx = Context::default();
        theme::install(&ctx);
        ctx.set_theme(theme);
        ctx.set_pixels_per_point(scale);
        Ok(Self { ctx, software: Software::default(), size, scale, output: FullOutput::default(), time: 0.0 })
    }

    /// The context: for state that must be there before the first pass.
    #[must_use]
    pub fn ctx(&self) -> &Context {
        &self.ctx
    }

    /// Runs one pass. True when the interface wants another one at once, because something has not settled.
    /// A second passes between two passes, so animations are over.
    pub fn pass(&mut self, events: Vec<egui::Event>, ui: impl FnMut(&mut Ui)) -> bool {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, self.size)),
            time: Some(self.time),
            predicted_dt: 1.0,
            max_texture_side: Some(MAX_SIDE),
            focused: true,
            events,
            ..Default::default()
        };
        self.time += 1.0;
        let mut output = self.ctx.run_ui(input, ui);
        self.software.free(&mut self.output.textures_delta); // of the last pass, now that nobody draws it
        self.software.apply(&mut output.textures_delta);
        self.output = output;
        let delay = self.output.viewport_output.get(&ViewportId::ROOT).map(|viewport| viewport.repaint_delay);
        delay.is_some_and(|delay| delay < Duration::from_millis(200))
    }

    /// The picture of the last pass.
    pub fn image(&self) -> Result<image::RgbaImage, RenderError> {
        let size = pixels(self.size, self.scale);
        let primitives = self.ctx.tessellate(self.output.shapes.clone(), self.output.pixels_per_point);
        let dark = self.ctx.theme() == Theme::Dark;
        let clear = if dark { Palette::dark().panel } else { Palette::light().panel };
        let picture = self.software.paint(size, self.output.pixels_per_point, clear, &primitives)?;
        to_rgba(&picture)
    }

    /// What the last pass painted, as SVG.
    pub fn svg(&self) -> Result<String, RenderError> {
        let image = self.image()?;
        let ground =
            if self.ctx.theme() == Theme::Dark { Palette::dark().panel } else { Palette::light().panel };
        let pixels = svg::Pixels { image: &image, scale: self.scale };
        let area = Rect::from_min_size(Pos2::ZERO, self.size);
        Ok(svg::svg(&self.output.shapes, area, ground, Some(pixels)))
    }
}

impl Drop for Headless {
    fn drop(&mut self) {
        self.output.textures_delta.clear(); // egui insists that somebody took them
    }
}

/// Draws an interface once. `passes` bounds the passes, of which there are at least two, so that tables and
/// panels know their sizes; there are no more when nothing asks for one.
pub fn render_to_image(
    size: Vec2,
    scale: f32,
    theme: Theme,
    passes: usize,
    ui: impl FnMut(&mut Ui),
) -> Result<image::RgbaImage, RenderError> {
    settled(size, scale, theme, passes, ui)?.image()
}

/// The same as an SVG picture.
pub fn render_to_svg(
    size: Vec2,
    scale: f32,
    theme: Theme,
    passes: usize,
    ui: impl FnMut(&mut Ui),
) -> Result<String, RenderError> {
    settled(size, scale, theme, passes, ui)?.svg()
}

fn settled(
    size: Vec2,
    scale: f32,
    theme: Theme,
    passes: usize,
    mut ui: impl FnMut(&mut Ui),
) -> Result<Headless, RenderError> {
    let mut headless = Headless::new(size, scale, theme)?;
    for i in 0..passes.max(2) {
        let unsettled = headless.pass(Vec::new(), &mut ui);
        if !unsettled && i > 0 {
            break;
        }
    }
    Ok(headless)
}

/// The picture as a PNG file.
pub fn encode_png(image: &image::RgbaImage) -> Result<Vec<u8>, RenderError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).map_err(|e| RenderError::Png(e.to_string()))?;
    Ok(bytes.into_inner())
}

fn pixels(size: Vec2, scale: f32) -> [usize; 2] {
    [size.x, size.y].map(|side| (side * scale).round().max(0.0) as usize)
}

/// The pixels of a picture drawn on an opaque ground, which are all opaque.
pub fn to_rgba(picture: &egui::ColorImage) -> Result<image::RgbaImage, RenderError> {
    let bytes = picture.as_raw().to_vec();
    image::RgbaImage::from_raw(picture.width() as u32, picture.height() as u32, bytes)
        .ok_or(RenderError::Size(picture.size))
}
