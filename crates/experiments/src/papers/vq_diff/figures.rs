//! The report's figures and tables.

mod texts;

use anyhow::Result;
use ndarray::{Array3, Array4, ArrayView3, Axis as Dimension};
use variata_models::train::EpochRecord;
use variata_report::{
    Axis, Best, Cell, Claim, Column, Digits, Figure, ImageGrid, LinePlot, LineSeries, Reference,
    ScatterClass, ScatterPlot, Section, Table,
};

use super::VqDiffConfig;
use super::claims::{divergence, drift};
use super::data::Bundles;
use super::measure::{CONSTANTS, ModelResult, Perturbed, SeedResult, Shared, perplexity, perturbed_tract};
use super::models::Method;
use super::view::{Bundle, Frame, View, stack};
use crate::page::{SMALL, cell, curve, mean};

/// The paper's table 1: tract, then the means of VQ-Diff, AE, VAE, VQ-VAE, VQ-EMA; its slips of the pen mended (errata 001-13).
const TABLE_1: [(&str, [f64; 5]); 12] = [
    ("PYT_R", [0.9988, 0.9999, 0.4989, 0.7154, 0.6849]),
    ("PYT_L", [0.9988, 0.9999, 0.4764, 0.7045, 0.6778]),
    ("POPT_R", [0.9990, 0.9999, 0.4649, 0.6867, 0.6562]),
    ("POPT_L", [0.9989, 0.9999, 0.4815, 0.6869, 0.6508]),
    ("ILF_R", [0.9910, 0.9999, 0.2726, 0.3409, 0.2836]),
    ("ILF_L", [0.9910, 0.9999, 0.2399, 0.3228, 0.2408]),
    ("IFOF_R", [0.9898, 0.9998, 0.2808, 0.3437, 0.2793]),
    ("IFOF_L", [0.9855, 0.9997, 0.2340, 0.3143, 0.2296]),
    ("FPT_R", [0.9976, 0.9999, 0.2832, 0.5063, 0.4357]),
    ("FPT_L", [0.9971, 0.9999, 0.2689, 0.4983, 0.4335]),
    ("CC_Fr_1", [0.9974, 0.9999, 0.3750, 0.3380, 0.2458]),
    ("MCP", [0.9986, 0.9999, 0.3593, 0.4989, 0.3740]),
];

/// Pixels of a view of a subject, and of a perturbed bundle.
const LARGE: [usize; 2] = [300, 230];
const LITTLE: [usize; 2] = [110, 96];

fn picture(images: &Array4<f32>, columns: usize) -> Result<variata_report::Picture> {
    Ok(ImageGrid { columns, scale: 1, padding: 4, ..ImageGrid::default() }.render(images)?)
}

/// The paper's figure 3.1.
pub(super) fn subject(result: &SeedResult, data: &Bundles, shared: &Shared) -> Result<Figure> {
    let originals = data.data.gather(&shared.shown)?;
    let rows = [&originals].into_iter().chain(Method::PAPER.iter().map(|&m| &result.get(m).subject));
    let bundles = |x: &'_ Array4<f32>| -> Vec<(usize, Array3<f32>)> {
        let each = shared.shown.iter().zip(x.outer_iter());
        each.map(|(&i, lines)| (data.tract(i), lines.to_owned())).collect()
    };
    let mut pictures = Vec::new();
    let first = bundles(&originals);
    let frames = View::ALL.map(|view| Frame::around(&views(&first), view, LARGE));
    for row in rows {
        let owned = bundles(row);
        pictures.extend(frames.iter().map(|frame| frame.draw(&views(&owned))));
    }
    Ok(Figure::picture(
        "subject",
        "Test data of a subject, one colour a tract, and what the five models make of them: the paper's figure 3.1.",
        &picture(&stack(&pictures)?, View::ALL.len())?,
    )?
    .row_labels(["original"].into_iter().chain(Method::PAPER.map(Method::title)))
    .column_labels(View::ALL.map(View::title)))
}

fn views(bundles: &[(usize, Array3<f32>)]) -> Vec<Bundle<'_>> {
    bundles.iter().map(|(tract, lines)| (*tract, lines.view())).collect()
}

