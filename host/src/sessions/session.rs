//! One session: its cursors and its outbox. Pure bookkeeping under one lock; nothing here waits.
//!
//! ```text
//!   per followed conversation           live seq == sent+1: into the outbox
//!   ┌──────┐  gap (live seq > sent+1)  ┌────────┐  outbox half full   ┌────────┐
//!   │ Live │ ────────────────────────▶ │ Queued │ ──────────────────▶ │ Parked │
//!   └──────┘ ◀──────────────────────── └────────┘ ◀────────────────── └────────┘
//!              page short, nothing       carrier took the outbox (`take`)
//!              newer known (`healed`)
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::push::{Bye, Item, Push};
use super::{Follow, SessionLimits};
use crate::domain::event::Event;
use crate::domain::ids::{ConversationId, Millis, Seq, SessionId};
use crate::domain::people::{Principal, Proven};
use crate::domain::rate::Bucket;

/// What carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A WebSocket: pinged when quiet.
    Socket,
    /// Long-poll: alive while it polls.
    Poll,
}

/// One participant's presence on one carrier.
pub struct Session {
    id: SessionId,
    proven: Proven,
    carrier: Carrier,
    limits: Arc<SessionLimits>,
    /// When the client was last heard.
    heard: AtomicU64,
    /// The number of the newest poll.
    poll: AtomicU32,
    /// The one carrier task that waits for the outbox.
    waker: AtomicWaker,
    inner: Mutex<Inner>,
}

struct Inner {
    tracks: SmallVec<[Track; 1]>,
    outbox: VecDeque<Item>,
    bytes: usize,
    ended: bool,
    commands: Bucket,
}

/// A followed conversation.
struct Track {
    conversation: ConversationId,
    /// The last `seq` put into the outbox.
    sent: Seq,
    /// The highest `seq` seen live.
    known: Seq,
    heal: Heal,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heal {
    Live,
    Queued,
    Parked,
}

/// What a carrier took.
pub(super) struct Taken {
    pub(super) items: VecDeque<Item>,
    /// Conversations whose healing may go on.
    pub(super) unparked: SmallVec<[ConversationId; 1]>,
}

/// What an offer came to; the registry acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// Taken, or dropped because it was old or may be lost.
    Fine,
    /// A gap: read the stream.
    Gap,
    /// No room: a slow reader.
    Full,
}

/// How a page of healing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Healed {
    /// Nothing is missing any more, or the session does not follow it any more.
    Done,
    /// Read the next page.
    More,
    /// The next page is not readable yet.
    Later,
    /// No room: goes on when the carrier takes the outbox.
    Parked,
}

impl Session {
    pub(super) fn new(
        id: SessionId,
        proven: Proven,
        carrier: Carrier,
        limits: Arc<SessionLimits>,
        now: Millis,
    ) -> Self {
        let inner = Inner {
            tracks: SmallVec::new(),
            outbox: VecDeque::new(),
            bytes: 0,
            ended: false,
            commands: Bucket::full(limits.commands, now),
        };
        Self {
            id,
            proven,
            carrier,
            limits,
            heard: AtomicU64::new(now),
            poll: AtomicU32::new(0),
            waker: AtomicWaker::new(),
            inner: Mutex::new(inner),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Who is behind it.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.proven.principal
    }

    /// Until when its token is good.
    pub(super) fn until(&self) -> Millis {
        self.proven.until
    }

    /// What carries it.
    #[must_use]
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The client was heard now.
    pub fn heard(&self, now: Millis) {
        self.heard.store(now, Ordering::Relaxed);
    }

    pub(super) fn heard_at(&self) -> Millis {
        self.heard.load(Ordering::Relaxed)
    }

    /// A poll begins; it replaces the one before. Its number is for [`Session::poll_ready_for`].
    pub fn poll_begins(&self) -> u32 {
        // Under the lock: what the former poll takes, it has taken before the newer one tells what its client has.
        let inner = self.inner.lock();
        let number = self.poll.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        drop(inner);
        self.waker.wake();
        number
    }

    /// Whether this is still the newest poll.
    #[must_use]
    fn is_poll(&self, number: u32) -> bool {
        self.poll.load(Ordering::Acquire) == number
    }

    /// Whether it has ended; its outbox may still hold the `bye`.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.inner.lock().ended
    }

