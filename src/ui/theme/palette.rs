//! The colours of a theme by their use.

use super::color::{READS, contrast, mix, oklch};
use super::scales::Scales;
use egui::{Color32, Ui};
use std::sync::OnceLock;

/// What a mark or a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Nothing in particular.
    Neutral,
    /// Worth knowing.
    Info,
    /// Better, fine.
    Good,
    /// Needs a look.
    Warning,
    /// Worse, failed.
    Bad,
}

impl Tone {
    fn hue(self) -> Option<f32> {
        match self {
            Self::Neutral => None,
            Self::Info => Some(253.0),
            Self::Good => Some(172.0),
            Self::Warning => Some(82.0),
            Self::Bad => Some(31.0),
        }
    }
}

/// The colours of one theme. All are opaque.
#[derive(Debug)]
pub struct Palette {
    /// True for the dark theme.
    pub dark: bool,
    /// Behind charts, tables and text fields.
    pub canvas: Color32,
    /// Every second row of a table on the canvas.
    pub stripe: Color32,
    /// Behind panels.
    pub panel: Color32,
    /// Buttons, table headers, cards.
    pub raised: Color32,
    /// Menus, popups and tooltips.
    pub popup: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// Pressed, or the track of a bar.
    pub pressed: Color32,
    /// Grid lines, separators inside a view.
    pub line_faint: Color32,
    /// Borders.
    pub line: Color32,
    /// Borders under the pointer, axis lines.
    pub line_strong: Color32,
    /// Headings, selected things, the number that matters.
    pub text_strong: Color32,
    /// Ordinary text.
    pub text: Color32,
    /// Explanations, units, axis labels.
    pub text_weak: Color32,
    /// Links, focus, the current position.
    pub accent: Color32,
    /// Behind the one main action and filled progress.
    pub accent_fill: Color32,
    /// Text on [`Self::accent_fill`].
    pub on_accent: Color32,
    /// Behind a selected row or tab.
    pub selection: Color32,
    /// Behind a match of the search.
    pub highlight: Color32,
    good: Color32,
    warning: Color32,
    bad: Color32,
    pub(super) scales: Scales,
}

impl Palette {
    /// The colours of the theme that `ui` uses.
    #[must_use]
    pub fn of(ui: &Ui) -> &'static Self {
        if ui.visuals().dark_mode { Self::dark() } else { Self::light() }
    }

    /// The dark colours.
    #[must_use]
    pub fn dark() -> &'static Self {
        static DARK: OnceLock<Palette> = OnceLock::new();
        DARK.get_or_init(|| {
            let grey = |l| oklch(l, 0.009, 275.0);
            let canvas = grey(0.185);
            let accent = oklch(0.76, 0.115, 250.0);
            let warning = oklch(0.82, 0.125, 82.0);
            Self {
                dark: true,
                canvas,
                stripe: grey(0.203),
                panel: grey(0.222),
                raised: grey(0.262),
                popup: grey(0.255),
                hover: grey(0.295),
                pressed: grey(0.335),
                line_faint: grey(0.262),
                line: grey(0.335),
                line_strong: grey(0.47),
                text_strong: grey(0.965),
                text: grey(0.865),
                text_weak: grey(0.685),
                accent,
                accent_fill: oklch(0.53, 0.145, 255.0),
                on_accent: Color32::WHITE,
                selection: mix(canvas, accent, 0.225),
                highlight: mix(canvas, warning, 0.38),
                good: oklch(0.79, 0.115, 172.0),
                warning,
                bad: oklch(0.73, 0.15, 32.0),
                scales: Scales::dark(canvas),
            }
        })
    }

    /// The light colours.
    #[must_use]
    pub fn light() -> &'static Self {
        static LIGHT: OnceLock<Palette> = OnceLock::new();
        LIGHT.get_or_init(|| {
            let grey = |l| oklch(l, 0.004, 272.0);
            let canvas = Color32::WHITE;
            let accent = oklch(0.50, 0.16, 256.0);
            let warning = oklch(0.52, 0.11, 75.0);
            Self {
                dark: false,
                canvas,
                stripe: grey(0.984),
                panel: grey(0.972),
                raised: grey(0.95),
                popup: Color32::WHITE,
                hover: grey(0.932),
                pressed: grey(0.895),
                line_faint: grey(0.935),
                line: grey(0.875),
                line_strong: grey(0.74),
                text_strong: grey(0.17),
                text: grey(0.31),
                text_weak: grey(0.495),
                accent,
                accent_fill: oklch(0.53, 0.155, 256.0),
                on_accent: Color32::WHITE,
                selection: mix(canvas, accent, 0.14),
                highlight: oklch(0.93, 0.085, 95.0),
                good: oklch(0.50, 0.10, 172.0),
                warning,
                bad: oklch(0.53, 0.18, 31.0),
                scales: Scales::light(canvas),
            }
        })
    }

    /// The colour of a text or mark of `tone`; reads on every surface and on [`Self::tone_fill`].
    #[must_use]
    pub fn tone(&self, tone: Tone) -> Color32 {
        match tone {
            Tone::Neutral => self.text_weak,
            Tone::Info => self.accent,
            Tone::Good => self.good,
            Tone::Warning => self.warning,
            Tone::Bad => self.bad,
        }
    }

    /// A quiet background for a notice or pill of `tone`.
    #[must_use]
    pub fn tone_fill(&self, tone: Tone) -> Color32 {
        match tone.hue() {
            None => self.raised,
            Some(hue) if self.dark => oklch(0.275, 0.035, hue),
            Some(hue) => oklch(0.957, 0.028, hue),
        }
    }

    /// The border that goes with [`Self::tone_fill`].
    #[must_use]
    pub fn tone_line(&self, tone: Tone) -> Color32 {
        match tone.hue() {
            None => self.line,
            Some(hue) if self.dark => oklch(0.41, 0.06, hue),
            Some(hue) => oklch(0.85, 0.07, hue),
        }
    }

    /// The text colour that reads better on `fill`: ink or white. One of them always has a contrast of 4.5.
    #[must_use]
    pub fn text_on(&self, fill: Color32) -> Color32 {
        if contrast(Color32::BLACK, fill) >= contrast(Color32::WHITE, fill) {
            Color32::BLACK
        } else {
            Color32::WHITE
        }
    }

    /// The quieter ink on `fill`, for figures beside a name and for what a search leaves out. It reads as well.
    #[must_use]
    pub fn quiet_on(&self, fill: Color32) -> Color32 {
        let ink = self.text_on(fill);
        let inks = [self.text_weak, mix(ink, fill, 0.2)];
        inks.into_iter().find(|&ink| contrast(ink, fill) >= READS).unwrap_or(ink)
    }

    /// `color` so near to the colour of texts that it reads as one on the ground of a view.
    #[must_use]
    pub fn as_text(&self, color: Color32) -> Color32 {
        let near = (0..=10).map(|i| mix(color, self.text_strong, i as f32 / 10.0));
        let reads = |c: &Color32| [self.canvas, self.stripe].iter().all(|&on| contrast(*c, on) >= READS);
        near.into_iter().find(reads).unwrap_or(self.text_strong)
    }

    /// `color` for a thing that the search or selection leaves out.
    #[must_use]
    pub fn dimmed(&self, color: Color32) -> Color32 {
        mix(color, self.canvas, 0.72)
    }

    /// `color` for a thing under the pointer.
    #[must_use]
    pub fn hovered(&self, color: Color32) -> Color32 {
        mix(color, self.text_strong, 0.22)
    }
}
