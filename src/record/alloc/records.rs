//! What a book writes and the recorder reads: entries, packed, in chunks that one thread fills and another empties.
//!
//! Chunks come from the system alone, wait for nothing but a spin lock, and are never given back, only used again.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use super::super::clock;

/// Owners of which a book sums up frees at the same time.
pub(super) const OTHERS: usize = 4;
/// Words in a chunk: 8 KiB.
const WORDS: usize = 1000;
/// Words of the longest record.
const LONGEST: usize = 5 + 2 * OTHERS;
/// Bits of a time in a record; the others follow from the time of reading.
const TIME_BITS: u32 = 59;
/// Chunks that may wait to be read: 64 MiB.
const MOST_CHUNKS: usize = 8192;

/// Sums of a stretch, or frees of one owner's blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::record) struct Entry {
    /// Whose memory it is.
    pub(in crate::record) owner: u64,
    /// When, in ticks; after the event of a span before it and not after the one that follows.
    pub(in crate::record) ticks: u64,
    /// Bytes that the owner allocated; 0 in an entry of frees by somebody else.
    pub(in crate::record) allocated: u64,
    /// Bytes of the owner that were freed.
    pub(in crate::record) freed: u64,
    /// Number of allocations.
    pub(in crate::record) allocations: u32,
}

/// Records of entries that were written together, because what passes from one thread's cache to another's is what counting costs:
/// a word with the time (times 32), [`OWN`], [`WIDE`] and the number of other owners; of sums the owner and, in one word,
/// 24 bits allocated, 24 freed and 16 for the number (or each in a word); of each other owner itself and what was freed.
struct Chunk {
    len: AtomicUsize,
    next: AtomicPtr<Chunk>,
    words: [AtomicU64; WORDS],
}

/// The record has sums of its own stretch.
const OWN: u64 = 1;
/// These have a word each.
const WIDE: u64 = 2;
/// The number of other owners stands from this bit on.
const COUNT_SHIFT: u32 = 2;

/// Chunks in a row; all zeros is an empty one.
#[derive(Default)]
pub(super) struct Tape {
    /// The end that is written.
    tail: AtomicPtr<Chunk>,
    /// The end that is read, and the words of it that were.
    head: AtomicPtr<Chunk>,
    read: AtomicUsize,
}

static POOL: AtomicPtr<Chunk> = AtomicPtr::new(ptr::null_mut());
static POOL_BUSY: AtomicBool = AtomicBool::new(false);
static CHUNKS: AtomicUsize = AtomicUsize::new(0);

/// What a pointer of this module points at.
#[expect(unsafe_code, reason = "lists inside the allocator")]
pub(super) fn at<T>(pointer: *mut T) -> Option<&'static T> {
    // SAFETY: all such pointers are null or come from `fresh`, whose memory is never given back.
    unsafe { pointer.as_ref() }
}

/// Memory of the system, all zeros, for ever. `T` consists of atomics, for which that is a value.
#[expect(unsafe_code, reason = "memory inside the allocator")]
pub(super) fn fresh<T>() -> Option<&'static T> {
    // SAFETY: neither of the two types that it is used with is empty.
    at(unsafe { System.alloc_zeroed(Layout::new::<T>()) }.cast::<T>())
}

pub(super) fn pointer<T>(reference: &'static T) -> *mut T {
    ptr::from_ref(reference).cast_mut()
}

fn with_pool<T>(f: impl FnOnce() -> T) -> T {
    while POOL_BUSY.swap(true, Ordering::Acquire) {
        std::hint::spin_loop();
    }
    let result = f();
    POOL_BUSY.store(false, Ordering::Release);
    result
}

fn new_chunk() -> Option<&'static Chunk> {
    let pooled = with_pool(|| {
        let chunk = at(POOL.load(Ordering::Relaxed))?;
        POOL.store(chunk.next.load(Ordering::Relaxed), Ordering::Relaxed);
        Some(chunk)
    });
    if let Some(chunk) = pooled {
        chunk.next.store(ptr::null_mut(), Ordering::Relaxed);
        chunk.len.store(0, Ordering::Relaxed);
        return Some(chunk);
    }
    if CHUNKS.fetch_add(1, Ordering::Relaxed) < MOST_CHUNKS {
        return fresh();
    }
    CHUNKS.fetch_sub(1, Ordering::Relaxed);
    None
}

fn release(chunk: &'static Chunk) {
    with_pool(|| {
        chunk.next.store(POOL.load(Ordering::Relaxed), Ordering::Relaxed);
        POOL.store(pointer(chunk), Ordering::Relaxed);
    });
}

