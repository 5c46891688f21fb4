//! Strings of a trace as texts: escapes, broken UTF-8 and lone surrogates.

use std::borrow::Cow;

use super::scan::{Kind, Raw};

/// What had to be repaired in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Repairs {
    /// Bytes or escapes that are no character are shown as «�».
    pub replaced: bool,
    /// A control character stands where JSON wants an escape.
    pub control: bool,
    /// The writer does not escape backslashes: they are shown as they stand.
    pub backslash: bool,
}

/// The text of a value: of a string without its escapes, of anything else as it stands in the file.
pub(super) fn text(raw: Raw<'_>) -> (Cow<'_, str>, Repairs) {
    let control = raw.is_string() && raw.bytes.iter().any(|&b| b < b' ');
    let valid = String::from_utf8_lossy(raw.bytes);
    let mut repairs = Repairs { replaced: matches!(valid, Cow::Owned(_)), control, backslash: false };
    if raw.kind != Kind::Escaped {
        return (valid, repairs);
    }
    repairs.backslash = has_raw_backslashes(&valid);
    let mut out = String::with_capacity(valid.len());
    let mut rest = &*valid;
    while let Some(i) = rest.find('\\') {
        out.push_str(&rest[..i]);
        let escape = rest[i + 1..].chars().next();
        // The first of a network path are two: «\\server».
        let meant = !matches!(escape, Some('\\' | '"')) || escape == Some('\\') && out.is_empty();
        if repairs.backslash && meant {
            out.push('\\');
            rest = &rest[i + 1..];
            continue;
        }
        rest = &rest[i + 1 + escape.map_or(0, char::len_utf8)..];
        match escape {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let (c, used) = unicode(rest);
                repairs.replaced |= c.is_none();
                out.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = &rest[used..];
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out.push_str(rest);
    (Cow::Owned(out), repairs)
}

/// True when backslashes of a text are no escapes: where one is no escape that JSON has, none is, and neither is one
/// right behind the drive of a path («C:\temp»), which is no tabulator.
fn has_raw_backslashes(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(i) = memchr::memchr(b'\\', &bytes[at..]) {
        let before = &bytes[..at + i];
        let escape = bytes.get(at + i + 1).copied();
        let is_escape = match escape {
            Some(b'u') => {
                bytes.get(at + i + 2..at + i + 6).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
            }
            Some(b) => b"\"\\/bfnrt".contains(&b),
            None => false,
        };
        let after_drive = match before {
            [rest @ .., drive, b':'] => {
                drive.is_ascii_alphabetic() && !rest.last().is_some_and(u8::is_ascii_alphanumeric)
            }
            _ => false,
        };
        if !is_escape || after_drive && !matches!(escape, Some(b'\\' | b'/' | b'"')) {
            return true;
        }
        at += i + 2;
    }
    false
}

/// The character after «\u» and the bytes that it took.
fn unicode(rest: &str) -> (Option<char>, usize) {
    let unit = |at: usize| {
        let digits = rest.get(at..at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(digits, 16).ok()
    };
    let Some(first) = unit(0) else { return (None, 0) };
    if (0xd800..0xdc00).contains(&first)
        && rest.get(4..6) == Some("\\u")
        && let Some(second) = unit(6).filter(|s| (0xdc00..0xe000).contains(s))
    {
        return (char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)), 10);
    }
    (char::from_u32(first), 4)
}

/// A nested value without the blanks between its parts. Other values as texts.
pub(super) fn compact(raw: Raw<'_>) -> String {
    if raw.kind != Kind::Nested {
        return text(raw).0.into_owned();
    }
    let mut in_string = false;
    let mut escaped = false;
    let kept: Vec<u8> = raw
        .bytes
        .iter()
        .copied()
        .filter(|&b| {
            let keep = in_string || b > b' ';
            match b {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                _ => {}
            }
            keep
        })
        .collect();
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(inner: &str) -> (String, Repairs) {
        let raw = Raw {
            bytes: inner.as_bytes(),
            kind: if inner.contains('\\') { Kind::Escaped } else { Kind::Plain },
        };
        let (text, repairs) = text(raw);
        (text.into_owned(), repairs)
    }

    #[test]
    fn escapes_become_characters() {
        assert_eq!(
            decoded(r#"a\"b\\c\/d\n\t\u00e9 \ud83d\ude80"#),
            ("a\"b\\c/d\n\té 🚀".into(), Repairs::default())
        );
        let replaced = Repairs { replaced: true, ..Repairs::default() };
        assert_eq!(decoded(r"\ud800 x \udc00"), ("\u{fffd} x \u{fffd}".into(), replaced));
        assert_eq!(decoded(r"\ud83dx"), ("\u{fffd}x".into(), replaced));
        assert_eq!(decoded("a\tb").1, Repairs { control: true, ..Repairs::default() });
        assert_eq!(text(Raw { bytes: b"a\xff\xfeb", kind: Kind::Plain }).0, "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn backslashes_of_writers_that_do_not_escape_them_stay() {
        for (raw, text) in [
            (r"C:\Users\me\train.py(12): step", r"C:\Users\me\train.py(12): step"),
            (r"C:\temp\new\bin", r"C:\temp\new\bin"),
            (r"(d:\run.py)", r"(d:\run.py)"),
            (r"\\server\share\new", r"\\server\share\new"),
            (r"\d+\t", r"\d+\t"),
            (r"\ud83dx \u12", r"\ud83dx \u12"),
        ] {
            let (got, repairs) = decoded(raw);
            assert_eq!((got.as_str(), repairs.backslash), (text, true), "{raw}");
        }
        for (raw, text) in
            [(r"C:\\temp\\new.py", r"C:\temp\new.py"), (r"Note:\tsee", "Note:\tsee"), (r"a\nb", "a\nb")]
        {
            assert_eq!(decoded(raw), (text.into(), Repairs::default()), "{raw}");
        }
    }

    #[test]
    fn nested_values_lose_their_blanks_only_outside_of_strings() {
        let raw = Raw { bytes: br#"{ "a b" : [1, "x\" y"] , "c": {} }"#, kind: Kind::Nested };
        assert_eq!(compact(raw), r#"{"a b":[1,"x\" y"],"c":{}}"#);
    }
}
