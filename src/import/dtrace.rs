//! What DTrace prints for `@[stack()] = count()` and `@[ustack()] = count()`.
//!
//! Reference: stackcollapse.pl of FlameGraph and inferno's `collapse/dtrace.rs`. A stack is a frame a line, innermost
//! first, and its count below. Kept: all stacks, modules. Lost: offsets. Guessed: where a kernel stack and a user stack
//! stand above one count, the first is what the second called.

use super::Gives::Tree;
use super::read::Oddities;
use super::read::lines::{Line, for_each_text_line};
use super::{Confidence, Context, Head, ImportError, Importer, Source, no_details};
use crate::model::{Basis, FrameId, FunctionSpec, Metric, ProfileBuilder, TrackKind, TrackSpec, Unit};

/// What the list of formats says, and how it is read.
pub(super) const IMPORTER: Importer = Importer {
    id: "dtrace",
    title: "DTrace stacks",
    written_by: "dtrace",
    extensions: &["txt", "dtrace", "stacks"],
    gives: &[Tree],
    sniff,
    import,
    details: no_details,
};

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'a> {
    Blank,
    /// Module and function.
    Frame(&'a str, &'a str),
    Count(i64),
    Other,
}

fn kind(line: &str) -> Kind<'_> {
    let text = line.trim();
    if text.is_empty() {
        return Kind::Blank;
    }
    if !line.starts_with([' ', '\t']) {
        return Kind::Other;
    }
    if let Ok(count) = text.parse() {
        return Kind::Count(count);
    }
    // `module`function+0x12`
    let (module, function) = text.split_once('`').unwrap_or(("", text));
    let function = match function.rsplit_once("+0x") {
        Some((name, offset)) if !name.is_empty() && offset.bytes().all(|b| b.is_ascii_hexdigit()) => name,
        _ => function,
    };
    let address = text.strip_prefix("0x").is_some_and(|a| a.bytes().all(|b| b.is_ascii_hexdigit()));
    if module.is_empty() && !address { Kind::Other } else { Kind::Frame(module, function) }
}

fn sniff(head: &Head<'_>) -> Confidence {
    if head.bytes.contains(&0) {
        return Confidence::No;
    }
    let text = String::from_utf8_lossy(head.bytes);
    let (mut frames, mut counts, mut others) = (0, 0, 0);
    for line in text.lines().take(400) {
        match kind(line) {
            Kind::Frame(..) => frames += 1,
            Kind::Count(_) => counts += 1,
            Kind::Other => others += 1,
            Kind::Blank => {}
        }
    }
    let dtrace = text.starts_with("CPU     ID ");
    match (frames, counts) {
        (1.., 1..) if dtrace => Confidence::Certain,
        (1.., 1..) if others <= 3 + frames / 4 => Confidence::Likely,
        (1.., 0) if dtrace && !head.whole => Confidence::Likely,
        _ => Confidence::No,
    }
}

fn import(source: &mut Source, cx: &mut Context<'_>) -> Result<(), ImportError> {
    let builder = &mut cx.builder;
    let metric = builder.metric(Metric::new("count", "Count", Unit::Count));
    let track = builder.track(TrackSpec { name: "Stacks", process: "", kind: TrackKind::Profile, sort: 0 });
    let (mut frames, mut odd, mut begun): (Vec<FrameId>, _, _) = (Vec::new(), Oddities::default(), false);
    for_each_text_line(source, cx, |cx, line: Line<'_>| {
        let builder = &mut cx.builder;
        match kind(line.text) {
            Kind::Blank => {}
            Kind::Frame(module, name) => {
                let function = builder.function(FunctionSpec { name, module, ..FunctionSpec::default() });
                frames.push(builder.frame(function, 0));
                begun = true;
            }
            Kind::Count(count) => {
                if frames.is_empty() {
                    odd.add("count without a stack (shown without one)", || line.place());
                }
                let stack = frames.drain(..).rev().fold(None, |stack, f| Some(builder.stack(stack, f)));
                builder.sample(track, stack, &[(metric, count)]);
            }
            // What stands above the first stack is dtrace's head.
            Kind::Other if begun => odd.add("line that is no frame and no count (skipped)", || line.place()),
            Kind::Other => {}
        }
        Ok(())
    })?;
    if !frames.is_empty() {
        odd.add("stack without a count at the end (left out)", String::new);
    }
    let builder: &mut ProfileBuilder = &mut cx.builder;
    if builder.is_empty() {
        return Err(ImportError::malformed("holds no stack with a count"));
    }
    builder.meta.basis = Basis::Sampled;
    builder.meta.tool = "DTrace".into();
    odd.report(builder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::import::testing::{damage, open_bytes, totals};

    const STACKS: &str = "CPU     ID                    FUNCTION:NAME\n  6  29091 :tick-60s\n\n\n\
        \u{20}             unix`trap+0x2c7\n              unix`0xfffffffffb8001d6\n\n\
        \u{20}             rg`foo<A, B>::bar::h1+0x6bf\n              rg`main\n                5\n\n\
        \u{20}             rg`main\n                2\n";

    #[test]
    fn stacks_of_kernel_and_program_are_one() {
        let p = open_bytes(STACKS.as_bytes()).unwrap();
        assert_eq!(p.meta.format, "dtrace");
        let totals = totals(&p);
        assert_eq!((totals["main"], totals["trap"], totals["foo<A, B>::bar::h1"]), ((2, 7), (5, 5), (0, 5)));
        assert!(p.warnings.is_empty());
    }

    #[test]
    fn damage_is_survived() {
        damage(STACKS.as_bytes(), drop);
    }
}
