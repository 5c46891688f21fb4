//! `record --on TARGET`: the same recording on another machine.

use std::cell::RefCell;

use super::super::Failure;
use super::super::out::{ProgressLine, say};
use super::progress::{COMMAND, attend};
use super::{Beside, RecordArgs, Recorded};
use crate::record::{Options, echo};
use crate::remote::{self, Anywhere, Order, Patience, Stream, Target};

/// Records on `on`; the journal comes here as it grows.
pub(super) fn record(
    args: &RecordArgs,
    on: &str,
    params: Vec<String>,
    options: Options,
) -> Result<Recorded, Failure> {
    if args.how.sources {
        return Err(Failure::new(
            "--sources: the source files are on the other machine; leave it out with --on",
        ));
    }
    let target = Target::parse(on).map_err(Failure::new)?;
    let order =
        Order { target, workload: args.workload.clone(), params, options, patience: Patience::default() };
    let on_output = Box::new(|stream, bytes: &[u8]| match stream {
        Stream::Err => echo::ERR.pass_on(bytes),
        _ => echo::OUT.pass_on(bytes),
    });
    let recording = remote::record(order, None, on_output);
    let (quiet, of_command) = (args.says_nothing_of_its_course(), args.workload == COMMAND);
    let words = Words { told: RefCell::default(), quiet };
    attend(Anywhere::There(recording), Some(&words), (!of_command && !quiet, quiet), false)
}

/// What is said of the link meanwhile.
struct Words {
    told: RefCell<Told>,
    quiet: bool,
}

#[derive(Default)]
struct Told {
    line: ProgressLine,
    lost: bool,
}

impl Beside for Words {
    fn look(&self, recording: &Anywhere) {
        let Anywhere::There(there) = recording else { return };
        let mut told = self.told.borrow_mut();
        match there.trouble() {
            Some(why) if !told.lost => {
                told.lost = true;
                say(format_args!("{why}; still recording there. Ctrl-C twice leaves it"));
            }
            None if told.lost => {
                told.lost = false;
                say("The link is back.");
            }
            _ => {}
        }
        let status = there.status();
        if !self.quiet && status.elapsed.is_zero() && !told.lost {
            // Where lines cannot be written over, there is one for each thing that is done, not for each percent of it.
            let stage = status.stage.split([':', ';']).next().unwrap_or_default();
            told.line.show(&status.stage, stage);
        }
    }
}
