//! Texts out of files and from the command line, made fit for a terminal and for one line.
//!
//! A name may hold anything: sequences that move the cursor or write to the clipboard, line ends that make two rows of
//! one, marks that turn the direction of what follows. They are shown, not sent.

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::io;

/// Most characters of a name in a line of text.
pub const LONGEST_NAME: usize = 160;

/// True for characters that a terminal or a text field would act on instead of showing them: controls, line ends,
/// marks of direction, tags.
#[must_use]
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` with everything that [`acts`] shown: `␛`, `␊`, `\u{202e}`.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    // Nearly all texts are ASCII without controls.
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) || !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\0'..='\x1f' => out.extend(char::from_u32(0x2400 + c as u32)),
            '\x7f' => out.push('␡'),
            c if acts(c) => _ = write!(out, "\\u{{{:x}}}", c as u32),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The same for pictures, whose fonts have no signs of controls: `\u{1b}`, `\n`, `\u{202e}`.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) || !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            c if acts(c) => _ = write!(out, "\\u{{{:x}}}", c as u32),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The same of a text of several lines, which stay lines; so do tabs.
#[must_use]
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| acts(c) && !matches!(c, '\n' | '\t')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line.strip_suffix('\r').unwrap_or(line), "\n"),
            None => (line, ""),
        };
        for (n, part) in line.split('\t').enumerate() {
            out += if n == 0 { "" } else { "\t" };
            out += &escaped(part);
        }
        out += end;
    }
    Cow::Owned(out)
}

/// `text` as [`plain`] gives it, at most `most` characters of it: what is left out of the middle is `…`.
#[must_use]
pub fn short(text: &str, most: usize) -> Cow<'_, str> {
    let text = plain(text);
    // A character has at least one byte.
    if text.len() <= most || text.chars().count() <= most {
        return text;
    }
    let end = most / 3;
    let head: String = text.chars().take(most.saturating_sub(end + 1)).collect();
    let tail: Vec<char> = text.chars().rev().take(end).collect();
    Cow::Owned(head + "…" + &tail.into_iter().rev().collect::<String>())
}

/// Some 300 characters of a text whose white space and controls are one space each: what a server said, as a part of a message.
#[must_use]
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = String::new();
    for word in words {
        if line.len() > 300 {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(300));
    }
    line
}

/// Text by lines, for a terminal. What is written into a line cannot end it, nor act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page(String);

/// Longest line: more of it would hide the others.
const LONGEST_LINE: usize = 4000;

impl Page {
    /// Adds a line.
    pub fn line(&mut self, text: impl Display) {
        let text = text.to_string();
        self.0 += short(text.trim_end(), LONGEST_LINE).as_ref();
        self.0.push('\n');
    }

    /// Adds an empty line.
    pub fn gap(&mut self) {
        self.0.push('\n');
    }

    /// Adds the lines of `text` one by one: a text of our own, of more than one line.
    pub fn lines(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    /// A document in a markup language, whose writer has escaped what it was given. Its lines are whole: a cut could
    /// take the end of a tag.
    #[must_use]
    pub fn of_markup(text: &str) -> Self {
        let mut page = String::with_capacity(text.len());
        for line in text.lines() {
            page += plain(line).as_ref();
            page.push('\n');
        }
        Self(page)
    }

    /// All lines, each with its end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Passes JSON on with everything that [`acts`] as `\u202e`: the same values, and nothing that a terminal acts on. Line
/// ends between values stay.
pub struct PlainJson<W> {
    out: W,
    /// The beginning of a character whose end is still to come.
    begun: Vec<u8>,
}

impl<W: io::Write> PlainJson<W> {
    /// JSON that is written here goes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, begun: Vec::new() }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        let acts = |c: char| c != '\n' && acts(c);
        if !text.contains(acts) {
            return self.out.write_all(text.as_bytes());
        }
        let mut safe = String::with_capacity(text.len() + 64);
        for c in text.chars() {
            if acts(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(safe, "\\u{unit:04x}");
                }
            } else {
                safe.push(c);
            }
        }
        self.out.write_all(safe.as_bytes())
    }
}

impl<W: io::Write> io::Write for PlainJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.begun.is_empty() && bytes.iter().all(|b| *b == b'\n' || (0x20..0x7f).contains(b)) {
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&all) {
            Ok(_) => all.len(),
            Err(e) => e.valid_up_to(),
        };
        self.begun = all.split_off(whole);
        let text = String::from_utf8(all).map_err(io::Error::other)?;
        self.text(&text)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WILD: &str = "a\u{1b}]0;x\u{7}\r\n\t\0\u{7f}\u{9b}2J\u{202e}b\u{2066}\u{feff}\u{e0041}é漢🙂";

    #[test]
    fn what_would_act_is_shown() {
        assert_eq!(plain(WILD), "a␛]0;x␇␍␊␉␀␡\\u{9b}2J\\u{202e}b\\u{2066}\\u{feff}\\u{e0041}é漢🙂");
        assert!(matches!(plain("naïve 漢字 1 234 −5 µs"), Cow::Borrowed(_)));
        assert!(!plain(WILD).contains(acts));
    }

    #[test]
    fn long_texts_keep_their_beginning_and_their_end() {
        assert_eq!(short("abcdefghij", 10), "abcdefghij");
        assert_eq!(short("abcdefghijk", 10), "abcdef…ijk");
        assert_eq!(short("漢字漢字漢字漢字漢字漢", 10).chars().count(), 10);
        assert_eq!(short("\n\n\n", 3), "␊␊␊");
    }

    #[test]
    fn a_line_stays_one_line() {
        let mut page = Page::default();
        page.line(format_args!("  {WILD}  "));
        page.gap();
        page.line("x".repeat(LONGEST_LINE + 1));
        let lines: Vec<&str> = page.text().split('\n').collect();
        assert_eq!((lines.len(), lines[1], lines[3]), (4, "", ""));
        assert!(!lines[0].contains(acts) && lines[0].starts_with("  a␛"), "{:?}", lines[0]);
        assert_eq!(lines[2].chars().count(), LONGEST_LINE);
    }

    #[test]
    fn json_keeps_its_values() {
        let value = serde_json::json!({ WILD: [WILD, 1] });
        let text = serde_json::to_string_pretty(&value).unwrap();
        for piece in [1, 3, 1000] {
            let mut bytes = Vec::new();
            let mut out = PlainJson::new(&mut bytes);
            for part in text.as_bytes().chunks(piece) {
                io::Write::write_all(&mut out, part).unwrap();
            }
            let safe = String::from_utf8(bytes).unwrap();
            assert!(!safe.contains(|c| c != '\n' && acts(c)));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }
}
