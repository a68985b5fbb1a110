//! Failures of steps: which pass by themselves, and what the user is told of those that do not.

use base::{Error, Kind, Result};
use reconcile::Outcome;

use super::{ATTEMPTS, End, Server, VmState};
use crate::Nova;
use crate::servers::Fault;

#[derive(Debug)]
pub(super) struct Trouble {
    no_valid_host: bool,
    /// Worth another attempt.
    passing: bool,
    /// For the user.
    message: String,
    /// For admins: the whole chain of causes.
    details: String,
}

impl Trouble {
    pub fn lasting(message: impl Into<String>) -> Self {
        let message = message.into();
        Trouble { no_valid_host: false, passing: false, details: message.clone(), message }
    }

    pub fn no_valid_host(reason: &str) -> Self {
        Trouble {
            no_valid_host: true,
            passing: false,
            message: "No valid host was found. There are not enough hosts available.".into(),
            details: format!("No valid host was found. {reason}"),
        }
    }

    pub fn is_passing(&self) -> bool {
        self.passing
    }

    pub fn is_no_valid_host(&self) -> bool {
        self.no_valid_host
    }

    /// (for the user, for admins)
    pub fn told(&self) -> (&str, &str) {
        (&self.message, &self.details)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let passing = matches!(error.kind, Kind::Internal | Kind::Unavailable | Kind::TooManyRequests);
        Trouble { no_valid_host: false, passing, details: chain(&error), message: error.message }
    }
}

impl From<host::Error> for Trouble {
    fn from(error: host::Error) -> Self {
        let passing = match &error {
            host::Error::Command { .. }
            | host::Error::File { .. }
            | host::Error::Link(_)
            | host::Error::Monitor(_) => true,
            host::Error::MissingProgram { .. }
            | host::Error::Image(_)
            | host::Error::DiskFull { .. }
            | host::Error::Refused(_)
            | host::Error::NoAgent => false,
        };
        Trouble { no_valid_host: false, passing, details: chain(&error), message: error.to_string() }
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl Nova {
    /// Counts a passing failure and lets the activator try again; None when it has to be given up.
    pub(super) async fn again(&self, server: &Server, trouble: &Trouble) -> Option<Error> {
        if !trouble.passing || server.attempts + 1 >= ATTEMPTS {
            return None;
        }
        if let Err(error) = self.settle(server, |s| s.attempts += 1, None, None).await {
            tracing::warn!(server = server.id, ?error, "a failed attempt could not be counted");
        }
        Some(Error::unavailable(trouble.details.clone()))
    }

    /// Tries again while that may help, then gives up.
    pub(super) async fn failed(&self, server: &Server, trouble: Trouble) -> Result<Outcome> {
        match self.again(server, &trouble).await {
            Some(error) => Err(error),
            None => self.give_up(server, &trouble).await,
        }
    }

    /// The task is given up: ERROR, with the reason where users look for it.
    pub(super) async fn give_up(&self, server: &Server, trouble: &Trouble) -> Result<Outcome> {
        tracing::warn!(server = server.id, reason = trouble.details, "the server is in ERROR");
        let fault = Fault {
            code: 500,
            message: trouble.message.clone(),
            details: trouble.details.clone(),
            created: base::time::now(),
        };
        self.settle(
            server,
            |s| {
                s.vm_state = VmState::Error;
                s.task_state = None;
                s.attempts = 0;
                s.fault = Some(fault.clone());
            },
            None,
            Some(End::Error(&trouble.message, &trouble.details)),
        )
        .await?;
        Ok(Outcome::Done)
    }
}
