//! The server, in a thread of its own: HTTP/1.1 and HTTP/2 on each port, told apart by how a connection begins.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as Bound, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::ask::{Desk, answer};
use super::body::Room;
use super::forward::{Forward, Passing};
use super::sink::Sink;
use crate::import::otlp::Received;

/// Connections at one time.
const MOST_CONNECTIONS: usize = 512;
/// How long a connection may take to begin, and to say or ask something.
const BEGIN: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(75);
/// Threads that read messages.
const READERS: usize = 4;
/// How often what came is put in place.
const SETTLE: Duration = Duration::from_millis(100);
/// How long the end waits for what is on its way.
const LAST: Duration = Duration::from_secs(2);
/// How HTTP/2 begins.
const PREFACE: &[u8] = b"PRI";

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::record::workloads) struct Address {
    pub(super) at: SocketAddr,
    /// Where that is taken any other port does as well.
    pub(super) or_other: bool,
}

impl Address {
    /// Any port of the loopback interface.
    pub(in crate::record::workloads) fn any() -> Self {
        Self { at: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), or_other: false }
    }

    /// `HOST:PORT`, `:PORT` or `PORT`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("«{text}» is no address to listen on; an example is 127.0.0.1:4318");
        let text = text.trim().trim_start_matches("http://").trim_end_matches('/');
        let port = text.strip_prefix(':').unwrap_or(text).parse::<u16>().ok();
        let at = match port {
            Some(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            None => text.to_socket_addrs().map_err(|_| bad())?.next().ok_or_else(bad)?,
        };
        Ok(Self { at, or_other: false })
    }
}

/// What the server is to do.
pub(in crate::record::workloads) struct Plan<'a> {
    pub(in crate::record::workloads) addresses: &'a [Address],
    /// Where exports are passed on to; empty for nowhere.
    pub(in crate::record::workloads) forward: &'a str,
    /// Where what comes is written; `None` keeps it in memory.
    pub(in crate::record::workloads) folder: Option<&'a Path>,
    /// Bytes that are held.
    pub(in crate::record::workloads) most: usize,
}

