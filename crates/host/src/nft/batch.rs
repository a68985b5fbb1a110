//! Small changes of sets straight to the kernel. nft reads all sets of a namespace before it changes one element; this
//! takes the same time whatever is there.

use std::io;

use super::TABLE;
use super::element::{Element, Family, Set, Value};
use crate::nfnetlink::{self, Nfnetlink, push_attribute};

/// More than this is quicker by nft, and might not fit into the socket.
pub const MOST: usize = 400;

const NEW_ELEMENT: u16 = 0x0a0c;
const DELETE_ELEMENT: u16 = 0x0a0e;
const DELETE_CHAIN: u16 = 0x0a05;

const LIST_TABLE: u16 = 1;
const LIST_SET: u16 = 2;
const LIST_ELEMENTS: u16 = 3;
const LIST_ELEMENT: u16 = 1;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const VERDICT_CHAIN: u16 = 2;
const JUMP: i32 = -3;
const GOTO: i32 = -4;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;

/// Removes, then adds, then drops chains that nothing refers to any more, with all their rules; all or nothing, and only
/// if the rules are still of this generation. In the namespace of the calling thread.
pub fn apply(
    generation: u32,
    removed: &[Element],
    added: &[Element],
    dropped_chains: &[String],
) -> io::Result<()> {
    let mut batch = nfnetlink::Batch::new(generation);
    for (message, elements) in [(DELETE_ELEMENT, removed), (NEW_ELEMENT, added)] {
        for element in elements {
            batch.push(message, element.set.family.number(), &element_attributes(element));
        }
    }
    for chain in dropped_chains {
        let mut attributes = Vec::new();
        push_attribute(&mut attributes, CHAIN_TABLE, false, &text(TABLE));
        push_attribute(&mut attributes, CHAIN_NAME, false, &text(chain));
        batch.push(DELETE_CHAIN, Family::Inet.number(), &attributes);
    }
    Nfnetlink::open().map_err(io::Error::other)?.commit(batch)
}

fn element_attributes(element: &Element) -> Vec<u8> {
    let Set { name, .. } = &element.set;
    let mut key = Vec::new();
    push_attribute(&mut key, DATA_VALUE, false, &element.key_bytes());
    let mut inner = Vec::new();
    push_attribute(&mut inner, ELEMENT_KEY, true, &key);
    if let Some(value) = &element.value {
        push_attribute(&mut inner, ELEMENT_DATA, true, &data(value));
    }
    let mut list = Vec::new();
    push_attribute(&mut list, LIST_ELEMENT, true, &inner);
    let mut attributes = Vec::new();
    push_attribute(&mut attributes, LIST_TABLE, false, &text(TABLE));
    push_attribute(&mut attributes, LIST_SET, false, &text(name));
    push_attribute(&mut attributes, LIST_ELEMENTS, true, &list);
    attributes
}

fn data(value: &Value) -> Vec<u8> {
    let mut data = Vec::new();
    match value {
        Value::Mark(mark) => push_attribute(&mut data, DATA_VALUE, false, &mark.to_ne_bytes()),
        Value::Goto(chain) | Value::Jump(chain) => {
            let code = if matches!(value, Value::Goto(_)) { GOTO } else { JUMP };
            let mut verdict = Vec::new();
            push_attribute(&mut verdict, VERDICT_CODE, false, &code.to_be_bytes());
            push_attribute(&mut verdict, VERDICT_CHAIN, false, &text(chain));
            push_attribute(&mut data, DATA_VERDICT, true, &verdict);
        }
    }
    data
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}
