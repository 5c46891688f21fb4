//! A recording on another machine, seen from here. It has the methods of a recording of this process.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::file::parsed;
use super::link::Link;
use super::mirror::Mirror;
use super::post::Wish;
use super::wire::{Answer, Ask, Piece, State, Stream, Tell};
use super::{Patience, Target, Trouble};
use crate::format;
use crate::import::{Follow, Input, open_whole};
use crate::jobs::{self, Job};
use crate::model::Profile;
use crate::record::journal::JournalFile;
use crate::record::{OnRevision, Options, RecordError, Status};

/// Time between two looks at wishes.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Shortest time between two pictures.
const PICTURE_EVERY: Duration = Duration::from_millis(250);
/// The first pause after a link broke; each one is twice the last.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What is to be recorded, and where.
pub struct Order {
    /// Where.
    pub target: Target,
    /// The workload.
    pub workload: String,
    /// Its parameters, `key=value`.
    pub params: Vec<String>,
    /// How to record. The journal's folder is that here for the copy of it.
    pub options: Options,
    /// How long one waits.
    pub patience: Patience,
}

impl Order {
    /// The words behind `inferscope record` there.
    fn words(&self) -> Vec<String> {
        let Options { sample_hz, max_bytes, texts, one_root_of, allocations, .. } = self.options;
        let mut words = vec![self.workload.clone()];
        words.extend(self.params.iter().flat_map(|set| ["--set".to_owned(), set.clone()]));
        words.push(format!("--sample-hz={sample_hz}"));
        words.push(format!("--memory-limit={}", (max_bytes >> 20).max(1)));
        words.push(format!("--sample-spans=1/{one_root_of}"));
        words.extend((!texts).then(|| "--no-texts".to_owned()));
        words.extend((!allocations).then(|| "--no-allocations".to_owned()));
        words
    }
}

/// What gets the output of the recorded program.
pub type OnOutput = Box<dyn Fn(Stream, &[u8]) + Send>;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// What is done with the link, while there is nothing to be said of the recording.
    step: Mutex<String>,
    /// Since when there is no link, and why.
    lost: Mutex<Option<(Instant, String)>>,
    journal: OnceLock<Arc<JournalFile>>,
    /// A [`Wish`], or [`LEFT`].
    wish: AtomicU8,
}

/// Nobody waits for it here any more.
const LEFT: u8 = 3;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A recording that runs on another machine. Dropping it ends nothing there.
pub struct Recording {
    /// It is a process of this machine.
    here: bool,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<Arc<Profile>, RecordError>>>,
}

/// Starts a recording there.
#[must_use]
pub fn record(order: Order, on_revision: Option<OnRevision>, on_output: OnOutput) -> Recording {
    let (here, shared) = (order.target.is_here(), Arc::new(Shared::default()));
    let own = Following { shared: shared.clone(), order, on_revision, on_output };
    Recording { here, shared, thread: Some(jobs::spawn("remote recording", move || own.run())) }
}

impl Recording {
    /// True for one of this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.here
    }

    /// Ends it now and keeps what was recorded.
    pub fn stop(&self) {
        self.shared.wish.fetch_max(Wish::Stop as u8, Ordering::Relaxed);
    }

    /// Ends it now and throws away what was recorded. Without a link it goes on there, and is only left.
    pub fn cancel(&self) {
        let wish = if self.is_lost() { LEFT } else { Wish::Cancel as u8 };
        self.shared.wish.fetch_max(wish, Ordering::Relaxed);
    }

    fn is_lost(&self) -> bool {
        lock(&self.shared.lost).is_some()
    }

    /// How it gets on.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = lock(&self.shared.state).clone();
        let lost = lock(&self.shared.lost).as_ref().map(|(since, _)| since.elapsed().as_secs());
        let stage = match lost {
            Some(seconds) => format!("link lost {seconds} s ago, still recording there"),
            None if state == State::default() => lock(&self.shared.step).clone(),
            None => format::plain(&state.stage).into_owned(),
        };
        Status {
            elapsed: Duration::from_millis(state.elapsed_ms) + Duration::from_secs(lost.unwrap_or(0)),
            stage,
            progress: state.progress.filter(|p| (0.0..=1.0).contains(p)),
            spans: state.spans,
            dropped: state.dropped,
            exit_code: state.exit_code,
        }
    }

    /// Why there is no link, while there is none.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        lock(&self.shared.lost).as_ref().map(|(_, why)| why.clone())
    }

    /// The copy of its journal, once there is one.
    #[must_use]
    pub fn journal(&self) -> Option<Arc<JournalFile>> {
        self.shared.journal.get().cloned()
    }

    /// True once [`Self::join`] will not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Lets go of it: it goes on there, and what came so far is in its journal here.
    pub fn leave(mut self) {
        self.shared.wish.store(LEFT, Ordering::Relaxed);
        self.thread = None;
    }

    /// Waits for the end and gives the profile.
    ///
    /// # Errors
    /// [`RecordError::Cancelled`] after [`Self::cancel`], and [`RecordError::Elsewhere`] for what else is wrong.
    pub fn join(mut self) -> Result<Arc<Profile>, RecordError> {
        let Some(thread) = self.thread.take() else { return Err(RecordError::Cancelled) };
        thread.join().unwrap_or_else(|_| Err(RecordError::Internal("following it broke down".into())))
    }
}

