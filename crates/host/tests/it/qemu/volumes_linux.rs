//! What a Linux guest sees of its volumes.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use host::plan::{Bus, DiskLayer, DiskLimits, DiskPlan, RootDisk, VmPlan};
use host::qemu::QemuHypervisor;
use host::volumes::FileVolumes;
use host::{Hypervisor, LayerBase, LayerFormat, LayerPlan, Volumes};

use super::linux::tiny_image;
use super::volumes::{VOLUME, layer, qcow2};
use super::{House, ID, until};

/// A shell on the guest's serial line.
struct Shell {
    line: Option<UnixStream>,
    asked: u32,
}

impl Shell {
    /// The line is there for one at a time. What comes is in the console's log as well, and is read so that it flows.
    fn connect(&mut self, house: &House) {
        let line = UnixStream::connect(house.vm_path("serial.sock")).unwrap();
        let mut comes = line.try_clone().unwrap();
        std::thread::spawn(move || std::io::copy(&mut comes, &mut std::io::sink()));
        self.line = Some(line);
    }

    fn type_in(&mut self, text: &str) {
        self.line.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    async fn log_in(host: &QemuHypervisor, house: &House) -> Self {
        let prompt = |text: &'static str| async move {
            until(text, async || host.console_log(ID, None).await.unwrap().contains(text).then_some(()))
                .await;
        };
        let mut shell = Self { line: None, asked: 0 };
        shell.connect(house);
        prompt("login:").await;
        shell.type_in("cumulet\n");
        prompt("Password:").await;
        shell.type_in("cumulet\n");
        prompt(":~$ ").await;
        // Without echo, prompts and an editor of lines: answers are all that is to be seen.
        shell.type_in("stty -echo; cat | sh\n");
        shell
    }

    /// What it prints, without the white space around it.
    async fn run(&mut self, host: &QemuHypervisor, command: &str) -> String {
        self.asked += 1;
        let number = self.asked;
        self.type_in(&format!("echo; echo begin-{number}; {{ {command}\n}} 2>&1; echo end-{number}\n"));
        let (begin, end) = (format!("begin-{number}\r\n"), format!("end-{number}\r\n"));
        let mut asked = Instant::now();
        until(command, async || {
            // The emulated line holds the end of what was typed back sometimes, until more comes.
            if asked.elapsed() > Duration::from_secs(1) {
                asked = Instant::now();
                self.type_in("\n");
            }
            let log = host.console_log(ID, None).await.unwrap();
            let (_, rest) = log.split_once(&begin)?;
            rest.split_once(&end).map(|(said, _)| said.trim().to_owned())
        })
        .await
    }
}

