//! Files on a real disk: what is complete has a name, what is not leaves nothing.

use super::{FileError, Files};
use crate::domain::ids::FileId;

/// 1 × 1 pixels.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89";

fn id(number: u64) -> FileId {
    FileId::new(number).unwrap()
}

/// A JPEG header of 40 × 30 pixels, taken with the camera held as `orientation` says.
fn jpeg(orientation: u8) -> Vec<u8> {
    let mut bytes =
        b"\xff\xd8\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"
            .to_vec();
    bytes.extend([orientation, 0, 0, 0, 0, 0, 0]);
    bytes.extend(b"\xff\xc0\0\x0b\x08\0\x1e\0\x28\x01\x01\x11\0\xff\xd9");
    bytes
}

async fn arrives(files: &Files, number: u64, bytes: &[u8], claimed: &str) -> super::Arrived {
    let mut incoming = files.begin(id(number), 10_000).await.unwrap();
    for piece in bytes.chunks(7) {
        incoming.write(piece).await.unwrap();
    }
    let arrived = incoming.end(claimed).await.unwrap();
    incoming.keep().await.unwrap();
    arrived
}

#[tokio::test]
async fn a_kept_file_is_what_arrived() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(dir.path()).unwrap();
    let arrived = arrives(&files, 1, PNG, "image/png").await;
    assert_eq!((arrived.kind.mime, arrived.size), ("image/png", PNG.len() as u64));
    assert_eq!(arrived.pixels, Some((1, 1)));
    let text = arrives(&files, 2, "您好".as_bytes(), "").await;
    let expected = "609bc0751d56eb467961e2bc6f798f7d44627696248e52315e1d6d091bdf502a";
    assert_eq!(text.sha256, expected);
    assert_eq!(std::fs::read(dir.path().join("files/1")).unwrap(), PNG);
    assert!(files.read(id(1)).await.unwrap().is_some());
    files.remove(id(1)).await.unwrap();
    files.remove(id(1)).await.expect("removing twice is no mistake");
    assert!(files.read(id(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_picture_is_as_large_as_a_browser_draws_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(dir.path()).unwrap();
    for (number, orientation, expected) in [(1, 1, (40, 30)), (2, 6, (30, 40)), (3, 3, (40, 30))] {
        let arrived = arrives(&files, number, &jpeg(orientation), "image/jpeg").await;
        assert_eq!(arrived.pixels, Some(expected), "orientation {orientation}");
    }
}

#[tokio::test]
async fn what_is_refused_or_given_up_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(dir.path()).unwrap();
    let mut large = files.begin(id(1), 10).await.unwrap();
    large.write(b"12345").await.unwrap();
    assert!(matches!(large.write(b"678901").await, Err(FileError::TooLarge(10))));
    drop(large);
    for (bytes, claimed) in [
        (b"\x89PNG\r\n\x1a\n\0\0".as_slice(), "image/png"),
        (PNG, "image/gif"),
        (b"text at first, then \0 in it", "text/plain"),
        (b"", "text/plain"),
    ] {
        let mut incoming = files.begin(id(2), 10_000).await.unwrap();
        incoming.write(bytes).await.unwrap();
        let refused = incoming.end(claimed).await;
        assert!(matches!(refused, Err(FileError::Unknown(_))), "{refused:?}");
    }
    let mut late = files.begin(id(3), 10_000).await.unwrap();
    late.write(&[b'a'; 2000]).await.unwrap();
    late.write(b"\0").await.unwrap();
    assert!(matches!(late.end("text/plain").await, Err(FileError::Unknown(_))));
    drop(late);
    assert_eq!(std::fs::read_dir(dir.path().join("files")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_start_removes_what_a_crash_left_half_way() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::open(dir.path()).unwrap();
    arrives(&files, 1, PNG, "").await;
    std::fs::write(dir.path().join("files/2.part"), b"half").unwrap();
    Files::open(dir.path()).unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path().join("files")).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn a_full_disk_is_told_from_a_broken_one() {
    let enospc = std::io::Error::from_raw_os_error(28);
    assert!(matches!(FileError::from(enospc), FileError::Full));
    let eio = std::io::Error::from_raw_os_error(5);
    assert!(matches!(FileError::from(eio), FileError::Broken(_)));
}
