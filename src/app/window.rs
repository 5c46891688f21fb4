//! The window: eframe around [`App`].

use std::path::PathBuf;

use super::{App, Settings, ThemeChoice};

/// What the window starts with.
#[derive(Debug, Default)]
pub struct Start {
    /// Files to open.
    pub files: Vec<PathBuf>,
}

/// Why no window can be opened here, in words for a person; `None` when it looks possible.
#[must_use]
pub fn no_display() -> Option<&'static str> {
    if !cfg!(all(unix, not(target_os = "macos"))) {
        return None;
    }
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let none = !set("DISPLAY") && !set("WAYLAND_DISPLAY") && !set("WAYLAND_SOCKET");
    none.then_some("neither DISPLAY nor WAYLAND_DISPLAY is set")
}

pub(super) fn theme_preference(theme: ThemeChoice) -> egui::ThemePreference {
    match theme {
        ThemeChoice::System => egui::ThemePreference::System,
        ThemeChoice::Dark => egui::ThemePreference::Dark,
        ThemeChoice::Light => egui::ThemePreference::Light,
    }
}

/// Opens the window and runs until it is closed.
///
/// # Errors
/// One line with the cause and the remedy when the system has no usable display.
pub fn run(start: &Start) -> Result<(), String> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_app_id("inferscope")
            .with_title("inferscope")
            .with_inner_size([1440.0, 900.0])
            .with_min_inner_size([640.0, 400.0])
            .with_drag_and_drop(true),
        ..Default::default()
    };
    let opened = std::cell::Cell::new(false);
    let create: eframe::AppCreator<'_> = Box::new(|cc| {
        opened.set(true);
        Ok(Box::new(Window::new(&cc.egui_ctx, start)))
    });
    // winit panics when a library that it loads at run time is missing.
    let run = || eframe::run_native("inferscope", options, create);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => Err(format!("no window can be opened: {e}")),
        Err(_) if opened.get() => {
            Err("an internal error ended the window; please report it with the lines above".into())
        }
        Err(_) => Err("no window can be opened: a system library is missing; on Debian and Ubuntu: \
             apt-get install libx11-6 libx11-xcb1 libxcursor1 libxi6 libxkbcommon-x11-0 libgl1"
            .into()),
    }
}

struct Window {
    app: App,
}

impl Window {
    fn new(ctx: &egui::Context, start: &Start) -> Self {
        crate::ui::theme::install(ctx);
        let path = Settings::path();
        let settings = path.as_deref().map(Settings::load).unwrap_or_default();
        ctx.set_theme(theme_preference(settings.theme));
        let mut app = App::new(ctx, settings, path);
        app.open_paths(&start.files);
        Self { app }
    }
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.app.logic(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.app.ui(ui);
        if self.app.wants_quit() {
            ui.ctx().send_viewport_cmd(egui::ViewportCommand::Close);
        }
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.app.end();
    }
}
