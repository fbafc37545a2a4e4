//! The report's figures and tables.

use anyhow::Result;
use ndarray::{ArrayView4, Axis as Dim, concatenate, s};
use variata_models::train::EpochRecord;
use variata_report::{
    Axis, BarGroup, BarPlot, Best, Claim, Column, Digits, Figure, ImageGrid, LinePlot, LineSeries,
    ScatterPlot, Section, Size, Table,
};

use super::measure::{GRID, SeedResult};
use super::models::Variant;
use crate::Session;
use crate::page::{LINE, SMALL, cell, curve as over_seeds, grid, mean};
use crate::settings::counted;

/// Images for each requested class, one class a column.
fn conditional(
    result: &SeedResult,
    rows: usize,
    session: &Session,
    id: &str,
    caption: &str,
) -> Result<Figure> {
    let model = result.get(Variant::Cvae);
    let classes = session.data.classes();
    let picks: Vec<ArrayView4<'_, f32>> = (0..rows.min(result.per_class))
        .flat_map(|row| (0..classes).map(move |class| class * result.per_class + row))
        .map(|i| model.samples.slice(s![i..=i, .., .., ..]))
        .collect();
    let images = concatenate(Dim(0), &picks)?;
    let labels: Vec<String> = session.data.class_names().to_vec();
    Ok(Figure::picture(id, caption, &grid(&images, classes, 64, 4).render(&images)?)?.column_labels(labels))
}

pub(super) fn lead(result: &SeedResult, session: &Session) -> Result<Figure> {
    conditional(
        result,
        4,
        session,
        "lead",
        if result.classifier_accuracy.is_some() {
            "Images drawn by the conditional VAE for each requested class: one class a column, a new code for each image."
        } else {
            "Images drawn by the conditional VAE, which has one class here: a new code for each image."
        },
    )
}

pub(super) fn summary(results: &[SeedResult], claims: &[Claim]) -> String {
    let accuracies: Option<Vec<f64>> = results.iter().map(|r| r.classifier_accuracy).collect();
    let judged = match accuracies {
        Some(all) => format!(
            "a classifier that names {:.1} % of real test images right recognises {:.1} % of the images that the CVAE draws on request",
            100.0 * mean(&all, |accuracy| *accuracy),
            100.0 * mean(results, SeedResult::requested_accuracy),
        ),
        None => "the data have no classes, so that nothing can be asked for, and the classifier, whose features distances are \
                 measured in, tells mirror images apart"
            .to_owned(),
    };
    format!(
        "Seven autoencoders and a classifier were trained for each seed ({}). **{}** \
         The VAE's ELBO on test images is {:.2} nats per image, the CVAE's {:.2}; {judged}.",
        counted(results.len(), "seed"),
        Claim::outcome(claims),
        mean(results, |r| r.get(Variant::Vae).bounds.last().map_or(f64::NAN, |b| b.1.elbo)),
        mean(results, |r| r.get(Variant::Cvae).bounds.last().map_or(f64::NAN, |b| b.1.elbo)),
    )
}

pub(super) fn sections(results: &[SeedResult], session: &Session) -> Result<Vec<Section>> {
    let mut sections =
        vec![numbers(results)?, cases(results, session), latent(&results[0])?, pictures(&results[0])?];
    if results.iter().all(|r| r.classifier_accuracy.is_some()) {
        sections.push(requested(results, session)?);
    }
    sections.extend([training(results)?, bounds(results)]);
    Ok(sections)
}

