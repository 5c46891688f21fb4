//! Many short lists, stored end to end.

/// For each of `n` keys a list of items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T: Copy + Default> Lists<T> {
    /// The lists of `n` keys, from (key below `n`, item) in any order; items of a key keep theirs.
    #[must_use]
    pub fn new(n: usize, pairs: impl Iterator<Item = (u32, T)> + Clone) -> Self {
        let mut starts = vec![0u32; n + 1];
        pairs.clone().for_each(|(key, _)| starts[key as usize + 1] += 1);
        for key in 0..n {
            starts[key + 1] += starts[key];
        }
        let mut next = starts.clone();
        let mut items = vec![T::default(); starts[n] as usize];
        for (key, item) in pairs {
            let at = &mut next[key as usize];
            items[*at as usize] = item;
            *at += 1;
        }
        Self { starts, items }
    }
}

impl Lists<u32> {
    /// Lists the numbers 0, 1, … by their keys below `n`.
    #[must_use]
    pub fn by(n: usize, keys: impl Iterator<Item = u32> + Clone) -> Self {
        Self::new(n, keys.zip(0..))
    }
}

impl<T> Lists<T> {
    /// The list of a key.
    #[must_use]
    pub fn of(&self, key: usize) -> &[T] {
        &self.items[self.starts[key] as usize..self.starts[key + 1] as usize]
    }

    /// All lists, in order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[T]> {
        self.starts.windows(2).map(|ends| &self.items[ends[0] as usize..ends[1] as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stand_by_their_keys_in_order() {
        let lists = Lists::new(4, [(2, 'a'), (0, 'b'), (2, 'c')].into_iter());
        assert_eq!(lists.iter().collect::<Vec<_>>(), [&['b'][..], &[], &['a', 'c'], &[]]);
        assert_eq!(lists.of(2), ['a', 'c']);
        assert_eq!(Lists::by(2, [1, 0, 1].into_iter()).of(1), [0, 2]);
        assert_eq!(Lists::<u32>::new(0, std::iter::empty()).iter().len(), 0);
    }
}
