//! All building blocks on one page: to look at, and as a snapshot test of the look.

use super::icons::{self, Icon};
use super::software::{Headless, encode_png};
use super::text::{LabelStyle, TextCache, TextKey};
use super::theme::{Palette, Tone, mono, regular, small, space, strong};
use super::timeaxis::TimeAxis;
use super::widgets::*;
use crate::model::{Better, MetricKey, Unit};
use egui::{
    Align, Color32, Frame, Label, Margin, Rect, RichText, Sense, Stroke, Theme, Ui, UiBuilder, pos2, vec2,
};
use std::borrow::Cow;

const TONES: [(Tone, &str); 5] = [
    (Tone::Neutral, "neutral"),
    (Tone::Info, "info"),
    (Tone::Good, "good"),
    (Tone::Warning, "warning"),
    (Tone::Bad, "bad"),
];

struct State {
    search: String,
    lost: String,
    empty: String,
    form: u8,
    metric: MetricKey,
    checked: bool,
    slider: f64,
    on: bool,
    texts: TextCache,
}

impl Default for State {
    fn default() -> Self {
        Self {
            search: "attention".to_owned(),
            lost: "atention".to_owned(),
            empty: String::new(),
            form: 1,
            metric: MetricKey::declared("time"),
            checked: true,
            slider: 0.4,
            on: true,
            texts: TextCache::default(),
        }
    }
}

fn card(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui)) {
    let palette = Palette::of(ui);
    section_heading(ui, title);
    Frame::new()
        .fill(palette.canvas)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(space::RADIUS)
        .inner_margin(Margin::same(10))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            add(ui);
        });
    ui.add_space(space::SMALL);
}

fn text_levels(ui: &mut Ui) {
    let p = Palette::of(ui);
    let surfaces = [
        (p.canvas, "canvas"),
        (p.stripe, "stripe"),
        (p.panel, "panel"),
        (p.raised, "raised"),
        (p.hover, "hover"),
        (p.selection, "selection"),
    ];
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (fill, name) in surfaces {
            Frame::new()
                .fill(fill)
                .stroke(Stroke::new(1.0, p.line_faint))
                .corner_radius(4)
                .inner_margin(7)
                .show(ui, |ui| {
                    ui.vertical(|ui| {
                        ui.set_width(58.0);
                        ui.spacing_mut().item_spacing.y = 2.0;
                        for (color, level) in [
                            (p.text_strong, "Strong"),
                            (p.text, "Normal"),
                            (p.text_weak, "Weak"),
                            (p.accent, "Accent"),
                        ] {
                            ui.label(RichText::new(level).color(color));
                        }
                        ui.label(RichText::new(name).font(small()).color(p.text_weak));
                    });
                });
        }
    });
    ui.heading("Heading 17 – 1 234.5 ms");
    ui.label("Body 13: Time to first token 0123456789 · 12.3 µs → 4.56 ms ≤ 100 %");
    ui.label(RichText::new("Strong 13: decode is 2.50× slower than the base run").font(strong(13.0)));
    ui.label(RichText::new("Monospace 12: fn forward(&self, x: &Tensor) -> Result<Tensor>").font(mono(12.0)));
    ui.label(
        RichText::new("Small 11: 1 024 samples every 1 ms, 3 lost ▲▼▶●").font(small()).color(p.text_weak),
    );
}

fn swatches(ui: &mut Ui) {
    let p = Palette::of(ui);
    let strip = |ui: &mut Ui, n: usize, height: f32, color: &dyn Fn(usize) -> (Color32, Color32, String)| {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        let w = rect.width() / n as f32;
        for i in 0..n {
            let (fill, text, label) = color(i);
            let cell =
                Rect::from_min_size(pos2(rect.left() + w * i as f32, rect.top()), vec2(w - 1.0, height));
            ui.painter().rect_filled(cell, 0.0, fill);
            ui.painter().text(cell.center(), egui::Align2::CENTER_CENTER, label, small(), text);
        }
    };
    let title = |ui: &mut Ui, text: &str| ui.label(RichText::new(text).font(small()).color(p.text_weak));
    ui.spacing_mut().item_spacing.y = 2.0;
    title(ui, "Spans");
    for row in 0..2 {
        strip(ui, 12, 20.0, &|i| {
            (p.span(row * 12 + i).fill, p.span(row * 12 + i).text, format!("{}", row * 12 + i))
        });
    }
    title(ui, "Share: 0 to 100 %");
    strip(ui, 11, 20.0, &|i| {
        let fill = p.heat(i as f32 / 10.0);
        (fill, p.text_on(fill), format!("{}", i * 10))
    });
    title(ui, "Change: −100 to +100 %, less is better; below, neither is better");
    for better in [Better::Lower, Better::Neutral] {
        strip(ui, 11, 20.0, &|i| {
            let change = i as f32 / 5.0 - 1.0;
            let fill = p.diff(change, better);
            (fill, p.text_on(fill), format!("{:+.0}", change * 100.0))
        });
    }
    title(ui, "Series");
    strip(ui, 10, 20.0, &|i| (p.series(i), p.text_on(p.series(i)), format!("{i}")));
    title(ui, "Phases and their shades");
    let phases = ["load", "queue", "tokenize", "prefill", "decode", "sample", "retrieve", "idle"];
    strip(ui, 8, 20.0, &|i| (p.phase(phases[i]).fill, p.phase(phases[i]).text, phases[i].to_owned()));
    strip(ui, 8, 14.0, &|i| (p.phase_shade(phases[i]), p.text, String::new()));
}

