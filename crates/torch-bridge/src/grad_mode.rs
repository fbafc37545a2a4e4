//! Scoped gradient mode that survives a panic.

/// Runs `f` without recording gradients, and restores the mode also when `f` panics (`tch::no_grad` leaves it off).
///
/// # Examples
/// ```
/// let off = variata_torch_bridge::no_grad(variata_torch_bridge::grad_is_enabled);
/// assert!(!off);
/// ```
pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
    scoped(false, f)
}

/// Runs `f` with gradients recorded, and restores the mode also when `f` panics.
pub fn with_grad<R>(f: impl FnOnce() -> R) -> R {
    scoped(true, f)
}

fn scoped<R>(mode: bool, f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            let _ = set(self.0);
        }
    }
    let _restore = Restore(set(mode));
    f()
}

/// Whether gradients are recorded on this thread.
pub fn grad_is_enabled() -> bool {
    let now = set(false);
    set(now);
    now
}

/// Sets the mode and returns the one before.
fn set(mode: bool) -> bool {
    // SAFETY: a thread-local flag of libtorch; any value is fine.
    unsafe { torch_sys::at_grad_set_enabled(i32::from(mode)) != 0 }
}
