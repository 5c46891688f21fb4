//! The keys of one profile.

use std::hash::Hash;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::super::{Counter, CounterId, FunctionId, Profile, Request, RequestId, StringId, Track, TrackId};
use super::{CounterKey, NameKey, RequestKey, SymbolKey, SymbolParts, TrackKey, names};

/// Keys and the places of things of one kind, both ways.
#[derive(Clone, Debug)]
struct Both<K, Id> {
    keys: Vec<K>,
    places: FxHashMap<K, Id>,
}

impl<K: Copy + Eq + Hash, Id: Copy> Both<K, Id> {
    fn new(keys: Vec<K>, id: fn(usize) -> Id) -> Self {
        Self { places: keys.iter().enumerate().map(|(at, &key)| (key, id(at))).collect(), keys }
    }
}

/// What was worked out so far of the keys of a profile: those of its functions may be a million, and a question about
/// tracks needs none of them.
#[derive(Clone, Debug, Default)]
pub(in crate::model) struct Made {
    symbols: OnceLock<Both<SymbolKey, FunctionId>>,
    tracks: OnceLock<Both<TrackKey, TrackId>>,
    counters: OnceLock<Both<CounterKey, CounterId>>,
    requests: OnceLock<Both<RequestKey, RequestId>>,
}

/// Keys of all functions, tracks and counters of a profile, both ways. Each kind is worked out when it is first asked for.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    profile: &'a Profile,
    made: &'a Made,
}

impl<'a> Keys<'a> {
    pub(in crate::model) fn of(profile: &'a Profile, made: &'a Made) -> Self {
        Self { profile, made }
    }

    fn functions(self) -> &'a Both<SymbolKey, FunctionId> {
        self.made.symbols.get_or_init(|| Both::new(symbols(self.profile), FunctionId::from_index))
    }

    fn tracks(self) -> &'a Both<TrackKey, TrackId> {
        let text = |id| self.profile.text(id);
        let key = |t: &Track, twin| TrackKey::named(text(t.process), text(t.name), t.kind, twin);
        let all = || Both::new(with_twins(&self.profile.tracks, key), TrackId::from_index);
        self.made.tracks.get_or_init(all)
    }

    fn counters(self) -> &'a Both<CounterKey, CounterId> {
        let text = |id| self.profile.text(id);
        let key = |c: &Counter, twin| CounterKey::named(text(c.process), text(c.name), twin);
        let all = || Both::new(with_twins(&self.profile.counters, key), CounterId::from_index);
        self.made.counters.get_or_init(all)
    }

    fn requests(self) -> &'a Both<RequestKey, RequestId> {
        let key = |r: &Request, twin| RequestKey::named(self.profile.text(r.name), twin);
        let all = || Both::new(with_twins(&self.profile.requests.rows, key), RequestId::from_index);
        self.made.requests.get_or_init(all)
    }

    /// Works all of them out.
    pub fn make(self) {
        let _ = (self.functions(), self.tracks(), self.counters(), self.requests());
    }

    /// The key of a function.
    #[must_use]
    pub fn symbol(self, function: FunctionId) -> SymbolKey {
        self.functions().keys[function.index()]
    }

    /// The function of a key, if the profile has it.
    #[must_use]
    pub fn function(self, key: SymbolKey) -> Option<FunctionId> {
        self.functions().places.get(&key).copied()
    }

    /// Keys of all functions, by id.
    #[must_use]
    pub fn symbols(self) -> &'a [SymbolKey] {
        &self.functions().keys
    }

    /// The key of a track.
    #[must_use]
    pub fn track_key(self, track: TrackId) -> TrackKey {
        self.tracks().keys[track.index()]
    }

    /// The track of a key, if the profile has it.
    #[must_use]
    pub fn track(self, key: TrackKey) -> Option<TrackId> {
        self.tracks().places.get(&key).copied()
    }

    /// The key of a counter.
    #[must_use]
    pub fn counter_key(self, counter: CounterId) -> CounterKey {
        self.counters().keys[counter.index()]
    }

    /// The counter of a key, if the profile has it.
    #[must_use]
    pub fn counter(self, key: CounterKey) -> Option<CounterId> {
        self.counters().places.get(&key).copied()
    }

    /// The key of a request.
    #[must_use]
    pub fn request_key(self, request: RequestId) -> RequestKey {
        self.requests().keys[request.index()]
    }

    /// The request of a key, if the profile has it.
    #[must_use]
    pub fn request(self, key: RequestKey) -> Option<RequestId> {
        self.requests().places.get(&key).copied()
    }
}

