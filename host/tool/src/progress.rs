//! Something to look at while it takes long.

use crate::app::Device;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// What is shown while a device proves who it is.
pub(crate) const PROVING: &str = "Having the device prove its key";

/// What ends sooner than this is over before anybody wonders.
const PATIENCE: Duration = Duration::from_millis(500);

/// Shows on a terminal that work goes on which takes longer than a moment, with the time it has taken, until it ends.
pub(crate) fn during<R>(message: impl Into<String>, work: impl FnOnce() -> R) -> R {
    let message = message.into();
    thread::scope(|scope| {
        let (is_done, wait) = mpsc::channel::<()>();
        let show = move || {
            // The other end says nothing; it goes away.
            if wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let bar = spinner(message);
                let _ = wait.recv();
                bar.finish_and_clear();
            }
        };
        // Without a thread nothing is shown.
        let _ = thread::Builder::new().spawn_scoped(scope, show);
        let result = work();
        drop(is_done);
        result
    })
}

fn spinner(message: String) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_elapsed(PATIENCE);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// As [`during`], for a use of a key: where that waits for the device's button, it says so.
pub(crate) fn using<R>(device: &mut Device, message: &str, work: impl FnOnce(&mut Device) -> R) -> R {
    let waits = device.application().options.press_to_confirm();
    let message =
        if waits { format!("{message}: press the device's button while it asks") } else { message.to_owned() };
    during(message, || work(device))
}

/// A bar for several pieces of work, told how many of how many are done. It shows on a terminal only.
pub(crate) fn steps(message: &str) -> impl Fn(usize, usize) + use<> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_message(message.to_owned());
    let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
    move |done, of| {
        bar.set_length(count(of));
        bar.set_position(count(done));
        if done == of {
            bar.finish_and_clear();
        }
    }
}