fn controls(ui: &mut Ui, s: &mut State) {
    ui.horizontal(|ui| {
        let _ = primary_button(ui, "Record…");
        let _ = ui.button("Open file…");
        ui.add_enabled(false, egui::Button::new("Disabled"));
        let _ = link_button(ui, "Show details");
        icon_button(ui, Icon::Copy, "Copy");
        toggle_button(ui, Icon::Compare, "Compare", &mut s.on);
    });
    ui.horizontal(|ui| {
        let shortcut =
            egui::KeyboardShortcut::new(egui::Modifiers::CTRL | egui::Modifiers::SHIFT, egui::Key::P);
        shortcut_hint(ui, &shortcut);
    });
    ui.horizontal(|ui| {
        ui.checkbox(&mut s.checked, "Merge threads");
        ui.radio_value(&mut s.form, 1, "Per token");
        ui.add(egui::Slider::new(&mut s.slider, 0.0..=1.0).show_value(false)).accessible_name("Threshold");
        ui.add(egui::DragValue::new(&mut s.slider)).accessible_name("Threshold value");
    });
    ui.horizontal(|ui| {
        segmented(
            ui,
            "Form of the chart",
            &mut s.form,
            &[(0, "Time order"), (1, "Left heavy"), (2, "Sandwich")],
        );
        let metrics = [
            ("time", "Time", Unit::Nanoseconds),
            ("bytes", "Allocated", Unit::Bytes),
            ("Ir", "Instructions", Unit::Count),
        ]
        .map(|(key, label, unit)| MetricChoice {
            key: MetricKey::declared(key),
            label: label.into(),
            unit,
        });
        metric_picker(ui, "gallery", &metrics, &mut s.metric);
    });
    ui.horizontal(|ui| {
        SearchBox::new("Find function", &mut s.search).matches(Some(2), 1234).width(230.0).show(ui);
        SearchBox::new("Find request", &mut s.lost).matches(None, 0).width(165.0).show(ui);
        SearchBox::new("Filter", &mut s.empty).width(90.0).show(ui);
    });
    ui.horizontal(|ui| {
        for (tone, name) in TONES {
            pill(ui, tone, name);
        }
        pill(ui, Tone::Neutral, "12 403 spans");
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 7.0;
        for icon in icons::ALL {
            icon.show(ui, 16.0, Tone::Neutral);
        }
    });
    ui.horizontal(|ui| {
        for (i, name) in ["RSS", "KV cache", "Weights", "VRAM"].iter().enumerate() {
            let color = Palette::of(ui).series(i);
            legend_item(ui, color, name);
        }
    });
    progress_row(ui, "Reading resnet50_trace.json.gz", Some(0.42), "Cancel");
    progress_row(ui, "Laying out the graph of 12 403 functions and all their edges", None, "Cancel");
}

fn notices(ui: &mut Ui) {
    Notice::new(Tone::Info, "This tree is estimated from the call graph: cProfile keeps no paths.")
        .action("Why?")
        .show(ui);
    Notice::new(Tone::Warning, "Opened with 3 kinds of warnings: 17 events without an end were drawn to the end of the trace, 2 had no name, and 1 counter went backwards.").action("Show").dismissable().show(ui);
    Notice::new(Tone::Bad, "The recording lost 1 204 events because the buffer was full.").show(ui);
    Notice::new(Tone::Good, "Saved as run-2024-11-22.json.gz.").dismissable().show(ui);
    ui.add_space(4.0);
    KeyValues::new(ui, 130.0)
        .row("Model", "tiny.q8_0.gguf")
        .row("Time to first token", "153 ms")
        .toned("Cost", "$0.0123", Some(Tone::Warning))
        .row("Cache hit rate", "–");
}

