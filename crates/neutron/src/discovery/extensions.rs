//! The extensions that work here. Clients decide by their aliases what they dare to ask for.

use std::sync::LazyLock;

use serde_json::{Value, json};

/// One a line: alias, date of its last change as Neutron's own descriptor says, name, description.
const TABLE: &str = include_str!("extensions.txt");

/// (alias, name, description, date)
pub type Extension = (&'static str, &'static str, &'static str, &'static str);

pub static EXTENSIONS: LazyLock<Vec<Extension>> = LazyLock::new(|| TABLE.lines().filter_map(read).collect());

fn read(line: &'static str) -> Option<Extension> {
    let mut fields = line.splitn(4, " | ");
    let (alias, updated, name) = (fields.next()?, fields.next()?, fields.next()?);
    Some((alias, name, fields.next()?, updated))
}

pub fn view((alias, name, description, updated): &Extension) -> Value {
    json!({"alias": alias, "name": name, "description": description, "updated": updated, "links": []})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_an_extension_of_its_own() {
        assert_eq!(EXTENSIONS.len(), TABLE.lines().count());
        let mut aliases: Vec<&str> = EXTENSIONS.iter().map(|extension| extension.0).collect();
        aliases.sort_unstable();
        aliases.dedup();
        assert_eq!(aliases.len(), EXTENSIONS.len());
        let trunk = EXTENSIONS.iter().find(|extension| extension.0 == "trunk").unwrap();
        assert_eq!((trunk.1, trunk.3), ("Trunk Extension", "2016-01-01T10:00:00-00:00"));
    }
}
