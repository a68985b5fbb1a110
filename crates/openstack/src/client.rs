//! A session with one cloud: log in once, send calls, follow pages.

use std::time::Duration;

use bytes::Bytes;
use openstack_sdk::AsyncOpenStack;
use openstack_sdk::api::{ApiError, AsyncClient as _, QueryAsync as _, raw, raw_with_body};
use openstack_sdk::config::CloudConfig;
use openstack_sdk::types::BoxedAsyncRead;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::call::{Call, Service};
use crate::error::chain;
use crate::{Capabilities, CloudChoice, Error, Result, retry};

/// One call, however slow the service. Uploads have a limit of their own.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(6 * 3600);

/// By what another program reaches the cloud that we are logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub auth_url: String,
    pub region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub interface: Option<String>,
    /// PEM of the authority that signs the cloud's certificates, unless the system knows it.
    pub ca: Option<String>,
    /// Certificates are not verified.
    pub insecure: bool,
}

/// Cheap to clone; clones share the session, hence one token.
#[derive(Clone)]
pub struct Client {
    session: AsyncOpenStack,
    config: CloudConfig,
    name: String,
    project_id: String,
    pub(crate) capabilities: std::sync::Arc<OnceCell<Capabilities>>,
    /// Octavia's and Barbican's versions are discovered when they are first needed: not every cloud has them. (Cinder's
    /// address in the catalog has its version, as every client expects.)
    balancers: std::sync::Arc<OnceCell<()>>,
    keys: std::sync::Arc<OnceCell<()>>,
}

impl Client {
    /// Log in and discover the services' versions.
    ///
    /// # Errors
    /// No such cloud, no answer, refused credentials, a token without a project.
    pub async fn connect(choice: &CloudChoice) -> Result<Self> {
        Self::connect_to(choice.resolve()?).await
    }

