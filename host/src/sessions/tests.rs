//! Sessions over a small stream in memory: order, gaps, long resumes, slow readers, the wheel.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::event::{EventBody, NewEvent};
use crate::domain::ids::{AgentId, VisitorId};
use crate::domain::people::Principal;
use crate::runtime;
use crate::stream::{AppendError, ReadError, Receipt, Tail, Told};

mod healing;

#[derive(Default)]
struct Memory {
    events: Mutex<Vec<Arc<Event>>>,
    tails: Mutex<Vec<mpsc::Sender<Told>>>,
    /// Keeps new events from the tails: they are only readable.
    mute: AtomicBool,
    /// Refuses to read.
    away: AtomicBool,
}

#[async_trait]
impl Stream for Memory {
    async fn append(&self, new: NewEvent) -> Result<Receipt, AppendError> {
        let event = {
            let mut events = self.events.lock();
            let seq = 1 + events.iter().filter(|e| e.conversation == new.conversation).count();
            let event = Arc::new(Event {
                conversation: new.conversation,
                seq: seq as Seq,
                at: 1,
                from: new.from,
                key: Some(new.key),
                body: new.body,
            });
            events.push(event.clone());
            event
        };
        if !self.mute.load(Ordering::Relaxed) {
            let tails: Vec<_> = self.tails.lock().clone();
            for tail in tails {
                drop(tail.send(Told::Events(Arc::from(vec![event.clone()]))).await);
            }
        }
        Ok(Receipt { seq: event.seq, at: 1, duplicate: false })
    }

    async fn read(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        if self.away.load(Ordering::Relaxed) {
            return Err(ReadError("away".into()));
        }
        let events = self.events.lock();
        let wanted = |e: &&Arc<Event>| e.conversation == conversation && e.seq > after;
        Ok(events.iter().filter(wanted).take(limit).cloned().collect())
    }

    async fn head(&self, conversation: ConversationId) -> Result<Seq, ReadError> {
        Ok(self.events.lock().iter().filter(|e| e.conversation == conversation).count() as Seq)
    }

    async fn warm(&self) -> Result<(), ReadError> {
        Ok(())
    }

    fn tail(&self) -> Tail {
        let (sender, tail) = mpsc::channel(16);
        self.tails.lock().push(sender);
        tail
    }
}

struct Stage {
    stream: Arc<Memory>,
    sessions: Arc<Sessions>,
    stop: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn stage(limits: SessionLimits) -> Stage {
    let stream = Arc::new(Memory::default());
    let sessions = Sessions::new(stream.clone(), None, Clock::system(), limits);
    let stop = CancellationToken::new();
    runtime::spawn(sessions.run(stop.clone()));
    Stage { stream, sessions, stop }
}

fn agent(number: u64) -> Proven {
    let agent = AgentId::new(number).unwrap();
    let role = crate::domain::people::Role::Agent;
    Proven { principal: Principal::Agent { agent, role }, until: Millis::MAX }
}

fn talk() -> ConversationId {
    ConversationId::new(7).unwrap()
}

impl Stage {
    async fn says(&self, text: &str) {
        let event = NewEvent {
            conversation: talk(),
            from: Party::Visitor(VisitorId::new(5).unwrap()),
            key: format!("k{text}").parse().unwrap(),
            body: EventBody::Message { text: text.into(), masked: false, file: None },
        };
        self.stream.append(event).await.unwrap();
    }

    fn arrives(&self) -> Arc<Session> {
        self.sessions.open(agent(1), Carrier::Socket).unwrap()
    }

    fn follows(&self, session: &Arc<Session>, sent: Seq) {
        self.sessions.follow(session, Follow { conversation: talk(), sent }, true).unwrap();
    }

