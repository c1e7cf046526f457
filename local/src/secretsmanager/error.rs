//! What Secrets Manager says when it does not do what it was asked.

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct SecretsError {
    /// What kind.
    pub code: Code,
    /// The reason in words.
    pub message: String,
}

/// The kinds of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// What the stack did could not be written down.
    InternalServiceError,
    /// A parameter is missing, or has a value that it cannot have.
    InvalidParameter,
    /// The parameters do not go together, or not with what there is.
    InvalidRequest,
    /// A version has this id already, and another value.
    ResourceExists,
    /// There is no such secret, or no such version of it.
    ResourceNotFound,
    /// The request is not JSON of the right shape.
    Serialization,
    /// More requests than there may be.
    Throttling,
    /// The request names an operation that is not here.
    UnknownOperation,
}

impl Code {
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
    /// An error of this kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A parameter that is missing, or has a value that it cannot have.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidParameter, message)
    }

    /// A secret that is not there.
    pub(super) fn no_secret() -> Self {
        Self::new(
            Code::ResourceNotFound,
            "Secrets Manager can't find the specified secret.",
        )
    }

    /// A version that is not there.
    pub(super) fn no_version(named: &str) -> Self {
        let message = format!("Secrets Manager can't find the specified secret value for {named}");
        Self::new(Code::ResourceNotFound, message)
    }
}
