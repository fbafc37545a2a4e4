//! The report's figures and tables.

use anyhow::Result;
use ndarray::{Array4, ArrayView4, s};
use variata_models::Cost;
use variata_models::train::EpochRecord;
use variata_report::{
    Axis, Best, Cell, Claim, Column, Digits, Figure, Histogram, LinePlot, Reference, Sample, ScatterClass,
    ScatterPlot, Section, Size, Table,
};

use super::SlicedConfig;
use super::measure::{HISTOGRAMS, ModelResult, Pictures, SHOWN, SeedResult, kurtosis_deviation};
use super::models::Method;
use crate::page::{LINE, SMALL, cell, curve, grid, mean};
use crate::settings::counted;

/// The paper's table 1: data, model, skewness, normalised kurtosis, reconstruction error, FID.
const TABLE_1: [(&str, &str, [f64; 3], Option<f64>); 15] = [
    ("MNIST", "SWAE", [35.86, -57.46, 5.37], None),
    ("MNIST", "SCFWAE", [37.41, -31.93, 5.42], None),
    ("MNIST", "SCWAE", [34.19, -10.29, 5.35], None),
    ("MNIST", "SCvMAE", [59.22, 23.82, 5.04], None),
    ("MNIST", "SKSAE", [57.34, 35.33, 5.01], None),
    ("CIFAR-10", "SWAE", [110.49, -0.96, 27.02], Some(134.87)),
    ("CIFAR-10", "SCFWAE", [91.42, 111.21, 26.35], Some(129.07)),
    ("CIFAR-10", "SCWAE", [206.50, 2159.31, 27.29], Some(131.48)),
    ("CIFAR-10", "SCvMAE", [303.45, 1879.98, 25.60], Some(130.89)),
    ("CIFAR-10", "SKSAE", [238.52, 2093.68, 24.93], Some(131.32)),
    ("CelebA", "SWAE", [46.14, -3.60, 115.68], Some(60.10)),
    ("CelebA", "SCFWAE", [37.07, 0.17, 115.26], Some(61.16)),
    ("CelebA", "SCWAE", [59.07, 296.99, 115.30], Some(62.09)),
    ("CelebA", "SCvMAE", [120.09, 428.18, 115.62], Some(63.01)),
    ("CelebA", "SKSAE", [91.68, 408.24, 115.57], Some(61.49)),
];

pub(super) fn lead(result: &SeedResult) -> Result<Figure> {
    let first = |m: Method| {
        let samples = &result.get(m).pictures.as_ref()?.samples;
        Some(samples.slice(s![..SHOWN.min(samples.dim().0), .., .., ..]))
    };
    let mut stacks = vec![result.originals.view()];
    let mut names = vec!["test images"];
    for method in Method::ALL {
        if let Some(samples) = first(method).filter(|s| s.dim() == result.originals.dim()) {
            stacks.push(samples);
            names.push(method.title());
        }
    }
    Ok(Figure::picture(
        "lead",
        "Images decoded from draws of the prior, the same draws for all models; the plain autoencoder's decoder has never seen such codes.",
        &grid(&result.originals, result.originals.dim().0, 48, 4).render_rows(&stacks)?,
    )?
    .row_labels(names))
}

pub(super) fn summary(results: &[SeedResult], claims: &[Claim], config: &SlicedConfig) -> String {
    let w2 = |m: Method| mean(results, |r| r.get(m).normality.sliced_w2);
    format!(
        "{} autoencoders were trained for each of the seeds ({} of them). **{}** On {} test images the sliced W₂ \
         distance of the codes from the prior is {:.3} for SCFWAE, {:.3} for SWAE and {:.3} for the plain autoencoder; \
         {:.3} is expected of as many draws of the prior itself. {}, batches of {}.",
        results.first().map_or(0, |r| r.models.len()),
        results.len(),
        Claim::outcome(claims),
        results.first().map_or(0, |r| r.images),
        w2(Method::Scfwae),
        w2(Method::Swae),
        w2(Method::Ae),
        mean(results, |r| r.expected[0].sliced_w2),
        counted(config.directions, "direction"),
        results.first().map_or(config.data.batch_size, |r| r.batch),
    )
}

pub(super) fn sections(results: &[SeedResult], config: &SlicedConfig, classes: i64) -> Result<Vec<Section>> {
    let mut sections = vec![numbers(results, config)?, training(results, config)?];
    if config.cost == Cost::Log {
        sections.push(levels(results)?);
    }
    if !config.searched.is_empty() && !config.weights.is_empty() {
        sections.push(search(results, config)?);
    }
    sections.extend([gradients(results)?, pictures(&results[0], classes)?, histograms(&results[0])]);
    Ok(sections)
}

