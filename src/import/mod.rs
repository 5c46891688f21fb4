//! Opening files of many tools as one kind of [`Profile`].
//!
//! bytes → unwrap (gz, zst) → every importer looks at the head ([`Importer::sniff`]; the name is a
//! hint, never proof) → the best one reads. Oddities that can be repaired become counted warnings; a
//! file that nothing understands is one error that says what was tried.
//!
//! Importers never panic, never hang, never recurse on the depth of the input and never allocate by a
//! number that the file claims.

mod callgrind;
mod chrome;
mod code;
mod error;
mod journal;
mod json;
mod marshal;
mod native;
mod oddities;
mod pstats;
mod pyinstrument;
mod python;
mod source;
mod speedscope;
#[cfg(test)]
pub(crate) mod testing;
mod text;

pub use code::{MAX_CODE, read_code};
pub use error::{ErrorKind, ImportError, Place};
pub use journal::{Follow, Frames};
pub use source::{Input, Source};

use std::time::{Duration, Instant};

use crate::jobs::Job;
use crate::model::{ArgsPlace, Meta, Profile, ProfileBuilder, SourceFile};

/// How sure an importer is that a file is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Not this format.
    No,
    /// The shape is possible, nothing in it is a sign.
    Possible,
    /// Typical signs.
    Likely,
    /// A signature that only this format has.
    Certain,
}

/// The start of a file.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The first decompressed bytes, at most 64 KiB.
    pub bytes: &'a [u8],
    /// True when `bytes` is the whole file.
    pub whole: bool,
    /// The file's name without folders, in lower case. A hint only.
    pub name: &'a str,
}

/// Reads one format.
pub trait Importer: Sync {
    /// Short stable name («pstats»).
    fn id(&self) -> &'static str;
    /// What a person calls it.
    fn title(&self) -> &'static str;
    /// Which tools write it.
    fn written_by(&self) -> &'static str;
    /// Usual file name endings, without the dot.
    fn extensions(&self) -> &'static [&'static str];
    /// Judges the head of a file. Must be quick and must not trust anything.
    fn sniff(&self, head: &Head<'_>) -> Confidence;
    /// Reads the file into `cx.builder`.
    ///
    /// # Errors
    /// When nothing useful can be read. What can be repaired is a warning on the builder instead.
    fn import(&self, source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError>;
    /// Details of the event at `offset` of the decompressed file, for formats that leave them there.
    ///
    /// # Errors
    /// When the file changed or cannot be read any more.
    fn details(&self, _source: &mut Source, _offset: u64) -> Result<Vec<(String, String)>, ImportError> {
        Ok(Vec::new())
    }
}

/// What an importer works with.
pub struct Context<'a> {
    /// Takes the rows.
    pub builder: ProfileBuilder,
    /// Progress and cancel.
    pub job: &'a Job,
    /// Takes the partial picture; `None` when nobody looks or it was shown.
    publish: Option<&'a mut dyn FnMut(Profile)>,
    started: Instant,
}

/// When a large file shows its first partial picture.
const FIRST_PICTURE: Duration = Duration::from_millis(200);

impl Context<'_> {
    /// True when the next [`Self::checkpoint`] shows a partial picture, for importers that have something to
    /// put in order before.
    #[must_use]
    pub fn picture_due(&self) -> bool {
        self.publish.is_some() && self.started.elapsed() > FIRST_PICTURE && !self.builder.is_empty()
    }

    /// Reports progress by the bytes read from the file and stops a cancelled import. Call it every
    /// megabyte or so. Shows a partial picture once, early on a long import.
    ///
    /// # Errors
    /// When cancelled.
    pub fn checkpoint(&mut self, source: &Source) -> Result<(), ImportError> {
        self.job.checkpoint(source.progress(), source.file_len)?;
        if self.picture_due()
            && let Some(publish) = self.publish.take()
        {
            publish(self.builder.clone().finish());
        }
        Ok(())
    }
}

/// Every format that can be opened, in the order in which equal confidence is resolved.
pub static IMPORTERS: &[&dyn Importer] = &[
    &native::Native,
    &journal::Journal,
    &pstats::Pstats,
    &pyinstrument::Pyinstrument,
    &speedscope::Speedscope,
    &callgrind::Callgrind,
    &chrome::Chrome,
];

/// The importer with id `id`.
#[must_use]
pub fn importer(id: &str) -> Option<&'static dyn Importer> {
    IMPORTERS.iter().copied().find(|i| i.id() == id)
}

