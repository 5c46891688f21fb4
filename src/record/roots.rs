//! Recording one of N root spans, with all below it, where recording all would be too much.
//!
//! A root span is one without a parent that is entered while its thread is in no other span: a request, a job. (One
//! that is entered inside another is an operation of that, however it was made.) Phases are always recorded.
//!
//! Work that knows its requests marks them ([`request_span`]): then they are the roots, wherever they are made, and all that
//! is in none of them is recorded.
//!
//! Whether a root is recorded is decided when it is first entered, or first has a child; until then its description waits
//! in the span itself. All below shares the decision: what is created in a root that is left out is left out when it is
//! created, and on a thread that is inside of one, enters and exits only count how deep it is.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tracing_core::Subscriber;
use tracing_core::span::Id;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::assemble::PHASE;
use super::sink::{self, Cold};

/// N: one of so many roots is recorded; 1 is all of them.
static ONE_OF: AtomicU32 = AtomicU32::new(1);
static SEEN: AtomicU64 = AtomicU64::new(0);
static KEPT: AtomicU64 = AtomicU64::new(0);

/// Roots are the spans that are marked, and no others.
static MARKED: AtomicBool = AtomicBool::new(false);

/// Changes with each recording, so that a thread forgets how deep it was in the one before.
static EPOCH: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The next span that this thread creates is marked.
    static MARK: Cell<bool> = const { Cell::new(false) };
    static DEPTH: Cell<Depth> = const { Cell::new(Depth { epoch: 0, inside: 0, left_out: 0 }) };
}

/// How deep a thread is in spans.
#[derive(Clone, Copy)]
struct Depth {
    epoch: u32,
    /// In spans that are recorded.
    inside: u32,
    /// In a root that is left out, and all below.
    left_out: u32,
}

impl Depth {
    /// Changes the depth of the calling thread. A thread that is being torn down is in no span.
    fn change<T: Default>(f: impl FnOnce(&mut Self) -> T) -> T {
        DEPTH
            .try_with(|cell| {
                let (mut depth, epoch) = (cell.get(), EPOCH.load(Ordering::Relaxed));
                if depth.epoch != epoch {
                    depth = Self { epoch, inside: 0, left_out: 0 };
                }
                let result = f(&mut depth);
                cell.set(depth);
                result
            })
            .unwrap_or_default()
    }
}

/// What a span knows about its root.
enum Fate {
    /// A span without a parent that was not entered yet, with what the recorder will want to know of it.
    Open(Option<Cold>),
    /// A marked span that was not entered yet, the same.
    Marked(Option<Cold>),
    LeftOut,
}

/// Makes a span that is a request: where a recording keeps one of N, it keeps one of N of these, each with all below it. `make`
/// creates the span and nothing else.
pub fn request_span(make: impl FnOnce() -> tracing::Span) -> tracing::Span {
    // A thread that is being torn down creates no requests.
    let _ = MARK.try_with(|mark| mark.set(true));
    let span = make();
    let _ = MARK.try_with(|mark| mark.set(false));
    span
}

/// Records one of `n` root spans from now on; `marked`: only those of [`request_span`] are roots.
pub(super) fn begin(n: u32, marked: bool) {
    MARKED.store(marked, Ordering::Relaxed);
    EPOCH.fetch_add(1, Ordering::Relaxed);
    ONE_OF.store(n.max(1), Ordering::Relaxed);
    SEEN.store(0, Ordering::Relaxed);
    KEPT.store(0, Ordering::Relaxed);
}

/// True when some roots are left out.
#[inline]
pub(super) fn sampled() -> bool {
    ONE_OF.load(Ordering::Relaxed) > 1
}

/// True while the calling thread is in a root that is left out.
#[inline]
pub(super) fn left_out() -> bool {
    sampled() && Depth::change(|d| d.left_out > 0)
}

