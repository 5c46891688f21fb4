//! Whole ways: traces of jobs with known truths, read into a dataset and asked about.

pub(crate) mod job;
mod open;
pub(crate) mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::add::{Added, Options, Outcome, add};
use super::ask::Chosen;
use super::ask::stragglers::{Found, JobStragglers, Late, Why, sentence, stragglers};
use super::ask::{clocks, collectives, functions, history, slowest, steps};
use super::dataset::Dataset;
use super::file::{Only, Reader, Writer};
use super::frame::Frame;
use super::pack::pack;
use super::rank::Pattern;
use super::runs::ranges;
use super::schema::{COLLECTIVES, FUNCTIONS, SPANS, STEPS, TABLES};
use super::sources::{Shard, find};
use super::tables::SpansKept;
use job::{Fault, Job, Names};

/// A folder that goes when the test is over.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("inferscope-fleet-{}-{name}", std::process::id()));
        // It may be left over from a run that was cut off.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options() -> Options {
    Options { labels: Vec::new(), spans: SpansKept::All, jobs: 2, shard: Shard::default(), pattern: None }
}

fn read(sources: &Path, dataset: &Path, options: &Options) -> Added {
    let files = find(&[sources.to_owned()]).unwrap();
    let mut failed = Vec::new();
    let added = add(&files, &Dataset::new(dataset), options, &mut |file, outcome| {
        if let Outcome::Failed(why) = outcome {
            failed.push(format!("{}: {why}", file.uri));
        }
    });
    assert_eq!(failed, Vec::<String>::new());
    added.unwrap()
}

/// Datasets to look at: `OUT=folder RANKS='8 64' cargo test --lib datasets_to_look_at -- --ignored`.
#[test]
#[ignore = "writes datasets to look at"]
fn datasets_to_look_at() {
    let set = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("set {name}"));
    for ranks in set("RANKS").split(' ').map(|n| n.parse::<usize>().unwrap()) {
        let out = PathBuf::from(set("OUT"));
        let slow = ranks * 3 / 5;
        let fault = move |rank, step| match (rank, step) {
            (rank, 7..) if rank == slow => Some(Fault::Kernels(1.3)),
            (1, 3) => Some(Fault::Host(2_000_000)),
            _ => None,
        };
        let job = Job {
            ranks,
            steps: 20,
            group: 8.min(ranks / 2),
            per_host: 8,
            fault: Box::new(fault),
            clock: Box::new(|rank| (rank as i64 * 7919) % 400_000),
            missing: (ranks > 8).then_some(5),
            double: (ranks > 8).then_some(9),
            ..Job::default()
        };
        let traces = out.join(format!("job{ranks}-traces"));
        job.write(&traces);
        let tables = out.join(format!("job{ranks}"));
        read(&traces, &tables, &options());
        pack(&Dataset::new(&tables)).unwrap();
    }
    let folder = Folder(PathBuf::from(set("OUT")).join("ci"));
    ci(&folder);
    // It stays.
    std::mem::forget(folder);
}

/// The dataset of a job.
pub(crate) fn dataset(job: &Job, folder: &Folder) -> Dataset {
    let (traces, tables) = (folder.0.join("traces"), folder.0.join("tables"));
    job.write(&traces);
    read(&traces, &tables, &options());
    Dataset::new(&tables)
}

