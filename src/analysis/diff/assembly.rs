//! The machine instructions of a function in two runs. They pair one by one only where both runs ran the same code: the same
//! addresses with the same text. Otherwise each run's instructions stand by themselves, because an address of one build says
//! nothing about the instruction there in another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Two;
use super::source::{FunctionText, MissingText};
use crate::analysis::assembly::code::{CodeAnswer, MachineCode};
use crate::analysis::assembly::{Assembly, AssemblyTable};
use crate::jobs::Cancelled;
use crate::model::{FunctionId, MetricKey, Strings};
use crate::query::{Context, Pair, Query};

/// Asks for the [`AssemblyDiff`] of a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiffAssembly(pub FunctionText);

/// An instruction of both runs, or of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstructionPair {
    /// Its address in each run.
    pub address: Two<u64>,
    /// Its own cost in each run.
    pub own: Two<i64>,
}

/// How the instructions of both runs stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Addresses and texts are the same.
    Same,
    /// Addresses and their lines are the same; the text of one at least is not known.
    SameAddresses,
    /// Only one run has instructions of the function.
    One,
    /// They are not the same code.
    Different,
}

/// The instructions of a function in both runs.
#[derive(Clone, Debug)]
pub struct AssemblyDiff {
    /// How rows are paired.
    pub pairing: Pairing,
    /// By address; where they do not pair those of the baseline first.
    pub rows: Vec<InstructionPair>,
    /// Own cost of the instructions in each run.
    pub sum: Two<i64>,
    /// What each run recorded.
    pub tables: Two<Arc<AssemblyTable>>,
    /// The text of each run's instructions.
    pub codes: Two<Arc<CodeAnswer>>,
    /// The text that was looked for in vain, that of the new run first.
    pub missing: Option<MissingText>,
}

struct Side {
    table: Arc<AssemblyTable>,
    code: Arc<CodeAnswer>,
    object: String,
}

impl DiffAssembly {
    fn side(
        &self,
        cx: &Context<'_>,
        metric: MetricKey,
        function: FunctionId,
        base: bool,
    ) -> Result<Side, Cancelled> {
        let profile = cx.profile().clone();
        let function = profile.keys().symbol(function);
        let table = cx.get(&Assembly { metric, function })?;
        let object = profile.text(table.object).to_owned();
        let file = self.0.file(object.clone(), base);
        let code = cx.get(&MachineCode { function, file })?;
        Ok(Side { table, code, object })
    }
}

impl Query<Pair> for DiffAssembly {
    type Output = AssemblyDiff;

    fn run(&self, cx: &Context<'_, Pair>) -> Result<AssemblyDiff, Cancelled> {
        let (base, head) = (cx.base(), cx.head());
        let functions = self.0.of_both(cx)?;
        let ask = |side: &Context<'_>, function: Option<FunctionId>, is_base| match function {
            Some(function) => {
                let metric = self.0.functions.of(is_base, cx)?.metric;
                self.side(side, metric, function, is_base).map(Some)
            }
            None => Ok(None),
        };
        let sides = Two { base: ask(&base, functions.base, true)?, head: ask(&head, functions.head, false)? };
        cx.job().checkpoint(0, 0)?;
        let lines = |side: &Side, cx: &Context<'_>| -> Vec<(u64, String, u32)> {
            let profile = cx.profile();
            side.table.rows.iter().map(|r| (r.address, profile.text(r.file).to_owned(), r.line)).collect()
        };
        // Compared only where the text does not say whether it is one code.
        let same_lines = || match (&sides.base, &sides.head) {
            (Some(b), Some(h)) => lines(b, &base) == lines(h, &head),
            _ => false,
        };
        let pairing = pairing(&sides, same_lines);
        Ok(beside(sides, pairing))
    }

    fn weight(diff: &AssemblyDiff) -> usize {
        diff.rows.len() * size_of::<InstructionPair>()
    }
}