pub(super) fn summary(
    results: &[SeedResult],
    claims: &[Claim],
    data: &Bundles,
    config: &VqDiffConfig,
) -> String {
    let of = |m: Method| mean(results, |r| r.get(m).buan());
    let last = results.iter().find_map(|r| r.models.first()?.history.last());
    format!(
        "Six autoencoders of bundles of 64 streamlines were trained for {}, for each of the seeds ({} of them). **{}** \
         BUAN score of reconstructions of {}, mean over the tracts: VQ-Diff {:.3}, AE {:.3}, VAE {:.3}, VQ-VAE {:.3}, VQ-EMA {:.3}. \
         The threshold of {} is {:.1} mm here.",
        texts::training(last, config.data.batch_size),
        results.len(),
        Claim::outcome(claims),
        config.data.split.tested(),
        of(Method::VqDiff),
        of(Method::Ae),
        of(Method::Vae),
        of(Method::Vq),
        of(Method::VqEma),
        config.measure.threshold,
        config.measure.threshold * data.millimetres(),
    )
}

pub(super) fn sections(
    results: &[SeedResult],
    data: &Bundles,
    shared: &Shared,
    config: &VqDiffConfig,
) -> Result<Vec<Section>> {
    Ok(vec![
        reconstruction(results, data, shared, config)?,
        training(results)?,
        latent_space(results, data, shared, config)?,
        perturbation(results, data, shared)?,
        rate(results, data)?,
        discreteness(results)?,
        kl(results, config)?,
    ])
}

fn over_seeds(results: &[SeedResult], values: impl Fn(&SeedResult) -> Vec<f64>) -> Cell {
    let all: Vec<f64> = results.iter().flat_map(values).collect();
    if all.is_empty() { Cell::Missing } else { Cell::Seeds(all) }
}

fn reconstruction(
    results: &[SeedResult],
    data: &Bundles,
    shared: &Shared,
    config: &VqDiffConfig,
) -> Result<Section> {
    let digits = Digits::Decimals(3);
    let titles = |first: &str, last: &str, paper: bool| {
        let mut columns = vec![Column::text("tract")];
        for method in Method::PAPER {
            let column = Column::number(method.title(), if paper { Digits::Decimals(4) } else { digits });
            columns.push(if paper { column.of_paper() } else { column });
        }
        columns.push(Column::number(last, digits));
        (first.to_owned(), columns)
    };
    let (id, columns) = titles("table-1", "parts", false);
    let caption = format!(
        "BUAN score of original and reconstruction, mean ± standard deviation over the test data of a tract and the seeds; {} test data in all. Last column: the score of two different originals, {}.",
        shared.scored.len(),
        config.data.split.parts(),
    );
    let mut table = Table::new(id, caption, columns);
    let (id, columns) = titles("table-1-paper", "two subjects", true);
    let caption = "The paper's table 1, its means. Last column, of our data: the score of two originals of the same tract of two subjects.";
    let mut paper = Table::new(id, caption, columns);
    let reference =
        |scores: &Vec<f64>| if scores.is_empty() { Cell::Missing } else { Cell::Seeds(scores.clone()) };
    for (k, tract) in data.tracts.iter().enumerate() {
        let mut row = vec![tract.as_str().into()];
        row.extend(Method::PAPER.map(|method| over_seeds(results, |r| r.get(method).scores[k].clone())));
        row.push(reference(&shared.same[k]));
        table.row(row)?;
        let known = TABLE_1.iter().find(|(name, _)| name == tract).map(|(_, values)| *values);
        let mut row = vec![tract.as_str().into()];
        row.extend(
            (0..Method::PAPER.len()).map(|m| known.map_or(Cell::Missing, |values| Cell::Number(values[m]))),
        );
        row.push(reference(&shared.other[k]));
        paper.row(row)?;
    }
    let text = format!(
        "Each datum is 64 streamlines of 64 points in coordinates that are normalised to [−1, 1] by {}; one unit is {:.1} mm. Two streamlines are adjacent when their MDF distance is below {} = {:.1} mm, and the score is the share of streamlines that have an adjacent one, so that two *different* parts of one bundle score high, too: a score means little without the last column. {}",
        config.data.normalize.data(),
        data.millimetres(),
        config.measure.threshold,
        config.measure.threshold * data.millimetres(),
        if data.found.is_empty() {
            "The bundles are made up: they have the tracts' sizes and places and are no anatomy.".to_owned()
        } else {
            format!("The folder: {}.", data.found.replace('\n', ";"))
        },
    );
    Ok(Section::new("Reconstruction")
        .text(text)
        .formula("BA = ½ (share of a near b + share of b near a)")
        .table(table)
        .table(paper))
}

