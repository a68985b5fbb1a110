//! kill -9 of the daemon at random moments, again and again: no accepted request is lost, nothing is leaked.
//!
//! ```text
//! round:  workers create, change, delete ──► kill -9 ──► start again (and sometimes kill in the middle of that)
//!         ──► wait until everything rests ──► judge: what was accepted is there or in ERROR with its reason,
//!             what was deleted is gone, rows and the fake host's view agree
//! ```
//!
//! Before that, and between the rounds, the machine's clock jumps by days (`clock.rs`).
//!
//! The fake host keeps its machines in files, as QEMU keeps its own going; networks are applied again. `CHAOS_KILLS`
//! (20) and `CHAOS_SEED` decide how long and which. This binary is its own daemon (`daemon DIR PORT`), so that it needs
//! no other one built.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod changes;
mod clock;
mod daemon;
mod judge;
mod leaks;
mod model;
mod workers;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use daemon::Daemon;
use model::World;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Kills fall within this time after the workers began.
const LONGEST: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match args.get(1).map(String::as_str) {
        Some("daemon") => daemon::run(&runtime, &args[2], &args[3]),
        // Asked for its tests by a tool that runs them one by one: there is one.
        Some("--list") => {
            println!("chaos: test");
            ExitCode::SUCCESS
        }
        _ => runtime.block_on(chaos()),
    }
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

async fn chaos() -> ExitCode {
    let kills = from_env("CHAOS_KILLS", 20);
    let seed = from_env("CHAOS_SEED", rand::random::<u32>().into());
    println!("chaos: {kills} kills, CHAOS_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let dir = tempfile::Builder::new().prefix("cumulet-chaos.").tempdir().expect("a directory");
    let mut daemon = Daemon::start(dir.path()).await;
    let mut world = World::prepare(&daemon.url, dir.path()).await;
    let mut wrong = clock::jumps(&mut world, &mut daemon).await;
    wrong.iter().for_each(|line| println!("not ok - {line}"));
    let begun = Instant::now();
    let mut killed = 0;
    let mut round = 0;
    while killed < kills && wrong.is_empty() {
        round += 1;
        let moment = LONGEST.mul_f64(dice.random());
        tokio::join!(workers::work(&mut world, round, dice.random()), async {
            tokio::time::sleep(moment).await;
            daemon.kill();
        });
        killed += 1;
        if dice.random_bool(0.1) {
            daemon.set_clock(clock::DAY * dice.random_range(-1..=1)).await;
        }
        daemon.restart().await;
        world.login().await;
        while killed < kills && dice.random_bool(0.2) {
            // While it picks up the pieces of the last time.
            tokio::time::sleep(LONGEST.mul_f64(dice.random())).await;
            daemon.kill();
            killed += 1;
            daemon.restart().await;
        }
        wrong = judge::judge(&mut world, &daemon).await;
        for line in &wrong {
            println!("not ok - round {round}, killed after {} ms: {line}", moment.as_millis());
        }
        if wrong.is_empty() && round % 10 == 0 {
            println!(
                "# {killed} kills, {} requests, {} s",
                world.tally.requests(),
                begun.elapsed().as_secs()
            );
        }
    }
    if wrong.is_empty() {
        wrong = judge::empty(&mut world, &daemon).await;
        wrong.iter().for_each(|line| println!("not ok - after everything was deleted: {line}"));
    }
    daemon.kill();
    if wrong.is_empty() {
        world.tally.lines().iter().for_each(|line| println!("# {line}"));
        println!("ok - {killed} kills, {} requests, {} s", world.tally.requests(), begun.elapsed().as_secs());
        return ExitCode::SUCCESS;
    }
    println!("again with CHAOS_SEED={seed}; the daemon's data and log stay in {}", dir.keep().display());
    ExitCode::FAILURE
}
