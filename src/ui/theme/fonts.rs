//! Typefaces: Inter for text with figures of equal width, JetBrains Mono for code.
//!
//! egui cannot switch on OpenType features, so the tabular figures come from a tiny font of their own that
//! stands before Inter. egui's own fonts follow as fallbacks for symbols. System fonts are not used: text
//! looks the same everywhere.

use egui::{FontData, FontDefinitions, FontFamily, FontId};
use std::sync::Arc;

/// Name of the family for emphasis: Inter SemiBold.
pub const STRONG: &str = "strong";

/// Text of `size` points.
#[must_use]
pub fn regular(size: f32) -> FontId {
    FontId::proportional(size)
}

/// Emphasised text of `size` points.
#[must_use]
pub fn strong(size: f32) -> FontId {
    FontId::new(size, FontFamily::Name(STRONG.into()))
}

/// Code of `size` points.
#[must_use]
pub fn mono(size: f32) -> FontId {
    FontId::monospace(size)
}

/// The small text of labels on axes and in pills.
#[must_use]
pub fn small() -> FontId {
    FontId::proportional(11.0)
}

pub(super) fn definitions() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let fallback: Vec<String> = ["Hack", "Ubuntu-Light"]
        .into_iter()
        .filter(|name| fonts.font_data.contains_key(*name))
        .map(str::to_owned)
        .collect();
    let files: [(&str, &'static [u8]); 5] = [
        ("Inter", include_bytes!("../../../assets/fonts/Inter-Regular.otf")),
        ("Inter SemiBold", include_bytes!("../../../assets/fonts/Inter-SemiBold.otf")),
        ("InterDigits", include_bytes!("../../../assets/fonts/InterDigits-Regular.otf")),
        ("InterDigits SemiBold", include_bytes!("../../../assets/fonts/InterDigits-SemiBold.otf")),
        ("JetBrains Mono", include_bytes!("../../../assets/fonts/JetBrainsMono-Regular.ttf")),
    ];
    for (name, bytes) in files {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
    }
    let families = [
        (FontFamily::Proportional, vec!["InterDigits", "Inter"]),
        (FontFamily::Name(STRONG.into()), vec!["InterDigits SemiBold", "Inter SemiBold", "Inter"]),
        (FontFamily::Monospace, vec!["JetBrains Mono", "Inter"]),
    ];
    for (family, names) in families {
        let names = names.into_iter().map(str::to_owned).chain(fallback.iter().cloned()).collect();
        fonts.families.insert(family, names);
    }
    fonts
}
