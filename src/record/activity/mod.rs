//! What an NVIDIA GPU did by itself, from the activity records that CUPTI writes: kernels, copies and fills.
//!
//! Everything but the calls of the library (`llm/cupti.rs`) is here and needs neither GPU nor library. The library
//! hands over buffers of records ([`record`]); [`Collector`] brings together a piece of work and the operation of the
//! host that launched it, and puts it on the recorder's clock ([`clock`]).
//!
//! The way from a kernel to its operation: before an operation the host names it by a number; each call of the driver
//! meanwhile makes a record with that number and the call's own, and the kernel's record has the call's number.

mod clock;
mod names;
mod record;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::device::{Details, DeviceWork, Launch};
use clock::Clock;
use record::{Activity, Record, Work};

pub(super) use record::{Batch, is_known};

/// Operations and calls that are remembered: many more than can be on their way to the GPU.
const MOST_ON_THE_WAY: usize = 1 << 18;
/// Pieces of work that wait for the record of their call. What comes beyond is lost and counted.
const MOST_WAITING: usize = 1 << 20;
/// Names of kernels that are kept; a program has some hundreds.
const MOST_NAMES: usize = 1 << 14;

/// Records that could not be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lost {
    /// Cut short, of an unknown kind, or too many.
    pub(super) unreadable: u64,
    /// Without times.
    pub(super) without_time: u64,
}

struct Named {
    short: Arc<str>,
    /// The whole symbol, where the short name is another.
    symbol: Option<Arc<str>>,
}

/// Work that waits for the record of its call.
struct Waiting {
    activity: Activity,
    kernel: Option<String>,
    /// It was there at the last look already.
    seen: bool,
}

/// Collects records and gives what is complete.
#[derive(Default)]
pub(super) struct Collector {
    clock: Clock,
    /// The latest operations, and the number of the first of them.
    operations: VecDeque<(&'static str, Launch)>,
    first: u64,
    /// Numbers of operations by numbers of calls, in two generations: the older one is forgotten when the younger one
    /// is full.
    calls: [FxHashMap<u32, u64>; 2],
    waiting: Vec<Waiting>,
    names: FxHashMap<String, Named>,
    lost: Lost,
}

impl Collector {
    /// The device's clock (ns) and the recorder's (ticks) showed this at the same moment.
    pub(super) fn tie(&mut self, ns: u64, ticks: u64) {
        self.clock.tie(ns, ticks);
    }

    /// An operation of the host begins; gives the number by which its calls name it.
    pub(super) fn operation(&mut self, name: &'static str, launch: Launch) -> u64 {
        if self.operations.len() >= MOST_ON_THE_WAY {
            self.operations.pop_front();
            self.first += 1;
        }
        self.operations.push_back((name, launch));
        self.first + self.operations.len() as u64 - 1
    }

    /// Adds what a buffer held.
    pub(super) fn add(&mut self, batch: Batch) {
        self.lost.unreadable += batch.unreadable;
        for (record, kernel) in batch.records {
            match record {
                Record::Call { call, operation } => {
                    if self.calls[0].len() >= MOST_ON_THE_WAY {
                        self.calls.swap(0, 1);
                        self.calls[0].clear();
                    }
                    self.calls[0].insert(call, operation);
                }
                Record::Work(activity) if activity.start == 0 || activity.end < activity.start => {
                    self.lost.without_time += 1;
                }
                Record::Work(_) if self.waiting.len() >= MOST_WAITING => self.lost.unreadable += 1,
                Record::Work(activity) => self.waiting.push(Waiting { activity, kernel, seen: false }),
                Record::Other => {}
            }
        }
    }

    /// Work that is complete, in the order in which it began. What has no operation yet waits until the next time;
    /// with `last` nothing more comes, and nothing waits.
    pub(super) fn take(&mut self, last: bool) -> Vec<DeviceWork> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut done = Vec::with_capacity(waiting.len());
        for mut work in waiting {
            let operation = self.operation_of(work.activity.call);
            if operation.is_none() && !work.seen && !last {
                work.seen = true;
                self.waiting.push(work);
            } else {
                done.push((work, operation));
            }
        }
        done.sort_by_key(|(work, _)| work.activity.start);
        done.into_iter().map(|(work, operation)| self.finish(work, operation)).collect()
    }

    /// What was lost since the last question.
    pub(super) fn take_lost(&mut self) -> Lost {
        std::mem::take(&mut self.lost)
    }

    fn operation_of(&self, call: u32) -> Option<(&'static str, Launch)> {
        let number = self.calls.iter().find_map(|calls| calls.get(&call))?;
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.operations.get(index).copied()
    }

    fn finish(&mut self, work: Waiting, operation: Option<(&'static str, Launch)>) -> DeviceWork {
        let Activity { device, stream, start, end, .. } = work.activity;
        let mut details = Details { operation: operation.map(|o| o.0), ..Details::default() };
        let (name, category) = match work.activity.work {
            Work::Kernel { grid, block, registers, shared_bytes, .. } => {
                let (short, symbol) = self.named(work.kernel.unwrap_or_default());
                details.symbol = symbol;
                (details.grid, details.block) = (Some(grid), Some(block));
                (details.registers, details.shared_bytes) = (Some(registers), Some(shared_bytes));
                (short, "kernel")
            }
            Work::Copy { kind, from, to, bytes } => {
                details.bytes = Some(bytes);
                (names::copy(kind, from, to), "gpu_memcpy")
            }
            Work::Fill { memory, bytes } => {
                details.bytes = Some(bytes);
                (names::fill(memory), "gpu_memset")
            }
        };
        let length = i64::try_from(end - start).unwrap_or(i64::MAX);
        DeviceWork {
            device: format!("NVIDIA GPU {device}").into(),
            lane: format!("stream {stream}").into(),
            name,
            category,
            ticks: self.clock.ticks(end),
            ago: (length, 0),
            details,
            launch: operation.map(|o| o.1),
        }
    }

    fn named(&mut self, symbol: String) -> (Arc<str>, Option<Arc<str>>) {
        if self.names.len() >= MOST_NAMES {
            self.names.clear();
        }
        let named = self.names.entry(symbol).or_insert_with_key(|symbol| {
            let short = names::kernel(symbol);
            let whole = (short != *symbol && !symbol.is_empty()).then(|| symbol.as_str().into());
            Named { short: short.into(), symbol: whole }
        });
        (named.short.clone(), named.symbol.clone())
    }
}
