//! File dialogs of the system, on a thread of their own: the window never waits for them.

use std::path::PathBuf;

use super::event::{Event, Events, Purpose};
use crate::jobs;

/// Asks for profiles to open.
pub fn open(events: Events) {
    jobs::spawn("dialog", move || {
        let mut dialog = rfd::FileDialog::new().set_title("Open profiles");
        let endings: Vec<&str> = crate::import::IMPORTERS
            .iter()
            .flat_map(|i| i.extensions())
            .map(|e| e.rsplit('.').next().unwrap_or(e))
            .chain(["gz", "zst"])
            .collect();
        dialog = dialog.add_filter("Profiles", &endings).add_filter("All files", &["*"]);
        let paths = dialog.pick_files().unwrap_or_default();
        events.send(Event::Picked { purpose: Purpose::Open, paths });
    });
}

/// Asks where a source file is that the profile of run `run` calls `file`.
pub fn source(run: u32, file: String, events: Events) {
    jobs::spawn("dialog", move || {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(&file);
        let dialog = rfd::FileDialog::new().set_title(format!("Where is {name}?"));
        let paths = dialog.pick_file().into_iter().collect();
        events.send(Event::Picked { purpose: Purpose::Source { run, file }, paths });
    });
}

/// Asks for a file, or a folder, that a field wants.
pub fn field(title: String, folder: bool, purpose: Purpose, events: Events) {
    jobs::spawn("dialog", move || {
        let dialog = rfd::FileDialog::new().set_title(title);
        let picked = if folder { dialog.pick_folder() } else { dialog.pick_file() };
        events.send(Event::Picked { purpose, paths: picked.into_iter().collect() });
    });
}

/// Asks where to write; starts with `name` in `folder`.
pub fn save(purpose: Purpose, name: String, folder: Option<PathBuf>, events: Events) {
    jobs::spawn("dialog", move || {
        let mut dialog = rfd::FileDialog::new().set_title("Save").set_file_name(name);
        if let Some(folder) = folder {
            dialog = dialog.set_directory(folder);
        }
        let paths = dialog.save_file().into_iter().collect();
        events.send(Event::Picked { purpose, paths });
    });
}
