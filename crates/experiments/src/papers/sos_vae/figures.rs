//! The report's figures and tables.

use anyhow::Result;
use ndarray::{Array4, ArrayView4};
use variata_models::train::EpochRecord;
use variata_report::{
    Axis, BarGroup, BarPlot, Best, Cell, Claim, Column, Digits, Figure, ImageGrid, LinePlot, LineSeries,
    Section, Table,
};

use super::SosVaeConfig;
use super::measure::{KEPT, PANELS, SHOWN, SeedResult};
use super::models::Variant;
use super::observation_space::{SCALES, SIDE};
use crate::features::Extractor;
use crate::page::{SMALL, cell, curve, grid, mean};
use crate::settings::counted;

/// The paper's table 1: data, model, FID of means, FID of samples.
const TABLE_1: [(&str, &str, f64, f64); 7] = [
    ("CelebA", "β-VAE", 121.65, 196.40),
    ("CelebA", "SOS-VAE", 132.93, 104.62),
    ("UKBB", "β-VAE", 211.24, 332.89),
    ("UKBB", "SOS-VAE", 141.87, 79.712),
    ("CelebA, 64×64 grey", "β-VAE", 90.97, 257.11),
    ("CelebA, 64×64 grey", "Dorta et al.", 73.44, 77.72),
    ("CelebA, 64×64 grey", "SOS-VAE", 70.43, 74.66),
];

pub(super) fn lead(result: &SeedResult) -> Result<Figure> {
    let [first, second] = if result.edits.in_regions {
        ["nine pixels of the hair", "nine pixels of the background"]
    } else {
        ["a square of nine pixels in the middle", "another near the corner at the top left"]
    };
    Ok(Figure::picture(
        "lead",
        format!("Edited by conditioning: the model's prediction; {first} painted; the image that follows; {second} painted; the image that follows."),
        &grid(&result.edits.strips, 5, 96, 2).render(&clipped(&result.edits.strips))?,
    )?
    .column_labels(["prediction", "edit", "result", "edit", "result"]))
}

/// As shown on a screen.
fn clipped(images: &Array4<f32>) -> Array4<f32> {
    images.mapv(|v| v.clamp(0.0, 1.0))
}

pub(super) fn summary(
    results: &[SeedResult],
    claims: &[Claim],
    config: &SosVaeConfig,
    extractor: Option<&Extractor>,
) -> String {
    let features = extractor.map_or_else(
        || "Fréchet distances are measured in the features of a classifier trained on the data; they are not FIDs.".to_owned(),
        |e| format!("FIDs are measured with the user's extractor (SHA-256 {}).", &e.sha256[..16.min(e.sha256.len())]),
    );
    format!(
        "{} autoencoders, a normal without a network and a classifier were trained for each of the seeds ({} of them). **{}** \
         {features} The distance of {} samples to the test images is {:.2} for SOS-VAE, {:.2} for the β-VAE and {:.2} for the sparse-precision model; \
         between training and test images it is {:.2}.",
        results.first().map_or(0, |r| r.models.len()),
        results.len(),
        Claim::outcome(claims),
        config.measure.samples,
        mean(results, |r| r.get(Variant::Sos).frechet[1]),
        mean(results, |r| r.get(Variant::Beta).frechet[1]),
        mean(results, |r| r.get(Variant::Sparse).frechet[1]),
        mean(results, |r| r.frechet_of_data),
    )
}

pub(super) fn sections(results: &[SeedResult], config: &SosVaeConfig) -> Result<Vec<Section>> {
    let first = &results[0];
    let mut sections =
        vec![numbers(results, config)?, comparison(first)?, coherence(results, config)?, space(first)?];
    sections.push(editing(results, first)?);
    sections.extend([direct(results)?, explosion(results)?, ranks(results, config)?, training(results)?]);
    Ok(sections)
}

