//! Files that something was read from, which nothing made of it may replace.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::ExportError;
use crate::model::Profile;

/// The files that a person's profile lies in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs(Vec<PathBuf>);

impl Inputs {
    /// Files that are read.
    #[must_use]
    pub fn files(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().collect())
    }

    /// What `profile` was read from: the file that was opened (none for bytes), the parts beside it that were added up, and
    /// the trace that holds the arguments of a session's events.
    #[must_use]
    pub fn of(profile: &Profile, opened: Option<&Path>) -> Self {
        let mut files: Vec<_> = opened.map(Path::to_owned).into_iter().collect();
        if let Some(folder) = opened.and_then(Path::parent) {
            files.extend(profile.meta.parts.iter().map(|name| folder.join(name)));
        }
        files.extend(profile.meta.source.iter().map(|source| source.path.clone().into()));
        Self(files)
    }

    /// The same with more files.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// Lets `output` be written unless it is one of these files, whatever its path is called: links are followed.
    ///
    /// # Errors
    /// When it is, in words that follow its name.
    pub fn refuse(&self, output: &Path) -> Result<(), ExportError> {
        // On the command line this is no name of a file; who means one says ./-.
        if output == Path::new("-") {
            return Ok(());
        }
        if !self.0.iter().any(|input| same_file(input, output)) {
            return Ok(());
        }
        let why = "is read here, so writing to it would lose it; name another file";
        Err(ExportError::Unsupported(why.into()))
    }
}

/// True when both paths lead to one regular file. Writing to a pipe or a device replaces nothing.
fn same_file(a: &Path, b: &Path) -> bool {
    let (Ok(file), Ok(other)) = (std::fs::metadata(a), std::fs::metadata(b)) else { return false };
    file.is_file() && other.is_file() && is_same((a, &file), (b, &other))
}

#[cfg(unix)]
fn is_same((_, a): (&Path, &Metadata), (_, b): (&Path, &Metadata)) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn is_same((a, _): (&Path, &Metadata), (b, _): (&Path, &Metadata)) -> bool {
    // Hard links are not seen through here.
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_any_of_its_names() {
        let folder = std::env::temp_dir().join(format!("inferscope-inputs-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        let at = |name: &str| folder.join(name);
        for name in ["a.json", "b.json"] {
            std::fs::write(at(name), name).unwrap();
        }
        let inputs = Inputs::files([at("a.json"), at("gone.json")]);
        assert!(inputs.refuse(&at("inner/../a.json")).is_err());
        for free in ["b.json", "new.json", "gone.json", "none/new.json"] {
            assert!(inputs.refuse(&at(free)).is_ok(), "{free}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("a.json"), at("soft.json")).unwrap();
            std::fs::hard_link(at("a.json"), at("hard.json")).unwrap();
            assert!(inputs.refuse(&at("soft.json")).is_err() && inputs.refuse(&at("hard.json")).is_err());
            let null = Inputs::files(["/dev/null".into()]);
            assert!(null.refuse(Path::new("/dev/null")).is_ok(), "nothing is replaced");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_profile_names_what_it_was_read_from() {
        let mut profile = crate::model::ProfileBuilder::new("callgrind").finish();
        profile.meta.parts = vec!["run.1".into()];
        let source = crate::model::SourceFile { path: "/x/t.json".into(), format: "chrome".into(), bytes: 1 };
        profile.meta.source = Some(source);
        let inputs = Inputs::of(&profile, Some(Path::new("/d/run")));
        assert_eq!(inputs, Inputs::files(["/d/run".into(), "/d/run.1".into(), "/x/t.json".into()]));
    }
}
