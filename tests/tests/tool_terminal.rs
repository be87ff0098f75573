//! `pico-hsm-tool` on a terminal, with people who type: a newcomer's first steps, and custodians in a ceremony.

use anyhow::{Context, Result, ensure};
use ferrite_tests::terminal::{CTRL_C, CTRL_D, Terminal};
use ferrite_tests::tool::Tool;

const PIN: &str = "471100";
const SO_PIN: &str = "not for everyday";
const PASSWORD: &str = "a long password";

/// A shell in which the tool finds the device, and no PIN.
fn shell(tool: &Tool) -> Result<Terminal> {
    let mut command = tool.command(&[]);
    for secret in ["PICO_HSM_PIN", "PICO_HSM_SO_PIN", "PICO_HSM_BACKUP_PASSWORD", "PICO_HSM_SHARE_PASSWORD"] {
        command.env_remove(secret);
    }
    let program = tool.program().parent().context("the tool is in a directory")?.to_owned();
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(program).chain(std::env::split_paths(&paths));
    command.env("PATH", std::env::join_paths(paths)?);
    Terminal::shell(&command)
}

/// A secret that is asked for twice.
fn new_secret(terminal: &mut Terminal, question: &str, secret: &str) -> Result<()> {
    terminal.answer(question, secret)?;
    terminal.answer("The same again: ", secret)
}

/// Initialises the device with one share, which is in a file.
fn initialize(terminal: &mut Terminal, is_blank: bool) -> Result<()> {
    terminal.begin("pico-hsm-tool initialize")?;
    if !is_blank {
        terminal.answer("Type yes to go on: ", "yes")?;
    }
    terminal.answer("Name of the token", "Office")?;
    terminal.answer("Number of shares", "1")?;
    match is_blank {
        true => new_secret(terminal, "SO-PIN (8 to 16 characters): ", SO_PIN)?,
        false => terminal.answer("SO-PIN, as it is now: ", SO_PIN)?,
    }
    new_secret(terminal, "New user PIN (6 to 16 characters): ", PIN)?;
    terminal.answer("File of the share", "office.share")?;
    match is_blank {
        true => new_secret(terminal, "New password of the share: ", PASSWORD)?,
        false => terminal.answer("Password of office.share: ", PASSWORD)?,
    }
    let said = terminal.ends_with(0)?;
    ensure!(said.contains("DKEK of 1 share, check value"), "{said}");
    Ok(())
}

#[test]
fn a_newcomer_makes_a_key_signs_backs_up_loses_everything_and_signs_again() -> Result<()> {
    let tool = Tool::blank()?;
    let mut terminal = shell(&tool)?;
    let help = terminal.run("pico-hsm-tool --help")?;
    for step in ["initialize", "key generate p256 --label", "sign K FILE", "verify K FILE", "backup B", "restore B"] {
        ensure!(help.contains(&format!("  pico-hsm-tool {step}")), "the help does not say {step:?}");
    }
    let status = terminal.run("pico-hsm-tool status")?;
    ensure!(status.contains("The device is not initialised: pico-hsm-tool initialize"), "{status}");
    initialize(&mut terminal, true)?;

    terminal.begin("pico-hsm-tool key generate p256 --label mine")?;
    terminal.answer("User PIN: ", PIN)?;
    let said = terminal.ends_with(0)?;
    ensure!(said.contains("Next: pico-hsm-tool sign \"mine\" FILE -o FILE.sig"), "{said}");
    terminal.run("echo hello > letter")?;
    let sign_and_verify = |terminal: &mut Terminal| -> Result<()> {
        terminal.begin("pico-hsm-tool sign mine letter -o letter.sig")?;
        terminal.answer("User PIN: ", PIN)?;
        terminal.ends_with(0)?;
        let said = terminal.run("pico-hsm-tool verify mine letter -s letter.sig")?;
        ensure!(said.contains("The signature is valid"), "{said}");
        Ok(())
    };
    sign_and_verify(&mut terminal)?;

    terminal.begin("pico-hsm-tool backup office.backup")?;
    terminal.answer("User PIN: ", PIN)?;
    new_secret(&mut terminal, "Password of the backup: ", PASSWORD)?;
    terminal.ends_with(0)?;

    // A device that somebody else wiped is restored: the same share, and the backup.
    initialize(&mut terminal, false)?;
    let said = terminal.run("pico-hsm-tool key list")?;
    ensure!(said.contains("There are no keys"), "{said}");
    terminal.begin("pico-hsm-tool restore office.backup")?;
    terminal.answer("Password of office.backup: ", PASSWORD)?;
    terminal.answer("User PIN: ", PIN)?;
    let said = terminal.ends_with(0)?;
    ensure!(said.contains("1 key"), "{said}");
    terminal.run("pico-hsm-tool verify mine letter -s letter.sig")?;
    sign_and_verify(&mut terminal)?;
    terminal.is_usable()?;

    for secret in [PIN, SO_PIN, PASSWORD] {
        ensure!(!terminal.everything().contains(secret), "{secret:?} was on the screen");
    }
    Ok(())
}