#[tokio::test]
async fn linux_sees_its_volumes_come_change_grow_and_go() {
    let Some(house) = House::new() else { return };
    let Some(image) = tiny_image() else { return };
    let host = house.host().await;
    let root = RootDisk { image, image_format: "qcow2".into(), size_gib: 1 };
    let vm = VmPlan { memory_mib: 128, root: Some(root), ..house.vm() };
    let mut disk = DiskPlan { id: VOLUME.into(), ..DiskPlan::default() };
    disk.layers = ["bottom.raw", "one.qcow2"].map(|name| layer(house.path(name))).to_vec();
    let mut bottom = vec![0; 64 << 20];
    bottom[512..][..6].copy_from_slice(b"bottom");
    std::fs::write(&disk.layers[0].file, &bottom).unwrap();
    qcow2(&disk.layers[1].file, 64 << 20);

    host.start(&vm).await.unwrap();
    let mut shell = Shell::log_in(&host, &house).await;
    let start = Instant::now();
    host.plug_disk(ID, &disk).await.unwrap();
    until("the disk in the guest", async || {
        let shown = shell.run(&host, "cat /sys/block/vdc/serial; echo; cat /sys/block/vdc/size").await;
        (shown.split_whitespace().collect::<Vec<_>>() == [&VOLUME[..20], "131072"]).then_some(())
    })
    .await;
    println!("from the call to the guest's telling: {:?}", start.elapsed());
    let said = shell.run(&host, "doas dd if=/dev/vdc bs=512 skip=1 count=1 2>/dev/null | head -c 6").await;
    assert_eq!(said, "bottom");

    // Two switches while it writes. Each of its blocks is in one of the layers then, and none in the lowest.
    let write = "i=0; while [ $i -lt 300 ]; do printf %08d $i | doas dd of=/dev/vdc bs=512 seek=$((100 + i)) \
                 conv=notrunc,sync oflag=direct 2>/dev/null; i=$((i + 1)); done; touch /tmp/written";
    shell.run(&host, &format!("({write}) >/dev/null 2>&1 &")).await;
    for name in ["two.qcow2", "three.qcow2"] {
        qcow2(&house.path(name), 64 << 20);
        disk.layers.push(layer(house.path(name)));
        tokio::time::sleep(Duration::from_millis(500)).await;
        host.switch_disk(ID, &disk).await.unwrap();
        let done = shell.run(&host, "ls /tmp/written 2>/dev/null | wc -l").await;
        assert_eq!(done, "0", "it still writes");
    }
    until("the guest has written", async || {
        (shell.run(&host, "ls /tmp/written 2>/dev/null | wc -l").await == "1").then_some(())
    })
    .await;
    let sum =
        "doas dd if=/dev/vdc bs=512 skip=100 count=300 iflag=direct 2>/dev/null | tr -d '\\000' | wc -c";
    assert_eq!(shell.run(&host, sum).await, "2400");
    assert_eq!(std::fs::read(&disk.layers[0].file).unwrap(), bottom);
    assert!(disk.layers[1..].iter().all(|layer| layer.file.metadata().unwrap().len() > 256 << 10));

    // Another daemon; the disk grows, the machine sleeps and wakes with it, and it goes.
    drop(host);
    let host = house.host().await;
    assert!(host.grow_disk(ID, &disk, 96 << 20).await.unwrap());
    until("the guest knows its new size", async || {
        (shell.run(&host, "cat /sys/block/vdc/size").await == "196608").then_some(())
    })
    .await;
    host.suspend(ID).await.unwrap();
    host.start(&VmPlan { disks: vec![disk.clone()], ..vm.clone() }).await.unwrap();
    shell.connect(&house);
    assert_eq!(shell.run(&host, sum).await, "2400");
    let start = Instant::now();
    host.unplug_disk(ID, &disk.id).await.unwrap();
    println!("unplugged by the guest: {:?}", start.elapsed());
    host.unplug_disk(ID, &disk.id).await.unwrap();
    assert_eq!(shell.run(&host, "ls -d /sys/block/vdc 2>/dev/null | wc -l").await, "0");
    assert!(!host.grow_disk(ID, &disk, 128 << 20).await.unwrap());

    // Nothing was left of it: it comes again, on another bus and slower.
    disk.bus = Bus::Scsi;
    disk.limits = DiskLimits { read_bytes: Some(4 << 20), ..DiskLimits::default() };
    shell.run(&host, "doas modprobe -a virtio_scsi sd_mod").await;
    host.plug_disk(ID, &disk).await.unwrap();
    until("the disk on its new bus", async || {
        let shown = shell.run(&host, "cat /sys/block/sda/size; strings /sys/block/sda/device/vpd_pg80").await;
        (shown.contains("196608") && shown.contains(VOLUME)).then_some(())
    })
    .await;
    assert!(host.grow_disk(ID, &disk, 100 << 20).await.unwrap());
    let top = disk.layers.len();
    qcow2(&house.path("four.qcow2"), 100 << 20);
    disk.layers.push(layer(house.path("four.qcow2")));
    host.switch_disk(ID, &disk).await.unwrap();
    shell.run(&host, "echo behind the throttle | doas dd of=/dev/sda bs=512 conv=notrunc,sync,fsync").await;
    let written = std::fs::read(&disk.layers[top].file).unwrap();
    assert!(written.windows(19).any(|bytes| bytes == b"behind the throttle"));
    let slow = shell.run(&host, "time doas dd if=/dev/sda of=/dev/null bs=1M count=16 iflag=direct").await;
    let seconds =
        slow.split("real").nth(1).and_then(|rest| rest.split_whitespace().nth(1).map(str::to_owned));
    let seconds: f64 = seconds.unwrap().trim_end_matches('s').parse().unwrap();
    assert!(seconds > 2.0, "16 MiB at 4 MiB a second, and a second's worth at once: {slow}");
    host.unplug_disk(ID, &disk.id).await.unwrap();
    assert_eq!(shell.run(&host, "ls -d /sys/block/sda 2>/dev/null | wc -l").await, "0");
}

/// As `host::Volumes` is told of a disk's layers.
fn plans(disk: &DiskPlan) -> Vec<LayerPlan> {
    let plan = |layer: &DiskLayer| LayerPlan {
        id: layer.file.file_stem().unwrap().into(),
        format: layer.format,
        bytes: 64 << 20,
        base: LayerBase::Nothing,
        cipher: None,
        key: None,
    };
    disk.layers.iter().map(plan).collect()
}