fn numbers(results: &[SeedResult]) -> Result<Section> {
    let mut table = Table::new(
        "numbers",
        "Test set; mean ± standard deviation over seeds. Distortion, KL and bounds (ELBO, importance-weighted) in nats per image; higher bounds are better, lower distances are better.",
        vec![
            Column::text("model"),
            Column::number("distortion", Digits::Decimals(2)),
            Column::number("KL", Digits::Decimals(2)),
            Column::number("ELBO", Digits::Decimals(2)).best(Best::Highest),
            Column::number("IW bound", Digits::Decimals(2)).best(Best::Highest),
            Column::number(results[0].distance, Digits::Decimals(2)).best(Best::Lowest),
        ],
    );
    for variant in Variant::ALL {
        let bound = |r: &SeedResult, f: fn(&variata_models::Bounds) -> f64| {
            r.get(variant).bounds.last().map_or(f64::NAN, |b| f(&b.1))
        };
        let kl = |r: &SeedResult| {
            let kl = &r.get(variant).codes.kl;
            if kl.is_empty() { f64::NAN } else { kl.iter().sum() }
        };
        table.row(vec![
            variant.title().into(),
            cell(results, |r| r.get(variant).distortion),
            cell(results, kl),
            cell(results, |r| bound(r, |b| b.elbo)),
            cell(results, |r| bound(r, |b| b.importance_weighted)),
            cell(results, |r| r.get(variant).frechet),
        ])?;
    }
    let compared = if results[0].from_file {
        "FID compares the features that the given network gives"
    } else {
        "The Fréchet distance compares the features that a classifier, trained on real images, gives"
    };
    Ok(Section::new("The models in numbers")
        .text(format!(
            "Every model has the same networks. {compared} to images decoded from N(0, I) and to test images."
        ))
        .formula("L(θ, φ) = E_q[−log p(x | z, c)] + β · KL(q(z | x, c) ‖ N(0, I))        z = μ + e^(s/2) ⊙ ε")
        .table(table))
}

fn map(result: &SeedResult, session: &Session, variant: Variant, caption: &str) -> Figure {
    let m = result.get(variant);
    let points: Vec<(f64, f64)> = m.codes.mean.rows().into_iter().map(|r| (r[0], r[1])).collect();
    let mut classes = ScatterPlot::classes(&points, &result.labels, session.data.classes());
    for (class, name) in classes.iter_mut().zip(session.data.class_names()) {
        class.name.clone_from(name);
    }
    let plot = ScatterPlot {
        x: Axis::new("z₁"),
        y: Axis::new("z₂"),
        classes,
        equal_aspect: true,
        size: Size::new(460.0, 460.0),
        ..ScatterPlot::default()
    };
    Figure::plot(format!("map-{}", variant.name()), caption, &plot)
}

fn cases(results: &[SeedResult], session: &Session) -> Section {
    let first = &results[0];
    let apart =
        if first.classifier_accuracy.is_some() { "separate the classes" } else { "tell images apart" };
    let group = |variant: Variant, name: &str| {
        let per_seed: Vec<&Vec<f64>> = results.iter().map(|r| &r.get(variant).codes.kl).collect();
        let at = |d: usize| per_seed.iter().map(move |kl| kl[d]);
        let dims = per_seed[0].len();
        let n = per_seed.len() as f64;
        BarGroup {
            ranges: (0..dims)
                .map(|d| (at(d).fold(f64::INFINITY, f64::min), at(d).fold(f64::NEG_INFINITY, f64::max)))
                .collect(),
            ..BarGroup::new(name, (0..dims).map(|d| at(d).sum::<f64>() / n).collect())
        }
    };
    let bars = BarPlot {
        x: Axis::new("latent dimension"),
        y: Axis::new("KL, nats"),
        categories: vec!["1".into(), "2".into()],
        groups: vec![
            group(Variant::MapDistortion, "distortion only"),
            group(Variant::MapKl, "KL only"),
            group(Variant::Map, "both"),
        ],
        size: SMALL,
    };
    let widths = |variant: Variant| {
        let sd = &first.get(variant).codes.sd;
        let mut all: Vec<f64> = sd.iter().copied().collect();
        all.sort_by(f64::total_cmp);
        all
    };
    let spread = LinePlot {
        x: Axis::new("share of posteriors"),
        y: Axis::new("standard deviation").log(),
        series: [
            (Variant::MapDistortion, "distortion only"),
            (Variant::MapKl, "KL only"),
            (Variant::Map, "both"),
        ]
        .into_iter()
        .map(|(v, name)| {
            let all = widths(v);
            let n = all.len() as f64;
            LineSeries::new(name, all.iter().enumerate().map(|(i, &sd)| ((i as f64 + 0.5) / n, sd)).collect())
        })
        .collect(),
        size: SMALL,
        ..LinePlot::default()
    };
    Section::new("Three cases of the loss")
        .text(format!("The tutorial asks what each term does alone. **Distortion only:** nothing keeps the posteriors wide or near the origin; the encoder spreads the means far apart and narrows the posteriors, and the KL (which is not trained) grows. **KL only:** every image gets the prior, and the code says nothing; the tutorial says the opposite (errata 000-13). **Both:** the codes fill the prior and still {apart}."))
        .figures(vec![
            map(first, session, Variant::MapDistortion, "Case 1, distortion only: means of test images. Mind the axes."),
            map(first, session, Variant::MapKl, "Case 2, KL only: every mean lies at the origin. Mind the axes."),
        ])
        .figure(map(first, session, Variant::Map, "Case 3, both terms: the latent map of a VAE, coloured by class."))
        .figures(vec![
            Figure::plot("case-kl", "KL of each latent dimension on test images; mean over seeds, whiskers from the lowest to the highest.", &bars),
            Figure::plot("case-sd", "Posterior standard deviations of the test images in order.", &spread),
        ])
}