#[test]
fn what_was_typed_wrong_is_asked_again_at_once() -> Result<()> {
    let tool = Tool::blank()?;
    let mut terminal = shell(&tool)?;
    terminal.begin("pico-hsm-tool initialize")?;
    terminal.answer("Name of the token", "")?;
    terminal.answer("Number of shares", "many")?;
    terminal.wait_for("That is no number from 1 to 16.")?;
    terminal.answer("Number of shares", "")?;
    terminal.answer("SO-PIN (8 to 16 characters): ", "short")?;
    terminal.wait_for("the SO-PIN has 5 characters")?;
    terminal.answer("SO-PIN (8 to 16 characters): ", "")?;
    terminal.wait_for("Nothing was typed")?;
    new_secret(&mut terminal, "SO-PIN (8 to 16 characters): ", SO_PIN)?;
    terminal.answer("New user PIN (6 to 16 characters): ", PIN)?;
    terminal.answer("The same again: ", "471101")?;
    terminal.wait_for("The two are not the same.")?;
    new_secret(&mut terminal, "New user PIN (6 to 16 characters): ", PIN)?;
    let said = terminal.ends_with(0)?;
    ensure!(said.contains("there will be no backups"), "{said}");
    Ok(())
}

#[test]
fn whoever_stops_a_question_gets_a_usable_terminal_and_nothing_is_done() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    let mut terminal = shell(&tool)?;
    for key in [CTRL_C, CTRL_D] {
        terminal.begin("pico-hsm-tool key generate p256")?;
        terminal.wait_for("User PIN: ")?;
        terminal.press(key)?;
        let said = terminal.ends_with(9)?;
        ensure!(said.contains("you stopped it"), "{said}");
        terminal.is_usable()?;
        terminal.begin("pico-hsm-tool initialize")?;
        terminal.wait_for("Type yes to go on: ")?;
        terminal.press(key)?;
        terminal.ends_with(9)?;
        terminal.is_usable()?;
    }
    tool.succeed(&["key", "generate", "p256"])?;
    Ok(())
}

/// What a custodian writes down.
struct Note {
    prime: String,
    number: String,
    value: String,
    check: String,
}

impl Note {
    fn copy(screen: &str) -> Result<Self> {
        let field = |name: &str| {
            let found = screen.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
            found.map(|value| value.trim().to_owned()).with_context(|| format!("no {name} in {screen:?}"))
        };
        Ok(Self { prime: field("prime")?, number: field("number")?, value: field("value")?, check: field("check")? })
    }

    /// Types the part; `value` may be wrong.
    fn type_in(&self, terminal: &mut Terminal, value: &str) -> Result<()> {
        terminal.answer("Number of the part: ", &self.number)?;
        terminal.answer("Value (it is not shown; colons do not matter): ", value)?;
        terminal.answer("Check: ", &self.check)
    }
}

