//! Keys of a cache of answers, looked into.

use egui::{RichText, Ui};

use crate::analysis::cache_keys::{KeyFacts, NEEDED, Oddity};
use crate::format;
use crate::state::{Command, Item};
use crate::ui::theme::{Palette, Tone, space};
use crate::ui::widgets::{KeyValues, link_button, pill};
use crate::views::ViewCx;
use crate::views::parts::remark;

/// Fields of the key, whether it is stable, whether it tells requests apart.
pub(super) fn show(cx: &mut ViewCx<'_>, ui: &mut Ui, keys: &KeyFacts) {
    let palette = Palette::of(ui);
    if !keys.fields.is_empty() {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = egui::vec2(6.0, 4.0);
            for field in &keys.fields {
                pill(ui, Tone::Good, field).on_hover_text("In the key");
            }
            for field in keys.missing() {
                let about = "Not in the key: where it differs, the cache gives somebody the answer to another request";
                pill(ui, Tone::Warning, &format!("no {field}")).on_hover_text(about);
            }
        });
        ui.add_space(space::SMALL);
    }
    let count = |n: usize| format::count(n as i64);
    let mut grid = KeyValues::new(ui, 130.0);
    grid.row(
        "Keys",
        &format!(
            "{} of {}",
            count(keys.distinct),
            format::counted(keys.stated as i64, "request", "requests")
        ),
    );
    let stable = match (keys.repeated, keys.unstable.len()) {
        (0, _) => "– no request was asked twice".to_owned(),
        (n, 0) => format!(
            "yes: {} with the key of the first",
            format::counted(n as i64, "repetition", "repetitions")
        ),
        (_, n) => format!("no: {} with several keys", format::counted(n as i64, "request", "requests")),
    };
    let tone = |bad: usize| if bad > 0 { Some(Tone::Bad) } else { None };
    grid.toned("Stable", &stable, tone(keys.unstable.len()));
    let collisions = match keys.collisions.len() {
        0 => "none".to_owned(),
        n => format!("{} of several prompts", format::counted(n as i64, "key", "keys")),
    };
    grid.toned("Collisions", &collisions, tone(keys.collisions.len()));
    for (odd, what) in
        [(&keys.unstable, "the same request with two keys"), (&keys.collisions, "one key of two requests")]
    {
        if let Some(first) = odd.first() {
            link(cx, ui, first, what);
        }
    }
    let needed = NEEDED.join(", ");
    let text = format!("An answer depends on {needed}. Requests are the same when model and prompt are.");
    remark(ui, &text);
    if keys.fields.is_empty() {
        let text = "Nobody states which fields the key is made of.";
        ui.label(RichText::new(text).color(palette.text_weak));
    }
}

/// Links to the two requests of an oddity.
fn link(cx: &mut ViewCx<'_>, ui: &mut Ui, odd: &Oddity, what: &str) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::SMALL;
        ui.label(RichText::new(format!("Show {what}:")).color(Palette::of(ui).text_weak));
        for (id, name) in odd.requests.into_iter().zip(["the first", "the second"]) {
            if link_button(ui, name).clicked() {
                cx.send(Command::Select(Some(Item::of_request(id, cx.profile()))));
            }
        }
    });
}
