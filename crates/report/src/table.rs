//! Tables of a report: typed columns, numbers to significant digits, the best value in bold.

use serde::Serialize;

use crate::{Error, Spread, decimals, mean_sd, significant};

/// Which value of a column is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// The largest.
    Highest,
    /// The smallest.
    Lowest,
}

/// How a column's numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// To this many significant digits.
    Significant(usize),
    /// To this many decimals, so that points stand below each other.
    Decimals(usize),
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    title: String,
    digits: Option<Digits>,
    best: Option<Best>,
    paper: bool,
}

impl Column {
    /// Words, aligned to the left.
    #[must_use]
    pub fn text(title: impl Into<String>) -> Self {
        Self { title: title.into(), digits: None, best: None, paper: false }
    }

    /// Numbers, aligned to the right.
    #[must_use]
    pub fn number(title: impl Into<String>, digits: Digits) -> Self {
        Self { title: title.into(), digits: Some(digits), best: None, paper: false }
    }

    /// Sets the best value in bold; equal ones all.
    #[must_use]
    pub fn best(mut self, best: Best) -> Self {
        self.best = Some(best);
        self
    }

    /// Marks the column as what the paper reports: set apart, and never bold.
    #[must_use]
    pub fn of_paper(mut self) -> Self {
        self.paper = true;
        self
    }
}

/// A cell of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number, written as its column says.
    Number(f64),
    /// One value per seed, written as mean ± standard deviation, to the column's decimals where it has them; compared by
    /// the mean.
    Seeds(Vec<f64>),
    /// Nothing; shown as a dash.
    Missing,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::Text(value.to_string())
    }
}

/// A table with a caption.
///
/// ```
/// use variata_report::{Best, Cell, Column, Digits, Table};
/// let mut table = Table::new(
///     "nll",
///     "Negative log-likelihood, nats.",
///     vec![Column::text("model"), Column::number("test", Digits::Decimals(2)).best(Best::Lowest)],
/// );
/// table.row(vec!["VAE".into(), Cell::Seeds(vec![81.2, 81.9])]).unwrap();
/// table.row(vec!["AE".into(), Cell::Missing]).unwrap();
/// assert!(table.row(vec!["too short".into()]).is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub(crate) id: String,
    pub(crate) caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    #[must_use]
    pub fn new(id: impl Into<String>, caption: impl Into<String>, columns: Vec<Column>) -> Self {
        Self { id: id.into(), caption: caption.into(), columns, rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Length`] unless there is a cell for each column.
    pub fn row(&mut self, cells: Vec<Cell>) -> Result<(), Error> {
        if cells.len() != self.columns.len() {
            return Err(Error::Length { argument: "cells", got: cells.len(), want: self.columns.len() });
        }
        self.rows.push(cells);
        Ok(())
    }

    pub(crate) fn view(&self) -> TableView {
        let heads = self
            .columns
            .iter()
            .map(|c| CellView { text: c.title.clone(), class: class(c, false), best: false })
            .collect();
        let best: Vec<Option<f64>> = self.columns.iter().enumerate().map(|(i, c)| self.best(i, c)).collect();
        let rows = self
            .rows
            .iter()
            .map(|row| {
                row.iter()
                    .zip(&self.columns)
                    .zip(&best)
                    .map(|((cell, column), best)| CellView {
                        text: text(cell, column),
                        class: class(column, matches!(cell, Cell::Missing)),
                        best: best.is_some() && key(cell) == *best,
                    })
                    .collect()
            })
            .collect();
        TableView { heads, rows }
    }

    fn best(&self, index: usize, column: &Column) -> Option<f64> {
        let values = self.rows.iter().filter_map(|row| key(row.get(index)?)).filter(|v| !v.is_nan());
        match column.best.filter(|_| !column.paper)? {
            Best::Highest => values.reduce(f64::max),
            Best::Lowest => values.reduce(f64::min),
        }
    }
}

fn key(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Number(value) => Some(*value),
        Cell::Seeds(values) if !values.is_empty() => Some(crate::Spread::of(values).mean),
        _ => None,
    }
}

fn class(column: &Column, missing: bool) -> String {
    let mut classes = Vec::new();
    if column.digits.is_some() {
        classes.push("number");
    }
    if column.paper {
        classes.push("paper");
    }
    if missing {
        classes.push("missing");
    }
    classes.join(" ")
}

fn text(cell: &Cell, column: &Column) -> String {
    let number = |value: f64| match column.digits {
        Some(Digits::Decimals(places)) => decimals(value, places),
        Some(Digits::Significant(digits)) => significant(value, digits),
        None => significant(value, 4),
    };
    match (cell, column.digits) {
        (Cell::Text(text), _) => text.clone(),
        (Cell::Number(value), _) => number(*value),
        (Cell::Seeds(values), _) if values.len() == 1 => number(values[0]),
        (Cell::Seeds(values), Some(Digits::Decimals(places))) => {
            let spread = Spread::of(values);
            if spread.mean.is_finite() && spread.sd.is_finite() {
                format!("{} ± {}", decimals(spread.mean, places), decimals(spread.sd, places))
            } else {
                mean_sd(values)
            }
        }
        (Cell::Seeds(values), _) => mean_sd(values),
        (Cell::Missing, _) => "–".to_owned(),
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct TableView {
    heads: Vec<CellView>,
    rows: Vec<Vec<CellView>>,
}

#[derive(Debug, Serialize)]
struct CellView {
    text: String,
    class: String,
    best: bool,
}
