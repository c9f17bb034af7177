"""The blind spots for a terminal: what could not have been warned about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cli.terminal import many, print_table, when

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.status import StatusReport


def print_blind(report: StatusReport, zone: ZoneInfo, *, shown: int | None = None) -> None:
    """Counts by kind, then the blind spots; at most `shown` of them."""
    spots = report.blind_spots
    if not spots:
        print("No blind spots: silence is proof.")
        return
    counts = ", ".join(f"{number} {kind}" for kind, number in report.blind_counts().items())
    title = f"Blind spots: {many(len(spots), 'thing')} that could not have been warned about"
    print_table(
        f"{title} ({counts})",
        ("Kind", "Tenant", "What", "Since", "What to do"),
        [
            (
                str(spot.kind),
                spot.tenant or "all",
                spot.words,
                when(spot.since, zone) if spot.since else "-",
                spot.fix,
            )
            for spot in spots[:shown]
        ],
    )
    if shown is not None and len(spots) > shown:
        print(f"… and {len(spots) - shown} more (lapsewatch status --blind).")
