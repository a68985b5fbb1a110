"""An image that waits for its data, by that name. `openstack image create` takes standard input for the data where no person
sits before it."""

import sys

import openstack

made = openstack.connect().image.create_image(sys.argv[1], disk_format="qcow2", container_format="bare")
print(made.status)
