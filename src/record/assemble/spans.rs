//! What is known about each span, and what becomes of it.

use tracing_core::Metadata;

use super::memory::{HolderId, OUTSIDE};
use super::places::{Pending, Place};
use super::{Assembler, Entered, Instances, PHASE, What, args};
use crate::model::{ArgsRef, FunctionId, MetricId, ProfileBuilder, SpanStatus, TrackId};
use crate::record::sink::{Field, Fields, Kind};
use crate::record::site;

/// How far up a chain of parents a task is looked for. Bounds the work of a chain without end.
const MOST_ANCESTORS: usize = 64;

/// How long a span that a thread has just left may still turn out to be a call, ns: between its exit and its close the
/// system may take the core from its thread. Only then does it count as a task that waits.
const UNDECIDED: i64 = 200_000_000;

/// A span between its creation and its close.
pub(super) struct Live {
    id: u64,
    name: &'static str,
    function: FunctionId,
    parent: Option<u32>,
    opened: i64,
    /// First enter: when and on which thread.
    first: (i64, u32),
    /// Last exit.
    last: i64,
    busy: i64,
    enters: u32,
    /// Enters without exit.
    inside: u32,
    /// A call site of its own.
    call: bool,
    phase: bool,
    pub(super) task: Option<u32>,
    fields: Fields,
    /// Details of a call site, which all its spans share.
    pub(super) args: Option<ArgsRef>,
    failed: bool,
    closed: Option<i64>,
    /// Something points at it, so its place must outlive it.
    pointed_at: bool,
    /// Kept open by call sites that were made inside it.
    holds_calls: bool,
    /// The parent of a span on the track of a task.
    calls_task: bool,
    /// As what it holds memory; [`OUTSIDE`] while it does not.
    holder: HolderId,
}

/// A span as it will be drawn.
pub(super) struct Drawn {
    /// `None` for a call of an operation.
    pub(super) uid: Option<u32>,
    pub(super) place: Place,
    start: i64,
    /// `None` while it runs.
    end: Option<i64>,
    function: FunctionId,
    fields: Fields,
    failed: bool,
    /// `None`: as long as the span.
    busy: Option<i64>,
    /// The span's parent.
    parent: Option<u32>,
    /// True on the track of a task, where times do not tell what lies in what.
    strict: bool,
    /// True when its parent may be on another track, or a span of another track may have it as its parent.
    named: bool,
    pub(super) holder: HolderId,
}

/// Adds a span to the builder and says where; `now` is the end of one that still runs.
pub(super) fn draw(builder: &mut ProfileBuilder, busy: MetricId, span: &Drawn, now: i64) -> (TrackId, u32) {
    let args = args(builder, &span.fields);
    let Place(track) = span.place;
    let handle = builder.open_span(track, span.start, span.function, args);
    let status = match (span.failed, span.end) {
        (true, _) => SpanStatus::Error,
        (false, Some(_)) => SpanStatus::Ok,
        (false, None) => SpanStatus::Unfinished,
    };
    let end = span.end.unwrap_or(now).max(span.start);
    builder.close_span(track, handle, end, status);
    builder.span_cost(track, handle, busy, span.busy.unwrap_or(end - span.start));
    let parent = span.parent.map(u64::from);
    match span.uid.map(u64::from) {
        Some(own) if span.strict => builder.nest_span(track, handle, own, parent),
        Some(own) if span.named => builder.name_span(track, handle, own, parent),
        _ => {}
    }
    (track, handle)
}

/// Where a span belongs.
enum Class {
    Thread,
    Task,
    Phase,
}

/// What may still come to a span.
#[derive(Clone, Copy, PartialEq)]
enum Ahead {
    /// No more events.
    Nothing,
    /// Its close, perhaps: its exit is the last that its thread did, and only just.
    Close,
    Anything,
}

impl Live {
    /// `None` while nothing is known.
    fn class(&self, ahead: Ahead) -> Option<Class> {
        if self.phase {
            return Some(Class::Phase);
        }
        if self.call {
            return None;
        }
        match self.enters {
            0 => (ahead == Ahead::Nothing).then_some(Class::Task),
            1 if self.inside > 0 || self.closed.is_some() || self.holds_calls => Some(Class::Thread),
            1 if ahead == Ahead::Close => Some(Class::Thread),
            _ => Some(Class::Task),
        }
    }
}

