//! The frames of a journal, put together as they come.

use crate::import::{ImportError, Input, native, open_whole};
use crate::jobs::Job;
use crate::model::increments::Replay;
use crate::model::wire::journal::{ATTACHED, DONE, END, HEAD, Head, OPEN, PART};
use crate::model::wire::tag::Tag;
use crate::model::wire::{self, Damaged};
use crate::model::{ArgsRef, Instant, ProfileBuilder, Severity};

/// The warning for a frame that does not hold what it should.
pub(super) const DAMAGED: &str = "damaged part of the journal (what came before is shown)";

/// The warning for a journal whose last frame is not whole.
pub(super) const TORN: &str = "journal ends within a write (what came before is shown)";

/// How far a journal goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The recording ended in order.
    Whole,
    /// Its recorder lives.
    StillRecording,
    /// It was cut off.
    Interrupted,
}

/// What the frames so far hold. Rows that have ended are in a builder, which the caller keeps.
#[derive(Default)]
pub(super) struct Tape {
    replay: Replay,
    head: Option<Head>,
    /// The increment of what still ran at the last write.
    open: Option<Vec<u8>>,
    /// What was measured beside the recording: its time 0, and a session.
    parts: Vec<(i64, Vec<u8>)>,
    whole: bool,
}

impl Tape {
    /// True once the recording ended in order: nothing follows.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Takes in a frame.
    ///
    /// # Errors
    /// When it does not hold what its tag says. Nothing more should be added then.
    pub(super) fn add(
        &mut self,
        tag: Tag,
        bytes: Vec<u8>,
        builder: &mut ProfileBuilder,
    ) -> Result<(), Damaged> {
        let added = match tag {
            HEAD => serde_json::from_slice(&bytes).map(|h| self.head = Some(h)).map_err(|_| Damaged),
            DONE => {
                self.open = None;
                self.replay.add(&bytes, builder)
            }
            OPEN => {
                self.open = Some(bytes);
                Ok(())
            }
            ATTACHED => wire::attached(&bytes).map(|file| builder.attach(file)),
            PART => match bytes.split_first_chunk() {
                Some((shift, session)) => {
                    self.parts.push((i64::from_le_bytes(*shift), session.to_vec()));
                    Ok(())
                }
                None => Err(Damaged),
            },
            END => {
                self.whole = true;
                Ok(())
            }
            _ => Ok(()),
        };
        if added.is_err() {
            self.open = None;
        }
        added
    }

    /// A copy of all that is known, while more may come; `None` before the first head.
    pub(super) fn snapshot(&self, builder: &ProfileBuilder) -> Option<ProfileBuilder> {
        let head = self.head.as_ref()?;
        let mut builder = builder.clone();
        if let Some(open) = &self.open {
            self.add_open(open, &mut builder);
        }
        dress(head.clone(), Ending::StillRecording, &mut builder);
        Some(builder)
    }

    /// Adds what still ran, and says on the run how it ended.
    ///
    /// # Errors
    /// When the journal has no head, and when the job is cancelled.
    pub(super) fn conclude(
        &mut self,
        builder: &mut ProfileBuilder,
        end: Ending,
        job: &Job,
    ) -> Result<(), ImportError> {
        if let Some(open) = self.open.take() {
            self.add_open(&open, builder);
        }
        let head = self.head.take().ok_or_else(|| {
            ImportError::malformed("is the journal of a recording that had not begun")
                .remedy("there is nothing to recover from it")
        })?;
        dress(head, end, builder);
        for (shift, session) in self.parts.drain(..) {
            // Nothing else: what holds parts itself would be read within itself.
            if !native::is_session(&session) {
                builder.warn(DAMAGED, "");
                continue;
            }
            match open_whole(&Input::Bytes("part".into(), session.into()), job) {
                Ok(profile) => builder.merge(&profile, shift),
                Err(e) if job.is_cancelled() => return Err(e),
                Err(e) => builder.warn(DAMAGED, &e.to_string()),
            }
        }
        Ok(())
    }

    /// Texts and functions of such a part stand in the next one once more, so it is read with numbers of its own.
    fn add_open(&self, open: &[u8], builder: &mut ProfileBuilder) {
        if self.replay.clone().add(open, builder).is_err() {
            builder.warn(DAMAGED, "");
        }
    }
}

fn dress(Head { mut meta, warnings }: Head, end: Ending, builder: &mut ProfileBuilder) {
    warnings.iter().for_each(|w| builder.warn_many(&w.kind, &w.first, w.count));
    let fact = match end {
        Ending::Whole => None,
        Ending::StillRecording => Some(("State", "still recording; this is what has been written so far")),
        Ending::Interrupted => {
            let name = builder.string("Recording interrupted");
            let (time, severity) = (meta.duration.unwrap_or(0), Severity::Warning);
            builder.instant(Instant { time, track: None, name, args: ArgsRef::NONE, severity });
            Some(("Ended", "interrupted; recovered from its journal, at most the last second is missing"))
        }
    };
    if let Some((key, text)) = fact {
        meta.result(key, text);
    }
    builder.meta = meta;
}
