//! Who may do what with metadata definitions: every reader reads what its project may see, administrators write.
//!
//! Routes ask for a reader; the handlers ask for the rest after they know that the namespace may be seen.

use base::{Policy, Rule};

macro_rules! policies {
    ($($name:ident $text:literal $rule:ident;)*) => {$(
        pub const $name: Policy = Policy::new($text, Rule::$rule);
    )*};
}

policies! {
    GET_NAMESPACE "get_metadef_namespace" ProjectReader;
    LIST_NAMESPACES "get_metadef_namespaces" ProjectReader;
    ADD_NAMESPACE "add_metadef_namespace" Admin;
    MODIFY_NAMESPACE "modify_metadef_namespace" Admin;
    DELETE_NAMESPACE "delete_metadef_namespace" Admin;
    LIST_TYPES "list_metadef_resource_types" ProjectReader;
    ADD_TYPE "add_metadef_resource_type_association" Admin;
    REMOVE_TYPE "remove_metadef_resource_type_association" Admin;
    LIST_OBJECTS "get_metadef_objects" ProjectReader;
    GET_OBJECT "get_metadef_object" ProjectReader;
    ADD_OBJECT "add_metadef_object" Admin;
    MODIFY_OBJECT "modify_metadef_object" Admin;
    DELETE_OBJECT "delete_metadef_object" Admin;
    LIST_PROPERTIES "get_metadef_properties" ProjectReader;
    GET_PROPERTY "get_metadef_property" ProjectReader;
    ADD_PROPERTY "add_metadef_property" Admin;
    MODIFY_PROPERTY "modify_metadef_property" Admin;
    DELETE_PROPERTY "remove_metadef_property" Admin;
    LIST_TAGS "get_metadef_tags" ProjectReader;
    GET_TAG "get_metadef_tag" ProjectReader;
    ADD_TAG "add_metadef_tag" Admin;
    ADD_TAGS "add_metadef_tags" Admin;
    MODIFY_TAG "modify_metadef_tag" Admin;
    DELETE_TAG "delete_metadef_tag" Admin;
    DELETE_TAGS "delete_metadef_tags" Admin;
}

/// The same policies as routes ask for them.
pub mod seen {
    use base::{Policy, Rule};

    const fn seen(policy: Policy) -> Policy {
        Policy::new(policy.name, Rule::ProjectReader)
    }

    macro_rules! seen_ones {
        ($($name:ident)*) => {$( pub const $name: Policy = seen(super::$name); )*};
    }

    seen_ones! {
        MODIFY_NAMESPACE DELETE_NAMESPACE ADD_TYPE REMOVE_TYPE ADD_OBJECT MODIFY_OBJECT DELETE_OBJECT ADD_PROPERTY
        MODIFY_PROPERTY DELETE_PROPERTY ADD_TAG ADD_TAGS MODIFY_TAG DELETE_TAG DELETE_TAGS
    }
}
