//! What all views over time share: a viewport with one set of keys and gestures, the marks that every
//! chart carries (phases, the chosen range, the cursor), and counter charts.

mod chart;
mod overlay;
mod viewport;

pub use chart::{Chart, Scale, area, line};
pub use overlay::{PHASE_BAND, phase_names, phase_shades, range_marks};
pub use viewport::{Gesture, HELP, Viewport};
