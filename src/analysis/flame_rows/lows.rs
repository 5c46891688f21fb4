//! Minima of blocks of values, and minima of those: the next small value is found in a few steps, however far it is.

/// Values in a block.
const BLOCK: usize = 32;

/// Minima of blocks of values, and of blocks of those.
#[derive(Clone, Debug, Default)]
pub(super) struct Lows {
    len: usize,
    above: Vec<Vec<u32>>,
}

impl Lows {
    pub fn new(values: impl Iterator<Item = u32>) -> Self {
        let mut len = 0;
        let mut blocks: Vec<u32> = Vec::new();
        for value in values {
            match blocks.last_mut() {
                Some(low) if len % BLOCK != 0 => *low = value.min(*low),
                _ => blocks.push(value),
            }
            len += 1;
        }
        let mut above = vec![blocks];
        while let Some(last) = above.last().filter(|last| last.len() > BLOCK) {
            let next = last.chunks(BLOCK).map(|c| c.iter().copied().min().unwrap_or(u32::MAX)).collect();
            above.push(next);
        }
        Self { len, above }
    }

    pub fn bytes(&self) -> usize {
        self.above.iter().map(|level| level.len() * 4).sum()
    }

    fn level_len(&self, level: usize) -> usize {
        if level == 0 { self.len } else { self.above[level - 1].len() }
    }

    fn get(&self, value: &impl Fn(usize) -> u32, level: usize, at: usize) -> u32 {
        if level == 0 { value(at) } else { self.above[level - 1][at] }
    }

    /// The first place from `from` on whose value is at most `most`; otherwise the end.
    pub fn next(&self, value: impl Fn(usize) -> u32, from: usize, most: u32) -> usize {
        let (mut level, mut at) = (0, from);
        loop {
            let end = self.level_len(level).min((at / BLOCK + 1) * BLOCK);
            match (at..end).find(|&i| self.get(&value, level, i) <= most) {
                Some(found) if level == 0 => return found,
                Some(found) => (level, at) = (level - 1, found * BLOCK),
                None if level == self.above.len() || end == self.level_len(level) => return self.len,
                None => (level, at) = (level + 1, end / BLOCK),
            }
        }
    }

    /// The last place before `end` whose value is at most `most`.
    pub fn last(&self, value: impl Fn(usize) -> u32, end: usize, most: u32) -> Option<usize> {
        let (mut level, mut end) = (0, end.min(self.len));
        loop {
            let start = end.checked_sub(1)? / BLOCK * BLOCK;
            match (start..end).rev().find(|&i| self.get(&value, level, i) <= most) {
                Some(found) if level == 0 => return Some(found),
                Some(found) => {
                    level -= 1;
                    end = self.level_len(level).min((found + 1) * BLOCK);
                }
                None if level == self.above.len() => return None,
                None => (level, end) = (level + 1, start / BLOCK),
            }
        }
    }

    /// The least value in a range.
    pub fn least(&self, values: &[u32], from: usize, to: usize) -> u32 {
        let min = |values: &[u32]| values.iter().copied().min().unwrap_or(u32::MAX);
        let (first, last) = (from.div_ceil(BLOCK), to / BLOCK);
        if first >= last {
            return min(values.get(from..to).unwrap_or_default());
        }
        let edges = min(&values[from..first * BLOCK]).min(min(&values[last * BLOCK..to]));
        edges.min(min(&self.above[0][first..last]))
    }
}