/// What is found in a job.
fn asked(name: &str, job: &Job) -> JobStragglers {
    let folder = Folder::new(name);
    let dataset = dataset(job, &folder);
    let mut found = dataset.read(|snapshot| stragglers(snapshot, &Chosen::default())).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn says(job: &JobStragglers) -> Vec<String> {
    job.found.iter().map(|found| sentence(found, job)).collect()
}

/// The only thing that is found: ranks that are late step after step.
fn fixed(job: &JobStragglers) -> &Late {
    match job.found.as_slice() {
        [Found::Fixed(late)] => late,
        _ => panic!("{:#?}", says(job)),
    }
}

/// A rank from a step on.
fn from(rank: usize, step: usize, fault: Fault) -> Box<dyn Fn(usize, usize) -> Option<Fault>> {
    Box::new(move |r, s| (r == rank && s >= step).then_some(fault))
}

#[test]
fn a_healthy_job_names_nobody() {
    for (seed, names) in [(1, Names::Arguments), (2, Names::New), (3, Names::Old), (4, Names::Generic)] {
        let job = asked("healthy", &Job { seed, names, ..Job::default() });
        assert_eq!(says(&job), Vec::<String>::new(), "{names:?}");
        assert_eq!(
            (job.ranks, job.missing.len(), job.doubles.len(), job.operations > 0),
            (8, 0, 0, true),
            "{names:?}"
        );
    }
}

#[test]
fn a_rank_that_computes_longer_is_named_with_its_kernels() {
    for (seed, names) in [(1, Names::Arguments), (2, Names::New), (3, Names::Old), (4, Names::Generic)] {
        let fault = from(5, 4, Fault::Kernels(1.3));
        let job = asked("compute", &Job { seed, names, fault, packed: seed == 2, ..Job::default() });
        let late = fixed(&job);
        assert_eq!((late.why, &late.ranks[..], late.steps), (Why::Compute, &[5][..], (14, 21)), "{names:?}");
        assert!(late.since && late.to_end && late.in_steps == 8);
        assert_eq!(late.kernels.len(), 6, "{:?}", late.kernels);
        assert!(late.kernels.iter().all(|k| (k.longer() - 0.3).abs() < 0.02), "{:?}", late.kernels);
        // Two rounds of six kernels of 100 to 300 µs, 30 % of which is 720 µs.
        assert!((late.behind - 720_000).abs() < 20_000, "{}", late.behind);
        let said = &says(&job)[0];
        assert!(
            said.starts_with("rank 5 (node01): since step 14 +") && said.contains(" % in 6 kernels"),
            "{said}"
        );
        assert!(said.contains("7 ranks wait"), "{said}");
    }
}

#[test]
fn a_host_that_launches_late_is_told_from_a_slow_gpu() {
    let job = asked("host", &Job { fault: from(2, 0, Fault::Host(900_000)), ..Job::default() });
    let late = fixed(&job);
    assert_eq!((late.why, &late.ranks[..], late.since), (Why::Host, &[2][..], false), "{:?}", says(&job));
    assert!(says(&job)[0].contains("in all steps"), "{:?}", says(&job));
    let copies = asked("copies", &Job { fault: from(6, 3, Fault::Copies(800_000)), ..Job::default() });
    assert_eq!((fixed(&copies).why, &fixed(&copies).ranks[..]), (Why::Copies, &[6][..]));
}

#[test]
fn all_ranks_of_a_host_are_one_finding() {
    let fault = |rank: usize, step: usize| (rank / 2 == 3 && step >= 2).then_some(Fault::Kernels(1.25));
    let job = asked("whole-host", &Job { ranks: 12, per_host: 2, fault: Box::new(fault), ..Job::default() });
    let late = fixed(&job);
    assert_eq!((&late.ranks[..], late.whole_host), (&[6, 7][..], true));
    assert!(says(&job)[0].starts_with("host node03, all its ranks 6–7"), "{:?}", says(&job));
}

#[test]
fn a_slow_link_is_one_of_its_group() {
    let link = |group: usize, step: usize| if group == 2 && step >= 5 { 3.0 } else { 1.0 };
    let job = asked("link", &Job { ranks: 16, group: 4, link: Box::new(link), ..Job::default() });
    match job.found.as_slice() {
        [Found::SlowGroup { ranks, steps, transfer, usual, .. }] => {
            assert_eq!((&ranks[..], *steps), (&[8, 9, 10, 11][..], (15, 21)));
            assert!(
                (*transfer - 1_200_000).abs() < 50_000 && (*usual - 400_000).abs() < 50_000,
                "{transfer} {usual}"
            );
        }
        _ => panic!("{:#?}", says(&job)),
    }
    // All groups: since a step, for everybody.
    let link = |_: usize, step: usize| if step >= 10 { 2.5 } else { 1.0 };
    let job = asked("links", &Job { steps: 24, link: Box::new(link), ..Job::default() });
    assert!(matches!(job.found[..], [Found::SlowSince { step: 20, .. }]), "{:#?}", says(&job));
}

#[test]
fn ranks_that_take_turns_are_not_blamed_one_by_one() {
    let fault = |rank: usize, step: usize| (rank == (step * 5 + 3) % 8).then_some(Fault::Kernels(1.3));
    let job = asked("rotating", &Job { steps: 20, fault: Box::new(fault), ..Job::default() });
    match job.found.as_slice() {
        [Found::Rotating { steps: 20, ranks: 8, .. }] => {}
        _ => panic!("{:#?}", says(&job)),
    }
}

#[test]
fn once_is_told_as_once() {
    let fault = |rank: usize, step: usize| (rank == 3 && step == 7).then_some(Fault::Kernels(2.0));
    let job = asked("hiccup", &Job { fault: Box::new(fault), ..Job::default() });
    match job.found.as_slice() {
        [Found::Hiccup(late)] => assert_eq!((&late.ranks[..], late.steps), (&[3][..], (17, 17))),
        _ => panic!("{:#?}", says(&job)),
    }
}

#[test]
fn missing_and_double_ranks_are_named_and_names_say_ranks() {
    let wrong = |says_rank| Job { missing: Some(3), double: Some(6), says_rank, ..Job::default() };
    let job = asked("gaps", &wrong(true));
    assert_eq!((ranges(&job.missing), job.world_size, job.ranks), ("3".into(), Some(8), 7));
    assert_eq!((job.doubles.len(), job.doubles[0].0, job.doubles[0].1.len()), (1, 6, 2));
    assert_eq!(job.rank_from, ["distributedInfo"]);
    assert_eq!(job.gaps, ["missing: rank 3 of 8", "more than once: rank 6 (the first file counts)"]);
    let named = asked("named", &wrong(false));
    assert_eq!((ranges(&named.missing), named.rank_from), ("3".into(), vec!["rank{rank}".to_owned()]));
}

#[test]
fn clocks_are_aligned_by_the_ends_of_what_ranks_share() {
    let ahead = |rank: usize| (rank as i64 * 7 % 11 - 5) * 1_000_000;
    let fault = from(5, 4, Fault::Kernels(1.3));
    let job = Job { clock: Box::new(ahead), fault, ..Job::default() };
    let folder = Folder::new("clocks");
    let dataset = dataset(&job, &folder);
    let clocks = dataset.read(|s| clocks::clocks(s, &Chosen::default())).unwrap().remove(0);
    let usual = clocks.ranks[0].offset.unwrap() - ahead(0);
    for clock in &clocks.ranks {
        let offset = clock.offset.unwrap() - usual;
        assert!((offset - ahead(clock.rank as usize)).abs() < 20_000, "{clock:?}");
        assert!(clock.residual.unwrap() < 20_000 && clock.operations > 20, "{clock:?}");
    }
    // Who waits does not depend on clocks, and neither does who arrives when once they are aligned.
    let found = dataset.read(|s| stragglers(s, &Chosen::default())).unwrap().remove(0);
    assert_eq!((fixed(&found).why, &fixed(&found).ranks[..]), (Why::Compute, &[5][..]));
    let operations = dataset.read(|s| collectives::collectives(s, &Chosen::default())).unwrap().remove(0);
    let all = operations.rows.iter().find(|o| o.kind == "all_reduce").unwrap();
    assert_eq!((all.ranks, all.count, all.bytes, all.transfer), (8, 12, Some(2 << 20), 300_000));
    // The late rank's group waits for it, and then comes late to all the others.
    assert!((all.apart - 720_000).abs() < 30_000, "{all:?}");
}

#[test]
fn without_collectives_ranks_are_compared_by_what_they_compute() {
    let folder = Folder::new("alone");
    let (traces, tables) = (folder.0.join("traces"), folder.0.join("tables"));
    let paths = Job { fault: from(1, 2, Fault::Kernels(1.4)), ranks: 5, ..Job::default() }.write(&traces);
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().filter(|line| !line.contains("nccl"));
        std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    }
    read(&traces, &tables, &options());
    let job = Dataset::new(&tables).read(|s| stragglers(s, &Chosen::default())).unwrap().remove(0);
    assert_eq!(
        (job.rests.key(), fixed(&job).why, &fixed(&job).ranks[..]),
        ("compute", Why::Compute, &[1][..])
    );
}