fn numbers(results: &[SeedResult], config: &SosVaeConfig) -> Result<Section> {
    let distance = results[0].distance;
    let mut table = Table::new(
        "numbers",
        format!(
            "{distance} of {} means, and of as many samples, to {} test images at the most; bound on log p(x) of the first {} of them with {} weights, without a network log p(x) itself of the same images, nats per image; entropy above that at P = 0, nats; mean variance of a pixel.",
            config.measure.samples,
            config.measure.images,
            results[0].bounded,
            config.measure.importance_samples
        ),
        vec![
            Column::text("model"),
            Column::number("means", Digits::Significant(4)).best(Best::Lowest),
            Column::number("samples", Digits::Significant(4)).best(Best::Lowest),
            Column::number("log p(x) ≥", Digits::Decimals(1)).best(Best::Highest),
            Column::number("entropy", Digits::Decimals(1)),
            Column::number("variance", Digits::Significant(3)),
        ],
    );
    for m in &results[0].models {
        let v = m.variant;
        table.row(vec![
            v.title().into(),
            cell(results, |r| r.get(v).frechet[0]),
            cell(results, |r| r.get(v).frechet[1]),
            cell(results, |r| r.get(v).bounds.importance_weighted),
            cell(results, |r| r.get(v).entropy - r.floor),
            cell(results, |r| r.get(v).variance),
        ])?;
    }
    for (k, title) in ["no network", "PCA"].into_iter().enumerate() {
        table.row(vec![
            title.into(),
            Cell::Missing,
            cell(results, |r| r.direct.frechet[k]),
            if k == 0 { cell(results, |r| r.direct.log_prob[0]) } else { Cell::Missing },
            Cell::Missing,
            Cell::Missing,
        ])?;
    }
    let mut paper = Table::new(
        "table-1",
        "The paper's table 1: FID in Inception features of 50,000 images. Other data and other features, so that only the order can be compared.",
        vec![
            Column::text("data"),
            Column::text("model"),
            Column::number("FID, means", Digits::Decimals(2)).of_paper(),
            Column::number("FID, samples", Digits::Decimals(2)).of_paper(),
        ],
    );
    for (data, model, means, samples) in TABLE_1 {
        paper.row(vec![data.into(), model.into(), Cell::Seeds(vec![means]), Cell::Seeds(vec![samples])])?;
    }
    Ok(Section::new("The models in numbers")
        .text("All autoencoders have the same networks but for the heads, and the same target of the KL term; they differ in what the decoder says about a pixel. The bound on log p(x) is not in the paper. A density of images of continuous values may exceed 1, and its logarithm 0.")
        .formula("x | z ~ N(μ(z), P(z)·P(z)ᵀ + ε·I)")
        .formula("max E log p(x | z)   with   KL(q(z | x) ‖ N(0, I)) = ξ_KL,   H(p(x | z)) = ξ_H")
        .table(table)
        .table(paper))
}

fn comparison(result: &SeedResult) -> Result<Section> {
    let panel = |variant: Variant| -> Result<Figure> {
        let m = result.get(variant);
        let rows: Vec<ArrayView4<'_, f32>> = m.panels.iter().map(|p| p.view()).collect();
        let shown: Vec<Array4<f32>> = rows.iter().map(|r| clipped(&r.to_owned())).collect();
        let views: Vec<ArrayView4<'_, f32>> = shown.iter().map(|images| images.view()).collect();
        Ok(Figure::picture(
            format!("panels-{}", variant.name()),
            format!("{}: eight codes drawn from N(0, I), one a column.", variant.title()),
            &grid(&m.panels[0], SHOWN, 48, 2).render_rows(&views)?,
        )?
        .row_labels(PANELS))
    };
    let samples = |variant: Variant| -> Result<Figure> {
        let images = &result.get(variant).samples;
        Ok(Figure::picture(
            format!("samples-{}", variant.name()),
            format!("{}: samples.", variant.title()),
            &grid(images, 10, 36, 2).render(&clipped(images))?,
        )?)
    };
    let [row, column] = result.pixel;
    Ok(Section::new("Means, samples, covariances")
        .text(format!("The paper's figure 2. Sample − mean is around grey; variances and covariances are averaged over channels and scaled to the largest of a row of images. Covariances are those with the first channel of the pixel in row {row}, column {column} (from 0), without its own variance."))
        .figures(vec![panel(Variant::Beta)?, panel(Variant::Sos)?])
        .figure(panel(Variant::Sparse)?)
        .text("The paper's figure 3, and the β-VAE beside it.")
        .figures(vec![samples(Variant::Sos)?, samples(Variant::Sparse)?])
        .figure(samples(Variant::Beta)?))
}

