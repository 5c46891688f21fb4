//! What holds for every sample of every format.

use std::path::{Path, PathBuf};

use super::testing::open_bytes;
use super::*;
use crate::export::native;
use crate::model::dump;

/// All samples that are profiles.
fn samples() -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles"));
    let folders = std::fs::read_dir(root).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_dir());
    let mut files: Vec<_> = folders
        .flat_map(|f| std::fs::read_dir(f).unwrap().map(|f| f.unwrap().path()))
        .filter(|f| {
            let name = f.file_name().unwrap().to_string_lossy().into_owned();
            name != "README.md" && !name.ends_with(".calls.txt") && !name.ends_with(".dump.txt")
        })
        .collect();
    files.sort();
    files
}

/// A dump without the file that details stand in, which is another one under another name.
fn text(p: &Profile) -> String {
    dump(p).lines().filter(|l| !l.starts_with("source ")).collect::<Vec<_>>().join("\n")
}

/// Lines of a dump that a snapshot holds.
const SHOWN: usize = 60;

/// The begin of a dump, how much follows, and a number that changes with any of it.
fn digest(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= SHOWN {
        return text.to_owned();
    }
    let sum = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    let shown: Vec<String> = lines[..SHOWN].iter().map(|l| l.chars().take(160).collect()).collect();
    format!("{}\n… {} more lines, all of them {sum:016x}", shown.join("\n"), lines.len() - SHOWN)
}

/// The content decides: a sample shows the same under a name that says nothing, and after it was saved as a session; and
/// what it shows is what it showed before.
#[test]
fn every_sample_opens_under_any_name_and_survives_a_session() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../tests/snapshots/samples");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in samples() {
        let named = open_whole(&Input::Path(path.clone()), &Job::new());
        let named = named.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let unknown = open_bytes(&std::fs::read(&path).unwrap()).unwrap();
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let name = format!("{folder}.{}", path.file_name().unwrap_or_default().to_string_lossy());
        settings.bind(|| insta::assert_snapshot!(name, digest(&text(&unknown))));
        assert!(text(&named) == text(&unknown), "{} under another name", path.display());
        let mut session = Vec::new();
        native::write(&unknown, &mut session).unwrap();
        let again = open_bytes(&session).unwrap();
        assert!(text(&again) == text(&unknown), "{} as a session", path.display());
    }
}

/// Bytes of a sample that are damaged: of longer ones the begin, so that the test is quick. Importers damage whole files of their own.
const DAMAGED: usize = 2 << 10;

/// A broken file is a profile, or an error that says something: cut at 64 places, and with 256 bytes flipped.
#[test]
fn damage_of_any_sample_is_never_worse_than_an_error() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (samples, next) = (samples(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = samples.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // What is packed is damaged below its packing, where importers see it.
                    let mut source = Source::open(&Input::Path(path.clone())).unwrap();
                    let whole = source.read_all(&Job::new()).unwrap();
                    damage_one(&whole, &path.display().to_string());
                }
            });
        }
    });
}

fn damage_one(whole: &[u8], name: &str) {
    let check = |bytes: &[u8]| {
        if let Err(e) = open_bytes(bytes) {
            let said = matches!(e.kind, ErrorKind::Malformed | ErrorKind::Unrecognised | ErrorKind::Several);
            assert!(said && !e.what.is_empty(), "{name}: {e}");
        }
    };
    let bytes = &whole[..whole.len().min(DAMAGED)];
    (0..64).for_each(|n| check(&bytes[..bytes.len() * n / 64]));
    // 256 flips, four at a time: the first that an importer stumbles over hides those behind it, but not those of other tries.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for n in 0..64 {
        let mut damaged = bytes.to_vec();
        for flip in 0..4 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (random >> 20) as usize % damaged.len();
            // Each bit, and values that formats give a meaning.
            damaged[at] = match (4 * n + flip) % 10 {
                8 => 0,
                9 => 0xff,
                bit => damaged[at] ^ 1 << bit,
            };
        }
        check(&damaged);
    }
}
