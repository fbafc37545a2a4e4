//! What the paper claims, and how each claim is tested.

use variata_models::Cost;
use variata_report::{Claim, Criterion};

use super::measure::{ModelResult, SeedResult};
use super::models::Method;
use crate::page::by_seed;
use crate::settings::{highest, lowest};

fn largest(r: &SeedResult, methods: &[Method], f: impl Fn(&ModelResult) -> f64) -> f64 {
    highest(methods.iter().map(|&m| f(r.get(m))))
}

fn smallest(r: &SeedResult, methods: &[Method], f: impl Fn(&ModelResult) -> f64) -> f64 {
    lowest(methods.iter().map(|&m| f(r.get(m))))
}

/// Mean over the first half of training of the Fréchet distance on the validation set: low where it falls early.
fn early(m: &ModelResult) -> f64 {
    let curve: Vec<f64> = m.history.iter().filter_map(|e| e.validation("frechet")).collect();
    let half = &curve[..curve.len().div_ceil(2)];
    half.iter().sum::<f64>() / half.len() as f64
}

fn group(r: &SeedResult, methods: &[Method], f: impl Fn(&ModelResult) -> f64) -> f64 {
    methods.iter().map(|&m| f(r.get(m))).sum::<f64>() / methods.len() as f64
}

/// How much worse one model is than another where it is worst: reconstruction or normality.
fn worse(m: &ModelResult, than: &ModelResult) -> f64 {
    let reconstruction = m.reconstruction / than.reconstruction;
    highest([reconstruction, m.normality.sliced_w2 / than.normality.sliced_w2])
}

/// That of the weights' models against the logarithm's, for each method of the search.
fn search<'a>(r: &'a SeedResult, searched: &'a [Method]) -> impl Iterator<Item = f64> + 'a {
    searched.iter().flat_map(move |&method| r.searched(method).map(move |(_, m)| worse(m, r.get(method))))
}

