//! What exporters are answered: over HTTP in the encoding in which they asked, over gRPC with a status behind the message.

use std::convert::Infallible;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Unread;
use crate::import::otlp::{Encoding, Refusal, Signal, Told};

/// The body of an answer.
pub(super) type Reply = Response<BoxBody<Bytes, Infallible>>;

/// An answer, however it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Of HTTP, and the code of gRPC.
    pub(super) status: StatusCode,
    pub(super) code: u8,
    /// For the person, in one line; empty where all went well.
    pub(super) why: String,
    /// Of a message that was taken: how much of it was not.
    pub(super) rejected: u64,
}

// Codes of gRPC.
const OK: u8 = 0;
const INVALID_ARGUMENT: u8 = 3;
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const UNAVAILABLE: u8 = 14;

impl Answer {
    fn error(status: StatusCode, code: u8, why: impl Into<String>) -> Self {
        Self { status, code, why: why.into(), rejected: 0 }
    }

    /// It was taken.
    pub(super) fn taken(told: Told) -> Self {
        let why = if told.rejected > 0 { told.why } else { "" };
        Self { status: StatusCode::OK, code: OK, why: why.to_owned(), rejected: told.rejected }
    }

    pub(super) fn unknown(path: &str) -> Self {
        let why =
            format!("{path} is no place for OpenTelemetry: post to /v1/traces, /v1/logs or /v1/metrics");
        Self::error(StatusCode::NOT_FOUND, UNIMPLEMENTED, why)
    }

    pub(super) fn method() -> Self {
        Self::error(StatusCode::METHOD_NOT_ALLOWED, UNIMPLEMENTED, "exports are posted")
    }

    pub(super) fn stranger(who: &str) -> Self {
        Self::error(StatusCode::FORBIDDEN, PERMISSION_DENIED, format!("{who} is not this machine"))
    }

    pub(super) fn encoding(found: &str) -> Self {
        let why = format!("«{found}» is not read: send application/x-protobuf or application/json");
        Self::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, UNIMPLEMENTED, why)
    }

    pub(super) fn unread(why: &Unread) -> Self {
        match why {
            Unread::TooLong => Self::error(
                StatusCode::PAYLOAD_TOO_LARGE,
                RESOURCE_EXHAUSTED,
                "a message may have 64 MiB, unpacked too: make batches smaller (OTEL_BSP_MAX_EXPORT_BATCH_SIZE)",
            ),
            Unread::Busy => Self::busy(),
            Unread::Slow => Self::error(
                StatusCode::REQUEST_TIMEOUT,
                DEADLINE_EXCEEDED,
                "the message did not come in time",
            ),
            Unread::Packing(coding) => Self::error(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                UNIMPLEMENTED,
                format!("«{coding}» is not unpacked: send gzip, zstd or none"),
            ),
            Unread::Broken(why) => Self::error(StatusCode::BAD_REQUEST, INVALID_ARGUMENT, why.as_str()),
        }
    }

    pub(super) fn refused(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full => Self::busy(),
            Refusal::Broken(why) => Self::error(StatusCode::BAD_REQUEST, INVALID_ARGUMENT, why),
        }
    }

    fn busy() -> Self {
        Self::error(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, "there is no room just now")
    }

    /// Over HTTP.
    pub(super) fn http(&self, encoding: Encoding, signal: Signal) -> Reply {
        let is_ok = self.status == StatusCode::OK;
        let (body, kind) = match encoding {
            Encoding::Protobuf if is_ok => (self.partial(), "application/x-protobuf"),
            Encoding::Protobuf => (self.status_message(), "application/x-protobuf"),
            Encoding::Json => {
                let body = match (is_ok, self.rejected) {
                    (true, 0) => json!({}),
                    (true, n) => {
                        let count = match signal {
                            Signal::Traces => "rejectedSpans",
                            Signal::Logs => "rejectedLogRecords",
                            Signal::Metrics => "rejectedDataPoints",
                        };
                        json!({"partialSuccess": {count: n.to_string(), "errorMessage": self.why}})
                    }
                    (false, _) => json!({"code": self.code, "message": self.why}),
                };
                (body.to_string().into_bytes(), "application/json")
            }
        };
        let mut response = Response::new(Full::new(Bytes::from(body)).boxed());
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self.code == UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// Over gRPC.
    pub(super) fn grpc(&self) -> Reply {
        let mut status = HeaderMap::new();
        status.insert(HeaderName::from_static("grpc-status"), HeaderValue::from(u16::from(self.code)));
        if self.code != OK
            && let Ok(why) = HeaderValue::from_str(&escaped(&self.why))
        {
            status.insert(HeaderName::from_static("grpc-message"), why);
        }
        let mut response = if self.code == OK {
            let message = self.partial();
            let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
            let framed = [&[0][..], &length.to_be_bytes(), &message].concat();
            let trailers = std::future::ready(Some(Ok(status)));
            Response::new(Full::new(Bytes::from(framed)).with_trailers(trailers).boxed())
        } else {
            // There is no message: the status comes at once.
            let mut response = Response::new(Full::new(Bytes::new()).boxed());
            response.headers_mut().extend(status);
            response
        };
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        response
    }

    /// `Export…Response`: empty, or with what was not taken.
    fn partial(&self) -> Vec<u8> {
        if self.rejected == 0 {
            return Vec::new();
        }
        let mut inner = vec![1 << 3];
        varint(self.rejected, &mut inner);
        text(2, &self.why, &mut inner);
        let mut out = vec![1 << 3 | 2];
        varint(inner.len() as u64, &mut out);
        out.extend(inner);
        out
    }

    /// `google.rpc.Status`.
    fn status_message(&self) -> Vec<u8> {
        let mut out = vec![1 << 3];
        varint(self.code.into(), &mut out);
        text(2, &self.why, &mut out);
        out
    }
}

fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn text(field: u8, text: &str, out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    varint(text.len() as u64, out);
    out.extend(text.as_bytes());
}

/// A text as gRPC's header wants it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for &b in text.as_bytes() {
        match b {
            b' '..=b'~' if b != b'%' => out.push(char::from(b)),
            _ => out += &format!("%{b:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_taken_is_told_in_both_encodings() {
        let answer = Answer::taken(Told { rejected: 300, why: "no id" });
        assert_eq!(answer.partial(), [&[10, 10, 8, 0xac, 2, 18, 5][..], b"no id"].concat());
        assert_eq!(Answer::taken(Told::default()).partial(), b"");
        assert_eq!(Answer::unread(&Unread::TooLong).status_message()[..2], [8, 8]);
        assert_eq!(escaped("50 % «x»"), "50 %25 %C2%ABx%C2%BB");
    }
}
