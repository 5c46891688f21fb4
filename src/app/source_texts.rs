//! Source texts for a session: found as the source view finds them, without secrets.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::analysis::source_file::SourceRule;
use crate::analysis::source_texts::SourceTexts;
use crate::jobs::Job;
use crate::model::{Profile, Sources};
use crate::query::{Engine, Run};
use crate::record::secrets::mask;

/// The texts of the files that `profile` names, looked for by `rules`, as named, and in `folder`. Keys and
/// passwords in them are hidden, as in everything that is kept.
#[must_use]
pub fn source_texts(profile: &Arc<Profile>, folder: Option<&Path>, rules: &[SourceRule]) -> Sources {
    let beside = folder.map(|f| if f.as_os_str().is_empty() { PathBuf::from(".") } else { f.to_owned() });
    let subject = Run::of(profile.clone());
    let query = SourceTexts { beside, rules: rules.to_vec() };
    let Ok(found) = Engine::inline().now(&subject, &query, &Job::new()) else { return Sources::default() };
    let mut masked = Sources::default();
    for (file, text) in found.iter() {
        masked.insert(file, &mask(text));
    }
    masked
}
