//! One answer whose pieces came at known times: the body of a response as somebody received it.

use serde_json::{Map, Value};

use super::super::llm::{Call, Clock};
use super::super::read::base64;
use super::super::read::json::Json;
use super::super::read::sse::{Event, Parser};
use super::super::read::value::value;
use super::fold::Fold;

/// Longest body that is read as a whole, longest line, longest frame, bytes.
const LONGEST: usize = 16 << 20;

/// How the parts of a body are told apart.
enum Framing {
    /// The first bytes tell.
    Unknown,
    /// Server-sent events.
    Events(Parser),
    /// A JSON value a line.
    Lines,
    /// AWS's `application/vnd.amazon.eventstream`.
    Frames,
    /// One JSON value, or a list of them.
    Whole,
}

/// Reads the body of a response of a model server.
pub(in crate::import) struct Answer {
    framing: Framing,
    /// What is not read yet: the begin of a line or a frame, or all so far.
    left: Vec<u8>,
    fold: Fold,
    too_long: bool,
}

impl Answer {
    /// One of this content type; empty when unknown.
    pub fn new(kind: &str) -> Self {
        let kind = kind.to_ascii_lowercase();
        let framing = match () {
            () if kind.contains("event-stream") => Framing::Events(Parser::default()),
            () if kind.contains("ndjson") || kind.contains("jsonl") || kind.contains("json-seq") => {
                Framing::Lines
            }
            () if kind.contains("amazon.eventstream") => Framing::Frames,
            () => Framing::Unknown,
        };
        Self { framing, left: Vec::new(), fold: Fold::default(), too_long: false }
    }

    /// More of the body, which came at `time`.
    pub fn push(&mut self, bytes: &[u8], time: i64) {
        if self.too_long || bytes.is_empty() {
            return;
        }
        self.fold.now = Some(time);
        let begin;
        let bytes = match self.framing {
            Framing::Unknown => {
                self.left.extend_from_slice(bytes);
                // Servers send events under other names, too.
                let start = self.left.trim_ascii_start();
                if start.len() < 6 {
                    return;
                }
                let events = [&b"data:"[..], b"event:", b": "].iter().any(|sign| start.starts_with(sign));
                self.framing = if events { Framing::Events(Parser::default()) } else { Framing::Whole };
                begin = std::mem::take(&mut self.left);
                &begin[..]
            }
            _ => bytes,
        };
        if let Framing::Events(parser) = &mut self.framing {
            let mut found = Vec::new();
            parser.push(bytes, &mut found);
            return found.into_iter().for_each(|event| self.event(event));
        }
        if self.left.len() + bytes.len() > LONGEST {
            (self.too_long, self.left) = (true, Vec::new());
            return;
        }
        self.left.extend_from_slice(bytes);
        match self.framing {
            Framing::Lines if bytes.contains(&b'\n') => self.lines(false),
            Framing::Frames => self.frames(),
            _ => {}
        }
    }

