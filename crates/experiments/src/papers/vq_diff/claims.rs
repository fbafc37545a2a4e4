//! What the paper claims, and how each claim is tested.

use anyhow::Result;
use variata_distributions::{Gumbel, KlDivergence, Normal};
use variata_report::{Claim, Criterion, Verdict};

use super::measure::{ModelResult, Perturbed, SeedResult};
use super::models::{Method, over_training};
use crate::page::by_seed;
use crate::settings::{highest, lowest};

/// BUAN of what is a reconstruction at the least: half of the streamlines are where they were. Different parts of a bundle score higher.
const LEAST: f64 = 0.5;

/// KL(N(0, σ²) ‖ Gumbel(0, β)).
pub(super) fn divergence(deviation: f64, scale: f64) -> Result<f64> {
    Ok(Normal::<f64>::scalar(0.0, deviation)?.kl(&Gumbel::<f64>::scalar(0.0, scale)?)?.sum())
}

/// How far the divergence at the codebook's own spread moves over the training, over where it starts.
pub(super) fn drift(m: &ModelResult, scale: f64) -> f64 {
    let values: Vec<f64> = over_training(&m.history, "codes_rms")
        .into_iter()
        .map(|rms| divergence(rms, scale).unwrap_or(f64::NAN))
        .collect();
    spread(&values) / values.first().copied().unwrap_or(f64::NAN)
}

/// Largest less smallest; NaN of none.
fn spread(values: &[f64]) -> f64 {
    highest(values.iter().copied()) - lowest(values.iter().copied())
}

/// The largest over the tracts of a difference of two models; tracts without test data are left out.
fn largest(r: &SeedResult, from: Method, less: Method) -> f64 {
    let (from, less) = (r.get(from), r.get(less));
    let tested = (0..from.scores.len()).filter(|&k| !from.scores[k].is_empty());
    highest(tested.map(|k| from.tract(k) - less.tract(k)))
}

/// How far perturbations move a reconstruction, mm, mean over their sizes but 0.
fn moved(all: &[Perturbed]) -> f64 {
    let sizes: Vec<f64> = all.iter().filter(|p| p.epsilon != 0.0).map(|p| p.moved).collect();
    sizes.iter().sum::<f64>() / sizes.len() as f64
}

/// Of the differences of each seed, and the scores of VQ-Diff. Models that lose every bundle are on a par as well.
fn par(differences: &[(u64, f64)], scores: &[(u64, f64)]) -> Claim {
    let claim = Claim::new(
        "par",
        "VQ-Diff reconstructs on a par with the autoencoder.",
        "Section 3.1, table 1",
    )
    .tested_by(
        "BUAN, mean over test data of a tract: the autoencoder's less VQ-Diff's, the largest over the tracts",
        "difference",
    )
    .paper_reports("0.0142")
    .judge(Criterion::AtMost(0.02), differences);
    match scores.iter().find(|(_, score)| !(*score >= LEAST)) {
        Some((seed, score)) if claim.verdict == Verdict::Held => claim.not_tested(format!(
            "the mean BUAN of VQ-Diff is {score:.3} with seed {seed}, below {LEAST}: neither model reconstructs"
        )),
        _ => claim,
    }
}

