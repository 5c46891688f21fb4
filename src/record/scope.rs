//! Recording a program of the user's own: the recording itself, and what is seen in it.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::{Options, RecordError, Recording, Work, record, sink};
use crate::model::Profile;

/// Target of the spans of [`scope!`](crate::scope) and [`profiled!`](crate::profiled). They are recorded
/// whatever targets the layer has, and shown with the module that they stand in.
pub(super) const SCOPE: &str = "inferscope::scope";

/// Starts recording this process until [`Ongoing::finish`]. Everything from here on is in it; spans that are
/// open already are not.
///
/// # Errors
/// [`RecordError::ForeignSubscriber`] when the program has a subscriber without [`super::layer`].
pub fn begin(title: &str, options: Options) -> Result<Ongoing, RecordError> {
    let (done, finished) = channel::<()>();
    let work = Work::new(title, move |cx| {
        while finished.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
            cx.check()?;
        }
        Ok(())
    });
    let recording = record(work, options, Box::new(|_| ()))?;
    // What happens after the return shall be recorded.
    while recording.status().elapsed.is_zero() && !recording.is_finished() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(Ongoing { recording, done })
}

/// A recording of this process. Dropping it keeps nothing.
#[derive(Debug)]
pub struct Ongoing {
    recording: Recording,
    done: Sender<()>,
}

impl Ongoing {
    /// Ends it and gives the profile. Spans that are still open are marked as unfinished.
    ///
    /// # Errors
    /// What kept the recording from its end.
    pub fn finish(self) -> Result<Arc<Profile>, RecordError> {
        drop(self.done);
        self.recording.join()
    }
}

/// True while a recording runs, for the macros: less than asking `tracing` three times for one span.
#[doc(hidden)]
#[inline]
#[must_use]
pub fn is_on() -> bool {
    sink::is_on()
}

/// What [`scope!`](crate::scope) gives: the scope ends when it is dropped.
#[derive(Debug)]
#[must_use = "the scope ends when this is dropped"]
pub struct ScopeGuard {
    _span: Option<tracing::span::EnteredSpan>,
}

impl ScopeGuard {
    /// Of a span, or of none while nothing records.
    #[doc(hidden)]
    #[inline]
    pub fn new(span: Option<tracing::Span>) -> Self {
        Self { _span: span.map(tracing::Span::entered) }
    }
}

/// Records from here to the end of the block, and returns a guard that ends it earlier when it is dropped. Nests,
/// and ends on `return`, `?` and panic too. For synchronous code: around an `.await` use
/// [`profiled!`](crate::profiled) or `tracing`'s `Instrument`. While nothing records it costs a load, and no other
/// layer of the program sees it.
///
/// ```
/// let _scope = inferscope::scope!("parse", bytes = 120);
/// ```
#[macro_export]
macro_rules! scope {
    ($name:expr $(, $($fields:tt)*)?) => {
        $crate::record::ScopeGuard::new(if $crate::record::is_on() {
            Some($crate::record::__tracing::info_span!(target: "inferscope::scope", $name $(, $($fields)*)?))
        } else {
            None
        })
    };
}

/// Functions whose calls are recorded, sync and async. They are as they were otherwise: they return their value,
/// and a call ends on panic too.
///
/// ```
/// inferscope::profiled! {
///     /// Looks up a document.
///     pub fn look_up(id: u32) -> Result<String, std::num::TryFromIntError> {
///         let small = u8::try_from(id)?;
///         Ok(format!("document {small}"))
///     }
///
///     async fn answer(question: &str) -> String {
///         question.to_uppercase()
///     }
/// }
/// assert_eq!(look_up(7).as_deref(), Ok("document 7"));
/// ```
///
/// Generic functions, and async ones with patterns or `self` as arguments, take `#[tracing::instrument]` and
/// [`RecordLayer::targets`](crate::record::RecordLayer::targets) instead.
#[macro_export]
macro_rules! profiled {
    () => {};
    ($(#[$attr:meta])* $vis:vis async fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
        $($rest:tt)*) => {
        $(#[$attr])*
        $vis async fn $name($($arg: $ty),*) $(-> $ret)? {
            async fn inner($($arg: $ty),*) $(-> $ret)? $body
            let span = if $crate::record::is_on() {
                $crate::record::__tracing::info_span!(target: "inferscope::scope", stringify!($name))
            } else {
                $crate::record::__tracing::Span::none()
            };
            $crate::record::__tracing::Instrument::instrument(inner($($arg),*), span).await
        }
        $crate::profiled! { $($rest)* }
    };
    ($(#[$attr:meta])* $vis:vis fn $name:ident($($args:tt)*) $(-> $ret:ty)? $body:block $($rest:tt)*) => {
        $(#[$attr])*
        $vis fn $name($($args)*) $(-> $ret)? {
            let _scope = $crate::scope!(stringify!($name));
            $body
        }
        $crate::profiled! { $($rest)* }
    };
}
