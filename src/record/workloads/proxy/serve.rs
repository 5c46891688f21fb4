//! The proxy as a server on the loopback interface, in a thread of its own.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::super::endpoint::http::{Access, Connector, Target};
use super::log::Log;
use super::pass::{Route, pass};
use crate::import::http::Calls;

/// How long a connection to a server may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy that runs.
pub(in crate::record::workloads) struct Proxy {
    port: u16,
    log: Arc<Log>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the proxy is to do.
pub(in crate::record::workloads) struct Plan<'a> {
    /// The port; 0 for any that is free.
    pub(in crate::record::workloads) port: u16,
    /// Prefixes of paths, each with the base URL that requests go to.
    pub(in crate::record::workloads) routes: &'a [(String, String)],
    /// A PEM file with further root certificates, or empty.
    pub(in crate::record::workloads) roots: &'a str,
    /// Where what is seen is written; `None` keeps it in memory.
    pub(in crate::record::workloads) folder: Option<&'a Path>,
}

impl Proxy {
    /// Begins to listen.
    pub(in crate::record::workloads) fn start(plan: &Plan<'_>) -> Result<Self, String> {
        let mut routes = Vec::new();
        for (prefix, url) in plan.routes {
            let access = Access { proxy: "", roots: plan.roots, key: None, patience: PATIENCE };
            let connector = Connector::new(Target::base(url)?, &access)?;
            routes.push(Arc::new(Route::new(prefix, connector)));
        }
        let log = Log::new(plan.folder).map_err(|e| format!("the proxy's file cannot be written: {e}"))?;
        let log = Arc::new(log);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, plan.port));
        let listener = std::net::TcpListener::bind(address).map_err(|e| {
            format!(
                "the proxy cannot listen on port {}: {e}; choose another one with --set port=…, or port=0",
                plan.port
            )
        })?;
        let failed = |e: std::io::Error| format!("the proxy does not start: {e}");
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let of_thread = log.clone();
        let thread = crate::jobs::spawn("proxy", move || {
            // What is written down tells more than spans of our own client.
            let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, routes.into(), of_thread) => {}
                    _ = stopped => {}
                }
            });
            // What is still on its way ends here.
            runtime.shutdown_background();
        });
        Ok(Self { port, log, stop: Some(stop), thread: Some(thread) })
    }

    /// Its address without a path.
    pub(in crate::record::workloads) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it. Gives what it kept in memory, and why something could not be written down.
    pub(in crate::record::workloads) fn end(mut self) -> (Option<Calls>, Option<String>) {
        self.close();
        self.log.end()
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

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

async fn accept(listener: TcpListener, routes: Arc<[Arc<Route>]>, log: Arc<Log>) {
    for route in routes.iter() {
        let route = route.clone();
        tokio::spawn(async move { route.tidy().await });
    }
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files: others end meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Small writes are what streams consist of.
        let _ = stream.set_nodelay(true);
        let (routes, log) = (routes.clone(), log.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (routes, log) = (routes.clone(), log.clone());
                async move { Ok::<_, Infallible>(pass(&routes, &log, request).await) }
            });
            // A client that leaves is told of by its request.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
