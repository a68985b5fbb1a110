//! The kernel suite: real processes, namespaces and devices of this machine.

mod qemu;
