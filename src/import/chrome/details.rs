//! All fields of one event, read again from the file when somebody wants to see them, with the arguments of the
//! event that ends what it began.

use super::super::{Details, ImportError, Source};
use super::event::Event;
use super::loose;
use super::scan::{Kind, Members, Raw, Scanner, Stop};
use super::window::{Fill, Window};
use super::{decode, number};

/// How far the end of a span is looked for. Reading this takes about half a second.
const MOST_BYTES: u64 = 256 << 20;

/// Fields and arguments of the events at `offsets`; nested values as compact JSON. What is in memory does not grow with their
/// number: reading goes forward, so what ends an event is looked for behind the last one only.
pub(super) fn details(
    source: &mut Source,
    offsets: &[u64],
    each: &mut dyn FnMut(u64, Details),
) -> Result<(), ImportError> {
    let mut window = Window::new(source, 64 << 10);
    for (i, &offset) in offsets.iter().enumerate() {
        each(offset, event(&mut window, offset, i + 1 == offsets.len())?);
    }
    Ok(())
}

/// What stands at an offset; `with_end` adds the arguments of the event that ends it.
fn event(window: &mut Window<'_>, offset: u64, with_end: bool) -> Result<Details, ImportError> {
    let changed = || ImportError::at_byte("has no event here any more", offset).remedy("open the file again");
    if !window.seek(offset)? {
        return Err(changed());
    }
    loop {
        let stop = match members(window.bytes()) {
            Ok((members, used)) => {
                let begin = Event::of(&members);
                let mut rows = fields(&members);
                if let Some(mut search) = Search::of(&begin).filter(|_| with_end) {
                    window.consume(used);
                    search.run(window, &mut rows)?;
                }
                return Ok(rows);
            }
            Err(stop) => stop,
        };
        if stop != Stop::More || window.fill()? != Fill::More {
            return Err(changed());
        }
    }
}

/// The members of the event that `bytes` start with, and its length.
fn members(bytes: &[u8]) -> Result<(Vec<(Raw<'_>, Raw<'_>)>, usize), Stop> {
    let mut scanner = Scanner::new(bytes);
    match scanner.value() {
        Ok(event) if event.kind == Kind::Nested => Ok((Members::of(event).collect(), scanner.at)),
        Ok(_) => Err(Stop::Bad(0)),
        Err(Stop::More) => Err(Stop::More),
        Err(Stop::Bad(_)) => {
            let mut scanner = Scanner::new(bytes);
            loose::event(&mut scanner).map(|members| (members, scanner.at))
        }
    }
}

/// The members of an object, also one with quotes that are not escaped.
fn members_of(object: Raw<'_>) -> Vec<(Raw<'_>, Raw<'_>)> {
    let mut scanner = Scanner::new(object.bytes);
    let mut strict = || {
        scanner.expect(b'{')?;
        while scanner.key()?.is_some() {
            scanner.value()?;
            scanner.separator()?;
        }
        Ok::<(), Stop>(())
    };
    if strict().is_ok() { Members::of(object).collect() } else { loose::object(object) }
}

fn shown((key, value): (Raw<'_>, Raw<'_>)) -> (String, String) {
    (decode::text(key).0.into_owned(), decode::compact(value))
}

fn fields(event: &[(Raw<'_>, Raw<'_>)]) -> Details {
    let mut rows = Vec::new();
    let mut args = Vec::new();
    for &(key, value) in event {
        if key.bytes == b"args" && value.bytes.starts_with(b"{") {
            args.extend(members_of(value).into_iter().map(shown));
        } else {
            rows.push(shown((key, value)));
        }
    }
    rows.extend(args);
    rows
}

/// Looks for the event that ends what another one began, as [`super::matching`] joins them: the innermost open span of
/// its name on the same thread, or in the same async operation.
struct Search {
    end: u8,
    begin: u8,
    /// What must be the same in all events of the thread or operation.
    same: Vec<Vec<u8>>,
    /// Names of the spans that are open, the one in question first.
    open: Vec<Vec<u8>>,
}

