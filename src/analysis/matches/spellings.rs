//! Functions that are spelt otherwise in the other run: with or without their class, and with other ids.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Found, Side};
use crate::model::FunctionId;
use crate::model::keys::names::without_ids;
use crate::query::Step;

impl Found {
    /// Pairs functions of one Python file that one side names with their classes and the other without, where both have as many.
    pub(super) fn methods(&mut self, step: Step, [base, head]: &[Side; 2], parts: usize) {
        type Named = FxHashMap<(&'static str, &'static str), Vec<u32>>;
        let group = |side: &Side, done: &[Option<(FunctionId, Step)>]| -> Named {
            let mut groups = Named::default();
            for (at, function) in (0u32..).zip(&side.functions).filter(|(at, _)| done[*at as usize].is_none())
            {
                let name: &'static str = function.plain.value();
                let short = name.rsplit_once('.').map_or(name, |(_, short)| short);
                let file = function.tail(parts).filter(|file| file.ends_with(".py"));
                if let Some(file) = file.filter(|_| !short.is_empty()) {
                    groups.entry((short, file)).or_default().push(at);
                }
            }
            groups
        };
        let mut heads = group(head, &self.matches.to_base);
        for (name, mut bases) in group(base, &self.matches.to_head) {
            let Some(mut heads) = heads.remove(&name) else { continue };
            let plain = |side: &Side, rows: &[u32]| {
                rows.iter().all(|&at| !side.functions[at as usize].plain.contains('.'))
            };
            let one_file = |side: &Side, rows: &[u32]| {
                rows.iter().map(|&at| side.functions[at as usize].key.file).collect::<FxHashSet<_>>().len()
                    == 1
            };
            let differ = plain(base, &bases) != plain(head, &heads);
            if !differ || bases.len() != heads.len() || !one_file(base, &bases) || !one_file(head, &heads) {
                continue;
            }
            bases.sort_by_key(|&at| base.functions[at as usize].line);
            heads.sort_by_key(|&at| head.functions[at as usize].line);
            for (&b, &h) in bases.iter().zip(&heads) {
                self.take(FunctionId(b), FunctionId(h), step);
            }
        }
    }

    /// Pairs functions whose names differ by ids, each the only one of its run that is called so without them.
    pub(super) fn by_name_without_ids(&mut self, [base, head]: &[Side; 2]) {
        let only = |side: &Side| {
            let mut named: FxHashMap<String, Option<u32>> = FxHashMap::default();
            for (at, function) in (0u32..).zip(&side.functions) {
                if let Some(name) = without_ids(&function.plain) {
                    named.entry(name).and_modify(|several| *several = None).or_insert(Some(at));
                }
            }
            named
        };
        let heads = only(head);
        for (name, b) in only(base) {
            let pair = b.zip(heads.get(&name).copied().flatten());
            let Some((b, h)) = pair.map(|(b, h)| (FunctionId(b), FunctionId(h))) else { continue };
            if self.matches.to_head(b).is_none() && self.matches.to_base(h).is_none() {
                self.take(b, h, Step::Ids);
            }
        }
    }
}
