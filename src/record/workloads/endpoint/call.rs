//! One request: attempts with back-off, and the answer as it comes, with a span for every wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::timeout;
use tracing::field::Empty;
use tracing::{Instrument, Span, debug_span, info_span, trace, warn};

use super::Shared;
use super::http::{Connection, reason};
use super::prompts::Prompt;
use super::wire::{self, Piece};
use crate::format;
use crate::import::sse::{Event, Parser};
use crate::model::{Severity, TokenCounts};
use crate::record::llm::Pcg32;
use crate::record::{RequestHandle, finding, request_span, secrets};

/// A response that is longer is no answer of a language model.
const LONGEST: usize = 64 << 20;
/// So many malformed chunks mean that this is no such stream at all.
const MOST_MALFORMED: u64 = 100;
/// Of an error response only this much is read.
const LONGEST_ERROR: usize = 64 << 10;
/// Longest wait that a server may ask for.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// A request to be made.
pub(super) struct Job {
    pub(super) number: usize,
    pub(super) prompt: Prompt,
    pub(super) request: RequestHandle,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    Connect(String),
    Status {
        code: u16,
        retry_after: Option<Duration>,
        why: String,
    },
    Timeout(String),
    Cut(String),
    /// The server said so inside its answer.
    Server(String),
    Protocol(String),
}

impl Failure {
    /// Its kind, for counting.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Connect(_) => "no connection".into(),
            Self::Status { code, .. } => format!("HTTP {code}"),
            Self::Timeout(_) => "timeout".into(),
            Self::Cut(_) => "cut".into(),
            Self::Server(_) => "error of the server".into(),
            Self::Protocol(_) => "not understood".into(),
        }
    }

    /// How long to wait before attempt number `tried + 1`; `None` when another one would not help, or would
    /// pay twice for an answer.
    fn back_off(&self, tried: u32, rng: &mut Pcg32) -> Option<Duration> {
        let asked = match self {
            Self::Connect(_) => None,
            Self::Status { code: 408 | 429 | 500 | 502 | 503 | 504 | 529, retry_after, .. } => *retry_after,
            _ => return None,
        };
        let double = 0.5 * 2f64.powi(tried.min(6) as i32 - 1) * (0.75 + rng.unit() / 2.0);
        Some(asked.unwrap_or(Duration::from_secs_f64(double)).min(LONGEST_BACK_OFF))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { code, why, .. } if why.is_empty() => write!(f, "HTTP {code}"),
            Self::Status { code, why, .. } => write!(f, "HTTP {code}: {why}"),
            Self::Timeout(why) => write!(f, "timeout: {why}"),
            Self::Cut(why) => write!(f, "cut: {why}"),
            Self::Server(why) => write!(f, "the server says: {why}"),
            Self::Connect(why) | Self::Protocol(why) => f.write_str(why),
        }
    }
}

/// Makes a request to its end, good or bad. `connection` is what the client has open.
pub(super) async fn serve(shared: &Shared, connection: &mut Option<Connection>, job: Job) {
    let span = request_span(|| {
        info_span!(target: "inferscope::endpoint", "request", number = job.number, model = Empty,
            status = Empty, attempts = Empty, prompt_tokens = Empty, cached_tokens = Empty, output_tokens = Empty,
            reasoning_tokens = Empty, chunks = Empty, malformed_chunks = Empty, finish_reason = Empty, error = Empty)
    });
    let work = async {
        job.request.scheduled_on(&span);
        job.request.reported(TokenCounts::default());
        let mut answer = Counts::default();
        let result = attempts(shared, connection, &job, &span, &mut answer).await;
        answer.note(&span);
        if answer.malformed > 0 {
            let chunks = format::counted(answer.malformed as i64, "chunk", "chunks");
            let text = format!(
                "Request #{}: {chunks} of the answer could not be read; its text has a hole there.",
                job.number
            );
            finding("Hole in an answer", Severity::Warning, &text, Some(&job.request));
        }
        let result = result.map_err(|failure| {
            let text = shared.mask(&failure.to_string());
            span.record("error", text.as_str());
            (failure.kind(), text)
        });
        shared.ended(&answer, result.as_ref().err());
        match result {
            Ok(()) => job.request.done(),
            Err((_, text)) => job.request.fail(&text),
        }
    };
    work.instrument(span.clone()).await;
}

