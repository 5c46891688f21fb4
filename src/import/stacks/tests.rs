use super::BEGIN;
use crate::import::testing::{damage, open_bytes, totals};
use crate::model::*;

/// A look every 10 ms at two threads: main works, waits, works; the other one lives for a while.
fn file() -> String {
    let head = format!("{BEGIN}7\t1000000000\t1700000000000000000\t10000000\ta sampler\t3.13.0\tapp.py\n");
    head + "n\t0\t7\t140\tMainThread\n\
            f\t<module>\t/app/app.py\t1\n\
            f\twork\t/app/app.py\t4\n\
            f\tsleep\\tbadly\t/app/app.py\t0\n\
            s\t-\t0\t20\n\
            s\t0\t1\t5\n\
            s\t1\t2\t9\n\
            t\t5000\t0:g:1\n\
            t\t10000\n\
            n\t1\t8\t141\tworker\n\
            t\t10000\t0:i:2\t1:r:0\n\
            t\t10000\t1:x\n\
            l\t1\n\
            t\t50000\t0:g:1\n"
}

fn track<'a>(p: &'a Profile, name: &str) -> &'a Track {
    p.tracks.iter().find(|t| p.text(t.name) == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn looks_become_samples_in_time_with_what_each_thread_did() {
    let p = open_bytes(file().as_bytes()).unwrap();
    assert_eq!((p.meta.basis.key(), p.meta.title.as_str()), ("sampled", "app.py"));
    assert_eq!(p.meta.origin_unix_ns, Some(1_700_000_000_005_000_000));
    let main = &track(&p, "MainThread").samples;
    let at: Vec<(i64, i64)> = (0..main.len()).filter_map(|i| main.interval(i)).collect();
    // Equal looks are one sample; what was missed for longer than two intervals is no work.
    assert_eq!(
        at,
        [(0, 20_000_000), (20_000_000, 50_000_000), (50_000_000, 80_000_000), (80_000_000, 90_000_000)]
    );
    let path = |i: usize| -> Vec<&str> {
        let stack = main.stacks[i].map(|s| p.stack_functions(s)).unwrap_or_default();
        stack.into_iter().map(|f| p.function_name(f)).collect()
    };
    assert_eq!(path(0), ["<module>", "work"]);
    assert_eq!(path(1), ["<module>", "work", "sleep\tbadly", "(waits)"], "a thread that does not run waits");
    assert!(main.stacks[2].is_none());
    let weight = |key: &str, table: &SampleTable| -> i64 {
        let metric = p.metric_by_key(key).unwrap();
        table.weights.iter().find(|w| w.0 == metric).unwrap().1.iter().sum()
    };
    let of_main = ["time", "samples", "running", "gil"].map(|key| weight(key, main));
    assert_eq!(of_main, [60_000_000, 5, 30_000_000, 30_000_000]);
    let worker = &track(&p, "worker").samples;
    assert_eq!(
        ["time", "samples", "running", "gil"].map(|key| weight(key, worker)),
        [10_000_000, 1, 10_000_000, 0]
    );
    assert_eq!(totals(&p)["work"], (30_000_000, 60_000_000));
    let said = p.meta.fact("Stacks").map(crate::format::fact).unwrap();
    assert!(said.contains("5 looks") && said.contains("1 missed") && said.contains("10"), "{said}");
    let lines: Vec<u32> = p.frames.rows().iter().map(|f| f.line).collect();
    assert!(lines.contains(&5) && lines.contains(&20), "{lines:?}");
}

#[test]
fn the_script_around_the_program_is_none_of_its_stacks() {
    let text = format!("{BEGIN}7\t0\t0\t10000000\t\t\t\n")
        + "f\tmain\t/tmp/run/profile_run.py\t1\nf\t<module>\t/app/app.py\t1\nf\twork\t/app/profile_run.py\t1\n\
           f\texec_module\t<inferscope sitecustomize>\t90\n\
           s\t-\t0\t1\ns\t0\t1\t2\ns\t1\t3\t95\ns\t2\t2\t3\nn\t0\t7\t7\tMainThread\nt\t10\t0:r:3\n";
    let p = open_bytes(text.as_bytes()).unwrap();
    let stack = p.tracks[0].samples.stacks[0].unwrap();
    let path: Vec<&str> = p.stack_functions(stack).into_iter().map(|f| p.function_name(f)).collect();
    assert_eq!(path, ["<module>", "work"], "the program's own file may have that name");
}

#[test]
fn a_file_that_was_cut_gives_what_was_written_and_odd_lines_are_counted() {
    let text = file();
    let cut = &text[..text.rfind("\t0:g:1").unwrap()];
    let p = open_bytes(cut.as_bytes()).unwrap();
    assert!(p.warnings.is_empty(), "half a line is no damage: {:?}", p.warnings);
    assert_eq!(p.track_ids().count(), 2);
    let odd = file() + "t\tx\nt\t10\t0:z:1\t0:r:99\ns\t99\t0\t1\nf\tonly\n?\n";
    let p = open_bytes(odd.as_bytes()).unwrap();
    assert_eq!(p.warnings.iter().map(|w| w.count).sum::<u64>(), 6, "{:?}", p.warnings);
}

#[test]
fn damaged_files_are_refused_or_read() {
    damage(file().as_bytes(), |result| {
        if let Ok(p) = result {
            assert!(p.sample_count() < 100);
        }
    });
}

#[test]
fn a_thread_that_was_being_started_is_no_lane_of_its_own() {
    let text = file() + "n\t2\t0\t0\t\nt\t10000\t2:u:1\nt\t10000\nt\t10000\t2:x\n";
    let p = open_bytes(text.as_bytes()).unwrap();
    assert_eq!(p.track_ids().count(), 2);
    let warning = p.warnings.iter().find(|w| w.kind.contains("being started")).unwrap();
    assert_eq!(warning.count, 2);
}

#[test]
fn where_a_function_begins_may_be_told_later() {
    let p = open_bytes((file() + "b\t2\t30\nb\t1\t0\n").as_bytes()).unwrap();
    let lines: Vec<(&str, u32)> = p.functions.rows().iter().map(|f| (p.text(f.name), f.line)).collect();
    assert!(lines.contains(&("sleep\tbadly", 30)) && lines.contains(&("work", 0)), "{lines:?}");
    let odd = open_bytes((file() + "b\t99\t1\n").as_bytes()).unwrap();
    assert_eq!(odd.warnings.iter().map(|w| w.count).sum::<u64>(), 1);
}