/// How a recording ended there.
struct Ended {
    state: State,
    name: Option<String>,
    whole: bool,
    said: String,
}

/// The thread that follows a recording.
struct Following {
    shared: Arc<Shared>,
    order: Order,
    /// Nobody looks when there is none.
    on_revision: Option<OnRevision>,
    on_output: OnOutput,
}

/// What came of a recording so far.
struct Come {
    id: String,
    /// Since Unix time in ns.
    began: Option<i64>,
    folder: PathBuf,
    /// Once something of the journal came.
    mirror: Option<Mirror>,
    out: u64,
    err: u64,
    pictures: Pictures,
}

impl Following {
    fn run(self) -> Result<Arc<Profile>, RecordError> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let folder = self.order.options.journal.clone().ok_or_else(|| {
            RecordError::Elsewhere(
                "no journal can be written here: this system has no place for journals".into(),
            )
        })?;
        // The same for each try: what is asked twice happens once.
        let id = format!("{:x}-{:x}", unix / 1000, std::process::id());
        let began = i64::try_from(unix).ok();
        let mut come =
            Come { id, began, folder, mirror: None, out: 0, err: 0, pictures: Pictures::default() };
        let (mut link, ended) = self.follow(&mut come)?;
        if ended.state.cancelled {
            come.mirror.iter().for_each(|mirror| mirror.file().discard());
            return Err(RecordError::Cancelled);
        }
        let Some(mirror) = come.mirror.as_ref().filter(|_| !ended.state.failed) else {
            come.mirror.iter().for_each(|mirror| mirror.file().discard());
            let said = if ended.said.is_empty() { "it ended before it began" } else { &ended.said };
            let why = format!("{}: {}", self.order.target, format::plain(said));
            return Err(match ended.state.exit_code.filter(|_| ended.state.failed) {
                Some(code) => RecordError::NotStarted { why, code },
                None => RecordError::Elsewhere(why),
            });
        };
        self.conclude(mirror.file(), &mut link, &ended)
    }

    /// The profile of a recording that is over.
    fn conclude(
        &self,
        copy: &JournalFile,
        link: &mut Link,
        ended: &Ended,
    ) -> Result<Arc<Profile>, RecordError> {
        let path = copy.path();
        let wrong = |why: String| RecordError::Elsewhere(format!("{}: {why}", self.order.target));
        let Some(name) = ended.name.clone().filter(|_| !ended.whole) else {
            let profile =
                open_whole(&Input::Path(path.to_owned()), &Job::new()).map_err(|e| wrong(e.to_string()))?;
            if copy.sync().is_ok()
                && let Some(journal) = ended.name.clone()
            {
                // It is here, whole and on the disk. What is not removed now is listed there.
                let _ = link.ask(&Ask::Remove { journal }).and_then(|()| link.wait(&mut || true));
            }
            return Ok(Arc::new(profile));
        };
        // The recorder was killed: what else it left lies beside its journal there.
        link.ask(&Ask::Bring { journal: name }).map_err(|e| wrong(e.to_string()))?;
        let brought = parsed(link, &Job::new());
        match brought {
            Ok(profile) => Ok(Arc::new(profile)),
            Err(_) => open_whole(&Input::Path(path.to_owned()), &Job::new())
                .map(Arc::new)
                .map_err(|e| wrong(e.to_string())),
        }
    }

    /// Follows it to its end, over as many links as that takes.
    fn follow(&self, come: &mut Come) -> Result<(Link, Ended), RecordError> {
        let mut pause = FIRST_PAUSE;
        let mut begun = false;
        loop {
            let heard = come.heard();
            let trouble = match self.over_a_link(come, &mut begun) {
                Ok(end) => return Ok(end),
                Err(trouble) => trouble,
            };
            if self.wish() == LEFT {
                return Err(self.left());
            }
            match trouble {
                Trouble::Broken(why) if begun => {
                    if come.heard() > heard {
                        pause = FIRST_PAUSE;
                    }
                    lock(&self.shared.lost).get_or_insert_with(|| (Instant::now(), String::new())).1 = why;
                    self.rest(pause)?;
                    pause = (pause * 2).min(self.order.patience.retry);
                }
                other => return Err(RecordError::Elsewhere(other.to_string())),
            }
        }
    }

    fn wish(&self) -> u8 {
        self.shared.wish.load(Ordering::Relaxed)
    }

    fn left(&self) -> RecordError {
        let target = self.order.target.quoted();
        RecordError::Elsewhere(format!(
            "the recording was left and may go on there: inferscope recover --on {target} brings it"
        ))
    }

    /// Waits until the next try.
    fn rest(&self, pause: Duration) -> Result<(), RecordError> {
        let until = Instant::now() + pause.min(self.order.patience.retry);
        while Instant::now() < until {
            if self.wish() == LEFT {
                return Err(self.left());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Follows it over one link; `begun` once it may run there.
    fn over_a_link(&self, come: &mut Come, begun: &mut bool) -> Result<(Link, Ended), Trouble> {
        let mut on_step = |step: &str| {
            step.clone_into(&mut lock(&self.shared.step));
            self.wish() < if *begun { LEFT } else { Wish::Stop as u8 }
        };
        let mut link = Link::connect(&self.order.target, self.order.patience, &mut on_step)?;
        let words = self.order.words();
        *begun = true;
        link.ask(&Ask::Record { id: come.id.clone(), words })?;
        match link.wait(&mut || self.wish() != LEFT)? {
            Answer::Tell(Tell::Begun) => {}
            Answer::Tell(Tell::Failed { why, .. }) => {
                return Err(Trouble::Refused(format!("{}: {}", self.order.target, format::plain(&why))));
            }
            _ => return Err(Trouble::Refused(link.strange())),
        }
        let journal = come.mirror.as_mut().map_or(0, Mirror::go_back);
        link.ask(&Ask::Follow { id: come.id.clone(), journal, out: come.out, err: come.err })?;
        *lock(&self.shared.lost) = None;
        let mut told = Wish::None as u8;
        loop {
            let wish = self.wish();
            if wish > told {
                told = wish;
                let id = come.id.clone();
                match wish {
                    LEFT => return Err(Trouble::Refused("left".into())),
                    1 => link.ask(&Ask::Stop { id })?,
                    _ => link.ask(&Ask::Cancel { id })?,
                }
            }
            match link.next(LOOK_EVERY)? {
                None => {}
                Some(Answer::Piece(piece)) => self.take(come, &piece)?,
                Some(Answer::Tell(Tell::Progress(state))) => *lock(&self.shared.state) = state,
                Some(Answer::Tell(Tell::Ended { state, name, journal, whole, said })) => {
                    if come.length() < journal {
                        return Err(Trouble::Broken(format!(
                            "{}: the journal came in part",
                            self.order.target
                        )));
                    }
                    *lock(&self.shared.state) = state.clone();
                    return Ok((link, Ended { state, name, whole, said }));
                }
                Some(Answer::Tell(Tell::Failed { why, .. })) => {
                    return Err(Trouble::Refused(format!("{}: {}", self.order.target, format::plain(&why))));
                }
                Some(Answer::Tell(_)) => return Err(Trouble::Refused(link.strange())),
            }
            if let Some(on_revision) = &self.on_revision {
                come.pictures.show(on_revision);
            }
        }
    }

    fn take(&self, come: &mut Come, piece: &Piece) -> Result<(), Trouble> {
        let gap = || Trouble::Broken(format!("{}: bytes are missing", self.order.target));
        match piece.stream {
            Stream::Journal => {
                let full =
                    |e| Trouble::Refused(format!("{}: cannot be written ({e})", come.folder.display()));
                let mirror = match &mut come.mirror {
                    Some(mirror) => mirror,
                    none => none.insert(Mirror::begin(&come.folder, come.began).map_err(full)?),
                };
                if !mirror.take(piece.at, &piece.bytes, piece.whole).map_err(full)? {
                    return Err(gap());
                }
                if self.shared.journal.set(mirror.file().clone()).is_ok() {
                    come.pictures.of(mirror.file().path());
                }
                Ok(())
            }
            Stream::Out | Stream::Err => {
                let at = if piece.stream == Stream::Out { &mut come.out } else { &mut come.err };
                if piece.at != *at {
                    return Err(gap());
                }
                *at += piece.bytes.len() as u64;
                (self.on_output)(piece.stream, &piece.bytes);
                Ok(())
            }
            Stream::File => Err(gap()),
        }
    }
}

impl Come {
    /// Bytes that came; it only grows.
    fn heard(&self) -> u64 {
        self.length() + self.out + self.err
    }

    /// Bytes of the journal that came.
    fn length(&self) -> u64 {
        self.mirror.as_ref().map_or(0, Mirror::length)
    }
}

/// Pictures of a copy that grows.
#[derive(Default)]
struct Pictures {
    follow: Option<Follow>,
    path: Option<PathBuf>,
    due: Option<Instant>,
    grown: bool,
}

impl Pictures {
    fn of(&mut self, path: &std::path::Path) {
        self.path = Some(path.to_owned());
    }

    /// Shows the next one, when it is time and there is something new.
    fn show(&mut self, on_revision: &OnRevision) {
        if self.follow.is_none() {
            self.follow = self.path.as_deref().and_then(Follow::open);
        }
        let (Some(follow), begun) = (&mut self.follow, Instant::now()) else { return };
        if self.due.is_some_and(|due| begun < due) {
            return;
        }
        self.grown |= follow.read().unwrap_or(false);
        if self.grown
            && let Some(profile) = follow.snapshot()
        {
            on_revision(Arc::new(profile));
            self.grown = false;
        }
        // As a recorder does it: pictures take a twentieth of the time at most.
        self.due = Some(begun + PICTURE_EVERY.max(begun.elapsed() * 20));
    }
}
