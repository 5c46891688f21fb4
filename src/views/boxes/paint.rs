//! Painting a layout: one mesh for wide boxes, one picture for narrow ones, then labels and marks.

use std::borrow::Cow;
use std::sync::Arc;

use egui::epaint::Mesh;
use egui::{
    Color32, ColorImage, Painter, Rangef, Rect, Shape, Stroke, StrokeKind, TextureHandle, TextureOptions,
    pos2, vec2,
};

use super::colors::Colors;
use super::layout::{Layout, Port, Quad, Texels};
use crate::analysis::flame_rows::{BoxAt, FlameRows, Group, GroupOf};
use crate::format;
use crate::model::{FunctionId, Profile, TrackKind};
use crate::ui::hatch;
use crate::ui::icons::Icon;
use crate::ui::text::{LabelStyle, TextKey, Texts};
use crate::ui::theme::{Palette, Tone, mix, small, space};

/// Width of the fade at the end of a span that never ended, in points.
const FADE: f32 = 28.0;
/// Width of the edge that marks an error.
const EDGE: f32 = 3.0;

/// What stays the same from frame to frame while the chart does not move.
#[derive(Default)]
pub struct Painted {
    boxes: Option<Arc<Mesh>>,
    narrow: Option<Arc<Mesh>>,
    texture: Option<TextureHandle>,
}

impl Painted {
    /// Makes the meshes of a new layout for a chart whose upper left corner is at `corner`.
    pub fn update(
        &mut self,
        painter: &Painter,
        chart: Rect,
        layout: &Layout,
        colors: &Colors,
        profile: &Profile,
        palette: &Palette,
    ) {
        self.boxes =
            Some(Arc::new(box_mesh(layout, (colors, profile, palette), chart, painter.pixels_per_point())));
        self.narrow = self.texel_mesh(painter, chart, &layout.texels, colors, profile).map(Arc::new);
    }

    /// Paints them.
    pub fn paint(&self, painter: &Painter) {
        painter.extend([&self.narrow, &self.boxes].into_iter().flatten().map(|m| Shape::Mesh(m.clone())));
    }

    fn texel_mesh(
        &mut self,
        painter: &Painter,
        chart: Rect,
        texels: &Texels,
        colors: &Colors,
        profile: &Profile,
    ) -> Option<Mesh> {
        let rows = texels.rows.len();
        if rows == 0 {
            return None;
        }
        // A picture may not be wider than the GPU allows: columns go on in further bands of rows.
        let most = painter.ctx().input(|i| i.max_texture_side).max(64);
        let width = texels.columns.min(most);
        let bands = texels.columns.div_ceil(width);
        let height = (rows * bands).min(most);
        let mut image = ColorImage::filled([width, height], Color32::TRANSPARENT);
        let ppp = painter.pixels_per_point();
        let mut places = Vec::with_capacity(rows * bands);
        'rows: for (row, y) in texels.rows.iter().enumerate() {
            let cells = &texels.cells[row * texels.columns..(row + 1) * texels.columns];
            for (band, cells) in cells.chunks(width).enumerate() {
                let line = row * bands + band;
                if line >= height {
                    break 'rows;
                }
                for (pixel, cell) in image.pixels[line * width..].iter_mut().zip(cells) {
                    if let Some(who) = cell {
                        *pixel = colors.of_texel(*who, profile).fill;
                    }
                }
                let x = chart.left() + (band * width) as f32 / ppp;
                let size = vec2(cells.len() as f32 / ppp, texels.height - 1.0);
                let rect = Rect::from_min_size(pos2(x, chart.top() + y), size);
                places.push((rect, line, cells.len() as f32 / width as f32));
            }
        }
        let texture = match &mut self.texture {
            Some(texture) => {
                texture.set(image, TextureOptions::NEAREST);
                texture
            }
            none => none.insert(painter.ctx().load_texture("flame chart", image, TextureOptions::NEAREST)),
        };
        let mut mesh = Mesh::with_texture(texture.id());
        for (rect, line, right) in places {
            let v = (line as f32 + 0.5) / height as f32;
            mesh.add_rect_with_uv(rect, Rect::from_min_max(pos2(0.0, v), pos2(right, v)), Color32::WHITE);
        }
        Some(mesh)
    }
}

