//! `record --apart FOLDER`: the recorder that `inferscope remote` starts. It belongs to no terminal and to no link, and tells
//! in the files of its folder how it gets on.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::Failure;
use super::{Beside, RecordArgs, journal_folder, options, params, record};
use crate::record::{Status, echo};
use crate::remote::post::{Keeper, MOST_OUTPUT, Wish};
use crate::remote::{Anywhere, State};

/// Time between two words on how it gets on.
const EVERY: Duration = Duration::from_millis(250);

struct Apart {
    keeper: Keeper,
    due: Cell<Instant>,
    state: Cell<State>,
}

pub(super) fn run(args: &RecordArgs, folder: &Path) -> Result<(), Failure> {
    let keeper = Keeper::begin(folder)
        .map_err(|e| Failure::new(format!("{}: is no folder for a recording ({e})", folder.display())))?;
    echo::OUT.limit(MOST_OUTPUT);
    echo::ERR.limit(MOST_OUTPUT);
    let journals = journal_folder(args.how.journal.as_deref(), true)?;
    let apart = Apart { keeper, due: Cell::new(Instant::now()), state: Cell::default() };
    let recorded = record(&args.workload, &params(args)?, options(args, journals), Some(&apart), true);
    // What the program wrote is there before the end is.
    let _ = (echo::OUT.flush(), echo::ERR.flush());
    let cancelled = recorded.is_err() && apart.keeper.wished() == Wish::Cancel;
    let mut state = State { ended: true, cancelled, ..apart.state.take() };
    if let Err(failure) = &recorded {
        // As a shell says that a program cannot be started.
        state.failed = matches!(failure.code, 126 | 127);
        state.exit_code = Some(failure.code);
    }
    if let Ok(recorded) = &recorded {
        let end = if recorded.profile.meta.failed.is_none() { "Done" } else { "Ended early" };
        state.stage = end.to_owned();
        state.elapsed_ms =
            recorded.profile.meta.duration.map_or(state.elapsed_ms, |ns| ns.unsigned_abs() / 1_000_000);
        state.exit_code = recorded.exit_code;
        state.spans = recorded.profile.span_count() as u64;
        state.journal = recorded.journal.as_ref().map(|j| j.path().to_owned());
    }
    // Without it the journal alone tells how it went.
    let _ = apart.keeper.say(&state);
    // Why it failed is said where somebody looks.
    recorded?.outcome().map_err(|failure| Failure { message: String::new(), ..failure })
}

impl Beside for Apart {
    fn look(&self, recording: &Anywhere) {
        match self.keeper.wished() {
            Wish::None => {}
            Wish::Stop => recording.stop(),
            Wish::Cancel => recording.cancel(),
        }
        if Instant::now() < self.due.get() {
            return;
        }
        self.due.set(Instant::now() + EVERY);
        let Status { elapsed, stage, progress, spans, dropped, exit_code } = recording.status();
        let state = State {
            stage,
            progress,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            spans,
            dropped,
            journal: recording.journal().map(|j| j.path().to_owned()),
            exit_code,
            ended: false,
            cancelled: false,
            failed: false,
        };
        // The next word may find room again.
        let _ = self.keeper.say(&state);
        self.state.set(state);
    }
}
