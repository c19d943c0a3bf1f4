//! Inspection against real storage and a real stream.
