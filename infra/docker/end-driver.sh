#!/bin/sh
# preStop of a Ray head: tells the driver that runs there to end, and waits for it as long as it is given.
#
#   end-driver.sh SECONDS [MODULE]
#
# The driver is started by Ray, not by the container: SIGTERM to the pod would reach it when Ray is gone already. On
# SIGTERM it drains, writes its record and leaves with 130; whoever starts it again goes on where it stopped.
seconds=${1:-60}
module=${2:-jobs.run}

drivers() { pgrep -f "^[^ ]*python[0-9.]* -m $module( |\$)"; }

pids=$(drivers) || exit 0
# shellcheck disable=SC2086 -- one word a process
kill -TERM $pids 2>/dev/null
while [ "$seconds" -gt 0 ] && drivers >/dev/null; do
    sleep 1
    seconds=$((seconds - 1))
done
exit 0