fn coherence(results: &[SeedResult], config: &SosVaeConfig) -> Result<Section> {
    let series = Variant::COMPARED.map(|variant| {
        let x: Vec<f64> = (1..=results[0].get(variant).coherence.len()).map(|d| d as f64).collect();
        let y: Vec<Vec<f64>> = results.iter().map(|r| r.get(variant).coherence.clone()).collect();
        LineSeries::over_seeds(variant.title(), &x, &y)
    });
    let plot = LinePlot {
        x: Axis::new("distance, pixels"),
        y: Axis::new("correlation"),
        series: series.into_iter().collect::<Result<_, _>>()?,
        ..LinePlot::default()
    };
    Ok(Section::new("Spatial coherence")
        .text(format!(
            "Correlation of sample − mean between pixels to the right of and below each other, over {}. The pixels of a β-VAE are drawn one by one: what it adds is uncorrelated by construction, and its line shows how exact the others are.",
            counted(config.measure.samples.min(KEPT), "sample")
        ))
        .figure(Figure::plot("coherence", "Correlation of what sampling adds to the mean, against distance.", &plot)))
}

fn space(result: &SeedResult) -> Result<Section> {
    let views = &result.views;
    let grids = views.grids.iter().enumerate().map(|(k, images)| {
        Ok(Figure::picture(
            format!("slerp-{k}"),
            "One code: four samples in the corners, spherical interpolation of their noise between them.",
            &ImageGrid { padding: 0, ..grid(images, SIDE, 44, 2) }.render(&clipped(images))?,
        )?)
    });
    let sweeps = Figure::picture(
        "components",
        "One code, one noise: a component a row, the largest first, scaled from −5 to 5; the others to 0.03, as in the authors' code.",
        &ImageGrid { padding: 0, ..grid(&views.sweeps, SCALES, 36, 2) }.render(&clipped(&views.sweeps))?,
    )?;
    let spectrum = BarPlot {
        x: Axis::new("component"),
        y: Axis::new("standard deviation"),
        categories: (1..=views.spectrum.len()).map(|k| k.to_string()).collect(),
        groups: vec![BarGroup::new("P", views.spectrum.clone())],
        ..BarPlot::default()
    };
    Ok(Section::new("Ways through the observation space")
        .text("The paper's figures 4 and 5. No network runs between these images: they are samples of one distribution, whose noise of the factor changes (eq. 4), or whose components are scaled (eq. 5).")
        .formula("x(t) = μ + P·slerp(ω_a, ω_b; t) + √ε·ω_d")
        .formula("P(a) = U·diag(a)·S·Vᵀ")
        .figures(grids.collect::<Result<_>>()?)
        .figure(sweeps)
        .figure(Figure::plot("spectrum", "Standard deviations of the components of this code.", &spectrum)))
}

