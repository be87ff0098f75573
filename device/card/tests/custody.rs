//! Key domains, DKEK shares, and keys that leave and come as blobs (specification part 2 §8, §10-§12).

mod common;

use common::*;
use ferrite_card::Presence;

/// Vector V3: a P-256 key with the list 70 73 80 92, under the DKEK 00..1F.
const V3: &str = "630DCD2966C433660C000A04007F000702020202030004707380920000000005573F0D372FE1031992B6C6D7E39841DA2E6B0E72E817EA\
    663AF24AE8C8920DE5667760BEC696D311AC7A36C906F9458A1340B53390C8D04BF69F616CC52AB9F208E780FFC9EBC9B4297EA71F62AD\
    91E64E22396BBACFF27CE00DC7268342BF4509B0007343A72F6FCCD9D8063F8971E1FA8CB42C6E0A88DC5DD22C65F640966EDA68F1DCC5\
    3B53C18609540F156F141133DEA37579D714708EA924EF34704C4AD30987292C9BF674C4C1B8154FDB9814801D932E596124ED0BD6E289\
    11695EB2352A4D9A26EB04B2F63AEFF4A30C0862F6CF371278DDE28BB3BBD7795D5B93F59A5F1198B23291D47BC78F71CE85DCBA4C4A53\
    F56D585DB75B72638C3D4C5D9BD6680AEA30CE1D7EE064B15EA01F57F7E69C879F86B0EA0FBB47C457260D01369BC3802345AC589AD440\
    917896C36728502484353609B9CC908877A66DA0BF1FC4F67ACF538397071B977387A9ED6F";
/// Vector V4: an RSA-1024 key as private exponent and modulus, and with all its parts, and a signature it makes.
const V4_TYPE_5: &str = "630DCD2966C4336605000A04007F00070202020102000000000000D20C6F1ACA0DF4E5B01BCCF197613E0054703709B279DA3347B7A5B4\
    1AA996F5EC2CEC86542FAFC3BE867A58F7AAB6D609AA4E1CF1F616A23E78C18CFC59F6EC4949771A8485B5464198970C4930D35D6976CC\
    877D2DA6CC97DC1AB1582648EBBA10F754F688633965AB13DF68C772C3A7018B35E033CD6A22177EC9507D0A152F14C1001BDC28846DD4\
    3030A354D9B16C763555F01DB43D81ACE4913E858718E343625EFFF7AC452B1BD6977EAF77FE3883717FC2A5AAF1C1642DE5100C258DA3\
    FB5CB57E56169E2217A8DE7E5730488EA3F62EC32B576BC97F21102265901DC4B94C7A8D532D637EFC6017C1C4B2C07E39785AFB073C5E\
    90607DD837442D35CE053D7FACDFE300DF9EFE9CCE12FDB8F6EE27A20214664F465D59A3FE4C2B3516C358D2D6F048BD490374B8BA8B52\
    48";
const V4_TYPE_6: &str = "630DCD2966C4336606000A04007F000702020201020000000000008EF5CEBE9BDF9F548A0D4B3F005C765CD6432195A529B9213DFEEB02\
    C64B218783CDDB76BC5E5A7FEC7A86C95661C97A3945B5BCF418ED63EC5C3170D6E7BDBD1B0CD4AF9C04336B674B82DC1C8833E2A8A111\
    0096B0FB0100FE0C8D2217ACE24291AAF3D6CB8F5BD670D42F009D4F90FC53C0A4752996E704D96E33C1815EC774B2AD3482E8549F594A\
    AA5AAAECEF1C763A74E65CE79F6F40F475874EFADBF4D9A2E06E93FA7B7AC6C755699F48E3CEA11945B3DCD52971F063610133D8C6CF18\
    45D89D16ABF1968CCC48C7E8980AD0A827CB67601A41D9528A595A5846624EE0CE4CB920D559F89D18D121F9BE909F012BD18A8F3990BF\
    D4CC146B470142E7ED0003BD501A8B33FBA43BF2862A53590C6FDA2F688ECA59C95B4D29B8C1DDEFE3E9929168F778938F7E442AA093CE\
    6D46CD86E7EC30D7EBD03EA31BF4EA3022271C6634B3442AACDC2FEE2821E8260ABFB845A4AEFCBC3DAB5720B1BE98975E2107C573B787\
    2D400C770A35BE27F1E9762EB36A0B992D0BF79469849C03780FD9024EF02912FE7FE74E365782D188F48939FFA42B8E9AEAF329425FD8\
    E88EAAFC8A5372830F79524ACDFB33C18B55F2E14954FAAFA904D10F8252A89FC54B097FF6E6982828BB75332BC78372EB51A69CB29EC9\
    19DF4D07E148CD0853CBF98E35948CA7E1030B4D12F789D6FF701ECC";
