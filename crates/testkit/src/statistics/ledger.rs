//! The list of all statistical assertions of the workspace.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The most that the false-alarm rates of a complete run may add up to.
pub const TOTAL_ALPHA: f64 = 1e-6;
/// Share of one use: 250 uses make [`TOTAL_ALPHA`] (Bonferroni).
const ALPHA: f64 = 4e-9;

/// One registered assertion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// The name that the assertion is called with.
    pub name: &'static str,
    /// Probability that one use rejects a correct sampler.
    pub alpha: f64,
    /// How often a run may use it.
    pub uses: u32,
    /// Least sample size, at which the discrepancy is caught with probability ≥ 1 − 10⁻⁶.
    pub samples: usize,
    /// The discrepancy that it must catch.
    pub catches: &'static str,
}

const fn of(name: &'static str, samples: usize, catches: &'static str) -> Entry {
    Entry { name, alpha: ALPHA, uses: 8, samples, catches }
}

/// Every statistical assertion of the workspace; its test adds the rates up.
///
/// A Kolmogorov–Smirnov test at n = 10⁶ catches a distance of √(ln(2/α)/2n) + √(ln(2/10⁻⁶)/2n) = 5.8·10⁻³; a z-test
/// catches (5.88 + 4.75)/√n standard deviations.
pub const LEDGER: &[Entry] = &[
    // distributions: samplers
    of("ks_normal", 1_000_000, "mean + 0.02 σ; σ × 1.03"),
    of("ks_laplace", 1_000_000, "location + 0.02 b; scale × 1.04"),
    of("ks_uniform", 1_000_000, "range 1 % too wide; upper 0.7 % of the range missing"),
    of("ks_gumbel", 1_000_000, "location + 0.02 β; scale × 1.03; the mirrored (minimum) law"),
    of("ks_logistic", 1_000_000, "location + 0.03 s; scale × 1.03"),
    of("freq_bernoulli", 1_000_000, "probability + 0.006 at p = 1/2; p and 1 − p exchanged elsewhere"),
    of("chi2_categorical", 1_000_000, "probability 0.005 moved between two of 8 equal categories"),
    of(
        "ks_mvn_mahalanobis",
        1_000_000,
        "covariance × 1.02 in 3 or more dimensions; Cholesky factor transposed",
    ),
    of("ks_diagonal_normal", 1_000_000, "mean + 0.02 σ; variance used for σ"),
    of("tail_gumbel", 1_000_000, "P(x > 8) × 0.4; tail cut at 8"),
    of("tail_normal", 1_000_000, "tails cut at |x| = 4"),
    // distributions: estimators
    of("mc_kl", 100_000, "bias of 0.034 standard deviations of one term; arguments exchanged"),
    of(
        "iwae_bound",
        10_000,
        "bias of 0.11 standard deviations of one term; sum in place of mean of the weights",
    ),
    // lowrank-mvn: samplers
    of("ks_low_rank_mahalanobis", 1_000_000, "covariance × 1.02 in 3 or more dimensions"),
    of("ks_low_rank_projection", 1_000_000, "mean + 0.02 σ; variance × 1.06; D used for √D"),
    of("ks_low_rank_posterior", 1_000_000, "mean + 0.02 σ; variance × 1.06; the prior's variance"),
    of("mean_low_rank_entropy", 1_000_000, "entropy + 0.0106 standard deviations of log p"),
    // sliced
    Entry {
        uses: 3,
        ..of("ks_directions", 1_000_000, "points of the cube, normalised, in place of the sphere")
    },
    Entry { uses: 2, ..of("rate_of_tests", 200_000, "rejection rates 25 % off at 0.01") },
    // quantize
    Entry { uses: 1, ..of("chi2_gumbel_softmax", 1_000_000, "logits 5 % too far apart") },
    Entry { uses: 2, ..of("tail_gumbel_noise", 1_000_000, "tail cut at 8.5") },
    // fourier-aug
    Entry { uses: 1, ..of("chi2_wave_frequencies", 100_000, "every wave vector alike") },
    Entry { uses: 2, ..of("ks_dirichlet", 1_000_000, "a uniform weight") },
    Entry { uses: 1, ..of("mean_augmix", 10_000, "a mean that is 12 % off") },
    Entry { uses: 2, ..of("ks_corruption_noise", 1_000_000, "mean + 0.02 σ; σ × 1.03") },
    Entry { uses: 2, ..of("mean_corruption_shot", 1_000_000, "rate + 0.0106 standard deviations") },
    Entry { uses: 2, ..of("freq_corruption_impulse", 1_000_000, "share × 1.06; salt without pepper") },
    Entry { uses: 1, ..of("mean_calibration_debiased", 400, "the estimate that is not debiased") },
    Entry { uses: 1, ..of("freq_calibration_interval", 400, "intervals of level 0.75 in place of 0.95") },
    Entry { uses: 10, ..of("freq_calibration_held", 400, "intervals of level 0.5 in place of 0.95") },
    // datasets
    Entry {
        uses: 2,
        ..of("shuffle_uniform", 100_000, "the shuffle of 4 that exchanges each place with any place")
    },
    // models
    of("noise_normal", 1_000_000, "mean + 0.02 σ; σ × 1.03"),
    Entry { uses: 2, ..of("ks_prior", 1_000_000, "the distance from the centre of a ball, uniform") },
    // testkit: the tools on samplers written for their tests
    of("testkit_ks", 1_000_000, "mean + 0.02 σ; σ × 1.03"),
    of("testkit_ks_two_sample", 1_000_000, "mean + 0.04 σ of one sample"),
    of("testkit_chi2", 100_000, "the shuffle of 4 that exchanges each place with any place"),
    of("testkit_binomial", 1_000_000, "tails cut at |x| = 4"),
    Entry { uses: 4, ..of("testkit_mean", 1_000_000, "mean + 0.0106 σ") },
    Entry { uses: 1, ..of("testkit_overuse", 1, "nothing: it shows that uses are counted") },
];

