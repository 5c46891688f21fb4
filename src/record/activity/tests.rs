//! Made-up records: what comes out of them, and that nonsense does no harm.

use std::time::{Duration, Instant};

use tracing::trace_span;

use super::clock::Clock;
use super::names::{copy, fill, kernel};
use super::record::{Record, Work, read};
use super::*;
use crate::model::TrackKind;
use crate::record::testing::*;
use crate::record::{clock, device, sink};

/// A record of this size with these numbers at these places.
fn record(size: usize, fields: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; size];
    for (at, value) in fields {
        bytes[*at..at + value.len()].copy_from_slice(value);
    }
    bytes
}

const MANGLED: &str = "_ZN8internal5gemvx6kernelIiiffffLb0ELb1EEEvNT_6ParamsE";

/// Texts by their made-up addresses.
fn text(address: u64) -> Option<String> {
    match address {
        0x1000 => Some("rmsnorm_f32".into()),
        0x2000 => Some(MANGLED.into()),
        _ => None,
    }
}

fn kernel_record(name: u64, (start, end): (u64, u64), stream: u32, call: u32) -> Vec<u8> {
    let n = |n: u32| n.to_ne_bytes();
    let fields: &[(usize, &[u8])] = &[
        (0, &n(10)),
        (6, &40u16.to_ne_bytes()),
        (16, &start.to_ne_bytes()),
        (24, &end.to_ne_bytes()),
        (40, &n(0)),
        (48, &n(stream)),
        (52, &n(12)),
        (56, &n(1)),
        (60, &n(1)),
        (64, &n(256)),
        (68, &n(1)),
        (72, &n(1)),
        (76, &n(1024)),
        (80, &n(512)),
        (92, &n(call)),
        (104, &name.to_ne_bytes()),
    ];
    record(216, fields)
}

fn copy_record(bytes: u64, (start, end): (u64, u64), call: u32) -> Vec<u8> {
    let n = |n: u32| n.to_ne_bytes();
    let fields: &[(usize, &[u8])] = &[
        (0, &n(1)),
        (4, &[1, 2, 3]),
        (8, &bytes.to_ne_bytes()),
        (16, &start.to_ne_bytes()),
        (24, &end.to_ne_bytes()),
        (40, &n(7)),
        (44, &n(call)),
    ];
    record(96, fields)
}

fn call_record(call: u32, operation: u64) -> Vec<u8> {
    let fields: &[(usize, &[u8])] =
        &[(0, &39u32.to_ne_bytes()), (8, &operation.to_ne_bytes()), (16, &call.to_ne_bytes())];
    record(24, fields)
}

fn batch(records: &[Vec<u8>]) -> Batch {
    let mut batch = Batch::default();
    records.iter().for_each(|r| batch.read(r, text));
    batch
}

