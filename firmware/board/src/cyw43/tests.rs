use super::bus::Register;
use super::model::{Kind, Model};
use super::{PATIENCE, Radio};

/// Between two steps, as in the firmware.
const EVERY: u64 = 10;

/// A radio that was stepped for so long, with a LED that is to be lit.
fn started(kind: Kind, millis: u64) -> (Radio<Model>, Model, bool) {
    let model = Model::new(kind);
    let mut radio = Radio::new(model.clone());
    let mut has_hope = true;
    for now in (5000..5000 + millis).step_by(EVERY as usize) {
        model.at(now);
        has_hope = radio.step(now, true);
    }
    (radio, model, has_hope)
}

#[test]
fn commands_are_as_published() {
    assert_eq!(Register::TEST.command(false), 0x4000_A004);
    assert_eq!(Register::BUS_CONTROL.command(true), 0xC000_0004);
    assert_eq!(Register::CLOCK.command(true), 0xD800_7001);
    assert_eq!(Register::PIN_OUTPUT.command(true), 0xD403_2004);
}

#[test]
fn the_led_is_lit_within_a_second_and_goes_dark_again() {
    let (mut radio, model, has_hope) = started(Kind::GOOD, 1000);
    assert!(has_hope && model.is_lit());
    for (now, lit) in [(7000, false), (7010, true), (7020, false)] {
        model.at(now);
        assert!(radio.step(now, lit));
        assert_eq!(model.is_lit(), lit);
    }
    assert_eq!(model.outputs(), 1, "no other pin of the radio is driven");
}

#[test]
fn what_does_not_change_is_not_written() {
    let (mut radio, model, _) = started(Kind::GOOD, 1000);
    model.pulses();
    assert!((7000..8000).all(|now| radio.step(now, true)));
    assert_eq!(model.pulses(), 0);
    radio.step(8000, false);
    assert_eq!(model.pulses(), 64, "a command and a word");
}

#[test]
fn a_step_takes_one_command_at_most() {
    let model = Model::new(Kind::GOOD);
    let mut radio = Radio::new(model.clone());
    for now in (0..1000).step_by(EVERY as usize) {
        model.at(now);
        radio.step(now, now % 20 == 0);
        assert!(model.pulses() <= 96, "at {now}");
    }
}

#[test]
fn a_radio_that_is_not_there_is_given_up_and_left_alone() {
    let (mut radio, model, has_hope) = started(Kind { is_there: false, ..Kind::GOOD }, 1000);
    assert!(!has_hope && !model.has_power());
    model.pulses();
    assert!((7000..8000).all(|now| !radio.step(now, now % 2 == 0)));
    assert_eq!(model.pulses(), 0);
}

#[test]
fn a_test_pattern_in_another_order_is_none() {
    let (_, model, has_hope) = started(Kind { starts_in_long_words: true, ..Kind::GOOD }, 1000);
    assert!(!has_hope && !model.has_power());
}

#[test]
fn a_clock_that_comes_late_is_waited_for_and_one_that_does_not_come_is_not() {
    let within = (PATIENCE / EVERY) as u32;
    let (_, model, has_hope) = started(Kind { clock_after: within - 1, ..Kind::GOOD }, 1000);
    assert!(has_hope && model.is_lit());
    let (_, model, has_hope) = started(Kind { clock_after: u32::MAX, ..Kind::GOOD }, 1000);
    assert!(!has_hope && !model.has_power());
}

#[test]
fn a_radio_that_was_on_before_is_reset() {
    // The chip restarts; the radio has kept its power and its settings.
    let (_, model, _) = started(Kind::GOOD, 1000);
    let mut radio = Radio::new(model.clone());
    for now in (9000..10_000).step_by(EVERY as usize) {
        model.at(now);
        assert!(radio.step(now, true));
    }
    assert!(model.is_lit());
}
