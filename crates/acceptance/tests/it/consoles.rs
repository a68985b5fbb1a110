//! Consoles through the cloud's one address, by a WebSocket client of a few lines.

use serde_json::json;
use testkit::{Client, Cloud, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::servers::{image, network, server, status};

/// A connection after its handshake, and the status of that.
struct Viewer {
    stream: TcpStream,
    status: u16,
    head: String,
}

impl Viewer {
    /// `path` with its query, as noVNC asks for it.
    async fn open(cloud: &Cloud, path: &str, more: &str) -> Viewer {
        let host = cloud.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{more}\
             Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: binary\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let status = head[9..12].parse().unwrap();
        Viewer { stream, status, head }
    }

    /// The next message's bytes; those of a close are none.
    async fn receive(&mut self) -> Vec<u8> {
        let first = self.stream.read_u8().await.unwrap();
        let mut length = usize::from(self.stream.read_u8().await.unwrap() & 0x7f);
        if length == 126 {
            length = usize::from(self.stream.read_u16().await.unwrap());
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.unwrap();
        if first & 0xf == 8 { Vec::new() } else { bytes }
    }

    async fn send(&mut self, bytes: &[u8]) {
        let mask = [7u8, 2, 1, 9];
        let mut frame = vec![0x82, 0x80 | u8::try_from(bytes.len()).unwrap()];
        frame.extend(mask);
        frame.extend(bytes.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        self.stream.write_all(&frame).await.unwrap();
    }
}

/// The path of the WebSocket that a viewer's page would open.
fn websocket(url: &str) -> String {
    let (_, path) = url.split_once("?path=").unwrap();
    format!("/{}", path.replace("%2F", "/").replace("%3F", "?").replace("%3D", "="))
}

async fn open(client: &Client, id: &str, protocol: &str, kind: &str) -> String {
    let body = json!({"remote_console": {"protocol": protocol, "type": kind}});
    let made = client.post(&format!("/compute/v2.1/servers/{id}/remote-consoles"), body).await.expect(200);
    assert_eq!(
        (text(&made["remote_console"]["protocol"]), text(&made["remote_console"]["type"])),
        (protocol, kind)
    );
    text(&made["remote_console"]["url"]).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_and_a_serial_line_are_reached_by_their_tokens_alone() {
    let cloud = Cloud::start().await;
    let user = cloud.member("anna").await;
    let (image, net) = (image(&user).await, network(&user, "10.0.0.0/24").await);
    let id = server(&user, "one", &image, &net).await;
    status(&user, &id, "ACTIVE").await;

    let url = open(&user, &id, "vnc", "novnc").await;
    let page = reqwest::get(&url).await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("<html") && page.contains("noVNC") && page.contains("<script"), "{page}");
    let path = websocket(&url);
    let mut screen = Viewer::open(&cloud, &path, "").await;
    assert_eq!(screen.status, 101, "{}", screen.head);
    let head = screen.head.to_lowercase();
    assert!(head.contains("upgrade: websocket") && head.contains("sec-websocket-protocol: binary"), "{head}");
    assert_eq!(screen.receive().await, b"RFB 003.008\n");
    screen.send(b"RFB 003.008\n").await;
    assert_eq!(screen.receive().await, [1, 1]);

    // A token that is nobody's, one on another site's page, and one whose server is gone.
    let bad = Viewer::open(&cloud, &path.replace("token=", "token=bad"), "").await;
    assert_eq!(bad.status, 403);
    let foreign = Viewer::open(&cloud, &path, "Origin: http://evil.example\r\n").await;
    assert_eq!(foreign.status, 403);
    let own = Viewer::open(&cloud, &path, &format!("Origin: {}\r\n", cloud.url)).await;
    assert_eq!(own.status, 101);
    let other = cloud.member("bert").await;
    let body = json!({"remote_console": {"protocol": "vnc", "type": "novnc"}});
    other.post(&format!("/compute/v2.1/servers/{id}/remote-consoles"), body).await.expect(404);

    let url = open(&user, &id, "serial", "serial").await;
    let path = url.strip_prefix(&cloud.url.replacen("http", "ws", 1)).unwrap().to_owned();
    let mut line = Viewer::open(&cloud, &path, "").await;
    assert_eq!(line.status, 101, "{}", line.head);
    let said = String::from_utf8(line.receive().await).unwrap();
    assert!(said.contains("Linux version") && said.contains("login:"), "{said}");
    line.send(b"root").await;
    assert_eq!(line.receive().await, b"root");

    user.delete(&format!("/compute/v2.1/servers/{id}")).await.expect(204);
    testkit::poll("the server being gone", 20, async || {
        (user.get(&format!("/compute/v2.1/servers/{id}")).await.status == 404).then_some(())
    })
    .await;
    assert_eq!(Viewer::open(&cloud, &path, "").await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn consoles_that_there_are_not() {
    let cloud = Cloud::start().await;
    let user = cloud.member("anna").await;
    let (image, net) = (image(&user).await, network(&user, "10.0.0.0/24").await);
    let id = server(&user, "one", &image, &net).await;
    status(&user, &id, "ACTIVE").await;
    let path = format!("/compute/v2.1/servers/{id}/remote-consoles");
    let refused = async |protocol: &str, kind: &str| {
        let body = json!({"remote_console": {"protocol": protocol, "type": kind}});
        text(&user.post(&path, body).await.expect(400)["badRequest"]["message"]).to_owned()
    };
    assert_eq!(refused("spice", "spice-html5").await, "Unavailable console type spice-html5.");
    assert_eq!(refused("mks", "webmks").await, "Unavailable console type webmks.");
    assert_eq!(refused("rdp", "rdp-html5").await, "Unavailable console type rdp.");
    assert_eq!(refused("vnc", "xvpvnc").await, "Unavailable console type xvpvnc.");
    assert_eq!(refused("vnc", "serial").await, "Invalid console type serial");
    assert!(refused("x", "serial").await.contains("is not one of"));

    let mut old = user.clone();
    old.compute_version = "2.1".into();
    let action = format!("/compute/v2.1/servers/{id}/action");
    let made = old.post(&action, json!({"os-getVNCConsole": {"type": "novnc"}})).await.expect(200);
    let url = text(&made["console"]["url"]).to_owned();
    old.post(&action, json!({"os-getSPICEConsole": {"type": "spice-html5"}})).await.expect(400);
    old.post(&action, json!({"os-getSerialConsole": {"type": "serial"}})).await.expect(200);
    user.post(&action, json!({"os-getVNCConsole": {"type": "novnc"}})).await.expect(404);

    let admin = cloud.admin().await;
    let token = url.rsplit("%3D").next().unwrap();
    let seen = admin.get(&format!("/compute/v2.1/os-console-auth-tokens/{token}")).await.expect(200);
    assert_eq!(
        (text(&seen["console"]["instance_uuid"]), text(&seen["console"]["host"])),
        (&*id, "127.0.0.1")
    );
    admin.get("/compute/v2.1/os-console-auth-tokens/none").await.expect(404);
    user.get(&format!("/compute/v2.1/os-console-auth-tokens/{token}")).await.expect(403);
}
