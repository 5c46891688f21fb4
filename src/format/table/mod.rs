//! Tables: a column is one value that says what it is called, what it means, how rows sort by it and what is in its
//! cells. Windows paint it, reports print it, copies and files write it, so that all show the same in the same words.

mod text;
mod value;

pub use text::{CopyAs, aligned, copied};
pub use value::{Value, calls};

use std::cmp::Ordering;

use super::{Scale, UNKNOWN, cost_or_unknown, points, signed_cost};
use crate::model::{Better, Unit};

/// How a column writes its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// As they are: texts, counts, calls, places.
    Plain,
    /// Costs in one unit, which the heading names.
    Scaled(Scale),
    /// Costs that differ too much for one unit: each with its own.
    Each(Unit),
    /// Changes of costs in one unit, with a sign.
    Signed(Scale),
    /// Changes of costs, each with a sign and its own unit.
    SignedEach(Unit),
    /// Shares of a whole, as percent.
    Percent,
    /// Changes of shares, as percentage points.
    Points,
    /// Changes as a share of what was before.
    Growth,
    /// Numbers with so many decimals.
    Decimals(usize),
    /// Rates: three significant digits.
    Rate,
}

impl Form {
    /// The unit that a heading names: «ms», or nothing.
    #[must_use]
    pub fn suffix(&self) -> &'static str {
        match self {
            Self::Scaled(scale) | Self::Signed(scale) => scale.suffix(),
            _ => "",
        }
    }
}

/// How cells stand out where they are painted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Look {
    /// A text.
    Text,
    /// What the row is about.
    Name,
    /// A text of second rank.
    Weak,
    /// A path, of which the end says most.
    Path,
    /// A number.
    Number,
    /// A share with a bar as long as it is.
    Bar,
    /// A change with a bar; the longest is this large.
    Change(f64, Better),
    /// Whether a row is new or gone.
    State,
}

/// Direction of a sorted column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Least first.
    Ascending,
    /// Most first.
    Descending,
}

/// What rows can be sorted by.
pub trait SortBy: Copy + PartialEq {
    /// True for what starts with the least: texts, distances. Other numbers start with the largest.
    fn ascends(self) -> bool;

    /// The order whose column has the arrow: another one where rows are sorted by what no column shows.
    #[must_use]
    fn shown(self) -> Self {
        self
    }
}

/// A column of rows `R`, which sort by `S`.
pub struct Column<'a, R, S> {
    /// Stable name, by which a person's choice of columns is kept.
    pub key: &'static str,
    /// What its heading says, without the unit.
    pub title: String,
    /// What its values mean, with the denominator of shares.
    pub hint: String,
    /// How values are written.
    pub form: Form,
    /// How cells stand out.
    pub look: Look,
    /// Unit of exact costs; `None` for what is no cost.
    pub unit: Option<Unit>,
    /// What a click on its heading sorts by.
    pub sort: Option<S>,
    /// False for a column whose neighbour has the same order: the arrow stands there.
    pub leads: bool,
    /// How rows are sorted by it now.
    pub order: Option<Order>,
    /// The higher, the sooner it gives way where room is short; 0 never.
    pub rank: u8,
    /// Characters that its cells have room for; of a growing column the least.
    pub room: f32,
    /// Its part of what is left; 0 for a column whose width a person sets.
    pub grow: f32,
    value: Box<dyn Fn(R) -> Value<'a> + 'a>,
    quiet: Option<Box<dyn Fn(R) -> bool + 'a>>,
}

impl<'a, R, S> Column<'a, R, S> {
    fn new(
        key: &'static str,
        title: impl Into<String>,
        (form, look): (Form, Look),
        value: impl Fn(R) -> Value<'a> + 'a,
    ) -> Self {
        let room = match (form, look) {
            (_, Look::Name) => 19.0,
            (Form::Each(_) | Form::SignedEach(_), _) => 10.0,
            (_, Look::Path) => 19.0,
            (_, Look::Change(..)) => 19.0,
            _ => 9.0,
        };
        Self {
            key,
            title: title.into(),
            hint: String::new(),
            form,
            look,
            unit: None,
            sort: None,
            leads: true,
            order: None,
            rank: 0,
            room,
            grow: 0.0,
            value: Box::new(value),
            quiet: None,
        }
    }

