//! The report's figures and tables.

use anyhow::Result;
use ndarray::{Array4, Axis as Along, s};
use variata_fourier_aug::{AugmentationSet, Corruption, CorruptionGroup, Picture};
use variata_models::train::EpochRecord;
use variata_report::{
    Axis, BarGroup, BarPlot, Best, Claim, Column, Digits, Figure, ImageGrid, LinePlot, LineSeries, Section,
    Size, Table,
};

use super::FourierAugConfig;
use super::measure::{Attack, ModelResult, SEVERITIES, SeedResult, TestSet};
use super::published;
use crate::Session;
use crate::page::{SMALL, cell, curve, grid, mean};
use crate::settings::counted;

/// Images on a contact sheet.
const SHOWN: usize = 10;
/// Pixels of a map's cell.
const CELL: usize = 4;

/// A number of a model, NaN where a seed has not trained it.
fn of(r: &SeedResult, set: AugmentationSet, f: impl Fn(&ModelResult) -> f64) -> f64 {
    r.get(set).map_or(f64::NAN, f)
}

pub(super) fn lead(session: &Session, config: &FourierAugConfig, test: &TestSet) -> Result<Figure> {
    let images = test.images.slice(s![..SHOWN.min(test.len()), .., .., ..]).to_owned();
    let mut stacks: Vec<Array4<f32>> = vec![images.mapv(|grey| f32::from(grey) / 255.0)];
    let mut names = vec!["test images"];
    for &set in &config.augmentations {
        stacks.push(config.pipeline(&session.data, set)?.augment(&images, 0, 0)?.mapv(|v| v.clamp(0.0, 1.0)));
        names.push(set.name());
    }
    let views: Vec<_> = stacks.iter().map(|stack| stack.view()).collect();
    let caption = "What each set of operations makes of the same images: the first of the two views that are trained on; of Base, which has no views, the image that is trained on.";
    Ok(Figure::picture(
        "lead",
        caption,
        &grid(&images.mapv(f32::from), images.dim().0, 64, 4).render_rows(&views)?,
    )?
    .row_labels(names))
}

pub(super) fn summary(
    results: &[SeedResult],
    claims: &[Claim],
    config: &FourierAugConfig,
    test: &TestSet,
) -> String {
    let errors = config.augmentations.iter().map(|&set| {
        let error = |f: fn(&ModelResult) -> f64| 100.0 * mean(results, |r| of(r, set, f));
        format!(
            "{} {:.1} % ({:.1} %)",
            set.name(),
            error(|m| m.clean.error),
            error(|m| m.mean_corrupted().error)
        )
    });
    format!(
        "For each of the seeds ({} of them) {} trained. **{}** Errors on {} clean test images, and in \
         brackets under common corruptions: {}. {} Of two numbers that the paper reports, the first is for CIFAR-10, the second for CIFAR-100.",
        results.len(),
        match config.augmentations.len() {
            1 => "a classifier was".to_owned(),
            n => format!("{n} classifiers were"),
        },
        Claim::outcome(claims),
        test.len(),
        errors.collect::<Vec<_>>().join(", "),
        if test.has_files() {
            "Corrupted images are those of the files."
        } else {
            "Corrupted images were made here; docs/src/theory/calibration.md says how they differ from the files of CIFAR-10-C."
        },
    )
}

pub(super) fn sections(
    results: &[SeedResult],
    config: &FourierAugConfig,
    test: &TestSet,
) -> Result<Vec<Section>> {
    Ok(vec![
        numbers(results, config, test)?,
        corruptions(results, config)?,
        attacks(results, config, test)?,
        maps(&results[0], config, test)?,
        reliability(&results[0]),
        training(results, config)?,
    ])
}

fn numbers(results: &[SeedResult], config: &FourierAugConfig, test: &TestSet) -> Result<Section> {
    let number = |title: &str| Column::number(title, Digits::Decimals(2)).best(Best::Lowest);
    let mut table = Table::new(
        "table-1",
        format!(
            "Percent, {} test images. Corrupted: mean over fifteen corruptions and five severities. Calibration: RMS, at least {} examples a bin.",
            test.len(),
            config.measure.bin
        ),
        vec![
            Column::text("operations"),
            number("error"),
            number("calibration"),
            number("corrupted: error"),
            number("corrupted: calibration"),
        ],
    );
    for &set in &config.augmentations {
        let at = |f: fn(&ModelResult) -> f64| cell(results, |r| 100.0 * of(r, set, f));
        table.row(vec![
            set.name().into(),
            at(|m| m.clean.error),
            at(|m| m.clean.rms),
            at(|m| m.mean_corrupted().error),
            at(|m| m.mean_corrupted().rms),
        ])?;
    }
    Ok(Section::new("The classifiers in numbers")
        .text("All have the same network, start and batches; they differ in what is done to the images. S: rotations, shears, shifts. V: autocontrast, equalize, posterize, solarize. C: brightness, colour, contrast, sharpness. F: plane waves. Of each image the network sees the clean one, flipped and cropped, and two views; Base has no views, since a divergence of images that are alike is 0. The classifier is that of the best accuracy on validation images.")
        .formula("loss = −log p(label | clean) + λ JSD(p(· | clean), p(· | view 1), p(· | view 2))")
        .table(table)
        .table(published::table_1()?))
}

