//! Connections to the server: name, TCP, proxy and TLS, each a span, then HTTP/1.1.
//!
//! A library's pooled client would hide when it connects; here every client has a connection of its own, so
//! a recording shows what the first request of each pays for it. No header is ever recorded.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Response, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tracing::{Instrument, debug_span};

use super::tls;
use crate::format::one_line;

/// What a connection may hold back for a response's header, and reads at once.
const BUFFER: usize = 256 << 10;

/// Where requests go.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Target {
    tls: bool,
    host: String,
    port: u16,
    /// Path and query of the chat completions, or the path of a base URL.
    path: String,
}

impl Target {
    /// The chat completions below a base URL.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (mut target, query) = Self::read(url)?;
        if !target.path.ends_with("/chat/completions") {
            target.path += "/chat/completions";
        }
        target.path += &query;
        Ok(target)
    }

    /// A base URL as it is: requests bring their own paths.
    pub(in super::super) fn base(url: &str) -> Result<Self, String> {
        Ok(Self::read(url)?.0)
    }

    /// A URL without a slash at its end, and its query.
    fn read(url: &str) -> Result<(Self, String), String> {
        let bad = |why: &str| {
            format!("«{url}» is no address of a server: {why}; an example is http://127.0.0.1:8000/v1")
        };
        let uri: Uri = url.parse().map_err(|e: hyper::http::uri::InvalidUri| bad(&e.to_string()))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let host = uri.host().filter(|h| !h.is_empty()).ok_or_else(|| bad("the host is missing"))?;
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let query = uri.query().map(|q| format!("?{q}")).unwrap_or_default();
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok((Self { tls, host: host.to_owned(), port, path }, query))
    }

    /// Its path.
    pub(in super::super) fn path(&self) -> &str {
        &self.path
    }

    pub(in super::super) fn origin(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        let port = if self.port == default { String::new() } else { format!(":{}", self.port) };
        format!("{}{port}", self.host)
    }

    /// The address without query, as a person may see it.
    pub(in super::super) fn shown(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{}://{}{path}", if self.tls { "https" } else { "http" }, self.origin())
    }
}

/// An HTTP proxy.
#[derive(Clone)]
struct Proxy {
    host: String,
    port: u16,
    auth: Option<HeaderValue>,
}

/// Makes connections to one target.
pub(in super::super) struct Connector {
    target: Target,
    proxy: Option<Proxy>,
    tls: Option<TlsConnector>,
    key: Option<HeaderValue>,
    patience: Duration,
}

/// How to reach a target.
pub(in super::super) struct Access<'a> {
    /// A proxy's URL, `none`, or empty for what the environment says.
    pub(in super::super) proxy: &'a str,
    /// A PEM file with further root certificates, or empty.
    pub(in super::super) roots: &'a str,
    pub(in super::super) key: Option<&'a str>,
    /// How long a connection may take.
    pub(in super::super) patience: Duration,
}

impl Connector {
    pub(in super::super) fn new(target: Target, access: &Access<'_>) -> Result<Self, String> {
        let proxy = find_proxy(&target, access.proxy)?;
        let tls = if target.tls { Some(tls::connector(access.roots)?) } else { None };
        let key = access.key.map(|key| HeaderValue::from_str(&format!("Bearer {key}"))).transpose();
        let mut key = key.map_err(|_| "the key holds characters that no header may hold".to_owned())?;
        if let Some(key) = &mut key {
            key.set_sensitive(true);
        }
        Ok(Self { target, proxy, tls, key, patience: access.patience })
    }

    /// The proxy as a person may see it, without credentials.
    pub(in super::super) fn via(&self) -> Option<String> {
        self.proxy.as_ref().map(|p| format!("{}:{}", p.host, p.port))
    }

    /// The target of all connections.
    pub(in super::super) fn target(&self) -> &Target {
        &self.target
    }

