//! Python's pstats files: what cProfile, the pure Python `profile` and yappi dump.
//!
//! Written by `Lib/cProfile.py`, `Lib/profile.py`, `Lib/pstats.py` of Python 2.5 to 3.14, yappi's
//! `convert2pstats`, pyinstrument's pstats renderer, and `profiling.sampling` of Python 3.15 (see `sampled`). There is no specification; `Lib/pstats.py` is
//! the reference. The file is one marshalled dict:
//!
//! ```text
//! {(file, line, name): (primitive calls, calls, self s, total s, {caller: (calls, primitive, self s, total s)})}
//! ```
//!
//! Kept: everything. Calls on a function stand in the other order than on a caller; yappi does not
//! follow that, and since a function cannot have more primitive calls than calls, one such function
//! shows the order of the whole file. `profile` stores only a call count per caller, so its edges have
//! no costs. Totals are taken as measured: a recursive function's total counts its outermost
//! activations only and cannot be derived from its callers.
//!
//! Lost: nothing. Guessed: the tool (by the keys that only one of them writes) and the modules (from
//! file names). Time order and call paths are not in the file at all.

mod fill;
mod parts;
mod sampled;
mod signs;
#[cfg(test)]
mod tests;

use super::Gives::Graph;
use super::read::marshal;
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::format;
use crate::model::{Basis, Calls, ProfileBuilder, Unit};
use fill::Filler;
use parts::CallOrder;
pub(super) use sampled::MARKER;
use signs::Found;

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "pstats",
    title: "Python pstats",
    written_by: "cProfile, profile, profiling.sampling, yappi, pyinstrument, pytest-profiling",
    extensions: &["prof", "pstat", "pstats", "cprof"],
    gives: &[Graph],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if marshal::looks_like_dict_of_tuples(head.bytes) {
        return Confidence::Certain;
    }
    // Marshalled data of another shape under a profile's name: the importer says what is wrong.
    let named = IMPORTER.extensions.iter().any(|e| head.name.ends_with(&format!(".{e}")));
    match head.bytes.first() {
        Some(b'{' | b'(' | b')' | b'[' | b'c' | 0xfb | 0xe3 | 0xa8 | 0xa9 | 0xdb)
            if named && head.bytes.contains(&0) =>
        {
            Confidence::Possible
        }
        _ => Confidence::No,
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let sampled = memchr::memmem::find(&bytes, MARKER).is_some();
    let mut filler = Filler::new(&mut cx.builder, sampled);
    let (dump, broken) = marshal::read_dict(&bytes, cx.job, &mut |dump, key, value| {
        filler.entry(dump, key, value);
    })?;
    if filler.functions() == 0 && filler.skipped > 0 {
        return Err(ImportError::malformed(
            "is no Python profile: no entry has the form (file, line, name): (calls, …, callers)",
        ));
    }
    let found = filler.finish(&dump);
    let builder = &mut cx.builder;
    builder.warn_many("entry that is not a function with its costs (skipped)", "", found.skipped);
    if let Some(broken) = &broken {
        let place = broken.place.map(|p| p.to_string()).unwrap_or_default();
        builder.warn(&format!("file {}; what came before is shown", broken.what), &place);
    }
    if found.order == CallOrder::AllFirst && !found.signs.yappi {
        builder.warn("more primitive calls than calls (read in yappi's order, all calls first)", "");
    }
    if found.signs.sampled && found.functions == 0 {
        builder.warn("no samples were taken", "");
    }
    if found.mixes_threads() {
        let [largest, whole] = [found.largest, found.own].map(format::duration);
        builder.warn(
            "calls of several threads are mixed up: a total is larger than the whole. cProfile of Python 3.12 and later \
             sees all threads and puts their calls on one stack; self times hold, callers and totals do not",
            &format!("{largest} of {whole}"),
        );
    }
    if found.lacks_functions() {
        let [largest, whole] = [found.largest, found.own].map(format::duration);
        builder.warn(
            "self times of some functions are missing: a total is larger than all of them. cProfile keeps one of two \
             functions with the same file, line and name, such as two lambdas on a line, and drops the other; totals and \
             callers of the rest hold (less likely, calls of several threads are mixed up)",
            &format!("{largest} of {whole}"),
        );
    }
    describe(builder, &found);
    Ok(())
}

fn describe(builder: &mut ProfileBuilder, found: &Found) {
    let (meta, tool) = (&mut builder.meta, found.tool());
    meta.basis =
        if found.signs.of_samples() && found.functions > 0 { Basis::Sampled } else { Basis::Aggregated };
    meta.tool = tool.into();
    // Others add up what ran at the same time, so there the sum is no length.
    let one_thread = !tool.starts_with("yappi") && !found.signs.sampled && !found.mixes_threads();
    let length = if found.lacks_functions() { found.largest } else { found.own };
    meta.duration = (one_thread && found.functions > 0).then_some(length);
    let what = if found.signs.sampled { "Lines" } else { "Functions" };
    meta.result(what, found.functions);
    if let Some(Calls { all, primitive }) = found.calls {
        meta.result("Calls", all);
        if primitive != all {
            meta.result("Primitive calls", primitive);
        }
    }
    meta.result("Self time of all functions", (found.own, Unit::Nanoseconds));
}
