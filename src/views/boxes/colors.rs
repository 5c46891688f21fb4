//! The colour of each function, worked out once: by name, module, category or own share.

use rustc_hash::FxHashMap;

use crate::analysis::FunctionTable;
use crate::analysis::flame_rows::Who;
use crate::analysis::search::Pattern;
use crate::analysis::waiting::{self, Doing};
use crate::model::{Function, Profile, StringId};
use crate::ui::theme::{Palette, SpanColor, Tone};

/// What the colour of a box says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coloring {
    /// Which function.
    #[default]
    Name,
    /// Which module, or file where the tool knows no modules.
    Module,
    /// The format's category.
    Category,
    /// How much of its total the function spends itself.
    SelfShare,
    /// How much the function spends itself in the metric shown, beside the one that spends most.
    Metric,
}

impl Coloring {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Name, "Name"),
        (Self::Module, "Module"),
        (Self::Category, "Category"),
        (Self::SelfShare, "Self share"),
        (Self::Metric, "Metric"),
    ];

    /// True when colour stands for an amount.
    #[must_use]
    pub fn is_heat(self) -> bool {
        matches!(self, Self::SelfShare | Self::Metric)
    }

    /// Its name.
    #[must_use]
    pub fn label(self) -> &'static str {
        Self::ALL.iter().find(|(c, _)| *c == self).map_or("", |(_, label)| label)
    }
}

/// Colours by function.
#[derive(Debug)]
pub struct Colors {
    functions: Vec<SpanColor>,
    modules: FxHashMap<StringId, SpanColor>,
    /// For each function whether the search finds it; empty without a search.
    found: Vec<bool>,
    pattern: Option<Pattern>,
    error: SpanColor,
    idle: SpanColor,
    gap: SpanColor,
}

impl Colors {
    /// Works out the colours of all functions. `shares` is needed for colours that stand for amounts.
    #[must_use]
    pub fn new(
        profile: &Profile,
        palette: &Palette,
        coloring: Coloring,
        shares: Option<&FunctionTable>,
        search: &str,
    ) -> Self {
        let pattern = Pattern::new(search);
        let found = pattern.as_ref().map(|p| p.functions(profile)).unwrap_or_default();
        let mut dim = Dimmer { palette, known: FxHashMap::default() };
        let mut functions: Vec<SpanColor> = match coloring {
            Coloring::SelfShare | Coloring::Metric => heat(profile, palette, shares, coloring),
            _ => {
                let mut known: FxHashMap<StringId, SpanColor> = FxHashMap::default();
                let color = |f: &Function| {
                    let text = key(f, coloring, profile);
                    *known.entry(text).or_insert_with(|| match profile.text(text) {
                        "" => palette.idle(),
                        text => palette.span_named(text),
                    })
                };
                let mut colors: Vec<SpanColor> = profile.functions.rows().iter().map(color).collect();
                for (function, color) in profile.functions.ids().zip(&mut colors) {
                    match waiting::said(profile, function) {
                        Some(Doing::Idle) => *color = palette.waiting(*color),
                        Some(Doing::Ready) => *color = palette.held_up(),
                        None => {}
                    }
                }
                colors
            }
        };
        let mut modules: FxHashMap<StringId, SpanColor> = FxHashMap::default();
        for function in profile.functions.rows() {
            let module = function.module;
            modules.entry(module).or_insert_with(|| palette.span_named(profile.text(module)));
        }
        // A module that holds a match is bright as a whole.
        let mut lost: FxHashMap<StringId, bool> = FxHashMap::default();
        for (i, found) in found.iter().enumerate() {
            let module = profile.functions.rows()[i].module;
            let lost = lost.entry(module).or_insert(true);
            *lost &= !found;
            if !found {
                functions[i] = dim.of(functions[i]);
            }
        }
        for (module, _) in lost.into_iter().filter(|(_, lost)| *lost) {
            modules.entry(module).and_modify(|color| *color = dim.of(*color));
        }
        let bad = palette.tone(Tone::Bad);
        let error = SpanColor { fill: bad, text: palette.text_on(bad) };
        Self { functions, modules, found, pattern, error, idle: palette.idle(), gap: palette.gap() }
    }

    /// The colour of a box.
    #[must_use]
    pub fn of(&self, who: Who, profile: &Profile) -> SpanColor {
        let function = who.function();
        if who.is_hidden() {
            return self.idle;
        }
        if who.as_gap().is_some() {
            return self.gap;
        }
        if who.is_module() {
            let module = profile.functions.get(function).module;
            if let Some(color) = self.modules.get(&module) {
                return *color;
            }
        }
        self.functions.get(function.index()).copied().unwrap_or(self.idle)
    }

