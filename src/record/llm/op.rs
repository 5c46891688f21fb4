//! An operation of the forward pass, as the recording sees it.

#[cfg(feature = "cuda")]
use super::cuda;
use crate::record::site::{self, Site};

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
            "forward" | "sample" => Self::Tokens,
            "layer" | "attn" | "mlp" | "embed" | "lm_head" => Self::Layers,
            _ => Self::Operations,
        };
        level <= self
    }
}

/// A kind of operation: made once, when the model is loaded, and entered for each call.
pub(super) struct Op {
    /// `None` where so much detail is not wanted.
    site: Option<Site>,
    #[cfg(feature = "cuda")]
    name: &'static str,
}

/// An operation that runs, until this is dropped.
pub(super) struct Running {
    _host: Option<site::Running>,
    #[cfg(feature = "cuda")]
    _device: Option<cuda::Watched>,
}

impl Op {
    pub(super) fn new(site: Option<Site>, name: &'static str) -> Self {
        #[cfg(not(feature = "cuda"))]
        let _ = name;
        Self {
            site,
            #[cfg(feature = "cuda")]
            name,
        }
    }

    /// Runs from here until the guard is dropped.
    #[inline]
    pub(super) fn enter(&self) -> Running {
        Running {
            _host: self.site.map(Site::enter),
            #[cfg(feature = "cuda")]
            _device: self.site.and_then(|_| cuda::watch(self.name)),
        }
    }
}

/// An operation of this name, of the layer with a number or of none; nothing when so much detail is not wanted.
macro_rules! op {
    ($detail:expr, $name:literal, $layer:expr) => {
        $crate::record::llm::op::Op::new(
            $detail.shows($name).then(|| $crate::record::site::site!("inferscope::llm", $name, $layer)),
            $name,
        )
    };
}
pub(super) use op;
