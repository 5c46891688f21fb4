//! A receiver of OpenTelemetry's protocol: what instrumented programs in any language send becomes a recording.
//!
//! One hyper server for HTTP and gRPC; a call of gRPC with one message is five bytes before and a status behind it, for which tonic
//! would be a second HTTP stack. Messages are read by the importer of OpenTelemetry's files (`import/otlp`). A message is answered
//! when it is in a file beside the journal, so what a client was told to be taken outlives this process.

mod answer;
mod ask;
mod body;
mod forward;
mod serve;
mod sink;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::command::Folder;
use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::format;
use crate::model::FactKind;
use crate::record::{echo, secrets};
use serve::is_local;
pub(super) use serve::{Address, Listener, Plan};

/// The usual ports.
const HTTP: &str = "127.0.0.1:4318";
const GRPC: &str = "127.0.0.1:4317";
/// No second port.
const NONE: &str = "none";
/// After so long without anything it is said how to send.
const PATIENCE: Duration = Duration::from_secs(10);

/// The receiver.
pub(super) struct Listen;

static PARAMS: [Param; 3] = [
    Param {
        key: "http",
        label: "HTTP address",
        help: "Where exports over HTTP come; a port of 0 is any free one. gRPC is understood there, too.",
        default: HTTP,
        kind: ParamKind::Text,
    },
    Param {
        key: "grpc",
        label: "gRPC address",
        help: "A second address, the usual one for gRPC; none for none.",
        default: GRPC,
        kind: ParamKind::Text,
    },
    FORWARD,
];

/// Where exports go, too.
pub(super) const FORWARD: Param = Param {
    key: "forward",
    label: "Pass exports on to",
    help: "Base URL of a server that gets all exports, too, as they came (OTLP over HTTP, without /v1/traces); empty for none.",
    default: "",
    kind: ParamKind::Url,
};

impl Workload for Listen {
    fn id(&self) -> &'static str {
        "listen"
    }

    fn title(&self) -> &'static str {
        "What programs send (OTLP)"
    }

    fn about(&self) -> &'static str {
        "Receives traces, logs and metrics of instrumented programs by OpenTelemetry's protocol, over HTTP and gRPC, until it is \
         stopped. Spans with model calls become requests with tokens and cost."
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn other_process(&self) -> bool {
        true
    }

    fn problem(&self, params: &Params) -> Option<String> {
        addresses(&params.read().ok()?).err()
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let settings: Settings = params.read()?;
        let addresses = addresses(&settings).map_err(WorkloadError::Failed)?;
        let forward = settings.forward;
        let folder = Folder::beside(cx.folder()).map_err(WorkloadError::Failed)?;
        let trace = folder.trace().map_err(WorkloadError::Failed)?;
        let plan = Plan {
            addresses: &addresses,
            forward: &forward,
            folder: secrets::texts().then_some(&trace),
            most: cx.room(),
        };
        let listener = Listener::start(&plan).map_err(WorkloadError::Failed)?;
        let received = listener.received();
        cx.receive(received.clone());
        let [http, ..] = listener.addresses() else {
            return Err(WorkloadError::Failed("there is no address to listen on".into()));
        };
        let endpoint = endpoint(*http);
        welcome(&listener, &addresses, cx);
        cx.stage(&format!("Listening on {endpoint}"));
        let begun = Instant::now();
        let mut is_told = false;
        while cx.check().is_ok() {
            if !is_told && begun.elapsed() > PATIENCE && received.figures().exports == 0 {
                is_told = true;
                cx.stage(&format!("Nothing came yet: is OTEL_EXPORTER_OTLP_ENDPOINT={endpoint} set?"));
            } else if is_told && received.figures().exports > 0 {
                is_told = false;
                cx.stage(&format!("Listening on {endpoint}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        conclude(listener, cx);
        // There is no other end.
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct Settings {
    http: String,
    grpc: String,
    forward: String,
}

fn addresses(settings: &Settings) -> Result<Vec<Address>, String> {
    let of = |key: &str, text: &str, usual: &str| {
        let address = Address::parse(text).map_err(|why| format!("{key}: {why}"))?;
        Ok::<_, String>(Address { or_other: text == usual, ..address })
    };
    let mut all = vec![of("http", &settings.http, HTTP)?];
    if !matches!(&*settings.grpc, NONE | "") {
        all.push(of("grpc", &settings.grpc, GRPC)?);
    }
    Ok(all)
}

/// The address as exporters want it.
pub(super) fn endpoint(at: SocketAddr) -> String {
    let host = if at.ip().is_unspecified() { "127.0.0.1".to_owned() } else { at.ip().to_string() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("http://{host}:{}", at.port())
}

/// Says where it listens and what to set.
fn welcome(listener: &Listener, asked: &[Address], cx: &Context) {
    let at = listener.addresses();
    let shown: Vec<String> = at.iter().map(|at| endpoint(*at)).collect();
    cx.fact(FactKind::Setting, "Listened on", shown.join(", "));
    let forward = listener.forwards_to().map(|to| format!(", passes all on to {to}")).unwrap_or_default();
    let mut text =
        format!("inferscope: listens on {}{forward}; Ctrl-C ends the recording\n", shown.join(" and "));
    for (asked, at) in asked.iter().zip(at).filter(|(asked, at)| asked.at.port() != 0 && asked.at != **at) {
        text += &format!(
            "inferscope: port {} is taken by another program, so it is {}\n",
            asked.at.port(),
            at.port()
        );
    }
    if at.iter().any(|at| !is_local(at.ip())) {
        cx.warn("it listened where other machines reach it: what was recorded may be from anybody", "");
        text += "inferscope: other machines reach this address, and whoever does can add to the recording\n";
    }
    if let Some(first) = shown.first() {
        text += &format!(
            "  export OTEL_EXPORTER_OTLP_ENDPOINT={first}\n  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        );
    }
    echo::ERR.say(&text);
}

/// Ends the receiver and tells what it has to say.
pub(super) fn conclude(listener: Listener, cx: &Context) {
    let forwarded = listener.forwards_to().map(str::to_owned);
    let (remarks, passed) = listener.end();
    for (kind, n, more) in remarks {
        cx.warn_many(kind, &secrets::mask(&more), n);
    }
    if let Some(to) = forwarded {
        let passed = format::counted(i64::try_from(passed).unwrap_or(i64::MAX), "export", "exports");
        cx.fact(FactKind::Result, "Passed on", format!("{passed} to {to}"));
    }
}
