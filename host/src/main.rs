//! The `kefu` program.

fn main() {}
