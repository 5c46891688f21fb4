//! `frame_records` of a saved session: one stack and its seconds per sample.
//!
//! Names are settled only at the end (a function is named after the class on which it spent most time),
//! so records are kept as numbers of shared stacks until then.

use rustc_hash::FxHashMap;

use super::{About, function, is_thread, parts, thread_track};
use crate::import::ImportError;
use crate::import::read::Oddities;
use crate::import::read::json::Json;
use crate::model::{Basis, Metric, ProfileBuilder, StackId, TrackId};

/// No stack, no class.
const NONE: u32 = u32::MAX;

/// A distinct frame text.
struct Raw {
    /// Function, by name, file and first line.
    function: u32,
    class: u32,
    line: u32,
    hidden: bool,
    thread: bool,
}

/// The samples of a session.
#[derive(Default)]
pub(super) struct Records {
    /// Distinct frames by their text as it stands in the file, still escaped.
    raws: Vec<Raw>,
    raw_ids: FxHashMap<Box<[u8]>, u32>,
    /// Texts of functions (name, file and line) and of classes.
    texts: Vec<String>,
    text_ids: FxHashMap<String, u32>,
    /// Stacks as (caller, frame); a caller precedes its callees.
    stacks: Vec<(u32, u32)>,
    stack_ids: FxHashMap<(u32, u32), u32>,
    /// Stack and nanoseconds of each record.
    rows: Vec<(u32, i64)>,
}

impl Records {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn read(&mut self, json: &mut Json<'_>, odd: &mut Oddities) -> Result<(), ImportError> {
        if !json.enter_array()? {
            return Ok(());
        }
        while json.next_item()? {
            let place = json.offset();
            let mut stack = NONE;
            let mut seconds = None;
            if json.enter_array()? && json.next_item()? {
                stack = self.read_stack(json, odd)?;
                if json.next_item()? {
                    seconds = json.number()?;
                    while json.next_item()? {
                        json.skip()?;
                    }
                }
            }
            match seconds.and_then(|s| s.scaled(9)) {
                Some(ns) if ns >= 0 => self.rows.push((stack, ns)),
                Some(_) => odd.add("record of negative time (skipped)", || format!("byte {place}")),
                None => odd.add("record without a usable time (skipped)", || format!("byte {place}")),
            }
        }
        Ok(())
    }

    fn read_stack(&mut self, json: &mut Json<'_>, odd: &mut Oddities) -> Result<u32, ImportError> {
        let mut stack = NONE;
        if !json.enter_array()? {
            return Ok(stack);
        }
        while json.next_item()? {
            let place = json.offset();
            if json.peek()? != b'"' {
                odd.add("frame that is not a text (left out)", || format!("byte {place}"));
                json.skip()?;
                continue;
            }
            let range = json.raw_string()?;
            let frame = match self.raw_ids.get(json.bytes(range.clone())) {
                Some(&id) => id,
                None => {
                    let key = json.bytes(range.clone()).into();
                    json.decode(range);
                    let id = self.add_raw(json.text());
                    self.raw_ids.insert(key, id);
                    id
                }
            };
            stack = *self.stack_ids.entry((stack, frame)).or_insert_with(|| {
                self.stacks.push((stack, frame));
                self.stacks.len() as u32 - 1
            });
        }
        Ok(stack)
    }

    fn add_raw(&mut self, text: &str) -> u32 {
        let frame = parts(text);
        let mut raw = Raw {
            function: self.text_id(text.split('\u{1}').next().unwrap_or("")),
            class: NONE,
            line: 0,
            hidden: false,
            thread: is_thread(frame.file),
        };
        for attribute in frame.attributes {
            match attribute.split_at_checked(1) {
                Some(("c", class)) => raw.class = self.text_id(class),
                Some(("l", line)) => raw.line = line.parse().unwrap_or(0),
                Some(("h", flag)) => raw.hidden = flag == "1",
                _ => {}
            }
        }
        self.raws.push(raw);
        self.raws.len() as u32 - 1
    }

    fn text_id(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.text_ids.get(text) {
            return id;
        }
        let id = self.texts.len() as u32;
        self.texts.push(text.to_owned());
        self.text_ids.insert(text.to_owned(), id);
        id
    }

    /// The class on which each function spent most time.
    fn classes(&self) -> FxHashMap<u32, u32> {
        let mut total = vec![0i64; self.stacks.len()];
        for &(stack, ns) in &self.rows {
            if let Some(t) = total.get_mut(stack as usize) {
                *t = t.saturating_add(ns);
            }
        }
        let mut spent: FxHashMap<(u32, u32), i64> = FxHashMap::default();
        for (stack, &(parent, frame)) in self.stacks.iter().enumerate().rev() {
            let ns = total[stack];
            if let Some(t) = total.get_mut(parent as usize) {
                *t = t.saturating_add(ns);
            }
            let raw = &self.raws[frame as usize];
            if raw.class != NONE {
                let sum = spent.entry((raw.function, raw.class)).or_default();
                *sum = sum.saturating_add(ns);
            }
        }
        let mut best: FxHashMap<u32, (i64, u32)> = FxHashMap::default();
        for (&(function, class), &ns) in &spent {
            // Ties go to the class that came first, whatever the order of the table.
            let candidate = (ns, u32::MAX - class);
            let known = best.entry(function).or_insert(candidate);
            *known = (*known).max(candidate);
        }
        best.into_iter().map(|(function, (_, class))| (function, u32::MAX - class)).collect()
    }

    pub fn emit(&self, about: &About, builder: &mut ProfileBuilder, odd: &mut Oddities) {
        builder.meta.basis = Basis::Sampled;
        let time = builder.metric(Metric::time());
        let classes = self.classes();
        let mut functions = FxHashMap::default();
        // Of each stack: the stack in the profile, and the raw frame of its thread.
        let mut known: Vec<(Option<StackId>, u32)> = Vec::with_capacity(self.stacks.len());
        let mut hidden = 0u64;
        for &(parent, frame) in &self.stacks {
            let (caller, thread) = known.get(parent as usize).copied().unwrap_or((None, NONE));
            let raw = &self.raws[frame as usize];
            hidden += u64::from(raw.hidden);
            known.push(if raw.thread && parent == NONE {
                (None, frame)
            } else if raw.hidden {
                (caller, thread)
            } else {
                let id = *functions.entry(raw.function).or_insert_with(|| {
                    let class = classes.get(&raw.function).map_or("", |&c| &*self.texts[c as usize]);
                    let parts = parts(&self.texts[raw.function as usize]);
                    function(builder, class, (parts.name, parts.file, parts.line))
                });
                let frame = builder.frame(id, raw.line);
                (Some(builder.stack(caller, frame)), thread)
            });
        }
        if hidden > 0 {
            builder.meta.result("Hidden", format!("{hidden} stacks end in __tracebackhide__"));
        }
        let mut tracks: FxHashMap<u32, TrackId> = FxHashMap::default();
        let mut now = 0i64;
        for &(stack, ns) in &self.rows {
            let (stack, thread) = known.get(stack as usize).copied().unwrap_or((None, NONE));
            let sort = tracks.len() as i64;
            let track = *tracks.entry(thread).or_insert_with(|| match self.raws.get(thread as usize) {
                Some(raw) => thread_track(&self.texts[raw.function as usize], sort, builder),
                None => thread_track(&about.thread, sort, builder),
            });
            let end = now.saturating_add(ns);
            if end == i64::MAX {
                odd.add("record past the end of time (length cut)", || format!("{ns} ns"));
            }
            builder.timed_sample(track, (now, end), stack, &[(time, ns)]);
            now = end;
        }
    }
}
