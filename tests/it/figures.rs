//! Numbers that README and guide state: each is printed by a bench that names it, or stands in the source that it is taken from.

use std::path::Path;

use regex::Regex;

use crate::guide::{code, pages};
use crate::support::{file, samples, stdout};

/// Where a number of a page comes from: (page, number, file, what stands there).
const FROM: &[(&str, &str, &str, &str)] = &[
    ("CONTRIBUTING.md", "11 minutes", ".ci/first-hour", "step cargo test --lib --no-run"),
    ("CONTRIBUTING.md", "2 minutes", ".ci/first-hour", "step cargo test --lib\n"),
    ("CONTRIBUTING.md", "27 minutes", ".ci/first-hour", "step cargo build --release"),
    ("CONTRIBUTING.md", "100 ms", "src/record/workloads/mod.rs", "Ends within 100 ms"),
    ("SECURITY.md", "1 MiB", "assets/python/inferscope_inject/_http.py", "MOST_OF_A_BODY = 1 << 20"),
    ("SECURITY.md", "64 MiB", "src/record/workloads/listen/body.rs", "MOST: usize = 64 << 20"),
    ("comparing.md", "2 %", "src/ui/theme/scales.rs", "NOISE: f32 = 0.02"),
    ("installing.md", "27 minutes", ".ci/first-hour", "step cargo build --release"),
    ("limits.md", "10 ms", "src/record/workloads/command/mod.rs", "\"Stacks a second\""),
    ("limits.md", "100 k", "tests/benches/import.rs", "functions-100k.prof"),
    ("limits.md", "4 GiB", "src/import/source.rs", "MAX_WHOLE: u64 = 4 << 30"),
    ("llm.md", "100 %", "src/analysis/compute/doubt.rs", "cannot be above 100 %"),
    ("llm.md", "30 %", "src/views/tokens/prompts.rs", "LIMIT: f64 = 0.3"),
    ("listening.md", "128 MiB", "src/record/session.rs", "max_bytes: 128 << 20"),
    (
        "listening.md",
        "200 ms",
        "src/record/workloads/command/otlp.rs",
        "(\"OTEL_BSP_SCHEDULE_DELAY\", \"200\")",
    ),
    ("listening.md", "64 MiB", "src/record/workloads/listen/body.rs", "MOST: usize = 64 << 20"),
    ("python.md", "9 µs", "tests/benches/python_recording.py", "a span {recorded:.1f} µs"),
    ("recording.md", "2 GiB", "src/app/settings.rs", "USUAL_UNSAVED: u64 = 2 << 30"),
    ("recording.md", "2.6 M", "assets/model/README.md", "2.62 million parameters"),
    ("recording.md", "256 MiB", "assets/python/inferscope_inject/_records.py", "MOST_BYTES = 1 << 28"),
    ("recording.md", "30 s", "src/record/workloads/command/mod.rs", "\"Trace of torch (s)\""),
    ("recording.md", "440 ms", "src/record/workloads/rag/mock.rs", "440 ms"),
    ("recording.md", "455", ".ci/recorder-alone", "crates instead of"),
    ("recording.md", "63 crates", ".ci/recorder-alone", "crates instead of"),
    ("recording.md", "64 MiB", "src/record/echo.rs", "MOST: usize = 64 << 20"),
    ("recording.md", "9 µs", "tests/benches/python_recording.py", "a wait below four coroutines"),
    ("recording.md", "14 µs", "tests/benches/python_recording.py", "a wait below four coroutines"),
    ("remote.md", "0.25 s", "src/remote/recording.rs", "FIRST_PAUSE: Duration = Duration::from_millis(250)"),
    ("remote.md", "15 s", "src/remote/mod.rs", "broken: Duration::from_secs(15)"),
    ("remote.md", "30 s", "src/remote/mod.rs", "retry: Duration::from_secs(30)"),
    ("fleets.md", "1 %", "src/fleet/ask/stragglers/late.rs", "LEAST_SHARE: f64 = 0.01"),
    ("fleets.md", "3 %", "src/fleet/ask/stragglers/late.rs", "LEAST_SHARE_OF_TWO: f64 = 0.03"),
    ("fleets.md", "15 %", "src/fleet/ask/stragglers/late.rs", "steps * 15 / 100"),
    ("fleets.md", "10 %", "src/fleet/ask/stragglers/late.rs", "HICCUP: (f64, f64) = (0.10, 10.0)"),
    ("remote.md", "4 MiB", "src/remote/wire.rs", "MOST: u32 = 4 << 20"),
    ("remote.md", "64 MiB", "src/remote/post.rs", "MOST_OUTPUT: u64 = 64 << 20"),
];