impl Search {
    fn of(begin: &Event<'_>) -> Option<Self> {
        let end = match begin.phase {
            b'B' => b'E',
            b'b' => b'e',
            b'S' => b'F',
            _ => return None,
        };
        let open = vec![begin.name.bytes.to_vec()];
        Some(Self { end, begin: begin.phase, same: same(begin), open })
    }

    fn run(&mut self, window: &mut Window<'_>, rows: &mut Vec<(String, String)>) -> Result<(), ImportError> {
        let limit = window.offset().saturating_add(MOST_BYTES);
        while window.offset() < limit && !self.open.is_empty() {
            let (used, stop) = self.drain(window.bytes(), rows);
            window.consume(used);
            match stop {
                Some(Stop::More) if window.fill()? == Fill::More => {}
                Some(_) => break,
                None => {}
            }
        }
        Ok(())
    }

    /// Passes the events in view. What is behind a broken place is not looked at.
    fn drain(&mut self, bytes: &[u8], rows: &mut Vec<(String, String)>) -> (usize, Option<Stop>) {
        let mut scanner = Scanner::new(bytes);
        while !self.open.is_empty() {
            let Ok(b) = scanner.peek() else { return (scanner.at, Some(Stop::More)) };
            let start = scanner.at;
            let event = match b {
                b',' => {
                    scanner.at += 1;
                    continue;
                }
                b'{' => Event::scan(&mut scanner),
                _ => return (start, Some(Stop::Bad(start))),
            };
            let event = event.or_else(|stop| match stop {
                Stop::More => Err(stop),
                Stop::Bad(_) => {
                    scanner.at = start;
                    Event::scan_loosely(&mut scanner)
                }
            });
            match event {
                Ok(event) => self.event(&event, rows),
                Err(stop) => return (start, Some(stop)),
            }
        }
        (scanner.at, None)
    }

    fn event(&mut self, event: &Event<'_>, rows: &mut Vec<(String, String)>) {
        if (event.phase != self.begin && event.phase != self.end) || same(event) != self.same {
            return;
        }
        if event.phase == self.begin {
            return self.open.push(event.name.bytes.to_vec());
        }
        let unnamed = event.name.is_none() || event.name.bytes.is_empty();
        let found = match unnamed {
            true => self.open.len().checked_sub(1),
            false => self.open.iter().rposition(|name| *name == event.name.bytes),
        };
        match found {
            Some(0) => {
                for (key, value) in members_of(event.args).into_iter().map(shown) {
                    let twice = rows.iter().any(|(k, _)| *k == key);
                    rows.push((if twice { format!("{key} (at its end)") } else { key }, value));
                }
                self.open.clear();
            }
            Some(at) => drop(self.open.remove(at)),
            None => {}
        }
    }
}

/// What tells the thread or the operation of an event from others.
fn same(event: &Event<'_>) -> Vec<Vec<u8>> {
    let number = |raw: Raw<'_>| match number::hex_or_integer(raw) {
        Some(n) => n.to_string().into_bytes(),
        None => raw.bytes.to_vec(),
    };
    match event.phase {
        b'B' | b'E' => vec![number(event.pid), number(event.tid)],
        b'b' | b'e' => {
            let local = Members::of(event.id2).any(|(key, _)| key.bytes == b"local");
            let process = if local { number(event.pid) } else { Vec::new() };
            vec![
                event.cat.bytes.to_vec(),
                event.scope.bytes.to_vec(),
                number(event.id),
                event.id2.bytes.to_vec(),
                process,
            ]
        }
        _ => vec![
            event.name.bytes.to_vec(),
            event.cat.bytes.to_vec(),
            event.scope.bytes.to_vec(),
            number(event.id),
        ],
    }
}
