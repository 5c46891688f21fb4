//! What marshal writes, byte by byte.

use super::*;

/// The entries of a dict.
struct Read {
    pairs: Vec<(Value, Value)>,
    /// Their texts, as far as they are texts.
    texts: Vec<[Option<String>; 2]>,
    /// Most items and triples that were held at once.
    held: usize,
    broken: Option<ImportError>,
}

fn read(bytes: &[u8]) -> Result<Read, ImportError> {
    let (mut pairs, mut texts, mut held) = (Vec::new(), Vec::new(), 0);
    let (_, broken) = read_dict(bytes, &Job::new(), &mut |dump, key, value| {
        let text = |value| match value {
            Value::Text(span) => Some(dump.text(span).0.into_owned()),
            _ => None,
        };
        pairs.push((key, value));
        texts.push([text(key), text(value)]);
        held = held.max(dump.items.len() + dump.triples.len() * 3);
    })?;
    Ok(Read { pairs, texts, held, broken })
}

/// The value of a dict with one entry whose key is None.
fn one(value: &[u8]) -> Result<Value, ImportError> {
    let bytes = [b"{N", value, b"0"].concat();
    read(&bytes).map(|d| d.pairs[0].1)
}

#[test]
fn numbers_of_all_versions() {
    assert_eq!(one(b"i\xff\xff\xff\xff").unwrap(), Value::Int(-1));
    assert_eq!(one(b"l\x02\0\0\0\x01\0\x02\0").unwrap(), Value::Int(65537));
    assert_eq!(one(b"l\xfe\xff\xff\xff\x01\0\x02\0").unwrap(), Value::Int(-65537));
    assert_eq!(one(b"I\x01\0\0\0\x01\0\0\0").unwrap(), Value::Int(1 << 32 | 1));
    assert_eq!(one(b"f\x030.5").unwrap(), Value::Float(0.5));
    assert_eq!(one(b"g\0\0\0\0\0\0\xe0\x3f").unwrap(), Value::Float(0.5));
    let huge = [b"l\x20\0\0\0".as_slice(), &[0xff, 0x7f].repeat(32)].concat();
    assert_eq!(one(&huge).unwrap(), Value::Int(i64::MAX));
}

#[test]
fn texts_of_all_versions_and_references() {
    // Python 2: an interned string, and a reference to it. Python 3: a flagged text and a reference.
    for bytes in [&b"{t\x01\0\0\0aR\0\0\0\0"[..], b"{\xfa\x01ar\0\0\0\0", b"{u\x01\0\0\0as\x01\0\0\0a"] {
        let bytes = [bytes, b"0"].concat();
        assert_eq!(read(&bytes).unwrap().texts, [[Some("a".into()), Some("a".into())]]);
    }
}

#[test]
fn undecodable_file_names_stay_readable() {
    assert_eq!(decode(b"a\xed\xb3\xbfb"), ("a\\xffb".into(), false));
    assert_eq!(decode(b"\xed\xa0\xbd"), ("\\ud83d".into(), false));
    assert_eq!(decode(b"\xff\xfe\xfd"), ("\u{fffd}\u{fffd}\u{fffd}".into(), true));
}

#[test]
fn hostile_structure_is_an_error_with_its_place() {
    let deep = [b"{".as_slice(), &b")\x01".repeat(100_000)].concat();
    let dicts = b"{i\x01\0\0\0".repeat(1000);
    for (bytes, what) in [
        (&b"\xfbi\x01\0\0\0r\0\0\0\x000"[..], "contains itself"),
        (b"{rc\0\0\0", "not there"),
        (b"{R\x05\0\0\0", "not there"),
        (b"{s\xff\xff\xff\x7fabc", "more than the file holds"),
        (b"{s\xfb\xff\xff\xffabc", "more than the file holds"),
        (b"{(\xff\xff\xff\x7f", "more than the file holds"),
        (b"{l\xff\xff\xff\x7f\x01\0", "more than the file holds"),
        (b"{l\0\0\0\x80\x01\0", "more than the file holds"),
        (&deep, "deep"),
        (&dicts, "deep"),
        (b"{N0", "end mark"),
        (b"{)\x020", "end mark"),
        (b"{?", "unknown type"),
        (b"{c\0\0\0\0\0", "code object"),
        (b"{", "breaks off"),
        (b"[\0\0\0\0", "does not hold a dict"),
        (b"", "does not hold a dict"),
    ] {
        let error = read(bytes).err().unwrap_or_else(|| panic!("{what}")).to_string();
        assert!(error.contains(what), "{error} / {what}");
    }
}

#[test]
fn exponential_references_stay_small() {
    // {0: (N, N), 1: (r, r), 2: (r, r) …}: 2^60 leaves if written out.
    let mut bytes = b"{N\xa9\x02NN".to_vec();
    for i in 0..60u32 {
        bytes.extend_from_slice(b"N\xa9\x02r");
        bytes.extend_from_slice(&i.to_le_bytes());
        bytes.push(b'r');
        bytes.extend_from_slice(&i.to_le_bytes());
    }
    bytes.push(b'0');
    let dump = read(&bytes).unwrap();
    assert_eq!((dump.pairs.len(), dump.held), (61, 122));
}

#[test]
fn what_came_before_the_break_is_kept() {
    let dump = read(b"{i\x01\0\0\0Ni\x02\0\0\0)\x02N").unwrap();
    assert_eq!(dump.pairs, [(Value::Int(1), Value::None)]);
    assert!(dump.broken.is_some_and(|e| e.to_string().contains("breaks off")));
}

#[test]
fn what_was_given_away_is_forgotten_unless_it_can_be_referred_to() {
    // Key: a triple, which is kept. Value: a flagged list (object 0) in a tuple that nobody can refer to.
    let one = b")\x03NNi\x07\0\0\0(\x02\0\0\0\xdb\x02\0\0\0NN(\x04\0\0\0NNNN".to_vec();
    let bytes = [b"{".as_slice(), &one, b"i\x01\0\0\0r\0\0\0\0", &one, b"0"].concat();
    let mut seen = Vec::new();
    let (dump, broken) = read_dict(&bytes, &Job::new(), &mut |dump, key, value| {
        seen.push((dump.children(key).to_vec(), dump.children(value).to_vec(), dump.items.len()));
    })
    .unwrap();
    assert!(broken.is_none());
    assert_eq!(dump.triples.len(), 2);
    let key = vec![Value::None, Value::None, Value::Int(7)];
    assert_eq!((&seen[0].0, seen[0].2), (&key, 8));
    assert_eq!(
        (&seen[1].1, seen[1].2),
        (&vec![Value::None; 2], 2),
        "the list is still there, the rest is not"
    );
    assert_eq!((&seen[2].0, seen[2].2), (&key, 10));
}