const V4_SIGNATURE: &str = "5CEF2626EB3D8FEEAF30AB6B895A33DB3825C8FE9E6F7D167DE1B1540F51159BF9E7C7B46E7DA9AF94EBC696C936A0E37124663F4B55EF\
    95FFC8BB7F943BB9E6490A876107F15C1F711887790759D5A9895EFB046B0F44A92473C86D6162A01A06FF0AD9C71C1657A3E2DF3F57E7\
    78CA264F192CB2C84C9C7F5F2F97616A2BE5";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// The DKEK 00..1F of the vectors.
fn counting() -> Vec<u8> {
    (0..32).collect()
}

fn key_domain(p1: u8, domain: u8, data: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x52, p1, domain, data, Some(256))
}

fn wrap(key: u8) -> Vec<u8> {
    apdu(0x80, 0x72, key, 0x92, &[], Some(65536))
}

fn unwrap(key: u8, blob: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x74, key, 0x93, blob, None)
}

fn decipher(key: u8, algorithm: u8, data: &[u8]) -> Vec<u8> {
    apdu(0x80, 0x62, key, algorithm, data, Some(512))
}

/// Initialised with tag 92 (number of shares) or 97 (number of domains).
fn with_domains(field: &[u8]) -> (Device, ferrite_store::testing::SharedFlash) {
    let (mut device, flash) = Device::blank();
    let pins = [tlv(&[0x80], &[0, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN)].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &[pins, field.to_vec()].concat(), None));
    device.select();
    (device, flash)
}

/// A device whose domain 0 has the DKEK of the vectors, with the user logged in.
fn with_dkek() -> (Device, ferrite_store::testing::SharedFlash) {
    let (mut device, flash) = with_domains(&tlv(&[0x92], &[1]));
    let status = device.ok(&key_domain(0, 0, &counting()));
    assert_eq!(hex::encode_upper(status), "0100630DCD2966C43366");
    device.login();
    (device, flash)
}

#[test]
fn shares_are_collected_without_a_pin_and_survive_a_loss_of_power() {
    let (mut device, flash) = with_domains(&tlv(&[0x92], &[2]));
    assert_eq!(hex::encode_upper(device.ok(&key_domain(0, 0, &[]))), "02020000000000000000");
    assert_eq!(hex::encode_upper(device.ok(&key_domain(0, 0, &[1; 32]))), "02010000000000000000");
    drop(device);
    let mut device = Device::start(&flash);
    // Anything behind the 32 bytes is ignored.
    assert_eq!(hex::encode_upper(device.ok(&key_domain(0, 0, &[2; 33]))), "0200648AA5C579FB30F3");
    assert_eq!(device.status(&key_domain(0, 0, &[2; 32])), 0x6986);
    drop(device);
    // Still nobody has logged in; after this start somebody does.
    let mut device = Device::start(&flash);
    device.select();
    device.login();
    device.ok(&generate_p256(1, &[]));
    let blob = device.ok(&wrap(1));
    assert_eq!(hex::encode_upper(&blob[..8]), "648AA5C579FB30F3");
    drop(device);
    let mut device = Device::start(&flash);
    device.login();
    assert_eq!(device.ok(&wrap(1))[..8], blob[..8]);
}

