//! Every script of `tests/scripts`, against the card in this process and against the simulator over its socket and over USB.

use anyhow::{Context, Result};
use ferrite_tests::bench::source;
use ferrite_tests::in_process::InProcess;
use ferrite_tests::over_socket::OverSocket;
use ferrite_tests::script::Script;
use ferrite_tests::usb::ccid::OverUsb;
use std::fs;

fn holds(name: &str) -> Result<()> {
    let path = source("scripts").join(name);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let script = Script::parse(&text).with_context(|| name.to_owned())?;
    script.run(&mut InProcess::blank()?).with_context(|| format!("{name}, in process"))?;
    script.run(&mut OverSocket::blank()?).with_context(|| format!("{name}, over the socket"))?;
    script.run(&mut OverUsb::blank()?).with_context(|| format!("{name}, over USB"))
}

macro_rules! scripts {
    ($($test:ident: $file:literal)*) => {
        $(#[test] fn $test() -> Result<()> { holds($file) })*

        #[test]
        fn every_script_is_run() -> Result<()> {
            let known = [$($file),*];
            for file in fs::read_dir(source("scripts"))? {
                let name = file?.file_name();
                assert!(known.iter().any(|known| name == *known), "{name:?} is run by no test");
            }
            Ok(())
        }
    };
}

scripts! {
    a_blank_card_answers_but_has_nothing_to_give: "blank-card.apdu"
    initialising_sets_the_pins_and_needs_the_so_pin_afterwards: "initialize.apdu"
    wrong_pins_count_down_and_the_so_pin_unblocks: "pin-countdown.apdu"
    files_are_written_read_and_deleted: "files.apdu"
    recorded_keys_compute_what_was_recorded: "known-answers.apdu"
    what_the_user_trusts_is_believed_and_registered_keys_are_wanted: "trust.apdu"
}
