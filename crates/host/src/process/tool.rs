//! Runs a program to its end, within limits, and takes what it says.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::{Confinement, confine};
use crate::{Error, Result};

/// More than this of a program's output is cut off.
const OUTPUT_LIMIT: u64 = 4 << 20;

#[derive(Debug)]
pub(crate) struct Output {
    pub code: Option<i32>,
    pub status: String,
    pub stdout: String,
    pub stderr: String,
}

/// `package` is the Debian package that has `program`. A program that is not done by `limit` is killed, and so is one
/// whose daemon is killed: it would write into files that the next one makes anew.
pub(crate) async fn run(
    program: &str,
    package: &str,
    arguments: &[String],
    confinement: Confinement,
    limit: Duration,
) -> Result<Output> {
    let failed = |status: String| Error::Command {
        command: format!("{program} {}", arguments.join(" ")),
        status,
        stderr: String::new(),
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        // glibc reserves 64 MiB for a thread's heap, eight times as many as there are processors.
        .env("MALLOC_ARENA_MAX", "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    confine(&mut command, Confinement { ends_with_us: true, ..confinement });
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::MissingProgram { program: program.into(), package: package.into() });
        }
        Err(error) => return Err(failed(format!("it could not be started: {error}"))),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let all = async {
        let (stdout, stderr) = tokio::join!(take(stdout), take(stderr));
        (child.wait().await, stdout, stderr)
    };
    let Ok((status, stdout, stderr)) = tokio::time::timeout(limit, all).await else {
        return Err(failed(format!("no end within {limit:?}")));
    };
    let status = status.map_err(|error| failed(error.to_string()))?;
    Ok(Output { code: status.code(), status: status.to_string(), stdout, stderr })
}

async fn take(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What came before an error is still worth showing.
        drop(stream.take(OUTPUT_LIMIT).read_to_end(&mut bytes).await);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Nothing of the caller's runs any more when it is killed, so its thread ends here without a word.
    #[test]
    fn a_tool_ends_with_whoever_started_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("echo $$ > {0}.part; mv {0}.part {0}; exec sleep 60", file.display());
        let told = file.clone();
        let starter = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let arguments = ["-c".to_owned(), script];
            let limit = Duration::from_secs(60);
            let mut work = Box::pin(run("sh", "dash", &arguments, Confinement::default(), limit));
            runtime.block_on(async {
                tokio::select! {
                    _ = &mut work => panic!("it sleeps"),
                    () = async { while !told.exists() { tokio::time::sleep(Duration::from_millis(5)).await } } => {}
                }
            });
            // Dropped, it would kill its child.
            std::mem::forget(work);
            std::mem::forget(runtime);
        });
        starter.join().unwrap();
        let pid = std::fs::read_to_string(&file).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let end = Instant::now() + Duration::from_secs(10);
        // Its parent is still this process, which does not wait for it: it stays as a zombie.
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
            assert!(Instant::now() < end, "the tool runs on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