async fn attempts(
    shared: &Shared,
    connection: &mut Option<Connection>,
    job: &Job,
    span: &Span,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let mut rng = Pcg32::new(shared.seed, job.number as u64);
    let mut tried = 0;
    loop {
        tried += 1;
        span.record("attempts", tried);
        job.request.attempt();
        let began = Instant::now();
        let attempt_span = info_span!(target: "inferscope::endpoint", "attempt", number = tried, status = Empty,
            error = Empty);
        let attempted = attempt(shared, connection, job, counts).instrument(attempt_span.clone()).await;
        let Err(failure) = attempted else { return Ok(()) };
        let text = shared.mask(&failure.to_string());
        attempt_span.record("error", text.as_str());
        if let Failure::Status { code, .. } = failure {
            attempt_span.record("status", code);
            span.record("status", code);
        }
        drop(attempt_span);
        let wait = failure.back_off(tried, &mut rng).filter(|_| tried <= shared.retries);
        let Some(wait) = wait else { return Err(failure) };
        job.request.attempt_failed(&failure.kind());
        warn!(target: "inferscope::endpoint", request = job.number, "{text}; attempt {} follows", tried + 1);
        let back_off = info_span!(target: "inferscope::endpoint", "back_off", reason = failure.kind(),
            after_attempt = tried, seconds = wait.as_secs_f64());
        let failed = Instant::now();
        tokio::time::sleep(wait).instrument(back_off).await;
        shared.retried(&failure, began.elapsed(), failed.elapsed());
    }
}

