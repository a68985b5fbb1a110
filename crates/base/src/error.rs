//! The one error of all services. `web` turns it into the calling service's own fault JSON.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Decides the HTTP status; nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 400
    BadRequest,
    /// 401
    Unauthorized,
    /// 403: the caller may see it and may not do it.
    Forbidden,
    /// 404: also for what the caller may not see.
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 406: a microversion out of range.
    NotAcceptable,
    /// 409: the resource's state forbids it, or it exists already.
    Conflict,
    /// 410
    Gone,
    /// 411
    LengthRequired,
    /// 412
    PreconditionFailed,
    /// 413: Nova says 403 for an exceeded quota, Neutron 409, Glance and Cinder 413: they choose their kind.
    TooLarge,
    /// 415
    UnsupportedMediaType,
    /// 416
    RangeNotSatisfiable,
    /// 428
    PreconditionRequired,
    /// 429
    TooManyRequests,
    /// 500
    Internal,
    /// 501
    NotImplemented,
    /// 503: try again later.
    Unavailable,
}

impl Kind {
    pub fn status(self) -> u16 {
        match self {
            Kind::BadRequest => 400,
            Kind::Unauthorized => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::MethodNotAllowed => 405,
            Kind::NotAcceptable => 406,
            Kind::Conflict => 409,
            Kind::Gone => 410,
            Kind::LengthRequired => 411,
            Kind::PreconditionFailed => 412,
            Kind::TooLarge => 413,
            Kind::UnsupportedMediaType => 415,
            Kind::RangeNotSatisfiable => 416,
            Kind::PreconditionRequired => 428,
            Kind::TooManyRequests => 429,
            Kind::Internal => 500,
            Kind::NotImplemented => 501,
            Kind::Unavailable => 503,
        }
    }

    /// None for a status that no kind stands for.
    pub fn from_status(status: u16) -> Option<Kind> {
        const ALL: [Kind; 18] = [
            Kind::BadRequest,
            Kind::Unauthorized,
            Kind::Forbidden,
            Kind::NotFound,
            Kind::MethodNotAllowed,
            Kind::NotAcceptable,
            Kind::Conflict,
            Kind::Gone,
            Kind::LengthRequired,
            Kind::PreconditionFailed,
            Kind::TooLarge,
            Kind::UnsupportedMediaType,
            Kind::RangeNotSatisfiable,
            Kind::PreconditionRequired,
            Kind::TooManyRequests,
            Kind::Internal,
            Kind::NotImplemented,
            Kind::Unavailable,
        ];
        ALL.into_iter().find(|kind| kind.status() == status)
    }
}

/// `message` is public and in the service's own words; `cause` goes to the log only.
pub struct Error {
    pub kind: Kind,
    /// Neutron's exception name (`NetworkInUse`), shown in its fault's `type`; empty elsewhere.
    pub code: &'static str,
    pub message: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

macro_rules! constructors {
    ($($name:ident => $kind:ident),* $(,)?) => {$(
        pub fn $name(message: impl Into<String>) -> Self { Self::new(Kind::$kind, message) }
    )*};
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, code: "", message: message.into(), cause: None }
    }

    constructors! {
        bad_request => BadRequest, unauthorized => Unauthorized, forbidden => Forbidden, not_found => NotFound,
        conflict => Conflict, unavailable => Unavailable, too_large => TooLarge,
        unsupported_media_type => UnsupportedMediaType, not_acceptable => NotAcceptable,
    }

    /// Something of ours broke; the caller learns only the request id.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::new(
            Kind::Internal,
            "The server has either erred or is incapable of performing the requested operation.",
        )
        .because(cause)
    }

    /// Neutron's exception name.
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }

    /// The same request may succeed later without anybody changing it.
    pub fn retryable(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::TooManyRequests)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        let mut source = std::error::Error::source(self);
        while let Some(e) = source {
            write!(f, ": {e}")?;
            source = e.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|c| &**c as &(dyn std::error::Error + 'static))
    }
}
