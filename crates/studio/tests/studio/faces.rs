//! A generator without a network: principal components of cartoon faces, the first few as the code, the others as the factor.

use std::sync::OnceLock;

use ndarray::{Array1, Array2, s};
use variata_datasets::{FaceOptions, faces};
use variata_lowrank_mvn::{FitOptions, Pca, pca};
use variata_studio::{Decoded, Generator};

pub(crate) const SIZE: usize = 32;
const LATENT: usize = 3;
const RANK: usize = 12;
const VARIANCE: f32 = 1e-4;

pub(crate) struct Faces {
    found: &'static Pca<f32>,
}

impl Faces {
    pub(crate) fn new() -> Self {
        static FOUND: OnceLock<Pca<f32>> = OnceLock::new();
        let found = FOUND.get_or_init(|| {
            let all = faces(&FaceOptions { count: 200, size: SIZE, seed: 1 }).unwrap().into_dataset();
            let n = 3 * SIZE * SIZE;
            let rows = Array2::from_shape_vec(
                (200, n),
                all.images().iter().map(|v| f32::from(*v) / 255.0).collect(),
            );
            pca(&rows.unwrap(), LATENT + RANK, &FitOptions::default()).unwrap()
        });
        Self { found }
    }

    fn scaled(&self, k: usize) -> Array1<f32> {
        &self.found.directions.row(k) * self.found.explained_variance[k].sqrt()
    }
}

impl Generator for Faces {
    fn shape(&self) -> [usize; 3] {
        [3, SIZE, SIZE]
    }

    fn latent(&self) -> usize {
        LATENT
    }

    fn description(&self) -> String {
        "principal components of cartoon faces".to_owned()
    }

    fn decode(&mut self, code: &[f32]) -> Result<Decoded, String> {
        let n = self.found.mean.len();
        let mut loc = self.found.mean.clone();
        for (k, c) in code.iter().enumerate() {
            loc.scaled_add(*c, &self.scaled(k));
        }
        let mut cov_factor = Array2::zeros((n, RANK));
        for k in 0..RANK {
            cov_factor.slice_mut(s![.., k]).assign(&self.scaled(LATENT + k));
        }
        Ok(Decoded { loc, cov_factor, cov_diag: Array1::from_elem(n, VARIANCE) })
    }
}