/// The key of each thing: `key` makes it, with a number among those that are named alike.
fn with_twins<T, K: Copy + Eq + Hash>(things: &[T], key: impl Fn(&T, u32) -> K) -> Vec<K> {
    let mut count: FxHashMap<K, u32> = FxHashMap::default();
    let numbered = |thing| {
        let first = key(thing, 0);
        let count = count.entry(first).or_default();
        let twin = std::mem::replace(count, *count + 1);
        if twin == 0 { first } else { key(thing, twin) }
    };
    things.iter().map(numbered).collect()
}

/// Keys of all functions, by id.
fn symbols(profile: &Profile) -> Vec<SymbolKey> {
    let mut texts = Texts { profile, known: FxHashMap::default() };
    let rows = profile.functions.rows();
    let mut parts: Vec<SymbolParts> = rows
        .iter()
        .map(|f| SymbolParts {
            name: texts.get(Part::Name, f.name),
            module: texts.get(Part::Module, f.module),
            file: texts.get(Part::File, f.file),
            category: texts.get(Part::Category, f.category),
            twin: 0,
        })
        .collect();
    let mut count: FxHashMap<SymbolKey, u32> = FxHashMap::default();
    let mut order: Vec<u32> = Vec::new();
    let mut symbols: Vec<SymbolKey> = parts.iter().map(|p| SymbolKey::of(p.clone())).collect();
    symbols.iter().for_each(|&key| *count.entry(key).or_default() += 1);
    order.extend((0..rows.len() as u32).filter(|&i| count[&symbols[i as usize]] > 1));
    if !profile.meta.is_recording() {
        // In the order of the source text; where that is not known, of the names as the tool wrote them.
        let by_source = |&i: &u32| {
            let f = &rows[i as usize];
            (profile.text(f.file), f.line, profile.text(f.name).len(), profile.text(f.name))
        };
        order.sort_by(|a, b| by_source(a).cmp(&by_source(b)));
    }
    let mut twins: FxHashMap<SymbolKey, u32> = FxHashMap::default();
    for i in order {
        let at = i as usize;
        let twin = twins.entry(symbols[at]).or_default();
        parts[at].twin = std::mem::replace(twin, *twin + 1);
        if parts[at].twin > 0 {
            symbols[at] = SymbolKey::of(parts[at].clone());
        }
    }
    symbols
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Name,
    Module,
    File,
    Category,
}

/// Texts that were normalised already: thousands of functions share a file.
struct Texts<'a> {
    profile: &'a Profile,
    known: FxHashMap<(Part, StringId), NameKey>,
}

