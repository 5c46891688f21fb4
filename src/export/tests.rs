use super::native;
use crate::import::testing::{damage, everything, open_bytes};
use crate::import::{self, Input};
use crate::jobs::Job;
use crate::model::wire::{self, MAGIC, Writer, checksum, tag};
use crate::model::*;

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/", $name))
    };
}

fn saved(profile: &Profile) -> Vec<u8> {
    let mut bytes = Vec::new();
    native::write(profile, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_saved_session_opens_as_an_equal_profile() {
    let samples: [&[u8]; 9] = [
        sample!("speedscope/py-spy-threads.speedscope.json"),
        sample!("speedscope/invalid-out-of-order-events.json"),
        sample!("speedscope/evented-threads.speedscope.json.gz"),
        sample!("pyinstrument/cpu-v4.6.1.pyisession"),
        sample!("pyinstrument/asyncio-enabled.json"),
        sample!("pyinstrument/html-busy_wait.json"),
        sample!("chrome-trace/catapult-nestable-async.json"),
        sample!("chrome-trace/pytorch-alexnet-gpu.json.gz"),
        sample!("chrome-trace/chrome141-cpu-profile.json"),
    ];
    let opened = samples.iter().map(|bytes| open_bytes(bytes).unwrap());
    for profile in opened.chain([everything(), ProfileBuilder::new("recorder").finish()]) {
        let bytes = saved(&profile);
        let again = open_bytes(&bytes).unwrap();
        assert_eq!(dump(&again), dump(&profile));
        assert_eq!(saved(&again), bytes, "saving is stable");
    }
}

#[test]
fn a_session_of_format_1_opens_as_it_did_when_it_was_written() {
    let profile = open_bytes(sample!("native/v1.inferscope")).unwrap();
    assert_eq!(
        dump(&profile),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/native/v1.dump.txt"))
    );
}

#[test]
fn a_newer_format_names_itself_and_the_remedy() {
    let mut bytes = saved(&everything());
    bytes[MAGIC.len()] = 2;
    let e = open_bytes(&bytes).unwrap_err().to_string();
    assert_eq!(
        e,
        "is written in session format 2, and this version reads up to 1: open it with a newer inferscope"
    );
}

/// A block with a right checksum, whatever its content.
fn block(tag: tag::Tag, flags: u8, raw_len: u64, stored: &[u8]) -> Vec<u8> {
    let mut header = tag.to_vec();
    header.push(flags);
    header.extend_from_slice(&raw_len.to_le_bytes());
    header.extend_from_slice(&(stored.len() as u64).to_le_bytes());
    let sum = checksum(&header, stored);
    header.extend_from_slice(&sum.to_le_bytes());
    header.extend_from_slice(stored);
    header
}

/// A session with `extra` in front of its end.
fn with_block(profile: &Profile, extra: &[u8]) -> Vec<u8> {
    let mut bytes = saved(profile);
    bytes.truncate(bytes.len() - wire::BLOCK_HEADER);
    bytes.extend_from_slice(extra);
    bytes.extend_from_slice(&block(tag::END, 0, 0, &[]));
    bytes
}

fn raw(tag: tag::Tag, stored: &[u8]) -> Vec<u8> {
    block(tag, 0, stored.len() as u64, stored)
}

#[test]
fn unknown_parts_are_skipped_and_named() {
    let p = open_bytes(&with_block(&everything(), &raw(*b"NEWS", b"anything"))).unwrap();
    let last = p.warnings.last().unwrap();
    assert_eq!(
        (last.kind.as_str(), last.first.as_str()),
        ("part that this version of inferscope does not know (skipped)", "NEWS")
    );
    assert_eq!(p.span_count(), everything().span_count());
}

#[test]
fn ids_out_of_range_and_claimed_lengths_leave_out_the_part() {
    let mut huge = Writer::default();
    huge.unsigned(1 << 60);
    let mut track = Writer::default();
    [9_999_999, 0, 0, 0].into_iter().for_each(|n| track.unsigned(n));
    // Two spans of which the second ends after its parent.
    let mut spans = Writer::default();
    [0, 0, 0, 0, 2, 1, 2, 0, 1, 0, 0, 5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        .into_iter()
        .for_each(|n| spans.byte(n));
    let mut link = Writer::default();
    [1, 0, 0, 99, 99, 0].into_iter().for_each(|n| link.unsigned(n));
    let stack_cycle = [1, 5, 0];
    let cases: [(tag::Tag, &[u8]); 9] = [
        (tag::TRACK, &spans.0),
        (tag::TRACK, &track.0),
        (tag::TRACK, &[]),
        (tag::LINKS, &link.0),
        (tag::INSTANTS, &huge.0),
        (tag::REQUESTS, &huge.0),
        (tag::GRAPH, &[1, 200, 1]),
        (tag::COUNTER, &[0, 0, 250]),
        (tag::WARNINGS, b"[1]"),
    ];
    for (tag, content) in cases {
        let p = open_bytes(&with_block(&everything(), &raw(tag, content))).unwrap();
        assert_eq!(p.warnings.last().unwrap().kind, "damaged part of the session (left out)", "{tag:?}");
    }
    let e = open_bytes(&with_block(&everything(), &raw(tag::STACKS, &stack_cycle))).unwrap_err();
    assert_eq!(e.to_string(), "is a damaged inferscope session (part STAK): copy it again");
}

#[test]
fn a_small_file_cannot_fill_the_memory() {
    let zeros = vec![0; 64 << 20];
    let packed = zstd::bulk::compress(&zeros, 3).unwrap();
    let bomb = block(tag::STRINGS, wire::COMPRESSED, zeros.len() as u64, &packed);
    assert!(packed.len() < 16 << 10);
    let p = open_bytes(&with_block(&everything(), &bomb)).unwrap();
    assert_eq!(p.warnings.last().unwrap().kind, "session is cut or damaged; what came before is shown");
    // What packs that well is stored as it is, so that it opens.
    let mut stored = Vec::new();
    native::block(&mut stored, tag::STRINGS, &zeros).unwrap();
    assert!(stored.len() > zeros.len());
}

#[test]
fn damage_is_noticed_and_never_panics() {
    let whole = everything();
    damage(&saved(&whole), |result| {
        if let Ok(p) = result {
            assert!(p.warnings.iter().any(|w| w.kind.contains("damaged")) || dump(&p) == dump(&whole));
        }
    });
}

#[test]
fn a_session_finds_the_details_in_the_trace_that_it_was_saved_from() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/chrome-trace/catapult-flows.json");
    let (trace, job) = (Input::Path(path.into()), Job::new());
    let p = import::open(&trace, &job, &mut |_| ()).unwrap();
    let session = Input::Bytes("saved.inferscope".into(), saved(&p).into());
    let q = import::open(&session, &job, &mut |_| ()).unwrap();
    let offset = |p: &Profile| {
        let mut args = p.tracks.iter().flat_map(|t| &t.spans.rows).map(|s| s.args.place());
        args.find_map(|a| if let ArgsPlace::Offset(offset) = a { Some(offset) } else { None }).unwrap()
    };
    let wanted = import::details(&trace, &p.meta, offset(&p)).unwrap();
    assert!(!wanted.is_empty());
    assert_eq!(import::details(&session, &q.meta, offset(&q)).unwrap(), wanted);
    let mut changed = q.meta.clone();
    changed.source.as_mut().unwrap().bytes += 1;
    let e = import::details(&session, &changed, offset(&q)).unwrap_err().to_string();
    assert!(e.contains("has changed since it was opened"), "{e}");
}
