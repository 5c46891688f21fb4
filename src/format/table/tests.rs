//! Tests of tables.

use super::*;
use crate::model::{Calls, Unit};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    Own,
    Name,
}

impl SortBy for Key {
    fn ascends(self) -> bool {
        self == Self::Name
    }
}

type Row = (&'static str, Option<i64>, u64);

fn columns(scale: Scale) -> Vec<Column<'static, Row, Key>> {
    vec![
        Column::count("calls", "Calls", |r: Row| Value::Calls(Calls { all: r.2, primitive: r.2.min(9) })),
        Column::cost("own", "Self", (Form::Scaled(scale), Unit::Nanoseconds), |r: Row| Value::cost(r.1))
            .sorts(Key::Own),
        Column::share("share", "Self %", |r: Row| Value::number(r.1.map(|own| own as f64 / 4000.0)))
            .sorts(Key::Own),
        Column::name("name", "Function", |r: Row| Value::text(r.0)).sorts(Key::Name),
    ]
}

const ROWS: [Row; 3] = [("a|b, \"c\"", Some(1500), 3), ("main", None, 12), ("=1\n", Some(-1), 1)];

#[test]
fn a_column_writes_the_same_cell_for_people_and_for_programs() {
    let columns = columns(Scale::for_max(Unit::Nanoseconds, 150_000));
    let cells = |row| columns.iter().map(|c| c.cell(row)).collect::<Vec<_>>();
    let exact = |row| columns.iter().map(|c| c.exact(row)).collect::<Vec<_>>();
    assert_eq!(cells(ROWS[0]), ["3", "1.5", "37.5 %", "a|b, \"c\""]);
    assert_eq!(exact(ROWS[0]), ["3", "1500", "37.5", "a|b, \"c\""]);
    assert_eq!(cells(ROWS[1]), ["12/9", "–", "–", "main"]);
    assert_eq!(exact(ROWS[1]), ["12/9", "", "", "main"]);
    assert_eq!(
        (columns[1].heading(), columns[1].exact_heading()),
        ("Self (µs)".into(), "Self (nanoseconds)".into())
    );
}

#[test]
fn rows_sort_by_what_their_cells_say_with_unknown_ones_last() {
    let columns = columns(Scale::for_max(Unit::Nanoseconds, 1500));
    let sorted = |sort: &[(Key, bool)]| {
        let mut rows = ROWS.to_vec();
        let compare = by(&columns, sort);
        rows.sort_by(|a, b| compare(*a, *b));
        rows.iter().map(|r| r.0).collect::<Vec<_>>()
    };
    assert_eq!(sorted(&[(Key::Own, false)]), ["a|b, \"c\"", "=1\n", "main"]);
    assert_eq!(sorted(&[(Key::Own, true)]), ["main", "=1\n", "a|b, \"c\""]);
    assert_eq!(sorted(&[(Key::Name, false)]), ["=1\n", "a|b, \"c\"", "main"]);
    assert_eq!(sorted(&[]), ["a|b, \"c\"", "main", "=1\n"], "no key changes nothing");
}

#[test]
fn the_arrow_stands_at_the_number_not_at_its_share_and_several_are_numbered() {
    let mut one = columns(Scale::for_max(Unit::Nanoseconds, 1500));
    mark(&mut one, &[(Key::Own, false)]);
    let orders = |columns: &[Column<'_, Row, Key>]| columns.iter().map(|c| c.order).collect::<Vec<_>>();
    assert_eq!(orders(&one), [None, Some(Order::Descending), None, None]);
    let mut two = columns(Scale::for_max(Unit::Nanoseconds, 1500));
    mark(&mut two, &[(Key::Name, true), (Key::Own, true)]);
    assert_eq!(orders(&two), [None, Some(Order::Ascending), None, Some(Order::Descending)]);
    assert_eq!(two[3].title, "Function ¹");
    let mut sort = (Key::Own, false);
    click(&mut sort, Key::Own);
    assert_eq!(sort, (Key::Own, true));
    click(&mut sort, Key::Name);
    assert_eq!(sort, (Key::Name, false));
}

#[test]
fn tables_are_copied_in_each_form() {
    let columns = columns(Scale::for_max(Unit::Nanoseconds, 150_000));
    let form = |form| copied(form, &columns, ROWS.into_iter());
    assert_eq!(
        form(CopyAs::Csv),
        "Calls,Self (nanoseconds),Self %,Function\n3,1500,37.5,\"a|b, \"\"c\"\"\"\n12/9,,,main\n1,-1,-0.025,'=1␊\n"
    );
    assert_eq!(
        form(CopyAs::Markdown),
        "| Calls | Self (µs) | Self % | Function |\n| ---: | ---: | ---: | --- |\n\
         | 3 | 1.5 | 37.5 % | a\\|b, \"c\" |\n| 12/9 | – | – | main |\n| 1 | −<0.1 | <0.1 % | =1␊ |\n"
    );
    assert_eq!(
        form(CopyAs::Text),
        "Calls  Self (µs)  Self %  Function\n    3        1.5  37.5 %  a|b, \"c\"\n \
         12/9          –       –  main\n    1      −<0.1  <0.1 %  =1␊\n"
    );
}