impl Texts<'_> {
    fn get(&mut self, part: Part, id: StringId) -> NameKey {
        *self.known.entry((part, id)).or_insert_with(|| {
            let text = self.profile.text(id);
            match part {
                Part::Name => NameKey::from(&*names::symbol(text)),
                Part::Module => NameKey::from(&*names::module(text)),
                Part::File => NameKey::from(&*names::file(text)),
                Part::Category => NameKey::from(text),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArgsRef, FunctionSpec, ProfileBuilder, TrackKind, TrackSpec};

    fn functions(format: &str, list: &[(&str, &str, u32)]) -> Profile {
        let mut b = ProfileBuilder::new(format);
        for &(name, file, line) in list {
            b.function(FunctionSpec { name, file, line, ..FunctionSpec::default() });
        }
        b.finish()
    }

    fn line_of(p: &Profile, key: SymbolKey) -> u32 {
        p.functions.get(p.keys().function(key).expect("the function is there")).line
    }

    #[test]
    fn a_function_that_an_edit_moved_is_the_same_function() {
        let before = functions("pstats", &[("f", "/a/app.py", 3), ("g", "/a/app.py", 40)]);
        let after =
            functions("pstats", &[("new", "/a/app.py", 3), ("g", "/a/app.py", 60), ("f", "/a/app.py", 9)]);
        for (id, line) in [(0, 9), (1, 60)] {
            assert_eq!(line_of(&after, before.keys().symbol(FunctionId(id))), line);
        }
        assert_eq!(before.keys().function(after.keys().symbol(FunctionId(0))), None, "that one is new");
        let elsewhere = functions("pstats", &[("f", "/a/other.py", 3)]);
        assert_eq!(before.keys().function(elsewhere.keys().symbol(FunctionId(0))), None);
    }

    #[test]
    fn lambdas_of_a_file_pair_by_their_order() {
        // As dictionaries give them: in any order.
        let base =
            [("<lambda>", "/a/pipe.py", 24), ("<lambda>", "/a/pipe.py", 10), ("<lambda>", "/a/b.py", 1)];
        let base = functions("pstats", &base);
        let head = functions("pstats", &[("<lambda>", "/a/pipe.py", 16), ("<lambda>", "/a/pipe.py", 36)]);
        assert_eq!(line_of(&head, base.keys().symbol(FunctionId(1))), 16);
        assert_eq!(line_of(&head, base.keys().symbol(FunctionId(0))), 36);
        assert_eq!(head.keys().function(base.keys().symbol(FunctionId(2))), None);
    }

    #[test]
    fn a_recording_that_grows_does_not_rename_what_it_has() {
        let first = functions("inferscope", &[("task", "/a/src/main.rs", 50)]);
        let later =
            functions("inferscope", &[("task", "/a/src/main.rs", 50), ("task", "/a/src/main.rs", 20)]);
        assert_eq!(line_of(&later, first.keys().symbol(FunctionId(0))), 50);
        assert_eq!(later.keys().symbol(FunctionId(1)).twin, 1);
    }

    #[test]
    fn keys_and_ids_lead_to_each_other_whatever_names_become_alike() {
        let p = functions(
            "callgrind",
            &[
                ("visit.llvm.111", "/old/lib.rs", 8),
                ("visit", "/old/lib.rs", 8),
                ("visit.llvm.99", "/old/lib.rs", 8),
                ("main", "", 0),
            ],
        );
        let twins: Vec<u32> = p.functions.ids().map(|id| p.keys().symbol(id).twin).collect();
        assert_eq!(twins, [2, 0, 1, 0]);
        for id in p.functions.ids() {
            assert_eq!(p.keys().function(p.keys().symbol(id)), Some(id));
        }
    }

    #[test]
    fn tracks_are_the_same_with_other_process_ids_and_in_another_order() {
        let make = |list: &[(&str, &str)]| {
            let mut b = ProfileBuilder::new("chrome");
            for (sort, &(process, name)) in (0..).zip(list) {
                let track = b.track(TrackSpec { name, process, kind: TrackKind::Thread, sort });
                let f = b.function(FunctionSpec::named("f"));
                b.span(track, 0, 9, f, ArgsRef::NONE); // one without anything is left out
                b.counter(name, process, crate::model::Unit::Bytes);
            }
            b.finish()
        };
        let one = make(&[("python (pid 7)", "main"), ("python (pid 9)", "main"), ("python (pid 7)", "io")]);
        let two =
            make(&[("python (pid 70)", "io"), ("python (pid 70)", "main"), ("python (pid 90)", "main")]);
        let there = |t| two.keys().track(one.keys().track_key(TrackId(t)));
        assert_eq!([there(0), there(1), there(2)], [Some(TrackId(1)), Some(TrackId(2)), Some(TrackId(0))]);
        let counter = |c| two.keys().counter(one.keys().counter_key(CounterId(c)));
        assert_eq!([counter(0), counter(2)], [Some(CounterId(1)), Some(CounterId(0))]);
    }

    #[test]
    fn a_key_comes_back_from_text_also_where_lines_were_written() {
        let p = functions("pstats", &[("f", "/v/site-packages/a.py", 3), ("f", "/v/site-packages/a.py", 9)]);
        for id in p.functions.ids() {
            let key = p.keys().symbol(id);
            let text = serde_json::to_string(&key).unwrap();
            assert_eq!(serde_json::from_str::<SymbolKey>(&text).unwrap(), key, "{text}");
        }
        let older = r#"{"name":"f","module":"","file":"/v/site-packages/a.py","line":3,"category":""}"#;
        assert_eq!(serde_json::from_str::<SymbolKey>(older).unwrap(), p.keys().symbol(FunctionId(0)));
        let track = TrackKey::named("p (pid 1)", "t", TrackKind::Task, 2);
        let text = serde_json::to_string(&track).unwrap();
        assert_eq!(serde_json::from_str::<TrackKey>(&text).unwrap(), track);
    }
}
