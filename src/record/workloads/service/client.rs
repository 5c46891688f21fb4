//! The clients: each asks, waits for the answer and asks again, until no request is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use super::faithful;
use super::fixed;
use super::shared::{Ask, Event, Measured, Reply, Service, Watch};
use crate::record::{RequestHandle, request};

/// The way into the service.
#[derive(Clone)]
pub(super) enum Front {
    Faithful(Arc<faithful::Front>),
    Fixed(Arc<fixed::Front>),
}

/// Has `clients` clients ask everything; gives what they measured.
pub(super) async fn ask_all(
    service: &Arc<Service>,
    front: &Front,
    asks: Vec<Ask>,
    clients: usize,
) -> Vec<Measured> {
    let (asks, next) = (Arc::new(asks), Arc::new(AtomicUsize::new(0)));
    let measured = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for number in 1..=clients.min(asks.len()) {
        let (service, front, asks) = (service.clone(), front.clone(), asks.clone());
        let (next, measured) = (next.clone(), measured.clone());
        let span = info_span!(target: "inferscope::service", parent: None, "client", number);
        let work = async move {
            while let Some(ask) = asks.get(next.fetch_add(1, Ordering::Relaxed)) {
                let one = one(&service, &front, ask, number).await;
                measured.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            }
        };
        tasks.spawn(work.instrument(span));
    }
    while tasks.join_next().await.is_some() {}
    std::mem::take(&mut *measured.lock().unwrap_or_else(PoisonError::into_inner))
}

/// One request from its arrival to its end.
async fn one(service: &Arc<Service>, front: &Front, ask: &Ask, client: usize) -> Measured {
    let name = format!("#{} {}", ask.id, ask.prompt.text);
    // A prompt of thousands of words is no name.
    let name: String = name.chars().take(100).collect();
    let span =
        info_span!(target: "inferscope::service", "request", id = ask.id, cache = Empty, error = Empty);
    async {
        let request = Arc::new(request(&name, &service.config.model, &ask.prompt.text));
        request.attribute("client", &client.to_string());
        let mut watch = Watch::start();
        service.flying(1);
        let result = match front {
            Front::Faithful(front) => front.call(service, ask, &request, &mut watch).await,
            Front::Fixed(front) => front.call(service, ask, &request, &mut watch).await,
        };
        service.flying(-1);
        end(service, &request, &result);
        watch.end(&result)
    }
    .instrument(span)
    .await
}

fn end(service: &Service, request: &RequestHandle, result: &Result<Reply, String>) {
    match result {
        Ok(reply) => {
            if let Some(cache) = reply.cache {
                Span::current().record("cache", cache.key());
            }
            if let Some(tokens) = reply.prompt_tokens {
                request.prompt_tokens(tokens);
            }
            if reply.tokens > 0 {
                request.output_tokens(reply.tokens);
            }
            service.book(reply, request);
            request.answered(&reply.text, reply.kv_cache_bytes);
        }
        Err(why) => {
            Span::current().record("error", why.as_str());
            service.note(|c| c.failed += 1);
            request.failed(why);
        }
    }
}

/// Waits for the model: for its turn, for the first token, for the rest. Each wait is a span.
pub(super) async fn receive(
    events: &mut UnboundedReceiver<Event>,
    watch: &mut Watch,
    wait: Span,
) -> Result<Reply, String> {
    let gone = || Err("the service ended".to_owned());
    let started = async { events.recv().await }.instrument(wait).await;
    match started {
        None => return gone(),
        Some(Event::End(result)) => return result,
        Some(Event::Started | Event::Token) => {}
    }
    let first = info_span!(target: "inferscope::service", "wait_for_first_token");
    let mut event = async { events.recv().await }.instrument(first).await;
    let stream = info_span!(target: "inferscope::service", "receive_tokens");
    async {
        loop {
            match event {
                None => return gone(),
                Some(Event::End(result)) => return result,
                Some(Event::Token) => watch.token(),
                Some(Event::Started) => {}
            }
            event = events.recv().await;
        }
    }
    .instrument(stream)
    .await
}
