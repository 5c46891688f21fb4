//! One request through the proxy: as it came, but for what belongs to a single connection.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
};
use hyper::{Request, Response, StatusCode};
use serde_json::json;

use super::super::endpoint::http::{Connection, Connector};
use super::log::{Call, Log, MOST_OF_A_BODY};
use crate::record::secrets;

/// Tells who sees an answer that it came through here.
const MARK: &str = "x-inferscope-request";
/// Connections that wait for the next request, and how long.
const MOST_IDLE: usize = 16;
const LONGEST_IDLE: Duration = Duration::from_secs(30);
/// How long the body of a request is read that cannot be passed on.
const PATIENCE: Duration = Duration::from_secs(2);

/// Headers of one connection rather than of a request.
const OF_A_CONNECTION: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Where requests with a prefix go.
pub(super) struct Route {
    pub(super) prefix: String,
    pub(super) connector: Connector,
    idle: Mutex<Vec<Connection<Sent>>>,
}

impl Route {
    pub(super) fn new(prefix: &str, connector: Connector) -> Self {
        Self { prefix: prefix.to_owned(), connector, idle: Mutex::default() }
    }

    fn idle(&self) -> Option<Connection<Sent>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Connection::is_open);
        idle.pop()
    }

    /// Keeps a connection for the next request once the answer is read to its end.
    fn keep(self: Arc<Self>, mut connection: Connection<Sent>) {
        tokio::spawn(async move {
            if !connection.is_free().await {
                return;
            }
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < MOST_IDLE {
                idle.push(connection);
            }
        });
    }

    /// Closes what was not needed for long.
    pub(super) async fn tidy(&self) {
        loop {
            tokio::time::sleep(LONGEST_IDLE).await;
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

pub(super) type Reply = Response<Either<Received, Full<Bytes>>>;

/// An answer of our own, in the form of the APIs' errors.
fn own(status: StatusCode, why: &str) -> Reply {
    let body = json!({"error": {"message": format!("inferscope proxy: {why}"), "type": "proxy_error", "code": status.as_u16()}});
    let mut response = Response::new(Either::Right(Full::new(Bytes::from(body.to_string()))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Says by which call of ours an answer came: whoever sees it, too, sees the same request.
fn marked(mut reply: Reply, call: &Call) -> Reply {
    if let Ok(mark) = HeaderValue::from_str(&call.mark()) {
        reply.headers_mut().insert(HeaderName::from_static(MARK), mark);
    }
    reply
}

/// Takes away what belongs to a single connection.
pub(in super::super) fn drop_of_a_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    named.into_iter().for_each(|name| drop(headers.remove(name)));
    OF_A_CONNECTION.iter().for_each(|name| drop(headers.remove(*name)));
}

/// Passes a request on and its answer back.
pub(super) async fn pass(routes: &[Arc<Route>], log: &Arc<Log>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let of = |route: &&Arc<Route>| {
        let rest = path.strip_prefix(route.prefix.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
    };
    let Some(route) = routes.iter().find(of) else {
        return own(StatusCode::NOT_FOUND, "this address leads nowhere");
    };
    let target = route.connector.target();
    let path = format!("{}{}", target.path(), &path[route.prefix.len()..]);
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let scheme = target.shown().split(':').next().unwrap_or("http").to_owned();
    let plain = path.split('?').next().unwrap_or_default();
    let url = format!("{scheme}://{}{plain}", target.origin());
    let call = Arc::new(log.begin(request.method().as_str(), &url));
    let request = match prepare(route, request, &path, &call) {
        Ok(request) => request,
        Err(why) => {
            call.end(&why);
            return marked(own(StatusCode::BAD_REQUEST, &why), &call);
        }
    };
    match send(route, request, &call).await {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            drop_of_a_connection(&mut parts.headers);
            call.answered(parts.status.as_u16(), &parts.headers);
            let body = Received { inner: body, call: call.clone() };
            marked(Response::from_parts(parts, Either::Left(body)), &call)
        }
        Err(why) => {
            call.end(&secrets::mask(&why));
            marked(own(StatusCode::BAD_GATEWAY, &why), &call)
        }
    }
}

fn prepare(
    route: &Route,
    request: Request<Incoming>,
    path: &str,
    call: &Arc<Call>,
) -> Result<Request<Sent>, String> {
    let (mut parts, body) = request.into_parts();
    drop_of_a_connection(&mut parts.headers);
    let host = HeaderValue::from_str(&route.connector.target().origin()).map_err(|e| e.to_string())?;
    parts.headers.insert(HOST, host);
    if let Some(key) = route.connector.proxy_key() {
        parts.headers.insert(PROXY_AUTHORIZATION, key.clone());
    }
    parts.uri = route.connector.uri(path).parse().map_err(|_| "the address makes no sense".to_owned())?;
    parts.version = hyper::Version::HTTP_11;
    let body = Sent { inner: body, call: Some(call.clone()), kept: Vec::new(), bytes: 0 };
    Ok(Request::from_parts(parts, body))
}

/// Sends on a connection that waits or a new one. A server may have closed one that waited: then nothing was seen of the request.
async fn send(
    route: &Arc<Route>,
    mut request: Request<Sent>,
    call: &Call,
) -> Result<Response<Incoming>, String> {
    loop {
        let mut connection = match route.idle() {
            Some(connection) => connection,
            None => {
                call.stamp("connect");
                match route.connector.connect().await {
                    Ok(connection) => {
                        call.stamp("connected");
                        connection
                    }
                    Err(why) => {
                        // What was asked is known all the same.
                        take_in(request.into_body()).await;
                        return Err(why);
                    }
                }
            }
        };
        call.stamp("send");
        match connection.try_send(request).await {
            Ok(response) => {
                call.stamp("first_byte");
                route.clone().keep(connection);
                return Ok(response);
            }
            Err((Some(again), _)) => request = again,
            Err((None, why)) => return Err(format!("no answer came: {why}")),
        }
    }
}

/// Reads a body that goes nowhere, as far as it is kept.
async fn take_in(mut body: Sent) {
    let all = async { while body.bytes < MOST_OF_A_BODY && matches!(body.frame().await, Some(Ok(_))) {} };
    // Whoever sends it may stop.
    let _ = tokio::time::timeout(PATIENCE, all).await;
}

/// The body of a request on its way to the server.
pub(super) struct Sent {
    inner: Incoming,
    /// Until it was told.
    call: Option<Arc<Call>>,
    kept: Vec<u8>,
    bytes: usize,
}

impl Sent {
    fn told(&mut self) {
        if let Some(call) = self.call.take() {
            call.asked(&self.kept, self.bytes);
            call.stamp("sent");
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.bytes += data.len();
            let room = match self.call.as_ref().is_some_and(|call| call.known) {
                true => MOST_OF_A_BODY.saturating_sub(self.kept.len()).min(data.len()),
                false => 0,
            };
            self.kept.extend_from_slice(&data[..room]);
        }
        if matches!(polled, Poll::Ready(None)) || self.inner.is_end_stream() {
            self.told();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.told();
    }
}

/// The body of an answer on its way to who asked.
pub(super) struct Received {
    inner: Incoming,
    call: Arc<Call>,
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.call.piece(data);
                }
                if self.inner.is_end_stream() {
                    self.call.end("");
                }
            }
            Poll::Ready(Some(Err(e))) => self.call.end(&format!("the answer broke off: {e}")),
            Poll::Ready(None) => self.call.end(""),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if self.inner.is_end_stream() {
            self.call.end("");
        }
    }
}