impl Assembler {
    pub(super) fn open(
        &mut self,
        id: u64,
        parent: Option<u64>,
        opened: i64,
        metadata: &'static Metadata<'static>,
        fields: Fields,
    ) {
        let uid = self.next_uid;
        self.next_uid += 1;
        let parent = parent.and_then(|p| self.ids.get(&p)).map(|i| i.latest);
        let live = Live {
            id,
            name: metadata.name(),
            function: self.function(metadata),
            parent,
            opened,
            first: (opened, 0),
            last: opened,
            busy: 0,
            enters: 0,
            inside: 0,
            call: false,
            phase: metadata.target() == PHASE,
            task: None,
            failed: fails(&fields),
            fields,
            args: None,
            closed: None,
            pointed_at: false,
            holds_calls: false,
            calls_task: false,
            holder: OUTSIDE,
        };
        self.spans.insert(uid, live);
        match self.ids.get_mut(&id) {
            Some(instances) => {
                let older = std::mem::replace(&mut instances.latest, uid);
                instances.older.push(older);
            }
            None => {
                self.ids.insert(id, Instances { latest: uid, older: Vec::new() });
            }
        }
    }

    /// The instance that had this registry id at that time.
    fn resolve(&self, id: u64, time: i64) -> Option<u32> {
        let instances = self.ids.get(&id)?;
        let fits = |uid: &u32| self.spans.get(uid).is_some_and(|s| s.opened <= time);
        std::iter::once(&instances.latest).chain(instances.older.iter().rev()).find(|uid| fits(uid)).copied()
    }

    /// The track of the task of the span that had this registry id at that time; `None` while no event
    /// says which task that is.
    pub(super) fn track_of_task(&mut self, id: u64, time: i64) -> Option<TrackId> {
        let uid = self.resolve(id, time)?;
        let task = self.spans.get(&uid)?.task?;
        Some(self.task_track(task))
    }

    /// The instance that has this registry id in the queue, which is in order.
    pub(super) fn latest(&mut self, id: u64) -> Option<(u32, &mut Live)> {
        let uid = self.ids.get(&id)?.latest;
        Some((uid, self.spans.get_mut(&uid)?))
    }

    pub(super) fn record(&mut self, id: u64, fields: Fields) {
        let Some((_, span)) = self.latest(id) else { return };
        span.failed |= fails(&fields);
        for (key, value) in fields {
            match span.fields.iter_mut().find(|(k, _)| *k == key) {
                Some((_, old)) => *old = value,
                None => span.fields.push((key, value)),
            }
        }
        span.args = None;
    }

    /// Marks a span as failed, with the reason.
    pub(super) fn fail(&mut self, uid: u32, reason: &Field) {
        let Some(span) = self.spans.get_mut(&uid) else { return };
        span.failed = true;
        if !span.fields.iter().any(|(k, _)| *k == "error") {
            span.fields.push(("error", reason.clone()));
        }
    }

    pub(super) fn mark_pointed_at(&mut self, uid: u32) {
        if let Some(span) = self.spans.get_mut(&uid) {
            span.pointed_at = true;
        }
    }

    pub(super) fn event(&mut self, thread: u32, ticks: u64, id: u64, kind: Kind) {
        let time = self.scale.ns(ticks);
        self.latest = self.latest.max(time);
        if kind != Kind::Close {
            self.settle_memory(thread, ticks);
        }
        match kind {
            Kind::Enter => self.enter(thread, time, id),
            Kind::Exit | Kind::ExitPanic => self.exit(thread, time, id, kind),
            Kind::Call => self.call(thread, time, id as u32),
            Kind::Return | Kind::ReturnPanic => {
                let site = id as u32;
                self.leave(thread, time, |e| matches!(e.what, What::Site(s) if s == site), kind);
            }
            Kind::Close => {
                if let Some(uid) = self.resolve(id, time)
                    && let Some(span) = self.spans.get_mut(&uid)
                {
                    span.closed = Some(time);
                    self.closing.push(uid);
                }
            }
        }
    }

    fn enter(&mut self, thread: u32, time: i64, id: u64) {
        let Some(uid) = self.resolve(id, time) else {
            self.strangers += 1;
            return;
        };
        self.entered.0 += 1;
        let first = self.spans.get(&uid).is_some_and(|s| s.enters == 0);
        if first {
            self.first_enter(thread, uid);
        }
        let at = self.tick(thread, time);
        let Some(span) = self.spans.get_mut(&uid) else { return };
        if first {
            span.first = (at, thread);
        }
        span.enters += 1;
        span.inside += 1;
        let call = span.call.then(|| {
            let args = *span.args.get_or_insert_with(|| args(&mut self.builder, &span.fields));
            (span.function, args)
        });
        self.thread(thread).stack.push(Entered { what: What::Span(id, uid), at, call, holder: OUTSIDE });
    }

