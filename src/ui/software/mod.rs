//! Draws egui's output on the CPU: for pictures without a window, and for tests.
//!
//! The result depends on the input alone: no threads, no GPU, the same picture on every machine. Colours are
//! blended as egui's own shaders do, premultiplied and in gamma space. Paint callbacks cannot be drawn; the
//! program uses none.

mod headless;
mod raster;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use headless::{Headless, encode_png, render_to_image, render_to_svg, to_rgba};

use egui::epaint::{ClippedPrimitive, ImageData, ImageDelta, Primitive};
use egui::{Color32, ColorImage, Mesh, TextureFilter, TextureId, TexturesDelta};
use raster::{Clip, Target};
use std::collections::HashMap;

/// The longest side of a picture, in pixels.
pub const MAX_SIDE: usize = 16_384;

/// Why no picture was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenderError {
    /// A side is 0 or longer than [`MAX_SIDE`].
    Size([usize; 2]),
    /// The picture could not be written as PNG.
    Png(String),
}

impl std::fmt::Display for RenderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Size([w, h]) => {
                write!(
                    f,
                    "a picture of {w} × {h} pixels cannot be drawn; each side must have 1 to {MAX_SIDE}"
                )
            }
            Self::Png(cause) => write!(f, "the picture could not be written as PNG: {cause}"),
        }
    }
}

impl std::error::Error for RenderError {}

struct Texture {
    size: [usize; 2],
    pixels: Vec<Color32>,
    linear: bool,
}

/// The renderer and the textures that it holds.
#[derive(Default)]
pub struct Software {
    textures: HashMap<TextureId, Texture>,
    /// Draw rectangles as general triangles: to compare both ways in a test.
    #[cfg(test)]
    without_quads: bool,
}

impl Software {
    /// Takes over new and changed textures. Call it with the output of every pass, before [`Self::paint`].
    pub fn apply(&mut self, delta: &mut TexturesDelta) {
        for (id, deltas) in delta.set.drain() {
            for delta in deltas {
                self.set(id, &delta);
            }
        }
    }

    /// Forgets textures that are no longer used. Call it after [`Self::paint`].
    pub fn free(&mut self, delta: &mut TexturesDelta) {
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    fn set(&mut self, id: TextureId, delta: &ImageDelta) {
        let ImageData::Color(image) = &delta.image;
        let [w, h] = image.size;
        let Some([x, y]) = delta.pos else {
            let linear = delta.options.magnification == TextureFilter::Linear;
            self.textures.insert(id, Texture { size: image.size, pixels: image.pixels.clone(), linear });
            return;
        };
        let Some(texture) = self.textures.get_mut(&id) else { return };
        if w == 0 || x + w > texture.size[0] || y + h > texture.size[1] {
            return;
        }
        for (row, source) in image.pixels.chunks_exact(w).enumerate() {
            let start = (y + row) * texture.size[0] + x;
            texture.pixels[start..start + w].copy_from_slice(source);
        }
    }

    /// Draws `primitives` (of [`egui::Context::tessellate`]) on a picture of `size` pixels.
    pub fn paint(
        &self,
        size: [usize; 2],
        pixels_per_point: f32,
        clear: Color32,
        primitives: &[ClippedPrimitive],
    ) -> Result<ColorImage, RenderError> {
        if size.iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return Err(RenderError::Size(size));
        }
        let mut image = ColorImage::filled(size, clear);
        for ClippedPrimitive { clip_rect, primitive } in primitives {
            let Primitive::Mesh(mesh) = primitive else { continue };
            let Some(texture) = self.textures.get(&mesh.texture_id) else { continue };
            let mut target = Target {
                pixels: &mut image.pixels,
                width: size[0],
                clip: Clip::new(*clip_rect, pixels_per_point, size),
            };
            if !target.clip.is_empty() {
                self.mesh(&mut target, mesh, texture, pixels_per_point);
            }
        }
        Ok(image)
    }

    fn mesh(&self, target: &mut Target<'_>, mesh: &Mesh, texture: &Texture, scale: f32) {
        let vertex = |i: u32| {
            let mut v = *mesh.vertices.get(i as usize)?;
            v.pos = (v.pos.to_vec2() * scale).to_pos2();
            Some(v)
        };
        let mut rest = &mesh.indices[..];
        while let [a, b, c, tail @ ..] = rest {
            // `Mesh::add_rect_with_uv` writes a rectangle as 0 1 2, 2 1 3.
            if let [d, e, f, after @ ..] = tail
                && (c, b) == (d, e)
                && self.quads()
                && let (Some(lt), Some(rt), Some(lb), Some(rb)) =
                    (vertex(*a), vertex(*b), vertex(*c), vertex(*f))
                && raster::quad(target, texture, [lt, rt, lb, rb])
            {
                rest = after;
                continue;
            }
            if let (Some(a), Some(b), Some(c)) = (vertex(*a), vertex(*b), vertex(*c)) {
                raster::triangle(target, texture, [a, b, c]);
            }
            rest = tail;
        }
    }

    #[cfg(test)]
    fn quads(&self) -> bool {
        !self.without_quads
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests switch it off")]
    fn quads(&self) -> bool {
        true
    }
}
