//! Something to look at while it takes long.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Shows on a terminal that work is going on, with the time it has taken, until it ends.
pub(crate) fn during<R>(message: impl Into<String>, work: impl FnOnce() -> R) -> R {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(message.into());
    bar.enable_steady_tick(Duration::from_millis(250));
    let result = work();
    bar.finish_and_clear();
    result
}
