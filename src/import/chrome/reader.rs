//! Walks through the container: a list of events, an object with one in it, or events line by line.
//!
//! Nothing is asked of the container: brackets may be missing at the end, commas may be doubled, keys may
//! stand before and after the events. After a broken event reading goes on at the next one.

use serde_json::Value;

use super::super::{Context, ImportError};
use super::build::Build;
use super::event::Event;
use super::facts;
use super::oddities::Odd;
use super::scan::{Kind, Members, Raw, Scan, Scanner, Stop};
use super::window::{Fill, Window};

/// What the items of a list are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Items {
    Events,
    /// Events up to the end of the file, without a list around them.
    LooseEvents,
    Samples,
}

/// How far [`Reader::drain`] came.
enum Drained {
    /// Past the end of the list.
    Done,
    Stopped(Stop),
}

/// Where a list ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// At its bracket.
    Closed,
    /// With the file, between two items.
    Between,
    /// With the file, inside of an item.
    Inside,
}

/// Where reading a value ended.
enum Found<T> {
    Value(T),
    /// The file ends in it.
    Cut,
    /// It is larger than any that is read.
    TooLarge,
    /// It is no JSON from this many bytes on.
    Broken(usize),
}

pub(super) struct Reader<'r, 's, 'c> {
    pub window: Window<'s>,
    pub cx: &'r mut Context<'c>,
    pub build: Build,
}