fn histories(results: &[SeedResult], method: Method) -> Vec<&[EpochRecord]> {
    results.iter().map(|r| r.get(method).history.as_slice()).collect()
}

fn training(results: &[SeedResult]) -> Result<Section> {
    let plot = |methods: &[Method], y: Axis, name: &str| -> Result<LinePlot> {
        let line = |&m: &Method| {
            Ok(curve(m.title(), &histories(results, m), |e| e.validation(name))?.color(color(m)))
        };
        let series = methods.iter().map(line).collect::<Result<Vec<LineSeries>>>()?;
        Ok(LinePlot { x: Axis::new("step"), y, series, references: Vec::new(), size: SMALL })
    };
    let mixed = plot(&Method::MIXED, Axis::new("perplexity of the mean weights"), "mean_perplexity")?;
    let error = plot(&Method::ALL, Axis::new("mean squared error").log(), "mse")?;
    let chosen = plot(&Method::CODEBOOKS, Axis::new("perplexity of nearest codes").log(), "perplexity")?;
    let nearest = plot(&Method::CODEBOOKS, Axis::new("codes that are nearest to some vector"), "nearest")?;
    Ok(Section::new("During training")
        .text("On the validation set. The perplexity e^H of the chosen codes is the number of codes of even use that would be as uncertain. For VQ-Diff the nearest code is not what the decoder gets: that is a mixture, and the fourth plot shows the perplexity of its mean weights.")
        .figures(vec![
            Figure::plot("error", "Mean squared error in normalised coordinates.", &error),
            Figure::plot("perplexity", "Perplexity of the nearest codes.", &chosen),
        ])
        .figures(vec![
            Figure::plot("nearest", "Codes that are the nearest to some vector.", &nearest),
            Figure::plot("mixed", "Perplexity of the mean weights.", &mixed),
        ]))
}

/// The same colour in all plots.
fn color(method: Method) -> usize {
    Method::ALL.iter().position(|&m| m == method).unwrap_or(0)
}

fn latent_space(
    results: &[SeedResult],
    data: &Bundles,
    shared: &Shared,
    config: &VqDiffConfig,
) -> Result<Section> {
    let m = &config.measure;
    let figure = |&method: &Method| {
        let map = &results[0].get(method).map;
        let of_tract = |(k, name): (usize, &String)| ScatterClass {
            name: name.clone(),
            points: shared
                .mapped
                .iter()
                .zip(map)
                .filter(|(i, _)| data.tract(**i) == k)
                .map(|(_, p)| *p)
                .collect(),
        };
        let plot = ScatterPlot {
            x: Axis::new("t-SNE 1"),
            y: Axis::new("t-SNE 2"),
            classes: data.tracts.iter().enumerate().map(of_tract).filter(|c| !c.points.is_empty()).collect(),
            diameter: Some(9.0),
            ..ScatterPlot::default()
        };
        Figure::plot(format!("tsne-{}", method.name()), method.title(), &plot)
    };
    let mut table = Table::new(
        "purity",
        format!(
            "Share of the same tract among the {} nearest data of other subjects, by latent vectors; for the data themselves in the last row.",
            m.neighbours
        ),
        vec![
            Column::text("model"),
            Column::number("purity", Digits::Decimals(3)),
            Column::number("root mean square of z", Digits::Significant(3)),
        ],
    );
    for method in Method::PAPER {
        table.row(vec![
            method.title().into(),
            cell(results, |r| r.get(method).purity.unwrap_or(f64::NAN)),
            cell(results, |r| r.get(method).rms),
        ])?;
    }
    let coordinates = shared.purity.map_or(Cell::Missing, Cell::Number);
    table.row(vec!["coordinates".into(), coordinates, Cell::Missing])?;
    let section = Section::new("Latent space")
        .text(format!(
            "The paper's figure 3.2. A latent vector is the whole map before the bottleneck, {} numbers of a datum; of the VAE, the mean of its posterior. t-SNE without approximation: {} test data, perplexity {}, {}, from a start near 0. Such a map is no measure of distances; the table is one.",
            results[0].get(Method::Ae).stored as u64 / 32,
            shared.mapped.len(),
            texts::rounded(perplexity(m.perplexity, shared.mapped.len())),
            texts::of_map(m.tsne_steps),
        ))
        .table(table);
    Ok(Method::PAPER.iter().map(figure).fold(section, Section::figure))
}

