//! Tips in the line at the bottom: each appears where it helps, until it is closed or what it tells of was done, and then
//! never again.

use super::App;
use crate::analysis::stages::has_stages;
use crate::state::Interaction;

/// A tip.
struct Tip {
    /// Its name in the settings.
    id: &'static str,
    text: &'static str,
    /// It helps now.
    helps: fn(&App, &Interaction) -> bool,
    /// Who did this knows it.
    known: fn(&App, &Interaction) -> bool,
}

fn timed(app: &App) -> bool {
    app.active().and_then(|run| run.profile.as_ref()).is_some_and(|p| p.is_timed())
}

/// All tips, in the order in which they appear.
const TIPS: [Tip; 6] = [
    Tip {
        id: "range",
        text: "Shift + drag on a chart chooses a time: every pane shows only that",
        helps: |app, _| timed(app),
        known: |_, now| now.range.is_some(),
    },
    Tip {
        id: "stages",
        text: "Stages: a click on a line of «What if» shows what that would bring",
        helps: |app, _| app.active().and_then(|run| run.profile.as_ref()).is_some_and(|p| has_stages(p)),
        known: |_, now| !now.what_if.is_empty(),
    },
    Tip {
        id: "search",
        text: "/ searches in every pane at once, F3 goes on to the next",
        helps: |_, now| now.search.is_empty(),
        known: |_, now| !now.search.is_empty(),
    },
    Tip {
        id: "compare",
        text: "B makes this run the baseline: every pane then shows what changed to another one",
        helps: |app, _| app.session.runs.len() > 1,
        known: |app, _| app.session.baseline().is_some(),
    },
    Tip {
        id: "find",
        text: "The view Find asks for single calls: name:decode dur>10ms",
        helps: |app, _| timed(app),
        known: |_, _| false,
    },
    Tip {
        id: "checklist",
        text: "Help › Profile an async LLM application is a list of five steps that fills itself",
        helps: |app, _| app.active().is_some_and(|run| run.profile.is_some()),
        known: |app, _| app.checklist_shown,
    },
];

impl App {
    /// The tip that helps now; those that are known by what was done are never shown.
    pub(super) fn tip(&mut self) -> Option<&'static str> {
        // Where nothing is remembered they would come again and again.
        self.settings_path.as_ref()?;
        let now = self.session.now()?.clone();
        for tip in &TIPS {
            if self.settings.tips.iter().any(|id| id == tip.id) {
                continue;
            }
            if (tip.known)(self, &now) {
                self.settings.tips.push(tip.id.to_owned());
            } else if (tip.helps)(self, &now) {
                return Some(tip.text);
            }
        }
        None
    }

    /// Shows a tip no more.
    pub(super) fn close_tip(&mut self, text: &str) {
        let id = TIPS.iter().find(|tip| tip.text == text).map(|tip| tip.id.to_owned());
        self.settings.tips.extend(id);
    }
}
