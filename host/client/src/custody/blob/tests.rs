//! Vectors V1 to V4 of the specification, part 2 §14, and keys of every kind there and back.

use super::*;
use crate::key_type::KeyType;
use ferrite_crypto::{ec, edwards, montgomery, rsa};

const V3: &str = "630DCD2966C433660C000A04007F000702020202030004707380920000000005573F0D372FE1031992B6C6D7E39841DA2E6B0E72\
     E817EA663AF24AE8C8920DE5667760BEC696D311AC7A36C906F9458A1340B53390C8D04BF69F616CC52AB9F208E780FFC9EBC9B4\
     297EA71F62AD91E64E22396BBACFF27CE00DC7268342BF4509B0007343A72F6FCCD9D8063F8971E1FA8CB42C6E0A88DC5DD22C65\
     F640966EDA68F1DCC53B53C18609540F156F141133DEA37579D714708EA924EF34704C4AD30987292C9BF674C4C1B8154FDB9814\
     801D932E596124ED0BD6E28911695EB2352A4D9A26EB04B2F63AEFF4A30C0862F6CF371278DDE28BB3BBD7795D5B93F59A5F1198\
     B23291D47BC78F71CE85DCBA4C4A53F56D585DB75B72638C3D4C5D9BD6680AEA30CE1D7EE064B15EA01F57F7E69C879F86B0EA0F\
     BB47C457260D01369BC3802345AC589AD440917896C36728502484353609B9CC908877A66DA0BF1FC4F67ACF538397071B977387\
     A9ED6F";
const V4_TYPE_5: &str = "630DCD2966C4336605000A04007F00070202020102000000000000D20C6F1ACA0DF4E5B01BCCF197613E0054703709B279DA3347\
     B7A5B41AA996F5EC2CEC86542FAFC3BE867A58F7AAB6D609AA4E1CF1F616A23E78C18CFC59F6EC4949771A8485B5464198970C49\
     30D35D6976CC877D2DA6CC97DC1AB1582648EBBA10F754F688633965AB13DF68C772C3A7018B35E033CD6A22177EC9507D0A152F\
     14C1001BDC28846DD43030A354D9B16C763555F01DB43D81ACE4913E858718E343625EFFF7AC452B1BD6977EAF77FE3883717FC2\
     A5AAF1C1642DE5100C258DA3FB5CB57E56169E2217A8DE7E5730488EA3F62EC32B576BC97F21102265901DC4B94C7A8D532D637E\
     FC6017C1C4B2C07E39785AFB073C5E90607DD837442D35CE053D7FACDFE300DF9EFE9CCE12FDB8F6EE27A20214664F465D59A3FE\
     4C2B3516C358D2D6F048BD490374B8BA8B5248";
const V4_TYPE_6: &str = "630DCD2966C4336606000A04007F000702020201020000000000008EF5CEBE9BDF9F548A0D4B3F005C765CD6432195A529B9213D\
     FEEB02C64B218783CDDB76BC5E5A7FEC7A86C95661C97A3945B5BCF418ED63EC5C3170D6E7BDBD1B0CD4AF9C04336B674B82DC1C\
     8833E2A8A1110096B0FB0100FE0C8D2217ACE24291AAF3D6CB8F5BD670D42F009D4F90FC53C0A4752996E704D96E33C1815EC774\
     B2AD3482E8549F594AAA5AAAECEF1C763A74E65CE79F6F40F475874EFADBF4D9A2E06E93FA7B7AC6C755699F48E3CEA11945B3DC\
     D52971F063610133D8C6CF1845D89D16ABF1968CCC48C7E8980AD0A827CB67601A41D9528A595A5846624EE0CE4CB920D559F89D\
     18D121F9BE909F012BD18A8F3990BFD4CC146B470142E7ED0003BD501A8B33FBA43BF2862A53590C6FDA2F688ECA59C95B4D29B8\
     C1DDEFE3E9929168F778938F7E442AA093CE6D46CD86E7EC30D7EBD03EA31BF4EA3022271C6634B3442AACDC2FEE2821E8260ABF\
     B845A4AEFCBC3DAB5720B1BE98975E2107C573B7872D400C770A35BE27F1E9762EB36A0B992D0BF79469849C03780FD9024EF029\
     12FE7FE74E365782D188F48939FFA42B8E9AEAF329425FD8E88EAAFC8A5372830F79524ACDFB33C18B55F2E14954FAAFA904D10F\
     8252A89FC54B097FF6E6982828BB75332BC78372EB51A69CB29EC919DF4D07E148CD0853CBF98E35948CA7E1030B4D12F789D6FF\
     701ECC";
