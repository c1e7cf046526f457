//! The HTTPS client of everything that calls AWS: rustls with ring, and the root certificates of
//! the platform.
//!
//! There is one per process, made when it is first needed. The SDK would make one for each of its
//! clients, and build each twice with all root certificates, which is most of the start time of a
//! function (docs/adr/0017). Every `Config` of the SDK gets this one: the workspace has no other.

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use std::sync::LazyLock;
use std::time::Duration;

/// Longest wait for a connection: as long as the SDK's own clients wait.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3100);

static CLIENT: LazyLock<SharedHttpClient> = LazyLock::new(|| {
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .build();
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .connector_settings(settings)
        .build();
    let connector = SharedHttpConnector::new(connector);
    http_client_fn(move |_, _| connector.clone())
});

/// The client, for `http_client` of an SDK `Config`. The timeouts of that `Config` hold for
/// attempts and operations; connecting has one of its own.
pub fn client() -> SharedHttpClient {
    CLIENT.clone()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_has_no_second_library_of_cryptography_for_tls() {
        let lock = include_str!("../../../Cargo.lock");
        let has = |package: &str| lock.contains(&format!("name = \"{package}\"\n"));
        assert!(has("ring"));
        for other in [
            "aws-lc-rs",
            "aws-lc-sys",
            "boring-sys",
            "openssl-sys",
            "rustls-openssl",
            "s2n-tls",
        ] {
            assert!(!has(other), "{other} came in beside ring; see docs/adr/0017");
        }
    }
}
