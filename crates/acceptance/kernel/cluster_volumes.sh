# Sourced by cluster.sh: claims and the cloud's volumes.

claim() { # NAME GIB [more of the spec]
  applied <<YAML
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $1}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: ${2}Gi}}
${3:-}
YAML
}
# keeper NAME NODE CLAIM..: a pod on that node with the claims under /CLAIM.
keeper() {
  local name=$1 node=$2 mounts="" volumes="" claim
  shift 2
  for claim in "$@"; do
    mounts="$mounts{name: $claim, mountPath: /$claim},"
    volumes="$volumes{name: $claim, persistentVolumeClaim: {claimName: $claim}},"
  done
  applied <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $name, labels: {app: $name}}
spec:
  nodeSelector: {kubernetes.io/hostname: $node}
  tolerations: [{operator: Exists}]
  terminationGracePeriodSeconds: 1
  containers:
  - name: keeper
    image: cumulet.local/toolbox:1
    imagePullPolicy: Never
    command: [sleep, infinity]
    volumeMounts: [$mounts]
  volumes: [$volumes]
YAML
}
volume_of() { k get pv "$(k get pvc "$1" -o jsonpath='{.spec.volumeName}')" -o jsonpath='{.spec.csi.volumeHandle}'; }
status_of() { openstack volume show "$1" -f value -c status; }
has_status() { [ "$(status_of "$1")" = "$2" ]; }

check "the storage class is the default one" test \
  "$(k get storageclass cinder -o jsonpath='{.metadata.annotations.storageclass\.kubernetes\.io/is-default-class}')" = true
check "the driver is on every node" test "$(k get csinodes -o jsonpath='{.items[*].spec.drivers[*].name}' | wc -w)" -eq 2

claim data 1
keeper first demo-worker-0 data
check "a pod gets its claim" runs first
volume=$(volume_of data)
check "by a volume that is in use" test "$(status_of "$volume")" = in-use
k exec first -- sh -c 'echo kept >/data/file && sync'
size() { k exec "$1" -- df -m /data | awk 'NR > 1 {size = $2} END {print size}'; }
k patch pvc data --type=merge -p '{"spec": {"resources": {"requests": {"storage": "2Gi"}}}}'
grown() { [ "$(size first)" -gt 1500 ]; }
check "it grows while the pod has it" within 180 grown
check "and so does the volume" test "$(openstack volume show "$volume" -f value -c size)" -eq 2

k delete --ignore-not-found pod first
keeper second demo-control-plane-0 data
check "a pod on another node gets the same claim" runs second
check "with what was written" test "$(k exec second -- cat /data/file)" = kept

applied <<YAML
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: then}
spec:
  source: {persistentVolumeClaimName: data}
YAML
check "a snapshot of it is ready" k wait --for=jsonpath='{.status.readyToUse}'=true volumesnapshot/then --timeout=180s
k exec second -- sh -c 'echo changed >/data/file && sync'
claim restored 2 "  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: then}"
claim cloned 2 "  dataSource: {kind: PersistentVolumeClaim, name: data}"
keeper copies demo-control-plane-0 restored cloned
check "a snapshot is restored and a claim is cloned" runs copies
check "the snapshot holds what was then" test "$(k exec copies -- cat /restored/file)" = kept
check "the clone holds what is now" test "$(k exec copies -- cat /cloned/file)" = changed

openstack volume type create shared --property multiattach='<is> True' >/dev/null
applied <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: shared}
provisioner: cinder.csi.openstack.org
parameters: {type: shared}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: block}
spec:
  storageClassName: shared
  accessModes: [ReadWriteMany]
  volumeMode: Block
  resources: {requests: {storage: 1Gi}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: block}
spec:
  selector: {matchLabels: {app: block}}
  template:
    metadata: {labels: {app: block}}
    spec:
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      containers:
      - name: block
        image: cumulet.local/toolbox:1
        imagePullPolicy: Never
        command: [sleep, infinity]
        volumeDevices: [{name: block, devicePath: /dev/block}]
      volumes: [{name: block, persistentVolumeClaim: {claimName: block}}]
YAML
check "pods on two nodes have one volume" k rollout status daemonset/block --timeout=300s
mapfile -t both < <(k get pods -l app=block -o name)
check "which is attached twice" test \
  "$(openstack volume show "$(volume_of block)" -f json -c attachments | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["attachments"]))')" -eq 2
k exec "${both[0]}" -- sh -c 'printf %-4096s shared | dd of=/dev/block bs=4096 count=1 conv=fsync 2>/dev/null'
# Past the guest's own cache, which has had the disk's start since it looked for partitions.
check "what one writes the other reads" test \
  "$(k exec "${both[1]}" -- sh -c 'dd if=/dev/block bs=4096 count=1 iflag=direct 2>/dev/null' | tr -d ' ')" = shared

k delete --ignore-not-found daemonset block
k delete --ignore-not-found pod copies --wait=false
k delete --ignore-not-found pvc block restored cloned
k delete --ignore-not-found volumesnapshot then
check "volumes of deleted claims are deleted" within 180 sh -c '[ "$(openstack volume list -f value -c ID)" = "$1" ]' sh "$volume"
check "and so are snapshots" test -z "$(openstack volume snapshot list -f value -c ID)"
openstack volume type delete shared
