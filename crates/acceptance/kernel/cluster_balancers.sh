# Sourced by cluster.sh: Services of type LoadBalancer.

balanced() { # NAME PORT [annotations]
  applied <<YAML
apiVersion: v1
kind: Service
metadata: {name: $1, annotations: {$3}}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: $2, targetPort: 8080}]
YAML
}
address_of() { k get service "$1" -o jsonpath='{.status.loadBalancer.ingress[0].ip}'; }
has_address() { [ -n "$(address_of "$1")" ]; }
answers() { curl -sf -m 10 "http://$1/$page"; }
refuses() { ! curl -s -m 5 -o /dev/null "http://$1/"; }

balanced lb 80 ""
check "a service of type LoadBalancer gets an address" within 180 has_address lb
vip=$(address_of lb)
balancer=$(openstack loadbalancer list -f value -c name -c id | awk '$2 ~ /^kube_service_demo-.*_default_lb$/ {print $1}')
check "its load balancer is ACTIVE" test "$(openstack loadbalancer show "$balancer" -f value -c provisioning_status)" = ACTIVE
check "the address is a floating IP of the project" openstack floating ip show "$vip" -f value -c id
check "it answers" within 120 answers "$vip"
say "# it answered $((SECONDS - started)) s after the cluster was begun"
several() { [ "$(for _ in $(seq 12); do answers "$vip"; done | sed 's/ .*//' | sort -u | wc -l)" -ge 2 ]; }
check "several pods answer in turn" within 60 several

k patch service lb --type=json -p '[{"op": "replace", "path": "/spec/ports/0/port", "value": 8000}]'
check "another port answers after an update" within 120 answers "$vip:8000"
check "and the one before no longer" within 60 refuses "$vip:80"

balanced shared 8002 "loadbalancer.openstack.org/load-balancer-id: $balancer, loadbalancer.openstack.org/x-forwarded-for: 'true'"
check "a second service shares the load balancer" within 180 has_address shared
check "and its address" test "$(address_of shared)" = "$vip"
forwarded() { answers "$vip:8002" | grep -q 'forwarded=172\.24\.4\.1$'; }
check "the pod is told who asks" within 120 forwarded
check "there is one load balancer" test "$(openstack loadbalancer list -f value -c id | wc -l)" -eq 1
check "with two listeners" test "$(openstack loadbalancer listener list -f value -c id | wc -l)" -eq 2
k delete --ignore-not-found service shared
check "without the second service its port is closed" within 60 refuses "$vip:8002"
check "and the first still answers" answers "$vip:8000"
