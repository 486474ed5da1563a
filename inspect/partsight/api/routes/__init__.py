"""HTTP: a file a topic, each with its `router`. The table here is literal: what is not in it is not served."""

from __future__ import annotations

from fastapi import APIRouter


def api_routers() -> tuple[APIRouter, ...]:
    """Those under `/api/v1`."""
    from partsight.api.routes import (
        audit,
        challenge,
        commands,
        models,
        people,
        recipes,
        records,
        reviews,
        status,
        trends,
    )

    of_parts = (records.router, reviews.router, trends.router)
    of_line = (status.router, commands.router, challenge.router)
    return (people.router, *of_line, audit.router, *of_parts, recipes.router, models.router)


def other_routers() -> tuple[APIRouter, ...]:
    """Those at the root."""
    from partsight.api.routes import health, wallboard

    return (health.router, wallboard.router)
