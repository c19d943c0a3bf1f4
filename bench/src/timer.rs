//! Sleeps that end within a third of a millisecond. Tokio's end on whole milliseconds: messages would leave up to two
//! late and in bursts, and that would count as the server's time.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

/// The thread rests at least so long: what falls due meanwhile is woken together.
const REST: Duration = Duration::from_micros(250);

/// Who sleeps, by when it ends; the number tells apart those that end together.
#[derive(Default)]
struct Sleepers {
    by_end: BTreeMap<(Instant, u64), oneshot::Sender<()>>,
    number: u64,
}

#[derive(Default)]
struct Timer {
    sleepers: Mutex<Sleepers>,
    /// Someone sleeps who ends before all others.
    sooner: Condvar,
}

static TIMER: LazyLock<Timer> = LazyLock::new(|| {
    let thread = thread::Builder::new().name("timer".into()).spawn(|| TIMER.run());
    assert!(thread.is_ok(), "no thread can be started");
    Timer::default()
});

/// Until a moment.
pub(crate) async fn sleep_until(end: tokio::time::Instant) {
    let end = end.into_std();
    if end <= Instant::now() {
        return;
    }
    let (wake, woken) = oneshot::channel();
    TIMER.add(end, wake);
    let _awake = woken.await;
}

impl Timer {
    fn add(&self, end: Instant, wake: oneshot::Sender<()>) {
        let mut sleepers = self.sleepers.lock();
        sleepers.number += 1;
        let key = (end, sleepers.number);
        sleepers.by_end.insert(key, wake);
        if sleepers.by_end.first_key_value().is_some_and(|(first, _)| *first == key) {
            self.sooner.notify_one();
        }
    }

    fn run(&self) {
        let mut sleepers = self.sleepers.lock();
        loop {
            let now = Instant::now();
            let later = sleepers.by_end.split_off(&(now, u64::MAX));
            for (_, wake) in std::mem::replace(&mut sleepers.by_end, later) {
                let _gone = wake.send(());
            }
            match sleepers.by_end.first_key_value().map(|((end, _), _)| *end) {
                Some(end) if end < now + REST => {
                    parking_lot::MutexGuard::unlocked(&mut sleepers, || thread::sleep(REST));
                }
                Some(end) => {
                    let _timed_out = self.sooner.wait_until(&mut sleepers, end);
                }
                None => self.sooner.wait(&mut sleepers),
            }
        }
    }
}
