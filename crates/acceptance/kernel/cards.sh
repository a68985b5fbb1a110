# Cards that come to a running guest and go, by the command line; and a guest of a cloud with TLS, which trusts its APIs.

cumulet up --tls
cumulet image build tiny --upload >/dev/null
export OS_CLOUD=cumulet
journey cards
cumulet down
cumulet destroy --yes
