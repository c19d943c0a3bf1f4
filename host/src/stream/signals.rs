//! Signals: what nodes tell each other beside the stream, such as who is present and what a session is to be shown. At
//! most once, in no promised order, kept nowhere: whatever must not be lost is an event, or is said again.
//!
//! It knows neither what is said nor who carries it: an adapter takes from `out` and gives to `heard`.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

/// Signals that may wait to be sent; more are lost.
const OUT: usize = 4096;
/// Signals a listener may be behind; beyond it the oldest are lost.
const HEARD: usize = 4096;

/// What a signal is about: who listens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Which agents are where.
    Presence,
    /// What sessions are to be shown.
    Sessions,
}

impl Topic {
    fn word(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Sessions => "sessions",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Presence, Self::Sessions].into_iter().find(|topic| topic.word() == word)
    }
}

/// A run of a node: by a random number, so that a restarted one is another.
pub type Node = u64;

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Who sent it, perhaps this node itself.
    pub node: Node,
    /// What it is about.
    pub topic: Topic,
    /// What it says: one line.
    pub text: Arc<str>,
}

impl Signal {
    /// `<node> <topic> <text>`.
    fn line(&self) -> String {
        format!("{} {} {}", self.node, self.topic.word(), self.text)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, ' ');
        let node = parts.next()?.parse().ok()?;
        let topic = Topic::of(parts.next()?)?;
        Some(Self { node, topic, text: parts.next()?.into() })
    }
}

/// One node's end.
#[derive(Debug)]
pub struct Signals {
    node: Node,
    out: mpsc::Sender<String>,
    heard: broadcast::Sender<Signal>,
}

/// What carries signals holds this.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) out: mpsc::Receiver<String>,
    heard: broadcast::Sender<Signal>,
}

impl Signals {
    /// An end for a node, and what its carrier works with.
    pub(super) fn new(node: Node) -> (Self, Carrier) {
        let (out, taken) = mpsc::channel(OUT);
        let (heard, _) = broadcast::channel(HEARD);
        (Self { node, out, heard: heard.clone() }, Carrier { out: taken, heard })
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> Node {
        self.node
    }

    /// Tells every node, this one too. Never waits; what finds no room is lost.
    pub fn send(&self, topic: Topic, text: &str) {
        let signal = Signal { node: self.node, topic, text: text.into() };
        if self.out.try_send(signal.line()).is_err() {
            tracing::debug!(topic = topic.word(), "a signal was lost");
        }
    }

    /// Signals of all topics from now on.
    #[must_use]
    pub fn hear(&self) -> broadcast::Receiver<Signal> {
        self.heard.subscribe()
    }
}

impl Carrier {
    /// Lines as [`Signals::send`] made them, on any node; what makes no sense (a newer node's) is left out.
    pub(super) fn hears(heard: &broadcast::Sender<Signal>, lines: &str) {
        for signal in lines.lines().filter_map(Signal::parse) {
            let _nobody = heard.send(signal);
        }
    }

    /// To whom what is heard is given.
    pub(super) fn ears(&self) -> broadcast::Sender<Signal> {
        self.heard.clone()
    }
}

#[cfg(test)]
impl Signals {
    /// Nodes that hear each other, in this process.
    pub(crate) fn between(nodes: u64) -> Vec<Arc<Self>> {
        let made: Vec<_> = (1..=nodes).map(Self::new).collect();
        let ears: Vec<_> = made.iter().map(|(_, carrier)| carrier.ears()).collect();
        let carry = |(signals, mut carrier): (Self, Carrier)| {
            let ears = ears.clone();
            crate::runtime::spawn(async move {
                while let Some(line) = carrier.out.recv().await {
                    ears.iter().for_each(|heard| Carrier::hears(heard, &line));
                }
            });
            Arc::new(signals)
        };
        made.into_iter().map(carry).collect()
    }
}
