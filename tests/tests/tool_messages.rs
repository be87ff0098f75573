//! What `pico-hsm-tool` says when something goes wrong: the table of messages in the documentation.

use anyhow::Result;
use ferrite_tests::proxy::{Fate, Proxy};
use ferrite_tests::tool::{Outcome, Tool};
use std::fs;

/// The messages of the documentation, in its page on troubleshooting.
fn documented(message: &str) {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/guides/troubleshooting.md");
    let page = fs::read_to_string(page).expect("the page");
    assert!(page.contains(message), "{message:?} is not in the table");
}

/// The outcome has this exit code, and says this, which the documentation has too.
fn says(outcome: &Outcome, code: i32, message: &str) {
    assert_eq!(outcome.code, code, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(message), "{message:?} is missing in: {}", outcome.stderr);
    documented(message);
}

#[test]
fn a_device_unplugged_in_the_middle_of_a_command_is_named_as_that() -> Result<()> {
    // GENERATE ASYMMETRIC KEY PAIR is never answered.
    let proxy = Proxy::serve(|command| if command.get(1) == Some(&0x46) { Fate::HangUp } else { Fate::Pass })?;
    let tool = Tool::behind(&proxy.socket())?;
    tool.succeed(&["initialize"])?;
    let outcome = tool.run(&["key", "generate", "rsa:2048"])?;
    says(&outcome, 7, "cannot talk to the virtual device");
    assert!(outcome.stderr.contains("what it acknowledged is kept"), "{}", outcome.stderr);
    Ok(())
}

#[test]
fn a_killed_device_is_named_and_what_was_there_is_there_again() -> Result<()> {
    let mut tool = Tool::initialized(&[])?;
    tool.succeed(&["key", "generate", "p256", "--label", "kept"])?;
    tool.unplug();
    let outcome = tool.run(&["key", "list"])?;
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    tool.plug_in()?;
    assert!(tool.succeed(&["key", "list"])?.contains("kept"));
    Ok(())
}

#[test]
fn a_wrong_share_and_a_backup_of_another_dkek_are_refused() -> Result<()> {
    let tool = Tool::initialized(&["--dkek-shares", "1"])?;
    let with = |password: &str, arguments: &[&str]| {
        let mut command = tool.command(arguments);
        command.env("PICO_HSM_SHARE_PASSWORD", password);
        ferrite_tests::tool::run(&mut command)
    };
    for file in ["mine", "other"] {
        assert_eq!(with("password", &["dkek", "create-share", file])?.code, 0);
    }
    let outcome = with("pass word", &["dkek", "import-share", "mine"])?;
    says(&outcome, 8, "cannot open the DKEK share: the password is wrong, or the file is damaged");
    assert_eq!(with("password", &["dkek", "import-share", "mine"])?.code, 0);
    let outcome = with("password", &["dkek", "import-share", "other"])?;
    says(&outcome, 6, "cannot import a share into key domain 0: the domain waits for no share");

    tool.succeed(&["key", "generate", "p256", "--label", "key"])?;
    tool.succeed(&["backup", "all"])?;
    tool.succeed(&["backup", "--key", "key", "one"])?;
    tool.succeed(&["initialize", "--yes", "--dkek-shares", "1"])?;
    assert_eq!(with("password", &["dkek", "import-share", "other"])?.code, 0);
    let refused = "cannot restore the backup: the device has not the DKEK that key 1 is wrapped under";
    says(&tool.run(&["restore", "all"])?, 8, refused);
    let refused = "cannot unwrap a key as key 1: no DKEK of this device opens it, or it is damaged";
    says(&tool.run(&["restore", "one"])?, 8, refused);
    // Nothing of a failed restore stays.
    assert!(tool.succeed(&["key", "list"])?.starts_with("There are no keys"));

    // A changed backup is noticed.
    tool.succeed(&["initialize", "--yes", "--dkek-shares", "1"])?;
    assert_eq!(with("password", &["dkek", "import-share", "mine"])?.code, 0);
    let mut file = fs::read(tool.file("all"))?;
    *file.last_mut().expect("bytes") ^= 1;
    fs::write(tool.file("changed"), &file)?;
    assert_eq!(tool.run(&["restore", "changed"])?.code, 8);
    fs::write(tool.file("cut"), &file[..file.len() - 20])?;
    assert_eq!(tool.run(&["restore", "cut"])?.code, 8);
    assert!(tool.succeed(&["key", "list"])?.starts_with("There are no keys"));
    tool.succeed(&["restore", "all"])?;
    assert!(tool.succeed(&["key", "list"])?.contains("key"));
    Ok(())
}

