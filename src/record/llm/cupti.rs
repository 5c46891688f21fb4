//! The calls of CUPTI, NVIDIA's tracing library: switched on while a model is loaded on a GPU and a recording runs.
//!
//! The library belongs to the toolkit, not to the driver, so it is opened at run time, and a machine without it loses
//! nothing but kernels. What its records mean is in `record::activity`; here are only the calls.
//!
//! The library fills buffers of ours and gives them back from threads of its own. Nothing here waits for the GPU:
//! buffers are asked for after a pass whose result the host has read, a few times a second.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{CStr, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use libloading::Library;

use crate::record::activity::{Batch, Collector, is_known};
use crate::record::{alloc, clock, device, is_recording, sink};

/// Size of a buffer; a record is some 200 bytes.
const BUFFER: usize = 1 << 20;
/// Buffers that the library may hold at a time. Without one it drops records and counts them.
const MOST_BUFFERS: usize = 64;
/// Time between two looks at what the library has.
const EVERY: Duration = Duration::from_millis(200);

/// What is asked for: copies, fills, kernels, calls of the driver and the runtime (only calls name the operation that
/// they belong to), and that name.
const KINDS: [u32; 6] = [1, 2, 10, 4, 5, 39];
/// Whose numbers name operations: a user's own.
const CUSTOM: u32 = 3;
/// Return code of the last record of a buffer.
const NO_MORE: u32 = 12;

type Code = u32;
type OnRequest = extern "C" fn(*mut *mut u8, *mut usize, *mut usize);
type OnComplete = extern "C" fn(*mut c_void, u32, *mut u8, usize, usize);

/// The functions of the library that are called. It is never closed.
struct Cupti {
    version: u32,
    timestamp: unsafe extern "C" fn(*mut u64) -> Code,
    result_text: unsafe extern "C" fn(Code, *mut *const c_char) -> Code,
    register: unsafe extern "C" fn(OnRequest, OnComplete) -> Code,
    enable: unsafe extern "C" fn(u32) -> Code,
    disable: unsafe extern "C" fn(u32) -> Code,
    flush: unsafe extern "C" fn(u32) -> Code,
    next: unsafe extern "C" fn(*mut u8, usize, *mut *mut u8) -> Code,
    dropped: unsafe extern "C" fn(*mut c_void, u32, *mut usize) -> Code,
    push: unsafe extern "C" fn(u32, u64) -> Code,
    pop: unsafe extern "C" fn(u32, *mut u64) -> Code,
}

static CUPTI: OnceLock<Result<Cupti, String>> = OnceLock::new();
static STATE: Mutex<Option<State>> = Mutex::new(None);
static TRACING: Mutex<Weak<Tracing>> = Mutex::new(Weak::new());
static BUFFERS: AtomicUsize = AtomicUsize::new(0);

struct State {
    collector: Collector,
    due: Instant,
    /// Records that the library had no room for.
    dropped: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The library is on while this lives.
pub(super) struct Tracing(());

impl Tracing {
    /// Switches the library on, unless it is.
    ///
    /// # Errors
    /// One line: why kernels are not seen.
    pub(super) fn start() -> Result<Arc<Self>, String> {
        let mut current = lock(&TRACING);
        if let Some(tracing) = current.upgrade() {
            return Ok(tracing);
        }
        let cupti = CUPTI.get_or_init(open).as_ref().map_err(Clone::clone)?;
        let mut collector = Collector::default();
        cupti.tie(&mut collector);
        *lock(&STATE) = Some(State { collector, due: Instant::now() + EVERY, dropped: 0 });
        if let Err(why) = cupti.switch_on() {
            cupti.switch_off();
            *lock(&STATE) = None;
            return Err(why);
        }
        let tracing = Arc::new(Self(()));
        *current = Arc::downgrade(&tracing);
        Ok(tracing)
    }

