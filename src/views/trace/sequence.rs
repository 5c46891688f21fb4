//! Painting of a sequence: lifelines, calls and answers, streamed tokens, frames.

use egui::{
    Align, Align2, Color32, Mesh, Painter, Pos2, Rect, Role as AccessRole, ScrollArea, Sense, Shape, Stroke,
    StrokeKind, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::plan::{Plan, TIMES};
use super::{Frame, TraceView, item, paint};
use crate::analysis::trace::kind::Kind;
use crate::analysis::trace::sequence::{Arrow, Busy, Role, Says, Sequence};
use crate::format;
use crate::ui::icons::Icon;
use crate::ui::theme::{Palette, Tone, regular, small, space, strong};
use crate::ui::widgets::EmptyState;
use crate::views::ViewCx;
use crate::views::parts::text_in;
use crate::views::shared::grid::{focus_on, walk};

/// Height of the names of lifelines.
const NAMES: f32 = 30.0;
/// Half the width of a bar on a lifeline.
const HALF: f32 = 5.0;
/// Distance of ticks for tokens at least.
const TICKS: f32 = 3.0;

/// The kind whose colour a lifeline has.
fn kind(role: Role) -> Kind {
    match role {
        Role::Caller => Kind::Agent,
        Role::Cache => Kind::Cache,
        Role::Queue => Kind::Wait,
        Role::Worker => Kind::Worker,
        Role::Model => Kind::Model,
        Role::Embedding => Kind::Embedding,
        Role::Retrieval => Kind::Retrieval,
        Role::Tool => Kind::Tool,
    }
}

impl TraceView {
    pub(super) fn sequence(&mut self, cx: &mut ViewCx<'_>, ui: &mut Ui, frame: &Frame) {
        let Some(sequence) = &frame.sequence else { return };
        if sequence.arrows.is_empty() {
            let text = match frame.tree.dated {
                true => {
                    "The selected step calls nobody that is known. Select a request, an agent or another step in «Steps»."
                }
                false => "Nobody says when these requests were, so there is no order in time.",
            };
            EmptyState::new(Icon::Graph, "No calls to show", text).show(ui);
            return;
        }
        if sequence.cut {
            crate::views::parts::remark(
                ui,
                "There are more calls: the first 400 are shown. Select a step to see its own.",
            );
        }
        let area = ui.available_rect_before_wrap();
        let palette = Palette::of(ui);
        ui.painter().rect_filled(area, space::RADIUS_SMALL, palette.canvas);
        let focus = ui.scope_id().with("sequence");
        let focused = focus_on(ui, focus, area, "Sequence of calls");
        let plan = Plan::of(sequence, area.width(), area.height() - NAMES);
        ui.scope_builder(UiBuilder::new().max_rect(area).id_salt("lines"), |ui| {
            ScrollArea::horizontal().id_salt("wide").auto_shrink(false).show(ui, |ui| {
                ui.set_width(plan.width.max(area.width()));
                let (names, _) = ui.allocate_exact_size(vec2(plan.width, NAMES), Sense::hover());
                lifelines(ui, names, sequence, &plan);
                ScrollArea::vertical().id_salt("long").auto_shrink(false).show(ui, |ui| {
                    let size = vec2(plan.width, plan.height.max(ui.available_height()));
                    let (body, _) = ui.allocate_exact_size(size, Sense::hover());
                    self.body(cx, ui, frame, sequence, &plan, body);
                });
            });
        });
        if focused {
            let ring = Stroke::new(1.0, palette.accent);
            ui.painter().rect_stroke(area, space::RADIUS_SMALL, ring, StrokeKind::Inside);
            let at = sequence.arrows.iter().position(|a| Some(a.step) == frame.selected);
            let page = (area.height() / 40.0) as usize;
            // Arrows of one step are walked over together.
            let next = walk(ui, at, sequence.arrows.len(), page).and_then(|next| {
                let on = sequence.arrows[next..].iter().find(|a| Some(a.step) != frame.selected);
                let back = || sequence.arrows[..=next].iter().rev().find(|a| Some(a.step) != frame.selected);
                if at.is_some_and(|at| next < at) { back() } else { on.or_else(back) }
            });
            if let Some(arrow) = next {
                self.pick(cx, frame, arrow.step);
            }
        }
    }

    fn pick(&mut self, cx: &mut ViewCx<'_>, frame: &Frame, step: u32) {
        if let Some(item) = item(cx.profile(), &frame.tree.steps[step as usize]) {
            cx.select(Some(item));
        }
    }

    fn body(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &mut Ui,
        frame: &Frame,
        sequence: &Sequence,
        plan: &Plan,
        body: Rect,
    ) {
        let palette = Palette::of(ui);
        let painter = ui.painter().clone();
        let at = |x: f32, y: f32| pos2(body.left() + x, body.top() + y);
        frames(&painter, palette, sequence, plan, body);
        for &x in &plan.lines {
            let line = [at(x, 0.0), at(x, plan.height)];
            painter.extend(Shape::dashed_line(&line, Stroke::new(1.0, palette.line), 5.0, 4.0));
        }
        for busy in &sequence.busy {
            self.busy(cx, ui, frame, plan, busy, (sequence, body));
        }
        for stream in &sequence.streams {
            let Some(r) = cx.profile().requests.get(stream.request) else { continue };
            let x = plan.lines[stream.from as usize];
            let toward = if plan.lines[stream.to as usize] < x { -1.0 } else { 1.0 };
            ticks(&painter, palette, plan, (at(x, 0.0), toward), &r.token_times);
        }
        for gap in &plan.gaps {
            broken(&painter, palette, at(TIMES - 6.0, gap.y), &format!("… {}", format::duration(gap.length)));
        }
        for (arrow, &y) in sequence.arrows.iter().zip(&plan.arrows) {
            if !ui.clip_rect().y_range().intersects(egui::Rangef::point(body.top() + y).expand(24.0)) {
                continue;
            }
            let time = format::duration(arrow.time.saturating_sub(frame.tree.time.0));
            let place = Rect::from_min_max(at(0.0, y - 8.0), at(TIMES - 10.0, y + 8.0));
            text_in(&painter, place, &time, small(), palette.text_weak, Align::Max);
            self.arrow(cx, ui, frame, arrow, (plan, y), body);
        }
    }

    /// A bar on a lifeline.
    fn busy(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        frame: &Frame,
        plan: &Plan,
        busy: &Busy,
        (sequence, body): (&Sequence, Rect),
    ) {
        let palette = Palette::of(ui);
        let (top, bottom) = plan.bar(sequence, busy);
        let x = body.left() + plan.lines[busy.line as usize];
        let half = if busy.waits { HALF * 0.5 } else { HALF };
        let rect =
            Rect::from_x_y_ranges(x - half..=x + half, body.top() + top..=body.top() + bottom.max(top + 3.0));
        if !rect.intersects(ui.clip_rect()) {
            return;
        }
        let step = &frame.tree.steps[busy.step as usize];
        let role = sequence.lines[busy.line as usize].role;
        let fill = match (role, step.failed && step.request.is_none()) {
            (_, true) => palette.tone(Tone::Bad),
            (Role::Model, _) => palette.phase(busy.what).fill,
            _ => paint::color(palette, kind(role)).gamma_multiply(0.8),
        };
        ui.painter().rect_filled(rect, 2.0, fill);
        let id = ui.scope_id().with(("busy", busy.step, busy.line, busy.from, busy.what));
        let response = ui.interact(rect.expand2(vec2(3.0, 0.0)).intersect(ui.clip_rect()), id, Sense::CLICK);
        let took = format::duration(busy.to.saturating_sub(busy.from));
        let label = format!("{} {}: {took}", busy.what, step.name(cx.profile()));
        response.widget_info(|| WidgetInfo::labeled(AccessRole::Row, true, &label));
        self.touch(cx, frame, &response, busy.step);
        response.on_hover_text(label);
    }

    /// A call or an answer.
    fn arrow(
        &mut self,
        cx: &mut ViewCx<'_>,
        ui: &Ui,
        frame: &Frame,
        arrow: &Arrow,
        (plan, y): (&Plan, f32),
        body: Rect,
    ) {
        let palette = Palette::of(ui);
        let step = &frame.tree.steps[arrow.step as usize];
        let (from, to) = (plan.lines[arrow.from as usize], plan.lines[arrow.to as usize]);
        let (y, left, right) = (body.top() + y, body.left() + from.min(to), body.left() + from.max(to));
        let alone = arrow.from == arrow.to;
        let beside = plan.lines.iter().map(|x| body.left() + x).find(|x| *x > left + 1.0);
        let room = beside.map_or(body.right(), |x| x - 3.0 * HALF);
        let right = if alone { room.min(left + 360.0) } else { right };
        let rect = Rect::from_x_y_ranges(left + HALF..=right, y - 15.0..=y + 6.0);
        let id = ui.scope_id().with(("arrow", arrow.step, arrow.time, arrow.from, arrow.to, arrow.says));
        let response = ui.interact(rect.intersect(ui.clip_rect()), id, Sense::CLICK);
        let words = words(arrow);
        // Where all is about the selected step it need not stand out.
        let selected = Some(arrow.step) == frame.selected && frame.root != arrow.step;
        let spoken = if words.is_empty() { step.name(cx.profile()).to_owned() } else { words.clone() };
        response.widget_info(|| WidgetInfo::selected(AccessRole::Row, true, selected, &spoken));
        let item = item(cx.profile(), step);
        let lit = response.hovered() || item.as_ref().is_some_and(|item| cx.is_hovered(item));
        let color = match arrow.says {
            Says::Failed => palette.tone(Tone::Bad),
            Says::FirstToken => palette.tone(Tone::Info),
            _ if selected || lit => palette.accent,
            Says::Call => palette.text,
            Says::Answer => palette.text_weak,
        };
        let stroke = Stroke::new(if selected || lit { 1.8 } else { 1.2 }, color);
        let painter = ui.painter();
        let text_at = if alone {
            own(painter, pos2(left, y), stroke);
            Rect::from_x_y_ranges(left + 26.0..=right, y - 8.0..=y + 8.0)
        } else {
            let (start, end) = (pos2(body.left() + from, y), pos2(body.left() + to, y));
            line(painter, start, end, stroke, arrow.says);
            Rect::from_x_y_ranges(left + 10.0..=right - 10.0, y - 16.0..=y - 2.0)
        };
        let align = if alone { Align::Min } else { Align::Center };
        let ink = if arrow.says == Says::Answer && !selected && !lit { palette.text_weak } else { color };
        let ground = palette.canvas.gamma_multiply(0.9);
        let (_, whole) = label(painter, text_at, &words, ink, ground, align);
        self.touch(cx, frame, &response, arrow.step);
        if !whole {
            response.on_hover_text(words);
        }
    }

    fn touch(&mut self, cx: &mut ViewCx<'_>, frame: &Frame, response: &egui::Response, step: u32) {
        if response.hovered() {
            cx.out.hover = item(cx.profile(), &frame.tree.steps[step as usize]);
        }
        if response.clicked() {
            self.pick(cx, frame, step);
        }
        if response.double_clicked() {
            self.root = Some(frame.tree.steps[step as usize].key);
        }
    }
}

/// What an arrow says.
fn words(arrow: &Arrow) -> String {
    let took = arrow.took.map(format::duration);
    match (arrow.label.as_str(), took) {
        ("", None) => String::new(),
        ("", Some(took)) => took,
        (label, None) => label.to_owned(),
        (label, Some(took)) => format!("{label} · {took}"),
    }
}

/// A text on a ground of its own, so that lines below do not cross it.
fn label(
    painter: &Painter,
    area: Rect,
    text: &str,
    ink: Color32,
    ground: Color32,
    align: Align,
) -> (f32, bool) {
    if text.is_empty() {
        return (0.0, true);
    }
    let galley = painter.layout_no_wrap(text.chars().take(200).collect(), small(), ink);
    let width = galley.size().x.min(area.width());
    let x = if align == Align::Min { area.left() } else { area.center().x - width / 2.0 };
    let behind =
        Rect::from_x_y_ranges(x - 2.0..=x + width + 2.0, area.center().y - 7.0..=area.center().y + 7.0);
    painter.rect_filled(behind, 2.0, ground);
    text_in(painter, area, text, small(), ink, align)
}

/// An arrow from one lifeline to another: dashed for an answer.
fn line(painter: &Painter, start: Pos2, end: Pos2, stroke: Stroke, says: Says) {
    let side = if end.x > start.x { 1.0 } else { -1.0 };
    let (start, end) = (start + vec2(side * HALF, 0.0), end - vec2(side * HALF, 0.0));
    if says == Says::Call {
        painter.line_segment([start, end], stroke);
    } else {
        painter.extend(Shape::dashed_line(&[start, end], stroke, 6.0, 3.0));
    }
    tip(painter, end, side, stroke.color);
}

fn tip(painter: &Painter, end: Pos2, side: f32, color: Color32) {
    let points = vec![end, end + vec2(-side * 7.0, -3.5), end + vec2(-side * 7.0, 3.5)];
    painter.add(Shape::convex_polygon(points, color, Stroke::NONE));
}

/// What somebody does alone: a loop at its lifeline.
fn own(painter: &Painter, at: Pos2, stroke: Stroke) {
    let start = at + vec2(HALF, -4.0);
    let points = vec![start, start + vec2(14.0, 0.0), start + vec2(14.0, 8.0), start + vec2(0.0, 8.0)];
    painter.add(Shape::line(points, stroke));
    tip(painter, start + vec2(0.0, 8.0), -1.0, stroke.color);
}

/// Names of the lifelines.
fn lifelines(ui: &Ui, area: Rect, sequence: &Sequence, plan: &Plan) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    painter.rect_filled(area.expand2(vec2(400.0, 0.0)).intersect(ui.clip_rect()), 0.0, palette.panel);
    let room = plan.lines.windows(2).map(|w| w[1] - w[0]).fold(200.0, f32::min) - 10.0;
    for (line, &x) in sequence.lines.iter().zip(&plan.lines) {
        let place = Rect::from_center_size(pos2(area.left() + x, area.center().y), vec2(room, 24.0));
        let color = paint::color(palette, kind(line.role));
        painter.rect(place, space::RADIUS, palette.raised, Stroke::new(1.0, color), StrokeKind::Inside);
        painter.rect_filled(place.with_max_x(place.left() + 4.0), space::RADIUS_SMALL, color);
        let inner = place.shrink2(vec2(9.0, 0.0));
        let (_, whole) =
            text_in(painter, inner, &line.name, strong(12.0), palette.text_strong, Align::Center);
        let response = ui.interact(place, ui.scope_id().with(("line", x.to_bits())), Sense::hover());
        response
            .widget_info(|| WidgetInfo::labeled(AccessRole::Label, true, format!("Lifeline {}", line.name)));
        if !whole {
            response.on_hover_text(&line.name);
        }
    }
}

