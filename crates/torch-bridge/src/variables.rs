//! A variable store's tensors in an order that does not change between runs.

use tch::{Tensor, nn::VarStore};

/// Names and tensors sorted by name. The store's own map iterates in an order that differs from run to run, which
/// would make checkpoints, gradient norms and optimiser state irreproducible.
pub fn ordered_variables(store: &VarStore) -> Vec<(String, Tensor)> {
    let mut all: Vec<(String, Tensor)> = store.variables().into_iter().collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}
