# A real machine's screen and serial line, through the cloud's one address, by their tokens.

cumulet up
cumulet image build tiny --upload >/dev/null
journey consoles
cumulet destroy --yes
