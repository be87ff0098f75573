//! The status LED: what to show is set from anywhere, and a task shows it.

use crate::board::{self, Led};
use crate::clock::millis;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use embassy_rp::gpio::{AnyPin, Level, Output};
use embassy_rp::pac;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Timer;
use ferrite_board::led::{Order, Rgb, Status, Style, frame};
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

/// Another LED than the board's, by the owner's configuration.
static CHANGED: Signal<CriticalSectionRawMutex, Led> = Signal::new();

/// Shows the status as the owner configured it.
pub(crate) fn configure(configuration: &Configuration) {
    let options = configuration.options.unwrap_or_default();
    let brightness = configuration.brightness.map_or(ferrite_board::led::MAX_BRIGHTNESS, Brightness::level);
    let style = [brightness, options.dims_led().into(), options.steady_led().into(), 0];
    STYLE.store(u32::from_le_bytes(style), Ordering::Relaxed);
    let led = board::led(configuration);
    if led != board::LED {
        CHANGED.signal(led);
    }
}

/// Shows the status for ever.
#[embassy_executor::task]
pub(crate) async fn run(led: Led) -> ! {
    let mut driver = Driver::new(led);
    let mut current = status();
    let mut since = millis();
    let mut shown = None;
    loop {
        if let Some(led) = CHANGED.try_take() {
            driver.show(Rgb::DARK);
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
        Timer::after_millis(EVERY).await;
    }
}

enum Driver {
    None,
    Gpio { pin: Output<'static>, lit_high: bool },
    Rgb([Output<'static>; 3]),
    Ws2812 { order: Order, _power: Option<Output<'static>> },
}

impl Driver {
    fn new(led: Led) -> Self {
        match led {
            Led::None => Self::None,
            Led::Gpio { pin, lit_high } => Self::Gpio { pin: output(pin, !lit_high), lit_high },
            Led::Rgb { green } => {
                Self::Rgb([green.saturating_sub(1), green, green.saturating_add(1)].map(|pin| output(pin, true)))
            }
            Led::Ws2812 { pin, order, power } => {
                let power = power.map(|pin| output(pin, true));
                start_pixel(pin);
                Self::Ws2812 { order, _power: power }
            }
        }
    }

    fn can_dim(&self) -> bool {
        matches!(self, Self::Ws2812 { .. })
    }

    fn show(&mut self, colour: Rgb) {
        match self {
            Self::None => {}
            Self::Gpio { pin, lit_high } => pin.set_level(Level::from(colour.is_lit() == *lit_high)),
            Self::Rgb(pins) => {
                pins.iter_mut().zip(colour.0).for_each(|(pin, part)| pin.set_level(Level::from(part == 0)));
            }
            Self::Ws2812 { order, .. } => pac::PIO0.txf(0).write_value(order.word(colour) << 8),
        }
    }
}

fn output(pin: u8, high: bool) -> Output<'static> {
    // SAFETY: the LED's pins belong to this task alone.
    Output::new(unsafe { AnyPin::steal(pin) }, Level::from(high))
}

/// Cycles of the state machine for one bit of a WS2812, and bits a second.
const CYCLES_PER_BIT: u32 = 10;
const BITS_PER_SECOND: u32 = 800_000;

/// The program for a WS2812: a bit is a pulse, two cycles of ten for a zero and seven for a one.
///
/// ```text
/// 0: out x, 1    low,  3 cycles
/// 1: jmp !x 3    high, 2 cycles
/// 2: jmp 0       high, 5 cycles
/// 3: mov y, y    low,  5 cycles
/// ```
const PIXEL_PROGRAM: [u16; 4] = [0x6221, 0x1123, 0x1400, 0xA442];

/// Sets up state machine 0 of the first PIO block for one pixel on a pin.
fn start_pixel(pin: u8) {
    let machine = pac::PIO0.sm(0);
    pac::PIO0.ctrl().modify(|w| w.set_sm_enable(0));
    for (n, instruction) in PIXEL_PROGRAM.into_iter().enumerate() {
        pac::PIO0.instr_mem(n).write(|w| w.set_instr_mem(instruction));
    }
    // In 1/256 of a cycle.
    let divider = (embassy_rp::clocks::clk_sys_freq() / 100) * 256 / (BITS_PER_SECOND * CYCLES_PER_BIT / 100);
    machine.clkdiv().write(|w| {
        w.set_int((divider >> 8) as u16);
        w.set_frac(divider as u8);
    });
    machine.execctrl().write(|w| {
        w.set_wrap_bottom(0);
        w.set_wrap_top(3);
    });
    machine.shiftctrl().write(|w| {
        w.set_autopull(true);
        w.set_pull_thresh(24);
        // Highest bit first.
        w.set_out_shiftdir(false);
    });
    machine.pinctrl().write(|w| {
        w.set_sideset_base(pin);
        w.set_sideset_count(1);
        w.set_set_base(pin);
        w.set_set_count(1);
    });
    // set pindirs, 1
    machine.instr().write(|w| w.set_instr(0xE081));
    // jmp 0
    machine.instr().write(|w| w.set_instr(0x0000));
    pac::PADS_BANK0.gpio(usize::from(pin)).modify(|w| {
        w.set_od(false);
        #[cfg(feature = "rp2350")]
        w.set_iso(false);
    });
    // PIO 0 is function 6 on both chips.
    pac::IO_BANK0.gpio(usize::from(pin)).ctrl().write(|w| w.set_funcsel(6));
    pac::PIO0.ctrl().modify(|w| w.set_sm_enable(1));
}
