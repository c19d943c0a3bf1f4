//! Made-up conversations, held over the long-poll carrier like any client would.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::http::Http;
use super::people::{Account, BOT_SITE, SITE, sign_in};
use crate::shell;

/// Visitor first, then in turns.
const DIALOGUES: [&[&str]; 5] = [
    &[
        "Hi, my order 10432 has not arrived yet.",
        "Hello! Let me look that up for you. One moment please.",
        "Thanks.",
        "It left our warehouse yesterday and should be with you tomorrow before noon.",
        "Great, thank you!",
        "You are welcome. Is there anything else I can do for you?",
    ],
    &[
        "你好，我想退货，可以吗？",
        "您好！可以的，请问是哪一件商品呢？",
        "上周买的蓝色背包，拉链坏了。",
        "很抱歉给您添麻烦了，我已经为您申请了免费退货。",
        "谢谢！",
        "不客气，祝您生活愉快！",
    ],
    &[
        "Is the walnut desk in stock in 160 cm?",
        "Good morning! Yes, we have four of them left.",
        "And does delivery include carrying it upstairs?",
        "It does, up to the fifth floor, at no extra cost.",
    ],
    &[
        "请问发票怎么开？",
        "您好，在订单页面点“申请发票”就可以，电子发票会发到您的邮箱。",
        "好的，明白了。",
        "感谢您的咨询！",
    ],
    &[
        "I was charged twice for the same thing.",
        "I am sorry about that. Could you tell me the order number?",
        "10977",
        "Thank you. I have refunded the second charge; it takes two to three days.",
        "Perfect.",
        "Thank you for your patience!",
    ],
];

/// How long an agent may take to be found.
const ASSIGNED_WITHIN: Duration = Duration::from_secs(20);

/// One client over long-poll.
struct Client {
    http: Http,
    session: String,
    sent: u32,
}

impl Client {
    fn hello(http: Http) -> anyhow::Result<Self> {
        let hello =
            json!({ "type": "hello", "protocol": 1, "token": http.token, "client": "demo" });
        let answer = http.post("/v1/commands", &json!({ "frames": [hello] }))?;
        let session = answer["frames"][0]["session"].as_str();
        let session = session.with_context(|| format!("no welcome: {answer}"))?.to_owned();
        Ok(Self { http, session, sent: 0 })
    }

    /// Sends one frame, with a fresh key, and returns its answer.
    fn does(&mut self, mut frame: Value) -> anyhow::Result<Value> {
        self.sent += 1;
        frame["key"] = format!("demo-{}-{}", self.session, self.sent).into();
        let body = json!({ "session": self.session, "frames": [frame] });
        let answer = self.http.post("/v1/commands", &body)?;
        // Some frames (`bye`) have no answer.
        let answer = answer["frames"].get(0).cloned().unwrap_or_default();
        if answer["type"] == "error" {
            bail!("{}", answer["message"]);
        }
        Ok(answer)
    }

    /// Holds the session alive.
    fn stays(&self) {
        let client = Self { http: self.http.clone(), session: self.session.clone(), sent: 0 };
        thread::spawn(move || {
            loop {
                let path = format!("/v1/events?session={}&cursor=&wait=20000", client.session);
                if client.http.get(&path).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(500));
            }
        });
    }
}

/// Some conversations that are over, some that wait for the person who signs in next.
pub(crate) fn seed(server: &str, accounts: &[Account]) -> anyhow::Result<()> {
    let shift = Shift::begin(server, SITE, accounts.iter().filter(|one| !one.is_bot()))?;
    for (number, dialogue) in DIALOGUES.iter().enumerate() {
        let held = shift.hold(dialogue, number < 4, Duration::ZERO);
        held.with_context(|| format!("made-up conversation {}", number + 1))?;
    }
    shift.end();
    Ok(())
}