fn perturbation(results: &[SeedResult], data: &Bundles, shared: &Shared) -> Result<Section> {
    let tract = &data.tracts[perturbed_tract(data)];
    let plot = |y: &str,
                all: fn(&ModelResult) -> &Vec<Perturbed>,
                value: fn(&Perturbed) -> f64|
     -> Result<LinePlot> {
        let line = |&method: &Method| {
            let x: Vec<f64> = all(results[0].get(method)).iter().map(|p| p.epsilon).collect();
            let runs: Vec<Vec<f64>> =
                results.iter().map(|r| all(r.get(method)).iter().map(value).collect()).collect();
            Ok(LineSeries::over_seeds(method.title(), &x, &runs)?.color(color(method)))
        };
        let series = Method::PAPER.iter().map(line).collect::<Result<Vec<_>>>()?;
        Ok(LinePlot {
            x: Axis::new("ε"),
            y: Axis::new(y),
            series,
            references: Vec::<Reference>::new(),
            size: SMALL,
        })
    };
    let mut section = Section::new("Perturbation")
        .text(format!(
            "The paper's figure 3.3, on {} test data of {tract}. Reconstructions from perturbed latent vectors are compared with the model's own reconstruction without a perturbation: BUAN, and the mean MDF distance of each streamline to its copy. *Noise*: ε times a normal draw is added to the map before the bottleneck, as the paper says; the draw is the same for all sizes and models. *Constant*: ε is added to all numbers behind the bottleneck, as its code does. The same ε is not the same to all models: the table gives the size of their maps.",
            shared.perturbed.len(),
        ))
        .figures(vec![
            Figure::plot("noise-buan", "Noise before the bottleneck: BUAN.", &plot("BUAN", |m| &m.noise, |p| p.buan)?),
            Figure::plot("noise-mdf", "Noise before the bottleneck: distance.", &plot("MDF, mm", |m| &m.noise, |p| p.moved)?),
        ])
        .figures(vec![
            Figure::plot("constant-buan", "A constant behind the bottleneck: BUAN.", &plot("BUAN", |m| &m.constant, |p| p.buan)?),
            Figure::plot("constant-mdf", "A constant behind the bottleneck: distance.", &plot("MDF, mm", |m| &m.constant, |p| p.moved)?),
        ]);
    if let Some(figure) = shifted(&results[0], data, shared)? {
        section = section.figure(figure);
    }
    let mut table = Table::new(
        "perturbed",
        "At ε = 0.5, mean over data: how far streamlines move, and BUAN against the original.",
        vec![
            Column::text("model"),
            Column::number("root mean square of z", Digits::Significant(3)),
            Column::number("noise: mm", Digits::Significant(3)).best(Best::Lowest),
            Column::number("noise: BUAN", Digits::Decimals(3)),
            Column::number("constant: mm", Digits::Significant(3)).best(Best::Lowest),
            Column::number("constant: BUAN", Digits::Decimals(3)),
        ],
    );
    let half = |all: &[Perturbed], f: fn(&Perturbed) -> f64| {
        all.iter().find(|p| p.epsilon == 0.5).map_or(f64::NAN, f)
    };
    for method in Method::PAPER {
        let at = |f: &dyn Fn(&ModelResult) -> f64| cell(results, |r| f(r.get(method)));
        table.row(vec![
            method.title().into(),
            at(&|m| m.rms),
            at(&|m| half(&m.noise, |p| p.moved)),
            at(&|m| half(&m.noise, |p| p.original)),
            at(&|m| half(&m.constant, |p| p.moved)),
            at(&|m| half(&m.constant, |p| p.original)),
        ])?;
    }
    Ok(section.table(table))
}

