//! `/v2/images/{id}/file`: upload and download, streamed.

use std::sync::Arc;

use base::{Error, Kind};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use web::axum::body::Body;
use web::{Caller, Path, Response, Result, Routes, State};

use super::files::told;
use super::upload;
use crate::Glance;
use crate::images::{Status, load_visible, policy, rules, store};

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes.put("/v2/images/{id}/file", &policy::UPLOAD, upload_file).get(
        "/v2/images/{id}/file",
        &policy::DOWNLOAD,
        download,
    )
}

async fn upload_file(
    State(glance): State<Arc<Glance>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result {
    if headers.get(header::CONTENT_TYPE).is_none_or(|t| t != "application/octet-stream") {
        return Err(
            Error::unsupported_media_type("The body of an upload is application/octet-stream.").into()
        );
    }
    let mut image = load_visible(&glance, &ctx, &id).await?;
    rules::may_change(&ctx, &image, &policy::UPLOAD)?;
    rules::may_upload(&image)?;
    image.status = Status::Saving;
    store::update(&glance.db, &ctx, "image.upload", &image).await?;
    image.generation += 1;
    // The client may go away at any await, which drops this future: the upload goes on in a task of its own, so that
    // it always comes to active or back to queued.
    tokio::spawn(async move { upload::finish(&glance, &ctx, image, body.into_data_stream()).await })
        .await
        .map_err(Error::internal)??;
    Ok(web::no_content(204))
}

async fn download(
    State(glance): State<Arc<Glance>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result {
    let image = load_visible(&glance, &ctx, &id).await?;
    match image.status {
        Status::Deactivated if !ctx.is_admin() => {
            return Err(Error::forbidden(
                "The requested image has been deactivated. Image data download is forbidden.",
            )
            .into());
        }
        Status::Active | Status::Deactivated => {}
        Status::Queued | Status::Saving => return Ok(web::no_content(204)),
    }
    let path = glance.file(&image);
    let mut file = tokio::fs::File::open(&path).await.map_err(|e| told("open", &path, e))?;
    let size = file.metadata().await.map_err(|e| told("read", &path, e))?.len();
    let (start, end, status) = match headers.get(header::RANGE).and_then(|v| v.to_str().ok()) {
        None => (0, size, StatusCode::OK),
        Some(text) => {
            let (start, end) = range(text, size).ok_or_else(|| {
                Error::new(
                    Kind::RangeNotSatisfiable,
                    format!("Invalid range '{text}' for an image of {size} bytes."),
                )
            })?;
            (start, end, StatusCode::PARTIAL_CONTENT)
        }
    };
    file.seek(std::io::SeekFrom::Start(start)).await.map_err(|e| told("read", &path, e))?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(end - start), 256 * 1024));
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    out.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
    if let Some(value) = image.checksum.as_deref().and_then(|c| HeaderValue::from_str(c).ok()) {
        out.insert("content-md5", value);
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(value) = HeaderValue::from_str(&format!("bytes {start}-{}/{size}", end.saturating_sub(1)))
    {
        out.insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// `bytes=a-b`, `bytes=a-`, `bytes=-n` as a half-open range inside the file.
fn range(text: &str, size: u64) -> Option<(u64, u64)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (from, to) {
        ("", n) => (size.saturating_sub(n.parse().ok()?), size),
        (a, "") => (a.parse().ok()?, size),
        (a, b) => (a.parse().ok()?, b.parse::<u64>().ok()?.checked_add(1)?.min(size)),
    };
    (start < end && start < size).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_stay_inside_the_file() {
        assert_eq!(range("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(range("bytes=90-200", 100), Some((90, 100)));
        assert_eq!(range("bytes=-10", 100), Some((90, 100)));
        assert_eq!(range("bytes=5-", 100), Some((5, 100)));
        for bad in ["bytes=100-", "bytes=9-5", "lines=1-2", "bytes=", "bytes=a-b"] {
            assert_eq!(range(bad, 100), None, "{bad}");
        }
    }
}
