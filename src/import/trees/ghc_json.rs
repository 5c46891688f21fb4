//! GHC's cost centres as JSON: programs that run with `+RTS -pj`.
//!
//! Reference: «JSON profile format» in GHC's user's guide. Kept: the tree of cost centres with ticks as time, allocations and entries; modules and
//! places. Lost: flags of cost centres. The printed form is read by `ghc`.

use rustc_hash::FxHashMap;

use super::super::Gives::{Memory, Tree};
use super::super::read::Oddities;
use super::super::read::json::{Json, top_keys};
use super::super::{Confidence, Context, ErrorKind, Head, ImportError, Importer, Source, no_details};
use crate::model::{
    Basis, FrameId, FunctionSpec, Metric, ProfileBuilder, StackId, TrackKind, TrackSpec, Unit,
};

/// What the list of formats says, and how it is read.
pub(in crate::import) const IMPORTER: Importer = Importer {
    id: "ghc-json",
    title: "GHC profile (JSON)",
    written_by: "programs of GHC with +RTS -pj",
    extensions: &["prof", "json"],
    gives: &[Tree, Memory],
    sniff,
    import,
    details: no_details,
};

fn sniff(head: &Head<'_>) -> Confidence {
    let keys = top_keys(head.bytes);
    let has = |key: &str| keys.iter().any(|k| k == key);
    if has("total_ticks") && has("tick_interval") && has("cost_centres") {
        Confidence::Certain
    } else {
        Confidence::No
    }
}

/// A node whose children are being read.
#[derive(Default)]
struct Node {
    id: Option<i64>,
    stack: Option<StackId>,
    values: [i64; 3],
    /// Its children are open.
    below: bool,
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let mut odd = Oddities::default();
    let b = &mut cx.builder;
    (b.meta.basis, b.meta.tool) = (Basis::Sampled, "GHC".into());
    let metrics = [
        Metric::time(),
        Metric::new("alloc", "Allocated", Unit::Bytes),
        Metric::new("entries", "Entries", Unit::Count),
    ];
    let metrics = metrics.map(|m| b.metric(m));
    let track = b.track(TrackSpec { name: "Cost centres", process: "", kind: TrackKind::Profile, sort: 0 });
    let (mut tick, mut frames) = (1000, FxHashMap::default());
    let mut json = Json::new(source, cx.job)?;
    let mut emit = |node: &Node, tick: i64, b: &mut ProfileBuilder| {
        let [ticks, alloc, entries] = node.values;
        let weights = [ticks.saturating_mul(tick).saturating_mul(1000), alloc, entries];
        let weights: Vec<_> = metrics.into_iter().zip(weights).collect();
        b.sample(track, node.stack, &weights);
    };
    let read = read(&mut json, &mut tick, &mut frames, &mut emit, &mut odd, b);
    match read {
        Err(e) if e.kind == ErrorKind::Malformed && !b.is_empty() => {
            odd.add("file is broken off; what came before is shown", || e.to_string());
        }
        other => other?,
    }
    if b.is_empty() {
        return Err(ImportError::malformed("holds no cost centres"));
    }
    odd.report(b);
    Ok(())
}

fn read(
    json: &mut Json<'_>,
    tick: &mut i64,
    frames: &mut FxHashMap<i64, FrameId>,
    emit: &mut dyn FnMut(&Node, i64, &mut ProfileBuilder),
    odd: &mut Oddities,
    b: &mut ProfileBuilder,
) -> Result<(), ImportError> {
    if !json.enter_object()? {
        return Ok(());
    }
    while json.next_key()? {
        match json.key() {
            b"program" => {
                let mut program = String::new();
                json.string_into(&mut program)?;
                b.meta.title = program;
            }
            b"tick_interval" => *tick = json.integer()?.filter(|us| *us > 0).unwrap_or(1000),
            b"cost_centres" => {
                if json.enter_array()? {
                    while json.next_item()? {
                        cost_centre(json, frames, b)?;
                    }
                }
            }
            b"profile" => tree(json, *tick, frames, emit, odd, b)?,
            _ => json.skip()?,
        }
    }
    Ok(())
}