/// Frames around what ran at the same time, and around the way that was taken.
fn frames(painter: &Painter, palette: &Palette, sequence: &Sequence, plan: &Plan, body: Rect) {
    for frame in &plan.frames {
        let block = &sequence.blocks[frame.block];
        let inset = frame.depth as f32 * 5.0;
        let rect = Rect::from_x_y_ranges(
            body.left() + TIMES - 2.0 + inset..=body.left() + plan.width - 4.0 - inset,
            body.top() + frame.top..=body.top() + frame.bottom,
        );
        let tone = if block.parallel { Tone::Info } else { Tone::Neutral };
        let line = palette.tone_line(tone);
        painter.rect(
            rect,
            space::RADIUS_SMALL,
            palette.tone_fill(tone).gamma_multiply(0.35),
            Stroke::new(1.0, line),
            StrokeKind::Inside,
        );
        let word = if block.parallel { "par" } else { "alt" };
        let galley = painter.layout_no_wrap(word.to_owned(), strong(11.0), palette.text_strong);
        let tag = Rect::from_min_size(rect.min, galley.size() + vec2(14.0, 4.0));
        painter.rect_filled(tag, space::RADIUS_SMALL, line);
        painter.galley(tag.min + vec2(7.0, 2.0), galley, palette.text_strong);
        let title =
            Rect::from_min_max(pos2(tag.right() + 6.0, tag.top()), pos2(rect.right() - 4.0, tag.bottom()));
        text_in(painter, title, &format!("[{}]", block.label), small(), palette.text, Align::Min);
    }
}

