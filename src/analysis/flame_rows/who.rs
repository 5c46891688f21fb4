//! The function of a box with a few marks, packed.

use crate::analysis::gaps::Gap;
use crate::analysis::path::Symbol;
use crate::model::{FunctionId, Profile, SpanStatus};

/// The function of a box, and marks: 4 bytes, because there are millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Who(u32);

impl Who {
    const MODULE: u32 = 1 << 31;
    const ERROR: u32 = 1 << 30;
    const UNFINISHED: u32 = 1 << 29;
    const HIDDEN: u32 = 1 << 28;
    const GAP: u32 = 1 << 27;
    const UNACCOUNTED: u32 = 1 << 26;
    const FUNCTION: u32 = Self::UNACCOUNTED - 1;

    /// A box of `function`.
    #[must_use]
    pub fn new(function: FunctionId) -> Self {
        Self(function.0 & Self::FUNCTION)
    }

    /// A box of a node.
    #[must_use]
    pub fn symbol(symbol: Symbol) -> Self {
        let who = Self::new(symbol.function());
        Self(
            who.0
                | match symbol {
                    Symbol::Function(_) => 0,
                    Symbol::Module(..) => Self::MODULE,
                    Symbol::Hidden { .. } => Self::HIDDEN,
                },
        )
    }

    /// A part of the box above that is in no box, of `function`.
    #[must_use]
    pub fn gap(function: FunctionId, gap: Gap) -> Self {
        let kind = if gap == Gap::Unaccounted { Self::UNACCOUNTED } else { 0 };
        Self(Self::new(function).0 | Self::GAP | kind)
    }

    /// Why the box above has this part in no box, if it is one.
    #[must_use]
    pub fn as_gap(self) -> Option<Gap> {
        let kind = if self.0 & Self::UNACCOUNTED == 0 { Gap::NotPlaced } else { Gap::Unaccounted };
        (self.0 & Self::GAP != 0).then_some(kind)
    }

    /// The same with the mark for `status`.
    #[must_use]
    pub fn with_status(self, status: SpanStatus) -> Self {
        Self(
            self.0
                | match status {
                    SpanStatus::Ok => 0,
                    SpanStatus::Error => Self::ERROR,
                    SpanStatus::Unfinished => Self::UNFINISHED,
                },
        )
    }

    /// The same with the error mark if `other` has it.
    #[must_use]
    pub fn with_error_of(self, other: Self) -> Self {
        Self(self.0 | other.0 & Self::ERROR)
    }

    /// The function; of a box for a module its first one, of a gap that of the box above.
    #[must_use]
    pub fn function(self) -> FunctionId {
        FunctionId(self.0 & Self::FUNCTION)
    }

    /// True for a box of the function itself.
    #[must_use]
    pub fn is_of(self, function: FunctionId) -> bool {
        self.function() == function && self.as_gap().is_none()
    }

    /// True for a run of functions of one module.
    #[must_use]
    pub fn is_module(self) -> bool {
        self.0 & Self::MODULE != 0
    }

    /// True for library frames that are not shown one by one.
    #[must_use]
    pub fn is_hidden(self) -> bool {
        self.0 & Self::HIDDEN != 0
    }

    /// True when it (or one of the boxes folded into it) ended with an error.
    #[must_use]
    pub fn is_error(self) -> bool {
        self.0 & Self::ERROR != 0
    }

    /// True when it never ended.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        self.0 & Self::UNFINISHED != 0
    }

    /// What stands on the box; how many frames are hidden is told by [`super::FlameRows::label`].
    #[must_use]
    pub fn label(self, profile: &Profile) -> &str {
        if self.is_hidden() {
            return "[frames hidden]";
        }
        if let Some(gap) = self.as_gap() {
            return gap.label();
        }
        let function = profile.functions.get(self.function());
        profile.text(if self.is_module() { function.module } else { function.name })
    }
}