pub(super) fn claims(results: &[SeedResult], scale: f64) -> Vec<Claim> {
    let share = |r: &SeedResult| {
        let found = r.get(Method::VqDiff).usage;
        found.map_or(f64::NAN, |found| found.used() as f64 / found.codes as f64)
    };
    let clusters = Claim::new("clusters", "Latent vectors of VQ-Diff cluster by bundle better than those of AE and VAE.", "Section 3.2, figure 3.2")
        .tested_by("Share of the same tract among the nearest latent vectors of other subjects: VQ-Diff less the better of AE and VAE", "difference");
    let purer = |r: &SeedResult| {
        let of = |m: Method| r.get(m).purity;
        Some((r.seed, of(Method::VqDiff)? - highest([of(Method::Ae)?, of(Method::Vae)?])))
    };
    vec![
        par(
            &by_seed(results, |r| largest(r, Method::Ae, Method::VqDiff)),
            &by_seed(results, |r| r.get(Method::VqDiff).buan()),
        ),
        Claim::new("better", "VQ-Diff reconstructs better than VAE, VQ-VAE and VQ-EMA.", "Section 3.1, table 1")
            .tested_by("BUAN, mean over test data of a tract: that of the best of the three less VQ-Diff's, the largest over the tracts", "difference")
            .paper_reports("−0.2834")
            .judge(
                Criterion::Below(0.0),
                &by_seed(results, |r| {
                    let others = [Method::Vae, Method::Vq, Method::VqEma];
                    highest(others.map(|m| largest(r, m, Method::VqDiff)))
                }),
            ),
        Claim::new("all-codes", "The flat Gumbel distribution makes the network use all codes.", "Section 2")
            .tested_by("Share of codes whose mean weight over test data, without noise, is a tenth of an even share at least", "share")
            .judge(Criterion::AtLeast(1.0), &by_seed(results, share)),
        Claim::new("evenly", "It uses more of its codebook than VQ-VAE and VQ-EMA.", "Section 2")
            .tested_by("Perplexity of the mean weights over the larger of the perplexities of the others' choices", "ratio")
            .judge(
                Criterion::Above(1.0),
                &by_seed(results, |r| {
                    let chosen = |m: Method| r.get(m).usage.map_or(f64::NAN, |found| found.perplexity);
                    let soft = r.get(Method::VqDiff).usage.and_then(|found| found.soft);
                    let others = highest([chosen(Method::Vq), chosen(Method::VqEma)]);
                    soft.map_or(f64::NAN, |soft| soft.mean_perplexity) / others
                }),
            ),
        Claim::new("noise", "VQ-Diff tolerates perturbed latent vectors better than the autoencoder.", "Section 3.3: z + ε through each bottleneck")
            .tested_by("Mean distance that streamlines move when normal noise is added before the bottleneck, mean over its sizes: VQ-Diff over the autoencoder", "ratio")
            .judge(
                Criterion::Below(1.0),
                &by_seed(results, |r| moved(&r.get(Method::VqDiff).noise) / moved(&r.get(Method::Ae).noise)),
            ),
        Claim::new("constant", "The same for what the paper's code does.", "Figure 3.3")
            .tested_by("The same for a constant that is added to all numbers behind the bottleneck", "ratio")
            .paper_reports("0.57, 0.42")
            .judge(
                Criterion::Below(1.0),
                &by_seed(results, |r| moved(&r.get(Method::VqDiff).constant) / moved(&r.get(Method::Ae).constant)),
            ),
        match results.iter().map(purer).collect::<Option<Vec<_>>>() {
            Some(values) => clusters.judge(Criterion::Above(0.0), &values),
            None => clusters.not_tested("the mapped test data are of one subject"),
        },
        // That it is constant for fixed σ and β is no claim: no number of a run enters it.
        Claim::new("kl-codes", "The divergence is constant, so that no term is needed: the codebook keeps the one that it began with.", "Section 2; errata 001-8")
            .tested_by("KL(N(0, s²) ‖ Gumbel(0, β)), s the root mean square of the codes, over the validations of the training: largest less smallest, over the first", "share")
            .judge(Criterion::AtMost(0.01), &by_seed(results, |r| drift(r.get(Method::VqDiff), scale))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_reconstruct_nothing_are_not_on_a_par() {
        assert_eq!(par(&[(0, 0.01), (1, 0.0)], &[(0, 0.9), (1, LEAST)]).verdict, Verdict::Held);
        assert_eq!(par(&[(0, 0.3)], &[(0, 0.9)]).verdict, Verdict::NotHeld);
        // The autoencoder reconstructs, and VQ-Diff does not.
        assert_eq!(par(&[(0, 0.9)], &[(0, 0.05)]).verdict, Verdict::NotHeld);
        for score in [0.0, 0.499, f64::NAN] {
            let Verdict::NotTested(reason) = par(&[(0, 0.0), (1, 0.0)], &[(0, 0.9), (1, score)]).verdict
            else {
                panic!("{score}");
            };
            assert!(reason.contains(&format!("{score:.3} with seed 1, below 0.5")), "{reason}");
        }
    }

    #[test]
    fn a_spread_shows_what_is_not_a_number() {
        assert_eq!(spread(&[1.0, 3.0, 2.0]), 2.0);
        assert!(spread(&[1.0, f64::NAN, 3.0]).is_nan() && spread(&[]).is_nan());
    }
}
