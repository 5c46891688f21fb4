//! What is published: the crate has all that its source embeds, and fits.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::support::file;

/// Largest package that is published, bytes. The registry takes 10 MB.
const LARGEST: usize = 8 << 20;

/// Paths of the package, as cargo would pack it.
fn packed() -> BTreeSet<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["package", "--list", "--allow-dirty", "--offline"]).current_dir(file(""));
    let out = cargo.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().map(PathBuf::from).collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// Files of the modules that a source file has for tests only.
fn modules_of_tests(source: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(file("").join(source)).unwrap();
    let folder = match source.file_stem().unwrap().to_str().unwrap() {
        "mod" | "lib" | "main" => source.parent().unwrap().to_owned(),
        _ => source.with_extension(""),
    };
    let modules = text.split("#[cfg(test)]\n").skip(1);
    let names = modules.filter_map(|text| text.lines().next()?.rsplit("mod ").next()?.strip_suffix(';'));
    names.map(|name| folder.join(format!("{name}.rs"))).collect()
}

/// Paths below the package that a source file embeds outside of its tests.
fn embedded(source: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(file("").join(source)).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut found = Vec::new();
    for what in ["include_bytes!(", "include_str!("] {
        for (at, _) in text.match_indices(what) {
            let call = text[at + what.len()..].split(';').next().unwrap();
            let mut texts = call.split('"').skip(1).step_by(2).filter(|t| *t != "CARGO_MANIFEST_DIR");
            let Some(path) = texts.next() else { continue };
            let path = match path.strip_prefix('/') {
                Some(below) => PathBuf::from(below),
                None => source.parent().unwrap().join(path),
            };
            found.push(plain(&path));
        }
    }
    found
}

#[test]
fn the_crate_has_what_its_source_embeds_and_is_small() {
    let packed = packed();
    let mut missing = Vec::new();
    let sources: Vec<&PathBuf> =
        packed.iter().filter(|p| p.starts_with("src") && p.extension().is_some_and(|e| e == "rs")).collect();
    let tests: BTreeSet<PathBuf> = sources.iter().flat_map(|source| modules_of_tests(source)).collect();
    let is_test =
        |path: &Path| tests.iter().any(|test| path.starts_with(test.with_extension("")) || path == test);
    let sources = sources.into_iter().filter(|source| !is_test(source));
    for source in sources {
        // A folder stands for the files that a macro names below it.
        let there = |path: &PathBuf| packed.contains(path) || file("").join(path).is_dir();
        missing.extend(embedded(source).into_iter().filter(|path| !there(path)));
    }
    // Those of the start page.
    let start = std::fs::read_to_string(file("src/app/samples.rs")).unwrap();
    let samples: Vec<PathBuf> = start
        .split('"')
        .filter(|text| file("sample_profiles").join(text).is_file())
        .map(|text| Path::new("sample_profiles").join(text))
        .collect();
    assert!(samples.len() >= 5, "{samples:?}");
    missing.extend(samples.into_iter().filter(|path| !packed.contains(path)));
    assert!(missing.is_empty(), "left out of the package: {missing:?}");

    let mut size = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for path in packed.iter().map(|path| file("").join(path)).filter(|path| path.is_file()) {
        size.write_all(&std::fs::read(path).unwrap()).unwrap();
    }
    let size = size.finish().unwrap().len();
    assert!(size < LARGEST, "{size} bytes packed");
}
