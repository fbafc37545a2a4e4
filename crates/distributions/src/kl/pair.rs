//! From a scalar pair of two-parameter families to arrays.

use ndarray::{ArrayD, ArrayViewD};

use super::KlGrad;
use crate::{Error, LocationScaleGrad, Real, UniformGrad, elementwise};

/// Two named parameters of one side.
type Side<'a, F> = [(&'static str, ArrayViewD<'a, F>); 2];

/// The value of `scalar`, over the parameters broadcast together.
pub(super) fn value<F: Real>(
    p: Side<'_, F>,
    q: Side<'_, F>,
    scalar: impl Fn([f64; 4]) -> [f64; 5] + Sync + Send,
) -> Result<ArrayD<F>, Error> {
    let ([a, b], [c, d]) = (p, q);
    let [value] = elementwise::broadcast([a, b, c, d], |arguments| [scalar(arguments)[0]])?;
    Ok(value)
}

/// The value and the partials of `scalar`.
pub(super) fn with_grad<F: Real, P: From<[ArrayD<F>; 2]>, Q: From<[ArrayD<F>; 2]>>(
    p: Side<'_, F>,
    q: Side<'_, F>,
    scalar: impl Fn([f64; 4]) -> [f64; 5] + Sync + Send,
) -> Result<(ArrayD<F>, KlGrad<P, Q>), Error> {
    let ([a, b], [c, d]) = (p, q);
    let [value, a, b, c, d] = elementwise::broadcast([a, b, c, d], scalar)?;
    Ok((value, KlGrad { p: [a, b].into(), q: [c, d].into() }))
}

impl<F> From<[ArrayD<F>; 2]> for LocationScaleGrad<F> {
    fn from([loc, scale]: [ArrayD<F>; 2]) -> Self {
        Self { loc, scale }
    }
}

impl<F> From<[ArrayD<F>; 2]> for UniformGrad<F> {
    fn from([low, high]: [ArrayD<F>; 2]) -> Self {
        Self { low, high }
    }
}
