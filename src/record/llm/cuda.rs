//! What operations take on an NVIDIA GPU, as lanes of the recording.
//!
//! The host only queues work: a span of the host shows how long queueing took. Where CUPTI is there, it tells of each
//! kernel and copy (`cupti.rs`), and an operation only has to be named. Never both: the kernels would be there twice.
//!
//! Without CUPTI an event is put into the stream before and after each operation, and the GPU notes when it comes by.
//! The pairs are read when the pass has ended and nothing more runs; reading one earlier would wait for it.
//!
//! The GPU's clock is tied to ours at the start of each pass, when the stream is empty and its first event happens at
//! once. What several generations queue into the one stream at the same time is not told apart.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::Device;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream, sys::CUevent_flags};

use super::cupti;
use crate::record::{device_span, is_recording};

/// Operations timed in one pass; events beyond would only hold memory of the driver.
const MOST: usize = 1 << 16;

struct Call {
    name: &'static str,
    start: CudaEvent,
    end: Option<CudaEvent>,
}

/// A pass through the layers.
enum Pass {
    /// Its operations are named to CUPTI.
    Named,
    Timed(TimedPass),
}

/// A pass that is timed by events.
struct TimedPass {
    lane: String,
    stream: Arc<CudaStream>,
    /// First event, and when it happened.
    base: CudaEvent,
    begun: Instant,
    calls: Vec<Call>,
}

thread_local! {
    static PASS: RefCell<Option<Pass>> = const { RefCell::new(None) };
}

/// An operation that is being watched, until this is dropped.
pub(super) enum Watched {
    /// The name ends when this is dropped.
    Named(cupti::Named),
    /// Its number in the pass.
    Timed(usize),
}

/// A pass that is being watched; what the GPU did is reported when this is dropped.
pub(super) struct Watching(());

fn event(stream: &CudaStream) -> Option<CudaEvent> {
    // Without a flag an event has no time.
    stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).ok()
}

/// Watches the operations of this thread from here on. `None` on the CPU, and while nothing is recorded.
pub(super) fn pass(device: &Device) -> Option<Watching> {
    let Device::Cuda(cuda) = device else { return None };
    if !is_recording() {
        return None;
    }
    let pass = if cupti::is_on() {
        Pass::Named
    } else {
        let stream = cuda.cuda_stream();
        stream.synchronize().ok()?;
        let base = event(&stream)?;
        let lane = super::device::name(device);
        Pass::Timed(TimedPass { lane, stream, base, begun: Instant::now(), calls: Vec::new() })
    };
    PASS.with(|slot| slot.replace(Some(pass)));
    Some(Watching(()))
}

/// Watches an operation, if a pass is being watched.
pub(super) fn watch(name: &'static str) -> Option<Watched> {
    PASS.with(|slot| match slot.borrow_mut().as_mut()? {
        Pass::Named => cupti::name(name).map(Watched::Named),
        Pass::Timed(pass) if pass.calls.len() < MOST => {
            let start = event(&pass.stream)?;
            pass.calls.push(Call { name, start, end: None });
            Some(Watched::Timed(pass.calls.len() - 1))
        }
        Pass::Timed(_) => None,
    })
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Self::Timed(number) = *self else { return };
        PASS.with(|slot| {
            if let Some(Pass::Timed(pass)) = slot.borrow_mut().as_mut() {
                let end = event(&pass.stream);
                if let Some(call) = pass.calls.get_mut(number) {
                    call.end = end;
                }
            }
        });
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        match PASS.with(RefCell::take) {
            Some(Pass::Named) => cupti::pass_ended(),
            Some(Pass::Timed(pass)) => pass.report(),
            None => {}
        }
    }
}

impl TimedPass {
    fn report(&self) {
        // An error of the driver shows in the next operation; here it only takes the times away.
        if self.stream.synchronize().is_err() {
            return;
        }
        let since = self.begun.elapsed();
        let after = |event: &CudaEvent| {
            self.base.elapsed_ms(event).ok().map(|ms| Duration::from_secs_f64(f64::from(ms.max(0.0)) / 1e3))
        };
        for Call { name, start, end } in &self.calls {
            if let (Some(start), Some(end)) = (after(start), end.as_ref().and_then(after)) {
                device_span(&self.lane, name, since.saturating_sub(start), since.saturating_sub(end));
            }
        }
    }
}
