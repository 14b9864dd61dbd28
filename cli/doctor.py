"""`datagen doctor`."""

from __future__ import annotations

import click

from cli._common import json_option, print_json, print_table
from datagen.errors import counted


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Say what is installed here, and what each missing part would enable.

    Versions, extras, devices and caches. The exit code is 0 whatever is missing.

    \b
    Example:
      datagen doctor
      datagen doctor --json
    """
    from slowvae.doctor import diagnose

    found = diagnose()
    if as_json:
        print_json(found)
        return
    print_table(
        "versions", ["what", "version"], [(name, each or "missing") for name, each in found["versions"].items()]
    )
    print_table(
        "extras",
        ["extra", "library", "version", "enables", "to have it"],
        [
            (each["name"], each["library"], each["version"] or "missing", each["enables"])
            + (("",) if each["version"] else (each["install"],))
            for each in found["extras"]
        ],
    )
    devices = [(each["name"], each["available"], each["detail"]) for each in found["devices"]]
    print_table(
        f"devices ({counted(found['processors'], 'processor')} to use)", ["device", "usable", "detail"], devices
    )
    print_table(
        "caches",
        ["holds", "folder", "writable", "bytes"],
        [
            (each["holds"], each["path"] or "nowhere", each["writable"], "" if each["bytes"] is None else each["bytes"])
            for each in found["caches"]
        ],
    )
