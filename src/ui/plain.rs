//! Names come out of files that anybody may have made. What is painted passes here last: characters that would act, or be
//! invisible, are shown by their numbers: fonts have no signs for them.

use std::sync::Arc;

use egui::epaint::text::ByteRangeExt;
use egui::text::LayoutJob;
use egui::{Context, FullOutput, Galley, Plugin, Shape};

use crate::format::{acts, escaped, escaped_lines};

/// Shows characters that act in all texts of a context.
#[derive(Default)]
pub struct PlainText;

impl Plugin for PlainText {
    fn debug_name(&self) -> &'static str {
        "plain text"
    }

    fn output_hook(&mut self, ctx: &Context, output: &mut FullOutput) {
        for clipped in &mut output.shapes {
            let mut open = vec![&mut clipped.shape];
            while let Some(shape) = open.pop() {
                match shape {
                    Shape::Vec(shapes) => open.extend(shapes),
                    Shape::Text(text) => {
                        if let Some(shown) = shown(ctx, &text.galley) {
                            text.galley = shown;
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The text laid out anew, when something of it acts. Lines stay lines where the text may have several.
fn shown(ctx: &Context, galley: &Galley) -> Option<Arc<Galley>> {
    let job = &*galley.job;
    // Nearly all texts are ASCII without controls.
    let lines = job.break_on_newline;
    let stays = |c: char| lines && matches!(c, '\n' | '\t');
    let is_ascii = job.text.bytes().all(|b| (0x20..0x7f).contains(&b) || stays(b.into()));
    if is_ascii || !job.text.contains(|c| acts(c) && !stays(c)) {
        return None;
    }
    let escape = if lines { escaped_lines } else { escaped };
    let mut shown = LayoutJob { text: String::new(), sections: Vec::new(), ..job.clone() };
    for section in &job.sections {
        let text = escape(&job.text[section.byte_range.as_usize()]);
        shown.append(&text, section.leading_space, section.format.clone());
    }
    Some(ctx.fonts_mut(|fonts| fonts.layout_job(shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_in_any_text() {
        let ctx = Context::default();
        crate::ui::theme::install(&ctx);
        let texts = |output: &FullOutput| -> Vec<String> {
            let text = |shape: &Shape| match shape {
                Shape::Text(text) => Some(text.galley.text().to_owned()),
                _ => None,
            };
            output.shapes.iter().filter_map(|s| text(&s.shape)).collect()
        };
        let mut seen = Vec::new();
        for _ in 0..2 {
            let mut output = ctx.run_ui(egui::RawInput::default(), |ui| {
                ui.label("a\u{1b}[31mb\u{202e}c\nd");
                ui.label("plain · ✓");
            });
            seen = texts(&output);
            output.textures_delta.clear();
        }
        assert!(seen.contains(&"a\\u{1b}[31mb\\u{202e}c\nd".to_owned()), "{seen:?}");
        assert!(seen.contains(&"plain · ✓".to_owned()), "{seen:?}");
    }
}