#[test]
fn kernels_and_copies_lie_on_their_streams_with_arrows_from_the_operations_that_launched_them() {
    let p = run(|_| {
        let op = trace_span!(target: "inferscope::test", parent: None, "q_proj", layer = 3);
        let mut collector = Collector::default();
        let origin = Instant::now();
        // Of another origin than ours.
        let device_ns = || 5_000_000_000 + origin.elapsed().as_nanos() as u64;
        let tie = |collector: &mut Collector| collector.tie(device_ns(), clock::ticks());
        tie(&mut collector);
        let outer = sp!("forward").entered();
        let mut times = Vec::new();
        let mut number = 0;
        for _ in 0..2 {
            let _op = op.enter();
            number = collector.operation("q_proj", (sink::this_thread(), clock::ticks()));
            std::thread::sleep(Duration::from_millis(4));
            times.push(device_ns());
        }
        drop(outer);
        std::thread::sleep(Duration::from_millis(2));
        // Records come in any order, in several buffers; the first kernel's call is told last.
        let long = |start: u64| (start, start + 1_000_000);
        collector.add(batch(&[
            copy_record(4096, long(times[1] + 2_000_000), 13),
            kernel_record(0x2000, long(times[1]), 7, 12),
            kernel_record(0x1000, long(times[0]), 8, 11),
            call_record(12, number),
        ]));
        tie(&mut collector);
        let mut done = collector.take(false);
        assert_eq!(done.len(), 1, "what has no operation yet waits");
        collector.add(batch(&[call_record(11, number - 1)]));
        done.extend(collector.take(true));
        assert_eq!(collector.take_lost(), Lost::default());
        done.into_iter().for_each(device::report);
        Ok(())
    });
    let streams: Vec<_> = p.track_ids().filter(|&id| p.track(id).kind == TrackKind::GpuStream).collect();
    let labels: Vec<_> = streams.iter().map(|&id| p.track_label(id)).collect();
    assert_eq!(labels.len(), 2, "{labels:?}");
    assert!(labels.iter().all(|l| l.contains("NVIDIA GPU 0") && l.contains("stream")), "{labels:?}");

    let (norm, gemv) = (one(&p, "rmsnorm_f32"), one(&p, "internal::gemvx::kernel"));
    assert_eq!(
        (norm.arg("operation"), norm.arg("grid"), norm.arg("block")),
        ("q_proj", "12 × 1 × 1", "256 × 1 × 1")
    );
    assert_eq!((norm.arg("registers per thread"), norm.arg("shared memory (bytes)")), ("40", "1536"));
    assert_eq!((norm.arg("symbol"), gemv.arg("symbol")), ("", MANGLED));
    let moved = one(&p, "Memcpy HtoD (Pinned -> Device)");
    assert_eq!((moved.arg("bytes"), moved.arg("operation")), ("4096", ""));
    assert_eq!(norm.end - norm.start, 1_000_000, "lengths are the device's own");

    // On the spans' clock: a kernel begins where its operation said so.
    let ops = all(&p, "q_proj");
    for (op, kernel) in ops.iter().zip([&norm, &gemv]) {
        assert!((kernel.start - op.end).abs() < 1_000_000, "{op:?} {kernel:?}");
        let links: Vec<_> = p.links.iter().filter(|l| l.to == (kernel.track, kernel.start)).collect();
        assert_eq!(links.len(), 1);
        let (track, time) = links[0].from;
        assert_eq!((track, p.text(links[0].name)), (op.track, "launch"));
        assert!((op.start..op.end).contains(&time), "the arrow begins in the operation: {time} {op:?}");
    }
    assert_eq!(p.links.iter().filter(|l| streams.contains(&l.to.0)).count(), 2, "none for the copy");
}

#[test]
fn records_are_read_at_their_places_and_cut_ones_refused() {
    let kernel = kernel_record(0x1000, (5, 9), 7, 3);
    let Some(Record::Work(activity)) = read(&kernel) else { panic!("a kernel") };
    assert_eq!((activity.start, activity.end, activity.stream, activity.call), (5, 9, 7, 3));
    assert!(matches!(activity.work, Work::Kernel { name: 0x1000, grid: [12, 1, 1], shared_bytes: 1536, .. }));
    for whole in [kernel, copy_record(1, (1, 2), 3), call_record(1, 2)] {
        let mut known = 0;
        for end in 0..whole.len() {
            known += usize::from(read(&whole[..end]).is_some());
        }
        assert!(known < whole.len(), "cut ones are refused");
        assert_eq!(read(&whole[..16]), None);
    }
    assert_eq!(read(&record(24, &[(0, &99u32.to_ne_bytes())])), Some(Record::Other));
    assert!(is_known(18) && is_known(28) && is_known(130_001));
    assert!(!is_known(17) && !is_known(29) && !is_known(140_000));
}

