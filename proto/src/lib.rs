//! The language between the two ends: bytes and types, no algorithms.
#![no_std]
#![forbid(unsafe_code)]
