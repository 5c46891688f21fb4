//! Names without what differs from build to build, from process to process and from machine to machine.
//!
//! Taken away: hashes and versions of crates, numbers of the compiler's clones, addresses, ids of processes, folders in
//! front of what a package manager or a language installed. Kept: all that a person wrote. What is taken away here
//! never tells two functions of one program apart in a way that holds in the next build; where it did in this one
//! (two instances of a generic function), they become twins. Each function gives its own result back unchanged.
//!
//! Ids that a program puts into names itself (`worker-4711`, `/tmp/tmpab12`) may tell things apart, too. They are no part of the
//! name of a track, where order tells twins apart; functions keep them and pair without them ([`without_ids`]).

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

/// Patterns and what stands in their place.
struct Rules {
    /// All patterns as one: a single look decides about most of a million names.
    any: Option<RegexSet>,
    each: Vec<(Regex, &'static str)>,
}

fn rules(list: &[(&str, &'static str)]) -> Rules {
    let any = RegexSet::new(list.iter().map(|(pattern, _)| pattern)).ok();
    let each = list.iter().filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, *with))).collect();
    Rules { any, each }
}

static SYMBOL: LazyLock<Rules> = LazyLock::new(|| {
    rules(&[
        // rustc: legacy mangling, then the crate's disambiguator of the newer one.
        (r"::h[0-9a-f]{16}\b", ""),
        (r"(\w)\[[0-9a-f]{8,16}\]", "$1"),
        // Clones that a compiler made of one function. What for is told by the word, which one by a number.
        (r"\.(?:llvm|lto_priv)\.\d+", ""),
        (r"\.(constprop|isra|part|cold|clone)\.\d+", ".$1"),
        (r"^T\.\d+$", "T"),
        // Java's lambdas and their classes.
        (r"\$\$Lambda(?:\$\d+)?(?:\.|/)0x[0-9a-fA-F]+", "$$$$Lambda"),
        (r"\$\$Lambda(?:\$\d+)?(?:/\d+)?", "$$$$Lambda"),
        // A crate's version in a path.
        (r"\b([A-Za-z][\w-]*?)-\d+\.\d+\.\d+(?:[-+][\w.+-]*)?/", "$1/"),
        (r"\b0x[0-9a-fA-F]{4,}\b", "0x…"),
    ])
});

static FILE: LazyLock<Rules> = LazyLock::new(|| {
    rules(&[
        (r"^file://", ""),
        (r"^.*/rustlib/src/rust/", ""),
        (r"^.*/rustc/[0-9a-f]{40}/", ""),
        (r"^.*/registry/src/[^/]+/([^/]+?)-\d+\.\d+\.\d+[^/]*/", "$1/"),
        (r"^.*/git/checkouts/([^/]+?)-[0-9a-f]{16}/[^/]+/", "$1/"),
        (r"^.*/(?:site|dist)-packages/", ""),
        (r"^.*/(?:lib|lib64|Lib)/python\d[\d.]*t?/(?:lib-dynload/)?", ""),
        (r"^.*/python\d[\d.]*t?\.zip/", ""),
        (r"^.*/[Pp]ython\d*/Lib/", ""),
        (r"^.*/node_modules/", ""),
        (r"^.*/ipykernel_\d+/", "ipykernel/"),
        (r"<ipython-input-(\d+)-[0-9a-f]+>", "<ipython-input-$1>"),
        (r"\.(?:cpython|pypy)-?\d[\w-]*\.(so|pyd)$", ".$1"),
        (r"(?:-\d+(?:\.\d+)+)?\.so(?:\.\d+)*$", ".so"),
    ])
});

static TRACK: LazyLock<Rules> = LazyLock::new(|| {
    rules(&[
        (r"\s*[(\[](?:pid |tid |PID |TID )?\d+[)\]]", ""),
        (r"\b(pid|PID|tid|TID)[ :=]\s*\d+", "$1"),
        (r"\b0x[0-9a-fA-F]{4,}\b", "0x…"),
    ])
});

