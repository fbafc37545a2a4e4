//! Jensen–Shannon divergence and Fréchet distance on tensors.

use ndarray::{Array1, ArrayViewD, CowArray, Ix2, Ix3};
use tch::{Device, Kind, Tensor};
use variata_torch_bridge::{
    Element, Route, attach_backward, attach_gradient, check_floating, route, tensor_from_array,
};

use super::categorical::normalised;
use super::evaluate::{same_size, size, wanted};
use super::math::{log1pmx, product, select};
use super::team::{lend, lend_all};
use crate::{ArgumentError, Error, FrechetGrad, Real, divergence, frechet};

/// Jensen–Shannon divergence between the distributions softmax(logits) of the rows of `logits` [n, categories]; a scalar,
/// f64. Formula and source: [`crate::jensen_shannon`].
///
/// `weights` `[n]`, > 0 and adding to 1; `None` for 1/n each. On plain CPU tensors value and gradient come from the native
/// kernel.
///
/// # Errors
/// `logits` is not dense and floating-point, has not two axes, or no row or no category; weights as for the native form.
///
/// ```
/// use variata_distributions::torch::jensen_shannon;
/// use variata_torch_bridge::tch::Tensor;
/// let far = f64::NEG_INFINITY;
/// let logits = Tensor::from_slice(&[0.0, far, far, 0.0]).view([2, 2]);
/// assert!((jensen_shannon(&logits, None)?.double_value(&[]) - std::f64::consts::LN_2).abs() < 1e-15);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon(logits: &Tensor, weights: Option<&[f64]>) -> Result<Tensor, Error> {
    let weights = checked("logits", logits, weights)?;
    let native = match (route(&[logits], &[]), logits.kind()) {
        (Route::Native, Kind::Float) => native::<f32>(logits, &weights)?,
        (Route::Native, Kind::Double) => native::<f64>(logits, &weights)?,
        _ => None,
    };
    Ok(native.unwrap_or_else(|| one(logits, &weights)))
}

/// [`jensen_shannon`] as tensor operations: any device, any derivative order.
///
/// # Errors
/// As [`jensen_shannon`].
pub fn jensen_shannon_composed(logits: &Tensor, weights: Option<&[f64]>) -> Result<Tensor, Error> {
    Ok(one(logits, &checked("logits", logits, weights)?))
}

/// [`jensen_shannon`] of every item of `logits` [n, batch, categories], between its rows `logits[i][b]`: `[batch]`, f64. On plain CPU
/// tensors value and gradient come from [`crate::jensen_shannon_batch`].
///
/// # Errors
/// As [`jensen_shannon`], with three axes; the batch may be empty.
///
/// ```
/// use variata_distributions::torch::jensen_shannon_batch;
/// use variata_torch_bridge::tch::Tensor;
/// let far = f64::NEG_INFINITY;
/// let logits = Tensor::from_slice(&[0.0, far, 1.0, 2.0, far, 0.0, 1.0, 2.0]).view([2, 2, 2]);
/// let jsd = jensen_shannon_batch(&logits, None)?;
/// assert!((jsd.double_value(&[0]) - std::f64::consts::LN_2).abs() < 1e-15 && jsd.double_value(&[1]) == 0.0);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon_batch(logits: &Tensor, weights: Option<&[f64]>) -> Result<Tensor, Error> {
    let weights = checked_batch("logits", logits, weights)?;
    let native = match (route(&[logits], &[]), logits.kind()) {
        (Route::Native, Kind::Float) => native_batch::<f32>(logits, &weights)?,
        (Route::Native, Kind::Double) => native_batch::<f64>(logits, &weights)?,
        _ => None,
    };
    Ok(native.unwrap_or_else(|| composed(logits, &weights)))
}

/// [`jensen_shannon_batch`] as tensor operations: any device, any derivative order.
///
/// # Errors
/// As [`jensen_shannon_batch`].
pub fn jensen_shannon_batch_composed(logits: &Tensor, weights: Option<&[f64]>) -> Result<Tensor, Error> {
    Ok(composed(logits, &checked_batch("logits", logits, weights)?))
}

/// [`jensen_shannon`] between rows of probabilities [n, categories], which may hold zeros; as tensor operations on every
/// device. That they add to 1 is not checked.
///
/// # Errors
/// As [`jensen_shannon`].
pub fn jensen_shannon_probabilities(
    probabilities: &Tensor,
    weights: Option<&[f64]>,
) -> Result<Tensor, Error> {
    let weights = checked("probabilities", probabilities, weights)?;
    Ok(of_probabilities(&probabilities.unsqueeze(1), &weights).squeeze_dim(0))
}

