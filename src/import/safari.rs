//! Safari's timeline recordings: Web Inspector, Timelines, Export.
//!
//! Reference: `TimelineRecording.js` of WebKit's Web Inspector. Kept: sampled stacks of scripts with their times. Lost: network, layout and other
//! records. Guessed: a sample stands for the time to the next one, at most for 10 ms, unless the file states its length.

use serde_json::Value;

use super::Gives::{Time, Tree};
use super::read::Oddities;
use super::read::json::{Json, top_keys};
use super::read::value::{items, real, text, value};
use super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FunctionSpec, Metric, StackId, TrackKind, TrackSpec};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "safari",
    title: "Safari timeline recording",
    written_by: "Safari's Web Inspector",
    extensions: &["json"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let is_ours = head.says("\"instrumentTypes\"") || head.says("\"timeline-record-type-");
    if has("version") && has("recording") && is_ours { Confidence::Certain } else { Confidence::No }
}

/// Longest time that one sample stands for, ns.
const LONGEST: i64 = 10_000_000;

#[derive(Default)]
struct Recording {
    title: String,
    traces: Vec<Value>,
    lengths: Vec<f64>,
}

impl Recording {
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            if json.key() != b"recording" {
                json.skip()?;
                continue;
            }
            if !json.enter_object()? {
                continue;
            }
            while json.next_key()? {
                match json.key() {
                    b"displayName" => json.string_into(&mut self.title)?,
                    b"sampleStackTraces" => {
                        if json.enter_array()? {
                            while json.next_item()? {
                                self.traces.push(value(json)?);
                            }
                        }
                    }
                    b"sampleDurations" => {
                        if json.enter_array()? {
                            while json.next_item()? {
                                self.lengths.push(json.real()?.unwrap_or(f64::NAN));
                            }
                        }
                    }
                    _ => json.skip()?,
                }
            }
        }
        Ok(())
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let (mut recording, mut odd) = (Recording::default(), Oddities::default());
    let mut json = Json::new(source, cx.job)?;
    match recording.read(&mut json) {
        Err(e) if e.kind == ErrorKind::Malformed && !recording.traces.is_empty() => {
            odd.add("file is broken off; what came before is shown", || e.to_string());
        }
        other => other?,
    }
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.tool, b.meta.title) = (Basis::Sampled, "Safari".into(), recording.title);
    b.rebase = true;
    let metric = b.metric(Metric::time());
    let track = b.track(TrackSpec { name: "Scripts", process: "", kind: TrackKind::Thread, sort: 0 });
    let ns =
        |seconds: f64| (seconds.is_finite() && seconds.abs() < 9e9).then(|| (seconds * 1e9).round() as i64);
    let time = |trace: &Value| trace.get("timestamp").and_then(real).and_then(ns);
    let stated = recording.lengths.len() == recording.traces.len();
    let mut samples: Vec<(i64, Option<i64>, &Value)> = Vec::new();
    for (n, trace) in recording.traces.iter().enumerate() {
        match time(trace) {
            Some(time) => samples.push((
                time,
                stated.then(|| ns(recording.lengths[n])).flatten().filter(|l| *l >= 0),
                trace,
            )),
            None => odd.add("sample without a time (left out)", || format!("sample {n}")),
        }
    }
    samples.sort_by_key(|s| s.0);
    for (n, &(time, length, trace)) in samples.iter().enumerate() {
        let mut stack: Option<StackId> = None;
        let frames: Vec<&Value> = items(trace.get("stackFrames")).collect();
        for frame in frames.into_iter().rev() {
            let line = |path: &str| {
                frame.get(path).and_then(real).and_then(|l| u32::try_from(l as i64).ok()).unwrap_or(0)
            };
            let name = text(frame, &["name"]);
            let name = if name.is_empty() { "(anonymous)" } else { name };
            let function = b.function(FunctionSpec {
                name,
                file: text(frame, &["url"]),
                line: line("line"),
                ..FunctionSpec::default()
            });
            let at = frame
                .get("expressionLocation")
                .and_then(|l| l.get("line"))
                .and_then(real)
                .map_or(0, |l| l as u32);
            let frame = b.frame(function, at);
            stack = Some(b.stack(stack, frame));
        }
        let next = samples.get(n + 1).map(|s| s.0);
        let length = length.or_else(|| next.map(|next| (next - time).min(LONGEST))).unwrap_or(1_000_000);
        let end = next.map_or(time.saturating_add(length), |next| next.min(time.saturating_add(length)));
        b.timed_sample(track, (time, end), stack, &[(metric, length)]);
        if next.is_some_and(|next| next > end) {
            b.timed_sample(track, (end, next.unwrap_or(end)), None, &[(metric, 0)]);
        }
    }
    if samples.is_empty() {
        return Err(ImportError::malformed("holds no samples of scripts")
            .remedy("record with «JavaScript & Events» switched on"));
    }
    odd.report(b);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    #[test]
    fn samples_have_the_times_and_lengths_that_the_recording_states() {
        let frame = |name: &str, line: u32| {
            format!(
                r#"{{"sourceID": "3", "name": "{name}", "line": {line}, "column": 1, "url": "a.js", "expressionLocation": {{"line": 9, "column": 2}}}}"#
            )
        };
        let sample = |time: f64, frames: &[String]| {
            format!(r#"{{"timestamp": {time}, "stackFrames": [{}]}}"#, frames.join(","))
        };
        let (main, work) = (frame("(program)", 1), frame("", 4));
        let text = format!(
            r#"{{"version": 1, "recording": {{"displayName": "Recording 1", "instrumentTypes": ["timeline-record-type-script"], "records": [], "sampleStackTraces": [{}, {}], "sampleDurations": [0.001, 0.002]}}}}"#,
            sample(5.0, &[work, main.clone()]),
            sample(5.5, &[main]),
        );
        let p = open_bytes(text.as_bytes()).unwrap();
        assert_eq!((p.meta.format.as_str(), p.meta.title.as_str()), ("safari", "Recording 1"));
        let sums = totals(&p);
        assert_eq!(
            (sums["(program)"], sums["(anonymous)"]),
            ((2_000_000, 3_000_000), (1_000_000, 1_000_000))
        );
        damage(text.as_bytes(), drop);
    }
}
