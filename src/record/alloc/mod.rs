//! Memory by cause: an allocator that knows which span allocated what, also when another one frees it.
//!
//! Each block is 8 bytes longer than asked for. They hold its *owner*: which stretch of which thread, between two
//! events of spans, allocated it; 0 when nobody counted then. A free reads the owner and credits it, wherever it
//! happens. Counts are sums in a book of the calling thread ([`book`]), without a lock and without an operation that
//! threads share; the recorder reads them and finds the spans ([`super::assemble`]).
//!
//! Why a mark in the block and not a table of live blocks beside it: both cost 3 to 6 ns for an allocation and its free
//! while all lies in the cache, but with a million live blocks the table costs 230 ns more and the mark 60, and threads
//! do not meet at its locks. Why at the block's end: the block keeps the alignment that the system gave
//! it, whatever that is.
//!
//! While nothing counts, an allocation costs one relaxed load and one store, a free one load.

mod book;
mod records;
#[cfg(test)]
mod tests;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) use book::Drain;
use book::{GENERATION_SHIFT, Muted, Owner};
pub(super) use records::Entry;

/// The system's allocator, which counts for the recorder. A program that wants its memory by span says so once:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: inferscope::record::CountingAllocator = inferscope::record::CountingAllocator;
/// # fn main() {}
/// ```
///
/// Each allocation takes 8 bytes more than without it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

/// 0 while nothing counts, otherwise the generation of owners, which differs from one recording to the next.
static ON: AtomicU64 = AtomicU64::new(0);
/// The last of them that was in use.
static LATEST: AtomicU64 = AtomicU64::new(0);

/// Room for the owner behind each block.
const MARK: usize = size_of::<Owner>();

/// The layout with the mark. `None`: larger than any block can be.
#[inline]
fn marked(layout: Layout) -> Option<Layout> {
    Layout::from_size_align(layout.size().checked_add(MARK)?, layout.align()).ok()
}

/// Counts a block of `size` bytes at `block` and writes its mark.
#[inline]
#[expect(unsafe_code, reason = "writes the mark behind the block")]
fn begin_block(block: *mut u8, size: usize) {
    if block.is_null() {
        return;
    }
    let on = ON.load(Ordering::Relaxed);
    let owner = if on == 0 { 0 } else { book::allocated(on, size) };
    // SAFETY: the block was made `MARK` bytes longer than `size`.
    unsafe { block.add(size).cast::<Owner>().write_unaligned(owner) }
}

/// Credits the owner of a block that ends.
#[inline]
#[expect(unsafe_code, reason = "reads the mark behind the block")]
fn end_block(block: *mut u8, size: usize) {
    let on = ON.load(Ordering::Relaxed);
    if on != 0 {
        // SAFETY: every block of this allocator has a mark behind its `size` bytes.
        let owner = unsafe { block.add(size).cast::<Owner>().read_unaligned() };
        book::freed(on, owner, size);
    }
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: all is handed on to `System` with layouts that differ in size alone, by the same amount each time.
unsafe impl GlobalAlloc for CountingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(whole) = marked(layout) else { return std::ptr::null_mut() };
        // SAFETY: `whole` is not empty.
        let block = unsafe { System.alloc(whole) };
        begin_block(block, layout.size());
        block
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(whole) = marked(layout) else { return std::ptr::null_mut() };
        // SAFETY: `whole` is not empty.
        let block = unsafe { System.alloc_zeroed(whole) };
        begin_block(block, layout.size());
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        end_block(block, layout.size());
        let Some(whole) = marked(layout) else { return };
        // SAFETY: the block came from `System` with this layout.
        unsafe { System.dealloc(block, whole) }
    }

    /// A block that grows or shrinks counts as a new one of whoever asked for that.
    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let new = Layout::from_size_align(size, layout.align()).ok().and_then(marked);
        let (Some(whole), Some(new)) = (marked(layout), new) else { return std::ptr::null_mut() };
        let on = ON.load(Ordering::Relaxed);
        // SAFETY: every block of this allocator has a mark behind its bytes.
        let owner =
            if on == 0 { 0 } else { unsafe { block.add(layout.size()).cast::<Owner>().read_unaligned() } };
        // SAFETY: the block came from `System` with this layout.
        let moved = unsafe { System.realloc(block, whole, new.size()) };
        if !moved.is_null() {
            if on != 0 {
                book::freed(on, owner, layout.size());
            }
            begin_block(moved, size);
        }
        moved
    }
}

/// Starts counting. False when this program's allocator is another one: nothing will be counted then.
pub(super) fn begin() -> bool {
    // From 1 up, and round.
    let step = 1 << GENERATION_SHIFT;
    let on = LATEST.load(Ordering::Relaxed).checked_add(step).unwrap_or(step);
    LATEST.store(on, Ordering::Relaxed);
    book::reset();
    let before = book::of_this_thread();
    ON.store(on, Ordering::SeqCst);
    drop(std::hint::black_box(Box::new(0u64)));
    let counts = book::of_this_thread() != before;
    if !counts {
        end();
    }
    counts
}

/// Bytes that the recorder itself has allocated since counting began and holds; `None` while nothing counts.
pub(super) fn recorder_bytes() -> Option<u64> {
    (ON.load(Ordering::Relaxed) != 0).then(|| u64::try_from(book::held()).unwrap_or(0))
}

/// Stops counting.
pub(super) fn end() {
    ON.store(0, Ordering::SeqCst);
}

/// A span was entered or left at `ticks` by the calling thread, which is the sink's `thread`: what it allocated until
/// now belongs to what was entered before.
#[inline]
pub(super) fn boundary(thread: u32, ticks: u64) {
    let on = ON.load(Ordering::Relaxed);
    if on != 0 {
        book::boundary(on, thread, ticks);
    }
}

/// The calling thread ends.
pub(super) fn thread_ends() {
    book::thread_ends(ON.load(Ordering::Relaxed));
}

/// While the result lives, allocations of the calling thread are the recorder's own and are counted apart.
#[inline]
pub(super) fn uncounted() -> Muted {
    Muted::begin()
}

/// Leaves out what the calling thread allocates from now on: it serves the display, not the work that is recorded.
pub fn leave_out_this_thread() {
    std::mem::forget(Muted::begin());
}

/// What was counted since the last call, and what was not: entries that were lost because nobody read them in time.
/// `last`: counting has ended, and what lies in the books unfinished is wanted too.
pub(super) fn take(last: bool) -> Drain {
    Drain::new(LATEST.load(Ordering::Relaxed), last)
}

/// Runs `f` while nothing is counted, to see what counting costs.
pub(super) fn without_counting<T>(f: impl FnOnce() -> T) -> T {
    let on = ON.swap(0, Ordering::Relaxed);
    let result = f();
    ON.store(on, Ordering::Relaxed);
    result
}
