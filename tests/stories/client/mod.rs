//! The SDK against the real functions, on a gateway that behaves as badly as AWS may.

#[cfg(target_os = "linux")]
mod killed_functions;
mod sign_in;
mod sockets;
mod super_groups;
