//! memory_profiler's `mprofile_*.dat`: memory of a process over time.
//!
//! Reference: `mprof.py` of memory_profiler. Kept: the course of the process (`MEM`) and of its children (`CHLD`); calls
//! of decorated functions (`FUNC`) as spans with the memory that they gained. Lost: nothing. Guessed: that MB means
//! MiB, as the tool computes it.

use super::super::Gives::{Counters, Memory, Time};
use super::super::read::Oddities;
use super::super::read::json::Decimal;
use super::super::read::lines::{Line, for_each_text_line};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    ArgsRef, Basis, CounterId, FunctionSpec, Metric, ProfileBuilder, TrackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "mprof",
    title: "memory_profiler",
    written_by: "mprof run",
    extensions: &["dat"],
    gives: &[Time, Memory, Counters],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let text = String::from_utf8_lossy(&head.bytes[..head.bytes.len().min(4096)]);
    let mut lines = text.lines();
    let first = lines.next().unwrap_or("");
    let row =
        |l: &str| matches!(parts(l)[..], ["MEM", _, _] | ["CHLD", _, _, _] | ["FUNC", _, _, _, _, _, ..]);
    match (first.starts_with("CMDLINE "), row(first), text.lines().any(row)) {
        (true, _, true) | (_, true, _) => Confidence::Certain,
        (true, _, false) => Confidence::Likely,
        _ => Confidence::No,
    }
}

fn parts(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn nanos(text: &str) -> Option<i64> {
    Decimal::parse(text.as_bytes())?.scaled(9)
}

fn mib(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| v.is_finite()).map(|v| v * f64::from(1 << 20))
}

#[derive(Default)]
struct Reader {
    memory: Option<CounterId>,
    children: Vec<(String, CounterId)>,
    track: Option<TrackId>,
    last: i64,
    command: bool,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Reader::default();
    for_each_text_line(source, cx, |cx, line| {
        if reader.line(line, &mut cx.builder).is_none() {
            reader.odd.add("line that cannot be read (skipped)", || line.place());
        }
        Ok(())
    })?;
    let builder = &mut cx.builder;
    if builder.is_empty() {
        return Err(ImportError::malformed("holds no measurements"));
    }
    builder.meta.basis = Basis::Timed;
    builder.meta.tool = "memory_profiler".into();
    builder.rebase = true;
    reader.odd.report(builder);
    Ok(())
}

impl Reader {
    fn line(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) -> Option<()> {
        let words = parts(line.text);
        match words[..] {
            ["MEM", size, time] => {
                let (time, size) = (nanos(time)?, mib(size)?);
                self.command = false;
                let counter = *self.memory.get_or_insert_with(|| builder.counter("Memory", "", Unit::Bytes));
                self.point(counter, time, size, line, builder);
            }
            ["CHLD", number, size, time] => {
                let (time, size) = (nanos(time)?, mib(size)?);
                let known = self.children.iter().find(|c| c.0 == number).map(|c| c.1);
                let counter = known.unwrap_or_else(|| {
                    let counter = builder.counter(&format!("Memory of child {number}"), "", Unit::Bytes);
                    self.children.push((number.into(), counter));
                    counter
                });
                builder.point(counter, time, size);
            }
            ["FUNC", name, before, start, after, end, ..] => {
                let (start, end) = (nanos(start)?, nanos(end)?);
                let gained = mib(after)? - mib(before)?;
                let track = *self.track.get_or_insert_with(|| {
                    builder.track(TrackSpec {
                        name: "Functions",
                        process: "",
                        kind: TrackKind::Thread,
                        sort: 0,
                    })
                });
                let function = builder.function(FunctionSpec::named(name));
                let span = builder.span(track, start, end, function, ArgsRef::NONE);
                let metric = builder.metric(Metric::new("gained", "Memory gained", Unit::Bytes));
                builder.span_cost(track, span, metric, gained as i64);
            }
            ["CMDLINE", ..] => {
                builder.meta.title = line.text["CMDLINE".len()..].trim().into();
                self.command = true;
            }
            // A command of several lines.
            _ if self.command => {}
            [] => {}
            _ => return None,
        }
        Some(())
    }

    fn point(
        &mut self,
        counter: CounterId,
        time: i64,
        size: f64,
        line: Line<'_>,
        builder: &mut ProfileBuilder,
    ) {
        if time < self.last {
            self.odd.add("measurement earlier than the one before it (moved to it)", || line.place());
        }
        self.last = self.last.max(time);
        builder.point(counter, self.last, size);
    }
}