    /// What the run says of it.
    pub(super) fn fact() -> String {
        let version = CUPTI.get().and_then(|c| c.as_ref().ok()).map_or(0, |c| c.version);
        format!("kernels and copies, by CUPTI (API version {version})")
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        // Nobody starts it again before it is off; where somebody did so just now, it stays on.
        let current = lock(&TRACING);
        if current.strong_count() > 0 {
            return;
        }
        let Some(Ok(cupti)) = CUPTI.get() else { return };
        cupti.look(true);
        cupti.switch_off();
        *lock(&STATE) = None;
    }
}

/// True while the library is on.
pub(super) fn is_on() -> bool {
    lock(&STATE).is_some()
}

/// An operation whose calls carry its number, until this is dropped on the same thread.
pub(super) struct Named(());

/// Names what the calling thread launches from here on. `None` while the library is off.
pub(super) fn name(operation: &'static str) -> Option<Named> {
    let Some(Ok(cupti)) = CUPTI.get() else { return None };
    let at = (sink::this_thread(), clock::ticks());
    let number = {
        let _own = alloc::uncounted();
        lock(&STATE).as_mut()?.collector.operation(operation, at)
    };
    #[expect(unsafe_code, reason = "a call of the library")]
    // SAFETY: takes two numbers.
    let code = unsafe { (cupti.push)(CUSTOM, number) };
    (code == 0).then_some(Named(()))
}

impl Drop for Named {
    fn drop(&mut self) {
        if let Some(Ok(cupti)) = CUPTI.get() {
            let mut last = 0;
            #[expect(unsafe_code, reason = "a call of the library")]
            // SAFETY: writes one number.
            unsafe {
                (cupti.pop)(CUSTOM, &raw mut last);
            }
        }
    }
}

/// A pass has ended: reports what the GPU did, when it is time to.
pub(super) fn pass_ended() {
    if !is_recording() {
        return;
    }
    if let Some(Ok(cupti)) = CUPTI.get() {
        let due = lock(&STATE).as_mut().is_some_and(|state| {
            let due = Instant::now() >= state.due;
            state.due = if due { Instant::now() + EVERY } else { state.due };
            due
        });
        if due {
            cupti.look(false);
        }
    }
}

impl Cupti {
    /// The library's reason in its own words.
    fn check(&self, code: Code) -> Result<(), String> {
        if code == 0 {
            return Ok(());
        }
        let mut text = std::ptr::null();
        #[expect(unsafe_code, reason = "a call of the library")]
        // SAFETY: the library gives the address of a constant text that ends with 0, or leaves the pointer alone.
        let said = unsafe {
            let known = (self.result_text)(code, &raw mut text) == 0 && !text.is_null();
            known.then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        Err(format!("CUPTI says {}", said.unwrap_or_else(|| format!("error {code}"))))
    }

    fn switch_on(&self) -> Result<(), String> {
        #[expect(unsafe_code, reason = "calls of the library")]
        // SAFETY: both functions are there as long as the process, and may be called on any thread.
        self.check(unsafe { (self.register)(on_request, on_complete) })?;
        KINDS.iter().try_for_each(|&kind| {
            #[expect(unsafe_code, reason = "a call of the library")]
            // SAFETY: takes a number.
            self.check(unsafe { (self.enable)(kind) })
        })
    }

    fn switch_off(&self) {
        for kind in KINDS {
            #[expect(unsafe_code, reason = "a call of the library")]
            // SAFETY: takes a number. One that was not on gives an error, which is all the same here.
            unsafe {
                (self.disable)(kind);
            }
        }
    }

    /// Reads both clocks: the closest of a few tries.
    fn tie(&self, collector: &mut Collector) {
        let tries = (0..4).filter_map(|_| {
            let (before, mut ns) = (clock::ticks(), 0);
            #[expect(unsafe_code, reason = "a call of the library")]
            // SAFETY: writes one number.
            let code = unsafe { (self.timestamp)(&raw mut ns) };
            let passed = clock::ticks().saturating_sub(before);
            (code == 0).then_some((passed, ns, before + passed / 2))
        });
        if let Some((_, ns, ticks)) = tries.min() {
            collector.tie(ns, ticks);
        }
    }

    /// Takes what the library has and reports what is complete. `last`: nothing follows, half-filled buffers count too.
    fn look(&self, last: bool) {
        let _own = alloc::uncounted();
        #[expect(unsafe_code, reason = "a call of the library")]
        // SAFETY: takes a number. It calls `on_complete`, so no lock is held here.
        unsafe {
            (self.flush)(u32::from(last));
        }
        let mut state = lock(&STATE);
        let Some(state) = state.as_mut() else { return };
        self.tie(&mut state.collector);
        let (done, lost) = (state.collector.take(last), state.collector.take_lost());
        let dropped = std::mem::take(&mut state.dropped) as u64;
        done.into_iter().for_each(device::report);
        for (n, why) in [
            (dropped, "CUPTI had no room for them"),
            (lost.unreadable, "they could not be read"),
            (lost.without_time, "they have no times"),
        ] {
            if n > 0 {
                tracing::warn!(target: "inferscope::gpu", records = n, "records of the GPU's work are missing: {why}");
            }
        }
    }

    /// Reads a buffer of the library.
    fn read(&self, buffer: *mut u8, valid: usize) -> Batch {
        let mut batch = Batch::default();
        let mut record: *mut u8 = null_mut();
        loop {
            #[expect(unsafe_code, reason = "a call of the library")]
            // SAFETY: `valid` bytes of the buffer hold records that the library wrote.
            let code = unsafe { (self.next)(buffer, valid, &raw mut record) };
            if code != 0 {
                batch.unreadable += u64::from(code != NO_MORE);
                return batch;
            }
            let Some(at) = (record as usize).checked_sub(buffer as usize).filter(|&at| at < valid) else {
                return batch;
            };
            #[expect(unsafe_code, reason = "a view of the library's record")]
            // SAFETY: lies in the valid part of a buffer of ours, checked above, which nobody writes to any more.
            let bytes = unsafe { std::slice::from_raw_parts(buffer.add(at), valid - at) };
            batch.read(bytes, text_at);
        }
    }
}

/// The name of a kernel.
fn text_at(address: u64) -> Option<String> {
    let text = usize::try_from(address).ok()? as *const c_char;
    #[expect(unsafe_code, reason = "a text of the library")]
    // SAFETY: the library keeps the names of kernels, with a 0 at their end, while their records are read.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

#[expect(
    clippy::unwrap_used,
    reason = "constant numbers: 8 is a power of two and the size far from its limit"
)]
fn layout() -> Layout {
    Layout::from_size_align(BUFFER, 8).unwrap()
}

extern "C" fn on_request(buffer: *mut *mut u8, size: *mut usize, most: *mut usize) {
    let free = BUFFERS.fetch_add(1, Ordering::Relaxed) < MOST_BUFFERS;
    #[expect(unsafe_code, reason = "what the library wants")]
    // SAFETY: the pointers are the library's own variables. No buffer is a null pointer and size 0.
    unsafe {
        let _own = alloc::uncounted();
        *buffer = if free { alloc_zeroed(layout()) } else { null_mut() };
        *size = if (*buffer).is_null() { 0 } else { BUFFER };
        *most = 0;
        if (*buffer).is_null() {
            BUFFERS.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

extern "C" fn on_complete(context: *mut c_void, stream: u32, buffer: *mut u8, _size: usize, valid: usize) {
    let _own = alloc::uncounted();
    let Some(Ok(cupti)) = CUPTI.get() else { return };
    if buffer.is_null() {
        return;
    }
    let batch = cupti.read(buffer, valid.min(BUFFER));
    let mut dropped = 0;
    #[expect(unsafe_code, reason = "calls of the library, and the end of our buffer")]
    // SAFETY: writes one number; the buffer came from `on_request`, and the library is done with it.
    unsafe {
        (cupti.dropped)(context, stream, &raw mut dropped);
        dealloc(buffer, layout());
    }
    BUFFERS.fetch_sub(1, Ordering::Relaxed);
    if let Some(state) = lock(&STATE).as_mut() {
        state.dropped += dropped;
        state.collector.add(batch);
    }
}

/// Where the library may be: where the system looks, then in the toolkit.
fn places() -> Vec<PathBuf> {
    const NAMES: [&str; 3] = ["libcupti.so.13", "libcupti.so.12", "libcupti.so"];
    let homes = ["CUDA_HOME", "CUDA_PATH"].iter().filter_map(std::env::var_os).map(PathBuf::from);
    let homes: Vec<PathBuf> = homes.chain([PathBuf::from("/usr/local/cuda")]).collect();
    let folders = homes.iter().flat_map(|home| ["extras/CUPTI/lib64", "lib64", "lib"].map(|l| home.join(l)));
    let inside = folders.flat_map(|folder| NAMES.map(|name| folder.join(name))).filter(|file| file.is_file());
    NAMES.iter().map(PathBuf::from).chain(inside).collect()
}

fn open() -> Result<Cupti, String> {
    let mut why = "libcupti, a part of the CUDA toolkit, was not found".to_owned();
    for place in places() {
        #[expect(unsafe_code, reason = "opens a library")]
        // SAFETY: NVIDIA's library may be opened at any time; what it runs when opened touches nothing of ours.
        let Ok(library) = (unsafe { Library::new(&place) }) else { continue };
        match functions(&library, &place) {
            Ok(cupti) => {
                // Its functions are called until the process ends.
                std::mem::forget(library);
                return Ok(cupti);
            }
            Err(problem) => why = problem,
        }
    }
    Err(why)
}

fn functions(library: &Library, place: &Path) -> Result<Cupti, String> {
    /// A function of the library by its name.
    fn function<T: Copy>(library: &Library, place: &Path, name: &str) -> Result<T, String> {
        #[expect(unsafe_code, reason = "a function of a library")]
        // SAFETY: the types above are those of cupti_activity.h, the same in all versions that are accepted below.
        let symbol = unsafe { library.get::<T>(name.as_bytes()) };
        symbol.map(|s| *s).map_err(|_| format!("{} has no function {name}", place.display()))
    }
    let get_version: unsafe extern "C" fn(*mut u32) -> Code = function(library, place, "cuptiGetVersion")?;
    let mut version = 0;
    #[expect(unsafe_code, reason = "a call of the library")]
    // SAFETY: writes one number.
    let code = unsafe { get_version(&raw mut version) };
    if code != 0 || !is_known(version) {
        return Err(format!(
            "{} has API version {version}; records are read of CUDA 11.8 to 13 (versions 18 to 28 and 13xxxx)",
            place.display()
        ));
    }
    Ok(Cupti {
        version,
        timestamp: function(library, place, "cuptiGetTimestamp")?,
        result_text: function(library, place, "cuptiGetResultString")?,
        register: function(library, place, "cuptiActivityRegisterCallbacks")?,
        enable: function(library, place, "cuptiActivityEnable")?,
        disable: function(library, place, "cuptiActivityDisable")?,
        flush: function(library, place, "cuptiActivityFlushAll")?,
        next: function(library, place, "cuptiActivityGetNextRecord")?,
        dropped: function(library, place, "cuptiActivityGetNumDroppedRecords")?,
        push: function(library, place, "cuptiActivityPushExternalCorrelationId")?,
        pop: function(library, place, "cuptiActivityPopExternalCorrelationId")?,
    })
}
