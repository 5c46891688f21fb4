//! The book of a thread: what its present stretch allocated and freed, and the entries that are made of that.
//!
//! A *stretch* is the time of a thread between two events of spans. Its sums are plain loads and stores of the thread's
//! own memory. They become an entry when the stretch ends, or as soon as they change the level of memory by
//! [`LIMIT`]; so large blocks have their own time, and a thread's books are never more than that behind. Frees of
//! blocks that other stretches allocated are entries of their own, one for each owner, or for some of its blocks where
//! a stretch frees blocks of more than [`OTHERS`] owners.
//!
//! This runs inside the allocator: it takes memory from the system alone, waits for nothing but a spin lock
//! once in 8 KiB of entries, and never panics. Books and chunks are never given back, only used again, which makes their
//! references good for ever.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::super::clock;
use super::records::{Entry, OTHERS, Tape, at, fresh, pointer};

/// Generation (12 bits), book (20 bits), stretch (32 bits). 0: nobody.
pub(super) type Owner = u64;

pub(super) const GENERATION_SHIFT: u32 = 52;
const BOOK_SHIFT: u32 = 32;
const MOST_BOOKS: u32 = 1 << (GENERATION_SHIFT - BOOK_SHIFT);
/// With the generation: the owner of what the recorder allocates for itself. The last book has no stretch 0.
const RECORDER: Owner = ((MOST_BOOKS - 1) as Owner) << BOOK_SHIFT;

/// Change of the level, in bytes, that becomes an entry at once.
const LIMIT: i64 = 64 << 10;

fn generation(owner: Owner) -> u64 {
    owner >> GENERATION_SHIFT
}

/// All zeros is a book that nobody has used.
struct Book {
    next: AtomicPtr<Book>,
    /// Its owner's thread has ended; another one may take it in the next recording.
    free: AtomicBool,
    index: AtomicU32,
    /// The sink's number of the thread; 0 until it has entered a span.
    thread: AtomicU32,
    /// The present stretch.
    owner: AtomicU64,
    /// An entry with the present stretch was written.
    named: AtomicBool,
    /// Sums of the present stretch since its last entry.
    allocated: AtomicU64,
    freed: AtomicU64,
    allocations: AtomicU64,
    /// Change of the level of memory since the last entry, a signed number.
    change: AtomicU64,
    /// Whose blocks this stretch freed, the first ones filled.
    others: [Other; OTHERS],
    /// The last event of a span.
    boundary: AtomicU64,
    tape: Tape,
}

/// Frees of another stretch's blocks.
#[derive(Default)]
struct Other {
    /// 0: nobody.
    owner: AtomicU64,
    freed: AtomicU64,
}

struct Local {
    book: Cell<Option<&'static Book>>,
    muted: Cell<u32>,
}

thread_local! {
    // Constant and without a destructor: good from a thread's first allocation to its last free.
    static LOCAL: Local = const { Local { book: Cell::new(None), muted: Cell::new(0) } };
}

static BOOKS: AtomicPtr<Book> = AtomicPtr::new(ptr::null_mut());
static COUNT: AtomicU32 = AtomicU32::new(0);
static LOST: AtomicU64 = AtomicU64::new(0);
/// Bytes that the recorder holds for itself, of those allocated since counting began. Only its own threads and the rare
/// paths that describe spans write it.
static HELD: AtomicI64 = AtomicI64::new(0);

