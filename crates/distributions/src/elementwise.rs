//! The one driver of scalar kernels: broadcasts, runs in parallel, rounds once.
//!
//! A family is a pure function from `f64` arguments to `f64` results; nothing else in the crate loops over elements.
//! Every element is computed on its own, so the result does not depend on the number of threads.

use ndarray::{Array, ArrayD, ArrayViewD, CowArray, Dimension, IntoDimension, IxDyn};

use crate::memory::{in_large_pages, keep_together};
use crate::parallel::for_each;
use crate::{ArgumentError, Error, Real};

/// Elements per task.
const CHUNK: usize = 4096;

/// The shape to which all of `shapes` broadcast.
///
/// # Errors
/// Names the first argument that does not fit those before it.
pub(crate) fn common_shape(shapes: &[(&'static str, &[usize])]) -> Result<Vec<usize>, ArgumentError> {
    let mut common: Vec<usize> = Vec::new();
    for &(argument, shape) in shapes {
        let mismatch = || ArgumentError::Shape {
            argument,
            got: shape.to_vec(),
            want: format!("broadcastable with {common:?}"),
        };
        let mut joined = vec![1; common.len().max(shape.len())];
        let axes = joined.len();
        joined[axes - common.len()..].copy_from_slice(&common);
        for (have, &new) in joined[axes - shape.len()..].iter_mut().zip(shape) {
            match (*have, new) {
                (a, b) if a == b => {}
                (1, b) => *have = b,
                (_, 1) => {}
                _ => return Err(mismatch()),
            }
        }
        common = joined;
    }
    Ok(common)
}

/// `shape` broadcasts to `target`.
///
/// # Errors
/// Names the argument.
pub(crate) fn broadcasts_to(
    argument: &'static str,
    shape: &[usize],
    target: &[usize],
) -> Result<(), ArgumentError> {
    let fits = shape.len() <= target.len()
        && shape.iter().rev().zip(target.iter().rev()).all(|(&s, &t)| s == t || s == 1);
    if fits {
        Ok(())
    } else {
        let want = format!("broadcastable to {target:?}");
        Err(ArgumentError::Shape { argument, got: shape.to_vec(), want })
    }
}

/// Number of elements of `shape`, which must fit in memory's address range.
///
/// # Errors
/// Names `shape`.
pub(crate) fn checked_len(shape: &[usize]) -> Result<usize, ArgumentError> {
    // A zero axis does not excuse the others: ndarray refuses the product of the non-zero axes.
    let product = shape.iter().filter(|&&n| n > 0).try_fold(8usize, |len, &n| len.checked_mul(n));
    match product {
        Some(bytes) if isize::try_from(bytes).is_ok() && there_is(bytes) => Ok(shape.iter().product()),
        _ => Err(ArgumentError::Shape {
            argument: "shape",
            got: shape.to_vec(),
            want: "small enough for memory".to_owned(),
        }),
    }
}

/// Whether the system would give so much memory at once, asked where it is so much that it may not: a column and a row of millions
/// broadcast to more than any has, and an allocation that fails ends the program.
fn there_is(bytes: usize) -> bool {
    bytes < 1 << 33 || Vec::<u8>::new().try_reserve_exact(bytes).is_ok()
}

/// `f` of the parameters of each item of a batch, whose shape their constructor has checked.
pub(crate) fn batch<F: Real, const IN: usize>(
    shape: &[usize],
    inputs: [(&'static str, ArrayViewD<'_, F>); IN],
    f: impl Fn([f64; IN]) -> f64 + Sync + Send,
) -> ArrayD<F> {
    let [output] = fill(shape, inputs.map(|(_, input)| input), |arguments| [f(arguments)]);
    shaped(IxDyn(shape), output)
}

/// Draws of the given shape: `f` of noise in f64, taken in row-major order, and of the parameters.
///
/// # Errors
/// The batch does not broadcast to `shape`, or `shape` is too large.
pub(crate) fn sample<F: Real, I: IntoDimension, const P: usize>(
    shape: I,
    batch: &[usize],
    parameters: [(&'static str, ArrayViewD<'_, F>); P],
    mut noise: impl FnMut() -> f64,
    f: impl Fn(f64, [f64; P]) -> f64,
) -> Result<Array<F, I::Dim>, Error> {
    let shape = shape.into_dimension();
    let len = checked_len(shape.slice())?;
    broadcasts_to("batch", batch, shape.slice())?;
    let parameters = parameters.map(|(_, parameter)| repeating(parameter, shape.slice()));
    let sources = parameters.each_ref().map(|parameter| parameter.as_slice().unwrap_or_default());
    // The generator is one stream, so this loop is sequential; the draw itself is its cost.
    let draws = (0..len).map(|i| {
        let arguments = sources.map(|source| source[i % source.len()].to_f64());
        F::from_f64(f(noise(), arguments))
    });
    let draws = draws.collect();
    Ok(shaped(shape, draws))
}

/// The elements of [`at`], in row-major order.
fn fill<F: Real, const IN: usize, const OUT: usize>(
    shape: &[usize],
    inputs: [ArrayViewD<'_, F>; IN],
    f: impl Fn([f64; IN]) -> [f64; OUT] + Sync + Send,
) -> [Vec<F>; OUT] {
    let len: usize = shape.iter().product();
    let inputs = inputs.map(|input| repeating(input, shape));
    keep_together::<F>(OUT, len);
    let mut outputs: [Vec<F>; OUT] = std::array::from_fn(|_| vec![F::ZERO; len]);
    for output in &mut outputs {
        in_large_pages(output);
    }
    let mut chunks: Vec<(usize, [&mut [F]; OUT])> = Vec::with_capacity(len.div_ceil(CHUNK));
    let mut iterators = outputs.each_mut().map(|output| output.chunks_mut(CHUNK));
    for start in (0..len).step_by(CHUNK) {
        chunks.push((start, iterators.each_mut().map(|chunk| chunk.next().unwrap_or_default())));
    }
    let task = |(start, mut chunk): (usize, [&mut [F]; OUT])| {
        let sources = inputs.each_ref().map(|input| input.as_slice().unwrap_or_default());
        let mut at = sources.map(|source| if source.is_empty() { 0 } else { start % source.len() });
        for i in 0..CHUNK.min(len - start) {
            let mut arguments = [0.0; IN];
            for ((argument, source), at) in arguments.iter_mut().zip(sources).zip(&mut at) {
                *argument = source[*at].to_f64();
                *at = if *at + 1 == source.len() { 0 } else { *at + 1 };
            }
            for (output, value) in chunk.iter_mut().zip(f(arguments)) {
                output[i] = F::from_f64(value);
            }
        }
    };
    for_each(chunks, task);
    outputs
}

/// `f` of each element of the inputs broadcast to `shape`, as arrays of that dimension.
///
/// # Errors
/// Names the first input that does not broadcast.
pub(crate) fn at<F: Real, D: Dimension, const IN: usize, const OUT: usize>(
    shape: &D,
    inputs: [(&'static str, ArrayViewD<'_, F>); IN],
    f: impl Fn([f64; IN]) -> [f64; OUT] + Sync + Send,
) -> Result<[Array<F, D>; OUT], ArgumentError> {
    for (argument, input) in &inputs {
        broadcasts_to(argument, input.shape(), shape.slice())?;
    }
    let outputs = fill(shape.slice(), inputs.map(|(_, input)| input), f);
    Ok(outputs.map(|output| shaped(shape.clone(), output)))
}

/// `f` of each element of the inputs broadcast against each other.
///
/// # Errors
/// Names the first input that does not fit those before it.
pub(crate) fn broadcast<F: Real, const IN: usize, const OUT: usize>(
    inputs: [(&'static str, ArrayViewD<'_, F>); IN],
    f: impl Fn([f64; IN]) -> [f64; OUT] + Sync + Send,
) -> Result<[ArrayD<F>; OUT], ArgumentError> {
    let shape = common_shape(&inputs.each_ref().map(|(argument, input)| (*argument, input.shape())))?;
    checked_len(&shape)?;
    at(&IxDyn(&shape), inputs, f)
}

/// An array from its elements in row-major order.
pub(crate) fn shaped<T, D: Dimension>(shape: D, elements: Vec<T>) -> Array<T, D> {
    debug_assert_eq!(shape.size(), elements.len());
    #[expect(clippy::expect_used, reason = "the callers fill exactly the product of the shape")]
    Array::from_shape_vec(shape, elements).expect("the elements were counted from the shape")
}

/// The input as a contiguous array whose elements, repeated from the start, fill `shape` in row-major order.
fn repeating<'a, F: Real>(input: ArrayViewD<'a, F>, shape: &[usize]) -> CowArray<'a, F, IxDyn> {
    let ones = input.shape().iter().take_while(|&&n| n == 1).count();
    if shape.ends_with(&input.shape()[ones..]) {
        return contiguous(input);
    }
    // A 1 that is not leading: spread it out.
    match input.broadcast(IxDyn(shape)) {
        Some(spread) => CowArray::from(spread.as_standard_layout().into_owned()),
        None => contiguous(input),
    }
}

/// The input itself when it is contiguous, else a copy.
fn contiguous<F: Real>(input: ArrayViewD<'_, F>) -> CowArray<'_, F, IxDyn> {
    if input.is_standard_layout() {
        CowArray::from(input)
    } else {
        CowArray::from(input.as_standard_layout().into_owned())
    }
}