    /// Takes until `count` events came or the session ended.
    async fn hears(&self, session: &Arc<Session>, count: usize) -> Vec<Seq> {
        let mut heard = Vec::new();
        let all = async {
            while heard.len() < count {
                std::future::poll_fn(|cx| session.poll_ready(cx)).await;
                let items = self.sessions.take(session);
                if items.is_empty() && session.is_ended() {
                    return;
                }
                heard.extend(seqs(&items));
            }
        };
        tokio::time::timeout(Duration::from_secs(10), all).await.expect("heard in time");
        heard
    }
}

fn seqs(items: &VecDeque<Item>) -> Vec<Seq> {
    let seq = |item: &Item| match item {
        Item::Push(Push::Event(event)) => Some(event.seq),
        _ => None,
    };
    items.iter().filter_map(seq).collect()
}

fn small() -> SessionLimits {
    SessionLimits { outbox_items: 8, heal_page: 3, ..SessionLimits::default() }
}

#[tokio::test]
async fn a_resume_of_any_length_is_complete_and_before_what_is_newer() {
    let stage = stage(small());
    for number in 0..1000 {
        stage.says(&number.to_string()).await;
    }
    let session = stage.arrives();
    stage.follows(&session, 10);
    stage.says("live").await;
    let heard = stage.hears(&session, 991).await;
    assert_eq!(heard, (11..=1001).collect::<Vec<_>>());
    assert!(!session.is_ended(), "healing leaves room for a slow client");
}

#[tokio::test]
async fn a_gap_in_the_tail_is_healed() {
    let stage = stage(SessionLimits::default());
    let session = stage.arrives();
    stage.follows(&session, 0);
    stage.says("1").await;
    assert_eq!(stage.hears(&session, 1).await, [1]);
    stage.stream.mute.store(true, Ordering::Relaxed);
    stage.says("2").await;
    stage.says("3").await;
    stage.stream.mute.store(false, Ordering::Relaxed);
    stage.says("4").await;
    assert_eq!(stage.hears(&session, 3).await, [2, 3, 4]);
    assert!(stage.sessions.figures().heals >= 1);
}

#[tokio::test]
async fn a_tail_that_missed_some_has_everything_read_again() {
    let stage = stage(SessionLimits::default());
    let session = stage.arrives();
    stage.follows(&session, 0);
    stage.says("1").await;
    assert_eq!(stage.hears(&session, 1).await, [1]);
    stage.stream.mute.store(true, Ordering::Relaxed);
    stage.says("2").await;
    stage.says("3").await;
    let tail = stage.stream.tails.lock()[0].clone();
    tail.send(Told::Missed).await.unwrap();
    assert_eq!(stage.hears(&session, 2).await, [2, 3], "without another live event");
}

#[tokio::test]
async fn what_is_done_to_a_persons_sessions_is_done_on_every_node() {
    let stream = Arc::new(Memory::default());
    let stop = CancellationToken::new();
    let start = |signals| {
        let (clock, limits) = (Clock::system(), SessionLimits::default());
        let sessions = Sessions::new(stream.clone(), Some(signals), clock, limits);
        runtime::spawn(sessions.run(stop.clone()));
        Stage { stream: stream.clone(), sessions, stop: stop.clone() }
    };
    let mut nodes = crate::stream::Signals::between(2).into_iter().map(start);
    let (one, two) = (nodes.next().unwrap(), nodes.next().unwrap());
    let here = [one.arrives(), two.arrives()];
    let party = here[0].principal().party();
    // Both listen before anything is wished of them.
    tokio::task::yield_now().await;
    let takes = async |on: &Stage, session: &Arc<Session>| {
        let taken = async {
            std::future::poll_fn(|cx| session.poll_ready(cx)).await;
            on.sessions.take(session)
        };
        tokio::time::timeout(Duration::from_secs(5), taken).await.expect("given in time")
    };

    let gone = Push::Gone { conversation: talk(), version: 2 };
    one.sessions.push_to(party, gone.clone());
    for (on, session) in [&one, &two].into_iter().zip(&here) {
        assert_eq!(takes(on, session).await, [Item::Push(gone.clone())], "once");
    }
    one.sessions.follow_for(party, Follow { conversation: talk(), sent: 0 });
    one.says("1").await;
    assert_eq!(two.hears(&here[1], 1).await, [1]);
    assert!(!two.sessions.lacks(party, talk()) && two.sessions.agents().len() == 1);
    let typing = Push::Typing { conversation: talk(), from: Party::System, on: true };
    one.sessions.push_to_followers(talk(), None, &typing);
    assert_eq!(takes(&two, &here[1]).await, [Item::Push(typing.clone())]);
    one.sessions.push_to_followers(talk(), Some(party), &typing);
    one.sessions.unfollow_for(party, talk());
    one.sessions.end_for(party, Bye::Draining);
    let last = [Item::Push(Push::Bye(Bye::Draining))];
    assert_eq!(takes(&two, &here[1]).await, last, "but not what was for others");
    assert!(here.iter().all(|session| session.is_ended()));
}

#[tokio::test]
async fn what_came_twice_is_given_once() {
    let stage = stage(SessionLimits::default());
    let session = stage.arrives();
    stage.follows(&session, 0);
    stage.says("1").await;
    assert_eq!(stage.hears(&session, 1).await, [1]);
    let again = stage.stream.events.lock()[0].clone();
    stage.sessions.deliver(&again);
    assert!(stage.sessions.take(&session).is_empty());
}

#[tokio::test]
async fn a_slow_reader_is_cut_and_resumes() {
    let stage = stage(small());
    let session = stage.arrives();
    stage.follows(&session, 0);
    stage.says("0").await;
    assert_eq!(stage.hears(&session, 1).await, [1]);
    for number in 1..40 {
        stage.says(&number.to_string()).await;
    }
    let cut = async {
        while !session.is_ended() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), cut).await.expect("cut in time");
    let left = stage.sessions.take(&session);
    assert_eq!(left, [Item::Push(Push::Bye(Bye::SlowReader))]);
    assert_eq!(stage.sessions.figures().sessions, 0);
    assert_eq!(stage.sessions.figures().slow_readers, 1);