fn numbers(results: &[SeedResult], config: &SlicedConfig) -> Result<Section> {
    let first = &results[0];
    let mut table = Table::new(
        "numbers",
        format!(
            "{} test images. Kurtosis: normalised. Error: ‖x − x̂‖², mean over images. The last row is what draws of the prior would have on average, as many as there are images.",
            first.images
        ),
        vec![
            Column::text("model"),
            Column::number("skewness", Digits::Significant(4)),
            Column::number("kurtosis", Digits::Significant(4)),
            Column::number("sliced W₂", Digits::Significant(3)),
            Column::number("error", Digits::Significant(4)).best(Best::Lowest),
            Column::number(first.distance, Digits::Significant(4)).best(Best::Lowest),
        ],
    );
    for method in Method::ALL {
        let get = |r: &SeedResult, f: fn(&ModelResult) -> f64| f(r.get(method));
        table.row(vec![
            method.title().into(),
            cell(results, |r| get(r, |m| m.normality.skewness)),
            cell(results, |r| get(r, |m| m.normality.kurtosis)),
            cell(results, |r| get(r, |m| m.normality.sliced_w2)),
            cell(results, |r| get(r, |m| m.reconstruction)),
            cell(results, |r| get(r, |m| m.frechet)),
        ])?;
    }
    table.row(vec![
        "draws of the prior".into(),
        cell(results, |r| r.expected[0].skewness),
        cell(results, |r| r.expected[0].kurtosis),
        cell(results, |r| r.expected[0].sliced_w2),
        Cell::Missing,
        cell(results, |r| r.frechet_of_data),
    ])?;
    let mut paper = Table::new(
        "table-1",
        "The paper's table 1. Its skewness counts pairs of an image with itself, so that draws of the prior have D(D + 2)(D + 4)/n: 1.06 for MNIST, 28.7 for CIFAR-10 and 14.5 for CelebA, not 0 (errata 003-5).",
        vec![
            Column::text("data"),
            Column::text("model"),
            Column::number("skewness", Digits::Decimals(2)).of_paper(),
            Column::number("kurtosis (normalised)", Digits::Decimals(2)).of_paper(),
            Column::number("reconstruction error", Digits::Decimals(2)).of_paper(),
            Column::number("FID", Digits::Decimals(2)).of_paper(),
        ],
    );
    for (data, model, values, fid) in TABLE_1 {
        let [skewness, kurtosis, error] = values.map(Cell::Number);
        let fid = fid.map_or(Cell::Missing, Cell::Number);
        paper.row(vec![data.into(), model.into(), skewness, kurtosis, error, fid])?;
    }
    Ok(Section::new("The models in numbers")
        .text(format!(
            "All models have the same networks, a latent space of {} dimensions and the same batches; they differ in the distance that draws the codes to the prior. \
             Skewness and kurtosis are Mardia's, about the origin and not whitened, as in the paper; the kurtosis is given less D(D + 2), with its sign, and that of draws of the prior would be 0 ± {:.1}. \
             In the last row, the {} is that of training images to test images.",
            config.latent,
            kurtosis_deviation(first.images, config.latent),
            first.distance,
        ))
        .formula(match config.cost {
            Cost::Log => "loss = ‖x − x̂‖² + log d(codes, prior)",
            Cost::Weight { .. } => "loss = ‖x − x̂‖² + λ d(codes, prior)",
        })
        .formula("d = mean over directions v of d₁(v·z, N(0, 1))")
        .table(table)
        .table(paper))
}

fn histories<'a>(
    results: &'a [SeedResult],
    pick: impl Fn(&'a SeedResult) -> &'a ModelResult,
) -> Vec<&'a [EpochRecord]> {
    results.iter().map(|r| pick(r).history.as_slice()).collect()
}

fn training(results: &[SeedResult], config: &SlicedConfig) -> Result<Section> {
    let expected = results[0].expected[1];
    let plot = |name: &str, y: Axis, reference: Option<f64>| -> Result<LinePlot> {
        let line = |&method: &Method| {
            curve(method.title(), &histories(results, |r| r.get(method)), |e| e.validation(name))
        };
        // The autoencoder's codes are so far from the prior that the others would be one line.
        let series = Method::ALL[1..].iter().map(line).collect::<Result<_, _>>()?;
        let label = "draws of the prior".to_owned();
        let references = reference.map(|value| Reference { value, label }).into_iter().collect();
        Ok(LinePlot { x: Axis::new("step"), y, series, references, size: SMALL })
    };
    let frechet = plot("frechet", Axis::new(results[0].distance).log(), None)?;
    let sliced = plot("sliced_w2", Axis::new("sliced W₂").log(), Some(expected.sliced_w2))?;
    let skewness = plot("skewness", Axis::new("skewness").log(), Some(expected.skewness))?;
    let kurtosis = plot("kurtosis", Axis::new("kurtosis, normalised"), Some(0.0))?;
    let error = plot("distortion", Axis::new("‖x − x̂‖²").log(), None)?;
    Ok(Section::new("During training")
        .text(format!(
            "The paper's figures 3 and 4: on the validation set; means over seeds, bands from the lowest to the highest. Dotted lines: what as many draws of the prior would have on average. Samples are decoded from {} draws of the prior.",
            config.measure.samples.div_ceil(2)
        ))
        .figures(vec![
            Figure::plot("frechet", "Distance of samples to validation images.", &frechet),
            Figure::plot("sliced-w2", "Sliced W₂ distance of the codes from the prior.", &sliced),
        ])
        .figures(vec![
            Figure::plot("skewness", "Mardia's skewness.", &skewness),
            Figure::plot("kurtosis", "Mardia's kurtosis less D(D + 2).", &kurtosis),
        ])
        .figure(Figure::plot("reconstruction", "Reconstruction error.", &LinePlot { size: Size::default(), ..error })))
}

