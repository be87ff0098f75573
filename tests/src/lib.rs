//! End-to-end tests of Ferrite.
