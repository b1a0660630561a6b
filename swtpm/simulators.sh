# Starting and stopping device simulators: `start_NAME`, and `stop_NAME` where there is a process.
# Sourced by the scripts beside it. `start_NAME` prints what to export; all else goes to standard
# error. State stays in its folder when a simulator stops, as a device keeps its keys.

# Where simulators keep their state. Removing the folder is the end of their keys.
simulators=${TOKENBINDING_SIMULATORS:-$(cd "$(dirname "$0")/.." && pwd)/target/simulators}

say() {
    echo "$*" >&2
}

# Whether the process of the pid file $1 runs the program $2.
runs() {
    # swtpm takes its pid file away when it ends.
    pid=$(cat "$1" 2>/dev/null) || return 1
    case $(readlink "/proc/$pid/exe") in
    */"$2") true ;;
    *) false ;;
    esac
}

# Ends the process of the pid file $1, if it runs the program $2, and waits for its end.
end() {
    if runs "$1" "$2"; then
        kill "$(cat "$1")"
        while runs "$1" "$2"; do sleep 0.05; done
    fi
    rm -f "$1"
}

# swtpm, a TPM 2.0. Its control port is the one above the command port, which the TSS takes for
# granted; both are below the ports that the kernel hands out itself.
start_swtpm() {
    swtpm_folder=$simulators/swtpm
    swtpm_pid=$swtpm_folder/pid
    mkdir -p "$swtpm_folder/state"
    chmod 700 "$swtpm_folder"
    if ! runs "$swtpm_pid" swtpm; then
        command -v swtpm >/dev/null || {
            say "swtpm is not installed: apt install swtpm"
            return 1
        }
        # Its last port first, so that a TCTI stays good.
        for swtpm_port in $(cat "$swtpm_folder/port" 2>/dev/null) $(seq 23210 2 23290) none; do
            try_swtpm "$swtpm_port" && break
        done
        [ "$swtpm_port" != none ] || {
            say "swtpm does not start: $(cat "$swtpm_folder/log")"
            return 1
        }
        echo "$swtpm_port" >"$swtpm_folder/port"
    fi
    echo "export TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port=$(cat "$swtpm_folder/port");"
}

# Starts swtpm on port $1 and the one above. Fails when one of them is taken.
try_swtpm() {
    [ "$1" != none ] && swtpm socket --tpm2 --daemon \
        --tpmstate "dir=$swtpm_folder/state" \
        --server "type=tcp,port=$1,bindaddr=127.0.0.1" \
        --ctrl "type=tcp,port=$(($1 + 1)),bindaddr=127.0.0.1" \
        --flags not-need-init,startup-clear \
        --pid "file=$swtpm_pid" >"$swtpm_folder/log" 2>&1
}

stop_swtpm() {
    end "$simulators/swtpm/pid" swtpm
}

# SoftHSM, a PKCS#11 token. It is a library: there is nothing to start or stop but its token.
start_softhsm() {
    "$(dirname "$0")/softhsm-token" "$simulators/softhsm"
}
