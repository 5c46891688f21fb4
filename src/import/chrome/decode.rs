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
}

/// The text of a value: of a string without its escapes, of anything else as it stands in the file.
pub(super) fn text(raw: Raw<'_>) -> (Cow<'_, str>, Repairs) {
    let control = raw.is_string() && raw.bytes.iter().any(|&b| b < b' ');
    let valid = String::from_utf8_lossy(raw.bytes);
    let mut repairs = Repairs { replaced: matches!(valid, Cow::Owned(_)), control };
    if raw.kind != Kind::Escaped {
        return (valid, repairs);
    }
    let mut out = String::with_capacity(valid.len());
    let mut rest = &*valid;
    while let Some(i) = rest.find('\\') {
        out.push_str(&rest[..i]);
        let escape = rest[i + 1..].chars().next();
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
        let replaced = Repairs { replaced: true, control: false };
        assert_eq!(decoded(r"\ud800 x \udc00"), ("\u{fffd} x \u{fffd}".into(), replaced));
        assert_eq!(decoded(r"\ud83dx \u12"), ("\u{fffd}x \u{fffd}12".into(), replaced));
        assert_eq!(decoded("a\tb").1, Repairs { replaced: false, control: true });
        assert_eq!(text(Raw { bytes: b"a\xff\xfeb", kind: Kind::Plain }).0, "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn nested_values_lose_their_blanks_only_outside_of_strings() {
        let raw = Raw { bytes: br#"{ "a b" : [1, "x\" y"] , "c": {} }"#, kind: Kind::Nested };
        assert_eq!(compact(raw), r#"{"a b":[1,"x\" y"],"c":{}}"#);
    }
}
