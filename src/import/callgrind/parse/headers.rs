//! The lines above the records of a part: who wrote it, what it counts, and what its costs add up to.

use super::super::super::ImportError;
use super::super::address::Addresses;
use super::super::numbers::Cursor;
use super::Parser;

impl Parser<'_> {
    /// Reads one of them.
    ///
    /// # Errors
    /// When it says that the rest cannot be read.
    pub(super) fn header(&mut self, key: &[u8], value: &[u8]) -> Result<(), ImportError> {
        let starts_part =
            matches!(key, b"version" | b"creator" | b"pid" | b"thread" | b"part" | b"events" | b"positions");
        if starts_part && self.in_body {
            self.start_part();
        }
        let text = String::from_utf8_lossy(value);
        let headers = &mut self.headers;
        let set = |field: &mut String| {
            if field.is_empty() {
                *field = text.to_string();
            }
        };
        let list = |field: &mut Vec<String>| {
            if field.len() < 1000 && !field.iter().any(|f| *f == text) {
                field.push(text.to_string());
            }
        };
        match key {
            b"version" => self.version(&text)?,
            b"creator" => {
                set(&mut headers.creator);
                self.xdebug = headers.creator.starts_with("xdebug");
            }
            b"cmd" => set(&mut headers.cmd),
            b"pid" => set(&mut headers.pid),
            b"part" => {
                list(&mut headers.parts);
                self.muted = self.only.as_ref().is_some_and(|only| *only != text);
            }
            b"thread" => list(&mut headers.threads),
            b"desc" => {
                let Some((name, value)) = text.split_once(':') else { return Ok(()) };
                let (name, value) = (name.trim(), value.trim());
                match headers.desc.iter().position(|d| d.0 == name) {
                    // What differs between parts describes none of them.
                    Some(old) if headers.desc[old].1 != value => headers.desc[old].1.clear(),
                    None if headers.desc.len() < 32 => headers.desc.push((name.into(), value.into())),
                    _ => {}
                }
            }
            b"positions" => {
                let names: Vec<&str> = text.split_whitespace().collect();
                self.positions = names.len().clamp(1, 4);
                let position = |name| names.iter().take(4).position(|n| *n == name);
                self.line_position = position("line");
                self.addresses = Addresses::of_part(position("instr"));
            }
            b"event" => self.events.declare(&text),
            b"events" => {
                self.events
                    .columns(&text, &headers.creator, self.builder)
                    .map_err(|e| ImportError { place: ImportError::at_line("", self.line_no).place, ..e })?;
                headers.has_events |= !self.events.columns.is_empty();
                self.graph.set_stride(self.events.metrics.len());
                self.row = vec![0; self.events.metrics.len()];
            }
            b"summary" | b"totals" if self.muted => {}
            b"summary" | b"totals" => self.stated(key == b"summary", value),
            _ => self.warn("line that is not understood (skipped)"),
        }
        Ok(())
    }

    fn version(&mut self, text: &str) -> Result<(), ImportError> {
        let major = text.split('.').next().and_then(|v| v.trim().parse::<u64>().ok());
        match major {
            Some(0 | 1) => {}
            None => self.warn("version that is not a number"),
            Some(v) => {
                let what = format!("is version {v} of the callgrind format; only version 1 is known");
                return Err(ImportError::at_line(what, self.line_no));
            }
        }
        self.headers.version = Some(text.into());
        Ok(())
    }

    /// A `summary:` or `totals:` line.
    fn stated(&mut self, summary: bool, text: &[u8]) {
        let mut cursor = Cursor::new(text);
        self.read_costs(&mut cursor);
        if summary && self.xdebug {
            self.next_run();
            self.leave_out_impossible();
        }
        self.headers.summary_is_bad |= summary && self.row.contains(&i64::MAX);
        let stated = if summary { &mut self.headers.summary } else { &mut self.headers.totals };
        stated.resize(self.row.len(), 0);
        for (to, &cost) in stated.iter_mut().zip(&self.row) {
            *to = to.saturating_add(cost);
        }
    }
}