    /// One command: is it within the rate? Otherwise the milliseconds to wait.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub fn allow(&self, now: Millis) -> Result<(), u64> {
        self.inner.lock().commands.take(self.limits.commands, now)
    }

    /// Ready when there is something to take or the session has ended. One waiter: the socket's task.
    pub fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        self.inner.lock().ready(&self.waker, cx)
    }

    /// As `poll_ready`, for the poll of this number; ready at once when a newer poll has replaced it. Who waits is
    /// noted under the lock under which polls are numbered, so a replaced poll never takes the newer one's place.
    pub fn poll_ready_for(&self, number: u32, cx: &Context<'_>) -> Poll<()> {
        let inner = self.inner.lock();
        if self.is_poll(number) { inner.ready(&self.waker, cx) } else { Poll::Ready(()) }
    }

    /// Puts an item that is not an event of a followed conversation.
    pub(super) fn put(&self, item: Item) -> Offered {
        let mut inner = self.inner.lock();
        let offered = inner.put(item, &self.limits);
        drop(inner);
        self.waker.wake();
        offered
    }

    /// A live event.
    pub(super) fn offer(&self, event: &Arc<Event>) -> Offered {
        let mut inner = self.inner.lock();
        let Some(at) = inner.find(event.conversation) else { return Offered::Fine };
        let track = &mut inner.tracks[at];
        track.known = track.known.max(event.seq);
        if event.seq <= track.sent {
            return Offered::Fine;
        }
        if event.seq > track.sent + 1 {
            let fresh = track.heal == Heal::Live;
            track.heal = if fresh { Heal::Queued } else { track.heal };
            return if fresh { Offered::Gap } else { Offered::Fine };
        }
        let healing = track.heal != Heal::Live;
        if healing && inner.room(&self.limits) == 0 {
            return Offered::Fine;
        }
        let offered = inner.put(Item::Push(Push::Event(event.clone())), &self.limits);
        if offered == Offered::Fine {
            inner.tracks[at].sent = event.seq;
        }
        drop(inner);
        self.waker.wake();
        offered
    }

    /// Begins to follow, or goes back to an earlier `seq`. `Gap`: read the stream. `Full`: follows too many.
    pub(super) fn follow(&self, follow: Follow, rewind: bool) -> Option<Offered> {
        let mut inner = self.inner.lock();
        if inner.ended {
            return None;
        }
        if let Some(at) = inner.find(follow.conversation) {
            if !rewind || inner.tracks[at].sent <= follow.sent {
                return Some(Offered::Fine);
            }
            inner.forget(follow.conversation, follow.sent);
            let track = &mut inner.tracks[at];
            track.sent = follow.sent;
            let fresh = track.heal == Heal::Live;
            track.heal = if fresh { Heal::Queued } else { track.heal };
            return Some(if fresh { Offered::Gap } else { Offered::Fine });
        }
        if inner.tracks.len() >= self.limits.follows {
            return Some(Offered::Full);
        }
        let Follow { conversation, sent } = follow;
        inner.tracks.push(Track { conversation, sent, known: 0, heal: Heal::Queued });
        Some(Offered::Gap)
    }

    pub(super) fn follows(&self, conversation: ConversationId) -> bool {
        self.inner.lock().find(conversation).is_some()
    }

    pub(super) fn unfollow(&self, conversation: ConversationId) {
        let mut inner = self.inner.lock();
        if let Some(at) = inner.find(conversation) {
            inner.tracks.swap_remove(at);
        }
    }

    /// A poll's cursor for one conversation: what the client has. Acknowledged events leave the outbox; if the client
    /// lacks what was taken before (a lost answer), its cursor goes back. `Gap`: read the stream.
    pub(super) fn acknowledge(&self, has: Follow) -> Offered {
        let mut inner = self.inner.lock();
        let Some(at) = inner.find(has.conversation) else { return Offered::Fine };
        let of = |item: &Item| match item {
            Item::Push(Push::Event(event)) if event.conversation == has.conversation => {
                Some(event.seq)
            }
            _ => None,
        };
        let waiting = inner.outbox.iter().find_map(of);
        let taken = waiting.map_or(inner.tracks[at].sent, |seq| seq - 1);
        if has.sent >= taken {
            inner.outbox.retain(|item| of(item).is_none_or(|seq| seq > has.sent));
            inner.weigh();
            return Offered::Fine;
        }
        inner.forget(has.conversation, has.sent);
        let track = &mut inner.tracks[at];
        track.sent = has.sent;
        let fresh = track.heal == Heal::Live;
        track.heal = if fresh { Heal::Queued } else { track.heal };
        if fresh { Offered::Gap } else { Offered::Fine }
    }

    /// Live events may have been missed: what is to be read again now. What is being healed is read anyway.
    pub(super) fn doubt(&self) -> SmallVec<[ConversationId; 1]> {
        let mut inner = self.inner.lock();
        let mut doubted = SmallVec::new();
        for track in inner.tracks.iter_mut().filter(|track| track.heal == Heal::Live) {
            track.heal = Heal::Queued;
            doubted.push(track.conversation);
        }
        doubted
    }

    /// Where healing is: the `seq` to read after and how many there is room for. `None`: nothing to heal (now).
    pub(super) fn heal_from(&self, conversation: ConversationId) -> Option<(Seq, usize)> {
        let mut inner = self.inner.lock();
        let room = inner.room(&self.limits);
        let at = inner.find(conversation).filter(|_| !inner.ended)?;
        let track = &mut inner.tracks[at];
        if room == 0 {
            track.heal = Heal::Parked;
            return None;
        }
        track.heal = Heal::Queued;
        Some((track.sent, room))
    }

    /// A page read from the stream after `heal_from`; `short`: it was not full.
    pub(super) fn heal(
        &self,
        conversation: ConversationId,
        page: &[Arc<Event>],
        short: bool,
    ) -> Healed {
        let mut inner = self.inner.lock();
        let Some(at) = inner.find(conversation).filter(|_| !inner.ended) else {
            return Healed::Done;
        };
        let before = inner.tracks[at].sent;
        for event in page {
            inner.tracks[at].known = inner.tracks[at].known.max(event.seq);
            if event.seq != inner.tracks[at].sent + 1 {
                continue;
            }
            if inner.room(&self.limits) == 0 {
                inner.tracks[at].heal = Heal::Parked;
                drop(inner);
                self.waker.wake();
                return Healed::Parked;
            }
            inner.tracks[at].sent = event.seq;
            inner.push(Item::Push(Push::Event(event.clone())));
        }
        let track = &mut inner.tracks[at];
        let (sent, moved) = (track.sent, track.sent > before);
        let healed = if short && track.known <= sent {
            track.heal = Heal::Live;
            Healed::Done
        } else if moved {
            Healed::More
        } else {
            Healed::Later
        };
        drop(inner);
        self.waker.wake();
        healed
    }

    /// Everything in the outbox, and the conversations whose healing may go on now.
    pub(super) fn take(&self) -> Taken {
        self.inner.lock().take()
    }

    /// As `take`, if this is still the newest poll, with where the session is at this very moment.
    pub(super) fn take_for_poll(&self, number: u32) -> Option<(Taken, Vec<Follow>)> {
        let mut inner = self.inner.lock();
        if !self.is_poll(number) {
            return None;
        }
        let taken = inner.take();
        let follow = |track: &Track| Follow { conversation: track.conversation, sent: track.sent };
        Some((taken, inner.tracks.iter().map(follow).collect()))
    }

    /// Ends it; `false` when it had ended before. What it followed comes back for the registry to clean up.
    pub(super) fn end(&self, bye: Option<Bye>) -> Option<SmallVec<[ConversationId; 1]>> {
        let mut inner = self.inner.lock();
        if inner.ended {
            return None;
        }
        inner.ended = true;
        if bye == Some(Bye::SlowReader) {
            inner.outbox = VecDeque::new();
            inner.bytes = 0;
        }
        if let Some(bye) = bye {
            inner.push(Item::Push(Push::Bye(bye)));
        }
        let followed = inner.tracks.drain(..).map(|track| track.conversation).collect();
        drop(inner);
        self.waker.wake();
        Some(followed)
    }
}

