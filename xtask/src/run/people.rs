//! The demo's people: a team, a site, three agents, and conversations they had. Beside them, apart in a team and a site
//! of their own, two bots with made-up visitors for `--traffic`: nobody who opens the demo's pages ever meets a bot.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::http::Http;
use super::{Demo, talk};

/// The demo's site, answered by people.
pub(crate) const SITE: &str = "demo";
/// The made-up visitors' site, answered by bots.
pub(crate) const BOT_SITE: &str = "made-up";
/// What `accounts.txt` says for a role when nobody sits there.
const BOT: &str = "bot";

const SALES: &str = "Sales";
const BOTS: &str = "Bots";

/// Login, name, role, team, skills.
const HIRED: [(&str, &str, &str, &str, [&str; 2]); 5] = [
    ("amy", "Amy", "supervisor", SALES, ["billing:4", "orders:3"]),
    ("ben", "Ben", "agent", SALES, ["orders:5", "returns:3"]),
    ("chen", "陈晨", "agent", SALES, ["chinese:5", "orders:3"]),
    ("bot-dee", "Dee (bot)", BOT, BOTS, ["orders:4", "billing:4"]),
    ("bot-eli", "Eli (bot)", BOT, BOTS, ["orders:4", "returns:4"]),
];
/// Dialogues broken off by Ctrl-C stay with their bot.
const BOT_CAPACITY: &str = "100";

/// Who may sign in.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) login: String,
    /// agent, supervisor, admin or bot.
    pub(crate) role: String,
    pub(crate) password: String,
}

impl Account {
    pub(crate) fn is_bot(&self) -> bool {
        self.role == BOT
    }
}

/// Deletes the data of a first run that was broken off half-way.
pub(crate) fn whole_or_none(data: &Path) -> anyhow::Result<()> {
    if data.exists() && !data.join("accounts.txt").exists() {
        fs::remove_dir_all(data)?;
    }
    Ok(())
}

/// Makes everything at the first run; later runs find it in `accounts.txt`.
pub(crate) fn prepare(demo: &Demo, server: &str) -> anyhow::Result<Vec<Account>> {
    let kept = demo.data.join("accounts.txt");
    if let Ok(text) = fs::read_to_string(&kept) {
        let all: Option<Vec<_>> = text.lines().map(account).collect();
        return all.with_context(|| {
            format!("{} is of an earlier version: delete {}", kept.display(), demo.data.display())
        });
    }
    demo.kefu(&["team", "add", SALES])?;
    demo.kefu(&["team", "add", BOTS])?;
    let mut accounts = hire(demo)?;
    let origin = format!("http://{server}");
    let origin = ["--origin", &origin];
    demo.kefu(
        &[&["site", "add", SITE, "--name", "Demo shop", "--team", SALES], &origin[..]].concat(),
    )?;
    demo.kefu(&["site", "add", BOT_SITE, "--name", "Made-up visitors", "--team", BOTS])?;
    dress(demo, server)?;
    talk::seed(server, &accounts)?;
    if let Ok(password) = fs::read_to_string(demo.data.join("admin.txt")) {
        accounts.push(Account { login: "admin".into(), role: "admin".into(), password });
    }
    let lines = accounts.iter().map(|a| format!("{} {} {}\n", a.login, a.role, a.password));
    fs::write(kept, lines.collect::<String>())?;
    Ok(accounts)
}

fn hire(demo: &Demo) -> anyhow::Result<Vec<Account>> {
    let mut accounts = Vec::new();
    for (login, name, role, team, [first, second]) in HIRED {
        let (rank, capacity) = if role == BOT { ("agent", BOT_CAPACITY) } else { (role, "5") };
        let said = demo.kefu(&[
            "agent",
            "add",
            login,
            "--name",
            name,
            "--team",
            team,
            "--role",
            rank,
            "--skill",
            first,
            "--skill",
            second,
            "--capacity",
            capacity,
        ])?;
        let password = said.lines().find_map(|line| line.strip_prefix("password: "));
        let password = password.context("no password was shown")?.to_owned();
        accounts.push(Account { login: login.into(), role: role.into(), password });
    }
    Ok(accounts)
}

fn account(line: &str) -> Option<Account> {
    let mut words = line.splitn(3, ' ').map(str::to_owned);
    Some(Account { login: words.next()?, role: words.next()?, password: words.next()? })
}

/// Gives the site a greeting and a form.
fn dress(demo: &Demo, server: &str) -> anyhow::Result<()> {
    let Ok(password) = fs::read_to_string(demo.data.join("admin.txt")) else { return Ok(()) };
    let admin = sign_in(server, "admin", &password)?;
    let sites = admin.get("/v1/sites")?;
    let mut sites = sites["sites"].as_array().into_iter().flatten();
    let site = sites.find(|site| site["key"] == SITE).context("no site")?;
    let id = site["id"].as_str().context("no site")?;
    let path = format!("/v1/sites/{id}");
    admin.patch(&path, &json!({ "widget": widget() }))?;
    Ok(())
}

fn widget() -> Value {
    json!({
        "color": "#2158d0",
        "position": "right",
        "greeting": {
            "en": "Hello! How can we help you today?",
            "zh-CN": "您好！请问有什么可以帮您？",
        },
        "fields": [
            {
                "name": "name", "kind": "text", "required": false,
                "label": { "en": "Your name", "zh-CN": "您的称呼" },
            },
            {
                "name": "topic", "kind": "select", "required": false,
                "label": { "en": "What is it about?", "zh-CN": "咨询类型" },
                "options": [
                    { "value": "orders", "label": { "en": "An order", "zh-CN": "订单" } },
                    { "value": "billing", "label": { "en": "A bill", "zh-CN": "账单" } },
                ],
            },
        ],
    })
}

/// Signs in.
pub(crate) fn sign_in(server: &str, login: &str, password: &str) -> anyhow::Result<Http> {
    let nobody = Http { server: server.into(), token: String::new() };
    let answer = nobody.post("/v1/login", &json!({ "login": login, "password": password }))?;
    let token = answer["token"].as_str().context("no token")?.to_owned();
    Ok(Http { token, ..nobody })
}
