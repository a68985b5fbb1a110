# Two guests on two networks, by the SDK.

cumulet up
cumulet image build tiny --upload >/dev/null
journey networks
cumulet destroy --yes
