//! Requests over HTTP of a recorded program become part of the recording.

use super::Assembler;
use crate::import::http::build;
use crate::import::otlp::Received;
use crate::model::Severity;
use crate::record::calls::HttpCalls;
use crate::record::request;

impl Assembler {
    /// Adds requests, spans and findings; `origin`: unix time of the recording's begin. Gives the figures for its header.
    pub(in crate::record) fn calls(
        &mut self,
        calls: HttpCalls,
        origin: Option<i64>,
    ) -> (&'static str, String) {
        let HttpCalls { files, moment, beside } = calls;
        let here = self.scale.ns(moment.ticks);
        let by_wall = |unix: i64| unix.saturating_sub(origin.unwrap_or(unix));
        let shifts = files.iter().map(|file| match moment.counter {
            Some(counter) => here.saturating_sub(counter),
            None => by_wall(file.unix),
        });
        let shifts: Vec<i64> = shifts.collect();
        let built = build(files.into_iter().zip(shifts).collect(), beside, &mut self.builder);
        for remark in &built.remarks {
            let number = remark.request.map(|id| {
                let number = request::next_number();
                self.request_ids.insert(number, id);
                number
            });
            let found = (remark.kind, Severity::Warning, remark.text.as_str());
            self.found_of_request(found, number, remark.time);
        }
        built.fact()
    }

    /// Adds what programs sent by OpenTelemetry's protocol; `is_summary`: beside other spans of the same time. Gives the figures for
    /// the header.
    pub(in crate::record) fn received(
        &mut self,
        received: &Received,
        origin: Option<i64>,
        is_summary: bool,
    ) -> (&'static str, String) {
        received.add_to(&mut self.builder, origin.unwrap_or(0), false, is_summary)
    }
}
