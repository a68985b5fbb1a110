//! `/v2/images/{id}/file` and `/stage`: data in and out, streamed.

use std::sync::Arc;

use base::{Ctx, Error, Kind};
use bytes::{Bytes, BytesMut};
use camino::Utf8PathBuf;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use web::axum::body::Body;
use web::{Caller, Params, Path, Response, Result, Routes, State};

use super::files::told;
use super::upload;
use crate::Glance;
use crate::images::{Image, Status, load_visible, policy, rules, store};

pub fn routes(routes: Routes<Arc<Glance>>) -> Routes<Arc<Glance>> {
    routes
        .put("/v2/images/{id}/file", &policy::seen::UPLOAD, upload_file)
        .get("/v2/images/{id}/file", &policy::seen::DOWNLOAD, download)
        .put("/v2/images/{id}/stage", &policy::seen::MODIFY, stage)
}

fn is_data(headers: &HeaderMap) -> base::Result<()> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().is_some_and(|k| k.trim() == "application/octet-stream") {
        return Ok(());
    }
    Err(Error::unsupported_media_type(format!("Invalid content type {kind}")))
}

/// What the client says it will send; chunked uploads say it in a header of their own, or not at all.
fn declared_size(headers: &HeaderMap) -> base::Result<Option<i64>> {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    match text("x-openstack-image-size").or_else(|| text("content-length")) {
        None => Ok(None),
        Some(text) => {
            let size = text.trim().parse::<i64>().ok().filter(|n| *n >= 0);
            size.map(Some)
                .ok_or_else(|| Error::bad_request("Invalid or missing image size in request headers."))
        }
    }
}

/// The image is in `status` from now on, for as long as its data comes.
async fn begin(
    glance: &Glance,
    ctx: &Ctx,
    image: &Image,
    size: Option<i64>,
    (event, status): (&'static str, Status),
) -> base::Result<Image> {
    glance.check_room(image, size).await?;
    store::edit(&glance.db, ctx, event, &image.id, |image| {
        rules::may_take_data(image, status)?;
        image.status = status;
        Ok(())
    })
    .await
}

/// The client may go away at any await, which drops the handler: the work goes on in a task of its own, so that the image
/// always comes to its next status or back to queued.
async fn to_its_end(work: impl Future<Output = base::Result<()>> + Send + 'static) -> Result {
    tokio::spawn(work).await.map_err(Error::internal)??;
    Ok(web::no_content(204))
}

async fn upload_file(
    State(glance): State<Arc<Glance>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result {
    is_data(&headers)?;
    let size = declared_size(&headers)?;
    let target = match headers.get("x-image-meta-store").map(|v| v.to_str().unwrap_or_default()) {
        None => glance.files.default_store().to_owned(),
        Some(asked) if glance.files.has(asked) => asked.to_owned(),
        Some(asked) => {
            return Err(Error::bad_request(format!("Unknown scheme '{asked}' found in URI")).into());
        }
    };
    let image = load_visible(&glance, &ctx, &id).await?;
    rules::may_change(&ctx, &image, &policy::UPLOAD).map_err(|e| match e.kind {
        Kind::Forbidden => Error::forbidden(format!("Not allowed to upload image data for image {id}")),
        _ => e,
    })?;
    let image = begin(&glance, &ctx, &image, size, ("image.upload", Status::Saving)).await?;
    let stream = body.into_data_stream();
    to_its_end(async move { upload::finish(&glance, &ctx, &image, &target, stream).await }).await
}

async fn stage(
    State(glance): State<Arc<Glance>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result {
    is_data(&headers)?;
    let size = declared_size(&headers)?;
    let image = load_visible(&glance, &ctx, &id).await?;
    rules::may_change(&ctx, &image, &policy::MODIFY)?;
    let image = begin(&glance, &ctx, &image, size, ("image.stage", Status::Uploading)).await?;
    let stream = body.into_data_stream();
    to_its_end(async move { upload::stage(&glance, &ctx, &image, stream).await }).await
}

async fn download(
    State(glance): State<Arc<Glance>>,
    Caller(ctx): Caller,
    Path(id): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Result {
    let image = load_visible(&glance, &ctx, &id).await?;
    rules::may_download(&ctx, &image)?;
    if !matches!(image.status, Status::Active | Status::Deactivated) {
        return Ok(web::no_content(204));
    }
    let path = preferred(&glance, &image, params.get("prefer"))?;
    let size = std::fs::metadata(&path).map_err(|e| told("read", &path, e))?.len();
    let asked = headers.get(header::RANGE).or_else(|| headers.get(header::CONTENT_RANGE));
    let (start, end, status) = match asked.and_then(|v| v.to_str().ok()) {
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
    let mut response = Response::new(Body::from_stream(read(path, start, end)));
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

/// `prefer=a,b`: from the first of these stores that has the data; from another one else.
fn preferred(glance: &Glance, image: &Image, prefer: Option<&str>) -> base::Result<Utf8PathBuf> {
    let wanted: Vec<&str> =
        prefer.unwrap_or_default().split(',').map(str::trim).filter(|s| !s.is_empty()).collect();
    if let Some(strange) = wanted.iter().find(|s| !glance.files.has(s)) {
        return Err(Error::bad_request(format!("Store '{strange}' is not configured.")));
    }
    Ok(match wanted.into_iter().find(|s| image.stores.iter().any(|have| have == s)) {
        Some(store) => glance.files.path(store, &image.id),
        None => glance.files.locate(image),
    })
}

/// Bytes of a file, read ahead by a thread that waits where the client is slower.
fn read(
    path: Utf8PathBuf,
    start: u64,
    end: u64,
) -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    const CHUNK: usize = 1 << 20;
    let (send, mut receive) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(2);
    tokio::task::spawn_blocking(move || {
        use std::io::{Read, Seek, SeekFrom};
        let mut left = end - start;
        let opened = std::fs::File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(start))?;
            Ok(file)
        });
        let mut file = match opened {
            Ok(file) => file,
            Err(e) => return drop(send.blocking_send(Err(e))),
        };
        while left > 0 {
            let mut chunk = BytesMut::zeroed(CHUNK.min(usize::try_from(left).unwrap_or(CHUNK)));
            let next = file.read_exact(&mut chunk).map(|()| chunk.freeze());
            let failed = next.is_err();
            left -= next.as_ref().map_or(left, |c| c.len() as u64);
            // A closed channel: the client went away.
            if send.blocking_send(next).is_err() || failed {
                return;
            }
        }
    });
    futures::stream::poll_fn(move |cx| receive.poll_recv(cx))
}

/// `bytes=a-b`, `bytes=a-`, `bytes=-n` as a half-open range inside the file; and `bytes a-b/n`, which older clients
/// send as a request's Content-Range.
fn range(text: &str, size: u64) -> Option<(u64, u64)> {
    let text = match text.strip_prefix("bytes ") {
        Some(old) => old.split('/').next()?,
        None => text.strip_prefix("bytes=")?,
    };
    let (from, to) = text.split_once('-')?;
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
        assert_eq!(range("bytes 0-9/100", 100), Some((0, 10)));
        for bad in ["bytes=100-", "bytes=9-5", "lines=1-2", "bytes=", "bytes=a-b"] {
            assert_eq!(range(bad, 100), None, "{bad}");
        }
    }
}
