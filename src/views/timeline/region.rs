//! The boxes of the tracks in one region (pinned lanes, or the others): laid out and painted as the flame
//! chart does, and kept while nothing moves.

use crate::analysis::flame_rows::{BoxAt, FlameRows};
use crate::model::FunctionId;
use crate::ui::text::Texts;
use crate::ui::theme::Palette;
use crate::views::boxes::Colors;
use crate::views::boxes::layout::{Hit, Layout, Metrics, Port, RowLayout, Strip};
use crate::views::boxes::paint::{Lit, Painted, paint_labels, paint_marks};
use egui::{Painter, Pos2, Rangef, Rect, Ui, pos2, vec2};
use std::sync::Arc;

/// Sizes of rows.
pub(super) const METRICS: Metrics = Metrics { row: 16.0, header: 0.0, gap: 0.0 };
/// Boxes that screen readers hear about, at most.
const MOST_NODES: usize = 600;

/// Boxes on screen.
#[derive(Default)]
pub(super) struct Region {
    layout: Layout,
    painted: Painted,
    made_for: Option<MadeFor>,
}

struct MadeFor {
    rows: Arc<FlameRows>,
    port: Port,
    chart: Rect,
    /// Counts up with each change of colours.
    colors: u64,
}

/// What boxes are marked by.
#[derive(Clone, Copy, Default)]
pub(super) struct Marked {
    /// The selected function.
    pub function: Option<FunctionId>,
    /// The selected box.
    pub selected: Option<BoxAt>,
    /// The function under the pointer, in any view.
    pub lit: Option<FunctionId>,
    /// The box under the pointer, in any view.
    pub hovered: Option<BoxAt>,
}

impl Region {
    /// Lays out the rows of `strips`, each with its distance from the chart's upper edge.
    pub fn make(
        &mut self,
        painter: &Painter,
        (rows, strips): (&Arc<FlameRows>, Vec<(Strip, f32)>),
        (port, chart): (Port, Rect),
        (colors, version): (&Colors, u64),
        palette: &Palette,
    ) {
        let same = self.layout.strips == strips
            && self.made_for.as_ref().is_some_and(|old| {
                Arc::ptr_eq(&old.rows, rows)
                    && old.port == port
                    && old.chart == chart
                    && old.colors == version
            });
        if same {
            return;
        }
        self.layout = Layout { strips, ..Layout::default() };
        let layout = &mut self.layout;
        layout.texels.columns = (port.width * port.ppp).ceil().max(1.0) as usize;
        let mut placer = RowLayout::new(rows, &port, layout.texels.columns, METRICS.row);
        for &(strip, y) in &layout.strips {
            if let Strip::Row(row) = strip {
                placer.row(row, y, &mut layout.quads, &mut layout.texels);
            }
        }
        self.painted.update(painter, chart, layout, colors, rows.profile(), palette);
        self.made_for = Some(MadeFor { rows: rows.clone(), port, chart, colors: version });
    }

    /// Forgets the boxes.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Paints boxes, their names and what is marked.
    pub fn paint(
        &self,
        painter: &Painter,
        texts: &mut Texts<'_>,
        (colors, palette): (&Colors, &Palette),
        marked: Marked,
    ) {
        let Some(MadeFor { rows, chart, .. }) = &self.made_for else { return };
        self.painted.paint(painter);
        paint_labels(painter, texts, *chart, &self.layout, (rows, colors), crate::format::duration);
        let lit = marked.hovered.map_or(Lit::Function(marked.lit), Lit::Box);
        let selected = (marked.selected, marked.function);
        paint_marks(painter, (*chart, palette), &self.layout, lit, selected);
    }

    /// The box at a place on screen, and what it covers there.
    pub fn hit(&self, p: Pos2) -> Option<(Hit, Rect)> {
        let MadeFor { rows, port, chart, .. } = self.made_for.as_ref().filter(|m| m.chart.contains(p))?;
        let at = p - chart.min;
        let hit = self.layout.hit(rows, port, METRICS, at.x, at.y)?;
        let y = chart.top() + self.layout.y_of(hit.at.row)?;
        // Wide boxes are covered in part only: the row is what must stay in sight.
        let rect = Rect::from_x_y_ranges(p.x - 2.0..=p.x + 12.0, y..=y + METRICS.row);
        Some((hit, rect))
    }

    /// Middle of a row that is seen, on screen.
    pub fn middle_of(&self, row: u32) -> Option<f32> {
        let chart = self.made_for.as_ref()?.chart;
        Some(chart.top() + self.layout.y_of(row)? + METRICS.row / 2.0)
    }

    /// Tells screen readers and tests about boxes that can be read.
    pub fn accessible(&self, ui: &Ui, id: egui::Id, selected: Option<BoxAt>) {
        let Some(MadeFor { rows, chart, .. }) = &self.made_for else { return };
        if ui.ctx().accesskit_node_builder(id, |_| ()).is_none() {
            return;
        }
        for (quad, x0, x1) in self.layout.labelled(chart.width()).take(MOST_NODES) {
            let Some(b) = rows.get(quad.at) else { continue };
            let min = pos2(chart.left() + x0, chart.top() + quad.y);
            let y = Rangef::new(min.y, min.y + METRICS.row - 1.0);
            let rect = Rect::from_min_size(min, vec2(x1 - x0, y.span())).intersect(*chart);
            let node = ui.interact(rect, id.with(quad.at), egui::Sense::hover());
            let length = crate::format::duration(b.length());
            let name = format!("{} {length}", b.who.label(rows.profile()));
            let on = selected == Some(quad.at);
            node.widget_info(|| egui::WidgetInfo::selected(egui::Role::ListItem, true, on, &name));
        }
    }
}
