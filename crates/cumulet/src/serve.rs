//! Listening and answering.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::Request;
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;
use tower::Layer;
use web::{Origin, Router};

use crate::tls::TlsListener;

/// Binds every address; a taken port is one sentence.
pub async fn bind(addresses: &[SocketAddr]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!(
                "cannot listen on {address}: is another cloud running there? Pass another --listen ADDR:PORT"
            )
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Over TLS if there is a configuration for it. Serves until `ended` is set (or its sender gone), then lets running requests finish.
pub async fn serve(
    router: Router,
    listeners: Vec<TcpListener>,
    tls: Option<Arc<ServerConfig>>,
    ended: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let app = match &tls {
        Some(_) => whole(router).layer(axum::Extension(web::Tls)),
        None => whole(router),
    };
    let mut servers = tokio::task::JoinSet::new();
    for listener in listeners {
        let (app, mut ended) = (app.clone(), ended.clone());
        let end = async move {
            let _ = ended.wait_for(|ended| *ended).await;
        };
        if let Some(tls) = &tls {
            let listener = TlsListener::start(listener, tls.clone())?;
            servers.spawn(axum::serve(listener, app).with_graceful_shutdown(end).into_future());
            continue;
        }
        servers.spawn(async move {
            let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
                // Small answers must not wait for the peer's acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
            });
            axum::serve(listener, app).with_graceful_shutdown(end).await
        });
    }
    while let Some(done) = servers.join_next().await {
        done??;
    }
    Ok(())
}

/// The services' router with what answers beside them: a front page, and a word where nothing is.
pub fn fronted(router: Router) -> Router {
    router.route("/", axum::routing::get(front_page)).fallback(|| async {
        let body = serde_json::json!({"error": {"code": 404, "title": "Not Found", "message": "There is no such service."}});
        web::json(404, &body)
    })
}

/// URLs may have a last slash or not.
pub fn whole(router: Router) -> Router {
    let trimmed = tower::util::MapRequestLayer::new(trim_last_slash).layer(router);
    Router::new().fallback_service(trimmed)
}

/// Below their versions Nova, Glance and Cinder know no path with a last slash, and clients expect a 404: an id that is empty by
/// mistake must not become the list of all.
const STRICT: [&str; 3] = ["/compute/v2.1/", "/image/v2/", "/volume/v3/"];

/// `/identity/v3/` is `/identity/v3`: clients write both, routes are listed once.
fn trim_last_slash(mut request: Request) -> Request {
    let uri = request.uri();
    let path = uri.path();
    let is_strict = STRICT.iter().any(|prefix| path.len() > prefix.len() && path.starts_with(prefix));
    if path.len() > 1 && path.ends_with('/') && !is_strict {
        let short = path.trim_end_matches('/');
        let short = if short.is_empty() { "/" } else { short };
        let text = match uri.query() {
            Some(query) => format!("{short}?{query}"),
            None => short.to_owned(),
        };
        // A shorter prefix of a valid path is one too.
        if let Ok(path_and_query) = text.parse() {
            let mut parts = uri.clone().into_parts();
            parts.path_and_query = Some(path_and_query);
            if let Ok(uri) = axum::http::Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

async fn front_page(Origin(origin): Origin) -> impl IntoResponse {
    let service =
        |name: &str, path: &str| serde_json::json!({"service": name, "url": format!("{origin}{path}")});
    web::json(
        200,
        &serde_json::json!({"cumulet": env!("CARGO_PKG_VERSION"), "services": [
            service("identity", "/identity/v3"),
            service("compute", "/compute/v2.1"),
            service("network", "/network"),
            service("image", "/image"),
            service("block-storage", "/volume/v3"),
            service("placement", "/placement"),
            service("key-manager", "/key-manager"),
        ]}),
    )
}