/// All files of a dataset with their bytes.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for table in TABLES {
        for entry in std::fs::read_dir(folder.join(table.name)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            all.insert(name, std::fs::read(path).unwrap());
        }
    }
    all
}

#[test]
fn workers_write_the_same_bytes_and_what_is_there_is_not_read_again() {
    let folder = Folder::new("workers");
    let traces = folder.0.join("traces");
    Job { ranks: 6, steps: 4, ..Job::default() }.write(&traces);
    std::fs::write(traces.join("README.txt"), "no profile").unwrap();
    let of = |name: &str| folder.0.join(name);
    let whole = read(&traces, &of("whole"), &options());
    assert_eq!((whole.added, whole.known, whole.foreign), (6, 0, 1));
    // Three workers with a share each, one of which does its work twice.
    for index in [0, 1, 1, 2] {
        read(&traces, &of("shares"), &Options { shard: Shard { index, count: 3 }, jobs: 1, ..options() });
    }
    assert_eq!(bytes(&of("whole")), bytes(&of("shares")));
    let again = read(&traces, &of("whole"), &options());
    assert_eq!((again.added, again.known, again.read), (0, 6, 0));
    // Killed before the last table: the run is not there, and is read again.
    let runs: Vec<_> =
        std::fs::read_dir(of("shares").join("runs")).unwrap().map(|e| e.unwrap().path()).collect();
    std::fs::remove_file(&runs[0]).unwrap();
    std::fs::remove_file(of("shares").join("steps").join(runs[1].file_name().unwrap())).unwrap();
    let seen = Dataset::new(&of("shares")).snapshot().unwrap();
    assert_eq!(seen.len(), 5);
    std::fs::remove_file(&runs[1]).unwrap();
    let repaired = read(&traces, &of("shares"), &options());
    assert_eq!((repaired.added, repaired.known), (2, 4));
    assert_eq!(bytes(&of("whole")), bytes(&of("shares")));
}

