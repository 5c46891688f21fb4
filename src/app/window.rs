//! The window: eframe around [`App`].

use std::path::PathBuf;
use std::sync::Arc;

use super::display::Session;
use super::{App, Settings, ThemeChoice};
use crate::analysis::prices::PriceTable;
use crate::state::Link;

const ICON: &[u8] = include_bytes!("../../assets/desktop/icon-256.png");

/// What the window starts with.
#[derive(Debug, Default)]
pub struct Start {
    /// Files to open.
    pub files: Vec<PathBuf>,
    /// A table of prices for this window, with its file.
    pub prices: Option<(PathBuf, Arc<PriceTable>)>,
    /// How the first file is looked at.
    pub at: Option<Link>,
}

pub(super) fn theme_preference(theme: ThemeChoice) -> egui::ThemePreference {
    match theme {
        ThemeChoice::System => egui::ThemePreference::System,
        ThemeChoice::Dark => egui::ThemePreference::Dark,
        ThemeChoice::Light => egui::ThemePreference::Light,
    }
}

/// Opens the window on `session` and runs until it is closed.
///
/// # Errors
/// One line with the cause and the remedy when the system cannot show it.
pub fn run(start: &Start, session: Session) -> Result<(), String> {
    #[cfg(windows)]
    super::console::leave();
    let mut viewport = egui::ViewportBuilder::default();
    // On Wayland a desktop entry of the same name as the app id brings it.
    if let Ok(icon) = eframe::icon_data::from_png_bytes(ICON) {
        viewport = viewport.with_icon(icon);
    }
    let options = eframe::NativeOptions {
        viewport: viewport
            .with_app_id("inferscope")
            .with_title("inferscope")
            .with_inner_size([1440.0, 900.0])
            .with_min_inner_size([640.0, 400.0])
            .with_drag_and_drop(true),
        event_loop_builder: Some(Box::new(move |builder| session.choose(builder))),
        ..Default::default()
    };
    let opened = std::cell::Cell::new(false);
    let create: eframe::AppCreator<'_> = Box::new(|cc| {
        opened.set(true);
        Ok(Box::new(Window::new(&cc.egui_ctx, start)))
    });
    // What is below panics where it does not expect to fail.
    let run = || eframe::run_native("inferscope", options, create);
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) if opened.get() => Err("the window ended because its display went away".into()),
        Ok(Err(e)) => Err(format!("no window can be opened: {}", remedy(&e))),
        Err(_) => Err("an internal error ended the window; please report it with the lines above".into()),
    }
}

/// What to do about an error of the toolkit, whose own words tell nothing to the person.
fn remedy(e: &eframe::Error) -> &'static str {
    use eframe::Error;
    match e {
        Error::Glutin(_) | Error::NoGlutinConfigs(..) | Error::OpenGL(_) if cfg!(windows) => {
            "OpenGL 2.0 does not work here; install the driver of the graphics card"
        }
        Error::Glutin(_) | Error::NoGlutinConfigs(..) | Error::OpenGL(_) => {
            "OpenGL does not work on this display; install the driver of the graphics card, or Mesa's for the processor \
             (Debian and Ubuntu: apt-get install libgl1-mesa-dri)"
        }
        _ => "the display refused it",
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
        app.record_apart(std::env::current_exe().ok());
        if let Some((path, table)) = &start.prices {
            app.give_price_table(path.clone(), table.clone());
        }
        if let Some(link) = &start.at {
            app.open_at(link.clone());
        }
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

#[cfg(test)]
mod tests {
    #[test]
    fn the_icon_of_the_window_is_a_picture() {
        let icon = eframe::icon_data::from_png_bytes(super::ICON).unwrap();
        assert_eq!((icon.width, icon.height), (256, 256));
    }
}
