//! Files' rows: sent once, and swept only while nobody sends them.

use super::{furnish, told, visitor, waiting};
use crate::domain::file::{Attachment, StoredFile};
use crate::domain::ids::{ClientKey, FileId};
use crate::domain::people::Party;
use crate::storage::{Handle, StorageError};

fn file(number: u64) -> StoredFile {
    StoredFile {
        shown: Attachment {
            id: FileId::new(number).unwrap(),
            name: "照片.png".into(),
            kind: "image/png".into(),
            size: 7,
            width: Some(4),
            height: Some(3),
            url: format!("/v1/files/secret{number}"),
        },
        conversation: waiting(1).id,
        sender: Party::Visitor(visitor().id),
        sha256: "ab".into(),
        created_at: number * 10,
    }
}

fn key(text: &str) -> ClientKey {
    text.parse().unwrap()
}

async fn with_files(open: &impl AsyncFn() -> Handle, count: u64) -> Handle {
    let storage = open().await;
    furnish(&storage).await;
    storage.open(&waiting(1), &[told(&waiting(1), "k")]).await.unwrap();
    for number in 1..=count {
        storage.add_file(&file(number)).await.unwrap();
    }
    storage
}

pub(in crate::storage) async fn files_come_back_after_a_restart(open: impl AsyncFn() -> Handle) {
    let storage = with_files(&open, 2).await;
    let refused = storage.add_file(&file(1)).await;
    assert!(matches!(refused, Err(StorageError::Taken(_))), "{refused:?}");
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.file(file(1).shown.id).await.unwrap(), Some(file(1)));
    assert_eq!(storage.file_at("/v1/files/secret2").await.unwrap(), Some(file(2)));
    assert_eq!(storage.file_at("/v1/files/secret").await.unwrap(), None);
    assert_eq!(storage.files_of(waiting(1).id).await.unwrap(), 2);
    assert_eq!(storage.files_of(waiting(2).id).await.unwrap(), 0);
}

pub(in crate::storage) async fn a_file_is_sent_by_one_draft(open: impl AsyncFn() -> Handle) {
    let storage = with_files(&open, 1).await;
    let id = file(1).shown.id;
    assert!(storage.use_file(id, &key("k1"), "***.png").await.unwrap());
    assert!(storage.use_file(id, &key("k1"), "***.png").await.unwrap(), "the same draft again");
    assert!(!storage.use_file(id, &key("k2"), "x.png").await.unwrap());
    assert!(!storage.use_file(FileId::new(9).unwrap(), &key("k1"), "x.png").await.unwrap());
    let kept = storage.file(id).await.unwrap().unwrap();
    assert_eq!(kept.shown.name, "***.png", "a download has the name that people see");
}

pub(in crate::storage) async fn only_old_unsent_files_are_swept(open: impl AsyncFn() -> Handle) {
    let storage = with_files(&open, 4).await;
    let id = |number| file(number).shown.id;
    assert!(storage.use_file(id(1), &key("k"), "a.png").await.unwrap());
    assert_eq!(storage.doom_unused_files(40, 1).await.unwrap(), [id(2)], "oldest first, bounded");
    assert_eq!(storage.file(id(2)).await.unwrap(), None);
    assert!(!storage.use_file(id(2), &key("k"), "a.png").await.unwrap(), "doomed is gone");
    let mut doomed = storage.doom_unused_files(40, 10).await.unwrap();
    doomed.sort();
    assert_eq!(doomed, [id(2), id(3)], "what a crash left is swept again");
    for gone in [id(1), id(2), id(3)] {
        storage.forget_file(gone).await.unwrap();
    }
    assert!(storage.doom_unused_files(40, 10).await.unwrap().is_empty());
    assert!(storage.file(id(1)).await.unwrap().is_some(), "a sent file is never forgotten");
    assert!(storage.file(id(4)).await.unwrap().is_some());
}
