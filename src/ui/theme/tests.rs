//! What must read must read; what must differ must differ, for colour-blind people too.

use super::color::{linear, oklab, to_color};
use super::*;
use crate::model::Better;
use egui::Color32;

const TONES: [Tone; 5] = [Tone::Neutral, Tone::Info, Tone::Good, Tone::Warning, Tone::Bad];

fn both() -> [&'static Palette; 2] {
    [Palette::dark(), Palette::light()]
}

fn assert_reads(text: Color32, on: Color32, what: &str) {
    let ratio = contrast(text, on);
    assert!(ratio >= 4.5, "{what}: {text:?} on {on:?} has a contrast of {ratio:.2}");
}

#[test]
fn contrast_follows_wcag() {
    assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 0.01);
    assert!((contrast(Color32::from_gray(0x77), Color32::WHITE) - 4.48).abs() < 0.01);
    assert!((contrast(Color32::WHITE, Color32::WHITE) - 1.0).abs() < 1e-6);
}

#[test]
fn all_text_reads_on_every_surface() {
    for p in both() {
        let surfaces = [p.canvas, p.stripe, p.panel, p.raised, p.popup, p.hover];
        for on in surfaces {
            for (text, what) in
                [(p.text_strong, "strong"), (p.text, "text"), (p.text_weak, "weak"), (p.accent, "accent")]
            {
                assert_reads(text, on, what);
            }
        }
        for tone in TONES {
            for on in [p.canvas, p.stripe, p.panel, p.raised, p.popup] {
                assert_reads(p.tone(tone), on, &format!("{tone:?}"));
            }
            assert_reads(p.tone(tone), p.tone_fill(tone), &format!("{tone:?} on its fill"));
            assert_reads(p.text, p.tone_fill(tone), &format!("text on the fill of {tone:?}"));
        }
        assert_reads(p.on_accent, p.accent_fill, "on accent");
        for on in [p.selection, p.highlight] {
            assert_reads(p.text_strong, on, "strong on selection");
            assert_reads(p.text, on, "text on selection");
        }
        assert_reads(p.text_weak, p.selection, "weak on selection");
        assert!(contrast(p.line_strong, p.canvas) > contrast(p.line, p.canvas));
        assert!(
            contrast(p.text_strong, p.panel) > contrast(p.text, p.panel)
                && contrast(p.text, p.panel) > contrast(p.text_weak, p.panel)
        );
    }
}

#[test]
fn labels_read_on_every_data_colour() {
    for p in both() {
        for i in 0..p.span_colors() {
            assert_reads(p.span(i).text, p.span(i).fill, "span");
        }
        assert_reads(p.idle().text, p.idle().fill, "idle");
        assert_reads(p.text_on(p.gap().fill), p.gap().fill, "not placed");
        for i in 0..=100 {
            let t = i as f32 / 100.0;
            let heat = p.heat(t);
            assert_reads(p.text_on(heat), heat, "heat");
            for better in [Better::Lower, Better::Higher, Better::Neutral] {
                for change in [t, -t] {
                    let fill = p.diff(change, better);
                    // As it is, as what a search leaves out, as the ground of what is nested, and as what a run lacks.
                    let grounds =
                        [fill, p.dimmed(fill), mix(p.canvas, fill, 0.35), mix(p.canvas, fill, 0.25)];
                    for ground in grounds {
                        assert_reads(p.text_on(ground), ground, "diff");
                        assert_reads(p.quiet_on(ground), ground, "quiet on diff");
                    }
                    let text = p.as_text(fill);
                    assert_reads(text, p.canvas, "diff as text");
                    assert_reads(text, p.stripe, "diff as text on a stripe");
                }
            }
        }
    }
}

/// Distance in OKLab; 0.02 is about what one just sees.
fn distance(a: Color32, b: Color32) -> f32 {
    let (a, b) = (oklab(a), oklab(b));
    (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f32>().sqrt()
}

/// What a person without red (protan) or green (deutan) cones sees; Machado, Oliveira, Fernandes 2009.
fn colour_blind(c: Color32) -> [Color32; 2] {
    const PROTAN: [[f32; 3]; 3] = [
        [0.152_286, 1.052_583, -0.204_868],
        [0.114_503, 0.786_281, 0.099_216],
        [-0.003_882, -0.048_116, 1.051_998],
    ];
    const DEUTAN: [[f32; 3]; 3] = [
        [0.367_322, 0.860_646, -0.227_968],
        [0.280_085, 0.672_501, 0.047_413],
        [-0.011_820, 0.042_940, 0.968_881],
    ];
    let v = linear(c);
    [PROTAN, DEUTAN].map(|m| to_color(m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])))
}