/// Where a quad is painted: without the gaps to its neighbours.
#[must_use]
pub fn quad_rect(quad: &Quad, chart: Rect, ppp: f32) -> Rect {
    let x = Rangef::new(chart.left() + quad.x0, chart.left() + quad.x1 - 1.0 / ppp);
    Rect::from_x_y_ranges(x, Rangef::new(chart.top() + quad.y, chart.top() + quad.y + quad.height - 1.0))
}

/// All quads as one mesh, with the marks of errors and open ends.
#[must_use]
pub fn box_mesh(
    layout: &Layout,
    (colors, profile, palette): (&Colors, &Profile, &Palette),
    chart: Rect,
    ppp: f32,
) -> Mesh {
    let mut mesh = Mesh::default();
    mesh.reserve_vertices(layout.quads.len() * 4);
    mesh.reserve_triangles(layout.quads.len() * 2);
    let bad = palette.tone(Tone::Bad);
    for quad in &layout.quads {
        let rect = quad_rect(quad, chart, ppp);
        let fill = colors.of(quad.who, profile).fill;
        if quad.who.is_unfinished() {
            let fade = FADE.min(rect.width() * 0.6);
            let (solid, rest) = rect.split_left_right_at_x(rect.right() - fade);
            mesh.add_colored_rect(solid, fill);
            add_fade(&mut mesh, rest, fill, mix(fill, palette.canvas, 0.9));
        } else {
            mesh.add_colored_rect(rect, fill);
        }
        if quad.who.as_gap().is_some() {
            hatch::add(&mut mesh, rect, palette.stripes());
        }
        if quad.who.is_error() {
            let edge = rect.with_max_x((rect.left() + EDGE).min(rect.right()));
            mesh.add_colored_rect(edge, bad);
            let line = rect.with_min_y(rect.bottom() - 2.0);
            mesh.add_colored_rect(line, bad);
        }
    }
    mesh
}

/// A rectangle whose colour changes from left to right.
fn add_fade(mesh: &mut Mesh, rect: Rect, left: Color32, right: Color32) {
    let first = mesh.vertices.len() as u32;
    for (corner, color) in [
        (rect.left_top(), left),
        (rect.right_top(), right),
        (rect.left_bottom(), left),
        (rect.right_bottom(), right),
    ] {
        mesh.colored_vertex(corner, color);
    }
    mesh.add_triangle(first, first + 1, first + 2);
    mesh.add_triangle(first + 2, first + 1, first + 3);
}

