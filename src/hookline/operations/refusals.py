"""Why sources refused requests lately: the newest rejections of each, explained."""

from __future__ import annotations

import time
from collections import defaultdict

from hookline.core import ids
from hookline.incoming.diagnose.diagnosis import Diagnosis
from hookline.incoming.diagnose.gather import diagnose
from hookline.incoming.models import Rejection

#: The newest rejections that are looked at, and of how many sources and reasons one is explained.
MOST = 1000
MOST_EXPLAINED = 10


def explained(since: float) -> list[tuple[str, int, Diagnosis]]:
    """The public id of a source, how many requests it refused for one reason since then, and what explains the newest.

    Those that were admitted since do not count. The most frequent first; at most 1,000 rejections are counted.
    """
    found = Rejection.objects.filter(id__gte=ids.first_at(since), admitted_at=None)
    newest = found.order_by("-id").values_list("pk", "source_id", "reason")[:MOST]
    groups = defaultdict(list)
    for key, source_id, reason in newest:
        if source_id is not None:
            groups[source_id, reason].append(key)
    most = sorted(groups.values(), key=len, reverse=True)[:MOST_EXPLAINED]
    rows = Rejection.objects.select_related("source__tenant").in_bulk([keys[0] for keys in most])
    now = time.time()
    return [
        (rejection.source.public_id, len(keys), diagnose(rejection, now))
        for keys in most
        if (rejection := rows.get(keys[0])) is not None and rejection.source is not None
    ]