    /// A column of texts.
    pub fn text(key: &'static str, title: impl Into<String>, value: impl Fn(R) -> Value<'a> + 'a) -> Self {
        Self::new(key, title, (Form::Plain, Look::Text), value)
    }

    /// The column of what the rows are about; it takes the room that is left.
    pub fn name(key: &'static str, title: impl Into<String>, value: impl Fn(R) -> Value<'a> + 'a) -> Self {
        Self::new(key, title, (Form::Plain, Look::Name), value).growing(1.0)
    }

    /// A column of counts.
    pub fn count(key: &'static str, title: impl Into<String>, value: impl Fn(R) -> Value<'a> + 'a) -> Self {
        Self::new(key, title, (Form::Plain, Look::Number), value)
    }

    /// A column of numbers that are written in `form`.
    pub fn number(
        key: &'static str,
        title: impl Into<String>,
        form: Form,
        value: impl Fn(R) -> Value<'a> + 'a,
    ) -> Self {
        Self::new(key, title, (form, Look::Number), value)
    }

    /// A column of costs in `unit`, exactly.
    pub fn cost(
        key: &'static str,
        title: impl Into<String>,
        (form, unit): (Form, Unit),
        value: impl Fn(R) -> Value<'a> + 'a,
    ) -> Self {
        Self { unit: Some(unit), ..Self::new(key, title, (form, Look::Number), value) }
    }

    /// A column of texts of second rank.
    pub fn weak(key: &'static str, title: impl Into<String>, value: impl Fn(R) -> Value<'a> + 'a) -> Self {
        Self::new(key, title, (Form::Plain, Look::Weak), value)
    }

    /// A column of paths.
    pub fn path(key: &'static str, title: impl Into<String>, value: impl Fn(R) -> Value<'a> + 'a) -> Self {
        Self::new(key, title, (Form::Plain, Look::Path), value)
    }

    /// A column of shares with bars. It sorts as the number beside it does.
    pub fn share(key: &'static str, title: impl Into<String>, value: impl Fn(R) -> Value<'a> + 'a) -> Self {
        Self { leads: false, ..Self::new(key, title, (Form::Percent, Look::Bar), value) }
    }

    /// What the values mean.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// What a click on its heading sorts by.
    #[must_use]
    pub fn sorts(self, by: S) -> Self {
        Self { sort: Some(by), ..self }
    }

    /// Its neighbour has the same order, and the arrow.
    #[must_use]
    pub fn follows(self) -> Self {
        Self { leads: false, ..self }
    }

    /// How soon it gives way.
    #[must_use]
    pub fn rank(self, rank: u8) -> Self {
        Self { rank, ..self }
    }

    /// Characters that its cells have room for.
    #[must_use]
    pub fn room(self, room: f32) -> Self {
        Self { room, ..self }
    }

    /// Its part of what is left.
    #[must_use]
    pub fn growing(self, grow: f32) -> Self {
        Self { grow, ..self }
    }

    /// How its cells stand out.
    #[must_use]
    pub fn look(self, look: Look) -> Self {
        Self { look, ..self }
    }

    /// For which rows a change is too small to be coloured, however large it is beside others.
    #[must_use]
    pub fn quiet(self, quiet: impl Fn(R) -> bool + 'a) -> Self {
        Self { quiet: Some(Box::new(quiet)), ..self }
    }

    /// True when the change of a row is not coloured.
    #[must_use]
    pub fn is_quiet(&self, row: R) -> bool {
        self.quiet.as_ref().is_some_and(|quiet| quiet(row))
    }

