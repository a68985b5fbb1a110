use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use camino::Utf8PathBuf;

use super::*;

/// Serves files over HTTP on a port of its own until dropped.
struct Server {
    url: String,
    address: std::net::SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn start(files: BTreeMap<String, Vec<u8>>) -> Server {
        Server::start_cutting(files, "")
    }

    /// Closes the connection before the last byte of `cut`.
    fn start_cutting(files: BTreeMap<String, Vec<u8>>, cut: &'static str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let thread = std::thread::spawn({
            let (stop, asked) = (stop.clone(), asked.clone());
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    answer(stream.unwrap(), &files, cut, &asked);
                }
            }
        });
        Server { url: format!("http://{address}/release"), address, stop, asked, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().unwrap().join());
    }
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, Vec<u8>>, cut: &str, asked: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(|line| line.ok());
    let Some(request) = lines.next() else { return };
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let (status, body) = match files.get(&path) {
        Some(body) => ("200 OK", body.as_slice()),
        None => ("404 Not Found", &b"no such file"[..]),
    };
    let length = body.len() + usize::from(path == cut);
    asked.lock().unwrap().push(path);
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)));
}

fn release(version: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for program in KUBERNETES.programs {
        let path = format!("/release/{version}/bin/linux/amd64/{}", program.name);
        let body = format!("program {} {version}\n", program.name).into_bytes();
        files.insert(format!("{path}.sha256"), sha256(&body).into_bytes());
        files.insert(path, body);
    }
    files
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn scratch() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let out = Utf8PathBuf::from_path_buf(dir.path().join("out")).unwrap();
    (dir, out)
}

fn version(text: &str) -> KubernetesVersion {
    text.parse().unwrap()
}

#[test]
fn whole_release() {
    let server = Server::start(release("v1.30.1"));
    let (_dir, out) = scratch();
    assert_eq!(download(&server.url, version("v1.30.1"), &out).unwrap(), Download::Done);
    let mut found: Vec<_> =
        out.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    found.sort();
    let mut wanted: Vec<_> = KUBERNETES.programs.iter().map(|program| program.name).collect();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    let kubelet = out.join("kubelet");
    assert_eq!(fs::read_to_string(&kubelet).unwrap(), "program kubelet v1.30.1\n");
    assert_eq!(fs::metadata(&kubelet).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn no_such_release_is_known_after_one_question() {
    let server = Server::start(release("v1.30.1"));
    let (_dir, out) = scratch();
    assert_eq!(download(&server.url, version("v1.99.0"), &out).unwrap(), Download::NoSuchRelease);
    assert_eq!(*server.asked.lock().unwrap(), ["/release/v1.99.0/bin/linux/amd64/kube-apiserver.sha256"]);
}

#[test]
fn wrong_checksum_is_refused_and_not_kept() {
    let mut files = release("v1.30.1");
    files.insert("/release/v1.30.1/bin/linux/amd64/kube-proxy".into(), b"tampered".to_vec());
    let server = Server::start(files);
    let (_dir, out) = scratch();
    let err = download(&server.url, version("v1.30.1"), &out).unwrap_err().to_string();
    assert!(err.contains("kube-proxy") && err.contains("its checksum is"), "{err}");
    assert!(!out.join("kube-proxy").exists());
}

#[test]
fn unreachable_server_is_no_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (_dir, out) = scratch();
    let result = download(&format!("http://127.0.0.1:{port}/release"), version("v1.30.1"), &out).unwrap();
    assert!(matches!(result, Download::Unreachable(_)), "{result:?}");
}

#[test]
fn download_that_breaks_off_in_the_middle_is_an_error() {
    let server = Server::start_cutting(release("v1.30.1"), "/release/v1.30.1/bin/linux/amd64/kubelet");
    let (_dir, out) = scratch();
    let err = download(&server.url, version("v1.30.1"), &out).unwrap_err().to_string();
    assert!(err.contains("kubelet") && err.contains("run it again"), "{err}");
}
