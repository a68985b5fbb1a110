use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use camino::Utf8PathBuf;
use sha2::{Digest, Sha256, Sha512};

use super::*;
use crate::progress::silent;

/// What a site holds; a test may change it while it is served.
#[derive(Default)]
struct Site {
    files: BTreeMap<String, Vec<u8>>,
    /// Answers break off after so many bytes.
    breaks_after: Option<usize>,
    /// Ranges are not served.
    whole_only: bool,
    /// Paths, and from which byte on.
    asked: Vec<(String, usize)>,
}

struct Server {
    url: String,
    address: SocketAddr,
    site: Arc<Mutex<Site>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn start(files: BTreeMap<String, Vec<u8>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let site = Arc::new(Mutex::new(Site { files, ..Site::default() }));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (site, stop) = (site.clone(), stop.clone());
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    answer(stream.unwrap(), &mut site.lock().unwrap());
                }
            }
        });
        Server { url: format!("http://{address}"), address, site, stop, thread: Some(thread) }
    }

    fn fetch(&self, release: &Release, cache: &Cache) -> Result<BuiltImage> {
        fetch(release, Some(&self.url), cache, &silent)
    }

    /// From which bytes on the path was asked for.
    fn asked(&self, path: &str) -> Vec<usize> {
        let site = self.site.lock().unwrap();
        site.asked.iter().filter(|(asked, _)| asked == path).map(|(_, from)| *from).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().unwrap().join());
    }
}

fn answer(mut stream: TcpStream, site: &mut Site) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(|line| line.ok());
    let Some(request) = lines.next() else { return };
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let from: Option<usize> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.to_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok())
        .last();
    site.asked.push((path.clone(), from.unwrap_or(0)));
    let from = from.filter(|_| !site.whole_only);
    let (status, extra, body) = match (site.files.get(&path), from) {
        (None, _) => ("404 Not Found", String::new(), &b"no such file"[..]),
        (Some(file), Some(from)) if from >= file.len() => {
            ("416 Range Not Satisfiable", format!("Content-Range: bytes */{}\r\n", file.len()), &b""[..])
        }
        (Some(file), Some(from)) => {
            let range = format!("Content-Range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len());
            ("206 Partial Content", range, &file[from..])
        }
        (Some(file), None) => ("200 OK", String::new(), file.as_slice()),
    };
    let head =
        format!("HTTP/1.1 {status}\r\n{extra}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let sent = &body[..site.breaks_after.map_or(body.len(), |n| n.min(body.len()))];
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent)));
}

const DEBIAN: &str = "/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2";
const DEBIAN_SUMS: &str = "/images/cloud/trixie/latest/SHA512SUMS";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn debian(data: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let list = format!("{}  debian-13-genericcloud-amd64.qcow2\n", hex(&Sha512::digest(data)));
    [(DEBIAN.to_owned(), data.to_vec()), (DEBIAN_SUMS.to_owned(), list.into_bytes())].into()
}

fn cache() -> (tempfile::TempDir, Cache) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::at(Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap()).unwrap();
    (dir, cache)
}

fn downloads(cache: &Cache) -> Vec<Utf8PathBuf> {
    let Ok(dir) = cache.dir().join("downloads").read_dir_utf8() else { return Vec::new() };
    dir.map(|entry| entry.unwrap().into_path()).collect()
}

#[test]
fn fetched_once_checked_and_told_apart_by_properties() {
    let data = b"a whole image".repeat(1000);
    let server = Server::start(debian(&data));
    let (_dir, cache) = cache();
    let release = Image::Debian.newest();
    let built = server.fetch(&release, &cache).unwrap();
    assert_eq!(fs::read(&built.path).unwrap(), data);
    assert_eq!((built.name.as_str(), built.disk_format.as_str()), ("debian-13", "qcow2"));
    assert_eq!(built.sha256, hex(&Sha256::digest(&data)));
    assert_eq!(built.properties["os_distro"], "debian");
    assert_eq!(built.properties["os_version"], "13");
    assert!(!built.properties.keys().any(|name| name.starts_with("hw_")));
    let again = server.fetch(&release, &cache).unwrap();
    assert_eq!(again, built);
    assert_eq!(server.asked(DEBIAN), [0]);
    assert_eq!(server.asked(DEBIAN_SUMS).len(), 2);
    assert!(downloads(&cache).is_empty());
}

#[test]
fn new_build_is_fetched_and_replaces_the_old_one() {
    let server = Server::start(debian(b"old"));
    let (_dir, cache) = cache();
    let old = server.fetch(&Image::Debian.newest(), &cache).unwrap();
    server.site.lock().unwrap().files = debian(b"new");
    let new = server.fetch(&Image::Debian.newest(), &cache).unwrap();
    assert_eq!(new.path, old.path);
    assert_eq!(fs::read(&new.path).unwrap(), b"new");
}

#[test]
fn broken_download_goes_on_where_it_broke_off() {
    let data: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let server = Server::start(debian(&data));
    server.site.lock().unwrap().breaks_after = Some(150_000);
    let (_dir, cache) = cache();
    let built = server.fetch(&Image::Debian.newest(), &cache).unwrap();
    assert_eq!(fs::read(&built.path).unwrap(), data);
    assert_eq!(server.asked(DEBIAN), [0, 150_000, 300_000]);
}

