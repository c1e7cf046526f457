//! The cryptography of TLS for HTTP and WebSockets: ring.

/// Installs ring as the crypto provider of rustls. If the app has installed a provider, that one
/// stays.
pub(crate) fn prepare() {
    // This fails if a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
