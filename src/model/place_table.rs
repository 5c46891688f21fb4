//! Numbers by places in functions (costs of lines, calls from lines), packed: a large program has tens of millions.
//!
//! A profiler writes what it knows of a function in one go, mostly line after line, and most of its numbers are small or
//! 0. So rows are kept as they came, in blocks of one function, each row as its differences from the one before: 4 bytes
//! instead of 20, 10 instead of 84 where nine things are counted. Rows of a function are put in order, and those of one
//! place added up, when somebody looks at the function.

use std::borrow::Cow;

use super::ids::NodeId;

/// What a row is of: a place in a function.
pub trait Place: Copy + Ord {
    /// The function. It decides first in the order of places.
    fn node(&self) -> NodeId;
    /// What tells it from other places of the function.
    fn parts(&self) -> [u64; PARTS];
    /// The place in `node` with these parts.
    fn new(node: NodeId, parts: [u64; PARTS]) -> Self;
}

/// Numbers that a place is made of, beside its function.
pub const PARTS: usize = 3;
/// Numbers of a row that cost nothing when they are 0.
const MASKED: usize = 64 - PARTS;
/// Bytes from which on it is looked whether rows can be added up.
const FIRST_MERGE: usize = 32 << 20;
/// Blocks for each function that make that worth it.
const OFTEN: usize = 4;
/// Bytes of a page: no more than that is taken at a time, and nothing is moved when it is full.
const PAGE: usize = 1 << 20;
/// Most bytes of a packed number.
const NUMBER: usize = 10;

/// Rows of one function that came one after another.
#[derive(Clone, Copy, Debug)]
struct Block {
    node: NodeId,
    /// Numbers in each of its rows.
    stride: u32,
    /// The page that all of it is on.
    page: u32,
    /// Its first byte there.
    start: u32,
}

/// A row of a [`PlaceTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceRow<'a, P> {
    /// Where.
    pub place: P,
    /// Number of calls; `None` when the tool did not count them.
    pub calls: Option<u64>,
    /// Costs, one for each metric.
    pub costs: &'a [i64],
}

/// Rows in order, each place once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceRows<P> {
    places: Vec<P>,
    numbers: Vec<i64>,
    stride: usize,
    has_calls: bool,
    counted: bool,
}

impl<P: Place> PlaceRows<P> {
    /// The rows.
    pub fn iter(&self) -> impl Iterator<Item = PlaceRow<'_, P>> + '_ {
        (0..self.places.len()).map(|i| {
            let numbers = &self.numbers[i * self.stride..][..self.stride];
            let (calls, costs) = numbers.split_at(usize::from(self.has_calls).min(numbers.len()));
            let calls = calls.first().filter(|_| self.counted).map(|c| c.unsigned_abs());
            PlaceRow { place: self.places[i], calls, costs }
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Puts the rows in order and adds up those of one place.
    fn settle(&mut self) {
        if self.places.is_sorted_by(|a, b| a < b) {
            return;
        }
        let mut order: Vec<u32> = (0..self.places.len() as u32).collect();
        order.sort_by_key(|&i| self.places[i as usize]);
        let (mut places, mut numbers) = (Vec::<P>::new(), Vec::new());
        for i in order {
            let place = self.places[i as usize];
            let row = &self.numbers[i as usize * self.stride..][..self.stride];
            if places.last() == Some(&place) {
                let last = numbers.len() - self.stride;
                add(&mut numbers[last..], row);
            } else {
                places.push(place);
                numbers.extend_from_slice(row);
            }
        }
        (self.places, self.numbers) = (places, numbers);
    }
}

/// Calls and costs per place.
#[derive(Clone, Debug)]
pub struct PlaceTable<P> {
    pages: Vec<Vec<u8>>,
    blocks: Vec<Block>,
    /// Blocks by function; empty before they were put in order.
    order: Vec<u32>,
    /// The row before, which the next one is different from.
    last: [u64; PARTS],
    stride: usize,
    /// True when the first number of a row is that of its calls.
    has_calls: bool,
    /// False when those numbers mean nothing.
    counted: bool,
    merge_at: usize,
    of: std::marker::PhantomData<P>,
}

impl<P> Default for PlaceTable<P> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            blocks: Vec::new(),
            order: Vec::new(),
            last: [0; PARTS],
            stride: 0,
            has_calls: false,
            counted: false,
            merge_at: FIRST_MERGE,
            of: std::marker::PhantomData,
        }
    }
}

