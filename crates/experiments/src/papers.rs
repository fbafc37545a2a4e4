//! One module per paper: settings, run, claims, figures.

pub mod fourier_aug;
pub mod sliced;
pub mod sos_vae;
pub mod vae;
pub mod vq_diff;
