# Sourced by cluster.sh: pods, services, DNS, node ports. The pods tell their names, and who is asking.

cat >"$work/web.yaml" <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  index.cgi: |
    #!/bin/sh
    printf 'Content-Type: text/plain\r\n\r\npod=%s forwarded=%s\n' "$(hostname)" "$HTTP_X_FORWARDED_FOR"
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: cumulet.local/toolbox:1
        imagePullPolicy: Never
        command: [httpd, -f, -p, "8080", -h, /www]
        volumeMounts: [{name: www, mountPath: /www/cgi-bin}]
      volumes:
      - {name: www, configMap: {name: web, defaultMode: 0755}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
YAML
applied <"$work/web.yaml"
page=cgi-bin/index.cgi
check "pods on all nodes run" k rollout status daemonset/web --timeout=300s
mapfile -t pods < <(k get pods -l app=web -o name)
ip_of() { k get "$1" -o jsonpath='{.status.podIP}'; }
check "pod one pings pod two" within 60 k exec "${pods[0]}" -- ping -c 1 -W 5 "$(ip_of "${pods[1]}")"
check "pod two pings pod one" within 60 k exec "${pods[1]}" -- ping -c 1 -W 5 "$(ip_of "${pods[0]}")"
service=$(k get service web -o jsonpath='{.spec.clusterIP}')
check "the service answers by address" within 120 k exec "${pods[0]}" -- wget -q -T 10 -O - "http://$service/$page"
check "and by its DNS name" within 120 k exec "${pods[1]}" -- wget -q -T 10 -O - "http://web.default.svc.cluster.local/$page"
endpoint=$(k config view --minify -o jsonpath='{.clusters[0].cluster.server}' | sed 's#https://\([^:/]*\).*#\1#')
check "the NodePort answers from the host" within 60 curl -sf -m 10 "http://$endpoint:30080/$page"
