//! Transforms in words, as the window's breadcrumbs and menus say them.

use crate::analysis::Transform;
use crate::format::beginning;
use crate::model::{Profile, SymbolKey};

/// Longest name in a crumb, characters.
const LONGEST: usize = 36;

/// A transform in words: «Focus on decode». Functions have the names that the profile gives them, where it has them.
#[must_use]
pub fn describe(transform: &Transform, profile: &Profile) -> String {
    let name = |key: SymbolKey| {
        let here = profile.keys().function(key).map(|f| profile.function_name(f));
        beginning(here.unwrap_or(&key.value().name), LONGEST)
    };
    match transform {
        Transform::FocusFunction(f) => format!("Focus on {}", name(*f)),
        Transform::FocusSubtree(path) => {
            let last = path.last().map_or_else(String::new, |&f| name(f));
            format!("Path to {last}")
        }
        Transform::FocusCategory(c) => format!("Category {}", beginning(c, LONGEST)),
        Transform::FocusMatches(filter) => format!("Only {}", beginning(filter, LONGEST)),
        Transform::MergeFunction(f) => format!("Merged {}", name(*f)),
        Transform::DropFunction(f) => format!("Without {}", name(*f)),
        Transform::CollapseModule(m) => format!("Collapsed {}", beginning(m, LONGEST)),
        Transform::CollapseRecursion => "Recursion collapsed".to_owned(),
        Transform::HideLibraries => "Only my code".to_owned(),
        Transform::FinishedOnly => "Finished calls only".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::testing::{profile, symbol, symbols};

    #[test]
    fn transforms_read_as_words() {
        let p = profile("main>a_function_with_a_very_long_name_that_goes_on@lib 1; f@lib 1");
        let long = "main>a_function_with_a_very_long_name_that_goes_on";
        assert_eq!(
            describe(&Transform::FocusSubtree(symbols(&p, long)), &p),
            "Path to a_function_with_a_very_long_name_tha…"
        );
        assert_eq!(describe(&Transform::DropFunction(symbol(&p, "f")), &p), "Without f");
        assert_eq!(describe(&Transform::CollapseModule("lib".into()), &p), "Collapsed lib");
    }
}
