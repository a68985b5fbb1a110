use super::*;

fn path(dir: &tempfile::TempDir) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(dir.path().join("ledger")).unwrap()
}

fn link(name: &str) -> Thing {
    Thing::Link { name: name.into() }
}

#[test]
fn notes_outlive_the_process_and_gone_things_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&path(&dir)).unwrap();
    ledger.note(link("cml-1")).unwrap();
    ledger.note(link("cml-2")).unwrap();
    ledger.note(link("cml-2")).unwrap();
    ledger.forget(&link("cml-1")).unwrap();
    ledger.forget(&link("never")).unwrap();
    drop(ledger);
    let again = Ledger::open(&path(&dir)).unwrap();
    assert_eq!(again.things().into_iter().collect::<Vec<_>>(), [link("cml-2")]);
    assert_eq!(std::fs::read_to_string(path(&dir)).unwrap().lines().count(), 3);
}

#[test]
fn half_a_line_is_nothing_and_swallows_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let whole = "+ {\"kind\":\"link\",\"name\":\"cml-1\"}\n";
    std::fs::write(path(&dir), format!("{whole}+ {{\"kind\":\"li")).unwrap();
    let ledger = Ledger::open(&path(&dir)).unwrap();
    ledger.note(link("cml-3")).unwrap();
    drop(ledger);
    let again = Ledger::open(&path(&dir)).unwrap();
    assert_eq!(again.things().into_iter().collect::<Vec<_>>(), [link("cml-1"), link("cml-3")]);
}

#[test]
fn a_long_life_leaves_a_short_file() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&path(&dir)).unwrap();
    ledger.note(Thing::Netns { name: "kept".into() }).unwrap();
    for n in 0..COMPACT_ABOVE {
        ledger.note(link(&format!("l{n}"))).unwrap();
        ledger.forget(&link(&format!("l{n}"))).unwrap();
    }
    drop(ledger);
    drop(Ledger::open(&path(&dir)).unwrap());
    assert_eq!(std::fs::read_to_string(path(&dir)).unwrap(), "+ {\"kind\":\"netns\",\"name\":\"kept\"}\n");
}

#[test]
fn machines_go_before_the_namespaces_they_are_plugged_into() {
    let mut things = BTreeSet::new();
    things.insert(link("a"));
    things.insert(Thing::NftTable { family: "ip".into(), name: "a".into() });
    things.insert(Thing::Netns { name: "a".into() });
    things.insert(Thing::Machine { id: "a".into() });
    let order: Vec<String> = things.iter().map(ToString::to_string).collect();
    assert_eq!(
        order,
        ["the virtual machine a", "the network namespace a", "the table ip a of nftables", "the link a"]
    );
}

#[tokio::test]
async fn files_are_removed_and_strangers_names_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&path(&dir)).unwrap();
    let file = path(&dir).with_file_name("unit");
    std::fs::write(&file, "x").unwrap();
    ledger.note(Thing::File { path: file.clone() }).unwrap();
    ledger.note(Thing::Netns { name: "somebody".into() }).unwrap();
    let swept = sweep(&ledger, "cumulet").await;
    assert_eq!(swept.removed, [Thing::File { path: file.clone() }]);
    assert_eq!(swept.kept.len(), 1, "{swept:?}");
    assert!(swept.failed.is_empty() && !file.exists() && ledger.things().is_empty(), "{swept:?}");
}
