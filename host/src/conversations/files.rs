//! Files people send: uploaded first, then named by a message.
//!
//! An upload is checked, written, made durable, given a row and only then answered for; a message takes it, once, with
//! the draft's key, so that the same draft may be sent again after a crash. What is uploaded and never sent is swept a
//! day later. Bytes are `files`, rows are `storage`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::ask::Filtered;
use super::members::takes_part;
use super::{Conversations, disk_full, stored};
use crate::domain::conversation::{Conversation, State};
use crate::domain::file::{Attachment, Kind, StoredFile, clean_name};
use crate::domain::ids::{ClientKey, ConversationId, FileId, Millis};
use crate::domain::people::{Party, Principal};
use crate::domain::rate::Rate;
use crate::domain::refusal::Refusal;
use crate::files::{FileError, Incoming};
use crate::runtime::{fresh_id, random_bytes};

/// Uploads at the same time; one more is told to try again.
pub(super) const AT_ONCE: usize = 256;
/// How long a file that nobody sends is kept.
const UNSENT_MS: Millis = 24 * 3_600_000;
/// How often such files are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// Files swept in one step, and most steps of one sweep.
const SWEPT_AT_ONCE: u32 = 100;
const SWEEP_STEPS: u32 = 1000;

/// Bounds a file must keep.
#[derive(Debug, Clone, PartialEq)]
pub struct FileLimits {
    /// Most bytes.
    pub bytes: u64,
    /// MIME types taken.
    pub types: Vec<&'static str>,
    /// Uploads per sender.
    pub rate: Rate,
    /// Most files in one conversation.
    pub per_conversation: u64,
}

/// A file on its way in. Dropped: nothing is left of it.
pub struct Upload {
    id: FileId,
    incoming: Incoming,
    conversation: ConversationId,
    sender: Party,
    _permit: OwnedSemaphorePermit,
}

impl Upload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// `TooLarge` as soon as it is; the disk is full or fails.
    pub async fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.incoming.write(bytes).await.map_err(kept)
    }
}

impl Conversations {
    /// Bounds that clients are told.
    #[must_use]
    pub fn file_limits(&self) -> &FileLimits {
        &self.parts.file_limits
    }

    /// Begins an upload by someone who takes part; `size` is what the client says there will be.
    ///
    /// # Errors
    /// `NotFound` or `Forbidden` when it is not theirs, `Conflict` when it is closed or has too many files, `TooLarge`,
    /// `RateLimited`, `Unavailable`.
    pub async fn upload(
        &self,
        who: &Principal,
        conversation: ConversationId,
        size: Option<u64>,
    ) -> Result<Upload, Refusal> {
        let row = self.row(conversation).await?;
        takes_part(who, &row)?;
        open(&row)?;
        let limits = &self.parts.file_limits;
        if size.is_some_and(|size| size > limits.bytes) {
            return Err(kept(FileError::TooLarge(limits.bytes)));
        }
        let sender = who.party();
        self.known.take_upload(sender, limits.rate, self.parts.clock.now())?;
        if self.parts.storage.files_of(row.id).await.map_err(stored)? >= limits.per_conversation {
            return Err(Refusal::Conflict("the conversation has as many files as it may have"));
        }
        let permit = self.uploads.clone().try_acquire_owned().map_err(|_| {
            Refusal::Unavailable { reason: "too many uploads at once", retry_after_ms: 2000 }
        })?;
        let id = FileId::new(fresh_id(&self.parts.clock)).ok_or(Refusal::Conflict("no id"))?;
        let incoming = self.parts.files.begin(id, limits.bytes).await.map_err(kept)?;
        Ok(Upload { id, incoming, conversation, sender, _permit: permit })
    }

