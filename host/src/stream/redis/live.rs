//! The live tail: what any node appends, told to every tail of this one.
//!
//! ```text
//!   writers of this node: their own ───────┐
//!   ear: own connection, sharded channels ─┴▶ hub ──▶ tails
//!          ▲ renewed when it is cut or deaf    │ the next of its partition: told at once
//!          └───────────────────────────────────┤ a gap, a cut, a quiet partition: look at the log from where it is
//!                                              │ less than was appended is left in the log: tails are told `Missed`
//! ```
//! A message says how many events its partition has had, so the hub knows a gap when it sees one. A lost *last*
//! message nobody sees: so the log of a partition that was quiet for a while is looked at. What was told before is
//! recognised by the same count and not told again. Publishing is at most once; the log is what makes it exact.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::link::Failure;
use super::{Seen, Shared};
use crate::domain::event::Event;
use crate::stream::signals::Carrier;
use crate::stream::{LogPosition, ReadError, Signal, Told, record};

/// How long a partition may be quiet until its log is looked at: what a lost last message is late by.
const QUIET: Duration = Duration::from_millis(500);
/// Events read from a log at once.
const PAGE: usize = 500;
/// Messages the ear may be ahead of the hub; more are dropped and read from the log.
pub(super) const HEARD: usize = 1024;
/// Signals in one message.
const SIGNALS: usize = 64;
/// Pauses between attempts to subscribe: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];

/// Where a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Events it has had, ever.
    pub(super) count: u64,
    /// The last of them.
    pub(super) at: LogPosition,
}

impl std::str::FromStr for Place {
    type Err = ReadError;
    fn from_str(text: &str) -> Result<Self, ReadError> {
        let bad = || ReadError(format!("{text:?} is not where a log ends"));
        let (count, at) = text.split_once(' ').ok_or_else(bad)?;
        let (count, at) = (count.parse().map_err(|_| bad())?, at.parse().map_err(|_| bad())?);
        Ok(Self { count, at })
    }
}

/// What the ear tells the hub.
pub(super) enum Heard {
    /// All channels are subscribed, for the first time or again.
    Subscribed,
    /// Something was published.
    Message { channel: Vec<u8>, payload: Vec<u8> },
    /// Something that this node appended; it comes by the channel as well.
    Own { partition: usize, appended: Appended },
}

/// One partition as the hub sees it.
struct Track {
    channel: String,
    /// `None` until it was looked at for the first time.
    place: Option<Place>,
    /// Look at the log before telling anything else.
    doubt: bool,
    /// Nothing was heard since the last look around.
    quiet: bool,
    /// The last look around found what should have been heard.
    deaf: bool,
}

/// The hub's state.
pub(super) struct Hub {
    shared: Arc<Shared>,
    tracks: Vec<Track>,
    /// Told when every partition's place is known.
    ready: Option<oneshot::Sender<()>>,
}

impl Hub {
    pub(super) fn new(shared: Arc<Shared>, ready: oneshot::Sender<()>) -> Self {
        let track = |keys: &super::keys::Keys| Track {
            channel: keys.live.clone(),
            place: None,
            doubt: true,
            quiet: true,
            deaf: false,
        };
        let tracks = shared.keys.iter().map(track).collect();
        Self { shared, tracks, ready: Some(ready) }
    }

    /// Runs until it is aborted.
    pub(super) async fn run(mut self, mut heard: mpsc::Receiver<Heard>) {
        let mut around = interval(QUIET);
        around.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut subscribed = false;
        loop {
            tokio::select! {
                biased;
                _ = around.tick(), if subscribed => self.look_around().await,
                one = heard.recv() => match one {
                    Some(Heard::Message { channel, payload }) => self.heard(&channel, &payload).await,
                    Some(Heard::Own { partition, appended }) => self.own(partition, appended).await,
                    Some(Heard::Subscribed) => {
                        subscribed = true;
                        self.tracks.iter_mut().for_each(|track| track.doubt = true);
                        self.look_around().await;
                    }
                    None => return,
                },
            }
        }
    }

    async fn heard(&mut self, channel: &[u8], payload: &[u8]) {
        let named = |track: &Track| track.channel.as_bytes() == channel;
        let Some(partition) = self.tracks.iter().position(named) else { return };
        let track = &mut self.tracks[partition];
        (track.quiet, track.deaf) = (false, false);
        // In doubt the next look finds it in the log.
        let Some(place) = track.place.filter(|_| !track.doubt) else { return };
        match Appended::parse(payload, place) {
            None => {
                tracing::error!(partition, "a message of the live tail makes no sense");
                track.doubt = true;
            }
            Some(appended) if appended.end.count <= place.count => {}
            Some(appended) if appended.follows(place) => self.go_on(partition, appended).await,
            Some(_) => {
                track.doubt = true;
                let seen = self.seen(partition).await;
                self.catch_up(partition, seen).await;
            }
        }
    }

