//! One request to one service, as data. Everything that leaves this crate goes through it.

use std::borrow::Cow;

use http::{HeaderMap, Method};
use openstack_sdk::api::rest_endpoint_prelude::{
    ApiVersion, BodyError, QueryParams, RestEndpoint, ServiceType,
};
use serde_json::Value;

/// The services that the engine needs; the major version of each that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Identity,
    Compute,
    Image,
    Network,
    BlockStorage,
    LoadBalancer,
    KeyManager,
}

impl Service {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Service::Identity => "identity",
            Service::Compute => "compute",
            Service::Image => "image",
            Service::Network => "network",
            Service::BlockStorage => "block-storage",
            Service::LoadBalancer => "load-balancer",
            Service::KeyManager => "key-manager",
        }
    }
    pub(crate) fn sdk(self) -> ServiceType {
        ServiceType::from(self.name())
    }
    fn version(self) -> ApiVersion {
        match self {
            Service::Identity | Service::BlockStorage => ApiVersion::new(3, 0),
            Service::Compute => ApiVersion::new(2, 1),
            Service::KeyManager => ApiVersion::new(1, 0),
            Service::Image | Service::Network | Service::LoadBalancer => ApiVersion::new(2, 0),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) service: Service,
    pub(crate) method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Value>,
    microversion: Option<(u8, u8)>,
    headers: HeaderMap,
}

impl Call {
    fn new(service: Service, method: Method, path: impl Into<String>) -> Self {
        Self {
            service,
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            microversion: None,
            headers: HeaderMap::new(),
        }
    }
    pub fn get(service: Service, path: impl Into<String>) -> Self {
        Self::new(service, Method::GET, path)
    }
    pub fn post(service: Service, path: impl Into<String>, body: Value) -> Self {
        let mut call = Self::new(service, Method::POST, path);
        call.body = Some(body);
        call
    }
    pub fn put(service: Service, path: impl Into<String>, body: Value) -> Self {
        let mut call = Self::new(service, Method::PUT, path);
        call.body = Some(body);
        call
    }
    pub fn delete(service: Service, path: impl Into<String>) -> Self {
        Self::new(service, Method::DELETE, path)
    }
    /// A PUT whose body is streamed beside this value.
    pub(crate) fn put_stream(service: Service, path: impl Into<String>) -> Self {
        let mut call = Self::new(service, Method::PUT, path);
        call.headers
            .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/octet-stream"));
        call
    }
    #[must_use]
    pub fn query(mut self, key: &str, value: impl Into<String>) -> Self {
        self.query.push((key.to_owned(), value.into()));
        self
    }
    /// The page after the item `marker`.
    #[must_use]
    pub(crate) fn with_marker(mut self, marker: String) -> Self {
        self.query.retain(|(key, _)| key != "marker");
        self.query.push(("marker".to_owned(), marker));
        self
    }
    #[must_use]
    pub fn microversion(mut self, major: u8, minor: u8) -> Self {
        self.microversion = Some((major, minor));
        self
    }
    /// How the call is named in error messages: what a person would look for in the service's log.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {} {}", self.service.name(), self.method, self.path)
    }
    pub(crate) fn idempotent(&self) -> bool {
        self.method != Method::POST
    }
}

impl RestEndpoint for &Call {
    fn method(&self) -> Method {
        self.method.clone()
    }
    fn endpoint(&self) -> Cow<'static, str> {
        self.path.clone().into()
    }
    fn service_type(&self) -> ServiceType {
        self.service.sdk()
    }
    fn parameters(&self) -> QueryParams<'_> {
        let mut params = QueryParams::default();
        for (key, value) in &self.query {
            params.push(key.as_str(), value.as_str());
        }
        params
    }
    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        Ok(match &self.body {
            Some(body) => Some(("application/json", serde_json::to_vec(body)?)),
            None => None,
        })
    }
    fn request_headers(&self) -> Option<&HeaderMap> {
        Some(&self.headers)
    }
    fn api_version(&self) -> Option<ApiVersion> {
        Some(self.service.version())
    }
    fn min_version(&self) -> Option<ApiVersion> {
        Some(self.microversion.map_or(self.service.version(), ApiVersion::from))
    }
}
