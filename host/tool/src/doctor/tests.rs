//! The doctor on machines made of a few files.

use super::machine::{Machine, UsbDevice};
use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// A directory that goes away with the test.
struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pico-hsm-tool-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    fn device(&self, at: &str, vendor: &str, product: &str, maker: &str) {
        for (name, text) in [("idVendor", vendor), ("idProduct", product), ("manufacturer", maker), ("product", "HSM")]
        {
            self.file(&format!("sys/bus/usb/devices/{at}/{name}"), &format!("{text}\n"));
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LIST: &str = "<plist><dict>
<key>ifdVendorID</key>\n<array>\n<string>0x20A0</string>\n<string>0x1050</string>\n</array>
<key>ifdProductID</key>\n<array>\n<string>0x4230</string>\n<string>0x0407</string>\n</array>
<key>ifdFriendlyName</key>\n<array>\n<string>Nitrokey</string>\n<string>Yubico</string>\n</array>
</dict></plist>";
const LIST_PATH: &str = "usr/lib/pcsc/drivers/ifd-ccid.bundle/Contents/Info.plist";

#[test]
fn a_missing_service_is_found_and_can_be_mended() {
    let root = Root::new("bare");
    let findings = examine(&Machine::at(&root.0));
    assert_eq!(findings[0].verdict, Verdict::Bad);
    assert_eq!(findings[0].remedy, Some(Remedy::Install));
    assert!(findings[0].detail.contains("pcscd is not installed"));
}

#[test]
fn a_device_that_the_driver_does_not_list_is_found_and_added() {
    let root = Root::new("unlisted");
    root.file("usr/sbin/pcscd", "");
    root.file(LIST_PATH, LIST);
    root.device("1-1", "2e8a", "10fd", "Ferrite");
    root.device("1-2", "1234", "0001", "Somebody");
    let machine = Machine::at(&root.0);
    let ours = UsbDevice { vendor: 0x2E8A, product: 0x10FD, name: "HSM".into(), has_reader: true };
    assert_eq!(machine.usb_devices(), std::slice::from_ref(&ours));
    let finding = driver_knows(&machine, &ours);
    assert_eq!((finding.verdict, finding.remedy), (Verdict::Bad, Some(Remedy::AddToDriver(ours.clone()))));

    machine.add_to_driver(&ours).expect("the list is there");
    assert_eq!(driver_knows(&machine, &ours).verdict, Verdict::Good);
    // What was there before is still there, pair by pair.
    let list = machine.driver_list().expect("a list");
    assert!(list.contains(0x20A0, 0x4230) && list.contains(0x1050, 0x0407) && !list.contains(0x20A0, 0x0407));
    // The copy is of the list as it was packaged, also after another device was added.
    machine.add_to_driver(&UsbDevice { product: 0x10FC, ..ours }).expect("the list is there");
    let kept = fs::read_to_string(root.0.join(LIST_PATH).with_extension("plist.before-pico-hsm-tool"));
    assert_eq!(kept.expect("a copy"), LIST);
}

/// On Debian the list in the driver's directory is a link to a configuration file.
#[test]
fn a_list_that_is_changed_keeps_its_mode_and_its_link_or_stays_as_it_is() {
    let root = Root::new("link");
    root.file(LIST_PATH, "");
    let (list, target) = (root.0.join(LIST_PATH), root.0.join("list"));
    root.file("list", LIST);
    fs::remove_file(&list).expect("a file");
    symlink(&target, &list).expect("a link");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).expect("its owner");
    let machine = Machine::at(&root.0);
    let ours = UsbDevice { vendor: 0x2E8A, product: 0x10FD, name: "HSM".into(), has_reader: true };
    let inode = || fs::metadata(&target).expect("a file").ino();
    let before = inode();
    machine.add_to_driver(&ours).expect("the list is there");
    assert!(machine.driver_list().expect("a list").contains(ours.vendor, ours.product));
    assert_eq!(fs::read_link(&list).expect("a link"), target);
    assert_eq!(fs::metadata(&target).expect("a file").mode() & 0o777, 0o640);
    // Another file has taken its place at once, and nothing is left of how.
    assert_ne!(inode(), before);
    assert!(!root.0.join("list.new").exists());

    // What cannot be written leaves the list as it was.
    let changed = fs::read_to_string(&target).expect("a file");
    fs::create_dir(root.0.join("list.new")).expect("a directory");
    assert!(machine.add_to_driver(&UsbDevice { product: 1, ..ours.clone() }).is_err());
    assert_eq!(fs::read_to_string(&target).expect("a file"), changed);
    // Nor is a list of another form guessed at.
    for odd in
        [LIST.replace("ifdFriendlyName</key>\n<array>", "ifdFriendlyName</key><array/>\n<array>"), "<plist/>".into()]
    {
        fs::write(&target, &odd).expect("a file");
        let error = machine.add_to_driver(&ours).expect_err("a list of another form");
        assert_eq!(error.kind(), ErrorKind::BadInput);
        assert_eq!(fs::read_to_string(&target).expect("a file"), odd);
    }
}

#[test]
fn a_device_of_another_maker_counts_by_its_identifiers() {
    let root = Root::new("identifiers");
    root.device("1-1", "feff", "fcfd", "Clone Ltd");
    assert_eq!(Machine::at(&root.0).usb_devices().len(), 1);
    let finding = driver_knows(&Machine::at(&root.0), &Machine::at(&root.0).usb_devices()[0]);
    assert_eq!((finding.verdict, finding.remedy), (Verdict::Bad, Some(Remedy::Install)));
}

#[test]
fn a_device_of_any_name_counts_by_its_vendor_interface_and_needs_no_driver_without_a_reader() {
    let root = Root::new("interfaces");
    root.device("1-1", "1234", "0001", "Somebody");
    for (at, class, name) in [("1-1:1.0", "03", "HSM keys"), ("1-1:1.1", "ff", "HSM WebCCID Interface")] {
        for (file, text) in [("bInterfaceClass", class), ("bInterfaceSubClass", "00"), ("bInterfaceProtocol", "00")] {
            root.file(&format!("sys/bus/usb/devices/1-1/{at}/{file}"), &format!("{text}\n"));
        }
        root.file(&format!("sys/bus/usb/devices/1-1/{at}/interface"), &format!("{name}\n"));
    }
    let machine = Machine::at(&root.0);
    let devices = machine.usb_devices();
    assert_eq!(devices.iter().map(|device| device.has_reader).collect::<Vec<_>>(), [false]);
    assert_eq!(driver_knows(&machine, &devices[0]).verdict, Verdict::Open);
    root.file("sys/bus/usb/devices/1-1/1-1:1.1/interface", "Something else\n");
    assert!(machine.usb_devices().is_empty());
}

#[test]
fn what_keeps_a_user_from_the_device_is_bad_only_if_no_reader_shows_it() {
    let forbidden = || {
        let error = Error::new(ErrorKind::NoDevice, "open it", "this user may not").advise(UDEV_RULE);
        vec![("HSM".to_owned(), Err(error))]
    };
    let [alone, shown] = [false, true].map(|is_shown| reached_directly(forbidden(), is_shown).remove(0));
    assert_eq!((alone.verdict, alone.remedy), (Verdict::Bad, Some(Remedy::Admit)));
    assert_eq!((shown.verdict, shown.remedy), (Verdict::Open, None));
    assert_eq!(reached_directly(vec![("HSM".to_owned(), Ok(()))], false)[0].verdict, Verdict::Good);
}