/// Tables whose rows have tests of their own, below.
const TABLES: &[&str] = &["speed.md", "numbers.md"];

fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The numbers with a unit that a text states, without those of commands and of what the program is quoted to say.
fn numbers(page: &str) -> Vec<String> {
    let number = Regex::new(
        r"\b\d[\d.,–]* ?(?:ns|µs|ms|s|MB|GB|MiB|GiB|kB|%|M|k|tokens/s|minutes?|hours?|times|crates)(?:[^\w]|$)",
    )
    .unwrap();
    // What stands in a block was typed, or printed by the program.
    let mut prose = Regex::new("(?s)```.*?```").unwrap().replace_all(page, "").into_owned();
    for command in code(page) {
        prose = prose.replace(&command, "");
    }
    let prose = Regex::new("«[^»]*»").unwrap().replace_all(&prose, "").into_owned();
    let found =
        number.find_iter(&prose).map(|m| m.as_str().trim_matches(|c: char| !c.is_alphanumeric() && c != '%'));
    found.map(str::to_owned).collect()
}

#[test]
fn every_figure_has_its_source() {
    let mut seen = vec![false; FROM.len()];
    for (path, page) in pages() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let page = match TABLES.contains(&&*name) {
            true => page.lines().filter(|line| !line.starts_with('|')).collect::<Vec<_>>().join("\n"),
            false => page,
        };
        // What a transcript on the page shows may be spoken of.
        let blocks = page.split("```").skip(1).step_by(2).collect::<Vec<_>>().join("\n");
        for number in numbers(&page) {
            let stated = FROM.iter().any(|(page, figure, ..)| *page == name && *figure == number);
            let known = stated || blocks.contains(&number);
            // Beside such a table numbers say how it is measured.
            assert!(
                known || TABLES.contains(&&*name),
                "{name} states {number}, and nothing says where it is from"
            );
        }
        for (i, (of, figure, ..)) in FROM.iter().enumerate() {
            seen[i] |= *of == name && page.contains(figure);
        }
    }
    for ((page, figure, source, holds), seen) in FROM.iter().zip(seen) {
        assert!(seen, "{page} does not state {figure}");
        assert!(text(source).contains(holds), "{figure} of {page}: {source} has no «{holds}»");
    }
}

#[test]
fn each_row_about_speed_is_printed_by_a_bench_that_names_it() {
    let page = text("assets/guide/speed.md");
    let mut rows = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let name = cells[0].split(" (").next().unwrap();
        let by = cells.last().unwrap().trim_matches('`');
        let bench = by.strip_prefix("--bench ").map_or_else(|| by.to_owned(), |bench| format!("{bench}.rs"));
        let source = text(&format!("tests/benches/{bench}"));
        assert!(
            source.lines().any(|line| line.trim_start_matches("//! ") == format!("- {name}")),
            "{bench}: {name}"
        );
        rows += 1;
    }
    assert!(rows > 15);
}

/// Placed share, median and 90th percentile of errors of totals, each in per cent; `None` for what is no call graph.
fn estimate(path: &Path) -> Option<[f64; 3]> {
    let json = stdout(&["report", "--json", "--tree", &path.to_string_lossy()]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let of = |name: &str| json["estimate"][name].as_f64();
    (of("total")? > 0.0).then_some(())?;
    Some([100.0 * of("placed")? / of("total")?, 100.0 * of("median_error")?, 100.0 * of("p90_error")?])
}

#[test]
fn trees_of_call_graphs_are_as_near_as_the_guide_says() {
    let page = text("assets/guide/numbers.md");
    let stated: Vec<(&str, &str)> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(".prof"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[1].split(' ').next().unwrap(), cells[2])
        })
        .collect();
    assert!(stated.len() > 4, "{stated:?}");
    for (name, figures) in stated {
        let [placed, median, p90] = estimate(&file("sample_profiles/pstats").join(name)).unwrap();
        assert_eq!(format!("{placed:.1} %, {median:.1} / {p90:.1} %"), figures, "{name}");
    }
    // The sentence below the table.
    let mut graphs = 0;
    for folder in ["pstats", "callgrind", "yappi"] {
        for path in samples(&file("sample_profiles").join(folder)) {
            let Some([placed, median, p90]) = estimate(&path) else { continue };
            assert!(
                placed >= 99.0 && median <= 2.0 && p90 <= 15.0,
                "{}: {placed} {median} {p90}",
                path.display()
            );
            graphs += 1;
        }
    }
    assert!(graphs > 12, "{graphs}");
}