#[test]
fn neither_shares_nor_the_key_they_make_lie_on_flash_in_the_clear() {
    let (mut device, flash) = with_domains(&tlv(&[0x92], &[2]));
    let (first, second): (Vec<u8>, Vec<u8>) = ((100..132).collect(), (200..232).collect());
    let sum: Vec<u8> = first.iter().zip(&second).map(|(a, b)| a ^ b).collect();
    let look = |step: &str| {
        let image = flash.lock().bytes().to_vec();
        for secret in [&first, &second, &sum] {
            assert!(!image.windows(16).any(|window| window == &secret[..16]), "{step}");
        }
    };
    device.ok(&key_domain(0, 0, &first));
    look("after one share");
    device.ok(&key_domain(0, 0, &second));
    look("complete");
    device.login();
    look("after login");
}

#[test]
fn domains_are_set_up_cleared_and_deleted_by_the_user_only() {
    let (mut device, _) = with_domains(&tlv(&[0x97], &[2]));
    assert_eq!(device.status(&key_domain(0, 0, &[])), 0x6A88);
    assert_eq!(device.status(&key_domain(0, 2, &[])), 0x6A86);
    assert_eq!(device.status(&key_domain(0, 16, &[])), 0x6B00);
    assert_eq!(device.status(&key_domain(0, 0, &[1; 32])), 0x6986);
    for p1 in [1, 3, 4] {
        assert_eq!(device.status(&key_domain(p1, 0, &[1])), 0x6985);
    }
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&key_domain(1, 0, &[1])), 0x6985);
    device.login();
    assert_eq!(hex::encode_upper(device.ok(&key_domain(1, 1, &[2]))), "02020000000000000000");
    assert_eq!(device.status(&key_domain(1, 1, &[2])), 0x6A86);
    device.ok(&key_domain(0, 1, &[1; 32]));
    device.ok(&key_domain(0, 1, &[2; 32]));
    device.ok(&generate_p256(1, &tlv(&[0x92], &[1])));
    device.ok(&wrap(1));
    assert_eq!(device.status(&key_domain(3, 1, &[])), 0x6A89);
    assert_eq!(hex::encode_upper(device.ok(&key_domain(4, 1, &[]))), "02020000000000000000");
    assert_eq!(device.status(&wrap(1)), 0x6A88);
    device.ok(&delete(0xCC01));
    assert_eq!(device.status(&key_domain(3, 1, &[])), 0x6A88);
    assert_eq!(device.status(&key_domain(3, 1, &[])), 0x6A86);
    assert_eq!(device.status(&key_domain(0, 1, &[])), 0x6A88);
    // A domain without shares never wraps; one that does not exist takes no key.
    device.ok(&key_domain(1, 0, &[0]));
    assert_eq!(device.status(&key_domain(0, 0, &[1; 32])), 0x6986);
    device.ok(&generate_p256(1, &[]));
    assert_eq!(device.status(&wrap(1)), 0x6A88);
    assert_eq!(device.status(&generate_p256(2, &tlv(&[0x92], &[9]))), 0x6A88);
}

