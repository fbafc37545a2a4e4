//! One module per paper: settings, run, claims, figures.

pub mod vae;
