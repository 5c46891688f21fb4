//! Icons drawn with lines: crisp at every scale, and no font has to have them.

use super::theme::{Palette, Tone};
use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Vec2};

/// A picture that stands for an action or a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Icon {
    /// Magnifying glass.
    Search,
    /// Cross.
    Close,
    /// Tick.
    Check,
    /// An i in a circle.
    Info,
    /// An exclamation mark in a triangle.
    Warning,
    /// A cross in a circle.
    Error,
    /// A tick in a circle.
    Good,
    /// Two sheets.
    Copy,
    /// Folder.
    Open,
    /// Arrow down into a tray.
    Export,
    /// Filled circle.
    Record,
    /// Filled square.
    Stop,
    /// Filled triangle to the right.
    Play,
    /// Two bars of different height.
    Compare,
    /// Arrows to the right and to the left.
    Swap,
    /// Two sliders.
    Settings,
    /// Clock.
    Clock,
    /// Boxes of a flame chart.
    Flame,
    /// Nodes and edges.
    Graph,
    /// Arrow that turns back to the left.
    Undo,
    /// Arrow that turns on to the right.
    Redo,
    /// Corners that move apart.
    Maximise,
    /// Corners that move together.
    Restore,
    /// Three dots.
    More,
    /// Rings that hold each other.
    Linked,
    /// Rings apart.
    Unlinked,
    /// Angle to the left.
    ChevronLeft,
    /// Angle to the right.
    ChevronRight,
    /// Angle downwards.
    ChevronDown,
    /// Filled triangle upwards.
    SortUp,
    /// Filled triangle downwards.
    SortDown,
}

/// All icons, for tests and the gallery.
pub const ALL: [Icon; 31] = [
    Icon::Search,
    Icon::Close,
    Icon::Check,
    Icon::Info,
    Icon::Warning,
    Icon::Error,
    Icon::Good,
    Icon::Copy,
    Icon::Open,
    Icon::Export,
    Icon::Record,
    Icon::Stop,
    Icon::Play,
    Icon::Compare,
    Icon::Swap,
    Icon::Settings,
    Icon::Clock,
    Icon::Flame,
    Icon::Graph,
    Icon::Undo,
    Icon::Redo,
    Icon::Maximise,
    Icon::Restore,
    Icon::More,
    Icon::Linked,
    Icon::Unlinked,
    Icon::ChevronLeft,
    Icon::ChevronRight,
    Icon::ChevronDown,
    Icon::SortUp,
    Icon::SortDown,
];

impl Icon {
    /// The icon that goes with a tone.
    #[must_use]
    pub fn of_tone(tone: Tone) -> Self {
        match tone {
            Tone::Neutral | Tone::Info => Self::Info,
            Tone::Good => Self::Good,
            Tone::Warning => Self::Warning,
            Tone::Bad => Self::Error,
        }
    }

    /// Paints the icon in the middle of `area`, as large as fits a square.
    pub fn paint(self, painter: &Painter, area: Rect, color: Color32) {
        painter.extend(self.shapes(area, color));
    }

    /// Takes the place of a square of `size` points in a row of widgets.
    pub fn show(self, ui: &mut egui::Ui, size: f32, tone: Tone) -> egui::Response {
        let (area, response) = ui.allocate_exact_size(Vec2::splat(size), egui::Sense::hover());
        self.paint(ui.painter(), area, Palette::of(ui).tone(tone));
        response
    }