#[test]
fn a_file_that_changed_is_another_run_and_the_older_one_does_not_count() {
    let folder = Folder::new("changed");
    let traces = folder.0.join("traces");
    let job = |steps| Job { ranks: 2, steps, ..Job::default() };
    job(4).write(&traces);
    let tables = folder.0.join("tables");
    read(&traces, &tables, &options());
    job(6).write(&traces);
    assert_eq!(read(&traces, &tables, &options()).added, 2);
    let jobs = Dataset::new(&tables).read(|s| slowest::jobs(s, &Chosen::default())).unwrap();
    assert_eq!((jobs.rows[0].job.ranks.len(), jobs.rows[0].job.doubles.len(), jobs.superseded), (2, 0, 2));
    pack(&Dataset::new(&tables)).unwrap();
    let jobs = Dataset::new(&tables).read(|s| slowest::jobs(s, &Chosen::default())).unwrap();
    assert_eq!((jobs.rows[0].job.ranks.len(), jobs.superseded), (2, 0));
}

/// All rows of the tables of a dataset, in order.
fn rows(dataset: &Dataset) -> Vec<String> {
    let snapshot = dataset.snapshot().unwrap();
    let mut all = Vec::new();
    for table in TABLES {
        let names: Vec<&str> = table.columns.iter().map(|c| c.name).collect();
        let each = |rows: &mut Vec<String>, frame: &Frame| {
            for row in 0..frame.rows {
                let one = frame.part(row..row + 1);
                let cell = |name: &&str| {
                    let (int, float) = (one.int(name, 0), one.float(name, 0));
                    format!("{int:?} {float:?} {} {:?}", one.text(name, 0), one.labels(name, 0))
                };
                rows.push(format!(
                    "{}: {}",
                    table.name,
                    names.iter().map(cell).collect::<Vec<_>>().join(" | ")
                ));
            }
        };
        all.extend(snapshot.scan(table, &names, Vec::new, each).unwrap().concat());
    }
    all.sort();
    all
}

