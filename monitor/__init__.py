"""Lapsewatch: watches app credentials of Microsoft Entra tenants and warns before they lapse."""

__version__ = "0.1.0"