#[test]
fn a_recorded_ec_key_is_unwrapped_and_does_what_its_blob_allows() {
    let (mut device, _) = with_dkek();
    device.ok(&unwrap(2, &bytes(V3)));
    let point = bytes(
        "0447776904C0F1CC3A9C0984B66F75301A5FA68678F0D64AF8BA1ABCE34738A73EAA005EE6B5B957286231856577648E8381B2804428D5733F\
         32F787FF71F1FCDC",
    );
    assert_eq!(
        hex::encode_upper(device.ok(&decipher(2, 0x80, &point))),
        "04DA9D7B1C37F07EFAE3C3B62D8E126DFDC769067125640D2A5863B5CE2A636EC8"
    );
    device.ok(&sign(2, 0x73, b"m"));
    assert_eq!(device.status(&sign(2, 0x74, b"m")), 0x6985);
    assert_eq!(device.status(&apdu(0x80, 0x76, 2, 3, &[0x98, 1], None)), 0x6985);
    // Its request is there, and names the right point.
    let request = device.ok(&read(0xCE02, 0));
    let q = bytes("04515C3D6EB9E396B904D3FECA7F54FDCD0CC1E997BF375DCA515AD0A6C3B4035F4536BE3A50F318FBF9A5475902A22150");
    assert!(request.windows(q.len()).any(|window| window == q));
    // Wrapped again it has the same numbers; only the random bytes differ.
    let blob = device.ok(&wrap(2));
    let (mut other, _) = with_dkek();
    other.ok(&unwrap(9, &blob));
    assert_eq!(other.ok(&decipher(9, 0x80, &point)), device.ok(&decipher(2, 0x80, &point)));
    assert_eq!(other.status(&sign(9, 0x74, b"m")), 0x6985);
}

#[test]
fn recorded_rsa_keys_are_unwrapped_in_both_forms() {
    let (mut device, _) = with_dkek();
    for (id, blob) in [(1, V4_TYPE_5), (2, V4_TYPE_6)] {
        device.ok(&unwrap(id, &bytes(blob)));
        assert_eq!(hex::encode_upper(device.ok(&sign(id, 0x33, b"hello"))), V4_SIGNATURE);
        let again = device.ok(&wrap(id));
        device.ok(&unwrap(id + 10, &again));
        assert_eq!(hex::encode_upper(device.ok(&sign(id + 10, 0x33, b"hello"))), V4_SIGNATURE);
    }
}

/// Vectors V1 (in its three forms, DKEK of zeros) and V2.
#[test]
fn recorded_aes_keys_are_unwrapped() {
    let (mut device, _) = with_domains(&tlv(&[0x92], &[1]));
    device.ok(&key_domain(0, 0, &[0; 32]));
    device.login();
    let (head, key) = (
        "66687AADF862BD770F00086086480165030401",
        "000000006A63CB154E2634FD6012DE71EC6D0C86E64F938F0DE0A73CE777F789287693FC",
    );
    for (id, list, mac) in [
        (1, "0006101118995152", "D815FCDB691CA929AE206C9CDAA38115"),
        (2, "00021092", "29DB42FF90F0ED63674F0125DB34117D"),
        (3, "0000", "8F36E1130912E8D0F6B8D499DA897A99"),
    ] {
        device.ok(&unwrap(id, &bytes(&format!("{head}{list}{key}{mac}"))));
        let encrypted = device.ok(&symmetric(id, 0x10, b"a secret message", Some(16)));
        assert_eq!(hex::encode_upper(encrypted), "08EA255F74730F57FAA1C0C321193BA9");
        let mac_allowed = device.status(&symmetric(id, 0x18, b"", Some(16)));
        assert_eq!(mac_allowed, if id == 2 { 0x6985 } else { 0x9000 });
        assert_eq!(device.status(&wrap(id)), if id == 1 { 0x6985 } else { 0x9000 });
    }
    let (mut device, _) = with_dkek();
    device.ok(&unwrap(
        1,
        &bytes(
            "630DCD2966C433660F000860864801650304010000000000003F41A38B3DBF67313FA8E2EC88F860C39D71911B0EE280BE99882170019D\
             BFDEFEECA4FCA811975954E762F91D5759F51EA04F54CC3EA4D7C5ABA67E0D27AEAA",
        ),
    ));
    let mac = device.ok(&symmetric(1, 0x18, b"", Some(16)));
    assert_eq!(hex::encode_upper(mac), "61AAA7BA4534FC741BC1395387416C65");
    assert_eq!(device.status(&read(0xCE01, 0)), 0x9000, "a secret key has a certificate request");
}

