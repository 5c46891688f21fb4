//! speedscope files (`*.speedscope.json`), all versions since 2018.
//!
//! Written by speedscope itself, py-spy, pyinstrument, rbspy, austin and many converters. Format:
//! `src/lib/file-format-spec.ts` of jlfwong/speedscope.
//!
//! Kept: every profile as a track; evented profiles in a time unit as spans, sampled ones as samples
//! placed in time by their running weight; the exporter, the title, files and lines. Evented profiles in
//! bytes or counts have no time: they become untimed samples, one for each stretch between two events.
//! Lost: columns, `activeProfileIndex`. What exporters mean otherwise than the format says: `exporters`; several profiles
//! of one thread that are measures of the same samples: `measures`.
//!
//! Everything that decides what an event means (`unit`, `type`, the frames, the exporter) may stand
//! after the events. So profiles are kept in a compact form, 16 bytes an event, until the file's end.

mod emit;
mod exporters;
mod measures;
mod quick;

use hashbrown::HashTable;

use super::Gives::{Time, Tree};
use super::read::Oddities;
use super::read::json::{Decimal, Json, top_keys};
use super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::model::{Metric, ProfileBuilder, StringId, Unit, row_hash};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "speedscope",
    title: "speedscope",
    written_by: "speedscope, py-spy, pyinstrument, rbspy, austin, …",
    extensions: &["speedscope.json", "json"],
    gives: &[Tree, Time],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    let says = |sign| head.says(sign);
    let types = says("\"sampled\"") || says("\"evented\"");
    match (has("profiles"), has("shared")) {
        (false, false) => Confidence::No,
        _ if has("$schema") && says("speedscope.app/file-format-schema") => Confidence::Certain,
        (true, true) => Confidence::Likely,
        (true, false) if types => Confidence::Likely,
        (false, true) if keys.len() == 1 && says("\"frames\"") => Confidence::Possible,
        _ => Confidence::No,
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut file = File::default();
    let mut json = Json::new(source, cx.job)?;
    if let Err(e) = file.read(&mut json, &mut cx.builder) {
        if e.kind != ErrorKind::Malformed || !file.is_readable() {
            return Err(e);
        }
        let place = e.place.map_or(String::new(), |p| p.to_string());
        cx.builder.warn("broken JSON; what came before is shown", &place);
    }
    cx.builder.warn_many("characters that are not valid (shown as �)", "", json.bad_text());
    file.emit(&mut cx.builder)
}

/// An event of an evented profile: 16 bytes, because there are millions.
#[derive(Clone, Copy)]
struct Event {
    mantissa: i64,
    /// The frame, and in the lowest bit whether it opens.
    frame: u32,
    exponent: i16,
}

impl Event {
    fn new(at: Decimal, frame: u32) -> Self {
        Self { mantissa: at.mantissa, exponent: at.exponent, frame }
    }

    /// When.
    fn at(self) -> Decimal {
        Decimal { mantissa: self.mantissa, exponent: self.exponent }
    }
}

#[derive(Default)]
struct RawFrame {
    name: StringId,
    file: StringId,
    line: u32,
}

/// One profile of the file, before units and frames are known.
#[derive(Default)]
struct RawProfile {
    name: String,
    evented: bool,
    unit: String,
    /// Key and label of a metric other than time, as inferscope writes them.
    metric: [String; 2],
    start: Option<Decimal>,
    end: Option<Decimal>,
    events: Vec<Event>,
    samples: Vec<u32>,
    weights: Vec<Option<Decimal>>,
}

impl RawProfile {
    /// True where the file says which metric the weights are in, as inferscope does.
    fn names_metric(&self) -> bool {
        !self.metric[0].is_empty()
    }
}

/// No frame at all.
const EMPTY: u32 = u32::MAX;

#[derive(Default)]
struct File {
    frames: Vec<RawFrame>,
    profiles: Vec<RawProfile>,
    exporter: String,
    /// What made the profile, and its basis (with the assumption of an estimate), where inferscope wrote the file.
    tool: String,
    basis: [String; 2],
    title: String,
    stacks: Stacks,
    odd: Oddities,
}

/// Stacks of sampled profiles as (caller, frame number), each once.
#[derive(Default)]
struct Stacks {
    rows: Vec<(u32, u32)>,
    /// Numbers only: there may be tens of millions.
    index: HashTable<u32>,
    /// What was last found on top, per stack.
    latest: Vec<u32>,
}

impl Stacks {
    fn child(&mut self, stack: u32, frame: u32) -> u32 {
        let Self { rows, index, latest } = self;
        if let Some(&child) = latest.get(stack as usize)
            && child != EMPTY
            && rows[child as usize].1 == frame
        {
            return child;
        }
        let hashed = row_hash(&(stack, frame));
        let child = match index.find(hashed, |&id| rows[id as usize] == (stack, frame)) {
            Some(&child) => child,
            None => {
                let new = rows.len() as u32;
                rows.push((stack, frame));
                latest.push(EMPTY);
                index.insert_unique(hashed, new, |&id| row_hash(&rows[id as usize]));
                new
            }
        };
        if let Some(latest) = latest.get_mut(stack as usize) {
            *latest = child;
        }
        child
    }
}

impl File {
    fn is_readable(&self) -> bool {
        !self.frames.is_empty() && self.profiles.iter().any(|p| !p.events.is_empty() || !p.samples.is_empty())
    }