#[test]
fn a_ceremony_that_cannot_be_held_says_what_to_do_instead_and_changes_nothing() -> Result<()> {
    let hold = |tool: &Tool, options: &[&str]| {
        let custodians = ["ceremony", "hold", "held.share", "--parts", "3", "--needed", "2", "--parts-to", "parts"];
        tool.run(&[&custodians, options].concat())
    };
    for (setup, options, code, why, instead) in [
        (&[][..], &[][..], 6, "key domain 0 does not wait for one share: no DKEK", "--initialize"),
        (&["--dkek-shares", "0"], &[], 6, "key domain 0 does not wait for one share", "--initialize"),
        (&["--dkek-shares", "2"], &[], 6, "waits for DKEK shares: 0 of 2", "dkek create-share FILE --parts N"),
        (&["--key-domains", "2"], &["--domain", "1"], 6, "not set up", "domain create 1 --shares 1"),
        (&["--dkek-shares", "1"], &["--domain", "1"], 6, "without key domain 1", "--initialize"),
        (&["--dkek-shares", "1"], &["--label", "New"], 1, "keeps its label", "pico-hsm-tool label"),
        (&["--dkek-shares", "1"], &["--initialize", "--domain", "1"], 1, "key domain 0 only", "--key-domains N"),
        (&["--dkek-shares", "1"], &["--initialize"], 1, "it needs a confirmation", "add --yes"),
        (&["--dkek-shares", "1"], &["--minutes", "held.share"], 1, "cannot be one file", ""),
        (&["--dkek-shares", "1"], &["--minutes", "."], 1, "there is a file already", "Take another name"),
    ] {
        let tool = Tool::initialized(setup)?;
        let before = tool.succeed(&["domain", "list"])?;
        let outcome = hold(&tool, options)?;
        assert_eq!(outcome.code, code, "{setup:?} {options:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(why) && outcome.stderr.contains(instead), "{setup:?}: {}", outcome.stderr);
        assert!(!tool.file("held.share").exists() && !tool.file("parts").exists());
        assert_eq!(tool.succeed(&["domain", "list"])?, before);
    }
    // Without a screen there must be files; and it is none of the ceremony's parts that is there.
    let tool = Tool::blank()?;
    let outcome = tool.run(&["ceremony", "hold", "held.share", "--parts", "3", "--needed", "2"])?;
    assert!(outcome.code == 1 && outcome.stderr.contains("--parts-to DIR"), "{}", outcome.stderr);
    fs::create_dir(tool.file("parts"))?;
    fs::write(tool.file("parts/part-3.txt"), "another's")?;
    let outcome = hold(&tool, &[])?;
    assert!(outcome.code == 1 && outcome.stderr.contains("part-3.txt: there is a file already"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(tool.file("parts/part-3.txt"))?, "another's");
    // A domain of several is given its share where it waits for one.
    tool.succeed(&["initialize", "--key-domains", "2"])?;
    tool.succeed(&["domain", "create", "1", "--shares", "1"])?;
    fs::remove_file(tool.file("parts/part-3.txt"))?;
    let outcome = hold(&tool, &["--domain", "1"])?;
    assert!(outcome.text().contains("Key domain 1: DKEK of 1 share, check value"), "{}", outcome.stderr);
    Ok(())
}

#[test]
fn a_device_that_goes_away_before_it_has_the_share_leaves_the_share_proved() -> Result<()> {
    // KEY DOMAIN with data: the share.
    let proxy = Proxy::serve(|command| match command {
        [_, 0x52, 0, _, _, _, ..] => Fate::HangUp,
        _ => Fate::Pass,
    })?;
    let tool = Tool::behind(&proxy.socket())?;
    let custodians = ["--parts", "3", "--needed", "2", "--parts-to", "parts", "--minutes", "minutes"];
    let outcome = tool.run(&[&["ceremony", "hold", "held.share"], &custodians[..]].concat())?;
    assert_eq!(outcome.code, 7, "{}", outcome.stderr);
    let import = "dkek import-share held.share --part parts/part-1.txt --part parts/part-2.txt";
    for said in ["held.share stands, and its parts open it", "pico-hsm-tool domain list", import] {
        assert!(outcome.stderr.contains(said), "{said:?} is missing in: {}", outcome.stderr);
    }
    assert!(tool.file("held.share").exists() && !tool.file("minutes").exists());
    Ok(())
}

#[test]
fn the_check_value_that_is_expected_is_compared_when_the_last_share_comes() -> Result<()> {
    let tool = Tool::initialized(&["--dkek-shares", "2"])?;
    let run = |arguments: &[&str]| {
        let mut command = tool.command(&[&["dkek"], arguments].concat());
        command.env("PICO_HSM_SHARE_PASSWORD", "password");
        ferrite_tests::tool::run(&mut command)
    };
    for file in ["one", "two", "three"] {
        assert_eq!(run(&["create-share", file])?.code, 0);
    }
    run(&["import-share", "one"])?;
    let said = run(&["import-share", "two"])?.text();
    let (_, check_value) = said.trim_end().rsplit_once(' ').expect("a check value");
    tool.succeed(&["domain", "clear", "0", "--yes"])?;
    let outcome = run(&["import-share", "one", "--expect-check", check_value])?;
    assert!(outcome.text().contains("compared when the last share comes"), "{}", outcome.text());
    let outcome = run(&["import-share", "three", "--expect-check", check_value])?;
    assert_eq!(outcome.code, 8, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("THIS IS ANOTHER DKEK"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("pico-hsm-tool domain clear 0"), "{}", outcome.stderr);
    tool.succeed(&["domain", "clear", "0", "--yes"])?;
    assert_eq!(run(&["import-share", "one"])?.code, 0);
    assert_eq!(run(&["import-share", "two", "--expect-check", check_value])?.code, 0);
    Ok(())
}

#[test]
fn a_backup_is_never_written_over_a_file_that_is_there() -> Result<()> {
    let tool = Tool::initialized(&["--dkek-shares", "1"])?;
    fs::write(tool.file("precious"), "the only copy")?;
    for arguments in [["dkek", "create-share", "precious"], ["backup", "--key=1", "precious"]] {
        let mut command = tool.command(&arguments);
        assert_ne!(ferrite_tests::tool::run(command.env("PICO_HSM_SHARE_PASSWORD", "password"))?.code, 0);
    }
    assert_eq!(fs::read(tool.file("precious"))?, b"the only copy");
    Ok(())
}

#[test]
fn a_full_device_says_so() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    fs::write(tool.file("large"), vec![7; 60_000])?;
    for _ in 0..64 {
        let outcome = tool.run(&["data", "put", "large", "large"])?;
        if outcome.code != 0 {
            says(&outcome, 6, "no room left, or the key's use counter is exhausted");
            assert!(outcome.stderr.contains("Delete what is no longer needed"), "{}", outcome.stderr);
            return Ok(());
        }
    }
    panic!("the device never filled");
}

#[test]
fn a_session_pin_that_has_ended_never_blocks_the_user_pin() -> Result<()> {
    let tool = Tool::initialized(&["--session-pin"])?;
    tool.succeed(&["ca", "device-key", "-o", "device.pem"])?;
    let channel = ["--channel", "key:device.pem"];
    let through = |arguments: &[&str]| tool.run(&[&channel, arguments].concat());
    assert_eq!(through(&["pin", "session", "make", "-o", "session"])?.code, 0);
    let generate = ["--pin", "file:session", "key", "generate", "p256"];
    assert_eq!(through(&generate)?.code, 0);
    says(&tool.run(&generate)?, 1, "cannot log in: a session PIN works through a secure channel only");
    assert_eq!(through(&["pin", "session", "clear"])?.code, 0);
    says(&through(&generate)?, 3, "cannot log in: the session PIN has ended, or is another device's; 2 tries are left");
    assert_eq!(through(&generate)?.code, 3);
    for _ in 0..5 {
        says(&through(&generate)?, 6, "cannot log in: a session PIN that has ended would block the user PIN");
    }
    assert_eq!(tool.run(&["key", "generate", "p256"])?.code, 0);
    // What is in the way of its file is not written over.
    fs::write(tool.file("other"), "the only copy")?;
    assert_eq!(through(&["pin", "session", "make", "-o", "other"])?.code, 1);
    assert_eq!(fs::read(tool.file("other"))?, b"the only copy");
    Ok(())
}

#[test]
fn a_wrong_pin_counts_down_and_a_blocked_one_is_named_as_that() -> Result<()> {
    let tool = Tool::blank()?;
    says(&tool.run(&["key", "generate", "p256"])?, 5, "cannot log in: the device is not initialised");
    tool.succeed(&["initialize", "--yes"])?;
    let wrong = ["--pin", "env:PICO_HSM_SO_PIN", "key", "generate", "p256"];
    says(&tool.run(&wrong)?, 3, "cannot log in: the PIN is wrong; 2 tries are left (status 63C2)");
    let outcome = tool.run(&wrong)?;
    assert!(outcome.code == 3 && outcome.stderr.contains("1 try is left"), "{}", outcome.stderr);
    assert_eq!(tool.run(&wrong)?.code, 4);
    // Nobody is asked for a PIN in vain.
    says(&tool.run(&["key", "generate", "p256"])?, 4, "cannot log in: the user PIN is blocked");
    let mut command = tool.command(&["key", "generate", "p256"]);
    let outcome = ferrite_tests::tool::run(command.env_remove("PICO_HSM_DEVICE"))?;
    assert!(outcome.code == 2 && outcome.stderr.contains("--device PATH"), "{}", outcome.stderr);
    Ok(())
}

#[test]
fn a_key_that_is_used_up_says_so() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    tool.succeed(&["key", "generate", "p256", "--counter", "1", "--label", "once"])?;
    tool.succeed(&["sign", "once", "/dev/null"])?;
    says(&tool.run(&["sign", "once", "/dev/null"])?, 6, "no room left, or the key's use counter is exhausted");
    Ok(())
}

#[test]
fn a_ciphertext_that_does_not_open_says_what_may_be_wrong() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    tool.succeed(&["key", "generate", "rsa:1024", "--label", "box"])?;
    tool.succeed(&["key", "public-key", "box", "-o", "box.pem"])?;
    fs::write(tool.file("message"), "hello")?;
    let encrypted = std::process::Command::new("openssl")
        .args(["pkeyutl", "-encrypt", "-pubin", "-inkey", "box.pem", "-in", "message", "-out", "sealed"])
        .current_dir(tool.dir())
        .status()?;
    assert!(encrypted.success());
    let outcome = tool.run(&["decrypt", "box", "sealed"])?;
    says(&outcome, 6, "cannot decrypt with key 1: it was encrypted for another key, or not padded by oaep-sha256");
    assert_eq!(tool.succeed(&["decrypt", "box", "sealed", "--padding", "pkcs1"])?, "hello");
    Ok(())
}

