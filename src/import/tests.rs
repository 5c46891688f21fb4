//! What holds for every sample of every format.

use std::path::{Path, PathBuf};

use super::testing::open_bytes;
use super::*;
use crate::export::native;
use crate::model::dump;

/// All samples that are profiles.
fn samples() -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles"));
    let folders = std::fs::read_dir(root).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_dir());
    let mut files: Vec<_> = folders
        .flat_map(|f| std::fs::read_dir(f).unwrap().map(|f| f.unwrap().path()))
        .filter(|f| {
            let name = f.file_name().unwrap().to_string_lossy().into_owned();
            name != "README.md" && !name.ends_with(".calls.txt") && !name.ends_with(".dump.txt")
        })
        .collect();
    files.sort();
    files
}

/// A dump without the file that details stand in, which is another one under another name.
fn text(p: &Profile) -> String {
    dump(p).lines().filter(|l| !l.starts_with("source ")).collect::<Vec<_>>().join("\n")
}

/// The content decides: a sample shows the same under a name that says nothing, and after it was saved as a session.
#[test]
fn every_sample_opens_under_any_name_and_survives_a_session() {
    for path in samples() {
        let named = open_whole(&Input::Path(path.clone()), &Job::new());
        let named = named.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let unknown = open_bytes(&std::fs::read(&path).unwrap()).unwrap();
        assert!(text(&named) == text(&unknown), "{} under another name", path.display());
        let mut session = Vec::new();
        native::write(&unknown, &mut session).unwrap();
        let again = open_bytes(&session).unwrap();
        assert!(text(&again) == text(&unknown), "{} as a session", path.display());
    }
}
