//! Starts the parts together.
