//! Paints stages, their slack, and the arrows between them.

use std::borrow::Cow;

use egui::{Color32, Mesh, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, pos2, vec2};
use rustc_hash::FxHashMap;

use super::layout::{Arrow, Bar, Layout, Sizes};
use crate::analysis::stages::{Change, Outcome, Stage, StageGraph, WhatIf};
use crate::format;
use crate::model::{FunctionId, Profile, SpanStatus};
use crate::ui::icons::Icon;
use crate::ui::text::{LabelStyle, TextKey, Texts};
use crate::ui::theme::{Palette, Tone, mix, small, space};
use crate::ui::timeaxis::TimeAxis;

/// Bars up to this width are drawn without border and text.
const NARROW: f32 = 8.0;

/// What the picture shows.
pub(super) struct Scene<'a> {
    pub profile: &'a Profile,
    pub graph: &'a StageGraph,
    pub what_if: &'a WhatIf,
    pub outcome: Option<&'a Outcome>,
    pub axis: &'a TimeAxis,
    pub sizes: Sizes,
    pub palette: &'a Palette,
    /// True when x is time, so that slack and what ends when can be drawn.
    pub timed: bool,
    pub selected: Option<u32>,
    pub hovered: Option<u32>,
}

/// The colour of the critical path.
pub(super) fn critical_color(palette: &Palette) -> Color32 {
    palette.tone(Tone::Warning)
}

