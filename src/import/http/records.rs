//! The records of a file, put together to exchanges.

use std::collections::HashMap;
use std::io::{self, Read};

use super::super::ImportError;
use super::super::read::Oddities;
use super::exchange::{Exchange, Open};
use crate::model::ProfileBuilder;

/// How a file begins.
pub(crate) const MAGIC: &[u8] = b"\x89IHTTP1\n";
const HEAD: usize = 64;
const RECORD: usize = 24;
/// Longest record: a body, or what one begins with.
const LONGEST: usize = 2 << 20;
/// Exchanges that are kept, and of these at one time.
const MOST: usize = 200_000;
const MOST_OPEN: usize = 4096;
/// Bytes of texts that are kept in all.
const MOST_TEXT: usize = 96 << 20;

/// All exchanges of a process.
pub(crate) struct Calls {
    /// The process.
    pub(crate) pid: u32,
    /// What runs in it; empty when unknown.
    pub(super) program: String,
    /// Unix time of its clock's 0, ns.
    pub(crate) unix: i64,
    /// Texts were kept.
    pub(super) texts: bool,
    pub(super) exchanges: Vec<Exchange>,
    /// Exchanges that were not written down.
    left_out: u64,
    odd: Oddities,
}

impl Calls {
    /// When the first one began, by the clock of the process.
    pub(super) fn first(&self) -> Option<i64> {
        self.exchanges.iter().map(|e| e.start).min()
    }

    /// Forgets requests to addresses that begin so.
    #[cfg(feature = "workloads")]
    pub(crate) fn leave_out(&mut self, address: &str) {
        self.exchanges.retain(|e| !e.url.starts_with(address));
    }

    /// True when there is no request.
    #[cfg(feature = "workloads")]
    pub(crate) fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.left_out == 0
    }

    /// Hands over what was odd.
    pub(super) fn report(&mut self, b: &mut ProfileBuilder) {
        b.warn_many("HTTP requests not written down: the program made too many", "", self.left_out);
        std::mem::take(&mut self.odd).report(b);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn time_at(bytes: &[u8], at: usize) -> i64 {
    i64::try_from(u64_at(bytes, at)).unwrap_or(i64::MAX)
}

/// Fills `into` as far as there is something.
fn fill(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < into.len() {
        match from.read(&mut into[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

/// Reads a file. A torn end and records that make no sense are counted.
///
/// # Errors
/// When it is no such file or cannot be read.
pub(crate) fn read(from: &mut impl Read) -> Result<Calls, ImportError> {
    let mut head = [0; HEAD];
    if fill(from, &mut head)? < HEAD || !head.starts_with(MAGIC) {
        return Err(ImportError::malformed("is no file of HTTP requests, or was cut off at once"));
    }
    let mut calls = Calls {
        pid: u32_at(&head, 8),
        program: String::from_utf8_lossy(&head[40..]).trim_end_matches(['\0', '\u{fffd}']).to_owned(),
        texts: u32_at(&head, 12) & 1 == 0,
        unix: time_at(&head, 24).saturating_sub(time_at(&head, 16)),
        left_out: u64_at(&head, 32),
        exchanges: Vec::new(),
        odd: Oddities::default(),
    };
    let mut reading = Reading { open: HashMap::new(), text: 0 };
    let (mut start, mut data) = ([0; RECORD], Vec::new());
    let mut number = 0u64;
    loop {
        match fill(from, &mut start)? {
            0 => break,
            RECORD => {}
            _ => {
                calls.odd.add("file of HTTP requests is cut off; what came before is shown", String::new);
                break;
            }
        }
        number += 1;
        let length = u32_at(&start, 0) as usize;
        if length > LONGEST {
            calls.odd.add("file of HTTP requests is damaged; what came before is shown", || {
                format!("record {number}")
            });
            break;
        }
        data.resize(length, 0);
        if fill(from, &mut data)? < length {
            calls.odd.add("file of HTTP requests is cut off; what came before is shown", String::new);
            break;
        }
        let record = Record {
            kind: start[4],
            request: u32_at(&start, 8),
            size: u32_at(&start, 12),
            time: time_at(&start, 16),
            data: &data,
        };
        if !reading.add(&record, &mut calls) {
            calls
                .odd
                .add("record of HTTP requests that makes no sense (left out)", || format!("record {number}"));
        }
    }
    let mut open: Vec<_> = reading.open.drain().collect();
    open.sort_by_key(|(number, _)| *number);
    open.into_iter().for_each(|(_, open)| reading.close(*open, &mut calls));
    calls.exchanges.sort_by_key(|e| e.start);
    Ok(calls)
}

/// One record.
pub(super) struct Record<'a> {
    pub(super) kind: u8,
    request: u32,
    /// Bytes before something was cut.
    pub(super) size: u32,
    pub(super) time: i64,
    pub(super) data: &'a [u8],
}

struct Reading {
    open: HashMap<u32, Box<Open>>,
    /// Bytes of texts so far.
    text: usize,
}

impl Reading {
    /// Takes a record in; false when nothing is to be understood of it.
    fn add(&mut self, record: &Record<'_>, calls: &mut Calls) -> bool {
        if record.kind == super::exchange::START {
            let Some(open) = Open::begin(record, calls.texts) else { return false };
            if calls.exchanges.len() + self.open.len() >= MOST || self.open.len() >= MOST_OPEN {
                calls.left_out += 1;
                return true;
            }
            if let Some(earlier) = self.open.insert(record.request, Box::new(open)) {
                self.close(*earlier, calls);
            }
            return true;
        }
        let Some(open) = self.open.get_mut(&record.request) else {
            // Of an exchange that was left out.
            return calls.left_out > 0 || record.kind <= super::exchange::END;
        };
        match open.add(record) {
            Some(false) => true,
            Some(true) => {
                if let Some(open) = self.open.remove(&record.request) {
                    self.close(*open, calls);
                }
                true
            }
            None => false,
        }
    }

    fn close(&mut self, open: Open, calls: &mut Calls) {
        let mut exchange = open.end();
        if exchange.textless {
            calls
                .odd
                .add("prompts and answers left out: the program made more than 64 MiB of them", String::new);
        }
        if exchange.unkept && exchange.known {
            calls.odd.add(
                "calls of models without tokens: there was too much of bodies to keep them",
                String::new,
            );
        }
        self.text = self.text.saturating_add(exchange.text());
        if self.text > MOST_TEXT {
            calls.odd.add("prompts and answers left out: there are more than 96 MiB of them", String::new);
            exchange.forget_texts();
        }
        calls.exchanges.push(exchange);
    }
}