/// Figures in rows of two.
fn in_rows(section: Section, figures: Vec<Figure>) -> Section {
    let mut figures = figures.into_iter().peekable();
    let mut section = section;
    while figures.peek().is_some() {
        section = section.figures(figures.by_ref().take(2).collect());
    }
    section
}

fn levels(results: &[SeedResult]) -> Result<Section> {
    let mut figures = Vec::new();
    for &method in &Method::ALL[1..] {
        // The last one has a row of its own.
        let size = if method == Method::WaeMmd { Size::default() } else { Size::HALF };
        let line = curve("", &histories(results, |r| r.get(method)), |e| e.train("log_distance"))?;
        let reference = Reference { value: results[0].get(method).level, label: "draws of the prior".into() };
        let plot = LinePlot {
            x: Axis::new("step"),
            y: Axis::new("log d"),
            series: vec![line],
            references: vec![reference],
            size,
        };
        let id = format!("level-{}", method.name());
        figures.push(Figure::plot(id, format!("{}: log d of training batches.", method.title()), &plot));
    }
    let section = Section::new("Where the logarithm stops")
        .text("The weight of log d is what 1/d would be of d: it grows as the codes come closer to the prior, and stays finite because d of a batch cannot be expected below what a batch drawn from the prior itself has. The dotted line is the mean of log d over such batches; a curve below it would be that of codes that are spread more evenly than draws.");
    Ok(in_rows(section, figures))
}

fn search(results: &[SeedResult], config: &SlicedConfig) -> Result<Section> {
    let place = |m: &ModelResult| (m.reconstruction, m.normality.sliced_w2);
    let figures = config.searched.iter().map(|&method| {
        let weights = config.weights.iter().map(|&wanted| ScatterClass {
            name: format!("λ = {wanted}"),
            points: results
                .iter()
                .flat_map(|r| r.searched(method))
                .filter(|(lambda, _)| *lambda == wanted)
                .map(|(_, m)| place(m))
                .collect(),
        });
        let name = if config.cost == Cost::Log { "log" } else { "compared" };
        let compared = results.iter().map(|r| place(r.get(method))).collect();
        let compared = ScatterClass { name: name.to_owned(), points: compared };
        let plot = ScatterPlot {
            x: Axis::new("reconstruction error").log(),
            y: Axis::new("sliced W₂").log(),
            classes: weights.chain([compared]).collect(),
            // Names would cover the points.
            label_classes: false,
            diameter: Some(7.0),
            size: SMALL,
            ..ScatterPlot::default()
        };
        let id = format!("search-{}", method.name());
        Figure::plot(id, format!("{}: each point is a model, on the test set.", method.title()), &plot)
    });
    let mut table = Table::new(
        "search",
        match config.cost {
            Cost::Log => "Weights beside the logarithm, test set.",
            Cost::Weight { .. } => "Weights beside that of the compared models, test set.",
        },
        vec![
            Column::text("model"),
            Column::text("cost"),
            Column::number("reconstruction error", Digits::Significant(4)),
            Column::number("sliced W₂", Digits::Significant(3)),
            Column::number("skewness", Digits::Significant(4)),
            Column::number("kurtosis (normalised)", Digits::Significant(4)),
        ],
    );
    for &method in &config.searched {
        let mut row = |cost: String, pick: &dyn Fn(&SeedResult) -> Option<&ModelResult>| {
            let at = |f: fn(&ModelResult) -> f64| cell(results, |r| pick(r).map_or(f64::NAN, f));
            table.row(vec![
                method.title().into(),
                cost.into(),
                at(|m| m.reconstruction),
                at(|m| m.normality.sliced_w2),
                at(|m| m.normality.skewness),
                at(|m| m.normality.kurtosis),
            ])
        };
        for &wanted in &config.weights {
            row(format!("{wanted} · d"), &|r| {
                r.searched(method).find(|(lambda, _)| *lambda == wanted).map(|(_, m)| m)
            })?;
        }
        let name = match config.cost {
            Cost::Log => "log d".to_owned(),
            Cost::Weight { lambda } => format!("{lambda} · d (compared)"),
        };
        row(name, &|r| Some(r.get(method)))?;
    }
    Ok(Section::new("A weight or the logarithm")
        .text("With a weight λ the loss is ‖x − x̂‖² + λ·d, and λ has to be searched for: too small, and the codes do not follow the prior; too large, and the images suffer. Which is which depends on the distance's scale; the logarithm does not. Lower and further left is better.")
        .figures(figures.collect())
        .table(table))
}