    /// Log in to the entry `cloud` of the clouds.yaml at `path`, whatever the environment says.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_with_file(path: &std::path::Path, cloud: &str) -> Result<Self> {
        Self::connect_to(crate::config::from_path(path, cloud)?).await
    }

    async fn connect_to(config: CloudConfig) -> Result<Self> {
        let name = config.name.clone().unwrap_or_else(|| "unnamed".to_owned());
        let session = open(&config, &name, CALL_TIMEOUT).await?;
        let project = session.get_auth_info().and_then(|info| info.token.project);
        let Some(project_id) = project.and_then(|project| project.id) else {
            return Err(Error::Login {
                cloud: name,
                message: "the token has no project; name one with project_name in clouds.yaml".to_owned(),
            });
        };
        for service in [Service::Network, Service::Compute, Service::Image] {
            discover(&session, service).await?;
        }
        let (capabilities, balancers, keys) = Default::default();
        Ok(Self { session, config, name, project_id, capabilities, balancers, keys })
    }

    /// The cloud's name in clouds.yaml, or `envvars`.
    #[must_use]
    pub fn cloud_name(&self) -> &str {
        &self.name
    }
    #[must_use]
    pub fn project_id(&self) -> &str {
        &self.project_id
    }
    #[must_use]
    pub fn auth_url(&self) -> Option<&str> {
        self.config.auth.as_ref().and_then(|auth| auth.auth_url.as_deref())
    }

    /// # Errors
    /// There is no address of Keystone, or the file with the authority's certificate cannot be read.
    pub fn connection(&self) -> Result<Connection> {
        let auth_url = self
            .auth_url()
            .ok_or_else(|| Error::Config { message: format!("cloud `{}` has no auth_url", self.name) })?;
        let ca = match &self.config.cacert {
            Some(path) => Some(
                std::fs::read_to_string(path).map_err(|source| Error::File { path: path.clone(), source })?,
            ),
            None => None,
        };
        Ok(Connection {
            auth_url: auth_url.to_owned(),
            region: self.config.region_name.clone(),
            interface: self.config.interface.clone(),
            ca,
            insecure: self.config.verify == Some(false),
        })
    }

    /// The names of the roles that we act with.
    #[must_use]
    pub fn roles(&self) -> Vec<String> {
        let roles = self.session.get_auth_info().and_then(|info| info.token.roles);
        roles.unwrap_or_default().into_iter().map(|role| role.name).collect()
    }

    /// Keystone lets nobody who came by a restricted application credential make another.
    #[must_use]
    pub fn may_make_credentials(&self) -> bool {
        let credential = self.session.get_auth_info().and_then(|info| info.token.application_credential);
        credential.is_none_or(|credential| credential.restricted != Some(true))
    }

    pub(crate) fn user_id(&self) -> Option<String> {
        self.session.get_auth_info().map(|info| info.token.user.id)
    }

    /// Of the services that have an address for us: a catalog also names those of other regions.
    pub(crate) fn service_types(&self) -> std::collections::BTreeSet<String> {
        let CloudConfig { region_name, interface, .. } = &self.config;
        let catalog = self.session.get_token_catalog().unwrap_or_default();
        let reachable = catalog.into_iter().filter(|service| {
            service.endpoints.iter().any(|endpoint| {
                (region_name.is_none() || endpoint.region == *region_name)
                    && interface.as_ref().is_none_or(|interface| endpoint.interface == *interface)
            })
        });
        reachable.map(|service| service.service_type).collect()
    }

    /// The body of a successful answer, which may be empty.
    pub(crate) async fn send(&self, call: &Call) -> Result<Bytes> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.send_once(call).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            let Some(pause) = retry::pause(&error, call.idempotent(), tries) else { return Err(error) };
            tracing::debug!(%error, tries, "call failed, trying again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn send_once(&self, call: &Call) -> Result<Bytes> {
        let optional = match call.service {
            Service::LoadBalancer => Some(&self.balancers),
            Service::KeyManager => Some(&self.keys),
            _ => None,
        };
        if let Some(discovered) = optional {
            discovered.get_or_try_init(|| discover(&self.session, call.service)).await?;
        }
        match raw(call).query_async(&self.session).await {
            Ok(response) => Ok(response.into_body()),
            // After a token expired the SDK logs in again and forgets every discovered version but Keystone's.
            Err(ApiError::Catalog { .. }) => {
                discover(&self.session, call.service).await?;
                let again = raw(call).query_async(&self.session).await;
                again.map(http::Response::into_body).map_err(|error| translate(call, error))
            }
            Err(error) => Err(translate(call, error)),
        }
    }

    /// Send `call`, whose body is `reader`. Never repeated: half of the stream may be gone.
    pub(crate) async fn send_stream(&self, call: &Call, reader: BoxedAsyncRead) -> Result<()> {
        // The SDK's limit is for a whole session and counts the upload itself, so an upload has a session of its own.
        let session = open(&self.config, &self.name, UPLOAD_TIMEOUT).await?;
        discover(&session, call.service).await?;
        let answer = raw_with_body(call, reader).query_async(&session).await;
        answer.map(drop).map_err(|error| translate(call, error))
    }

    /// The answer's object under `key` (`{"network": {..}}`), or the whole answer when `key` is empty.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: &Call, key: &str) -> Result<T> {
        let body = self.send(call).await?;
        let mut value: Value = parse(call, &body)?;
        let inner = if key.is_empty() { value } else { value[key].take() };
        serde_json::from_value(inner)
            .map_err(|error| Error::Answer { call: call.title(), message: format!("in `{key}`: {error}") })
    }

    pub(crate) async fn run(&self, call: &Call) -> Result<()> {
        self.send(call).await.map(drop)
    }

    /// All items of a list, over however many pages. Neutron and Nova link with `<key>_links`, Glance with `next`.
    pub(crate) async fn list<T: DeserializeOwned>(&self, call: Call, key: &str) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut page = call;
        loop {
            let body = self.send(&page).await?;
            let mut value: Value = parse(&page, &body)?;
            let Value::Array(part) = value[key].take() else {
                return Err(Error::Answer {
                    call: page.title(),
                    message: format!("there is no list `{key}`"),
                });
            };
            let last_id = part.last().and_then(|item| item["id"].as_str()).map(str::to_owned);
            for item in part {
                items.push(serde_json::from_value(item).map_err(|error| Error::Answer {
                    call: page.title(),
                    message: format!("an item of `{key}`: {error}"),
                })?);
            }
            let links = value[format!("{key}_links")].as_array();
            let more = links.is_some_and(|links| links.iter().any(|link| link["rel"] == "next"))
                || value["next"].as_str().is_some_and(|next| !next.is_empty());
            let Some(marker) = last_id.filter(|_| more) else { return Ok(items) };
            page = page.with_marker(marker);
        }
    }

    /// The highest microversion of the compute service, e.g. `(2, 96)`; `(2, 1)` when it does not say.
    pub(crate) async fn compute_microversion(&self) -> Result<(u8, u8)> {
        let version = openstack_sdk::types::ApiVersion::new(2, 1);
        let endpoint = self
            .session
            .get_service_endpoint(&Service::Compute.sdk(), Some(&version))
            .await
            .map_err(|error| Error::from_api("compute GET /", "compute", error))?;
        let said = endpoint.max_version().clone().or_else(|| Some(endpoint.version().to_string()));
        let parsed = said
            .as_deref()
            .and_then(|text| text.split_once('.'))
            .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        Ok(parsed.unwrap_or((2, 1)))
    }
}

/// The SDK finds its login methods in a registry that each fills when the program starts. The linker leaves out a
/// method that nothing names, and the login fails at run time: so name those that we promise. (The SDK itself names
/// `token`.)
fn keep_login_methods() {
    std::hint::black_box(&openstack_sdk_auth_password::ANCHOR);
    std::hint::black_box(&openstack_sdk_auth_applicationcredential::ANCHOR);
}

async fn open(config: &CloudConfig, name: &str, timeout: Duration) -> Result<AsyncOpenStack> {
    keep_login_methods();
    // No token on disk: whoever reads that file is the user. A login costs one request.
    AsyncOpenStack::builder(config)
        .disable_auth_cache(true)
        .http_timeout(timeout)
        .connect()
        .await
        .map_err(|error| Error::from_login(name, &error))
}

async fn discover(session: &AsyncOpenStack, service: Service) -> Result<()> {
    session.discover_service_endpoint(&service.sdk()).await.map_err(|error| Error::NoService {
        call: format!("{} version discovery", service.name()),
        service: service.name().to_owned(),
        message: chain(&error),
    })
}

fn translate(call: &Call, error: ApiError<openstack_sdk::RestError>) -> Error {
    Error::from_api(&call.title(), call.service.name(), error)
}

fn parse(call: &Call, body: &Bytes) -> Result<Value> {
    serde_json::from_slice(body)
        .map_err(|error| Error::Answer { call: call.title(), message: error.to_string() })
}
