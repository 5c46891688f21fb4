//! DHAT: valgrind's dynamic heap analysis and the `dhat` crate of Rust.
//!
//! Specification: `dhat/dh_main.c` of valgrind, file version 2. Kept: of every place of allocation all bytes and blocks:
//! allocated, live at the peak and at the end, read and written. Lost: ages, access counts per byte. Guessed: nothing.

use super::super::Gives::{Memory, Tree};
use super::super::read::Oddities;
use super::super::read::json::{Json, top_keys};
use super::super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use super::{allocated, allocations, at_end, at_peak, valgrind_frame};
use crate::model::{Basis, FrameId, Metric, ProfileBuilder, TrackKind, TrackSpec, Unit};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "dhat",
    title: "DHAT",
    written_by: "valgrind --tool=dhat, dhat-rs",
    extensions: &["dhat.json", "json", "out"],
    gives: &[Tree, Memory],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let found = top_keys(head.bytes).iter().any(|k| k == "dhatFileVersion");
    if found { Confidence::Certain } else { Confidence::No }
}

/// Fields of a place, in the order of the metrics.
const FIELDS: [&[u8]; 8] = [b"tb", b"tbk", b"gb", b"eb", b"gbk", b"ebk", b"rb", b"wb"];

#[derive(Default)]
struct File {
    places: Vec<([Option<i64>; FIELDS.len()], Vec<u32>)>,
    frames: Vec<String>,
    mode: String,
    command: String,
    end: Option<i64>,
    unit: String,
    version: Option<i64>,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let (mut file, mut odd) = (File::default(), Oddities::default());
    let mut json = Json::new(source, cx.job)?;
    match file.read(&mut json) {
        Err(e) if e.kind == ErrorKind::Malformed && !file.places.is_empty() => {
            odd.add("file is broken off; what came before is shown", || e.to_string());
        }
        other => other?,
    }
    if file.version.is_some_and(|v| v != 2) {
        let what = format!("is a DHAT file of version {}", file.version.unwrap_or(0));
        return Err(ImportError::malformed(what).remedy("only version 2 is read"));
    }
    file.build(&mut odd, &mut cx.builder);
    odd.report(&mut cx.builder);
    Ok(())
}

impl File {
    fn read(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            match json.key() {
                b"dhatFileVersion" => self.version = json.integer()?,
                b"mode" => json.string_into(&mut self.mode)?,
                b"cmd" => json.string_into(&mut self.command)?,
                b"te" => self.end = json.integer()?,
                b"tu" => json.string_into(&mut self.unit)?,
                b"pps" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            self.place(json)?;
                        }
                    }
                }
                b"ftbl" => {
                    if json.enter_array()? {
                        while json.next_item()? {
                            let text = json.text_or_number()?;
                            self.frames.push(text);
                        }
                    }
                }
                _ => json.skip()?,
            }
        }
        Ok(())
    }

    fn place(&mut self, json: &mut Json<'_>) -> Result<(), ImportError> {
        let (mut values, mut frames) = ([None; FIELDS.len()], Vec::new());
        if !json.enter_object()? {
            return Ok(());
        }
        while json.next_key()? {
            if let Some(field) = FIELDS.iter().position(|f| *f == json.key()) {
                values[field] = json.integer()?;
            } else if json.key() == b"fs" && json.peek()? == b'[' && json.enter_array()? {
                while json.next_item()? {
                    frames.push(json.index()?.unwrap_or(u32::MAX));
                }
            } else {
                json.skip()?;
            }
        }
        self.places.push((values, frames));
        Ok(())
    }

    fn build(&self, odd: &mut Oddities, builder: &mut ProfileBuilder) {
        let meta = &mut builder.meta;
        (meta.tool, meta.title, meta.basis) = ("DHAT".into(), self.command.clone(), Basis::Aggregated);
        meta.setting("Mode", self.mode.as_str());
        let factor = match self.unit.as_str() {
            "µs" | "μs" => Some(1_000),
            "ms" => Some(1_000_000),
            _ => None,
        };
        meta.duration = factor.zip(self.end).map(|(f, end)| end.saturating_mul(f));
        let adhoc = self.mode == "ad-hoc";
        let metrics = [
            if adhoc { Metric::new("units", "Units", Unit::Count) } else { allocated() },
            if adhoc { Metric::new("events", "Events", Unit::Count) } else { allocations() },
            at_peak(),
            at_end(),
            Metric::new("blocks_at_peak", "Blocks at the peak", Unit::Count),
            Metric::new("blocks_at_end", "Blocks at the end", Unit::Count),
            Metric::new("read", "Read", Unit::Bytes),
            Metric::new("written", "Written", Unit::Bytes),
        ];
        let there = |n: usize| self.places.iter().any(|p| p.0[n].is_some());
        let metrics: Vec<_> =
            metrics.into_iter().enumerate().map(|(n, m)| there(n).then(|| builder.metric(m))).collect();
        let track =
            builder.track(TrackSpec { name: "Places", process: "", kind: TrackKind::Profile, sort: 0 });
        let mut frames: Vec<Option<FrameId>> = vec![None; self.frames.len()];
        for (n, (values, path)) in self.places.iter().enumerate() {
            let mut stack = None;
            for &frame in path.iter().rev() {
                let Some(text) = self.frames.get(frame as usize) else {
                    odd.add("frame that the file does not hold (left out)", || format!("place {n}"));
                    continue;
                };
                let id = *frames[frame as usize].get_or_insert_with(|| valgrind_frame(text, builder));
                stack = Some(builder.stack(stack, id));
            }
            let weights = metrics.iter().zip(values).filter_map(|(m, v)| Some(((*m)?, (*v)?)));
            let weights: Vec<_> = weights.collect();
            builder.sample(track, stack, &weights);
        }
    }
}
