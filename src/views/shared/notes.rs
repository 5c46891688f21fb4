//! What a reader must know about the numbers of a pane: one badge beside its tab, with the texts on hover, so that no
//! line of them takes the room of data.

use egui::{Role, Ui, WidgetInfo};

use crate::ui::theme::Tone;
use crate::ui::widgets::pill;

/// Something that a reader must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How serious it is.
    pub tone: Tone,
    /// One or two words: «Estimated».
    pub short: &'static str,
    /// The whole of it.
    pub text: String,
}

/// The badge: the most serious note in short, the number of the others, all of them on hover.
pub fn badge(ui: &mut Ui, notes: &[Note]) {
    let severity = |note: &&Note| match note.tone {
        Tone::Bad => 0,
        Tone::Warning => 1,
        _ => 2,
    };
    let Some(first) = notes.iter().min_by_key(severity) else { return };
    let text = match notes.len() {
        1 => first.short.to_owned(),
        n => format!("{} +{}", first.short, n - 1),
    };
    let all = notes.iter().map(|note| note.text.as_str()).collect::<Vec<_>>().join("\n\n");
    let response = pill(ui, first.tone, &text);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &all));
    response.on_hover_text(all);
}
