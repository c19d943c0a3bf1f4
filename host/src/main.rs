//! The `kefu` program: everything is in the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match kefu::cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            // A closed terminal is no reason for another failure.
            let _ = writeln!(std::io::stderr(), "kefu: {error:#}");
            ExitCode::FAILURE
        }
    }
}
