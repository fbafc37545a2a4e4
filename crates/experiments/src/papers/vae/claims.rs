//! What the tutorial claims, and how each claim is tested.

use variata_report::{Claim, Criterion, Verdict, significant};

use super::measure::SeedResult;
use super::models::Variant;
use crate::page::by_seed;
use crate::settings::lowest;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Median of the posterior standard deviations.
fn median_sd(r: &SeedResult, variant: Variant) -> f64 {
    let mut all: Vec<f64> = r.get(variant).codes.sd.iter().copied().collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn kl(r: &SeedResult, variant: Variant) -> f64 {
    r.get(variant).codes.kl.iter().sum()
}

/// Second moment of the aggregate posterior, mean over dimensions: 1 under N(0, I).
fn second_moment(r: &SeedResult, variant: Variant) -> f64 {
    let c = &r.get(variant).codes;
    mean(&c.mean.iter().zip(&c.sd).map(|(m, s)| m * m + s * s).collect::<Vec<_>>())
}

/// Without classes: what the classifier sees in an image, and what a label tells, cannot be judged.
fn of_classes(claim: Claim, named: bool, criterion: Criterion, values: &[(u64, f64)]) -> Claim {
    if named { claim.judge(criterion, values) } else { claim.not_tested("the data have no classes") }
}

/// Of the second moments of each seed, and the KLs. Codes that say nothing have the prior's moments, too.
fn case_3(moments: &[(u64, f64)], kls: &[(u64, f64)]) -> Claim {
    let silent: Vec<String> = kls
        .iter()
        .filter(|(_, kl)| !(*kl > 1.0))
        .map(|(seed, kl)| format!("{} nats with seed {seed}", significant(*kl, 3)))
        .collect();
    let note = if silent.is_empty() {
        String::new()
    } else {
        format!(", and is {}, so that the code says too little", silent.join(", "))
    };
    let claim = Claim::new(
        "case-3",
        "With both terms the codes fill the prior and still carry the image.",
        "Case 3 [corrected: errata 000-14]",
    )
    .tested_by(
        format!("Second moment of the posteriors on the test images, mean over the 2 dimensions; KL must be above 1 nat too{note}"),
        "second moment (1 under the prior)",
    )
    .judge(Criterion::Within { low: 0.7, high: 1.3 }, moments);
    if silent.is_empty() { claim } else { Claim { verdict: Verdict::NotHeld, ..claim } }
}

pub(super) fn claims(results: &[SeedResult]) -> Vec<Claim> {
    let on_test = "on the test images";
    let several = results.iter().all(SeedResult::several_classes);
    let different = if several { " of different classes" } else { "" };
    let named = results.iter().all(|r| r.classifier_accuracy.is_some());
    vec![
        Claim::new("bound", "The negative loss is a lower bound of log p(x).", "Loss function [corrected: errata 000-7]")
            .tested_by(
                "The negative of the trained loss, whose KL is in closed form, against the importance-weighted bound with the most weights, which comes from densities alone, by other draws; VAE",
                "bound + loss, in standard errors over the test images",
            )
            .judge(Criterion::Above(4.0), &by_seed(results, |r| r.get(Variant::Vae).above_loss)),
        Claim::new(
            "case-1",
            "With the distortion alone the encoder learns narrow distributions, as a plain autoencoder does.",
            "Case 1",
        )
        .tested_by(
            format!("Median posterior standard deviation {on_test}, in units of the codes' own spread, KL weight 0 over KL weight 1, 2-D"),
            "ratio",
        )
        .judge(
            Criterion::Below(0.5),
            &by_seed(results, |r| {
                let relative = |v| median_sd(r, v) / second_moment(r, v).sqrt();
                relative(Variant::MapDistortion) / relative(Variant::Map)
            }),
        ),
        Claim::new(
            "case-2",
            "With the regulariser alone every image gets the prior N(0, I), and the code says nothing.",
            "Case 2 [corrected: errata 000-13]",
        )
        .tested_by(format!("KL {on_test}, distortion weight 0, 2-D"), "KL, nats")
        .judge(Criterion::Below(0.01), &by_seed(results, |r| kl(r, Variant::MapKl))),
        case_3(
            &by_seed(results, |r| second_moment(r, Variant::Map)),
            &by_seed(results, |r| kl(r, Variant::Map)),
        ),
        Claim::new(
            "sampling",
            "A plain autoencoder's decoder does not know codes outside the data's; a VAE's turns draws of N(0, I) into images like the data.",
            "Autoencoder vs VAE",
        )
        .tested_by(
            "Fréchet distance between features of images decoded from N(0, I) and of test images, AE over VAE",
            "ratio of distances",
        )
        .judge(
            Criterion::Above(1.5),
            &by_seed(results, |r| r.get(Variant::Ae).frechet / r.get(Variant::Vae).frechet),
        ),
        of_classes(
            Claim::new(
                "smoothness",
                "The regularised latent space is smooth: points between two codes decode to images, too.",
                "Autoencoder vs VAE",
            )
            .tested_by(
                format!("Classifier's highest probability half-way between the codes of two test images{different}, VAE − AE"),
                "difference of means",
            ),
            named,
            Criterion::Above(0.0),
            &by_seed(results, |r| {
                r.get(Variant::Vae).midpoint_confidence - r.get(Variant::Ae).midpoint_confidence
            }),
        ),
        Claim::new(
            "trade-off",
            "The KL term pulls towards the prior and the distortion away from it: more weight on the KL lowers it and costs distortion.",
            "Case 3 [corrected: errata 000-14]",
        )
        .tested_by(
            format!("β-VAE against VAE {on_test}: the smaller of the KL saved and the distortion paid"),
            "nats",
        )
        .judge(
            Criterion::Above(0.0),
            &by_seed(results, |r| {
                let saved = kl(r, Variant::Vae) - kl(r, Variant::Beta);
                let paid = r.get(Variant::Beta).distortion - r.get(Variant::Vae).distortion;
                lowest([saved, paid])
            }),
        ),
        of_classes(
            Claim::new(
                "conditional",
                "A conditional VAE generates the digit that is asked for.",
                "Conditional VAE, figure C_VAE",
            )
            .tested_by(
                "A classifier trained on real images names the images drawn for each class",
                "share named as requested",
            ),
            named,
            Criterion::AtLeast(0.9),
            &by_seed(results, SeedResult::requested_accuracy),
        ),
        of_classes(
            Claim::new(
                "condition-helps",
                "Given the label, the code no longer has to say it: the bound rises.",
                "Conditional VAE",
            )
            .tested_by(format!("ELBO of the CVAE − ELBO of the VAE {on_test}, same latent size"), "nats"),
            named,
            Criterion::Above(0.0),
            &by_seed(results, |r| {
                let elbo = |v| r.get(v).bounds.last().map_or(f64::NAN, |(_, b)| b.elbo);
                elbo(Variant::Cvae) - elbo(Variant::Vae)
            }),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_say_nothing_do_not_fill_the_prior() {
        let moments = [(0, 1.0), (1, 0.9)];
        let claim = case_3(&moments, &[(0, 3.0), (1, 1.1)]);
        assert!(claim.verdict == Verdict::Held && claim.test.ends_with("KL must be above 1 nat too"));
        for kl in [0.25, f64::NAN] {
            let claim = case_3(&moments, &[(0, 3.0), (1, kl)]);
            assert_eq!(claim.verdict, Verdict::NotHeld, "{kl}");
            assert!(
                claim.test.contains(&format!("{} nats with seed 1", significant(kl, 3))),
                "{}",
                claim.test
            );
            // The statistic itself is shown.
            assert_eq!(claim.result(), "0.950 ± 0.071");
        }
        assert_eq!(case_3(&[(0, 2.0)], &[(0, 3.0)]).verdict, Verdict::NotHeld);
    }
}
