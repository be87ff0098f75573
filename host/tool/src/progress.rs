//! Something to look at while it takes long.

use crate::app::Device;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// What is shown while a device proves who it is.
pub(crate) const PROVING: &str = "Having the device prove its key";

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
