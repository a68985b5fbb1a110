# Sourced by cluster.sh: users of the cloud in the cluster.

review() { # TOKEN PATH: what the API server says to a token.
  printf '{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "%s"}}' "$1" >"$work/review.json"
  k create --validate=false -f "$work/review.json" -o jsonpath="$2"
}
token=$(openstack token issue -f value -c id)
check "the cloud's token is known" test "$(review "$token" '{.status.authenticated}')" = true
check "as its user's" test "$(review "$token" '{.status.user.username}')" = admin
check "another is not" test "$(review gAAAAAnonsense '{.status.authenticated}')" != true

openstack user create --password looks looker >/dev/null
openstack role add --user looker --project admin reader
as_looker() {
  env -u OS_CLOUD OS_USERNAME=looker OS_PASSWORD=looks OS_PROJECT_NAME=admin OS_DOMAIN_NAME=Default \
    kubectl --context demo-openstack --request-timeout=60s "$@" </dev/null
}
check "a reader logs in by the cloud and sees pods" as_looker get pods
may() { as_looker auth can-i "$@"; }
check "may get" test "$(may get pods)" = yes
check "may not create" test "$(may create pods 2>/dev/null)" = no
check "may not see secrets" test "$(may get secrets 2>/dev/null)" = no
check "nor run anything in a pod" test "$(may get pods --subresource=exec 2>/dev/null)" = no
check "nor reach through to a kubelet" test "$(may get nodes --subresource=proxy 2>/dev/null)" = no
refused() { ! as_looker create configmap theirs --from-literal=a=b 2>"$work/refused" && grep -qi forbidden "$work/refused"; }
check "and is refused what it may not" refused
openstack role add --user looker --project admin member
check "a member runs things in pods" test "$(may get pods --subresource=exec -n default)" = yes
openstack user delete looker
