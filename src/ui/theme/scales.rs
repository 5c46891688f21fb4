//! Colours that carry data: spans, shares, differences, series, phases.
//!
//! Hues keep clear of red and green, which mean worse and better, and differ along blue to yellow and in
//! lightness, which colour-blind people see.

use super::color::{mix, oklch};
use super::palette::Palette;
use crate::model::Better;
use egui::Color32;

/// Hues of spans: amber and sand, then cyan over blue to mauve.
const SPAN_HUES: [f32; 12] =
    [62.0, 82.0, 100.0, 192.0, 212.0, 230.0, 247.0, 264.0, 282.0, 300.0, 318.0, 336.0];

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
            spans: spans([(0.47, 0.078), (0.55, 0.082)], Color32::WHITE),
            idle: SpanColor { fill: oklch(0.31, 0.008, 262.0), text: oklch(0.80, 0.008, 262.0) },
            series: SERIES_HUES.map(|(l, c, h)| oklch(l + 0.10, c, h)),
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
            spans: spans([(0.80, 0.085), (0.88, 0.062)], Color32::from_rgb(13, 16, 21)),
            idle: SpanColor { fill: oklch(0.93, 0.006, 262.0), text: oklch(0.42, 0.008, 262.0) },
            series: SERIES_HUES.map(|(l, c, h)| oklch(l - 0.06, c, h)),
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

/// Lightness, chroma and hue of series, in the order in which charts take them. Chosen by a search
/// for the largest distance of any two, as everybody and as colour-blind people see them.
const SERIES_HUES: [(f32, f32, f32); 10] = [
    (0.58, 0.168, 253.0),
    (0.60, 0.165, 74.0),
    (0.626, 0.101, 168.0),
    (0.572, 0.17, 333.0),
    (0.78, 0.074, 220.0),
    (0.44, 0.17, 303.0),
    (0.758, 0.157, 104.0),
    (0.474, 0.151, 23.0),
    (0.711, 0.123, 309.0),
    (0.461, 0.05, 236.0),
];

fn spans(variants: [(f32, f32); 2], text: Color32) -> Vec<SpanColor> {
    let color = |&(l, c): &(f32, f32)| SPAN_HUES.map(|h| SpanColor { fill: oklch(l, c, h), text });
    variants.iter().flat_map(color).collect()
}

/// FNV-1a: the same colour for a name in every run, on every machine and in every version.
fn hash(text: &str) -> u64 {
    let fnv =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
    fnv ^ (fnv >> 32)
}

impl Palette {
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

    /// The colour of a span by its name, module or category.
    #[must_use]
    pub fn span_named(&self, name: &str) -> SpanColor {
        self.span(self.span_index(name))
    }

    /// The colour of time in which nothing ran, and of what is left over.
    #[must_use]
    pub fn idle(&self) -> SpanColor {
        self.scales.idle
    }

    /// The colour of a phase of a run (`prefill`, `decode` …): fixed for the known ones, by name otherwise.
    #[must_use]
    pub fn phase(&self, name: &str) -> SpanColor {
        const KNOWN: [(&[&str], usize); 8] = [
            (&["idle", "unaccounted", "other"], usize::MAX),
            (&["queue", "wait"], 0),
            (&["download", "load", "to_device", "to-device", "warm"], 10),
            (&["detoken", "postproc", "sampl"], 16),
            (&["token_gen", "decode", "generat"], 6),
            (&["prefill", "first_token", "prompt"], 20),
            (&["token", "preproc"], 14),
            (&["embed", "retriev", "rerank", "search"], 3),
        ];
        let lower = name.to_ascii_lowercase();
        let known = KNOWN.iter().find(|(parts, _)| parts.iter().any(|part| lower.contains(part)));
        match known {
            Some((_, usize::MAX)) => self.idle(),
            Some((_, i)) => self.span(*i),
            None => self.span_named(name),
        }
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
        const NOISE: f32 = 0.02;
        if change.is_nan() || change.abs() < NOISE {
            return self.scales.neutral;
        }
        let strength = change.abs().min(1.0);
        let ends = match (better, change > 0.0) {
            (Better::Neutral, _) => self.scales.changed,
            (Better::Lower, true) | (Better::Higher, false) => self.scales.worse,
            (Better::Lower, false) | (Better::Higher, true) => self.scales.better,
        };
        mix(ends[0], ends[1], (strength - NOISE) / (1.0 - NOISE))
    }
}
