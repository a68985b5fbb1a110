//! The HTTP side.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::callers::{Callers, Place};
use crate::dhcp::METADATA;
use crate::{Error, MetadataCaller, MetadataPosted, MetadataSource, Result};

/// One guest cannot make the daemon hold more than this.
const CONNECTIONS: usize = 64;
/// From the connection's first byte to its last.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of what a guest posts, which is refused as too large long before.
const MOST: usize = 64 << 10;

/// In the namespace of the calling thread, which must have the address.
pub fn listen() -> Result<std::net::TcpListener> {
    let listen = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddrV4::new(METADATA, 80).into())?;
        socket.listen(128)?;
        Ok(socket.into())
    };
    listen().map_err(|error: std::io::Error| Error::Link(format!("cannot listen on {METADATA}:80: {error}")))
}

/// Answers until it is dropped.
pub struct Server(JoinHandle<()>);

impl Server {
    pub fn start(
        listener: std::net::TcpListener,
        place: Place,
        callers: Arc<Callers>,
        source: Arc<dyn MetadataSource>,
    ) -> Result<Self> {
        let listener = TcpListener::from_std(listener)
            .map_err(|error| Error::Link(format!("cannot listen for metadata requests: {error}")))?;
        let context = Arc::new(Context { place, callers, source });
        Ok(Self(tokio::spawn(serve(listener, context))))
    }

    pub fn is_alive(&self) -> bool {
        !self.0.is_finished()
    }

    /// When this returns, its sockets are closed.
    pub async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Context {
    place: Place,
    callers: Arc<Callers>,
    source: Arc<dyn MetadataSource>,
}

async fn serve(listener: TcpListener, context: Arc<Context>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    // Connections end with the listener: an open one would keep the namespace alive.
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let context = Arc::clone(&context);
                connections.spawn(async move {
                    let ended = tokio::time::timeout(PATIENCE, converse(stream, peer.ip(), context)).await;
                    if ended.is_err() {
                        tracing::debug!(%peer, "a metadata request took too long");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a metadata request");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, peer: IpAddr, context: Arc<Context>) {
    let service = service_fn(|request: Request<Incoming>| {
        let context = Arc::clone(&context);
        async move { Ok::<_, Infallible>(respond(request, peer, &context).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, %peer, "a metadata request broke off");
    }
}

async fn respond(request: Request<Incoming>, peer: IpAddr, context: &Context) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) {
        return not_allowed("GET, HEAD, POST");
    }
    let Some(caller) = context.callers.find(&context.place, peer) else {
        tracing::debug!(%peer, place = ?context.place, "metadata for an address of no port");
        return status(StatusCode::NOT_FOUND);
    };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if request.method() == Method::POST {
        let path = path.to_owned();
        return posted(request, &caller, &path, context).await;
    }
    match context.source.get(&caller, path).await {
        Some(answer) => {
            let mut response = Response::new(Full::new(Bytes::from(answer.body)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
            response
        }
        None => status(StatusCode::NOT_FOUND),
    }
}

async fn posted(
    request: Request<Incoming>,
    caller: &MetadataCaller,
    path: &str,
    context: &Context,
) -> Response<Full<Bytes>> {
    let Ok(body) = Limited::new(request.into_body(), MOST).collect().await else {
        return status(StatusCode::BAD_REQUEST);
    };
    match context.source.post(caller, path, &body.to_bytes()).await {
        MetadataPosted::Kept => Response::new(Full::default()),
        MetadataPosted::Conflict => status(StatusCode::CONFLICT),
        MetadataPosted::TooLarge => status(StatusCode::BAD_REQUEST),
        MetadataPosted::Refused => not_allowed("GET, HEAD"),
        MetadataPosted::NotFound => status(StatusCode::NOT_FOUND),
        MetadataPosted::Failed => status(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn not_allowed(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{status}\n"))));
    *response.status_mut() = status;
    response
}
