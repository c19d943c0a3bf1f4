//! Files sent in a conversation: what a message says of one, which kinds there are, and what a file may be called.
//!
//! A kind is known by its first bytes; what a client claims only chooses among kinds with the same bytes. A name is what
//! a person sees and what a download is called, never a path: it ends in an extension of its kind, so that nothing
//! becomes a program or a page on the way to an agent's disk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{ConversationId, FileId, Millis};
use super::people::Party;

/// Most bytes in a name: what file systems take.
const NAME_BYTES: usize = 255;
/// How many of the first bytes tell the kind.
pub const HEAD_BYTES: usize = 512;

/// A file as a message shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// Its id.
    pub id: FileId,
    /// What people call it.
    pub name: String,
    /// Its MIME type, as its bytes say.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes.
    pub size: u64,
    /// Pixels across, of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels down, of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Where it is, from the server's root. Whoever knows it may read it; it cannot be guessed.
    pub url: String,
}

/// A file as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// What a message shows of it.
    pub shown: Attachment,
    /// The conversation it was uploaded to.
    pub conversation: ConversationId,
    /// Who uploaded it, and alone may send it.
    pub sender: Party,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// When it came.
    pub created_at: Millis,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its MIME type.
    pub mime: &'static str,
    /// Extensions its files may have; the first is added to a name that has none of them.
    extensions: &'static [&'static str],
    starts: Starts,
}

/// What the first bytes of a kind look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Starts {
    With(&'static [u8]),
    Gif,
    Webp,
    Zip,
    Text,
}

const fn kind(mime: &'static str, extensions: &'static [&'static str], starts: Starts) -> Kind {
    Kind { mime, extensions, starts }
}

/// Every kind that can be told apart or is safe to mix up. The office formats are zip archives, told apart by the claim.
pub const KINDS: [Kind; 10] = [
    kind("image/png", &["png"], Starts::With(b"\x89PNG\r\n\x1a\n")),
    kind("image/jpeg", &["jpg", "jpeg"], Starts::With(b"\xff\xd8\xff")),
    kind("image/gif", &["gif"], Starts::Gif),
    kind("image/webp", &["webp"], Starts::Webp),
    kind("application/pdf", &["pdf"], Starts::With(b"%PDF-")),
    kind("application/zip", &["zip"], Starts::Zip),
    kind(
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        &["docx"],
        Starts::Zip,
    ),
    kind(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        &["xlsx"],
        Starts::Zip,
    ),
    kind("text/plain", &["txt", "log", "md"], Starts::Text),
    kind("text/csv", &["csv"], Starts::Text),
];

impl Kind {
    /// By MIME type, whatever its case and parameters; two wrong names that browsers use count as the right ones.
    #[must_use]
    pub fn named(mime: &str) -> Option<Self> {
        let essence = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let right = match essence.as_str() {
            "image/jpg" => "image/jpeg",
            "application/x-zip-compressed" => "application/zip",
            other => other,
        };
        KINDS.into_iter().find(|kind| kind.mime == right)
    }

    /// What a file is: by its first bytes (`HEAD_BYTES` of them, or all), and among kinds that begin alike by what is
    /// claimed. `None` when the bytes are of no known kind, or not of the one that is claimed.
    #[must_use]
    pub fn of(head: &[u8], claimed: &str) -> Option<Self> {
        let claims = !matches!(claimed.trim(), "" | "application/octet-stream");
        let claimed = Self::named(claimed);
        match claimed {
            Some(kind) => kind.starts(head).then_some(kind),
            None if claims => None,
            None => KINDS.into_iter().find(|kind| kind.starts(head)),
        }
    }

    fn starts(&self, head: &[u8]) -> bool {
        let other = |kind: &Kind| kind.starts != Starts::Text && kind.starts(head);
        match self.starts {
            Starts::With(magic) => head.starts_with(magic),
            Starts::Gif => head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a"),
            Starts::Webp => head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP"),
            Starts::Zip => head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06"),
            Starts::Text => !head.is_empty() && is_text(head) && !KINDS.iter().any(other),
        }
    }

    /// Whether every part of it must read as text, not only its beginning.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.starts == Starts::Text
    }

    /// Whether a page may show it: only the four image kinds, never SVG, HTML or anything that scripts.
    #[must_use]
    pub fn is_image(&self) -> bool {
        self.mime.starts_with("image/")
    }
}

/// Whether bytes are text of any encoding that extends ASCII (UTF-8, GB 18030 …): no control characters but white space.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte >= 0x20 && byte != 0x7f || matches!(byte, b'\t'..=b'\r' | 0x1b))
}

/// What a file of this kind is called, given what its sender calls it: no folders, no control or direction characters,
/// nothing a file system refuses, at most 255 bytes, with an extension of its kind.
#[must_use]
pub fn clean_name(given: &str, kind: Kind) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|&c| !is_hidden(c)).map(plain).collect();
    let kept = kept.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let fits =
        |extension: &str| kind.extensions.iter().any(|known| known.eq_ignore_ascii_case(extension));
    let (stem, extension) = match kept.rsplit_once('.') {
        Some((stem, extension)) if fits(extension) => (stem.trim_end(), extension),
        _ => (kept, kind.extensions[0]),
    };
    let stem = if stem.is_empty() { "file" } else { stem };
    format!("{}.{extension}", cut(stem, NAME_BYTES - extension.len() - 1))
}

/// Characters that nobody sees and that make a name look like another: controls, direction marks, zero width, line ends.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What some file system reserves becomes `_`.
fn plain(c: char) -> char {
    if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }
}

/// At most `limit` bytes, cut between characters.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests;