fn latent(result: &SeedResult) -> Result<Section> {
    let decoded = Figure::picture(
        "grid",
        "What the 2-D VAE decodes on a grid of quantiles of N(0, 1) in each dimension: every cell has the same probability under the prior.",
        &ImageGrid { padding: 0, ..grid(&result.grid, GRID, 36, 4) }.render(&result.grid)?,
    )?;
    Ok(Section::new("The plane, decoded").figure(decoded))
}

fn pictures(result: &SeedResult) -> Result<Section> {
    let shown = |v: Variant| &result.get(v).reconstructions;
    let stacks = [
        result.originals.view(),
        shown(Variant::Ae).view(),
        shown(Variant::Vae).view(),
        shown(Variant::Beta).view(),
        shown(Variant::Map).view(),
    ];
    let columns = result.originals.dim().0;
    let reconstructions = Figure::picture(
        "reconstructions",
        "Test images and their reconstructions from the mean code.",
        &grid(&result.originals, columns, 48, 4).render_rows(&stacks)?,
    )?
    .row_labels(["test images", "AE", "VAE", "β-VAE", "VAE, 2-D"]);
    let samples = |variant: Variant, caption: &str| -> Result<Figure> {
        let all = &result.get(variant).samples;
        let n = all.dim().0;
        // Spread over the draws, so that a conditional model would show all classes.
        let picks: Vec<ArrayView4<'_, f32>> =
            (0..50.min(n)).map(|i| all.slice(s![i..=i, .., .., ..])).collect();
        let images = concatenate(Dim(0), &picks)?;
        Ok(Figure::picture(
            format!("samples-{}", variant.name()),
            caption,
            &grid(&images, 10, 40, 4).render(&images)?,
        )?)
    };
    let lines = |variant: Variant, caption: &str| -> Result<Figure> {
        let images = &result.get(variant).interpolations;
        Ok(Figure::picture(
            format!("interpolation-{}", variant.name()),
            caption,
            &grid(images, LINE, 40, 4).render(images)?,
        )?)
    };
    Ok(Section::new("Reconstructions, samples, interpolations")
        .figure(reconstructions)
        .figures(vec![
            samples(Variant::Vae, "VAE: images decoded from draws of N(0, I).")?,
            samples(Variant::Ae, "AE: the same draws. Its decoder has never seen such codes.")?,
        ])
        .figure(samples(Variant::Beta, "β-VAE: the same draws.")?)
        .figures(vec![
            lines(
                Variant::Vae,
                &format!(
                    "VAE: {} between the codes of two test images{}.",
                    counted(result.get(Variant::Vae).interpolations.dim().0 / LINE, "straight line"),
                    if result.several_classes() { " of different classes" } else { "" }
                ),
            )?,
            lines(Variant::Ae, "AE: the same pairs.")?,
        ]))
}