    /// The answer, or what came of it. Its stamps are those of the pieces; when it was asked for and when it ended is for
    /// whoever knows. `None` when it is no answer of a model.
    pub fn finish(mut self) -> Option<Call> {
        match &mut self.framing {
            Framing::Events(parser) => {
                let mut found = Vec::new();
                parser.finish(&mut found);
                found.into_iter().for_each(|event| self.event(event));
            }
            Framing::Lines => self.lines(true),
            Framing::Whole => {
                // Its tokens did not come one by one.
                self.fold.now = None;
                let left = std::mem::take(&mut self.left);
                self.whole(&left);
            }
            Framing::Frames | Framing::Unknown => {}
        }
        self.fold.close();
        let mut calls = self.fold.calls.into_iter();
        let mut call = calls.next()?;
        // Nothing follows an answer but what its server adds to it: an error, usage in a chunk of its own.
        for more in calls {
            call.usage.update(&more.usage);
            call.usage_of_provider |= more.usage_of_provider;
            if !more.error.is_empty() {
                (call.outcome, call.error) = (more.outcome, more.error);
            }
        }
        (call.clock, call.start, call.end) = (Clock::Unix, 0, None);
        Some(call)
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Data(data) if data.trim() == "[DONE]" => self.fold.over(),
            Event::Data(data) => self.json(data.as_bytes()),
            Event::TooLong => {}
        }
    }

    fn json(&mut self, bytes: &[u8]) {
        if let Ok(value) = value(&mut Json::of_bytes(bytes)) {
            self.fold.add(&value);
        }
    }

    fn lines(&mut self, last: bool) {
        let left = std::mem::take(&mut self.left);
        let whole = if last { left.len() } else { memchr::memrchr(b'\n', &left).map_or(0, |at| at + 1) };
        for line in left[..whole].split(|b| *b == b'\n') {
            self.json(line.trim_ascii());
        }
        self.left = left[whole..].to_vec();
    }

    fn whole(&mut self, bytes: &[u8]) {
        let mut json = Json::of_bytes(bytes);
        if json.peek().is_ok_and(|first| first == b'[') {
            if json.enter_array().is_err() {
                return;
            }
            while let Ok(true) = json.next_item() {
                match value(&mut json) {
                    Ok(value) => self.fold.add(&value),
                    Err(_) => return,
                };
            }
            return;
        }
        self.json(bytes);
    }

    fn frames(&mut self) {
        let mut done = 0;
        loop {
            match frame(&self.left[done..]) {
                Frame::Whole(value, length) => {
                    done += length;
                    if let Some(value) = value {
                        self.fold.add(&value);
                    }
                }
                Frame::Begun => break,
                Frame::Broken => {
                    (self.too_long, self.left) = (true, Vec::new());
                    return;
                }
            }
        }
        self.left.drain(..done);
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([four[0], four[1], four[2], four[3]]) as usize)
}

/// What stands at the begin of a stream of frames.
enum Frame {
    /// A whole one of so many bytes, as the JSON that the API's SDKs give; one that is none of an answer has no value.
    Whole(Option<Value>, usize),
    /// More must come.
    Begun,
    /// No such stream: nothing of it can be told apart.
    Broken,
}

fn frame(bytes: &[u8]) -> Frame {
    let (Some(length), Some(headers)) = (number(bytes, 0), number(bytes, 4)) else { return Frame::Begun };
    if !(16..=LONGEST).contains(&length) || headers > length - 16 {
        return Frame::Broken;
    }
    let Some(frame) = bytes.get(..length) else { return Frame::Begun };
    let name = event_name(&frame[12..12 + headers]);
    let payload = serde_json::from_slice::<Value>(&frame[12 + headers..length - 4]).ok();
    let value = match (name, payload) {
        // A model's own format inside of Bedrock's.
        (Some((name, false)), Some(inner)) if name == "chunk" => {
            let inside = inner.get("bytes").and_then(Value::as_str).and_then(base64::decode);
            inside.and_then(|bytes| serde_json::from_slice(&bytes).ok())
        }
        (Some((name, false)), Some(inner)) => Some(Value::Object(Map::from_iter([(name, inner)]))),
        (Some((name, true)), inner) => {
            let text = inner.as_ref().and_then(|i| i.get("message")).and_then(Value::as_str);
            Some(serde_json::json!({"error": {"type": name, "message": text.unwrap_or(&name)}}))
        }
        (_, None) | (None, _) => None,
    };
    Frame::Whole(value, length)
}