/// A bundle at each constant, one row a model.
fn shifted(result: &SeedResult, data: &Bundles, shared: &Shared) -> Result<Option<Figure>> {
    let Some(&first) = shared.perturbed.first() else { return Ok(None) };
    let tract = data.tract(first);
    let original = data.data.array().index_axis(Dimension(0), first);
    let frame = Frame::around(&[(tract, original)], View::Above, LITTLE);
    let mut pictures = Vec::new();
    for method in Method::PAPER {
        let draw = |lines: &Array3<f32>| {
            let lines: ArrayView3<'_, f32> = lines.view();
            frame.draw(&[(tract, lines)])
        };
        pictures.extend(result.get(method).shifted.iter().map(draw));
    }
    let figure = Figure::picture(
        "shifted",
        format!(
            "A test datum of {} from above, with a constant added behind the bottleneck.",
            data.tracts[tract]
        ),
        &picture(&stack(&pictures)?, CONSTANTS.len())?,
    )?;
    let labels = CONSTANTS.map(|c| format!("{c}").replace('-', "−"));
    Ok(Some(figure.row_labels(Method::PAPER.map(Method::title)).column_labels(labels)))
}

fn rate(results: &[SeedResult], data: &Bundles) -> Result<Section> {
    let mut table = Table::new(
        "rate",
        "Bits of one datum's code and what is lost, on the test data.",
        vec![
            Column::text("model"),
            Column::number("bits, stored", Digits::Significant(4)),
            Column::number("bits, entropy", Digits::Significant(4)),
            Column::number("mean squared error", Digits::Significant(3)).best(Best::Lowest),
            Column::number("MDF, mm", Digits::Significant(3)).best(Best::Lowest),
            Column::number("BUAN", Digits::Decimals(3)).best(Best::Highest),
        ],
    );
    for method in Method::ALL {
        let at = |f: fn(&ModelResult) -> f64| cell(results, |r| f(r.get(method)));
        table.row(vec![
            method.title().into(),
            at(|m| m.stored),
            at(|m| m.entropy),
            at(|m| m.mse),
            at(|m| m.distance),
            at(ModelResult::buan),
        ])?;
    }
    let class = |method: Method| ScatterClass {
        name: method.title().to_owned(),
        points: results.iter().map(|r| r.get(method)).map(|m| (m.stored, m.mse)).collect(),
    };
    let plot = ScatterPlot {
        x: Axis::new("bits of a datum, stored").log(),
        y: Axis::new("mean squared error").log(),
        classes: Method::ALL.map(class).to_vec(),
        label_classes: false,
        diameter: Some(9.0),
        size: SMALL,
        ..ScatterPlot::default()
    };
    let datum = 32 * data.data.array().index_axis(Dimension(0), 0).len();
    let stored = Method::PAPER.map(|m| (m.title(), results[0].get(m).stored));
    Ok(Section::new("Rate and distortion")
        .text(format!("*Stored*: 32 bits a number where the code is numbers, log₂ K a place where it is an index; a datum itself has {} bits. *Entropy*: of the indices' frequencies, one distribution for all places; the KL to the prior for the VAE; for mixtures of codes, what a code drawn by the weights tells of its place, a bound on what a discrete code of this kind would carry. {}", texts::with_commas(datum), texts::compression(&stored, datum)))
        .table(table)
        .figure(Figure::plot("rate-distortion", "What is lost over what is stored.", &plot)))
}

