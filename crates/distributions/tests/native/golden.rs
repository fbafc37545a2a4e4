//! The tables of `tests/golden`.

use variata_testkit::compare::{Comparison, Summary};
use variata_testkit::golden::Table;

/// Reads `tests/golden/<name>.tsv`.
macro_rules! table {
    ($name:literal) => {
        variata_testkit::golden::Table::parse(include_str!(concat!("../golden/", $name, ".tsv"))).unwrap()
    };
}
pub(crate) use table;

/// `function(argument)` is within `ulp` of the column for every row, and there are `rows` of them.
pub(crate) fn assert_column(
    table: &Table,
    argument: &str,
    column: &str,
    function: impl Fn(f64) -> f64,
    ulp: u64,
) -> Summary {
    let mut comparison = Comparison::ulp(column, ulp);
    for (x, want) in table.column(argument).unwrap().into_iter().zip(table.column(column).unwrap()) {
        comparison.push(function(x), want);
    }
    comparison.expect_count(table.len()).assert()
}