/// Tokens as ticks beside the bar of the model, the first one longer.
fn ticks(painter: &Painter, palette: &Palette, plan: &Plan, (top, toward): (Pos2, f32), times: &[i64]) {
    let mut mesh = Mesh::default();
    let mut last = f32::MIN;
    let usual = palette.phase("decode").fill;
    for (n, &time) in times.iter().enumerate() {
        let y = top.y + plan.y(time, n > 0);
        if n > 0 && y - last < TICKS {
            continue;
        }
        last = y;
        let (length, color) = if n == 0 { (16.0, palette.tone(Tone::Info)) } else { (9.0, usual) };
        let (a, b) = (top.x + toward * (HALF + 2.0), top.x + toward * (HALF + 2.0 + length));
        mesh.add_colored_rect(Rect::from_x_y_ranges(a.min(b)..=a.max(b), y - 0.6..=y + 0.6), color);
    }
    painter.add(Shape::mesh(mesh));
    // How many came, at the middle of them.
    if let Some((first, end)) = times.first().zip(times.last()).filter(|_| times.len() > 1) {
        let (from, to) = (plan.y(*first, true), plan.y(*end, false));
        if to - from > 26.0 {
            let text = format!("×{}", format::count(times.len() as i64));
            let at = pos2(top.x - toward * (HALF + 5.0), top.y + (from + to) / 2.0);
            let align = if toward < 0.0 { Align2::LEFT_CENTER } else { Align2::RIGHT_CENTER };
            painter.text(at, align, text, regular(11.0), palette.text_weak);
        }
    }
}

/// A break of the axis, and how long it stands for.
fn broken(painter: &Painter, palette: &Palette, at: Pos2, text: &str) {
    painter.text(at - vec2(4.0, 0.0), Align2::RIGHT_CENTER, text, small(), palette.text_weak);
    for shift in [-2.5, 2.5] {
        let y = at.y + shift;
        painter.line_segment(
            [pos2(at.x, y + 2.0), pos2(at.x + 9.0, y - 2.0)],
            Stroke::new(1.0, palette.line_strong),
        );
    }
}