/// Labels of all boxes that have room for one; wide ones also say how much they are.
pub fn paint_labels(
    painter: &Painter,
    texts: &mut Texts<'_>,
    chart: Rect,
    layout: &Layout,
    (rows, colors): (&FlameRows, &Colors),
    amount: impl Fn(i64) -> String,
) {
    const AMOUNT_ROOM: f32 = 150.0;
    let profile = rows.profile();
    let mut shapes = Vec::new();
    for (quad, x0, x1) in layout.labelled(chart.width()) {
        let color = colors.of(quad.who, profile).text;
        let y = Rangef::new(chart.top() + quad.y, chart.top() + quad.y + quad.height - 1.0);
        let mut area = Rect::from_x_y_ranges(Rangef::new(chart.left() + x0, chart.left() + x1 - 1.0), y);
        if quad.who.is_error() {
            area.min.x += EDGE;
            if area.width() > 40.0 {
                let mark = Rect::from_center_size(
                    pos2(area.left() + 9.0, area.center().y - 1.0),
                    egui::Vec2::splat(11.0),
                );
                Icon::Error.paint(painter, mark, color);
                area.min.x += 14.0;
            }
        }
        let style = LabelStyle::new(11.5);
        let label = rows.label(quad.at, quad.who);
        let key = TextKey::of(&label);
        let name = || Cow::Borrowed(&*label);
        if area.width() > AMOUNT_ROOM
            && let Some(b) = rows.get(quad.at)
        {
            let text = match rows.off(quad.at) {
                Some(_) => format!("≈ {}", amount(b.length())),
                None => amount(b.length()),
            };
            let whole_name = texts.get(key, style, f32::MAX, name);
            if let Some(galley) = texts.get(TextKey::of(&text), style, area.width(), || Cow::Borrowed(&text))
                && whole_name.is_some_and(|n| n.size().x + galley.size().x + 24.0 < area.width())
            {
                let fill = colors.of(quad.who, profile).fill;
                let at = pos2(area.right() - galley.size().x - 6.0, area.center().y - galley.size().y / 2.0);
                shapes.push(Shape::galley(at, galley, mix(color, fill, 0.3)));
            }
        }
        shapes.extend(texts.found_label(area, key, (style, colors.pattern(quad.who)), color, name));
    }
    painter.extend(shapes);
}

/// The header of a group: a fold mark, what it is, how much is in it.
pub fn paint_header(
    painter: &Painter,
    (rect, palette): (Rect, &Palette),
    rows: &FlameRows,
    group: u32,
    (open, hovered): (bool, bool),
) {
    let group = &rows.groups[group as usize];
    painter.rect_filled(rect, 0.0, if hovered { palette.hover } else { palette.panel });
    painter.hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, palette.line_faint));
    let icon = Rect::from_center_size(pos2(rect.left() + 12.0, rect.center().y), vec2(12.0, 12.0));
    let chevron = if open { Icon::ChevronDown } else { Icon::ChevronRight };
    chevron.paint(painter, icon, palette.text_weak);
    let text =
        painter.layout_no_wrap(group_label(rows, group.of), crate::ui::theme::strong(11.5), palette.text);
    let at = pos2(rect.left() + 24.0, rect.center().y - text.size().y / 2.0);
    let right = at.x + text.size().x;
    let painter = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
    painter.galley(at, text, palette.text);
    let note = painter.layout_no_wrap(group_note(rows, group), small(), palette.text_weak);
    let at = pos2(right + space::MEDIUM, rect.center().y - note.size().y / 2.0);
    painter.galley(at, note, palette.text_weak);
}

/// What a group shows, in words.
#[must_use]
pub fn group_label(rows: &FlameRows, of: GroupOf) -> String {
    match of {
        GroupOf::Track(id) => rows.profile().track_label(id),
        GroupOf::Tree => "All".into(),
        GroupOf::Callers => format!("Callers of {}", middle(rows)),
        GroupOf::Callees => format!("Callees of {}", middle(rows)),
    }
}

/// Name of the function in the middle of a sandwich.
fn middle(rows: &FlameRows) -> &str {
    let row = rows.groups.iter().find(|g| g.of == GroupOf::Callees).map_or(0, |g| g.rows.start);
    let middle = rows.get(BoxAt { row, index: 0 });
    middle.map_or("", |b| b.who.label(rows.profile()))
}

fn group_note(rows: &FlameRows, group: &Group) -> String {
    match group.of {
        GroupOf::Track(id) => {
            let track = rows.profile().track(id);
            let kind = match track.kind {
                TrackKind::Thread => "thread",
                TrackKind::Task => "async task",
                TrackKind::GpuStream => "GPU stream",
                TrackKind::Async => "overlapping operations",
                TrackKind::Phase => "phases",
                TrackKind::Profile => "profile",
                TrackKind::Summary => "summary of other tracks",
                TrackKind::Untimed => "times not known",
            };
            let mut parts = vec![kind.to_owned()];
            if !track.spans.rows.is_empty() {
                parts.push(format::counted(track.spans.rows.len() as i64, "span", "spans"));
            }
            parts.extend(crate::views::shared::sampled(rows.profile(), id));
            parts.join(" · ")
        }
        GroupOf::Callers => "who called whom, outermost at the top".into(),
        GroupOf::Callees => "what it called, from top to bottom".into(),
        GroupOf::Tree => String::new(),
    }
}

