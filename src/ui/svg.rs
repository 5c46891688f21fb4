//! What egui painted as an SVG picture: texts stay texts, boxes boxes and lines lines, so it can be searched,
//! scaled and edited.
//!
//! Texts are put where egui put them and stretched to the width they had, so that another font does not move
//! them. Textured meshes (fine parts of the flame chart) cannot be described by shapes; they are cut out of
//! a picture of the same frame. Shadows are left out.

use std::fmt::Write;

use egui::epaint::{
    CircleShape, ClippedShape, ColorMode, CubicBezierShape, EllipseShape, Mesh, PathShape,
    QuadraticBezierShape, RectShape, TextShape, Vertex,
};
use egui::{Color32, Pos2, Rect, Shape, Stroke, StrokeKind, TextureId, Vec2, pos2};

use crate::format;

/// Families of the program's fonts, with what stands in for them elsewhere.
const PROPORTIONAL: &str = "Inter, Segoe UI, Helvetica, Arial, sans-serif";
const MONOSPACE: &str = "JetBrains Mono, Consolas, Menlo, monospace";

/// A picture of the same frame, to cut textured parts out of.
#[derive(Clone, Copy)]
pub struct Pixels<'a> {
    /// All of the window.
    pub image: &'a image::RgbaImage,
    /// Pixels per point.
    pub scale: f32,
}

/// The part `area` of what was painted, on `ground`.
#[must_use]
pub fn svg(shapes: &[ClippedShape], area: Rect, ground: Color32, pixels: Option<Pixels<'_>>) -> String {
    let mut writer = Writer { out: String::new(), area, pixels, clips: 0, clip: None };
    let size = area.size();
    let _ = write!(
        writer.out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">\n\
         <rect width=\"{w}\" height=\"{h}\"{fill}/>\n",
        w = n(size.x),
        h = n(size.y),
        fill = paint("fill", ground),
    );
    for ClippedShape { clip_rect, shape, .. } in shapes {
        writer.clipped(*clip_rect, shape);
    }
    writer.end_clip();
    writer.out.push_str("</svg>\n");
    writer.out
}

/// A number with at most two decimals.
fn n(value: f32) -> String {
    if !value.is_finite() {
        return "0".into();
    }
    let text = format!("{:.2}", value.clamp(-1e7, 1e7));
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.to_owned() }
}

/// ` fill="#rrggbb"`, with an opacity where it is not 1.
fn paint(attribute: &str, color: Color32) -> String {
    if color == Color32::TRANSPARENT {
        return format!(" {attribute}=\"none\"");
    }
    let [r, g, b, a] = color.to_srgba_unmultiplied();
    let opacity = if a == 255 {
        String::new()
    } else {
        format!(" {attribute}-opacity=\"{}\"", n(f32::from(a) / 255.0))
    };
    format!(" {attribute}=\"#{r:02x}{g:02x}{b:02x}\"{opacity}")
}

fn stroke(stroke: Stroke) -> String {
    if stroke.width <= 0.0 || stroke.color == Color32::TRANSPARENT {
        return String::new();
    }
    format!("{} stroke-width=\"{}\"", paint("stroke", stroke.color), n(stroke.width))
}

struct Writer<'a> {
    out: String,
    area: Rect,
    pixels: Option<Pixels<'a>>,
    clips: usize,
    clip: Option<Rect>,
}

