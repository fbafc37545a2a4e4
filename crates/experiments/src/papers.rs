//! One module per paper: settings, run, claims, figures.

pub mod sos_vae;
pub mod vae;
