//! Older spellings of URLs: `/v2` is the first API (2.1 without microversions), and both may be followed by the project's
//! id. They lead to the same routes.

use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};
use web::Router;
use web::axum::extract::Request;

/// The router behind the rewriting of its URLs.
pub(crate) fn behind(inner: Router) -> Router {
    let rewritten = tower::util::MapRequestLayer::new(rewrite);
    Router::new().fallback_service(tower::Layer::layer(&rewritten, inner))
}

fn rewrite(mut request: Request) -> Request {
    let Some((path, is_legacy)) = newer(request.uri().path()) else { return request };
    let text = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let Ok(path_and_query) = text.parse::<PathAndQuery>() else { return request };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(path_and_query);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    if is_legacy {
        forget_microversion(request.headers_mut());
    }
    request
}

/// The path of today and whether it was one of the first API; None for what is new already.
fn newer(path: &str) -> Option<(String, bool)> {
    let (rest, is_legacy) = match path.strip_prefix("/v2.1/") {
        Some(rest) => (rest, false),
        None => (path.strip_prefix("/v2/")?, true),
    };
    let (first, behind) = rest.split_once('/').unwrap_or((rest, ""));
    let project = (first.len() == 32 || first.len() == 36) && base::id::is_uuid(first);
    if project {
        let slash = if behind.is_empty() { "" } else { "/" };
        return Some((format!("/v2.1{slash}{behind}"), is_legacy));
    }
    is_legacy.then(|| (format!("/v2.1/{rest}"), true))
}

fn forget_microversion(headers: &mut HeaderMap) {
    headers.remove("openstack-api-version");
    headers.remove("x-openstack-nova-api-version");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_paths_lead_to_todays() {
        let hex = "0123456789abcdef0123456789abcdef";
        let of = |path: &str| newer(path).map(|(path, legacy)| format!("{path} {legacy}"));
        assert_eq!(of("/v2.1/servers"), None);
        assert_eq!(of("/v2.1"), None);
        assert_eq!(of(&format!("/v2.1/{hex}/servers/detail")).as_deref(), Some("/v2.1/servers/detail false"));
        assert_eq!(of(&format!("/v2.1/{hex}")).as_deref(), Some("/v2.1 false"));
        assert_eq!(of("/v2/flavors").as_deref(), Some("/v2.1/flavors true"));
        assert_eq!(of(&format!("/v2/{hex}/flavors")).as_deref(), Some("/v2.1/flavors true"));
    }
}
