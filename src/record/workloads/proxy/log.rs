//! What the proxy writes down of exchanges, as recorded programs do (`assets/python/inferscope_inject/_http.py` tells the layout):
//! one reader for both. Where texts are not to be kept it stays in memory, so that no prompt is on any disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use serde_json::json;

use crate::import::http::{self, Calls, MAGIC};
use crate::record::calls::counter;

const BODY: u8 = 2;
const STAMP: u8 = 3;
const ANSWER: u8 = 4;
const PIECE: u8 = 5;
const END: u8 = 6;

/// Of one body; of all bodies, in a file and in memory; of all that is written.
pub(super) const MOST_OF_A_BODY: usize = 1 << 20;
const MOST_OF_BODIES: u64 = 256 << 20;
const MOST_IN_MEMORY: u64 = 64 << 20;
const MOST: u64 = 1 << 30;
/// Where the head counts exchanges that were left out.
const LEFT_OUT_AT: u64 = 32;

/// Of headers only these are kept.
const IDS: [&str; 4] = ["x-request-id", "request-id", "x-amzn-requestid", "apim-request-id"];

/// ns of a clock that only goes on: the one of recorded programs, where that can be read.
fn now() -> u64 {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let own = || u64::try_from(BEGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX);
    counter().and_then(|ns| u64::try_from(ns).ok()).unwrap_or_else(own)
}

enum To {
    File(File),
    Memory(Vec<u8>),
}

struct Sink {
    to: To,
    size: u64,
    /// Exchanges that found no room.
    left_out: u64,
    /// Bytes of bodies that may still come.
    room: u64,
    /// It could not be written, and why.
    failed: Option<String>,
}

/// The exchanges of one proxy.
pub(super) struct Log {
    sink: Mutex<Sink>,
    pid: u32,
    next: AtomicU32,
}

impl Log {
    /// In `folder`, or in memory.
    pub(super) fn new(folder: Option<&Path>) -> io::Result<Self> {
        let pid = std::process::id();
        let (to, room) = match folder {
            Some(folder) => {
                let name = format!("proxy-{pid}.{}", http::EXTENSION);
                #[cfg_attr(not(unix), expect(unused_mut, reason = "folders of users are private there"))]
                let mut options = OpenOptions::new();
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                (To::File(options.write(true).create_new(true).open(folder.join(name))?), MOST_OF_BODIES)
            }
            None => (To::Memory(Vec::new()), MOST_IN_MEMORY),
        };
        let texts = folder.is_some();
        let log = Self {
            sink: Mutex::new(Sink { to, size: 0, left_out: 0, room, failed: None }),
            pid,
            next: AtomicU32::new(1),
        };
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let mut head = MAGIC.to_vec();
        head.extend(pid.to_le_bytes());
        head.extend(u32::from(!texts).to_le_bytes());
        head.extend(now().to_le_bytes());
        head.extend(u64::try_from(unix).unwrap_or(0).to_le_bytes());
        head.extend([0; 8]);
        head.extend(b"proxy\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        log.append(&head);
        Ok(log)
    }

    fn append(&self, bytes: &[u8]) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if sink.failed.is_some() || sink.size > MOST {
            return;
        }
        sink.size += bytes.len() as u64;
        let written = match &mut sink.to {
            To::File(file) => file.write_all(bytes),
            To::Memory(all) => {
                all.extend_from_slice(bytes);
                Ok(())
            }
        };
        if let Err(e) = written {
            // The exchange itself goes on.
            sink.failed = Some(e.to_string());
        }
    }

    fn record(&self, kind: u8, number: u32, size: usize, data: &[u8]) {
        let mut record = Vec::with_capacity(24 + data.len());
        record.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
        record.extend([kind, 0, 0, 0]);
        record.extend(number.to_le_bytes());
        record.extend(u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        record.extend(now().to_le_bytes());
        record.extend(data);
        self.append(&record);
    }

    /// How many bytes of a body of `wanted` may be kept.
    fn take_room(&self, wanted: usize) -> usize {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = (wanted as u64).min(sink.room);
        sink.room -= kept;
        kept as usize
    }

    /// An exchange begins.
    pub(super) fn begin(self: &std::sync::Arc<Self>, method: &str, url: &str) -> Call {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
            sink.left_out += u64::from(sink.size > MOST);
        }
        let known = http::is_known(method, url);
        let call = Call {
            log: self.clone(),
            number,
            known,
            left: AtomicU64::new(MOST_OF_A_BODY as u64),
            ended: AtomicBool::new(false),
        };
        let about =
            json!({"library": "proxy", "method": method, "url": url, "known": known, "mark": call.mark()});
        self.record(1, number, 0, about.to_string().as_bytes());
        call
    }

    /// What stays in memory, as it would be read from a file; and why something could not be written.
    pub(super) fn end(&self) -> (Option<Calls>, Option<String>) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = sink.left_out.to_le_bytes();
        let (calls, told) = match &mut sink.to {
            To::File(_) if left_out == [0; 8] => (None, Ok(())),
            To::File(file) => {
                (None, file.seek(SeekFrom::Start(LEFT_OUT_AT)).and_then(|_| file.write_all(&left_out)))
            }
            To::Memory(all) => {
                let mut all = std::mem::take(all);
                all[LEFT_OUT_AT as usize..][..8].copy_from_slice(&left_out);
                (http::read(&mut &all[..]).ok(), Ok(()))
            }
        };
        if let Err(e) = told {
            sink.failed.get_or_insert(e.to_string());
        }
        (calls, sink.failed.take())
    }
}

/// One exchange.
pub(super) struct Call {
    log: std::sync::Arc<Log>,
    number: u32,
    pub(super) known: bool,
    /// Bytes of the answer that may still be kept.
    left: AtomicU64,
    ended: AtomicBool,
}

impl Call {
    /// Tells who sees the answer which exchange it was.
    pub(super) fn mark(&self) -> String {
        format!("{}-{}", self.log.pid, self.number)
    }

    pub(super) fn stamp(&self, name: &str) {
        self.log.record(STAMP, self.number, 0, name.as_bytes());
    }

    /// What was sent: so many bytes, of which the first are `kept`.
    pub(super) fn asked(&self, kept: &[u8], bytes: usize) {
        let room = if self.known { self.log.take_room(kept.len()) } else { 0 };
        self.log.record(BODY, self.number, bytes, &kept[..room]);
    }

    pub(super) fn answered(&self, status: u16, headers: &HeaderMap) {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let id = IDS.iter().find_map(|name| header(name));
        let about = json!({"status": status, "type": header("content-type"), "coding": header("content-encoding"),
            "retry_after": header("retry-after"), "id": id});
        self.log.record(ANSWER, self.number, 0, about.to_string().as_bytes());
    }

    pub(super) fn piece(&self, data: &[u8]) {
        let left = self.left.load(Ordering::Relaxed);
        let wanted = if self.known { (data.len() as u64).min(left) as usize } else { 0 };
        let kept = self.log.take_room(wanted);
        self.left.store(left - kept as u64, Ordering::Relaxed);
        self.log.record(PIECE, self.number, data.len(), &data[..kept]);
    }

    /// It is over, once: whole, «aborted» by who asked, or why it failed.
    pub(super) fn end(&self, how: &str) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            self.log.record(END, self.number, 0, how.as_bytes());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end("aborted");
    }
}
