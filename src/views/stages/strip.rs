//! The critical path as one row over the axis, for two runs beside each other: it is seen whichever tracks are.

use egui::{Painter, Rect, Sense, Shape, Stroke, StrokeKind, Ui, pos2};

use super::paint::critical_color;
use super::panel;
use crate::analysis::stages::{StageGraph, Step};
use crate::format;
use crate::model::Profile;
use crate::state::Item;
use crate::ui::hatch;
use crate::ui::text::{LabelStyle, TextKey, Texts};
use crate::ui::theme::{Palette, small, space};
use crate::ui::timeaxis::TimeAxis;
use crate::views::ViewCx;

/// Height of the line above it, and of its boxes, points.
const NAME: f32 = 16.0;
const BOXES: f32 = 24.0;
/// Height of all of it.
pub(super) const HEIGHT: f32 = NAME + BOXES + 4.0;
/// Narrower stretches are drawn as one with their neighbours, without a word, and cannot be clicked, points.
const LEAST: f32 = 3.0;

/// A stretch of the path on screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    /// The stage, of several stretches that of the longest; none where no stage of the path ran.
    pub stage: Option<u32>,
    /// False for a gap before which nothing is known to have been waited for.
    pub explained: bool,
    /// Stretches that are too narrow to be drawn one by one.
    pub several: bool,
    pub rect: Rect,
}

/// Where the stretches of the path stand: each after the one before, as their lengths add up to the whole. However many there are,
/// they are no more than there is room for.
pub(super) fn place(graph: &StageGraph, axis: &TimeAxis, area: Rect) -> Vec<Part> {
    let boxes = Rect::from_x_y_ranges(area.x_range(), area.top() + NAME..=area.top() + NAME + BOXES);
    let mut at = graph.start;
    let mut parts: Vec<Part> = Vec::new();
    // Width of the longest of the last part.
    let mut longest = 0.0;
    for step in &graph.path {
        let (stage, explained, to) = match *step {
            Step::Stage { stage, length } => (Some(stage), true, at.saturating_add(length)),
            Step::Gap { to, explained, .. } => (None, explained, to),
        };
        let x = axis.x_of(at as f64)..=axis.x_of(to as f64);
        let rect = Rect::from_x_y_ranges(x, boxes.y_range());
        if rect.right() > axis.x.min && rect.left() < axis.x.max {
            let narrow = |rect: &Rect| rect.width() < LEAST;
            match parts.last_mut() {
                Some(last) if narrow(&last.rect) && narrow(&rect) => {
                    last.several = true;
                    last.rect.max.x = rect.max.x;
                    if rect.width() > longest {
                        (last.stage, last.explained, longest) = (stage, explained, rect.width());
                    }
                }
                _ => {
                    longest = rect.width();
                    parts.push(Part { stage, explained, several: false, rect });
                }
            }
        }
        at = to;
    }
    parts
}

/// Lets the stretches be clicked and read out. Says which stage was clicked, and which is under the pointer.
pub(super) fn interact(
    cx: &mut ViewCx<'_>,
    ui: &Ui,
    graph: &StageGraph,
    parts: &[Part],
    selected: Option<u32>,
) -> (Option<u32>, Option<u32>) {
    let profile = cx.subject.profile().clone();
    let (mut clicked, mut hovered) = (None, None);
    for (nth, part) in parts.iter().enumerate() {
        let rect = part.rect.intersect(ui.clip_rect());
        let wide = rect.is_positive() && rect.width() > LEAST && !part.several;
        let Some(stage) = part.stage.filter(|_| wide) else { continue };
        let s = &graph.stages[stage as usize];
        let response = ui.interact(rect, ui.scope_id().with(("on path", nth)), Sense::click());
        let label = format!("critical path {}", profile.function_name(s.function));
        let is_selected = selected == Some(stage);
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, true, is_selected, &label));
        crate::ui::widgets::focus_ring(ui, &response, rect.expand(1.5));
        if response.clicked() {
            clicked = Some(stage);
        }
        if response.hovered() {
            hovered = Some(stage);
            cx.out.hover = Item::of_span(s.id.track, s.id.row, &profile);
            response.on_hover_text_at_pointer(panel::tooltip(&profile, graph, stage));
        }
    }
    (clicked, hovered)
}

