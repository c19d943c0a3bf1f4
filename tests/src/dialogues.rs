//! Dialogues to drive: files of the form `{"id", "lang", "turns": [["visitor" | "agent", text], …]}` per line, and a
//! few made-up ones for machines that have none.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// One dialogue, both sides.
#[derive(Debug, Clone, Deserialize)]
pub struct Dialogue {
    /// Its name in the file.
    pub id: String,
    /// `zh`, `en` ….
    pub lang: String,
    /// Who says what, in order.
    pub turns: Vec<(Side, String)>,
}

/// Who says a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The person asking.
    Visitor,
    /// The person answering.
    Agent,
}

/// Reads a file of dialogues.
///
/// # Errors
/// When it cannot be read or a line is not a dialogue.
pub fn load(path: &Path) -> anyhow::Result<Vec<Dialogue>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

/// The real dialogues beside the repository where present, else the made-up ones.
///
/// # Errors
/// When a file that is there cannot be read.
pub fn usual() -> anyhow::Result<Vec<Dialogue>> {
    let folders = ["../shared/data", "../../shared/data", "../../../shared/data"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["dialogues/zh-crosswoz.jsonl", "dialogues/en-taskmaster4.jsonl"];
    let Some(folder) = folders.map(|folder| root.join(folder)).into_iter().find(|f| f.exists())
    else {
        return made_up();
    };
    let mut all = Vec::new();
    for file in files {
        all.extend(load(&folder.join(file))?);
    }
    Ok(all)
}

/// A few dialogues that ship with the repository.
///
/// # Errors
/// Never, unless the file was damaged.
pub fn made_up() -> anyhow::Result<Vec<Dialogue>> {
    parse(include_str!("dialogues/made-up.jsonl"))
}

fn parse(text: &str) -> anyhow::Result<Vec<Dialogue>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| serde_json::from_str(line).with_context(|| format!("line {}", at + 1)))
        .collect()
}
