//! MOJO: austin's binary form, versions 1 to 3.
//!
//! Specification: «The MOJO file format» in austin's repository. Kept: every sample with its time (or memory, or both),
//! per thread; files, functions, lines. Lost: columns. Guessed: nothing. Files have no times, so samples have none.

use rustc_hash::FxHashMap;

use super::Gives::Tree;
use super::python::module_of;
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    Basis, FrameId, FunctionSpec, Metric, ProfileBuilder, TrackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "mojo",
    title: "austin MOJO",
    written_by: "austin -b",
    extensions: &["mojo"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.starts_with(b"MOJ") && head.bytes.get(3).is_some_and(|v| *v < 32) {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

/// What stands at an event's start.
mod event {
    pub const METADATA: u8 = 1;
    pub const STACK: u8 = 2;
    pub const FRAME: u8 = 3;
    pub const FRAME_INVALID: u8 = 4;
    pub const FRAME_REF: u8 = 5;
    pub const FRAME_KERNEL: u8 = 6;
    pub const GC: u8 = 7;
    pub const IDLE: u8 = 8;
    pub const TIME: u8 = 9;
    pub const MEMORY: u8 = 10;
    pub const STRING: u8 = 11;
    pub const STRING_REF: u8 = 12;
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    version: i64,
    strings: FxHashMap<i64, &'a [u8]>,
    frames: FxHashMap<i64, FrameId>,
    tracks: FxHashMap<(i64, i64, &'a [u8]), TrackId>,
    /// The sample that is being read.
    track: Option<TrackId>,
    stack: Vec<FrameId>,
    time: Option<i64>,
    memory: Option<i64>,
    samples: u64,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let bytes = source.read_all(cx.job)?;
    let mut reader = Reader {
        bytes: &bytes,
        at: 3,
        version: 0,
        strings: FxHashMap::default(),
        frames: FxHashMap::default(),
        tracks: FxHashMap::default(),
        track: None,
        stack: Vec::new(),
        time: None,
        memory: None,
        samples: 0,
    };
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.tool) = (Basis::Sampled, "austin".into());
    reader.version = reader.number().unwrap_or(0);
    if !(1..=3).contains(&reader.version) {
        let what = format!("is a MOJO file of version {}", reader.version);
        return Err(ImportError::malformed(what).remedy("convert it with mojo2austin"));
    }
    let mut broken = None;
    while reader.at < bytes.len() {
        let before = reader.at;
        if reader.event(b).is_none() {
            broken = Some(before);
            break;
        }
    }
    reader.emit(b);
    match broken {
        Some(at) if reader.samples == 0 => return Err(ImportError::at_byte("cannot be read on", at as u64)),
        Some(at) => b.warn("file is broken off; what came before is shown", &format!("byte {at}")),
        None if reader.samples == 0 => return Err(ImportError::malformed("holds no samples")),
        None => {}
    }
    Ok(())
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// 6 bits and a sign, then 7 bits at a time.
    fn number(&mut self) -> Option<i64> {
        let first = self.byte()?;
        let (mut value, mut shift, mut more) = (u64::from(first & 0x3f), 6, first & 0x80 != 0);
        while more {
            let byte = self.byte()?;
            if shift > 62 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            more = byte & 0x80 != 0;
        }
        let value = value as i64;
        Some(if first & 0x40 == 0 { value } else { value.wrapping_neg() })
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(0, rest)?;
        self.at += end + 1;
        Some(&rest[..end])
    }

    fn event(&mut self, b: &mut ProfileBuilder) -> Option<()> {
        match self.byte()? {
            event::METADATA => {
                let (key, value) = (self.text()?, String::from_utf8_lossy(self.text()?));
                match key {
                    b"austin" => b.meta.tool = format!("austin {value}"),
                    b"duration" => b.meta.duration = value.parse::<i64>().ok()?.checked_mul(1000),
                    _ => {}
                }
                if matches!(key, b"mode" | b"interval") {
                    b.meta.setting(String::from_utf8_lossy(key), value.into_owned());
                }
            }
            event::STACK => {
                self.emit(b);
                let process = self.number()?;
                let interpreter = if self.version >= 3 { self.number()? } else { 0 };
                let thread = self.text()?;
                let sort = self.tracks.len() as i64;
                let track = *self.tracks.entry((process, interpreter, thread)).or_insert_with(|| {
                    let (name, process) = (
                        format!("T{interpreter}:{}", String::from_utf8_lossy(thread)),
                        format!("P{process}"),
                    );
                    b.track(TrackSpec { name: &name, process: &process, kind: TrackKind::Thread, sort })
                });
                self.track = Some(track);
            }
            event::FRAME => self.frame(b)?,
            event::FRAME_REF => {
                let id = self.number()?;
                let frame = self.frames.get(&id).copied();
                self.stack.push(frame.unwrap_or_else(|| named("(unknown frame)", b)));
            }
            event::FRAME_INVALID => self.stack.push(named("(invalid frame)", b)),
            event::FRAME_KERNEL => {
                let name = String::from_utf8_lossy(self.text()?);
                let function = b.function(FunctionSpec { category: "kernel", ..FunctionSpec::named(&name) });
                self.stack.push(b.frame(function, 0));
            }
            event::GC => self.stack.push(named("(garbage collector)", b)),
            event::TIME => self.time = Some(self.number()?),
            event::MEMORY => self.memory = Some(self.number()?),
            event::STRING => {
                let (id, text) = (self.number()?, self.text()?);
                self.strings.insert(id, text);
            }
            event::STRING_REF => drop(self.number()?),
            event::IDLE | 0 => {}
            _ => return None,
        }
        Some(())
    }

    fn frame(&mut self, b: &mut ProfileBuilder) -> Option<()> {
        let (id, file, name, line) = (self.number()?, self.number()?, self.number()?, self.number()?);
        if self.version >= 2 {
            // Columns.
            self.number()?;
            self.number()?;
            self.number()?;
        }
        let text = |id| String::from_utf8_lossy(self.strings.get(&id).copied().unwrap_or(b"(unknown)"));
        let (file, name) = (text(file), text(name));
        let module = module_of(&file);
        let spec = FunctionSpec { name: &name, module: &module, file: &file, ..FunctionSpec::default() };
        let function = b.function(spec);
        let frame = b.frame(function, u32::try_from(line).unwrap_or(0));
        self.frames.insert(id, frame);
        Some(())
    }

    /// Ends the sample that is being read.
    fn emit(&mut self, b: &mut ProfileBuilder) {
        let (time, memory) = (self.time.take(), self.memory.take());
        let stack = self.stack.drain(..).fold(None, |stack, frame| Some(b.stack(stack, frame)));
        let Some(track) = self.track.take() else { return };
        let mut weights = Vec::new();
        if let Some(time) = time {
            weights.push((b.metric(Metric::time()), time.saturating_mul(1000)));
        }
        if let Some(memory) = memory {
            weights.push((b.metric(Metric::new("memory", "Memory", Unit::Bytes)), memory));
        }
        if !weights.is_empty() {
            b.sample(track, stack, &weights);
            self.samples += 1;
        }
    }
}

fn named(name: &str, b: &mut ProfileBuilder) -> FrameId {
    let function = b.function(FunctionSpec::named(name));
    b.frame(function, 0)
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    const SAMPLE: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/mojo/busy.mojo.gz"));

    /// Numbers of a script that follows the specification.
    #[test]
    fn samples_add_up() {
        let p = open_bytes(SAMPLE).unwrap();
        assert_eq!((p.meta.format.as_str(), p.meta.tool.as_str()), ("mojo", "austin 3.7.0"));
        let all: i64 = p.tracks.iter().flat_map(|t| &t.samples.weights[0].1).sum();
        assert_eq!((p.sample_count(), all), (3339, 12_133_970_000));
        assert_eq!(totals(&p)["Thread.join"].1, 2_950_835_000);
    }

    #[test]
    fn damage_is_survived() {
        damage(b"MOJ\x03\x01austin\x003.7.0\x00\x02\x01\x001359\x00\x0b\x02a.py\x00\x0b\x03f\x00\x03\x01\x02\x03\x04\x00\x00\x00\x05\x01\x09\x8a\x01", drop);
    }
}