/// Made-up visitors until the process ends, answered by the bots.
pub(crate) fn forever(server: &str, accounts: &[Account], pause: Duration) {
    let bots: Vec<_> = accounts.iter().filter(|one| one.is_bot()).cloned().collect();
    let server = server.to_owned();
    thread::spawn(move || {
        loop {
            if let Err(error) = traffic(&server, &bots, pause) {
                shell::say(&format!("traffic: {error:#}"));
            }
            thread::sleep(Duration::from_secs(3));
        }
    });
}

/// One dialogue after another, by bots who sign in once: a session for each dialogue would meet
/// `sessions.per_person` after a quarter of an hour. Ends, and signs them out, when one fails.
fn traffic(server: &str, bots: &[Account], pause: Duration) -> anyhow::Result<()> {
    let shift = Shift::begin(server, BOT_SITE, bots)?;
    let outcome =
        DIALOGUES.iter().cycle().try_for_each(|dialogue| shift.hold(dialogue, true, pause));
    shift.end();
    outcome
}

/// Who answers for a site.
struct Shift {
    server: String,
    site: &'static str,
    /// Agent id and client of everyone.
    agents: Vec<(String, Client)>,
}

impl Shift {
    /// Signs everyone in, online.
    fn begin<'a>(
        server: &str,
        site: &'static str,
        accounts: impl IntoIterator<Item = &'a Account>,
    ) -> anyhow::Result<Self> {
        let mut agents = Vec::new();
        for account in accounts {
            let http = sign_in(server, &account.login, &account.password)?;
            let id = http.get("/v1/me")?["agent"]["id"].as_str().context("no id")?.to_owned();
            let mut client = Client::hello(http)?;
            client.does(json!({ "type": "status", "status": "online" }))?;
            client.stays();
            agents.push((id, client));
        }
        Ok(Self { server: server.to_owned(), site, agents })
    }

    /// Signs everyone out.
    fn end(self) {
        for (_, agent) in self.agents {
            let mut agent = Client { sent: now_number(), ..agent };
            drop(agent.does(json!({ "type": "bye" })));
        }
    }

    /// A fresh visitor's conversation, with a pause before each line.
    fn hold(&self, lines: &[&str], over: bool, pause: Duration) -> anyhow::Result<()> {
        let nobody = Http { server: self.server.clone(), token: String::new() };
        let made = nobody.post("/v1/visitors", &json!({ "site": self.site }))?;
        let token = made["token"].as_str().context("no token")?.to_owned();
        let mut visitor = Client::hello(Http { token, ..nobody })?;
        let first = lines.first().copied().unwrap_or("Hello!");
        let opened = visitor.does(json!({ "type": "open", "fields": {}, "text": first }))?;
        let conversation = opened["conversation"].clone();
        let id = assigned(&visitor.http)?;
        let mut agents = self.agents.iter();
        let (_, agent) = agents.find(|(known, _)| *known == id).context("another agent has it")?;
        let mut agent =
            Client { http: agent.http.clone(), session: agent.session.clone(), sent: now_number() };
        for (turn, text) in lines.iter().enumerate().skip(1) {
            thread::sleep(pause);
            let speaker = if turn % 2 == 0 { &mut visitor } else { &mut agent };
            speaker.does(json!({ "type": "send", "conversation": conversation, "text": text }))?;
        }
        if over {
            agent.does(json!({ "type": "close", "conversation": conversation }))?;
            visitor.does(json!({ "type": "rate", "conversation": conversation, "score": 5 }))?;
        }
        drop(visitor.does(json!({ "type": "bye" })));
        Ok(())
    }
}

/// Who got the visitor's conversation.
fn assigned(visitor: &Http) -> anyhow::Result<String> {
    let begun = Instant::now();
    while begun.elapsed() < ASSIGNED_WITHIN {
        let mine = visitor.get("/v1/me/conversations")?;
        let newest = &mine["conversations"][0];
        if let (Some("active"), Some(agent)) = (newest["state"].as_str(), newest["agent"].as_str())
        {
            return Ok(agent.to_owned());
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("no agent got it")
}

/// A number no earlier client of this run began with.
fn now_number() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed) * 1000
}
