//! Triangles and rectangles to pixels.
//!
//! A pixel belongs to a shape when its centre does; a centre on an edge belongs to the shape on the right or
//! below, so neighbours neither overlap nor leave a gap.

use super::Texture;
use egui::epaint::Vertex;
use egui::{Color32, Rect};

/// The picture and the part of it that may be drawn on.
pub(super) struct Target<'a> {
    pub(super) pixels: &'a mut [Color32],
    pub(super) width: usize,
    pub(super) clip: Clip,
}

/// A rectangle of pixels, ends exclusive, within the picture.
#[derive(Clone, Copy)]
pub(super) struct Clip {
    x0: i32,
    y0: i32,
    x1: i32,
    y1: i32,
}

impl Clip {
    pub(super) fn new(rect: Rect, scale: f32, [w, h]: [usize; 2]) -> Self {
        let within = |v: f32, max: usize| ((v * scale).round() as i32).clamp(0, max as i32);
        Self {
            x0: within(rect.min.x, w),
            y0: within(rect.min.y, h),
            x1: within(rect.max.x, w),
            y1: within(rect.max.y, h),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.x0 >= self.x1 || self.y0 >= self.y1
    }
}

impl Target<'_> {
    /// Pixels `x0..x1` of row `y`, which lie within the clip.
    #[inline(always)]
    fn row(&mut self, y: i32, x0: i32, x1: i32) -> &mut [Color32] {
        let start = y as usize * self.width;
        &mut self.pixels[start + x0 as usize..start + x1 as usize]
    }
}

impl Texture {
    #[inline(always)]
    fn texel(&self, x: i32, y: i32) -> Color32 {
        let [w, h] = self.size;
        let x = x.clamp(0, w as i32 - 1) as usize;
        let y = y.clamp(0, h as i32 - 1) as usize;
        self.pixels.get(y * w + x).copied().unwrap_or(Color32::TRANSPARENT)
    }

    #[inline(always)]
    fn nearest(&self, u: f32, v: f32) -> Color32 {
        self.texel((u * self.size[0] as f32).floor() as i32, (v * self.size[1] as f32).floor() as i32)
    }

    fn bilinear(&self, u: f32, v: f32) -> Color32 {
        let (x, y) = (u * self.size[0] as f32 - 0.5, v * self.size[1] as f32 - 0.5);
        let (fx, fy) = (x - x.floor(), y - y.floor());
        let (x, y) = (x.floor() as i32, y.floor() as i32);
        let corners =
            [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)].map(|(x, y)| self.texel(x, y).to_array());
        let channel = |k: usize| {
            let [a, b, c, d] = corners.map(|corner| f32::from(corner[k]));
            let top = a + (b - a) * fx;
            let bottom = c + (d - c) * fx;
            (top + (bottom - top) * fy + 0.5) as u8
        };
        Color32::from_rgba_premultiplied(channel(0), channel(1), channel(2), channel(3))
    }

    fn sample(&self, u: f32, v: f32) -> Color32 {
        if self.linear { self.bilinear(u, v) } else { self.nearest(u, v) }
    }
}

/// `a * b / 255`, rounded.
#[inline(always)]
fn mul(a: u8, b: u8) -> u8 {
    let t = u32::from(a) * u32::from(b) + 128;
    ((t + (t >> 8)) >> 8) as u8
}

#[inline(always)]
fn modulate(a: Color32, b: Color32) -> Color32 {
    if b == Color32::WHITE {
        return a;
    }
    let (a, b) = (a.to_array(), b.to_array());
    Color32::from_rgba_premultiplied(mul(a[0], b[0]), mul(a[1], b[1]), mul(a[2], b[2]), mul(a[3], b[3]))
}

#[inline(always)]
fn blend(pixel: &mut Color32, source: Color32) {
    let [r, g, b, a] = source.to_array();
    if a == 255 {
        *pixel = source;
    } else if source != Color32::TRANSPARENT {
        let keep = 255 - a;
        let [pr, pg, pb, pa] = pixel.to_array();
        *pixel = Color32::from_rgba_premultiplied(
            r.saturating_add(mul(pr, keep)),
            g.saturating_add(mul(pg, keep)),
            b.saturating_add(mul(pb, keep)),
            a.saturating_add(mul(pa, keep)),
        );
    }
}

#[inline(always)]
fn fill(row: &mut [Color32], color: Color32) {
    if color.is_opaque() {
        row.fill(color);
    } else if color != Color32::TRANSPARENT {
        for pixel in row {
            blend(pixel, color);
        }
    }
}

/// The first pixel whose centre is at or after `edge`.
#[inline(always)]
fn first(edge: f32) -> i32 {
    (edge - 0.5).ceil() as i32
}

