//! The demo's people: a team, a site, three agents, and conversations they had.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::http::Http;
use super::{Demo, talk};

/// The demo's site.
pub(crate) const SITE: &str = "demo";

/// Login, name, skills.
const AGENTS: [(&str, &str, [&str; 2]); 3] = [
    ("amy", "Amy", ["billing:4", "orders:3"]),
    ("ben", "Ben", ["orders:5", "returns:3"]),
    ("chen", "陈晨", ["chinese:5", "orders:3"]),
];

/// Who may sign in.
pub(crate) struct Account {
    pub(crate) login: String,
    pub(crate) password: String,
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
        return Ok(text.lines().filter_map(account).collect());
    }
    demo.kefu(&["team", "add", "Sales"])?;
    let mut accounts = Vec::new();
    for (login, name, skills) in AGENTS {
        let role = if login == "amy" { "supervisor" } else { "agent" };
        let [first, second] = skills;
        let said = demo.kefu(&[
            "agent", "add", login, "--name", name, "--team", "Sales", "--role", role, "--skill",
            first, "--skill", second,
        ])?;
        let password = said.lines().find_map(|line| line.strip_prefix("password: "));
        let password = password.context("no password was shown")?.to_owned();
        accounts.push(Account { login: login.into(), password });
    }
    let origin = format!("http://{server}");
    demo.kefu(&[
        "site",
        "add",
        SITE,
        "--name",
        "Demo shop",
        "--team",
        "Sales",
        "--origin",
        &origin,
    ])?;
    dress(demo, server)?;
    talk::seed(server, &accounts)?;
    if let Ok(password) = fs::read_to_string(demo.data.join("admin.txt")) {
        accounts.push(Account { login: "admin".into(), password });
    }
    let lines = accounts.iter().map(|a| format!("{} {}\n", a.login, a.password));
    fs::write(kept, lines.collect::<String>())?;
    Ok(accounts)
}

fn account(line: &str) -> Option<Account> {
    let (login, password) = line.split_once(' ')?;
    Some(Account { login: login.into(), password: password.into() })
}

/// Gives the site a greeting and a form.
fn dress(demo: &Demo, server: &str) -> anyhow::Result<()> {
    let Ok(password) = fs::read_to_string(demo.data.join("admin.txt")) else { return Ok(()) };
    let admin = sign_in(server, "admin", &password)?;
    let sites = admin.get("/v1/sites")?;
    let id = sites["sites"][0]["id"].as_str().context("no site")?.to_owned();
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