/// Adds to a number that only the calling thread writes.
#[inline]
fn add(to: &AtomicU64, value: u64) {
    to.store(to.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
}

#[inline]
fn empty(number: &AtomicU64) -> u64 {
    let value = number.load(Ordering::Relaxed);
    number.store(0, Ordering::Relaxed);
    value
}

impl Book {
    /// The sums of the present stretch as an entry, if there are any; they start anew.
    fn sums(&self, ticks: u64) -> Option<Entry> {
        let entry = Entry {
            owner: self.owner.load(Ordering::Relaxed),
            ticks,
            allocated: empty(&self.allocated),
            freed: empty(&self.freed),
            allocations: u32::try_from(empty(&self.allocations)).unwrap_or(u32::MAX),
        };
        (entry.allocations > 0 || entry.freed > 0).then_some(entry)
    }

    /// The same of the frees of other owners' blocks.
    fn frees(&self, ticks: u64) -> impl Iterator<Item = Entry> {
        let filled =
            self.others.iter().map_while(|o| Some((empty(&o.owner), empty(&o.freed))).filter(|o| o.0 != 0));
        filled.map(move |(owner, freed)| Entry { owner, ticks, freed, ..Entry::default() })
    }

    /// Writes all sums as one record.
    #[inline(never)]
    fn flush(&self, ticks: u64) {
        let own = self.sums(ticks);
        if own.is_some() {
            self.named.store(true, Ordering::Relaxed);
        }
        self.change.store(0, Ordering::Relaxed);
        LOST.fetch_add(self.tape.write(ticks, own, self.frees(ticks)), Ordering::Relaxed);
    }

    /// Now, but after the event that began the stretch.
    fn now(&self) -> u64 {
        clock::ticks().max(self.boundary.load(Ordering::Relaxed) + 1)
    }

    /// Notes a change of the level of memory.
    #[inline]
    fn move_level(&self, by: i64) {
        let change = self.change.load(Ordering::Relaxed) as i64 + by;
        self.change.store(change as u64, Ordering::Relaxed);
        if !(-LIMIT..LIMIT).contains(&change) {
            self.flush(self.now());
        }
    }

    /// Begins the thread's part in a recording.
    fn open(&self, on: u64) {
        let sums = [&self.allocated, &self.freed, &self.allocations, &self.change, &self.boundary];
        let others = self.others.iter().flat_map(|o| [&o.owner, &o.freed]);
        sums.into_iter().chain(others).for_each(|n| n.store(0, Ordering::Relaxed));
        self.named.store(false, Ordering::Relaxed);
        self.thread.store(0, Ordering::Relaxed);
        let index = u64::from(self.index.load(Ordering::Relaxed));
        self.owner.store(on | index << BOOK_SHIFT | 1, Ordering::Relaxed);
    }
}

/// All books.
fn books() -> impl Iterator<Item = &'static Book> {
    std::iter::successors(at(BOOKS.load(Ordering::Acquire)), |b| at(b.next.load(Ordering::Acquire)))
}

/// A book for a thread that has none: one that an ended thread left, or a new one.
#[cold]
#[inline(never)]
fn acquire(on: u64) -> Option<&'static Book> {
    // Not one of this recording: destructors of its thread may still free blocks.
    let take = |b: &&Book| {
        b.free.load(Ordering::Relaxed)
            && generation(b.owner.load(Ordering::Relaxed) ^ on) != 0
            && b.free.compare_exchange(true, false, Ordering::Acquire, Ordering::Relaxed).is_ok()
    };
    if let Some(book) = books().take(64).find(take) {
        return Some(book);
    }
    if COUNT.load(Ordering::Relaxed) >= MOST_BOOKS {
        return None;
    }
    let book = fresh::<Book>()?;
    book.index.store(COUNT.fetch_add(1, Ordering::Relaxed) % MOST_BOOKS, Ordering::Relaxed);
    let mut first = BOOKS.load(Ordering::Relaxed);
    loop {
        book.next.store(first, Ordering::Relaxed);
        match BOOKS.compare_exchange_weak(first, pointer(book), Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return Some(book),
            Err(now) => first = now,
        }
    }
}

impl Local {
    /// The thread's book, opened for the present recording.
    #[inline]
    fn book(&self, on: u64) -> Option<&'static Book> {
        match self.book.get() {
            Some(book) if generation(book.owner.load(Ordering::Relaxed) ^ on) == 0 => Some(book),
            old => self.first_use(old, on),
        }
    }

    #[cold]
    #[inline(never)]
    fn first_use(&self, old: Option<&'static Book>, on: u64) -> Option<&'static Book> {
        let book = old.or_else(|| acquire(on))?;
        self.book.set(Some(book));
        book.open(on);
        Some(book)
    }
}

/// Counts a new block and names its owner.
#[inline]
pub(super) fn allocated(on: u64, size: usize) -> Owner {
    LOCAL.with(|local| {
        if local.muted.get() != 0 {
            HELD.fetch_add(size as i64, Ordering::Relaxed);
            return on | RECORDER;
        }
        let Some(book) = local.book(on) else { return 0 };
        let owner = book.owner.load(Ordering::Relaxed);
        add(&book.allocated, size as u64);
        add(&book.allocations, 1);
        book.move_level(size as i64);
        owner
    })
}

