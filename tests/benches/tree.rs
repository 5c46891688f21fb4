//! How well call trees made from call graphs match what the files record, for every profile in the folders that the
//! environment variable `PROFILES` names (separated by `:`), or in `sample_profiles`:
//!
//! ```text
//! PROFILES=/data/pstats:/data/callgrind cargo bench --bench tree
//! ```
//!
//! For each file: seconds for the tree, nodes, the share of all self cost that has a place, the median and the 90th
//! percentile of the errors of totals (outermost places of a function against its recorded total) and of self costs, over
//! functions above 1 % of the whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use inferscope::analysis::Costs;
use inferscope::analysis::estimate::{Check, Compared, Errors, Pair};
use inferscope::analysis::functions::graph_of;
use inferscope::analysis::gaps::Gap;
use inferscope::analysis::scope::Slice;
use inferscope::import::{self, Input};
use inferscope::jobs::Job;
use inferscope::model::Profile;
use inferscope::query::{Engine, Run};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

struct Line {
    placed: f64,
    total: (f64, f64),
    own: (f64, f64),
}

/// Names the functions that are furthest off, when `WORST` is set.
fn worst(profile: &Profile, errors: &Errors, sum: i64) {
    if std::env::var_os("WORST").is_none() {
        return;
    }
    let whole = |p: Pair| format!("{} of {}", p.tree, p.recorded);
    let mut functions = errors.functions.clone();
    let of = |pair: Pair| pair.error().filter(|_| pair.recorded > sum / 100).unwrap_or(0.0);
    let error = |f: &Compared| of(f.total).max(of(f.own));
    functions.sort_by(|a, b| error(b).total_cmp(&error(a)));
    for f in functions.iter().take(16) {
        let at = profile.functions.get(f.symbol.function());
        let place = profile.text(at.file).rsplit('/').next().unwrap_or("").to_owned();
        println!(
            "    {:60} total {} self {}",
            format!("{place}:{} {}", at.line, f.symbol.label(profile)),
            whole(f.total),
            whole(f.own)
        );
    }
}

fn measure(path: &Path) -> Option<Line> {
    let profile = import::open_whole(&Input::Path(path.into()), &Job::new()).ok()?;
    graph_of(&profile)?;
    let metric = profile.metric_key(profile.metric_ids().next()?);
    let subject = Run::of(Arc::new(profile));
    let engine = Engine::inline();
    let query = Costs(Slice::whole(metric));
    let start = Instant::now();
    let costs = engine.now(&subject, &query, &Job::new()).ok()?;
    let seconds = start.elapsed().as_secs_f64();
    let errors = engine.now(&subject, &Check(query), &Job::new()).ok()?;
    let own: i64 = costs.own.iter().sum();
    let lost = costs.gaps.as_ref().map_or(0, |g| g.sum(Gap::NotPlaced));
    if own + lost <= 0 {
        return None;
    }
    let (total, own_errors) = (errors.total.unwrap_or_default(), errors.own.unwrap_or_default());
    let placed = own as f64 / (own + lost) as f64;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    println!(
        "{:44} {seconds:7.3} {:7} {:7.2} % {:9.2} {:7.2} {:9.2} {:7.2}",
        name.chars().take(44).collect::<String>(),
        costs.tree.nodes.len(),
        placed * 100.0,
        total.0 * 100.0,
        total.1 * 100.0,
        own_errors.0 * 100.0,
        own_errors.1 * 100.0
    );
    worst(&subject.profile, &errors, costs.whole.total);
    Some(Line { placed, total, own: own_errors })
}

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let folders = std::env::var("PROFILES").unwrap_or_else(|_| "sample_profiles".into());
    let mut found = Vec::new();
    std::env::split_paths(&folders)
        .for_each(|f| if f.is_dir() { files(&f, &mut found) } else { found.push(f) });
    println!(
        "{:44} {:>7} {:>7} {:>9} {:>9} {:>7} {:>9} {:>7}",
        "file", "s", "nodes", "placed", "total p50", "p90", "self p50", "p90 %"
    );
    let lines: Vec<Line> = found.iter().filter_map(|path| measure(path)).collect();
    let share = |good: &dyn Fn(&Line) -> bool| {
        format!("{} of {}", lines.iter().filter(|l| good(l)).count(), lines.len())
    };
    println!("90 % placed: {}", share(&|l| l.placed >= 0.9));
    println!("totals within 2 % (median): {}", share(&|l| l.total.0 <= 0.02));
    println!("totals within 15 % (90th percentile): {}", share(&|l| l.total.1 <= 0.15));
    println!("self within 2 % (90th percentile): {}", share(&|l| l.own.1 <= 0.02));
}