    /// The lines of the icon, to be painted with others.
    #[must_use]
    pub fn shapes(self, area: Rect, color: Color32) -> Vec<Shape> {
        let pen = Pen::new(area, color);
        match self {
            Self::Search => vec![pen.ring(6.8, 6.8, 4.4), pen.line(&[(10.1, 10.1), (14.2, 14.2)])],
            Self::Close => vec![pen.line(&[(3.8, 3.8), (12.2, 12.2)]), pen.line(&[(12.2, 3.8), (3.8, 12.2)])],
            Self::Check => vec![pen.line(&[(3.0, 8.6), (6.4, 12.0), (13.0, 4.4)])],
            Self::Info => {
                vec![pen.ring(8.0, 8.0, 6.3), pen.line(&[(8.0, 7.4), (8.0, 11.4)]), pen.dot(8.0, 4.9, 0.95)]
            }
            Self::Warning => vec![
                pen.outline(&[(8.0, 1.9), (15.0, 13.9), (1.0, 13.9)]),
                pen.line(&[(8.0, 6.2), (8.0, 9.7)]),
                pen.dot(8.0, 11.9, 0.95),
            ],
            Self::Error => vec![
                pen.ring(8.0, 8.0, 6.3),
                pen.line(&[(5.7, 5.7), (10.3, 10.3)]),
                pen.line(&[(10.3, 5.7), (5.7, 10.3)]),
            ],
            Self::Good => vec![pen.ring(8.0, 8.0, 6.3), pen.line(&[(5.0, 8.3), (7.2, 10.5), (11.1, 5.8)])],
            Self::Maximise => vec![
                pen.line(&[(9.6, 2.4), (13.6, 2.4), (13.6, 6.4)]),
                pen.line(&[(13.6, 2.4), (9.4, 6.6)]),
                pen.line(&[(6.4, 13.6), (2.4, 13.6), (2.4, 9.6)]),
                pen.line(&[(2.4, 13.6), (6.6, 9.4)]),
            ],
            Self::More => [3.0, 8.0, 13.0].map(|x| pen.dot(x, 8.0, 1.5)).into(),
            Self::Linked => vec![pen.ring(5.6, 8.0, 3.7), pen.ring(10.4, 8.0, 3.7)],
            Self::Unlinked => vec![pen.ring(4.0, 8.0, 2.9), pen.ring(12.0, 8.0, 2.9)],
            Self::Restore => vec![
                pen.line(&[(13.2, 6.6), (9.4, 6.6), (9.4, 2.8)]),
                pen.line(&[(9.4, 6.6), (13.8, 2.2)]),
                pen.line(&[(2.8, 9.4), (6.6, 9.4), (6.6, 13.2)]),
                pen.line(&[(6.6, 9.4), (2.2, 13.8)]),
            ],
            Self::Copy => vec![
                pen.frame(5.6, 5.6, 14.0, 14.0),
                pen.line(&[(10.4, 3.2), (10.4, 2.0), (2.0, 2.0), (2.0, 10.4), (3.2, 10.4)]),
            ],
            Self::Open => vec![pen.outline(&[
                (1.6, 3.2),
                (6.2, 3.2),
                (7.8, 5.2),
                (14.4, 5.2),
                (14.4, 13.2),
                (1.6, 13.2),
            ])],
            Self::Export => vec![
                pen.line(&[(8.0, 1.8), (8.0, 10.0)]),
                pen.line(&[(4.8, 7.0), (8.0, 10.2), (11.2, 7.0)]),
                pen.line(&[(2.0, 11.0), (2.0, 14.0), (14.0, 14.0), (14.0, 11.0)]),
            ],
            Self::Record => vec![pen.dot(8.0, 8.0, 5.2)],
            Self::Stop => vec![pen.block(3.4, 3.4, 12.6, 12.6)],
            Self::Play => vec![pen.solid(&[(4.2, 2.6), (13.2, 8.0), (4.2, 13.4)])],
            Self::Compare => vec![pen.block(2.6, 7.0, 6.6, 14.0), pen.block(9.4, 2.4, 13.4, 14.0)],
            Self::Swap => vec![
                pen.line(&[(2.0, 5.2), (13.6, 5.2)]),
                pen.line(&[(10.6, 2.2), (13.8, 5.2), (10.6, 8.2)]),
                pen.line(&[(14.0, 11.4), (2.4, 11.4)]),
                pen.line(&[(5.4, 8.4), (2.2, 11.4), (5.4, 14.4)]),
            ],
            Self::Settings => vec![
                pen.line(&[(1.6, 5.0), (7.8, 5.0)]),
                pen.ring(10.0, 5.0, 2.1),
                pen.line(&[(12.2, 5.0), (14.4, 5.0)]),
                pen.line(&[(1.6, 11.0), (3.8, 11.0)]),
                pen.ring(6.0, 11.0, 2.1),
                pen.line(&[(8.2, 11.0), (14.4, 11.0)]),
            ],
            Self::Clock => vec![pen.ring(8.0, 8.0, 6.3), pen.line(&[(8.0, 4.2), (8.0, 8.2), (10.8, 9.8)])],
            Self::Flame => vec![
                pen.block(1.4, 2.2, 14.6, 5.2),
                pen.block(1.4, 6.4, 10.4, 9.4),
                pen.block(3.4, 10.6, 7.6, 13.6),
            ],
            Self::Graph => vec![
                pen.line(&[(8.0, 4.4), (4.2, 11.0)]),
                pen.line(&[(8.0, 4.4), (11.8, 11.0)]),
                pen.dot(8.0, 3.8, 2.4),
                pen.dot(3.8, 11.9, 2.4),
                pen.dot(12.2, 11.9, 2.4),
            ],
            Self::Undo => pen.turn(|x| x),
            Self::Redo => pen.turn(|x| 16.0 - x),
            Self::ChevronLeft => vec![pen.line(&[(9.8, 3.8), (5.6, 8.0), (9.8, 12.2)])],
            Self::ChevronRight => vec![pen.line(&[(6.2, 3.8), (10.4, 8.0), (6.2, 12.2)])],
            Self::ChevronDown => vec![pen.line(&[(3.8, 6.2), (8.0, 10.4), (12.2, 6.2)])],
            Self::SortUp => vec![pen.solid(&[(8.0, 4.6), (12.4, 11.0), (3.6, 11.0)])],
            Self::SortDown => vec![pen.solid(&[(3.6, 5.0), (12.4, 5.0), (8.0, 11.4)])],
        }
    }
}

