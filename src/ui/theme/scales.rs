//! Colours that carry data: spans, shares, differences, series, phases.
//!
//! Hues keep clear of red and green, which mean worse and better, and differ along blue to yellow and in
//! lightness, which colour-blind people see.

use super::color::{mix, oklch};
use super::palette::{Palette, Tone};
use crate::model::Better;
use egui::Color32;

/// Lightness, chroma and hue of spans: clay and amber, then teal over blue to mauve, twice. Chosen by a search for the largest
/// distance of any two, so that those of different colours look different beside each other.
const SPANS_DARK: [(f32, f32, f32); 24] = [
    (0.469, 0.10, 45.0),
    (0.521, 0.10, 85.0),
    (0.448, 0.083, 179.0),
    (0.558, 0.045, 198.0),
    (0.551, 0.10, 222.0),
    (0.502, 0.10, 245.0),
    (0.563, 0.10, 258.0),
    (0.42, 0.10, 277.0),
    (0.559, 0.10, 294.0),
    (0.454, 0.10, 310.0),
    (0.511, 0.098, 328.0),
    (0.477, 0.047, 347.0),
    (0.572, 0.10, 45.0),
    (0.42, 0.048, 84.0),
    (0.537, 0.099, 179.0),
    (0.496, 0.083, 207.0),
    (0.42, 0.046, 219.0),
    (0.439, 0.10, 242.0),
    (0.473, 0.048, 260.0),
    (0.534, 0.046, 277.0),
    (0.498, 0.10, 282.0),
    (0.42, 0.045, 310.0),
    (0.575, 0.10, 329.0),
    (0.42, 0.10, 347.0),
];
const SPANS_LIGHT: [(f32, f32, f32); 24] = [
    (0.746, 0.10, 55.0),
    (0.801, 0.10, 94.0),
    (0.745, 0.047, 170.0),
    (0.764, 0.10, 195.0),
    (0.905, 0.049, 213.0),
    (0.847, 0.10, 227.0),
    (0.745, 0.098, 270.0),
    (0.852, 0.059, 267.0),
    (0.808, 0.099, 297.0),
    (0.865, 0.099, 316.0),
    (0.785, 0.10, 338.0),
    (0.745, 0.045, 356.0),
    (0.834, 0.099, 46.0),
    (0.905, 0.069, 94.0),
    (0.811, 0.10, 170.0),
    (0.865, 0.099, 190.0),
    (0.822, 0.048, 205.0),
    (0.746, 0.10, 231.0),
    (0.77, 0.045, 249.0),
    (0.805, 0.099, 259.0),
    (0.905, 0.051, 303.0),
    (0.746, 0.097, 308.0),
    (0.817, 0.046, 328.0),
    (0.876, 0.072, 356.0),
];

/// A fill and the text that reads on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanColor {
    /// Of the box.
    pub fill: Color32,
    /// Of the label on it.
    pub text: Color32,
}

#[derive(Debug)]
pub(super) struct Scales {
    spans: Vec<SpanColor>,
    idle: SpanColor,
    series: [Color32; 10],
    heat: [Color32; 3],
    neutral: Color32,
    better: [Color32; 2],
    worse: [Color32; 2],
    changed: [Color32; 2],
}

impl Scales {
    pub(super) fn dark(canvas: Color32) -> Self {
        let neutral = oklch(0.40, 0.008, 262.0);
        let end = |c, h| [mix(neutral, oklch(0.62, c, h), 0.5), oklch(0.66, c, h)];
        Self {
            spans: spans(SPANS_DARK, Color32::WHITE),
            idle: SpanColor { fill: oklch(0.31, 0.008, 262.0), text: oklch(0.80, 0.008, 262.0) },
            series: SERIES_DARK.map(|(l, c, h)| oklch(l, c, h)),
            heat: [
                mix(canvas, oklch(0.5, 0.09, 75.0), 0.28),
                oklch(0.58, 0.105, 66.0),
                oklch(0.74, 0.155, 52.0),
            ],
            neutral,
            better: end(0.11, 178.0),
            worse: end(0.165, 38.0),
            changed: end(0.12, 290.0),
        }
    }

