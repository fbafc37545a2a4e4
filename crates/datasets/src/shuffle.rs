//! Permutations that depend on (seed, epoch) alone.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a permutation is for; keeps equal seeds of different uses apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Shuffle,
    Split,
    Faces,
}

impl Purpose {
    fn tag(self) -> [u8; 8] {
        match self {
            Self::Shuffle => *b"shuffle\0",
            Self::Split => *b"split\0\0\0",
            Self::Faces => *b"faces\0\0\0",
        }
    }
}

/// A permutation of 0 .. n for one epoch: Fisher–Yates with the numbers of ChaCha8, whose key is the seed and whose
/// stream is the epoch.
///
/// The same arguments give the same permutation on every platform and in every later version: key, stream and the
/// bounded draw (Lemire, *Fast random integer generation in an interval*, 2019) are written out here and leave
/// nothing to the choices of a library.
///
/// ```
/// let p = variata_datasets::permutation(5, 7, 0);
/// assert_eq!(p, variata_datasets::permutation(5, 7, 0));
/// assert_ne!(p, variata_datasets::permutation(5, 7, 1));
/// ```
pub fn permutation(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut order, Purpose::Shuffle, seed, epoch);
    order
}

/// Fisher–Yates from the last element down: element i changes places with a uniform one of 0 ..= i.
pub(crate) fn shuffle(items: &mut [usize], purpose: Purpose, seed: u64, stream: u64) {
    let mut rng = generator(purpose, seed, stream);
    for i in (1..items.len()).rev() {
        items.swap(i, below(&mut rng, i as u64 + 1) as usize);
    }
}

/// Uniform in 0 .. n, n ≥ 1: the high half of x·n for a 64-bit x, redrawn while the low half is among the 2⁶⁴ mod n
/// values that would favour some results.
fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    let excess = n.wrapping_neg() % n;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        if product as u64 >= excess {
            return (product >> 64) as u64;
        }
    }
}

/// The generator of a purpose: the seed is the key.
fn generator(purpose: Purpose, seed: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&purpose.tag());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    rng
}

/// Uniform numbers in [0, 1), multiples of 2⁻⁵³.
pub(crate) struct Uniform(ChaCha8Rng);

impl Uniform {
    pub(crate) fn new(purpose: Purpose, seed: u64, stream: u64) -> Self {
        Self(generator(purpose, seed, stream))
    }

    pub(crate) fn next(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}
