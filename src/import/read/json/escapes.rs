//! Texts of JSON strings, from their escaped form.

/// Appends the text of an escaped string; the number counts what was not valid.
pub(super) fn unescape(raw: &[u8], out: &mut String) -> u64 {
    let mut bad = 0;
    let mut rest = raw;
    loop {
        let plain = rest.iter().position(|&b| b == b'\\').unwrap_or(rest.len());
        match std::str::from_utf8(&rest[..plain]) {
            Ok(text) => out.push_str(text),
            Err(_) => {
                bad += 1;
                out.push_str(&String::from_utf8_lossy(&rest[..plain]));
            }
        }
        rest = &rest[plain..];
        let [_, escape, tail @ ..] = rest else { return bad };
        rest = tail;
        match escape {
            b'n' => out.push('\n'),
            b't' => out.push('\t'),
            b'r' => out.push('\r'),
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'u' => {
                let (char, tail) = unicode(rest);
                bad += u64::from(char.is_none());
                out.push(char.unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = tail;
            }
            other if other.is_ascii() => out.push(char::from(*other)),
            _ => {
                bad += 1;
                out.push(char::REPLACEMENT_CHARACTER);
                while let [0x80..=0xbf, tail @ ..] = rest {
                    rest = tail;
                }
            }
        }
    }
}

/// The character of the digits after `\u`, joining surrogates, and what follows.
fn unicode(raw: &[u8]) -> (Option<char>, &[u8]) {
    let unit = |raw: &[u8]| u32::from_str_radix(std::str::from_utf8(raw.get(..4)?).ok()?, 16).ok();
    let Some(first) = unit(raw) else { return (None, raw) };
    let rest = &raw[4..];
    if let (0xd800..0xdc00, [b'\\', b'u', low @ ..]) = (first, rest)
        && let Some(second @ 0xdc00..0xe000) = unit(low)
    {
        return (char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)), &low[4..]);
    }
    (char::from_u32(first), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_decode_escapes_surrogates_and_damage() {
        let mut out = String::new();
        assert_eq!(unescape(br#"a\n\"\u00e9\ud83d\ude80\/"#, &mut out), 0);
        assert_eq!(out, "a\n\"é🚀/");
        out.clear();
        assert_eq!(unescape(b"\\ud800 x\xff \\u12", &mut out), 3);
        assert_eq!(out, "\u{fffd} x\u{fffd} \u{fffd}12");
    }
}
