//! What every storage must keep.
