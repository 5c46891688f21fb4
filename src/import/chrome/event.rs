//! The fields of one event, as they stand in the file.

use super::loose;
use super::scan::{Raw, Scan, Scanner, Stop};

/// One trace event. Fields that no part of the importer reads are skipped; `args` is kept as bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Event<'a> {
    /// Phase; 0 when it is missing or not one letter.
    pub phase: u8,
    pub name: Raw<'a>,
    pub cat: Raw<'a>,
    pub ts: Raw<'a>,
    pub dur: Raw<'a>,
    /// Duration by the thread's own clock.
    pub tdur: Raw<'a>,
    pub pid: Raw<'a>,
    pub tid: Raw<'a>,
    pub id: Raw<'a>,
    pub id2: Raw<'a>,
    pub scope: Raw<'a>,
    /// Scope of an instant.
    pub s: Raw<'a>,
    /// Binding point of a flow.
    pub bp: Raw<'a>,
    pub bind_id: Raw<'a>,
    pub flow_in: Raw<'a>,
    pub flow_out: Raw<'a>,
    /// Stack frame of a sample.
    pub sf: Raw<'a>,
    /// Source file and line, as tracing-chrome writes them.
    pub file: Raw<'a>,
    pub line: Raw<'a>,
    /// Module of the function, number of the span and of its caller on another thread, as inferscope writes them.
    pub module: Raw<'a>,
    pub span: Raw<'a>,
    pub caller: Raw<'a>,
    /// True for a span that had not ended where it ends.
    pub open: Raw<'a>,
    pub args: Raw<'a>,
    /// A field stands there twice; the last one counts.
    pub repeated: bool,
}

impl<'a> Event<'a> {
    /// Reads the object that starts at the scanner, which then stands behind it.
    pub fn scan(scanner: &mut Scanner<'a>) -> Scan<Self> {
        let mut event = Self::default();
        scanner.expect(b'{')?;
        while let Some(key) = scanner.key()? {
            let value = scanner.value()?;
            scanner.separator()?;
            event.set(key.bytes, value);
        }
        Ok(event)
    }

    /// The same for an event that is no JSON because quotes in its texts are not escaped. One that has no phase then
    /// is broken otherwise.
    #[cold]
    pub fn scan_loosely(scanner: &mut Scanner<'a>) -> Scan<Self> {
        let start = scanner.at;
        let event = Self::of(&loose::event(scanner)?);
        if event.phase == 0 { Err(Stop::Bad(start)) } else { Ok(event) }
    }

    /// The event with these members.
    pub fn of(members: &[(Raw<'a>, Raw<'a>)]) -> Self {
        let mut event = Self::default();
        members.iter().for_each(|(key, value)| event.set(key.bytes, *value));
        event
    }

    #[inline]
    fn set(&mut self, key: &[u8], value: Raw<'a>) {
        let field = match key {
            b"ph" => {
                self.repeated |= self.phase != 0;
                self.phase = match value.bytes {
                    &[letter] if value.is_string() => letter,
                    _ => 0,
                };
                return;
            }
            b"name" => &mut self.name,
            b"cat" => &mut self.cat,
            b"ts" => &mut self.ts,
            b"dur" => &mut self.dur,
            b"tdur" => &mut self.tdur,
            b"pid" => &mut self.pid,
            b"tid" => &mut self.tid,
            b"args" => &mut self.args,
            b"id" => &mut self.id,
            b"id2" => &mut self.id2,
            b"scope" => &mut self.scope,
            b"s" => &mut self.s,
            b"bp" => &mut self.bp,
            b"bind_id" => &mut self.bind_id,
            b"flow_in" => &mut self.flow_in,
            b"flow_out" => &mut self.flow_out,
            b"sf" => &mut self.sf,
            b".file" => &mut self.file,
            b".line" => &mut self.line,
            b".module" => &mut self.module,
            b".span" => &mut self.span,
            b".caller" => &mut self.caller,
            b".open" => &mut self.open,
            _ => return,
        };
        self.repeated |= !field.bytes.is_empty();
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_order_and_the_last_of_two_counts() {
        let text =
            br#"{"args":{"ph":"B"}, "ph":"X","other":[{}],"name":"n","name":"m","ts":1.5,"dur":2 , },"#;
        let mut scanner = Scanner::new(text);
        let event = Event::scan(&mut scanner).unwrap();
        assert_eq!(scanner.at, text.len() - 1);
        assert_eq!(
            (event.phase, event.name.bytes, event.ts.bytes, event.dur.bytes),
            (b'X', &b"m"[..], &b"1.5"[..], &b"2"[..])
        );
        assert!(event.repeated && event.cat.is_none());
        for cut in 0..text.len() - 1 {
            assert_eq!(Event::scan(&mut Scanner::new(&text[..cut])).unwrap_err(), Stop::More, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_object_is_told_from_what_is_cut_off() {
        for text in [r#"{"a" 1}"#, r#"{"a":1 "b":2}"#, "{a:1}", "[1]", r#"{"a":}"#] {
            assert!(matches!(Event::scan(&mut Scanner::new(text.as_bytes())), Err(Stop::Bad(_))), "{text}");
        }
    }
}