#[test]
fn the_blob_may_lie_in_the_scratch_file() {
    let (mut device, _) = with_dkek();
    assert_eq!(device.status(&apdu(0x80, 0x74, 1, 0x93, &[], Some(256))), 0x6A82);
    device.ok(&update(0x2F10, 0, &bytes(V3)));
    device.ok(&apdu(0x80, 0x74, 1, 0x93, &[], Some(256)));
    device.ok(&sign(1, 0x73, b"m"));
}

#[test]
fn keys_of_every_kind_move_to_another_device() {
    let (mut ours, _) = with_dkek();
    let (mut theirs, _) = with_dkek();
    let mut id = 0;
    let mut move_key = |generate: &dyn Fn(u8) -> Vec<u8>, use_it: &dyn Fn(u8) -> Vec<u8>, is_deterministic: bool| {
        id += 1;
        ours.ok(&generate(id));
        let blob = ours.ok(&wrap(id));
        theirs.ok(&unwrap(id, &blob));
        let (our_result, their_result) = (ours.ok(&use_it(id)), theirs.ok(&use_it(id)));
        if is_deterministic {
            assert_eq!(our_result, their_result);
        }
        // What is unwrapped is described as what was generated.
        assert_eq!(ours.ok(&read(0xC400 | u16::from(id), 0)), theirs.ok(&read(0xC400 | u16::from(id), 0)));
    };
    move_key(&|id| generate_rsa(id, 1024), &|id| sign(id, 0x33, b"m"), true);
    move_key(&|id| generate_rsa(id, 2048), &|id| sign(id, 0x33, b"m"), true);
    for curve in ferrite_crypto::ec::Curve::ALL {
        let domain = curve.domain();
        move_key(
            &|id| generate_ec(id, domain.prime, Some(domain.a), domain.b),
            &|id| decipher(id, 0x80, domain.generator),
            true,
        );
    }
    for curve in ferrite_crypto::montgomery::Curve::ALL {
        let domain = curve.domain();
        let peer = vec![9; domain.base.len()];
        move_key(&|id| generate_ec(id, domain.prime, None, domain.base), &|id| decipher(id, 0x80, &peer), true);
    }
    for curve in ferrite_crypto::edwards::Curve::ALL {
        let domain = curve.domain();
        move_key(&|id| generate_ec(id, domain.prime, None, domain.base), &|id| sign(id, 0x70, b"m"), true);
    }
    for len in [0xB0, 0xB1, 0xB2, 0xB3] {
        move_key(&|id| generate_secret(id, len, &[]), &|id| symmetric(id, 0x99, &[0; 32], Some(32)), true);
    }
}

#[test]
fn a_damaged_or_foreign_blob_stores_nothing() {
    let (mut device, flash) = with_dkek();
    let blob = bytes(V3);
    let objects = device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536)));
    for at in 0..blob.len() {
        let mut damaged = blob.clone();
        damaged[at] ^= 0x04;
        let status = device.status(&unwrap(2, &damaged));
        assert!(matches!(status, 0x6400 | 0x6984), "byte {at}: {status:04X}");
    }
    for len in 1..blob.len() {
        let status = device.status(&unwrap(2, &blob[..len]));
        assert!(matches!(status, 0x6400 | 0x6984), "length {len}: {status:04X}");
    }
    assert_eq!(device.status(&unwrap(2, &[&blob[..], &[0; 3000]].concat())), 0x6400);
    assert_eq!(device.ok(&apdu(0x80, 0x58, 0, 0, &[], Some(65536))), objects);
    drop(device);

    // Another DKEK.
    let (mut other, _) = with_domains(&tlv(&[0x92], &[1]));
    other.ok(&key_domain(0, 0, &[7; 32]));
    other.login();
    assert_eq!(other.status(&unwrap(2, &blob)), 0x6400);
    // The same device after a restart.
    let mut device = Device::start(&flash);
    device.login();
    device.ok(&unwrap(2, &blob));
}

