//! An operation of the forward pass, as the recording sees it.

use tracing::Span;
use tracing::span::Entered;

#[cfg(feature = "cuda")]
use super::cuda;

/// How much of a pass is recorded. Each span costs some tens of ns, which a small model feels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Each token, and each pass through the model.
    Tokens,
    /// And each layer with its two halves, the embedding and the last product.
    Layers,
    /// And each operation.
    #[default]
    Operations,
}

impl Detail {
    /// Reads `tokens`, `layers` or `operations`; anything else is the default.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "tokens" => Self::Tokens,
            "layers" => Self::Layers,
            _ => Self::default(),
        }
    }

    pub(super) fn shows(self, name: &str) -> bool {
        let level = match name {
            "forward" => Self::Tokens,
            "layer" | "attn" | "mlp" | "embed" | "lm_head" => Self::Layers,
            _ => Self::Operations,
        };
        level <= self
    }
}

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

/// An operation of this name, or nothing when so much detail is not wanted.
macro_rules! op {
    ($detail:expr, $name:literal $(, $layer:expr)?) => {
        $crate::record::llm::op::Op::new(
            if $detail.shows($name) {
                tracing::trace_span!(target: "inferscope::llm", parent: None, $name $(, layer = $layer)?)
            } else {
                tracing::Span::none()
            },
            $name,
        )
    };
}
pub(super) use op;
