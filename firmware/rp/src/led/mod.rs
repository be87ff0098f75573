//! The status LED: what to show is set from anywhere, and a task shows it through the driver of the LED that there is.

mod cyw43;
mod driver;
mod ws2812;

use crate::board;
use crate::clock::millis;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use driver::Driver;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Timer;
use ferrite_board::led::{Led, Rgb, Status, Style, frame};
use ferrite_card::Activity;
use ferrite_proto::configuration::{Brightness, Configuration};

/// Between two looks at what to show.
const EVERY: u64 = 10;

/// What the host does, and what the card does, as numbers.
static HOST: AtomicU8 = AtomicU8::new(Status::NotMounted as u8);
static ACTIVITY: AtomicU8 = AtomicU8::new(Activity::Idle as u8);
/// How the owner wants it shown: brightness, dimmable, steady.
static STYLE: AtomicU32 = AtomicU32::new(ferrite_board::led::MAX_BRIGHTNESS as u32);

const STATUSES: [Status; 6] =
    [Status::NotMounted, Status::Mounted, Status::Suspended, Status::Processing, Status::Presence, Status::Fault];

/// What to show while the card has nothing to do.
pub(crate) fn set_host(status: Status) {
    HOST.store(status as u8, Ordering::Relaxed);
}

/// What the card does.
pub(crate) fn set_activity(activity: Activity) {
    ACTIVITY.store(activity as u8, Ordering::Relaxed);
}

fn status() -> Status {
    match ACTIVITY.load(Ordering::Relaxed) {
        activity if activity == Activity::Busy as u8 => Status::Processing,
        activity if activity == Activity::Presence as u8 => Status::Presence,
        activity if activity == Activity::Fault as u8 => Status::Fault,
        _ => STATUSES.into_iter().find(|s| *s as u8 == HOST.load(Ordering::Relaxed)).unwrap_or(Status::Fault),
    }
}

fn style() -> Style {
    let [brightness, dimmable, steady, _] = STYLE.load(Ordering::Relaxed).to_le_bytes();
    Style { brightness, dimmable: dimmable != 0, steady: steady != 0 }
}

/// The LED that the owner's configuration names.
static CHOSEN: Signal<CriticalSectionRawMutex, Led> = Signal::new();

/// Shows the status as the owner configured it.
pub(crate) fn configure(configuration: &Configuration) {
    let options = configuration.options.unwrap_or_default();
    let brightness = configuration.brightness.map_or(ferrite_board::led::MAX_BRIGHTNESS, Brightness::level);
    let style = [brightness, options.dims_led().into(), options.steady_led().into(), 0];
    STYLE.store(u32::from_le_bytes(style), Ordering::Relaxed);
    CHOSEN.signal(board::LED.configured(configuration));
}

/// Shows the status for ever.
#[embassy_executor::task]
pub(crate) async fn run(mut led: Led) -> ! {
    let mut driver = Driver::new(led);
    let mut current = status();
    let mut since = millis();
    let mut shown = None;
    loop {
        if let Some(chosen) = CHOSEN.try_take().filter(|chosen| *chosen != led) {
            driver.show(Rgb::DARK);
            // A pixel is still being told.
            Timer::after_millis(EVERY).await;
            driver.release(led);
            led = chosen;
            driver = Driver::new(led);
            shown = None;
        }
        let (now, wanted) = (millis(), status());
        if wanted != current {
            (current, since) = (wanted, now);
        }
        let style = Style { dimmable: style().dimmable && driver.can_dim(), ..style() };
        let colour = frame(current, now.saturating_sub(since), style);
        if shown.replace(colour) != Some(colour) {
            driver.show(colour);
        }
        driver.step(now);
        Timer::after_millis(EVERY).await;
    }
}