fn discreteness(results: &[SeedResult]) -> Result<Section> {
    let mut table = Table::new(
        "discrete",
        "Test data. Weights without noise; mean squared errors in normalised coordinates.",
        vec![
            Column::text("model"),
            Column::number("τ", Digits::Significant(3)),
            Column::number("perplexity of a place", Digits::Significant(3)),
            Column::number("largest weight", Digits::Significant(3)),
            Column::number("codes used", Digits::Significant(4)),
            Column::number("error with noise", Digits::Significant(3)),
            Column::number("without noise", Digits::Significant(3)),
            Column::number("nearest code", Digits::Significant(3)),
        ],
    );
    for method in Method::MIXED {
        let at =
            |f: &dyn Fn(&ModelResult) -> Option<f64>| cell(results, |r| f(r.get(method)).unwrap_or(f64::NAN));
        table.row(vec![
            method.title().into(),
            at(&|m| Some(m.discrete?.temperature)),
            at(&|m| Some(m.usage?.soft?.place_perplexity)),
            at(&|m| Some(m.usage?.soft?.largest)),
            at(&|m| Some(m.usage?.used() as f64)),
            at(&|m| Some(m.discrete?.with_noise)),
            at(&|m| Some(m.discrete?.without_noise)),
            at(&|m| Some(m.discrete?.nearest)),
        ])?;
    }
    for method in [Method::Vq, Method::VqEma] {
        let at =
            |f: &dyn Fn(&ModelResult) -> Option<f64>| cell(results, |r| f(r.get(method)).unwrap_or(f64::NAN));
        table.row(vec![
            method.title().into(),
            Cell::Missing,
            Cell::Number(1.0),
            Cell::Number(1.0),
            at(&|m| Some(m.usage?.used() as f64)),
            Cell::Missing,
            Cell::Missing,
            at(&|m| Some(m.mse)),
        ])?;
    }
    let line = |&m: &Method| {
        Ok(curve(m.title(), &histories(results, m), |e| e.validation("place_perplexity"))?.color(color(m)))
    };
    let plot = LinePlot {
        x: Axis::new("step"),
        y: Axis::new("perplexity of a place").log(),
        series: Method::MIXED.iter().map(line).collect::<Result<Vec<LineSeries>>>()?,
        references: Vec::new(),
        size: SMALL,
    };
    Ok(Section::new("How discrete is it?")
        .text("A quantiser sends each place to one code. The paper's published weights have a perplexity of 254 of 512 codes at a place, and with the nearest code in place of the mixture the error is 10⁴ times as large: a smooth layer, not a quantiser. In the second row the temperature fell during training, so that few codes share a place in the end.")
        .table(table)
        .figure(Figure::plot("places", "Codes that share a place, over the training.", &plot)))
}

fn kl(results: &[SeedResult], config: &VqDiffConfig) -> Result<Section> {
    let (deviation, scale) = (config.diff.deviation, config.diff.scale);
    let mut table = Table::new(
        "kl",
        "The paper's divergence of N(0, s²) from Gumbel(0, β).",
        vec![
            Column::text("spread"),
            Column::number("s", Digits::Significant(4)),
            Column::number("KL, nats", Digits::Significant(6)),
        ],
    );
    table.row(vec![
        "σ of the settings".into(),
        Cell::Number(deviation),
        Cell::Number(divergence(deviation, scale)?),
    ])?;
    let rms = |r: &SeedResult| r.get(Method::VqDiff).usage.map_or(f64::NAN, |found| found.rms);
    table.row(vec![
        "root mean square of the trained codes".into(),
        cell(results, rms),
        cell(results, |r| divergence(rms(r), scale).unwrap_or(f64::NAN)),
    ])?;
    Ok(Section::new("The divergence")
        .text(format!(
            "The paper leaves out the KL term because KL(N(0, σ²) ‖ Gumbel(0, β)) is constant. It is, by construction and not as a result: σ = {deviation} and β = {scale} are two settings, and no parameter enters. But the codes do not stay at N(0, σ²): with their own spread the same formula moved by {:.1} % of its first value during training. What an ELBO has in this place is the divergence of the chosen codes from a prior over codes, which is neither.",
            100.0 * mean(results, |r| drift(r.get(Method::VqDiff), scale)),
        ))
        .formula("KL = log β/σ − ½ log 2π − ½ + e^(σ²/(2β²))")
        .table(table))
}