async fn attempt(
    shared: &Shared,
    connection: &mut Option<Connection>,
    job: &Job,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let body = Bytes::from(wire::body(&shared.model, &job.prompt.messages, &shared.limits));
    let (kept, response) = send(shared, connection, &body).await?;
    job.request.first_byte();
    let status = response.status();
    if !status.is_success() {
        let retry_after = retry_after(response.headers());
        let mut body = response.into_body();
        let (text, whole) = read_all(&mut body, LONGEST_ERROR, shared.patience).await.unwrap_or_default();
        *connection = whole.then_some(kept);
        let why = said(wire::error_of_body(&text));
        return Err(Failure::Status { code: status.as_u16(), retry_after, why });
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let is_stream = !kind.starts_with("application/json") && shared.limits.stream;
    let whole = if is_stream {
        let mut stream = Stream::new(response.into_body(), shared, job, counts);
        let first = debug_span!(target: "inferscope::endpoint", "wait_for_first_token");
        if !stream.read(true).instrument(first).await? {
            stream.read(false).instrument(debug_span!(target: "inferscope::endpoint", "receive")).await?;
        }
        stream.conclude().await?
    } else {
        let mut body = response.into_body();
        let receive = debug_span!(target: "inferscope::endpoint", "receive");
        let (text, whole) = read_all(&mut body, LONGEST, shared.patience).instrument(receive).await?;
        let piece = Piece::parse(&String::from_utf8_lossy(&text));
        let piece = piece.ok_or_else(|| Failure::Protocol("the answer is no JSON object".into()))?;
        if let Some(why) = piece.error {
            return Err(Failure::Server(said(why)));
        }
        counts.add(&piece, job);
        job.request.push_text(&piece.text);
        whole
    };
    *connection = whole.then_some(kept);
    Ok(())
}

/// Sends the request on the open connection or a new one. A kept connection may have been closed by the
/// server in the meantime; that is no failure of the server, so another one is opened then.
async fn send(
    shared: &Shared,
    connection: &mut Option<Connection>,
    body: &Bytes,
) -> Result<(Connection, Response<Incoming>), Failure> {
    let accept = if shared.limits.stream { "text/event-stream" } else { "application/json" };
    loop {
        let kept = match connection.take() {
            Some(mut kept) => kept.is_ready().await.then_some(kept),
            None => None,
        };
        let mut open = match kept {
            Some(kept) => kept,
            None => shared.connector.connect().await.map_err(Failure::Connect)?,
        };
        let used = open.used;
        let request = shared.connector.post(body.clone(), accept).map_err(Failure::Protocol)?;
        let wait = debug_span!(target: "inferscope::endpoint", "wait_for_first_byte");
        match timeout(shared.patience, open.send(request)).instrument(wait).await {
            Ok(Ok(response)) => return Ok((open, response)),
            Ok(Err(e)) if used && (e.is_canceled() || e.is_incomplete_message()) => {}
            Ok(Err(e)) if e.is_parse() => {
                return Err(Failure::Protocol(format!("the server does not speak HTTP/1.1: {}", reason(&e))));
            }
            Ok(Err(e)) => return Err(Failure::Cut(format!("no response came: {}", reason(&e)))),
            Err(_) => return Err(Failure::Timeout(format!("no response within {:?}", shared.patience))),
        }
    }
}

/// What a server said of an error. It may repeat the prompt, so it is not kept where texts are not.
fn said(why: String) -> String {
    if secrets::texts() || why.is_empty() { why } else { secrets::left_out(&why) }
}

/// What a server asks to wait, in seconds or milliseconds. A date is not understood, and no wish then.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The first `most` bytes of a body, and whether that is all of it.
async fn read_all(body: &mut Incoming, most: usize, patience: Duration) -> Result<(Vec<u8>, bool), Failure> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        match next(body, patience).await? {
            Some(data) => bytes.extend_from_slice(&data[..data.len().min(most - bytes.len())]),
            None => return Ok((bytes, true)),
        }
    }
    Ok((bytes, false))
}

/// The next bytes of a body; `None` at its end.
async fn next(body: &mut Incoming, patience: Duration) -> Result<Option<Bytes>, Failure> {
    loop {
        match timeout(patience, body.frame()).await {
            Err(_) => return Err(Failure::Timeout(format!("nothing came for {patience:?}"))),
            Ok(None) => return Ok(None),
            Ok(Some(Err(e))) => {
                return Err(Failure::Cut(format!("the connection broke inside the answer: {}", reason(&e))));
            }
            // Trailers hold no data.
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => return Ok(Some(data)),
                Err(_) => continue,
            },
        }
    }
}

/// What was counted in an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) chunks: u64,
    pub(super) malformed: u64,
    pub(super) usage: Option<TokenCounts>,
    finish: Option<String>,
    model: Option<String>,
}

impl Counts {
    /// Takes in a piece; gives its output tokens where the server counts them as it goes.
    fn add(&mut self, piece: &Piece, job: &Job) -> Option<u64> {
        let before = self.usage.and_then(|u| u.output);
        if let Some(usage) = piece.usage {
            self.usage = Some(usage);
            job.request.reported(usage);
        }
        if piece.finish.is_some() {
            self.finish.clone_from(&piece.finish);
        }
        if piece.model.is_some() {
            self.model.clone_from(&piece.model);
        }
        let now = piece.usage.and_then(|u| u.output).filter(|_| piece.has_output());
        now.and_then(|now| now.checked_sub(before.unwrap_or(0)))
    }