    /// An operation is called.
    fn call(&mut self, thread: u32, time: i64, site: u32) {
        self.entered.1 += 1;
        let call = self.site(site);
        let at = self.tick(thread, time);
        self.thread(thread).stack.push(Entered { what: What::Site(site), at, call, holder: OUTSIDE });
    }

    /// Gives events of a thread strictly increasing times.
    fn tick(&mut self, thread: u32, time: i64) -> i64 {
        let thread = self.thread(thread);
        thread.last = time.max(thread.last.saturating_add(1));
        thread.last
    }

    /// Decides whether a span is a call site of its own, and which task it belongs to.
    fn first_enter(&mut self, thread: u32, uid: u32) {
        let stack = &self.thread(thread).stack;
        let (inside, stack): (bool, Vec<u32>) =
            (!stack.is_empty(), stack.iter().filter_map(Entered::uid).collect());
        let Some(span) = self.spans.get(&uid) else { return };
        let (parent, opened, name) = (span.parent, span.opened, span.name);
        if parent.is_none() && inside && !span.phase {
            if let Some(span) = self.spans.get_mut(&uid) {
                span.call = true;
            }
            return;
        }
        let mut ancestor = parent;
        let mut task = None;
        for _ in 0..MOST_ANCESTORS {
            let Some(a) = ancestor else { break };
            if stack.contains(&a) {
                task = self.spans.get(&a).and_then(|s| s.task);
                break;
            }
            ancestor = self.spans.get(&a).and_then(|s| s.parent);
        }
        let task = task.unwrap_or_else(|| {
            if let Some(parent) = parent {
                self.mark_pointed_at(parent);
                self.mark_pointed_at(uid);
                self.pending.push(Pending::link(parent, uid, opened, "spawn", &mut self.builder));
            }
            self.new_task(name)
        });
        if let Some(span) = self.spans.get_mut(&uid) {
            span.task = Some(task);
        }
    }

    fn exit(&mut self, thread: u32, time: i64, id: u64, kind: Kind) {
        let same = |e: &Entered| matches!(e.what, What::Span(i, _) if i == id);
        let Some((entered, time)) = self.leave(thread, time, same, kind) else { return };
        let Some(span) = entered.uid().and_then(|uid| self.spans.get_mut(&uid)) else { return };
        span.inside = span.inside.saturating_sub(1);
        span.last = span.last.max(time);
        if span.inside == 0 {
            span.busy += time - entered.at;
        }
        if let (Kind::ExitPanic, Some(uid)) = (kind, entered.uid()) {
            self.fail(uid, &Field::Text("panicked".into()));
        }
    }

    /// Takes what ends from the stack of its thread, and draws it if it is a call. Gives the time of its end, too.
    fn leave(
        &mut self,
        thread: u32,
        time: i64,
        same: impl Fn(&Entered) -> bool,
        kind: Kind,
    ) -> Option<(Entered, i64)> {
        let time = self.tick(thread, time);
        let entry = self.thread(thread);
        let i = entry.stack.iter().rposition(same)?;
        let track = entry.track;
        let entered = entry.stack.remove(i);
        if let Some((function, args)) = entered.call {
            let panicked = matches!(kind, Kind::ExitPanic | Kind::ReturnPanic);
            let status = if panicked { SpanStatus::Error } else { SpanStatus::Ok };
            let handle = self.builder.open_span(track, entered.at, function, args);
            self.builder.close_span(track, handle, time, status);
            self.builder.span_cost(track, handle, self.busy, time - entered.at);
            self.charge(entered.holder, (track, handle));
        }
        Some((entered, time))
    }

    /// A closed span becomes a row and is forgotten.
    pub(super) fn retire(&mut self, uid: u32) {
        let Some(class) = self.spans.get(&uid).and_then(|s| s.class(Ahead::Nothing)) else {
            self.forget(uid);
            return;
        };
        if matches!(class, Class::Task) {
            self.note_caller(uid);
        }
        let place = self.place(uid, &class);
        if let Some(drawn) = self.drawn(uid, place, &class, false) {
            let row = draw(&mut self.builder, self.busy, &drawn, 0);
            self.charge(drawn.holder, row);
        }
        if let Some(span) = self.forget(uid)
            && span.pointed_at
        {
            self.places.insert(uid, place);
        }
    }

