//! The other end of a console's URL: the viewer's page and the WebSocket. No Keystone token is asked for here; the URL's
//! own token says it all.

use std::sync::Arc;

use host::Console;
use http::{HeaderMap, HeaderValue, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use web::axum::body::Bytes;
use web::axum::extract::ws::rejection::WebSocketUpgradeRejection;
use web::axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use web::axum::routing::get;
use web::{Params, Response, Router, State, no_content};

use super::store::{self, Grant};
use super::{Kind, pages};
use crate::Nova;

/// Large enough for a screen's update, small enough for a hundred consoles.
const CHUNK: usize = 32 << 10;

pub(crate) fn router(nova: Arc<Nova>) -> Router {
    Router::new().route("/websockify", get(websockify)).route("/{*file}", get(pages::file)).with_state(nova)
}

/// Refused without a word: a viewer that spoke to a stranger's token learns nothing.
fn refused(status: u16) -> Response {
    let mut response = no_content(status);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A page of another site must not use what this one's user may see. Programs send no Origin.
fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return true };
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    text(header::HOST) == Some(host)
}

async fn websockify(
    State(nova): State<Arc<Nova>>,
    params: Params,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let token = params.get("token").map(str::to_owned).or_else(|| cookie(&headers)).unwrap_or_default();
    let Ok(upgrade) = upgrade else { return refused(426) };
    if !same_origin(&headers) {
        return refused(403);
    }
    let grant = match nova.db.read().await {
        Ok(mut conn) => store::find(&mut conn, &token, base::time::now()).await,
        Err(error) => Err(error.into()),
    };
    match grant {
        Ok(Some(grant)) => answer(&nova, grant, upgrade).await,
        Ok(None) => refused(403),
        Err(error) => {
            tracing::error!(?error, "a console's token could not be looked up");
            refused(500)
        }
    }
}

/// Old viewers send the token as a cookie.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    let token = cookies.split(';').find_map(|part| part.trim().strip_prefix("token="))?;
    Some(token.to_owned())
}

async fn answer(nova: &Nova, grant: Grant, upgrade: WebSocketUpgrade) -> Response {
    let console = match grant.kind {
        Kind::Vnc => Console::Screen,
        Kind::Serial => Console::Serial,
    };
    let id = grant.server_id;
    match nova.hypervisor.console(&id, console).await {
        Ok(stream) => {
            tracing::info!(server = id, console = grant.kind.as_str(), "a console is opened");
            upgrade.protocols(["binary"]).on_upgrade(move |socket| bridge(socket, stream))
        }
        Err(error) => {
            tracing::info!(server = id, %error, "a console could not be opened");
            refused(503)
        }
    }
}

/// Bytes both ways until either side ends.
async fn bridge(mut socket: WebSocket, mut machine: UnixStream) {
    let mut buffer = vec![0; CHUNK];
    loop {
        tokio::select! {
            read = machine.read(&mut buffer) => match read {
                Ok(count) if count > 0 => {
                    let bytes = Bytes::copy_from_slice(&buffer[..count]);
                    if socket.send(Message::Binary(bytes)).await.is_err() {
                        return;
                    }
                }
                _ => {
                    // The machine went off; the viewer is told by the end of the connection.
                    let _ = socket.send(Message::Close(None)).await;
                    return;
                }
            },
            message = socket.recv() => {
                let written = match message {
                    Some(Ok(Message::Binary(bytes))) => machine.write_all(&bytes).await,
                    Some(Ok(Message::Text(text))) => machine.write_all(text.as_bytes()).await,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                if written.is_err() {
                    return;
                }
            }
        }
    }
}
