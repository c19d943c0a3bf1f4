//! Framing: WebSocket frames as the server writes them (RFC 6455 §5.2): whole, unmasked, many in one buffer, so that a
//! batch costs one write and no connection keeps a write buffer.

/// Appends a text frame.
pub(super) fn text(buffer: &mut Vec<u8>, payload: &str) {
    frame(buffer, 0x1, payload.as_bytes());
}

/// Appends a close frame.
pub(super) fn close(buffer: &mut Vec<u8>, code: u16) {
    frame(buffer, 0x8, &code.to_be_bytes());
}

fn frame(buffer: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    buffer.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => buffer.push(length as u8),
        length @ 126..=0xffff => {
            buffer.push(126);
            buffer.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            buffer.push(127);
            buffer.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    buffer.extend_from_slice(payload);
}
