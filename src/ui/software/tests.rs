//! The fast way and the general way draw the same; what is asked is drawn; nonsense draws nothing.

use super::*;
use egui::epaint::Vertex;
use egui::{Pos2, Rect, Theme, pos2, vec2};

fn white() -> Software {
    let mut software = Software::default();
    let image = ColorImage::filled([1, 1], Color32::WHITE);
    software
        .textures
        .insert(TextureId::default(), Texture { size: [1, 1], pixels: image.pixels, linear: true });
    software
}

fn primitive(mesh: Mesh, clip: Rect) -> ClippedPrimitive {
    ClippedPrimitive { clip_rect: clip, primitive: Primitive::Mesh(mesh) }
}

fn everything() -> Rect {
    Rect::from_min_size(Pos2::ZERO, vec2(1e6, 1e6))
}

#[test]
fn a_rectangle_covers_exactly_its_pixels_within_the_clip() {
    let mut mesh = Mesh::default();
    mesh.add_colored_rect(Rect::from_min_max(pos2(1.0, 1.0), pos2(3.0, 3.0)), Color32::RED);
    let clip = Rect::from_min_max(pos2(0.0, 0.0), pos2(2.0, 9.0));
    let image = white().paint([4, 4], 1.0, Color32::BLACK, &[primitive(mesh, clip)]).unwrap();
    let red: Vec<usize> = (0..16).filter(|&i| image.pixels[i] == Color32::RED).collect();
    assert_eq!(red, [5, 9]);
}

#[test]
fn neighbouring_triangles_cover_each_pixel_once() {
    let mut mesh = Mesh::default();
    let half = Color32::from_rgba_premultiplied(64, 64, 64, 128);
    for p in [pos2(0.0, 0.0), pos2(8.0, 0.0), pos2(0.0, 8.0), pos2(8.0, 8.0)] {
        mesh.colored_vertex(p, half);
    }
    mesh.add_triangle(0, 1, 2);
    mesh.add_triangle(3, 2, 1);
    let image = white().paint([8, 8], 1.0, Color32::BLACK, &[primitive(mesh, everything())]).unwrap();
    assert!(image.pixels.iter().all(|&p| p == image.pixels[0]), "a seam: {:?}", image.pixels);
}

#[test]
fn colours_are_blended_premultiplied_in_gamma_space() {
    let mut mesh = Mesh::default();
    let half_white = Color32::from_rgba_premultiplied(128, 128, 128, 128);
    mesh.add_colored_rect(Rect::from_min_size(Pos2::ZERO, vec2(1.0, 1.0)), half_white);
    let image =
        white().paint([1, 1], 1.0, Color32::from_gray(100), &[primitive(mesh, everything())]).unwrap();
    assert_eq!(image.pixels[0], Color32::from_gray(178));
}

#[test]
fn a_gradient_is_linear() {
    let mut mesh = Mesh::default();
    for (p, c) in
        [(pos2(0.0, 0.0), 0), (pos2(100.0, 0.0), 200), (pos2(0.0, 100.0), 0), (pos2(100.0, 100.0), 200)]
    {
        mesh.colored_vertex(p, Color32::from_gray(c));
    }
    mesh.add_triangle(0, 1, 2);
    mesh.add_triangle(2, 1, 3);
    let image = white().paint([100, 100], 1.0, Color32::BLACK, &[primitive(mesh, everything())]).unwrap();
    for (x, y) in [(0, 0), (25, 70), (50, 50), (99, 99)] {
        assert!((f32::from(image[(x, y)].r()) - (x as f32 + 0.5) * 2.0).abs() <= 1.0);
    }
}

#[test]
fn nonsense_draws_nothing_and_does_not_panic() {
    let mut mesh = Mesh::default();
    let far = [f32::NAN, f32::INFINITY, -1e30, 1e30, 0.5];
    for &x in &far {
        for &y in &far {
            mesh.vertices.push(Vertex { pos: pos2(x, y), uv: pos2(y, x), color: Color32::RED });
        }
    }
    mesh.indices =
        (0..25u32).flat_map(|a| [a, (a * 7) % 25, (a * 11 + 3) % 25]).chain([0, 1, 900, 2, 2]).collect();
    let clip = Rect::from_min_max(pos2(-5.0, f32::NAN), pos2(1e9, f32::INFINITY));
    let all = [
        primitive(mesh.clone(), everything()),
        primitive(mesh.clone(), clip),
        primitive(mesh, Rect::NOTHING),
    ];
    let image = white().paint([16, 16], 2.0, Color32::BLACK, &all).unwrap();
    assert_eq!(image.pixels.len(), 256);
}

#[test]
fn a_picture_that_is_too_large_is_refused() {
    let refused = white().paint([MAX_SIDE + 1, 1], 1.0, Color32::BLACK, &[]);
    assert_eq!(refused.unwrap_err(), RenderError::Size([MAX_SIDE + 1, 1]));
    for (size, scale) in [(vec2(9000.0, 10.0), 2.0), (vec2(0.0, 10.0), 1.0), (vec2(10.0, 10.0), f32::NAN)] {
        let error = render_to_image(size, scale, Theme::Dark, 2, |_| {}).unwrap_err();
        assert!(error.to_string().contains("1 to 16384"), "{error}");
    }
}

#[test]
fn a_texture_update_outside_the_texture_is_ignored() {
    let mut software = white();
    let patch = ColorImage::filled([2, 2], Color32::RED);
    let options = egui::TextureOptions::NEAREST;
    software.set(TextureId::default(), &ImageDelta::partial([0, 0], patch.clone(), options));
    software.set(TextureId::User(7), &ImageDelta::partial([0, 0], patch, options));
    assert_eq!(software.textures[&TextureId::default()].pixels, [Color32::WHITE]);
    assert_eq!(software.textures.len(), 1);
}

fn sample_ui(ui: &mut egui::Ui) {
    ui.heading("Heading 123");
    let _ = ui.button("Button");
    ui.add(egui::Slider::new(&mut 3.0, 0.0..=10.0));
    ui.painter().circle_filled(pos2(200.0, 60.0), 30.0, Color32::from_rgba_unmultiplied(200, 90, 30, 140));
}

#[test]
fn the_fast_way_and_the_general_way_agree() {
    let mut pictures = Vec::new();
    for without_quads in [false, true] {
        let mut headless = Headless::new(vec2(300.0, 120.0), 1.5, Theme::Dark).unwrap();
        headless.software.without_quads = without_quads;
        headless.pass(Vec::new(), sample_ui);
        headless.pass(Vec::new(), sample_ui);
        pictures.push(headless.image().unwrap());
    }
    let differing = pictures[0].pixels().zip(pictures[1].pixels());
    let most = differing.flat_map(|(a, b)| (0..4).map(|i| a.0[i].abs_diff(b.0[i]))).max();
    assert!(most <= Some(3), "{most:?}");
}

#[test]
fn the_same_interface_gives_the_same_picture() {
    let draw = || render_to_image(vec2(200.0, 100.0), 2.0, Theme::Light, 4, sample_ui).unwrap();
    let first = draw();
    assert_eq!(first.dimensions(), (400, 200));
    assert_eq!(first, draw());
    let read = image::load_from_memory(&encode_png(&first).unwrap()).unwrap().to_rgba8();
    assert_eq!(read, first);
}
