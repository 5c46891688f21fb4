//! What pyinstrument prints: a tree in text.
//!
//! Reference: `renderers/console.py` of pyinstrument 3 to 5. Kept: every printed frame with its time, file and line; the
//! head. Lost: frames that the tool hid («14 frames hidden»: their time is their caller's), and what is smaller than the
//! printed digits. Guessed: nothing. Colours are taken away.

use super::Gives::Tree;
use super::python::module_of;
use super::read::lines::{Line, for_each_text_line};
use super::read::outline::{Outline, Totals};
use super::read::{Oddities, json::Decimal};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FunctionSpec, Metric, ProfileBuilder, TrackKind, TrackSpec};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "pyinstrument-text",
    title: "pyinstrument text",
    written_by: "pyinstrument (what it prints)",
    extensions: &["txt"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let has = |sign| head.says(sign);
    if has("Recorded: ") && has("Samples:") && has("Duration: ") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

#[derive(Default)]
struct Reader {
    outline: Outline,
    totals: Totals,
    hidden: u64,
    odd: Oddities,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Reader::default();
    for_each_text_line(source, cx, |cx, line| {
        reader.line(line, &mut cx.builder);
        Ok(())
    })?;
    if reader.totals.is_empty() {
        return Err(ImportError::malformed("holds no frames"));
    }
    let builder = &mut cx.builder;
    let metric = builder.metric(Metric::time());
    let track = builder.track(TrackSpec { name: "Tree", process: "", kind: TrackKind::Profile, sort: 0 });
    for (stack, own) in reader.totals.own() {
        builder.sample(track, Some(stack), &[(metric, own)]);
    }
    builder.meta.basis = Basis::Sampled;
    builder.warn_many("frames that pyinstrument hid (their time is their caller's)", "", reader.hidden);
    reader.odd.report(builder);
    Ok(())
}

/// Takes away what colours a terminal.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.find('m').map_or("", |end| &after[end + 1..]);
    }
    plain + rest
}

impl Reader {
    fn line(&mut self, line: Line<'_>, builder: &mut ProfileBuilder) {
        let text = plain(line.text);
        let tree = |c: char| matches!(c, '│' | '├' | '└' | '─' | ' ' | '|' | '`' | '-');
        let content = text.trim_start_matches(tree);
        // Columns rather than bytes: the lines of the tree are no ASCII.
        let depth = text[..text.len() - content.len()].chars().count();
        if content.is_empty() {
            return;
        }
        if let Some((count, _)) = content.strip_prefix('[').and_then(|t| t.split_once(" frames hidden]")) {
            self.hidden += count.parse().unwrap_or(0);
            return;
        }
        let Some((time, rest)) = content.split_once(' ') else { return };
        match Decimal::parse(time.as_bytes()).and_then(|d| d.scaled(9)).filter(|_| time.contains('.')) {
            Some(time) => self.frame(depth, time, rest, builder),
            None => head(&text, builder),
        }
    }

    fn frame(&mut self, depth: usize, time: i64, text: &str, builder: &mut ProfileBuilder) {
        let (name, place) = text.trim().split_once("  ").unwrap_or((text.trim(), ""));
        let (file, line) = match place.trim().rsplit_once(':') {
            Some((file, line)) if line.bytes().all(|b| b.is_ascii_digit()) => {
                (file, line.parse().unwrap_or(0))
            }
            _ => (place.trim(), 0),
        };
        let module = module_of(file);
        let spec = FunctionSpec { name, module: &module, file, line, ..FunctionSpec::default() };
        let function = builder.function(spec);
        let frame = builder.frame(function, 0);
        let stack = self.outline.at(depth, frame, builder);
        self.totals.add(depth, stack, time);
    }
}

/// Lines above the tree, with pyinstrument's picture on their left.
fn head(text: &str, builder: &mut ProfileBuilder) {
    for (key, name) in [("Recorded:", "Recorded"), ("Samples:", "Samples"), ("CPU time:", "CPU time")] {
        if let Some((_, rest)) = text.split_once(key) {
            let value = rest.split_whitespace().next().unwrap_or("");
            builder.meta.result(name, value);
        }
    }
    if let Some((_, rest)) = text.split_once("Duration:") {
        let seconds = rest.split_whitespace().next().unwrap_or("");
        builder.meta.duration = Decimal::parse(seconds.as_bytes()).and_then(|d| d.scaled(9));
    }
    let version = text.split_whitespace().last().and_then(|w| w.strip_prefix('v'));
    if let Some(version) = version.filter(|v| v.starts_with(|c: char| c.is_ascii_digit())) {
        builder.meta.tool = format!("pyinstrument {version}");
    }
    if let Some(program) = text.strip_prefix("Program: ").or(text.strip_prefix("Profile at ")) {
        builder.meta.title = program.trim().into();
    }
}
