//! What a JSON file is made of, where its head does not tell: keys may come in any order, and the first one may hold megabytes.
//!
//! The outline is the file with its long parts cut short: of each list the first item, of each text the begin. Importers look at it as at
//! a head. It costs one pass over the file, so it is made only where nobody knows the head.

use super::read::json::Json;
use super::{ImportError, Source};
use crate::jobs::Job;

/// Longest outline, bytes.
const LONGEST: usize = 64 << 10;
/// So deep keys are kept.
const DEEPEST: u32 = 6;
/// Longest text that is kept, bytes.
const TEXT: usize = 100;

/// The outline of a file that is longer than its head; `None` for one that is no JSON.
pub(super) fn outline(source: &mut Source, job: &Job) -> Option<Vec<u8>> {
    let is_json = matches!(source.head().trim_ascii_start().first(), Some(b'{' | b'['));
    if source.is_whole_head() || !is_json {
        return None;
    }
    let mut out = Vec::new();
    let mut json = Json::new(source, job).ok()?;
    // As far as it can be read: a head is cut, too.
    let _ = value(&mut json, 0, &mut out);
    out.truncate(LONGEST);
    Some(out)
}

fn value(json: &mut Json<'_>, depth: u32, out: &mut Vec<u8>) -> Result<(), ImportError> {
    let first = json.peek()?;
    if depth >= DEEPEST || out.len() >= LONGEST {
        out.extend_from_slice(match first {
            b'{' => b"{}",
            b'[' => b"[]",
            _ => b"null",
        });
        return json.skip();
    }
    match first {
        b'{' => {
            json.enter_object()?;
            let mut begin = b'{';
            while json.next_key()? {
                out.push(std::mem::replace(&mut begin, b','));
                text(&String::from_utf8_lossy(json.key()), out);
                out.push(b':');
                value(json, depth + 1, out)?;
            }
            out.extend_from_slice(if begin == b'{' { b"{}" } else { b"}" });
        }
        b'[' => {
            json.enter_array()?;
            out.push(b'[');
            if json.next_item()? {
                value(json, depth + 1, out)?;
                while json.next_item()? {
                    json.skip()?;
                }
            }
            out.push(b']');
        }
        b'"' => {
            json.string()?;
            text(json.text(), out);
        }
        _ => {
            let text = json.text_or_number()?;
            let is_plain =
                matches!(text.as_str(), "true" | "false") || text.parse().is_ok_and(f64::is_finite);
            out.extend_from_slice(if is_plain { text.as_bytes() } else { b"null" });
        }
    }
    Ok(())
}

fn text(text: &str, out: &mut Vec<u8>) {
    let short = &text[..text.floor_char_boundary(TEXT)];
    out.extend_from_slice(serde_json::Value::from(short).to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Input;
    use crate::import::testing::open_bytes;

    #[test]
    fn keys_are_found_behind_long_values() {
        let long = vec![1.5; 40_000];
        let file = serde_json::json!({"a": long, "b": {"c": "x".repeat(300), "d": []}, "e": null});
        let bytes = file.to_string().into_bytes();
        let mut source = Source::open(&Input::Bytes("a.json".into(), bytes.into())).unwrap();
        let found = String::from_utf8(outline(&mut source, &Job::new()).unwrap()).unwrap();
        let cut = "x".repeat(TEXT);
        assert_eq!(found, format!("{{\"a\":[1.5],\"b\":{{\"c\":\"{cut}\",\"d\":[]}},\"e\":null}}"));
    }

    /// Each sample that is an object is recognised with a long list before all of its keys.
    #[test]
    fn json_is_recognised_whatever_its_first_key_holds() {
        let long = format!("\"0\":[{}0],", "0,".repeat(40_000));
        let folder = |name: &str| format!("{}/sample_profiles/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut tried = 0;
        for name in ["bench", "otlp", "answers", "observed"] {
            let Ok(files) = std::fs::read_dir(folder(name)) else { continue };
            for path in
                files.map(|f| f.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "json"))
            {
                let bytes = std::fs::read(&path).unwrap();
                let Some(rest) = bytes.trim_ascii_start().strip_prefix(b"{") else { continue };
                let known = open_bytes(&bytes).unwrap().meta.format.clone();
                let moved = [b"{", long.as_bytes(), rest].concat();
                let found = open_bytes(&moved).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                assert_eq!(found.meta.format, known, "{}", path.display());
                tried += 1;
            }
        }
        assert!(tried > 0);
    }
}
