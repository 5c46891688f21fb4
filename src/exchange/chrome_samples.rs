//! Timed samples in a Chrome trace: CPU profiles in pieces, as V8 writes them. DevTools and Perfetto show them on their
//! thread.

use super::chrome::{Events, Micros, text};
use crate::export::ExportError;
use crate::format;
use crate::model::{Profile, SampleTable, Stack, StackId, Strings, TrackId};

/// Samples of one event: viewers read an event as a whole.
const CHUNK: usize = 10_000;
/// Number of the root that all stacks have; a stack's own follows its place in the table.
const ROOT: u32 = 1;

fn number(stack: StackId) -> u32 {
    stack.0 + ROOT + 1
}

/// Writes the samples of all tracks. Says what of them is left out.
pub(super) fn write(events: &mut Events<'_>) -> Result<Vec<String>, ExportError> {
    let profile = events.profile;
    let mut said = Vec::new();
    for id in profile.track_ids() {
        let samples = &profile.track(id).samples;
        if samples.is_timed() {
            track(events, id, samples)?;
        }
        said.extend(lost(profile, id, samples));
    }
    Ok(said)
}

/// What the samples of a track lose: those without times, and weights that are not their lengths.
fn lost(profile: &Profile, id: TrackId, samples: &SampleTable) -> Option<String> {
    let label = profile.track_label(id);
    let weights = samples.weights.iter().find(|(m, _)| Some(*m) == profile.time_metric());
    if samples.is_empty() {
        return None;
    }
    if !samples.is_timed() {
        let count = format::counted(samples.len() as i64, "sample", "samples");
        let sum = weights.map_or(0, |(_, w)| w.iter().fold(0i64, |a, &b| a.saturating_add(b)));
        return Some(format!("{count} of {label} without times ({}) are left out", format::duration(sum)));
    }
    if weights.is_none() && profile.time_metric().is_some() {
        let count = format::counted(samples.len() as i64, "sample", "samples");
        return Some(format!(
            "that {count} of {label} have no time of their own is left out: they get that until the next one"
        ));
    }
    let odd = |&(i, &weight): &(usize, &i64)| {
        samples.interval(i).is_some_and(|(start, end)| weight != end.saturating_sub(start))
    };
    let odd = weights.map_or(0, |(_, w)| w.iter().enumerate().filter(odd).count());
    let count = format::counted(odd as i64, "sample", "samples");
    (odd > 0)
        .then(|| format!("the weights of {count} of {label}, which differ from their lengths, are left out"))
}

/// A `Profile` event and its chunks.
fn track(events: &mut Events<'_>, id: TrackId, samples: &SampleTable) -> Result<(), ExportError> {
    let profile = events.profile;
    let mut begun = vec![false; profile.stacks.len()];
    let mut clock = samples.times.first().copied().unwrap_or(0);
    begin(events, id, "Profile", clock)?;
    write!(events.out, "\"startTime\":{}}}}}}}", Micros(clock))?;
    for chunk in (0..samples.len()).collect::<Vec<_>>().chunks(CHUNK) {
        begin(events, id, "ProfileChunk", samples.times[chunk[0]])?;
        events.out.write_all(b"\"cpuProfile\":{\"nodes\":[")?;
        nodes(events, samples, chunk, &mut begun)?;
        events.out.write_all(b"],\"samples\":[")?;
        for (n, &i) in chunk.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(events.out, "{comma}{}", samples.stacks[i].map_or(ROOT, number))?;
        }
        events.out.write_all(b"]},\"timeDeltas\":[")?;
        for (n, &i) in chunk.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(events.out, "{comma}{}", Micros(samples.times[i].saturating_sub(clock)))?;
            clock = samples.times[i];
        }
        events.out.write_all(b"]")?;
        if chunk.last() == Some(&(samples.len() - 1)) {
            write!(events.out, ",\"endTime\":{}", Micros(samples.end))?;
        }
        events.out.write_all(b"}}}")?;
    }
    Ok(())
}

/// An event up to the beginning of its data.
fn begin(events: &mut Events<'_>, id: TrackId, name: &str, time: i64) -> Result<(), ExportError> {
    let (pid, tid) = events.place(id);
    events.event('P', name, pid, tid)?;
    write!(
        events.out,
        ",\"cat\":\"disabled-by-default-v8.cpu_profiler\",\"id\":\"0x{:x}\",\"ts\":{},\"args\":{{\"data\":{{",
        id.0 + 1,
        Micros(time)
    )?;
    Ok(())
}

/// The nodes that samples of a chunk need and no chunk before had; a parent precedes its children.
fn nodes(
    events: &mut Events<'_>,
    samples: &SampleTable,
    chunk: &[usize],
    begun: &mut [bool],
) -> Result<(), ExportError> {
    let profile = events.profile;
    let mut comma = "";
    let first = begun.iter().all(|b| !b);
    if first {
        write!(events.out, "{{\"id\":{ROOT},\"callFrame\":{{\"functionName\":\"(root)\",\"scriptId\":0}}}}")?;
        comma = ",";
    }
    let mut path = Vec::new();
    for stack in chunk.iter().filter_map(|&i| samples.stacks[i]) {
        path.clear();
        path.extend(profile.stacks.walk(stack).take_while(|s| !begun[s.index()]));
        for &stack in path.iter().rev() {
            begun[stack.index()] = true;
            let Stack { parent, frame } = profile.stacks.get(stack);
            let function = profile.functions.get(profile.frames.get(frame).function);
            let parent = parent.map_or(ROOT, number);
            write!(events.out, "{comma}{{\"id\":{},\"parent\":{parent},\"callFrame\":{{", number(stack))?;
            comma = ",";
            events.out.write_all(b"\"functionName\":")?;
            text(events.out, profile.text(function.name))?;
            events.out.write_all(b",\"scriptId\":0,\"url\":")?;
            text(events.out, profile.text(function.file))?;
            // Lines count from 0.
            write!(events.out, ",\"lineNumber\":{},\"columnNumber\":-1", i64::from(function.line) - 1)?;
            for (key, value) in [("category", function.category), ("module", function.module)] {
                if value != Strings::EMPTY {
                    write!(events.out, ",\"{key}\":")?;
                    text(events.out, profile.text(value))?;
                }
            }
            events.out.write_all(b"}}")?;
        }
    }
    Ok(())
}