fn cost_centre(
    json: &mut Json<'_>,
    frames: &mut FxHashMap<i64, FrameId>,
    b: &mut ProfileBuilder,
) -> Result<(), ImportError> {
    let (mut id, mut texts) = (None, [const { String::new() }; 3]);
    if !json.enter_object()? {
        return Ok(());
    }
    while json.next_key()? {
        match json.key() {
            b"id" => id = json.integer()?,
            b"label" => json.string_into(&mut texts[0])?,
            b"module" => json.string_into(&mut texts[1])?,
            b"src_loc" => json.string_into(&mut texts[2])?,
            _ => json.skip()?,
        }
    }
    let [name, module, place] = &texts;
    // `Main.hs:12:3-40` or `Main.hs:(12,1)-(15,9)`.
    let (file, line) = place.split_once(':').unwrap_or(("", ""));
    let digits: String = line.trim_start_matches('(').chars().take_while(char::is_ascii_digit).collect();
    let line = digits.parse().unwrap_or(0);
    let function = b.function(FunctionSpec { name, module, file, line, category: "" });
    if let Some(id) = id {
        frames.insert(id, b.frame(function, line));
    }
    Ok(())
}

/// The tree, which may be of any depth.
fn tree(
    json: &mut Json<'_>,
    tick: i64,
    frames: &FxHashMap<i64, FrameId>,
    emit: &mut dyn FnMut(&Node, i64, &mut ProfileBuilder),
    odd: &mut Oddities,
    b: &mut ProfileBuilder,
) -> Result<(), ImportError> {
    let mut open: Vec<Node> = Vec::new();
    if json.enter_object()? {
        open.push(Node::default());
    }
    while let Some(last) = open.len().checked_sub(1) {
        if open[last].below {
            if !json.next_item()? {
                open[last].below = false;
            } else if json.enter_object()? {
                open.push(Node::default());
            }
            continue;
        }
        let above = last.checked_sub(1).and_then(|above| open[above].stack);
        let node = &mut open[last];
        if !json.next_key()? {
            emit(node, tick, b);
            open.pop();
            continue;
        }
        match json.key() {
            b"id" => {
                node.id = json.integer()?;
                match node.id.and_then(|id| frames.get(&id)) {
                    Some(frame) => node.stack = Some(b.stack(above, *frame)),
                    None => {
                        node.stack = above;
                        odd.add("cost centre that is not described (its costs are its caller's)", || {
                            format!("{:?}", node.id)
                        });
                    }
                }
            }
            b"ticks" => node.values[0] = json.integer()?.unwrap_or(0).max(0),
            b"alloc" => node.values[1] = json.integer()?.unwrap_or(0).max(0),
            b"entries" => node.values[2] = json.integer()?.unwrap_or(0).max(0),
            b"children" => node.below = json.enter_array()?,
            _ => json.skip()?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    #[test]
    fn cost_centres_are_a_tree_of_any_depth() {
        let text = r#"{"program": "trees", "total_ticks": 8, "tick_interval": 1000, "cost_centres": [
            {"id": 1, "label": "MAIN", "module": "MAIN", "src_loc": "<built-in>"},
            {"id": 2, "label": "make", "module": "Main", "src_loc": "Main.hs:(12,1)-(15,9)"}],
            "profile": {"id": 1, "entries": 0, "alloc": 10, "ticks": 1, "children": [
              {"id": 2, "entries": 4, "alloc": 500, "ticks": 7, "children": []}]}}"#;
        let p = open_bytes(text.as_bytes()).unwrap();
        assert_eq!((p.meta.format.as_str(), p.meta.title.as_str()), ("ghc-json", "trees"));
        assert_eq!(
            (totals(&p)["MAIN"], totals(&p)["make"]),
            ((1_000_000, 8_000_000), (7_000_000, 7_000_000))
        );
        damage(text.as_bytes(), drop);
        let deep = r#"{"id": 1, "ticks": 1, "children": ["#.repeat(50_000) + &"]}".repeat(50_000);
        let text = format!(
            r#"{{"total_ticks": 1, "tick_interval": 1, "cost_centres": [{{"id": 1, "label": "f"}}], "profile": {deep}}}"#
        );
        assert_eq!(open_bytes(text.as_bytes()).unwrap().sample_count(), 50_000);
    }
}
