"""What was proven of the artifacts: accuracy, parity, size and digest."""

from __future__ import annotations

from edgekit.reporting import wording
from edgekit.reporting.facts import Facts, Proven
from edgekit.reporting.page import Cell, Section, table


def artifact_sections(facts: Facts) -> tuple[Section, ...]:
    """One part, with a part for each kind of figure."""
    if not facts.artifacts:
        return ()
    rows = facts.artifacts
    accuracy = table(
        "accuracy",
        "Accuracy, with 95 % intervals. The drop is paired: against the source model, on the same "
        "samples.",
        ("artifact", "metric", "value", "drop", "samples", "gate", "sha256"),
        [_accuracy(one) for one in rows],
    )
    parity = table(
        "parity",
        "Difference from the source model's outputs. Same label: how often the highest output is "
        "the same one, with its 95 % interval (Wilson).",
        ("artifact", "largest difference", "same label", "signal over noise", "samples", "sha256"),
        [_parity(one) for one in rows],
    )
    sizes = table(
        "sizes",
        "Size of the model files, exact, and the source model's cost for one sample.",
        ("artifact", "size", "parameters", "multiply–adds", "sha256 of the model file"),
        [_size(one) for one in rows],
    )
    return (
        Section("artifacts", "Artifacts"),
        Section("artifacts-accuracy", "Accuracy", 3, tables=(accuracy,)),
        Section("artifacts-parity", "Parity", 3, tables=(parity,)),
        Section("artifacts-sizes", "Sizes and digests", 3, tables=(sizes,)),
    )


def _accuracy(one: Proven) -> list[Cell | str]:
    metric = one.metric
    gate = {True: "met", False: "missed", None: "none"}[one.gate]
    if metric is None:
        absent = Cell(wording.UNAVAILABLE, "no labelled data", weak=True)
        return [_name(one), absent, absent, absent, absent, gate, wording.sha_cell(one.sha256)]
    value, interval = (
        metric.scale.text(metric.value),
        f"[{metric.ci95[0]:.2f}, {metric.ci95[1]:.2f}]",
    )
    if metric.drop is None:
        drop = Cell(wording.UNAVAILABLE, weak=True)
    elif metric.drop_ci95 is None:
        drop = Cell(f"{metric.drop:+.2f} {metric.unit}", "no paired interval")
    else:
        low, high = metric.drop_ci95
        drop = Cell(f"{metric.drop:+.2f} {metric.unit}", f"[{low:+.2f}, {high:+.2f}]")
    return [
        _name(one),
        metric.name,
        Cell(value, interval),
        drop,
        f"{metric.samples:,}",
        gate,
        wording.sha_cell(one.sha256),
    ]


def _parity(one: Proven) -> list[Cell | str]:
    parity, agreement = one.parity, one.agreement
    if parity is None or agreement is None:
        absent = Cell(wording.UNAVAILABLE, weak=True)
        return [_name(one), absent, absent, absent, absent, wording.sha_cell(one.sha256)]
    low, high = agreement
    return [
        _name(one),
        f"{parity.max_abs:.2g}",
        Cell(f"{100 * parity.top1_agreement:.2f} %", f"[{100 * low:.2f}, {100 * high:.2f}]")
        if one.labelled
        else Cell(wording.UNAVAILABLE, weak=True),
        Cell(wording.UNAVAILABLE, weak=True)
        if parity.snr_db is None
        else f"{parity.snr_db:.1f} dB",
        f"{parity.samples:,}",
        wording.sha_cell(one.sha256),
    ]


def _size(one: Proven) -> list[Cell | str]:
    def cost(key: str) -> Cell | str:
        found = one.cost.get(key)
        return Cell(wording.UNAVAILABLE, weak=True) if found is None else f"{found:,}"

    return [
        _name(one),
        Cell(wording.megabytes(one.bytes), f"{one.bytes:,} bytes"),
        cost("parameters"),
        cost("multiply_adds"),
        Cell(one.sha256, code=True),
    ]


def _name(one: Proven) -> Cell:
    kept = f"{wording.plural(one.kept, 'layer')} in float" if one.kept else ""
    return Cell(one.name, kept)