/// The entry of that name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    LEDGER.iter().find(|entry| entry.name == name)
}

/// The seed of a statistical test: `fixed`, so that an ordinary run cannot flake. When the environment variable
/// `VARIATA_FRESH_SEED` holds a number, both are mixed and the result is printed: the long run with fresh seeds.
///
/// ```
/// if std::env::var_os("VARIATA_FRESH_SEED").is_none() {
///     assert_eq!(variata_testkit::statistics::seed(7), 7);
/// }
/// ```
pub fn seed(fixed: u64) -> u64 {
    let fresh = std::env::var("VARIATA_FRESH_SEED").ok().and_then(|text| text.trim().parse::<u64>().ok());
    fresh.map_or(fixed, |fresh| {
        // SplitMix64's finaliser spreads neighbouring fixed seeds.
        let mut z = fresh ^ fixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let mixed = z ^ (z >> 31);
        eprintln!("statistics: seed {fixed} became {mixed} (VARIATA_FRESH_SEED={fresh})");
        mixed
    })
}

/// What an assertion that held has seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The registered assertion.
    pub entry: &'static Entry,
    /// Sample size.
    pub samples: usize,
    /// Value of the statistic.
    pub statistic: f64,
    /// Upper bound of the probability that a correct sampler gives this value or a worse one.
    pub p_value: f64,
}

