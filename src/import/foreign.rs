//! Files that are no profile, or one of a kind that is not read: what they are, and what to do.

use super::read::json::{Json, top_keys};
use super::{ErrorKind, Head, ImportError};

/// Beginnings of files, what they are and the remedy.
const KNOWN: &[(&[u8], &str, &str)] = &[
    (
        b"version https://git-lfs.github.com/spec",
        "is a Git LFS pointer, not the file itself",
        "run `git lfs pull`",
    ),
    (b"PERFILE2", "is perf's own data (perf.data)", "run `perf script -i FILE > out.txt` and open that"),
    (b"FLR\0", "is a Java Flight Recording", "convert it with `jfrconv -o collapsed FILE out.collapsed`"),
    (b"SIMPLEPERF", "is simpleperf's own data", "convert it with simpleperf's `gecko_profile_generator.py`"),
    (b"*version\n", "is an Android method trace", "open it in Android Studio; its format is not read"),
    (b"SLOW", "is an Android method trace", "open it in Android Studio; its format is not read"),
    (b"PUF0", "is a puffin capture", "open it in puffin_viewer; its format is not read"),
    (b"tracy", "is a Tracy trace", "run `tracy-csvexport`; its own format is not read"),
    (b"SQLite format 3\0", "is a SQLite database without tables of a profiler", ""),
    (
        b"\x04\x22\x4d\x18",
        "is packed with LZ4, as memray's own files are",
        "for memray run `memray transform csv FILE`; unpack others with `lz4 -d`",
    ),
    (b"memray\0", "is memray's own file", "run `memray transform csv FILE`"),
    (b"PK\x05\x06", "is an empty zip archive", ""),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", "unpack it and open a file of it"),
    (b"Rar!", "is a RAR archive", "unpack it and open a file of it"),
    (b"\xfd7zXZ\0", "is packed with xz", "unpack it with `xz -d`"),
    (b"BZh", "is packed with bzip2", "unpack it with `bzip2 -d`"),
    (b"\x78\x9c", "is packed with zlib", "unpack it with `zlib-flate -uncompress` or Python's zlib"),
    (b"\x78\x01", "is packed with zlib", "unpack it with `zlib-flate -uncompress` or Python's zlib"),
    (b"\x78\xda", "is packed with zlib", "unpack it with `zlib-flate -uncompress` or Python's zlib"),
    (b"\x7fELF", "is a program or library (ELF)", "open the profile that a profiler wrote of it"),
    (b"MZ", "is a Windows program", "open the profile that a profiler wrote of it"),
    (b"\xcf\xfa\xed\xfe", "is a macOS program", "open the profile that a profiler wrote of it"),
    (b"\x89PNG", "is a picture (PNG)", ""),
    (b"\xff\xd8\xff", "is a picture (JPEG)", ""),
    (b"GIF8", "is a picture (GIF)", ""),
    (b"%PDF", "is a PDF document", ""),
    (b"GGUF", "is a model (GGUF)", "record its run: `inferscope record generate`"),
    (b"\x93NUMPY", "is a NumPy array", ""),
    (b"\x89HDF", "is an HDF5 file", ""),
    (b"PAR1", "is a Parquet file", "export it as JSON or CSV"),
    (b"\0asm", "is a WebAssembly module", ""),
];