impl<P: Place> PartialEq for PlaceTable<P> {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.ordered(), other.ordered());
        let same = |a: &[u32], b: &[u32]| self.rows_of(a) == other.rows_of(b);
        let parts = |table: &Self, order: &[u32]| -> Vec<Vec<u32>> {
            let node = |&i: &u32| table.blocks[i as usize].node;
            order.chunk_by(|a, b| node(a) == node(b)).map(<[u32]>::to_vec).collect()
        };
        let (ours, theirs) = (parts(self, &ours), parts(other, &theirs));
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| same(a, b))
    }
}

/// Adds numbers, which saturate.
pub(crate) fn add(to: &mut [i64], numbers: &[i64]) {
    for (to, &number) in to.iter_mut().zip(numbers) {
        *to = to.saturating_add(number);
    }
}

impl<P: Place> PlaceTable<P> {
    /// A table whose rows start with a number of calls.
    pub(crate) fn with_calls() -> Self {
        Self { has_calls: true, counted: true, ..Self::default() }
    }

    /// True when there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Number of places. Looks at all rows.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut len = 0;
        self.for_each(|_| len += 1);
        len
    }

    /// Number of costs per row, in the order of [`super::CallGraph::costs`].
    #[must_use]
    pub fn metrics(&self) -> usize {
        self.stride.saturating_sub(usize::from(self.has_calls))
    }

    /// True when rows have numbers of calls.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.counted
    }

    /// Bytes held on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.packed_bytes() + self.order.len() * 4
    }

    fn packed_bytes(&self) -> usize {
        let pages = self.pages.len().saturating_sub(1) * PAGE + self.pages.last().map_or(0, Vec::len);
        pages + self.blocks.len() * size_of::<Block>()
    }

    /// The rows of a function.
    #[must_use]
    pub fn of(&self, node: NodeId) -> PlaceRows<P> {
        let order = self.ordered();
        let of = |i: &u32| self.blocks[*i as usize].node;
        let start = order.partition_point(|i| of(i) < node);
        let end = order.partition_point(|i| of(i) <= node);
        self.rows_of(&order[start..end])
    }

    /// Gives all rows to `take`, function by function.
    pub fn for_each(&self, mut take: impl FnMut(PlaceRow<'_, P>)) {
        let node = |&i: &u32| self.blocks[i as usize].node;
        for of_one in self.ordered().chunk_by(|a, b| node(a) == node(b)) {
            self.rows_of(of_one).iter().for_each(&mut take);
        }
    }

    fn rows_of(&self, blocks: &[u32]) -> PlaceRows<P> {
        let mut rows = PlaceRows {
            places: Vec::new(),
            numbers: Vec::new(),
            stride: self.stride,
            has_calls: self.has_calls,
            counted: self.counted,
        };
        for &block in blocks {
            self.unpack(block as usize, |place, numbers| {
                rows.places.push(place);
                rows.numbers.extend_from_slice(numbers);
            });
        }
        rows.settle();
        rows
    }

    /// Adds a row. All rows have as many costs as the first one, and counts if that has one.
    pub fn push(&mut self, place: P, calls: Option<u64>, costs: &[i64]) {
        if self.blocks.is_empty() {
            (self.has_calls, self.counted) = (calls.is_some(), calls.is_some());
            self.stride = costs.len() + usize::from(self.has_calls);
        }
        let calls = self.has_calls.then(|| i64::try_from(calls.unwrap_or(0)).unwrap_or(i64::MAX));
        let numbers = calls.into_iter().chain(costs.iter().copied()).chain(std::iter::repeat(0));
        let row: Vec<i64> = numbers.take(self.stride).collect();
        self.push_numbers(place, &row);
    }

    /// Adds a row as it is stored: the number of calls first, if the table has them.
    pub(crate) fn push_numbers(&mut self, place: P, numbers: &[i64]) {
        let node = place.node();
        if !self.has_room()
            || self.blocks.last().is_none_or(|b| b.node != node || b.stride as usize != self.stride)
        {
            if self.packed_bytes() >= self.merge_at {
                self.merge();
            }
            self.start_block(node);
        }
        let Some(page) = self.pages.last_mut() else { return };
        let parts = place.parts();
        let mut steps = [0u64; PARTS];
        let mut mask = 0u64;
        for (i, step) in steps.iter_mut().enumerate() {
            *step = zigzag(parts[i].wrapping_sub(self.last[i]) as i64);
            mask |= u64::from(*step != 0) << i;
        }
        let (masked, rest) = numbers[..self.stride].split_at(self.stride.min(MASKED));
        for (i, &number) in masked.iter().enumerate() {
            mask |= u64::from(number != 0) << (i + PARTS);
        }
        self.last = parts;
        write(page, mask);
        // Loops rather than one chain of iterators: this runs for each line of a large file, and is a third faster so.
        for step in steps {
            if step != 0 {
                write(page, step);
            }
        }
        for &number in masked {
            if number != 0 {
                write(page, zigzag(number));
            }
        }
        for &number in rest {
            write(page, zigzag(number));
        }
    }

    /// True when the last page has room for any row.
    fn has_room(&self) -> bool {
        let longest = NUMBER * (1 + PARTS + self.stride);
        self.pages.last().is_some_and(|page| page.is_empty() || page.len() + longest <= PAGE)
    }

    fn start_block(&mut self, node: NodeId) {
        if !self.has_room() {
            // The first page grows as it is filled: most tables are small.
            let room = if self.pages.is_empty() { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(room));
        }
        let (page, start) = (self.pages.len() - 1, self.pages.last().map_or(0, Vec::len));
        self.blocks.push(Block { node, stride: self.stride as u32, page: page as u32, start: start as u32 });
        self.last = [0; PARTS];
        self.order.clear();
    }

    /// Gives the rows of a block as they came.
    fn unpack(&self, block: usize, mut take: impl FnMut(P, &[i64])) {
        let Block { node, stride, page, start } = self.blocks[block];
        let next = self.blocks.get(block + 1).filter(|next| next.page == page);
        let bytes = &self.pages[page as usize];
        let mut bytes = &bytes[start as usize..next.map_or(bytes.len(), |next| next.start as usize)];
        let mut parts = [0u64; PARTS];
        let mut numbers = vec![0i64; self.stride];
        while !bytes.is_empty() {
            let mask = read(&mut bytes);
            for (_, part) in parts.iter_mut().enumerate().filter(|(i, _)| mask >> i & 1 == 1) {
                *part = part.wrapping_add(unzigzag(read(&mut bytes)) as u64);
            }
            for (i, number) in numbers[..stride as usize].iter_mut().enumerate() {
                let is_there = i >= MASKED || mask >> (i + PARTS) & 1 == 1;
                *number = if is_there { unzigzag(read(&mut bytes)) } else { 0 };
            }
            take(P::new(node, parts), &numbers);
        }
    }

    /// Makes room for more numbers a row; never fewer than before.
    pub(crate) fn set_stride(&mut self, stride: usize) {
        self.stride = stride;
    }

    /// Gives all rows as they came.
    pub(crate) fn for_each_put(&self, mut take: impl FnMut(P, &[i64])) {
        (0..self.blocks.len()).for_each(|block| self.unpack(block, &mut take));
    }

    /// Gives functions other numbers.
    pub(crate) fn renumber(&mut self, new: impl Fn(NodeId) -> NodeId) {
        self.blocks.iter_mut().for_each(|block| block.node = new(block.node));
        self.order.clear();
    }

    /// The same with other places; rows for which there is none are left out.
    pub(crate) fn mapped(mut self, new: impl Fn(P) -> Option<P>) -> Self {
        let (has_calls, counted, stride) = (self.has_calls, self.counted, self.stride);
        let mut table = Self { has_calls, counted, stride, ..Self::default() };
        let mut page = 0;
        for block in 0..self.blocks.len() {
            let now = self.blocks[block].page as usize;
            // Never both tables as a whole.
            self.pages[page..now].iter_mut().for_each(|page| *page = Vec::new());
            page = now;
            self.unpack(block, |place, numbers| {
                if let Some(place) = new(place) {
                    table.push_numbers(place, numbers);
                }
            });
        }
        table
    }

    /// Says whether the numbers of calls mean anything.
    pub(crate) fn set_counted(&mut self, counted: bool) {
        self.counted = counted;
    }

    fn ordered(&self) -> Cow<'_, [u32]> {
        if self.order.len() == self.blocks.len() {
            return Cow::Borrowed(&self.order);
        }
        let mut order: Vec<u32> = (0..self.blocks.len() as u32).collect();
        order.sort_by_key(|&i| self.blocks[i as usize].node);
        Cow::Owned(order)
    }

    /// Sorts the blocks by function. Without that they are sorted whenever somebody looks.
    pub(crate) fn put_in_order(&mut self) {
        self.order = self.ordered().into_owned();
        if let Some(page) = self.pages.last_mut() {
            page.shrink_to_fit();
        }
        self.blocks.shrink_to_fit();
    }

    /// Adds up the rows of one place where functions come again and again: files may have a record per call.
    fn merge(&mut self) {
        let mut nodes: Vec<NodeId> = self.blocks.iter().map(|b| b.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        if self.blocks.len() >= nodes.len() * OFTEN {
            let (has_calls, counted, stride) = (self.has_calls, self.counted, self.stride);
            let mut table = Self { has_calls, counted, stride, merge_at: usize::MAX, ..Self::default() };
            let merge_at = self.merge_at;
            let order = self.ordered();
            let node = |&i: &u32| self.blocks[i as usize].node;
            for of_one in order.chunk_by(|a, b| node(a) == node(b)) {
                let rows = self.rows_of(of_one);
                let numbers = rows.numbers.chunks(stride.max(1)).chain(std::iter::repeat(&[][..]));
                rows.places.iter().zip(numbers).for_each(|(&place, row)| table.push_numbers(place, row));
            }
            *self = Self { merge_at, ..table };
        }
        self.merge_at = (self.heap_bytes() * 2).max(self.merge_at);
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn write(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    while let Some((&byte, rest)) = bytes.split_first() {
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 || shift > 63 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CallSite, SourceLine, StringId};
    use std::collections::BTreeMap;

    fn line(node: u32, line: u32) -> SourceLine {
        SourceLine { node: NodeId(node), file: StringId(0), line }
    }

    fn rows<P: Place>(table: &PlaceTable<P>) -> Vec<(P, Option<u64>, Vec<i64>)> {
        let mut rows = Vec::new();
        table.for_each(|r| rows.push((r.place, r.calls, r.costs.to_vec())));
        rows
    }

    #[test]
    fn lines_come_in_order_and_once() {
        let mut lines = PlaceTable::default();
        for (place, costs) in
            [(line(1, 5), [1, 10]), (line(0, 9), [2, -20]), (line(1, 5), [3, 30]), (line(1, 2), [4, 0])]
        {
            lines.push(place, None, &costs);
        }
        lines.put_in_order();
        let want = [
            (line(0, 9), None, vec![2, -20]),
            (line(1, 2), None, vec![4, 0]),
            (line(1, 5), None, vec![4, 40]),
        ];
        assert_eq!((rows(&lines), lines.len(), lines.metrics()), (want.to_vec(), 3, 2));
        assert_eq!(lines.of(NodeId(1)).iter().map(|r| r.place.line).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(lines.of(NodeId(7)).iter().count(), 0);
        lines.push(line(0, 1), None, &[i64::MAX, i64::MIN]);
        assert_eq!((lines.len(), rows(&lines)[0].clone()), (4, (line(0, 1), None, vec![i64::MAX, i64::MIN])));
        lines.set_stride(3);
        lines.push_numbers(line(1, 5), &[1, 1, 7]);
        assert_eq!(rows(&lines)[3], (line(1, 5), None, vec![5, 41, 7]), "earlier rows have no third number");
        lines.renumber(|n| NodeId(9 - n.0));
        assert_eq!(rows(&lines)[0].0, line(8, 2));
    }

    #[test]
    fn calls_from_one_place_are_added_up() {
        let site = |caller, line, callee| CallSite {
            caller: NodeId(caller),
            file: StringId(0),
            line,
            callee: NodeId(callee),
        };
        let mut sites = PlaceTable::default();
        for (row, calls, cost) in
            [(site(1, 5, 2), 3, 30), (site(0, 9, 1), 1, 5), (site(1, 5, 2), 4, 40), (site(1, 5, 0), 1, 1)]
        {
            sites.push(row, Some(calls), &[cost]);
        }
        let want = [
            (site(0, 9, 1), Some(1), vec![5]),
            (site(1, 5, 0), Some(1), vec![1]),
            (site(1, 5, 2), Some(7), vec![70]),
        ];
        assert_eq!(rows(&sites), want);
        let fewer = sites.clone().mapped(|s| (s.line > 5).then_some(CallSite { callee: NodeId(4), ..s }));
        assert_eq!(rows(&fewer), [(site(0, 9, 4), Some(1), vec![5])]);
        let mut uncounted = PlaceTable::default();
        uncounted.push(site(0, 1, 1), None, &[1]);
        uncounted.push(site(0, 2, 1), Some(4), &[1]);
        assert!(!uncounted.is_counted(), "counts of some places only would be no counts");
        assert_eq!(rows(&uncounted)[1], (site(0, 2, 1), None, vec![1]));
    }

    #[test]
    fn any_order_gives_the_sums_of_a_map() {
        let mut seed = 7u32;
        let mut random = |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % n
        };
        for round in 0..200 {
            let merge_at = if round % 2 == 0 { 200 } else { FIRST_MERGE };
            let mut table = PlaceTable { merge_at, ..PlaceTable::default() };
            let metrics = if round % 5 == 0 { 70 } else { 2 };
            let mut want: BTreeMap<SourceLine, Vec<i64>> = BTreeMap::new();
            // Records of functions, some in order and some not, some of functions that were there before.
            for _ in 0..random(30) {
                let (node, first, ordered) = (random(6), random(40), random(3) > 0);
                for step in 0..random(9) {
                    let place = line(node, if ordered { first + step } else { random(50) });
                    let costs: Vec<i64> = (0..metrics).map(|_| i64::from(random(100)) - 20).collect();
                    table.push(place, None, &costs);
                    add(want.entry(place).or_insert_with(|| vec![0; metrics]), &costs);
                }
                if random(8) == 0 {
                    table.put_in_order();
                }
            }
            table.put_in_order();
            let got: Vec<_> = rows(&table).into_iter().map(|r| (r.0, r.2)).collect();
            assert_eq!(got, want.iter().map(|(p, c)| (*p, c.clone())).collect::<Vec<_>>(), "round {round}");
            assert_eq!(table.len(), want.len());
            let again = table.clone().mapped(Some);
            assert!(again == table);
            for node in 0..7 {
                let of = table.of(NodeId(node));
                let places = of.iter().map(|r| r.place);
                assert!(places.eq(want.keys().filter(|p| p.node == NodeId(node)).copied()), "round {round}");
            }
        }
    }

    #[test]
    fn usual_rows_take_a_few_bytes() {
        let mut table = PlaceTable::default();
        for i in 0..10_000u32 {
            table.push(line(i / 50, 100 + i % 50), None, &[i64::from(i % 60)]);
        }
        assert!(table.heap_bytes() < 10_000 * 4, "{}", table.heap_bytes());
        // The same function again and again: its rows are added up.
        let mut table = PlaceTable { merge_at: 4000, ..PlaceTable::default() };
        for i in 0..100_000u32 {
            table.push(line(i % 3, 7), None, &[1]);
        }
        assert!(table.heap_bytes() < 8200, "{}", table.heap_bytes());
        assert_eq!(rows(&table).iter().map(|r| r.2[0]).sum::<i64>(), 100_000);
    }
}
