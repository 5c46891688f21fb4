//! Whole traces, from text to profile.

mod events;
mod hostile;
mod samples;

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::{Confidence, Head, Input, Source, details, open};
use super::*;
use crate::jobs::Job;
use crate::model::{ArgsPlace, ArgsRef, NO_ROW, Profile};

fn input(bytes: impl AsRef<[u8]>) -> Input {
    Input::Bytes("unknown".into(), Arc::from(bytes.as_ref()))
}

/// Opens bytes as a user does.
fn opened(bytes: impl AsRef<[u8]>) -> Result<Profile, ImportError> {
    open(&input(bytes), &Job::new(), &mut |_| {})
}

fn profile(bytes: impl AsRef<[u8]>) -> Profile {
    opened(bytes).unwrap()
}

/// Reads a trace a few bytes at a time. `publish` gets a partial picture as soon as there is one.
fn chunked(bytes: &[u8], chunk: usize, publish: &mut dyn FnMut(Profile)) -> Result<Profile, ImportError> {
    let job = Job::new();
    let mut cx = Context {
        builder: ProfileBuilder::new("chrome"),
        job: &job,
        publish: Some(publish),
        started: Instant::now().checked_sub(Duration::from_secs(9)).unwrap(),
    };
    import_by(&mut Source::open(&input(bytes))?, &mut cx, chunk)?;
    Ok(cx.builder.finish())
}

/// A trace from short lines such as «X work 10 5 pid=2 "args":{}»: phase, name, time in µs and, for a
/// complete event, duration; then fields. pid and tid are 1 unless said.
fn trace(lines: &[&str]) -> String {
    let mut json = String::from("[\n");
    for line in lines {
        let mut words = line.splitn(4, ' ');
        let (phase, name, ts) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let mut rest = words.next().unwrap_or("");
        write!(json, r#"{{"ph":"{phase}","ts":{ts}"#).unwrap();
        if name != "-" {
            write!(json, r#","name":"{name}""#).unwrap();
        }
        if phase == "X" {
            let (dur, more) = rest.split_once(' ').unwrap_or((rest, ""));
            write!(json, r#","dur":{dur}"#).unwrap();
            rest = more;
        }
        for key in ["pid", "tid"] {
            if !rest.contains(&format!("\"{key}\"")) {
                write!(json, r#","{key}":1"#).unwrap();
            }
        }
        if !rest.is_empty() {
            write!(json, ",{rest}").unwrap();
        }
        json.push_str("},\n");
    }
    json + "]"
}

/// Spans as «name start-end in parent», µs, in the order of the tracks.
fn spans(p: &Profile) -> Vec<String> {
    let mut all = Vec::new();
    for track in &p.tracks {
        let name = |row: u32| p.function_name(track.spans.rows[row as usize].function);
        for (i, s) in track.spans.rows.iter().enumerate() {
            let mut text = format!("{} {}-{}", name(i as u32), s.start / 1000, s.end / 1000);
            if s.parent != NO_ROW {
                write!(text, " in {}", name(s.parent)).unwrap();
            }
            all.push(text);
        }
    }
    all
}

fn warnings(p: &Profile) -> Vec<(&str, u64)> {
    p.warnings.iter().map(|w| (w.kind.as_str(), w.count)).collect()
}

fn labels(p: &Profile) -> Vec<String> {
    p.track_ids().map(|id| p.track_label(id)).collect()
}

/// Everything in a profile, as a text that is equal for equal profiles.
fn dump(p: &Profile) -> String {
    let mut out = format!("{:?}\n{:?}\n", p.meta, p.warnings);
    for id in p.track_ids() {
        let track = p.track(id);
        writeln!(out, "{} {:?} {:?}", p.track_label(id), track.kind, track.spans.lanes).unwrap();
        for s in &track.spans.rows {
            let f = p.functions.get(s.function);
            let place = (p.text(f.name), p.text(f.file), f.line, p.text(f.category));
            writeln!(
                out,
                "{place:?} {} {} {:?} {} {} {:?}",
                s.start, s.end, s.args, s.parent, s.depth, s.status
            )
            .unwrap();
        }
        for i in 0..track.samples.len() {
            let stack = track.samples.stacks[i].map(|s| p.stack_functions(s));
            writeln!(out, "{:?} {stack:?}", track.samples.interval(i)).unwrap();
        }
    }
    for c in &p.counters {
        writeln!(out, "{} {} {:?} {:?} {:?}", p.text(c.process), p.text(c.name), c.unit, c.times, c.values)
            .unwrap();
    }
    for i in &p.instants {
        writeln!(out, "{} {} {:?} {:?}", i.time, p.text(i.name), i.track, i.args).unwrap();
    }
    for l in &p.links {
        writeln!(out, "{:?} {:?} {}", l.from, l.to, p.text(l.name)).unwrap();
    }
    out
}

/// A sample file of the repository.
fn sample(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/chrome-trace/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

fn offset(args: ArgsRef) -> u64 {
    match args.place() {
        ArgsPlace::Offset(offset) => offset,
        other => panic!("{other:?}"),
    }
}
