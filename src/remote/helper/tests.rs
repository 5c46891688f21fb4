use std::io::Cursor;

use super::*;
use crate::remote::wire::{Answer, MOST, Stream, answer};

fn places(name: &str) -> (Places, PathBuf) {
    let root = std::env::temp_dir().join(format!("inferscope-helper-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(root.join("journals")).unwrap();
    let places = Places {
        journals: Some(root.join("journals")),
        posts: root.join("posts"),
        program: "/nonexistent/inferscope".into(),
    };
    (places, root)
}

/// A client that never leaves by itself, but may say something wrong in the end.
struct Waits(Cursor<Vec<u8>>, bool);

impl Read for Waits {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 if self.1 => loop {
                std::thread::park();
            },
            n => Ok(n),
        }
    }
}

/// What is answered to these bytes, until the last answer ends.
fn answers(places: &Places, asked: Vec<u8>) -> Vec<Answer> {
    struct Until(Vec<u8>);
    impl Write for Until {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            let text = String::from_utf8_lossy(bytes);
            let last = ["\"done\"", "{\"failed\"", "{\"journals\"", "{\"details\""]
                .iter()
                .any(|end| text.contains(end));
            if last { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut out = Until(Vec::new());
    serve(places, Waits(Cursor::new(asked), true), &mut out).unwrap();
    let mut from = out.0.strip_prefix(START).unwrap();
    let mut found = Vec::new();
    while let Some(next) = answer(&mut from).unwrap() {
        found.push(next);
    }
    assert!(matches!(found.remove(0), Answer::Tell(Tell::Hello(hello)) if wire::fits(&hello.version)));
    found
}

fn asks(asks: &[Ask]) -> Vec<u8> {
    let mut bytes = Vec::new();
    asks.iter().for_each(|ask| wire::ask(&mut bytes, ask).unwrap());
    bytes
}

fn refusal(places: &Places, ask: Ask) -> String {
    match answers(places, asks(&[ask])).pop() {
        Some(Answer::Tell(Tell::Failed { why, .. })) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_is_parsed_and_sent_and_its_details_come_when_asked() {
    let (places, root) = places("open");
    let trace = root.join("a.json");
    let events: Vec<String> = (0..2000)
        .map(|i| {
            format!(
                r#"{{"ph":"X","name":"step","ts":{},"dur":5,"pid":1,"tid":1,"args":{{"n":{i}}}}}"#,
                i * 10
            )
        })
        .collect();
    std::fs::write(&trace, format!("[{}]", events.join(",\n"))).unwrap();
    let local = import::open_whole(&Input::Path(trace.clone()), &jobs::Job::new()).unwrap();
    let said = answers(&places, asks(&[Ask::Open { path: trace.to_string_lossy().into_owned() }]));
    let mut session = Vec::new();
    for answer in said {
        if let Answer::Piece(piece) = answer {
            assert_eq!((piece.stream, piece.at), (Stream::File, session.len() as u64));
            session.extend(piece.bytes);
        }
    }
    let there = import::open_whole(&Input::Bytes("s".into(), session.into()), &jobs::Job::new()).unwrap();
    assert_eq!(crate::model::dump(&there), crate::model::dump(&local));
    let source = there.meta.source.clone().unwrap();
    let span = there.tracks.iter().flat_map(|t| &t.spans.rows).nth(7).unwrap();
    let crate::model::ArgsPlace::Offset(offset) = span.args.place() else {
        panic!("details stay in the file")
    };
    let ask = Ask::Details { path: source.path, format: source.format, bytes: source.bytes, offset };
    let said = answers(&places, asks(&[ask]));
    let Some(Answer::Tell(Tell::Details(details))) = said.last() else { panic!("{said:?}") };
    assert!(details.iter().any(|(name, value)| name.contains('n') && value == "7"), "{details:?}");

    let said =
        answers(&places, asks(&[Ask::Fetch { path: trace.to_string_lossy().into_owned(), from: 100_000 }]));
    let sent: usize = said.iter().map(|a| if let Answer::Piece(p) = a { p.bytes.len() } else { 0 }).sum();
    assert_eq!(sent as u64, trace.metadata().unwrap().len() - 100_000, "the rest");
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn nothing_but_journals_and_recordings_of_proper_names_is_touched() {
    let (places, root) = places("names");
    std::fs::write(root.join("secret.journal"), "x").unwrap();
    std::fs::write(root.join("journals/notes.txt"), "x").unwrap();
    for name in ["../secret.journal", "notes.txt", "/etc/passwd", "", "..", "a\0b.journal"] {
        let journal = || name.to_owned();
        assert!(refusal(&places, Ask::Remove { journal: journal() }).contains("no journal"), "{name}");
        assert!(refusal(&places, Ask::Bring { journal: journal() }).contains("no journal"), "{name}");
    }
    for id in ["../x", "", "a b", "A"] {
        let id = || id.to_owned();
        for ask in [
            Ask::Record { id: id(), words: vec![] },
            Ask::Follow { id: id(), journal: 0, out: 0, err: 0 },
            Ask::Stop { id: id() },
            Ask::Cancel { id: id() },
        ] {
            assert!(refusal(&places, ask).contains("no name"));
        }
    }
    assert!(refusal(&places, Ask::Stop { id: "nobody".into() }).contains("cannot be told"));
    assert!(
        refusal(&places, Ask::Follow { id: "nobody".into(), journal: 0, out: 0, err: 0 }).contains("no such")
    );
    assert!(refusal(&places, Ask::Record { id: "a".into(), words: vec![] }).contains("does not start"));
    assert!(refusal(&places, Ask::Open { path: "/no/such".into() }).contains("cannot be read"));
    assert!(
        refusal(&places, Ask::Fetch { path: root.to_string_lossy().into_owned(), from: 0 })
            .contains("no file")
    );
    assert!(root.join("secret.journal").exists() && root.join("journals/notes.txt").exists());
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn a_hostile_client_gets_one_clear_error() {
    let (places, root) = places("hostile");
    let good = asks(&[Ask::Ping]);
    let mut long = b"ASK ".to_vec();
    long.extend((MOST + 1).to_le_bytes());
    long.extend([0; 100]);
    let mut cut = good.clone();
    cut[13] ^= 1;
    for bytes in [long, cut, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), vec![0xff; 4096]] {
        let mut out = Vec::new();
        serve(&places, Cursor::new(bytes.clone()), &mut out).unwrap();
        let mut from = out.strip_prefix(START).unwrap();
        assert!(matches!(answer(&mut from).unwrap(), Some(Answer::Tell(Tell::Hello(_)))));
        let last = answer(&mut from).unwrap();
        assert!(matches!(&last, Some(Answer::Tell(Tell::Failed { why, .. })) if !why.is_empty()), "{last:?}");
        assert!(answer(&mut from).unwrap().is_none(), "and no more");
    }
    let mut out = Vec::new();
    serve(&places, Cursor::new(good), &mut out).unwrap();
    assert!(String::from_utf8_lossy(&out).contains("pong"));
    std::fs::remove_dir_all(root).unwrap();
}