    /// True for numbers, which stand at the right.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self.look, Look::Number | Look::Bar | Look::Change(..))
    }

    /// «Self (ms)».
    #[must_use]
    pub fn heading(&self) -> String {
        match self.form.suffix() {
            "" => self.title.clone(),
            suffix => format!("{} ({suffix})", self.title),
        }
    }

    /// The heading of exact values: «Self (ns)».
    #[must_use]
    pub fn exact_heading(&self) -> String {
        self.unit.map_or_else(|| self.title.clone(), |unit| format!("{} ({})", self.title, unit.key()))
    }

    /// What is in a row's cell.
    pub fn value(&self, row: R) -> Value<'a> {
        (self.value)(row)
    }

    /// A cell as a person reads it.
    pub fn cell(&self, row: R) -> String {
        self.write(&self.value(row))
    }

    /// The value of a row without loss, for programs: costs in the column's unit, shares in percent; empty when unknown.
    pub fn exact(&self, row: R) -> String {
        match (self.form, self.value(row)) {
            (Form::Percent | Form::Points | Form::Growth, Value::Number(n)) => (n * 100.0).to_string(),
            (Form::Scaled(_) | Form::Each(_) | Form::Signed(_) | Form::SignedEach(_), Value::Number(n)) => {
                format!("{}", n.round())
            }
            (_, value) => value.exact(),
        }
    }

    /// A value as a person reads it in this column.
    #[must_use]
    pub fn write(&self, value: &Value<'_>) -> String {
        let cost = |n: i64| match self.form {
            Form::Scaled(scale) => scale.number(Some(n)),
            Form::Each(unit) => cost_or_unknown(unit, Some(n)),
            Form::Signed(scale) => scale.signed(Some(n)),
            Form::SignedEach(unit) => signed_cost(unit, n),
            _ => super::count(n),
        };
        match *value {
            Value::AtLeast(n) => format!("≥ {}", cost(n)),
            Value::Cost(n) => cost(n),
            Value::About(ref value) => match self.write(value) {
                text if text == UNKNOWN => text,
                text => format!("≈{text}"),
            },
            Value::Number(n) => match self.form {
                Form::Percent => super::percent(n),
                Form::Points => points(n * 100.0),
                Form::Growth => super::percent_change(n),
                Form::Decimals(places) => format!("{n:.places$}"),
                Form::Rate => super::number(n),
                _ => cost(n.round() as i64),
            },
            ref other => other.plain(),
        }
    }
}

/// Puts the arrows where rows are sorted: by several keys, the most important one first, they are numbered.
pub fn mark<R, S: SortBy>(columns: &mut [Column<'_, R, S>], sort: &[(S, bool)]) {
    const NUMBERS: [&str; 5] = [" ¹", " ²", " ³", " ⁴", " ⁵"];
    for column in columns.iter_mut().filter(|c| c.leads) {
        let Some(place) = sort.iter().position(|(by, _)| Some(by.shown()) == column.sort) else { continue };
        let (by, reverse) = sort[place];
        let up = by.ascends() != reverse;
        column.order = Some(if up { Order::Ascending } else { Order::Descending });
        if sort.len() > 1 {
            column.title += NUMBERS.get(place).copied().unwrap_or_default();
        }
    }
}

/// How two rows stand to each other by several columns, the most important one first. Columns that are not there decide
/// nothing.
pub fn by<'c, 'a, R: Copy, S: SortBy>(
    columns: &'c [Column<'a, R, S>],
    sort: &[(S, bool)],
) -> impl Fn(R, R) -> Ordering + use<'c, 'a, R, S> {
    let find = |&(by, reverse): &(S, bool)| {
        columns.iter().find(|c| c.sort == Some(by)).map(|column| (column, reverse))
    };
    let deciding: Vec<_> = sort.iter().filter_map(find).collect();
    move |a, b| {
        let decide = |(column, reverse): &(&Column<'a, R, S>, bool)| {
            let order = column.value(a).compare(&column.value(b));
            if *reverse { order.reverse() } else { order }
        };
        deciding.iter().map(decide).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The order after a click on a heading that sorts by `by`: in its natural direction, or, where rows are sorted by it, the
/// other way.
pub fn click<S: SortBy>(sort: &mut (S, bool), by: S) {
    *sort = (by, by == sort.0 && !sort.1);
}

#[cfg(test)]
mod tests;
