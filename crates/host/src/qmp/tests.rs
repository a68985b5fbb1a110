use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::{Client, Error, Greeting};

const LIMIT: Duration = Duration::from_secs(5);
const HELLO: &str =
    r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}}, "capabilities": []}}"#;

/// The other end: greets, accepts the capabilities, then lets `rest` play QEMU.
async fn pair<F, Fut>(rest: F) -> Result<Client, Error>
where
    F: FnOnce(BufReader<UnixStream>) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let (ours, theirs) = UnixStream::pair().unwrap();
    tokio::spawn(async move {
        let mut peer = BufReader::new(theirs);
        say(&mut peer, HELLO).await;
        let command = hear(&mut peer).await;
        assert_eq!(command["execute"], "qmp_capabilities");
        say(&mut peer, &json!({"return": {}, "id": command["id"]}).to_string()).await;
        rest(peer).await;
    });
    Client::connect(ours, LIMIT).await
}

async fn say(peer: &mut BufReader<UnixStream>, line: &str) {
    peer.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
}

async fn hear(peer: &mut BufReader<UnixStream>) -> Value {
    let mut line = String::new();
    peer.read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

#[tokio::test]
async fn answers_find_their_callers_in_any_order() {
    let client = pair(|mut peer| async move {
        let first = hear(&mut peer).await;
        let second = hear(&mut peer).await;
        for command in [second, first] {
            let answer = json!({"return": command["execute"], "id": command["id"]});
            say(&mut peer, &answer.to_string()).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(client.greeting(), Greeting { major: 10, minor: 0, micro: 2 });
    let (a, b) = tokio::join!(client.execute("a", Value::Null), client.execute("b", json!({"x": 1})));
    assert_eq!((a.unwrap(), b.unwrap()), (json!("a"), json!("b")));
}

#[tokio::test]
async fn events_are_told_and_do_not_disturb_answers() {
    let client = pair(|mut peer| async move {
        let command = hear(&mut peer).await;
        say(&mut peer, r#"{"event": "SHUTDOWN", "data": {"guest": true}, "timestamp": {"seconds": 1}}"#)
            .await;
        let failure =
            json!({"error": {"class": "GenericError", "desc": "no such thing"}, "id": command["id"]});
        say(&mut peer, &failure.to_string()).await;
    })
    .await
    .unwrap();
    let mut events = client.events();
    let error = client.execute("eject", Value::Null).await.unwrap_err();
    assert_eq!(error.to_string(), "`eject` was refused: no such thing (GenericError)");
    let event = events.recv().await.unwrap();
    assert!(event.name == "SHUTDOWN" && event.by_guest());
}

#[tokio::test]
async fn a_closed_connection_fails_those_who_wait_and_those_who_come() {
    let client = pair(|mut peer| async move {
        hear(&mut peer).await;
    })
    .await
    .unwrap();
    assert!(matches!(client.execute("quit", Value::Null).await, Err(Error::Closed)));
    assert!(matches!(client.execute("quit", Value::Null).await, Err(Error::Closed)));
    assert!(client.is_closed());
}

#[tokio::test]
async fn nonsense_instead_of_a_greeting_is_refused() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"220 smtp.example.org\r\n").await.unwrap();
    let error = Client::connect(ours, LIMIT).await.unwrap_err();
    assert_eq!(error.to_string(), "an answer that is not QMP: 220 smtp.example.org");
}

#[tokio::test(start_paused = true)]
async fn silence_ends_in_a_timeout() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    assert!(matches!(Client::connect(ours, LIMIT).await, Err(Error::Timeout { .. })));
}

#[tokio::test]
async fn files_travel_with_their_command() {
    let (done, seen) = tokio::sync::oneshot::channel();
    let client = pair(|mut peer| async move {
        peer.get_mut().readable().await.unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 512];
        let socket = peer.get_ref().as_fd();
        let got = rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::empty(),
        );
        let files: Vec<OwnedFd> = control
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(files) => Some(files),
                _ => None,
            })
            .flatten()
            .collect();
        let command: Value = serde_json::from_slice(&bytes[..got.unwrap().bytes]).unwrap();
        done.send(files.len()).unwrap();
        say(&mut peer, &json!({"return": {}, "id": command["id"]}).to_string()).await;
    })
    .await
    .unwrap();
    let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    client.execute_with_files("getfd", json!({"fdname": "tap"}), vec![file]).await.unwrap();
    assert_eq!(seen.await.unwrap(), 1);
}
