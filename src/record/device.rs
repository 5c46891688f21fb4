//! What devices other than the CPU did, as the recorder is told.

use std::sync::Arc;
use std::time::Duration;

use super::{clock, sink};

/// A piece of such work.
pub(super) struct DeviceWork {
    /// The device, where it has several lanes; empty when the lane itself is named after it.
    pub(super) device: Arc<str>,
    pub(super) lane: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) category: &'static str,
    /// A moment of the recorder's clock …
    pub(super) ticks: u64,
    /// … and how many ns before it the work began and ended.
    pub(super) ago: (i64, i64),
    pub(super) details: Details,
    pub(super) launch: Option<Launch>,
}

/// Where work was put in line: a thread of this process, and when, in ticks.
pub(super) type Launch = (u32, u64);

/// What is known besides; many pieces of work share the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Details {
    /// The operation of the host that launched it.
    pub(super) operation: Option<&'static str>,
    pub(super) bytes: Option<u64>,
    pub(super) grid: Option<[u32; 3]>,
    pub(super) block: Option<[u32; 3]>,
    /// Per thread.
    pub(super) registers: Option<u16>,
    /// Per block.
    pub(super) shared_bytes: Option<u32>,
    /// The name in the program, where a shorter one is shown.
    pub(super) symbol: Option<Arc<str>>,
}

/// Reports what a device other than a CPU did, on a lane named after it: `name` began and ended so long ago. For
/// devices that tell afterwards what they did.
pub fn device_span(lane: &str, name: &'static str, began: Duration, ended: Duration) {
    let ns = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    report(DeviceWork {
        device: "".into(),
        lane: lane.into(),
        name: name.into(),
        category: "gpu",
        ticks: clock::ticks(),
        ago: (ns(began), ns(ended)),
        details: Details::default(),
        launch: None,
    });
}

/// Reports work of a device.
pub(super) fn report(work: DeviceWork) {
    if sink::is_on() {
        sink::queue(sink::Cold::Device(Box::new(work)));
    }
}
