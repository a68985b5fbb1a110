# From an empty cloud to a cluster that uses it: load balancers, volumes, ingress, the cloud's users, another credential; and
# back to an empty project. `router` (pods routed by the cloud, which is another cluster) is run when it is asked for. One cluster of two nodes
# serves all journeys (cluster_*.sh), since a node takes minutes where it is emulated; pods that need two nodes run on the
# control plane, too.

before=$(footprint)
check "cumulet up" cumulet up
export OS_CLOUD=cumulet
check "the node image is uploaded" cumulet image build node --upload

ssh-keygen -q -t ed25519 -N '' -f "$work/key"
on_the_control_plane() {
  local ip
  ip=$(openstack floating ip list --port demo-control-plane-0 -f value -c 'Floating IP Address')
  timeout 240 ssh -i "$work/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    "debian@$ip" sudo sh -c "'$*'" </dev/null
}
PATH="$work:$PATH"
cat >"$work/demo.yaml" <<YAML
name: demo
workers: 1
ssh-key: $work/key.pub
cni: $(asked router && echo router || echo flannel)
addons:
  octavia-ingress: $(asked ingress && echo true || echo false)
  keystone-auth: $(asked users && echo true || echo false)
YAML
started=$SECONDS
check "cumulet cluster create -f demo.yaml" cumulet cluster create -f "$work/demo.yaml"
say "# the cluster took $((SECONDS - started)) s"
# The programs of the same release as the nodes lie among the built parts of their image.
programs() { tar -C "$work" -xf "$(ls -t "$cache"/parts/"$1"*.tar | head -n 1)" "$2"; }
programs kubernetes-v kubectl
programs cloud-provider-openstack-v client-keystone-auth
# An API server on an emulated node starves for a moment now and then, and is asked again.
k() {
  local try
  for try in 1 2 3 4 5; do
    kubectl --context demo --request-timeout=60s "$@" 2>"$work/k.err" </dev/null && return 0
    grep -qiE 'refused|timeout|timed out|canceled|EOF|etcdserver|http2|reset by peer' "$work/k.err" || break
    grep -q 'waiting for the condition' "$work/k.err" && break
    sleep 10
  done
  cat "$work/k.err" >&2
  return 1
}
# Objects from the standard input. The server judges them; fetching its schemas first takes it a minute.
applied() { cat >"$work/applied.yaml"; k apply --validate=false -f "$work/applied.yaml"; }
# runs NAME..: the pods of these labels `app` are Ready.
runs() { for app in "$@"; do k wait --for=condition=Ready pod -l "app=$app" --timeout=300s || return 1; done; }

check "two nodes are Ready" test "$(k get nodes --no-headers | awk '$2 == "Ready"' | wc -l)" -eq 2
k get nodes -o wide
check "cluster list shows it" sh -c 'cumulet cluster list | grep -q demo'
for part in "${parts[@]}"; do
  say "== cluster: $part (at $SECONDS s)"
  . "$repo/crates/acceptance/kernel/cluster_$part.sh"
done

say "== cluster: the end (at $SECONDS s)"
# Left in the cluster on purpose: a claim with its volume, and a service with a load balancer.
asked volumes && check "a claim stays" test "$(openstack volume list -f value -c ID | wc -l)" -ge 1
asked balancers && check "a load balancer stays" test "$(openstack loadbalancer list -f value -c id | wc -l)" -ge 1
check "cumulet cluster delete demo" cumulet cluster delete demo --yes
nothing() { [ -z "$("$@")" ] || { say "# left: $("$@")"; return 1; }; }
empty() {
  nothing openstack server list -f value -c ID && nothing openstack router list -f value -c ID &&
    nothing openstack floating ip list -f value -c ID && nothing openstack port list -f value -c ID &&
    nothing openstack loadbalancer list -f value -c id && nothing openstack volume list -f value -c ID &&
    nothing openstack volume snapshot list -f value -c ID && nothing openstack keypair list -f value -c Name &&
    nothing openstack application credential list -f value -c ID && nothing openstack server group list -f value -c ID &&
    [ "$(openstack network list -f value -c Name)" = public ] &&
    [ "$(openstack security group list --project admin -f value -c Name | sort -u)" = default ]
}
check "the project is empty" within 30 empty
check "no context is left in the kubeconfig" sh -c '! grep -q demo ~/.kube/config 2>/dev/null'
check "cumulet destroy" cumulet destroy --yes
rm -rf "$HOME/.kube"
after=$(footprint)
if [ "$before" = "$after" ]; then ok "the machine is as it was"; else not_ok "the machine is as it was"; diff <(say "$before") <(say "$after") || true; fi
