//! Calls of programs in any language: a proxy on the loopback interface, to which their base URL points.
//!
//! Requests and answers stream through as they come, piece by piece, headers and keys included; keys are never stored. Each answer gets
//! one more header, by which a call that the program's own library tells of, too, is known to be the same.

mod log;
mod pass;
mod serve;

use std::time::Duration;

use super::command::{Folder, calls};
use super::{Context, Param, ParamKind, Params, Workload, WorkloadError};
use crate::import::http::Beside;
use crate::model::FactKind;
use crate::record::calls::Moment;
use crate::record::{echo, secrets};
pub(super) use pass::drop_of_a_connection;
pub(super) use serve::{Plan, Proxy};

/// The proxy.
pub(super) struct ProxyWorkload;

static PARAMS: [Param; 3] = [
    Param {
        key: "to",
        label: "Server",
        help: "Base URL of the server or provider that requests are passed on to, such as https://api.openai.com.",
        default: "",
        kind: ParamKind::Url,
    },
    Param {
        key: "port",
        label: "Port",
        help: "Where the proxy listens on 127.0.0.1; 0 for any port that is free.",
        default: "4011",
        kind: ParamKind::Int { min: 0, max: 65_535 },
    },
    Param {
        key: "ca",
        label: "Root certificates",
        help: "A PEM file with roots that are trusted beside the system's.",
        default: "",
        kind: ParamKind::Path,
    },
];

#[derive(serde::Deserialize)]
struct Settings {
    to: String,
    port: u16,
    ca: String,
}

impl Workload for ProxyWorkload {
    fn id(&self) -> &'static str {
        "proxy"
    }

    fn title(&self) -> &'static str {
        "Calls through a proxy"
    }

    fn about(&self) -> &'static str {
        "Passes requests of programs in any language on to a model server or provider and records them, until it is stopped. \
         Point the program's base URL at it."
    }

    fn params(&self) -> &'static [Param] {
        &PARAMS
    }

    fn problem(&self, params: &Params) -> Option<String> {
        let unnamed = params.read::<Settings>().is_ok_and(|s| s.to.is_empty());
        unnamed.then(|| "Server: name where requests go, such as --to https://api.openai.com".into())
    }

    fn run(&self, params: &Params, cx: &Context) -> Result<(), WorkloadError> {
        let Settings { to, port, ca } = params.read()?;
        let folder = Folder::beside(cx.folder()).map_err(WorkloadError::Failed)?;
        let trace = folder.trace().map_err(WorkloadError::Failed)?;
        let moment = Moment::now();
        let plan = Plan {
            port,
            routes: &[(String::new(), to.clone())],
            roots: &ca,
            folder: secrets::texts().then_some(&trace),
        };
        let proxy = Proxy::start(&plan).map_err(WorkloadError::Failed)?;
        let address = proxy.address();
        cx.fact(FactKind::Setting, "Proxy", format!("{address} → {to}"));
        echo::ERR
            .say(&format!("inferscope: {address} passes requests on to {to}; Ctrl-C ends the recording\n"));
        cx.stage(&format!("Passing requests on to {to}"));
        while cx.check().is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
        let (kept, failed) = proxy.end();
        if let Some(why) = failed {
            cx.warn("the proxy could not write all requests down", &why);
        }
        calls::collect(&trace, kept.into_iter().collect(), moment, (Beside::Nothing, None), cx);
        // There is no other end.
        Ok(())
    }
}
