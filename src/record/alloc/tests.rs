//! Known answers, as they reach the profile. Other tests allocate meanwhile, so what is asked for here is large.

use std::hint::black_box;
use std::sync::Arc;

use super::*;
use crate::model::{CounterId, Profile, heap};
use crate::record::testing::{fact, one, quiet};
use crate::record::{Context, Options, Work, WorkloadError, record};

const MB: usize = 1 << 20;

fn run_with(
    options: Options,
    work: impl FnOnce(&Context) -> Result<(), WorkloadError> + Send + 'static,
) -> Arc<Profile> {
    record(Work::new("test", work), options, Box::new(|_| ())).unwrap().join().unwrap()
}

fn run(work: impl FnOnce() + Send + 'static) -> Arc<Profile> {
    run_with(quiet(), |_| {
        work();
        Ok(())
    })
}

macro_rules! sp {
    ($name:literal) => {
        tracing::info_span!(target: "inferscope::test", $name).entered()
    };
}

fn block(bytes: usize) -> Vec<u8> {
    black_box(vec![0u8; bytes])
}

/// Inclusive cost of all spans of a name.
fn cost(p: &Profile, name: &str, metric: &str) -> i64 {
    let metric = p.metric_by_key(metric).unwrap();
    let mut sum = 0;
    for t in &p.tracks {
        let column = t.spans.costs.iter().find(|(m, _)| *m == metric).map(|(_, c)| c);
        for (row, span) in t.spans.rows.iter().enumerate() {
            if p.function_name(span.function) == name {
                sum += column.map_or(0, |c| c[row]);
            }
        }
    }
    sum
}

fn counter(p: &Profile) -> CounterId {
    let found = p.counters.iter().position(|c| p.text(c.name) == heap::COUNTER);
    CounterId::from_index(found.unwrap())
}

#[test]
fn memory_belongs_to_the_span_that_allocated_it_wherever_it_is_freed() {
    let p = run(|| {
        let _all = sp!("all");
        let big = {
            let _a = sp!("a");
            block(400 * MB)
        };
        let small = {
            let _c = sp!("c");
            block(3 * MB)
        };
        {
            let _b = sp!("b");
            drop(big);
        }
        std::mem::forget(small);
    });
    let of = |name, metric| cost(&p, name, metric) as usize / MB;
    assert_eq!((of("a", heap::ALLOCATED), cost(&p, "a", heap::ALLOCATIONS)), (400, 1));
    assert_eq!((of("a", heap::AT_PEAK), of("a", heap::AT_END)), (400, 0));
    assert_eq!((of("b", heap::ALLOCATED), of("b", heap::AT_PEAK), of("b", heap::AT_END)), (0, 0, 0));
    assert_eq!((of("c", heap::AT_PEAK), of("c", heap::AT_END)), (3, 3));
    assert_eq!(
        (of("all", heap::ALLOCATED), of("all", heap::AT_PEAK), of("all", heap::AT_END)),
        (403, 403, 3)
    );
    let (time, peak) = p.counters[counter(&p).index()].peak().unwrap();
    assert!(peak >= 403e6, "{peak}");
    let (c, b) = (one(&p, "c"), one(&p, "b"));
    assert!((c.start..=b.end).contains(&time), "at {time}, between {c:?} and {b:?}");
    assert!(fact(&p, "Heap").contains("allocations"), "{:?}", p.meta.facts);
    assert!(fact(&p, "Recorder cost").contains("per allocation"), "{:?}", p.meta.facts);
    let table = p.meta.tables.iter().find(|t| t.title == "Memory by span").unwrap();
    assert!(table.rows.iter().any(|r| r[0] == "a" && r[2] == "1" && r[3] == r[1]), "{table:?}");
}

#[test]
fn blocks_that_grow_move_and_end_on_other_threads_keep_their_books() {
    let p = run(|| {
        let mut grown: Vec<u8> = {
            let _a = sp!("first");
            let mut v = Vec::with_capacity(5 * MB);
            v.resize(MB, 1);
            v
        };
        {
            let _b = sp!("grows");
            grown.reserve_exact(20 * MB);
        }
        let other = std::thread::spawn(move || {
            let _t = sp!("thread");
            let own = block(7 * MB);
            drop(grown);
            own
        });
        let back = other.join().unwrap();
        let _e = sp!("end");
        drop(back);
    });
    let of = |name, metric| cost(&p, name, metric) as usize / MB;
    assert_eq!((of("first", heap::ALLOCATED), of("first", heap::AT_END)), (5, 0));
    assert_eq!((of("grows", heap::ALLOCATED), of("grows", heap::AT_END)), (21, 0));
    assert_eq!((of("thread", heap::ALLOCATED), of("thread", heap::AT_END)), (7, 0));
    assert_eq!(of("end", heap::ALLOCATED), 0);
}