/// Words that a file begins with, in lower case, what it is and the remedy: what tools of Python print, draw and keep
/// beside their profiles.
const TOLD: &[(&[&str], &str, &str)] = &[
    (
        &["function calls", "ncalls", "tottime"],
        "is a printout of Python's profile statistics",
        "open the profile itself: `python -m cProfile -o out.prof …` or `Profile.dump_stats(\"out.prof\")`",
    ),
    (
        &["profile stats:", "nsamples"],
        "is a printout of Python's sampling profiler",
        "write a profile: `python -m profiling.sampling run --pstats -o out.pstats …`",
    ),
    (
        &["timer unit:", "per hit"],
        "is a printout of line_profiler",
        "open the .lprof file that `kernprof -l` wrote",
    ),
    (&["clock type:", "ordered by:", "tsub"], "is a printout of yappi", YAPPI),
    (
        &["<html", "pyinstrument"],
        "is a page of pyinstrument",
        "write a session instead: `pyinstrument -r session -o out.pyisession …`",
    ),
    (&["<html", "scalene"], "is a page of Scalene", "open the JSON that it was made from (`scalene run`)"),
    (
        &["line #|", "time per hit|"],
        "is a printout of pprofile",
        "let it write a profile: `pprofile --format callgrind --out cachegrind.out.0 …`",
    ),
    (
        &["<svg", "flame graph"],
        "is a flame graph as a picture",
        "open the profile that it was drawn from, or write one: `py-spy record -f speedscope -o out.speedscope.json …`",
    ),
];

const YAPPI: &str = "save them in another one: `stats.save(\"out.pstat\", type=\"pstat\")`";

/// The error for a file that no importer understands.
pub(super) fn error(head: &Head<'_>) -> ImportError {
    let (what, remedy) = describe(head);
    ImportError { kind: ErrorKind::Unrecognised, what, place: None, remedy }
}

/// Of a trace that holds nothing, and what to do about it.
pub(super) const NO_EVENTS: &str = "is a trace without any events: nothing was recorded";
pub(super) const RECORD_LATER: &str = "start the profiler before the work, and stop it before it is written";

const FORMATS: &str = "see `inferscope formats`";

fn describe(head: &Head<'_>) -> (String, &'static str) {
    let bytes = head.bytes;
    if let Some((_, what, remedy)) = KNOWN.iter().find(|k| bytes.starts_with(k.0)) {
        return ((*what).to_owned(), if remedy.is_empty() { FORMATS } else { remedy });
    }
    if head.whole && is_empty_list(bytes) {
        return (NO_EVENTS.into(), RECORD_LATER);
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(2048)]);
    let start = text.trim_start();
    let all = text.to_lowercase();
    // Programs that write or read profiles name what stands in them.
    let is_program = head.name.ends_with(".py");
    let told = TOLD.iter().filter(|_| !is_program).find(|t| t.0.iter().all(|word| all.contains(word)));
    if let Some((_, what, remedy)) = told {
        return ((*what).to_owned(), remedy);
    }
    let lower = start.get(..start.len().min(64)).unwrap_or("").to_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        // trace2html and viztracer put a trace into a page that shows it.
        if memchr::memmem::find(bytes, b"\"traceEvents\"").is_some() {
            let remedy = "take the trace out of it: save the JSON object with «traceEvents» as a file";
            return ("is a web page with a trace in it".into(), remedy);
        }
        return (
            "is a web page, not a profile".into(),
            "download the file itself: the page may be an error message",
        );
    }
    if lower.starts_with("<?xml") || lower.starts_with("<svg") {
        return ("is XML, and no profile that is read".into(), FORMATS);
    }
    if bytes.first().is_some_and(|b| matches!(b, b'{' | b'[' | b'"')) || start == "null" {
        return (json(head), FORMATS);
    }
    if bytes.starts_with(&[0x80]) && bytes.get(1).is_some_and(|p| (2..=5).contains(p)) {
        return ("is a Python pickle, and none of a profiler that is read".into(), FORMATS);
    }
    let binary = bytes.iter().filter(|b| **b == 0 || **b > 0x7e || **b < 9).count();
    if bytes.contains(&0) || binary * 4 > bytes.len() {
        return ("is a binary file of a kind that is not read".into(), FORMATS);
    }
    let first: String =
        start.lines().next().unwrap_or("").chars().take(40).filter(|c| !c.is_control()).collect();
    (format!("is text, and no profile that is read (it starts with «{first}»)"), FORMATS)
}

