//! Server-sent events, read as they arrive: bytes in, data texts out.
//!
//! Bytes come in pieces of any size, so a line is kept until its end is there; that also puts split
//! UTF-8 together. Line ends are LF, CRLF or CR. What a line or an event may hold is bounded.

/// Longest event that is kept, in bytes.
const LONGEST: usize = 1 << 20;

/// The data of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Its text; several data lines are joined by line feeds.
    Data(String),
    /// It was longer than anything sensible, and was skipped.
    TooLong,
}

/// Reads a stream; holds the state between two pieces.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    too_long: bool,
    after_cr: bool,
    lines: u64,
}

impl Parser {
    /// Reads more bytes and appends the events that they complete.
    pub(crate) fn push(&mut self, mut bytes: &[u8], events: &mut impl Extend<Event>) {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(at) = memchr::memchr2(b'\n', b'\r', bytes) {
            self.keep(&bytes[..at]);
            let (end, rest) = (bytes[at], &bytes[at + 1..]);
            bytes = rest;
            if end == b'\r' {
                self.after_cr = rest.is_empty();
                bytes = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            events.extend(self.end_line());
        }
        self.keep(bytes);
    }

    /// The stream has ended: an event without its blank line counts too, because servers forget it.
    pub(crate) fn finish(&mut self, events: &mut impl Extend<Event>) {
        if !self.line.is_empty() {
            events.extend(self.end_line());
        }
        events.extend(self.end_event());
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.line.len());
        self.too_long |= part.len() > room;
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let mut line = &line[..];
        self.lines += 1;
        if self.lines == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event();
        }
        // Comments and the fields event, id and retry say nothing that matters here.
        if let Some(value) = line.strip_prefix(b"data").filter(|v| matches!(v.first(), None | Some(b':'))) {
            let value = value.strip_prefix(b":").unwrap_or(value);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            let room = LONGEST.saturating_sub(self.data.len());
            self.too_long |= value.len() > room;
            self.data.extend_from_slice(&value[..value.len().min(room)]);
        }
        None
    }

    fn end_event(&mut self) -> Option<Event> {
        let data = std::mem::take(&mut self.data);
        let (had_data, too_long) = (std::mem::take(&mut self.has_data), std::mem::take(&mut self.too_long));
        match (had_data, too_long) {
            (_, true) => Some(Event::TooLong),
            (true, false) => Some(Event::Data(String::from_utf8_lossy(&data).into_owned())),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Event> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.push(piece, &mut events);
        }
        parser.finish(&mut events);
        events
    }

    fn data(texts: &[&str]) -> Vec<Event> {
        texts.iter().map(|t| Event::Data(t.to_string())).collect()
    }

    const STREAM: &str = "\u{feff}: hello\r\n\r\ndata: {\"a\": 1}\r\n\r\nevent: x\rid: 7\rdata:two\rdata: lines\r\r\
                          data: gr\u{fc}\u{df}e \u{1f600}\n\nretry: 9\ndata\n\ndatum: no\n\ndata: [DONE]\n\n";

    #[test]
    fn every_line_end_comments_and_other_fields() {
        let expected = data(&["{\"a\": 1}", "two\nlines", "gr\u{fc}\u{df}e \u{1f600}", "", "[DONE]"]);
        assert_eq!(read(&[STREAM.as_bytes()]), expected);
    }

    #[test]
    fn the_pieces_it_comes_in_do_not_matter() {
        let whole = read(&[STREAM.as_bytes()]);
        for size in 1..40 {
            let pieces: Vec<&[u8]> = STREAM.as_bytes().chunks(size).collect();
            assert_eq!(read(&pieces), whole, "{size}");
        }
        for cut in 0..=STREAM.len() {
            let (a, b) = STREAM.as_bytes().split_at(cut);
            assert_eq!(read(&[a, b]), whole, "{cut}");
        }
    }

    #[test]
    fn an_end_without_blank_line_and_bytes_that_are_no_text() {
        assert_eq!(read(&[b"data: [DONE]"]), data(&["[DONE]"]));
        assert_eq!(read(&[b"data: a\n"]), data(&["a"]));
        assert_eq!(read(&[b"data: \xff\xc3\n\n"]), data(&["\u{fffd}\u{fffd}"]));
        assert_eq!(read(&[b"", b"\n\n\n", b":"]), []);
    }

    #[test]
    fn an_endless_line_is_skipped_and_costs_no_memory() {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        parser.push(b"data: ", &mut events);
        for _ in 0..64 {
            parser.push(&[b'x'; 100_000], &mut events);
        }
        assert!(parser.line.capacity() <= 4 << 20, "{}", parser.line.capacity());
        parser.push(b"\n\ndata: fine\n\n", &mut events);
        let mut many = b"data: y\n".repeat(600_000);
        many.extend_from_slice(b"\ndata: z\n\n");
        parser.push(&many, &mut events);
        let fine = || Event::Data("fine".into());
        let expected = [Event::TooLong, fine(), Event::TooLong, Event::Data("z".into())];
        assert!(events == expected, "{} events", events.len());
    }
}
