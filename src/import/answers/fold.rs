//! Puts the pieces of answers together: whole ones are one piece.

use serde_json::Value;

use super::super::llm::Call;
use super::super::read::value::{at, text};
use super::shape::{Shape, unwrapped};
use crate::model::{Chunks, Outcome};

/// Names under which logs keep the id of a request beside what came of it.
const IDS: [&str; 5] =
    ["custom_id", "client_request_id", "x_client_request_id", "idempotency_key", "request_id"];

/// Collects calls from answers and pieces of them, in order.
#[derive(Default)]
pub(super) struct Fold {
    /// Those that are complete, or that others followed.
    pub calls: Vec<Call>,
    open: Option<Open>,
    /// When what is added came, where somebody noted that.
    pub now: Option<i64>,
}

/// An answer of which more may come.
#[derive(Default)]
pub(super) struct Open {
    pub call: Call,
    shape: Option<Shape>,
    id: String,
    /// It came in pieces.
    pub streamed: bool,
    /// The server said that it is whole.
    pub finished: bool,
    pub pieces: u32,
    pub chunks: Chunks,
    /// When the piece that is being added came.
    pub now: Option<i64>,
}

impl Fold {
    /// Adds an answer or a piece of one; false when it is none.
    pub fn add(&mut self, value: &Value) -> bool {
        let Some((inner, shape)) = unwrapped(value) else { return false };
        let id = IDS.iter().map(|key| text(value, &[key])).find(|id| !id.is_empty()).unwrap_or("");
        let of_batch = text(value, &["id"]).starts_with("batch_req_");
        let value = inner;
        let piece = shape.is_piece(value);
        if self.open.as_ref().is_some_and(|open| !open.goes_on(value, shape, piece)) {
            self.close();
        }
        let open = self.open.get_or_insert_with(Open::default);
        open.now = self.now;
        if !id.is_empty() {
            id.clone_into(&mut open.call.id);
        }
        let over = open.add(value, shape, piece);
        // An answer names the tier of one that was not asked for in a batch.
        if of_batch {
            "batch".clone_into(&mut open.call.tier);
        }
        if over {
            self.close();
        }
        true
    }

    /// True when there is an answer, or the beginning of one.
    pub fn has_any(&self) -> bool {
        self.open.is_some() || !self.calls.is_empty()
    }

    /// The stream says that the answer is over.
    pub fn over(&mut self) {
        if let Some(open) = &mut self.open {
            open.finished = true;
        }
        self.close();
    }

    /// Nothing more of the answer comes.
    pub fn close(&mut self) {
        let number = self.calls.len() + 1;
        self.calls.extend(self.open.take().map(|open| open.done(number)));
    }
}

fn id_of(value: &Value, shape: Shape) -> &str {
    match shape {
        Shape::MessageEvent => text(value, &["message", "id"]),
        Shape::ResponseEvent => text(value, &["response", "id"]),
        Shape::Gemini => text(value, &["responseId"]),
        _ => text(value, &["id"]),
    }
}

impl Open {
    /// Whether a piece belongs to this answer.
    fn goes_on(&self, value: &Value, shape: Shape, piece: bool) -> bool {
        if shape == Shape::Error {
            return true;
        }
        let id = id_of(value, shape);
        let begins = matches!(text(value, &["type"]), "message_start" | "response.created")
            || value.get("messageStart").is_some();
        let same_kind = self.shape == Some(shape) || self.shape.is_none();
        let same = id.is_empty() || self.id.is_empty() || id == self.id;
        // Whole answers of Gemini are pieces of a longer one when they share its number or none of them has ended.
        let continues = piece || matches!(shape, Shape::Gemini | Shape::Ollama | Shape::LlamaCpp);
        continues && same_kind && same && !begins
    }

    /// Adds a piece; true when nothing more can come.
    fn add(&mut self, value: &Value, shape: Shape, piece: bool) -> bool {
        if shape != Shape::Error {
            self.shape = Some(shape);
            self.call.provider = shape.provider().into();
        }
        self.streamed |= piece;
        self.pieces += 1;
        if shape != Shape::Error {
            self.call.first_chunk = self.call.first_chunk.or(self.now);
        }
        let id = id_of(value, shape);
        if !id.is_empty() {
            id.clone_into(&mut self.id);
        }
        if let Some(error) = at(value, &["error"]) {
            self.fail(error);
        }
        match shape {
            Shape::Chat => self.chat(value),
            Shape::Response => self.response(value),
            Shape::ResponseEvent => self.response_event(value),
            Shape::Message => self.message(value),
            Shape::MessageEvent => self.message_event(value),
            Shape::Gemini => self.gemini(value),
            Shape::Converse => self.converse(value),
            Shape::ConverseEvent => self.converse_event(value),
            Shape::Ollama => self.ollama(value),
            Shape::LlamaCpp => self.llama_cpp(value),
            Shape::Usage => self.plain(value),
            Shape::Error => {
                // What was counted so far is the beginning of a longer answer.
                if self.pieces > 1 && !self.finished {
                    self.call.broken_off = true;
                    "the stream ended with an error before its usage: unknown, not 0"
                        .clone_into(&mut self.call.why);
                }
                if at(value, &["error"]).is_none() {
                    self.call.outcome = match text(value, &["type"]) {
                        "canceled" => Outcome::Cancelled,
                        _ => Outcome::Error,
                    };
                    text(value, &["type"]).clone_into(&mut self.call.error);
                }
                self.finished = true;
                true
            }
        }
    }

    fn done(self, number: usize) -> Call {
        let Self { mut call, id, streamed, finished, pieces, chunks, .. } = self;
        call.name = if id.is_empty() { format!("answer {number}") } else { id };
        let timed = !call.token_times.is_empty();
        if !timed && (streamed || (pieces > 1 && chunks.with_output > 0)) {
            call.chunks = Some(chunks);
        }
        if !finished && streamed && call.outcome == Outcome::Ok {
            call.outcome = Outcome::Cancelled;
            call.broken_off = true;
            if call.why.is_empty() {
                "the stream broke off before its usage: unknown, not 0".clone_into(&mut call.why);
            }
        } else if streamed && call.usage.says_nothing() && call.why.is_empty() {
            "the stream holds no usage (was include_usage set?): unknown, not 0".clone_into(&mut call.why);
        }
        call
    }

    pub fn fail(&mut self, error: &Value) {
        let message = error.as_str().or_else(|| error.get("message")?.as_str());
        let message = message.or_else(|| error.get("type")?.as_str()).unwrap_or("failed");
        self.call.outcome = Outcome::Error;
        message.split_whitespace().take(60).collect::<Vec<_>>().join(" ").clone_into(&mut self.call.error);
    }
}
