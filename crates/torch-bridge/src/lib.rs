//! torch-bridge
