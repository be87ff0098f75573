//! A colour, and how pixels take it.

use ferrite_proto::configuration::ColourOrder;

/// A colour: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rgb(pub [u8; 3]);

impl Rgb {
    /// Nothing.
    pub const DARK: Self = Self([0; 3]);
    pub(super) const RED: Self = Self([0xFF, 0, 0]);
    pub(super) const GREEN: Self = Self([0, 0xFF, 0]);
    pub(super) const BLUE: Self = Self([0, 0, 0xFF]);
    pub(super) const YELLOW: Self = Self([0xFF, 0xFF, 0]);

    /// Whether anything is lit: what a LED of one colour shows.
    pub fn is_lit(self) -> bool {
        self != Self::DARK
    }

    /// The 24 bits that go to a pixel, first bit highest.
    pub fn word(self, order: ColourOrder) -> u32 {
        let Self([r, g, b]) = self;
        let [first, second, third] = match order {
            ColourOrder::Rgb => [r, g, b],
            ColourOrder::Rbg => [r, b, g],
            ColourOrder::Grb => [g, r, b],
            ColourOrder::Gbr => [g, b, r],
            ColourOrder::Brg => [b, r, g],
            ColourOrder::Bgr => [b, g, r],
        };
        u32::from_be_bytes([0, first, second, third])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_go_out_in_the_led_s_order() {
        let colour = Rgb([1, 2, 3]);
        assert_eq!(colour.word(ColourOrder::Grb), 0x02_01_03);
        assert_eq!(colour.word(ColourOrder::Bgr), 0x03_02_01);
    }
}
