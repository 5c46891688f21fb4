//! `inferscope mcp`: the questions as tools of the Model Context Protocol, over standard input and output.
//!
//! What it reads lies below the folders that it was started with; what it answers goes to a model, so texts of prompts and
//! answers stay here unless `--texts` says otherwise, and secrets are masked. It lives as long as its client.

mod child;
mod files;
mod server;
mod tools;
mod window;

use std::path::PathBuf;

use clap::Args;
use rmcp::ServiceExt;

use super::{Failure, prices_of};
use files::Files;
use server::Server;
use window::Window;

/// Arguments of `mcp`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct McpArgs {
    /// Folders with profiles: nothing else is read [default: the current folder].
    folders: Vec<PathBuf>,
    /// Include the texts of prompts and answers in what the tools answer.
    #[arg(long)]
    texts: bool,
    /// Let commands be recorded that begin with these words, such as 'python app.py'; repeatable. «any» allows every command.
    #[arg(long, value_name = "WORDS")]
    allow_record: Vec<String>,
    /// Price requests by this table first (JSON; see `inferscope report --help`).
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Let the client see what the person looks at in a running window, and show them something. The window has to allow it:
    /// View, «Agents: may use this window».
    #[arg(long)]
    window: bool,
}

const EXAMPLES: &str = "\
It speaks on standard input and output, as a client starts it. In the client's settings:
  {\"mcpServers\": {\"inferscope\": {\"command\": \"inferscope\", \"args\": [\"mcp\", \"profiles\"]}}}

Example: inferscope mcp profiles --window --allow-record 'python app.py'";

pub(super) fn run(args: &McpArgs) -> Result<(), Failure> {
    let folders = if args.folders.is_empty() { vec![PathBuf::from(".")] } else { args.folders.clone() };
    let files = Files::below(&folders).map_err(Failure::new)?;
    let words = |text: &String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let allowed: Vec<Vec<String>> = args.allow_record.iter().map(words).collect();
    if allowed.iter().any(Vec::is_empty) {
        return Err(Failure::new("--allow-record: say how commands begin that may be recorded, or «any»"));
    }
    let window = args.window.then(Window::default);
    if let Some(window) = &window {
        window.connect();
    }
    let server = Server::new(files, args.texts, allowed, prices_of(args.prices.as_deref())?, window);
    let ending = server.clone();
    end_with_signals(&ending);
    let failed = |e: &dyn std::fmt::Display| Failure::new(format!("the server of tools: {e}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| failed(&e))?;
    let served = runtime.block_on(async {
        let service = server.serve(rmcp::transport::io::stdio()).await.map_err(|e| e.to_string())?;
        service.waiting().await.map_err(|e| e.to_string())
    });
    // A recording whose client has gone ends, and keeps what it has.
    ending.end();
    // A read that nobody answers must not hold up the end.
    runtime.shutdown_background();
    match served {
        // A client that left before it said anything is no failure.
        Ok(_) => Ok(()),
        Err(e) if e.contains("connection closed") => Ok(()),
        Err(e) => Err(failed(&e)),
    }
}

/// Clients that wait for no end send a signal: recordings end with it, too.
#[cfg(unix)]
fn end_with_signals(server: &Server) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    let server = server.clone();
    crate::jobs::spawn("signals", move || {
        if let Some(signal) = signals.forever().next() {
            server.end();
            // As a shell says it.
            std::process::exit(128 + signal);
        }
    });
}

#[cfg(not(unix))]
fn end_with_signals(_: &Server) {}
