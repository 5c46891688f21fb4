//! One export: over HTTP (`/v1/traces`, `/v1/logs`, `/v1/metrics`) or as a call of gRPC. Any port takes either.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN,
};
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, Reply};
use super::body::{Message, Room, Unread, read};
use super::sink::{Came, Sink};
use crate::import::otlp::{Encoding, Refusal, Signal, Told};

/// Where exports of a signal are posted.
pub(super) fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/v1/traces",
        Signal::Logs => "/v1/logs",
        Signal::Metrics => "/v1/metrics",
    }
}

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

fn signal_of(path_asked: &str) -> Option<Signal> {
    SIGNALS.into_iter().find(|signal| path_asked.trim_end_matches('/') == path(*signal))
}

/// The signal of a service of gRPC.
fn service_of(path: &str) -> Option<Signal> {
    Some(match path.strip_prefix("/opentelemetry.proto.collector.")? {
        "trace.v1.TraceService/Export" => Signal::Traces,
        "logs.v1.LogsService/Export" => Signal::Logs,
        "metrics.v1.MetricsService/Export" => Signal::Metrics,
        _ => return None,
    })
}

/// What all requests of a server share.
pub(super) struct Desk {
    pub(super) sink: Sink,
    pub(super) room: Arc<Room>,
}

