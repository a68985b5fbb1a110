# Sourced by cluster.sh: the controllers get another credential.

old=$(openstack application credential list -f value -c ID)
check "the credential is rotated" cumulet cluster rotate-credential demo
check "and the old one is no more" sh -c '! openstack application credential show "$1" >/dev/null 2>&1' sh "$old"