impl Writer<'_> {
    fn x(&self, x: f32) -> String {
        n(x - self.area.left())
    }

    fn y(&self, y: f32) -> String {
        n(y - self.area.top())
    }

    fn points(&self, points: &[Pos2]) -> String {
        points.iter().map(|p| format!("{},{}", self.x(p.x), self.y(p.y))).collect::<Vec<_>>().join(" ")
    }

    /// Lines of the file cannot fail to be written to a text.
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.out.write_fmt(text);
        self.out.push('\n');
    }

    fn end_clip(&mut self) {
        if self.clip.take().is_some() {
            self.out.push_str("</g>\n");
        }
    }

    fn clipped(&mut self, clip: Rect, shape: &Shape) {
        let clip = clip.intersect(self.area);
        if !clip.is_positive() || !seen(shape, clip) {
            return;
        }
        if self.clip != Some(clip) {
            self.end_clip();
            self.clips += 1;
            let id = self.clips;
            let (x, y) = (self.x(clip.left()), self.y(clip.top()));
            let (w, h) = (n(clip.width()), n(clip.height()));
            self.line(format_args!(
                "<clipPath id=\"c{id}\"><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/></clipPath>\n\
                 <g clip-path=\"url(#c{id})\">"
            ));
            self.clip = Some(clip);
        }
        self.shape(shape, clip);
    }

    fn shape(&mut self, shape: &Shape, clip: Rect) {
        // Shapes in shapes: egui nests them one deep, but nothing keeps a caller from more.
        let mut open = vec![shape];
        while let Some(shape) = open.pop() {
            match shape {
                Shape::Noop | Shape::Callback(_) => {}
                Shape::Vec(shapes) => open.extend(shapes.iter().rev()),
                Shape::Circle(circle) => self.circle(circle),
                Shape::Ellipse(ellipse) => self.ellipse(ellipse),
                Shape::LineSegment { points: [a, b], stroke: s } => {
                    let (x1, y1, x2, y2) = (self.x(a.x), self.y(a.y), self.x(b.x), self.y(b.y));
                    let stroke = stroke(*s);
                    self.line(format_args!(
                        "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"{stroke}/>"
                    ));
                }
                Shape::Path(path) => self.path(path),
                Shape::Rect(rect) => self.rect(rect),
                Shape::Text(text) => self.text(text),
                Shape::Mesh(mesh) => self.mesh(mesh, clip),
                Shape::QuadraticBezier(curve) => self.quadratic(curve),
                Shape::CubicBezier(curve) => self.cubic(curve),
                Shape::Band(band) => {
                    // The outline: along the upper edge and back along the lower one.
                    let upper = band.points.iter().map(|p| pos2(p.x, p.y.min));
                    let lower = band.points.iter().rev().map(|p| pos2(p.x, p.y.max));
                    let points = self.points(&upper.chain(lower).collect::<Vec<_>>());
                    let fill = paint("fill", band.fill);
                    self.line(format_args!("<polygon points=\"{points}\"{fill}/>"));
                }
            }
        }
    }

    fn circle(&mut self, c: &CircleShape) {
        let (x, y, r) = (self.x(c.center.x), self.y(c.center.y), n(c.radius));
        let (fill, stroke) = (paint("fill", c.fill), stroke(c.stroke));
        self.line(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"{fill}{stroke}/>"));
    }

    fn ellipse(&mut self, e: &EllipseShape) {
        let (x, y, rx, ry) = (self.x(e.center.x), self.y(e.center.y), n(e.radius.x), n(e.radius.y));
        let (fill, stroke) = (paint("fill", e.fill), stroke(e.stroke));
        self.line(format_args!("<ellipse cx=\"{x}\" cy=\"{y}\" rx=\"{rx}\" ry=\"{ry}\"{fill}{stroke}/>"));
    }

    fn rect(&mut self, r: &RectShape) {
        if r.blur_width > 0.0 {
            return; // a shadow
        }
        // SVG strokes lie on the edge.
        let half = r.stroke.width / 2.0;
        let rect = match r.stroke_kind {
            _ if r.stroke.width <= 0.0 => r.rect,
            StrokeKind::Inside => r.rect.shrink(half),
            StrokeKind::Middle => r.rect,
            StrokeKind::Outside => r.rect.expand(half),
        };
        let (fill, stroke) = (paint("fill", r.fill), stroke(r.stroke));
        if r.fill == Color32::TRANSPARENT && stroke.is_empty() {
            return;
        }
        let radius = r.corner_radius.nw.max(r.corner_radius.se);
        let round = if radius == 0 { String::new() } else { format!(" rx=\"{radius}\"") };
        let (x, y, w, h) = (self.x(rect.left()), self.y(rect.top()), n(rect.width()), n(rect.height()));
        self.line(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"{round}{fill}{stroke}/>"
        ));
    }

    fn path(&mut self, p: &PathShape) {
        let points = self.points(&p.points);
        let color = match &p.stroke.color {
            ColorMode::Solid(color) => *color,
            ColorMode::UV(color) => {
                let bounds = Rect::from_points(&p.points);
                color(bounds, bounds.center())
            }
        };
        let stroke = stroke(Stroke::new(p.stroke.width, color));
        let (tag, fill) = if p.closed { ("polygon", p.fill) } else { ("polyline", p.fill) };
        let fill = paint("fill", fill);
        self.line(format_args!("<{tag} points=\"{points}\"{fill}{stroke} stroke-linejoin=\"round\"/>"));
    }

    fn quadratic(&mut self, c: &QuadraticBezierShape) {
        let [a, b, d] = c.points.map(|p| format!("{} {}", self.x(p.x), self.y(p.y)));
        self.curve(&format!("M{a} Q{b} {d}"), c.fill, c.stroke.width, &c.stroke.color);
    }

    fn cubic(&mut self, c: &CubicBezierShape) {
        let [a, b, d, e] = c.points.map(|p| format!("{} {}", self.x(p.x), self.y(p.y)));
        self.curve(&format!("M{a} C{b} {d} {e}"), c.fill, c.stroke.width, &c.stroke.color);
    }

    fn curve(&mut self, path: &str, fill: Color32, width: f32, color: &ColorMode) {
        let color = match color {
            ColorMode::Solid(color) => *color,
            ColorMode::UV(color) => color(Rect::ZERO, Pos2::ZERO),
        };
        let (fill, stroke) = (paint("fill", fill), stroke(Stroke::new(width, color)));
        self.line(format_args!("<path d=\"{path}\"{fill}{stroke}/>"));
    }

    fn text(&mut self, text: &TextShape) {
        let galley = &text.galley;
        let mut at = 0;
        let turn = if text.angle == 0.0 {
            String::new()
        } else {
            let (x, y) = (self.x(text.pos.x), self.y(text.pos.y));
            format!(" transform=\"rotate({} {x} {y})\"", n(text.angle.to_degrees()))
        };
        for row in &galley.rows {
            let mut run = Run::default();
            for glyph in &row.row.glyphs {
                // The text holds what was asked for; a glyph of its own (…) belongs to what came before.
                let rest = &galley.job.text[at.min(galley.job.text.len())..];
                if let Some(skip) = rest.find(glyph.chr).filter(|s| *s <= 2) {
                    at += skip + glyph.chr.len_utf8();
                }
                let before = at.saturating_sub(glyph.chr.len_utf8());
                let section = galley.job.sections.iter().position(|s| s.byte_range.end.0 > before);
                let section = section.unwrap_or(galley.job.sections.len().saturating_sub(1));
                if run.section != Some(section) {
                    self.run(text, row.pos.to_vec2(), &run, &turn);
                    run = Run { section: Some(section), start: glyph.pos, ..Run::default() };
                }
                run.text.push(glyph.chr);
                run.end = glyph.pos.x + glyph.advance_width;
            }
            self.run(text, row.pos.to_vec2(), &run, &turn);
        }
    }

    fn run(&mut self, shape: &TextShape, row: Vec2, run: &Run, turn: &str) {
        let trimmed = run.text.trim_end();
        let Some(format) = run.section.and_then(|s| shape.galley.job.sections.get(s)).map(|s| &s.format)
        else {
            return;
        };
        if trimmed.is_empty() {
            return;
        }
        let own = if format.color == Color32::PLACEHOLDER { shape.fallback_color } else { format.color };
        let color = shape.override_text_color.unwrap_or(own).gamma_multiply(shape.opacity_factor);
        let (family, weight) = match &format.font_id.family {
            egui::FontFamily::Monospace => (MONOSPACE, ""),
            egui::FontFamily::Proportional => (PROPORTIONAL, ""),
            egui::FontFamily::Name(_) => (PROPORTIONAL, " font-weight=\"600\""),
        };
        let at = shape.pos + row + run.start.to_vec2();
        let (x, y, size) = (self.x(at.x), self.y(at.y), n(format.font_id.size));
        // Spaces at the end have a width, but no viewer draws them.
        let whole = trimmed.len() == run.text.len();
        let length = if whole && trimmed.chars().count() > 1 {
            format!(" textLength=\"{}\" lengthAdjust=\"spacingAndGlyphs\"", n(run.end - run.start.x))
        } else {
            String::new()
        };
        let (fill, text) = (paint("fill", color), format::markup(trimmed));
        self.line(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-family=\"{family}\" font-size=\"{size}\"{weight}{length}{fill}{turn} \
             xml:space=\"preserve\">{text}</text>"
        ));
    }

    fn mesh(&mut self, mesh: &Mesh, clip: Rect) {
        if mesh.texture_id != TextureId::default() {
            self.cut_out(mesh.calc_bounds().intersect(clip));
            return;
        }
        let vertex = |i: &u32| mesh.vertices.get(*i as usize).copied();
        let mut rest = &mesh.indices[..];
        while let [a, b, c, tail @ ..] = rest {
            // A rectangle is written as 0 1 2, 2 1 3.
            if let [d, e, f, after @ ..] = tail
                && (c, b) == (d, e)
                && let (Some(lt), Some(rt), Some(lb), Some(rb)) = (vertex(a), vertex(b), vertex(c), vertex(f))
                && self.quad([lt, rt, lb, rb], clip)
            {
                rest = after;
                continue;
            }
            if let (Some(a), Some(b), Some(c)) = (vertex(a), vertex(b), vertex(c)) {
                let corners = [a, b, c];
                if Rect::from_points(&corners.map(|v| v.pos)).intersects(clip) {
                    let points = self.points(&corners.map(|v| v.pos));
                    let fill = paint("fill", mean(corners.map(|v| v.color)));
                    self.line(format_args!("<polygon points=\"{points}\"{fill}/>"));
                }
            }
            rest = tail;
        }
    }

    /// A rectangle of one colour; false for anything else.
    fn quad(&mut self, [lt, rt, lb, rb]: [Vertex; 4], clip: Rect) -> bool {
        let one = lt.color == rt.color && lt.color == lb.color && lt.color == rb.color;
        let boxed = lt.pos.y == rt.pos.y && lt.pos.x == lb.pos.x && rb.pos == pos2(rt.pos.x, lb.pos.y);
        if !(one && boxed) {
            return false;
        }
        let rect = Rect::from_two_pos(lt.pos, rb.pos);
        if rect.intersects(clip) && lt.color != Color32::TRANSPARENT {
            let (x, y, w, h) = (self.x(rect.left()), self.y(rect.top()), n(rect.width()), n(rect.height()));
            let fill = paint("fill", lt.color);
            self.line(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"{fill}/>"));
        }
        true
    }

    /// The same part of the picture of the frame.
    fn cut_out(&mut self, rect: Rect) {
        let Some(pixels) = self.pixels.filter(|_| rect.is_positive()) else { return };
        let cut = crop(pixels, rect);
        let mut png = std::io::Cursor::new(Vec::new());
        if cut.width() == 0 || cut.height() == 0 || cut.write_to(&mut png, image::ImageFormat::Png).is_err() {
            return;
        }
        let data = base64(png.get_ref());
        let (x, y, w, h) = (self.x(rect.left()), self.y(rect.top()), n(rect.width()), n(rect.height()));
        self.line(format_args!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
             image-rendering=\"pixelated\" href=\"data:image/png;base64,{data}\"/>"
        ));
    }
}

