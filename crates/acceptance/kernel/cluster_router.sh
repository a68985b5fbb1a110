# Sourced by cluster.sh, which makes the cluster with `cni: router` then: pods' packets go by the cloud's router.

router=$(openstack router list -f value -c ID)
routes() { # "10.244.0.0/24 10.6.0.3" a line
  openstack router show "$router" -f json -c routes |
    python3 -c 'import json, sys
for route in json.load(sys.stdin)["routes"]: print(route["destination"], route["nexthop"])'
}
pairs() { openstack port show "$1" -f json -c allowed_address_pairs | python3 -c 'import json, sys
for pair in json.load(sys.stdin)["allowed_address_pairs"]: print(pair["ip_address"])'; }
for node in demo-control-plane-0 demo-worker-0; do
  cidr=$(k get node "$node" -o jsonpath='{.spec.podCIDR}')
  address=$(k get node "$node" -o jsonpath='{.status.addresses[?(@.type=="InternalIP")].address}')
  routed() { routes | grep -qx "$cidr $address"; }
  check "the router knows where the pods of $node are" within 120 routed
  carried() { pairs "$node" | grep -qx "$cidr"; }
  check "and its port may carry their addresses" within 120 carried
  usable() { [ "$(k get node "$node" -o jsonpath='{.status.conditions[?(@.type=="NetworkUnavailable")].status}')" = False ]; }
  check "and the node says that its network is there" within 120 usable
done
check "no tunnel is among the nodes" sh -c '! grep -q vxlan' <<<"$(k -n kube-flannel get configmap kube-flannel-cfg -o yaml)"
