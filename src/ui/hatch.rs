//! Stripes across a rectangle: for what is there without being something.

use egui::epaint::Mesh;
use egui::{Color32, Pos2, Rect, pos2};

/// Distance of stripes, in points.
const STEP: f32 = 8.0;
/// Width of a stripe along an axis.
const WIDTH: f32 = 3.0;
/// Most stripes of a rectangle.
const MOST: usize = 2_000;

/// Adds stripes that rise to the right. They join those of neighbouring rectangles.
pub fn add(mesh: &mut Mesh, rect: Rect, color: Color32) {
    if !rect.is_positive() || !rect.is_finite() {
        return;
    }
    // A stripe is where the sum of x and y lies in a band.
    let first = ((rect.left() + rect.top() - WIDTH) / STEP).floor();
    let last = rect.right() + rect.bottom();
    let mut points = Vec::with_capacity(8);
    for i in 0..MOST {
        let from = (first + i as f32) * STEP;
        if from > last {
            break;
        }
        points.clear();
        points.extend([rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom()]);
        cut(&mut points, |p| p.x + p.y - from);
        cut(&mut points, |p| from + WIDTH - p.x - p.y);
        let base = mesh.vertices.len() as u32;
        for &point in &points {
            mesh.colored_vertex(point, color);
        }
        for corner in 2..points.len() as u32 {
            mesh.add_triangle(base, base + corner - 1, base + corner);
        }
    }
}

/// Keeps the part of a convex polygon where `inside` is positive (Sutherland, Hodgman).
fn cut(points: &mut Vec<Pos2>, inside: impl Fn(Pos2) -> f32) {
    let mut kept = Vec::with_capacity(points.len() + 2);
    for (i, &point) in points.iter().enumerate() {
        let next = points[(i + 1) % points.len()];
        let (here, there) = (inside(point), inside(next));
        if here >= 0.0 {
            kept.push(point);
        }
        if (here > 0.0) != (there > 0.0) && here != there {
            let t = here / (here - there);
            if (0.0..=1.0).contains(&t) {
                kept.push(pos2(point.x + (next.x - point.x) * t, point.y + (next.y - point.y) * t));
            }
        }
    }
    *points = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_stay_inside_and_cover_their_share() {
        let rect = Rect::from_min_max(pos2(3.0, 5.0), pos2(403.0, 205.0));
        let mut mesh = Mesh::default();
        add(&mut mesh, rect, Color32::WHITE);
        assert!(mesh.vertices.iter().all(|v| rect.expand(0.01).contains(v.pos)));
        let area = |i: &[u32]| {
            let p: Vec<Pos2> = i.iter().map(|&i| mesh.vertices[i as usize].pos).collect();
            ((p[1] - p[0]).x * (p[2] - p[0]).y - (p[1] - p[0]).y * (p[2] - p[0]).x).abs() / 2.0
        };
        let covered: f32 = mesh.indices.chunks(3).map(area).sum();
        assert!((covered / rect.area() - WIDTH / STEP).abs() < 0.02, "{}", covered / rect.area());
        let before = mesh.vertices.len();
        add(&mut mesh, Rect::NOTHING, Color32::WHITE);
        assert_eq!(mesh.vertices.len(), before);
    }
}