impl Scene<'_> {
    /// True for stages of the critical path: the measured one, or the one that the changes would leave.
    pub fn is_critical(&self, stage: u32) -> bool {
        match self.outcome {
            Some(outcome) => outcome.on_path.get(stage as usize).is_some_and(|&ns| ns > 0),
            None => self.graph.stages[stage as usize].critical,
        }
    }

    /// What is changed of a stage.
    fn changes(&self, stage: &Stage) -> impl Iterator<Item = Change> + '_ {
        // Most of the time nothing is, and then no key is needed.
        let key = (!self.what_if.is_empty()).then(|| stage.id.key(self.profile)).flatten();
        key.into_iter().flat_map(|key| self.what_if.of(key))
    }

    fn dropped(&self, stage: &Stage) -> bool {
        self.changes(stage).any(|c| c == Change::Drop)
    }

    fn kept(&self, stage: &Stage) -> f32 {
        let scale = self.changes(stage).find_map(|c| match c {
            Change::Scale(permille) => Some(permille),
            Change::Drop | Change::Beside(_) => None,
        });
        scale.map_or(1.0, |permille| (permille as f32 / 1000.0).min(1.0))
    }

    pub fn paint(&self, painter: &Painter, layout: &Layout, texts: &mut Texts<'_>) {
        self.tracks(painter, layout);
        self.slacks(painter, layout);
        // Critical arrows lie above the others.
        for critical in [false, true] {
            layout.arrows.iter().for_each(|arrow| self.arrow(painter, arrow, critical));
        }
        self.names(painter, layout);
        let (narrow, wide): (Vec<&Bar>, Vec<&Bar>) = layout.bars.iter().partition(|b| self.is_plain(b));
        self.narrow(painter, &narrow);
        let mut labels = Vec::new();
        for bar in wide {
            self.bar(painter, bar, texts, &mut labels);
        }
        painter.extend(labels);
    }

    /// True for a bar without room for a border or a word.
    fn is_plain(&self, bar: &Bar) -> bool {
        bar.rect.width() <= NARROW && self.selected != Some(bar.stage) && self.hovered != Some(bar.stage)
    }

    /// Thousands of narrow bars are one mesh.
    fn narrow(&self, painter: &Painter, bars: &[&Bar]) {
        let palette = self.palette;
        let mut mesh = Mesh::default();
        // Colours by name: on the critical path, beside it, and left out. Mixing them for each bar costs more than the bar.
        let mut colors: FxHashMap<FunctionId, [Color32; 3]> = FxHashMap::default();
        for bar in bars {
            let stage = &self.graph.stages[bar.stage as usize];
            let critical = self.is_critical(bar.stage);
            let [full, half, faint] = *colors.entry(stage.function).or_insert_with(|| {
                let full = palette.span_named(self.profile.function_name(stage.function)).fill;
                [full, mix(full, palette.canvas, 0.5), mix(full, palette.canvas, 0.82)]
            });
            let kept = if self.dropped(stage) { 0.0 } else { self.kept(stage) };
            if kept < 1.0 {
                mesh.add_colored_rect(bar.rect, faint);
            }
            if kept > 0.0 {
                let part = bar.rect.with_max_x(bar.rect.left() + bar.rect.width() * kept);
                mesh.add_colored_rect(part, if critical { full } else { half });
            }
            if critical {
                // Where a border has no room, an edge tells the critical path.
                for edge in
                    [bar.rect.with_max_y(bar.rect.top() + 1.5), bar.rect.with_min_y(bar.rect.bottom() - 1.5)]
                {
                    mesh.add_colored_rect(edge, critical_color(palette));
                }
            }
        }
        painter.add(Shape::mesh(mesh));
    }

    fn tracks(&self, painter: &Painter, layout: &Layout) {
        if layout.tracks.len() < 2 {
            return;
        }
        for (i, (_, y)) in layout.tracks.iter().enumerate() {
            if i > 0 {
                let line = Stroke::new(1.0, self.palette.line_faint);
                painter.hline(self.axis.x, painter.round_to_pixel_center(y.min), line);
            }
        }
    }

    /// Names of tracks, above the arrows that cross them.
    fn names(&self, painter: &Painter, layout: &Layout) {
        if layout.tracks.len() < 2 {
            return;
        }
        for (track, y) in &layout.tracks {
            let label = self.profile.track_label(*track);
            let galley = painter.layout_no_wrap(label, small(), self.palette.text_weak);
            let middle = y.min + self.sizes.name / 2.0 + 1.0;
            let at = pos2(self.axis.x.min + space::MEDIUM, middle - galley.size().y / 2.0);
            let room = Rect::from_min_size(at, galley.size()).expand2(vec2(3.0, 0.0));
            painter.rect_filled(room, 2.0, self.palette.canvas.gamma_multiply(0.85));
            painter.galley(at, galley, self.palette.text_weak);
        }
    }

    /// How much later each stage could end: a thin line after it.
    fn slacks(&self, painter: &Painter, layout: &Layout) {
        if !self.timed || self.outcome.is_some() {
            return;
        }
        let mut mesh = Mesh::default();
        let color = mix(self.palette.canvas, self.palette.tone(Tone::Good), 0.6);
        for bar in &layout.bars {
            let stage = &self.graph.stages[bar.stage as usize];
            let right = self.axis.x_of(stage.end.saturating_add(stage.slack) as f64).min(self.axis.x.max);
            if stage.slack > 0 && bar.rect.width() > 6.0 && right > bar.rect.right() + 1.0 {
                let y = bar.rect.bottom() - 4.0..=bar.rect.bottom();
                mesh.add_colored_rect(Rect::from_x_y_ranges(bar.rect.right()..=right, y), color);
            }
        }
        painter.add(Shape::mesh(mesh));
    }

    fn arrow(&self, painter: &Painter, arrow: &Arrow, critical: bool) {
        let edge = &self.graph.edges[arrow.edge as usize];
        let is_critical = match self.outcome {
            Some(_) => self.is_critical(edge.from) && self.is_critical(edge.to),
            None => edge.critical,
        };
        if is_critical != critical {
            return;
        }
        let near =
            [self.selected, self.hovered].into_iter().flatten().any(|s| s == edge.from || s == edge.to);
        let (color, width) = match (critical, near) {
            (true, _) => (critical_color(self.palette), 2.0),
            (false, true) => (self.palette.accent, 1.5),
            (false, false) => (self.palette.line_strong, 1.0),
        };
        let stroke = Stroke::new(width, color);
        let snapped: Vec<Pos2> = arrow.points.iter().map(|p| snap(painter, *p)).collect();
        if edge.link {
            painter.extend(Shape::dashed_line(&snapped, stroke, 4.0, 3.0));
        } else {
            painter.add(Shape::line(snapped.clone(), stroke));
        }
        if let [.., before, tip] = snapped[..]
            && (tip.x - before.x) > 3.0
        {
            let back = tip - vec2(5.0, 0.0);
            let head = vec![tip, back - vec2(0.0, 3.0), back + vec2(0.0, 3.0)];
            painter.add(Shape::convex_polygon(head, color, Stroke::NONE));
        }
    }

    fn bar(&self, painter: &Painter, bar: &Bar, texts: &mut Texts<'_>, labels: &mut Vec<Shape>) {
        let stage = &self.graph.stages[bar.stage as usize];
        let palette = self.palette;
        let critical = self.is_critical(bar.stage);
        let name = self.profile.function_name(stage.function);
        let color = palette.span_named(name);
        let seen = bar.rect.intersect(Rect::from_x_y_ranges(
            self.axis.x.min - 4.0..=self.axis.x.max + 4.0,
            bar.rect.y_range(),
        ));
        let dropped = self.dropped(stage);
        let faint = mix(color.fill, palette.canvas, if critical { 0.0 } else { 0.5 });
        let radius = if bar.rect.width() > 8.0 { space::RADIUS_SMALL } else { 0 };
        let kept = if dropped { 0.0 } else { self.kept(stage) };
        painter.rect_filled(seen, radius, mix(color.fill, palette.canvas, 0.82));
        if kept > 0.0 {
            let part = seen.with_max_x(seen.left() + seen.width() * kept);
            painter.rect_filled(part, radius, faint);
            self.busy(painter, stage, part, faint);
        }
        let border = match (self.selected == Some(bar.stage), self.hovered == Some(bar.stage), critical) {
            (true, ..) => Stroke::new(2.0, palette.text_strong),
            (_, true, _) => Stroke::new(1.5, palette.text),
            (.., true) if bar.rect.width() > 5.0 => Stroke::new(1.5, critical_color(palette)),
            _ => Stroke::NONE,
        };
        painter.rect_stroke(seen, radius, border, StrokeKind::Inside);
        let ink = if dropped || kept < 1.0 { palette.text } else { palette.text_on(faint) };
        self.labels(bar, seen, (name, ink), texts, labels);
        if dropped && seen.width() > 6.0 {
            let line = Stroke::new(1.5, palette.tone(Tone::Bad));
            labels.push(Shape::line_segment([seen.left_center(), seen.right_center()], line));
        }
        if stage.status == SpanStatus::Error && seen.width() > 24.0 {
            let mark = Rect::from_center_size(seen.right_top() + vec2(-10.0, 10.0), vec2(11.0, 11.0));
            labels.extend(Icon::Error.shapes(mark, palette.tone(Tone::Bad)));
        }
    }

    /// The part in which it was polled; the rest it waited.
    fn busy(&self, painter: &Painter, stage: &Stage, part: Rect, fill: Color32) {
        let Some(busy) = stage.busy.filter(|_| stage.duration() > 0) else { return };
        let share = (busy as f32 / stage.duration() as f32).clamp(0.0, 1.0);
        let ink = self.palette.text_on(fill).gamma_multiply(0.55);
        let track = part.with_min_y(part.bottom() - 3.0);
        painter.rect_filled(track, 0.0, ink.gamma_multiply(0.3));
        painter.rect_filled(track.with_max_x(track.left() + track.width() * share), 0.0, ink);
    }

    fn labels(
        &self,
        bar: &Bar,
        seen: Rect,
        (name, ink): (&str, Color32),
        texts: &mut Texts<'_>,
        labels: &mut Vec<Shape>,
    ) {
        let stage = &self.graph.stages[bar.stage as usize];
        let inner = seen.shrink2(vec2(4.0, 2.0));
        let two = self.sizes.bar > 30.0;
        let first = if two { inner.with_max_y(inner.top() + 18.0) } else { inner };
        let key = TextKey::new(("stage", stage.function.0));
        labels.extend(texts.label(first, key, LabelStyle::new(12.0), ink, || Cow::Borrowed(name)));
        if two {
            let second = Rect::from_min_max(pos2(inner.left(), inner.top() + 16.0), inner.max);
            let key = TextKey::new(("stage length", stage.duration(), stage.slack, self.outcome.is_some()));
            let text = || {
                let length = format::duration(stage.duration());
                Cow::Owned(match stage.slack {
                    slack if slack > 0 && self.outcome.is_none() => {
                        format!("{length} · slack {}", format::duration(slack))
                    }
                    _ => length,
                })
            };
            // A cut number is no number.
            let room = second.width() - 8.0;
            if texts.get(key, LabelStyle::new(11.0), room, text).is_some_and(|galley| !galley.elided) {
                labels.extend(texts.label(second, key, LabelStyle::new(11.0), ink, text));
            }
        }
    }

    /// Where the whole would end with the changes.
    pub fn new_end(&self, painter: &Painter, chart: Rect) {
        let Some(outcome) = self.outcome.filter(|_| self.timed) else { return };
        let end = self.graph.start.saturating_add(outcome.total);
        let x = self.axis.x_of(end as f64);
        if !self.axis.x.contains(x) {
            return;
        }
        let color = self.palette.accent;
        let line = [pos2(x, chart.top()), pos2(x, chart.bottom())];
        painter.extend(Shape::dashed_line(&line, Stroke::new(1.5, color), 5.0, 3.0));
        let text = format!("estimated end {}", format::duration(outcome.total));
        let galley = painter.layout_no_wrap(text, small(), self.palette.on_accent);
        let size = galley.size() + vec2(10.0, 4.0);
        let left = (x - size.x - 4.0).max(self.axis.x.min);
        let flag = Rect::from_min_size(pos2(left, chart.bottom() - size.y - 6.0), size);
        painter.rect_filled(flag, space::RADIUS_SMALL, self.palette.accent_fill);
        painter.galley(flag.min + vec2(5.0, 2.0), galley, self.palette.on_accent);
    }
}

fn snap(painter: &Painter, p: Pos2) -> Pos2 {
    pos2(painter.round_to_pixel_center(p.x), painter.round_to_pixel_center(p.y))
}