/// «25 of 100 root spans recorded (1 of 4)», for the header.
pub(super) fn fact() -> Option<String> {
    let (n, seen, kept) =
        (ONE_OF.load(Ordering::Relaxed), SEEN.load(Ordering::Relaxed), KEPT.load(Ordering::Relaxed));
    (n > 1).then(|| {
        format!(
            "{kept} of {seen} recorded, with all below them (1 of {n}); calls, times, requests and memory are those \
             of the recorded ones"
        )
    })
}

/// Decides for the next root.
fn decide() -> bool {
    let n = u64::from(ONE_OF.load(Ordering::Relaxed));
    let kept = SEEN.fetch_add(1, Ordering::Relaxed).is_multiple_of(n);
    KEPT.fetch_add(u64::from(kept), Ordering::Relaxed);
    kept
}

/// Decides about a root that has not been, and says whether the span is recorded. A `known` decision is that of what
/// the span was entered in.
fn settle<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>, known: Option<bool>) -> bool {
    let mut extensions = span.extensions_mut();
    match extensions.get_mut::<Fate>() {
        None => true,
        Some(Fate::LeftOut) => false,
        Some(fate @ (Fate::Open(_) | Fate::Marked(_))) => {
            // A request is one wherever it is entered.
            let known = known.filter(|_| matches!(fate, Fate::Open(_)));
            let kept = known.unwrap_or_else(decide);
            let (Fate::Open(cold) | Fate::Marked(cold)) = std::mem::replace(fate, Fate::LeftOut) else {
                return false;
            };
            if kept {
                extensions.remove::<Fate>();
                cold.into_iter().for_each(sink::queue);
            }
            kept
        }
    }
}

/// A span was created. Gives back its description when it shall be kept now.
pub(super) fn created<S>(cold: Cold, id: &Id, cx: &Context<'_, S>) -> Option<Cold>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(span) = cx.span(id) else { return Some(cold) };
    if span.metadata().target() == PHASE {
        return Some(cold);
    }
    let marked = MARK.try_with(|mark| mark.replace(false)).unwrap_or(false);
    match span.parent() {
        Some(parent) if marked && settle(&parent, None) => {
            span.extensions_mut().insert(Fate::Marked(Some(cold)));
            None
        }
        None if marked => {
            span.extensions_mut().insert(Fate::Marked(Some(cold)));
            None
        }
        None if MARKED.load(Ordering::Relaxed) => Some(cold),
        None => {
            span.extensions_mut().insert(Fate::Open(Some(cold)));
            None
        }
        Some(parent) if settle(&parent, None) => Some(cold),
        Some(_) => {
            span.extensions_mut().insert(Fate::LeftOut);
            None
        }
    }
}

/// A span is entered: whether that is recorded.
pub(super) fn entered<S>(id: &Id, cx: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Depth::change(|depth| {
        // What was created in a root that is left out stays so wherever it is entered.
        let inside = (depth.inside > 0).then_some(true);
        let kept = depth.left_out == 0 && cx.span(id).is_none_or(|s| settle(&s, inside));
        *(if kept { &mut depth.inside } else { &mut depth.left_out }) += 1;
        kept
    })
}

/// A span is left: whether that is recorded.
pub(super) fn left() -> bool {
    Depth::change(|depth| {
        let kept = depth.left_out == 0;
        let level = if kept { &mut depth.inside } else { &mut depth.left_out };
        *level = level.saturating_sub(1);
        kept
    })
}

/// True when something that is said about a span shall be recorded.
pub(super) fn wanted<S>(id: &Id, cx: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    !sampled() || cx.span(id).is_none_or(|s| s.extensions().get::<Fate>().is_none())
}

/// Adds fields to a description that waits. False when there is none.
pub(super) fn add_fields<S>(id: &Id, fields: &mut sink::Fields, cx: &Context<'_, S>) -> bool
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(span) = cx.span(id) else { return false };
    let mut extensions = span.extensions_mut();
    let (Some(Fate::Open(Some(cold))) | Some(Fate::Marked(Some(cold)))) = extensions.get_mut::<Fate>() else {
        return false;
    };
    let Cold::New { fields: waiting, .. } = cold else { return false };
    waiting.append(fields);
    true
}
