# Sourced by cluster.sh: one address, two hosts.

host() { # NAME
  applied <<YAML
apiVersion: v1
kind: ConfigMap
metadata: {name: $1}
data: {index.html: "this is $1"}
---
apiVersion: v1
kind: Pod
metadata: {name: $1, labels: {app: $1}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: cumulet.local/toolbox:1
    imagePullPolicy: Never
    command: [httpd, -f, -p, "8080", -h, /www]
    volumeMounts: [{name: www, mountPath: /www}]
  volumes: [{name: www, configMap: {name: $1}}]
---
apiVersion: v1
kind: Service
metadata: {name: $1}
spec:
  type: NodePort
  selector: {app: $1}
  ports: [{port: 80, targetPort: 8080}]
YAML
}
host one
host two
applied <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: hosts
  annotations: {kubernetes.io/ingress.class: openstack, octavia.ingress.kubernetes.io/internal: "false"}
spec:
  rules:
  - host: one.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: one, port: {number: 80}}}}]}
  - host: two.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: two, port: {number: 80}}}}]}
YAML
check "two hosts' pods run" runs one two
ingress_address() { k get ingress hosts -o jsonpath='{.status.loadBalancer.ingress[0].ip}'; }
ingress_has_address() { [ -n "$(ingress_address)" ]; }
check "an ingress gets an address" within 180 ingress_has_address
at=$(ingress_address)
serves() { [ "$(curl -sf -m 10 -H "Host: $1.example" "http://$at/")" = "this is $1" ]; }
check "the first host's pod answers" within 120 serves one
check "the second host's answers by the same address" within 60 serves two
check "and no other host" sh -c '! curl -sf -m 10 -H "Host: three.example" "http://$1/"' sh "$at"
k delete --ignore-not-found ingress hosts
check "without the ingress its load balancer is gone" within 120 sh -c '! openstack loadbalancer list -f value -c name | grep -q kube_ingress'
k delete --ignore-not-found pod one two --wait=false
k delete --ignore-not-found service one two
