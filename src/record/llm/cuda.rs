//! What operations take on an NVIDIA GPU, as a lane of the recording.
//!
//! The host only queues work: a span of the host shows how long queueing took. So an event is put into the stream
//! before and after each operation, and the GPU notes when it comes by. The pairs are read when the pass has ended
//! and nothing more runs; reading one earlier would wait for it.
//!
//! The GPU's clock is tied to ours at the start of each pass, when the stream is empty and its first event happens at
//! once. What several generations queue into the one stream at the same time is not told apart.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::Device;
use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream, sys::CUevent_flags};

use crate::record::{device_span, is_recording};

/// Operations timed in one pass; events beyond would only hold memory of the driver.
const MOST: usize = 1 << 16;

struct Call {
    name: &'static str,
    start: CudaEvent,
    end: Option<CudaEvent>,
}

/// A pass through the layers that is being timed.
struct Pass {
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

/// An operation that is being timed, until this is dropped.
pub(super) struct Timed(usize);

/// A pass that is being timed; its times are reported when this is dropped.
pub(super) struct Timing(());

fn event(stream: &CudaStream) -> Option<CudaEvent> {
    // Without a flag an event has no time.
    stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).ok()
}

/// Times the operations of this thread from here on. `None` on the CPU, and while nothing is recorded.
pub(super) fn pass(device: &Device) -> Option<Timing> {
    let Device::Cuda(cuda) = device else { return None };
    if !is_recording() {
        return None;
    }
    let stream = cuda.cuda_stream();
    stream.synchronize().ok()?;
    let base = event(&stream)?;
    let lane = super::device::name(device);
    let pass = Pass { lane, stream, base, begun: Instant::now(), calls: Vec::new() };
    PASS.with(|slot| slot.replace(Some(pass)));
    Some(Timing(()))
}

/// Times an operation, if a pass is being timed.
pub(super) fn time(name: &'static str) -> Option<Timed> {
    PASS.with(|slot| {
        let mut slot = slot.borrow_mut();
        let pass = slot.as_mut().filter(|p| p.calls.len() < MOST)?;
        let start = event(&pass.stream)?;
        pass.calls.push(Call { name, start, end: None });
        Some(Timed(pass.calls.len() - 1))
    })
}

impl Drop for Timed {
    fn drop(&mut self) {
        PASS.with(|slot| {
            if let Some(pass) = slot.borrow_mut().as_mut() {
                let end = event(&pass.stream);
                if let Some(call) = pass.calls.get_mut(self.0) {
                    call.end = end;
                }
            }
        });
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        let Some(pass) = PASS.with(RefCell::take) else { return };
        // An error of the driver shows in the next operation; here it only takes the times away.
        if pass.stream.synchronize().is_err() {
            return;
        }
        let since = pass.begun.elapsed();
        let after = |event: &CudaEvent| {
            pass.base.elapsed_ms(event).ok().map(|ms| Duration::from_secs_f64(f64::from(ms.max(0.0)) / 1e3))
        };
        for Call { name, start, end } in &pass.calls {
            if let (Some(start), Some(end)) = (after(start), end.as_ref().and_then(after)) {
                device_span(&pass.lane, name, since.saturating_sub(start), since.saturating_sub(end));
            }
        }
    }
}