fn pairing(sides: &Two<Side>, same_lines: impl FnOnce() -> bool) -> Pairing {
    let (base, head) = match (&sides.base, &sides.head) {
        (Some(base), Some(head)) if !base.table.rows.is_empty() && !head.table.rows.is_empty() => {
            (base, head)
        }
        _ => return Pairing::One,
    };
    let (Some(b), Some(h)) = (base.code.text(), head.code.text()) else {
        return if same_lines() { Pairing::SameAddresses } else { Pairing::Different };
    };
    let common: Vec<u64> =
        base.table.rows.iter().map(|r| r.address).filter(|&a| head.table.place(a).is_some()).collect();
    let same = !common.is_empty() && common.iter().all(|&a| b.at(a) == h.at(a));
    // What only one of them ran must be an instruction of the other's file, too, as far as that was read.
    let fits = |ran: &AssemblyTable, text: &crate::analysis::assembly::text::CodeText| {
        let first = text.lines().first().map_or(0, |l| l.address);
        let last = text.lines().last().map_or(0, |l| l.address);
        ran.rows.iter().all(|r| {
            let before = text.lines().partition_point(|l| l.address <= r.address);
            r.address < first
                || r.address > last
                || before.checked_sub(1).is_none_or(|i| {
                    let line = text.lines()[i];
                    line.address == r.address || line.address.saturating_add(line.length.into()) <= r.address
                })
        })
    };
    if same && fits(&base.table, h) && fits(&head.table, b) { Pairing::Same } else { Pairing::Different }
}

fn beside(sides: Two<Side>, pairing: Pairing) -> AssemblyDiff {
    let rows = |side: &Option<Side>| -> Vec<(u64, i64)> {
        side.as_ref().map_or_else(Vec::new, |s| s.table.rows.iter().map(|r| (r.address, r.own)).collect())
    };
    let (in_base, in_head) = (rows(&sides.base), rows(&sides.head));
    let of_base = |&(at, own): &(u64, i64)| {
        let (address, own) = (Two { base: Some(at), head: None }, Two { base: Some(own), head: None });
        InstructionPair { address, own }
    };
    let of_head = |&(at, own): &(u64, i64)| {
        let (address, own) = (Two { base: None, head: Some(at) }, Two { base: None, head: Some(own) });
        InstructionPair { address, own }
    };
    let pairs = match pairing {
        Pairing::Same | Pairing::SameAddresses => {
            let mut pairs: BTreeMap<u64, InstructionPair> =
                in_base.iter().map(|row| (row.0, of_base(row))).collect();
            for row in &in_head {
                let pair = pairs.entry(row.0).or_insert_with(|| of_head(row));
                (pair.address.head, pair.own.head) = (Some(row.0), Some(row.1));
            }
            pairs.into_values().collect()
        }
        Pairing::One | Pairing::Different => {
            in_base.iter().map(of_base).chain(in_head.iter().map(of_head)).collect()
        }
    };
    let sum = |rows: &[(u64, i64)]| rows.iter().map(|r| r.1).fold(0, i64::saturating_add);
    let missing = [&sides.head, &sides.base].into_iter().flatten().find_map(|s| match &*s.code {
        CodeAnswer::Missing { why, tried } if !s.table.rows.is_empty() => {
            Some(MissingText { file: s.object.clone(), why: *why, tried: tried.clone() })
        }
        _ => None,
    });
    AssemblyDiff {
        pairing,
        rows: pairs,
        sum: Two {
            base: sides.base.as_ref().map(|_| sum(&in_base)),
            head: sides.head.as_ref().map(|_| sum(&in_head)),
        },
        missing,
        tables: Two {
            base: sides.base.as_ref().map(|s| s.table.clone()),
            head: sides.head.as_ref().map(|s| s.table.clone()),
        },
        codes: Two { base: sides.base.map(|s| s.code), head: sides.head.map(|s| s.code) },
    }
}

