//! All fields of one event, read again from the file when somebody wants to see them.

use super::super::{ImportError, Source};
use super::decode;
use super::scan::{Kind, Members, Raw, Scanner, Stop};
use super::window::{Fill, Window};

/// Fields and arguments of the event at `offset`; nested values as compact JSON.
pub(super) fn details(source: &mut Source, offset: u64) -> Result<Vec<(String, String)>, ImportError> {
    let changed = || ImportError::at_byte("has no event here any more", offset).remedy("open the file again");
    let mut window = Window::new(source, 64 << 10);
    if !window.seek(offset)? {
        return Err(changed());
    }
    loop {
        let stop = match Scanner::new(window.bytes()).value() {
            Ok(event) if event.kind == Kind::Nested => return Ok(fields(event)),
            Ok(_) => return Err(changed()),
            Err(stop) => stop,
        };
        if stop != Stop::More || window.fill()? != Fill::More {
            return Err(changed());
        }
    }
}

fn fields(event: Raw<'_>) -> Vec<(String, String)> {
    let shown = |(key, value): (Raw<'_>, Raw<'_>)| (decode::text(key).0.into_owned(), decode::compact(value));
    let mut rows = Vec::new();
    let mut args = Vec::new();
    for (key, value) in Members::of(event) {
        if key.bytes == b"args" && value.bytes.starts_with(b"{") {
            args.extend(Members::of(value).map(shown));
        } else {
            rows.push(shown((key, value)));
        }
    }
    rows.extend(args);
    rows
}
