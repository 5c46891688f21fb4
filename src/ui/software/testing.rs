//! The renderer as `egui_kittest` wants it: `Harness::builder().renderer(Software::default())`.

use super::{Software, headless::to_rgba};
use egui::{Context, FullOutput, TexturesDelta};

impl egui_kittest::TestRenderer for Software {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        self.apply(delta);
        self.free(delta);
    }

    fn render(&mut self, ctx: &Context, output: &FullOutput) -> Result<image::RgbaImage, String> {
        let scale = ctx.pixels_per_point();
        let size = ctx.content_rect().size() * scale;
        let primitives = ctx.tessellate(output.shapes.clone(), scale);
        let size = [size.x.round() as usize, size.y.round() as usize];
        let picture = self
            .paint(size, scale, ctx.global_style().visuals.panel_fill, &primitives)
            .map_err(|e| e.to_string())?;
        to_rgba(&picture).map_err(|e| e.to_string())
    }
}