    /// What other nodes appended before it has not come yet where it does not follow: then it waits for the channel too.
    async fn own(&mut self, partition: usize, appended: Appended) {
        let track = &self.tracks[partition];
        if !track.doubt && track.place.is_some_and(|place| appended.follows(place)) {
            self.go_on(partition, appended).await;
        }
    }

    async fn go_on(&mut self, partition: usize, Appended { end, events }: Appended) {
        self.tracks[partition].place = Some(end);
        self.tell(partition, events).await;
    }

    /// Looks at what is in doubt or was quiet, and has the ear renewed when it seems deaf.
    async fn look_around(&mut self) {
        let asked: Vec<_> = (0..self.tracks.len())
            .filter(|partition| self.tracks[*partition].doubt || self.tracks[*partition].quiet)
            .collect();
        let looks = asked.iter().map(|partition| self.seen(*partition));
        let seen = join_all(looks).await;
        let mut deaf = false;
        for (partition, seen) in asked.into_iter().zip(seen) {
            let (doubt, before) = (self.tracks[partition].doubt, self.tracks[partition].place);
            self.catch_up(partition, seen).await;
            let track = &mut self.tracks[partition];
            if !doubt && before != track.place {
                // Once may be a message that was just under way; twice in a row it is not.
                deaf |= track.deaf;
                track.deaf = true;
            }
        }
        self.tracks.iter_mut().for_each(|track| track.quiet = true);
        if deaf {
            tracing::warn!("the live tail was deaf; it subscribes again");
            self.shared.deaf.notify_one();
            self.tracks.iter_mut().for_each(|track| track.deaf = false);
        }
        if self.tracks.iter().all(|track| track.place.is_some())
            && let Some(ready) = self.ready.take()
        {
            let _gone = ready.send(());
        }
    }

    /// The log of a partition from where it is.
    async fn seen(&self, partition: usize) -> Result<Seen, ReadError> {
        let beyond = LogPosition { ms: u64::MAX, n: 0 };
        let after = self.tracks[partition].place.map_or(beyond, |place| place.at);
        self.shared.look(partition, after, PAGE).await
    }

    /// Brings a partition up to the end of its log, or leaves it in doubt until the next look around.
    async fn catch_up(&mut self, partition: usize, seen: Result<Seen, ReadError>) {
        let mut seen = seen;
        loop {
            let Seen { end, lines } = match seen {
                Ok(seen) => seen,
                Err(why) => {
                    tracing::debug!(partition, %why, "the live tail cannot look at the log yet");
                    self.tracks[partition].doubt = true;
                    return;
                }
            };
            // At first: from here on.
            let place = self.tracks[partition].place.unwrap_or(end);
            let at = lines.last().map_or(place.at, |(at, _)| *at);
            let now = Place { count: place.count + lines.len() as u64, at };
            let events = lines.iter().filter_map(|(at, line)| readable(partition, *at, line));
            let events: Vec<_> = events.collect();
            self.tracks[partition].place = Some(now);
            self.tell(partition, events).await;
            if lines.len() == PAGE {
                seen = self.seen(partition).await;
                continue;
            }
            if now != end {
                // Trimmed before it was told, or the server lost what it had: the count says that some are missing.
                tracing::warn!(partition, told = %at, end = %end.at, "the live tail missed events");
                self.tracks[partition].place = Some(end);
                self.shared.tell(Told::Missed).await;
            }
            self.tracks[partition].doubt = false;
            return;
        }
    }

    async fn tell(&self, partition: usize, events: Vec<Arc<Event>>) {
        if !events.is_empty() {
            self.shared.appended[partition].notify_one();
            self.shared.tell(Told::Events(events.into())).await;
        }
    }
}

/// What one call of the script appended to a partition.
pub(super) struct Appended {
    /// Where the partition ends with it.
    pub(super) end: Place,
    pub(super) events: Vec<Arc<Event>>,
}

impl Appended {
    fn follows(&self, place: Place) -> bool {
        self.end.count.checked_sub(self.events.len() as u64) == Some(place.count)
    }

