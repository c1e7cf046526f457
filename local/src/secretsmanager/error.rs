//! The errors of Secrets Manager.

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct SecretsError {
    /// The code of the error.
    pub code: SecretsErrorCode,
    /// The message for the caller.
    pub message: String,
}

/// The error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretsErrorCode {
    /// A change could not be written to disk.
    InternalServiceError,
    /// A parameter is missing or has an invalid value.
    InvalidParameter,
    /// The parameters contradict each other, or the state of the secret.
    InvalidRequest,
    /// A version with this id exists and has another value.
    ResourceExists,
    /// There is no such secret, or no such version of it.
    ResourceNotFound,
    /// The request is not JSON of the right shape.
    Serialization,
    /// Too many requests.
    Throttling,
    /// The stack does not have this operation.
    UnknownOperation,
}

impl SecretsErrorCode {
    /// The name in the body's `__type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::InternalServiceError => "InternalServiceError",
            Self::InvalidParameter => "InvalidParameterException",
            Self::InvalidRequest => "InvalidRequestException",
            Self::ResourceExists => "ResourceExistsException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::Serialization => "SerializationException",
            Self::Throttling => "ThrottlingException",
            Self::UnknownOperation => "UnknownOperationException",
        }
    }
}

impl SecretsError {
    /// Creates an error with this code.
    pub fn new(code: SecretsErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A parameter is missing or has an invalid value.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(SecretsErrorCode::InvalidParameter, message)
    }

    /// The secret does not exist.
    pub(super) fn no_secret() -> Self {
        Self::new(
            SecretsErrorCode::ResourceNotFound,
            "Secrets Manager can't find the specified secret.",
        )
    }

    /// The version does not exist.
    pub(super) fn no_version(named: &str) -> Self {
        let message = format!("Secrets Manager can't find the specified secret value for {named}");
        Self::new(SecretsErrorCode::ResourceNotFound, message)
    }
}