    /// Opens a connection for requests with bodies of the kind `B`.
    pub(in super::super) async fn connect<B>(&self) -> Result<Connection<B>, String>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let span = debug_span!(target: "inferscope::endpoint", "connect", host = self.target.host,
            error = tracing::field::Empty);
        let connected = timeout(self.patience, self.open()).instrument(span.clone()).await;
        let connected = connected.unwrap_or_else(|_| {
            Err(format!("no connection to {} within {:?}", self.target.origin(), self.patience))
        });
        if let Err(why) = &connected {
            span.record("error", why.as_str());
        }
        connected
    }

    async fn open<B>(&self) -> Result<Connection<B>, String>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (host, port) = match &self.proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (self.target.host.as_str(), self.target.port),
        };
        let mut stream: Box<dyn Stream> = Box::new(dial(host, port).await?);
        if let (Some(proxy), true) = (&self.proxy, self.target.tls) {
            let tunnel = debug_span!(target: "inferscope::endpoint", "proxy_tunnel");
            stream = tunnel_through(proxy, &self.target, stream).instrument(tunnel).await?;
        }
        if let Some(tls) = &self.tls {
            let host = self.target.host.trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(host).map_err(|e| format!("{}: {e}", self.target.host))?;
            let handshake = tls.connect(name, stream);
            let handshake = handshake.instrument(debug_span!(target: "inferscope::endpoint", "tls"));
            let failed = |e| format!("TLS with {} failed: {}", self.target.host, reason(&e));
            stream = Box::new(handshake.await.map_err(failed)?);
        }
        let io = TokioIo::new(stream);
        let (sender, driver) =
            http1::Builder::new().max_buf_size(BUFFER).handshake(io).await.map_err(|e| reason(&e))?;
        let driver = tokio::spawn(async move {
            // The request that uses the connection learns of its errors.
            let _ = driver.await;
        });
        Ok(Connection { sender, driver: driver.abort_handle(), used: false })
    }

    /// What a request names for a path with its query: all of the address where a proxy reads it.
    pub(in super::super) fn uri(&self, path: &str) -> String {
        match self.proxy.as_ref().filter(|_| !self.target.tls) {
            Some(_) => format!("http://{}{path}", self.target.origin()),
            None => path.to_owned(),
        }
    }

    /// What a proxy that reads requests wants to see in each.
    pub(in super::super) fn proxy_key(&self) -> Option<&HeaderValue> {
        self.proxy.as_ref().filter(|_| !self.target.tls)?.auth.as_ref()
    }

    /// A POST with this body.
    pub(super) fn post(&self, body: Bytes, accept: &'static str) -> Result<Request<Full<Bytes>>, String> {
        let origin = self.target.origin();
        let uri = self.uri(&self.target.path);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header("host", origin)
            .header("content-type", "application/json")
            .header("accept", accept)
            .header("user-agent", concat!("inferscope/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = &self.key {
            request = request.header("authorization", key);
        }
        if let Some(auth) = self.proxy_key() {
            request = request.header(PROXY_AUTHORIZATION, auth);
        }
        request.body(Full::new(body)).map_err(|e| format!("the request cannot be made: {e}"))
    }
}

/// A connection that is kept between requests.
pub(in super::super) struct Connection<B = Full<Bytes>> {
    sender: SendRequest<B>,
    driver: tokio::task::AbortHandle,
    /// It has carried a request before.
    pub(super) used: bool,
}

impl<B: Body + 'static> Connection<B> {
    /// Sends a request; one that no server can have seen is given back. `Err` of the inner one is for the person.
    pub(in super::super) async fn try_send(
        &mut self,
        request: Request<B>,
    ) -> Result<Response<Incoming>, (Option<Request<B>>, String)> {
        let again = std::mem::replace(&mut self.used, true);
        self.sender.try_send_request(request).await.map_err(|mut e| {
            let request = e.take_message().filter(|_| again);
            (request, reason(e.error()))
        })
    }

    /// Waits until the answer before is read to its end; false when no other request can follow.
    pub(in super::super) async fn is_free(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// True while the server has not closed it.
    pub(in super::super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }
}

impl Connection {
    /// True while another request can be sent on it.
    pub(super) async fn is_ready(&mut self) -> bool {
        let ready = timeout(Duration::from_millis(100), self.sender.ready()).await;
        matches!(ready, Ok(Ok(())))
    }

    /// Sends a request and waits for the response's header.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.used = true;
        self.sender.send_request(request).await
    }
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn dial(host: &str, port: u16) -> Result<TcpStream, String> {
    let name = host.trim_matches(['[', ']']).to_owned();
    let lookup = tokio::net::lookup_host((name, port));
    let found = lookup.instrument(debug_span!(target: "inferscope::endpoint", "dns")).await;
    let addresses = found.map_err(|e| format!("the name {host} cannot be resolved: {}", reason(&e)))?;
    let attempt = async {
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // A request is one small write; waiting to fill a packet would only delay it.
                    stream.set_nodelay(true).map_err(|e| reason(&e))?;
                    return Ok(stream);
                }
                Err(error) => last = Some(error),
            }
        }
        let why = last.map_or_else(|| "it has no address".to_owned(), |e| reason(&e));
        Err(format!("no connection to {host}:{port}: {why}"))
    };
    attempt.instrument(debug_span!(target: "inferscope::endpoint", "tcp")).await
}