fn requested(results: &[SeedResult], session: &Session) -> Result<Section> {
    let first = &results[0];
    let classes = session.data.classes();
    let values = |r: &SeedResult| r.requested.clone();
    let n = results.len() as f64;
    let at = |c: usize| results.iter().map(move |r| values(r)[c]);
    let bars = BarPlot {
        x: Axis::new("requested class"),
        y: Axis::new("share recognised"),
        categories: session.data.class_names().to_vec(),
        groups: vec![BarGroup {
            ranges: (0..classes)
                .map(|c| (at(c).fold(f64::INFINITY, f64::min), at(c).fold(f64::NEG_INFINITY, f64::max)))
                .collect(),
            ..BarGroup::new("CVAE", (0..classes).map(|c| at(c).sum::<f64>() / n).collect())
        }],
        ..BarPlot::default()
    };
    Ok(Section::new("Images on request")
        .text("The conditional VAE gets the class as a one-hot vector on both sides; the prior stays N(0, I). A classifier trained on real images judges what is drawn.")
        .figure(conditional(first, 8, session, "requested", "Draws for each class, more of them.")?)
        .figure(Figure::plot("requested-accuracy", "Share of drawn images that the classifier names as requested; mean over seeds, whiskers from the lowest to the highest.", &bars)))
}

fn curve(results: &[SeedResult], variant: Variant, name: &str, train: bool) -> Result<LineSeries> {
    let runs: Vec<&[EpochRecord]> = results.iter().map(|r| r.get(variant).history.as_slice()).collect();
    Ok(over_seeds(variant.title(), &runs, |e| if train { e.train(name) } else { e.validation(name) })?)
}

fn training(results: &[SeedResult]) -> Result<Section> {
    let plot = |name: &str, label: &str, train: bool| -> Result<LinePlot> {
        Ok(LinePlot {
            x: Axis::new("step"),
            y: Axis::new(label),
            series: [Variant::Vae, Variant::Beta, Variant::Cvae, Variant::Map]
                .into_iter()
                .map(|v| curve(results, v, name, train))
                .collect::<Result<_>>()?,
            size: SMALL,
            ..LinePlot::default()
        })
    };
    Ok(Section::new("Both terms during training")
        .text("Means over seeds; bands reach from the lowest to the highest seed. The weight of the KL rises from 0 over the first steps, so that the KL first jumps and is then pulled down.")
        .figures(vec![
            Figure::plot("distortion-train", "Distortion, training batches.", &plot("distortion", "distortion, nats", true)?),
            Figure::plot("distortion-validation", "Distortion, validation set.", &plot("distortion", "distortion, nats", false)?),
        ])
        .figures(vec![
            Figure::plot("kl-train", "KL, training batches.", &plot("kl", "KL, nats", true)?),
            Figure::plot("kl-validation", "KL, validation set.", &plot("kl", "KL, nats", false)?),
        ]))
}

fn bounds(results: &[SeedResult]) -> Section {
    let series = |variant: Variant| {
        let per_seed: Vec<Vec<f64>> = results
            .iter()
            .map(|r| r.get(variant).bounds.iter().map(|b| b.1.importance_weighted).collect())
            .collect();
        let x: Vec<f64> = results[0].get(variant).bounds.iter().map(|b| b.0 as f64).collect();
        LineSeries::over_seeds(variant.title(), &x, &per_seed)
            .unwrap_or_else(|_| LineSeries::new(variant.title(), Vec::new()))
    };
    let plot = LinePlot {
        x: Axis::new("weights per image").log(),
        y: Axis::new("bound on log p(x), nats"),
        series: [Variant::Vae, Variant::Beta, Variant::Cvae].map(series).into(),
        ..LinePlot::default()
    };
    Section::new("The bound and how tight it is")
        .text("With one weight the bound is the ELBO by one draw; more weights bring it closer to log p(x), in expectation never lower. The gap that remains between the first and the last point is what the Gaussian posterior misses.")
        .formula("log p(x)  ≥  E log (1/K) Σₖ wₖ  ≥  E log w₁ = ELBO        log w = log p(x | z) + log p(z) − log q(z | x)")
        .figure(Figure::plot("bounds", "Importance-weighted bound on the test images against the number of weights.", &plot))
}
