//! Compiles the functions.
