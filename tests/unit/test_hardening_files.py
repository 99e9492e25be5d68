"""The files of docs/hardening: what can be parsed here is, by the real programs where they are."""

import ipaddress
import re
import shlex
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from ledgerwallet.transport.hid import LEDGER_VENDOR_ID
from trezorlib import models

from signer.cli.commands import parser

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "hardening"
GUIDE = (ROOT / "docs" / "hardening.md").read_text(encoding="utf-8")
FILES = sorted(path.name for path in FOLDER.iterdir())

UNIT = "airlock-signer.service"
UDEV = "20-airlock-devices.rules"
BINARY = "/opt/airlock/bin/airlock-signer"


def lines(name: str) -> list[str]:
    """Lines that say something."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def unit() -> dict[str, list[str]]:
    """Values by `Section.Key`, in order."""
    section, found = "", dict[str, list[str]]()
    for line in lines(UNIT):
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, separator, value = line.partition("=")
        assert separator, line
        found.setdefault(f"{section}.{key}", []).append(value)
    return found


def the(key: str) -> str:
    """The one value of a key of [Service]."""
    (value,) = unit()[f"Service.{key}"]
    return value


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={"PATH": _PATH, **environment}
    )


_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def require(program: str) -> None:
    if shutil.which(program, path=_PATH) is None:
        pytest.skip(f"no {program} on this machine")


@pytest.mark.parametrize("name", FILES)
def test_the_guide_says_where_each_file_goes_and_the_file_says_it_too(name: str) -> None:
    head = (FOLDER / name).read_text(encoding="utf-8")[:400]

    assert f"(hardening/{name})" in GUIDE
    assert re.search(r"^# /etc/[\w./-]+: ", head, re.MULTILINE)
    assert "Owner root" in head


# The unit

KNOWN = {
    "Unit": "Description Documentation After Wants Requires StartLimitIntervalSec StartLimitBurst",
    "Service": """
        Type ExecStart Environment Restart RestartSec RestartPreventExitStatus TimeoutStopSec
        UMask User Group PrivateUsers NoNewPrivileges CapabilityBoundingSet AmbientCapabilities
        KeyringMode LimitCORE LimitMEMLOCK MemorySwapMax MemoryDenyWriteExecute LimitNOFILE
        TasksMax MemoryMax OOMPolicy ProtectSystem ProtectHome StateDirectory StateDirectoryMode
        RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve PrivateTmp PrivateMounts
        NoExecPaths ExecPaths WorkingDirectory DevicePolicy DeviceAllow RestrictAddressFamilies
        SocketBindDeny SocketBindAllow ProtectKernelTunables ProtectKernelModules
        ProtectKernelLogs ProtectControlGroups ProtectClock ProtectHostname ProtectProc
        PrivateIPC RemoveIPC RestrictNamespaces RestrictRealtime RestrictSUIDSGID
        LockPersonality SystemCallArchitectures SystemCallFilter SystemCallErrorNumber""",
    "Install": "WantedBy",
}


def test_every_key_of_the_unit_is_one_of_systemd() -> None:
    known = {f"{section}.{key}" for section, keys in KNOWN.items() for key in keys.split()}

    assert set(unit()) <= known


REQUIRED = {
    "LimitCORE": "0",
    "LimitMEMLOCK": "1M",
    "MemorySwapMax": "0",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateUsers": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "ProtectProc": "invisible",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "PrivateTmp": "yes",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
    "RuntimeDirectoryMode": "0700",
    "DevicePolicy": "closed",
    "User": "signer",
    "Group": "signer",
}


@pytest.mark.parametrize("key", REQUIRED)
def test_the_sandbox_is_as_the_guide_says(key: str) -> None:
    assert the(key) == REQUIRED[key]


def test_usb_and_hid_are_the_only_devices_and_a_wallet_can_be_found() -> None:
    assert unit()["Service.DeviceAllow"] == ["char-usb_device rw", "char-hidraw rw"]
    assert "Service.PrivateDevices" not in unit()
    assert the("RestrictAddressFamilies").split() == ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"]


def test_the_commands_of_the_files_are_commands_of_ours() -> None:
    forced = next(
        line.removeprefix("ForceCommand ") for line in lines("sshd-console.conf") if "Force" in line
    )

    for command in (the("ExecStart"), forced):
        binary, *arguments = shlex.split(command)
        assert binary == BINARY
        assert "command" in parser().parse_args(arguments)


def _installed(folder: Path) -> Path:
    """The unit as on a host: its program and the other units are there."""
    for needed in ("nftables.service", "time-sync.target"):
        section = (
            "[Service]\nType=oneshot\nExecStart=/bin/true\n" if needed.endswith("service") else "[Unit]\n"
        )
        (folder / needed).write_text(section)
    path = folder / UNIT
    path.write_text((FOLDER / UNIT).read_text(encoding="utf-8").replace(BINARY, "/bin/true"))
    return path


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    require("systemd-analyze")
    path = _installed(tmp_path)

    done = run("systemd-analyze", "verify", "--man=no", str(path), SYSTEMD_UNIT_PATH=f"{tmp_path}:")

    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT in line]) == (0, []), (
        done.stderr
    )


def test_systemd_rates_the_sandbox_as_a_good_one(tmp_path: Path) -> None:
    require("systemd-analyze")
    path = _installed(tmp_path)

    done = run("systemd-analyze", "security", "--offline=yes", "--no-pager", str(path))
    if done.returncode and "offline" in done.stderr:
        pytest.skip("this systemd rates no files")

    found = re.search(r"exposure level for \S+ (\d+\.\d+)", done.stdout)
    assert found is not None, done.stdout
    assert Decimal(found[1]) <= 2  # of 10, where less is better; each version weighs a little otherwise


# udev

_TOKEN = re.compile(r'([A-Z]+)(\{[A-Za-z]+\})?(==|=)"([^"]+)"')
_MATCHES = {"SUBSYSTEM", "KERNEL", "ENV{DEVTYPE}", "ATTR{idVendor}", "ATTR{idProduct}", "ATTRS{idVendor}"}


def udev_rules() -> list[dict[str, str]]:
    rules = []
    for line in lines(UDEV):
        tokens = [_TOKEN.fullmatch(part.strip()) for part in line.split(",")]
        assert all(tokens), line
        rule = {f"{token[1]}{token[2] or ''}": (token[3], token[4]) for token in tokens if token}
        assert {key for key, (operator, _) in rule.items() if operator == "=="} <= _MATCHES
        assert {key for key, (operator, _) in rule.items() if operator == "="} == {"GROUP", "MODE"}
        rules.append({key: value for key, (_, value) in rule.items()})
    return rules


def test_the_wallets_and_no_bootloaders_belong_to_the_group_of_the_unit() -> None:
    rules = udev_rules()

    assert {(rule["GROUP"], rule["MODE"]) for rule in rules} == {(the("Group"), "0660")}
    opened = {
        (rule.get("ATTR{idVendor}") or rule["ATTRS{idVendor}"], rule.get("ATTR{idProduct}")) for rule in rules
    }
    one, core = models.USBID_TREZOR_ONE, models.USBID_TREZOR_CORE
    assert opened == {(f"{LEDGER_VENDOR_ID:04x}", None), *((f"{v:04x}", f"{p:04x}") for v, p in (one, core))}
    assert not any(f"{models.USBID_TREZOR_CORE_BOOTLOADER[1]:04x}" in line for line in lines(UDEV))


def test_a_ledger_is_opened_by_both_of_its_ways() -> None:
    ledger = [rule for rule in udev_rules() if "2c97" in rule.values()]

    assert {rule["SUBSYSTEM"] for rule in ledger} == {"usb", "hidraw"}


def test_udev_reads_the_rules() -> None:
    require("udevadm")
    done = run("udevadm", "verify", "--resolve-names=never", str(FOLDER / UDEV))
    if "Unknown command" in done.stderr:
        pytest.skip("this udevadm verifies no rules: systemd 254 and newer do")

    assert done.returncode == 0, done.stdout + done.stderr


# USBGuard


def test_usbguard_lets_in_nothing_by_its_kind_alone() -> None:
    allowed = [line for line in lines("usbguard-rules.conf") if line.startswith("allow")]
    hubs, *wallets = allowed

    assert hubs == "allow id 1d6b:* with-interface equals { 09:00:00 }"
    for wallet in wallets:
        assert re.match(r'allow id (2c97:\*|1209:53c1|534c:0001) serial "\w+" via-port "[\d.-]+"', wallet)
    assert len(wallets) >= 2


def test_usbguard_refuses_what_types_stores_or_networks_before_it_allows_anything() -> None:
    first = lines("usbguard-rules.conf")[0]

    assert first.startswith("reject with-interface one-of {")
    assert {"03:01:*", "08:*:*", "02:*:*", "e0:*:*"} <= set(first.split())


def test_usbguard_reads_the_rules() -> None:
    require("usbguard-rule-parser")

    for line in lines("usbguard-rules.conf"):
        assert run("usbguard-rule-parser", line).returncode == 0, line


# The network


def test_every_direction_drops_what_is_not_named() -> None:
    rules = lines("nftables.conf")

    assert sum("policy drop;" in line for line in rules) == 3
    assert not any("policy accept" in line for line in rules)
    unnamed = [line for line in rules if line.endswith("accept") and not re.search(r"addr|lo |nd-", line)]
    assert unnamed == []


def test_the_traders_reach_one_port_and_the_signer_two_hosts() -> None:
    rules = "\n".join(lines("nftables.conf"))

    assert re.findall(r"ip saddr (\S+) tcp dport (\d+)", rules) == [("$TRADERS", "7443"), ("$ADMINS", "22")]
    assert re.findall(r"skuid \$SIGNER ip daddr (\S+)", rules) == ["$NODES", "$VAULT"]
    uid = re.search(r"define SIGNER = (\d+)", rules)
    assert uid is not None
    assert f"--uid {uid[1]} " in GUIDE


def test_the_addresses_are_examples_that_reach_nobody() -> None:
    documentation = [
        ipaddress.ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
    ]
    found = re.findall(r"\d+\.\d+\.\d+\.\d+", "\n".join(lines("nftables.conf")))

    assert found
    assert all(any(ipaddress.ip_address(each) in net for net in documentation) for each in found)


def test_nft_reads_the_rules() -> None:
    require("nft")
    done = run("nft", "-c", "-f", str(FOLDER / "nftables.conf"))
    if "Operation not permitted" in done.stderr or "netlink" in done.stderr.lower():
        pytest.skip(f"nft may not look at the kernel here: {done.stderr.strip()[:80]}")

    assert done.returncode == 0, done.stderr


# The kernel, and people


def test_the_kernel_writes_no_core_and_lets_nobody_look() -> None:
    settings = dict(line.split(" = ") for line in lines("90-airlock-sysctl.conf"))

    assert settings["kernel.core_pattern"] == "|/bin/false"
    assert (settings["fs.suid_dumpable"], settings["kernel.yama.ptrace_scope"]) == ("0", "3")
    assert all(re.fullmatch(r"[a-z0-9_.]+", key) for key in settings)


def test_people_come_in_by_key_and_the_console_has_no_shell() -> None:
    settings = lines("sshd-console.conf")
    general, console = settings[: settings.index("Match User console")], settings[-3:]

    for line in ("PermitRootLogin no", "PasswordAuthentication no", "DisableForwarding yes"):
        assert line in general
    assert [line.split()[0] for line in console] == ["ForceCommand", "PermitTTY", "MaxSessions"]
