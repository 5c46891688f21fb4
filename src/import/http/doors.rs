//! Calls that were seen twice: by the program's library and by the proxy that it went through.
//!
//! The proxy marks each response, the library's side writes the mark down. The one that remains has the program's place, begin
//! and end, and the proxy's address, answer and times of arrival.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::llm::Call;
use super::exchange::Exchange;

/// The library that a proxy names as its own.
pub(super) const PROXY: &str = "proxy";

/// An exchange, the process that it is of, and what is added to that one's times to get those of the profile.
pub(super) struct Seen {
    pub(super) pid: u32,
    /// What a person calls it.
    pub(super) process: Rc<str>,
    pub(super) shift: i64,
    pub(super) exchange: Exchange,
}

/// Makes one of each two that are the same.
pub(super) fn join(seen: Vec<Seen>) -> Vec<Seen> {
    let is_proxy = |s: &Seen| s.exchange.library == PROXY;
    let (proxied, mut rest): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(is_proxy);
    let mut by_mark: HashMap<String, Seen> = HashMap::new();
    for one in proxied {
        match one.exchange.mark.is_empty() || by_mark.contains_key(&one.exchange.mark) {
            true => rest.push(one),
            false => {
                by_mark.insert(one.exchange.mark.clone(), one);
            }
        }
    }
    for own in &mut rest {
        if let Some(other) = by_mark.remove(&own.exchange.mark).filter(|_| !is_proxy(own)) {
            take_over(own, other);
        }
    }
    rest.extend(by_mark.into_values());
    rest.sort_by_key(|s| (s.exchange.start.saturating_add(s.shift), s.pid));
    rest
}

fn take_over(own: &mut Seen, other: Seen) {
    let (by, e, o) = (other.shift.saturating_sub(own.shift), &mut own.exchange, other.exchange);
    e.known |= o.known;
    e.url = o.url;
    e.asked = o.asked.or(e.asked.take());
    e.stamps.first_byte = o.stamps.first_byte.map(|t| t.saturating_add(by)).or(e.stamps.first_byte);
    if let Some(mut call) = o.call {
        shift(&mut call, by);
        (e.call, e.unread) = (Some(call), o.unread);
    }
    if e.refusal.is_empty() {
        e.refusal = o.refusal;
    }
}

/// Moves all stamps of an answer.
pub(super) fn shift(call: &mut Call, by: i64) {
    let stamps = [
        &mut call.first_byte,
        &mut call.first_chunk,
        &mut call.first_token,
        &mut call.first_output,
        &mut call.last_token,
    ];
    stamps.into_iter().flatten().chain(&mut call.token_times).for_each(|t| *t = t.saturating_add(by));
}
