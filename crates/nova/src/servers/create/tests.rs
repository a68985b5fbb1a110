//! Bodies that Nova takes and refuses, and what it says of them, from each microversion on where that changes.

use serde_json::Value;

use super::parse::checked;

/// A body, and (microversion 2.x, message or null) wherever the answer changes.
type Case = (Value, Vec<(u16, Option<String>)>);

#[test]
fn bodies_are_checked_as_nova_checks_them() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("bodies.json")).unwrap();
    assert!(cases.len() > 150);
    let mut wrong = Vec::new();
    for (body, told) in &cases {
        for minor in [
            1, 18, 19, 31, 32, 33, 36, 37, 41, 42, 51, 52, 56, 57, 62, 63, 66, 67, 73, 74, 89, 90, 93, 94,
            104,
        ] {
            let expected =
                told.iter().rev().find(|(from, _)| *from <= minor).and_then(|(_, message)| message.clone());
            let got = checked(body, minor).err().map(|error| error.message);
            if got != expected {
                wrong.push(format!("{body} at 2.{minor}\n   Nova: {expected:?}\n   here: {got:?}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
