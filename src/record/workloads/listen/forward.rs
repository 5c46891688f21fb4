//! Passing exports on to another server as they came. Nobody waits for it: what it does not take in time, or refuses, is counted.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, PROXY_AUTHORIZATION,
};
use hyper::{Method, Request};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::super::endpoint::http::{Access, Connection, Connector, Target};
use super::super::proxy::drop_of_a_connection;
use crate::import::otlp::{Encoding, Signal};

/// Exports that wait, and their bytes.
const MOST: usize = 1024;
const MOST_BYTES: usize = 64 << 20;
/// How long a connection, and an answer, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER: usize = 1 << 20;

/// An export to pass on.
pub(super) struct Export {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    pub(super) coding: String,
    pub(super) bytes: Bytes,
    pub(super) headers: HeaderMap,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    passed: AtomicU64,
    late: AtomicU64,
    failed: AtomicU64,
    /// The first failure.
    why: Mutex<String>,
}

/// Passes exports on.
pub(super) struct Forward {
    queue: mpsc::Sender<Export>,
    counts: Arc<Counts>,
    shown: String,
}

/// The part that runs beside the server.
pub(super) struct Passing {
    from: mpsc::Receiver<Export>,
    connector: Connector,
    counts: Arc<Counts>,
}

impl Forward {
    /// To a base URL.
    pub(super) fn to(url: &str) -> Result<(Self, Passing), String> {
        let access = Access { proxy: "", roots: "", key: None, patience: PATIENCE };
        let connector = Connector::new(Target::base(url)?, &access)?;
        let (queue, from) = mpsc::channel(MOST);
        let counts = Arc::new(Counts::default());
        let shown = connector.target().shown();
        Ok((Self { queue, counts: counts.clone(), shown }, Passing { from, connector, counts }))
    }

    /// The address as a person may see it.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn pass(&self, export: Export) {
        let bytes = export.bytes.len();
        let fits = self.counts.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST_BYTES;
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        if !fits || self.queue.try_send(export).is_err() {
            self.counts.done(bytes);
            self.counts.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until nothing is on its way, at most so long.
    pub(super) async fn finish(&self, most: Duration) {
        let until = Instant::now() + most;
        while self.counts.waiting.load(Ordering::Relaxed) > 0 && Instant::now() < until {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many were passed on.
    pub(super) fn passed(&self) -> u64 {
        self.counts.passed.load(Ordering::Relaxed)
    }

    /// What was not.
    pub(super) fn failed(&self) -> Vec<(&'static str, u64, String)> {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let why = self.counts.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left = self.counts.waiting.load(Ordering::Relaxed) as u64;
        let all = [
            ("exports that could not be passed on (recorded all the same)", of(&self.counts.failed), why),
            (
                "exports that were not passed on, because the other server was too slow (recorded all the same)",
                of(&self.counts.late) + left,
                String::new(),
            ),
        ];
        all.into_iter().filter(|(_, n, _)| *n > 0).collect()
    }
}

impl Counts {
    fn done(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passing {
    /// Passes on what comes, one after the other, so that their order stays.
    pub(super) async fn run(mut self) {
        let mut connection = None;
        while let Some(export) = self.from.recv().await {
            let bytes = export.bytes.len();
            match timeout(PATIENCE, self.send(export, &mut connection)).await {
                Ok(Ok(())) => drop(self.counts.passed.fetch_add(1, Ordering::Relaxed)),
                Ok(Err(why)) => self.fail(&why, &mut connection),
                Err(_) => self.fail("no answer came in time", &mut connection),
            }
            self.counts.done(bytes);
        }
    }

    fn fail(&self, why: &str, connection: &mut Option<Connection>) {
        *connection = None;
        let mut first = self.counts.why.lock().unwrap_or_else(PoisonError::into_inner);
        if first.is_empty() {
            why.clone_into(&mut first);
        }
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
    }

    async fn send(&self, export: Export, kept: &mut Option<Connection>) -> Result<(), String> {
        let mut request = self.request(export)?;
        let response = loop {
            let mut connection = match kept.take().filter(Connection::is_open) {
                Some(connection) => connection,
                None => self.connector.connect().await?,
            };
            match connection.try_send(request).await {
                Ok(response) => {
                    *kept = Some(connection);
                    break response;
                }
                // The server had closed it while it waited.
                Err((Some(again), _)) => request = again,
                Err((None, why)) => return Err(why),
            }
        };
        let status = response.status();
        let read = Limited::new(response.into_body(), ANSWER).collect().await;
        let is_free = match kept.as_mut() {
            Some(connection) => read.is_ok() && connection.is_free().await,
            None => false,
        };
        if !is_free {
            *kept = None;
        }
        if status.is_success() { Ok(()) } else { Err(format!("HTTP {}", status.as_u16())) }
    }

    /// The request as it came, but for what belongs to a connection or to gRPC.
    fn request(&self, export: Export) -> Result<Request<Full<Bytes>>, String> {
        let Export { signal, encoding, coding, bytes, mut headers } = export;
        drop_of_a_connection(&mut headers);
        let of_grpc: Vec<_> =
            headers.keys().filter(|name| name.as_str().starts_with("grpc-")).cloned().collect();
        of_grpc.into_iter().for_each(|name| drop(headers.remove(name)));
        headers.remove(CONTENT_LENGTH);
        headers.remove(CONTENT_ENCODING);
        let kind = match encoding {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if !coding.is_empty() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_str(&coding).map_err(|e| e.to_string())?);
        }
        let target = self.connector.target();
        headers.insert(HOST, HeaderValue::from_str(&target.origin()).map_err(|e| e.to_string())?);
        if let Some(key) = self.connector.proxy_key() {
            headers.insert(PROXY_AUTHORIZATION, key.clone());
        }
        let path = format!("{}{}", target.path(), super::ask::path(signal));
        let mut request = Request::new(Full::new(bytes));
        *request.method_mut() = Method::POST;
        *request.uri_mut() =
            self.connector.uri(&path).parse().map_err(|_| "the address makes no sense".to_owned())?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}
