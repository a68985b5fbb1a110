//! Paused time: minutes pass in milliseconds.

use super::*;

/// Counts activations per key, fails the first `fail` ones, and checks that one key never runs twice at once.
#[derive(Default)]
struct Probe {
    fail: usize,
    take: Duration,
    runs: Mutex<HashMap<String, usize>>,
    inside: Mutex<HashMap<String, usize>>,
}

impl Probe {
    fn runs(&self, key: &str) -> usize {
        self.runs.lock().unwrap().get(key).copied().unwrap_or(0)
    }
}

#[async_trait]
impl Reconciler for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    async fn reconcile(&self, key: &str) -> Result<Outcome, Failure> {
        {
            let mut inside = self.inside.lock().unwrap();
            let n = inside.entry(key.into()).or_default();
            *n += 1;
            assert_eq!(*n, 1, "two activations of {key} at once");
        }
        tokio::time::sleep(self.take).await;
        *self.inside.lock().unwrap().get_mut(key).unwrap() -= 1;
        let mut runs = self.runs.lock().unwrap();
        let n = runs.entry(key.into()).or_default();
        *n += 1;
        if *n <= self.fail { Err("not yet".into()) } else { Ok(Outcome::Done) }
    }

    async fn resync(&self) -> Result<Vec<String>, Failure> {
        Ok(vec!["from-rows".into()])
    }
}

fn start(probe: Probe) -> (Waker, Arc<Probe>) {
    let (waker, probe) = (Waker::new(), Arc::new(probe));
    spawn(waker.clone(), probe.clone(), Options::default());
    (waker, probe)
}

#[tokio::test(start_paused = true)]
async fn wakes_while_running_are_one_more_run() {
    let (waker, probe) = start(Probe { take: Duration::from_secs(1), ..Probe::default() });
    waker.wake("a");
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..10 {
        waker.wake("a");
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(probe.runs("a"), 2);
    assert_eq!(probe.runs("from-rows"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_backs_off_and_heals() {
    let (waker, probe) = start(Probe { fail: 3, ..Probe::default() });
    assert_eq!(waker.wake_and_wait("a").await, Err("not yet".into()));
    assert_eq!(waker.status().failing["a"], "not yet");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(probe.runs("a"), 1);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(probe.runs("a"), 4);
    assert_eq!(waker.status().failing.get("a"), None);
}

#[tokio::test(start_paused = true)]
async fn waiting_means_a_run_that_began_afterwards() {
    let (waker, probe) = start(Probe { take: Duration::from_secs(1), ..Probe::default() });
    waker.wake("a");
    tokio::time::sleep(Duration::from_millis(500)).await;
    waker.wake_and_wait("a").await.unwrap();
    assert_eq!(probe.runs("a"), 2);
}

#[tokio::test(start_paused = true)]
async fn stop_lets_nobody_wait_for_ever() {
    let (waker, _probe) = start(Probe { take: Duration::from_secs(5), ..Probe::default() });
    let waiting = tokio::spawn({
        let waker = waker.clone();
        async move { waker.wake_and_wait("a").await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    waker.stop();
    assert!(waiting.await.unwrap().is_err());
    assert!(waker.wake_and_wait("b").await.is_err());
}

/// Tells in which span each key was worked on, and wakes `b` from within `a`.
#[derive(Default)]
struct Causes {
    seen: Mutex<Vec<(String, Option<tracing::span::Id>)>>,
    waker: Waker,
}

#[async_trait]
impl Reconciler for Causes {
    fn name(&self) -> &'static str {
        "causes"
    }

    async fn reconcile(&self, key: &str) -> Result<Outcome, Failure> {
        self.seen.lock().unwrap().push((key.into(), Span::current().id()));
        if key == "a" {
            self.waker.wake("b");
        }
        Ok(Outcome::Done)
    }

    async fn resync(&self) -> Result<Vec<String>, Failure> {
        Ok(vec!["from-rows".into()])
    }
}

#[tokio::test(start_paused = true)]
async fn work_is_done_in_the_span_of_whoever_caused_it() {
    let _all = tracing::subscriber::set_default(tracing_subscriber::registry());
    let causes = Arc::new(Causes::default());
    spawn(causes.waker.clone(), causes.clone(), Options::default());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let request = tracing::error_span!("request", request_id = "req-1");
    request.in_scope(|| causes.waker.wake("a"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    causes.waker.wake("a");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = causes.seen.lock().unwrap().clone();
    let of = |key: &str, id: Option<tracing::span::Id>| (key.to_owned(), id);
    // The second wake of `a` was nobody's: the cause of before is forgotten with the work.
    let expected =
        [of("from-rows", None), of("a", request.id()), of("b", request.id()), of("a", None), of("b", None)];
    assert_eq!(seen, expected);
}
