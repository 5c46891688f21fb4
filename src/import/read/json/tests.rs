//! Tokens in every form that real files have.

use super::*;

#[test]
fn flat_arrays_are_seen_whole() {
    for (text, length) in [
        ("[]", Some(2)),
        ("[1,2],[3]", Some(5)),
        ("[1,[2]]", None),
        ("[{}]", None),
        ("[1", None),
        ("1]", None),
    ] {
        let mut json = Json::of_bytes(text.as_bytes());
        assert_eq!(json.flat_array().unwrap(), length, "{text}");
        assert_eq!(json.here(), text.as_bytes(), "nothing is taken");
    }
    // One that goes on in the next chunk of the source.
    let text = format!("{}[1,2]", " ".repeat(CHUNK - 3));
    let mut source =
        Source::open(&crate::import::Input::Bytes("x".into(), text.into_bytes().into())).unwrap();
    let job = Job::new();
    let mut json = Json::new(&mut source, &job).unwrap();
    json.peek().unwrap();
    assert_eq!(json.flat_array().unwrap(), Some(5));
}

fn number(text: &str) -> Option<Decimal> {
    Decimal::parse(text.as_bytes())
}

#[test]
fn usual_numbers_are_read_as_any_other() {
    for text in
        ["0", "-0", "7", "-12.5", "0.000001", "12345678901234567", "123456789012345678.5", "1e3", "1.", "-"]
    {
        let mut json = Json::of_bytes(format!("[{text}, 5]").as_bytes());
        assert!(json.enter_array().unwrap() && json.next_item().unwrap());
        let read = json.number().unwrap();
        assert_eq!(read.and_then(|d| d.scaled(6)), number(text).and_then(|d| d.scaled(6)), "{text}");
        assert!(json.next_item().unwrap());
        assert_eq!(json.number().unwrap(), number("5"));
    }
}

#[test]
fn keys_are_read_in_any_spelling() {
    let text = r#"{"a":1,"":2, "b" : 3,"\u0063":4,"a key that is longer than most of them":5}"#;
    let mut json = Json::of_bytes(text.as_bytes());
    assert!(json.enter_object().unwrap());
    let mut keys = Vec::new();
    while json.next_key().unwrap() {
        keys.push(String::from_utf8(json.key().to_vec()).unwrap());
        json.skip().unwrap();
    }
    assert_eq!(keys, ["a", "", "b", "c", "a key that is longer than most of them"]);
}

#[test]
fn a_million_nested_arrays_are_skipped_without_recursion() {
    let mut deep = "[".repeat(1_000_000);
    deep += &"]".repeat(1_000_000);
    deep += " 7 ";
    let mut json = Json::of_bytes(deep.as_bytes());
    json.skip().unwrap();
    assert_eq!(json.number().unwrap(), number("7"));
}

#[test]
fn top_keys_come_from_a_cut_head() {
    assert_eq!(top_keys(b" {\"a\": [1, {\"b\": 2}], \"c\": \"x\", \"d\": [[1,"), ["a", "c", "d"]);
    assert!(top_keys(b"[{\"a\": 1}]").is_empty());
}
