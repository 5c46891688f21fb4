//! Stacks of folded lines: their frames, and the thread that the first ones name.

use rustc_hash::FxHashMap;

use super::super::frame_names::{Form, frame};
use super::super::read::Oddities;
use super::super::read::lines::Line;
use crate::model::{FrameId, ProfileBuilder, StackId, TrackId, TrackKind, TrackSpec};

/// Turns texts of stacks into rows. Files are mostly sorted, so what a line has in common with the one before it
/// is not looked up again.
#[derive(Default)]
pub(super) struct Stacks {
    frames: FxHashMap<Box<str>, FrameId>,
    tracks: FxHashMap<Box<str>, (TrackId, usize)>,
    last: String,
    /// Ends of the frames of the last text, and the stack up to each; of one without a frame the stack before it.
    ends: Vec<(usize, Option<StackId>)>,
    last_track: Option<TrackId>,
    last_form: Option<Form>,
}

impl Stacks {
    /// The track and the stack of a text.
    pub fn read(
        &mut self,
        text: &str,
        line: Line<'_>,
        odd: &mut Oddities,
        builder: &mut ProfileBuilder,
    ) -> (TrackId, Option<StackId>) {
        let threads = threads(text);
        let form = if threads.located { Form::Located } else { Form::Plain };
        let key = threads.key;
        let track =
            match (self.last_track, self.last.starts_with(key) && self.last[key.len()..].starts_with(';')) {
                (Some(track), true) if !key.is_empty() && self.last_form == Some(form) => track,
                _ => self.track(&threads, builder),
            };
        let same_head = self.last_form == Some(form) && self.last_track == Some(track);
        let common = if same_head { common_start(&self.last, text) } else { 0 };
        let kept = self.ends.iter().take_while(|e| e.0 <= common).count();
        self.ends.truncate(kept);
        let (mut at, mut stack) = self.ends.last().map_or((0, None), |&(end, stack)| (end, stack));
        // A frame counts as read with the delimiter after it; what is in front of the stack is no frame.
        at = at.max(threads.skip);
        let mut empty = 0;
        while at < text.len() {
            let end = memchr::memchr(b';', &text.as_bytes()[at..]).map_or(text.len(), |n| at + n);
            let name = &text[at..end];
            if name.is_empty() {
                empty += 1;
            } else {
                let frame = match self.frames.get(name) {
                    Some(&frame) => frame,
                    None => {
                        let id = frame(name, form, builder);
                        self.frames.insert(name.into(), id);
                        id
                    }
                };
                stack = Some(builder.stack(stack, frame));
            }
            at = end + 1;
            if end < text.len() {
                self.ends.push((at, stack));
            }
        }
        if empty > 0 || text.ends_with(';') {
            odd.add("frame without a name (left out)", || line.place());
        }
        self.last.clear();
        self.last.push_str(text);
        (self.last_track, self.last_form) = (Some(track), Some(form));
        (track, stack)
    }

    fn track(&mut self, threads: &Threads<'_>, builder: &mut ProfileBuilder) -> TrackId {
        let sort = self.tracks.len() as i64;
        let kind = if threads.key.is_empty() { TrackKind::Profile } else { TrackKind::Thread };
        let key = threads.id.map_or(threads.key, |id| id);
        let name = if threads.key.is_empty() { "Stacks" } else { threads.name };
        let spec = TrackSpec { name, process: threads.process, kind, sort };
        match self.tracks.get_mut(key) {
            // py-spy leaves the name out until the thread has one.
            Some((track, named)) if *named >= name.len() => *track,
            Some((track, named)) => {
                *named = name.len();
                builder.set_track(*track, TrackSpec { sort: track.index() as i64, ..spec });
                *track
            }
            None => {
                let track = builder.track(spec);
                self.tracks.insert(key.into(), (track, name.len()));
                track
            }
        }
    }
}

/// Length of what both texts start with, up to and with the last delimiter in it.
fn common_start(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    memchr::memrchr(b';', &b.as_bytes()[..same]).map_or(0, |n| n + 1)
}

/// What the first frames say about process and thread.
struct Threads<'a> {
    /// The part of the text that says it; empty when nothing does.
    key: &'a str,
    /// What the same thread always has, where the text may differ.
    id: Option<&'a str>,
    process: &'a str,
    name: &'a str,
    /// Bytes that are no frames.
    skip: usize,
    /// The frames are `file:function:line`.
    located: bool,
}

fn threads(text: &str) -> Threads<'_> {
    let none = Threads { key: "", id: None, process: "", name: "", skip: 0, located: false };
    let (first, rest) = text.split_once(';').unwrap_or((text, ""));
    let number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit());
    match first.as_bytes() {
        // austin: P<pid>;T<interpreter>:<tid>;…
        [b'P', id @ ..] if id.iter().all(u8::is_ascii_digit) && !id.is_empty() && rest.starts_with('T') => {
            let thread = rest.split(';').next().unwrap_or("");
            let key = &text[..first.len() + 1 + thread.len()];
            if !thread[1..].split(':').all(number) {
                return none;
            }
            Threads { key, process: first, name: thread, skip: key.len() + 1, located: true, ..none }
        }
        // Python's sampling profiler: tid:<id>;…
        [b't', b'i', b'd', b':', id @ ..] if id.iter().all(u8::is_ascii_digit) => {
            Threads { key: first, name: first, skip: first.len() + 1, located: true, ..none }
        }
        // py-spy: a frame of the thread, which stays in the stack.
        [b't', b'h', b'r', b'e', b'a', b'd', b' ', b'(', ..] => {
            let id = first.find(')').map(|end| &first[..=end]);
            Threads { key: first, id, name: first, ..none }
        }
        _ => none,
    }
}