const WRITTEN: &str = "Write all of it down, then press Enter";

/// Custodians come, write their parts down, and type them back; the second one makes a mistake first.
fn custodians(terminal: &mut Terminal, count: usize) -> Result<Vec<Note>> {
    let mut notes = Vec::new();
    for at in 1..=count {
        terminal.answer(&format!("Custodian {at} of {count}, come alone to the screen"), "")?;
        terminal.wait_for(WRITTEN)?;
        let note = Note::copy(terminal.visible())?;
        terminal.press("\n")?;
        terminal.wait_for("Value (it is not shown; colons do not matter): ")?;
        ensure!(!terminal.visible().contains(&note.value), "the part is still on the screen");
        if at == 2 {
            terminal.press("12:34\n")?;
            terminal.answer("That is not the value.", "")?;
            terminal.wait_for(WRITTEN)?;
            terminal.press("\n")?;
            terminal.wait_for("Value (it is not shown; colons do not matter): ")?;
        }
        terminal.press(&format!("{}\n", note.value.replace(':', "")))?;
        notes.push(note);
    }
    Ok(notes)
}

/// Some of the custodians come back and type their parts; each is gone from the screen before the next one comes.
fn come_back(terminal: &mut Terminal, notes: &[&Note]) -> Result<()> {
    terminal.answer("Prime: ", &notes.first().context("custodians")?.prime)?;
    for (at, note) in notes.iter().enumerate() {
        terminal.answer(&format!("Custodian {} of {}, come to the screen", at + 1, notes.len()), "")?;
        note.type_in(terminal, &note.value)?;
        terminal.wait_for(&format!("Part {} of {} is read.", at + 1, notes.len()))?;
        ensure!(!terminal.visible().contains(&note.value), "the part is still on the screen");
    }
    Ok(())
}

#[test]
fn custodians_rehearse_a_ceremony_from_the_share_to_the_restored_key() -> Result<()> {
    let tool = Tool::blank()?;
    let mut terminal = shell(&tool)?;
    terminal.begin("pico-hsm-tool ceremony rehearse --parts 3 --needed 2 --on-screen")?;
    let notes = custodians(&mut terminal, 3)?;
    come_back(&mut terminal, &[&notes[0], &notes[2]])?;
    terminal.wait_for("A virtual device was initialised")?;
    // Again, on the wiped device: others, one of whom mistypes a digit, and one who comes twice.
    terminal.answer("Prime: ", "no prime")?;
    terminal.wait_for("That is no prime of a part")?;
    terminal.answer("Prime: ", &notes[1].prime)?;
    terminal.answer("Custodian 1 of 2, come to the screen", "")?;
    notes[1].type_in(&mut terminal, "12:34")?;
    terminal.wait_for("a digit is wrong")?;
    notes[1].type_in(&mut terminal, &notes[1].value)?;
    terminal.answer("Custodian 2 of 2, come to the screen", "")?;
    notes[1].type_in(&mut terminal, &notes[1].value)?;
    terminal.wait_for("Part 2 was given already.")?;
    notes[2].type_in(&mut terminal, &notes[2].value)?;
    terminal.wait_for("the key's signature is the old key's")?;
    let said = terminal.ends_with(0)?;
    ensure!(said.contains("The rehearsal went well."), "{said}");
    terminal.is_usable()?;
    // Each value was shown when it was to be written down, and at no other time.
    for (note, times) in notes.iter().zip([1, 2, 1]) {
        ensure!(terminal.everything().matches(&note.value).count() == times, "part {} was seen", note.number);
    }
    Ok(())
}

