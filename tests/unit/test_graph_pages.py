"""What Graph left out is never taken for none: whole pages, whole objects, whole credentials."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.entra.decode import Report, decode_application, decode_service_principal, read_page
from monitor.errors import GraphError
from tests.unit.graph_samples import ID, application, key, secret

LINK = b'"@odata.nextLink":"https://graph.microsoft.com/v1.0/applications?$skiptoken=1"'


@pytest.mark.parametrize("attribute", ["passwordCredentials", "keyCredentials"])
@pytest.mark.parametrize("decode", [decode_application, decode_service_principal])
def test_a_list_of_credentials_that_is_missing_is_unreadable(attribute: str, decode: Any) -> None:
    """Or null: Graph writes [] for none, also for Microsoft's own service principals."""
    whole = {"id": ID, "passwordCredentials": [], "keyCredentials": []}
    whole |= {"appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a"}
    without = {name: value for name, value in whole.items() if name != attribute}
    for item in (without, whole | {attribute: None}):
        report = Report()
        assert decode(item, report) is not None
        assert report.malformed == 1
        assert f"The {attribute} of {ID} are missing." in report.unreadable_notes
    report = Report()
    decode(whole, report)
    assert report.malformed == 0


@pytest.mark.parametrize("attribute", ["keyId", "startDateTime", "endDateTime"])
def test_a_secret_without_one_of_its_properties_is_unreadable(attribute: str) -> None:
    """It is neither one that never ends, nor the successor of the others."""
    part = secret()
    del part[attribute]
    found, report = application(passwordCredentials=[part, {}, secret(2), secret(3)])
    assert [each.key_id for each in found.credentials] == [secret(2)["keyId"], secret(3)["keyId"]]
    assert report.malformed == 2
    assert f"its {attribute} is missing" in report.unreadable_notes[0]


@pytest.mark.parametrize("attribute", ["keyId", "startDateTime", "endDateTime", "usage", "type"])
def test_a_key_without_one_of_its_properties_is_unreadable(attribute: str) -> None:
    """Usage and type say of which kind it is: another kind would be another credential."""
    part = key()
    del part[attribute]
    found, report = application(keyCredentials=[part])
    assert (found.credentials, report.malformed) == ((), 1)


def test_null_is_said_and_counts() -> None:
    """An end of null never comes, a start of null has been, and old secrets have no keyId."""
    entry = secret(keyId=None, startDateTime=None, endDateTime=None)
    found, report = application(passwordCredentials=[entry])
    assert [(each.key_id, each.end) for each in found.credentials] == [(None, None)]
    assert report.malformed == 0


@pytest.mark.parametrize("end", ["", " ", 0, False])
def test_what_is_neither_null_nor_a_date_is_no_end(end: object) -> None:
    """It would never lapse."""
    _, report = application(passwordCredentials=[secret(endDateTime=end)])
    assert report.malformed == 1


@pytest.mark.parametrize("wrong", [7, [], {"a": 1}, True])
def test_a_token_encryption_key_that_is_no_text_makes_no_crash(wrong: object) -> None:
    """The application is kept, and the scan is not complete."""
    found, report = application(tokenEncryptionKeyId=wrong, keyCredentials=[key()])
    assert (len(found.credentials), report.malformed) == (1, 1)


@pytest.mark.parametrize("broken", ["", "\\ud800"], ids=["plain", "read leniently"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":"x","message":"m"},"value":[]}',
        b'{"value":[],"error":null}',
        b'{"odata.error":{},"value":[]}',
        b'{"value":[{"id":"1"}],"value":[]}',
        b'{"value":[{"id":"1"}],"Value":[]}',
        b'{"value":[],"value":[]}',
        b'{"value":[],"@odata.NextLink":"http://x"}',
        b'{"value":[],"odata.nextLink":"http://x"}',
        b'{"value":[],"nextLink":"http://x"}',
        b'{"value":[],"value@odata.nextLink":"http://x"}',
        b'{"value":[],' + LINK + b"," + LINK + b"}",
        b'{"value":[],"@odata.count":"five"}',
        b'{"value":[],"@odata.count":true}',
        b'{"value":[],"@odata.count":1.5}',
        b'{"@odata.count":0}',
    ],
)
def test_a_page_with_something_odd_beside_its_objects_is_none(body: bytes, broken: str) -> None:
    """An error, a member twice, a link that is spelled otherwise, a count that is none."""
    body = body[:-1] + b',"more":"' + broken.encode() + b'"}'
    with pytest.raises(GraphError) as raised:
        read_page(body, "applications")
    assert raised.value.cause == "malformed_page"


@pytest.mark.parametrize("broken", ["", "\\ud800"], ids=["plain", "read leniently"])
def test_a_page_as_graph_writes_it_is_read(broken: str) -> None:
    """Names may come twice further in, and annotations are no objects."""
    body = (
        b'{"@odata.context":"x","@odata.count":2,' + LINK + b',"more":"' + broken.encode() + b'",'
        b'"value":[{"id":"1","error":1,"nextLink":2},{"id":"2","a":1,"a":2}]}'
    )
    page = read_page(body, "applications")
    assert (len(page.value), page.count) == (2, 2)
    assert page.next_link == json.loads(b"{" + LINK + b"}")["@odata.nextLink"]
    assert read_page(b'{"value":[],"@odata.count":"12"}', "x").count == 12
    assert read_page(b'{"value":[],"@odata.nextLink":null}', "x").next_link is None