    fn read(&mut self, json: &mut Json<'_>, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Err(ImportError::malformed("is not a speedscope file: no object at the top"));
        }
        while json.next_key()? {
            match json.key() {
                b"shared" => {
                    if json.enter_object()? {
                        while json.next_key()? {
                            if json.key() == b"frames" {
                                self.read_frames(json, builder)?
                            } else {
                                json.skip()?
                            }
                        }
                    }
                }
                b"profiles" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            self.profiles.push(RawProfile::default());
                            self.read_profile(json)?;
                        }
                    }
                }
                b"name" => json.string_into(&mut self.title)?,
                b"exporter" => json.string_into(&mut self.exporter)?,
                b"tool" => json.string_into(&mut self.tool)?,
                b"basis" => json.string_into(&mut self.basis[0])?,
                b"why" => json.string_into(&mut self.basis[1])?,
                _ => json.skip()?,
            }
        }
        if !json.at_end()? {
            let place = json.offset();
            self.odd.add("text after the end of the profile (ignored)", || format!("byte {place}"));
        }
        Ok(())
    }

    fn read_frames(&mut self, json: &mut Json<'_>, builder: &mut ProfileBuilder) -> Result<(), ImportError> {
        if !json.enter_array()? {
            return Ok(());
        }
        while json.next_item()? {
            let mut frame = RawFrame::default();
            if json.enter_object()? {
                while json.next_key()? {
                    match json.key() {
                        b"name" => {
                            if json.string()? {
                                frame.name = builder.string(json.text());
                            }
                        }
                        b"file" => {
                            if json.string()? {
                                frame.file = builder.string(json.text());
                            }
                        }
                        b"line" => frame.line = json.index()?.unwrap_or(0),
                        _ => json.skip()?,
                    }
                }
            }
            self.frames.push(frame);
        }
        Ok(())
    }

    fn read_profile(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        let Some(profile) = self.profiles.last_mut() else { return Ok(()) };
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            match json.key() {
                b"name" => json.string_into(&mut profile.name)?,
                b"unit" => json.string_into(&mut profile.unit)?,
                b"metric" => json.string_into(&mut profile.metric[0])?,
                b"label" => json.string_into(&mut profile.metric[1])?,
                b"type" => profile.evented = json.string()? && json.text() == "evented",
                b"startValue" => profile.start = json.number()?,
                b"endValue" => profile.end = json.number()?,
                b"events" => read_events(json, &mut profile.events, &mut self.odd)?,
                b"samples" => read_samples(json, &mut profile.samples, &mut self.stacks)?,
                b"weights" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            profile.weights.push(json.number()?);
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        Ok(())
    }
}

fn read_events(json: &mut Json<'_>, events: &mut Vec<Event>, odd: &mut Oddities) -> Result<(), ImportError> {
    if !json.enter_array()? {
        return Ok(());
    }
    while json.next_item()? {
        if let Some((event, len)) = quick::event(json.here()) {
            events.push(event);
            json.take(len);
            continue;
        }
        let place = json.offset();
        let (mut at, mut frame, mut opens) = (None, None, None);
        if json.enter_object()? {
            while json.next_key()? {
                match json.key() {
                    b"type" => {
                        opens = match json.letter()? {
                            Some(b'O') => Some(1),
                            Some(b'C') => Some(0),
                            _ => None,
                        }
                    }
                    b"frame" => frame = json.index()?.filter(|&f| f < u32::MAX / 2),
                    b"at" => at = json.number()?,
                    _ => json.skip()?,
                }
            }
        }
        match (at, frame, opens) {
            (Some(at), Some(frame), Some(opens)) => events.push(Event::new(at, frame << 1 | opens)),
            (None, Some(_), Some(_)) => {
                odd.add("event without a usable time (skipped)", || format!("byte {place}"))
            }
            _ => odd.add("event without a frame or a type (skipped)", || format!("byte {place}")),
        }
    }
    Ok(())
}

/// Reads stacks, outermost frame first.
fn read_samples(json: &mut Json<'_>, samples: &mut Vec<u32>, stacks: &mut Stacks) -> Result<(), ImportError> {
    if !json.enter_array()? {
        return Ok(());
    }
    let mut quick = quick::Stacks::default();
    while json.next_item()? {
        if let Some(len) = json.flat_array()?
            && let Some(stack) = quick.read(&json.here()[..len], |stack, frame| stacks.child(stack, frame))
        {
            json.take(len);
            samples.push(stack);
            continue;
        }
        let mut stack = EMPTY;
        if json.enter_array()? {
            while json.next_item()? {
                stack = stacks.child(stack, json.index()?.unwrap_or(EMPTY));
            }
        }
        samples.push(stack);
    }
    Ok(())
}

/// Power of ten from a time unit to nanoseconds; `None` for what is not a time.
fn power_of(unit: &str) -> Option<i16> {
    Some(match unit {
        "seconds" => 9,
        "milliseconds" => 6,
        "microseconds" => 3,
        "nanoseconds" => 0,
        _ => return None,
    })
}

fn plain_metric(unit: &str) -> Metric {
    match unit {
        "bytes" => Metric::new("bytes", "Bytes", Unit::Bytes),
        _ => Metric::new("count", "Count", Unit::Count),
    }
}

#[cfg(test)]
mod tests;
