use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::*;

const BINARY: &str = "qemu-system-x86_64";

#[test]
fn the_payload_is_a_multiboot_image() {
    let bytes = payload::bytes();
    assert!((300..1000).contains(&bytes.len()), "{} bytes", bytes.len());
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0x1bad_b002);
    assert_eq!(word(0).wrapping_add(word(4)).wrapping_add(word(8)), 0);
    assert_eq!(word(20) - word(16), u32::try_from(bytes.len()).unwrap(), "loads what there is");
}

/// The same guest that judges KVM must run where processors are known to work, or its verdict means nothing.
#[tokio::test]
async fn the_payload_runs_on_an_emulated_processor() {
    run_guest(BINARY, None, "tcg", "max").await.unwrap();
}

#[tokio::test]
async fn the_verdict_comes_in_time_and_is_remembered_for_this_boot_and_qemu() {
    let dir = tempfile::tempdir().unwrap();
    let memory = Utf8PathBuf::from_path_buf(dir.path().join("accelerator.json")).unwrap();
    let start = Instant::now();
    let verdict = decide(AcceleratorChoice::Auto, &memory, BINARY, "10.0.2", None).await;
    assert!(start.elapsed() < LIMIT + Duration::from_secs(2));
    println!("{verdict:?} after {:?}", start.elapsed());

    // A program that cannot run shows that it isn't asked again ...
    let again = decide(AcceleratorChoice::Auto, &memory, "/no/such/qemu", "10.0.2", None).await;
    assert_eq!(again, verdict);
    // ... until QEMU changes.
    let other = decide(AcceleratorChoice::Auto, &memory, "/no/such/qemu", "11.0.0", None).await;
    assert_eq!(other.accelerator, Accelerator::Tcg);
}

#[tokio::test]
async fn the_operator_has_the_last_word() {
    let nowhere = Utf8PathBuf::from("/no/such/directory/file");
    for (text, accelerator) in [("kvm", Accelerator::Kvm), ("tcg", Accelerator::Tcg)] {
        let choice = text.parse().unwrap();
        assert_eq!(decide(choice, &nowhere, BINARY, "", None).await.accelerator, accelerator);
    }
    let error = "xen".parse::<AcceleratorChoice>().unwrap_err();
    assert_eq!(error, "accelerator `xen` is not known: use kvm, tcg or auto");
}
