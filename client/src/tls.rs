//! The cryptography of TLS: ring, for HTTP and for WebSockets.

/// Sees to it that TLS has its cryptography. An application that has installed one of its own keeps it.
pub(crate) fn prepare() {
    // Refused where there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