pub(super) fn claims(results: &[SeedResult], searched: &[Method], cost: Cost) -> Vec<Claim> {
    let generative = &Method::ALL[1..];
    let distance = results.first().map_or("Fréchet distance", |r| r.distance);
    let mut all = vec![
        Claim::new(
            "normal",
            "All models but the plain autoencoder are close to the normal distribution in latent space.",
            "Table 1",
        )
        .tested_by(
            "Sliced W₂ distance of test codes from the prior: the largest of the seven models over the autoencoder's",
            "ratio",
        )
        .judge(
            Criterion::Below(0.1),
            &by_seed(results, |r| {
                let w2 = |m: &ModelResult| m.normality.sliced_w2;
                largest(r, generative, w2) / w2(r.get(Method::Ae))
            }),
        ),
        Claim::new(
            "moments",
            "The same by Mardia's statistics.",
            "Table 1",
        )
        .tested_by(
            "Kurtosis of test codes less that of the prior, in magnitude: the largest of the seven models over the autoencoder's",
            "ratio",
        )
        .judge(
            Criterion::Below(0.1),
            &by_seed(results, |r| {
                let off = |m: &ModelResult| m.normality.kurtosis.abs();
                largest(r, generative, off) / off(r.get(Method::Ae))
            }),
        ),
        Claim::new(
            "generative",
            "All of them are correct generative models.",
            "Abstract",
        )
        .tested_by(
            format!("{distance} of decoded draws of the prior to test images: the autoencoder's over the largest of the seven"),
            "ratio",
        )
        .judge(
            Criterion::Above(1.0),
            &by_seed(results, |r| r.get(Method::Ae).frechet / largest(r, generative, |m| m.frechet)),
        ),
        Claim::new(
            "groups-skewness",
            "Two groups: tests of normality (SCvMAE, SKSAE) leave more skewness than distances between samples (SWAE, SCFWAE, SCWAE).",
            "Section 5, table 1 (MNIST)",
        )
        .tested_by("Mardia's skewness of test codes: the least of the tests over the most of the distances", "ratio")
        .paper_reports("57.34 / 37.41 = 1.53 on MNIST, 91.68 / 59.07 = 1.55 on CelebA")
        .judge(
            Criterion::Above(1.0),
            &by_seed(results, |r| {
                let skewness = |m: &ModelResult| m.normality.skewness;
                smallest(r, &Method::TESTS, skewness) / largest(r, &Method::DISTANCES, skewness)
            }),
        ),
        Claim::new(
            "groups-kurtosis",
            "The tests of normality leave heavier tails than the distances between samples.",
            "Section 5, table 1 (MNIST, CelebA)",
        )
        .tested_by("Normalised kurtosis of test codes: the least of the tests less the most of the distances", "difference")
        .paper_reports("23.82 − (−10.29) = 34.1 on MNIST, 408.24 − 296.99 = 111 on CelebA, −279 on CIFAR-10")
        .judge(
            Criterion::Above(0.0),
            &by_seed(results, |r| {
                let kurtosis = |m: &ModelResult| m.normality.kurtosis;
                smallest(r, &Method::TESTS, kurtosis) - largest(r, &Method::DISTANCES, kurtosis)
            }),
        ),
        Claim::new(
            "groups-frechet",
            "With distances between samples the Fréchet distance falls faster than with tests of normality.",
            "Abstract, figures 3 and 4",
        )
        .tested_by(
            format!("{distance} on the validation set, mean over the first half of training: mean of the tests over mean of the distances"),
            "ratio",
        )
        .judge(
            Criterion::Above(1.0),
            &by_seed(results, |r| group(r, &Method::TESTS, early) / group(r, &Method::DISTANCES, early)),
        ),
        Claim::new(
            "closed-form",
            "SCFWAE reaches what SWAE reaches with no draw from the prior.",
            "Section 4",
        )
        .tested_by("SCFWAE over SWAE on the test set: the larger of the ratios of reconstruction errors and of sliced W₂ distances", "ratio")
        .judge(
            Criterion::AtMost(1.1),
            &by_seed(results, |r| worse(r.get(Method::Scfwae), r.get(Method::Swae))),
        ),
        Claim::new(
            "gradient-variance",
            "Without draws from the prior its gradient varies less.",
            "Section 4: one of two samplings is saved",
        )
        .tested_by("Variance of the distance's gradient in a batch of codes over draws, same directions: SWAE over SCFWAE", "ratio")
        .judge(
            Criterion::Above(1.0),
            &by_seed(results, |r| {
                let of = |m: Method| {
                    r.gradients.iter().find(|g| g.method == m).map_or(f64::NAN, |g| g.variance)
                };
                of(Method::Swae) / of(Method::Scfwae)
            }),
        ),
    ];
    let weights = results.first().map_or(0, |r| search(r, searched).count());
    if weights > 0 {
        let mut search_claims = vec![
            Claim::new("search", "Without the logarithm the weight matters.", "Introduction, equation 1")
                .tested_by(
                    "Over all weights: the model that is worst against the logarithm's, by reconstruction error or sliced W₂ distance, whichever is worse",
                    "largest ratio",
                )
                .judge(
                    Criterion::Above(2.0),
                    &by_seed(results, |r| highest(search(r, searched))),
                ),
            Claim::new(
                "no-search",
                "With the logarithm no search is needed: results are similar or better.",
                "Introduction, equation 2",
            )
            .tested_by(
                "The same for the best of all weights: below 1 it is better in both reconstruction and normality",
                "smallest ratio",
            )
            .judge(
                Criterion::Above(0.9),
                &by_seed(results, |r| lowest(search(r, searched))),
            ),
        ];
        if cost != Cost::Log {
            let reason =
                "the models that the weights are compared with have one themselves, and not the logarithm";
            search_claims = search_claims.into_iter().map(|claim| claim.not_tested(reason)).collect();
        }
        all.extend(search_claims);
    }
    all
}
