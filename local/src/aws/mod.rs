//! The endpoint that AWS SDKs talk to.
