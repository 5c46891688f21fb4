//! What tests of importers share: opening bytes, totals per function, and damage.

use std::collections::{HashMap, HashSet};

use super::{ErrorKind, ImportError, Input, open};
use crate::jobs::Job;
use crate::model::{NO_ROW, Profile};

/// Opens bytes under a name that says nothing about them.
pub(crate) fn open_bytes(bytes: &[u8]) -> Result<Profile, ImportError> {
    open(&Input::Bytes("unknown".into(), bytes.into()), &Job::new(), &mut |_| ())
}

/// Self and total cost per function name by the first metric: of samples and of spans, each function once
/// per stack.
pub(crate) fn totals(p: &Profile) -> HashMap<String, (i64, i64)> {
    let mut sums: HashMap<String, (i64, i64)> = HashMap::new();
    let add = |sum: &mut i64, weight: i64| *sum = sum.saturating_add(weight);
    for track in &p.tracks {
        let weights = track.samples.weights.first().map_or(&[][..], |w| &w.1);
        for (stack, &weight) in track.samples.stacks.iter().zip(weights) {
            let path = stack.map(|s| p.stack_functions(s)).unwrap_or_default();
            if let Some(leaf) = path.last() {
                add(&mut sums.entry(p.function_name(*leaf).into()).or_default().0, weight);
            }
            for name in path.iter().map(|f| p.function_name(*f)).collect::<HashSet<_>>() {
                add(&mut sums.entry(name.into()).or_default().1, weight);
            }
        }
        let spans = &track.spans;
        let name = |row: u32| p.function_name(spans.rows[row as usize].function);
        for (row, span) in spans.rows.iter().enumerate() {
            let (row, length) = (row as u32, span.duration());
            sums.entry(name(row).into()).or_default().0 += length;
            if span.parent != NO_ROW {
                sums.entry(name(span.parent).into()).or_default().0 -= length;
            }
            if spans.ancestors(row).skip(1).all(|r| name(r) != name(row)) {
                sums.entry(name(row).into()).or_default().1 += length;
            }
        }
    }
    sums
}

/// Cuts `bytes` everywhere and flips bits in it: opening must end, with a profile or with an error that
/// says something, and must never panic.
pub(crate) fn damage(bytes: &[u8], mut check: impl FnMut(Result<Profile, ImportError>)) {
    let mut open_damaged = |bytes: &[u8]| {
        let result = open_bytes(bytes);
        if let Err(e) = &result {
            assert!(
                !e.what.is_empty() && matches!(e.kind, ErrorKind::Malformed | ErrorKind::Unrecognised),
                "{e}"
            );
        }
        check(result);
    };
    let step = (bytes.len() / 300).max(1);
    (0..bytes.len()).step_by(step).for_each(|len| open_damaged(&bytes[..len]));
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..600 {
        let mut damaged = bytes.to_vec();
        for _ in 0..=random % 4 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (random >> 20) as usize % damaged.len();
            match random >> 61 {
                0 => {
                    damaged.remove(at);
                }
                1 => damaged.insert(at, b"0[]{}\",-:9"[(random >> 50) as usize % 10]),
                bit => damaged[at] ^= 1 << bit,
            }
        }
        open_damaged(&damaged);
    }
}