fn editing(results: &[SeedResult], first: &SeedResult) -> Result<Section> {
    let mut section = Section::new("Editing by conditioning")
        .text("The paper's figures 6 and 11 to 14. Painted pixels are conditioned on; the rest is the mean of what the model says then. The picture is at the top of this page.")
        .formula("x₁ | x₂ ~ N(μ₁ + P₁·z, …),   z = C⁻¹P₂ᵀD₂⁻¹(x₂ − μ₂),   C = I + P₂ᵀD₂⁻¹P₂");
    if !first.edits.following.is_empty() {
        let mut table = Table::new(
            "following",
            "Nine pixels of a region are painted dark or light. Share of that change which the rest of the region makes (1: all of it), and which the rest of the image makes; mean over test faces.",
            vec![
                Column::text("painted region"),
                Column::number("the region follows", Digits::Decimals(3)),
                Column::number("the rest follows", Digits::Decimals(3)),
                Column::text("faces"),
            ],
        );
        for (k, f) in first.edits.following.iter().enumerate() {
            let at = |get: fn(&super::editing::Following) -> f64| {
                cell(results, |r| r.edits.following.get(k).map_or(f64::NAN, get))
            };
            table.row(vec![
                format!("{:?}", f.region).to_lowercase().into(),
                at(|f| f.inside),
                at(|f| f.outside),
                f.faces.to_string().into(),
            ])?;
        }
        section = section.table(table);
    }
    let mut dense = Table::new(
        "dense",
        "Largest error of the conditional mean, relative to the largest change, against the dense formula in f64. The authors' code inverts the covariance of the edited values in f32.",
        vec![
            Column::text("edited values"),
            Column::number("ours, f32 in and out", Digits::Significant(2)).best(Best::Lowest),
            Column::number("dense formula, f32", Digits::Significant(2)).best(Best::Lowest),
        ],
    );
    for (k, c) in first.edits.dense.iter().enumerate() {
        let at = |which: usize| cell(results, |r| r.edits.dense.get(k).map_or(f64::NAN, |c| c.errors[which]));
        dense.row(vec![c.edits.to_string().into(), at(0), at(1)])?;
    }
    Ok(section.table(dense))
}

fn direct(results: &[SeedResult]) -> Result<Section> {
    let first = &results[0].direct;
    let picture = |k: usize, id: &str, caption: &str| -> Result<Figure> {
        Ok(Figure::picture(
            id,
            caption,
            &grid(&first.samples[k], 10, 36, 2).render(&clipped(&first.samples[k]))?,
        )?)
    };
    let mut table = Table::new(
        "direct",
        format!(
            "The learned distribution against principal components of the same training images; log p is the mean over the first {}.",
            counted(results[0].bounded, "test image")
        ),
        vec![Column::text("quantity"), Column::number("value", Digits::Significant(4))],
    );
    table.row(vec![
        "mean squared cosine of the principal angles".into(),
        cell(results, |r| r.direct.overlap),
    ])?;
    table.row(vec![
        "variance along the components, learned over PCA".into(),
        cell(results, |r| r.direct.variance_ratio),
    ])?;
    table.row(vec![
        "log p of test images, learned (fixed ε), nats".into(),
        cell(results, |r| r.direct.log_prob[0]),
    ])?;
    table.row(vec![
        "log p of test images, probabilistic PCA (ε fitted), nats".into(),
        cell(results, |r| r.direct.log_prob[1]),
    ])?;
    Ok(Section::new("No network")
        .text("The paper's figure 7: mean and factor of one distribution for all images, learned by gradient descent, against PCA. The likelihood's maximum at a given ε has the components of PCA, each with the variance λ − ε.")
        .figures(vec![
            picture(0, "no-network", "Samples of the learned distribution.")?,
            picture(1, "pca", "Samples of PCA.")?,
        ])
        .table(table))
}

fn history(results: &[SeedResult], variant: Variant, name: &str) -> Result<LineSeries> {
    let runs: Vec<&[EpochRecord]> = results.iter().map(|r| r.get(variant).history.as_slice()).collect();
    Ok(curve(&variant.title(), &runs, |e| e.train(name))?)
}