    /// A task may hang on a span of another track. That one is still open: children keep it so.
    fn note_caller(&mut self, task: u32) {
        let parent = self.spans.get(&task).and_then(|s| s.parent);
        if let Some(parent) = parent.and_then(|p| self.spans.get_mut(&p)) {
            parent.calls_task = true;
        }
    }

    /// Sets what a span that has ended allocated.
    fn charge(&mut self, holder: HolderId, row: (TrackId, u32)) {
        if let Some(memory) = self.memory.as_mut().filter(|_| holder != OUTSIDE) {
            memory.charge(&mut self.builder, holder, row);
            memory.place(holder, row);
        }
    }

    /// The innermost span of a thread, as what it holds memory.
    pub(super) fn holder(&mut self, thread: u32) -> HolderId {
        let Some(memory) = &mut self.memory else { return OUTSIDE };
        let stack = self.threads.get_mut(&thread).map(|t| t.stack.iter_mut().rev());
        for entered in stack.into_iter().flatten() {
            let (holder, function) = match (entered.call, entered.uid()) {
                (Some((function, _)), _) => (&mut entered.holder, function),
                (None, Some(uid)) => match self.spans.get_mut(&uid) {
                    // Phases are not part of any call tree.
                    Some(span) if !span.phase => (&mut span.holder, span.function),
                    _ => continue,
                },
                (None, None) => continue,
            };
            if *holder == OUTSIDE {
                *holder = memory.holder(function);
            }
            return *holder;
        }
        OUTSIDE
    }

    fn forget(&mut self, uid: u32) -> Option<Live> {
        let span = self.spans.remove(&uid)?;
        if let Some(instances) = self.ids.get_mut(&span.id) {
            if instances.latest == uid {
                match instances.older.pop() {
                    Some(older) => instances.latest = older,
                    None => {
                        self.ids.remove(&span.id);
                    }
                }
            } else {
                instances.older.retain(|&u| u != uid);
            }
        }
        Some(span)
    }

    fn place(&mut self, uid: u32, class: &Class) -> Place {
        let (thread, task) = self.spans.get(&uid).map_or((0, None), |s| (s.first.1, s.task));
        let track: TrackId = match class {
            Class::Phase => self.phase_track(),
            Class::Thread => self.thread(thread).track,
            Class::Task => {
                let task = task.unwrap_or_else(|| self.task_of_parent(uid));
                self.task_track(task)
            }
        };
        Place(track)
    }

    /// The task of a span that was never entered: its parent's, or one of its own.
    fn task_of_parent(&mut self, uid: u32) -> u32 {
        let span = self.spans.get(&uid);
        let parent = span.and_then(|s| s.parent).and_then(|p| self.spans.get(&p));
        let (known, name) = (parent.and_then(|p| p.task), span.map_or("", |s| s.name));
        let task = known.unwrap_or_else(|| self.new_task(name));
        if let Some(span) = self.spans.get_mut(&uid) {
            span.task = Some(task);
        }
        task
    }

    /// `running`: an asynchronous span that is not closed goes on.
    fn drawn(&self, uid: u32, place: Place, class: &Class, running: bool) -> Option<Drawn> {
        let s = self.spans.get(&uid)?;
        let last_exit = (s.enters > 0).then_some(s.last);
        let open = s.inside > 0 || (running && s.closed.is_none());
        let (start, end, busy) = match class {
            Class::Phase => (s.opened, s.closed, None),
            Class::Thread => (s.first.0, (s.inside == 0).then_some(s.last), None),
            Class::Task => (s.opened, if open { None } else { last_exit.or(s.closed) }, Some(s.busy)),
        };
        let strict = matches!(class, Class::Task);
        let named = matches!(class, Class::Thread) && (s.parent.is_some() || s.pointed_at || s.calls_task);
        let (function, fields, failed, parent) = (s.function, s.fields.clone(), s.failed, s.parent);
        let holder = s.holder;
        Some(Drawn {
            uid: Some(uid),
            place,
            start,
            end,
            function,
            fields,
            failed,
            busy,
            parent,
            strict,
            named,
            holder,
        })
    }

