//! The report: one page that holds everything and loads nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::figure::Content;
use crate::index::{CLAIMS, ClaimSummary, ReportSummary};
use crate::markup::{inline, paragraphs};
use crate::table::TableView;
use crate::{Claim, Error, Figure, Manifest, OutputDir, Table, Verdict};

/// A part of a section.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Block {
    /// Paragraphs, parted by empty lines, with `**strong**`, `*emphasis*` and `` `code` ``.
    Text(String),
    /// A formula on a line of its own, in Unicode.
    Formula(String),
    /// Figures side by side.
    Figures(Vec<Figure>),
    /// A table.
    Table(Table),
}

/// A section of a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// Heading, also in the table of contents.
    pub heading: String,
    /// What it says and shows.
    pub blocks: Vec<Block>,
}

impl Section {
    /// A section without content.
    #[must_use]
    pub fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), blocks: Vec::new() }
    }

    /// Adds paragraphs.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Text(text.into()));
        self
    }

    /// Adds a formula.
    #[must_use]
    pub fn formula(mut self, formula: impl Into<String>) -> Self {
        self.blocks.push(Block::Formula(formula.into()));
        self
    }

    /// Adds a figure.
    #[must_use]
    pub fn figure(self, figure: Figure) -> Self {
        self.figures(vec![figure])
    }

    /// Adds figures side by side.
    #[must_use]
    pub fn figures(mut self, figures: Vec<Figure>) -> Self {
        self.blocks.push(Block::Figures(figures));
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.blocks.push(Block::Table(table));
        self
    }
}

/// The report of a run.
///
/// Its page is a function of its content: no time and no place of the run is in it, so that two equal
/// runs have the same page, byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Title.
    pub title: String,
    /// What the run was, in a line.
    pub subtitle: String,
    /// The paper, as it is cited.
    pub paper: String,
    /// What came out, in a paragraph or two.
    pub summary: String,
    /// The picture to begin with.
    pub lead: Option<Figure>,
    /// The paper's claims, with verdicts.
    pub claims: Vec<Claim>,
    /// The sections.
    pub sections: Vec<Section>,
    /// What produced the run.
    pub manifest: Manifest,
}

impl Report {
    /// The page, complete in itself.
    ///
    /// # Errors
    /// [`Error::Template`] where the template fails, which is a defect of the program.
    pub fn to_html(&self) -> Result<String, Error> {
        let mut environment = Environment::new();
        environment
            .add_template("report.html", include_str!("../templates/report.html"))
            .map_err(Error::Template)?;
        let template = environment.get_template("report.html").map_err(Error::Template)?;
        template.render(Value::from(Serde(self.view()))).map_err(Error::Template)
    }

    /// Writes report.html, and each figure as a file under `figures/`.
    ///
    /// # Errors
    /// As [`to_html`](Self::to_html) and [`OutputDir::write`].
    pub fn write(&self, output: &OutputDir) -> Result<PathBuf, Error> {
        let mut names = Names::default();
        for figure in self.figures() {
            let name = names.unique(&figure.id);
            match &figure.content {
                Content::Svg(svg) => output.write(&format!("figures/{name}.svg"), svg.as_bytes())?,
                Content::Png { bytes, .. } => output.write(&format!("figures/{name}.png"), bytes)?,
            };
        }
        let summary =
            ReportSummary { title: self.title.clone(), paper: self.paper.clone(), claims: self.summaries() };
        output.write(CLAIMS, summary.to_json().as_bytes())?;
        output.write("report.html", self.to_html()?.as_bytes())
    }

    fn summaries(&self) -> Vec<ClaimSummary> {
        let mut names = Names::default();
        let one = |c: &Claim| ClaimSummary {
            id: names.unique(&c.id),
            sentence: c.sentence.clone(),
            verdict: c.verdict.label().to_owned(),
        };
        self.claims.iter().map(one).collect()
    }

    /// All figures, in the order of their numbers.
    fn figures(&self) -> impl Iterator<Item = &Figure> {
        let blocks = self.sections.iter().flat_map(|s| &s.blocks);
        self.lead.iter().chain(blocks.flat_map(|b| match b {
            Block::Figures(figures) => figures.as_slice(),
            _ => &[],
        }))
    }

    fn view(&self) -> PageView<'_> {
        let mut numbers = Numbers::default();
        let lead = self.lead.as_ref().map(|figure| numbers.figure(figure));
        let sections = self
            .sections
            .iter()
            .enumerate()
            .map(|(i, section)| SectionView {
                id: format!("section-{}", i + 1),
                heading: &section.heading,
                blocks: section.blocks.iter().map(|block| numbers.block(block)).collect(),
            })
            .collect();
        let mut names = Names::default();
        let count = |wanted: &str| self.claims.iter().filter(|c| c.verdict.label() == wanted).count();
        PageView {
            style: include_str!("../templates/report.css"),
            script: include_str!("../templates/report.js"),
            title: &self.title,
            subtitle: inline(&self.subtitle),
            paper: inline(&self.paper),
            summary: paragraphs(&self.summary),
            lead,
            tally: ["held", "did not hold", "not tested"]
                .map(|label| Tally { label, class: class(label), count: count(label) })
                .into_iter()
                .filter(|t| t.count > 0)
                .collect(),
            with_paper: self.claims.iter().any(|c| c.paper.is_some()),
            claims: self.claims.iter().map(|c| claim(names.unique(&c.id), c)).collect(),
            sections,
            manifest: self.manifest.rows(),
            config: &self.manifest.config,
        }
    }
}

