//! Rows of boxes over an axis: where they stand, their colours, how they are painted, what is said of one. Flame chart and
//! timeline draw them.

mod colors;
pub mod layout;
pub mod paint;
mod tooltip;

pub use colors::{Coloring, Colors, most};
pub use tooltip::{Facts, item, locate, over_tracks};

use crate::analysis::flame_rows::GroupOf;
use crate::model::{Profile, TrackKey};
use crate::ui::theme::space;
use layout::Metrics;

/// Sizes of rows and headers.
pub const METRICS: Metrics = Metrics { row: space::SPAN, header: 22.0, gap: 6.0 };

/// A group of rows, in all revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupName {
    /// A track.
    Track(TrackKey),
    /// Any other group.
    Other(GroupOf),
}

impl GroupName {
    /// The name of a group.
    #[must_use]
    pub fn of(group: GroupOf, profile: &Profile) -> Self {
        match group {
            GroupOf::Track(id) => Self::Track(profile.keys().track_key(id)),
            other => Self::Other(other),
        }
    }
}