const P: &str = "EE96772232487FB3A058D58F2C310023E07E4017C94D56CC5FAE4B54B44605F42A75B0B1F358991F8C6CBE9B68B64E5B2A09D0AD\
     23FCAC07EE9A9198A745E1EB";
const Q: &str = "D29872838CB9CFE6578E11F0A323438AEE5AE7F61D41412D62DB72B25DAC52019DE2D6A355EB2D033336FB70E73F0EC0AFECA3EF\
     36DD8A90D83F998FEE23B81B";
const N: &str = "C44581CA64C0FA56527AA08823C81090396BDF45C869432BFE8E0ECD5B04062C0830B82BD03D7891548BF6068120464E09831924\
     B0F103D5355A462C97B1B2B55373C5A53407AE232A9221E64CFA8BA2C403DC4930CC98E7536416C510A117D4F86DF5DE5F71C9ED\
     6998DE04A3FCC618209B20F0F43B9E122B388F2F3BE0BBC9";
const D: &str = "67FC737169C41C5DD3C108805884CCD1BCBA7C469A91BA76FA9D0516A3DC13F10C3DD3B5D2D45EA690E6BE685FCD5BB248B3DE84\
     6402AD872E872F9ABC9BF713D0B10EE5DF7802C829C23264CEB96471CA38DFD871D33BE6A1D22D262C632560F836C2A37ACED24F\
     73905F8857ECBD20BBC4CF50DB1A9219ECA55DD57028BA09";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hexadecimal")
}

fn counting<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|at| first + at as u8)
}

fn wrapped(dkek: &Dkek, key: &PrivateKey, algorithms: &[u8]) -> String {
    hex::encode_upper(wrap_with(dkek, key, algorithms, &[0x11; 8]).expect("a blob"))
}

fn opened(dkek: &Dkek, blob: &[u8]) -> Opened {
    open(dkek, blob).unwrap_or_else(|error| panic!("{error}"))
}

