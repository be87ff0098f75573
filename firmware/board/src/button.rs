//! When a press counts: the button was seen released, then pressed, each for long enough not to be a bounce.

/// How long a level must last, in milliseconds.
pub const DEBOUNCE: u64 = 20;

/// Waits for a new press. A button that is held from the start counts only after it was let go.
#[derive(Debug, Clone, Copy)]
pub struct Press {
    was_released: bool,
    level: bool,
    since: u64,
}

impl Press {
    /// Starts waiting at this time, in milliseconds.
    pub fn new(now: u64) -> Self {
        // Taken for pressed until it is seen otherwise.
        Self { was_released: false, level: true, since: now }
    }

    /// Takes a sample of the button at this time, in milliseconds. True once the press has come.
    pub fn sample(&mut self, is_pressed: bool, now: u64) -> bool {
        if is_pressed != self.level {
            (self.level, self.since) = (is_pressed, now);
        }
        let is_stable = now.saturating_sub(self.since) >= DEBOUNCE;
        if is_stable && !self.level {
            self.was_released = true;
        }
        is_stable && self.level && self.was_released
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the press counts, with one sample for each millisecond.
    fn counted(levels: impl IntoIterator<Item = bool>) -> Option<u64> {
        let mut press = Press::new(0);
        (0..).zip(levels).find_map(|(now, level)| press.sample(level, now).then_some(now))
    }

    fn lasting(level: bool, millis: usize) -> impl Iterator<Item = bool> {
        std::iter::repeat_n(level, millis)
    }

    #[test]
    fn a_button_held_from_the_start_is_no_press() {
        assert_eq!(counted(lasting(true, 5000)), None);
        assert_eq!(counted(lasting(true, 50).chain(lasting(false, 5)).chain(lasting(true, 500))), None, "a bounce");
    }

    #[test]
    fn a_new_press_counts_once_it_is_stable() {
        assert_eq!(counted(lasting(false, 100).chain(lasting(true, 100))), Some(120));
        assert_eq!(counted(lasting(true, 100).chain(lasting(false, 30)).chain(lasting(true, 100))), Some(150));
    }

    #[test]
    fn a_glitch_is_no_press() {
        let glitches = (0..100).flat_map(|_| lasting(false, 30).chain(lasting(true, 10)));
        assert_eq!(counted(glitches), None);
    }
}