pub(crate) fn class(label: &str) -> &'static str {
    match label {
        "held" => "held",
        "did not hold" => "failed",
        _ => "open",
    }
}

fn claim(id: String, claim: &Claim) -> ClaimView<'_> {
    let label = claim.verdict.label();
    let values: Vec<String> =
        claim.values.iter().map(|v| format!("seed {}: {}", v.seed, crate::significant(v.value, 4))).collect();
    ClaimView {
        id,
        label,
        class: class(label),
        reason: match &claim.verdict {
            Verdict::NotTested(reason) => inline(reason),
            _ => String::new(),
        },
        sentence: inline(&claim.sentence),
        source: inline(&claim.source),
        test: inline(&claim.test),
        statistic: inline(&claim.statistic),
        result: claim.result(),
        count: claim.values.len(),
        values: values.join(", "),
        criterion: claim.criterion.map(crate::Criterion::text).unwrap_or_default(),
        paper: claim.paper.as_deref().map(inline).unwrap_or_default(),
    }
}

/// Letters and digits in lower case, joined by hyphens: fit for an address and for a file name.
fn slug(text: &str) -> String {
    let words: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    let joined = words.split_whitespace().collect::<Vec<_>>().join("-");
    if joined.is_empty() { "item".to_owned() } else { joined }
}

/// Names given so far, so that each is given once.
#[derive(Debug, Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn unique(&mut self, id: &str) -> String {
        let base = slug(id);
        let mut name = base.clone();
        let mut count = 1;
        while !self.0.insert(name.clone()) {
            count += 1;
            name = format!("{base}-{count}");
        }
        name
    }
}

/// Figures and tables, numbered as they come.
#[derive(Debug, Default)]
struct Numbers {
    figure_names: Names,
    table_names: Names,
    figures: usize,
    tables: usize,
}

impl Numbers {
    fn figure<'a>(&mut self, figure: &'a Figure) -> FigureView<'a> {
        self.figures += 1;
        let (svg, uri, width, height) = match &figure.content {
            Content::Svg(svg) => (svg.as_str(), "", 0, 0),
            Content::Png { uri, width, height, .. } => ("", uri.as_str(), *width, *height),
        };
        FigureView {
            id: self.figure_names.unique(&figure.id),
            number: self.figures,
            caption: inline(&figure.caption),
            plain: &figure.caption,
            note: &figure.note,
            svg,
            uri,
            width,
            height,
            rows: &figure.rows,
            columns: &figure.columns,
        }
    }

    fn block<'a>(&mut self, block: &'a Block) -> BlockView<'a> {
        match block {
            Block::Text(text) => BlockView::Text { paragraphs: paragraphs(text) },
            Block::Formula(formula) => BlockView::Formula { text: formula },
            Block::Figures(figures) => {
                BlockView::Figures { figures: figures.iter().map(|f| self.figure(f)).collect() }
            }
            Block::Table(table) => {
                self.tables += 1;
                let id = format!("table-{}", self.table_names.unique(&table.id));
                BlockView::Table {
                    id,
                    number: self.tables,
                    caption: inline(&table.caption),
                    table: table.view(),
                }
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct PageView<'a> {
    style: &'static str,
    script: &'static str,
    title: &'a str,
    subtitle: String,
    paper: String,
    summary: Vec<String>,
    lead: Option<FigureView<'a>>,
    tally: Vec<Tally>,
    with_paper: bool,
    claims: Vec<ClaimView<'a>>,
    sections: Vec<SectionView<'a>>,
    manifest: Vec<(&'static str, String)>,
    config: &'a str,
}

#[derive(Debug, Serialize)]
struct Tally {
    label: &'static str,
    class: &'static str,
    count: usize,
}

#[derive(Debug, Serialize)]
struct ClaimView<'a> {
    id: String,
    label: &'a str,
    class: &'static str,
    reason: String,
    sentence: String,
    source: String,
    test: String,
    statistic: String,
    result: String,
    count: usize,
    values: String,
    criterion: String,
    paper: String,
}

#[derive(Debug, Serialize)]
struct SectionView<'a> {
    id: String,
    heading: &'a str,
    blocks: Vec<BlockView<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum BlockView<'a> {
    Text { paragraphs: Vec<String> },
    Formula { text: &'a str },
    Figures { figures: Vec<FigureView<'a>> },
    Table { id: String, number: usize, caption: String, table: TableView },
}

#[derive(Debug, Serialize)]
struct FigureView<'a> {
    id: String,
    number: usize,
    caption: String,
    plain: &'a str,
    note: &'a str,
    svg: &'a str,
    uri: &'a str,
    width: usize,
    height: usize,
    rows: &'a [String],
    columns: &'a [String],
}
