//! The forms in which tools write events and stacks, read without going through the scanner value by value.
//!
//! Whatever looks different in any way is left to the scanner, so nothing here needs to be forgiving.

use super::super::read::json::short_number;
use super::{EMPTY, Event};

/// The event at the start of `bytes` and its length: an object with type, frame and time in any order.
pub(super) fn event(bytes: &[u8]) -> Option<(Event, usize)> {
    let (mut opens, mut frame, mut at) = (None, None, None);
    let mut rest = bytes.strip_prefix(b"{")?;
    loop {
        rest = blank(rest);
        match *rest {
            [b'"', b't', b'y', b'p', b'e', b'"', b':', ref value @ ..] if opens.is_none() => {
                let [b'"', letter @ (b'O' | b'C'), b'"', tail @ ..] = blank(value) else { return None };
                (opens, rest) = (Some(u32::from(*letter == b'O')), tail);
            }
            [b'"', b'f', b'r', b'a', b'm', b'e', b'"', b':', ref value @ ..] if frame.is_none() => {
                let value = blank(value);
                let (number, digits) = index(value)?;
                (frame, rest) = (Some(number), &value[digits..]);
            }
            [b'"', b'a', b't', b'"', b':', ref value @ ..] if at.is_none() => {
                let value = blank(value);
                let (number, digits) = short_number(value)?;
                (at, rest) = (Some(number), &value[digits..]);
            }
            _ => return None,
        }
        match *rest {
            [b',', ref tail @ ..] => rest = tail,
            [b'}', ref tail @ ..] => {
                let event = Event::new(at?, frame? << 1 | opens?);
                return Some((event, bytes.len() - tail.len()));
            }
            _ => return None,
        }
    }
}

/// Past a blank, as Python's `json` writes one after each `:` and `,`.
#[inline]
fn blank(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b" ").unwrap_or(bytes)
}

/// Up to nine digits and how many they are, when more bytes follow.
#[inline]
fn index(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut value = 0;
    for (n, &byte) in bytes.iter().enumerate().take(10) {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 if n < 9 => value = value * 10 + u32::from(digit),
            0..=9 => return None,
            _ => return (n > 0).then_some((value, n)),
        }
    }
    None
}

/// Stacks as lists of frame numbers. A sample mostly begins with the same bytes as the one before, and so with the
/// same frames, which need not be read again.
#[derive(Default)]
pub(super) struct Stacks {
    /// The list before, from behind its bracket to its closing bracket.
    text: Vec<u8>,
    /// Where each of its numbers ends, and the stack up to there.
    frames: Vec<(usize, u32)>,
}

impl Stacks {
    /// The stack of the list `bytes` (brackets included), where `child` gives the stack of a caller's stack and a
    /// frame. `None`: not a plain list of numbers; nothing is known of the list before any more.
    pub(super) fn read(&mut self, bytes: &[u8], mut child: impl FnMut(u32, u32) -> u32) -> Option<u32> {
        let new = bytes.get(1..)?;
        let same = common(&self.text, new);
        while self.frames.last().is_some_and(|&(end, _)| end >= same) {
            self.frames.pop();
        }
        self.text.truncate(same);
        self.text.extend_from_slice(&new[same..]);
        let (mut at, mut stack) = self.frames.last().copied().unwrap_or((0, EMPTY));
        while new[at..] != *b"]" {
            if at > 0 {
                at += usize::from(new[at] == b',');
                at += usize::from(new.get(at) == Some(&b' '));
            }
            let Some((frame, digits)) = index(&new[at..]).filter(|i| matches!(new[at + i.1], b',' | b']'))
            else {
                self.forget();
                return None;
            };
            at += digits;
            stack = child(stack, frame);
            self.frames.push((at, stack));
        }
        Some(stack)
    }

    fn forget(&mut self) {
        self.text.clear();
        self.frames.clear();
    }
}

/// How many bytes at the start are the same.
fn common(a: &[u8], b: &[u8]) -> usize {
    let chunks = a.as_chunks::<16>().0.iter().zip(b.as_chunks::<16>().0);
    let same = chunks.take_while(|(a, b)| a == b).count() * 16;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn events_in_the_usual_forms() {
        for text in [
            r#"{"type":"O","frame":12,"at":3.5},"#,
            r#"{"type": "O", "frame": 12, "at": 3.5}]"#,
            r#"{"at":3.5,"frame":12,"type":"O"}"#,
        ] {
            let (event, len) = event(text.as_bytes()).unwrap();
            assert_eq!((event.frame, event.at().scaled(1)), (25, Some(35)), "{text}");
            assert_eq!(len, text.find('}').unwrap() + 1);
        }
        for text in [
            "{}",
            r#"{"type":"O","frame":12}"#,
            r#"{"type":"O","frame":12,"at":3.5,"x":1}"#,
            r#"{"type":"O","frame":12,"at":3.5,"at":4}"#,
            r#"{"type":"X","frame":12,"at":3.5}"#,
            r#"{"type":"O","frame":-1,"at":3.5}"#,
            r#"{"type":"O","frame":1e3,"at":3.5}"#,
            r#"{"type":"O","frame":9999999999,"at":3.5}"#,
            r#"{"type":"O","frame":12,"at":1e5}"#,
            r#"{"type":"O","frame":12,"at":3"#,
            r#"{"type":"O","frame":12"#,
        ] {
            assert!(event(text.as_bytes()).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn stacks_are_those_of_reading_each_anew(
            lists in proptest::collection::vec(proptest::collection::vec(0u32..120, 0..9), 1..30), wide in any::<bool>(),
        ) {
            let (mut known, mut quick): (Vec<(u32, u32)>, _) = (Vec::new(), Stacks::default());
            let mut child = |parent, frame| {
                let found = known.iter().position(|s| *s == (parent, frame));
                found.unwrap_or_else(|| {
                    known.push((parent, frame));
                    known.len() - 1
                }) as u32
            };
            for list in &lists {
                let words: Vec<_> = list.iter().map(ToString::to_string).collect();
                let text = format!("[{}]", words.join(if wide { ", " } else { "," }));
                let want = list.iter().fold(EMPTY, |stack, &frame| child(stack, frame));
                prop_assert_eq!(quick.read(text.as_bytes(), &mut child), Some(want), "{}", text);
            }
        }
    }

    #[test]
    fn other_lists_are_left_alone() {
        let mut stacks = Stacks::default();
        for text in [
            "[1,2",
            "[1,,2]",
            "[,1]",
            "[1,]",
            "[1.5]",
            "[-1]",
            "[\"a\"]",
            "[1 2]",
            "[null]",
            "[",
            "[1234567890]",
        ] {
            assert_eq!(stacks.read(b"[1,2]", |_, frame| frame), Some(2));
            assert_eq!(stacks.read(text.as_bytes(), |_, frame| frame), None, "{text}");
        }
    }
}
