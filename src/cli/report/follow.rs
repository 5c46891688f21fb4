//! `report --follow`: the report of a recording that goes on, printed again as it grows.

use std::time::{Duration, Instant};

use super::{Failure, ReportArgs, json, report_of};
use crate::cli::out;
use crate::format::{self, Page};
use crate::import::{Follow, ImportError};
use crate::model::Profile;

/// Time between two looks at the journal.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Prints the report until the recording ends, or nobody reads it any more.
pub(super) fn run(args: &ReportArgs, mut recording: Follow) -> Result<(), Failure> {
    let failed = |e: ImportError| Failure::new(format!("{}: {e}", args.file.display()));
    let every = Duration::from_secs_f64(args.every);
    let mut due = Instant::now();
    let mut grown = false;
    loop {
        grown |= recording.read().map_err(failed)?;
        if !recording.is_live() {
            let last = recording.finish().map_err(failed)?;
            return show(args, last, false).map(drop);
        }
        if grown
            && Instant::now() >= due
            && let Some(profile) = recording.snapshot()
        {
            if !show(args, profile, true)? {
                return Ok(());
            }
            (grown, due) = (false, Instant::now() + every);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Prints one report; false when nobody reads it.
fn show(args: &ReportArgs, profile: Profile, more: bool) -> Result<bool, Failure> {
    let length = profile.meta.duration.unwrap_or(0);
    let report = report_of(args, profile)?;
    if args.json {
        return out::write_json(|out| json::write_line(&report, out));
    }
    let text = report.text()?;
    let state = if more { "still recording" } else { "the recording has ended" };
    let mut page = Page::default();
    page.line(format_args!("── {} recorded, {state} ──", format::duration(length)));
    page.lines(text.text());
    if more {
        page.gap();
    }
    // On a terminal the next one takes the place of the last.
    Ok(out::clear()? && out::write(&page)?)
}
