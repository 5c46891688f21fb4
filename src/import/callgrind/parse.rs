//! The state machine over the lines of a callgrind file (or of several files of one run).
//!
//! Lines have meaning only through what stood before them: the current function, the numbers that
//! names were given, the position that distances count from, and whether the next line of costs is
//! the function's own, that of a call, or the place of a jump.

mod headers;

use memchr::memchr;

use super::super::ImportError;
use super::address::{Addresses, JumpTo};
use super::events::{Events, MAX_EVENTS};
use super::graph::{Graph, Key};
use super::names::{Names, numbered};
use super::numbers::{Cursor, Number, plain_numbers};
use crate::model::{CallSite, NodeId, ProfileBuilder, SourceLine, StringId, Strings, Unit};

/// Longest time that a function is believed to take by itself, ns: a year.
const IMPOSSIBLE: i64 = 365 * 86_400_000_000_000;

const TOO_LARGE: &str = "cost too large to count (the largest number is taken)";

/// What the next line of numbers is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    SelfCost,
    CallCost {
        calls: u64,
    },
    /// The place of a jump, without costs. `None` for one that is not kept.
    Jump(Option<JumpTo>),
}

/// What the headers say about a run.
#[derive(Default)]
pub(super) struct Headers {
    pub(super) version: Option<String>,
    pub(super) creator: String,
    pub(super) cmd: String,
    pub(super) pid: String,
    pub(super) parts: Vec<String>,
    pub(super) threads: Vec<String>,
    pub(super) desc: Vec<(String, String)>,
    /// Costs in all by the `summary:` lines, per metric; empty without one.
    pub(super) summary: Vec<i64>,
    /// True when a summary cannot be right: valgrind writes differences of counters that went back.
    pub(super) summary_is_bad: bool,
    /// The same by the `totals:` lines.
    pub(super) totals: Vec<i64>,
    /// True once an `events:` line was read.
    pub(super) has_events: bool,
}

pub(super) struct Parser<'a> {
    pub(super) builder: &'a mut ProfileBuilder,
    pub(super) graph: Graph,
    pub(super) events: Events,
    pub(super) headers: Headers,
    /// The only part to add up; `None` for all.
    pub(super) only: Option<String>,
    /// The part that is read is not the one that is wanted: only its names are.
    muted: bool,
    /// 1-based.
    pub(super) line_no: u64,
    /// Counts parts, so that names of an earlier part can be told.
    part: u32,
    in_body: bool,
    /// Written by xdebug.
    xdebug: bool,
    /// Functions that a `summary:` line of the part was in, in xdebug's files.
    summed: Vec<u32>,
    objects: Names,
    files: Names,
    functions: Names,
    object: StringId,
    /// The file of the function.
    file: StringId,
    /// The file of the code, which differs where a function of another file is inlined.
    inline_file: StringId,
    function: Option<u32>,
    called_object: Option<StringId>,
    called_file: Option<StringId>,
    called: Option<u32>,
    next: Next,
    /// Positions on a line, and which of them is the source line.
    positions: usize,
    line_position: Option<usize>,
    /// The last source line; distances count from it.
    line: i64,
    addresses: Addresses,
    costs: [i64; MAX_EVENTS],
    /// The last numbers of each column, for writers that shorten costs as well.
    last_costs: [i64; MAX_EVENTS],
    relative_costs: bool,
    row: Vec<i64>,
    /// «???».
    unknown: StringId,
}

impl<'a> Parser<'a> {
    pub(super) fn new(builder: &'a mut ProfileBuilder) -> Self {
        let unknown = builder.string("???");
        Self {
            unknown,
            builder,
            graph: Graph::default(),
            events: Events::default(),
            headers: Headers::default(),
            only: None,
            muted: false,
            line_no: 0,
            part: 0,
            in_body: false,
            xdebug: false,
            summed: Vec::new(),
            objects: Names::default(),
            files: Names::default(),
            functions: Names::default(),
            object: Strings::EMPTY,
            file: Strings::EMPTY,
            inline_file: Strings::EMPTY,
            function: None,
            called_object: None,
            called_file: None,
            called: None,
            next: Next::SelfCost,
            positions: 1,
            line_position: Some(0),
            line: 0,
            addresses: Addresses::default(),
            costs: [0; MAX_EVENTS],
            last_costs: [0; MAX_EVENTS],
            relative_costs: false,
            row: Vec::new(),
        }
    }

