use crate::import::testing::{damage, open_bytes, totals};
use crate::model::{Profile, Unit};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/sample_profiles/trees/", $name))
    };
}

fn open(bytes: &[u8], format: &str) -> Profile {
    let profile = open_bytes(bytes).unwrap();
    assert_eq!(profile.meta.format, format);
    profile
}

/// What Instruments shows as self weight.
#[test]
fn instruments_gives_own_times() {
    let p = open(sample!("speedscope-instruments-7.3.1-deep-copy.txt"), "instruments");
    assert_eq!(p.metrics[0].unit, Unit::Nanoseconds);
    assert_eq!(totals(&p)["delta()"].0, 693_000_000);
    let new = open(sample!("speedscope-instruments-16.0-deep-copy.txt"), "instruments");
    assert_eq!(totals(&new)["delta()"].0, 846_000_000);
    damage(sample!("speedscope-instruments-7.3.1-deep-copy.txt"), drop);
}

#[test]
fn stackprof_gives_stacks() {
    let p = open(sample!("speedscope-object-stackprof.json"), "stackprof");
    assert_eq!(totals(&p)["block in <main>"], (1, 103));
    damage(&sample!("speedscope-object-stackprof.json")[..5000], drop);
}

#[test]
fn macos_sample_gives_threads_and_own_counts() {
    let text = "Analysis of sampling rg (pid 1) every 1 millisecond\nProcess:         rg [1]\n\nCall graph:\n\
        \u{20}   10 Thread_1   DispatchQueue_1: com.apple.main-thread  (serial)\n\
        \u{20}   + 10 start  (in libdyld.dylib) + 1  [0x1]\n    +   7 main  (in rg) + 2  [0x2]\n\
        \u{20}   +   ! 4 read  (in libsystem) + 3  [0x3]\n    +   2 exit  (in rg) + 2  [0x2]\n\
        \u{20}   5 Thread_2\n      5 wait  (in libsystem) + 3  [0x3]\n\nTotal number in stack:\n";
    let p = open(text.as_bytes(), "macos-sample");
    let totals = totals(&p);
    assert_eq!(
        (totals["start"], totals["main"], totals["read"], totals["wait"]),
        ((1, 10), (3, 7), (4, 4), (5, 5))
    );
    assert_eq!((p.tracks.len(), p.meta.title.as_str()), (2, "rg [1]"));
    damage(text.as_bytes(), drop);
}

#[test]
fn vtune_gives_own_times_by_indentation() {
    let text = "Function Stack,CPU Time:Self,Module\nTotal,0.0,[Unknown]\n start,0.0,ntdll.dll\n  main,0.5,a.exe\n   BAD ROW\n   \"f<a,b>\",1.25,a.exe\n  other,0.25,a.exe\n";
    let p = open(text.as_bytes(), "vtune");
    let totals = totals(&p);
    assert_eq!((totals["start"].1, totals["main"]), (2_000_000_000, (500_000_000, 1_750_000_000)));
    assert_eq!((totals["f<a,b>"].0, p.warnings.len()), (1_250_000_000, 1));
    damage(text.as_bytes(), drop);
}

#[test]
fn ghc_gives_ticks_and_bytes() {
    let head = "\tSun Aug  6 14:52 2023 Time and Allocation Profiling Report  (Final)\n\n\t   prog +RTS -P -RTS\n\n\
        \ttotal time  =        0.02 secs   (23 ticks @ 1000 us, 1 processor)\n\
        \ttotal alloc =  59,542,424 bytes  (excludes profiling overheads)\n\n\
        COST CENTRE MODULE SRC %time %alloc ticks bytes\n\nmain Main Main.hs:3:1-2 30.4 9.4 7 5617272\n\n";
    let exact = "COST CENTRE MODULE SRC no. entries %time %alloc %time %alloc ticks bytes\n\n\
        MAIN  MAIN <built-in>           337 0  0.0 0.0 100.0 100.0  2    728\n\
        \u{20}main Main app/Main.hs:(6,1)-(7,2) 338 1 30.4 9.4 30.4 9.4 7 5617272\n";
    let p = open(format!("{head}{exact}").as_bytes(), "ghc");
    assert_eq!((totals(&p)["MAIN"], totals(&p)["main"].0), ((2_000_000, 9_000_000), 7_000_000));
    let shares = "COST CENTRE MODULE SRC no. entries %time %alloc %time %alloc\n\n\
        MAIN  MAIN <built-in>           337 0  0.0 0.0 100.0 100.0\n\
        \u{20}main Main app/Main.hs:6:1-11 338 1 50.0 9.4 30.4 9.4\n";
    let p = open(format!("{head}{shares}").as_bytes(), "ghc");
    assert_eq!(totals(&p)["main"].0, 10_000_000);
    // A row is a cost centre, not a sample; the head says how many ticks there were.
    assert_eq!((p.samples_taken(), p.counts_samples(), p.sample_count()), (Some(23), false, 2));
    damage(format!("{head}{exact}").as_bytes(), drop);
}