/// What a frame's headers call the event; true for an exception.
fn event_name(mut headers: &[u8]) -> Option<(String, bool)> {
    loop {
        let name_length = usize::from(*headers.first()?);
        let name = headers.get(1..1 + name_length)?;
        headers = headers.get(1 + name_length..)?;
        let kind = *headers.first()?;
        let length = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            6 | 7 => 2 + usize::from(u16::from_be_bytes([*headers.get(1)?, *headers.get(2)?])),
            9 => 16,
            _ => return None,
        };
        let content = headers.get(1..1 + length)?;
        headers = &headers[1 + length..];
        if kind == 7 && matches!(name, b":event-type" | b":exception-type") {
            return Some((String::from_utf8_lossy(&content[2..]).into_owned(), name == b":exception-type"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outcome;

    /// The bytes in pieces of `size`, one a millisecond.
    fn read(kind: &str, body: &[u8], size: usize) -> Option<Call> {
        let mut answer = Answer::new(kind);
        body.chunks(size).zip(1..).for_each(|(piece, ms)| answer.push(piece, ms));
        answer.finish()
    }

    const CHAT: &str = concat!(
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n",
        "data: [DONE]\n\n",
    );

    #[test]
    fn tokens_have_the_time_of_the_piece_that_completed_them() {
        let mut answer = Answer::new("text/event-stream");
        for (event, ms) in CHAT.split_inclusive("\n\n").zip([10, 20, 30, 40, 41]) {
            answer.push(event.as_bytes(), ms);
        }
        let call = answer.finish().unwrap();
        assert_eq!(call.token_times, [20, 30]);
        assert_eq!((call.first_chunk, call.first_token, call.last_token), (Some(10), Some(20), Some(30)));
        assert_eq!((call.completion.as_str(), call.usage.output, call.outcome), ("ab", Some(2), Outcome::Ok));
        assert_eq!((call.chunks, call.end), (None, None));
        for size in [1, 7, 100] {
            let call = read("", CHAT.as_bytes(), size).unwrap();
            assert_eq!((call.completion.as_str(), call.usage.input), ("ab", Some(9)), "{size}");
        }
    }

    #[test]
    fn an_answer_that_breaks_off_keeps_what_came() {
        let cut = CHAT.find("\"content\":\"b\"").unwrap();
        let call = read("text/event-stream", &CHAT.as_bytes()[..cut], 50).unwrap();
        assert_eq!((call.completion.as_str(), call.outcome), ("a", Outcome::Cancelled));
        assert!(read("text/event-stream", b"", 1).is_none() && read("text/html", b"<html>", 3).is_none());
    }

    fn packed(name: &str, payload: &str) -> Vec<u8> {
        let mut headers = vec![11];
        headers.extend(b":event-type");
        headers.push(7);
        headers.extend((name.len() as u16).to_be_bytes());
        headers.extend(name.as_bytes());
        let length = 16 + headers.len() + payload.len();
        let mut frame = (length as u32).to_be_bytes().to_vec();
        frame.extend((headers.len() as u32).to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(headers);
        frame.extend(payload.as_bytes());
        frame.extend([0; 4]);
        frame
    }

    #[test]
    fn bedrocks_frames_are_told_apart() {
        let mut body = packed("messageStart", r#"{"role":"assistant"}"#);
        body.extend(packed("contentBlockDelta", r#"{"delta":{"text":"ho"}}"#));
        body.extend(packed("messageStop", r#"{"stopReason":"end_turn"}"#));
        body.extend(packed("metadata", r#"{"usage":{"inputTokens":4,"outputTokens":1,"totalTokens":5}}"#));
        for size in [1, 64, 4096] {
            let call = read("application/vnd.amazon.eventstream", &body, size).unwrap();
            assert_eq!((call.completion.as_str(), call.usage.output), ("ho", Some(1)));
            assert_eq!(call.token_times.len(), 1);
        }
        // {"type":"content_block_delta","delta":{"text":"ho"}}
        let inner = "eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InRleHQiOiJobyJ9fQ==";
        let body = packed("chunk", &format!("{{\"bytes\":\"{inner}\"}}"));
        assert_eq!(read("application/vnd.amazon.eventstream", &body, 30).unwrap().completion, "ho");
        for cut in 0..body.len() {
            read("application/vnd.amazon.eventstream", &body[..cut], 5);
            let mut odd = body.clone();
            odd[cut] ^= 0x5a;
            read("application/vnd.amazon.eventstream", &odd, 9);
        }
    }

    #[test]
    fn whole_answers_have_no_stamps_of_tokens() {
        let body = br#"{"id":"x","model":"m","choices":[{"message":{"content":"ho"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
        let call = read("application/json", body, 40).unwrap();
        assert_eq!((call.first_token, call.token_times.len(), call.usage.output), (None, 0, Some(2)));
        let lines = b"{\"model\":\"l\",\"message\":{\"content\":\"a\"},\"done\":false}\n{\"model\":\"l\",\"message\":{\"content\":\"\"},\"done\":true,\"eval_count\":1}";
        let call = read("application/x-ndjson", lines, 20).unwrap();
        assert_eq!((call.token_times.len(), call.usage.output, call.outcome), (1, Some(1), Outcome::Ok));
    }
}