fn flame(ui: &mut Ui, s: &mut State) {
    const NAMES: [(&str, f64, f64, u32); 15] = [
        ("generate", 0.0, 100.0, 0),
        ("prefill", 1.0, 38.0, 1),
        ("decode step 1", 39.0, 58.0, 1),
        ("decode step 2", 58.5, 78.0, 1),
        ("decode step 3", 78.5, 99.0, 1),
        ("LlamaModel::forward", 2.0, 37.0, 2),
        ("LlamaModel::forward", 40.0, 57.0, 2),
        ("LlamaModel::forward", 59.0, 77.0, 2),
        ("LlamaModel::forward", 79.0, 97.0, 2),
        ("scaled_dot_product_attention", 3.0, 16.0, 3),
        ("mlp.gate_proj", 16.5, 30.0, 3),
        ("rms_norm", 30.5, 36.0, 3),
        ("attention", 41.0, 48.0, 3),
        ("mlp", 48.3, 56.0, 3),
        ("qmatmul", 60.0, 75.0, 3),
    ];
    let p = Palette::of(ui);
    let (rect, _) = ui.allocate_exact_size(
        vec2(ui.available_width(), space::RULER + 4.0 * space::SPAN + 6.0),
        Sense::hover(),
    );
    let ruler = Rect::from_min_size(rect.min, vec2(rect.width(), space::RULER));
    let chart = Rect::from_min_max(pos2(rect.left(), ruler.bottom()), rect.max);
    let axis = TimeAxis::layout(0.0, 100e6, rect.x_range());
    axis.paint_grid(ui.painter(), chart, p);
    axis.paint_ruler(ui.painter(), ruler, Some(46.84e6), p);
    let painter = ui.painter().clone();
    let mut texts = s.texts.begin(&painter);
    for (name, t0, t1, depth) in NAMES {
        let y = chart.top() + 3.0 + depth as f32 * space::SPAN;
        let area = Rect::from_min_max(
            pos2(axis.x_of(t0 * 1e6), y),
            pos2(axis.x_of(t1 * 1e6) - 1.0, y + space::SPAN - 1.0),
        );
        let color = p.span_named(name);
        painter.rect_filled(area, 0.0, color.fill);
        let style = LabelStyle::new(12.0);
        painter.extend(texts.label(area, TextKey::of(name), style, color.text, || Cow::Borrowed(name)));
    }
    axis.paint_cursor(ui.painter(), chart, 46.84e6, p);
    ui.add_space(6.0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), space::RULER), Sense::hover());
    TimeAxis::layout(5_123_456_789.0, 5_123_459_789.0, rect.x_range()).paint_ruler(
        ui.painter(),
        rect,
        None,
        p,
    );
}

fn table(ui: &mut Ui) {
    const ROWS: [(&str, f64, f64, &str); 7] = [
        ("generate", 1.0, 0.0, "100 %"),
        ("LlamaModel::forward", 0.913, -0.12, "91.3 %"),
        ("scaled_dot_product_attention", 0.474, 0.55, "47.4 %"),
        ("candle_core::quantized::k_quants::matmul", 0.31, -0.35, "31.0 %"),
        ("tokenizers::tokenizer::encode", 0.0312, 0.04, "3.1 %"),
        ("sample_token", 0.0004, 0.9, "<0.1 %"),
        ("detokenize", 0.0, 0.0, "–"),
    ];
    let p = Palette::of(ui);
    let full = ui.available_rect_before_wrap();
    let widths = [0.42, 0.16, 0.2, 0.22];
    let height = space::HEADER + ROWS.len() as f32 * space::ROW;
    let (all, _) = ui.allocate_exact_size(vec2(full.width(), height), Sense::hover());
    let mut cell = |row: Option<usize>, column: usize, add: &mut dyn FnMut(&mut Ui)| {
        let x = all.left() + all.width() * widths[..column].iter().sum::<f32>();
        let (y, h) = row.map_or((all.top(), space::HEADER), |r| {
            (all.top() + space::HEADER + r as f32 * space::ROW, space::ROW)
        });
        let rect = Rect::from_min_size(pos2(x, y), vec2(all.width() * widths[column], h));
        let mut child = ui.new_child(UiBuilder::new().max_rect(rect).id_salt((row, column)));
        if column == 0
            && let Some(r) = row
        {
            let line = Rect::from_min_max(rect.min, pos2(all.right(), rect.bottom()));
            row_background(&child, line, r as u64, r == 2, r == 4);
        }
        add(&mut child);
    };
    let heads = [
        ("Function", None),
        ("Self", None),
        ("Total", Some(crate::format::Order::Descending)),
        ("Δ Total", None),
    ];
    for (i, (label, sort)) in heads.into_iter().enumerate() {
        let align = if i == 0 { Align::LEFT } else { Align::RIGHT };
        cell(None, i, &mut |ui| {
            header_cell(ui, label, align, sort);
        });
    }
    let times = ["1 234.5", "1 127.0", "585.1", "382.7", "38.52", "0.49", "–"];
    for (r, (name, share, change, percent)) in ROWS.into_iter().enumerate() {
        cell(Some(r), 0, &mut |ui| {
            cell_text(ui, name, &Cell { font: regular(13.0), ..Cell::text(p) });
        });
        cell(Some(r), 1, &mut |ui| {
            cell_text(ui, times[r], &Cell::number(p));
        });
        cell(Some(r), 2, &mut |ui| {
            share_bar(ui, Some(share), percent, &Cell::number(p));
        });
        let text = crate::format::percent_change(change);
        cell(Some(r), 3, &mut |ui| {
            delta_bar(ui, Some(change), p.diff(change as f32, Better::Lower), &text, &Cell::number(p));
        });
    }
}