/// Volumes' files that a process has open, those that have lost their names, too.
fn open_files(pid: i32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let names = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    let names: std::collections::BTreeSet<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name.contains("/turn-"))
        .collect();
    names.len()
}

#[tokio::test]
async fn layers_come_and_merge_under_linux_for_ever_and_it_reads_what_it_wrote() {
    let Some(house) = House::new() else { return };
    let Some(image) = tiny_image() else { return };
    let host = house.host().await;
    let files = FileVolumes::open(&house.path("")).unwrap();
    let root = RootDisk { image, image_format: "qcow2".into(), size_gib: 1 };
    let mut disk = DiskPlan { id: VOLUME.into(), ..DiskPlan::default() };
    disk.layers = vec![layer(house.path("turn-0.raw"))];
    std::fs::write(&disk.layers[0].file, vec![0; 64 << 20]).unwrap();
    let vm = VmPlan { memory_mib: 128, root: Some(root), disks: vec![disk.clone()], ..house.vm() };
    host.start(&vm).await.unwrap();
    let mut shell = Shell::log_in(&host, &house).await;
    // Blocks in a row, and one that is written each time; what a turn before wrote is read as well.
    let write = "i=0; while [ ! -e /tmp/end ]; do printf %08d $i | doas dd of=/dev/vdc bs=512 seek=$((i * 200)) \
                 conv=notrunc,sync oflag=direct 2>/dev/null; printf %08d $i | doas dd of=/dev/vdc bs=512 seek=100000 \
                 conv=notrunc,sync oflag=direct 2>/dev/null; doas dd if=/dev/vdc bs=512 skip=$((i * 100)) count=1 \
                 iflag=direct 2>/dev/null | head -c 8 | grep -q . || touch /tmp/bad; i=$((i + 1)); echo $i > /tmp/turns; \
                 done; touch /tmp/written";
    shell.run(&host, &format!("({write}) >/dev/null 2>&1 &")).await;
    let mut turns = 0;
    for turn in 1..9 {
        // Each layer gets something.
        turns = until("the guest's next turn", async || {
            let said = shell.run(&host, "cat /tmp/turns 2>/dev/null").await.parse().unwrap_or(0);
            (said > turns).then_some(said)
        })
        .await;
        let name = format!("turn-{turn}.qcow2");
        qcow2(&house.path(&name), 64 << 20);
        disk.layers.push(layer(house.path(&name)));
        host.switch_disk(ID, &disk).await.unwrap();
        if disk.layers.len() < 4 {
            continue;
        }
        // Now the lowest two, now two qcow2 files with one below them.
        let at = turn % 2;
        files.merge(&plans(&disk)[..at + 2]).await.unwrap();
        let gone = disk.layers.remove(at + 1);
        if turn == 5 {
            // Told when it is too late: it has the file open.
            std::fs::remove_file(&gone.file).unwrap();
        }
        host.rebase_disk(ID, &disk).await.unwrap();
        host.rebase_disk(ID, &disk).await.unwrap();
        drop(std::fs::remove_file(&gone.file));
        assert_eq!(open_files(house.pid()), disk.layers.len());
    }
    shell.run(&host, "touch /tmp/end").await;
    until("the guest has written", async || {
        (shell.run(&host, "ls /tmp/written 2>/dev/null | wc -l").await == "1").then_some(())
    })
    .await;
    let turns: usize = shell.run(&host, "cat /tmp/turns").await.parse().unwrap();
    assert!(turns > 8, "it wrote {turns} times");
    let read = format!(
        "ls /tmp/bad 2>/dev/null; i=0; while [ $i -lt {turns} ]; do doas dd if=/dev/vdc bs=512 skip=$((i * 200)) \
         count=1 iflag=direct 2>/dev/null | head -c 8; i=$((i + 1)); done; doas dd if=/dev/vdc bs=512 skip=100000 \
         count=1 iflag=direct 2>/dev/null | head -c 8"
    );
    let said = shell.run(&host, &read);
    let written: Vec<String> = (0..turns).chain([turns - 1]).map(|turn| format!("{turn:08}")).collect();
    assert_eq!(said.await, written.concat());
    host.stop(ID, None).await.unwrap();
    files.flatten(&plans(&disk), &house.path("flat"), LayerFormat::Raw, None).await.unwrap();
    let flat = std::fs::read(house.path("flat")).unwrap();
    for (turn, written) in written[..turns].iter().enumerate() {
        assert_eq!(&flat[turn * 200 * 512..][..8], written.as_bytes());
    }
}
