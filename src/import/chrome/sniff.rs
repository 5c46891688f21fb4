//! Is this a trace?

use super::super::{Confidence, Head};
use super::scan::{Kind, Scanner, Stop};

/// Keys that stand beside the list of events in no other kind of file.
const BESIDE: &[&[u8]] =
    &[b"viztracer_metadata", b"displayTimeUnit", b"baseTimeNanoseconds", b"deviceProperties", b"stackFrames"];

/// What the first bytes of an object show.
#[derive(Default)]
struct Shape {
    /// A list of events stands in it.
    events: bool,
    /// Something that is often beside one.
    beside: bool,
    /// Has the phase of an event.
    phase: bool,
    /// Has other fields of an event.
    fields: u32,
    /// Ends in the bytes at hand.
    complete: bool,
}

fn shape(s: &mut Scanner<'_>) -> Result<Shape, Stop> {
    let mut shape = Shape::default();
    s.expect(b'{')?;
    let mut step = |s: &mut Scanner<'_>| {
        let Some(key) = s.key()? else {
            shape.complete = true;
            return Ok(false);
        };
        let first = s.peek()?;
        match key.bytes {
            b"traceEvents" => {
                shape.events = true;
                return Ok(false);
            }
            b"ph" => shape.phase = first == b'"',
            b"ts" | b"pid" | b"tid" | b"name" | b"cat" | b"dur" => shape.fields += 1,
            key => shape.beside |= BESIDE.contains(&key),
        }
        let value = s.value()?;
        shape.phase &= key.bytes != b"ph" || (value.kind == Kind::Plain && value.bytes.len() == 1);
        s.separator().map(|()| true)
    };
    loop {
        match step(s) {
            Ok(true) => {}
            // What was seen before the bytes end or break counts.
            Ok(false) | Err(_) => return Ok(shape),
        }
    }
}

fn start(bytes: &[u8]) -> Scanner<'_> {
    Scanner::new(bytes)
}

/// True when the file is a sequence of events without a list around them.
pub(super) fn is_loose(head: &[u8]) -> bool {
    let mut s = start(head);
    s.peek() == Ok(b'{') && shape(&mut s).is_ok_and(|s| !s.events && s.phase && s.fields > 0)
}

/// Judges the head of a file.
pub(super) fn sniff(head: &Head<'_>) -> Confidence {
    let mut s = start(head.bytes);
    match s.peek() {
        Ok(b'{') => match shape(&mut s) {
            Ok(shape) if shape.events => Confidence::Certain,
            Ok(shape) if shape.phase && shape.fields > 0 => Confidence::Likely,
            // The events come after something long.
            Ok(shape) if !shape.complete && !head.whole && shape.beside => Confidence::Likely,
            _ => Confidence::No,
        },
        Ok(b'[') => {
            s.at += 1;
            // The first entries may be empty.
            for _ in 0..4 {
                while s.peek() == Ok(b',') {
                    s.at += 1;
                }
                match shape(&mut s) {
                    Ok(shape) if shape.phase && shape.fields > 0 => return Confidence::Certain,
                    Ok(shape) if shape.complete => {}
                    _ => return Confidence::No,
                }
            }
            Confidence::No
        }
        _ => Confidence::No,
    }
}