/// Why an assertion does not hold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Failure {
    /// The sampler is rejected.
    Rejected(Evidence),
    /// The name is not in the [`LEDGER`].
    Unregistered {
        /// The name.
        name: String,
    },
    /// A run uses the assertion more often than its false-alarm rate was counted.
    Overused {
        /// The entry.
        entry: &'static Entry,
    },
    /// The sample is too small for what the assertion must catch.
    TooFew {
        /// The entry.
        entry: &'static Entry,
        /// Size of the sample.
        got: usize,
    },
    /// A cell's expected count is too small for the χ² approximation.
    Expected {
        /// The entry.
        entry: &'static Entry,
        /// The cell.
        cell: usize,
        /// Its expected count.
        expected: f64,
    },
    /// A number that the test was given or computed is outside its domain.
    Value {
        /// The entry.
        entry: &'static Entry,
        /// What the number is.
        what: &'static str,
        /// Its position.
        index: usize,
        /// The number.
        value: f64,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(Evidence { entry, samples, statistic, p_value }) => write!(
                f,
                "{}: a correct sampler gives this with probability {p_value:.3e} (α = {:.1e}): statistic \
                 {statistic:.6e} at n = {samples}; this assertion looks for: {}",
                entry.name, entry.alpha, entry.catches
            ),
            Self::Unregistered { name } => write!(f, "{name}: not in the ledger of statistical assertions"),
            Self::Overused { entry } => {
                write!(
                    f,
                    "{}: used more than the {} times in its entry of the ledger",
                    entry.name, entry.uses
                )
            }
            Self::TooFew { entry, got } => {
                write!(
                    f,
                    "{}: {got} samples, must be at least {} to catch: {}",
                    entry.name, entry.samples, entry.catches
                )
            }
            Self::Expected { entry, cell, expected } => write!(
                f,
                "{}: cell {cell} expects {expected}, must be at least {}",
                entry.name,
                super::LEAST_EXPECTED
            ),
            Self::Value { entry, what, index, value } => {
                write!(f, "{}: {what} {index} is {value}", entry.name)
            }
        }
    }
}

impl std::error::Error for Failure {}

/// The declared discrepancy is caught: `outcome`, made by a `try_*` form of the same name from a mutant sampler, must be
/// [`Failure::Rejected`].
///
/// # Panics
/// If the mutant passes, if the outcome is another failure, or if it belongs to another entry.
#[track_caller]
pub fn assert_rejects(name: &str, outcome: &Result<Evidence, Failure>) {
    match outcome {
        Err(Failure::Rejected(evidence)) if evidence.entry.name == name => {}
        Ok(evidence) => panic!("{name}: the mutant passes: {evidence:?}"),
        Err(failure) => panic!("{name}: the mutant is not rejected, but: {failure}"),
    }
}

/// The entry of `name`, if the sample is large enough for it.
pub(super) fn admit(name: &str, samples: usize) -> Result<&'static Entry, Failure> {
    let entry = entry(name).ok_or_else(|| Failure::Unregistered { name: name.to_owned() })?;
    if samples < entry.samples { Err(Failure::TooFew { entry, got: samples }) } else { Ok(entry) }
}

/// Judges a statistic by its p-value.
pub(super) fn judge(
    entry: &'static Entry,
    samples: usize,
    statistic: f64,
    p_value: f64,
) -> Result<Evidence, Failure> {
    let evidence = Evidence { entry, samples, statistic, p_value };
    // A NaN p-value is rejected.
    if p_value > entry.alpha { Ok(evidence) } else { Err(Failure::Rejected(evidence)) }
}

/// Counts one use and panics with the failure, if any.
#[track_caller]
pub(super) fn settle(outcome: Result<Evidence, Failure>) {
    static USES: LazyLock<Mutex<HashMap<&'static str, u32>>> = LazyLock::new(Mutex::default);
    let counted = outcome.and_then(|evidence| {
        // A panic elsewhere cannot leave a count half written.
        let mut uses = USES.lock().unwrap_or_else(PoisonError::into_inner);
        let count = uses.entry(evidence.entry.name).or_default();
        *count += 1;
        if *count > evidence.entry.uses { Err(Failure::Overused { entry: evidence.entry }) } else { Ok(()) }
    });
    if let Err(failure) = counted {
        panic!("{failure}");
    }
}