/// Paints it: boxes in the colours of their functions, and stripes where nothing is known.
pub(super) fn paint(
    painter: &Painter,
    (profile, graph, palette): (&Profile, &StageGraph, &Palette),
    area: Rect,
    parts: &[Part],
    (selected, hovered): (Option<u32>, Option<u32>),
    texts: &mut Texts<'_>,
) {
    painter.rect_filled(area, 0.0, palette.panel);
    let share = graph.share().map(|share| format!(", stages take {}", format::percent(share)));
    let text = format!("critical path {}{}", format::duration(graph.total()), share.unwrap_or_default());
    let galley = painter.layout_no_wrap(text, small(), palette.text_weak);
    let at = pos2(area.left() + space::MEDIUM, area.top() + NAME / 2.0 - galley.size().y / 2.0);
    painter.galley(at, galley, palette.text_weak);
    let clip = painter.with_clip_rect(area.intersect(painter.clip_rect()));
    let mut labels = Vec::new();
    for part in parts {
        let Some(stage) = part.stage else {
            let line = [part.rect.left_center(), part.rect.right_center()];
            if part.explained {
                clip.line_segment(line, Stroke::new(1.5, critical_color(palette)));
            } else {
                let mut mesh = egui::Mesh::default();
                mesh.add_colored_rect(part.rect, palette.gap().fill);
                hatch::add(&mut mesh, part.rect, palette.stripes());
                clip.add(Shape::mesh(mesh));
            }
            continue;
        };
        let s = &graph.stages[stage as usize];
        let name = profile.function_name(s.function);
        let color = palette.span_named(name);
        clip.rect_filled(part.rect, 0.0, color.fill);
        let border = match (selected == Some(stage), hovered == Some(stage)) {
            (true, _) => Stroke::new(2.0, palette.text_strong),
            (_, true) => Stroke::new(1.5, palette.text),
            _ => Stroke::new(1.0, critical_color(palette)),
        };
        if part.several {
            continue;
        }
        if part.rect.width() > LEAST {
            clip.rect_stroke(part.rect, 0.0, border, StrokeKind::Inside);
        }
        let length = format::duration(s.on_path);
        let inner = part.rect.intersect(area).shrink2(egui::vec2(4.0, 0.0));
        let text = format!("{name}  {length}");
        let fits = texts
            .get(TextKey::of(&text), LabelStyle::new(12.0), inner.width() - 8.0, || text.clone().into())
            .is_some_and(|galley| !galley.elided);
        let text = if fits { text } else { name.to_owned() };
        let key = TextKey::of(&text);
        labels.extend(texts.label(inner, key, LabelStyle::new(12.0), color.text, || text.clone().into()));
    }
    clip.extend(labels);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::stages::Stages;
    use crate::analysis::testing::ask;
    use crate::views::stages::tests::pipeline;
    use egui::Rangef;

    #[test]
    fn stretches_of_the_path_fill_the_axis_without_a_gap() {
        let graph = ask(&pipeline(), &Stages::default());
        let end = graph.end as f64;
        let axis = TimeAxis::layout(graph.start as f64, end, Rangef::new(0.0, 1000.0));
        let area = Rect::from_min_max(pos2(0.0, 0.0), pos2(1000.0, HEIGHT));
        let parts = place(&graph, &axis, area);
        assert_eq!(parts.len(), graph.path.len());
        assert!(
            parts[0].rect.left().abs() < 0.01 && (parts[parts.len() - 1].rect.right() - 1000.0).abs() < 0.01
        );
        let whole = |parts: &[Part]| {
            parts.windows(2).all(|two| (two[0].rect.right() - two[1].rect.left()).abs() < 0.01)
        };
        assert!(whole(&parts) && parts.iter().all(|part| !part.several));
        // In little room those that are too narrow are one.
        let axis = TimeAxis::layout(graph.start as f64, end, Rangef::new(0.0, 10.0));
        let few = place(&graph, &axis, area.with_max_x(10.0));
        assert!(whole(&few) && few.len() < parts.len() && few.iter().any(|part| part.several), "{few:?}");
        assert!(few[0].rect.left().abs() < 0.01 && (few[few.len() - 1].rect.right() - 10.0).abs() < 0.01);
    }
}