impl Tape {
    /// The chunk that has room for a record.
    fn room(&self) -> Option<&'static Chunk> {
        let tail = at(self.tail.load(Ordering::Relaxed));
        if let Some(chunk) = tail.filter(|t| t.len.load(Ordering::Relaxed) <= WORDS - LONGEST) {
            return Some(chunk);
        }
        let new = new_chunk()?;
        self.tail.store(pointer(new), Ordering::Relaxed);
        match tail {
            Some(full) => full.next.store(pointer(new), Ordering::Release),
            None => self.head.store(pointer(new), Ordering::Release),
        }
        Some(new)
    }

    /// Writes sums of the own stretch and frees of at most [`OTHERS`] others as one record. Gives the number of entries that
    /// were lost, because nobody read in time.
    pub(super) fn write(&self, ticks: u64, own: Option<Entry>, frees: impl Iterator<Item = Entry>) -> u64 {
        let Some(chunk) = self.room() else { return own.into_iter().chain(frees).count() as u64 };
        let begin = chunk.len.load(Ordering::Relaxed);
        let mut end = begin + 1;
        let mut put = |word: u64| {
            if let Some(slot) = chunk.words.get(end) {
                slot.store(word, Ordering::Relaxed);
            }
            end += 1;
        };
        let mut head = ticks << (u64::BITS - TIME_BITS);
        if let Some(Entry { owner, allocated, freed, allocations, .. }) = own {
            head |= OWN;
            put(owner);
            if allocated < 1 << 24 && freed < 1 << 24 && allocations < 1 << 16 {
                put(allocated | freed << 24 | u64::from(allocations) << 48);
            } else {
                head |= WIDE;
                [allocated, freed, allocations.into()].into_iter().for_each(&mut put);
            }
        }
        for Entry { owner, freed, .. } in frees {
            head += 1 << COUNT_SHIFT;
            put(owner);
            put(freed);
        }
        if let Some(first) = chunk.words.get(begin) {
            first.store(head, Ordering::Relaxed);
        }
        chunk.len.store(end, Ordering::Release);
        0
    }

    /// Gives what was written since the last call; only one reader at a time.
    pub(super) fn read(&self, give: &mut impl FnMut(Entry)) {
        let now = clock::ticks();
        let mut head = at(self.head.load(Ordering::Acquire));
        while let Some(chunk) = head {
            // A chunk that has a successor is complete.
            let next = at(chunk.next.load(Ordering::Acquire));
            let (from, to) = (self.read.load(Ordering::Relaxed), chunk.len.load(Ordering::Acquire));
            entries(chunk.words.get(from..to).unwrap_or_default(), now, give);
            self.read.store(to, Ordering::Relaxed);
            let Some(next) = next else { break };
            self.head.store(pointer(next), Ordering::Relaxed);
            self.read.store(0, Ordering::Relaxed);
            release(chunk);
            head = Some(next);
        }
    }
}

/// What a record consists of, in the order in which it was written. `now`: the present time.
fn entries(words: &[AtomicU64], now: u64, give: &mut impl FnMut(Entry)) {
    const LOW: u64 = (1 << TIME_BITS) - 1;
    let mut words = words.iter().map(|w| w.load(Ordering::Relaxed));
    while let Some(head) = words.next() {
        let mut next = || words.next().unwrap_or_default();
        let ticks = now & !LOW | head >> (u64::BITS - TIME_BITS);
        if head & OWN != 0 {
            let owner = next();
            let (allocated, freed, allocations) = if head & WIDE != 0 {
                (next(), next(), next())
            } else {
                let word = next();
                (word & 0xff_ffff, word >> 24 & 0xff_ffff, word >> 48)
            };
            give(Entry { owner, ticks, allocated, freed, allocations: allocations as u32 });
        }
        for _ in 0..head >> COUNT_SHIFT & 7 {
            let (owner, freed) = (next(), next());
            give(Entry { owner, ticks, freed, ..Entry::default() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_whatever_its_size() {
        let tape = Tape::default();
        let now = clock::ticks();
        let mut expected = Vec::new();
        let mut read = Vec::new();
        for i in 0..3000u64 {
            let ticks = now.saturating_sub(3000) + i;
            let size = 1 << (i % 63);
            let own = Entry {
                owner: u64::MAX - i,
                ticks,
                allocated: size,
                freed: i,
                allocations: 1 + (size as u32 >> 1),
            };
            let own = (i % 3 > 0).then_some(own);
            let other = |n| Entry { owner: i << 32 | n, ticks, freed: size >> n, ..Entry::default() };
            let frees: Vec<Entry> = (0..i % (OTHERS as u64 + 1)).map(other).collect();
            expected.extend(own.into_iter().chain(frees.iter().copied()));
            assert_eq!(tape.write(ticks, own, frees.into_iter()), 0);
            if i % 700 == 0 {
                tape.read(&mut |entry| read.push(entry));
            }
        }
        tape.read(&mut |entry| read.push(entry));
        assert_eq!(read, expected);
        tape.read(&mut |entry| panic!("{entry:?} was read already"));
    }
}
