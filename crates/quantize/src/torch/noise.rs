//! The native noise, made of tensor operations on any device.

use tch::{Device, Kind, Tensor};
use variata_torch_bridge::no_grad;

use crate::gumbel::noise::{COARSE, EVEN, FURTHER, ODD, keys};

/// 32 ones.
const WORD: i64 = 0xFFFF_FFFF;

/// Tensor form of [`crate::gumbel_noise`]: standard Gumbel noise [rows, codes] of a seed, for rows from `first_row` on; for
/// kind `Double` as f64 there, for any other as f32, but for the last places of the logarithms.
///
/// ```
/// use variata_quantize::torch::gumbel_noise;
/// use variata_torch_bridge::tch::{Device, Kind};
///
/// let noise = gumbel_noise(7, 0, 3, 4, Kind::Float, Device::Cpu);
/// assert!((noise.double_value(&[2, 1]) - variata_quantize::gumbel_noise::<f64>(7, 0, 3, 4)?[[2, 1]]).abs() < 1e-3);
/// # Ok::<(), variata_quantize::Error>(())
/// ```
pub fn gumbel_noise(
    seed: u64,
    first_row: u64,
    rows: usize,
    codes: usize,
    kind: Kind,
    device: Device,
) -> Tensor {
    no_grad(|| {
        let pairs = Tensor::arange(codes.div_ceil(2) as i64, (Kind::Int64, device)).unsqueeze(0);
        let row = Tensor::arange(rows as i64, (Kind::Int64, device)).unsqueeze(1) + first_row as i64;
        let drawn = words(seed, &row, &pairs);
        let further = words(seed, &row, &pairs.bitwise_or(FURTHER as i64));
        let both: Vec<Tensor> =
            drawn.into_iter().zip(further).map(|(word, further)| noise(&word, &further, kind)).collect();
        Tensor::stack(&both, -1).flatten(1, 2).narrow(1, 0, codes as i64).to_kind(kind)
    })
}

/// The two words of each row and pair of codes.
fn words(seed: u64, row: &Tensor, counter: &Tensor) -> [Tensor; 2] {
    let keys = keys(seed).map(i64::from);
    let wrapped = |x: Tensor| x.bitwise_and(WORD);
    let low = row.bitwise_and(WORD);
    let high =
        row.bitwise_right_shift_tensor_scalar(32).bitwise_and(0x7F).bitwise_left_shift_tensor_scalar(24);
    let (low, counter) = (low.expand_as(&(row + counter)), counter.bitwise_xor_tensor(&high));
    let (mut x, mut y) = (wrapped(low + keys[0]), wrapped(counter + keys[1]));
    let groups = [&EVEN[..], &ODD, &EVEN, &ODD[..1]];
    for (round, rotations) in groups.iter().enumerate() {
        for &by in *rotations {
            let by = i64::from(by);
            x = wrapped(x + &y);
            let turned = y
                .bitwise_left_shift_tensor_scalar(by)
                .bitwise_or_tensor(&y.bitwise_right_shift_tensor_scalar(32 - by));
            y = wrapped(turned).bitwise_xor_tensor(&x);
        }
        if round + 1 < groups.len() {
            x = wrapped(x + keys[(round + 1) % 3]);
            y = wrapped(y + (keys[(round + 2) % 3] + round as i64 + 1));
        }
    }
    [x, y]
}

fn noise(word: &Tensor, further: &Tensor, kind: Kind) -> Tensor {
    let tiny = 1.0 / (WORD as f64 + 1.0);
    let bits = word.bitwise_right_shift_tensor_scalar(1);
    let number = bits.to_kind(Kind::Double);
    let rest = (further.bitwise_right_shift_tensor_scalar(1).to_kind(Kind::Double) + 0.5) * tiny;
    let fine = (&number + rest * 2.0) * tiny;
    let v = if kind == Kind::Double {
        fine
    } else {
        fine.where_self(&bits.lt(i64::from(COARSE)), &((number + 0.5) * tiny))
    };
    let upper = word.bitwise_and(1).eq(1);
    // log y of y = v above, of y = 1 − v below.
    let log = v.log().where_self(&upper, &(-&v).log1p());
    -(-log).log()
}
