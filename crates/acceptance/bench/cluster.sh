# A cluster by the engine, and the same machines set up by hand with kubeadm, one after the other on one cloud.
#
# By hand is as fast as a hand can be: network, ports and both servers made at once by the API, kubeadm started by user
# data with a token of its own, the pod network applied as soon as the API answers. Both end when all nodes are Ready and
# kube-proxy, Flannel and CoreDNS have rolled out. The engine goes first: what caches are cold, it warms.

row() { printf '{"row": "%s", "s": %s}\n' "$1" "$2"; }
now() { date +%s.%N; }
since() { python3 -c "print(round($(now) - $1, 1))"; }

cumulet image build node --upload >/dev/null
parts=$(ls -t "$cache"/parts/kubernetes-v*.tar | head -n 1)
tar -C "$work" -xf "$parts" kubectl
k() { "$work/kubectl" --request-timeout=30s "$@"; }
rolled_out() {
  k -n kube-system rollout status daemonset/kube-proxy deployment/coredns --timeout=600s &&
    k -n kube-flannel rollout status daemonset/kube-flannel-ds --timeout=600s
}

begin=$(now)
cumulet cluster create engine --workers 1 >"$work/engine.log" 2>&1 || { cat "$work/engine.log"; exit 1; }
row "cluster by the engine" "$(since "$begin")"
release=$(k --context engine get nodes -o jsonpath='{.items[0].status.nodeInfo.kubeletVersion}')
begin=$(now)
cumulet cluster delete engine --yes >/dev/null 2>&1
row "cluster delete" "$(since "$begin")"

liveness() { # A busy emulated machine needs more than kubeadm's own 15 s; the engine gives it the same.
  for pod in etcd kube-apiserver kube-controller-manager kube-scheduler; do
    printf -- '- path: /root/patches/%s+strategic.yaml\n  content: |\n    {"spec": {"containers": [{"name": "%s", "livenessProbe": {"timeoutSeconds": 60}}]}}\n' "$pod" "$pod"
  done
}
node_registration() { # name address
  cat <<YAML
    nodeRegistration:
      name: $1
      imagePullPolicy: IfNotPresent
      kubeletExtraArgs: [{name: node-ip, value: $2}]
    timeouts: {controlPlaneComponentHealthCheck: 15m, kubeletHealthCheck: 15m, kubernetesAPICall: 15m, etcdAPICall: 15m, tlsBootstrap: 15m, discovery: 1h}
YAML
}

begin=$(now)
export OS_CLOUD=cumulet
image=$(openstack image list -f value -c Name | grep kubernetes)
{
  openstack network create hand
  openstack subnet create hand --network hand --subnet-range 10.7.0.0/24
  openstack router create hand --external-gateway public
  openstack router add subnet hand hand
  openstack security group create hand
  openstack security group rule create hand --protocol any --remote-ip 0.0.0.0/0
  for end in 10 11; do openstack port create "hand-$end" --network hand --security-group hand --fixed-ip "ip-address=10.7.0.$end"; done
} >/dev/null
address=$(openstack floating ip create public --port hand-10 -f value -c floating_ip_address)
{
  printf '#cloud-config\nhostname: hand-control-plane\nwrite_files:\n'
  liveness
  cat <<YAML
- path: /root/kubeadm.yaml
  content: |
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: InitConfiguration
    bootstrapTokens: [{token: abcdef.0123456789abcdef}]
    localAPIEndpoint: {advertiseAddress: 10.7.0.10}
    patches: {directory: /root/patches}
$(node_registration hand-control-plane 10.7.0.10)
    ---
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: ClusterConfiguration
    kubernetesVersion: $release
    controlPlaneEndpoint: 10.7.0.10:6443
    encryptionAlgorithm: ECDSA-P256
    networking: {podSubnet: 10.244.0.0/16}
    apiServer: {certSANs: [$address, 10.7.0.10]}
    controllerManager: {extraArgs: [{name: leader-elect, value: "false"}]}
    scheduler: {extraArgs: [{name: leader-elect, value: "false"}]}
    etcd: {local: {extraArgs: [{name: heartbeat-interval, value: "500"}, {name: election-timeout, value: "5000"}]}}
    ---
    apiVersion: kubelet.config.k8s.io/v1beta1
    kind: KubeletConfiguration
    cgroupDriver: systemd
    runtimeRequestTimeout: 5m0s
    crashLoopBackOff: {maxContainerRestartPeriod: 30s}
    ---
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    mode: nftables
runcmd:
- kubeadm init --config /root/kubeadm.yaml --skip-token-print >/dev/console 2>&1
- (echo; echo BEGIN-KUBECONFIG; base64 -w 0 /etc/kubernetes/admin.conf; echo; echo END-KUBECONFIG) >/dev/console
YAML
} >"$work/init.yaml"
cat >"$work/join.yaml" <<YAML
#cloud-config
hostname: hand-worker
write_files:
- path: /root/kubeadm.yaml
  content: |
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: JoinConfiguration
    discovery: {bootstrapToken: {apiServerEndpoint: "10.7.0.10:6443", token: abcdef.0123456789abcdef, unsafeSkipCAVerification: true}}
$(node_registration hand-worker 10.7.0.11)
runcmd:
- kubeadm join --config /root/kubeadm.yaml >/dev/console 2>&1
YAML
servers=$(now)
# The flavors that the engine takes by itself: the smallest with 2 vCPU and 3 GiB, the smallest with 1 vCPU and 2 GiB.
openstack server create hand-control-plane --image "$image" --flavor m1.medium --port hand-10 --user-data "$work/init.yaml" >/dev/null
openstack server create hand-worker --image "$image" --flavor m1.small --port hand-11 --user-data "$work/join.yaml" >/dev/null

# The administrator's kubeconfig comes by the console: nobody has to be let in for it.
export KUBECONFIG=$work/hand.conf
fetch() {
  curl -sk -o /dev/null -m 5 "https://$address:6443/readyz" || return 1
  openstack console log show hand-control-plane | tr -d '\r' | sed -n '/^BEGIN-KUBECONFIG/,/^END-KUBECONFIG/p' | grep -Ev 'KUBECONFIG$' | base64 -d >"$KUBECONFIG" 2>/dev/null
  [ -s "$KUBECONFIG" ] && sed -i "s#https://10.7.0.10:6443#https://$address:6443#" "$KUBECONFIG"
}
within 900 fetch
sed -e 's#@POD_CIDR@#10.244.0.0/16#' -e 's#@API_ADDRESS@#10.7.0.10#' -e '/@PLUGIN@/d' "$repo/crates/engine/src/addons/flannel.yaml" >"$work/flannel.yaml"
within 300 k apply --server-side -f "$work/flannel.yaml"
both_ready() { [ "$(k get nodes --no-headers | awk '$2 == "Ready"' | wc -l)" -eq 2 ]; }
within 900 both_ready
within 900 rolled_out
row "cluster by hand" "$(since "$begin")"
row "of it, from the first server's creation" "$(since "$servers")"
