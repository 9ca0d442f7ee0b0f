# SPDX-License-Identifier: MIT
"""The guest of reboots.py: it reports what it measured, and then uses its TPM until it is told
something else, or the TPM refuses."""

import struct

from harness import tpm, tpm_guest

NV_INDEX, NV_COUNTER = 0x1500030, 0x1500031
NV_COPIES = 16  # Of a number, which fill the index: a torn write shows.


def nv_write():
    """(what comes before the data of an NV_Write, what comes after)"""
    data = bytes(4 * NV_COPIES)
    body = b"".join(handle.to_bytes(4, "big") for handle in (tpm.RH_OWNER, NV_INDEX))
    whole = tpm.frame(tpm.CC_NV_WRITE, body + tpm.password(b"") + tpm.sized(data) + bytes(2),
                      tpm.SESSIONS)
    return whole[:-len(data) - 2], whole[-2:]


def nv_increment():
    body = b"".join(handle.to_bytes(4, "big") for handle in (tpm.RH_OWNER, NV_COUNTER))
    return tpm.frame(tpm.CC_NV_INCREMENT, body + tpm.password(b""), tpm.SESSIONS)


def rsa_primary():
    """(CreatePrimary of an RSA key up to its number, what comes after): each has other primes."""
    public = tpm.rsa_storage_key(bytes(4))
    tail = struct.pack(">HI", 0, 0)  # Nothing outside, no PCRs.
    body = tpm.RH_OWNER.to_bytes(4, "big") + tpm.password(b"") + tpm.sized(bytes(4)) + \
        tpm.sized(public) + tail
    whole = tpm.frame(tpm.CC_CREATE_PRIMARY, body, tpm.SESSIONS)
    return whole[:-len(tail) - 4], tail


WRITE, WRITE_TAIL = (tpm_guest.octal(part) for part in nv_write())
KEY, KEY_TAIL = (tpm_guest.octal(part) for part in rsa_primary())
INCREMENT = tpm_guest.octal(nv_increment())

# `use N` writes N + 1, N + 2, ... into the index, counts, and has the TPM do something long now and
# then: an RSA key, which is forgotten with the descriptor that it was made on. It ends when the TPM
# refuses. Words come over the second serial line.
GUEST = tpm_guest.REPORT + f"""
number() {{ printf '\\\\%03o' $(($1>>24&255)) $(($1>>16&255)) $(($1>>8&255)) $(($1&255)); }}
send() {{
printf "$1" >&3 || return 1
code=$($b dd bs=4096 count=1 <&3 2>/dev/null | $b hexdump -n 10 -ve '1/1 "%02x"')
code=${{code#????????????}}
[ "$code" = 00000000 ]
}}
use() {{
n=$1
while :; do
n=$((n+1)); data=$(number $n); data=$data$data$data$data; data=$data$data$data$data
echo "issue $n"; send "{WRITE}${{data}}{WRITE_TAIL}" || break
echo "done $n"
echo issue-count; send "{INCREMENT}" || break
echo counted
[ $((n%4)) = 1 ] || continue
echo long; exec 3<>/dev/tpmrm0; send "{KEY}$(number $n){KEY_TAIL}"
[ "$code" = 00000000 ] || break
exec 3<>/dev/tpmrm0
done
echo "refused $code"
}}
[ -c /dev/tpmrm0 ] || echo no-tpm
exec 3<>/dev/tpmrm0 4<>/dev/ttyS1
report
echo report-end
while read word more <&4; do
case $word in
use) use $more & ;;
reboot) $b reboot -f ;;
dmesg) $b dmesg; echo dmesg-end ;;
esac
done
"""
