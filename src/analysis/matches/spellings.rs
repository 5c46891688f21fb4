//! Functions that are spelt otherwise in the other run: with or without their class, and with other ids.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Found, Side};
use crate::model::FunctionId;
use crate::model::keys::names::without_ids;
use crate::query::Step;

impl Found {
    /// Pairs functions of one Python file that one side names with their classes and the other without, where both have as many.
    pub(super) fn methods(&mut self, step: Step, sides: &[Side; 2], parts: usize) {
        type Named = FxHashMap<(&'static str, &'static str), Vec<u32>>;
        let [base, head] = sides;
        let group = |side: &Side, done: &[Option<(FunctionId, Step)>]| -> Named {
            let mut groups = Named::default();
            for (at, function) in (0u32..).zip(&side.functions).filter(|(at, _)| done[*at as usize].is_none())
            {
                let Some(file) = function.tail(parts).filter(|file| file.ends_with(".py")) else { continue };
                let name: &'static str = function.plain().value();
                let short = name.rsplit_once('.').map_or(name, |(_, short)| short);
                if !short.is_empty() {
                    groups.entry((short, file)).or_default().push(at);
                }
            }
            groups
        };
        let mut heads = group(head, &self.matches.to_base);
        for (name, mut bases) in group(base, &self.matches.to_head) {
            let Some(mut heads) = heads.remove(&name) else { continue };
            let plain = |side: &Side, rows: &[u32]| {
                rows.iter().all(|&at| !side.functions[at as usize].plain().contains('.'))
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

    /// True when one side names functions of Python without their classes that have no partner, and the other with them.
    pub(super) fn has_methods(&self, [base, head]: &[Side; 2]) -> bool {
        let has = |side: &Side, done: &[Option<(FunctionId, Step)>], dotted: bool| {
            let open = side.functions.iter().zip(done).filter(|(_, done)| done.is_none());
            open.filter(|(f, _)| f.file.ends_with(".py")).any(|(f, _)| f.plain().contains('.') == dotted)
        };
        let (to_head, to_base) = (&self.matches.to_head, &self.matches.to_base);
        has(base, to_head, true) && has(head, to_base, false)
            || has(base, to_head, false) && has(head, to_base, true)
    }

    /// Pairs functions whose names differ by ids, each the only one of its run that is called so without them.
    pub(super) fn by_name_without_ids(&mut self, [base, head]: &[Side; 2]) {
        type Done<'a> = &'a [Option<(FunctionId, Step)>];
        let without_partner = |side: &Side, done: Done<'_>| -> FxHashSet<String> {
            let open = side.functions.iter().zip(done).filter(|(_, done)| done.is_none());
            open.filter_map(|(function, _)| without_ids(&function.plain())).collect()
        };
        // Few have no partner; only whether their names are the only ones of their kind needs a look at all others.
        let heads = without_partner(head, &self.matches.to_base);
        let mut wanted = without_partner(base, &self.matches.to_head);
        wanted.retain(|name| heads.contains(name));
        if wanted.is_empty() {
            return;
        }
        let only = |side: &Side| {
            let mut named: FxHashMap<String, Option<u32>> = FxHashMap::default();
            for (at, function) in (0u32..).zip(&side.functions) {
                if let Some(name) = without_ids(&function.plain()).filter(|name| wanted.contains(name)) {
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