#[test]
fn nonsense_is_counted_and_never_more_than_that() {
    let mut collector = Collector::default();
    collector.tie(100, 100);
    collector.tie(50, 200);
    collector.tie(200, 50);
    let mut seed = 1u32;
    for _ in 0..2000 {
        let mut bytes = kernel_record(0x3000, (u64::MAX - 1, u64::MAX), u32::MAX, u32::MAX);
        for byte in &mut bytes {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if seed >> 30 == 0 {
                *byte = (seed >> 8) as u8;
            }
        }
        bytes[0] = [1, 2, 3, 10, 39, 77][(seed >> 16) as usize % 6];
        bytes[1..4].fill(0);
        bytes.truncate((seed >> 8) as usize % 217);
        collector.add(batch(&[bytes]));
    }
    let done = collector.take(true);
    assert!(done.iter().all(|w| !w.name.is_empty() && w.ago.0 >= 0));
    let lost = collector.take_lost();
    assert!(lost.unreadable > 0 && lost.without_time > 0, "{lost:?}");
    assert!(collector.take(true).is_empty());

    collector.add(batch(&[kernel_record(0, (0, 0), 1, 1), kernel_record(0, (9, 3), 1, 1)]));
    assert_eq!(collector.take_lost(), Lost { unreadable: 0, without_time: 2 });
}

#[test]
fn operations_are_forgotten_when_too_many_are_on_the_way() {
    let mut collector = Collector::default();
    let first = collector.operation("first", (1, 1));
    for _ in 0..MOST_ON_THE_WAY {
        collector.operation("later", (1, 2));
    }
    let last = collector.operation("last", (1, 3));
    let works = [kernel_record(0x1000, (1, 2), 1, 5), kernel_record(0x1000, (3, 4), 1, 6)];
    collector.add(batch(&[call_record(5, first), call_record(6, last), call_record(7, u64::MAX)]));
    collector.add(batch(&works));
    let done = collector.take(true);
    assert_eq!(done[0].details.operation, None);
    assert_eq!((done[1].details.operation, done[1].launch), (Some("last"), Some((1, 3))));
}

#[test]
fn times_are_interpolated_between_looks_at_both_clocks() {
    let mut clock = Clock::default();
    assert_eq!(clock.ticks(5), 0);
    clock.tie(1000, 50);
    assert_eq!(clock.ticks(7777), 50, "one look gives no rate");
    clock.tie(2000, 150);
    clock.tie(3000, 350);
    assert_eq!([1000, 1500, 2000, 2500, 3000].map(|ns| clock.ticks(ns)), [50, 100, 150, 250, 350]);
    assert_eq!(clock.ticks(4000), 500, "beyond: at the mean rate");
    assert_eq!((clock.ticks(900), clock.ticks(0)), (35, 0));
    assert!(clock.ticks(u64::MAX) > 1 << 60);
    for n in 0..1000 {
        clock.tie(10_000 + n * 10, 10_000 + n * 10);
    }
    assert_eq!(clock.ticks(19_985), 19_985);
}

#[test]
fn names_are_short() {
    for (symbol, name) in [
        ("badd_f32", "badd_f32"),
        ("ampere_sgemm_128x64_tn", "ampere_sgemm_128x64_tn"),
        (MANGLED, "internal::gemvx::kernel"),
        ("_Z17gemv2T_kernel_valIiiffffLi128EEvT_", "gemv2T_kernel_val"),
        (
            "_ZN7cutlass7Kernel2I52cutlass_80_wmma_tensorop_bf16_s161616gemm_bf16_16x16EEvNT_6ParamsE",
            "cutlass::Kernel2<cutlass_80_wmma_tensorop_bf16_s161616gemm_bf16_16x16>",
        ),
        ("_ZN37_GLOBAL__N__d5a0ab8a_9_reduce_cu_12346kernelEPf", "(anonymous)::kernel"),
        ("_ZN", "_ZN"),
        ("_Z99999999999999999999x", "_Z99999999999999999999x"),
        ("_Z9ab", "_Z9ab"),
        ("_Z0", "_Z0"),
        ("_Z2éx", "é"),
        ("_Z1é", "_Z1é"),
        ("", "(unnamed kernel)"),
    ] {
        assert_eq!(kernel(symbol), name, "{symbol}");
    }
    assert_eq!(kernel(&"é".repeat(5000)).chars().count(), 201);
    assert_eq!(
        (&*copy(8, 3, 3), &*copy(77, 0, 9)),
        ("Memcpy DtoD (Device -> Device)", "Memcpy (unknown direction) (Unknown -> Unknown)")
    );
    assert_eq!(&*fill(3), "Memset (Device)");
}