/// What another process, another connection or another temporary folder is called.
static IDS: LazyLock<Rules> = LazyLock::new(|| {
    rules(&[
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "…"),
        (r"(?:/private)?/(?:var/)?tmp/[\w.-]+", "/tmp/…"),
        (r"(?:/private)?/var/folders/\w+/\w+/T/[\w.-]+", "/tmp/…"),
        (r"\btmp[a-z0-9_]{8}\b", "tmp…"),
        // A host and its port.
        (r"\b((?:\d{1,3}\.){3}\d{1,3}|localhost|(?:[\w-]+\.)+[A-Za-z]\w*):\d{2,5}\b", "$1:…"),
        (r"\b(pid|PID|tid|TID)([ :=]\s*)\d+", "$1$2…"),
        (r"\b[0-9a-f]{12,}\b", "…"),
        (r"(^|[-#: (\[/])\d{4,}\b", "$1…"),
        (r"([A-Za-z_])\d{5,}\b", "$1…"),
    ])
});

static CLONE: LazyLock<Rules> =
    LazyLock::new(|| rules(&[(r"(?:\.(?:constprop|isra|part|cold|clone)\b)+", "")]));

fn apply<'a>(text: &'a str, rules: &Rules) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    if rules.any.as_ref().is_some_and(|any| !any.is_match(&text)) {
        return text;
    }
    for (pattern, with) in &rules.each {
        if let Cow::Owned(changed) = pattern.replace_all(&text, *with) {
            text = Cow::Owned(changed);
        }
    }
    text
}

/// Name of a function.
#[must_use]
pub fn symbol(name: &str) -> Cow<'_, str> {
    // One look decides about most names: all rules need one of these.
    let is_mark = |pair: &[u8]| {
        matches!(pair, [b'.', b'0'..=b'9'] | [b'0', b'x'] | [b'$', b'$'] | [b':', b'h'] | [_, b'['])
    };
    if !name.as_bytes().windows(2).any(is_mark) {
        return Cow::Borrowed(name);
    }
    let found = apply(name, &SYMBOL);
    // An address and nothing else is all that is known of it.
    let says = |text: &str| text.replace("0x…", "").chars().any(char::is_alphanumeric);
    if says(&found) { found } else { Cow::Borrowed(name) }
}

/// A normalised name without the words for a compiler's clones, which another build may make of other functions, and of
/// Python's functions in C as most profilers write them.
#[must_use]
pub fn plain(name: &str) -> Cow<'_, str> {
    if let Some(short) = of_c(name) {
        return short;
    }
    match apply(name, &CLONE) {
        Cow::Owned(short) if short.is_empty() => Cow::Borrowed(name),
        found => found,
    }
}

/// What cProfile calls `{method 'poll' of 'select.epoll' objects}` and `{built-in method time.sleep}`, others call
/// `epoll.poll` and `sleep`.
fn of_c(name: &str) -> Option<Cow<'_, str>> {
    fn last(dotted: &str) -> &str {
        dotted.rsplit('.').next().unwrap_or(dotted)
    }
    let inner = name.strip_prefix('{')?.strip_suffix('}')?;
    if let Some(function) = inner.strip_prefix("built-in method ") {
        // «__new__ of type object at 0x…»
        let function = function.split(' ').next().filter(|f| !f.is_empty())?;
        return Some(Cow::Borrowed(last(function)));
    }
    let (method, class) = inner.strip_prefix("method '")?.split_once("' of '")?;
    Some(Cow::Owned(format!("{}.{method}", last(class.strip_suffix("' objects")?))))
}

/// Path of a source file or library.
#[must_use]
pub fn file(path: &str) -> Cow<'_, str> {
    if path.contains('\\') {
        let path = path.replace('\\', "/");
        return Cow::Owned(apply(&path, &FILE).into_owned());
    }
    apply(path, &FILE)
}