    /// Rows for everything that is not closed at the time `now`; `None`: and never will be.
    pub(super) fn running(&mut self, now: Option<i64>) -> Vec<Drawn> {
        self.find_held_open();
        let mut uids: Vec<u32> = self.spans.keys().copied().collect();
        uids.sort_unstable();
        for &uid in &uids {
            if matches!(self.class_at(uid, now), Some(Class::Task)) {
                self.note_caller(uid);
            }
        }
        let mut drawn = Vec::new();
        for uid in uids {
            let Some(class) = self.class_at(uid, now) else { continue };
            let place = self.place(uid, &class);
            drawn.extend(self.drawn(uid, place, &class, true));
        }
        self.running_calls(&mut drawn);
        drawn
    }

    fn class_at(&self, uid: u32, now: Option<i64>) -> Option<Class> {
        let span = self.spans.get(&uid)?;
        let just_left = |now: i64| {
            let (_, thread) = span.first;
            let last = self.threads.get(&thread).map(|t| t.last);
            last == Some(span.last) && now - span.last < UNDECIDED
        };
        span.class(match now {
            None => Ahead::Nothing,
            Some(now) if just_left(now) => Ahead::Close,
            Some(_) => Ahead::Anything,
        })
    }

    /// A span that call sites keep open has ended with its last exit.
    fn find_held_open(&mut self) {
        let calls = self.spans.values().filter(|s| s.call || s.enters == 0).filter_map(|s| s.parent);
        let parents: Vec<u32> = calls.collect();
        for parent in parents {
            if let Some(span) = self.spans.get_mut(&parent) {
                span.holds_calls = true;
            }
        }
    }

    /// Enters of call sites that have no exit yet.
    fn running_calls(&self, drawn: &mut Vec<Drawn>) {
        for thread in self.threads.values() {
            for entry in &thread.stack {
                let Some((function, _)) = entry.call else { continue };
                let fields = match entry.what {
                    What::Span(_, uid) => self.spans.get(&uid).map(|s| s.fields.clone()),
                    What::Site(number) => site::describe(number).map(|d| d.fields()),
                };
                drawn.push(Drawn {
                    uid: entry.uid(),
                    place: Place(thread.track),
                    start: entry.at,
                    end: None,
                    function,
                    fields: fields.unwrap_or_default(),
                    failed: false,
                    busy: None,
                    parent: None,
                    strict: false,
                    named: false,
                    holder: entry.holder,
                });
            }
        }
    }
}

/// Conventions for a failed span: a field `error`, or OpenTelemetry's status.
fn fails(fields: &Fields) -> bool {
    fields.iter().any(|(key, value)| match (*key, value) {
        ("error", Field::Bool(failed)) => *failed,
        ("error", Field::Text(text)) => !text.is_empty(),
        ("otel.status_code", Field::Text(code)) => code.eq_ignore_ascii_case("error"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::record::clock::Scale;
    use crate::record::testing::sp;

    #[test]
    fn between_exit_and_close_a_call_is_a_call_and_what_waits_is_a_task() {
        let described = || [sp!("outer"), sp!("inner")].map(|span| span.metadata().unwrap());
        let subscriber = tracing_subscriber::registry().with(tracing_subscriber::filter::LevelFilter::TRACE);
        let [outer, inner] = tracing::subscriber::with_default(subscriber, described);
        let mut assembler = Assembler::new(Scale { origin: 0, ns_per_tick: 1.0 }, true);
        assembler.open(1, None, 0, outer, Vec::new());
        assembler.event(7, 10, 1, Kind::Enter);
        assembler.open(2, Some(1), 20, inner, Vec::new());
        assembler.event(7, 20, 2, Kind::Enter);
        assembler.event(7, 30, 2, Kind::Exit);
        let tracks = |assembler: &mut Assembler, now| -> Vec<String> {
            let running = assembler.running(Some(now));
            running
                .iter()
                .map(|Drawn { place: Place(track), .. }| assembler.builder.track_label(*track))
                .collect()
        };
        let (call, task) = ("thread 7", "outer");
        assert_eq!(tracks(&mut assembler, 40), [call, call]);
        assert_eq!(tracks(&mut assembler, 30 + UNDECIDED), [call, task]);
        // Its thread did something else: it would have closed it before.
        assembler.open(3, Some(1), 35, inner, Vec::new());
        assembler.event(7, 35, 3, Kind::Enter);
        assert_eq!(tracks(&mut assembler, 40), [call, task, call]);
    }
}
