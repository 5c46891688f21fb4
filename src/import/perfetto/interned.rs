//! Texts and stacks that packets of a sequence name by numbers.

use rustc_hash::FxHashMap;

use super::super::read::protobuf::Message;
use crate::model::StackId;

/// A frame of a sampled stack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    pub function: u64,
    pub file: u64,
    pub line: u32,
    pub address: u64,
}

/// What a sequence has named so far.
#[derive(Default)]
pub(super) struct Interned {
    pub categories: FxHashMap<u64, String>,
    pub events: FxHashMap<u64, String>,
    pub annotations: FxHashMap<u64, String>,
    pub values: FxHashMap<u64, String>,
    pub functions: FxHashMap<u64, String>,
    pub files: FxHashMap<u64, String>,
    pub frames: FxHashMap<u64, Frame>,
    /// The outermost frame first.
    pub stacks: FxHashMap<u64, Vec<u64>>,
    /// Those that were built already.
    pub built: FxHashMap<u64, Option<StackId>>,
}

impl Interned {
    /// Adds what a packet names.
    pub fn read(&mut self, mut message: Message<'_>) {
        while let Ok(Some((field, value))) = message.next() {
            let entry = value.message();
            match field {
                1 => text(entry, &mut self.categories),
                2 => text(entry, &mut self.events),
                3 => text(entry, &mut self.annotations),
                5 => text(entry, &mut self.functions),
                18 => text(entry, &mut self.files),
                29 => text(entry, &mut self.values),
                6 => self.frame(entry),
                7 => self.stack(entry),
                _ => {}
            }
        }
    }

    fn frame(&mut self, mut entry: Message<'_>) {
        let (mut id, mut frame) = (0, Frame::default());
        while let Ok(Some((field, value))) = entry.next() {
            match field {
                1 => id = value.number(),
                2 => frame.function = value.number(),
                4 => frame.address = value.number(),
                5 => frame.file = value.number(),
                6 => frame.line = u32::try_from(value.number()).unwrap_or(0),
                _ => {}
            }
        }
        self.frames.insert(id, frame);
    }

    fn stack(&mut self, mut entry: Message<'_>) {
        let (mut id, mut frames) = (0, Vec::new());
        while let Ok(Some((field, value))) = entry.next() {
            match field {
                1 => id = value.number(),
                // What is broken ends the list.
                2 => _ = value.numbers(&mut frames),
                _ => {}
            }
        }
        self.stacks.insert(id, frames);
        self.built.remove(&id);
    }
}

/// A number and its text.
fn text(mut entry: Message<'_>, to: &mut FxHashMap<u64, String>) {
    let (mut id, mut text) = (0, String::new());
    while let Ok(Some((field, value))) = entry.next() {
        match field {
            1 => id = value.number(),
            2 => text = String::from_utf8_lossy(value.bytes()).into_owned(),
            _ => {}
        }
    }
    to.insert(id, text);
}