/// What lights up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lit {
    /// One box.
    Box(BoxAt),
    /// All boxes of a function.
    Function(Option<FunctionId>),
}

/// Lights up what is pointed at, outlines the boxes of the selected function, and more strongly the box
/// that is selected itself.
pub fn paint_marks(
    painter: &Painter,
    (chart, palette): (Rect, &Palette),
    layout: &Layout,
    lit: Lit,
    (selected, function): (Option<BoxAt>, Option<FunctionId>),
) {
    let ppp = painter.pixels_per_point();
    let mut mesh = Mesh::default();
    let glow = palette.text_strong.gamma_multiply(0.18);
    let mut exact = None;
    for quad in &layout.quads {
        let rect = quad_rect(quad, chart, ppp);
        if lit == Lit::Box(quad.at) || matches!(lit, Lit::Function(Some(f)) if quad.who.is_of(f)) {
            mesh.add_colored_rect(rect, glow);
        }
        if selected == Some(quad.at) {
            exact = Some(rect);
        } else if function.is_some_and(|f| quad.who.is_of(f)) {
            let line = 1.0;
            for edge in [
                rect.with_max_y(rect.top() + line),
                rect.with_min_y(rect.bottom() - line),
                rect.with_max_x(rect.left() + line),
                rect.with_min_x(rect.right() - line),
            ] {
                mesh.add_colored_rect(edge, palette.text_strong);
            }
        }
    }
    if !mesh.is_empty() {
        painter.add(Shape::mesh(mesh));
    }
    if let Some(rect) = exact {
        painter.rect_stroke(rect, 1.0, Stroke::new(2.0, palette.text_strong), StrokeKind::Outside);
        painter.rect_stroke(rect, 0.0, Stroke::new(1.0, palette.canvas), StrokeKind::Inside);
    }
}

/// A ruler of shares, for charts whose axis is a cost.
pub fn paint_share_ruler(
    painter: &Painter,
    ruler: Rect,
    port: &Port,
    sum: f64,
    palette: &Palette,
) -> Vec<f32> {
    painter.rect_filled(ruler, 0.0, palette.panel);
    let bottom = ruler.bottom() - 0.5 / painter.pixels_per_point();
    painter.hline(ruler.x_range(), bottom, Stroke::new(1.0, palette.line));
    let most = (f64::from(ruler.width()) / 80.0).max(1.0);
    let percent = |t: f64| t / sum * 100.0;
    let step = format::value_step((percent(port.t1) - percent(port.t0)) / most);
    if !(step.is_finite() && step > 0.0 && sum > 0.0) {
        return Vec::new();
    }
    let places = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    let painter = painter.with_clip_rect(ruler.intersect(painter.clip_rect()));
    let first = (percent(port.t0) / step).ceil() as i64;
    let mut ticks = Vec::new();
    for i in (first..).take(most as usize + 2) {
        let value = i as f64 * step;
        let x = ruler.left() + port.x_of(value / 100.0 * sum) as f32;
        if x > ruler.right() {
            break;
        }
        let tick = Rangef::new(ruler.bottom() - 9.0, ruler.bottom());
        painter.vline(painter.round_to_pixel_center(x), tick, Stroke::new(1.0, palette.line_strong));
        let at = pos2(x + space::SMALL, ruler.center().y - 1.0);
        painter.text(
            at,
            egui::Align2::LEFT_CENTER,
            format!("{value:.places$} %"),
            small(),
            palette.text_weak,
        );
        ticks.push(x);
    }
    ticks
}