fn gradients(results: &[SeedResult]) -> Result<Section> {
    let mut table = Table::new(
        "gradients",
        "Gradient of the distance in a batch of codes of the trained SCFWAE: sum of the variances of its entries over draws, and squared norm of its mean.",
        vec![
            Column::text("distance"),
            Column::number("variance", Digits::Significant(3)).best(Best::Lowest),
            Column::number("signal", Digits::Significant(3)),
            Column::number("variance / signal", Digits::Significant(3)).best(Best::Lowest),
        ],
    );
    for (k, title) in ["SWAE: directions and prior drawn", "SCFWAE: directions drawn"].into_iter().enumerate()
    {
        let at = |f: &dyn Fn(f64, f64) -> f64| {
            cell(results, |r| r.gradients.get(k).map_or(f64::NAN, |g| f(g.variance, g.signal)))
        };
        table.row(vec![title.into(), at(&|v, _| v), at(&|_, s| s), at(&|v, s| v / s)])?;
    }
    Ok(Section::new("What the draws of the prior cost")
        .text("SWAE compares the codes with as many fresh draws of the prior, SCFWAE with the prior itself. Both draw the same directions here; what remains between them is the draws' own noise.")
        .table(table))
}

fn pictures(result: &SeedResult, classes: i64) -> Result<Section> {
    // Of one class any two images.
    let classes = if classes > 1 && result.several_classes { " of different classes" } else { "" };
    let of = |method: Method| Some((method, result.get(method).pictures.as_ref()?));
    let shown: Vec<(Method, &Pictures)> = Method::ALL.into_iter().filter_map(of).collect();
    let columns = result.originals.dim().0;
    let stacks: Vec<ArrayView4<'_, f32>> = [result.originals.view()]
        .into_iter()
        .chain(shown.iter().map(|(_, p)| p.reconstructions.view()))
        .collect();
    let names = ["test images"].into_iter().chain(shown.iter().map(|(m, _)| m.title()));
    let reconstructions = Figure::picture(
        "reconstructions",
        "Test images and their reconstructions.",
        &grid(&result.originals, columns, 48, 4).render_rows(&stacks)?,
    )?
    .row_labels(names);
    let mut section = Section::new("Reconstructions, samples, interpolations")
        .text("The paper's figures 1 and 2.")
        .figure(reconstructions);
    for (method, p) in shown {
        let title = method.title();
        let draw = |id: &str, caption: String, images: &Array4<f32>, columns: usize| -> Result<Figure> {
            let picture = grid(images, columns, 40, 4).render(images)?;
            Ok(Figure::picture(format!("{id}-{}", method.name()), caption, &picture)?)
        };
        section = section.figures(vec![
            draw("samples", format!("{title}: draws of the prior, decoded."), &p.samples, SHOWN)?,
            draw(
                "interpolation",
                format!(
                    "{title}: {} between the codes of two test images{classes}.",
                    counted(p.interpolations.dim().0 / LINE, "straight line")
                ),
                &p.interpolations,
                LINE,
            )?,
        ]);
    }
    Ok(section)
}

fn histograms(result: &SeedResult) -> Section {
    let normal = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    let figures = Method::ALL.into_iter().filter_map(|method| {
        let projections = &result.get(method).pictures.as_ref()?.projections;
        let sample = |(k, values): (usize, &Vec<f64>)| Sample {
            name: format!("direction {}", k + 1),
            values: values.clone(),
        };
        let plot = Histogram {
            x: Axis::new("v·z").range(-4.0, 4.0),
            samples: projections.iter().enumerate().map(sample).collect(),
            bins: 24,
            size: Size::HALF,
            ..Histogram::default()
        }
        .with_density("N(0, 1)", -4.0, 4.0, normal);
        Some(Figure::plot(format!("histogram-{}", method.name()), method.title(), &plot))
    });
    let section = Section::new("Codes along random directions").text(format!(
        "Test codes of each model along the same {HISTOGRAMS} random directions, in units of the prior's scale, and the density that the prior has there. What lies outside (−4, 4) is not shown."
    ));
    in_rows(section, figures.collect())
}
