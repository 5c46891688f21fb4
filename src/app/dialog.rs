//! File dialogs of the system, on a thread of their own: the window never waits for them.
//!
//! The system does not tell a dialog that was cancelled from one that it cannot show (no desktop portal, no zenity).
//! Nobody cancels within [`UNSEEN`], so what ends sooner was never seen, and the window asks for a path itself.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rfd::FileDialog;

use super::event::{Event, Events, Purpose};
use crate::jobs;
use crate::views::Picture;

/// A dialog that ends without a file within this time was not shown.
const UNSEEN: Duration = Duration::from_millis(700);

/// Asks for profiles to open.
pub fn open(events: Events) {
    let endings: Vec<&str> = crate::import::IMPORTERS
        .iter()
        .flat_map(|i| i.extensions)
        .map(|e| e.rsplit('.').next().unwrap_or(e))
        .chain(["gz", "zst", crate::state::project::EXTENSION])
        .collect();
    let dialog = FileDialog::new().set_title("Open profiles");
    let dialog = dialog.add_filter("Profiles", &endings).add_filter("All files", &["*"]);
    ask(Purpose::Open, String::new(), events, move || dialog.pick_files().unwrap_or_default());
}

/// Asks for the folder of a dataset.
pub fn dataset(events: Events) {
    let dialog = FileDialog::new().set_title(Purpose::Dataset.title());
    ask(Purpose::Dataset, String::new(), events, move || dialog.pick_folder().into_iter().collect());
}

/// Asks where a source file is that the profile of run `run` calls `file`.
pub fn source(file: String, events: Events) {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(&file);
    let dialog = FileDialog::new().set_title(format!("Where is {name}?"));
    let path = file.clone();
    ask(Purpose::Source { file }, path, events, move || dialog.pick_file().into_iter().collect());
}

/// Asks for a file, or a folder, that a field wants.
pub fn field(title: String, folder: bool, purpose: Purpose, events: Events) {
    let dialog = FileDialog::new().set_title(title);
    let pick = move || if folder { dialog.pick_folder() } else { dialog.pick_file() };
    ask(purpose, String::new(), events, move || pick().into_iter().collect());
}

/// Asks where to write; starts with `name` in `folder`.
pub fn save(purpose: Purpose, name: &str, folder: Option<PathBuf>, events: Events) {
    let mut dialog = FileDialog::new().set_title(purpose.title()).set_file_name(name);
    if purpose == Purpose::Project {
        dialog = dialog.add_filter("Projects of inferscope", &[crate::state::project::EXTENSION]);
    }
    if let Purpose::Picture(_, picture) = purpose {
        dialog = match picture {
            Picture::Svg => dialog.add_filter("SVG", &["svg"]),
            Picture::Png => dialog.add_filter("PNG", &["png"]),
        };
    }
    if let Some(folder) = &folder {
        dialog = dialog.set_directory(folder);
    }
    let whole = folder.or_else(|| std::env::current_dir().ok()).unwrap_or_default().join(name);
    let suggested = whole.to_string_lossy().into_owned();
    ask(purpose, suggested, events, move || dialog.save_file().into_iter().collect());
}

fn ask(
    purpose: Purpose,
    suggested: String,
    events: Events,
    show: impl FnOnce() -> Vec<PathBuf> + Send + 'static,
) {
    jobs::spawn("dialog", move || {
        let began = Instant::now();
        let paths = show();
        events.send(if paths.is_empty() && began.elapsed() < UNSEEN {
            Event::NoDialog { purpose, suggested }
        } else {
            Event::Picked { purpose, paths }
        });
    });
}