#[test]
fn custodians_hold_a_share_that_opens_with_enough_right_parts_only() -> Result<()> {
    let tool = Tool::initialized(&["--dkek-shares", "1"])?;
    let mut terminal = shell(&tool)?;
    terminal.begin("pico-hsm-tool dkek create-share office.share --parts 4 --needed 3")?;
    let notes = custodians(&mut terminal, 4)?;
    let said = terminal.ends_with(0)?;
    ensure!(said.contains("Any 3 of 4 parts open it."), "{said}");

    // Parts of another share are well formed and open nothing: the custodians begin again.
    terminal.begin("pico-hsm-tool dkek create-share other.share --parts 3 --needed 2")?;
    let others = custodians(&mut terminal, 3)?;
    terminal.ends_with(0)?;
    terminal.begin("pico-hsm-tool dkek import-share office.share --ask-parts 3")?;
    terminal.answer("Prime: ", &others[0].prime)?;
    for (at, note) in others.iter().enumerate() {
        terminal.answer(&format!("Custodian {} of 3, come to the screen", at + 1), "")?;
        note.type_in(&mut terminal, &note.value)?;
    }
    terminal.wait_for("the parts do not give its password")?;
    terminal.answer("Press Enter to begin again with the first custodian", "")?;
    come_back(&mut terminal, &[&notes[3], &notes[0], &notes[1]])?;
    let said = terminal.ends_with(0)?;
    ensure!(said.contains("Key domain 0: DKEK of 1 share, check value"), "{said}");
    Ok(())
}

/// Nobody need be told what is on the screen: neither now nor in the minutes.
fn shows_none_of(text: &str, notes: &[Note]) -> Result<()> {
    for note in notes {
        ensure!(!text.contains(&note.value), "part {} is there", note.number);
    }
    Ok(())
}

#[test]
fn a_ceremony_is_held_that_was_stopped_before_at_every_step() -> Result<()> {
    let tool = Tool::blank()?;
    let mut terminal = shell(&tool)?;
    let hold = "pico-hsm-tool ceremony hold office.share --parts 3 --needed 2 --minutes minutes.txt";
    let begin = |terminal: &mut Terminal, options: &str| -> Result<String> {
        terminal.begin(&format!("{hold}{options}"))?;
        terminal.wait_for("What will happen:")?;
        let plan = terminal.wait_for("Press Enter to begin, Ctrl-C to stop: ")?;
        terminal.press("\n")?;
        Ok(plan)
    };
    // Stopped: the share is gone, and the minutes were never written.
    let stopped = |terminal: &mut Terminal, stands: &str| -> Result<()> {
        let said = terminal.ends_with(9)?;
        ensure!(said.contains("you stopped it") && said.contains(stands), "{said}");
        terminal.is_usable()?;
        ensure!(!tool.file("office.share").exists() && !tool.file("minutes.txt").exists());
        Ok(())
    };

    // While the first custodian reads. The device is initialised by then.
    let plan = begin(&mut terminal, " --label Office")?;
    ensure!(plan.contains("1. The device") && plan.contains("6. The record for the minutes"), "{plan}");
    new_secret(&mut terminal, "SO-PIN (8 to 16 characters): ", SO_PIN)?;
    new_secret(&mut terminal, "New user PIN (6 to 16 characters): ", PIN)?;
    terminal.answer("Custodian 1 of 3, come alone to the screen", "")?;
    terminal.wait_for(WRITTEN)?;
    let note = Note::copy(terminal.visible())?;
    terminal.press(CTRL_C)?;
    stopped(&mut terminal, "The device is initialised, and waits for a share.")?;
    shows_none_of(terminal.visible(), &[note])?;

    // While the password is stretched: it is heard at the next question.
    let plan = begin(&mut terminal, "")?;
    ensure!(!plan.contains("is initialised") && plan.contains("5. The record for the minutes"), "{plan}");
    terminal.wait_for("Encrypting the share")?;
    terminal.press(CTRL_C)?;
    stopped(&mut terminal, "The device is as it was.")?;

    // At the proof.
    begin(&mut terminal, "")?;
    let notes = custodians(&mut terminal, 3)?;
    terminal.wait_for("Now the proof: any 2 of the custodians type their parts again.")?;
    terminal.wait_for("Prime: ")?;
    terminal.press(CTRL_D)?;
    stopped(&mut terminal, "destroy them")?;
    shows_none_of(terminal.visible(), &notes)?;

    // Parts that are void open nothing; those that were shown do.
    begin(&mut terminal, "")?;
    let void = notes;
    let notes = custodians(&mut terminal, 3)?;
    come_back(&mut terminal, &[&void[0], &void[1]])?;
    terminal.wait_for("the parts do not give its password")?;
    terminal.answer("Press Enter to begin again with the first custodian", "")?;
    come_back(&mut terminal, &[&notes[2], &notes[0]])?;
    let said = terminal.ends_with(0)?;
    ensure!(said.contains("Key domain 0: DKEK of 1 share, check value"), "{said}");
    let minutes = std::fs::read_to_string(tool.file("minutes.txt"))?;
    ensure!(minutes.contains("Office") && minutes.contains("Custodians:               3, any 2 of whom"), "{minutes}");
    shows_none_of(&minutes, &notes)?;
    for secret in [PIN, SO_PIN] {
        ensure!(!terminal.everything().contains(secret) && !minutes.contains(secret), "{secret:?} was shown");
    }

    // Once more on the same device: neither its DKEK nor a file is replaced.
    terminal.begin(hold)?;
    let said = terminal.ends_with(1)?;
    ensure!(said.contains("there is a file already"), "{said}");
    terminal.begin("pico-hsm-tool ceremony hold other.share --parts 3 --needed 2")?;
    let said = terminal.ends_with(6)?;
    ensure!(said.contains("key domain 0 does not wait for one share") && said.contains("domain clear 0"), "{said}");
    Ok(())
}