/// Answers a request. `local`: only this machine reaches the server, so whoever names it otherwise was led here by a page of somebody.
pub(super) async fn answer(desk: &Arc<Desk>, local: bool, request: Request<Incoming>) -> Reply {
    let kind = header(request.headers(), CONTENT_TYPE.as_str()).to_ascii_lowercase();
    let is_grpc = kind.starts_with("application/grpc");
    let encoding = match kind.split(';').next().unwrap_or_default().trim() {
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    };
    let origin = request.headers().get(ORIGIN).cloned();
    let asked = request.uri().path().to_owned();
    let signal = if is_grpc { service_of(&asked) } else { signal_of(&asked) };
    let answer = match stranger(local, &request) {
        Some(who) => {
            desk.sink.refuse("exports refused, because they were not for this machine", &who);
            Answer::stranger(&who)
        }
        None if request.method() == Method::OPTIONS && signal.is_some() => return allowed(origin.as_ref()),
        None => match (signal, encoding) {
            (None, _) => Answer::unknown(&asked),
            (Some(_), _) if request.method() != Method::POST => Answer::method(),
            (Some(signal), _) if is_grpc => take_grpc(desk, signal, request).await,
            (Some(_), None) => {
                desk.sink.refuse("exports refused, because their encoding is not known", &kind);
                Answer::encoding(&kind)
            }
            (Some(signal), Some(encoding)) => take_http(desk, (signal, encoding), request).await,
        },
    };
    if is_grpc {
        return answer.grpc();
    }
    let mut reply = answer.http(encoding.unwrap_or(Encoding::Json), signal.unwrap_or(Signal::Traces));
    if answer.status == StatusCode::METHOD_NOT_ALLOWED {
        reply.headers_mut().insert(hyper::header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    }
    if let Some(origin) = origin.filter(|_| answer.status != StatusCode::FORBIDDEN) {
        reply.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    reply
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Who a request is from or for, if that is not this machine.
fn stranger(local: bool, request: &Request<Incoming>) -> Option<String> {
    if !local {
        return None;
    }
    let named = request.uri().authority().map(|a| a.as_str().to_owned());
    let host = named.unwrap_or_else(|| header(request.headers(), HOST.as_str()).to_owned());
    if !host.is_empty() && !is_here(&host) {
        return Some(host);
    }
    let origin = header(request.headers(), ORIGIN.as_str());
    let of_page = origin.split_once("://").map_or(origin, |(_, host)| host);
    (!origin.is_empty() && !is_here(of_page)).then(|| origin.to_owned())
}

/// True for names of this machine that nobody else can give to another one.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_loopback || name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

/// Tells a page of this machine that it may post.
fn allowed(origin: Option<&HeaderValue>) -> Reply {
    let mut reply = Answer::taken(Told::default()).http(Encoding::Protobuf, Signal::Traces);
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply.headers_mut().remove(CONTENT_TYPE);
    if let Some(origin) = origin {
        let headers = reply.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("*, content-type, content-encoding, authorization"),
        );
    }
    reply
}

fn unread(desk: &Desk, why: &Unread) -> Answer {
    let answer = Answer::unread(why);
    let kind = match why {
        Unread::TooLong => "exports refused: larger than 64 MiB",
        Unread::Busy => FULL,
        Unread::Slow => "exports refused: they did not come in time",
        Unread::Packing(_) => "exports refused: packed in a way that is not known",
        Unread::Broken(_) => BROKEN,
    };
    desk.sink.refuse(kind, &answer.why);
    answer
}

const FULL: &str = "exports refused for now: more came than could be read";
const BROKEN: &str = "exports refused: they make no sense";

/// The headers, where they are passed on.
fn passed_on(desk: &Desk, headers: HeaderMap) -> HeaderMap {
    if desk.sink.forward.is_some() { headers } else { HeaderMap::new() }
}

async fn take_http(
    desk: &Arc<Desk>,
    (signal, encoding): (Signal, Encoding),
    request: Request<Incoming>,
) -> Answer {
    let (parts, body) = request.into_parts();
    let claimed = header(&parts.headers, CONTENT_LENGTH.as_str()).parse().ok();
    let coding = header(&parts.headers, CONTENT_ENCODING.as_str()).to_owned();
    match read(body, claimed, &desk.room).await {
        Ok(message) => {
            let headers = passed_on(desk, parts.headers);
            take(desk, Came { signal, encoding, coding, message, headers }).await
        }
        Err(why) => unread(desk, &why),
    }
}

/// A call of gRPC holds one message behind five bytes: whether it is packed, and its length.
async fn take_grpc(desk: &Arc<Desk>, signal: Signal, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let mut message = match read(body, None, &desk.room).await {
        Ok(message) => message,
        Err(why) => return unread(desk, &why),
    };
    let coding = match unframe(&mut message) {
        Ok(true) => header(&parts.headers, "grpc-encoding").to_owned(),
        Ok(false) => String::new(),
        Err(why) => return unread(desk, &why),
    };
    let headers = passed_on(desk, parts.headers);
    take(desk, Came { signal, encoding: Encoding::Protobuf, coding, message, headers }).await
}

/// Takes the five bytes away. True when the message is packed.
fn unframe(message: &mut Message) -> Result<bool, Unread> {
    let Some((head, rest)) = message.bytes.split_first_chunk::<5>() else {
        return Err(Unread::Broken("the call holds no message".into()));
    };
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length != rest.len() || head[0] > 1 {
        return Err(Unread::Broken("the call holds part of a message, or several".into()));
    }
    let is_packed = head[0] == 1;
    message.bytes.drain(..5);
    Ok(is_packed)
}

/// Large messages are read beside the server's thread: others go on meanwhile.
async fn take(desk: &Arc<Desk>, came: Came) -> Answer {
    let own = desk.clone();
    let taken = tokio::task::spawn_blocking(move || own.sink.take(came)).await;
    match taken {
        Ok(Ok(Ok(told))) => Answer::taken(told),
        Ok(Ok(Err(refusal))) => {
            let kind = if refusal == Refusal::Full { FULL } else { BROKEN };
            let answer = Answer::refused(refusal);
            desk.sink.refuse(kind, &answer.why);
            answer
        }
        Ok(Err(why)) => unread(desk, &why),
        Err(_) => unread(desk, &Unread::Broken("the reader failed".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_known() {
        for here in
            ["localhost", "LOCALHOST:4318", "127.0.0.1:4318", "127.8.0.1", "[::1]:4318", "app.localhost:3000"]
        {
            assert!(is_here(here), "{here}");
        }
        for other in
            ["evil.example", "localhost.evil.example:4318", "10.0.0.1", "[2001:db8::1]:80", "null", ""]
        {
            assert!(!is_here(other), "{other}");
        }
    }

    #[test]
    fn places_and_services_are_known() {
        assert_eq!(signal_of("/v1/traces/"), Some(Signal::Traces));
        assert_eq!(signal_of("/v1/trace"), None);
        assert_eq!(
            service_of("/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
            Some(Signal::Logs)
        );
        assert_eq!(service_of("/grpc.health.v1.Health/Check"), None);
    }
}
