//! What can go wrong between a command and a broker, each in one line that says what to do.

use std::io;

use protocol::error_code::ErrorCode;

/// What the client's functions give.
pub(crate) type Result<T> = std::result::Result<T, ClientError>;

/// Why a broker was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("no broker is named; give one with --bootstrap-server HOST:PORT")]
    NoServer,
    #[error("{0} is no address of a broker; it must be HOST:PORT")]
    Address(String),
    #[error("no broker answers at {server}: {cause}; is it running, and is the address right?")]
    Unreachable { server: String, cause: io::Error },
    #[error("the connection to {server} broke: {cause}")]
    Broken { server: String, cause: io::Error },
    #[error("the broker at {server} does not serve {api} in a version that this program speaks")]
    Unsupported { server: String, api: String },
    #[error("what answers at {server} does not speak Kafka's protocol: {reason}")]
    NotKafka { server: String, reason: String },
    #[error("an answer is not what Kafka's protocol says: {0}")]
    Malformed(&'static str),
    #[error("the cluster has no broker {0}")]
    UnknownBroker(i32),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ClientError {
    /// Whether to ask again may help: the connection broke, or the broker said so.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => true,
            Self::Refused(refusal) => refusal.code.is_retriable(),
            _ => false,
        }
    }

    /// The broker's refusal, if it was one.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }
}

/// An error code of an answer, in the broker's words where it has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<String>,
}

impl Refusal {
    pub(crate) fn of(code: ErrorCode) -> Self {
        Self { code, message: None }
    }

    /// Nothing for code 0.
    pub(crate) fn check(code: i16, message: Option<&str>) -> std::result::Result<(), Self> {
        match ErrorCode::try_from_code(code) {
            None => Ok(()),
            Some(code) => Err(Self { code, message: message.filter(|text| !text.is_empty()).map(str::to_owned) }),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.message {
            Some(message) => f.write_str(message),
            None => f.write_str(&default_message(self.code)),
        }
    }
}

/// What `Errors` says where a broker says nothing; of the codes that a command meets without a message.
fn default_message(code: ErrorCode) -> String {
    match code {
        ErrorCode::UnknownTopicOrPartition => "This server does not host this topic-partition.".to_owned(),
        ErrorCode::LeaderNotAvailable => {
            "There is no leader for this topic-partition as we are in the middle of a leadership election.".to_owned()
        }
        ErrorCode::MessageTooLarge => {
            "The request included a message larger than the max message size the server will accept.".to_owned()
        }
        ErrorCode::InvalidTopicException => {
            "The request attempted to perform an operation on an invalid topic.".to_owned()
        }
        other => other.to_string(),
    }
}

impl std::error::Error for Refusal {}