/// Draws on a grid of 16 by 16, scaled to the area.
struct Pen {
    origin: Pos2,
    scale: f32,
    stroke: Stroke,
}

impl Pen {
    fn new(area: Rect, color: Color32) -> Self {
        let side = area.width().min(area.height());
        let origin = area.center() - Vec2::splat(side / 2.0);
        Self { origin, scale: side / 16.0, stroke: Stroke::new((side / 11.5).max(1.1), color) }
    }

    fn at(&self, (x, y): (f32, f32)) -> Pos2 {
        self.origin + Vec2::new(x, y) * self.scale
    }

    fn points(&self, points: &[(f32, f32)]) -> Vec<Pos2> {
        points.iter().map(|p| self.at(*p)).collect()
    }

    fn line(&self, points: &[(f32, f32)]) -> Shape {
        Shape::line(self.points(points), self.stroke)
    }

    /// An arrow that turns back; `x` mirrors it or not.
    fn turn(&self, x: impl Fn(f32) -> f32) -> Vec<Shape> {
        let mirrored = |points: &[(f32, f32)]| points.iter().map(|p| (x(p.0), p.1)).collect::<Vec<_>>();
        let round = |step: u8| {
            let angle = (f32::from(step) * 15.0 - 90.0).to_radians();
            (9.4 + 3.8 * angle.cos(), 9.4 + 3.8 * angle.sin())
        };
        let mut way = vec![(2.6, 5.6)];
        way.extend((0..=12).map(round));
        way.push((6.0, 13.2));
        let head = [(5.8, 2.4), (2.6, 5.6), (5.8, 8.8)];
        vec![self.line(&mirrored(&way)), self.line(&mirrored(&head))]
    }

    fn outline(&self, points: &[(f32, f32)]) -> Shape {
        Shape::closed_line(self.points(points), self.stroke)
    }

    fn solid(&self, points: &[(f32, f32)]) -> Shape {
        Shape::convex_polygon(self.points(points), self.stroke.color, Stroke::NONE)
    }

    fn ring(&self, x: f32, y: f32, r: f32) -> Shape {
        Shape::circle_stroke(self.at((x, y)), r * self.scale, self.stroke)
    }

    fn dot(&self, x: f32, y: f32, r: f32) -> Shape {
        Shape::circle_filled(self.at((x, y)), r * self.scale, self.stroke.color)
    }

    fn block(&self, x0: f32, y0: f32, x1: f32, y1: f32) -> Shape {
        Shape::rect_filled(self.rect(x0, y0, x1, y1), self.scale, self.stroke.color)
    }

    fn frame(&self, x0: f32, y0: f32, x1: f32, y1: f32) -> Shape {
        Shape::rect_stroke(self.rect(x0, y0, x1, y1), 1.5 * self.scale, self.stroke, egui::StrokeKind::Middle)
    }

    fn rect(&self, x0: f32, y0: f32, x1: f32, y1: f32) -> Rect {
        Rect::from_min_max(self.at((x0, y0)), self.at((x1, y1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    #[test]
    fn every_icon_stays_in_its_square() {
        let area = Rect::from_min_size(pos2(10.0, 20.0), Vec2::new(32.0, 16.0));
        let square = Rect::from_center_size(area.center(), Vec2::splat(16.0));
        for icon in ALL {
            for shape in icon.shapes(area, Color32::WHITE) {
                assert!(
                    square.expand(0.5).contains_rect(shape.visual_bounding_rect()),
                    "{icon:?}: {shape:?}"
                );
            }
        }
    }
}
