//! Web pages that carry a profile: viztracer's and trace2html's traces, pyinstrument's sessions, and others that hold JSON of a format
//! that is known.
//!
//! A page is searched for JSON in its scripts: an object or list after «=» or «>», or text in base64 of such, packed or not. The first one that an importer
//! knows is the content of the file. Nothing of a page is run.

use std::io::Read;

use super::read::base64;

/// Largest page that is searched, bytes.
pub(super) const MOST: u64 = 1 << 30;
/// Largest profile that base64 in a page may unfold to.
const MOST_UNPACKED: u64 = 1 << 30;
/// Beginnings of JSON without an end, after which a page is given up: each is looked for to the end of the page.
const MOST_UNENDED: u32 = 16;
/// Shortest JSON that is looked at.
const SHORTEST: usize = 40;

/// True when bytes begin a web page.
pub(super) fn is_one(head: &[u8]) -> bool {
    let start = head.trim_ascii_start();
    let start = &start[..start.len().min(16)].to_ascii_lowercase()[..];
    start.starts_with(b"<!doctype html") || start.starts_with(b"<html") || start.starts_with(b"<!-- saved")
}

/// The first profile in a page; `is_profile` judges by content.
pub(super) fn profile(page: &[u8], mut is_profile: impl FnMut(&[u8]) -> bool) -> Option<Vec<u8>> {
    let (mut at, mut unended) = (0, 0);
    while let Some(found) = memchr::memchr2(b'=', b'>', &page[at..]) {
        at += found + 1;
        let blanks = page[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        let start = at + blanks;
        match (page.get(start), page.get(start + 1..)) {
            (Some(b'{' | b'['), Some(inner)) => {
                // JSON, not a program.
                let next = inner.iter().find(|b| !b.is_ascii_whitespace());
                if !matches!(next, Some(b'"' | b'{' | b'[')) {
                    continue;
                }
                let Some(end) = end_of_json(page, start) else {
                    unended += 1;
                    if unended > MOST_UNENDED {
                        return None;
                    }
                    continue;
                };
                if end - start >= SHORTEST && is_profile(&page[start..end]) {
                    return Some(page[start..end].to_vec());
                }
                at = end;
            }
            (Some(byte), _) if byte.is_ascii_alphanumeric() && page[at - 1] == b'>' => {
                let end = start + memchr::memchr(b'<', &page[start..]).unwrap_or(page.len() - start);
                if end - start >= SHORTEST
                    && let Some(content) = packed(&page[start..end])
                {
                    if is_profile(&content) {
                        return Some(content);
                    }
                    at = end;
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the JSON that begins at `start` ends: its brackets outside of texts are closed. Programs have them closed, too, and are
/// told apart by who reads them.
fn end_of_json(bytes: &[u8], start: usize) -> Option<usize> {
    let (mut depth, mut at) = (0u64, start);
    loop {
        match *bytes.get(at)? {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => {
                at += 1;
                loop {
                    at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
                    if bytes[at] == b'"' {
                        break;
                    }
                    at += 2;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Text in base64, unpacked if it is packed.
fn packed(text: &[u8]) -> Option<Vec<u8>> {
    // A word of English is no such text.
    if !text
        .iter()
        .take(SHORTEST)
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'\n' | b'\r'))
    {
        return None;
    }
    let plain: String = text.iter().filter(|b| !b.is_ascii_whitespace()).map(|b| char::from(*b)).collect();
    let bytes = base64::decode(&plain)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Some(bytes);
    }
    let mut all = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).take(MOST_UNPACKED).read_to_end(&mut all).ok()?;
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{damage, open_bytes};

    const TRACE: &str =
        r#"{"traceEvents": [{"ph": "X", "name": "work {\"x\"]", "pid": 1, "tid": 1, "ts": 5, "dur": 10}]}"#;

    #[test]
    fn pages_that_carry_a_trace_open_as_it() {
        let viztracer = format!(
            "<!DOCTYPE html>\n<html><script>var a = {{b: 1}}; if (x >= [1]) {{}}\njson_data = {TRACE}\n load()</script></html>"
        );
        let script = format!("<html><body><script type=\"application/json\">{TRACE}</script></body></html>");
        for page in [viztracer, script] {
            let p = open_bytes(page.as_bytes()).unwrap();
            assert_eq!((p.meta.format.as_str(), p.span_count()), ("chrome", 1), "{page}");
            damage(page.as_bytes(), drop);
        }
    }

    #[test]
    fn packed_traces_in_pages_are_unpacked() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(TRACE.as_bytes()).unwrap();
        let packed = encode(&packer.finish().unwrap());
        let page = format!(
            "<!doctype html><title>An ordinary title</title><script class=\"trace-data\">\n{packed}\n</script>"
        );
        assert_eq!(open_bytes(page.as_bytes()).unwrap().span_count(), 1);
    }

    fn encode(bytes: &[u8]) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letters = bytes.chunks(3).flat_map(|c| {
            let n = c.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - c.len()));
            (0..=c.len()).map(move |i| char::from(LETTERS[(n >> (18 - 6 * i)) as usize & 63]))
        });
        letters.collect()
    }

    #[test]
    fn a_page_of_pyinstrument_is_its_session() {
        let sample = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/sample_profiles/pyinstrument/html-busy_wait.json"
        ));
        let page = format!(
            "<!DOCTYPE html><html><script>const sessionData = {sample};\npyinstrumentHTMLRenderer.render(x, sessionData);</script>"
        );
        let p = open_bytes(page.as_bytes()).unwrap();
        assert_eq!(p.meta.format, "pyinstrument");
    }
}
