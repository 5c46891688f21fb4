//! Source texts for a session: found as the source view finds them, only where they may be given away, without secrets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::analysis::source_file::SourceRule;
use crate::analysis::source_texts::{FoundTexts, SourceTexts};
use crate::import::SourceFolders;
use crate::jobs::Job;
use crate::model::{Profile, Sources};
use crate::query::{Engine, Run};
use crate::record::secrets::mask;

/// The texts of the files that `profile` names: looked for by `rules`, as named, and in `folder`. `recorded`: a program
/// that was recorded here names them. Keys and passwords in them are hidden, as in everything that is kept.
#[must_use]
pub fn source_texts(
    profile: &Arc<Profile>,
    folder: Option<&Path>,
    rules: &[SourceRule],
    recorded: bool,
) -> FoundTexts {
    let beside = folder.map(|f| if f.as_os_str().is_empty() { PathBuf::from(".") } else { f.to_owned() });
    let subject = Run::of(profile.clone());
    let folders = SourceFolders { beside, chosen: Vec::new(), any: recorded };
    let query = SourceTexts { rules: rules.to_vec(), folders };
    let Ok(found) = Engine::inline().now(&subject, &query, &Job::new()) else { return FoundTexts::default() };
    let mut masked = Sources::default();
    for (file, text) in found.sources.iter() {
        masked.insert(file, &mask(text));
    }
    FoundTexts { sources: masked, ..(*found).clone() }
}
