//! The kernel suite: real processes, namespaces and devices of this machine.

// Helpers are outside of `#[test]` functions, where clippy.toml's exception ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod network;
mod qemu;