    /// The colour of a texel: an error shows in any fold.
    #[must_use]
    pub fn of_texel(&self, who: Who, profile: &Profile) -> SpanColor {
        if who.is_error() { self.error } else { self.of(who, profile) }
    }

    /// What the search looks for, where it finds the box.
    #[must_use]
    pub fn pattern(&self, who: Who) -> Option<&Pattern> {
        self.pattern.as_ref().filter(|_| !self.is_dimmed(who))
    }

    /// True when a search is on and does not find the box.
    #[must_use]
    pub fn is_dimmed(&self, who: Who) -> bool {
        self.found.get(who.function().index()).is_some_and(|found| !found)
    }
}

fn key(function: &Function, coloring: Coloring, profile: &Profile) -> StringId {
    match coloring {
        Coloring::Name | Coloring::SelfShare | Coloring::Metric => function.name,
        Coloring::Module if profile.text(function.module).is_empty() => function.file,
        Coloring::Module => function.module,
        Coloring::Category => function.category,
    }
}

/// The largest own cost of a function.
#[must_use]
pub fn most(table: &FunctionTable) -> i64 {
    table.rows.iter().map(|row| row.own).max().unwrap_or(0)
}

fn heat(
    profile: &Profile,
    palette: &Palette,
    shares: Option<&FunctionTable>,
    coloring: Coloring,
) -> Vec<SpanColor> {
    const STEPS: usize = 64;
    let steps: Vec<SpanColor> = (0..=STEPS)
        .map(|i| {
            let fill = palette.heat(i as f32 / STEPS as f32);
            SpanColor { fill, text: palette.text_on(fill) }
        })
        .collect();
    let mut colors = vec![palette.idle(); profile.functions.len()];
    let most = shares.map_or(0, most);
    for row in shares.map_or(&[][..], |table| &table.rows) {
        let whole = if coloring == Coloring::Metric { most } else { row.total };
        if whole > 0
            && let Some(color) = colors.get_mut(row.function.index())
        {
            let share = (row.own as f64 / whole as f64).clamp(0.0, 1.0);
            *color = steps[(share * STEPS as f64).round() as usize];
        }
    }
    colors
}

/// Dims each colour once: mixing is slow and colours are few.
struct Dimmer<'a> {
    palette: &'a Palette,
    known: FxHashMap<egui::Color32, SpanColor>,
}

impl Dimmer<'_> {
    fn of(&mut self, color: SpanColor) -> SpanColor {
        let palette = self.palette;
        *self.known.entry(color.fill).or_insert_with(|| {
            let fill = palette.dimmed(color.fill);
            SpanColor { fill, text: palette.text_weak }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FunctionSpec, ProfileBuilder};

    #[test]
    fn heat_is_own_cost_by_total_or_beside_the_largest() {
        use crate::analysis::testing::{ask, function, subject};
        let s = subject("a 0 100; b 20 100; c 0 20");
        let query = crate::analysis::Functions(crate::analysis::Slice::default());
        let table = ask(&s, &query);
        let palette = Palette::dark();
        let shade = |coloring, name| {
            let colors = Colors::new(&s.profile, palette, coloring, Some(&table), "");
            colors.of(Who::new(function(&s.profile, name)), &s.profile).fill
        };
        assert_eq!(shade(Coloring::SelfShare, "c"), palette.heat(1.0));
        assert_eq!(shade(Coloring::Metric, "c"), palette.heat(0.25), "20 of 80");
        assert_eq!(shade(Coloring::Metric, "b"), palette.heat(1.0));
        assert_eq!(shade(Coloring::SelfShare, "a"), palette.heat(0.0));
    }

    #[test]
    fn the_search_dims_what_it_does_not_find() {
        let mut b = ProfileBuilder::new("test");
        let spec = |name, module| FunctionSpec { name, module, ..FunctionSpec::default() };
        let soft = b.function(spec("softmax", "torch"));
        let rope = b.function(spec("rope", "torch"));
        let _ = b.function(spec("main", ""));
        let p = b.finish();
        let palette = Palette::dark();
        let plain = Colors::new(&p, palette, Coloring::Name, None, "");
        let searched = Colors::new(&p, palette, Coloring::Name, None, "SOFT");
        assert_eq!(plain.of(Who::new(soft), &p), palette.span_named("softmax"));
        assert_eq!(searched.of(Who::new(soft), &p), palette.span_named("softmax"));
        assert_ne!(searched.of(Who::new(rope), &p), plain.of(Who::new(rope), &p));
        assert!(searched.is_dimmed(Who::new(rope)) && !plain.is_dimmed(Who::new(rope)));
        let module = Colors::new(&p, palette, Coloring::Module, None, "");
        assert_eq!(module.of(Who::new(soft), &p), module.of(Who::new(rope), &p));
    }
}
