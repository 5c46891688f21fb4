//! Perfetto's protobuf traces (`.pftrace`, `.perfetto-trace`): track events, counters, samples.
//!
//! Reference: `protos/perfetto/trace` and docs/reference/synthetic-track-event of Perfetto. Kept: slices, instants and counters of track events with
//! their annotations, flows as arrows, processes and threads, sampled stacks, what Android programs mark through `trace_marker`. Lost: scheduling and
//! other events of the kernel, heap profiles, logs, frames of Android: packets of such kinds are counted. Guessed: nothing; times come from the clock
//! snapshots of the trace.

mod clock;
mod descriptors;
mod events;
mod interned;
mod stream;
#[cfg(test)]
mod tests;

use super::Gives::{Counters, Time, Tree};
use super::read::Oddities;
use super::read::protobuf::{Broken, Message, Value};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::Basis;
use events::Reader;

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "perfetto",
    title: "Perfetto trace (protobuf)",
    written_by: "Perfetto's SDKs and tracing service, Chrome, Android, Rust's tracing-perfetto",
    extensions: &["pftrace", "perfetto-trace", "trace", "pb"],
    gives: &[Tree, Time, Counters],
    sniff,
    import,
    details: no_details,
};

/// Fields of a packet.
mod packet {
    pub const FTRACE: u32 = 1;
    pub const PROCESS_TREE: u32 = 2;
    pub const CLOCKS: u32 = 6;
    pub const TIMESTAMP: u32 = 8;
    pub const SEQUENCE: u32 = 10;
    pub const EVENT: u32 = 11;
    pub const INTERNED: u32 = 12;
    pub const FLAGS: u32 = 13;
    pub const CONFIG: u32 = 33;
    pub const CLEARED: u32 = 41;
    pub const PROCESS: u32 = 43;
    pub const THREAD: u32 = 44;
    pub const PACKED: u32 = 50;
    pub const STREAMED: u32 = 54;
    pub const CLOCK: u32 = 58;
    pub const DEFAULTS: u32 = 59;
    pub const TRACK: u32 = 60;
    pub const SAMPLE: u32 = 66;
    pub const UUID: u32 = 89;
    pub const PACKED_ZSTD: u32 = 133;
}

/// True when bytes begin with packets. Other messages that begin with the same field hold other ones in it.
fn sniff(head: &Head<'_>) -> Confidence {
    let mut outer = Message::new(head.bytes);
    let (mut signs, mut whole) = (0, 0);
    loop {
        match outer.next() {
            Ok(Some((1, Value::Bytes(packet)))) => {
                let Some(sign) = is_packet(packet) else { return Confidence::No };
                signs += usize::from(sign);
                whole += 1;
            }
            Ok(None) => break,
            // The last one may be cut.
            Err(_) if whole > 0 && !head.whole => break,
            Err(_) if whole > 1 => break,
            _ => return Confidence::No,
        }
        if whole >= 50 {
            break;
        }
    }
    if signs > 0 { Confidence::Certain } else { Confidence::No }
}

/// Whether a packet has a field that only packets have; `None` when it is none.
fn is_packet(bytes: &[u8]) -> Option<bool> {
    let mut message = Message::new(bytes);
    let mut sign = false;
    while let Some((field, value)) = message.next().ok()? {
        let is_bytes = matches!(value, Value::Bytes(_));
        let is_number = matches!(value, Value::Varint(_));
        sign |= match field {
            packet::SEQUENCE | packet::CLOCK => is_number,
            packet::EVENT | packet::TRACK | packet::CONFIG | packet::UUID => is_bytes,
            _ => false,
        };
        let fits = match field {
            packet::TIMESTAMP | packet::SEQUENCE | packet::FLAGS | packet::CLEARED | packet::CLOCK => {
                is_number
            }
            packet::EVENT
            | packet::INTERNED
            | packet::CLOCKS
            | packet::TRACK
            | packet::FTRACE
            | packet::PROCESS_TREE => is_bytes,
            _ => true,
        };
        if !fits {
            return None;
        }
    }
    Some(sign)
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut reader = Reader::default();
    let broken = stream::packets(source, cx, |cx, bytes| reader.packet(bytes, &mut cx.builder))?;
    let b = &mut cx.builder;
    if let Some(Broken { at, what }) = broken {
        b.warn("file is broken off; what came before is shown", &format!("{what}, packet at byte {at}"));
    }
    reader.finish(b);
    if b.is_empty() {
        return Err(ImportError::malformed("holds no event of a kind that is shown")
            .remedy("open it in ui.perfetto.dev, which knows all kinds, or record track events"));
    }
    b.meta.basis = Basis::Timed;
    b.rebase = true;
    if b.meta.tool.is_empty() {
        b.meta.tool = "Perfetto".into();
    }
    Ok(())
}

/// Counts packets of a kind that is not shown.
fn left_out(field: u32, odd: &mut Oddities) {
    let kind = match field {
        4 | 9 => "packet of statistics of processes (not shown)",
        37 | 74 | 75 => "packet of a heap profile (not shown)",
        39 => "packet of Android's log (not shown)",
        52 | 53 | 128 => "packet of a GPU's counters and stages (not shown)",
        7 | 38 | 40 => "packet of the system's figures (not shown)",
        57 | 65 | 62 => "packet of graphics (not shown)",
        5 | 48 | 51 => "packet of Chrome's older form (not shown)",
        _ => return,
    };
    odd.add(kind, || format!("field {field}"));
}
