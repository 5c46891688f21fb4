//! Pictures of one pane, as it stands in the window.
//!
//! A view keeps textures and scroll positions of its window, so it is not painted again elsewhere: the
//! shapes of its next frame are kept, and what cannot be told by shapes is cut out of a picture of the window.

use std::path::{Path, PathBuf};

use egui::{Color32, Ui};

use super::event::{Event, Events, Purpose};
use super::panes::Captured;
use super::{App, dialog, open};
use crate::export::Inputs;
use crate::jobs;
use crate::ui::software;
use crate::ui::svg::{self, Pixels};
use crate::ui::theme::Palette;
use crate::views::Picture;

/// A picture to take.
pub(super) struct Wanted {
    /// Number of the pane.
    pub pane: u64,
    /// Its form.
    pub picture: Picture,
    /// The file to write.
    pub path: PathBuf,
}

impl App {
    /// Asks where to save a picture of a pane.
    pub(super) fn ask_picture(&mut self, pane: u64, picture: Picture) {
        let view = self.panes_mut().view_in(pane).unwrap_or("view").to_owned();
        let Some(run) = self.active() else { return };
        let stem = run.label.split('.').next().unwrap_or("run").replace(['/', '\\', ' '], "-");
        let name = format!("{stem}-{view}.{}", picture.extension());
        let folder = open::folder_of(run.input()).map(Path::to_owned);
        dialog::save(Purpose::Picture(pane, picture), &name, folder, self.events.clone());
    }

    /// Takes the picture of what the wanted pane has just painted.
    pub(super) fn take_picture(&mut self, captured: Captured, ui: &Ui) {
        let Some(wanted) = self.wanted.take() else { return };
        let (ground, scale) = (Palette::of(ui).panel, ui.ctx().pixels_per_point());
        let (events, inputs) = (self.events.clone(), self.inputs(None));
        ui.ctx().request_screenshot(move |image| {
            jobs::spawn("picture", move || {
                write(&wanted, &captured, &image, (ground, scale), (&inputs, &events))
            });
        });
    }
}

fn write(
    wanted: &Wanted,
    captured: &Captured,
    image: &egui::ColorImage,
    (ground, scale): (Color32, f32),
    (inputs, events): (&Inputs, &Events),
) {
    let bytes = software::to_rgba(image).and_then(|image| {
        let pixels = Pixels { image: &image, scale };
        match wanted.picture {
            Picture::Svg => Ok(svg::svg(&captured.shapes, captured.area, ground, Some(pixels)).into_bytes()),
            Picture::Png => software::encode_png(&svg::crop(pixels, captured.area)),
        }
    });
    let path = wanted.path.clone();
    let written = bytes.map_err(|e| e.to_string()).and_then(|bytes| {
        inputs.refuse(&path).map_err(|e| e.to_string())?;
        crate::export::write_bytes(&bytes, &path).map_err(|e| format!("cannot be written ({e})"))
    });
    let result =
        written.map(|()| (path.clone(), Vec::new())).map_err(|why| format!("{}: {why}", path.display()));
    events.send(Event::Wrote { run: None, result });
}
