//! One request over HTTP and its answer.

use serde_json::Value;

use super::super::answers::Answer;
use super::super::llm::Call;
use super::super::read::value::{at, count, text};
use super::asked::Asked;
use super::coding::Coding;
use super::records::Record;
use crate::format::one_line;
use crate::model::Outcome;

/// Kinds of records.
pub(super) const START: u8 = 1;
const BODY: u8 = 2;
const STAMP: u8 = 3;
const ANSWER: u8 = 4;
const PIECE: u8 = 5;
pub(super) const END: u8 = 6;

/// Of the body of an error only this much is looked at.
const LONGEST_ERROR: usize = 64 << 10;
/// Pieces of one answer whose times are kept.
const MOST_PIECES: u32 = 1 << 20;

/// How an exchange ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum How {
    /// It had not.
    #[default]
    Running,
    Whole,
    /// The program did not want the rest.
    Aborted,
    /// What was raised.
    Failed(String),
}

/// When things happened, by the clock of the process, ns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamps {
    pub(super) connect: Option<i64>,
    pub(super) connected: Option<i64>,
    pub(super) tls: Option<i64>,
    pub(super) send: Option<i64>,
    pub(super) sent: Option<i64>,
    pub(super) first_byte: Option<i64>,
}

/// One exchange.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    pub(super) library: String,
    pub(super) method: String,
    pub(super) url: String,
    /// Its route is one of language models.
    pub(super) known: bool,
    pub(super) thread: Option<i64>,
    pub(super) thread_name: String,
    pub(super) task: Option<i64>,
    pub(super) task_name: String,
    /// The thread whose event loop was to run waited for it.
    pub(super) blocks: bool,
    pub(super) start: i64,
    pub(super) stamps: Stamps,
    pub(super) status: Option<u16>,
    pub(super) id: String,
    /// The proxy that passed it on says which of its exchanges it is, or was told to say so.
    pub(super) mark: String,
    pub(super) asked: Option<Asked>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) end: Option<i64>,
    pub(super) how: How,
    /// The answer of a model.
    pub(super) call: Option<Call>,
    /// Why it failed, as the server says it.
    pub(super) refusal: String,
    /// Why an answer that came cannot be read.
    pub(super) unread: &'static str,
    /// What was sent was not kept, or nothing but its texts was left out, because there was too much of it.
    pub(super) unkept: bool,
    pub(super) textless: bool,
}

impl Exchange {
    /// True for a call of a model, whatever came of it: its route says so, and what was sent or what came do not deny it.
    pub(super) fn is_call(&self) -> bool {
        let names_a_model = self.asked.as_ref().is_some_and(|asked| !asked.model.is_empty())
            || !super::hosts::model(&self.url).is_empty();
        self.known
            && (self.unkept
                || self.call.is_some()
                || names_a_model
                || !super::hosts::provider(&self.url).is_empty())
    }

    /// True when it failed in a way that is usually tried again.
    pub(super) fn may_be_tried_again(&self) -> bool {
        match self.status {
            Some(status) => status >= 500 || matches!(status, 408 | 409 | 425 | 429),
            None => matches!(self.how, How::Failed(_)),
        }
    }

    /// Why it failed in a few words; `None` when it did not.
    pub(super) fn failure(&self) -> Option<String> {
        match (self.status, &self.how) {
            (Some(status), _) if status >= 400 => Some(match self.refusal.as_str() {
                "" => format!("HTTP {status}"),
                why => format!("HTTP {status}: {why}"),
            }),
            (_, How::Failed(why)) => Some(why.clone()),
            _ => None,
        }
    }

    /// True when all of the answer came, with its usage, whether or not the server said why it stopped.
    pub(super) fn is_whole(&self) -> bool {
        self.how == How::Whole && self.call.as_ref().is_some_and(|call| call.usage.output.is_some())
    }

    pub(super) fn outcome(&self) -> Outcome {
        let said = self.call.as_ref().map(|call| match self.is_whole() {
            true if call.outcome == Outcome::Cancelled => Outcome::Ok,
            _ => call.outcome,
        });
        match (&self.how, said) {
            _ if self.failure().is_some() => Outcome::Error,
            (_, Some(Outcome::Error)) => Outcome::Error,
            (How::Running, _) => Outcome::Running,
            // The program had all of the answer when it left.
            (How::Aborted, Some(Outcome::Ok)) => Outcome::Ok,
            (How::Aborted, _) => Outcome::Cancelled,
            (_, said) => said.unwrap_or(Outcome::Ok),
        }
    }

    /// Bytes of texts.
    pub(super) fn text(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, |asked| asked.prompt.len());
        asked + self.call.as_ref().map_or(0, |call| call.completion.len())
    }

    pub(super) fn forget_texts(&mut self) {
        self.asked.iter_mut().for_each(|asked| asked.prompt = String::new());
        if let Some(call) = &mut self.call {
            call.completion = String::new();
            // A server's words may repeat the prompt.
            if !call.error.is_empty() {
                "the server reported an error".clone_into(&mut call.error);
            }
        }
    }
}

/// An exchange of which more may come.
pub(super) struct Open {
    exchange: Exchange,
    texts: bool,
    answer: Option<(Coding, Answer)>,
    error: Option<(Coding, Vec<u8>)>,
    pieces: u32,
    /// Bytes of the body that are there, and whether some are not.
    cut: bool,
}