impl Inner {
    fn ready(&self, waker: &AtomicWaker, cx: &Context<'_>) -> Poll<()> {
        if self.ended || !self.outbox.is_empty() {
            return Poll::Ready(());
        }
        waker.register(cx.waker());
        Poll::Pending
    }

    fn take(&mut self) -> Taken {
        self.bytes = 0;
        let items = std::mem::take(&mut self.outbox);
        let mut unparked = SmallVec::new();
        for track in self.tracks.iter_mut().filter(|track| track.heal == Heal::Parked) {
            track.heal = Heal::Queued;
            unparked.push(track.conversation);
        }
        Taken { items, unparked }
    }

    fn find(&self, conversation: ConversationId) -> Option<usize> {
        self.tracks.iter().position(|track| track.conversation == conversation)
    }

    /// Items that healing may still put: it leaves half of the outbox to what is live.
    fn room(&self, limits: &SessionLimits) -> usize {
        if self.bytes >= limits.outbox_bytes / 2 {
            return 0;
        }
        (limits.outbox_items / 2).saturating_sub(self.outbox.len())
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.weight();
        self.outbox.push_back(item);
    }

    fn put(&mut self, item: Item, limits: &SessionLimits) -> Offered {
        if self.ended {
            return Offered::Fine;
        }
        let full = self.outbox.len() >= limits.outbox_items || self.bytes >= limits.outbox_bytes;
        if full {
            return if item.may_be_lost() { Offered::Fine } else { Offered::Full };
        }
        self.push(item);
        Offered::Fine
    }

    /// Removes the events of a conversation after `seq` from the outbox.
    fn forget(&mut self, conversation: ConversationId, seq: Seq) {
        self.outbox.retain(|item| match item {
            Item::Push(Push::Event(event)) => {
                event.conversation != conversation || event.seq <= seq
            }
            _ => true,
        });
        self.weigh();
    }

    fn weigh(&mut self) {
        self.bytes = self.outbox.iter().map(Item::weight).sum();
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("principal", self.principal())
            .finish()
    }
}
