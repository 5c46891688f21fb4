//! Colour arithmetic: OKLCH, in which equal steps look equal, and the WCAG contrast ratio.

use egui::Color32;

/// The colour of lightness `l` (0 black, 1 white), chroma `c` (0 grey, 0.2 vivid) and hue `h` (degrees: 30
/// red, 90 yellow, 145 green, 250 blue, 320 magenta). Chroma is lowered until the screen can show it.
pub(super) fn oklch(l: f32, c: f32, h: f32) -> Color32 {
    let (sin, cos) = h.to_radians().sin_cos();
    let shown = (0..=20).map(|i| c * (1.0 - i as f32 * 0.05)).find_map(|c| {
        let rgb = linear_of_oklab([l, c * cos, c * sin]);
        rgb.iter().all(|v| (-0.002..=1.002).contains(v)).then_some(rgb)
    });
    to_color(shown.unwrap_or([l.powi(3); 3]))
}

/// `a` and `b` mixed in OKLab, so that no mixture looks dirty; `t` = 0 gives `a`, 1 gives `b`.
#[must_use]
pub fn mix(a: Color32, b: Color32, t: f32) -> Color32 {
    let (a, b) = (oklab(a), oklab(b));
    let t = if t.is_finite() { t.clamp(0.0, 1.0) } else { 0.0 };
    to_color(linear_of_oklab([0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)))
}

/// The least contrast with which text reads.
pub(super) const READS: f32 = 4.5;

/// Contrast of two opaque colours by WCAG 2: 1 (equal) to 21 (black on white). Text needs 4.5.
#[must_use]
pub fn contrast(a: Color32, b: Color32) -> f32 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(c: Color32) -> f32 {
    let [r, g, b] = linear(c);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

pub(super) fn linear(c: Color32) -> [f32; 3] {
    [c.r(), c.g(), c.b()].map(|v| {
        let v = f32::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    })
}

pub(super) fn to_color(linear: [f32; 3]) -> Color32 {
    let [r, g, b] = linear.map(|v| {
        let v = v.clamp(0.0, 1.0);
        let v = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v * 255.0).round() as u8
    });
    Color32::from_rgb(r, g, b)
}

/// Lightness and the two colour axes of OKLab.
pub(super) fn oklab(c: Color32) -> [f32; 3] {
    let [r, g, b] = linear(c);
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

fn linear_of_oklab([l, a, b]: [f32; 3]) -> [f32; 3] {
    let x = (l + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let y = (l - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let z = (l - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * x - 3.307_711_6 * y + 0.230_969_94 * z,
        -1.268_438 * x + 2.609_757_4 * y - 0.341_319_38 * z,
        -0.004_196_086_3 * x - 0.703_418_6 * y + 1.707_614_7 * z,
    ]
}