#[test]
fn a_key_signs_even_if_the_card_keeps_no_public_half_of_it() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    tool.succeed(&["key", "generate", "p384", "--label", "parent"])?;
    tool.succeed(&["key", "derive", "parent", "01", "--label", "child"])?;
    tool.succeed(&["key", "public-key", "child", "-o", "child.pem"])?;
    // DELETE FILE: its request goes, as if there had been none.
    tool.succeed(&["apdu", "--login", "--strict", "00 E4 02 00 02 CE 02"])?;
    assert!(tool.succeed(&["key", "list"])?.contains("child"));
    fs::write(tool.file("message"), "hello")?;
    let algorithm = tool.succeed(&["sign", "child", "message", "-o", "signature", "--json"])?;
    assert!(algorithm.contains("ecdsa-sha384"), "{algorithm}");
    let outcome = tool.run(&["verify", "child", "message", "-s", "signature"])?;
    says(
        &outcome,
        5,
        "cannot read the public half of key 2: there is no such key, or the device has no public half of it",
    );
    assert_eq!(tool.run(&["verify", "file:child.pem", "message", "-s", "signature"])?.code, 0);
    assert_eq!(tool.run(&["verify", "parent", "message", "-s", "signature"])?.code, 8);
    Ok(())
}

#[test]
fn a_key_of_another_kind_is_named_as_that() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    tool.succeed(&["key", "generate", "p256", "--label", "curve"])?;
    tool.succeed(&["key", "generate", "aes:256", "--label", "secret"])?;
    let secret = ["sign", "secret", "/dev/null"];
    says(&tool.run(&secret)?, 1, "cannot sign with key 2: it is a secret key");
    says(&tool.run(&["decrypt", "curve", "/dev/null"])?, 1, "cannot decrypt with key 1: it is a key on a curve");
    assert!(tool.run(&["decrypt", "secret", "/dev/null"])?.stderr.contains("cipher decrypt"));
    says(&tool.run(&["cipher", "encrypt", "curve", "/dev/null"])?, 1, "cannot encrypt: key 1 is no secret key");
    assert_eq!(tool.run(&["verify", "secret", "/dev/null", "-s", "/dev/null"])?.code, 5);
    let certificate = tool.run(&["cert", "delete", "key:curve", "--yes"])?;
    assert!(certificate.code == 5 && certificate.stderr.contains("cert put --key"), "{}", certificate.stderr);
    Ok(())
}

