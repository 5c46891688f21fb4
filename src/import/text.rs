//! Text in any usual encoding as UTF-8.

use std::borrow::Cow;

/// Decodes UTF-8 (with or without byte order mark) and UTF-16 with one. The number counts the places
/// that were not valid and are shown as «�».
#[must_use]
pub fn decode(bytes: &[u8]) -> (Cow<'_, str>, u64) {
    let wide = |from: fn([u8; 2]) -> u16, rest: &[u8]| {
        let units = rest.chunks_exact(2).map(|c| from([c[0], c[1]]));
        let mut bad = 0;
        let text = char::decode_utf16(units)
            .map(|c| {
                c.unwrap_or_else(|_| {
                    bad += 1;
                    char::REPLACEMENT_CHARACTER
                })
            })
            .collect();
        (Cow::Owned(text), bad)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => wide(u16::from_be_bytes, rest),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => {
            let text = String::from_utf8_lossy(rest);
            let bad = match &text {
                Cow::Borrowed(_) => 0,
                Cow::Owned(t) => t.matches(char::REPLACEMENT_CHARACTER).count() as u64,
            };
            (text, bad)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_encodings_give_the_same_text() {
        let le: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("héllo".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let be: Vec<u8> =
            [0xfe, 0xff].into_iter().chain("héllo".encode_utf16().flat_map(u16::to_be_bytes)).collect();
        for bytes in [&le, &be, &"héllo".as_bytes().to_vec(), &"\u{feff}héllo".as_bytes().to_vec()] {
            assert_eq!(decode(bytes), ("héllo".into(), 0));
        }
        assert_eq!(decode(b"a\xffb"), ("a\u{fffd}b".into(), 1));
    }
}