    let next = stage.arrives();
    stage.follows(&next, 1);
    assert_eq!(stage.hears(&next, 39).await, (2..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn signals_are_lost_before_a_reader_is_cut() {
    let stage = stage(small());
    let session = stage.arrives();
    let typing = Push::Typing { conversation: talk(), from: Party::System, on: true };
    for _ in 0..100 {
        stage.sessions.push_to(session.principal().party(), typing.clone());
    }
    assert!(!session.is_ended());
    assert_eq!(stage.sessions.take(&session).len(), 8);
}

#[tokio::test]
async fn a_polls_cursor_acknowledges_and_a_lost_answer_is_sent_again() {
    let stage = stage(SessionLimits::default());
    let session = stage.sessions.open(agent(1), Carrier::Poll).unwrap();
    stage.follows(&session, 0);
    stage.says("1").await;
    stage.says("2").await;
    assert_eq!(stage.hears(&session, 2).await, [1, 2]);
    let has = |sent| Follow { conversation: talk(), sent };
    stage.sessions.acknowledge(&session, has(0));
    assert_eq!(stage.hears(&session, 2).await, [1, 2], "the answer was lost");
    stage.sessions.acknowledge(&session, has(2));
    stage.says("3").await;
    assert_eq!(stage.hears(&session, 1).await, [3]);
    assert!(stage.sessions.take(&session).is_empty());
}

#[tokio::test]
async fn unfollowed_is_silent_and_an_ended_session_leaves_nothing() {
    let stage = stage(SessionLimits::default());
    let (one, two) = (stage.arrives(), stage.arrives());
    stage.follows(&one, 0);
    stage.follows(&two, 0);
    stage.sessions.unfollow(&one, talk());
    stage.says("1").await;
    assert_eq!(stage.hears(&two, 1).await, [1]);
    assert!(stage.sessions.take(&one).is_empty());
    assert!(stage.sessions.end(&one, None));
    assert!(!stage.sessions.end(&one, None));
    stage.sessions.end_all(Bye::Draining);
    assert!(!stage.sessions.has(one.principal().party()));
    assert!(stage.sessions.followers.iter().all(|shard| shard.lock().is_empty()));
}

/// Sessions on a clock of their own; nothing runs but what a test turns by hand.
struct Timed {
    now: Arc<AtomicU64>,
    sessions: Arc<Sessions>,
}

impl Timed {
    fn new() -> Self {
        let now = Arc::new(AtomicU64::new(1_000_000));
        let at = now.clone();
        let clock = Clock::from_fn(move || at.load(Ordering::Relaxed));
        let stream: Arc<Memory> = Arc::default();
        Self { now, sessions: Sessions::new(stream, None, clock, SessionLimits::default()) }
    }

    /// Seconds pass, one after the other, and `each` has its say in every one.
    fn pass(&self, seconds: usize, each: impl Fn(Millis)) {
        for _ in 0..seconds {
            let now = self.now.fetch_add(1000, Ordering::Relaxed) + 1000;
            each(now);
            self.sessions.look(now, &mut Vec::new());
        }
    }
}

#[tokio::test]
async fn quiet_sessions_are_pinged_and_silent_ones_end() {
    let stage = Timed::new();
    let socket = stage.sessions.open(agent(1), Carrier::Socket).unwrap();
    let poll = stage.sessions.open(agent(2), Carrier::Poll).unwrap();
    stage.pass(25, |_| {});
    assert_eq!(stage.sessions.take(&socket), [Item::Ping]);
    poll.heard(stage.now.load(Ordering::Relaxed));
    stage.pass(22, |_| {});
    assert!(socket.is_ended());
    assert!(!poll.is_ended(), "its last poll came 22 s ago");
    stage.pass(25, |_| {});
    assert!(poll.is_ended(), "parked or not: its last poll came 47 s ago");
    assert_eq!(stage.sessions.figures().idle, 2);
}

#[tokio::test]
async fn who_only_listens_is_asked_and_lives() {
    let stage = Timed::new();
    let listener = stage.sessions.open(agent(1), Carrier::Socket).unwrap();
    stage.pass(300, |now| {
        let typing = Push::Typing { conversation: talk(), from: Party::System, on: true };
        stage.sessions.push_to(listener.principal().party(), typing);
        let taken = stage.sessions.take(&listener);
        if taken.contains(&Item::Ping) {
            listener.heard(now);
        }
    });
    assert!(!listener.is_ended());
}

#[tokio::test]
async fn a_session_ends_with_its_token_however_lively() {
    let stage = Timed::new();
    let until = stage.now.load(Ordering::Relaxed) + 60_500;
    let open =
        |number, carrier| stage.sessions.open(Proven { until, ..agent(number) }, carrier).unwrap();
    let sessions = [open(1, Carrier::Socket), open(2, Carrier::Poll)];
    let lively = |now| sessions.iter().for_each(|session| session.heard(now));
    stage.pass(60, lively);
    assert!(sessions.iter().all(|session| !session.is_ended()));
    stage.pass(2, lively);
    for session in &sessions {
        assert!(session.is_ended());
        let last = stage.sessions.take(session).pop_back();
        assert_eq!(last, Some(Item::Push(Push::Bye(Bye::Unauthorized))));
    }
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_replaced_poll_does_not_take_the_newer_ones_place() {
    let sessions =
        Sessions::new(Arc::<Memory>::default(), None, Clock::system(), SessionLimits::default());
    let session = sessions.open(agent(1), Carrier::Poll).unwrap();
    let (older, newer) = (Arc::<Woken>::default(), Arc::<Woken>::default());
    let ready = |number, woken: &Arc<Woken>| {
        let waker = std::task::Waker::from(woken.clone());
        session.poll_ready_for(number, &std::task::Context::from_waker(&waker)).is_ready()
    };
    let first = session.poll_begins();
    assert!(!ready(first, &older));
    let second = session.poll_begins();
    assert_eq!(older.0.load(Ordering::Relaxed), 1, "told that it is replaced");
    assert!(!ready(second, &newer));
    assert!(ready(first, &older), "late to look, and replaced");
    sessions.put(&session, Item::Ping);
    assert_eq!(newer.0.load(Ordering::Relaxed), 1, "the newer one hears of it");
    assert!(ready(second, &newer));
}

#[test]
fn the_wheel_gives_each_once_and_survives_a_long_sleep() {
    let id = |number| SessionId::new(number).unwrap();
    let mut wheel = Wheel::new(10, 0);
    wheel.add(id(1), 15);
    wheel.add(id(2), 1_000_000);
    wheel.add(id(3), 0);
    let mut due = Vec::new();
    wheel.turn(10, &mut due);
    assert_eq!(due, [id(3)]);
    due.clear();
    wheel.turn(20, &mut due);
    assert_eq!(due, [id(1)]);
    due.clear();
    wheel.turn(5_000_000, &mut due);
    assert_eq!(due, [id(2)]);
    due.clear();
    wheel.turn(10, &mut due);
    wheel.turn(5_002_000, &mut due);
    assert!(due.is_empty());
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 320, "{}", size_of::<Session>());
}