impl Open {
    /// One that begins; `None` when the record makes no sense.
    pub(super) fn begin(record: &Record<'_>, texts: bool) -> Option<Self> {
        let about: Value = serde_json::from_slice(record.data).ok().filter(Value::is_object)?;
        let said = |key: &str| text(&about, &[key]).to_owned();
        let number = |key: &str| at(&about, &[key]).and_then(Value::as_i64);
        let flag = |key: &str| about.get(key) == Some(&Value::Bool(true));
        let textless = texts && about.get("texts") == Some(&Value::Bool(false));
        let exchange = Exchange {
            library: said("library"),
            method: said("method"),
            url: said("url"),
            known: flag("known"),
            thread: number("thread"),
            thread_name: said("thread_name"),
            task: number("task"),
            task_name: said("task_name"),
            blocks: flag("blocks"),
            mark: said("mark"),
            start: record.time,
            textless,
            ..Exchange::default()
        };
        let texts = texts && !textless;
        Some(Self { exchange, texts, answer: None, error: None, pieces: 0, cut: false })
    }

    /// Takes a record in: true when it was the last one, `None` when it makes no sense.
    pub(super) fn add(&mut self, record: &Record<'_>) -> Option<bool> {
        let e = &mut self.exchange;
        match record.kind {
            BODY => {
                e.sent = record.size.into();
                e.unkept = self.texts && record.size > 0 && record.data.is_empty();
                e.asked = Some(Asked::of(record.data, self.texts));
            }
            STAMP => {
                let s = &mut e.stamps;
                let (stamp, again) = match record.data {
                    b"connect" => (&mut s.connect, false),
                    b"connected" => (&mut s.connected, true),
                    b"tls" => (&mut s.tls, true),
                    b"send" => (&mut s.send, false),
                    b"sent" => (&mut s.sent, true),
                    b"first_byte" => (&mut s.first_byte, false),
                    _ => return None,
                };
                if stamp.is_none() || again {
                    *stamp = Some(record.time);
                }
            }
            ANSWER => self.answered(record)?,
            PIECE => self.piece(record),
            END => {
                e.end = Some(record.time);
                e.how = match record.data {
                    b"" => How::Whole,
                    b"aborted" => How::Aborted,
                    why => How::Failed(one_line(&String::from_utf8_lossy(why))),
                };
                return Some(true);
            }
            _ => return None,
        }
        Some(false)
    }

    fn answered(&mut self, record: &Record<'_>) -> Option<()> {
        let about: Value = serde_json::from_slice(record.data).ok()?;
        let e = &mut self.exchange;
        e.status = at(&about, &["status"]).and_then(count).and_then(|n| u16::try_from(n).ok());
        e.stamps.first_byte = e.stamps.first_byte.or(Some(record.time));
        text(&about, &["id"]).clone_into(&mut e.id);
        let through = text(&about, &["through"]);
        if !through.is_empty() {
            through.clone_into(&mut e.mark);
        }
        if e.known {
            let (kind, coding) = (text(&about, &["type"]), text(&about, &["coding"]));
            match e.status {
                Some(status) if status >= 400 => self.error = Some((Coding::new(coding), Vec::new())),
                _ => self.answer = Some((Coding::new(coding), Answer::new(kind))),
            }
        }
        Some(())
    }

    fn piece(&mut self, record: &Record<'_>) {
        self.exchange.received = self.exchange.received.saturating_add(record.size.into());
        self.pieces = self.pieces.saturating_add(1);
        if self.pieces > MOST_PIECES {
            self.cut = true;
            return;
        }
        self.cut |= self.texts && record.data.len() < record.size as usize;
        if let Some((coding, answer)) = &mut self.answer {
            answer.push(&coding.unpack(record.data), record.time);
        }
        if let Some((coding, error)) = &mut self.error {
            let unpacked = coding.unpack(record.data);
            let room = LONGEST_ERROR.saturating_sub(error.len());
            error.extend_from_slice(&unpacked[..unpacked.len().min(room)]);
        }
    }

    /// The exchange as it is in the end.
    pub(super) fn end(self) -> Exchange {
        let Self { mut exchange, texts, answer, error, cut, .. } = self;
        let Exchange { call, refusal, unread, received, unkept, .. } = &mut exchange;
        if let Some((coding, answer)) = answer {
            let problem = coding.problem();
            *call = answer.finish();
            if let Some(call) = call.as_mut().filter(|call| cut && call.outcome == Outcome::Cancelled) {
                // It was not broken off: its rest was not kept.
                call.outcome = Outcome::Ok;
            }
            let says_nothing = call.as_ref().is_none_or(|call| call.usage.says_nothing());
            if says_nothing && *received > 0 {
                *unread = match problem {
                    _ if cut && *unkept => "the answer was not kept, there were too many: unknown, not 0",
                    _ if cut => "only the first MiB of the answer is kept: unknown, not 0",
                    Some(problem) => problem,
                    None if !texts && call.is_none() => {
                        "the answer could not be kept without its texts: unknown, not 0"
                    }
                    None => "",
                };
            }
        }
        if let Some((_, error)) = error.filter(|_| texts) {
            *refusal = reason(&error);
        }
        if !texts {
            exchange.forget_texts();
        }
        exchange
    }
}

/// The reason in the body of an answer that is an error, in one line.
fn reason(body: &[u8]) -> String {
    let said = String::from_utf8_lossy(body);
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        // A page for people says nothing that its status does not.
        return if said.trim_start().starts_with('<') { String::new() } else { one_line(&said) };
    };
    // Gemini's comes in a list.
    let value = value.get(0).unwrap_or(&value);
    let error = ["error", "detail", "message", "Message"].iter().find_map(|key| at(value, &[key]));
    let error = error.unwrap_or(value);
    match error.as_str().or_else(|| error.get("message")?.as_str()) {
        Some(said) => one_line(said),
        None => one_line(&error.to_string()),
    }
}
