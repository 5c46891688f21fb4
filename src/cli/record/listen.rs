//! `inferscope listen`: what instrumented programs send by OpenTelemetry's protocol, as a recording.

use clap::Args;

use super::super::Failure;
use super::{How, RecordArgs, run};

/// Arguments of `listen`.
#[derive(Debug, Args)]
pub(in super::super) struct ListenArgs {
    /// Where exports over HTTP come; gRPC is understood there, too. A port of 0 is any free one [default: 127.0.0.1:4318,
    /// or any free port where that is taken]
    #[arg(long, value_name = "ADDR", conflicts_with = "command")]
    http: Option<String>,
    /// A second address, the usual one for gRPC; none for none [default: 127.0.0.1:4317, or any free port where that is taken]
    #[arg(long, value_name = "ADDR", conflicts_with = "command")]
    grpc: Option<String>,
    /// Pass each export on as it came to the server with this base URL. What it does not take is counted; nobody waits for it.
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    #[command(flatten)]
    how: How,
    /// A program to run, whose exporters are pointed here; it is recorded as `record command` does, whose parameters --set takes.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Examples, for the help text.
pub(in super::super) const EXAMPLES: &str = "\
Examples:
  inferscope listen -o run.inferscope                     until Ctrl-C, on the usual ports
  inferscope listen -o run.inferscope -- python app.py    run a program and record it, too
  inferscope listen --forward https://collector.example   stand before another server";

/// Records what is sent.
pub(in super::super) fn listen(args: ListenArgs) -> Result<(), Failure> {
    let ListenArgs { http, grpc, forward, mut how, command } = args;
    for (key, value) in [("http", http), ("grpc", grpc), ("forward", forward)] {
        how.set.extend(value.map(|value| format!("{key}={value}")));
    }
    let workload = if command.is_empty() { "listen" } else { "command" };
    if !command.is_empty() {
        how.set.push("otlp=true".to_owned());
    }
    run(&RecordArgs {
        workload: workload.to_owned(),
        process: None,
        on: None,
        apart: None,
        duration: None,
        how,
        sample_spans: 1,
        no_allocations: false,
        repeat: 1,
        to: None,
        proxy: false,
        command,
    })
}