/// [`jensen_shannon_probabilities`] of every item of `probabilities` [n, batch, categories]: `[batch]`, f64.
///
/// # Errors
/// As [`jensen_shannon_batch`].
///
/// ```
/// use variata_distributions::torch::jensen_shannon_batch_probabilities;
/// use variata_torch_bridge::tch::Tensor;
/// let p = Tensor::from_slice(&[0.0, 1.0, 0.5, 0.5, 1.0, 0.0, 0.5, 0.5]).view([2, 2, 2]);
/// let jsd = jensen_shannon_batch_probabilities(&p, None)?;
/// assert!((jsd.double_value(&[0]) - std::f64::consts::LN_2).abs() < 1e-15 && jsd.double_value(&[1]) == 0.0);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn jensen_shannon_batch_probabilities(
    probabilities: &Tensor,
    weights: Option<&[f64]>,
) -> Result<Tensor, Error> {
    let weights = checked_batch("probabilities", probabilities, weights)?;
    Ok(of_probabilities(probabilities, &weights))
}

/// `[batch]` from [n, batch, categories]: each term as φ(r) = (1 + r) log(1 + r) − r of r = p/m − 1.
fn of_probabilities(probabilities: &Tensor, weights: &Array1<f64>) -> Tensor {
    let p = probabilities.to_kind(Kind::Double);
    let w = column(weights, &p).unsqueeze(-1);
    let over_rows = |x: &Tensor| (x * &w).sum_dim_intlist([0i64].as_slice(), true, Kind::Double);
    let m = over_rows(&p);
    // From differences of the probabilities, which are exact next to equality, to the row that gives most to m; where it is
    // far from m, from the quotient.
    let first = p.gather(0, &(&p * &w).argmax(0, true), false);
    let gap = &p - &first;
    let near = m.ge_tensor(&(&first * 0.5));
    let divisor = m.masked_fill(&m.eq(0.0), 1.0);
    let ratio = &p / &divisor;
    let r = select(&near, &((&gap - over_rows(&gap)) / &divisor), &(&ratio - 1.0));
    let (sure, large) = (r.le(-1.0), r.gt(1.0));
    let inside = r.masked_fill(&sure, 0.0).masked_fill(&large, 0.0);
    let phi = ((&inside + 1.0) * log1pmx(&inside) + inside.square()).masked_fill(&sure, 1.0);
    // Where r grows, to 1/w, φ would lose its digits.
    let far = &p * ratio.masked_fill(&large.logical_not(), 1.0).log() - (&p - &m);
    let terms = w * select(&large, &far, &(m * phi));
    terms.sum_dim_intlist([0i64, 2].as_slice(), false, Kind::Double)
}

fn checked(argument: &'static str, x: &Tensor, weights: Option<&[f64]>) -> Result<Array1<f64>, Error> {
    check_floating(&[(argument, x)])?;
    let got = size(x);
    if got.len() != 2 || got.contains(&0) {
        let want = "[n, categories], not empty".to_owned();
        return Err(ArgumentError::Shape { argument, got, want }.into());
    }
    let weights = weights.map(|w| Array1::from(w.to_vec()));
    Ok(divergence::checked_weights(got[0], weights.as_deref())?)
}

fn checked_batch(argument: &'static str, x: &Tensor, weights: Option<&[f64]>) -> Result<Array1<f64>, Error> {
    check_floating(&[(argument, x)])?;
    let got = size(x);
    if got.len() != 3 || got[0] == 0 || got[2] == 0 {
        let want = "[n, batch, categories] with a row and a category".to_owned();
        return Err(ArgumentError::Shape { argument, got, want }.into());
    }
    let weights = weights.map(|w| Array1::from(w.to_vec()));
    Ok(divergence::checked_weights(got[0], weights.as_deref())?)
}

/// The weights as a column [n, 1] beside `like`.
fn column(weights: &Array1<f64>, like: &Tensor) -> Tensor {
    Tensor::from_slice(weights.as_slice().unwrap_or_default()).unsqueeze(-1).to_device(like.device())
}

fn native<F: Real + Element>(logits: &Tensor, weights: &Array1<f64>) -> Result<Option<Tensor>, Error> {
    let wanted = wanted(&[logits]);
    let found = lend("logits", logits, |view: ArrayViewD<'_, F>| {
        let Ok(rows) = view.into_dimensionality::<Ix2>() else { return Ok(None) };
        if !wanted {
            return crate::jensen_shannon(&rows, Some(weights)).map(|value| Some((value, None)));
        }
        crate::jensen_shannon_with_grad(&rows, Some(weights)).map(|(value, grad)| Some((value, Some(grad))))
    })?;
    let (value, grad) = match found {
        Ok(Some(found)) => found,
        // The composed form lets a value that the kernel refuses propagate.
        Ok(None) | Err(Error::Argument(ArgumentError::Value { .. }) | Error::AllLogitsNegInf { .. }) => {
            return Ok(None);
        }
        Err(other) => return Err(other),
    };
    let value = Tensor::from(value);
    let Some(grad) = grad else { return Ok(Some(value)) };
    let grad = tensor_from_array(grad)?;
    Ok(Some(attach_gradient("jensen_shannon", value, &[(logits, grad)])?))
}

