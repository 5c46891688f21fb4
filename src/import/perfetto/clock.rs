//! Times of a trace: clocks of the machine and of sequences become one, that of the time since boot.

use rustc_hash::FxHashMap;

use super::super::read::protobuf::Message;

/// Clocks that every machine has.
pub(super) const REALTIME: u64 = 1;
pub(super) const BOOT: u64 = 6;
/// From here on a clock belongs to one sequence of packets.
const OWN: u64 = 64;

/// A clock of a sequence.
#[derive(Clone, Copy, Debug)]
struct Own {
    /// ns of one of its units.
    unit: i64,
    /// Each stamp counts from the one before.
    counts_on: bool,
    /// Where it stands, ns of its own.
    now: i64,
    /// From its ns to the time since boot.
    offset: i64,
}

/// All clocks of a trace.
#[derive(Default)]
pub(super) struct Clocks {
    /// From a clock of the machine to the time since boot, ns.
    offsets: FxHashMap<u64, i64>,
    own: FxHashMap<(u64, u64), Own>,
    /// Unix time less the time since boot, ns.
    pub unix: Option<i64>,
}

impl Clocks {
    /// Reads a snapshot that stands in a packet of `sequence`.
    pub fn snapshot(&mut self, mut message: Message<'_>, sequence: u64) {
        // (clock, stamp, counts on, unit)
        let mut clocks: Vec<(u64, i64, bool, i64)> = Vec::new();
        while let Ok(Some((field, value))) = message.next() {
            if field != 1 {
                continue;
            }
            let (mut clock, mut entry) = ((0, 0, false, 1), value.message());
            while let Ok(Some((field, value))) = entry.next() {
                match field {
                    1 => clock.0 = value.number(),
                    2 => clock.1 = value.signed(),
                    3 => clock.2 = value.number() != 0,
                    4 => clock.3 = value.signed().clamp(1, 1_000_000_000),
                    _ => {}
                }
            }
            clocks.push(clock);
        }
        let boot = clocks
            .iter()
            .find(|c| c.0 == BOOT)
            .or_else(|| clocks.iter().find(|c| c.0 < OWN && self.offsets.contains_key(&c.0)));
        // Without a clock of the machine those of the sequence have a time of their own.
        let boot = boot.map(|c| c.1.saturating_add(self.offsets.get(&c.0).copied().unwrap_or(0)));
        for (clock, stamp, counts_on, unit) in clocks {
            let now = stamp.saturating_mul(unit);
            let offset = boot.map_or(0, |boot| boot.saturating_sub(now));
            if clock >= OWN {
                self.own.insert((sequence, clock), Own { unit, counts_on, now, offset });
            } else {
                // The first one counts: clocks that drift are no further news.
                self.offsets.entry(clock).or_insert(offset);
                if clock == REALTIME && boot.is_some() {
                    self.unix.get_or_insert(offset.saturating_neg());
                }
            }
        }
    }

    /// A stamp as ns since boot; `None` when its clock is not known.
    pub fn time(&mut self, clock: u64, sequence: u64, stamp: i64) -> Option<i64> {
        if clock < OWN {
            return Some(stamp.saturating_add(self.offsets.get(&clock).copied().unwrap_or(0)));
        }
        let own = self.own.get_mut(&(sequence, clock))?;
        let length = stamp.saturating_mul(own.unit);
        if own.counts_on {
            own.now = own.now.saturating_add(length);
        } else {
            own.now = length;
        }
        Some(own.now.saturating_add(own.offset))
    }
}
