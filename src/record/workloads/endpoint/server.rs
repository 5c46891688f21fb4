//! A small HTTP server for tests that does what servers do when things go wrong.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

/// What the server does about a request, in order. Afterwards it waits for the next one.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Status line and headers, each with its line end.
    Head(String),
    /// A chunk of the body.
    Chunk(Vec<u8>),
    /// Bytes as they are.
    Raw(Vec<u8>),
    Wait(u64),
    /// The end of a chunked body.
    End,
    /// Closes the connection.
    Close,
    /// Connects to this address and passes everything on.
    Tunnel(String),
}

/// A request that came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: String,
    /// Number of the connection, from 0.
    pub(super) connection: usize,
}

type Script = Arc<dyn Fn(usize, &Seen) -> Vec<Step> + Send + Sync>;

pub(super) struct Server {
    port: u16,
    tls: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

pub(super) fn head(status: &str, headers: &str) -> Step {
    Step::Head(format!("HTTP/1.1 {status}\r\n{headers}\r\n"))
}

pub(super) fn stream_head() -> Step {
    head("200 OK", "content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n")
}

pub(super) fn json(status: &str, headers: &str, body: &str) -> Vec<Step> {
    let headers = format!("content-type: application/json\r\ncontent-length: {}\r\n{headers}", body.len());
    vec![head(status, &headers), Step::Raw(body.as_bytes().to_vec())]
}

pub(super) fn event(json: &str) -> Step {
    Step::Chunk(format!("data: {json}\n\n").into_bytes())
}

/// A chunk with a word of the answer.
pub(super) fn word(text: &str) -> Step {
    event(
        &serde_json::json!({"model": "tested", "choices": [{"index": 0, "delta": {"content": text}}]})
            .to_string(),
    )
}

/// The last chunks of a good answer.
pub(super) fn farewell(prompt: u64, cached: u64, output: u64) -> Vec<Step> {
    let usage = serde_json::json!({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": output,
        "prompt_tokens_details": {"cached_tokens": cached}}});
    vec![
        event(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#),
        event(&usage.to_string()),
        event("[DONE]"),
        Step::End,
    ]
}

/// A good answer.
pub(super) fn answer(words: &[&str]) -> Vec<Step> {
    let mut steps =
        vec![stream_head(), event(r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#)];
    steps.extend(words.iter().map(|w| word(w)));
    steps.extend(farewell(20, 8, words.len() as u64));
    steps
}

impl Server {
    pub(super) fn start(script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::launch(None, Arc::new(script))
    }

    pub(super) fn start_tls(script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let certificate = include_bytes!("../../../../tests/data/tls/server.pem");
        Self::start_tls_as(certificate, include_bytes!("../../../../tests/data/tls/server.key"), script)
    }

    /// With a certificate that is its own authority, as `openssl req -x509` makes it.
    pub(super) fn start_self_signed(
        script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let certificate = include_bytes!("../../../../tests/data/tls/self.pem");
        Self::start_tls_as(certificate, include_bytes!("../../../../tests/data/tls/self.key"), script)
    }

    fn start_tls_as(
        certificate: &[u8],
        key: &[u8],
        script: impl Fn(usize, &Seen) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let (chain, key) = (CertificateDer::from_pem_slice(certificate), PrivateKeyDer::from_pem_slice(key));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain.unwrap()], key.unwrap())
            .unwrap();
        Self::launch(Some(TlsAcceptor::from(Arc::new(config))), Arc::new(script))
    }

    fn launch(tls: Option<TlsAcceptor>, script: Script) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (tell, port) = std::sync::mpsc::channel();
        let (shared, is_tls) = (seen.clone(), tls.is_some());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap().port()).unwrap();
                let accept = async {
                    for connection in 0.. {
                        let (stream, _) = listener.accept().await.unwrap();
                        stream.set_nodelay(true).unwrap();
                        let (script, seen, tls) = (script.clone(), shared.clone(), tls.clone());
                        tokio::spawn(async move {
                            let ended = match tls {
                                None => talk(stream, connection, &script, &seen).await,
                                Some(tls) => match tls.accept(stream).await {
                                    Ok(stream) => talk(stream, connection, &script, &seen).await,
                                    Err(e) => Err(e),
                                },
                            };
                            // Clients that leave are part of the tests.
                            drop(ended);
                        });
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        Self { port: port.recv().unwrap(), tls: is_tls, seen, stop: Some(stop) }
    }

    pub(super) fn address(&self) -> String {
        let host = if self.tls { "localhost" } else { "127.0.0.1" };
        format!("{host}:{}", self.port)
    }

    pub(super) fn url(&self) -> String {
        format!("{}://{}/v1", if self.tls { "https" } else { "http" }, self.address())
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    script: &Script,
    seen: &Mutex<Vec<Seen>>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let request = read_request(&mut stream, &mut buffer, connection).await?;
        let steps = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            script(seen.len() - 1, &request)
        };
        for step in steps {
            match step {
                Step::Head(text) => stream.write_all(text.as_bytes()).await?,
                Step::Chunk(bytes) => {
                    stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
                    stream.write_all(&bytes).await?;
                    stream.write_all(b"\r\n").await?;
                }
                Step::Raw(bytes) => stream.write_all(&bytes).await?,
                Step::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                Step::End => stream.write_all(b"0\r\n\r\n").await?,
                Step::Close => return stream.shutdown().await,
                Step::Tunnel(address) => {
                    let mut other = TcpStream::connect(address).await?;
                    tokio::io::copy_bidirectional(&mut stream, &mut other).await?;
                    return Ok(());
                }
            }
            stream.flush().await?;
        }
    }
}

async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    connection: usize,
) -> std::io::Result<Seen> {
    loop {
        if let Some(end) = memchr::memmem::find(buffer, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length = head
                .split("content-length:")
                .nth(1)
                .map_or(0, |rest| rest.lines().next().unwrap().trim().parse::<usize>().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
                let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
                buffer.drain(..end + 4 + length);
                return Ok(Seen { head, body, connection });
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
}