impl Reader<'_, '_, '_> {
    /// Reads the whole file. Stops early when it has to be read again in order.
    pub fn document(&mut self) -> Result<(), ImportError> {
        let loose = super::sniff::is_loose(self.window.source().head());
        match self.window.peek()? {
            Some(_) if loose => {
                if self.list(Items::LooseEvents)? == End::Inside {
                    self.odd(Odd::CutOff);
                }
            }
            Some(b'[') => {
                self.window.consume(1);
                // The end of the list may be missing in this form, but not half an event.
                if self.list(Items::Events)? == End::Inside {
                    self.odd(Odd::CutOff);
                }
            }
            Some(b'{') => {
                self.window.consume(1);
                self.object()?;
            }
            _ => return Err(ImportError::malformed("is not a trace")),
        }
        if !self.build.is_disordered() && self.window.peek()?.is_some() {
            self.odd(Odd::Trailing);
        }
        Ok(())
    }

    fn odd(&mut self, odd: Odd) {
        self.build.odd.offset = self.window.offset();
        self.build.odd.count(odd);
    }

    fn fill(&mut self) -> Result<Fill, ImportError> {
        let fill = self.window.fill()?;
        if self.cx.picture_due() {
            self.build.label(&mut self.cx.builder);
        }
        self.cx.checkpoint(self.window.source())?;
        Ok(fill)
    }

    /// The members of the outermost object.
    fn object(&mut self) -> Result<(), ImportError> {
        loop {
            let key = match self.scan(|s| Ok(s.key()?.map(|k| k.bytes.to_vec())))? {
                Found::Value(Some(key)) => key,
                Found::Value(None) => return Ok(()),
                Found::Cut | Found::TooLarge => {
                    self.odd(Odd::CutOff);
                    return Ok(());
                }
                Found::Broken(at) => {
                    // A damaged list of events may seem to end early: look for more events.
                    self.odd(Odd::BadSyntax);
                    self.resync(at)?;
                    if self.window.bytes().is_empty() || self.list(Items::Events)? != End::Closed {
                        return Ok(());
                    }
                    continue;
                }
            };
            if !self.member(&key)? || self.build.is_disordered() {
                return Ok(());
            }
        }
    }

    /// The value of a member of the outermost object. False at the end of the file.
    fn member(&mut self, key: &[u8]) -> Result<bool, ImportError> {
        let first = self.window.peek()?;
        let whole = match (key, first) {
            (b"traceEvents", Some(b'[')) => {
                self.window.consume(1);
                self.list(Items::Events)? == End::Closed
            }
            (b"samples", Some(b'[')) => {
                self.window.consume(1);
                self.list(Items::Samples)? == End::Closed
            }
            (b"stackFrames", Some(b'{')) => {
                self.window.consume(1);
                self.stack_frames()?
            }
            _ if facts::is_read(key) => match self.scan(|s| s.value().map(|raw| parsed(raw)))? {
                Found::Value(value) => {
                    value.iter().for_each(|v| self.build.facts.take(key, v));
                    true
                }
                _ => self.skip_value()?,
            },
            _ => self.skip_value()?,
        };
        if !whole && !self.build.is_disordered() {
            self.odd(Odd::CutOff);
        }
        Ok(whole)
    }

    /// The items of a list behind its opening bracket.
    fn list(&mut self, items: Items) -> Result<End, ImportError> {
        loop {
            let (used, drained) = self.drain(items);
            self.window.consume(used);
            if self.build.is_disordered() {
                return Ok(End::Between);
            }
            match drained {
                Drained::Done => return Ok(End::Closed),
                Drained::Stopped(Stop::Bad(at)) => {
                    self.odd(Odd::BadSyntax);
                    self.resync(at)?;
                }
                Drained::Stopped(Stop::More) => match self.fill()? {
                    Fill::More => {}
                    Fill::End => {
                        let rest = self.window.bytes().len();
                        self.window.consume(rest);
                        return Ok(if rest == 0 { End::Between } else { End::Inside });
                    }
                    Fill::TooLarge => {
                        self.odd(Odd::TooLarge);
                        self.skip_value()?;
                    }
                },
            }
        }
    }

    /// Takes in all whole items in view. Returns the bytes used.
    fn drain(&mut self, items: Items) -> (usize, Drained) {
        let base = self.window.offset();
        let mut s = Scanner::new(self.window.bytes());
        loop {
            let Ok(b) = s.peek() else { return (s.at, Drained::Stopped(Stop::More)) };
            let start = s.at;
            let stopped = match b {
                b',' => {
                    s.at += 1;
                    continue;
                }
                b']' if items != Items::LooseEvents => return (s.at + 1, Drained::Done),
                b'{' => match Event::scan(&mut s) {
                    Ok(e) if items == Items::Samples => {
                        self.build.listed_sample(&e, base + start as u64);
                        continue;
                    }
                    Ok(e) => {
                        self.build.event(&mut self.cx.builder, &e, base + start as u64);
                        continue;
                    }
                    Err(stop @ Stop::Bad(_)) if items != Items::Samples => {
                        s.at = start;
                        match Event::scan_loosely(&mut s) {
                            Ok(e) => {
                                self.build.odd.count_at(Odd::Quotes, 1, base + start as u64);
                                self.build.event(&mut self.cx.builder, &e, base + start as u64);
                                continue;
                            }
                            Err(Stop::More) => Stop::More,
                            Err(Stop::Bad(_)) => stop,
                        }
                    }
                    Err(stop) => stop,
                },
                _ => match s.value() {
                    Ok(_) => {
                        self.build.odd.offset = base + start as u64;
                        self.build.odd.count(Odd::NotAnEvent);
                        continue;
                    }
                    Err(stop) => stop,
                },
            };
            let stopped = match stopped {
                Stop::Bad(at) => Stop::Bad(at - start),
                Stop::More => Stop::More,
            };
            return (start, Drained::Stopped(stopped));
        }
    }

    /// The members of `stackFrames`. False when the file ends before.
    fn stack_frames(&mut self) -> Result<bool, ImportError> {
        loop {
            let mut s = Scanner::new(self.window.bytes());
            let member = s.key().and_then(|key| match key {
                Some(key) => Ok(Some((key, s.value().and_then(|v| s.separator().map(|()| v))?))),
                None => Ok(None),
            });
            let used = s.at;
            let stop = match member {
                Ok(Some((key, value))) => {
                    self.build.stack_frame(&mut self.cx.builder, key, value);
                    self.window.consume(used);
                    continue;
                }
                Ok(None) => {
                    self.window.consume(used);
                    return Ok(true);
                }
                Err(stop) => stop,
            };
            if stop != Stop::More || self.fill()? != Fill::More {
                return Ok(false);
            }
        }
    }

    /// Reads one value with `read`, bringing as many bytes into view as it takes.
    fn scan<T>(&mut self, read: impl Fn(&mut Scanner<'_>) -> Scan<T>) -> Result<Found<T>, ImportError> {
        loop {
            let mut s = Scanner::new(self.window.bytes());
            match read(&mut s) {
                Ok(value) => {
                    let used = s.at;
                    self.window.consume(used);
                    return Ok(Found::Value(value));
                }
                Err(Stop::Bad(at)) => return Ok(Found::Broken(at)),
                Err(Stop::More) => match self.fill()? {
                    Fill::More => {}
                    Fill::End => return Ok(Found::Cut),
                    Fill::TooLarge => return Ok(Found::TooLarge),
                },
            }
        }
    }

    /// Moves past one value of any size. False when the file ends in it.
    fn skip_value(&mut self) -> Result<bool, ImportError> {
        let Some(first) = self.window.peek()? else { return Ok(false) };
        if !matches!(first, b'{' | b'[' | b'"') {
            return match self.scan(|s| s.value().map(|_| ()))? {
                Found::Value(()) => Ok(true),
                Found::Broken(at) => {
                    self.window.consume(at.max(1));
                    Ok(true)
                }
                Found::Cut | Found::TooLarge => Ok(false),
            };
        }
        let (mut depth, mut in_string, mut escaped) = (0u64, false, false);
        loop {
            let bytes = self.window.bytes();
            let mut at = 0;
            while at < bytes.len() {
                if in_string && !escaped {
                    // Only these two matter inside of a string.
                    match memchr::memchr2(b'"', b'\\', &bytes[at..]) {
                        Some(n) => at += n,
                        None => break,
                    }
                }
                let b = bytes[at];
                at += 1;
                match b {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = in_string,
                    b'"' => in_string = !in_string,
                    b'{' | b'[' if !in_string => depth += 1,
                    b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
                    _ => continue,
                }
                if depth == 0 && !in_string && !escaped {
                    self.window.consume(at);
                    return Ok(true);
                }
            }
            let all = bytes.len();
            self.window.consume(all);
            if self.fill()? != Fill::More {
                return Ok(false);
            }
        }
    }

    /// Moves from a broken place, `at` bytes on, to what looks like the start of the next event: a `{` after
    /// a `,` or `}` and before a `"`. At the end of the file nothing is in view.
    fn resync(&mut self, at: usize) -> Result<(), ImportError> {
        let passed = &self.window.bytes()[..at];
        let mut before = passed.iter().rev().copied().find(|&b| b > b' ').unwrap_or(b' ');
        self.window.consume(at.max(1));
        loop {
            let bytes = self.window.bytes();
            let mut candidate = None;
            let mut found = None;
            for (i, &b) in bytes.iter().enumerate().filter(|(_, b)| **b > b' ') {
                if let (Some(start), b'"') = (candidate, b) {
                    found = Some(start);
                    break;
                }
                candidate = (b == b'{' && matches!(before, b',' | b'}')).then_some(i);
                before = b;
            }
            if let Some(start) = found {
                self.window.consume(start);
                return Ok(());
            }
            // A candidate whose next byte is not in view yet stays there and is looked at again.
            let keep = candidate.unwrap_or(bytes.len());
            if candidate.is_some() {
                before = b',';
            }
            self.window.consume(keep);
            if self.fill()? != Fill::More {
                let rest = self.window.bytes().len();
                self.window.consume(rest);
                return Ok(());
            }
        }
    }
}

fn parsed(raw: Raw<'_>) -> Option<Value> {
    match raw.kind {
        Kind::Plain | Kind::Escaped => Some(Value::String(super::decode::text(raw).0.into_owned())),
        Kind::Nested => serde_json::from_slice(raw.bytes).ok().or_else(|| {
            // Members that can be read are better than none.
            let members = Members::of(raw)
                .filter_map(|(k, v)| Some((super::decode::text(k).0.into_owned(), parsed_flat(v)?)));
            Some(Value::Object(members.collect()))
        }),
        _ => serde_json::from_slice(raw.bytes).ok(),
    }
}

fn parsed_flat(raw: Raw<'_>) -> Option<Value> {
    if raw.is_string() {
        return Some(Value::String(super::decode::text(raw).0.into_owned()));
    }
    serde_json::from_slice(raw.bytes).ok()
}
