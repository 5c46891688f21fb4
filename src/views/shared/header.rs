//! The controls at the top of a view: everywhere the same distances. They wrap where there is room for that; where they would
//! take much of a low or narrow pane, they are one line, and «…» shows the others.

use egui::{Id, Rect, Ui, UiBuilder, vec2};

use crate::ui::icons::Icon;
use crate::ui::theme::space;
use crate::ui::widgets::toggle_button;

/// The part of a pane's height that controls may take, if one line is not enough for them.
const SHARE: f32 = 1.0 / 6.0;

/// What is kept of the controls of a view.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Height of all lines in the last frame.
    height: f32,
    /// The person has unfolded them.
    open: bool,
}

/// Lays controls out from left to right.
pub fn header(ui: &mut Ui, controls: impl FnOnce(&mut Ui)) {
    let id = ui.next_auto_id().with("controls");
    let mut known: Known = ui.data(|d| d.get_temp(id)).unwrap_or_default();
    let room = ui.available_rect_before_wrap();
    let folds = known.height > 1.5 * space::CONTROL && known.height > room.height() * SHARE;
    let aside = if folds { space::CONTROL + space::MEDIUM } else { 0.0 };
    let line = Rect::from_min_size(room.min, vec2(room.width(), space::CONTROL));
    let area = room.with_max_x((room.right() - aside).max(room.left()));
    let hides = folds && !known.open;
    let mut inner = ui.new_child(UiBuilder::new().max_rect(area).id_salt(id));
    if hides {
        inner.shrink_clip_rect(line);
    }
    inner.spacing_mut().item_spacing = vec2(space::MEDIUM, space::SMALL);
    inner.horizontal_wrapped(controls);
    let all = inner.min_rect();
    if folds {
        let button = Rect::from_min_size(line.right_top() - vec2(space::CONTROL, 0.0), line.size())
            .with_max_x(line.right());
        let mut beside = ui.new_child(UiBuilder::new().max_rect(button).id_salt(id.with("more")));
        let name = if known.open { "Fewer controls" } else { "More controls" };
        toggle_button(&mut beside, Icon::More, name, &mut known.open);
        // Whoever walks to a hidden control with the keyboard sees it.
        known.open |= hides && is_focused_below(ui, all.with_min_y(line.bottom()));
    }
    let height = if hides { space::CONTROL } else { all.height() };
    ui.allocate_rect(Rect::from_min_size(room.min, vec2(room.width(), height)), egui::Sense::hover());
    if (known.height - all.height()).abs() > 0.5 {
        let one = 1.5 * space::CONTROL;
        if known.height.max(all.height()) > one {
            ui.request_discard("controls of another height");
        }
        known.height = all.height();
    }
    ui.data_mut(|d| d.insert_temp(id, known));
}

fn is_focused_below(ui: &Ui, hidden: Rect) -> bool {
    let focused: Option<Id> = ui.memory(|m| m.focused());
    let response = focused.and_then(|id| ui.ctx().read_response(id));
    response.is_some_and(|r| r.layer_id == ui.layer_id() && hidden.contains(r.rect.center()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::software::Software;
    use crate::ui::theme;
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    /// Eight buttons above a pane's content; the number of the one that was clicked last.
    fn pane(size: egui::Vec2) -> Harness<'static, Option<usize>> {
        let mut installed = false;
        let mut h = Harness::builder().with_size(size).renderer(Software::default()).build_ui_state(
            move |ui, clicked: &mut Option<usize>| {
                if !std::mem::replace(&mut installed, true) {
                    theme::install(ui.ctx());
                    return; // fonts are there from the next pass on
                }
                header(ui, |ui| {
                    for i in 0..8 {
                        if ui.button(format!("Control number {i}")).clicked() {
                            *clicked = Some(i);
                        }
                    }
                });
                ui.label("content");
            },
            None,
        );
        h.run();
        h
    }

    fn content(h: &Harness<'_, Option<usize>>) -> f32 {
        h.get_by_label("content").rect().top()
    }

    #[test]
    fn controls_wrap_in_a_high_pane_and_fold_in_a_low_one() {
        let high = pane(vec2(360.0, 900.0));
        assert!(high.query_by_label("More controls").is_none() && content(&high) > 80.0);
        let wide = pane(vec2(1400.0, 200.0));
        assert!(wide.query_by_label("More controls").is_none() && content(&wide) < 40.0);

        let mut low = pane(vec2(360.0, 240.0));
        assert!(content(&low) < 40.0, "one line");
        low.get_by_label("Control number 7").click();
        low.run();
        assert_eq!(*low.state(), None, "it is not seen");
        low.get_by_label("More controls").click();
        low.run();
        assert!(content(&low) > 80.0, "all lines");
        low.get_by_label("Control number 7").click();
        low.run();
        assert_eq!(*low.state(), Some(7));
        low.get_by_label("Fewer controls").click();
        low.run();
        assert!(content(&low) < 40.0);
    }

    #[test]
    fn the_keyboard_finds_controls_that_are_folded_away() {
        let mut low = pane(vec2(360.0, 240.0));
        low.get_by_label("Control number 6").focus();
        low.run();
        assert!(content(&low) > 80.0);
    }
}