/// A server that runs.
pub(in crate::record::workloads) struct Listener {
    addresses: Vec<SocketAddr>,
    desk: Arc<Desk>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Begins to listen.
    pub(in crate::record::workloads) fn start(plan: &Plan<'_>) -> Result<Self, String> {
        let (forward, passing) = match plan.forward {
            "" => (None, None),
            url => {
                let (forward, passing) = Forward::to(url)?;
                (Some(forward), Some(passing))
            }
        };
        let bound = plan.addresses.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let failed = |e: std::io::Error| format!("the receiver does not start: {e}");
        let addresses = bound.iter().map(Bound::local_addr).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let desk = Desk { sink: Sink::new(plan.most, plan.folder, forward), room: Arc::new(Room::default()) };
        let desk = Arc::new(desk);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(READERS).build().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let of_thread = desk.clone();
        let thread = crate::jobs::spawn("otlp", move || {
            // Our own server's spans are nobody's business.
            let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
            runtime.block_on(run(of_thread, bound, passing, stopped));
            // What is still on its way ends here.
            runtime.shutdown_background();
        });
        Ok(Self { addresses, desk, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(in crate::record::workloads) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// All that came.
    pub(in crate::record::workloads) fn received(&self) -> Arc<Received> {
        self.desk.sink.received.clone()
    }

    /// Where exports are passed on to.
    pub(in crate::record::workloads) fn forwards_to(&self) -> Option<&str> {
        self.desk.sink.forward.as_ref().map(Forward::shown)
    }

    /// Ends it, when what is on its way has come. Gives what a person should know: what, how often, and more of the first; and how
    /// many exports were passed on.
    pub(in crate::record::workloads) fn end(mut self) -> (Vec<(&'static str, u64, String)>, u64) {
        self.close();
        let passed = self.desk.sink.forward.as_ref().map_or(0, Forward::passed);
        (self.desk.sink.remarks(), passed)
    }

    fn close(&mut self) {
        if let Some(stop) = self.stop.take() {
            // A thread that has ended hears nothing.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

fn bind(address: &Address) -> Result<Bound, String> {
    let bound = match Bound::bind(address.at) {
        Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && address.or_other => {
            Bound::bind(SocketAddr::from((address.at.ip(), 0)))
        }
        other => other,
    };
    let failed = |e: std::io::Error| {
        format!("nothing can listen on {}: {e}; choose another port, or 0 for any", address.at)
    };
    let bound = bound.map_err(failed)?;
    bound.set_nonblocking(true).map_err(failed)?;
    Ok(bound)
}

/// Serves until it is stopped, and then what is on its way.
async fn run(desk: Arc<Desk>, bound: Vec<Bound>, passing: Option<Passing>, stopped: oneshot::Receiver<()>) {
    if let Some(passing) = passing {
        tokio::spawn(passing.run());
    }
    let own = desk.clone();
    tokio::spawn(async move {
        loop {
            sleep(SETTLE).await;
            let received = own.sink.received.clone();
            // A failure shows when the rows are looked at.
            let _ = tokio::task::spawn_blocking(move || received.settle()).await;
        }
    });
    let busy = Arc::new(AtomicUsize::new(0));
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    for bound in bound {
        let Ok(listener) = TcpListener::from_std(bound) else { continue };
        tokio::spawn(accept(listener, desk.clone(), busy.clone(), places.clone()));
    }
    // Who started it has gone either way.
    let _ = stopped.await;
    let until = Instant::now() + LAST;
    while busy.load(Ordering::Relaxed) > 0 && Instant::now() < until {
        sleep(Duration::from_millis(5)).await;
    }
    if let Some(forward) = &desk.sink.forward {
        forward.finish(LAST).await;
    }
}

async fn accept(listener: TcpListener, desk: Arc<Desk>, busy: Arc<AtomicUsize>, places: Arc<Semaphore>) {
    let local = listener.local_addr().is_ok_and(|address| is_local(address.ip()));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files: others end meanwhile.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (desk, busy) = (desk.clone(), busy.clone());
        tokio::spawn(async move {
            serve(stream, desk, local, busy).await;
            drop(place);
        });
    }
}

/// True when nobody but this machine reaches an address.
pub(super) fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback()
}

/// Counts a request while it is answered.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(stream: TcpStream, desk: Arc<Desk>, local: bool, busy: Arc<AtomicUsize>) {
    let Ok(Some(is_http2)) = timeout(BEGIN, begins_as_http2(&stream)).await else { return };
    let service = service_fn(move |request| {
        let (desk, busy) = (desk.clone(), Busy::new(&busy));
        async move {
            let reply = answer(&desk, local, request).await;
            drop(busy);
            Ok::<_, Infallible>(reply)
        }
    });
    // A client that breaks its connection is told by nobody.
    if is_http2 {
        let mut server = http2::Builder::new(TokioExecutor::new());
        server.timer(TokioTimer::new()).keep_alive_interval(IDLE).keep_alive_timeout(BEGIN);
        server.max_concurrent_streams(64).max_header_list_size(64 << 10);
        server.initial_stream_window_size(1 << 20).initial_connection_window_size(4 << 20);
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    } else {
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(256 << 10);
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }
}

/// Whether a connection begins as HTTP/2 does; `None` when it ends before it can be told.
async fn begins_as_http2(stream: &TcpStream) -> Option<bool> {
    let mut start = [0; PREFACE.len()];
    loop {
        let got = stream.peek(&mut start).await.ok().filter(|n| *n > 0)?;
        if !PREFACE.starts_with(&start[..got]) {
            return Some(false);
        }
        if got == PREFACE.len() {
            return Some(true);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, at) in [
            ("4318", "127.0.0.1:4318"),
            (":4318", "127.0.0.1:4318"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("http://0.0.0.0:4318/", "0.0.0.0:4318"),
            ("[::1]:4317", "[::1]:4317"),
        ] {
            assert_eq!(Address::parse(text).unwrap().at.to_string(), at);
        }
        assert!(Address::parse("nonsense").unwrap_err().contains("an example is"));
    }
}