    /// A message of a channel, without its events when they are known already; `None` when it makes no sense; the log
    /// then says what happened.
    fn parse(payload: &[u8], known: Place) -> Option<Self> {
        let mut lines = payload.split(|byte| *byte == b'\n');
        let head = std::str::from_utf8(lines.next()?).ok()?;
        let (end, count) = head.rsplit_once(' ')?;
        let end: Place = end.parse().ok()?;
        if end.count <= known.count {
            return Some(Self { end, events: Vec::new() });
        }
        let event = |line: &[u8]| {
            let at = line.iter().position(|byte| *byte == b' ')?;
            record::event(&line[at + 1..]).ok().map(Arc::new)
        };
        let events = lines.map(event).collect::<Option<Vec<_>>>()?;
        (count.parse() == Ok(events.len())).then_some(Self { end, events })
    }
}

/// An event of a log; one that cannot be read is not told, and whoever reads it is told why.
fn readable(partition: usize, at: LogPosition, line: &[u8]) -> Option<Arc<Event>> {
    match record::event(line) {
        Ok(event) => Some(Arc::new(event)),
        Err(why) => {
            tracing::error!(partition, %at, %why, "an event of the log cannot be read");
            None
        }
    }
}

/// The ear: subscribes, and again when its connection is cut or the hub finds it deaf. Runs until the hub is gone.
pub(super) async fn listen(shared: Arc<Shared>, heard: mpsc::Sender<Heard>) {
    let mut channels: Vec<_> = shared.keys.iter().map(|keys| keys.live.clone()).collect();
    channels.push(shared.signals.0.clone());
    let mut pause = PAUSES[0];
    while !heard.is_closed() {
        let cut = Arc::new(Notify::new());
        let pushes = pushes(heard.clone(), shared.signals.clone(), Arc::clone(&cut));
        let subscribed = async {
            let mut connection = shared.link.server.connect(Some(pushes)).await?;
            let subscribing = connection.subscribe(&channels);
            tokio::time::timeout(shared.config.command_timeout, subscribing)
                .await
                .map_err(|_| Failure::Unknown("no answer to SSUBSCRIBE".into()))??;
            Ok::<_, Failure>(connection)
        };
        let _connection = match subscribed.await {
            Ok(connection) => connection,
            Err(why) => {
                tracing::warn!(%why, "the live tail cannot subscribe yet");
                sleep(pause).await;
                pause = PAUSES[1].min(pause * 2);
                continue;
            }
        };
        let since = Instant::now();
        if heard.send(Heard::Subscribed).await.is_err() {
            return;
        }
        tokio::select! {
            () = cut.notified() => {}
            () = shared.deaf.notified() => {}
            () = heard.closed() => return,
        }
        // One that is cut at once again must not be renewed in a tight loop.
        if since.elapsed() > PAUSES[1] {
            pause = PAUSES[0];
        }
        sleep(pause).await;
        pause = PAUSES[1].min(pause * 2);
    }
}

/// What a connection tells by itself. It never waits: what finds no room is read from the log.
fn pushes(
    heard: mpsc::Sender<Heard>,
    signals: (String, broadcast::Sender<Signal>),
    cut: Arc<Notify>,
) -> impl Fn(PushInfo) -> Result<(), ()> + Send + Sync + 'static {
    move |push| {
        match push.kind {
            PushKind::SMessage => {
                let mut data = push.data.into_iter();
                if let (Some(Value::BulkString(channel)), Some(Value::BulkString(payload))) =
                    (data.next(), data.next())
                {
                    if channel == signals.0.as_bytes() {
                        Carrier::hears(&signals.1, &String::from_utf8_lossy(&payload));
                    } else {
                        drop(heard.try_send(Heard::Message { channel, payload }));
                    }
                }
            }
            // A slot that moves to another server unsubscribes its channel.
            PushKind::Disconnection | PushKind::SUnsubscribe => {
                cut.notify_one();
            }
            _ => {}
        }
        Ok(())
    }
}

/// Sends this node's signals, those that wait together in one message. Runs until nobody sends any more.
pub(super) async fn signal(shared: Arc<Shared>, mut carrier: Carrier) {
    let mut lines = Vec::new();
    while carrier.out.recv_many(&mut lines, SIGNALS).await > 0 {
        let mut publish = redis::cmd("SPUBLISH");
        publish.arg(&shared.signals.0).arg(lines.join("\n"));
        if let Err(why) = shared.link.run::<u64>(&publish).await {
            tracing::debug!(count = lines.len(), %why, "signals were lost");
        }
        lines.clear();
    }
}
