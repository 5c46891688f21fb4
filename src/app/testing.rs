//! The whole window without one, for tests and pictures.

use egui::Vec2;
use egui_kittest::Harness;

use super::App;
use crate::ui::{software::Software, theme};

/// The window of `app`, drawn on the CPU; its first frames are done.
pub(super) fn harness(app: App, size: Vec2) -> Harness<'static, App> {
    let mut installed = false;
    let mut harness =
        Harness::builder().with_size(size).with_max_steps(40).renderer(Software::default()).build_ui_state(
            move |ui, app: &mut App| {
                if !std::mem::replace(&mut installed, true) {
                    theme::install(ui.ctx());
                    return; // fonts are there from the next pass on
                }
                app.logic(ui.ctx());
                app.ui(ui);
            },
            app,
        );
    harness.run_ok();
    harness
}

/// Writes what is shown to the folder that `OUT` names, to be looked at.
pub(super) fn picture(h: &mut Harness<'_, App>, name: &str) {
    if let Ok(folder) = std::env::var("OUT") {
        h.render().unwrap().save(format!("{folder}/{name}.png")).unwrap();
    }
}

/// Waits until `ready` says so, with frames in between.
pub(super) fn wait(h: &mut Harness<'_, App>, what: &str, mut ready: impl FnMut(&App) -> bool) {
    let start = std::time::Instant::now();
    while !ready(h.state()) {
        assert!(start.elapsed() < std::time::Duration::from_secs(30), "{what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
        h.run_ok();
    }
}
