//! Objects of a writer that does not escape quotes: `"name": "<string>(1): "hello""`.
//!
//! Only asked when an object is no JSON. A quote ends a text when what follows can only be the next part of the
//! object; where the object is an event, its next field must be one that events have. A text never reaches into
//! the next event: a quote that is missing must not swallow it.

use super::scan::{Kind, Raw, Scan, Scanner, Stop};

/// What a text must be followed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Fields of an event.
    Event,
    /// Anything else.
    Value,
}

/// Fields of events, also such as no part of the importer reads.
const FIELDS: &[&[u8]] = &[
    b"ph",
    b"name",
    b"cat",
    b"ts",
    b"tts",
    b"dur",
    b"tdur",
    b"pid",
    b"tid",
    b"args",
    b"id",
    b"id2",
    b"scope",
    b"s",
    b"bp",
    b"bind_id",
    b"flow_in",
    b"flow_out",
    b"sf",
    b"esf",
    b"stack",
    b"estack",
    b"cname",
    b"tidelta",
];

/// The members of the event that starts at the scanner, which then stands behind it.
pub(super) fn event<'a>(scanner: &mut Scanner<'a>) -> Scan<Vec<(Raw<'a>, Raw<'a>)>> {
    members(scanner, Within::Event)
}

/// The members of any object; empty when it is none.
pub(super) fn object(raw: Raw<'_>) -> Vec<(Raw<'_>, Raw<'_>)> {
    members(&mut Scanner::new(raw.bytes), Within::Value).unwrap_or_default()
}

fn members<'a>(scanner: &mut Scanner<'a>, within: Within) -> Scan<Vec<(Raw<'a>, Raw<'a>)>> {
    let mut members = Vec::new();
    scanner.expect(b'{')?;
    while let Some(key) = scanner.key()? {
        let value = match scanner.peek()? {
            b'"' => text(scanner, within)?,
            b'{' | b'[' => nested(scanner)?,
            _ => scanner.value()?,
        };
        scanner.separator()?;
        members.push((key, value));
    }
    Ok(members)
}

/// The text whose opening quote is here.
fn text<'a>(scanner: &mut Scanner<'a>, within: Within) -> Scan<Raw<'a>> {
    let bytes = scanner.bytes;
    let start = scanner.at + 1;
    let mut at = start;
    let mut kind = Kind::Plain;
    loop {
        let rest = bytes.get(at..).ok_or(Stop::More)?;
        at += memchr::memchr3(b'"', b'\\', b'}', rest).ok_or(Stop::More)?;
        match bytes[at] {
            b'}' if next_event(bytes, at)? => return Err(Stop::Bad(start)),
            b'}' => at += 1,
            b'"' if ends(bytes, at, within)? => break,
            b'"' => at += 1,
            // A single backslash before the last quote is the end of a path.
            _ if within == Within::Event
                && bytes.get(at + 1) == Some(&b'"')
                && ends(bytes, at + 1, within)? =>
            {
                kind = Kind::Escaped;
                at += 1;
                break;
            }
            _ => {
                kind = Kind::Escaped;
                at += 2;
            }
        }
    }
    scanner.at = at + 1;
    Ok(Raw { bytes: &bytes[start..at], kind })
}

/// Skips the object or list whose opening bracket is here.
fn nested<'a>(scanner: &mut Scanner<'a>) -> Scan<Raw<'a>> {
    let bytes = scanner.bytes;
    let start = scanner.at;
    let mut depth = 0u64;
    loop {
        match scanner.peek()? {
            b'"' => {
                text(scanner, Within::Value)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        scanner.at += 1;
        if depth == 0 {
            return Ok(Raw { bytes: &bytes[start..scanner.at], kind: Kind::Nested });
        }
    }
}

/// The first byte from `at` on that is not blank, and where it is.
fn after_blanks(bytes: &[u8], at: usize) -> Scan<(usize, u8)> {
    let mut scanner = Scanner { bytes, at };
    let b = scanner.peek()?;
    Ok((scanner.at, b))
}

/// True when an event ends with the bracket at `at` and the next one begins.
fn next_event(bytes: &[u8], at: usize) -> Scan<bool> {
    match after_blanks(bytes, at + 1)? {
        (comma, b',') => Ok(after_blanks(bytes, comma + 1)?.1 == b'{'),
        _ => Ok(false),
    }
}

/// True when a text may end with the quote at `at`.
fn ends(bytes: &[u8], at: usize, within: Within) -> Scan<bool> {
    let (next, b) = after_blanks(bytes, at + 1)?;
    match b {
        b']' => Ok(within == Within::Value),
        b':' => Ok(within == Within::Value),
        b'}' => Ok(matches!(after_blanks(bytes, next + 1)?.1, b',' | b'}' | b']')),
        b',' => {
            let (quote, b) = after_blanks(bytes, next + 1)?;
            match b {
                b'"' if within == Within::Event => field(bytes, quote),
                b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Ok(within == Within::Value),
                _ => Ok(false),
            }
        }
        _ => Ok(false),
    }
}

/// True when the quote at `at` opens the name of a field of events.
fn field(bytes: &[u8], at: usize) -> Scan<bool> {
    let mut scanner = Scanner { bytes, at };
    let name = scanner.string()?;
    Ok(FIELDS.contains(&name.bytes) && scanner.peek()? == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Scan<Vec<(String, String)>> {
        let text_of = |raw: Raw<'_>| String::from_utf8_lossy(raw.bytes).into_owned();
        let members = event(&mut Scanner::new(text.as_bytes()))?;
        Ok(members.into_iter().map(|(k, v)| (text_of(k), text_of(v))).collect())
    }

    #[test]
    fn quotes_inside_of_texts_do_not_end_them() {
        let name = |text: &str| shown(text).map(|m| m.into_iter().find(|(k, _)| k == "name").unwrap().1);
        for inner in [
            r#"{"device": "cpu", "dtype": "float32"}(12): run"#,
            r#"<string>(1): "hello""#,
            r#"a "b": "c", d"#,
            r#"C:\dir\"#,
            r#"said \"hi\", "then" left"#,
        ] {
            let event = format!(r#"{{"ph": "X", "name": "{inner}", "pid": 5, "args": {{"a": 1}}}},"#);
            assert_eq!(name(&event).as_deref(), Ok(inner));
            let last = format!(r#"{{"ph": "X", "name": "{inner}"}} ]"#);
            assert_eq!(name(&last).as_deref(), Ok(inner));
            for cut in 1..event.len() - 1 {
                assert_eq!(name(&event[..cut]), Err(Stop::More), "cut at {cut}");
            }
        }
        let args = r#"{"ph":"X","name":"n","args":{"code": "print("x")", "list": ["a "b" c", 1]},"pid":1},"#;
        let got = shown(args).unwrap();
        assert_eq!(got[2].1, r#"{"code": "print("x")", "list": ["a "b" c", 1]}"#);
        let raw = Raw { bytes: got[2].1.as_bytes(), kind: Kind::Nested };
        let members = object(raw);
        assert_eq!((members[0].1.bytes, members[1].0.bytes), (&br#"print("x")"#[..], &b"list"[..]));
    }

    #[test]
    fn a_missing_quote_does_not_reach_into_the_next_event() {
        let text = r#"{"ph":"X","name":"bad,"ts":0},{"ph":"X","name":"good","ts":0}]"#;
        assert!(matches!(shown(text), Err(Stop::Bad(_))));
    }
}
