# SPDX-License-Identifier: MIT
"""`holdfast tpm serve` between the booted service VM and stock clients."""

import os
import subprocess

import pytest
from harness import bridge, tools, tpm, tpm_control

DEADLINE_S = 60


@pytest.fixture
def machine(start, used, used_disk):
    machine = start(disks=[used_disk], key=used[0])
    machine.serving()
    return machine


def run(*command, **environment):
    done = subprocess.run(command, capture_output=True, timeout=DEADLINE_S, check=False,
                          env=dict(os.environ, **environment))
    assert done.returncode == 0, (command, done.stderr.decode())
    return done.stdout.decode()


def use(tcti, folder):
    """A tour with tpm2-tools: something durable, something transient, something measured."""
    environment = {"TPM2TOOLS_TCTI": tcti}
    key = os.path.join(folder, "primary.ctx")
    assert len(run("tpm2_getrandom", "--hex", "16", **environment)) == 32
    run("tpm2_createprimary", "-c", key, "-G", "ecc", **environment)
    run("tpm2_pcrextend", "23:sha256=" + "ab" * 32, **environment)
    assert "23: 0x" in run("tpm2_pcrread", "sha256:23", **environment)
    run("tpm2_nvdefine", "0x1500020", "-s", "8", **environment)
    data = os.path.join(folder, "data")
    with open(data, "wb") as file:
        file.write(b"12345678")
    run("tpm2_nvwrite", "0x1500020", "-i", data, **environment)
    assert "12345678" in run("tpm2_nvread", "0x1500020", "-s", "8", **environment)
    run("tpm2_nvundefine", "0x1500020", **environment)


@pytest.mark.parametrize("protocol", ["swtpm", "mssim"])
def test_tctis_on_tcp(machine, folder, protocol):
    port = bridge.free_ports()
    with bridge.Bridge(machine.tpm_path, machine.tpm_control_path,
                       {protocol: f"tcp:{port}"}) as served:
        use(f"{protocol}:host=127.0.0.1,port={port}", folder)
        assert served.stop() == 0


def test_tctis_on_unix_sockets(machine, folder):
    with bridge.serve(machine, folder, "swtpm", "raw"):
        use(f"swtpm:path={folder}/swtpm.sock", folder)
        use(f"cmd:socat - UNIX-CONNECT:{folder}/raw.sock", folder)


def test_several_clients_at_once(machine, folder):
    """Commands do not mix, and one that leaves in the middle holds nobody up."""
    with bridge.serve(machine, folder, "raw"):
        path = os.path.join(folder, "raw.sock")
        clients = [tpm.Tpm(path) for _ in range(8)]
        leaver = tpm.Tpm(path)
        leaver.client.sendall(tpm.frame(tpm.CC_GET_RANDOM, b"\0\x10")[:7])
        for number, client in enumerate(clients):
            client.client.sendall(tpm.frame(tpm.CC_GET_RANDOM, bytes([0, 8 + number])))
        leaver.client.close()
        for number, client in enumerate(clients):
            assert len(tpm.read_response(client.client)) == 12 + 8 + number
            client.client.close()


def test_swtpm_ioctl(machine, folder):
    """swtpm's own program drives the control channel."""
    with bridge.serve(machine, folder, "swtpm"):
        def ioctl(*arguments):
            return run("swtpm_ioctl", "--unix", f"{folder}/swtpm.sock.ctrl", *arguments)
        ioctl("-c")
        ioctl("--stop")
        ioctl("-i")
        environment = {"TPM2TOOLS_TCTI": f"swtpm:path={folder}/swtpm.sock"}
        run("tpm2_startup", "-c", **environment)
        assert "17: 0xFFFF" in run("tpm2_pcrread", "sha256:17", **environment)
        ioctl("-h", "a dynamic launch")
        assert "17: 0xFFFF" not in run("tpm2_pcrread", "sha256:17", **environment)
        assert "tpmEstablished is 1" in ioctl("-e")
        ioctl("-r", "3")
        assert "tpmEstablished is 0" in ioctl("-e")
        with pytest.raises(AssertionError):  # The state stays in the service VM.
            ioctl("--save", "permanent", os.path.join(folder, "state"))


ABRMD = """
tpm2-abrmd --session --allow-root --tcti=swtpm:path=$1 > $2/abrmd.log 2>&1 & abrmd=$!
export TPM2TOOLS_TCTI=tabrmd:bus_type=session
for turn in $(seq 100); do tpm2_getrandom -Q 1 2> /dev/null && break; sleep 0.1; done
tpm2_createprimary -Q -G ecc -c $2/primary || exit 1
pids=
for number in $(seq 6); do
tpm2_create -Q -C $2/primary -G ecc -u $2/public$number -r $2/private$number & pids="$pids $!"; done
failed=0
for pid in $pids; do wait $pid || failed=1; done
tpm2_getcap handles-transient
kill $abrmd
wait $abrmd
exit $failed
"""


def test_resource_manager(machine, folder):
    """tpm2-abrmd on top: more clients at once than the TPM has places for their objects."""
    with bridge.serve(machine, folder, "swtpm"):
        assert run("dbus-run-session", "--", "sh", "-c", ABRMD, "sh",
                   os.path.join(folder, "swtpm.sock"), folder) == ""


def test_status_command(machine, folder):
    text = run(tools.program(), "tpm", "status", machine.tpm_control_path)
    assert "power        on" in text
    with bridge.serve(machine, folder, "raw"):
        done = subprocess.run([tools.program(), "tpm", "status", "--wait", "1",
                               machine.tpm_control_path], capture_output=True, check=False,
                              timeout=DEADLINE_S)
        assert done.returncode == 1 and b"BUSY" in done.stderr


def test_service_vm_dies_and_comes_back(machine, folder, start, used, used_disk):
    with bridge.serve(machine, folder, "raw") as served:
        with tpm.Tpm(os.path.join(folder, "raw.sock")) as client:
            assert client.get_random(8)
            machine.kill()
            with pytest.raises(tpm.TpmError) as caught:
                client.get_random(8)
            assert caught.value.code == tpm.RC_FAILURE
            again = start(disks=[used_disk], key=used[0])
            again.serving()
            for _ in range(40):
                try:
                    assert client.get_random(8)
                    break
                except tpm.TpmError:
                    continue
            else:
                pytest.fail(f"not found again: {served.log}")


def test_bridge_dies(machine, folder):
    """The next one starts clean, and so does who goes without."""
    first = bridge.serve(machine, folder, "raw")
    first.wait_ready()
    with tpm.Tpm(os.path.join(folder, "raw.sock")) as client:
        client.client.sendall(tpm.frame(tpm.CC_GET_RANDOM, b"\0\x10"))
        first.kill()
    with bridge.serve(machine, folder, "raw"):
        with tpm.Tpm(os.path.join(folder, "raw.sock")) as client:
            assert len(client.get_random(9)) == 9
    with tpm_control.TpmControl(machine.tpm_control_path) as control:
        assert control.status().power == "on"
