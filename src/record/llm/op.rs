//! An operation of the forward pass, as the recording sees it.

use tracing::Span;
use tracing::span::Entered;

#[cfg(feature = "cuda")]
use super::cuda;

/// A kind of operation: made once, when the model is loaded, and entered for each call. Entering one costs a few
/// tens of ns, creating one would cost several times as much. It has no parent, which tells the recorder that each
/// enter is a call (see `record::assemble`).
pub(super) struct Op {
    span: Span,
    #[cfg(feature = "cuda")]
    name: &'static str,
}

/// An operation that runs, until this is dropped.
pub(super) struct Running<'a> {
    _host: Entered<'a>,
    #[cfg(feature = "cuda")]
    _device: Option<cuda::Timed>,
}

impl Op {
    pub(super) fn new(span: Span, name: &'static str) -> Self {
        #[cfg(not(feature = "cuda"))]
        let _ = name;
        Self {
            span,
            #[cfg(feature = "cuda")]
            name,
        }
    }

    /// Runs from here until the guard is dropped.
    #[inline]
    pub(super) fn enter(&self) -> Running<'_> {
        Running {
            _host: self.span.enter(),
            #[cfg(feature = "cuda")]
            _device: (!self.span.is_disabled()).then(|| cuda::time(self.name)).flatten(),
        }
    }
}

macro_rules! op {
    ($name:literal $(, $layer:expr)?) => {
        $crate::record::llm::op::Op::new(
            tracing::trace_span!(target: "inferscope::llm", parent: None, $name $(, layer = $layer)?),
            $name,
        )
    };
}
pub(super) use op;
