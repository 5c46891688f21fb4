//! What the engine promises, with questions that count, wait and hold what they are told to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use super::*;
use crate::jobs::Job;
use crate::model::{Profile, ProfileBuilder};

/// What a question of the tests meets: how often it ran, and a gate that it waits at.
#[derive(Default)]
struct Stage {
    runs: AtomicUsize,
    started: AtomicUsize,
    shut: AtomicBool,
    moved: Condvar,
    lock: Mutex<()>,
}

impl Stage {
    fn shut() -> Arc<Self> {
        Arc::new(Self { shut: AtomicBool::new(true), ..Self::default() })
    }

    fn open(&self) {
        self.shut.store(false, Ordering::SeqCst);
        self.moved.notify_all();
    }

    fn pass(&self, cx: &Context<'_>) -> Result<(), Cancelled> {
        self.started.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.lock.lock().unwrap();
        while self.shut.load(Ordering::SeqCst) {
            cx.job().checkpoint(1, 4)?;
            guard = self.moved.wait_timeout(guard, Duration::from_millis(2)).unwrap().0;
        }
        drop(guard);
        cx.job().checkpoint(4, 4)?;
        self.runs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Waits until so many questions have reached the gate.
    fn reached(&self, count: usize) {
        while self.started.load(Ordering::SeqCst) < count {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

/// A question with a name; its stage is no part of it.
#[derive(Clone)]
struct Named {
    name: u32,
    stage: Arc<Stage>,
    bytes: usize,
    below: Option<Arc<Named>>,
    breaks: bool,
}

impl Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Named({})", self.name)
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Named {}

impl Hash for Named {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

struct Answered {
    value: u32,
    bytes: usize,
    _profile: Arc<Profile>,
}

impl Query for Named {
    type Output = Answered;
    const KEEPS_PROFILE: bool = true;

    fn run(&self, cx: &Context<'_>) -> Result<Answered, Cancelled> {
        let below = self.below.as_ref().map_or(Ok(0), |q| cx.get(&**q).map(|a| a.value))?;
        self.stage.pass(cx)?;
        assert!(!self.breaks, "a bug in a query");
        Ok(Answered { value: self.name * 2 + below, bytes: self.bytes, _profile: cx.profile().clone() })
    }

    fn weight(answer: &Answered) -> usize {
        answer.bytes
    }
}

fn named(name: u32) -> Named {
    Named { name, stage: Arc::default(), bytes: 0, below: None, breaks: false }
}

fn at(name: u32, stage: &Arc<Stage>) -> Named {
    Named { stage: stage.clone(), ..named(name) }
}

fn above(name: u32, below: &Named) -> Named {
    Named { below: Some(Arc::new(below.clone())), ..named(name) }
}

fn subject() -> Run {
    Run { id: RunId(1), ..Run::of(Arc::new(ProfileBuilder::new("test").finish())) }
}

fn engine() -> Engine {
    Engine::new(Mode::Background, || ())
}

fn wait(engine: &Engine, subject: &Run, query: &Named, slot: u64) -> u32 {
    loop {
        match engine.ask(subject, query, slot) {
            Answer::Ready(answer) => return answer.value,
            Answer::Failed(why) => panic!("{why}"),
            Answer::Working { .. } => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Waits until a question is told how far the one is that it waits for.
fn joined(engine: &Engine, subject: &Run, query: &Named, slot: u64) {
    while !matches!(engine.ask(subject, query, slot), Answer::Working { progress: Some(_), .. }) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn rest(engine: &Engine) {
    while engine.busy() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until so many hold the profile: a worker drops what it worked with a moment after the answer is there.
fn held_by(weak: &Weak<Profile>, count: usize) {
    let start = std::time::Instant::now();
    while weak.strong_count() != count {
        assert!(start.elapsed().as_secs() < 20, "{} hold the profile", weak.strong_count());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn one_question_is_computed_once_and_the_newest_wins() {
    let (engine, subject, stage) = (engine(), subject(), Stage::shut());
    let (first, second, third) = (at(1, &stage), at(2, &stage), at(3, &stage));
    assert!(matches!(engine.ask(&subject, &first, 7), Answer::Working { stale: None, .. }));
    assert!(matches!(engine.ask(&subject, &first, 8), Answer::Working { .. }));
    stage.open();
    assert_eq!(wait(&engine, &subject, &first, 7), 2);
    assert_eq!(wait(&engine, &subject, &first, 8), 2);
    assert_eq!(stage.runs(), 1);
    stage.shut.store(true, Ordering::SeqCst);
    match engine.ask(&subject, &second, 7) {
        Answer::Working { stale, .. } => assert_eq!(stale.unwrap().value, 2),
        _ => panic!("it waits at the gate"),
    }
    assert!(matches!(engine.ask(&subject, &third, 7), Answer::Working { .. }));
    assert_eq!(engine.busy(), 1, "the older question of the slot was cancelled");
    stage.open();
    assert_eq!(wait(&engine, &subject, &third, 7), 6);
    assert_eq!(stage.runs(), 2, "it never came to an end");
}

#[test]
fn an_answer_about_another_run_is_not_shown_meanwhile() {
    let (engine, stage) = (engine(), Stage::shut());
    let (one, other) = (subject(), Run { id: RunId(2), ..subject() });
    wait(&engine, &one, &named(5), 3);
    assert!(matches!(engine.ask(&other, &at(6, &stage), 3), Answer::Working { stale: None, .. }));
    stage.open();
    wait(&engine, &one, &named(5), 3);
    let (grown, stage) = (Run { revision: Revision(1), ..one }, Stage::shut());
    engine.forget_before(RunId(1), Revision(1));
    assert!(matches!(engine.ask(&grown, &at(5, &stage), 3), Answer::Working { stale: Some(_), .. }));
}

#[test]
fn a_question_inside_questions_is_computed_once() {
    let (engine, subject, stage) = (engine(), subject(), Stage::shut());
    let below = at(10, &stage);
    let askers: Vec<Named> = (1..=3).map(|name| above(name, &below)).collect();
    for (slot, asker) in askers.iter().enumerate() {
        engine.ask(&subject, asker, slot as u64);
    }
    engine.ask(&subject, &below, 9);
    stage.reached(1);
    joined(&engine, &subject, &askers[0], 0);
    stage.open();
    for (slot, asker) in askers.iter().enumerate() {
        assert_eq!(wait(&engine, &subject, asker, slot as u64), asker.name * 2 + 20);
    }
    assert_eq!(wait(&engine, &subject, &below, 9), 20);
    assert_eq!((stage.runs(), stage.started.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(engine.memory().computed, 4);
}

#[test]
fn what_two_wait_for_goes_on_when_one_leaves() {
    let (engine, subject, stage) = (engine(), subject(), Stage::shut());
    let below = at(10, &stage);
    engine.ask(&subject, &above(1, &below), 1);
    stage.reached(1);
    joined(&engine, &subject, &above(2, &below), 2);
    engine.ask(&subject, &named(3), 1); // the first, whose thread computes what both need, is given up
    wait(&engine, &subject, &named(3), 1);
    stage.open();
    assert_eq!(wait(&engine, &subject, &above(2, &below), 2), 24);
    assert_eq!(stage.started.load(Ordering::SeqCst), 1, "nothing was begun anew");
}

#[test]
fn cancelled_questions_in_the_queue_never_start() {
    let (engine, subject) = (engine(), subject());
    let (busy, never) = (Stage::shut(), Stage::shut());
    let threads = engine.threads();
    for i in 0..threads as u32 {
        engine.ask(&subject, &at(100 + i, &busy), u64::from(100 + i));
    }
    busy.reached(threads);
    for name in 0..50 {
        engine.ask(&subject, &at(name, &never), 1);
    }
    assert_eq!(engine.busy(), threads + 1);
    busy.open();
    never.open();
    assert_eq!(wait(&engine, &subject, &at(49, &never), 1), 98);
    rest(&engine);
    assert_eq!(never.started.load(Ordering::SeqCst), 1);
}

#[test]
fn who_waits_for_another_question_leaves_the_thread_to_others() {
    let (engine, subject, stage) = (engine(), subject(), Stage::shut());
    let below = at(1000, &stage);
    for i in 0..engine.threads() as u32 {
        engine.ask(&subject, &above(i, &below), u64::from(i));
    }
    stage.reached(1);
    assert_eq!(wait(&engine, &subject, &named(50), 50), 100);
    stage.open();
    rest(&engine);
}

#[test]
fn an_answer_larger_than_the_cache_reaches_its_slot() {
    let engine = Engine::within(1000, Mode::Background, || (), || ());
    let subject = subject();
    let large = Stage::shut();
    let questions: Vec<Named> = (1..=4).map(|name| Named { bytes: 5000, ..at(name, &large) }).collect();
    for question in &questions {
        engine.ask(&subject, question, u64::from(question.name));
    }
    large.open();
    rest(&engine); // nobody asks while they arrive, and others arrive after them
    for small in 10..30 {
        wait(&engine, &subject, &Named { bytes: 400, ..named(small) }, 99);
    }
    for question in &questions {
        let answer = engine.ask(&subject, question, u64::from(question.name));
        assert!(answer.is_ready(), "{}", question.name);
    }
    assert_eq!(large.runs(), 4);
    let memory = engine.memory();
    let kept: Vec<_> = memory.answers.iter().map(|a| (a.question.as_str(), a.shown)).collect();
    let shown = [("Named(1)", true), ("Named(2)", true), ("Named(3)", true), ("Named(4)", true)];
    assert_eq!(&kept[..4], shown, "what slots show stays");
    // Of the others what is shown, and at most one that a worker held a moment longer.
    assert!(kept[4..].contains(&("Named(29)", true)) && kept.len() <= 6, "{kept:?}");
}

#[test]
fn past_the_budget_goes_what_was_not_used_for_long_and_nobody_holds() {
    let engine = Engine::within(1000, Mode::Inline, || (), || ());
    let (subject, job) = (subject(), Job::new());
    let stages: Vec<Arc<Stage>> = (0..4).map(|_| Arc::default()).collect();
    let of = |i: usize| Named { bytes: 50, ..at(i as u32, &stages[i]) };
    let held = engine.now(&subject, &of(0), &job).unwrap();
    for i in [1, 2, 1, 3] {
        drop(engine.now(&subject, &of(i), &job).unwrap()); // 306 bytes each
    }
    for i in [0, 1, 3] {
        drop(engine.now(&subject, &of(i), &job).unwrap());
        assert_eq!(stages[i].runs(), 1, "{i} was kept");
    }
    drop(engine.now(&subject, &of(2), &job).unwrap());
    assert_eq!(stages[2].runs(), 2, "it had to go");
    let hits: Vec<_> = engine.memory().answers.iter().map(|a| (a.question.clone(), a.hits)).collect();
    assert!(hits.contains(&("Named(0)".into(), 1)), "{hits:?}");
    drop(held);
}

#[test]
fn a_closed_run_frees_everything_and_late_answers_are_dropped() {
    let (engine, subject, stage) = (engine(), subject(), Stage::shut());
    let weak = Arc::downgrade(&subject.profile);
    wait(&engine, &subject, &named(1), 1); // kept, and shown by a slot
    engine.ask(&subject, &above(2, &at(20, &stage)), 2); // one runs, one waits for it
    engine.ask(&subject, &above(3, &at(20, &stage)), 3);
    stage.reached(1);
    let other = Run { id: RunId(2), ..self::subject() };
    wait(&engine, &other, &named(1), 1);
    engine.ask(&subject, &named(1), 1);
    engine.ask(&other, &named(5), 1); // waits or shows the other run where the closed one was shown
    for i in 0..40 {
        engine.ask(&subject, &at(100 + i, &stage), u64::from(100 + i)); // queued
    }
    engine.close(RunId(1));
    assert!(matches!(engine.ask(&subject, &named(7), 4), Answer::Failed(_)));
    drop(subject);
    held_by(&weak, 0);
    assert!(engine.memory().answers.iter().all(|a| a.about == About::One((RunId(2), Revision(0)))));
    assert!(engine.memory().profiles.iter().all(|p| p.0 == RunId(2)));
    assert_eq!(wait(&engine, &other, &named(5), 1), 10, "the other run lives on");
    // An answer that is there only after the run was closed.
    let late = Run { id: RunId(3), ..self::subject() };
    let weak = Arc::downgrade(&late.profile);
    engine.close(RunId(3));
    drop(engine.now(&late, &named(1), &Job::new()).unwrap());
    drop(late);
    held_by(&weak, 0);
}

#[test]
fn a_hidden_slot_keeps_no_old_revision() {
    let engine = engine();
    let first = subject();
    let weak = Arc::downgrade(&first.profile);
    wait(&engine, &first, &named(1), 1);
    wait(&engine, &first, &named(2), 2);
    let second = Run { revision: Revision(1), ..subject() };
    engine.forget_before(RunId(1), Revision(1));
    drop(first);
    held_by(&weak, 2); // both slots may show theirs dimmed
    let memory = engine.memory();
    assert_eq!(memory.profiles.len(), 1, "counted once for both");
    wait(&engine, &second, &named(1), 1);
    let third = Run { revision: Revision(2), ..subject() };
    engine.forget_before(RunId(1), Revision(2)); // slot 2 did not ask about revision 1
    held_by(&weak, 0);
    wait(&engine, &third, &named(2), 2);
}

#[test]
fn a_panic_in_a_query_is_an_answer_and_the_engine_lives_on() {
    let (engine, subject) = (engine(), subject());
    let broken = Named { breaks: true, ..named(1) };
    for query in [broken.clone(), above(2, &broken), above(3, &broken)] {
        loop {
            if let Answer::Failed(why) = engine.ask(&subject, &query, u64::from(query.name)) {
                assert!(why.contains("internal error"));
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    rest(&engine);
    assert_eq!(wait(&engine, &subject, &named(4), 1), 8);
}

#[test]
fn a_long_question_is_described_in_short() {
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Long(Vec<char>);
    impl Query for Long {
        type Output = ();
        fn run(&self, _: &Context<'_>) -> Result<(), Cancelled> {
            Ok(())
        }
    }
    let engine = Engine::inline();
    drop(engine.now(&subject(), &Long(vec!['é'; 1000]), &Job::new()).unwrap());
    let text = &engine.memory().answers[0].question;
    assert!(text.starts_with("Long(['é', 'é'") && text.ends_with('…') && text.len() < 250, "{text}");
}
