//! Files: the bytes of what people send each other, in `data_dir/files`, one file named by its id.
//!
//! A file is written under a temporary name while it arrives, never held whole in memory, and takes its own name when it
//! is durable: what has a name is complete. What a start finds under a temporary name was never answered for and is
//! removed. This module knows bytes, kinds and pictures' sizes; who may send what, and the rows, are `conversations` and
//! `storage`.

mod picture;

#[cfg(test)]
mod tests;

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::domain::file::{HEAD_BYTES, Kind, is_text};
use crate::domain::ids::FileId;

/// Ends the name of what is not complete.
const TEMPORARY: &str = ".part";

/// Why bytes were not kept.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// More than the limit.
    #[error("a file has more than {0} bytes")]
    TooLarge(u64),
    /// No kind we know, not the one claimed, or broken.
    #[error("{0}")]
    Unknown(&'static str),
    /// No room on the disk.
    #[error("the disk that holds the files is full")]
    Full,
    /// The disk fails.
    #[error("files cannot be kept: {0}")]
    Broken(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Broken(error),
        }
    }
}

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Pixels across and down, of an image.
    pub pixels: Option<(u32, u32)>,
    /// SHA-256, hex.
    pub sha256: String,
}

/// The folder.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// The folder in a data directory, made if need be, for its owner only, and without what a crash left half-way.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join("files");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(TEMPORARY) {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(Self { folder })
    }

    /// Begins to write a file of at most `limit` bytes.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub async fn begin(&self, id: FileId, limit: u64) -> Result<Incoming, FileError> {
        let whole = self.path(id);
        let temporary = self.folder.join(format!("{id}{TEMPORARY}"));
        let mut options = tokio::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&temporary).await?;
        Ok(Incoming {
            file,
            part: Part(Some(temporary)),
            whole,
            limit,
            size: 0,
            head: Vec::with_capacity(HEAD_BYTES),
            text: true,
            hash: Sha256::new(),
        })
    }

    /// Opens a file for reading; `None` when there is none.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn read(&self, id: FileId) -> io::Result<Option<File>> {
        match File::open(self.path(id)).await {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn remove(&self, id: FileId) -> io::Result<()> {
        match tokio::fs::remove_file(self.path(id)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn path(&self, id: FileId) -> PathBuf {
        self.folder.join(id.to_string())
    }
}

/// A file on its way in. Dropped before `keep`: nothing is left of it.
#[derive(Debug)]
pub struct Incoming {
    file: File,
    part: Part,
    whole: PathBuf,
    limit: u64,
    size: u64,
    head: Vec<u8>,
    /// Nothing so far says that it is no text.
    text: bool,
    hash: Sha256,
}

impl Incoming {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`FileError::TooLarge`] as soon as it is; the disk is full or fails.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            return Err(FileError::TooLarge(self.limit));
        }
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.text = self.text && is_text(bytes);
        self.hash.update(bytes);
        Ok(self.file.write_all(bytes).await?)
    }

    /// All bytes are there: says what they are and makes them durable, still under the temporary name.
    ///
    /// # Errors
    /// [`FileError::Unknown`] when they are of no known kind, not of the one that is claimed, or a broken picture; the
    /// disk is full or fails.
    pub async fn end(&mut self, claimed: &str) -> Result<Arrived, FileError> {
        if self.size == 0 {
            return Err(FileError::Unknown("the file is empty"));
        }
        let kind = Kind::of(&self.head, claimed).filter(|kind| !kind.is_text() || self.text);
        let kind = kind.ok_or(FileError::Unknown(
            "its bytes are not of the type it claims, or of no known one",
        ))?;
        self.file.flush().await?;
        self.file.sync_all().await?;
        let pixels = if kind.is_image() { Some(self.pixels().await?) } else { None };
        let sha256 = self.hash.finalize_reset().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Arrived { kind, size: self.size, pixels, sha256 })
    }

    async fn pixels(&self) -> Result<(u32, u32), FileError> {
        let Some(path) = self.part.0.clone() else {
            return Err(FileError::Unknown("it was kept already"));
        };
        let measured = tokio::task::spawn_blocking(move || picture::pixels(&path)).await;
        measured.ok().flatten().ok_or(FileError::Unknown("the picture is broken"))
    }

    /// Gives it its own name, durably.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn keep(mut self) -> Result<(), FileError> {
        let Some(temporary) = self.part.0.take() else { return Ok(()) };
        let whole = self.whole.clone();
        let named = tokio::task::spawn_blocking(move || {
            std::fs::rename(&temporary, &whole)?;
            // A name is durable when its folder is.
            whole.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
        });
        named.await.map_err(|error| FileError::Broken(io::Error::other(error)))??;
        Ok(())
    }
}

/// A temporary name, gone with its owner.
#[derive(Debug)]
struct Part(Option<PathBuf>);

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(%error, path = %path.display(), "half a file is left until the next start");
        }
    }
}
