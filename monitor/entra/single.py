"""One application or service principal, read alone: the same fields as in a scan."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from monitor.entra.calls import GraphCalls, RefusedError
from monitor.entra.decode import Report, decode_application, decode_service_principal
from monitor.entra.failures import graph_error
from monitor.entra.tenant_scan import APPLICATION_FIELDS, SERVICE_PRINCIPAL_FIELDS
from monitor.model import ObjectType, ObservedObject


async def read_object(
    calls: GraphCalls, object_type: ObjectType, object_id: str
) -> ObservedObject | None:
    """Read an object by its id; None where the directory has none.

    Raises:
        GraphError: Graph refuses, or its answer cannot be read in full.
    """
    application = object_type is ObjectType.APPLICATION
    place = "applications" if application else "servicePrincipals"
    fields = APPLICATION_FIELDS if application else SERVICE_PRINCIPAL_FIELDS
    decode = decode_application if application else decode_service_principal
    address = f"{calls.base_url}/{place}/{quote(object_id, safe='')}?$select={','.join(fields)}"

    async def use(body: bytes) -> ObservedObject | None:
        report = Report()
        found = decode(msgspec.Raw(body.removeprefix(b"\xef\xbb\xbf")), report)
        if report.malformed:
            raise graph_error("malformed_page", report.unreadable_notes[0])
        if found is not None and found.object_id.lower() != object_id.lower():
            raise graph_error("malformed_page", "Graph answered with another object.")
        return found

    builder = calls.graph.applications.with_url(address)
    try:
        return await calls.read(builder, f"object {object_id}", use, tries=2)
    except RefusedError as error:
        if error.status == 404:
            return None
        raise