#[test]
fn a_path_where_no_device_is_is_named() -> Result<()> {
    let tool = Tool::blank()?;
    for command in ["list", "status"] {
        let outcome = tool.run(&["--device", "/nowhere", command])?;
        says(&outcome, 2, "cannot reach the virtual device at /nowhere: there is no such socket");
    }
    let outcome = tool.run(&["--device", "/nowhere", "doctor"])?;
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("BAD   named device") && outcome.stderr.contains("/nowhere"), "{}", outcome.stderr);
    // A socket that answers needs none of what readers need.
    assert!(tool.succeed(&["doctor"])?.contains("good  named device"));
    Ok(())
}

#[test]
fn an_unknown_key_is_named_by_number_and_by_label() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    says(&tool.run(&["key", "show", "77"])?, 5, "cannot find key 77: there is no such key");
    says(&tool.run(&["key", "delete", "nobody", "--yes"])?, 5, "cannot find key \"nobody\": no key has this label");
    assert_eq!(tool.run(&["sign", "77", "/dev/null"])?.code, 5);
    Ok(())
}

#[test]
fn a_person_who_says_no_is_heeded() -> Result<()> {
    let tool = Tool::initialized(&[])?;
    tool.succeed(&["key", "generate", "p256", "--label", "kept"])?;
    let on_a_terminal = |answer: &str| -> Result<i32> {
        // A terminal of its own; its end of file would come too early without the sleep.
        let mut command = std::process::Command::new("bash");
        let line =
            format!("(echo {answer}; sleep 1) | script -qec '{} key delete kept' /dev/null", tool.program().display());
        command.args(["-c", &line]).env("PICO_HSM_DEVICE", tool.socket()).env("PICO_HSM_PIN", "648219");
        Ok(ferrite_tests::tool::run(&mut command)?.code)
    };
    assert_eq!(on_a_terminal("no")?, 9);
    assert!(tool.succeed(&["key", "list"])?.contains("kept"));
    assert_eq!(on_a_terminal("yes")?, 0);
    assert!(tool.succeed(&["key", "list"])?.starts_with("There are no keys"));
    Ok(())
}

#[test]
fn a_secret_is_never_an_argument_and_never_repeated() -> Result<()> {
    let tool = Tool::blank()?;
    let outcome = tool.run(&["--pin", "648219", "status"])?;
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("say where the secret is"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("648219"), "{}", outcome.stderr);
    Ok(())
}

#[test]
fn completions_and_manual_pages_are_written() -> Result<()> {
    let tool = Tool::blank()?;
    for shell in ["bash", "zsh", "fish"] {
        assert!(tool.succeed(&["completions", shell])?.contains("pico-hsm-tool"));
    }
    tool.succeed(&["man", "pages"])?;
    let page = fs::read_to_string(tool.file("pages/pico-hsm-tool-key-generate.1"))?;
    assert!(page.contains("Make a key on the device"), "{page}");
    Ok(())
}
