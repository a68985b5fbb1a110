//! The viewer's page: noVNC where its package is installed, else a small viewer of our own.

use std::path::{Component, Path as FilePath, PathBuf};

use http::{HeaderValue, header};
use web::axum::body::Body;
use web::{Path, Response, no_content};

/// Where the package novnc puts its files.
const NOVNC: &str = "/usr/share/novnc";
const OWN: &str = include_str!("page/vnc_lite.html");

pub(super) async fn file(Path(path): Path<String>) -> Response {
    if let Some(packaged) = packaged(&path)
        && let Ok(bytes) = tokio::fs::read(packaged).await
    {
        return page(kind(&path), bytes);
    }
    match path.as_str() {
        "vnc_lite.html" | "vnc_auto.html" | "vnc.html" => page("text/html; charset=utf-8", OWN),
        _ => no_content(404),
    }
}

/// A file of the package, never one beside it.
fn packaged(path: &str) -> Option<PathBuf> {
    let plain = FilePath::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| FilePath::new(NOVNC).join(path))
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

fn page(kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_the_package() {
        assert_eq!(packaged("core/rfb.js"), Some(PathBuf::from("/usr/share/novnc/core/rfb.js")));
        assert_eq!(
            (packaged("../passwd"), packaged("/etc/passwd"), packaged("a/../../b")),
            (None, None, None)
        );
    }
}
