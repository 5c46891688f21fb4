//! `sample` of macOS: a tree of counts per thread.
//!
//! Reference: what `/usr/bin/sample` prints, and inferno's `collapse/sample.rs`. Kept: the call graph with its counts,
//! libraries, threads. Lost: addresses, the list of libraries. Guessed: nothing.

use super::super::Gives::Tree;
use super::super::read::Oddities;
use super::super::read::lines::{Line, for_each_text_line};
use super::super::read::outline::{Outline, Totals};
use super::super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FunctionSpec, Metric, ProfileBuilder, TrackId, TrackKind, TrackSpec, Unit};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "macos-sample",
    title: "macOS sample",
    written_by: "sample, Activity Monitor",
    extensions: &["txt", "sample.txt"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let begins = head.bytes.starts_with(b"Analysis of sampling ");
    if begins { Confidence::Certain } else { Confidence::No }
}

#[derive(Default)]
struct Reader {
    in_graph: bool,
    done: bool,
    threads: Vec<(TrackId, Totals)>,
    outline: Outline,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Reader::default();
    for_each_text_line(source, cx, |cx, line| {
        reader.line(line, &mut cx.builder);
        Ok(())
    })?;
    if reader.threads.is_empty() {
        return Err(ImportError::malformed("holds no call graph"));
    }
    let builder = &mut cx.builder;
    let metric = builder.metric(Metric::new("samples", "Samples", Unit::Count));
    for (track, totals) in &reader.threads {
        for (stack, own) in totals.own() {
            builder.sample(*track, Some(stack), &[(metric, own)]);
        }
    }
    builder.meta.basis = Basis::Sampled;
    builder.meta.tool = "sample".into();
    reader.odd.report(builder);
    Ok(())
}

impl Reader {
    fn line(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) {
        let text = line.text;
        if !self.in_graph {
            self.in_graph = text.starts_with("Call graph:");
            head(text, builder);
        } else if !self.done {
            // The graph ends with an empty line or the next heading.
            if text.trim().is_empty() || text.starts_with(|c: char| c.is_alphabetic()) {
                self.done = true;
            } else if self.row(text, builder).is_none() {
                self.odd.add("line of the call graph that cannot be read (skipped)", || line.place());
            }
        }
    }

    fn row(&mut self, text: &str, builder: &mut ProfileBuilder) -> Option<()> {
        let content = text.trim_start_matches([' ', '+', '!', ':', '|']);
        let depth = text.len() - content.len();
        let (count, rest) = content.split_once(' ')?;
        let count: i64 = count.parse().ok()?;
        let name = rest.trim_start();
        if name.starts_with("Thread_") && !name.contains("(in ") {
            let name = name.split("  ").next().unwrap_or(name);
            let sort = self.threads.len() as i64;
            let track = builder.track(TrackSpec { name, process: "", kind: TrackKind::Thread, sort });
            self.threads.push((track, Totals::default()));
            self.outline.clear();
            return Some(());
        }
        // `name  (in library) + 123  [0x…]`
        let (name, module) = match name.split_once("  (in ") {
            Some((name, rest)) => (name, rest.split(')').next().unwrap_or("")),
            None => (name.split("  [").next().unwrap_or(name), ""),
        };
        let function =
            builder.function(FunctionSpec { name: name.trim(), module, ..FunctionSpec::default() });
        let frame = builder.frame(function, 0);
        let stack = self.outline.at(depth, frame, builder);
        self.threads.last_mut()?.1.add(depth, stack, count);
        Some(())
    }
}

fn head(text: &str, builder: &mut ProfileBuilder) {
    let Some((key, value)) = text.split_once(':') else { return };
    let value = value.trim();
    match key {
        "Process" => builder.meta.title = value.into(),
        "OS Version" => builder.meta.ran_on("System", value),
        "Date/Time" | "Physical footprint (peak)" => builder.meta.result(key, value),
        _ => {}
    }
}