/// The sets that are compared with Base.
fn others(config: &FourierAugConfig) -> impl Iterator<Item = AugmentationSet> {
    config.augmentations.iter().copied().filter(|set| *set != AugmentationSet::Base)
}

fn corruptions(results: &[SeedResult], config: &FourierAugConfig) -> Result<Section> {
    let worst = SEVERITIES - 1;
    let groups = others(config).map(|set| {
        let gains = (0..Corruption::COMMON.len()).map(|k| {
            let error = |r: &SeedResult, set| of(r, set, |m| m.corrupted[k][worst].error);
            100.0 * mean(results, |r| error(r, AugmentationSet::Base) - error(r, set))
        });
        BarGroup::new(set.name(), gains.collect())
    });
    let gains = BarPlot {
        x: Axis::new(""),
        y: Axis::new("errors less than Base, % of images"),
        categories: Corruption::COMMON
            .iter()
            .filter_map(|c| c.name().split('_').next())
            .map(str::to_owned)
            .collect(),
        groups: groups.collect(),
        size: Size { width: 1000.0, height: 380.0 },
    };
    let lines = config.augmentations.iter().map(|&set| {
        let point =
            |k: usize| ((k + 1) as f64, 100.0 * mean(results, |r| of(r, set, |m| 1.0 - m.at_severity(k))));
        LineSeries::new(set.name(), (0..SEVERITIES).map(point).collect())
    });
    let severities = LinePlot {
        x: Axis::new("severity"),
        y: Axis::new("accuracy, %"),
        series: lines.collect(),
        references: Vec::new(),
        size: Size::default(),
    };
    let number = |title: &str| Column::number(title, Digits::Decimals(1)).best(Best::Lowest);
    let mut columns = vec![Column::text("operations")];
    columns.extend(GROUPS.iter().map(|(title, _)| number(title)));
    let mut table = Table::new(
        "groups",
        "Errors, percent: mean over the corruptions of a group and severities.",
        columns,
    );
    for &set in &config.augmentations {
        let errors = GROUPS.map(|(_, group)| {
            let members: Vec<usize> =
                (0..Corruption::COMMON.len()).filter(|&k| Corruption::COMMON[k].group() == group).collect();
            cell(results, |r| {
                of(r, set, |m| {
                    let all = members.iter().flat_map(|&k| m.corrupted[k].iter().map(|score| score.error));
                    100.0 * all.sum::<f64>() / (members.len() * SEVERITIES) as f64
                })
            })
        });
        table.row([set.name().into()].into_iter().chain(errors).collect())?;
    }
    Ok(Section::new("Under common corruptions")
        .text("The paper's figures 2 and 3. Above 0 in the first figure: fewer errors than the network that has seen no augmented view.")
        .figure(Figure::plot("gains", "Gain over Base for each corruption at severity 5, mean over seeds.", &gains))
        .figure(Figure::plot("severities", "Accuracy over severity, mean over corruptions and seeds.", &severities))
        .table(table))
}

const GROUPS: [(&str, CorruptionGroup); 4] = [
    ("noise", CorruptionGroup::Noise),
    ("blur", CorruptionGroup::Blur),
    ("weather", CorruptionGroup::Weather),
    ("digital", CorruptionGroup::Digital),
];

/// The test images that waves are added to, of so many.
fn attacked(config: &FourierAugConfig, images: usize) -> String {
    match config.measure.attacked {
        count if count >= images => "every test image".to_owned(),
        1 => "the first test image".to_owned(),
        count => format!("each of the first {count} test images"),
    }
}

fn attacks(results: &[SeedResult], config: &FourierAugConfig, test: &TestSet) -> Result<Section> {
    let number = |title: &str| Column::number(title, Digits::Decimals(1));
    let mut table = Table::new(
        "table-2",
        format!(
            "Percent, {}, over all distinct waves.",
            counted(config.measure.attacked.min(test.len()), "test image")
        ),
        vec![
            Column::text("norm"),
            Column::text("operations"),
            number("error: mean"),
            number("largest"),
            number("calibration: mean"),
            number("largest "),
        ],
    );
    for (k, norm) in config.measure.norms.iter().enumerate() {
        for &set in &config.augmentations {
            let at = |f: fn(&Attack) -> f64| cell(results, |r| 100.0 * of(r, set, |m| f(&m.attacks[k])));
            table.row(vec![
                norm.to_string().into(),
                set.name().into(),
                at(|a| a.error.0),
                at(|a| a.error.1),
                at(|a| a.rms.0),
                at(|a| a.rms.1),
            ])?;
        }
    }
    Ok(Section::new("Under attack by plane waves")
        .text(format!(
            "Each wave is added to {}, and the sum cut to [0, 1]. The phase, 7π/4, is none of those of the training. The norm is that of the wave in one channel, whatever the size of the image: in 16×16 pixels it changes each twice as much as in the paper's 32×32. Waves of images of several channels have the same sign in all of them, then signs of their own, and the table pools both.",
            attacked(config, test.len())
        ))
        .formula("x + U(k),   U(k) = A cos(2π(kₓ x/w + k_y y/h) + 7π/4),   ‖U‖₂ = norm")
        .table(table)
        .table(published::table_2()?))
}