/// Counts the end of a block.
#[inline]
pub(super) fn freed(on: u64, owner: Owner, size: usize) {
    if generation(owner ^ on) != 0 || owner == 0 {
        return;
    }
    if owner == on | RECORDER {
        HELD.fetch_sub(size as i64, Ordering::Relaxed);
        return;
    }
    LOCAL.with(|local| {
        let Some(book) = local.book(on) else { return };
        if owner == book.owner.load(Ordering::Relaxed) {
            add(&book.freed, size as u64);
        } else {
            free_other(book, owner, size as u64);
        }
        book.move_level(-(size as i64));
    });
}

#[inline]
fn free_other(book: &Book, owner: Owner, size: u64) {
    let mine =
        |o: &&Other| matches!(o.owner.load(Ordering::Relaxed), 0) || o.owner.load(Ordering::Relaxed) == owner;
    let slot = match book.others.iter().find(mine) {
        Some(slot) => slot,
        None => {
            book.flush(book.now());
            &book.others[0]
        }
    };
    slot.owner.store(owner, Ordering::Relaxed);
    add(&slot.freed, size);
}

/// Ends a stretch.
#[inline]
pub(super) fn boundary(on: u64, thread: u32, ticks: u64) {
    LOCAL.with(|local| {
        let Some(book) = local.book(on) else { return };
        book.thread.store(thread, Ordering::Relaxed);
        let sums = [&book.allocations, &book.freed, &book.others[0].owner];
        if sums.iter().any(|n| n.load(Ordering::Relaxed) != 0) {
            book.flush(ticks);
        }
        if book.named.load(Ordering::Relaxed) {
            book.named.store(false, Ordering::Relaxed);
            add(&book.owner, 1);
        }
        book.boundary.store(ticks, Ordering::Relaxed);
    });
}

/// Leaves the book to others, from the next recording on.
pub(super) fn thread_ends(on: u64) {
    LOCAL.with(|local| {
        let Some(book) = local.book.get() else { return };
        if on != 0 && generation(book.owner.load(Ordering::Relaxed) ^ on) == 0 {
            book.flush(book.now());
        }
        book.free.store(true, Ordering::Release);
    });
}

/// While one lives, the calling thread's allocations are not counted.
#[must_use]
pub(in crate::record) struct Muted(());

impl Muted {
    #[inline]
    pub(super) fn begin() -> Self {
        LOCAL.with(|local| local.muted.set(local.muted.get() + 1));
        Self(())
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        LOCAL.with(|local| local.muted.set(local.muted.get() - 1));
    }
}

/// What the calling thread has in its book.
pub(super) fn of_this_thread() -> Option<(Owner, u64)> {
    let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
    LOCAL.with(|local| local.book.get().map(|b| (load(&b.owner), load(&b.allocations))))
}

/// Forgets how many entries were lost and what the recorder held.
pub(super) fn reset() {
    LOST.store(0, Ordering::Relaxed);
    HELD.store(0, Ordering::Relaxed);
}

/// Bytes that the recorder holds for itself.
pub(super) fn held() -> i64 {
    HELD.load(Ordering::Relaxed)
}

/// What was not read yet, of one recording. Only one reader at a time.
pub(in crate::record) struct Drain {
    generation: u64,
    last: bool,
}

impl Drain {
    pub(super) fn new(on: u64, last: bool) -> Self {
        Self { generation: generation(on), last }
    }

    /// Calls `f` for each entry, each thread's in order of time, with the sink's number of the thread; 0 for one that has
    /// not entered a span. Gives the number of entries lost so far.
    pub(in crate::record) fn for_each(self, mut f: impl FnMut(u32, Entry)) -> u64 {
        for book in books() {
            let thread = book.thread.load(Ordering::Relaxed);
            let mut give = |entry: Entry| {
                if generation(entry.owner) == self.generation {
                    f(thread, entry);
                }
            };
            book.tape.read(&mut give);
            if self.last && generation(book.owner.load(Ordering::Relaxed)) == self.generation {
                let now = book.now();
                book.sums(now).into_iter().chain(book.frees(now)).for_each(give);
            }
        }
        LOST.load(Ordering::Relaxed)
    }
}