    /// Another file, or another part of this one: names, numbers and positions start anew.
    pub(super) fn start_part(&mut self) {
        self.end_call();
        self.part += 1;
        self.in_body = false;
        self.summed.clear();
        (self.object, self.file, self.inline_file) = (Strings::EMPTY, Strings::EMPTY, Strings::EMPTY);
        self.function = None;
        (self.positions, self.line_position, self.line) = (1, Some(0), 0);
        self.addresses = Addresses::default();
        self.last_costs = [0; MAX_EVENTS];
    }

    fn warn(&mut self, kind: &str) {
        self.builder.warn(kind, &format!("line {}", self.line_no));
    }

    /// Reads one line.
    ///
    /// # Errors
    /// When the format is not understood at all.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), ImportError> {
        self.line_no += 1;
        match line.first() {
            None | Some(b'#') => Ok(()),
            Some(b'0'..=b'9' | b'+' | b'-' | b'*') => {
                if !self.muted {
                    self.numbers(line);
                }
                Ok(())
            }
            Some(b' ' | b'\t') => match line.trim_ascii_start() {
                [] => Ok(()),
                trimmed => {
                    self.line_no -= 1;
                    self.line(trimmed)
                }
            },
            Some(_) => self.keyed(line),
        }
    }

    fn keyed(&mut self, line: &[u8]) -> Result<(), ImportError> {
        match line.iter().position(|b| matches!(b, b'=' | b':')) {
            Some(at) if line[at] == b'=' => self.record(&line[..at], line[at + 1..].trim_ascii()),
            Some(at) => return self.header(&line[..at], line[at + 1..].trim_ascii()),
            None => self.warn("line that is not understood (skipped)"),
        }
        Ok(())
    }

    /// xdebug writes a summary into the record of each outermost function. A second one there is of a further run, such as
    /// that of functions at shutdown, which is counted by itself.
    fn next_run(&mut self) {
        let Some(function) = self.function else { return };
        let before = self.summed.iter().filter(|&&f| f == function).count();
        self.summed.push(function);
        if before > 0 {
            let Key { name, file, object } = self.graph.key(function);
            let name = format!("{} (run {})", self.builder.text(name), before + 1);
            let key = Key { name: self.builder.string(&name), file, object };
            let node = self.graph.node(key, true);
            self.graph.mark(node);
            self.function = Some(node);
        }
    }

    /// Takes times out of the row that no run has.
    fn leave_out_impossible(&mut self) -> Option<i64> {
        let mut found = None;
        for (cost, &(metric, _)) in self.row.iter_mut().zip(&self.events.metrics) {
            if *cost > IMPOSSIBLE && self.builder.metric_of(metric).unit == Unit::Nanoseconds {
                found = Some(std::mem::take(cost));
            }
        }
        found
    }

    /// Adds the row to a function's own costs. A cost that no run has is left out: xdebug before 2.6 took the time since
    /// 1970 where it lost the start of a function.
    fn self_cost(&mut self, function: u32, written: i64) {
        if self.xdebug && self.leave_out_impossible().is_some() {
            let place = format!("line {}: {written}", self.line_no);
            self.builder.warn("self cost of more than a year (left out)", &place);
        }
        let line = self.line_number();
        let line = SourceLine { node: NodeId(function), file: self.inline_file, line };
        self.graph.self_cost(line, self.addresses.here(), &self.row);
    }

    fn record(&mut self, key: &[u8], value: &[u8]) {
        self.in_body = true;
        // Names keep their numbers for the parts that follow.
        let key: &[u8] = match (self.muted, key) {
            (true, b"fn" | b"cfn") => b"jfn",
            (true, b"fl" | b"fi" | b"fe" | b"cfi" | b"cfl") => b"jfl",
            (true, b"ob" | b"cob") => b"job",
            (true, b"calls" | b"rcalls" | b"jump" | b"jcnd") => return,
            (_, key) => key,
        };
        match key {
            b"fn" => {
                self.end_call();
                self.inline_file = self.file;
                let node = self.function(value, self.file, self.object, false);
                self.function = Some(node);
            }
            b"fl" => {
                self.file = self.place_name(value, |s| &mut s.files);
                self.inline_file = self.file;
            }
            b"fi" | b"fe" => self.inline_file = self.place_name(value, |s| &mut s.files),
            b"ob" => self.object = self.place_name(value, |s| &mut s.objects),
            b"cfn" => {
                let file = self.called_file.unwrap_or(self.inline_file);
                let object = self.called_object.unwrap_or(self.object);
                self.called = Some(self.function(value, file, object, self.called_file.is_some()));
            }
            b"cfi" | b"cfl" => self.called_file = Some(self.place_name(value, |s| &mut s.files)),
            b"cob" => self.called_object = Some(self.place_name(value, |s| &mut s.objects)),
            b"calls" | b"rcalls" => {
                self.end_call();
                let mut overflow = false;
                let calls = Cursor::new(value).digits(&mut overflow);
                if calls.is_none() {
                    self.warn("number of calls that cannot be read (taken as 0)");
                }
                self.next = Next::CallCost { calls: calls.unwrap_or(0).unsigned_abs() };
            }
            b"jump" | b"jcnd" => {
                self.end_call();
                let jump = self.addresses.jump(value, key == b"jcnd");
                if self.addresses.column.is_some() && jump.is_none() {
                    self.warn("jump that cannot be read (left out)");
                }
                self.next = Next::Jump(jump);
            }
            // An address says where a jump leads, but these may give names their numbers.
            b"jfi" | b"jfl" => _ = self.name(value, |s| &mut s.files),
            b"jfn" => _ = self.name(value, |s| &mut s.functions),
            b"job" => _ = self.name(value, |s| &mut s.objects),
            b"frfn" => {}
            _ => self.warn("line that is not understood (skipped)"),
        }
    }

    /// A call whose line of costs did not come, or a jump whose place did not.
    fn end_call(&mut self) {
        match self.next {
            Next::CallCost { calls } => {
                self.warn("call without the line of its cost (counted without cost)");
                self.row.fill(0);
                self.add_call(calls, 0);
            }
            Next::Jump(Some(_)) => self.warn("jump without the line of its place (left out)"),
            Next::SelfCost | Next::Jump(None) => {}
        }
        self.next = Next::SelfCost;
    }

    /// The line was the place of a jump.
    fn end_jump(&mut self, jump: Option<JumpTo>) {
        let (Some(mut jump), Some(from)) = (jump, self.addresses.here()) else { return };
        if jump.followed > jump.executed {
            self.warn("jump that is followed more often than executed (taken as executed so often)");
            jump.executed = jump.followed;
        }
        let function = self.current_function();
        self.graph.jump(function, from, jump);
    }

    fn current_function(&mut self) -> u32 {
        if let Some(function) = self.function {
            self.graph.mark(function);
            return function;
        }
        self.warn("costs before any function (shown as «???»)");
        let key = Key { name: self.unknown, file: self.file, object: self.object };
        let node = self.graph.node(key, true);
        self.function = Some(node);
        node
    }

    fn add_call(&mut self, calls: u64, line: u32) {
        let caller = self.current_function();
        match self.called.take() {
            Some(callee) => {
                let (file, address) = (self.inline_file, self.addresses.here());
                let site = CallSite { caller: NodeId(caller), file, line, callee: NodeId(callee) };
                self.graph.call(site, address, calls, &self.row);
            }
            None => self.warn("call of no function (skipped)"),
        }
        (self.called_file, self.called_object) = (None, None);
    }

    /// Names: «(id) text» gives a number and «(id)» uses it; anything else is the name itself. Returns
    /// the number, too.
    fn name(&mut self, value: &[u8], names: fn(&mut Self) -> &mut Names) -> (StringId, Option<u64>) {
        let Some((id, text)) = numbered(value) else {
            if value.first() == Some(&b'(') && value.get(1).is_some_and(|b| b.is_ascii_digit() || *b == b'-')
            {
                self.warn("number of a name that cannot be read (taken as part of the name)");
            }
            return (self.plain_name(value), None);
        };
        let part = self.part;
        let known = names(self).get(id).map(|n| (n.part, n.text));
        if text.is_empty() {
            if let Some((_, name)) = known {
                return (name, Some(id));
            }
            self.warn("name number that was never given (shown as «???»)");
            let unknown = self.builder.string(&format!("??? ({id})"));
            names(self).set(id, part, unknown);
            return (unknown, Some(id));
        }
        let name = self.plain_name(text);
        if known.is_some_and(|(of, old)| of == part && old != name) {
            self.warn("number given to two names (each holds from where it stands)");
        }
        if known != Some((part, name)) {
            names(self).set(id, part, name);
        }
        (name, Some(id))
    }

    /// The function of a name in a file and object.
    fn function(&mut self, value: &[u8], file: StringId, object: StringId, known: bool) -> u32 {
        let (name, id) = self.name(value, |s| &mut s.functions);
        let key = Key { name, file, object };
        let Some(cached) = id.and_then(|id| self.functions.get(id)) else {
            return self.graph.node(key, known);
        };
        match cached.function {
            Some((of, node)) if of == key => {
                if known {
                    self.graph.mark(node);
                }
                node
            }
            _ => {
                let node = self.graph.node(key, known);
                cached.function = Some((key, node));
                node
            }
        }
    }

    /// The name of a file or object, empty when it is the unknown «???».
    fn place_name(&mut self, value: &[u8], names: fn(&mut Self) -> &mut Names) -> StringId {
        let (name, _) = self.name(value, names);
        if name == self.unknown { Strings::EMPTY } else { name }
    }

    /// A name as it stands.
    fn plain_name(&mut self, text: &[u8]) -> StringId {
        match std::str::from_utf8(text) {
            Ok(text) => self.builder.string(text),
            Err(_) => {
                self.warn("name that is not UTF-8 (shown with �)");
                self.builder.string(&String::from_utf8_lossy(text))
            }
        }
    }

    /// A line of numbers: positions, then costs.
    fn numbers(&mut self, line: &[u8]) {
        self.in_body = true;
        // Beside the line there may be an address before it.
        let parts = match (self.positions, self.line_position) {
            (1, Some(0)) => Some((&line[..0], line)),
            (2, Some(1)) => memchr(b' ', line).map(|blank| (&line[..blank], &line[blank + 1..])),
            _ => None,
        };
        if let Some((before, from_line)) = parts
            && let Some(position) = plain_numbers(from_line, &mut self.costs[..self.events.columns.len()])
        {
            if self.addresses.column.is_some() {
                self.move_to_address(before);
            }
            return self.plain_line(position);
        }
        let mut cursor = Cursor::new(line);
        if !self.read_positions(&mut cursor) {
            self.warn("position that cannot be read (line skipped)");
            return;
        }
        match std::mem::replace(&mut self.next, Next::SelfCost) {
            Next::Jump(jump) => self.end_jump(jump),
            Next::SelfCost => {
                let any = self.read_costs(&mut cursor);
                let function = self.current_function();
                if any {
                    self.self_cost(function, self.last_costs[0]);
                }
            }
            Next::CallCost { calls } => {
                self.read_costs(&mut cursor);
                let line = self.line_number();
                self.add_call(calls, line);
            }
        }
    }

    /// A line of the usual form, its costs in `costs`.
    fn plain_line(&mut self, position: Number) {
        self.move_to(position);
        let next = std::mem::replace(&mut self.next, Next::SelfCost);
        if let Next::Jump(jump) = next {
            return self.end_jump(jump);
        }
        let (mut overflow, mut any) = (false, false);
        self.row.fill(0);
        for column in 0..self.events.columns.len() {
            any |= self.store(column, self.costs[column], &mut overflow);
        }
        if overflow {
            self.warn(TOO_LARGE);
        }
        match next {
            Next::CallCost { calls } => {
                let line = self.line_number();
                self.add_call(calls, line);
            }
            _ => {
                let function = self.current_function();
                if any {
                    self.self_cost(function, self.last_costs[0]);
                }
            }
        }
    }

    /// Puts a column's number into its metric's unit and place. True unless it is 0.
    fn store(&mut self, column: usize, cost: i64, overflow: &mut bool) -> bool {
        self.last_costs[column] = cost;
        if let Some(place) = self.events.columns[column] {
            let scaled = cost.checked_mul(self.events.metrics[place].1);
            *overflow |= scaled.is_none();
            self.row[place] = scaled.unwrap_or(if cost < 0 { i64::MIN } else { i64::MAX });
        }
        cost != 0
    }

    fn move_to(&mut self, position: Number) {
        self.line = match position {
            Number::Plain(line) => line,
            Number::Ahead(by) => self.line.saturating_add(by),
            Number::Back(by) => self.line.saturating_sub(by),
            Number::Same => self.line,
        };
    }

    fn move_to_address(&mut self, word: &[u8]) {
        if !self.addresses.move_to(word) {
            self.warn("address that cannot be read (what stands there is kept by its line only)");
        }
    }

    fn line_number(&mut self) -> u32 {
        match u32::try_from(self.line) {
            Ok(line) if self.line_position.is_some() => line,
            Ok(_) => 0,
            Err(_) => {
                self.warn("line number out of range (shown as unknown)");
                0
            }
        }
    }

    fn read_positions(&mut self, cursor: &mut Cursor<'_>) -> bool {
        for i in 0..self.positions {
            cursor.skip_blanks();
            if Some(i) != self.line_position {
                let word = cursor.word();
                if Some(i) == self.addresses.column {
                    self.move_to_address(word);
                }
                continue;
            }
            match cursor.number(&mut false) {
                Some(position) => self.move_to(position),
                // «0x1000» alone: the rest is left out, as trailing costs may be.
                None => return cursor.peek().is_none() && i > 0,
            }
        }
        true
    }

    /// Reads costs into `row`, in the metrics' own units; missing ones are 0. False when all are 0.
    fn read_costs(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let (mut overflow, mut any) = (false, false);
        self.row.fill(0);
        for column in 0..self.events.columns.len() {
            cursor.skip_blanks();
            let last = self.last_costs[column];
            let cost = match cursor.number(&mut overflow) {
                Some(Number::Plain(cost)) => cost,
                // Costs are never shortened by the letter of the format, but some writers do it.
                Some(Number::Ahead(by)) => {
                    self.relative_costs = true;
                    last.saturating_add(by)
                }
                Some(Number::Same) => {
                    self.relative_costs = true;
                    last
                }
                Some(Number::Back(by)) if self.relative_costs => last.saturating_sub(by),
                Some(Number::Back(by)) => -by,
                None => break,
            };
            any |= self.store(column, cost, &mut overflow);
        }
        if overflow {
            self.warn(TOO_LARGE);
        }
        cursor.skip_blanks();
        match cursor.peek() {
            None => {}
            Some(b'.') => self.warn("cost that is not a whole number (its fraction is dropped)"),
            Some(b) if b.is_ascii_digit() => self.warn("more costs than events (the rest is skipped)"),
            Some(_) => self.warn("cost that cannot be read (taken as 0)"),
        }
        any
    }
}