#[test]
fn packing_changes_no_row_and_no_answer() {
    let folder = Folder::new("pack");
    let traces = folder.0.join("traces");
    let job = Job { ranks: 6, steps: 6, fault: from(4, 1, Fault::Kernels(1.5)), ..Job::default() };
    let paths = job.write(&traces);
    let tables = folder.0.join("tables");
    let labels = vec![("branch".to_owned(), "main".to_owned()), ("commit".to_owned(), "é1".to_owned())];
    let with = Options { labels, ..options() };
    // The last rank comes after the first packing.
    let (early, late) = paths.split_at(5);
    for path in early {
        read(path, &tables, &with);
    }
    let dataset = Dataset::new(&tables);
    assert_eq!(pack(&dataset).unwrap().new, 5);
    read(&late[0], &tables, &with);
    let before = rows(&dataset);
    let ask = || {
        dataset
            .read(|s| Ok((stragglers(s, &Chosen::default())?, steps::steps(s, &Chosen::default())?)))
            .unwrap()
    };
    let said = ask();
    assert_eq!(fixed(&said.0[0]).ranks, [4]);
    let done = pack(&dataset).unwrap();
    assert_eq!((done.runs, done.new, done.after.0), (6, 1, 5), "a file of each table that has rows");
    assert_eq!(rows(&dataset), before);
    assert_eq!(ask(), said);
    assert_eq!(pack(&dataset).unwrap().new, 0);
    assert_eq!(read(&traces, &tables, &with).known, 6);
    let of = |table| dataset.snapshot().unwrap().own_files(table).unwrap().len();
    assert_eq!((of(&STEPS), of(&FUNCTIONS), of(&COLLECTIVES), of(&SPANS)), (0, 0, 0, 6));
    let chosen = |label: &str| Chosen { labels: vec![("branch".into(), label.into())], ..Chosen::default() };
    let runs = |label| dataset.read(|s| slowest::slowest(s, &chosen(label))).unwrap().rows.len();
    assert_eq!((runs("main"), runs("other")), (6, 0));
}

#[test]
fn readers_see_each_run_once_while_others_pack_and_add() {
    let folder = Folder::new("race");
    let traces = folder.0.join("traces");
    let paths = Job { ranks: 8, steps: 3, ..Job::default() }.write(&traces);
    let tables = folder.0.join("tables");
    read(&paths[0], &tables, &options());
    let dataset = Dataset::new(&tables);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for path in &paths[1..] {
                read(path, &tables, &options());
                pack(&dataset).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            dataset
                .read(|snapshot| {
                    let each = |ids: &mut Vec<String>, frame: &Frame| {
                        ids.extend((0..frame.rows).map(|row| {
                            format!("{} {:?}", frame.text("run_id", row), frame.int("step", row))
                        }));
                    };
                    let mut ids = snapshot.scan(&STEPS, &["run_id", "step"], Vec::new, each)?.concat();
                    let all = ids.len();
                    ids.sort();
                    ids.dedup();
                    Ok((all, ids.len(), snapshot.len()))
                })
                .map(|(all, distinct, runs)| {
                    assert_eq!(all, distinct);
                    assert_eq!(all, runs * 3);
                })
                .unwrap();
        }
    });
}

#[test]
fn spans_and_ranks_are_kept_as_asked() {
    let folder = Folder::new("kept");
    let traces = folder.0.join("traces");
    let paths = Job { ranks: 2, steps: 3, ..Job::default() }.write(&traces);
    for path in paths {
        std::fs::rename(
            &path,
            path.with_file_name(path.file_name().unwrap().to_string_lossy().replace("rank000", "w-")),
        )
        .unwrap();
    }
    let spans = |kept, name: &str| {
        let tables = folder.0.join(name);
        let pattern = Some(Pattern::parse("w-{rank}.pt").unwrap());
        read(&traces, &tables, &Options { spans: kept, pattern, ..options() });
        let snapshot = Dataset::new(&tables).snapshot().unwrap();
        let each = |kinds: &mut Vec<String>, frame: &Frame| {
            kinds.extend((0..frame.rows).map(|row| frame.text("track_kind", row).to_owned()));
        };
        let kinds = snapshot.scan(&SPANS, &["track_kind"], Vec::new, each).unwrap().concat();
        let jobs = slowest::jobs(&snapshot, &Chosen::default()).unwrap();
        assert_eq!(jobs.rows[0].job.from, ["w-{rank}.pt"]);
        (kinds.len(), kinds.iter().all(|k| k == "gpu_stream"))
    };
    let (all, gpu, none) =
        (spans(SpansKept::All, "all"), spans(SpansKept::Gpu, "gpu"), spans(SpansKept::None, "none"));
    // Of each rank and step: one mark, one copy, twelve kernels, three operations.
    assert_eq!((all, gpu, none), ((2 * 3 * 17, false), (2 * 3 * 16, true), (0, true)));
}

