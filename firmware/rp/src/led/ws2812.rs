//! One addressable pixel: a WS2812, or what listens to the same bits.

use embassy_rp::pac;
use ferrite_board::led::Rgb;
use ferrite_proto::configuration::ColourOrder;

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

/// One pixel, on state machine 0 of the first PIO block.
pub(super) struct Pixel {
    order: ColourOrder,
}

impl Pixel {
    /// Sets up the state machine for the pixel on this pin.
    pub(super) fn start(pin: u8, order: ColourOrder) -> Self {
        start(pin);
        Self { order }
    }

    /// Shows a colour.
    pub(super) fn show(&mut self, colour: Rgb) {
        pac::PIO0.txf(0).write_value(colour.word(self.order) << 8);
    }
}

impl Drop for Pixel {
    fn drop(&mut self) {
        pac::PIO0.ctrl().modify(|w| w.set_sm_enable(0));
    }
}

fn start(pin: u8) {
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