#[test]
fn what_must_not_leave_does_not_leave_and_what_must_not_come_does_not_come() {
    let (mut device, _) = with_dkek();
    device.ok(&generate_p256(1, &[]));
    device.ok(&generate_p256(2, &tlv(&[0x90], &[0, 0, 0, 9])));
    device.ok(&generate_p256(3, &tlv(&[0x91], &[0x73])));
    assert_eq!(device.status(&wrap(0)), 0x6A82);
    assert_eq!(device.status(&wrap(2)), 0x6985);
    assert_eq!(device.status(&wrap(3)), 0x6985);
    assert_eq!(device.status(&wrap(4)), 0x6A82);
    let blob = device.ok(&wrap(1));
    assert_eq!(device.status(&unwrap(1, &blob)), 0x6A89);
    assert_eq!(device.status(&unwrap(0, &blob)), 0x6A86);
    device.ok(&verify(0x88, SO_PIN));
    assert_eq!(device.status(&wrap(1)), 0x6982);
    assert_eq!(device.status(&unwrap(5, &blob)), 0x6982);
    device.select();
    assert_eq!(device.status(&wrap(1)), 0x6982);
    assert_eq!(device.status(&unwrap(5, &blob)), 0x6982);
    // A device without a DKEK exports nothing, ever.
    let (mut device, _) = Device::initialised();
    device.login();
    device.ok(&generate_p256(1, &[]));
    assert_eq!(device.status(&wrap(1)), 0x6A88);
}

#[test]
fn with_press_to_confirm_no_key_leaves_or_comes_without_the_user() {
    let (mut device, _) = Device::blank();
    let data = [tlv(&[0x80], &[1, 1]), tlv(&[0x81], USER_PIN), tlv(&[0x82], SO_PIN), tlv(&[0x92], &[1])].concat();
    device.ok(&apdu(0x80, 0x50, 0, 0, &data, None));
    device.ok(&key_domain(0, 0, &counting()));
    device.ok(&generate_p256(1, &[]));
    device.card.platform().presence = Presence::Refused;
    assert_eq!(device.status(&wrap(1)), 0x6600);
    assert_eq!(device.status(&unwrap(2, &bytes(V3))), 0x6400);
    device.card.platform().presence = Presence::Confirmed;
    let asked = device.card.platform().asked;
    device.ok(&wrap(1));
    device.ok(&unwrap(2, &bytes(V3)));
    assert_eq!(device.card.platform().asked, asked + 2);
}

#[test]
fn a_full_store_takes_no_key() {
    let (mut device, flash) = with_dkek();
    // Large files first, then ever smaller ones, until not even a byte more fits.
    let mut file = 0xCF00;
    for len in [20_000, 2_000, 200, 1] {
        while device.send(&update(file, 0, &vec![0x5A; len])).1 == 0x9000 {
            file += 1;
            assert!(file <= 0xCFFF, "it never fills up");
        }
    }
    assert_eq!(device.status(&update(file, 0, &[0x5A])), 0x6A84);
    let enumerate = apdu(0x80, 0x58, 0, 0, &[], Some(65536));
    let objects = device.ok(&enumerate);
    assert_eq!(device.status(&unwrap(2, &bytes(V4_TYPE_5))), 0x6A84);
    assert_eq!(device.ok(&enumerate), objects);
    drop(device);
    // After a restart as before; with room the key comes.
    let mut device = Device::start(&flash);
    device.login();
    assert_eq!(device.ok(&enumerate), objects);
    device.ok(&delete(0xCF01));
    device.ok(&unwrap(2, &bytes(V4_TYPE_5)));
    assert_eq!(hex::encode_upper(device.ok(&sign(2, 0x33, b"hello"))), V4_SIGNATURE);
}