/// Asks a proxy for a way to the target that nobody can read.
async fn tunnel_through(
    proxy: &Proxy,
    target: &Target,
    stream: Box<dyn Stream>,
) -> Result<Box<dyn Stream>, String> {
    let failed = |why: String| format!("the proxy {}:{} gives no tunnel: {why}", proxy.host, proxy.port);
    let (mut sender, driver) =
        http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(|e| failed(reason(&e)))?;
    let driver = Driver(tokio::spawn(driver.with_upgrades()));
    let address = format!("{}:{}", target.host, target.port);
    let mut request = Request::builder().method(Method::CONNECT).uri(&address).header("host", &address);
    if let Some(auth) = &proxy.auth {
        request = request.header(PROXY_AUTHORIZATION, auth);
    }
    let request = request.body(Full::new(Bytes::new())).map_err(|e| failed(e.to_string()))?;
    let response = sender.send_request(request).await.map_err(|e| failed(reason(&e)))?;
    if !response.status().is_success() {
        return Err(failed(format!("HTTP {}", response.status())));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|e| failed(reason(&e)))?;
    drop(driver);
    Ok(Box::new(TokioIo::new(upgraded)))
}

/// A task that ends with its owner.
struct Driver<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn find_proxy(target: &Target, proxy: &str) -> Result<Option<Proxy>, String> {
    let matcher = match proxy {
        "none" => return Ok(None),
        "" => Matcher::from_env(),
        url => Matcher::builder().all(url).build(),
    };
    let scheme = if target.tls { "https" } else { "http" };
    let origin: Result<Uri, _> = format!("{scheme}://{}:{}/", target.host, target.port).parse();
    let found = origin.ok().and_then(|uri| matcher.intercept(&uri));
    let Some(found) = found else {
        return if proxy.is_empty() {
            Ok(None)
        } else {
            Err("the proxy is no URL such as http://proxy:3128".into())
        };
    };
    let uri = found.uri();
    if uri.scheme_str() != Some("http") {
        let scheme = uri.scheme_str().unwrap_or_default();
        return Err(format!(
            "proxies of the kind {scheme}:// are not supported; use an http:// proxy or proxy=none"
        ));
    }
    let host = uri.host().unwrap_or_default().to_owned();
    Ok(Some(Proxy { host, port: uri.port_u16().unwrap_or(80), auth: found.basic_auth().cloned() }))
}

/// An error with its causes, in one line.
pub(in super::super) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // Chains are short; a circular one would be a bug of a library.
    for _ in 0..8 {
        let Some(next) = cause else { break };
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    one_line(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers() {
        let shown = |url: &str| Target::parse(url).unwrap().shown();
        assert_eq!(shown("http://localhost:8000/v1"), "http://localhost:8000/v1/chat/completions");
        assert_eq!(shown("https://api.example.com/v1/"), "https://api.example.com/v1/chat/completions");
        assert_eq!(shown("http://[::1]:80/v1/chat/completions"), "http://[::1]/v1/chat/completions");
        let azure = Target::parse("https://x.example/openai/deployments/d?api-version=2").unwrap();
        assert_eq!(azure.path, "/openai/deployments/d/chat/completions?api-version=2");
        assert!(!azure.shown().contains("api-version"));
        for bad in ["", "localhost:8000", "ftp://x/v1", "http://", "http:// x/"] {
            let error = Target::parse(bad).unwrap_err();
            assert!(error.contains("is no address of a server"), "{bad}: {error}");
        }
    }

    #[test]
    fn proxies_are_found_and_their_passwords_not_shown() {
        let target = Target::parse("http://api.example.com/v1").unwrap();
        assert!(find_proxy(&target, "none").unwrap().is_none());
        let proxy = find_proxy(&target, "http://me:secret@proxy:3128").unwrap().unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port, proxy.auth.is_some()), ("proxy", 3128, true));
        assert!(find_proxy(&target, "socks5://proxy:1080").err().unwrap().contains("not supported"));
    }
}
