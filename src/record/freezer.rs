//! Revisions of a recording that runs.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::alloc;
use super::context::Context;
use super::sampler::thread_cpu_time;
use super::session::OnRevision;
use crate::model::ProfileBuilder;

/// Freezes revisions on a thread of its own: that sorts all spans, and reading events and writing the
/// journal must not wait for it.
pub(super) struct Freezer {
    builders: Option<mpsc::Sender<(ProfileBuilder, Instant)>>,
    costs: mpsc::Receiver<Duration>,
    busy: bool,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Freezer {
    pub(super) fn new(on_revision: OnRevision, context: Arc<Context>) -> Self {
        let (builders, orders) = mpsc::channel::<(ProfileBuilder, Instant)>();
        let (done, costs) = mpsc::channel();
        let thread = crate::jobs::spawn("revisions", move || {
            alloc::leave_out_this_thread();
            for (builder, begun) in orders {
                let before = thread_cpu_time();
                let builder = with_received(builder, &context);
                on_revision(Arc::new(builder.finish()));
                context.add_own_cpu(before);
                if done.send(begun.elapsed()).is_err() {
                    break;
                }
            }
        });
        Self { builders: Some(builders), costs, busy: false, thread: Some(thread) }
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.busy
    }

    /// Freezes and hands on what `builder` holds; copying it began at `begun`.
    pub(super) fn start(&mut self, builder: ProfileBuilder, begun: Instant) {
        // A thread that panicked freezes nothing any more; the recording goes on.
        self.busy = self.builders.as_ref().is_some_and(|b| b.send((builder, begun)).is_ok());
    }

    /// What a revision cost that was finished since the last question.
    pub(super) fn finished(&mut self) -> Option<Duration> {
        let cost = self.costs.try_recv().ok();
        self.busy &= cost.is_none();
        cost
    }
}

/// The same with what programs sent so far.
#[cfg(feature = "workloads")]
fn with_received(mut builder: ProfileBuilder, context: &Context) -> ProfileBuilder {
    if let Some(received) = context.received() {
        let origin = builder.meta.origin_unix_ns.unwrap_or(0);
        let (name, text) = received.add_to(&mut builder, origin, true, false);
        builder.meta.result(name, text);
    }
    builder
}

#[cfg(not(feature = "workloads"))]
fn with_received(builder: ProfileBuilder, _: &Context) -> ProfileBuilder {
    builder
}

impl Drop for Freezer {
    fn drop(&mut self) {
        self.builders = None;
        if let Some(thread) = self.thread.take() {
            // A panic in a revision takes nothing from the recording.
            let _ = thread.join();
        }
    }
}