/// The pixels of a map in [0, 1], [1, 3, height, width], without its scale.
fn pixels(picture: &Picture) -> Array4<f32> {
    let map = picture.pixels.slice(s![.., ..picture.map_width, ..]).permuted_axes([2, 0, 1]);
    map.insert_axis(Along(0)).mapv(|v| f32::from(v) / 255.0)
}

fn maps(result: &SeedResult, config: &FourierAugConfig, test: &TestSet) -> Result<Section> {
    let alignments = result.models.first().and_then(|m| m.attacks.first()).map_or(0, |a| a.maps.len());
    let mut section = Section::new("Maps of susceptibility")
        .text(format!(
            "The paper's figure 1 and appendix. Each place is a wave, the lowest frequency in the middle; its colour is the share of wrong predictions when that wave is added to {}, from 0 (dark) to 1 (light). Grey: waves that vanish at this phase.",
            attacked(config, test.len())
        ));
    for (k, name) in
        ["the same sign in all channels", "a sign for each channel"].into_iter().take(alignments).enumerate()
    {
        let mut rows = Vec::new();
        for at in 0..config.measure.norms.len() {
            let mut columns: Vec<Array4<f32>> = Vec::new();
            for model in &result.models {
                columns.push(pixels(&model.attacks[at].maps[k].picture(0.0, 1.0, CELL)?));
            }
            let views: Vec<_> = columns.iter().map(|c| c.view()).collect();
            rows.push(ndarray::concatenate(Along(0), &views)?);
        }
        let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
        let layout = ImageGrid { columns: result.models.len(), scale: 1, padding: 6, ..ImageGrid::default() };
        let figure = Figure::picture(
            format!("maps-{}", k + 1),
            format!("Errors of the first seed's classifiers under waves with {name}; rows: norms."),
            &layout.render_rows(&views)?,
        )?
        .row_labels(config.measure.norms.iter().map(f64::to_string))
        .column_labels(result.models.iter().map(|m| m.set.name()));
        section = section.figure(figure);
    }
    Ok(section)
}

fn reliability(result: &SeedResult) -> Section {
    let plot = |k: usize| {
        let diagonal = LineSeries::new("calibrated", vec![(0.0, 0.0), (1.0, 1.0)]).dashed();
        let lines = result.models.iter().map(|m| LineSeries::new(m.set.name(), m.reliability[k].clone()));
        LinePlot {
            x: Axis::new("confidence").range(0.0, 1.0),
            y: Axis::new("accuracy").range(0.0, 1.0),
            series: lines.chain([diagonal]).collect(),
            references: Vec::new(),
            size: SMALL,
        }
    };
    Section::new("Reliability")
        .text("Accuracy over confidence in ten bins of equal width, the first seed's classifiers. Below the diagonal a classifier is surer than it is right.")
        .figures(vec![
            Figure::plot("reliability-clean", "Clean test images.", &plot(0)),
            Figure::plot("reliability-corrupted", "All corruptions and severities together.", &plot(1)),
        ])
}

fn training(results: &[SeedResult], config: &FourierAugConfig) -> Result<Section> {
    let plot = |y: Axis,
                value: &dyn Fn(&EpochRecord) -> Option<f64>,
                sets: &[AugmentationSet]|
     -> Result<LinePlot> {
        let line = |&set: &AugmentationSet| {
            let histories: Vec<&[EpochRecord]> =
                results.iter().filter_map(|r| Some(r.get(set)?.history.as_slice())).collect();
            curve(set.name(), &histories, value)
        };
        let series = sets.iter().map(line).collect::<Result<_, _>>()?;
        Ok(LinePlot { x: Axis::new("step"), y, series, references: Vec::new(), size: SMALL })
    };
    let accuracy = plot(Axis::new("accuracy"), &|e| e.validation("accuracy"), &config.augmentations)?;
    let forked: Vec<_> = others(config).collect();
    let divergence = plot(Axis::new("JSD, nats").log(), &|e| e.train("jensen_shannon"), &forked)?;
    Ok(Section::new("During training").figures(vec![
        Figure::plot("accuracy", "Accuracy on clean validation images.", &accuracy),
        Figure::plot("divergence", "Divergence between the views of training images.", &divergence),
    ]))
}

#[cfg(test)]
mod tests {
    use super::{FourierAugConfig, attacked};

    #[test]
    fn the_attacked_images_are_counted() {
        let mut config = FourierAugConfig::default();
        for (count, want) in
            [(60, "every test image"), (20, "each of the first 20 test images"), (1, "the first test image")]
        {
            config.measure.attacked = count;
            assert_eq!(attacked(&config, 60), want);
        }
    }
}
