//! The palette applied to egui's own widgets.

use super::fonts::{mono, regular, strong};
use super::palette::{Palette, Tone};
use super::space;
use egui::style::{HandleShape, ScrollStyle, Selection, WidgetVisuals, Widgets};
use egui::{Color32, CornerRadius, Margin, Shadow, Stroke, Style, TextStyle, Visuals, vec2};

pub(super) fn apply(style: &mut Style, palette: &Palette) {
    style.text_styles = [
        (TextStyle::Small, regular(11.0)),
        (TextStyle::Body, regular(13.0)),
        (TextStyle::Button, regular(13.0)),
        (TextStyle::Heading, strong(17.0)),
        (TextStyle::Monospace, mono(12.0)),
    ]
    .into();
    spacing(style);
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.35;
    style.visuals = visuals(palette);
}

fn spacing(style: &mut Style) {
    let s = &mut style.spacing;
    s.item_spacing = vec2(8.0, 6.0);
    s.button_padding = vec2(9.0, 3.0);
    s.interact_size = vec2(40.0, space::CONTROL);
    s.window_margin = Margin::same(14);
    s.menu_margin = Margin::same(6);
    s.indent = 16.0;
    s.combo_width = 80.0;
    s.combo_height = 320.0;
    s.tooltip_width = 420.0;
    s.icon_width = 15.0;
    s.icon_width_inner = 9.0;
    s.scroll = ScrollStyle {
        bar_width: 9.0,
        floating_width: 5.0,
        dormant_handle_opacity: 0.35,
        active_handle_opacity: 0.6,
        foreground_color: true,
        ..ScrollStyle::floating()
    };
}

fn visuals(p: &Palette) -> Visuals {
    let base = if p.dark { Visuals::dark() } else { Visuals::light() };
    let shadow = |y, blur, alpha: u8| Shadow {
        offset: [0, y],
        blur,
        spread: 0,
        color: Color32::from_black_alpha(if p.dark { alpha } else { alpha / 4 }),
    };
    Visuals {
        dark_mode: p.dark,
        weak_text_color: Some(p.text_weak),
        widgets: widgets(p),
        selection: Selection { bg_fill: p.selection, stroke: Stroke::new(1.0, p.text_strong) },
        hyperlink_color: p.accent,
        faint_bg_color: p.stripe,
        extreme_bg_color: p.canvas,
        text_edit_bg_color: Some(p.canvas),
        code_bg_color: p.raised,
        warn_fg_color: p.tone(Tone::Warning),
        error_fg_color: p.tone(Tone::Bad),
        window_corner_radius: CornerRadius::same(9),
        window_shadow: shadow(10, 32, 130),
        window_fill: p.popup,
        window_stroke: Stroke::new(1.0, p.line),
        window_highlight_topmost: false,
        menu_corner_radius: CornerRadius::same(7),
        panel_fill: p.panel,
        popup_shadow: shadow(5, 16, 110),
        indent_has_left_vline: false,
        slider_trailing_fill: true,
        handle_shape: HandleShape::Circle,
        ..base
    }
}

fn widgets(p: &Palette) -> Widgets {
    let state = |bg: Color32, weak: Color32, border: Color32, text: Color32| WidgetVisuals {
        bg_fill: bg,
        weak_bg_fill: weak,
        bg_stroke: Stroke::new(1.0, border),
        corner_radius: CornerRadius::same(space::RADIUS),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    Widgets {
        noninteractive: state(p.panel, p.panel, p.line_faint, p.text),
        inactive: state(p.pressed, p.raised, p.line, p.text),
        hovered: state(p.pressed, p.hover, p.line_strong, p.text_strong),
        // egui shows a widget with the keyboard focus as active: the border is the focus ring.
        active: state(p.pressed, p.pressed, p.accent, p.text_strong),
        open: state(p.pressed, p.hover, p.line_strong, p.text_strong),
    }
}
