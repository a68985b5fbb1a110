//! The tiny test guest.
