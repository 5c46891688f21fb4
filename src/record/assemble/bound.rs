//! What a recording holds in memory, and what it leaves out when that is too much.
//!
//! Spans are a ring: when there is no more room the oldest go, with log lines and arrows of their time. Whoever records for
//! long wants what came last, and the journal has all. Requests, counters, phases and texts stay; should these alone
//! fill the room, recording ends, which is counted.

use rustc_hash::FxHashSet;

use super::Assembler;
use crate::format;
use crate::model::{LeftOut, ProfileBuilder};
use crate::record::sink;

/// Spans of a live revision at most. Freezing a million takes about a second where work keeps all cores busy.
const REVISION: usize = 300_000;
/// Spans have this share of the room at least, whatever the rest takes.
const LEAST_SHARE: usize = 4;

/// What was left out so far.
#[derive(Default)]
pub(super) struct Bound {
    /// From when on all spans are there, ns; and how many were left out.
    since: Option<(i64, u64)>,
    /// When there was no room for anything any more, ns.
    full: Option<i64>,
}

impl Bound {
    pub(super) fn is_full(&self) -> bool {
        self.full.is_some()
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Assembler {
    /// True when more than `most` bytes are held, and [`Self::leave_out`] is due.
    pub(in crate::record) fn is_over(&mut self, most: usize) -> bool {
        let (spans, rest) = self.builder.bytes();
        if rest > most && self.bound.full.is_none() {
            self.bound.full = Some(self.scale.now());
            sink::fill();
        }
        spans > Self::room(most, rest)
    }

    /// Bytes that spans may have.
    fn room(most: usize, rest: usize) -> usize {
        most.saturating_sub(rest).max(most / LEAST_SHARE)
    }

    /// Leaves out the oldest spans, so that there is room again for a while.
    pub(in crate::record) fn leave_out(&mut self, most: usize) -> LeftOut {
        let (bytes, rest) = self.builder.bytes();
        let spans = self.builder.all_spans();
        let wanted = Self::room(most, rest) / 4 * 3;
        let stay = (spans as f64 * (wanted as f64 / bytes.max(1) as f64)) as usize;
        let Some(time) = self.builder.time_of_latest(stay) else { return LeftOut::default() };
        let held = self.pending.iter().filter_map(super::places::Pending::args);
        let held = held.chain(self.sites.iter().flatten().map(|site| site.1));
        let held = held.chain(self.spans.values().filter_map(|span| span.args));
        let entered = self.threads.values().flat_map(|t| &t.stack).filter_map(|e| Some(e.call?.1));
        let left_out = self.builder.leave_out_before(time, held.chain(entered));
        if let Some(memory) = &mut self.memory {
            memory.follow(&left_out);
        }
        let known = self.bound.since.map_or(0, |(_, count)| count);
        self.bound.since = Some((time, known + left_out.count));
        self.forget_places();
        left_out
    }

    /// Forgets where spans were that nothing can name any more, and their tasks.
    fn forget_places(&mut self) {
        let pending = self.pending.iter().flat_map(super::places::Pending::spans).flatten();
        let found = self.findings.iter().filter_map(super::places::Found::span);
        let named: FxHashSet<u32> = pending.chain(found).collect();
        self.places.retain(|uid, _| named.contains(uid));
        let tasks: FxHashSet<u32> = self.spans.values().filter_map(|span| span.task).collect();
        self.tasks.retain(|task, _| tasks.contains(task));
    }

    /// A copy of the latest spans and of all else.
    pub(super) fn latest_spans(&mut self) -> (ProfileBuilder, LeftOut) {
        let Some(time) = self.builder.time_of_latest(REVISION) else {
            let mut copy = self.builder.clone();
            self.tell_left_out(&mut copy);
            return (copy, LeftOut::default());
        };
        let (mut copy, left_out) = self.builder.copy_since(time);
        let from = format::duration(time);
        let kind = format!("spans before {from}, which are shown when the recording has ended");
        copy.warn_many(&kind, "", left_out.count);
        self.tell_left_out(&mut copy);
        (copy, left_out)
    }

    /// Says in the profile what is not there.
    pub(super) fn tell_left_out(&self, builder: &mut ProfileBuilder) {
        if let Some((time, count)) = self.bound.since {
            let from = format::duration(time);
            let kind =
                format!("spans before {from} were left out: the memory limit of the recording was reached");
            builder.warn_many(&kind, "", count);
        }
        if let Some(time) = self.bound.full {
            let at = format::duration(time);
            builder.warn("recording ended early: requests and texts alone reached the memory limit", &at);
        }
    }

    /// What is held of `most` bytes, for the facts of the run.
    pub(in crate::record) fn size_fact(&self, most: usize) -> String {
        let (spans, rest) = self.builder.bytes();
        let (held, most) = (format::bytes(signed(spans + rest)), format::bytes(signed(most)));
        let reached = match self.bound.since {
            None => String::new(),
            Some((time, count)) => {
                let gone = format::counted(signed(count as usize), "older span was", "older spans were");
                format!("; reached: {gone} left out, all are there from {}", format::duration(time))
            }
        };
        format!("{held} held of at most {most}{reached}")
    }
}
