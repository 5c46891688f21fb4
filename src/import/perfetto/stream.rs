//! The packets of a file, one after the other: only one is in memory.

use std::io::{BufReader, Read};

use super::super::read::protobuf::{Broken, Message, Value};
use super::super::{Context, ImportError, Source};
use super::packet;

/// What the packets that are packed in one may unfold to, bytes; tracing services write at most half a MiB.
const MOST_UNPACKED: u64 = 64 << 20;
/// Between two looks at progress, bytes.
const STEP: u64 = 1 << 20;

/// Gives each packet to `take`. Returns where and why the file cannot be read on, if so.
///
/// # Errors
/// On a read error and when cancelled.
pub(super) fn packets(
    source: &mut Source,
    cx: &mut Context<'_>,
    mut take: impl FnMut(&mut Context<'_>, &[u8]),
) -> Result<Option<Broken>, ImportError> {
    let mut reader = BufReader::with_capacity(1 << 18, source);
    let (mut at, mut looked, mut packet) = (0u64, 0u64, Vec::new());
    let broken = |at: u64, what| Ok(Some(Broken { at: usize::try_from(at).unwrap_or(usize::MAX), what }));
    loop {
        let start = at;
        let Some(key) = varint(&mut reader, &mut at)? else {
            return if at == start { Ok(None) } else { broken(start, "is cut short") };
        };
        if key != 1 << 3 | 2 {
            return broken(start, "holds something that is no packet");
        }
        let Some(len) = varint(&mut reader, &mut at)? else { return broken(start, "is cut short") };
        packet.clear();
        // Grows with what comes, whatever the length claims.
        let got = reader.by_ref().take(len).read_to_end(&mut packet)? as u64;
        at += got;
        if got < len {
            return broken(start, "is cut short");
        }
        one(&packet, cx, &mut take);
        if at - looked > STEP {
            looked = at;
            cx.checkpoint(reader.get_ref())?;
        }
    }
}

/// A packet, or those that are packed in it. None of these is packed again.
fn one(bytes: &[u8], cx: &mut Context<'_>, take: &mut impl FnMut(&mut Context<'_>, &[u8])) {
    let mut message = Message::new(bytes);
    while let Ok(Some((field, value))) = message.next() {
        let Value::Bytes(packed) = value else { continue };
        let mut all = Vec::new();
        let unpacked = match field {
            packet::PACKED => {
                flate2::read::ZlibDecoder::new(packed).take(MOST_UNPACKED).read_to_end(&mut all)
            }
            packet::PACKED_ZSTD => {
                zstd::Decoder::new(packed).and_then(|d| d.take(MOST_UNPACKED).read_to_end(&mut all))
            }
            _ => continue,
        };
        if unpacked.is_err() {
            cx.builder.warn("packed packets that are damaged; what came before is shown", "");
        }
        let mut packets = Message::new(&all);
        while let Ok(Some((_, inner))) = packets.next() {
            take(cx, inner.bytes());
        }
        return;
    }
    take(cx, bytes);
}

/// A number; `None` at the end of the file.
fn varint(reader: &mut impl Read, at: &mut u64) -> Result<Option<u64>, ImportError> {
    let (mut value, mut byte) = (0u64, [0u8]);
    for n in 0..10 {
        if reader.read(&mut byte)? == 0 {
            return Ok(None);
        }
        *at += 1;
        value |= u64::from(byte[0] & 0x7f) << (7 * n);
        if byte[0] < 0x80 {
            return Ok(Some(value));
        }
    }
    Ok(Some(u64::MAX))
}
