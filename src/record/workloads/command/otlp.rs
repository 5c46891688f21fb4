//! What the command's processes send by OpenTelemetry's protocol: a receiver on the loopback interface, to which their exporters are
//! pointed by the environment.

use std::path::Path;

use super::super::listen::{Address, Listener, Plan, conclude, endpoint};
use super::through::around_proxies;
use crate::model::FactKind;
use crate::record::context::Context;

/// Signals that may have an address of their own.
const SIGNALS: [(&str, &str); 3] = [("TRACES", "traces"), ("LOGS", "logs"), ("METRICS", "metrics")];
/// What is set where nothing else is: spans leave soon, so that a program that is cut off loses little, and whole; model calls as
/// the present conventions have them.
const UNLESS_SET: [(&str, &str); 6] = [
    ("OTEL_TRACES_EXPORTER", "otlp"),
    ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    ("OTEL_BLRP_SCHEDULE_DELAY", "200"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1000"),
    ("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental"),
];
/// Addresses of libraries that bring their own exporter.
const OF_LIBRARIES: [&str; 2] = ["TRACELOOP_BASE_URL", "PHOENIX_COLLECTOR_ENDPOINT"];

/// The receiver, and what it sets in the command's environment.
pub(super) struct Otlp {
    listener: Listener,
    pub(super) variables: Vec<(String, String)>,
}

impl Otlp {
    /// Starts it; `folder` is where what comes is written.
    pub(super) fn start(folder: Option<&Path>, forward: &str, cx: &Context) -> Result<Self, String> {
        let plan = Plan { addresses: &[Address::any()], forward, folder, most: cx.room() };
        let listener = Listener::start(&plan)?;
        cx.receive(listener.received());
        let at = listener.addresses().first().map(|at| endpoint(*at)).unwrap_or_default();
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let earlier = environment("OTEL_EXPORTER_OTLP_ENDPOINT");
        let forward = listener.forwards_to().map(|to| format!(", passed on to {to}")).unwrap_or_default();
        cx.fact(FactKind::Setting, "OpenTelemetry receiver", format!("{at}{forward}"));
        if let (Some(earlier), "") = (earlier, plan.forward) {
            cx.warn("exports did not go where they go otherwise (--forward passes them on)", &earlier);
        }
        Ok(Self { variables: variables(&at, environment), listener })
    }

    /// Where exports go.
    pub(super) fn address(&self) -> String {
        self.listener.addresses().first().map(|at| format!("{}/v1/", endpoint(*at))).unwrap_or_default()
    }

    /// Ends it. True when spans came.
    pub(super) fn end(self, cx: &Context) -> bool {
        let received = self.listener.received();
        conclude(self.listener, cx);
        received.has_spans()
    }
}

fn variables(at: &str, environment: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut all = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), at.to_owned()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL".to_owned(), "http/protobuf".to_owned()),
        ("OTEL_EXPORTER_OTLP_INSECURE".to_owned(), "true".to_owned()),
    ];
    for (signal, path) in SIGNALS {
        for (what, value) in
            [("ENDPOINT", format!("{at}/v1/{path}")), ("PROTOCOL", "http/protobuf".to_owned())]
        {
            let name = format!("OTEL_EXPORTER_OTLP_{signal}_{what}");
            if environment(&name).is_some() {
                all.push((name, value));
            }
        }
    }
    let unset = UNLESS_SET.iter().filter(|(name, _)| environment(name).is_none());
    all.extend(unset.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    all.extend(OF_LIBRARIES.iter().map(|name| ((*name).to_owned(), at.to_owned())));
    all.extend(around_proxies(environment).into_iter().map(|(name, value)| (name.to_owned(), value)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporters_are_pointed_here_and_what_is_set_stays() {
        let set = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://elsewhere.example/v1/traces"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("HTTPS_PROXY", "http://proxy:3128"),
        ];
        let known =
            |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let all = variables("http://127.0.0.1:9", known);
        let of = |name: &str| all.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(of("OTEL_EXPORTER_OTLP_ENDPOINT"), Some("http://127.0.0.1:9"));
        assert_eq!(of("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), Some("http://127.0.0.1:9/v1/traces"));
        assert_eq!(of("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"), None);
        assert_eq!((of("OTEL_BSP_SCHEDULE_DELAY"), of("OTEL_BLRP_SCHEDULE_DELAY")), (None, Some("200")));
        assert_eq!(of("NO_PROXY"), Some("127.0.0.1"));
    }
}
