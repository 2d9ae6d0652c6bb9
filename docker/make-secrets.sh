#!/bin/sh
# Makes the secrets that the compose files name, in docker/secrets or the folder that is given. What is there stays.
# Nobody but their owner comes into the folder; the files are readable because the containers run as other users.
set -eu
dir=${1:-$(dirname "$0")/secrets}
umask 022
mkdir -p "$dir"
chmod 0700 "$dir"
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "$dir/$1" ] || printf '%s' "$2" >"$dir/$1"; }
keep admin_token "$(random)"
keep key_passphrase "$(random)"
keep database_password "$(random)"
keep database_url "postgres://entrepot:$(cat "$dir/database_password")@database:5432/entrepot"
keep s3_password "$(random)"
keep s3_credentials "[default]
aws_access_key_id = entrepot
aws_secret_access_key = $(cat "$dir/s3_password")
"
