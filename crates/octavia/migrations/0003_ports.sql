-- Ports that load balancers had before ports said so themselves. The VIP's port and the legs are values in the load balancer's body.
UPDATE port SET balancer_id = SUBSTR(device_id, 4)
WHERE device_owner = 'Octavia' AND EXISTS (
    SELECT 1 FROM balancer_node n
    WHERE n.kind = 'loadbalancer' AND port.device_id = 'lb-' || n.id AND n.body LIKE '%:"' || port.id || '"%'
);
