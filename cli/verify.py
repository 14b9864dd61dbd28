"""`datagen verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from cli._common import json_option, print_json, print_table, quiet_option

_SHOWN = 20


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--against", type=click.Path(path_type=Path), help="Explain each difference to another file, e.g. a release pickle."
)
@json_option
@quiet_option
def command(file: Path, against: Path | None, as_json: bool, quiet: bool) -> int:
    """Check a dataset file: structure, hashes, latents recomputed from the masks.

    Leaves with exit code 1 if a check fails or the files differ.

    \b
    Example:
      datagen verify kitti.npz --against kitti_peds_v2.pickle
    """
    from datagen.store import load
    from datagen.verify import compare, verify

    checks = verify(file)
    passed = all(check.passed for check in checks)
    comparison = compare(load(file), load(against)) if against is not None and checks[0].passed else None
    if as_json:
        answer = {"file": str(file), "passed": passed, "checks": [asdict(check) for check in checks]}
        if comparison is not None:
            answer["against"] = {"file": str(against), "equal": comparison.equal, **asdict(comparison)}
        print_json(answer)
    elif not quiet:
        rows = [("pass" if check.passed else "FAIL", check.name, check.detail) for check in checks]
        print_table(str(file), ["", "check", "detail"], rows)
        if comparison is not None:
            lines = [f"missing: {name}" for name in comparison.missing] + [
                f"extra: {name}" for name in comparison.extra
            ]
            for each in comparison.different:
                parts = []
                if each.frames:
                    parts.append(f"{len(each.frames)} frames differ, by {each.pixels} pixels in all")
                if each.missing_frames:
                    parts.append(f"{each.missing_frames} frames missing")
                if each.extra_frames:
                    parts.append(f"{each.extra_frames} frames extra")
                if each.latents:
                    parts.append(f"{each.latents} latents differ though the masks agree")
                lines.append(f"differs: {each.name} from sequence {each.other} there: {'; '.join(parts)}")
            for line in lines[:_SHOWN]:
                click.echo(line)
            if len(lines) > _SHOWN:
                click.echo(f"and {len(lines) - _SHOWN} more; --json lists all")
            click.echo(
                f"{comparison.same:,} sequences equal, {len(comparison.different):,} different, "
                f"{len(comparison.missing):,} missing, {len(comparison.extra):,} extra"
            )
    return 0 if passed and (comparison is None or comparison.equal) else 1
