//! The service against real storage and a real stream.
