# From an empty cloud to pods on two nodes that talk, and back to an empty project.

before=$(footprint)
check "cumulet up" cumulet up
export OS_CLOUD=cumulet
check "the node image is uploaded" cumulet image build node --upload

started=$SECONDS
check "cumulet cluster create demo" cumulet cluster create demo --workers 1
say "# the cluster took $((SECONDS - started)) s"
# The kubectl of the same release as the nodes lies among the built parts of their image.
parts=$(ls -t "$cache"/parts/kubernetes-v*.tar | head -n 1)
tar -C "$work" -xf "$parts" kubectl
kubectl=$work/kubectl
k() { "$kubectl" --context demo --request-timeout=60s "$@"; }

check "two nodes are Ready" test "$(k get nodes --no-headers | awk '$2 == "Ready"' | wc -l)" -eq 2
k get nodes -o wide
check "cluster list shows it" sh -c 'cumulet cluster list | grep -q demo'

for node in $(k get nodes -o name | cut -d/ -f2); do
  k apply -f - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: on-$node, labels: {app: web}}
spec:
  nodeName: $node
  tolerations: [{operator: Exists}]
  containers:
  - name: web
    image: cumulet.local/toolbox:1
    imagePullPolicy: Never
    command: [sh, -c, "mkdir -p /tmp/www && hostname > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"]
YAML
done
k apply -f - <<YAML
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
YAML
check "two pods on two nodes run" k wait --for=condition=Ready pod -l app=web --timeout=300s
mapfile -t pods < <(k get pods -l app=web -o name)
ip_of() { k get "$1" -o jsonpath='{.status.podIP}'; }
check "pod one pings pod two" within 60 k exec "${pods[0]}" -- ping -c 1 -W 5 "$(ip_of "${pods[1]}")"
check "pod two pings pod one" within 60 k exec "${pods[1]}" -- ping -c 1 -W 5 "$(ip_of "${pods[0]}")"
service=$(k get service web -o jsonpath='{.spec.clusterIP}')
for pod in "${pods[@]}"; do
  check "the service answers by address in $pod" within 120 k exec "$pod" -- wget -q -T 10 -O - "http://$service/"
  check "and by its DNS name" within 120 k exec "$pod" -- wget -q -T 10 -O - http://web.default.svc.cluster.local/
done
endpoint=$(k config view --minify -o jsonpath='{.clusters[0].cluster.server}' | sed 's#https://\([^:/]*\).*#\1#')
check "the NodePort answers from the host" within 60 curl -sf -m 10 "http://$endpoint:30080/"

check "cumulet cluster delete demo" cumulet cluster delete demo --yes
empty() {
  [ -z "$(openstack server list -f value -c ID)$(openstack router list -f value -c ID)$(openstack floating ip list -f value -c ID)" ] &&
    [ "$(openstack network list -f value -c Name)" = public ] &&
    [ -z "$(openstack port list -f value -c ID)" ] &&
    [ "$(openstack security group list --project admin -f value -c Name | sort -u)" = default ]
}
check "the project is empty" within 30 empty
check "no context is left in the kubeconfig" sh -c '! grep -q demo ~/.kube/config 2>/dev/null'
check "cumulet destroy" cumulet destroy --yes
rm -rf "$HOME/.kube"
after=$(footprint)
if [ "$before" = "$after" ]; then ok "the machine is as it was"; else not_ok "the machine is as it was"; diff <(say "$before") <(say "$after") || true; fi
