//! The journal of a recording that goes on, read as it grows.

use std::path::{Path, PathBuf};

use super::tape::{Ending, Tape};
use super::{DAMAGED, Frames, TORN, begin};
use crate::import::{ImportError, Input};
use crate::jobs::Job;
use crate::model::{Profile, ProfileBuilder};

/// A recording that another process writes.
pub struct Follow {
    path: PathBuf,
    frames: Frames,
    tape: Tape,
    builder: ProfileBuilder,
    living: bool,
}

impl Follow {
    /// `None` when the file is no journal, or nobody writes to it (any more): it opens like any other then.
    #[must_use]
    pub fn open(path: &Path) -> Option<Self> {
        let mut frames = Frames::open(path).ok()?;
        if !frames.is_locked() {
            return None;
        }
        begin(&mut &frames.start().ok()??[..]).ok()?;
        let builder = ProfileBuilder::new(super::IMPORTER.id);
        Some(Self { path: path.to_owned(), frames, tape: Tape::default(), builder, living: true })
    }

    /// True while more may come.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.living && !self.tape.is_whole()
    }

    /// Reads what was added since the last time; true when there was something.
    ///
    /// # Errors
    /// When the system cannot read.
    pub fn read(&mut self) -> Result<bool, ImportError> {
        // Asked before the end is looked for: what its writer wrote last is there when it has let go.
        let living = self.frames.is_locked();
        let (mut grown, mut damaged) = (false, false);
        let Self { frames, tape, builder, .. } = self;
        frames.read(|tag, bytes| {
            grown = true;
            damaged = tape.add(tag, bytes, builder).is_err();
            Ok(!damaged && !tape.is_whole())
        })?;
        if damaged {
            builder.warn(DAMAGED, "");
        }
        self.living = living && !damaged;
        Ok(grown)
    }

    /// The profile so far; `None` while there is none.
    #[must_use]
    pub fn snapshot(&self) -> Option<Profile> {
        Some(self.tape.snapshot(&self.builder)?.finish())
    }

    /// The profile, whole or up to where the recording was cut off; or up to now, when it goes on.
    ///
    /// # Errors
    /// When the recording was given up before it began.
    pub fn finish(mut self) -> Result<Profile, ImportError> {
        let end = match (self.tape.is_whole(), self.living) {
            (true, _) => Ending::Whole,
            (false, true) => Ending::StillRecording,
            (false, false) => Ending::Interrupted,
        };
        if end == Ending::Interrupted {
            // With what profilers left beside it. When somebody has removed it, what was read is all there is.
            if let Ok(profile) = crate::import::open_whole(&Input::Path(self.path), &Job::new()) {
                return Ok(profile);
            }
            if self.frames.is_torn() {
                self.builder.warn(TORN, "");
            }
        }
        self.tape.conclude(&mut self.builder, end, &Job::new())?;
        Ok(self.builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::Write;

    use super::*;
    use crate::model::increments::{Cursor, encode};
    use crate::model::wire::journal::{DONE, END, HEAD, Head, MAGIC, OPEN, VERSION, frame};
    use crate::model::{ArgsRef, FunctionSpec, Meta, SpanStatus, TrackKind, TrackSpec, dump};

    /// Write number `n` of a recording in which each finds one more span done and one running.
    fn write(b: &mut ProfileBuilder, cursor: &mut Cursor, n: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let track = if n == 0 {
            b.track(TrackSpec { name: "main", process: "", kind: TrackKind::Thread, sort: 0 })
        } else {
            crate::model::TrackId(0)
        };
        // Each brings a function of its own: numbers of what ran and of what came then must not be mixed up.
        let done = b.function(FunctionSpec::named(&format!("done {n}")));
        b.span(track, n * 100, n * 100 + 40, done, ArgsRef::NONE);
        let meta = Meta { title: "t".into(), duration: Some(n * 100 + 99), ..Meta::default() };
        frame(&mut bytes, HEAD, &serde_json::to_vec(&Head { meta, warnings: vec![] }).unwrap());
        frame(&mut bytes, DONE, &encode(b, cursor));
        let running = b.function(FunctionSpec::named(&format!("running {n}")));
        let handle = b.open_span(track, n * 100 + 50, running, ArgsRef::NONE);
        b.close_span(track, handle, n * 100 + 99, SpanStatus::Unfinished);
        frame(&mut bytes, OPEN, &encode(b, &mut cursor.clone()));
        b.truncate(cursor);
        bytes
    }

    fn names(p: &Profile) -> Vec<&str> {
        p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| p.function_name(s.function)).collect()
    }

    #[test]
    fn a_growing_journal_shows_each_write_and_ends_as_it_would_open() {
        let path = std::env::temp_dir().join(format!("inferscope-follow-{}.journal", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
        assert!(Follow::open(&path).is_none(), "nobody writes it");
        file.lock().unwrap();
        file.write_all(&MAGIC).unwrap();
        file.write_all(&VERSION.to_le_bytes()).unwrap();
        let mut follow = Follow::open(&path).unwrap();
        assert!(!follow.read().unwrap() && follow.snapshot().is_none() && follow.is_live());
        let (mut b, mut cursor) = (ProfileBuilder::new("x"), Cursor::default());
        for n in 0..4 {
            let bytes = write(&mut b, &mut cursor, n);
            // In the middle of a write nothing is torn.
            file.write_all(&bytes[..bytes.len() / 3]).unwrap();
            follow.read().unwrap();
            file.write_all(&bytes[bytes.len() / 3..]).unwrap();
            assert!(follow.read().unwrap() && !follow.read().unwrap());
            let p = follow.snapshot().unwrap();
            let mut wanted: Vec<String> = (0..=n).map(|n| format!("done {n}")).collect();
            wanted.push(format!("running {n}"));
            assert_eq!(names(&p), wanted);
            assert!(
                crate::format::fact(&p.meta.facts[0].value).starts_with("still recording"),
                "{:?}",
                p.meta.facts
            );
            assert!(p.warnings.is_empty());
        }
        let mut end = write(&mut b, &mut cursor, 4);
        frame(&mut end, END, &[]);
        file.write_all(&end).unwrap();
        drop(file);
        assert!(follow.read().unwrap() && !follow.is_live());
        let followed = follow.finish().unwrap();
        let opened = crate::import::open_whole(&Input::Path(path.clone()), &Job::new());
        assert_eq!(dump(&followed), dump(&opened.unwrap()));
        assert!(followed.meta.facts.is_empty());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_recorder_that_dies_leaves_an_interrupted_recording() {
        let path = std::env::temp_dir().join(format!("inferscope-dies-{}.journal", std::process::id()));
        let file = File::create(&path).unwrap();
        file.lock().unwrap();
        let (mut b, mut cursor) = (ProfileBuilder::new("x"), Cursor::default());
        let mut all = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        all.extend(write(&mut b, &mut cursor, 0));
        let torn = write(&mut b, &mut cursor, 1);
        all.extend(&torn[..torn.len() - 5]);
        (&file).write_all(&all).unwrap();
        let mut follow = Follow::open(&path).unwrap();
        follow.read().unwrap();
        assert!(follow.is_live());
        drop(file);
        follow.read().unwrap();
        assert!(!follow.is_live());
        let p = follow.finish().unwrap();
        assert_eq!(names(&p), ["done 0", "done 1"], "what was whole");
        assert!(p.meta.fact("Ended").is_some_and(|v| crate::format::fact(v).contains("interrupted")));
        std::fs::remove_file(path).unwrap();
    }
}