#[test]
fn download_of_an_earlier_run_is_gone_on_with() {
    let data = b"0123456789".repeat(10);
    let server = Server::start(debian(&data));
    let (_dir, cache) = cache();
    let sum = sums::find(&format!("{}  x", hex(&Sha512::digest(&data))), "x").unwrap();
    let file = "debian-13-genericcloud-amd64.qcow2";
    fs::write(part(&cache, file, &sum).unwrap(), &data[..60]).unwrap();
    let built = server.fetch(&Image::Debian.newest(), &cache).unwrap();
    assert_eq!(fs::read(&built.path).unwrap(), data);
    assert_eq!(server.asked(DEBIAN), [60]);
    // One that was whole before it was taken.
    fs::write(part(&cache, file, &sum).unwrap(), &data).unwrap();
    let built = server.fetch(&Image::Debian.newest(), &cache.clone().fresh(true)).unwrap();
    assert_eq!(fs::read(&built.path).unwrap(), data);
}

#[test]
fn server_without_ranges_gives_it_from_the_start() {
    let data = b"0123456789".repeat(10);
    let server = Server::start(debian(&data));
    server.site.lock().unwrap().whole_only = true;
    let (_dir, cache) = cache();
    let sum = sums::find(&format!("{}  x", hex(&Sha512::digest(&data))), "x").unwrap();
    fs::write(part(&cache, "debian-13-genericcloud-amd64.qcow2", &sum).unwrap(), b"01234").unwrap();
    let built = server.fetch(&Image::Debian.newest(), &cache).unwrap();
    assert_eq!(fs::read(&built.path).unwrap(), data);
    assert_eq!(server.asked(DEBIAN), [5, 0]);
}

#[test]
fn data_that_does_not_match_is_refused_and_removed() {
    let server = Server::start(debian(b"right"));
    server.site.lock().unwrap().files.insert(DEBIAN.into(), b"wrong".to_vec());
    let (_dir, cache) = cache();
    let err = server.fetch(&Image::Debian.newest(), &cache).unwrap_err().to_string();
    assert!(err.contains("checksum") && err.contains(DEBIAN), "{err}");
    assert!(downloads(&cache).is_empty());
    assert!(!cache.dir().join("images/debian-13.qcow2").exists());
}

#[test]
fn cirros_must_match_what_is_known_of_it_too() {
    // Its list has MD5 only, and a forged image a list that fits.
    let list = "5d41402abc4b2a76b9719d911017c592  cirros-0.6.3-x86_64-disk.img\n\
                5d41402abc4b2a76b9719d911017c592  cirros-0.6.2-x86_64-disk.img\n";
    let files = ["0.6.2", "0.6.3"].into_iter().flat_map(|version| {
        [
            (format!("/{version}/MD5SUMS"), list.as_bytes().to_vec()),
            (format!("/{version}/cirros-{version}-x86_64-disk.img"), b"hello".to_vec()),
        ]
    });
    let server = Server::start(files.collect());
    let (_dir, cache) = cache();
    let err = server.fetch(&Image::Cirros.newest(), &cache).unwrap_err().to_string();
    assert!(err.contains("7d6355852aeb6dbcd191bcda7cd74f1536cfe5cbf8a10495a7283a8396e4b75b"), "{err}");
    let other = Image::Cirros.release("0.6.2").unwrap();
    assert_eq!(server.fetch(&other, &cache).unwrap().properties["os_version"], "0.6.2");
}

#[test]
fn ubuntu_by_its_version() {
    let list = format!("{} *ubuntu-22.04-server-cloudimg-amd64.img\n", hex(&Sha256::digest(b"jammy")));
    let files = [
        ("/releases/22.04/release/SHA256SUMS".to_owned(), list.into_bytes()),
        ("/releases/22.04/release/ubuntu-22.04-server-cloudimg-amd64.img".to_owned(), b"jammy".to_vec()),
    ];
    let server = Server::start(files.into());
    let (_dir, cache) = cache();
    let release = Image::Ubuntu.release("22.04").unwrap();
    let built = server.fetch(&release, &cache).unwrap();
    assert_eq!((built.name.as_str(), built.properties["os_distro"].as_str()), ("ubuntu-22.04", "ubuntu"));
    let err = server.fetch(&Image::Ubuntu.newest(), &cache).unwrap_err();
    assert!(matches!(&err, Error::VersionNotAvailable { .. }), "{err}");
}

#[test]
fn versions_that_are_none_are_told_before_anything_is_asked() {
    for (image, version) in
        [(Image::Debian, "9"), (Image::Ubuntu, "../../etc"), (Image::Cirros, ""), (Image::Cirros, "0.6.x")]
    {
        assert!(matches!(image.release(version), Err(Error::VersionNotAvailable { .. })), "{version}");
    }
}

#[test]
fn site_that_cannot_be_reached_is_named() {
    let (_dir, cache) = cache();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mirror = format!("http://{nobody}");
    let err = fetch(&Image::Debian.newest(), Some(&mirror), &cache, &silent).unwrap_err().to_string();
    assert!(err.contains(&mirror) && err.contains(MIRROR_VARIABLE), "{err}");
}

#[test]
fn official_sites_are_asked_over_https_only() {
    for image in [Image::Cirros, Image::Debian, Image::Ubuntu] {
        assert!(image.newest().base(None).starts_with("https://"));
    }
    let server = Server::start(BTreeMap::new());
    let answer = download::text(&format!("{}/x", server.url), false).unwrap();
    assert!(matches!(answer, Answer::Failed(_)));
    assert!(server.asked("/x").is_empty());
}