#[test]
fn many_threads_that_free_each_others_blocks_add_up() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 500;
    let p = run(|| {
        let mut ends = Vec::new();
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| std::sync::mpsc::channel::<Vec<u8>>()).unzip();
        for (n, receiver) in receivers.into_iter().enumerate() {
            let next = senders[(n + 1) % THREADS].clone();
            ends.push(std::thread::spawn(move || {
                for _ in 0..ROUNDS {
                    let made = sp!("made");
                    let block = block(1000);
                    drop(made);
                    let _given = sp!("given");
                    next.send(block).unwrap();
                }
                drop(next);
                let _drops = sp!("drops");
                receiver.into_iter().for_each(drop);
            }));
        }
        drop(senders);
        ends.into_iter().for_each(|t| t.join().unwrap());
    });
    assert_eq!(cost(&p, "made", heap::ALLOCATED), (THREADS * ROUNDS * 1000) as i64);
    assert_eq!(cost(&p, "made", heap::ALLOCATIONS), (THREADS * ROUNDS) as i64);
    assert_eq!(cost(&p, "made", heap::AT_END), 0, "all were freed, by others");
}

#[test]
fn async_work_is_charged_to_the_span_that_polled_it() {
    use tracing::Instrument;
    let p = run(|| {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let step = |mb: usize| async move {
            let first = block(mb * MB);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            let second = block(mb * MB);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            (first, second)
        };
        let span = |mb: u64| tracing::info_span!(target: "inferscope::test", "branch", mb);
        runtime.block_on(
            async {
                let both = tokio::join!(step(10).instrument(span(10)), step(20).instrument(span(20)));
                std::mem::forget(both);
            }
            .instrument(tracing::info_span!(target: "inferscope::test", "join")),
        );
    });
    assert_eq!(cost(&p, "branch", heap::AT_END) as usize / MB, 60);
    assert_eq!(cost(&p, "join", heap::AT_END) as usize / MB, 60, "with what it called");
}

#[test]
fn switched_off_nothing_is_counted_and_nothing_is_invented() {
    let options = Options { allocations: false, ..quiet() };
    let p = run_with(options, |_| {
        let _a = sp!("a");
        drop(block(MB));
        Ok(())
    });
    assert!(p.metric_by_key(heap::ALLOCATED).is_none());
    assert!(p.counters.is_empty() && p.meta.tables.is_empty());
    assert_eq!((&*fact(&p, "Heap"), &*fact(&p, "Allocations")), ("", ""));
}

#[test]
fn blocks_of_an_earlier_recording_are_nobodys_in_the_next() {
    let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
    let first = kept.clone();
    run(move || {
        let _a = sp!("a");
        *first.lock().unwrap() = block(300 * MB);
    });
    let p = run(move || {
        let _b = sp!("b");
        *kept.lock().unwrap() = block(MB);
    });
    assert_eq!(cost(&p, "b", heap::ALLOCATED), MB as i64);
    let heap = &p.counters[counter(&p).index()];
    assert!(heap.values.iter().all(|v| *v > -1e8), "nothing is credited: {:?}", heap.values);
}

#[test]
fn layouts_of_every_alignment_come_back_as_they_went() {
    for size in [1usize, 7, 8, 24, 4096, 100_000] {
        for align in [1usize, 8, 64, 4096] {
            let layout = Layout::from_size_align(size, align).unwrap();
            #[expect(unsafe_code, reason = "calls the allocator itself")]
            // SAFETY: the layout is not empty, and the block is used within its size and freed with its layout.
            unsafe {
                let a = CountingAllocator.alloc(layout);
                assert_eq!(a as usize % align, 0);
                a.write_bytes(7, size);
                let a = CountingAllocator.realloc(a, layout, size * 3);
                assert!((0..size).all(|i| *a.add(i) == 7));
                let layout = Layout::from_size_align(size * 3, align).unwrap();
                CountingAllocator.dealloc(a, layout);
                let z = CountingAllocator.alloc_zeroed(layout);
                assert!((0..size * 3).all(|i| *z.add(i) == 0));
                CountingAllocator.dealloc(z, layout);
            }
        }
    }
    assert!(marked(Layout::from_size_align(isize::MAX as usize - 3, 1).unwrap()).is_none());
}