    pub(super) fn light(canvas: Color32) -> Self {
        let neutral = oklch(0.88, 0.006, 262.0);
        let end = |l, c, h| [mix(neutral, oklch(l, c, h), 0.5), oklch(l, c, h)];
        Self {
            spans: spans(SPANS_LIGHT, Color32::from_rgb(13, 16, 21)),
            idle: SpanColor { fill: oklch(0.93, 0.006, 262.0), text: oklch(0.42, 0.008, 262.0) },
            series: SERIES_LIGHT.map(|(l, c, h)| oklch(l, c, h)),
            heat: [
                mix(canvas, oklch(0.9, 0.07, 85.0), 0.35),
                oklch(0.85, 0.115, 76.0),
                oklch(0.70, 0.165, 50.0),
            ],
            neutral,
            better: end(0.72, 0.115, 178.0),
            worse: end(0.72, 0.165, 38.0),
            changed: end(0.74, 0.12, 290.0),
        }
    }
}

/// Lightness, chroma and hue of series, in the order in which charts take them. Chosen by a search for the
/// largest distance of any two, as everybody and as colour-blind people see them.
const SERIES_DARK: [(f32, f32, f32); 10] = [
    (0.705, 0.155, 252.0),
    (0.719, 0.129, 72.0),
    (0.704, 0.135, 166.0),
    (0.695, 0.153, 325.0),
    (0.87, 0.075, 228.0),
    (0.60, 0.155, 295.0),
    (0.87, 0.076, 108.0),
    (0.60, 0.14, 32.0),
    (0.781, 0.072, 302.0),
    (0.60, 0.05, 239.0),
];
const SERIES_LIGHT: [(f32, f32, f32); 10] = [
    (0.613, 0.165, 265.0),
    (0.619, 0.144, 67.0),
    (0.616, 0.127, 164.0),
    (0.593, 0.12, 324.0),
    (0.735, 0.142, 232.0),
    (0.47, 0.165, 299.0),
    (0.735, 0.155, 106.0),
    (0.47, 0.137, 46.0),
    (0.721, 0.05, 326.0),
    (0.47, 0.05, 241.0),
];

fn spans(colors: [(f32, f32, f32); 24], text: Color32) -> Vec<SpanColor> {
    colors.map(|(l, c, h)| SpanColor { fill: oklch(l, c, h), text }).into()
}

/// FNV-1a: the same colour for a name in every run, on every machine and in every version.
fn hash(text: &str) -> u64 {
    let fnv =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    fnv ^ (fnv >> 32)
}

impl Palette {
    /// A change of less than this part of the larger side is shown as none.
    pub const NOISE: f32 = 0.02;

    /// Number of different span colours.
    #[must_use]
    pub fn span_colors(&self) -> usize {
        self.scales.spans.len()
    }

    /// The span colour number `i`, counted round.
    #[must_use]
    pub fn span(&self, i: usize) -> SpanColor {
        self.scales.spans[i % self.scales.spans.len()]
    }

    /// Which span colour a name, module or category has; the same in every run and version.
    #[must_use]
    pub fn span_index(&self, name: &str) -> usize {
        (hash(name) % self.scales.spans.len() as u64) as usize
    }

