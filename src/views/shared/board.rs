//! Cards in columns: as many as the width allows, each card below the shortest column so far.

use egui::{Rect, ScrollArea, Ui, UiBuilder, pos2, vec2};

use crate::ui::theme::space;

/// Distance between cards.
pub const GAP: f32 = 10.0;
/// Narrowest column of texts and rows, points.
const NARROWEST: f32 = 330.0;
/// Narrowest column of plots, points.
const OF_PLOTS: f32 = 440.0;
/// Most columns: longer lines do not read better.
const MOST: usize = 4;

/// What a view scrolls: the bar has a place of its own beside it.
pub fn scrolled(ui: &mut Ui, contents: impl FnOnce(&mut Ui)) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.set_width(ui.available_width() - space::MEDIUM);
        contents(ui);
    });
}

/// Figures above a table: as high as they are, up to three fifths of the room; beyond that they scroll.
pub fn above(ui: &mut Ui, salt: &str, contents: impl FnOnce(&mut Ui)) {
    let most = (ui.available_height() * 0.6).max(60.0);
    ScrollArea::vertical().id_salt(salt).auto_shrink([false, true]).max_height(most).show(ui, |ui| {
        ui.set_width(ui.available_width() - space::MEDIUM);
        contents(ui);
    });
    ui.add_space(space::MEDIUM);
}

/// Heights of the cards of a view in the last frame.
pub struct Board {
    heights: Vec<f32>,
    narrowest: f32,
}

impl Default for Board {
    fn default() -> Self {
        Self { heights: Vec::new(), narrowest: NARROWEST }
    }
}

impl Board {
    /// One whose cards hold plots.
    #[must_use]
    pub fn of_plots() -> Self {
        Self { narrowest: OF_PLOTS, ..Self::default() }
    }

    /// Shows `count` cards.
    pub fn show(&mut self, ui: &mut Ui, count: usize, mut card: impl FnMut(usize, &mut Ui)) {
        if self.heights.len() != count {
            // A guess; the pass that follows knows.
            self.heights = vec![160.0; count];
            ui.request_discard("cards of unknown height");
        }
        let (columns, width) = columns(ui.available_width(), GAP, self.narrowest);
        let (places, height) = place(&self.heights, columns, GAP);
        let origin = ui.cursor().min;
        for (i, &(column, top)) in places.iter().enumerate() {
            let left = origin.x + column as f32 * (width + GAP);
            let area = Rect::from_min_size(pos2(left, origin.y + top), vec2(width, f32::INFINITY));
            let mut child = ui.new_child(UiBuilder::new().max_rect(area).id_salt(("card", i)));
            card(i, &mut child);
            let now = child.min_rect().height();
            if (now - self.heights[i]).abs() > 0.5 {
                self.heights[i] = now;
                ui.request_repaint();
            }
        }
        ui.allocate_space(vec2(ui.available_width(), height));
    }
}

/// Number of columns and the width of each.
#[must_use]
fn columns(width: f32, gap: f32, narrowest: f32) -> (usize, f32) {
    let count = (((width + gap) / (narrowest + gap)).floor() as usize).clamp(1, MOST);
    (count, ((width - gap * (count - 1) as f32) / count as f32).max(1.0))
}

/// Column and top of each card, and the height of all.
#[must_use]
fn place(heights: &[f32], count: usize, gap: f32) -> (Vec<(usize, f32)>, f32) {
    let mut filled = vec![0.0f32; count.max(1)];
    let places = heights
        .iter()
        .map(|height| {
            let column = (0..filled.len()).min_by(|&a, &b| filled[a].total_cmp(&filled[b])).unwrap_or(0);
            let top = filled[column];
            filled[column] += height + gap;
            (column, top)
        })
        .collect();
    let height = filled.into_iter().fold(0.0, f32::max) - gap;
    (places, height.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_width() {
        for width in [120.0, 300.0, 700.0, 1024.0, 1600.0, 4000.0] {
            let (count, each) = columns(width, 10.0, NARROWEST);
            let used = each * count as f32 + 10.0 * (count - 1) as f32;
            assert!((used - width).abs() < 0.01, "{width}");
        }
        assert_eq!(columns(300.0, 10.0, NARROWEST).0, 1);
        assert_eq!(columns(1600.0, 10.0, NARROWEST).0, 4);
    }

    #[test]
    fn cards_go_below_the_shortest_column_and_never_overlap() {
        let heights = [100.0, 40.0, 30.0, 50.0, 10.0];
        let (places, height) = place(&heights, 2, 10.0);
        assert_eq!(places, [(0, 0.0), (1, 0.0), (1, 50.0), (1, 90.0), (0, 110.0)]);
        assert_eq!(height, 140.0);
        assert_eq!(place(&[], 3, 10.0), (vec![], 0.0));
    }
}