/// A part of a row in one format.
#[derive(Default)]
struct Run {
    text: String,
    section: Option<usize>,
    start: Pos2,
    end: f32,
}

/// False for what lies outside of its clip.
fn seen(shape: &Shape, clip: Rect) -> bool {
    match shape {
        Shape::Noop => false,
        Shape::Vec(_) | Shape::Callback(_) => true,
        shape => {
            let bounds = shape.visual_bounding_rect();
            !bounds.is_positive() || bounds.intersects(clip)
        }
    }
}

fn mean(colors: [Color32; 3]) -> Color32 {
    let channel = |i: usize| (colors.iter().map(|c| u32::from(c.to_array()[i])).sum::<u32>() / 3) as u8;
    Color32::from_rgba_premultiplied(channel(0), channel(1), channel(2), channel(3))
}

/// The part `rect` (points) of a picture.
#[must_use]
pub fn crop(pixels: Pixels<'_>, rect: Rect) -> image::RgbaImage {
    let (w, h) = pixels.image.dimensions();
    let within = |v: f32, max: u32| (v * pixels.scale).round().clamp(0.0, max as f32) as u32;
    let (x0, y0) = (within(rect.left(), w), within(rect.top(), h));
    let (x1, y1) = (within(rect.right(), w), within(rect.bottom(), h));
    image::imageops::crop_imm(pixels.image, x0, y0, x1.saturating_sub(x0), y1.saturating_sub(y0)).to_image()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::software::Headless;
    use egui::{RichText, vec2};

    fn picture(mut ui: impl FnMut(&mut egui::Ui)) -> String {
        let mut headless = Headless::new(vec2(300.0, 120.0), 1.0, egui::Theme::Dark).unwrap();
        for _ in 0..3 {
            headless.pass(Vec::new(), &mut ui);
        }
        headless.svg().unwrap()
    }

    /// Fails unless every tag is closed in order.
    fn check(svg: &str) {
        let mut open: Vec<&str> = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("a tag ends");
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn texts_stay_texts_and_are_escaped() {
        let svg = picture(|ui| {
            ui.label("a < b & \"c\"");
            ui.label(RichText::new("vec<T>").monospace().color(Color32::from_rgb(1, 2, 3)));
            ui.painter().rect_filled(
                Rect::from_min_size(pos2(5.0, 80.0), vec2(40.0, 9.5)),
                3.0,
                Color32::RED,
            );
            ui.painter().line_segment(
                [pos2(0.0, 1.0), pos2(9.0, 1.0)],
                Stroke::new(2.0, Color32::from_rgba_unmultiplied(0, 0, 255, 128)),
            );
        });
        check(&svg);
        assert!(svg.contains(">a &lt; b &amp; &quot;c&quot;</text>"), "{svg}");
        assert!(svg.contains("fill=\"#010203\"") && svg.contains(">vec&lt;T&gt;</text>"));
        assert!(
            svg.contains("<rect x=\"5\" y=\"80\" width=\"40\" height=\"9.5\" rx=\"3\" fill=\"#ff0000\"/>")
        );
        assert!(svg.contains("<line x1=\"0\" y1=\"1\" x2=\"9\" y2=\"1\" stroke=\"#0000ff\" stroke-opacity=\"0.5\" stroke-width=\"2\"/>"));
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"300\" height=\"120\""));
    }

    #[test]
    fn meshes_become_boxes_and_textures_pictures() {
        let mut texture = None;
        let svg = picture(|ui| {
            let mut mesh = Mesh::default();
            mesh.add_colored_rect(Rect::from_min_size(pos2(10.0, 10.0), vec2(20.0, 5.0)), Color32::GREEN);
            ui.painter().add(Shape::mesh(mesh));
            let texture: &egui::TextureHandle = texture.get_or_insert_with(|| {
                let image = egui::ColorImage::filled([4, 2], Color32::from_rgb(9, 8, 7));
                ui.ctx().load_texture("t", image, egui::TextureOptions::NEAREST)
            });
            let mut mesh = Mesh::with_texture(texture.id());
            let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            mesh.add_rect_with_uv(Rect::from_min_size(pos2(50.0, 50.0), vec2(8.0, 4.0)), uv, Color32::WHITE);
            ui.painter().add(Shape::mesh(mesh));
        });
        check(&svg);
        assert!(svg.contains("<rect x=\"10\" y=\"10\" width=\"20\" height=\"5\" fill=\"#00ff00\"/>"));
        assert!(svg.contains("<image x=\"50\" y=\"50\" width=\"8\" height=\"4\""));
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
