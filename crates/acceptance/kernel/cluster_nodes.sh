# Sourced by cluster.sh: what the cloud controller manager tells of nodes.

of_node() { k get node "$1" -o jsonpath="$2"; }
for node in demo-control-plane-0 demo-worker-0; do
  id=$(openstack server show "$node" -f value -c id)
  check "$node is known by its server" test "$(of_node "$node" '{.spec.providerID}')" = "openstack:///$id"
  address=$(openstack port show "$node" -f json -c fixed_ips | python3 -c 'import json, sys; print(json.load(sys.stdin)["fixed_ips"][0]["ip_address"])')
  check "and by its address" test "$(of_node "$node" '{.status.addresses[?(@.type=="InternalIP")].address}')" = "$address"
  check "and is ready for pods" test -z "$(of_node "$node" '{.spec.taints[?(@.key=="node.cloudprovider.kubernetes.io/uninitialized")].key}')"
done
check "the API's floating IP is the control plane's" test \
  "$(of_node demo-control-plane-0 '{.status.addresses[?(@.type=="ExternalIP")].address}')" = \
  "$(openstack floating ip list -f value -c 'Floating IP Address')"
flavor=$(openstack server show demo-worker-0 -f json -c flavor | python3 -c 'import json, sys; f = json.load(sys.stdin)["flavor"]; print(f["original_name"] if isinstance(f, dict) else f.split(" ")[0])')
label() { of_node demo-worker-0 "{.metadata.labels.$1}"; }
check "a node's label tells its flavor" test "$(label 'node\.kubernetes\.io/instance-type')" = "$flavor"
check "its zone" test "$(label 'topology\.kubernetes\.io/zone')" = nova
check "and its region" test "$(label 'topology\.kubernetes\.io/region')" = RegionOne
