//! Terms held at a target, by the modified differential method of multipliers.

use serde::{Deserialize, Serialize};

use crate::error::check_number;
use crate::{Error, Term};

/// How a term g of the objective is held at a target ξ.
///
/// ```text
/// gradient of the objective in g:  λ + c·(g − ξ);      after each step  λ ← max(0, λ + η·(g − ξ))
/// ```
/// with the multiplier λ, 0 at first, the damping c and the multipliers' learning rate η. The damping takes its part also where
/// that makes the coefficient negative, so that g is pulled to ξ from both sides.
///
/// Source: SOS-VAE paper, section 3.2, after Platt & Barr, "Constrained differential optimization" (1988), eq. 14 and 15; the
/// clamp and the values are those of the authors' code.
///
/// g is a mean over the batch here, and a sum of B terms there: their damping 10 and rate 1 are 10·B and B here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// Target ξ, in the unit of the term.
    pub target: f64,
    /// Damping c; 10.
    #[serde(default = "ten")]
    pub damping: f64,
    /// Learning rate η of the multiplier; 1.
    #[serde(default = "one")]
    pub learning_rate: f64,
}

fn ten() -> f64 {
    10.0
}

fn one() -> f64 {
    1.0
}

impl Constraint {
    /// At a target, with the default damping and learning rate.
    pub fn at(target: f64) -> Self {
        Self { target, damping: ten(), learning_rate: one() }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self { target, damping, learning_rate: rate } = *self;
        check_number("constraint.target", target, true, "finite")?;
        check_number("constraint.damping", damping, damping >= 0.0, "finite and >= 0")?;
        check_number("constraint.learning_rate", rate, rate >= 0.0, "finite and >= 0")
    }
}

/// The multiplier λ of each held term, by the name of the term.
///
/// ```
/// use variata_models::train::{Constraint, Multipliers};
///
/// let mut multipliers = Multipliers::default();
/// let constraint = Constraint::at(45.0);
/// assert_eq!(multipliers.coefficient("kl", 70.0, &constraint), 250.0);
/// multipliers.ascend("kl", 70.0, &constraint);
/// assert_eq!(multipliers.get("kl"), 25.0);
/// multipliers.ascend("kl", 0.0, &constraint);
/// assert_eq!(multipliers.get("kl"), 0.0);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Multipliers(Vec<(String, f64)>);

impl Multipliers {
    /// λ of a term; 0 before the first step.
    pub fn get(&self, name: &str) -> f64 {
        self.0.iter().find(|(n, _)| n == name).map_or(0.0, |(_, lambda)| *lambda)
    }

    /// λ + c·(g − ξ) at the value g.
    pub fn coefficient(&self, name: &str, value: f64, constraint: &Constraint) -> f64 {
        self.get(name) + constraint.damping * (value - constraint.target)
    }

    /// λ ← max(0, λ + η·(g − ξ)).
    pub fn ascend(&mut self, name: &str, value: f64, constraint: &Constraint) {
        let next = (self.get(name) + constraint.learning_rate * (value - constraint.target)).max(0.0);
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, lambda)) => *lambda = next,
            None => self.0.push((name.to_owned(), next)),
        }
    }

    /// What a term counts at its value: its weight, and what holds it.
    pub(crate) fn weight(&self, term: &Term, value: f64) -> f64 {
        let held = term.constraint.as_ref().map_or(0.0, |c| self.coefficient(term.name, value, c));
        term.weight + held
    }
}
