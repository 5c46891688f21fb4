//! Lines of a source of any size.
//!
//! The buffer holds one chunk and the start of an unfinished line; a line longer than the caller's limit is
//! cut, so a file without newlines costs no more memory than that.

use std::borrow::Cow;
use std::io::Read;

use super::super::{Context, ImportError, Source};

const CHUNK: usize = 1 << 20;

/// Longest line of a text whose lines are one stack each: a stack of some million frames.
const MAX_TEXT_LINE: usize = 64 << 20;

/// Gives every line (without its end) to `line`, after `chunk` was called with the source for each
/// chunk that was read. Of a line longer than `longest` the start is given. Returns how many lines had to be cut.
///
/// # Errors
/// On a read error and those of the callbacks.
pub(in crate::import) fn for_each_line<T>(
    source: &mut Source,
    longest: usize,
    state: &mut T,
    mut chunk: impl FnMut(&mut T, &Source) -> Result<(), ImportError>,
    mut line: impl FnMut(&mut T, &[u8]) -> Result<(), ImportError>,
) -> Result<u64, ImportError> {
    let mut buffer = vec![0; 2 * CHUNK];
    let (mut kept, mut skipping, mut cut) = (0, false, 0);
    loop {
        if buffer.len() - kept < CHUNK {
            buffer.resize(2 * kept.max(CHUNK), 0);
        }
        let got = source.read(&mut buffer[kept..kept + CHUNK])?;
        chunk(state, source)?;
        let end = kept + got;
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &buffer[kept..end]) {
            let newline = kept + newline;
            if !std::mem::take(&mut skipping) {
                line(state, trim_end(&buffer[start..newline]))?;
            }
            start = newline + 1;
        }
        if got == 0 {
            if start < end && !skipping {
                line(state, trim_end(&buffer[start..end]))?;
            }
            return Ok(cut);
        }
        if skipping {
            start = end;
        } else if end - start >= longest {
            line(state, &buffer[start..start + longest])?;
            (skipping, start) = (true, end);
            cut += 1;
        }
        buffer.copy_within(start..end, 0);
        kept = end - start;
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A line of a text.
#[derive(Clone, Copy, Debug)]
pub(in crate::import) struct Line<'a> {
    /// From 1.
    pub number: u64,
    /// Without its end.
    pub text: &'a str,
}

impl Line<'_> {
    /// The place as warnings give it.
    pub fn place(&self) -> String {
        format!("line {}", self.number)
    }
}

/// Gives every line of a text to `line`. Looks after progress and partial pictures; bytes that are no UTF-8 and
/// endless lines become warnings.
///
/// # Errors
/// On a read error, when cancelled, and those of the callback.
pub(in crate::import) fn for_each_text_line(
    source: &mut Source,
    cx: &mut Context<'_>,
    mut line: impl FnMut(&mut Context<'_>, Line<'_>) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let (mut number, mut invalid) = (0, 0);
    let mut state = &mut *cx;
    let cut = for_each_line(
        source,
        MAX_TEXT_LINE,
        &mut state,
        |cx, source| cx.checkpoint(source),
        |cx, bytes| {
            number += 1;
            let text = String::from_utf8_lossy(bytes);
            invalid += u64::from(matches!(text, Cow::Owned(_)));
            line(cx, Line { number, text: &text })
        },
    )?;
    cx.builder.warn_many("line with invalid characters (shown as �)", "", invalid);
    cx.builder.warn_many("line longer than 64 MiB (cut)", "", cut);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::Input;
    use super::*;

    const LONGEST: usize = 1 << 20;

    fn lines(bytes: Vec<u8>) -> (Vec<Vec<u8>>, u64) {
        let mut source = Source::open(&Input::Bytes("x".into(), bytes.into())).unwrap();
        let mut all = Vec::new();
        let cut = for_each_line(
            &mut source,
            LONGEST,
            &mut all,
            |_, _| Ok(()),
            |all, line| {
                all.push(line.to_vec());
                Ok(())
            },
        );
        (all, cut.unwrap())
    }

    #[test]
    fn lines_survive_chunk_borders_and_missing_ends() {
        let want: Vec<Vec<u8>> = (0..300_000).map(|i: u32| i.to_string().into_bytes()).collect();
        assert_eq!(lines(want.join(&b'\n')), (want.clone(), 0));
        assert_eq!(lines(want.join(&b"\r\n"[..])), (want, 0));
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut bytes = b"a\n".to_vec();
        bytes.extend_from_slice(&vec![b'x'; 5 * LONGEST]);
        bytes.extend_from_slice(b"\nb\n");
        let (all, cut) = lines(bytes);
        assert_eq!(cut, 1);
        assert_eq!(all.len(), 3);
        assert_eq!((&all[0][..], &all[2][..]), (&b"a"[..], &b"b"[..]));
    }
}
