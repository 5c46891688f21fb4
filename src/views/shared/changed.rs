//! Boxes that show how much changed: their fill, stripes and ink, and what the colours mean.

use egui::{Color32, Rect, Sense, Shape, Ui, pos2, vec2};

use super::pair::strength;
use crate::analysis::diff::{State, Two};
use crate::model::Better;
use crate::ui::theme::{Palette, small, space};

/// The fill of a box of both runs: how much of the larger side changed, and none where the cost of a side is not known.
#[must_use]
pub fn fill(palette: &Palette, costs: Two<f64>, state: State, better: Better) -> Color32 {
    if state.has_change() { palette.diff(strength(costs) as f32, better) } else { palette.gap().fill }
}

/// Stripes over the fill of what only one run has.
#[must_use]
pub fn stripes(palette: &Palette, state: State) -> Option<Color32> {
    match state {
        State::Both => None,
        State::New | State::Gone => Some(palette.canvas.gamma_multiply(0.28)),
        State::NotPlaced => Some(palette.stripes()),
    }
}

/// A text on a box: on a plate of the box's own fill where stripes would run across it.
pub fn on_box(text: Option<Shape>, fill: Color32, state: State) -> impl Iterator<Item = Shape> {
    let behind = text.as_ref().filter(|_| state != State::Both);
    let plate =
        behind.map(|text| Shape::rect_filled(text.visual_bounding_rect().expand2(vec2(3.0, 0.0)), 2.0, fill));
    plate.into_iter().chain(text)
}

/// What colours of changes mean.
pub fn legend(ui: &mut Ui) {
    const STEPS: usize = 21;
    let palette = Palette::of(ui);
    let galley = |text: &str| ui.painter().layout_no_wrap(text.to_owned(), small(), palette.text_weak);
    let (less, more) = (galley("less"), galley("more"));
    // One thing, so that a line never ends between the colours and what they mean.
    let size = vec2(less.size().x + more.size().x + 84.0 + 2.0 * space::MEDIUM, space::CONTROL);
    let (whole, response) = ui.allocate_exact_size(size, Sense::hover());
    let about = "Colours: less to more";
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, about));
    let top = |height: f32| whole.center().y - height / 2.0;
    let rect =
        Rect::from_min_size(pos2(whole.left() + less.size().x + space::MEDIUM, top(10.0)), vec2(84.0, 10.0));
    let at = pos2(whole.right() - more.size().x, top(more.size().y));
    ui.painter().galley(pos2(whole.left(), top(less.size().y)), less, palette.text_weak);
    ui.painter().galley(at, more, palette.text_weak);
    let width = rect.width() / STEPS as f32;
    for i in 0..STEPS {
        let left = rect.left() + i as f32 * width;
        let step = Rect::from_x_y_ranges(left..=left + width, rect.y_range());
        let change = i as f32 / (STEPS - 1) as f32 * 2.0 - 1.0;
        ui.painter().rect_filled(step, 0.0, palette.diff(change, Better::Lower));
    }
    response.on_hover_text(
        "How much of the larger side changed: from −100 % (only base has it) to +100 % (only head has it). \
         What only one run has is hatched, in grey where estimated paths do not tell. Within ±2 % a change is grey.",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::contrast;

    #[test]
    fn ink_reads_on_every_change_and_stands_on_a_plate_where_stripes_run() {
        let changes = (-20..=20).map(|i| f64::from(i) / 20.0);
        for (palette, change) in
            [Palette::dark(), Palette::light()].into_iter().flat_map(|p| changes.clone().map(move |c| (p, c)))
        {
            let costs = Two::both(100.0, 100.0 * (1.0 + change));
            for state in [State::Both, State::New, State::Gone, State::NotPlaced] {
                let fill = fill(palette, costs, state, Better::Lower);
                let (ink, quiet) = (palette.text_on(fill), palette.quiet_on(fill));
                assert!(contrast(ink, fill) >= 4.5 && contrast(quiet, fill) >= 4.5, "{change} {state:?}");
                let text =
                    Shape::rect_filled(Rect::from_min_size(pos2(9.0, 9.0), vec2(40.0, 12.0)), 0.0, ink);
                let drawn: Vec<Shape> = on_box(Some(text), fill, state).collect();
                assert_eq!(stripes(palette, state).is_some(), drawn.len() == 2, "{state:?}");
                if let [Shape::Rect(plate), text] = &drawn[..] {
                    assert!(plate.fill == fill && plate.rect.contains_rect(text.visual_bounding_rect()));
                }
            }
        }
        let unknown = Two { base: None, head: Some(5.0) };
        let palette = Palette::dark();
        assert_ne!(
            fill(palette, unknown, State::NotPlaced, Better::Lower),
            fill(palette, unknown, State::New, Better::Lower),
            "what is not known is no change"
        );
    }
}