    /// The colour of whatever has this name, in every view and run: a span, a phase, a module, a category, a model. Stages of a
    /// request are told apart wherever they stand; other colours come of the name.
    #[must_use]
    pub fn span_named(&self, name: &str) -> SpanColor {
        const KNOWN: [(&[&str], usize); 7] = [
            (&["queued", "queue", "queue_wait", "llm_queue_wait", "wait_in_queue"], 12),
            (&["load", "load model", "loading the model"], 1),
            (&["detokenize", "postprocessing"], 23),
            (&["decode", "token_generation"], 6),
            (&["prefill", "time_to_first_token"], 9),
            (&["tokenize", "preprocessing"], 16),
            (&["embedding_lookup", "retrieve"], 2),
        ];
        let known = KNOWN.iter().find(|(names, _)| names.contains(&name));
        self.span(known.map_or_else(|| self.span_index(name), |(_, i)| *i))
    }

    /// The colour of time in which nothing ran, and of what is left over.
    #[must_use]
    pub fn idle(&self) -> SpanColor {
        self.scales.idle
    }

    /// The colour of work of which no kind is known, or of one kind too many.
    #[must_use]
    pub fn other(&self) -> SpanColor {
        SpanColor { fill: mix(self.canvas, self.text_weak, 0.55), text: self.text }
    }

    /// The colour of a span that waits, by what it would have: what works stands out.
    #[must_use]
    pub fn waiting(&self, color: SpanColor) -> SpanColor {
        SpanColor { fill: mix(self.canvas, color.fill, 0.4), text: self.text }
    }

    /// The colour of a span in which something was ready to run and did not.
    #[must_use]
    pub fn held_up(&self) -> SpanColor {
        SpanColor { fill: mix(self.canvas, self.tone(Tone::Warning), 0.5), text: self.text }
    }

    /// The ground of a part that nothing is known of; stripes lie over it.
    #[must_use]
    pub fn gap(&self) -> SpanColor {
        SpanColor { fill: mix(self.canvas, self.scales.idle.fill, 0.4), text: self.text }
    }

    /// The stripes over it.
    #[must_use]
    pub fn stripes(&self) -> Color32 {
        self.scales.idle.fill
    }

    /// The colour of a phase of a run: that of its name, and none for what is left over.
    #[must_use]
    pub fn phase(&self, name: &str) -> SpanColor {
        // As a whole: «one after another» is no rest.
        let rest = ["idle", "unaccounted", "other"].iter().any(|rest| name.eq_ignore_ascii_case(rest));
        if rest { self.idle() } else { self.span_named(name) }
    }

    /// A phase's colour as the background behind a chart: faint, so that the chart reads.
    #[must_use]
    pub fn phase_shade(&self, name: &str) -> Color32 {
        mix(self.canvas, self.phase(name).fill, if self.dark { 0.30 } else { 0.34 })
    }

    /// The line colour of series number `i` of a chart, counted round after ten.
    #[must_use]
    pub fn series(&self, i: usize) -> Color32 {
        self.scales.series[i % self.scales.series.len()]
    }

    /// The colour of a share of 0 to 1 of the total: from the canvas to a warm signal.
    #[must_use]
    pub fn heat(&self, share: f32) -> Color32 {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        // Most shares are small; the root spreads them.
        let t = share.sqrt() * 2.0;
        let [cold, warm, hot] = self.scales.heat;
        if t < 1.0 { mix(cold, warm, t) } else { mix(warm, hot, t - 1.0) }
    }

    /// The colour of a change: `change` is the signed difference on a scale on which ±1 is as strong as it
    /// gets. Within ±0.02 it is noise and neutral. Greenish blue is better, orange worse, violet neither.
    #[must_use]
    pub fn diff(&self, change: f32, better: Better) -> Color32 {
        if change.is_nan() || change.abs() < Self::NOISE {
            return self.scales.neutral;
        }
        let strength = change.abs().min(1.0);
        let ends = match (better, change > 0.0) {
            (Better::Neutral, _) => self.scales.changed,
            (Better::Lower, true) | (Better::Higher, false) => self.scales.worse,
            (Better::Lower, false) | (Better::Higher, true) => self.scales.better,
        };
        mix(ends[0], ends[1], (strength - Self::NOISE) / (1.0 - Self::NOISE))
    }
}
