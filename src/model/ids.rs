//! Newtype ids: indices into the columns of one revision of one profile.
//!
//! An id must never outlive its profile. What has to survive a reload (a selection, a layout, a
//! comparison) is a key made of names: see [`super::keys`].

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The id of row `index`. Saturates; tables refuse to grow past `u32::MAX - 1` rows.
            #[must_use]
            pub fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }

            /// The row that this id names.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A text in [`crate::model::Strings`].
    StringId,
    /// A row of [`crate::model::Functions`]: what people compare.
    FunctionId,
    /// A row of [`crate::model::Frames`]: a function at a line.
    FrameId,
    /// A row of [`crate::model::Stacks`]: a frame and the stack below it.
    StackId,
    /// A declared cost dimension.
    MetricId,
    /// A thread, task, GPU stream or other lane of time.
    TrackId,
    /// A node of the call graph.
    NodeId,
    /// An edge of the call graph.
    EdgeId,
    /// A row of [`crate::model::Requests`].
    RequestId,
    /// A series of values over time.
    CounterId,
}