/// A rectangle of one colour with its sides along the axes (fills, glyphs, images), given as left top, right
/// top, left bottom, right bottom. False, and nothing drawn, when the four points are no such thing.
pub(super) fn quad(target: &mut Target<'_>, texture: &Texture, [lt, rt, lb, rb]: [Vertex; 4]) -> bool {
    let one_color = lt.color == rt.color && lt.color == lb.color && lt.color == rb.color;
    let boxed = |f: fn(&Vertex) -> egui::Pos2| {
        let [a, b, c, d] = [&lt, &rt, &lb, &rb].map(f);
        a.y == b.y && a.x == c.x && d.x == b.x && d.y == c.y
    };
    let (p0, p1) = (lt.pos, rb.pos);
    // Also false for NaN.
    let ordered = p0.x <= p1.x && p0.y <= p1.y;
    if !(one_color && ordered && boxed(|v| v.pos) && boxed(|v| v.uv)) {
        return false;
    }
    let clip = target.clip;
    let (x0, y0) = (first(p0.x).max(clip.x0), first(p0.y).max(clip.y0));
    let (x1, y1) = (first(p1.x).min(clip.x1), first(p1.y).min(clip.y1));
    if x0 >= x1 || y0 >= y1 {
        return true;
    }
    if lt.uv == rb.uv {
        let color = modulate(texture.nearest(lt.uv.x, lt.uv.y), lt.color);
        for y in y0..y1 {
            fill(target.row(y, x0, x1), color);
        }
        return true;
    }
    let du = (rb.uv.x - lt.uv.x) / (p1.x - p0.x);
    let dv = (rb.uv.y - lt.uv.y) / (p1.y - p0.y);
    let at =
        |x: i32, y: i32| (lt.uv.x + (x as f32 + 0.5 - p0.x) * du, lt.uv.y + (y as f32 + 0.5 - p0.y) * dv);
    if let Some((tx, ty)) = aligned(texture, (du, dv), at(x0, y0)) {
        // Glyphs: one texel a pixel.
        for y in y0..y1 {
            for (i, pixel) in target.row(y, x0, x1).iter_mut().enumerate() {
                let texel = texture.texel(tx + i as i32, ty + y - y0);
                if texel != Color32::TRANSPARENT {
                    blend(pixel, modulate(texel, lt.color));
                }
            }
        }
        return true;
    }
    for y in y0..y1 {
        let (mut u, v) = at(x0, y);
        for pixel in target.row(y, x0, x1) {
            blend(pixel, modulate(texture.sample(u, v), lt.color));
            u += du;
        }
    }
    true
}

/// The texel under the first pixel when texels and pixels coincide, so that no filter is needed.
fn aligned(texture: &Texture, (du, dv): (f32, f32), (u, v): (f32, f32)) -> Option<(i32, i32)> {
    let [w, h] = texture.size.map(|side| side as f32);
    let whole = |t: f32| t.abs() < 1e6 && (t - t.round()).abs() < 0.02;
    let (x, y) = (u * w - 0.5, v * h - 0.5);
    let same_scale = (du * w - 1.0).abs() < 1e-3 && (dv * h - 1.0).abs() < 1e-3;
    (same_scale && whole(x) && whole(y)).then_some((x.round() as i32, y.round() as i32))
}

/// A value that changes linearly over the triangle, for each of `N` channels.
struct Plane<const N: usize> {
    base: [f32; N],
    dx: [f32; N],
    dy: [f32; N],
}

impl<const N: usize> Plane<N> {
    fn new(values: [[f32; N]; 3], [e1, e2]: [egui::Vec2; 2], area: f32) -> Self {
        let mut plane = Self { base: values[0], dx: [0.0; N], dy: [0.0; N] };
        #[expect(clippy::needless_range_loop, reason = "five arrays in step")]
        for k in 0..N {
            let (d1, d2) = (values[1][k] - values[0][k], values[2][k] - values[0][k]);
            plane.dx[k] = (d1 * e2.y - d2 * e1.y) / area;
            plane.dy[k] = (d2 * e1.x - d1 * e2.x) / area;
        }
        plane
    }

    fn at(&self, offset: egui::Vec2) -> [f32; N] {
        std::array::from_fn(|k| self.base[k] + self.dx[k] * offset.x + self.dy[k] * offset.y)
    }

    fn step(&self, value: &mut [f32; N]) {
        value.iter_mut().zip(&self.dx).for_each(|(v, dx)| *v += dx);
    }
}

/// Any triangle, colours and texture interpolated.
pub(super) fn triangle(target: &mut Target<'_>, texture: &Texture, mut v: [Vertex; 3]) {
    v.sort_by(|a, b| a.pos.y.total_cmp(&b.pos.y));
    let [p0, p1, p2] = v.map(|v| v.pos);
    let edges = [p1 - p0, p2 - p0];
    let area = edges[0].x * edges[1].y - edges[1].x * edges[0].y;
    if !area.is_finite() || area == 0.0 {
        return;
    }
    let plain = v[0].uv == v[1].uv && v[0].uv == v[2].uv;
    let one_color = v[0].color == v[1].color && v[0].color == v[2].color;
    let texel = if plain { texture.nearest(v[0].uv.x, v[0].uv.y) } else { Color32::WHITE };
    let solid = modulate(v[0].color, texel);
    let colors = Plane::new(v.map(|v| v.color.to_array().map(f32::from)), edges, area);
    let uvs = Plane::new(v.map(|v| [v.uv.x, v.uv.y]), edges, area);
    let clip = target.clip;
    let cross = |a: egui::Pos2, b: egui::Pos2, y: f32| a.x + (b.x - a.x) * ((y - a.y) / (b.y - a.y));
    for y in first(p0.y).max(clip.y0)..first(p2.y).min(clip.y1) {
        let centre = y as f32 + 0.5;
        let long = cross(p0, p2, centre);
        let short = if centre < p1.y { cross(p0, p1, centre) } else { cross(p1, p2, centre) };
        let (x0, x1) = (first(long.min(short)).max(clip.x0), first(long.max(short)).min(clip.x1));
        if x0 >= x1 {
            continue;
        }
        let row = target.row(y, x0, x1);
        if plain && one_color {
            fill(row, solid);
            continue;
        }
        let offset = egui::vec2(x0 as f32 + 0.5 - p0.x, centre - p0.y);
        let (mut color, mut uv) = (colors.at(offset), uvs.at(offset));
        for pixel in row {
            let [r, g, b, a] = color.map(|c| (c + 0.5) as u8); // saturates
            let texel = if plain { texel } else { texture.sample(uv[0], uv[1]) };
            blend(pixel, modulate(texel, Color32::from_rgba_premultiplied(r, g, b, a)));
            colors.step(&mut color);
            uvs.step(&mut uv);
        }
    }
}
