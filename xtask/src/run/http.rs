//! The smallest HTTP client that can talk to the demo server: one request a connection, JSON both ways.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

/// A way to the server for one person.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) server: String,
    pub(crate) token: String,
}

impl Http {
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send("POST", path, &body.to_string())
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send("PATCH", path, &body.to_string())
    }

    fn send(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let mut stream = TcpStream::connect(&self.server)?;
        stream.set_read_timeout(Some(Duration::from_secs(40)))?;
        let bearer = match self.token.as_str() {
            "" => String::new(),
            token => format!("Authorization: Bearer {token}\r\n"),
        };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{bearer}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.server,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("half an answer")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            bail!("{method} {path}: {status} {body}");
        }
        Ok(serde_json::from_str(body).unwrap_or(Value::Null))
    }
}
