//! The fields of one event, as they stand in the file.

use super::scan::{Raw, Scan, Scanner};

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
            let field = match key.bytes {
                b"ph" => {
                    event.repeated |= event.phase != 0;
                    event.phase = match value.bytes {
                        &[letter] if value.is_string() => letter,
                        _ => 0,
                    };
                    continue;
                }
                b"name" => &mut event.name,
                b"cat" => &mut event.cat,
                b"ts" => &mut event.ts,
                b"dur" => &mut event.dur,
                b"tdur" => &mut event.tdur,
                b"pid" => &mut event.pid,
                b"tid" => &mut event.tid,
                b"args" => &mut event.args,
                b"id" => &mut event.id,
                b"id2" => &mut event.id2,
                b"scope" => &mut event.scope,
                b"s" => &mut event.s,
                b"bp" => &mut event.bp,
                b"bind_id" => &mut event.bind_id,
                b"flow_in" => &mut event.flow_in,
                b"flow_out" => &mut event.flow_out,
                b"sf" => &mut event.sf,
                b".file" => &mut event.file,
                b".line" => &mut event.line,
                b".module" => &mut event.module,
                b".span" => &mut event.span,
                b".caller" => &mut event.caller,
                _ => continue,
            };
            event.repeated |= !field.bytes.is_empty();
            *field = value;
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::Stop;
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
