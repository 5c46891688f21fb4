//! The look: the only place where colours, fonts and distances are chosen.
//!
//! Invariants, held by tests: every text level reads on every surface it is used on (contrast of at least
//! 4.5 to 1), so does the text on every span colour; meaning never rests on red against green.
//!
//! Views ask [`Palette::of`] for the colours of the current theme and use the distances in [`space`].

mod color;
mod fonts;
mod palette;
mod scales;
mod style;

pub use color::{contrast, mix};
pub use fonts::{STRONG, mono, regular, small, strong};
pub use palette::{Palette, Tone};
pub use scales::SpanColor;

/// Distances and sizes in points.
pub mod space {
    /// Between things that belong together.
    pub const SMALL: f32 = 4.0;
    /// Between widgets.
    pub const MEDIUM: f32 = 8.0;
    /// Around the contents of a panel or card.
    pub const LARGE: f32 = 12.0;
    /// Between groups.
    pub const HUGE: f32 = 20.0;
    /// Height of buttons, fields and tabs.
    pub const CONTROL: f32 = 24.0;
    /// Height of a table row.
    pub const ROW: f32 = 22.0;
    /// Height of a table's header row.
    pub const HEADER: f32 = 26.0;
    /// Height of one level of a flame chart.
    pub const SPAN: f32 = 18.0;
    /// Height of a time ruler.
    pub const RULER: f32 = 22.0;
    /// Corner radius of buttons, fields and cards.
    pub const RADIUS: u8 = 5;
    /// Corner radius of marks inside them: bars, pills of a segmented control.
    pub const RADIUS_SMALL: u8 = 3;
}

/// Sets fonts, text styles, spacing and the colours of both themes. Call once for each context.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts::definitions());
    ctx.add_plugin(super::plain::PlainText);
    for (theme, palette) in [(egui::Theme::Dark, Palette::dark()), (egui::Theme::Light, Palette::light())] {
        ctx.style_mut_of(theme, |s| style::apply(s, palette));
    }
}

#[cfg(test)]
mod tests;