fn key(result: Result<PrivateKey>) -> PrivateKey {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn aes_blobs_are_the_published_ones() {
    let (zero, counting_dkek) = (Dkek::empty(), Dkek::from_bytes(&counting(0)));
    let aes = key(PrivateKey::secret(&counting::<16>(0)));
    let head = "66687AADF862BD770F00086086480165030401";
    let body = "000000006A63CB154E2634FD6012DE71EC6D0C86E64F938F0DE0A73CE777F789287693FC";
    for (list, list_text, mac) in [
        (&[0x10, 0x11, 0x18, 0x99, 0x51, 0x52][..], "0006101118995152", "D815FCDB691CA929AE206C9CDAA38115"),
        (&[0x10, 0x92], "00021092", "29DB42FF90F0ED63674F0125DB34117D"),
        (&[], "0000", "8F36E1130912E8D0F6B8D499DA897A99"),
    ] {
        let blob = wrapped(&zero, &aes, list);
        assert_eq!(blob, format!("{head}{list_text}{body}{mac}"));
        let again = opened(&zero, &bytes(&blob));
        assert_eq!(again.algorithms, list);
        assert!(matches!(&again.key, PrivateKey::Aes(key) if key.as_bytes() == counting::<16>(0)));
    }
    let aes = key(PrivateKey::secret(&counting::<32>(0x20)));
    assert_eq!(
        wrapped(&counting_dkek, &aes, &[]),
        "630DCD2966C433660F000860864801650304010000000000003F41A38B3DBF67313FA8E2EC88F860C39D71911B0EE280BE99882170019DBF\
         DEFEECA4FCA811975954E762F91D5759F51EA04F54CC3EA4D7C5ABA67E0D27AEAA"
    );
}

#[test]
fn an_ec_blob_is_the_published_one() {
    let dkek = Dkek::from_bytes(&counting(0));
    let ec = key(PrivateKey::ec(ec::Curve::P256, &counting::<32>(1), None));
    assert_eq!(wrapped(&dkek, &ec, &[0x70, 0x73, 0x80, 0x92]), V3);
    assert_eq!(wrapped(&dkek, &opened(&dkek, &bytes(V3)).key, &[0x70, 0x73, 0x80, 0x92]), V3);
}

#[test]
fn rsa_blobs_are_opened_in_both_forms() {
    let dkek = Dkek::from_bytes(&counting(0));
    for blob in [V4_TYPE_5, V4_TYPE_6] {
        let again = opened(&dkek, &bytes(blob));
        let public = again.key.public_key().expect("a key");
        assert!(matches!(public, Some(crate::PublicKey::Rsa { modulus, .. }) if hex::encode_upper(&modulus) == N));
        // What is made from it holds the same key; its private exponent is one of several that do the same.
        let ours = opened(&dkek, &bytes(&wrapped(&dkek, &again.key, &[])));
        assert_eq!(ours.key.key_type(), KeyType::Rsa(1024));
        assert_eq!(primes(&ours.key), primes(&again.key));
    }
    let mut rng = crate::random::generator().expect("random numbers");
    let known = rsa::PrivateKey::from_private_exponent(&bytes(N), &bytes(D), &mut rng).expect("a key");
    let (p, q) = primes(&PrivateKey::Rsa(known));
    assert!([(P, Q), (Q, P)].contains(&(p.as_str(), q.as_str())));
}

/// The primes of an RSA key: they follow the length in its stored form.
fn primes(key: &PrivateKey) -> (String, String) {
    let PrivateKey::Rsa(key) = key else { panic!("no RSA key") };
    let mut stored = vec![0; 2 * rsa::MAX_MODULUS];
    let len = key.to_bytes(&mut stored).expect("room");
    let half = key.len() / 2;
    let text = hex::encode_upper(&stored[1..len]);
    let (p, q) = (text[..2 * half].to_owned(), text[2 * half..4 * half].to_owned());
    if p < q { (p, q) } else { (q, p) }
}

#[test]
fn keys_of_every_kind_go_there_and_back() {
    let mut rng = crate::random::generator().expect("random numbers");
    let dkek = Dkek::from_bytes(&[7; 32]);
    let mut keys = Vec::new();
    for curve in ec::Curve::ALL {
        keys.push(PrivateKey::Ec(ec::PrivateKey::generate(*curve, &mut rng)));
    }
    for curve in edwards::Curve::ALL {
        keys.push(PrivateKey::Edwards(edwards::PrivateKey::generate(*curve, &mut rng)));
    }
    for curve in montgomery::Curve::ALL {
        keys.push(PrivateKey::Montgomery(montgomery::PrivateKey::generate(*curve, &mut rng)));
    }
    assert_eq!(keys.len(), 14);
    for key in keys {
        let blob = wrap(&dkek, &key, &[0x92]).expect("a blob");
        let again = opened(&dkek, &blob);
        assert_eq!(again.key.public_key().expect("a key"), key.public_key().expect("a key"));
        assert_eq!((again.key.key_type(), again.algorithms), (key.key_type(), vec![0x92]));
        assert_ne!(blob, wrap(&dkek, &key, &[0x92]).expect("a blob"), "random bytes");
    }
}

#[test]
fn a_damaged_or_foreign_blob_does_not_open() {
    let dkek = Dkek::from_bytes(&counting(0));
    let blob = bytes(V3);
    let kind = |blob: &[u8]| open(&dkek, blob).err().map(|error| error.kind());
    let expected = |kind| matches!(kind, Some(ErrorKind::Verification | ErrorKind::BadInput));
    for at in 0..blob.len() {
        let mut damaged = blob.clone();
        damaged[at] ^= 0x04;
        assert!(expected(kind(&damaged)), "byte {at}");
    }
    for len in 0..blob.len() {
        assert!(expected(kind(&blob[..len])), "length {len}");
    }
    let error = open(&Dkek::from_bytes(&[9; 32]), &blob).err().expect("another DKEK");
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert!(error.advice().is_some_and(|advice| advice.contains("630DCD2966C43366")));
}