impl AssemblyDiff {
    /// The text of a row, as the new run has it if it does.
    #[must_use]
    pub fn text(&self, row: &InstructionPair) -> &str {
        fn of(code: &Option<Arc<CodeAnswer>>, address: Option<u64>) -> &str {
            let text = code.as_deref().and_then(CodeAnswer::text).zip(address);
            text.map_or("", |(text, address)| text.at(address))
        }
        match of(&self.codes.head, row.address.head) {
            "" => of(&self.codes.base, row.address.base),
            text => text,
        }
    }

    /// The source line of a row: its file and number in the run that has it, the new one first.
    #[must_use]
    pub fn line(&self, row: &InstructionPair) -> Option<(bool, crate::model::StringId, u32)> {
        let of = |table: &Option<Arc<AssemblyTable>>, address: Option<u64>| {
            let table = table.as_ref()?;
            let found = table.rows[table.place(address?)?];
            (found.line > 0 && found.file != Strings::EMPTY).then_some((found.file, found.line))
        };
        let head = of(&self.tables.head, row.address.head).map(|(file, line)| (false, file, line));
        head.or_else(|| of(&self.tables.base, row.address.base).map(|(file, line)| (true, file, line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::source_file::SourceRule;
    use crate::analysis::testing::{all_functions, symbol};
    use crate::import::{Input, open};
    use crate::jobs::Job;
    use crate::query::{Engine, Run, RunId};
    use std::path::Path;

    fn words() -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(root.join("sample_profiles/callgrind/words-instr.callgrind.out")).unwrap()
    }

    fn diff(base: &str, head: &str, with_program: bool) -> AssemblyDiff {
        let run = |text: &str, id| {
            let input = Input::Bytes("callgrind.out.1".into(), text.as_bytes().into());
            let profile = open(&input, &Job::new(), &mut |_| ()).unwrap();
            Run { id: RunId(id), ..Run::of(Arc::new(profile)) }
        };
        let pair = Pair::of(run(base, 1), run(head, 2));
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources");
        let rule = SourceRule { from: "/build/hot".into(), to: sources };
        let query = DiffAssembly(FunctionText {
            functions: all_functions(),
            function: symbol(&pair.head.profile, "count"),
            beside: [None, None],
            rules: if with_program { vec![rule] } else { Vec::new() },
            attempt: 0,
        });
        let diff = Engine::inline().now(&pair, &query, &Job::new()).unwrap();
        (*diff).clone()
    }

    #[test]
    fn instructions_of_one_code_pair_by_address() {
        let base = words();
        let head = base.replace("+2 -12 2920\n", "+2 -12 2960\n");
        let d = diff(&base, &head, true);
        assert_eq!((d.pairing, d.rows.len(), d.missing), (Pairing::Same, 42, None));
        assert_eq!(d.sum, Two::both(54_600, 54_640));
        let changed: Vec<_> = d.rows.iter().filter(|r| r.own.delta() != Some(0)).collect();
        let [row] = changed[..] else { panic!("{changed:?}") };
        assert_eq!((row.address, row.own), (Two::both(0x6a5, 0x6a5), Two::both(2920, 2960)));
        let d = diff(&base, &head, false);
        assert_eq!((d.pairing, d.rows.len()), (Pairing::SameAddresses, 42));
        assert_eq!(d.missing.unwrap().file, "/build/hot/words");
    }

    #[test]
    fn instructions_of_another_build_do_not_pair() {
        // The same function one byte further on, as after an edit above it.
        let base = words();
        let head = base.replace("0x669 13 40", "0x66a 13 40");
        for with_program in [true, false] {
            let d = diff(&base, &head, with_program);
            assert_eq!(d.pairing, Pairing::Different);
            assert!(d.rows[..42].iter().all(|r| r.address.head.is_none() && r.own.head.is_none()));
            assert!(d.rows[42..].iter().all(|r| r.address.base.is_none()) && d.rows.len() == 84);
            assert_eq!(d.sum.delta(), Some(0));
        }
        let alone = diff("events: Ir\nfl=a.c\nfn=other\n1 1\n", &base, true);
        assert_eq!((alone.pairing, alone.rows.len()), (Pairing::One, 42));
    }
}
