//! Bodies of requests: read whole, within limits of size and time, and unpacked.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

/// Longest message, as it comes and unpacked.
pub(super) const MOST: usize = 64 << 20;
/// Of all messages that are on their way.
const MOST_IN_ALL: usize = 256 << 20;
/// How long a piece of a body may take, and all of it.
const PIECE: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_secs(60);
/// Unpacked at a time.
const CHUNK: usize = 64 << 10;

/// Why there is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is longer than [`MOST`].
    TooLong,
    /// Others take all the room just now.
    Busy,
    /// It did not come in time.
    Slow,
    /// It is packed in a way that is not known.
    Packing(String),
    /// It is broken; one line says how.
    Broken(String),
}

/// The room that all messages share.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicUsize);

/// Bytes of a message, with their part of the room.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    room: Arc<Room>,
    held: usize,
}

impl Message {
    pub(super) fn new(room: &Arc<Room>) -> Self {
        Self { bytes: Vec::new(), room: room.clone(), held: 0 }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), Unread> {
        if self.bytes.len() + piece.len() > MOST {
            return Err(Unread::TooLong);
        }
        self.held += piece.len();
        if self.room.0.fetch_add(piece.len(), Ordering::Relaxed) + piece.len() > MOST_IN_ALL {
            return Err(Unread::Busy);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.held, Ordering::Relaxed);
    }
}

/// Reads a body to its end.
pub(super) async fn read(
    mut body: Incoming,
    claimed: Option<u64>,
    room: &Arc<Room>,
) -> Result<Message, Unread> {
    if claimed.is_some_and(|n| n > MOST as u64) {
        return Err(Unread::TooLong);
    }
    let mut message = Message::new(room);
    let until = Instant::now() + WHOLE;
    loop {
        let frame = timeout_at(until, timeout(PIECE, body.frame())).await;
        match frame {
            Err(_) | Ok(Err(_)) => return Err(Unread::Slow),
            Ok(Ok(None)) => return Ok(message),
            Ok(Ok(Some(Err(e)))) => return Err(Unread::Broken(format!("the body broke off: {e}"))),
            Ok(Ok(Some(Ok(frame)))) => {
                if let Some(data) = frame.data_ref() {
                    message.push(data)?;
                }
            }
        }
    }
}

/// The message without its packing. What it unpacks to is counted while it is, so a bomb takes no more room than any other.
pub(super) fn unpack(message: Message, coding: &str) -> Result<Message, Unread> {
    let coding = coding.trim().to_ascii_lowercase();
    let bytes = &message.bytes[..];
    let mut from: Box<dyn Read + '_> = match coding.as_str() {
        "" | "identity" => return Ok(message),
        "gzip" => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        "deflate" => Box::new(flate2::read::ZlibDecoder::new(bytes)),
        "zstd" => {
            let broken = |e: std::io::Error| Unread::Broken(format!("is no zstd: {e}"));
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(broken)?;
            decoder.window_log_max(27).map_err(broken)?;
            Box::new(decoder)
        }
        _ => return Err(Unread::Packing(coding)),
    };
    let mut plain = Message::new(&message.room);
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => plain.push(&chunk[..n])?,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Unread::Broken(format!("is no {coding}: {e}"))),
        }
    }
    drop(from);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn message(bytes: &[u8]) -> Message {
        let mut message = Message::new(&Arc::default());
        message.push(bytes).unwrap();
        message
    }

    fn gzip(length: usize) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let zeros = vec![0; 1 << 20];
        (0..length >> 20).for_each(|_| encoder.write_all(&zeros).unwrap());
        encoder.finish().unwrap()
    }

    #[test]
    fn packed_messages_are_unpacked_and_bombs_end_at_the_limit() {
        assert_eq!(unpack(message(b"plain"), "").unwrap().bytes, b"plain");
        let fine = unpack(message(&gzip(4 << 20)), " GZIP ").unwrap();
        assert_eq!(fine.bytes.len(), 4 << 20);
        let room = fine.room.clone();
        drop(fine);
        assert_eq!(room.0.load(Ordering::Relaxed), 0, "all room is given back");
        assert_eq!(unpack(message(&gzip(65 << 20)), "gzip").unwrap_err(), Unread::TooLong);
        let zstd = zstd::encode_all(&b"zzz"[..], 3).unwrap();
        assert_eq!(unpack(message(&zstd), "zstd").unwrap().bytes, b"zzz");
        assert!(matches!(unpack(message(b"junk"), "gzip"), Err(Unread::Broken(_))));
        assert_eq!(unpack(message(b""), "br").unwrap_err(), Unread::Packing("br".into()));
    }

    #[test]
    fn room_is_shared() {
        let room = Arc::new(Room::default());
        let mut all: Vec<Message> = (0..5).map(|_| Message::new(&room)).collect();
        let piece = vec![0; 60 << 20];
        let taken: Vec<bool> = all.iter_mut().map(|m| m.push(&piece).is_ok()).collect();
        assert_eq!(taken, [true, true, true, true, false]);
    }
}