#[test]
fn kernels_are_compared_between_ranks() {
    let folder = Folder::new("kernels");
    let dataset = dataset(&Job { fault: from(5, 0, Fault::Kernels(1.5)), ..Job::default() }, &folder);
    let sums = dataset.read(|s| functions::functions(s, &Chosen::default(), Some("kernel"))).unwrap();
    let gemm = sums.rows.iter().find(|r| r.name.contains("gemm_kernel_5")).unwrap();
    assert_eq!(
        (gemm.runs, gemm.calls, sums.runs.rows[gemm.slowest.unwrap().1 as usize].rank),
        (8, 8 * 24, Some(5))
    );
    assert!((gemm.ratio().unwrap() - 1.5).abs() < 0.03, "{gemm:?}");
}

/// A call profile as `folded` stacks, which take a known time.
fn ci_run(folder: &Path, number: u64, cost: impl Fn(u64) -> i64) -> PathBuf {
    let path = folder.join(format!("run{number:03}.folded"));
    let lines = (0..20).map(|f| format!("main;work_{f} {}\n", cost(f)));
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000 + number * 3600);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    path
}

#[test]
fn groups_of_rows_without_a_wanted_one_are_not_read() {
    let mut frame = Frame::new(&SPANS);
    for row in 0..4i64 {
        let kind = if row < 2 { "gpu_stream" } else { "thread" };
        let step = (row > 0).then_some(row + 10);
        frame.row(&[
            "r".into(),
            0i64.into(),
            "t".into(),
            kind.into(),
            row.into(),
            1i64.into(),
            7u64.into(),
            0i64.into(),
            Option::<i64>::None.into(),
            step.into(),
        ]);
    }
    let folder = Folder::new("groups");
    let path = folder.0.join("spans.parquet");
    let mut writer = Writer::new(&SPANS, std::fs::File::create(&path).unwrap()).unwrap();
    writer.add(&frame.part(0..2)).unwrap();
    writer.add(&frame.part(2..4)).unwrap();
    writer.finish().unwrap();
    let reader = Reader::open(&path).unwrap();
    let held =
        |only: Only<'_>| (0..reader.groups()).map(|g| reader.may_hold(&SPANS, g, &only)).collect::<Vec<_>>();
    assert_eq!(held(Only::Number("step", 11, 11)), [true, false]);
    assert_eq!(held(Only::Number("step", 12, 20)), [false, true]);
    assert_eq!(held(Only::Text("track_kind", "gpu_stream")), [true, false]);
    assert_eq!(held(Only::Number("parent_back", 1, 1)), [true, true], "nothing is known of it");
}

/// Thirty runs of CI, in whose last ten one function takes longer, each with its commit.
pub(crate) fn ci(folder: &Folder) -> Dataset {
    let (runs, tables) = (folder.0.join("ci"), folder.0.join("tables"));
    std::fs::create_dir_all(&runs).unwrap();
    let noise = |run: u64, f: u64| ((run * 7919 + f * 104_729) % 41) as i64 - 20;
    for run in 0..30 {
        ci_run(&runs, run, |f| 1000 + noise(run, f) + if f == 7 && run >= 20 { 200 } else { 0 });
        let commit = format!("{:07x}", (run + 1).wrapping_mul(0x9e3_779b9) & 0xfff_ffff);
        let labels = vec![("branch".to_owned(), "main".to_owned()), ("commit".to_owned(), commit)];
        read(&runs, &tables, &Options { labels, ..options() });
    }
    Dataset::new(&tables)
}

#[test]
fn a_commit_that_made_a_function_slower_is_found_in_the_history() {
    let folder = Folder::new("history");
    let dataset = ci(&folder);
    let found = dataset.read(|s| history::regressions(s, &Chosen::default(), 10)).unwrap();
    assert_eq!((found.latest, found.before, found.compared, found.too_few), (10, 20, 21, false));
    let names: Vec<&str> = found.slower.iter().map(|c| c.name.as_str()).collect();
    assert_eq!((names, found.faster.len()), (vec!["work_7"], 0));
    let figure = history::Figure::parse("self:work_7").unwrap();
    let trend = dataset.read(|s| history::trend(s, &Chosen::default(), &figure)).unwrap();
    assert_eq!((trend.points.len(), trend.shifts.len()), (30, 1));
    let shift = trend.shifts[0];
    assert!(trend.points[shift.at].run.uri.ends_with("run020.folded"));
    assert!((shift.share().unwrap() - 0.2).abs() < 0.03, "{shift:?}");
    let few = dataset.read(|s| history::regressions(s, &Chosen::default(), 1)).unwrap();
    assert!(few.too_few && few.slower.is_empty());
}