#[test]
fn series_differ_for_everybody_and_from_the_canvas() {
    for p in both() {
        for i in 0..10 {
            assert!(contrast(p.series(i), p.canvas) >= 2.2, "series {i} on the canvas");
            for j in 0..i {
                let (a, b) = (p.series(i), p.series(j));
                assert!(distance(a, b) > 0.1, "series {j} and {i}: {}", distance(a, b));
                for (a, b) in colour_blind(a).into_iter().zip(colour_blind(b)) {
                    assert!(
                        distance(a, b) > 0.06,
                        "series {j} and {i} for the colour-blind: {}",
                        distance(a, b)
                    );
                }
            }
        }
    }
}

#[test]
fn spans_of_different_colours_look_different_beside_each_other() {
    for p in both() {
        let pairs = (0..p.span_colors()).flat_map(|i| (0..i).map(move |j| (i, j)));
        for (i, j) in pairs {
            let apart = distance(p.span(i).fill, p.span(j).fill);
            assert!(apart > 0.055, "{j} and {i}: {apart}");
        }
    }
}

#[test]
fn better_and_worse_differ_for_everybody() {
    for p in both() {
        for strength in [0.1, 0.5, 1.0] {
            let (worse, better) = (p.diff(strength, Better::Lower), p.diff(-strength, Better::Lower));
            for (a, b) in colour_blind(worse).into_iter().zip(colour_blind(better)) {
                assert!(distance(a, b) > 0.06, "{strength}: {}", distance(a, b));
            }
        }
        let tones = (p.tone(Tone::Good), p.tone(Tone::Bad));
        for (a, b) in colour_blind(tones.0).into_iter().zip(colour_blind(tones.1)) {
            assert!(distance(a, b) > 0.06);
        }
    }
}

#[test]
fn a_change_within_noise_is_neutral_and_direction_follows_the_metric() {
    let p = Palette::dark();
    assert_eq!(p.diff(0.01, Better::Lower), p.diff(-0.01, Better::Higher));
    assert_eq!(p.diff(f32::NAN, Better::Lower), p.diff(0.0, Better::Lower));
    assert_eq!(p.diff(0.5, Better::Lower), p.diff(-0.5, Better::Higher));
    assert_ne!(p.diff(0.5, Better::Lower), p.diff(-0.5, Better::Lower));
    assert_eq!(p.diff(7.0, Better::Lower), p.diff(1.0, Better::Lower));
}

#[test]
fn heat_grows_with_the_share() {
    for p in both() {
        let steps: Vec<f32> = (0..=10).map(|i| distance(p.heat(i as f32 / 10.0), p.heat(0.0))).collect();
        assert!(steps.windows(2).all(|w| w[1] > w[0]), "{steps:?}");
        assert_eq!(p.heat(f32::NAN), p.heat(0.0));
    }
}

#[test]
fn a_name_has_the_same_colour_in_every_version() {
    let p = Palette::dark();
    assert_eq!(["torch.nn", "main", "decode", ""].map(|name| p.span_index(name)), [21, 10, 11, 9]);
    for name in ["prefill", "time_to_first_token", "one after another", "aten::conv2d"] {
        assert_eq!(p.phase(name), p.span_named(name), "a phase and a span of one name look alike");
    }
    assert_eq!(p.phase("queued"), p.span_named("wait_in_queue"));
    assert_ne!(p.phase("prefill"), p.phase("decode"));
    assert_ne!(p.phase("tokenize"), p.phase("token_generation"));
    assert_eq!(p.phase("Unaccounted"), p.idle());
    assert_ne!(p.phase("one after another"), p.idle());
}

/// All symbols that texts of the interface use.
const SYMBOLS: &str = "▲▼▶◀▾▸●○■□→←↑↓↔…–—−×·•✓✗⚠≤≥≈µ∞«»±⌘⇧⏎";

#[test]
fn every_symbol_has_a_glyph_in_every_family() {
    let ctx = egui::Context::default();
    install(&ctx);
    ctx.run_ui(egui::RawInput::default(), |_| {}).drop_without_applying_deltas();
    for font in [regular(13.0), strong(13.0), mono(12.0)] {
        let missing: String =
            SYMBOLS.chars().filter(|&c| !ctx.fonts_mut(|f| f.has_glyph(&font, c))).collect();
        assert!(missing.is_empty(), "{font:?} lacks {missing}");
    }
}

#[test]
fn figures_are_of_equal_width() {
    let ctx = egui::Context::default();
    install(&ctx);
    ctx.run_ui(egui::RawInput::default(), |_| {}).drop_without_applying_deltas();
    let widths: Vec<f32> = ('0'..='9').map(|c| ctx.fonts_mut(|f| f.glyph_width(&regular(13.0), c))).collect();
    assert!(widths.iter().all(|w| (w - widths[0]).abs() < 1e-4), "{widths:?}");
}