/// Opens an input. `publish` receives a partial profile early on, when reading takes long.
///
/// # Errors
/// One error that says what is wrong, where and what to do; without the file's name.
pub fn open(input: &Input, job: &Job, publish: &mut dyn FnMut(Profile)) -> Result<Profile, ImportError> {
    open_with(input, job, Some(publish))
}

/// Opens an input without a partial picture on the way, which costs a copy of what is there.
///
/// # Errors
/// As [`open`].
pub fn open_whole(input: &Input, job: &Job) -> Result<Profile, ImportError> {
    open_with(input, job, None)
}

fn open_with(
    input: &Input,
    job: &Job,
    mut publish: Option<&mut dyn FnMut(Profile)>,
) -> Result<Profile, ImportError> {
    let source = Source::open(input)?;
    let name = source.file_name().to_lowercase();
    let head = Head { bytes: source.head(), whole: source.head().len() < source::HEAD_LEN, name: &name };
    let mut candidates: Vec<_> =
        IMPORTERS.iter().map(|i| (i.sniff(&head), *i)).filter(|c| c.0 > Confidence::No).collect();
    // An empty file may still stand for others beside it, when its name says so.
    if candidates.is_empty() && head.bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(ImportError { kind: ErrorKind::Unrecognised, ..ImportError::malformed("is empty") });
    }
    candidates.sort_by_key(|c| std::cmp::Reverse(c.0));
    let mut first_error = None;
    let mut source = Some(source);
    for (_, importer) in &candidates {
        let mut source = match source.take() {
            Some(source) => source,
            None => Source::open(input)?,
        };
        let mut cx = Context {
            builder: ProfileBuilder::new(importer.id()),
            job,
            publish: publish.as_mut().map(|p| &mut **p as &mut dyn FnMut(Profile)),
            started: Instant::now(),
        };
        match importer.import(&mut source, &mut cx) {
            Ok(()) => {
                if let Some(damage) = source.damage() {
                    cx.builder.warn(
                        &format!("compressed data is damaged ({damage}); what came before is shown"),
                        "",
                    );
                }
                let mut profile = cx.builder.finish();
                remember_source(&mut profile, &source);
                return Ok(profile);
            }
            Err(e) if e.kind != ErrorKind::Malformed => return Err(e),
            Err(e) => {
                first_error.get_or_insert(e);
            }
        }
    }
    Err(first_error.unwrap_or_else(|| {
        let tried: Vec<_> = IMPORTERS.iter().map(|i| i.title()).collect();
        ImportError {
            kind: ErrorKind::Unrecognised,
            what: format!("is none of the formats that inferscope opens ({})", tried.join(", ")),
            place: None,
            remedy: "see `inferscope formats`",
        }
    }))
}

/// Notes the file that was opened in a profile that leaves details in it, so that they are still found
/// when the profile is saved as a session.
fn remember_source(profile: &mut Profile, source: &Source) {
    let spans = profile.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.args);
    let in_file = |args: crate::model::ArgsRef| matches!(args.place(), ArgsPlace::Offset(_));
    let needed = profile.meta.source.is_none()
        && (profile.instants.iter().map(|i| i.args).any(in_file) || spans.into_iter().any(in_file));
    if let (true, Some(path)) = (needed, source.input.path()) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
        profile.meta.source =
            Some(SourceFile { path, format: profile.meta.format.clone(), bytes: source.file_len });
    }
}

/// Details of the event at `offset` of an opened input whose profile has the meta data `meta`. The
/// input may be a session that was saved from another file: then that file is read.
///
/// # Errors
/// When the file is gone, changed or cannot be read any more.
pub fn details(input: &Input, meta: &Meta, offset: u64) -> Result<Vec<(String, String)>, ImportError> {
    let original = meta.source.as_ref().map(|s| (Input::Path(s.path.clone().into()), s));
    let (input, format) = original.as_ref().map_or((input, &meta.format), |(input, s)| (input, &s.format));
    let Some(importer) = importer(format) else { return Ok(Vec::new()) };
    let mut source = Source::open(input)?;
    if original.as_ref().is_some_and(|(_, s)| s.bytes != source.file_len) {
        return Err(ImportError::malformed(format!("{} has changed since it was opened", input.label()))
            .remedy("open it again"));
    }
    importer.details(&mut source, offset)
}