fn gallery(ui: &mut Ui, s: &mut State) {
    Frame::new().fill(Palette::of(ui).panel).inner_margin(14).show(ui, |ui| {
        ui.columns_const(|[a, b, c]| {
            card(a, "Text levels on their surfaces", text_levels);
            card(a, "Data colours", swatches);
            card(b, "Controls", |ui| controls(ui, s));
            card(b, "Notices and facts", notices);
            card(c, "Time axis and spans", |ui| flame(ui, s));
            card(c, "Table", table);
            card(c, "Nothing to show", |ui| {
                ui.set_height(210.0);
                EmptyState::new(Icon::Flame, "No time order in this file", "cProfile adds up calls and keeps no times. Open a trace, or record the program with inferscope.").action("Record…").show(ui);
            });
        });
    });
    ui.add(Label::new(""));
}

fn picture(theme: Theme, size: egui::Vec2, scale: f32) -> image::RgbaImage {
    let mut state = State::default();
    let mut headless = Headless::new(size, scale, theme).unwrap();
    for _ in 0..3 {
        headless.pass(Vec::new(), |ui| gallery(ui, &mut state));
    }
    headless.image().unwrap()
}

#[test]
fn gallery_looks_as_before() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(Theme::Dark, "gallery_dark"), (Theme::Light, "gallery_light")] {
        let options = egui_kittest::SnapshotOptions::new().output_path("tests/snapshots/ui");
        let image = picture(theme, vec2(1600.0, 720.0), 1.0);
        results.add(egui_kittest::try_image_snapshot_options(&image, name, &options));
    }
}

/// Pictures to look at: `cargo test --lib gallery_pictures -- --ignored`.
#[test]
#[ignore = "writes pictures to look at"]
fn gallery_pictures() {
    for (theme, name) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let image = picture(theme, vec2(1600.0, 1000.0), 2.0);
        std::fs::write(format!("target/gallery-{name}.png"), encode_png(&image).unwrap()).unwrap();
    }
}

/// Milliseconds of a dense frame: `cargo test --lib gallery_speed -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn gallery_speed() {
    for scale in [1.0, 2.0] {
        let mut state = State::default();
        let mut headless = Headless::new(vec2(1600.0, 1000.0), scale, Theme::Dark).unwrap();
        let mut clock = std::time::Instant::now();
        let mut lap =
            || std::mem::replace(&mut clock, std::time::Instant::now()).elapsed().as_secs_f64() * 1e3;
        for frame in 0..3 {
            headless.pass(Vec::new(), |ui| {
                gallery(ui, &mut state);
                dense(ui);
            });
            let pass = lap();
            headless.image().unwrap();
            println!("scale {scale}, frame {frame}: pass {pass:.1} ms, tessellate and draw {:.1} ms", lap());
        }
    }
}

/// 20 000 spans and a line of 4000 points.
fn dense(ui: &Ui) {
    let p = Palette::of(ui);
    let mut mesh = egui::Mesh::default();
    for i in 0..20_000_usize {
        let (x, y) = ((i % 400) as f32 * 4.0, 600.0 + (i / 400) as f32 * 8.0);
        mesh.add_colored_rect(Rect::from_min_size(pos2(x, y), vec2(3.5, 7.0)), p.span(i * 7 % 24).fill);
    }
    ui.painter().add(egui::Shape::mesh(mesh));
    let wave = |i: usize| pos2(i as f32 * 0.4, 800.0 + (i as f32 * 0.01).sin() * 150.0);
    ui.painter().line((0..4000).map(wave).collect(), Stroke::new(1.5, p.series(0)));
}