/// [`native`] of every item.
fn native_batch<F: Real + Element>(logits: &Tensor, weights: &Array1<f64>) -> Result<Option<Tensor>, Error> {
    let wanted = wanted(&[logits]);
    let found = lend("logits", logits, |view: ArrayViewD<'_, F>| {
        let Ok(items) = view.into_dimensionality::<Ix3>() else { return Ok(None) };
        if !wanted {
            return crate::jensen_shannon_batch(&items, Some(weights)).map(|values| Some((values, None)));
        }
        let found = crate::jensen_shannon_batch_with_grad(&items, Some(weights));
        found.map(|(values, grad)| Some((values, Some(grad))))
    })?;
    let (values, grad) = match found {
        Ok(Some(found)) => found,
        Ok(None) | Err(Error::Argument(ArgumentError::Value { .. }) | Error::AllLogitsNegInf { .. }) => {
            return Ok(None);
        }
        Err(other) => return Err(other),
    };
    let values = tensor_from_array(values)?;
    let Some(grad) = grad else { return Ok(Some(values)) };
    let grad = tensor_from_array(grad)?;
    Ok(Some(attach_backward("jensen_shannon_batch", values, &[logits], move |upstream| {
        Ok(vec![Some(&grad * upstream.unsqueeze(-1).to_kind(grad.kind()))])
    })?))
}

/// [`composed`] of the rows [n, categories] of one item.
fn one(logits: &Tensor, weights: &Array1<f64>) -> Tensor {
    composed(&logits.unsqueeze(1), weights).squeeze_dim(0)
}

/// `[batch]`: where the rows of an item are near each other by φ(r) = (1 + r) log(1 + r) − r, else by Σ w p log(p/m).
fn composed(logits: &Tensor, weights: &Array1<f64>) -> Tensor {
    let logits = logits.to_kind(Kind::Double);
    let w = column(weights, &logits).unsqueeze(-1);
    let over_rows = |x: Tensor| (x * &w).sum_dim_intlist([0i64].as_slice(), true, Kind::Double);
    let log_p = normalised(&logits);
    let p = log_p.exp();
    // log(pᵢ/p₀) from differences of logits, normalised relative to the likeliest category of the first row.
    let (first, excluded) = (logits.narrow(0, 0, 1), logits.isinf());
    let gap = &logits - &first;
    let top = first.argmax(-1, true).expand([logits.size()[0], -1, 1], true);
    let a = &gap - gap.gather(-1, &top, false);
    let far = a.abs().lt(1.0).logical_not().any_dim(0, true).any_dim(-1, true).expand_as(&a);
    let near = a.masked_fill(&far, 0.0);
    let gain = (p.narrow(0, 0, 1) * near.expm1()).sum_dim_intlist(-1, true, Kind::Double).log1p();
    let excess = (near - gain).expm1();
    let mean = over_rows(excess.shallow_clone());
    let r = (&excess - &mean) / (&mean + 1.0);
    let phi = (&r + 1.0) * log1pmx(&r) + r.square();
    // A category that no row has would be the logarithm of an empty sum, whose slope is NaN.
    let nowhere = log_p.isneginf().all_dim(0, true);
    let log_m = (log_p.masked_fill(&nowhere, 0.0) + w.log()).logsumexp([0i64].as_slice(), true);
    let ratio = log_p.masked_fill(&excluded, 0.0) - log_m;
    let m = over_rows(p.shallow_clone());
    let terms = over_rows(select(&far, &product(&p, &ratio), &(m * phi)));
    terms.sum_dim_intlist([-1i64].as_slice(), false, Kind::Double).squeeze_dim(0)
}