/// True for a list of nothing, as tools write when they recorded nothing.
fn is_empty_list(bytes: &[u8]) -> bool {
    let inner = bytes.trim_ascii().strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

/// JSON: its outermost fields tell a person most.
fn json(head: &Head<'_>) -> String {
    let keys = top_keys(head.bytes);
    let mut json = Json::of_bytes(head.bytes);
    if head.whole
        && let Err(why) = json.skip()
    {
        let place = why.place.map(|p| format!(" at {p}")).unwrap_or_default();
        return format!("is broken JSON: {}{place}", why.what);
    }
    let has = |name: &str| keys.iter().any(|key| key == name);
    if has("sample_spec") || has("models") && has("per") {
        return "is a table of prices: `inferscope report FILE --prices TABLE` takes it".into();
    }
    if has("inferscope_project") {
        return "is a project of inferscope, which `inferscope FILE` opens: this wants one of its runs"
            .into();
    }
    let shown: Vec<_> =
        keys.iter().take(4).map(|k| format!("«{}»", k.chars().take(30).collect::<String>())).collect();
    if shown.is_empty() {
        return "is JSON, and no profile that is read".into();
    }
    format!("is JSON, and no profile that is read (it has {})", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use crate::import::ErrorKind;
    use crate::import::testing::open_bytes;

    #[test]
    fn what_is_known_but_no_profile_says_what_it_is() {
        let of = |bytes: &[u8]| open_bytes(bytes).unwrap_err().to_string();
        assert!(of(b"{\"sample_spec\": {}, \"m\": {}}").contains("table of prices"));
        assert!(of(b"{\"inferscope_project\": 1}").contains("project of inferscope"));
        assert!(of(b"{\"a\": [1,}").contains("broken JSON"));
    }

    #[test]
    fn programs_that_name_profiles_are_none() {
        let text = b"class YFuncStats:\n    # Statistics of yappi: ncalls tottime function calls\n    clock_type = 1\n";
        let open = |name: &str| {
            let input = crate::import::Input::Bytes(name.into(), text.to_vec().into());
            crate::import::open_whole(&input, &crate::jobs::Job::new()).unwrap_err().to_string()
        };
        assert!(open("yappi.py").contains("is text, and no profile"), "{}", open("yappi.py"));
        assert!(!open("x").contains("yappi in its own"), "{}", open("x"));
    }

    #[test]
    fn foreign_files_are_named_with_a_remedy() {
        for (bytes, part) in [
            (&b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"[..], "git lfs pull"),
            (b"<!DOCTYPE html><html><title>404</title>", "web page"),
            (b"<html><script>{\"traceEvents\": []}</script>", "take the trace out of it"),
            (b"PERFILE2\x01\x02\0\0", "perf script"),
            (b"  6 function calls in 2.0 seconds\n\n  ncalls  tottime  percall", "-o out.prof"),
            (b"<!DOCTYPE html>\n<html><script>var pyinstrumentHTMLRenderer", "-r session"),
            (b"Timer unit: 1e-06 s\n\nLine #  Hits  Time  Per Hit", "line_profiler"),
            (b"<?xml version=\"1.0\"?><svg><text>Flame Graph</text></svg>", "py-spy record -f speedscope"),
            (b"\x7fELF\x02\x01\x01\0", "ELF"),
            (b"{\"name\": \"x\", \"version\": \"1\"}", "«name», «version»"),
            (b"{", "broken JSON"),
            (b"null", "JSON"),
            (b" [ ]\n", "trace without any events: nothing was recorded: start the profiler before"),
            (b"\x80\x05]\x94.", "pickle"),
            (b"\x01\x02\x03\0\0", "binary"),
            (b"Dear diary,\nnothing.", "«Dear diary,»"),
        ] {
            let e = open_bytes(bytes).unwrap_err();
            assert_eq!(e.kind, ErrorKind::Unrecognised);
            assert!(e.to_string().contains(part), "{e}");
        }
    }
}
