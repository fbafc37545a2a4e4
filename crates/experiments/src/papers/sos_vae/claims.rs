//! What the paper claims, and how each claim is tested.

use variata_datasets::FaceRegion;
use variata_report::{Claim, Criterion};

use super::SosVaeConfig;
use super::measure::SeedResult;
use super::models::Variant;
use crate::page::by_seed;
use crate::settings::{highest, lowest};

/// Fréchet distance of the samples of one model over that of another.
fn samples(r: &SeedResult, above: Variant, below: Variant) -> f64 {
    r.get(above).frechet[1] / r.get(below).frechet[1]
}

/// Correlation of sample − mean four pixels apart.
fn at_four(r: &SeedResult, variant: Variant) -> f64 {
    r.get(variant).coherence.get(3).copied().unwrap_or(f64::NAN)
}

/// How far hair follows an edit of a few of its pixels, over how far the rest of the image does.
fn hair(r: &SeedResult) -> Option<f64> {
    let found = r.edits.following.iter().find(|f| f.region == FaceRegion::Hair)?;
    Some(found.inside / highest([found.outside.abs(), 1e-3]))
}

pub(super) fn claims(results: &[SeedResult], config: &SosVaeConfig) -> Vec<Claim> {
    let distance = results.first().map_or("Fréchet distance", |r| r.distance);
    let mut all = vec![
        Claim::new(
            "samples",
            "Samples of SOS-VAE are closer to the data than those of a β-VAE.",
            "Table 1",
        )
        .tested_by(format!("{distance} of samples to test images, β-VAE over SOS-VAE"), "ratio of distances")
        .judge(Criterion::Above(1.0), &by_seed(results, |r| samples(r, Variant::Beta, Variant::Sos))),
        Claim::new(
            "noise",
            "Sampling pixels independently takes a β-VAE away from the data; sampling them together does not take SOS-VAE away.",
            "Table 1 (CelebA, UKBB), section 4.1",
        )
        .tested_by(
            format!("{distance}: samples over means of the β-VAE, or means over samples of SOS-VAE, whichever is less"),
            "lesser ratio",
        )
        .judge(
            Criterion::Above(1.0),
            &by_seed(results, |r| {
                let cost = |v| r.get(v).frechet[1] / r.get(v).frechet[0];
                lowest([cost(Variant::Beta), 1.0 / cost(Variant::Sos)])
            }),
        ),
        Claim::new(
            "dorta",
            "Samples of SOS-VAE are closer to the data than those of a normal with sparse precision.",
            "Table 1 (64×64 grey CelebA)",
        )
        .tested_by(format!("{distance} of samples, Dorta et al. over SOS-VAE"), "ratio of distances")
        .judge(Criterion::Above(1.0), &by_seed(results, |r| samples(r, Variant::Sparse, Variant::Sos))),
        Claim::new(
            "coherent",
            "What SOS-VAE adds to the mean is spatially coherent.",
            "Section 4.1, figure 2",
        )
        .tested_by("Correlation of sample − mean between pixels four apart", "correlation")
        .judge(Criterion::Above(0.2), &by_seed(results, |r| at_four(r, Variant::Sos))),
        // That a β-VAE adds uncorrelated noise is no claim: its pixels are drawn one by one.
        Claim::new(
            "means",
            "The more variation the observation space models, the less the latent space has to: means vary more in a β-VAE.",
            "Section 4.1",
        )
        .tested_by("Variance of the means over draws of the code, β-VAE over SOS-VAE", "ratio of variances")
        .judge(
            Criterion::Above(1.0),
            &by_seed(results, |r| r.get(Variant::Beta).variation / r.get(Variant::Sos).variation),
        ),
        Claim::new(
            "explosion",
            "Without the constraint on the entropy and with a diagonal that is not fixed, variances explode.",
            "Section 3.2, appendix A",
        )
        .tested_by("Mean variance of a pixel, without either over SOS-VAE; the paper's figures give 365", "ratio")
        .judge(
            Criterion::Above(2.0),
            &by_seed(results, |r| r.get(Variant::Loose).variance / r.get(Variant::Sos).variance),
        ),
        Claim::new(
            "target",
            "The entropy is held at its target.",
            "Section 3.2",
        )
        .tested_by(
            "Mean entropy of the last epoch above the floor, over the target above the floor",
            "ratio",
        )
        .judge(
            Criterion::Within { low: 0.9, high: 1.1 },
            &by_seed(results, |r| {
                let last = r.get(Variant::Sos).history.last().and_then(|e| e.train("entropy"));
                let target = config.entropy_per_rank * config.rank as f64;
                last.map_or(f64::NAN, |h| (h - r.floor) / target)
            }),
        ),
        Claim::new(
            "pca",
            "Without a network the learned factor is that of principal component analysis.",
            "Section 4.5, figure 7",
        )
        .tested_by(
            format!("Mean squared cosine of the principal angles between the {} learned directions and PCA's", config.rank),
            "share of the space (1: the same)",
        )
        .judge(Criterion::Above(0.9), &by_seed(results, |r| r.direct.overlap)),
        Claim::new(
            "dense",
            "The conditional mean (eq. 7) needs no matrix of the size of the edits.",
            "Section 4.4, eq. 7",
        )
        .tested_by(
            "Largest error of the conditional mean in f32 against the dense formula in f64, over all numbers of edits, relative to the largest change",
            "relative error",
        )
        .judge(
            Criterion::Below(1e-4),
            &by_seed(results, |r| highest(r.edits.dense.iter().map(|c| c.errors[0]))),
        ),
    ];
    let follow: Option<Vec<(u64, f64)>> = results.iter().map(|r| Some((r.seed, hair(r)?))).collect();
    let edit = Claim::new(
        "edit",
        "A few edited pixels change the rest coherently: edit the hair, and all the hair follows.",
        "Section 4.4, figure 6",
    )
    .tested_by(
        "Nine pixels of the hair are painted; share of the change that the rest of the hair makes, over that of the rest of the image",
        "ratio",
    );
    all.push(match follow {
        Some(values) if !values.is_empty() => edit.judge(Criterion::Above(2.0), &values),
        _ if results.iter().any(|r| r.edits.known) => {
            edit.not_tested("no edited image has hair of three by three pixels")
        }
        _ => edit.not_tested("the data does not say which pixels are hair"),
    });
    all
}
