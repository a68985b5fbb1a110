//! Progress on a terminal: a spinner that becomes a tick with its time; plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

pub struct Step {
    bar: Option<ProgressBar>,
    name: String,
    started: Instant,
}

/// Begins a step: `begin("Starting the APIs")`.
pub fn begin(name: &str) -> Step {
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let bar = terminal.then(|| {
        let bar = ProgressBar::new_spinner().with_message(name.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    });
    Step { bar, name: name.to_owned(), started: Instant::now() }
}

impl Step {
    pub fn done(self) {
        let line = format!("✓ {} ({})", self.name, human(self.started.elapsed()));
        self.end(&line);
    }

    pub fn failed(self) {
        let line = format!("✗ {} ({})", self.name, human(self.started.elapsed()));
        self.end(&line);
    }

    fn end(self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say(line);
    }
}

/// Runs `work` as a step.
pub async fn step<T>(name: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let step = begin(name);
    match work.await {
        Ok(value) => {
            step.done();
            Ok(value)
        }
        Err(e) => {
            step.failed();
            Err(e)
        }
    }
}

/// A line for the person who runs the command.
#[allow(clippy::print_stderr)]
pub fn say(line: &str) {
    eprintln!("{line}");
}

/// Output that another program may read.
#[allow(clippy::print_stdout)]
pub fn print(text: &str) {
    println!("{text}");
}

pub fn human(time: Duration) -> String {
    match time.as_millis() {
        0..1_000 => format!("{} ms", time.as_millis()),
        1_000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}