    /// All bytes are there: the file is kept and may be sent.
    ///
    /// # Errors
    /// `Unsupported` when it is not of a kind that is taken, or not what it claims; the disk is full or fails.
    pub async fn uploaded(
        &self,
        upload: Upload,
        name: &str,
        claimed: &str,
    ) -> Result<Attachment, Refusal> {
        let Upload { id, mut incoming, conversation, sender, _permit } = upload;
        let arrived = incoming.end(claimed).await.map_err(kept)?;
        let types = &self.parts.file_limits.types;
        if !types.contains(&arrived.kind.mime) {
            let allowed = if types.is_empty() { "no files".into() } else { types.join(", ") };
            let kind = arrived.kind.mime;
            return Err(Refusal::Unsupported(format!("{kind}; taken are {allowed}")));
        }
        let shown = Attachment {
            id,
            name: clean_name(name, arrived.kind),
            kind: arrived.kind.mime.into(),
            size: arrived.size,
            width: arrived.pixels.map(|(width, _)| width),
            height: arrived.pixels.map(|(_, height)| height),
            url: format!("/v1/files/{}", URL_SAFE_NO_PAD.encode(random_bytes::<24>())),
        };
        let (sha256, created_at) = (arrived.sha256, self.parts.clock.now());
        let file = StoredFile { shown, conversation, sender, sha256, created_at };
        // The row first: a file without one would never be found again, a row without a file is swept.
        self.parts.storage.add_file(&file).await.map_err(stored)?;
        incoming.keep().await.map_err(kept)?;
        Ok(file.shown)
    }

    /// Takes a file for the message of this key, under the name that the filter leaves it.
    pub(super) async fn attach(
        &self,
        (who, row): (&Principal, &Conversation),
        key: &ClientKey,
        id: FileId,
    ) -> Result<(Attachment, Filtered), Refusal> {
        let found = self.parts.storage.file(id).await.map_err(stored)?;
        let theirs = |file: &StoredFile| file.conversation == row.id && file.sender == who.party();
        let mut shown = found.filter(theirs).ok_or(Refusal::NotFound("file"))?.shown;
        let visitor = matches!(who, Principal::Visitor { .. });
        let name = self.filter(row, visitor, shown.name.clone())?;
        if let Some(kind) = Kind::named(&shown.kind).filter(|_| name.masked) {
            shown.name = clean_name(&name.text, kind);
        }
        if !self.parts.storage.use_file(id, key, &shown.name).await.map_err(stored)? {
            return Err(Refusal::Conflict("the file was sent already"));
        }
        Ok((shown, name))
    }

    /// Removes what was uploaded and not sent for a day: at once, then every hour until `shutdown`.
    pub async fn sweep_files(&self, shutdown: CancellationToken) {
        let mut due = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                _ = due.tick() => {}
                () = shutdown.cancelled() => return,
            }
            let before = self.parts.clock.now().saturating_sub(UNSENT_MS);
            if let Err(error) = self.sweep_unsent(before).await {
                tracing::warn!(%error, "files that nobody sent are not all removed");
            }
        }
    }

    /// Removes what was uploaded before `before` and not sent. Withdrawn first, then the bytes, then the row: a crash
    /// in between is made good by the next sweep.
    pub(super) async fn sweep_unsent(&self, before: Millis) -> Result<(), Refusal> {
        let storage = &self.parts.storage;
        for _ in 0..SWEEP_STEPS {
            let doomed = storage.doom_unused_files(before, SWEPT_AT_ONCE).await.map_err(stored)?;
            if doomed.is_empty() {
                break;
            }
            for id in doomed {
                self.parts.files.remove(id).await.map_err(|error| kept(error.into()))?;
                storage.forget_file(id).await.map_err(stored)?;
            }
        }
        Ok(())
    }
}

/// Nothing is sent to a closed conversation.
fn open(row: &Conversation) -> Result<(), Refusal> {
    if row.state == State::Closed {
        return Err(Refusal::Conflict("the conversation is closed"));
    }
    Ok(())
}

/// What bytes that were not kept are to the one who sent them.
fn kept(error: FileError) -> Refusal {
    match error {
        FileError::TooLarge(limit) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            Refusal::TooLarge { what: "a file", limit }
        }
        FileError::Unknown(why) => Refusal::Unsupported(why.into()),
        FileError::Full => disk_full(),
        FileError::Broken(error) => {
            tracing::error!(%error, "a file cannot be kept");
            Refusal::Unavailable { reason: "the disk for files", retry_after_ms: 5000 }
        }
    }
}
