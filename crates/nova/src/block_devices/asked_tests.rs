use serde_json::json;

use super::*;

const IMAGE: &str = "5d3a7c9e-6a63-4f7e-9a87-2f4f0c1c8f10";
const VOLUME: &str = "0f0e3f2a-7a0c-4c6c-8a0f-5a0d0a9d3c11";

// Bodies are written where they are tried.
#[allow(clippy::needless_pass_by_value)]
fn read(server: Value, image: bool) -> Result<Devices> {
    of_request(server.as_object().unwrap(), image)
}

#[allow(clippy::needless_pass_by_value)]
fn new(devices: Value, image: bool) -> Result<Devices> {
    read(json!({"block_device_mapping_v2": devices}), image)
}

fn refusal<T: std::fmt::Debug>(refused: Result<T>) -> String {
    refused.unwrap_err().message
}

fn flavor(ephemeral_gib: i64, swap_mib: i64) -> Flavor {
    Flavor { ephemeral_gib, swap_mib, ..Flavor::default() }
}

#[test]
fn both_forms_are_not_for_one_request() {
    let both = json!({
        "block_device_mapping": [{"volume_id": VOLUME}],
        "block_device_mapping_v2": [{"uuid": VOLUME, "source_type": "volume"}],
    });
    assert!(refusal(read(both, false)).starts_with("Using different block_device_mapping syntaxes"));
}

#[test]
fn sources_and_destinations_that_do_not_go_together_are_refused() {
    let cases = [
        (json!({"source_type": "blank", "uuid": VOLUME}), "Invalid device UUID."),
        (json!({"source_type": "volume"}), "Missing device UUID."),
        (
            json!({"source_type": "image", "uuid": IMAGE, "destination_type": "local", "boot_index": 1}),
            "Mapping image to local is not supported.",
        ),
        (
            json!({"source_type": "blank", "destination_type": "local", "volume_type": "fast"}),
            "Specifying a volume_type with destination_type=local is not supported.",
        ),
        (
            json!({"source_type": "volume", "uuid": VOLUME, "destination_type": "volume", "volume_type": "fast"}),
            "Specifying volume type to existing volume is not supported.",
        ),
    ];
    for (device, told) in cases {
        assert_eq!(
            refusal(new(json!([device]), true)),
            format!("Block Device Mapping is Invalid: {told}"),
            "{device}"
        );
    }
}

#[test]
fn an_image_alone_is_copied_to_a_disk_of_the_servers_own() {
    let none = BTreeMap::new();
    let list = joined(&read(json!({}), true).unwrap(), Some((IMAGE, &none))).unwrap();
    assert_eq!(list.len(), 1);
    assert!(list[0].is_root() && !list[0].to_volume);
    check(&list, &flavor(0, 0), 3).unwrap();
}

#[test]
fn the_older_form_boots_from_the_first_disks_name() {
    let old = |name: &str| {
        let devices = json!({"block_device_mapping": [{"volume_id": VOLUME, "device_name": name}]});
        joined(&read(devices, false).unwrap(), None).unwrap()
    };
    assert!(old("vda")[0].is_root());
    assert!(old("/dev/vda")[0].is_root());
    assert!(!old("vdb")[0].is_root());
    assert!(refusal(check(&old("vdb"), &flavor(0, 0), 1)).contains("Boot sequence"));
    assert!(
        refusal(read(json!({"block_device_mapping": [{"device_name": "vda"}]}), false))
            .ends_with("Unrecognized legacy format.")
    );
}

#[test]
fn an_images_own_mapping_takes_the_place_of_the_image() {
    let mapping = json!([{
        "source_type": "snapshot", "destination_type": "volume", "snapshot_id": VOLUME, "boot_index": 0,
        "device_name": "/dev/vda", "volume_size": 2, "delete_on_termination": true,
    }]);
    let properties: BTreeMap<String, String> =
        [("block_device_mapping".to_owned(), mapping.to_string()), ("bdm_v2".to_owned(), "True".to_owned())]
            .into();
    let list = joined(&read(json!({}), true).unwrap(), Some((IMAGE, &properties))).unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].source, list[0].to_volume, list[0].size_gib), (Source::Snapshot, true, Some(2)));
    // Clients say the image once more, as a device.
    let said = json!([
        {"source_type": "image", "uuid": IMAGE, "destination_type": "local", "boot_index": 0},
        {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": -1},
    ]);
    let list = joined(&new(said, true).unwrap(), Some((IMAGE, &properties))).unwrap();
    assert_eq!(list.iter().map(|a| a.source).collect::<Vec<_>>(), [Source::Blank, Source::Snapshot]);
    check(&list, &flavor(0, 0), 1).unwrap();
    // A name that the request leaves out is not there.
    let without = json!([
        {"no_device": true, "device_name": "vda"},
        {"source_type": "volume", "uuid": VOLUME, "destination_type": "volume", "boot_index": 0},
    ]);
    let list = joined(&new(without, true).unwrap(), Some((IMAGE, &properties))).unwrap();
    assert_eq!(list.iter().map(|a| a.source).collect::<Vec<_>>(), [Source::Volume]);
}

#[test]
fn sizes_orders_and_buses_are_checked() {
    let root =
        json!({"source_type": "volume", "uuid": VOLUME, "destination_type": "volume", "boot_index": 0});
    let told = |more: Value, flavor: &Flavor| {
        let list =
            new(json!([root.clone(), more]), false).and_then(|devices| joined(&devices, None)).unwrap();
        check(&list, flavor, 1).err().map(|error| error.message).unwrap_or_default()
    };
    let none = flavor(0, 0);
    assert!(
        told(json!({"source_type": "blank", "destination_type": "volume"}), &none)
            .starts_with("Blank volumes")
    );
    let image = json!({"source_type": "image", "uuid": IMAGE, "destination_type": "volume"});
    assert!(told(image, &none).starts_with("Images with destination_type 'volume'"));
    let blank = |more: Value| {
        let mut device = json!({"source_type": "blank", "destination_type": "local"});
        device.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        device
    };
    assert!(told(blank(json!({"volume_size": 2})), &flavor(1, 0)).starts_with("Ephemeral disks requested"));
    assert_eq!(told(blank(json!({})), &flavor(1, 0)), "");
    let swap = blank(json!({"guest_format": "swap", "volume_size": 2}));
    assert!(told(swap.clone(), &flavor(0, 1)).starts_with("Swap drive requested"));
    assert_eq!(told(swap, &flavor(0, 2)), "");
    let second = |more: Value| {
        let mut device = json!({
            "source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": 1,
        });
        device.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        device
    };
    assert_eq!(told(second(json!({})), &none), "");
    assert!(told(second(json!({"boot_index": 0})), &none).contains("Boot sequence"));
    assert!(told(second(json!({"boot_index": 2})), &none).contains("Boot sequence"));
    assert_eq!(told(second(json!({"disk_bus": "warp"})), &none), "Block Device Mapping is Invalid.");
    assert!(told(second(json!({"disk_bus": "xen"})), &none).contains("no xen bus"));
    assert!(told(second(json!({"device_type": "cdrom"})), &none).contains("no cdrom"));
    let list = new(json!([root]), false).and_then(|devices| joined(&devices, None)).unwrap();
    assert!(refusal(check(&list, &none, 2)).starts_with("Cannot attach one or more volumes"));
}