    fn note(&self, span: &Span) {
        let number = |key: &str, value: Option<u64>| {
            if let Some(value) = value {
                span.record(key, value);
            }
        };
        let usage = self.usage.unwrap_or_default();
        number("prompt_tokens", usage.prompt());
        number("cached_tokens", usage.cache_read);
        number("output_tokens", usage.output);
        number("reasoning_tokens", usage.reasoning);
        number("chunks", Some(self.chunks));
        number("malformed_chunks", Some(self.malformed).filter(|&n| n > 0));
        if let Some(finish) = &self.finish {
            span.record("finish_reason", finish.as_str());
        }
        if let Some(model) = &self.model {
            span.record("model", model.as_str());
        }
    }
}

/// An answer that is being streamed.
struct Stream<'a> {
    body: Incoming,
    parser: Parser,
    events: VecDeque<Event>,
    bytes: usize,
    /// The body has ended.
    ended: bool,
    /// The server said that it is done.
    done: bool,
    shared: &'a Shared,
    job: &'a Job,
    counts: &'a mut Counts,
}

impl<'a> Stream<'a> {
    fn new(body: Incoming, shared: &'a Shared, job: &'a Job, counts: &'a mut Counts) -> Self {
        let (parser, events) = (Parser::default(), VecDeque::new());
        Self { body, parser, events, bytes: 0, ended: false, done: false, shared, job, counts }
    }

    async fn event(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            match next(&mut self.body, self.shared.patience).await? {
                Some(data) => {
                    self.bytes = self.bytes.saturating_add(data.len());
                    if self.bytes > LONGEST {
                        return Err(Failure::Protocol("the answer is longer than 64 MiB".into()));
                    }
                    self.parser.push(&data, &mut self.events);
                }
                None => {
                    self.ended = true;
                    self.parser.finish(&mut self.events);
                }
            }
        }
    }

    /// Reads up to the first output, or up to the end; true at the end.
    async fn read(&mut self, until_output: bool) -> Result<bool, Failure> {
        while let Some(event) = self.event().await? {
            let text = match &event {
                Event::Data(text) => text.as_str(),
                Event::TooLong => "",
            };
            if text.trim() == "[DONE]" {
                self.done = true;
                return Ok(true);
            }
            let Some(piece) = Piece::parse(text) else {
                self.malformed()?;
                continue;
            };
            if let Some(why) = piece.error {
                return Err(Failure::Server(said(why)));
            }
            let tokens = self.counts.add(&piece, self.job);
            if piece.has_output() {
                self.output(&piece.text, tokens);
                if until_output {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn output(&mut self, text: &str, tokens: Option<u64>) {
        self.counts.chunks += 1;
        self.job.request.token();
        self.job.request.push_text(text);
        let (index, characters) = (self.counts.chunks, text.chars().count());
        match tokens {
            Some(tokens) => trace!(target: "inferscope::endpoint", index, characters, tokens, "chunk"),
            None => trace!(target: "inferscope::endpoint", index, characters, "chunk"),
        }
    }

    fn malformed(&mut self) -> Result<(), Failure> {
        self.counts.malformed += 1;
        if self.counts.malformed > MOST_MALFORMED {
            let why = format!("more than {MOST_MALFORMED} chunks are no JSON objects");
            return Err(Failure::Protocol(why));
        }
        warn!(target: "inferscope::endpoint", request = self.job.number, "malformed chunk (skipped)");
        Ok(())
    }

    /// Checks that the answer is whole; true when the connection can carry another request.
    async fn conclude(mut self) -> Result<bool, Failure> {
        if self.counts.finish.is_none() {
            if !self.done {
                return Err(Failure::Cut("the stream ended before the answer did".into()));
            }
            // A server that serves one at a time may break a stream off for the next request, and calls that done.
            if self.counts.chunks == 0 {
                return Err(Failure::Cut(
                    "the server ended the stream without a token or a reason to stop".into(),
                ));
            }
        }
        // The end of the body follows at once; who does not send it loses the connection.
        while !self.ended {
            match next(&mut self.body, Duration::from_millis(100)).await {
                Ok(None) => self.ended = true,
                Ok(Some(_)) if self.bytes < LONGEST => self.bytes += 1 << 10,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