fn explosion(results: &[SeedResult]) -> Result<Section> {
    let series = [Variant::Sos, Variant::Free, Variant::Loose].into_iter();
    let entropy = LinePlot {
        x: Axis::new("step"),
        y: Axis::new("entropy, nats"),
        series: series.map(|v| history(results, v, "entropy")).collect::<Result<_>>()?,
        ..LinePlot::default()
    };
    let picture = |variant: Variant| -> Result<Figure> {
        let images = &results[0].get(variant).samples;
        Ok(Figure::picture(
            format!("samples-{}", variant.name()),
            format!("{}: samples.", variant.title()),
            &grid(images, 10, 36, 2).render(&clipped(images))?,
        )?)
    };
    Ok(Section::new("Without the constraint")
        .text("Appendix A: the same training without the constraint on the entropy, and without it and with a learned diagonal. The paper reports a mean variance of 11.76 instead of 0.0322 for the latter.")
        .figure(Figure::plot("entropy", "Entropy of the predicted distributions during training.", &entropy))
        .figures(vec![picture(Variant::Free)?, picture(Variant::Loose)?]))
}

fn ranks(results: &[SeedResult], config: &SosVaeConfig) -> Result<Section> {
    let mut all: Vec<(i64, Variant)> = config.other_ranks.iter().map(|&r| (r, Variant::Rank(r))).collect();
    all.push((config.rank, Variant::Sos));
    all.sort_by_key(|(rank, _)| *rank);
    let x: Vec<f64> = all.iter().map(|(rank, _)| *rank as f64).collect();
    let line = |name: &str, f: &dyn Fn(&SeedResult, Variant) -> f64| {
        let y: Vec<Vec<f64>> = results.iter().map(|r| all.iter().map(|(_, v)| f(r, *v)).collect()).collect();
        LineSeries::over_seeds(name, &x, &y)
    };
    let distance = LinePlot {
        x: Axis::new("rank"),
        y: Axis::new(results[0].distance),
        series: vec![
            line("samples", &|r, v| r.get(v).frechet[1])?,
            line("means", &|r, v| r.get(v).frechet[0])?,
        ],
        size: SMALL,
        ..LinePlot::default()
    };
    let bound = LinePlot {
        x: Axis::new("rank"),
        y: Axis::new("bound on log p(x), nats"),
        series: vec![line("SOS-VAE", &|r, v| r.get(v).bounds.importance_weighted)?],
        size: SMALL,
        ..LinePlot::default()
    };
    Ok(Section::new("Rank")
        .text("The same model at other ranks; the target of the entropy is proportional to the rank.")
        .figures(vec![
            Figure::plot("rank-distance", "Distance to the test images against the rank.", &distance),
            Figure::plot("rank-bound", "Importance-weighted bound on test images against the rank.", &bound),
        ]))
}

fn training(results: &[SeedResult]) -> Result<Section> {
    let plot = |name: &str, label: &str, variants: &[Variant]| -> Result<LinePlot> {
        Ok(LinePlot {
            x: Axis::new("step"),
            y: Axis::new(label),
            series: variants.iter().map(|&v| history(results, v, name)).collect::<Result<_>>()?,
            size: SMALL,
            ..LinePlot::default()
        })
    };
    let three = Variant::COMPARED;
    Ok(Section::new("Multipliers during training")
        .text("The KL term, and for SOS-VAE the entropy, are held at their targets by the modified differential method of multipliers (Platt & Barr): a multiplier rises by the excess of its term at each step and is never negative; damping pulls on the term itself.")
        .figures(vec![
            Figure::plot("kl", "KL term, training batches.", &plot("kl", "KL, nats", &three)?),
            Figure::plot("kl-multiplier", "Its multiplier.", &plot("kl_multiplier", "multiplier", &three)?),
        ])
        .figures(vec![
            Figure::plot("entropy-multiplier", "Multiplier of the entropy.", &plot("entropy_multiplier", "multiplier", &[Variant::Sos])?),
            Figure::plot("distortion", "Distortion, training batches.", &plot("distortion", "−log p(x | z), nats", &three)?),
        ]))
}
