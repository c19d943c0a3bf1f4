//! How large a picture is, from its header: width and height as a browser draws it, so that a page keeps room for it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Where cameras say how they were held: in the first segments of a JPEG.
const EXIF_BYTES: u64 = 65_536;

/// Pixels across and down; `None` when the header is broken or says nothing is there.
pub(super) fn pixels(path: &Path) -> Option<(u32, u32)> {
    let size = imagesize::size(path).ok()?;
    let (width, height) = (u32::try_from(size.width).ok()?, u32::try_from(size.height).ok()?);
    if width == 0 || height == 0 {
        return None;
    }
    let mut head = Vec::new();
    File::open(path).ok()?.take(EXIF_BYTES).read_to_end(&mut head).ok()?;
    Some(if is_turned(&head) { (height, width) } else { (width, height) })
}

/// Whether a JPEG's Exif says that the camera was held upright (orientations 5 to 8): browsers turn such a picture.
fn is_turned(jpeg: &[u8]) -> bool {
    orientation(jpeg).is_some_and(|orientation| (5..=8).contains(&orientation))
}

/// Exif 2.3, tag 0x0112 of the first directory.
fn orientation(jpeg: &[u8]) -> Option<u16> {
    let tiff = exif(jpeg)?;
    let little = tiff.get(..2)? == b"II";
    let short = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = tiff.get(4..8)?.try_into().ok()?;
    let directory = if little { u32::from_le_bytes(long) } else { u32::from_be_bytes(long) };
    let directory = usize::try_from(directory).ok()?;
    let entries = directory.checked_add(2)?;
    (0..usize::from(short(directory)?))
        .map(|entry| entries.saturating_add(entry * 12))
        .find(|&at| short(at) == Some(0x0112))
        .and_then(|at| short(at.checked_add(8)?))
}

/// The TIFF structure of a JPEG's Exif segment.
fn exif(jpeg: &[u8]) -> Option<&[u8]> {
    let mut rest = jpeg.strip_prefix(b"\xff\xd8")?;
    loop {
        let (&[0xff, marker, high, low], _) = rest.split_first_chunk::<4>()? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // The picture itself begins: no Exif comes after.
        if marker == 0xda || length < 2 {
            return None;
        }
        let segment = rest.get(4..)?;
        if marker == 0xe1 && segment.starts_with(b"Exif\0\0") {
            return segment.get(6..);
        }
        rest = rest.get(2 + length..)?;
    }
}
