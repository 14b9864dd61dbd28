"""`datagen verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli._common import INPUT, echo, json_option, print_json, print_table, quiet_option
from datagen.errors import FailedCheckError

if TYPE_CHECKING:
    from datagen.checks import Check
    from datagen.comparison import Comparison

_SHOWN = 20


@click.command("verify")
@click.argument("file", metavar="FILE|DIR", type=INPUT)
@click.option(
    "--against",
    metavar="FILE|release",
    help="Explain each difference to another file, or to the published one, which is fetched if need be.",
)
@json_option
@quiet_option
def command(file: Path, against: str | None, as_json: bool, quiet: bool) -> int:
    """Check a dataset file, a table of transitions or a folder.

    Of a dataset file: structure, hashes, latents recomputed from the masks. Of a folder: its SHA256SUMS. A table is
    only compared. Leaves with exit code 1 if a check fails or the files differ.

    \b
    Example:
      datagen verify kitti.npz --against release
      datagen verify release/
    """
    checks, comparison = _check(file, against, show_progress=not (quiet or as_json))
    passed = all(check.passed for check in checks)
    if as_json:
        said = [{"name": check.name, "passed": check.passed, "detail": check.detail} for check in checks]
        answer = {"file": str(file), "passed": passed, "checks": said}
        if comparison is not None:
            answer["against"] = {"file": against, "equal": comparison.equal, **asdict(comparison)}
        print_json(answer)
    elif not quiet:
        if checks:
            rows = [("pass" if check.passed else "FAIL", check.name, check.detail) for check in checks]
            print_table(str(file), ["", "check", "detail"], rows)
        if comparison is not None:
            _print(comparison, "rows" if _is_table(file) else "sequences")
    elif not passed:
        raise FailedCheckError(f"{file}: fails ({', '.join(check.name for check in checks if not check.passed)})")
    elif comparison is not None and not comparison.equal:
        raise FailedCheckError(f"{file}: differs from {against}")
    return 0 if passed and (comparison is None or comparison.equal) else 1


def _check(file: Path, against: str | None, show_progress: bool) -> tuple[list[Check], Comparison | None]:
    from datagen import releases, store
    from datagen.checks import load_verified
    from datagen.comparison import compare, compare_tables
    from datagen.releases.checksums import verify_folder

    def other(name: str) -> Path:
        return releases.fetch(name, show_progress=show_progress) if against == "release" else Path(str(against))

    if file.is_dir() and not store.is_folder(file):
        if against is not None:
            raise click.UsageError("a folder is checked against its own SHA256SUMS; --against is for files")
        return verify_folder(file), None
    if _is_table(file):
        if against is None:
            raise click.UsageError("a table is compared with another; pass --against FILE or --against release")
        from datagen.store import tables  # takes numba, which a dataset does not wait for

        table = tables.load(file)
        return [], compare_tables(table, tables.load(other("natural-sprites")))
    checks, dataset = load_verified(file)
    if against is None or dataset is None:
        return checks, None
    return checks, compare(dataset, store.load(other("kitti-masks")))


def _is_table(file: Path) -> bool:
    from datagen.store import TABLE_SUFFIXES

    return file.suffix.lower() in TABLE_SUFFIXES


def _print(comparison: Comparison, unit: str) -> None:
    lines = [f"missing: {name}" for name in comparison.missing]
    lines += [f"extra: {name}" for name in comparison.extra]
    lines += [f"differs: {each}" for each in comparison.different]
    for line in lines[:_SHOWN]:
        echo(line)
    if len(lines) > _SHOWN:
        echo(f"and {len(lines) - _SHOWN} more; --json lists all")
    echo(
        f"{comparison.same:,} {unit} equal, {len(comparison.different):,} different, "
        f"{len(comparison.missing):,} missing, {len(comparison.extra):,} extra"
    )