/// Squared Fréchet distance between N(mean_p, covariance_p) and N(mean_q, covariance_q); a scalar, f64. Formula, source and
/// numerics: [`crate::frechet_distance`].
///
/// Computed by the native kernel in f64 on the CPU wherever the tensors live: it is an O(n³) iteration, and f32 would leave
/// no digits. The gradient returns to the tensors' device. There is no second derivative.
///
/// # Shapes
/// Means `[n]`, covariances [n, n].
///
/// # Errors
/// As [`crate::frechet_distance`]; where a gradient is recorded also for singular covariances, as
/// [`crate::frechet_distance_with_grad`].
///
/// ```
/// use variata_distributions::torch::frechet_distance;
/// use variata_torch_bridge::tch::{Device, Kind, Tensor};
/// let (zero, eye) = (Tensor::zeros([2], (Kind::Double, Device::Cpu)), Tensor::eye(2, (Kind::Double, Device::Cpu)));
/// let squared = frechet_distance(&zero, &eye, &(&zero + 3.0), &(&eye * 4.0))?;
/// assert!((squared.double_value(&[]) - 20.0).abs() < 1e-14);
/// # Ok::<(), variata_distributions::Error>(())
/// ```
pub fn frechet_distance(
    mean_p: &Tensor,
    covariance_p: &Tensor,
    mean_q: &Tensor,
    covariance_q: &Tensor,
) -> Result<Tensor, Error> {
    let inputs = [mean_p, covariance_p, mean_q, covariance_q];
    let names = ["mean_p", "covariance_p", "mean_q", "covariance_q"];
    check_floating(&std::array::from_fn::<_, 4, _>(|i| (names[i], inputs[i])))?;
    let n = size(mean_p).first().copied().unwrap_or(0);
    for (name, tensor) in names.into_iter().zip(inputs) {
        let want: &[usize] = if name.starts_with("mean") { &[n] } else { &[n, n] };
        same_size(name, tensor, want)?;
    }
    let wanted = wanted(&inputs);
    let host = inputs.map(|t| t.detach().to_device(Device::Cpu).to_kind(Kind::Double));
    let named: [_; 4] = std::array::from_fn(|i| (names[i], &host[i]));
    let (value, grads) = lend_all(named, |[mp, cp, mq, cq]: [ArrayViewD<'_, f64>; 4]| {
        let vector = |x: ArrayViewD<'_, f64>| x.to_shape(n).map(CowArray::into_owned);
        let square = |x: ArrayViewD<'_, f64>| x.to_shape((n, n)).map(CowArray::into_owned);
        // `same_size` has seen all four shapes.
        let (Ok(mp), Ok(cp), Ok(mq), Ok(cq)) = (vector(mp), square(cp), vector(mq), square(cq)) else {
            return Err(
                ArgumentError::Shape { argument: "mean_p", got: vec![n], want: "[n]".to_owned() }.into()
            );
        };
        if !wanted {
            return frechet::frechet_distance(&mp, &cp, &mq, &cq).map(|value| (value, None));
        }
        frechet::frechet_distance_with_grad(&mp, &cp, &mq, &cq).map(|(value, grad)| (value, Some(grad)))
    })??;
    let device = mean_p.device();
    let value = Tensor::from(value).to_device(device);
    let Some(FrechetGrad { mean_p: mp, covariance_p: cp, mean_q: mq, covariance_q: cq }) = grads else {
        return Ok(value);
    };
    let grads =
        [tensor_from_array(mp)?, tensor_from_array(cp)?, tensor_from_array(mq)?, tensor_from_array(cq)?];
    let mut placed = Vec::with_capacity(4);
    for (grad, input) in grads.into_iter().zip(inputs) {
        placed.push(grad.to_device(device).to_kind(input.kind()));
    }
    Ok(attach_backward("frechet_distance", value, &inputs, move |upstream| {
        Ok(placed.iter().map(|grad| Some(grad * upstream.to_kind(grad.kind()))).collect())
    })?)
}

/// [`frechet_distance`] between the sample moments of two sets of features, [samples, n] each; covariances divide by
/// samples − 1. Differentiable in the features.
///
/// # Errors
/// As [`frechet_distance`], naming `p` or `q`; the numbers of features differ, or there are fewer than two samples.
pub fn frechet_distance_from_features(p: &Tensor, q: &Tensor) -> Result<Tensor, Error> {
    check_floating(&[("p", p), ("q", q)])?;
    let n = size(p).last().copied().unwrap_or(0);
    let mut moments = Vec::with_capacity(4);
    for (argument, features) in [("p", p), ("q", q)] {
        let got = size(features);
        if got.len() != 2 || got[0] < 2 || got[1] != n {
            let want = format!("[samples, {n}] with samples >= 2");
            return Err(ArgumentError::Shape { argument, got, want }.into());
        }
        let features = features.to_kind(Kind::Double);
        let mean = features.mean_dim(Some([0i64].as_slice()), false, Kind::Double);
        let centred = features - &mean;
        let covariance = centred.tr().matmul(&centred) / (got[0] - 1) as f64;
        // A blocked product may round the two halves differently.
        moments.push(mean);
        moments.push((&covariance + covariance.tr()) * 0.5);
    }
    frechet_distance(&moments[0], &moments[1], &moments[2], &moments[3]).map_err(frechet::of_features)
}