/// Module, package or library of a function: of a path its last part.
#[must_use]
pub fn module(name: &str) -> Cow<'_, str> {
    if !name.contains(['/', '\\']) {
        return Cow::Borrowed(name);
    }
    match file(name) {
        Cow::Borrowed(path) => Cow::Borrowed(last(path)),
        Cow::Owned(path) => Cow::Owned(last(&path).to_owned()),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path)
}

/// Name of a track, process or counter.
#[must_use]
pub fn track(name: &str) -> Cow<'_, str> {
    let found = match apply(name, &TRACK) {
        Cow::Owned(short) => Cow::Owned(without_ids(&short).unwrap_or(short)),
        Cow::Borrowed(name) => without_ids(name).map_or(Cow::Borrowed(name), Cow::Owned),
    };
    if found.trim().is_empty() { Cow::Borrowed(name) } else { found }
}

/// A name without ids; `None` when it has none, or is nothing else.
#[must_use]
pub fn without_ids(name: &str) -> Option<String> {
    if !name.contains("tmp") && !name.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    match apply(name, &IDS) {
        Cow::Owned(short) if short != name && short.chars().any(char::is_alphabetic) => Some(short),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_read() {
        let read = |rules: &Rules| (rules.any.is_some(), rules.each.len());
        assert_eq!(
            [read(&SYMBOL), read(&FILE), read(&TRACK), read(&CLONE), read(&IDS)],
            [9, 14, 3, 1, 9].map(|n| (true, n))
        );
        assert_eq!((plain("cmp.isra.constprop"), plain("a.partial")), ("cmp".into(), "a.partial".into()));
        for (name, want) in [
            ("{method 'poll' of 'select.epoll' objects}", "epoll.poll"),
            ("{built-in method time.sleep}", "sleep"),
            ("{built-in method __new__ of type object at 0x…}", "__new__"),
            ("{closure}", "{closure}"),
        ] {
            assert_eq!(plain(name), want);
        }
    }

    #[test]
    fn r07_what_a_build_adds_to_a_name_is_no_part_of_it() {
        for (name, want) in [
            ("core::fmt::write::h0123456789abcdef", "core::fmt::write"),
            ("core[8f7f3d1a2b3c4d5e]::fmt::write", "core::fmt::write"),
            ("serde-1.0.190/src/de.rs:visit.llvm.111", "serde/src/de.rs:visit"),
            ("cmp.isra.0.constprop.1", "cmp.isra.constprop"),
            ("work.part.3.cold.7", "work.part.cold"),
            ("main.cold", "main.cold"),
            ("T.123", "T"),
            ("App$$Lambda$12/0x0000000800c03000.run", "App$$Lambda.run"),
            ("App$$Lambda/0x0000000800c03000.run", "App$$Lambda.run"),
            ("App$$Lambda$7/1531448569.run", "App$$Lambda.run"),
            (
                "<bound method Model.run of <Model object at 0x7f2a1c0d>>",
                "<bound method Model.run of <Model object at 0x…>>",
            ),
            ("0x0000000000401a30", "0x0000000000401a30"),
            ("[0x401a30]", "[0x401a30]"),
            ("<lambda>", "<lambda>"),
            ("a.b.c", "a.b.c"),
            ("<[u8; 16]>::len", "<[u8; 16]>::len"),
            ("layers.0.attention", "layers.0.attention"),
            ("std::hash::hash", "std::hash::hash"),
        ] {
            assert_eq!(symbol(name), want);
            assert_eq!(symbol(want), want, "once more changes nothing");
        }
    }

    #[test]
    fn r07_what_a_machine_adds_to_a_path_is_no_part_of_it() {
        for (path, want) in [
            ("/srv/ci/17/venv/lib/python3.11/site-packages/lz/core.py", "lz/core.py"),
            ("C:\\Users\\me\\venv\\Lib\\site-packages\\lz\\core.py", "lz/core.py"),
            ("/usr/lib/python3.12/json/decoder.py", "json/decoder.py"),
            ("/usr/lib/python3/dist-packages/yaml/__init__.py", "yaml/__init__.py"),
            ("C:\\Python311\\Lib\\json\\decoder.py", "json/decoder.py"),
            ("/usr/lib/python311.zip/json/decoder.py", "json/decoder.py"),
            (
                "/h/.cargo/registry/src/index.crates.io-6f17d22bba15001f/serde-1.0.190/src/de.rs",
                "serde/src/de.rs",
            ),
            ("/h/.cargo/git/checkouts/candle-0c2b4fa9e5801351/57f6f87/src/lib.rs", "candle/src/lib.rs"),
            (
                "/rustc/0123456789abcdef0123456789abcdef01234567/library/core/src/fmt/mod.rs",
                "library/core/src/fmt/mod.rs",
            ),
            (
                "/h/.rustup/toolchains/x/lib/rustlib/src/rust/library/core/src/fmt/mod.rs",
                "library/core/src/fmt/mod.rs",
            ),
            ("/app/node_modules/a/node_modules/b/index.js", "b/index.js"),
            ("/tmp/ipykernel_4711/1234.py", "ipykernel/1234.py"),
            ("/home/me/app/pipe.py", "/home/me/app/pipe.py"),
            ("file:///home/me/app/pipe.js", "/home/me/app/pipe.js"),
            ("<string>", "<string>"),
            ("~", "~"),
        ] {
            assert_eq!(file(path), want);
            assert_eq!(file(want), want, "once more changes nothing");
        }
        for (name, want) in [
            ("/usr/lib/x86_64-linux-gnu/libc-2.31.so", "libc.so"),
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", "libc.so"),
            ("/v/site-packages/lz/_core.cpython-311-x86_64-linux-gnu.so", "_core.so"),
            ("torch.nn.modules", "torch.nn.modules"),
            ("tokio::runtime", "tokio::runtime"),
        ] {
            assert_eq!(module(name), want);
            assert_eq!(module(want), want);
        }
    }

    #[test]
    fn r13_ids_of_processes_are_no_part_of_a_track() {
        for (name, want) in [
            ("python (pid 4711)", "python"),
            ("python (4711)", "python"),
            ("pid 4711", "pid"),
            ("Thread 0x7f2a1c0d2700", "Thread 0x…"),
            ("worker 3", "worker 3"),
            ("(12)", "(12)"),
            ("main", "main"),
            ("worker-12345", "worker-…"),
            ("ThreadPoolExecutor-0_3", "ThreadPoolExecutor-0_3"),
            ("127.0.0.1:40312", "127.0.0.1:40312"),
            ("4711", "4711"),
        ] {
            assert_eq!(track(name), want);
            assert_eq!(track(want), want);
        }
    }

    #[test]
    fn r07_ids_are_told_from_what_a_person_wrote() {
        for (name, want) in [
            ("worker-12345", Some("worker-…")),
            ("worker_12345", Some("worker_…")),
            ("Thread-7 (pid 4711)", Some("Thread-7 (pid …)")),
            ("read /tmp/tmpab12/part.bin", Some("read /tmp/…/part.bin")),
            ("open /private/var/folders/a1/b2c3/T/tmpx/y", Some("open /tmp/…/y")),
            ("fetch localhost:40312", Some("fetch localhost:…")),
            ("task 7f9c24e8-3b12-4a6e-9f01-2b7c8d9e0f11", Some("task …")),
            ("container 3f4a9b2c1d0e", Some("container …")),
            ("worker-3", None),
            ("sha256", None),
            ("gemm_128x64", None),
            ("layers.0.attention", None),
            ("0x…", None),
            ("4711", None),
            ("decode", None),
        ] {
            assert_eq!(without_ids(name).as_deref(), want, "{name}");
            assert_eq!(want.and_then(without_ids), None, "once more changes nothing");
        }
    }
}
