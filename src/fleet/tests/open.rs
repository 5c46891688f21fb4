//! What the window asks of a dataset.

use super::job::{Fault, Job};
use super::{Folder, dataset, from};
use crate::fleet::ask::Chosen;
use crate::fleet::ask::lanes::Doing;
use crate::fleet::ask::stragglers::stragglers;
use crate::fleet::open::{LanesOf, Open, StragglersOf};
use crate::jobs;
use crate::query::{Engine, RunId};

#[test]
fn a_step_of_all_ranks_lies_on_one_clock_and_shows_who_came_last() {
    let clock = |rank: usize| (rank as i64 * 7919) % 400_000 - 200_000;
    let fault = from(5, 4, Fault::Kernels(1.3));
    let job = Job { fault, clock: Box::new(clock), packed: true, ..Job::default() };
    let folder = Folder::new("lanes");
    let open = Open::new(RunId(1), dataset(&job, &folder).folder());
    let engine = Engine::inline();
    let answer = engine.now(&open, &LanesOf { job: 0, step: 16 }, &jobs::Job::new()).unwrap();
    let lanes = answer.as_ref().as_ref().unwrap();
    assert_eq!((lanes.lanes.len(), lanes.gpu, lanes.step), (8, true, 16));
    assert!(lanes.residual.unwrap() < 1_000, "{:?}", lanes.residual);
    let off = |rank: usize| lanes.lanes[rank].offset.unwrap();
    assert!(
        (off(3) - off(1) - (clock(3) - clock(1))).abs() < 1_000,
        "clocks were moved by what they are off"
    );
    // The last operation is one of all ranks, who end it together.
    let last = |rank: usize| {
        let pieces = &lanes.pieces[lanes.lanes[rank].pieces.clone()];
        *pieces.iter().filter(|p| p.doing == Doing::Communication).max_by_key(|p| p.start).unwrap()
    };
    let end = last(0).end;
    assert!((0..8).all(|rank| (last(rank).end - end).abs() < 2_000));
    // In the first one, of its group, the late rank comes last.
    let first = |rank: usize| {
        let pieces = &lanes.pieces[lanes.lanes[rank].pieces.clone()];
        pieces.iter().filter(|p| p.doing == Doing::Communication).map(|p| p.start).min()
    };
    assert_eq!((0..8).max_by_key(|&rank| first(rank)), Some(5));
    assert!(lanes.names[last(5).function as usize].contains("AllReduce"));
    // A step that nobody has is empty, and so is one of a job that is not there.
    for query in [LanesOf { job: 0, step: 99 }, LanesOf { job: 7, step: 16 }] {
        let none = engine.now(&open, &query, &jobs::Job::new()).unwrap();
        assert!(none.as_ref().as_ref().is_ok_and(|lanes| lanes.pieces.is_empty()), "{query:?}");
    }
}

#[test]
fn questions_of_the_window_end_when_nobody_wants_them_and_are_those_of_the_command_line() {
    let folder = Folder::new("open");
    let dataset = dataset(&Job { fault: from(5, 4, Fault::Kernels(1.3)), ..Job::default() }, &folder);
    let (open, engine) = (Open::new(RunId(1), dataset.folder()), Engine::inline());
    let given_up = jobs::Job::new();
    given_up.cancel();
    assert!(engine.now(&open, &StragglersOf { job: 0 }, &given_up).is_err());
    let wanted = jobs::Job::new();
    let slowed = engine.now(&open, &StragglersOf { job: 0 }, &wanted).unwrap();
    assert!(wanted.progress().is_some_and(|share| share > 0.5), "it says how far it is");
    let asked = dataset.read(|snapshot| stragglers(snapshot, &Chosen::default())).unwrap();
    assert_eq!(slowed.as_ref().as_ref().unwrap().job, asked[0]);
    // What was read before stays; read again it is another question.
    std::fs::remove_dir_all(dataset.folder()).unwrap();
    assert!(engine.now(&open, &StragglersOf { job: 0 }, &wanted).unwrap().is_ok());
    let why = engine.now(&open.again(), &StragglersOf { job: 0 }, &wanted).unwrap();
    assert!(why.as_ref().as_ref().is_err_and(|why| why.contains("is no dataset")), "{why:?}");
}
