//! Tables, seen through a page.

use variata_report::{Best, Cell, Column, Digits, Section, Table};

use crate::page::{page, report};

fn html(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new("t", "caption", columns);
    for row in rows {
        table.row(row).unwrap();
    }
    let mut report = report();
    report.sections = vec![Section::new("s").table(table)];
    page(&report)
}

#[test]
fn the_best_is_bold_and_ties_all_are() {
    let columns = || vec![Column::number("v", Digits::Decimals(1)).best(Best::Lowest)];
    let rows = vec![
        vec![2.0.into()],
        vec![1.0.into()],
        vec![f64::NAN.into()],
        vec![Cell::Missing],
        vec![1.0.into()],
    ];
    let text = html(columns(), rows);
    assert_eq!(text.matches("<strong>1.0</strong>").count(), 2);
    assert_eq!(text.matches("<strong>").count(), 2);
    assert!(text.contains("<td class=\"number missing\">–</td>") && text.contains(">NaN</td>"));
    let text = html(
        vec![Column::number("v", Digits::Significant(3)).best(Best::Highest).of_paper()],
        vec![vec![2.0.into()]],
    );
    assert!(!text.contains("<strong>") && text.contains("<td class=\"number paper\">2.00</td>"));
}

#[test]
fn seeds_are_compared_by_their_mean() {
    let columns = vec![Column::number("v", Digits::Decimals(1)).best(Best::Highest)];
    let rows =
        vec![vec![Cell::Seeds(vec![1.0, 3.0])], vec![Cell::Seeds(vec![0.0, 5.0])], vec![Cell::Seeds(vec![])]];
    assert!(html(columns, rows).contains("<strong>2.5 ± 3.5</strong>"));
}

#[test]
fn one_seed_has_the_digits_of_its_column() {
    let columns = vec![Column::number("v", Digits::Decimals(1)), Column::number("w", Digits::Significant(2))];
    let text = html(columns, vec![vec![Cell::Seeds(vec![5.7]), Cell::Seeds(vec![5.7])]]);
    assert_eq!(text.matches("<td class=\"number\">5.7</td>").count(), 2, "{text}");
}
