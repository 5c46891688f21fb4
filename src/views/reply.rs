//! What becomes of a question. Here alone it is said that an answer is being computed, or why there is none; what concerns
//! the whole pane is left to its host ([`super::host`]).

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use egui::Ui;

use crate::query::Answer;
#[cfg(feature = "fleet")]
use crate::query::{Engine, Query, Topic};
use crate::ui::theme::Tone;
use crate::ui::widgets::{Notice, working_row};

/// What became of the questions of a pane in one frame, for its host.
#[derive(Debug, Default)]
pub struct Asking {
    /// Changes with the answers to older questions that are shown; 0 without any.
    old: Cell<usize>,
    /// What is being computed while the pane is drawn without it, and the finished share.
    doing: RefCell<Option<(String, Option<f32>)>>,
    /// True where a place has no content yet.
    waits: Cell<bool>,
    failed: RefCell<Vec<String>>,
}

impl Asking {
    /// Stands for the answers to older questions that are shown; `None` without any.
    #[must_use]
    pub fn old(&self) -> Option<usize> {
        Some(self.old.get()).filter(|&old| old != 0)
    }

    /// Takes what is being computed while the pane is drawn without it, or with an older answer.
    #[must_use]
    pub fn doing(&self) -> Option<(String, Option<f32>)> {
        self.doing.take()
    }

    /// True while content is missing: the picture is not there yet.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.waits.get()
    }

    /// Takes why questions failed.
    #[must_use]
    pub fn failed(&self) -> Vec<String> {
        self.failed.take()
    }

    fn shows_old<T>(&self, value: &Arc<T>) {
        let address = Arc::as_ptr(value).cast::<()>().addr();
        self.old.set((self.old.get().rotate_left(1) ^ address).max(1));
    }

    fn does(&self, doing: &str, progress: Option<f32>) {
        self.doing.borrow_mut().get_or_insert_with(|| (doing.to_owned(), progress));
    }

    fn fails(&self, why: String) {
        let mut failed = self.failed.borrow_mut();
        if !failed.contains(&why) {
            failed.push(why);
        }
    }
}

/// A question that was asked in this frame. How its answer is shown decides what is shown without it.
#[must_use]
pub struct Reply<'a, T> {
    answer: Option<Answer<T>>,
    asking: &'a Asking,
}

impl<'a, T> Reply<'a, T> {
    pub(super) fn new(answer: Option<Answer<T>>, asking: &'a Asking) -> Self {
        Self { answer, asking }
    }

    /// Asks a question about anything on behalf of a place on screen.
    #[cfg(feature = "fleet")]
    pub(super) fn of<S: Topic, Q: Query<S, Output = T>>(
        (engine, topic): (&Engine, &S),
        query: &Q,
        slot: u64,
        asking: &'a Asking,
    ) -> Self {
        Self::new(Some(engine.ask(topic, query, slot)), asking)
    }

    /// True when the answer is that to the question, and not an older one.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.answer.as_ref().is_some_and(Answer::is_ready)
    }

    /// Leaves out an older answer, where it would be about something else.
    pub fn exact(mut self) -> Self {
        if let Some(Answer::Working { stale, .. }) = &mut self.answer {
            *stale = None;
        }
        self
    }

    /// Content: the newest answer, or an older one, which the host dims when it takes long. Without any the place of the
    /// content says what is being computed, or why there is nothing.
    pub fn content(self, ui: &mut Ui, doing: &str) -> Option<Arc<T>> {
        match self.answer? {
            Answer::Ready(value) => Some(value),
            Answer::Working { stale: Some(value), progress } => {
                self.asking.shows_old(&value);
                self.asking.does(doing, progress);
                Some(value)
            }
            Answer::Working { progress, .. } => {
                working_row(ui, doing, progress);
                self.asking.waits.set(true);
                None
            }
            Answer::Failed(why) => {
                Notice::new(Tone::Bad, &why).show(ui);
                self.asking.fails(why);
                None
            }
        }
    }

    /// Content of something that is drawn already: what is being computed, and why there is nothing, is for the host to say.
    #[must_use]
    pub fn later(self, doing: &str) -> Option<Arc<T>> {
        if let Some(Answer::Working { progress, .. }) = &self.answer {
            self.asking.does(doing, *progress);
        }
        self.beside()
    }

    /// What stands beside the content, which is of use without it.
    #[must_use]
    pub fn beside(self) -> Option<Arc<T>> {
        match self.answer? {
            Answer::Ready(value) => Some(value),
            Answer::Working { stale, .. } => stale.inspect(|value| self.asking.shows_old(value)),
            Answer::Failed(why) => {
                self.asking.fails(why);
                None
            }
        }
    }
}
