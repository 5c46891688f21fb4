//! Stacks of a Python program that were sampled while `record command` or `record attach` ran.
//!
//! One file for each process, as text, so that what was written before a kill can be read. Fields stand between tabs; numbers
//! count from 0 in the order in which things are told:
//!
//! ```text
//! inferscope-stacks 1 PID CLOCK UNIX INTERVAL SAMPLER PYTHON PROGRAM    CLOCK and UNIX were read together; all ns
//! f NAME FILE LINE             a function; LINE where it begins, 0 where that is not known
//! b FUNCTION LINE              where a function begins that was told without; 0 where several have its name and file
//! s BELOW FUNCTION LINE        a stack: a frame on that with the number BELOW («-» for none), at LINE
//! n THREAD NATIVE IDENT NAME   a thread: the system's number of it and Python's, each 0 where it is not known
//! t µs THREAD:STATE:STACK …    a look, so long after the last one; the threads that changed (STATE x: has ended)
//! l COUNT                      looks that failed or came too late, so far
//! full                         there was no more room
//! ```
//!
//! States: `g` runs and has the GIL, `r` runs, `i` does not run, `u` is not known. Kept: all of it. A sample stands for the time to the next
//! look, at most for two intervals. Stacks of several processes, and of a program whose tasks are known, come
//! through [`super::tasks`], which puts them where they belong.

mod draw;
mod read;
#[cfg(test)]
mod tests;

use super::Gives::{Time, Tree};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
pub(super) use draw::{INSIDE, Metrics, Paths, Plain, Row, name, ordered, rows, tell};
pub(super) use read::{Code, Run, Stacks, State, Thread as Sampled, read};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "stacks",
    title: "sampled Python stacks",
    written_by: "inferscope record command and record attach",
    extensions: &[EXTENSION],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

/// The ending of a file's name, and how its text begins.
pub(crate) const EXTENSION: &str = "stacks";
pub(crate) const BEGIN: &str = "inferscope-stacks\t1\t";

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.starts_with(BEGIN.as_bytes()) { Confidence::Certain } else { Confidence::No }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let stacks = read(&bytes)?;
    let Some(first) = stacks.first_look() else {
        return Err(ImportError::malformed("holds no samples"));
    };
    let shift = first.saturating_neg();
    let metrics = Metrics::new(&mut cx.builder);
    Plain { stacks: &stacks, shift, process: "", sort: 0 }.draw(&metrics, &mut cx.builder);
    tell(&[&stacks], &mut cx.builder);
    let meta = &mut cx.builder.meta;
    meta.tool.clone_from(&stacks.sampler);
    meta.title.clone_from(&stacks.program);
    meta.origin_unix_ns = Some(first.saturating_add(stacks.calendar()));
    meta.basis = crate::model::Basis::Sampled;
    Ok(())
}
