//! The kinds of faults, under their names in a plan.

use std::fmt;

/// A service of AWS that runs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// SQS.
    Sqs,
    /// Secrets Manager.
    SecretsManager,
    /// The management API of WebSocket APIs, `@connections`.
    Connections,
}

/// A fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallFault {
    /// Refused as one request too many, without effect.
    Throttle,
    /// Status 500, without effect.
    FailBefore,
    /// No answer, without effect.
    CutBefore,
    /// Status 410 although the connection is open.
    Gone,
    /// One entry of a batch is refused, without effect.
    Entries,
    /// The call takes effect late.
    DelayBefore,
    /// Status 500, but the call took effect.
    FailAfter,
    /// No answer, but the call took effect.
    CutAfter,
    /// The answer is late.
    DelayAfter,
}

/// Something that a plan can make go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A process is killed instead of getting the answer to its n-th call of an invocation.
    KillAfterCalls,
    /// A process is killed at some time during an invocation.
    KillAfterMs,
    /// A call of a service fails or is late.
    Call(Service, CallFault),
    /// A batch becomes visible again while its function works on it.
    Twice,
    /// A processed batch is not deleted.
    Again,
    /// A batch waits before its function gets it.
    Late,
    /// A frame from a client waits before it is dispatched.
    DelayFrameIn,
    /// A frame to a client waits before it is written.
    DelayFrameOut,
    /// A connection is cut.
    Cut,
    /// `$disconnect` is not invoked.
    DropDisconnect,
    /// `$disconnect` is invoked late.
    DelayDisconnect,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DynamoDb, Self::Sqs, Self::SecretsManager, Self::Connections];

    /// Its table in a plan.
    pub fn name(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Sqs => "sqs",
            Self::SecretsManager => "secretsmanager",
            Self::Connections => "connections",
        }
    }
}

impl CallFault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Throttle,
        Self::FailBefore,
        Self::CutBefore,
        Self::Gone,
        Self::Entries,
        Self::DelayBefore,
        Self::FailAfter,
        Self::CutAfter,
        Self::DelayAfter,
    ];

    /// Its key in a plan.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::FailBefore => "fail_before",
            Self::CutBefore => "cut_before",
            Self::Gone => "gone",
            Self::Entries => "entries",
            Self::DelayBefore => "delay_before",
            Self::FailAfter => "fail_after",
            Self::CutAfter => "cut_after",
            Self::DelayAfter => "delay_after",
        }
    }

    /// Whether calls of this service can have it.
    pub fn is_of(self, service: Service) -> bool {
        match self {
            Self::Gone => service == Service::Connections,
            Self::Entries => matches!(service, Service::DynamoDb | Service::Sqs),
            _ => true,
        }
    }
}

impl FaultKind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let calls = Service::ALL.into_iter().flat_map(|service| {
            let faults = CallFault::ALL.into_iter().filter(move |fault| fault.is_of(service));
            faults.map(move |fault| Self::Call(service, fault))
        });
        let others = [
            Self::KillAfterCalls,
            Self::KillAfterMs,
            Self::Twice,
            Self::Again,
            Self::Late,
            Self::DelayFrameIn,
            Self::DelayFrameOut,
            Self::Cut,
            Self::DropDisconnect,
            Self::DelayDisconnect,
        ];
        others.into_iter().chain(calls)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KillAfterCalls => formatter.write_str("processes.kill_after_calls"),
            Self::KillAfterMs => formatter.write_str("processes.kill_after_ms"),
            Self::Call(service, fault) => write!(formatter, "{}.{}", service.name(), fault.name()),
            Self::Twice => formatter.write_str("messages.twice"),
            Self::Again => formatter.write_str("messages.again"),
            Self::Late => formatter.write_str("messages.late"),
            Self::DelayFrameIn => formatter.write_str("sockets.delay_frame_in"),
            Self::DelayFrameOut => formatter.write_str("sockets.delay_frame_out"),
            Self::Cut => formatter.write_str("sockets.cut"),
            Self::DropDisconnect => formatter.write_str("sockets.drop_disconnect"),
            Self::DelayDisconnect => formatter.write_str("sockets.delay_disconnect"),
        }
    }
}