#[test]
fn a_ceremony_that_is_stopped_leaves_no_part_on_the_screen() -> Result<()> {
    let tool = Tool::blank()?;
    let mut terminal = shell(&tool)?;
    for key in [CTRL_C, CTRL_D] {
        terminal.begin("pico-hsm-tool dkek create-share office.share --parts 3 --needed 2")?;
        terminal.answer("Custodian 1 of 3, come alone to the screen", "")?;
        terminal.wait_for(WRITTEN)?;
        let note = Note::copy(terminal.visible())?;
        terminal.press(key)?;
        let said = terminal.ends_with(9)?;
        ensure!(said.contains("office.share is removed again"), "{said}");
        ensure!(!terminal.visible().contains(&note.value), "the part is still on the screen");
        terminal.is_usable()?;
    }
    Ok(())
}

#[test]
fn what_takes_its_time_shows_that_it_goes_on_and_leaves_the_output_alone() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    tool.succeed(&["key", "generate", "aes:256", "--label", "box"])?;
    tool.succeed(&["option", "set", "--press-to-confirm", "on"])?;
    let derive = ["kdf", "box", "-a", "pbkdf2-sha512", "--salt", "0102030405060708", "--iterations", "1000000"];
    let expected = tool.succeed(&[&derive, &["--format", "hex"][..]].concat())?;
    let mut terminal = shell(&tool)?;
    let mut command = format!("PICO_HSM_PIN={} pico-hsm-tool {}", ferrite_tests::tool::PIN, derive.join(" "));
    command.push_str(" --format hex > derived");
    let shown = terminal.run(&command)?;
    ensure!(shown.contains("Deriving: press the device's button while it asks"), "{shown}");
    assert_eq!(std::fs::read_to_string(tool.file("derived"))?, expected);
    // What is over at once shows nothing.
    let shown = terminal.run(&command.replace("1000000", "1"))?;
    ensure!(!shown.contains("Deriving"), "{shown}");
    // Nobody looks: nothing is shown.
    let quiet = tool.run(&derive)?;
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    Ok(())
}
