//! Date and time, in UTC, as the device tells and takes them (specification part 3 §1.5, §2.4).
//!
//! Two forms are in use: EXTRAS counts months from 1, the rescue application from 0. Both have the weekday, with Sunday
//! as 0, which is computed and ignored when the clock is set.

use crate::status::Status;

/// The years that a clock of 32 bits reaches, seconds since 1970.
const YEARS: core::ops::RangeInclusive<u16> = 1970..=2106;
const DAY: u32 = 24 * 60 * 60;
/// 1 January 1970 was a Thursday.
const FIRST_WEEKDAY: u32 = 4;

/// How months are counted on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Months {
    /// 0 to 11: the rescue application.
    FromZero,
    /// 1 to 12: EXTRAS.
    FromOne,
}

impl Months {
    const fn first(self) -> u8 {
        match self {
            Self::FromZero => 0,
            Self::FromOne => 1,
        }
    }
}

/// A moment: seconds since the beginning of 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u32);

impl Moment {
    /// Length of a date with time on the wire, in bytes.
    pub const SIZE: usize = 8;

    /// The moment as year (2), month, day, weekday, hour, minute, second.
    pub fn to_bytes(self, months: Months) -> [u8; Self::SIZE] {
        let Self(seconds) = self;
        let mut days = seconds / DAY;
        let weekday = days.saturating_add(FIRST_WEEKDAY) % 7;
        let mut year = *YEARS.start();
        while days >= days_of_year(year) {
            days = days.saturating_sub(days_of_year(year));
            year = year.saturating_add(1);
        }
        let mut month: u8 = 0;
        while days >= days_of_month(year, month) {
            days = days.saturating_sub(days_of_month(year, month));
            month = month.saturating_add(1);
        }
        let [high, low] = year.to_be_bytes();
        let [day, weekday, hour, minute, second] =
            [days.saturating_add(1), weekday, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60]
                // All below 60.
                .map(|number| number.to_le_bytes()[0]);
        [high, low, month.saturating_add(months.first()), day, weekday, hour, minute, second]
    }

    /// The day as certificates carry it: six digits YYMMDD.
    pub fn to_certificate_date(self) -> [u8; 6] {
        let [high, low, month, day, ..] = self.to_bytes(Months::FromOne);
        let year = u16::from_be_bytes([high, low]) % 100;
        let [year, _] = year.to_le_bytes();
        [year / 10, year % 10, month / 10, month % 10, day / 10, day % 10]
    }

    /// Reads a date with time.
    ///
    /// # Errors
    /// 6700 for another length than [`Moment::SIZE`], 6A80 for what is no date or out of a clock's reach.
    pub fn from_bytes(bytes: &[u8], months: Months) -> Result<Self, Status> {
        let [high, low, month, day, _, hour, minute, second] = bytes else { return Err(Status::WRONG_LENGTH) };
        let year = u16::from_be_bytes([*high, *low]);
        let month = month.checked_sub(months.first()).filter(|month| *month < 12).ok_or(Status::WRONG_DATA)?;
        let is_legal = YEARS.contains(&year)
            && (1..=days_of_month(year, month)).contains(&u32::from(*day))
            && *hour < 24
            && *minute < 60
            && *second < 60;
        if !is_legal {
            return Err(Status::WRONG_DATA);
        }
        let years = (*YEARS.start()..year).map(days_of_year);
        let months = (0..month).map(|month| days_of_month(year, month));
        let days = years.chain(months).fold(u32::from(*day).saturating_sub(1), u32::saturating_add);
        let of_day = [(*hour, 3600), (*minute, 60), (*second, 1)]
            .into_iter()
            .fold(0, |sum: u32, (number, unit)| sum.saturating_add(u32::from(number).saturating_mul(unit)));
        let seconds = days.checked_mul(DAY).and_then(|seconds| seconds.checked_add(of_day));
        seconds.map(Self).ok_or(Status::WRONG_DATA)
    }
}

fn is_leap(year: u16) -> bool {
    (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
}

fn days_of_year(year: u16) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

/// Months count from 0.
fn days_of_month(year: u16, month: u8) -> u32 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The recorded answer of the specification, part 3 §2.4, and moments known to everybody.
    #[test]
    fn known_moments_have_their_dates() {
        for (seconds, bytes) in [
            (1_795_445_174, [0x07, 0xEA, 0x0A, 0x17, 0x01, 0x0E, 0x2E, 0x0E]),
            (0, [0x07, 0xB2, 0, 1, 4, 0, 0, 0]),
            (951_782_400, [0x07, 0xD0, 1, 29, 2, 0, 0, 0]),
            (1_577_836_800, [0x07, 0xE4, 0, 1, 3, 0, 0, 0]),
            (u32::MAX, [0x08, 0x3A, 1, 7, 0, 6, 28, 15]),
        ] {
            assert_eq!(Moment(seconds).to_bytes(Months::FromZero), bytes);
            assert_eq!(Moment::from_bytes(&bytes, Months::FromZero), Ok(Moment(seconds)));
        }
        assert_eq!(Moment(1_795_445_174).to_certificate_date(), [2, 6, 1, 1, 2, 3]);
        assert_eq!(Moment(951_782_400).to_certificate_date(), [0, 0, 0, 2, 2, 9]);
    }

    #[test]
    fn december_is_a_month_in_both_forms_and_a_thirteenth_is_none() {
        let december = |month| [0x07, 0xE6, month, 31, 0, 23, 59, 59];
        let zero = Moment::from_bytes(&december(11), Months::FromZero).unwrap();
        assert_eq!(Moment::from_bytes(&december(12), Months::FromOne), Ok(zero));
        assert_eq!(Moment::from_bytes(&december(12), Months::FromZero), Err(Status::WRONG_DATA));
        assert_eq!(Moment::from_bytes(&december(0), Months::FromOne), Err(Status::WRONG_DATA));
        assert_eq!(Moment::from_bytes(&december(13), Months::FromOne), Err(Status::WRONG_DATA));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        let good = [0x07, 0xE6, 4, 6, 0, 19, 41, 30];
        assert!(Moment::from_bytes(&good, Months::FromOne).is_ok());
        for (at, value) in [(3, 0), (3, 31), (5, 24), (6, 60), (7, 60), (0, 8), (0, 6), (2, 13), (2, 0)] {
            let mut bad = good;
            bad[at] = value;
            assert_eq!(Moment::from_bytes(&bad, Months::FromOne), Err(Status::WRONG_DATA), "{bad:?}");
        }
        for year in [1900u16, 2100, 2023] {
            let [high, low] = year.to_be_bytes();
            assert_eq!(
                Moment::from_bytes(&[high, low, 2, 29, 0, 0, 0, 0], Months::FromOne),
                Err(Status::WRONG_DATA),
                "29 February {year}"
            );
        }
        assert_eq!(Moment::from_bytes(&[0x08, 0x3A, 1, 7, 0, 6, 28, 16], Months::FromZero), Err(Status::WRONG_DATA));
        for len in [0, 7, 9] {
            assert_eq!(Moment::from_bytes(&[1; 9][..len], Months::FromOne), Err(Status::WRONG_LENGTH));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds: u32, from_one: bool) {
            let months = if from_one { Months::FromOne } else { Months::FromZero };
            prop_assert_eq!(Moment::from_bytes(&Moment(seconds).to_bytes(months), months), Ok(Moment(seconds)));
        }
    }
}
