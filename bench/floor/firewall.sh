# The port, open to the peers and to the clients' network; for now and for later.
rules=()
while read -r rule; do rules+=("--add-rich-rule=$rule"); done <<<"$RULES"
firewall-cmd -q --permanent "${rules[@]}"
firewall-cmd -q "${rules[@]}"
